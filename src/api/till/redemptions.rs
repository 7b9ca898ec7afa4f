//! `/v1/till/redemptions`: spending a member's points at a till, with his say-so.

use actix_web::{HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use tessera_rules::Command;
use tessera_rules::amount::Points;
use tessera_rules::command::{Redeem, Redeemed};
use tessera_rules::id::{MemberId, RedemptionId};
use utoipa::ToSchema;

use super::till_store;
use crate::access::{Action, Caller, Proof, Resource};
use crate::api::Services;
use crate::api::error::{Code, Problem, both};
use crate::api::extract::{Id, IdempotencyKey, Json, Reader};
use crate::api::guard::permit;
use crate::api::openapi::problems;
use crate::api::problem::stored;
use crate::api::redeemed::{self, RedemptionView};
use crate::api::submit::{self, Request};
use crate::clock::new_uuid;
use crate::store::ledger;

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
    /// How; only `capture` (at once) is offered.
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
}

/// The member's say-so: exactly one of the two.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Authorisation {
    /// The six digits on the member's card now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "492817")]
    otp: Option<String>,
    /// The member's PIN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = Password)]
    pin: Option<String>,
}

impl RedemptionRequest {
    fn what(&self) -> Result<Redeemed, Problem> {
        redeemed::what(self.points, self.reward_id.as_deref())
    }

    fn proof(&self) -> Result<Proof, Problem> {
        match &self.authorisation {
            None => Err(Code::AuthorisationMissing.into()),
            Some(Authorisation { otp: Some(otp), pin: None }) => Ok(Proof::Otp(otp.clone())),
            Some(Authorisation { otp: None, pin: Some(pin) }) => Ok(Proof::Pin(pin.clone())),
            Some(_) => {
                let detail = both("Give either otp or pin.", "otp 与 pin 必须且只能提供一个。");
                Err(Problem::field(Code::InvalidField, "/authorisation", "one_of", detail))
            }
        }
    }
}

/// Spend a member's points
///
/// Needs the code on the member's card (each code spends once) or the member's PIN. Five wrong ones
/// in a row lock both for a quarter of an hour.
#[utoipa::path(
    operation_id = "redeem_for_member",
    params(IdempotencyKey),
    responses((status = 201, description = "Spent", body = RedemptionView)),
    extensions(("x-problems" = json!(problems(&[redeemed::PROBLEMS, AUTHORISATION].concat()))))
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
    let (what, proof, member) = (request.what()?, request.proof()?, request.member_id);
    let (who, used) = (caller.principal().uuid(), key.0.clone());
    // A repetition comes with a code that has gone stale: its key says that it was looked at.
    let known = services.pool.run(move |conn| ledger::key_used(conn, who, &used)).await?;
    let otp_step = if known { None } else { services.access.authorise(member, proof).await?.otp_step };
    let id = RedemptionId::new(new_uuid());
    let command = Command::Redeem(Redeem { id, store: Some(store), what, otp_step });
    let submission = Request { caller: &caller, key, route: "POST /v1/till/redemptions", member, reader };
    submit::submit(&services, submission, &request, command, redeemed::show).await
}

/// What the member's say-so may be refused for.
const AUTHORISATION: &[Code] = &[
    Code::AuthorisationMissing,
    Code::AuthorisationLocked,
    Code::CodeWrong,
    Code::CodeUsed,
    Code::PinWrong,
    Code::TooManyRequests,
];

/// Read a redemption
#[utoipa::path(
    operation_id = "read_redemption",
    responses((status = 200, description = "As it was answered first", body = RedemptionView))
)]
#[get("/redemptions/{id}")]
pub(super) async fn get(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<RedemptionId>,
) -> Result<HttpResponse, Problem> {
    let found = services.pool.run(move |conn| ledger::redemption(conn, id)).await?;
    let document = found.ok_or(Problem::new(Code::NotFound));
    let resource = match &document {
        Ok(document) => document.resource(),
        Err(_) => Resource::Programme,
    };
    permit(&caller, Action::ReadRedemption, &resource)?;
    Ok(stored(200, document?.answer, false))
}
