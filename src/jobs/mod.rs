//! What the clock starts. A job finds members whom time alone has changed and sends each through the
//! engine; it decides nothing and writes no points.
//!
//! - [`schedule`]: a programme that was scheduled, at the first instant of its day.
//! - [`take_up`]: a programme that has come into force looks at every tier once, whenever that happens.
//! - [`settle`]: expiries and tier reviews that fell due, whenever they fall due.
//! - [`grant_perks`]: the perks and the promotions in whose window today lies, once a programme day.
//! - [`notify`]: warnings of points that lapse and tiers that fall, once a programme day.
//! - [`purge`]: idempotency keys and sign-ins that have had their time, once a programme day.
//! - [`flight`]: many commands on their way at once. [`leader`]: the thread inside `serve`.
//!
//! Every job may be killed at any moment and run again: the rules grant and expire once, and a daily
//! job notes how far it came. Everything here but [`run`] and [`advance_to`] blocks.

pub mod flight;
pub mod grant_perks;
pub mod leader;
pub mod notify;
pub mod purge;
pub mod schedule;
pub mod settle;
pub mod take_up;

use std::sync::{Arc, Mutex, PoisonError};

use tessera_rules::time::{Instant, add_days};

use crate::clock::Clock;
use crate::engine::{Engine, Failure, Versioned};
use crate::store::sandbox;

pub use leader::{Jobs, start};

/// The jobs by name. Settling applies expiries and tier reviews together, in the order they fell
/// due, so three names mean the same job.
pub const NAMES: [&str; 8] = [
    schedule::NAME,
    take_up::NAME,
    settle::NAME,
    "expire",
    "review_tiers",
    grant_perks::NAME,
    notify::NAME,
    purge::NAME,
];

/// What a run came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Members it sent through the engine.
    pub members: u64,
    /// Of these, members that failed; the log says why.
    pub failed: u64,
    /// The run was told to stop before its end.
    pub cut_short: bool,
}

impl Done {
    /// Both together.
    fn and(self, other: Self) -> Self {
        Self {
            members: self.members + other.members,
            failed: self.failed + other.failed,
            cut_short: self.cut_short || other.cut_short,
        }
    }
}

/// Asked between pages of members whether to go on.
pub type GoOn<'a> = &'a mut dyn FnMut() -> bool;

/// Runs one job by its name, as of `at`.
///
/// # Errors
/// [`Failure::Internal`] for an unknown name; otherwise what the engine or the database says.
pub async fn run(engine: &Engine, name: &str, at: Instant) -> Result<Done, Failure> {
    let (engine, name) = (engine.clone(), name.to_owned());
    blocking(move || run_blocking(&engine, &name, at)).await
}

/// As [`run`], on a thread that may block.
///
/// # Errors
/// As [`run`].
pub fn run_blocking(engine: &Engine, name: &str, at: Instant) -> Result<Done, Failure> {
    let programme = programme(engine)?;
    match name {
        schedule::NAME => Ok(schedule::run(engine, &programme, at, &mut || true)?.0),
        take_up::NAME => take_up::run(engine, &programme, &mut || true),
        grant_perks::NAME => grant_perks::run(engine, &programme.programme, at, &mut || true),
        notify::NAME => notify::run(engine, &programme, at, &mut || true),
        purge::NAME => purge::run(engine, &programme.programme, at),
        name if NAMES.contains(&name) => settle::run(engine, at, &mut || true),
        name => Err(Failure::Internal(format!("there is no job called {name}"))),
    }
}

/// Does everything that is due at `at`: first a programme comes into force and is taken up, then what fell
/// due by then is settled, then come the day's perks and notices, then the day's purge.
///
/// # Errors
/// What the engine or the database says; the next call finds what is left.
pub fn work(engine: &Engine, programme: &Versioned, at: Instant, go_on: GoOn<'_>) -> Result<Done, Failure> {
    let (before, changed) = schedule::run(engine, programme, at, go_on)?;
    if before.cut_short {
        return Ok(before);
    }
    let programme = changed.as_deref().unwrap_or(programme);
    let taken_up = take_up::run(engine, programme, go_on)?;
    let settled = settle::run(engine, at, go_on)?;
    let granted = grant_perks::run(engine, &programme.programme, at, go_on)?;
    let notified = notify::run(engine, programme, at, go_on)?;
    let purged = purge::run(engine, &programme.programme, at)?;
    Ok(before.and(taken_up).and(settled).and(granted).and(notified).and(purged))
}

/// Moves the sandbox clock to `target`, stopping at every midnight of the programme to do the jobs
/// of that day, so that a year in one step ends as a year lived through. A target in the past
/// changes nothing: this clock never goes back.
///
/// # Errors
/// What the engine or the database says. The clock then stands at the stop where it happened.
pub async fn advance_to(engine: &Engine, target: Instant) -> Result<(), Failure> {
    let engine = engine.clone();
    blocking(move || advance_blocking(&engine, target)).await
}

/// One journey at a time in a process; in another, the offset row keeps the clock from going back.
static ADVANCING: Mutex<()> = Mutex::new(());

fn advance_blocking(engine: &Engine, target: Instant) -> Result<(), Failure> {
    let _turn = ADVANCING.lock().unwrap_or_else(PoisonError::into_inner);
    refresh_offset(engine)?;
    while engine.clock().now() < target {
        let programme = match programme(engine) {
            Ok(programme) => programme,
            // Nobody is a member of nothing: there is only the clock to move.
            Err(Failure::NoProgramme) => return move_clock(engine, target),
            Err(failure) => return Err(failure),
        };
        let now = engine.clock().now();
        work(engine, &programme, now, &mut || true)?;
        let zone = programme.programme.time_zone;
        let midnight = zone.midnight(add_days(zone.day_of(now), 1));
        let stop = midnight.min(target);
        move_clock(engine, stop)?;
        work(engine, &programme, stop, &mut || true)?;
    }
    Ok(())
}

/// Sets the offset so that it is `to` now, for every process.
fn move_clock(engine: &Engine, to: Instant) -> Result<(), Failure> {
    let micros = (to - engine.clock().wall_now()).num_microseconds();
    let micros = micros.ok_or_else(|| Failure::Internal("the clock cannot go that far".to_owned()))?;
    if engine.pool().blocking(|conn| sandbox::advance(conn, micros))? {
        raise(engine.clock(), micros);
        return Ok(());
    }
    // Somebody else has moved it further: that is where it stands.
    refresh_offset(engine)
}

/// Takes over where other processes have moved the sandbox clock to.
///
/// # Errors
/// Of the database.
pub fn refresh_offset(engine: &Engine) -> Result<(), Failure> {
    if let Some(micros) = engine.pool().blocking(sandbox::offset)? {
        raise(engine.clock(), micros);
    }
    Ok(())
}

/// An offset read a moment ago must not undo one that was set since.
fn raise(clock: &Clock, micros: i64) {
    static RAISING: Mutex<()> = Mutex::new(());
    let _turn = RAISING.lock().unwrap_or_else(PoisonError::into_inner);
    if micros > clock.offset() {
        clock.set_offset(micros);
    }
}

/// The programme in force, on a thread that may block.
///
/// # Errors
/// As [`Engine::programme`].
pub fn programme(engine: &Engine) -> Result<Arc<Versioned>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.map_err(|error| Failure::Internal(error.to_string()))?.block_on(engine.programme())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(stopped) => Err(Failure::Internal(stopped.to_string())),
    }
}
