//! Processor time as the kernel counts it: other work on the machine slows callers down, but
//! changes this little.

use std::fs;

use anyhow::Context as _;
use serde::Serialize;

use super::world::World;

/// What Linux tells in `/proc`, on every architecture in use.
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor time spent so far, in ticks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spent {
    server: u64,
    gateway: u64,
    /// The sandbox's and the callers'.
    rest_of_ours: u64,
    cores: Cores,
}

/// What a cell took.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Usage {
    pub(super) server_cpu_us_per_call: f64,
    pub(super) gateway_cpu_us_per_call: f64,
    /// Share of all cores, from 0 to 1, that went to processes that are not the bench's; a database
    /// is one of them. Above a tenth on SQLite, the times are those of the others too.
    pub(super) taken_by_others: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cores {
    busy: u64,
    total: u64,
}

impl Spent {
    pub(super) fn so_far(world: &World) -> anyhow::Result<Self> {
        let World { sandbox, server, gateway, .. } = world;
        let cores = fs::read_to_string("/proc/stat").ok().as_deref().and_then(cores);
        Ok(Self {
            server: of_process(server.process.id()?)?,
            gateway: of_process(gateway.process.id()?)?,
            rest_of_ours: of_process(sandbox.process.id()?)? + of_process(std::process::id())?,
            cores: cores.context("processor time can only be measured on Linux")?,
        })
    }

    /// What was spent since an earlier moment, for so many calls.
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 ticks and calls")]
    pub(super) fn since(self, earlier: Self, calls: u64) -> Usage {
        let (server, gateway) = (self.server - earlier.server, self.gateway - earlier.gateway);
        let ours = server + gateway + (self.rest_of_ours - earlier.rest_of_ours);
        let busy = self.cores.busy.saturating_sub(earlier.cores.busy);
        let total = self.cores.total.saturating_sub(earlier.cores.total);
        let per_call = |ticks: u64| ticks as f64 / TICKS_PER_SECOND * 1e6 / calls.max(1) as f64;
        Usage {
            server_cpu_us_per_call: per_call(server),
            gateway_cpu_us_per_call: per_call(gateway),
            taken_by_others: busy.saturating_sub(ours) as f64 / total.max(1) as f64,
        }
    }
}

fn of_process(pid: u32) -> anyhow::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    let spent = stat.ok().as_deref().and_then(ticks);
    spent.context("the processor time of a process cannot be read: has it ended?")
}

/// User and system time in `/proc/PID/stat`; before them stands a name that may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut times = after_name.split_whitespace().skip(11).map(str::parse::<u64>);
    Some(times.next()?.ok()? + times.next()?.ok()?)
}

/// The first line of `/proc/stat`: all cores together.
fn cores(stat: &str) -> Option<Cores> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    // What follows, time of guests, is contained in the first two.
    let times = line.split_whitespace().take(8).map(str::parse).collect::<Result<Vec<u64>, _>>();
    let times = times.ok()?;
    let &[_user, _nice, _system, idle, waiting_for_disk, ..] = times.as_slice() else {
        return None;
    };
    let total: u64 = times.iter().sum();
    Some(Cores { busy: total - idle - waiting_for_disk, total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processs_time_is_read_past_any_name() {
        let stat = "42 (odd ) name 1 2) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 7 9 20 0 4 0 99";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(ticks("42 (gone"), None);
    }

    #[test]
    fn a_core_that_waits_for_the_disk_is_free() {
        let stat = "cpu  10 1 20 500 60 3 4 5 8 0\ncpu0 5 1 10 250 30 1 2 2 4 0\n";
        assert_eq!(cores(stat), Some(Cores { busy: 43, total: 603 }));
    }
}
