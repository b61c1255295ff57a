//! GLPI behind a certificate that the machine does not trust.

use std::convert::Infallible;

use glpi_sandbox::{Options, Sandbox};
use http_body_util::Full;
use hyper::{Response, body::Bytes};
use listener::{Door, Files, Guards, Protocols};
use tempfile::TempDir;
use ticketing_core::glpi::{
    Config,
    check::{Finding, Verdict},
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::service_fn;

use crate::world::{client_of, config};

/// A web server with a certificate of its own making; it knows no page.
struct Server {
    url: String,
    authority: Vec<u8>,
    _running: JoinSet<()>,
    _directory: TempDir,
}

impl Server {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = |name| directory.path().join(name);
        let files = Files { certificate: file("c.pem"), key: file("k.pem"), clients: None };
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&files.certificate, own.cert.pem()).unwrap();
        std::fs::write(&files.key, own.signing_key.serialize_pem()).unwrap();
        let config = listener::Config { guards: Guards::default(), tls: Some(files) };
        let address = "127.0.0.1:0".parse().unwrap();
        let door = Door::open(address, Protocols::Http1And2, config).await.unwrap();
        let url = format!("https://localhost:{}", door.local_addr().unwrap().port());
        let mut running = JoinSet::new();
        running.spawn(door.serve(
            service_fn(|_request| async {
                let mut nothing = Response::new(Full::<Bytes>::default());
                *nothing.status_mut() = hyper::StatusCode::NOT_FOUND;
                Ok::<_, Infallible>(nothing)
            }),
            CancellationToken::new(),
        ));
        let authority = own.cert.pem().into_bytes();
        Self { url, authority, _running: running, _directory: directory }
    }

    fn config(&self) -> Config {
        config(self.url.clone(), "app", "user", None)
    }
}

async fn findings(config: Config) -> Vec<Finding> {
    client_of(config).check().await
}

/// The step that is bad.
fn bad(findings: &[Finding]) -> &'static str {
    findings.iter().find(|finding| matches!(finding.verdict, Verdict::Bad(_))).unwrap().step
}

#[tokio::test]
async fn an_unknown_certificate_is_refused_with_the_way_to_name_its_authority() {
    let server = Server::start().await;
    let findings = findings(server.config()).await;
    assert_eq!(bad(&findings), "GLPI's address answers");
    let Verdict::Bad(fault) = &findings[0].verdict else { panic!("{findings:?}") };
    assert!(fault.cure.contains("GLPI_CA_FILE"), "{fault:?}");
}

#[tokio::test]
async fn a_named_authority_is_trusted() {
    let server = Server::start().await;
    let config = Config { extra_ca_pem: Some(server.authority.clone()), ..server.config() };
    assert_eq!(bad(&findings(config).await), "it is GLPI's API");
}

#[tokio::test]
async fn without_verification_any_certificate_will_do_and_the_check_says_so() {
    let server = Server::start().await;
    let config = Config { verify_certificate: false, ..server.config() };
    let findings = findings(config).await;
    assert_eq!(bad(&findings), "it is GLPI's API");
    let Verdict::Doubtful(fault) = &findings[0].verdict else { panic!("{findings:?}") };
    assert!(fault.meaning.contains("GLPI_TLS_VERIFY=no"), "{fault:?}");
}

#[tokio::test]
async fn https_to_a_plain_port_is_told_as_that() {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let url = sandbox.url().replace("http://", "https://");
    let findings = findings(config(url, "app", "user", None)).await;
    let Verdict::Bad(fault) = &findings[0].verdict else { panic!("{findings:?}") };
    assert!(fault.cure.contains("http:// instead of https://"), "{fault:?}");
}
