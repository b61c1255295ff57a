//! Idempotency keys: what makes two webhooks the same request.

use prost::Message as _;
use sha2::{Digest as _, Sha256};
use ticketing_proto::v1::CreateTicketRequest;

use super::translate::Wish;

/// How long the same words of the same caller are the same request, when no call
/// id tells repeats from fresh calls.
const SAME_WORDS_WITHIN: prost_types::Duration = prost_types::Duration { seconds: 600, nanos: 0 };

/// How long a call's id names its ticket. No call lasts that long; without an end, an id that a
/// platform uses for every call would make follow-ups of all calls to come.
const ONE_CALL_WITHIN: prost_types::Duration =
    prost_types::Duration { seconds: 24 * 3600, nanos: 0 };

/// Longer call ids are hashed, so that keys stay within their limit of 255.
const LONGEST_PLAIN_ID: usize = 180;

/// The ticket with its key, and the key of a follow-up with the same words, used
/// when the call has a ticket already.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Keyed {
    pub(crate) ticket: CreateTicketRequest,
    /// `None` if the ticket is to be one of its own in any case.
    pub(crate) followup_key: Option<String>,
}

/// Gives a wish its key: one call, one ticket.
pub(crate) fn key(wish: Wish) -> Keyed {
    let Wish { mut ticket, another_problem } = wish;
    let content = ticket.encode_to_vec();
    let call_id = ticket.call.as_ref().map_or("", |call| call.call_id.as_str());
    if call_id.is_empty() {
        ticket.idempotency_key = format!("caller:{}", hash(&["ticket".as_bytes(), &content]));
        ticket.idempotency_window = Some(SAME_WORDS_WITHIN);
        return Keyed { ticket, followup_key: None };
    }
    let call = call_key(call_id);
    ticket.idempotency_window = Some(ONE_CALL_WITHIN);
    if another_problem {
        ticket.idempotency_key = format!("{call}:{}", hash(&["ticket".as_bytes(), &content]));
        return Keyed { ticket, followup_key: None };
    }
    let followup_key = format!("{call}:{}", hash(&["followup".as_bytes(), &content]));
    ticket.idempotency_key = call;
    Keyed { ticket, followup_key: Some(followup_key) }
}

fn call_key(call_id: &str) -> String {
    let is_plain =
        call_id.len() <= LONGEST_PLAIN_ID && call_id.bytes().all(|b| b.is_ascii_graphic());
    if is_plain {
        format!("call:{call_id}")
    } else {
        format!("call:{}", hash(&[call_id.as_bytes()]))
    }
}

/// 128 bits in hexadecimal: enough that no two contents ever meet.
fn hash(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    let digest = hasher.finalize();
    let bits = digest.iter().take(16).fold(0u128, |bits, &byte| bits << 8 | u128::from(byte));
    format!("{bits:032x}")
}

#[cfg(test)]
mod tests {
    use ticketing_proto::v1::CallContext;

    use super::*;

    fn keyed(call_id: &str, description: &str, another_problem: bool) -> Keyed {
        let call = CallContext { call_id: call_id.to_owned(), ..CallContext::default() };
        let ticket = CreateTicketRequest {
            description: description.to_owned(),
            call: Some(call),
            ..CreateTicketRequest::default()
        };
        key(Wish { ticket, another_problem })
    }

    #[test]
    fn one_call_has_one_key_whatever_is_said() {
        let first = keyed("c1", "panne", false);
        let second = keyed("c1", "autre chose", false);
        assert_eq!(first.ticket.idempotency_key, "call:c1");
        assert_eq!(second.ticket.idempotency_key, "call:c1");
        assert_ne!(first.followup_key, second.followup_key);
        assert!(first.followup_key.unwrap().starts_with("call:c1:"));
        assert_eq!(first.ticket.idempotency_window, Some(ONE_CALL_WITHIN));
    }

    #[test]
    fn another_problem_in_the_same_call_is_a_ticket_of_its_own() {
        let first = keyed("c1", "panne", false);
        let other = keyed("c1", "panne", true);
        assert!(other.ticket.idempotency_key.starts_with("call:c1:"));
        assert_eq!(other.followup_key, None);
        assert_ne!(Some(other.ticket.idempotency_key), first.followup_key);
    }

    #[test]
    fn without_a_call_the_words_are_the_key_for_ten_minutes() {
        let first = keyed("", "panne", false).ticket;
        assert!(first.idempotency_key.starts_with("caller:"));
        assert_eq!(first.idempotency_window, Some(SAME_WORDS_WITHIN));
        assert_eq!(first, keyed("", "panne", false).ticket);
        assert_ne!(first.idempotency_key, keyed("", "autre", false).ticket.idempotency_key);
    }

    #[test]
    fn odd_call_ids_are_hashed() {
        for call_id in ["é", "a b", &"x".repeat(181)] {
            let Keyed { ticket, followup_key } = keyed(call_id, "panne", false);
            for key in [ticket.idempotency_key, followup_key.unwrap()] {
                assert!(key.len() <= 255 && key.bytes().all(|b| b.is_ascii_graphic()), "{key}");
            }
        }
    }
}
