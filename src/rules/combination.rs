//! Which of several coupons count in a purchase, and what each takes off.
//!
//! Two ways: as they are shown ([`by_priority`]: all that go together, the lower priority first), or the
//! combination that makes the price lowest ([`best`]). Neither depends on the order in which they come.

use crate::amount::{Minor, OutOfRange};
use crate::basket::Basket;
use crate::coupon::{Applied, Typed};
use crate::discount::Stage;

/// Up to so many coupons every combination is looked at; beyond, the search is greedy.
pub const EXACT_UP_TO: usize = 12;

/// A coupon that would take something off alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate<'a> {
    pub(crate) typed: Typed<'a>,
    /// The most it can take off beside whatever others, in minor units.
    most: i64,
}

impl<'a> Candidate<'a> {
    /// A coupon with what it takes off alone.
    pub(crate) fn new(typed: Typed<'a>, alone: Minor, basket: &Basket<'_>) -> Self {
        let discount = &typed.of.discount;
        // What goes by units can take off more beside another: the units left to it may be dearer ones.
        // Everything else takes off the less the less is left.
        let by_units = basket.spend(&discount.goods).min(discount.cap.unwrap_or(Minor::MAX));
        let most = if discount.stage() == Stage::Units { by_units } else { alone };
        Self { typed, most: most.get() }
    }
}

/// The coupons that count of candidates in their order of application, with what each takes off: where
/// two cannot be combined, the one of lower priority.
pub(crate) fn by_priority(basket: &Basket<'_>, candidates: &[Candidate<'_>]) -> Result<Vec<Applied>, OutOfRange> {
    let mut standing: Vec<usize> = (0..candidates.len()).collect();
    standing.sort_by_key(|&i| (candidates[i].typed.of.priority, i));
    loop {
        let mut chosen: Vec<usize> = Vec::new();
        for &i in &standing {
            if chosen.iter().all(|&j| candidates[i].typed.goes_with(&candidates[j].typed)) {
                chosen.push(i);
            }
        }
        chosen.sort_unstable();
        let applied = apply(basket, candidates, &chosen)?;
        // One to which the others left nothing does not count, and so stands in nobody's way.
        let idle: Vec<usize> = chosen.iter().zip(&applied).filter(|(_, one)| one.is_none()).map(|(&i, _)| i).collect();
        if idle.is_empty() {
            return Ok(applied.into_iter().flatten().collect());
        }
        standing.retain(|i| !idle.contains(i));
    }
}

/// The coupons that make the price lowest; of combinations with the same price that of the fewest coupons,
/// then the one with the earliest in order of application.
///
/// Up to [`EXACT_UP_TO`] candidates this is the best of all combinations. Of more, the one that lowers the
/// price most is added again and again until none does; that is never worse than any coupon alone.
pub(crate) fn best(basket: &Basket<'_>, candidates: &[Candidate<'_>]) -> Result<Vec<Applied>, OutOfRange> {
    let chosen = if candidates.len() <= EXACT_UP_TO {
        let mut search = Search::new(candidates);
        search.from(0, basket, 0)?;
        search.best
    } else {
        greedy(basket, candidates)?
    };
    Ok(apply(basket, candidates, &chosen)?.into_iter().flatten().collect())
}

/// What each of the chosen takes off, in order of application.
fn apply(
    basket: &Basket<'_>,
    candidates: &[Candidate<'_>],
    chosen: &[usize],
) -> Result<Vec<Option<Applied>>, OutOfRange> {
    let mut basket = basket.clone();
    let take = |&i: &usize| {
        let Typed { of, coupon } = candidates[i].typed;
        Applied::new(of, coupon, basket.take(&of.discount)?)
    };
    chosen.iter().map(take).collect()
}

/// A walk through all combinations: coupons are taken or left one after the other in their order of
/// application, so that combinations that begin alike share their beginning.
struct Search<'a> {
    candidates: &'a [Candidate<'a>],
    /// The most that candidates from a position on can take off together.
    rest: Vec<i128>,
    chosen: Vec<usize>,
    best: Vec<usize>,
    /// What the best takes off.
    most: i128,
}

impl<'a> Search<'a> {
    fn new(candidates: &'a [Candidate<'a>]) -> Self {
        let mut rest = vec![0; candidates.len() + 1];
        for (i, candidate) in candidates.iter().enumerate().rev() {
            rest[i] = rest[i + 1] + i128::from(candidate.most);
        }
        Self { candidates, rest, chosen: Vec::new(), best: Vec::new(), most: 0 }
    }

    /// Looks at every combination of what is chosen so far, which takes `off` off, with those from `next` on.
    fn from(&mut self, next: usize, basket: &Basket<'_>, off: i128) -> Result<(), OutOfRange> {
        if off + self.rest[next] < self.most {
            return Ok(());
        }
        let Some(candidate) = self.candidates.get(next) else {
            if off > self.most || off == self.most && self.chosen.len() < self.best.len() {
                (self.most, self.best) = (off, self.chosen.clone());
            }
            return Ok(());
        };
        if self.chosen.iter().all(|&i| candidate.typed.goes_with(&self.candidates[i].typed)) {
            let mut with = basket.clone();
            let lines = with.take(&candidate.typed.of.discount)?;
            let taken: i128 = lines.iter().map(|line| i128::from(line.get())).sum();
            if taken > 0 {
                self.chosen.push(next);
                self.from(next + 1, &with, off + taken)?;
                self.chosen.pop();
            }
        }
        self.from(next + 1, basket, off)
    }
}

fn greedy(basket: &Basket<'_>, candidates: &[Candidate<'_>]) -> Result<Vec<usize>, OutOfRange> {
    let mut chosen: Vec<usize> = Vec::new();
    let mut most = 0_i128;
    loop {
        let mut found: Option<(i128, Vec<usize>)> = None;
        for (i, candidate) in candidates.iter().enumerate() {
            let fits = |&j: &usize| j != i && candidate.typed.goes_with(&candidates[j].typed);
            if !chosen.iter().all(fits) {
                continue;
            }
            let mut with = chosen.clone();
            with.push(i);
            with.sort_unstable();
            let applied = apply(basket, candidates, &with)?;
            let off: i128 = applied.iter().flatten().map(|one| i128::from(one.amount.get())).sum();
            if off > found.as_ref().map_or(most, |&(off, _)| off) {
                found = Some((off, with));
            }
        }
        match found {
            Some(better) => (most, chosen) = better,
            None => return Ok(chosen),
        }
    }
}
