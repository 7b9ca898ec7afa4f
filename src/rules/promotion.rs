//! Promotions: multipliers and extra points inside a schedule (PROGRAMME.md §3 and §8).

use serde::{Deserialize, Serialize};

use crate::amount::{Multiplier, Points};
use crate::expiry::Expiry;
use crate::programme::{Problems, Programme};
use crate::text::Text;
use crate::time::{Day, Weekday};

/// How several promotion multipliers combine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Combine {
    /// The largest alone counts; among equals the one first in priority.
    #[default]
    Best,
    /// Bonuses sum: 2× and 3× make 4×.
    Add,
    /// Multipliers multiply: 2× and 3× make 6×.
    Multiply,
}

/// A promotion on purchases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promotion {
    /// Names the promotion, unique among promotions.
    pub code: String,
    /// What members and cashiers see.
    pub name: Text,
    /// When it runs.
    #[serde(default)]
    pub schedule: Schedule,
    /// What it gives.
    pub effect: PromotionEffect,
    /// The most it may add to one purchase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap_per_purchase: Option<Points>,
    /// When the points it adds lapse, where that is not as for the rest of the purchase. Only fixed points
    /// can be told apart and open a lot of their own; what multiplies goes with the purchase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<Expiry>,
    /// Lower comes first; equal priorities go by code.
    #[serde(default)]
    pub priority: i32,
    /// Store codes it runs in; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stores: Vec<String>,
    /// Tier codes it is for; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<String>,
}

/// What a promotion gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum PromotionEffect {
    /// Multiplies what the eligible lines earn.
    Multiply {
        /// At least 1.
        by: Multiplier,
    },
    /// Adds points after multiplication.
    Add {
        /// At least 1.
        points: Points,
    },
}

/// When a promotion runs, in the programme's time zone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// First day, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Day>,
    /// Last day, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Day>,
    /// Weekdays; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weekdays: Vec<Weekday>,
}

impl Schedule {
    /// Whether the promotion runs on a local day.
    pub fn covers(&self, day: Day) -> bool {
        self.from.is_none_or(|from| from <= day)
            && self.to.is_none_or(|to| day <= to)
            && (self.weekdays.is_empty() || self.weekdays.contains(&Weekday::of(day)))
    }
}

impl Promotion {
    /// Why the promotion does not apply to a purchase, or `None` when it does.
    pub fn miss(&self, day: Day, store: Option<&str>, tier: &str) -> Option<Miss> {
        if !self.schedule.covers(day) {
            Some(Miss::Schedule)
        } else if !self.stores.is_empty() && !store.is_some_and(|s| self.stores.iter().any(|own| own == s)) {
            Some(Miss::Store)
        } else if !self.tiers.is_empty() && !self.tiers.iter().any(|own| own == tier) {
            Some(Miss::Tier)
        } else {
            None
        }
    }

    /// Notes what is wrong with the promotion.
    pub(crate) fn check(&self, programme: &Programme, at: &str, found: &mut Problems) {
        let (from, to) = (self.schedule.from, self.schedule.to);
        let backwards = matches!((from, to), (Some(from), Some(to)) if to < from);
        found.refuse(backwards, &format!("{at}/schedule/to"), "before_from", "must not be before `from`");
        match self.effect {
            PromotionEffect::Multiply { by } => found.multiplier(&format!("{at}/effect/by"), by, Multiplier::UNIT),
            PromotionEffect::Add { points } => {
                found.refuse(!points.is_positive(), &format!("{at}/effect/points"), "too_small", "must be at least 1");
            }
        }
        if let Some(expiry) = &self.expiry {
            expiry.check(&format!("{at}/expiry"), found);
            let told_apart = matches!(self.effect, PromotionEffect::Add { .. });
            let dated = !matches!(expiry, Expiry::Inactivity { .. });
            let detail = "only added points, by a date, may lapse on their own";
            found.refuse(!(told_apart && dated), &format!("{at}/expiry"), "not_told_apart", detail);
        }
        let capped_at_nothing = self.cap_per_purchase.is_some_and(|cap| !cap.is_positive());
        found.refuse(capped_at_nothing, &format!("{at}/cap_per_purchase"), "too_small", "must be at least 1");
        for (i, tier) in self.tiers.iter().enumerate() {
            let known = programme.tiers.levels.iter().any(|level| &level.code == tier);
            found.refuse(!known, &format!("{at}/tiers/{i}"), "unknown_tier", "no tier has this code");
        }
    }
}

/// Why a promotion did not apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Miss {
    /// The day or weekday lies outside its schedule.
    Schedule,
    /// It does not run in this store.
    Store,
    /// It is not for this tier.
    Tier,
    /// Another promotion gave more, and only the best counts.
    NotBest,
}
