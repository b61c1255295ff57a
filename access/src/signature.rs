//! Signed requests, as Standard Webhooks writes them.
//!
//! The sender signs `id.timestamp.body` with a shared secret; see standardwebhooks.com.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretSlice};
use sha2::Sha256;

/// How far the sender's clock may be from ours, and how old a request may be: the specification's
/// advice.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// The secret that a client signs with.
#[derive(Clone)]
pub struct SignatureKey(SecretSlice<u8>);

impl fmt::Debug for SignatureKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignatureKey(…)")
    }
}

/// Why a signature is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// A header is missing or illegible.
    #[error("sign the request: webhook-id, webhook-timestamp and webhook-signature are needed")]
    Missing,
    /// Too old, or from the future.
    #[error("the signature's time is more than five minutes from now")]
    Time,
    /// It is not the body's, or not by this secret.
    #[error("the signature is not that of this body")]
    Wrong,
}

impl SignatureKey {
    /// Reads `whsec_` and 24 to 64 bytes of base64.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64_STANDARD.decode(text.strip_prefix("whsec_")?).ok()?;
        (24..=64).contains(&bytes.len()).then(|| Self(bytes.into()))
    }

    /// Accepts a request whose headers sign its body.
    pub fn verify<'a>(
        &self,
        header: impl Fn(&str) -> Option<&'a str>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), BadSignature> {
        let header = |name| header(name).ok_or(BadSignature::Missing);
        let (id, timestamp) = (header("webhook-id")?, header("webhook-timestamp")?);
        let signatures = header("webhook-signature")?;

        let seconds = timestamp.parse().map_err(|_not_a_number| BadSignature::Missing)?;
        let signed_at =
            Timestamp::from_second(seconds).map_err(|_out_of_range| BadSignature::Time)?;
        if now.duration_since(signed_at).abs() > TOLERANCE {
            return Err(BadSignature::Time);
        }
        let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
        let is_ours = signatures.split(' ').any(|signature| self.signs(&signed, signature));
        if is_ours { Ok(()) } else { Err(BadSignature::Wrong) }
    }

    fn signs(&self, signed: &[&[u8]], signature: &str) -> bool {
        let Some(signature) = signature.strip_prefix("v1,") else { return false };
        let Ok(signature) = BASE64_STANDARD.decode(signature) else { return false };
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret())
            .expect("HMAC takes keys of any length");
        for part in signed {
            mac.update(part);
        }
        // In constant time.
        mac.verify_slice(&signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vector that the specification's libraries share.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const SIGNED_AT: i64 = 1_614_265_330;

    fn verify(secret: &str, signature: &str, body: &[u8], later: i64) -> Result<(), BadSignature> {
        let header = |name: &str| match name {
            "webhook-id" => Some("msg_p5jXN8AQM9LWM0D4loKWxJek"),
            "webhook-timestamp" => Some("1614265330"),
            _ => Some(signature).filter(|signature| !signature.is_empty()),
        };
        let now = Timestamp::from_second(SIGNED_AT + later).unwrap();
        SignatureKey::parse(secret).unwrap().verify(header, body, now)
    }

    #[test]
    fn the_specifications_own_signature_is_accepted() {
        assert_eq!(verify(SECRET, SIGNATURE, BODY, 0), Ok(()));
        assert_eq!(verify(SECRET, &format!("v1,AAAA v2,x {SIGNATURE}"), BODY, 299), Ok(()));
    }

    #[test]
    fn another_body_secret_time_or_none_is_refused() {
        let other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
        assert_eq!(verify(SECRET, SIGNATURE, b"{}", 0), Err(BadSignature::Wrong));
        assert_eq!(verify(other, SIGNATURE, BODY, 0), Err(BadSignature::Wrong));
        assert_eq!(verify(SECRET, "v1,not base64", BODY, 0), Err(BadSignature::Wrong));
        assert_eq!(verify(SECRET, "", BODY, 0), Err(BadSignature::Missing));
        assert_eq!(verify(SECRET, SIGNATURE, BODY, 301), Err(BadSignature::Time));
        assert_eq!(verify(SECRET, SIGNATURE, BODY, -301), Err(BadSignature::Time));
    }

    #[test]
    fn a_short_or_illegible_secret_is_none() {
        for wrong in ["", "whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            assert!(SignatureKey::parse(wrong).is_none(), "{wrong}");
        }
    }
}
