//! A basket while discounts are taken off it, one after the other, exactly to the minor unit.
//! What a discount means is told in [`crate::discount`]; in which order they come, in [`crate::coupon`].

use crate::amount::{MAX_MAGNITUDE, Minor, Multiplier, OutOfRange, Quantity};
use crate::command::Line;
use crate::discount::{Discount, Goods, HUNDRED, Off, Run, choose, off_by_steps};
use crate::share::by_weight;

/// The lines of a purchase that is being priced.
#[derive(Debug, Clone)]
pub struct Basket<'a> {
    lines: &'a [Line],
    /// What each line costs after member prices; 0 or less: it takes part in nothing.
    prices: Vec<i64>,
    /// What is left of that after the discounts taken so far.
    nets: Vec<i64>,
    /// Whole units of each line that took part in no discount on units yet.
    units: Vec<i64>,
}

impl<'a> Basket<'a> {
    /// A basket of which nothing was taken off: `prices` are those of the lines after member prices.
    ///
    /// # Errors
    /// The sum of what is above 0, or a quantity in thousandths, is beyond 2^53 − 1.
    pub fn new(lines: &'a [Line], prices: &[Minor]) -> Result<Self, OutOfRange> {
        let prices: Vec<i64> = prices.iter().map(|price| price.get()).collect();
        let spend: i128 = prices.iter().map(|&price| i128::from(price.max(0))).sum();
        let too_much = lines.iter().any(|line| line.quantity.units() > MAX_MAGNITUDE);
        if spend > i128::from(MAX_MAGNITUDE) || too_much {
            return Err(OutOfRange);
        }
        let units = lines.iter().map(|line| line.quantity.units().max(0) / Quantity::UNIT).collect();
        Ok(Self { lines, nets: prices.clone(), prices, units })
    }

    /// What goods cost after member prices and before any discount.
    pub fn spend(&self, goods: &Goods) -> Minor {
        let spend = self.matching(goods).map(|i| self.prices[i]).sum();
        // A part of the sum that was checked when the basket was made.
        Minor::new(spend).unwrap_or(Minor::MAX)
    }

    /// How many whole units of goods there are that no discount took yet.
    pub fn units(&self, goods: &Goods) -> u64 {
        self.matching(goods).map(|i| self.units[i].unsigned_abs()).sum()
    }

    /// Whether any line with a price is of these goods.
    pub fn holds(&self, goods: &Goods) -> bool {
        self.matching(goods).next().is_some()
    }

    fn matching(&self, goods: &Goods) -> impl Iterator<Item = usize> {
        (0..self.lines.len()).filter(move |&i| self.prices[i] > 0 && goods.match_line(&self.lines[i]))
    }

    /// Takes a discount off and tells how much of it fell on each line: never below 0, never more than is
    /// left of the line, in sum never more than the cap. Where nothing comes off, nothing changes. The
    /// minimum spend is not asked for here.
    ///
    /// # Errors
    /// None for a basket that could be made.
    pub fn take(&mut self, discount: &Discount) -> Result<Vec<Minor>, OutOfRange> {
        let matching: Vec<usize> = self.matching(&discount.goods).collect();
        let nets: Vec<i64> = matching.iter().map(|&i| self.nets[i]).collect();
        let left: i64 = nets.iter().sum();
        let most = discount.cap.map_or(left, |cap| left.min(cap.get()));
        let whole = |off: i128| off.min(i128::from(most)) as i64;
        let (shares, parts) = match &discount.off {
            Off::Percent { percent } => (by_weight(whole(percent_of(left, *percent)), &nets)?, Vec::new()),
            Off::Amount { amount } => (by_weight(whole(i128::from(amount.get())), &nets)?, Vec::new()),
            Off::Steps { steps, every } => {
                let spend = self.spend(&discount.goods).get();
                (by_weight(whole(off_by_steps(steps, *every, spend)), &nets)?, Vec::new())
            }
            Off::ItemFree { .. } | Off::BuyGet { .. } | Off::EveryNth { .. } => {
                let (shares, parts) = self.of_units(&discount.off, &matching);
                let sum: i64 = shares.iter().sum();
                (if sum > most { by_weight(most, &shares)? } else { shares }, parts)
            }
        };
        let mut off = vec![Minor::ZERO; self.lines.len()];
        if shares.iter().all(|&share| share == 0) {
            return Ok(off);
        }
        for (&i, share) in matching.iter().zip(shares) {
            self.nets[i] -= share;
            off[i] = Minor::new(share)?;
        }
        for (line, part) in parts {
            self.units[line] -= part;
        }
        Ok(off)
    }

    /// What comes off each matching line by units, and how many units of which line took part.
    fn of_units(&self, off: &Off, matching: &[usize]) -> (Vec<i64>, Vec<(usize, i64)>) {
        let run = |&line: &usize| Run {
            line,
            units: self.units[line],
            price: self.prices[line],
            quantity: self.lines[line].quantity.units(),
        };
        let runs = matching.iter().map(run).filter(|run| run.units > 0).collect();
        let percent = match off {
            Off::EveryNth { percent, .. } => *percent,
            _ => Multiplier::from_units(HUNDRED),
        };
        let mut of_line = vec![0; self.lines.len()];
        let mut parts = Vec::new();
        for taken in choose(off, runs).unwrap_or_default() {
            let i = taken.line;
            let reduced = i128::from(taken.reduced) * i128::from(Quantity::UNIT);
            let exact = i128::from(self.prices[i]) * reduced * i128::from(percent.units());
            let floor = exact / (i128::from(self.lines[i].quantity.units()) * i128::from(HUNDRED));
            // At most the price of the line, and where other discounts came first what they left of it.
            of_line[i] = (floor as i64).min(self.nets[i]);
            parts.push((i, taken.part));
        }
        (matching.iter().map(|&i| of_line[i]).collect(), parts)
    }
}

/// So many percent of an amount, rounded down.
fn percent_of(amount: i64, percent: Multiplier) -> i128 {
    i128::from(amount) * i128::from(percent.units()) / i128::from(HUNDRED)
}
