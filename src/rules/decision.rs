//! Decisions: what a command does to the books, or why it is refused.

mod outcome;

use uuid::Uuid;

use crate::amount::{Minor, OutOfRange, Points};
use crate::entitlement::EntitlementUse;
use crate::event::EventRecord;
use crate::fulfilment::FulfilmentStep;
use crate::gift::{Issued, Message};
use crate::id::{MemberId, PurchaseId, QuoteId, ReRatingId, RedemptionId, ReturnId, StoreId, TransferId};
use crate::ledger::Entry;
use crate::limit::PromotionUse;
use crate::link::{Link, Sent};
use crate::lot::{Lapse, Lot, LotMovement};
use crate::member::{DayTotals, Standing};
use crate::notice::Notice;
use crate::perk::PerkGrant;
use crate::re_rating::Rated;
use crate::redemption::Redemption;
use crate::returns::LineReturned;
use crate::tag::TagChange;
use crate::ticket::TicketChange;
use crate::tier::{Placement, TierChange};
use crate::time::{Day, Instant};
use crate::wallet::purse::WalletStep;

pub use outcome::{
    Balance, EntitlementOutcome, LinkOutcome, MoveOutcome, Outcome, PurchaseOutcome, ReRatingOutcome,
    RedemptionOutcome, ReturnOutcome, TransferOutcome,
};

/// Everything one command changes, in order, and what its caller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What changes for the member of the command; `State::apply` and the store both follow it.
    pub effects: Vec<Effect>,
    /// What changes for others after that: who keeps the member's points, or whom the command names.
    pub beside: Vec<Beside>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What a command changes for another than its own member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// For whom.
    pub member: MemberId,
    /// In order.
    pub effects: Vec<Effect>,
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
    /// Pending points became spendable.
    Activate {
        /// The entry that moved them.
        entry: i64,
        /// The lot, which is pending no more.
        lot: i64,
    },
    /// A qualifying day grows, or shrinks by a return.
    Day {
        /// The programme's local day.
        day: Day,
        /// By how much.
        totals: DayTotals,
    },
    /// The tier changes.
    Tier(TierChange),
    /// An open lot takes the expiry rule of another tier.
    RedateLot {
        /// The lot.
        lot: i64,
        /// When it lapses now.
        expires_at: Option<Instant>,
        /// By what.
        lapse: Lapse,
    },
    /// A perk is granted.
    Grant(PerkGrant),
    /// An entitlement is used.
    UseEntitlement(EntitlementUse),
    /// A tag is put on the member or taken off.
    Tag(TagChange),
    /// The member is warned.
    Notice(Notice),
    /// One more of a reward is handed out.
    UseReward {
        /// The reward's code.
        code: String,
        /// For which redemption.
        redemption: RedemptionId,
        /// The partner's code that goes with it.
        voucher: Option<String>,
    },
    /// One of a reward is not handed out after all.
    PutBackReward {
        /// The reward's code.
        code: String,
        /// Of which redemption.
        redemption: RedemptionId,
        /// The partner's code that is free again.
        voucher: Option<String>,
    },
    /// Tickets for a draw are given, or void.
    Tickets(TicketChange),
    /// Goods that were redeemed go a step on their way.
    Fulfil(FulfilmentStep),
    /// More or less of a limited promotion is used.
    UsePromotion(PromotionUse),
    /// A coupon is used in a purchase.
    UseCoupon(CouponUse),
    /// A use of a coupon is given back.
    GiveBackCoupon(CouponUse),
    /// A coupon is issued.
    IssueCoupon(Issued),
    /// Coupons that were given with a purchase or a redemption are taken back, unless they were used.
    RevokeCoupons {
        /// The purchase or the redemption.
        document: Uuid,
        /// Who gave them ([`Given::by`]).
        by: String,
    },
    /// The member is to be told something.
    Message(Message),
    /// An event is on record.
    Event(EventRecord),
    /// The member's own referral is completed.
    CompleteReferral {
        /// The purchase that completed it.
        purchase: PurchaseId,
        /// When that happened.
        at: Instant,
    },
    /// The member was thanked for a referral that is completed.
    RewardReferral {
        /// Who was referred.
        member: MemberId,
        /// 1, 2, 3 … for each referrer.
        number: i64,
    },
    /// A purchase is made of a kept quote.
    UseQuote {
        /// The quote.
        quote: QuoteId,
        /// The purchase.
        purchase: PurchaseId,
    },
    /// Money moves in the wallet.
    Wallet(Box<WalletStep>),
    /// A purchase is on record.
    Purchase(PurchaseRecord),
    /// A redemption is on record, or stands otherwise than before: the row of that id is written
    /// anew.
    Redemption(RedemptionRecord),
    /// A return is on record.
    Return(ReturnRecord),
    /// A transfer is on record.
    Transfer(TransferRecord),
    /// A purchase stands otherwise from now on.
    Rate(Box<Rated>),
    /// The member's part of a re-rating is booked.
    ReRated(ReRated),
    /// Fields of the standing that no other effect carries.
    Standing(StandingPatch),
}

/// What a re-rating, or taking one back, came to for a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReRated {
    /// Which.
    pub re_rating: ReRatingId,
    /// Points given, or below 0 taken; what became debt is among them.
    pub points: Points,
    /// Points that should have been taken and were forgiven.
    pub forgiven: Points,
    /// Whether it is taken back.
    pub undone: bool,
}

/// One use of a coupon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CouponUse {
    /// The coupon's code.
    pub code: String,
    /// Code of its type.
    pub of: String,
    /// The purchase.
    pub purchase: PurchaseId,
    /// What it took off, in minor units.
    pub amount: Minor,
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
    /// When one happened.
    pub purchased_at: Option<Instant>,
    /// The carry in micropoints.
    pub carry: Option<i64>,
    /// From when inactivity counts, and when the first points lapse by it.
    pub idle: Option<IdlePatch>,
    /// The end of the own tier's validity (outer `None`: unchanged).
    pub tier_until: Option<Option<Instant>>,
    /// The placement by staff (outer `None`: unchanged).
    pub placement: Option<Option<Placement>>,
    /// The next midnight at which the tier may fall (outer `None`: unchanged).
    pub tier_due_at: Option<Option<Instant>>,
    /// The end of a granted multiplier.
    pub boost_until: Option<Instant>,
    /// A step of the rotating code that was used.
    pub otp_step: Option<i64>,
    /// With whom the points are kept (outer `None`: unchanged).
    pub link: Option<Option<Link>>,
    /// By how many the household grows whose points are kept here.
    pub household: i32,
    /// What was passed on on the day.
    pub sent: Option<Sent>,
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

/// Inactivity: from when it counts and what it is about to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdlePatch {
    /// From when inactivity is counted.
    pub active_at: Instant,
    /// When the first points lapse by it.
    pub due_at: Option<Instant>,
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
        standing.purchased_at = standing.purchased_at.max(self.purchased_at);
        if let Some(carry) = self.carry {
            standing.carry = carry;
        }
        if let Some(idle) = self.idle {
            standing.active_at = idle.active_at;
            standing.idle_due_at = idle.due_at;
        }
        if let Some(until) = self.tier_until {
            standing.tier_until = until;
        }
        if let Some(placement) = &self.placement {
            standing.placement.clone_from(placement);
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
        if let Some(link) = self.link {
            standing.link = link;
        }
        standing.household += self.household;
        if self.sent.is_some() {
            standing.sent = self.sent;
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
    /// The redemption that paid for a part of it.
    pub redemption: Option<RedemptionId>,
}

/// A redemption as its row records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedemptionRecord {
    /// The document's id.
    pub id: RedemptionId,
    /// How it stands now.
    pub redemption: Redemption,
}

/// A return as its row records it. What was returned of a purchase so far is the sum of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnRecord {
    /// The document's id.
    pub id: ReturnId,
    /// The purchase whose goods came back.
    pub purchase: PurchaseId,
    /// Who numbers the returns.
    pub source: String,
    /// The number, unique within the source for ever.
    pub external_id: String,
    /// What makes two returns the same.
    pub content: [u8; 32],
    /// Machine-readable reason.
    pub reason: String,
    /// What came back.
    pub lines: Vec<LineReturned>,
    /// Its value in minor units, as sold.
    pub amount: Minor,
    /// Points taken back: out of lots, as debt or forgiven.
    pub clawed: Points,
    /// Of these, points the member now owes.
    pub owed: Points,
    /// Of these, points forgiven.
    pub forgiven: Points,
    /// Micropoints taken out of the carry, before points were clawed to fill it again.
    pub micropoints: i64,
    /// Points given back that had paid for the goods.
    pub given_back: Points,
}

/// A transfer as its row records it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransferRecord {
    /// The document's id.
    pub id: TransferId,
    /// From whom.
    pub from: MemberId,
    /// To whom.
    pub to: MemberId,
    /// How many.
    pub points: Points,
}
