//! The books of a wallet: accounts, entries, and the chain that binds a member's entries, beside the points' own
//! (PROGRAMME.md §2).

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::amount::Minor;
use crate::command::Actor;
use crate::id::{MemberId, PurchaseId, StoreId};
use crate::time::{Day, Instant};

/// An account that money moves between. The first three are the member's, the others the programme's; the
/// programme's are sums of entries and have no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WalletAccount {
    /// Paid in by the member.
    Paid,
    /// Given on top of what was paid in.
    Bonus,
    /// Given for purchases.
    Cashback,
    /// Where money that is paid in comes from.
    Received,
    /// Where bonus and cashback come from.
    Granted,
    /// Spent on purchases.
    Spent,
    /// Paid out again.
    Refunded,
    /// Lapsed.
    Expired,
    /// Lost because what it came with was paid out.
    Forfeited,
    /// Taken back because goods came back.
    Returned,
    /// Put right by hand.
    Adjusted,
    /// Moved between two accounts of one person.
    Transferred,
}

impl WalletAccount {
    /// Every account.
    pub const ALL: [Self; 12] = [
        Self::Paid,
        Self::Bonus,
        Self::Cashback,
        Self::Received,
        Self::Granted,
        Self::Spent,
        Self::Refunded,
        Self::Expired,
        Self::Forfeited,
        Self::Returned,
        Self::Adjusted,
        Self::Transferred,
    ];

    /// The member's own, in the order in which they are spent.
    pub const OWN: [Self; 3] = [Self::Paid, Self::Cashback, Self::Bonus];

    /// The word in rows, JSON and the hash.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Bonus => "bonus",
            Self::Cashback => "cashback",
            Self::Received => "received",
            Self::Granted => "granted",
            Self::Spent => "spent",
            Self::Refunded => "refunded",
            Self::Expired => "expired",
            Self::Forfeited => "forfeited",
            Self::Returned => "returned",
            Self::Adjusted => "adjusted",
            Self::Transferred => "transferred",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|account| account.as_str() == word)
    }

    /// Whether it is the member's.
    pub fn is_own(self) -> bool {
        Self::OWN.contains(&self)
    }
}

/// Why an entry of a wallet was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WalletEntryKind {
    /// Money was paid in.
    TopUp,
    /// A top-up brought a bonus.
    Bonus,
    /// A purchase brought cashback.
    Cashback,
    /// Money paid for a purchase.
    Payment,
    /// Goods came back, and with them what had paid for them.
    GiveBack,
    /// Goods came back, and their cashback was taken back.
    Return,
    /// Paid money was paid out.
    Refund,
    /// Bonus went with what was paid out, or paid money for bonus that was spent.
    Forfeit,
    /// Money lapsed.
    Expiry,
    /// Money was put right by hand.
    Adjustment,
    /// Money moved between two accounts of one person.
    Transfer,
}

impl WalletEntryKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::TopUp,
        Self::Bonus,
        Self::Cashback,
        Self::Payment,
        Self::GiveBack,
        Self::Return,
        Self::Refund,
        Self::Forfeit,
        Self::Expiry,
        Self::Adjustment,
        Self::Transfer,
    ];

    /// The word in rows, JSON and the hash.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TopUp => "top_up",
            Self::Bonus => "bonus",
            Self::Cashback => "cashback",
            Self::Payment => "payment",
            Self::GiveBack => "give_back",
            Self::Return => "return",
            Self::Refund => "refund",
            Self::Forfeit => "forfeit",
            Self::Expiry => "expiry",
            Self::Adjustment => "adjustment",
            Self::Transfer => "transfer",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whether it moves money between these accounts.
    pub fn fits(self, from: WalletAccount, to: WalletAccount) -> bool {
        use WalletAccount::{Adjusted, Bonus, Cashback, Expired, Forfeited, Granted, Paid, Received};
        use WalletAccount::{Refunded, Returned, Spent, Transferred};
        match self {
            Self::TopUp => (from, to) == (Received, Paid),
            Self::Bonus => (from, to) == (Granted, Bonus),
            Self::Cashback => (from, to) == (Granted, Cashback),
            Self::Payment => from.is_own() && to == Spent,
            Self::GiveBack => from == Spent && to.is_own(),
            Self::Return => matches!(from, Bonus | Cashback) && to == Returned,
            Self::Refund => (from, to) == (Paid, Refunded),
            Self::Forfeit => matches!(from, Paid | Bonus) && to == Forfeited,
            Self::Expiry => matches!(from, Bonus | Cashback) && to == Expired,
            Self::Adjustment => from.is_own() && to == Adjusted || from == Adjusted && to.is_own(),
            Self::Transfer => from.is_own() && to == Transferred || from == Transferred && to.is_own(),
        }
    }
}

/// A movement of money from one account to another: the truth, never changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletEntry {
    /// Whose.
    pub member: MemberId,
    /// 1, 2, 3 … per member, without a gap.
    pub number: i64,
    /// Why.
    pub kind: WalletEntryKind,
    /// Where the money leaves.
    pub from: WalletAccount,
    /// Where it arrives.
    pub to: WalletAccount,
    /// How much, in minor units; above 0.
    pub amount: Minor,
    /// When it is due or happened.
    pub effective_at: Instant,
    /// When it was decided.
    pub recorded_at: Instant,
    /// Who.
    pub actor: Actor,
    /// The top-up, purchase, return, refund or adjustment it belongs to.
    pub document: Option<Uuid>,
    /// The purchase that was paid for, that brought it, or whose goods came back.
    pub purchase: Option<PurchaseId>,
    /// The store whose drawer the money went into or came out of.
    pub store: Option<StoreId>,
    /// A machine-readable reason: the code of the promotion, the reason of an adjustment.
    pub reason: Option<String>,
    /// The first day of the local month in which cashback counts.
    pub month: Option<Day>,
    /// SHA-256 over the previous entry's hash and every field above.
    pub hash: [u8; 32],
}

/// The version of the hashed form; a change of [`WalletEntry::chained`] takes a new number.
const CHAIN_VERSION: u8 = 1;

impl WalletEntry {
    /// The hash this entry must carry when the entry before it carries `previous`: SHA-256 of a word that tells the
    /// chain from that of the points, the version, `previous` and the fields, each with its length before it.
    pub fn chained(&self, previous: &[u8; 32]) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(b"wallet");
        hasher.update([CHAIN_VERSION]);
        hasher.update(previous);
        let mut field = |bytes: &[u8]| {
            hasher.update((bytes.len() as u32).to_be_bytes());
            hasher.update(bytes);
        };
        let id = |id: Option<Uuid>| id.map_or(Vec::new(), |id| id.as_bytes().to_vec());
        field(self.member.uuid().as_bytes());
        field(&self.number.to_be_bytes());
        field(self.kind.as_str().as_bytes());
        field(self.from.as_str().as_bytes());
        field(self.to.as_str().as_bytes());
        field(&self.amount.get().to_be_bytes());
        field(&self.effective_at.timestamp_micros().to_be_bytes());
        field(&self.recorded_at.timestamp_micros().to_be_bytes());
        field(self.actor.role.as_str().as_bytes());
        field(&id(self.actor.id));
        field(&id(self.document));
        field(&id(self.purchase.map(PurchaseId::uuid)));
        field(&id(self.store.map(StoreId::uuid)));
        field(self.reason.as_deref().unwrap_or("").as_bytes());
        field(self.month.map_or(String::new(), |month| month.to_string()).as_bytes());
        hasher.finalize().into()
    }
}
