//! What remains of a purchase after returns, and what that is worth by the purchase's own stored
//! rules (PROGRAMME.md §4). It depends on what was returned in all and not on the order of it, which
//! is why any sequence of partial returns ends where one full return does.

use crate::amount::{Minor, Multiplier, OutOfRange, Points, Quantity};
use crate::cashback::cashback_for;
use crate::combine::{Combined, Offer, shares};
use crate::command::{Line, ReturnLine, ReturnPart, ReturnedGoods};
use crate::condition::Facts;
use crate::earning::Formula;
use crate::explain::{LineExplained, PromotionExplained};
use crate::member::DayTotals;
use crate::promotion::{Miss, PromotionEffect};
use crate::refusal::Refusal;
use crate::returns::{LineReturned, Sold};

/// What remains of a purchase.
#[derive(Debug, Clone, Copy)]
pub struct Remainder {
    /// What it earns, at most what was given.
    pub points: Points,
    /// The same in micropoints, for a purchase that adds to the carry; at most what it added.
    pub micropoints: i64,
    /// What it counts for on its day, at most what the whole counted for.
    pub counted: DayTotals,
    /// Value in minor units of all that was returned.
    pub returned: i128,
    /// Nothing of value remains: such a remainder earns nothing.
    pub empty: bool,
}

/// A line and what is left of it.
struct LineLeft<'a> {
    line: &'a LineExplained,
    /// Thousandths of a piece.
    quantity: i64,
    /// Minor units, with the sign of the line.
    amount: i64,
}

impl LineLeft<'_> {
    fn gone(&self) -> bool {
        self.quantity == 0 || self.line.amount().get() != 0 && self.amount == 0
    }

    /// What still counts of the line: its basis in proportion, rounded down.
    fn basis(&self) -> i128 {
        let wide = i128::from(self.line.basis.get()) * i128::from(self.amount);
        wide.checked_div_euclid(i128::from(self.line.amount().get())).unwrap_or(0)
    }

    /// What a part of the line comes to, cumulatively rounded: the last piece is worth the rest.
    fn take(&self, part: ReturnPart) -> Result<LineReturned, Refusal> {
        let line = self.line.line;
        let (quantity, amount) = match part {
            ReturnPart::Rest => (self.quantity, self.amount),
            ReturnPart::Quantity(pieces) => (pieces.units(), self.amount_of(pieces.units())),
            ReturnPart::Amount(amount) if amount.get() == self.amount => (self.quantity, self.amount),
            ReturnPart::Amount(amount) => (0, amount.get()),
        };
        let nothing = quantity == 0 && amount == 0;
        if quantity < 0 || nothing && !matches!(part, ReturnPart::Rest) || amount.signum() * self.amount.signum() < 0 {
            return Err(Refusal::NotAPart(line));
        }
        if self.gone() || quantity > self.quantity || amount.unsigned_abs() > self.amount.unsigned_abs() {
            return Err(Refusal::MoreThanLeft(line));
        }
        let quantity = Quantity::from_units(quantity);
        Ok(LineReturned { line, quantity, amount: Minor::new(amount)? })
    }

    fn amount_of(&self, pieces: i64) -> i64 {
        let (whole, sold) = (self.line.quantity.units(), i128::from(self.line.amount().get()));
        if pieces >= self.quantity {
            return self.amount;
        }
        let gone = whole - self.quantity;
        let up_to = |pieces: i64| (sold * i128::from(pieces)).div_euclid(i128::from(whole));
        let step = (up_to(gone + pieces) - up_to(gone)) as i64;
        // Where part of the line was returned by amount, its pieces are worth no more than is left.
        if self.amount < 0 { step.max(self.amount) } else { step.min(self.amount) }
    }
}

impl Sold {
    /// What is left of each line.
    fn left(&self) -> Vec<LineLeft<'_>> {
        let gone = LineReturned::by_line(&self.returned);
        let left = |line: &LineExplained| {
            let (quantity, amount) = gone.get(&line.line).copied().unwrap_or_default();
            (line.quantity.units() - quantity, line.amount().get() - amount)
        };
        let lines = self.explanation.lines.iter().map(|line| (line, left(line)));
        lines.map(|(line, (quantity, amount))| LineLeft { line, quantity, amount }).collect()
    }

    /// Notes goods as returned, line by line.
    pub(crate) fn send_back(&mut self, goods: &ReturnedGoods) -> Result<(), Refusal> {
        let mut left = self.left();
        let rest = |left: &LineLeft<'_>| ReturnLine { line: left.line.line, part: ReturnPart::Rest };
        let lines = match goods {
            ReturnedGoods::All => left.iter().filter(|left| !left.gone()).map(rest).collect(),
            ReturnedGoods::Lines(lines) => lines.clone(),
        };
        if lines.is_empty() {
            return Err(Refusal::NothingToReturn);
        }
        let mut parts = Vec::with_capacity(lines.len());
        for wanted in lines {
            let line = left.iter_mut().find(|left| left.line.line == wanted.line);
            let line = line.ok_or(Refusal::LineUnknown(wanted.line))?;
            let part = line.take(wanted.part)?;
            line.quantity -= part.quantity.units();
            line.amount -= part.amount.get();
            parts.push(part);
        }
        self.returned.extend(parts);
        Ok(())
    }

    /// What the lines were sold for in all, in minor units.
    pub fn total(&self) -> i128 {
        self.explanation.lines.iter().map(|line| i128::from(line.amount().get())).sum()
    }

    /// What remains, and what it is worth: the stored multipliers and fixed points apply.
    ///
    /// # Errors
    /// A sum leaves its range.
    pub fn remainder(&self) -> Result<Remainder, OutOfRange> {
        let why = &self.explanation;
        let lines = self.left();
        // A free article that is kept is no reason to keep the points of what it came with.
        let priced = why.lines.iter().any(|line| line.amount().get() != 0);
        let empty = lines.iter().all(|left| if priced { left.amount == 0 } else { left.gone() });
        let bases: Vec<i128> = lines.iter().map(LineLeft::basis).collect();
        let basis = bases.iter().sum::<i128>().max(0);
        let weight = |(basis, left): (&i128, &LineLeft<'_>)| basis * i128::from(left.line.multiplier.units());
        let weights = bases.iter().zip(&lines).map(weight).collect();
        let formula = Formula { rate: why.rate, tier: why.tier_multiplier, weights };
        let (multipliers, fixed) = self.promoted(&lines, &bases)?;
        let exact = formula.exact(&multipliers, fixed)?;
        let earns = |points: i64| if empty { 0 } else { points };
        Ok(Remainder {
            points: Points::new(earns(exact.whole()?))?.min(self.points),
            micropoints: earns(exact.micropoints()?).min(self.micropoints.unwrap_or(0)),
            counted: DayTotals {
                points: formula.base_points(basis)?.min(why.base_points).get(),
                spend: basis.min(i128::from(why.basis.get())) as i64,
                visits: earns(1),
                given: earns(self.points.get()),
            },
            returned: self.total() - lines.iter().map(|left| i128::from(left.amount)).sum::<i128>(),
            empty,
        })
    }

    /// The promotions that gave a coupon, and would not for what remains.
    pub(crate) fn forfeited(&self, left: &Remainder) -> Vec<&str> {
        let why = &self.explanation;
        let lines = self.left();
        let amounts: Vec<i64> = lines.iter().map(|left| left.amount).collect();
        let facts = why.facts.as_deref().map(|facts| remaining(facts, &lines));
        let gives = |told: &&PromotionExplained| matches!(told.effect, PromotionEffect::Coupon { .. });
        let gave = why.promotions.iter().filter(|told| told.missed.is_none()).filter(gives);
        let lost = |told: &&PromotionExplained| {
            left.empty || told.goods.as_ref().is_some_and(|goods| goods.miss(&amounts, facts.as_ref()).is_some())
        };
        gave.filter(lost).map(|told| told.code.as_str()).collect()
    }

    /// The cashback of each promotion that gave some, for what remains: at most what it gave, and nothing where
    /// what remains no longer satisfies what it asks of the goods.
    pub(crate) fn cashback_left(&self) -> Result<Vec<(String, Minor)>, OutOfRange> {
        let why = &self.explanation;
        let gave = why.promotions.iter().filter_map(|told| Some((told, told.cashback.as_ref()?.given)));
        let mut gave = gave.filter(|(_, given)| given.is_positive()).peekable();
        if gave.peek().is_none() {
            return Ok(Vec::new());
        }
        let lines = self.left();
        let bases: Vec<i128> = lines.iter().map(LineLeft::basis).collect();
        let amounts: Vec<i64> = lines.iter().map(|left| left.amount).collect();
        let facts = why.facts.as_deref().map(|facts| remaining(facts, &lines));
        let left = gave.map(|(told, given)| {
            let lost = told.goods.as_ref().is_some_and(|goods| goods.miss(&amounts, facts.as_ref()).is_some());
            let gives = if lost { Minor::ZERO } else { cashback_for(&told.offer(), &bases)?.min(given) };
            Ok((told.code.clone(), gives))
        });
        left.collect()
    }

    /// The promotion multipliers of the lines and the fixed points: as stored, unless what remains no
    /// longer satisfies what a promotion asks of the goods. The others combine without it then; and what adds
    /// points per amount adds them for what remains.
    fn promoted(&self, lines: &[LineLeft<'_>], bases: &[i128]) -> Result<(Vec<Multiplier>, i64), OutOfRange> {
        let why = &self.explanation;
        let amounts: Vec<i64> = lines.iter().map(|left| left.amount).collect();
        let facts = why.facts.as_deref().map(|facts| remaining(facts, lines));
        let lost = |promotion: &&PromotionExplained| {
            promotion.goods.as_ref().is_some_and(|goods| goods.miss(&amounts, facts.as_ref()).is_some())
        };
        let in_play = why.promotions.iter().filter(|p| matches!(p.missed, None | Some(Miss::NotBest)));
        let changed = |promotion: &PromotionExplained| {
            matches!(promotion.effect, PromotionEffect::PerAmount { .. }) || lost(&promotion)
        };
        if !in_play.clone().any(changed) {
            let stored = |line: &LineExplained| line.promotion_multiplier.unwrap_or(why.promotion_multiplier);
            return Ok((why.lines.iter().map(stored).collect(), why.fixed_points.get()));
        }
        let offers: Vec<Offer<'_>> =
            in_play.filter(|promotion| !lost(promotion)).map(PromotionExplained::offer).collect();
        let combine = why.combine.unwrap_or_default();
        let mut sum = Combined::new(combine, bases);
        for (offer, share) in offers.iter().zip(shares(combine, &offers, lines.len())) {
            if let Some(share) = share {
                sum.take(offer, &share)?;
            }
        }
        sum.multipliers.truncate(lines.len());
        Ok((sum.multipliers, sum.fixed))
    }
}

/// The facts of a sale with the goods that are left of it.
fn remaining(facts: &Facts, lines: &[LineLeft<'_>]) -> Facts {
    let still = facts.lines.iter().zip(lines).filter(|(_, left)| !left.gone());
    let still = still.map(|(line, left)| Line {
        quantity: Quantity::from_units(left.quantity),
        amount: Minor::new(left.amount).unwrap_or(line.amount),
        ..line.clone()
    });
    Facts { lines: still.collect(), ..facts.clone() }
}
