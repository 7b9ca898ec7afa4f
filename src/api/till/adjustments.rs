//! `/v1/till/adjustments`: points given or taken by hand.

use actix_web::{HttpResponse, post, web};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use tessera_rules::adjustment::Leave;
use tessera_rules::amount::Points;
use tessera_rules::id::{MemberId, StaffId};
use tessera_rules::time::Instant;
use utoipa::ToSchema;

use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::adjusted::{AdjustmentView, NOTE_MAX, Next};
use crate::api::contact;
use crate::api::error::{Code, Problem};
use crate::api::extract::{IdempotencyKey, Json, Reader};
use crate::api::guard::permit;
use crate::api::openapi::problems;
use crate::api::submit::{self, fingerprint};
use crate::api::work::{Failed, run_whole};
use crate::clock::new_uuid;
use crate::engine::Versioned;
use crate::store::adjustment::{self, AdjustmentRow, Status};
use crate::store::audit::{self, Change};
use crate::store::db::Connection;
use crate::store::member;

/// Points to be given or taken.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AdjustmentRequest {
    /// The member.
    #[schema(value_type = String, example = "mem_01kapm3v5ne8v9b3r6a2f7qk4d")]
    member_id: MemberId,
    /// Points to give, or below 0 to take; not 0.
    #[schema(value_type = i64, example = 300)]
    points: Points,
    /// Why, as a code; one of the programme's `adjustments.reasons` where it lists any.
    #[schema(pattern = "^[a-z0-9_-]{1,64}$", example = "goodwill")]
    reason: String,
    /// Why, in words, for staff and the audit log, which is never erased: no personal data. The member reads
    /// the reason and not the note.
    #[schema(min_length = 1, max_length = 500, example = "waited an hour for a table")]
    note: String,
}

/// Who asks, when and under which key.
struct Asked {
    caller: Caller,
    person: StaffId,
    key: String,
    fingerprint: [u8; 32],
    now: Instant,
}

/// For how long a key means the same request, as for every other.
const KEYS_KEPT: TimeDelta = TimeDelta::days(30);

/// Give or take points by hand
///
/// Within the limits of the role (`adjustments` in the programme: at once, and in a programme day) the
/// points are booked at once, 201. Above them the request is put on record and answered with 202: somebody
/// else approves or rejects it.
#[utoipa::path(
    operation_id = "adjust_points",
    params(IdempotencyKey),
    responses(
        (status = 201, description = "Booked", body = AdjustmentView),
        (status = 202, description = "Somebody else has to approve", body = AdjustmentView),
    ),
    extensions(("x-problems" = json!(problems(&[
        Code::MemberUnknown, Code::MemberMerged, Code::ReasonUnknown, Code::NothingToAdjust, Code::InsufficientPoints,
        Code::AmountOutOfRange, Code::NoProgramme,
    ]))))
)]
#[post("/adjustments")]
pub(super) async fn create(
    services: web::Data<Services>,
    caller: Caller,
    key: IdempotencyKey,
    reader: Reader,
    Json(mut request): Json<AdjustmentRequest>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::AdjustPoints, &Resource::Member(request.member_id))?;
    request.note = contact::text("/note", &request.note, NOTE_MAX)?;
    let person = caller.staff().ok_or(Problem::new(Code::Forbidden))?;
    let fingerprint = fingerprint("POST /v1/till/adjustments", &request)?;
    let asked = Asked { caller, person, key: key.0, fingerprint, now: services.clock.now() };
    let programme = services.engine.programme().await?;
    let next = run_whole(&services, move |conn| ask(conn, &programme, asked, request)).await?;
    next.finish(&services, reader, 201).await
}

/// Puts the request on record, granted or to be decided by somebody else; or finds it there.
fn ask(conn: &mut Connection, versioned: &Versioned, asked: Asked, request: AdjustmentRequest) -> Result<Next, Failed> {
    adjustment::lock_requester(conn, asked.person)?;
    if let Some(used) = adjustment::answered(conn, asked.person.uuid(), &asked.key)? {
        return Ok(Next::again(used, &asked.fingerprint)?);
    }
    // Granted and not booked: a process ended between the two.
    if let Some(row) = adjustment::by_key(conn, asked.person, &asked.key, asked.now - KEYS_KEPT)? {
        let same = row.fingerprint == asked.fingerprint;
        return if same { Ok(Next::Book(Box::new(row))) } else { Err(Code::IdempotencyKeyReused.into()) };
    }
    if member::find(conn, request.member_id)?.is_none() {
        return Err(Code::MemberUnknown.into());
    }
    let row = request.row(conn, versioned, &asked)?;
    adjustment::insert(conn, &row)?;
    let object = row.adjustment().to_string();
    let change = Change { action: "adjustment.request", object: &object, before: None, after: Some(row.told()) };
    audit::record(conn, asked.now, asked.caller.actor(), change)?;
    if row.status()? == Status::Granted {
        return Ok(Next::Book(Box::new(row)));
    }
    let answer = submit::answer(202, &AdjustmentView::from(row.clone()));
    adjustment::keep_answer(conn, &row, 202, &answer.body)?;
    Ok(Next::Answer(answer, false))
}

impl AdjustmentRequest {
    /// The row of a new request, judged by the programme's rules.
    fn row(self, conn: &mut Connection, versioned: &Versioned, asked: &Asked) -> Result<AdjustmentRow, Failed> {
        let rules = &versioned.programme.adjustments;
        let (role, day) = (asked.caller.role(), versioned.programme.time_zone.day_of(asked.now));
        let today = adjustment::alone_on(conn, asked.person, day)?;
        let judged = Points::new(today).map_err(Into::into);
        let judged = judged.and_then(|today| rules.judge(role, self.points, &self.reason, today));
        let status = match judged.map_err(|refusal| Problem::from(&refusal))? {
            Leave::Granted => Status::Granted,
            Leave::ToBeAsked => Status::Requested,
        };
        Ok(AdjustmentRow {
            id: new_uuid(),
            member_id: self.member_id.uuid(),
            points: self.points.get(),
            reason: self.reason,
            note: self.note,
            requested_by: asked.person.uuid(),
            requested_role: role.as_str().to_owned(),
            store_id: asked.caller.store.map(|store| store.uuid()),
            requested_at: asked.now,
            day,
            key: asked.key.clone(),
            fingerprint: asked.fingerprint.to_vec(),
            day_before: today,
            limit_each: rules.limits(role).each.get(),
            limit_day: rules.limits(role).per_day.get(),
            status: status.as_str().to_owned(),
            decided_by: None,
            decided_at: None,
            decision_key: None,
            decision_note: None,
            refusal: None,
            booked: 0,
            booked_at: None,
            booked_entry: None,
        })
    }
}
