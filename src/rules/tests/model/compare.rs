//! Whether the rulebook and the model tell the same.

use std::collections::BTreeMap;

use tessera_rules::decision::{PurchaseOutcome, RedemptionOutcome, ReturnOutcome};
use tessera_rules::explain::PromotionExplained;
use tessera_rules::id::RedemptionId;
use tessera_rules::link::LinkKind;
use tessera_rules::lot::{Lapse, Lot};
use tessera_rules::notice::{self, Matter};
use tessera_rules::redemption::RedemptionStatus;
use tessera_rules::tier::Measure;
use tessera_rules::{MemberState, Outcome, Refusal};

use super::document::TIERS;
use super::earn::Earned;
use super::goods::Returned;
use super::notices::{Notice, Warning};
use super::points::{Fate, Life};
use super::redeem::{Redemption, Status};
use super::{Member, No, book, keeping};

/// What the model says of a command.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    Earned(Earned),
    Redeemed(Redemption),
    Returned(Returned),
    /// Uses of an entitlement left.
    Left(u32),
    /// The perks granted.
    Granted(Vec<&'static str>),
    Warned(Vec<Notice>),
    /// A purchase was another member's.
    Moved(Returned, Earned),
    /// So many points were handed over, or came home.
    Handed(i64),
    Nothing,
}

/// Compares answers.
pub(crate) fn outcome(outcome: &Outcome, told: &Told) {
    match (outcome, told) {
        (Outcome::Purchase(found), Told::Earned(earned)) => purchase(found, earned),
        (Outcome::Redemption(found), Told::Redeemed(expected)) => redeemed(found, expected),
        (Outcome::Return(found), Told::Returned(expected)) => returned(found, expected),
        (Outcome::Move(found), Told::Moved(back, earned)) => {
            returned(&found.returned, back);
            purchase(&found.purchase, earned);
        }
        (Outcome::Link(found), Told::Handed(points)) => assert_eq!(found.points.get(), *points, "handed over"),
        (Outcome::Entitlement(found), Told::Left(left)) => assert_eq!(found.left, *left),
        (Outcome::Notices(found), Told::Warned(expected)) => {
            assert_eq!(found.iter().map(warning).collect::<Vec<_>>(), *expected, "notices");
        }
        (Outcome::Perks(found), Told::Granted(granted)) => assert_eq!(found, granted, "perks"),
        (Outcome::Adjustment(_) | Outcome::Tier(_) | Outcome::Transfer(_) | Outcome::Settled, Told::Nothing) => {}
        other => panic!("{other:?}"),
    }
}

fn warning(found: &notice::Notice) -> Notice {
    let tier = |code: &str| TIERS.iter().position(|tier| *tier == code).expect("a tier");
    let of = match &found.matter {
        Matter::Expiry { points } => Warning::Points(points.get()),
        Matter::Tier { from, to, missing } => Warning::Tier(tier(from), tier(to), *missing),
    };
    Notice { of, due: found.due_at, lead: found.lead_days.into() }
}

fn purchase(found: &PurchaseOutcome, earned: &Earned) {
    let why = &found.explanation;
    let told = (found.wanted.get(), found.given.get(), why.base_points.get(), why.basis.get());
    assert_eq!(told, (earned.wanted, earned.given, earned.base, earned.basis), "wanted, given, base, basis");
    assert_eq!(found.perks, earned.perks, "perks of the tier reached");
    let charges: Vec<i64> = why.promotions.iter().map(|promotion| promotion.charged.get()).collect();
    assert_eq!(charges, earned.charges, "charges");
    let shares: Vec<i64> = why.lines.iter().map(|line| line.points.get()).collect();
    assert_eq!(shares, earned.shares, "shares");
    assert_eq!(shares.iter().sum::<i64>(), found.given.get(), "shares sum to what was given");
    let cut: i64 = why.caps.iter().map(|cap| cap.cut.get()).sum();
    let held_back = |p: &PromotionExplained| p.wanted.map_or(0, |wanted| wanted.get() - p.charged.get());
    let held_back: i64 = why.promotions.iter().map(held_back).sum();
    assert_eq!(found.wanted.get() - cut - held_back, found.given.get(), "the caps explain what is missing");
}

fn redeemed(found: &RedemptionOutcome, expected: &Redemption) {
    assert_eq!((found.points.get(), found.held_until), (expected.points, expected.until));
    assert_eq!(found.worth.map(tessera_rules::amount::Minor::get), expected.worth);
    assert_eq!(status(found.status), expected.status);
}

fn status(status: RedemptionStatus) -> Status {
    match status {
        RedemptionStatus::Held => Status::Held,
        RedemptionStatus::Captured => Status::Captured,
        RedemptionStatus::Voided => Status::Voided,
    }
}

fn returned(found: &ReturnOutcome, expected: &Returned) {
    let record = &found.record;
    let found = Returned {
        amount: record.amount.get(),
        clawed: record.clawed.get(),
        owed: record.owed.get(),
        forgiven: record.forgiven.get(),
        given_back: record.given_back.get(),
        worth: found.worth.get(),
    };
    assert_eq!(found, *expected);
}

/// Compares all that is known of a member, who is settled on both sides.
pub(crate) fn member(state: &MemberState, model: &Member, ids: &[RedemptionId]) {
    let standing = &state.standing;
    let fate = |fate: Fate| model.count(|point| point.fate == fate);
    let held = |fate: Fate| matches!(fate, Fate::Held(_));
    let found = [standing.pending, standing.available, standing.held, standing.debt].map(|points| points.get());
    let held = model.count(|point| held(point.fate));
    let expected = [fate(Fate::Pending), fate(Fate::Available), held, model.debt];
    assert_eq!(found, expected, "pending, available, held, debt");
    assert_eq!((standing.carry, standing.lifetime_earned.get()), (model.carry, model.lifetime()), "carry, earned");
    assert_eq!((standing.lots, standing.purchases), (model.lots, model.purchases()), "lots, purchases");
    lots(state, model);
    tiers(state, model);
    let why = standing.link.map(|link| match link.kind {
        LinkKind::Merged => keeping::Why::Merged,
        LinkKind::Pool { may_spend } => keeping::Why::Household { may_spend },
    });
    assert_eq!(why, model.keeper.map(|(_, why)| why), "why his points are kept elsewhere");
    assert_eq!(standing.active_at, model.active, "active since");
    assert_eq!(standing.holds_due_at, model.next_time_out(), "the next time-out");
    let mut grants: Vec<_> =
        state.grants.iter().map(|grant| (grant.granted_at, grant.perk.as_str(), grant.from, grant.until)).collect();
    let mut gifts: Vec<_> = model.granted().map(|gift| (gift.at, gift.word(), gift.from, gift.until)).collect();
    grants.sort_unstable();
    gifts.sort_unstable();
    assert_eq!(grants, gifts, "perks");
    redemptions(state, model, ids);
}

/// What is free, held and lapsed of every lot, and until when it lives.
fn lots(state: &MemberState, model: &Member) {
    type Told = (i64, i64, i64, Option<Life>);
    let mut expected: BTreeMap<i64, Told> = BTreeMap::new();
    for point in &model.points {
        let (free, held, lapsed, life) = expected.entry(point.lot).or_default();
        *free += i64::from(point.free());
        *held += i64::from(matches!(point.fate, Fate::Held(_)));
        *lapsed += i64::from(point.fate == Fate::Expired);
        *life = Some(point.life);
    }
    let life = |lot: &Lot| match (lot.lapse, lot.expires_at) {
        (Lapse::Idle { months }, _) => Life::Idle(months),
        (_, Some(at)) => Life::Until(at),
        (_, None) => Life::Ever,
    };
    for (number, lot) in &state.lots {
        let found = (lot.remaining.get(), lot.held.get(), lot.lapsed.get(), Some(life(lot)));
        match expected.remove(number) {
            Some(told) => assert_eq!(found, told, "lot {number}: free, held, lapsed, life"),
            // All of its points were born again in another lot.
            None => assert_eq!((found.0, found.1, found.2), (0, 0, 0), "lot {number}"),
        }
    }
    let missed = expected.iter().find(|(_, told)| told.0 > 0);
    assert_eq!(missed, None, "every open lot is there");
    let free = |point: &&super::points::Point| point.free();
    let due = model.points.iter().filter(free).filter_map(|point| match (point.fate, point.life) {
        (Fate::Pending, _) => Some(point.from),
        (_, Life::Until(at)) => Some(at),
        _ => None,
    });
    assert_eq!(state.standing.lots_due_at, due.min(), "the next activation or expiry");
}

fn tiers(state: &MemberState, model: &Member) {
    let standing = &state.standing;
    let tier = if standing.tier.is_empty() { TIERS[0] } else { &standing.tier };
    assert_eq!(tier, TIERS[model.tier()], "tier");
    assert_eq!(standing.tier_changes, model.tiers.len() as i64, "changes of tier");
    let since = model.tiers.last().map_or(model.enrolled, |(since, _)| *since);
    assert_eq!(standing.tier_since, since, "tier since");
    if !state.tier_changes.is_empty() {
        let found = state.tier_changes.iter().map(|change| (change.at, change.to.as_str()));
        let last = model.tiers.iter().skip(model.tiers.len().saturating_sub(state.tier_changes.len()));
        assert!(found.eq(last.map(|&(at, tier)| (at, TIERS[tier]))), "{:?} {:?}", state.tier_changes, model.tiers);
    }
    assert_eq!(standing.tier_until, model.until, "the tier's validity");
    let placed = standing.placement.as_ref().map(|placement| placement.until);
    assert_eq!(placed, model.placed.map(|(_, until)| until), "the placement");
    let measure = match model.book.ladder.measure {
        book::Measure::Points => Measure::Points,
        book::Measure::Spend => Measure::Spend,
        book::Measure::Visits => Measure::Visits,
    };
    assert_eq!(measure.of(&standing.window), model.measure_on(model.today()), "the measure");
}

/// Those that the state knows of.
fn redemptions(state: &MemberState, model: &Member, ids: &[RedemptionId]) {
    for (id, expected) in ids.iter().zip(&model.redemptions) {
        let Some(found) = state.redemptions.get(id) else { continue };
        assert_eq!((status(found.status), found.points.get()), (expected.status, expected.points));
        let bites: i64 = found.bites.iter().map(|bite| bite.points.get()).sum();
        assert_eq!(bites, expected.taken.len() as i64, "points that were not given back");
    }
}

/// The model's word for a refusal.
pub(crate) fn refused(refusal: &Refusal) -> No {
    match refusal {
        Refusal::OccurredTooEarly => No::TooEarly,
        Refusal::OccurredTooLate => No::TooLate,
        Refusal::TendersExceedTotal => No::Tenders,
        Refusal::BelowMinimum(_) => No::Minimum,
        Refusal::NotAStep(_) => No::Step,
        Refusal::ShareTooLarge(_) => No::Share,
        Refusal::InsufficientPoints { .. } => No::Points,
        Refusal::TierTooLow(_) => No::Tier,
        Refusal::OutOfStock => No::Stock,
        Refusal::NotHeld(_) => No::NotHeld,
        Refusal::CaptureOutOfRange(_) => No::Range,
        Refusal::RewardIsWhole => No::Whole,
        Refusal::PaidForPurchase(_) => No::ForSale,
        Refusal::VoidedBefore => No::Voided,
        Refusal::LineUnknown(_) => No::Line,
        Refusal::NotAPart(_) => No::NotAPart,
        Refusal::MoreThanLeft(_) => No::MoreThanLeft,
        Refusal::NothingToReturn => No::Nothing,
        Refusal::PlacementOver => No::Over,
        Refusal::EntitlementUnknown => No::NotEntitled,
        Refusal::EntitlementDay => No::Day,
        Refusal::EntitlementUsedUp => No::UsedUp,
        Refusal::DailyLimit(_) => No::DailyLimit,
        Refusal::ReturnedBefore => No::ReturnedBefore,
        Refusal::PaidWithPoints => No::PaidWithPoints,
        Refusal::MovedTooLate => No::MovedTooLate,
        Refusal::MemberMerged => No::Merged,
        Refusal::NotMerged => No::NotMerged,
        Refusal::InPool => No::InPool,
        Refusal::NotAHead => No::NotAHead,
        Refusal::PoolFull(_) => No::Full,
        Refusal::NotInPool => No::NotInPool,
        Refusal::MayNotSpend => No::MayNotSpend,
        other => panic!("unexpected: {other:?}"),
    }
}
