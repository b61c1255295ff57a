//! Words on a scale: how urgent, how bad, what kind.

use super::names::fold;

mod words;

const VERY_LOW: i32 = 1;
const LOW: i32 = 2;
const MEDIUM: i32 = 3;
const HIGH: i32 = 4;
const VERY_HIGH: i32 = 5;
const MAJOR: i32 = 6;

/// Words that name the scale, not the place on it.
const NOISE: &[&str] = &[
    "urgence",
    "urgency",
    "impact",
    "priorite",
    "priority",
    "niveau",
    "level",
    "c",
    "est",
    "is",
    "it",
    "s",
    "prioritat",
    "dringlichkeit",
    "urgencia",
    "prioridad",
    "prioridade",
    "urgenza",
    "priorita",
    "prioriteit",
    "priorytet",
    "prioritet",
    "ist",
    "es",
];

/// What is heard on a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A place on it.
    At(i32),
    /// Zero, which means that nothing was said.
    Unsaid,
    /// Something else.
    Nonsense,
}

/// Urgency or impact: 1 to 5, in digits or in words of the languages spoken here.
pub(crate) fn level(text: &str) -> Heard {
    place(text, VERY_HIGH)
}

/// Priority: as [`level`], and 6 for major.
pub(crate) fn priority(text: &str) -> Heard {
    place(text, MAJOR)
}

/// The kind of ticket: 1 for an incident, 2 for a request.
pub(crate) fn kind(text: &str) -> Heard {
    match fold(text).trim() {
        "1" | "incident" | "panne" | "probleme" | "problem" | "bug" => Heard::At(1),
        "2" | "demande" | "request" | "service request" | "service_request" => Heard::At(2),
        "0" => Heard::Unsaid,
        _ => Heard::Nonsense,
    }
}

fn place(text: &str, highest: i32) -> Heard {
    let folded = fold(text);
    if let Ok(number) = folded.trim().parse::<f64>() {
        return number_place(number, highest);
    }
    let words: Vec<&str> = folded
        .split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty() && !NOISE.contains(word))
        .collect();
    // "4 - haute" says the same thing twice; if it does not, it is nonsense.
    if let [digits, rest @ ..] = words.as_slice()
        && let Ok(number) = digits.parse::<f64>()
    {
        let numbered = number_place(number, highest);
        let agrees = rest.is_empty() || word_place(&rest.join(" "), highest) == numbered;
        return if agrees { numbered } else { Heard::Nonsense };
    }
    word_place(&words.join(" "), highest)
}

fn number_place(number: f64, highest: i32) -> Heard {
    // Compared as text: "4" and "4.0" are both written 4.
    let digits = number.to_string();
    match (0..=highest).find(|place| place.to_string() == digits) {
        Some(0) => Heard::Unsaid,
        Some(place) => Heard::At(place),
        None => Heard::Nonsense,
    }
}

fn word_place(words: &str, highest: i32) -> Heard {
    if highest == MAJOR && matches!(words, "majeure" | "majeur" | "major") {
        return Heard::At(MAJOR);
    }
    words::place(words).map_or(Heard::Nonsense, Heard::At)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urgency_is_understood_in_digits_and_words() {
        for (text, expected) in [
            ("1", 1),
            (" 5 ", 5),
            ("3.0", 3),
            ("haute", 4),
            ("HAUTE", 4),
            ("Élevée", 4),
            ("elevee", 4),
            ("urgent", 4),
            ("très urgent", 5),
            ("tres urgente", 5),
            ("C'est très urgent !", 5),
            ("bloquant", 5),
            ("low", 2),
            ("pas urgent", 2),
            ("very_low", 1),
            ("URGENCY_VERY_HIGH", 5),
            ("high priority", 4),
            ("urgence : moyenne", 3),
            ("4 - haute", 4),
            ("ASAP", 5),
            ("as soon as possible!", 5),
            ("dès que possible", 5),
            ("Sehr dringend", 5),
            ("Priorität: hoch", 4),
            ("muito baixa", 1),
            ("alta", 4),
            ("média", 3),
            ("Niet dringend", 2),
            ("Średni", 3),
            ("hitno", 4),
            ("επείγον", 4),
            ("عاجل جدا", 5),
            ("非常紧急", 5),
        ] {
            assert_eq!(level(text), Heard::At(expected), "{text}");
        }
    }

    #[test]
    fn nonsense_is_no_urgency() {
        for text in
            ["9", "-1", "2.5", "3/5", "1 - haute", "bleu", "", "!", "NaN", "inf", "6", "majeure"]
        {
            assert_eq!(level(text), Heard::Nonsense, "{text}");
        }
        assert_eq!(level("0"), Heard::Unsaid);
    }

    #[test]
    fn only_priority_knows_major() {
        assert_eq!(priority("6"), Heard::At(6));
        assert_eq!(priority("majeure"), Heard::At(6));
        assert_eq!(priority("7"), Heard::Nonsense);
    }

    #[test]
    fn kinds_are_understood() {
        assert_eq!(kind("Incident"), Heard::At(1));
        assert_eq!(kind("demande"), Heard::At(2));
        assert_eq!(kind("event_action"), Heard::Nonsense);
    }
}
