//! TLS: who is served, and under which certificate.

use listener::{Files, Guards, Protocols};
use tokio::io::AsyncReadExt as _;

use crate::world::{Authority, World, ask, get, http2, shake, until_closed};

async fn world(tls: Files) -> World {
    World::new(Protocols::Http1And2, Guards::default(), Some(tls)).await
}

#[tokio::test]
async fn both_protocols_are_served_over_tls() {
    let authority = Authority::new();
    let world = world(authority.tls("voice.test", None)).await;

    let connector = authority.client(None, "http/1.1");
    let mut stream = shake(&connector, &world, "voice.test").await.unwrap();
    assert!(get(&mut stream, "/").await.ends_with("nobody"));

    let connector = authority.client(None, "h2");
    let stream = shake(&connector, &world, "voice.test").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut client, _) = http2(stream, &world.tasks).await;
    assert_eq!(ask(&mut client, "/").await.unwrap(), "nobody");
}

#[tokio::test]
async fn a_plain_client_of_a_tls_door_is_turned_away() {
    let authority = Authority::new();
    let world = world(authority.tls("voice.test", None)).await;
    let mut stream = world.connect().await;
    assert!(!get(&mut stream, "/").await.contains("HTTP"));
    until_closed(&mut stream).await;
    world.until(|traffic| traffic.failed_handshakes() == 1).await;
}

#[tokio::test]
async fn a_client_is_known_by_the_names_of_its_certificate() {
    let (servers, clients) = (Authority::new(), Authority::new());
    for required in [false, true] {
        let world = world(servers.tls("voice.test", Some((&clients, required)))).await;
        let connector = servers.client(Some(&clients.issue("ivr.test")), "http/1.1");
        let mut stream = shake(&connector, &world, "voice.test").await.unwrap();
        assert!(get(&mut stream, "/").await.ends_with("The ivr.test, ivr.test"));
    }
}

#[tokio::test]
async fn a_certificate_may_be_optional_or_required() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let connector = servers.client(None, "http/1.1");

    let optional = world(servers.tls("voice.test", Some((&clients, false)))).await;
    let mut stream = shake(&connector, &optional, "voice.test").await.unwrap();
    assert!(get(&mut stream, "/").await.ends_with("nobody"));

    let required = world(servers.tls("voice.test", Some((&clients, true)))).await;
    // The client may believe that it is connected: its certificate is looked at last.
    if let Ok(mut stream) = shake(&connector, &required, "voice.test").await {
        assert!(stream.read(&mut [0; 64]).await.is_err(), "turned away");
    }
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_turned_away() {
    let (servers, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let world = world(servers.tls("voice.test", Some((&clients, false)))).await;
    let connector = servers.client(Some(&strangers.issue("ivr.test")), "http/1.1");
    if let Ok(mut stream) = shake(&connector, &world, "voice.test").await {
        assert!(stream.read(&mut [0; 64]).await.is_err(), "turned away");
    }
}

#[tokio::test]
async fn a_new_certificate_is_for_new_connections_and_old_ones_live_on() {
    let authority = Authority::new();
    let world = world(authority.tls("old.test", None)).await;
    let tls = world.tls.clone().unwrap();
    let connector = authority.client(None, "http/1.1");
    let mut old = shake(&connector, &world, "old.test").await.unwrap();

    assert!(!tls.reload().await.unwrap(), "nothing has changed");
    authority.install(&authority.issue("new.test"));
    assert!(tls.reload().await.unwrap());

    let mut new = shake(&connector, &world, "new.test").await.unwrap();
    for stream in [&mut old, &mut new] {
        assert!(get(stream, "/").await.starts_with("HTTP/1.1 200"));
    }
    shake(&connector, &world, "old.test").await.unwrap_err();
}

#[tokio::test]
async fn what_cannot_be_used_leaves_the_old_certificate_in_use() {
    let authority = Authority::new();
    let world = world(authority.tls("old.test", None)).await;
    let tls = world.tls.clone().unwrap();
    let connector = authority.client(None, "http/1.1");
    let (certificate, key) = authority.issue("new.test");
    let (_, other_key) = authority.issue("new.test");
    let half = certificate.split_at(certificate.len() / 2).0.to_owned();
    for (bad, told) in [
        ((half, key.clone()), "PEM"),
        ((String::new(), key.clone()), "PEM"),
        ((certificate.clone(), String::new()), "private key"),
        ((certificate.clone(), other_key), "cannot be used with"),
        ((key, certificate), "PEM"),
    ] {
        authority.install(&bad);
        let error = tls.reload().await.unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
        shake(&connector, &world, "old.test").await.unwrap();
    }
    std::fs::remove_file(authority.files(None).key).unwrap();
    assert!(tls.reload().await.unwrap_err().to_string().contains("key.pem"));
    shake(&connector, &world, "old.test").await.unwrap();
}
