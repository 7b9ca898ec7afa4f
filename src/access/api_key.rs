//! API keys: how a till or an integration asks, without a person signing in. A key is told once; what
//! stands in the database is its hash. It belongs to a store, whose cashier it stands in for within its
//! scopes, and ends by itself.

use chrono::TimeDelta;
use tessera_rules::id::{ApiKeyId, SessionId, StaffId, StoreId};
use tessera_rules::time::Instant;

use super::policy::{Caller, Kind};
use super::{Access, session};
use crate::clock;
use crate::store::api_key::{self, ApiKeyRow, Scopes};
use crate::store::db::{Connection, Error as StoreError};
use crate::store::session::Hash;

/// How every key begins: a scanner that looks for leaked secrets can know it.
pub(super) const MARK: &str = "tsk_";
/// Crockford's base 32: no letter that is read as a digit.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of the part that is shown.
const SHOWN: usize = 8;
/// Characters of the secret: 160 bits.
const SECRET: usize = 32;
/// `tsk_`, the shown part, `_`, the secret.
const LENGTH: usize = MARK.len() + SHOWN + 1 + SECRET;
/// How exactly it is noted when a key was used last.
const USED: TimeDelta = TimeDelta::minutes(1);

/// A key about to be made.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// For people.
    pub name: String,
    /// Whose till it is.
    pub store: StoreId,
    /// What it is good for.
    pub scopes: Scopes,
    /// When it ends by itself.
    pub expires_at: Instant,
    /// Who makes it.
    pub created_by: StaffId,
}

/// A fresh key: what is told once, and the row without it.
pub fn make(new: NewApiKey, now: Instant) -> (String, ApiKeyRow) {
    let bytes: [u8; SHOWN + SECRET] = clock::random_bytes();
    let letters: String = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect();
    let prefix = format!("{MARK}{}", &letters[..SHOWN]);
    let secret = format!("{prefix}_{}", &letters[SHOWN..]);
    let row = ApiKeyRow {
        id: clock::new_uuid(),
        name: new.name,
        prefix,
        hash: session::sha256(&[secret.as_bytes()]).to_vec(),
        store_id: new.store.uuid(),
        scopes: new.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
        created_by: new.created_by.uuid(),
        created_at: now,
        expires_at: new.expires_at,
        last_used_at: None,
        revoked_at: None,
    };
    (secret, row)
}

/// What stands for the sign-in that a key does not need.
fn session_of(id: ApiKeyId) -> SessionId {
    SessionId::new(id.uuid())
}

/// Whether a bearer token can be a key.
pub(super) fn is_key(bearer: &str) -> bool {
    bearer.len() == LENGTH && bearer.starts_with(MARK)
}

/// The caller a good key stands for; nothing for one that is unknown, revoked or over.
pub(super) fn look_up(conn: &mut Connection, hash: &Hash, now: Instant) -> Result<Option<(Caller, i64)>, StoreError> {
    let Some(row) = api_key::by_hash(conn, hash)?.filter(|row| row.is_good(now)) else {
        return Ok(None);
    };
    if row.last_used_at.is_none_or(|used| now - used >= USED) {
        api_key::used(conn, row.id, now)?;
    }
    let caller = Caller {
        kind: Kind::Key(row.key(), row.scopes()),
        store: Some(StoreId::new(row.store_id)),
        session: session_of(row.key()),
        name: row.name.into(),
    };
    Ok(Some((caller, row.expires_at.timestamp())))
}

impl Access {
    /// Forgets a key that was revoked, so that this process asks again at once.
    pub fn forget_key(&self, id: ApiKeyId) {
        self.forget_session(session_of(id));
    }
}
