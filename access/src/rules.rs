//! What a gate goes by, read from the configuration.

use secrecy::{ExposeSecret as _, SecretString};
use service_kit::{
    config::Source,
    settings::{self, Setting},
};

use crate::{Client, Digest, Name, Networks, Rate, Role};

/// Which listener a gate belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// The web gateway: tokens and secret paths.
    Http,
    /// The gRPC server: tokens and certificates.
    Grpc,
}

/// Who may call on one listener, and how much.
#[derive(Debug, Clone)]
pub struct Rules {
    pub(crate) surface: Surface,
    /// Somebody is configured, whether or not this listener can know them.
    pub(crate) asks: bool,
    pub(crate) clients: Vec<Client>,
    /// Parts of this process, which no configuration names.
    pub(crate) insiders: Vec<Client>,
    pub(crate) allow_from: Option<Networks>,
    pub(crate) trusted_proxies: Networks,
    pub(crate) client_rate: Option<Rate>,
    pub(crate) source_rate: Option<Rate>,
    pub(crate) max_calls: usize,
}

/// Each of them is compared with every credential.
const MOST_CLIENTS: usize = 1_000;

/// Calls at once unless configured: what the gateway's deadline of some 5 s lets one machine hold
/// without growing by more than a few MiB.
const MAX_CALLS: usize = 512;

impl Rules {
    /// Reads them; what is wrong is noted in the source.
    pub fn from_source(source: &Source, surface: Surface) -> Self {
        let (own, token) = match surface {
            Surface::Http => ("webhook", &settings::AUTOMATGLPI_WEBHOOK_TOKEN),
            Surface::Grpc => ("grpc", &settings::AUTOMATGLPI_GRPC_TOKEN),
        };
        source.must_fit_a_header(token);
        let own_token = source.secret(token);
        let mut clients = named(source);
        let asks = own_token.is_some() || source.secret(&settings::AUTOMATGLPI_CLIENTS).is_some();
        clients.extend(own_token.map(|token| sole(surface, own, &token)));
        Self {
            surface,
            asks,
            clients,
            insiders: Vec::new(),
            allow_from: match surface {
                Surface::Http => networks(source, &settings::AUTOMATGLPI_ALLOW_FROM),
                Surface::Grpc => None,
            },
            trusted_proxies: networks(source, &settings::AUTOMATGLPI_TRUSTED_PROXIES)
                .unwrap_or_default(),
            client_rate: rate(source, &settings::AUTOMATGLPI_CLIENT_RATE),
            source_rate: rate(source, &settings::AUTOMATGLPI_SOURCE_RATE),
            max_calls: source
                .parse(&settings::AUTOMATGLPI_MAX_CALLS, "a number from 1 up")
                .map_or(MAX_CALLS, std::num::NonZeroUsize::get),
        }
    }

    /// Lets everybody in, without limits of rate.
    pub fn open(surface: Surface) -> Self {
        Self {
            surface,
            asks: false,
            clients: Vec::new(),
            insiders: Vec::new(),
            allow_from: None,
            trusted_proxies: Networks::default(),
            client_rate: None,
            source_rate: None,
            max_calls: MAX_CALLS,
        }
    }

    /// Lets this client in as well.
    #[must_use]
    pub fn with_client(mut self, client: Client) -> Self {
        self.clients.push(client);
        self.asks = true;
        self
    }

    /// Lets a part of this process in as well, now and after each change, without limits.
    #[must_use]
    pub fn with_insider(mut self, client: Client) -> Self {
        self.insiders.push(client);
        self
    }

    /// Whether a credential is asked for: the listener has a token, or clients are named. Clients
    /// that it cannot know, as those of secret paths by gRPC, are no reason to let everybody in.
    pub fn ask_for_credentials(&self) -> bool {
        self.asks
    }

    /// Whether a client is known by its certificate, for which the listener has to ask.
    pub fn know_certificates(&self) -> bool {
        self.clients.iter().any(|client| !client.certificates.is_empty())
    }
}

/// The client of a listener's own token.
fn sole(surface: Surface, name: &str, token: &SecretString) -> Client {
    let name = Name::parse(name).expect("letters are a name");
    let roles: &[Role] = match surface {
        Surface::Http => &[Role::Create, Role::Read],
        Surface::Grpc => &Role::ALL,
    };
    Client::new(name, roles).with_token(Digest::of(token.expose_secret().as_bytes()))
}

/// The clients of `AUTOMATGLPI_CLIENTS`, one per line.
fn named(source: &Source) -> Vec<Client> {
    let setting = &settings::AUTOMATGLPI_CLIENTS;
    let Some(text) = source.secret(setting) else { return Vec::new() };
    let mut clients: Vec<Client> = Vec::new();
    let mut has_wrong = false;
    for (number, line) in (1..).zip(text.expose_secret().lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.parse::<Client>() {
            Ok(client) if client.name().is_ours() => {
                source.wrong_in(
                    setting,
                    number,
                    "webhook, grpc, gateway and local are names of ours",
                );
            }
            Ok(client) if clients.iter().any(|other| client.shares_credential(other)) => {
                source.wrong_in(setting, number, "another line has the same token or path");
            }
            Ok(client) if clients.iter().any(|other| other.name == client.name) => {
                source.wrong_in(setting, number, "another line has this name");
            }
            Ok(_) if clients.len() == MOST_CLIENTS => {
                source.wrong_in(setting, number, "more than a thousand clients are too many");
                break;
            }
            Ok(client) => clients.push(client),
            Err(wrong) => {
                has_wrong = true;
                source.wrong_in(setting, number, &wrong.to_string());
            }
        }
    }
    if clients.is_empty() && !has_wrong {
        source.wrong(setting, "at least one client; remove it to have none");
    }
    clients
}

fn networks(source: &Source, setting: &Setting) -> Option<Networks> {
    source.parse(setting, "addresses and networks such as 203.0.113.7,10.0.0.0/8")
}

fn rate(source: &Source, setting: &Setting) -> Option<Rate> {
    if source.text(setting)?.trim() == "none" {
        return None;
    }
    source.parse(setting, "a rate such as 20/s, 100/m or 1000/h, or none")
}
