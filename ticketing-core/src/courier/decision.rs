//! What to do with a row: pure, so that it can be tabled, simulated and believed.

use jiff::{SignedDuration, Timestamp};

use crate::{
    glpi::{Found, ReadError, Window, Written},
    outbox::{Entry, Settlement, State},
};

/// The times a courier goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// First pause after GLPI was unreachable; doubles with each attempt.
    pub first_retry: SignedDuration,
    /// Longest pause between attempts.
    pub longest_retry: SignedDuration,
    /// How long GLPI may still be working on a request whose client has left. Before it has passed
    /// since the last send, "not there" proves nothing.
    pub slowest_request: SignedDuration,
    /// Pause between the two look-ups that must both find nothing before a request is sent again.
    pub second_look: SignedDuration,
    /// How long a request is tried, from when it was recorded. One that is then known not to be at
    /// GLPI is parked, also once an operator has sent it again. `None`: for ever.
    pub max_age: Option<SignedDuration>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            first_retry: SignedDuration::from_secs(1),
            longest_retry: SignedDuration::from_secs(60),
            slowest_request: SignedDuration::from_secs(60),
            second_look: SignedDuration::from_secs(10),
            max_age: None,
        }
    }
}

/// The first step with a claimed row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Send it.
    Send,
    /// See first whether GLPI has it.
    LookUp(Window),
}

/// What follows from a look-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AfterLookUp {
    /// Record this.
    Settle(Settlement),
    /// It is not there: send it again.
    SendAgain,
}

impl Policy {
    /// The first step with a row under our lease.
    pub fn first_step(&self, entry: &Entry) -> Step {
        match entry.state {
            State::InDoubt => Step::LookUp(self.window(entry)),
            State::Waiting
            | State::Sending
            | State::Delivered
            | State::Parked
            | State::Discarded => Step::Send,
        }
    }

    /// What to record after a send. `jitter` is drawn from 0.5 to 1.
    pub fn after_send(
        &self,
        entry: &Entry,
        written: Written,
        now: Timestamp,
        jitter: f64,
    ) -> Settlement {
        match written {
            Written::Done(glpi_id) => Settlement::Delivered { glpi_id },
            Written::Refused(reason) => Settlement::Parked { reason },
            Written::Unreachable(reason) if self.is_too_old(entry, now) => {
                Settlement::Parked { reason: format!("given up by its age; {reason}") }
            }
            Written::Unreachable(reason) => {
                Settlement::Retry { due: later(now, self.pause(entry.attempts, jitter)), reason }
            }
            Written::Unknown(reason) => {
                Settlement::Doubt { due: later(now, self.slowest_request), reason }
            }
        }
    }

    /// What to do after a look-up. A failed one means neither "there" nor "not there".
    pub fn after_look_up(
        &self,
        entry: &Entry,
        found: Result<Found, ReadError>,
        now: Timestamp,
        jitter: f64,
    ) -> AfterLookUp {
        match found {
            Ok(Found::One(glpi_id)) => AfterLookUp::Settle(Settlement::Delivered { glpi_id }),
            Ok(Found::Several(ids)) => {
                let glpi_id = ids.into_iter().min().unwrap_or_default();
                AfterLookUp::Settle(Settlement::Delivered { glpi_id })
            }
            Ok(Found::Nothing) if entry.lookups == 0 => {
                AfterLookUp::Settle(Settlement::NotFound { due: later(now, self.second_look) })
            }
            Ok(Found::Nothing) if self.is_too_old(entry, now) => {
                let reason = "given up by its age; GLPI does not have it".to_owned();
                AfterLookUp::Settle(Settlement::Parked { reason })
            }
            Ok(Found::Nothing) => AfterLookUp::SendAgain,
            Err(ReadError(reason)) => AfterLookUp::Settle(Settlement::LookupFailed {
                due: later(now, self.pause(entry.attempts, jitter)),
                reason,
            }),
        }
    }

    fn is_too_old(&self, entry: &Entry, now: Timestamp) -> bool {
        self.max_age.is_some_and(|max_age| now.duration_since(entry.accepted_at) > max_age)
    }

    /// When a doubtful request may have been applied: bound to its own sends, never to the present,
    /// so that a row which was in doubt all weekend is still found on Monday.
    fn window(&self, entry: &Entry) -> Window {
        let from = entry.first_send_at.unwrap_or(entry.accepted_at);
        let last = entry.last_send_at.unwrap_or(from);
        Window { from, until: later(last, self.slowest_request) }
    }

    /// Doubles with each attempt up to the longest, then takes its share by chance, so that rows
    /// which failed together don't return together.
    fn pause(&self, attempts: u32, jitter: f64) -> SignedDuration {
        // 2^16 first pauses exceed any sensible longest pause, so the exponent may stop there.
        let doublings = attempts.saturating_sub(1).min(16);
        let pause = self.first_retry.saturating_mul(1 << doublings).min(self.longest_retry);
        SignedDuration::try_from_secs_f64(pause.as_secs_f64() * jitter).unwrap_or(pause)
    }
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ticket::Reference;

    const NOW: i64 = 1_764_000_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millisecond(NOW + seconds * 1000).unwrap()
    }

    fn entry(state: State, attempts: u32, lookups: u32) -> Entry {
        Entry {
            reference: Reference::draw(),
            client: String::new(),
            fingerprint: [0; 32],
            parent: None,
            parent_ticket: None,
            work: None,
            state,
            lease: None,
            attempts,
            doubts: 0,
            lookups,
            accepted_at: at(-100),
            due_at: at(0),
            first_send_at: Some(at(-90)),
            last_send_at: Some(at(-70)),
            settled_at: None,
            glpi_id: None,
            reason: None,
        }
    }

    fn policy() -> Policy {
        Policy {
            first_retry: SignedDuration::from_secs(1),
            longest_retry: SignedDuration::from_secs(60),
            slowest_request: SignedDuration::from_secs(60),
            second_look: SignedDuration::from_secs(10),
            max_age: None,
        }
    }

    #[test]
    fn only_a_row_in_doubt_is_looked_up_and_within_its_own_window() {
        assert_eq!(policy().first_step(&entry(State::Sending, 1, 0)), Step::Send);
        let window = Window { from: at(-90), until: at(-10) };
        assert_eq!(policy().first_step(&entry(State::InDoubt, 1, 0)), Step::LookUp(window));
        // Never sent as far as is known: from when it was recorded.
        let unsent =
            Entry { first_send_at: None, last_send_at: None, ..entry(State::InDoubt, 0, 0) };
        let window = Window { from: at(-100), until: at(-40) };
        assert_eq!(policy().first_step(&unsent), Step::LookUp(window));
    }

    #[test]
    fn each_ending_of_a_send_has_its_settlement() {
        let why = || "why".to_owned();
        for (written, settlement) in [
            (Written::Done(7), Settlement::Delivered { glpi_id: 7 }),
            (Written::Refused(why()), Settlement::Parked { reason: why() }),
            (Written::Unreachable(why()), Settlement::Retry { due: at(1), reason: why() }),
            (Written::Unknown(why()), Settlement::Doubt { due: at(60), reason: why() }),
        ] {
            let sent = entry(State::Sending, 1, 0);
            assert_eq!(policy().after_send(&sent, written, at(0), 1.0), settlement);
        }
    }

    #[test]
    fn each_ending_of_a_look_up_has_its_consequence() {
        let settle = AfterLookUp::Settle;
        let failed = Settlement::LookupFailed { due: at(1), reason: "why".into() };
        for (lookups, found, consequence) in [
            (0, Ok(Found::One(7)), settle(Settlement::Delivered { glpi_id: 7 })),
            (1, Ok(Found::One(7)), settle(Settlement::Delivered { glpi_id: 7 })),
            (0, Ok(Found::Several(vec![9, 7])), settle(Settlement::Delivered { glpi_id: 7 })),
            (0, Ok(Found::Nothing), settle(Settlement::NotFound { due: at(10) })),
            (1, Ok(Found::Nothing), AfterLookUp::SendAgain),
            (0, Err(ReadError("why".into())), settle(failed.clone())),
            (1, Err(ReadError("why".into())), settle(failed)),
        ] {
            let doubtful = entry(State::InDoubt, 1, lookups);
            let decided = policy().after_look_up(&doubtful, found.clone(), at(0), 1.0);
            assert_eq!(decided, consequence, "{lookups} {found:?}");
        }
    }

    #[test]
    fn too_old_a_row_is_parked_only_when_it_is_known_not_to_be_there() {
        let policy = Policy { max_age: Some(SignedDuration::from_secs(50)), ..policy() };
        let parked = |settlement| matches!(settlement, Settlement::Parked { .. });
        let sent = entry(State::Sending, 1, 0);
        let unreachable = policy.after_send(&sent, Written::Unreachable("why".into()), at(0), 1.0);
        assert!(parked(unreachable));
        let unknown = policy.after_send(&sent, Written::Unknown("why".into()), at(0), 1.0);
        assert!(!parked(unknown), "it may be there");
        let look = |lookups| {
            let doubtful = entry(State::InDoubt, 1, lookups);
            policy.after_look_up(&doubtful, Ok(Found::Nothing), at(0), 1.0)
        };
        assert!(matches!(look(0), AfterLookUp::Settle(Settlement::NotFound { .. })));
        assert!(matches!(look(1), AfterLookUp::Settle(Settlement::Parked { .. })));
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_never_vanish() {
        for (attempts, seconds) in
            [(0, 1), (1, 1), (2, 2), (3, 4), (7, 60), (8, 60), (u32::MAX, 60)]
        {
            let pause = policy().pause(attempts, 1.0);
            assert_eq!(pause, SignedDuration::from_secs(seconds), "{attempts}");
            assert_eq!(policy().pause(attempts, 0.5), pause / 2);
        }
    }

    #[test]
    fn the_end_of_time_is_no_panic() {
        let sent = entry(State::Sending, 1, 0);
        let written = Written::Unknown(String::new());
        let settlement = policy().after_send(&sent, written, Timestamp::MAX, 1.0);
        assert_eq!(settlement, Settlement::Doubt { due: Timestamp::MAX, reason: String::new() });
    }
}
