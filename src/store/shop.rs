//! Stores. (The floor is called `store` too, so the file is named after the shop.)

use diesel::prelude::*;
use tessera_rules::id::StoreId;
use tessera_rules::time::Instant;
use uuid::Uuid;

use super::db::{Connection, Error};
use super::schema::store;

/// A store.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = store)]
pub struct ShopRow {
    /// Id.
    pub id: Uuid,
    /// The source of its receipts; unique, never changed.
    pub code: String,
    /// For people.
    pub name: String,
    /// Rises by one with every change.
    pub version: i64,
    /// When it was made.
    pub created_at: Instant,
}

impl ShopRow {
    /// Its typed id.
    pub fn store(&self) -> StoreId {
        StoreId::new(self.id)
    }
}

/// Adds a store.
///
/// # Errors
/// [`Error::Conflict`] on `store_code_key` or `store_code_check`.
pub fn insert(conn: &mut Connection, row: &ShopRow) -> Result<(), Error> {
    diesel::insert_into(store::table).values(row).execute(conn)?;
    Ok(())
}

/// A store by id.
///
/// # Errors
/// As [`Error`].
pub fn find(conn: &mut Connection, id: StoreId) -> Result<Option<ShopRow>, Error> {
    Ok(store::table.find(id.uuid()).select(ShopRow::as_select()).first(conn).optional()?)
}

/// A store by code.
///
/// # Errors
/// As [`Error`].
pub fn by_code(conn: &mut Connection, code: &str) -> Result<Option<ShopRow>, Error> {
    Ok(store::table.filter(store::code.eq(code)).select(ShopRow::as_select()).first(conn).optional()?)
}

/// Stores newest first, before `before` where given.
///
/// # Errors
/// As [`Error`].
pub fn list(conn: &mut Connection, before: Option<Uuid>, limit: i64) -> Result<Vec<ShopRow>, Error> {
    let mut query = store::table.select(ShopRow::as_select()).order(store::id.desc()).limit(limit).into_boxed();
    if let Some(before) = before {
        query = query.filter(store::id.lt(before));
    }
    Ok(query.load(conn)?)
}

/// Renames a store at a version. False when the version has moved on or there is no such store.
///
/// # Errors
/// As [`Error`].
pub fn rename(conn: &mut Connection, id: StoreId, version: i64, name: &str) -> Result<bool, Error> {
    let row = store::table.filter(store::id.eq(id.uuid()).and(store::version.eq(version)));
    let changed = diesel::update(row).set((store::name.eq(name), store::version.eq(version + 1))).execute(conn)?;
    Ok(changed == 1)
}
