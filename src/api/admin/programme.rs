//! `/v1/admin/programme`: the whole document, as the TOML file has it.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, put, web};
use tessera_rules::Programme;
use utoipa_actix_web::service_config::ServiceConfig;

use super::part::{Condition, Whole, refused};
use super::schemas;
use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::error::{Code, Problem, both};
use crate::api::extract::Json;
use crate::api::guard::permit;
use crate::api::openapi::problems;
use crate::api::work::{self, versioned};
use crate::engine::{Failure, configure};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(read_programme).service(put_programme);
}

/// The programme in force
///
/// The whole document. The entity tag is its version, which all of its parts share.
#[utoipa::path(
    responses((status = 200, description = "The programme.", body = schemas::Programme,
        headers(("ETag" = String, description = "The version in force.")))),
    extensions(("x-problems" = json!(problems(&[Code::NotFound]))))
)]
#[get("/programme")]
async fn read_programme(services: web::Data<Services>, caller: Caller) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadProgramme, &Resource::Programme)?;
    let versioned = services.engine.programme().await.map_err(|failure| match failure {
        Failure::NoProgramme => {
            Problem::new(Code::NotFound).with_detail(both("No programme has been applied yet.", "尚未启用积分计划。"))
        }
        failure => failure.into(),
    })?;
    Ok(work::versioned(StatusCode::OK, versioned.version, &versioned.programme))
}

/// Replace the programme
///
/// Appends a version; the old ones stay on record, and every sale names the one it was decided by.
/// A document that says what is in force already changes nothing. The first programme is put with
/// `If-None-Match: *`.
#[utoipa::path(
    params(Condition),
    request_body = schemas::Programme,
    responses(
        (status = 200, description = "In force.", body = schemas::Programme,
            headers(("ETag" = String, description = "The version in force."))),
        (status = 201, description = "In force, the first one.", body = schemas::Programme,
            headers(("ETag" = String, description = "The version in force."))),
    ),
    extensions(("x-problems" = json!(problems(&[Code::ProgrammeInvalid]))))
)]
#[put("/programme")]
async fn put_programme(
    services: web::Data<Services>,
    caller: Caller,
    condition: Condition,
    body: Json<Whole<Programme>>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WriteProgramme, &Resource::Programme)?;
    let (now, actor, programme) = (services.clock.now(), caller.actor(), body.0.0);
    let (expected, status) = match condition {
        Condition::Matches(version) => (version, StatusCode::OK),
        Condition::Absent => (0, StatusCode::CREATED),
    };
    let (version, programme) = work::run(&services, move |conn| {
        let applied = configure::apply(conn, Some(expected), &programme, now, actor, "programme.put", "programme");
        let applied = applied.map_err(|error| refused(error, &Some(String::new())))?;
        Ok((applied.version(), programme))
    })
    .await?;
    Ok(versioned(status, version, &programme))
}
