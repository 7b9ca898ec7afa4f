//! Refusals: why a rule says no.

use crate::amount::{Currency, Minor, OutOfRange, Points};
use crate::command::Promised;
use crate::coupon::NotApplied;
use crate::event::AttributeType;
use crate::fulfilment::FulfilmentStatus;
use crate::id::PurchaseId;
use crate::redemption::RedemptionStatus;

/// Why the rules refuse a command, in order of precedence: of several reasons the first counts.
/// Every refusal has one line in the table of `api/error.rs`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such member.
    #[error("there is no such member")]
    MemberUnknown,
    /// The member is the same person as another, who is the member now.
    #[error("the member was merged into another")]
    MemberMerged,
    /// The member is frozen.
    #[error("the member is frozen")]
    MemberFrozen,
    /// The member that should be given points is frozen.
    #[error("the receiving member is frozen")]
    ReceiverFrozen,
    /// A second member was named who is the first.
    #[error("both members are the same")]
    SameMember,
    /// The programme has no transfers.
    #[error("points cannot be given to other members")]
    TransfersNotOffered,
    /// The programme has no household pools.
    #[error("there are no household pools")]
    PoolsNotOffered,
    /// The member is in a pool, or is the head of one.
    #[error("the member is in a household pool")]
    InPool,
    /// The member is in no pool.
    #[error("the member is in no household pool")]
    NotInPool,
    /// The member named as head is in another's pool, or was merged.
    #[error("that member cannot be the head of a pool")]
    NotAHead,
    /// A household has as many members as it may.
    #[error("a pool has at most {0} members")]
    PoolFull(u32),
    /// The member may earn into the pool and not spend from it.
    #[error("the member may not spend from the pool")]
    MayNotSpend,
    /// More points than a member may pass on in a day.
    #[error("at most {0} points a day")]
    DailyLimit(Points),
    /// The member was not merged into another.
    #[error("the member was not merged")]
    NotMerged,
    /// Members keep each other's points in a circle; the books are broken.
    #[error("members keep each other's points in a circle")]
    LinkCircle,
    /// A purchase is moved within 24 hours of its record.
    #[error("a purchase can be moved for 24 hours")]
    MovedTooLate,
    /// Points of the wrong member paid for a part of the purchase.
    #[error("points paid for a part of the purchase: return its goods instead")]
    PaidWithPoints,
    /// Goods of the purchase came back, or it was moved.
    #[error("the purchase was returned or moved before")]
    ReturnedBefore,
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
    /// The programme has no such kind of event.
    #[error("there is no event {0}")]
    EventUnknown(String),
    /// An event says something of itself that its kind does not declare, or declares otherwise.
    #[error("the attribute {name} is not as it is declared")]
    EventAttribute {
        /// The attribute.
        name: String,
        /// Its type; absent: there is no such attribute.
        wanted: Option<AttributeType>,
    },
    /// A line is for other members first.
    #[error("line {line} is for other members first")]
    Withheld {
        /// Position, from 1.
        line: u32,
        /// Code of the lowest tier that may buy it now; absent: a tier does not help.
        minimum_tier: Option<String>,
    },
    /// A coupon that was named takes nothing off.
    #[error("the coupon {} does not apply", .0.code)]
    CouponNotApplicable(Box<CouponRefused>),
    /// The quote no longer binds.
    #[error("the quote has lapsed")]
    QuoteLapsed,
    /// Another purchase was made of the quote.
    #[error("another purchase was made of the quote")]
    QuoteUsed,
    /// The purchase would not come out as it was quoted.
    #[error("the purchase would not come out as it was quoted")]
    QuoteChanged(Box<Changed>),
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
    /// The member has as many of the reward as he may.
    #[error("a member may have {0} of the reward")]
    MemberLimit(u32),
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
    /// Points may not pay that large a share of the basket.
    #[error("points may pay at most {0} minor units of this purchase")]
    ShareTooLarge(Minor),
    /// No such redemption of this member.
    #[error("there is no such redemption")]
    RedemptionUnknown,
    /// Only what is held can be captured.
    #[error("the redemption is {}, not held", .0.as_str())]
    NotHeld(RedemptionStatus),
    /// A voided redemption stays voided.
    #[error("the redemption was voided before")]
    VoidedBefore,
    /// The goods of the redemption do not stand where this step begins; or it has none.
    #[error("the goods are {}", .0.map_or("none", FulfilmentStatus::as_str))]
    FulfilmentState(Option<FulfilmentStatus>),
    /// The member has the goods: a manager takes them back.
    #[error("the goods were handed over: a manager takes them back")]
    HandedOver,
    /// The member has seen the code: an admin takes it back.
    #[error("the code was shown: an admin takes it back")]
    VoucherShown,
    /// The last day for tickets is over: an admin takes one back.
    #[error("the draw is closed: an admin takes tickets back")]
    DrawClosed,
    /// Points that paid for a purchase come back by a return of its goods.
    #[error("the points paid for a purchase: return its goods instead")]
    PaidForPurchase(PurchaseId),
    /// A capture takes 1 to all of the held points.
    #[error("1 to {0} points can be captured")]
    CaptureOutOfRange(Points),
    /// A reward is captured whole.
    #[error("a reward cannot be captured in part")]
    RewardIsWhole,
    /// No such purchase of this member.
    #[error("there is no such purchase")]
    PurchaseUnknown,
    /// Another store sold the goods, and the programme has them come back there.
    #[error("the goods were sold at another store")]
    SoldElsewhere,
    /// The purchase has no such line.
    #[error("the purchase has no line {0}")]
    LineUnknown(u32),
    /// A quantity or amount to return is not above nothing, or has not the sign of the line's.
    #[error("what is to be returned of line {0} is not a part of it")]
    NotAPart(u32),
    /// More of a line than is left of it.
    #[error("less than that is left of line {0}")]
    MoreThanLeft(u32),
    /// Nothing is left to return.
    #[error("nothing is left to return")]
    NothingToReturn,
    /// No tier has this code.
    #[error("there is no tier {0}")]
    TierUnknown(String),
    /// A placement must end in the future.
    #[error("the placement would be over already")]
    PlacementOver,
    /// The member's tier has no such entitlement.
    #[error("the member's tier has no such entitlement")]
    EntitlementUnknown,
    /// The day chosen is missing, past, too far ahead or taken; or the entitlement is not for a day.
    #[error("the day cannot be chosen")]
    EntitlementDay,
    /// The year's uses are used up.
    #[error("the entitlement is used up for the year")]
    EntitlementUsedUp,
    /// The time of a tag must end in the future.
    #[error("the tag would be over already")]
    TagOver,
    /// A member has as many tags as he may.
    #[error("a member has at most {} tags", crate::tag::TAGS_MAX)]
    TooManyTags,
    /// The programme has no such reason for an adjustment.
    #[error("there is no reason {0} for an adjustment")]
    ReasonUnknown(String),
    /// An adjustment of no points.
    #[error("an adjustment gives or takes at least one point")]
    NothingToAdjust,
    /// The programme has no wallet.
    #[error("there is no wallet")]
    WalletNotOffered,
    /// Less is paid in than the minimum.
    #[error("at least {0} minor units must be paid in")]
    TopUpTooSmall(Minor),
    /// The wallet would hold more than it may.
    #[error("a wallet holds at most {0} minor units")]
    WalletFull(Minor),
    /// More money than stands in the wallet.
    #[error("{available} minor units are available, {required} are needed")]
    InsufficientMoney {
        /// There now.
        available: Minor,
        /// Asked for.
        required: Minor,
    },
    /// The wallet shall pay more than is left to pay.
    #[error("the wallet can pay at most {0} minor units of this purchase")]
    WalletPaysTooMuch(Minor),
    /// Nothing that was paid in is left, or its bonus is spent.
    #[error("nothing can be paid out")]
    NothingToRefund,
    /// Money of the wrong member's wallet paid for a part of the purchase.
    #[error("the wallet paid for a part of the purchase: return its goods instead")]
    PaidFromWallet,
    /// A purchase does not stand as it did when its re-rating was planned.
    #[error("the purchase {0} was returned, moved or rated anew since")]
    PurchaseChanged(PurchaseId),
    /// A sum left ±(2^53 − 1).
    #[error("an amount is out of range")]
    AmountOutOfRange,
}

/// A coupon that was named and does not apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CouponRefused {
    /// Position among those that were named, from 0.
    pub position: usize,
    /// Its code.
    pub code: String,
    /// Why.
    pub reason: NotApplied,
}

/// How a purchase differs from what was promised of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// What was promised.
    pub promised: Promised,
    /// What it would come to.
    pub now: Promised,
    /// Coupons that no longer apply.
    pub coupons: Vec<CouponRefused>,
}

impl From<OutOfRange> for Refusal {
    fn from(_: OutOfRange) -> Self {
        Self::AmountOutOfRange
    }
}
