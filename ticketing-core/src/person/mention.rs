//! A person named in running text: in what was said, or beside something else in a field.

use unicode_normalization::UnicodeNormalization as _;

use super::spelling::{addresses, folded, name_words, subscriber};

/// Fewer digits are too often something else.
const FEWEST_DIGITS: usize = 6;

/// A number has no more, whatever stands before and behind it.
const MOST_DIGITS: usize = 15;

/// Characters that may stand between two groups of digits of one number.
const WIDEST_GAP: usize = 3;

/// What to look for in running text; nothing, if the text is so short that it would be found
/// everywhere.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct Mention {
    /// Folded words, each phrase between two blanks.
    phrases: Vec<String>,
    /// The end of a phone number.
    number: Option<String>,
}

impl Mention {
    /// Of a text as an operator types it, and the phone number that it is, if it is one.
    pub(super) fn of(text: &str, phone: Option<&str>) -> Self {
        if let Some(digits) = phone {
            let number = (digits.len() >= FEWEST_DIGITS).then(|| subscriber(digits).to_owned());
            return Self { number, phrases: Vec::new() };
        }
        let words = name_words(text);
        let mut phrases = vec![folded(text), words.join(" ")];
        if let [first, second] = words.as_slice() {
            phrases.push(format!("{second} {first}"));
        }
        phrases.extend(addresses(text).iter().map(|address| folded(address)));
        phrases.retain(|phrase| phrase.contains(' '));
        phrases.sort_unstable();
        phrases.dedup();
        Self { phrases: phrases.iter().map(|words| format!(" {words} ")).collect(), number: None }
    }

    pub(super) fn is_in(&self, text: &str) -> bool {
        self.number.as_ref().is_some_and(|number| tells(text, number)) || self.is_said_in(text)
    }

    fn is_said_in(&self, text: &str) -> bool {
        if self.phrases.is_empty() {
            return false;
        }
        let text = format!(" {} ", folded(text));
        self.phrases.iter().any(|phrase| text.contains(phrase))
    }
}

/// Whether that number stands in the text, in however many groups of digits.
fn tells(text: &str, number: &str) -> bool {
    let mut groups: Vec<String> = Vec::new();
    let mut gap = 0;
    for c in text.replace("(0)", "").nfkc() {
        if c.is_ascii_digit() {
            match groups.last_mut() {
                Some(group) if gap == 0 => group.push(c),
                _ => groups.push(c.to_string()),
            }
            gap = 0;
            continue;
        }
        gap += if c.is_alphanumeric() { WIDEST_GAP + 1 } else { 1 };
        if gap > WIDEST_GAP && !groups.is_empty() {
            if is_made_of(&groups, number) {
                return true;
            }
            groups.clear();
        }
    }
    is_made_of(&groups, number)
}

/// Whether some of the groups, one after the other, are that number.
fn is_made_of(groups: &[String], number: &str) -> bool {
    (0..groups.len()).any(|start| {
        let mut digits = String::new();
        groups.iter().skip(start).any(|group| {
            digits.push_str(group);
            digits.len() <= MOST_DIGITS && subscriber(&digits) == number
        })
    })
}
