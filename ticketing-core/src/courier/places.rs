//! Places at GLPI: so many requests at once, and who may send the next.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places, shared by callers on the line and the backlog.
///
/// Whoever wants one waits in one line. The backlog has fewer than all, so that callers always find
/// some; and while it has work it keeps one that it once had, so that callers, however many, never
/// take all of them. Where there is only one, both take turns.
#[derive(Debug)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    /// Rows of the backlog that may have or want a place.
    backlog: Arc<Semaphore>,
    backlog_size: usize,
    /// The right to keep a place: one at most.
    keeping: Arc<Semaphore>,
    /// The place that is kept, between two rows.
    kept: Mutex<Option<Place>>,
}

/// A place of the backlog; free again when dropped.
#[derive(Debug)]
pub(super) struct Place {
    _at_glpi: OwnedSemaphorePermit,
    /// It is kept for the next row.
    keeping: Option<OwnedSemaphorePermit>,
}

impl Places {
    /// At least one.
    pub(super) fn new(places: usize) -> Self {
        let places = places.max(1);
        let backlog_size = places - places.div_ceil(4).min(places - 1);
        Self {
            all: Arc::new(Semaphore::new(places)),
            backlog: Arc::new(Semaphore::new(backlog_size)),
            backlog_size,
            keeping: Arc::new(Semaphore::new(usize::from(places > 1))),
            kept: Mutex::new(None),
        }
    }

    /// How many the backlog may have.
    pub(super) fn backlog_size(&self) -> usize {
        self.backlog_size
    }

    /// A place as soon as one is free; `None` once there are none any more.
    pub(super) async fn one(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.all).acquire_owned().await.ok()
    }

    /// The right to work on so many rows of the backlog, as far as it is free, if `allowed` may be
    /// worked on at once.
    pub(super) fn for_backlog(&self, allowed: usize) -> Vec<OwnedSemaphorePermit> {
        let taken = self.backlog_size - self.backlog.available_permits();
        (taken..allowed).map_while(|_| Arc::clone(&self.backlog).try_acquire_owned().ok()).collect()
    }

    /// The place kept from an earlier row, if there is one; whoever does not use it frees it.
    pub(super) fn kept(&self) -> Option<Place> {
        self.lock().take()
    }

    /// A place for a row of the backlog.
    pub(super) async fn one_for_backlog(&self) -> Option<Place> {
        Some(Place { _at_glpi: self.one().await?, keeping: None })
    }

    /// Keeps the place for the backlog's next row, unless another is kept.
    pub(super) fn keep(&self, mut place: Place) {
        if place.keeping.is_none() {
            place.keeping = Arc::clone(&self.keeping).try_acquire_owned().ok();
        }
        if place.keeping.is_some() {
            *self.lock() = Some(place);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Place>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn callers_always_find_a_place_and_so_does_the_backlog() {
        let sizes = [1, 2, 3, 8, 32].map(|places| Places::new(places).backlog_size());
        assert_eq!(sizes, [1, 1, 2, 6, 24]);
    }

    #[tokio::test]
    async fn the_backlog_keeps_one_place_and_no_more() {
        let places = Places::new(3);
        let (first, second) = tokio::join!(places.one_for_backlog(), places.one_for_backlog());
        places.keep(first.unwrap());
        places.keep(second.unwrap());
        assert_eq!(places.all.available_permits(), 2, "one is kept, the other free");
        let callers = [places.one().await, places.one().await];
        assert!(places.one().now_or_never().is_none(), "the rest is not for callers");

        let place = places.kept().unwrap();
        assert!(places.kept().is_none());
        places.keep(place);
        drop(places.kept());
        assert_eq!(places.all.available_permits(), 1, "the backlog has nothing more to send");
        drop(callers);
    }

    #[tokio::test]
    async fn the_only_place_is_not_kept() {
        let places = Places::new(1);
        places.keep(places.one_for_backlog().await.unwrap());
        assert!(places.one().now_or_never().is_some());
    }

    #[test]
    fn the_backlog_takes_what_is_allowed_less_what_it_has() {
        let places = Places::new(8);
        let some = places.for_backlog(4);
        assert_eq!(some.len(), 4);
        assert_eq!(places.for_backlog(4).len(), 0);
        assert_eq!(places.for_backlog(100).len(), 2);
        assert_eq!(places.for_backlog(0).len(), 0);
    }
}
