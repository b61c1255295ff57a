//! Bodies nobody foresaw: never a 5xx, and no word lost where a ticket is made.

use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any, prop_oneof},
    test_runner::{Config, TestRunner},
};
use serde_json::{Map, Value, json};
use ticketing_proto::v1::CreateTicketRequest;

use crate::world::{World, problem};

const CONTENT_TYPES: [&str; 5] = [
    "application/json",
    "application/x-www-form-urlencoded",
    "text/plain",
    "application/json; charset=iso-8859-1",
    "é/\u{1f4a9}",
];

/// Posts a body; the reply's status word if there is one, after checking what always holds.
async fn post(world: &World, content_type: &str, body: Vec<u8>) -> Option<String> {
    let request = world.webhook().header("content-type", content_type.as_bytes()).body(body);
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    assert!(matches!(status, 200 | 400 | 413 | 415), "{status}");
    let reply: Value = response.json().await.unwrap();
    let message = reply["message"].as_str().unwrap();
    assert!(!message.is_empty() && !message.contains(['\n', '{']), "{reply}");
    reply["status"].as_str().map(str::to_owned)
}

/// Everything a technician will read, in order.
fn readable(ticket: CreateTicketRequest) -> String {
    let caller = ticket.caller.unwrap_or_default();
    let call = ticket.call.unwrap_or_default();
    let mut texts = vec![
        ticket.subject,
        caller.name,
        caller.department,
        caller.email,
        caller.phone,
        caller.login,
        call.call_id,
        call.agent_id,
        call.from_number,
        call.to_number,
        ticket.description,
    ];
    texts.extend(ticket.details.into_iter().map(|detail| detail.value));
    texts.concat()
}

/// The server would refuse anything beyond the limits of the contract.
fn keeps_the_limits(ticket: &CreateTicketRequest) {
    let at_most = |text: &str, longest: usize| {
        assert!(text.chars().count() <= longest, "longer than {longest}: {text}");
        assert!(!text.contains(|c: char| c.is_control() && !"\n\t".contains(c)), "{text:?}");
    };
    let caller = ticket.caller.clone().unwrap_or_default();
    let call = ticket.call.clone().unwrap_or_default();
    for text in [caller.name, caller.department, caller.email, caller.login, call.call_id] {
        at_most(&text, 255);
    }
    for number in [caller.phone, call.from_number, call.to_number] {
        at_most(&number, 64);
    }
    at_most(&ticket.subject, 1_000);
    at_most(&ticket.description, 60_000);
    assert!(!ticket.description.trim().is_empty());
    assert!(ticket.details.len() <= 50);
    for detail in &ticket.details {
        at_most(&detail.label, 100);
        at_most(&detail.value, 4_000);
        assert!(!detail.label.trim().is_empty() && !detail.value.trim().is_empty(), "{detail:?}");
    }
    let key = &ticket.idempotency_key;
    assert!((1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(ticket.category_id != Some(0) && ticket.location_id != Some(0));
}

#[tokio::test]
async fn a_corpus_of_odd_bodies_is_answered_with_a_sentence() {
    let world = World::new().await;
    let deep = |levels: usize| format!("{}1{}", r#"{"a":["#.repeat(levels), "]}".repeat(levels));
    let bodies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"\0".to_vec(),
        b"\xff\xfe{\"a\":1}".to_vec(),
        b"{\"problem\":\"bloqu\xe9e\"}".to_vec(),
        b"[]".to_vec(),
        b"[[[]],{}]".to_vec(),
        b"[1,2,3]".to_vec(),
        b"true".to_vec(),
        b"42".to_vec(),
        b"1e999".to_vec(),
        b"{\"problem\":1e400}".to_vec(),
        b"\"\"".to_vec(),
        b"{\"\":\"\"}".to_vec(),
        b"{\"problem\":\"a\",\"problem\":\"b\"}".to_vec(),
        b"{\"problem\":\"\\ud800\"}".to_vec(),
        b"{\"problem\":\"\\u0000\"}".to_vec(),
        b"%".to_vec(),
        b"&&&===%%%".to_vec(),
        b"problem=%ff%00%".to_vec(),
        deep(60).into_bytes(),
        deep(5_000).into_bytes(),
        format!(r#"{{"problem":"x","a":{}}}"#, deep(50)).into_bytes(),
        format!(r#"{{"problem":"{}"}}"#, "x".repeat(1_000_000)).into_bytes(),
        " ".repeat(2_000_000).into_bytes(),
    ];
    for body in bodies {
        for content_type in CONTENT_TYPES {
            post(&world, content_type, body.clone()).await;
            world.asked().created.iter().for_each(keeps_the_limits);
        }
    }
}

#[tokio::test]
async fn odd_urgencies_never_cost_the_ticket() {
    let world = World::new().await;
    for (urgency, expected) in [
        (json!(null), 0),
        (json!("5"), 5),
        (json!(9), 0),
        (json!("très urgent"), 5),
        (json!([]), 0),
        (json!({"niveau": 4}), 0),
        (json!(-1), 0),
        (json!(true), 0),
        (json!("💥"), 0),
        (json!(1e300), 0),
    ] {
        let body = json!({"problem": "panne", "urgency": urgency});
        assert_eq!(world.call(&body.to_string()).await["status"], "created", "{urgency}");
        assert_eq!(world.asked().created[0].urgency, expected, "{urgency}");
    }
}

#[tokio::test]
async fn odd_texts_arrive_as_they_were_said() {
    let world = World::new().await;
    for text in [
        "<script>alert('x')</script> & \"guillemets\"",
        "\u{202e}à l'envers\u{200f}",
        "🖨️ en feu 🔥",
        "Ünïcödé \u{301} ‏مرحبا",
        "a\nb\tc",
        "'; DROP TABLE glpi_tickets; --",
        "{{problem}} et plus",
    ] {
        let reply = world.call(&json!({"problem": text, "x": text}).to_string()).await;
        assert_eq!(reply["status"], "created");
        let ticket = world.asked().created.remove(0);
        assert_eq!(ticket.description, text);
        assert_eq!(ticket.details[0].value, text);
    }
}

/// Runs a property against one gateway.
fn check<T: std::fmt::Debug>(
    cases: u32,
    bodies: &impl Strategy<Value = T>,
    property: &impl AsyncFn(&World, T),
) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::new());
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(bodies, |body| {
            runtime.block_on(property(&world, body));
            Ok(())
        })
        .unwrap();
}

const NAMES: [&str; 24] = [
    "problem",
    "description",
    "nom",
    "name",
    "caller",
    "email",
    "phone",
    "urgency",
    "impact",
    "priority",
    "type",
    "category_id",
    "call_id",
    "start_time",
    "language",
    "another_problem",
    "args",
    "payload",
    "data",
    "prenom",
    "title",
    "couleur",
    "étage",
    "",
];

/// A word that stands for something the caller said, among odd company.
fn said() -> impl Strategy<Value = String> {
    let odd = prop_oneof![
        Just(String::new()),
        Just("\u{0}".to_owned()),
        Just("<b>\u{202e}é\n".to_owned()),
        Just("x".repeat(300)),
        "\\PC{0,20}",
    ];
    (odd.clone(), any::<u64>(), odd)
        .prop_map(|(before, word, after)| format!("{before} mot{word:020} {after}"))
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => said().prop_map(Value::String),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::Array),
            fields(inner).prop_map(Value::Object),
        ]
    })
}

fn fields(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    let name = prop_oneof![
        5 => (0..NAMES.len()).prop_map(|index| NAMES[index].to_owned()),
        1 => "\\PC{0,12}",
    ];
    vec((name, value), 0..8).prop_map(Map::from_iter)
}

/// The words in a body, wherever they stand.
fn words(text: &str) -> Vec<&str> {
    text.match_indices("mot")
        .filter_map(|(start, _)| text.get(start..start + 23))
        .filter(|word| word.chars().skip(3).all(|digit| digit.is_ascii_digit()))
        .collect()
}

#[test]
fn no_word_is_lost_in_a_thousand_odd_json_bodies() {
    let made = AtomicUsize::new(0);
    check(1_000, &fields(value()), &async |world, body| {
        let body = Value::Object(body).to_string();
        let status = post(world, "application/json", body.clone().into_bytes()).await;
        let mut tickets = world.asked().created;
        assert_eq!(status.as_deref() == Some("created"), tickets.len() == 1);
        if let Some(ticket) = tickets.pop() {
            made.fetch_add(1, Ordering::Relaxed);
            keeps_the_limits(&ticket);
            let read = readable(ticket);
            for word in words(&body) {
                assert!(read.contains(word), "{word} of {body} is not in {read}");
            }
        }
    });
    let made = made.into_inner();
    assert!(made > 200, "only {made} bodies made a ticket: they prove little");
}

#[test]
fn no_word_is_lost_in_odd_forms() {
    let pair = ((0..NAMES.len()).prop_map(|index| NAMES[index]), said());
    check(300, &vec(pair, 0..8), &async |world, pairs| {
        let response = world.webhook().form(&pairs).send().await.unwrap();
        assert_eq!(response.status(), 200);
        if let Some(ticket) = world.asked().created.pop() {
            keeps_the_limits(&ticket);
            let read = readable(ticket);
            for word in pairs.iter().flat_map(|(_, text)| words(text)) {
                assert!(read.contains(word), "{word} of {pairs:?} is not in {read}");
            }
        }
    });
}

#[test]
fn any_bytes_under_any_type_are_answered() {
    let bodies = ((0..CONTENT_TYPES.len()), vec(any::<u8>(), 0..200));
    check(300, &bodies, &async |world, (content_type, body)| {
        post(world, CONTENT_TYPES[content_type], body).await;
        world.asked().created.iter().for_each(keeps_the_limits);
    });
}

#[tokio::test]
async fn a_compressed_body_makes_no_ticket_of_garbage() {
    // `{"problem":"panne"}`, as `gzip` writes it.
    const GZIP: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\x02\xff\xab\x56\x2a\x28\xca\x4f\xca\x49\xcd\
        \x55\xb2\x52\x2a\x48\xcc\xcb\x4b\x55\xaa\x05\0\xf5\x8a\xef\xf2\x13\0\0\0";
    let world = World::new().await;
    let v1 = || world.client.post(format!("{}/v1/tickets", world.url));
    let json = ("content-type", "application/json");
    for (request, detail) in [
        (world.webhook().header(json.0, json.1).header("content-encoding", "gzip"), "as it is"),
        (world.webhook().header("content-encoding", "gzip"), "as it is"),
        (v1().header(json.0, json.1).header("content-encoding", "gzip"), "as it is"),
        (world.webhook(), "send JSON"),
        (world.webhook().header("content-type", "application/octet-stream"), "send JSON"),
    ] {
        let problem = problem(request.body(GZIP).send().await.unwrap(), 415).await;
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{problem}");
    }
    assert_eq!(world.asked().created.len(), 0);
}
