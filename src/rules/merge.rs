//! Merging: two accounts of one person become one. Nothing of either is rewritten: the one that goes
//! is linked to the one that stays, which keeps its points, owes its debt and counts what it bought;
//! what is still open between a till and the one that goes (a hold, a sale that may be returned)
//! goes on there, and its points follow the link. Unmerging takes back what is left.

use crate::amount::Points;
use crate::command::Merge;
use crate::decision::{Outcome, StandingPatch};
use crate::draft::Draft;
use crate::link::{Link, LinkKind};
use crate::member::{DayTotals, MemberState, State};
use crate::refusal::Refusal;
use crate::time::Day;

impl Draft<'_> {
    pub(crate) fn merge(&mut self, merge: &Merge, state: &State) -> Result<Outcome, Refusal> {
        let standing = &self.member.standing;
        let into = &state.members.get(&merge.into).ok_or(Refusal::MemberUnknown)?.standing;
        if standing.member == merge.into {
            return Err(Refusal::SameMember);
        }
        if standing.link.is_some() || standing.household > 0 {
            return Err(Refusal::InPool);
        }
        if into.link.is_some_and(|link| link.kind == LinkKind::Merged) {
            return Err(Refusal::MemberMerged);
        }
        self.settle()?;
        self.tie(Link { root: merge.into, kind: LinkKind::Merged }, state)?;
        self.count_with(1)?;
        self.hand_over_wallet()?;
        let standing = &self.member.standing;
        let points = standing.available.plus(standing.pending)?;
        Ok(self.linked_outcome(points))
    }

    pub(crate) fn unmerge(&mut self) -> Result<Outcome, Refusal> {
        self.settle()?;
        if !self.is_merged() {
            return Err(Refusal::NotMerged);
        }
        self.count_with(-1)?;
        self.bring_wallet_home()?;
        self.untie()
    }

    /// Counts what this member bought for the one who stays (1), or no longer (-1).
    fn count_with(&mut self, sign: i64) -> Result<(), Refusal> {
        let bought = self.member.clone();
        let (own, until) = (self.own_tier(), bought.standing.tier_until);
        let Some(root) = &mut self.root else { return Ok(()) };
        root.count_in(&bought, sign)?;
        if sign > 0 {
            root.rise_by_merging(own, until)?;
            root.inherit_tags(&bought.tags)?;
            // The rule of the tier may let lots lapse at once.
            root.settle()?;
        }
        Ok(())
    }

    /// Counts what another account bought, here and wherever this one counts in turn.
    fn count_in(&mut self, bought: &MemberState, sign: i64) -> Result<(), Refusal> {
        for (day, totals) in &bought.days {
            self.qualify(*day, if sign < 0 { totals.negated() } else { *totals })?;
        }
        let standing = &bought.standing;
        let earned = standing.lifetime_earned;
        self.patch(StandingPatch {
            earned: if sign < 0 { Points::ZERO.minus(earned)? } else { earned },
            purchases: sign * standing.purchases,
            purchased_at: standing.purchased_at,
            boost_until: standing.boost_until,
            ..StandingPatch::default()
        })?;
        self.plan_review()?;
        let merged = self.is_merged();
        match &mut self.root {
            Some(root) if merged => root.count_in(bought, sign),
            _ => Ok(()),
        }
    }

    /// Takes goods that came back out of the day they had counted in, here and where this member
    /// counts too.
    pub(crate) fn uncount_day(&mut self, day: Day, change: DayTotals, purchases: i64) -> Result<(), Refusal> {
        if change != DayTotals::default() {
            self.qualify(day, change)?;
        }
        if purchases != 0 {
            self.patch(StandingPatch { purchases, ..StandingPatch::default() })?;
        }
        self.plan_review()?;
        let merged = self.is_merged();
        match &mut self.root {
            Some(root) if merged => root.uncount_day(day, change, purchases),
            _ => Ok(()),
        }
    }
}
