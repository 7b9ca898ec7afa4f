//! Invitations to a household pool, by the hash of their code: rows in, rows out.

use diesel::prelude::*;
use tessera_rules::id::MemberId;
use tessera_rules::time::Instant;
use uuid::Uuid;

use super::db::{Connection, Error};
use super::schema::pool_invitation;
use super::session::Hash;

/// An invitation.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = pool_invitation)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct InvitationRow {
    pub id: Uuid,
    pub head: Uuid,
    pub may_spend: bool,
    pub expires_at: Instant,
    pub taken_by: Option<Uuid>,
    pub joined_at: Option<Instant>,
}

impl InvitationRow {
    /// Whether a member may join by it at a moment.
    pub fn is_open_to(&self, member: MemberId, at: Instant) -> bool {
        self.joined_at.is_none()
            && self.expires_at > at
            && self.taken_by.is_none_or(|taken_by| taken_by == member.uuid())
    }
}

/// An invitation to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewInvitation {
    /// A fresh id.
    pub id: Uuid,
    /// Into whose pool.
    pub head: MemberId,
    /// Of the code.
    pub code_hash: Hash,
    /// Whether who joins may spend from the pool.
    pub may_spend: bool,
    /// When it was made.
    pub created_at: Instant,
    /// From when it is no longer good.
    pub expires_at: Instant,
}

/// Adds an invitation, and forgets those of the same head that are no longer good.
///
/// # Errors
/// As [`Error`].
pub fn insert(conn: &mut Connection, new: &NewInvitation) -> Result<(), Error> {
    use pool_invitation::{code_hash, created_at, expires_at, head, id, joined_at, may_spend, table};
    let over = joined_at.is_not_null().or(expires_at.le(new.created_at));
    diesel::delete(table.filter(head.eq(new.head.uuid()).and(over))).execute(conn)?;
    diesel::insert_into(table)
        .values((
            id.eq(new.id),
            head.eq(new.head.uuid()),
            code_hash.eq(new.code_hash.as_slice()),
            may_spend.eq(new.may_spend),
            created_at.eq(new.created_at),
            expires_at.eq(new.expires_at),
        ))
        .execute(conn)?;
    Ok(())
}

/// How many invitations of a head are still good.
///
/// # Errors
/// As [`Error`].
pub fn open(conn: &mut Connection, of: MemberId, at: Instant) -> Result<i64, Error> {
    use pool_invitation::{expires_at, head, joined_at, table};
    let good = joined_at.is_null().and(expires_at.gt(at));
    Ok(table.filter(head.eq(of.uuid()).and(good)).count().get_result(conn)?)
}

/// An invitation by the hash of its code, kept from others until the transaction ends.
///
/// # Errors
/// As [`Error`].
pub fn find_locked(conn: &mut Connection, code_hash: &Hash) -> Result<Option<InvitationRow>, Error> {
    let row = pool_invitation::table.filter(pool_invitation::code_hash.eq(code_hash.as_slice()));
    Ok(row.select(InvitationRow::as_select()).for_no_key_update().first(conn).optional()?)
}

/// Says who is joining by an invitation; nobody: it is open to all again.
///
/// # Errors
/// As [`Error`].
pub fn take(conn: &mut Connection, id: Uuid, member: Option<MemberId>) -> Result<(), Error> {
    let row = pool_invitation::table.filter(pool_invitation::id.eq(id).and(pool_invitation::joined_at.is_null()));
    diesel::update(row).set(pool_invitation::taken_by.eq(member.map(MemberId::uuid))).execute(conn)?;
    Ok(())
}

/// Uses an invitation up.
///
/// # Errors
/// As [`Error`].
pub fn joined(conn: &mut Connection, id: Uuid, at: Instant) -> Result<(), Error> {
    let row = pool_invitation::table.filter(pool_invitation::id.eq(id).and(pool_invitation::joined_at.is_null()));
    diesel::update(row).set(pool_invitation::joined_at.eq(at)).execute(conn)?;
    Ok(())
}

/// Forgets all invitations of a head.
///
/// # Errors
/// As [`Error`].
pub fn withdraw(conn: &mut Connection, of: MemberId) -> Result<(), Error> {
    diesel::delete(pool_invitation::table.filter(pool_invitation::head.eq(of.uuid()))).execute(conn)?;
    Ok(())
}
