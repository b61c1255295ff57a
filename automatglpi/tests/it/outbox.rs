//! What operators see and mend.

use glpi_sandbox::{Fault, Kind, Operation};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, net::TcpListener};

use crate::{
    process::{self, lines_to, within},
    world::World,
};

/// A world with one parked request, and its reference.
async fn parked() -> (World, String) {
    let world = World::new().await;
    world.sandbox.inject(Fault::new(Operation::CreateTicket, Kind::NoCreateRight));
    let hostile = "=cmd() \u{1b}[2J \u{9b}31m";
    let payload =
        json!({"caller_name": "Marie Dupont", "problem": hostile, "phone": "+33612345678"});
    let reply = world.call(payload).await;
    assert_eq!(reply.body["status"], "parked", "{}", reply.body);
    let reference = reply.body["reference"].as_str().unwrap().to_owned();
    world.sandbox.clear();
    (world, reference)
}

#[tokio::test]
async fn a_parked_request_is_delivered_by_retry_once_the_cause_is_mended() {
    let (world, reference) = parked().await;
    let listed = world.json(&["outbox", "list", "--state", "parked", "--json"]).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["reference"], reference);
    assert!(listed[0]["reason"].as_str().unwrap().contains("ERROR_GLPI_ADD"), "{}", listed[0]);

    let mut watch = world.start(&["outbox", "watch", "--json"]);
    within(lines_to(&mut watch.stdout, |line| line.contains("\"parked\":1"))).await;
    let retried = world.json(&["outbox", "retry", &reference, "--json"]).await;
    assert_eq!(retried[0]["reference"], reference);
    within(lines_to(&mut watch.stdout, |line| line.contains("\"delivered\":1"))).await;

    let shown = world.json(&["outbox", "show", &reference, "--json"]).await;
    assert_eq!((&shown[0]["state"], &shown[0]["glpi_id"]), (&json!("delivered"), &json!(1)));
    assert_eq!(world.sandbox.tickets().len(), 1);
}

#[tokio::test]
async fn a_discarded_request_stays_discarded() {
    let (world, reference) = parked().await;
    let output = world.run(&["outbox", "discard", &reference]).await;
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{reference} is discarded\n"));
    let output = world.run(&["outbox", "retry", &reference]).await;
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("the entry is discarded"), "{said}");
    assert_eq!(world.sandbox.tickets().len(), 0);
}

#[tokio::test]
async fn what_callers_said_is_shown_only_when_asked_for() {
    let (world, reference) = parked().await;
    for discreet in [
        &["outbox", "list"][..],
        &["outbox", "list", "--json"],
        &["outbox", "show", &reference],
        &["outbox", "stats"],
    ] {
        let output = String::from_utf8(world.run(discreet).await.stdout).unwrap();
        assert!(!output.contains("Marie"), "{discreet:?}: {output}");
        assert!(output.contains("parked"), "{discreet:?}: {output}");
    }
    for open in [
        &["outbox", "list", "--personal"][..],
        &["outbox", "list", "--personal", "--json"],
        &["outbox", "show", &reference, "--personal"],
        &["outbox", "export"],
        &["outbox", "export", "--csv"],
    ] {
        let output = String::from_utf8(world.run(open).await.stdout).unwrap();
        assert!(output.contains("Marie"), "{open:?}: {output}");
        assert!(!output.contains(['\u{1b}', '\u{9b}']), "{open:?} steers the terminal");
    }
}

#[tokio::test]
async fn a_caller_is_told_what_is_kept_and_has_it_erased() {
    let (world, parked) = parked().await;
    let payload = json!({"caller_name": "DUPONT Marie", "problem": "Panne", "phone": "0612345678"});
    let delivered = world.call(payload).await.body["reference"].as_str().unwrap().to_owned();
    world.call(json!({"caller_name": "Martin", "problem": "Autre"})).await;

    for caller in ["marie dupont", "06 12 34 56 78"] {
        let found = world.json(&["outbox", "find", "--caller", caller, "--json"]).await;
        let references: Vec<&str> =
            found.iter().filter_map(|entry| entry["reference"].as_str()).collect();
        assert_eq!(references, [&parked, &delivered], "{caller}");
    }
    let find = ["outbox", "find", "--caller", "marie dupont"];
    let discreet = String::from_utf8(world.run(&find).await.stdout).unwrap();
    assert!(discreet.contains(&parked) && !discreet.contains("Panne"), "{discreet}");
    let open = world.run(&[&find[..], &["--personal"]].concat()).await;
    assert!(String::from_utf8_lossy(&open.stdout).contains("Panne"));

    let erase = ["outbox", "erase", "--caller", "Marie Dupont"];
    let asked = world.run(&erase).await;
    assert_eq!(asked.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&asked.stderr).contains("--yes"), "{asked:?}");
    assert_eq!(world.json(&[&find[..], &["--json"]].concat()).await.len(), 2, "still there");

    let erased = world.json(&[&erase[..], &["--yes", "--json"]].concat()).await;
    let expected = |reference: &str, state: &str| json!({"reference": reference, "state": state, "erasure": "erased"});
    assert_eq!(erased, [expected(&parked, "parked"), expected(&delivered, "delivered")]);
    let output = world.run(&find).await;
    assert!(String::from_utf8_lossy(&output.stderr).contains("nothing is kept"), "{output:?}");
    let shown = world.json(&["outbox", "show", &parked, "--personal", "--json"]).await;
    assert_eq!((&shown[0]["state"], &shown[0]["content"]), (&json!("discarded"), &Value::Null));
    assert_eq!(world.json(&["outbox", "find", "--caller", "martin", "--json"]).await.len(), 1);

    let nobody = world.run(&["outbox", "find", "--caller", " "]).await;
    assert_eq!(nobody.status.code(), Some(1), "{nobody:?}");
}

#[tokio::test]
async fn a_caller_named_only_in_what_was_said_is_shown_and_erased_when_asked_for() {
    let world = World::new().await;
    let payload = json!({"caller_name": "Hortense Vermicelle (compta)", "problem": "Panne"});
    let first = world.call(payload).await.body["reference"].as_str().unwrap().to_owned();
    let payload =
        json!({"caller_name": "Jean", "problem": "Mme Vermicelle Hortense n'a plus d'écran"});
    let second = world.call(payload).await.body["reference"].as_str().unwrap().to_owned();

    let caller = ["--caller", "Mme Hortense Vermicelle"];
    let found = world.json(&[&["outbox", "find", "--json"], &caller[..]].concat()).await;
    let told: Vec<_> = found.iter().map(|entry| (&entry["reference"], &entry["found"])).collect();
    assert_eq!(told, [(&json!(first), &json!("called")), (&json!(second), &json!("mentioned"))]);
    let erase = [&["outbox", "erase", "--yes"], &caller[..]].concat();
    let erased = world.run(&erase).await;
    assert_eq!(erased.status.code(), Some(1), "{erased:?}");
    let told = String::from_utf8(erased.stdout).unwrap();
    assert_eq!(
        told,
        format!("{first} is erased\n{second} only mentions that caller and was not erased\n")
    );
    assert!(String::from_utf8_lossy(&erased.stderr).contains("--mentioned"));

    let erased = world.run(&[&erase[..], &["--mentioned"]].concat()).await;
    assert_eq!(String::from_utf8(erased.stdout).unwrap(), format!("{second} is erased\n"));
    assert_eq!(erased.status.code(), Some(0));
    let nothing = world.run(&[&["outbox", "find"], &caller[..]].concat()).await;
    assert!(
        String::from_utf8_lossy(&nothing.stderr).contains("try other spellings"),
        "{nothing:?}"
    );
}

/// Yesterday's copy says that a request waits which has been delivered since.
#[tokio::test]
async fn a_copy_put_back_doubles_no_ticket() {
    let mut world = World::with(&[("GLPI_SLOWEST_REQUEST", "1s")]).await;
    world.sandbox.inject(Fault::new(Operation::Any, Kind::Maintenance));
    let reply = world.call(json!({"caller_name": "Marie", "problem": "Panne"})).await;
    assert_eq!(reply.body["status"], "queued", "{}", reply.body);
    let reference = reply.body["reference"].as_str().unwrap().to_owned();
    let copy = world.directory.path().join("yesterday.db");
    let copy = copy.to_str().unwrap();
    assert!(world.run(&["outbox", "backup", copy]).await.status.success());
    let again = world.run(&["outbox", "backup", copy]).await;
    assert_eq!(again.status.code(), Some(1), "no copy is overwritten: {again:?}");

    world.sandbox.clear();
    within(world.sandbox.wait_for_tickets(1)).await;
    assert_eq!(world.call_number(2).await.body["status"], "created", "recorded since the copy");
    let running = world.run(&["outbox", "restore", copy]).await;
    assert_eq!(running.status.code(), Some(1), "{running:?}");
    assert!(String::from_utf8_lossy(&running.stderr).contains("stop the service"), "{running:?}");

    world.stop().await;
    let restored = world.run(&["outbox", "restore", copy]).await;
    assert!(restored.status.success(), "{restored:?}");
    world.start_again().await;
    let shown = world.json(&["outbox", "show", &reference, "--json"]).await;
    assert_eq!(shown[0]["state"], "in_doubt", "{}", shown[0]);

    // It would wait a minute by itself.
    let mut watch = world.start(&["outbox", "watch", "--json"]);
    assert!(world.run(&["outbox", "retry", &reference]).await.status.success());
    within(lines_to(&mut watch.stdout, |line| line.contains("\"delivered\":1"))).await;
    assert_eq!(world.sandbox.tickets().len(), 2, "none was made a second time");
}

/// All files of the stopped service are copied, and copied back in place after the delivery.
#[cfg(unix)]
#[tokio::test]
async fn a_directory_put_back_in_place_doubles_no_ticket() {
    let mut world = World::with(&[("GLPI_SLOWEST_REQUEST", "1s")]).await;
    world.sandbox.inject(Fault::new(Operation::Any, Kind::Maintenance));
    let reply = world.call(json!({"caller_name": "Marie", "problem": "Panne"})).await;
    assert_eq!(reply.body["status"], "queued", "{}", reply.body);
    let reference = reply.body["reference"].as_str().unwrap().to_owned();
    world.stop().await;
    let copy = tempfile::tempdir().unwrap();
    let put = |from: &std::path::Path, to: &std::path::Path| {
        let copied =
            std::process::Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status();
        assert!(copied.unwrap().success());
    };
    put(world.directory.path(), copy.path());

    world.sandbox.clear();
    world.start_again().await;
    world.run(&["outbox", "retry", &reference]).await;
    within(world.sandbox.wait_for_tickets(1)).await;
    world.stop().await;
    put(copy.path(), world.directory.path());
    world.start_again().await;
    let shown = world.json(&["outbox", "show", &reference, "--json"]).await;
    assert_eq!(shown[0]["state"], "in_doubt", "{}", shown[0]);
    assert_eq!(world.sandbox.tickets().len(), 1);
}

#[tokio::test]
async fn an_outbox_kept_from_a_restore_is_warned_of_at_each_start() {
    let mut world = World::new().await;
    let copy = world.directory.path().join("copy.db");
    assert!(world.run(&["outbox", "backup", copy.to_str().unwrap()]).await.status.success());
    world.stop().await;
    assert!(world.run(&["outbox", "restore", copy.to_str().unwrap()]).await.status.success());
    let warns = |line: &str| line.contains("WARN") && line.contains("outbox.db.before-restore");
    for _ in 0..2 {
        let mut service = world.start(&["serve"]);
        within(lines_to(&mut service.stderr, warns)).await;
        service.ready().await;
        service.signal("TERM").await;
        service.exit().await;
    }
    let again = world.run(&["outbox", "restore", copy.to_str().unwrap()]).await;
    assert!(String::from_utf8_lossy(&again.stderr).contains("delete it"), "{again:?}");
}

#[tokio::test]
async fn a_backup_may_be_named_without_a_directory() {
    let world = World::new().await;
    let backup = world
        .command(&["outbox", "backup", "b.db"])
        .current_dir(world.directory.path())
        .output()
        .await
        .unwrap();
    assert!(backup.status.success(), "{backup:?}");
    assert!(world.directory.path().join("b.db").exists());
}

#[tokio::test]
async fn an_export_holds_everything_and_starts_nothing() {
    let (world, reference) = parked().await;
    let lines = world.json(&["outbox", "export"]).await;
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["reference"], reference);
    let said = lines[0].pointer("/content/ticket/description").and_then(Value::as_str);
    assert!(said.unwrap().starts_with("=cmd() "), "{said:?}");

    let table = String::from_utf8(world.run(&["outbox", "export", "--csv"]).await.stdout).unwrap();
    let row = table.lines().nth(1).unwrap();
    assert!(row.contains("\"'+33612345678\""), "{row}");
    assert!(row.contains("\"'=cmd() "), "{row}");
}

#[tokio::test]
async fn lists_are_filtered_and_limited() {
    let world = World::new().await;
    for number in 0..3 {
        world.call_number(number).await;
    }
    let count = async |arguments: &[&str]| {
        let arguments = [&["outbox", "list", "--json"], arguments].concat();
        world.json(&arguments).await.len()
    };
    assert_eq!(count(&[]).await, 3);
    assert_eq!(count(&["--state", "delivered"]).await, 3);
    assert_eq!(count(&["--state", "in_doubt"]).await, 0);
    assert_eq!(count(&["--older-than", "1h"]).await, 0);
    assert_eq!(count(&["--limit", "2"]).await, 2);
    let output = world.run(&["outbox", "list", "--limit", "2"]).await;
    assert!(String::from_utf8_lossy(&output.stderr).contains("the first 2"), "{output:?}");
}

#[tokio::test]
async fn what_is_wrong_is_said_with_its_exit_code() {
    let mut world = World::with(&[("AUTOMATGLPI_GRPC_TOKEN", "secret")]).await;
    assert_eq!(world.call_number(1).await.body["status"], "created", "the gateway has the token");
    assert_eq!(world.json(&["outbox", "list", "--json"]).await.len(), 1);

    let grpc = ("AUTOMATGLPI_GRPC_URL", world.grpc.clone());
    let output = process::output(&["outbox", "list"], std::slice::from_ref(&grpc)).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("AUTOMATGLPI_GRPC_TOKEN"));

    let output = world.run(&["outbox", "show", "12"]).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nine digits"));

    let output = world.run(&["outbox", "show", "123-456-789"]).await;
    assert_eq!(output.status.code(), Some(1));

    world.service.signal("TERM").await;
    assert!(world.service.exit().await.success());
    let output = process::output(&["outbox", "list"], &[grpc]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no gRPC server answers"));
}

#[tokio::test]
async fn who_asks_a_server_with_a_certificate_without_tls_is_told_of_https() {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = tempfile::tempdir().unwrap();
    let (certificate, key) = (files.path().join("c.pem"), files.path().join("k.pem"));
    std::fs::write(&certificate, own.cert.pem()).unwrap();
    std::fs::write(&key, own.signing_key.serialize_pem()).unwrap();
    let world = World::with(&[
        ("AUTOMATGLPI_GRPC_TLS_CERT_FILE", certificate.to_str().unwrap()),
        ("AUTOMATGLPI_GRPC_TLS_KEY_FILE", key.to_str().unwrap()),
    ])
    .await;
    let plain = [("AUTOMATGLPI_GRPC_URL", world.grpc.clone())];
    assert!(plain[0].1.starts_with("http://"));
    let output = process::output(&["outbox", "stats"], &plain).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("AUTOMATGLPI_GRPC_URL begins with https://"), "{said}");
}

#[tokio::test]
async fn a_port_without_a_grpc_server_is_told_from_a_refusal() {
    let world = World::new().await;
    let web = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plain_http = format!("http://{}", web.local_addr().unwrap());
    let answering = async {
        loop {
            let (mut connection, _) = web.accept().await.unwrap();
            connection.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        }
    };
    let asking = async {
        for url in [&world.admin, &plain_http] {
            let settings = [("AUTOMATGLPI_GRPC_URL", url.clone())];
            let output = process::output(&["outbox", "stats"], &settings).await;
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains("should be where the gRPC server listens"), "{said}");
        }
    };
    tokio::select! {
        () = asking => {}
        () = answering => {}
    }
}
