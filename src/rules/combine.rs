//! How promotions combine, line by line (PROGRAMME.md §3): the same when a purchase earns and when a
//! promotion no longer holds for what remains of it.

use std::cmp::Reverse;

use crate::amount::{Multiplier, OutOfRange};
use crate::promotion::{Combine, PromotionEffect};

/// An effect, and the positions of the lines it is for, from 1; absent: all.
#[derive(Clone, Copy)]
pub(crate) struct Offer<'a> {
    pub(crate) effect: &'a PromotionEffect,
    pub(crate) lines: Option<&'a [u32]>,
}

impl Offer<'_> {
    /// The lines it multiplies, counted from 0. One more stands after the last: a line that no promotion
    /// is for in particular.
    fn multiplies(&self, lines: usize) -> Vec<usize> {
        match (self.effect, self.lines) {
            (PromotionEffect::Multiply { .. }, None) => (0..=lines).collect(),
            (PromotionEffect::Multiply { .. }, Some(own)) => own.iter().map(|&line| line as usize - 1).collect(),
            _ => Vec::new(),
        }
    }

    /// What its lines come to, never below 0.
    pub(crate) fn spend(&self, bases: &[i128]) -> i128 {
        let own = |lines: &[u32]| lines.iter().filter_map(|&line| bases.get(line as usize - 1)).sum::<i128>();
        self.lines.map_or_else(|| bases.iter().sum(), own).max(0)
    }

    fn multiplier(&self) -> Option<Multiplier> {
        match self.effect {
            PromotionEffect::Multiply { by } => Some(*by),
            _ => None,
        }
    }
}

/// Which lines each offer multiplies; absent for a multiplier that others beat on every line. Under
/// `best` the largest takes a line, and among equals the one that comes first.
pub(crate) fn shares(combine: Combine, offers: &[Offer<'_>], lines: usize) -> Vec<Option<Vec<usize>>> {
    let mut shares: Vec<Vec<usize>> = offers.iter().map(|offer| offer.multiplies(lines)).collect();
    if combine != Combine::Best {
        return shares.into_iter().map(Some).collect();
    }
    let mut best: Vec<Option<usize>> = vec![None; lines + 1];
    for (i, share) in shares.iter().enumerate() {
        for &line in share {
            let rank = |i: usize| (Reverse(offers[i].multiplier()), i);
            best[line] = Some(best[line].map_or(i, |held| if rank(i) < rank(held) { i } else { held }));
        }
    }
    for (i, share) in shares.iter_mut().enumerate() {
        share.retain(|&line| best[line] == Some(i));
    }
    let beaten =
        |offer: &Offer<'_>, share: &[usize]| offer.multiplier().is_some() && share.iter().all(|&at| at == lines);
    offers.iter().zip(shares).map(|(offer, share)| (!beaten(offer, &share)).then_some(share)).collect()
}

/// What offers add up to.
pub(crate) struct Combined<'b> {
    combine: Combine,
    /// What counts of each line, in minor units.
    bases: &'b [i128],
    /// By line; the last stands for a line that no promotion is for in particular.
    products: Vec<Product>,
    /// The products cut to 4 places.
    pub(crate) multipliers: Vec<Multiplier>,
    /// Points added after multiplication.
    pub(crate) fixed: i64,
}

impl<'b> Combined<'b> {
    /// Nothing yet.
    pub(crate) fn new(combine: Combine, bases: &'b [i128]) -> Self {
        let lines = bases.len();
        Self {
            combine,
            bases,
            products: vec![Product::ONE; lines + 1],
            multipliers: vec![Multiplier::ONE; lines + 1],
            fixed: 0,
        }
    }

    /// Takes an offer; what multiplies, on these lines.
    pub(crate) fn take(&mut self, offer: &Offer<'_>, lines: &[usize]) -> Result<(), OutOfRange> {
        match *offer.effect {
            PromotionEffect::Add { points } => self.add(i128::from(points.get()))?,
            PromotionEffect::PerAmount { points, per } => {
                let times = offer.spend(self.bases).checked_div(i128::from(per.get())).unwrap_or(0);
                self.add(times.checked_mul(i128::from(points.get())).ok_or(OutOfRange)?)?;
            }
            PromotionEffect::Multiply { by } => {
                for &line in lines {
                    let before = self.multipliers[line];
                    self.multipliers[line] = match self.combine {
                        Combine::Best => by,
                        Combine::Add => Multiplier::from_units(before.units() + by.units() - Multiplier::UNIT),
                        Combine::Multiply => self.products[line].times(by)?,
                    };
                }
            }
            // Money, and what is given beside points, changes none.
            _ => {}
        }
        Ok(())
    }

    fn add(&mut self, points: i128) -> Result<(), OutOfRange> {
        let points = i64::try_from(points).map_err(|_| OutOfRange)?;
        self.fixed = self.fixed.checked_add(points).ok_or(OutOfRange)?;
        Ok(())
    }

    /// The multiplier of a line that no promotion is for in particular.
    pub(crate) fn elsewhere(&self) -> Multiplier {
        self.multipliers.last().copied().unwrap_or(Multiplier::ONE)
    }
}

/// A product of multipliers, kept exact so that it is cut to 4 places once.
#[derive(Clone, Copy)]
struct Product {
    numerator: i128,
    places: u32,
}

impl Product {
    const ONE: Self = Self { numerator: Multiplier::UNIT as i128, places: Multiplier::PLACES };

    /// Multiplies by another factor; returns the product cut to 4 places.
    fn times(&mut self, by: Multiplier) -> Result<Multiplier, OutOfRange> {
        self.numerator = self.numerator.checked_mul(i128::from(by.units())).ok_or(OutOfRange)?;
        self.places += Multiplier::PLACES;
        // Dropping zeros, 2× counts as 2 and not as 2.0000: a ladder of any length then fits.
        while self.places > Multiplier::PLACES && self.numerator % 10 == 0 {
            self.numerator /= 10;
            self.places -= 1;
        }
        let cut = self.numerator / 10_i128.pow(self.places - Multiplier::PLACES);
        Ok(Multiplier::from_units(i64::try_from(cut).map_err(|_| OutOfRange)?))
    }
}
