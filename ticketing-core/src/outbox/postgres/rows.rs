//! Rows in PostgreSQL: recorded, read, and handled by operators.

use deadpool_postgres::Client;
use jiff::Timestamp;
use tokio_postgres::Row;

use super::statements::{Result, Values, execute, execute_both, query, query_opt};
use crate::{
    outbox::{Draft, Entry, Filter, Inserted, Key, Lease, State, Stats, row},
    ticket::Reference,
};

/// How often a passed key may be taken over by somebody else in between.
const MOST_TAKEOVERS: usize = 5;

// The parent is locked against its delivery, and against being given up: either that comes first
// and is seen here, or it waits and then sees this row. Only delivered rows have a `glpi_id`.
const INSERT: &str = "
    WITH parent AS MATERIALIZED (
        SELECT glpi_id, state FROM outbox WHERE reference = $6 FOR SHARE)
    INSERT INTO outbox (
        reference, client, key_digest, key_until, fingerprint, parent, parent_ticket, work, state,
        lease_token, lease_until, attempts, doubts, lookups, accepted_at, due_at, first_send_at,
        last_send_at)
    SELECT $1, $2, $3, $4, $5, $6, (SELECT glpi_id FROM parent),
        $7, $8, $9, $10, $11, 0, 0, $12, $12, $13, $13
    WHERE NOT EXISTS (SELECT FROM parent WHERE state = 'discarded')
    ON CONFLICT DO NOTHING
    RETURNING parent_ticket";

const FIND_BY_KEY: &str = "SELECT * FROM outbox WHERE client = $1 AND key_digest = $2";

const FORGET_KEY: &str = "
    UPDATE outbox SET key_digest = NULL, key_until = NULL
    WHERE client = $1 AND key_digest = $2 AND key_until <= $3";

const FIND: &str = "SELECT * FROM outbox WHERE reference = $1";

const FIND_DELIVERED: &str = "
    SELECT * FROM outbox WHERE glpi_id = $1 AND state = 'delivered' AND parent IS NULL
    ORDER BY id LIMIT 1";

const ID_OF: &str = "SELECT id FROM outbox WHERE reference = $1";

const LIST: &str = "
    SELECT * FROM outbox WHERE id > $1 AND accepted_at < $2 ORDER BY id LIMIT $3";

const LIST_IN_STATE: &str = "
    SELECT * FROM outbox WHERE state = $4 AND id > $1 AND accepted_at < $2 ORDER BY id LIMIT $3";

pub(super) const COUNT_BY_STATE: &str = "SELECT state, COUNT(*) FROM outbox GROUP BY state";

pub(super) const COUNT_LEFT: &str = "
    SELECT state, COUNT(*) FROM outbox
    WHERE state IN ('waiting', 'sending', 'in_doubt', 'parked') GROUP BY state";

const OLDEST_PARKED: &str = "SELECT MIN(settled_at) FROM outbox WHERE state = 'parked'";

const OLDEST_OPEN: &str = "
    SELECT accepted_at FROM outbox WHERE id = LEAST(
        (SELECT MIN(id) FROM outbox WHERE state = 'waiting'),
        (SELECT MIN(id) FROM outbox WHERE state = 'sending'),
        (SELECT MIN(id) FROM outbox WHERE state = 'in_doubt'))";

// A refused send is not open to doubt: its times are forgotten, as when it is retried by itself.
const RETRY: &str = "
    UPDATE outbox SET
        state = CASE WHEN state = 'parked' AND doubts = 0 THEN 'waiting'
                     WHEN state = 'parked' THEN 'in_doubt'
                     ELSE state END,
        lookups = CASE state WHEN 'parked' THEN 0 ELSE lookups END,
        first_send_at = CASE doubts WHEN 0 THEN NULL ELSE first_send_at END,
        last_send_at = CASE doubts WHEN 0 THEN NULL ELSE last_send_at END,
        due_at = $2, settled_at = NULL
    WHERE reference = $1 AND state IN ('waiting', 'in_doubt', 'parked') AND lease_until IS NULL";

const DISCARD: &str = "
    UPDATE outbox SET state = 'discarded', settled_at = $2
    WHERE reference = $1 AND state IN ('waiting', 'in_doubt', 'parked') AND lease_until IS NULL";

// Without their ticket they could never be delivered. Until it is, they have no `parent_ticket`.
const DISCARD_FOLLOWUPS: &str = "
    UPDATE outbox AS followup SET state = 'discarded', settled_at = $2
    FROM outbox AS ticket
    WHERE ticket.reference = $1 AND ticket.state = 'discarded' AND ticket.settled_at = $2
        AND followup.parent = $1 AND followup.parent IS NOT NULL
        AND followup.parent_ticket IS NULL
        AND followup.state IN ('waiting', 'in_doubt', 'parked') AND followup.lease_until IS NULL";

/// Records a request; see [`Outbox::insert`](crate::outbox::Outbox::insert).
pub(super) async fn insert(
    client: &Client,
    draft: Draft,
    lease: Option<Lease>,
    now: Timestamp,
) -> Result<Inserted> {
    let work = row::encode(&draft.work)?;
    let key = draft.key;
    let mut entry = row::fresh(draft, lease, None, now);
    for _ in 0..MOST_TAKEOVERS {
        if let Some(parent_ticket) = try_insert(client, &entry, key.as_ref(), &work).await? {
            entry.parent_ticket = parent_ticket;
            return Ok(Inserted::New(entry));
        }
        let Some(key) = &key else { return not_inserted(client, &entry).await };
        let (digest, moment) = (key.digest.as_slice(), now.as_millisecond());
        match query_opt(client, FIND_BY_KEY, &[&entry.client, &digest]).await? {
            Some(named) if protects(&named, moment)? => {
                return Ok(Inserted::Existing(self::entry(&named)?));
            }
            Some(_passed) => {
                execute(client, FORGET_KEY, &[&entry.client, &digest, &moment]).await?;
            }
            None => match not_inserted(client, &entry).await? {
                // Somebody else has freed the key since.
                Inserted::ReferenceTaken if id_of(client, &entry.reference).await?.is_none() => {}
                inserted => return Ok(inserted),
            },
        }
    }
    Err("the key is being taken over again and again".into())
}

/// Why a row whose key is free was not inserted.
async fn not_inserted(client: &Client, entry: &Entry) -> Result<Inserted> {
    if let Some(parent) = &entry.parent
        && find(client, parent).await?.is_some_and(|parent| parent.state == State::Discarded)
    {
        return Ok(Inserted::ParentDiscarded);
    }
    Ok(Inserted::ReferenceTaken)
}

/// Whether the key of a row still names it then.
fn protects(row: &Row, moment: i64) -> Result<bool> {
    let until: Option<i64> = row.try_get("key_until")?;
    Ok(until.is_none_or(|until| until > moment))
}

/// `None`: the reference or the key is taken. Else the number of the parent's ticket, if any.
async fn try_insert(
    client: &Client,
    entry: &Entry,
    key: Option<&Key>,
    work: &str,
) -> Result<Option<Option<u32>>> {
    let now = entry.accepted_at;
    let values: Values<'_> = &[
        &entry.reference.as_str(),
        &entry.client,
        &key.map(|key| key.digest.as_slice()),
        &key.and_then(|key| row::key_until(key, now)),
        &entry.fingerprint.as_slice(),
        &entry.parent.as_ref().map(Reference::as_str),
        &work,
        &entry.state.as_str(),
        &entry.lease.map(|lease| lease.token),
        &entry.lease.map(|lease| lease.until.as_millisecond()),
        &i64::from(entry.attempts),
        &now.as_millisecond(),
        &entry.last_send_at.map(Timestamp::as_millisecond),
    ];
    let Some(row) = query_opt(client, INSERT, values).await? else { return Ok(None) };
    Ok(Some(small_or_none(&row, "parent_ticket")?))
}

/// The row of that reference.
pub(super) async fn find(client: &Client, reference: &Reference) -> Result<Option<Entry>> {
    query_opt(client, FIND, &[&reference.as_str()]).await?.as_ref().map(entry).transpose()
}

/// The ticket row delivered under that GLPI number.
pub(super) async fn find_delivered(client: &Client, ticket: u32) -> Result<Option<Entry>> {
    let found = query_opt(client, FIND_DELIVERED, &[&i64::from(ticket)]).await?;
    found.as_ref().map(entry).transpose()
}

/// Rows in the order of recording. Those that cannot be read are left out and logged.
pub(super) async fn list(client: &Client, filter: &Filter) -> Result<Vec<Entry>> {
    let after = match &filter.after {
        None => 0,
        Some(reference) => match id_of(client, reference).await? {
            Some(id) => id,
            None => return Ok(Vec::new()),
        },
    };
    let before = filter.accepted_before.map_or(i64::MAX, Timestamp::as_millisecond);
    let limit = i64::from(filter.limit);
    let rows = match filter.state {
        None => query(client, LIST, &[&after, &before, &limit]).await?,
        Some(state) => {
            query(client, LIST_IN_STATE, &[&after, &before, &limit, &state.as_str()]).await?
        }
    };
    let readable = |row: &Row| match entry(row) {
        Ok(entry) => Some(entry),
        Err(error) => {
            let id: Option<i64> = row.try_get("id").ok();
            tracing::error!(id, error, "a row of the outbox cannot be read");
            None
        }
    };
    Ok(rows.iter().filter_map(readable).collect())
}

/// A row's place in the order of recording.
async fn id_of(client: &Client, reference: &Reference) -> Result<Option<i64>> {
    let row = query_opt(client, ID_OF, &[&reference.as_str()]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// How the outbox stands, by one of the statements that count.
pub(super) async fn stats(client: &Client, count: &str) -> Result<Stats> {
    let mut stats = Stats::default();
    for row in query(client, count, &[]).await? {
        let (name, count): (&str, i64) = (row.try_get(0)?, row.try_get(1)?);
        if let Some(place) = State::ALL.iter().position(|state| state.as_str() == name) {
            stats.rows[place] = u64::try_from(count)?;
        }
    }
    if let Some(row) = query_opt(client, OLDEST_OPEN, &[]).await? {
        stats.oldest_open = Some(row::moment(row.try_get(0)?));
    }
    if let Some(row) = query_opt(client, OLDEST_PARKED, &[]).await? {
        stats.oldest_parked = row.try_get::<_, Option<i64>>(0)?.map(row::moment);
    }
    Ok(stats)
}

/// Makes a row due now; see [`Outbox::retry`](crate::outbox::Outbox::retry).
pub(super) async fn retry(client: &Client, reference: &Reference, now: Timestamp) -> Result<bool> {
    let changed = execute(client, RETRY, &[&reference.as_str(), &now.as_millisecond()]).await?;
    Ok(changed == 1)
}

/// Gives a row up, and its follow-ups with it; see
/// [`Outbox::discard`](crate::outbox::Outbox::discard).
pub(super) async fn discard(
    client: &Client,
    reference: &Reference,
    now: Timestamp,
) -> Result<bool> {
    let values: Values<'_> = &[&reference.as_str(), &now.as_millisecond()];
    let changed = execute_both(client, (DISCARD, values), (DISCARD_FOLLOWUPS, values)).await?;
    Ok(changed == 1)
}

/// A row as read. What was to be written may be unreadable: then it is `None`.
pub(super) fn entry(row: &Row) -> Result<Entry> {
    let state = State::from_name(row.try_get("state")?).ok_or("odd state")?;
    let (token, until): (Option<i64>, _) =
        (row.try_get("lease_token")?, moment(row, "lease_until")?);
    let parent: Option<&str> = row.try_get("parent")?;
    Ok(Entry {
        reference: Reference::parse(row.try_get("reference")?)?,
        client: row.try_get("client")?,
        fingerprint: row.try_get::<_, &[u8]>("fingerprint")?.try_into()?,
        parent: parent.map(Reference::parse).transpose()?,
        parent_ticket: small_or_none(row, "parent_ticket")?,
        work: row::decode(row.try_get("work")?),
        state,
        lease: token.zip(until).map(|(token, until)| Lease { token, until }),
        attempts: small(row, "attempts")?,
        doubts: small(row, "doubts")?,
        lookups: small(row, "lookups")?,
        accepted_at: row::moment(row.try_get("accepted_at")?),
        due_at: row::moment(row.try_get("due_at")?),
        first_send_at: moment(row, "first_send_at")?,
        last_send_at: moment(row, "last_send_at")?,
        settled_at: moment(row, "settled_at")?,
        glpi_id: small_or_none(row, "glpi_id")?,
        reason: row.try_get("reason")?,
    })
}

fn moment(row: &Row, column: &str) -> Result<Option<Timestamp>> {
    Ok(row.try_get::<_, Option<i64>>(column)?.map(row::moment))
}

pub(super) fn small(row: &Row, column: &str) -> Result<u32> {
    Ok(u32::try_from(row.try_get::<_, i64>(column)?)?)
}

fn small_or_none(row: &Row, column: &str) -> Result<Option<u32>> {
    Ok(row.try_get::<_, Option<i64>>(column)?.map(u32::try_from).transpose()?)
}
