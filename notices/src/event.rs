//! What can have happened.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Something that happened, and when. Serialised it is the body of a webhook:
/// `{"type": "ticket.parked", "timestamp": "…", "data": {…}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// When it happened.
    pub timestamp: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened. Nothing here comes from a caller, but for a title that an administrator asked
/// for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Event {
    /// GLPI has a new ticket.
    #[serde(rename = "ticket.created")]
    TicketCreated {
        /// GLPI's number.
        ticket: u32,
        /// Name of the request.
        reference: String,
        /// Who asked.
        client: String,
        /// 1 to 5, if it was given.
        urgency: Option<u8>,
        /// GLPI's id of the category, if it was given.
        category: Option<u32>,
        /// The caller's title: only where an administrator asks for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
    },
    /// GLPI refused a request: a person has to look at it.
    #[serde(rename = "ticket.parked")]
    TicketParked {
        /// Name of the request.
        reference: String,
        /// Who asked.
        client: String,
        /// Why; never personal data.
        reason: String,
    },
    /// GLPI has not answered for a while.
    #[serde(rename = "glpi.unreachable")]
    GlpiUnreachable {
        /// Since when.
        since: Timestamp,
    },
    /// GLPI answers again.
    #[serde(rename = "glpi.recovered")]
    GlpiRecovered {
        /// Since when it did not.
        since: Timestamp,
        /// Until when it did not.
        until: Timestamp,
    },
    /// Many requests wait for GLPI.
    #[serde(rename = "backlog.high")]
    Backlog {
        /// How many.
        rows: u64,
        /// From how many on it is told.
        limit: u64,
    },
    /// Few requests wait again.
    #[serde(rename = "backlog.drained")]
    BacklogDrained {
        /// How many still wait.
        rows: u64,
    },
    /// Parked requests that nobody looked at are soon to be erased.
    #[serde(rename = "parked.expiring")]
    ParkedExpiring {
        /// How many.
        rows: u64,
        /// When the first of them is erased.
        before: Timestamp,
    },
    /// Nothing happened: somebody tries the channel.
    #[serde(rename = "test")]
    Test,
}

/// What an administrator can ask to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// New tickets.
    Created,
    /// Requests that need a person.
    Parked,
    /// GLPI gone, and back.
    Unreachable,
    /// Many requests waiting, and few again.
    Backlog,
    /// Parked requests about to be erased.
    Expiring,
}

impl Subject {
    /// All there are.
    pub const ALL: [Self; 5] =
        [Self::Created, Self::Parked, Self::Unreachable, Self::Backlog, Self::Expiring];

    /// Its name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Parked => "parked",
            Self::Unreachable => "unreachable",
            Self::Backlog => "backlog",
            Self::Expiring => "expiring",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Nothing of that name is ever told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected some of created, parked, unreachable, backlog, expiring")]
pub struct UnknownSubject;

impl FromStr for Subject {
    type Err = UnknownSubject;

    fn from_str(text: &str) -> Result<Self, UnknownSubject> {
        Self::ALL.into_iter().find(|subject| subject.as_str() == text.trim()).ok_or(UnknownSubject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_the_body_of_a_webhook_and_reads_back() {
        let notice = Notice {
            timestamp: "2026-11-24T15:00:00Z".parse().unwrap(),
            event: Event::TicketCreated {
                ticket: 42,
                reference: "482-917-305".into(),
                client: "ivr".into(),
                urgency: Some(4),
                category: None,
                title: None,
            },
        };
        let json = serde_json::to_value(&notice).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "type": "ticket.created",
                "timestamp": "2026-11-24T15:00:00Z",
                "data": {
                    "ticket": 42, "reference": "482-917-305", "client": "ivr",
                    "urgency": 4, "category": null,
                },
            })
        );
        assert_eq!(serde_json::from_value::<Notice>(json).unwrap(), notice);
        let test = Notice { event: Event::Test, ..notice };
        let json = serde_json::to_value(&test).unwrap();
        assert_eq!(serde_json::from_value::<Notice>(json).unwrap(), test);
    }
}
