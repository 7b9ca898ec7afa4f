//! Notices: once a programme day, the rules look ahead for members to whom the clock is going to do
//! something before the furthest warning. Who is to be told something is told, by a command of his own.
//! Of the others it is noted when there may be something, so that they are not asked again before that,
//! unless they or the programme have changed.

use tessera_rules::id::MemberId;
use tessera_rules::time::{Day, Instant, add_days};
use tessera_rules::{Command, Programme};
use uuid::Uuid;

use super::flight::Flight;
use super::settle::submission;
use super::{Done, GoOn};
use crate::engine::{Engine, Failure, Outlook, Versioned};
use crate::store::job;
use crate::store::notice::{self, WatchRow};

/// The job's name, also in the table of runs.
pub const NAME: &str = "notify";

/// Members fetched at a time; after each page the run notes how far it came.
const PAGE: i64 = 1_000;

/// Gives the notices of the programme day of `at`. A day that is done, or that lies before the last
/// one begun, is not done again; one that was cut short goes on where it stopped.
///
/// # Errors
/// What the engine or the database says; the next run goes on from the last page.
pub fn run(engine: &Engine, in_force: &Versioned, at: Instant, go_on: GoOn<'_>) -> Result<Done, Failure> {
    let (programme, version) = (&in_force.programme, in_force.version);
    let day = programme.time_zone.day_of(at);
    let mut after = match engine.pool().blocking(|conn| job::last_run(conn, NAME))? {
        Some(run) if run.day > day || (run.day == day && run.done_at.is_some()) => return Ok(Done::default()),
        Some(run) if run.day == day => run.position,
        _ => None,
    };
    let mut done = Done::default();
    let mut flight = Flight::new(engine);
    while let Some(by) = horizon(programme, day) {
        if !go_on() {
            done.cut_short = true;
            return Ok(done);
        }
        // Who is due later than that has nothing coming before it.
        let page = engine.pool().blocking(|conn| notice::to_ask(conn, by, at, version, after, PAGE))?;
        let Some(last) = page.last().copied() else { break };
        let Outlook { programme, members } = engine.outlook(&page, at)?;
        let mut quiet = Vec::new();
        for (id, version, foreseen) in members {
            if foreseen.due {
                flight.send(submission(MemberId::new(id), Command::Notify, at))?;
                done.members += 1;
            } else {
                quiet.push(WatchRow { member_id: id, version, programme, next_at: foreseen.next_at });
            }
        }
        done.failed = flight.finish()?.failed;
        engine.pool().blocking(|conn| notice::watch(conn, &quiet))?;
        after = Some(last);
        note(engine, day, after, None)?;
    }
    note(engine, day, after, Some(at))?;
    Ok(done)
}

fn note(engine: &Engine, day: Day, position: Option<Uuid>, done_at: Option<Instant>) -> Result<(), Failure> {
    Ok(engine.pool().blocking(|conn| job::note(conn, NAME, day, position, done_at))?)
}

/// The instant up to which something may have to be told on a day; none where nothing ever is.
fn horizon(programme: &Programme, day: Day) -> Option<Instant> {
    let furthest = programme.notices.furthest();
    (furthest > 0).then(|| programme.time_zone.midnight(add_days(day, i64::from(furthest) + 1)))
}
