//! A server without a gateway beside it needs an admin port of its own.

use std::{convert::Infallible, io, net::SocketAddr};

use axum_server::Handle;
use service_kit::{Shutdown, admin, settings};
use tokio::net::TcpListener;

use crate::{Config, Error, Health, Server};

/// A server and its admin port; both listen, neither answers yet.
#[derive(Debug)]
pub struct Alone {
    server: Server,
    admin: TcpListener,
}

impl Alone {
    /// Opens the outbox and listens.
    pub async fn bind(config: Config) -> Result<Self, Error> {
        let address = config.admin_listen;
        let admin = admin::listen(address, &settings::AUTOMATGLPI_SERVER_ADMIN_LISTEN)
            .await
            .map_err(|error| Error::ListenAdmin(address, error))?;
        Ok(Self { server: Server::bind(config).await?, admin })
    }

    /// The server.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The address health and metrics are told on.
    pub fn admin_addr(&self) -> io::Result<SocketAddr> {
        self.admin.local_addr()
    }

    /// Serves as [`Server::run`] does; health is told to the end.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), Error> {
        let Self { server, admin } = self;
        let (health, handle) = (server.health(), Handle::new());
        tokio::select! {
            served = server.run(shutdown) => {
                handle.shutdown();
                served
            }
            never = tell(admin, health, handle.clone()) => match never {},
        }
    }
}

/// What fails here must not end the server.
async fn tell(listener: TcpListener, health: Health, handle: Handle<SocketAddr>) -> Infallible {
    let routes = admin::routes(move || std::future::ready(health.readiness()));
    if let Err(error) = admin::serve(listener, routes, handle).await {
        tracing::error!(%error, "the admin port failed");
    }
    std::future::pending().await
}
