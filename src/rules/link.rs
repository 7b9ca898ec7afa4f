//! Links: a member whose points are kept with another (PROGRAMME.md §2 and §8), because both are one
//! person or one household.

use crate::amount::Points;
use crate::id::MemberId;
use crate::time::Day;

/// With whom a member's points are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Where the points stand: the member that stays of two that were merged, or the head of the
    /// household.
    pub root: MemberId,
    /// Why.
    pub kind: LinkKind,
}

/// Why a member's points are kept with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// Both are one person; everything of the member counts for the root.
    Merged,
    /// Both are of one household, which shares points and nothing else.
    Pool {
        /// Whether the member may spend from the pool.
        may_spend: bool,
    },
}

/// What a member passed on, to count against the limit of a day: transfers to other members, and
/// points of a pool that its head did not spend himself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// The programme's local day.
    pub day: Day,
    /// The points of that day.
    pub points: Points,
}
