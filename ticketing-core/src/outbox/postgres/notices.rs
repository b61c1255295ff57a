//! Notices and alarms in PostgreSQL.

use deadpool_postgres::{Client, GenericClient};
use jiff::Timestamp;
use tokio_postgres::Row;

use super::{
    rows::small,
    statements::{Result, Values, execute, query},
};
use crate::outbox::{
    Alarm, Lease, Notice, NoticeDraft, NoticeOutcome,
    notices::{MOST_UNSETTLED, NOTHING_TO_TELL, log_dropped},
    row,
};

const COUNT_UNSETTLED: &str = "
    SELECT (SELECT COUNT(*) FROM notice WHERE state = 'waiting')
        + (SELECT COUNT(*) FROM notice WHERE state = 'sending')";

const INSERT: &str = "
    INSERT INTO notice (event, channel, body, state, attempts, created_at, due_at)
    VALUES ($1, $2, $3, 'waiting', 0, $4, $4)
    ON CONFLICT (event, channel) DO NOTHING";

const CLAIM_INTERRUPTED: &str = "
    WITH due AS MATERIALIZED (
        SELECT id FROM notice WHERE state = 'sending' AND lease_until <= $1
        ORDER BY lease_until LIMIT $4 FOR UPDATE SKIP LOCKED)
    UPDATE notice SET attempts = attempts + 1, lease_token = $2, lease_until = $3
    FROM due WHERE notice.id = due.id
    RETURNING notice.*";

const CLAIM_DUE: &str = "
    WITH due AS MATERIALIZED (
        SELECT id FROM notice WHERE state = 'waiting' AND due_at <= $1
        ORDER BY due_at, id LIMIT $4 FOR UPDATE SKIP LOCKED)
    UPDATE notice SET state = 'sending', attempts = attempts + 1,
        lease_token = $2, lease_until = $3
    FROM due WHERE notice.id = due.id
    RETURNING notice.*";

const SETTLE: &str = "
    UPDATE notice SET state = $3, settled_at = $4, reason = $5, body = NULL,
        lease_token = NULL, lease_until = NULL
    WHERE id = $1 AND lease_token = $2 AND state = 'sending'";

const SEND_LATER: &str = "
    UPDATE notice SET state = 'waiting', due_at = $3, reason = $4,
        lease_token = NULL, lease_until = NULL
    WHERE id = $1 AND lease_token = $2 AND state = 'sending'";

const DELETE_SETTLED: &str = "
    WITH old AS MATERIALIZED (
        SELECT id FROM notice WHERE settled_at IS NOT NULL AND settled_at < $1
        ORDER BY settled_at LIMIT $2 FOR UPDATE SKIP LOCKED)
    DELETE FROM notice USING old WHERE notice.id = old.id";

const RAISE: &str = "INSERT INTO alarm VALUES ($1, $2) ON CONFLICT DO NOTHING";

const CLEAR: &str = "DELETE FROM alarm WHERE name = $1";

const ALARMS: &str = "SELECT name, raised_at FROM alarm ORDER BY name";

/// Records notices, as far as there is room. Replicas that count at once may exceed the bound by
/// what they record at once.
pub(super) async fn record(
    client: &impl GenericClient,
    notices: &[NoticeDraft],
    now: Timestamp,
) -> Result<()> {
    if notices.is_empty() {
        return Ok(());
    }
    let unsettled = query(client, COUNT_UNSETTLED, &[]).await?;
    let unsettled: i64 = unsettled.first().map_or(Ok(0), |row| row.try_get(0))?;
    let room = i64::from(MOST_UNSETTLED).saturating_sub(unsettled);
    let room = usize::try_from(room).unwrap_or_default().min(notices.len());
    let (kept, dropped) = notices.split_at(room);
    for notice in kept {
        let body = notice.body.to_string();
        let (event, channel) = (row::storable(&notice.event), row::storable(&notice.channel));
        let values: Values<'_> = &[&event, &channel, &body, &now.as_millisecond()];
        execute(client, INSERT, values).await?;
    }
    log_dropped(dropped.len());
    Ok(())
}

/// Takes notices to be sent; see [`Outbox::claim_notices`](crate::outbox::Outbox::claim_notices).
pub(super) async fn claim(
    client: &Client,
    now: Timestamp,
    lease: Lease,
    limit: u32,
) -> Result<Vec<Notice>> {
    let (until, moment) = (lease.until.as_millisecond(), now.as_millisecond());
    let values: Values<'_> = &[&moment, &lease.token, &until, &i64::from(limit)];
    let interrupted = query(client, CLAIM_INTERRUPTED, values).await?;
    let left = i64::from(limit) - i64::try_from(interrupted.len())?;
    let values: Values<'_> = &[&moment, &lease.token, &until, &left];
    let due = query(client, CLAIM_DUE, values).await?;

    let mut notices = Vec::new();
    for (rows, interrupted) in [(interrupted, true), (due, false)] {
        let mut taken = Vec::new();
        for row in &rows {
            if let Some(notice) = notice(row, interrupted)? {
                taken.push(notice);
            } else {
                let reason = NOTHING_TO_TELL.to_owned();
                let failed = NoticeOutcome::Failed { reason };
                settle(client, row.try_get("id")?, lease.token, failed, now).await?;
            }
        }
        // RETURNING promises no order.
        taken.sort_unstable_by_key(|notice| notice.id);
        notices.extend(taken);
    }
    Ok(notices)
}

fn notice(row: &Row, interrupted: bool) -> Result<Option<Notice>> {
    let body: Option<&str> = row.try_get("body")?;
    let Some(body) = body.and_then(|body| serde_json::from_str(body).ok()) else {
        return Ok(None);
    };
    Ok(Some(Notice {
        id: row.try_get("id")?,
        event: row.try_get("event")?,
        channel: row.try_get("channel")?,
        body,
        attempts: small(row, "attempts")?,
        interrupted,
        created_at: row::moment(row.try_get("created_at")?),
    }))
}

/// Records how the sending ended; `false`: the lease was no longer ours.
pub(super) async fn settle(
    client: &Client,
    id: i64,
    token: i64,
    outcome: NoticeOutcome,
    now: Timestamp,
) -> Result<bool> {
    let now = now.as_millisecond();
    let changed = match outcome {
        NoticeOutcome::Sent => {
            execute(client, SETTLE, &[&id, &token, &"sent", &now, &None::<&str>]).await?
        }
        NoticeOutcome::Failed { reason } => {
            let reason = row::storable(&reason);
            execute(client, SETTLE, &[&id, &token, &"failed", &now, &reason]).await?
        }
        NoticeOutcome::Retry { due, reason } => {
            let (due, reason) = (due.as_millisecond(), row::storable(&reason));
            execute(client, SEND_LATER, &[&id, &token, &due, &reason]).await?
        }
    };
    Ok(changed == 1)
}

/// Deletes settled notices; returns how many.
pub(super) async fn delete_settled_before(
    client: &Client,
    before: Timestamp,
    limit: u32,
) -> Result<u64> {
    execute(client, DELETE_SETTLED, &[&before.as_millisecond(), &i64::from(limit)]).await
}

/// Raises an alarm; `false`: it stands already.
pub(super) async fn raise_alarm(
    client: &mut Client,
    name: &str,
    notices: &[NoticeDraft],
    now: Timestamp,
) -> Result<bool> {
    let transaction = client.transaction().await?;
    let raised = execute(&transaction, RAISE, &[&name, &now.as_millisecond()]).await? == 1;
    if raised {
        record(&transaction, notices, now).await?;
    }
    transaction.commit().await?;
    Ok(raised)
}

/// Ends an alarm; `false`: it does not stand.
pub(super) async fn clear_alarm(
    client: &mut Client,
    name: &str,
    notices: &[NoticeDraft],
    now: Timestamp,
) -> Result<bool> {
    let transaction = client.transaction().await?;
    let cleared = execute(&transaction, CLEAR, &[&name]).await? == 1;
    if cleared {
        record(&transaction, notices, now).await?;
    }
    transaction.commit().await?;
    Ok(cleared)
}

/// Alarms that stand.
pub(super) async fn alarms(client: &Client) -> Result<Vec<Alarm>> {
    let rows = query(client, ALARMS, &[]).await?;
    let alarm =
        |row: &Row| Ok(Alarm { name: row.try_get(0)?, raised_at: row::moment(row.try_get(1)?) });
    rows.iter().map(alarm).collect()
}
