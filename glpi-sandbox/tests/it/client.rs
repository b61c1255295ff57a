//! A plain HTTP client, which knows nothing of GLPI.

use std::time::Duration;

use glpi_sandbox::{Options, Sandbox};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) struct Glpi {
    pub(crate) sandbox: Sandbox,
    http: reqwest::Client,
    /// A session of the Super-Admin `glpi`.
    pub(crate) session: String,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/json; charset=UTF-8", "{self:?}");
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// 200 without a word: GLPI's uncaught exception.
    #[track_caller]
    pub(crate) fn assert_empty_success(&self) {
        assert_eq!((self.status, self.body.as_str()), (200, ""));
        assert_eq!(self.header("content-type"), "text/html; charset=UTF-8");
        assert_eq!(self.header("expires"), "Thu, 19 Nov 1981 08:52:00 GMT");
    }

    #[track_caller]
    pub(crate) fn assert_is(&self, status: u16, body: &Value) {
        assert_eq!((self.status, &self.json()), (status, body));
    }
}

impl Glpi {
    pub(crate) async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    pub(crate) async fn start_with(options: Options) -> Self {
        // Another test of this process may have been first.
        let _installed_already = rustls::crypto::ring::default_provider().install_default();
        let sandbox = Sandbox::start(options).await.unwrap();
        let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        let mut glpi = Self { sandbox, http, session: String::new() };
        glpi.session = glpi.log_in().await;
        glpi
    }

    /// Opens another session of user `glpi`.
    pub(crate) async fn log_in(&self) -> String {
        let reply = self
            .call("GET", "/initSession", |request| {
                request.header("Authorization", "user_token sandbox-user-token")
            })
            .await;
        reply.json()["session_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn log_in_as(&self, login: &str, password: &str) -> String {
        let reply = self.call("GET", "/initSession", |r| r.basic_auth(login, Some(password))).await;
        reply.json()["session_token"].as_str().unwrap().to_owned()
    }

    /// A request with the App-Token, and what `finish` adds.
    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        finish: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
    ) -> Reply {
        self.try_call(method, path, |r| finish(r.header("App-Token", "sandbox-app-token")))
            .await
            .unwrap()
    }

    pub(crate) async fn try_call(
        &self,
        method: &str,
        path: &str,
        finish: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
    ) -> reqwest::Result<Reply> {
        let url = format!("{}/apirest.php{path}", self.sandbox.url());
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let response = finish(self.http.request(method, url)).send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Reply { status, headers, body: response.text().await? })
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, |r| r.header("Session-Token", &self.session)).await
    }

    pub(crate) async fn get_as(&self, session: &str, path: &str) -> Reply {
        self.call("GET", path, |r| r.header("Session-Token", session)).await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: &Value) -> Reply {
        self.send_as(&self.session, method, path, body).await
    }

    pub(crate) async fn send_as(
        &self,
        session: &str,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Reply {
        self.call(method, path, |r| r.header("Session-Token", session).json(body)).await
    }

    /// `POST /Ticket` with this as its `input`.
    pub(crate) async fn create(&self, input: Value) -> Reply {
        self.send("POST", "/Ticket", &json!({ "input": input })).await
    }

    /// The same, expecting success: the number of the ticket.
    pub(crate) async fn creates(&self, input: Value) -> u64 {
        let reply = self.create(input).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.json()["id"].as_u64().unwrap()
    }

    /// `POST /Ticket` as bytes, for exchanges that end badly.
    pub(crate) fn raw_create(&self) -> Vec<u8> {
        self.raw("POST /apirest.php/Ticket", r#"{"input":{"name":"x","content":"y"}}"#)
    }

    pub(crate) fn raw(&self, start: &str, body: &str) -> Vec<u8> {
        format!(
            "{start} HTTP/1.1\r\nHost: x\r\nApp-Token: sandbox-app-token\r\nSession-Token: {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.session,
            body.len()
        )
        .into_bytes()
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.sandbox.local_addr()).await.unwrap()
    }

    /// Sends bytes on a connection of their own and reads what comes at once.
    pub(crate) async fn exchange(&self, request: &[u8]) -> std::io::Result<String> {
        let mut stream = self.connect().await;
        stream.write_all(request).await?;
        let mut answer = vec![0; 64 << 10];
        let length = stream.read(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
    }

    pub(crate) async fn control(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let url = format!("{}{path}", self.sandbox.url());
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.http.request(method, url);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Reply { status, headers, body: response.text().await.unwrap() }
    }
}
