//! Sessions, and what a session may ask about itself and GLPI.

use serde_json::{Value, json};

use super::call::Ask;
use crate::answer::Answer;
use crate::coerce;
use crate::faults::Kind;
use crate::message::Message;
use crate::seed::{self, Profile, User};
use crate::sessions::Visitor;
use crate::text;

/// The right to create, a bit of a profile's rights.
const CREATE: u32 = 4;

/// `initSession`. A session that comes along is destroyed, whatever follows.
pub(super) fn open(ask: &Ask<'_>) -> Answer {
    let world = &ask.premises.world;
    if let Some(old) = ask.call.session_token() {
        world.sessions.close(old);
    }
    if let Err(answer) = ask.check_app_token() {
        return answer;
    }
    let user = match log_in(ask) {
        Ok(user) => user,
        Err(answer) => return answer,
    };
    let token = world.sessions.open(user);
    if !ask.call.flag("get_full_session", false) {
        return Answer::json(200, &json!({ "session_token": token }));
    }
    let visitor = world.sessions.visitor(&token, world.now());
    let session = visitor.map(|visitor| full_session(ask, &visitor));
    Answer::json(200, &json!({ "session_token": token, "session": session }))
}

fn log_in(ask: &Ask<'_>) -> Result<&'static User, Answer> {
    let credentials = ask.call.text("login").zip(ask.call.text("password"));
    match (ask.call.text("user_token"), credentials) {
        (Some(token), _) => {
            let known = token == ask.premises.options.user_token;
            let user = known.then(|| seed::user_by_id(seed::TOKEN_USER)).flatten();
            user.ok_or_else(|| ask.wrong_user_token())
        }
        (None, Some((login, password))) => {
            let known = |user: &&User| user.login == login && user.password == Some(password);
            let user = seed::USERS.iter().filter(|user| user.active).find(known);
            user.ok_or_else(|| ask.undocumented(401, "ERROR_GLPI_LOGIN", Message::LoginWrong))
        }
        (None, None) => {
            Err(ask.error(400, "ERROR_LOGIN_PARAMETERS_MISSING", Message::LoginMissing))
        }
    }
}

/// The answer to a request about the session, if it is one.
pub(super) fn answer(ask: &Ask<'_>, visitor: &Visitor, path: &[&str]) -> Option<Answer> {
    let body = match *path.first()? {
        "killSession" => json!(ask.premises.world.sessions.close(&visitor.token)),
        "changeActiveEntities" => return Some(change_entity(ask, visitor)),
        "changeActiveProfile" => return Some(change_profile(ask, visitor)),
        "getActiveEntities" => json!({ "active_entity": active_entity(visitor) }),
        "getActiveProfile" => {
            json!({ "active_profile": active_profile(ask, visitor.user.profile) })
        }
        "getFullSession" => json!({ "session": full_session(ask, visitor) }),
        "getGlpiConfig" => json!({ "cfg_glpi": config(ask) }),
        "getMyEntities" => json!({ "myentities": my_entities(ask) }),
        "getMyProfiles" => json!({ "myprofiles": [my_profile(visitor.user.profile)] }),
        _ => return None,
    };
    Some(Answer::json(200, &body))
}

fn change_entity(ask: &Ask<'_>, visitor: &Visitor) -> Answer {
    let recursive = match ask.call.parameters.get("is_recursive") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(recursive)) => *recursive,
        Some(_) => return ask.error_saying(400, "ERROR", "Bad Request"),
    };
    let (entity, recursive) = match ask.call.parameters.get("entities_id") {
        None | Some(Value::Null) => (0, true),
        Some(entity) => (coerce::ids(Some(entity)).first().copied().unwrap_or(0), recursive),
    };
    Answer::json(200, &ask.premises.world.sessions.change_entity(&visitor.token, entity, recursive))
}

/// Every user has one profile, so there is nothing to change to.
fn change_profile(ask: &Ask<'_>, visitor: &Visitor) -> Answer {
    let wanted = coerce::ids(ask.call.parameters.get("profiles_id"));
    match wanted.first() {
        None => ask.error_saying(400, "ERROR", "Bad Request"),
        Some(id) if *id == visitor.user.profile.id() => Answer::json(200, &true),
        Some(_) => ask.not_found(),
    }
}

fn active_entity(visitor: &Visitor) -> Value {
    let entities = seed::entities_from(visitor.entity, visitor.recursive);
    let entities: Vec<_> = entities.map(|id| json!({ "id": id })).collect();
    // GLPI keeps what the database said until somebody changes the entity.
    let recursive = if visitor.entity_changed { json!(visitor.recursive) } else { json!(1) };
    json!({
        "id": visitor.entity,
        "active_entity_recursive": recursive,
        "active_entities": entities,
    })
}

fn active_profile(ask: &Ask<'_>, profile: Profile) -> Value {
    let lost = ask.premises.faults.include(&Kind::NoCreateRight);
    let rights = |granted: u32| if lost { granted & !CREATE } else { granted };
    let (interface, ticket, followup) = match profile {
        Profile::SelfService => ("helpdesk", 5, 5),
        Profile::Observer | Profile::Technician => ("central", 168_989, 15_383),
        Profile::SuperAdmin => ("central", 261_151, 31_767),
    };
    json!({
        "id": profile.id(),
        "name": profile.name(),
        "interface": interface,
        "is_default": u8::from(profile == Profile::SelfService),
        "ticket": rights(ticket),
        "followup": rights(followup),
        "entities": { "0": { "id": 0, "name": "Entité racine", "is_recursive": 1 } },
    })
}

fn my_profile(profile: Profile) -> Value {
    json!({
        "id": profile.id(),
        "name": profile.name(),
        "entities": [{ "id": 0, "name": "Entité racine", "is_recursive": 1 }],
    })
}

fn my_entities(ask: &Ask<'_>) -> Vec<Value> {
    let entity = |item: &seed::Item| json!({ "id": item.id, "name": text::encode(item.full_name) });
    let below = seed::ENTITIES.iter().filter(|item| item.parent.is_some());
    let root = seed::ENTITIES.iter().filter(|item| item.parent.is_none());
    let recursive = ask.call.flag("is_recursive", false);
    below.filter(|_| recursive).chain(root).map(entity).collect()
}

fn full_session(ask: &Ask<'_>, visitor: &Visitor) -> Value {
    json!({
        "valid_id": visitor.token,
        "glpi_currenttime": visitor.arrived,
        "glpiID": visitor.user.id,
        "glpiname": visitor.user.login,
        "glpirealname": visitor.user.realname,
        "glpifirstname": visitor.user.firstname,
        "glpidefault_entity": 0,
        "glpilanguage": visitor.language.locale(),
        "glpiactive_entity": visitor.entity,
        "glpiactive_entity_recursive": visitor.recursive,
        "glpiactiveprofile": active_profile(ask, visitor.user.profile),
    })
}

fn config(ask: &Ask<'_>) -> Value {
    let url_base = ask.premises.api_url.trim_end_matches("/apirest.php");
    let levels = 1..=5;
    let matrix: serde_json::Map<_, _> = levels
        .clone()
        .map(|urgency| {
            let row: serde_json::Map<_, _> = levels
                .clone()
                .map(|impact| (impact.to_string(), coerce::priority(urgency, impact).into()))
                .collect();
            (urgency.to_string(), Value::Object(row))
        })
        .collect();
    json!({
        "version": "10.0.12",
        "dbversion": "10.0.12@3fa7c0ec439d8f7e22be0084e53ef480a49aa4f2",
        "url_base": url_base,
        "url_base_api": ask.premises.api_url,
        "language": ask.premises.options.language.locale(),
        "enable_api": "1",
        "maintenance_mode": "0",
        "use_notifications": "0",
        "priority_matrix": matrix,
        "urgency_mask": "62",
        "impact_mask": "62",
        "list_limit": 20,
    })
}
