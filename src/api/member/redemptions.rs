//! A member's own rewards and redemptions. The member's token is his say-so.

use std::collections::HashMap;

use actix_web::{HttpResponse, get, post, web};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use tessera_rules::Command;
use tessera_rules::amount::Points;
use tessera_rules::command::{Redeem, RedeemMode};
use tessera_rules::id::RedemptionId;
use tessera_rules::reward::Reward;
use tessera_rules::text::Text;
use utoipa::ToSchema;
use uuid::Uuid;

use super::myself;
use crate::access::{Action, Caller};
use crate::api::Services;
use crate::api::error::{Code, Problem};
use crate::api::extract::{IdempotencyKey, Json, Query, Reader};
use crate::api::openapi::problems;
use crate::api::page::{ListOf, Page};
use crate::api::redeemed::{self, RedemptionNow, RedemptionView};
use crate::api::submit::{self, Request};
use crate::clock::new_uuid;
use crate::engine::Settled;
use crate::store::ledger;

/// A reward as a member sees it.
#[derive(Serialize, ToSchema)]
struct OwnReward {
    /// What a redemption names.
    #[schema(example = "free-coffee")]
    id: String,
    /// Its name.
    #[schema(value_type = Object, example = json!({"en": "Free coffee", "zh": "免费咖啡"}))]
    name: Text,
    /// What it costs.
    #[schema(value_type = i64)]
    points: Points,
    /// Code of the lowest tier that may have it.
    minimum_tier: Option<String>,
    /// How many are left; null: no limit.
    left: Option<i64>,
    /// Last day it may be redeemed.
    until: Option<NaiveDate>,
    /// Until when a perk gives it to this member for nothing, once; absent where none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    free_until: Option<DateTime<Utc>>,
    /// Whether this member could redeem it now.
    redeemable: bool,
}

impl OwnReward {
    fn of(reward: &Reward, used: i64, settled: &Settled) -> Self {
        let (programme, standing) = (&settled.programme.programme, &settled.member.standing);
        let left = reward.stock.map(|stock| (i64::from(stock) - used).max(0));
        let tier = programme.tier_position(&standing.tier);
        let spendable = standing.spendable(settled.keeper.as_ref().map(|keeper| &keeper.standing));
        let free_until = settled.member.given(&reward.code, standing.recorded_at).map(|grant| grant.until);
        let tier_fits = reward.minimum_tier.as_ref().is_none_or(|least| tier >= programme.tier_position(least));
        Self {
            id: reward.code.clone(),
            name: reward.name.clone(),
            points: reward.points,
            minimum_tier: reward.minimum_tier.clone(),
            left,
            until: reward.to,
            free_until,
            redeemable: (free_until.is_some() || tier_fits && spendable >= reward.points)
                && left != Some(0)
                && !standing.frozen,
        }
    }
}

/// Read what points can be redeemed for
#[utoipa::path(
    operation_id = "own_rewards",
    responses((status = 200, description = "The rewards offered today, and those that a perk gives", body = ListOf<OwnReward>)),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/rewards")]
pub(super) async fn rewards(services: web::Data<Services>, caller: Caller) -> Result<HttpResponse, Problem> {
    let id = myself(&caller, Action::ReadCatalogue)?;
    let settled = services.settled(id).await?;
    let used: HashMap<String, i64> = services.pool.run(ledger::rewards_used).await?.into_iter().collect();
    let programme = &settled.programme.programme;
    let today = programme.time_zone.day_of(settled.member.standing.recorded_at);
    let given = |code: &str| settled.member.given(code, settled.member.standing.recorded_at).is_some();
    let offered = programme.rewards.iter().filter(|reward| reward.offered_on(today) || given(&reward.code));
    let view = |reward: &Reward| OwnReward::of(reward, used.get(&reward.code).copied().unwrap_or(0), &settled);
    Ok(HttpResponse::Ok().json(ListOf::whole(offered.map(view).collect())))
}

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
    Ok(HttpResponse::Ok().json(ListOf { data: redeemed::now(&services, id, data).await?, next_cursor }))
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
