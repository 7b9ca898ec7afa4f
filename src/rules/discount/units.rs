//! Which units a discount on units takes, without laying out a million of them: units of a line are
//! alike, so lines are runs of units, and what is taken of a run is an overlap of ranges.

use super::{Off, Pick};

/// The whole units of a line that may take part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    /// Which line.
    pub(crate) line: usize,
    /// How many units.
    pub(crate) units: i64,
    /// What the line costs, in minor units, above 0 …
    pub(crate) price: i64,
    /// … and how much of the article that is, in thousandths, above 0.
    pub(crate) quantity: i64,
}

/// What is taken of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Which line.
    pub(crate) line: usize,
    /// Units that take part, and so in no other discount on units.
    pub(crate) part: i64,
    /// Units among them that are reduced.
    pub(crate) reduced: i64,
}

/// Chooses among the units of runs; `None` for a discount that does not go by units. Runs may come in
/// any order of price, but in order of lines.
pub(crate) fn choose(off: &Off, mut runs: Vec<Run>) -> Option<Vec<Taken>> {
    // Dearest unit first, ties to the earlier line: a ÷ b > c ÷ d where a × d > c × b.
    let cross = |one: &Run, other: &Run| i128::from(one.price) * i128::from(other.quantity);
    runs.sort_by(|a, b| cross(b, a).cmp(&cross(a, b)).then(a.line.cmp(&b.line)));
    let all: i128 = runs.iter().map(|run| i128::from(run.units)).sum();
    let mut before = 0;
    let mut taken = Vec::with_capacity(runs.len());
    for run in &runs {
        let places = (before, before + i128::from(run.units));
        let (part, reduced) = of_places(off, places, all)?;
        // Both are at most the units of the run.
        taken.push(Taken { line: run.line, part: part as i64, reduced: reduced as i64 });
        before = places.1;
    }
    Some(taken)
}

/// How many of the places `[from, to)` in the row of `all` units, dearest first, take part, and how
/// many of those are reduced.
fn of_places(off: &Off, places: (i128, i128), all: i128) -> Option<(i128, i128)> {
    let within = |from: i128, to: i128| (places.1.min(to) - places.0.max(from)).max(0);
    match *off {
        Off::ItemFree { units, pick } => {
            let units = i128::from(units).min(all);
            let free = match pick {
                Pick::Cheapest => within(all - units, all),
                Pick::Dearest => within(0, units),
            };
            Some((free, free))
        }
        Off::BuyGet { buy, get } => {
            let groups = all / (i128::from(buy) + i128::from(get));
            let paid = within(0, groups * i128::from(buy));
            let free = within(all - groups * i128::from(get), all);
            Some((paid + free, free))
        }
        Off::EveryNth { nth, .. } => {
            let nth = i128::from(nth);
            // Place `nth` is the last of the first group: so many last ones lie before a place.
            let reduced = places.1 / nth - places.0 / nth;
            Some((within(0, all / nth * nth), reduced))
        }
        Off::Percent { .. } | Off::Amount { .. } | Off::Steps { .. } => None,
    }
}
