//! Tokens, and replacing them while the service runs.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::json;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};

use crate::{
    process::{lines_to, output, within},
    world::{World, client},
};

/// A token, and the line to store.
async fn new_token(name: &str) -> (String, String) {
    let output =
        output(&["token", "new", "--name", name, "--role", "create", "--role", "read"], &[]).await;
    assert!(output.status.success(), "{output:?}");
    let secret = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let talk = String::from_utf8(output.stderr).unwrap();
    assert!(!talk.contains(&secret), "only standard output shows it");
    let line = talk.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    (secret, line)
}

/// A file of clients, and the settings that name it.
struct Clients(TempDir);

impl Clients {
    fn of(lines: &str) -> Self {
        let this = Self(tempfile::tempdir().unwrap());
        this.write(lines);
        this
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("clients")
    }

    fn write(&self, lines: &str) {
        fs::write(self.path(), lines).unwrap();
    }

    async fn world(&self) -> World {
        let path = self.path();
        World::with(&[
            ("AUTOMATGLPI_CLIENTS_FILE", path_text(&path)),
            ("AUTOMATGLPI_LOG", "warn,service_kit=info"),
        ])
        .await
    }
}

fn path_text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Sends SIGHUP and waits until the service says what came of it.
async fn reload(world: &mut World) -> String {
    world.service.signal("HUP").await;
    let is_told = |line: &str| line.contains("configuration");
    within(lines_to(&mut world.service.stderr, is_told)).await.pop().unwrap()
}

async fn call(http: &str, token: &str) -> u16 {
    let request = client().post(format!("{http}/webhook/rounded-webhook")).bearer_auth(token);
    let response = request.json(&json!({"problem": "Imprimante bloquée"})).send();
    within(response).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_new_token_lets_in_whoever_has_it_once_its_line_is_stored() {
    let (secret, line) = new_token("agent").await;
    let clients = Clients::of(&line);
    let world = clients.world().await;
    assert_eq!(call(&world.http, "wrong").await, 401);
    assert_eq!(call(&world.http, &secret).await, 200);
    assert_eq!(world.sandbox.tickets().len(), 1);
}

#[tokio::test]
async fn a_token_is_replaced_under_load_and_no_call_fails() {
    let ((old, old_line), (new, new_line)) = (new_token("agent").await, new_token("agent").await);
    let new_word = new_line.split_whitespace().last().unwrap();
    let clients = Clients::of(&old_line);
    let mut world = clients.world().await;
    let (use_token, token) = watch::channel(old.clone());
    let (done, mut calls) = mpsc::channel(1);
    let http: Arc<str> = world.http.as_str().into();
    let tasks = service_kit::Shutdown::new();
    for caller in 0..4 {
        let (token, done, http) = (token.clone(), done.clone(), Arc::clone(&http));
        tasks.spawn(async move {
            loop {
                let token = token.borrow().clone();
                let status = call(&http, &token).await;
                if done.send((caller, token, status)).await.is_err() {
                    return;
                }
            }
        });
    }
    drop(done);
    let both = format!("{old_line} {new_word}");
    for (lines, next) in [(both.as_str(), &new), (new_line.as_str(), &new)] {
        clients.write(lines);
        assert!(reload(&mut world).await.contains("read again"));
        use_token.send(next.clone()).unwrap();
        let mut seen = BTreeSet::new();
        while seen.len() < 4 {
            let (caller, token, status) = within(calls.recv()).await.unwrap();
            assert_eq!(status, 200);
            if token == *next {
                seen.insert(caller);
            }
        }
    }
    assert_eq!(call(&world.http, &old).await, 401);
    drop(calls);
}

#[tokio::test]
async fn a_bad_file_is_refused_and_the_old_one_stays() {
    let (secret, line) = new_token("agent").await;
    let clients = Clients::of(&line);
    let mut world = clients.world().await;
    clients.write("agent create token=s3cret");
    let told = reload(&mut world).await;
    assert!(told.contains("stays as it was") && told.contains("line 1"), "{told}");
    assert!(!told.contains("s3cret"), "{told}");
    assert_eq!(told.matches("line 1").count(), 1, "once, although both listeners read it: {told}");
    assert_eq!(call(&world.http, &secret).await, 200);

    clients.write(&format!("{line}\nconsole operate certificate=console.example.org"));
    let told = reload(&mut world).await;
    assert!(told.contains("AUTOMATGLPI_GRPC_CLIENT_CA_FILE"), "nor would it start: {told}");

    fs::remove_file(clients.path()).unwrap();
    assert!(reload(&mut world).await.contains("stays as it was"));
    assert_eq!(call(&world.http, &secret).await, 200);
}

#[tokio::test]
async fn a_client_that_is_no_operator_is_told_which_role_it_lacks() {
    let (secret, line) = new_token("agent").await;
    let clients = Clients::of(&line);
    let world = clients.world().await;
    let environment = [("AUTOMATGLPI_GRPC_URL", world.grpc.clone())];
    for (token, told) in [(secret, "the role operate"), ("wrong".to_owned(), "does not accept")] {
        let token = ("AUTOMATGLPI_GRPC_TOKEN", token);
        let answer = output(&["outbox", "list"], &[environment[0].clone(), token]).await;
        assert_eq!(answer.status.code(), Some(1));
        let said = String::from_utf8(answer.stderr).unwrap();
        assert!(said.contains(told), "{said}");
    }
}
