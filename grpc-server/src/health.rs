//! Whether requests can be recorded, told to whoever asks.

use std::time::Duration;

use listener::admin::Readiness;
use service_kit::{Pulse, Shutdown};
use ticketing_core::ticketing::Ticketing;
use ticketing_proto::v1::ticketing_service_server::TicketingServiceServer;
use tokio::{sync::watch, time::timeout};
use tonic::server::NamedService;
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::service::Service;

/// How often the outbox is asked whether it still answers.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// An outbox that has not answered by then cannot record for a caller on the line either.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// Tells who asks over gRPC, and who watches in this process.
#[derive(Debug)]
pub(crate) struct Teller {
    reporter: HealthReporter,
    ready: watch::Sender<bool>,
    /// Beats whenever a question has been answered, whatever the answer.
    pulse: Pulse,
}

/// Whether requests can be recorded, for the admin port. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Health(watch::Receiver<bool>);

impl Health {
    /// Not ready yet, and the end that tells when it is.
    pub(crate) fn unknown() -> (watch::Sender<bool>, Self) {
        let (ready, health) = watch::channel(false);
        (ready, Self(health))
    }

    /// Ready while the outbox answers in time.
    pub fn readiness(&self) -> Readiness {
        if *self.0.borrow() { Ok(()) } else { Err("the outbox does not answer") }
    }
}

impl Teller {
    pub(crate) fn new(reporter: HealthReporter, ready: watch::Sender<bool>, pulse: Pulse) -> Self {
        Self { reporter, ready, pulse }
    }

    /// Asks once: before anybody else can, for a service that was never reported is unknown.
    pub(crate) async fn ask(&self, ticketing: &Ticketing) {
        let answered = timeout(ANSWER_WITHIN, ticketing.can_record()).await;
        self.tell(answered.unwrap_or(false)).await;
        self.pulse.beat();
    }

    /// Asks again and again until shutdown begins. A question that gets no answer in time is told
    /// as such, and waited for: a store that hangs is not asked more while it does.
    pub(crate) async fn keep_asking(self, ticketing: Ticketing, shutdown: Shutdown) {
        let asking = async {
            loop {
                tokio::time::sleep(ASK_EVERY).await;
                let mut question = std::pin::pin!(ticketing.can_record());
                let recording = match timeout(ANSWER_WITHIN, &mut question).await {
                    Ok(recording) => recording,
                    Err(_elapsed) => {
                        self.tell(false).await;
                        question.await
                    }
                };
                self.tell(recording).await;
                self.pulse.beat();
            }
        };
        tokio::select! {
            () = shutdown.soft().cancelled() => {}
            () = asking => {}
        }
        // The admin port is asked until the last call is answered.
        self.ready.send_replace(false);
    }

    async fn tell(&self, recording: bool) {
        let before = self.ready.send_replace(recording);
        if before && !recording {
            tracing::error!("the outbox does not answer: nothing can be recorded");
        } else if !before && recording {
            tracing::info!("requests can be recorded");
        }
        meters::process::recording(recording);
        let status = if recording { ServingStatus::Serving } else { ServingStatus::NotServing };
        let contract = <TicketingServiceServer<Service> as NamedService>::NAME;
        for service in ["", contract] {
            self.reporter.set_service_status(service, status).await;
        }
    }
}
