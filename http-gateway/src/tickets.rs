//! `/v1/tickets`: the contract for systems that speak HTTP and JSON, strict where the webhook is
//! tolerant.

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use spoken::Language;
use ticketing_proto::v1::{GetTicketRequest, Outcome, Source, get_ticket_request::By};

use crate::{
    auth::SignedId,
    body,
    call::Call,
    problem::{FieldError, Problem},
    router::App,
};

mod request;
mod view;

use view::TicketView;

/// As in the draft of the IETF: the same key, the same ticket.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Opens a ticket.
///
/// With an `Idempotency-Key`, a repeat with the same content answers with the first ticket.
#[utoipa::path(
    post,
    path = "/v1/tickets",
    tag = "systems",
    request_body = request::NewTicket,
    params(
        ("Idempotency-Key" = Option<String>, Header,
            description = "At most 255 printable ASCII characters, quoted or not"),
        ("Accept-Language" = Option<String>, Header,
            description = "Language of `message` when the body names none"),
    ),
    responses(
        (status = 201, description = "GLPI has it", body = TicketView),
        (status = 202, description = "Recorded; GLPI will have it, or a person will see to it", body = TicketView),
        (status = 200, description = "A repeat: the first ticket", body = TicketView),
        (status = 400, description = "Wrong fields, all of them named", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No or wrong token", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "The body took too long", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "More than 1 MiB", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not JSON, or compressed", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The Idempotency-Key was used for other content", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many at once", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Nothing was recorded", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "No answer in time; it may be recorded", body = Problem, content_type = "application/problem+json"),
    ),
    security((), ("bearer" = []))
)]
pub(crate) async fn create(
    State(app): State<App>,
    Extension(call): Extension<Call>,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let accepted = app.language_of(&head.headers);
    if !is_json(&head.headers) {
        let detail = "send application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail, &accepted));
    }
    let body: Bytes = body::read(&head.headers, body, &accepted).await?;
    let (mut ticket, mut errors) = request::parse(&body)
        .map_err(|detail| Problem::new(StatusCode::BAD_REQUEST, detail, &accepted))?;
    let signed = head.extensions.get::<SignedId>().map(|SignedId(id)| {
        // Of a fixed length, however long the id.
        Ok(access::Digest::of(id.as_bytes()).to_string())
    });
    match signed.unwrap_or_else(|| key(&head.headers)) {
        Ok(key) => ticket.idempotency_key = key,
        Err(error) => errors.push(error),
    }
    let language = Language::choose(Some(&ticket.language), &accepted);
    if !errors.is_empty() {
        return Err(Problem::wrong_fields(errors, &language));
    }
    language.as_str().clone_into(&mut ticket.language);
    if ticket.source() == Source::Unspecified {
        ticket.set_source(call.source().unwrap_or_default());
    }

    let answer = app.upstream().create_ticket(&call, ticket).await;
    let answer = answer.map_err(|status| Problem::of(&status, &language))?;
    let status = match answer.outcome() {
        _ if answer.replayed => StatusCode::OK,
        Outcome::Created => StatusCode::CREATED,
        Outcome::Queued | Outcome::Parked | Outcome::Discarded | Outcome::Unspecified => {
            StatusCode::ACCEPTED
        }
    };
    let view = TicketView::of_new(answer, &language);
    let location = HeaderValue::try_from(format!("/v1/tickets/{}", view.name()));
    let mut response = (status, Json(view)).into_response();
    if let Ok(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Tells what became of a ticket.
#[utoipa::path(
    get,
    path = "/v1/tickets/{ticket}",
    tag = "systems",
    params(
        ("ticket" = String, Path, description = "GLPI's number, or a reference such as 482-917-305"),
        ("Accept-Language" = Option<String>, Header, description = "Language of `message`"),
    ),
    responses(
        (status = 200, description = "As GLPI has it, if it answers in time", body = TicketView),
        (status = 400, description = "Neither a number nor a reference", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No or wrong token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Never recorded here", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Cannot be read now", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "No answer in time", body = Problem, content_type = "application/problem+json"),
    ),
    security((), ("bearer" = []))
)]
pub(crate) async fn read(
    State(app): State<App>,
    Extension(call): Extension<Call>,
    Path(ticket): Path<String>,
    headers: HeaderMap,
) -> Result<Json<TicketView>, Problem> {
    let language = app.language_of(&headers);
    let question =
        GetTicketRequest { by: Some(named(&ticket)), language: language.as_str().to_owned() };
    let answer = app.upstream().get_ticket(&call, question).await;
    let answer = answer.map_err(|status| Problem::of(&status, &language))?;
    Ok(Json(TicketView::of_known(answer, &language)))
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// The key in the header, which the draft has quoted; empty without one.
fn key(headers: &HeaderMap) -> Result<String, FieldError> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(String::new()) };
    let sent = value.to_str().unwrap_or_default().trim();
    let quoted = sent.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let key = quoted.unwrap_or(sent);
    if (1..=255).contains(&key.len()) && key.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        Ok(key.to_owned())
    } else {
        let detail = "takes 1 to 255 printable ASCII characters";
        Err(FieldError { field: "Idempotency-Key".to_owned(), detail: detail.to_owned() })
    }
}

/// References have nine digits, mostly written with dashes; GLPI's numbers are shorter.
fn named(ticket: &str) -> By {
    match ticket.parse() {
        Ok(number) if ticket.len() < 9 => By::TicketId(number),
        Ok(_) | Err(_) => By::Reference(ticket.to_owned()),
    }
}
