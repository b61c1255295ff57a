//! The gateway's own description, for programs and for people.

use axum::Router;
use utoipa::{
    Modify, OpenApi,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::router::App;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "AutomatGLPI",
        description = "Opens GLPI tickets for voice agents and other systems."
    ),
    paths(crate::webhook::receive, crate::tickets::create, crate::tickets::read),
    modifiers(&Bearer)
)]
struct Description;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let components = description.components.get_or_insert_default();
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components.add_security_scheme("bearer", scheme);
    }
}

/// `/openapi.json`, and a page to read it at `/docs` that loads nothing from elsewhere.
pub(crate) fn routes() -> Router<App> {
    let page = SwaggerUi::new("/docs")
        .url("/openapi.json", Description::openapi())
        .config(Config::default().validator_url("none"));
    Router::from(page)
}
