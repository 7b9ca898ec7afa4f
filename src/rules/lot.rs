//! Lots: the points of one credit, with their own expiry, and the order they are consumed in
//! (PROGRAMME.md §2).

use crate::amount::Points;
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
    /// Points left; 0 to `points`.
    pub remaining: Points,
    /// When they were earned.
    pub occurred_at: Instant,
    /// From when they may be spent.
    pub available_from: Instant,
    /// From when they can no longer be spent; absent: never.
    pub expires_at: Option<Instant>,
}

/// One change of a lot by one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LotMovement {
    /// The entry.
    pub entry: i64,
    /// The lot.
    pub lot: i64,
    /// Points given back to the lot; negative for points taken from it.
    pub points: Points,
}

impl Lot {
    /// Whether the lot can no longer be spent.
    pub fn expired(&self, at: Instant) -> bool {
        self.expires_at.is_some_and(|expires| expires <= at)
    }

    /// Whether points may be taken at an instant.
    pub fn spendable(&self, at: Instant) -> bool {
        self.remaining.is_positive() && self.available_from <= at && !self.expired(at)
    }

    /// Sorts lots into the order of consumption: soonest-expiring first, then oldest, then by
    /// number; lots that never lapse come last.
    pub fn consumption_order(&self) -> (bool, Option<Instant>, Instant, i64) {
        (self.expires_at.is_none(), self.expires_at, self.occurred_at, self.number)
    }
}

/// Splits `points` over lots in consumption order: (lot number, points) for each bite. `None` when
/// the spendable lots do not hold that many.
pub fn consume<'a>(lots: impl Iterator<Item = &'a Lot>, points: Points, at: Instant) -> Option<Vec<(i64, Points)>> {
    let mut open: Vec<&Lot> = lots.filter(|lot| lot.spendable(at)).collect();
    open.sort_unstable_by_key(|lot| lot.consumption_order());
    let mut missing = points;
    let mut bites = Vec::new();
    for lot in open {
        if missing.is_zero() {
            break;
        }
        let bite = lot.remaining.min(missing);
        bites.push((lot.number, bite));
        missing = missing.minus(bite).ok()?;
    }
    missing.is_zero().then_some(bites)
}
