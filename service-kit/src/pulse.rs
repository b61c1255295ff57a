//! Tells whether something still gets on.

use tokio::sync::watch;

/// Beats as long as its owner gets on. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Pulse(watch::Sender<()>);

impl Pulse {
    /// Got on.
    pub fn beat(&self) {
        self.0.send_replace(());
    }

    /// Waits for the next beat.
    pub async fn next(&self) {
        // Cannot fail: this is a sender itself, so there is one.
        let _still_there = self.0.subscribe().changed().await;
    }
}
