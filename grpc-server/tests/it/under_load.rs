//! What happens to others while certificates change and clients attack.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use ticketing_proto::v1::ticketing_service_client::TicketingServiceClient;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};
use tonic::{
    Status,
    transport::{self, Certificate, Channel, ClientTlsConfig, Endpoint},
};

use crate::world::{World, call};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(25);

/// A certificate of its own making, and its key.
fn draw() -> (String, String) {
    let own = rcgen::generate_simple_self_signed(["grpc.test".to_owned()]).unwrap();
    (own.cert.pem(), own.signing_key.serialize_pem())
}

fn write(directory: &Path, name: &str, content: &str) -> String {
    let path = directory.join(name);
    std::fs::write(&path, content).unwrap();
    path.display().to_string()
}

/// A connection that trusts nothing but these certificates.
async fn connect(world: &World, trusted: &[&String]) -> Result<Channel, transport::Error> {
    let trusted = trusted.iter().map(Certificate::from_pem);
    let tls = ClientTlsConfig::new().ca_certificates(trusted).domain_name("grpc.test");
    let endpoint = Endpoint::from_shared(format!("https://{}", world.address)).unwrap();
    endpoint.tls_config(tls)?.connect().await
}

async fn create(channel: Channel, key: &str) -> Result<(), Status> {
    let mut tickets = TicketingServiceClient::new(channel);
    tickets.create_ticket(call(key, "panne")).await.map(|_| ())
}

#[tokio::test]
async fn a_certificate_is_replaced_without_a_failed_call() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let ((old, old_key), (new, new_key)) = (draw(), draw());
    let world = World::with(&[
        ("AUTOMATGLPI_GRPC_TLS_CERT_FILE", &write(directory, "c.pem", &old)),
        ("AUTOMATGLPI_GRPC_TLS_KEY_FILE", &write(directory, "k.pem", &old_key)),
    ])
    .await;
    let world = Arc::new(world);
    let (enough, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut callers = JoinSet::new();
    for caller in 0..8 {
        let (world, enough, calls) = (Arc::clone(&world), Arc::clone(&enough), Arc::clone(&calls));
        let (old, new) = (old.clone(), new.clone());
        callers.spawn(async move {
            let kept = connect(&world, &[&old, &new]).await.unwrap();
            let mut count = 0;
            while !enough.load(Ordering::Relaxed) {
                // Every other call on a connection of its own.
                let own = connect(&world, &[&old, &new]).await.unwrap();
                for channel in [kept.clone(), own] {
                    create(channel, &format!("{caller}-{count}")).await.unwrap();
                    count += 1;
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    let go_on = async |more: usize| {
        let until = calls.load(Ordering::Relaxed) + more;
        while calls.load(Ordering::Relaxed) < until {
            tokio::task::yield_now().await;
        }
    };
    let replaced = timeout(PATIENCE, async {
        go_on(50).await;
        // Half of the pair is replaced: that is not taken.
        write(directory, "k.pem", &new_key);
        (world.look)();
        go_on(50).await;
        connect(&world, &[&old]).await.unwrap();
        write(directory, "c.pem", &new);
        (world.look)();
        while connect(&world, &[&new]).await.is_err() {}
        go_on(50).await;
    });
    replaced.await.expect("the new certificate is shown");
    connect(&world, &[&old]).await.unwrap_err();
    enough.store(true, Ordering::Relaxed);
    while let Some(caller) = callers.join_next().await {
        caller.expect("no call fails");
    }
    assert!(world.stop().await);
}

#[tokio::test]
async fn rapid_resets_cost_a_client_its_connection_and_nobody_else_a_call() {
    let world = World::new().await;
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let mut attack = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for stream in (1_u32..20_001).step_by(2) {
        let [a, b, c, d] = stream.to_be_bytes();
        // HEADERS: POST, http, /, and an authority; then RST_STREAM: CANCEL.
        attack.extend([0, 0, 9, 1, 4, a, b, c, d, 0x83, 0x86, 0x84, 0x41, 4, b't', b'e', b's']);
        attack.extend([b't', 0, 0, 4, 3, 0, a, b, c, d, 0, 0, 0, 8]);
    }
    let (mut reader, mut writer) = stream.split();
    let mut said = Vec::new();
    let attacking = async {
        let _cut = writer.write_all(&attack).await;
    };
    let (closed, ()) = tokio::join!(timeout(PATIENCE, reader.read_to_end(&mut said)), attacking);
    assert!(closed.is_ok(), "never closed");
    create(world.channel.clone(), "a").await.unwrap();
    assert!(world.stop().await);
}
