//! A gateway, the server behind it, and a client in front of it.

use std::{net::SocketAddr, time::Duration};

use ::access::{Client, Digest, Name, Role, Rules, Surface};
use http_gateway::{Address, Config, FieldNames, Gateway};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::Value;
use service_kit::{Shutdown, config::Source};
use spoken::Language;

use crate::fake::{Asked, Fake};

pub(crate) struct World {
    pub(crate) fake: Fake,
    pub(crate) shutdown: Shutdown,
    pub(crate) url: String,
    pub(crate) admin_url: String,
    pub(crate) client: reqwest::Client,
    /// Does to the certificate what reading the configuration again does.
    pub(crate) look: Box<dyn Fn() + Send + Sync>,
}

/// A configuration on free ports.
pub(crate) fn config(grpc: SocketAddr) -> Config {
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        listener: listener::Config::default(),
        admin_listen: "127.0.0.1:0".parse().unwrap(),
        grpc: at(grpc),
        grpc_token: None,
        access: Rules::open(Surface::Http),
        language: Language::default(),
        fields: FieldNames::default(),
        shutdown_within: Duration::from_secs(5),
    }
}

/// A plain gRPC server there.
pub(crate) fn at(server: SocketAddr) -> Address {
    Address { url: format!("http://{server}"), authority: None }
}

/// Rules that let the bearer of a token in.
pub(crate) fn guarded(token: &str) -> Rules {
    let client = Client::new(Name::parse("webhook").unwrap(), &[Role::Create, Role::Read]);
    Rules::open(Surface::Http).with_client(client.with_token(Digest::of(token.as_bytes())))
}

/// An address where nobody listens.
pub(crate) async fn nowhere() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// A world whose gateway is configured a little differently.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        service_kit::install_tls_provider();
        let (fake, address) = Fake::start().await;
        let mut config = config(address);
        change(&mut config);
        let gateway = Gateway::bind(config).await.unwrap();
        let url = format!("http://{}", gateway.local_addr().unwrap());
        let admin_url = format!("http://{}", gateway.admin_addr().unwrap());
        let certificate = gateway.certificate();
        let look = Box::new(move || certificate(&Source::new([], None).unwrap())());
        let shutdown = Shutdown::new();
        let running = gateway.run(shutdown.clone());
        shutdown.spawn(async { running.await.unwrap() });
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { fake, shutdown, url, admin_url, client, look }
    }

    pub(crate) fn webhook(&self) -> RequestBuilder {
        self.client.post(format!("{}/webhook/rounded-webhook", self.url))
    }

    /// Posts JSON to the webhook and expects a reply.
    pub(crate) async fn call(&self, json: &str) -> Value {
        let request = self.webhook().header("content-type", "application/json");
        let response = request.body(json.to_owned()).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{json}");
        response.json().await.unwrap()
    }

    pub(crate) fn asked(&self) -> Asked {
        self.fake.asked()
    }
}

/// The problem in a response.
pub(crate) async fn problem(response: Response, status: u16) -> Value {
    assert_eq!(response.status().as_u16(), status);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["status"], status);
    assert!(problem["message"].as_str().is_some_and(|message| !message.is_empty()));
    problem
}
