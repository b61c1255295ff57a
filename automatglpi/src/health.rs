//! Asks a running service how it is, as orchestrators do.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;

use crate::one_process::reachable;

/// Readiness is answered within a second, or something is wrong.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// What a service says of itself.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) is_ready: bool,
    pub(crate) said: String,
}

/// Asks `/readyz` of the service whose admin listener this is; an error if nobody answers.
pub(crate) async fn ask(admin: SocketAddr) -> anyhow::Result<Answer> {
    let url = format!("http://{}/readyz", reachable(admin));
    let answer = async {
        // It is this machine: no proxy, and no certificates, which a container may lack.
        let client = reqwest::Client::builder();
        let client = client.timeout(ANSWER_WITHIN).no_proxy().tls_certs_only([]).build()?;
        let response = client.get(&url).send().await?;
        let is_ready = response.status().is_success();
        anyhow::Ok(Answer { is_ready, said: response.text().await?.trim().to_owned() })
    };
    answer.await.with_context(|| format!("no answer from {url}"))
}
