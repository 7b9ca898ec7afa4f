//! What the clock brings about by itself, instant by instant: activations, hold time-outs, expiries,
//! then the tier (PROGRAMME.md §2, settling).

use super::calendar::{Instant, day_of, midnight, on};
use super::points::Fate;
use super::{Member, Status};

impl Member {
    /// Lives through everything that is due by an instant.
    pub(crate) fn settle(&mut self, to: Instant) {
        while let Some(at) = self.next(to) {
            self.at(at);
        }
        self.now = to;
        self.term();
    }

    /// The next instant, by then, at which something may happen.
    pub(crate) fn next(&self, to: Instant) -> Option<Instant> {
        let tier = self.next_look();
        [self.next_for_points(), tier].into_iter().flatten().min().filter(|at| *at <= to)
    }

    /// The next instant at which the clock does something to a point.
    fn next_for_points(&self) -> Option<Instant> {
        let active = self.points.iter().filter(|point| point.fate == Fate::Pending).map(|point| point.from);
        let over = self.lives().into_iter().filter_map(|(life, occurred)| self.over_at(life, occurred));
        active.chain(over).chain(self.next_time_out()).min()
    }

    pub(crate) fn next_time_out(&self) -> Option<Instant> {
        self.redemptions.iter().filter(|r| r.status == Status::Held).filter_map(|r| r.until).min()
    }

    /// The next instant at which the ladder is looked at: a midnight, or the end of a placement.
    fn next_look(&self) -> Option<Instant> {
        let falls = self.book.floor(self.own) < self.own;
        let night = falls.then(|| self.next_review());
        [night, self.placed.map(|(_, until)| until)].into_iter().flatten().min()
    }

    /// The next midnight at which a review may do something: where there is a term it does nothing before
    /// the term ends, nor in the days of grace.
    fn next_review(&self) -> Instant {
        let tomorrow = midnight(self.book.zone, on(day_of(self.book.zone, self.now), 1));
        match self.until {
            Some(until) if until < tomorrow => tomorrow.max(self.end_of_grace(until)),
            Some(until) => until,
            None => tomorrow,
        }
    }

    /// One instant: one thing after the other, until nothing is left to do.
    pub(crate) fn at(&mut self, at: Instant) {
        if self.next_for_points().is_some_and(|due| due <= at) {
            self.activate(at);
            self.time_outs(at);
            self.expire(at);
        } else {
            self.now = at;
            self.look(at);
        }
    }

    fn activate(&mut self, at: Instant) {
        let due = |point: &super::points::Point| point.fate == Fate::Pending && point.from <= at;
        while let Some((_, number)) = self.points.iter().filter(|point| due(point)).map(|p| (p.from, p.lot)).min() {
            let lot = self.in_turn(|point| due(point) && point.lot == number);
            self.meet(&lot, Fate::Available);
            self.points.iter_mut().filter(|point| point.lot == number).for_each(|point| point.waits = false);
            self.pay_debt();
        }
    }

    fn time_outs(&mut self, at: Instant) {
        for i in 0..self.redemptions.len() {
            let redemption = &self.redemptions[i];
            if redemption.status == Status::Held && redemption.until.is_some_and(|until| until <= at) {
                let taken = redemption.taken.clone();
                self.release(&taken, at);
                self.end(i);
            }
        }
    }
}
