//! What systemd and containers are told, over the real socket.

use tokio::net::UnixDatagram;

use crate::{
    process::{Process, command, output, within},
    world::{World, environment, url_of},
};

async fn told(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 256];
    let length = within(socket.recv(&mut buffer)).await.unwrap();
    str::from_utf8(&buffer[..length]).unwrap().trim().to_owned()
}

/// Waits for a message that begins so, whatever signs of life come before.
async fn until(socket: &UnixDatagram, start: &str) -> String {
    loop {
        let told = told(socket).await;
        if told.starts_with(start) {
            return told;
        }
    }
}

#[tokio::test]
async fn systemd_hears_that_a_service_is_ready_alive_reloading_and_stopping() {
    let world = World::new().await;
    for arguments in [&["serve"][..], &["server"], &["gateway"]] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let mut settings = environment(&world.sandbox);
        settings.push(("STATE_DIRECTORY", directory.path().to_str().unwrap().to_owned()));
        settings.push(("NOTIFY_SOCKET", path.to_str().unwrap().to_owned()));
        settings.push(("WATCHDOG_USEC", "4000000".to_owned()));

        let mut service = Process::start(command(arguments, &settings));
        assert_eq!(told(&socket).await, "READY=1", "{arguments:?}");
        assert_eq!(told(&socket).await, "WATCHDOG=1", "{arguments:?}");
        service.signal("HUP").await;
        let reloading = until(&socket, "RELOADING=1").await;
        assert!(reloading.contains("MONOTONIC_USEC="), "{arguments:?}: {reloading}");
        until(&socket, "READY=1").await;
        service.signal("TERM").await;
        until(&socket, "STOPPING=1").await;
        assert_eq!(service.exit().await.code(), Some(0), "{arguments:?}");
    }
}

#[tokio::test]
async fn health_is_the_answer_of_readiness() {
    let world = World::new().await;
    let admin = |url: &str| [("AUTOMATGLPI_ADMIN_LISTEN", url.replace("http://", ""))];

    let health = output(&["health"], &admin(&world.admin)).await;
    assert_eq!((health.status.code(), &health.stdout[..]), (Some(0), &b"ready\n"[..]));

    // As in an image without certificate authorities.
    let mut settings = admin(&world.admin).to_vec();
    let nowhere = ["SSL_CERT_FILE", "SSL_CERT_DIR"].map(|name| (name, "/nowhere".to_owned()));
    settings.extend(nowhere);
    let health = output(&["health"], &settings).await;
    assert_eq!(health.status.code(), Some(0), "{}", String::from_utf8_lossy(&health.stderr));

    let alone = [
        ("AUTOMATGLPI_HTTP_LISTEN", "127.0.0.1:0".to_owned()),
        ("AUTOMATGLPI_ADMIN_LISTEN", "127.0.0.1:0".to_owned()),
        // Nobody listens there.
        ("AUTOMATGLPI_GRPC_URL", "http://127.0.0.1:1".to_owned()),
    ];
    let mut gateway = Process::start(command(&["gateway"], &alone));
    let gateway_admin = url_of("admin", &gateway.ready().await);
    let health = output(&["health"], &admin(&gateway_admin)).await;
    assert_eq!(health.status.code(), Some(1));
    assert!(!health.stdout.is_empty());

    let health = output(&["health"], &admin("127.0.0.1:1")).await;
    assert_eq!(health.status.code(), Some(1));
    let said = String::from_utf8_lossy(&health.stderr);
    assert!(said.contains("no answer from http://127.0.0.1:1/readyz"), "{said}");
}
