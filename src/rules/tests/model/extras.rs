//! What comes beside purchases: adjustments, points given to others, the birthday, double days
//! (PROGRAMME.md §6 to §8).

use chrono::{Datelike, Duration};

use super::calendar::{Day, Instant, end_of, kept_in, midnight, on};
use super::points::{Fate, Life, Origin, Point};
use super::{Member, No};

/// A birthday perk that was granted.
#[derive(Debug, Clone)]
pub(crate) struct Granted {
    /// The birthday's year.
    pub(crate) year: i32,
    pub(crate) at: Instant,
    pub(crate) from: Instant,
    pub(crate) until: Instant,
    pub(crate) multiply: Option<i64>,
}

impl Member {
    pub(crate) fn adjust(&mut self, now: Instant, points: i64) -> Result<(), No> {
        self.settle(now);
        if points > 0 {
            let life = self.life(&self.book.expiry_at(self.tier()).clone(), now);
            self.credit(points, &Origin { sale: None, occurred: now, from: now, life, fixed: false });
        } else {
            self.take(-points, Fate::Adjusted)?;
        }
        self.adjusted += points;
        Ok(())
    }

    /// Points are given to another member, who is to receive these.
    pub(crate) fn give(&mut self, now: Instant, points: i64) -> Result<Vec<Point>, No> {
        self.settle(now);
        let ((least, most), today) = (self.book.transfers, self.today());
        if points < least {
            return Err(No::Minimum);
        }
        let given: i64 = self.given.iter().filter(|(day, _)| *day == today).map(|(_, points)| points).sum();
        if points <= self.available() && given + points > most {
            return Err(No::DailyLimit);
        }
        let given = self.take(points, Fate::Given)?;
        self.given.push((today, points));
        Ok(given.into_iter().map(|i| self.points[i].clone()).collect())
    }

    /// Points of another member come, lot by lot. They keep their expiry.
    pub(crate) fn receive(&mut self, now: Instant, given: &[Point]) {
        self.settle(now);
        for lot in given.chunk_by(|one, next| one.lot == next.lot) {
            let Point { mut occurred, from, life, fixed, .. } = lot[0];
            if matches!(life, Life::Idle(_)) {
                occurred = now;
            }
            self.credit(lot.len() as i64, &Origin { sale: None, occurred, from, life, fixed });
        }
    }

    /// Grants the birthday perk; says whether there was one to grant.
    pub(crate) fn grant(&mut self, now: Instant) -> bool {
        self.settle(now);
        let (today, gift, zone) = (self.today(), self.book.gift.clone(), self.book.zone);
        let Some(born) = self.born else { return false };
        for year in today.year() - 1..=today.year() + 1 {
            let birthday = kept_in(year, born, gift.march);
            let (first, last) = (on(birthday, -gift.before), on(birthday, gift.after));
            let gate = !gift.needs_purchase || self.purchases() > 0;
            let inside = first <= today && today <= last;
            let rested = |granted: &Granted| granted.year != year && granted.at + Duration::days(330) <= now;
            if inside && gate && self.gifts.iter().all(rested) {
                let (from, until) = (midnight(zone, first), end_of(zone, last));
                self.gifts.push(Granted { year, at: now, from, until, multiply: gift.multiply });
                if gift.multiply.is_none() {
                    let life = Life::Until(until);
                    self.credit(gift.points, &Origin { sale: None, occurred: now, from: now, life, fixed: true });
                    self.earned += gift.points;
                }
                return true;
            }
        }
        false
    }

    /// Chooses a day to earn a multiple on; how many are left in its year.
    pub(crate) fn choose_day(&mut self, now: Instant, day: Day) -> Result<u32, No> {
        self.settle(now);
        let (per_year, multiply) = self.book.ladder.levels[self.tier()].double_days.ok_or(No::NotEntitled)?;
        let taken = self.double_days.iter().any(|(chosen, _)| *chosen == day);
        if day < self.today() || day.year() > self.today().year() + 1 || taken {
            return Err(No::Day);
        }
        let used = self.double_days.iter().filter(|(chosen, _)| chosen.year() == day.year()).count() as u32;
        if used >= per_year {
            return Err(No::UsedUp);
        }
        self.double_days.push((day, multiply));
        Ok(per_year - used - 1)
    }
}
