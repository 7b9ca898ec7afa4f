//! `/v1/admin/tiers`: the ladder of tiers, as a whole and tier by tier.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, delete, get, post, put, web};
use tessera_rules::Programme;
use tessera_rules::programme::Tiers;
use tessera_rules::tier::TierLevel;
use utoipa_actix_web::service_config::ServiceConfig;

use super::part::{self, Change, Condition, Named, Part, Sent, Whole, put_answer};
use super::schemas;
use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::error::{Code, Problem};
use crate::api::extract::{Id, IfMatch, Json};
use crate::api::guard::permit;
use crate::api::openapi::problems;
use crate::api::work::{gone, versioned};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(read_tiers)
        .service(put_tiers)
        .service(create_tier)
        .service(read_tier)
        .service(put_tier)
        .service(delete_tier);
}

impl Part for TierLevel {
    const NOUN: &'static str = "tier";
    const AT: &'static str = "/tiers/levels";

    fn code(&self) -> &str {
        &self.code
    }

    fn list(programme: &Programme) -> &[Self] {
        &programme.tiers.levels
    }

    fn list_mut(programme: &mut Programme) -> &mut Vec<Self> {
        &mut programme.tiers.levels
    }

    fn arrange(list: &mut [Self]) {
        list.sort_by_key(|level| level.threshold);
    }
}

/// The ladder
///
/// What is measured, over which window, and the tiers from the lowest up.
#[utoipa::path(
    responses((status = 200, description = "The ladder.", body = schemas::Tiers,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/tiers")]
async fn read_tiers(services: web::Data<Services>, caller: Caller) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadProgramme, &Resource::Programme)?;
    let found = services.engine.programme().await?;
    Ok(versioned(StatusCode::OK, found.version, &found.programme.tiers))
}

/// Replace the ladder
///
/// Members keep the tier they hold until it is looked at next: up after a purchase, down at a
/// midnight. A tier that is gone counts as the lowest.
#[utoipa::path(
    params(IfMatch),
    request_body = schemas::Tiers,
    responses((status = 200, description = "Replaced.", body = schemas::Tiers,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::ProgrammeInvalid, Code::NoProgramme]))))
)]
#[put("/tiers")]
async fn put_tiers(
    services: web::Data<Services>,
    caller: Caller,
    if_match: IfMatch,
    body: Json<Whole<Tiers>>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WriteTiers, &Resource::Programme)?;
    let (tiers, what) = (body.0.0.clone(), Change::of(&caller, Some(if_match.0), "tiers.put", "tiers"));
    let edit = move |programme: &mut Programme| {
        programme.tiers.clone_from(&tiers);
        Ok((Some("/tiers".to_owned()), ()))
    };
    let (version, ()) = part::change(&services, what, edit).await?;
    Ok(versioned(StatusCode::OK, version, &body.0.0))
}

/// Add a tier
#[utoipa::path(
    request_body = schemas::TierLevel,
    responses((status = 201, description = "Added.", body = schemas::TierLevelView,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[
        Code::CodeTaken, Code::ProgrammeInvalid, Code::NoProgramme
    ]))))
)]
#[post("/tiers")]
async fn create_tier(
    services: web::Data<Services>,
    caller: Caller,
    body: Json<Sent<TierLevel>>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WriteTiers, &Resource::Programme)?;
    let (version, created) = part::create(&services, &caller, body.0.0).await?;
    Ok(put_answer(version, true, &Named::from(created)))
}

/// One tier
#[utoipa::path(
    params(("id" = String, Path, description = "Its code.")),
    responses((status = 200, description = "The tier.", body = schemas::TierLevelView,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/tiers/{id}")]
async fn read_tier(services: web::Data<Services>, caller: Caller, id: Id<String>) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadProgramme, &Resource::Programme)?;
    let found = services.engine.programme().await?;
    let view = Named::from(part::find::<TierLevel>(&found, &id.0)?);
    Ok(versioned(StatusCode::OK, found.version, &view))
}

/// Add or replace a tier
#[utoipa::path(
    params(("id" = String, Path, description = "Its code."), Condition),
    request_body = schemas::TierLevel,
    responses(
        (status = 200, description = "Replaced.", body = schemas::TierLevelView,
            headers(("ETag" = String, description = "The version of the programme."))),
        (status = 201, description = "Added.", body = schemas::TierLevelView,
            headers(("ETag" = String, description = "The version of the programme."))),
    ),
    extensions(("x-problems" = json!(problems(&[Code::ProgrammeInvalid, Code::NoProgramme]))))
)]
#[put("/tiers/{id}")]
async fn put_tier(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<String>,
    condition: Condition,
    body: Json<Sent<TierLevel>>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WriteTiers, &Resource::Programme)?;
    let (version, stored, new) = part::put(&services, &caller, &id.0, condition, body.0.0).await?;
    Ok(put_answer(version, new, &Named::from(stored)))
}

/// Take a tier away
#[utoipa::path(
    params(("id" = String, Path, description = "Its code."), IfMatch),
    responses((status = 204, description = "Gone.",
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::ProgrammeInvalid, Code::NoProgramme]))))
)]
#[delete("/tiers/{id}")]
async fn delete_tier(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<String>,
    if_match: IfMatch,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WriteTiers, &Resource::Programme)?;
    Ok(gone(part::delete::<TierLevel>(&services, &caller, &id.0, if_match).await?))
}
