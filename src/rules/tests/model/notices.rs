//! Notices: what members are warned of before it happens (PROGRAMME.md §5 and §6). The clock is let run
//! ahead, to see.

use super::Member;
use super::book::Validity;
use super::calendar::{Day, Instant, day_of, end_of, on};
use super::points::Fate;

/// A warning that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) of: Warning,
    /// When it happens.
    pub(crate) due: Instant,
    /// So many days ahead.
    pub(crate) lead: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Warning {
    /// So many points lapse.
    Points(i64),
    /// A tier falls to another, for want of so much.
    Tier(usize, usize, i64),
}

impl Warning {
    pub(crate) fn word(self) -> &'static str {
        if matches!(self, Self::Points(_)) { "points warned of" } else { "tier warned of" }
    }

    fn is_like(self, other: Self) -> bool {
        matches!(self, Self::Points(_)) == matches!(other, Self::Points(_))
    }
}

impl Member {
    /// Gives every warning that is due and was not given yet.
    pub(crate) fn notify(&mut self, now: Instant) -> Vec<Notice> {
        self.settle(now);
        let (points, tiers) = self.book.notices.clone();
        let furthest = points.iter().chain(&tiers).copied().max().unwrap_or(0);
        let mut given = Vec::new();
        for (due, of) in self.ahead(on(self.today(), furthest)) {
            let leads = if matches!(of, Warning::Points(_)) { &points } else { &tiers };
            given.extend(self.warning(of, due, leads));
        }
        self.notices.extend(given.clone());
        given
    }

    /// What happens to the end of a day if the member does nothing: the points that lapse at each instant,
    /// and the first fall of his tier, with what he lacks.
    fn ahead(&self, last: Day) -> Vec<(Instant, Warning)> {
        let (mut ahead, to) = (self.clone(), end_of(self.book.zone, last));
        let (mut lapses, mut fall): (Vec<(Instant, i64)>, _) = (Vec::new(), None);
        while let Some(at) = ahead.next(to) {
            let (expired, shown) = (ahead.count(|point| point.fate == Fate::Expired), ahead.tier());
            let placed = ahead.placed.is_some();
            ahead.at(at);
            let lapsed = ahead.count(|point| point.fate == Fate::Expired) - expired;
            match lapses.last_mut() {
                Some((same, sum)) if *same == at => *sum += lapsed,
                _ if lapsed > 0 => lapses.push((at, lapsed)),
                _ => {}
            }
            if fall.is_none() && ahead.tier() < shown {
                // A term ends with the window as it stood at the last instant before.
                let ends = if self.book.ladder.validity == Validity::Measured { 0 } else { 1 };
                let measure = ahead.measure_on(on(day_of(self.book.zone, at), -ends));
                let lacks = (self.book.ladder.levels[shown].threshold - measure).max(0);
                fall = Some((at, Warning::Tier(shown, ahead.tier(), if placed { 0 } else { lacks })));
            }
        }
        lapses.into_iter().map(|(at, points)| (at, Warning::Points(points))).chain(fall).collect()
    }

    /// The warning of the shortest lead that has begun, unless one of it or of a shorter one was given.
    fn warning(&self, of: Warning, due: Instant, leads: &[i64]) -> Option<Notice> {
        let day = day_of(self.book.zone, due);
        let lead = leads.iter().copied().filter(|&lead| on(day, -lead) <= self.today()).min()?;
        let told = |old: &Notice| old.of.is_like(of) && old.due == due && old.lead <= lead;
        (!self.notices.iter().any(told)).then_some(Notice { of, due, lead })
    }
}
