//! A request as PHP hands it to GLPI, and the checks before any work.

use axum::body::Bytes;
use axum::http::request::Parts;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::faults::Operation;
use crate::message::{Language, Message};
use crate::parameters::{self, Parameters};
use crate::sandbox::Premises;
use crate::sessions::Visitor;

#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: String,
    /// The segments below `apirest.php`.
    pub(super) path: Vec<String>,
    pub(super) parameters: Parameters,
    /// The language the client asked for, else GLPI's own.
    pub(super) language: Language,
    /// Whether texts are wanted as they are, not as they are stored.
    pub(super) raw_texts: bool,
    content_type: String,
    body: BodyState,
    /// PHP makes arrays of a query, where GLPI expects objects.
    pub(super) input_from_query: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyState {
    Fine,
    Forbidden,
    Invalid,
}

impl Call {
    pub(super) fn of_head(head: &Parts, default: Language) -> Self {
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let path = head.uri.path();
        let path = path.strip_prefix("/apirest.php").unwrap_or(path);
        let segments = path.split('/').filter(|segment| !segment.is_empty());
        let mut parameters = parameters::parse(head.uri.query().unwrap_or_default());
        let input_from_query = parameters.contains_key("input");
        for (name, parameter) in [("session-token", "session_token"), ("app-token", "app_token")] {
            if let Some(value) = header(name) {
                parameters.insert(parameter.to_owned(), value.into());
            }
        }
        if let Some(authorization) = header("authorization") {
            authorize(&mut parameters, authorization);
        }
        Self {
            method: head.method.as_str().to_owned(),
            path: segments.map(str::to_owned).collect(),
            parameters,
            language: header("accept-language").and_then(Language::accepted).unwrap_or(default),
            raw_texts: header("x-glpi-sanitized-content") == Some("false"),
            content_type: header("content-type").unwrap_or_default().to_owned(),
            body: BodyState::Fine,
            input_from_query,
        }
    }

    /// Adds what the body says; what the query says gives way.
    pub(super) fn with_body(mut self, body: &Bytes) -> Self {
        let body = body.trim_ascii();
        if body.is_empty() {
            return self;
        }
        if self.method == "GET" {
            self.body = BodyState::Forbidden;
        } else if self.content_type.contains("application/json") {
            match serde_json::from_slice(body) {
                Ok(Value::Object(said)) => self.override_with(said),
                // PHP's `if (json_decode(…))` takes these for a syntax error.
                Ok(Value::Null | Value::Bool(false)) | Err(_) => self.body = BodyState::Invalid,
                Ok(Value::Array(list)) if list.is_empty() => self.body = BodyState::Invalid,
                Ok(_) => {}
            }
        } else if self.content_type.contains("application/x-www-form-urlencoded") {
            let said = parameters::parse(&String::from_utf8_lossy(body));
            self.override_with(said);
        }
        self
    }

    fn override_with(&mut self, said: Parameters) {
        self.input_from_query &= !said.contains_key("input");
        self.parameters.extend(said);
    }

    /// Whether the body is a form, in which a list cannot be told from an object.
    pub(super) fn is_form(&self) -> bool {
        !self.content_type.contains("application/json")
    }

    pub(super) fn reads(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "OPTIONS")
    }

    pub(super) fn operation(&self) -> Operation {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        Operation::of(&self.method, &path, self.parameters.contains_key("searchText"))
    }

    pub(super) fn path_text(&self) -> String {
        self.path.iter().flat_map(|segment| ["/", segment]).collect()
    }

    pub(super) fn session_token(&self) -> Option<&str> {
        parameters::text(&self.parameters, "session_token").map(str::trim)
    }

    /// Whether PHP keeps the session locked until the answer is out.
    pub(super) fn writes_session(&self) -> bool {
        let resource = self.path.first().map_or("", String::as_str);
        parameters::flag(&self.parameters, "session_write", false)
            || matches!(resource, "initSession" | "killSession")
            || resource.starts_with("changeActive")
    }

    pub(super) fn flag(&self, name: &str, default: bool) -> bool {
        parameters::flag(&self.parameters, name, default)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        parameters::text(&self.parameters, name)
    }
}

/// `Basic …` names a user and password; of `user_token x` PHP takes what
/// stands after the first space, so a second space leaves nothing.
fn authorize(parameters: &mut Parameters, authorization: &str) {
    let mut set = |name: &str, value: &str| parameters.insert(name.to_owned(), value.into());
    if let Some(encoded) = authorization.strip_prefix("Basic ") {
        let decoded = decode_base64(encoded);
        if let Some((login, password)) = decoded.split_once(':') {
            set("login", login);
            set("password", password);
        }
    } else if authorization.contains("user_token") {
        set("user_token", authorization.split(' ').nth(1).unwrap_or_default());
    }
}

fn decode_base64(encoded: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in encoded.bytes() {
        let Some(digit) = DIGITS.iter().position(|digit| *digit == byte) else { break };
        bits = (bits << 6 | u32::try_from(digit).unwrap_or(0)) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).unwrap_or(0));
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// How the sandbox departs from GLPI in one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Twist {
    None,
    NoCreateRight,
    Duplicate,
    Drop,
}

/// A request being answered.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) premises: &'a Premises,
    pub(super) call: &'a Call,
    /// The language of the answer: the user's once there is a session.
    pub(super) language: Language,
    pub(super) twist: Twist,
}

impl Ask<'_> {
    /// An error that ends with a pointer to the documentation.
    pub(super) fn error(&self, status: u16, code: &str, message: Message) -> Answer {
        self.error_saying(status, code, self.language.say(message))
    }

    /// The same, with a text that is in no catalogue.
    pub(super) fn error_saying(&self, status: u16, code: &str, text: &str) -> Answer {
        let see = self.language.say(Message::SeeDocumentation);
        let url = &self.premises.api_url;
        Answer::json(status, &json!([code, format!("{text}{see}{url}/#{code}")]))
    }

    pub(super) fn undocumented(&self, status: u16, code: &str, message: Message) -> Answer {
        Answer::json(status, &json!([code, self.language.say(message)]))
    }

    pub(super) fn no_right(&self) -> Answer {
        self.undocumented(403, "ERROR_RIGHT_MISSING", Message::NoRight)
    }

    pub(super) fn not_found(&self) -> Answer {
        self.undocumented(404, "ERROR_ITEM_NOT_FOUND", Message::ItemNotFound)
    }

    pub(super) fn wrong_app_token(&self) -> Answer {
        self.error(400, "ERROR_WRONG_APP_TOKEN_PARAMETER", Message::AppTokenWrong)
    }

    pub(super) fn wrong_user_token(&self) -> Answer {
        self.undocumented(401, "ERROR_GLPI_LOGIN_USER_TOKEN", Message::UserTokenWrong)
    }

    pub(super) fn unknown_resource(&self) -> Answer {
        self.error(400, "ERROR_RESOURCE_NOT_FOUND_NOR_COMMONDBTM", Message::ResourceNotFound)
    }

    /// Comes before GLPI has read its configuration: English, without a URL.
    pub(super) fn check_body(&self) -> Result<(), Answer> {
        match self.call.body {
            BodyState::Fine => Ok(()),
            BodyState::Forbidden => Err(Answer::json(
                400,
                &json!([
                    "ERROR_JSON_PAYLOAD_FORBIDDEN",
                    "GET Request should not have json payload (http body); view documentation in \
                     your browser at /#ERROR_JSON_PAYLOAD_FORBIDDEN",
                ]),
            )),
            BodyState::Invalid => Err(Answer::json(
                400,
                &json!(["ERROR_JSON_PAYLOAD_INVALID", "JSON payload seems not valid"]),
            )),
        }
    }

    pub(super) fn check_app_token(&self) -> Result<(), Answer> {
        match self.call.text("app_token") {
            Some(token) if token == self.premises.options.app_token => Ok(()),
            Some(_) => Err(self.wrong_app_token()),
            None => {
                let code = "ERROR_APP_TOKEN_PARAMETERS_MISSING";
                Err(self.error(400, code, Message::AppTokenMissing))
            }
        }
    }

    pub(super) fn visitor(&self) -> Result<Visitor, Answer> {
        let Some(token) = self.call.session_token().filter(|token| !token.is_empty()) else {
            return Err(self.error(400, "ERROR_SESSION_TOKEN_MISSING", Message::SessionMissing));
        };
        let world = &self.premises.world;
        world.sessions.visitor(token, world.now()).ok_or_else(|| {
            self.undocumented(401, "ERROR_SESSION_TOKEN_INVALID", Message::SessionInvalid)
        })
    }

    /// Whether the profile lost the right to create.
    pub(super) fn may_create(&self) -> bool {
        self.twist != Twist::NoCreateRight
    }
}
