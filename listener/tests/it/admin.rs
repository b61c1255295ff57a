//! The admin port is held by nobody. Time is paused: it passes whenever nothing else happens.

use std::{future::ready, net::SocketAddr, time::Duration};

use listener::admin;
use service_kit::settings;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, interval, timeout},
};
use tokio_util::task::TaskTracker;

use crate::world::{get, until_closed};

/// Beyond any bound that should have ended it.
const FOREVER: Duration = Duration::from_mins(5);

async fn port(tasks: &TaskTracker) -> SocketAddr {
    let any = "127.0.0.1:0".parse().unwrap();
    let door = admin::open(any, &settings::AUTOMATGLPI_ADMIN_LISTEN).await.unwrap();
    let address = door.local_addr().unwrap();
    tasks.spawn(admin::serve(door, admin::routes(|| ready(Ok(())))));
    address
}

/// What a client is told that says this, then a byte each second; and how long it is borne.
async fn dripping(address: SocketAddr, first: &[u8], drop: u8) -> (String, Duration) {
    let began = Instant::now();
    let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
    writer.write_all(first).await.unwrap();
    let dripping = async {
        let mut seconds = interval(Duration::from_secs(1));
        // Whoever has hung up takes no more, and has said why.
        while writer.write_all(&[drop]).await.is_ok() {
            seconds.tick().await;
        }
        std::future::pending::<()>().await;
    };
    let mut told = Vec::new();
    let ended = async {
        tokio::select! {
            _reset_or_end = reader.read_to_end(&mut told) => {}
            () = dripping => {}
        }
    };
    timeout(FOREVER, ended).await.expect("it is hung up on");
    (String::from_utf8_lossy(&told).into_owned(), began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_on_the_admin_port_is_hung_up_on() {
    let tasks = TaskTracker::new();
    let address = port(&tasks).await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for first in [&b""[..], b"GET /healthz HTTP/1.1\r\n", preface] {
        let mut silent = TcpStream::connect(address).await.unwrap();
        silent.write_all(first).await.unwrap();
        until_closed(&mut silent).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_comes_in_drops_is_given_up() {
    let tasks = TaskTracker::new();
    let address = port(&tasks).await;
    let put = b"PUT /log HTTP/1.1\r\nhost: test\r\ncontent-length: 4000\r\n\r\n";
    let (told, took) = dripping(address, put, b'x').await;
    assert!(told.starts_with("HTTP/1.1 408"), "{told}");
    assert!(took < Duration::from_secs(20), "{took:?}");
    let (told, took) = dripping(address, b"GET /healthz HTTP/1.1\r\nx-long: ", b'x').await;
    assert!(!told.contains("200"), "{told}");
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[tokio::test]
async fn one_machine_cannot_take_all_places_of_the_admin_port() {
    let tasks = TaskTracker::new();
    let address = port(&tasks).await;
    let mut let_in = Vec::new();
    for _place in 0..32 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        assert!(get(&mut stream, "/healthz").await.starts_with("HTTP/1.1 200"));
        let_in.push(stream);
    }
    let mut one_more = TcpStream::connect(address).await.unwrap();
    assert!(until_closed(&mut one_more).await.is_empty());
    assert!(get(&mut let_in[0], "/readyz").await.ends_with("ready\n"), "others do not notice");
}
