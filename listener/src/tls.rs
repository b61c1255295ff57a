//! A certificate, and its successors.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use meters::doors;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject as _},
    server::{VerifierBuilderError, WebPkiClientVerifier, danger::ClientCertVerifier},
    version::{TLS12, TLS13},
};
use service_kit::telemetry;
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};
use tokio_rustls::TlsAcceptor;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// How often the files are looked at. They are small, and looking is cheap.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// From when on an expiry is warned of, and how often.
const WARN_BEFORE: Duration = Duration::from_hours(14 * 24);
const WARN_EVERY: Duration = Duration::from_hours(24);

/// Where a certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// PEM file of the chain, the listener's own certificate first.
    pub certificate: PathBuf,
    /// PEM file of the private key.
    pub key: PathBuf,
    /// Whose certificates are taken from clients, if any are.
    pub clients: Option<ClientCertificates>,
}

/// Which certificates are taken from clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificates {
    /// PEM file of the authorities that sign them.
    pub authority: PathBuf,
    /// Whether connections without one are turned away.
    pub required: bool,
}

/// Why files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// A file is not PEM, or holds something else.
    #[error("{} does not hold {expected} in PEM", .path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
        /// What is wrong with it.
        #[source]
        error: pem::Error,
    },
    /// A certificate cannot be read.
    #[error("the certificate in {} cannot be read", .0.display())]
    Certificate(PathBuf),
    /// Key and certificate do not belong together, or their kind is not known.
    #[error("the key in {} cannot be used with the certificate in {}", .key.display(), .certificate.display())]
    Pair {
        /// The chain.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
        /// What rustls says.
        #[source]
        error: rustls::Error,
    },
    /// The authority of clients cannot be used.
    #[error("no client can be verified by {}", .0.display())]
    Authority(PathBuf, #[source] VerifierBuilderError),
}

/// A certificate that can be replaced while connections use it. Cheap to clone.
///
/// A connection keeps the certificate it began with. The whole configuration is replaced and not
/// only the certificate: the authority of clients is a part of it, and so are sessions, which a
/// client could otherwise resume that is no longer trusted.
#[derive(Clone)]
pub struct Tls(Arc<Shared>);

struct Shared {
    files: Files,
    protocols: Vec<Vec<u8>>,
    current: ArcSwap<Current>,
    /// Somebody says that the files have changed.
    told: Notify,
}

struct Current {
    content: Content,
    config: Arc<ServerConfig>,
    not_after: i64,
}

/// What the files hold.
#[derive(PartialEq, Eq)]
struct Content {
    certificate: Vec<u8>,
    key: Vec<u8>,
    authority: Option<Vec<u8>>,
}

impl Tls {
    /// Reads the files; `protocols` are offered to clients (ALPN), the preferred one first.
    pub async fn open(files: Files, protocols: &[&str]) -> Result<Self, TlsError> {
        let protocols: Vec<_> =
            protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let current = Content::read(&files).await?.into_current(&files, &protocols)?;
        let current = ArcSwap::from_pointee(current);
        Ok(Self(Arc::new(Shared { files, protocols, current, told: Notify::new() })))
    }

    /// Takes what the files hold now, for new connections; false if that is in use already. If it
    /// cannot be used, because a file is half written or the key does not match, the old
    /// certificate stays.
    pub async fn reload(&self) -> Result<bool, TlsError> {
        let Shared { files, protocols, current, told: _ } = &*self.0;
        let content = Content::read(files).await?;
        if content == current.load().content {
            return Ok(false);
        }
        current.store(Arc::new(content.into_current(files, protocols)?));
        Ok(true)
    }

    /// Looks at the files now, while its door is open, and logs what came of it.
    pub fn look(&self) {
        self.0.told.notify_one();
    }

    /// When the certificate expires, in seconds of Unix time.
    pub fn not_after(&self) -> i64 {
        self.0.current.load().not_after
    }

    /// For the handshake of one connection.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.0.current.load().config))
    }

    /// Looks at the files again and again, as long as it is polled, and says what came of it: of
    /// the same trouble once.
    pub(crate) async fn keep_fresh(self, listener: doors::Listener) {
        let certificate = self.0.files.certificate.display();
        let name = listener.as_str();
        let mut trouble = None;
        let mut warned: Option<Instant> = None;
        loop {
            doors::certificate_until(listener, self.not_after());
            let remains = self.not_after() - now();
            let is_time = warned.is_none_or(|warned| warned.elapsed() >= WARN_EVERY);
            if remains < WARN_BEFORE.as_secs().cast_signed() && is_time {
                let days = remains / (24 * 60 * 60);
                tracing::warn!(listener = name, %certificate, days, "the certificate expires soon, or has expired");
                warned = Some(Instant::now());
            }
            // Either way: the files are looked at.
            let _elapsed = timeout(LOOK_EVERY, self.0.told.notified()).await;
            match self.reload().await {
                Ok(is_new) => {
                    if is_new {
                        warned = None;
                        tracing::info!(listener = name, %certificate, "new connections get the new certificate");
                    }
                    trouble = None;
                }
                Err(error) => {
                    let told = telemetry::chain(&error);
                    if trouble.as_ref() != Some(&told) {
                        tracing::error!(
                            listener = name,
                            error = told,
                            "the old certificate stays in use"
                        );
                        trouble = Some(told);
                    }
                }
            }
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.0.files).finish_non_exhaustive()
    }
}

impl Content {
    async fn read(files: &Files) -> Result<Self, TlsError> {
        let Files { certificate, key, clients } = files;
        let authority = match clients {
            Some(ClientCertificates { authority, .. }) => Some(read(authority).await?),
            None => None,
        };
        Ok(Self { certificate: read(certificate).await?, key: read(key).await?, authority })
    }

    fn into_current(self, files: &Files, protocols: &[Vec<u8>]) -> Result<Current, TlsError> {
        let chain = certificates(&files.certificate, &self.certificate)?;
        let not_after = not_after(&files.certificate, &chain)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|error| TlsError::Pem {
            path: files.key.clone(),
            expected: "a private key",
            error,
        })?;
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .expect("ring speaks both");
        let builder = match (&files.clients, &self.authority) {
            (Some(clients), Some(authority)) => {
                builder.with_client_cert_verifier(verifier(clients, authority)?)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| TlsError::Pair {
            certificate: files.certificate.clone(),
            key: files.key.clone(),
            error,
        })?;
        config.alpn_protocols = protocols.to_vec();
        Ok(Current { content: self, config: Arc::new(config), not_after })
    }
}

async fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    tokio::fs::read(path).await.map_err(|error| TlsError::Read(path.to_owned(), error))
}

/// At least one.
fn certificates(path: &Path, content: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |error| TlsError::Pem { path: path.to_owned(), expected: "certificates", error };
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(content).collect::<Result<_, _>>().map_err(wrong)?;
    if certificates.is_empty() { Err(wrong(pem::Error::NoItemsFound)) } else { Ok(certificates) }
}

fn not_after(path: &Path, chain: &[CertificateDer<'_>]) -> Result<i64, TlsError> {
    let own = chain.first().and_then(|own| X509Certificate::from_der(own).ok());
    let (_, own) = own.ok_or_else(|| TlsError::Certificate(path.to_owned()))?;
    Ok(own.validity().not_after.timestamp())
}

fn verifier(
    clients: &ClientCertificates,
    authority: &[u8],
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let ClientCertificates { authority: path, required } = clients;
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, authority)? {
        let unreadable = |_| TlsError::Certificate(path.clone());
        roots.add(certificate).map_err(unreadable)?;
    }
    let provider = Arc::new(ring::default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = if *required { builder } else { builder.allow_unauthenticated() };
    builder.build().map_err(|error| TlsError::Authority(path.clone(), error))
}

/// Seconds of Unix time.
#[expect(clippy::disallowed_methods, reason = "certificates expire by the wall clock")]
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_secs().cast_signed()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use tokio::time::sleep;

    use super::*;

    /// A certificate that expires in that year.
    fn install(files: &Files, year: i32) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["voice.test".to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, 1, 1);
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        std::fs::write(&files.certificate, params.self_signed(&key).unwrap().pem()).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn changed_files_are_found_without_a_word() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name| directory.path().join(name);
        let files = Files { certificate: file("c.pem"), key: file("k.pem"), clients: None };
        install(&files, 2100);
        let tls = Tls::open(files.clone(), &["h2"]).await.unwrap();
        let old = tls.not_after();
        assert_eq!(old, 4_102_444_800, "2100-01-01");

        let change = async {
            std::fs::write(&files.certificate, "half").unwrap();
            sleep(3 * LOOK_EVERY).await;
            assert_eq!(tls.not_after(), old, "what cannot be used is not taken");
            install(&files, 2101);
            while tls.not_after() == old {
                sleep(LOOK_EVERY).await;
            }
        };
        tokio::select! {
            () = tls.clone().keep_fresh(doors::Listener::Http) => {}
            changed = timeout(Duration::from_mins(5), change) => changed.unwrap(),
        }
    }
}
