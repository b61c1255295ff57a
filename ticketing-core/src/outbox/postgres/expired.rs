//! Up to where leases have expired, so that nobody looks there again.
//!
//! PostgreSQL keeps old versions of rows, and what their indexes say of them, as long as anybody may
//! look at the database as it was before: a dump, or a shell in an open transaction. The leases of
//! all requests since then are at the front of their index, and a search from the front passes over
//! each of them. So a search begins a little before where the last one ended.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use super::DEADLINE;

/// A search goes over this much again: it passes by a row that is locked, and does not see one that is
/// about to be committed. Whatever is under way ends within the deadline of an operation.
const AGAIN: Duration = DEADLINE;

/// A search begins at the front this often, should the clock that gave a lease lag by more than that.
const FROM_THE_FRONT: SignedDuration = SignedDuration::from_mins(1);

/// Before every moment.
const FRONT: i64 = i64::MIN;

/// What one replica knows. Whatever it knows wrongly costs a minute at most, never a row.
#[derive(Debug, Default)]
pub(super) struct Expired(Mutex<Option<Known>>);

#[derive(Debug, Clone, Copy)]
struct Known {
    /// Leases that ended up to here were sought.
    up_to: Timestamp,
    /// When that was last sought from the front.
    from_the_front_at: Timestamp,
}

impl Known {
    fn none_before(self) -> i64 {
        self.up_to.saturating_sub(AGAIN).unwrap_or(Timestamp::MIN).as_millisecond()
    }
}

impl Expired {
    /// Where to begin to look for what has expired by now, in milliseconds.
    pub(super) fn seek_from(&self, now: Timestamp) -> i64 {
        match *self.lock() {
            Some(known)
                if now >= known.up_to
                    && now.duration_since(known.from_the_front_at) < FROM_THE_FRONT =>
            {
                known.none_before()
            }
            Some(_) | None => FRONT,
        }
    }

    /// They were sought from there up to now.
    pub(super) fn sought(&self, from: i64, now: Timestamp) {
        let mut known = self.lock();
        let from_the_front_at = match *known {
            Some(known) if from != FRONT => known.from_the_front_at,
            Some(_) | None => now,
        };
        *known = Some(Known { up_to: now, from_the_front_at });
    }

    /// No lease that ended before this moment is left, in milliseconds.
    pub(super) fn none_before(&self) -> i64 {
        self.lock().map_or(FRONT, Known::none_before)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn a_search_goes_on_a_little_before_where_the_last_one_ended_for_a_minute() {
        let expired = Expired::default();
        assert_eq!((expired.seek_from(at(100)), expired.none_before()), (FRONT, FRONT));
        for seconds in 100..160 {
            let from = expired.seek_from(at(seconds));
            assert_eq!(from, if seconds == 100 { FRONT } else { (seconds - 21) * 1000 });
            expired.sought(from, at(seconds));
        }
        assert_eq!(expired.seek_from(at(160)), FRONT);
        expired.sought(FRONT, at(160));
        assert_eq!(expired.seek_from(at(161)), 140_000);
        assert_eq!(expired.none_before(), 140_000);
    }

    #[test]
    fn a_clock_that_was_set_back_begins_at_the_front() {
        let expired = Expired::default();
        expired.sought(FRONT, at(100));
        assert_eq!(expired.seek_from(at(99)), FRONT);
    }
}
