//! Signed webhooks, as <https://www.standardwebhooks.com> describes them.

use std::{fmt, str::FromStr};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretBox};
use sha2::Sha256;

use super::{Outcome, post::Post};
use crate::event::Notice;

/// A receiver of signed webhooks. The body is the [`Notice`] as JSON.
#[derive(Debug)]
pub(super) struct Webhook {
    post: Post,
    secrets: Vec<Secret>,
}

impl Webhook {
    pub(super) fn new(post: Post, secrets: Vec<Secret>) -> Self {
        Self { post, secrets }
    }

    pub(super) fn host(&self) -> &str {
        self.post.host()
    }

    pub(super) async fn send(&self, notice: &Notice, id: &str, now: Timestamp) -> Outcome {
        let body = match serde_json::to_string(notice) {
            Ok(body) => body,
            Err(error) => return Outcome::Failed { reason: error.to_string() },
        };
        let seconds = now.as_second();
        let signatures: Vec<_> =
            self.secrets.iter().map(|secret| secret.sign(id, seconds, &body)).collect();
        let headers = [
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-signature", signatures.join(" ")),
        ];
        self.post.send(body, &headers).await
    }
}

/// A secret that signs webhooks: `whsec_` and 24 to 64 bytes in Base64.
#[derive(Clone)]
pub struct Secret(SecretBox<[u8]>);

/// It is not such a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected whsec_ and 24 to 64 bytes in Base64")]
pub struct SecretError;

impl Secret {
    /// The signature of one message, version and all.
    #[expect(clippy::missing_panics_doc, reason = "a key of HMAC may have any length")]
    pub fn sign(&self, id: &str, seconds: i64, body: &str) -> String {
        let mut hmac =
            Hmac::<Sha256>::new_from_slice(self.0.expose_secret()).expect("any length is fine");
        hmac.update(format!("{id}.{seconds}.{body}").as_bytes());
        format!("v1,{}", BASE64_STANDARD.encode(hmac.finalize().into_bytes()))
    }
}

impl FromStr for Secret {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        let encoded = text.trim().strip_prefix("whsec_").ok_or(SecretError)?;
        let key = BASE64_STANDARD.decode(encoded).map_err(|_not_base64| SecretError)?;
        if !(24..=64).contains(&key.len()) {
            return Err(SecretError);
        }
        Ok(Self(SecretBox::new(key.into_boxed_slice())))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_is_signed_as_published() {
        let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let signature =
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_is_read_whole_or_not_at_all() {
        for text in ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", "whsec_é"]
        {
            assert_eq!(text.parse::<Secret>().unwrap_err(), SecretError, "{text}");
        }
        let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        assert_eq!(format!("{secret:?}"), "Secret");
    }
}
