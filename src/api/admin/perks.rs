//! `/v1/admin/perks`: what members are given for an occasion.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, delete, get, post, put, web};
use tessera_rules::Programme;
use tessera_rules::perk::Perk;
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
    config.service(list_perks).service(create_perk).service(read_perk).service(put_perk).service(delete_perk);
}

impl Part for Perk {
    const NOUN: &'static str = "perk";
    const AT: &'static str = "/perks";

    fn code(&self) -> &str {
        &self.code
    }

    fn list(programme: &Programme) -> &[Self] {
        &programme.perks
    }

    fn list_mut(programme: &mut Programme) -> &mut Vec<Self> {
        &mut programme.perks
    }
}

/// All perks
///
/// Each is granted once per member and occasion.
#[utoipa::path(
    responses((status = 200, description = "All of them.", body = ListOf<schemas::PerkView>,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/perks")]
async fn list_perks(services: web::Data<Services>, caller: Caller) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadProgramme, &Resource::Programme)?;
    let found = services.engine.programme().await?;
    let list = ListOf::whole(part::named::<Perk>(&found.programme));
    Ok(versioned(StatusCode::OK, found.version, &list))
}

/// Add a perk
#[utoipa::path(
    request_body = schemas::Perk,
    responses((status = 201, description = "Added.", body = schemas::PerkView,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[
        Code::CodeTaken, Code::ProgrammeInvalid, Code::NoProgramme
    ]))))
)]
#[post("/perks")]
async fn create_perk(
    services: web::Data<Services>,
    caller: Caller,
    body: Json<Sent<Perk>>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WritePerks, &Resource::Programme)?;
    let (version, created) = part::create(&services, &caller, body.0.0).await?;
    Ok(put_answer(version, true, &Named::from(created)))
}

/// One perk
#[utoipa::path(
    params(("id" = String, Path, description = "Its code.")),
    responses((status = 200, description = "The perk.", body = schemas::PerkView,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/perks/{id}")]
async fn read_perk(services: web::Data<Services>, caller: Caller, id: Id<String>) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadProgramme, &Resource::Programme)?;
    let found = services.engine.programme().await?;
    let view = Named::from(part::find::<Perk>(&found, &id.0)?);
    Ok(versioned(StatusCode::OK, found.version, &view))
}

/// Add or replace a perk
#[utoipa::path(
    params(("id" = String, Path, description = "Its code."), Condition),
    request_body = schemas::Perk,
    responses(
        (status = 200, description = "Replaced.", body = schemas::PerkView,
            headers(("ETag" = String, description = "The version of the programme."))),
        (status = 201, description = "Added.", body = schemas::PerkView,
            headers(("ETag" = String, description = "The version of the programme."))),
    ),
    extensions(("x-problems" = json!(problems(&[Code::ProgrammeInvalid, Code::NoProgramme]))))
)]
#[put("/perks/{id}")]
async fn put_perk(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<String>,
    condition: Condition,
    body: Json<Sent<Perk>>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WritePerks, &Resource::Programme)?;
    let (version, stored, new) = part::put(&services, &caller, &id.0, condition, body.0.0).await?;
    Ok(put_answer(version, new, &Named::from(stored)))
}

/// Take a perk away
#[utoipa::path(
    params(("id" = String, Path, description = "Its code."), IfMatch),
    responses((status = 204, description = "Gone.",
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::ProgrammeInvalid, Code::NoProgramme]))))
)]
#[delete("/perks/{id}")]
async fn delete_perk(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<String>,
    if_match: IfMatch,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WritePerks, &Resource::Programme)?;
    Ok(gone(part::delete::<Perk>(&services, &caller, &id.0, if_match).await?))
}
