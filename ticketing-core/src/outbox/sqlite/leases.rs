//! Rows in SQLite, worked on by couriers. Each statement names state and lease token, so that a
//! courier whose lease was taken changes nothing.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::rows::{entry, execute, execute_on_one};
use crate::{
    outbox::{
        Claim, Entry, Settlement, row,
        turns::{BEGINNING, Mark, Turn, Turns, in_turn},
    },
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
pub(super) const DUE: &str = "
    SELECT id, due_at FROM outbox INDEXED BY outbox_due_by_client
    WHERE state IN ('waiting', 'in_doubt') AND lease_until IS NULL
        AND (parent IS NULL OR parent_ticket IS NOT NULL)
        AND client = ?1 AND due_at <= ?2
        AND (state = 'waiting' OR COALESCE(last_send_at, accepted_at) <= ?3)
    ORDER BY due_at, id LIMIT ?4";

const TAKE: &str = "
    UPDATE outbox SET
        attempts = attempts + (state = 'waiting'),
        first_send_at = CASE state WHEN 'waiting' THEN COALESCE(first_send_at, ?1)
                                   ELSE first_send_at END,
        last_send_at = CASE state WHEN 'waiting' THEN ?1 ELSE last_send_at END,
        state = CASE state WHEN 'waiting' THEN 'sending' ELSE state END,
        lease_token = ?2, lease_until = ?3
    WHERE id = ?4
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
pub(crate) fn claim(
    connection: &Connection,
    turns: &mut Turns,
    claim: &Claim,
) -> Result<Vec<Entry>> {
    let now = claim.now.as_millisecond();
    let wait = row::milliseconds(claim.doubt_wait);
    execute(connection, EXPIRE, params![now, wait, row::ABANDONED])?;
    let mut looked = turns.must_look(claim.now);
    if looked {
        look(connection, turns, claim)?;
    }

    let limit = claim.limit as usize;
    let mut taken = Vec::new();
    while taken.len() < limit {
        let missing = limit - taken.len();
        let asked = turns.next(missing);
        if asked.is_empty() {
            if looked {
                break;
            }
            looked = true;
            look(connection, turns, claim)?;
            continue;
        }
        let most = Turns::most_each(&asked, missing);
        let queues: Result<Vec<_>> =
            asked.iter().map(|turn| due(connection, &turn.client, claim, most)).collect();
        let given = in_turn(queues?, missing);
        for (_, (_, id)) in &given {
            taken.push(take(connection, *id, claim)?);
        }
        turns.took(&asked, missing, &given);
    }
    Ok(taken.into_iter().flatten().collect())
}

fn look(connection: &Connection, turns: &mut Turns, claim: &Claim) -> Result<()> {
    let clients = clients(connection)?.into_iter();
    turns.looked(clients.map(|client| Turn { client, after: BEGINNING }).collect(), claim.now);
    Ok(())
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

/// A client's due rows that nobody works on, at most so many.
fn due(
    connection: &Connection,
    client: &str,
    claim: &Claim,
    most: usize,
) -> Result<Vec<(String, Mark)>> {
    let mut statement = connection.prepare_cached(DUE)?;
    let sent_before = row::sent_before(claim.now, claim.doubt_wait);
    let most = u32::try_from(most).unwrap_or(u32::MAX);
    let values = params![client, claim.now.as_millisecond(), sent_before, most];
    let rows = statement.query_map(values, |row| {
        let (id, due_at) = (row.get(0)?, row.get(1)?);
        Ok((client.to_owned(), (due_at, id)))
    })?;
    rows.collect()
}

/// Puts a row under the claim's lease. `None`: it is damaged and was parked.
fn take(connection: &Connection, id: i64, claim: &Claim) -> Result<Option<Entry>> {
    let now = claim.now.as_millisecond();
    let values = params![now, claim.lease.token, claim.lease.until.as_millisecond(), id];
    let taken = connection.prepare_cached(TAKE)?.query_row(values, |row| Ok(entry(row).ok()))?;
    let sound = taken.filter(|entry| entry.work.is_some());
    if sound.is_none() {
        tracing::error!(id, "a row of the outbox is damaged; parked");
        execute(connection, PARK_DAMAGED, params![id, now, row::DAMAGED])?;
    }
    Ok(sound)
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
