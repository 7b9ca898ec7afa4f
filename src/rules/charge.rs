//! What promotions are charged: which of them apply to a sale, how much each adds to those before it, and
//! what its cap and its budget leave of that (PROGRAMME.md §3 and §8).

use crate::amount::{Minor, OutOfRange, Points};
use crate::cashback::{CashbackExplained, cashback};
use crate::combine::{Combined, Offer, shares};
use crate::earning::{Formula, Sale};
use crate::explain::PromotionExplained;
use crate::goods::Goods;
use crate::limit::{Counted, Limits};
use crate::programme::Programme;
use crate::promotion::{Combine, Miss, PromotionEffect};
use crate::time::Day;

/// What the promotions add up to.
pub(crate) struct Promotions<'b> {
    pub(crate) sum: Combined<'b>,
    /// Points that caps and budgets of promotions cut off.
    pub(crate) cut: i64,
    /// Whether one of them is asked again when goods come back, and whether that is a condition.
    pub(crate) asks_again: bool,
    pub(crate) asks_facts: bool,
    pub(crate) explained: Vec<PromotionExplained>,
}

/// A promotion, or a perk's multiplier standing in for one.
struct Candidate<'p> {
    priority: i32,
    code: String,
    effect: PromotionEffect,
    cap: Option<Points>,
    missed: Option<Miss>,
    goods: Option<Goods>,
    /// Its exclusion group.
    group: Option<&'p str>,
    limits: Limits,
    /// Points left of its budget.
    left: Option<i64>,
    /// Money left of it, in minor units.
    money_left: Option<i64>,
    /// What it gives to the wallet.
    cashback: Option<CashbackExplained>,
}

impl Candidate<'_> {
    fn offer(&self) -> Offer<'_> {
        Offer { effect: &self.effect, lines: self.goods.as_ref().and_then(|goods| goods.lines.as_deref()) }
    }

    fn gives_money(&self) -> bool {
        self.cashback.as_ref().is_some_and(|cashback| cashback.given.is_positive())
    }
}

/// What candidates are charged before caps and budgets; absent for one that is not in play or is beaten.
struct Charges<'b> {
    sum: Combined<'b>,
    each: Vec<Option<i64>>,
}

impl<'b> Charges<'b> {
    /// Takes the candidates in priority order and charges each with what it adds to those before.
    fn of(
        combine: Combine,
        candidates: &[Candidate<'_>],
        formula: &Formula,
        bases: &'b [i128],
    ) -> Result<Self, OutOfRange> {
        let offers: Vec<Offer<'_>> =
            candidates.iter().filter(|candidate| candidate.missed.is_none()).map(Candidate::offer).collect();
        let mut shares = shares(combine, &offers, bases.len()).into_iter();
        let mut sum = Combined::new(combine, bases);
        let mut before = formula.exact(&sum.multipliers, sum.fixed)?.whole()?;
        let mut each = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            let share = candidate.missed.is_none().then(|| shares.next().flatten()).flatten();
            each.push(match share {
                None => None,
                Some(share) => {
                    sum.take(&candidate.offer(), &share)?;
                    let after = formula.exact(&sum.multipliers, sum.fixed)?.whole()?;
                    let charge = after - before;
                    before = after;
                    Some(charge)
                }
            });
        }
        Ok(Self { sum, each })
    }
}

/// Leaves of every exclusion group the first that gives something, and says what all are charged then.
fn leave_one_a_group<'b>(
    candidates: &mut [Candidate<'_>],
    charge: impl Fn(&[Candidate<'_>]) -> Result<Charges<'b>, OutOfRange>,
) -> Result<Charges<'b>, OutOfRange> {
    for i in 0..candidates.len() {
        let in_play = |one: &Candidate<'_>| one.missed.is_none() && one.group.is_some();
        let led = |other: &Candidate<'_>| in_play(other) && other.group == candidates[i].group;
        if in_play(&candidates[i]) && candidates[..i].iter().any(led) {
            candidates[i].missed = Some(Miss::ExclusionGroup);
        }
    }
    loop {
        let charges = charge(candidates)?;
        let next_of = |i: usize| {
            let waits = |&j: &usize| {
                candidates[j].missed == Some(Miss::ExclusionGroup) && candidates[j].group == candidates[i].group
            };
            (i + 1..candidates.len()).find(waits)
        };
        let idle = |&i: &usize| {
            let one = &candidates[i];
            let gives = charges.each[i].is_some_and(|charge| charge > 0) || one.gives_money() || one.effect.is_gift();
            one.missed.is_none() && one.group.is_some() && !gives
        };
        // Who gives nothing makes room for the next.
        let room = (0..candidates.len()).filter(idle).find_map(|i| Some((i, next_of(i)?)));
        let Some((idle, next)) = room else { return Ok(charges) };
        candidates[idle].missed = Some(Miss::ExclusionGroup);
        candidates[next].missed = None;
    }
}

impl<'b> Promotions<'b> {
    /// What they add to a sale whose lines count with these bases, in minor units.
    pub(crate) fn of(
        programme: &Programme,
        sale: &Sale<'_>,
        formula: &Formula,
        bases: &'b [i128],
    ) -> Result<Self, OutOfRange> {
        let combine = programme.earning.combine;
        let mut candidates = candidates(programme, sale);
        for candidate in candidates.iter_mut().filter(|candidate| candidate.missed.is_none()) {
            let given_before = sale.cashback_given.get(&candidate.code).copied();
            let of_budget = candidate.money_left.map(Minor::new).transpose()?;
            candidate.cashback = cashback(&candidate.offer(), bases, given_before, of_budget)?;
        }
        let charges =
            leave_one_a_group(&mut candidates, |candidates| Charges::of(combine, candidates, formula, bases))?;
        let Charges { sum, each } = charges;
        let mut all = Self { sum, cut: 0, asks_again: false, asks_facts: false, explained: Vec::new() };
        for (mut candidate, charge) in candidates.into_iter().zip(each) {
            if candidate.missed.is_none() && charge.is_none() {
                candidate.missed = Some(Miss::NotBest);
            }
            all.explain(candidate, charge.unwrap_or(0), sale.at.date())?;
        }
        Ok(all)
    }

    /// Notes a promotion, and cuts what it was charged to its cap and to what is left of its budget.
    fn explain(&mut self, candidate: Candidate<'_>, charged: i64, day: Day) -> Result<(), OutOfRange> {
        let capped = candidate.cap.map_or(charged, |cap| charged.min(cap.get()));
        let left = candidate.left.filter(|&left| candidate.missed.is_none() && left < capped);
        let given = left.unwrap_or(capped);
        let in_play = matches!(candidate.missed, None | Some(Miss::NotBest));
        let goods = candidate.goods.filter(|_| in_play).and_then(Goods::kept);
        self.cut += charged - given;
        let cashback = candidate.cashback.filter(|_| candidate.missed.is_none());
        self.asks_again |= goods.is_some() || in_play && matches!(candidate.effect, PromotionEffect::PerAmount { .. });
        self.asks_facts |= goods.as_ref().is_some_and(|goods| goods.when.is_some());
        let charged_in_full = charged == given;
        let counts = candidate.missed.is_none() && !candidate.limits.is_none();
        let counted = Counted {
            points: Points::new(given)?,
            money: cashback.as_ref().map_or(Minor::ZERO, |cashback| cashback.given),
            day: candidate.limits.is_personal().then_some(day),
        };
        self.explained.push(PromotionExplained {
            code: candidate.code,
            effect: candidate.effect,
            missed: candidate.missed,
            goods,
            charged: Points::new(given)?,
            wanted: (!charged_in_full).then_some(Points::new(charged)?),
            left: left.map(Points::new).transpose()?,
            cashback,
            counted: counts.then_some(counted),
        });
        Ok(())
    }

    /// Counts against limits what promotions were charged, as far as it is among the points that were given:
    /// what caps of the purchase and the day cut off counts last. Where they gave nothing, nothing counts.
    pub(crate) fn count(&mut self, given: i64) -> Result<(), OutOfRange> {
        let mut rest = given;
        for told in &mut self.explained {
            let part = told.charged.get().clamp(0, rest.max(0));
            rest -= part;
            let points = Points::new(part)?;
            let money = told.counted.is_some_and(|counted| counted.money.is_positive());
            let gave = part > 0 || money || told.missed.is_none() && told.effect.is_gift();
            told.counted = told.counted.filter(|_| gave).map(|counted| Counted { points, ..counted });
        }
        Ok(())
    }
}

/// Every promotion and granted multiplier in priority order, with why it misses this sale.
fn candidates<'p>(programme: &'p Programme, sale: &Sale<'_>) -> Vec<Candidate<'p>> {
    let amounts: Vec<i64> = sale.lines.iter().map(|line| line.amount.get()).collect();
    let offered =
        programme.promotions.iter().filter(|promotion| promotion.is_offered() && promotion.trigger.is_purchase());
    let promotions = offered.map(|promotion| {
        let over = || programme.is_over(&promotion.effect, sale.at.date()).then_some(Miss::Schedule);
        let missed = promotion.miss(sale).or_else(over);
        let goods = missed.is_none().then(|| Goods::of(promotion, sale.lines));
        let missed = missed.or_else(|| goods.as_ref().and_then(|goods| goods.miss(&amounts, sale.facts)));
        let (limits, code) = (promotion.limits, &promotion.code);
        let usage = sale.promotions_used.get(code).copied().unwrap_or_default();
        Candidate {
            priority: promotion.priority,
            code: code.clone(),
            effect: promotion.effect.clone(),
            cap: promotion.cap_per_purchase,
            missed: missed.or_else(|| limits.miss(usage, sale.own_uses.get(code), sale.at.date())),
            goods,
            group: promotion.exclusion_group.as_deref(),
            limits,
            left: limits.left(usage),
            money_left: limits.money_left(usage),
            cashback: None,
        }
    });
    let boosts = sale.boosts.iter().map(|(code, by)| Candidate {
        priority: 0,
        code: code.clone(),
        effect: PromotionEffect::Multiply { by: *by },
        cap: None,
        missed: None,
        goods: None,
        group: None,
        limits: Limits::default(),
        left: None,
        money_left: None,
        cashback: None,
    });
    let mut all: Vec<Candidate<'_>> = promotions.chain(boosts).collect();
    all.sort_by(|a, b| (a.priority, &a.code).cmp(&(b.priority, &b.code)));
    all
}
