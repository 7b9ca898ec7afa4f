//! Perks: once a programme day, members in whose perk window the day may lie are asked about by the
//! rules, which know the tier's own window, the gates and what was granted before.

use std::collections::BTreeSet;

use chrono::Datelike;
use tessera_rules::id::MemberId;
use tessera_rules::time::{Day, Instant, add_days};
use tessera_rules::{Command, Programme};
use uuid::Uuid;

use super::flight::Flight;
use super::settle::submission;
use super::{Done, GoOn};
use crate::engine::{Engine, Failure};
use crate::store::{job, member};

/// The job's name, also in the table of runs.
pub const NAME: &str = "grant_perks";

/// Members fetched at a time; after each page the run notes how far it came.
const PAGE: i64 = 1_000;

/// Grants the perks of the programme day of `at`. A day that is done, or that lies before the last
/// one begun, is not done again; one that was cut short goes on where it stopped.
///
/// # Errors
/// What the engine or the database says; the next run goes on from the last page.
pub fn run(engine: &Engine, programme: &Programme, at: Instant, go_on: GoOn<'_>) -> Result<Done, Failure> {
    let day = programme.time_zone.day_of(at);
    let mut after = match engine.pool().blocking(|conn| job::last_run(conn, NAME))? {
        Some(run) if run.day > day || (run.day == day && run.done_at.is_some()) => return Ok(Done::default()),
        Some(run) if run.day == day => run.position,
        _ => None,
    };
    let birthdays = birthdays(programme, day);
    let mut done = Done::default();
    let mut flight = Flight::new(engine);
    while !birthdays.is_empty() {
        if !go_on() {
            done.cut_short = true;
            return Ok(done);
        }
        let page = engine.pool().blocking(|conn| member::born_on(conn, &birthdays, after, PAGE))?;
        let Some(last) = page.last().copied() else { break };
        for id in page {
            flight.send(submission(MemberId::new(id), Command::GrantPerks, at))?;
            done.members += 1;
        }
        done.failed = flight.finish()?.failed;
        after = Some(last);
        note(engine, day, after, None)?;
    }
    note(engine, day, after, Some(at))?;
    Ok(done)
}

fn note(engine: &Engine, day: Day, position: Option<Uuid>, done_at: Option<Instant>) -> Result<(), Failure> {
    Ok(engine.pool().blocking(|conn| job::note(conn, NAME, day, position, done_at))?)
}

/// The (month, day) pairs of birth dates whose widest window over all perks and tiers holds `today`.
fn birthdays(programme: &Programme, today: Day) -> Vec<(i16, i16)> {
    let windows = || programme.perks.iter().flat_map(|perk| &perk.windows);
    let Some(before) = windows().map(|window| window.before_days).max() else { return Vec::new() };
    let after = windows().map(|window| window.after_days).max().unwrap_or(0);
    let mut pairs = BTreeSet::new();
    for offset in -i64::from(after)..=i64::from(before) {
        let birthday = add_days(today, offset);
        let pair = |month: u32, day: u32| Some((i16::try_from(month).ok()?, i16::try_from(day).ok()?));
        pairs.extend(pair(birthday.month(), birthday.day()));
        // Where 29 February is kept in a common year is a setting of each perk: the rules know.
        if !birthday.leap_year() && matches!((birthday.month(), birthday.day()), (2, 28) | (3, 1)) {
            pairs.extend(pair(2, 29));
        }
    }
    pairs.into_iter().collect()
}
