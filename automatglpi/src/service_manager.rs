//! What systemd is told of us: ready, reloading, stopping, alive. Without systemd nothing is said.
//!
//! systemd restarts a service that has not been alive for `WatchdogSec`. Alive means that it gets
//! on, not that all is well: without its database it tells callers so, which a restart would end.

use std::{net::SocketAddr, time::Duration};

use sd_notify::NotifyState;
use service_kit::{Phase, Pulse, Shutdown};

use crate::health;

/// Signs of life in the time after which systemd takes us for dead: one may be late.
const SIGNS: u32 = 3;

/// What has to get on while the service is alive. That somebody waits for it shows that the runtime
/// does.
#[derive(Debug)]
pub(crate) struct Vitals {
    /// The admin listener: it answers, whatever it answers.
    pub(crate) admin: Option<SocketAddr>,
    /// The outbox answers, whatever it answers.
    pub(crate) outbox: Option<Pulse>,
}

impl Vitals {
    async fn seen(&self) -> anyhow::Result<()> {
        let Self { admin, outbox } = self;
        if let Some(outbox) = outbox {
            outbox.next().await;
        }
        if let Some(admin) = admin {
            health::ask(*admin).await?;
        }
        Ok(())
    }
}

/// Everything listens: says so, and that it is alive until shutdown begins.
pub(crate) fn ready(shutdown: &Shutdown, vitals: Vitals) {
    tell(&[NotifyState::Ready]);
    let Some(patience) = sd_notify::watchdog_enabled() else { return };
    let soft = shutdown.soft().clone();
    shutdown.spawn(async move {
        tokio::select! {
            () = soft.cancelled() => {}
            () = watch(&vitals, patience, || tell(&[NotifyState::Watchdog])) => {}
        }
    });
}

/// The configuration is being read again.
pub(crate) fn reloading(phase: Phase) {
    match phase {
        // systemd 253 and later want to know since when.
        Phase::Begins => match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(_no_clock) => tell(&[NotifyState::Reloading]),
        },
        Phase::Ended => tell(&[NotifyState::Ready]),
    }
}

/// Shutdown has begun.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Gives signs of life, for ever; none while something does not get on.
async fn watch(vitals: &Vitals, patience: Duration, sign: impl Fn()) {
    loop {
        tokio::time::sleep(patience / SIGNS).await;
        match tokio::time::timeout(patience, vitals.seen()).await {
            Ok(Ok(())) => sign(),
            Ok(Err(error)) => tracing::error!("no sign of life for systemd: {error:#}"),
            Err(_elapsed) => tracing::error!("no sign of life for systemd: the outbox hangs"),
        }
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd cannot be told how we are");
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const PATIENCE: Duration = Duration::from_mins(1);

    /// Signs of life in ten minutes.
    async fn signs(vitals: Vitals) -> u32 {
        let signs = Cell::new(0);
        let watching = watch(&vitals, PATIENCE, || signs.set(signs.get() + 1));
        tokio::time::timeout(10 * PATIENCE, watching).await.unwrap_err();
        signs.get()
    }

    #[tokio::test(start_paused = true)]
    async fn an_outbox_that_answers_is_a_sign_of_life_and_one_that_hangs_is_none() {
        let outbox = Pulse::default();
        let beating = async {
            loop {
                tokio::time::sleep(Duration::from_secs(2)).await;
                outbox.beat();
            }
        };
        let vitals = || Vitals { admin: None, outbox: Some(outbox.clone()) };
        let alive = tokio::select! {
            signs = signs(vitals()) => signs,
            () = beating => unreachable!(),
        };
        assert!(alive >= 20, "{alive}");
        assert_eq!(signs(vitals()).await, 0, "nobody beats any more");
    }

    #[tokio::test]
    async fn an_admin_listener_that_is_gone_is_no_sign_of_life() {
        service_kit::install_tls_provider();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let admin = listener.local_addr().unwrap();
        drop(listener);
        Vitals { admin: Some(admin), outbox: None }.seen().await.unwrap_err();
    }
}
