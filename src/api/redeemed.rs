//! Redemptions as both faces show them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tessera_rules::Outcome;
use tessera_rules::amount::{Minor, Points};
use tessera_rules::command::Redeemed;
use tessera_rules::fulfilment::FulfilmentStatus;
use tessera_rules::id::{MemberId, PurchaseId, RedemptionId};
use tessera_rules::redemption::RedemptionStatus;
use tessera_rules::ticket::Tickets;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Services;
use super::error::{Code, Problem, both};
use super::submit::answer;
use super::views::{BalanceView, MoneyView};
use crate::engine::Answer;
use crate::store::Error;
use crate::store::db::Connection;
use crate::store::ledger::RedemptionState;
use crate::store::reward::{self, StepView};
use crate::store::ticket;

/// Points that were spent, set aside or given back.
#[derive(Serialize, ToSchema)]
pub(super) struct RedemptionView<'a> {
    /// The redemption.
    #[schema(value_type = String, example = "red_01kapm6w2gfh1sd0q4x9v7zb3n")]
    id: RedemptionId,
    /// `held`: the points are set aside; `captured`: they are spent; `voided`: they are back.
    #[schema(value_type = String, example = "captured")]
    status: RedemptionStatus,
    /// When a hold ends by itself; absent unless `held`.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<DateTime<Utc>>,
    /// How many; of a voided redemption, how many they had been.
    #[schema(value_type = i64)]
    points: Points,
    /// For which reward; null for money off.
    reward_id: Option<&'a str>,
    /// Code of the perk that gave the reward for nothing; absent where none did.
    #[serde(skip_serializing_if = "Option::is_none")]
    perk: Option<&'a str>,
    /// The partner's code that the reward is, once it is captured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "CINEMA-7F3K-22QX")]
    voucher_code: Option<&'a str>,
    /// The numbers of the tickets that the reward is, once it is captured; absent where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, example = json!([17]))]
    tickets: Vec<i64>,
    /// Where the goods stand; absent where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "reserved")]
    fulfilment: Option<FulfilmentStatus>,
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
    Code::MemberMerged,
    Code::MemberFrozen,
    Code::RewardUnknown,
    Code::RewardNotOffered,
    Code::TierTooLow,
    Code::MemberLimit,
    Code::OutOfStock,
    Code::MoneyOffNotOffered,
    Code::BelowMinimum,
    Code::NotAStep,
    Code::InsufficientPoints,
    Code::MayNotSpend,
    Code::DailyLimit,
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
    view(201, outcome)
}

/// The answer to a redemption's capture or end.
pub(super) fn show_settled(outcome: &Outcome) -> Answer {
    view(200, outcome)
}

fn view(status: u16, outcome: &Outcome) -> Answer {
    let Outcome::Redemption(redemption) = outcome else { return answer(500, &()) };
    let money_off = redemption.worth.map(|amount| MoneyView { amount, currency: redemption.currency });
    answer(
        status,
        &RedemptionView {
            id: redemption.id,
            status: redemption.status,
            expires_at: redemption.held_until,
            points: redemption.points,
            reward_id: redemption.reward.as_deref(),
            perk: redemption.perk.as_deref(),
            voucher_code: redemption.voucher.as_deref(),
            tickets: redemption.tickets.map_or_else(Vec::new, |tickets| tickets.numbers().collect()),
            fulfilment: redemption.fulfilment,
            money_off,
            recorded_at: redemption.recorded_at,
            balance: redemption.balance.into(),
        },
    )
}

/// A step of goods on their way to the member.
#[derive(Serialize, ToSchema)]
struct FulfilmentStepView {
    /// Where they stood from then on.
    #[schema(example = "reserved")]
    fulfilment: String,
    /// When.
    at: DateTime<Utc>,
    /// By whom: `member`, `cashier`, `manager` or `admin`.
    #[schema(example = "cashier")]
    by: String,
}

/// Who is shown a redemption.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Viewer {
    /// The member, whose code it is.
    Member,
    /// Staff, to whom a code is no more than money left lying about.
    Staff,
}

/// What is read beside redemptions.
struct Beside {
    codes: HashMap<Uuid, String>,
    tickets: HashMap<Uuid, Tickets>,
    steps: HashMap<Uuid, Vec<FulfilmentStepView>>,
}

impl Beside {
    fn read(conn: &mut Connection, ids: &[Uuid], viewer: Viewer) -> Result<Self, Error> {
        let codes = if viewer == Viewer::Member { reward::given(conn, ids)? } else { Vec::new() };
        let tickets = ticket::of(conn, ids)?.into_iter().collect();
        let mut steps: HashMap<Uuid, Vec<FulfilmentStepView>> = HashMap::new();
        for StepView { redemption_id, status, at, actor_role } in reward::steps(conn, ids)? {
            let step = FulfilmentStepView { fulfilment: status, at, by: actor_role };
            steps.entry(redemption_id).or_default().push(step);
        }
        Ok(Self { codes: codes.into_iter().collect(), tickets, steps })
    }
}

/// A redemption as it stands now.
#[derive(Serialize, ToSchema)]
pub(super) struct RedemptionNow {
    /// The redemption.
    #[schema(value_type = String, example = "red_01kapm6w2gfh1sd0q4x9v7zb3n")]
    id: RedemptionId,
    /// `held`: the points are set aside; `captured`: they are spent; `voided`: they are back.
    #[schema(example = "captured")]
    status: String,
    /// When a hold ends by itself; absent unless `held`.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<DateTime<Utc>>,
    /// How many; of a voided redemption, how many they had been.
    points: i64,
    /// For which reward; null for money off.
    reward_id: Option<String>,
    /// Code of the perk that gave the reward for nothing; absent where none did.
    #[serde(skip_serializing_if = "Option::is_none")]
    perk: Option<String>,
    /// The partner's code that the reward is; told to the member alone, and absent unless `captured`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "CINEMA-7F3K-22QX")]
    voucher_code: Option<String>,
    /// The numbers of the tickets that the reward is; absent where there are none, and unless `captured`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, example = json!([17]))]
    tickets: Vec<i64>,
    /// Where the goods stand: `reserved`, `ready`, `handed_over` or `cancelled`; absent where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "ready")]
    fulfilment: Option<String>,
    /// How they got there, oldest first; absent where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fulfilment_steps: Vec<FulfilmentStepView>,
    /// What they are worth as money off; null for a reward.
    money_off: Option<MoneyView>,
    /// The purchase that they paid for a part of; absent for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "pur_01kapm5q0tf3wavd1k9m2x8z7c")]
    purchase_id: Option<PurchaseId>,
    /// When the points were set aside or spent.
    recorded_at: DateTime<Utc>,
}

/// Redemptions of one member as they stand now: a hold whose time has run out shows as ended, whether
/// or not that is on record yet.
pub(super) async fn now(
    services: &Services,
    member: MemberId,
    rows: Vec<RedemptionState>,
    viewer: Viewer,
) -> Result<Vec<RedemptionNow>, Problem> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let currency = services.engine.programme().await?.programme.currency;
    let held = rows.iter().any(|row| row.status == RedemptionStatus::Held.as_str());
    let settled = match held {
        true => Some(services.settled(member).await?),
        false => None,
    };
    let ids: Vec<Uuid> = rows.iter().filter(|row| row.reward.is_some()).map(|row| row.id).collect();
    let mut beside = services.pool.run(move |conn| Beside::read(conn, &ids, viewer)).await?;
    let view = |row: RedemptionState| {
        let id = RedemptionId::new(row.id);
        let captured = row.status == RedemptionStatus::Captured.as_str();
        let steps = beside.steps.remove(&row.id).unwrap_or_default();
        let known = settled.as_ref().and_then(|settled| settled.member.redemptions.get(&id));
        RedemptionNow {
            id,
            status: known.map_or(row.status, |known| known.status.as_str().to_owned()),
            expires_at: known.map_or(row.held_until, |known| known.held_until),
            points: row.points,
            reward_id: row.reward,
            perk: row.perk,
            voucher_code: beside.codes.remove(&row.id).filter(|_| captured),
            tickets: beside
                .tickets
                .remove(&row.id)
                .filter(|_| captured)
                .map_or_else(Vec::new, |own| own.numbers().collect()),
            fulfilment: steps.last().map(|step| step.fulfilment.clone()),
            fulfilment_steps: steps,
            money_off: row.worth.and_then(|worth| Some(MoneyView { amount: Minor::new(worth).ok()?, currency })),
            purchase_id: row.purchase_id.map(PurchaseId::new),
            recorded_at: row.recorded_at,
        }
    };
    Ok(rows.into_iter().map(view).collect())
}
