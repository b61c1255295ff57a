//! Clients that take their time, in each phase of a connection.

use std::{io, time::Duration};

use listener::{Guards, Protocols};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, split},
    time::{interval, timeout},
};

use crate::world::{Authority, PATIENCE, World, ask, get, http2, shake, until_closed};

const SHORT: Duration = Duration::from_millis(200);
const DRIP_EVERY: Duration = Duration::from_millis(25);

/// All times short but one.
fn guards() -> Guards {
    Guards { handshake: SHORT, first_head: SHORT, farewell: SHORT, ..Guards::default() }
}

/// Sends a byte at a time until the other end hangs up. There are far more bytes than that takes.
async fn drip(stream: impl AsyncRead + AsyncWrite, bytes: &[u8]) {
    let (mut reader, mut writer) = split(stream);
    let dripping = async {
        let mut moments = interval(DRIP_EVERY);
        for byte in bytes {
            moments.tick().await;
            writer.write_all(&[*byte]).await?;
        }
        panic!("all {} bytes were taken", bytes.len());
        #[expect(unreachable_code, reason = "tells the type")]
        io::Result::Ok(())
    };
    tokio::select! {
        _ = until_closed(&mut reader) => {}
        sent = dripping => sent.unwrap_or_default(),
    }
}

#[tokio::test]
async fn who_says_nothing_is_hung_up_on() {
    for protocols in [Protocols::Http1And2, Protocols::Http2] {
        let world = World::new(protocols, guards(), None).await;
        until_closed(&mut world.connect().await).await;
    }
    let authority = Authority::new();
    let tls = authority.tls("voice.test", None);
    let world = World::new(Protocols::Http1And2, guards(), Some(tls)).await;
    until_closed(&mut world.connect().await).await;
    world.until(|traffic| traffic.failed_handshakes() == 1).await;

    let connector = authority.client(None, "h2");
    let mut silent = shake(&connector, &world, "voice.test").await.unwrap();
    until_closed(&mut silent).await;
}

#[tokio::test]
async fn a_dripping_handshake_ends() {
    let authority = Authority::new();
    let tls = authority.tls("voice.test", None);
    let world = World::new(Protocols::Http1And2, guards(), Some(tls)).await;
    // A ClientHello of 16 KiB is announced.
    let mut hello = vec![22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xf0, 3, 3];
    hello.resize(1000, 0);
    drip(world.connect().await, &hello).await;
    world.until(|traffic| traffic.failed_handshakes() == 1).await;
}

#[tokio::test]
async fn a_dripping_head_ends() {
    let world = World::plain(guards()).await;
    let head = format!("GET / HTTP/1.1\r\nhost: test\r\nx-long: {}\r\n\r\n", "x".repeat(1000));
    drip(world.connect().await, head.as_bytes()).await;
}

#[tokio::test]
async fn a_dripping_preface_ends() {
    for protocols in [Protocols::Http1And2, Protocols::Http2] {
        let world = World::new(protocols, guards(), None).await;
        // After the preface come PINGs, which are no request.
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
        bytes.extend([0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8].repeat(50));
        drip(world.connect().await, &bytes).await;
    }
}

#[tokio::test]
async fn a_client_that_only_pings_is_hung_up_on() {
    let world = World::new(Protocols::Http2, guards(), None).await;
    let mut stream = world.connect().await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    drip(stream, &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8].repeat(50)).await;
}

#[tokio::test]
async fn an_idle_connection_ends_after_its_last_answer() {
    let world = World::plain(Guards { idle: SHORT, ..guards() }).await;
    let mut stream = world.connect().await;
    assert!(get(&mut stream, "/").await.starts_with("HTTP/1.1 200"));
    assert!(until_closed(&mut stream).await.is_empty());

    let (mut client, ended) = http2(world.connect().await, &world.tasks).await;
    ask(&mut client, "/").await.unwrap();
    let ended = timeout(PATIENCE, ended).await.unwrap().unwrap();
    ended.expect("with a farewell (GOAWAY), not with a broken line");
}

#[tokio::test]
async fn a_connection_with_a_call_under_way_is_not_idle() {
    let world = World::plain(Guards { idle: SHORT / 4, ..guards() }).await;
    let (mut client, _) = http2(world.connect().await, &world.tasks).await;
    let (mut busy, mut idle) = (world.connect().await, world.connect().await);
    let answer_later = async {
        world.calls_wait(2).await;
        // Whoever became idle after those calls began is hung up on before they are answered.
        get(&mut idle, "/").await;
        until_closed(&mut idle).await;
        world.answer(2);
    };
    let (first, second, ()) =
        tokio::join!(ask(&mut client, "/wait"), get(&mut busy, "/wait"), answer_later);
    first.unwrap();
    assert!(second.starts_with("HTTP/1.1 200"));
    until_closed(&mut busy).await;
}
