//! Standard output carries data, standard error talk. Both lose their colours when they are no
//! terminal.

use std::{fmt::Write as _, io::Write as _, net::SocketAddr};

use serde::Serialize;
use serde_json::Value;
use service_kit::{config::Source, settings};

/// Prints data. A reader that has left, such as `head`, is no failure.
pub(crate) fn data(text: &str) {
    let mut out = anstream::stdout().lock();
    let _reader_has_left = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Says something to whoever watches.
pub(crate) fn talk(text: &str) {
    let mut out = anstream::stderr().lock();
    let _nobody_watches = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Says what listens where. A line of JSON among lines of JSON, if the log is.
pub(crate) fn ready(source: &Source, listeners: &[(&str, SocketAddr)]) {
    if source.text(&settings::AUTOMATGLPI_LOG_FORMAT).as_deref() == Some("json") {
        let listeners = listeners.iter().map(|(name, at)| ((*name).into(), at.to_string().into()));
        let mut line: serde_json::Map<String, Value> = listeners.collect();
        line.insert("message".into(), "ready".into());
        return talk(&Value::Object(line).to_string());
    }
    let listeners: Vec<_> = listeners.iter().map(|(name, at)| format!("{name} {at}")).collect();
    talk(&format!("ready: {}", listeners.join(", ")));
}

/// Prints one object as one line of JSON.
pub(crate) fn json(object: &impl Serialize) -> anyhow::Result<()> {
    data(&escaped(&serde_json::to_string(object)?));
    Ok(())
}

/// Prints one object as JSON for people.
pub(crate) fn pretty_json(object: &impl Serialize) -> anyhow::Result<()> {
    let lines = serde_json::to_string_pretty(object)?;
    // The line breaks are the printer's own: those in texts are escaped already.
    data(&lines.lines().map(escaped).collect::<Vec<_>>().join("\n"));
    Ok(())
}

/// Text of others for a terminal: characters that steer it are written as escapes, in the notation
/// of JSON, so that escaped JSON is still the same JSON.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if steers(character) {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// Control characters, and those that reorder or hide the text around them.
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
        // Tags, invisible in most fonts.
        || matches!(character, '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_others_steers_the_terminal() {
        let hostile = "a\u{1b}[2Jb\u{9b}31m\u{202e}c\u{7f}é 🖨 \r\n\u{e0041}";
        let shown = escaped(hostile);
        assert_eq!(shown, r"a\u001b[2Jb\u009b31m\u202ec\u007fé 🖨 \u000d\u000a\udb40\udc41");
    }

    #[test]
    fn escaped_json_is_the_same_json() {
        let value = serde_json::json!({"a": "x\u{1b}\u{9b}\u{202e}\n\"\\\u{e0041}é"});
        let line = escaped(&value.to_string());
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), value);
    }
}
