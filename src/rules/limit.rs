//! Limits of promotions: how often one is used, and how many points it may give (PROGRAMME.md §8).
//!
//! A use is a purchase in which the promotion gave points. What counts is stored with the purchase
//! ([`Counted`]) and given back when nothing of it remains (PROGRAMME.md §4).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::amount::Points;
use crate::decision::Effect;
use crate::draft::Draft;
use crate::explain::{Explanation, PromotionExplained};
use crate::programme::Problems;
use crate::promotion::Miss;
use crate::refusal::Refusal;
use crate::time::Day;

/// How often a promotion may be used, and how many points it may give. What is not said is not limited.
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
}

/// What was used of a promotion by all members.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PromotionUsage {
    /// Purchases in which it gave points.
    pub uses: i64,
    /// Points it gave.
    pub points: i64,
}

/// One member's uses of promotions, by code and by local day.
pub type MemberUses = BTreeMap<String, BTreeMap<Day, i64>>;

/// What a purchase counts against the limits of a promotion: one use, and these points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// What the promotion was charged, as far as caps of the purchase and the day left room for it.
    pub points: Points,
    /// The local day of the use, where uses are limited by member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<Day>,
}

/// What is left of a promotion; absent: that is not limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Uses by the member.
    pub uses: Option<i64>,
    /// Points of the budget.
    pub points: Option<i64>,
}

/// A change of what was used of a promotion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromotionUse {
    /// The promotion's code.
    pub code: String,
    /// 1 for a use, −1 for one that is given back; and the points with the same sign.
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
}

impl Limits {
    /// Whether nothing is limited.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether anything is limited for all members together.
    pub fn is_shared(&self) -> bool {
        self.total.is_some() || self.budget_points.is_some()
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
        } else if self.left(usage).is_some_and(|left| left <= 0) {
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
        Left { uses: [ever, today, in_all].into_iter().flatten().min(), points: self.left(usage) }
    }

    /// Points left of the budget.
    pub(crate) fn left(&self, usage: PromotionUsage) -> Option<i64> {
        Some(self.budget_points?.get() - usage.points)
    }

    /// Where the usage may lie for an explanation to be right, told as of `change` earlier: after so much
    /// was used, or given back, the promotion is decided on.
    pub fn range(&self, told: &PromotionExplained, change: PromotionUsage) -> UsageRange {
        let mut range = UsageRange::default();
        let before = |figure: i64, changed: i64| figure.saturating_sub(changed);
        let total = self.total.map(i64::from).map(|total| before(total, change.uses));
        let budget = self.budget_points.map(|budget| before(budget.get(), change.points));
        let (in_total, out_of_total) = (total.map(|total| total - 1), total);
        match told.missed {
            None | Some(Miss::NotBest | Miss::Budget | Miss::ExclusionGroup) => {
                range.uses.1 = in_total.unwrap_or(i64::MAX);
            }
            Some(Miss::TotalLimit) => range.uses.0 = out_of_total.unwrap_or(i64::MIN),
            Some(_) => {}
        }
        match (told.missed, budget) {
            (Some(Miss::Budget), Some(budget)) => range.points.0 = budget,
            (None | Some(Miss::NotBest | Miss::ExclusionGroup), Some(budget)) => {
                let least = told.charged.get().max(1);
                range.points = match told.left {
                    Some(left) => (budget - left.get(), budget - left.get()),
                    None => (i64::MIN, budget - least),
                };
            }
            _ => {}
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
    }
}

impl Default for UsageRange {
    /// All figures.
    fn default() -> Self {
        Self { uses: (i64::MIN, i64::MAX), points: (i64::MIN, i64::MAX) }
    }
}

impl UsageRange {
    /// What lies in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let both = |a: (i64, i64), b: (i64, i64)| (a.0.max(b.0), a.1.min(b.1));
        Self { uses: both(self.uses, other.uses), points: both(self.points, other.points) }
    }

    /// Whether a usage lies in it.
    pub fn holds(&self, usage: PromotionUsage) -> bool {
        let within = |(least, most): (i64, i64), figure: i64| least <= figure && figure <= most;
        within(self.uses, usage.uses) && within(self.points, usage.points)
    }
}

impl PromotionUsage {
    /// Adds a change.
    #[must_use]
    pub fn plus(self, change: Self) -> Self {
        Self { uses: self.uses.saturating_add(change.uses), points: self.points.saturating_add(change.points) }
    }

    fn negated(self) -> Self {
        Self { uses: -self.uses, points: -self.points }
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
                let change = change(PromotionUsage { uses: 1, points: counted.points.get() });
                let used = PromotionUse { code: told.code.clone(), change, day: counted.day };
                self.record(Effect::UsePromotion(used))?;
            }
        }
        Ok(())
    }
}
