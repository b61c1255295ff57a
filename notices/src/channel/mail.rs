//! Mail by SMTP.
//!
//! The conversation is held step by step, for the sake of one question: before the message is
//! handed over, a failure means that nobody was told; after it, that somebody may have been.

use std::{
    fmt,
    net::IpAddr,
    str::FromStr,
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use lettre::{
    Address, Message,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        Error,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, Certificate, TlsParameters},
        commands::{Data, Mail as From, Rcpt},
        extension::ClientId,
    },
};
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};

use super::{Outcome, mailboxes, post::chain};
use crate::text::Letter;

/// Who mails whom, and through which server.
#[derive(Debug, Clone)]
pub struct Config {
    /// The server.
    pub server: Server,
    /// The sender.
    pub from: Sender,
    /// The recipients of one mail; they see each other.
    pub to: Recipients,
}

/// A mail server: `smtps://user:password@host:465` (TLS from the start) or `smtp://host:587` (TLS
/// by STARTTLS; without TLS only on loopback).
#[derive(Debug, Clone)]
pub struct Server {
    host: String,
    port: u16,
    encryption: Encryption,
    login: Option<(String, SecretString)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encryption {
    FromTheStart,
    StartTls,
    /// On loopback: used if it is offered.
    IfOffered,
}

/// It is not the address of a mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected smtps://user:password@host or smtp://user:password@host, a port at most behind it"
)]
pub struct ServerError;

/// A sender, such as `AutomatGLPI <glpi@example.org>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender(Mailbox);

/// Recipients, such as `Helpdesk <help@example.org>, night@example.org`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipients(Vec<Mailbox>);

/// It is no mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected mail addresses such as Helpdesk <help@example.org>")]
pub struct AddressError;

/// A mail server and what is needed to speak to it.
pub(super) struct Mail {
    config: Config,
    tls: TlsParameters,
    timeout: Duration,
}

/// How long the server may take to say goodbye.
const FAREWELL: Duration = Duration::from_secs(1);

/// How far a mail came when it failed.
enum Stopped {
    /// Nobody was told.
    Before(String, Verdict),
    /// The message was handed over and the server did not say what became of it.
    After(String),
}

/// Whether it makes sense to try again.
enum Verdict {
    Again,
    Never,
}

impl Mail {
    pub(super) fn new(
        config: Config,
        extra_ca_pem: Option<&[u8]>,
        timeout: Duration,
    ) -> Result<Self, Error> {
        let mut tls = TlsParameters::builder(config.server.host.clone());
        if let Some(pem) = extra_ca_pem {
            tls = tls.add_root_certificate(Certificate::from_pem(pem)?);
        }
        Ok(Self { tls: tls.build_rustls()?, config, timeout })
    }

    pub(super) fn host(&self) -> &str {
        &self.config.server.host
    }

    pub(super) async fn send(&self, letter: &Letter, at: Timestamp, id: &str) -> Outcome {
        let message = match self.compose(letter, at, id) {
            Ok(message) => message,
            Err(error) => return Outcome::Failed { reason: error.to_string() },
        };
        let mut handed_over = false;
        let message = message.formatted();
        let conversation = self.converse(&message, &mut handed_over);
        match tokio::time::timeout(self.timeout, conversation).await {
            Ok(Ok(mut connection)) => {
                // Politeness, whatever comes of it: the server has answered for the message.
                let _farewell = tokio::time::timeout(FAREWELL, connection.quit()).await;
                Outcome::Sent
            }
            Ok(Err(Stopped::Before(reason, Verdict::Again))) => {
                Outcome::Retry { after: None, reason }
            }
            Ok(Err(Stopped::Before(reason, Verdict::Never))) => Outcome::Failed { reason },
            Ok(Err(Stopped::After(reason))) => Outcome::Unknown { reason },
            Err(_elapsed) => {
                let reason = format!("no answer within {} s", self.timeout.as_secs());
                if handed_over {
                    Outcome::Unknown { reason }
                } else {
                    Outcome::Retry { after: None, reason }
                }
            }
        }
    }

    /// The mail, the same at every try: servers and readers know a repeat by its Message-ID.
    fn compose(
        &self,
        letter: &Letter,
        at: Timestamp,
        id: &str,
    ) -> Result<Message, lettre::error::Error> {
        let from = &self.config.from.0;
        let mut message = Message::builder()
            .from(from.clone())
            .date(system_time(at))
            .message_id(Some(format!("<{id}@{}>", from.email.domain())))
            .subject(&letter.title)
            .header(ContentType::TEXT_PLAIN)
            // So that nobody's absence notice answers it.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        for to in &self.config.to.0 {
            message = message.to(to.clone());
        }
        message.body(letter.plain())
    }

    /// Ends when the server has taken the message.
    async fn converse(
        &self,
        message: &[u8],
        handed_over: &mut bool,
    ) -> Result<AsyncSmtpConnection, Stopped> {
        let mut connection = self.connect().await?;
        let from = self.config.from.0.email.clone();
        connection.command(From::new(Some(from), vec![])).await.map_err(|error| before(&error))?;
        self.address(&mut connection).await?;
        connection.command(Data).await.map_err(|error| before(&error))?;
        *handed_over = true;
        match connection.message(message).await {
            Ok(_taken) => Ok(connection),
            Err(error) if error.status().is_some() => Err(before(&error)),
            Err(error) => Err(Stopped::After(chain(&error))),
        }
    }

    /// Connects, encrypts and logs in.
    async fn connect(&self) -> Result<AsyncSmtpConnection, Stopped> {
        let Server { host, port, encryption, login } = &self.config.server;
        let hello = ClientId::default();
        let tls = (*encryption == Encryption::FromTheStart).then(|| self.tls.clone());
        let at = (host.trim_matches(['[', ']']), *port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(at, Some(self.timeout), &hello, tls, None)
                .await
                .map_err(|error| before(&error))?;
        match encryption {
            Encryption::FromTheStart => {}
            Encryption::StartTls if !connection.can_starttls() => {
                connection.abort().await;
                let reason = "the mail server offers no STARTTLS".to_owned();
                return Err(Stopped::Before(reason, Verdict::Again));
            }
            Encryption::IfOffered if !connection.can_starttls() => {}
            Encryption::StartTls | Encryption::IfOffered => {
                connection
                    .starttls(self.tls.clone(), &hello)
                    .await
                    .map_err(|error| before(&error))?;
            }
        }
        if let Some((user, password)) = login {
            let password = password.expose_secret().to_owned();
            let credentials = Credentials::new(user.clone(), password);
            connection
                .auth(DEFAULT_MECHANISMS, &credentials)
                .await
                .map_err(|error| before(&error))?;
        }
        Ok(connection)
    }

    /// Names the recipients. One that the server does not know must not keep it from the others;
    /// one that it will know later holds the mail back, so that nobody is told twice.
    async fn address(&self, connection: &mut AsyncSmtpConnection) -> Result<(), Stopped> {
        let mut refused = None;
        let mut taken = 0;
        for to in &self.config.to.0 {
            let to: Address = to.email.clone();
            match connection.command(Rcpt::new(to, vec![])).await {
                Ok(_) => taken += 1,
                Err(error) if error.is_permanent() => refused = Some(error),
                Err(error) => return Err(before(&error)),
            }
        }
        match refused {
            Some(error) if taken == 0 => Err(before(&error)),
            Some(_) | None => Ok(()),
        }
    }
}

/// Notices are never older than 1970.
fn system_time(at: Timestamp) -> SystemTime {
    let since = Duration::try_from(at.duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default();
    SystemTime::UNIX_EPOCH + since
}

/// A failure before the server took the message. Answers of the 5xx kind stay as they are.
fn before(error: &Error) -> Stopped {
    let verdict = if error.is_permanent() { Verdict::Never } else { Verdict::Again };
    Stopped::Before(chain(error), verdict)
}

impl FromStr for Server {
    type Err = ServerError;

    fn from_str(text: &str) -> Result<Self, ServerError> {
        let url = Url::parse(text.trim()).map_err(|_not_a_url| ServerError)?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(ServerError)?.to_owned();
        let rest = url.query().is_some() || url.fragment().is_some();
        if rest || !matches!(url.path(), "" | "/") {
            return Err(ServerError);
        }
        let (encryption, usual) = match url.scheme() {
            "smtps" => (Encryption::FromTheStart, 465),
            "smtp" if is_loopback(&host) => (Encryption::IfOffered, 25),
            "smtp" => (Encryption::StartTls, 587),
            _ => return Err(ServerError),
        };
        let login = match (url.username(), url.password()) {
            ("", None) => None,
            (user, Some(password)) if !user.is_empty() => {
                Some((decoded(user)?, SecretString::from(decoded(password)?)))
            }
            _ => return Err(ServerError),
        };
        Ok(Self { host, port: url.port().unwrap_or(usual), encryption, login })
    }
}

fn is_loopback(host: &str) -> bool {
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    host == "localhost" || address.is_some_and(|address| address.is_loopback())
}

/// A part of a URL without its percent signs.
fn decoded(part: &str) -> Result<String, ServerError> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next().ok_or(ServerError)?, rest.next().ok_or(ServerError)?];
        let digits = str::from_utf8(&digits).map_err(|_not_ascii| ServerError)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_not_hexadecimal| ServerError)?);
    }
    String::from_utf8(bytes).map_err(|_not_text| ServerError)
}

impl FromStr for Sender {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        text.trim().parse().map(Self).map_err(|_no_address| AddressError)
    }
}

impl FromStr for Recipients {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        mailboxes(text).map(Self).ok_or(AddressError)
    }
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("host", &self.host()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_server_is_read_from_its_address() {
        for (text, host, port, encryption, login) in [
            ("smtps://mail.example.org", "mail.example.org", 465, Encryption::FromTheStart, None),
            ("smtp://mail.example.org", "mail.example.org", 587, Encryption::StartTls, None),
            ("smtp://mail.example.org:25/", "mail.example.org", 25, Encryption::StartTls, None),
            ("smtp://localhost", "localhost", 25, Encryption::IfOffered, None),
            ("smtp://127.0.0.1:2525", "127.0.0.1", 2525, Encryption::IfOffered, None),
            ("smtp://[::1]", "[::1]", 25, Encryption::IfOffered, None),
            (
                "smtps://glpi%40example.org:p%3Ass@mail.example.org",
                "mail.example.org",
                465,
                Encryption::FromTheStart,
                Some(("glpi@example.org", "p:ss")),
            ),
        ] {
            let server: Server = text.parse().unwrap();
            assert_eq!((server.host.as_str(), server.port), (host, port), "{text}");
            assert_eq!(server.encryption, encryption, "{text}");
            let read = server
                .login
                .as_ref()
                .map(|(user, password)| (user.as_str(), password.expose_secret()));
            assert_eq!(read, login, "{text}");
        }
    }

    #[test]
    fn what_is_no_mail_server_is_refused() {
        for text in [
            "mail.example.org",
            "http://mail.example.org",
            "smtp://",
            "smtp://user@mail.example.org",
            "smtp://:password@mail.example.org",
            "smtps://mail.example.org?tls=none",
            "smtps://mail.example.org/path",
            "smtps://u:%zz@mail.example.org",
        ] {
            assert_eq!(text.parse::<Server>().unwrap_err(), ServerError, "{text}");
        }
    }

    #[test]
    fn no_password_is_shown() {
        let server: Server = "smtps://user:geheim@mail.example.org".parse().unwrap();
        assert!(!format!("{server:?}").contains("geheim"));
    }

    #[test]
    fn recipients_are_separated_by_commas() {
        let Recipients(read) = "Help <help@example.org>, night@example.org".parse().unwrap();
        assert_eq!(read.len(), 2);
        for text in ["", "help", "a@example.org; b@example.org", "a@example.org\r\nBcc: b@c.d"] {
            assert_eq!(text.parse::<Recipients>(), Err(AddressError), "{text:?}");
        }
    }
}
