//! Sign-ins: login, refresh, logout, and how a bearer token becomes a [`Caller`].
//!
//! A refresh token is used once. Its successor is derived from it, so that repeating a refresh whose
//! answer was lost, or sending it twice at once, gives the same successor and not a second line of
//! them; used again later, it must have been stolen, and the whole sign-in ends.
//!
//! A verified token is remembered until it expires, but whether its sign-in still stands, and what
//! its person may do, is asked again every few seconds: logout, dismissal and a new role take effect
//! in every process within [`HARD`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use chrono::TimeDelta;
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};
use tessera_rules::id::SessionId;
use tessera_rules::time::Instant;

use super::origin::Origin;
use super::password::{self, SHORTEST, SHORTEST_OF_STAFF};
use super::policy::{Caller, Kind};
use super::tokens::Verified;
use super::{Access, Error, Principal, api_key, hex, unhex};
use crate::clock;
use crate::store::db::{self, Connection};
use crate::store::session::{self, Hash, NewSession, OpenSession, Standing};
use crate::store::{secret, staff};

/// For so long after its first use a refresh token still gives its successor.
const GRACE: TimeDelta = TimeDelta::seconds(10);
/// From this age on, one request of many asks the database whether a sign-in still stands.
const SOFT: TimeDelta = TimeDelta::seconds(3);
/// No request goes by an answer older than this.
pub const HARD: TimeDelta = TimeDelta::seconds(5);
/// Bytes, generously: 254 characters.
const LONGEST_IDENTIFIER: usize = 1016;
/// Tokens remembered by one process.
const CAPACITY: usize = 16_384;

/// The outcome of a login or a refresh. Holds secrets, hence no `Debug`.
pub struct SignedIn {
    /// A JWT for the `Authorization` header.
    pub access_token: String,
    /// Seconds it lives.
    pub expires_in: i64,
    /// For the next refresh; used once.
    pub refresh_token: String,
    /// Who signed in.
    pub caller: Caller,
}

/// A token that was found genuine, and what its person was when last asked.
struct Entry {
    caller: Caller,
    verified: Verified,
    checked: Instant,
    asking: AtomicBool,
}

/// The tokens found genuine of late.
pub(super) struct Seen {
    entries: Cache<Hash, Arc<Entry>>,
    /// Rises whenever something is forgotten, so that an answer asked for before is not remembered.
    epoch: AtomicU64,
}

impl Seen {
    pub(super) fn new() -> Self {
        Self { entries: Cache::new(CAPACITY), epoch: AtomicU64::new(0) }
    }

    fn forget(&self, goes: impl Fn(&Caller) -> bool) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.entries.retain(|_, entry| !goes(&entry.caller));
    }

    fn remember(&self, key: Hash, entry: Entry, epoch: u64) {
        if self.epoch.load(Ordering::Acquire) == epoch {
            self.entries.insert(key, Arc::new(entry));
        }
    }
}

pub(super) fn sha256(parts: &[&[u8]]) -> Hash {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
    }
    digest.finalize().into()
}

fn caller_of(standing: Standing, session: SessionId) -> Result<Caller, Error> {
    let kind = match (standing.principal, standing.role) {
        (Principal::Member(id), _) => Kind::Member(id),
        (Principal::Staff(id), Some(role)) => Kind::Staff(id, role),
        // Keys have no sign-in.
        (Principal::Staff(_), None) | (Principal::Key(_), _) => return Err(Error::SessionRevoked),
    };
    Ok(Caller { kind, store: standing.store, session, name: standing.name.into() })
}

/// What a sign-in stands for right now, or that it has ended.
fn stands(found: Option<Standing>, session: SessionId, now: Instant) -> Result<Caller, Error> {
    let standing = found.filter(|standing| standing.active && !standing.revoked && standing.expires_at > now);
    caller_of(standing.ok_or(Error::SessionRevoked)?, session)
}

/// What a refresh came to. A reuse is not an error inside: it must be committed.
enum Refreshed {
    As(Caller, Hash),
    Unknown,
    Ended,
}

impl Access {
    /// Who bears this token.
    ///
    /// # Errors
    /// [`Error::TokenInvalid`], [`Error::SessionRevoked`], [`Error::Store`].
    pub async fn authenticate(&self, bearer: &str) -> Result<Caller, Error> {
        let inner = &self.inner;
        let now = inner.clock.wall_now();
        let key = sha256(&[bearer.as_bytes()]);
        let Some(entry) = inner.seen.entries.get(&key) else {
            if api_key::is_key(bearer) {
                return self.ask_key(key, now).await;
            }
            let verified = inner.tokens.verify(bearer, now)?;
            return self.ask(key, verified, now).await;
        };
        if now.timestamp() >= entry.verified.expires {
            inner.seen.entries.remove(&key);
            return Err(Error::TokenInvalid);
        }
        let age = now - entry.checked;
        let fresh = age >= TimeDelta::zero() && age < SOFT;
        if fresh || (age < HARD && entry.asking.swap(true, Ordering::AcqRel)) {
            return Ok(entry.caller.clone());
        }
        let answer = match entry.verified.principal {
            Principal::Key(_) => self.ask_key(key, now).await,
            Principal::Staff(_) | Principal::Member(_) => self.ask(key, entry.verified, now).await,
        };
        entry.asking.store(false, Ordering::Release);
        answer
    }

    async fn ask(&self, key: Hash, verified: Verified, now: Instant) -> Result<Caller, Error> {
        let seen = &self.inner.seen;
        let epoch = seen.epoch.load(Ordering::Acquire);
        let session = verified.session;
        let found = self.inner.pool.run(move |connection| session::standing(connection, session)).await?;
        let found = found.filter(|standing| standing.principal == verified.principal);
        match stands(found, session, now) {
            Ok(caller) => {
                let asking = AtomicBool::new(false);
                let entry = Entry { caller: caller.clone(), verified, checked: now, asking };
                seen.remember(key, entry, epoch);
                Ok(caller)
            }
            Err(error) => {
                seen.entries.remove(&key);
                Err(error)
            }
        }
    }

    /// As [`Access::ask`], for an API key, of which `key` is the hash it is stored under.
    async fn ask_key(&self, key: Hash, now: Instant) -> Result<Caller, Error> {
        let seen = &self.inner.seen;
        let epoch = seen.epoch.load(Ordering::Acquire);
        let found = self.inner.pool.run(move |connection| api_key::look_up(connection, &key, now)).await?;
        let Some((caller, expires)) = found else {
            seen.entries.remove(&key);
            return Err(Error::TokenInvalid);
        };
        let verified = Verified { principal: caller.principal(), session: caller.session, expires };
        let entry = Entry { caller: caller.clone(), verified, checked: now, asking: AtomicBool::new(false) };
        seen.remember(key, entry, epoch);
        Ok(caller)
    }

    /// Forgets the tokens of a sign-in, so that this process asks again at once.
    pub fn forget_session(&self, session: SessionId) {
        self.inner.seen.forget(|caller| caller.session == session);
    }

    /// Ends every sign-in of a person: staff who were disabled, a member who was frozen or erased.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn end_sessions(&self, principal: Principal) -> Result<(), Error> {
        let now = self.inner.clock.wall_now();
        self.inner.pool.run(move |connection| session::revoke_all(connection, principal, None, now)).await?;
        self.inner.seen.forget(|caller| caller.principal() == principal);
        Ok(())
    }

    /// Signs in with an identifier and a password. Takes the same time whether or not there is
    /// somebody by that identifier. Wrong passwords count against the identifier and against where they
    /// come from.
    ///
    /// # Errors
    /// [`Error::InvalidCredentials`], [`Error::Merged`], [`Error::Throttled`], [`Error::Busy`], [`Error::Store`].
    pub async fn login(&self, identifier: &str, password: &str, origin: &Origin) -> Result<SignedIn, Error> {
        let inner = &self.inner;
        let whose = sha256(&[b"login", staff::normal_identifier(identifier).as_bytes()]);
        // The place comes before the throttle: guesses sent all at once wait for one another here.
        let slot = inner.hasher.slot().await?;
        inner.sources.check(&origin.source, inner.clock.wall_now())?;
        inner.throttle.check(&whose, inner.clock.wall_now())?;
        // What cannot be anybody's identifier, or text in Postgres, is not asked for.
        let sound = identifier.len() <= LONGEST_IDENTIFIER && !identifier.contains('\0');
        let identifier = sound.then(|| identifier.to_owned());
        let found = inner.pool.run(move |connection| match identifier {
            Some(identifier) => secret::login(connection, &identifier),
            None => Ok(None),
        });
        let found = found.await?;
        let (principal, hash, merged) = match found.filter(|login| login.active) {
            Some(login) => (Some(login.principal), login.password_hash, login.merged),
            None => (None, None, false),
        };
        let right = slot.verify(password, hash).await?;
        let now = inner.clock.wall_now();
        match principal.filter(|_| right) {
            // The old account's password does not open the other one: its owner chose another for that.
            Some(_) if merged => Err(Error::Merged),
            Some(principal) => {
                inner.throttle.succeeded(&whose);
                self.sign_in(principal, origin).await
            }
            None => {
                inner.sources.failed(&origin.source, now);
                inner.throttle.failed(&whose, now);
                Err(Error::InvalidCredentials)
            }
        }
    }

    /// Signs somebody in who has just proved who he is.
    ///
    /// # Errors
    /// [`Error::SessionRevoked`] for somebody who may not sign in, [`Error::Store`].
    pub async fn sign_in(&self, principal: Principal, origin: &Origin) -> Result<SignedIn, Error> {
        let (id, now) = (SessionId::new(clock::new_uuid()), self.inner.clock.wall_now());
        let expires_at = now + TimeDelta::days(self.inner.refresh_ttl_days);
        let new = NewSession { id, principal, created_at: now, expires_at, device: origin.device.clone() };
        let token: Hash = clock::random_bytes();
        let salt = clock::random_bytes();
        let standing = self.inner.pool.run(move |connection| {
            db::transaction(connection, |connection| {
                session::insert(connection, &new)?;
                session::insert_refresh(connection, &sha256(&[&token]), id, &salt, now)?;
                session::standing(connection, id)
            })
        });
        let caller = stands(standing.await?, id, now)?;
        self.signed_in(caller, &token, now)
    }

    fn signed_in(&self, caller: Caller, refresh: &Hash, now: Instant) -> Result<SignedIn, Error> {
        let tokens = &self.inner.tokens;
        let access_token = tokens.issue(caller.principal(), caller.session, now)?;
        Ok(SignedIn { access_token, expires_in: tokens.ttl_seconds(), refresh_token: hex(refresh), caller })
    }

    /// Trades a refresh token for a new pair.
    ///
    /// # Errors
    /// [`Error::TokenInvalid`] for one that is not ours; [`Error::SessionRevoked`] where the sign-in
    /// has ended, also because this very token was used before; [`Error::Store`].
    pub async fn refresh(&self, refresh_token: &str) -> Result<SignedIn, Error> {
        let now = self.inner.clock.wall_now();
        let token: Hash = unhex(refresh_token).and_then(|bytes| bytes.try_into().ok()).ok_or(Error::TokenInvalid)?;
        let refreshed = self
            .inner
            .pool
            .run(move |connection| db::transaction(connection, |connection| rotate(connection, &token, now)));
        match refreshed.await? {
            Refreshed::As(caller, successor) => self.signed_in(caller, &successor, now),
            Refreshed::Unknown => Err(Error::TokenInvalid),
            Refreshed::Ended => Err(Error::SessionRevoked),
        }
    }

    /// Ends the caller's sign-in.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn logout(&self, caller: &Caller) -> Result<(), Error> {
        let (session, now) = (caller.session, self.inner.clock.wall_now());
        self.inner.pool.run(move |connection| session::revoke(connection, session, now)).await?;
        self.forget_session(session);
        Ok(())
    }

    /// The caller's sign-ins that stand, newest first.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn sessions(&self, caller: &Caller) -> Result<Vec<OpenSession>, Error> {
        let (principal, now) = (caller.principal(), self.inner.clock.wall_now());
        Ok(self.inner.pool.run(move |connection| session::open_of(connection, principal, now)).await?)
    }

    /// Ends one sign-in of the caller; false if there is no such one of his.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn end_session(&self, caller: &Caller, id: SessionId) -> Result<bool, Error> {
        let (principal, now) = (caller.principal(), self.inner.clock.wall_now());
        let ended = self.inner.pool.run(move |connection| session::revoke_own(connection, principal, id, now)).await?;
        self.forget_session(id);
        Ok(ended)
    }

    /// Ends the caller's sign-ins but the one he asks with.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn end_other_sessions(&self, caller: &Caller) -> Result<(), Error> {
        let (principal, keep, now) = (caller.principal(), caller.session, self.inner.clock.wall_now());
        let end = move |connection: &mut Connection| session::revoke_all(connection, principal, Some(keep), now);
        self.inner.pool.run(end).await?;
        self.inner.seen.forget(|caller| caller.principal() == principal && caller.session != keep);
        Ok(())
    }

    /// Changes the caller's password and ends all other sign-ins of the same person.
    ///
    /// # Errors
    /// [`Error::PasswordUnfit`], [`Error::InvalidCredentials`], [`Error::Throttled`], [`Error::Busy`],
    /// [`Error::Store`].
    pub async fn change_password(&self, caller: &Caller, current: &str, new: &str) -> Result<(), Error> {
        let (principal, keep) = (caller.principal(), caller.session);
        let shortest = if caller.staff().is_some() { SHORTEST_OF_STAFF } else { SHORTEST };
        password::check(new, shortest, &[&caller.name])?;
        self.check_password(principal, current).await?;
        let hash = self.inner.hasher.hash_checked(new).await?;
        let now = self.inner.clock.wall_now();
        let changed = self.inner.pool.run(move |connection| {
            db::transaction(connection, |connection| {
                secret::set_password_hash(connection, principal, &hash)?;
                session::revoke_all(connection, principal, Some(keep), now)
            })
        });
        changed.await?;
        self.inner.seen.forget(|caller| caller.principal() == principal && caller.session != keep);
        Ok(())
    }

    /// Whether `password` is a known person's.
    pub(super) async fn check_password(&self, principal: Principal, password: &str) -> Result<(), Error> {
        let inner = &self.inner;
        let whose = sha256(&[b"person", principal.uuid().as_bytes()]);
        let slot = inner.hasher.slot().await?;
        inner.throttle.check(&whose, inner.clock.wall_now())?;
        let found = inner.pool.run(move |connection| secret::password_of(connection, principal)).await?;
        let hash = found.filter(|login| login.active).and_then(|login| login.password_hash);
        if slot.verify(password, hash).await? {
            inner.throttle.succeeded(&whose);
            return Ok(());
        }
        inner.throttle.failed(&whose, inner.clock.wall_now());
        Err(Error::InvalidCredentials)
    }
}

/// Uses a refresh token and adds its successor; or, within the grace, finds the successor again.
fn rotate(connection: &mut Connection, token: &Hash, now: Instant) -> Result<Refreshed, db::Error> {
    let hash = sha256(&[token]);
    let Some(row) = session::refresh_locked(connection, &hash)? else {
        return Ok(Refreshed::Unknown);
    };
    let Ok(caller) = stands(session::standing(connection, row.session)?, row.session, now) else {
        return Ok(Refreshed::Ended);
    };
    let successor = sha256(&[&row.salt, token]);
    match row.used_at {
        None => {
            session::use_refresh(connection, &hash, now)?;
            let salt = clock::random_bytes();
            session::insert_refresh(connection, &sha256(&[&successor]), row.session, &salt, now)?;
            Ok(Refreshed::As(caller, successor))
        }
        Some(used_at) if now - used_at <= GRACE => Ok(Refreshed::As(caller, successor)),
        Some(_) => {
            session::revoke(connection, row.session, now)?;
            tracing::warn!(session = %row.session, "a refresh token was used again: the sign-in was ended");
            Ok(Refreshed::Ended)
        }
    }
}
