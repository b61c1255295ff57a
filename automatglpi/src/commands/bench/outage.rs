//! What callers hear, and how soon, while GLPI is down and known to be.

use std::time::Duration;

use anyhow::ensure;
use serde::Serialize;
use tokio::time::Instant;

use super::{
    figures::Figures,
    line::{Heard, Line, Way},
    load::Load,
    report::Report,
    world::{ANSWER_WITHIN, Setup, World},
};
use crate::output;

/// Each is a row that stays in the outbox.
const MOST_CALLS: u64 = 100_000;

/// One way while GLPI is down.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Outage {
    pub(super) store: &'static str,
    pub(super) callers: u32,
    pub(super) way: Way,
    #[serde(flatten)]
    pub(super) figures: Figures,
}

/// Lets GLPI die, waits until the server knows it, and measures the answers.
pub(super) async fn measure(
    setup: &Setup<'_>,
    lasting: Duration,
    report: &mut Report,
) -> anyhow::Result<()> {
    output::talk(&format!("GLPI down: {}", setup.describe()));
    let mut world = World::start(setup).await?;
    world.sandbox.dies().await?;
    let grpc = Line::open(Way::Grpc, &world).await?;
    until_the_server_knows(&world, &grpc).await?;
    let mut numbers_of_callers = vec![1, setup.callers];
    numbers_of_callers.dedup();
    for callers in numbers_of_callers {
        for way in [Way::Grpc, Way::Webhook] {
            let line = Line::open(way, &world).await?;
            let load = Load { callers, lasting, most_calls: MOST_CALLS, expected: Heard::Queued };
            let store = setup.store.name();
            report.outage(Outage { store, callers, way, figures: load.run(&line).await? })?;
        }
    }
    world.end().await
}

/// Calls until the server no longer expects GLPI to answer.
pub(super) async fn until_the_server_knows(world: &World, line: &Line) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut line = line.clone();
    while world.server.status().await?.glpi_answers {
        ensure!(begun.elapsed() < ANSWER_WITHIN, "the server does not notice that GLPI is down");
        line.call().await?;
    }
    Ok(())
}
