//! Who asks, and what they may do: passwords, tokens, sign-ins, codes, and the one policy function.
//!
//! - [`password`]: argon2id, a few at a time. [`throttle`]: guessing gets slower and slower.
//! - [`keys`], [`tokens`]: signing keys and the access tokens they sign.
//! - [`session`]: login, refresh, logout; a bearer token becomes a [`Caller`] here. [`origin`]: where from.
//! - [`verification`]: a contact is proved by a code, to register or to choose a new password.
//! - [`api_key`]: how a till or an integration asks, without anybody signing in.
//! - [`otp`], [`pin`]: how a member at a till agrees to spend points. [`invitation`]: how one is asked
//!   into a household.
//! - [`policy`]: `may(caller, action, resource)`, the only place that decides rights.
//!
//! Nothing here knows points. Nothing that is secret has `Debug` or reaches a log. All times are wall
//! time, also in sandbox mode.

pub mod api_key;
mod common;
mod ed25519;
pub mod invitation;
pub mod keys;
pub mod origin;
pub mod otp;
pub mod password;
pub mod pin;
pub mod policy;
pub mod session;
pub mod throttle;
pub mod tokens;
pub mod verification;

use std::sync::Arc;

use tessera_rules::id::{MemberId, StaffId, StoreId};
use tessera_rules::time::Instant;

pub use self::Error as AuthError;
pub use self::origin::Origin;
pub use self::pin::{Authorised, Proof};
pub use self::policy::{Action, Caller, Kind, Resource, Verdict, may};
pub use crate::store::api_key::{Scope, Scopes};
pub use crate::store::secret::Principal;
pub use crate::store::staff::StaffRole;

use self::password::{Hasher, Unfit};
use self::session::Seen;
use self::throttle::Throttle;
use self::tokens::Tokens;
use crate::clock::{self, Clock};
use crate::config::AuthSettings;
use crate::store::db::{self, Connection, Pool};
use crate::store::{secret, staff};

/// Why somebody is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A bearer or refresh token that is not one of ours, or has expired.
    #[error("the token is invalid or has expired")]
    TokenInvalid,
    /// The sign-in has ended, or its person may no longer sign in.
    #[error("the session has ended")]
    SessionRevoked,
    /// Nobody by this identifier, a wrong password, or somebody who may not sign in: which of them is
    /// not told.
    #[error("the identifier or the password is wrong")]
    InvalidCredentials,
    /// The password is right, and the member was merged into another: that account is the one to use.
    #[error("the member was merged into another")]
    Merged,
    /// Too many wrong passwords: wait.
    #[error("too many failed attempts: wait {seconds} s")]
    Throttled {
        /// Seconds until the next attempt is looked at.
        seconds: u32,
    },
    /// No place at the password hasher came free in time.
    #[error("too many passwords are being checked")]
    Busy,
    /// A new password that is not acceptable.
    #[error("the password is not acceptable: {0}")]
    PasswordUnfit(Unfit),
    /// A new PIN that is not 6 to 12 digits.
    #[error("the PIN must be 6 to 12 digits")]
    PinUnfit,
    /// The code is not the member's code of now.
    #[error("the member's code is wrong")]
    CodeWrong,
    /// The PIN is not the member's, or the member has none.
    #[error("the PIN is wrong")]
    PinWrong,
    /// Too many wrong codes and PINs.
    #[error("codes and PINs are locked until {until}")]
    Locked {
        /// Until when (wall time).
        until: Instant,
    },
    /// The database did not do what was asked.
    #[error(transparent)]
    Store(#[from] db::Error),
    /// Our mistake.
    #[error("access: {0}")]
    Internal(String),
}

/// Everything that lets people in; a clone shares it.
#[derive(Clone)]
pub struct Access {
    inner: Arc<Inner>,
}

struct Inner {
    pool: Pool,
    clock: Clock,
    hasher: Hasher,
    tokens: Tokens,
    seen: Seen,
    throttle: Throttle,
    sources: Throttle,
    refresh_ttl_days: i64,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("tokens", &self.inner.tokens).finish_non_exhaustive()
    }
}

impl Access {
    /// Reads the signing keys, or makes the first one.
    ///
    /// # Errors
    /// [`keys::Error`]: a key file that others can read, or that is short or garbled. A server must
    /// not start then.
    pub fn open(settings: &AuthSettings, pool: Pool, clock: Clock) -> Result<Self, keys::Error> {
        let inner = Inner {
            pool,
            clock,
            hasher: Hasher::new(settings.hash_slots),
            tokens: Tokens::open(&settings.keys_dir, settings.access_ttl_seconds)?,
            seen: Seen::new(),
            throttle: Throttle::new(),
            sources: Throttle::with_free(settings.source_attempts),
            refresh_ttl_days: settings.refresh_ttl_days.into(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The public keys, for whoever wants to verify our tokens (RFC 7517).
    pub fn jwks(&self) -> serde_json::Value {
        self.inner.tokens.jwks(self.inner.clock.wall_now())
    }

    /// Whether somebody may look at one more code that could be guessed. It counts as a wrong one until
    /// [`Access::guessed_right`] says otherwise, so that guesses sent all at once slow each other down.
    ///
    /// # Errors
    /// [`Error::Throttled`].
    pub fn guess(&self, who: Principal) -> Result<(), Error> {
        let (whose, now) = (guesser(who), self.inner.clock.wall_now());
        self.inner.throttle.check(&whose, now)?;
        self.inner.throttle.failed(&whose, now);
        Ok(())
    }

    /// The code was one of ours.
    pub fn guessed_right(&self, who: Principal) {
        self.inner.throttle.succeeded(&guesser(who));
    }

    /// Hashes a new password of at least `shortest` characters for somebody of whom the words
    /// `about` are known (see [`password::check`]).
    ///
    /// # Errors
    /// [`Error::PasswordUnfit`], [`Error::Busy`].
    pub async fn hash_password(&self, password: &str, shortest: usize, about: &[&str]) -> Result<String, Error> {
        password::check(password, shortest, about)?;
        self.inner.hasher.hash_checked(password).await
    }
}

fn guesser(who: Principal) -> crate::store::session::Hash {
    session::sha256(&[b"code", who.uuid().as_bytes()])
}

/// Who is to be added to the staff.
#[derive(Debug, Clone)]
pub struct NewStaff {
    /// What is typed at login: an e-mail address or a user name.
    pub identifier: String,
    /// For people.
    pub name: String,
    /// What this person may do.
    pub role: StaffRole,
    /// Required for all but admins, who have none.
    pub store: Option<StoreId>,
}

/// Adds a member of staff with a password hashed before ([`Access::hash_password`] in a server,
/// [`password::hash_now`] in a tool), at wall time `now`.
///
/// # Errors
/// [`db::Error::Conflict`] on `staff_identifier_key` (taken), `staff_store_fkey` (no such store),
/// `staff_role_store_check` (an admin with a store, or another without).
pub fn create_staff(
    connection: &mut Connection,
    new: &NewStaff,
    password_hash: String,
    now: Instant,
) -> Result<StaffId, db::Error> {
    let id = StaffId::new(clock::new_uuid());
    let row = staff::NewStaff {
        id,
        identifier: new.identifier.clone(),
        name: new.name.clone(),
        role: new.role,
        store: new.store,
        password_hash,
        created_at: now,
    };
    staff::insert(connection, &row)?;
    Ok(id)
}

/// Gives a member what his card shows codes with, at enrolment and in its transaction. Doing it again
/// changes nothing.
///
/// # Errors
/// [`db::Error::Conflict`] on `member_credential_member_fkey` if there is no such member yet.
pub fn ensure_member(connection: &mut Connection, member: MemberId) -> Result<(), db::Error> {
    secret::ensure(connection, member, &clock::random_bytes())
}

/// Sets a member's password, hashed before as for [`create_staff`].
///
/// # Errors
/// As [`ensure_member`].
pub fn set_member_password(
    connection: &mut Connection,
    member: MemberId,
    password_hash: &str,
) -> Result<(), db::Error> {
    ensure_member(connection, member)?;
    secret::set_password_hash(connection, Principal::Member(member), password_hash)?;
    Ok(())
}

/// Bytes as lower-case hexadecimal.
fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// Hexadecimal as bytes.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok())).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
