//! After an outage: callers on the line, and backlogs of clients that differ in size.

use std::{cell::Cell, time::Duration};

use glpi_sandbox::{Fault, Kind, Operation};
use ticketing_core::{
    outbox::{Entry, Filter, State},
    ticketing::Request,
};

use crate::world::{World, request, ticket};

const LARGE: usize = 600;
const SMALL: usize = 10;

/// Callers who call again and again: nearly all of GLPI's places.
const CALLERS: usize = 7;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_backlog_is_not_behind_a_large_one_and_calls_are_not_behind_either() {
    let world = World::new().await;
    world.sandbox.inject(Fault::new(Operation::Any, Kind::Refuse));
    for (client, count) in [("large", LARGE), ("small", SMALL)] {
        for number in 0..count {
            call(&world, client, &format!("{client} {number}"), Duration::ZERO).await;
        }
    }
    world.sandbox.clear();
    world.sandbox.inject(Fault::new(Operation::CreateTicket, Kind::Latency { ms: 10 }));

    // Until the outage is known to be over, callers hear that their request is recorded.
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    let mut early = 0;
    while !world.ticketing.expects_glpi_to_answer() {
        ticks.tick().await;
        early += 1;
        call(&world, "early", &format!("early {early}"), Duration::ZERO).await;
    }

    let drained = Cell::new(false);
    let callers = futures_util::future::join_all((0..CALLERS).map(async |caller| {
        let mut calls = 0;
        while !drained.get() {
            let text = format!("fresh {caller} {calls}");
            let entry = call(&world, "fresh", &text, Duration::from_secs(20)).await;
            assert_eq!(entry.state, State::Delivered);
            calls += 1;
        }
        calls
    }));
    let watch = async {
        let mut large_when_small_was_done = None;
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        loop {
            ticks.tick().await;
            let (large, small) =
                (delivered(&world, "large").await, delivered(&world, "small").await);
            if small == SMALL && large_when_small_was_done.is_none() {
                large_when_small_was_done = Some(large);
            }
            if large == LARGE && small == SMALL {
                drained.set(true);
                return large_when_small_was_done.unwrap();
            }
        }
    };
    let both = async { tokio::join!(callers, watch) };
    let (calls, large) = tokio::time::timeout(Duration::from_mins(1), both).await.unwrap();
    let calls: usize = calls.into_iter().sum();
    println!("the small backlog was done after {large} of the large one; {calls} calls meanwhile");
    assert!(large < LARGE / 4, "the small backlog waited for {large} of the large one");
    assert_eq!(world.sandbox.tickets().len(), LARGE + SMALL + early + calls);
}

/// Many more callers than places: the backlog must not be left with its place in their line.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_backlog_has_its_share_however_many_call() {
    const ROWS: usize = 60;
    const PLACES: usize = 8;
    const CALLERS: usize = 250;
    let world = World::new().await;
    world.sandbox.inject(Fault::new(Operation::CreateTicket, Kind::Latency { ms: 10 }));
    let (answered, drained) = (Cell::new(0), Cell::new(false));
    let callers = futures_util::future::join_all((0..CALLERS).map(async |caller| {
        while !drained.get() {
            let text = format!("fresh {caller} {}", answered.get());
            let entry = call(&world, "fresh", &text, Duration::from_secs(20)).await;
            assert_eq!(entry.state, State::Delivered);
            answered.set(answered.get() + 1);
        }
    }));
    let backlog = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        while answered.get() < 2 * PLACES {
            ticks.tick().await;
        }
        // No place is free, and these callers don't wait for one.
        for number in 0..ROWS {
            call(&world, "backlog", &format!("backlog {number}"), Duration::ZERO).await;
        }
        let before = answered.get();
        while delivered(&world, "backlog").await < ROWS {
            ticks.tick().await;
        }
        drained.set(true);
        answered.get() - before
    };
    let both = async { tokio::join!(callers, backlog) };
    let (_, calls) = tokio::time::timeout(Duration::from_mins(1), both).await.unwrap();
    println!("{calls} calls were answered while {ROWS} rows were delivered on {PLACES} places");
    // In line once, and then with one of eight places, 7 calls to a row; in line each time, 40.
    assert!(calls < CALLERS + ROWS * 2 * PLACES, "{calls} calls");
}

async fn call(world: &World, client: &str, text: &str, answer_within: Duration) -> Entry {
    let request = Request { client: client.into(), answer_within, ..request(None) };
    world.ticketing.create(request, ticket(text)).await.unwrap().entry
}

async fn delivered(world: &World, client: &str) -> usize {
    let (state, limit) = (Some(State::Delivered), 100_000);
    let filter = Filter { state, limit, ..Filter::default() };
    let delivered = world.ticketing.list(filter).await.unwrap();
    delivered.iter().filter(|entry| entry.client == client).count()
}
