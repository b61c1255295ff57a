//! A page that shows the tickets as GLPI would display them.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};

use crate::sandbox::Premises;
use crate::seed;
use crate::text;
use crate::ticket::Ticket;

/// How many tickets the page shows.
const SHOWN: usize = 100;

/// Nothing but the page's own style: the content of tickets is hostile text.
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

#[derive(Template)]
#[template(path = "board.html")]
struct Board {
    total: usize,
    tickets: Vec<Card>,
}

struct Card {
    id: u64,
    title: String,
    urgency: &'static str,
    urgency_class: &'static str,
    requester: String,
    date: String,
    deleted: bool,
    content: Content,
}

/// A ticket's text, as GLPI understands it.
#[derive(Debug, PartialEq, Eq)]
enum Content {
    /// It holds a tag, so it is HTML and its newlines mean nothing.
    Html(String),
    /// It holds none: each line on its own.
    Plain(Vec<String>),
}

/// `GET /`
pub(crate) async fn page(State(premises): State<Arc<Premises>>) -> Response {
    let board = Board {
        total: premises.world.ticket_count(),
        tickets: premises.world.newest(SHOWN).iter().map(|ticket| Card::of(ticket)).collect(),
    };
    let headers = [(CONTENT_SECURITY_POLICY, POLICY), (CACHE_CONTROL, "no-store")];
    let html = board.render().expect("the template only writes texts into memory");
    (headers, Html(html)).into_response()
}

/// `GET /sandbox/board.css`
pub(crate) async fn style() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("../templates/board.css"))
}

impl Card {
    fn of(ticket: &Ticket) -> Self {
        let (urgency, urgency_class) = match ticket.urgency {
            1 => ("Very low", "low"),
            2 => ("Low", "low"),
            4 => ("High", "high"),
            5 => ("Very high", "highest"),
            _ => ("Medium", "medium"),
        };
        Self {
            id: ticket.id,
            title: ticket.raw_name(),
            urgency,
            urgency_class,
            requester: requester(ticket),
            date: ticket.date.clone(),
            deleted: ticket.deleted,
            content: content(&ticket.content),
        }
    }
}

fn requester(ticket: &Ticket) -> String {
    let name = |actor: &crate::ticket::Actor| match seed::user_by_id(actor.user) {
        Some(user) => match (user.firstname, user.realname) {
            (Some(first), Some(last)) => format!("{first} {last}"),
            _ => user.login.to_owned(),
        },
        None => actor.email.clone(),
    };
    ticket.requesters.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn content(stored: &str) -> Content {
    let text = text::decode(stored);
    if text::has_tag(&text) {
        return Content::Html(ammonia::clean(&text));
    }
    // GLPI hands plain text to the browser too, which decodes its entities.
    let lines = text
        .lines()
        .map(|line| line.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"));
    Content::Plain(lines.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_keeps_its_lines() {
        let plain =
            |lines: &[&str]| Content::Plain(lines.iter().map(|l| (*l).to_owned()).collect());
        assert_eq!(
            content("Ligne 1\nLigne 2\n\nLigne 4"),
            plain(&["Ligne 1", "Ligne 2", "", "Ligne 4"])
        );
        assert_eq!(content("si a &#60; b\n&#38; c"), plain(&["si a < b", "& c"]));
    }

    #[test]
    fn one_tag_makes_newlines_collapse() {
        let html = "ligne 1\nappuyez sur <b> puis\nligne 3</b>".to_owned();
        assert_eq!(content("ligne 1\nappuyez sur &#60;b&#62; puis\nligne 3"), Content::Html(html));
    }

    #[test]
    fn escaped_text_without_a_tag_becomes_markup() {
        let html = "5 &lt; 6 &amp; <b>gras</b>".to_owned();
        assert_eq!(content("5 &lt; 6 &amp; &lt;b&gt;gras&lt;/b&gt;"), Content::Html(html));
    }

    #[test]
    fn scripts_and_handlers_are_stripped() {
        let stored =
            "&#60;script&#62;alert(1)&#60;/script&#62;&#60;p onclick=\"x()\"&#62;p&#60;/p&#62;";
        assert_eq!(content(stored), Content::Html("<p>p</p>".to_owned()));
    }
}
