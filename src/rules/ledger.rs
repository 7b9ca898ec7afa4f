//! The ledger: accounts, entries and the hash chain that binds a member's entries (PROGRAMME.md §2).

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::amount::Points;
use crate::command::{Actor, Role};
use crate::id::MemberId;
use crate::time::Instant;

/// An account that entries move points between. The first four are the member's, the others the
/// programme's; the programme's are sums of entries and have no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Account {
    /// Earned, not yet spendable.
    Pending,
    /// Spendable.
    Available,
    /// Set aside for a redemption that is not captured yet.
    Held,
    /// Owed by the member.
    Debt,
    /// Where points come from.
    Issued,
    /// Spent.
    Redeemed,
    /// Lapsed.
    Expired,
    /// Taken back because goods came back.
    Returned,
    /// Put right by hand or brought along by an import.
    Adjusted,
    /// Moved between members.
    Transferred,
}

impl Account {
    /// Every account.
    pub const ALL: [Self; 10] = [
        Self::Pending,
        Self::Available,
        Self::Held,
        Self::Debt,
        Self::Issued,
        Self::Redeemed,
        Self::Expired,
        Self::Returned,
        Self::Adjusted,
        Self::Transferred,
    ];

    /// The word in rows, JSON and the hash.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Held => "held",
            Self::Debt => "debt",
            Self::Issued => "issued",
            Self::Redeemed => "redeemed",
            Self::Expired => "expired",
            Self::Returned => "returned",
            Self::Adjusted => "adjusted",
            Self::Transferred => "transferred",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|account| account.as_str() == word)
    }
}

/// Why an entry was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// A purchase earned points.
    Accrual,
    /// Points were spent.
    Redemption,
    /// Points lapsed.
    Expiry,
    /// A perk gave points.
    Perk,
    /// Points were put right, or brought along by an import.
    Adjustment,
    /// Pending points became spendable.
    Activation,
    /// Points that came to stand beside a debt paid it.
    DebtPayment,
    /// Points were set aside.
    Hold,
    /// A hold ended and let its points go.
    Release,
    /// Goods came back, and what they had earned with them.
    Return,
    /// Spent points were given back.
    GiveBack,
    /// Points moved between two members.
    Transfer,
    /// Purchases were rated anew, and the difference given or taken.
    ReRating,
}

impl EntryKind {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::Accrual,
        Self::Redemption,
        Self::Expiry,
        Self::Perk,
        Self::Adjustment,
        Self::Activation,
        Self::DebtPayment,
        Self::Hold,
        Self::Release,
        Self::Return,
        Self::GiveBack,
        Self::Transfer,
        Self::ReRating,
    ];

    /// The word in rows, JSON and the hash.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accrual => "accrual",
            Self::Redemption => "redemption",
            Self::Expiry => "expiry",
            Self::Perk => "perk",
            Self::Adjustment => "adjustment",
            Self::Activation => "activation",
            Self::DebtPayment => "debt_payment",
            Self::Hold => "hold",
            Self::Release => "release",
            Self::Return => "return",
            Self::GiveBack => "give_back",
            Self::Transfer => "transfer",
            Self::ReRating => "re_rating",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A movement of points from one account to another: the truth, never changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Whose.
    pub member: MemberId,
    /// 1, 2, 3 … per member, without a gap.
    pub number: i64,
    /// Why.
    pub kind: EntryKind,
    /// Where the points leave.
    pub from: Account,
    /// Where they arrive.
    pub to: Account,
    /// How many; above 0.
    pub points: Points,
    /// When it is due or happened: the receipt's time, the expiry's instant.
    pub effective_at: Instant,
    /// When it was decided.
    pub recorded_at: Instant,
    /// Who.
    pub actor: Actor,
    /// The purchase, redemption or adjustment it belongs to.
    pub document: Option<Uuid>,
    /// A machine-readable reason: the code of a perk, the reason of an adjustment.
    pub reason: Option<String>,
    /// The entry it takes back.
    pub reverses: Option<i64>,
    /// SHA-256 over the previous entry's hash and every field above.
    pub hash: [u8; 32],
}

/// The version of the hashed form; a change of [`Entry::chained`] takes a new number.
pub const CHAIN_VERSION: u8 = 1;
/// What the first entry of a member is chained to.
pub const GENESIS: [u8; 32] = [0; 32];

impl Entry {
    /// The hash this entry must carry when the entry before it carries `previous`: SHA-256 of the
    /// version, `previous` and the fields, each with its length before it (PROGRAMME.md §2).
    pub fn chained(&self, previous: &[u8; 32]) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update([CHAIN_VERSION]);
        hasher.update(previous);
        let mut field = |bytes: &[u8]| {
            hasher.update((bytes.len() as u32).to_be_bytes());
            hasher.update(bytes);
        };
        field(self.member.uuid().as_bytes());
        field(&self.number.to_be_bytes());
        field(self.kind.as_str().as_bytes());
        field(self.from.as_str().as_bytes());
        field(self.to.as_str().as_bytes());
        field(&self.points.get().to_be_bytes());
        field(&self.effective_at.timestamp_micros().to_be_bytes());
        field(&self.recorded_at.timestamp_micros().to_be_bytes());
        field(self.actor.role.as_str().as_bytes());
        field(self.actor.id.as_ref().map_or(&[][..], |id| id.as_bytes()));
        field(self.document.as_ref().map_or(&[][..], |id| id.as_bytes()));
        field(self.reason.as_deref().unwrap_or("").as_bytes());
        field(&self.reverses.unwrap_or(0).to_be_bytes());
        hasher.finalize().into()
    }
}

impl Role {
    /// The word in rows, JSON and the hash.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Cashier => "cashier",
            Self::Manager => "manager",
            Self::Admin => "admin",
            Self::Integration => "integration",
            Self::Import => "import",
            Self::System => "system",
        }
    }

    /// The role of a word.
    pub fn parse(word: &str) -> Option<Self> {
        let human = [Self::Member, Self::Cashier, Self::Manager, Self::Admin];
        human.into_iter().chain([Self::Integration, Self::Import, Self::System]).find(|role| role.as_str() == word)
    }
}
