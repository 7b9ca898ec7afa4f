//! After a change of the programme: whoever holds a tier above the lowest is settled once under the new
//! rules, as of when they came into force, so that his standing says when these look at his tier. Else the
//! old rules' day would count until a command met him, and that may be never.

use serde_json::Value;
use tessera_rules::Command;
use tessera_rules::id::MemberId;
use tessera_rules::time::Instant;

use super::flight::Flight;
use super::settle::submission;
use super::{Done, GoOn};
use crate::engine::{Engine, Failure, Versioned};
use crate::store::db::Connection;
use crate::store::{Error, job, member, programme};

/// The job's name; with a version of the programme behind it, also in the table of runs.
pub const NAME: &str = "take_up";

/// Members fetched at a time; after each page the run notes how far it came.
const PAGE: i64 = 1_000;

/// Settles whom a version of the programme may lower, where it has other tiers than the one before it. A
/// version that was taken up is not taken up again.
///
/// # Errors
/// What the engine or the database says; the next run goes on from the last page.
pub fn run(engine: &Engine, in_force: &Versioned, go_on: GoOn<'_>) -> Result<Done, Failure> {
    let mut done = Done::default();
    let mark = mark(in_force.version);
    let last = engine.pool().blocking(|conn| job::last_run(conn, &mark))?;
    if last.as_ref().is_some_and(|run| run.done_at.is_some()) {
        return Ok(done);
    }
    let Some(since) = engine.pool().blocking(|conn| to_take_up(conn, in_force.version))? else { return Ok(done) };
    let day = in_force.programme.time_zone.day_of(since);
    let lowest = &in_force.programme.tier(0).code;
    let mut after = last.and_then(|run| run.position);
    let mut flight = Flight::new(engine);
    loop {
        if !go_on() {
            done.cut_short = true;
            return Ok(done);
        }
        let page = engine.pool().blocking(|conn| member::above(conn, lowest, after, PAGE))?;
        let Some(last) = page.last().copied() else { break };
        for id in page {
            flight.send(submission(MemberId::new(id), Command::Settle, since))?;
            done.members += 1;
        }
        done.failed = flight.finish()?.failed;
        after = Some(last);
        engine.pool().blocking(|conn| job::note(conn, &mark, day, after, None))?;
    }
    engine.pool().blocking(|conn| job::note(conn, &mark, day, after, Some(since)))?;
    Ok(done)
}

fn mark(version: i64) -> String {
    format!("{NAME} {version}")
}

/// Since when a version is in force that has other tiers than the last one taken up. One with the same
/// tiers is taken up by noting so.
fn to_take_up(conn: &mut Connection, version: i64) -> Result<Option<Instant>, Error> {
    let Some((document, since)) = programme::version(conn, version)? else { return Ok(None) };
    let tiers = |document: &Value| [document["tiers"].clone(), document["time_zone"].clone()];
    for earlier in (1..version).rev() {
        let Some((before, _)) = programme::version(conn, earlier)? else { break };
        if tiers(&before) != tiers(&document) {
            return Ok(Some(since));
        }
        if job::last_run(conn, &mark(earlier))?.is_some_and(|run| run.done_at.is_some()) {
            break;
        }
    }
    job::note(conn, &mark(version), since.date_naive(), None, Some(since))?;
    Ok(None)
}
