//! Cashback: money that a promotion gives to the wallet for a purchase (PROGRAMME.md §8).
//!
//! It is a share of what counts of the lines the promotion is for, after excluded tenders and without excluded
//! articles: the same basis that earns points. It is rounded down once, then cut to the cap for a purchase, to
//! what is left of the member's local month, and to what is left of the promotion's budget for all members.

use serde::{Deserialize, Serialize};

use crate::amount::{Minor, Multiplier, OutOfRange};
use crate::combine::Offer;
use crate::programme::{Problems, Programme};
use crate::promotion::{Promotion, PromotionEffect};
use crate::wallet::percent_of;

/// Money that a promotion gives. Amounts are in minor units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CashbackExplained {
    /// Given.
    pub given: Minor,
    /// What it would have been without its caps and its budget, where one bit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Minor>,
    /// What was left of the member's month, where that is what was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Minor>,
    /// What was left of the promotion's budget, where that is what was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_of_budget: Option<Minor>,
}

/// What an offer gives for lines that count with these bases before the month's cap and the budget.
pub(crate) fn cashback_for(offer: &Offer<'_>, bases: &[i128]) -> Result<Minor, OutOfRange> {
    let &PromotionEffect::Cashback { percent, cap, .. } = offer.effect else { return Ok(Minor::ZERO) };
    let wanted = percent_of(offer.spend(bases), percent)?;
    Ok(cap.map_or(wanted, |cap| cap.min(wanted)))
}

/// What an offer gives to a member who was given so much in the month, with so much left of the budget; `None` where
/// it gives no money.
pub(crate) fn cashback(
    offer: &Offer<'_>,
    bases: &[i128],
    given_before: Option<Minor>,
    of_budget: Option<Minor>,
) -> Result<Option<CashbackExplained>, OutOfRange> {
    let &PromotionEffect::Cashback { percent, cap_per_month, .. } = offer.effect else { return Ok(None) };
    let wanted = percent_of(offer.spend(bases), percent)?;
    let capped = cashback_for(offer, bases)?;
    let before = given_before.unwrap_or(Minor::ZERO).max(Minor::ZERO);
    let left = cap_per_month.map(|cap| cap.minus(before)).transpose()?.map(|left| left.max(Minor::ZERO));
    let left = left.filter(|&left| left < capped);
    let of_month = left.unwrap_or(capped);
    let left_of_budget = of_budget.filter(|&left| left < of_month);
    let given = left_of_budget.unwrap_or(of_month);
    Ok(Some(CashbackExplained {
        given,
        wanted: (given != wanted).then_some(wanted),
        left: left.filter(|_| left_of_budget.is_none()),
        left_of_budget,
    }))
}

impl Promotion {
    /// Notes what is wrong with a promotion that gives money, and with a budget in money of one that gives none.
    pub(crate) fn check_cashback(&self, programme: &Programme, at: &str, found: &mut Problems) {
        let PromotionEffect::Cashback { percent, cap, cap_per_month } = self.effect else {
            let pointer = format!("{at}/limits/budget_money");
            found.refuse(self.limits.budget_money.is_some(), &pointer, "gives_no_money", "it gives no money");
            return;
        };
        let whole = 1..=100 * Multiplier::UNIT;
        let detail = "must be above 0 and at most 100";
        found.refuse(!whole.contains(&percent.units()), &format!("{at}/effect/percent"), "out_of_range", detail);
        for (field, cap) in [("cap", cap), ("cap_per_month", cap_per_month)] {
            let nothing = cap.is_some_and(|cap| !cap.is_positive());
            found.refuse(nothing, &format!("{at}/effect/{field}"), "too_small", "must be at least 1");
        }
        let detail = "the programme has no wallet: add [wallet]";
        found.refuse(programme.wallet.is_none(), &format!("{at}/effect"), "wallet_missing", detail);
        let in_points = [
            ("cap_per_purchase", self.cap_per_purchase.is_some()),
            ("limits/budget_points", self.limits.budget_points.is_some()),
        ];
        for (field, set) in in_points {
            found.refuse(set, &format!("{at}/{field}"), "gives_no_points", "it gives money and no points");
        }
    }
}
