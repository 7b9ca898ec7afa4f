//! The wallet: money of a member, in minor units of the programme's currency, kept by the rules of the points'
//! ledger in books of its own (PROGRAMME.md §1, §2 and §8).
//!
//! A member's money stands in three accounts: what was **paid** in, which never lapses and may be paid out
//! again; the **bonus** of a top-up; and **cashback**. It is spent in this order, and within an account
//! soonest-lapsing first. The books are [`ledger`], what a wallet holds is [`purse`], and what is done at a desk
//! is in [`desk`], what follows from returns and merging in [`back`].

mod back;
mod desk;
pub mod ledger;
pub mod purse;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::amount::{Currency, Minor, Multiplier, OutOfRange};
use crate::expiry::Expiry;
use crate::id::{AdjustmentId, RefundId, StoreId, TopUpId};
use crate::programme::Problems;
use crate::time::Instant;
use ledger::WalletAccount;

/// The terms of the wallet; a programme without them offers none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WalletTerms {
    /// The least that is paid in at once, in minor units; at least 1.
    #[serde(default = "one")]
    pub minimum_top_up: Minor,
    /// The most that a top-up may fill a wallet to, in minor units; absent: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_balance: Option<Minor>,
    /// What comes on top of money paid in: the highest step that is reached. Ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub top_up: Vec<TopUpStep>,
    /// When a bonus lapses; not by inactivity.
    #[serde(default)]
    pub bonus_expiry: Expiry,
    /// When cashback lapses; not by inactivity.
    #[serde(default)]
    pub cashback_expiry: Expiry,
}

/// What comes on top of money paid in (充 100 送 100).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopUpStep {
    /// From so much paid in at once, in minor units.
    pub from: Minor,
    /// This much, in minor units …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bonus: Option<Minor>,
    /// … or so many percent of what is paid in, rounded down. Exactly one of the two is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<Multiplier>,
}

fn one() -> Minor {
    Minor::new(1).unwrap_or(Minor::ZERO)
}

/// The largest percentage a bonus may be: 1,000.
const PERCENT_MAX: i64 = 1_000 * Multiplier::UNIT;

impl WalletTerms {
    /// What comes on top of so much paid in.
    ///
    /// # Errors
    /// The bonus leaves its range.
    pub fn bonus(&self, paid: Minor) -> Result<Minor, OutOfRange> {
        let Some(step) = self.top_up.iter().rfind(|step| step.from <= paid) else { return Ok(Minor::ZERO) };
        match (step.bonus, step.percent) {
            (Some(bonus), _) => Ok(bonus),
            (None, Some(percent)) => percent_of(i128::from(paid.get()), percent),
            (None, None) => Ok(Minor::ZERO),
        }
    }

    /// When money that comes into an account now lapses.
    pub(crate) fn expiry(&self, account: WalletAccount) -> &Expiry {
        match account {
            WalletAccount::Bonus => &self.bonus_expiry,
            WalletAccount::Cashback => &self.cashback_expiry,
            _ => &Expiry::Never,
        }
    }

    pub(crate) fn check(&self, found: &mut Problems) {
        let least = "must be at least 1";
        found.refuse(!self.minimum_top_up.is_positive(), "/wallet/minimum_top_up", "too_small", least);
        let nothing = self.largest_balance.is_some_and(|largest| !largest.is_positive());
        found.refuse(nothing, "/wallet/largest_balance", "too_small", least);
        for (i, step) in self.top_up.iter().enumerate() {
            let at = |field: &str| format!("/wallet/top_up/{i}/{field}");
            found.refuse(!step.from.is_positive(), &at("from"), "too_small", least);
            let descends = i > 0 && self.top_up[i - 1].from >= step.from;
            found.refuse(descends, &at("from"), "not_ascending", "must be more than that of the step before");
            let one = step.bonus.is_some() != step.percent.is_some();
            let detail = "give a bonus or a percent, not both and not neither";
            found.refuse(!one, &format!("/wallet/top_up/{i}"), "one_of_bonus_or_percent", detail);
            found.refuse(step.bonus.is_some_and(|bonus| !bonus.is_positive()), &at("bonus"), "too_small", least);
            let wrong = step.percent.is_some_and(|percent| !(1..=PERCENT_MAX).contains(&percent.units()));
            found.refuse(wrong, &at("percent"), "out_of_range", "must be above 0 and at most 1000");
        }
        for (field, expiry) in [("bonus_expiry", &self.bonus_expiry), ("cashback_expiry", &self.cashback_expiry)] {
            let at = format!("/wallet/{field}");
            expiry.check(&at, found);
            let idle = matches!(expiry, Expiry::Inactivity { .. });
            found.refuse(idle, &at, "not_by_inactivity", "money lapses by a date or not at all");
        }
    }
}

/// So many percent of minor units, rounded down.
pub(crate) fn percent_of(amount: i128, percent: Multiplier) -> Result<Minor, OutOfRange> {
    let wide = amount.checked_mul(i128::from(percent.units())).ok_or(OutOfRange)?;
    Minor::from_wide(wide.div_euclid(i128::from(100 * Multiplier::UNIT)))
}

/// The part of an amount that corresponds to a part of a whole, rounded down.
pub(crate) fn in_proportion(amount: Minor, part: i128, whole: i128) -> Result<Minor, OutOfRange> {
    let wide = i128::from(amount.get()).checked_mul(part).ok_or(OutOfRange)?;
    Minor::from_wide(wide.checked_div_euclid(whole).unwrap_or(0))
}

/// What may be asked of a wallet beside paying for a purchase.
#[derive(Debug, Clone)]
pub enum WalletCommand {
    /// Money is paid in.
    TopUp(TopUp),
    /// Money that was paid in is paid out again.
    Refund(Refund),
    /// Money is put right by hand.
    Adjust(AdjustWallet),
    /// Only what lapsed by now is applied.
    Settle,
}

impl WalletCommand {
    /// The document it makes.
    pub(crate) fn document(&self) -> Option<Uuid> {
        match self {
            Self::TopUp(top_up) => Some(top_up.id.uuid()),
            Self::Refund(refund) => Some(refund.id.uuid()),
            Self::Adjust(adjust) => Some(adjust.id.uuid()),
            Self::Settle => None,
        }
    }
}

/// Money paid in at a till.
#[derive(Debug, Clone, Copy)]
pub struct TopUp {
    /// The document's id.
    pub id: TopUpId,
    /// Which store has the money.
    pub store: StoreId,
    /// Must be the programme's.
    pub currency: Currency,
    /// How much, in minor units.
    pub amount: Minor,
}

/// Money that was paid in and is paid out again.
#[derive(Debug, Clone, Copy)]
pub struct Refund {
    /// The document's id.
    pub id: RefundId,
    /// Which store pays it out.
    pub store: StoreId,
    /// How much of the paid part is taken, in minor units; absent: all of it.
    pub amount: Option<Minor>,
}

/// Money given or taken by hand.
#[derive(Debug, Clone)]
pub struct AdjustWallet {
    /// The document's id.
    pub id: AdjustmentId,
    /// In which of the member's accounts.
    pub account: WalletAccount,
    /// To give (above 0) or to take (below 0), in minor units.
    pub amount: Minor,
    /// Machine-readable reason.
    pub reason: String,
}

/// Money of the wallet that pays for a part of a purchase, in the same decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayWithWallet {
    /// How much, in minor units.
    pub amount: Minor,
    /// The step of the rotating code the member showed; where points pay too, theirs is his say-so for both.
    pub otp_step: Option<i64>,
}

/// The tender that the wallet makes of a purchase; a programme may exclude it from earning like any other.
pub const WALLET_TENDER: &str = "wallet";

/// A member's money by account, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct WalletBalance {
    /// Paid in.
    pub paid: Minor,
    /// Bonus of top-ups.
    pub bonus: Minor,
    /// Cashback.
    pub cashback: Minor,
}

impl WalletBalance {
    /// All of it.
    ///
    /// # Errors
    /// The sum leaves its range.
    pub fn total(self) -> Result<Minor, OutOfRange> {
        self.paid.plus(self.bonus)?.plus(self.cashback)
    }
}

/// What came of a command for a wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletOutcome {
    /// What was done.
    pub done: WalletDone,
    /// The money afterwards.
    pub balance: WalletBalance,
    /// The programme's currency.
    pub currency: Currency,
    /// When.
    pub recorded_at: Instant,
}

/// What was done to a wallet. Amounts are in minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WalletDone {
    /// Money was paid in.
    TopUp {
        /// The document's id.
        id: TopUpId,
        /// How much.
        paid: Minor,
        /// What came on top.
        bonus: Minor,
        /// When that lapses.
        bonus_expires_at: Option<Instant>,
    },
    /// Money was paid out.
    Refund {
        /// The document's id.
        id: RefundId,
        /// What is paid out.
        refunded: Minor,
        /// The bonus that went with it.
        forfeited: Minor,
        /// What of the paid part was kept because its bonus is spent.
        kept_back: Minor,
    },
    /// Money was put right.
    Adjustment {
        /// The document's id.
        id: AdjustmentId,
        /// In which account.
        account: WalletAccount,
        /// By how much.
        amount: Minor,
    },
    /// What lapsed was applied.
    Settled,
}

/// What a purchase did to the wallet. Amounts are in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalletInPurchase {
    /// What the wallet paid of it.
    pub paid: Minor,
    /// Cashback given for it.
    pub cashback: Minor,
    /// The money afterwards.
    pub balance: WalletBalance,
}

/// What a return did to the wallet. Amounts are in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalletInReturn {
    /// What the wallet had paid of the goods and was given back.
    pub given_back: Minor,
    /// Cashback that was taken back.
    pub clawed: Minor,
    /// Cashback that should have been taken back and was not there.
    pub short: Minor,
    /// The money afterwards.
    pub balance: WalletBalance,
}
