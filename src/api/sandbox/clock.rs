//! `/v1/sandbox/clock`: programme time, which here can be moved forward, and never back.

use actix_web::{HttpResponse, get, post, put, web};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tessera_rules::time::{Instant, Zone, to_micros};
use utoipa::ToSchema;

use super::check;
use super::duration::Duration;
use crate::access::{Action, Caller};
use crate::api::Services;
use crate::api::error::{Code, Problem, both};
use crate::api::extract::{Json, invalid_field};
use crate::api::openapi::problems;
use crate::engine::Failure;
use crate::jobs;

/// The furthest the clock goes in one request: every day on the way is lived through.
const FURTHEST: TimeDelta = TimeDelta::days(3660);

/// The two clocks.
#[derive(Serialize, ToSchema)]
struct ClockView {
    /// Programme time: what points, tiers and expiry go by.
    now: DateTime<Utc>,
    /// Wall time: what tokens and one-time codes go by.
    wall: DateTime<Utc>,
    /// How far programme time is ahead, in seconds.
    #[schema(example = 86400)]
    offset_seconds: i64,
}

/// Where the clock is to stand.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ClockSetting {
    /// Not before now, at most 3660 days ahead.
    #[schema(example = "2027-01-01T00:00:00Z")]
    now: DateTime<Utc>,
}

/// By how much the clock is to move.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ClockStep {
    /// An ISO 8601 duration, at most 3660 days. Years, months, weeks and days go by the calendar of
    /// the programme's time zone.
    #[schema(value_type = String, example = "P1D")]
    by: Duration,
}

fn shown(services: &Services) -> HttpResponse {
    let (wall, offset) = (services.clock.wall_now(), services.clock.offset());
    // To the nearest second: setting the clock takes a moment, by which the offset falls short.
    let offset_seconds = (offset + 500_000).div_euclid(1_000_000);
    HttpResponse::Ok().json(ClockView { now: wall + TimeDelta::microseconds(offset), wall, offset_seconds })
}

/// Moves the clock through every day up to `target`, with the jobs of each.
async fn advance(services: &Services, now: Instant, target: Instant, pointer: &str) -> Result<HttpResponse, Problem> {
    if target < now {
        let now = now.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let detail = both(format!("It is {now} already."), format!("当前时间已是 {now}。"));
        return Err(Problem::new(Code::ClockBackwards).with_detail(detail));
    }
    if target - now > FURTHEST {
        return Err(invalid_field(pointer, "At most 3660 days at once.", "一次最多前进 3660 天。"));
    }
    jobs::advance_to(&services.engine, to_micros(target)).await?;
    Ok(shown(services))
}

/// Read the sandbox clock
#[utoipa::path(
    responses((status = 200, description = "The two clocks.", body = ClockView)),
    extensions(("x-problems" = json!(problems(&[Code::NotSandbox]))))
)]
#[get("/clock")]
pub(super) async fn read_clock(services: web::Data<Services>, caller: Caller) -> Result<HttpResponse, Problem> {
    check(&services, &caller, Action::ReadSandbox)?;
    Ok(shown(&services))
}

/// Set the sandbox clock
///
/// The jobs due in between run in order, day by day, before the answer comes.
#[utoipa::path(
    responses((status = 200, description = "The two clocks.", body = ClockView)),
    extensions(("x-problems" = json!(problems(&[Code::NotSandbox, Code::ClockBackwards, Code::Busy]))))
)]
#[put("/clock")]
pub(super) async fn set_clock(
    services: web::Data<Services>,
    caller: Caller,
    body: Json<ClockSetting>,
) -> Result<HttpResponse, Problem> {
    check(&services, &caller, Action::MoveSandboxClock)?;
    advance(&services, services.clock.now(), body.0.now, "/now").await
}

/// Advance the sandbox clock
///
/// The jobs due in between run in order, day by day, before the answer comes.
#[utoipa::path(
    responses((status = 200, description = "The two clocks.", body = ClockView)),
    extensions(("x-problems" = json!(problems(&[Code::NotSandbox, Code::Busy]))))
)]
#[post("/clock/advance")]
pub(super) async fn advance_clock(
    services: web::Data<Services>,
    caller: Caller,
    body: Json<ClockStep>,
) -> Result<HttpResponse, Problem> {
    check(&services, &caller, Action::MoveSandboxClock)?;
    let now = services.clock.now();
    let zone = match services.engine.programme().await {
        Ok(versioned) => versioned.programme.time_zone,
        Err(Failure::NoProgramme) => Zone(chrono_tz::UTC),
        Err(failure) => return Err(failure.into()),
    };
    let target = body.0.by.after(now, zone);
    let target = target.ok_or_else(|| invalid_field("/by", "At most 3660 days at once.", "一次最多前进 3660 天。"))?;
    advance(&services, now, target, "/by").await
}
