//! `apirest.php`: the path of one request, and the trouble along it.

mod call;
mod criteria;
mod fields;
mod followup;
mod items;
mod list;
mod search;
mod session;
mod ticket;
mod write;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Extension, State};
use axum::response::Response;
use axum::routing::{any, get};
use serde_json::json;

use self::call::{Ask, Call, Twist};
use crate::answer::Answer;
use crate::faults::{Kind, Plan};
use crate::ledger::Request;
use crate::message::Message;
use crate::sandbox::Premises;
use crate::server::Line;
use crate::sessions::Visitor;
use crate::{board, control, pages};

/// nginx's `client_max_body_size` where the exchanges were recorded.
const LARGEST_BODY: usize = 20 << 20;

pub(crate) fn router(premises: Arc<Premises>) -> Router {
    Router::new()
        .route("/", get(board::page))
        .route("/sandbox/board.css", get(board::style))
        .route("/sandbox/faults", get(control::faults).post(control::inject).delete(control::clear))
        .route("/sandbox/state", get(control::state))
        .route("/sandbox/requests", get(control::requests))
        .route("/apirest.php", any(serve))
        .route("/apirest.php/", any(serve))
        .route("/apirest.php/{*resource}", any(serve))
        .fallback(async || Answer::outside_the_api().into_response(false))
        .with_state(premises)
}

/// Serves a request to the API, and lets befall it what is scripted.
async fn serve(
    State(premises): State<Arc<Premises>>,
    Extension(line): Extension<Line>,
    request: axum::extract::Request,
) -> Response {
    let (head, body) = request.into_parts();
    let call = Call::of_head(&head, premises.options.language);
    let reading = call.reads();
    let operation = call.operation();
    let flight = premises.ledger.begin(
        Request {
            method: head.method.as_str().to_owned(),
            path: call.path_text(),
            status: None,
            session: call.session_token().map(str::to_owned),
            traceparent: head
                .headers
                .get("traceparent")
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
        },
        operation,
    );
    let plan = premises.faults.draw(operation);
    let answer = match read(call, body).await {
        Ok(call) => befall(&premises, &line, call, plan).await,
        Err(answer) => answer,
    };
    flight.answered(answer.status);
    answer.into_response(reading)
}

async fn read(call: Call, body: Body) -> Result<Call, Answer> {
    let body = to_bytes(body, LARGEST_BODY).await.map_err(|_too_large| Answer::nginx(413))?;
    Ok(call.with_body(&body))
}

/// Does the work, or what the plan puts in its place.
///
/// Work that was begun is finished even if the client leaves, as PHP would.
async fn befall(premises: &Arc<Premises>, line: &Line, call: Call, plan: Plan) -> Answer {
    let Plan { latency_ms, trouble } = plan;
    match trouble {
        Some(Kind::Refuse | Kind::ResetBeforeCommit) => match line.cut().await {},
        Some(Kind::Hang) => match hang().await {},
        _ => {}
    }
    let _session_lock = lock_session(premises, &call).await;
    let answer = match trouble.as_ref().and_then(|kind| instead_of_work(premises, &call, kind)) {
        Some(answer) => answer,
        None => work(premises, call, trouble.as_ref()).await,
    };
    if latency_ms > 0 {
        tokio::time::sleep(Duration::from_millis(latency_ms)).await;
    }
    match trouble {
        Some(Kind::ResetAfterCommit) => match line.cut().await {},
        Some(Kind::HangAfterCommit) => match hang().await {},
        Some(Kind::Empty200AfterCommit) => Answer::empty(),
        Some(Kind::StatusAfterCommit { code }) => Answer::nginx(code),
        Some(Kind::GarbageJson) => answer.garbled(),
        Some(Kind::WrongContentType) => answer.mislabelled(),
        _ => answer,
    }
}

/// Never answers; ends when the client leaves or the sandbox stops.
async fn hang() -> Infallible {
    std::future::pending().await
}

/// PHP's lock on the session: taken for a moment by every request, and kept
/// to the end by those that write the session.
async fn lock_session(
    premises: &Premises,
    call: &Call,
) -> Option<tokio::sync::OwnedMutexGuard<()>> {
    let lock = premises.world.sessions.lock(call.session_token()?)?;
    let held = lock.lock_owned().await;
    call.writes_session().then_some(held)
}

/// The answer of a GLPI that did not get as far as the work.
fn instead_of_work(premises: &Premises, call: &Call, kind: &Kind) -> Option<Answer> {
    let ask = Ask { premises, call, language: call.language, twist: Twist::None };
    let writes = call.operation().writes();
    Some(match kind {
        Kind::Empty200 => Answer::empty(),
        Kind::Status { code } => Answer::nginx(*code),
        Kind::Maintenance => Answer::page(pages::maintenance()),
        Kind::ApiDisabled => ask.undocumented(400, "ERROR", Message::ApiDisabled),
        Kind::IpNotAllowed => {
            let text = format!("{} (127.0.0.1)", ask.language.say(Message::NotAllowedIp));
            Answer::json(400, &json!(["ERROR_NOT_ALLOWED_IP", text]))
        }
        Kind::WrongAppToken => ask.wrong_app_token(),
        Kind::WrongUserToken => ask.wrong_user_token(),
        Kind::DbGone if writes => {
            Answer::json(400, &json!(["ERROR_GLPI_ADD", "MySQL server has gone away"]))
        }
        Kind::DbGone | Kind::MysqlError => Answer::page(pages::mysql_error()),
        _ => return None,
    })
}

async fn work(premises: &Arc<Premises>, call: Call, trouble: Option<&Kind>) -> Answer {
    let twist = match trouble {
        Some(Kind::NoCreateRight) => Twist::NoCreateRight,
        Some(Kind::Duplicate) => Twist::Duplicate,
        Some(Kind::Drop) => Twist::Drop,
        _ => Twist::None,
    };
    if trouble == Some(&Kind::ExpiredSession) {
        premises.world.sessions.close_all();
    }
    let errand = match admit(premises, &call) {
        Ok(errand) => errand,
        Err(answer) => return answer,
    };
    let Some(Kind::SlowCommit { ms }) = trouble else {
        return answer(premises, &call, &errand, twist);
    };
    let pause = Duration::from_millis(*ms);
    let premises = Arc::clone(premises);
    let finished = premises.tasks.clone().spawn(async move {
        tokio::time::sleep(pause).await;
        answer(&premises, &call, &errand, twist)
    });
    finished.await.unwrap_or_else(|_panic| Answer::nginx(502))
}

/// What an admitted request is to do.
enum Errand {
    ReadDocumentation,
    SayNothing,
    LogIn,
    Serve(Visitor),
}

/// GLPI's first checks in their order: JSON syntax, App-Token, Session-Token.
///
/// They come before any slow insert: a session that dies meanwhile does not
/// stop the work, and its dates are those of the request's arrival.
fn admit(premises: &Premises, call: &Call) -> Result<Errand, Answer> {
    let ask = Ask { premises, call, language: call.language, twist: Twist::None };
    if call.method == "OPTIONS" {
        return Ok(Errand::SayNothing);
    }
    ask.check_body()?;
    match call.path.first().map(String::as_str) {
        None => Ok(Errand::ReadDocumentation),
        Some("initSession") => Ok(Errand::LogIn),
        Some(_) => {
            ask.check_app_token()?;
            ask.visitor().map(Errand::Serve)
        }
    }
}

/// What GLPI answers to an admitted request: item type first, then rights
/// and input.
fn answer(premises: &Premises, call: &Call, errand: &Errand, twist: Twist) -> Answer {
    let ask = Ask { premises, call, language: call.language, twist };
    let visitor = match errand {
        Errand::SayNothing => return Answer::options(),
        Errand::ReadDocumentation => return Answer::page(pages::documentation()),
        Errand::LogIn => return session::open(&ask),
        Errand::Serve(visitor) => visitor,
    };
    let ask = Ask { language: visitor.language, ..ask };
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    session::answer(&ask, visitor, &path).unwrap_or_else(|| of_item(&ask, visitor, &path))
}

fn of_item(ask: &Ask<'_>, visitor: &Visitor, path: &[&str]) -> Answer {
    match (ask.call.method.as_str(), path) {
        (_, ["search", itemtype]) => search::answer(ask, visitor, itemtype),
        ("POST", ["Ticket", _, "ITILFollowup"] | ["ITILFollowup", ..]) => {
            followup::add(ask, visitor)
        }
        ("POST", ["Ticket_User", ..] | ["Ticket", _, "Ticket_User"]) => {
            ticket::add_actor(ask, visitor)
        }
        ("POST", ["Ticket", ..]) => ticket::add(ask, visitor),
        ("PUT" | "PATCH", ["Ticket", rest @ ..]) => write::update(ask, visitor, rest.first()),
        ("DELETE", ["Ticket", rest @ ..]) => write::delete(ask, visitor, rest.first()),
        ("POST" | "PUT" | "PATCH" | "DELETE", [itemtype, ..]) => write::elsewhere(ask, itemtype),
        (_, ["Ticket", id, sub]) => ticket::below(ask, visitor, id, sub),
        (_, ["Ticket", rest @ ..]) => ticket::read(ask, visitor, rest.first()),
        (_, ["ITILFollowup", rest @ ..]) => followup::read(ask, visitor, rest.first()),
        (_, ["User", rest @ ..]) => items::users(ask, visitor, rest),
        (_, [itemtype, rest @ ..]) => items::read(ask, itemtype, rest.first()),
        (_, []) => Answer::page(pages::documentation()),
    }
}
