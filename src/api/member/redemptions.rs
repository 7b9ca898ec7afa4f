//! A member's own redemptions. The member's token is his say-so.

use actix_web::{HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use tessera_rules::Command;
use tessera_rules::amount::Points;
use tessera_rules::command::{Redeem, RedeemMode};
use tessera_rules::id::RedemptionId;
use utoipa::ToSchema;
use uuid::Uuid;

use super::myself;
use crate::access::{Action, Caller};
use crate::api::Services;
use crate::api::error::{Code, Problem};
use crate::api::extract::{IdempotencyKey, Json, Query, Reader};
use crate::api::openapi::problems;
use crate::api::page::{ListOf, Page};
use crate::api::redeemed::{self, RedemptionNow, RedemptionView, Viewer};
use crate::api::submit::{self, Request};
use crate::clock::new_uuid;
use crate::store::ledger;

/// Read one's own redemptions
#[utoipa::path(
    operation_id = "own_redemptions",
    params(Page),
    responses((status = 200, description = "Newest first, as they stand now", body = ListOf<RedemptionNow>)),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/redemptions")]
pub(super) async fn list(
    services: web::Data<Services>,
    caller: Caller,
    Query(page): Query<Page>,
) -> Result<HttpResponse, Problem> {
    let id = myself(&caller, Action::ReadOwnRedemptions)?;
    let before = page.cursor.as_ref().map(|cursor| cursor.open::<Uuid>("own_redemptions")).transpose()?;
    let rows = services.pool.run(move |conn| ledger::redemptions(conn, id, before, page.limit.to_read())).await?;
    let ListOf { data, next_cursor } = ListOf::new("own_redemptions", rows, page.limit, |row| row.id, |row| row);
    Ok(HttpResponse::Ok().json(ListOf { data: redeemed::now(&services, id, data, Viewer::Member).await?, next_cursor }))
}

/// What a member redeems.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OwnRedemption {
    /// A reward's id. Either this or `points`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "free-coffee")]
    reward_id: Option<String>,
    /// As money off: how many points. Either this or `reward_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, minimum = 1)]
    points: Option<Points>,
}

/// Redeem one's own points
#[utoipa::path(
    operation_id = "redeem_own",
    params(IdempotencyKey),
    responses((status = 201, description = "Spent", body = RedemptionView)),
    extensions(("x-problems" = json!(problems(redeemed::PROBLEMS))))
)]
#[post("/redemptions")]
pub(super) async fn create(
    services: web::Data<Services>,
    caller: Caller,
    key: IdempotencyKey,
    reader: Reader,
    Json(request): Json<OwnRedemption>,
) -> Result<HttpResponse, Problem> {
    let member = myself(&caller, Action::RedeemOwn)?;
    let what = redeemed::what(request.points, request.reward_id.as_deref())?;
    let (id, mode) = (RedemptionId::new(new_uuid()), RedeemMode::Capture);
    let command = Command::Redeem(Redeem { id, store: None, what, mode, otp_step: None });
    let submission = Request { caller: &caller, key, route: "POST /v1/member/redemptions", member, reader };
    submit::submit(&services, submission, &request, command, redeemed::show).await
}
