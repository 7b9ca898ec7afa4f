//! `/v1/admin/programme/schedule`: the programme that comes into force on a day.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, delete, get, put, web};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tessera_rules::Programme;
use tessera_rules::text::Text;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::part::{Condition, Whole};
use super::schemas;
use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::error::{Code, FieldError, Problem, both};
use crate::api::extract::{IfMatch, Json, invalid_field};
use crate::api::guard::permit;
use crate::api::openapi::problems;
use crate::api::work::{self, ActorView, Failed};
use crate::engine::schedule::{self, Plan, ScheduleError};
use crate::store::programme::current_version;
use crate::store::schedule::{ScheduledRow, find};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(read_schedule).service(put_schedule).service(delete_schedule);
}

/// A programme and its day.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ScheduleRequest {
    /// The local day from whose first instant on it is in force; after today, in the time zone of the
    /// programme in force.
    #[schema(example = "2027-01-01")]
    effective_on: NaiveDate,
    /// The version of the programme it was made on: the one in force.
    #[schema(minimum = 1, example = 7)]
    base: i64,
    /// The whole document.
    #[schema(value_type = schemas::Programme)]
    programme: Whole<Programme>,
}

/// What becomes of a schedule.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Status {
    /// It comes into force on its day.
    Waiting,
    /// Another version than its base is in force by now: on its day it will be refused.
    Overtaken,
    /// It was refused on its day.
    Refused,
}

/// A schedule.
#[derive(Serialize, ToSchema)]
struct ScheduleView {
    /// What becomes of it.
    status: Status,
    /// The local day from whose first instant on it is in force.
    #[schema(example = "2027-01-01")]
    effective_on: NaiveDate,
    /// The version of the programme it was made on.
    #[schema(example = 7)]
    base: i64,
    /// When it was scheduled.
    scheduled_at: DateTime<Utc>,
    /// By whom.
    scheduled_by: ActorView,
    /// When it was refused.
    refused_at: Option<DateTime<Utc>>,
    /// Why: `version_conflict` with the `version` in force, `programme_invalid` with `errors`, or
    /// `programme_unreadable`.
    #[schema(value_type = Option<Object>)]
    refusal: Option<Value>,
    /// The programme.
    #[schema(value_type = schemas::Programme)]
    programme: Value,
}

fn view(row: ScheduledRow, current: Option<i64>) -> ScheduleView {
    let status = match row.refused_at {
        Some(_) => Status::Refused,
        None if current != Some(row.base) => Status::Overtaken,
        None => Status::Waiting,
    };
    ScheduleView {
        status,
        effective_on: row.effective_on,
        base: row.base,
        scheduled_at: row.created_at,
        scheduled_by: ActorView::of(row.actor_role, row.actor_id),
        refused_at: row.refused_at,
        refusal: row.refusal,
        programme: row.document,
    }
}

fn refused(error: ScheduleError) -> Failed {
    match error {
        ScheduleError::Store(error) => error.into(),
        ScheduleError::Conflict { current: None } => Code::NoProgramme.into(),
        ScheduleError::Conflict { current: Some(current) } => {
            let detail = both(
                format!("Version {current} of the programme is in force: the schedule must be made on it."),
                format!("当前启用的积分计划为第 {current} 版，须以该版本为基础。"),
            );
            Problem::field(Code::VersionConflict, "/base", "version_conflict", detail)
                .with_current_version(current)
                .into()
        }
        ScheduleError::Other { number } => {
            Problem::new(Code::VersionConflict).with_current_version(number.unwrap_or(0)).into()
        }
        ScheduleError::NotAhead { today } => invalid_field(
            "/effective_on",
            &format!("The day must be after {today}, today."),
            &format!("日期必须晚于今天（{today}）。"),
        )
        .into(),
        ScheduleError::Problems(mistakes) => mistakes
            .into_iter()
            .fold(Problem::new(Code::ProgrammeInvalid), |told, mistake| {
                let pointer = format!("/programme{}", mistake.pointer);
                told.with_error(FieldError { pointer, code: mistake.code, detail: Text::from(mistake.detail.as_str()) })
            })
            .into(),
    }
}

/// The scheduled programme
///
/// The entity tag is the schedule's own number.
#[utoipa::path(
    responses((status = 200, description = "It waits for its day, or was refused on it.", body = ScheduleView,
        headers(("ETag" = String, description = "The number of the schedule.")))),
    extensions(("x-problems" = json!(problems(&[Code::NotFound]))))
)]
#[get("/programme/schedule")]
async fn read_schedule(services: web::Data<Services>, caller: Caller) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadProgramme, &Resource::Programme)?;
    let (row, current) = work::run(&services, |conn| {
        let row = find(conn)?.ok_or_else(|| {
            Problem::new(Code::NotFound).with_detail(both("No programme is scheduled.", "没有待生效的积分计划。"))
        })?;
        Ok((row, current_version(conn)?))
    })
    .await?;
    Ok(work::versioned(StatusCode::OK, row.number, &view(row, current)))
}

/// Schedule a programme
///
/// It comes into force at the first instant of its local day, by a job, within a second or so. It is
/// made on the version in force now: if another version is put in force before its day, it is refused
/// then instead of undoing that one, and is shown as refused until it is deleted or replaced. There is
/// one schedule at most: the first is put with `If-None-Match: *`.
#[utoipa::path(
    params(Condition),
    request_body = ScheduleRequest,
    responses(
        (status = 200, description = "Scheduled instead of another.", body = ScheduleView,
            headers(("ETag" = String, description = "The number of the schedule."))),
        (status = 201, description = "Scheduled.", body = ScheduleView,
            headers(("ETag" = String, description = "The number of the schedule."))),
    ),
    extensions(("x-problems" = json!(problems(&[Code::ProgrammeInvalid, Code::NoProgramme]))))
)]
#[put("/programme/schedule")]
async fn put_schedule(
    services: web::Data<Services>,
    caller: Caller,
    condition: Condition,
    body: Json<ScheduleRequest>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WriteProgramme, &Resource::Programme)?;
    let ScheduleRequest { effective_on, base, programme: Whole(programme) } = body.0;
    let (now, actor) = (services.clock.now(), caller.actor());
    let (instead_of, status) = match condition {
        Condition::Matches(number) => (Some(number), StatusCode::OK),
        Condition::Absent => (None, StatusCode::CREATED),
    };
    let (row, current) = work::run_whole(&services, move |conn| {
        let plan = Plan { base, on: effective_on, programme: &programme, instead_of };
        schedule::schedule(conn, &plan, now, actor).map_err(refused)?;
        Ok((find(conn)?.ok_or(Code::NotFound)?, current_version(conn)?))
    })
    .await?;
    Ok(work::versioned(status, row.number, &view(row, current)))
}

/// Withdraw the scheduled programme
///
/// Or take note that it was refused.
#[utoipa::path(
    params(IfMatch),
    responses((status = 204, description = "Withdrawn.",
        headers(("ETag" = String, description = "The number it had.")))),
    extensions(("x-problems" = json!(problems(&[Code::NotFound]))))
)]
#[delete("/programme/schedule")]
async fn delete_schedule(
    services: web::Data<Services>,
    caller: Caller,
    if_match: IfMatch,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WriteProgramme, &Resource::Programme)?;
    let (now, actor) = (services.clock.now(), caller.actor());
    let number = work::run_whole(&services, move |conn| {
        let row = find(conn)?.ok_or(Code::NotFound)?;
        if_match.check(row.number)?;
        schedule::withdraw(conn, row.number, now, actor)?.ok_or(Code::NotFound)?;
        Ok(row.number)
    })
    .await?;
    Ok(work::gone(number))
}
