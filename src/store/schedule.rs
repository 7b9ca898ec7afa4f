//! The programme that is to come into force on a day: at most one row.

use diesel::prelude::*;
use serde_json::Value;
use tessera_rules::command::Actor;
use tessera_rules::time::{Day, Instant};
use uuid::Uuid;

use super::db::{Connection, Error};
use super::schema::scheduled_programme;

/// A programme that waits for its day, or was refused on it.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = scheduled_programme)]
pub struct ScheduledRow {
    /// Its number: no other schedule ever has it.
    pub number: i64,
    /// The local day from whose first instant on it is to be in force.
    pub effective_on: Day,
    /// The version in force when it was scheduled.
    pub base: i64,
    /// The programme.
    pub document: Value,
    /// When it was scheduled.
    pub created_at: Instant,
    /// By whom: the role.
    pub actor_role: String,
    /// By whom: the member of staff.
    pub actor_id: Option<Uuid>,
    /// When it was refused.
    pub refused_at: Option<Instant>,
    /// Why.
    pub refusal: Option<Value>,
}

/// What is scheduled.
///
/// # Errors
/// As [`Error`].
pub fn find(conn: &mut Connection) -> Result<Option<ScheduledRow>, Error> {
    Ok(scheduled_programme::table.select(ScheduledRow::as_select()).first(conn).optional()?)
}

/// Schedules a programme made on the version `base`; returns its number.
///
/// # Errors
/// [`Error::Conflict`] on `scheduled_programme_one` where one is scheduled already.
pub fn insert(
    conn: &mut Connection,
    effective_on: Day,
    base: i64,
    document: &Value,
    at: Instant,
    actor: Actor,
) -> Result<i64, Error> {
    let row = (
        scheduled_programme::effective_on.eq(effective_on),
        scheduled_programme::base.eq(base),
        scheduled_programme::document.eq(document),
        scheduled_programme::created_at.eq(at),
        scheduled_programme::actor_role.eq(actor.role.as_str()),
        scheduled_programme::actor_id.eq(actor.id),
    );
    let inserted = diesel::insert_into(scheduled_programme::table).values(row);
    Ok(inserted.returning(scheduled_programme::number).get_result(conn)?)
}

/// Notes that a schedule was refused, and why.
///
/// # Errors
/// As [`Error`].
pub fn refuse(conn: &mut Connection, number: i64, at: Instant, refusal: &Value) -> Result<(), Error> {
    diesel::update(scheduled_programme::table.find(number))
        .set((scheduled_programme::refused_at.eq(at), scheduled_programme::refusal.eq(refusal)))
        .execute(conn)?;
    Ok(())
}

/// Takes a schedule away; false where it is gone already.
///
/// # Errors
/// As [`Error`].
pub fn delete(conn: &mut Connection, number: i64) -> Result<bool, Error> {
    Ok(diesel::delete(scheduled_programme::table.find(number)).execute(conn)? == 1)
}
