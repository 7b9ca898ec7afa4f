//! What a simulation found: sums, by day, by promotion, by move between tiers, and who is most affected.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::amount::OutOfRange;
use crate::explain::Explanation;
use crate::id::MemberId;
use crate::limit::Budget;
use crate::simulate::PastPurchase;
use crate::simulate::replay::Given;
use crate::time::Day;

/// Members named.
const NAMED: usize = 20;

/// Points as they were, and as they would have been.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// On record.
    pub before: i64,
    /// Under the programme tried.
    pub after: i64,
}

impl Compared {
    /// By how many more.
    pub const fn difference(self) -> i64 {
        self.after - self.before
    }

    fn plus(self, other: Self) -> Result<Self, OutOfRange> {
        let sum = |a: i64, b: i64| a.checked_add(b).ok_or(OutOfRange);
        Ok(Self { before: sum(self.before, other.before)?, after: sum(self.after, other.after)? })
    }

    fn negated(self) -> Self {
        Self { before: -self.before, after: -self.after }
    }
}

/// One local day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DayReport {
    /// Purchases that happened on it.
    pub purchases: u64,
    /// Of these, those given other points.
    pub touched: u64,
    /// Points given to them, less those that returns of that day took.
    pub points: Compared,
}

/// One promotion, or a multiplier of a perk or an entitlement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PromotionReport {
    /// Points charged to it when goods were sold.
    pub charged: Compared,
    /// Purchases it would have been charged for.
    pub purchases: u64,
    /// Money it gave to wallets when goods were sold, in minor units.
    pub cashback: Compared,
    /// Points it would have been charged, by the day of the purchases.
    pub days: BTreeMap<Day, i64>,
    /// Money it would have given to wallets, in minor units, by the day of the purchases.
    pub cashback_days: BTreeMap<Day, i64>,
}

impl PromotionReport {
    /// The day on which a budget would have been used up.
    pub fn exhausted_on(&self, budget: Budget) -> Option<Day> {
        let (days, budget) = match budget {
            Budget::Points(points) => (&self.days, points.get()),
            Budget::Money(money) => (&self.cashback_days, money.get()),
        };
        let mut given = 0;
        let by_then = |(day, more): (&Day, &i64)| {
            given += more;
            (given >= budget).then_some(*day)
        };
        days.iter().find_map(by_then)
    }
}

/// A member whom it would have changed much for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Affected {
    /// Who.
    pub member: MemberId,
    /// Points given, less those that returns took.
    pub points: Compared,
    /// The tier held at the end, on record and under the programme tried, where they differ.
    pub tiers: Option<(String, String)>,
}

/// What a simulation found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Purchases compared.
    pub purchases: u64,
    /// Of these, those given other points.
    pub purchases_touched: u64,
    /// Members with such purchases.
    pub members: u64,
    /// Of these, those with other points or another tier.
    pub members_touched: u64,
    /// Purchases that could not be replayed exactly: a part of the receipt is not on record, or a condition
    /// asks for a balance, which is counted here without what was spent or lapsed.
    pub inexact: u64,
    /// Purchases that the programme tried would refuse; they are given nothing.
    pub refused: u64,
    /// Members whose tiers are those on record although others' were lived again.
    pub as_on_record: u64,
    /// Points given, less those that returns took.
    pub points: Compared,
    /// By local day.
    pub days: BTreeMap<Day, DayReport>,
    /// Members by the tier they held at the end and the one they would have held, where they differ.
    pub tiers: BTreeMap<(String, String), u64>,
    /// By promotion.
    pub promotions: BTreeMap<String, PromotionReport>,
    /// Whom it changes most for, the largest difference first.
    pub most_affected: Vec<Affected>,
}

/// What is summed of one member.
#[derive(Default)]
pub(super) struct Own {
    pub(super) purchases: u64,
    touched: bool,
    points: Compared,
    pub(super) tiers: Option<(String, String)>,
}

impl Report {
    pub(super) fn purchase(
        &mut self,
        day: Day,
        past: &PastPurchase,
        given: &Given,
        vague: bool,
        own: &mut Own,
    ) -> Result<(), OutOfRange> {
        let points = Compared { before: past.points.get(), after: given.points.get() };
        let touched = points.difference() != 0;
        self.purchases += 1;
        self.purchases_touched += u64::from(touched);
        self.inexact += u64::from(vague || !past.exact);
        self.refused += u64::from(given.explanation.is_none());
        let of_day = self.days.entry(day).or_default();
        of_day.purchases += 1;
        of_day.touched += u64::from(touched);
        of_day.points = of_day.points.plus(points)?;
        own.purchases += 1;
        own.touched |= touched;
        own.points = own.points.plus(points)?;
        for (code, before) in charged(&past.explanation) {
            let promotion = self.promotions.entry(code.to_owned()).or_default();
            promotion.charged = promotion.charged.plus(Compared { before, after: 0 })?;
        }
        for (code, before) in gave(&past.explanation) {
            let promotion = self.promotions.entry(code.to_owned()).or_default();
            promotion.cashback = promotion.cashback.plus(Compared { before, after: 0 })?;
        }
        for (code, after) in given.explanation.iter().flat_map(gave) {
            let promotion = self.promotions.entry(code.to_owned()).or_default();
            promotion.cashback = promotion.cashback.plus(Compared { before: 0, after })?;
            promotion.purchases += 1;
            *promotion.cashback_days.entry(day).or_default() += after;
        }
        for (code, after) in given.explanation.iter().flat_map(charged) {
            let promotion = self.promotions.entry(code.to_owned()).or_default();
            promotion.charged = promotion.charged.plus(Compared { before: 0, after })?;
            promotion.purchases += 1;
            *promotion.days.entry(day).or_default() += after;
        }
        Ok(())
    }

    pub(super) fn taken(&mut self, day: Day, points: Compared, own: &mut Own) -> Result<(), OutOfRange> {
        let of_day = self.days.entry(day).or_default();
        of_day.points = of_day.points.plus(points.negated())?;
        own.touched |= points.difference() != 0;
        own.points = own.points.plus(points.negated())?;
        Ok(())
    }

    pub(super) fn close(&mut self, member: MemberId, own: Own) -> Result<(), OutOfRange> {
        if own.purchases == 0 {
            return Ok(());
        }
        let tiers = own.tiers.filter(|(before, after)| before != after);
        let touched = own.touched || tiers.is_some();
        self.members += 1;
        self.members_touched += u64::from(touched);
        self.points = self.points.plus(own.points)?;
        if let Some(moved) = &tiers {
            *self.tiers.entry(moved.clone()).or_default() += 1;
        }
        if touched {
            self.most_affected.push(Affected { member, points: own.points, tiers });
            self.most_affected.sort_by_key(|one| (Reverse(one.points.difference().abs()), one.member));
            self.most_affected.truncate(NAMED);
        }
        Ok(())
    }
}

/// What each promotion gave to the wallet for a purchase, in minor units.
fn gave(why: &Explanation) -> impl Iterator<Item = (&str, i64)> {
    let gave = why.promotions.iter().filter_map(|told| Some((told.code.as_str(), told.cashback.as_ref()?.given.get())));
    gave.filter(|(_, given)| *given > 0)
}

/// What each promotion was charged for a purchase.
fn charged(why: &Explanation) -> impl Iterator<Item = (&str, i64)> {
    let charged = why.promotions.iter().filter(|promotion| promotion.charged.is_positive());
    charged.map(|promotion| (promotion.code.as_str(), promotion.charged.get()))
}
