//! The pages about the API: Swagger UI, its assets served by us, and the list of error codes.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use actix_web::http::header;
use actix_web::{HttpResponse, Responder, web};
use utoipa_swagger_ui::Config;

use super::error::{Code, Problem};
use super::problem;

/// Only what we serve; Swagger UI sets inline styles and draws its icons from data.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

static SWAGGER: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    // Without a validator: the default one is somebody else's server, which would be sent the document.
    Arc::new(Config::from("/openapi.json").validator_url("none").display_operation_id(true).try_it_out_enabled(true))
});

/// Routes under `/docs`.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/docs", web::get().to(async || web::Redirect::to("/docs/").permanent()))
        .route("/docs/errors", web::get().to(errors))
        .route("/docs/{file:.*}", web::get().to(swagger));
}

async fn errors() -> impl Responder {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .body(problem::catalogue())
}

async fn swagger(file: web::Path<String>) -> Result<HttpResponse, Problem> {
    let found = utoipa_swagger_ui::serve(&file, Arc::clone(&SWAGGER)).map_err(|error| {
        tracing::error!(%error, "Swagger UI could not be configured");
        Problem::new(Code::Internal)
    })?;
    let found = found.ok_or(Problem::new(Code::NotFound))?;
    let mut response = HttpResponse::Ok();
    response.content_type(found.content_type).insert_header((header::CONTENT_SECURITY_POLICY, POLICY));
    if found.gzpipped {
        response.insert_header((header::CONTENT_ENCODING, "gzip"));
    }
    Ok(match found.bytes {
        Cow::Borrowed(bytes) => response.body(bytes),
        Cow::Owned(bytes) => response.body(bytes),
    })
}
