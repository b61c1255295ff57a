//! The gRPC server and the web gateway in one process, for `serve` and `demo`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use access::{Client, Name, NewToken, Role};
use anyhow::Context as _;
use grpc_server::Server;
use http_gateway::Gateway;
use service_kit::{Pulse, Reload, Shutdown, config::Source, telemetry};

/// All that the two are configured by.
pub(crate) struct Config {
    server: grpc_server::Config,
    gateway: http_gateway::Config,
}

/// Both listen, neither answers yet.
pub(crate) struct Pair {
    server: Server,
    gateway: Gateway,
}

/// Where they listen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    pub(crate) http: SocketAddr,
    pub(crate) grpc: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Config {
    /// Reads it, or tells everything that is wrong; begins to log.
    pub(crate) fn read(source: &Source) -> anyhow::Result<Self> {
        let server = grpc_server::Config::from_source(source);
        let gateway = http_gateway::Config::from_source(source);
        let log = telemetry::Config::from_source(source);
        source.finish()?;
        telemetry::init(&log)?;
        Ok(Self { server, gateway })
    }
}

impl Pair {
    /// Opens the outbox and listens; the gateway finds the server within the process, whatever
    /// address and certificate others find it by.
    pub(crate) async fn bind(config: Config) -> anyhow::Result<Self> {
        let Config { mut server, mut gateway } = config;
        // Whoever else may call: the gateway calls for its clients, under a token of this process.
        let NewToken { secret, digest } =
            NewToken::draw().context("the system gives no randomness")?;
        let name = Name::parse("gateway").expect("letters are a name");
        let insider = Client::new(name, &[Role::Relay]).with_token(digest);
        server.access = server.access.with_insider(insider);
        gateway.grpc_token = Some(secret);
        let server = Server::bind(server).await?;
        let gateway = Gateway::bind_beside(server.inside(), gateway).await?;
        Ok(Self { server, gateway })
    }

    pub(crate) fn addresses(&self) -> anyhow::Result<Addresses> {
        Ok(Addresses {
            http: self.gateway.local_addr()?,
            grpc: self.server.local_addr()?,
            admin: self.gateway.admin_addr()?,
        })
    }

    /// What can be changed while they run.
    pub(crate) fn reload(&self) -> anyhow::Result<Reload> {
        let (server, gateway) = (&self.server, &self.gateway);
        Ok(Reload::new()
            .with(telemetry::reloading)
            .with(server.gate().reloading(server.local_addr()?))
            .with(gateway.gate().reloading(gateway.local_addr()?))
            .with(server.certificate())
            .with(gateway.certificate()))
    }

    /// Beats whenever the outbox has answered.
    pub(crate) fn pulse(&self) -> Pulse {
        self.server.pulse()
    }

    /// Serves until shutdown begins, then stops from the outside in: the gateway answers its calls
    /// before the server stops.
    pub(crate) async fn run(self, outside: Shutdown) -> anyhow::Result<()> {
        let Self { server, gateway } = self;
        let inside = Shutdown::new();
        let gateway = Box::pin(async {
            let ended = gateway.run(outside.clone()).await;
            inside.begin();
            ended
        });
        let server = Box::pin(async {
            let ended = server.run(inside.clone()).await;
            // Without the server the gateway could only refuse.
            outside.begin();
            ended
        });
        let (gateway, server) = tokio::join!(gateway, server);
        server?;
        gateway?;
        Ok(())
    }
}

/// Where a client on this machine finds a listener: that of any address is found on loopback.
pub(crate) fn reachable(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    SocketAddr::new(ip, listener.port())
}
