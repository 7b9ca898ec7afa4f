//! Versions of the programme: appended, never changed.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Jsonb, Nullable, Text, Timestamptz, Uuid};
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

/// A version of the programme that changed one promotion.
#[derive(Debug, Clone, QueryableByName)]
pub struct PromotionVersionRow {
    /// The version.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
    /// Since when it is in force.
    #[diesel(sql_type = Timestamptz)]
    pub created_at: Instant,
    /// Who made it, in which role.
    #[diesel(sql_type = Text)]
    pub actor_role: String,
    /// Who made it.
    #[diesel(sql_type = Nullable<Uuid>)]
    pub actor_id: Option<uuid::Uuid>,
    /// The promotion as it says; absent: it took it away.
    #[diesel(sql_type = Nullable<Jsonb>)]
    pub promotion: Option<Value>,
}

/// The versions in which a promotion is not as in the version before, newest first, before a version.
///
/// # Errors
/// As [`Error`].
pub fn promotion_versions(
    conn: &mut Connection,
    code: &str,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<PromotionVersionRow>, Error> {
    const VERSIONS: &str = "with told as (
          select version, created_at, actor_role, actor_id,
            (select part from jsonb_array_elements(document -> 'promotions') part where part ->> 'code' = $1) as promotion
          from programme_version),
        compared as (select *, lag(promotion) over (order by version) as earlier from told)
        select version, created_at, actor_role, actor_id, promotion from compared
        where promotion is distinct from earlier and version < $2 order by version desc limit $3";
    let rows = diesel::sql_query(VERSIONS).bind::<Text, _>(code);
    Ok(rows.bind::<BigInt, _>(before.unwrap_or(i64::MAX)).bind::<BigInt, _>(limit).load(conn)?)
}
