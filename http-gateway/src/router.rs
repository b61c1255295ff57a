//! Routes, and the layers around them.

use std::{any::Any, sync::Arc, time::Duration};

use access::Gate;
use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{MethodRouter, get, post},
};
use spoken::{Language, Sentence};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    FieldNames, auth, call, openapi, problem::Problem, tickets, upstream::Upstream, webhook,
};

/// Nothing takes longer than this, whatever happens. Handlers have deadlines of their own, which
/// are shorter and have better answers.
const WHOLE_CALL_WITHIN: Duration = Duration::from_secs(5);

/// What handlers share. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct App(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    upstream: Upstream,
    gate: Gate,
    language: Language,
    fields: FieldNames,
}

impl App {
    pub(crate) fn new(
        upstream: Upstream,
        gate: Gate,
        language: Language,
        fields: FieldNames,
    ) -> Self {
        Self(Arc::new(Shared { upstream, gate, language, fields }))
    }

    pub(crate) fn upstream(&self) -> &Upstream {
        &self.0.upstream
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.0.gate
    }

    pub(crate) fn language(&self) -> &Language {
        &self.0.language
    }

    pub(crate) fn fields(&self) -> &FieldNames {
        &self.0.fields
    }

    /// The first language of `Accept-Language` that is spoken here, else the configured one.
    pub(crate) fn language_of(&self, headers: &HeaderMap) -> Language {
        let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        accepted
            .unwrap_or_default()
            .split(',')
            .filter_map(|choice| choice.split(';').next())
            .find_map(|tag| tag.parse().ok())
            .unwrap_or_else(|| self.0.language.clone())
    }
}

/// Everything the public listener serves.
pub(crate) fn routes(app: App) -> Router {
    let guarded = Router::new()
        .route("/webhook/rounded-webhook", webhook_methods())
        .route("/webhook/rounded-webhook/", webhook_methods())
        .route(auth::SECRET_PATH, webhook_methods())
        .route("/v1/tickets", post(tickets::create))
        .route("/v1/tickets/{ticket}", get(tickets::read))
        // Outside the body is nothing to protect, so strangers are turned away before it is read.
        .route_layer(middleware::from_fn_with_state(app.clone(), auth::guard));
    let routes = guarded
        .merge(openapi::routes())
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method);
    layered(routes, &app).with_state(app)
}

/// HEAD is not GET here: link previewers and monitors send it, and it must not open tickets.
fn webhook_methods() -> MethodRouter<App> {
    get(webhook::receive).head(wrong_method).post(webhook::receive)
}

fn layered(routes: Router<App>, app: &App) -> Router<App> {
    let speaker = app.clone();
    let panicked = move |_: Box<dyn Any + Send>| {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "report the x-request-id",
            speaker.language(),
        )
        .into_response()
    };
    routes
        // Innermost, around the handlers: what they drag out ends here.
        .layer(middleware::from_fn_with_state(app.clone(), within))
        // Around everything that could panic; within the log, which shall tell of it.
        .layer(CatchPanicLayer::custom(panicked))
        // Whatever is asked for, a flood or a stranger's address ends here.
        .layer(middleware::from_fn_with_state(app.clone(), auth::knock))
        // Outermost: every answer has an id and a line in the log.
        .layer(middleware::from_fn(call::follow))
}

async fn within(State(app): State<App>, request: Request, next: Next) -> Response {
    let language = app.language_of(request.headers());
    match tokio::time::timeout(WHOLE_CALL_WITHIN, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(StatusCode::GATEWAY_TIMEOUT, "no answer in time", &language)
            .saying(Sentence::Unsure)
            .into_response(),
    }
}

async fn nowhere(State(app): State<App>, headers: HeaderMap) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "nothing is served here; see /docs",
        &app.language_of(&headers),
    )
}

async fn wrong_method(State(app): State<App>, headers: HeaderMap) -> Problem {
    let detail = "this method is not served here; see /docs";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail, &app.language_of(&headers))
}

#[cfg(test)]
mod tests {
    use access::{Rules, Surface};
    use axum::body::Body;
    use tower::ServiceExt as _;

    use super::*;
    use crate::Address;

    fn app() -> App {
        let address = Address { url: "http://127.0.0.1:1".to_owned(), authority: None };
        let upstream = Upstream::at(&address, None).unwrap();
        App::new(
            upstream,
            Gate::new(Rules::open(Surface::Http)),
            Language::default(),
            FieldNames::default(),
        )
    }

    async fn answer(routes: Router<App>, path: &str) -> Response {
        let app = app();
        let routes = layered(routes, &app).with_state(app);
        routes.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn a_panic_ends_in_a_problem_with_an_id() {
        async fn panics() -> &'static str {
            panic!("at /some/internal/place")
        }
        let response = answer(Router::new().route("/panics", get(panics)), "/panics").await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert!(response.headers().contains_key("x-request-id"));
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        assert!(!String::from_utf8_lossy(&body).contains("internal/place"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_never_ends_ends_in_a_problem() {
        let silent = get(std::future::pending::<()>);
        let response = answer(Router::new().route("/silent", silent), "/silent").await;
        assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    }
}
