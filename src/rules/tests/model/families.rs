//! Households and merged accounts: how they begin and end (docs/households.md).

use super::calendar::Instant;
use super::club::Club;
use super::keeping::Why;
use super::points::Point;
use super::{Member, No};

impl Club {
    /// A member joins the household of a head, with all he has. How many points that is.
    pub(crate) fn join(&mut self, who: usize, head: usize, now: Instant, may_spend: bool) -> Result<i64, No> {
        if self.members[who].is_merged() {
            return Err(No::Merged);
        }
        if self.members[who].keeper.is_some() || self.household(who) > 0 {
            return Err(No::InPool);
        }
        if self.members[head].keeper.is_some() {
            return Err(No::NotAHead);
        }
        if 1 + self.household(head) >= self.members[head].book.pools.0 {
            return Err(No::Full);
        }
        self.tie(who, head, now, Why::Household { may_spend })
    }

    /// How many are of the household that a member is the head of, beside him.
    fn household(&self, head: usize) -> i64 {
        let joined = |member: &&Member| matches!(member.keeper, Some((with, Why::Household { .. })) if with == head);
        self.members.iter().filter(joined).count() as i64
    }

    /// Two accounts of one person become one.
    pub(crate) fn merge(&mut self, who: usize, into: usize, now: Instant) -> Result<i64, No> {
        if self.members[who].is_merged() {
            return Err(No::Merged);
        }
        if self.members[who].keeper.is_some() || self.household(who) > 0 {
            return Err(No::InPool);
        }
        if self.members[into].is_merged() {
            return Err(No::Merged);
        }
        self.tie(who, into, now, Why::Merged)
    }

    fn tie(&mut self, who: usize, with: usize, now: Instant, why: Why) -> Result<i64, No> {
        self.does(who, now, |_| Ok(()))?;
        self.does(with, now, |_| Ok(()))?;
        self.members[who].keeper = Some((with, why));
        let points = self.members[who].count(Point::free);
        if why == Why::Merged {
            let Member { own, until, bought, .. } = self.members[who];
            self.does(with, now, |member| {
                member.bought = member.bought.max(bought);
                member.rise_by_merging(own, until);
                Ok(())
            })?;
        }
        self.does(who, now, |_| Ok(()))?;
        // Nothing lapses by being handed over.
        self.members[with].was_active(points > 0, now);
        Ok(points)
    }

    /// Whether a member of a household may spend what it has.
    pub(crate) fn allow(&mut self, who: usize, now: Instant, may_spend: bool) -> Result<(), No> {
        self.begins(who, now, |member| {
            let head = member.household()?;
            member.keeper = Some((head, Why::Household { may_spend }));
            Ok(())
        })
    }

    /// A member leaves his household and takes along what is left of his own points.
    pub(crate) fn leave(&mut self, who: usize, now: Instant) -> Result<i64, No> {
        self.begins(who, now, |member| {
            member.household()?;
            Ok(member.part())
        })
    }

    /// Two people after all: the account takes back what is left of its own points.
    pub(crate) fn unmerge(&mut self, who: usize, now: Instant) -> Result<i64, No> {
        self.does(who, now, |member| if member.is_merged() { Ok(member.part()) } else { Err(No::NotMerged) })
    }
}

impl Member {
    pub(crate) fn is_merged(&self) -> bool {
        matches!(self.keeper, Some((_, Why::Merged)))
    }

    /// The head of his household.
    fn household(&self) -> Result<usize, No> {
        match self.keeper {
            Some((head, Why::Household { .. })) => Ok(head),
            _ => Err(No::NotInPool),
        }
    }

    /// His own points come home, and are kept by himself from now on.
    fn part(&mut self) -> i64 {
        let me = self.me;
        let came = self.bring_home(&|point| point.trail.iter().any(|(who, _)| *who == me), i64::MAX);
        self.keeper = None;
        // Nothing lapses by coming home.
        self.was_active(came > 0, self.now);
        came
    }

    /// How many of so many points come from the household's, if he may take them: what pays his own debt
    /// on the way counts too.
    pub(crate) fn takes_from_household(&self, points: i64) -> Result<i64, No> {
        let lacks = points - points.min(self.available());
        match self.keeper {
            Some((_, Why::Household { may_spend })) if lacks > 0 => {
                if !may_spend {
                    return Err(No::MayNotSpend);
                }
                let takes = lacks + self.debt;
                if self.passed_on_today() + takes > self.book.pools.1 { Err(No::DailyLimit) } else { Ok(takes) }
            }
            _ => Ok(0),
        }
    }

    /// What he has given to others or taken from the household's today.
    pub(crate) fn passed_on_today(&self) -> i64 {
        let today = self.today();
        self.given.iter().filter(|(day, _)| *day == today).map(|(_, points)| points).sum()
    }
}
