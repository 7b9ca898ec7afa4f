//! The command line: one file a subcommand.
//!
//! Manners: results on standard output, messages on standard error, `--json` for programs, progress
//! bars only on a terminal, secrets never in arguments. Exit codes: 0 done, 1 not done, 2 misused.
//!
//! Nothing here decides about points; what moves them goes through the engine like everything else.

pub mod bench;
pub mod demo;
pub mod desk;
pub mod import;
mod jobs;
mod keys;
mod migrate;
mod openapi;
pub mod output;
mod programme;
mod secret;
mod serve;
mod staff;
pub mod verify;

use std::io::ErrorKind;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Points and tiers for shops: a loyalty programme backend.
#[derive(Debug, Parser)]
#[command(name = "tessera", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Settings: config/local.toml, or TESSERA__SECTION__KEY in the environment. \
    DATABASE_URL names the database; without it a private PostgreSQL is started below .tessera.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try everything: sample programme, members and a year of purchases, then serve
    Demo(demo::Args),
    /// Serve the API until SIGTERM or Ctrl-C
    Serve,
    /// Bring the database's schema up to date
    Migrate(migrate::Args),
    /// Show, plan or apply the programme as a TOML file
    Programme(programme::Args),
    /// Manage who may sign in at tills and in the back office
    Staff(staff::Args),
    /// Import members or purchases from a file
    Import(import::Args),
    /// Recompute the whole ledger and compare
    Verify(verify::Args),
    /// Run a job by hand
    Jobs(jobs::Args),
    /// Manage the keys that sign access tokens
    Keys(keys::Args),
    /// Measure this machine: sixteen ratios, most against what PostgreSQL does without us
    Bench(bench::Args),
    /// Print the OpenAPI document
    Openapi,
}

/// Parses the arguments of the process, runs the command and says how it went.
pub fn main() -> ExitCode {
    match dispatch(Cli::parse().command) {
        Ok(code) => code,
        // Whoever read our output has read enough: `tessera openapi | head`.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::message(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Demo(args) => demo::run(&args),
        Command::Serve => serve::run(),
        Command::Migrate(args) => migrate::run(&args),
        Command::Programme(args) => programme::run(args),
        Command::Staff(args) => staff::run(args),
        Command::Import(args) => import::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Jobs(args) => jobs::run(&args),
        Command::Keys(args) => keys::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Openapi => openapi::run(),
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
