//! Up to where leases have expired, so that nobody looks there again.
//!
//! PostgreSQL keeps old versions of rows, and what their indexes say of them, as long as anybody may
//! look at the database as it was before: a dump, or a shell in an open transaction. The leases of
//! all requests since then are at the front of their index, and a search from the front passes over
//! each of them. So a search begins where the last one ended.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// A search begins at the front this often, for leases that the others can have missed: their row was
/// locked by a change that failed, or the clock that gave them lags by more than a lease.
const FROM_THE_FRONT: SignedDuration = SignedDuration::from_mins(1);

/// Before every moment.
const FRONT: i64 = i64::MIN;

/// What one replica knows. Whatever it knows wrongly costs a minute, never a row.
#[derive(Debug, Default)]
pub(super) struct Expired(Mutex<Option<Known>>);

#[derive(Debug, Clone, Copy)]
struct Known {
    /// No lease that ended up to here is left.
    up_to: Timestamp,
    /// When that was last sought from the front.
    from_the_front_at: Timestamp,
}

impl Expired {
    /// Where to begin to look for what has expired by now, in milliseconds.
    pub(super) fn seek_from(&self, now: Timestamp) -> i64 {
        match *self.lock() {
            Some(known)
                if now >= known.up_to
                    && now.duration_since(known.from_the_front_at) < FROM_THE_FRONT =>
            {
                known.up_to.as_millisecond()
            }
            Some(_) | None => FRONT,
        }
    }

    /// From there on none is left that has expired by now.
    pub(super) fn sought(&self, from: i64, now: Timestamp) {
        let mut known = self.lock();
        let from_the_front_at = match *known {
            Some(known) if from != FRONT => known.from_the_front_at,
            Some(_) | None => now,
        };
        *known = Some(Known { up_to: now, from_the_front_at });
    }

    /// No lease that ended up to here is left, in milliseconds.
    pub(super) fn up_to(&self) -> i64 {
        self.lock().map_or(FRONT, |known| known.up_to.as_millisecond())
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
    fn a_search_goes_on_where_the_last_one_ended_for_a_minute() {
        let expired = Expired::default();
        assert_eq!((expired.seek_from(at(0)), expired.up_to()), (FRONT, FRONT));
        for seconds in 0..60 {
            let from = expired.seek_from(at(seconds));
            assert_eq!(from, if seconds == 0 { FRONT } else { (seconds - 1) * 1000 });
            expired.sought(from, at(seconds));
        }
        assert_eq!(expired.seek_from(at(60)), FRONT);
        expired.sought(FRONT, at(60));
        assert_eq!(expired.seek_from(at(61)), 60_000);
        assert_eq!(expired.up_to(), 60_000);
    }

    #[test]
    fn a_clock_that_was_set_back_begins_at_the_front() {
        let expired = Expired::default();
        expired.sought(FRONT, at(100));
        assert_eq!(expired.seek_from(at(99)), FRONT);
    }
}
