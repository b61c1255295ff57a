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
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            first_retry: SignedDuration::from_secs(1),
            longest_retry: SignedDuration::from_secs(60),
            slowest_request: SignedDuration::from_secs(60),
            second_look: SignedDuration::from_secs(10),
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
            Ok(Found::Nothing) => AfterLookUp::SendAgain,
            Err(ReadError(reason)) => AfterLookUp::Settle(Settlement::LookupFailed {
                due: later(now, self.pause(entry.attempts, jitter)),
                reason,
            }),
        }
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
