//! Lets in whoever may make a call, before anything else of it is looked at.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use access::{BadSignature, Credentials, Refusal, Role, SignatureKey};
use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use jiff::Timestamp;
use listener::Peer;
use meters::doors;
use spoken::{Language, Sentence};

use crate::{
    body,
    call::{self, Call},
    problem::Problem,
    router::App,
};

/// The webhook of clients that cannot send a token: knowing the path lets them in. It never stands
/// in a log: there paths are told as they stand here.
pub(crate) const SECRET_PATH: &str = "/webhook/{secret}";

/// The signed id of a request: whoever repeats it, the sender or somebody who has overheard it,
/// makes the same request again.
#[derive(Debug, Clone)]
pub(crate) struct SignedId(pub(crate) String);

/// Where a request really comes from.
#[derive(Debug, Clone, Copy)]
struct Origin(IpAddr);

/// Turns away floods, and addresses that may not call.
pub(crate) async fn knock(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let forwarded_for = request.headers().get_all("x-forwarded-for").into_iter();
    let forwarded_for = forwarded_for.filter_map(|value| value.to_str().ok());
    match app.gate().knock(peer(&request), forwarded_for) {
        Ok(origin) => {
            request.extensions_mut().insert(Origin(origin));
            next.run(request).await
        }
        Err(refusal) => {
            count(&refusal, &request);
            refused(&refusal, &app.language_of(request.headers()))
        }
    }
}

/// Turns away whoever is no client, or has not the role or the right signature for what is asked.
/// Where no client is configured everybody is let in: the gateway then listens on loopback only.
pub(crate) async fn guard(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let language = app.language_of(request.headers());
    let Origin(origin) =
        request.extensions().get().copied().unwrap_or_else(|| Origin(peer(&request)));
    let credentials = Credentials {
        authorization: request.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes),
        path: secret(&request),
        is_forwarded: access::says_forwarded(|name| request.headers().contains_key(name)),
        certificate: &[],
    };
    let role = role(&request);
    let is_by_path = credentials.path.is_some();
    let admitted = app.gate().identify(&credentials, origin, now()).and_then(|caller| {
        let pass = app.gate().admit(&caller, role)?;
        Ok((caller, pass))
    });
    let (caller, _pass) = match admitted {
        Ok(admitted) => admitted,
        // Whoever guesses paths learns no more than that nothing is there.
        Err(Refusal::Credential) if is_by_path => {
            let detail = "nothing is served here; see /docs";
            return Problem::new(StatusCode::NOT_FOUND, detail, &language).into_response();
        }
        Err(refusal) => {
            count(&refusal, &request);
            return refused(&refusal, &language);
        }
    };
    if let (Some(key), Role::Create) = (caller.client().signature(), role) {
        request = match signed(request, key, &language).await {
            Ok(request) => request,
            Err(problem) => return problem.into_response(),
        };
    }
    if let Some(call) = request.extensions_mut().get_mut::<Call>() {
        call.notes.client(caller.name().as_str());
        call.caller = Some(Arc::new(caller));
    }
    next.run(request).await
}

fn count(refusal: &Refusal, request: &Request) {
    let surface = call::surface(request.uri().path());
    match refusal {
        Refusal::Source { .. } => doors::rate_limited(surface, doors::Scope::Source),
        Refusal::Rate { .. } => doors::rate_limited(surface, doors::Scope::Client),
        Refusal::Full { .. } => doors::shed(surface),
        Refusal::Address | Refusal::Credential | Refusal::Proxy | Refusal::Role(_) => {}
    }
}

/// The other end of the connection.
fn peer(request: &Request) -> IpAddr {
    let peer = request.extensions().get::<Peer>();
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.address.ip())
}

/// What is asked for changes something or not. The webhook takes GET too.
fn role(request: &Request) -> Role {
    let is_webhook = request.uri().path().starts_with("/webhook/");
    if is_webhook || request.method() == Method::POST { Role::Create } else { Role::Read }
}

/// The secret in the request's path, if that is what it has been routed by.
fn secret(request: &Request) -> Option<&str> {
    let route = request.extensions().get::<MatchedPath>()?;
    let secret = request.uri().path().strip_prefix("/webhook/")?;
    (route.as_str() == SECRET_PATH).then_some(secret)
}

/// The request, once its body is known to be the client's.
async fn signed(
    request: Request,
    key: &SignatureKey,
    language: &Language,
) -> Result<Request, Problem> {
    // A query is not signed.
    if request.method() != Method::POST || request.uri().query().is_some() {
        return Err(unsigned(BadSignature::Missing, language));
    }
    let (head, body) = request.into_parts();
    let body = body::read(&head.headers, body, language).await?;
    let header = |name: &str| text(&head.headers, name);
    key.verify(header, &body, now()).map_err(|wrong| unsigned(wrong, language))?;
    let id = SignedId(header("webhook-id").unwrap_or_default().to_owned());
    let mut request = Request::from_parts(head, Body::from(body));
    request.extensions_mut().insert(id);
    Ok(request)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[expect(clippy::disallowed_methods, reason = "the one place in the gateway that needs the time")]
fn now() -> Timestamp {
    Timestamp::now()
}

fn unsigned(wrong: BadSignature, language: &Language) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, wrong.to_string(), language)
        .saying(Sentence::Unauthorised)
}

fn refused(refusal: &Refusal, language: &Language) -> Response {
    let problem = |status, detail| Problem::new(status, detail, language);
    match refusal {
        Refusal::Credential => {
            let detail = "send a valid token as `Authorization: Bearer …`";
            let problem = problem(StatusCode::UNAUTHORIZED, detail).saying(Sentence::Unauthorised);
            ([(header::WWW_AUTHENTICATE, "Bearer")], problem).into_response()
        }
        Refusal::Address | Refusal::Proxy | Refusal::Role(_) => {
            let detail = refusal.to_string();
            let problem = Problem::new(StatusCode::FORBIDDEN, detail, language);
            problem.saying(Sentence::Unauthorised).into_response()
        }
        Refusal::Source { retry_after }
        | Refusal::Rate { retry_after }
        | Refusal::Full { retry_after } => {
            let detail = refusal.to_string();
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, detail, language);
            problem.saying(Sentence::Busy).retrying_after(*retry_after).into_response()
        }
    }
}
