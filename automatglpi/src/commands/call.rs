//! `automatglpi call`: a voice agent's webhook, from the command line.

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use service_kit::{config::Source, settings};

use crate::{cli::Call, one_process::reachable, output};

const SAMPLE: &str = r#"{
  "caller_name": "Marie Dupont",
  "department": "Comptabilité",
  "problem_description": "Imprimante bloquée\nrien ne sort",
  "urgency": "haute"
}"#;

const WEBHOOK: &str = "/webhook/rounded-webhook";

/// The gateway answers within five seconds; whatever takes longer is not the gateway.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

pub(crate) async fn run(config: Option<&Path>, options: Call) -> anyhow::Result<ExitCode> {
    let Call { url, file, sample: _ } = options;
    let source = Source::from_process(config)?;
    let listen = reachable(source.addr(&settings::AUTOMATGLPI_HTTP_LISTEN));
    let is_tls = source.text(&settings::AUTOMATGLPI_HTTP_TLS_CERT_FILE).is_some();
    let scheme = if is_tls { "https" } else { "http" };
    let token = source.secret(&settings::AUTOMATGLPI_WEBHOOK_TOKEN);
    source.finish()?;

    let url = webhook(&url.unwrap_or_else(|| format!("{scheme}://{listen}")));
    let body = match file {
        Some(path) => payload(&path)?,
        None => SAMPLE.into(),
    };
    let client = reqwest::Client::builder().timeout(ANSWER_WITHIN).build()?;
    let mut request = client.post(&url).header("content-type", "application/json").body(body);
    if let Some(token) = token {
        request = request.bearer_auth(token.expose_secret());
    }
    let response = request.send().await.map_err(reqwest::Error::without_url);
    let response = response.with_context(|| format!("no answer from the web gateway at {url}"))?;
    let status = response.status();
    let text = response.text().await.context("the web gateway's answer broke off")?;
    let Ok(reply) = serde_json::from_str::<Value>(&text) else {
        anyhow::bail!("{url} answers {status}, but not as the web gateway does: check --url");
    };
    output::pretty_json(&reply)?;
    let succeeded = status.is_success() && reply["success"] == Value::Bool(true);
    Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn payload(path: &Path) -> anyhow::Result<Vec<u8>> {
    if path == Path::new("-") {
        let mut body = Vec::new();
        io::stdin().read_to_end(&mut body).context("cannot read standard input")?;
        return Ok(body);
    }
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The gateway's address, or that of its webhook → the latter.
fn webhook(url: &str) -> String {
    let base = url.trim_end_matches('/').trim_end_matches(WEBHOOK);
    format!("{base}{WEBHOOK}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateways_address_is_enough() {
        let whole = "http://localhost:8080/webhook/rounded-webhook";
        for url in ["http://localhost:8080", "http://localhost:8080/", whole] {
            assert_eq!(webhook(url), whole);
        }
    }
}
