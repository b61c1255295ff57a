//! The PostgreSQL server: connections that don't hang, to a server that keeps what it commits.

use std::{error::Error, sync::Arc, time::Duration};

use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod,
    Runtime,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tokio_postgres::{Config, config::SslMode, error::SqlState};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::epoch;
use crate::outbox::{StoreError, row::unavailable};

/// Connections of one replica; PostgreSQL's own default allows 100 in all.
const CONNECTIONS: usize = 8;

/// How long a caller waits for a connection to become free, or to be made.
const PATIENCE: Duration = Duration::from_secs(5);

/// A peer that is silent for this long is asked whether it still lives.
const SILENCE: Duration = Duration::from_secs(10);

/// Transactions are short; one that is not has lost its client. The statements rely on READ
/// COMMITTED, whatever the database's default is.
const SESSION: &str = "
    SET statement_timeout = '10s';
    SET lock_timeout = '5s';
    SET idle_in_transaction_session_timeout = '10s';
    SET default_transaction_isolation = 'read committed'";

const DURABILITY: &str = "
    SELECT current_setting('fsync'), current_setting('synchronous_commit'), pg_is_in_recovery()";

/// Replicas that start together migrate one after the other. Any number will do, if it never
/// changes.
const MIGRATE_ALONE: &str = "SELECT pg_advisory_xact_lock(7205759403792)";

const CREATE_SCHEMA_VERSION: &str = "
    CREATE TABLE IF NOT EXISTS outbox_schema (
        -- Migrations done so far; one row.
        version INTEGER NOT NULL
    );
    INSERT INTO outbox_schema SELECT 0 WHERE NOT EXISTS (SELECT FROM outbox_schema)";
const READ_SCHEMA_VERSION: &str = "SELECT version FROM outbox_schema";
const WRITE_SCHEMA_VERSION: &str = "UPDATE outbox_schema SET version = $1";

/// A migration that has landed is never edited; add another.
const MIGRATIONS: [&str; 6] = [
    include_str!("../../../migrations/postgres/0001_outbox.sql"),
    include_str!("../../../migrations/postgres/0002_notice.sql"),
    include_str!("../../../migrations/postgres/0003_erasure.sql"),
    include_str!("../../../migrations/postgres/0004_epoch.sql"),
    include_str!("../../../migrations/postgres/0005_fairness.sql"),
    include_str!("../../../migrations/postgres/0006_vacuum.sql"),
];

/// Where the server is and how to speak with it.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) config: Config,
    pub(super) tls: MakeRustlsConnect,
}

impl Server {
    /// Reads a `postgres://` URL. Certificates are always verified against the system's.
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        // What libpq calls `verify-…` is what `require` means here.
        let url = url
            .replace("sslmode=verify-full", "sslmode=require")
            .replace("sslmode=verify-ca", "sslmode=require");
        let mut config: Config =
            url.parse().map_err(|error| unusable(format!("its URL cannot be read: {error}")))?;
        if config.get_application_name().is_none() {
            config.application_name("automatglpi");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(PATIENCE);
        }
        config
            .keepalives(true)
            .keepalives_idle(SILENCE)
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(3)
            .tcp_user_timeout(SILENCE);
        let tls = tls(config.get_ssl_mode())?;
        Ok(Self { config, tls })
    }

    /// A pool, once the server has proven fit and its tables are up to date.
    pub(super) async fn pool(&self) -> Result<Pool, StoreError> {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(self.config.clone(), self.tls.clone(), recycling);
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(PATIENCE))
            .recycle_timeout(Some(PATIENCE))
            .runtime(Runtime::Tokio1)
            .post_create(Hook::async_fn(|client, _| Box::pin(prepare(client))))
            .build()
            .map_err(unavailable)?;
        migrate(&pool).await?;
        let client: &tokio_postgres::Client = &*pool.get().await.map_err(explain)?;
        epoch::check(client).await.map_err(StoreError::Unavailable)?;
        Ok(pool)
    }
}

impl std::fmt::Debug for Server {
    /// `Config` hides the password itself; its hosts are what a log wants.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("hosts", &self.config.get_hosts()).finish_non_exhaustive()
    }
}

fn tls(mode: SslMode) -> Result<MakeRustlsConnect, StoreError> {
    match (mode, MakeRustlsConnect::with_native_certs()) {
        (_, Ok((tls, unreadable))) => {
            for error in unreadable {
                tracing::debug!(%error, "a certificate of the system cannot be read");
            }
            Ok(tls)
        }
        (SslMode::Require, Err(_)) => {
            Err(unusable("TLS is required, but the system has no certificates to verify it with"))
        }
        (_, Err(_)) => trust_nobody(),
    }
}

/// For a server without TLS; one with TLS fails the verification.
fn trust_nobody() -> Result<MakeRustlsConnect, StoreError> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unavailable)?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// Sets a fresh connection up. Asks every time: the server behind the name may have changed.
async fn prepare(client: &mut ClientWrapper) -> Result<(), HookError> {
    client.batch_execute(SESSION).await.map_err(HookError::Backend)?;
    let row = client.query_one(DURABILITY, &[]).await.map_err(HookError::Backend)?;
    let (fsync, commit, standby): (&str, &str, bool) = (row.get(0), row.get(1), row.get(2));
    if let Some(problem) = weakness(fsync, commit, standby) {
        return Err(HookError::message(problem));
    }
    let client: &tokio_postgres::Client = client;
    epoch::check(client).await.map_err(|error| HookError::message(error.to_string()))
}

/// Why a server must not be trusted with acknowledged requests.
fn weakness(fsync: &str, synchronous_commit: &str, standby: bool) -> Option<&'static str> {
    if fsync == "off" {
        return Some("it runs with fsync=off and loses requests when it crashes; turn it on");
    }
    if synchronous_commit == "off" {
        return Some(
            "it runs with synchronous_commit=off and loses requests when it crashes; turn it on",
        );
    }
    if standby {
        return Some("it is a standby, which cannot be written; name the primary");
    }
    None
}

async fn migrate(pool: &Pool) -> Result<(), StoreError> {
    let mut client = pool.get().await.map_err(explain)?;
    let transaction = client.transaction().await.map_err(unavailable)?;
    transaction.batch_execute(MIGRATE_ALONE).await.map_err(unavailable)?;
    transaction.batch_execute(CREATE_SCHEMA_VERSION).await.map_err(refused)?;
    let row = transaction.query_one(READ_SCHEMA_VERSION, &[]).await.map_err(unavailable)?;
    let version: i32 = row.get(0);
    let done = usize::try_from(version).map_err(unavailable)?;
    if done > MIGRATIONS.len() {
        return Err(unusable("its tables were written by a later version of this program"));
    }
    for migration in MIGRATIONS.iter().skip(done) {
        transaction.batch_execute(migration).await.map_err(refused)?;
    }
    let version = i32::try_from(MIGRATIONS.len()).map_err(unavailable)?;
    transaction.execute(WRITE_SCHEMA_VERSION, &[&version]).await.map_err(unavailable)?;
    transaction.commit().await.map_err(unavailable)
}

/// Tells what a person must mend from what may pass.
fn explain(error: PoolError) -> StoreError {
    match error {
        PoolError::PostCreateHook(HookError::Message(problem)) => unusable(problem),
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
            refused(error)
        }
        PoolError::Timeout(_) | PoolError::Closed | PoolError::NoRuntimeSpecified => {
            unavailable(error)
        }
    }
}

fn refused(error: tokio_postgres::Error) -> StoreError {
    let needs_a_person = [
        SqlState::INVALID_PASSWORD,
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
        SqlState::INVALID_CATALOG_NAME,
        SqlState::INSUFFICIENT_PRIVILEGE,
    ];
    if error.code().is_some_and(|code| needs_a_person.contains(code)) {
        return unusable(innermost(&error));
    }
    if innermost(&error).contains("certificate") {
        return unusable(format!(
            "its certificate is not trusted ({}); add its authority to the system's, or say \
             sslmode=disable on a network you trust",
            innermost(&error)
        ));
    }
    unavailable(error)
}

fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

fn unusable(problem: impl Into<String>) -> StoreError {
    StoreError::Unusable { problem: format!("PostgreSQL: {}", problem.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_may_lose_commits_is_refused() {
        assert_eq!(weakness("on", "on", false), None);
        assert_eq!(weakness("on", "remote_apply", false), None);
        assert!(weakness("off", "on", false).unwrap().contains("fsync=off"));
        assert!(weakness("on", "off", false).unwrap().contains("synchronous_commit=off"));
        assert!(weakness("on", "on", true).unwrap().contains("standby"));
    }

    #[test]
    fn an_odd_url_is_refused_without_its_password() {
        let error = Server::parse("postgres://user:secret@host:port/db").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn debug_shows_no_password() {
        let server = Server::parse("postgres://user:secret@host/db?sslmode=verify-full").unwrap();
        assert!(!format!("{server:?}").contains("secret"));
        assert_eq!(server.config.get_ssl_mode(), SslMode::Require);
    }
}
