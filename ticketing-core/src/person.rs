//! A person who asks what is kept of them, or that it be erased: one text to find their requests
//! by.

use std::fmt;

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

use crate::ticket::NewTicket;

/// A name, phone number, e-mail address or login by which a caller is recognised.
///
/// `Debug` shows none of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// Lower case, without accents, its words in alphabetical order.
    name: String,
    /// Lower case, for e-mail addresses and logins, where an accent makes another.
    login: String,
    /// The digits, if it can be a phone number.
    phone: Option<String>,
}

/// Digits at the end by which two writings of one number are recognised: what +33, 0033 and 0 have
/// in common.
const SUBSCRIBER_DIGITS: usize = 9;

impl Person {
    /// Takes a text as an operator types it; `None` if nothing in it could be compared.
    pub fn parse(text: &str) -> Option<Self> {
        let name = plain_name(text);
        let phone = phone_digits(text);
        let login = plain_login(text);
        (!name.is_empty() || !login.is_empty()).then_some(Self { name, login, phone })
    }

    /// Whether the caller of that ticket has this name (its words in any order, accents and case
    /// ignored), this e-mail address or login (case ignored), or this phone number (however
    /// written; also as the number that called).
    pub fn called_for(&self, ticket: &NewTicket) -> bool {
        let caller = &ticket.caller;
        let says = |text: &Option<String>, plain: fn(&str) -> String, wanted: &str| {
            !wanted.is_empty() && text.as_ref().is_some_and(|text| plain(text) == wanted)
        };
        says(&caller.name, plain_name, &self.name)
            || says(&caller.email, plain_login, &self.login)
            || says(&caller.login, plain_login, &self.login)
            || self.has_phone(caller.phone.as_ref())
            || self.has_phone(ticket.call.from_number.as_ref())
    }

    fn has_phone(&self, text: Option<&String>) -> bool {
        let (Some(wanted), Some(digits)) = (&self.phone, text.and_then(|text| phone_digits(text)))
        else {
            return false;
        };
        subscriber(wanted) == subscriber(&digits)
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person")
    }
}

fn plain_name(text: &str) -> String {
    let plain: String =
        text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect();
    let words = plain.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let mut words: Vec<&str> = words.collect();
    words.sort_unstable();
    words.join(" ")
}

fn plain_login(text: &str) -> String {
    text.trim().nfkc().flat_map(char::to_lowercase).collect()
}

/// The digits of a text that holds nothing but a phone number.
fn phone_digits(text: &str) -> Option<String> {
    // `(0)` is said beside a country code and dialled without one.
    let text = text.replace("(0)", "");
    let is_part = |c: char| c.is_ascii_digit() || c.is_whitespace() || "+-./()".contains(c);
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    (!digits.is_empty() && text.chars().all(is_part)).then_some(digits)
}

/// The end of a long number; all of an internal one.
fn subscriber(digits: &str) -> &str {
    let start = digits.len().saturating_sub(SUBSCRIBER_DIGITS);
    digits.get(start..).unwrap_or(digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ticket::{CallContext, Caller};

    fn called(text: &str, caller: Caller, from: Option<&str>) -> bool {
        let call = CallContext { from_number: from.map(Into::into), ..CallContext::default() };
        let ticket = NewTicket { caller, call, ..NewTicket::saying("panne") };
        Person::parse(text).is_some_and(|person| person.called_for(&ticket))
    }

    #[test]
    fn names_are_compared_without_case_accents_and_order() {
        let named = |name: &str| Caller { name: Some(name.into()), ..Caller::default() };
        for (text, name) in [
            ("Hélène  Lefèvre", "helene lefevre"),
            ("LEFEVRE Hélène", "He\u{301}le\u{300}ne Lefe\u{300}vre"),
            ("Jean-Pierre O’Neill", "jean pierre o'neill"),
            ("Müller", "MULLER"),
        ] {
            assert!(called(text, named(name), None), "{text} {name}");
            assert!(called(name, named(text), None), "{name} {text}");
        }
        for (text, name) in [("Marie", "Marie Dupont"), ("Dupont", "Dupond"), ("12", "Marie")] {
            assert!(!called(text, named(name), None), "{text} {name}");
        }
    }

    #[test]
    fn numbers_are_compared_however_they_are_written() {
        let writings =
            ["06 12 34 56 78", "+33612345678", "0033 6.12.34.56.78", "+33 (0)6-12-34-56-78"];
        for text in writings {
            for phone in writings {
                let caller = Caller { phone: Some(phone.into()), ..Caller::default() };
                assert!(called(text, caller, None), "{text} {phone}");
                assert!(called(text, Caller::default(), Some(phone)), "{text} {phone}");
            }
            for other in ["0612345679", "12345678", "4512", "poste 4512", ""] {
                let caller = Caller { phone: Some(other.into()), ..Caller::default() };
                assert!(!called(text, caller, Some(other)), "{text} {other}");
            }
        }
        let internal = || Caller { phone: Some("45 12".into()), ..Caller::default() };
        assert!(called("4512", internal(), None));
        assert!(!called("0612344512", internal(), None), "an extension is not its number's end");
    }

    #[test]
    fn addresses_and_logins_are_compared_without_case() {
        let caller = || Caller {
            email: Some("Marie.Dupont@Hopital.example".into()),
            login: Some("mdupont".into()),
            ..Caller::default()
        };
        assert!(called(" marie.dupont@hopital.EXAMPLE", caller(), None));
        assert!(called("MDupont", caller(), None));
        assert!(!called("dupont@hopital.example", caller(), None));
        assert!(!called("hopital", caller(), None));
    }

    #[test]
    fn nothing_names_nobody() {
        let blank = || Caller {
            name: Some("  ".into()),
            email: Some(String::new()),
            login: Some(" ".into()),
            phone: Some("-".into()),
            ..Caller::default()
        };
        for text in ["", "  ", "-", "…", "()"] {
            assert!(!called(text, blank(), Some("")), "{text:?}");
        }
        assert_eq!(Person::parse(" \t"), None);
    }

    #[test]
    fn debug_shows_nobody() {
        let person = Person::parse("Marie Dupont").unwrap();
        assert_eq!(format!("{person:?}"), "Person");
    }
}
