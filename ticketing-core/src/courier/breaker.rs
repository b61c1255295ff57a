//! Stops knocking at GLPI's door while it is down, and lets the queue in slowly when it opens.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// A circuit breaker that also rations the backlog after an outage.
///
/// Closed: everybody may go. Open: nobody, for a pause. After it one request is let through as a
/// probe; its success closes the breaker, its failure opens it again. Once closed, the backlog may
/// send one request at a time, then two, four, … as they succeed, up to all: a GLPI that has just
/// come back is not flattened by last night's queue.
#[derive(Debug)]
pub struct Breaker {
    state: Mutex<State>,
    failures_to_open: u32,
    pause: Duration,
    most_in_flight: usize,
}

#[derive(Debug)]
struct State {
    /// In a row.
    failures: u32,
    /// Set while open.
    open_until: Option<Instant>,
    /// Set while open, too: when it opened first.
    opened: Option<Instant>,
    /// When GLPI last answered sensibly.
    heard: Option<Instant>,
    /// A probe is under way.
    probing: bool,
    /// How many requests of the backlog may be in flight.
    backlog_allowance: usize,
}

impl Breaker {
    /// Opens after `failures_to_open` failures in a row, for `pause` at a time.
    pub fn new(failures_to_open: u32, pause: Duration, most_in_flight: usize) -> Self {
        let state = State {
            failures: 0,
            open_until: None,
            opened: None,
            heard: None,
            probing: false,
            backlog_allowance: most_in_flight,
        };
        Self { state: Mutex::new(state), failures_to_open, pause, most_in_flight }
    }

    /// GLPI is believed to work: a caller on the line may wait for it.
    pub fn is_closed(&self) -> bool {
        self.lock().open_until.is_none()
    }

    /// How long it has been open without a break; `None` while closed.
    pub fn open_for(&self) -> Option<Duration> {
        self.lock().opened.map(|opened| opened.elapsed())
    }

    /// GLPI answered sensibly at most that long ago.
    pub fn heard_within(&self, time: Duration) -> bool {
        self.lock().heard.is_some_and(|heard| heard.elapsed() <= time)
    }

    /// How many requests of the backlog may be in flight now. While open that is none, and one once
    /// the pause is over.
    pub fn backlog_allowance(&self) -> usize {
        let state = self.lock();
        match state.open_until {
            None => state.backlog_allowance,
            Some(until) => usize::from(!state.probing && Instant::now() >= until),
        }
    }

    /// When the pause ends; `None` if the breaker is closed or its probe is under way.
    pub fn probe_at(&self) -> Option<Instant> {
        let state = self.lock();
        state.open_until.filter(|_| !state.probing)
    }

    /// A request of the backlog leaves: while open it is the probe.
    pub fn begin(&self) {
        let mut state = self.lock();
        state.probing = state.open_until.is_some();
    }

    /// GLPI answered sensibly.
    pub fn succeeded(&self) {
        let mut state = self.lock();
        state.failures = 0;
        state.opened = None;
        state.heard = Some(Instant::now());
        if state.open_until.take().is_some() {
            state.probing = false;
            state.backlog_allowance = 1;
            meters::glpi::breaker_open(false);
            tracing::info!("GLPI answers again; the backlog is being delivered");
        } else {
            state.backlog_allowance = (state.backlog_allowance * 2).min(self.most_in_flight);
        }
    }

    /// GLPI did not answer, or not sensibly.
    pub fn failed(&self, reason: &str) {
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        if state.open_until.is_some() || state.failures >= self.failures_to_open {
            if state.open_until.is_none() {
                meters::glpi::breaker_open(true);
                tracing::warn!(
                    reason,
                    "GLPI keeps failing; calls are recorded and delivered later"
                );
            }
            state.probing = false;
            state.opened.get_or_insert_with(Instant::now);
            state.open_until = Some(Instant::now() + self.pause);
        }
    }

    /// The request that was begun did not take place: nothing was learnt.
    pub fn abandoned(&self) {
        self.lock().probing = false;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> Breaker {
        Breaker::new(3, Duration::from_secs(5), 8)
    }

    #[tokio::test(start_paused = true)]
    async fn opens_after_failures_in_a_row_and_closes_after_a_good_probe() {
        let breaker = breaker();
        breaker.failed("down");
        breaker.failed("down");
        breaker.succeeded();
        breaker.failed("down");
        breaker.failed("down");
        assert!(breaker.is_closed(), "a success in between starts the count again");
        breaker.failed("down");
        assert!(!breaker.is_closed());
        assert_eq!(breaker.backlog_allowance(), 0);

        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(breaker.backlog_allowance(), 1, "one probe");
        breaker.begin();
        assert_eq!(breaker.backlog_allowance(), 0, "only one");
        breaker.succeeded();
        assert!(breaker.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_probe_opens_it_for_another_pause() {
        let breaker = breaker();
        (0..3).for_each(|_| breaker.failed("down"));
        tokio::time::advance(Duration::from_secs(5)).await;
        breaker.begin();
        breaker.failed("still down");
        assert_eq!(breaker.backlog_allowance(), 0);
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(breaker.backlog_allowance(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_backlog_starts_slowly_after_an_outage() {
        let breaker = breaker();
        assert_eq!(breaker.backlog_allowance(), 8);
        (0..3).for_each(|_| breaker.failed("down"));
        tokio::time::advance(Duration::from_secs(5)).await;
        breaker.begin();
        let allowed: Vec<usize> = (0..5)
            .map(|_| {
                breaker.succeeded();
                breaker.backlog_allowance()
            })
            .collect();
        assert_eq!(allowed, [1, 2, 4, 8, 8]);
    }
}
