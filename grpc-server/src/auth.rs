//! Lets in whoever has the server's bearer token.

use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;
use tonic::{Request, Status, service::Interceptor};

use crate::status;

/// Checks the metadata key `authorization: Bearer …` of every call.
#[derive(Debug, Clone)]
pub(crate) struct BearerToken(Option<SecretString>);

impl BearerToken {
    /// Without a token everybody is let in: the server then listens on loopback only.
    pub(crate) fn new(token: Option<SecretString>) -> Self {
        Self(token)
    }

    fn accepts(&self, header: Option<&str>) -> bool {
        let Some(expected) = &self.0 else { return true };
        let Some((scheme, given)) = header.and_then(|header| header.split_once(' ')) else {
            return false;
        };
        // In constant time: how much of a guess was right must not be measurable.
        let matches: bool =
            expected.expose_secret().as_bytes().ct_eq(given.trim().as_bytes()).into();
        scheme.eq_ignore_ascii_case("bearer") && matches
    }
}

impl Interceptor for BearerToken {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let header = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        if self.accepts(header) { Ok(request) } else { Err(status::unauthenticated()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_token_is_let_in() {
        let guarded = BearerToken::new(Some("secret".into()));
        for (header, let_in) in [
            (None, false),
            (Some("secret"), false),
            (Some("Bearer "), false),
            (Some("Bearer secre"), false),
            (Some("Basic secret"), false),
            (Some("Bearer secret"), true),
            (Some("bearer secret"), true),
        ] {
            assert_eq!(guarded.accepts(header), let_in, "{header:?}");
        }
        assert!(BearerToken::new(None).accepts(None));
    }
}
