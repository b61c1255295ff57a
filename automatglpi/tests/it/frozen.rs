//! A PostgreSQL that hangs, as when its disk does: nothing is refused, nothing is answered.

use std::time::Duration;

use tokio::{process::Command, time::Instant};

use crate::{
    process::within,
    world::{World, client},
};

/// A server of this test's own: its processes are stopped and continued.
struct Frozen(Vec<String>);

/// The URL of a PostgreSQL of this test run; `None` where there is none, which CI must bring.
#[expect(clippy::disallowed_methods, reason = "how the test run is told of its surroundings")]
pub(crate) fn postgres() -> Option<String> {
    let variable = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
    let url = variable("AUTOMATGLPI_TEST_POSTGRES_URL");
    assert!(url.is_some() || variable("CI").is_none(), "CI must bring a PostgreSQL");
    url
}

/// Runs a query on it, beside the service.
pub(crate) async fn psql(url: &str, statement: &str) -> String {
    let output = within(Command::new("psql").args([url, "-qAtc", statement]).output()).await;
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

impl Frozen {
    /// Stops the processes that serve this database; others' go on.
    async fn new(url: &str, database: &str) -> Self {
        let statement = format!(
            "SELECT pid FROM pg_stat_activity WHERE datname = '{database}' AND pid <> pg_backend_pid()"
        );
        let pids: Vec<String> = psql(url, &statement).await.lines().map(str::to_owned).collect();
        assert!(!pids.is_empty(), "the service is connected");
        let frozen = Self(pids);
        frozen.signal("-STOP");
        frozen
    }

    fn signal(&self, name: &str) {
        let sent = std::process::Command::new("kill").arg(name).args(&self.0).status();
        assert!(sent.unwrap().success());
    }
}

/// Whatever becomes of the test, the server goes on.
impl Drop for Frozen {
    fn drop(&mut self) {
        self.signal("-CONT");
    }
}

/// Asks until readiness is told with this status; how long that took.
async fn until(admin: &str, status: u16) -> Duration {
    let began = Instant::now();
    let asking = async {
        while client().get(format!("{admin}/readyz")).send().await.unwrap().status() != status {}
    };
    within(asking).await;
    began.elapsed()
}

#[tokio::test]
async fn a_frozen_database_is_told_within_seconds_and_so_is_its_return() {
    let Some(url) = postgres() else { return };
    let database = format!("frozen_{}", std::process::id());
    psql(&url, &format!("CREATE DATABASE {database}")).await;
    let (server, _) = url.rsplit_once('/').unwrap();
    let store = format!("{server}/{database}");
    let world = World::with(&[("AUTOMATGLPI_STORE", &store)]).await;
    until(&world.admin, 200).await;

    let frozen = Frozen::new(&url, &database).await;
    let took = until(&world.admin, 503).await;
    assert!(took < Duration::from_secs(3), "{took:?}");
    let metrics = client().get(format!("{}/metrics", world.admin)).send();
    let metrics = within(metrics).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("automatglpi_recording 0\n"), "{metrics}");

    drop(frozen);
    let took = until(&world.admin, 200).await;
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(world.call_number(1).await.body["status"], "created");
}
