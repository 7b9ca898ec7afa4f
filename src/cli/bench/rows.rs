//! The sixteen rows: what is measured, and what it must and should come to.

use super::report::Sample;
use super::stage::Stage;
use super::{accruals, baskets, history, imports, jobs, logins, queue, reads, redemptions, size, skew};

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sense {
    /// The larger the better.
    AtLeast,
    /// The smaller the better.
    AtMost,
}

/// What measures a row.
pub(super) type Measure = fn(&mut Stage) -> anyhow::Result<Sample>;

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// 1 to 16.
    pub number: u8,
    /// What it is called on the command line.
    pub name: &'static str,
    /// What is measured, in words.
    pub what: &'static str,
    /// What it must come to.
    pub must: f64,
    /// What it should come to.
    pub aim: f64,
    /// Which way is better.
    pub sense: Sense,
    /// Whether `--quick` measures it.
    pub quick: bool,
    pub(super) measure: Measure,
}

impl Row {
    /// Whether `value` is as good as `target`.
    pub fn reaches(&self, value: f64, target: f64) -> bool {
        match self.sense {
            Sense::AtLeast => value >= target,
            Sense::AtMost => value <= target,
        }
    }
}

const fn row(number: u8, name: &'static str, what: &'static str, (must, aim): (f64, f64), measure: Measure) -> Row {
    let sense = if aim < must { Sense::AtMost } else { Sense::AtLeast };
    let quick = matches!(number, 1..=5 | 8..=10 | 16);
    Row { number, name, what, must, aim, sense, quick, measure }
}

/// P is pgbench with 8 clients, six prepared statements an accrual.
pub const ROWS: [Row; 16] = [
    row(1, "accruals-64", "HTTP accruals/s at 64 connections ÷ P", (3.0, 5.0), accruals::at_64),
    row(2, "accruals-256", "HTTP accruals/s at 256 connections ÷ P", (4.0, 6.0), accruals::at_256),
    row(3, "accrual-cpu", "CPU per accrual (Postgres + server) ÷ P's (Postgres + client)", (0.25, 0.15), accruals::cpu),
    row(4, "latency-64", "p99 at 64 connections ÷ the same with a batch limit of 1", (0.5, 0.25), queue::p99),
    row(5, "latency-1", "p50 of one client ÷ the same load and store calls without a queue", (1.1, 1.0), queue::alone),
    row(6, "skew", "zipf(1.1) members and one hot promotion budget ÷ uniform", (0.95, 1.1), skew::measure),
    row(7, "size", "accruals/s with five times the members and entries ÷ without", (0.85, 0.95), size::measure),
    row(8, "redemptions", "HTTP redemptions/s ÷ pgbench calling one stored function", (2.0, 4.0), redemptions::measure),
    row(9, "balance", "balance GET/s ÷ a fixed-JSON GET of the same server", (0.2, 0.45), reads::measure),
    row(
        10,
        "baskets",
        "purchases of 9 lines with 20 live promotions ÷ 1 line with none",
        (0.35, 0.5),
        baskets::measure,
    ),
    row(11, "import", "import of purchases, rows/s ÷ COPY of the rows it writes", (0.2, 0.35), imports::measure),
    row(12, "verify", "verify, entries/s on one core", (100_000.0, 500_000.0), history::verify),
    row(13, "jobs", "lots expired and tiers reviewed ÷ the SQL that only updates the rows", (0.3, 0.5), jobs::measure),
    row(14, "simulate", "purchases/s through a draft programme", (100_000.0, 300_000.0), history::simulate),
    row(
        15,
        "login-flood",
        "p99 of purchases under 10 times the logins there is room for ÷ without",
        (2.0, 1.3),
        logins::measure,
    ),
    row(16, "wal", "bytes of WAL per accrual; and at most 0.05 fsyncs, aim 0.035", (1_800.0, 1_400.0), accruals::wal),
];

/// Rows by number or name, each once and in the order of the table; all where none is named.
///
/// # Errors
/// A name that no row has.
pub fn choose(names: &[String]) -> anyhow::Result<Vec<&'static Row>> {
    let is = |row: &Row, name: &str| row.name == name || row.number.to_string() == name;
    if let Some(unknown) = names.iter().find(|name| !ROWS.iter().any(|row| is(row, name))) {
        anyhow::bail!("there is no row {unknown}: tessera bench --list names them");
    }
    Ok(ROWS.iter().filter(|row| names.is_empty() || names.iter().any(|name| is(row, name))).collect())
}
