//! What a purchase earns (PROGRAMME.md §3), in exact fractions.

use chrono::Datelike;

use super::book::{Combine, Given};
use super::calendar::{Instant, day_of};
use super::sales::{Kind, Receipt};
use super::{Member, No};

/// A multiplier of one.
pub(crate) const ONE: i64 = 10_000;
/// Micropoints in a point.
pub(crate) const MICRO: i64 = 1_000_000;

/// What a receipt earned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Earned {
    pub(crate) wanted: i64,
    pub(crate) given: i64,
    /// What the basis earns before any multiplier.
    pub(crate) base: i64,
    pub(crate) basis: i64,
    /// What each offer was charged, in order of priority.
    pub(crate) charges: Vec<i64>,
    /// The lines' shares.
    pub(crate) shares: Vec<i64>,
    /// Added to the carry, where it was.
    pub(crate) micropoints: Option<i64>,
    /// Tier multiplier, promotion multiplier, fixed points: what a return goes by.
    pub(crate) formula: Formula,
    /// What counts of each line, and its multiplier.
    pub(crate) lines: Vec<(i64, i64)>,
    /// Uses of limited promotions.
    pub(crate) used: Vec<Used>,
    /// Of added points that lapse by a rule of their own: the promotion and how many.
    pub(crate) apart: Vec<(usize, i64)>,
    /// Perks that the tier it reached is the occasion of.
    pub(crate) perks: Vec<&'static str>,
}

/// points = rate × tier × promotions × Σ (basis × line multiplier) + fixed
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Formula {
    rate: (i64, i64),
    tier: i64,
    promotions: i128,
    fixed: i128,
}

/// Something that multiplies or adds, if it applies.
struct Offer {
    order: (i32, String),
    /// Its place among the promotions.
    promo: Option<usize>,
    multiply: Option<i64>,
    add: i64,
    cap: i64,
    applies: bool,
}

impl Formula {
    /// A sum of weighted lines in units of which `unit` make a point.
    fn exact(&self, weight: i128) -> i128 {
        i128::from(self.rate.0) * i128::from(self.tier) * self.promotions * weight + self.fixed * self.unit()
    }

    fn unit(&self) -> i128 {
        i128::from(self.rate.1) * i128::from(ONE).pow(3)
    }

    /// What lines are worth, each with what counts of it and its multiplier, in micropoints.
    pub(crate) fn micropoints(&self, lines: &[(i64, i64)]) -> i64 {
        let weight: i128 = lines.iter().map(|&(basis, multiplier)| i128::from(basis) * i128::from(multiplier)).sum();
        (self.exact(weight.max(0)) * i128::from(MICRO) / self.unit()) as i64
    }

    /// What lines are worth before any multiplier.
    pub(crate) fn base(&self, basis: i64) -> i64 {
        basis * self.rate.0 / self.rate.1
    }
}

/// A use of a limited promotion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) promo: usize,
    pub(crate) points: i64,
    /// Whether uses were limited by member.
    pub(crate) by_member: bool,
}

impl Member {
    pub(crate) fn earn(&mut self, receipt: &Receipt, occurred: Instant, worth: i64) -> Result<Earned, No> {
        let bases = self.bases(receipt, worth)?;
        let multiplier = |kind: Kind| if kind == Kind::Food { self.book.food } else { ONE };
        let lines: Vec<(i64, i64)> =
            receipt.lines.iter().zip(&bases).map(|(line, &basis)| (basis, multiplier(line.kind))).collect();
        let basis = bases.iter().sum::<i64>().max(0);
        let tier = self.tier_at(occurred);
        let plain = Formula {
            rate: self.book.rate,
            tier: self.book.ladder.levels[tier].earns,
            promotions: i128::from(ONE),
            fixed: 0,
        };
        let offers = self.offers(occurred, tier);
        let with = |offers: &[Offer]| with(&plain, self.book.combine, offers);
        let whole = |count: usize| with(&offers[..count]).micropoints(&lines) / MICRO;
        let wanted: Vec<i64> = (0..offers.len()).map(|i| whole(i + 1) - whole(i)).collect();
        let charges: Vec<i64> = wanted.iter().zip(&offers).map(|(&wanted, offer)| wanted.min(offer.cap)).collect();
        let cut = wanted.iter().sum::<i64>() - charges.iter().sum::<i64>();

        let formula = with(&offers);
        let micros = formula.micropoints(&lines);
        let carries = self.book.carry && cut == 0;
        let wanted = if carries { (self.carry + micros) / MICRO } else { micros / MICRO };
        let day = day_of(self.book.zone, occurred);
        let today: i64 = self.counted().filter(|(of, _)| *of == day).map(|(_, counted)| counted.given).sum();
        let limit = self.book.day_cap.map_or(i64::MAX, |cap| (cap - today).max(0));
        let limit = limit.min(self.book.cap.unwrap_or(i64::MAX));
        let given = (wanted - cut).min(limit);
        let grows = carries && wanted - cut <= limit;
        if grows {
            self.carry = (self.carry + micros) % MICRO;
        }
        let mut rest = given;
        let mut apart = Vec::new();
        for (offer, charge) in offers.iter().zip(&charges) {
            if let Some(promo) = offer.promo.filter(|&promo| self.book.promos[promo].expiry.is_some()) {
                apart.push((promo, rest.min(*charge)));
                rest -= rest.min(*charge);
            }
        }
        // Points that were given, in the order of the offers; what a cap of the purchase cut was given last.
        let mut rest = given;
        let mut used = Vec::new();
        for (offer, charge) in offers.iter().zip(&charges) {
            let part = rest.min(*charge);
            rest -= part;
            let Some(promo) = offer.promo.filter(|_| part > 0) else { continue };
            let by_member = self.book.promos[promo].per_member.is_some();
            if by_member || self.book.promos[promo].budget.is_some() {
                used.push(Used { promo, points: part, by_member });
            }
        }
        let shares = shares(&formula, &lines, given);
        let micropoints = grows.then_some(micros);
        let base = formula.base(basis);
        let perks = Vec::new();
        Ok(Earned { wanted, given, base, basis, charges, shares, micropoints, formula, lines, used, apart, perks })
    }

    /// What counts of each line: the part of excluded tenders taken off pro rata, of wine nothing.
    fn bases(&self, receipt: &Receipt, worth: i64) -> Result<Vec<i64>, No> {
        let amounts: Vec<i128> = receipt.lines.iter().map(|line| i128::from(line.amount)).collect();
        let total: i128 = amounts.iter().sum();
        let excluded = receipt.gift_card + if self.book.points_excluded { worth } else { 0 };
        if excluded > 0 && i128::from(excluded) > total {
            return Err(No::Tenders);
        }
        let parts = if excluded > 0 {
            hand_out(excluded, &amounts.iter().map(|amount| amount * i128::from(excluded)).collect::<Vec<_>>(), total)
        } else {
            vec![0; amounts.len()]
        };
        let counts = |line: &super::sales::Line, part| if line.kind == Kind::Wine { 0 } else { line.amount - part };
        Ok(receipt.lines.iter().zip(parts).map(|(line, part)| counts(line, part)).collect())
    }

    /// His uses of limited promotions, as long as something of the purchase is left.
    pub(super) fn used(&self) -> impl Iterator<Item = Used> {
        self.sales.iter().filter(|sale| !sale.empty()).flat_map(|sale| sale.used.clone())
    }

    /// How often he, or an account merged into his, used a promotion while its uses were limited by member.
    fn own_uses(&self, promo: usize) -> i64 {
        let used = self.used().chain(self.brought.uses.iter().copied());
        used.filter(|used| used.promo == promo && used.by_member).count() as i64
    }

    /// Points left of a promotion's budget, which another book may have made smaller than what was given.
    fn left(&self, promo: usize) -> i64 {
        let used = self.used().chain(self.used_elsewhere.iter().copied()).filter(|used| used.promo == promo);
        let left = |budget: i64| (budget - used.map(|used| used.points).sum::<i64>()).max(0);
        self.book.promos[promo].budget.map_or(i64::MAX, left)
    }

    /// Everything that multiplies or adds, in order of priority.
    fn offers(&self, occurred: Instant, tier: usize) -> Vec<Offer> {
        let day = day_of(self.book.zone, occurred);
        let weekday = day.weekday().num_days_from_monday() as usize;
        let promos = self.book.promos.iter().enumerate().map(|(i, promo)| Offer {
            order: (promo.priority, format!("p{i}")),
            promo: Some(i),
            multiply: promo.multiply,
            add: promo.add,
            cap: promo.cap.unwrap_or(i64::MAX).min(self.left(i)),
            applies: promo.tier.is_none_or(|own| own == tier)
                && promo.weekday.is_none_or(|own| own == weekday)
                && self.left(i) > 0
                && promo.per_member.is_none_or(|most| self.own_uses(i) < most),
        });
        let mut offers: Vec<Offer> = promos.collect();
        let own = |name: String, multiply| Offer {
            order: (0, name),
            promo: None,
            multiply: Some(multiply),
            add: 0,
            cap: i64::MAX,
            applies: true,
        };
        let gifts = self.granted().filter(|gift| gift.from <= occurred && occurred < gift.until);
        offers.extend(gifts.filter_map(|gift| match gift.given {
            Given::Multiple(multiply) => Some(own(format!("perk:{}", gift.word()), multiply)),
            _ => None,
        }));
        let chosen = self.chosen().filter(|(chosen, _)| *chosen == day);
        offers.extend(chosen.map(|(_, multiply)| own("entitlement:double".to_owned(), *multiply)));
        offers.sort_by(|a, b| a.order.cmp(&b.order));
        if self.book.combine == Combine::Best {
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

/// A formula with what offers do to it: their multipliers combined and cut once, their points added.
fn with(plain: &Formula, combine: Combine, offers: &[Offer]) -> Formula {
    let applying = || offers.iter().filter(|offer| offer.applies);
    let factors: Vec<i128> = applying().filter_map(|offer| offer.multiply.map(i128::from)).collect();
    let one = i128::from(ONE);
    let promotions = match combine {
        Combine::Best => factors.iter().copied().max().unwrap_or(one),
        Combine::Add => one + factors.iter().map(|factor| factor - one).sum::<i128>(),
        Combine::Multiply => factors.iter().product::<i128>() * one / one.pow(factors.len() as u32),
    };
    let fixed = applying().filter(|offer| offer.multiply.is_none()).map(|offer| i128::from(offer.add)).sum();
    Formula { promotions, fixed, ..plain.clone() }
}

/// The lines' shares of the points given: exact shares, the fixed points by line amount, scaled by a
/// cap, and rounded together.
fn shares(formula: &Formula, lines: &[(i64, i64)], given: i64) -> Vec<i64> {
    let weights: Vec<i128> = lines.iter().map(|&(basis, line)| i128::from(basis) * i128::from(line)).collect();
    let clamped = weights.iter().sum::<i128>() < 0;
    let total: i128 = lines.iter().map(|&(basis, _)| i128::from(basis)).sum();
    let proportion = if clamped || total <= 0 { None } else { Some(total) };
    let plain = Formula { fixed: 0, ..formula.clone() };
    let fixed = formula.fixed * formula.unit();
    let exact = |(i, weight): (usize, &i128)| {
        let multiplied = if clamped { 0 } else { plain.exact(*weight) };
        match proportion {
            Some(total) => multiplied * total + fixed * i128::from(lines[i].0),
            None => multiplied + if i == 0 { fixed } else { 0 },
        }
    };
    let exact: Vec<i128> = weights.iter().enumerate().map(exact).collect();
    let unit = formula.unit() * proportion.unwrap_or(1);
    let sum: i128 = exact.iter().sum();
    if i128::from(given) >= sum / unit {
        return hand_out(given, &exact, unit);
    }
    hand_out(given, &exact.iter().map(|share| share * i128::from(given)).collect::<Vec<_>>(), sum)
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
