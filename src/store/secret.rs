//! What people prove themselves with: password and PIN hashes, one-time-code secrets.
//!
//! No type here that holds a secret has `Debug`, and nothing here leaves `access`.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use tessera_rules::id::{ApiKeyId, MemberId, StaffId};
use uuid::Uuid;

use super::db::{Connection, Error};
use super::link;
use super::rows::TiesRow;
use super::schema::{member, member_credential, staff, standing};

/// Staff or member, whom a sign-in is for; or an API key, which needs none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Principal {
    /// A member of staff.
    Staff(StaffId),
    /// A member of the programme.
    Member(MemberId),
    /// A till or an integration.
    Key(ApiKeyId),
}

impl Principal {
    /// The id, as SQL stores it.
    pub const fn uuid(self) -> Uuid {
        match self {
            Self::Staff(id) => id.uuid(),
            Self::Member(id) => id.uuid(),
            Self::Key(id) => id.uuid(),
        }
    }

    /// `staff`, `member` or `api_key`, as SQL and JSON write it.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Staff(_) => "staff",
            Self::Member(_) => "member",
            Self::Key(_) => "api_key",
        }
    }
}

/// Whom an identifier belongs to, and what the password must match.
pub struct Login {
    /// Who.
    pub principal: Principal,
    /// PHC string; absent for a member without a password.
    pub password_hash: Option<String>,
    /// Whether this person may sign in.
    pub active: bool,
    /// Whether this member was merged into another, as whom he signs in now.
    pub merged: bool,
}

/// Finds who signs in with `identifier`: a member of staff's, else a member's code, phone number,
/// e-mail address or external id, in this order.
///
/// # Errors
/// Of the database.
pub fn login(connection: &mut Connection, identifier: &str) -> Result<Option<Login>, Error> {
    let exact = identifier.trim();
    let lower = exact.to_lowercase();
    let found = staff::table
        .filter(staff::identifier.eq(&lower))
        .select((staff::id, staff::password_hash, staff::status))
        .first::<(Uuid, String, String)>(connection)
        .optional()?;
    if let Some((id, hash, status)) = found {
        return Ok(Some(Login {
            principal: Principal::Staff(StaffId::new(id)),
            password_hash: Some(hash),
            active: status == "active",
            merged: false,
        }));
    }
    let matching = member::table
        .filter(
            member::code
                .eq(exact)
                .or(member::phone.eq(exact))
                .or(member::email.eq(&lower))
                .or(member::external_id.eq(exact)),
        )
        .select((member::id, member::code, member::phone, member::email))
        .load::<(Uuid, String, Option<String>, Option<String>)>(connection)?;
    let rank = |(_, code, phone, email): &(Uuid, String, Option<String>, Option<String>)| {
        (code != exact, phone.as_deref() != Some(exact), email.as_deref() != Some(&lower))
    };
    let Some((id, ..)) = matching.into_iter().min_by_key(rank) else {
        return Ok(None);
    };
    member_login(connection, MemberId::new(id))
}

/// What a known principal's password must match, for changing it.
///
/// # Errors
/// Of the database.
pub fn password_of(connection: &mut Connection, principal: Principal) -> Result<Option<Login>, Error> {
    match principal {
        Principal::Key(_) => Ok(None),
        Principal::Member(id) => member_login(connection, id),
        Principal::Staff(id) => {
            let found = staff::table
                .find(id.uuid())
                .select((staff::password_hash, staff::status))
                .first::<(String, String)>(connection)
                .optional()?;
            let login = |(hash, status)| Login {
                principal,
                password_hash: Some(hash),
                active: status == "active",
                merged: false,
            };
            Ok(found.map(login))
        }
    }
}

/// Whose a phone number (E.164) or an e-mail address (lower case) is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// Who.
    pub member: MemberId,
    /// Whether this member may sign in.
    pub active: bool,
}

/// Finds whose a contact is, in one round trip whether or not there is anybody.
///
/// # Errors
/// Of the database.
pub fn owner_of(connection: &mut Connection, phone: Option<&str>, email: Option<&str>) -> Result<Option<Owner>, Error> {
    let theirs = member::phone.eq(phone).or(member::email.eq(email));
    let found = member::table
        .left_join(standing::table.on(standing::member_id.eq(member::id)))
        .filter(theirs)
        .select((member::id, member::status, standing::ties.nullable()))
        .first::<(Uuid, String, Option<TiesRow>)>(connection)
        .optional()?;
    let owner = |(id, status, ties): (Uuid, String, Option<TiesRow>)| Owner {
        member: MemberId::new(id),
        active: status == "active" && !ties.is_some_and(|ties| link::says_merged(&ties)),
    };
    Ok(found.map(owner))
}

fn member_login(connection: &mut Connection, id: MemberId) -> Result<Option<Login>, Error> {
    let status = member::table.find(id.uuid()).select(member::status).first::<String>(connection).optional()?;
    let Some(status) = status else {
        return Ok(None);
    };
    let password_hash = member_credential::table
        .find(id.uuid())
        .select(member_credential::password_hash)
        .first::<Option<String>>(connection)
        .optional()?
        .flatten();
    let merged = link::is_merged(connection, id)?;
    Ok(Some(Login { principal: Principal::Member(id), password_hash, active: status == "active", merged }))
}

/// Sets a password; false if there is nobody to set it for.
///
/// # Errors
/// Of the database.
pub fn set_password_hash(connection: &mut Connection, principal: Principal, hash: &str) -> Result<bool, Error> {
    let changed = match principal {
        Principal::Key(_) => 0,
        Principal::Staff(id) => {
            diesel::update(staff::table.find(id.uuid())).set(staff::password_hash.eq(hash)).execute(connection)?
        }
        Principal::Member(id) => diesel::update(member_credential::table.find(id.uuid()))
            .set(member_credential::password_hash.eq(hash))
            .execute(connection)?,
    };
    Ok(changed == 1)
}

/// Sets the password of a member who has none; false if there is one, or no credential row.
///
/// # Errors
/// Of the database.
pub fn set_first_password_hash(connection: &mut Connection, id: MemberId, hash: &str) -> Result<bool, Error> {
    let without = member_credential::table
        .filter(member_credential::member_id.eq(id.uuid()).and(member_credential::password_hash.is_null()));
    Ok(diesel::update(without).set(member_credential::password_hash.eq(hash)).execute(connection)? == 1)
}

/// A member's codes, PIN and failures.
pub struct Proofs {
    /// 20 bytes.
    pub otp_secret: Vec<u8>,
    /// PHC string; absent until the member sets a PIN.
    pub pin_hash: Option<String>,
    /// Wrong ones since the last right one.
    pub failures: i32,
    /// Until when none is looked at.
    pub locked_until: Option<DateTime<Utc>>,
}

const PROOFS: (
    member_credential::otp_secret,
    member_credential::pin_hash,
    member_credential::failures,
    member_credential::locked_until,
) = (
    member_credential::otp_secret,
    member_credential::pin_hash,
    member_credential::failures,
    member_credential::locked_until,
);

type ProofsRow = (Vec<u8>, Option<String>, i32, Option<DateTime<Utc>>);

fn proofs_from((otp_secret, pin_hash, failures, locked_until): ProofsRow) -> Proofs {
    Proofs { otp_secret, pin_hash, failures, locked_until }
}

/// Reads a member's proofs.
///
/// # Errors
/// Of the database.
pub fn proofs(connection: &mut Connection, id: MemberId) -> Result<Option<Proofs>, Error> {
    let row = member_credential::table.find(id.uuid()).select(PROOFS).first::<ProofsRow>(connection).optional()?;
    Ok(row.map(proofs_from))
}

/// Reads a member's proofs and keeps others from counting failures until the transaction ends.
///
/// # Errors
/// Of the database.
pub fn proofs_locked(connection: &mut Connection, id: MemberId) -> Result<Option<Proofs>, Error> {
    let row = member_credential::table
        .find(id.uuid())
        .select(PROOFS)
        .for_update()
        .first::<ProofsRow>(connection)
        .optional()?;
    Ok(row.map(proofs_from))
}

/// Writes the count of failures and until when the member's proofs are locked.
///
/// # Errors
/// Of the database.
pub fn set_failures(
    connection: &mut Connection,
    id: MemberId,
    failures: i32,
    locked_until: Option<DateTime<Utc>>,
) -> Result<(), Error> {
    diesel::update(member_credential::table.find(id.uuid()))
        .set((member_credential::failures.eq(failures), member_credential::locked_until.eq(locked_until)))
        .execute(connection)?;
    Ok(())
}

/// Gives a member a credential row with this secret, unless there is one.
///
/// # Errors
/// [`Error::Conflict`] on `member_credential_member_fkey` if there is no such member.
pub fn ensure(connection: &mut Connection, id: MemberId, otp_secret: &[u8; 20]) -> Result<(), Error> {
    diesel::insert_into(member_credential::table)
        .values((
            member_credential::member_id.eq(id.uuid()),
            member_credential::otp_secret.eq(otp_secret.as_slice()),
            member_credential::failures.eq(0),
        ))
        .on_conflict_do_nothing()
        .execute(connection)?;
    Ok(())
}

/// Sets a PIN and forgets failures; false if the member has no credential row.
///
/// # Errors
/// Of the database.
pub fn set_pin_hash(connection: &mut Connection, id: MemberId, hash: &str) -> Result<bool, Error> {
    let changed = diesel::update(member_credential::table.find(id.uuid()))
        .set((
            member_credential::pin_hash.eq(hash),
            member_credential::failures.eq(0),
            member_credential::locked_until.eq(None::<DateTime<Utc>>),
        ))
        .execute(connection)?;
    Ok(changed == 1)
}

/// Forgets everything a member proves himself with (erasure, merging).
///
/// # Errors
/// Of the database.
pub fn erase(connection: &mut Connection, id: MemberId) -> Result<(), Error> {
    diesel::delete(member_credential::table.find(id.uuid())).execute(connection)?;
    Ok(())
}
