//! Enrolment: a person becomes a member, with an empty standing and a secret for rotating codes.

use tessera_rules::Standing;
use tessera_rules::code::MemberCode;
use tessera_rules::id::{MemberId, StoreId};
use tessera_rules::time::{BirthDate, Instant};

use super::convert::standing_row;
use crate::clock::{new_uuid, random_bytes};
use crate::store::db::{Connection, transaction};
use crate::store::rows::OutboxRow;
use crate::store::{Error, member, outbox, referral, secret};

/// Who is to be enrolled. Phone and e-mail are in their normal form (E.164, lower case).
#[derive(Clone)]
pub struct NewMember {
    /// Name.
    pub name: String,
    /// E.164.
    pub phone: Option<String>,
    /// Lower case.
    pub email: Option<String>,
    /// The id in another system.
    pub external_id: Option<String>,
    /// Birth date.
    pub birth_date: Option<BirthDate>,
    /// `en` or `zh-CN`.
    pub locale: String,
    /// Where.
    pub store: Option<StoreId>,
    /// When.
    pub enrolled_at: Instant,
    /// Who brought him: another member, who stays whoever he is merged with later.
    pub referred_by: Option<MemberId>,
}

/// Random codes that were all taken: with a trillion codes this does not happen by chance.
const CODE_TRIES: usize = 8;

/// Enrols a member in a transaction of his own (a savepoint inside another). A perk that
/// may be due at once is a command for the engine afterwards.
///
/// # Errors
/// [`Error::Conflict`] on `member_phone_key`, `member_email_key` or `member_external_id_key`.
pub fn enrol(conn: &mut Connection, new: NewMember) -> Result<member::MemberRow, Error> {
    let referred_by = new.referred_by;
    let mut row = member::MemberRow {
        id: new_uuid(),
        code: String::new(),
        name: new.name,
        phone: new.phone,
        email: new.email,
        external_id: new.external_id,
        birth_year: None,
        birth_month: None,
        birth_day: None,
        locale: new.locale,
        status: "active".to_owned(),
        store_id: new.store.map(StoreId::uuid),
        enrolled_at: new.enrolled_at,
        version: 1,
    };
    row.set_birth_date(new.birth_date);
    for _ in 0..CODE_TRIES {
        row.code = MemberCode::from_number(u64::from_be_bytes(random_bytes())).into();
        match insert(conn, &row, referred_by) {
            Err(error) if error.is_conflict("member_code_key") => {}
            result => return result.map(|()| row),
        }
    }
    Err(Error::Conflict { constraint: "member_code_key".to_owned() })
}

fn insert(conn: &mut Connection, row: &member::MemberRow, referred_by: Option<MemberId>) -> Result<(), Error> {
    transaction(conn, |conn| {
        let standing = Standing::new(MemberId::new(row.id), row.enrolled_at);
        member::insert(conn, row, &standing_row(standing, 1))?;
        if let Some(referrer) = referred_by {
            referral::insert(conn, row.id, referrer, row.enrolled_at)?;
        }
        secret::ensure(conn, MemberId::new(row.id), &random_bytes::<20>())?;
        let event = OutboxRow {
            id: new_uuid(),
            member_id: row.id,
            kind: "member.enrolled".to_owned(),
            document_id: None,
            points: 0,
            at: row.enrolled_at,
        };
        outbox::insert(conn, &event)
    })
}
