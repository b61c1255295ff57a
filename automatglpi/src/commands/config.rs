//! `automatglpi config`: every setting as it takes effect.

use std::{path::Path, process::ExitCode};

use serde_json::json;
use service_kit::{config::Source, settings, telemetry};

use crate::{cli::Format, output, tables};

pub(crate) fn run(config: Option<&Path>, format: Format) -> anyhow::Result<ExitCode> {
    let source = Source::from_process(config)?;
    let effective = source.effective();
    if format.json {
        for setting in &effective {
            let (name, value, origin) = (setting.name, &setting.value, &setting.origin);
            output::json(&json!({"name": name, "value": value, "origin": origin}))?;
        }
    } else {
        let rows = effective
            .into_iter()
            .map(|setting| vec![setting.name.to_owned(), setting.value, setting.origin]);
        output::data(&tables::table(&["setting", "value", "from"], rows));
    }
    // Only reading a setting finds out whether its value makes sense.
    let is_without_glpi = is_without_glpi(&source);
    if is_without_glpi {
        grpc_server::config::check_telling(&source);
    } else {
        grpc_server::Config::from_source(&source);
    }
    http_gateway::Config::from_source(&source);
    telemetry::Config::from_source(&source);
    source.finish()?;
    if is_without_glpi {
        output::talk(
            "note: without GLPI_URL, GLPI_APP_TOKEN and GLPI_USER_TOKEN this does for \
             `automatglpi gateway` only",
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// On a machine with a gateway alone GLPI is unknown; on any other at least part of it is set.
fn is_without_glpi(source: &Source) -> bool {
    [&settings::GLPI_URL, &settings::GLPI_APP_TOKEN, &settings::GLPI_USER_TOKEN]
        .iter()
        .all(|setting| source.text(setting).is_none())
}
