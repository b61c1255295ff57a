//! The way in.

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use service_kit::{config::Source, reload::Change, settings};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    Client, Digest, Name, Role, Rules,
    client::Credential,
    limits::{ClientLimits, SourceLimits},
};

/// Lets calls of one listener in, by rules that may change meanwhile. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Gate(Arc<ArcSwap<Open>>);

/// The rules in force, and what has been counted under them.
#[derive(Debug)]
struct Open {
    rules: Rules,
    /// Everybody who can be known.
    known: Vec<Arc<Client>>,
    limits: HashMap<Name, ClientLimits>,
    sources: SourceLimits,
    places: Arc<Semaphore>,
    /// Names that relays have brought and no rule knows.
    strangers: Mutex<HashSet<Name>>,
    local: Arc<Client>,
}

/// What a call brings along.
#[derive(Debug, Clone, Copy, Default)]
pub struct Credentials<'a> {
    /// The header or metadata key `authorization`.
    pub authorization: Option<&'a [u8]>,
    /// The secret part of a webhook's path.
    pub path: Option<&'a str>,
    /// The names in the connection's verified certificate.
    pub certificate: &'a [String],
    /// The call came through a proxy, as its headers say.
    pub is_forwarded: bool,
}

/// Whoever makes a call.
#[derive(Debug, Clone)]
pub struct Caller {
    client: Arc<Client>,
    on_behalf: Option<OnBehalf>,
}

/// The client that a relay calls for.
#[derive(Debug, Clone)]
struct OnBehalf {
    name: Name,
    /// Its configuration, if it is known here too.
    client: Option<Arc<Client>>,
}

/// A place among the calls at once; dropping it frees the place.
#[derive(Debug)]
pub struct Pass {
    _of_all: OwnedSemaphorePermit,
    _of_client: Option<OwnedSemaphorePermit>,
}

/// Why a call is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The address is not on the list.
    #[error("calls from this address are not taken")]
    Address,
    /// No credential, or none that is known.
    #[error("no valid credential")]
    Credential,
    /// No credential is configured, and somebody beyond this machine may be calling.
    #[error("calls through a proxy are taken only once a token or clients are configured")]
    Proxy,
    /// The client has not this role.
    #[error("this client has not the role {}", .0.as_str())]
    Role(Role),
    /// The address calls too often.
    #[error("too many calls from this address")]
    Source {
        /// When the next one is taken.
        retry_after: Duration,
    },
    /// The client calls too often.
    #[error("too many calls")]
    Rate {
        /// When the next one is taken.
        retry_after: Duration,
    },
    /// Too many calls are under way.
    #[error("too many calls at once")]
    Full {
        /// When there may be room.
        retry_after: Duration,
    },
}

/// A place is free as soon as somebody is answered, which is a matter of seconds at most.
const ROOM_WITHIN: Duration = Duration::from_secs(1);

/// Names that relays may bring without being configured here: they end up in metrics, of which
/// nobody shall be able to make as many as they like.
const MOST_STRANGERS: usize = 1_000;

/// The name of whoever calls a listener that asks for no credential.
const LOCAL: &str = "local";

impl Gate {
    /// A gate with these rules.
    pub fn new(rules: Rules) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(Open::new(rules))))
    }

    /// Goes by other rules from now on. Calls under way are not disturbed; what was counted is
    /// forgotten.
    pub fn change(&self, rules: Rules) {
        self.0.store(Arc::new(Open::new(rules)));
    }

    /// Reads clients and limits again, for [`service_kit::Reload`]. A listener that asks for
    /// credentials, or that others than this machine can reach, is not opened to everybody.
    pub fn reloading(
        &self,
        listener: SocketAddr,
    ) -> impl Fn(&Source) -> Change + Send + Sync + use<> {
        let this = self.clone();
        move |source| {
            let Rules { surface, insiders, .. } = this.0.load().rules.clone();
            let rules = Rules { insiders, ..Rules::from_source(source, surface) };
            let must_ask = this.asks_for_credentials() || !listener.ip().is_loopback();
            if !rules.ask_for_credentials() && must_ask {
                let expected = "set: only a restart opens a listener to everybody";
                source.wrong(&settings::AUTOMATGLPI_CLIENTS, expected);
            }
            let this = this.clone();
            Box::new(move || this.change(rules))
        }
    }

    /// Whether a credential is asked for.
    pub fn asks_for_credentials(&self) -> bool {
        self.0.load().rules.ask_for_credentials()
    }

    /// First step: looks at the address, and counts its call. Returns where the call really comes
    /// from.
    pub fn knock<'a>(
        &self,
        peer: IpAddr,
        forwarded_for: impl DoubleEndedIterator<Item = &'a str>,
    ) -> Result<IpAddr, Refusal> {
        let origin = self.origin(peer, forwarded_for)?;
        self.count(origin)?;
        Ok(origin)
    }

    /// The first half of [`Self::knock`]: only looks at the address.
    pub fn origin<'a>(
        &self,
        peer: IpAddr,
        forwarded_for: impl DoubleEndedIterator<Item = &'a str>,
    ) -> Result<IpAddr, Refusal> {
        let open = self.0.load();
        let origin = open.rules.trusted_proxies.origin(peer, forwarded_for);
        if open.rules.allow_from.as_ref().is_some_and(|allowed| !allowed.contains(origin)) {
            return Err(Refusal::Address);
        }
        Ok(origin)
    }

    /// The second half of [`Self::knock`]: counts the call of an address. Not for relays, which
    /// bring the calls of many.
    pub fn count(&self, origin: IpAddr) -> Result<(), Refusal> {
        let open = self.0.load();
        open.sources.count(origin).map_err(|retry_after| Refusal::Source { retry_after })
    }

    /// Second step: finds out who calls. Every credential is compared, whatever matches, so that
    /// nothing can be learned from how long it takes.
    pub fn identify(
        &self,
        credentials: &Credentials<'_>,
        origin: IpAddr,
        now: Timestamp,
    ) -> Result<Caller, Refusal> {
        let open = self.0.load();
        let found = open.find(credentials, now);
        if found.is_none() && !open.rules.ask_for_credentials() {
            // A proxy on this machine would open to everybody what is meant for this machine.
            if credentials.is_forwarded {
                return Err(Refusal::Proxy);
            }
            return Ok(Caller { client: Arc::clone(&open.local), on_behalf: None });
        }
        let client = found.ok_or(Refusal::Credential)?;
        if client.from.as_ref().is_some_and(|from| !from.contains(origin)) {
            return Err(Refusal::Address);
        }
        Ok(Caller { client: Arc::clone(client), on_behalf: None })
    }

    /// Lets a relay call in the name of this client. The relay has checked what that one may do, and
    /// gets no more than what clients may that make and read tickets. Others call for themselves.
    pub fn relayed(&self, mut caller: Caller, name: Name) -> Result<Caller, Refusal> {
        if caller.client.may(Role::Relay) {
            let open = self.0.load();
            let client = open.known.iter().find(|client| client.name == name).map(Arc::clone);
            if client.is_none() && !open.admits_stranger(&name) {
                return Err(Refusal::Credential);
            }
            caller.on_behalf = Some(OnBehalf { name, client });
        }
        Ok(caller)
    }

    /// Third step: checks the role and the limits, and gives the call a place.
    pub fn admit(&self, caller: &Caller, role: Role) -> Result<Pass, Refusal> {
        if !caller.may(role) {
            return Err(Refusal::Role(role));
        }
        self.seat(caller)
    }

    /// As [`Self::admit`], for what every client may do.
    pub fn seat(&self, caller: &Caller) -> Result<Pass, Refusal> {
        let open = self.0.load();
        let limits = open.limits.get(&caller.client.name);
        let full = Refusal::Full { retry_after: ROOM_WITHIN };
        // Whom a relay calls for has been counted by the relay, and its places are everybody's.
        let limits = limits.filter(|_| caller.on_behalf.is_none());
        if let Some(limits) = limits {
            limits.count().map_err(|retry_after| Refusal::Rate { retry_after })?;
        }
        let of_client = limits.map(|limits| limits.place().ok_or(full)).transpose()?;
        let of_all = Arc::clone(&open.places).try_acquire_owned().map_err(|_none_left| full)?;
        Ok(Pass { _of_all: of_all, _of_client: of_client })
    }
}

impl Caller {
    /// The client that calls, or is called for.
    pub fn name(&self) -> &Name {
        self.on_behalf.as_ref().map_or(&self.client.name, |on_behalf| &on_behalf.name)
    }

    /// The client as configured.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Whether the call may have this role. Whoever operates may read as well.
    pub fn may(&self, role: Role) -> bool {
        match (&self.on_behalf, role) {
            (Some(_), Role::Create | Role::Read) => true,
            (Some(_), Role::Operate | Role::Relay) => false,
            (None, Role::Read) => self.client.may(Role::Read) || self.client.may(Role::Operate),
            (None, role) => self.client.may(role),
        }
    }

    /// Whether the call may see everybody's tickets: its client operates.
    pub fn sees_all(&self) -> bool {
        match &self.on_behalf {
            Some(OnBehalf { client, .. }) => {
                client.as_ref().is_some_and(|client| client.may(Role::Operate))
            }
            None => self.client.may(Role::Operate),
        }
    }
}

impl Open {
    fn new(rules: Rules) -> Self {
        // A single client cannot take all the places.
        let share = rules.max_calls.div_ceil(2);
        let name = Name::parse(LOCAL).expect("letters are a name");
        let local = Client::new(name, &Role::ALL);
        // Insiders have no limits of their own.
        let limits = rules.clients.iter().chain([&local]).map(|client| {
            let rate = client.rate.or(rules.client_rate);
            (client.name.clone(), ClientLimits::new(rate, share))
        });
        Self {
            limits: limits.collect(),
            known: rules.clients.iter().chain(&rules.insiders).cloned().map(Arc::new).collect(),
            sources: SourceLimits::new(rules.source_rate),
            places: Arc::new(Semaphore::new(rules.max_calls)),
            strangers: Mutex::default(),
            local: Arc::new(local),
            rules,
        }
    }

    /// Whether one more name may be brought.
    fn admits_stranger(&self, name: &Name) -> bool {
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        if strangers.contains(name) {
            return true;
        }
        let has_room = strangers.len() < MOST_STRANGERS;
        if has_room {
            strangers.insert(name.clone());
        }
        has_room
    }

    /// The client of these credentials. A secret path, else a token decides; a client of which a certificate is
    /// known as well must also bring that. Without either the certificate decides, for clients that
    /// have nothing else.
    fn find(&self, credentials: &Credentials<'_>, now: Timestamp) -> Option<&Arc<Client>> {
        let token = credentials.authorization.map(|header| bearer(header).map(Digest::of));
        let path = credentials.path.map(|path| Digest::of(path.as_bytes()));
        let has_certificate = |client: &Client| {
            client.certificates.iter().any(|name| credentials.certificate.contains(name))
        };
        let mut found = None;
        for client in &self.known {
            let is_it = match (&path, &token) {
                (Some(path), _) => any(client, &client.paths, *path, now),
                (None, Some(token)) => {
                    token.is_some_and(|token| any(client, &client.tokens, token, now))
                }
                (None, None) => client.tokens.is_empty() && has_certificate(client),
            };
            let is_complete = client.certificates.is_empty() || has_certificate(client);
            if is_it && is_complete {
                found = Some(client);
            }
        }
        found
    }
}

/// Whether the digest is one of these and still valid.
fn any(client: &Client, credentials: &[Credential], digest: Digest, now: Timestamp) -> bool {
    let mut is_valid = false;
    for credential in credentials {
        let matches = credential.digest.matches(&digest);
        let is_over = credential.until.is_some_and(|until| until <= now);
        if matches && is_over {
            tracing::warn!(client = %client.name, "a credential was used after its end");
        }
        is_valid |= matches && !is_over;
    }
    is_valid
}

/// The token in `Bearer TOKEN`.
fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = header.split_at_checked(7)?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer ") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests;
