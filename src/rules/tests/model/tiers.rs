//! Tiers (PROGRAMME.md §6): the measure is summed from all sales whenever it is asked for, and a
//! member who can fall is looked at every midnight.

use chrono::{Datelike, Duration};

use super::book::{Measure, Validity, Window};
use super::calendar::{Day, Instant, Part, day_of, end_of, kept_in, last_of, midnight, months_on, on};
use super::sales::Counted;
use super::{Member, No};

impl Member {
    /// The tier that counts: the one staff placed the member in, else his own.
    pub(crate) fn tier(&self) -> usize {
        self.placed.map_or(self.own, |(tier, _)| tier)
    }

    /// The tier held at an instant.
    pub(crate) fn tier_at(&self, at: Instant) -> usize {
        self.tiers.iter().rfind(|(from, _)| *from <= at).map_or(0, |(_, tier)| *tier)
    }

    /// Whether a purchase of a day counts on another.
    fn counts(&self, day: Day, today: Day) -> bool {
        match self.book.ladder.window {
            Window::Rolling(days) => today < on(day, days),
            Window::CalendarYear => day.year() == today.year(),
            Window::Anniversary => self.membership_year(day) == self.membership_year(today),
            Window::Lifetime => true,
        }
    }

    /// The year in which the year of membership began.
    fn membership_year(&self, day: Day) -> i32 {
        let joined = day_of(self.book.zone, self.enrolled);
        let this_year = kept_in(day.year(), (joined.month(), joined.day()), false);
        if this_year <= day { day.year() } else { day.year() - 1 }
    }

    pub(crate) fn measure_on(&self, today: Day) -> i64 {
        let value = |counted: Counted| match self.book.ladder.measure {
            Measure::Points => counted.base,
            Measure::Spend => counted.basis,
            Measure::Visits => counted.visits,
        };
        self.counted().filter(|(day, _)| self.counts(*day, today)).map(|(_, counted)| value(counted)).sum()
    }

    /// Until when a tier is valid that is reached at an instant; `None` while it is measured.
    fn valid_until(&self, at: Instant) -> Option<Instant> {
        let day = day_of(self.book.zone, at);
        let last = match self.book.ladder.validity {
            Validity::Measured => return None,
            Validity::EndOfNextYear => last_of(Part::Year, on(last_of(Part::Year, day), 1)),
            Validity::Months(months) => months_on(day, months),
        };
        Some(end_of(self.book.zone, last))
    }

    /// A tier that can fall has a term, where tiers have one; any other has none.
    pub(crate) fn term(&mut self) {
        let falls = self.book.floor(self.own) < self.own;
        self.until = self.valid_until(self.now).filter(|_| falls).map(|fresh| self.until.unwrap_or(fresh));
    }

    /// Looks at the ladder at an instant. A review comes before the end of a placement, so that the
    /// member falls back on its result.
    pub(crate) fn look(&mut self, at: Instant) {
        if at == midnight(self.book.zone, self.today()) {
            self.review(at);
        }
        if self.placed.is_some_and(|(_, until)| until <= at) {
            let shown = self.tier();
            self.placed = None;
            self.shows(shown, at);
        }
    }

    fn review(&mut self, at: Instant) {
        let Some(until) = self.until else {
            if self.book.ladder.validity == Validity::Measured {
                let holds = self.book.reached(self.measure_on(self.today()));
                self.own_falls_to(holds, at);
            }
            return;
        };
        let (zone, end_of_grace) = (self.book.zone, self.end_of_grace(until));
        // Past the end of grace only where another book has a shorter one.
        if at != until && at < end_of_grace {
            return;
        }
        let before = at - Duration::microseconds(1);
        let holds = self.book.reached(self.measure_on(day_of(zone, before)));
        if holds >= self.own {
            self.until = self.valid_until(before);
        } else if at >= end_of_grace {
            let one_step = self.book.ladder.one_step;
            self.own_falls_to(if one_step { self.own - 1 } else { holds }, at);
            self.until = self.valid_until(at);
        }
        self.term();
    }

    pub(crate) fn end_of_grace(&self, until: Instant) -> Instant {
        let zone = self.book.zone;
        midnight(zone, on(day_of(zone, until), self.book.ladder.grace_days))
    }

    fn own_falls_to(&mut self, tier: usize, at: Instant) {
        let shown = self.tier();
        self.own = self.own.min(tier.max(self.book.floor(self.own)));
        self.shows(shown, at);
    }

    /// After a purchase: up to what the measure reaches, and a longer term where it holds.
    pub(crate) fn rise(&mut self) {
        let reached = self.book.reached(self.measure_on(self.today()));
        let fresh = self.valid_until(self.now);
        if reached > self.own {
            self.own_rises_to(reached, fresh);
        } else if reached == self.own && self.until.is_some() {
            self.until = self.until.max(fresh);
        }
        self.term();
    }

    /// Another account of the same person was counted in: up to what both have bought together reaches,
    /// or to the tier of the other where it is still valid. Of two alike the longer validity stays.
    pub(crate) fn rise_by_merging(&mut self, other: usize, other_until: Option<Instant>) {
        let reached = self.book.reached(self.measure_on(self.today()));
        let fresh = self.valid_until(self.now);
        let kept = if fresh.is_some() { other } else { self.book.floor(other) };
        if reached.max(kept) > self.own {
            self.own_rises_to(reached.max(kept), if reached >= kept { fresh } else { other_until });
        } else if kept == self.own {
            self.until = self.until.max(other_until);
        }
        self.term();
    }

    fn own_rises_to(&mut self, tier: usize, until: Option<Instant>) {
        let shown = self.tier();
        (self.own, self.until) = (tier, until);
        if self.placed.is_some_and(|(placed, _)| tier > placed) {
            self.placed = None;
        }
        self.shows(shown, self.now);
    }

    /// Staff place the member in a tier for a time.
    pub(crate) fn place(&mut self, now: Instant, tier: usize, until: Instant) -> Result<(), No> {
        self.settle(now);
        if until <= now {
            return Err(No::Over);
        }
        let (shown, changes) = (self.tier(), self.tiers.len());
        self.placed = Some((tier, until));
        self.shows(shown, now);
        // The rule of the tier may let lots lapse at once.
        self.settle(now);
        self.grant_reached(changes);
        Ok(())
    }

    /// The tier that counts may have changed from what it was.
    fn shows(&mut self, before: usize, at: Instant) {
        let tier = self.tier();
        if tier != before {
            self.tiers.push((at, tier));
            self.take_rule_of(tier, at);
        }
    }
}
