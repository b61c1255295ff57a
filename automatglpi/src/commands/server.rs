//! `automatglpi server`: the contract alone.

use std::{path::Path, process::ExitCode};

use grpc_server::{Alone, Config};
use service_kit::{Reload, config::Source, settings, telemetry};

use crate::{
    cli::StateDirectory,
    output,
    service_manager::{self, Vitals},
    signals,
};

/// The outbox in the state directory.
const OUTBOX_FILE: &str = "outbox.db";

pub(crate) async fn run(
    config_file: Option<&Path>,
    options: StateDirectory,
) -> anyhow::Result<ExitCode> {
    let source = with_state_directory(Source::from_process(config_file)?, &options);
    let config = Config::from_source(&source);
    let log = telemetry::Config::from_source(&source);
    source.finish()?;
    telemetry::init(&log)?;

    let shutdown = signals::listen()?;
    let listening = async { Ok(Alone::bind(config).await?) };
    let alone = signals::before_the_first(&shutdown, Box::pin(listening)).await?;
    let (grpc, admin) = (alone.server().local_addr()?, alone.admin_addr()?);
    let reload = Reload::new()
        .with(telemetry::reloading)
        .with(alone.server().gate().reloading(grpc))
        .with(alone.server().certificate());
    signals::reload(reload, config_file, &shutdown)?;
    output::ready(&source, &[("grpc", grpc), ("admin", admin)]);
    let vitals = Vitals { admin: Some(admin), outbox: Some(alone.server().pulse()) };
    service_manager::ready(&shutdown, vitals);
    let serving = Box::pin(async { Ok(alone.run(shutdown.clone()).await?) });
    signals::before_the_second(&shutdown, serving).await?;
    Ok(ExitCode::SUCCESS)
}

/// Keeps the outbox in the state directory, if there is one and no store is set.
pub(crate) fn with_state_directory(source: Source, options: &StateDirectory) -> Source {
    let StateDirectory { state_directory } = options;
    let store = &settings::AUTOMATGLPI_STORE;
    let is_set = source
        .effective()
        .iter()
        .any(|setting| setting.name == store.name && setting.origin != "default");
    match state_directory {
        Some(directory) if !is_set => {
            let file = directory.join(OUTBOX_FILE);
            source.with(store, format!("sqlite:{}", file.display()))
        }
        Some(_) | None => source,
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn store(environment: &[(&str, &str)], state_directory: Option<&str>) -> String {
        let environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let options = StateDirectory { state_directory: state_directory.map(Into::into) };
        let source = with_state_directory(Source::new(environment, None).unwrap(), &options);
        source.required_secret(&settings::AUTOMATGLPI_STORE).expose_secret().to_owned()
    }

    #[test]
    fn the_outbox_is_in_the_state_directory_unless_a_store_is_set() {
        let set = [("AUTOMATGLPI_STORE", "sqlite:/elsewhere.db")];
        assert_eq!(store(&[], None), "sqlite:automatglpi.db");
        assert_eq!(store(&[], Some("/var/lib/a")), "sqlite:/var/lib/a/outbox.db");
        assert_eq!(store(&set, Some("/var/lib/a")), "sqlite:/elsewhere.db");
    }
}
