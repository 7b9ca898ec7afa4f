//! `/v1/admin/re-ratings`: purchases that were given wrong points are put right, as one: planned, looked at member by
//! member, applied, and taken back if need be.

mod plan;
mod views;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, post, web};
use serde::Deserialize;
use serde_json::{Value, json};
use tessera_rules::command::Role;
use tessera_rules::id::{MemberId, PurchaseId, ReRatingId, StaffId};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::error::{Code, Problem, internal};
use crate::api::extract::{Id, IfMatch, Json, Query, etag};
use crate::api::guard::permit;
use crate::api::openapi::problems;
use crate::api::page::{ListOf, Page};
use crate::api::work::{Failed, run_whole, versioned};
use crate::engine::{self, Versioned};
use crate::store::adjustment;
use crate::store::audit::{self, Change};
use crate::store::db::Connection;
use crate::store::re_rating::{self, ChangedPurchase, ReRatingRow, Status, Step};
use plan::{Plan, ReRatingRequest};
use views::{ReRatedMember, ReRatingView};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(plan_re_rating).service(list_re_ratings).service(re_rated_csv).service(re_rated_members);
    config.service(apply_re_rating).service(undo_re_rating).service(read_re_rating);
}

/// Purchases named in a refusal.
const NAMED: i32 = 100;
/// Members of one page of the CSV.
const PAGE: i64 = 500;

/// Plan a re-rating
///
/// Replays the purchases of some days as the programme should have rated them – each by the version that decided it,
/// with the correction – and keeps what would come out otherwise. Nothing is booked. The answer's `ETag` stands for
/// the plan.
#[utoipa::path(
    request_body = ReRatingRequest,
    responses((status = 201, description = "Planned.", body = ReRatingView,
        headers(("ETag" = String, description = "The plan.")))),
    extensions(("x-problems" = json!(problems(&[
        Code::ProgrammeInvalid, Code::NoProgramme, Code::CurrencyMismatch, Code::AmountOutOfRange, Code::Busy,
        Code::ReasonUnknown,
    ]))))
)]
#[post("/re-ratings")]
async fn plan_re_rating(
    services: web::Data<Services>,
    caller: Caller,
    body: Json<ReRatingRequest>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReRatePurchases, &Resource::Programme)?;
    let Plan { row, members, purchases } = plan::make(&services, &caller, body.0).await?;
    let actor = caller.actor();
    let row = run_whole(&services, move |conn| {
        re_rating::insert(conn, &row, &members, &purchases)?;
        let object = ReRatingId::new(row.id).to_string();
        let change = Change { action: "re_rating.plan", object: &object, before: None, after: Some(told(&row)) };
        audit::record(conn, row.planned_at, actor, change)?;
        Ok(row)
    });
    let row = row.await?;
    Ok(versioned(StatusCode::CREATED, version(&row), &ReRatingView::from(row)))
}

/// Re-ratings
#[utoipa::path(
    params(Page),
    responses((status = 200, description = "A page of re-ratings, newest first.", body = ListOf<ReRatingView>))
)]
#[get("/re-ratings")]
async fn list_re_ratings(
    services: web::Data<Services>,
    caller: Caller,
    page: Query<Page>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReRatePurchases, &Resource::Programme)?;
    let Page { limit, cursor } = page.0;
    let before: Option<Uuid> = cursor.map(|cursor| cursor.open("re-ratings")).transpose()?;
    let rows = services.pool.run(move |conn| re_rating::list(conn, before, limit.to_read())).await?;
    Ok(HttpResponse::Ok().json(ListOf::new("re-ratings", rows, limit, |row| row.id, ReRatingView::from)))
}

/// One re-rating
#[utoipa::path(
    responses((status = 200, description = "As it stands.", body = ReRatingView,
        headers(("ETag" = String, description = "The plan.")))),
)]
#[get("/re-ratings/{id}")]
async fn read_re_rating(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<ReRatingId>,
) -> Result<HttpResponse, Problem> {
    let row = found(&services, &caller, id).await?;
    Ok(versioned(StatusCode::OK, version(&row), &ReRatingView::from(row)))
}

/// Whom a re-rating concerns
///
/// Member by member: what was given, what should have been, the difference, and the purchases behind it.
#[utoipa::path(
    params(Page),
    responses((status = 200, description = "A page of members, by id.", body = ListOf<ReRatedMember>))
)]
#[get("/re-ratings/{id}/members")]
async fn re_rated_members(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<ReRatingId>,
    page: Query<Page>,
) -> Result<HttpResponse, Problem> {
    let row = found(&services, &caller, id).await?;
    let Page { limit, cursor } = page.0;
    let after: Option<Uuid> = cursor.map(|cursor| cursor.open("re-rated")).transpose()?;
    let read = move |conn: &mut Connection| views::members(conn, row.id, after.unwrap_or(Uuid::nil()), limit.to_read());
    let rows = services.pool.run(read).await?;
    Ok(HttpResponse::Ok().json(ListOf::new("re-rated", rows, limit, ReRatedMember::uuid, |row| row)))
}

/// Whom a re-rating concerns, as CSV
///
/// One line a purchase, by member.
#[utoipa::path(
    responses((status = 200, description = "Every purchase.", body = String, content_type = "text/csv")),
)]
#[get("/re-ratings/{id}/members.csv")]
async fn re_rated_csv(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<ReRatingId>,
) -> Result<HttpResponse, Problem> {
    let row = found(&services, &caller, id).await?;
    let (mut text, mut after) = (views::CSV_HEAD.to_owned(), Uuid::nil());
    loop {
        let page = services.pool.run(move |conn| views::members(conn, row.id, after, PAGE)).await?;
        let Some(last) = page.last().map(ReRatedMember::uuid) else { break };
        page.iter().for_each(|member| member.csv(&mut text));
        after = last;
    }
    Ok(HttpResponse::Ok().content_type("text/csv; charset=utf-8").body(text))
}

/// What a step may be refused for.
const STEP_PROBLEMS: &[Code] = &[
    Code::SecondPersonNeeded,
    Code::StateConflict,
    Code::ReRatingOutdated,
    Code::NoProgramme,
    Code::Busy,
    Code::AmountOutOfRange,
];

/// How a step is meant.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct StepRequest {
    /// Leave out members with purchases that changed since, instead of refusing all.
    #[serde(default)]
    leave_out_changed: bool,
}

/// Apply a re-rating
///
/// Gives or takes every member the difference, each once however often this is called, and has the purchases stand
/// as they should. Above the limits of an adjustment somebody else than who planned it applies it. Where purchases were
/// returned, moved or rated anew since it was planned, nothing is booked and they are named. What a process that ended
/// left undone is done when it is applied again.
#[utoipa::path(
    params(IfMatch),
    responses((status = 200, description = "Applied.", body = ReRatingView)),
    extensions(("x-problems" = json!(problems(STEP_PROBLEMS))))
)]
#[post("/re-ratings/{id}/apply")]
async fn apply_re_rating(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<ReRatingId>,
    if_match: IfMatch,
    Json(step): Json<StepRequest>,
) -> Result<HttpResponse, Problem> {
    take(&services, caller, id, if_match, (step, false)).await
}

/// Undo a re-rating
///
/// Books the opposite of what was booked, as one, and has the purchases stand as before. As for applying, purchases
/// that changed since stand in the way.
#[utoipa::path(
    params(IfMatch),
    responses((status = 200, description = "Undone.", body = ReRatingView)),
    extensions(("x-problems" = json!(problems(STEP_PROBLEMS))))
)]
#[post("/re-ratings/{id}/undo")]
async fn undo_re_rating(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<ReRatingId>,
    if_match: IfMatch,
    Json(step): Json<StepRequest>,
) -> Result<HttpResponse, Problem> {
    take(&services, caller, id, if_match, (step, true)).await
}

async fn found(services: &Services, caller: &Caller, id: ReRatingId) -> Result<ReRatingRow, Problem> {
    permit(caller, Action::ReRatePurchases, &Resource::Programme)?;
    let row = services.pool.run(move |conn| re_rating::find(conn, id)).await?;
    row.ok_or(Problem::new(Code::NotFound))
}

/// The entity tag: the plan's fingerprint, as far as a number holds it.
fn version(row: &ReRatingRow) -> i64 {
    let head = row.fingerprint.first_chunk().copied().unwrap_or_default();
    i64::from_be_bytes(head) & i64::MAX
}

/// As the audit log tells it.
fn told(row: &ReRatingRow) -> Value {
    json!({
        "from": row.from_day, "to": row.to_day, "stores": row.stores, "reason": row.reason, "note": row.note,
        "purchases": row.purchases, "members": row.members, "gives": row.gives, "takes": row.takes,
    })
}

/// A step from where it may be taken; none where it was.
async fn take(
    services: &web::Data<Services>,
    caller: Caller,
    id: ReRatingId,
    if_match: IfMatch,
    (asked, undo): (StepRequest, bool),
) -> Result<HttpResponse, Problem> {
    let row = found(services, &caller, id).await?;
    if_match.check(version(&row))?;
    let programme = services.engine.programme().await?;
    let now = services.clock.now();
    let beginning = Beginning { id, caller, undo, leave_out_changed: asked.leave_out_changed };
    let row = run_whole(services, move |conn| beginning.begin(conn, &programme, now)).await?;
    // Goes on when the caller goes away.
    let engine = services.engine.clone();
    let booked = tokio::task::spawn_blocking(move || {
        engine::re_rating::book(&engine, &row, undo)?;
        Ok::<_, engine::Failure>(engine.pool().blocking(|conn| re_rating::finish(conn, id, undo))?)
    });
    let row = booked.await.map_err(|error| internal(&error.to_string()))??;
    Ok(HttpResponse::Ok().insert_header(etag(version(&row))).json(ReRatingView::from(row)))
}

/// A step about to begin.
struct Beginning {
    id: ReRatingId,
    caller: Caller,
    undo: bool,
    leave_out_changed: bool,
}

impl Beginning {
    /// Puts on record that it is booked from now on, or finds that on record.
    fn begin(
        self,
        conn: &mut Connection,
        versioned: &Versioned,
        now: tessera_rules::time::Instant,
    ) -> Result<ReRatingRow, Failed> {
        let me = self.caller.staff().ok_or(Problem::new(Code::Forbidden))?;
        adjustment::lock_requester(conn, me)?;
        let row = re_rating::find_locked(conn, self.id)?.ok_or(Problem::new(Code::NotFound))?;
        let (from, under_way) = if self.undo {
            (Status::Applied, [Status::Undoing, Status::Undone])
        } else {
            (Status::Planned, [Status::Applying, Status::Applied])
        };
        if under_way.iter().any(|status| row.status == status.as_str()) {
            return Ok(row);
        }
        if row.status != from.as_str() {
            let problem = Problem::new(Code::StateConflict).with_member("re_rating_status", row.status);
            return Err(problem.into());
        }
        if !self.leave_out_changed {
            let changed = re_rating::changed(conn, self.id, self.undo, NAMED)?;
            if !changed.is_empty() {
                let named: Vec<Value> = changed.iter().map(named).collect();
                return Err(Problem::new(Code::ReRatingOutdated).with_member("purchases", named).into());
            }
        }
        let action = if self.undo { "re_rating.undo" } else { "re_rating.apply" };
        if self.undo {
            undo_alone(&row, me)?;
            re_rating::begin_undoing(conn, row.id, me, now)?;
        } else {
            let step = apply_alone(conn, &row, me, versioned, now)?;
            re_rating::begin(conn, row.id, &step)?;
        }
        let object = self.id.to_string();
        let change = Change { action, object: &object, before: None, after: Some(told(&row)) };
        audit::record(conn, now, self.caller.actor(), change)?;
        Ok(re_rating::find_locked(conn, self.id)?.ok_or(Problem::new(Code::NotFound))?)
    }
}

fn named(changed: &ChangedPurchase) -> Value {
    let (purchase, member) = (PurchaseId::new(changed.id), MemberId::new(changed.member_id));
    json!({ "purchase_id": purchase, "member_id": member, "what": changed.what })
}

/// Who planned it applies it alone within what an admin adjusts alone.
fn apply_alone(
    conn: &mut Connection,
    row: &ReRatingRow,
    me: StaffId,
    versioned: &Versioned,
    now: tessera_rules::time::Instant,
) -> Result<Step, Failed> {
    let (limits, zone) = (versioned.programme.adjustments.limits(Role::Admin), versioned.programme.time_zone);
    let day = zone.day_of(now);
    let until = zone.midnight(tessera_rules::time::add_days(day, 1));
    let own = re_rating::alone_between(conn, me, zone.midnight(day), until)?;
    let day_before = adjustment::alone_on(conn, me, day)?.saturating_add(own);
    let step = Step { by: me, at: now, limit_each: limits.each.get(), limit_day: limits.per_day.get(), day_before };
    let within = |row: &ReRatingRow| {
        row.largest <= step.limit_each && day_before.saturating_add(row.gives + row.takes) <= step.limit_day
    };
    if row.planned_by == me.uuid() && !within(row) {
        return Err(Code::SecondPersonNeeded.into());
    }
    Ok(step)
}

/// Who applied it takes it back alone within the same; and what took two people takes two.
fn undo_alone(row: &ReRatingRow, me: StaffId) -> Result<(), Problem> {
    let (each, of_day) = (row.limit_each.unwrap_or(0), row.limit_day.unwrap_or(0));
    let sum = row.day_before.unwrap_or(0).saturating_add(row.gives + row.takes);
    if row.applied_by == Some(me.uuid()) && !(row.largest <= each && sum <= of_day) {
        return Err(Code::SecondPersonNeeded.into());
    }
    Ok(())
}
