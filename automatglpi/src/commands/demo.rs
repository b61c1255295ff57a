//! `automatglpi demo`: everything in one process, with a GLPI in memory.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::ExitCode,
};

use anyhow::Context as _;
use glpi_sandbox::{Options, Sandbox};
use service_kit::{
    config::Source,
    settings::{self, Setting},
};

use crate::{
    cli::Demo,
    one_process::{Addresses, Config, Pair},
    output, signals,
};

/// What the demo takes from the configuration: nothing that leads out of it.
const TAKEN: [Setting; 6] = [
    settings::AUTOMATGLPI_LANGUAGE,
    settings::AUTOMATGLPI_FIELDS,
    settings::AUTOMATGLPI_ANSWER_WITHIN,
    settings::AUTOMATGLPI_LOG,
    settings::AUTOMATGLPI_LOG_FORMAT,
    settings::AUTOMATGLPI_OTLP_URL,
];

pub(crate) async fn run(config: Option<&Path>, options: Demo) -> anyhow::Result<ExitCode> {
    let shutdown = signals::listen()?;
    // Removed when dropped, after everything has stopped.
    let directory = tempfile::tempdir().context("cannot make a temporary directory")?;
    let sandbox = start_sandbox(options.glpi).await?;
    let configured = Source::from_process(config)?;
    let source = source(&configured, &options, &sandbox, directory.path())?;
    let pair =
        Pair::bind(Config::read(&source)?).await.map_err(|error| taken_port(error, &options))?;

    output::data(&invitation(pair.addresses()?, &sandbox.url()));
    signals::before_the_second(&shutdown, pair.run(shutdown.clone())).await?;
    sandbox.stop().await;
    Ok(ExitCode::SUCCESS)
}

async fn start_sandbox(port: u16) -> anyhow::Result<Sandbox> {
    let listen = loopback(port);
    let started = Sandbox::start(Options { listen, ..Options::default() }).await;
    started.with_context(|| taken(listen, "--glpi"))
}

/// A configuration of its own: whatever is set for the real GLPI must not be used here.
fn source(
    configured: &Source,
    options: &Demo,
    sandbox: &Sandbox,
    directory: &Path,
) -> anyhow::Result<Source> {
    let taken = TAKEN
        .iter()
        .filter_map(|setting| configured.text(setting).map(|text| (setting.name.to_owned(), text)));
    let Demo { http, grpc, admin, glpi: _ } = options;
    let Options { app_token, user_token, .. } = Options::default();
    let store = format!("sqlite:{}", directory.join("outbox.db").display());
    Ok(Source::new(taken, None)?
        .with(&settings::GLPI_URL, sandbox.url())
        .with(&settings::GLPI_APP_TOKEN, app_token)
        .with(&settings::GLPI_USER_TOKEN, user_token)
        .with(&settings::AUTOMATGLPI_STORE, store)
        .with(&settings::AUTOMATGLPI_HTTP_LISTEN, loopback(*http).to_string())
        .with(&settings::AUTOMATGLPI_GRPC_LISTEN, loopback(*grpc).to_string())
        .with(&settings::AUTOMATGLPI_ADMIN_LISTEN, loopback(*admin).to_string()))
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Says which option moves the port: here no setting does.
fn taken_port(error: anyhow::Error, options: &Demo) -> anyhow::Error {
    let by_server = error.downcast_ref().and_then(|error| match error {
        grpc_server::Error::Listen(address, _) => Some((*address, "--grpc")),
        _ => None,
    });
    let by_gateway = error.downcast_ref().and_then(|error| match error {
        http_gateway::Error::Listen { address, .. } if address.port() == options.http => {
            Some((*address, "--http"))
        }
        http_gateway::Error::Listen { address, .. } => Some((*address, "--admin")),
        _ => None,
    });
    match by_server.or(by_gateway) {
        Some((address, option)) => anyhow::Error::msg(taken(address, option)),
        None => error,
    }
}

fn taken(address: SocketAddr, option: &str) -> String {
    format!(
        "port {port} is taken on {ip}: choose another with `{option} PORT`, or any free one with `{option} 0`",
        port = address.port(),
        ip = address.ip(),
    )
}

/// What is where, and three commands to try.
fn invitation(addresses: Addresses, glpi: &str) -> String {
    let Addresses { http, grpc, admin } = addresses;
    let (http_port, grpc_port) = (http.port(), grpc.port());
    format!(
        r#"AutomatGLPI, with a GLPI in memory

  tickets   {glpi}/
  webhook   http://{http}/webhook/rounded-webhook
  JSON API  http://{http}/docs
  gRPC      {grpc}
  health    http://{admin}/readyz

Try, in another terminal:

  curl -s localhost:{http_port}/webhook/rounded-webhook -H 'content-type: application/json' -d '{{"caller_name":"Marie Dupont","department":"Comptabilité","problem_description":"Imprimante bloquée\nrien ne sort","urgency":"haute"}}'

  curl -s localhost:{http_port}/v1/tickets -H 'content-type: application/json' -d '{{"caller":{{"name":"Marie Dupont"}},"description":"Écran noir","urgency":"low"}}'

  grpcurl -plaintext -d '{{"caller":{{"name":"Marie Dupont"}},"description":"Réseau coupé","urgency":"URGENCY_HIGH"}}' localhost:{grpc_port} ticketing.v1.TicketingService/CreateTicket

Ctrl-C ends it; nothing is kept."#
    )
}
