//! A mail server that speaks SMTP, with or without TLS.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

/// How it behaves.
#[derive(Debug, Clone, Default)]
pub struct Manners {
    /// TLS from the first byte on.
    pub tls_from_the_start: bool,
    /// What it says to these commands (by their first word, or `.` for a message's end) instead of
    /// yes, each once; `hang` says nothing for ever, `close` hangs up.
    pub instead: Vec<(&'static str, &'static str)>,
    /// Needs a login before it takes mail.
    pub login: bool,
}

/// A conversation in which a message was handed over.
#[derive(Debug, Clone)]
pub struct Mail {
    /// It was not overheard.
    pub encrypted: bool,
    /// What `AUTH` brought.
    pub login: Option<String>,
    /// The `RCPT` commands that were answered with yes.
    pub to: Vec<String>,
    /// The message as a reader gets it, dots unstuffed.
    pub message: String,
}

/// A mail server on a free port of loopback.
#[derive(Debug)]
pub struct MailServer {
    /// Its port.
    pub port: u16,
    mails: watch::Receiver<Vec<Mail>>,
}

/// What every conversation needs.
#[derive(Clone)]
struct Office {
    manners: Arc<Mutex<Manners>>,
    tls: Option<TlsAcceptor>,
    arrived: Arc<watch::Sender<Vec<Mail>>>,
}

/// A certificate for `localhost` that is its own authority.
#[derive(Clone)]
pub struct Authority {
    /// What clients must trust.
    pub pem: Vec<u8>,
    acceptor: TlsAcceptor,
}

impl Authority {
    /// A new one.
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("keys can be made");
        let certificate = CertificateParams::new(vec!["localhost".to_owned()])
            .and_then(|params| params.self_signed(&key))
            .expect("a certificate can be made");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring knows the usual versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .expect("key and certificate belong together");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self { pem: certificate.pem().into_bytes(), acceptor }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl MailServer {
    /// Listens. With an authority it has a certificate for `localhost` and offers STARTTLS.
    pub async fn start(manners: Manners, authority: Option<&Authority>) -> Self {
        let tls = authority.map(|authority| authority.acceptor.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let port = listener.local_addr().expect("it listens").port();
        let (arrived, mails) = watch::channel(Vec::new());
        let office =
            Office { manners: Arc::new(Mutex::new(manners)), tls, arrived: Arc::new(arrived) };
        TaskTracker::new().spawn(listen(listener, office));
        Self { port, mails }
    }

    /// All that was handed over so far, taken or not.
    pub fn mails(&self) -> Vec<Mail> {
        self.mails.borrow().clone()
    }

    /// Waits until as many as that have arrived.
    pub async fn arrived(&self, count: usize) -> Vec<Mail> {
        self.until(|mails| mails.len() >= count).await
    }

    /// Waits until what has arrived is as it should be.
    pub async fn until(&self, fits: impl Fn(&[Mail]) -> bool) -> Vec<Mail> {
        let mut mails = self.mails.clone();
        let arrived = mails.wait_for(|mails| fits(mails));
        let arrived = tokio::time::timeout(Duration::from_secs(30), arrived).await;
        arrived.expect("the mails arrive").expect("it listens as long as it lives").clone()
    }
}

async fn listen(listener: TcpListener, office: Office) {
    let tasks = TaskTracker::new();
    while let Ok((stream, _)) = listener.accept().await {
        tasks.spawn(serve(stream, office.clone()));
    }
}

async fn serve(stream: TcpStream, office: Office) {
    let tls_from_the_start =
        office.manners.lock().unwrap_or_else(PoisonError::into_inner).tls_from_the_start;
    if tls_from_the_start {
        let acceptor = office.tls.clone().expect("it has a certificate");
        let Ok(stream) = acceptor.accept(stream).await else { return };
        let _done = converse(BufReader::new(stream), &office, true, true).await;
        return;
    }
    let stream = BufReader::new(stream);
    // STARTTLS ends the conversation in plain text.
    let Some(stream) = converse(stream, &office, false, true).await else { return };
    let acceptor = office.tls.clone().expect("it offered STARTTLS");
    let Ok(stream) = acceptor.accept(stream.into_inner()).await else { return };
    let _done = converse(BufReader::new(stream), &office, true, false).await;
}

/// Answers command by command; gives the stream back for STARTTLS.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: BufReader<S>,
    office: &Office,
    encrypted: bool,
    greet: bool,
) -> Option<BufReader<S>> {
    let needs_login = office.manners.lock().unwrap_or_else(PoisonError::into_inner).login;
    let (mut login, mut to) = (None, Vec::new());
    if greet {
        say(&mut stream, office, "greeting", "220 mail.test ESMTP").await?;
    }
    loop {
        let line = hear(&mut stream).await?;
        let command = line.split(' ').next().unwrap_or_default().to_uppercase();
        match command.as_str() {
            "EHLO" => {
                let starttls = office.tls.is_some() && !encrypted;
                let extensions = match (starttls, needs_login) {
                    (true, _) => "250-mail.test\r\n250-STARTTLS\r\n250 8BITMIME",
                    (false, true) => "250-mail.test\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN",
                    (false, false) => "250-mail.test\r\n250-8BITMIME\r\n250 SIZE 10000000",
                };
                say(&mut stream, office, "EHLO", extensions).await?;
            }
            "STARTTLS" => {
                say(&mut stream, office, "STARTTLS", "220 go ahead").await?;
                return Some(stream);
            }
            "AUTH" => {
                login = Some(line.clone());
                say(&mut stream, office, "AUTH", "235 welcome").await?;
            }
            "MAIL" if needs_login && login.is_none() => {
                say(&mut stream, office, "MAIL", "530 log in first").await?;
            }
            "RCPT" => {
                let answer = say(&mut stream, office, "RCPT", "250 ok").await?;
                if answer.starts_with('2') {
                    to.push(line);
                }
            }
            "DATA" => {
                let answer = say(&mut stream, office, "DATA", "354 go on").await?;
                if answer.starts_with('3') {
                    let message = hear_message(&mut stream).await?;
                    let to = std::mem::take(&mut to);
                    let mail = Mail { encrypted, login: login.clone(), to, message };
                    office.arrived.send_modify(|mails| mails.push(mail));
                    say(&mut stream, office, ".", "250 taken").await?;
                }
            }
            "QUIT" => {
                say(&mut stream, office, "QUIT", "221 bye").await?;
                return None;
            }
            _ => {
                say(&mut stream, office, &command, "250 ok").await?;
            }
        }
    }
}

/// Says that, or what the test wants instead; tells what was said.
async fn say<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    office: &Office,
    to: &str,
    usual: &'static str,
) -> Option<&'static str> {
    let answer = {
        let instead = &mut office.manners.lock().unwrap_or_else(PoisonError::into_inner).instead;
        let position = instead.iter().position(|(command, _)| *command == to);
        position.map_or(usual, |position| instead.remove(position).1)
    };
    match answer {
        "hang" => std::future::pending().await,
        "close" => None,
        answer => {
            stream.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
            stream.flush().await.ok()?;
            Some(answer)
        }
    }
}

async fn hear<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>) -> Option<String> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await.ok()?;
    (read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}

async fn hear_message<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
) -> Option<String> {
    let mut message = String::new();
    loop {
        let line = hear(stream).await?;
        if line == "." {
            return Some(message);
        }
        message.push_str(line.strip_prefix('.').unwrap_or(&line));
        message.push('\n');
    }
}
