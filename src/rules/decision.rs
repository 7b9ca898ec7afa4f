//! Decisions: what a command does to the books, or why it is refused.

use serde::Serialize;

use crate::amount::{Currency, Minor, OutOfRange, Points};
use crate::explain::Explanation;
use crate::id::{PurchaseId, RedemptionId, StoreId};
use crate::ledger::Entry;
use crate::lot::{Lot, LotMovement};
use crate::member::{DayTotals, Standing};
use crate::perk::PerkGrant;
use crate::tier::{Progress, TierChange};
use crate::time::{Day, Instant};

/// Everything one command changes, in order, and what its caller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The changes; `State::apply` and the store both follow them.
    pub effects: Vec<Effect>,
    /// What came of it.
    pub outcome: Outcome,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Points move.
    Entry(Entry),
    /// A lot opens.
    OpenLot(Lot),
    /// A lot loses or regains points.
    MoveLot(LotMovement),
    /// A qualifying day grows.
    Day {
        /// The programme's local day.
        day: Day,
        /// By how much.
        totals: DayTotals,
    },
    /// The tier changes.
    Tier(TierChange),
    /// A perk is granted.
    Grant(PerkGrant),
    /// One more of a reward is handed out.
    UseReward {
        /// The reward's code.
        code: String,
    },
    /// A purchase is on record.
    Purchase(PurchaseRecord),
    /// A redemption is on record.
    Redemption(RedemptionRecord),
    /// Fields of the standing that no other effect carries.
    Standing(StandingPatch),
}

/// New values for fields of the standing that follow from no other effect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StandingPatch {
    /// Time of the command.
    pub recorded_at: Option<Instant>,
    /// The window and its sums.
    pub window: Option<WindowPatch>,
    /// Points added to the lifetime sum.
    pub earned: Points,
    /// Purchases added.
    pub purchases: i64,
    /// The carry in micropoints.
    pub carry: Option<i64>,
    /// The next midnight at which the tier may fall (outer `None`: unchanged).
    pub tier_due_at: Option<Option<Instant>>,
    /// The end of a granted multiplier.
    pub boost_until: Option<Instant>,
    /// A step of the rotating code that was used.
    pub otp_step: Option<i64>,
}

/// The window of the measure, moved or grown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowPatch {
    /// First day.
    pub from: Day,
    /// Last day.
    pub to: Day,
    /// Sums.
    pub totals: DayTotals,
    /// Oldest qualifying day in it.
    pub oldest: Option<Day>,
}

impl StandingPatch {
    pub(crate) fn apply(&self, standing: &mut Standing) -> Result<(), OutOfRange> {
        if let Some(at) = self.recorded_at {
            standing.recorded_at = at;
        }
        if let Some(window) = self.window {
            standing.window_from = window.from;
            standing.window_to = window.to;
            standing.window = window.totals;
            standing.window_oldest = window.oldest;
        }
        standing.lifetime_earned = standing.lifetime_earned.plus(self.earned)?;
        standing.purchases += self.purchases;
        if let Some(carry) = self.carry {
            standing.carry = carry;
        }
        if let Some(due) = self.tier_due_at {
            standing.tier_due_at = due;
        }
        if let Some(until) = self.boost_until {
            standing.boost_until = standing.boost_until.max(Some(until));
        }
        if let Some(step) = self.otp_step {
            standing.otp_step = step;
        }
        Ok(())
    }
}

/// A purchase as its row records it, beside the answer the caller was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurchaseRecord {
    /// The document's id.
    pub id: PurchaseId,
    /// Where.
    pub store: StoreId,
    /// Who numbers the receipts.
    pub source: String,
    /// The receipt number.
    pub external_id: String,
    /// What makes two receipts the same.
    pub content: [u8; 32],
    /// When it happened.
    pub occurred_at: Instant,
    /// Whether the till named that instant.
    pub occurred_named: bool,
    /// Sum of the lines in minor units.
    pub amount: Minor,
    /// Points given.
    pub points: Points,
    /// Exact points earned cut to micropoints, where the programme carries remainders.
    pub micropoints: Option<i64>,
}

/// A redemption as its row records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedemptionRecord {
    /// The document's id.
    pub id: RedemptionId,
    /// Where, unless by the member alone.
    pub store: Option<StoreId>,
    /// The reward's code, unless money off.
    pub reward: Option<String>,
    /// Points spent.
    pub points: Points,
    /// What they were worth as money off, in minor units.
    pub worth: Option<Minor>,
}

/// Points per account, as people read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Balance {
    /// Spendable.
    pub available: Points,
    /// Earned, not yet spendable.
    pub pending: Points,
    /// Set aside.
    pub held: Points,
    /// Owed.
    pub debt: Points,
}

impl From<&Standing> for Balance {
    fn from(standing: &Standing) -> Self {
        Self { available: standing.available, pending: standing.pending, held: standing.held, debt: standing.debt }
    }
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A purchase earned.
    Purchase(Box<PurchaseOutcome>),
    /// Points were spent.
    Redemption(RedemptionOutcome),
    /// Points were put right.
    Adjustment(Balance),
    /// Perks were granted: their codes.
    Perks(Vec<String>),
    /// What fell due was applied.
    Settled,
}

/// What a purchase earned and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurchaseOutcome {
    /// The document's id.
    pub id: PurchaseId,
    /// When it happened.
    pub occurred_at: Instant,
    /// When it was decided.
    pub recorded_at: Instant,
    /// Points before caps.
    pub wanted: Points,
    /// Points given.
    pub given: Points,
    /// Lots opened.
    pub lots: Vec<Lot>,
    /// Balances afterwards.
    pub balance: Balance,
    /// Code of the tier before.
    pub tier_before: String,
    /// Code of the tier after.
    pub tier_after: String,
    /// Where the member stands now.
    pub progress: Progress,
    /// Why.
    pub explanation: Explanation,
}

/// What points were spent on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedemptionOutcome {
    /// The document's id.
    pub id: RedemptionId,
    /// Points spent.
    pub points: Points,
    /// The reward's code, unless money off.
    pub reward: Option<String>,
    /// What they were worth as money off.
    pub worth: Option<Minor>,
    /// Currency of that worth.
    pub currency: Currency,
    /// When.
    pub recorded_at: Instant,
    /// Balances afterwards.
    pub balance: Balance,
}

/// Why the rules refuse a command, in order of precedence: of several reasons the first counts.
/// Every refusal has one line in the table of `api/error.rs`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such member.
    #[error("there is no such member")]
    MemberUnknown,
    /// The member is frozen.
    #[error("the member is frozen")]
    MemberFrozen,
    /// A document in another currency.
    #[error("the currency is {given}, the programme's is {wanted}")]
    CurrencyMismatch {
        /// The programme's.
        wanted: Currency,
        /// The document's.
        given: Currency,
    },
    /// `occurred_at` lies more than 30 days back.
    #[error("the purchase is older than 30 days")]
    OccurredTooEarly,
    /// `occurred_at` lies more than 5 minutes ahead.
    #[error("the purchase lies in the future")]
    OccurredTooLate,
    /// An excluded tender pays more than the sale's total.
    #[error("the tenders exceed the total")]
    TendersExceedTotal,
    /// This step of the rotating code was used before.
    #[error("the code was used before")]
    CodeUsed,
    /// No such reward.
    #[error("there is no such reward")]
    RewardUnknown,
    /// The reward is not offered today.
    #[error("the reward is not offered today")]
    RewardNotOffered,
    /// The member's tier is below the reward's.
    #[error("the reward needs tier {0}")]
    TierTooLow(String),
    /// None of the reward is left.
    #[error("the reward is out of stock")]
    OutOfStock,
    /// The programme gives no money off for points.
    #[error("points cannot be redeemed for money off")]
    MoneyOffNotOffered,
    /// Fewer points than the minimum.
    #[error("at least {0} points must be redeemed")]
    BelowMinimum(Points),
    /// Not a multiple of the step.
    #[error("points are redeemed in steps of {0}")]
    NotAStep(Points),
    /// More points than are available.
    #[error("{available} points are available, {required} are needed")]
    InsufficientPoints {
        /// Spendable now.
        available: Points,
        /// Asked for.
        required: Points,
    },
    /// A sum left ±(2^53 − 1).
    #[error("an amount is out of range")]
    AmountOutOfRange,
}

impl From<OutOfRange> for Refusal {
    fn from(_: OutOfRange) -> Self {
        Self::AmountOutOfRange
    }
}
