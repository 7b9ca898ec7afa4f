//! The audit log: who changed what, before and after. Appended in the transaction of the change.

use diesel::prelude::*;
use serde_json::Value;
use tessera_rules::command::Actor;
use tessera_rules::time::Instant;
use uuid::Uuid;

use super::db::{Connection, Error};
use super::schema::audit;
use crate::clock::new_uuid;

/// A change to be recorded.
#[derive(Debug, Clone)]
pub struct Change<'a> {
    /// What was done, as `noun.verb`: `store.create`.
    pub action: &'a str,
    /// To what: a TypeID, or `kind:code` for parts of the programme.
    pub object: &'a str,
    /// Before; absent for what is new.
    pub before: Option<Value>,
    /// After; absent for what is gone. Never a secret, never personal data.
    pub after: Option<Value>,
}

/// A line of the log.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = audit)]
pub struct AuditRow {
    /// Sorts by time.
    pub id: Uuid,
    /// When.
    pub at: Instant,
    /// In which role.
    pub actor_role: String,
    /// Who.
    pub actor_id: Option<Uuid>,
    /// What was done.
    pub action: String,
    /// To what.
    pub object: String,
    /// Before.
    pub before: Option<Value>,
    /// After.
    pub after: Option<Value>,
}

/// Appends a line.
///
/// # Errors
/// As [`Error`].
pub fn record(conn: &mut Connection, at: Instant, actor: Actor, change: Change<'_>) -> Result<(), Error> {
    diesel::insert_into(audit::table)
        .values((
            audit::id.eq(new_uuid()),
            audit::at.eq(at),
            audit::actor_role.eq(actor.role.as_str()),
            audit::actor_id.eq(actor.id),
            audit::action.eq(change.action),
            audit::object.eq(change.object),
            audit::before.eq(change.before),
            audit::after.eq(change.after),
        ))
        .execute(conn)?;
    Ok(())
}

/// Lines newest first, before `before` and of one object where given.
///
/// # Errors
/// As [`Error`].
pub fn list(
    conn: &mut Connection,
    object: Option<&str>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<AuditRow>, Error> {
    let mut query = audit::table.select(AuditRow::as_select()).order(audit::id.desc()).limit(limit).into_boxed();
    if let Some(object) = object {
        query = query.filter(audit::object.eq(object.to_owned()));
    }
    if let Some(before) = before {
        query = query.filter(audit::id.lt(before));
    }
    Ok(query.load(conn)?)
}
