//! What was measured, as tables for people or as JSON lines while it is measured.

use std::time::Duration;

use serde::Serialize;

use super::{
    backlog::Backlog,
    cells::{Cell, Footprint},
    figures::{Figures, ms},
    flood::Flood,
    outage::Outage,
    shown,
};
use crate::{cli::Format, output};

/// Collects results.
#[derive(Debug)]
pub(super) struct Report {
    format: Format,
    pub(super) machine: Option<Machine>,
    pub(super) cells: Vec<Cell>,
    pub(super) footprints: Vec<Footprint>,
    pub(super) outages: Vec<Outage>,
    pub(super) floods: Vec<Flood>,
    pub(super) backlogs: Vec<Backlog>,
    errors: u64,
    first_error: Option<String>,
}

/// What all figures depend on.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Machine {
    pub(super) version: &'static str,
    pub(super) debug_build: bool,
    pub(super) cores: usize,
    /// To append a page to a file and sync it.
    pub(super) disk_sync_p50_ms: f64,
}

/// One line of JSON: what it is about, then itself.
#[derive(Debug, Serialize)]
struct Tagged<'a, T> {
    measured: &'static str,
    #[serde(flatten)]
    result: &'a T,
}

impl Machine {
    pub(super) fn here(sync: Duration) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            debug_build: cfg!(debug_assertions),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            disk_sync_p50_ms: ms(sync),
        }
    }
}

impl Report {
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            machine: None,
            cells: Vec::new(),
            footprints: Vec::new(),
            outages: Vec::new(),
            floods: Vec::new(),
            backlogs: Vec::new(),
            errors: 0,
            first_error: None,
        }
    }

    pub(super) fn machine(&mut self, machine: Machine) -> anyhow::Result<()> {
        self.line("machine", &machine)?;
        self.machine = Some(machine);
        Ok(())
    }

    pub(super) fn cell(&mut self, cell: Cell) -> anyhow::Result<()> {
        self.line("cell", &cell)?;
        self.count_errors(&cell.figures);
        self.cells.push(cell);
        Ok(())
    }

    pub(super) fn footprint(&mut self, footprint: Footprint) -> anyhow::Result<()> {
        self.line("footprint", &footprint)?;
        self.footprints.push(footprint);
        Ok(())
    }

    pub(super) fn outage(&mut self, outage: Outage) -> anyhow::Result<()> {
        self.line("outage", &outage)?;
        self.count_errors(&outage.figures);
        self.outages.push(outage);
        Ok(())
    }

    pub(super) fn flood(&mut self, flood: Flood) -> anyhow::Result<()> {
        self.line("flood", &flood)?;
        for figures in [&flood.before, &flood.beside] {
            self.count_errors(figures);
        }
        self.floods.push(flood);
        Ok(())
    }

    pub(super) fn backlog(&mut self, backlog: Backlog) -> anyhow::Result<()> {
        self.line("backlog", &backlog)?;
        for figures in [&backlog.making, &backlog.fresh_before, &backlog.fresh_beside] {
            self.count_errors(figures);
        }
        self.backlogs.push(backlog);
        Ok(())
    }

    /// What makes the whole run a failure, if anything does.
    pub(super) fn failure(&self) -> Option<String> {
        let first = self.first_error.as_deref().unwrap_or("no reason is known");
        (self.errors > 0).then(|| format!("{} calls failed; the first: {first}", self.errors))
    }

    /// Prints the tables; as JSON everything has been printed already.
    pub(super) fn print(&self) {
        if !self.format.json {
            shown::print(self);
        }
    }

    fn line(&self, measured: &'static str, result: &impl Serialize) -> anyhow::Result<()> {
        if self.format.json {
            output::json(&Tagged { measured, result })?;
        }
        Ok(())
    }

    fn count_errors(&mut self, figures: &Figures) {
        self.errors += figures.errors;
        if self.first_error.is_none() {
            self.first_error.clone_from(&figures.first_error);
        }
    }
}
