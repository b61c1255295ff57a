//! Server, gateway and sandbox as processes of their own.

use crate::{
    process::{self, Process, command},
    world::{free_ports, url_of},
};

#[tokio::test]
async fn three_processes_make_a_ticket() {
    let mut sandbox = Process::start(command(&["sandbox", "--listen", "127.0.0.1:0"], &[]));
    let glpi = url_of("glpi", &sandbox.ready().await);
    let directory = tempfile::tempdir().unwrap();
    let mut settings = free_ports();
    settings.extend([
        ("GLPI_URL", glpi),
        ("GLPI_APP_TOKEN", "sandbox-app-token".to_owned()),
        ("GLPI_USER_TOKEN", "sandbox-user-token".to_owned()),
        ("STATE_DIRECTORY", directory.path().to_str().unwrap().to_owned()),
    ]);
    let mut server = Process::start(command(&["server"], &settings));
    let grpc = url_of("grpc", &server.ready().await);
    settings.push(("AUTOMATGLPI_GRPC_URL", grpc));
    let mut gateway = Process::start(command(&["gateway"], &settings));
    let http = url_of("http", &gateway.ready().await);

    let check = process::output(&["check"], &settings).await;
    assert_eq!(check.status.code(), Some(0), "{check:?}");
    let call = process::output(&["call", "--url", &http], &settings).await;
    assert_eq!(call.status.code(), Some(0), "{call:?}");
    for process in [&mut gateway, &mut server, &mut sandbox] {
        process.signal("TERM").await;
        assert_eq!(process.exit().await.code(), Some(0));
    }
}
