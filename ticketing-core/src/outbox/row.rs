//! What both stores have in common: how a row begins, and how it is told in values that any
//! database keeps.

use std::error::Error;

use jiff::{SignedDuration, Timestamp};

use super::{Draft, Entry, Key, Lease, State, StoreError, Work};

/// Why a row whose lease expired is in doubt.
pub(crate) const ABANDONED: &str = "whoever sent it stopped before recording how that ended";

/// Why a row that cannot be decoded is parked. Never what it holds: that is personal data.
pub(crate) const DAMAGED: &str = "the row is damaged: what was to be sent cannot be read";

/// Why a row was given up because its caller asked for it.
pub(crate) const ERASED: &str = "erased at the caller's request";

/// Why a row of a store that went back in time is in doubt.
pub(crate) const RESTORED: &str =
    "the store was restored from a copy: it may have been delivered since";

/// When rows of a store that went back in time are looked up: GLPI may still be working on what
/// was sent right before. If it may work longer, the claim waits longer.
pub(crate) fn due_after_restore(now: Timestamp) -> i64 {
    now.saturating_add(SignedDuration::from_secs(60)).unwrap_or(Timestamp::MAX).as_millisecond()
}

/// Why a parked row was given up by its age.
pub(crate) const EXPIRED: &str = "given up: it was parked for as long as parked requests are kept";

/// The row that a draft becomes.
pub(crate) fn fresh(
    draft: Draft,
    lease: Option<Lease>,
    parent_ticket: Option<u32>,
    now: Timestamp,
) -> Entry {
    let sent_at = lease.map(|_| now);
    Entry {
        reference: draft.reference,
        client: draft.client,
        fingerprint: draft.fingerprint,
        parent: draft.parent,
        parent_ticket,
        work: Some(draft.work),
        state: if lease.is_some() { State::Sending } else { State::Waiting },
        lease,
        attempts: u32::from(lease.is_some()),
        doubts: 0,
        lookups: 0,
        accepted_at: now,
        due_at: now,
        first_send_at: sent_at,
        last_send_at: sent_at,
        settled_at: None,
        glpi_id: None,
        reason: None,
    }
}

/// When a key used now may name another request; `None` for never.
pub(crate) fn key_until(key: &Key, now: Timestamp) -> Option<i64> {
    let window = key.window?;
    Some(now.saturating_add(window).unwrap_or(Timestamp::MAX).as_millisecond())
}

/// What to write, as both databases keep it. JSON escapes NUL, which PostgreSQL refuses in texts.
pub(crate) fn encode(work: &Work) -> Result<String, serde_json::Error> {
    serde_json::to_string(work)
}

/// What to write; `None` if it was erased or cannot be read.
pub(crate) fn decode(json: Option<&str>) -> Option<Work> {
    serde_json::from_str(json?).ok()
}

/// A reason as both databases keep it. GLPI wrote part of it, and a NUL from there must not keep
/// the row from being settled.
pub(crate) fn storable(reason: &str) -> String {
    reason.replace('\0', " ")
}

/// A moment as stored. Out of range it is the end of time: such a row is damaged, and never due.
pub(crate) fn moment(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::MAX)
}

/// The last moment at which a request may have been sent that is old enough to be looked up.
pub(crate) fn sent_before(now: Timestamp, doubt_wait: SignedDuration) -> i64 {
    now.saturating_sub(doubt_wait).unwrap_or(Timestamp::MIN).as_millisecond()
}

/// A span as stored; at most a thousand years, so that adding it to a moment cannot overflow.
pub(crate) fn milliseconds(span: SignedDuration) -> i64 {
    const MOST: i64 = 1000 * 365 * 24 * 60 * 60 * 1000;
    i64::try_from(span.as_millis()).map_or(MOST, |milliseconds| milliseconds.clamp(0, MOST))
}

/// The store failed, for this reason.
pub(crate) fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
    StoreError::Unavailable(cause.into())
}
