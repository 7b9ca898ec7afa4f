//! Earning: what a purchase is worth in points, rounded once, and why (PROGRAMME.md §3).

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::amount::{Minor, Multiplier, OutOfRange, Points, Rate};
use crate::charge::Promotions;
use crate::combine::Combined;
use crate::command::{Line, Tender};
use crate::condition::{Facts, MemberFacts};
use crate::explain::{CapExplained, CapKind, Exclusion, Explanation, LineExplained};
use crate::limit::{MemberUses, PromotionUsage};
use crate::programme::{Earning, Programme};
use crate::refusal::Refusal;
use crate::share::{apportion, by_weight};
use crate::tier::TierLevel;
use crate::time::LocalTime;

/// Micropoints in a point.
pub const MICRO: i64 = 1_000_000;

/// Everything earning depends on beside the programme.
#[derive(Debug, Clone, Copy)]
pub struct Sale<'a> {
    /// The receipt's lines.
    pub lines: &'a [Line],
    /// How it was paid.
    pub tenders: &'a [Tender],
    /// What the programme's clocks show at `occurred_at`.
    pub at: LocalTime,
    /// Code of the store.
    pub store: &'a str,
    /// How it came about; empty where nobody said.
    pub channel: &'a str,
    /// The tier held just before the purchase.
    pub tier: &'a TierLevel,
    /// Multipliers of the member's own: (`perk:<code>` or `entitlement:<code>`, multiplier).
    pub boosts: &'a [(String, Multiplier)],
    /// The member's carry in micropoints.
    pub carry: i64,
    /// Points the member's purchases of that day were given already.
    pub given_today: i64,
    /// Purchases of the member before this one.
    pub purchases: i64,
    /// What conditions may ask; absent: the programme has none.
    pub facts: Option<&'a Facts>,
    /// What all members have used of limited promotions, by code.
    pub promotions_used: &'a BTreeMap<String, PromotionUsage>,
    /// What the member has used of those limited by member.
    pub own_uses: &'a MemberUses,
    /// Cashback of the sale's local month that promotions have given the member, in minor units by code.
    pub cashback_given: &'a BTreeMap<String, Minor>,
}

impl<'a> Sale<'a> {
    /// The member as conditions see him; nobody where the programme does not ask.
    pub(crate) fn member(&self) -> Option<&'a MemberFacts> {
        self.facts.map(|facts| &facts.member)
    }
}

/// What a sale earns.
#[derive(Debug, Clone)]
pub struct Earned {
    /// Points before caps.
    pub wanted: Points,
    /// Points given.
    pub given: Points,
    /// The member's carry afterwards.
    pub carry: i64,
    /// Exact points in micropoints added to the carry; absent where nothing was added.
    pub micropoints: Option<i64>,
    /// Why.
    pub explanation: Explanation,
}

/// Decides what a sale earns.
///
/// # Errors
/// [`Refusal::TendersExceedTotal`] and [`Refusal::AmountOutOfRange`].
pub fn earn(programme: &Programme, version: i64, sale: &Sale<'_>) -> Result<Earned, Refusal> {
    let earning = &programme.earning;
    let mut lines = explain_lines(earning, sale)?;
    let bases: Vec<i128> = lines.iter().map(|line| i128::from(line.basis.get())).collect();
    let basis = bases.iter().sum::<i128>().max(0);
    let weight = |line: &LineExplained| i128::from(line.basis.get()) * i128::from(line.multiplier.units());
    let weights = lines.iter().map(weight).collect();
    let formula = Formula { rate: earning.rate, tier: sale.tier.earn_multiplier, weights };

    let mut promotions = Promotions::of(programme, sale, &formula, &bases)?;
    let fixed = promotions.sum.fixed;
    let exact = formula.exact(&promotions.sum.multipliers, fixed)?;
    let uncapped = exact.whole()?;

    // A purchase on which a cap bites adds nothing to the carry and takes nothing from it.
    let carries = earning.carry_remainder && promotions.cut == 0;
    let carry = if carries { sale.carry + exact.micro_fraction() } else { sale.carry };
    let carried = if carries { carry.div_euclid(MICRO) } else { 0 };
    let mut caps = Vec::new();
    let given = cap(earning, sale, uncapped - promotions.cut + carried, &mut caps);
    let carry_grows = carries && caps.is_empty();
    promotions.count(given)?;

    let elsewhere = promotions.sum.elsewhere();
    let shares = share_lines(given, &lines, &formula, &promotions.sum)?;
    for ((line, share), &multiplier) in lines.iter_mut().zip(shares).zip(&promotions.sum.multipliers) {
        line.points = Points::new(share)?;
        line.promotion_multiplier = (multiplier != elsewhere).then_some(multiplier);
    }
    let base = formula.base_points(basis)?;
    Ok(Earned {
        wanted: Points::new(uncapped + carried)?,
        given: Points::new(given)?,
        carry: if carry_grows { carry.rem_euclid(MICRO) } else { sale.carry },
        micropoints: if carry_grows { Some(exact.micropoints()?) } else { None },
        explanation: Explanation {
            programme_version: version,
            rate: earning.rate,
            tier: sale.tier.code.clone(),
            tier_multiplier: sale.tier.earn_multiplier,
            promotion_multiplier: elsewhere,
            fixed_points: Points::new(fixed)?,
            basis: Minor::from_wide(basis)?,
            base_points: base,
            lines,
            coupons: Vec::new(),
            promotions: promotions.explained,
            remainder_micropoints: exact.micro_fraction(),
            carried_points: Points::new(if carry_grows { carried } else { 0 })?,
            caps,
            combine: promotions.asks_again.then_some(earning.combine),
            facts: sale.facts.filter(|_| promotions.asks_facts).cloned().map(Box::new),
        },
    })
}

/// Lines with what counts of them, the exclusions and the rule that matched.
fn explain_lines(earning: &Earning, sale: &Sale<'_>) -> Result<Vec<LineExplained>, Refusal> {
    let amounts = less_excluded_tenders(earning, sale)?;
    let explain = |(i, (line, amount)): (usize, (&Line, i64))| {
        let excluded = exclusion(earning, line);
        let rule = line_rule(earning, line);
        let basis = Minor::new(if excluded.is_some() { 0 } else { amount })?;
        Ok(LineExplained {
            line: i as u32 + 1,
            quantity: line.quantity,
            list: None,
            discounts: Vec::new(),
            sold_for: (line.amount != basis).then_some(line.amount),
            basis,
            excluded,
            multiplier: rule.map_or(Multiplier::ONE, |(_, multiplier)| multiplier),
            rule: rule.map(|(code, _)| code.to_owned()),
            promotion_multiplier: None,
            points: Points::ZERO,
        })
    };
    sale.lines.iter().zip(amounts).enumerate().map(explain).collect()
}

/// Line amounts after an excluded tender has reduced every line pro rata.
fn less_excluded_tenders(earning: &Earning, sale: &Sale<'_>) -> Result<Vec<i64>, Refusal> {
    let amounts: Vec<i64> = sale.lines.iter().map(|line| line.amount.get()).collect();
    let excluded = sale.tenders.iter().filter(|tender| earning.excluded_tenders.contains(&tender.kind));
    let excluded: i128 = excluded.map(|tender| i128::from(tender.amount.get())).sum();
    if excluded <= 0 {
        return Ok(amounts);
    }
    let total: i128 = amounts.iter().map(|&amount| i128::from(amount)).sum();
    if excluded > total {
        return Err(Refusal::TendersExceedTotal);
    }
    let parts = by_weight(i64::try_from(excluded).map_err(|_| OutOfRange)?, &amounts)?;
    Ok(amounts.iter().zip(parts).map(|(amount, part)| amount - part).collect())
}

fn exclusion(earning: &Earning, line: &Line) -> Option<Exclusion> {
    if line.sku.as_ref().is_some_and(|sku| earning.excluded_skus.contains(sku)) {
        return Some(Exclusion::Sku);
    }
    let category = line.categories.iter().find(|category| earning.excluded_categories.contains(category))?;
    Some(Exclusion::Category(category.clone()))
}

/// The matching rule with the largest multiplier; the first among equals.
fn line_rule<'p>(earning: &'p Earning, line: &Line) -> Option<(&'p str, Multiplier)> {
    let matching = earning.rules.iter().filter(|rule| {
        rule.sku.is_some() && rule.sku == line.sku
            || rule.category.as_ref().is_some_and(|category| line.categories.contains(category))
    });
    let best = matching.min_by_key(|rule| Reverse(rule.multiplier))?;
    Some((&best.code, best.multiplier))
}

/// Applies the caps of a purchase and of a day; notes those that bite.
fn cap(earning: &Earning, sale: &Sale<'_>, wanted: i64, caps: &mut Vec<CapExplained>) -> i64 {
    let day = earning.cap_per_day.map(|cap| (cap.get() - sale.given_today).max(0));
    let limits = [(CapKind::Purchase, earning.cap_per_purchase.map(Points::get)), (CapKind::Day, day)];
    let mut given = wanted;
    for (kind, limit) in limits {
        if let Some(limit) = limit.filter(|&limit| limit < given) {
            let points = |value| Points::new(value).unwrap_or(Points::ZERO);
            caps.push(CapExplained { cap: kind, limit: points(limit), cut: points(given - limit) });
            given = limit;
        }
    }
    given
}

/// The points formula with the parts that do not depend on promotions filled in.
pub(crate) struct Formula {
    /// The base rate.
    pub(crate) rate: Rate,
    /// The multiplier of the tier.
    pub(crate) tier: Multiplier,
    /// Line basis × line multiplier, by line.
    pub(crate) weights: Vec<i128>,
}

/// An exact number of points as a fraction.
pub(crate) struct Exact {
    numerator: i128,
    denominator: i128,
}

/// The unit of a product of three multipliers: line, promotion, tier.
const UNIT: i128 = (Multiplier::UNIT as i128).pow(3);

fn times(a: i128, b: i128) -> Result<i128, OutOfRange> {
    a.checked_mul(b).ok_or(OutOfRange)
}

fn total(mut numbers: impl Iterator<Item = Result<i128, OutOfRange>>) -> Result<i128, OutOfRange> {
    numbers.try_fold(0_i128, |sum, number| sum.checked_add(number?).ok_or(OutOfRange))
}

impl Formula {
    fn denominator(&self) -> i128 {
        i128::from(self.rate.per) * UNIT
    }

    /// `rate × tier × weighted`, over [`Self::denominator`].
    fn scaled(&self, weighted: i128) -> Result<i128, OutOfRange> {
        times(weighted, i128::from(self.tier.units()) * i128::from(self.rate.points))
    }

    /// The weights times the promotion multipliers of their lines.
    fn weighted(&self, multipliers: &[Multiplier]) -> impl Iterator<Item = Result<i128, OutOfRange>> {
        self.weights.iter().zip(multipliers).map(|(&weight, by)| times(weight, i128::from(by.units())))
    }

    /// The points of the promotion multipliers of the lines, whose weighted sum is never below 0.
    pub(crate) fn exact(&self, multipliers: &[Multiplier], fixed: i64) -> Result<Exact, OutOfRange> {
        let denominator = self.denominator();
        let fixed = times(i128::from(fixed), denominator)?;
        let weighted = total(self.weighted(multipliers))?.max(0);
        let numerator = self.scaled(weighted)?.checked_add(fixed).ok_or(OutOfRange)?;
        Ok(Exact { numerator, denominator })
    }

    /// What the basis earns before any multiplier.
    pub(crate) fn base_points(&self, basis: i128) -> Result<Points, OutOfRange> {
        Points::from_wide(basis * i128::from(self.rate.points) / i128::from(self.rate.per))
    }
}

impl Exact {
    pub(crate) fn whole(&self) -> Result<i64, OutOfRange> {
        Points::from_wide(self.numerator / self.denominator).map(Points::get)
    }

    fn micro_fraction(&self) -> i64 {
        // The denominator is a multiple of a million, and the fraction is below 1.
        ((self.numerator % self.denominator) / (self.denominator / i128::from(MICRO))) as i64
    }

    pub(crate) fn micropoints(&self) -> Result<i64, OutOfRange> {
        self.whole()?.checked_mul(MICRO).and_then(|whole| whole.checked_add(self.micro_fraction())).ok_or(OutOfRange)
    }
}

/// The lines' shares of the points given (PROGRAMME.md §1): exact shares, the fixed points among them
/// by line amount, a cap scales them first, and they are rounded together once.
fn share_lines(
    given: i64,
    lines: &[LineExplained],
    formula: &Formula,
    promotions: &Combined<'_>,
) -> Result<Vec<i64>, OutOfRange> {
    let weighted = || formula.weighted(&promotions.multipliers);
    let clamped = total(weighted())? < 0;
    let scaled = |weighted: Result<i128, OutOfRange>| if clamped { Ok(0) } else { formula.scaled(weighted?) };
    let mut exact =
        Shares { numerators: weighted().map(scaled).collect::<Result<_, _>>()?, denominator: formula.denominator() };
    exact.reduce();
    if promotions.fixed != 0 {
        let amounts = lines.iter().map(|line| if clamped { 0 } else { i128::from(line.basis.get()) });
        exact.add_by_weight(promotions.fixed, amounts.collect())?;
    }
    let whole = total(exact.numerators.iter().copied().map(Ok))?;
    if i128::from(given) < whole / exact.denominator {
        for numerator in &mut exact.numerators {
            *numerator = times(*numerator, i128::from(given))?;
        }
        exact.denominator = whole;
    }
    apportion(given, &exact.numerators, exact.denominator)
}

/// Exact shares over one denominator.
struct Shares {
    numerators: Vec<i128>,
    denominator: i128,
}

impl Shares {
    /// Divides out what numerators and denominator have in common, so that products stay small.
    fn reduce(&mut self) {
        let common = self.numerators.iter().fold(self.denominator, |common, &n| gcd(common, n));
        self.denominator /= common;
        self.numerators.iter_mut().for_each(|n| *n /= common);
    }

    /// Adds whole points in the proportions of the weights; without a proportion the first line
    /// takes all.
    fn add_by_weight(&mut self, points: i64, mut weights: Vec<i128>) -> Result<(), OutOfRange> {
        let mut sum: i128 = weights.iter().sum();
        if sum <= 0 {
            sum = 1;
            weights.iter_mut().enumerate().for_each(|(i, weight)| *weight = i128::from(i == 0));
        }
        let unit = times(i128::from(points), self.denominator)?;
        for (numerator, weight) in self.numerators.iter_mut().zip(weights) {
            *numerator = times(*numerator, sum)?.checked_add(times(unit, weight)?).ok_or(OutOfRange)?;
        }
        self.denominator = times(self.denominator, sum)?;
        self.reduce();
        Ok(())
    }
}

/// The greatest common divisor of a positive number and any other.
fn gcd(a: i128, b: i128) -> i128 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.abs()
}
