//! Staff: rows in, rows out.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use tessera_rules::id::{StaffId, StoreId};
use uuid::Uuid;

use super::db::{Connection, Error};
use super::schema::staff;

/// What a member of staff may do, in rising order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StaffRole {
    /// Serves at the till of one store.
    Cashier,
    /// Answers for one store and for corrections.
    Manager,
    /// Configures the programme.
    Admin,
}

impl StaffRole {
    /// As SQL and JSON write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cashier => "cashier",
            Self::Manager => "manager",
            Self::Admin => "admin",
        }
    }

    /// Reads what SQL holds.
    pub(super) fn from_row(text: &str) -> Result<Self, Error> {
        match text {
            "cashier" => Ok(Self::Cashier),
            "manager" => Ok(Self::Manager),
            "admin" => Ok(Self::Admin),
            other => Err(Error::Internal(format!("staff.role holds {other}"))),
        }
    }
}

/// A member of staff without the password hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staff {
    /// Who.
    pub id: StaffId,
    /// What is typed at login: lower case e-mail address or user name.
    pub identifier: String,
    /// For people.
    pub name: String,
    /// What this person may do.
    pub role: StaffRole,
    /// Where; absent for admins only.
    pub store: Option<StoreId>,
    /// Whether this person may sign in.
    pub active: bool,
    /// Rises by one with every change.
    pub version: i64,
    /// Wall time.
    pub created_at: DateTime<Utc>,
}

/// What makes a member of staff.
#[derive(Clone)]
pub struct NewStaff {
    /// A fresh id.
    pub id: StaffId,
    /// Kept in lower case, without surrounding spaces.
    pub identifier: String,
    /// For people.
    pub name: String,
    /// What this person may do.
    pub role: StaffRole,
    /// Required for all but admins, who have none.
    pub store: Option<StoreId>,
    /// PHC string.
    pub password_hash: String,
    /// Wall time.
    pub created_at: DateTime<Utc>,
}

/// What may be changed of a member of staff; `None` leaves as it is.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// For people.
    pub name: Option<String>,
    /// Role and store together, as the one decides whether there is the other.
    pub post: Option<(StaffRole, Option<StoreId>)>,
    /// Whether this person may sign in.
    pub active: Option<bool>,
}

const COLUMNS: (
    staff::id,
    staff::identifier,
    staff::name,
    staff::role,
    staff::store_id,
    staff::status,
    staff::version,
    staff::created_at,
) = (
    staff::id,
    staff::identifier,
    staff::name,
    staff::role,
    staff::store_id,
    staff::status,
    staff::version,
    staff::created_at,
);

type Row = (Uuid, String, String, String, Option<Uuid>, String, i64, DateTime<Utc>);

fn from_row((id, identifier, name, role, store, status, version, created_at): Row) -> Result<Staff, Error> {
    Ok(Staff {
        id: StaffId::new(id),
        identifier,
        name,
        role: StaffRole::from_row(&role)?,
        store: store.map(StoreId::new),
        active: status == "active",
        version,
        created_at,
    })
}

const fn status(active: bool) -> &'static str {
    if active { "active" } else { "disabled" }
}

/// An identifier as it is kept and looked up.
pub fn normal_identifier(text: &str) -> String {
    text.trim().to_lowercase()
}

/// Adds a member of staff.
///
/// # Errors
/// [`Error::Conflict`] on `staff_identifier_key` (taken), `staff_store_fkey` (no such store) or a
/// check.
pub fn insert(connection: &mut Connection, new: &NewStaff) -> Result<(), Error> {
    diesel::insert_into(staff::table)
        .values((
            staff::id.eq(new.id.uuid()),
            staff::identifier.eq(normal_identifier(&new.identifier)),
            staff::name.eq(&new.name),
            staff::role.eq(new.role.as_str()),
            staff::store_id.eq(new.store.map(StoreId::uuid)),
            staff::password_hash.eq(&new.password_hash),
            staff::status.eq(status(true)),
            staff::version.eq(1_i64),
            staff::created_at.eq(new.created_at),
        ))
        .execute(connection)?;
    Ok(())
}

/// One member of staff.
///
/// # Errors
/// Of the database.
pub fn get(connection: &mut Connection, id: StaffId) -> Result<Option<Staff>, Error> {
    let row = staff::table.find(id.uuid()).select(COLUMNS).first::<Row>(connection).optional()?;
    row.map(from_row).transpose()
}

/// One member of staff by what is typed at login.
///
/// # Errors
/// Of the database.
pub fn find(connection: &mut Connection, identifier: &str) -> Result<Option<Staff>, Error> {
    let row = staff::table
        .filter(staff::identifier.eq(normal_identifier(identifier)))
        .select(COLUMNS)
        .first::<Row>(connection)
        .optional()?;
    row.map(from_row).transpose()
}

/// A page of staff, newest first, older than `before`.
///
/// # Errors
/// Of the database.
pub fn list(connection: &mut Connection, before: Option<StaffId>, limit: i64) -> Result<Vec<Staff>, Error> {
    let before = before.map_or(Uuid::max(), StaffId::uuid);
    let rows = staff::table
        .filter(staff::id.lt(before))
        .order(staff::id.desc())
        .limit(limit)
        .select(COLUMNS)
        .load::<Row>(connection)?;
    rows.into_iter().map(from_row).collect()
}

/// Changes a member of staff who is still at `version`; `None` if there is none at that version.
/// Sign-ins are not ended here, see `session::revoke_all`.
///
/// # Errors
/// [`Error::Conflict`] as for [`insert`].
pub fn update(connection: &mut Connection, id: StaffId, version: i64, change: &Change) -> Result<Option<Staff>, Error> {
    let Some(now) = get(connection, id)?.filter(|found| found.version == version) else {
        return Ok(None);
    };
    let (role, store) = change.post.unwrap_or((now.role, now.store));
    let row = diesel::update(staff::table.filter(staff::id.eq(id.uuid()).and(staff::version.eq(version))))
        .set((
            staff::name.eq(change.name.as_ref().unwrap_or(&now.name)),
            staff::role.eq(role.as_str()),
            staff::store_id.eq(store.map(StoreId::uuid)),
            staff::status.eq(status(change.active.unwrap_or(now.active))),
            staff::version.eq(version + 1),
        ))
        .returning(COLUMNS)
        .get_result::<Row>(connection)
        .optional()?;
    row.map(from_row).transpose()
}
