//! Who may call, by client certificate.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use ticketing_proto::v1::{
    GetStatusRequest, operations_service_client::OperationsServiceClient,
    ticketing_service_client::TicketingServiceClient,
};
use tonic::{
    Code, Request, Status,
    transport::{Certificate, Channel, ClientTlsConfig, Identity},
};

use crate::{
    access::clients,
    world::{World, call},
};

const CLIENTS: &str = "\
    console operate certificate=console.example.org\n\
    ivr create certificate=ivr.example.org token=TOKEN(ivr)\n\
    bot create token=TOKEN(bot)";

/// A certificate authority, and the files of a server that it has certified.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer, directory: tempfile::tempdir().unwrap() }
    }

    fn certify(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    async fn world(&self, certificates: &str) -> World {
        let (certificate, key) = self.certify("localhost");
        World::with(&[
            ("AUTOMATGLPI_CLIENTS", &clients(CLIENTS)),
            ("AUTOMATGLPI_GRPC_TLS_CERT_FILE", &self.file("grpc.pem", &certificate)),
            ("AUTOMATGLPI_GRPC_TLS_KEY_FILE", &self.file("grpc.key", &key)),
            ("AUTOMATGLPI_GRPC_CLIENT_CA_FILE", &self.file("ca.pem", &self.issuer.pem())),
            ("AUTOMATGLPI_GRPC_CLIENT_CERTIFICATES", certificates),
        ])
        .await
    }

    fn channel(&self, world: &World, own: Option<(String, String)>) -> Channel {
        let authority = Certificate::from_pem(self.issuer.pem());
        let tls = ClientTlsConfig::new().ca_certificate(authority).domain_name("localhost");
        let tls = match own {
            Some((certificate, key)) => tls.identity(Identity::from_pem(certificate, key)),
            None => tls,
        };
        let address = world.address;
        let endpoint = Channel::from_shared(format!("https://{address}")).unwrap();
        endpoint.tls_config(tls).unwrap().connect_lazy()
    }
}

fn with<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if !token.is_empty() {
        let value = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    request
}

fn code<T>(answer: Result<T, Status>) -> Code {
    answer.err().map_or(Code::Ok, |status| status.code())
}

#[tokio::test]
async fn a_certificate_opens_what_its_client_may_and_nobody_elses() {
    service_kit::install_tls_provider();
    let authority = Authority::new();
    let world = authority.world("optional").await;
    let (unknown, denied, ok) = (Code::Unauthenticated, Code::PermissionDenied, Code::Ok);
    for (certificate, token, to_create, to_operate) in [
        ("", "", unknown, unknown),
        ("", "bot", ok, denied),
        ("", "ivr", unknown, unknown),
        ("console.example.org", "", denied, ok),
        ("console.example.org", "ivr", unknown, unknown),
        ("console.example.org", "wrong", unknown, unknown),
        ("console.example.org", "bot", ok, denied),
        ("ivr.example.org", "", unknown, unknown),
        ("ivr.example.org", "ivr", ok, denied),
        ("nobody.example.org", "", unknown, unknown),
        ("nobody.example.org", "bot", ok, denied),
    ] {
        let own = Some(certificate).filter(|name| !name.is_empty());
        let channel = authority.channel(&world, own.map(|name| authority.certify(name)));
        let mut tickets = TicketingServiceClient::new(channel.clone());
        let key = format!("{certificate}{token}");
        let created = tickets.create_ticket(with(token, call(&key, "panne"))).await;
        assert_eq!(code(created), to_create, "{certificate} with {token} creates");
        let mut operations = OperationsServiceClient::new(channel);
        let told = operations.get_status(with(token, GetStatusRequest {})).await;
        assert_eq!(code(told), to_operate, "{certificate} with {token} operates");
    }
}

#[tokio::test]
async fn without_a_certificate_of_the_authority_no_connection_is_made_if_one_is_required() {
    service_kit::install_tls_provider();
    let (authority, other) = (Authority::new(), Authority::new());
    let world = authority.world("required").await;
    for (own, is_answered) in [
        (None, false),
        (Some(other.certify("console.example.org")), false),
        (Some(authority.certify("console.example.org")), true),
    ] {
        let mut operations = OperationsServiceClient::new(authority.channel(&world, own));
        let told = operations.get_status(GetStatusRequest {}).await;
        assert_eq!(told.is_ok(), is_answered, "{told:?}");
        // Refused in the handshake: nobody was there to say so.
        assert!(told.err().is_none_or(|status| status.code() != Code::Unauthenticated));
    }
}
