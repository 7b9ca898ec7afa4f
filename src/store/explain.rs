//! What an entry is explained by: the lots it touched and the rows of its document, as they stand on
//! record.

use diesel::prelude::*;
use tessera_rules::id::MemberId;
use tessera_rules::time::Instant;
use uuid::Uuid;

use super::db::{Connection, Error};
use super::ledger::EntryView;
use super::schema::{entry, lot, lot_movement, programme_version, purchase, purchase_return};

/// A member's entry by its number.
///
/// # Errors
/// As [`Error`].
pub fn entry(conn: &mut Connection, member: MemberId, number: i64) -> Result<Option<EntryView>, Error> {
    let row = entry::table.find((member.uuid(), number)).select(EntryView::as_select());
    Ok(row.first(conn).optional()?)
}

/// What an entry did to the points of one credit.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct Touched {
    /// Points that came to the lot or left it, whichever way.
    pub points: i64,
    /// When they were earned.
    pub occurred_at: Instant,
    /// From when they may be spent.
    pub available_from: Instant,
    /// From when they can no longer be spent; absent: never, or by inactivity.
    pub expires_at: Option<Instant>,
    /// After how many months without an activity they lapse.
    pub idle_months: Option<i32>,
    /// The entry that opened the lot.
    pub entry: i64,
}

/// The lot an entry opened.
///
/// # Errors
/// As [`Error`].
pub fn opened(conn: &mut Connection, member: MemberId, number: i64) -> Result<Option<Touched>, Error> {
    let columns = (lot::points, lot::occurred_at, lot::available_from, lot::expires_at, lot::idle_months, lot::entry);
    let own = lot::member_id.eq(member.uuid()).and(lot::entry.eq(number));
    Ok(lot::table.filter(own).select(columns).first(conn).optional()?)
}

/// The older lots an entry moved points of, in the order they were earned.
///
/// # Errors
/// As [`Error`].
pub fn moved(conn: &mut Connection, member: MemberId, number: i64) -> Result<Vec<Touched>, Error> {
    use diesel::dsl::sql;
    use diesel::sql_types::BigInt;
    // What a movement changes depends on the accounts; whichever it is, its size is what the entry moved.
    let size = sql::<BigInt>("greatest(abs(lot_movement.points), abs(lot_movement.held), lot_movement.lapsed)");
    let columns = (size, lot::occurred_at, lot::available_from, lot::expires_at, lot::idle_months, lot::entry);
    let of_lot = lot::member_id.eq(lot_movement::member_id).and(lot::number.eq(lot_movement::lot));
    Ok(lot_movement::table
        .inner_join(lot::table.on(of_lot))
        .filter(lot_movement::member_id.eq(member.uuid()).and(lot_movement::entry.eq(number)))
        .order((lot::occurred_at, lot::number))
        .select(columns)
        .load(conn)?)
}

/// A return of goods as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = purchase_return)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct ReturnRecorded {
    pub purchase_id: Uuid,
    pub external_id: String,
    pub reason: String,
    pub amount: i64,
    pub clawed: i64,
    pub owed: i64,
    pub forgiven: i64,
    pub given_back: i64,
}

/// A return by its id, and when its goods were sold.
///
/// # Errors
/// As [`Error`].
pub fn goods(conn: &mut Connection, id: Uuid) -> Result<Option<(ReturnRecorded, Instant)>, Error> {
    let row = purchase_return::table.find(id).select(ReturnRecorded::as_select());
    let Some(row) = row.first(conn).optional()? else { return Ok(None) };
    let sold_at = purchase::table.find(row.purchase_id).select(purchase::occurred_at).first(conn)?;
    Ok(Some((row, sold_at)))
}

/// A version of the programme, as it was applied.
///
/// # Errors
/// As [`Error`].
pub fn programme(conn: &mut Connection, version: i64) -> Result<Option<serde_json::Value>, Error> {
    Ok(programme_version::table.find(version).select(programme_version::document).first(conn).optional()?)
}
