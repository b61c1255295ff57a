//! Notices and alarms in SQLite.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::rows::{execute, execute_on_one};
use crate::outbox::{
    Alarm, Lease, Notice, NoticeDraft, NoticeOutcome,
    notices::{MOST_UNSETTLED, NOTHING_TO_TELL, log_dropped},
    row,
};

type Result<T> = rusqlite::Result<T>;

// The two counts read one index entry per notice, and are capped by what they guard.
const COUNT_UNSETTLED: &str = "
    SELECT (SELECT COUNT(*) FROM notice WHERE state = 'waiting')
        + (SELECT COUNT(*) FROM notice WHERE state = 'sending')";

const INSERT: &str = "
    INSERT INTO notice (event, channel, body, state, attempts, created_at, due_at)
    VALUES (?1, ?2, ?3, 'waiting', 0, ?4, ?4)
    ON CONFLICT (event, channel) DO NOTHING";

pub(super) const CLAIM_INTERRUPTED: &str = "
    UPDATE notice SET attempts = attempts + 1, lease_token = ?2, lease_until = ?3
    WHERE id IN (
        SELECT id FROM notice INDEXED BY notice_lease
        WHERE state = 'sending' AND lease_until <= ?1 ORDER BY lease_until LIMIT ?4)
    RETURNING *";

pub(super) const CLAIM_DUE: &str = "
    UPDATE notice SET state = 'sending', attempts = attempts + 1,
        lease_token = ?2, lease_until = ?3
    WHERE id IN (
        SELECT id FROM notice INDEXED BY notice_due
        WHERE state = 'waiting' AND due_at <= ?1 ORDER BY due_at, id LIMIT ?4)
    RETURNING *";

const SETTLE: &str = "
    UPDATE notice SET state = ?3, settled_at = ?4, reason = ?5, body = NULL,
        lease_token = NULL, lease_until = NULL
    WHERE id = ?1 AND lease_token = ?2 AND state = 'sending'";

const SEND_LATER: &str = "
    UPDATE notice SET state = 'waiting', due_at = ?3, reason = ?4,
        lease_token = NULL, lease_until = NULL
    WHERE id = ?1 AND lease_token = ?2 AND state = 'sending'";

const EXPIRE_ALL: &str = "
    UPDATE notice SET lease_until = ?1 WHERE state = 'sending' AND lease_until > ?1";

pub(super) const DELETE_SETTLED: &str = "
    DELETE FROM notice WHERE id IN (
        SELECT id FROM notice INDEXED BY notice_settled
        WHERE settled_at IS NOT NULL AND settled_at < ?1 ORDER BY settled_at LIMIT ?2)";

const RAISE: &str = "INSERT INTO alarm VALUES (?1, ?2) ON CONFLICT DO NOTHING";

const CLEAR: &str = "DELETE FROM alarm WHERE name = ?1";

const ALARMS: &str = "SELECT name, raised_at FROM alarm ORDER BY name";

/// Records notices, as far as there is room.
pub(super) fn record(
    connection: &Connection,
    notices: &[NoticeDraft],
    now: Timestamp,
) -> Result<()> {
    if notices.is_empty() {
        return Ok(());
    }
    let unsettled: i64 =
        connection.prepare_cached(COUNT_UNSETTLED)?.query_row([], |row| row.get(0))?;
    let room = i64::from(MOST_UNSETTLED).saturating_sub(unsettled);
    let room = usize::try_from(room).unwrap_or_default().min(notices.len());
    let (kept, dropped) = notices.split_at(room);
    for notice in kept {
        let body = notice.body.to_string();
        let values = params![notice.event, notice.channel, body, now.as_millisecond()];
        execute(connection, INSERT, values)?;
    }
    log_dropped(dropped.len());
    Ok(())
}

/// Takes notices to be sent; see [`Outbox::claim_notices`](crate::outbox::Outbox::claim_notices).
pub(super) fn claim(
    connection: &Connection,
    now: Timestamp,
    lease: Lease,
    limit: u32,
) -> Result<Vec<Notice>> {
    let mut taken = take(connection, CLAIM_INTERRUPTED, true, (now, lease), limit)?;
    let left = limit.saturating_sub(u32::try_from(taken.len()).unwrap_or(u32::MAX));
    taken.extend(take(connection, CLAIM_DUE, false, (now, lease), left)?);

    let mut notices = Vec::new();
    for (id, notice) in taken {
        if let Some(notice) = notice {
            notices.push(notice);
        } else {
            let reason = NOTHING_TO_TELL.to_owned();
            settle(connection, id, lease.token, NoticeOutcome::Failed { reason }, now)?;
        }
    }
    Ok(notices)
}

/// Rows taken by a statement, in the order of recording; `None` for one that cannot be told.
fn take(
    connection: &Connection,
    statement: &str,
    interrupted: bool,
    (now, lease): (Timestamp, Lease),
    limit: u32,
) -> Result<Vec<(i64, Option<Notice>)>> {
    let (until, now) = (lease.until.as_millisecond(), now.as_millisecond());
    let mut statement = connection.prepare_cached(statement)?;
    let rows = statement.query_map(params![now, lease.token, until, limit], |row| {
        Ok((row.get("id")?, notice(row, interrupted)?))
    })?;
    let mut taken = rows.collect::<Result<Vec<_>>>()?;
    // RETURNING promises no order.
    taken.sort_unstable_by_key(|(id, _)| *id);
    Ok(taken)
}

fn notice(row: &Row<'_>, interrupted: bool) -> Result<Option<Notice>> {
    let body: Option<String> = row.get("body")?;
    let Some(body) = body.and_then(|body| serde_json::from_str(&body).ok()) else {
        return Ok(None);
    };
    Ok(Some(Notice {
        id: row.get("id")?,
        event: row.get("event")?,
        channel: row.get("channel")?,
        body,
        attempts: row.get("attempts")?,
        interrupted,
        created_at: row::moment(row.get("created_at")?),
    }))
}

/// Records how the sending ended; `false`: the lease was no longer ours.
pub(super) fn settle(
    connection: &Connection,
    id: i64,
    token: i64,
    outcome: NoticeOutcome,
    now: Timestamp,
) -> Result<bool> {
    let now = now.as_millisecond();
    match outcome {
        NoticeOutcome::Sent => {
            execute_on_one(connection, SETTLE, params![id, token, "sent", now, None::<&str>])
        }
        NoticeOutcome::Failed { reason } => {
            let reason = row::storable(&reason);
            execute_on_one(connection, SETTLE, params![id, token, "failed", now, reason])
        }
        NoticeOutcome::Retry { due, reason } => {
            let values = params![id, token, due.as_millisecond(), row::storable(&reason)];
            execute_on_one(connection, SEND_LATER, values)
        }
    }
}

/// Ends every lease now: whoever held it is dead.
pub(super) fn expire_leases(connection: &Connection, now: Timestamp) -> Result<()> {
    execute(connection, EXPIRE_ALL, [now.as_millisecond()])?;
    Ok(())
}

/// Deletes settled notices; returns how many.
pub(super) fn delete_settled_before(
    connection: &Connection,
    before: Timestamp,
    limit: u32,
) -> Result<u64> {
    let deleted = execute(connection, DELETE_SETTLED, params![before.as_millisecond(), limit])?;
    Ok(u64::try_from(deleted).unwrap_or(u64::MAX))
}

/// Raises an alarm; `false`: it stands already.
pub(super) fn raise_alarm(
    connection: &Connection,
    name: &str,
    notices: &[NoticeDraft],
    now: Timestamp,
) -> Result<bool> {
    let raised = execute_on_one(connection, RAISE, params![name, now.as_millisecond()])?;
    if raised {
        record(connection, notices, now)?;
    }
    Ok(raised)
}

/// Ends an alarm; `false`: it does not stand.
pub(super) fn clear_alarm(
    connection: &Connection,
    name: &str,
    notices: &[NoticeDraft],
    now: Timestamp,
) -> Result<bool> {
    let cleared = execute_on_one(connection, CLEAR, [name])?;
    if cleared {
        record(connection, notices, now)?;
    }
    Ok(cleared)
}

/// Alarms that stand.
pub(super) fn alarms(connection: &Connection) -> Result<Vec<Alarm>> {
    let mut statement = connection.prepare_cached(ALARMS)?;
    let alarms = statement.query_map([], |row| {
        Ok(Alarm { name: row.get(0)?, raised_at: row::moment(row.get(1)?) })
    })?;
    alarms.collect()
}
