//! Purchases: from a receipt to points, and into the window (PROGRAMME.md §3).

use chrono::Duration;

use super::book::Expiry;
use super::calendar::{Day, Instant, day_of};
use super::earn::{Earned, Formula, Used};
use super::points::Origin;
use super::{Member, No};

/// What a line is: plain, of the category `food`, or excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    Food,
    Wine,
}

#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) amount: i64,
    /// Thousandths of a piece.
    pub(crate) pieces: i64,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone)]
pub(crate) struct Receipt {
    pub(crate) lines: Vec<Line>,
    pub(crate) gift_card: i64,
    /// Points that pay for a part of it.
    pub(crate) pay: Option<i64>,
    /// Minutes between the till and the server; below 0: the till's clock runs ahead.
    pub(crate) late: Option<i64>,
}

/// What a sale counts for on its day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) base: i64,
    pub(crate) basis: i64,
    pub(crate) visits: i64,
    pub(crate) given: i64,
}

/// A line of a sale, and what is left of it.
#[derive(Debug, Clone)]
pub(crate) struct Sold {
    pub(crate) pieces: i64,
    pub(crate) amount: i64,
    pub(crate) basis: i64,
    pub(crate) multiplier: i64,
    pub(crate) pieces_left: i64,
    pub(crate) amount_left: i64,
}

/// A purchase on record.
#[derive(Debug, Clone)]
pub(crate) struct Sale {
    pub(crate) receipt: Receipt,
    pub(crate) occurred: Instant,
    pub(crate) recorded: Instant,
    pub(crate) day: Day,
    pub(crate) lines: Vec<Sold>,
    pub(crate) formula: Formula,
    pub(crate) given: i64,
    pub(crate) micropoints: Option<i64>,
    pub(crate) counted: Counted,
    /// What the whole of it counted for.
    pub(crate) whole: Counted,
    /// Uses of limited promotions: which, and how many points.
    pub(crate) used: Vec<Used>,
    /// The redemption that paid for a part of it.
    pub(crate) paid_by: Option<usize>,
    pub(crate) clawed: i64,
    pub(crate) micropoints_taken: i64,
    pub(crate) given_back: i64,
    /// Some of it has come back.
    pub(crate) touched: bool,
}

impl Member {
    pub(crate) fn buy(&mut self, now: Instant, receipt: &Receipt) -> Result<Earned, No> {
        let late = receipt.late.unwrap_or(0);
        if late > 30 * 24 * 60 {
            return Err(No::TooEarly);
        }
        if late < -5 {
            return Err(No::TooLate);
        }
        self.settle(now);
        self.buy_at(receipt, now - Duration::minutes(late))
    }

    /// A purchase whatever its age.
    pub(crate) fn buy_at(&mut self, receipt: &Receipt, occurred: Instant) -> Result<Earned, No> {
        let total: i64 = receipt.lines.iter().map(|line| line.amount).sum();
        let worth = receipt.pay.map(|points| self.pay(points, total)).transpose()?;
        let changes = self.tiers.len();
        let mut earned = self.earn(receipt, occurred, worth.unwrap_or(0))?;
        self.book_sale(receipt, occurred, &earned);
        self.rise();
        // What was bought late may be over by now.
        self.settle(self.now);
        earned.perks = self.grant_reached(changes);
        Ok(earned)
    }

    /// A purchase that was entered for the wrong member goes to another within a day.
    pub(crate) fn may_pass(&self, number: usize) -> Result<(), No> {
        let sale = &self.sales[number];
        if sale.touched {
            return Err(No::ReturnedBefore);
        }
        if sale.paid_by.is_some() {
            return Err(No::PaidWithPoints);
        }
        if self.now - sale.recorded > Duration::hours(24) { Err(No::MovedTooLate) } else { Ok(()) }
    }

    /// Points pay for a part of a purchase.
    fn pay(&mut self, points: i64, total: i64) -> Result<i64, No> {
        let worth = self.worth(points)?;
        if worth > total.max(0) * self.book.offer.share / super::earn::ONE {
            return Err(No::Share);
        }
        self.spend(points, Some(worth), None, true)?;
        Ok(worth)
    }

    fn book_sale(&mut self, receipt: &Receipt, occurred: Instant, earned: &Earned) {
        let sale = Some((self.me, self.sales.len()));
        // A till's clock may run ahead; points given now can be spent now, or wait from now.
        let happened = occurred.min(self.now);
        let from = happened + Duration::days(self.book.pending_days);
        let rule = |promo: usize| self.book.promos[promo].expiry.clone().expect("of its own");
        let parts: Vec<(i64, Expiry)> = earned.apart.iter().map(|&(promo, points)| (points, rule(promo))).collect();
        for (points, rule) in &parts {
            let life = self.life(rule, from);
            self.credit(*points, &Origin { sale, trail: Vec::new(), occurred, from, life, fixed: true });
        }
        let apart: i64 = parts.iter().map(|(points, _)| points).sum();
        // Where lots take the rule of another tier, what changed since then is done already.
        let tier = if self.book.ladder.lots_take { self.tier() } else { self.tier_at(occurred) };
        let life = self.life(&self.book.expiry_at(tier).clone(), from);
        self.credit(earned.given - apart, &Origin { sale, trail: Vec::new(), occurred, from, life, fixed: false });
        self.was_active(self.book.activities.0, happened);
        self.bought = self.bought.max(Some(occurred));
        let whole = Counted { base: earned.base, basis: earned.basis, visits: 1, given: earned.given };
        let sold = |(line, &(basis, multiplier)): (&Line, &(i64, i64))| Sold {
            pieces: line.pieces,
            amount: line.amount,
            basis,
            multiplier,
            pieces_left: line.pieces,
            amount_left: line.amount,
        };
        self.sales.push(Sale {
            receipt: receipt.clone(),
            occurred,
            recorded: self.now,
            day: day_of(self.book.zone, occurred),
            lines: receipt.lines.iter().zip(&earned.lines).map(sold).collect(),
            formula: earned.formula.clone(),
            given: earned.given,
            micropoints: earned.micropoints,
            counted: whole,
            whole,
            used: earned.used.clone(),
            paid_by: receipt.pay.map(|_| self.redemptions.len() - 1),
            clawed: 0,
            micropoints_taken: 0,
            given_back: 0,
            touched: false,
        });
        self.earned += earned.given;
    }
}
