//! A programme that was scheduled comes into force at the first instant of its day, before anything else
//! of that instant. What fell due before it is settled under the programme in force until then.

use std::sync::Arc;

use tessera_rules::time::Instant;

use super::{Done, GoOn, programme, settle};
use crate::engine::schedule::{self, Came};
use crate::engine::{Engine, Failure, Versioned};

/// The job's name.
pub const NAME: &str = "apply_scheduled";

/// Puts a programme in force whose day has begun by `at`. Returns the new version, where there is one.
///
/// # Errors
/// What the engine or the database says; the next run does it.
pub fn run(
    engine: &Engine,
    in_force: &Versioned,
    at: Instant,
    go_on: GoOn<'_>,
) -> Result<(Done, Option<Arc<Versioned>>), Failure> {
    let Some(last) = engine.pool().blocking(|conn| schedule::due(conn, &in_force.programme, at))? else {
        return Ok((Done::default(), None));
    };
    let settled = settle::run(engine, last, go_on)?;
    if settled.cut_short {
        return Ok((settled, None));
    }
    let came = engine.pool().blocking(|conn| schedule::come_into_force(conn, at))?;
    match &came {
        Some(Came::InForce(version)) => tracing::info!(version, "the scheduled programme is in force"),
        Some(Came::Refused(reason)) => tracing::error!(%reason, "the scheduled programme was refused on its day"),
        None => {}
    }
    let changed = matches!(came, Some(Came::InForce(_)));
    Ok((settled, changed.then(|| programme(engine)).transpose()?))
}
