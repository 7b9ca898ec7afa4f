//! Sign-ins and their refresh tokens: rows in, rows out. All times are wall time.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use tessera_rules::id::{MemberId, SessionId, StaffId, StoreId};
use uuid::Uuid;

use super::db::{Connection, Error};
use super::link::says_merged;
use super::rows::TiesRow;
use super::schema::{member, refresh_token, session, staff, standing};
use super::secret::Principal;
use super::staff::StaffRole;

/// A SHA-256.
pub type Hash = [u8; 32];

/// A new sign-in.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// A fresh id.
    pub id: SessionId,
    /// For whom.
    pub principal: Principal,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it ends, however often it is refreshed.
    pub expires_at: DateTime<Utc>,
    /// What the caller said it is: 1 to 200 characters.
    pub device: Option<String>,
}

/// A sign-in together with what its principal is right now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// For whom.
    pub principal: Principal,
    /// The person's name.
    pub name: String,
    /// The role, for staff.
    pub role: Option<StaffRole>,
    /// The store, for staff other than admins.
    pub store: Option<StoreId>,
    /// False for disabled staff, frozen and merged members, and people who are no longer there.
    pub active: bool,
    /// Whether the sign-in was ended.
    pub revoked: bool,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
}

/// Adds a sign-in.
///
/// # Errors
/// Of the database.
pub fn insert(connection: &mut Connection, new: &NewSession) -> Result<(), Error> {
    diesel::insert_into(session::table)
        .values((
            session::id.eq(new.id.uuid()),
            session::principal_kind.eq(new.principal.kind()),
            session::principal_id.eq(new.principal.uuid()),
            session::created_at.eq(new.created_at),
            session::expires_at.eq(new.expires_at),
            session::device.eq(&new.device),
        ))
        .execute(connection)?;
    Ok(())
}

type SessionRow = (String, Uuid, DateTime<Utc>, Option<DateTime<Utc>>);
type StaffRow = (Option<String>, Option<String>, Option<Uuid>, Option<String>);
type MemberRow = (Option<String>, Option<String>, Option<TiesRow>);

/// A sign-in and its principal, in one round trip on primary keys.
///
/// # Errors
/// Of the database.
pub fn standing(connection: &mut Connection, id: SessionId) -> Result<Option<Standing>, Error> {
    let row = session::table
        .left_join(staff::table.on(session::principal_kind.eq("staff").and(staff::id.eq(session::principal_id))))
        .left_join(member::table.on(session::principal_kind.eq("member").and(member::id.eq(session::principal_id))))
        .left_join(
            standing::table.on(session::principal_kind.eq("member").and(standing::member_id.eq(session::principal_id))),
        )
        .filter(session::id.eq(id.uuid()))
        .select((
            (session::principal_kind, session::principal_id, session::expires_at, session::revoked_at),
            (staff::name.nullable(), staff::role.nullable(), staff::store_id.nullable(), staff::status.nullable()),
            (member::name.nullable(), member::status.nullable(), standing::ties.nullable()),
        ))
        .first::<(SessionRow, StaffRow, MemberRow)>(connection)
        .optional()?;
    let Some(((kind, person, expires_at, revoked_at), staff, member)) = row else {
        return Ok(None);
    };
    let (staff_name, role, store, staff_status) = staff;
    let (member_name, member_status, ties) = member;
    let (principal, name, status) = match kind.as_str() {
        "staff" => (Principal::Staff(StaffId::new(person)), staff_name, staff_status),
        _ => (Principal::Member(MemberId::new(person)), member_name, member_status),
    };
    Ok(Some(Standing {
        principal,
        name: name.unwrap_or_default(),
        role: role.as_deref().map(StaffRole::from_row).transpose()?,
        store: store.map(StoreId::new),
        active: status.as_deref() == Some("active") && !ties.is_some_and(|ties| says_merged(&ties)),
        revoked: revoked_at.is_some(),
        expires_at,
    }))
}

/// A sign-in as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSession {
    /// Its id.
    pub id: SessionId,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When its tokens were last renewed.
    pub refreshed_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
    /// What the caller said it is.
    pub device: Option<String>,
}

/// The latest hundred sign-ins of a person that stand at `now`, newest first.
///
/// # Errors
/// Of the database.
pub fn open_of(
    connection: &mut Connection,
    principal: Principal,
    now: DateTime<Utc>,
) -> Result<Vec<OpenSession>, Error> {
    type Row = (Uuid, DateTime<Utc>, DateTime<Utc>, Option<String>, Option<DateTime<Utc>>);
    let theirs = session::principal_id.eq(principal.uuid()).and(session::principal_kind.eq(principal.kind()));
    let rows: Vec<Row> = session::table
        .inner_join(refresh_token::table)
        .filter(theirs.and(session::revoked_at.is_null()).and(session::expires_at.gt(now)))
        .group_by(session::id)
        .order(session::id.desc())
        .limit(100)
        .select((
            session::id,
            session::created_at,
            session::expires_at,
            session::device,
            diesel::dsl::max(refresh_token::issued_at),
        ))
        .load(connection)?;
    let view = |(id, created_at, expires_at, device, refreshed): Row| OpenSession {
        id: SessionId::new(id),
        created_at,
        refreshed_at: refreshed.unwrap_or(created_at),
        expires_at,
        device,
    };
    Ok(rows.into_iter().map(view).collect())
}

/// Ends one sign-in of a person; false if it is not his, or has ended before.
///
/// # Errors
/// Of the database.
pub fn revoke_own(
    connection: &mut Connection,
    principal: Principal,
    id: SessionId,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let theirs = session::principal_id.eq(principal.uuid()).and(session::principal_kind.eq(principal.kind()));
    let open = session::table.filter(session::id.eq(id.uuid()).and(theirs).and(session::revoked_at.is_null()));
    Ok(diesel::update(open).set(session::revoked_at.eq(now)).execute(connection)? == 1)
}

/// Ends a sign-in; ending it again changes nothing.
///
/// # Errors
/// Of the database.
pub fn revoke(connection: &mut Connection, id: SessionId, now: DateTime<Utc>) -> Result<(), Error> {
    diesel::update(session::table.filter(session::id.eq(id.uuid()).and(session::revoked_at.is_null())))
        .set(session::revoked_at.eq(now))
        .execute(connection)?;
    Ok(())
}

/// Ends every sign-in of a person but `keep`.
///
/// # Errors
/// Of the database.
pub fn revoke_all(
    connection: &mut Connection,
    principal: Principal,
    keep: Option<SessionId>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let kept = keep.map_or(Uuid::nil(), SessionId::uuid);
    let theirs = session::principal_id.eq(principal.uuid()).and(session::principal_kind.eq(principal.kind()));
    diesel::update(session::table.filter(theirs.and(session::revoked_at.is_null()).and(session::id.ne(kept))))
        .set(session::revoked_at.eq(now))
        .execute(connection)?;
    Ok(())
}

/// Forgets sign-ins that ended before `before`, with their tokens; says how many.
///
/// # Errors
/// Of the database.
pub fn purge(connection: &mut Connection, before: DateTime<Utc>) -> Result<usize, Error> {
    Ok(diesel::delete(session::table.filter(session::expires_at.lt(before))).execute(connection)?)
}

/// A refresh token's row, locked until the transaction ends.
#[derive(Clone)]
pub struct RefreshToken {
    /// The sign-in it belongs to.
    pub session: SessionId,
    /// What its successor is derived with.
    pub salt: Vec<u8>,
    /// When it was first used.
    pub used_at: Option<DateTime<Utc>>,
}

/// Finds a refresh token and keeps others from using it until the transaction ends.
///
/// # Errors
/// Of the database.
pub fn refresh_locked(connection: &mut Connection, hash: &Hash) -> Result<Option<RefreshToken>, Error> {
    let row = refresh_token::table
        .find(hash.as_slice())
        .select((refresh_token::session_id, refresh_token::salt, refresh_token::used_at))
        .for_update()
        .first::<(Uuid, Vec<u8>, Option<DateTime<Utc>>)>(connection)
        .optional()?;
    Ok(row.map(|(session, salt, used_at)| RefreshToken { session: SessionId::new(session), salt, used_at }))
}

/// Adds a refresh token.
///
/// # Errors
/// Of the database.
pub fn insert_refresh(
    connection: &mut Connection,
    hash: &Hash,
    session: SessionId,
    salt: &Hash,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    diesel::insert_into(refresh_token::table)
        .values((
            refresh_token::hash.eq(hash.as_slice()),
            refresh_token::session_id.eq(session.uuid()),
            refresh_token::salt.eq(salt.as_slice()),
            refresh_token::issued_at.eq(now),
        ))
        .execute(connection)?;
    Ok(())
}

/// Marks a refresh token as used.
///
/// # Errors
/// Of the database.
pub fn use_refresh(connection: &mut Connection, hash: &Hash, now: DateTime<Utc>) -> Result<(), Error> {
    diesel::update(refresh_token::table.find(hash.as_slice()))
        .set(refresh_token::used_at.eq(now))
        .execute(connection)?;
    Ok(())
}
