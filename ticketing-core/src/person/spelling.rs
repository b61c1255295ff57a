//! One person's name, address or number, written in many ways.

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

/// Digits at the end by which two writings of one number are recognised: what +33, 0033 and 0 have
/// in common.
const SUBSCRIBER_DIGITS: usize = 9;

/// What stands before a name and is no part of it.
const TITLES: [&str; 29] = [
    "m",
    "mr",
    "mister",
    "monsieur",
    "mme",
    "madame",
    "mlle",
    "melle",
    "mademoiselle",
    "mrs",
    "ms",
    "miss",
    "dr",
    "docteur",
    "doctor",
    "pr",
    "prof",
    "professeur",
    "professor",
    "me",
    "maitre",
    "herr",
    "frau",
    "sr",
    "sra",
    "srta",
    "sig",
    "dott",
    "ing",
];

/// What stands before a number and is no part of it, be it for a person or as a scheme.
const NUMBER_LABELS: [&str; 9] =
    ["", "tel", "telephone", "phone", "mobile", "portable", "callto", "sip", "sips"];

/// Words in lower case, without accents, with one blank between them.
pub(super) fn folded(text: &str) -> String {
    let mut plain = String::new();
    for c in text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
        match c {
            'œ' => plain.push_str("oe"),
            'æ' => plain.push_str("ae"),
            'ß' => plain.push_str("ss"),
            'ø' => plain.push('o'),
            'ł' => plain.push('l'),
            c => plain.push(if c.is_alphanumeric() { c } else { ' ' }),
        }
    }
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The folded words of a name as they stand, without titles, remarks in brackets and addresses;
/// all words if nothing else is there.
pub(super) fn name_words(text: &str) -> Vec<String> {
    let bare = without_brackets(text);
    let parts = bare.split(',').map(|part| folded(&without_titles(part)));
    let words = parts.collect::<Vec<_>>().join(" ");
    let words = if words.trim().is_empty() { folded(text) } else { words };
    words.split_whitespace().map(str::to_owned).collect()
}

/// A name by which two writings of it are recognised: its words in alphabetical order.
pub(super) fn name(text: &str) -> String {
    let mut words = name_words(text);
    words.sort_unstable();
    words.join(" ")
}

/// The e-mail addresses in a text, or else all of it as one login, in lower case. An accent makes
/// another one.
pub(super) fn logins(text: &str) -> Vec<String> {
    let found = addresses(text);
    let whole = plain_login(text);
    if found.is_empty() && !whole.is_empty() { vec![whole] } else { found }
}

/// The e-mail addresses in a text, in lower case.
pub(super) fn addresses(text: &str) -> Vec<String> {
    let words = text.split(|c: char| c.is_whitespace() || "<>()\"',;".contains(c));
    let addresses = words.filter(|word| word.contains('@')).map(plain_login);
    addresses.map(|word| word.strip_prefix("mailto:").unwrap_or(&word).to_owned()).collect()
}

/// The digits of a text that holds nothing but a phone number.
pub(super) fn phone(text: &str) -> Option<String> {
    let text: String = text.nfkc().collect();
    let begin = text.find(|c: char| c.is_ascii_digit() || "+(".contains(c))?;
    let (label, number) = text.split_at(begin);
    let label = folded(label);
    if !NUMBER_LABELS.contains(&label.as_str()) {
        return None;
    }
    let number = number.split(';').next().unwrap_or(number);
    let number = if label.starts_with("sip") { number.split('@').next()? } else { number };
    // `(0)` is said beside a country code and dialled without one.
    let number = number.replace("(0)", "");
    let is_part = |c: char| c.is_ascii_digit() || !(c.is_alphanumeric() || c == '@');
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    (!digits.is_empty() && number.chars().all(is_part)).then_some(digits)
}

/// The end of a long number; all of an internal one.
pub(super) fn subscriber(digits: &str) -> &str {
    let start = digits.len().saturating_sub(SUBSCRIBER_DIGITS);
    digits.get(start..).unwrap_or(digits)
}

fn plain_login(text: &str) -> String {
    text.trim().nfkc().flat_map(char::to_lowercase).collect()
}

/// Without what stands in brackets, if each is closed, and without e-mail addresses.
fn without_brackets(text: &str) -> String {
    let mut depth = 0_usize;
    let mut outside = String::new();
    for c in text.chars() {
        match c {
            '(' | '[' | '<' => depth += 1,
            ')' | ']' | '>' => {
                depth = depth.saturating_sub(1);
                outside.push(' ');
            }
            c if depth == 0 => outside.push(c),
            _ => {}
        }
    }
    let text = if depth == 0 { outside.as_str() } else { text };
    text.split_whitespace().filter(|word| !word.contains('@')).collect::<Vec<_>>().join(" ")
}

fn without_titles(part: &str) -> String {
    let mut rest = part.trim();
    loop {
        // `M. Durand`, `M.Durand` and `M Durand`, but not `M'Baye`.
        let end = rest.find(|c: char| c == '.' || c.is_whitespace());
        let (first, others) = end.map_or((rest, ""), |end| rest.split_at(end));
        if !TITLES.contains(&folded(first).as_str()) {
            return rest.to_owned();
        }
        rest = others.trim_start_matches(|c: char| c == '.' || c.is_whitespace());
    }
}
