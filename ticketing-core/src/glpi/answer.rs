//! Reads GLPI's answers for what they say, not for their status.
//!
//! As measured on GLPI 10.0.12: 200 with an empty body is an uncaught exception; 200 with a page is
//! maintenance, a missing upgrade or a dead database; 400 is also how a dead database looks from
//! inside. Error bodies are `["CODE", message]`, the message localised and sometimes raw SQL, so
//! only the code is shown on, and the message is matched only where nothing else tells.

use reqwest::{RequestBuilder, Response};
use serde_json::Value;

use super::Written;

/// An answer, by shape.
#[derive(Debug)]
pub(super) enum Answer {
    /// JSON that is not an error.
    Json { status: u16, body: Value },
    /// `["CODE", message]`.
    Error { status: u16, error: ApiError },
    /// Nothing.
    Empty { status: u16 },
    /// A page, of GLPI's or of a web server before it.
    Page { status: u16, kind: Page },
}

/// GLPI's two-element error.
#[derive(Debug)]
pub(super) struct ApiError {
    /// Stable and safe to show; [`UNKNOWN_CODE`] if it does not look like one.
    pub(super) code: String,
    /// Localised; may hold SQL or what the caller said.
    message: String,
}

/// Pages that GLPI shows instead of answering, before it has looked at the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    Maintenance,
    DatabaseDown,
    NotConfigured,
    /// The API's own documentation: `apirest.php` without a resource.
    Documentation,
    Other,
}

/// In the place of a code that is none: whatever else stands there is not ours to show.
const UNKNOWN_CODE: &str = "without a known code";

/// Bytes of the longest code that is taken for one; GLPI's have up to 35.
const LONGEST_CODE: usize = 64;

/// More of a page than this is not read into memory.
const LONGEST_ANSWER_BYTES: usize = 16 * 1024 * 1024;

impl Answer {
    /// Sends the request and reads the answer to its end. An error after the answer's head means
    /// that the outcome is unknown, whatever the head said.
    pub(super) async fn of(request: RequestBuilder) -> Result<Self, reqwest::Error> {
        let response = request.send().await?;
        let status = response.status().as_u16();
        let is_json = is_json(&response);
        let body = body(response).await?;
        Ok(Self::parse(status, is_json, &body))
    }

    fn parse(status: u16, is_json: bool, body: &[u8]) -> Self {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Self::Empty { status };
        }
        if !is_json {
            return Self::Page { status, kind: Page::of(&String::from_utf8_lossy(body)) };
        }
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return Self::Page { status, kind: Page::Other };
        };
        match ApiError::of(&body) {
            Some(error) if status >= 400 => Self::Error { status, error },
            _ => Self::Json { status, body },
        }
    }

    /// GLPI says that the session is unknown to it. It checks this before doing anything.
    pub(super) fn session_is_gone(&self) -> bool {
        matches!(self, Self::Error { error, .. } if error.code == "ERROR_SESSION_TOKEN_INVALID"
            || error.code == "ERROR_SESSION_TOKEN_MISSING")
    }

    /// How the write ended that this answers.
    pub(super) fn of_write(&self) -> Written {
        let reason = self.describe();
        match self {
            Self::Json { status: 201, body } => match created_id(body) {
                Some(id) => Written::Done(id),
                None => Written::Unknown(reason),
            },
            Self::Error { error, .. } if error.precedes_the_work() => Written::Unreachable(reason),
            Self::Error { error, .. } if error.is_permanent() => Written::Refused(reason),
            // The web server's own limit: the request never reached GLPI.
            Self::Page { status: 413, .. } => Written::Refused(reason),
            // Redirected or turned away by a web server, or GLPI's own word that it is closed.
            Self::Page { status: 301 | 302 | 307 | 308 | 429, .. }
            | Self::Empty { status: 301 | 302 | 307 | 308 | 429 }
            | Self::Page {
                kind: Page::Maintenance | Page::DatabaseDown | Page::NotConfigured,
                ..
            } => Written::Unreachable(reason),
            Self::Json { .. } | Self::Error { .. } | Self::Empty { .. } | Self::Page { .. } => {
                Written::Unknown(reason)
            }
        }
    }

    /// What came, in words for an operator: no message of GLPI's, it may quote SQL or the caller.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Json { status, .. } => format!("GLPI answered {status} with unexpected JSON"),
            Self::Error { status, error } => match error.hint() {
                Some(hint) => format!("GLPI answered {status} {}: {hint}", error.code),
                None => format!("GLPI answered {status} {}", error.code),
            },
            Self::Empty { status: 200 } => "GLPI failed inside (200 without a body)".into(),
            Self::Empty { status } => format!("answered {status} without a body"),
            Self::Page { kind: Page::Maintenance, .. } => "GLPI is in maintenance".into(),
            Self::Page { kind: Page::DatabaseDown, .. } => "GLPI cannot reach its database".into(),
            Self::Page { kind: Page::NotConfigured, .. } => "GLPI is not configured".into(),
            Self::Page { kind: Page::Documentation, .. } => {
                "answered with the API's documentation page".into()
            }
            Self::Page { status, .. } => format!("answered {status} with a page instead of JSON"),
        }
    }
}

impl ApiError {
    fn of(body: &Value) -> Option<Self> {
        let [Value::String(code), message] = body.as_array()?.as_slice() else { return None };
        let message = message.as_str().unwrap_or_default().to_owned();
        let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        let is_code = code.len() <= LONGEST_CODE && code.bytes().all(plain);
        let shown = if is_code { code } else { UNKNOWN_CODE };
        code.starts_with("ERROR").then(|| Self { code: shown.to_owned(), message })
    }

    /// Raised by checks that GLPI makes before it looks at what is to be written.
    fn precedes_the_work(&self) -> bool {
        matches!(
            self.code.as_str(),
            "ERROR_APP_TOKEN_PARAMETERS_MISSING"
                | "ERROR_WRONG_APP_TOKEN_PARAMETER"
                | "ERROR_NOT_ALLOWED_IP"
                | "ERROR_GLPI_LOGIN"
                | "ERROR_GLPI_LOGIN_USER_TOKEN"
                | "ERROR_LOGIN_PARAMETERS_MISSING"
        )
    }

    /// Refusals that no repetition changes. `ERROR_GLPI_ADD` also covers a dead database, so there
    /// only known sentences count.
    fn is_permanent(&self) -> bool {
        match self.code.as_str() {
            "ERROR_JSON_PAYLOAD_INVALID" | "ERROR_BAD_ARRAY" | "ERROR_RIGHT_MISSING" => true,
            "ERROR_GLPI_ADD" => self.lacks_the_right() || self.has_a_wrong_field(),
            _ => false,
        }
    }

    fn lacks_the_right(&self) -> bool {
        self.code == "ERROR_RIGHT_MISSING"
            || [
                "pas les droits requis",
                "permission to perform this action",
                "don't have permission",
            ]
            .iter()
            .any(|sentence| self.message.contains(sentence))
    }

    fn has_a_wrong_field(&self) -> bool {
        [
            "Valeur incorrecte pour le champ",
            "Incorrect value for field",
            "champs obligatoires",
            "Mandatory fields",
        ]
        .iter()
        .any(|sentence| self.message.contains(sentence))
    }

    /// What an operator can do about it.
    fn hint(&self) -> Option<&'static str> {
        match self.code.as_str() {
            "ERROR_WRONG_APP_TOKEN_PARAMETER" => Some("GLPI_APP_TOKEN is wrong"),
            "ERROR_APP_TOKEN_PARAMETERS_MISSING" => Some("GLPI_APP_TOKEN is empty"),
            "ERROR_GLPI_LOGIN_USER_TOKEN" => Some("GLPI_USER_TOKEN is wrong, revoked or inactive"),
            "ERROR_NOT_ALLOWED_IP" => Some("the API client does not allow this server's address"),
            "ERROR" => Some("the API is probably disabled in GLPI"),
            _ if self.lacks_the_right() => {
                Some("GLPI's user may not create this: check its profile and entity")
            }
            _ if self.has_a_wrong_field() => Some("GLPI does not accept a field"),
            _ => None,
        }
    }
}

impl Page {
    fn of(html: &str) -> Self {
        // Titles of GLPI's own pages; the first is English in every language, the second too.
        if html.contains("MAINTENANCE MODE") {
            Self::Maintenance
        } else if html.contains("Mysql Error") || html.contains("link to the SQL server") {
            Self::DatabaseDown
        } else if html.contains("Missing configuration") {
            Self::NotConfigured
        } else if html.contains("initSession") {
            Self::Documentation
        } else {
            Self::Other
        }
    }
}

fn created_id(body: &Value) -> Option<u32> {
    let id = body.as_object()?.get("id")?.as_u64()?;
    u32::try_from(id).ok().filter(|id| *id > 0)
}

fn is_json(response: &Response) -> bool {
    response
        .headers()
        .get(reqwest::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.trim_start().starts_with("application/json"))
}

async fn body(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > LONGEST_ANSWER_BYTES {
            break;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(status: u16, content_type: &str, body: &str) -> Written {
        let is_json = content_type.starts_with("application/json");
        Answer::parse(status, is_json, body.as_bytes()).of_write()
    }

    const JSON: &str = "application/json; charset=UTF-8";
    const HTML: &str = "text/html; charset=UTF-8";

    #[test]
    fn only_201_with_json_and_an_id_is_done() {
        let created = r#"{"id":3,"message":"Élément ajouté : Panne imprimante (3)"}"#;
        assert_eq!(written(201, JSON, created), Written::Done(3));
        for (status, content_type, body) in [
            (200, JSON, created),
            (201, HTML, created),
            (201, JSON, r#"{"id":0}"#),
            (201, JSON, r#"{"id":false}"#),
            (201, JSON, r#"{"message":"?"}"#),
            (201, JSON, ""),
            (201, JSON, "{"),
            (207, JSON, r#"["ERROR_GLPI_PARTIAL_ADD",[{"id":false}]]"#),
        ] {
            let written = written(status, content_type, body);
            assert!(matches!(written, Written::Unknown(_)), "{status} {body}: {written:?}");
        }
    }

    #[test]
    fn what_cannot_have_been_applied_may_be_sent_again() {
        for (status, content_type, body) in [
            (
                400,
                JSON,
                r#"["ERROR_WRONG_APP_TOKEN_PARAMETER","le paramètre app_token semble incorrect"]"#,
            ),
            (400, JSON, r#"["ERROR_NOT_ALLOWED_IP","… (127.0.0.1)"]"#),
            (
                401,
                JSON,
                r#"["ERROR_GLPI_LOGIN_USER_TOKEN","le paramètre user_token semble incorrect"]"#,
            ),
            (200, HTML, "<html><title>MAINTENANCE MODE - GLPI</title>"),
            (200, HTML, "<html><title>Mysql Error - GLPI</title>"),
            (301, HTML, "<html>Moved"),
        ] {
            let written = written(status, content_type, body);
            assert!(matches!(written, Written::Unreachable(_)), "{status} {body}: {written:?}");
        }
    }

    #[test]
    fn what_may_have_been_applied_is_unknown() {
        for (status, content_type, body) in [
            (200, HTML, ""),
            (200, HTML, "<html>something"),
            (400, JSON, r#"["ERROR_GLPI_ADD","MySQL server has gone away"]"#),
            (400, JSON, r#"["ERROR_GLPI_ADD",""]"#),
            (400, JSON, r#"["ERROR","API désactivée"]"#),
            (500, HTML, ""),
            (502, HTML, "<html>502 Bad Gateway"),
            (504, HTML, "<html>504 Gateway Time-out"),
        ] {
            let written = written(status, content_type, body);
            assert!(matches!(written, Written::Unknown(_)), "{status} {body}: {written:?}");
        }
    }

    #[test]
    fn only_known_permanent_shapes_are_refused() {
        for (status, content_type, body) in [
            (
                400,
                JSON,
                r#"["ERROR_GLPI_ADD","Vous n'avez pas les droits requis pour réaliser cette action."]"#,
            ),
            (
                400,
                JSON,
                r#"["ERROR_GLPI_ADD","You don't have permission to perform this action."]"#,
            ),
            (400, JSON, r#"["ERROR_GLPI_ADD","Valeur incorrecte pour le champ date."]"#),
            (400, JSON, r#"["ERROR_BAD_ARRAY","input parameter must be an array of objects"]"#),
            (413, HTML, "<html>413 Request Entity Too Large"),
        ] {
            let written = written(status, content_type, body);
            assert!(matches!(written, Written::Refused(_)), "{status} {body}: {written:?}");
        }
    }

    #[test]
    fn reasons_never_quote_what_glpi_said() {
        let body = r#"["ERROR_GLPI_ADD","Column 'x' … 'Marie Dupont' … INSERT INTO"]"#;
        let reason = Answer::parse(400, true, body.as_bytes()).describe();
        assert_eq!(reason, "GLPI answered 400 ERROR_GLPI_ADD");
    }

    #[test]
    fn a_code_that_quotes_a_caller_is_not_shown() {
        let long = format!("ERROR_{}", "X".repeat(64));
        for code in ["ERROR Marie Dupont 0612345678", "ERROR_marie", "ERROR_É", "ERROR\n", &long] {
            let body = serde_json::json!([code, "x"]).to_string();
            let answer = Answer::parse(400, true, body.as_bytes());
            assert_eq!(answer.describe(), "GLPI answered 400 without a known code");
            assert!(!format!("{answer:?}").contains("Marie"), "{answer:?}");
            assert!(matches!(answer.of_write(), Written::Unknown(_)), "{code}");
        }
    }
}
