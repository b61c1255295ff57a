//! A person who asks what is kept of them, or that it be erased: one text to find their requests
//! by.

use std::fmt;

use crate::{
    outbox::Work,
    ticket::{Detail, NewFollowup, NewTicket},
};

mod mention;
mod spelling;
#[cfg(test)]
mod tests;

use mention::Mention;

/// A name, phone number, e-mail address or login by which a caller is recognised.
///
/// `Debug` shows none of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// Without title, case and accents, its words in alphabetical order; empty: not to be compared.
    name: String,
    /// In lower case.
    logins: Vec<String>,
    /// The digits, if it can be a phone number.
    phone: Option<String>,
    mention: Mention,
}

/// What a request has to do with a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// The person called, as far as the caller's name, number, address or login tell.
    Called,
    /// The person is named in it somewhere: as a part of a field, or in what was said. It may be
    /// another of that name, or somebody else's call.
    Mentioned,
}

impl Person {
    /// Takes a text as an operator types it; `None` if nothing in it could be compared.
    pub fn parse(text: &str) -> Option<Self> {
        let mut name = spelling::name(text);
        let logins = spelling::logins(text);
        if name.is_empty() && logins.is_empty() {
            return None;
        }
        // Beside an address, a first name alone says less than the address.
        if !spelling::addresses(text).is_empty() && !name.contains(' ') {
            name.clear();
        }
        let phone = spelling::phone(text);
        let mention = Mention::of(text, phone.as_deref());
        Some(Self { name, logins, phone, mention })
    }

    /// What a request has to do with this person, if anything.
    pub fn in_work(&self, work: &Work) -> Option<Link> {
        match work {
            Work::Ticket(ticket) if self.called_for(ticket) => Some(Link::Called),
            Work::Ticket(ticket) => self.is_in(said_in_ticket(ticket)),
            Work::Followup(followup) => self.is_in(said_in_followup(followup)),
        }
    }

    /// Whether the caller of that ticket has this name (its words in any order; titles, remarks in
    /// brackets, accents and case ignored), this e-mail address or login (case ignored), or this
    /// phone number (however written; also as the number that called).
    fn called_for(&self, ticket: &NewTicket) -> bool {
        let caller = &ticket.caller;
        let has_name = |text: &String| !self.name.is_empty() && spelling::name(text) == self.name;
        let has_login =
            |text: &String| spelling::logins(text).iter().any(|login| self.logins.contains(login));
        let has_phone = |text: &String| self.has_phone(text);
        caller.name.as_ref().is_some_and(has_name)
            || [&caller.email, &caller.login].into_iter().flatten().any(has_login)
            || [&caller.phone, &ticket.call.from_number].into_iter().flatten().any(has_phone)
    }

    fn has_phone(&self, text: &str) -> bool {
        let (Some(wanted), Some(digits)) = (&self.phone, spelling::phone(text)) else {
            return false;
        };
        spelling::subscriber(wanted) == spelling::subscriber(&digits)
    }

    fn is_in<'text>(&self, mut texts: impl Iterator<Item = &'text String>) -> Option<Link> {
        texts.any(|text| self.mention.is_in(text)).then_some(Link::Mentioned)
    }
}

fn said_in_ticket(ticket: &NewTicket) -> impl Iterator<Item = &String> {
    let caller = &ticket.caller;
    let fields = [
        &caller.name,
        &caller.department,
        &caller.email,
        &caller.phone,
        &caller.login,
        &ticket.subject,
    ];
    let said = fields.into_iter().flatten().chain([&ticket.description]);
    said.chain(said_in_details(&ticket.details))
}

fn said_in_followup(followup: &NewFollowup) -> impl Iterator<Item = &String> {
    [&followup.text].into_iter().chain(said_in_details(&followup.details))
}

fn said_in_details(details: &[Detail]) -> impl Iterator<Item = &String> {
    details.iter().flat_map(|detail| [&detail.label, &detail.value])
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person")
    }
}
