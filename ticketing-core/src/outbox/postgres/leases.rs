//! Rows in PostgreSQL, worked on by couriers of several replicas. Each statement names state and
//! lease token, so that a courier whose lease was taken changes nothing.
//!
//! The present moment is the courier's, not the server's: a lease must outlast a request by the
//! clock skew between replicas, and that margin is in the lease.

use deadpool_postgres::{Client, GenericClient};
use jiff::Timestamp;

use super::{
    expired::Expired,
    notices,
    rows::entry,
    statements::{Result, Values, execute, execute_both, query},
};
use crate::{
    outbox::{Claim, Entry, NoticeDraft, Settlement, row, turns::Turns},
    ticket::Reference,
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

// Beside `due_at`, a row in doubt waits from its last send on: an operator's retry makes it due,
// but cannot make GLPI finish sooner.
pub(super) const CLAIM: &str = "
    WITH due AS MATERIALIZED (
        SELECT id FROM outbox
        WHERE state IN ('waiting', 'in_doubt') AND lease_until IS NULL
            AND (parent IS NULL OR parent_ticket IS NOT NULL)
            AND client = $6 AND due_at <= $1
            AND (state = 'waiting' OR COALESCE(last_send_at, accepted_at) <= $4)
        ORDER BY due_at, id LIMIT $5 FOR UPDATE SKIP LOCKED)
    UPDATE outbox SET
        attempts = attempts + (state = 'waiting')::int,
        first_send_at = CASE state WHEN 'waiting' THEN COALESCE(first_send_at, $1)
                                   ELSE first_send_at END,
        last_send_at = CASE state WHEN 'waiting' THEN $1 ELSE last_send_at END,
        state = CASE state WHEN 'waiting' THEN 'sending' ELSE state END,
        lease_token = $2, lease_until = $3
    FROM due WHERE outbox.id = due.id
    RETURNING outbox.*";

// Hops from client to client, and reads one index entry of each.
const CLIENTS: &str = "
    WITH RECURSIVE hop (client) AS (
        (SELECT client FROM outbox
            WHERE state IN ('waiting', 'in_doubt') AND lease_until IS NULL
                AND (parent IS NULL OR parent_ticket IS NOT NULL)
            ORDER BY client LIMIT 1)
        UNION ALL
        SELECT (SELECT client FROM outbox
            WHERE state IN ('waiting', 'in_doubt') AND lease_until IS NULL
                AND (parent IS NULL OR parent_ticket IS NOT NULL)
                AND outbox.client > hop.client
            ORDER BY client LIMIT 1)
        FROM hop WHERE hop.client IS NOT NULL)
    SELECT client FROM hop WHERE client IS NOT NULL";

const PARK_DAMAGED: &str = "
    UPDATE outbox SET state = 'parked', settled_at = $2, reason = $3,
        lease_token = NULL, lease_until = NULL
    WHERE id = $1 AND lease_token = $4";

const BEGIN_SEND: &str = "
    UPDATE outbox SET state = 'sending', attempts = attempts + 1, last_send_at = $3
    WHERE reference = $1 AND lease_token = $2 AND state = 'in_doubt'";

const DELIVER: &str = "
    UPDATE outbox SET state = 'delivered', glpi_id = $3, settled_at = $4, reason = NULL,
        lease_token = NULL, lease_until = NULL
    WHERE reference = $1 AND lease_token = $2 AND state IN ('sending', 'in_doubt')";

// A statement of its own, after the delivery: only so does it see follow-ups recorded while the
// delivery waited for them.
const TELL_FOLLOWUPS: &str = "
    UPDATE outbox AS followup SET parent_ticket = ticket.glpi_id
    FROM outbox AS ticket
    WHERE ticket.reference = $1 AND ticket.state = 'delivered'
        AND followup.parent = $1 AND followup.parent IS NOT NULL
        AND followup.parent_ticket IS NULL";

const SEND_LATER: &str = "
    UPDATE outbox SET state = 'waiting', due_at = $3, reason = $4,
        first_send_at = CASE doubts WHEN 0 THEN NULL ELSE first_send_at END,
        last_send_at = CASE doubts WHEN 0 THEN NULL ELSE last_send_at END,
        lease_token = NULL, lease_until = NULL
    WHERE reference = $1 AND lease_token = $2 AND state = 'sending'";

const DOUBT: &str = "
    UPDATE outbox SET state = 'in_doubt', doubts = doubts + 1, lookups = 0, due_at = $3,
        reason = $4, lease_token = NULL, lease_until = NULL
    WHERE reference = $1 AND lease_token = $2 AND state = 'sending'";

const NOT_FOUND: &str = "
    UPDATE outbox SET lookups = lookups + 1, due_at = $3, lease_token = NULL, lease_until = NULL
    WHERE reference = $1 AND lease_token = $2 AND state = 'in_doubt'";

const LOOK_UP_LATER: &str = "
    UPDATE outbox SET due_at = $3, reason = $4, lease_token = NULL, lease_until = NULL
    WHERE reference = $1 AND lease_token = $2 AND state = 'in_doubt'";

const PARK: &str = "
    UPDATE outbox SET state = 'parked', settled_at = $3, reason = $4,
        lease_token = NULL, lease_until = NULL
    WHERE reference = $1 AND lease_token = $2 AND state IN ('sending', 'in_doubt')";

const RELEASE: &str = "
    UPDATE outbox SET
        attempts = attempts - (state = 'sending')::int,
        first_send_at = CASE WHEN state = 'sending' AND doubts = 0 THEN NULL
                             ELSE first_send_at END,
        last_send_at = CASE WHEN state = 'sending' AND doubts = 0 THEN NULL
                            ELSE last_send_at END,
        state = CASE state WHEN 'sending' THEN 'waiting' ELSE state END,
        due_at = $3, lease_token = NULL, lease_until = NULL
    WHERE reference = $1 AND lease_token = $2 AND state IN ('sending', 'in_doubt')";

// Two reads of one index entry each.
pub(super) const NEXT_DUE: &str = "
    SELECT MIN(at) FROM (
        SELECT at FROM (
            SELECT due_at AS at FROM outbox
            WHERE state IN ('waiting', 'in_doubt') AND lease_until IS NULL
                AND (parent IS NULL OR parent_ticket IS NOT NULL)
            ORDER BY due_at, id LIMIT 1) AS first_due
        UNION ALL SELECT MIN(lease_until) FROM outbox WHERE lease_until > $1) AS moments";

/// Takes rows to work on; see [`Outbox::claim`](crate::outbox::Outbox::claim). Rows that cannot be
/// decoded are parked, so that they hide none behind them.
pub(super) async fn claim(client: &Client, expired: &Expired, claim: &Claim) -> Result<Vec<Entry>> {
    let now = claim.now.as_millisecond();
    let (wait, from) = (row::milliseconds(claim.doubt_wait), expired.seek_from(claim.now));
    execute(client, EXPIRE, &[&now, &wait, &row::ABANDONED, &from]).await?;
    expired.sought(from, claim.now);

    let (token, until) = (claim.lease.token, claim.lease.until.as_millisecond());
    let sent_before = row::sent_before(claim.now, claim.doubt_wait);
    let mut claimed = Vec::new();
    let mut turns = Turns::new(clients(client).await?, claim.limit, token);
    while let Some((name, share)) = turns.next() {
        let values: Values<'_> = &[&now, &token, &until, &sent_before, &i64::from(share), &name];
        let rows = query(client, CLAIM, values).await?;
        turns.had(u32::try_from(rows.len())?, share);
        claimed.extend(rows);
    }

    let mut entries = Vec::new();
    for row in &claimed {
        let id: i64 = row.try_get("id")?;
        match entry(row) {
            Ok(entry) if entry.work.is_some() => entries.push((entry.due_at, id, entry)),
            Ok(_) | Err(_) => {
                tracing::error!(id, "a row of the outbox is damaged; parked");
                execute(client, PARK_DAMAGED, &[&id, &now, &row::DAMAGED, &token]).await?;
            }
        }
    }
    // RETURNING promises no order.
    entries.sort_unstable_by_key(|(due_at, id, _)| (*due_at, *id));
    Ok(entries.into_iter().map(|(_, _, entry)| entry).collect())
}

/// Clients with rows that may be taken, due or not.
async fn clients(client: &Client) -> Result<Vec<String>> {
    let rows = query(client, CLIENTS, &[]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Turns a leased row in doubt into SENDING; `false`: the lease is no longer ours.
pub(super) async fn begin_send(
    client: &Client,
    reference: &Reference,
    token: i64,
    now: Timestamp,
) -> Result<bool> {
    let values: Values<'_> = &[&reference.as_str(), &token, &now.as_millisecond()];
    Ok(execute(client, BEGIN_SEND, values).await? == 1)
}

/// Records how the work ended; `false`: the lease was no longer ours.
pub(super) async fn settle(
    client: &Client,
    reference: &Reference,
    token: i64,
    settlement: Settlement,
    now: Timestamp,
) -> Result<bool> {
    let changed = if let Settlement::Delivered { glpi_id } = settlement {
        let (name, now) = (reference.as_str(), now.as_millisecond());
        let delivery: Values<'_> = &[&name, &token, &i64::from(glpi_id), &now];
        execute_both(client, (DELIVER, delivery), (TELL_FOLLOWUPS, &[&name])).await?
    } else {
        change(client, reference, token, settlement, now).await?
    };
    Ok(changed == 1)
}

/// Records how the work ended and what people are told of that, both or neither.
pub(super) async fn settle_and_tell(
    client: &mut Client,
    reference: &Reference,
    token: i64,
    settlement: Settlement,
    told: &[NoticeDraft],
    now: Timestamp,
) -> Result<bool> {
    let transaction = client.transaction().await?;
    let delivered = matches!(settlement, Settlement::Delivered { .. });
    let changed = change(&transaction, reference, token, settlement, now).await? == 1;
    if changed && delivered {
        execute(&transaction, TELL_FOLLOWUPS, &[&reference.as_str()]).await?;
    }
    if changed {
        notices::record(&transaction, told, now).await?;
    }
    transaction.commit().await?;
    Ok(changed)
}

/// The change to the row itself; returns how many rows it changed.
async fn change(
    client: &impl GenericClient,
    reference: &Reference,
    token: i64,
    settlement: Settlement,
    now: Timestamp,
) -> Result<u64> {
    let (name, now) = (reference.as_str(), now.as_millisecond());
    match settlement {
        Settlement::Delivered { glpi_id } => {
            execute(client, DELIVER, &[&name, &token, &i64::from(glpi_id), &now]).await
        }
        Settlement::Retry { due, reason } => {
            let (due, reason) = (due.as_millisecond(), row::storable(&reason));
            execute(client, SEND_LATER, &[&name, &token, &due, &reason]).await
        }
        Settlement::Doubt { due, reason } => {
            let (due, reason) = (due.as_millisecond(), row::storable(&reason));
            execute(client, DOUBT, &[&name, &token, &due, &reason]).await
        }
        Settlement::NotFound { due } => {
            execute(client, NOT_FOUND, &[&name, &token, &due.as_millisecond()]).await
        }
        Settlement::LookupFailed { due, reason } => {
            let (due, reason) = (due.as_millisecond(), row::storable(&reason));
            execute(client, LOOK_UP_LATER, &[&name, &token, &due, &reason]).await
        }
        Settlement::Parked { reason } => {
            execute(client, PARK, &[&name, &token, &now, &row::storable(&reason)]).await
        }
        Settlement::Released => execute(client, RELEASE, &[&name, &token, &now]).await,
    }
}

/// When the next row will be due or its lease expire.
pub(super) async fn next_due(client: &Client, expired: &Expired) -> Result<Option<Timestamp>> {
    let rows = query(client, NEXT_DUE, &[&expired.up_to()]).await?;
    let at: Option<i64> = rows.first().map(|row| row.try_get(0)).transpose()?.flatten();
    Ok(at.map(row::moment))
}
