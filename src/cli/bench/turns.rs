//! Two sides in turn, and what is made of it.

use super::Plan;
use super::cpu::Usage;
use super::report::{Sample, Spread};

/// One measurement.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    /// Operations that were answered.
    pub(super) done: f64,
    pub(super) per_second: f64,
    /// Milliseconds.
    pub(super) p50: f64,
    pub(super) p99: f64,
    /// Bytes of log, and how often it was flushed.
    pub(super) wal_bytes: f64,
    pub(super) wal_syncs: f64,
    pub(super) usage: Usage,
}

impl Cell {
    /// Of work that is measured as a whole.
    pub(super) fn whole(done: f64, usage: Usage) -> Self {
        let per_second = done / usage.elapsed.as_secs_f64();
        Self { done, per_second, p50: 0.0, p99: 0.0, wal_bytes: 0.0, wal_syncs: 0.0, usage }
    }

    fn each(&self, time: std::time::Duration) -> f64 {
        time.as_secs_f64() * 1e6 / self.done.max(1.0)
    }

    /// CPU time of an operation in PostgreSQL and the server, in microseconds.
    pub(super) fn served(&self) -> f64 {
        self.each(self.usage.postgres + self.usage.server)
    }

    /// CPU time of an operation in PostgreSQL and whoever asks it, in microseconds.
    pub(super) fn asked(&self) -> f64 {
        self.each(self.usage.postgres + self.usage.client)
    }

    pub(super) fn rate(&self) -> f64 {
        self.per_second
    }

    pub(super) fn p50(&self) -> f64 {
        self.p50
    }

    pub(super) fn p99(&self) -> f64 {
        self.p99
    }
}

/// A side: measures itself once.
pub(super) type Side<'a> = &'a mut dyn FnMut() -> anyhow::Result<Cell>;

/// Two sides, round by round.
pub(super) struct Turns {
    pub(super) ours: Vec<Cell>,
    pub(super) theirs: Vec<Cell>,
}

impl Turns {
    /// Each side once unmeasured (caches fill, and the first change of a page after a checkpoint has its
    /// image logged), then in turn, the order reversed in every second round.
    pub(super) fn take(plan: Plan, ours: Side<'_>, theirs: Side<'_>) -> anyhow::Result<Self> {
        if plan.rounds > 1 {
            theirs()?;
            ours()?;
        }
        Self::take_cold(plan, ours, theirs)
    }

    /// As [`Turns::take`], where every measurement prepares itself.
    pub(super) fn take_cold(plan: Plan, ours: Side<'_>, theirs: Side<'_>) -> anyhow::Result<Self> {
        let mut turns = Self { ours: Vec::new(), theirs: Vec::new() };
        for round in 0..plan.rounds {
            if round % 2 == 1 {
                turns.ours.push(ours()?);
            }
            turns.theirs.push(theirs()?);
            if round % 2 == 0 {
                turns.ours.push(ours()?);
            }
        }
        Ok(turns)
    }

    /// Of each round, what one side came to ÷ the other.
    pub(super) fn ratio(&self, part: fn(&Cell) -> f64) -> Spread {
        let pairs = self.ours.iter().zip(&self.theirs);
        Spread::of(&pairs.map(|(ours, theirs)| part(ours) / part(theirs).max(f64::MIN_POSITIVE)).collect::<Vec<_>>())
    }

    /// The sample of a ratio of `part`; `unit` says of what the absolute figures are.
    pub(super) fn sample(&self, part: fn(&Cell) -> f64, unit: &str, more: &str) -> Sample {
        let ratio = self.ratio(part);
        let (ours, theirs) = (median(&self.ours, part), median(&self.theirs, part));
        let digits = if theirs < 100.0 { 2 } else { 0 };
        Sample {
            ratio: ratio.median,
            verdict: None,
            absolute: format!(
                "{ours:.digits$} {unit} ÷ {theirs:.digits$} {unit} ({:.2}–{:.2}){more}",
                ratio.least, ratio.most
            ),
            cpu_us: median(&self.ours, Cell::served),
            other_load: self.other_load(),
        }
    }

    /// The median of all measurements.
    pub(super) fn other_load(&self) -> f64 {
        let cells = self.ours.iter().chain(&self.theirs);
        Spread::of(&cells.map(|cell| cell.usage.other).collect::<Vec<_>>()).median
    }
}

pub(super) fn median(cells: &[Cell], part: fn(&Cell) -> f64) -> f64 {
    Spread::of(&cells.iter().map(part).collect::<Vec<_>>()).median
}
