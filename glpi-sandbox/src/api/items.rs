//! Reading users and the small tables: categories, places, sources, entities.

use serde_json::Value;

use super::call::Ask;
use super::list::{self, Row};
use crate::answer::Answer;
use crate::seed::{self, Item, User};
use crate::sessions::Visitor;
use crate::text;

/// `GET /Itemtype` and `GET /Itemtype/:id` of the small tables.
pub(super) fn read(ask: &Ask<'_>, itemtype: &str, id: Option<&&str>) -> Answer {
    let Some(items) = seed::items(itemtype) else { return ask.unknown_resource() };
    let rows = items.iter().map(|item| item_row(itemtype, item)).collect();
    one_or_all(ask, itemtype, id, rows)
}

/// `GET /User`, `GET /User/:id` and `GET /User/:id/UserEmail`.
pub(super) fn users(ask: &Ask<'_>, visitor: &Visitor, path: &[&str]) -> Answer {
    if visitor.user.profile.sees_only_its_own() {
        return ask.no_right();
    }
    if let [id, "UserEmail"] = path {
        let emails = seed::USERS.iter().filter_map(|user| Some((user.id, user.email?)));
        let rows =
            emails.enumerate().map(|(index, (user, email))| email_row(index + 1, user, email));
        let of_user = |row: &Row| row.get("users_id").and_then(Value::as_u64) == id.parse().ok();
        let rows = rows.filter(of_user).collect();
        return list(ask, "UserEmail", rows);
    }
    let rows = seed::USERS.iter().map(user_row).collect();
    one_or_all(ask, "User", path.first(), rows)
}

/// Rows as a list.
pub(super) fn list(ask: &Ask<'_>, itemtype: &str, rows: Vec<Row>) -> Answer {
    list::of_rows(ask, itemtype, rows)
}

fn one_or_all(ask: &Ask<'_>, itemtype: &str, id: Option<&&str>, rows: Vec<Row>) -> Answer {
    // Of all types only an entity may have the id 0.
    let least = u64::from(itemtype != "Entity");
    let Some(id) = id.and_then(|id| id.parse::<u64>().ok()).filter(|id| *id >= least) else {
        return list(ask, itemtype, rows);
    };
    let found = rows.into_iter().find(|row| row.get("id").and_then(Value::as_u64) == Some(id));
    match found {
        None => ask.not_found(),
        Some(row) if ask.call.raw_texts => Answer::json(200, &row.decoded()),
        Some(row) => Answer::json(200, &row),
    }
}

fn item_row(itemtype: &str, item: &Item) -> Row {
    let full_name = text::encode(item.full_name).into();
    let parent = item.parent.unwrap_or(0).into();
    let level = if item.parent.is_some() { 2 } else { 1 };
    match itemtype {
        "RequestType" => Row::of([
            ("id", item.id.into()),
            ("name", item.name.into()),
            ("is_active", 1.into()),
            ("is_ticketheader", 1.into()),
            ("is_itilfollowup", 1.into()),
            ("comment", Value::Null),
        ]),
        "ITILCategory" => Row::of([
            ("id", item.id.into()),
            ("entities_id", 0.into()),
            ("is_recursive", 1.into()),
            ("itilcategories_id", parent),
            ("name", item.name.into()),
            ("completename", full_name),
            ("level", level.into()),
            ("is_incident", 1.into()),
            ("is_request", 1.into()),
            ("is_helpdeskvisible", 1.into()),
        ]),
        "Location" => Row::of([
            ("id", item.id.into()),
            ("entities_id", 0.into()),
            ("is_recursive", 1.into()),
            ("locations_id", parent),
            ("name", item.name.into()),
            ("completename", full_name),
            ("level", level.into()),
        ]),
        "Entity" => Row::of([
            ("id", item.id.into()),
            ("name", item.name.into()),
            ("entities_id", item.parent.map_or(Value::Null, Value::from)),
            ("completename", full_name),
            ("level", level.into()),
        ]),
        _ => Row::of([
            ("id", item.id.into()),
            ("entities_id", 0.into()),
            ("is_recursive", 1.into()),
            ("name", item.name.into()),
            ("completename", full_name),
        ]),
    }
}

fn user_row(user: &User) -> Row {
    Row::of([
        ("id", user.id.into()),
        ("name", user.login.into()),
        ("phone", user.phone.into()),
        ("phone2", user.phone2.into()),
        ("mobile", user.mobile.into()),
        ("realname", user.realname.into()),
        ("firstname", user.firstname.into()),
        ("locations_id", 0.into()),
        ("language", user.language.map(crate::Language::locale).into()),
        ("is_active", u8::from(user.active).into()),
        ("comment", Value::Null),
        ("auths_id", 0.into()),
        ("authtype", 1.into()),
        ("is_deleted", 0.into()),
        ("profiles_id", 0.into()),
        ("entities_id", 0.into()),
        ("registration_number", user.registration.into()),
    ])
}

fn email_row(id: usize, user: u64, email: &str) -> Row {
    Row::of([
        ("id", id.into()),
        ("users_id", user.into()),
        ("is_default", 1.into()),
        ("is_dynamic", 0.into()),
        ("email", email.into()),
    ])
}
