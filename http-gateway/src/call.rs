//! One call of the gateway: its id, its deadline, its line in the log.

use std::{sync::Arc, time::Duration};

use access::Caller;
use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode},
    middleware::Next,
    response::Response,
};
use meters::calls::{Outcome, Surface};
use service_kit::line::{Line, Notes};
use ticketing_proto::v1::Source;
use tokio::time::Instant;
use tracing::Instrument as _;

/// Names a call on its way through every process.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// When the gRPC server must have answered, counted from the request's head. Voice agents give up
/// after some five seconds of silence, and so do callers.
const ANSWER_WITHIN: Duration = Duration::from_millis(4500);

/// What belongs to one call, for handlers to extract.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Sent by the client, else drawn here.
    pub(crate) id: HeaderValue,
    /// When an answer is due.
    pub(crate) deadline: Instant,
    /// What its line in the log shall say.
    pub(crate) notes: Notes,
    /// Who calls, once that is known.
    pub(crate) caller: Option<Arc<Caller>>,
}

impl Call {
    /// Where tickets of this client come from, if its configuration says so.
    pub(crate) fn source(&self) -> Option<Source> {
        let name = self.caller.as_ref()?.client().source()?;
        Source::from_str_name(&format!("SOURCE_{}", name.to_uppercase()))
    }
}

/// Gives a request its [`Call`], returns the id, and logs one line without anything personal: the
/// query and the body are the caller's.
pub(crate) async fn follow(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = id_of(request.headers());
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let surface = surface(path.unwrap_or_default());
    let name = format!("{} {}", method(request.method()), path.unwrap_or("unknown"));
    let line = Line::begin(surface, name, request.headers(), id.to_str().unwrap_or_default());
    request.extensions_mut().insert(Call {
        id: id.clone(),
        deadline: started + ANSWER_WITHIN,
        notes: line.notes(),
        caller: None,
    });

    let mut response = next.run(request).instrument(line.span()).await;

    line.end(response.status().as_u16(), outcome(surface, response.status()));
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

pub(crate) fn surface(path: &str) -> Surface {
    if path.starts_with("/webhook/") {
        Surface::Webhook
    } else if path.starts_with("/v1/") {
        Surface::V1
    } else {
        Surface::Other
    }
}

/// Methods are for strangers to invent.
fn method(method: &Method) -> &str {
    match *method {
        Method::GET | Method::HEAD | Method::POST | Method::OPTIONS => method.as_str(),
        _ => "other",
    }
}

/// What an answer says of which nothing is noted: the server was not asked.
fn outcome(surface: Surface, status: StatusCode) -> Outcome {
    match (surface, Outcome::of_http(status.as_u16())) {
        // The webhook answers a call without a problem with a sentence.
        (Surface::Webhook, Outcome::Read) => Outcome::Invalid,
        (_, outcome) => outcome,
    }
}

/// The client's id if it is fit for a log line, else one of our own.
fn id_of(headers: &HeaderMap) -> HeaderValue {
    let is_sane = |id: &&HeaderValue| {
        let bytes = id.as_bytes();
        (1..=128).contains(&bytes.len())
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte))
    };
    headers.get(REQUEST_ID).filter(is_sane).cloned().unwrap_or_else(|| {
        let drawn = format!("{:032x}", fastrand::u128(..));
        HeaderValue::from_str(&drawn).expect("hexadecimal digits are fit for a header")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_id_is_kept_if_it_is_sane() {
        let id = |sent: &str| {
            let headers =
                HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_str(sent).unwrap())]);
            id_of(&headers).to_str().unwrap().to_owned()
        };
        assert_eq!(id("7f3c-a.b:C_1"), "7f3c-a.b:C_1");
        for odd in ["", "a b", "\"x\"", &"x".repeat(129)] {
            assert_eq!(id(odd).len(), 32, "{odd:?}");
        }
        assert_ne!(id_of(&HeaderMap::new()), id_of(&HeaderMap::new()));
    }
}
