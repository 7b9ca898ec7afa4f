//! Versions of the programme: appended, never changed.

use diesel::prelude::*;
use serde_json::Value;
use tessera_rules::command::Actor;
use tessera_rules::time::Instant;

use super::audit::{self, Change};
use super::db::{Connection, Error, transaction};
use super::schema::programme_version;

/// The version in force; `None` before the first.
///
/// # Errors
/// As [`Error`].
pub fn current_version(conn: &mut Connection) -> Result<Option<i64>, Error> {
    Ok(programme_version::table.select(diesel::dsl::max(programme_version::version)).first(conn)?)
}

/// The version in force and its document.
///
/// # Errors
/// As [`Error`].
pub fn latest(conn: &mut Connection) -> Result<Option<(i64, Value)>, Error> {
    let newest = programme_version::table.order(programme_version::version.desc());
    Ok(newest.select((programme_version::version, programme_version::document)).first(conn).optional()?)
}

/// The document of a version, and since when it is in force.
///
/// # Errors
/// As [`Error`].
pub fn version(conn: &mut Connection, version: i64) -> Result<Option<(Value, Instant)>, Error> {
    let found = programme_version::table.find(version);
    Ok(found.select((programme_version::document, programme_version::created_at)).first(conn).optional()?)
}

/// The lock under which the programme changes: `tessera` and a number.
const CHANGE_LOCK: i64 = 0x7465_7373_6572_6102;

/// Waits until nobody else is changing the programme; ends with the caller's transaction. Readers
/// wait for nobody.
///
/// # Errors
/// As [`Error`].
pub fn lock(conn: &mut Connection) -> Result<(), Error> {
    let lock = diesel::sql_query("select pg_advisory_xact_lock($1)");
    lock.bind::<diesel::sql_types::BigInt, _>(CHANGE_LOCK).execute(conn)?;
    Ok(())
}

/// Appends a version after `previous` (0: none yet) with its line in the audit log.
///
/// # Errors
/// [`Error::Conflict`] on `programme_version_pkey` when somebody else appended it first.
pub fn append(
    conn: &mut Connection,
    previous: i64,
    document: &Value,
    at: Instant,
    actor: Actor,
    change: Change<'_>,
) -> Result<i64, Error> {
    transaction(conn, |conn| {
        let version = previous + 1;
        diesel::insert_into(programme_version::table)
            .values((
                programme_version::version.eq(version),
                programme_version::document.eq(document),
                programme_version::created_at.eq(at),
                programme_version::actor_role.eq(actor.role.as_str()),
                programme_version::actor_id.eq(actor.id),
            ))
            .execute(conn)?;
        audit::record(conn, at, actor, change)?;
        Ok(version)
    })
}
