//! Posts JSON to an address that people configured.

use std::{fmt, time::Duration};

use reqwest::{
    Client, Response, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER},
};

use super::Outcome;
use crate::guard::{self, Guard};

/// A receiver of posts.
pub(crate) struct Post {
    client: Client,
    guard: Guard,
    /// A secret: whoever knows it can post.
    url: Url,
}

/// Of an answer, this much is read.
const MOST_READ_BYTES: usize = 4096;

/// Of an answer, this much is told.
const MOST_TOLD_CHARACTERS: usize = 120;

/// However long a receiver asks us to wait.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

impl Post {
    pub(super) fn new(client: Client, guard: Guard, url: Url) -> Self {
        Self { client, guard, url }
    }

    pub(super) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Posts a body with these further headers.
    pub(super) async fn send(&self, body: String, headers: &[(&'static str, String)]) -> Outcome {
        if let Err(refused) = self.guard.check(&self.url) {
            return Outcome::Failed { reason: refused.to_string() };
        }
        let mut request =
            self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json").body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        match request.send().await {
            Ok(response) => of_response(response).await,
            Err(error) => of_error(&error.without_url()),
        }
    }
}

/// A connection that was not made carried nothing; whatever happens after may come too late.
fn of_error(error: &reqwest::Error) -> Outcome {
    if let Some(refused) = guard::refusal(error) {
        return Outcome::Failed { reason: refused.to_string() };
    }
    let reason = chain(error);
    if error.is_connect() || error.is_builder() {
        Outcome::Retry { after: None, reason }
    } else {
        Outcome::Unknown { reason }
    }
}

async fn of_response(response: Response) -> Outcome {
    let status = response.status();
    if status.is_success() {
        return Outcome::Sent;
    }
    let after = retry_after(response.headers());
    let reason = match told(response).await {
        told if told.is_empty() => format!("answered {status}"),
        told => format!("answered {status}: {told}"),
    };
    match status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            Outcome::Retry { after, reason }
        }
        // A proxy that gave up waiting does not know what became of it.
        StatusCode::GATEWAY_TIMEOUT => Outcome::Unknown { reason },
        _ if status.is_server_error() => Outcome::Retry { after, reason },
        _ if status.is_redirection() => {
            Outcome::Failed { reason: format!("answered {status}: redirects are not followed") }
        }
        _ => Outcome::Failed { reason },
    }
}

/// Seconds, or a date: with the receiver's own clock beside it, if it tells one.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = match text.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_not_seconds) => {
            let date = |text: &str| jiff::fmt::rfc2822::parse(text).ok();
            let until = date(text)?;
            let now = date(headers.get("date")?.to_str().ok()?)?;
            u64::try_from(until.timestamp().duration_since(now.timestamp()).as_secs()).unwrap_or(0)
        }
    };
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

/// The beginning of what the receiver says, on one line. Receivers name the mistake there.
async fn told(mut response: Response) -> String {
    let mut read = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        read.extend_from_slice(&chunk);
        if read.len() >= MOST_READ_BYTES {
            read.truncate(MOST_READ_BYTES);
            break;
        }
    }
    let text = String::from_utf8_lossy(&read);
    let words = text.split(|character: char| character.is_control() || character.is_whitespace());
    let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    line.chars().take(MOST_TOLD_CHARACTERS).collect()
}

/// An error with its causes.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post").field("host", &self.host()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_says_how_long_to_wait_in_seconds_or_by_a_date() {
        let wait = |after: &str, date: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, after.parse().unwrap());
            if let Some(date) = date {
                headers.insert("date", date.parse().unwrap());
            }
            retry_after(&headers).map(|wait| wait.as_secs())
        };
        let now = Some("Tue, 24 Nov 2026 15:00:00 GMT");
        assert_eq!(wait("30", None), Some(30));
        assert_eq!(wait("999999999", None), Some(3600));
        assert_eq!(wait("Tue, 24 Nov 2026 15:02:00 GMT", now), Some(120));
        assert_eq!(wait("Tue, 24 Nov 2026 14:00:00 GMT", now), Some(0));
        assert_eq!(wait("Tue, 24 Nov 2026 15:02:00 GMT", None), None);
        assert_eq!(wait("soon", now), None);
    }
}
