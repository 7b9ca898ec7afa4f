//! Transfers as both faces show them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tessera_rules::Outcome;
use tessera_rules::amount::Points;
use tessera_rules::id::TransferId;
use utoipa::ToSchema;

use super::error::{Code, Problem, both};
use super::submit::answer;
use super::views::BalanceView;
use crate::engine::Answer;

/// Points that were given to another member.
#[derive(Serialize, ToSchema)]
pub(super) struct TransferView {
    /// The transfer.
    #[schema(value_type = String, example = "trf_01kapm8x3hfx9s5d1w7c0q2vbn")]
    id: TransferId,
    /// How many.
    #[schema(value_type = i64)]
    points: Points,
    /// When.
    recorded_at: DateTime<Utc>,
    /// The giver's balances afterwards.
    balance: BalanceView,
}

/// What a transfer may be refused for.
pub(super) const PROBLEMS: &[Code] = &[
    Code::MemberMerged,
    Code::MemberFrozen,
    Code::ReceiverUnavailable,
    Code::SameMember,
    Code::TransfersNotOffered,
    Code::BelowMinimum,
    Code::InsufficientPoints,
    Code::MayNotSpend,
    Code::DailyLimit,
    Code::AmountOutOfRange,
    Code::NoProgramme,
];

/// Refuses what is no number of points to give.
pub(super) fn check(points: Points) -> Result<(), Problem> {
    if points.is_positive() {
        return Ok(());
    }
    let detail = both("Must be at least 1.", "必须至少为 1。");
    Err(Problem::field(Code::InvalidField, "/points", "too_small", detail))
}

/// The answer to a transfer.
pub(super) fn show(outcome: &Outcome) -> Answer {
    let Outcome::Transfer(outcome) = outcome else { return answer(500, &()) };
    let (id, points) = (outcome.record.id, outcome.record.points);
    answer(201, &TransferView { id, points, recorded_at: outcome.recorded_at, balance: outcome.balance.into() })
}
