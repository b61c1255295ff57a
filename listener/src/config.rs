//! A listener's settings.

use access::Networks;
use service_kit::{
    config::Source,
    settings::{self, Setting},
};

use crate::{ClientCertificates, Files, Guards};

/// What a listener needs to know besides its address. The default is a plain one.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The bounds of its connections.
    pub guards: Guards,
    /// Its certificate; without one it is plain.
    pub tls: Option<Files>,
}

/// A gateway brings the calls of all of its callers on one connection.
const GRPC_STREAMS: u32 = 1024;

/// Fewer would shut operators out with everybody else.
const FEWEST_CONNECTIONS: usize = 16;

impl Config {
    /// That of the web gateway. What is missing or wrong is noted in the source.
    pub fn http(source: &Source) -> Self {
        let (certificate, key) =
            (&settings::AUTOMATGLPI_HTTP_TLS_CERT_FILE, &settings::AUTOMATGLPI_HTTP_TLS_KEY_FILE);
        Self { guards: guards(source), tls: files(source, certificate, key, None) }
    }

    /// That of the gRPC server. What is missing or wrong is noted in the source.
    pub fn grpc(source: &Source) -> Self {
        let (certificate, key) =
            (&settings::AUTOMATGLPI_GRPC_TLS_CERT_FILE, &settings::AUTOMATGLPI_GRPC_TLS_KEY_FILE);
        let tls = files(source, certificate, key, clients(source));
        let authority = &settings::AUTOMATGLPI_GRPC_CLIENT_CA_FILE;
        // One half of a pair is told of already.
        let is_plain = source.text(certificate).is_none() && source.text(key).is_none();
        if is_plain && source.text(authority).is_some() {
            source.wrong(authority, "used with AUTOMATGLPI_GRPC_TLS_CERT_FILE and _KEY_FILE");
        }
        Self { guards: Guards { streams: GRPC_STREAMS, ..guards(source) }, tls }
    }
}

fn guards(source: &Source) -> Guards {
    let setting = &settings::AUTOMATGLPI_MAX_CONNECTIONS;
    let connections: usize = source.parse(setting, "a number from 16 up").unwrap_or_default();
    if source.text(setting).is_some() && connections < FEWEST_CONNECTIONS {
        source.wrong(setting, "a number from 16 up");
    }
    let trusted_proxies = &settings::AUTOMATGLPI_TRUSTED_PROXIES;
    Guards {
        connections,
        connections_per_source: connections / 4,
        // What is wrong with it is told where callers are told apart.
        trusted_proxies: source
            .text(trusted_proxies)
            .and_then(|text| text.parse::<Networks>().ok())
            .unwrap_or_default(),
        ..Guards::default()
    }
}

/// Both or neither.
fn files(
    source: &Source,
    certificate: &Setting,
    key: &Setting,
    clients: Option<ClientCertificates>,
) -> Option<Files> {
    match (source.text(certificate), source.text(key)) {
        (Some(certificate), Some(key)) => {
            Some(Files { certificate: certificate.into(), key: key.into(), clients })
        }
        (Some(_), None) => {
            source.wrong(certificate, &format!("set together with {}", key.name));
            None
        }
        (None, Some(_)) => {
            source.wrong(key, &format!("set together with {}", certificate.name));
            None
        }
        (None, None) => None,
    }
}

fn clients(source: &Source) -> Option<ClientCertificates> {
    let setting = &settings::AUTOMATGLPI_GRPC_CLIENT_CERTIFICATES;
    let required = source.choice(setting, ["optional", "required"]) == 1;
    let authority = source.text(&settings::AUTOMATGLPI_GRPC_CLIENT_CA_FILE);
    if required && authority.is_none() {
        // Else everybody would be let in by a server that was to let in only a few.
        source.wrong(setting, "used with AUTOMATGLPI_GRPC_CLIENT_CA_FILE, which is not set");
    }
    let authority = authority?;
    Some(ClientCertificates { authority: authority.into(), required })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(pairs: &[(&str, &str)]) -> Source {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Source::new(pairs, None).unwrap()
    }

    #[test]
    fn the_defaults_are_plain_and_bounded() {
        let source = source(&[]);
        let (http, grpc) = (Config::http(&source), Config::grpc(&source));
        source.finish().unwrap();
        assert_eq!((http.tls, grpc.tls), (None, None));
        assert_eq!(http.guards.connections, Guards::default().connections);
        assert_eq!(http.guards.connections_per_source, Guards::default().connections_per_source);
    }

    #[test]
    fn a_certificate_goes_with_its_key_and_its_clients() {
        let source = source(&[
            ("AUTOMATGLPI_GRPC_TLS_CERT_FILE", "c.pem"),
            ("AUTOMATGLPI_GRPC_TLS_KEY_FILE", "k.pem"),
            ("AUTOMATGLPI_GRPC_CLIENT_CA_FILE", "ca.pem"),
            ("AUTOMATGLPI_GRPC_CLIENT_CERTIFICATES", "required"),
        ]);
        let tls = Config::grpc(&source).tls.unwrap();
        source.finish().unwrap();
        let clients = ClientCertificates { authority: "ca.pem".into(), required: true };
        let expected =
            Files { certificate: "c.pem".into(), key: "k.pem".into(), clients: Some(clients) };
        assert_eq!(tls, expected);
    }

    #[test]
    fn required_client_certificates_are_never_silently_not_asked_for() {
        let required = ("AUTOMATGLPI_GRPC_CLIENT_CERTIFICATES", "required");
        let authority = ("AUTOMATGLPI_GRPC_CLIENT_CA_FILE", "ca.pem");
        let certificate = ("AUTOMATGLPI_GRPC_TLS_CERT_FILE", "c.pem");
        let key = ("AUTOMATGLPI_GRPC_TLS_KEY_FILE", "k.pem");
        for (pairs, missing) in [
            (&[required][..], "AUTOMATGLPI_GRPC_CLIENT_CA_FILE, which is not set"),
            (&[required, certificate, key], "AUTOMATGLPI_GRPC_CLIENT_CA_FILE, which is not set"),
            (&[required, authority], "used with AUTOMATGLPI_GRPC_TLS_CERT_FILE and _KEY_FILE"),
            (&[required, authority, certificate], "together with AUTOMATGLPI_GRPC_TLS_KEY_FILE"),
        ] {
            let source = source(pairs);
            let _config = Config::grpc(&source);
            let problems = source.finish().unwrap_err().to_string();
            assert!(problems.contains(missing), "{pairs:?}: {problems}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_missing() {
        for (pairs, told) in [
            ([("AUTOMATGLPI_HTTP_TLS_CERT_FILE", "c.pem")], "AUTOMATGLPI_HTTP_TLS_KEY_FILE"),
            ([("AUTOMATGLPI_GRPC_TLS_KEY_FILE", "k.pem")], "AUTOMATGLPI_GRPC_TLS_CERT_FILE"),
            ([("AUTOMATGLPI_GRPC_CLIENT_CA_FILE", "a.pem")], "AUTOMATGLPI_GRPC_TLS_CERT_FILE"),
            ([("AUTOMATGLPI_GRPC_CLIENT_CERTIFICATES", "perhaps")], "optional or required"),
            ([("AUTOMATGLPI_MAX_CONNECTIONS", "3")], "a number from 16 up"),
        ] {
            let source = source(&pairs);
            let _both = (Config::http(&source), Config::grpc(&source));
            let problems = source.finish().unwrap_err().to_string();
            assert!(problems.contains(told), "{problems}");
            assert!(problems.contains(pairs[0].0), "{problems}");
        }
    }
}
