//! What can be said, and saying it.

use std::{borrow::Cow, collections::HashMap};

use fluent_templates::{Loader, fluent_bundle::FluentValue, static_loader};

use crate::Language;

static_loader! {
    static TEXTS = {
        locales: "./locales",
        fallback_language: "fr",
        // Else values would be wrapped in invisible direction marks.
        customise: |bundle| bundle.set_use_isolating(false),
    };
}

/// Something to say to a caller.
///
/// `ticket` is GLPI's number, `reference` the speakable name of a request that
/// was recorded, such as `482-917-305`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sentence<'a> {
    /// GLPI has the ticket.
    Created {
        /// GLPI's number.
        ticket: u32,
    },
    /// GLPI has had the ticket for a while.
    Exists {
        /// GLPI's number.
        ticket: u32,
    },
    /// The request is recorded; the ticket follows.
    Queued {
        /// Name of the request.
        reference: &'a str,
    },
    /// The request is recorded, and a person has to look at it.
    Parked {
        /// Name of the request.
        reference: &'a str,
    },
    /// An operator decided that the request makes no ticket.
    Discarded {
        /// Name of the request.
        reference: &'a str,
    },
    /// The further words stand in the ticket.
    FollowupAdded {
        /// GLPI's number.
        ticket: u32,
    },
    /// The further words are recorded and will be added.
    FollowupQueued {
        /// Name of the request.
        reference: &'a str,
    },
    /// The further words are recorded, and a person has to look at them.
    FollowupParked {
        /// Name of the request.
        reference: &'a str,
    },
    /// Nothing was recorded: please call again.
    NotRecorded,
    /// It is not known whether anything was recorded: repeating is safe.
    Unsure,
    /// Asks what is wrong.
    AskProblem,
    /// Too many requests at once: try again in a moment.
    Busy,
    /// More text than fits into a ticket: please sum it up.
    TooLong,
    /// The request makes no sense: please say it another way.
    NotUnderstood,
    /// The agent may not open tickets.
    Unauthorised,
    /// Nothing is recorded under this reference or number.
    UnknownReference,
    /// Another request has been recorded in this one's place.
    OtherRequest {
        /// Name of the other request.
        reference: &'a str,
    },
    /// Something unforeseen went wrong on our side.
    InternalTrouble,
}

/// The sentence in the caller's language, on one line.
pub fn say(language: &Language, sentence: Sentence<'_>) -> String {
    let (key, values) = text(sentence);
    TEXTS.lookup_complete(&language.identifier(), key, Some(&values))
}

type Values = HashMap<Cow<'static, str>, FluentValue<'static>>;

/// The sentence's key in the locales, and the value it contains.
fn text(sentence: Sentence<'_>) -> (&'static str, Values) {
    match sentence {
        Sentence::Created { ticket } => ("created", number(ticket)),
        Sentence::Exists { ticket } => ("exists", number(ticket)),
        Sentence::Queued { reference } => ("queued", name(reference)),
        Sentence::Parked { reference } => ("parked", name(reference)),
        Sentence::Discarded { reference } => ("discarded", name(reference)),
        Sentence::FollowupAdded { ticket } => ("followup-added", number(ticket)),
        Sentence::FollowupQueued { reference } => ("followup-queued", name(reference)),
        Sentence::FollowupParked { reference } => ("followup-parked", name(reference)),
        Sentence::NotRecorded => ("not-recorded", Values::new()),
        Sentence::Unsure => ("unsure", Values::new()),
        Sentence::AskProblem => ("ask-problem", Values::new()),
        Sentence::Busy => ("busy", Values::new()),
        Sentence::TooLong => ("too-long", Values::new()),
        Sentence::NotUnderstood => ("not-understood", Values::new()),
        Sentence::Unauthorised => ("unauthorised", Values::new()),
        Sentence::UnknownReference => ("unknown-reference", Values::new()),
        Sentence::OtherRequest { reference } => ("other-request", name(reference)),
        Sentence::InternalTrouble => ("internal-trouble", Values::new()),
    }
}

/// As text, so that no language groups the digits.
fn number(ticket: u32) -> Values {
    Values::from([("ticket".into(), ticket.to_string().into())])
}

fn name(reference: &str) -> Values {
    Values::from([("reference".into(), reference.to_owned().into())])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use fluent_templates::Loader;

    use super::{Sentence, TEXTS, say, text};
    use crate::Language;

    const REFERENCE: &str = "482-917-305";

    const ALL: &[Sentence<'static>] = &[
        Sentence::Created { ticket: 1_234_567 },
        Sentence::Exists { ticket: 1_234_567 },
        Sentence::Queued { reference: REFERENCE },
        Sentence::Parked { reference: REFERENCE },
        Sentence::Discarded { reference: REFERENCE },
        Sentence::FollowupAdded { ticket: 1_234_567 },
        Sentence::FollowupQueued { reference: REFERENCE },
        Sentence::FollowupParked { reference: REFERENCE },
        Sentence::NotRecorded,
        Sentence::Unsure,
        Sentence::AskProblem,
        Sentence::Busy,
        Sentence::TooLong,
        Sentence::NotUnderstood,
        Sentence::Unauthorised,
        Sentence::UnknownReference,
        Sentence::OtherRequest { reference: REFERENCE },
        Sentence::InternalTrouble,
    ];

    fn say_in(language: &str, sentence: Sentence<'_>) -> String {
        say(&language.parse().unwrap(), sentence)
    }

    #[test]
    fn french_says_what_callers_of_the_old_workflow_heard() {
        assert_eq!(
            say_in("fr", Sentence::Created { ticket: 1234 }),
            "Ticket #1234 créé avec succès"
        );
        assert_eq!(
            say_in("fr", Sentence::Queued { reference: REFERENCE }),
            "Votre demande est enregistrée sous la référence 482-917-305 ; \
             le ticket sera créé dès que possible."
        );
        assert_eq!(say_in("fr", Sentence::AskProblem), "Quel est votre problème ?");
    }

    #[test]
    fn regions_without_texts_of_their_own_speak_their_language() {
        let created = Sentence::Created { ticket: 7 };
        assert_eq!(say_in("fr-CA", created), say_in("fr", created));
        assert_eq!(say_in("fr-BE", created), say_in("fr", created));
    }

    #[test]
    fn every_sentence_exists_in_every_locale() {
        let locales: Vec<_> = TEXTS.locales().collect();
        assert_eq!(locales.len(), 12);
        for locale in locales {
            for &sentence in ALL {
                let (key, values) = text(sentence);
                let found = TEXTS.lookup_single_language(locale, key, Some(&values));
                assert!(found.is_ok(), "{key} in {locale}: {found:?}");
            }
        }
    }

    #[test]
    fn every_sentence_is_one_speakable_line_with_its_number() {
        for language in Language::all() {
            for &sentence in ALL {
                let said = say(&language, sentence);
                let context = format!("{language} {sentence:?}: {said:?}");
                let (_, values) = text(sentence);
                if !values.is_empty() {
                    assert!(said.contains(REFERENCE) || said.contains("1234567"), "{context}");
                }
                assert!(!said.is_empty() && !said.contains(char::is_control), "{context}");
                assert!(!said.contains(['{', '}', '$', '<', '\u{2068}']), "{context}");
                assert!(said.chars().count() <= 200, "{context}");
            }
        }
    }

    #[test]
    fn no_locale_copies_another() {
        let said: BTreeSet<_> =
            TEXTS.locales().map(|locale| TEXTS.lookup(locale, "not-recorded")).collect();
        assert_eq!(said.len(), TEXTS.locales().count());
    }
}
