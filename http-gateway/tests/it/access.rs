//! Who may call, by HTTP.

use ::access::{Digest, Rules, Surface};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{RequestBuilder, StatusCode};
use service_kit::config::Source;
use sha2::Sha256;

use crate::world::{World, problem};

/// A client for each kind of credential; `TOKEN(x)` stands for the digest of `x`.
const CLIENTS: &str = "\
    ivr create,read token=TOKEN(ivr) source=other\n\
    old create token=TOKEN(old),until=2020-01-01\n\
    reader read token=TOKEN(reader)\n\
    console operate token=TOKEN(console)\n\
    agent create path=TOKEN(secret-path)\n\
    tablet create token=TOKEN(tablet) from=203.0.113.0/24\n\
    signer create token=TOKEN(signer) signature=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n\
    slow create token=TOKEN(slow) rate=1/h";

const BODY: &str = r#"{"problem_description":"panne"}"#;

fn rules(further: &[(&str, &str)]) -> Rules {
    let mut parts = CLIENTS.split("TOKEN(");
    let mut clients = parts.next().unwrap().to_owned();
    for (secret, rest) in parts.map(|part| part.split_once(')').unwrap()) {
        clients += &Digest::of(secret.as_bytes()).to_string();
        clients += rest;
    }
    let pairs = further.iter().copied().chain([("AUTOMATGLPI_CLIENTS", clients.as_str())]);
    let source = Source::new(pairs.map(|(name, value)| (name.into(), value.into())), None).unwrap();
    let rules = Rules::from_source(&source, Surface::Http);
    source.finish().unwrap();
    rules
}

async fn world(further: &[(&str, &str)]) -> World {
    World::with(|config| config.access = rules(further)).await
}

fn with(request: RequestBuilder, token: &str) -> RequestBuilder {
    let request = request.header("content-type", "application/json");
    if token.is_empty() { request } else { request.bearer_auth(token) }
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn each_credential_opens_what_its_role_allows_and_nothing_else() {
    let world = world(&[]).await;
    for (token, to_create, to_read) in [
        ("", 401, 401),
        ("wrong", 401, 401),
        ("old", 401, 401),
        ("secret-path", 401, 401),
        ("ivr", 200, 200),
        ("reader", 403, 200),
        ("console", 403, 200),
        ("tablet", 403, 403),
        ("signer", 401, 403),
    ] {
        let webhook = with(world.webhook(), token).body(BODY);
        assert_eq!(status(webhook).await, to_create, "{token} calls the webhook");
        let query = format!("{}/webhook/rounded-webhook?problem=panne", world.url);
        assert_eq!(status(with(world.client.get(query), token)).await, to_create, "{token} by GET");
        let post = world.client.post(format!("{}/v1/tickets", world.url));
        let post = with(post, token).body(r#"{"description":"panne"}"#);
        assert_eq!(status(post).await, if to_create == 200 { 201 } else { to_create }, "{token}");
        let get = world.client.get(format!("{}/v1/tickets/1", world.url));
        assert_eq!(status(with(get, token)).await, to_read, "{token} reads");
    }
    let names = world.asked().metadata;
    assert!(names.iter().all(|metadata| {
        ["ivr", "reader", "console"]
            .contains(&metadata.get("x-automatglpi-client").unwrap().to_str().unwrap())
    }));
}

#[tokio::test]
async fn a_secret_path_is_enough_and_a_guess_learns_nothing() {
    let world = world(&[]).await;
    let call = |path: &str| {
        let request = world.client.post(format!("{}/webhook/{path}", world.url));
        with(request, "").body(BODY).send()
    };
    assert_eq!(call("secret-path").await.unwrap().status(), StatusCode::OK);
    let problem = problem(call("secret-pat").await.unwrap(), 404).await;
    assert_eq!(problem["detail"], "nothing is served here; see /docs");
    let asked = world.asked();
    assert_eq!(asked.metadata[0].get("x-automatglpi-client").unwrap(), "agent");
    assert_eq!(asked.created.len(), 1);
}

#[tokio::test]
async fn a_signing_client_is_heard_only_with_its_signature() {
    let world = world(&[]).await;
    #[expect(clippy::disallowed_methods, reason = "signatures are of the present")]
    let now = jiff::Timestamp::now().as_second().to_string();
    let sign = |body: &str| {
        let key = BASE64_STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("msg_1.{now}.{body}").as_bytes());
        format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
    };
    let call = |signature: String, body: &'static str| {
        let request = with(world.webhook(), "signer").header("webhook-id", "msg_1");
        let request = request.header("webhook-timestamp", &now).body(body);
        request.header("webhook-signature", signature).send()
    };
    let forged = problem(call(sign("{}"), BODY).await.unwrap(), 401).await;
    assert!(forged["detail"].as_str().unwrap().contains("not that of this body"), "{forged}");
    assert_eq!(call(sign(BODY), BODY).await.unwrap().status(), StatusCode::OK);
    assert_eq!(world.asked().created.len(), 1);

    // What is overheard cannot be rewritten by what is not signed, nor make another ticket.
    let post = |path: &str, body: &'static str| {
        let request = with(world.client.post(format!("{}{path}", world.url)), "signer");
        let request = request.header("webhook-id", "msg_1").header("webhook-timestamp", &now);
        request.header("webhook-signature", sign(body)).body(body)
    };
    let rewritten = post("/webhook/rounded-webhook?title=INJECTED", BODY);
    assert_eq!(status(rewritten).await, 401);
    let ticket = r#"{"description":"panne"}"#;
    for key in ["one", "two"] {
        let repeated = post("/v1/tickets", ticket).header("idempotency-key", key);
        assert_eq!(status(repeated).await, 201);
    }
    let asked = world.asked();
    let keys: Vec<&str> =
        asked.created.iter().map(|ticket| ticket.idempotency_key.as_str()).collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1], "the server makes one ticket of them");
}

#[tokio::test]
async fn a_clients_source_replaces_the_webhooks() {
    let world = world(&[]).await;
    with(world.webhook(), "ivr").body(BODY).send().await.unwrap();
    with(world.client.post(format!("{}/webhook/secret-path", world.url)), "")
        .body(BODY)
        .send()
        .await
        .unwrap();
    let sources: Vec<i32> = world.asked().created.iter().map(|ticket| ticket.source).collect();
    assert_eq!(sources, [6, 3]);
}

#[tokio::test]
async fn too_many_calls_are_answered_with_a_sentence_and_a_time() {
    let world = world(&[]).await;
    let call = || with(world.webhook(), "slow").body(BODY).send();
    assert_eq!(call().await.unwrap().status(), StatusCode::OK);
    assert_eq!(call().await.unwrap().status(), StatusCode::OK);
    let refused = call().await.unwrap();
    let seconds: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(seconds > 60, "{seconds}");
    let problem = problem(refused, 429).await;
    assert_eq!(problem["retryable"], true);
    assert_eq!(status(with(world.webhook(), "ivr").body(BODY)).await, 200);
}

#[tokio::test]
async fn one_address_cannot_flood_for_all() {
    let further =
        [("AUTOMATGLPI_SOURCE_RATE", "1/h"), ("AUTOMATGLPI_TRUSTED_PROXIES", "127.0.0.1")];
    let world = world(&further).await;
    let from = |address: &str| {
        let request = world.client.get(format!("{}/openapi.json", world.url));
        request.header("x-forwarded-for", address)
    };
    assert_ne!(status(from("198.51.100.1")).await, 429);
    assert_ne!(status(from("198.51.100.1")).await, 429);
    assert_eq!(status(from("198.51.100.1")).await, 429);
    assert_ne!(status(from("198.51.100.2")).await, 429);
}

#[tokio::test]
async fn only_a_trusted_proxy_says_where_a_call_comes_from() {
    let allowed = ("AUTOMATGLPI_ALLOW_FROM", "203.0.113.0/24");
    let behind = world(&[allowed, ("AUTOMATGLPI_TRUSTED_PROXIES", "127.0.0.1")]).await;
    let direct = world(&[allowed]).await;
    let call = |world: &World, from: &str, token: &str| {
        let request = with(world.webhook(), token).body(BODY);
        status(request.header("x-forwarded-for", from.to_owned()))
    };
    assert_eq!(call(&behind, "203.0.113.9", "ivr").await, 200);
    assert_eq!(call(&behind, "203.0.113.9", "tablet").await, 200);
    assert_eq!(call(&behind, "198.51.100.1", "ivr").await, 403);
    // The caller wrote the first address, the proxy the second.
    assert_eq!(call(&behind, "203.0.113.9, 198.51.100.1", "ivr").await, 403);
    assert_eq!(call(&direct, "203.0.113.9", "ivr").await, 403);
}

#[tokio::test]
async fn a_proxy_before_a_gateway_without_a_token_opens_nothing() {
    let world = World::new().await;
    let refused = world.webhook().header("x-forwarded-for", "203.0.113.9").body(BODY);
    let problem = problem(refused.send().await.unwrap(), 403).await;
    assert!(problem["detail"].as_str().unwrap().contains("proxy"), "{problem}");
    assert_eq!(status(with(world.webhook(), "").body(BODY)).await, 200);
}
