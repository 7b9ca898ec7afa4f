//! Shapes that more than one face shows: balances, lots, tiers, notices, money.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tessera_rules::amount::{Currency, Minor, Points};
use tessera_rules::decision::Balance;
use tessera_rules::forecast::{Forecast, TierFall, forecast, horizon};
use tessera_rules::id::MemberId;
use tessera_rules::ladder::progress;
use tessera_rules::link::LinkKind;
use tessera_rules::lot::Lot;
use tessera_rules::tier::{Placement, Progress};
use tessera_rules::{Actor, Context};
use utoipa::ToSchema;

use super::entitled::EntitlementView;
use super::error::Problem;
use crate::engine::Settled;
use crate::store::ledger::NoticeView;

/// What becomes of a settled member if he does nothing more.
fn ahead(settled: &Settled) -> Result<Forecast, Problem> {
    let now = settled.member.standing.recorded_at;
    let programme_version = settled.programme.version;
    let context = Context { now, actor: Actor::SYSTEM, programme_version, historic: false, seed: None };
    let ahead = forecast(&settled.programme.programme, &settled.member, &context, horizon(now));
    ahead.map_err(|refusal| Problem::from(&refusal))
}

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
    /// What becomes spendable when, soonest first: the points of `pending`.
    activating: Vec<Activating>,
    /// What lapses if nothing else happens, soonest first: pending points too, once they are spendable, and
    /// held ones whose hold ends after they have lapsed.
    expiring: Vec<Expiring>,
    /// The household pool that keeps the member's points; absent for who is in none, and for its head, whose
    /// own points are the pool's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pool: Option<PoolBalance>,
    /// The moment this was true.
    as_of: DateTime<Utc>,
}

/// Points that become spendable together.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Activating {
    /// How many.
    #[schema(value_type = i64)]
    points: Points,
    /// From when they may be spent.
    available_from: DateTime<Utc>,
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
    pub(crate) fn of(settled: &Settled) -> Result<Self, Problem> {
        let standing = &settled.member.standing;
        let Balance { available, pending, held, debt } = Balance::from(standing);
        let mut waiting: BTreeMap<DateTime<Utc>, i64> = BTreeMap::new();
        for lot in settled.member.lots.values().filter(|lot| lot.pending && lot.remaining.is_positive()) {
            *waiting.entry(lot.available_from).or_default() += lot.remaining.get();
        }
        let activating = waiting.into_iter().filter_map(|(available_from, points)| {
            Some(Activating { points: Points::new(points).ok()?, available_from })
        });
        let expiring = ahead(settled)?.expiring.into_iter();
        Ok(Self {
            available,
            pending,
            held,
            debt,
            lifetime_earned: standing.lifetime_earned,
            activating: activating.collect(),
            expiring: expiring.map(|one| Expiring { points: one.points, expires_at: one.expires_at }).collect(),
            pool: PoolBalance::of(settled),
            as_of: standing.recorded_at,
        })
    }
}

/// What a household pool has.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PoolBalance {
    /// Its head, who keeps the points.
    #[schema(value_type = String, example = "mem_01kapm3v5ne8v9b3r6a2f7qk4d")]
    head: MemberId,
    /// Spendable points.
    #[schema(value_type = i64)]
    available: Points,
    /// Points earned and not yet spendable.
    #[schema(value_type = i64)]
    pending: Points,
    /// Whether this member may spend from it.
    may_spend: bool,
}

impl PoolBalance {
    fn of(settled: &Settled) -> Option<Self> {
        let link = settled.member.standing.link?;
        let LinkKind::Pool { may_spend } = link.kind else { return None };
        let keeper = &settled.keeper.as_ref()?.standing;
        Some(Self { head: link.root, available: keeper.available, pending: keeper.pending, may_spend })
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
    /// Points set aside by holds.
    #[schema(value_type = i64)]
    held: Points,
    /// Points that lapsed unspent.
    #[schema(value_type = i64)]
    lapsed: Points,
    /// Whether what is left cannot be spent yet.
    pending: bool,
    /// The lot that had lapsed when these points were given back.
    origin: Option<i64>,
    /// When they were earned.
    occurred_at: DateTime<Utc>,
    /// From when they may be spent.
    available_from: DateTime<Utc>,
    /// From when they can no longer be spent; null: never, or by inactivity.
    expires_at: Option<DateTime<Utc>>,
}

impl From<&Lot> for LotView {
    fn from(lot: &Lot) -> Self {
        Self {
            number: lot.number,
            points: lot.points,
            remaining: lot.remaining,
            held: lot.held,
            lapsed: lot.lapsed,
            pending: lot.pending,
            origin: lot.origin,
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
    /// What happens to the tier if nothing more is bought; null: it stays.
    fall: Option<FallView>,
    /// The placement by staff that is running; null: the tier is the member's own.
    placement: Option<PlacementView>,
    /// What the tier entitles to, in this calendar year.
    entitlements: Vec<EntitlementView>,
}

/// A fall of the tier that is coming unless the member qualifies again.
#[derive(Debug, Serialize, ToSchema)]
struct FallView {
    /// When.
    at: DateTime<Utc>,
    /// Code of the tier it falls to.
    to: String,
    /// What the measure will lack for keeping the tier: what is to be bought until then. 0 where a placement
    /// ends.
    missing: i64,
}

impl From<TierFall> for FallView {
    fn from(fall: TierFall) -> Self {
        Self { at: fall.at, to: fall.to, missing: fall.missing }
    }
}

/// A placement by staff.
#[derive(Debug, Serialize, ToSchema)]
struct PlacementView {
    /// Code of the tier the member would hold without it.
    own: String,
    /// From when it no longer counts.
    until: DateTime<Utc>,
}

impl From<&Placement> for PlacementView {
    fn from(placement: &Placement) -> Self {
        Self { own: placement.own.clone(), until: placement.until }
    }
}

impl TierView {
    /// The tier of a settled member.
    pub(crate) fn of(settled: &Settled) -> Result<Self, Problem> {
        let (programme, standing) = (&settled.programme.programme, &settled.member.standing);
        let level = programme.tier(programme.tier_position(&standing.tier));
        Ok(Self {
            code: level.code.clone(),
            name: level.name.clone(),
            earn_multiplier: level.earn_multiplier,
            benefits: level.benefits.clone(),
            since: standing.tier_since,
            progress: progress(programme, standing).into(),
            fall: ahead(settled)?.fall.map(FallView::from),
            placement: standing.placement.as_ref().map(PlacementView::from),
            entitlements: EntitlementView::all(level, settled),
        })
    }
}

/// A warning that was given.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GivenNotice {
    /// Of what: `{"kind": "expiry", "points"}` or `{"kind": "tier", "from", "to", "missing"}`.
    #[schema(value_type = Object, example = json!({"kind": "expiry", "points": 120}))]
    matter: serde_json::Value,
    /// When it happens unless the member does something.
    due_at: DateTime<Utc>,
    /// How many days before it was to be given.
    #[schema(example = 30)]
    lead_days: i32,
    /// When it was given.
    noticed_at: DateTime<Utc>,
}

impl From<NoticeView> for GivenNotice {
    fn from(notice: NoticeView) -> Self {
        let NoticeView { due_at, lead_days, noticed_at, content } = notice;
        Self { matter: content, due_at, lead_days, noticed_at }
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
