//! Points one by one: every point a member was ever given stands in one list, with what has become of
//! it (PROGRAMME.md §2 and §5).

use std::collections::BTreeSet;

use super::book::Expiry;
use super::calendar::{Instant, day_of, end_of, kept_in, last_of, months_on, on};
use super::{Member, No};

/// Until when a point may be spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Life {
    /// For ever.
    Ever,
    /// Until this instant.
    Until(Instant),
    /// Until the member has done nothing for so many months.
    Idle(u32),
}

/// What has become of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Pending,
    Available,
    /// Set aside by this redemption.
    Held(usize),
    /// Spent by it.
    Spent(usize),
    PaidDebt,
    Expired,
    /// Taken back when goods came back.
    Returned,
    /// Taken by an adjustment.
    Adjusted,
    /// Gone to another member, for good or for as long as he keeps it.
    Given,
}

#[derive(Debug, Clone)]
pub(crate) struct Point {
    pub(crate) lot: i64,
    /// The member's sale that earned it.
    pub(crate) sale: Option<(usize, usize)>,
    /// The lots of other members that it has left and goes back to, the last one first to go back to.
    pub(crate) trail: Vec<(usize, i64)>,
    pub(crate) occurred: Instant,
    pub(crate) from: Instant,
    pub(crate) life: Life,
    /// No change of tier touches its life.
    pub(crate) fixed: bool,
    /// Its lot is pending.
    pub(crate) waits: bool,
    pub(crate) fate: Fate,
}

/// Where new points come from and how long they live.
pub(crate) struct Origin {
    pub(crate) sale: Option<(usize, usize)>,
    pub(crate) trail: Vec<(usize, i64)>,
    pub(crate) occurred: Instant,
    pub(crate) from: Instant,
    pub(crate) life: Life,
    pub(crate) fixed: bool,
}

impl Point {
    /// Neither spent nor set aside nor gone.
    pub(crate) fn free(&self) -> bool {
        matches!(self.fate, Fate::Pending | Fate::Available)
    }

    /// Soonest-expiring first, then oldest, then by lot. What has no date comes last.
    pub(crate) fn turn(&self) -> (bool, Option<Instant>, Instant, i64) {
        let date = if let Life::Until(at) = self.life { Some(at) } else { None };
        (date.is_none(), date, self.occurred, self.lot)
    }
}

impl Member {
    pub(crate) fn count(&self, which: impl Fn(&Point) -> bool) -> i64 {
        self.points.iter().filter(|point| which(point)).count() as i64
    }

    pub(crate) fn available(&self) -> i64 {
        self.count(|point| point.fate == Fate::Available)
    }

    /// The points that fit, in the order in which they are spent.
    pub(crate) fn in_turn(&self, which: impl Fn(&Point) -> bool) -> Vec<usize> {
        let mut found: Vec<usize> = (0..self.points.len()).filter(|&i| which(&self.points[i])).collect();
        found.sort_by_key(|&i| self.points[i].turn());
        found
    }

    /// The first so many available points get another fate; which they were. What is lacking is fetched
    /// from whoever keeps it.
    pub(crate) fn take(&mut self, points: i64, fate: Fate) -> Result<Vec<usize>, No> {
        self.fetch(points)?;
        let mut turn = self.in_turn(|point| point.fate == Fate::Available);
        turn.truncate(points as usize);
        self.meet(&turn, fate);
        Ok(turn)
    }

    pub(crate) fn meet(&mut self, points: &[usize], fate: Fate) {
        points.iter().for_each(|&i| self.points[i].fate = fate);
    }

    /// New points: what can be spent at once pays debt first, the lot opens with the rest.
    pub(crate) fn credit(&mut self, points: i64, origin: &Origin) {
        let pending = origin.from > self.now;
        let pays = if pending { 0 } else { points.min(self.debt) };
        self.debt -= pays;
        if points > pays {
            self.lots += 1;
            let point = Point {
                lot: self.lots,
                sale: origin.sale,
                trail: origin.trail.clone(),
                occurred: origin.occurred,
                from: origin.from,
                life: origin.life,
                fixed: origin.fixed,
                waits: pending,
                fate: if pending { Fate::Pending } else { Fate::Available },
            };
            self.points.extend(std::iter::repeat_n(point, (points - pays) as usize));
        }
    }

    /// Points that came to stand beside a debt pay it, in their turn.
    pub(crate) fn pay_debt(&mut self) {
        let pays = self.debt.min(self.available());
        self.take(pays, Fate::PaidDebt).expect("they are there");
        self.debt -= pays;
    }

    /// Held points are let go: back to their lots, or gone with them.
    pub(crate) fn release(&mut self, points: &[usize], at: Instant) {
        let (gone, alive): (Vec<usize>, Vec<usize>) = points.iter().partition(|&&i| self.is_over(i, at));
        self.meet(&alive, Fate::Available);
        self.pay_debt();
        self.meet(&gone, Fate::Expired);
    }

    /// Spent points are given back, in this order: to their lots, or, where the lot is over, in a new
    /// lot that lives some days.
    pub(crate) fn give_back(&mut self, points: &[usize]) {
        let (gone, alive): (Vec<usize>, Vec<usize>) = points.iter().partition(|&&i| self.is_over(i, self.now));
        self.meet(&alive, Fate::Available);
        self.pay_debt();
        let ends = end_of(self.book.zone, on(self.today(), self.book.return_grace_days));
        let mut old = None;
        for i in gone {
            if self.debt > 0 {
                self.debt -= 1;
                self.points[i].fate = Fate::PaidDebt;
                continue;
            }
            if old != Some(self.points[i].lot) {
                old = Some(self.points[i].lot);
                self.lots += 1;
            }
            let (lot, from, life) = (self.lots, self.now, Life::Until(ends));
            let point = &mut self.points[i];
            (point.lot, point.from, point.life, point.fixed, point.fate) = (lot, from, life, true, Fate::Available);
        }
    }

    /// The instant from which points of a life, earned at an instant, can no longer be spent, if the
    /// member does nothing. Nobody is idle towards points that were not there yet.
    pub(crate) fn over_at(&self, life: Life, occurred: Instant) -> Option<Instant> {
        match life {
            Life::Ever => None,
            Life::Until(at) => Some(at),
            Life::Idle(months) => {
                let zone = self.book.zone;
                Some(end_of(zone, months_on(day_of(zone, self.active.max(occurred)), months)))
            }
        }
    }

    fn is_over(&self, point: usize, at: Instant) -> bool {
        let point = &self.points[point];
        self.over_at(point.life, point.occurred).is_some_and(|over| over <= at)
    }

    /// The lives of the points that are free, and when they were earned.
    pub(crate) fn lives(&self) -> BTreeSet<(Life, Instant)> {
        let free = self.points.iter().filter(|point| point.free());
        let mut lives: Vec<_> = free.map(|point| (point.life, point.occurred)).collect();
        // The points of a lot lie together and are alike.
        lives.dedup();
        BTreeSet::from_iter(lives)
    }

    /// Expiry takes what is free of whatever is over by an instant.
    pub(crate) fn expire(&mut self, at: Instant) {
        for (life, occurred) in self.lives() {
            if self.over_at(life, occurred).is_some_and(|over| over <= at) {
                let gone = self.in_turn(|point| point.free() && (point.life, point.occurred) == (life, occurred));
                self.meet(&gone, Fate::Expired);
            }
        }
    }

    /// The life of points by a rule, counted from when they became available.
    pub(crate) fn life(&self, rule: &Expiry, from: Instant) -> Life {
        let zone = self.book.zone;
        let day = day_of(zone, from);
        let last = match rule {
            Expiry::Never => return Life::Ever,
            Expiry::Idle(months) => return Life::Idle(*months),
            Expiry::After(months, part) => last_of(*part, months_on(day, *months)),
            Expiry::OnDates(dates, at_least) => {
                let mut last = months_on(day, *at_least);
                while !dates.iter().any(|&date| kept_in(chrono::Datelike::year(&last), date, false) == last) {
                    last = on(last, 1);
                }
                last
            }
        };
        Life::Until(end_of(zone, last))
    }

    /// The member was active: what lapses by inactivity lives on.
    pub(crate) fn was_active(&mut self, counts: bool, at: Instant) {
        if counts {
            self.active = self.active.max(at);
        }
    }

    /// Open lots take the rule of a tier that is held from an instant on. Nothing lapses before it.
    pub(crate) fn take_rule_of(&mut self, tier: usize, at: Instant) {
        let ladder = &self.book.ladder;
        if !ladder.lots_take || ladder.levels.iter().all(|level| level.expiry.is_none()) {
            return;
        }
        let rule = self.book.expiry_at(tier).clone();
        let open: BTreeSet<i64> = self.points.iter().filter(|p| p.free() && !p.fixed).map(|p| p.lot).collect();
        for lot in open {
            let point = self.points.iter().find(|point| point.lot == lot).expect("of an open lot");
            let (from, old) = (point.from, point.life);
            let life = match self.life(&rule, from) {
                Life::Until(over) => Life::Until(over.max(at)),
                life => life,
            };
            if matches!(life, Life::Idle(_)) && life != old {
                self.active = self.active.max(at);
            }
            self.points.iter_mut().filter(|point| point.lot == lot).for_each(|point| point.life = life);
        }
    }
}
