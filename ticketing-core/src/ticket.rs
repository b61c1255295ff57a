//! What a caller reports, parsed: whoever holds one of these types holds the proof that it is fit
//! to be sent.
//!
//! All of it can be personal data, so `Debug` shows none of it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One request to open a ticket.
///
/// Fields that are `None` are left out towards GLPI, which then applies its own defaults: GLPI
/// takes an empty string or a zero for a value, and often for the wrong one.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTicket {
    /// Who calls.
    pub caller: Caller,
    /// The title the caller gave.
    pub subject: Option<String>,
    /// The caller's own words; never blank.
    pub description: String,
    /// How pressing it is.
    pub urgency: Option<Level>,
    /// How much is affected.
    pub impact: Option<Level>,
    /// In which order it should be taken.
    pub priority: Option<Priority>,
    /// Incident or request.
    pub kind: Option<TicketKind>,
    /// GLPI's id of the category.
    pub category: Option<u32>,
    /// GLPI's id of the location.
    pub location: Option<u32>,
    /// GLPI's id of the entity; 0 is the root entity.
    pub entity: Option<u32>,
    /// The channel the request came through.
    pub source: Option<Source>,
    /// The call behind it.
    pub call: CallContext,
    /// Further labelled lines.
    pub details: Vec<Detail>,
    /// Language of the labels in the ticket, a BCP 47 tag.
    pub language: String,
}

impl NewTicket {
    /// A ticket of nothing but these words; the rest is unset.
    pub fn saying(description: impl Into<String>) -> Self {
        Self {
            caller: Caller::default(),
            subject: None,
            description: description.into(),
            urgency: None,
            impact: None,
            priority: None,
            kind: None,
            category: None,
            location: None,
            entity: None,
            source: None,
            call: CallContext::default(),
            details: Vec::new(),
            language: "fr".into(),
        }
    }
}

/// A caller's further words on a ticket recorded earlier.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewFollowup {
    /// The caller's own words; never blank.
    pub text: String,
    /// Further labelled lines.
    pub details: Vec<Detail>,
}

/// The person who calls, as heard: claims, not facts.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// Name.
    pub name: Option<String>,
    /// Department or service.
    pub department: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Phone number.
    pub phone: Option<String>,
    /// Login name in GLPI.
    pub login: Option<String>,
}

/// The call or conversation a request came from.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallContext {
    /// The voice platform's id of the call.
    pub call_id: Option<String>,
    /// The voice platform's id of the agent.
    pub agent_id: Option<String>,
    /// The number that called.
    pub from_number: Option<String>,
    /// The number that was called.
    pub to_number: Option<String>,
    /// When the call began.
    pub started: Option<Timestamp>,
}

/// One labelled line of a ticket.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// What it is.
    pub label: String,
    /// Its value.
    pub value: String,
}

/// GLPI's five-step scale of urgency and impact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// 1
    VeryLow = 1,
    /// 2
    Low = 2,
    /// 3
    Medium = 3,
    /// 4
    High = 4,
    /// 5
    VeryHigh = 5,
}

/// GLPI's six-step scale of priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// 1
    VeryLow = 1,
    /// 2
    Low = 2,
    /// 3
    Medium = 3,
    /// 4
    High = 4,
    /// 5
    VeryHigh = 5,
    /// 6
    Major = 6,
}

/// What kind of ticket it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketKind {
    /// Something is broken.
    Incident = 1,
    /// Something is asked for.
    Request = 2,
}

/// GLPI's request sources, numbered as a fresh GLPI numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// 1
    Helpdesk = 1,
    /// 2
    Email = 2,
    /// 3
    Phone = 3,
    /// 4
    Direct = 4,
    /// 5
    Written = 5,
    /// 6
    Other = 6,
}

/// The short, speakable name of a request: nine digits, written "482-917-305".
///
/// Digits because they survive a telephone line in every language. It is unique within one store
/// and never reused; it also stands in the ticket's footer, where the ticket is found again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference(String);

/// The text is not a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a reference has nine digits, such as 482-917-305")]
pub struct NotAReference;

impl Reference {
    /// Draws a reference. Uniqueness is the store's to enforce.
    pub fn draw() -> Self {
        Self::from_number(fastrand::u32(100_000_000..1_000_000_000))
    }

    /// Reads a reference as people write or dictate it: nine digits, with any spaces, dots or
    /// dashes between them.
    pub fn parse(text: &str) -> Result<Self, NotAReference> {
        let mut digits = String::with_capacity(9);
        for character in text.trim().chars() {
            match character {
                '0'..='9' => digits.push(character),
                ' ' | '-' | '.' | '\u{a0}' => {}
                _ => return Err(NotAReference),
            }
        }
        if digits.len() != 9 {
            return Err(NotAReference);
        }
        digits.parse().map(Self::from_number).map_err(|_overflow| NotAReference)
    }

    fn from_number(number: u32) -> Self {
        let (high, middle, low) = (number / 1_000_000, number / 1000 % 1000, number % 1000);
        Self(format!("{high:03}-{middle:03}-{low:03}"))
    }

    /// The reference as written: "482-917-305".
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Hides what a caller said from logs and panics.
macro_rules! debug_without_personal_data {
    ($($name:ident),+) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )+};
}
debug_without_personal_data!(NewTicket, NewFollowup, Caller, CallContext, Detail);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_read_as_people_say_it() {
        for text in ["482-917-305", " 482 917 305 ", "482917305", "482.917.305"] {
            assert_eq!(Reference::parse(text).unwrap().as_str(), "482-917-305", "{text}");
        }
        for text in ["", "12", "482-917-3050", "482-917-30x", "R482917305"] {
            assert_eq!(Reference::parse(text), Err(NotAReference), "{text}");
        }
    }

    #[test]
    fn a_drawn_reference_reads_back() {
        for _ in 0..1000 {
            let reference = Reference::draw();
            assert_eq!(Reference::parse(reference.as_str()), Ok(reference));
        }
    }

    #[test]
    fn debug_shows_nothing_of_a_caller() {
        let caller = Caller { name: Some("Marie Dupont".into()), ..Caller::default() };
        assert_eq!(format!("{caller:?}"), "Caller { .. }");
    }
}
