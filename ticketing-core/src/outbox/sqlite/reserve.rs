//! Room on the disk that is given up when the disk is full: what was acknowledged can still be
//! delivered, and how that ended be recorded, while nothing more is taken on.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use super::file::private_file;

/// Twice what SQLite lets its log grow to, since emptying the log may need as much again.
const BYTES: usize = 8 << 20;

/// A file of nothing beside the outbox.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    spent: AtomicBool,
}

impl Reserve {
    pub(super) fn beside(outbox: &Path) -> Self {
        let mut path = outbox.as_os_str().to_owned();
        path.push(".reserve");
        Self { path: path.into(), spent: AtomicBool::new(false) }
    }

    /// Makes it at the start, if there is room; without it, requests are taken on as long as they
    /// fit.
    pub(super) fn make(&self) {
        let is_there = fs::metadata(&self.path).is_ok_and(|file| file.len() == BYTES as u64);
        if is_there {
            return;
        }
        if let Err(error) = self.fill(BYTES) {
            tracing::warn!(%error, "the disk has no room for the outbox's reserve; make some");
        }
    }

    /// The disk is full and needs it.
    pub(super) fn spend(&self) {
        if !self.spent.swap(true, Ordering::Relaxed) {
            tracing::error!("the disk is full: no request is recorded until there is room again");
        }
        let _there_was_none = fs::remove_file(&self.path);
    }

    /// Nothing more may be taken on.
    pub(super) fn is_spent(&self) -> bool {
        self.spent.load(Ordering::Relaxed)
    }

    /// Makes it again if there is room for twice as much: else it would take back what was just
    /// given.
    pub(super) fn renew(&self) {
        if self.fill(2 * BYTES).is_ok() {
            self.spent.store(false, Ordering::Relaxed);
            tracing::info!("the disk has room again: requests are recorded");
        }
    }

    fn fill(&self, bytes: usize) -> io::Result<()> {
        self.try_to_fill(bytes).inspect_err(|_no_room| {
            let _part = fs::remove_file(&self.path);
        })
    }

    fn try_to_fill(&self, bytes: usize) -> io::Result<()> {
        const BLOCK: usize = 1 << 14;
        let mut file = private_file().write(true).create(true).truncate(true).open(&self.path)?;
        for _ in 0..bytes / BLOCK {
            file.write_all(&[0; BLOCK])?;
        }
        file.set_len(BYTES as u64)
    }
}
