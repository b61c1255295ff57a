//! What waits in the outbox, counted now and then for the metrics.

use std::time::Duration;

use jiff::Timestamp;
use service_kit::Shutdown;
use ticketing_core::{
    clock::{Clock as _, SystemClock},
    outbox::State,
    ticketing::Ticketing,
};
use tokio::time::Instant;

/// At least this long between two counts.
const EVERY: Duration = Duration::from_secs(5);

/// Counting takes at most this share of the time, however many rows there are.
const MOST_BUSY: u32 = 50;

/// Counts until shutdown begins.
pub(crate) async fn keep_reading(ticketing: Ticketing, shutdown: Shutdown) {
    loop {
        let began = Instant::now();
        read(&ticketing).await;
        let pause = EVERY.max(began.elapsed() * MOST_BUSY);
        tokio::select! {
            () = shutdown.soft().cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// What cannot be counted keeps its last value; that the store fails is told elsewhere.
async fn read(ticketing: &Ticketing) {
    let Ok(left) = ticketing.left_to_do().await else { return };
    for (state, count) in State::ALL.iter().zip(left.rows) {
        if !matches!(state, State::Delivered | State::Discarded) {
            meters::outbox::rows(state.as_str(), count);
        }
    }
    meters::outbox::oldest_open(left.oldest_open.map_or(Duration::ZERO, age));
    meters::outbox::oldest_parked(left.oldest_parked.map_or(Duration::ZERO, age));
}

fn age(since: Timestamp) -> Duration {
    Duration::try_from(SystemClock.now().duration_since(since)).unwrap_or_default()
}
