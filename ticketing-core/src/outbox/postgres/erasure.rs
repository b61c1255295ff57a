//! What is left of rows in PostgreSQL: their words go in time, or when a caller asks for it. Old
//! versions of a row stay in the database's files until it is vacuumed.

use deadpool_postgres::Client;
use jiff::Timestamp;

use super::{
    rows::entry,
    statements::{Result, Values, execute, query, query_opt},
};
use crate::{
    outbox::{Entry, Erasure, row},
    ticket::Reference,
};

const ERASE_SETTLED: &str = "
    WITH old AS MATERIALIZED (
        SELECT id FROM outbox
        WHERE state IN ('delivered', 'discarded') AND work IS NOT NULL AND settled_at < $1
        ORDER BY settled_at LIMIT $2 FOR UPDATE SKIP LOCKED)
    UPDATE outbox SET work = NULL FROM old WHERE outbox.id = old.id";

const ERASE: &str = "
    UPDATE outbox SET work = NULL,
        reason = CASE WHEN state IN ('delivered', 'discarded') THEN reason ELSE $3 END,
        settled_at = CASE WHEN state IN ('delivered', 'discarded') THEN settled_at ELSE $2 END,
        state = CASE state WHEN 'delivered' THEN 'delivered' ELSE 'discarded' END
    WHERE reference = $1 AND lease_until IS NULL
        AND (state IN ('delivered', 'discarded', 'parked')
            OR ($4 AND state IN ('waiting', 'in_doubt')))";

// Follow-ups that can no longer be delivered, since their ticket never will be. A statement of its
// own, after the ticket's: only so does it see follow-ups recorded while that waited for them.
const ERASE_FOLLOWUPS: &str = "
    UPDATE outbox AS followup SET work = NULL,
        reason = CASE followup.state WHEN 'discarded' THEN followup.reason ELSE $3 END,
        settled_at = CASE followup.state WHEN 'discarded' THEN followup.settled_at ELSE $2 END,
        state = 'discarded'
    FROM outbox AS ticket
    WHERE ticket.reference = $1 AND ticket.state = 'discarded'
        AND followup.parent = $1 AND followup.parent IS NOT NULL
        AND followup.parent_ticket IS NULL AND followup.lease_until IS NULL";

// A notice names its row at the end of its event, after a colon.
const ERASE_WAITING_NOTICES: &str = "
    UPDATE notice SET state = 'failed', body = NULL, settled_at = $2, reason = $3
    WHERE state = 'waiting' AND event LIKE '%:' || $1";

const ERASE_NOTICES_BEING_SENT: &str = "
    UPDATE notice SET body = NULL WHERE state = 'sending' AND event LIKE '%:' || $1";

const IS_LEASED: &str = "SELECT lease_until IS NOT NULL FROM outbox WHERE reference = $1";

const FOLLOWUPS: &str = "SELECT * FROM outbox WHERE parent = $1 ORDER BY id";

const PARKED_BEFORE: &str = "
    SELECT reference FROM outbox
    WHERE state = 'parked' AND settled_at < $1 ORDER BY settled_at LIMIT $2";

const COUNT_PARKED_BEFORE: &str = "
    SELECT COUNT(*) FROM outbox WHERE state = 'parked' AND settled_at < $1";

/// Erases what callers said from settled rows; returns from how many.
pub(super) async fn erase_settled_before(
    client: &Client,
    before: Timestamp,
    limit: u32,
) -> Result<u64> {
    execute(client, ERASE_SETTLED, &[&before.as_millisecond(), &i64::from(limit)]).await
}

/// Gives parked rows up and erases them, each in a transaction of its own; returns how many.
pub(super) async fn erase_parked_before(
    client: &mut Client,
    before: Timestamp,
    limit: u32,
    now: Timestamp,
) -> Result<u64> {
    let values: Values<'_> = &[&before.as_millisecond(), &i64::from(limit)];
    let parked = query(client, PARKED_BEFORE, values).await?;
    let mut erased = 0;
    for row in parked {
        let reference = row.try_get(0)?;
        erased += u64::from(erase_row(client, reference, row::EXPIRED, false, now).await?);
    }
    Ok(erased)
}

/// How many rows were parked before then.
pub(super) async fn count_parked_before(client: &Client, before: Timestamp) -> Result<u64> {
    let counted = query(client, COUNT_PARKED_BEFORE, &[&before.as_millisecond()]).await?;
    let count: i64 = counted.first().map_or(Ok(0), |row| row.try_get(0))?;
    Ok(u64::try_from(count)?)
}

/// Erases one row; see [`Outbox::erase`](crate::outbox::Outbox::erase).
pub(super) async fn erase(
    client: &mut Client,
    reference: &Reference,
    also_open: bool,
    now: Timestamp,
) -> Result<Erasure> {
    if erase_row(client, reference.as_str(), row::ERASED, also_open, now).await? {
        return Ok(Erasure::Erased);
    }
    let row = query_opt(client, IS_LEASED, &[&reference.as_str()]).await?;
    Ok(match row.map(|row| row.try_get(0)).transpose()? {
        None => Erasure::Unknown,
        Some(true) => Erasure::BeingSent,
        Some(false) => Erasure::StillOpen,
    })
}

async fn erase_row(
    client: &mut Client,
    reference: &str,
    reason: &str,
    also_open: bool,
    now: Timestamp,
) -> Result<bool> {
    let now = now.as_millisecond();
    let transaction = client.transaction().await?;
    let erased = execute(&transaction, ERASE, &[&reference, &now, &reason, &also_open]).await? == 1;
    if erased {
        execute(&transaction, ERASE_FOLLOWUPS, &[&reference, &now, &reason]).await?;
        execute(&transaction, ERASE_WAITING_NOTICES, &[&reference, &now, &reason]).await?;
        execute(&transaction, ERASE_NOTICES_BEING_SENT, &[&reference]).await?;
    }
    transaction.commit().await?;
    Ok(erased)
}

/// A ticket's follow-ups, in the order of recording.
pub(super) async fn followups(client: &Client, reference: &Reference) -> Result<Vec<Entry>> {
    query(client, FOLLOWUPS, &[&reference.as_str()]).await?.iter().map(entry).collect()
}
