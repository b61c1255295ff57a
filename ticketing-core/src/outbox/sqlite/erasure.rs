//! What is left of rows in SQLite: their words go in time, or when a caller asks for it.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::rows::{entry, execute, execute_on_one};
use crate::{
    outbox::{Entry, Erasure, row},
    ticket::Reference,
};

type Result<T> = rusqlite::Result<T>;

pub(super) const ERASE_SETTLED: &str = "
    UPDATE outbox SET work = NULL WHERE id IN (
        SELECT id FROM outbox INDEXED BY outbox_erasable
        WHERE state IN ('delivered', 'discarded') AND work IS NOT NULL AND settled_at < ?1
        ORDER BY settled_at LIMIT ?2)";

const ERASE: &str = "
    UPDATE outbox SET work = NULL,
        reason = CASE WHEN state IN ('delivered', 'discarded') THEN reason ELSE ?3 END,
        settled_at = CASE WHEN state IN ('delivered', 'discarded') THEN settled_at ELSE ?2 END,
        state = CASE state WHEN 'delivered' THEN 'delivered' ELSE 'discarded' END
    WHERE reference = ?1 AND lease_until IS NULL
        AND (state IN ('delivered', 'discarded', 'parked')
            OR (?4 AND state IN ('waiting', 'in_doubt')))";

// Follow-ups that can no longer be delivered, since their ticket never will be.
pub(super) const ERASE_FOLLOWUPS: &str = "
    UPDATE outbox SET work = NULL,
        reason = CASE state WHEN 'discarded' THEN reason ELSE ?3 END,
        settled_at = CASE state WHEN 'discarded' THEN settled_at ELSE ?2 END,
        state = 'discarded'
    WHERE parent = ?1 AND parent IS NOT NULL AND parent_ticket IS NULL AND lease_until IS NULL
        AND EXISTS (SELECT 1 FROM outbox AS ticket
            WHERE ticket.reference = ?1 AND ticket.state = 'discarded')";

// A notice names its row at the end of its event, after a colon.
pub(super) const ERASE_WAITING_NOTICES: &str = "
    UPDATE notice SET state = 'failed', body = NULL, settled_at = ?2, reason = ?3
    WHERE id IN (SELECT id FROM notice INDEXED BY notice_due
        WHERE state = 'waiting' AND event LIKE '%:' || ?1)";

pub(super) const ERASE_NOTICES_BEING_SENT: &str = "
    UPDATE notice SET body = NULL WHERE id IN (SELECT id FROM notice INDEXED BY notice_lease
        WHERE state = 'sending' AND event LIKE '%:' || ?1)";

const IS_LEASED: &str = "SELECT lease_until IS NOT NULL FROM outbox WHERE reference = ?1";

pub(super) const FOLLOWUPS: &str = "SELECT * FROM outbox WHERE parent = ?1 ORDER BY id";

pub(super) const PARKED_BEFORE: &str = "
    SELECT reference FROM outbox INDEXED BY outbox_parked
    WHERE state = 'parked' AND settled_at < ?1 ORDER BY settled_at LIMIT ?2";

pub(super) const COUNT_PARKED_BEFORE: &str = "
    SELECT COUNT(*) FROM outbox INDEXED BY outbox_parked
    WHERE state = 'parked' AND settled_at < ?1";

/// Erases what callers said from settled rows; returns from how many.
pub(super) fn erase_settled_before(
    connection: &Connection,
    before: Timestamp,
    limit: u32,
) -> Result<u64> {
    let erased = execute(connection, ERASE_SETTLED, params![before.as_millisecond(), limit])?;
    Ok(u64::try_from(erased).unwrap_or(u64::MAX))
}

/// Gives parked rows up and erases them; returns how many.
pub(super) fn erase_parked_before(
    connection: &Connection,
    before: Timestamp,
    limit: u32,
    now: Timestamp,
) -> Result<u64> {
    let parked: Vec<String> = connection
        .prepare_cached(PARKED_BEFORE)?
        .query_map(params![before.as_millisecond(), limit], |row| row.get(0))?
        .collect::<Result<_>>()?;
    let mut erased = 0;
    for reference in parked {
        erased += u64::from(erase_row(connection, &reference, row::EXPIRED, false, now)?);
    }
    Ok(erased)
}

/// How many rows were parked before then.
pub(super) fn count_parked_before(connection: &Connection, before: Timestamp) -> Result<u64> {
    let count: i64 = connection
        .prepare_cached(COUNT_PARKED_BEFORE)?
        .query_row([before.as_millisecond()], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Erases one row; see [`Outbox::erase`](crate::outbox::Outbox::erase).
pub(super) fn erase(
    connection: &Connection,
    reference: &Reference,
    also_open: bool,
    now: Timestamp,
) -> Result<Erasure> {
    if erase_row(connection, reference.as_str(), row::ERASED, also_open, now)? {
        return Ok(Erasure::Erased);
    }
    let leased: Option<bool> = connection
        .prepare_cached(IS_LEASED)?
        .query_row([reference.as_str()], |row| row.get(0))
        .optional()?;
    Ok(match leased {
        None => Erasure::Unknown,
        Some(true) => Erasure::BeingSent,
        Some(false) => Erasure::StillOpen,
    })
}

fn erase_row(
    connection: &Connection,
    reference: &str,
    reason: &str,
    also_open: bool,
    now: Timestamp,
) -> Result<bool> {
    let now = now.as_millisecond();
    if !execute_on_one(connection, ERASE, params![reference, now, reason, also_open])? {
        return Ok(false);
    }
    execute(connection, ERASE_FOLLOWUPS, params![reference, now, reason])?;
    execute(connection, ERASE_WAITING_NOTICES, params![reference, now, reason])?;
    execute(connection, ERASE_NOTICES_BEING_SENT, [reference])?;
    Ok(true)
}

/// A ticket's follow-ups, in the order of recording.
pub(super) fn followups(connection: &Connection, reference: &Reference) -> Result<Vec<Entry>> {
    let mut statement = connection.prepare_cached(FOLLOWUPS)?;
    statement.query_map([reference.as_str()], entry)?.collect()
}
