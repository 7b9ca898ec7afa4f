//! `tessera programme`: the programme as a file. The same room as the admin API, by another door:
//! both append a version of the same document through `engine::configure`.

mod file;
mod moves;
mod schedule;
mod schema;
mod simulate;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};
use tessera_rules::document::Document as _;
use tessera_rules::time::Day;

pub(super) use self::file::{ProgrammeFile, parse};
use self::moves::Moves;
use super::desk::Desk;
use super::output;
use super::staff::OPERATOR;
use crate::api::simulated::SimulationView;
use crate::engine::configure::{self, Applied, ApplyError};
use crate::engine::diff;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
    /// One JSON line instead of text
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the programme in force as a TOML file
    Show,
    /// Print what applying a file would change, and which members it would move
    Plan {
        /// A programme in TOML, such as `tessera programme show` prints
        file: PathBuf,
        /// The day it is to come into force: what is printed is as of now
        #[arg(long, value_name = "YYYY-MM-DD")]
        on: Option<Day>,
        #[command(flatten)]
        simulation: simulate::Asked,
    },
    /// Put a file in force as the next version, now or on a day
    Apply {
        /// A programme in TOML, such as `tessera programme show` prints
        file: PathBuf,
        /// At the first instant of that day in the programme's time zone, instead of now; it takes the
        /// place of one that is scheduled already
        #[arg(long, value_name = "YYYY-MM-DD")]
        on: Option<Day>,
        /// Only if this version is still in force (0: none yet)
        #[arg(long, value_name = "VERSION")]
        expect: Option<i64>,
    },
    /// Print which programme waits for its day, as a TOML file
    Scheduled,
    /// Withdraw the programme that waits for its day, or take note that it was refused
    Withdraw,
    /// Print the JSON Schema of a programme file, for editors
    Schema,
}

pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Show => show(args.json),
        Command::Plan { file, on, simulation } => plan(&file, on, simulation, args.json),
        Command::Apply { file, on: None, expect } => apply(&file, expect, args.json),
        Command::Apply { file, on: Some(on), expect } => schedule::apply(&file, on, expect, args.json),
        Command::Scheduled => schedule::show(args.json),
        Command::Withdraw => schedule::withdraw(args.json),
        Command::Schema => schema::run(),
    }
}

fn show(json: bool) -> anyhow::Result<ExitCode> {
    let desk = Desk::open()?;
    let current = desk.pool.blocking(configure::current)?;
    desk.close()?;
    let Some((version, programme)) = current else {
        anyhow::bail!("no programme has been applied yet: `tessera programme apply FILE`")
    };
    if json {
        output::result(json!({ "version": version, "programme": programme }))?;
    } else {
        output::result(format_args!(
            "# version {version}\n{}",
            toml::to_string_pretty(programme.to_write())?.trim_end()
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn plan(path: &Path, on: Option<Day>, asked: simulate::Asked, json: bool) -> anyhow::Result<ExitCode> {
    let file = ProgrammeFile::read(path)?;
    let programme = &file.programme;
    let mut problems = programme.problems();
    let desk = Desk::open()?;
    let current = desk.pool.blocking(configure::current)?;
    problems.extend(current.iter().flat_map(|(_, current)| programme.life_problems(current)));
    if let (Some(on), Some((_, current))) = (on, &current) {
        schedule::ahead(current, desk.clock.now(), on)?;
    }
    let moves = match &current {
        Some((_, current)) if problems.is_empty() => moves::between(&desk, current, programme)?,
        _ => Moves::default(),
    };
    let simulation = match &current {
        Some((_, current)) if problems.is_empty() => simulate::run(&desk, current, programme, asked)?,
        _ => None,
    };
    desk.close()?;
    let (version, before) = match current {
        Some((version, current)) => (Some(version), serde_json::to_value(current)?),
        None => (None, Value::Null),
    };
    let changes = diff::between(&before, &serde_json::to_value(programme)?);
    if json {
        let (moves, problems) = (moves.to_json(), file.listed(&problems));
        output::result(
            json!({ "version": version, "changes": changes, "moves": moves, "problems": problems, "simulation": simulation }),
        )?;
    } else {
        changes.iter().try_for_each(output::result)?;
        let count = changes.len();
        match version {
            Some(version) if count == 0 => output::message(format_args!("no change to version {version}")),
            Some(version) => {
                output::message(format_args!("{count} changes to version {version}"));
                output::result(&moves)?;
            }
            None => output::message("this would be the first version"),
        }
        file.tell(&problems);
        simulation.iter().flat_map(SimulationView::lines).try_for_each(output::result)?;
    }
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn apply(path: &Path, expect: Option<i64>, json: bool) -> anyhow::Result<ExitCode> {
    let file = ProgrammeFile::read(path)?;
    let desk = Desk::open()?;
    let at = desk.clock.now();
    let applied = desk.pool.blocking(|conn| {
        Ok(configure::apply(conn, expect, &file.programme, at, OPERATOR, "programme.apply", "programme"))
    })?;
    desk.close()?;
    let applied = match applied {
        Ok(applied) => applied,
        Err(ApplyError::Problems(problems)) if json => {
            output::result(json!({ "version": null, "changed": false, "problems": file.listed(&problems) }))?;
            return Ok(ExitCode::FAILURE);
        }
        Err(ApplyError::Problems(problems)) => {
            file.tell(&problems);
            return Ok(ExitCode::FAILURE);
        }
        Err(ApplyError::Conflict { current }) => {
            anyhow::bail!("version {} is in force by now: look at it and plan again", current.unwrap_or(0))
        }
        Err(error) => return Err(error.into()),
    };
    let version = applied.version();
    let changed = matches!(applied, Applied::Version(_));
    if json {
        output::result(json!({ "version": version, "changed": changed, "problems": [] }))?;
    } else if changed {
        output::result(format_args!("version {version} is in force"))?;
    } else {
        output::result(format_args!("version {version} says the same already"))?;
    }
    Ok(ExitCode::SUCCESS)
}
