//! The webhook of voice agents: any payload in, a sentence for the caller out.

use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
};
use spoken::{Language, Sentence};
use ticketing_proto::v1::{AddFollowupRequest, CreateTicketRequest};
use tonic::{Code, Status};

use crate::{
    body,
    call::Call,
    problem::{self, Problem},
    router::App,
    upstream::Upstream,
};

mod keys;
mod mend;
pub(crate) mod names;
mod payload;
pub(crate) mod reply;
mod scale;
mod sheet;
mod translate;

use keys::Keyed;
use payload::Unreadable;
use reply::Reply;
use translate::Refusal;

/// Opens a ticket for whatever a voice agent sends.
///
/// Whatever becomes of the request, the answer is 200 with a sentence to speak; only what is no
/// request at all is a problem.
#[utoipa::path(
    post,
    path = "/webhook/rounded-webhook",
    tag = "voice agents",
    request_body(
        content_type = "application/json",
        description = "Known fields in many spellings, flat or wrapped in `args`, `parameters`, \
                       `payload` or `data`; a form or query will do as well. Unknown fields are \
                       kept in the ticket.",
        content = reply::Payload
    ),
    responses(
        (status = 200, description = "What became of it, to be spoken", body = Reply),
        (status = 400, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No or wrong token", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "The body took too long", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "More than 1 MiB", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "An upload, or no text: compressed or binary", body = Problem, content_type = "application/problem+json"),
    ),
    security((), ("bearer" = []))
)]
pub(crate) async fn receive(
    State(app): State<App>,
    Extension(call): Extension<Call>,
    request: Request,
) -> Result<Reply, Problem> {
    let (head, body) = request.into_parts();
    let language = app.language();
    let body = body::read(&head.headers, body, language).await?;
    let content_type = head.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let content_type = String::from_utf8_lossy(content_type.unwrap_or_default());
    let query = head.uri.query().unwrap_or_default();

    let fields = payload::read(&content_type, query, &body)
        .map_err(|unreadable| unreadable_problem(unreadable, language))?;
    let (language, wish) = translate::translate(fields, app.fields(), language);
    Ok(match wish {
        Ok(wish) => open(app.upstream(), &call, keys::key(wish), &language).await,
        Err(refusal) => Reply::refused(refusal_sentence(refusal), true, &language),
    })
}

/// Opens the ticket; if the call has one, adds the words to it.
async fn open(upstream: &Upstream, call: &Call, keyed: Keyed, language: &Language) -> Reply {
    let Keyed { mut ticket, followup_key } = keyed;
    if let Some(source) = call.source() {
        ticket.set_source(source);
    }
    let status = match upstream.create_ticket(call, ticket.clone()).await {
        Ok(created) => return Reply::created(created, language),
        Err(status) => status,
    };
    let (Some(key), Some(reference)) = (followup_key, problem::reused_by(&status)) else {
        return failure(&status, language);
    };
    let again = ticket.clone();
    let (text, details) = match translate::followup(ticket) {
        Ok(followup) => followup,
        Err(refusal) => return Reply::refused(refusal_sentence(refusal), true, language),
    };
    let followup = AddFollowupRequest {
        reference: reference.clone(),
        text,
        language: language.as_str().to_owned(),
        idempotency_key: key.clone(),
        details,
    };
    match upstream.add_followup(call, followup).await {
        Ok(added) => Reply::followed_up(added, &reference, language),
        // An operator has given up the call's ticket: what is said now is a matter of its own.
        Err(status) if status.code() == Code::FailedPrecondition => {
            let apart = CreateTicketRequest { idempotency_key: format!("{key}:apart"), ..again };
            match upstream.create_ticket(call, apart).await {
                Ok(created) => Reply::created(created, language),
                Err(status) => failure(&status, language),
            }
        }
        Err(status) => failure(&status, language),
    }
}

fn failure(status: &Status, language: &Language) -> Reply {
    let (sentence, retryable) = reply::of_failure(status);
    Reply::refused(sentence, retryable, language)
}

fn refusal_sentence(refusal: Refusal) -> Sentence<'static> {
    match refusal {
        Refusal::NoProblem => Sentence::AskProblem,
        Refusal::TooLong => Sentence::TooLong,
    }
}

fn unreadable_problem(unreadable: Unreadable, language: &Language) -> Problem {
    match unreadable {
        Unreadable::NotJson => {
            Problem::new(StatusCode::BAD_REQUEST, "the body is not valid JSON", language)
        }
        Unreadable::UnsupportedType => {
            let detail = "send JSON, a form or a query";
            Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail, language)
        }
    }
}
