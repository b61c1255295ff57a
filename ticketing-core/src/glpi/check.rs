//! Tries the configuration against GLPI, step by step, and says for each fault what it means and
//! what to do. Changes nothing at GLPI.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::{
    Glpi, Method,
    answer::{Answer, Page},
    transport, wire,
};

/// One step of the check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was tried, in a few words.
    pub step: &'static str,
    /// How it went.
    pub verdict: Verdict,
}

/// How a step went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be, and what was seen.
    Good(String),
    /// It works, but something will go wrong some day.
    Doubtful(Fault),
    /// Tickets cannot be made.
    Bad(Fault),
}

/// What is wrong, in one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What it means.
    pub meaning: String,
    /// What to do.
    pub cure: String,
}

/// The steps, in order.
mod step {
    pub(super) const VERIFIED: &str = "GLPI is known by its certificate";
    pub(super) const REACHABLE: &str = "GLPI's address answers";
    pub(super) const IS_GLPI: &str = "it is GLPI's API";
    pub(super) const ENABLED: &str = "the API is enabled";
    pub(super) const CLIENT: &str = "this server may use it";
    pub(super) const APP_TOKEN: &str = "the App-Token is right";
    pub(super) const USER_TOKEN: &str = "the user token is right";
    pub(super) const MAY_CREATE: &str = "the profile may create tickets";
    pub(super) const SEES_ALL: &str = "the profile sees all tickets";
    pub(super) const ENTITY: &str = "the entity can be used";
    /// All that one log-in proves, in order.
    pub(super) const OF_LOG_IN: [&str; 6] =
        [REACHABLE, IS_GLPI, ENABLED, CLIENT, APP_TOKEN, USER_TOKEN];
}

/// Bits of GLPI's right "ticket".
const RIGHT_CREATE: u64 = 4;
const RIGHT_READ_ALL: u64 = 1024;

impl Glpi {
    /// Goes through the steps until one is bad.
    pub async fn check(&self) -> Vec<Finding> {
        let mut findings = Vec::from_iter((!self.verifies).then(unverified));
        let Some(token) = self.check_log_in(&mut findings).await else { return findings };
        let profile = self.ask("getActiveProfile", &token).await;
        findings.extend(check_profile(profile.as_ref()));
        let entities = self.ask("getMyEntities?is_recursive=true", &token).await;
        findings.push(check_entity(entities.as_ref(), self.entity));
        self.end(&token).await;
        findings
    }

    /// One log-in tells the first six steps: GLPI checks them in this order.
    async fn check_log_in(&self, findings: &mut Vec<Finding>) -> Option<SecretString> {
        let authorization = format!("user_token {}", self.user_token.expose_secret());
        let request =
            self.request(Method::GET, "initSession").header("Authorization", authorization);
        let (failed_step, fault) = match Answer::of(request).await {
            Err(error) => (step::REACHABLE, unreachable(&error)),
            Ok(answer) => match wire::session_token(&answer) {
                Some(token) => {
                    findings.extend(step::OF_LOG_IN.map(|step| good(step, "yes")));
                    return Some(token);
                }
                None => log_in_fault(&answer),
            },
        };
        let passed = step::OF_LOG_IN.into_iter().take_while(|step| *step != failed_step);
        findings.extend(passed.map(|step| good(step, "yes")));
        findings.push(Finding { step: failed_step, verdict: Verdict::Bad(fault) });
        None
    }

    async fn ask(&self, path: &str, token: &SecretString) -> Option<Value> {
        let request =
            self.request(Method::GET, path).header("Session-Token", token.expose_secret());
        match Answer::of(request).await.ok()? {
            Answer::Json { status: 200, body } => Some(body),
            Answer::Json { .. }
            | Answer::Error { .. }
            | Answer::Empty { .. }
            | Answer::Page { .. } => None,
        }
    }

    async fn end(&self, token: &SecretString) {
        let request =
            self.request(Method::GET, "killSession").header("Session-Token", token.expose_secret());
        if let Err(error) = request.send().await {
            tracing::warn!(error = %transport(&error), "could not end the GLPI session");
        }
    }
}

fn unreachable(error: &reqwest::Error) -> Fault {
    let meaning = transport(error);
    let cure = if meaning.contains("InvalidContentType") {
        "nothing speaks TLS there: write http:// instead of https:// in GLPI_URL, or the port of HTTPS"
    } else if meaning.contains("certificate") {
        "if GLPI's certificate comes from a private authority, name that authority's PEM file in GLPI_CA_FILE"
    } else if error.is_timeout() {
        "GLPI's server is up but does not answer: look at its web server and PHP, and at firewalls in between"
    } else {
        "check the host and port in GLPI_URL, that GLPI's web server runs, and that no firewall is in between"
    };
    fault(meaning, cure)
}

fn unverified() -> Finding {
    let fault = fault(
        "GLPI_TLS_VERIFY=no takes any certificate: anybody on the way can read and change tickets",
        "name the PEM file of GLPI's authority in GLPI_CA_FILE, and take GLPI_TLS_VERIFY out",
    );
    Finding { step: step::VERIFIED, verdict: Verdict::Doubtful(fault) }
}

fn log_in_fault(answer: &Answer) -> (&'static str, Fault) {
    let seen = answer.describe();
    match answer {
        Answer::Error { error, .. } => match error.code.as_str() {
            "ERROR" => (
                step::ENABLED,
                fault(
                    "GLPI's REST API is switched off",
                    "in GLPI: Setup > General > API, set “Enable Rest API” to Yes",
                ),
            ),
            "ERROR_NOT_ALLOWED_IP" => (
                step::CLIENT,
                fault(
                    "GLPI does not allow this server's address",
                    "in GLPI: Setup > General > API, widen the IPv4 range of the API client",
                ),
            ),
            "ERROR_APP_TOKEN_PARAMETERS_MISSING" | "ERROR_WRONG_APP_TOKEN_PARAMETER" => (
                step::APP_TOKEN,
                fault(
                    "GLPI does not know the App-Token",
                    "copy it from Setup > General > API > the API client into GLPI_APP_TOKEN (if the client there has none, regenerate it)",
                ),
            ),
            "ERROR_GLPI_LOGIN_USER_TOKEN"
            | "ERROR_GLPI_LOGIN"
            | "ERROR_LOGIN_PARAMETERS_MISSING" => (
                step::USER_TOKEN,
                fault(
                    "GLPI does not accept the user token: wrong, revoked, or its user is inactive",
                    "copy the API token from the user's own preferences (Remote access keys) into GLPI_USER_TOKEN, and allow “login with external token” in Setup > General > API",
                ),
            ),
            _ => (
                step::USER_TOKEN,
                fault(seen, "look at files/_log/php-errors.log on GLPI's server"),
            ),
        },
        Answer::Page { kind: Page::Maintenance, .. } => (
            step::ENABLED,
            fault(
                "GLPI is in maintenance",
                "end the maintenance in GLPI (Setup > General > System) or by `php bin/console maintenance:disable`; until then calls are recorded",
            ),
        ),
        Answer::Page { kind: Page::DatabaseDown, .. } => (
            step::ENABLED,
            fault(
                "GLPI cannot reach its database",
                "start MariaDB on GLPI's database server and check GLPI's access to it",
            ),
        ),
        Answer::Page { kind: Page::NotConfigured, .. } => (
            step::ENABLED,
            fault("GLPI is not installed completely", "finish GLPI's own installation"),
        ),
        Answer::Page { status: 502..=504, .. } | Answer::Empty { status: 500..=599 } => (
            step::IS_GLPI,
            fault(
                seen,
                "the web server before GLPI cannot reach PHP: start php-fpm, or look at its log",
            ),
        ),
        Answer::Page { status: 301 | 302 | 307 | 308, .. }
        | Answer::Empty { status: 301 | 302 | 307 | 308 } => (
            step::IS_GLPI,
            fault(
                seen,
                "the address redirects: set GLPI_URL to the address it redirects to (often https instead of http)",
            ),
        ),
        Answer::Empty { status: 200 } => {
            (step::IS_GLPI, fault(seen, "look at files/_log/php-errors.log on GLPI's server"))
        }
        Answer::Json { .. } if empty_token(answer) => (
            step::USER_TOKEN,
            fault(
                "GLPI opens no session (it gives an empty token)",
                "make files/_sessions writable for PHP on GLPI's server",
            ),
        ),
        Answer::Json { .. } | Answer::Empty { .. } | Answer::Page { .. } => (
            step::IS_GLPI,
            fault(
                format!("something answers there, but not GLPI's API ({seen})"),
                "set GLPI_URL to the address of GLPI's home page, or to …/apirest.php itself",
            ),
        ),
    }
}

fn empty_token(answer: &Answer) -> bool {
    matches!(answer, Answer::Json { body, .. } if body.get("session_token").is_some())
}

fn check_profile(body: Option<&Value>) -> [Finding; 2] {
    let profile = body.and_then(|body| body.get("active_profile"));
    let name = profile.and_then(|profile| profile["name"].as_str()).unwrap_or("unknown").to_owned();
    let rights = profile.and_then(|profile| profile["ticket"].as_u64());
    let may_create = match rights {
        Some(rights) if rights & RIGHT_CREATE != 0 => Verdict::Good(format!("profile {name}")),
        Some(_) => Verdict::Bad(fault(
            format!("the profile {name} of GLPI's user may not create tickets"),
            "in GLPI: Administration > Profiles > Assistance, allow Create for tickets, or give the user another default profile",
        )),
        None => Verdict::Doubtful(fault(
            "GLPI does not tell the rights of the user's profile",
            "make a test call and look whether a ticket is made",
        )),
    };
    let sees_all = match rights {
        Some(rights) if rights & RIGHT_READ_ALL != 0 => Verdict::Good(format!("profile {name}")),
        _ => Verdict::Doubtful(fault(
            "tickets changed by others may be hidden from GLPI's user, so a ticket whose creation was not confirmed might not be found again",
            "in GLPI: Administration > Profiles > Assistance, allow “See all tickets”",
        )),
    };
    [
        Finding { step: step::MAY_CREATE, verdict: may_create },
        Finding { step: step::SEES_ALL, verdict: sees_all },
    ]
}

fn check_entity(body: Option<&Value>, wanted: Option<u32>) -> Finding {
    let entities = body.and_then(|body| body["myentities"].as_array());
    let ids: Vec<u64> = entities
        .into_iter()
        .flatten()
        .filter_map(|entity| entity["id"].as_u64().or_else(|| entity["id"].as_str()?.parse().ok()))
        .collect();
    let verdict = match wanted {
        None if ids.is_empty() => Verdict::Bad(fault(
            "GLPI's user belongs to no entity",
            "in GLPI: Administration > Users, give the user an authorisation (entity and profile)",
        )),
        None => Verdict::Good("the user's own".into()),
        Some(wanted) if ids.contains(&u64::from(wanted)) => {
            Verdict::Good(format!("entity {wanted}"))
        }
        Some(wanted) => Verdict::Bad(fault(
            format!("GLPI's user has no access to entity {wanted}"),
            format!(
                "set GLPI_ENTITY to one of {ids:?}, or give the user access to entity {wanted} (recursively)"
            ),
        )),
    };
    Finding { step: step::ENTITY, verdict }
}

fn good(step: &'static str, seen: &str) -> Finding {
    Finding { step, verdict: Verdict::Good(seen.to_owned()) }
}

fn fault(meaning: impl Into<String>, cure: impl Into<String>) -> Fault {
    Fault { meaning: meaning.into(), cure: cure.into() }
}
