//! Lays a ticket out for the technician who reads it.
//!
//! GLPI's content is HTML. Text without any tag is shown with its line breaks, but one thing that
//! looks like a tag makes them all collapse, and text that is already escaped is unescaped. So
//! every piece of text is escaped once and put between tags of ours: `<p>a<br>b</p>`. Titles are
//! plain text and go as they are.

use jiff::{Timestamp, tz::TimeZone};

use crate::ticket::{CallContext, Caller, Detail, NewFollowup, NewTicket, Reference};

/// GLPI cuts titles silently at 255 characters, counted after `<`, `>` and `&` have become five
/// characters each, and may cut one of those in half.
const LONGEST_TITLE: usize = 255;

/// A title made of the description should fit a column of GLPI's list.
const LONGEST_MADE_TITLE: usize = 100;

/// The words before each value.
#[derive(Debug)]
pub(super) struct Labels {
    caller: &'static str,
    department: &'static str,
    email: &'static str,
    phone: &'static str,
    login: &'static str,
    call: &'static str,
    agent: &'static str,
    from_number: &'static str,
    to_number: &'static str,
    time: &'static str,
    date_format: &'static str,
    separator: &'static str,
}

const FRENCH: Labels = Labels {
    caller: "Appelant",
    department: "Service",
    email: "E-mail",
    phone: "Téléphone",
    login: "Identifiant",
    call: "Appel",
    agent: "Agent vocal",
    from_number: "Numéro appelant",
    to_number: "Numéro appelé",
    time: "Date de l’appel",
    date_format: "%d/%m/%Y %H:%M (UTC%:z)",
    separator: " : ",
};

const ENGLISH: Labels = Labels {
    caller: "Caller",
    department: "Department",
    email: "E-mail",
    phone: "Phone",
    login: "Login",
    call: "Call",
    agent: "Voice agent",
    from_number: "Calling number",
    to_number: "Called number",
    time: "Time of call",
    date_format: "%Y-%m-%d %H:%M (UTC%:z)",
    separator: ": ",
};

impl Labels {
    /// French for `fr…`, English for all others.
    pub(super) fn of_language(tag: &str) -> Self {
        let french = tag.get(..2).is_some_and(|prefix| prefix.eq_ignore_ascii_case("fr"));
        if french { FRENCH } else { ENGLISH }
    }
}

/// By this text a ticket or follow-up is found again.
pub(super) fn mark(reference: &Reference) -> String {
    format!("AutomatGLPI {reference}")
}

/// The title: the caller's subject, else the first words of the description, on one line.
pub fn title(ticket: &NewTicket) -> String {
    if let Some(subject) = &ticket.subject {
        return cut(&one_line(subject), LONGEST_TITLE);
    }
    let first = ticket.description.lines().map(one_line).find(|line| !line.is_empty());
    cut(&first.unwrap_or_default(), LONGEST_MADE_TITLE)
}

/// The content of a ticket: who calls, the caller's words, everything else, the footer.
pub(super) fn ticket(
    ticket: &NewTicket,
    reference: &Reference,
    accepted_at: Timestamp,
    labels: &Labels,
    time_zone: &TimeZone,
) -> String {
    let Caller { name, department, email, phone, login } = &ticket.caller;
    let CallContext { call_id, agent_id, from_number, to_number, started } = &ticket.call;
    let time = started
        .unwrap_or(accepted_at)
        .to_zoned_datetime(time_zone.clone())
        .strftime(labels.date_format)
        .to_string();
    let head: Vec<String> = [
        (labels.caller, name.as_ref()),
        (labels.department, department.as_ref()),
        (labels.email, email.as_ref()),
        (labels.phone, phone.as_ref()),
        (labels.login, login.as_ref()),
        (labels.from_number, from_number.as_ref()),
        (labels.to_number, to_number.as_ref()),
        (labels.time, Some(&time)),
        (labels.call, call_id.as_ref()),
        (labels.agent, agent_id.as_ref()),
    ]
    .into_iter()
    .filter_map(|(label, value)| Some(line(label, value?, labels.separator)))
    .collect();

    let paragraphs = [
        head.join("<br>"),
        lines(&ticket.description),
        details(&ticket.details, labels.separator),
        footer(reference),
    ];
    join_paragraphs(&paragraphs)
}

/// The content of a follow-up: the caller's words and the footer.
pub(super) fn followup(followup: &NewFollowup, reference: &Reference) -> String {
    join_paragraphs(&[lines(&followup.text), details(&followup.details, " : "), footer(reference)])
}

fn join_paragraphs(paragraphs: &[String]) -> String {
    let filled: Vec<&str> =
        paragraphs.iter().map(String::as_str).filter(|paragraph| !paragraph.is_empty()).collect();
    format!("<p>{}</p>", filled.join("</p><p>"))
}

fn footer(reference: &Reference) -> String {
    format!("[{}]", mark(reference))
}

fn details(details: &[Detail], separator: &str) -> String {
    let lines: Vec<String> =
        details.iter().map(|detail| line(&detail.label, &detail.value, separator)).collect();
    lines.join("<br>")
}

fn line(label: &str, value: &str, separator: &str) -> String {
    format!("<b>{}</b>{separator}{}", escape(label), lines(value))
}

/// Text as HTML, its line breaks kept.
fn lines(text: &str) -> String {
    let lines: Vec<_> = text.trim().lines().map(escape).collect();
    lines.join("<br>")
}

fn escape(text: &str) -> std::borrow::Cow<'_, str> {
    html_escape::encode_text(text)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Cuts at a word so that what GLPI stores is at most `longest` characters; a single longer word is
/// cut where it must be.
fn cut(text: &str, longest: usize) -> String {
    if text.chars().map(stored_length).sum::<usize>() <= longest {
        return text.to_owned();
    }
    let mut length = "…".chars().count();
    let kept: String = text
        .chars()
        .take_while(|character| {
            length += stored_length(*character);
            length <= longest
        })
        .collect();
    let whole_words = kept.rsplit_once(' ').map_or(kept.as_str(), |(words, _)| words);
    format!("{}…", whole_words.trim_end())
}

fn stored_length(character: char) -> usize {
    if matches!(character, '<' | '>' | '&') { "&#60;".len() } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> NewTicket {
        NewTicket {
            caller: Caller {
                name: Some("Marie <Dupont>".into()),
                department: Some("R&D".into()),
                ..Caller::default()
            },
            details: vec![Detail { label: "salle".into(), value: "12\nbis".into() }],
            ..NewTicket::saying("Imprimante bloquée\nrien ne sort <b> & 5 &lt; 6")
        }
    }

    #[test]
    fn the_technician_reads_caller_words_and_details_line_by_line() {
        let reference = Reference::parse("482-917-305").unwrap();
        let accepted_at = "2026-11-24T13:05:00Z".parse().unwrap();
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let html = ticket(&sample(), &reference, accepted_at, &FRENCH, &zone);
        assert_eq!(
            html,
            "<p><b>Appelant</b> : Marie &lt;Dupont&gt;<br><b>Service</b> : R&amp;D\
             <br><b>Date de l’appel</b> : 24/11/2026 14:05 (UTC+01:00)</p>\
             <p>Imprimante bloquée<br>rien ne sort &lt;b&gt; &amp; 5 &amp;lt; 6</p>\
             <p><b>salle</b> : 12<br>bis</p>\
             <p>[AutomatGLPI 482-917-305]</p>"
        );
    }

    #[test]
    fn without_a_subject_the_title_is_the_first_line() {
        assert_eq!(title(&sample()), "Imprimante bloquée");
    }

    #[test]
    fn a_long_title_is_cut_at_a_word_within_what_glpi_stores() {
        let mut ticket = sample();
        for word in ["écran", "&&&&", "a"] {
            ticket.subject = Some([word; 200].join(" "));
            let title = title(&ticket);
            let stored: usize = title.chars().map(stored_length).sum();
            assert!(stored <= 255 && stored > 225, "{word}: {stored}");
            assert!(title.ends_with(&format!("{word}…")), "{title}");
        }
        ticket.subject = Some("y".repeat(300));
        assert_eq!(title(&ticket).chars().count(), 255);
    }
}
