//! Where people are told.

use std::{fmt, str::FromStr, time::Duration};

use jiff::Timestamp;
use lettre::message::Mailbox;
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};
use spoken::Language;

use crate::{
    event::Notice,
    guard::{Allow, Guard, Refused},
    text::{self, Letter},
};

pub mod mail;
mod post;
mod slack;
mod teams;
pub mod webhook;

use mail::Mail;
use post::Post;
use webhook::Webhook;

/// What became of a notice that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has it.
    Sent,
    /// Certainly not told: it can be sent again.
    Retry {
        /// How long the receiver asked us to wait, if it did.
        after: Option<Duration>,
        /// Why.
        reason: String,
    },
    /// Certainly not told, and it will not be any better next time.
    Failed {
        /// Why.
        reason: String,
    },
    /// It left and no clear answer came: it may have been told.
    Unknown {
        /// Why.
        reason: String,
    },
}

/// The kinds of channels. There is at most one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A Slack channel, or of a chat that understands Slack's incoming webhooks.
    Slack,
    /// A Microsoft Teams channel.
    Teams,
    /// Mail.
    Mail,
    /// A signed webhook.
    Webhook,
}

impl Kind {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Slack, Self::Teams, Self::Mail, Self::Webhook];

    /// Its name in the outbox and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Teams => "teams",
            Self::Mail => "mail",
            Self::Webhook => "webhook",
        }
    }

    /// Whether receivers can tell a repeat from something new, by its id: what may have been told
    /// already may then be sent again. Chats cannot.
    pub const fn recognises_repeats(self) -> bool {
        match self {
            Self::Slack | Self::Teams => false,
            Self::Mail | Self::Webhook => true,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// There is no channel of that kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected slack, teams, mail or webhook")]
pub struct UnknownKind;

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(UnknownKind)
    }
}

/// What channels there are and how they speak.
#[derive(Debug, Clone)]
pub struct Config {
    /// Language of the texts.
    pub language: Language,
    /// GLPI as people open it, for links to tickets.
    pub glpi_url: String,
    /// Slack's incoming webhook.
    pub slack_url: Option<SecretString>,
    /// Teams' workflow webhook.
    pub teams_url: Option<SecretString>,
    /// Mail server, sender and recipients.
    pub mail: Option<mail::Config>,
    /// Where signed webhooks are posted, and the secrets that sign them.
    pub webhook: Option<(SecretString, Vec<webhook::Secret>)>,
    /// What these addresses may reach though it is not public.
    pub allow: Allow,
    /// A private certificate authority to trust besides the machine's, as PEM.
    pub extra_ca_pem: Option<Vec<u8>>,
    /// How long one sending may take. Default: 15 s.
    pub timeout: Duration,
}

/// How long connecting may take; well below the time-out of the whole, so that "not connected" is
/// told apart from "no answer".
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Why channels cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// An address cannot be read, or must not be used.
    #[error("the address of {channel} cannot be used: {reason}")]
    Address {
        /// Whose.
        channel: Kind,
        /// Why; never the address, which is a secret.
        reason: String,
    },
    /// The certificate authority cannot be read.
    #[error("the certificate authority cannot be read")]
    Authority(#[source] reqwest::Error),
    /// The HTTP client cannot be set up.
    #[error("the client cannot be set up")]
    Client(#[source] reqwest::Error),
    /// TLS to the mail server cannot be set up.
    #[error("TLS to the mail server cannot be set up")]
    Tls(#[source] lettre::transport::smtp::Error),
}

/// Where people can be told, in the order of [`Kind::ALL`].
#[derive(Debug)]
pub struct Channels(Vec<Channel>);

/// One place where people can be told.
#[derive(Debug)]
pub struct Channel {
    way: Way,
    language: Language,
    glpi_url: String,
}

#[derive(Debug)]
enum Way {
    Slack(Post),
    Teams(Post),
    Mail(Box<Mail>),
    Webhook(Webhook),
}

impl Channels {
    /// Sets up the channels that are configured; nothing is sent.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let Config { language, glpi_url, slack_url, teams_url, mail, webhook, .. } = config;
        let authority = match &config.extra_ca_pem {
            Some(pem) => Some(reqwest::Certificate::from_pem(pem).map_err(ConfigError::Authority)?),
            None => None,
        };
        let guard = Guard::new(config.allow.clone());
        let client = guard
            .client(CONNECT_WITHIN.min(config.timeout / 2), config.timeout, authority.as_ref())
            .map_err(ConfigError::Client)?;
        let post = |kind, url: &SecretString| {
            let url = address(&guard, url)
                .map_err(|reason| ConfigError::Address { channel: kind, reason })?;
            Ok(Post::new(client.clone(), guard.clone(), url))
        };

        let mut ways = Vec::new();
        if let Some(url) = slack_url {
            ways.push(Way::Slack(post(Kind::Slack, url)?));
        }
        if let Some(url) = teams_url {
            ways.push(Way::Teams(post(Kind::Teams, url)?));
        }
        if let Some(mail) = mail {
            let mail = Mail::new(mail.clone(), config.extra_ca_pem.as_deref(), config.timeout);
            ways.push(Way::Mail(Box::new(mail.map_err(ConfigError::Tls)?)));
        }
        if let Some((url, secrets)) = webhook {
            let post = post(Kind::Webhook, url)?;
            ways.push(Way::Webhook(Webhook::new(post, secrets.clone())));
        }
        let channel = |way| Channel { way, language: language.clone(), glpi_url: glpi_url.clone() };
        Ok(Self(ways.into_iter().map(channel).collect()))
    }

    /// No channel at all.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Channel> {
        self.0.iter()
    }

    /// The one of that kind, if it is configured.
    pub fn find(&self, kind: Kind) -> Option<&Channel> {
        self.iter().find(|channel| channel.kind() == kind)
    }

    /// Nobody can be told.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Channel {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self.way {
            Way::Slack(_) => Kind::Slack,
            Way::Teams(_) => Kind::Teams,
            Way::Mail(_) => Kind::Mail,
            Way::Webhook(_) => Kind::Webhook,
        }
    }

    /// Where it leads, as far as that is no secret: a host name.
    pub fn host(&self) -> &str {
        match &self.way {
            Way::Slack(post) | Way::Teams(post) => post.host(),
            Way::Mail(mail) => mail.host(),
            Way::Webhook(webhook) => webhook.host(),
        }
    }

    /// Tells a notice, once. `id` names it to receivers that recognise repeats: the same for every
    /// try, unique among notices, of letters, digits, `-`, `_` and `.`. Ends within the configured
    /// time; if the future is dropped, the notice may have been told or not.
    pub async fn send(&self, notice: &Notice, id: &str, now: Timestamp) -> Outcome {
        match &self.way {
            Way::Slack(post) => post.send(slack::body(&self.letter(notice)), &[]).await,
            Way::Teams(post) => post.send(teams::body(&self.letter(notice)), &[]).await,
            Way::Mail(mail) => mail.send(&self.letter(notice), notice.timestamp, id).await,
            Way::Webhook(webhook) => webhook.send(notice, id, now).await,
        }
    }

    fn letter(&self, notice: &Notice) -> Letter {
        text::letter(&self.language, &self.glpi_url, notice)
    }
}

/// The address of a setting, if requests may go there. What is wrong is told without it.
fn address(guard: &Guard, url: &SecretString) -> Result<Url, String> {
    let url: Url = url.expose_secret().trim().parse().map_err(|_not_a_url| {
        "expected an address such as https://hooks.example.org/…".to_owned()
    })?;
    guard.check(&url).map_err(|refused: Refused| refused.to_string())?;
    Ok(url)
}

/// Whether notices may be posted to that address, as far as its text shows.
pub fn may_be_posted_to(url: &SecretString, allow: &Allow) -> bool {
    address(&Guard::new(allow.clone()), url).is_ok()
}

/// Mailboxes separated by commas, such as `Helpdesk <help@example.org>, b@example.org`.
pub(crate) fn mailboxes(text: &str) -> Option<Vec<Mailbox>> {
    let parsed: lettre::message::Mailboxes = text.parse().ok()?;
    let mailboxes: Vec<_> = parsed.into_iter().collect();
    Some(mailboxes).filter(|mailboxes| !mailboxes.is_empty())
}
