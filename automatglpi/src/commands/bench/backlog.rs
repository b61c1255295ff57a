//! What a long outage leaves: rows that wait, a start with them, and callers beside them.

use std::time::Duration;

use anyhow::ensure;
use serde::Serialize;
use ticketing_proto::v1::EntryState;
use tokio::time::Instant;

use super::{
    figures::{Figures, ms},
    line::{Heard, Line, Way},
    load::Load,
    outage::until_the_server_knows,
    report::Report,
    world::{ANSWER_WITHIN, Setup, World},
};
use crate::output;

/// The rows are made by so many callers: enough to share commits.
const MADE_BY: u32 = 64;
const MADE_WITHIN: Duration = Duration::from_mins(30);

/// Fresh calls before the outage and beside the backlog, one after the other.
const FRESH_CALLS: u64 = 200;
const FRESH_WITHIN: Duration = Duration::from_secs(30);

/// How often the server is asked whether it has noticed that GLPI is back.
const ASK_EVERY: Duration = Duration::from_millis(2);

/// Everything about one backlog.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Backlog {
    pub(super) store: &'static str,
    pub(super) glpi_ms: u64,
    pub(super) rows: u64,
    /// Their making, while GLPI was down.
    pub(super) making: Figures,
    /// Memory of the server before, with them, and with them after a fresh start.
    pub(super) before_kib: u64,
    pub(super) with_rows_kib: u64,
    pub(super) restarted_kib: u64,
    /// Start-up after a kill, without rows and with them.
    pub(super) ready_empty_ms: f64,
    pub(super) ready_with_rows_ms: f64,
    /// From GLPI's return until the server had noticed.
    pub(super) noticed_after_ms: f64,
    /// One caller before the outage.
    pub(super) fresh_before: Figures,
    /// The first caller after the return …
    pub(super) first_fresh_ms: f64,
    /// … and the next ones, while the backlog drains.
    pub(super) fresh_beside: Figures,
    pub(super) drained_per_second: f64,
}

/// Makes the rows, restarts with them, lets GLPI return, and calls.
pub(super) async fn measure(
    setup: &Setup<'_>,
    rows: u64,
    report: &mut Report,
) -> anyhow::Result<()> {
    output::talk(&format!("{rows} rows wait: {}", setup.describe()));
    let mut world = World::start(setup).await?;
    let ready_empty = world.server.ready_after;
    let line = Line::open(Way::Grpc, &world).await?;
    let fresh = Load {
        callers: 1,
        lasting: FRESH_WITHIN,
        most_calls: FRESH_CALLS,
        expected: Heard::Created,
    };
    let fresh_before = fresh.run(&line).await?;
    let before_kib = world.server.process.memory()?.resident_kib;

    world.sandbox.goes_down().await?;
    until_the_server_knows(&world, &line).await?;
    let making =
        Load { callers: MADE_BY, lasting: MADE_WITHIN, most_calls: rows, expected: Heard::Queued };
    let making = making.run(&line).await?;
    let with_rows_kib = world.server.process.memory()?.resident_kib;

    world.restart_server().await?;
    let ready_with_rows = world.server.ready_after;
    let restarted_kib = world.server.process.memory()?.resident_kib;
    let mut line = Line::open(Way::Grpc, &world).await?;
    // The new one has to find out for itself.
    until_the_server_knows(&world, &line).await?;

    world.sandbox.works_in(setup.glpi_ms).await?;
    let noticed_after = until_it_is_noticed(&world).await?;
    let waiting = open_rows(&world).await?;
    let asked = Instant::now();
    let first = line.call().await?;
    let first_fresh = asked.elapsed();
    ensure!(first == Heard::Created, "the first caller after GLPI's return heard {first:?}");
    let fresh_beside = fresh.run(&line).await?;
    let drained = waiting.saturating_sub(open_rows(&world).await?);
    let drained_within = asked.elapsed();

    report.backlog(Backlog {
        store: setup.store.name(),
        glpi_ms: setup.glpi_ms,
        rows: making.calls,
        making,
        before_kib,
        with_rows_kib,
        restarted_kib,
        ready_empty_ms: ms(ready_empty),
        ready_with_rows_ms: ms(ready_with_rows),
        noticed_after_ms: ms(noticed_after),
        fresh_before,
        first_fresh_ms: ms(first_fresh),
        fresh_beside,
        drained_per_second: per_second(drained, drained_within),
    })?;
    world.end().await
}

async fn until_it_is_noticed(world: &World) -> anyhow::Result<Duration> {
    let back = Instant::now();
    while !world.server.status().await?.glpi_answers {
        ensure!(back.elapsed() < ANSWER_WITHIN, "the server does not notice that GLPI is back");
        tokio::time::sleep(ASK_EVERY).await;
    }
    Ok(back.elapsed())
}

async fn open_rows(world: &World) -> anyhow::Result<u64> {
    let open = [EntryState::Waiting, EntryState::Sending, EntryState::InDoubt];
    let counts = world.server.status().await?.counts;
    let rows = counts.iter().filter(|count| open.contains(&count.state()));
    Ok(rows.map(|count| count.count).sum())
}

#[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 rows")]
fn per_second(rows: u64, within: Duration) -> f64 {
    rows as f64 / within.as_secs_f64().max(f64::EPSILON)
}
