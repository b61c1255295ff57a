//! `/ITILFollowup`

use super::call::{Ask, Twist};
use super::list::{self, Row};
use super::write::{self, Added};
use crate::answer::Answer;
use crate::sessions::Visitor;
use crate::state::Followup;

/// `POST /ITILFollowup`. Below a ticket's path the input must name the ticket
/// all the same.
pub(super) fn add(ask: &Ask<'_>, visitor: &Visitor) -> Answer {
    write::add(ask, "ITILFollowup", |input| {
        let store = ask.twist != Twist::Drop;
        let id = ask.premises.world.add_followup(visitor, input, store)?;
        Ok(Added { id, message: String::new() })
    })
}

/// `GET /ITILFollowup/:id`, or the list.
pub(super) fn read(ask: &Ask<'_>, visitor: &Visitor, id: Option<&&str>) -> Answer {
    let world = &ask.premises.world;
    let seen = |followup: &Followup| {
        world.ticket(followup.ticket).is_some_and(|ticket| visitor.sees(&ticket))
    };
    let Some(id) = id.and_then(|id| id.parse::<u64>().ok()).filter(|id| *id > 0) else {
        return list(ask, seen);
    };
    match world.followups().into_iter().find(|followup| followup.id == id) {
        None => ask.not_found(),
        Some(followup) if !seen(&followup) => ask.no_right(),
        Some(followup) => Answer::json(200, &row(ask, &followup)),
    }
}

pub(super) fn list(ask: &Ask<'_>, wanted: impl Fn(&Followup) -> bool) -> Answer {
    let followups = ask.premises.world.followups();
    let rows = followups.iter().filter(|followup| wanted(followup)).map(|one| row(ask, one));
    list::of_rows(ask, "ITILFollowup", rows.collect())
}

fn row(ask: &Ask<'_>, followup: &Followup) -> Row {
    let row = Row::of([
        ("id", followup.id.into()),
        ("itemtype", "Ticket".into()),
        ("items_id", followup.ticket.into()),
        ("date", followup.date.as_str().into()),
        ("users_id", followup.author.into()),
        ("users_id_editor", 0.into()),
        ("content", followup.content.as_str().into()),
        ("is_private", u8::from(followup.private).into()),
        ("requesttypes_id", 0.into()),
        ("date_mod", followup.date.as_str().into()),
        ("date_creation", followup.date.as_str().into()),
        ("timeline_position", 1.into()),
        ("sourceitems_id", 0.into()),
        ("sourceof_items_id", 0.into()),
    ]);
    if ask.call.raw_texts { row.decoded() } else { row }
}
