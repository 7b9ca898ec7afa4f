//! `/v1/admin/coupons`: the kinds of coupons there are.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, delete, get, post, put, web};
use tessera_rules::Programme;
use tessera_rules::coupon::CouponType;
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
    config.service(list_coupons).service(create_coupon).service(read_coupon).service(put_coupon).service(delete_coupon);
}

impl Part for CouponType {
    const NOUN: &'static str = "coupon";
    const AT: &'static str = "/coupons";

    fn code(&self) -> &str {
        &self.code
    }

    fn list(programme: &Programme) -> &[Self] {
        &programme.coupons
    }

    fn list_mut(programme: &mut Programme) -> &mut Vec<Self> {
        &mut programme.coupons
    }
}

/// All kinds of coupons
///
/// What is issued carries a code of its own and points to its kind.
#[utoipa::path(
    responses((status = 200, description = "All of them.", body = ListOf<schemas::CouponTypeView>,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/coupons")]
async fn list_coupons(services: web::Data<Services>, caller: Caller) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadProgramme, &Resource::Programme)?;
    let found = services.engine.programme().await?;
    let list = ListOf::whole(part::named::<CouponType>(&found.programme));
    Ok(versioned(StatusCode::OK, found.version, &list))
}

/// Add a kind of coupon
#[utoipa::path(
    request_body = schemas::CouponType,
    responses((status = 201, description = "Added.", body = schemas::CouponTypeView,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[
        Code::CodeTaken, Code::ProgrammeInvalid, Code::NoProgramme
    ]))))
)]
#[post("/coupons")]
async fn create_coupon(
    services: web::Data<Services>,
    caller: Caller,
    body: Json<Sent<CouponType>>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WriteCoupons, &Resource::Programme)?;
    let (version, created) = part::create(&services, &caller, body.0.0).await?;
    Ok(put_answer(version, true, &Named::from(created)))
}

/// One kind of coupon
#[utoipa::path(
    params(("id" = String, Path, description = "Its code.")),
    responses((status = 200, description = "The kind of coupon.", body = schemas::CouponTypeView,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/coupons/{id}")]
async fn read_coupon(services: web::Data<Services>, caller: Caller, id: Id<String>) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadProgramme, &Resource::Programme)?;
    let found = services.engine.programme().await?;
    let view = Named::from(part::find::<CouponType>(&found, &id.0)?);
    Ok(versioned(StatusCode::OK, found.version, &view))
}

/// Add or replace a kind of coupon
#[utoipa::path(
    params(("id" = String, Path, description = "Its code."), Condition),
    request_body = schemas::CouponType,
    responses(
        (status = 200, description = "Replaced.", body = schemas::CouponTypeView,
            headers(("ETag" = String, description = "The version of the programme."))),
        (status = 201, description = "Added.", body = schemas::CouponTypeView,
            headers(("ETag" = String, description = "The version of the programme."))),
    ),
    extensions(("x-problems" = json!(problems(&[Code::ProgrammeInvalid, Code::NoProgramme]))))
)]
#[put("/coupons/{id}")]
async fn put_coupon(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<String>,
    condition: Condition,
    body: Json<Sent<CouponType>>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WriteCoupons, &Resource::Programme)?;
    let (version, stored, new) = part::put(&services, &caller, &id.0, condition, body.0.0).await?;
    Ok(put_answer(version, new, &Named::from(stored)))
}

/// Take a kind of coupon away
#[utoipa::path(
    params(("id" = String, Path, description = "Its code."), IfMatch),
    responses((status = 204, description = "Gone.",
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::ProgrammeInvalid, Code::NoProgramme]))))
)]
#[delete("/coupons/{id}")]
async fn delete_coupon(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<String>,
    if_match: IfMatch,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WriteCoupons, &Resource::Programme)?;
    Ok(gone(part::delete::<CouponType>(&services, &caller, &id.0, if_match).await?))
}
