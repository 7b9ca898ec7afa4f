//! Perks: what a member is given for an occasion, once (PROGRAMME.md §7).

use chrono::{Datelike, Duration};

use super::book::{Gift, Given, Occasion};
use super::calendar::{Day, Instant, day_of, end_of, kept_in, midnight, on};
use super::points::{Life, Origin};
use super::redeem::Status;
use super::{Member, No};

/// A perk that was granted.
#[derive(Debug, Clone)]
pub(crate) struct Granted {
    pub(crate) occasion: Occasion,
    /// Which of its kind: a year, a tier, the day of a purchase.
    pub(super) number: i64,
    pub(crate) at: Instant,
    pub(crate) from: Instant,
    pub(crate) until: Instant,
    pub(crate) given: Given,
}

impl Granted {
    /// What it is called where it multiplies.
    pub(crate) fn word(&self) -> &'static str {
        self.occasion.word()
    }
}

impl Member {
    /// Grants every perk that is due today; which.
    pub(crate) fn grant(&mut self, now: Instant) -> Vec<&'static str> {
        self.settle(now);
        self.grant_where(|_| true)
    }

    /// What rising to a tier is the occasion of, where a tier was reached since it had changed so often.
    pub(crate) fn grant_reached(&mut self, changes: usize) -> Vec<&'static str> {
        if self.tiers.len() == changes {
            return Vec::new();
        }
        self.grant_where(|occasion| occasion == Occasion::TierReached)
    }

    fn grant_where(&mut self, asked: impl Fn(Occasion) -> bool) -> Vec<&'static str> {
        let mut granted = Vec::new();
        for gift in self.book.gifts.clone() {
            if asked(gift.occasion) && self.give_perk(&gift) {
                granted.push(gift.occasion.word());
            }
        }
        granted
    }

    fn give_perk(&mut self, gift: &Gift) -> bool {
        let (today, zone) = (self.today(), self.book.zone);
        let joined = day_of(zone, self.enrolled);
        let gates = today >= on(joined, gift.member_for) && (!gift.needs_purchase || self.purchases() > 0);
        if !gates || gift.tier.is_some_and(|tier| tier != self.tier()) {
            return false;
        }
        for (number, day) in self.occasions(gift, joined) {
            let (first, last) = (on(day, -gift.before), on(day, gift.after));
            if first <= today && today <= last {
                let from_last =
                    if gift.occasion == Occasion::Birthday { Duration::days(330) } else { Duration::zero() };
                let free = |old: &Granted| old.number != number && old.at + from_last <= self.now;
                // A perk keeps its name when it is granted after so many days instead of so many.
                if !self.granted().filter(|old| old.word() == gift.occasion.word()).all(free) {
                    return false;
                }
                let (from, until) = (midnight(zone, first), end_of(zone, last));
                let given = gift.given;
                self.gifts.push(Granted { occasion: gift.occasion, number, at: self.now, from, until, given });
                if let Given::Points(points) = given {
                    let (occurred, from, life) = (self.now, self.now, Life::Until(until));
                    self.credit(points, &Origin { sale: None, trail: Vec::new(), occurred, from, life, fixed: true });
                    self.earned += points;
                }
                return true;
            }
        }
        false
    }

    /// The days of an occasion that today may lie near, each with its number.
    fn occasions(&self, gift: &Gift, joined: Day) -> Vec<(i64, Day)> {
        let years = self.today().year() - 1..=self.today().year() + 1;
        let kept = |year: i32, (month, day): (u32, u32)| kept_in(year, (month, day), gift.march);
        match gift.occasion {
            Occasion::Birthday => {
                self.born.map_or_else(Vec::new, |born| years.map(|year| (year.into(), kept(year, born))).collect())
            }
            Occasion::Welcome => vec![(0, joined)],
            Occasion::Anniversary => {
                let anniversary = |year: i32| (year.into(), kept(year, (joined.month(), joined.day())));
                years.filter(|year| *year > joined.year()).map(anniversary).collect()
            }
            Occasion::TierReached => {
                let before = self.tiers.iter().rev().nth(1).map_or(0, |(_, tier)| *tier);
                let last = self.tiers.last().filter(|(_, tier)| *tier > before);
                last.map_or_else(Vec::new, |&(at, tier)| vec![(tier as i64, day_of(self.book.zone, at))])
            }
            Occasion::Lapse(days) => self.bought.map_or_else(Vec::new, |at| {
                let last = day_of(self.book.zone, at);
                vec![(last.num_days_from_ce().into(), on(last, days))]
            }),
        }
    }

    /// The perk that gives a mug for nothing now: of those that nobody has used, the one that ends first.
    pub(crate) fn given_mug(&self) -> Option<usize> {
        let used = |i: usize| self.redemptions.iter().any(|r| r.gift == Some(i) && r.status != Status::Voided);
        let open = |&i: &usize| {
            let gift = &self.gifts[i];
            gift.given == Given::Mug && gift.from <= self.now && self.now < gift.until && !used(i)
        };
        (0..self.gifts.len()).filter(open).min_by_key(|&i| self.gifts[i].until)
    }

    /// What a mug costs: nothing where a perk gives it, whatever tier it is for.
    pub(crate) fn mug(&self, used: i64) -> Result<(i64, Option<usize>), No> {
        let ((points, stock, tier), gift) = (self.book.mug, self.given_mug());
        if gift.is_none() && self.tier() < tier {
            return Err(No::Tier);
        }
        if used >= stock { Err(No::Stock) } else { Ok((if gift.is_some() { 0 } else { points }, gift)) }
    }
}
