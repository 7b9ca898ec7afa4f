//! Re-rating: purchases that were given wrong points stand from now on as they should have been, and the
//! member is given or loses the difference, as one (PROGRAMME.md §8).
//!
//! What should have been is found by replaying ([`crate::simulate`]) and looked at before it is booked. Here it
//! meets the member as he is: a purchase that changed since is refused, points of it that lapsed unspent are
//! not taken a second time, and what the member no longer has is owed or forgiven as for a return
//! (PROGRAMME.md §4). Returns that come later go by the purchase as it stands then.

use crate::amount::{OutOfRange, Points};
use crate::command::ReRate;
use crate::decision::{Balance, Effect, Outcome, ReRated, ReRatingOutcome};
use crate::draft::{Draft, Note};
use crate::earning::MICRO;
use crate::explain::Explanation;
use crate::id::{PurchaseId, ReRatingId};
use crate::ledger::{Account, EntryKind};
use crate::member::DayTotals;
use crate::programme::Shortfall;
use crate::refusal::Refusal;
use crate::returns::Sold;

/// How a purchase should stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rating {
    /// The purchase.
    pub purchase: PurchaseId,
    /// Points it stood at when it was judged: of another one nothing is known.
    pub seen_points: Points,
    /// How many parts of it had come back by then.
    pub seen_returned: usize,
    /// Points it should have been given.
    pub points: Points,
    /// Points by which its returns should have taken more, or below 0 less, than they did.
    pub clawed: Points,
    /// Why.
    pub explanation: Explanation,
}

/// A purchase that stands otherwise from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rated {
    /// By which re-rating.
    pub re_rating: ReRatingId,
    /// The purchase.
    pub purchase: PurchaseId,
    /// Points it counts as given.
    pub points: Points,
    /// By how much more, or below 0 less, counts as clawed of it.
    pub clawed: Points,
    /// Points that were not taken because they had lapsed unspent; `clawed` is less by them.
    pub lapsed: Points,
    /// Why it counts as given so many.
    pub explanation: Explanation,
    /// Whether this takes the re-rating back.
    pub undone: bool,
}

impl Sold {
    /// The purchase as it stands after a re-rating. What it left in the carry stays: differences are whole
    /// points.
    ///
    /// # Errors
    /// A sum leaves its range.
    pub fn rate(&mut self, points: Points, clawed: Points, explanation: Explanation) -> Result<(), OutOfRange> {
        let micro = |points: Points| points.get().checked_mul(MICRO).ok_or(OutOfRange);
        if let Some(added) = self.micropoints {
            let more = micro(points.minus(self.points)?)?;
            self.micropoints = Some(added.checked_add(more).ok_or(OutOfRange)?);
            self.micropoints_taken = self.micropoints_taken.checked_add(micro(clawed)?).ok_or(OutOfRange)?;
        }
        self.clawed = self.clawed.plus(clawed)?;
        (self.points, self.explanation) = (points, explanation);
        Ok(())
    }
}

impl Draft<'_> {
    pub(crate) fn re_rate(&mut self, asked: &ReRate) -> Result<Outcome, Refusal> {
        self.settle()?;
        let (mut due, mut counts) = (Points::ZERO, false);
        for rating in &asked.purchases {
            let (difference, change) = self.rate(asked, rating)?;
            due = due.plus(difference)?;
            counts |= (change.points, change.spend) != (0, 0);
        }
        if counts {
            self.rise_where_it_counts()?;
        }
        let due = asked.undoes.map_or(Ok(due), |booked| Points::ZERO.minus(booked))?;
        let forgiven = self.book_difference(asked, due)?;
        let points = due.plus(forgiven)?;
        self.record(Effect::ReRated(ReRated {
            re_rating: asked.id,
            points,
            forgiven,
            undone: asked.undoes.is_some(),
        }))?;
        let balance = Balance::from(&self.member.standing);
        Ok(Outcome::ReRating(ReRatingOutcome { points, forgiven, balance }))
    }

    /// Has a purchase stand as it should; returns by how many points that is more, or below 0 less, for the
    /// member, and by what it counts otherwise on its day.
    fn rate(&mut self, asked: &ReRate, rating: &Rating) -> Result<(Points, DayTotals), Refusal> {
        let sold = self.member.sales.get(&rating.purchase).cloned().ok_or(Refusal::PurchaseUnknown)?;
        if (sold.points, sold.returned.len()) != (rating.seen_points, rating.seen_returned) {
            return Err(Refusal::PurchaseChanged(rating.purchase));
        }
        let difference = rating.points.minus(sold.points)?.minus(rating.clawed)?;
        let too_many = Points::ZERO.minus(difference)?.max(Points::ZERO);
        let lapsed = if asked.undoes.is_some() { Points::ZERO } else { too_many.min(self.lapsed_of(&sold)?) };
        let rated = Rated {
            re_rating: asked.id,
            purchase: rating.purchase,
            points: rating.points,
            clawed: rating.clawed.minus(lapsed)?,
            lapsed,
            explanation: rating.explanation.clone(),
            undone: asked.undoes.is_some(),
        };
        self.record(Effect::Rate(Box::new(rated)))?;
        let was = sold.remainder()?.counted;
        let now =
            self.member.sales.get(&rating.purchase).map_or(Ok(was), |now| now.remainder().map(|left| left.counted));
        let change = now?.plus(was.negated())?;
        self.uncount_day(self.zone().day_of(sold.occurred_at), change, 0)?;
        Ok((difference.plus(lapsed)?, change))
    }

    /// Gives or takes the difference; returns how much of it is forgiven.
    fn book_difference(&mut self, asked: &ReRate, due: Points) -> Result<Points, Refusal> {
        let note = Note {
            kind: EntryKind::ReRating,
            actor: self.context.actor,
            effective_at: self.at,
            document: Some(asked.id.uuid()),
            reason: Some(&asked.reason),
            reverses: None,
        };
        if due.is_positive() {
            let life = self.life_at(self.tier(), self.at, self.at);
            self.credit(note, Account::Adjusted, due, life)?;
            return Ok(Points::ZERO);
        }
        let wanted = Points::ZERO.minus(due)?;
        let there = wanted.min(self.reach()?);
        self.debit(note, Account::Adjusted, there, self.at)?;
        let missing = wanted.minus(there)?;
        match self.programme.returns.shortfall {
            Shortfall::Forgive => Ok(missing),
            Shortfall::Debt => {
                if missing.is_positive() {
                    self.entry(note, Account::Debt, Account::Adjusted, missing)?;
                }
                Ok(Points::ZERO)
            }
        }
    }

    /// Raises the tier where a measure grew: the member's, and of who counts what he bought.
    fn rise_where_it_counts(&mut self) -> Result<(), Refusal> {
        self.rise()?;
        let merged = self.is_merged();
        match &mut self.root {
            Some(root) if merged => root.rise_where_it_counts(),
            _ => Ok(()),
        }
    }
}
