//! GLPI, behind typed calls: its legacy REST API (`apirest.php`, GLPI 10 and 11).
//!
//! GLPI answers 200 to requests it has not carried out, and carries out requests whose client has
//! left. So every write ends in one of four ways, see [`Written`].

use std::{fmt, sync::Mutex, time::Duration};

use jiff::{Timestamp, tz::TimeZone};
use meters::glpi::Operation;
use reqwest::{Method, RequestBuilder};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use crate::ticket::{NewFollowup, NewTicket, Reference};

mod answer;
pub mod check;
mod layout;
mod measured;
mod search;
mod session;
mod wire;

use answer::Answer;
pub use layout::title;
use measured::measured;
pub use search::{Found, Window};
use session::Sessions;
pub use wire::TicketView;

/// Where GLPI is and how to talk to it.
#[derive(Debug, Clone)]
pub struct Config {
    /// GLPI's base URL, with or without `/apirest.php`.
    pub url: String,
    /// Token of the API client.
    pub app_token: SecretString,
    /// Token of GLPI's user that owns the tickets.
    pub user_token: SecretString,
    /// Entity of tickets that name none; `None`: the user's own.
    pub entity: Option<u32>,
    /// Certificates (PEM) to trust besides the machine's, for a private authority.
    pub extra_ca_pem: Option<Vec<u8>>,
    /// Whether GLPI's certificate is verified. Without, whoever is on the way can read and change
    /// tickets: that is said when the client is set up, and by the check. Default: yes.
    pub verify_certificate: bool,
    /// How long a connection may take. Must be well below `request_timeout`: a hanging TLS
    /// handshake is known to have sent nothing only if this one ends it. Default: 2 s.
    pub connect_timeout: Duration,
    /// How long a request may take as a whole. Default: 10 s.
    pub request_timeout: Duration,
    /// Language of the labels in tickets: French for `fr…`, else English.
    pub language: String,
}

/// How a write ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// GLPI has it under this id.
    Done(u32),
    /// GLPI will never take it: a known permanent refusal.
    Refused(String),
    /// It can't have been applied; sending again is safe.
    Unreachable(String),
    /// It was sent and may have been applied: look it up before sending again.
    Unknown(String),
}

/// Why a read got no answer. The text is for operators: no personal data, no secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReadError(pub String);

/// The client cannot be built from its configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not an http or https URL, or one with a password, query or fragment.
    #[error("GLPI_URL is not a plain http:// or https:// address")]
    Url,
    /// The certificates cannot be read.
    #[error("GLPI_CA_FILE holds no PEM certificates")]
    Certificates(#[source] reqwest::Error),
    /// The HTTP client cannot be made.
    #[error(
        "the HTTP client for GLPI cannot be set up: are certificate authorities installed (package ca-certificates)?"
    )]
    Client(#[source] reqwest::Error),
}

/// A client of one GLPI, sharing one warm session among all calls.
pub struct Glpi {
    http: reqwest::Client,
    /// Ends in `/apirest.php`.
    base: String,
    app_token: SecretString,
    user_token: SecretString,
    entity: Option<u32>,
    request_timeout: Duration,
    labels: layout::Labels,
    /// Whether its certificate is verified.
    verifies: bool,
    time_zone: TimeZone,
    sessions: Sessions,
    /// Answers in a row that made no sense; see [`Self::note_odd_answer`].
    odd_answers: Mutex<u8>,
}

/// After so many senseless answers in a row the session is given up: GLPI has been seen to answer
/// so for ever on a session that predates its upgrade.
const ODD_ANSWERS_BEFORE_NEW_SESSION: u8 = 3;

/// Below the keep-alive of common web servers (nginx 75 s, Apache 5 s), so that requests are rarely
/// written to a connection the server is just closing, whose end would then be unknown.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(4);

impl Glpi {
    /// Sets the client up; GLPI is first contacted by the first call.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let mut builder = http_client(&config);
        if let Some(pem) = &config.extra_ca_pem {
            let certificates =
                reqwest::Certificate::from_pem_bundle(pem).map_err(ConfigError::Certificates)?;
            builder = builder.tls_certs_merge(certificates);
        }
        if !config.verify_certificate {
            tracing::warn!(
                "GLPI's certificate is NOT verified (GLPI_TLS_VERIFY=no): anybody on the way can read and change tickets"
            );
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        Ok(Self {
            http: builder.build().map_err(ConfigError::Client)?,
            base: api_base(&config.url)?,
            app_token: config.app_token,
            user_token: config.user_token,
            entity: config.entity,
            request_timeout: config.request_timeout,
            labels: layout::Labels::of_language(&config.language),
            verifies: config.verify_certificate,
            time_zone: TimeZone::system(),
            sessions: Sessions::default(),
            odd_answers: Mutex::new(0),
        })
    }

    /// Opens a ticket; its footer carries the reference. Cancelling leaves the end unknown.
    pub async fn create_ticket(
        &self,
        ticket: &NewTicket,
        reference: &Reference,
        accepted_at: Timestamp,
    ) -> Written {
        let title = title(ticket);
        let content = layout::ticket(ticket, reference, accepted_at, &self.labels, &self.time_zone);
        let input = wire::ticket_input(ticket, &title, &content, self.entity);
        measured(Operation::CreateTicket, self.write("Ticket", &input)).await
    }

    /// Adds a follow-up to a ticket; its footer carries the reference. Cancelling leaves the end
    /// unknown.
    pub async fn add_followup(
        &self,
        ticket: u32,
        followup: &NewFollowup,
        reference: &Reference,
    ) -> Written {
        let content = layout::followup(followup, reference);
        let input = wire::followup_input(ticket, &content);
        measured(Operation::AddFollowup, self.write("ITILFollowup", &input)).await
    }

    /// GLPI's present values of a ticket; `None` if it has no such ticket.
    pub async fn ticket(&self, id: u32) -> Result<Option<TicketView>, ReadError> {
        measured(Operation::Read, self.read_ticket(id)).await
    }

    async fn read_ticket(&self, id: u32) -> Result<Option<TicketView>, ReadError> {
        let path = format!("Ticket/{id}");
        let answer = self.read(&path, &[("get_hateoas", "false")]).await?;
        match answer {
            Answer::Json { status: 200, body } => {
                serde_json::from_value(body).map(Some).map_err(|error| ReadError(error.to_string()))
            }
            Answer::Error { status: 404, .. } => Ok(None),
            other => Err(ReadError(other.describe())),
        }
    }

    /// Whether GLPI answers a session of ours, by its smallest question.
    pub async fn greet(&self) -> Result<(), ReadError> {
        match self.read("getMyProfiles", &[]).await? {
            Answer::Json { status: 200, .. } => Ok(()),
            other => Err(ReadError(other.describe())),
        }
    }

    /// Ends the session at GLPI, if there is one, within a second.
    pub async fn close(&self) {
        let Some(token) = self.sessions.take() else { return };
        let request = self
            .request(Method::GET, "killSession")
            .header("Session-Token", token.expose_secret())
            .timeout(Duration::from_secs(1));
        if let Err(error) = request.send().await {
            tracing::warn!(error = %transport(&error), "could not end the GLPI session");
        }
    }

    /// Posts once on the warm session, and once more on a new one if GLPI says that the session is
    /// gone: it checks the session before it does anything.
    async fn write(&self, item: &str, input: &Value) -> Written {
        for _ in 0..2 {
            let token = match self.session().await {
                Ok(token) => token,
                Err(reason) => return Written::Unreachable(reason),
            };
            let request = self
                .request(Method::POST, item)
                .header("Session-Token", token.expose_secret())
                .json(input);
            let answer = match Answer::of(request).await {
                Ok(answer) => answer,
                Err(error) if error.is_connect() || error.is_builder() => {
                    return Written::Unreachable(transport(&error));
                }
                Err(error) => return Written::Unknown(transport(&error)),
            };
            if answer.session_is_gone() {
                self.sessions.forget(&token);
                continue;
            }
            self.note_odd_answer(&answer, &token);
            return answer.of_write();
        }
        Written::Unreachable("GLPI refuses the session it has just opened".into())
    }

    async fn read(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer, ReadError> {
        for _ in 0..2 {
            let token = self.session().await.map_err(ReadError)?;
            let request = self
                .request(Method::GET, path)
                .header("Session-Token", token.expose_secret())
                .query(query);
            let answer = Answer::of(request).await.map_err(|error| ReadError(transport(&error)))?;
            if !answer.session_is_gone() {
                return Ok(answer);
            }
            self.sessions.forget(&token);
        }
        Err(ReadError("GLPI refuses the session it has just opened".into()))
    }

    /// The session all calls share, opened by whoever needs it first.
    async fn session(&self) -> Result<SecretString, String> {
        let opened = self.sessions.current(|| self.open_session());
        // Callers that wait for the same opening give up together, not one after the other.
        match tokio::time::timeout(self.request_timeout, opened).await {
            Ok(result) => result,
            Err(_elapsed) => Err("GLPI does not answer the log-in in time".into()),
        }
    }

    async fn open_session(&self) -> Result<SecretString, String> {
        let authorization = format!("user_token {}", self.user_token.expose_secret());
        let request = self
            .request(Method::GET, "initSession")
            // Never the old Session-Token: GLPI then ends that session.
            .header("Authorization", authorization);
        let answer = Answer::of(request).await.map_err(|error| {
            meters::glpi::logged_in(false);
            transport(&error)
        })?;
        let token = wire::session_token(&answer);
        meters::glpi::logged_in(token.is_some());
        token.ok_or_else(|| answer.describe())
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}/{path}", self.base))
            .header("App-Token", self.app_token.expose_secret())
            .header("Accept", "application/json")
            .headers(measured::trace_headers())
    }

    fn note_odd_answer(&self, answer: &Answer, token: &SecretString) {
        let mut odd = self.odd_answers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if matches!(answer, Answer::Json { .. } | Answer::Error { .. }) {
            *odd = 0;
            return;
        }
        *odd += 1;
        if *odd >= ODD_ANSWERS_BEFORE_NEW_SESSION {
            *odd = 0;
            self.sessions.forget(token);
        }
    }
}

impl fmt::Debug for Glpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Glpi").field("base", &self.base).finish_non_exhaustive()
    }
}

fn http_client(config: &Config) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(config.connect_timeout)
        .timeout(config.request_timeout)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .tcp_nodelay(true)
        // A redirected POST would arrive as a GET, or twice.
        .redirect(reqwest::redirect::Policy::none())
        // Whether to send again is decided by the courier, who knows what "again" costs.
        .retry(reqwest::retry::never())
        .no_proxy()
}

/// Whether that can be GLPI's address: http or https, without a password, query or fragment.
pub fn is_base_url(url: &str) -> bool {
    api_base(url).is_ok()
}

/// `https://glpi.example` or `https://glpi.example/apirest.php/` → the latter, without the slash.
fn api_base(url: &str) -> Result<String, ConfigError> {
    let url = url.trim().trim_end_matches('/');
    let parsed = reqwest::Url::parse(url).map_err(|_not_a_url| ConfigError::Url)?;
    let is_web = matches!(parsed.scheme(), "http" | "https") && parsed.has_host();
    let has_more = parsed.query().is_some() || parsed.fragment().is_some();
    // A password there would end in logs.
    let has_user = !parsed.username().is_empty() || parsed.password().is_some();
    if !is_web || has_more || has_user {
        return Err(ConfigError::Url);
    }
    Ok(if url.ends_with("/apirest.php") { url.to_owned() } else { format!("{url}/apirest.php") })
}

/// What went wrong on the wire, down to its first cause, without the URL.
fn transport(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let what = if error.is_connect() {
        "cannot connect to GLPI"
    } else if error.is_timeout() {
        "GLPI did not answer in time"
    } else {
        "the connection to GLPI broke"
    };
    if error.is_timeout() || std::ptr::eq(cause, error) {
        return what.to_owned();
    }
    format!("{what}: {cause}")
}
