//! What the server needs to know, read once.

use std::{
    net::SocketAddr,
    num::{NonZeroU64, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use jiff::SignedDuration;
use secrecy::SecretString;
use service_kit::{config::Source, settings};
use spoken::Language;
use ticketing_core::{
    announce,
    courier::{Settings, decision::Policy},
    glpi,
    ticketing::Retention,
};

mod telling;

/// The server's configuration; `docs/configuration.md` tells each name, default and meaning.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the contract is served.
    pub listen: SocketAddr,
    /// Where health and metrics are served, of a server that runs alone.
    pub admin_listen: SocketAddr,
    /// How connections are taken there.
    pub listener: listener::Config,
    /// Who may call; without anybody only loopback is listened on.
    pub access: access::Rules,
    /// Whether clients may ask for the contract.
    pub reflection: bool,
    /// Whether strangers may ask for health.
    pub open_health: bool,
    /// Where requests are recorded.
    pub store: Store,
    /// Where GLPI is.
    pub glpi: glpi::Config,
    /// How it is delivered to.
    pub courier: Settings,
    /// What people are told; its channels are those of `notices`.
    pub telling: announce::Settings,
    /// Where they are told.
    pub notices: notices::Config,
    /// The longest a caller waits for GLPI.
    pub answer_within: Duration,
    /// For requests that name none.
    pub language: Language,
    /// How long what callers said is kept.
    pub retention: Retention,
    /// How long requests under way may take at shutdown.
    pub shutdown_within: Duration,
}

/// Where requests are recorded.
#[derive(Debug, Clone)]
pub enum Store {
    /// A file.
    Sqlite(PathBuf),
    /// A server, by its connection string, which may hold a password.
    Postgres(SecretString),
}

impl Store {
    /// Reads it alone; a wrong one is noted in `source`.
    pub fn from_source(source: &Source) -> Self {
        let setting = &settings::AUTOMATGLPI_STORE;
        let text = source.required_secret(setting);
        let url = secrecy::ExposeSecret::expose_secret(&text);
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Self::Postgres(text);
        }
        if let Some(path) = url.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
            return Self::Sqlite(PathBuf::from(path));
        }
        source.wrong(setting, "sqlite:PATH or postgres://…");
        Self::Sqlite(PathBuf::new())
    }
}

/// However short the time-outs: clocks of replicas differ, and leases must not end by that alone.
const SHORTEST_LEASE: SignedDuration = SignedDuration::from_secs(5);

impl Config {
    /// Reads it; what is missing or wrong is noted in the source, for `finish` to tell.
    pub fn from_source(source: &Source) -> Self {
        for token in [&settings::GLPI_APP_TOKEN, &settings::GLPI_USER_TOKEN] {
            source.must_fit_a_header(token);
        }
        if source.text(&settings::GLPI_URL).is_some_and(|url| !glpi::is_base_url(&url)) {
            let expected = "GLPI's http:// or https:// address, without user, password or query";
            source.wrong(&settings::GLPI_URL, expected);
        }
        let glpi = glpi::Config {
            url: source.required_text(&settings::GLPI_URL),
            app_token: source.required_secret(&settings::GLPI_APP_TOKEN),
            user_token: source.required_secret(&settings::GLPI_USER_TOKEN),
            entity: source.parse(&settings::GLPI_ENTITY, "a number"),
            extra_ca_pem: source.certificates(&settings::GLPI_CA_FILE),
            verify_certificate: source.choice(&settings::GLPI_TLS_VERIFY, ["no", "yes"]) == 1,
            connect_timeout: source.positive_duration(&settings::GLPI_CONNECT_TIMEOUT),
            request_timeout: source.positive_duration(&settings::GLPI_REQUEST_TIMEOUT),
            language: source.required_text(&settings::AUTOMATGLPI_LANGUAGE),
        };
        let slowest = signed(source.positive_duration(&settings::GLPI_SLOWEST_REQUEST));
        let courier = Settings {
            max_in_flight: source
                .parse(&settings::GLPI_MAX_IN_FLIGHT, "a number from 1 up")
                .map_or(Settings::default().max_in_flight, NonZeroUsize::get),
            max_backlog: source
                .parse(&settings::AUTOMATGLPI_MAX_BACKLOG, "a number from 1 up")
                .map_or(Settings::default().max_backlog, NonZeroU64::get),
            // A request leaves only while half of the lease remains, and may take four time-outs
            // (log-in and request, both twice): six leave room for clocks that disagree.
            lease: signed(glpi.request_timeout).saturating_mul(12).max(SHORTEST_LEASE),
            policy: Policy {
                slowest_request: slowest,
                second_look: slowest / 6,
                max_age: source.duration_if_set(&settings::AUTOMATGLPI_MAX_AGE).map(signed),
                ..Policy::default()
            },
            ..Settings::default()
        };
        let (language, retention) = (language(source), retention(source));
        let (listener, access) = way_in(source);
        Self {
            listen: source.addr(&settings::AUTOMATGLPI_GRPC_LISTEN),
            admin_listen: source.addr(&settings::AUTOMATGLPI_SERVER_ADMIN_LISTEN),
            listener,
            access,
            reflection: source.choice(&settings::AUTOMATGLPI_GRPC_REFLECTION, ["off", "clients"])
                == 1,
            open_health: source.choice(&settings::AUTOMATGLPI_GRPC_HEALTH, ["clients", "open"])
                == 1,
            store: Store::from_source(source),
            telling: telling::settings(source, retention),
            notices: telling::channels(source, &glpi.url, glpi.extra_ca_pem.clone(), &language),
            glpi,
            courier,
            answer_within: source.positive_duration(&settings::AUTOMATGLPI_ANSWER_WITHIN),
            language,
            retention,
            shutdown_within: source.duration(&settings::AUTOMATGLPI_SHUTDOWN_WITHIN),
        }
    }
}

/// How connections are taken, and who may call on them.
pub(crate) fn way_in(source: &Source) -> (listener::Config, access::Rules) {
    let listener = listener::Config::grpc(source);
    let access = access::Rules::from_source(source, access::Surface::Grpc);
    let asks_for_certificates = listener.tls.as_ref().is_some_and(|tls| tls.clients.is_some());
    if access.know_certificates() && !asks_for_certificates {
        let expected = "used with AUTOMATGLPI_GRPC_CLIENT_CA_FILE, which is not set: a client has \
            certificate=, and nobody is asked for one";
        source.wrong(&settings::AUTOMATGLPI_CLIENTS, expected);
    }
    (listener, access)
}

/// Only notes in the source what is wrong with who is told what, as [`Config::from_source`] does
/// as well: for machines where GLPI is not known.
pub fn check_telling(source: &Source) {
    let _settings = telling::settings(source, retention(source));
    let _channels = telling::channels(source, "", None, &language(source));
}

fn language(source: &Source) -> Language {
    let configured = source.text(&settings::AUTOMATGLPI_LANGUAGE);
    Language::choose(configured.as_deref(), &Language::default())
}

fn retention(source: &Source) -> Retention {
    Retention {
        settled: signed(source.positive_duration(&settings::AUTOMATGLPI_RETENTION)),
        parked: Some(signed(source.duration(&settings::AUTOMATGLPI_PARKED_RETENTION)))
            .filter(|retention| !retention.is_zero()),
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BY_CERTIFICATE: &str = "console operate certificate=console.example.org";

    fn problems(extra: &[(&str, &str)]) -> Vec<String> {
        let required = [("GLPI_URL", "http://127.0.0.1:1"), ("GLPI_APP_TOKEN", "a")];
        let all = required.iter().chain(&[("GLPI_USER_TOKEN", "u")]).chain(extra);
        let all = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let source = Source::new(all, None).unwrap();
        let _config = Config::from_source(&source);
        source.finish().map_or_else(|error| error.0, |()| Vec::new())
    }

    #[test]
    fn a_client_known_by_certificate_is_refused_where_nobody_asks_for_one() {
        let clients = ("AUTOMATGLPI_CLIENTS", BY_CERTIFICATE);
        let tls = [("AUTOMATGLPI_GRPC_TLS_CERT_FILE", "c"), ("AUTOMATGLPI_GRPC_TLS_KEY_FILE", "k")];
        for settings in [vec![clients], vec![clients, tls[0], tls[1]]] {
            let told = problems(&settings);
            let [problem] = &told[..] else { panic!("{told:?}") };
            assert!(problem.starts_with("AUTOMATGLPI_CLIENTS"), "{problem}");
            assert!(problem.contains("AUTOMATGLPI_GRPC_CLIENT_CA_FILE"), "{problem}");
        }
        let authority = ("AUTOMATGLPI_GRPC_CLIENT_CA_FILE", "ca");
        assert_eq!(problems(&[clients, tls[0], tls[1], authority]), [""; 0]);
    }
}
