//! A door with small services behind it, certificates made for the test, and raw clients.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Bytes, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use listener::{
    ClientCertificates, Config, Door, Files, Guards, Inside, Peer, Protocols, Tls, Traffic,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{PrivateKeyDer, ServerName},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    sync::Semaphore,
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::service_fn;

/// Far longer than anything here takes: a test that reaches it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) closing: CancellationToken,
    pub(crate) tasks: TaskTracker,
    pub(crate) traffic: Traffic,
    pub(crate) inside: Inside,
    pub(crate) tls: Option<Tls>,
    gate: Gate,
}

impl World {
    pub(crate) async fn new(protocols: Protocols, guards: Guards, tls: Option<Files>) -> Self {
        let address = "127.0.0.1:0".parse().unwrap();
        let door = Door::open(address, protocols, Config { guards, tls }).await.unwrap();
        let (closing, tasks) = (CancellationToken::new(), TaskTracker::new());
        let gate = Gate::default();
        let behind = gate.clone();
        let service = service_fn(move |request: Request<_>| answer(request, behind.clone()));
        let world = Self {
            address: door.local_addr().unwrap(),
            closing: closing.clone(),
            traffic: door.traffic(),
            inside: door.inside(),
            tls: door.tls().cloned(),
            gate,
            tasks,
        };
        world.tasks.spawn(door.serve(service, closing));
        world
    }

    pub(crate) async fn plain(guards: Guards) -> Self {
        Self::new(Protocols::Http1And2, guards, None).await
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// True once the door and all of its connections have ended.
    pub(crate) async fn has_ended(&self) -> bool {
        self.tasks.close();
        timeout(PATIENCE, self.tasks.wait()).await.is_ok()
    }

    /// Waits until that many calls of `/wait` wait.
    pub(crate) async fn calls_wait(&self, calls: u32) {
        let arrived = timeout(PATIENCE, self.gate.arrived.acquire_many(calls)).await;
        arrived.expect("the calls arrive").unwrap().forget();
    }

    /// Lets that many calls of `/wait` be answered.
    pub(crate) fn answer(&self, calls: usize) {
        self.gate.answers.add_permits(calls);
    }

    /// Waits until it is so.
    pub(crate) async fn until(&self, is_so: impl Fn(&Traffic) -> bool) {
        let becomes_so = async {
            while !is_so(&self.traffic) {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, becomes_so).await.unwrap_or_else(|_| panic!("{:?}", self.traffic));
    }

    /// Another client, who must always be served.
    pub(crate) async fn others_are_served(&self) {
        let mut stream = self.connect().await;
        assert!(get(&mut stream, "/").await.starts_with("HTTP/1.1 200"));
    }
}

/// Where calls of `/wait` wait.
#[derive(Clone)]
struct Gate {
    arrived: Arc<Semaphore>,
    answers: Arc<Semaphore>,
}

impl Default for Gate {
    fn default() -> Self {
        let none = || Arc::new(Semaphore::new(0));
        Self { arrived: none(), answers: none() }
    }
}

/// `/wait` waits to be let go, everything else is answered at once with the client's names; after
/// its body was read.
async fn answer(
    request: Request<hyper::body::Incoming>,
    gate: Gate,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let peer: Peer = request.extensions().get().cloned().unwrap();
    if request.uri().path() == "/wait" {
        gate.arrived.add_permits(1);
        gate.answers.acquire().await.unwrap().forget();
    }
    request.into_body().collect().await?;
    let names = peer.certificate.map_or_else(|| "nobody".to_owned(), |names| names.to_string());
    Ok(Response::new(Full::from(names)))
}

/// Asks once in HTTP/1.1, and reads the whole answer. The body is short and comes in one piece.
pub(crate) async fn get(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let length = timeout(PATIENCE, stream.read(&mut answer)).await.unwrap().unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

/// Waits for the other end to hang up; everything it said before.
pub(crate) async fn until_closed(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut said = Vec::new();
    // A reset is as good an end as another.
    let _reset = timeout(PATIENCE, stream.read_to_end(&mut said)).await.expect("never closed");
    said
}

pub(crate) type Http2 = http2::SendRequest<Full<Bytes>>;

/// A client of HTTP/2 over that stream, and how its connection will have ended.
pub(crate) async fn http2(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    tasks: &TaskTracker,
) -> (Http2, JoinHandle<hyper::Result<()>>) {
    let (client, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    (client, tasks.spawn(connection))
}

/// Asks once in HTTP/2: the body of the answer.
pub(crate) async fn ask(client: &mut Http2, path: &str) -> hyper::Result<String> {
    client.ready().await?;
    let request = Request::get(format!("http://test{path}")).body(Full::default()).unwrap();
    let answer = client.send_request(request).await?.into_body().collect().await?;
    Ok(String::from_utf8_lossy(&answer.to_bytes()).into_owned())
}

/// A certificate authority of the test's own, and a directory for its files.
pub(crate) struct Authority {
    pub(crate) directory: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        service_kit::install_tls_provider();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { directory: tempfile::tempdir().unwrap(), issuer }
    }

    /// A certificate and its key, as PEM.
    pub(crate) fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, format!("The {name}"));
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// Puts a server's certificate where [`Self::files`] says.
    pub(crate) fn install(&self, (certificate, key): &(String, String)) {
        let files = self.files(None);
        std::fs::write(files.certificate, certificate).unwrap();
        std::fs::write(files.key, key).unwrap();
    }

    /// The files of a server, which takes the clients of that authority.
    pub(crate) fn files(&self, clients: Option<(&Self, bool)>) -> Files {
        let directory = self.directory.path();
        let clients = clients.map(|(authority, required)| {
            let path = authority.directory.path().join("authority.pem");
            std::fs::write(&path, authority.issuer.pem()).unwrap();
            ClientCertificates { authority: path, required }
        });
        let (certificate, key) = (directory.join("certificate.pem"), directory.join("key.pem"));
        Files { certificate, key, clients }
    }

    /// The files of a server of that name.
    pub(crate) fn tls(&self, name: &str, clients: Option<(&Self, bool)>) -> Files {
        self.install(&self.issue(name));
        self.files(clients)
    }

    /// A client that trusts this authority, with a certificate of its own or without.
    pub(crate) fn client(&self, own: Option<&(String, String)>, protocol: &str) -> TlsConnector {
        use rustls::pki_types::{CertificateDer, pem::PemObject as _};
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let builder = ClientConfig::builder().with_root_certificates(roots);
        let mut config = match own {
            Some((certificate, key)) => {
                let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![certificate], key).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![protocol.into()];
        TlsConnector::from(Arc::new(config))
    }
}

/// Shakes hands; the server must be called that.
pub(crate) async fn shake(
    connector: &TlsConnector,
    world: &World,
    name: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    connector.connect(name, world.connect().await).await
}
