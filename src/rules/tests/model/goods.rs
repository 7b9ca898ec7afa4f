//! Returns: goods come back, and with them what had paid for them and what they had earned
//! (PROGRAMME.md §4).

use super::calendar::Instant;
use super::earn::MICRO;
use super::points::{Fate, Point};
use super::sales::{Counted, Sale, Sold};
use super::{Member, No};

/// Which goods come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Goods {
    All,
    /// Lines, counted from 1, and how much of each.
    Lines(Vec<(usize, Piece)>),
}

/// How much of a line comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    Rest,
    /// Thousandths of a piece.
    Pieces(i64),
    Amount(i64),
}

/// What a return came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Returned {
    pub(crate) amount: i64,
    pub(crate) clawed: i64,
    pub(crate) owed: i64,
    pub(crate) forgiven: i64,
    pub(crate) given_back: i64,
    /// What the points given back were worth.
    pub(crate) worth: i64,
}

impl Sold {
    fn gone(&self) -> bool {
        self.pieces_left == 0 || self.amount != 0 && self.amount_left == 0
    }

    /// What still counts of the line.
    fn basis_left(&self) -> i64 {
        if self.amount == 0 {
            return 0;
        }
        (i128::from(self.basis) * i128::from(self.amount_left)).div_euclid(i128::from(self.amount)) as i64
    }

    /// Quantity k of n returns floor(amount × k ÷ n) cumulatively, the last unit the rest; never more
    /// than is left.
    fn amount_of(&self, pieces: i64) -> i64 {
        if pieces >= self.pieces_left {
            return self.amount_left;
        }
        let gone = self.pieces - self.pieces_left;
        let up_to = |pieces: i64| (i128::from(self.amount) * i128::from(pieces)).div_euclid(i128::from(self.pieces));
        let step = (up_to(gone + pieces) - up_to(gone)) as i64;
        if self.amount_left < 0 { step.max(self.amount_left) } else { step.min(self.amount_left) }
    }

    fn send_back(&mut self, piece: Piece) -> Result<(), No> {
        let (pieces, amount) = match piece {
            Piece::Rest => (self.pieces_left, self.amount_left),
            Piece::Pieces(pieces) => (pieces, self.amount_of(pieces)),
            Piece::Amount(amount) if amount == self.amount_left => (self.pieces_left, amount),
            Piece::Amount(amount) => (0, amount),
        };
        let nothing = piece != Piece::Rest && pieces == 0 && amount == 0;
        if nothing || pieces < 0 || amount < 0 && self.amount_left > 0 || amount > 0 && self.amount_left < 0 {
            return Err(No::NotAPart);
        }
        if self.gone() || pieces > self.pieces_left || amount.abs() > self.amount_left.abs() {
            return Err(No::MoreThanLeft);
        }
        self.pieces_left -= pieces;
        self.amount_left -= amount;
        Ok(())
    }
}

impl Sale {
    pub(crate) fn total(&self) -> i64 {
        self.lines.iter().map(|line| line.amount).sum()
    }

    fn left(&self) -> i64 {
        self.lines.iter().map(|line| line.amount_left).sum()
    }

    fn send_back(&mut self, goods: &Goods) -> Result<(), No> {
        let open = |(i, line): (usize, &Sold)| (!line.gone()).then_some((i + 1, Piece::Rest));
        let wanted = match goods {
            Goods::All => self.lines.iter().enumerate().filter_map(open).collect(),
            Goods::Lines(lines) => lines.clone(),
        };
        if wanted.is_empty() {
            return Err(No::Nothing);
        }
        for (number, piece) in wanted {
            self.lines.get_mut(number - 1).ok_or(No::Line)?.send_back(piece)?;
        }
        Ok(())
    }

    /// Nothing of value is left. A free article that is kept is no reason to keep points.
    pub(super) fn empty(&self) -> bool {
        let priced = self.lines.iter().any(|line| line.amount != 0);
        self.lines.iter().all(|line| if priced { line.amount_left == 0 } else { line.gone() })
    }

    /// What remains, by the stored multipliers, in micropoints. Nothing earns nothing.
    fn worth_left(&self) -> i64 {
        let lines: Vec<(i64, i64)> = self.lines.iter().map(|line| (line.basis_left(), line.multiplier)).collect();
        if self.empty() { 0 } else { self.formula.micropoints(&lines) }
    }

    fn counts_for(&self) -> Counted {
        let basis = self.lines.iter().map(Sold::basis_left).sum::<i64>().max(0);
        let whole = self.whole;
        let (visits, given) = if self.empty() { (0, 0) } else { (1, whole.given) };
        let base = self.formula.base(basis).min(whole.base);
        Counted { base, basis: basis.min(whole.basis), visits, given }
    }
}

impl Member {
    pub(crate) fn take_back(&mut self, now: Instant, number: usize, goods: &Goods) -> Result<Returned, No> {
        self.settle(now);
        let mut sale = self.sales[number].clone();
        let before = sale.left();
        sale.send_back(goods)?;
        let amount = before - sale.left();
        sale.counted = sale.counts_for();
        sale.touched = true;
        self.sales[number] = sale;
        let (given_back, worth) = self.give_back_paid(number);
        let clawed = self.claw_due(number);
        let missing = clawed - self.claw(number, clawed);
        let (owed, forgiven) = if self.book.forgive { (0, missing) } else { (missing, 0) };
        self.debt += owed;
        self.owed_for_goods += owed;
        self.sales[number].clawed += clawed;
        self.term();
        Ok(Returned { amount, clawed, owed, forgiven, given_back, worth })
    }

    /// First the points that paid are given back: in total floor(points paid × amount returned so far
    /// ÷ sale total), less what was already given, in reverse order of consumption.
    fn give_back_paid(&mut self, number: usize) -> (i64, i64) {
        let sale = &self.sales[number];
        let Some(paid_by) = sale.paid_by else { return (0, 0) };
        let (total, paid) = (sale.total().max(0), self.redemptions[paid_by].points);
        let returned = (sale.total() - sale.left()).clamp(0, total);
        let due = if total == 0 { 0 } else { paid * returned / total };
        let already = sale.given_back;
        let now = (due - already).max(0);
        let taken = &mut self.redemptions[paid_by].taken;
        let mut back = taken.split_off(taken.len() - now as usize);
        back.reverse();
        self.give_back(&back);
        self.sales[number].given_back += now;
        let worth = self.redemptions[paid_by].worth.expect("money off");
        (now, worth * (already + now) / paid - worth * already / paid)
    }

    /// claw = max(0, earned − already clawed − expired unspent from the sale's own points − points of
    /// what remains); with carry in micropoints, one point for each by which the carry is negative.
    fn claw_due(&mut self, number: usize) -> i64 {
        let lapsed = self.lapsed_of(number);
        let sale = &mut self.sales[number];
        let left = sale.worth_left();
        let Some(added) = sale.micropoints else {
            return (sale.given - sale.clawed - lapsed - (left / MICRO).min(sale.given)).max(0);
        };
        let due = (added - sale.micropoints_taken - lapsed * MICRO - left.min(added)).max(0);
        sale.micropoints_taken += due;
        self.carry -= due;
        let mut claw = 0;
        while self.carry < 0 {
            self.carry += MICRO;
            claw += 1;
        }
        claw
    }

    /// Points of a sale that expired unspent, wherever they were.
    fn lapsed_of(&mut self, number: usize) -> i64 {
        let sale = Some((self.me, number));
        let mut lapsed = self.lapsed_away.get(&number).copied().unwrap_or(0);
        self.each(&mut |member| lapsed += member.count(|point| point.sale == sale && point.fate == Fate::Expired));
        lapsed
    }

    /// Takes points back: the sale's own, pending before available, then others within the member's reach.
    /// How many there were.
    fn claw(&mut self, number: usize, points: i64) -> i64 {
        let sale = Some((self.me, number));
        let here = self.count(|point| point.sale == sale && point.free());
        self.bring_home(&|point| point.sale == sale, (points - here).max(0));
        let own = |fate| move |point: &Point| point.sale == sale && point.fate == fate;
        let mut found = self.in_turn(own(Fate::Pending));
        found.extend(self.in_turn(own(Fate::Available)));
        found.truncate(points as usize);
        self.meet(&found, Fate::Returned);
        let others = (points - found.len() as i64).min(self.reach());
        self.take(others, Fate::Returned).expect("they are within reach");
        found.len() as i64 + others
    }
}
