//! Rows in SQLite, worked on by couriers. Each statement names state and lease token, so that a
//! courier whose lease was taken changes nothing.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::rows::{entry, execute, execute_on_one};
use crate::{
    outbox::{Claim, Entry, Settlement, row, turns::Turns},
    ticket::Reference,
};

type Result<T> = rusqlite::Result<T>;

pub(super) const EXPIRE: &str = "
    UPDATE outbox SET
        doubts = doubts + (state = 'sending'),
        lookups = CASE state WHEN 'sending' THEN 0 ELSE lookups END,
        due_at = CASE state WHEN 'sending' THEN COALESCE(last_send_at, accepted_at) + ?2
                            ELSE due_at END,
        reason = CASE state WHEN 'sending' THEN ?3 ELSE reason END,
        state = 'in_doubt', lease_token = NULL, lease_until = NULL
    WHERE lease_until <= ?1";

// Beside `due_at`, a row in doubt waits from its last send on: an operator's retry makes it due,
// but cannot make GLPI finish sooner.
pub(super) const CLAIM: &str = "
    UPDATE outbox SET
        attempts = attempts + (state = 'waiting'),
        first_send_at = CASE state WHEN 'waiting' THEN COALESCE(first_send_at, ?1)
                                   ELSE first_send_at END,
        last_send_at = CASE state WHEN 'waiting' THEN ?1 ELSE last_send_at END,
        state = CASE state WHEN 'waiting' THEN 'sending' ELSE state END,
        lease_token = ?2, lease_until = ?3
    WHERE id IN (
        SELECT id FROM outbox INDEXED BY outbox_due_by_client
        WHERE state IN ('waiting', 'in_doubt') AND lease_until IS NULL
            AND (parent IS NULL OR parent_ticket IS NOT NULL)
            AND client = ?6 AND due_at <= ?1
            AND (state = 'waiting' OR COALESCE(last_send_at, accepted_at) <= ?4)
        ORDER BY due_at, id LIMIT ?5)
    RETURNING *";

// Hops from client to client, and reads one index entry of each.
pub(super) const NEXT_CLIENT: &str = "
    SELECT client FROM outbox INDEXED BY outbox_due_by_client
    WHERE state IN ('waiting', 'in_doubt') AND lease_until IS NULL
        AND (parent IS NULL OR parent_ticket IS NOT NULL)
        AND client > ?1
    ORDER BY client LIMIT 1";

pub(super) const NO_CLIENT: &str = "
    SELECT client FROM outbox INDEXED BY outbox_due_by_client
    WHERE state IN ('waiting', 'in_doubt') AND lease_until IS NULL
        AND (parent IS NULL OR parent_ticket IS NOT NULL)
        AND client = ''
    LIMIT 1";

const PARK_DAMAGED: &str = "
    UPDATE outbox SET state = 'parked', settled_at = ?2, reason = ?3,
        lease_token = NULL, lease_until = NULL
    WHERE id = ?1";

const BEGIN_SEND: &str = "
    UPDATE outbox SET state = 'sending', attempts = attempts + 1, last_send_at = ?3
    WHERE reference = ?1 AND lease_token = ?2 AND state = 'in_doubt'";

const DELIVER: &str = "
    UPDATE outbox SET state = 'delivered', glpi_id = ?3, settled_at = ?4, reason = NULL,
        lease_token = NULL, lease_until = NULL
    WHERE reference = ?1 AND lease_token = ?2 AND state IN ('sending', 'in_doubt')";

pub(super) const TELL_FOLLOWUPS: &str = "
    UPDATE outbox SET parent_ticket = ?2
    WHERE parent = ?1 AND parent IS NOT NULL AND parent_ticket IS NULL";

const SEND_LATER: &str = "
    UPDATE outbox SET state = 'waiting', due_at = ?3, reason = ?4,
        first_send_at = CASE doubts WHEN 0 THEN NULL ELSE first_send_at END,
        last_send_at = CASE doubts WHEN 0 THEN NULL ELSE last_send_at END,
        lease_token = NULL, lease_until = NULL
    WHERE reference = ?1 AND lease_token = ?2 AND state = 'sending'";

const DOUBT: &str = "
    UPDATE outbox SET state = 'in_doubt', doubts = doubts + 1, lookups = 0, due_at = ?3,
        reason = ?4, lease_token = NULL, lease_until = NULL
    WHERE reference = ?1 AND lease_token = ?2 AND state = 'sending'";

const NOT_FOUND: &str = "
    UPDATE outbox SET lookups = lookups + 1, due_at = ?3, lease_token = NULL, lease_until = NULL
    WHERE reference = ?1 AND lease_token = ?2 AND state = 'in_doubt'";

const LOOK_UP_LATER: &str = "
    UPDATE outbox SET due_at = ?3, reason = ?4, lease_token = NULL, lease_until = NULL
    WHERE reference = ?1 AND lease_token = ?2 AND state = 'in_doubt'";

const PARK: &str = "
    UPDATE outbox SET state = 'parked', settled_at = ?3, reason = ?4,
        lease_token = NULL, lease_until = NULL
    WHERE reference = ?1 AND lease_token = ?2 AND state IN ('sending', 'in_doubt')";

const RELEASE: &str = "
    UPDATE outbox SET
        attempts = attempts - (state = 'sending'),
        first_send_at = CASE WHEN state = 'sending' AND doubts = 0 THEN NULL
                             ELSE first_send_at END,
        last_send_at = CASE WHEN state = 'sending' AND doubts = 0 THEN NULL
                            ELSE last_send_at END,
        state = CASE state WHEN 'sending' THEN 'waiting' ELSE state END,
        due_at = ?3, lease_token = NULL, lease_until = NULL
    WHERE reference = ?1 AND lease_token = ?2 AND state IN ('sending', 'in_doubt')";

// Two reads of one index entry each.
pub(super) const NEXT_DUE: &str = "
    SELECT MIN(at) FROM (
        SELECT at FROM (
            SELECT due_at AS at FROM outbox INDEXED BY outbox_due
            WHERE state IN ('waiting', 'in_doubt') AND lease_until IS NULL
                AND (parent IS NULL OR parent_ticket IS NOT NULL)
            ORDER BY due_at, id LIMIT 1)
        UNION ALL SELECT MIN(lease_until) FROM outbox WHERE lease_until IS NOT NULL)";

const EXPIRE_ALL: &str = "UPDATE outbox SET lease_until = ?1 WHERE lease_until > ?1";

/// Takes rows to work on; see [`Outbox::claim`](crate::outbox::Outbox::claim). Rows that cannot be
/// decoded are parked, so that they hide none behind them.
pub(crate) fn claim(connection: &Connection, claim: &Claim) -> Result<Vec<Entry>> {
    let now = claim.now.as_millisecond();
    let wait = row::milliseconds(claim.doubt_wait);
    execute(connection, EXPIRE, params![now, wait, row::ABANDONED])?;

    let mut entries = Vec::new();
    let mut damaged: Vec<i64> = Vec::new();
    let mut turns = Turns::new(clients(connection)?, claim.limit, claim.lease.token);
    let mut statement = connection.prepare_cached(CLAIM)?;
    while let Some((client, share)) = turns.next() {
        let mut taken = statement.query(params![
            now,
            claim.lease.token,
            claim.lease.until.as_millisecond(),
            row::sent_before(claim.now, claim.doubt_wait),
            share,
            client,
        ])?;
        let mut rows = 0;
        while let Some(row) = taken.next()? {
            rows += 1;
            let id = row.get("id")?;
            match entry(row) {
                Ok(entry) if entry.work.is_some() => entries.push((entry.due_at, id, entry)),
                Ok(_) | Err(_) => damaged.push(id),
            }
        }
        drop(taken);
        turns.had(rows, share);
    }
    for id in damaged {
        tracing::error!(id, "a row of the outbox is damaged; parked");
        execute(connection, PARK_DAMAGED, params![id, now, row::DAMAGED])?;
    }
    // RETURNING promises no order.
    entries.sort_unstable_by_key(|(due_at, id, _)| (*due_at, *id));
    Ok(entries.into_iter().map(|(_, _, entry)| entry).collect())
}

/// Clients with rows that may be taken, due or not.
fn clients(connection: &Connection) -> Result<Vec<String>> {
    let mut no_client = connection.prepare_cached(NO_CLIENT)?;
    let mut clients: Vec<String> =
        no_client.query_map([], |row| row.get(0))?.collect::<Result<_>>()?;
    let mut statement = connection.prepare_cached(NEXT_CLIENT)?;
    loop {
        let last = clients.last().map_or("", String::as_str);
        match statement.query_row([last], |row| row.get(0)).optional()? {
            Some(client) => clients.push(client),
            None => return Ok(clients),
        }
    }
}

/// Turns a leased row in doubt into SENDING; `false`: the lease is no longer ours.
pub(crate) fn begin_send(
    connection: &Connection,
    reference: &Reference,
    token: i64,
    now: Timestamp,
) -> Result<bool> {
    let values = params![reference.as_str(), token, now.as_millisecond()];
    execute_on_one(connection, BEGIN_SEND, values)
}

/// Records how the work ended; `false`: the lease was no longer ours.
pub(crate) fn settle(
    connection: &Connection,
    reference: &Reference,
    token: i64,
    settlement: Settlement,
    now: Timestamp,
) -> Result<bool> {
    let (name, now) = (reference.as_str(), now.as_millisecond());
    match settlement {
        Settlement::Delivered { glpi_id } => {
            let ours = execute_on_one(connection, DELIVER, params![name, token, glpi_id, now])?;
            if ours {
                execute(connection, TELL_FOLLOWUPS, params![name, glpi_id])?;
            }
            Ok(ours)
        }
        Settlement::Retry { due, reason } => {
            let values = params![name, token, due.as_millisecond(), row::storable(&reason)];
            execute_on_one(connection, SEND_LATER, values)
        }
        Settlement::Doubt { due, reason } => {
            let values = params![name, token, due.as_millisecond(), row::storable(&reason)];
            execute_on_one(connection, DOUBT, values)
        }
        Settlement::NotFound { due } => {
            execute_on_one(connection, NOT_FOUND, params![name, token, due.as_millisecond()])
        }
        Settlement::LookupFailed { due, reason } => {
            let values = params![name, token, due.as_millisecond(), row::storable(&reason)];
            execute_on_one(connection, LOOK_UP_LATER, values)
        }
        Settlement::Parked { reason } => {
            execute_on_one(connection, PARK, params![name, token, now, row::storable(&reason)])
        }
        Settlement::Released => execute_on_one(connection, RELEASE, params![name, token, now]),
    }
}

/// When the next row will be due or its lease expire.
pub(crate) fn next_due(connection: &Connection) -> Result<Option<Timestamp>> {
    let at: Option<Option<i64>> =
        connection.prepare_cached(NEXT_DUE)?.query_row([], |row| row.get(0)).optional()?;
    Ok(at.flatten().map(row::moment))
}

/// Ends every lease now; the next claim treats them as expired.
pub(crate) fn expire_leases(connection: &Connection, now: Timestamp) -> Result<()> {
    execute(connection, EXPIRE_ALL, [now.as_millisecond()])?;
    Ok(())
}
