//! How a door closes.

use listener::{Guards, Protocols};
use tokio::net::TcpStream;

use crate::world::{World, ask, get, http2, until_closed};

#[tokio::test]
async fn calls_under_way_are_answered_and_idle_connections_end() {
    let world = World::plain(Guards::default()).await;
    let (mut idle, mut busy) = (world.connect().await, world.connect().await);
    get(&mut idle, "/").await;
    let (mut client, _) = http2(world.connect().await, &world.tasks).await;
    let close = async {
        world.calls_wait(2).await;
        world.closing.cancel();
        assert!(until_closed(&mut idle).await.is_empty());
        TcpStream::connect(world.address).await.unwrap_err();
        world.answer(2);
    };
    let (first, second, ()) =
        tokio::join!(get(&mut busy, "/wait"), ask(&mut client, "/wait"), close);
    assert!(first.starts_with("HTTP/1.1 200"));
    second.unwrap();
    assert!(world.has_ended().await);
}

#[tokio::test]
async fn a_connection_that_never_asked_does_not_hold_up_the_end() {
    for protocols in [Protocols::Http1And2, Protocols::Http2] {
        let world = World::new(protocols, Guards::default(), None).await;
        let mut silent = world.connect().await;
        world.until(|traffic| traffic.accepted() == 1).await;
        world.closing.cancel();
        until_closed(&mut silent).await;
        assert!(world.has_ended().await);
    }
}

#[tokio::test]
async fn nobody_gets_inside_once_it_is_closed() {
    let world = World::plain(Guards::default()).await;
    world.closing.cancel();
    assert!(world.has_ended().await);
    assert!(world.inside.connect().await.is_err());
}
