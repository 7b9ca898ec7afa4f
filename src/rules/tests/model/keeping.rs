//! Points kept with another member: those of a household with its head, those of an account that was
//! merged with the one that stays (docs/households.md). Every point remembers the lots it has left, and
//! goes back the way it came.

use super::calendar::Instant;
use super::points::{Fate, Life, Origin, Point};
use super::{Member, No};

/// Why points are kept with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// Both are one person.
    Merged,
    /// One household, whose points the member may spend or not.
    Household { may_spend: bool },
}

impl Member {
    /// What is within his reach: his own and, past his own debt, what is kept for him.
    pub(crate) fn reach(&self) -> i64 {
        let kept = self.beside.as_ref().map_or(0, |keeper| (keeper.reach() - self.debt).max(0));
        self.available() + kept
    }

    /// What he lacks to so many points comes from whoever keeps them, soonest-expiring first.
    pub(crate) fn fetch(&mut self, points: i64) -> Result<(), No> {
        if self.available() >= points {
            return Ok(());
        }
        if self.reach() < points {
            return Err(No::Points);
        }
        let lacks = points - self.available() + self.debt;
        let mut keeper = self.beside.take().expect("it is within reach");
        let taken = keeper.take(lacks, Fate::Given)?;
        keeper.was_active(keeper.book.activities.1, self.now);
        self.arrive(&keeper.copies(&taken), Some(keeper.me));
        self.beside = Some(keeper);
        Ok(())
    }

    /// Everything that is free goes to whoever keeps it, and the debt of an account that was merged.
    pub(crate) fn hand_over(&mut self) {
        let Some((_, why)) = self.keeper else { return };
        let mut keeper = self.beside.take().expect("he is here");
        if why == Why::Merged {
            keeper.debt += std::mem::take(&mut self.debt);
            keeper.pay_debt();
        }
        for fate in [Fate::Pending, Fate::Available] {
            let gone = self.lot_by_lot(|point| point.fate == fate);
            self.meet(&gone, Fate::Given);
            keeper.arrive(&self.copies(&gone), Some(self.me));
            keeper.was_active(!gone.is_empty() && keeper.book.activities.0, self.now);
        }
        keeper.hand_over();
        self.beside = Some(keeper);
    }

    /// So many of his points come home from whoever keeps them: pending ones first, then in the order
    /// in which they are spent. How many there were.
    pub(crate) fn bring_home(&mut self, his: &dyn Fn(&Point) -> bool, most: i64) -> i64 {
        let Some(mut keeper) = self.beside.take() else { return 0 };
        keeper.bring_home(his, most - keeper.count(|point| point.free() && his(point)).min(most));
        let mut came = 0;
        for fate in [Fate::Pending, Fate::Available] {
            let mut home = keeper.in_turn(|point| point.fate == fate && his(point));
            home.truncate((most - came) as usize);
            keeper.meet(&home, Fate::Given);
            self.arrive(&keeper.copies(&home), Some(keeper.me));
            came += home.len() as i64;
        }
        self.beside = Some(keeper);
        came
    }

    /// Points of another member come, lot by lot: to the lot they had left here, unless that has
    /// another life by now, or else in a new one. Without `from` they are given for good.
    pub(crate) fn arrive(&mut self, points: &[Point], from: Option<usize>) {
        for lot in points.chunk_by(|one, next| one.lot == next.lot) {
            let Point { sale, mut occurred, from: since, life, fixed, .. } = lot[0];
            // Nobody was idle towards points that were not his yet.
            if from.is_none() && matches!(life, Life::Idle(_)) {
                occurred = self.now;
            }
            let mut trail = lot[0].trail.clone();
            let home = trail.pop_if(|(who, _)| *who == self.me).map(|(_, lot)| lot).filter(|_| from.is_some());
            match from {
                Some(from) if home.is_none() => trail.push((from, lot[0].lot)),
                Some(_) => {}
                None => trail.clear(),
            }
            if let Some(home) = home.filter(|&home| self.of_lot(home) == (life, fixed, lot[0].waits)) {
                let fate = if lot[0].waits { Fate::Pending } else { Fate::Available };
                let back = Point { lot: home, trail, fate, ..lot[0].clone() };
                self.points.extend(std::iter::repeat_n(back, lot.len()));
                self.pay_debt();
            } else {
                let sale = sale.filter(|_| from.is_some());
                self.credit(lot.len() as i64, &Origin { sale, trail, occurred, from: since, life, fixed });
            }
        }
    }

    /// What a lot says of all its points: how long they live, whatever the tier, and whether they wait.
    fn of_lot(&self, lot: i64) -> (Life, bool, bool) {
        let point = self.points.iter().find(|point| point.lot == lot).expect("what has left is remembered");
        (point.life, point.fixed, point.waits)
    }

    pub(crate) fn copies(&self, points: &[usize]) -> Vec<Point> {
        points.iter().map(|&i| self.points[i].clone()).collect()
    }

    fn lot_by_lot(&self, which: impl Fn(&Point) -> bool) -> Vec<usize> {
        let mut found: Vec<usize> = (0..self.points.len()).filter(|&i| which(&self.points[i])).collect();
        found.sort_by_key(|&i| self.points[i].lot);
        found
    }

    /// Something for the member and for each who keeps his points.
    pub(crate) fn each(&mut self, does: &mut dyn FnMut(&mut Self)) {
        does(self);
        if let Some(keeper) = &mut self.beside {
            keeper.each(does);
        }
    }

    /// The clock reaches whoever keeps his points, then him, and what it has freed goes there at once.
    pub(crate) fn settle_all(&mut self, now: Instant) {
        if let Some(keeper) = &mut self.beside {
            keeper.settle_all(now);
        }
        self.settle(now);
        if self.beside.is_some() {
            self.hand_over();
        }
    }
}
