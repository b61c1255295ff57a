//! Who is at the other end.

use std::{fmt, net::SocketAddr, sync::Arc};

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// Who is at the other end of a connection; an extension of each of its requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Where the connection comes from: the client, or the last proxy before us. For a connection
    /// within the process it is loopback, port 0.
    pub address: SocketAddr,
    /// The names in the client's certificate, if it brought one; verified against the authority
    /// that the listener trusts.
    pub certificate: Option<Arc<CertificateNames>>,
}

/// What a certificate calls its owner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificateNames {
    /// The subject's common name.
    pub common_name: Option<String>,
    /// DNS names, in small letters.
    pub dns: Vec<String>,
    /// URIs, such as `spiffe://…`.
    pub uris: Vec<String>,
}

impl CertificateNames {
    /// Reads them; names that cannot be read are left out, so that nobody is known by them.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Self {
        let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
            return Self::default();
        };
        let common_name = certificate.subject().iter_common_name().next();
        let mut names = Self {
            common_name: common_name.and_then(|name| name.as_str().ok()).map(str::to_owned),
            ..Self::default()
        };
        let alternatives = certificate.subject_alternative_name().ok().flatten();
        for name in alternatives.iter().flat_map(|extension| &extension.value.general_names) {
            match name {
                GeneralName::DNSName(dns) => names.dns.push(dns.to_ascii_lowercase()),
                GeneralName::URI(uri) => names.uris.push((*uri).to_owned()),
                _ => {}
            }
        }
        names
    }

    /// All of them, the common name first.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let Self { common_name, dns, uris } = self;
        common_name.iter().chain(dns).chain(uris).map(String::as_str)
    }

    /// Whether it is one of them.
    pub fn contains(&self, name: &str) -> bool {
        self.iter().any(|own| own == name)
    }
}

impl fmt::Display for CertificateNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().collect();
        f.write_str(&names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    #[test]
    fn a_certificates_names_are_its_common_name_and_its_alternatives() {
        let mut params = CertificateParams::new(["IVR.example.org".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "Standard téléphonique");
        let uri = "spiffe://example.org/ivr".try_into().unwrap();
        params.subject_alt_names.push(SanType::URI(uri));
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();

        let names = CertificateNames::of(certificate.der());
        let expected = ["Standard téléphonique", "ivr.example.org", "spiffe://example.org/ivr"];
        assert_eq!(names.iter().collect::<Vec<_>>(), expected);
        assert!(names.contains("ivr.example.org"));
        assert!(!names.contains("example.org"));
    }

    #[test]
    fn what_is_no_certificate_names_nobody() {
        let names = CertificateNames::of(&CertificateDer::from_slice(b"\x30\x03abc"));
        assert_eq!(names, CertificateNames::default());
    }
}
