//! Settling: before a command is decided, everything the clock alone had brought about by then is
//! applied in the order it fell due (PROGRAMME.md §2). Each source of such events names the next
//! instant at which it has something due; the earliest is applied, until nothing is left.

use crate::decision::StandingPatch;
use crate::draft::Draft;
use crate::expiry::idle_until;
use crate::id::RedemptionId;
use crate::lot::Lot;
use crate::refusal::Refusal;
use crate::time::Instant;

/// What the clock brings about, in the order in which things due at one instant come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// Pending points become spendable.
    Activation {
        /// The lot.
        lot: i64,
    },
    /// A hold ends by itself.
    TimeOut {
        /// The redemption.
        hold: RedemptionId,
    },
    /// What is left of a lot lapses.
    Expiry {
        /// The lot.
        lot: i64,
    },
    /// A tier is reviewed, or a placement by staff ends.
    Tier,
}

impl Draft<'_> {
    /// Applies everything due by the draft's time, and moves the window to its day.
    pub(crate) fn settle(&mut self) -> Result<(), Refusal> {
        while let Some((at, due)) = self.next_due() {
            match due {
                Due::Activation { lot } => self.activate(lot, at)?,
                Due::TimeOut { hold } => self.time_out(hold, at)?,
                Due::Expiry { lot } => self.lapse(lot, at)?,
                Due::Tier => self.tier_due(at)?,
            }
        }
        self.move_window(self.today())?;
        self.plan_review()?;
        if self.member.standing.recorded_at != self.at {
            self.patch(StandingPatch { recorded_at: Some(self.at), ..StandingPatch::default() })?;
        }
        Ok(())
    }

    /// What the clock does first to one of the lots: an activation or an expiry.
    fn next_of_lots(&self) -> Option<(Instant, Due)> {
        let (zone, active_at) = (self.zone(), self.member.standing.active_at);
        let due = |lot: &Lot| {
            let activation = lot.pending.then_some((lot.available_from, Due::Activation { lot: lot.number }));
            let expiry = lot.lapses_at(zone, active_at).map(|at| (at, Due::Expiry { lot: lot.number }));
            activation.into_iter().chain(expiry).min()
        };
        self.member.open_lots().filter_map(due).min()
    }

    /// The earliest event that is due by now, over all sources. The standing knows the first instant at
    /// which one of the lots or holds may be due: before it none of them is looked at.
    fn next_due(&self) -> Option<(Instant, Due)> {
        let standing = &self.member.standing;
        let by_now = |due: Option<Instant>| due.is_some_and(|at| at <= self.at);
        let idle = || standing.idle_months.map(|months| idle_until(self.zone(), standing.active_at, months));
        let lots = by_now(standing.lots_due_at) || by_now(idle());
        let sources = [
            lots.then(|| self.next_of_lots()).flatten(),
            by_now(standing.holds_due_at).then(|| self.next_time_out()).flatten(),
            self.next_tier(),
        ];
        sources.into_iter().flatten().min().filter(|(at, _)| *at <= self.at)
    }
}
