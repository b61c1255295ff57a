//! The results as tables for people.

use super::{
    backlog::Backlog,
    cells::{Cell, Footprint},
    cpu::Usage,
    figures::Figures,
    flood::Flood,
    line::Way,
    outage::Outage,
    report::{Machine, Report},
};
use crate::{output, tables};

/// Prints what has been measured so far.
pub(super) fn print(report: &Report) {
    if let Some(machine) = report.machine {
        output::data(&describe(machine));
    }
    section(
        "Calls, times in ms; + is added to the direct way, µs is processor time per call, others \
         is what processes of others took of the cores",
        CELLS,
        &report.cells,
        cell_row,
    );
    section(
        "Processes, times in ms, memory in MiB; the peak is under the load above",
        FOOTPRINTS,
        &report.footprints,
        footprint_row,
    );
    section(
        "GLPI down and known to be: callers hear “recorded”; times in ms",
        OUTAGES,
        &report.outages,
        outage_row,
    );
    section(
        "A client that calls at 50 times its limit, beside another one; times of the other one, in \
         ms, before → beside",
        FLOODS,
        &report.floods,
        flood_row,
    );
    for backlog in &report.backlogs {
        output::data(&format!("\nA backlog, on {}", backlog.store));
        output::data(&tables::pairs(backlog_pairs(backlog)));
    }
}

fn describe(machine: Machine) -> String {
    let Machine { version, debug_build, cores, disk_sync_p50_ms } = machine;
    let build = if debug_build { "debug build" } else { "release build" };
    format!(
        "automatglpi {version}, {build}, {cores} cores shared by all processes and the callers; \
         this disk syncs in {disk_sync_p50_ms:.2} ms"
    )
}

fn section<T>(title: &str, headings: &[&str], results: &[T], row: fn(&T) -> Vec<String>) {
    if !results.is_empty() {
        output::data(&format!("\n{title}"));
        output::data(&tables::table(headings, results.iter().map(row)));
    }
}

const CELLS: &[&str] = &[
    "round",
    "store",
    "glpi",
    "callers",
    "way",
    "calls/s",
    "p50",
    "p90",
    "p99",
    "max",
    "+p50",
    "+p99",
    "×p50",
    "glpi/call",
    "server µs",
    "gateway µs",
    "others",
    "errors",
];

fn cell_row(cell: &Cell) -> Vec<String> {
    let Cell { round, store, glpi_ms, callers, way, figures, glpi_requests_per_call, usage, added } =
        cell;
    let &Usage { server_cpu_us_per_call, gateway_cpu_us_per_call, taken_by_others } = usage;
    let [per_second, p50, p90, p99, max] = waits(figures);
    let (added_p50, added_p99, ratio) = match added {
        Some(added) => (two(added.p50_ms), two(added.p99_ms), format!("{:.1}", added.ratio)),
        None => (String::new(), String::new(), String::new()),
    };
    vec![
        round.to_string(),
        (*store).to_owned(),
        glpi_ms.to_string(),
        callers.to_string(),
        way.name().to_owned(),
        per_second,
        p50,
        p90,
        p99,
        max,
        added_p50,
        added_p99,
        ratio,
        format!("{glpi_requests_per_call:.3}"),
        format!("{server_cpu_us_per_call:.0}"),
        format!("{gateway_cpu_us_per_call:.0}"),
        format!("{:.0} %", taken_by_others * 100.0),
        figures.errors.to_string(),
    ]
}

const FOOTPRINTS: &[&str] = &[
    "round",
    "store",
    "glpi",
    "callers",
    "server ready",
    "gateway ready",
    "server idle",
    "gateway idle",
    "both idle",
    "server peak",
    "gateway peak",
    "both peak",
];

fn footprint_row(footprint: &Footprint) -> Vec<String> {
    let &Footprint {
        round,
        store,
        glpi_ms,
        callers,
        server_ready_ms,
        gateway_ready_ms,
        server_idle_kib,
        gateway_idle_kib,
        server_peak_kib,
        gateway_peak_kib,
    } = footprint;
    vec![
        round.to_string(),
        store.to_owned(),
        glpi_ms.to_string(),
        callers.to_string(),
        format!("{server_ready_ms:.0}"),
        format!("{gateway_ready_ms:.0}"),
        mib(server_idle_kib),
        mib(gateway_idle_kib),
        mib(server_idle_kib + gateway_idle_kib),
        mib(server_peak_kib),
        mib(gateway_peak_kib),
        mib(server_peak_kib + gateway_peak_kib),
    ]
}

const OUTAGES: &[&str] =
    &["store", "callers", "way", "calls/s", "p50", "p90", "p99", "max", "errors"];

fn outage_row(outage: &Outage) -> Vec<String> {
    let Outage { store, callers, way, figures } = outage;
    let [per_second, p50, p90, p99, max] = waits(figures);
    let way = Way::name(*way).to_owned();
    let errors = figures.errors.to_string();
    vec![(*store).to_owned(), callers.to_string(), way, per_second, p50, p90, p99, max, errors]
}

fn backlog_pairs(backlog: &Backlog) -> Vec<(&'static str, String)> {
    let Backlog {
        store: _,
        glpi_ms,
        rows,
        making,
        before_kib,
        with_rows_kib,
        restarted_kib,
        ready_empty_ms,
        ready_with_rows_ms,
        noticed_after_ms,
        fresh_before,
        first_fresh_ms,
        fresh_beside,
        drained_per_second,
    } = backlog;
    let fresh = |figures: &Figures| {
        let [_, p50, _, p99, max] = waits(figures);
        format!("p50 {p50}, p99 {p99}, max {max} ms")
    };
    vec![
        ("rows waiting", format!("{rows}, made at {:.0}/s", making.calls_per_second)),
        (
            "server memory",
            format!(
                "{} MiB before, {} with them, {} after a restart with them",
                mib(*before_kib),
                mib(*with_rows_kib),
                mib(*restarted_kib)
            ),
        ),
        (
            "server ready",
            format!(
                "{ready_empty_ms:.0} ms without rows, {ready_with_rows_ms:.0} with them after a kill"
            ),
        ),
        ("GLPI back", format!("noticed after {noticed_after_ms:.0} ms")),
        ("fresh calls before", format!("{} (GLPI at {glpi_ms} ms)", fresh(fresh_before))),
        (
            "first fresh call",
            format!(
                "{} ms, {} added",
                two(*first_fresh_ms),
                two(first_fresh_ms - fresh_before.p50_ms)
            ),
        ),
        ("fresh calls beside", fresh(fresh_beside)),
        ("backlog drained", format!("{drained_per_second:.0}/s meanwhile")),
    ]
}

const FLOODS: &[&str] = &[
    "store", "way", "limit", "flood", "taken", "refused", "odd", "p50", "p99", "×p50", "×p99",
    "errors",
];

fn flood_row(flood: &Flood) -> Vec<String> {
    let Flood {
        store,
        way,
        limit_per_second,
        offered_per_second,
        taken,
        refused,
        odd,
        before,
        beside,
        ratio_p50,
        ratio_p99,
    } = flood;
    let beside_of = |before: f64, beside: f64| format!("{} → {}", two(before), two(beside));
    vec![
        (*store).to_owned(),
        way.name().to_owned(),
        format!("{limit_per_second}/s"),
        format!("{offered_per_second}/s"),
        taken.to_string(),
        refused.to_string(),
        odd.to_string(),
        beside_of(before.p50_ms, beside.p50_ms),
        beside_of(before.p99_ms, beside.p99_ms),
        format!("{ratio_p50:.1}"),
        format!("{ratio_p99:.1}"),
        (before.errors + beside.errors).to_string(),
    ]
}

fn waits(figures: &Figures) -> [String; 5] {
    let Figures { calls_per_second, p50_ms, p90_ms, p99_ms, max_ms, .. } = figures;
    let per_second = format!("{calls_per_second:.0}");
    [per_second, two(*p50_ms), two(*p90_ms), two(*p99_ms), two(*max_ms)]
}

fn two(value: f64) -> String {
    format!("{value:.2}")
}

#[expect(clippy::cast_precision_loss, reason = "memory is below 2^52 KiB")]
fn mib(kib: u64) -> String {
    format!("{:.1}", kib as f64 / 1024.0)
}
