//! What was asked of the API, and how much of it at once.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::watch;

use crate::faults::Operation;

/// How many requests are remembered one by one.
const REMEMBERED: usize = 10_000;

/// One request to the API, as seen by the sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// Relative to `apirest.php`, without the query: `/Ticket/5`.
    pub path: String,
    /// The status that was answered; `None` while there is no answer, and for
    /// ever if the connection was cut or the request hangs.
    pub status: Option<u16>,
    /// The Session-Token that came with it.
    pub session: Option<String>,
    /// The W3C trace context that came with it.
    pub traceparent: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    book: Mutex<Book>,
    arrived: watch::Sender<u64>,
    now: AtomicUsize,
    most: AtomicUsize,
}

#[derive(Debug, Default)]
struct Book {
    last: VecDeque<Request>,
    /// How many requests came before the oldest remembered one.
    forgotten: u64,
    by_path: HashMap<String, HashMap<String, u64>>,
    by_operation: HashMap<Operation, u64>,
}

/// A request being served; counts as concurrent until dropped.
#[derive(Debug)]
pub(crate) struct InFlight {
    ledger: Arc<Ledger>,
    number: u64,
}

impl Ledger {
    pub(crate) fn begin(self: &Arc<Self>, request: Request, operation: Operation) -> InFlight {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        let number = self.book().write_down(request, operation);
        self.arrived.send_if_modified(|arrived| {
            *arrived = (number + 1).max(*arrived);
            true
        });
        InFlight { ledger: Arc::clone(self), number }
    }

    pub(crate) async fn wait_for(&self, arrived: u64) {
        let enough = |so_far: &u64| *so_far >= arrived;
        self.arrived.subscribe().wait_for(enough).await.expect("the sender is a field of `self`");
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.book().last.iter().cloned().collect()
    }

    pub(crate) fn max_concurrent(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }

    pub(crate) fn total(&self) -> u64 {
        let book = self.book();
        book.forgotten + book.last.len() as u64
    }

    pub(crate) fn by_operation(&self) -> HashMap<Operation, u64> {
        self.book().by_operation.clone()
    }

    pub(crate) fn count(&self, method: &str, path: &str) -> u64 {
        let wanted = numberless(path.trim_start_matches("/apirest.php").trim_end_matches('/'));
        let book = self.book();
        let Some(paths) = book.by_path.get(method) else { return 0 };
        let at_or_below = |path: &str| {
            path.strip_prefix(wanted.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        paths.iter().filter(|(path, _)| at_or_below(path)).map(|(_, count)| count).sum()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn write_down(&mut self, request: Request, operation: Operation) -> u64 {
        *self.by_operation.entry(operation).or_default() += 1;
        let paths = match self.by_path.get_mut(&request.method) {
            Some(paths) => paths,
            None => self.by_path.entry(request.method.clone()).or_default(),
        };
        match paths.get_mut(&request.path) {
            Some(count) => *count += 1,
            None => *paths.entry(numberless(&request.path)).or_default() += 1,
        }
        if self.last.len() == REMEMBERED {
            self.last.pop_front();
            self.forgotten += 1;
        }
        self.last.push_back(request);
        self.forgotten + self.last.len() as u64 - 1
    }
}

impl InFlight {
    pub(crate) fn answered(&self, status: u16) {
        let mut book = self.ledger.book();
        let index = self.number.checked_sub(book.forgotten).and_then(|i| usize::try_from(i).ok());
        if let Some(request) = index.and_then(|index| book.last.get_mut(index)) {
            request.status = Some(status);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.ledger.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// `/Ticket/5` → `/Ticket/0`, so that the number of distinct paths is bounded.
fn numberless(path: &str) -> String {
    let segments = path.split('/').map(|segment| {
        let is_number = !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_digit());
        if is_number { "0" } else { segment }
    });
    segments.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_counts_itself_and_what_is_below_it() {
        let ledger = Arc::new(Ledger::default());
        for path in ["/Ticket", "/Ticket/5", "/Ticket/6/ITILFollowup", "/Ticket_User"] {
            let request = Request {
                method: "GET".to_owned(),
                path: path.to_owned(),
                status: None,
                session: None,
                traceparent: None,
            };
            drop(ledger.begin(request, Operation::Read));
        }
        assert_eq!(ledger.count("GET", "/Ticket"), 3);
        assert_eq!(ledger.count("GET", "/apirest.php/Ticket/7"), 2);
        assert_eq!(ledger.count("GET", ""), 4);
        assert_eq!(ledger.count("POST", "/Ticket"), 0);
        assert_eq!(ledger.max_concurrent(), 1);
    }
}
