//! `tessera bench`: sixteen measurements, most of them ratios against what PostgreSQL does for the
//! same without us.
//!
//! Rates of two moments on a machine that others use cannot be compared. So both sides of a row are
//! measured in turn, the order reversed in every second round, and the row is the median of the
//! ratios within each round. Beside it stand the CPU time of one operation, which hardly depends on
//! the neighbours, and how much of the machine those took.
//!
//! It works on a private durable PostgreSQL of its own, below a directory of its own, and never looks
//! at `DATABASE_URL`. The servers it asks are this same binary, as processes of their own.
//!
//! - [`rows`]: what is measured and what is expected of it. [`report`]: medians, the table, the JSON.
//! - `stage`, `house`: the cluster, and a server with programme and members on it.
//! - `load`, `poll`, `http`: who asks over HTTP. `pgbench`: the other side. `cpu`: who spent how much.
//! - The other files hold a row or a few.

#![expect(clippy::float_arithmetic, reason = "ratios are measured, not points or money")]

mod accruals;
mod baskets;
mod cpu;
mod history;
mod house;
mod http;
mod imports;
mod jobs;
mod load;
mod logins;
mod pgbench;
mod poll;
mod queue;
mod reads;
mod redemptions;
pub mod report;
pub mod rows;
mod size;
mod skew;
mod stage;
mod turns;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;

use self::report::{Measured, Report};
use self::rows::Row;
use self::stage::Stage;
use super::output;

/// What `tessera bench` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "Measures on a private durable PostgreSQL of its own, never on DATABASE_URL. \
    The whole takes half an hour or so; --quick less than five minutes.")]
pub struct Args {
    /// Rows by number or name; all of them where none is named
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Print what can be measured, and measure nothing
    #[arg(long)]
    list: bool,
    /// Three rounds of two seconds of the rows that take no preparation; the others are skipped
    #[arg(long)]
    quick: bool,
    /// One JSON line: {"results":[{"row","name","ratio","must","aim","met","aim_met","skipped","cpu_us","other_load"}]}
    #[arg(long)]
    json: bool,
    /// Exit with 1 where a row misses what it must reach
    #[arg(long)]
    check: bool,
    /// Rounds; each measures both sides of a row once [default: 5, quick: 3]
    #[arg(long, value_parser = RangedU64ValueParser::<u32>::new().range(1..=100))]
    rounds: Option<u32>,
    /// Seconds of each measurement [default: 5, quick: 2]
    #[arg(long, value_parser = seconds)]
    seconds: Option<Duration>,
    /// Members of each programme, and accounts of pgbench
    #[arg(long, default_value_t = 20_000, value_parser = RangedU64ValueParser::<u32>::new().range(10..=1_000_000))]
    members: u32,
    /// Where the cluster is kept while it is needed: a disk like the one you want to know about
    #[arg(long, value_name = "DIR", default_value = ".tessera/bench")]
    dir: PathBuf,
}

/// How long and on how much is measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    rounds: u32,
    measured: Duration,
    /// Before each measurement over HTTP: connections are made and the first batches have grown.
    warm_up: Duration,
    members: u32,
}

impl Args {
    fn plan(&self) -> Plan {
        let (rounds, seconds) = if self.quick { (3, 2) } else { (5, 5) };
        let measured = self.seconds.unwrap_or(Duration::from_secs(seconds));
        Plan {
            rounds: self.rounds.unwrap_or(rounds),
            measured,
            warm_up: measured.min(Duration::from_millis(500)),
            members: self.members,
        }
    }

    fn leaves_out(&self, row: &Row) -> bool {
        self.quick && !row.quick
    }
}

/// A time to measure: less than a tenth of a second tells nothing.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds".to_owned())?;
    if (0.1..=600.0).contains(&seconds) { Ok(Duration::from_secs_f64(seconds)) } else { Err("0.1 to 600".to_owned()) }
}

/// Measures.
///
/// # Errors
/// A row nobody knows, or the cluster does not start. What goes wrong within a row is told with it.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let chosen = rows::choose(&args.names)?;
    if args.list {
        for row in chosen {
            output::result(format_args!("{:>2}  {:<18} {}", row.number, row.name, row.what))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let todo = chosen.iter().filter(|row| !args.leaves_out(row)).count();
    let mut report = Report::default();
    if todo > 0 {
        let bar = output::progress(todo as u64, "measuring");
        let mut stage = Stage::set(&args.dir, args.plan(), bar)?;
        for row in chosen {
            report.add(row, if args.leaves_out(row) { left_out() } else { stage.measure(row) });
        }
        stage.strike()?;
    } else {
        chosen.iter().for_each(|row| report.add(row, left_out()));
    }
    output::result(if args.json { report.json().to_string() } else { report.table() })?;
    let wrong = report.failed() || args.check && report.misses();
    Ok(if wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn left_out() -> Measured {
    Measured::Skipped("left out by --quick".to_owned())
}
