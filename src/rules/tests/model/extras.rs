//! What comes beside purchases: adjustments, points given to others, double days (PROGRAMME.md §6 to §8).

use chrono::Datelike;

use super::calendar::{Day, Instant};
use super::points::{Fate, Origin, Point};
use super::{Member, No};

impl Member {
    pub(crate) fn adjust(&mut self, now: Instant, points: i64) -> Result<(), No> {
        self.settle(now);
        if points > 0 {
            let life = self.life(&self.book.expiry_at(self.tier()).clone(), now);
            self.credit(
                points,
                &Origin { sale: None, trail: Vec::new(), occurred: now, from: now, life, fixed: false },
            );
        } else {
            self.take(-points, Fate::Adjusted)?;
        }
        self.adjusted += points;
        Ok(())
    }

    /// Points are given to another member, who is to receive these.
    pub(crate) fn give(&mut self, points: i64) -> Result<Vec<Point>, No> {
        let (least, most) = self.book.transfers;
        if points < least {
            return Err(No::Minimum);
        }
        let pooled = self.takes_from_household(points)?;
        if points <= self.reach() && self.passed_on_today() + points > most {
            return Err(No::DailyLimit);
        }
        let given = self.take(points, Fate::Given)?;
        self.given.push((self.today(), points.max(pooled)));
        Ok(self.copies(&given))
    }

    /// Chooses a day to earn a multiple on; how many are left in its year.
    pub(crate) fn choose_day(&mut self, now: Instant, day: Day) -> Result<u32, No> {
        self.settle(now);
        let (per_year, multiply) = self.book.ladder.levels[self.tier()].double_days.ok_or(No::NotEntitled)?;
        let taken = self.chosen().any(|(chosen, _)| *chosen == day);
        if day < self.today() || day.year() > self.today().year() + 1 || taken {
            return Err(No::Day);
        }
        let used = self.chosen().filter(|(chosen, _)| chosen.year() == day.year()).count() as u32;
        if used >= per_year {
            return Err(No::UsedUp);
        }
        self.double_days.push((day, multiply));
        Ok(per_year - used - 1)
    }
}
