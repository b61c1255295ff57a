//! A server without a gateway beside it needs an admin port of its own.

use std::{io, net::SocketAddr};

use listener::{Door, admin};
use service_kit::{Shutdown, settings};

use crate::{Config, Error, Server};

/// A server and its admin port; both listen, neither answers yet.
#[derive(Debug)]
pub struct Alone {
    server: Server,
    admin: Door,
}

impl Alone {
    /// Opens the outbox and listens.
    pub async fn bind(config: Config) -> Result<Self, Error> {
        let address = config.admin_listen;
        let admin = admin::open(address, &settings::AUTOMATGLPI_SERVER_ADMIN_LISTEN)
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
        let health = server.health();
        let routes = admin::routes(move || std::future::ready(health.readiness()));
        tokio::select! {
            served = server.run(shutdown) => served,
            never = admin::serve(admin, routes) => match never {},
        }
    }
}
