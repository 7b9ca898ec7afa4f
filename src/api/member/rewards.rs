//! What points buy, as the member sees it: at his own price, and whether he could have it now.

use std::collections::HashMap;

use actix_web::{HttpResponse, get, web};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use tessera_rules::amount::Points;
use tessera_rules::id::MemberId;
use tessera_rules::reward::{MemberLimit, Reward, RewardKind};
use tessera_rules::text::Text;
use tessera_rules::time::Instant;
use utoipa::ToSchema;

use super::myself;
use crate::access::{Action, Caller};
use crate::api::Services;
use crate::api::admin::schemas;
use crate::api::error::{Code, Problem};
use crate::api::openapi::problems;
use crate::api::page::ListOf;
use crate::api::supply::Supply;
use crate::engine::Settled;
use crate::store::reward;

/// A reward as a member sees it.
#[derive(Serialize, ToSchema)]
struct OwnReward {
    /// What a redemption names.
    #[schema(example = "free-coffee")]
    id: String,
    /// Its name.
    #[schema(value_type = Object, example = json!({"en": "Free coffee", "zh": "免费咖啡"}))]
    name: Text,
    /// What is handed out: `goods`; with a code that the redemption tells `partner_voucher` or `coupon`; with the
    /// numbers that it tells `draw_ticket`.
    #[schema(value_type = schemas::RewardKind)]
    kind: RewardKind,
    /// How many tickets a redemption gives; absent: one, or none of any kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    tickets: Option<u32>,
    /// More than the name; null for none.
    #[schema(value_type = Option<Object>)]
    description: Option<Text>,
    /// Addresses of pictures, best first.
    pictures: Vec<String>,
    /// What it costs this member.
    #[schema(value_type = i64)]
    points: Points,
    /// What it costs where no tier has a price of its own.
    #[schema(value_type = i64)]
    normal_points: Points,
    /// Code of the lowest tier that may have it.
    minimum_tier: Option<String>,
    /// How many are left; null: no limit.
    left: Option<i64>,
    /// How many one member may have; null: no limit.
    #[schema(value_type = Option<schemas::MemberLimit>)]
    per_member: Option<MemberLimit>,
    /// How many more this member may have; null: no limit.
    left_for_member: Option<u32>,
    /// Last day it may be redeemed.
    until: Option<NaiveDate>,
    /// Until when a perk gives it to this member for nothing, once; absent where none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    free_until: Option<DateTime<Utc>>,
    /// Whether this member could redeem it now.
    redeemable: bool,
}

impl OwnReward {
    fn of(reward: &Reward, left: Option<i64>, taken: &[Instant], settled: &Settled) -> Self {
        let (programme, standing) = (&settled.programme.programme, &settled.member.standing);
        let today = programme.time_zone.day_of(standing.recorded_at);
        let limit = |limit: MemberLimit| limit.left(programme.time_zone, today, taken.iter().copied());
        let left_for_member = reward.per_member.map(limit);
        let tier = programme.tier_position(&standing.tier);
        let points = reward.points_at(programme, tier);
        let spendable = standing.spendable(settled.keeper.as_ref().map(|keeper| &keeper.standing));
        let free_until = settled.member.given(&reward.code, standing.recorded_at).map(|grant| grant.until);
        let tier_fits = reward.minimum_tier.as_ref().is_none_or(|least| tier >= programme.tier_position(least));
        let affordable = tier_fits && spendable >= points && left_for_member != Some(0);
        Self {
            id: reward.code.clone(),
            name: reward.name.clone(),
            kind: reward.kind,
            tickets: reward.tickets,
            description: reward.description.clone(),
            pictures: reward.pictures.clone(),
            points,
            normal_points: reward.points,
            minimum_tier: reward.minimum_tier.clone(),
            left,
            per_member: reward.per_member,
            left_for_member,
            until: reward.to,
            free_until,
            redeemable: (free_until.is_some() || affordable) && left != Some(0) && !standing.frozen,
        }
    }
}

/// The codes of the segments a member is in now.
async fn own_segments(services: &Services, id: MemberId) -> Result<Vec<String>, Problem> {
    let facts = services.engine.facts(id).await?.map_err(|refusal| Problem::from(&refusal))?;
    Ok(facts.1.member.segments)
}

/// Read what points can be redeemed for
#[utoipa::path(
    operation_id = "own_rewards",
    responses((status = 200, description = "The rewards offered today, and those that a perk gives", body = ListOf<OwnReward>)),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/rewards")]
pub(super) async fn list(services: web::Data<Services>, caller: Caller) -> Result<HttpResponse, Problem> {
    let id = myself(&caller, Action::ReadCatalogue)?;
    let settled = services.settled(id).await?;
    let supply = Supply::read(&services).await?;
    let (programme, at) = (&settled.programme.programme, settled.member.standing.recorded_at);
    let limited: Vec<String> = programme
        .rewards
        .iter()
        .filter(|reward| reward.per_member.is_some())
        .map(|reward| reward.code.clone())
        .collect();
    let mut taken: HashMap<String, Vec<Instant>> = HashMap::new();
    if !limited.is_empty() {
        for (reward, when) in services.pool.run(move |conn| reward::taken(conn, id, &limited, at)).await? {
            taken.entry(reward).or_default().push(when);
        }
    }
    let today = programme.time_zone.day_of(at);
    let given = |code: &str| settled.member.given(code, at).is_some();
    let tier = programme.tier_position(&settled.member.standing.tier);
    let segments = if programme.asks_for_segments() { own_segments(&services, id).await? } else { Vec::new() };
    let is_offered = |reward: &Reward| reward.offered_to(programme, tier, &segments, today);
    let offered = programme.rewards.iter().filter(|reward| is_offered(reward) || given(&reward.code));
    let view = |reward: &Reward| {
        let taken = taken.get(&reward.code).map(Vec::as_slice).unwrap_or_default();
        OwnReward::of(reward, supply.left(reward), taken, &settled)
    };
    Ok(HttpResponse::Ok().json(ListOf::whole(offered.map(view).collect())))
}
