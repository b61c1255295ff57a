//! Sends what is recorded: claim, send, settle, on a few places of its own.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use notices::{Channels, Kind, Outcome};
use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::news::News;
use crate::{
    clock::Clock,
    outbox::{Lease, Notice, NoticeOutcome, Outbox, StoreError},
};

/// Carries notices from the outbox to their channels.
#[derive(Debug)]
pub(crate) struct Announcer {
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) channels: Arc<Channels>,
    pub(crate) news: Arc<News>,
}

/// Notices sent at once.
const PLACES: usize = 8;

/// The store is asked this often: a notice may be due again, or another replica have left one.
const POLL: Duration = Duration::from_secs(2);

/// Must exceed the longest sending (15 s and a farewell) by the clock skew between hosts.
const LEASE: SignedDuration = SignedDuration::from_mins(2);

/// How long a sending may go on once the process is to stop.
const GRACE: Duration = Duration::from_secs(3);

/// First pause after a failure; doubles with each try.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(5);

/// Longest pause.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(15);

/// How long a notice is tried: what is older is no news.
const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_hours(24);

impl Announcer {
    /// Sends until `stop`; without channels, until what earlier ones left is given up.
    pub(crate) async fn run(self: Arc<Self>, tasks: TaskTracker, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(PLACES));
        while !stop.is_cancelled() {
            let free = match Arc::clone(&places).acquire_owned().await {
                Ok(first) => all_free(&places, first),
                Err(_closed) => return,
            };
            match self.start(free, &tasks, &stop).await {
                Ok(0) if self.channels.is_empty() => return,
                Ok(0) => {}
                Ok(_) => continue,
                Err(error) => tracing::error!(%error, "cannot read the notices"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.news.waits() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Claims as many notices as there are places and starts on them; says how many.
    async fn start(
        self: &Arc<Self>,
        places: Vec<OwnedSemaphorePermit>,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let until = now.saturating_add(LEASE).unwrap_or(Timestamp::MAX);
        let lease = Lease { token: fastrand::i64(..), until };
        let limit = u32::try_from(places.len()).unwrap_or(u32::MAX);
        let claimed = self.outbox.claim_notices(now, lease, limit).await?;
        let count = claimed.len();
        for (notice, place) in claimed.into_iter().zip(places) {
            let (this, stop) = (Arc::clone(self), stop.clone());
            tasks.spawn(async move {
                tokio::select! {
                    () = this.announce(notice, lease.token) => {}
                    // Left as it is: the next start finds it interrupted.
                    () = stopped_for(&stop, GRACE) => {}
                }
                drop(place);
            });
        }
        Ok(count)
    }

    async fn announce(&self, notice: Notice, token: i64) {
        let outcome = self.send(&notice).await;
        let now = self.clock.now();
        let jitter = 0.5 + fastrand::f64() / 2.0;
        let settled = after(&notice, outcome, now, jitter);
        note(&notice, &settled);
        match self.outbox.settle_notice(notice.id, token, settled, now).await {
            Ok(true) => {}
            Ok(false) => tracing::warn!(event = notice.event, "another replica took a notice over"),
            // The lease expires and the notice is found interrupted.
            Err(error) => tracing::error!(%error, "cannot record how a notice ended"),
        }
    }

    async fn send(&self, notice: &Notice) -> Outcome {
        let failed = |reason: &str| Outcome::Failed { reason: reason.to_owned() };
        let channel = notice.channel.parse().ok().and_then(|kind| self.channels.find(kind));
        let Some(channel) = channel else { return failed("the channel is no longer configured") };
        if notice.interrupted && !channel.kind().recognises_repeats() {
            return failed("interrupted while it was sent: it may have been told");
        }
        let Ok(told) = serde_json::from_value(notice.body.clone()) else {
            return failed("written by another version, and unreadable for this one");
        };
        channel.send(&told, &id(notice), self.clock.now()).await
    }
}

/// The first place and all others that are free.
fn all_free(places: &Arc<Semaphore>, first: OwnedSemaphorePermit) -> Vec<OwnedSemaphorePermit> {
    let others = std::iter::from_fn(|| Arc::clone(places).try_acquire_owned().ok());
    std::iter::once(first).chain(others).collect()
}

async fn stopped_for(stop: &CancellationToken, grace: Duration) {
    stop.cancelled().await;
    tokio::time::sleep(grace).await;
}

/// The notice's name for receivers: the same at every try, and another in every store.
fn id(notice: &Notice) -> String {
    let Notice { event, created_at, .. } = notice;
    let digest = Sha256::digest(format!("{event} {}", created_at.as_millisecond()));
    let first = digest.iter().take(16).fold(0_u128, |first, byte| first << 8 | u128::from(*byte));
    format!("msg_{first:032x}")
}

/// What to record after a sending. `jitter` is drawn from 0.5 to 1.
fn after(notice: &Notice, outcome: Outcome, now: Timestamp, jitter: f64) -> NoticeOutcome {
    let recognises_repeats = notice.channel.parse().is_ok_and(Kind::recognises_repeats);
    let (wait, reason) = match outcome {
        Outcome::Sent => return NoticeOutcome::Sent,
        Outcome::Failed { reason } => return NoticeOutcome::Failed { reason },
        Outcome::Unknown { reason } if !recognises_repeats => {
            return NoticeOutcome::Failed { reason: format!("may have been told; {reason}") };
        }
        Outcome::Unknown { reason } => (None, reason),
        Outcome::Retry { after, reason } => (after, reason),
    };
    let asked = SignedDuration::try_from(wait.unwrap_or_default()).unwrap_or_default();
    let due = now.saturating_add(pause(notice.attempts, jitter).max(asked));
    let due = due.unwrap_or(Timestamp::MAX);
    if due.duration_since(notice.created_at) > GIVE_UP_AFTER {
        return NoticeOutcome::Failed { reason: format!("given up by its age; {reason}") };
    }
    NoticeOutcome::Retry { due, reason }
}

fn pause(attempts: u32, jitter: f64) -> SignedDuration {
    // 2^16 first pauses exceed the longest, so the exponent may stop there.
    let doublings = attempts.saturating_sub(1).min(16);
    let pause = FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
    SignedDuration::try_from_secs_f64(pause.as_secs_f64() * jitter).unwrap_or(pause)
}

/// Logs and counts how an attempt ended.
fn note(notice: &Notice, settled: &NoticeOutcome) {
    let Notice { event, channel, attempts, .. } = notice;
    // A name that no channel has must not become a label.
    let label = channel.parse().map_or("unknown", Kind::as_str);
    match settled {
        NoticeOutcome::Sent => {
            meters::notices::tried(label, meters::notices::Outcome::Sent);
            tracing::info!(event, channel, attempts, "told");
        }
        NoticeOutcome::Retry { due, reason } => {
            meters::notices::tried(label, meters::notices::Outcome::Failed);
            tracing::warn!(event, channel, attempts, %due, reason, "not told; will be sent again");
        }
        NoticeOutcome::Failed { reason } => {
            meters::notices::tried(label, meters::notices::Outcome::GivenUp);
            tracing::error!(event, channel, attempts, reason, "a notice is given up");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_764_000_000 + seconds).unwrap()
    }

    fn notice(channel: &str, attempts: u32) -> Notice {
        Notice {
            id: 1,
            event: "parked:1:482-917-305".into(),
            channel: channel.into(),
            body: serde_json::Value::Null,
            attempts,
            interrupted: false,
            created_at: at(0),
        }
    }

    fn retry(after: Option<u64>) -> Outcome {
        Outcome::Retry { after: after.map(Duration::from_secs), reason: "busy".into() }
    }

    fn unknown() -> Outcome {
        Outcome::Unknown { reason: "no answer".into() }
    }

    /// `Some(seconds)` until the next try; `None` if it is the last word.
    fn next(channel: &str, attempts: u32, outcome: Outcome, now: i64) -> Option<i64> {
        match after(&notice(channel, attempts), outcome, at(now), 1.0) {
            NoticeOutcome::Sent | NoticeOutcome::Failed { .. } => None,
            NoticeOutcome::Retry { due, .. } => Some(due.duration_since(at(now)).as_secs()),
        }
    }

    #[test]
    fn what_may_have_been_told_is_repeated_only_where_repeats_are_recognised() {
        for (channel, outcome, expected) in [
            ("slack", Outcome::Sent, None),
            ("slack", Outcome::Failed { reason: "gone".into() }, None),
            ("slack", retry(None), Some(5)),
            ("slack", unknown(), None),
            ("teams", unknown(), None),
            ("mail", unknown(), Some(5)),
            ("webhook", unknown(), Some(5)),
        ] {
            assert_eq!(next(channel, 1, outcome.clone(), 0), expected, "{channel} {outcome:?}");
        }
    }

    #[test]
    fn pauses_double_and_heed_the_receiver() {
        for (attempts, asked, expected) in
            [(1, None, 5), (2, None, 10), (5, None, 80), (99, None, 900), (1, Some(60), 60)]
        {
            assert_eq!(next("slack", attempts, retry(asked), 0), Some(expected), "{attempts}");
        }
    }

    #[test]
    fn a_notice_is_given_up_after_a_day() {
        let day = 24 * 60 * 60;
        assert_eq!(next("slack", 1, retry(None), day - 5), Some(5));
        assert_eq!(next("slack", 1, retry(None), day - 4), None);
    }

    #[test]
    fn the_id_is_the_same_at_every_try_and_another_for_another_notice() {
        let first = id(&notice("webhook", 1));
        assert_eq!(first, id(&notice("webhook", 2)));
        assert_eq!(first.len(), 36);
        let later = Notice { created_at: at(1), ..notice("webhook", 1) };
        assert_ne!(first, id(&later), "a new store begins to count anew");
    }
}
