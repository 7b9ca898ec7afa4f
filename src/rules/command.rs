//! Commands: what may be asked of the rulebook, by whom and when.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::amount::{Currency, Minor, Points, Quantity};
use crate::event::Happened;
use crate::fulfilment::FulfilmentStatus;
use crate::id::{AdjustmentId, MemberId, PurchaseId, QuoteId, ReRatingId, RedemptionId, ReturnId, StoreId, TransferId};
use crate::re_rating::Rating;
use crate::tag::{Tag, TagStep};
use crate::time::{Day, Instant};
use crate::wallet::{PayWithWallet, WalletCommand};

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A member, for himself.
    Member,
    /// Awards points at a till.
    Cashier,
    /// Answers for a store.
    Manager,
    /// Configures the programme.
    Admin,
    /// A till or another system, with a key of its own.
    Integration,
    /// An import of history.
    Import,
    /// The clock: a job, or what fell due before a command.
    System,
}

/// Who acts, as entries record it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// In which role.
    pub role: Role,
    /// The id of the staff, the member or the key; absent for imports and the system.
    pub id: Option<Uuid>,
}

impl Actor {
    /// The clock itself.
    pub const SYSTEM: Self = Self { role: Role::System, id: None };
    /// An import.
    pub const IMPORT: Self = Self { role: Role::Import, id: None };
}

/// Under which circumstances a command is decided.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// The command's time: the clock for a live command, `occurred_at` for an import or a replay.
    /// The rules take the later of this and the member's last command.
    pub now: Instant,
    /// Who acts.
    pub actor: Actor,
    /// The programme version being applied.
    pub programme_version: i64,
    /// Imports and replays may lie further back than a till may.
    pub historic: bool,
    /// Chance, drawn anew for each command, of which codes of coupons are made; absent where nothing is stored, and
    /// where the programme gives none ([`crate::Programme::issues_coupons`]).
    pub seed: Option<[u8; 32]>,
}

/// What is asked, for one member; some commands name a second one.
#[derive(Debug, Clone)]
pub enum Command {
    /// A receipt earns points.
    Purchase(Purchase),
    /// Points are spent or set aside.
    Redeem(Redeem),
    /// Points set aside are spent.
    Capture(Capture),
    /// A redemption is taken back: set aside or spent, its points return to their lots.
    Void(RedemptionId),
    /// Goods that were redeemed are got ready or handed over.
    Fulfil(Fulfil),
    /// Goods come back.
    Return(Return),
    /// Points are put right or brought along.
    Adjust(Adjust),
    /// Purchases of the member are rated anew.
    ReRate(Box<ReRate>),
    /// Staff place the member in a tier.
    PlaceTier(PlaceTier),
    /// The member uses what his tier entitles to.
    UseEntitlement(UseEntitlement),
    /// Staff put a tag on the member or take one off.
    Tag(ChangeTag),
    /// Points are given to another member.
    Transfer(Transfer),
    /// The member's points are kept with a household's from now on.
    JoinPool(JoinPool),
    /// Whether the member may spend from the pool from now on.
    AllowSpending(bool),
    /// The member leaves his pool and takes along what is left of his points.
    LeavePool,
    /// The member is the same person as another, who is the member from now on.
    Merge(Merge),
    /// The member was not the same person after all, and takes back what is left of his points.
    Unmerge,
    /// A purchase was entered for this member and is another's.
    Move(Box<Move>),
    /// Something happened that promotions may wait for.
    Event(Box<Happened>),
    /// Something is done to the member's wallet.
    Wallet(WalletCommand),
    /// Whatever perks, and whatever promotions give for an occasion, are due today are granted.
    GrantPerks,
    /// Whatever notices are due today are given.
    Notify,
    /// Only what fell due by now is applied.
    Settle,
}

/// A receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purchase {
    /// The document's id.
    pub id: PurchaseId,
    /// The store, and its code for promotions.
    pub store: StoreId,
    /// The store's code.
    pub store_code: String,
    /// Who numbers the receipts: the store's or the integration's code.
    pub source: String,
    /// The receipt number, unique within the source for ever.
    pub external_id: String,
    /// When it happened at the till, if the till says so.
    pub occurred_at: Option<Instant>,
    /// Must be the programme's.
    pub currency: Currency,
    /// 1 to 1,000 lines.
    pub lines: Vec<Line>,
    /// How it was paid, where that matters.
    pub tenders: Vec<Tender>,
    /// How it came about: a short code, as `shop`, `web` or `app`.
    pub channel: Option<String>,
    /// Points that pay for a part of it.
    pub redeem: Option<PayWithPoints>,
    /// Money of the wallet that pays for a part of it.
    pub wallet: Option<PayWithWallet>,
    /// How its lines become what was paid. Absent: they are what was paid.
    pub pricing: Option<Box<Pricing>>,
    /// SHA-256 over what makes two receipts the same (PROGRAMME.md §3).
    pub content: [u8; 32],
}

/// Lines at list prices: member prices and coupons make what was paid of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pricing {
    /// Codes of the coupons, each once. All of them must apply.
    pub coupons: Vec<String>,
    /// The quote that was kept of it, and must come out.
    pub kept: Option<Kept>,
}

/// A quote that was kept, as far as a purchase made of it must agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The quote.
    pub id: QuoteId,
    /// From when it no longer binds.
    pub valid_until: Instant,
    /// What was promised.
    pub promised: Promised,
}

/// What a quote promises of the purchase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promised {
    /// What each line costs in the end, in minor units.
    pub nets: Vec<Minor>,
    /// Their sum.
    pub total: Minor,
    /// What is left to pay in money.
    pub due: Minor,
    /// Points earned.
    pub points: Points,
    /// Cashback given, in minor units.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub cashback: Minor,
}

fn is_nothing(amount: &Minor) -> bool {
    amount.is_zero()
}

/// Points as money off a purchase, in the same decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayWithPoints {
    /// The id of the redemption this makes.
    pub id: RedemptionId,
    /// How many.
    pub points: Points,
    /// The step of the rotating code the member showed; each step spends once.
    pub otp_step: Option<i64>,
}

impl Purchase {
    /// The content of a receipt at list prices: that of the same lines as what was paid, and the coupons.
    pub fn content_at_list(content: [u8; 32], coupons: &[String]) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(content);
        hasher.update(b"list");
        for code in coupons {
            hasher.update((code.len() as u32).to_be_bytes());
            hasher.update(code);
        }
        hasher.finalize().into()
    }

    /// The content of a receipt of which the wallet pays a part.
    pub fn content_with_wallet(content: [u8; 32], paid: Minor) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(content);
        hasher.update(b"wallet");
        hasher.update(paid.get().to_be_bytes());
        hasher.finalize().into()
    }

    /// What makes two receipts the same beside their number and time (PROGRAMME.md §3): SHA-256 of
    /// the member, the currency, the lines, the tenders and the redeemed points where there are any,
    /// each text with its length before it.
    pub fn content_of(
        member: MemberId,
        currency: Currency,
        lines: &[Line],
        tenders: &[Tender],
        redeemed: Option<Points>,
    ) -> [u8; 32] {
        let mut hasher = Sha256::new();
        let mut field = |bytes: &[u8]| {
            hasher.update((bytes.len() as u32).to_be_bytes());
            hasher.update(bytes);
        };
        field(member.uuid().as_bytes());
        field(currency.code().as_bytes());
        for line in lines {
            field(line.sku.as_deref().unwrap_or("").as_bytes());
            field(&(line.categories.len() as u32).to_be_bytes());
            line.categories.iter().for_each(|category| field(category.as_bytes()));
            field(&line.quantity.units().to_be_bytes());
            field(&line.amount.get().to_be_bytes());
        }
        for tender in tenders {
            field(tender.kind.as_bytes());
            field(&tender.amount.get().to_be_bytes());
        }
        if let Some(points) = redeemed {
            field(b"redeem");
            field(&points.get().to_be_bytes());
        }
        hasher.finalize().into()
    }
}

/// A line of a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The article.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// Up to 8 categories; a rule on any of them matches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// Above 0.
    pub quantity: Quantity,
    /// Net line total after discounts, in minor units; negative for a deposit returned.
    pub amount: Minor,
}

/// A part of how a receipt was paid.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tender {
    /// `cash`, `card`, `gift_card`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Minor units, not negative.
    pub amount: Minor,
}

/// Points to be spent at once or set aside.
#[derive(Debug, Clone)]
pub struct Redeem {
    /// The document's id.
    pub id: RedemptionId,
    /// The store, unless the member redeems on his own.
    pub store: Option<StoreId>,
    /// For what.
    pub what: Redeemed,
    /// At once or set aside.
    pub mode: RedeemMode,
    /// The step of the rotating code the member showed; each step spends once.
    pub otp_step: Option<i64>,
}

/// Whether points are spent at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedeemMode {
    /// Spent at once.
    Capture,
    /// Set aside until they are captured or voided, or time runs out.
    Hold,
}

/// Points set aside that are now spent.
#[derive(Debug, Clone, Copy)]
pub struct Capture {
    /// The redemption.
    pub redemption: RedemptionId,
    /// How many of its points; absent: all. The rest goes back to its lots.
    pub points: Option<Points>,
}

/// A step of redeemed goods on their way to the member.
#[derive(Debug, Clone, Copy)]
pub struct Fulfil {
    /// The redemption.
    pub redemption: RedemptionId,
    /// Where they stand from now on: ready or handed over.
    pub to: FulfilmentStatus,
    /// In which store.
    pub store: StoreId,
}

/// Goods of one purchase that come back.
#[derive(Debug, Clone)]
pub struct Return {
    /// The document's id.
    pub id: ReturnId,
    /// The purchase.
    pub purchase: PurchaseId,
    /// Whether the goods come back to another store than the one that sold them.
    pub elsewhere: bool,
    /// Who numbers the returns: the store's or the integration's code.
    pub source: String,
    /// The number, unique among the returns of the source for ever.
    pub external_id: String,
    /// What comes back.
    pub goods: ReturnedGoods,
    /// Machine-readable reason (`damaged`, …).
    pub reason: String,
    /// SHA-256 over what makes two returns the same ([`Return::content_of`]).
    pub content: [u8; 32],
}

/// Which goods come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReturnedGoods {
    /// Everything that is left.
    All,
    /// These lines, or parts of them, in this order.
    Lines(Vec<ReturnLine>),
}

/// A line that comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReturnLine {
    /// Position in the purchase, from 1.
    pub line: u32,
    /// How much of it.
    pub part: ReturnPart,
}

/// How much of a line comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReturnPart {
    /// What is left of it.
    Rest,
    /// So many pieces; above 0.
    Quantity(Quantity),
    /// So much of its amount, in minor units and with its sign.
    Amount(Minor),
}

impl Return {
    /// What makes two returns the same beside their number: SHA-256 of the purchase and the goods.
    pub fn content_of(purchase: PurchaseId, goods: &ReturnedGoods) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(purchase.uuid().as_bytes());
        let lines = match goods {
            ReturnedGoods::All => &[][..],
            ReturnedGoods::Lines(lines) => lines,
        };
        for line in lines {
            let (word, units) = match line.part {
                ReturnPart::Rest => (b'r', 0),
                ReturnPart::Quantity(quantity) => (b'q', quantity.units()),
                ReturnPart::Amount(amount) => (b'a', amount.get()),
            };
            hasher.update(line.line.to_be_bytes());
            hasher.update([word]);
            hasher.update(units.to_be_bytes());
        }
        hasher.finalize().into()
    }
}

/// What points are spent on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redeemed {
    /// A reward of the catalogue, by code.
    Reward(String),
    /// Money off.
    MoneyOff(Points),
}

/// A placement in a tier by staff, whatever the measure says (PROGRAMME.md §6).
#[derive(Debug, Clone)]
pub struct PlaceTier {
    /// Code of the tier.
    pub tier: String,
    /// From when it no longer counts.
    pub until: Instant,
    /// Why, in words.
    pub reason: String,
}

/// One use of an entitlement of the member's tier.
#[derive(Debug, Clone)]
pub struct UseEntitlement {
    /// Code of the entitlement.
    pub code: String,
    /// The day chosen, where the entitlement is for a day.
    pub day: Option<Day>,
}

/// What staff do with a tag of the member.
#[derive(Debug, Clone)]
pub struct ChangeTag {
    /// The tag.
    pub tag: Tag,
    /// Whether it is put on or taken off.
    pub step: TagStep,
}

/// Points given to another member (PROGRAMME.md §8).
#[derive(Debug, Clone, Copy)]
pub struct Transfer {
    /// The document's id.
    pub id: TransferId,
    /// To whom.
    pub to: MemberId,
    /// How many.
    pub points: Points,
    /// The step of the rotating code the member showed; each step spends once.
    pub otp_step: Option<i64>,
}

/// The entry into a household.
#[derive(Debug, Clone, Copy)]
pub struct JoinPool {
    /// Its head, who keeps the points.
    pub head: MemberId,
    /// Whether the member may spend from the pool.
    pub may_spend: bool,
}

/// Two accounts of one person become one.
#[derive(Debug, Clone, Copy)]
pub struct Merge {
    /// The member that stays.
    pub into: MemberId,
}

/// A purchase that goes to the member it should have been entered for (PROGRAMME.md §4): goods and
/// points come back from the one, and the other buys the same.
#[derive(Debug, Clone)]
pub struct Move {
    /// The return this makes of the purchase.
    pub id: ReturnId,
    /// The purchase as it was entered.
    pub purchase: PurchaseId,
    /// The member it goes to.
    pub to: MemberId,
    /// The same purchase for that member.
    pub again: Purchase,
}

/// Who numbers the documents that moving a purchase makes: no store has such a code. Their number is
/// the id of the purchase as it was entered, so that it is moved once.
pub const MOVED: &str = "tessera:moved";

impl Command {
    /// The document the command makes or concerns.
    pub(crate) fn document(&self) -> Option<Uuid> {
        match self {
            Self::Purchase(purchase) => Some(purchase.id.uuid()),
            Self::Redeem(redeem) => Some(redeem.id.uuid()),
            Self::Capture(capture) => Some(capture.redemption.uuid()),
            Self::Void(redemption) => Some(redemption.uuid()),
            Self::Fulfil(fulfil) => Some(fulfil.redemption.uuid()),
            Self::Return(goods) => Some(goods.id.uuid()),
            Self::Adjust(adjust) => Some(adjust.id.uuid()),
            Self::ReRate(asked) => Some(asked.id.uuid()),
            Self::Transfer(transfer) => Some(transfer.id.uuid()),
            Self::Move(moving) => Some(moving.id.uuid()),
            Self::Event(happened) => Some(happened.document()),
            Self::Wallet(command) => command.document(),
            _ => None,
        }
    }

    /// The second member the command names.
    pub fn other(&self) -> Option<MemberId> {
        match self {
            Self::Transfer(transfer) => Some(transfer.to),
            Self::JoinPool(join) => Some(join.head),
            Self::Merge(merge) => Some(merge.into),
            Self::Move(moving) => Some(moving.to),
            _ => None,
        }
    }
}

/// Points put right, or an opening balance.
#[derive(Debug, Clone)]
pub struct Adjust {
    /// The document's id.
    pub id: AdjustmentId,
    /// Points to give (above 0) or to take (below 0).
    pub points: Points,
    /// Machine-readable reason (`opening_balance`, …).
    pub reason: String,
}

/// A member's part of a re-rating, or of taking one back (PROGRAMME.md §8).
#[derive(Debug, Clone)]
pub struct ReRate {
    /// The re-rating, which its entries name as their document.
    pub id: ReRatingId,
    /// Machine-readable reason.
    pub reason: String,
    /// How his purchases should stand.
    pub purchases: Vec<Rating>,
    /// To take it back: the points it booked, above 0 given and below 0 taken.
    pub undoes: Option<Points>,
}
