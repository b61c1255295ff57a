//! Hints between replicas: a row without a lease has been recorded. Couriers poll anyway; a hint
//! that is lost costs a second.

use std::{error::Error, pin::pin, sync::Arc, time::Duration};

use deadpool_postgres::Pool;
use futures_util::{StreamExt as _, future, stream};
use tokio::sync::{Notify, watch};
use tokio_postgres::AsyncMessage;
use tokio_util::sync::CancellationToken;

use super::server::Server;

const LISTEN: &str = "LISTEN automatglpi_outbox";
const NOTIFY: &str = "NOTIFY automatglpi_outbox";

/// Rows recorded within this time share a hint: PostgreSQL takes a lock on all commits for each.
const GATHERING: Duration = Duration::from_millis(20);

/// Pauses before the connection that listens is made again: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Gives hints when asked to, until `stop`. Never inside an insert's own transaction.
pub(super) async fn give(pool: Pool, wanted: Arc<Notify>, stop: CancellationToken) {
    let giving = async {
        loop {
            wanted.notified().await;
            if let Err(error) = notify(&pool).await {
                tracing::debug!(error, "no hint for other replicas; they poll");
            }
            tokio::time::sleep(GATHERING).await;
        }
    };
    stop.run_until_cancelled(giving).await;
}

async fn notify(pool: &Pool) -> Result<(), Box<dyn Error + Send + Sync>> {
    pool.get().await?.batch_execute(NOTIFY).await?;
    Ok(())
}

/// Takes hints and passes them on, until `stop` or until nobody wants them any more. After each
/// gap it passes one on by itself, for those that fell into the gap.
pub(super) async fn take(server: Server, hints: watch::Sender<()>, stop: CancellationToken) {
    let taking = async {
        let mut pause = FIRST_PAUSE;
        loop {
            match listen(&server, &hints, &mut pause).await {
                Ok(()) => tracing::info!("PostgreSQL ended the connection that listens"),
                Err(error) => {
                    tracing::warn!(error, "not listening for other replicas; polling goes on");
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    };
    let unwanted = async { hints.closed().await };
    tokio::select! {
        () = stop.cancelled() => {}
        () = unwanted => {}
        () = taking => {}
    }
}

/// Listens on a connection of its own until that ends.
async fn listen(
    server: &Server,
    hints: &watch::Sender<()>,
    pause: &mut Duration,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (client, mut connection) = server.config.connect(server.tls.clone()).await?;
    let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
    let mut listening = pin!(client.batch_execute(LISTEN));
    // The connection moves only while its messages are asked for.
    loop {
        match future::select(&mut listening, messages.next()).await {
            future::Either::Left((listens, _)) => break listens?,
            future::Either::Right((Some(message), _)) => drop(message?),
            future::Either::Right((None, _)) => return Ok(()),
        }
    }
    *pause = FIRST_PAUSE;
    hints.send_replace(());
    while let Some(message) = messages.next().await {
        if let AsyncMessage::Notification(_) = message? {
            hints.send_replace(());
        }
    }
    Ok(())
}
