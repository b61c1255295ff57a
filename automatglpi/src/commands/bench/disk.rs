//! How long this disk takes to keep something: no durable answer can be faster.

use std::{fs::File, io::Write as _, path::Path, time::Duration};

use anyhow::Context as _;
use tokio::time::Instant;

const SYNCS: usize = 100;

/// As much as SQLite writes at least.
const PAGE: [u8; 4096] = [1; 4096];

/// The median time to append a page and sync it, in this directory.
pub(super) async fn time_of_a_sync(directory: &Path) -> anyhow::Result<Duration> {
    let path = directory.join("sync");
    let times = tokio::task::spawn_blocking(move || {
        let mut file = File::create(path)?;
        let mut times = Vec::with_capacity(SYNCS);
        for _ in 0..SYNCS {
            let begun = Instant::now();
            file.write_all(&PAGE)?;
            file.sync_data()?;
            times.push(begun.elapsed());
        }
        times.sort_unstable();
        std::io::Result::Ok(times)
    });
    let times = times.await?.with_context(|| format!("cannot write in {}", directory.display()))?;
    Ok(times[SYNCS / 2])
}
