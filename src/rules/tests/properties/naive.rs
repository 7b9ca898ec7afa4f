//! The programme book worked out again the slow way: single points in a bag, every window summed
//! from all receipts, every midnight looked at. It shares no code with the rulebook.

use tessera_rules::promotion::Combine;
use tessera_rules::tier::{Measure, Window};
use tessera_rules::time::Period;

use super::almanac;
use super::scene::{Kind, Receipt, Rules};

/// One spendable point.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Point {
    expires: Option<i64>,
    occurred: i64,
    lot: i64,
}

/// A receipt on record.
#[derive(Debug, Clone)]
struct Sale {
    day: i64,
    base: i64,
    basis: i64,
    given: i64,
}

/// What a receipt earned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Earned {
    pub(crate) wanted: i64,
    pub(crate) given: i64,
    pub(crate) base: i64,
    pub(crate) basis: i64,
    pub(crate) charges: Vec<i64>,
    pub(crate) shares: Vec<i64>,
}

/// Why something is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum No {
    TooEarly,
    TooLate,
    Tenders,
    Stock,
    Points,
}

/// A member, all times in minutes.
#[derive(Debug, Clone)]
pub(crate) struct Naive {
    rules: Rules,
    now: i64,
    enrolled: i64,
    points: Vec<Point>,
    pub(crate) lots: i64,
    sales: Vec<Sale>,
    /// (from when, tier)
    pub(crate) tiers: Vec<(i64, usize)>,
    /// (the birthday's year, first minute, minute after the last)
    grants: Vec<(i64, i64, i64)>,
    pub(crate) carry: i64,
    pub(crate) debt: i64,
    pub(crate) earned: i64,
    pub(crate) redeemed: i64,
    pub(crate) expired: i64,
    pub(crate) adjusted: i64,
    mugs: u32,
}

impl Naive {
    pub(crate) fn new(rules: &Rules, now: i64, debt: i64) -> Self {
        Self {
            rules: rules.clone(),
            now,
            enrolled: now,
            points: Vec::new(),
            lots: 0,
            sales: Vec::new(),
            tiers: vec![(now, 0)],
            grants: Vec::new(),
            carry: 0,
            debt,
            earned: 0,
            redeemed: 0,
            expired: 0,
            adjusted: 0,
            mugs: 0,
        }
    }

    fn day(&self, minute: i64) -> i64 {
        (minute + self.rules.offset()).div_euclid(24 * 60)
    }

    fn midnight(&self, day: i64) -> i64 {
        day * 24 * 60 - self.rules.offset()
    }

    pub(crate) fn tier(&self) -> usize {
        self.tiers.last().expect("never empty").1
    }

    pub(crate) fn available(&self) -> i64 {
        self.points.len() as i64
    }

    pub(crate) fn visits(&self) -> i64 {
        self.sales.len() as i64
    }

    /// Points left in a lot.
    pub(crate) fn left(&self, lot: i64) -> i64 {
        self.points.iter().filter(|point| point.lot == lot).count() as i64
    }

    pub(crate) fn next_expiry(&self) -> Option<i64> {
        self.points.iter().filter_map(|point| point.expires).min()
    }

    fn counts(&self, day: i64, today: i64) -> bool {
        match self.rules.window {
            Window::Rolling { days } => day > today - i64::from(days),
            Window::CalendarYear => almanac::date(day).0 == almanac::date(today).0,
            Window::Anniversary => self.membership_year(day) == self.membership_year(today),
            Window::Lifetime => true,
        }
    }

    fn anniversary(&self, year: i64) -> i64 {
        let (_, month, day) = almanac::date(self.day(self.enrolled));
        almanac::birthday(year, (month, day), false)
    }

    /// The year in which the year of membership began.
    fn membership_year(&self, day: i64) -> i64 {
        let year = almanac::date(day).0;
        if self.anniversary(year) <= day { year } else { year - 1 }
    }

    fn measure_on(&self, today: i64) -> i64 {
        let counting = self.sales.iter().filter(|sale| self.counts(sale.day, today));
        let value = |sale: &Sale| match self.rules.measure {
            Measure::Points => sale.base,
            Measure::Spend => sale.basis,
            Measure::Visits => 1,
        };
        counting.map(value).sum()
    }

    pub(crate) fn measure(&self) -> i64 {
        self.measure_on(self.day(self.now))
    }

    fn reached(&self, measure: i64) -> usize {
        self.rules.thresholds.iter().filter(|&&threshold| measure >= threshold).count()
    }

    /// The first midnight that takes a receipt out of the window, for a tier that can fall.
    pub(crate) fn next_review(&self) -> Option<i64> {
        let today = self.day(self.now);
        let counting = self.sales.iter().map(|sale| sale.day).filter(|&day| self.counts(day, today));
        let leaves = match self.rules.window {
            Window::Rolling { days } => counting.min().map(|day| day + i64::from(days)),
            Window::CalendarYear => Some(almanac::day(almanac::date(today).0 + 1, 1, 1)),
            Window::Anniversary => Some(self.anniversary(self.membership_year(today) + 1)),
            Window::Lifetime => None,
        };
        leaves.filter(|_| self.tier() > 0).map(|day| self.midnight(day))
    }

    pub(crate) fn settle(&mut self, now: i64) {
        for day in self.day(self.now) + 1..=self.day(now) {
            let holds = self.reached(self.measure_on(day));
            if holds < self.tier() {
                self.tiers.push((self.midnight(day), holds));
            }
        }
        self.now = now;
        self.lapse();
    }

    fn lapse(&mut self) {
        let before = self.points.len();
        let now = self.now;
        self.points.retain(|point| point.expires.is_none_or(|expires| expires > now));
        self.expired += (before - self.points.len()) as i64;
    }

    fn credit(&mut self, points: i64, occurred: i64, expires: Option<i64>) {
        let paid = points.min(self.debt);
        self.debt -= paid;
        if points > paid {
            self.lots += 1;
            let point = Point { expires, occurred, lot: self.lots };
            self.points.extend(std::iter::repeat_n(point, (points - paid) as usize));
        }
    }

    fn debit(&mut self, points: i64) -> Result<(), No> {
        if points > self.available() {
            return Err(No::Points);
        }
        self.points.sort_by_key(|p| (p.expires.unwrap_or(i64::MAX), p.occurred, p.lot));
        self.points.drain(..points as usize);
        Ok(())
    }

    fn expiry(&self, available_from: i64) -> Option<i64> {
        let (months, round) = self.rules.expiry?;
        let (year, month, day) = almanac::date(self.day(available_from));
        let (year, month, day) = almanac::months_on(year, month, day, i64::from(months));
        let month_end = |month| almanac::day(year, month, almanac::month_length(year, month));
        let last = match round {
            Period::Day => almanac::day(year, month, day),
            Period::Month => month_end(month),
            Period::Quarter => month_end(month.div_ceil(3) * 3),
            Period::Year => month_end(12),
        };
        Some(self.midnight(last + 1))
    }

    pub(crate) fn spend(&mut self, now: i64, points: i64) -> Result<(), No> {
        self.settle(now);
        self.debit(points)?;
        self.redeemed += points;
        Ok(())
    }

    pub(crate) fn mug(&mut self, now: i64) -> Result<(), No> {
        if self.mugs == self.rules.mug.1 {
            return Err(No::Stock);
        }
        self.spend(now, self.rules.mug.0)?;
        self.mugs += 1;
        Ok(())
    }

    pub(crate) fn adjust(&mut self, now: i64, points: i64) -> Result<(), No> {
        self.settle(now);
        if points < 0 {
            self.debit(-points)?;
        } else {
            self.credit(points, now, self.expiry(now));
        }
        self.adjusted -= points;
        Ok(())
    }

    /// Grants the birthday perk; says whether there was one to grant.
    pub(crate) fn grant(&mut self, now: i64) -> bool {
        self.settle(now);
        let today = self.day(now);
        let gift = self.rules.gift.clone();
        let year = almanac::date(today).0;
        for year in year - 1..=year + 1 {
            let birthday = almanac::birthday(year, gift.born, gift.march);
            let inside = birthday - gift.before <= today && today <= birthday + gift.after;
            let gate = !gift.needs_purchase || !self.sales.is_empty();
            if inside && gate && self.grants.iter().all(|grant| grant.0 != year) {
                let until = self.midnight(birthday + gift.after + 1);
                self.grants.push((year, self.midnight(birthday - gift.before), until));
                if gift.multiplier.is_none() {
                    self.credit(gift.points, now, Some(until));
                    self.earned += gift.points;
                }
                return true;
            }
        }
        false
    }

    pub(crate) fn buy(&mut self, now: i64, receipt: &Receipt) -> Result<Earned, No> {
        let late = receipt.late.unwrap_or(0);
        if late > 30 * 24 * 60 {
            return Err(No::TooEarly);
        }
        if late < -5 {
            return Err(No::TooLate);
        }
        self.settle(now);
        let occurred = now - late;
        let earned = self.earn(receipt, occurred)?;
        self.credit(earned.given, occurred, self.expiry(occurred.min(now)));
        let day = self.day(occurred);
        self.sales.push(Sale { day, base: earned.base, basis: earned.basis, given: earned.given });
        self.earned += earned.given;
        let reached = self.reached(self.measure());
        if reached > self.tier() {
            self.tiers.push((now, reached));
        }
        self.lapse();
        Ok(earned)
    }

    fn earn(&mut self, receipt: &Receipt, occurred: i64) -> Result<Earned, No> {
        let bases = bases(receipt)?;
        let weight = |kind: Kind| if kind == Kind::Food { i128::from(self.rules.food) } else { 10_000 };
        let weights: Vec<i128> =
            receipt.lines.iter().zip(&bases).map(|((_, kind), &basis)| i128::from(basis) * weight(*kind)).collect();
        let basis = bases.iter().sum::<i64>().max(0);
        let tier = self.tiers.iter().rfind(|(from, _)| *from <= occurred).map_or(0, |(_, tier)| *tier);
        let formula = Formula {
            factor: i128::from(self.rules.rate.0) * i128::from(self.rules.earns[tier]),
            sum: weights.iter().sum::<i128>().max(0),
            unit: i128::from(self.rules.rate.1) * 1_000_000_000_000,
        };
        let offers = self.offers(occurred, tier);
        let (charges, cut) = formula.charges(self.rules.combine, &offers);
        let (multiplier, fixed) = combined(self.rules.combine, &offers);
        let exact = formula.exact(multiplier, fixed);
        let micros = (exact * 1_000_000 / formula.unit) as i64;
        let carries = self.rules.carry && cut == 0;
        let uncut = if carries { (self.carry + micros) / 1_000_000 } else { micros / 1_000_000 };
        let day = self.day(occurred);
        let today: i64 = self.sales.iter().filter(|sale| sale.day == day).map(|sale| sale.given).sum();
        let wanted = uncut - cut;
        let limit = self.rules.cap.unwrap_or(i64::MAX);
        let limit = limit.min(self.rules.day_cap.map_or(i64::MAX, |cap| (cap - today).max(0)));
        let given = wanted.min(limit);
        if carries && wanted <= limit {
            self.carry = (self.carry + micros) % 1_000_000;
        }
        let shares = formula.shares(&weights, &bases, multiplier, fixed, given);
        let base = i64::from(self.rules.rate.0) * basis / i64::from(self.rules.rate.1);
        Ok(Earned { wanted: uncut, given, base, basis, charges, shares })
    }

    /// Offers in order of priority, each with whether it applies.
    fn offers(&self, occurred: i64, tier: usize) -> Vec<Offer> {
        let weekday = (self.day(occurred) + 3).rem_euclid(7) as usize;
        let promos = self.rules.promos.iter().enumerate().map(|(i, promo)| Offer {
            order: (promo.priority, format!("p{i}")),
            multiply: promo.multiply,
            add: promo.add,
            cap: promo.cap.unwrap_or(i64::MAX),
            applies: promo.tier.is_none_or(|own| own == tier) && promo.weekday.is_none_or(|own| own == weekday),
        });
        let mut offers: Vec<Offer> = promos.collect();
        for (_, from, until) in &self.grants {
            if self.rules.gift.multiplier.is_some() && (*from..*until).contains(&occurred) {
                let multiply = self.rules.gift.multiplier;
                let order = (0, "perk:birthday".to_owned());
                offers.push(Offer { order, multiply, add: 0, cap: i64::MAX, applies: true });
            }
        }
        offers.sort_by(|a, b| a.order.cmp(&b.order));
        if self.rules.combine == Combine::Best {
            let best = offers.iter().filter(|offer| offer.applies).filter_map(|offer| offer.multiply).max();
            let winner =
                offers.iter().position(|offer| offer.applies && offer.multiply.is_some() && offer.multiply == best);
            for (i, offer) in offers.iter_mut().enumerate() {
                offer.applies &= offer.multiply.is_none() || Some(i) == winner;
            }
        }
        offers
    }
}

/// What counts of each line: the gift card's part taken off pro rata, excluded lines nothing.
fn bases(receipt: &Receipt) -> Result<Vec<i64>, No> {
    let amounts: Vec<i128> = receipt.lines.iter().map(|(amount, _)| i128::from(*amount)).collect();
    let total: i128 = amounts.iter().sum();
    let card = i128::from(receipt.gift_card);
    if card > 0 && card > total {
        return Err(No::Tenders);
    }
    let parts = if card > 0 {
        hand_out(receipt.gift_card, &amounts.iter().map(|amount| amount * card).collect::<Vec<_>>(), total)
    } else {
        vec![0; amounts.len()]
    };
    let basis = |((amount, kind), part): (&(i64, Kind), i64)| if *kind == Kind::Wine { 0 } else { amount - part };
    Ok(receipt.lines.iter().zip(parts).map(basis).collect())
}

struct Offer {
    order: (i32, String),
    multiply: Option<i64>,
    add: i64,
    cap: i64,
    applies: bool,
}

/// The combined multiplier in ten-thousandths, cut once, and the fixed points.
fn combined(combine: Combine, offers: &[Offer]) -> (i128, i128) {
    let applying = || offers.iter().filter(|offer| offer.applies);
    let factors: Vec<i128> = applying().filter_map(|offer| offer.multiply.map(i128::from)).collect();
    let multiplier = match combine {
        Combine::Best => factors.iter().copied().max().unwrap_or(10_000),
        Combine::Add => 10_000 + factors.iter().map(|factor| factor - 10_000).sum::<i128>(),
        Combine::Multiply => {
            let product: i128 = factors.iter().product();
            product * 10_000 / 10_000_i128.pow(factors.len() as u32)
        }
    };
    let fixed = applying().filter(|offer| offer.multiply.is_none()).map(|offer| i128::from(offer.add)).sum();
    (multiplier, fixed)
}

/// points = factor × sum × multiplier ÷ unit
struct Formula {
    factor: i128,
    sum: i128,
    unit: i128,
}

impl Formula {
    fn exact(&self, multiplier: i128, fixed: i128) -> i128 {
        self.factor * self.sum * multiplier + fixed * self.unit
    }

    /// What each offer is charged after its cap, and what the caps cut off in all.
    fn charges(&self, combine: Combine, offers: &[Offer]) -> (Vec<i64>, i64) {
        let whole = |count: usize| {
            let (multiplier, fixed) = combined(combine, &offers[..count]);
            (self.exact(multiplier, fixed) / self.unit) as i64
        };
        let wanted: Vec<i64> = (0..offers.len()).map(|i| whole(i + 1) - whole(i)).collect();
        let charges: Vec<i64> = wanted.iter().zip(offers).map(|(wanted, offer)| *wanted.min(&offer.cap)).collect();
        let cut = wanted.iter().sum::<i64>() - charges.iter().sum::<i64>();
        (charges, cut)
    }

    fn shares(&self, weights: &[i128], bases: &[i64], multiplier: i128, fixed: i128, given: i64) -> Vec<i64> {
        let clamped = weights.iter().sum::<i128>() < 0;
        let total: i128 = bases.iter().map(|&basis| i128::from(basis)).sum();
        let proportion = if clamped || total <= 0 { None } else { Some(total) };
        let exact = |(i, weight): (usize, &i128)| {
            let multiplied = if clamped { 0 } else { self.factor * weight * multiplier };
            match proportion {
                Some(total) => multiplied * total + fixed * i128::from(bases[i]) * self.unit,
                None => multiplied + if i == 0 { fixed * self.unit } else { 0 },
            }
        };
        let exact: Vec<i128> = weights.iter().enumerate().map(exact).collect();
        let unit = self.unit * proportion.unwrap_or(1);
        let sum: i128 = exact.iter().sum();
        if i128::from(given) >= sum / unit {
            return hand_out(given, &exact, unit);
        }
        hand_out(given, &exact.iter().map(|share| share * i128::from(given)).collect::<Vec<_>>(), sum)
    }
}

/// Whole shares of exact ones: floored, then one by one to the largest fraction that has got none.
fn hand_out(total: i64, exact: &[i128], unit: i128) -> Vec<i64> {
    let mut shares: Vec<i64> = exact.iter().map(|share| share.div_euclid(unit) as i64).collect();
    let mut fractions: Vec<i128> = exact.iter().map(|share| share.rem_euclid(unit)).collect();
    while shares.iter().sum::<i64>() < total {
        let most = *fractions.iter().max().expect("a line");
        let first = fractions.iter().position(|&fraction| fraction == most).expect("a line");
        shares[first] += 1;
        fractions[first] = -1;
    }
    shares
}
