//! Draw tickets (抽奖券): what a redemption gives for a draw to come (PROGRAMME.md §8). Each reward numbers its own, 1, 2,
//! 3 … without a gap, under the lock that its stock is counted under. A ticket that is taken back leaves its number
//! behind: nobody is given it again.

use std::ops::RangeInclusive;

use crate::draft::Draft;
use crate::id::RedemptionId;
use crate::member::Shared;
use crate::programme::Problems;
use crate::reward::{Reward, RewardKind};

/// The most tickets that one redemption gives.
const TICKETS_MAX: u32 = 100;

/// Tickets that were given together: numbers in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tickets {
    /// The first number, from 1.
    pub first: i64,
    /// How many; at least 1.
    pub count: u32,
}

impl Tickets {
    /// The last number.
    pub fn last(self) -> i64 {
        self.first + i64::from(self.count) - 1
    }

    /// Every number.
    pub fn numbers(self) -> RangeInclusive<i64> {
        self.first..=self.last()
    }
}

/// What happens to the tickets of a redemption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TicketChange {
    /// It is given them.
    Given {
        /// The reward's code.
        reward: String,
        /// The redemption.
        redemption: RedemptionId,
        /// Their numbers.
        tickets: Tickets,
    },
    /// They are void.
    Voided(RedemptionId),
}

impl Reward {
    /// Notes what is wrong with how many tickets it gives.
    pub(crate) fn check_tickets(&self, at: &str, found: &mut Problems) {
        let Some(tickets) = self.tickets else { return };
        let at = format!("{at}/tickets");
        let detail = "only a reward of kind `draw_ticket` gives tickets";
        found.refuse(self.kind != RewardKind::DrawTicket, &at, "not_for_kind", detail);
        found.refuse(!(1..=TICKETS_MAX).contains(&tickets), &at, "out_of_range", "must be 1 to 100");
    }

    /// The tickets that a redemption is given next; none where the reward is something else.
    pub(crate) fn next_tickets(&self, shared: &Shared) -> Option<Tickets> {
        (self.kind == RewardKind::DrawTicket).then(|| Tickets {
            first: shared.tickets_given.get(&self.code).copied().unwrap_or(0) + 1,
            count: self.tickets.unwrap_or(1),
        })
    }
}

impl Draft<'_> {
    /// Whether the tickets of a reward may be drawn by now: its last day is over, or it was taken away.
    pub(crate) fn is_draw_closed(&self, reward: Option<&str>) -> bool {
        let reward = reward.and_then(|code| self.programme.reward(code));
        reward.is_none_or(|reward| reward.to.is_some_and(|to| to < self.today()))
    }
}
