//! `/v1/admin/earning-rules`: multipliers for categories and articles.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, delete, get, post, put, web};
use tessera_rules::Programme;
use tessera_rules::programme::EarningRule;
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
        .service(list_earning_rules)
        .service(create_earning_rule)
        .service(read_earning_rule)
        .service(put_earning_rule)
        .service(delete_earning_rule);
}

impl Part for EarningRule {
    const NOUN: &'static str = "earning_rule";
    const AT: &'static str = "/earning/rules";

    fn code(&self) -> &str {
        &self.code
    }

    fn list(programme: &Programme) -> &[Self] {
        &programme.earning.rules
    }

    fn list_mut(programme: &mut Programme) -> &mut Vec<Self> {
        &mut programme.earning.rules
    }
}

/// All earning rules
///
/// Of those that match a line the largest multiplier counts. The base rate, the caps and what earns nothing stand in the programme itself.
#[utoipa::path(
    responses((status = 200, description = "All of them.", body = ListOf<schemas::EarningRuleView>,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/earning-rules")]
async fn list_earning_rules(services: web::Data<Services>, caller: Caller) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadProgramme, &Resource::Programme)?;
    let found = services.engine.programme().await?;
    let list = ListOf::whole(part::named::<EarningRule>(&found.programme));
    Ok(versioned(StatusCode::OK, found.version, &list))
}

/// Add an earning rule
#[utoipa::path(
    request_body = schemas::EarningRule,
    responses((status = 201, description = "Added.", body = schemas::EarningRuleView,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[
        Code::CodeTaken, Code::ProgrammeInvalid, Code::NoProgramme
    ]))))
)]
#[post("/earning-rules")]
async fn create_earning_rule(
    services: web::Data<Services>,
    caller: Caller,
    body: Json<Sent<EarningRule>>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WriteEarningRules, &Resource::Programme)?;
    let (version, created) = part::create(&services, &caller, body.0.0).await?;
    Ok(put_answer(version, true, &Named::from(created)))
}

/// One earning rule
#[utoipa::path(
    params(("id" = String, Path, description = "Its code.")),
    responses((status = 200, description = "The earning rule.", body = schemas::EarningRuleView,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/earning-rules/{id}")]
async fn read_earning_rule(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<String>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadProgramme, &Resource::Programme)?;
    let found = services.engine.programme().await?;
    let view = Named::from(part::find::<EarningRule>(&found, &id.0)?);
    Ok(versioned(StatusCode::OK, found.version, &view))
}

/// Add or replace an earning rule
#[utoipa::path(
    params(("id" = String, Path, description = "Its code."), Condition),
    request_body = schemas::EarningRule,
    responses(
        (status = 200, description = "Replaced.", body = schemas::EarningRuleView,
            headers(("ETag" = String, description = "The version of the programme."))),
        (status = 201, description = "Added.", body = schemas::EarningRuleView,
            headers(("ETag" = String, description = "The version of the programme."))),
    ),
    extensions(("x-problems" = json!(problems(&[Code::ProgrammeInvalid, Code::NoProgramme]))))
)]
#[put("/earning-rules/{id}")]
async fn put_earning_rule(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<String>,
    condition: Condition,
    body: Json<Sent<EarningRule>>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WriteEarningRules, &Resource::Programme)?;
    let (version, stored, new) = part::put(&services, &caller, &id.0, condition, body.0.0).await?;
    Ok(put_answer(version, new, &Named::from(stored)))
}

/// Take an earning rule away
#[utoipa::path(
    params(("id" = String, Path, description = "Its code."), IfMatch),
    responses((status = 204, description = "Gone.",
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::ProgrammeInvalid, Code::NoProgramme]))))
)]
#[delete("/earning-rules/{id}")]
async fn delete_earning_rule(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<String>,
    if_match: IfMatch,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WriteEarningRules, &Resource::Programme)?;
    Ok(gone(part::delete::<EarningRule>(&services, &caller, &id.0, if_match).await?))
}
