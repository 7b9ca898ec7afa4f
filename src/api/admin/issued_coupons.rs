//! `/v1/admin/coupons/{id}/…`: coupons of a kind that are issued, read and taken back.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, post, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tessera_rules::coupon::{Coupon, CouponType, Holder, canonical, code_of};
use tessera_rules::id::{IssueId, MemberId};
use tessera_rules::time::Instant;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::part;
use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::contact;
use crate::api::coupons::CouponView;
use crate::api::error::{Code, Language, Problem, both};
use crate::api::extract::{Id, IdempotencyKey, Json, Path, Query};
use crate::api::guard::permit;
use crate::api::linked::stays;
use crate::api::openapi::problems;
use crate::api::page::{Cursor, Limit, ListOf};
use crate::api::problem::stored;
use crate::api::submit::{answer, fingerprint};
use crate::api::work::{Failed, run_whole};
use crate::clock::{new_uuid, random_bytes};
use crate::engine::{Answer, Versioned};
use crate::store::adjustment;
use crate::store::audit::{self, Change};
use crate::store::coupon::{self, IssuedRow, NewIssue};
use crate::store::db::Connection;
use crate::store::member;

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(issue_coupons).service(list_issued).service(revoke_issued);
}

/// For whom coupons are issued: either `member_id`, or `count` of them for whoever shows them.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct IssueRequest {
    /// The member it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "mem_01kapm3v5ne8v9b3r6a2f7qk4d")]
    member_id: Option<MemberId>,
    /// How many, where `holder` of the kind is `bearer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1000)]
    count: Option<u32>,
}

/// Coupons that were issued together.
#[derive(Serialize, ToSchema)]
struct IssueView {
    /// The issue.
    #[schema(value_type = String, example = "cis_01kapm3v5ne8v9b3r6a2f7qk4d")]
    id: IssueId,
    /// Code of their kind.
    #[serde(rename = "type")]
    #[schema(example = "spring")]
    of: String,
    /// When.
    issued_at: DateTime<Utc>,
    /// The member they are for; null: for whoever shows them.
    #[schema(value_type = Option<String>)]
    member_id: Option<MemberId>,
    /// By code.
    coupons: Vec<NewCoupon>,
}

/// A coupon when it was issued.
#[derive(Serialize, ToSchema)]
struct NewCoupon {
    /// What its holder shows.
    #[schema(example = "7KQ2M9XD4RTA0WCZ")]
    code: String,
    /// The first instant at which it may be used.
    valid_from: DateTime<Utc>,
    /// The first instant at which it may no longer be used; null: there is none.
    valid_until: Option<DateTime<Utc>>,
    /// In how many purchases it may be used.
    uses: i32,
}

/// Who issues what, when and under which key.
struct Asked {
    of: String,
    request: IssueRequest,
    caller: Caller,
    key: String,
    fingerprint: [u8; 32],
    now: Instant,
}

impl IssueRequest {
    /// How many coupons, as the kind allows.
    fn count(&self, of: &CouponType) -> Result<u32, Problem> {
        let wrong = |pointer: &str, mistake, en: &str, zh: &str| {
            Err(Problem::field(Code::InvalidField, pointer, mistake, both(en, zh)))
        };
        match (self.member_id, self.count) {
            (Some(_), None) => Ok(1),
            (None, Some(_)) if of.holder == Holder::Owner => wrong(
                "/member_id",
                "owner_needed",
                "Coupons of this kind are for a member.",
                "该类优惠券须发放给会员。",
            ),
            (None, Some(count)) if (1..=1_000).contains(&count) => Ok(count),
            (None, Some(_)) => wrong("/count", "out_of_range", "Must be 1 to 1000.", "必须为 1 到 1000。"),
            _ => wrong("", "one_of", "Give either member_id or count.", "member_id 与 count 必须且只能提供一个。"),
        }
    }
}

/// Issue coupons of a kind
///
/// Each gets the window and the uses that its kind gives today, and a code that cannot be guessed. The same
/// request under the same key is answered with the same coupons, for ever.
#[utoipa::path(
    params(("id" = String, Path, description = "The code of the kind."), IdempotencyKey),
    responses((status = 201, description = "Issued.", body = IssueView)),
    extensions(("x-problems" = json!(problems(&[Code::MemberUnknown, Code::CouponOver, Code::NoProgramme]))))
)]
#[post("/coupons/{id}/issue")]
async fn issue_coupons(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<String>,
    key: IdempotencyKey,
    Json(mut request): Json<IssueRequest>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::IssueCoupons, &Resource::Programme)?;
    let fingerprint = fingerprint("POST /v1/admin/coupons/{id}/issue", &(&id.0, &request))?;
    if let Some(member) = request.member_id {
        request.member_id = Some(stays(&services, member).await?);
    }
    let asked = Asked { of: id.0, request, caller, key: key.0, fingerprint, now: services.clock.now() };
    let found = services.engine.programme().await?;
    let (Answer { status, body }, again) = run_whole(&services, move |conn| issue(conn, &found, asked)).await?;
    Ok(stored(status, body, again))
}

/// Issues coupons, or finds those that were issued under the key.
fn issue(conn: &mut Connection, versioned: &Versioned, asked: Asked) -> Result<(Answer, bool), Failed> {
    // One request of a person at a time: the same key twice finds the first.
    let staff = asked.caller.staff().ok_or(Code::Forbidden)?;
    adjustment::lock_requester(conn, staff)?;
    let person = staff.uuid();
    if let Some(before) = coupon::issued_under(conn, person, &asked.key)? {
        let same = before.fingerprint.is_some_and(|print| print == asked.fingerprint);
        let rows =
            if same { coupon::of_issue(conn, before.id)? } else { return Err(Code::IdempotencyKeyReused.into()) };
        return Ok((answer(201, &IssueView::of(before.id, &rows)), true));
    }
    let of = part::find::<CouponType>(versioned, &asked.of)?;
    let count = asked.request.count(&of)?;
    let member = asked.request.member_id;
    if let Some(member) = member
        && member::find(conn, member)?.is_none()
    {
        return Err(Code::MemberUnknown.into());
    }
    let zone = versioned.programme.time_zone;
    let coupons: Vec<Coupon> =
        (0..count).map(|_| of.issue(&code_of(random_bytes()), member, asked.now, zone)).collect();
    if coupons.iter().any(|coupon| coupon.until.is_some_and(|until| until <= coupon.from)) {
        return Err(Code::CouponOver.into());
    }
    let id = IssueId::new(new_uuid());
    let new = NewIssue {
        id,
        of: of.code.clone(),
        member,
        at: asked.now,
        actor: asked.caller.actor(),
        request: Some((asked.key, asked.fingerprint)),
    };
    coupon::issue(conn, &new, &coupons)?;
    // Not the codes: whoever reads the log could use them.
    let after = Some(json!({ "type": of.code, "member_id": member, "count": count }));
    let change = Change { action: "coupon.issue", object: &id.to_string(), before: None, after };
    audit::record(conn, asked.now, asked.caller.actor(), change)?;
    let rows = coupon::of_issue(conn, id.uuid())?;
    Ok((answer(201, &IssueView::of(id.uuid(), &rows)), false))
}

impl IssueView {
    fn of(id: Uuid, rows: &[IssuedRow]) -> Self {
        let first = rows.first();
        let coupon = |row: &IssuedRow| NewCoupon {
            code: row.code.clone(),
            valid_from: row.valid_from,
            valid_until: row.valid_until,
            uses: row.uses,
        };
        Self {
            id: IssueId::new(id),
            of: first.map_or_else(String::new, |row| row.of.clone()),
            issued_at: first.map_or(DateTime::UNIX_EPOCH, |row| row.issued_at),
            member_id: first.and_then(|row| row.owner).map(MemberId::new),
            coupons: rows.iter().map(coupon).collect(),
        }
    }
}

/// An issued coupon as an admin reads it.
#[derive(Serialize, ToSchema)]
struct IssuedCoupon {
    #[serde(flatten)]
    coupon: CouponView,
    /// With which others it was issued.
    #[schema(value_type = String)]
    issue_id: IssueId,
    /// The member it was issued to; null: to nobody in particular.
    #[schema(value_type = Option<String>)]
    member_id: Option<MemberId>,
    /// When it was taken back; null: it was not.
    revoked_at: Option<DateTime<Utc>>,
}

impl IssuedCoupon {
    fn of(row: &IssuedRow, versioned: &Versioned, language: Language, now: Instant) -> Self {
        Self {
            coupon: CouponView::of(row, &versioned.programme, language, now),
            issue_id: IssueId::new(row.issue_id),
            member_id: row.owner.map(MemberId::new),
            revoked_at: row.revoked_at,
        }
    }
}

/// Which coupons.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct FindIssued {
    /// Of this member only.
    #[param(value_type = Option<String>)]
    member_id: Option<MemberId>,
    /// The one with this code only.
    coupon: Option<String>,
    /// How many rows.
    #[serde(default)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<Cursor>,
}

/// Coupons of a kind that were issued
#[utoipa::path(
    params(("id" = String, Path, description = "The code of the kind."), FindIssued),
    responses((status = 200, description = "The newest issue first.", body = ListOf<IssuedCoupon>)),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/coupons/{id}/issued")]
async fn list_issued(
    services: web::Data<Services>,
    caller: Caller,
    language: Language,
    id: Id<String>,
    Query(query): Query<FindIssued>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::IssueCoupons, &Resource::Programme)?;
    let FindIssued { member_id, coupon: wanted, limit, cursor } = query;
    let before = cursor.as_ref().map(|cursor| cursor.open::<(Uuid, String)>("issued_coupons")).transpose()?;
    let read = move |conn: &mut _| {
        let code = wanted.as_deref().map(canonical);
        coupon::of_type(conn, &id.0, member_id, code.as_deref(), before, limit.to_read())
    };
    let rows = services.pool.run(read).await?;
    let (found, now) = (services.engine.programme().await?, services.clock.now());
    let key = |row: &IssuedRow| (row.issue_id, row.code.clone());
    let show = |row: IssuedRow| IssuedCoupon::of(&row, &found, language, now);
    Ok(HttpResponse::Ok().json(ListOf::new("issued_coupons", rows, limit, key, show)))
}

/// Why a coupon is taken back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RevokeRequest {
    /// For the audit log, which is never erased: no personal data.
    #[schema(min_length = 1, max_length = 200, example = "sent to the wrong member")]
    reason: String,
}

/// Take a coupon back
///
/// It can never be used again. What it was used in stays as it is.
#[utoipa::path(
    params(
        ("id" = String, Path, description = "The code of the kind."),
        ("code" = String, Path, description = "The coupon's code."),
    ),
    responses((status = 200, description = "Taken back.", body = IssuedCoupon)),
    extensions(("x-problems" = json!(problems(&[Code::NotFound, Code::StateConflict, Code::NoProgramme]))))
)]
#[post("/coupons/{id}/issued/{code}/revoke")]
async fn revoke_issued(
    services: web::Data<Services>,
    caller: Caller,
    language: Language,
    Path((of, code)): Path<(String, String)>,
    Json(request): Json<RevokeRequest>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::IssueCoupons, &Resource::Programme)?;
    let reason = contact::text("/reason", &request.reason, 200)?;
    let (found, now) = (services.engine.programme().await?, services.clock.now());
    let row = run_whole(&services, move |conn| {
        let code = canonical(&code);
        let row = coupon::by_code(conn, &code)?.filter(|row| row.of == of).ok_or(Code::NotFound)?;
        if !coupon::revoke(conn, &code, now)? {
            return Err(Code::StateConflict.into());
        }
        let (issue, after) = (
            IssueId::new(row.issue_id),
            json!({ "type": of, "member_id": row.owner.map(MemberId::new), "reason": reason }),
        );
        let change = Change { action: "coupon.revoke", object: &issue.to_string(), before: None, after: Some(after) };
        audit::record(conn, now, caller.actor(), change)?;
        Ok(IssuedRow { revoked_at: Some(now), ..row })
    });
    let view = IssuedCoupon::of(&row.await?, &found, language, now);
    Ok(HttpResponse::build(StatusCode::OK).json(view))
}
