use std::{
    io::{BufRead as _, BufReader},
    process::Command,
    time::Duration,
};

use service_kit::Shutdown;
use tokio::time::{Instant, timeout};

use crate::child;

const DEADLINE: Duration = Duration::from_secs(10);

#[tokio::test(start_paused = true)]
async fn tasks_that_end_when_told_end_in_time() {
    let shutdown = Shutdown::new();
    let soft = shutdown.soft().clone();
    shutdown.spawn(async move {
        soft.cancelled().await;
        tokio::time::sleep(Duration::from_secs(3)).await;
    });

    shutdown.begin();
    let began = Instant::now();
    assert!(shutdown.finish(DEADLINE).await);
    assert_eq!(began.elapsed().as_secs(), 3, "it waits no longer than the task takes");
    assert!(shutdown.hard().is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn a_task_that_does_not_end_is_given_up_at_the_deadline() {
    let shutdown = Shutdown::new();
    shutdown.spawn(std::future::pending());

    shutdown.begin();
    let began = Instant::now();
    assert!(!shutdown.finish(DEADLINE).await);
    assert_eq!(began.elapsed().as_secs(), 10);
    assert!(shutdown.hard().is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_ends_the_wait() {
    let shutdown = Shutdown::new();
    shutdown.spawn(std::future::pending());

    shutdown.begin();
    shutdown.hard().cancel();
    let began = Instant::now();
    assert!(!shutdown.finish(DEADLINE).await);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[test]
fn the_first_signal_is_soft_and_the_second_hard() {
    for (first, second) in [("TERM", "INT"), ("INT", "INT"), ("INT", "TERM"), ("TERM", "TERM")] {
        let mut child =
            child::running("shutdown::a_process_that_tells_its_signals").spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let signal = |name| {
            let kill = format!("kill -{name} {}", child.id());
            assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        };

        assert!(lines.any(|line| line == "ready"));
        signal(first);
        assert!(lines.any(|line| line == "soft"), "{first} begins the shutdown");
        signal(second);
        assert!(lines.any(|line| line == "hard"), "then {second} ends it");
        assert!(child.wait().unwrap().success());
    }
}

#[tokio::test]
async fn a_process_that_tells_its_signals() {
    // Nobody waits for ever, even if a signal is lost.
    const PATIENCE: Duration = Duration::from_secs(20);
    if !child::is_this_process() {
        return;
    }
    let shutdown = Shutdown::new();
    shutdown.on_signals().unwrap();
    println!("\nready");
    timeout(PATIENCE, shutdown.soft().cancelled()).await.unwrap();
    assert!(!shutdown.hard().is_cancelled());
    println!("soft");
    timeout(PATIENCE, shutdown.hard().cancelled()).await.unwrap();
    println!("hard");
}
