//! What all issued coupons of a type may do together: how often they are used, and how much they take off
//! (PROGRAMME.md §8).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Applied, Circumstances, CouponType, NotApplied};
use crate::amount::Minor;
use crate::programme::Problems;

/// What all issued coupons of a type may do together. What is not said is not limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CouponLimits {
    /// In how many purchases they may be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u32>,
    /// How much they may take off, in minor units. A coupon takes off all that it says or nothing: one whose discount
    /// is more than what is left does not apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_money: Option<Minor>,
}

/// What was used of all issued coupons of a type, less what was given back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CouponUsage {
    /// Purchases in which one was used, each coupon for itself.
    pub uses: i64,
    /// What they took off, in minor units.
    pub money: i64,
}

/// What was used of types of coupons, by code; loaded for those with limits.
pub type CouponsUsed = BTreeMap<String, CouponUsage>;

impl CouponLimits {
    /// Whether nothing is limited.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether they leave room for so much.
    pub fn allow(&self, usage: CouponUsage) -> bool {
        self.passed(usage).is_none()
    }

    /// Which of them leaves no room for even the least discount, a minor unit.
    pub fn full(&self, usage: CouponUsage) -> Option<NotApplied> {
        self.passed(usage.with(Minor::new(1).unwrap_or(Minor::ZERO)))
    }

    /// Which of them so much is past.
    fn passed(&self, usage: CouponUsage) -> Option<NotApplied> {
        if self.total.is_some_and(|total| usage.uses > i64::from(total)) {
            return Some(NotApplied::TotalLimit);
        }
        self.budget_money.filter(|budget| usage.money > budget.get()).map(|_| NotApplied::Budget)
    }

    pub(super) fn check(&self, at: &str, found: &mut Problems) {
        found.refuse(self.total == Some(0), &format!("{at}/total"), "too_small", "must be at least 1");
        let nothing = self.budget_money.is_some_and(|budget| !budget.is_positive());
        found.refuse(nothing, &format!("{at}/budget_money"), "too_small", "must be at least 1");
    }
}

impl CouponUsage {
    /// With one more use that takes off so many minor units.
    #[must_use]
    pub fn with(self, amount: Minor) -> Self {
        Self { uses: self.uses.saturating_add(1), money: self.money.saturating_add(amount.get()) }
    }

    /// With one use fewer, which took off so many minor units.
    #[must_use]
    pub fn without(self, amount: Minor) -> Self {
        Self { uses: self.uses.saturating_sub(1), money: self.money.saturating_sub(amount.get()) }
    }
}

impl Circumstances<'_> {
    /// What was used of a type before.
    pub(crate) fn usage(&self, of: &CouponType) -> CouponUsage {
        self.used.get(&of.code).copied().unwrap_or_default()
    }
}

/// The first of coupons that count, in their order, that its type's limits leave no room for beside those before, and
/// why.
pub(crate) fn past_limits(circumstances: &Circumstances<'_>, applied: &[Applied]) -> Option<(String, NotApplied)> {
    let mut usages = CouponsUsed::new();
    applied.iter().find_map(|one| {
        let of = circumstances.programme.coupon(&one.of).filter(|of| !of.limits.is_none())?;
        let usage = usages.entry(of.code.clone()).or_insert_with(|| circumstances.usage(of));
        *usage = usage.with(one.amount);
        Some((one.coupon.clone(), of.limits.passed(*usage)?))
    })
}
