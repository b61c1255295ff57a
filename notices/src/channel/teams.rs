//! A notice as a Teams workflow takes it: an adaptive card in a message.

use serde_json::{Value, json};

use crate::text::Letter;

/// The message.
pub(super) fn body(letter: &Letter) -> String {
    let Letter { title, text, facts, link } = letter;
    let block = |text: &str| json!({"type": "TextBlock", "text": escaped(text), "wrap": true});
    let mut heading = block(title);
    heading["size"] = "Large".into();
    heading["weight"] = "Bolder".into();
    let facts: Vec<Value> = facts
        .iter()
        .map(|(label, value)| json!({"title": label, "value": escaped(value)}))
        .collect();
    let mut card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [heading, block(text), {"type": "FactSet", "facts": facts}],
    });
    if let Some((label, url)) = link {
        card["actions"] = json!([{"type": "Action.OpenUrl", "title": label, "url": url.as_str()}]);
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        }],
    })
    .to_string()
}

/// Text blocks read a little Markdown: what others wrote must stay text.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '\\' | '*' | '_' | '[' | ']' | '(' | ')' | '`' | '~' | '#' | '>') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_an_adaptive_card() {
        let letter = Letter {
            title: "Ticket nº 7 créé".into(),
            text: "Un appel.".into(),
            facts: vec![("Motif".into(), "[x](https://evil.example) *y*".into())],
            link: Some(("Ouvrir".into(), "https://glpi.example/?id=7".parse().unwrap())),
        };
        let body: Value = serde_json::from_str(&body(&letter)).unwrap();
        assert_eq!(body["type"], "message");
        let attachment = &body["attachments"][0];
        assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
        let card = &attachment["content"];
        assert_eq!((&card["type"], &card["version"]), (&json!("AdaptiveCard"), &json!("1.4")));
        assert_eq!(card["body"][0]["text"], "Ticket nº 7 créé");
        let motive = r"\[x\]\(https://evil.example\) \*y\*";
        assert_eq!(card["body"][2]["facts"][0], json!({"title": "Motif", "value": motive}));
        let action = json!({
            "type": "Action.OpenUrl", "title": "Ouvrir", "url": "https://glpi.example/?id=7",
        });
        assert_eq!(card["actions"][0], action);
    }
}
