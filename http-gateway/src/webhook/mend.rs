//! Nearly JSON → JSON: callers' words shall not be lost for a missing escape.

/// JSON with the two faults that templates and cut texts bring: line breaks and other control
/// characters left raw inside of a string, and halves of a character (`\ud800`). All else is left
/// as it is.
pub(super) fn mended(json: &str) -> String {
    let mut mended = String::with_capacity(json.len());
    let mut in_string = false;
    let mut rest = json.chars();
    while let Some(character) = rest.next() {
        match character {
            '"' => in_string = !in_string,
            '\\' if in_string => {
                mended.push_str(&escape_sequence(&mut rest));
                continue;
            }
            control if in_string && control.is_ascii_control() => {
                mended.push_str(match control {
                    '\n' => "\\n",
                    '\t' => "\\t",
                    _ => " ",
                });
                continue;
            }
            _ => {}
        }
        mended.push(character);
    }
    mended
}

/// What follows a backslash, with it; half a character becomes the sign for a lost one.
fn escape_sequence(rest: &mut std::str::Chars<'_>) -> String {
    const LOST: &str = "\\ufffd";
    let unit = |text: &str| {
        let digits = text.strip_prefix('u')?.get(..4)?;
        u16::from_str_radix(digits, 16).ok()
    };
    let text = rest.as_str();
    match unit(text) {
        Some(0xd800..0xdc00) => {
            let low = text.get(5..).and_then(|text| unit(text.strip_prefix('\\')?));
            let is_pair = low.is_some_and(|low| (0xdc00..0xe000).contains(&low));
            let taken = if is_pair { 11 } else { 5 };
            let sequence: String = rest.by_ref().take(taken).collect();
            if is_pair { format!("\\{sequence}") } else { LOST.to_owned() }
        }
        Some(0xdc00..0xe000) => {
            rest.by_ref().take(5).for_each(drop);
            LOST.to_owned()
        }
        _ => rest.next().map_or_else(String::new, |next| format!("\\{next}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::mended;

    #[test]
    fn what_templates_and_cut_texts_break_is_mended() {
        for (broken, text) in [
            ("\"a\nb\r\n\tc\"", "a\nb \n\tc"),
            (r#""cut \ud83d""#, "cut \u{fffd}"),
            (r#""low \ude00 alone""#, "low \u{fffd} alone"),
            (r#""whole \ud83d\ude00""#, "whole 😀"),
            (r#""quoted \" and \\""#, "quoted \" and \\"),
            (r#""é \u00e9""#, "é é"),
        ] {
            let read: Value = serde_json::from_str(&mended(broken)).unwrap();
            assert_eq!(read, text, "{broken:?}");
        }
    }

    #[test]
    fn other_faults_stay_and_nothing_panics() {
        for broken in ["{", "\"\\", "\"\\u", r#""\ud83"#, r#""\ud83d\u"#, "{'a':1}"] {
            assert!(serde_json::from_str::<Value>(&mended(broken)).is_err(), "{broken:?}");
        }
    }
}
