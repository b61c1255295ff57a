//! Bearer tokens and secret paths: drawn once, kept as digests.

use std::fmt;

use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// What precedes every token of ours, so that scanners for leaked secrets can find it.
const PREFIX: &str = "aglpi_";

/// SHA-256 of a secret. Ours are drawn from 256 bits, so nothing slower is needed to keep a stolen
/// digest from being guessed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of a secret.
    pub fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// Reads `sha256:` and 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("sha256:")?.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).ok()?;
            // Else `+f` would pass for a number.
            if !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(Self(digest))
    }

    /// In constant time: how much of a guess was right must not be measurable.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:…")
    }
}

/// A token that nobody has seen yet.
#[derive(Debug)]
pub struct NewToken {
    /// To be given to the client, once.
    pub secret: SecretString,
    /// To be kept.
    pub digest: Digest,
}

impl NewToken {
    /// Draws one from the system's source of randomness.
    pub fn draw() -> Result<Self, getrandom::Error> {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes)?;
        let secret = bytes.iter().fold(PREFIX.to_owned(), |text, byte| format!("{text}{byte:02x}"));
        Ok(Self { digest: Digest::of(secret.as_bytes()), secret: secret.into() })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_digest_is_read_as_it_is_written() {
        let digest = Digest::of(b"test");
        let text = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        assert_eq!(digest.to_string(), text);
        assert_eq!(Digest::parse(text), Some(digest));
        assert_eq!(Digest::parse(&text.to_uppercase()), None);
        for wrong in ["", "sha256:", "sha256:9f", &text.replace('9', "+"), &text.replace("9f", "é")]
        {
            assert_eq!(Digest::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn each_token_is_another_and_its_digest_is_its_own() {
        let (one, two) = (NewToken::draw().unwrap(), NewToken::draw().unwrap());
        assert_ne!(one.secret.expose_secret(), two.secret.expose_secret());
        assert!(one.digest.matches(&Digest::of(one.secret.expose_secret().as_bytes())));
        assert!(!one.digest.matches(&two.digest));
        assert!(!format!("{one:?}").contains(one.secret.expose_secret()));
    }
}
