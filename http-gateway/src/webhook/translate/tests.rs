use super::*;
use crate::webhook::payload;

fn translated(json: &str) -> (Language, Result<Wish, Refusal>) {
    let fields = payload::read("application/json", "", json.as_bytes()).unwrap();
    translate(fields, &FieldNames::default(), &Language::default())
}

fn ticket(json: &str) -> CreateTicketRequest {
    translated(json).1.unwrap().ticket
}

fn details(json: &str) -> Vec<(String, String)> {
    ticket(json).details.into_iter().map(|detail| (detail.label, detail.value)).collect()
}

fn pair(label: &str, value: &str) -> (String, String) {
    (label.to_owned(), value.to_owned())
}

#[test]
fn the_old_workflows_body_is_understood() {
    let ticket = ticket(
        r#"{"caller_name":"Marie Dupont","department":"Comptabilité",
            "problem_description":"Imprimante bloquée\nrien ne sort","urgency":"haute"}"#,
    );
    let caller = ticket.caller.unwrap();
    assert_eq!(
        (caller.name.as_str(), caller.department.as_str()),
        ("Marie Dupont", "Comptabilité")
    );
    assert_eq!(ticket.description, "Imprimante bloquée\nrien ne sort");
    assert_eq!(ticket.urgency, v1::Urgency::High as i32);
    assert_eq!(ticket.source, v1::Source::Phone as i32);
    assert_eq!((ticket.language.as_str(), ticket.details.len()), ("fr", 0));
}

#[test]
fn everything_the_contract_knows_is_understood() {
    let ticket = ticket(
        r#"{"problem":"panne","title":"Imprimante","email":"m@example.org","phone":33123456789,
            "login":"mdupont","call_id":"c-1","agent_id":"a-1","from_number":"+331","to":"+332",
            "start_timestamp":1732450000123,"urgency":5,"impact":"low","priority":6,
            "type":"demande","category_id":"12","location_id":7,"entity_id":0,"langue":"en-GB"}"#,
    );
    let call = ticket.call.unwrap();
    assert_eq!((call.call_id.as_str(), call.agent_id.as_str()), ("c-1", "a-1"));
    assert_eq!((call.from_number.as_str(), call.to_number.as_str()), ("+331", "+332"));
    let started = Timestamp { seconds: 1_732_450_000, nanos: 123_000_000 };
    assert_eq!(call.start_time, Some(started));
    let caller = ticket.caller.unwrap();
    assert_eq!((caller.phone.as_str(), caller.login.as_str()), ("33123456789", "mdupont"));
    assert_eq!((ticket.urgency, ticket.impact, ticket.priority, ticket.r#type), (5, 2, 6, 2));
    assert_eq!((ticket.category_id, ticket.location_id), (Some(12), Some(7)));
    assert_eq!((ticket.entity_id, ticket.language.as_str()), (Some(0), "en"));
    assert_eq!(ticket.details, []);
}

#[test]
fn what_makes_no_sense_where_it_stands_is_kept_as_a_detail() {
    let json = r#"{"problem":"panne","urgency":"9","impact":"bleu","category_id":"matériel",
        "start_time":"hier","langue":"klingon","another_problem":"peut-être","call_id":"unknown"}"#;
    let expected = [
        pair("langue", "klingon"),
        pair("call_id", "unknown"),
        pair("start_time", "hier"),
        pair("another_problem", "peut-être"),
        pair("urgency", "9"),
        pair("impact", "bleu"),
        pair("category_id", "matériel"),
    ];
    assert_eq!(details(json), expected);
    assert_eq!((ticket(json).urgency, ticket(json).call), (0, None));
}

#[test]
fn an_urgency_of_nothing_is_nothing() {
    for urgency in ["null", "[]", "\"\"", "0", "{}", "\" \""] {
        let json = format!(r#"{{"problem":"panne","urgency":{urgency}}}"#);
        assert_eq!((ticket(&json).urgency, details(&json)), (0, vec![]), "{urgency}");
    }
}

#[test]
fn first_name_and_name_become_one() {
    let name = |json: &str| ticket(json).caller.unwrap().name;
    assert_eq!(name(r#"{"problem":"x","prenom":"Marie","nom":"Dupont"}"#), "Marie Dupont");
    assert_eq!(name(r#"{"problem":"x","prenom":"Marie","nom":"Marie Dupont"}"#), "Marie Dupont");
    assert_eq!(name(r#"{"problem":"x","prenom":"Marie"}"#), "Marie");
}

#[test]
fn without_a_problem_there_is_no_ticket() {
    for json in ["{}", "[]", "null", r#"{"nom":"Marie"}"#, r#"{"problem":" \u0000"}"#] {
        assert_eq!(translated(json).1, Err(Refusal::NoProblem), "{json}");
    }
    assert_eq!(ticket(r#"{"title":"Imprimante"}"#).description, "Imprimante");
}

#[test]
fn long_texts_overflow_into_details_and_stay_whole() {
    let words = "panne é ".repeat(10_000);
    let ticket = ticket(&format!(r#"{{"problem":"{words}","nom":"{}"}}"#, "x".repeat(300)));
    assert_eq!(ticket.description.chars().count(), 60_000);
    assert_eq!(ticket.caller, None);
    let overflow = |label: &str| -> String {
        ticket.details.iter().filter(|d| d.label == label).map(|d| d.value.as_str()).collect()
    };
    assert_eq!(format!("{}{}", ticket.description, overflow("problem")), words.trim());
    assert_eq!(overflow("nom").len(), 300);
    assert!(ticket.details.iter().all(|detail| detail.value.chars().count() <= 4_000));
}

#[test]
fn many_unknown_fields_share_lines() {
    let fields: Vec<String> = (0..400).map(|n| format!(r#""champ{n}":"valeur{n}""#)).collect();
    let ticket = ticket(&format!(r#"{{"problem":"panne",{}}}"#, fields.join(",")));
    assert!(ticket.details.len() <= 50);
    let all: Vec<String> =
        ticket.details.iter().map(|detail| format!("{}: {}", detail.label, detail.value)).collect();
    let all = all.join("\n");
    assert!((0..400).all(|n| all.contains(&format!("champ{n}: valeur{n}"))));
}

#[test]
fn more_than_a_ticket_can_hold_is_refused() {
    let json = format!(r#"{{"problem":"{}"}}"#, "x".repeat(300_000));
    assert_eq!(translated(&json).1, Err(Refusal::TooLong));
}

#[test]
fn long_or_odd_labels_lose_nothing() {
    let label = "é".repeat(150);
    let json = format!(r#"{{"problem":"x","{label}":"a","\u0001":"b","_":"c"}}"#);
    let expected = [("é".repeat(100), format!("{label}: a")), pair("-", "b"), pair("_", "c")];
    assert_eq!(details(&json), expected);
}

#[test]
fn a_followup_carries_all_that_was_said() {
    let said = ticket(r#"{"problem":"panne","nom":"Marie","urgency":4,"étage":2}"#);
    let (text, details) = followup(said).unwrap();
    assert_eq!(text, "panne");
    let lines: Vec<String> = details.iter().map(|d| format!("{}={}", d.label, d.value)).collect();
    assert_eq!(lines, ["caller_name=Marie", "urgency=4", "étage=2"]);
}
