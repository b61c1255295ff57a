//! Rows in SQLite: recorded, read, and handled by operators.
//!
//! Every function is one operation of the outbox on a connection, without a transaction of its
//! own: the [`writer`](super::writer) puts many into one, a simulation steps them.

use jiff::Timestamp;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, params, types::Type};

use crate::{
    outbox::{Draft, Entry, Filter, Inserted, Lease, State, Stats, row},
    ticket::Reference,
};

type Result<T> = rusqlite::Result<T>;

pub(super) const FIND_BY_KEY: &str = "SELECT * FROM outbox WHERE client = ?1 AND key_digest = ?2";

const FORGET_KEY: &str = "
    UPDATE outbox SET key_digest = NULL, key_until = NULL WHERE client = ?1 AND key_digest = ?2";

// Only delivered rows have a `glpi_id`.
const TICKET_OF: &str = "SELECT glpi_id, state = 'discarded' FROM outbox WHERE reference = ?1";

const INSERT: &str = "
    INSERT INTO outbox (
        reference, client, key_digest, key_until, fingerprint, parent, parent_ticket, work, state,
        lease_token, lease_until, attempts, doubts, lookups, accepted_at, due_at, first_send_at,
        last_send_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 0, 0, ?13, ?13, ?14, ?14)
    ON CONFLICT (reference) DO NOTHING";

const FIND: &str = "SELECT * FROM outbox WHERE reference = ?1";

pub(super) const FIND_DELIVERED: &str = "
    SELECT * FROM outbox WHERE glpi_id = ?1 AND state = 'delivered' AND parent IS NULL
    ORDER BY id LIMIT 1";

const ID_OF: &str = "SELECT id FROM outbox WHERE reference = ?1";

const LIST: &str = "
    SELECT * FROM outbox WHERE id > ?1 AND accepted_at < ?2 ORDER BY id LIMIT ?3";

pub(super) const LIST_IN_STATE: &str = "
    SELECT * FROM outbox WHERE state = ?4 AND id > ?1 AND accepted_at < ?2 ORDER BY id LIMIT ?3";

pub(crate) const COUNT_BY_STATE: &str = "SELECT state, COUNT(*) FROM outbox GROUP BY state";

pub(super) const COUNT_LEFT: &str = "
    SELECT state, COUNT(*) FROM outbox
    WHERE state IN ('waiting', 'sending', 'in_doubt', 'parked') GROUP BY state";

const OLDEST_PARKED: &str = "SELECT MIN(settled_at) FROM outbox WHERE state = 'parked'";

pub(super) const OLDEST_OPEN: &str = "
    SELECT accepted_at FROM outbox WHERE id = (
        SELECT MIN(id) FROM (
            SELECT MIN(id) AS id FROM outbox WHERE state = 'waiting'
            UNION ALL SELECT MIN(id) FROM outbox WHERE state = 'sending'
            UNION ALL SELECT MIN(id) FROM outbox WHERE state = 'in_doubt'))";

// A refused send is not open to doubt: its times are forgotten, as when it is retried by itself.
const RETRY: &str = "
    UPDATE outbox SET
        state = CASE WHEN state = 'parked' AND doubts = 0 THEN 'waiting'
                     WHEN state = 'parked' THEN 'in_doubt'
                     ELSE state END,
        lookups = CASE state WHEN 'parked' THEN 0 ELSE lookups END,
        first_send_at = CASE doubts WHEN 0 THEN NULL ELSE first_send_at END,
        last_send_at = CASE doubts WHEN 0 THEN NULL ELSE last_send_at END,
        due_at = ?2, settled_at = NULL
    WHERE reference = ?1 AND state IN ('waiting', 'in_doubt', 'parked') AND lease_until IS NULL";

const DISCARD: &str = "
    UPDATE outbox SET state = 'discarded', settled_at = ?2
    WHERE reference = ?1 AND state IN ('waiting', 'in_doubt', 'parked') AND lease_until IS NULL";

// Without their ticket they could never be delivered. Until it is, they have no `parent_ticket`.
pub(super) const DISCARD_FOLLOWUPS: &str = "
    UPDATE outbox SET state = 'discarded', settled_at = ?2
    WHERE parent = ?1 AND parent IS NOT NULL AND parent_ticket IS NULL
        AND state IN ('waiting', 'in_doubt', 'parked') AND lease_until IS NULL";

/// Records a request; see [`Outbox::insert`](crate::outbox::Outbox::insert).
pub(crate) fn insert(
    connection: &Connection,
    draft: Draft,
    lease: Option<Lease>,
    now: Timestamp,
) -> Result<Inserted> {
    if let Some(key) = &draft.key {
        let named = connection
            .prepare_cached(FIND_BY_KEY)?
            .query_row(params![draft.client, key.digest], |row| {
                let until: Option<i64> = row.get("key_until")?;
                Ok((entry(row)?, until.map(row::moment)))
            })
            .optional()?;
        match named {
            Some((_, Some(until))) if until <= now => {
                execute(connection, FORGET_KEY, params![draft.client, key.digest])?;
            }
            Some((entry, _)) => return Ok(Inserted::Existing(entry)),
            None => {}
        }
    }
    let (parent_ticket, parent_discarded) = match &draft.parent {
        None => (None, false),
        Some(parent) => connection
            .prepare_cached(TICKET_OF)?
            .query_row([parent.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?
            .unwrap_or_default(),
    };
    if parent_discarded {
        return Ok(Inserted::ParentDiscarded);
    }
    let work = row::encode(&draft.work).map_err(unstorable)?;
    let key = draft.key;
    let entry = row::fresh(draft, lease, parent_ticket, now);
    let inserted = connection.prepare_cached(INSERT)?.execute(params![
        entry.reference.as_str(),
        entry.client,
        key.map(|key| key.digest),
        key.and_then(|key| row::key_until(&key, now)),
        entry.fingerprint,
        entry.parent.as_ref().map(Reference::as_str),
        entry.parent_ticket,
        work,
        entry.state.as_str(),
        lease.map(|lease| lease.token),
        lease.map(|lease| lease.until.as_millisecond()),
        entry.attempts,
        now.as_millisecond(),
        entry.last_send_at.map(Timestamp::as_millisecond),
    ])?;
    Ok(if inserted == 1 { Inserted::New(entry) } else { Inserted::ReferenceTaken })
}

/// The row of that reference.
pub(crate) fn find(connection: &Connection, reference: &Reference) -> Result<Option<Entry>> {
    connection.prepare_cached(FIND)?.query_row([reference.as_str()], entry).optional()
}

/// The ticket row delivered under that GLPI number.
pub(crate) fn find_delivered(connection: &Connection, ticket: u32) -> Result<Option<Entry>> {
    connection.prepare_cached(FIND_DELIVERED)?.query_row([ticket], entry).optional()
}

/// Rows in the order of recording. Those that cannot be read are left out and logged.
pub(crate) fn list(connection: &Connection, filter: &Filter) -> Result<Vec<Entry>> {
    let after = match &filter.after {
        None => 0,
        Some(reference) => {
            let id: Option<i64> = connection
                .prepare_cached(ID_OF)?
                .query_row([reference.as_str()], |row| row.get(0))
                .optional()?;
            let Some(id) = id else { return Ok(Vec::new()) };
            id
        }
    };
    let before = filter.accepted_before.map_or(i64::MAX, Timestamp::as_millisecond);
    match filter.state {
        None => readable(connection.prepare_cached(LIST)?, params![after, before, filter.limit]),
        Some(state) => readable(
            connection.prepare_cached(LIST_IN_STATE)?,
            params![after, before, filter.limit, state.as_str()],
        ),
    }
}

/// How the outbox stands, by one of the statements that count.
pub(crate) fn stats(connection: &Connection, count: &str) -> Result<Stats> {
    let mut stats = Stats::default();
    let mut statement = connection.prepare_cached(count)?;
    let mut counts = statement.query([])?;
    while let Some(row) = counts.next()? {
        let (name, count): (String, i64) = (row.get(0)?, row.get(1)?);
        if let Some(place) = State::ALL.iter().position(|state| state.as_str() == name) {
            stats.rows[place] = u64::try_from(count).unwrap_or_default();
        }
    }
    let oldest: Option<i64> =
        connection.prepare_cached(OLDEST_OPEN)?.query_row([], |row| row.get(0)).optional()?;
    stats.oldest_open = oldest.map(row::moment);
    let parked: Option<i64> =
        connection.prepare_cached(OLDEST_PARKED)?.query_row([], |row| row.get(0))?;
    stats.oldest_parked = parked.map(row::moment);
    Ok(stats)
}

/// Makes a row due now; see [`Outbox::retry`](crate::outbox::Outbox::retry).
pub(crate) fn retry(
    connection: &Connection,
    reference: &Reference,
    now: Timestamp,
) -> Result<bool> {
    execute_on_one(connection, RETRY, params![reference.as_str(), now.as_millisecond()])
}

/// Gives a row up, and its follow-ups with it; see
/// [`Outbox::discard`](crate::outbox::Outbox::discard).
pub(crate) fn discard(
    connection: &Connection,
    reference: &Reference,
    now: Timestamp,
) -> Result<bool> {
    let values = params![reference.as_str(), now.as_millisecond()];
    let discarded = execute_on_one(connection, DISCARD, values)?;
    if discarded {
        execute(connection, DISCARD_FOLLOWUPS, values)?;
    }
    Ok(discarded)
}

/// Runs a cached statement; returns how many rows it changed.
pub(super) fn execute(
    connection: &Connection,
    statement: &str,
    values: impl rusqlite::Params,
) -> Result<usize> {
    connection.prepare_cached(statement)?.execute(values)
}

/// Runs a statement that may change one row; says whether it did.
pub(super) fn execute_on_one(
    connection: &Connection,
    statement: &str,
    values: impl rusqlite::Params,
) -> Result<bool> {
    Ok(execute(connection, statement, values)? == 1)
}

fn readable(
    mut statement: CachedStatement<'_>,
    values: impl rusqlite::Params,
) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut rows = statement.query(values)?;
    while let Some(row) = rows.next()? {
        match entry(row) {
            Ok(entry) => entries.push(entry),
            Err(error) => {
                let id: i64 = row.get("id")?;
                tracing::error!(id, %error, "a row of the outbox cannot be read");
            }
        }
    }
    Ok(entries)
}

/// A row as read. What was to be written may be unreadable: then it is `None`.
pub(super) fn entry(row: &Row<'_>) -> Result<Entry> {
    let state: String = row.get("state")?;
    let state = State::from_name(&state).ok_or_else(|| unreadable("state"))?;
    let token: Option<i64> = row.get("lease_token")?;
    let until: Option<i64> = row.get("lease_until")?;
    let lease = token.zip(until).map(|(token, until)| Lease { token, until: row::moment(until) });
    let parent: Option<String> = row.get("parent")?;
    Ok(Entry {
        reference: reference(&row.get::<_, String>("reference")?)?,
        client: row.get("client")?,
        fingerprint: row.get("fingerprint")?,
        parent: parent.as_deref().map(reference).transpose()?,
        parent_ticket: row.get("parent_ticket")?,
        work: row::decode(row.get_ref("work")?.as_str().ok()),
        state,
        lease,
        attempts: row.get("attempts")?,
        doubts: row.get("doubts")?,
        lookups: row.get("lookups")?,
        accepted_at: row::moment(row.get("accepted_at")?),
        due_at: row::moment(row.get("due_at")?),
        first_send_at: row.get::<_, Option<i64>>("first_send_at")?.map(row::moment),
        last_send_at: row.get::<_, Option<i64>>("last_send_at")?.map(row::moment),
        settled_at: row.get::<_, Option<i64>>("settled_at")?.map(row::moment),
        glpi_id: row.get("glpi_id")?,
        reason: row.get("reason")?,
    })
}

fn reference(text: &str) -> Result<Reference> {
    Reference::parse(text).map_err(|_not_one| unreadable("reference"))
}

fn unreadable(column: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, format!("odd {column}").into())
}

fn unstorable(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}
