//! The accept loop: who is let in, and how far.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use hyper::{
    Request, Response,
    body::{Body, Incoming},
};
use meters::doors;
use service_kit::{config::Source, reload::Change};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::Service;

use crate::{
    CertificateNames, Config, Guards, Inside, Peer, Tls, TlsError, Traffic,
    connection::{BoxError, Ended, Http, Patience, attend},
    descriptors::make_room,
    room::{Full, Place, Room},
};

/// How long to wait when the system has no more connections to give: others must end first.
const RESPITE: Duration = Duration::from_millis(100);

/// A flood is told of this often, not at each connection.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);

/// Which HTTP a door speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocols {
    /// HTTP/1.1 and HTTP/2, whichever the client begins with.
    Http1And2,
    /// HTTP/2 alone, for gRPC.
    Http2,
}

impl Protocols {
    fn listener(self) -> doors::Listener {
        match self {
            Self::Http1And2 => doors::Listener::Http,
            Self::Http2 => doors::Listener::Grpc,
        }
    }

    /// Their names in TLS, the preferred one first.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Self::Http1And2 => &["h2", "http/1.1"],
            Self::Http2 => &["h2"],
        }
    }
}

/// Why a door cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address cannot be listened on.
    #[error("the address cannot be listened on")]
    Listen(#[from] io::Error),
    /// The certificate cannot be used.
    #[error("its certificate cannot be used")]
    Tls(#[from] TlsError),
}

/// A listener that takes connections once it [serves](Self::serve); until then they wait.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    inside: (Inside, mpsc::Receiver<DuplexStream>),
    protocols: Protocols,
    guards: Guards,
    tls: Option<Tls>,
    room: Arc<Room>,
}

impl Door {
    /// Reads the certificate, if there is one, and listens.
    pub async fn open(
        address: SocketAddr,
        protocols: Protocols,
        config: Config,
    ) -> Result<Self, OpenError> {
        let Config { guards, tls } = config;
        let tls = match tls {
            Some(files) => Some(Tls::open(files, protocols.names()).await?),
            None => None,
        };
        make_room(guards.connections);
        let listener = TcpListener::bind(address).await?;
        Ok(Self::of(listener, protocols.listener(), protocols, guards, tls))
    }

    /// One that is counted under that name.
    pub(crate) fn of(
        listener: TcpListener,
        name: doors::Listener,
        protocols: Protocols,
        guards: Guards,
        tls: Option<Tls>,
    ) -> Self {
        let room = Room::new(name, &guards);
        Self { listener, inside: Inside::new(), protocols, guards, tls, room }
    }

    /// The address listened on.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Its certificate. Plain connections to a door that has one fail in the handshake.
    pub fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// Looks at the certificate's files whenever the configuration is read again.
    pub fn reloading(&self) -> impl Fn(&Source) -> Change + Send + Sync + 'static {
        let tls = self.tls.clone();
        move |_source| {
            let tls = tls.clone();
            Box::new(move || {
                if let Some(tls) = tls {
                    tls.look();
                }
            })
        }
    }

    /// The way in from this process.
    pub fn inside(&self) -> Inside {
        self.inside.0.clone()
    }

    /// What comes and goes.
    pub fn traffic(&self) -> Traffic {
        self.room.traffic()
    }

    /// Serves until `closing` is cancelled, then lets nobody in, lets calls under way be answered,
    /// and returns when the last connection has ended. Dropping it ends them at once. Nothing that
    /// a client or the system does makes it return.
    pub async fn serve<S, B>(self, service: S, closing: CancellationToken)
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        B: Body<Error: Into<BoxError>, Data: Send> + Send + 'static,
    {
        let Self { listener, inside: (_, mut inside), protocols, guards, tls, room } = self;
        let mut fresh = pin!(keep_fresh(tls.clone(), protocols.listener()));
        let http = Http::new(protocols, &guards);
        let host = Host { http, guards: Arc::new(guards), tls, service, closing };
        let mut complaints = Complaints::default();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = host.closing.cancelled() => break,
                () = &mut fresh => {}
                Some(_ended) = connections.join_next() => {}
                Some(stream) = inside.recv() => {
                    connections.spawn(host.clone().receive_inside(stream));
                }
                (stream, address) = accept(&listener, &mut complaints) => {
                    match room.enter(address.ip()) {
                        Ok(place) => {
                            connections.spawn(host.clone().receive(stream, address, place));
                        }
                        Err(Full::House) => complaints.full.tell("all places are taken"),
                        Err(Full::Source) => {
                            complaints.source.tell("all places of one address are taken");
                        }
                    }
                }
            }
        }
        // Before waiting: who comes now shall find another server, not wait for this one.
        drop((listener, inside));
        while connections.join_next().await.is_some() {}
    }
}

async fn keep_fresh(tls: Option<Tls>, listener: doors::Listener) {
    match tls {
        Some(tls) => tls.keep_fresh(listener).await,
        None => std::future::pending().await,
    }
}

/// The next connection. That one client hung up is no trouble; if the system has nothing left to
/// give, asking at once again would only burn the processor.
async fn accept(listener: &TcpListener, complaints: &mut Complaints) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_of_one_client(&error) => {}
            Err(error) => {
                complaints.system.tell(&format!("the system gives none: {error}"));
                sleep(RESPITE).await;
            }
        }
    }
}

fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// What every connection needs. Cheap to clone.
#[derive(Clone)]
struct Host<S> {
    http: Http,
    guards: Arc<Guards>,
    tls: Option<Tls>,
    service: S,
    closing: CancellationToken,
}

impl<S, B> Host<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body<Error: Into<BoxError>, Data: Send> + Send + 'static,
{
    async fn receive(self, stream: TcpStream, address: SocketAddr, place: Place) {
        // Else a short answer may wait 40 ms for the client's acknowledgement. It fails only on
        // connections that are gone.
        let _gone = stream.set_nodelay(true);
        let Some(tls) = &self.tls else {
            let peer = Peer { address, certificate: None };
            return self.attend_stranger(stream, peer, &place).await;
        };
        let handshake = timeout(self.guards.handshake, tls.acceptor().accept(stream));
        let stream = tokio::select! {
            () = self.closing.cancelled() => return,
            shaken = handshake => match shaken {
                Ok(Ok(stream)) => stream,
                Ok(Err(_)) | Err(_) => return place.handshake_failed(),
            },
        };
        let (_, session) = stream.get_ref();
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        let certificate = certificate.map(|own| Arc::new(CertificateNames::of(own)));
        self.attend_stranger(stream, Peer { address, certificate }, &place).await;
    }

    async fn attend_stranger(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: Peer,
        place: &Place,
    ) {
        let patience = Patience::of(&self.guards);
        if self.attend(stream, peer, patience).await == Ended::Silent {
            place.was_silent();
        }
    }

    async fn receive_inside(self, stream: DuplexStream) {
        let peer = Peer { address: (Ipv4Addr::LOCALHOST, 0).into(), certificate: None };
        let patience = Patience::endless(&self.guards);
        let _whatever = self.attend(stream, peer, patience).await;
    }

    async fn attend(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: Peer,
        patience: Patience,
    ) -> Ended {
        let Self { http, service, closing, .. } = self;
        attend(stream, peer, http, patience, service, closing).await
    }
}

/// What is wrong with a door, told now and then: a flood of connections must not become a flood of
/// lines.
#[derive(Debug, Default)]
struct Complaints {
    full: Complaint,
    source: Complaint,
    system: Complaint,
}

#[derive(Debug, Default)]
struct Complaint {
    last: Option<Instant>,
    untold: u64,
}

impl Complaint {
    fn tell(&mut self, reason: &str) {
        self.untold += 1;
        if self.last.is_none_or(|last| last.elapsed() >= COMPLAIN_EVERY) {
            tracing::warn!(connections = self.untold, reason, "connections turned away");
            *self = Self { last: Some(Instant::now()), untold: 0 };
        }
    }
}
