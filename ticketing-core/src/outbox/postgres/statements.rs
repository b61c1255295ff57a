//! Running statements: prepared once per connection, and nearly each a transaction of its own, so
//! that a connection is never given back in the middle of one.

use std::error::Error;

use deadpool_postgres::{Client, GenericClient};
use futures_util::future;
use tokio_postgres::{Row, types::ToSql};

/// What a statement gives; whatever went wrong, the store is unavailable.
pub(super) type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const BEGIN: &str = "BEGIN";
const COMMIT: &str = "COMMIT";

/// Values of a statement.
pub(super) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Runs a cached statement; returns how many rows it changed.
pub(super) async fn execute(
    client: &impl GenericClient,
    statement: &str,
    values: Values<'_>,
) -> Result<u64> {
    let statement = client.prepare_cached(statement).await?;
    Ok(client.execute(&statement, values).await?)
}

/// Runs two statements in one transaction, for what follows from a row's change: the second sees
/// what others have committed while the first waited for them. Returns how many rows the first
/// changed.
///
/// All of it leaves at once, in this order: one round trip, and nobody can leave it half sent. If
/// a statement fails, so do those after it, and the server makes a rollback of the commit.
pub(super) async fn execute_both(
    client: &Client,
    first: (&str, Values<'_>),
    second: (&str, Values<'_>),
) -> Result<u64> {
    let (first_statement, second_statement) =
        (client.prepare_cached(first.0).await?, client.prepare_cached(second.0).await?);
    let (began, changed, followed, committed) = future::join4(
        client.batch_execute(BEGIN),
        client.execute(&first_statement, first.1),
        client.execute(&second_statement, second.1),
        client.batch_execute(COMMIT),
    )
    .await;
    began?;
    let changed = changed?;
    followed?;
    committed?;
    Ok(changed)
}

pub(super) async fn query(
    client: &impl GenericClient,
    statement: &str,
    values: Values<'_>,
) -> Result<Vec<Row>> {
    let statement = client.prepare_cached(statement).await?;
    Ok(client.query(&statement, values).await?)
}

pub(super) async fn query_opt(
    client: &impl GenericClient,
    statement: &str,
    values: Values<'_>,
) -> Result<Option<Row>> {
    let statement = client.prepare_cached(statement).await?;
    Ok(client.query_opt(&statement, values).await?)
}
