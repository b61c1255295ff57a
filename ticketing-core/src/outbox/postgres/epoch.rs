//! Notices when the database is not the one that was last written to: a dump put back, or a standby
//! that took over and may lack the last commits. Then every row that is not settled may have been
//! delivered since.
//!
//! The server's identity, its timeline and the number of the table are compared with those kept in
//! the table itself, on every new connection: whoever takes over, the old connections are dead.

use jiff::Timestamp;
use tokio_postgres::GenericClient;

use super::statements::Result;
use crate::{
    clock::{Clock as _, SystemClock},
    outbox::row,
};

// Not in a database that has no tables yet.
const HAS_EPOCHS: &str =
    "SELECT to_regclass('epoch') IS NOT NULL AND to_regclass('outbox') IS NOT NULL";

// The timeline is read off the log that is being written: it changes with the promotion itself.
const COMPARE: &str = "
    SELECT present.name, epoch.name FROM (
        SELECT concat_ws('-', system_identifier, left(pg_walfile_name(pg_current_wal_lsn()), 8),
            'outbox'::regclass::oid) AS name FROM pg_control_system()) AS present
    LEFT JOIN epoch ON true";

const BEGIN: &str = "BEGIN";
const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";

// Of replicas that find it out together, one does it.
const ONE_AT_A_TIME: &str = "LOCK TABLE epoch IN EXCLUSIVE MODE";

const WRITE: &str = "
    INSERT INTO epoch (one, name) VALUES (1, $1) ON CONFLICT (one) DO UPDATE SET name = $1";

// Since then a row may have been sent at any time up to now. Parked rows are marked too: an
// operator may have sent them again.
const DOUBT_ALL: &str = "
    UPDATE outbox SET
        doubts = doubts + 1, lookups = 0,
        first_send_at = COALESCE(first_send_at, accepted_at), last_send_at = $1,
        due_at = CASE state WHEN 'parked' THEN due_at ELSE $2 END,
        reason = CASE state WHEN 'parked' THEN reason ELSE $3 END,
        state = CASE state WHEN 'parked' THEN 'parked' ELSE 'in_doubt' END,
        lease_token = NULL, lease_until = NULL
    WHERE state IN ('waiting', 'sending', 'in_doubt', 'parked')";

// Whoever claims them is told that they may have been sent.
const INTERRUPT_NOTICES: &str = "
    UPDATE notice SET state = 'sending', lease_token = 0, lease_until = $1
    WHERE state IN ('waiting', 'sending')";

/// Compares, and puts rows in doubt if the database has changed; whoever may not ask trusts it.
pub(super) async fn check(client: &impl GenericClient) -> Result<()> {
    if !client.query_one(HAS_EPOCHS, &[]).await?.try_get::<_, bool>(0)? {
        return Ok(());
    }
    let (present, known) = match compare(client).await {
        Ok(names) => names,
        Err(error) => {
            tracing::warn!(error, "PostgreSQL does not tell whether it was restored or replaced");
            return Ok(());
        }
    };
    if known.as_ref() == Some(&present) {
        return Ok(());
    }
    client.batch_execute(BEGIN).await?;
    let changed = change(client).await;
    client.batch_execute(if changed.is_ok() { COMMIT } else { ROLLBACK }).await?;
    let rows = changed?;
    if rows > 0 {
        tracing::warn!(
            rows,
            "this database is not the one that was last written to: it was restored, or another \
             server took over; every request that is not settled is looked up in GLPI before it is \
             sent"
        );
    }
    Ok(())
}

async fn change(client: &impl GenericClient) -> Result<u64> {
    client.batch_execute(ONE_AT_A_TIME).await?;
    let (present, known) = compare(client).await?;
    let mut rows = 0;
    if known.as_ref().is_some_and(|known| *known != present) {
        let now: Timestamp = SystemClock.now();
        let (moment, due) = (now.as_millisecond(), row::due_after_restore(now));
        client.execute(INTERRUPT_NOTICES, &[&moment]).await?;
        rows = client.execute(DOUBT_ALL, &[&moment, &due, &row::RESTORED]).await?;
    }
    client.execute(WRITE, &[&present]).await?;
    Ok(rows)
}

async fn compare(client: &impl GenericClient) -> Result<(String, Option<String>)> {
    let row = client.query_one(COMPARE, &[]).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}
