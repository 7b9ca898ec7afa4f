//! Lots: the points of one credit, with their own expiry, and the order they are consumed in
//! (PROGRAMME.md §2).

use crate::amount::{OutOfRange, Points};
use crate::id::MemberId;
use crate::ledger::Account;
use crate::time::Instant;

/// The points of one credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lot {
    /// 1, 2, 3 … per member.
    pub number: i64,
    /// The entry that opened it.
    pub entry: i64,
    /// Points at the start; above 0.
    pub points: Points,
    /// Points left, pending or available; 0 to `points`.
    pub remaining: Points,
    /// Points set aside by holds; they left `remaining` and may come back.
    pub held: Points,
    /// Points that lapsed unspent.
    pub lapsed: Points,
    /// Whether what is left stands in `pending`: until it is activated at `available_from`. Once the
    /// member is settled this says the same as `available_from > standing.recorded_at`.
    pub pending: bool,
    /// The lot whose points these are, where they were given back after that lot had lapsed. It is
    /// always the first such lot: an origin has none itself.
    pub origin: Option<i64>,
    /// The lot of another member whose points these are, where the two are linked: there they return
    /// when the link ends. A lot that has an origin has its parent.
    pub parent: Option<LotKey>,
    /// When they were earned.
    pub occurred_at: Instant,
    /// From when they may be spent.
    pub available_from: Instant,
    /// From when they can no longer be spent; absent: never, or by inactivity.
    pub expires_at: Option<Instant>,
    /// What may change that.
    pub lapse: Lapse,
}

/// A lot of some member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LotKey {
    /// Whose.
    pub member: MemberId,
    /// Its number.
    pub lot: i64,
}

/// By what a lot lapses, and so what may change when it does (PROGRAMME.md §5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lapse {
    /// At `expires_at`, which came from the rule of a tier: a change of tier may give another.
    #[default]
    Dated,
    /// At `expires_at`, which a promotion or a perk set: no tier changes it.
    Fixed,
    /// After this many months without an activity that counts; `expires_at` is absent.
    Idle {
        /// 1 to 240.
        months: u32,
    },
}

/// One change of a lot by one entry. Its sums over a lot give what the lot says of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LotMovement {
    /// The entry.
    pub entry: i64,
    /// The lot.
    pub lot: i64,
    /// What `remaining` changes by: points given back to the lot; negative for points taken from it.
    pub points: Points,
    /// What `held` changes by.
    pub held: Points,
    /// What `lapsed` grows by.
    pub lapsed: Points,
}

impl LotMovement {
    /// What an entry that moves points of a lot from one account to another does to the lot.
    pub(crate) fn of(entry: i64, bite: Bite, from: Account, to: Account) -> Result<Self, OutOfRange> {
        let comes = |accounts: &[Account]| if accounts.contains(&to) { bite.points } else { Points::ZERO };
        let goes = |accounts: &[Account]| if accounts.contains(&from) { bite.points } else { Points::ZERO };
        let change = |accounts: &[Account]| comes(accounts).minus(goes(accounts));
        Ok(Self {
            entry,
            lot: bite.lot,
            points: change(&[Account::Pending, Account::Available])?,
            held: change(&[Account::Held])?,
            lapsed: change(&[Account::Expired])?,
        })
    }
}

/// Points of one lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bite {
    /// The lot.
    pub lot: i64,
    /// How many; above 0.
    pub points: Points,
}

impl Lot {
    /// When the clock alone next changes what is left: activation while pending, then expiry.
    pub fn due_at(&self) -> Option<Instant> {
        if self.pending { Some(self.available_from) } else { self.expires_at }
    }

    /// Books a movement. Errors when a sum leaves its range.
    pub(crate) fn book(&mut self, movement: &LotMovement) -> Result<(), OutOfRange> {
        self.remaining = self.remaining.plus(movement.points)?;
        self.held = self.held.plus(movement.held)?;
        self.lapsed = self.lapsed.plus(movement.lapsed)?;
        Ok(())
    }

    /// Whether the lot can no longer be spent.
    pub fn expired(&self, at: Instant) -> bool {
        self.expires_at.is_some_and(|expires| expires <= at)
    }

    /// Whether points may be taken at an instant.
    pub fn spendable(&self, at: Instant) -> bool {
        self.remaining.is_positive() && !self.pending && self.available_from <= at && !self.expired(at)
    }

    /// Sorts lots into the order of consumption: soonest-expiring first, then oldest, then by
    /// number; lots that never lapse come last.
    pub fn consumption_order(&self) -> (bool, Option<Instant>, Instant, i64) {
        (self.expires_at.is_none(), self.expires_at, self.occurred_at, self.number)
    }
}

/// Splits `points` over lots in consumption order. `None` when the spendable lots do not hold that
/// many.
pub fn consume<'a>(lots: impl Iterator<Item = &'a Lot>, points: Points, at: Instant) -> Option<Vec<Bite>> {
    let mut open: Vec<&Lot> = lots.filter(|lot| lot.spendable(at)).collect();
    open.sort_unstable_by_key(|lot| lot.consumption_order());
    let mut missing = points;
    let mut bites = Vec::new();
    for lot in open {
        if missing.is_zero() {
            break;
        }
        let bite = lot.remaining.min(missing);
        bites.push(Bite { lot: lot.number, points: bite });
        missing = missing.minus(bite).ok()?;
    }
    missing.is_zero().then_some(bites)
}
