//! What voice agents send and hear.

use std::{collections::HashMap, path::Path};

use serde_json::{Value, json};
use ticketing_proto::v1::{Outcome, Source, Urgency};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::{
    fake::{Answer, REFERENCE},
    world::World,
};

const PRINTER: &str = r#"{"caller_name":"Marie Dupont","department":"Comptabilité",
    "problem_description":"Imprimante bloquée\nrien ne sort","urgency":"haute"}"#;

/// The first ticket has this call's key.
fn key_reused() -> Status {
    let metadata = HashMap::from([("reference".to_owned(), REFERENCE.to_owned())]);
    let details = ErrorDetails::with_error_info("IDEMPOTENCY_KEY_REUSED", "automatglpi", metadata);
    Status::with_error_details(Code::AlreadyExists, "key reused", details)
}

#[tokio::test]
async fn a_call_becomes_a_ticket() {
    let world = World::new().await;
    let reply = world.call(PRINTER).await;
    let expected = json!({
        "success": true,
        "status": "created",
        "ticket_id": 1234,
        "reference": REFERENCE,
        "message": "Ticket #1234 créé avec succès",
        "retryable": false,
    });
    assert_eq!(reply, expected);

    let asked = world.asked();
    let ticket = &asked.created[0];
    assert_eq!(ticket.description, "Imprimante bloquée\nrien ne sort");
    assert_eq!((ticket.urgency(), ticket.source()), (Urgency::High, Source::Phone));
    assert_eq!(ticket.idempotency_window.as_ref().unwrap().seconds, 600);
}

#[tokio::test]
async fn every_platforms_shape_is_understood() {
    let world = World::new().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/payloads");
    let mut tried = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let payload = std::fs::read_to_string(&path).unwrap();
        let reply = world.call(&payload).await;
        assert_eq!(reply["status"], "created", "{path:?}");
        let ticket = world.asked().created.remove(0);
        let caller = ticket.caller.clone().unwrap();
        assert_eq!(ticket.description, "Imprimante bloquée\nrien ne sort", "{path:?}");
        assert_eq!(caller.name, "Marie Dupont", "{path:?}");
        assert_eq!(ticket.urgency(), Urgency::High, "{path:?}");
        let call_id = ticket.call.clone().unwrap_or_default().call_id;
        assert_eq!(call_id.is_empty(), path.ends_with("n8n.json"), "{path:?}");
        assert!(!format!("{ticket:?}").contains("not-for-the-ticket"), "{path:?}");
        tried += 1;
    }
    assert_eq!(tried, 6);
}

#[tokio::test]
async fn form_query_and_json_are_one() {
    let world = World::new().await;
    world.call(r#"{"nom":"Marie","probleme":"panne é","urgence":"4"}"#).await;
    let form = [("nom", "Marie"), ("probleme", "panne é"), ("urgence", "4")];
    world.webhook().form(&form).send().await.unwrap();
    let url = format!("{}/webhook/rounded-webhook", world.url);
    world.client.get(url).query(&form).send().await.unwrap();
    let asked = world.asked();
    assert_eq!(asked.created.len(), 3);
    assert!(asked.created.iter().all(|ticket| *ticket == asked.created[0]));
}

#[tokio::test]
async fn nothing_to_report_is_asked_for() {
    let world = World::new().await;
    for body in ["", "{}", "[]", "null", r#"{"caller_name":"Marie"}"#] {
        let reply = world.call(body).await;
        assert_eq!(reply["message"], "Quel est votre problème ?", "{body}");
        assert_eq!(
            (&reply["success"], &reply["status"], &reply["retryable"], &reply["ticket_id"]),
            (&json!(false), &json!("refused"), &json!(true), &Value::Null),
            "{body}"
        );
    }
    assert_eq!(world.asked().created.len(), 0);
}

#[tokio::test]
async fn the_caller_is_answered_in_the_language_of_the_call() {
    let world = World::new().await;
    for (language, message) in [
        ("en-GB", "Ticket #1234 created successfully"),
        ("fr-CA", "Ticket #1234 créé avec succès"),
        ("xx", "Ticket #1234 créé avec succès"),
    ] {
        let body = json!({"problem": "panne", "language": language}).to_string();
        assert_eq!(world.call(&body).await["message"], message);
    }
    let languages: Vec<String> =
        world.asked().created.into_iter().map(|ticket| ticket.language).collect();
    assert_eq!(languages, ["en", "fr-CA", "fr"]);
}

#[tokio::test]
async fn what_is_recorded_without_a_number_is_named_by_its_reference() {
    let world = World::new().await;
    for (outcome, status, success) in [
        (Outcome::Queued, "queued", true),
        (Outcome::Parked, "parked", true),
        (Outcome::Discarded, "refused", false),
    ] {
        world.fake.will_answer([Answer::Recorded(outcome)]);
        let reply = world.call(PRINTER).await;
        assert_eq!(reply["status"], status);
        assert_eq!(reply["success"], success);
        assert_eq!(reply["ticket_id"], Value::Null);
        assert_eq!(reply["reference"], REFERENCE);
        assert!(reply["message"].as_str().unwrap().contains(REFERENCE), "{reply}");
    }
}

#[tokio::test]
async fn one_call_has_one_key() {
    let world = World::new().await;
    world.call(r#"{"problem":"a","call_id":"c1"}"#).await;
    world.call(r#"{"problem":"b","call_id":"c1"}"#).await;
    world.call(r#"{"problem":"b","call_id":"c1","another_problem":"true"}"#).await;
    world.call(r#"{"problem":"b","call_id":"{{call_id}}"}"#).await;
    let keys: Vec<String> =
        world.asked().created.into_iter().map(|ticket| ticket.idempotency_key).collect();
    assert_eq!(keys[..2], ["call:c1", "call:c1"]);
    assert!(keys[2].starts_with("call:c1:"), "{keys:?}");
    assert!(keys[3].starts_with("caller:"), "{keys:?}");
}

#[tokio::test]
async fn further_words_in_a_call_follow_up_on_its_ticket() {
    let world = World::new().await;
    world.fake.will_answer([Answer::Fail(key_reused()), Answer::Created(1234)]);
    let reply = world.call(r#"{"problem":"le scanner aussi","call_id":"c1","étage":"2"}"#).await;
    assert_eq!(reply["status"], "created");
    assert_eq!(reply["ticket_id"], 1234);
    assert_eq!(reply["message"], "Vos précisions ont été ajoutées au ticket #1234.");
    let asked = world.asked();
    let followup = &asked.followed_up[0];
    assert_eq!(followup.reference, REFERENCE);
    assert_eq!(followup.text, "le scanner aussi");
    assert_eq!(followup.details[0].value, "2");
    assert!(followup.idempotency_key.starts_with("call:c1:"));

    let not_yet = Answer::Recorded(Outcome::Queued);
    world.fake.will_answer([Answer::Fail(key_reused()), not_yet]);
    let reply = world.call(r#"{"problem":"et l'écran","call_id":"c1"}"#).await;
    assert_eq!((&reply["status"], &reply["success"]), (&json!("queued"), &json!(true)));
    assert!(reply["message"].as_str().unwrap().contains(REFERENCE));
}

#[tokio::test]
async fn another_problem_is_never_a_followup() {
    let world = World::new().await;
    world.fake.will_answer([Answer::Fail(key_reused())]);
    let reply = world.call(r#"{"problem":"b","call_id":"c","another_problem":true}"#).await;
    assert_eq!(reply["success"], false);
    assert_eq!(world.asked().followed_up.len(), 0);
}

#[tokio::test]
async fn configured_field_names_are_understood() {
    let world = World::with(|config| {
        config.fields = "was=problem_description,wer=caller_name".parse().unwrap();
    })
    .await;
    world.call(r#"{"was":"Drucker kaputt","wer":"Jo"}"#).await;
    let ticket = world.asked().created.remove(0);
    assert_eq!(ticket.description, "Drucker kaputt");
    assert_eq!(ticket.caller.unwrap().name, "Jo");
}

#[tokio::test]
async fn every_failure_is_a_sentence_and_never_a_false_no() {
    let world = World::new().await;
    let not_recorded = "Votre demande n'a pas pu être enregistrée";
    let unsure = "Je n'ai pas reçu de confirmation";
    for (code, said, retryable) in [
        (Code::Unavailable, not_recorded, true),
        (Code::Cancelled, unsure, true),
        (Code::DeadlineExceeded, unsure, true),
        (Code::Unknown, unsure, true),
        (Code::Internal, unsure, true),
        (Code::Aborted, unsure, true),
        (Code::ResourceExhausted, "Trop de demandes", true),
        (Code::InvalidArgument, "Je n'ai pas compris", true),
        (Code::Unauthenticated, "Je n'ai pas l'autorisation", false),
        (Code::PermissionDenied, "Je n'ai pas l'autorisation", false),
        (Code::Unimplemented, not_recorded, false),
    ] {
        let internal = "SELECT * FROM outbox at http://10.0.0.1: stack backtrace";
        world.fake.will_answer([Answer::Fail(Status::new(code, internal))]);
        let reply = world.call(PRINTER).await;
        let message = reply["message"].as_str().unwrap();
        assert!(message.starts_with(said), "{code:?}: {message}");
        assert_eq!((&reply["success"], &reply["status"]), (&json!(false), &json!("refused")));
        assert_eq!(reply["retryable"], retryable, "{code:?}");
        assert!(!reply.to_string().contains("SELECT"), "{reply}");
    }
}

#[tokio::test]
async fn json_that_a_template_broke_is_read_all_the_same() {
    let world = World::new().await;
    world.call("{\"problem_description\":\"ligne 1\nligne 2\",\"urgency\":5}").await;
    world.call(r#"[{"problem_description":"panne \ud83d","urgency":5}]"#).await;
    let asked = world.asked();
    assert_eq!(asked.created[0].description, "ligne 1\nligne 2");
    assert_eq!(asked.created[1].description, "panne \u{fffd}");
    assert!(asked.created.iter().all(|ticket| ticket.urgency() == Urgency::VeryHigh));
}

#[tokio::test]
async fn further_words_keep_every_field() {
    let world = World::new().await;
    world.fake.will_answer([Answer::Fail(key_reused()), Answer::Created(1234)]);
    world
        .call(
            r#"{"call_id":"c1","problem_description":"deux","caller_name":"X","impact":"haut",
            "priority":"haute","category_id":"7","location_id":3,"entity_id":1,"type":"demande",
            "from_number":"+33699","to_number":"+331","agent_id":"ag9","urgency":"haute","zz":"libre"}"#,
        )
        .await;
    let followup = &world.asked().followed_up[0];
    let lines: Vec<String> = followup
        .details
        .iter()
        .map(|detail| format!("{}={}", detail.label, detail.value))
        .collect();
    for line in [
        "caller_name=X",
        "impact=4",
        "priority=4",
        "category_id=7",
        "location_id=3",
        "entity_id=1",
        "type=2",
        "from_number=+33699",
        "to_number=+331",
        "agent_id=ag9",
        "urgency=4",
        "zz=libre",
    ] {
        assert!(lines.iter().any(|kept| kept == line), "{line} in {lines:?}");
    }
}

#[tokio::test]
async fn ids_that_were_left_unfilled_make_no_call() {
    let world = World::new().await;
    for id in [
        "not provided",
        "[call_id]",
        "non renseigné",
        "<id>",
        "00000000-0000-0000-0000-000000000000",
    ] {
        world.call(&json!({"call_id": id, "problem_description": "panne"}).to_string()).await;
    }
    for ticket in world.asked().created {
        assert!(ticket.idempotency_key.starts_with("caller:"), "{}", ticket.idempotency_key);
    }
}

#[tokio::test]
async fn looking_at_the_webhook_opens_no_ticket() {
    let world = World::new().await;
    let url = format!("{}/webhook/rounded-webhook?problem_description=panne", world.url);
    let looked = world.client.head(url).send().await.unwrap();
    assert_eq!(looked.status(), 405);
    assert!(world.asked().created.is_empty());
}

#[tokio::test]
async fn a_forwarded_request_is_opened_and_its_headers_are_dropped() {
    let world = World::new().await;
    world
        .call(
            r#"{"headers":{"authorization":"Bearer not-for-the-ticket"},"params":{},"query":{},
            "body":{"problem_description":"panne","urgency":"haute"}}"#,
        )
        .await;
    let ticket = world.asked().created.remove(0);
    assert_eq!((ticket.description.as_str(), ticket.urgency()), ("panne", Urgency::High));
    assert!(!format!("{ticket:?}").contains("not-for-the-ticket"));
}

#[tokio::test]
async fn nothing_a_technician_could_work_on_is_asked_for_again() {
    let world = World::new().await;
    for nothing in ["?!", "...", "\u{200b}\u{200b}"] {
        let payload = json!({"problem_description": nothing}).to_string();
        let reply = world.call(&payload).await;
        assert_eq!(reply["message"], "Quel est votre problème ?", "{nothing:?}");
    }
}

#[tokio::test]
async fn further_words_on_a_discarded_ticket_are_a_ticket_of_their_own() {
    let world = World::new().await;
    let discarded = Status::failed_precondition("discarded");
    let answers = [Answer::Fail(key_reused()), Answer::Fail(discarded), Answer::Created(7)];
    world.fake.will_answer(answers);
    let reply = world.call(r#"{"problem":"encore en panne","call_id":"c1"}"#).await;
    assert_eq!((&reply["status"], &reply["ticket_id"]), (&json!("created"), &json!(7)));
    let keys: Vec<_> =
        world.asked().created.into_iter().map(|ticket| ticket.idempotency_key).collect();
    assert_eq!(keys[0], "call:c1");
    assert!(keys[1].starts_with("call:c1:") && keys[1].ends_with(":apart"), "{keys:?}");
}
