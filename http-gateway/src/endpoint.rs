//! Where the gRPC server is, and how it is known to be the right one.

use service_kit::{config::Source, settings};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

/// The gRPC server's address, and the authority that vouches for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// `http://HOST:PORT` or `https://HOST:PORT`.
    pub url: String,
    /// Certificates in PEM that are trusted besides the machine's.
    pub authority: Option<Vec<u8>>,
}

/// The address makes no sense.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0:?} should look like http://HOST:PORT or https://HOST:PORT")]
pub struct BadAddress(String);

impl Address {
    /// Reads it; what is missing or wrong is noted in the source.
    pub fn from_source(source: &Source) -> Self {
        let authority = source.certificates(&settings::AUTOMATGLPI_GRPC_CA_FILE);
        let address =
            Self { url: source.required_text(&settings::AUTOMATGLPI_GRPC_URL), authority };
        if !address.url.is_empty() && address.endpoint().is_err() {
            let expected = "an address such as http://127.0.0.1:50051 or https://grpc.example.org";
            source.wrong(&settings::AUTOMATGLPI_GRPC_URL, expected);
        }
        address
    }

    /// What to connect to. A certificate that does not hold is found out when connecting.
    pub fn endpoint(&self) -> Result<Endpoint, BadAddress> {
        let bad = || BadAddress(self.url.clone());
        let endpoint = Endpoint::from_shared(self.url.clone()).map_err(|_invalid| bad())?;
        if endpoint.uri().authority().is_none() {
            return Err(bad());
        }
        match endpoint.uri().scheme_str() {
            Some("http") => Ok(endpoint),
            Some("https") => {
                let authority = self.authority.as_deref().map(Certificate::from_pem);
                let tls = ClientTlsConfig::new().ca_certificates(authority);
                // Fails on a machine that trusts nobody, where a private authority must do.
                let with_the_machines =
                    endpoint.clone().tls_config(tls.clone().with_native_roots());
                with_the_machines.or_else(|_| endpoint.tls_config(tls)).map_err(|_invalid| bad())
            }
            _ => Err(bad()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_and_https_addresses_lead_to_a_server() {
        service_kit::install_tls_provider();
        for (url, is_good) in [
            ("http://127.0.0.1:50051", true),
            ("https://grpc.example.org", true),
            ("https://[::1]:50051", true),
            ("127.0.0.1:50051", false),
            ("ftp://127.0.0.1", false),
            ("https://", false),
            ("http:///path", false),
            ("", false),
        ] {
            let address = Address { url: url.to_owned(), authority: None };
            assert_eq!(address.endpoint().is_ok(), is_good, "{url}");
        }
    }
}
