//! One client: its name, what it may do, what it is known by.

use std::{fmt, str::FromStr};

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::{Digest, Networks, Rate, SignatureKey};

/// Names a client on its requests, in logs and in metrics: up to 64 letters, digits, `-`, `_`, `.`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// Reads a name; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let is_name = (1..=64).contains(&text.len()) && text.bytes().all(is_sign);
        is_name.then(|| Self(text.to_owned()))
    }

    /// Taken by the product itself: by the two listeners' own tokens, the gateway within one
    /// process, and whoever calls a listener that asks for no credential.
    pub fn is_ours(&self) -> bool {
        ["webhook", "grpc", "gateway", "local"].contains(&self.as_str())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a client may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Open tickets and add to its own.
    Create,
    /// Ask for its own tickets.
    Read,
    /// See and change all requests, and read everybody's tickets.
    Operate,
    /// Call in the name of other clients.
    Relay,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Create, Self::Read, Self::Operate, Self::Relay];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Relay => "relay",
        }
    }
}

impl FromStr for Role {
    type Err = BadClient;

    fn from_str(text: &str) -> Result<Self, BadClient> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(BadClient::Role)
    }
}

/// A digest that lets a client in, perhaps for a time only.
#[derive(Debug, Clone)]
pub(crate) struct Credential {
    pub(crate) digest: Digest,
    pub(crate) until: Option<Timestamp>,
}

/// Somebody who may call.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) name: Name,
    pub(crate) roles: Vec<Role>,
    pub(crate) tokens: Vec<Credential>,
    pub(crate) paths: Vec<Credential>,
    pub(crate) certificates: Vec<String>,
    pub(crate) signature: Option<SignatureKey>,
    pub(crate) from: Option<Networks>,
    pub(crate) rate: Option<Rate>,
    pub(crate) source: Option<String>,
}

/// What is wrong with a client's line. Never quotes it: it may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadClient {
    /// The first word.
    #[error("a name has up to 64 letters, digits, - _ and .")]
    Name,
    /// The second word.
    #[error("roles are create, read, operate and relay, separated by commas")]
    Role,
    /// A word without `=`, or one that is not known.
    #[error(
        "after name and roles come words such as token=sha256:…, path=, certificate=, signature=, from=, rate= and source="
    )]
    Word,
    /// A token or path.
    #[error(
        "token= and path= take sha256: and 64 hexadecimal digits, perhaps followed by ,until=2027-01-31; `automatglpi token new` prints such a word"
    )]
    Digest,
    /// Too many tokens or paths.
    #[error("two tokens and two paths are enough to replace one by another")]
    TooMany,
    /// A signature secret.
    #[error("signature= takes whsec_ and 24 to 64 bytes of base64")]
    Signature,
    /// An address.
    #[error("from= takes addresses and networks such as 203.0.113.7,10.0.0.0/8")]
    From,
    /// A rate.
    #[error("rate= takes a rate such as 20/s, 100/m or 1000/h")]
    Rate,
    /// A source.
    #[error("source= is one of helpdesk, email, phone, direct, written and other")]
    Source,
    /// Nothing to know it by.
    #[error("a client needs a token=, path= or certificate= to be known by")]
    Unknowable,
}

/// GLPI's request sources, as the contract names them.
const SOURCES: [&str; 6] = ["helpdesk", "email", "phone", "direct", "written", "other"];

/// So that one can be replaced by another without a gap.
const MOST_CREDENTIALS: usize = 2;

impl Client {
    /// A client that is known by nothing yet.
    pub fn new(name: Name, roles: &[Role]) -> Self {
        Self {
            name,
            roles: roles.to_vec(),
            tokens: Vec::new(),
            paths: Vec::new(),
            certificates: Vec::new(),
            signature: None,
            from: None,
            rate: None,
            source: None,
        }
    }

    /// Also known by this token.
    #[must_use]
    pub fn with_token(mut self, digest: Digest) -> Self {
        self.tokens.push(Credential { digest, until: None });
        self
    }

    /// Its name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Whether it has the role.
    pub fn may(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Whether one token, or one path, would be both clients'.
    pub(crate) fn shares_credential(&self, other: &Self) -> bool {
        let shared = |ours: &[Credential], theirs: &[Credential]| {
            ours.iter().any(|our| theirs.iter().any(|their| our.digest.matches(&their.digest)))
        };
        shared(&self.tokens, &other.tokens) || shared(&self.paths, &other.paths)
    }

    /// Its webhooks must be signed with this.
    pub fn signature(&self) -> Option<&SignatureKey> {
        self.signature.as_ref()
    }

    /// Source of its tickets that name none: a name of the contract in lower case.
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }
}

impl FromStr for Client {
    type Err = BadClient;

    /// Reads `NAME ROLE[,ROLE…] WORD=…` as `docs/configuration.md` describes it.
    fn from_str(line: &str) -> Result<Self, BadClient> {
        let mut words = line.split_whitespace();
        let name = words.next().and_then(Name::parse).ok_or(BadClient::Name)?;
        let roles = words.next().ok_or(BadClient::Role)?.split(',').map(Role::from_str);
        let mut client = Self::new(name, &roles.collect::<Result<Vec<_>, _>>()?);
        for word in words {
            let (key, value) = word.split_once('=').ok_or(BadClient::Word)?;
            match key {
                "token" => add(&mut client.tokens, credential(value)?)?,
                "path" => add(&mut client.paths, credential(value)?)?,
                "certificate" => client.certificates.push(value.to_owned()),
                "signature" => {
                    let key = SignatureKey::parse(value).ok_or(BadClient::Signature)?;
                    client.signature = Some(key);
                }
                "from" => client.from = Some(value.parse().map_err(|_wrong| BadClient::From)?),
                "rate" => client.rate = Some(value.parse().map_err(|_wrong| BadClient::Rate)?),
                "source" if SOURCES.contains(&value) => client.source = Some(value.to_owned()),
                "source" => return Err(BadClient::Source),
                _ => return Err(BadClient::Word),
            }
        }
        let is_knowable =
            [client.tokens.len(), client.paths.len(), client.certificates.len()] != [0, 0, 0];
        if is_knowable { Ok(client) } else { Err(BadClient::Unknowable) }
    }
}

fn add(credentials: &mut Vec<Credential>, credential: Credential) -> Result<(), BadClient> {
    if credentials.len() == MOST_CREDENTIALS {
        return Err(BadClient::TooMany);
    }
    credentials.push(credential);
    Ok(())
}

/// `sha256:…`, perhaps with `,until=` a moment or a day, which it outlives (UTC).
fn credential(text: &str) -> Result<Credential, BadClient> {
    let (digest, until) = match text.split_once(",until=") {
        Some((digest, until)) => (digest, Some(moment(until).ok_or(BadClient::Digest)?)),
        None => (text, None),
    };
    Ok(Credential { digest: Digest::parse(digest).ok_or(BadClient::Digest)?, until })
}

fn moment(text: &str) -> Option<Timestamp> {
    let day = || text.parse::<Date>().ok()?.tomorrow().ok()?.to_zoned_datetime(TimeZone::UTC).ok();
    text.parse().ok().or_else(|| day().map(|day| day.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    #[test]
    fn a_line_is_a_client() {
        let line = format!(
            "ivr create,read token={DIGEST} token={DIGEST},until=2027-01-31 path={DIGEST} \
             certificate=ivr.example.org from=10.0.0.0/8,192.0.2.1 rate=20/s source=phone \
             signature=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        );
        let client: Client = line.parse().unwrap();
        assert_eq!(client.name().as_str(), "ivr");
        assert_eq!(Role::ALL.map(|role| client.may(role)), [true, true, false, false]);
        assert_eq!(client.tokens[1].until, "2027-02-01T00:00:00Z".parse().ok());
        assert_eq!(client.source(), Some("phone"));
        assert!(client.signature().is_some());
        assert!(!format!("{client:?}").contains("9f86"));
        assert!(!format!("{client:?}").contains("MfKQ"));
    }

    #[test]
    fn what_is_wrong_with_a_line_is_told() {
        for (line, expected) in [
            ("", BadClient::Name),
            ("iv/r create", BadClient::Name),
            ("ivr", BadClient::Role),
            ("ivr create,write", BadClient::Role),
            ("ivr create secret", BadClient::Word),
            ("ivr create secret=x", BadClient::Word),
            ("ivr create token=secret", BadClient::Digest),
            ("ivr create token=DIGEST,until=soon", BadClient::Digest),
            ("ivr create token=DIGEST token=DIGEST token=DIGEST", BadClient::TooMany),
            ("ivr create path=DIGEST signature=secret", BadClient::Signature),
            ("ivr create path=DIGEST from=home", BadClient::From),
            ("ivr create path=DIGEST rate=fast", BadClient::Rate),
            ("ivr create path=DIGEST source=fax", BadClient::Source),
            ("ivr create", BadClient::Unknowable),
        ] {
            let parsed = line.replace("DIGEST", DIGEST).parse::<Client>();
            assert_eq!(parsed.unwrap_err(), expected, "{line}");
        }
    }
}
