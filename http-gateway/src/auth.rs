//! Lets in whoever has the gateway's bearer token.

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use secrecy::{ExposeSecret as _, SecretString};
use spoken::Sentence;
use subtle::ConstantTimeEq as _;

use crate::{problem::Problem, router::App};

/// Answers 401 unless the request carries the configured token. Without one everybody is let in:
/// the gateway then listens on loopback only.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let header = request.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    if app.token().is_none_or(|token| is_bearer(header, token)) {
        return next.run(request).await;
    }
    let language = app.language_of(request.headers());
    let detail = "send the gateway's token as `Authorization: Bearer …`";
    let problem =
        Problem::new(StatusCode::UNAUTHORIZED, detail, &language).saying(Sentence::Unauthorised);
    ([(header::WWW_AUTHENTICATE, "Bearer")], problem).into_response()
}

fn is_bearer(header: Option<&[u8]>, token: &SecretString) -> bool {
    let Some((scheme, given)) = header.and_then(|header| header.split_at_checked(7)) else {
        return false;
    };
    // In constant time: how much of a guess was right must not be measurable.
    let matches: bool = token.expose_secret().as_bytes().ct_eq(given.trim_ascii()).into();
    scheme.eq_ignore_ascii_case(b"bearer ") && matches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_token_is_let_in() {
        let token = SecretString::from("secret");
        for (header, let_in) in [
            (None, false),
            (Some("secret"), false),
            (Some("Bearer "), false),
            (Some("Bearer secre"), false),
            (Some("Basic  secret"), false),
            (Some("Bearer secret"), true),
            (Some("bearer  secret"), true),
        ] {
            assert_eq!(is_bearer(header.map(str::as_bytes), &token), let_in, "{header:?}");
        }
    }
}
