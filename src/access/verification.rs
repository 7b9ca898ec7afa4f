//! A contact is proved by a code sent to it: before somebody registers himself, and before somebody
//! who has forgotten his password chooses another.
//!
//! Nobody is told here whether a contact is known: taken or free, known or not, the same is looked
//! for, hashed, written and answered. What differs is the message, which only the owner of the
//! contact reads. A code has six digits, is looked at five times at most and lives for ten minutes;
//! where none was sent no code is right.

use chrono::TimeDelta;
use sha2::{Digest, Sha256};
use tessera_rules::id::{MemberId, VerificationId};
use tessera_rules::text::Text;
use tessera_rules::time::{BirthDate, Instant};
use uuid::Uuid;

use super::origin::Origin;
use super::{Access, Error, password, session};
use crate::clock;
use crate::store::contact_message::{self, ContactMessage};
use crate::store::db::{self, Connection};
use crate::store::secret::{self, Owner, Principal};
use crate::store::session::Hash;
use crate::store::verification::{self, VerificationRow};

/// How long a code is good.
pub const CODE_LIFE: TimeDelta = TimeDelta::minutes(10);
/// How long there is use in sending what carries no code.
const NOTICE_LIFE: TimeDelta = TimeDelta::days(1);
/// Digits of a code.
const DIGITS: usize = 6;

/// Where somebody can be reached, in its normal form.
#[derive(Clone, PartialEq, Eq)]
pub enum Contact {
    /// E.164.
    Phone(String),
    /// Lower case.
    Email(String),
}

impl Contact {
    fn phone(&self) -> Option<&str> {
        if let Self::Phone(phone) = self { Some(phone) } else { None }
    }

    fn email(&self) -> Option<&str> {
        if let Self::Email(email) = self { Some(email) } else { None }
    }

    /// The number or the address itself.
    pub fn as_str(&self) -> &str {
        let (Self::Phone(text) | Self::Email(text)) = self;
        text
    }

    fn channel(&self) -> &'static str {
        match self {
            Self::Phone(_) => "sms",
            Self::Email(_) => "email",
        }
    }
}

/// Who wants to join.
#[derive(Clone)]
pub struct Applicant {
    /// Name.
    pub name: String,
    /// The contact to be proved.
    pub contact: Contact,
    /// Birth date.
    pub birth_date: Option<BirthDate>,
    /// `en` or `zh-CN`.
    pub locale: String,
}

/// What a proved contact is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To become a member.
    Register,
    /// To choose a new password.
    ResetPassword,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::ResetPassword => "reset_password",
        }
    }
}

/// What a contact is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    AccountExists,
    AccountMissing,
    PasswordChanged,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "verification_code",
            Self::AccountExists => "account_exists",
            Self::AccountMissing => "account_missing",
            Self::PasswordChanged => "password_changed",
        }
    }

    fn text(self, code: &str) -> Text {
        let (en, zh) = match self {
            Self::Code => (
                format!("Your code is {code}. It is good for ten minutes. Nobody of ours will ever ask for it."),
                format!("您的验证码是 {code}，十分钟内有效。我们的工作人员绝不会向您索要验证码。"),
            ),
            Self::AccountExists => (
                "Somebody tried to register with this contact, which has an account already. If it was you, sign in, \
                 or choose a new password."
                    .to_owned(),
                "有人使用此联系方式注册，但该联系方式已有账号。若为您本人操作，请直接登录或重设密码。".to_owned(),
            ),
            Self::AccountMissing => (
                "Somebody asked for a new password for this contact, which has no account to sign in with. If it was \
                 you, register, or try another contact."
                    .to_owned(),
                "有人为此联系方式申请重设密码，但该联系方式没有可登录的账号。若为您本人操作，请注册或更换联系方式。"
                    .to_owned(),
            ),
            Self::PasswordChanged => (
                "The password of your account was changed, and all devices were signed out. If it was not you, tell \
                 us at once."
                    .to_owned(),
                "您的账号密码已更改，所有设备均已退出登录。若非您本人操作，请立即与我们联系。".to_owned(),
            ),
        };
        Text { en, zh: Some(zh) }
    }
}

/// Six digits, each code as likely as another: 2^64 numbers divide by a million evenly enough.
fn new_code() -> String {
    format!("{:06}", u64::from_be_bytes(clock::random_bytes()) % 1_000_000)
}

/// The hash of a code as somebody types it; nothing for what cannot be one.
fn hash(id: Uuid, code: &str) -> Option<Hash> {
    let code = code.trim();
    let sound = code.len() == DIGITS && code.bytes().all(|byte| byte.is_ascii_digit());
    sound.then(|| Sha256::new().chain_update(b"verification").chain_update(id).chain_update(code).finalize().into())
}

fn tell(conn: &mut Connection, contact: &Contact, kind: Kind, code: &str, now: Instant) -> Result<(), db::Error> {
    let life = if kind == Kind::Code { CODE_LIFE } else { NOTICE_LIFE };
    let message = ContactMessage {
        id: clock::new_uuid(),
        channel: contact.channel().to_owned(),
        contact: contact.as_str().to_owned(),
        kind: kind.as_str().to_owned(),
        text: kind.text(code),
        created_at: now,
        expires_at: now + life,
    };
    contact_message::insert(conn, &message)
}

/// Writes a verification and what its contact is told, the same statements whoever owns the contact.
fn open(
    conn: &mut Connection,
    contact: &Contact,
    applicant: Option<(Applicant, String)>,
    now: Instant,
) -> Result<VerificationId, db::Error> {
    let owner = secret::owner_of(conn, contact.phone(), contact.email())?;
    let (kind, member) = match (&applicant, owner) {
        (Some(_), None) => (Kind::Code, None),
        (Some(_), Some(_)) => (Kind::AccountExists, None),
        (None, Some(Owner { member, active: true })) => (Kind::Code, Some(member)),
        (None, _) => (Kind::AccountMissing, None),
    };
    let (id, code) = (clock::new_uuid(), new_code());
    // Made also where it is not used: the same work for everybody.
    let (of_code, nobodys) = (hash(id, &code), clock::random_bytes::<32>());
    let code_hash = of_code.filter(|_| kind == Kind::Code).unwrap_or(nobodys);
    let purpose = if applicant.is_some() { Purpose::Register } else { Purpose::ResetPassword };
    let (person, password_hash) = applicant.unzip();
    let row = VerificationRow {
        id,
        purpose: purpose.as_str().to_owned(),
        phone: contact.phone().map(str::to_owned),
        email: contact.email().map(str::to_owned),
        code_hash: code_hash.to_vec(),
        attempts: 0,
        created_at: now,
        expires_at: now + CODE_LIFE,
        member_id: member.map(MemberId::uuid),
        birth_date: person.as_ref().and_then(|person| person.birth_date).map(String::from),
        locale: person.as_ref().map(|person| person.locale.clone()),
        name: person.map(|person| person.name),
        password_hash,
    };
    verification::insert(conn, &row)?;
    tell(conn, contact, kind, &code, now)?;
    Ok(VerificationId::new(id))
}

impl Access {
    /// Keeps who wants to join, with the password chosen, and sends the contact a code, or tells its
    /// owner that there is an account already.
    ///
    /// # Errors
    /// [`Error::PasswordUnfit`], [`Error::Throttled`], [`Error::Busy`], [`Error::Store`].
    pub async fn open_registration(
        &self,
        applicant: Applicant,
        password: &str,
        origin: &Origin,
    ) -> Result<VerificationId, Error> {
        let contact = applicant.contact.clone();
        password::check(password, password::SHORTEST, &[&applicant.name, contact.as_str()])?;
        self.may_send(&contact, origin)?;
        let password_hash = self.inner.hasher.hash_checked(password).await?;
        let now = self.inner.clock.wall_now();
        let work = move |conn: &mut Connection| open(conn, &contact, Some((applicant, password_hash)), now);
        Ok(self.inner.pool.run(move |conn| db::transaction(conn, work)).await?)
    }

    /// Sends a contact a code with which its owner may choose a new password, or tells that nobody
    /// signs in with it.
    ///
    /// # Errors
    /// [`Error::Throttled`], [`Error::Store`].
    pub async fn open_reset(&self, contact: Contact, origin: &Origin) -> Result<VerificationId, Error> {
        self.may_send(&contact, origin)?;
        let now = self.inner.clock.wall_now();
        let work = move |conn: &mut Connection| open(conn, &contact, None, now);
        Ok(self.inner.pool.run(move |conn| db::transaction(conn, work)).await?)
    }

    /// Whether one more message may go to a contact, which counts at once, known or not: somebody's
    /// telephone is no toy, and each message has its price.
    fn may_send(&self, contact: &Contact, origin: &Origin) -> Result<(), Error> {
        let (inner, now) = (&self.inner, self.inner.clock.wall_now());
        let whose = session::sha256(&[b"contact", contact.as_str().as_bytes()]);
        inner.sources.check(&origin.source, now)?;
        inner.throttle.check(&whose, now)?;
        inner.throttle.failed(&whose, now);
        inner.sources.failed(&origin.source, now);
        Ok(())
    }

    /// Whether a source may try one more code; it counts as a wrong one until
    /// [`Access::code_was_right`] says otherwise.
    ///
    /// # Errors
    /// [`Error::Throttled`].
    pub fn may_try_code(&self, origin: &Origin) -> Result<(), Error> {
        let (sources, now) = (&self.inner.sources, self.inner.clock.wall_now());
        sources.check(&origin.source, now)?;
        sources.failed(&origin.source, now);
        Ok(())
    }

    /// The code tried last from there was right.
    pub fn code_was_right(&self, origin: &Origin) {
        self.inner.sources.forgive(&origin.source);
    }

    /// The hash of a new password for whom a verification was opened that can still be proved; nothing
    /// where there is none, so that nobody keeps the hasher busy with invented ids.
    ///
    /// # Errors
    /// [`Error::PasswordUnfit`], [`Error::Busy`], [`Error::Store`].
    pub async fn hash_for_reset(&self, id: VerificationId, password: &str) -> Result<Option<String>, Error> {
        let found = self.inner.pool.run(move |conn| verification::find(conn, id)).await?;
        let now = self.inner.clock.wall_now();
        let Some(row) = found.filter(|row| row.is_open(Purpose::ResetPassword.as_str(), now)) else {
            password::check(password, password::SHORTEST, &[])?;
            return Ok(None);
        };
        let contact = row.phone.or(row.email).unwrap_or_default();
        password::check(password, password::SHORTEST, &[&contact])?;
        Ok(Some(self.inner.hasher.hash_checked(password).await?))
    }
}

/// Tries a code, in the caller's transaction, which must be committed also where the code is wrong:
/// tries are counted. The right one uses the verification up.
///
/// # Errors
/// As [`db::Error`].
pub fn prove(
    conn: &mut Connection,
    id: VerificationId,
    purpose: Purpose,
    code: &str,
    now: Instant,
) -> Result<Option<VerificationRow>, db::Error> {
    let Some(row) = verification::find_locked(conn, id)? else {
        return Ok(None);
    };
    if !row.is_open(purpose.as_str(), now) {
        return Ok(None);
    }
    if hash(row.id, code).is_none_or(|tried| tried.as_slice() != row.code_hash) {
        verification::count_attempt(conn, row.id)?;
        return Ok(None);
    }
    verification::remove(conn, row.id)?;
    Ok(Some(row))
}

/// Gives the member who has proved a contact the password, ends all sign-ins and tells the contact;
/// in the caller's transaction. False if he may not sign in any more.
///
/// # Errors
/// As [`db::Error`].
pub fn reset_password(
    conn: &mut Connection,
    row: VerificationRow,
    password_hash: &str,
    now: Instant,
) -> Result<Option<MemberId>, db::Error> {
    let owner = secret::owner_of(conn, row.phone.as_deref(), row.email.as_deref())?;
    // The contact may have been given up since, or its owner may have been shut out.
    let Some(Owner { member, .. }) = owner.filter(|owner| owner.active && Some(owner.member.uuid()) == row.member_id)
    else {
        return Ok(None);
    };
    super::set_member_password(conn, member, password_hash)?;
    crate::store::session::revoke_all(conn, Principal::Member(member), None, now)?;
    let contact = row.phone.map(Contact::Phone).or(row.email.map(Contact::Email));
    if let Some(contact) = contact {
        tell(conn, &contact, Kind::PasswordChanged, "", now)?;
    }
    Ok(Some(member))
}
