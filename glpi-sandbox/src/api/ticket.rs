//! `/Ticket`: adding and reading tickets and what hangs below them.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::call::{Ask, Twist};
use super::list::{self, Row, Table};
use super::write::{self, Added};
use super::{followup, items};
use crate::answer::Answer;
use crate::coerce::{self, Refusal};
use crate::message::Message;
use crate::seed;
use crate::sessions::Visitor;
use crate::text;
use crate::ticket::{COLUMNS, Cell, Role, Ticket};

/// `POST /Ticket`; an id in the path is ignored.
pub(super) fn add(ask: &Ask<'_>, visitor: &Visitor) -> Answer {
    let world = &ask.premises.world;
    write::add(ask, "Ticket", |input| {
        let ticket = match ask.twist {
            Twist::Drop => world.pretend_ticket(visitor, input)?,
            _ => world.add_ticket(visitor, input)?,
        };
        let name =
            if ask.call.raw_texts { ticket.raw_name() } else { text::strip_slashes(&ticket.name) };
        let id = ticket.id;
        let name = if name.is_empty() { format!("Ticket - ID {id}") } else { name };
        let added = ask.language.say(Message::ItemAdded);
        Ok(Added { id, message: format!("{added}{name} ({id})") })
    })
}

/// `POST /Ticket_User`: a requester, technician or observer added afterwards.
pub(super) fn add_actor(ask: &Ask<'_>, visitor: &Visitor) -> Answer {
    write::add(ask, "Ticket_User", |input| {
        let number = |name: &str| coerce::ids(input.get(name)).first().copied().unwrap_or(0);
        let world = &ask.premises.world;
        let ticket = world.ticket(number("tickets_id")).filter(|ticket| visitor.sees(ticket));
        let ticket = ticket.ok_or(Refusal::Said(Message::NoRight))?;
        let role =
            Role::ALL.into_iter().find(|role| role.number().unsigned_abs() == number("type"));
        let user = seed::user_by_id(number("users_id")).ok_or(Refusal::Silent)?;
        let row = world.add_actor(ticket.id, role.unwrap_or(Role::Requester), user.id);
        Ok(Added { id: row.ok_or(Refusal::Silent)?, message: String::new() })
    })
}

/// `GET /Ticket/:id`, or the list if the id is no positive number.
pub(super) fn read(ask: &Ask<'_>, visitor: &Visitor, id: Option<&&str>) -> Answer {
    let Some(id) = id.and_then(|id| id.parse().ok()).filter(|id| *id > 0) else {
        return list(ask, visitor);
    };
    let Some(ticket) = ask.premises.world.ticket(id) else { return ask.not_found() };
    if !visitor.sees(&ticket) {
        return ask.no_right();
    }
    let answer = Answer::json(200, &finished(ask, &ticket, row(&ticket)));
    match ask.premises.world.http_date(&ticket.date_mod) {
        Some(date) => answer.with("last-modified", date),
        None => answer,
    }
}

fn list(ask: &Ask<'_>, visitor: &Visitor) -> Answer {
    let deleted = ask.call.flag("is_deleted", false);
    let tickets =
        ask.premises.world.select(|ticket| ticket.deleted == deleted && visitor.sees(ticket));
    let table = Table { itemtype: "Ticket", sql: "glpi_tickets", columns: &COLUMNS };
    list::answer(ask, &table, tickets, column, |ticket| finished(ask, ticket, row(ticket)))
}

fn column<'a>(ticket: &'a Arc<Ticket>, name: &str) -> Option<Cell<'a>> {
    ticket.column(name)
}

fn row(ticket: &Ticket) -> Row {
    let cell = |name: &&str| ticket.column(name).map_or(Value::Null, Cell::value);
    Row(COLUMNS.iter().map(|name| ((*name).to_owned(), cell(name))).collect())
}

/// The row as the query's options want it.
fn finished(ask: &Ask<'_>, ticket: &Ticket, mut row: Row) -> Row {
    if ask.call.flag("expand_dropdowns", false) {
        for (column, name) in names(ticket) {
            row.set(column, name.into());
        }
    }
    if ask.call.flag("get_hateoas", true) {
        row.0.push(("links".to_owned(), links(ask, ticket)));
    }
    let keys = match ask.call.parameters.get("add_keys_names") {
        Some(Value::Object(keys)) => keys.values().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !keys.is_empty() {
        let named: Map<_, _> = names(ticket)
            .into_iter()
            .filter(|(column, _)| keys.contains(column))
            .map(|(column, name)| (column.to_owned(), name.into()))
            .collect();
        row.0.push(("_keys_names".to_owned(), Value::Object(named)));
    }
    if ask.call.raw_texts { row.decoded() } else { row }
}

/// The names behind the ids of a ticket; 0 and ids that lead nowhere have none.
fn names(ticket: &Ticket) -> Vec<(&'static str, String)> {
    let entity = i64::try_from(ticket.entity).unwrap_or(0);
    let author = seed::user_by_id(ticket.recipient).map(|user| user.login.to_owned());
    let full = |items, id| seed::full_name(items, id).map(text::encode);
    let all = [
        ("entities_id", full(seed::ENTITIES, entity)),
        ("users_id_lastupdater", author.clone()),
        ("users_id_recipient", author),
        ("requesttypes_id", full(seed::REQUEST_TYPES, ticket.request_type)),
        ("itilcategories_id", full(seed::CATEGORIES, ticket.category)),
        ("locations_id", full(seed::LOCATIONS, ticket.location)),
    ];
    all.into_iter().filter_map(|(column, name)| Some((column, name?))).collect()
}

fn links(ask: &Ask<'_>, ticket: &Ticket) -> Value {
    let url = &ask.premises.api_url;
    let to = |rel: &str, id: i64| json!({ "rel": rel, "href": format!("{url}/{rel}/{id}") });
    let author = i64::try_from(ticket.recipient).unwrap_or(0);
    let entity = i64::try_from(ticket.entity).unwrap_or(0);
    let mut links = vec![to("Entity", entity), to("User", author), to("User", author)];
    for (rel, id) in [
        ("RequestType", ticket.request_type),
        ("ITILCategory", ticket.category),
        ("Location", ticket.location),
    ] {
        if id > 0 {
            links.push(to(rel, id));
        }
    }
    let below = [
        "Document_Item",
        "TicketTask",
        "TicketValidation",
        "TicketCost",
        "Problem_Ticket",
        "Change_Ticket",
        "Item_Ticket",
        "ITILSolution",
        "ITILFollowup",
        "Ticket_User",
        "Group_Ticket",
        "Supplier_Ticket",
    ];
    links.extend(
        below
            .iter()
            .map(|rel| json!({ "rel": rel, "href": format!("{url}/Ticket/{}/{rel}/", ticket.id) })),
    );
    Value::Array(links)
}

/// `GET /Ticket/:id/…`: its follow-ups and actors.
pub(super) fn below(ask: &Ask<'_>, visitor: &Visitor, id: &str, itemtype: &str) -> Answer {
    let ticket = id.parse().ok().and_then(|id| ask.premises.world.ticket(id));
    let Some(ticket) = ticket else { return ask.not_found() };
    if !visitor.sees(&ticket) {
        return ask.no_right();
    }
    match itemtype {
        "ITILFollowup" => followup::list(ask, |followup| followup.ticket == ticket.id),
        "Ticket_User" => items::list(ask, "Ticket_User", actor_rows(&ticket)),
        "Group_Ticket" => items::list(ask, "Group_Ticket", group_rows(&ticket)),
        _ => ask.unknown_resource(),
    }
}

fn actor_rows(ticket: &Ticket) -> Vec<Row> {
    let of = |role: Role| ticket.actors(role).iter().map(move |actor| (role, actor));
    let mut actors: Vec<_> = Role::ALL.into_iter().flat_map(of).collect();
    actors.sort_by_key(|(_, actor)| actor.row);
    let row = |(role, actor): (Role, &crate::ticket::Actor)| {
        Row::of([
            ("id", actor.row.into()),
            ("tickets_id", ticket.id.into()),
            ("users_id", actor.user.into()),
            ("type", role.number().into()),
            ("use_notification", u8::from(actor.notify).into()),
            ("alternative_email", actor.email.as_str().into()),
        ])
    };
    actors.into_iter().map(row).collect()
}

fn group_rows(ticket: &Ticket) -> Vec<Row> {
    let row = |group: &crate::ticket::GroupActor| {
        Row::of([
            ("id", group.row.into()),
            ("tickets_id", ticket.id.into()),
            ("groups_id", group.group.into()),
            ("type", group.role.number().into()),
        ])
    };
    ticket.groups.iter().map(row).collect()
}
