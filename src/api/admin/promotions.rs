//! `/v1/admin/promotions`: more points in a schedule.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, delete, get, post, put, web};
use tessera_rules::Programme;
use tessera_rules::promotion::Promotion;
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
        .service(list_promotions)
        .service(create_promotion)
        .service(read_promotion)
        .service(put_promotion)
        .service(delete_promotion);
}

impl Part for Promotion {
    const NOUN: &'static str = "promotion";
    const AT: &'static str = "/promotions";

    fn code(&self) -> &str {
        &self.code
    }

    fn list(programme: &Programme) -> &[Self] {
        &programme.promotions
    }

    fn list_mut(programme: &mut Programme) -> &mut Vec<Self> {
        &mut programme.promotions
    }
}

/// All promotions
///
/// In no particular order: priority decides which comes first.
#[utoipa::path(
    responses((status = 200, description = "All of them.", body = ListOf<schemas::PromotionView>,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/promotions")]
async fn list_promotions(services: web::Data<Services>, caller: Caller) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadProgramme, &Resource::Programme)?;
    let found = services.engine.programme().await?;
    let list = ListOf::whole(part::named::<Promotion>(&found.programme));
    Ok(versioned(StatusCode::OK, found.version, &list))
}

/// Add a promotion
#[utoipa::path(
    request_body = schemas::Promotion,
    responses((status = 201, description = "Added.", body = schemas::PromotionView,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[
        Code::CodeTaken, Code::ProgrammeInvalid, Code::NoProgramme
    ]))))
)]
#[post("/promotions")]
async fn create_promotion(
    services: web::Data<Services>,
    caller: Caller,
    body: Json<Sent<Promotion>>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WritePromotions, &Resource::Programme)?;
    let (version, created) = part::create(&services, &caller, body.0.0).await?;
    Ok(put_answer(version, true, &Named::from(created)))
}

/// One promotion
#[utoipa::path(
    params(("id" = String, Path, description = "Its code.")),
    responses((status = 200, description = "The promotion.", body = schemas::PromotionView,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/promotions/{id}")]
async fn read_promotion(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<String>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadProgramme, &Resource::Programme)?;
    let found = services.engine.programme().await?;
    let view = Named::from(part::find::<Promotion>(&found, &id.0)?);
    Ok(versioned(StatusCode::OK, found.version, &view))
}

/// Add or replace a promotion
#[utoipa::path(
    params(("id" = String, Path, description = "Its code."), Condition),
    request_body = schemas::Promotion,
    responses(
        (status = 200, description = "Replaced.", body = schemas::PromotionView,
            headers(("ETag" = String, description = "The version of the programme."))),
        (status = 201, description = "Added.", body = schemas::PromotionView,
            headers(("ETag" = String, description = "The version of the programme."))),
    ),
    extensions(("x-problems" = json!(problems(&[Code::ProgrammeInvalid, Code::NoProgramme]))))
)]
#[put("/promotions/{id}")]
async fn put_promotion(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<String>,
    condition: Condition,
    body: Json<Sent<Promotion>>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WritePromotions, &Resource::Programme)?;
    let (version, stored, new) = part::put(&services, &caller, &id.0, condition, body.0.0).await?;
    Ok(put_answer(version, new, &Named::from(stored)))
}

/// Take a promotion away
#[utoipa::path(
    params(("id" = String, Path, description = "Its code."), IfMatch),
    responses((status = 204, description = "Gone.",
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::ProgrammeInvalid, Code::NoProgramme]))))
)]
#[delete("/promotions/{id}")]
async fn delete_promotion(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<String>,
    if_match: IfMatch,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WritePromotions, &Resource::Programme)?;
    Ok(gone(part::delete::<Promotion>(&services, &caller, &id.0, if_match).await?))
}
