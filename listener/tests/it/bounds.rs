//! Clients that want too much.

use listener::{Guards, Protocols};
use tokio::io::AsyncWriteExt as _;

use crate::world::{Authority, World, ask, get, http2, shake, until_closed};

fn at_most(connections: usize, connections_per_source: usize) -> Guards {
    Guards { connections, connections_per_source, ..Guards::default() }
}

#[tokio::test]
async fn connections_above_the_bound_are_closed_at_once_and_those_within_are_served() {
    let world = World::plain(at_most(3, 3)).await;
    let mut within = Vec::new();
    for _ in 0..3 {
        let mut stream = world.connect().await;
        get(&mut stream, "/").await;
        within.push(stream);
    }
    for _ in 0..5 {
        assert!(until_closed(&mut world.connect().await).await.is_empty());
    }
    assert_eq!((world.traffic.open(), world.traffic.refused()), (3, 5));
    for stream in &mut within {
        assert!(get(stream, "/").await.starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn one_address_leaves_room_for_others_and_within_the_process_there_always_is() {
    let world = World::plain(at_most(2, 1)).await;
    let mut first = world.connect().await;
    get(&mut first, "/").await;
    until_closed(&mut world.connect().await).await;
    let mut inside = world.inside.connect().await.unwrap();
    assert!(get(&mut inside, "/").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn within_the_process_no_certificate_is_needed() {
    let authority = Authority::new();
    let tls = authority.tls("voice.test", Some((&authority, true)));
    let world = World::new(Protocols::Http2, Guards::default(), Some(tls)).await;
    let (mut client, _) = http2(world.inside.connect().await.unwrap(), &world.tasks).await;
    assert_eq!(ask(&mut client, "/").await.unwrap(), "nobody");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let world = World::plain(Guards::default()).await;
    let mut stream = world.connect().await;
    let line = format!("x-bomb: {}\r\n", "x".repeat(1000));
    let head = format!("GET / HTTP/1.1\r\nhost: test\r\n{}\r\n", line.repeat(30));
    // The door may hang up before the last byte is sent.
    let _cut = stream.write_all(head.as_bytes()).await;
    let answer = until_closed(&mut stream).await;
    assert!(answer.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&answer));

    let (mut client, _) = http2(world.connect().await, &world.tasks).await;
    client.ready().await.unwrap();
    let request = hyper::Request::get("http://test/").header("x-bomb", "x".repeat(30_000));
    let request = request.body(http_body_util::Full::default()).unwrap();
    assert_eq!(client.send_request(request).await.unwrap().status(), 431);
    ask(&mut client, "/").await.unwrap();
}

#[tokio::test]
async fn rapid_resets_end_the_connection_and_others_are_served() {
    let world = World::plain(Guards::default()).await;
    let mut stream = world.connect().await;
    let mut attack = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for stream in (1_u32..200_001).step_by(2) {
        let [a, b, c, d] = stream.to_be_bytes();
        // HEADERS that end the headers and the stream: GET, http, /, and an authority.
        attack.extend([0, 0, 9, 1, 5, a, b, c, d, 0x82, 0x86, 0x84, 0x41, 4]);
        attack.extend(b"test");
        // RST_STREAM: CANCEL.
        attack.extend([0, 0, 4, 3, 0, a, b, c, d, 0, 0, 0, 8]);
    }
    let (mut reader, mut writer) = stream.split();
    let attacking = async {
        let _cut = writer.write_all(&attack).await;
    };
    let (said, ()) = tokio::join!(until_closed(&mut reader), attacking);
    // GOAWAY: ENHANCE_YOUR_CALM.
    let goaway = said.windows(9).position(|head| head[3] == 7).map(|at| &said[at..]);
    assert!(goaway.is_some_and(|frame| frame[16] == 11), "{said:?}");
    assert!(said.len() < 10_000, "hardly anything was answered");
    world.others_are_served().await;
}

#[tokio::test]
async fn a_tls_door_speaks_http2_alone_if_it_shall() {
    let authority = Authority::new();
    let tls = authority.tls("voice.test", None);
    let world = World::new(Protocols::Http2, Guards::default(), Some(tls)).await;
    let connector = authority.client(None, "h2");
    let mut stream = shake(&connector, &world, "voice.test").await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    assert!(!until_closed(&mut stream).await.starts_with(b"HTTP/1.1 200"));
}
