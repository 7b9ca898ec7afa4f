//! Rewards: what points buy (PROGRAMME.md §8).

use serde::{Deserialize, Serialize};

use crate::amount::Points;
use crate::programme::{Problems, Programme};
use crate::text::Text;
use crate::time::Day;

/// An item of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reward {
    /// Names the reward for ever; redemptions point to it.
    pub code: String,
    /// What members see.
    pub name: Text,
    /// What it costs.
    pub points: Points,
    /// How many may be handed out in all; absent: no limit. What is left is this less the
    /// redemptions that took one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stock: Option<u32>,
    /// The lowest tier that may have it, by code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_tier: Option<String>,
    /// First day it may be redeemed, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Day>,
    /// Last day it may be redeemed, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Day>,
}

impl Reward {
    /// Whether the reward may be redeemed on a local day.
    pub fn offered_on(&self, day: Day) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }

    pub(crate) fn check(&self, programme: &Programme, at: &str, found: &mut Problems) {
        found.refuse(!self.points.is_positive(), &format!("{at}/points"), "too_small", "must be at least 1");
        let backwards = matches!((self.from, self.to), (Some(from), Some(to)) if to < from);
        found.refuse(backwards, &format!("{at}/to"), "before_from", "must not be before `from`");
        if let Some(tier) = &self.minimum_tier {
            let known = programme.tiers.levels.iter().any(|level| &level.code == tier);
            found.refuse(!known, &format!("{at}/minimum_tier"), "unknown_tier", "no tier has this code");
        }
    }
}
