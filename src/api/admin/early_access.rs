//! `/v1/admin/early-access`: goods that are for some tiers first.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, delete, get, post, put, web};
use tessera_rules::Programme;
use tessera_rules::price::EarlyAccess;
use utoipa_actix_web::service_config::ServiceConfig;

use super::part::{self, Condition, Named, Part, Sent, put_answer};
use super::schemas;
use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::error::{Code, Problem};
use crate::api::extract::{Id, IfMatch, Json};
use crate::api::guard::permit;
use crate::api::openapi::problems;
use crate::api::page::ListOf;
use crate::api::work::{gone, versioned};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(list_early_access)
        .service(create_early_access)
        .service(read_early_access)
        .service(put_early_access)
        .service(delete_early_access);
}

impl Part for EarlyAccess {
    const NOUN: &'static str = "early_access";
    const AT: &'static str = "/prices/early_access";

    fn code(&self) -> &str {
        &self.code
    }

    fn list(programme: &Programme) -> &[Self] {
        &programme.prices.early_access
    }

    fn list_mut(programme: &mut Programme) -> &mut Vec<Self> {
        &mut programme.prices.early_access
    }
}

/// All windows of early access
///
/// Through its last day only members of a tier and above may buy the goods.
#[utoipa::path(
    responses((status = 200, description = "All of them.", body = ListOf<schemas::EarlyAccessView>,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/early-access")]
async fn list_early_access(services: web::Data<Services>, caller: Caller) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadProgramme, &Resource::Programme)?;
    let found = services.engine.programme().await?;
    let list = ListOf::whole(part::named::<EarlyAccess>(&found.programme));
    Ok(versioned(StatusCode::OK, found.version, &list))
}

/// Add a window of early access
#[utoipa::path(
    request_body = schemas::EarlyAccess,
    responses((status = 201, description = "Added.", body = schemas::EarlyAccessView,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[
        Code::CodeTaken, Code::ProgrammeInvalid, Code::NoProgramme
    ]))))
)]
#[post("/early-access")]
async fn create_early_access(
    services: web::Data<Services>,
    caller: Caller,
    body: Json<Sent<EarlyAccess>>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WritePrices, &Resource::Programme)?;
    let (version, created) = part::create(&services, &caller, body.0.0).await?;
    Ok(put_answer(version, true, &Named::from(created)))
}

/// One window of early access
#[utoipa::path(
    params(("id" = String, Path, description = "Its code.")),
    responses((status = 200, description = "The window of early access.", body = schemas::EarlyAccessView,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/early-access/{id}")]
async fn read_early_access(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<String>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadProgramme, &Resource::Programme)?;
    let found = services.engine.programme().await?;
    let view = Named::from(part::find::<EarlyAccess>(&found, &id.0)?);
    Ok(versioned(StatusCode::OK, found.version, &view))
}

/// Add or replace a window of early access
#[utoipa::path(
    params(("id" = String, Path, description = "Its code."), Condition),
    request_body = schemas::EarlyAccess,
    responses(
        (status = 200, description = "Replaced.", body = schemas::EarlyAccessView,
            headers(("ETag" = String, description = "The version of the programme."))),
        (status = 201, description = "Added.", body = schemas::EarlyAccessView,
            headers(("ETag" = String, description = "The version of the programme."))),
    ),
    extensions(("x-problems" = json!(problems(&[Code::ProgrammeInvalid, Code::NoProgramme]))))
)]
#[put("/early-access/{id}")]
async fn put_early_access(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<String>,
    condition: Condition,
    body: Json<Sent<EarlyAccess>>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WritePrices, &Resource::Programme)?;
    let (version, stored, new) = part::put(&services, &caller, &id.0, condition, body.0.0).await?;
    Ok(put_answer(version, new, &Named::from(stored)))
}

/// Take a window of early access away
#[utoipa::path(
    params(("id" = String, Path, description = "Its code."), IfMatch),
    responses((status = 204, description = "Gone.",
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::ProgrammeInvalid, Code::NoProgramme]))))
)]
#[delete("/early-access/{id}")]
async fn delete_early_access(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<String>,
    if_match: IfMatch,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WritePrices, &Resource::Programme)?;
    Ok(gone(part::delete::<EarlyAccess>(&services, &caller, &id.0, if_match).await?))
}
