//! Purging: idempotency keys are kept 30 days, sign-ins until they end, codes and what was told to contacts until they lapse,
//! quotes until they lapse unused. Receipt numbers stay taken for ever, so a purge never lets a purchase earn twice.

use chrono::TimeDelta;
use tessera_rules::Programme;
use tessera_rules::time::Instant;

use super::Done;
use crate::engine::{Engine, Failure};
use crate::store::{contact_message, job, quote, session, verification};

/// The job's name, also in the table of runs.
pub const NAME: &str = "purge";

/// How long an idempotency key is kept.
const KEYS_KEPT: TimeDelta = TimeDelta::days(30);

/// Purges once a programme day; a second run of the day does nothing.
///
/// # Errors
/// What the database says; the next run does it again.
pub fn run(engine: &Engine, programme: &Programme, at: Instant) -> Result<Done, Failure> {
    let day = programme.time_zone.day_of(at);
    // Keys carry programme time, sign-ins wall time.
    let (keys_before, wall_now) = (at - KEYS_KEPT, engine.clock().wall_now());
    engine.pool().blocking(|conn| {
        if job::last_run(conn, NAME)?.is_some_and(|run| run.day >= day) {
            return Ok(());
        }
        let keys = job::purge_keys(conn, keys_before)?;
        let sessions = session::purge(conn, wall_now)?;
        let verifications = verification::purge(conn, wall_now)? + contact_message::purge(conn, wall_now)?;
        let quotes = quote::purge(conn, at)?;
        tracing::info!(keys, sessions, verifications, quotes, "purged");
        job::note(conn, NAME, day, None, Some(at))
    })?;
    Ok(Done::default())
}
