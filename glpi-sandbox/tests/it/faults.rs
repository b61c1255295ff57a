use std::io::ErrorKind;
use std::time::Duration;

use glpi_sandbox::{Fault, Kind, Operation};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use crate::client::{Glpi, Reply};

const CREATE: Operation = Operation::CreateTicket;

/// A GLPI whose next `POST /Ticket` goes wrong.
async fn troubled(kind: Kind) -> Glpi {
    let glpi = Glpi::start().await;
    glpi.sandbox.inject(Fault::once(CREATE, kind));
    glpi
}

async fn created_under(kind: Kind) -> (Glpi, Reply) {
    let glpi = troubled(kind).await;
    let reply = glpi.create(json!({"name": "x", "content": "y"})).await;
    (glpi, reply)
}

#[track_caller]
fn assert_tickets(glpi: &Glpi, count: usize) {
    assert_eq!(glpi.sandbox.tickets().len(), count);
    assert!(glpi.sandbox.faults().is_empty(), "the fault is used up");
}

#[tokio::test]
async fn latency_delays_the_answer() {
    let start = Instant::now();
    let (glpi, reply) = created_under(Kind::Latency { ms: 80 }).await;
    assert_eq!(reply.status, 201);
    assert!(start.elapsed() >= Duration::from_millis(80));
    assert_tickets(&glpi, 1);
}

#[tokio::test]
async fn a_refused_connection_is_reset_but_the_controls_stay_reachable() {
    let glpi = Glpi::start().await;
    glpi.sandbox.inject(Fault::new(Operation::Any, Kind::Refuse));
    let reset = glpi.exchange(&glpi.raw_create()).await.unwrap_err();
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
    assert_eq!(glpi.sandbox.count("POST", "/Ticket"), 0, "it was never read");
    assert_eq!(glpi.control("DELETE", "/sandbox/faults", None).await.status, 204);
    assert!(glpi.exchange(&glpi.raw_create()).await.unwrap().starts_with("HTTP/1.1 201 Created"));
}

#[tokio::test]
async fn a_reset_before_the_commit_leaves_nothing() {
    let glpi = troubled(Kind::ResetBeforeCommit).await;
    let reset = glpi.exchange(&glpi.raw_create()).await.unwrap_err();
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
    assert_eq!(glpi.sandbox.requests().last().unwrap().status, None);
    assert_tickets(&glpi, 0);
}

#[tokio::test]
async fn a_reset_after_the_commit_leaves_a_ticket() {
    let glpi = troubled(Kind::ResetAfterCommit).await;
    let reset = glpi.exchange(&glpi.raw_create()).await.unwrap_err();
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
    assert_tickets(&glpi, 1);
}

#[tokio::test]
async fn a_hanging_request_is_never_answered() {
    for (kind, tickets) in [(Kind::Hang, 0), (Kind::HangAfterCommit, 1)] {
        let glpi = troubled(kind).await;
        let mut stream = glpi.connect().await;
        stream.write_all(&glpi.raw_create()).await.unwrap();
        glpi.sandbox.wait_for_requests(2).await;
        glpi.sandbox.wait_for_tickets(tickets).await;
        let answer = timeout(Duration::from_millis(100), stream.read_u8()).await;
        assert!(answer.is_err(), "no answer, and no end either");
        assert_tickets(&glpi, usize::try_from(tickets).unwrap());
    }
}

#[tokio::test]
async fn a_slow_insert_commits_after_the_client_has_left() {
    let glpi = troubled(Kind::SlowCommit { ms: 300 }).await;
    let mut stream = glpi.connect().await;
    stream.write_all(&glpi.raw_create()).await.unwrap();
    glpi.sandbox.wait_for_requests(2).await;
    drop(stream);
    assert!(glpi.sandbox.tickets().is_empty(), "a look-up at once finds nothing");
    glpi.sandbox.wait_for_tickets(1).await;
    assert_tickets(&glpi, 1);
}

#[tokio::test]
async fn a_slow_insert_answers_a_client_that_waits() {
    let (glpi, reply) = created_under(Kind::SlowCommit { ms: 20 }).await;
    assert_eq!(reply.status, 201);
    assert_tickets(&glpi, 1);
}

#[tokio::test]
async fn a_session_killed_during_a_slow_insert_does_not_stop_it() {
    let glpi = troubled(Kind::SlowCommit { ms: 200 }).await;
    let kill = async {
        glpi.sandbox.wait_for_requests(2).await;
        glpi.get("/killSession").await
    };
    let (created, killed) = tokio::join!(glpi.create(json!({"name": "lent 3"})), kill);
    killed.assert_is(200, &json!(true));
    assert_eq!(created.status, 201);
    assert_eq!(glpi.get("/getActiveEntities").await.status, 401);
    assert_tickets(&glpi, 1);
}

#[tokio::test]
async fn an_empty_200_comes_with_or_without_a_ticket() {
    for (kind, tickets) in [(Kind::Empty200, 0), (Kind::Empty200AfterCommit, 1)] {
        let (glpi, reply) = created_under(kind).await;
        reply.assert_empty_success();
        assert_tickets(&glpi, tickets);
    }
}

#[tokio::test]
async fn nginx_answers_in_its_own_words() {
    for (kind, status, reason, tickets) in [
        (Kind::Status { code: 502 }, 502, "Bad Gateway", 0),
        (Kind::Status { code: 500 }, 500, "Internal Server Error", 0),
        (Kind::StatusAfterCommit { code: 504 }, 504, "Gateway Time-out", 1),
    ] {
        let glpi = troubled(kind).await;
        let raw = glpi.exchange(&glpi.raw_create()).await.unwrap();
        assert!(raw.starts_with(&format!("HTTP/1.1 {status} {reason}\r\n")), "{raw}");
        assert!(raw.contains("content-type: text/html\r\n"));
        assert!(raw.contains(&format!("<center><h1>{status} {reason}</h1></center>")));
        assert_tickets(&glpi, tickets);
    }
}

#[tokio::test]
async fn pages_come_with_200_from_every_endpoint() {
    for (kind, title) in
        [(Kind::Maintenance, "MAINTENANCE MODE"), (Kind::MysqlError, "Mysql Error")]
    {
        let glpi = Glpi::start().await;
        glpi.sandbox.inject(Fault::new(Operation::Any, kind));
        for path in ["/initSession", "/getActiveEntities", "/Ticket/1", "/killSession"] {
            let reply = glpi.get(path).await;
            assert_eq!(reply.status, 200);
            assert_eq!(reply.header("content-type"), "text/html; charset=UTF-8");
            assert!(reply.body.contains(&format!("<title>{title}")));
        }
        assert!(glpi.create(json!({"name": "x"})).await.body.contains(title));
        glpi.sandbox.clear();
        assert_eq!(glpi.get("/getActiveEntities").await.status, 200, "the session survives");
        assert_eq!(glpi.sandbox.tickets().len(), 0);
    }
}

#[tokio::test]
async fn a_closed_api_answers_400() {
    for (kind, body) in [
        (Kind::ApiDisabled, json!(["ERROR", "API désactivée"])),
        (
            Kind::IpNotAllowed,
            json!([
                "ERROR_NOT_ALLOWED_IP",
                "Il n'y a aucun client de l'API dans la configuration qui vérifie votre adresse IP (127.0.0.1)"
            ]),
        ),
    ] {
        let glpi = Glpi::start().await;
        glpi.sandbox.inject(Fault::new(Operation::Any, kind));
        glpi.get("/initSession").await.assert_is(400, &body);
        glpi.create(json!({"name": "x"})).await.assert_is(400, &body);
    }
}

#[tokio::test]
async fn an_expired_session_must_be_opened_again_once() {
    let glpi = Glpi::start().await;
    glpi.sandbox.inject(Fault::new(Operation::Any, Kind::ExpiredSession));
    let reply = glpi.create(json!({"name": "x"})).await;
    reply.assert_is(401, &json!(["ERROR_SESSION_TOKEN_INVALID", "session_token semble incorrect"]));
    let session = glpi.log_in().await;
    let body = json!({"input": {"name": "x"}});
    assert_eq!(glpi.send_as(&session, "POST", "/Ticket", &body).await.status, 201);
    assert_tickets(&glpi, 1);
}

#[tokio::test]
async fn tokens_can_be_wrong_for_a_while() {
    let glpi = Glpi::start().await;
    glpi.sandbox.inject(Fault::once(Operation::Any, Kind::WrongAppToken));
    let reply = glpi.create(json!({"name": "x"})).await;
    assert_eq!((reply.status, &reply.json()[0]), (400, &json!("ERROR_WRONG_APP_TOKEN_PARAMETER")));

    glpi.sandbox.inject(Fault::once(Operation::Any, Kind::WrongUserToken));
    assert_eq!(glpi.create(json!({"name": "x"})).await.status, 201, "it needs no user token");
    let open = || {
        glpi.call("GET", "/initSession", |r| {
            r.header("Authorization", "user_token sandbox-user-token")
        })
    };
    let reply = open().await;
    assert_eq!((reply.status, &reply.json()[0]), (401, &json!("ERROR_GLPI_LOGIN_USER_TOKEN")));
    assert_eq!(open().await.status, 200);
}

#[tokio::test]
async fn a_profile_without_the_right_to_create_is_refused_with_400() {
    let glpi = Glpi::start().await;
    glpi.sandbox.inject(Fault::new(CREATE, Kind::NoCreateRight));
    let no_right = "Vous n'avez pas les droits requis pour réaliser cette action.";
    glpi.create(json!({"name": "x"})).await.assert_is(400, &json!(["ERROR_GLPI_ADD", no_right]));
    let profile = glpi.get("/getActiveProfile").await.json();
    assert_eq!(profile["active_profile"]["ticket"].as_u64().unwrap() & 4, 0);
    assert_eq!(glpi.sandbox.tickets().len(), 0);
}

#[tokio::test]
async fn a_lost_database_is_400_for_writes_and_a_page_for_the_rest() {
    let glpi = Glpi::start().await;
    glpi.sandbox.inject(Fault::new(Operation::Any, Kind::DbGone));
    let gone = json!(["ERROR_GLPI_ADD", "MySQL server has gone away"]);
    glpi.create(json!({"name": "x"})).await.assert_is(400, &gone);
    assert!(glpi.get("/Ticket").await.body.contains("Mysql Error"));
    assert_eq!(glpi.sandbox.tickets().len(), 0);
}

#[tokio::test]
async fn an_answer_can_be_garbled_or_mislabelled() {
    let (glpi, reply) = created_under(Kind::GarbageJson).await;
    assert_eq!(reply.status, 201);
    assert!(serde_json::from_str::<serde_json::Value>(&reply.body).is_err());
    assert!(!reply.body.is_empty());
    assert_tickets(&glpi, 1);

    let (glpi, reply) = created_under(Kind::WrongContentType).await;
    assert_eq!((reply.status, reply.header("content-type")), (201, "text/html; charset=UTF-8"));
    assert!(reply.body.starts_with(r#"{"id":1,"#));
    assert_tickets(&glpi, 1);
}

#[tokio::test]
async fn a_lying_sandbox_doubles_or_drops() {
    let (glpi, reply) = created_under(Kind::Duplicate).await;
    assert_eq!((reply.status, &reply.json()["id"]), (201, &json!(1)));
    assert_tickets(&glpi, 2);

    let (glpi, reply) = created_under(Kind::Drop).await;
    assert_eq!((reply.status, &reply.json()["id"]), (201, &json!(1)));
    assert_tickets(&glpi, 0);
    assert_eq!(glpi.creates(json!({"name": "x"})).await, 2, "the number is not given again");

    let glpi = Glpi::start().await;
    glpi.creates(json!({"name": "x"})).await;
    let followup = json!({"input": {"itemtype": "Ticket", "items_id": 1, "content": "c"}});
    glpi.sandbox.inject(Fault::once(Operation::CreateFollowup, Kind::Duplicate));
    assert_eq!(glpi.send("POST", "/ITILFollowup", &followup).await.status, 201);
    assert_eq!(glpi.sandbox.followups().len(), 2);
    glpi.sandbox.inject(Fault::once(Operation::CreateFollowup, Kind::Drop));
    assert_eq!(glpi.send("POST", "/ITILFollowup", &followup).await.status, 201);
    assert_eq!(glpi.sandbox.followups().len(), 2);
}

#[tokio::test]
async fn a_fault_befalls_its_operation_only() {
    let glpi = Glpi::start().await;
    glpi.creates(json!({"name": "x"})).await;
    for (operation, path) in [
        (Operation::Search, "/search/Ticket"),
        (Operation::Search, "/Ticket?searchText[name]=x"),
        (Operation::Read, "/Ticket/1"),
        (Operation::KillSession, "/killSession"),
    ] {
        glpi.sandbox.inject(Fault::once(operation, Kind::Status { code: 502 }));
        assert_eq!(
            glpi.get("/Ticket?range=abc").await.status,
            if operation == Operation::Read { 502 } else { 400 }
        );
        if operation == Operation::Read {
            continue;
        }
        assert_eq!(glpi.get(path).await.status, 502);
        assert!(glpi.sandbox.faults().is_empty());
    }
}
