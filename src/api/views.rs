//! Shapes that more than one face shows: balances, lots, tiers, money.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tessera_rules::amount::{Currency, Minor, Points};
use tessera_rules::decision::Balance;
use tessera_rules::lot::Lot;
use tessera_rules::settle::progress;
use tessera_rules::tier::Progress;
use utoipa::ToSchema;

use crate::engine::Settled;

/// Points per account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BalanceView {
    /// Spendable points.
    #[schema(value_type = i64)]
    available: Points,
    /// Points earned and not yet spendable.
    #[schema(value_type = i64)]
    pending: Points,
    /// Points set aside for redemptions that are not captured yet.
    #[schema(value_type = i64)]
    held: Points,
    /// Points owed.
    #[schema(value_type = i64)]
    debt: Points,
}

impl From<Balance> for BalanceView {
    fn from(balance: Balance) -> Self {
        let Balance { available, pending, held, debt } = balance;
        Self { available, pending, held, debt }
    }
}

/// A member's balance with what lapses when.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MemberBalance {
    /// Spendable points.
    #[schema(value_type = i64, example = 1240)]
    available: Points,
    /// Points earned and not yet spendable.
    #[schema(value_type = i64)]
    pending: Points,
    /// Points set aside for redemptions that are not captured yet.
    #[schema(value_type = i64)]
    held: Points,
    /// Points owed.
    #[schema(value_type = i64)]
    debt: Points,
    /// Everything ever earned.
    #[schema(value_type = i64)]
    lifetime_earned: Points,
    /// What lapses if nothing else happens, soonest first.
    expiring: Vec<Expiring>,
    /// The moment this was true.
    as_of: DateTime<Utc>,
}

/// Points that lapse together.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Expiring {
    /// How many.
    #[schema(value_type = i64)]
    points: Points,
    /// From when they can no longer be spent.
    expires_at: DateTime<Utc>,
}

impl MemberBalance {
    /// The balance of a settled member.
    pub(crate) fn of(settled: &Settled) -> Self {
        let standing = &settled.member.standing;
        let Balance { available, pending, held, debt } = Balance::from(standing);
        let open = settled.member.lots.values().filter(|lot| lot.remaining.is_positive());
        let mut dated: Vec<(DateTime<Utc>, i64)> =
            open.filter_map(|lot| Some((lot.expires_at?, lot.remaining.get()))).collect();
        dated.sort_unstable();
        let mut expiring: Vec<(DateTime<Utc>, i64)> = Vec::new();
        for (at, points) in dated {
            match expiring.last_mut() {
                Some(last) if last.0 == at => last.1 += points,
                _ => expiring.push((at, points)),
            }
        }
        let show = |(expires_at, points)| Some(Expiring { points: Points::new(points).ok()?, expires_at });
        Self {
            available,
            pending,
            held,
            debt,
            lifetime_earned: standing.lifetime_earned,
            expiring: expiring.into_iter().filter_map(show).collect(),
            as_of: standing.recorded_at,
        }
    }
}

/// The points of one credit.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LotView {
    /// 1, 2, 3 … per member.
    number: i64,
    /// Points at the start.
    #[schema(value_type = i64)]
    points: Points,
    /// Points left.
    #[schema(value_type = i64)]
    remaining: Points,
    /// When they were earned.
    occurred_at: DateTime<Utc>,
    /// From when they may be spent.
    available_from: DateTime<Utc>,
    /// From when they can no longer be spent; null: never.
    expires_at: Option<DateTime<Utc>>,
}

impl From<&Lot> for LotView {
    fn from(lot: &Lot) -> Self {
        Self {
            number: lot.number,
            points: lot.points,
            remaining: lot.remaining,
            occurred_at: lot.occurred_at,
            available_from: lot.available_from,
            expires_at: lot.expires_at,
        }
    }
}

/// Where a member stands on the ladder of tiers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProgressView {
    /// What is measured: `points`, `spend` (minor units) or `visits`.
    #[schema(value_type = String, example = "points")]
    measure: tessera_rules::tier::Measure,
    /// The measure now.
    value: i64,
    /// Code of the next tier; null at the top.
    next: Option<String>,
    /// What is missing to the next tier.
    missing: i64,
    /// When the current tier may fall if nothing else happens; null: never.
    kept_until: Option<DateTime<Utc>>,
}

impl From<Progress> for ProgressView {
    fn from(progress: Progress) -> Self {
        let Progress { measure, value, next, missing, kept_until } = progress;
        Self { measure, value, next, missing, kept_until }
    }
}

/// A member's tier now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TierView {
    /// Its code.
    code: String,
    /// Its name.
    #[schema(value_type = Object, example = json!({"en": "Gold", "zh": "金卡"}))]
    name: tessera_rules::text::Text,
    /// What it multiplies earning by, as a decimal.
    #[schema(value_type = String, example = "1.5")]
    earn_multiplier: tessera_rules::amount::Multiplier,
    /// Benefits in words.
    #[schema(value_type = Vec<Object>)]
    benefits: Vec<tessera_rules::text::Text>,
    /// Since when.
    since: DateTime<Utc>,
    /// The way to the next.
    progress: ProgressView,
}

impl TierView {
    /// The tier of a settled member.
    pub(crate) fn of(settled: &Settled) -> Self {
        let (programme, standing) = (&settled.programme.programme, &settled.member.standing);
        let level = programme.tier(programme.tier_position(&standing.tier));
        Self {
            code: level.code.clone(),
            name: level.name.clone(),
            earn_multiplier: level.earn_multiplier,
            benefits: level.benefits.clone(),
            since: standing.tier_since,
            progress: progress(programme, standing).into(),
        }
    }
}

/// Money in minor units.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MoneyView {
    /// Minor units.
    #[schema(value_type = i64, example = 1999)]
    pub(crate) amount: Minor,
    /// ISO 4217.
    #[schema(value_type = String, example = "CNY")]
    pub(crate) currency: Currency,
}
