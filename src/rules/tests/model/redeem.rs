//! Spending points, setting them aside, and what becomes of both (PROGRAMME.md §8).

use chrono::Duration;

use super::calendar::Instant;
use super::points::Fate;
use super::{Member, No};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Held,
    Captured,
    Voided,
}

#[derive(Debug, Clone)]
pub(crate) struct Redemption {
    pub(crate) status: Status,
    pub(crate) points: i64,
    /// As money off.
    pub(crate) worth: Option<i64>,
    pub(crate) mug: bool,
    /// The member's perk that gave it for nothing.
    pub(crate) gift: Option<usize>,
    /// It paid for a part of a sale.
    pub(crate) for_sale: bool,
    /// When a hold ends by itself.
    pub(crate) until: Option<Instant>,
    /// The points themselves, in the order in which they were taken.
    pub(crate) taken: Vec<usize>,
}

/// For what points are spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    MoneyOff(i64),
    Mug,
}

impl Member {
    pub(crate) fn redeem(&mut self, now: Instant, what: What, hold: bool, mugs_elsewhere: i64) -> Result<(), No> {
        self.settle(now);
        let ((points, gift), worth) = match what {
            What::Mug => (self.mug(mugs_elsewhere + self.mugs())?, None),
            What::MoneyOff(points) => ((points, None), Some(self.worth(points)?)),
        };
        let until = hold.then(|| now + Duration::minutes(self.book.offer.hold_minutes));
        self.spend(points, worth, until, false)?;
        let made = self.redemptions.last_mut().expect("just made");
        (made.mug, made.gift) = (what == What::Mug, gift);
        Ok(())
    }

    /// Mugs handed out or set aside.
    pub(crate) fn mugs(&self) -> i64 {
        self.redemptions.iter().filter(|r| r.mug && r.status != Status::Voided).count() as i64
    }

    /// What points are worth as money off.
    pub(crate) fn worth(&self, points: i64) -> Result<i64, No> {
        let offer = &self.book.offer;
        if points < offer.minimum {
            return Err(No::Minimum);
        }
        if points % offer.step != 0 {
            return Err(No::Step);
        }
        Ok(points * offer.rate.1 / offer.rate.0)
    }

    pub(crate) fn spend(
        &mut self,
        points: i64,
        worth: Option<i64>,
        until: Option<Instant>,
        for_sale: bool,
    ) -> Result<(), No> {
        let number = self.redemptions.len();
        let fate = if until.is_some() { Fate::Held(number) } else { Fate::Spent(number) };
        let pooled = self.takes_from_household(points)?;
        self.given.push((self.today(), pooled));
        let taken = self.take(points, fate)?;
        self.was_active(self.book.activities.1, self.now);
        let status = if until.is_some() { Status::Held } else { Status::Captured };
        self.redemptions.push(Redemption { status, points, worth, mug: false, gift: None, for_sale, until, taken });
        Ok(())
    }

    /// Held points are spent, all of them or the first of them; the rest is let go.
    pub(crate) fn capture(&mut self, now: Instant, number: usize, part: Option<i64>) -> Result<(), No> {
        self.settle(now);
        let held = self.redemptions[number].clone();
        let points = part.unwrap_or(held.points);
        if held.status != Status::Held {
            return Err(No::NotHeld);
        }
        if points < 1 && held.gift.is_none() || points > held.points {
            return Err(No::Range);
        }
        if held.mug && points < held.points {
            return Err(No::Whole);
        }
        let (spent, rest) = held.taken.split_at(points as usize);
        self.meet(spent, Fate::Spent(number));
        self.release(rest, now);
        let redemption = &mut self.redemptions[number];
        (redemption.status, redemption.until) = (Status::Captured, None);
        redemption.worth = held.worth.map(|worth| worth * points / held.points);
        (redemption.points, redemption.taken) = (points, spent.to_vec());
        Ok(())
    }

    /// A redemption is taken back, and its points with it.
    pub(crate) fn void(&mut self, now: Instant, number: usize) -> Result<(), No> {
        self.settle(now);
        let redemption = self.redemptions[number].clone();
        match redemption.status {
            _ if redemption.for_sale => return Err(No::ForSale),
            Status::Voided => return Err(No::Voided),
            Status::Held => self.release(&redemption.taken, now),
            Status::Captured => self.give_back(&redemption.taken),
        }
        self.end(number);
        Ok(())
    }

    /// Notes that a redemption is over.
    pub(crate) fn end(&mut self, number: usize) {
        let redemption = &mut self.redemptions[number];
        (redemption.status, redemption.until, redemption.taken) = (Status::Voided, None, Vec::new());
    }
}
