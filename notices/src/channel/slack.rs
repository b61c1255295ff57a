//! A notice as Slack's incoming webhooks take it.

use serde_json::{Value, json};

use crate::text::Letter;

/// Slack's limit of a header.
const LONGEST_HEADER: usize = 150;

/// The message: blocks for people, and a text for notifications and screen readers.
pub(super) fn body(letter: &Letter) -> String {
    let Letter { title, text, facts, link } = letter;
    let header: String = title.chars().take(LONGEST_HEADER).collect();
    let mut blocks = vec![
        json!({"type": "header", "text": plain(&header)}),
        json!({"type": "section", "text": {"type": "mrkdwn", "text": escaped(text)}}),
    ];
    if let Some((label, url)) = link {
        let link = format!("<{}|{}>", escaped(url.as_str()), escaped(label));
        blocks.push(json!({"type": "section", "text": {"type": "mrkdwn", "text": link}}));
    }
    // Plain text, so that what others wrote neither shouts nor links.
    let facts: Vec<Value> =
        facts.iter().map(|(label, value)| plain(&format!("{label}: {value}"))).collect();
    blocks.push(json!({"type": "context", "elements": facts}));
    json!({"text": escaped(title), "blocks": blocks}).to_string()
}

fn plain(text: &str) -> Value {
    json!({"type": "plain_text", "text": text, "emoji": false})
}

/// Slack's three control characters: without them nothing mentions anybody or links anywhere.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_can_mention_or_link_through_a_notice() {
        let letter = Letter {
            title: "A & B <!channel>".into(),
            text: "<https://evil.example|GLPI> *bold*".into(),
            facts: vec![("Reason".into(), "<!here> *x*".into())],
            link: Some(("Open".into(), "https://glpi.example/?id=1&a=2".parse().unwrap())),
        };
        let body: Value = serde_json::from_str(&body(&letter)).unwrap();
        assert_eq!(
            body,
            json!({
                "text": "A &amp; B &lt;!channel&gt;",
                "blocks": [
                    {"type": "header", "text": plain("A & B <!channel>")},
                    {"type": "section", "text": {
                        "type": "mrkdwn", "text": "&lt;https://evil.example|GLPI&gt; *bold*",
                    }},
                    {"type": "section", "text": {
                        "type": "mrkdwn", "text": "<https://glpi.example/?id=1&amp;a=2|Open>",
                    }},
                    {"type": "context", "elements": [plain("Reason: <!here> *x*")]},
                ],
            })
        );
    }
}
