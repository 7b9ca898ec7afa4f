//! `tessera jobs run NAME`: what the clock would do, now.

use std::process::ExitCode;

use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use serde_json::json;

use super::desk::Desk;
use super::output;
use crate::jobs;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a job as of now; running it twice does nothing the second time
    Run {
        /// expire and review_tiers mean settle: both are applied in the order they fell due
        #[arg(value_parser = PossibleValuesParser::new(jobs::NAMES))]
        name: String,
        /// One JSON line: {"job","at","members","failed"}
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Command::Run { name, json } = &args.command;
    let desk = Desk::open()?;
    let engine = desk.engine()?;
    let at = desk.clock.now();
    let done = jobs::run_blocking(&engine, name, at);
    engine.drain();
    drop(engine);
    desk.close()?;
    let done = done?;
    if *json {
        output::result(json!({ "job": name, "at": at, "members": done.members, "failed": done.failed }))?;
    } else {
        output::result(format_args!("{name}: {} members, {} failed", done.members, done.failed))?;
    }
    Ok(if done.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
