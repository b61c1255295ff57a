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

/// What a certificate calls its owner: the subject's common name, DNS names in small letters, and
/// URIs such as `spiffe://…`, in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificateNames(Vec<String>);

impl CertificateNames {
    /// Reads them; names that cannot be read are left out, so that nobody is known by them.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Self {
        let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
            return Self::default();
        };
        let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
        let extension = certificate.subject_alternative_name().ok().flatten();
        let alternatives = || extension.iter().flat_map(|extension| &extension.value.general_names);
        let dns = alternatives().filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        });
        let uris = alternatives().filter_map(|name| match name {
            GeneralName::URI(name) => Some((*name).to_owned()),
            _ => None,
        });
        Self(common.take(1).map(str::to_owned).chain(dns).chain(uris).collect())
    }

    /// All of them.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for CertificateNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
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
        assert_eq!(names.as_slice(), expected);
    }

    #[test]
    fn what_is_no_certificate_names_nobody() {
        let names = CertificateNames::of(&CertificateDer::from_slice(b"\x30\x03abc"));
        assert_eq!(names, CertificateNames::default());
    }
}
