//! `/v1/admin/prices`: what articles cost members.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, delete, get, post, put, web};
use tessera_rules::Programme;
use tessera_rules::price::MemberPrice;
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
    config.service(list_prices).service(create_price).service(read_price).service(put_price).service(delete_price);
}

impl Part for MemberPrice {
    const NOUN: &'static str = "price";
    const AT: &'static str = "/prices/member";

    fn code(&self) -> &str {
        &self.code
    }

    fn list(programme: &Programme) -> &[Self] {
        &programme.prices.member
    }

    fn list_mut(programme: &mut Programme) -> &mut Vec<Self> {
        &mut programme.prices.member
    }
}

/// All member prices
///
/// Of several that hold for an article the lowest counts.
#[utoipa::path(
    responses((status = 200, description = "All of them.", body = ListOf<schemas::MemberPriceView>,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/prices")]
async fn list_prices(services: web::Data<Services>, caller: Caller) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadProgramme, &Resource::Programme)?;
    let found = services.engine.programme().await?;
    let list = ListOf::whole(part::named::<MemberPrice>(&found.programme));
    Ok(versioned(StatusCode::OK, found.version, &list))
}

/// Add a member price
#[utoipa::path(
    request_body = schemas::MemberPrice,
    responses((status = 201, description = "Added.", body = schemas::MemberPriceView,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[
        Code::CodeTaken, Code::ProgrammeInvalid, Code::NoProgramme
    ]))))
)]
#[post("/prices")]
async fn create_price(
    services: web::Data<Services>,
    caller: Caller,
    body: Json<Sent<MemberPrice>>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WritePrices, &Resource::Programme)?;
    let (version, created) = part::create(&services, &caller, body.0.0).await?;
    Ok(put_answer(version, true, &Named::from(created)))
}

/// One member price
#[utoipa::path(
    params(("id" = String, Path, description = "Its code.")),
    responses((status = 200, description = "The member price.", body = schemas::MemberPriceView,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/prices/{id}")]
async fn read_price(services: web::Data<Services>, caller: Caller, id: Id<String>) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadProgramme, &Resource::Programme)?;
    let found = services.engine.programme().await?;
    let view = Named::from(part::find::<MemberPrice>(&found, &id.0)?);
    Ok(versioned(StatusCode::OK, found.version, &view))
}

/// Add or replace a member price
#[utoipa::path(
    params(("id" = String, Path, description = "Its code."), Condition),
    request_body = schemas::MemberPrice,
    responses(
        (status = 200, description = "Replaced.", body = schemas::MemberPriceView,
            headers(("ETag" = String, description = "The version of the programme."))),
        (status = 201, description = "Added.", body = schemas::MemberPriceView,
            headers(("ETag" = String, description = "The version of the programme."))),
    ),
    extensions(("x-problems" = json!(problems(&[Code::ProgrammeInvalid, Code::NoProgramme]))))
)]
#[put("/prices/{id}")]
async fn put_price(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<String>,
    condition: Condition,
    body: Json<Sent<MemberPrice>>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WritePrices, &Resource::Programme)?;
    let (version, stored, new) = part::put(&services, &caller, &id.0, condition, body.0.0).await?;
    Ok(put_answer(version, new, &Named::from(stored)))
}

/// Take a member price away
#[utoipa::path(
    params(("id" = String, Path, description = "Its code."), IfMatch),
    responses((status = 204, description = "Gone.",
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::ProgrammeInvalid, Code::NoProgramme]))))
)]
#[delete("/prices/{id}")]
async fn delete_price(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<String>,
    if_match: IfMatch,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WritePrices, &Resource::Programme)?;
    Ok(gone(part::delete::<MemberPrice>(&services, &caller, &id.0, if_match).await?))
}
