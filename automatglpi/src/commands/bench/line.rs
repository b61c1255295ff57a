//! The ways to a ticket, each with a kept-alive connection.

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use ticketing_proto::v1::{self, ticketing_service_client::TicketingServiceClient};
use tonic::{
    metadata::{Ascii, MetadataValue},
    transport::Channel,
};

use super::world::{APP_TOKEN, USER_TOKEN, World, http_client};

/// How a ticket is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Way {
    /// Straight to GLPI, on a warm session: the floor.
    Direct,
    /// The gRPC server.
    Grpc,
    /// The web gateway, then the gRPC server.
    Webhook,
}

/// A way, connected. Clones share the connections.
#[derive(Debug, Clone)]
pub(super) enum Line {
    Direct { http: reqwest::Client, url: String, session: String },
    Grpc { client: TicketingServiceClient<Channel>, token: Option<MetadataValue<Ascii>> },
    Webhook { http: reqwest::Client, url: String, token: Option<String> },
}

/// What a caller heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// The ticket's number.
    Created,
    /// That the request is recorded.
    Queued,
}

/// No two calls are the same request.
static CALLS: AtomicU64 = AtomicU64::new(1);

impl Way {
    pub(super) const ALL: [Self; 3] = [Self::Direct, Self::Grpc, Self::Webhook];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Grpc => "gRPC",
            Self::Webhook => "webhook",
        }
    }
}

impl Line {
    /// Connects, and logs in where that is ours to do.
    pub(super) async fn open(way: Way, world: &World) -> anyhow::Result<Self> {
        let http = http_client()?;
        Ok(match way {
            Way::Direct => {
                let base = format!("{}/apirest.php", world.sandbox.url);
                let session = log_in(&http, &base).await?;
                Self::Direct { http, url: format!("{base}/Ticket"), session }
            }
            Way::Grpc => {
                let client = TicketingServiceClient::new(world.server.channel.clone());
                Self::Grpc { client, token: None }
            }
            Way::Webhook => Self::Webhook {
                http,
                url: format!("{}/webhook/rounded-webhook", world.gateway.url),
                token: None,
            },
        })
    }

    /// Calls with this token from now on; GLPI itself knows no such tokens.
    pub(super) fn by(mut self, secret: &str) -> anyhow::Result<Self> {
        match &mut self {
            Self::Direct { .. } => {}
            Self::Grpc { token, .. } => *token = Some(format!("Bearer {secret}").parse()?),
            Self::Webhook { token, .. } => *token = Some(secret.to_owned()),
        }
        Ok(self)
    }

    /// Makes one call, unlike any before.
    pub(super) async fn call(&mut self) -> anyhow::Result<Heard> {
        let number = CALLS.fetch_add(1, Ordering::Relaxed);
        match self {
            Self::Direct { http, url, session } => direct(http, url, session, number).await,
            Self::Grpc { client, token } => grpc(client, token.as_ref(), number).await,
            Self::Webhook { http, url, token } => {
                webhook(http, url, token.as_deref(), number).await
            }
        }
    }
}

const NAME: &str = "Marie Dupont";
const DEPARTMENT: &str = "Comptabilité";

fn problem(number: u64) -> String {
    format!("Imprimante bloquée au deuxième étage\nrien ne sort depuis ce matin (appel {number})")
}

#[derive(Deserialize)]
struct Session {
    session_token: String,
}

async fn log_in(http: &reqwest::Client, base: &str) -> anyhow::Result<String> {
    let request = http
        .get(format!("{base}/initSession"))
        .header("App-Token", APP_TOKEN)
        .header("Authorization", format!("user_token {USER_TOKEN}"));
    let answer = request.send().await?.error_for_status()?;
    Ok(answer.json::<Session>().await?.session_token)
}

/// The same ticket as the server makes of such a call.
async fn direct(
    http: &reqwest::Client,
    url: &str,
    session: &str,
    number: u64,
) -> anyhow::Result<Heard> {
    let problem = problem(number).replace('\n', "<br>");
    let content = format!(
        "<p>Appelant : {NAME}<br>Service : {DEPARTMENT}</p><p>{problem}</p><p>[AutomatGLPI {number}]</p>"
    );
    let name = "Imprimante bloquée au deuxième étage";
    let request = http
        .post(url)
        .header("App-Token", APP_TOKEN)
        .header("Session-Token", session)
        .json(&json!({"input": {"name": name, "content": content, "urgency": 4}}));
    let answer = request.send().await?.error_for_status()?;
    let body: Value = answer.json().await?;
    body["id"].as_u64().context("GLPI's answer holds no number")?;
    Ok(Heard::Created)
}

async fn grpc(
    client: &mut TicketingServiceClient<Channel>,
    token: Option<&MetadataValue<Ascii>>,
    number: u64,
) -> anyhow::Result<Heard> {
    let mut request = tonic::Request::new(v1::CreateTicketRequest {
        caller: Some(v1::Caller {
            name: NAME.to_owned(),
            department: DEPARTMENT.to_owned(),
            ..v1::Caller::default()
        }),
        description: problem(number),
        urgency: v1::Urgency::High.into(),
        idempotency_key: format!("bench-{number}"),
        ..v1::CreateTicketRequest::default()
    });
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", token.clone());
    }
    let answer = client.create_ticket(request).await?.into_inner();
    match answer.outcome() {
        _ if answer.replayed => bail!("a call was taken for the repeat of another"),
        v1::Outcome::Created => Ok(Heard::Created),
        v1::Outcome::Queued => Ok(Heard::Queued),
        other => bail!("the outcome is {}", other.as_str_name()),
    }
}

async fn webhook(
    http: &reqwest::Client,
    url: &str,
    token: Option<&str>,
    number: u64,
) -> anyhow::Result<Heard> {
    let body = json!({
        "caller_name": NAME,
        "department": DEPARTMENT,
        "problem_description": problem(number),
        "urgency": "haute",
        "call_id": format!("bench-{number}"),
    });
    let mut request = http.post(url).json(&body);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await?.error_for_status()?;
    let body: Value = answer.json().await?;
    match body["status"].as_str() {
        Some("created") => Ok(Heard::Created),
        Some("queued") => Ok(Heard::Queued),
        _ => bail!("the webhook answers {body}"),
    }
}
