//! Accruals per second over HTTP against what pgbench gets for the same rows without any HTTP.
//!
//! *P* is pgbench with 8 clients, each accrual six prepared statements in a transaction of its own
//! (`pgbench.rs`). *H* is `tessera serve` in its release build, asked by a closed loop of keep-alive
//! connections: JSON, a signed token, a fresh `Idempotency-Key`, a receipt of one line, members
//! drawn uniformly. Both work on one durable PostgreSQL with the settings we ship, as the same role,
//! one after the other, the order reversed in every second round.
//!
//! Rates of two moments on a machine that others use cannot be compared, so that the result is the
//! median of the ratios within each round. Beside each stand the CPU time of an accrual, which
//! hardly depends on the neighbours, and how much of the machine they took.
//!
//! ```text
//! cargo bench --bench http_vs_pgbench -- [--quick] [--json] [--rounds 3] [--seconds 5]
//! ```

#![expect(clippy::float_arithmetic, reason = "ratios are measured, not money")]

mod cpu;
mod load;
mod pgbench;
mod report;
mod stage;

use std::time::Duration;

use clap::Parser;

use crate::cpu::Meter;
use crate::report::{Cell, Report};
use crate::stage::Stage;

/// Accruals over HTTP against pgbench, in turn on one private durable PostgreSQL
#[derive(Debug, Parser)]
struct Args {
    /// Rounds; each measures everything once
    #[arg(long, env = "TESSERA_BENCH_ROUNDS", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds of each measurement
    #[arg(long, env = "TESSERA_BENCH_SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Keep-alive connections over HTTP
    #[arg(long, env = "TESSERA_BENCH_CONNECTIONS", value_delimiter = ',', default_values_t = [64, 256])]
    connections: Vec<usize>,
    /// Clients of pgbench
    #[arg(long, default_value_t = 8)]
    clients: u32,
    /// Members, and accounts of pgbench
    #[arg(long, env = "TESSERA_BENCH_MEMBERS", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..))]
    members: u32,
    /// Two rounds of two seconds: to see that it works
    #[arg(long)]
    quick: bool,
    /// One JSON line instead of a table
    #[arg(long)]
    json: bool,
    /// What cargo passes to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

/// Before each measurement over HTTP: connections are made and the first batches have grown.
const WARM_UP: Duration = Duration::from_millis(500);

fn main() -> anyhow::Result<()> {
    let mut args = Args::parse();
    if args.quick {
        (args.rounds, args.seconds) = (2, 2);
    }
    let pgbench = pgbench::find()?;
    let stage = Stage::set(args.members)?;
    let meter = Meter::new(stage.postmaster(), stage.server());
    let bench = pgbench::Pgbench::prepare(pgbench, &stage, args.clients, args.members)?;
    let target = stage.sign_in()?;

    // Unmeasured: caches fill, and the first change of a page after a checkpoint has its image logged.
    stage.checkpoint()?;
    let measured = Duration::from_secs(args.seconds);
    say("warming up");
    bench.run(&meter, &stage, measured)?;
    for &connections in &args.connections {
        load::run(&target, connections, WARM_UP, measured, &meter, &stage)?;
    }

    let mut report = Report::new(args.clients, &args.connections);
    for round in 1..=args.rounds {
        // None is pgbench.
        let mut order: Vec<Option<usize>> = vec![None];
        order.extend(args.connections.iter().copied().map(Some));
        if round % 2 == 0 {
            order.reverse();
        }
        for who in order {
            let cell: Cell = match who {
                None => bench.run(&meter, &stage, measured)?,
                Some(connections) => load::run(&target, connections, WARM_UP, measured, &meter, &stage)?,
            };
            say(&format!("round {round}/{}: {}: {}", args.rounds, report::name(who, args.clients), cell));
            report.add(who, cell);
        }
    }
    report.print(args.json)?;
    stage.strike()
}

/// Progress, for whoever watches.
fn say(line: &str) {
    eprintln!("{line}");
}
