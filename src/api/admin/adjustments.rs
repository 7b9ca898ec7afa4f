//! `/v1/admin/adjustments`: what staff gave and took by hand, and what waits for a second person.

use actix_web::{HttpResponse, get, post, web};
use serde::Deserialize;
use tessera_rules::id::{AdjustmentId, MemberId};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::adjusted::{AdjustmentView, NOTE_MAX, Next, approval};
use crate::api::contact;
use crate::api::document::allowed;
use crate::api::error::{Code, Problem};
use crate::api::extract::{Id, IdempotencyKey, Json, Query, Reader};
use crate::api::guard::permit;
use crate::api::openapi::problems;
use crate::api::page::{Cursor, Limit, ListOf};
use crate::api::work::{Failed, run_whole};
use crate::store::adjustment::{self, AdjustmentRow, Status, Verdict};
use crate::store::audit::{self, Change};
use crate::store::db::Connection;

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list).service(get).service(approve).service(reject);
}

/// Which adjustments.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AdjustmentQuery {
    /// Of one status: `requested`, `granted`, `approved`, `rejected`, `applied` or `refused`.
    #[param(value_type = Option<String>, example = "requested")]
    status: Option<Status>,
    /// Of one member.
    #[param(value_type = Option<String>)]
    member_id: Option<MemberId>,
    /// How many rows.
    #[serde(default)]
    limit: Limit,
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: Option<Cursor>,
}

/// Adjustments by staff
///
/// Those that wait for a second person: `?status=requested`.
#[utoipa::path(
    operation_id = "list_adjustments",
    params(AdjustmentQuery),
    responses((status = 200, description = "A page of adjustments, newest first.", body = ListOf<AdjustmentView>))
)]
#[get("/adjustments")]
async fn list(
    services: web::Data<Services>,
    caller: Caller,
    query: Query<AdjustmentQuery>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadAdjustments, &Resource::Programme)?;
    let AdjustmentQuery { status, member_id, limit, cursor } = query.0;
    let before: Option<Uuid> = cursor.map(|cursor| cursor.open("adjustments")).transpose()?;
    let read = move |conn: &mut _| adjustment::list(conn, status, member_id, before, limit.to_read());
    let rows = services.pool.run(read).await?;
    Ok(HttpResponse::Ok().json(ListOf::new("adjustments", rows, limit, |row| row.id, AdjustmentView::from)))
}

/// One adjustment
#[utoipa::path(
    operation_id = "read_adjustment",
    responses((status = 200, description = "As it stands.", body = AdjustmentView))
)]
#[get("/adjustments/{id}")]
async fn get(services: web::Data<Services>, caller: Caller, Id(id): Id<AdjustmentId>) -> Result<HttpResponse, Problem> {
    let found = services.pool.run(move |conn| adjustment::find(conn, id)).await?;
    let row = allowed(&caller, Action::ReadAdjustments, found, AdjustmentRow::resource)?;
    Ok(HttpResponse::Ok().json(AdjustmentView::from(row)))
}

/// What the second person says.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Approval {
    /// For staff and the audit log, which is never erased: no personal data.
    #[schema(min_length = 1, max_length = 500)]
    note: Option<String>,
}

/// Approve an adjustment
///
/// By an admin or a manager of the store where it was asked for, and never by the person who asked. The points
/// are booked at once. Where that did not come about (the process ended), approving again books them.
#[utoipa::path(
    operation_id = "approve_adjustment",
    params(IdempotencyKey),
    responses((status = 200, description = "Booked.", body = AdjustmentView)),
    extensions(("x-problems" = json!(problems(&[
        Code::SecondPersonNeeded, Code::StateConflict, Code::MemberUnknown, Code::MemberMerged,
        Code::InsufficientPoints, Code::AmountOutOfRange, Code::NoProgramme,
    ]))))
)]
#[post("/adjustments/{id}/approve")]
async fn approve(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<AdjustmentId>,
    key: IdempotencyKey,
    reader: Reader,
    Json(body): Json<Approval>,
) -> Result<HttpResponse, Problem> {
    let note = body.note.map(|note| contact::text("/note", &note, NOTE_MAX)).transpose()?;
    let asked = Deciding { id, caller, key: Some(key.0), note, status: Status::Approved };
    let (fingerprint, now) = (approval(id, asked.note.as_deref())?, services.clock.now());
    let next = run_whole(&services, move |conn| {
        let row = asked.find(conn)?;
        let me = asked.caller.principal().uuid();
        if let Some(used) = adjustment::answered(conn, me, asked.key.as_deref().unwrap_or_default())? {
            return Ok(Next::again(used, &fingerprint)?);
        }
        let row = match row.status()? {
            Status::Approved => row,
            _ => asked.decide(conn, &row, now)?,
        };
        Ok(Next::Book(Box::new(row)))
    });
    next.await?.finish(&services, reader, 200).await
}

/// Why the second person does not agree.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Rejection {
    /// For staff and the audit log, which is never erased: no personal data.
    #[schema(min_length = 1, max_length = 500, example = "was made good at the till already")]
    note: String,
}

/// Reject an adjustment
///
/// By whoever could approve it. No points move.
#[utoipa::path(
    operation_id = "reject_adjustment",
    responses((status = 200, description = "Rejected.", body = AdjustmentView)),
    extensions(("x-problems" = json!(problems(&[Code::SecondPersonNeeded, Code::StateConflict]))))
)]
#[post("/adjustments/{id}/reject")]
async fn reject(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<AdjustmentId>,
    Json(body): Json<Rejection>,
) -> Result<HttpResponse, Problem> {
    let note = Some(contact::text("/note", &body.note, NOTE_MAX)?);
    let (asked, now) = (Deciding { id, caller, key: None, note, status: Status::Rejected }, services.clock.now());
    let row = run_whole(&services, move |conn| {
        let row = asked.find(conn)?;
        asked.decide(conn, &row, now)
    });
    Ok(HttpResponse::Ok().json(AdjustmentView::from(row.await?)))
}

/// A second person's decision on its way.
struct Deciding {
    id: AdjustmentId,
    caller: Caller,
    key: Option<String>,
    note: Option<String>,
    status: Status,
}

impl Deciding {
    /// The adjustment, if it is this caller's to decide.
    fn find(&self, conn: &mut Connection) -> Result<AdjustmentRow, Failed> {
        let found = adjustment::find_locked(conn, self.id)?;
        Ok(allowed(&self.caller, Action::DecideAdjustment, found, AdjustmentRow::resource)?)
    }

    /// Puts the decision on record, once.
    fn decide(
        &self,
        conn: &mut Connection,
        row: &AdjustmentRow,
        now: tessera_rules::time::Instant,
    ) -> Result<AdjustmentRow, Failed> {
        let by = self.caller.staff().ok_or(Problem::new(Code::Forbidden))?;
        if row.requested_by == by.uuid() {
            return Err(Code::SecondPersonNeeded.into());
        }
        if row.status()? != Status::Requested {
            let problem = Problem::new(Code::StateConflict).with_member("adjustment_status", row.status.as_str());
            return Err(problem.into());
        }
        let verdict = Verdict { status: self.status, by, at: now, key: self.key.clone(), note: self.note.clone() };
        let decided = adjustment::decide(conn, self.id, &verdict)?;
        let (object, was, is) = (self.id.to_string(), row.told(), decided.told());
        let action = if self.status == Status::Approved { "adjustment.approve" } else { "adjustment.reject" };
        let change = Change { action, object: &object, before: Some(was), after: Some(is) };
        audit::record(conn, now, self.caller.actor(), change)?;
        Ok(decided)
    }
}
