//! A programme that comes into force on a day: scheduled now, applied by a job at the first instant of
//! that local day.
//!
//! A schedule is made on a version of the programme. If another version comes into force in between, the
//! schedule is not applied over it: what that version changed would be lost. It is refused on its day and
//! kept until somebody has seen it. There is one schedule at most.

use chrono::TimeDelta;
use serde_json::{Value, json};
use tessera_rules::Programme;
use tessera_rules::command::{Actor, Role};
use tessera_rules::document::Document as _;
use tessera_rules::programme::Problem;
use tessera_rules::time::{Day, Instant};

use super::configure::{self, ApplyError, changes};
use crate::store::Error;
use crate::store::audit::{self, Change};
use crate::store::db::{Connection, transaction};
use crate::store::programme as versions;
use crate::store::schedule::{self as rows, ScheduledRow};

/// What lines of the audit log are about.
const OBJECT: &str = "programme";

/// Why a programme was not scheduled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The document has mistakes.
    #[error("the programme has {} mistakes", .0.len())]
    Problems(Vec<Problem>),
    /// It was made on another version than the one in force.
    #[error("the programme was changed in the meantime")]
    Conflict {
        /// The version in force; `None` where there is none yet, on which nothing can be scheduled.
        current: Option<i64>,
    },
    /// The day has begun.
    #[error("the day must lie ahead: it is {today}")]
    NotAhead {
        /// Today, in the programme's time zone.
        today: Day,
    },
    /// Another schedule is there than the caller has seen.
    #[error("another programme is scheduled")]
    Other {
        /// Its number; `None`: there is none.
        number: Option<i64>,
    },
    /// The database did not do what was asked.
    #[error(transparent)]
    Store(#[from] Error),
}

/// A programme to be scheduled.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan<'p> {
    /// The version it was made on.
    pub base: i64,
    /// From whose first instant on it is in force, in the time zone of the programme in force until then.
    pub on: Day,
    /// The programme.
    pub programme: &'p Programme,
    /// The number of the schedule it takes the place of; `None`: there must be none.
    pub instead_of: Option<i64>,
}

/// Schedules a programme; returns the schedule's number.
///
/// # Errors
/// [`ScheduleError`].
pub fn schedule(conn: &mut Connection, plan: &Plan<'_>, at: Instant, actor: Actor) -> Result<i64, ScheduleError> {
    let problems = plan.programme.problems();
    if !problems.is_empty() {
        return Err(ScheduleError::Problems(problems));
    }
    let document = serde_json::to_value(plan.programme).map_err(|error| Error::Internal(error.to_string()))?;
    transaction(conn, |conn| {
        let current = configure::current_locked(conn)?;
        let Some((_, in_force)) = current.filter(|(version, _)| *version == plan.base) else {
            return Err(ScheduleError::Conflict { current: versions::current_version(conn)? });
        };
        let today = in_force.time_zone.day_of(at);
        if plan.on <= today {
            return Err(ScheduleError::NotAhead { today });
        }
        let known = rows::find(conn)?;
        let number = known.as_ref().map(|row| row.number);
        if number != plan.instead_of {
            return Err(ScheduleError::Other { number });
        }
        if let Some(number) = number {
            rows::delete(conn, number)?;
        }
        let scheduled = rows::insert(conn, plan.on, plan.base, &document, at, actor)?;
        let in_force = serde_json::to_value(in_force).map_err(|error| Error::Internal(error.to_string()))?;
        let (_, differs) = changes(&in_force, &document);
        let after = json!({ "effective_on": plan.on, "base": plan.base, "changes": differs });
        let before = known.map(|row| summary(&row));
        let change = Change { action: "programme.schedule", object: OBJECT, before, after: Some(after) };
        audit::record(conn, at, actor, change)?;
        Ok(scheduled)
    })
}

/// Takes a schedule away, or takes note that it was refused; what it was. `None`: it is gone already.
///
/// # Errors
/// As [`Error`].
pub fn withdraw(conn: &mut Connection, number: i64, at: Instant, actor: Actor) -> Result<Option<ScheduledRow>, Error> {
    transaction(conn, |conn| {
        versions::lock(conn)?;
        let Some(row) = rows::find(conn)?.filter(|row| row.number == number) else { return Ok(None) };
        rows::delete(conn, number)?;
        let before = Some(summary(&row));
        audit::record(conn, at, actor, Change { action: "programme.unschedule", object: OBJECT, before, after: None })?;
        Ok(Some(row))
    })
}

/// What is told of a schedule without its document.
fn summary(row: &ScheduledRow) -> Value {
    json!({ "effective_on": row.effective_on, "base": row.base, "refusal": row.refusal })
}

/// What became of a schedule on its day.
#[derive(Debug, Clone, PartialEq)]
pub enum Came {
    /// It is in force, as this version.
    InForce(i64),
    /// It was refused, for this reason.
    Refused(Value),
}

/// The last instant under the programme in force where a schedule's day has begun by `at`; `None` where
/// nothing is due.
///
/// # Errors
/// As [`Error`].
pub fn due(conn: &mut Connection, in_force: &Programme, at: Instant) -> Result<Option<Instant>, Error> {
    let zone = in_force.time_zone;
    let due = rows::find(conn)?.filter(|row| row.refused_at.is_none() && row.effective_on <= zone.day_of(at));
    Ok(due.map(|row| zone.midnight(row.effective_on) - TimeDelta::microseconds(1)))
}

/// Puts the schedule whose day has begun in force, as whoever scheduled it, or refuses it. `None` where
/// nothing is due, or somebody else was faster.
///
/// # Errors
/// As [`Error`]; nothing has changed then.
pub fn come_into_force(conn: &mut Connection, at: Instant) -> Result<Option<Came>, Error> {
    transaction(conn, |conn| {
        let Some((_, in_force)) = configure::current_locked(conn)? else { return Ok(None) };
        if due(conn, &in_force, at)?.is_none() {
            return Ok(None);
        }
        let Some(row) = rows::find(conn)? else { return Ok(None) };
        match apply(conn, &row, at)? {
            Ok(version) => {
                rows::delete(conn, row.number)?;
                Ok(Some(Came::InForce(version)))
            }
            Err(refusal) => {
                rows::refuse(conn, row.number, at, &refusal)?;
                let (before, after) = (Some(summary(&row)), Some(refusal.clone()));
                let change = Change { action: "programme.schedule_refuse", object: OBJECT, before, after };
                audit::record(conn, at, Actor::SYSTEM, change)?;
                Ok(Some(Came::Refused(refusal)))
            }
        }
    })
}

/// Applies a schedule's programme; the inner error says why it cannot be.
fn apply(conn: &mut Connection, row: &ScheduledRow, at: Instant) -> Result<Result<i64, Value>, Error> {
    let programme = match Programme::read_from(row.document.clone()) {
        Ok(programme) => programme,
        // A newer binary may know the document's form no longer.
        Err(error) => return Ok(Err(json!({ "code": "programme_unreadable", "detail": error.to_string() }))),
    };
    let role = Role::parse(&row.actor_role).ok_or_else(|| Error::Internal("a role is not one of ours".to_owned()))?;
    let actor = Actor { role, id: row.actor_id };
    let applied = configure::apply(conn, Some(row.base), &programme, at, actor, "programme.apply_scheduled", OBJECT);
    match applied {
        Ok(applied) => Ok(Ok(applied.version())),
        Err(ApplyError::Store(error)) => Err(error),
        Err(ApplyError::Conflict { current }) => Ok(Err(json!({ "code": "version_conflict", "version": current }))),
        Err(ApplyError::Problems(problems)) => {
            let one = |told: &Problem| json!({ "pointer": told.pointer, "code": told.code, "detail": told.detail });
            let errors: Vec<Value> = problems.iter().map(one).collect();
            Ok(Err(json!({ "code": "programme_invalid", "errors": errors })))
        }
    }
}
