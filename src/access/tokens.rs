//! Access tokens: short-lived JWTs (RFC 9068) that say who signed in, and nothing about rights.
//!
//! Only what this server made is accepted: EdDSA with a key of ours, exactly our header, all claims
//! present with the right types (RFC 8725). What the caller may do is read from the database by
//! [`super::session`], so that a token never outlives a dismissal by more than seconds.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use jsonwebtoken::{Algorithm, Header, Validation};
use serde::{Deserialize, Serialize};
use tessera_rules::id::{MemberId, SessionId, StaffId};
use tessera_rules::time::Instant;
use uuid::Uuid;

use super::keys::{self, Key};
use super::{Error, Principal};
use crate::clock;

const ISSUER: &str = "tessera";
const AUDIENCE: &str = "tessera-api";
const TYPE: &str = "at+jwt";
/// Longer than any token of ours.
const LONGEST: usize = 2048;
/// Seconds by which the clocks of two processes may differ. Expiry has no leeway.
const LEEWAY: i64 = 5;
/// Seconds between two looks at the key directory, which an unknown `kid` asks for.
const RESCAN: i64 = 5;
/// From this age on, in seconds, a key signs: by then no process goes by a look at the directory that was
/// taken before the key was there, and whoever meets it finds it.
const RIPE: i64 = 2 * RESCAN;

/// Every claim, all of them required.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    sid: SessionId,
    jti: Uuid,
    iat: i64,
    nbf: i64,
    exp: i64,
}

/// What a genuine token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Who signed in.
    pub principal: Principal,
    /// At which sign-in.
    pub session: SessionId,
    /// Unix time in seconds from which on the token is worthless.
    pub expires: i64,
}

/// Makes and verifies access tokens.
pub struct Tokens {
    directory: PathBuf,
    keys: RwLock<Arc<Vec<Key>>>,
    scanned: Mutex<i64>,
    ttl: i64,
    validation: Validation,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("directory", &self.directory).finish_non_exhaustive()
    }
}

fn header(kid: &str) -> Header {
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some(TYPE.to_owned());
    header.kid = Some(kid.to_owned());
    header
}

/// The key that signs: the newest that is ripe, or, where all are new, the first there was.
fn signing(keys: &[Key], now: i64) -> Option<&Key> {
    keys.iter().find(|key| key.created_at.timestamp() + RIPE <= now).or(keys.last())
}

fn principal(subject: &str) -> Option<Principal> {
    let staff = subject.parse::<StaffId>().map(Principal::Staff);
    staff.or_else(|_| subject.parse::<MemberId>().map(Principal::Member)).ok()
}

fn subject(principal: Principal) -> String {
    match principal {
        Principal::Staff(id) => id.to_string(),
        Principal::Member(id) => id.to_string(),
        Principal::Key(id) => id.to_string(),
    }
}

impl Tokens {
    /// Reads the keys of a directory (made with one key if it is new); tokens live `ttl_seconds`.
    ///
    /// # Errors
    /// [`keys::Error`]: a key file that others can read, or that is short or garbled.
    pub fn open(directory: &Path, ttl_seconds: u32) -> Result<Self, keys::Error> {
        let keys = keys::open(directory)?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY.unsigned_abs();
        Ok(Self {
            directory: directory.to_owned(),
            keys: RwLock::new(Arc::new(keys)),
            scanned: Mutex::new(0),
            ttl: ttl_seconds.into(),
            validation,
        })
    }

    /// How long a token lives, in seconds.
    pub fn ttl_seconds(&self) -> i64 {
        self.ttl
    }

    /// A token for a sign-in, made at wall time `now`.
    ///
    /// # Errors
    /// [`Error::Internal`] if the library cannot sign.
    pub fn issue(&self, principal: Principal, session: SessionId, now: Instant) -> Result<String, Error> {
        let at = now.timestamp();
        // Another process may have retired the key that signed so far.
        self.rescan(at);
        let keys = self.current();
        let key = signing(&keys, at).ok_or_else(|| Error::Internal("no signing key".to_owned()))?;
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: subject(principal),
            sid: session,
            jti: clock::new_uuid(),
            iat: at,
            nbf: at,
            exp: at + self.ttl,
        };
        jsonwebtoken::encode(&header(&key.kid), &claims, &key.signing)
            .map_err(|error| Error::Internal(error.to_string()))
    }

    /// What a token says, if it is one of ours and wall time `now` lies within its life.
    ///
    /// # Errors
    /// [`Error::TokenInvalid`], whatever is wrong with it.
    pub fn verify(&self, token: &str, now: Instant) -> Result<Verified, Error> {
        // Why a token was refused helps nobody but a forger.
        self.examine(token, now.timestamp()).ok_or(Error::TokenInvalid)
    }

    fn examine(&self, token: &str, now: i64) -> Option<Verified> {
        if token.len() > LONGEST {
            return None;
        }
        let claimed = jsonwebtoken::decode_header(token).ok()?;
        let kid = claimed.kid.as_deref()?;
        // Whatever else a header may carry (`jwk`, `jku`, `x5u`, `crit`, another `alg` or `typ`), it
        // is not ours.
        if claimed != header(kid) {
            return None;
        }
        let keys = self.keys_for(kid, now);
        let key = keys.iter().find(|key| key.kid == kid)?;
        let claims = jsonwebtoken::decode::<Claims>(token, &key.verifying, &self.validation).ok()?.claims;
        let lived = claims.exp.checked_sub(claims.iat)?;
        let in_time = claims.nbf <= now.saturating_add(LEEWAY) && claims.iat <= now.saturating_add(LEEWAY);
        if claims.exp <= now || !in_time || !(1..=3600).contains(&lived) {
            return None;
        }
        Some(Verified { principal: principal(&claims.sub)?, session: claims.sid, expires: claims.exp })
    }

    fn current(&self) -> Arc<Vec<Key>> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The keys; read again if `kid` is not among them, as another process may have added one.
    fn keys_for(&self, kid: &str, now: i64) -> Arc<Vec<Key>> {
        let keys = self.current();
        if keys.iter().any(|key| key.kid == kid) {
            return keys;
        }
        self.rescan(now);
        self.current()
    }

    fn rescan(&self, now: i64) {
        // Whoever comes while another reads waits for what he finds: his token may be of the new key.
        let mut last = self.scanned.lock().unwrap_or_else(PoisonError::into_inner);
        let due = now.saturating_sub(*last) >= RESCAN || now < *last;
        if !due {
            return;
        }
        *last = now;
        match keys::read_all(&self.directory) {
            Ok(found) if !found.is_empty() => {
                *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(found);
            }
            Ok(_) => tracing::error!("the key directory is empty: going on with the keys already read"),
            Err(error) => {
                tracing::error!(%error, "the key directory cannot be read: going on with the keys already read")
            }
        }
    }

    /// The public keys as a JWK set (RFC 7517), the newest first, at wall time `now`.
    pub fn jwks(&self, now: Instant) -> serde_json::Value {
        self.rescan(now.timestamp());
        let keys: Vec<_> = self.current().iter().map(|key| key.public.clone()).collect();
        serde_json::json!({ "keys": keys })
    }
}
