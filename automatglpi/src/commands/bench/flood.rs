//! One client calls at fifty times its limit: what another one's callers notice.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use access::Digest;
use serde::Serialize;
use tokio::{task::JoinSet, time::MissedTickBehavior};
use tonic::Code;

use super::{
    figures::Figures,
    line::{Heard, Line, Way},
    load::Load,
    report::Report,
    world::{Setup, World},
};
use crate::output;

/// What the flooding client may do, and what it does.
const LIMIT_PER_SECOND: u32 = 20;
const FLOOD_PER_SECOND: u32 = 50 * LIMIT_PER_SECOND;

/// The flood comes over so many connections at once.
const FLOODERS: u32 = 8;

/// Callers of the other client: a busy help desk.
const CALLERS: u32 = 4;

/// Requests to GLPI at once: the default, so that what the flooding client may do has room beside
/// the other one.
const IN_FLIGHT: u32 = 8;

const FLOOD_TOKEN: &str = "bench-flood";
const OTHER_TOKEN: &str = "bench-other";

/// One way, before the flood and beside it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Flood {
    pub(super) store: &'static str,
    pub(super) way: Way,
    pub(super) limit_per_second: u32,
    pub(super) offered_per_second: u32,
    /// Calls of the flooding client.
    pub(super) taken: u64,
    pub(super) refused: u64,
    /// Calls of the flooding client that were answered neither way.
    pub(super) odd: u64,
    /// The other client.
    pub(super) before: Figures,
    pub(super) beside: Figures,
    pub(super) ratio_p50: f64,
    pub(super) ratio_p99: f64,
}

/// What became of the flood.
#[derive(Debug, Default)]
struct Answers {
    taken: AtomicU64,
    refused: AtomicU64,
    odd: AtomicU64,
}

pub(super) async fn measure(
    setup: &Setup<'_>,
    lasting: Duration,
    report: &mut Report,
) -> anyhow::Result<()> {
    let setup = Setup { callers: IN_FLIGHT, ..*setup };
    output::talk(&format!(
        "a flood of {FLOOD_PER_SECOND}/s by a client that may make {LIMIT_PER_SECOND}/s, beside {CALLERS} \
         callers of another: {}, GLPI at {} ms",
        setup.store.name(),
        setup.glpi_ms
    ));
    let world = World::guarded(&setup, &clients()).await?;
    for way in [Way::Grpc, Way::Webhook] {
        let other = Line::open(way, &world).await?.by(OTHER_TOKEN)?;
        let load = Load {
            callers: CALLERS,
            lasting,
            most_calls: u64::from(u32::MAX),
            expected: Heard::Created,
        };
        Load { lasting: lasting / 4, ..load }.run(&other).await?;
        let before = load.run(&other).await?;
        let answers = Arc::new(Answers::default());
        let flood = Line::open(way, &world).await?.by(FLOOD_TOKEN)?;
        let flooders = begin(&flood, &answers);
        let beside = load.run(&other).await?;
        // Dropping them ends the flood.
        drop(flooders);
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        report.flood(Flood {
            store: setup.store.name(),
            way,
            limit_per_second: LIMIT_PER_SECOND,
            offered_per_second: FLOOD_PER_SECOND,
            taken: count(&answers.taken),
            refused: count(&answers.refused),
            odd: count(&answers.odd),
            ratio_p50: beside.p50_ms / before.p50_ms,
            ratio_p99: beside.p99_ms / before.p99_ms,
            before,
            beside,
        })?;
    }
    world.end().await
}

fn clients() -> String {
    let digest = |token: &str| Digest::of(token.as_bytes());
    format!(
        "flood create token={} rate={LIMIT_PER_SECOND}/s\nother create token={}",
        digest(FLOOD_TOKEN),
        digest(OTHER_TOKEN)
    )
}

fn begin(line: &Line, answers: &Arc<Answers>) -> JoinSet<()> {
    let mut flooders = JoinSet::new();
    for _ in 0..FLOODERS {
        let (mut line, answers) = (line.clone(), Arc::clone(answers));
        flooders.spawn(async move {
            let mut due =
                tokio::time::interval(Duration::from_secs(1) * FLOODERS / FLOOD_PER_SECOND);
            due.set_missed_tick_behavior(MissedTickBehavior::Burst);
            loop {
                due.tick().await;
                let counter = match line.call().await {
                    Ok(_) => &answers.taken,
                    Err(error) if is_refusal(&error) => &answers.refused,
                    Err(_) => &answers.odd,
                };
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    flooders
}

/// The client was told to come again later.
fn is_refusal(error: &anyhow::Error) -> bool {
    let status = error.downcast_ref::<tonic::Status>().map(tonic::Status::code);
    let http = error.downcast_ref::<reqwest::Error>().and_then(reqwest::Error::status);
    status == Some(Code::ResourceExhausted) || http.is_some_and(|status| status.as_u16() == 429)
}
