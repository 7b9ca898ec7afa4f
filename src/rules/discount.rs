//! Discounts: what is taken off the price of goods (PROGRAMME.md §8).
//!
//! A [`Discount`] says *what* it takes off ([`Off`]), of *which goods* ([`Goods`]), from how much
//! spend on, and how much at most. [`crate::basket::Basket::take`] takes it off a basket; this module
//! never knows whose coupon it is, when it may be used, or which other discounts there are
//! ([`crate::coupon`]).
//!
//! What every discount keeps to:
//!
//! - Spend (minimum spend, steps) and the prices of units are measured on matching lines **after
//!   member prices and before any discount**, so that whether a discount applies never depends on
//!   which others do.
//! - It is computed once for all its lines, rounded **down** to the minor unit, cut to its cap and to
//!   what is left of its lines, and shared among them in proportion by largest remainder, ties to the
//!   earlier line. A discount on units is rounded down line by line, for there a line is what it is of.
//! - Only lines with a price above 0 match: a deposit returned is never discounted, and counts as spend
//!   of nothing. No line falls below 0.
//! - Discounts on units see whole units only: of 2.5 kg two take part. A unit that paid for or was given
//!   by one such discount takes no part in another.

mod units;

use serde::{Deserialize, Serialize};

use crate::amount::{Minor, Multiplier};
use crate::command::Line;
use crate::programme::Problems;
pub(crate) use units::{Run, choose};

/// What is taken off a basket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discount {
    /// How much comes off.
    pub off: Off,
    /// Of what; everything where nothing is said.
    #[serde(default, skip_serializing_if = "Goods::is_everything")]
    pub goods: Goods,
    /// The least that the matching lines cost after member prices, in minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_spend: Option<Minor>,
    /// The most it takes off one purchase, in minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<Minor>,
}

/// How much comes off the matching lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Off {
    /// So many percent.
    Percent {
        /// Above 0, at most 100; at most 4 decimal places.
        percent: Multiplier,
    },
    /// A sum of money.
    Amount {
        /// Minor units, at least 1.
        amount: Minor,
    },
    /// A sum that grows with the spend (满 200 减 30, 满 500 减 100): that of the highest step reached.
    Steps {
        /// Ascending in spend and in amount.
        steps: Vec<Step>,
        /// The one step counts as often as the spend holds it (每满 200 减 30).
        #[serde(default, skip_serializing_if = "is_false")]
        every: bool,
    },
    /// Some units for nothing, whatever else is bought.
    ItemFree {
        /// How many, 1 to 1,000.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        units: u32,
        /// Which of the matching units.
        #[serde(default, skip_serializing_if = "Pick::is_cheapest")]
        pick: Pick,
    },
    /// For every `buy` + `get` matching units the cheapest `get` are free (买二送一). The cheapest of
    /// **all**: of 9, 8, 7, 3, 2, 1 and buy 2 get 1, the 2 and the 1 are free. The dearest pay.
    BuyGet {
        /// Paid in each group, 1 to 1,000.
        buy: u32,
        /// Free in each group, 1 to 1,000.
        get: u32,
    },
    /// Every second (third, …) unit is reduced (第二件半价). Units are laid out from the dearest to the
    /// cheapest and cut into groups of `nth`: the last, the cheapest of **its group**, is reduced. Of 9,
    /// 8, 3, 1 and every second, the 8 and the 1 are.
    EveryNth {
        /// 2 to 1,000.
        #[serde(default = "two", skip_serializing_if = "is_two")]
        nth: u32,
        /// By how many percent: above 0, at most 100.
        #[serde(default = "half", skip_serializing_if = "is_half")]
        percent: Multiplier,
    },
}

/// A step of a discount that grows with the spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// From this spend on, in minor units …
    pub spend: Minor,
    /// … this much comes off.
    pub amount: Minor,
}

/// Which units are given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pick {
    /// Those with the lowest price; among equals those of later lines.
    #[default]
    Cheapest,
    /// Those with the highest price; among equals those of earlier lines.
    Dearest,
}

impl Pick {
    fn is_cheapest(&self) -> bool {
        *self == Self::Cheapest
    }
}

/// Goods, told by article or category.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Goods {
    /// These articles …
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skus: Vec<String>,
    /// … and whatever is of one of these categories; where neither is named: everything …
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// … but not these articles …
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub excluded_skus: Vec<String>,
    /// … nor anything of one of these categories.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub excluded_categories: Vec<String>,
}

impl Goods {
    /// Whether nothing is said, and so everything matches.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// Whether certain goods are named, not merely left out: such a discount belongs to their lines, any
    /// other to the basket.
    pub fn are_named(&self) -> bool {
        !self.skus.is_empty() || !self.categories.is_empty()
    }

    /// Whether a line is of these goods.
    pub fn match_line(&self, line: &Line) -> bool {
        let sku_in = |list: &[String]| line.sku.as_ref().is_some_and(|sku| list.contains(sku));
        let category_in = |list: &[String]| line.categories.iter().any(|category| list.contains(category));
        let named = !self.are_named() || sku_in(&self.skus) || category_in(&self.categories);
        named && !sku_in(&self.excluded_skus) && !category_in(&self.excluded_categories)
    }
}

/// When in the making of a price a discount is taken off (earlier first).
///
/// Units come first, because what a unit costs is only clear while nothing was spread over its line.
/// Then discounts on named goods, then those on the whole basket: what is narrow is settled before what
/// is wide. Percent come before sums of money: a percentage is of the price on the shelf, and a sum of
/// money is as good as cash; taken the other way round, the percentage would take off less because the
/// customer had also brought money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Units free or reduced.
    Units,
    /// Percent off named goods.
    GoodsPercent,
    /// Money off named goods.
    GoodsAmount,
    /// Percent off the basket.
    BasketPercent,
    /// Money off the basket.
    BasketAmount,
}

impl Discount {
    /// When it is taken off.
    pub fn stage(&self) -> Stage {
        match (&self.off, self.goods.are_named()) {
            (Off::ItemFree { .. } | Off::BuyGet { .. } | Off::EveryNth { .. }, _) => Stage::Units,
            (Off::Percent { .. }, true) => Stage::GoodsPercent,
            (Off::Percent { .. }, false) => Stage::BasketPercent,
            (Off::Amount { .. } | Off::Steps { .. }, true) => Stage::GoodsAmount,
            (Off::Amount { .. } | Off::Steps { .. }, false) => Stage::BasketAmount,
        }
    }

    /// The spend from which on it takes anything off: its minimum, or its first step where that is more.
    pub fn least_spend(&self) -> Minor {
        let first = match &self.off {
            Off::Steps { steps, .. } => steps.first().map(|step| step.spend),
            _ => None,
        };
        self.minimum_spend.max(first).unwrap_or(Minor::ZERO)
    }

    /// The whole units from which on it takes anything off; 0 where it does not go by units.
    pub fn least_units(&self) -> u64 {
        match self.off {
            Off::ItemFree { .. } => 1,
            Off::BuyGet { buy, get } => u64::from(buy) + u64::from(get),
            Off::EveryNth { nth, .. } => u64::from(nth),
            Off::Percent { .. } | Off::Amount { .. } | Off::Steps { .. } => 0,
        }
    }

    /// Notes what is wrong with the discount.
    pub(crate) fn check(&self, at: &str, found: &mut Problems) {
        self.off.check(&format!("{at}/off"), found);
        for (name, amount) in [("minimum_spend", self.minimum_spend), ("cap", self.cap)] {
            let wrong = amount.is_some_and(|amount| !amount.is_positive());
            found.refuse(wrong, &format!("{at}/{name}"), "too_small", "must be at least 1");
        }
    }
}

impl Off {
    fn check(&self, at: &str, found: &mut Problems) {
        let count = |found: &mut Problems, name: &str, value: u32, least: u32| {
            let wrong = !(least..=1_000).contains(&value);
            found.refuse(wrong, &format!("{at}/{name}"), "out_of_range", &format!("must be {least} to 1000"));
        };
        match self {
            Self::Percent { percent } => check_percent(*percent, at, found),
            Self::Amount { amount } => {
                found.refuse(!amount.is_positive(), &format!("{at}/amount"), "too_small", "must be at least 1");
            }
            Self::Steps { steps, every } => check_steps(steps, *every, at, found),
            Self::ItemFree { units, .. } => count(found, "units", *units, 1),
            Self::BuyGet { buy, get } => {
                count(found, "buy", *buy, 1);
                count(found, "get", *get, 1);
            }
            Self::EveryNth { nth, percent } => {
                count(found, "nth", *nth, 2);
                check_percent(*percent, at, found);
            }
        }
    }
}

/// All of it, in units of a [`Multiplier`].
pub(crate) const HUNDRED: i64 = 100 * Multiplier::UNIT;

fn check_percent(percent: Multiplier, at: &str, found: &mut Problems) {
    let wrong = !(1..=HUNDRED).contains(&percent.units());
    found.refuse(wrong, &format!("{at}/percent"), "out_of_range", "must be above 0 and at most 100");
}

fn check_steps(steps: &[Step], every: bool, at: &str, found: &mut Problems) {
    found.refuse(steps.is_empty(), &format!("{at}/steps"), "empty", "name at least one step");
    let detail = "only a single step can count more than once";
    found.refuse(every && steps.len() > 1, &format!("{at}/every"), "one_step", detail);
    let mut before = Step { spend: Minor::ZERO, amount: Minor::ZERO };
    for (i, step) in steps.iter().enumerate() {
        let at = format!("{at}/steps/{i}");
        let detail = "must be above the step before";
        found.refuse(step.spend <= before.spend, &format!("{at}/spend"), "not_ascending", detail);
        found.refuse(step.amount <= before.amount, &format!("{at}/amount"), "not_ascending", detail);
        let detail = "must not be more than the spend of the step";
        found.refuse(step.amount > step.spend, &format!("{at}/amount"), "more_than_spend", detail);
        before = *step;
    }
}

/// What a spend takes off by steps, in minor units. Not above the spend, as each step is not.
pub(crate) fn off_by_steps(steps: &[Step], every: bool, spend: i64) -> i128 {
    let reached = steps.iter().rfind(|step| step.spend.get() <= spend);
    reached.map_or(0, |step| {
        let times = if every && step.spend.is_positive() { spend / step.spend.get() } else { 1 };
        i128::from(step.amount.get()) * i128::from(times)
    })
}

fn is_false(setting: &bool) -> bool {
    !*setting
}

fn one() -> u32 {
    1
}

fn is_one(count: &u32) -> bool {
    *count == 1
}

fn two() -> u32 {
    2
}

fn is_two(count: &u32) -> bool {
    *count == 2
}

fn half() -> Multiplier {
    Multiplier::from_units(HUNDRED / 2)
}

fn is_half(percent: &Multiplier) -> bool {
    *percent == half()
}
