//! `tessera programme apply FILE --on DAY`, `scheduled` and `withdraw`: the programme that waits for its
//! day.

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;
use tessera_rules::Programme;
use tessera_rules::document::Document as _;
use tessera_rules::time::{Day, Instant};

use super::ProgrammeFile;
use crate::cli::desk::Desk;
use crate::cli::output;
use crate::cli::staff::OPERATOR;
use crate::engine::configure;
use crate::engine::schedule::{self, Plan, ScheduleError};
use crate::store::schedule::find;

/// Says no to a day that has begun.
pub(super) fn ahead(in_force: &Programme, now: Instant, on: Day) -> anyhow::Result<()> {
    let today = in_force.time_zone.day_of(now);
    anyhow::ensure!(on > today, "the day must lie ahead: it is {today} in {}", in_force.time_zone.0);
    Ok(())
}

/// Schedules a file, instead of whatever is scheduled.
pub(super) fn apply(path: &Path, on: Day, expect: Option<i64>, json: bool) -> anyhow::Result<ExitCode> {
    let file = ProgrammeFile::read(path)?;
    let desk = Desk::open()?;
    let at = desk.clock.now();
    let scheduled = desk.pool.blocking(|conn| {
        let base = match expect {
            Some(version) => version,
            None => configure::current(conn)?.map_or(0, |(version, _)| version),
        };
        let instead_of = find(conn)?.map(|row| row.number);
        let plan = Plan { base, on, programme: &file.programme, instead_of };
        Ok(schedule::schedule(conn, &plan, at, OPERATOR).map(|_| base))
    })?;
    desk.close()?;
    match scheduled {
        Ok(base) if json => output::result(json!({ "version": base, "effective_on": on, "problems": [] }))?,
        Ok(base) => output::result(format_args!("version {base} stays in force until {on}, when this follows it"))?,
        Err(ScheduleError::Problems(problems)) => {
            if json {
                output::result(json!({ "version": null, "effective_on": null, "problems": file.listed(&problems) }))?;
            } else {
                file.tell(&problems);
            }
            return Ok(ExitCode::FAILURE);
        }
        Err(ScheduleError::Conflict { current: None }) => {
            anyhow::bail!("no programme has been applied yet: the first cannot wait for its day")
        }
        Err(ScheduleError::Conflict { current: Some(current) }) => {
            anyhow::bail!("version {current} is in force by now: look at it and plan again")
        }
        Err(error) => return Err(error.into()),
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints what is scheduled.
pub(super) fn show(json: bool) -> anyhow::Result<ExitCode> {
    let desk = Desk::open()?;
    let found = desk.pool.blocking(|conn| Ok((find(conn)?, crate::store::programme::current_version(conn)?)))?;
    desk.close()?;
    let (Some(row), current) = found else { anyhow::bail!("no programme is scheduled") };
    if json {
        let (on, document) = (row.effective_on, row.document);
        output::result(json!({ "effective_on": on, "base": row.base, "refusal": row.refusal, "programme": document }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let (on, base) = (row.effective_on, row.base);
    let state = match &row.refusal {
        Some(refusal) => format!("refused on its day: {refusal}"),
        None if current != Some(base) => format!("overtaken by version {}: it will be refused", current.unwrap_or(0)),
        None => format!("made on version {base}"),
    };
    let programme = Programme::read_from(row.document)?;
    output::result(format_args!(
        "# from {on} on, {state}\n{}",
        toml::to_string_pretty(programme.to_write())?.trim_end()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Takes away what is scheduled.
pub(super) fn withdraw(json: bool) -> anyhow::Result<ExitCode> {
    let desk = Desk::open()?;
    let at = desk.clock.now();
    let gone = desk.pool.blocking(|conn| match find(conn)? {
        Some(row) => schedule::withdraw(conn, row.number, at, OPERATOR),
        None => Ok(None),
    })?;
    desk.close()?;
    let Some(row) = gone else { anyhow::bail!("no programme is scheduled") };
    if json {
        output::result(json!({ "effective_on": row.effective_on, "base": row.base }))?;
    } else {
        output::result(format_args!("withdrawn: what was to follow version {} on {}", row.base, row.effective_on))?;
    }
    Ok(ExitCode::SUCCESS)
}
