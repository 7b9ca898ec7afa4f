//! What a caller is told came of his command.

use serde::Serialize;

use super::{ReturnRecord, TransferRecord};
use crate::amount::{Currency, Minor, Points};
use crate::command::Tender;
use crate::event::EventOutcome;
use crate::explain::Explanation;
use crate::fulfilment::FulfilmentStatus;
use crate::gift::Given;
use crate::id::{MemberId, PurchaseId, QuoteId, RedemptionId};
use crate::link::Link;
use crate::lot::Lot;
use crate::member::Standing;
use crate::notice::Notice;
use crate::redemption::RedemptionStatus;
use crate::tag::HeldTag;
use crate::ticket::Tickets;
use crate::tier::Progress;
use crate::time::{Day, Instant};
use crate::wallet::{WalletInPurchase, WalletInReturn, WalletOutcome};

/// Points per account, as people read them. Of a member whose points are kept with another: what
/// stands there, and the debt that is his own.
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
    /// Points were spent or set aside, or a redemption was captured or voided.
    Redemption(RedemptionOutcome),
    /// Goods came back.
    Return(Box<ReturnOutcome>),
    /// Points were put right.
    Adjustment(Balance),
    /// Purchases were rated anew.
    ReRating(ReRatingOutcome),
    /// Perks were granted, or what promotions give for occasions: who gives ([`Given::by`]).
    Perks(Vec<String>),
    /// Staff placed the member in a tier: where he stands now.
    Tier(Progress),
    /// An entitlement was used.
    Entitlement(EntitlementOutcome),
    /// A tag was put on or taken off: those the member has now.
    Tags(Vec<HeldTag>),
    /// Points were given to another member.
    Transfer(TransferOutcome),
    /// The member's points are kept with another from now on, or no longer.
    Link(LinkOutcome),
    /// Something happened, and promotions may have given something for it.
    Event(Box<EventOutcome>),
    /// A purchase was moved to another member.
    Move(Box<MoveOutcome>),
    /// Something was done to the wallet.
    Wallet(Box<WalletOutcome>),
    /// The member was warned of these.
    Notices(Vec<Notice>),
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
    /// Of these, points that cannot be spent yet.
    pub pending: Points,
    /// Points that paid for a part of it, and what they were worth.
    pub redeemed: Option<(Points, Minor)>,
    /// What it did to the wallet; absent for nothing.
    pub wallet: Option<WalletInPurchase>,
    /// The kept quote it was made of.
    pub quote: Option<QuoteId>,
    /// How it came about, where that was said.
    pub channel: Option<String>,
    /// How it was paid, beside points, where that was said.
    pub tenders: Vec<Tender>,
    /// What lines at list prices came to, in minor units; absent where they were what was paid.
    pub total: Option<Minor>,
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
    /// Codes of the perks that were granted for the tier reached.
    pub perks: Vec<String>,
    /// What promotions gave beside points: with the purchase, and for the tier reached.
    pub gifts: Vec<Given>,
    /// The referrer, where the purchase has completed the member's referral.
    pub referrer: Option<MemberId>,
    /// Why.
    pub explanation: Explanation,
}

/// What a return takes and gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnOutcome {
    /// The return as recorded.
    pub record: ReturnRecord,
    /// When.
    pub recorded_at: Instant,
    /// What the points given back were worth as money off, in minor units: the part of
    /// `record.amount` that is not paid out in money.
    pub worth: Minor,
    /// What it did to the wallet; absent for nothing.
    pub wallet: Option<WalletInReturn>,
    /// Balances afterwards.
    pub balance: Balance,
    /// Where the member stands now; the tier falls at the next midnight at the earliest.
    pub progress: Progress,
}

/// What points were spent on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedemptionOutcome {
    /// The document's id.
    pub id: RedemptionId,
    /// Held, captured or voided.
    pub status: RedemptionStatus,
    /// When a hold ends by itself.
    pub held_until: Option<Instant>,
    /// Points set aside or spent; of a voided redemption, what they had been.
    pub points: Points,
    /// The reward's code, unless money off.
    pub reward: Option<String>,
    /// Code of the perk that gave it for nothing.
    pub perk: Option<String>,
    /// The partner's code that it gives, once it is captured.
    pub voucher: Option<String>,
    /// The tickets that it gives, once it is captured.
    pub tickets: Option<Tickets>,
    /// Where its goods stand.
    pub fulfilment: Option<FulfilmentStatus>,
    /// What they were worth as money off.
    pub worth: Option<Minor>,
    /// Currency of that worth.
    pub currency: Currency,
    /// When.
    pub recorded_at: Instant,
    /// Balances afterwards.
    pub balance: Balance,
}

/// What a re-rating came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReRatingOutcome {
    /// Points given, or below 0 taken.
    pub points: Points,
    /// Points forgiven.
    pub forgiven: Points,
    /// Balances afterwards.
    pub balance: Balance,
}

/// What a transfer leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferOutcome {
    /// The transfer as recorded.
    pub record: TransferRecord,
    /// When.
    pub recorded_at: Instant,
    /// The giver's balances afterwards.
    pub balance: Balance,
}

/// With whom a member's points are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkOutcome {
    /// From now on; absent: with himself.
    pub link: Option<Link>,
    /// Points that went there, or came back: pending and available.
    pub points: Points,
    /// When.
    pub recorded_at: Instant,
    /// Balances afterwards.
    pub balance: Balance,
}

/// A purchase that was moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveOutcome {
    /// What it took from the member it was entered for.
    pub returned: ReturnOutcome,
    /// The member it went to.
    pub to: MemberId,
    /// What it gave to that member.
    pub purchase: PurchaseOutcome,
}

impl From<PurchaseOutcome> for Outcome {
    fn from(outcome: PurchaseOutcome) -> Self {
        Self::Purchase(Box::new(outcome))
    }
}

impl Outcome {
    /// Whom a referral that was completed has to thank.
    pub fn referrer(&self) -> Option<MemberId> {
        match self {
            Self::Purchase(purchase) => purchase.referrer,
            Self::Move(moved) => moved.purchase.referrer,
            _ => None,
        }
    }

    /// The member's balances, where the outcome tells them.
    pub(crate) fn balance_mut(&mut self) -> Option<&mut Balance> {
        match self {
            Self::Purchase(outcome) => Some(&mut outcome.balance),
            Self::Redemption(outcome) => Some(&mut outcome.balance),
            Self::Return(outcome) => Some(&mut outcome.balance),
            Self::Adjustment(balance) => Some(balance),
            Self::ReRating(outcome) => Some(&mut outcome.balance),
            Self::Transfer(outcome) => Some(&mut outcome.balance),
            Self::Link(outcome) => Some(&mut outcome.balance),
            Self::Move(outcome) => Some(&mut outcome.returned.balance),
            Self::Event(outcome) => Some(&mut outcome.balance),
            Self::Perks(_)
            | Self::Tier(_)
            | Self::Entitlement(_)
            | Self::Tags(_)
            | Self::Wallet(_)
            | Self::Notices(_)
            | Self::Settled => None,
        }
    }
}

/// What the use of an entitlement leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntitlementOutcome {
    /// Its code.
    pub code: String,
    /// The calendar year it counts in.
    pub year: i32,
    /// Uses in that year, this one included.
    pub used: u32,
    /// Uses left in it.
    pub left: u32,
    /// The day chosen, where the entitlement is for a day.
    pub day: Option<Day>,
}
