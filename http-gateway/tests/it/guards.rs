//! HTTPS, and clients that want too much or take too long.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use listener::{Files, Guards};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::{interval, timeout},
};

use crate::world::World;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(25);

const POST: &str = "POST /webhook/rounded-webhook HTTP/1.1\r\nhost: test\r\n";

async fn connect(world: &World) -> TcpStream {
    TcpStream::connect(world.url.trim_start_matches("http://")).await.unwrap()
}

/// Whether another client is answered.
async fn others_are_answered(world: &World) -> bool {
    let answer = world.webhook().body("panne").send().await;
    answer.is_ok_and(|answer| answer.status() == 200)
}

/// Everything that is said until the other end hangs up.
async fn until_closed(mut stream: impl AsyncRead + Unpin) -> String {
    let mut said = Vec::new();
    let _reset = timeout(PATIENCE, stream.read_to_end(&mut said)).await.expect("never closed");
    String::from_utf8_lossy(&said).into_owned()
}

fn files(directory: &Path) -> Files {
    Files { certificate: directory.join("c.pem"), key: directory.join("k.pem"), clients: None }
}

/// A certificate of its own making, where the files say, and as PEM.
fn install(files: &Files) -> Vec<u8> {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&files.certificate, own.cert.pem()).unwrap();
    std::fs::write(&files.key, own.signing_key.serialize_pem()).unwrap();
    own.cert.pem().into_bytes()
}

/// A client that trusts nothing but these certificates.
fn client(trusted: &[&Vec<u8>]) -> reqwest::Client {
    let trusted = trusted.iter().map(|pem| reqwest::Certificate::from_pem(pem).unwrap());
    reqwest::Client::builder().no_proxy().tls_certs_only(trusted).build().unwrap()
}

#[tokio::test]
async fn a_certificate_is_replaced_under_load_without_a_failed_call() {
    let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (files, others) = (files(directory.path()), files(elsewhere.path()));
    let (old, new) = (install(&files), install(&others));
    let world = World::with(|config| config.listener.tls = Some(files.clone())).await;
    let url = world.url.replace("http://127.0.0.1", "https://localhost");
    let url = format!("{url}/webhook/rounded-webhook");

    let (enough, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut callers = JoinSet::new();
    for _ in 0..8 {
        let (url, enough, calls) = (url.clone(), Arc::clone(&enough), Arc::clone(&calls));
        let (old, new) = (old.clone(), new.clone());
        callers.spawn(async move {
            let kept = client(&[&old, &new]);
            while !enough.load(Ordering::Relaxed) {
                // Every other call on a connection of its own.
                for client in [kept.clone(), client(&[&old, &new])] {
                    let answer = client.post(&url).body("panne").send().await.unwrap();
                    assert_eq!(answer.status(), 200);
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    let go_on = async |more: usize| {
        let until = calls.load(Ordering::Relaxed) + more;
        while calls.load(Ordering::Relaxed) < until {
            tokio::task::yield_now().await;
        }
    };
    let replaced = timeout(PATIENCE, async {
        go_on(30).await;
        // Half of the pair is replaced: that is not taken.
        std::fs::copy(&others.key, &files.key).unwrap();
        (world.look)();
        go_on(30).await;
        client(&[&old]).post(&url).body("panne").send().await.unwrap();
        std::fs::copy(&others.certificate, &files.certificate).unwrap();
        (world.look)();
        while client(&[&new]).post(&url).body("panne").send().await.is_err() {}
        go_on(30).await;
    });
    replaced.await.expect("the new certificate is shown");
    client(&[&old]).post(&url).body("panne").send().await.unwrap_err();
    enough.store(true, Ordering::Relaxed);
    while let Some(caller) = callers.join_next().await {
        caller.expect("no call fails");
    }
}

#[tokio::test]
async fn a_body_of_100_megabytes_is_refused_before_all_of_it_is_sent() {
    let world = World::new().await;
    // Announced, and not.
    for (length, size) in
        [("content-length: 104857600", ""), ("transfer-encoding: chunked", "10000\r\n")]
    {
        let (reader, mut writer) = connect(&world).await.into_split();
        let sending = async {
            writer.write_all(format!("{POST}{length}\r\n\r\n").as_bytes()).await?;
            let part = format!("{size}{}\r\n", "x".repeat(65_536));
            for _ in 0..1600 {
                writer.write_all(part.as_bytes()).await?;
            }
            io::Result::Ok(())
        };
        let (said, sent) = tokio::join!(until_closed(reader), sending);
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 413"), "{length}: {said}");
        sent.expect_err("not all of it was taken");
    }
    assert!(others_are_answered(&world).await);
}

#[tokio::test]
async fn a_dripping_body_ends_in_a_problem() {
    let world = World::new().await;
    let (reader, mut writer) = connect(&world).await.into_split();
    let dripping = async {
        let head = format!("{POST}content-length: 9999\r\n\r\n");
        writer.write_all(head.as_bytes()).await.unwrap();
        let mut moments = interval(Duration::from_millis(100));
        while writer.write_all(b"x").await.is_ok() {
            moments.tick().await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        said = until_closed(reader) => assert!(said.starts_with("HTTP/1.1 408"), "{said}"),
        () = dripping => {}
    }
    assert!(others_are_answered(&world).await);
}

#[tokio::test]
async fn idle_connections_up_to_the_bound_leave_others_their_answers() {
    let guards = Guards { connections: 200, connections_per_source: 199, ..Guards::default() };
    let world = World::with(|config| config.listener.guards = guards).await;
    // The client keeps its connection from here on.
    assert!(others_are_answered(&world).await);
    let mut idle = Vec::new();
    for _ in 0..198 {
        idle.push(connect(&world).await);
    }
    assert!(until_closed(connect(&world).await).await.is_empty());
    assert!(others_are_answered(&world).await);
}

#[tokio::test]
async fn a_bomb_of_headers_is_refused() {
    let world = World::new().await;
    let (reader, mut writer) = connect(&world).await.into_split();
    let bomb = format!("x-bomb: {}\r\n", "x".repeat(1000)).repeat(1000);
    let sending = async {
        let _cut = writer.write_all(format!("{POST}{bomb}\r\n").as_bytes()).await;
    };
    let (said, ()) = tokio::join!(until_closed(reader), sending);
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 431"), "{said}");
    assert!(others_are_answered(&world).await);
}
