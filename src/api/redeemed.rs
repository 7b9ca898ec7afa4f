//! Redemptions as both faces show them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tessera_rules::Outcome;
use tessera_rules::amount::Points;
use tessera_rules::command::Redeemed;
use tessera_rules::id::RedemptionId;
use utoipa::ToSchema;

use super::error::{Code, Problem, both};
use super::submit::answer;
use super::views::{BalanceView, MoneyView};
use crate::access::Resource;
use crate::engine::Answer;
use crate::store::ledger::Document;
use tessera_rules::id::{MemberId, StoreId};

/// Points that were spent.
#[derive(Serialize, ToSchema)]
pub(super) struct RedemptionView<'a> {
    /// The redemption.
    #[schema(value_type = String, example = "red_01kapm6w2gfh1sd0q4x9v7zb3n")]
    id: RedemptionId,
    /// `captured`: the points are spent.
    status: &'static str,
    /// How many.
    #[schema(value_type = i64)]
    points: Points,
    /// For which reward; null for money off.
    reward_id: Option<&'a str>,
    /// What they are worth as money off; null for a reward.
    money_off: Option<MoneyView>,
    /// When.
    recorded_at: DateTime<Utc>,
    /// Balances afterwards.
    balance: BalanceView,
}

/// What a redemption may be refused for.
pub(super) const PROBLEMS: &[Code] = &[
    Code::MemberUnknown,
    Code::MemberFrozen,
    Code::RewardUnknown,
    Code::RewardNotOffered,
    Code::TierTooLow,
    Code::OutOfStock,
    Code::MoneyOffNotOffered,
    Code::BelowMinimum,
    Code::NotAStep,
    Code::InsufficientPoints,
    Code::AmountOutOfRange,
    Code::NoProgramme,
];

/// What is redeemed: exactly one of the two.
pub(super) fn what(points: Option<Points>, reward: Option<&str>) -> Result<Redeemed, Problem> {
    match (points, reward) {
        (Some(points), None) if points.is_positive() => Ok(Redeemed::MoneyOff(points)),
        (Some(_), None) => {
            let detail = both("Must be at least 1.", "必须至少为 1。");
            Err(Problem::field(Code::InvalidField, "/points", "too_small", detail))
        }
        (None, Some(code)) => Ok(Redeemed::Reward(code.to_owned())),
        _ => {
            let detail = both("Give either points or reward_id.", "points 与 reward_id 必须且只能提供一个。");
            Err(Problem::field(Code::InvalidField, "", "one_of", detail))
        }
    }
}

/// The answer to a redemption.
pub(super) fn show(outcome: &Outcome) -> Answer {
    let Outcome::Redemption(redemption) = outcome else { return answer(500, &()) };
    let money_off = redemption.worth.map(|amount| MoneyView { amount, currency: redemption.currency });
    answer(
        201,
        &RedemptionView {
            id: redemption.id,
            status: "captured",
            points: redemption.points,
            reward_id: redemption.reward.as_deref(),
            money_off,
            recorded_at: redemption.recorded_at,
            balance: redemption.balance.into(),
        },
    )
}

impl Document {
    /// What the policy is asked about.
    pub(super) fn resource(&self) -> Resource {
        Resource::Document { member: MemberId::new(self.member_id), store: self.store_id.map(StoreId::new) }
    }
}
