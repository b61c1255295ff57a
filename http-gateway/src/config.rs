//! What the gateway needs to know, read once.

use std::{net::SocketAddr, time::Duration};

use secrecy::SecretString;
use service_kit::{config::Source, settings};
use spoken::Language;

use crate::{Address, FieldNames};

/// The gateway's configuration; `docs/configuration.md` tells each name, default and meaning.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where webhooks and `/v1` are served.
    pub listen: SocketAddr,
    /// How connections are taken there.
    pub listener: listener::Config,
    /// Where liveness and readiness are served.
    pub admin_listen: SocketAddr,
    /// Where the gRPC server is.
    pub grpc: Address,
    /// The bearer token the gRPC server expects, if it does.
    pub grpc_token: Option<SecretString>,
    /// Who may call; without anybody only loopback is listened on.
    pub access: access::Rules,
    /// For requests that name none.
    pub language: Language,
    /// Further names of webhook fields.
    pub fields: FieldNames,
    /// How long calls under way may take at shutdown.
    pub shutdown_within: Duration,
}

impl Config {
    /// Reads it; what is missing or wrong is noted in the source, for `finish` to tell.
    pub fn from_source(source: &Source) -> Self {
        let fields =
            "pairs such as nom=caller_name,service=department, with known fields at the right";
        Self {
            listen: source.addr(&settings::AUTOMATGLPI_HTTP_LISTEN),
            listener: listener::Config::http(source),
            admin_listen: source.addr(&settings::AUTOMATGLPI_ADMIN_LISTEN),
            grpc: Address::from_source(source),
            grpc_token: source.secret(&settings::AUTOMATGLPI_GRPC_TOKEN),
            access: access::Rules::from_source(source, access::Surface::Http),
            language: source
                .parse(&settings::AUTOMATGLPI_LANGUAGE, "a spoken language such as fr or en")
                .unwrap_or_default(),
            fields: source.parse(&settings::AUTOMATGLPI_FIELDS, fields).unwrap_or_default(),
            shutdown_within: source.duration(&settings::AUTOMATGLPI_SHUTDOWN_WITHIN),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(pairs: &[(&str, &str)]) -> Source {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Source::new(pairs, None).unwrap()
    }

    #[test]
    fn the_defaults_do() {
        let source = source(&[]);
        let config = Config::from_source(&source);
        source.finish().unwrap();
        assert_eq!(config.listen, "127.0.0.1:8080".parse().unwrap());
        assert_eq!(config.language, Language::default());
        assert_eq!(config.fields, FieldNames::default());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let source = source(&[("AUTOMATGLPI_FIELDS", "a=colour"), ("AUTOMATGLPI_LANGUAGE", "tlh")]);
        Config::from_source(&source);
        let problems = source.finish().unwrap_err().to_string();
        assert!(problems.contains("AUTOMATGLPI_FIELDS"), "{problems}");
        assert!(problems.contains("AUTOMATGLPI_LANGUAGE"), "{problems}");
    }
}
