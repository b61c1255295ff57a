//! What a voice agent hears: flat JSON that a language model can act on.

#![warn(clippy::wildcard_enum_match_arm)]

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use spoken::{Language, Sentence, say};
use ticketing_proto::v1::{AddFollowupResponse, CreateTicketResponse, Outcome, Ticket};
use tonic::{Code, Status};
use utoipa::ToSchema;

use crate::upstream;

/// The answer to a webhook.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Reply {
    /// Whether the request is recorded.
    success: bool,
    /// What became of it.
    status: ReplyStatus,
    /// GLPI's number of the ticket, once GLPI has it.
    #[schema(example = 1234)]
    ticket_id: Option<u32>,
    /// Short name of the request, fit to be spoken.
    #[schema(example = "482-917-305")]
    reference: Option<String>,
    /// What to tell the caller, in one line.
    #[schema(example = "Ticket #1234 créé avec succès")]
    message: String,
    /// Whether calling again may help, after doing what the message says. It never makes a second
    /// ticket of one request.
    retryable: bool,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ReplyStatus {
    /// GLPI has it.
    Created,
    /// Recorded; GLPI will have it as soon as it can.
    Queued,
    /// Recorded; a person has to look at it.
    Parked,
    /// Not recorded, or not known to be.
    Refused,
}

/// What the webhook understands best; see the description of the request.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "documents a body that is read without a schema")]
pub(crate) struct Payload {
    #[schema(example = "Marie Dupont")]
    caller_name: Option<String>,
    #[schema(example = "Comptabilité")]
    department: Option<String>,
    #[schema(example = "Imprimante bloquée")]
    problem_description: String,
    /// 1 to 5, or words such as `haute` or `low`.
    #[schema(example = "haute")]
    urgency: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    /// The voice platform's id of the call: repeats within a call make no second ticket.
    call_id: Option<String>,
    /// BCP 47.
    #[schema(example = "fr")]
    language: Option<String>,
    /// True for a ticket of its own in a call that has one already.
    another_problem: Option<bool>,
}

impl Reply {
    /// Nothing is recorded, as far as is known.
    pub(crate) fn refused(sentence: Sentence<'_>, retryable: bool, language: &Language) -> Self {
        Self {
            success: false,
            status: ReplyStatus::Refused,
            ticket_id: None,
            reference: None,
            message: say(language, sentence),
            retryable,
        }
    }

    /// The server's answer to a new ticket.
    pub(crate) fn created(response: CreateTicketResponse, language: &Language) -> Self {
        let outcome = response.outcome();
        let Some(ticket) = response.ticket else {
            return Self::refused(Sentence::Unsure, true, language);
        };
        let Ticket { reference, id, .. } = ticket;
        let (status, sentence) = match (outcome, id) {
            (Outcome::Created, Some(ticket)) => {
                (ReplyStatus::Created, Sentence::Created { ticket })
            }
            (Outcome::Created | Outcome::Queued | Outcome::Unspecified, _) => {
                (ReplyStatus::Queued, Sentence::Queued { reference: &reference })
            }
            (Outcome::Parked, _) => {
                (ReplyStatus::Parked, Sentence::Parked { reference: &reference })
            }
            (Outcome::Discarded, _) => {
                (ReplyStatus::Refused, Sentence::Discarded { reference: &reference })
            }
        };
        Self::recorded(status, sentence, id, &reference, language)
    }

    /// The server's answer to further words on the ticket of this reference.
    pub(crate) fn followed_up(
        response: AddFollowupResponse,
        reference: &str,
        language: &Language,
    ) -> Self {
        let outcome = response.outcome();
        let id = response.ticket.and_then(|ticket| ticket.id);
        let (status, sentence) = match (outcome, id) {
            (Outcome::Created, Some(ticket)) => {
                (ReplyStatus::Created, Sentence::FollowupAdded { ticket })
            }
            (Outcome::Created | Outcome::Queued | Outcome::Unspecified, _) => {
                (ReplyStatus::Queued, Sentence::FollowupQueued { reference })
            }
            (Outcome::Parked, _) => (ReplyStatus::Parked, Sentence::FollowupParked { reference }),
            (Outcome::Discarded, _) => (ReplyStatus::Refused, Sentence::Discarded { reference }),
        };
        Self::recorded(status, sentence, id, reference, language)
    }

    fn recorded(
        status: ReplyStatus,
        sentence: Sentence<'_>,
        ticket_id: Option<u32>,
        reference: &str,
        language: &Language,
    ) -> Self {
        Self {
            success: status != ReplyStatus::Refused,
            status,
            ticket_id,
            reference: Some(reference.to_owned()),
            message: say(language, sentence),
            retryable: false,
        }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

/// What to say when the server gives no ticket, and whether calling again may help.
///
/// "Not recorded" is said only when it is certain. All else is "unsure", since a repeat is safe and
/// a false "no" makes people call again for a ticket that exists.
pub(crate) fn of_failure(status: &Status) -> (Sentence<'static>, bool) {
    if upstream::nothing_recorded(status) {
        return (Sentence::NotRecorded, true);
    }
    match status.code() {
        Code::InvalidArgument | Code::OutOfRange => (Sentence::NotUnderstood, true),
        Code::ResourceExhausted => (Sentence::Busy, true),
        Code::Unauthenticated | Code::PermissionDenied => (Sentence::Unauthorised, false),
        Code::NotFound | Code::AlreadyExists => (Sentence::NotRecorded, true),
        Code::FailedPrecondition | Code::Unimplemented => (Sentence::NotRecorded, false),
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => (Sentence::Unsure, true),
    }
}
