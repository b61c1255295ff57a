//! Reading a request's body within bounds.

use std::time::Duration;

use axum::{
    body::{Body, Bytes, HttpBody as _},
    http::{HeaderMap, StatusCode, header},
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use spoken::{Language, Sentence};

use crate::problem::Problem;

/// Far more than a ticket can hold.
const LARGEST_BYTES: usize = 1024 * 1024;

/// A body that takes longer is not worth the caller's patience; what remains of it is the server's.
const READ_WITHIN: Duration = Duration::from_secs(2);

/// The whole body, or the problem that tells why not.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    language: &Language,
) -> Result<Bytes, Problem> {
    if is_encoded(headers) {
        let detail = "send the body as it is, without Content-Encoding";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail, language));
    }
    let too_large = || {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "at most 1 MiB is taken", language)
            .saying(Sentence::TooLong)
    };
    // Announced as too large: no need to read any of it.
    if body.size_hint().lower() > LARGEST_BYTES as u64 {
        return Err(too_large());
    }
    let reading = Limited::new(body, LARGEST_BYTES).collect();
    match tokio::time::timeout(READ_WITHIN, reading).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => {
            Err(Problem::new(StatusCode::BAD_REQUEST, "the body ended too early", language))
        }
        Err(_) => {
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body took too long", language))
        }
    }
}

/// Whether the body must be decoded before it can be read, which nothing here does: a small one
/// could become a huge one.
fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONTENT_ENCODING).iter().any(|value| {
        // Some clients name the charset here; it encodes nothing.
        let is_plain = |coding: &str| {
            ["", "identity", "utf-8", "utf8"].contains(&coding.trim().to_ascii_lowercase().as_str())
        };
        !value.to_str().is_ok_and(|codings| codings.split(',').all(is_plain))
    })
}

#[cfg(test)]
mod tests {
    use std::io;

    use axum::response::IntoResponse as _;

    use super::*;

    async fn status(chunks: Vec<io::Result<Bytes>>) -> Option<StatusCode> {
        let body = Body::from_stream(tokio_stream::iter(chunks));
        let read = read(&HeaderMap::new(), body, &Language::default()).await;
        read.err().map(|problem| problem.into_response().status())
    }

    #[tokio::test]
    async fn a_body_without_an_announced_length_is_bounded_too() {
        let chunk = || Ok(Bytes::from(vec![b'x'; LARGEST_BYTES / 4]));
        assert_eq!(status((0..4).map(|_| chunk()).collect()).await, None);
        let larger = (0..5).map(|_| chunk()).collect();
        assert_eq!(status(larger).await, Some(StatusCode::PAYLOAD_TOO_LARGE));
    }

    #[test]
    fn only_what_changes_the_body_counts_as_an_encoding() {
        for (codings, expected) in [
            (&[][..], false),
            (&["identity"], false),
            (&["UTF-8"], false),
            (&["gzip"], true),
            (&["identity, br"], true),
            (&["identity", "deflate"], true),
            (&["é"], true),
        ] {
            let mut headers = HeaderMap::new();
            for coding in codings {
                headers.append(header::CONTENT_ENCODING, coding.parse().unwrap());
            }
            assert_eq!(is_encoded(&headers), expected, "{codings:?}");
        }
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_no_request() {
        let chunks = vec![Ok(Bytes::from("pan")), Err(io::Error::other("reset"))];
        assert_eq!(status(chunks).await, Some(StatusCode::BAD_REQUEST));
    }
}
