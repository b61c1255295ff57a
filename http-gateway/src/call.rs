//! One call of the gateway: its id, its deadline, its line in the log.

use std::{sync::Arc, time::Duration};

use access::Caller;
use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use ticketing_proto::v1::Source;
use tokio::time::Instant;

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

/// What became of a ticket, left on a response for the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome(pub(crate) &'static str);

/// Gives a request its [`Call`], returns the id, and logs one line without anything personal: the
/// query and the body are the caller's.
pub(crate) async fn follow(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = id_of(request.headers());
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().cloned();
    request.extensions_mut().insert(Call {
        id: id.clone(),
        deadline: started + ANSWER_WITHIN,
        caller: None,
    });

    let mut response = next.run(request).await;

    let outcome = response.extensions().get::<Outcome>().map(|outcome| outcome.0);
    tracing::info!(
        request_id = id.to_str().unwrap_or_default(),
        %method,
        path = path.as_ref().map_or("unknown", MatchedPath::as_str),
        status = response.status().as_u16(),
        outcome,
        took_ms = started.elapsed().as_millis(),
        "answered"
    );
    response.headers_mut().insert(REQUEST_ID, id);
    response
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
