//! One member's purchases, decided again one after the other.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::amount::{Minor, OutOfRange, Points};
use crate::command::{Context, Purchase};
use crate::decision::{Effect, StandingPatch};
use crate::draft::Draft;
use crate::earning::{Earned, MICRO};
use crate::entitlement::EntitlementUse;
use crate::explain::{Explanation, PromotionExplained};
use crate::id::{PurchaseId, StoreId};
use crate::limit::{Limits, PromotionUsage};
use crate::member::{DayTotals, MemberState, Standing};
use crate::perk::{PerkGift, PerkGrant};
use crate::programme::Programme;
use crate::promotion::{Miss, PromotionEffect};
use crate::refusal::Refusal;
use crate::remainder::Remainder;
use crate::returns::Sold;
use crate::simulate::report::Compared;
use crate::simulate::{Past, PastPurchase, PastReturn};
use crate::tier::TierChange;
use crate::time::{Instant, month_of};
use crate::wallet::PayWithWallet;

/// A purchase of which something comes back later: as it was, and as it would have been.
struct Sale {
    was: Sold,
    would_be: Sold,
}

/// What a purchase would have been given.
pub(super) struct Given {
    pub(super) points: Points,
    /// Why; absent where the programme tried refuses it.
    pub(super) explanation: Option<Explanation>,
}

/// What a return took, and would have taken.
pub(super) struct Taken {
    /// When the goods were sold.
    pub(super) sold_at: Instant,
    pub(super) points: Compared,
}

/// A member under way. His points are counted and never kept: nothing is spent here, nothing lapses.
pub(super) struct Replay<'a> {
    draft: Draft<'a>,
    past: &'a Past,
    /// Whether the tiers on record count.
    relive: bool,
    /// Purchases of which something comes back, once they are bought.
    sales: BTreeMap<PurchaseId, Option<Sale>>,
}

impl<'a> Replay<'a> {
    pub(super) fn new(tried: &'a Programme, context: &'a Context, past: &'a Past, relive: bool) -> Self {
        let mut member = MemberState::new(Standing::new(past.member, past.enrolled_at));
        member.birth_date = past.birth_date;
        member.tags.clone_from(&past.tags);
        let returned = past.events.iter().filter_map(|event| match event {
            super::PastEvent::Return(returned) => Some((returned.purchase, None)),
            super::PastEvent::Purchase(_) => None,
        });
        Self { draft: Draft::new(tried, context, &member), past, relive, sales: returned.collect() }
    }

    /// Decides by another programme from now on.
    pub(super) fn under(&mut self, programme: &'a Programme) {
        self.draft.programme = programme;
    }

    /// Goes to the time of the next event.
    fn go_to(&mut self, at: Instant, tier: &str) -> Result<(), Refusal> {
        self.draft.at = self.draft.at.max(at);
        if !self.relive {
            self.hold(tier);
        }
        self.draft.settle()
    }

    /// Puts the member in a tier that nothing takes from him until the next event.
    fn hold(&mut self, tier: &str) {
        let standing = &mut self.draft.member.standing;
        tier.clone_into(&mut standing.tier);
        standing.tier_since = Instant::MIN_UTC;
        (standing.tier_until, standing.tier_due_at) = (None, None);
    }

    /// Forgets the points: they are counted, and live on nowhere.
    fn forget(&mut self) {
        let member = &mut self.draft.member;
        member.lots.clear();
        let standing = &mut member.standing;
        (standing.lots_due_at, standing.idle_due_at, standing.idle_months) = (None, None, None);
        self.draft.effects.clear();
        if !self.relive {
            member.tier_changes.clear();
        }
    }

    /// Decides a purchase again.
    pub(super) fn buy(&mut self, past: &PastPurchase) -> Result<Given, OutOfRange> {
        let decided = self.decide(past);
        let given = match decided {
            Ok(earned) => {
                let micropoints = self.draft.effects.iter().find_map(|effect| match effect {
                    Effect::Purchase(record) => record.micropoints,
                    _ => None,
                });
                self.keep(past, earned.given, micropoints, &earned.explanation);
                self.note_cashback(past, &earned.explanation);
                Given { points: earned.given, explanation: Some(earned.explanation) }
            }
            Err(Refusal::AmountOutOfRange) => return Err(OutOfRange),
            Err(_) => Given { points: Points::ZERO, explanation: None },
        };
        self.forget();
        Ok(given)
    }

    /// The steps of a purchase (`crate::purchase`), without what it pays with and what it is granted.
    fn decide(&mut self, past: &PastPurchase) -> Result<Earned, Refusal> {
        self.go_to(past.recorded_at, &past.explanation.tier)?;
        self.boost(past);
        let total = past.lines.iter().map(|line| i128::from(line.amount.get())).sum();
        let receipt = Purchase {
            id: past.id,
            store: StoreId::new(Uuid::nil()),
            store_code: past.store.clone(),
            source: String::new(),
            external_id: String::new(),
            occurred_at: Some(past.occurred_at),
            currency: self.draft.programme.currency,
            lines: past.lines.clone(),
            tenders: past.tenders.clone(),
            channel: past.channel.clone(),
            pricing: None,
            redeem: None,
            wallet: past.paid_from_wallet.map(|amount| PayWithWallet { amount, otp_step: None }),
            content: [0; 32],
        };
        let draft = &mut self.draft;
        draft.promotions_used = draft.programme.used_on_record(&past.explanation);
        let facts = draft.facts_of(&receipt, past.occurred_at);
        let earned = draft.earned(&receipt, past.occurred_at, past.paid_with_points, facts.as_ref())?;
        draft.book(&receipt, past.occurred_at, Minor::from_wide(total)?, &earned)?;
        draft.rise()?;
        Ok(earned)
    }

    /// Gives the member the multipliers of his own that the purchase had.
    fn boost(&mut self, past: &PastPurchase) {
        let (at, day) = (past.occurred_at, self.draft.zone().day_of(past.occurred_at));
        let member = &mut self.draft.member;
        member.grants.clear();
        member.entitlement_uses.clear();
        for told in &past.explanation.promotions {
            let PromotionEffect::Multiply { by: multiplier } = told.effect else { continue };
            if let Some(perk) = told.code.strip_prefix("perk:") {
                let (perk, gift) = (perk.to_owned(), PerkGift::Multiplier { multiplier });
                let until = at + chrono::Duration::microseconds(1);
                member.grants.push(PerkGrant { perk, occasion: 0, granted_at: at, gift, from: at, until });
            } else if let Some(code) = told.code.strip_prefix("entitlement:") {
                let (code, day) = (code.to_owned(), Some((day, multiplier)));
                member.entitlement_uses.push(EntitlementUse { code, year: 0, number: 1, used_at: at, day });
            }
        }
    }

    /// Counts a purchase as it is on record.
    pub(super) fn recall(&mut self, past: &PastPurchase) -> Result<Option<Given>, OutOfRange> {
        self.count(past).map_err(|_| OutOfRange)?;
        self.keep(past, past.points, past.micropoints, &past.explanation);
        self.note_cashback(past, &past.explanation);
        self.forget();
        Ok(None)
    }

    fn count(&mut self, past: &PastPurchase) -> Result<(), Refusal> {
        self.go_to(past.recorded_at, &past.explanation.tier)?;
        let (why, draft) = (&past.explanation, &mut self.draft);
        let totals =
            DayTotals { points: why.base_points.get(), spend: why.basis.get(), visits: 1, given: past.points.get() };
        draft.qualify(draft.zone().day_of(past.occurred_at), totals)?;
        draft.use_promotions(why)?;
        let carry = draft.member.standing.carry + past.micropoints.unwrap_or(0);
        draft.patch(StandingPatch {
            earned: past.points,
            purchases: 1,
            purchased_at: Some(past.occurred_at),
            carry: Some(carry.rem_euclid(MICRO)),
            ..StandingPatch::default()
        })
    }

    /// Counts cashback against the caps of its month. The money itself lives on nowhere.
    fn note_cashback(&mut self, past: &PastPurchase, why: &Explanation) {
        let month = month_of(self.draft.zone().day_of(past.occurred_at));
        for told in &why.promotions {
            if let Some(given) = told.cashback.as_ref().map(|cashback| cashback.given) {
                let wallet = self.draft.member.wallet.get_or_insert_default();
                let sum = wallet.cashback_given.entry((month, told.code.clone())).or_default();
                *sum = sum.plus(given).unwrap_or(Minor::MAX);
            }
        }
    }

    /// Keeps a purchase of which something comes back.
    fn keep(&mut self, past: &PastPurchase, points: Points, micropoints: Option<i64>, why: &Explanation) {
        if let Some(sale) = self.sales.get_mut(&past.id) {
            let sold = |points, micropoints, explanation: &Explanation| Sold {
                occurred_at: past.occurred_at,
                recorded_at: past.recorded_at,
                points,
                micropoints,
                explanation: explanation.clone(),
                lots: Vec::new(),
                lapsed_elsewhere: Points::ZERO,
                redemption: None,
                returned: Vec::new(),
                clawed: Points::ZERO,
                micropoints_taken: 0,
                given_back: Points::ZERO,
            };
            let was = sold(past.points, past.micropoints, &past.explanation);
            *sale = Some(Sale { was, would_be: sold(points, micropoints, why) });
        }
    }

    /// Takes goods back again; nothing where the purchase is not there.
    pub(super) fn take_back(&mut self, past: &PastReturn) -> Result<Option<Taken>, OutOfRange> {
        let Some(mut sale) = self.sales.get_mut(&past.purchase).and_then(Option::take) else { return Ok(None) };
        let taken = self.claw(past, &mut sale).map_err(|_| OutOfRange)?;
        self.sales.insert(past.purchase, Some(sale));
        self.forget();
        Ok(Some(taken))
    }

    fn claw(&mut self, past: &PastReturn, sale: &mut Sale) -> Result<Taken, Refusal> {
        let tier = self.draft.programme.tier(0).code.clone();
        self.go_to(past.recorded_at, &tier)?;
        let lapsed = lapsed(past, &mut sale.was)?;
        let would_be = &mut sale.would_be;
        let (was, left) = send_back(past, would_be)?;
        let (clawed, micropoints) = self.draft.claw_due(would_be, &left, lapsed)?;
        self.draft.uncount(would_be, &was, &left)?;
        if left.empty && !was.empty {
            self.draft.give_back_promotions(&would_be.explanation)?;
        }
        would_be.clawed = would_be.clawed.plus(clawed)?;
        would_be.micropoints_taken += micropoints;
        let points = Compared { before: past.clawed.get(), after: clawed.get() };
        Ok(Taken { sold_at: would_be.occurred_at, points })
    }

    /// The tier on record at an instant, and the one the member would have held.
    pub(super) fn tiers(&mut self, at: Instant) -> Result<Option<(String, String)>, OutOfRange> {
        self.draft.at = self.draft.at.max(at);
        self.draft.settle().map_err(|_| OutOfRange)?;
        let changes = &self.past.tier_changes;
        let held = changes.iter().rfind(|change| change.at <= self.draft.at).map(|change: &TierChange| &change.to);
        let before = held.or(changes.first().map(|change| &change.from));
        let tried = self.draft.programme;
        let before = before.map_or_else(|| tried.tier(0).code.clone(), Clone::clone);
        Ok(Some((before, tried.tier(self.draft.tier()).code.clone())))
    }
}

impl Programme {
    /// What must have been used of limited promotions when a purchase was explained so: as much as cut them
    /// there, and nothing where nothing did.
    fn used_on_record(&self, why: &Explanation) -> BTreeMap<String, PromotionUsage> {
        let used = |told: &PromotionExplained| {
            let promotion = self.promotions.iter().find(|promotion| promotion.code == told.code)?;
            let Limits { total, budget_points, budget_money, .. } = promotion.limits;
            let uses = total.filter(|_| told.missed == Some(Miss::TotalLimit)).map_or(0, i64::from);
            let nothing_left = (told.missed == Some(Miss::Budget)).then_some(0);
            let left = nothing_left.or(told.left.map(Points::get));
            let points = budget_points.zip(left).map_or(0, |(budget, left)| budget.get() - left);
            let of_money = told.cashback.as_ref().and_then(|cashback| cashback.left_of_budget);
            let left = nothing_left.or(of_money.map(Minor::get));
            let money = budget_money.zip(left).map_or(0, |(budget, left)| budget.get() - left);
            Some((told.code.clone(), PromotionUsage { uses, points, money }))
        };
        why.promotions.iter().filter_map(used).collect()
    }
}

/// Notes what came back of a purchase: what remained before, and what remains.
fn send_back(past: &PastReturn, sold: &mut Sold) -> Result<(Remainder, Remainder), Refusal> {
    let was = sold.remainder()?;
    sold.returned.extend(&past.lines);
    Ok((was, sold.remainder()?))
}

/// What of a purchase had lapsed unspent when goods came back: what the return on record did not take
/// although it was due. Nothing else is kept from being taken.
fn lapsed(past: &PastReturn, sold: &mut Sold) -> Result<Points, Refusal> {
    let (_, left) = send_back(past, sold)?;
    let due = match sold.micropoints {
        None => sold.points.minus(sold.clawed)?.minus(left.points)?.minus(past.clawed)?,
        Some(added) => {
            let due = added - sold.micropoints_taken - left.micropoints - past.micropoints;
            // Where nothing was taken, more had lapsed than was due.
            Points::new(-(-due).div_euclid(MICRO))?
        }
    };
    sold.clawed = sold.clawed.plus(past.clawed)?;
    sold.micropoints_taken += past.micropoints;
    Ok(due.max(Points::ZERO))
}
