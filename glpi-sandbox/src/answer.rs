//! An HTTP answer with the headers GLPI or nginx would send.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream;
use hyper::ext::ReasonPhrase;
use hyper::header::{HeaderName, HeaderValue};
use serde::Serialize;

use crate::pages;

const JSON: &str = "application/json; charset=UTF-8";
const HTML: &str = "text/html; charset=UTF-8";
const NO_STORE: &str = "no-store, no-cache, must-revalidate";
/// The date that GLPI's API sends, long past.
const EXPIRES_GLPI: &str = "Mon, 26 Jul 1997 05:00:00 GMT";
/// The date that PHP's session module sends when GLPI did not get that far.
const EXPIRES_PHP: &str = "Thu, 19 Nov 1981 08:52:00 GMT";

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    body: String,
    kind: Form,
    headers: Vec<(&'static str, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// GLPI's API spoke.
    Json,
    /// As [`Form::Json`], but it says it is HTML.
    Mislabelled,
    /// PHP ended early, or GLPI showed a page.
    Html,
    /// GLPI's front controller turned the request away.
    Bare,
    /// PHP was not reached.
    Nginx,
}

impl Answer {
    pub(crate) fn json(status: u16, body: &impl Serialize) -> Self {
        let body = serde_json::to_string(body).expect("texts, numbers and lists always serialise");
        // PHP leaves all characters as they are but these two.
        let body = if body.contains(['\u{2028}', '\u{2029}']) {
            body.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
        } else {
            body
        };
        Self { status, body, kind: Form::Json, headers: Vec::new() }
    }

    /// An uncaught exception: it looks like a success.
    pub(crate) fn empty() -> Self {
        Self::page(String::new())
    }

    pub(crate) fn page(body: String) -> Self {
        Self { status: 200, body, kind: Form::Html, headers: Vec::new() }
    }

    pub(crate) fn outside_the_api() -> Self {
        Self { status: 403, body: String::new(), kind: Form::Bare, headers: Vec::new() }
    }

    pub(crate) fn options() -> Self {
        Self { status: 200, body: String::new(), kind: Form::Bare, headers: Vec::new() }
    }

    pub(crate) fn nginx(status: u16) -> Self {
        Self { status, body: pages::nginx(status), kind: Form::Nginx, headers: Vec::new() }
    }

    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The same, its JSON cut off in the middle.
    #[must_use]
    pub(crate) fn garbled(mut self) -> Self {
        let half = self.body.chars().count() / 2;
        self.body = self.body.chars().take(half).collect();
        self
    }

    #[must_use]
    pub(crate) fn mislabelled(self) -> Self {
        Self { kind: Form::Mislabelled, ..self }
    }

    /// `reading` says that the request was a GET.
    pub(crate) fn into_response(self, reading: bool) -> Response {
        let Self { status, body, kind, headers: extra } = self;
        let body = match kind {
            Form::Nginx => Body::from(body),
            // PHP's length is unknown to nginx: the answer is chunked.
            _ => Body::from_stream(stream::iter([Ok::<_, Infallible>(Bytes::from(body))])),
        };
        let mut response = Response::new(body);
        *response.status_mut() =
            hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
        if let Some(reason) = reason(status, kind) {
            response.extensions_mut().insert(ReasonPhrase::from_static(reason.as_bytes()));
        }
        let headers = response.headers_mut();
        let mut set = |name: &'static str, value: &'static str| {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        };
        set("server", "nginx/1.22.1");
        if reading && kind != Form::Nginx {
            let exposed = "content-type, content-range, accept-range";
            set("access-control-expose-headers", exposed);
        }
        match kind {
            Form::Json | Form::Mislabelled => {
                set("content-type", if kind == Form::Json { JSON } else { HTML });
                set("pragma", "no-cache");
                set("cache-control", NO_STORE);
                set("expires", EXPIRES_GLPI);
            }
            Form::Html => {
                set("content-type", HTML);
                set("expires", EXPIRES_PHP);
                set("cache-control", NO_STORE);
                set("pragma", "no-cache");
            }
            Form::Bare => set("content-type", HTML),
            Form::Nginx => set("content-type", "text/html"),
        }
        for (name, value) in extra {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

/// Where the reason phrase is not the standard's.
fn reason(status: u16, kind: Form) -> Option<&'static str> {
    match (status, kind) {
        // PHP knows no words for 207.
        (207, _) => Some(""),
        (_, Form::Nginx) => Some(pages::nginx_reason(status)),
        _ => None,
    }
}
