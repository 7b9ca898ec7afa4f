//! `tessera programme plan FILE --simulate`: what the file would have given for the purchases of the past.

use tessera_rules::Programme;
use tessera_rules::simulate::Simulation;
use tessera_rules::tier::Span;
use tessera_rules::time::{Day, add_days};

use crate::api::simulated::SimulationView;
use crate::cli::desk::Desk;
use crate::cli::output;
use crate::engine::simulate;
use crate::store;

/// Days looked at where nothing is said, today included.
const QUARTER: i64 = 91;

/// Which days, as they were asked for.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Asked {
    /// Replay the purchases of the past under the file, and print what would have been given
    #[arg(long)]
    simulate: bool,
    /// The first local day to look at; 91 days where nothing is said
    #[arg(long, value_name = "YYYY-MM-DD", requires = "simulate")]
    from: Option<Day>,
    /// The last local day to look at; today where nothing is said
    #[arg(long, value_name = "YYYY-MM-DD", requires = "simulate")]
    to: Option<Day>,
}

/// Simulates a file where that is asked for.
pub(super) fn run(
    desk: &Desk,
    in_force: &Programme,
    tried: &Programme,
    asked: Asked,
) -> anyhow::Result<Option<SimulationView>> {
    if !asked.simulate {
        return Ok(None);
    }
    anyhow::ensure!(tried.currency == in_force.currency, "purchases of the past are in {}", in_force.currency.code());
    let to = asked.to.unwrap_or_else(|| tried.time_zone.day_of(desk.clock.now()));
    let from = asked.from.unwrap_or_else(|| add_days(to, 1 - QUARTER));
    anyhow::ensure!(from <= to, "--to must not be before --from");
    let mut simulation = Simulation::new(tried, in_force, Span { from, to }, &[]);
    let bar = output::progress(desk.pool.blocking(store::member::count)?.unsigned_abs(), "simulating");
    let mut after = None;
    loop {
        let page = desk.pool.blocking(|conn| store::simulate::page(conn, after, None))?;
        let members = page.members.len() as u64;
        after = simulate::replay(&mut simulation, in_force, page)?;
        bar.inc(members);
        if after.is_none() {
            bar.finish_and_clear();
            return Ok(Some(SimulationView::of(tried, (from, to), simulation.report(), None)?));
        }
    }
}
