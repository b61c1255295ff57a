//! Rows in PostgreSQL, taken to be worked on.
//!
//! While somebody holds an old snapshot, dead versions of rows stay at the front of each index, where
//! rows were taken and leases have ended. So every search goes on where the last one ended.
//!
//! The present moment is the courier's, not the server's: a lease must outlast a request by the
//! clock skew between replicas, and that margin is in the lease.

use std::sync::{Mutex, MutexGuard, PoisonError};

use deadpool_postgres::Client;
use jiff::Timestamp;
use tokio_postgres::Row;

use super::{
    expired::Expired,
    rows::entry,
    statements::{Result, Values, execute, query},
};
use crate::outbox::{
    Claim, Entry, row,
    turns::{Mark, Turn, Turns},
};

pub(super) const EXPIRE: &str = "
    UPDATE outbox SET
        doubts = doubts + (state = 'sending')::int,
        lookups = CASE state WHEN 'sending' THEN 0 ELSE lookups END,
        due_at = CASE state WHEN 'sending' THEN COALESCE(last_send_at, accepted_at) + $2
                            ELSE due_at END,
        reason = CASE state WHEN 'sending' THEN $3 ELSE reason END,
        state = 'in_doubt', lease_token = NULL, lease_until = NULL
    WHERE id IN (
        SELECT id FROM outbox WHERE lease_until > $4 AND lease_until <= $1
        FOR UPDATE SKIP LOCKED)";

// From one client to the next, in as many steps as there are clients with open rows.
pub(super) const FIRST_DUE: &str = "
    WITH RECURSIVE first AS (
        (SELECT client, due_at, id FROM outbox
        WHERE state IN ('waiting', 'in_doubt') AND lease_until IS NULL
            AND (parent IS NULL OR parent_ticket IS NOT NULL)
        ORDER BY client, due_at, id LIMIT 1)
        UNION ALL
        SELECT next.* FROM first, LATERAL (
            SELECT client, due_at, id FROM outbox
            WHERE state IN ('waiting', 'in_doubt') AND lease_until IS NULL
                AND (parent IS NULL OR parent_ticket IS NOT NULL)
                AND client > first.client
            ORDER BY client, due_at, id LIMIT 1) AS next)
    SELECT client, due_at, id FROM first";

// The clients come in the order of their turns. Beside `due_at`, a row in doubt waits from its last
// send on: an operator's retry makes it due, but cannot make GLPI finish sooner.
pub(super) const CLAIM: &str = "
    WITH due AS MATERIALIZED (
        SELECT queue.id, turn.place,
            row_number() OVER (PARTITION BY turn.place ORDER BY queue.due_at, queue.id) AS round
        FROM unnest($6::text[], $7::bigint[], $8::bigint[])
                WITH ORDINALITY AS turn (client, due_at, id, place),
            LATERAL (
                SELECT id, due_at FROM outbox
                WHERE state IN ('waiting', 'in_doubt') AND lease_until IS NULL
                    AND (parent IS NULL OR parent_ticket IS NOT NULL)
                    AND client = turn.client AND (due_at, id) > (turn.due_at, turn.id)
                    AND due_at <= $1
                    AND (state = 'waiting' OR COALESCE(last_send_at, accepted_at) <= $4)
                ORDER BY due_at, id LIMIT $9 FOR UPDATE SKIP LOCKED) AS queue
        ORDER BY round, place LIMIT $5)
    UPDATE outbox SET
        attempts = attempts + (state = 'waiting')::int,
        first_send_at = CASE state WHEN 'waiting' THEN COALESCE(first_send_at, $1)
                                   ELSE first_send_at END,
        last_send_at = CASE state WHEN 'waiting' THEN $1 ELSE last_send_at END,
        state = CASE state WHEN 'waiting' THEN 'sending' ELSE state END,
        lease_token = $2, lease_until = $3
    FROM due WHERE outbox.id = due.id
    RETURNING outbox.*, due.round, due.place";

const PARK_DAMAGED: &str = "
    UPDATE outbox SET state = 'parked', settled_at = $2, reason = $3,
        lease_token = NULL, lease_until = NULL
    WHERE id = $1 AND lease_token = $4";

// Two reads of one index entry each.
pub(super) const NEXT_DUE: &str = "
    SELECT MIN(at) FROM (
        SELECT at FROM (
            SELECT due_at AS at FROM outbox
            WHERE state IN ('waiting', 'in_doubt') AND lease_until IS NULL
                AND (parent IS NULL OR parent_ticket IS NOT NULL)
            ORDER BY due_at, id LIMIT 1) AS first_due
        UNION ALL SELECT MIN(lease_until) FROM outbox WHERE lease_until > $1) AS moments";

/// Where the searches of one replica begin. Whatever is lost or wrong costs time, never a row.
#[derive(Debug, Default)]
pub(super) struct Marks {
    expired: Expired,
    turns: Mutex<Turns>,
}

impl Marks {
    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes rows to work on; see [`Outbox::claim`](crate::outbox::Outbox::claim). Rows that cannot be
/// decoded are parked, so that they hide none behind them.
pub(super) async fn claim(client: &Client, marks: &Marks, claim: &Claim) -> Result<Vec<Entry>> {
    let now = claim.now.as_millisecond();
    let (wait, from) = (row::milliseconds(claim.doubt_wait), marks.expired.seek_from(claim.now));
    execute(client, EXPIRE, &[&now, &wait, &row::ABANDONED, &from]).await?;
    marks.expired.sought(from, claim.now);

    let mut looked = marks.turns().must_look(claim.now);
    if looked {
        look(client, marks, claim).await?;
    }

    let limit = claim.limit as usize;
    let (mut entries, mut taken) = (Vec::new(), 0);
    while taken < limit {
        let asked = marks.turns().next(limit - taken);
        if asked.is_empty() {
            if looked {
                break;
            }
            looked = true;
            look(client, marks, claim).await?;
            continue;
        }
        let rows = take(client, &asked, limit - taken, claim).await?;
        let given: Result<Vec<_>> = rows.iter().map(giver).collect();
        marks.turns().took(&asked, limit - taken, &given?);
        taken += rows.len();
        for row in &rows {
            entries.extend(sound(client, row, claim).await?);
        }
    }
    Ok(entries)
}

async fn look(client: &Client, marks: &Marks, claim: &Claim) -> Result<()> {
    let now = claim.now.as_millisecond();
    let due = first_due(client).await?.into_iter().filter(|first| first.after.0 <= now);
    // From right before the first row, so as not to pass once more over what was before it.
    let turn = |Turn { client, after: (due_at, id) }| Turn { client, after: (due_at, id - 1) };
    marks.turns().looked(due.map(turn).collect(), claim.now);
    Ok(())
}

/// Clients with open rows, by name, and the place of their first one.
async fn first_due(client: &Client) -> Result<Vec<Turn>> {
    let rows = query(client, FIRST_DUE, &[]).await?;
    let first =
        |row: &Row| Ok(Turn { client: row.try_get(0)?, after: (row.try_get(1)?, row.try_get(2)?) });
    rows.iter().map(first).collect()
}

/// Takes rows of these clients, in the order of turns.
async fn take(client: &Client, asked: &[Turn], missing: usize, claim: &Claim) -> Result<Vec<Row>> {
    let (clients, (dues, ids)): (Vec<&str>, (Vec<i64>, Vec<i64>)) =
        asked.iter().map(|turn| (turn.client.as_str(), turn.after)).unzip();
    let (token, until) = (claim.lease.token, claim.lease.until.as_millisecond());
    let sent_before = row::sent_before(claim.now, claim.doubt_wait);
    let most_each = i64::try_from(Turns::most_each(asked, missing))?;
    let missing = i64::try_from(missing)?;
    let now = claim.now.as_millisecond();
    let values: Values<'_> =
        &[&now, &token, &until, &sent_before, &missing, &clients, &dues, &ids, &most_each];
    let rows = query(client, CLAIM, values).await?;
    // RETURNING promises no order.
    let placed = |row: Row| -> Result<((i64, i64), Row)> {
        Ok(((row.try_get("round")?, row.try_get("place")?), row))
    };
    let mut placed = rows.into_iter().map(placed).collect::<Result<Vec<_>>>()?;
    placed.sort_unstable_by_key(|(place, _)| *place);
    Ok(placed.into_iter().map(|(_, row)| row).collect())
}

fn giver(row: &Row) -> Result<(String, Mark)> {
    Ok((row.try_get("client")?, (row.try_get("due_at")?, row.try_get("id")?)))
}

/// The row taken. `None`: it is damaged and was parked.
async fn sound(client: &Client, row: &Row, claim: &Claim) -> Result<Option<Entry>> {
    match entry(row) {
        Ok(entry) if entry.work.is_some() => Ok(Some(entry)),
        Ok(_) | Err(_) => {
            let id: i64 = row.try_get("id")?;
            tracing::error!(id, "a row of the outbox is damaged; parked");
            let (now, token) = (claim.now.as_millisecond(), claim.lease.token);
            execute(client, PARK_DAMAGED, &[&id, &now, &row::DAMAGED, &token]).await?;
            Ok(None)
        }
    }
}

/// When the next row will be due or its lease expire.
pub(super) async fn next_due(client: &Client, marks: &Marks) -> Result<Option<Timestamp>> {
    let rows = query(client, NEXT_DUE, &[&marks.expired.none_before()]).await?;
    let at: Option<i64> = rows.first().map(|row| row.try_get(0)).transpose()?.flatten();
    Ok(at.map(row::moment))
}
