//! `/v1/till/redemptions`: spending a member's points at a till or setting them aside, with his say-so;
//! and what becomes of points set aside.

use actix_web::{HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use tessera_rules::Command;
use tessera_rules::amount::Points;
use tessera_rules::command::{Capture, Redeem, RedeemMode};
use tessera_rules::id::{MemberId, RedemptionId};
use utoipa::ToSchema;

use super::authorisation::{self, Authorisation};
use super::till_store;
use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::document::allowed;
use crate::api::error::{Code, Problem};
use crate::api::extract::{Id, IdempotencyKey, Json, Reader};
use crate::api::guard::permit;
use crate::api::linked::stays;
use crate::api::openapi::problems;
use crate::api::redeemed::{self, RedemptionNow, RedemptionView, Viewer};
use crate::api::submit::{self, Request};
use crate::clock::new_uuid;
use crate::store::ledger::{self, RedemptionState};

/// Points to be spent.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RedemptionRequest {
    /// Whose points.
    #[schema(value_type = String)]
    member_id: MemberId,
    /// As money off: how many points. Either this or `reward_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, minimum = 1)]
    points: Option<Points>,
    /// The reward's id. Either this or `points`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reward_id: Option<String>,
    /// At once (`capture`), or set aside (`hold`) until they are captured or voided or the programme's
    /// time-out ends it.
    #[serde(default)]
    mode: Mode,
    /// What the member shows or types: his code or his PIN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authorisation: Option<Authorisation>,
}

/// When the points are spent.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Mode {
    /// At once.
    #[default]
    Capture,
    /// When the hold is captured.
    Hold,
}

/// Spend a member's points, or set them aside
///
/// Needs the code on the member's card (each code spends once) or the member's PIN. Five wrong ones
/// in a row lock both for a quarter of an hour.
#[utoipa::path(
    operation_id = "redeem_for_member",
    params(IdempotencyKey),
    responses((status = 201, description = "Spent, or set aside", body = RedemptionView)),
    extensions(("x-problems" = json!(problems(&[redeemed::PROBLEMS, authorisation::PROBLEMS].concat()))))
)]
#[post("/redemptions")]
pub(super) async fn create(
    services: web::Data<Services>,
    caller: Caller,
    key: IdempotencyKey,
    reader: Reader,
    Json(request): Json<RedemptionRequest>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::RedeemForMember, &Resource::Member(request.member_id))?;
    let store = till_store(&caller)?;
    let what = redeemed::what(request.points, request.reward_id.as_deref())?;
    let proof = authorisation::proof(request.authorisation.as_ref(), "/authorisation")?;
    let member = stays(&services, request.member_id).await?;
    let otp_step = authorisation::check(&services, &caller, &key, None, member, proof).await?;
    let mode = match request.mode {
        Mode::Capture => RedeemMode::Capture,
        Mode::Hold => RedeemMode::Hold,
    };
    let id = RedemptionId::new(new_uuid());
    let command = Command::Redeem(Redeem { id, store: Some(store), what, mode, otp_step });
    let submission = Request { caller: &caller, key, route: "POST /v1/till/redemptions", member, reader };
    submit::submit(&services, submission, &request, command, redeemed::show).await
}

/// A redemption that the caller may do this to, and whose it is.
async fn find(
    services: &Services,
    caller: &Caller,
    action: Action,
    id: RedemptionId,
) -> Result<(MemberId, RedemptionState), Problem> {
    let found = services.pool.run(move |conn| ledger::redemption(conn, id)).await?;
    let row = allowed(caller, action, found, RedemptionState::resource)?;
    Ok((MemberId::new(row.member_id), row))
}

/// Read a redemption
#[utoipa::path(
    operation_id = "read_redemption",
    responses((status = 200, description = "As it stands now", body = RedemptionNow)),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/redemptions/{id}")]
pub(super) async fn get(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<RedemptionId>,
) -> Result<HttpResponse, Problem> {
    let (member, row) = find(&services, &caller, Action::ReadRedemption, id).await?;
    let shown = redeemed::now(&services, member, vec![row], Viewer::Staff).await?.pop();
    Ok(HttpResponse::Ok().json(shown.ok_or(Problem::new(Code::NotFound))?))
}

/// How much of a hold is spent.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CaptureRequest {
    /// How many of its points; absent: all. The rest goes back to the lots it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, minimum = 1)]
    points: Option<Points>,
}

/// Spend points that were set aside
///
/// A reward is captured whole.
#[utoipa::path(
    operation_id = "capture_redemption",
    params(IdempotencyKey),
    responses((status = 200, description = "Spent", body = RedemptionView)),
    extensions(("x-problems" = json!(problems(CAPTURE_PROBLEMS))))
)]
#[post("/redemptions/{id}/capture")]
pub(super) async fn capture(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<RedemptionId>,
    key: IdempotencyKey,
    reader: Reader,
    Json(request): Json<CaptureRequest>,
) -> Result<HttpResponse, Problem> {
    let (member, _) = find(&services, &caller, Action::SettleRedemption, id).await?;
    let command = Command::Capture(Capture { redemption: id, points: request.points });
    let route = "POST /v1/till/redemptions/{id}/capture";
    let submission = Request { caller: &caller, key, route, member, reader };
    submit::submit(&services, submission, &(id, &request), command, redeemed::show_settled).await
}

/// What a capture may be refused for.
const CAPTURE_PROBLEMS: &[Code] = &[
    Code::RedemptionUnknown,
    Code::NotHeld,
    Code::CaptureOutOfRange,
    Code::RewardIsWhole,
    Code::AmountOutOfRange,
    Code::NoProgramme,
];

/// Nothing is to be said.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct VoidRequest {}

/// Take a redemption back
///
/// Points return to the lots they came from, with their old expiry; for a lot that has lapsed since they
/// were spent a new one opens with the programme's days of grace, and points that were only set aside
/// lapse. Points that paid for a purchase come back by a return of its goods instead. Goods that wait are
/// cancelled; those that were handed over a manager takes back, and a partner's code, once shown, an admin:
/// nobody else is given it again. Tickets for a draw become void; after the last day of their reward an admin does that.
#[utoipa::path(
    operation_id = "void_redemption",
    params(IdempotencyKey),
    responses((status = 200, description = "Taken back", body = RedemptionView)),
    extensions(("x-problems" = json!(problems(VOID_PROBLEMS))))
)]
#[post("/redemptions/{id}/void")]
pub(super) async fn void(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<RedemptionId>,
    key: IdempotencyKey,
    reader: Reader,
    Json(request): Json<VoidRequest>,
) -> Result<HttpResponse, Problem> {
    let (member, _) = find(&services, &caller, Action::SettleRedemption, id).await?;
    let route = "POST /v1/till/redemptions/{id}/void";
    let submission = Request { caller: &caller, key, route, member, reader };
    submit::submit(&services, submission, &(id, &request), Command::Void(id), redeemed::show_settled).await
}

/// What taking a redemption back may be refused for.
const VOID_PROBLEMS: &[Code] = &[
    Code::RedemptionUnknown,
    Code::VoidedBefore,
    Code::HandedOver,
    Code::VoucherShown,
    Code::DrawClosed,
    Code::PaidForPurchase,
    Code::AmountOutOfRange,
    Code::NoProgramme,
];
