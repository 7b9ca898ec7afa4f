//! Contacts about to be proved by a code: rows in, rows out. All times are wall time.
//!
//! A row holds the hash of a password, hence no `Debug`.

use diesel::prelude::*;
use tessera_rules::id::VerificationId;
use tessera_rules::time::Instant;
use uuid::Uuid;

use super::db::{Connection, Error};
use super::schema::verification;

/// How often a code may be tried.
pub const ATTEMPTS: i32 = 5;

/// A contact about to be proved.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = verification)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct VerificationRow {
    pub id: Uuid,
    pub purpose: String,
    pub phone: Option<String>,
    pub email: Option<String>,
    pub code_hash: Vec<u8>,
    pub attempts: i32,
    pub created_at: Instant,
    pub expires_at: Instant,
    pub member_id: Option<Uuid>,
    pub name: Option<String>,
    pub birth_date: Option<String>,
    pub locale: Option<String>,
    pub password_hash: Option<String>,
}

impl VerificationRow {
    /// Whether a code may still be tried for this purpose.
    pub fn is_open(&self, purpose: &str, now: Instant) -> bool {
        self.purpose == purpose && self.attempts < ATTEMPTS && self.expires_at > now
    }
}

/// Adds one.
///
/// # Errors
/// As [`Error`].
pub fn insert(conn: &mut Connection, row: &VerificationRow) -> Result<(), Error> {
    diesel::insert_into(verification::table).values(row).execute(conn)?;
    Ok(())
}

/// Reads one.
///
/// # Errors
/// As [`Error`].
pub fn find(conn: &mut Connection, id: VerificationId) -> Result<Option<VerificationRow>, Error> {
    let row = verification::table.find(id.uuid()).select(VerificationRow::as_select());
    Ok(row.first(conn).optional()?)
}

/// Reads one and keeps others from trying codes until the transaction ends.
///
/// # Errors
/// As [`Error`].
pub fn find_locked(conn: &mut Connection, id: VerificationId) -> Result<Option<VerificationRow>, Error> {
    let row = verification::table.find(id.uuid()).select(VerificationRow::as_select());
    Ok(row.for_update().first(conn).optional()?)
}

/// Counts a code that was tried.
///
/// # Errors
/// As [`Error`].
pub fn count_attempt(conn: &mut Connection, id: Uuid) -> Result<(), Error> {
    let row = diesel::update(verification::table.find(id));
    row.set(verification::attempts.eq(verification::attempts + 1)).execute(conn)?;
    Ok(())
}

/// Forgets one.
///
/// # Errors
/// As [`Error`].
pub fn remove(conn: &mut Connection, id: Uuid) -> Result<(), Error> {
    diesel::delete(verification::table.find(id)).execute(conn)?;
    Ok(())
}

/// Forgets those that have lapsed by `now`; says how many.
///
/// # Errors
/// As [`Error`].
pub fn purge(conn: &mut Connection, now: Instant) -> Result<usize, Error> {
    Ok(diesel::delete(verification::table.filter(verification::expires_at.le(now))).execute(conn)?)
}
