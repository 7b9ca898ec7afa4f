//! Keys for tills and integrations: rows in, rows out. All times are wall time.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use tessera_rules::id::ApiKeyId;
use tessera_rules::time::Instant;
use uuid::Uuid;

use super::db::{Connection, Error};
use super::schema::api_key;
use super::session::Hash;

/// What a key may be good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// Find members, read their balance, tags, wallet and coupons.
    #[serde(rename = "members:read")]
    MembersRead,
    /// Enrol members.
    #[serde(rename = "members:write")]
    MembersWrite,
    /// Read the purchases of the store.
    #[serde(rename = "purchases:read")]
    PurchasesRead,
    /// Ask what a purchase earns and costs, record it, and take it back.
    #[serde(rename = "purchases:write")]
    PurchasesWrite,
    /// Spend points and entitlements with the member's authorisation, capture, void and hand over.
    #[serde(rename = "redemptions:write")]
    RedemptionsWrite,
    /// Tell of something that happened to a member.
    #[serde(rename = "events:write")]
    EventsWrite,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 6] = [
        Self::MembersRead,
        Self::MembersWrite,
        Self::PurchasesRead,
        Self::PurchasesWrite,
        Self::RedemptionsWrite,
        Self::EventsWrite,
    ];

    /// As SQL and JSON write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MembersRead => "members:read",
            Self::MembersWrite => "members:write",
            Self::PurchasesRead => "purchases:read",
            Self::PurchasesWrite => "purchases:write",
            Self::RedemptionsWrite => "redemptions:write",
            Self::EventsWrite => "events:write",
        }
    }
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Scopes(u8);

impl Scopes {
    /// Whether a scope is among them.
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u8) != 0
    }

    /// The scopes, in the order of their list.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | 1 << scope as u8))
    }
}

/// A key.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = api_key)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct ApiKeyRow {
    pub id: Uuid,
    pub name: String,
    pub prefix: String,
    pub hash: Vec<u8>,
    pub store_id: Uuid,
    pub scopes: Vec<String>,
    pub created_by: Uuid,
    pub created_at: Instant,
    pub expires_at: Instant,
    pub last_used_at: Option<Instant>,
    pub revoked_at: Option<Instant>,
}

impl ApiKeyRow {
    /// Its typed id.
    pub fn key(&self) -> ApiKeyId {
        ApiKeyId::new(self.id)
    }

    /// What it is good for.
    pub fn scopes(&self) -> Scopes {
        let known = |word: &String| Scope::ALL.into_iter().find(|scope| scope.as_str() == word);
        self.scopes.iter().filter_map(known).collect()
    }

    /// Whether it opens anything at `now`.
    pub fn is_good(&self, now: Instant) -> bool {
        self.revoked_at.is_none() && self.expires_at > now
    }
}

/// Adds a key.
///
/// # Errors
/// [`Error::Conflict`] on `api_key_store_fkey`.
pub fn insert(conn: &mut Connection, row: &ApiKeyRow) -> Result<(), Error> {
    diesel::insert_into(api_key::table).values(row).execute(conn)?;
    Ok(())
}

/// A key by the hash of what was shown once.
///
/// # Errors
/// As [`Error`].
pub fn by_hash(conn: &mut Connection, hash: &Hash) -> Result<Option<ApiKeyRow>, Error> {
    let row = api_key::table.filter(api_key::hash.eq(hash.as_slice())).select(ApiKeyRow::as_select());
    Ok(row.first(conn).optional()?)
}

/// Notes that a key was used.
///
/// # Errors
/// As [`Error`].
pub fn used(conn: &mut Connection, id: Uuid, now: Instant) -> Result<(), Error> {
    diesel::update(api_key::table.find(id)).set(api_key::last_used_at.eq(now)).execute(conn)?;
    Ok(())
}

/// Keys newest first, before `before` where given.
///
/// # Errors
/// As [`Error`].
pub fn list(conn: &mut Connection, before: Option<Uuid>, limit: i64) -> Result<Vec<ApiKeyRow>, Error> {
    let mut query = api_key::table.select(ApiKeyRow::as_select()).order(api_key::id.desc()).limit(limit).into_boxed();
    if let Some(before) = before {
        query = query.filter(api_key::id.lt(before));
    }
    Ok(query.load(conn)?)
}

/// Revokes a key, and returns it; nothing if there is no such key. Revoking it again changes nothing.
///
/// # Errors
/// As [`Error`].
pub fn revoke(conn: &mut Connection, id: ApiKeyId, now: Instant) -> Result<Option<ApiKeyRow>, Error> {
    let good = api_key::table.filter(api_key::id.eq(id.uuid()).and(api_key::revoked_at.is_null()));
    diesel::update(good).set(api_key::revoked_at.eq(now)).execute(conn)?;
    Ok(api_key::table.find(id.uuid()).select(ApiKeyRow::as_select()).first(conn).optional()?)
}
