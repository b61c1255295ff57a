//! GLPI's search options: the numbers that stand for a ticket's or user's fields.

use std::borrow::Cow;

use serde_json::Value;

use crate::seed::{self, Item, User};
use crate::ticket::{Role, Ticket};

/// A field that can be searched and shown.
pub(super) struct Field<T> {
    pub(super) id: u32,
    /// Whether it is looked at without reading texts.
    pub(super) cheap: bool,
    pub(super) value: for<'t> fn(&'t T) -> Found<'t>,
}

/// The value of a field, by how it is compared and shown.
pub(super) enum Found<'t> {
    Text(Cow<'t, str>),
    Number(i64),
    /// A number out of a closed list: only `equals` works.
    Choice(i64),
    Date(&'t str),
    /// Another object: its id, and its name if it exists.
    Other(i64, Option<&'static str>),
    /// Users or groups: each with its id, the words it is found by, and what is shown.
    Several(Vec<(u64, String, String)>),
    Nothing,
}

impl Found<'_> {
    pub(super) fn shown(&self) -> Value {
        match self {
            Self::Text(text) => text.as_ref().into(),
            Self::Number(number) | Self::Choice(number) => (*number).into(),
            Self::Date(date) => (*date).into(),
            Self::Other(_, name) => (*name).into(),
            Self::Nothing => Value::Null,
            Self::Several(all) => {
                let mut shown: Vec<&str> = all.iter().map(|(_, _, shown)| shown.as_str()).collect();
                shown.sort_unstable();
                match *shown {
                    [] => Value::Null,
                    [one] => one.into(),
                    _ => shown.into(),
                }
            }
        }
    }
}

const fn field<T>(id: u32, value: for<'t> fn(&'t T) -> Found<'t>) -> Field<T> {
    Field { id, cheap: false, value }
}

const fn cheap<T>(id: u32, value: for<'t> fn(&'t T) -> Found<'t>) -> Field<T> {
    Field { id, cheap: true, value }
}

pub(super) const TICKET: &[Field<Ticket>] = &[
    field(1, |t| Found::Text((&t.name).into())),
    cheap(2, |t| number(t.id)),
    cheap(3, |t| Found::Choice(t.priority)),
    field(4, |t| people(t, Role::Requester)),
    field(5, |t| people(t, Role::Assigned)),
    field(7, |t| other(seed::CATEGORIES, t.category)),
    field(8, |t| groups(t, Role::Assigned)),
    field(9, |t| other(seed::REQUEST_TYPES, t.request_type)),
    cheap(10, |t| Found::Choice(t.urgency)),
    cheap(11, |t| Found::Choice(t.impact)),
    cheap(12, |t| Found::Choice(t.status)),
    cheap(14, |t| Found::Choice(t.kind)),
    cheap(15, |t| Found::Date(&t.date)),
    cheap(16, |_| Found::Nothing),
    cheap(17, |_| Found::Nothing),
    cheap(18, |_| Found::Nothing),
    cheap(19, |t| Found::Date(&t.date_mod)),
    field(21, |t| Found::Text((&t.content).into())),
    field(22, |t| Found::Several(t_user(t.recipient).into_iter().collect())),
    field(34, emails),
    field(66, |t| people(t, Role::Observer)),
    field(71, |t| groups(t, Role::Requester)),
    field(80, |t| other(seed::ENTITIES, i64::try_from(t.entity).unwrap_or(0))),
    field(83, |t| other(seed::LOCATIONS, t.location)),
    cheap(121, |t| Found::Date(&t.date_creation)),
];

pub(super) const USER: &[Field<&'static User>] = &[
    field(1, |u| Found::Text(u.login.into())),
    cheap(2, |u| number(u.id)),
    field(5, |u| text(u.email)),
    field(6, |u| text(u.phone)),
    cheap(8, |u| Found::Choice(i64::from(u.active))),
    field(9, |u| text(u.firstname)),
    field(10, |u| text(u.phone2)),
    field(11, |u| text(u.mobile)),
    field(22, |u| text(u.registration)),
    field(34, |u| text(u.realname)),
    field(80, |_| other(seed::ENTITIES, 0)),
];

fn number(id: u64) -> Found<'static> {
    Found::Number(i64::try_from(id).unwrap_or(i64::MAX))
}

fn text(text: Option<&'static str>) -> Found<'static> {
    text.map_or(Found::Nothing, |text| Found::Text(text.into()))
}

fn other(items: &'static [Item], id: i64) -> Found<'static> {
    Found::Other(id, seed::full_name(items, id))
}

fn people(ticket: &Ticket, role: Role) -> Found<'_> {
    Found::Several(ticket.actors(role).iter().filter_map(|actor| t_user(actor.user)).collect())
}

/// A user is found by its names and shown by its id.
fn t_user(id: u64) -> Option<(u64, String, String)> {
    let user = seed::user_by_id(id)?;
    let names = [user.realname, user.firstname, Some(user.login)];
    let names: Vec<&str> = names.into_iter().flatten().collect();
    Some((id, names.join(" "), id.to_string()))
}

fn emails(ticket: &Ticket) -> Found<'_> {
    let actors = Role::ALL.into_iter().flat_map(|role| ticket.actors(role));
    let emails = actors.filter(|actor| !actor.email.is_empty());
    Found::Several(emails.map(|actor| (0, actor.email.clone(), actor.email.clone())).collect())
}

fn groups(ticket: &Ticket, role: Role) -> Found<'_> {
    let groups = ticket.groups.iter().filter(|group| group.role == role);
    let named = groups.filter_map(|group| {
        let id = i64::try_from(group.group).ok()?;
        let name = seed::full_name(seed::GROUPS, id)?.to_owned();
        Some((group.group, name.clone(), name))
    });
    Found::Several(named.collect())
}
