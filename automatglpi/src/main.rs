//! The command line of AutomatGLPI: everything the product does, started and looked into by one
//! binary.
//!
//! [`cli`] says what can be typed, [`commands`] holds one file per command, and [`output`] keeps
//! data and talk apart.

use std::process::ExitCode;

use clap::Parser as _;

mod cli;
mod commands;
mod health;
mod one_process;
mod output;
mod service_manager;
mod signals;
mod tables;
mod trouble;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    service_kit::install_tls_provider();
    let done = match tokio::runtime::Runtime::new() {
        Ok(runtime) => {
            let done = runtime.block_on(async {
                let done = run(cli).await;
                service_kit::telemetry::finish().await;
                done
            });
            // Whatever had to be waited for has been: what is left must not delay the end.
            runtime.shutdown_background();
            done
        }
        Err(error) => Err(error.into()),
    };
    done.unwrap_or_else(|error| {
        output::talk(&format!("automatglpi: {}", trouble::tell(&error)));
        trouble::exit_code(&error)
    })
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let Cli { config, command } = cli;
    let config = config.as_deref();
    match command {
        Command::Demo(options) => commands::demo::run(config, options).await,
        Command::Serve(options) => commands::serve::run(config, options).await,
        Command::Server(options) => commands::server::run(config, options).await,
        Command::Gateway => commands::gateway::run(config).await,
        Command::Sandbox(options) => commands::sandbox::run(options).await,
        Command::Call(options) => commands::call::run(config, options).await,
        Command::Check(options) => commands::check::run(config, options).await,
        Command::Notify(order) => commands::notify::run(config, order).await,
        Command::Config(options) => commands::config::run(config, options),
        Command::Health(options) => commands::health::run(config, options).await,
        Command::Token(order) => commands::token::run(order),
        Command::Outbox(order) => commands::outbox::run(config, order).await,
        Command::Bench(options) => commands::bench::run(options).await,
        Command::Completions { shell } => commands::reference::completions(shell),
        Command::Man { directory } => commands::reference::man(&directory),
    }
}
