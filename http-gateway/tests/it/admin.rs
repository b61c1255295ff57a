//! Health, and starting and stopping.

use std::{sync::Arc, time::Duration};

use http_gateway::{Error, Gateway};
use tokio::sync::Notify;

use crate::{
    fake::Answer,
    world::{World, at, config, guarded, nowhere},
};

#[tokio::test]
async fn it_is_ready_when_the_server_serves() {
    let world = World::new().await;
    let get = |path: &str| world.client.get(format!("{}{path}", world.admin_url)).send();
    assert_eq!(get("/healthz").await.unwrap().status(), 200);
    assert_eq!(get("/readyz").await.unwrap().status(), 200);

    let down = nowhere().await;
    let world = World::with(|config| config.grpc = at(down)).await;
    let get = |path: &str| world.client.get(format!("{}{path}", world.admin_url)).send();
    assert_eq!(get("/healthz").await.unwrap().status(), 200);
    assert_eq!(get("/readyz").await.unwrap().status(), 503);
}

#[tokio::test]
async fn beyond_loopback_it_wants_a_token() {
    let mut open = config(nowhere().await);
    open.listen = "0.0.0.0:0".parse().unwrap();
    let error = Gateway::bind(open.clone()).await.unwrap_err();
    assert!(matches!(error, Error::Unguarded(_)));
    assert!(error.to_string().contains("AUTOMATGLPI_WEBHOOK_TOKEN"), "{error}");
    open.access = guarded("secret");
    Gateway::bind(open).await.unwrap();
}

#[tokio::test]
async fn a_taken_port_is_named_with_the_setting_that_moves_it() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let mut public = config(nowhere().await);
    public.listen = address;
    let mut admin = config(nowhere().await);
    admin.admin_listen = address;
    for (config, variable) in
        [(public, "AUTOMATGLPI_HTTP_LISTEN"), (admin, "AUTOMATGLPI_ADMIN_LISTEN")]
    {
        let error = Gateway::bind(config).await.unwrap_err().to_string();
        assert!(error.contains(variable) && error.contains(&address.to_string()), "{error}");
    }
}

#[tokio::test]
async fn an_address_without_sense_is_refused() {
    for url in ["", "localhost:50051", "ftp://localhost:50051", "/x", "http://"] {
        let mut config = config(nowhere().await);
        url.clone_into(&mut config.grpc.url);
        let error = Gateway::bind(config).await.unwrap_err();
        assert!(error.to_string().contains("AUTOMATGLPI_GRPC_URL"), "{url}: {error}");
    }
}

#[tokio::test]
async fn calls_under_way_are_answered_at_shutdown() {
    let world = World::new().await;
    let release = Arc::new(Notify::new());
    world.fake.will_answer([Answer::When(Arc::clone(&release))]);
    let shutdown = async {
        world.fake.arrival().await;
        world.shutdown.begin();
        while world.client.post(&world.url).send().await.is_ok() {}
        release.notify_one();
    };
    let (reply, ()) = tokio::join!(world.call(r#"{"problem":"panne"}"#), shutdown);
    assert_eq!(reply["success"], true);
    assert!(world.shutdown.finish(Duration::from_secs(5)).await);
}
