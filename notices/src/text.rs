//! What people read, in their language.

use std::{borrow::Cow, collections::HashMap};

use fluent_templates::{Loader, fluent_bundle::FluentValue, static_loader};
use jiff::Timestamp;
use reqwest::Url;
use spoken::Language;
use unic_langid::LanguageIdentifier;

use crate::event::{Event, Notice};

static_loader! {
    static TEXTS = {
        locales: "./locales",
        fallback_language: "en",
        // Else values would be wrapped in invisible direction marks.
        customise: |bundle| bundle.set_use_isolating(false),
    };
}

/// A notice as people read it, before a channel clothes it. All of it is plain text: what another
/// system wrote, such as a reason, may contain anything, and each channel escapes for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// One line that says what happened.
    pub title: String,
    /// A sentence that says what it means or what to do.
    pub text: String,
    /// Labelled values.
    pub facts: Vec<(String, String)>,
    /// The ticket in GLPI: what the link is called, and where it leads.
    pub link: Option<(String, Url)>,
}

/// The longest value that is shown: a reason may be a page of HTML.
const LONGEST_VALUE: usize = 300;

type Values = HashMap<Cow<'static, str>, FluentValue<'static>>;

/// The notice in that language; tickets link to the GLPI at that address.
pub fn letter(language: &Language, glpi: &str, notice: &Notice) -> Letter {
    Writer { language: identifier(language), glpi }.write(notice)
}

struct Writer<'a> {
    language: LanguageIdentifier,
    glpi: &'a str,
}

impl Writer<'_> {
    fn write(&self, notice: &Notice) -> Letter {
        let (key, values) = heading(&notice.event);
        let mut letter = Letter {
            title: self.say(&format!("{key}-title"), &values),
            text: self.say(&format!("{key}-text"), &values),
            facts: Vec::new(),
            link: None,
        };
        match &notice.event {
            Event::TicketCreated { ticket, reference, client, urgency, category, title } => {
                letter.link = ticket_url(self.glpi, *ticket).map(|url| (self.label("open"), url));
                if let Some(title) = title {
                    letter.facts.push(self.fact("title", title));
                }
                letter.facts.push(self.fact("reference", reference));
                letter.facts.push(self.fact("client", client));
                if let Some(urgency) = urgency.filter(|urgency| (1..=5).contains(urgency)) {
                    let urgency = self.label(&format!("urgency-{urgency}"));
                    letter.facts.push(self.fact("urgency", &urgency));
                }
                if let Some(category) = category {
                    letter.facts.push(self.fact("category", &category.to_string()));
                }
            }
            Event::TicketParked { reference, client, reason } => {
                letter.facts.push(self.fact("reference", reference));
                letter.facts.push(self.fact("client", client));
                letter.facts.push(self.fact("reason", reason));
            }
            Event::GlpiUnreachable { since } => {
                letter.facts.push(self.fact("since", &moment(*since)));
            }
            Event::GlpiRecovered { since, until } => {
                letter.facts.push(self.fact("since", &moment(*since)));
                letter.facts.push(self.fact("until", &moment(*until)));
            }
            Event::Backlog { rows, .. } | Event::BacklogDrained { rows } => {
                letter.facts.push(self.fact("waiting", &rows.to_string()));
            }
            Event::ParkedExpiring { before, .. } => {
                letter.facts.push(self.fact("erased", &moment(*before)));
            }
            Event::Test => {}
        }
        letter.facts.push(self.fact("time", &moment(notice.timestamp)));
        letter
    }

    fn say(&self, key: &str, values: &Values) -> String {
        TEXTS.lookup_complete(&self.language, key, Some(values))
    }

    fn label(&self, key: &str) -> String {
        self.say(key, &Values::new())
    }

    fn fact(&self, label: &str, value: &str) -> (String, String) {
        (self.label(label), one_line(value))
    }
}

/// The event's key in the locales, and the values of its texts. Numbers are texts, so that no
/// language groups their digits.
fn heading(event: &Event) -> (&'static str, Values) {
    let value = |name: &'static str, value: String| Values::from([(name.into(), value.into())]);
    match event {
        Event::TicketCreated { ticket, .. } => ("created", value("ticket", ticket.to_string())),
        Event::TicketParked { reference, .. } => ("parked", value("reference", reference.clone())),
        Event::GlpiUnreachable { .. } => ("unreachable", Values::new()),
        Event::GlpiRecovered { since, until } => {
            let minutes = (until.duration_since(*since).as_secs() / 60).max(1);
            ("recovered", value("minutes", minutes.to_string()))
        }
        Event::Backlog { limit, .. } => ("backlog", value("limit", limit.to_string())),
        Event::BacklogDrained { .. } => ("drained", Values::new()),
        Event::ParkedExpiring { rows, .. } => ("expiring", value("rows", rows.to_string())),
        Event::Test => ("test", Values::new()),
    }
}

/// The ticket's page.
fn ticket_url(glpi: &str, ticket: u32) -> Option<Url> {
    let base = glpi.trim_end_matches('/');
    format!("{base}/front/ticket.form.php?id={ticket}").parse().ok()
}

fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A value on one line, without what would steer or hide, and not too long.
fn one_line(value: &str) -> String {
    let blank = |character: char| character.is_control() || character.is_whitespace();
    let mut shown =
        value.split(blank).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = shown.char_indices().nth(LONGEST_VALUE) {
        shown.truncate(end);
        shown.push('…');
    }
    shown
}

fn identifier(language: &Language) -> LanguageIdentifier {
    language.as_str().parse().expect("every language that is spoken has a well-formed tag")
}

impl Letter {
    /// The letter as lines of plain text, for a mail.
    pub(crate) fn plain(&self) -> String {
        let mut text = format!("{}\n\n", self.text);
        for (label, value) in &self.facts {
            text.push_str(label);
            text.push_str(": ");
            text.push_str(value);
            text.push('\n');
        }
        if let Some((_, url)) = &self.link {
            text.push('\n');
            text.push_str(url.as_str());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn notices() -> Vec<Notice> {
        let at: Timestamp = "2026-11-24T15:04:05Z".parse().unwrap();
        let later: Timestamp = "2026-11-24T16:39:59Z".parse().unwrap();
        let events = [
            Event::TicketCreated {
                ticket: 1_234_567,
                reference: "482-917-305".into(),
                client: "ivr".into(),
                urgency: Some(4),
                category: Some(12),
                title: None,
            },
            Event::TicketParked {
                reference: "482-917-305".into(),
                client: "ivr".into(),
                reason: "ERROR_GLPI_ADD:\n <b>no</b>".into(),
            },
            Event::GlpiUnreachable { since: at },
            Event::GlpiRecovered { since: at, until: later },
            Event::Backlog { rows: 1_312, limit: 1_000 },
            Event::BacklogDrained { rows: 7 },
            Event::ParkedExpiring { rows: 3, before: later },
            Event::Test,
        ];
        events.into_iter().map(|event| Notice { timestamp: at, event }).collect()
    }

    fn written(language: &str, notice: &Notice) -> Letter {
        letter(&language.parse().unwrap(), "https://glpi.example.org/glpi", notice)
    }

    #[test]
    fn a_new_ticket_in_french() {
        let letter = written("fr", &notices()[0]);
        assert_eq!(letter.title, "Ticket nº 1234567 créé");
        let url = "https://glpi.example.org/glpi/front/ticket.form.php?id=1234567";
        assert_eq!(letter.link, Some(("Ouvrir dans GLPI".into(), url.parse().unwrap())));
        let facts: Vec<_> =
            letter.facts.iter().map(|(label, value)| format!("{label}: {value}")).collect();
        assert_eq!(
            facts,
            [
                "Référence: 482-917-305",
                "Client: ivr",
                "Urgence: haute",
                "Catégorie: 12",
                "Heure: 2026-11-24 15:04 UTC",
            ]
        );
    }

    #[test]
    fn what_others_wrote_is_one_short_line() {
        let letter = written("en", &notices()[1]);
        assert!(letter.facts.contains(&("Reason".into(), "ERROR_GLPI_ADD: <b>no</b>".into())));
        assert_eq!(one_line(&"é".repeat(1000)).chars().count(), LONGEST_VALUE + 1);
        assert_eq!(one_line("a\u{1b}[2J\r\nSubject: b"), "a [2J Subject: b");
    }

    #[test]
    fn every_letter_exists_in_every_locale() {
        let locales: Vec<_> = TEXTS.locales().collect();
        assert_eq!(locales.len(), 12);
        let labels = [
            "open",
            "title",
            "reference",
            "client",
            "urgency",
            "category",
            "reason",
            "since",
            "until",
            "waiting",
            "erased",
            "time",
            "urgency-1",
            "urgency-2",
            "urgency-3",
            "urgency-4",
            "urgency-5",
        ];
        for locale in locales {
            let exists = |key: &str, values: &Values| {
                let found = TEXTS.lookup_single_language(locale, key, Some(values));
                assert!(found.is_ok(), "{key} in {locale}: {found:?}");
            };
            for notice in notices() {
                let (key, values) = heading(&notice.event);
                exists(&format!("{key}-title"), &values);
                exists(&format!("{key}-text"), &values);
            }
            for label in labels {
                exists(label, &Values::new());
            }
        }
    }

    #[test]
    fn every_letter_is_complete_in_every_language() {
        for language in Language::all() {
            for notice in notices() {
                let Letter { title, text, facts, .. } = written(language.as_str(), &notice);
                let facts = facts.into_iter().flat_map(|(label, value)| [label, value]);
                for said in facts.chain([title, text]) {
                    let context = format!("{language} {notice:?}: {said:?}");
                    assert!(!said.is_empty() && !said.contains(char::is_control), "{context}");
                    assert!(!said.contains(['{', '}', '$', '\u{2068}']), "{context}");
                }
            }
        }
    }

    #[test]
    fn no_locale_copies_another() {
        let said: BTreeSet<_> =
            TEXTS.locales().map(|locale| TEXTS.lookup(locale, "unreachable-text")).collect();
        assert_eq!(said.len(), TEXTS.locales().count());
    }
}
