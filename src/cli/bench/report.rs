//! What came of it: medians, what was met, the table and the JSON.

use serde_json::{Value, json};

use super::rows::{ROWS, Row};

/// Above this share of the machine in other hands a rate says more about them than about us, and the
/// CPU time of an operation decides.
pub const CROWDED: f64 = 60.0;

/// What a row came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The median ratio; where a row has no other side, the figure itself.
    pub ratio: f64,
    /// Whether must and aim are met, where that does not follow from the ratio alone.
    pub verdict: Option<(bool, bool)>,
    /// The absolute figures, in words.
    pub absolute: String,
    /// CPU time of one operation, PostgreSQL and whoever speaks to it, in microseconds.
    pub cpu_us: f64,
    /// The share of the machine that others took, in percent.
    pub other_load: f64,
}

/// A row was measured, or why not.
#[derive(Debug, Clone, PartialEq)]
pub enum Measured {
    /// It was.
    Sample(Sample),
    /// It was left out.
    Skipped(String),
    /// It could not be.
    Failed(String),
}

/// The rows so far.
#[derive(Default)]
pub struct Report(Vec<(&'static Row, Measured)>);

impl Report {
    /// Adds a row.
    pub fn add(&mut self, row: &'static Row, measured: Measured) {
        self.0.push((row, measured));
    }

    /// Whether a row that was measured misses what it must reach.
    pub fn misses(&self) -> bool {
        self.samples().any(|(row, sample)| !met(row, sample).0)
    }

    /// Whether a row could not be measured.
    pub fn failed(&self) -> bool {
        self.0.iter().any(|(_, measured)| matches!(measured, Measured::Failed(_)))
    }

    fn samples(&self) -> impl Iterator<Item = (&'static Row, &Sample)> {
        self.0.iter().filter_map(|(row, measured)| match measured {
            Measured::Sample(sample) => Some((*row, sample)),
            Measured::Skipped(_) | Measured::Failed(_) => None,
        })
    }

    /// `{"results": […]}`; what was not measured is `null`.
    pub fn json(&self) -> Value {
        let one = |(row, measured): &(&Row, Measured)| {
            let sample = match measured {
                Measured::Sample(sample) => Some(sample),
                Measured::Skipped(_) | Measured::Failed(_) => None,
            };
            let met = sample.map(|sample| met(row, sample));
            json!({
                "row": row.number,
                "name": row.name,
                "ratio": sample.map(|sample| rounded(sample.ratio)),
                "must": row.must,
                "aim": row.aim,
                "met": met.map(|(must, _)| must),
                "aim_met": met.map(|(_, aim)| aim),
                "skipped": sample.is_none(),
                "cpu_us": sample.map(|sample| rounded(sample.cpu_us)),
                "other_load": sample.map(|sample| rounded(sample.other_load)),
            })
        };
        json!({ "results": self.0.iter().map(one).collect::<Vec<_>>() })
    }

    /// One line a row.
    pub fn table(&self) -> String {
        let mut out = format!(
            "{:>2}  {:<14} {:>9} {:>9} {:>9}  {:<4} {:>8} {:>7}  {}\n",
            "", "", "ratio", "must", "aim", "met", "CPU µs", "other %", "absolute"
        );
        for (row, measured) in &self.0 {
            out += &line(row, measured);
            out.push('\n');
        }
        out + "met: must, then aim. CPU: of one operation. other: the share of the machine that others took."
    }
}

/// A row as one line of the table.
pub fn line(row: &Row, measured: &Measured) -> String {
    let (must, aim) = (figure(row.must), figure(row.aim));
    let head = |ratio: &str| format!("{:>2}  {:<14} {ratio:>9} {must:>9} {aim:>9}", row.number, row.name);
    let mark = |met: bool| if met { '✓' } else { '✗' };
    match measured {
        Measured::Sample(sample) => {
            let (must_met, aim_met) = met(row, sample);
            let marks = format!("{} {}", mark(must_met), mark(aim_met));
            let Sample { ratio, absolute, cpu_us, other_load, .. } = sample;
            format!("{}  {marks:<4} {cpu_us:>8.1} {other_load:>7.0}  {absolute}", head(&figure(*ratio)))
        }
        Measured::Skipped(reason) => format!("{}  skipped: {reason}", head("–")),
        Measured::Failed(reason) => format!("{}  not measured: {reason}", head("–")),
    }
}

/// Whether what must be and what should be is met.
pub fn met(row: &Row, sample: &Sample) -> (bool, bool) {
    sample.verdict.unwrap_or((row.reaches(sample.ratio, row.must), row.reaches(sample.ratio, row.aim)))
}

/// On a machine that others use, the verdict of the CPU time of an accrual (row 3) in the place of a rate's.
pub fn by_cpu(other_load: f64, cpu_ratio: f64) -> Option<(bool, bool)> {
    let row = &ROWS[2];
    (other_load > CROWDED).then(|| (row.reaches(cpu_ratio, row.must), row.reaches(cpu_ratio, row.aim)))
}

/// A ratio with two places, anything larger without.
fn figure(value: f64) -> String {
    if value < 100.0 { format!("{value:.3}") } else { format!("{value:.0}") }
}

/// To a thousandth: more is noise.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// The median and the ends of some measurements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The middle one, or the mean of the two in the middle; 0 of none.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
}

impl Spread {
    /// Of these.
    pub fn of(values: &[f64]) -> Self {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        let (Some(&least), Some(&most)) = (values.first(), values.last()) else {
            return Self { median: 0.0, least: 0.0, most: 0.0 };
        };
        let half = values.len() / 2;
        let median = if values.len() % 2 == 1 { values[half] } else { f64::midpoint(values[half - 1], values[half]) };
        Self { median, least, most }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = if self.median < 10.0 { 2 } else { 0 };
        let Self { median, least, most } = self;
        write!(f, "{median:.digits$} ({least:.digits$}–{most:.digits$})")
    }
}
