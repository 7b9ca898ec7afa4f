//! Limits of promotions: how often one is used, and how many points or how much money it may give
//! (PROGRAMME.md §8).
//!
//! A use is a purchase in which the promotion gave something. What counts is stored with the purchase
//! ([`Counted`]) and given back when nothing of it remains (PROGRAMME.md §4).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::amount::{Minor, Points};
use crate::decision::Effect;
use crate::draft::Draft;
use crate::explain::{Explanation, PromotionExplained};
use crate::programme::Problems;
use crate::promotion::Miss;
use crate::refusal::Refusal;
use crate::time::Day;

/// How often a promotion may be used, and how many points or how much money it may give. What is not said is not
/// limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Uses by one member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_member: Option<u32>,
    /// Uses by one member on one local day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_member_per_day: Option<u32>,
    /// Uses by all members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u32>,
    /// Points given to all members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_points: Option<Points>,
    /// Cashback given to all members, in minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_money: Option<Minor>,
}

/// What a promotion may give to all members together: it gives points or money, never both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// So many points.
    Points(Points),
    /// So much cashback, in minor units.
    Money(Minor),
}

/// What was used of a promotion by all members.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PromotionUsage {
    /// Purchases in which it gave something.
    pub uses: i64,
    /// Points it gave.
    pub points: i64,
    /// Cashback it gave, in minor units.
    pub money: i64,
}

/// One member's uses of promotions, by code and by local day.
pub type MemberUses = BTreeMap<String, BTreeMap<Day, i64>>;

/// What a purchase counts against the limits of a promotion: one use, and what it gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// What the promotion was charged, as far as caps of the purchase and the day left room for it.
    pub points: Points,
    /// The cashback it gave, in minor units.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub money: Minor,
    /// The local day of the use, where uses are limited by member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<Day>,
}

fn is_nothing(money: &Minor) -> bool {
    *money == Minor::ZERO
}

/// What is left of a promotion; absent: that is not limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Uses by the member.
    pub uses: Option<i64>,
    /// Points of the budget.
    pub points: Option<i64>,
    /// Money of the budget, in minor units.
    pub money: Option<i64>,
}

/// A change of what was used of a promotion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromotionUse {
    /// The promotion's code.
    pub code: String,
    /// 1 for a use, −1 for one that is given back; and points and money with the same sign.
    pub change: PromotionUsage,
    /// The day on which it counts for the member, where that is limited.
    pub day: Option<Day>,
}

/// Between which figures, both included, the usage of a promotion must lie for a decision to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageRange {
    /// Least and most uses.
    pub uses: (i64, i64),
    /// Least and most points.
    pub points: (i64, i64),
    /// Least and most money, in minor units.
    pub money: (i64, i64),
}

impl Limits {
    /// Whether nothing is limited.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether anything is limited for all members together.
    pub fn is_shared(&self) -> bool {
        self.total.is_some() || self.budget().is_some()
    }

    /// Whether uses are limited by member.
    pub fn is_personal(&self) -> bool {
        self.per_member.is_some() || self.per_member_per_day.is_some()
    }

    /// Which limit is reached, if one is.
    pub(crate) fn miss(&self, usage: PromotionUsage, own: Option<&BTreeMap<Day, i64>>, day: Day) -> Option<Miss> {
        let reached = |limit: Option<u32>, uses: i64| limit.is_some_and(|limit| uses >= i64::from(limit));
        let ever = own.map_or(0, |days| days.values().sum());
        let today = own.and_then(|days| days.get(&day)).copied().unwrap_or(0);
        if reached(self.per_member, ever) {
            Some(Miss::MemberLimit)
        } else if reached(self.per_member_per_day, today) {
            Some(Miss::DayLimit)
        } else if reached(self.total, usage.uses) {
            Some(Miss::TotalLimit)
        } else if [self.left(usage), self.money_left(usage)].into_iter().flatten().any(|left| left <= 0) {
            Some(Miss::Budget)
        } else {
            None
        }
    }

    /// What they leave to a member whose uses these are.
    pub(crate) fn leave(&self, usage: PromotionUsage, own: Option<&BTreeMap<Day, i64>>, day: Day) -> Left {
        let rest = |limit: Option<u32>, used: i64| limit.map(|limit| i64::from(limit) - used);
        let ever = rest(self.per_member, own.map_or(0, |days| days.values().sum()));
        let today = rest(self.per_member_per_day, own.and_then(|days| days.get(&day)).copied().unwrap_or(0));
        let in_all = rest(self.total, usage.uses);
        let uses = [ever, today, in_all].into_iter().flatten().min();
        Left { uses, points: self.left(usage), money: self.money_left(usage) }
    }

    /// Points left of the budget.
    pub(crate) fn left(&self, usage: PromotionUsage) -> Option<i64> {
        Some(self.budget_points?.get() - usage.points)
    }

    /// Money left of the budget, in minor units.
    pub(crate) fn money_left(&self, usage: PromotionUsage) -> Option<i64> {
        Some(self.budget_money?.get() - usage.money)
    }

    /// The budget, where there is one.
    pub fn budget(&self) -> Option<Budget> {
        self.budget_points.map(Budget::Points).or(self.budget_money.map(Budget::Money))
    }

    /// Where the usage may lie for an explanation to be right, told as of `change` earlier: after so much
    /// was used, or given back, the promotion is decided on.
    pub fn range(&self, told: &PromotionExplained, change: PromotionUsage) -> UsageRange {
        let mut range = UsageRange::default();
        let before = |figure: i64, changed: i64| figure.saturating_sub(changed);
        let total = self.total.map(i64::from).map(|total| before(total, change.uses));
        let (in_total, out_of_total) = (total.map(|total| total - 1), total);
        match told.missed {
            None | Some(Miss::NotBest | Miss::Budget | Miss::ExclusionGroup) => {
                range.uses.1 = in_total.unwrap_or(i64::MAX);
            }
            Some(Miss::TotalLimit) => range.uses.0 = out_of_total.unwrap_or(i64::MIN),
            Some(_) => {}
        }
        // Where something given was cut to what was left, that must be what is left; else it must be enough.
        let within = |budget: i64, given: i64, left: Option<i64>| match (told.missed, left) {
            (Some(Miss::Budget), _) => (budget, i64::MAX),
            (None | Some(Miss::NotBest | Miss::ExclusionGroup), Some(left)) => (budget - left, budget - left),
            (None | Some(Miss::NotBest | Miss::ExclusionGroup), None) => (i64::MIN, budget - given.max(1)),
            (Some(_), _) => (i64::MIN, i64::MAX),
        };
        if let Some(budget) = self.budget_points {
            let budget = before(budget.get(), change.points);
            range.points = within(budget, told.charged.get(), told.left.map(Points::get));
        }
        if let Some(budget) = self.budget_money {
            let cashback = told.cashback.as_ref();
            let given = cashback.map_or(0, |cashback| cashback.given.get());
            let left = cashback.and_then(|cashback| cashback.left_of_budget).map(Minor::get);
            range.money = within(before(budget.get(), change.money), given, left);
        }
        range
    }

    pub(crate) fn check(&self, at: &str, found: &mut Problems) {
        let uses =
            [("per_member", self.per_member), ("per_member_per_day", self.per_member_per_day), ("total", self.total)];
        for (field, limit) in uses {
            found.refuse(limit == Some(0), &format!("{at}/{field}"), "too_small", "must be at least 1");
        }
        let nothing = self.budget_points.is_some_and(|budget| !budget.is_positive());
        found.refuse(nothing, &format!("{at}/budget_points"), "too_small", "must be at least 1");
        let nothing = self.budget_money.is_some_and(|budget| !budget.is_positive());
        found.refuse(nothing, &format!("{at}/budget_money"), "too_small", "must be at least 1");
    }
}

impl Default for UsageRange {
    /// All figures.
    fn default() -> Self {
        let all = (i64::MIN, i64::MAX);
        Self { uses: all, points: all, money: all }
    }
}

impl UsageRange {
    /// What lies in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let both = |a: (i64, i64), b: (i64, i64)| (a.0.max(b.0), a.1.min(b.1));
        Self {
            uses: both(self.uses, other.uses),
            points: both(self.points, other.points),
            money: both(self.money, other.money),
        }
    }

    /// Whether a usage lies in it.
    pub fn holds(&self, usage: PromotionUsage) -> bool {
        let within = |(least, most): (i64, i64), figure: i64| least <= figure && figure <= most;
        within(self.uses, usage.uses) && within(self.points, usage.points) && within(self.money, usage.money)
    }
}

impl PromotionUsage {
    /// What a purchase uses.
    pub fn of(counted: Counted) -> Self {
        Self { uses: 1, points: counted.points.get(), money: counted.money.get() }
    }

    /// Adds a change.
    #[must_use]
    pub fn plus(self, change: Self) -> Self {
        Self {
            uses: self.uses.saturating_add(change.uses),
            points: self.points.saturating_add(change.points),
            money: self.money.saturating_add(change.money),
        }
    }

    fn negated(self) -> Self {
        Self { uses: -self.uses, points: -self.points, money: -self.money }
    }
}

impl Draft<'_> {
    /// Counts what a purchase used of limited promotions.
    pub(crate) fn use_promotions(&mut self, why: &Explanation) -> Result<(), Refusal> {
        self.count_promotions(why, |used| used)
    }

    /// Gives back what a purchase had used of them.
    pub(crate) fn give_back_promotions(&mut self, why: &Explanation) -> Result<(), Refusal> {
        self.count_promotions(why, PromotionUsage::negated)
    }

    fn count_promotions(
        &mut self,
        why: &Explanation,
        change: impl Fn(PromotionUsage) -> PromotionUsage,
    ) -> Result<(), Refusal> {
        for told in &why.promotions {
            if let Some(counted) = told.counted {
                let change = change(PromotionUsage::of(counted));
                let used = PromotionUse { code: told.code.clone(), change, day: counted.day };
                self.record(Effect::UsePromotion(used))?;
            }
        }
        Ok(())
    }
}
