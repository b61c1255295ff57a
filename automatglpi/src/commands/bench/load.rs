//! Callers who call again as soon as they have heard the answer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use tokio::{task::JoinSet, time::Instant};

use super::{
    figures::{Figures, Recorder},
    line::{Heard, Line},
};

/// After so many failures a caller gives up: the cell has failed anyway.
const MOST_FAILURES: u64 = 5;

/// How many call, for how long, and what they are to hear.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) callers: u32,
    /// Nobody calls again after this time.
    pub(super) lasting: Duration,
    /// Nor after this many calls of all together.
    pub(super) most_calls: u64,
    /// Any other answer is a failure.
    pub(super) expected: Heard,
}

impl Load {
    /// Runs it to its end.
    pub(super) async fn run(self, line: &Line) -> anyhow::Result<Figures> {
        let begun = Instant::now();
        let left = Arc::new(AtomicU64::new(self.most_calls));
        let mut callers = JoinSet::new();
        for _ in 0..self.callers {
            callers.spawn(self.caller(line.clone(), begun + self.lasting, Arc::clone(&left)));
        }
        let mut all = Recorder::new();
        while let Some(one) = callers.join_next().await {
            all.add(one.context("a caller has died")?);
        }
        Ok(all.finish(begun.elapsed()))
    }

    async fn caller(self, mut line: Line, until: Instant, left: Arc<AtomicU64>) -> Recorder {
        let mut recorder = Recorder::new();
        while recorder.failures() < MOST_FAILURES && Instant::now() < until && take_one(&left) {
            let asked = Instant::now();
            let heard = line.call().await;
            let waited = asked.elapsed();
            match heard {
                Ok(heard) if heard == self.expected => recorder.answered(waited),
                Ok(heard) => recorder.failed(format!("a caller heard {heard:?}")),
                Err(error) => recorder.failed(format!("{error:#}")),
            }
        }
        recorder
    }
}

fn take_one(left: &AtomicU64) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}
