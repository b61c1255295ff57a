//! Each way under load, in a world of its own, against the floor of the same round.

use std::time::Duration;

use serde::Serialize;

use super::{
    cpu::{Spent, Usage},
    figures::{Figures, ms},
    line::{Heard, Line, Way},
    load::Load,
    process::Memory,
    report::Report,
    world::{Setup, World},
};
use crate::output;

/// Calls that open connections, log in and fill caches before anything is counted.
const WARM_UP: Duration = Duration::from_millis(300);

/// The sandbox keeps every ticket in memory, at about a kilobyte each.
const MOST_CALLS: u64 = 500_000;

/// One way under one load.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Cell {
    pub(super) round: u32,
    pub(super) store: &'static str,
    pub(super) glpi_ms: u64,
    pub(super) callers: u32,
    pub(super) way: Way,
    #[serde(flatten)]
    pub(super) figures: Figures,
    /// Counted by the sandbox.
    pub(super) glpi_requests_per_call: f64,
    #[serde(flatten)]
    pub(super) usage: Usage,
    /// Against the direct way; none for that itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) added: Option<Added>,
}

/// What a way costs beyond the floor.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Added {
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    /// The median as a multiple of the floor's.
    #[serde(rename = "ratio_p50")]
    pub(super) ratio: f64,
}

/// What the processes of one world took.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Footprint {
    pub(super) round: u32,
    pub(super) store: &'static str,
    pub(super) glpi_ms: u64,
    pub(super) callers: u32,
    pub(super) server_ready_ms: f64,
    pub(super) gateway_ready_ms: f64,
    /// Before the first call.
    pub(super) server_idle_kib: u64,
    pub(super) gateway_idle_kib: u64,
    /// Under the heaviest of the loads.
    pub(super) server_peak_kib: u64,
    pub(super) gateway_peak_kib: u64,
}

/// Measures all ways; even rounds go in the other order.
pub(super) async fn measure(
    round: u32,
    setup: &Setup<'_>,
    lasting: Duration,
    report: &mut Report,
) -> anyhow::Result<()> {
    output::talk(&format!("round {round}: {}", setup.describe()));
    let world = World::start(setup).await?;
    let idle = memory(&world)?;

    let mut ways = Way::ALL;
    if round.is_multiple_of(2) {
        ways.reverse();
    }
    let mut cells = Vec::new();
    for way in ways {
        cells.push(cell(round, setup, &world, way, lasting).await?);
    }
    let peak = memory(&world)?;

    let floor = cells.iter().find(|cell| cell.way == Way::Direct).map(|cell| cell.figures.clone());
    for mut cell in cells {
        cell.added = floor.as_ref().filter(|_| cell.way != Way::Direct).map(|floor| Added {
            p50_ms: cell.figures.p50_ms - floor.p50_ms,
            p99_ms: cell.figures.p99_ms - floor.p99_ms,
            ratio: cell.figures.p50_ms / floor.p50_ms,
        });
        report.cell(cell)?;
    }
    report.footprint(Footprint {
        round,
        store: setup.store.name(),
        glpi_ms: setup.glpi_ms,
        callers: setup.callers,
        server_ready_ms: ms(world.server.ready_after),
        gateway_ready_ms: ms(world.gateway.ready_after),
        server_idle_kib: idle.server.resident_kib,
        gateway_idle_kib: idle.gateway.resident_kib,
        server_peak_kib: peak.server.peak_kib,
        gateway_peak_kib: peak.gateway.peak_kib,
    })?;
    world.end().await
}

async fn cell(
    round: u32,
    setup: &Setup<'_>,
    world: &World,
    way: Way,
    lasting: Duration,
) -> anyhow::Result<Cell> {
    let line = Line::open(way, world).await?;
    let load =
        Load { callers: setup.callers, lasting, most_calls: MOST_CALLS, expected: Heard::Created };
    Load { lasting: WARM_UP, ..load }.run(&line).await?;
    let before = world.sandbox.requests().await?;
    let spent = Spent::so_far(world)?;
    let figures = load.run(&line).await?;
    let usage = Spent::so_far(world)?.since(spent, figures.calls);
    let requests = world.sandbox.requests().await? - before;
    Ok(Cell {
        round,
        store: setup.store.name(),
        glpi_ms: setup.glpi_ms,
        callers: setup.callers,
        way,
        glpi_requests_per_call: per_call(requests, figures.calls),
        usage,
        figures,
        added: None,
    })
}

struct Memories {
    server: Memory,
    gateway: Memory,
}

fn memory(world: &World) -> anyhow::Result<Memories> {
    let World { server, gateway, .. } = world;
    Ok(Memories { server: server.process.memory()?, gateway: gateway.process.memory()? })
}

#[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 requests")]
fn per_call(requests: u64, calls: u64) -> f64 {
    requests as f64 / calls.max(1) as f64
}
