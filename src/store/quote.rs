//! Quotes that are kept for a while: what was asked and what was promised, as the handler wrote it.

use diesel::prelude::*;
use serde_json::Value;
use tessera_rules::id::{QuoteId, StoreId};
use tessera_rules::time::Instant;
use uuid::Uuid;

use super::db::{Connection, Error};
use super::schema::quote;

/// A kept quote.
#[derive(Debug, Clone, Queryable, Insertable)]
#[diesel(table_name = quote)]
pub struct QuoteRow {
    /// Its id.
    pub id: Uuid,
    /// Where it was asked.
    pub store_id: Uuid,
    /// When.
    pub asked_at: Instant,
    /// From when it no longer binds.
    pub valid_until: Instant,
    /// The receipt to be.
    pub asked: Value,
    /// What it must come out as.
    pub promised: Value,
    /// The purchase that was made of it.
    pub purchase_id: Option<Uuid>,
}

/// Keeps a quote.
///
/// # Errors
/// As [`Error`].
pub fn keep(conn: &mut Connection, row: &QuoteRow) -> Result<(), Error> {
    diesel::insert_into(quote::table).values(row).execute(conn)?;
    Ok(())
}

/// A quote of a store.
///
/// # Errors
/// As [`Error`].
pub fn find(conn: &mut Connection, id: QuoteId, store: StoreId) -> Result<Option<QuoteRow>, Error> {
    Ok(quote::table.find(id.uuid()).filter(quote::store_id.eq(store.uuid())).first(conn).optional()?)
}

/// Those of some quotes that are there, each with the purchase that was made of it; of none nothing is asked.
///
/// # Errors
/// As [`Error`].
pub fn made(conn: &mut Connection, ids: &[Uuid]) -> Result<Vec<(Uuid, Option<Uuid>)>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = quote::table.filter(quote::id.eq_any(ids));
    Ok(rows.select((quote::id, quote::purchase_id)).load(conn)?)
}

/// Forgets quotes that lapsed before an instant and of which no purchase was made; says how many.
///
/// # Errors
/// As [`Error`].
pub fn purge(conn: &mut Connection, before: Instant) -> Result<usize, Error> {
    let lapsed = quote::table.filter(quote::valid_until.lt(before).and(quote::purchase_id.is_null()));
    Ok(diesel::delete(lapsed).execute(conn)?)
}
