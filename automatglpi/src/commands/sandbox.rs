//! `automatglpi sandbox`: a GLPI 10 in memory.

use std::process::ExitCode;

use anyhow::Context as _;
use glpi_sandbox::{Language, Options, Sandbox};

use crate::{
    cli::{self, SandboxLanguage},
    output, signals,
};

pub(crate) async fn run(options: cli::Sandbox) -> anyhow::Result<ExitCode> {
    let cli::Sandbox { listen, app_token, user_token, language } = options;
    let language = match language {
        SandboxLanguage::Fr => Language::French,
        SandboxLanguage::En => Language::English,
    };
    let shutdown = signals::listen()?;
    let options = Options { listen, app_token, user_token, language, ..Options::default() };
    let sandbox = Sandbox::start(options).await.with_context(|| {
        format!("cannot listen on {listen}: is it in use? --listen takes another address")
    })?;
    let (at, page) = (sandbox.local_addr(), sandbox.url());
    output::talk(&format!("ready: glpi {at}, a GLPI in memory; its tickets: {page}/"));
    shutdown.soft().cancelled().await;
    tokio::select! {
        () = sandbox.stop() => {}
        () = shutdown.hard().cancelled() => {}
    }
    Ok(ExitCode::SUCCESS)
}
