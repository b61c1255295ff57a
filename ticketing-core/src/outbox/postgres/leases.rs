//! Rows in PostgreSQL, worked on by couriers of several replicas. Each statement names state and
//! lease token, so that a courier whose lease was taken changes nothing.

use deadpool_postgres::{Client, GenericClient};
use jiff::Timestamp;

use super::{
    notices,
    statements::{Result, Values, execute, execute_both},
};
use crate::{
    outbox::{NoticeDraft, Settlement, row},
    ticket::Reference,
};

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
