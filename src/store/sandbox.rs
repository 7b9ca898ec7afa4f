//! The sandbox clock: an offset row, so that every process and command sees the same time.

use diesel::prelude::*;
use diesel::query_dsl::methods::FilterDsl;

use super::db::{Connection, Error};
use super::schema::sandbox_clock;

/// The offset in microseconds; `None` where it was never set.
///
/// # Errors
/// As [`Error`].
pub fn offset(conn: &mut Connection) -> Result<Option<i64>, Error> {
    Ok(sandbox_clock::table.select(sandbox_clock::offset_micros).first(conn).optional()?)
}

/// Moves the offset forward. False when it already stands further ahead: the clock never goes back.
///
/// # Errors
/// As [`Error`].
pub fn advance(conn: &mut Connection, micros: i64) -> Result<bool, Error> {
    let set = diesel::insert_into(sandbox_clock::table)
        .values((sandbox_clock::singleton.eq(true), sandbox_clock::offset_micros.eq(micros)))
        .on_conflict(sandbox_clock::singleton)
        .do_update()
        .set(sandbox_clock::offset_micros.eq(micros));
    let forward = FilterDsl::filter(set, sandbox_clock::offset_micros.le(micros));
    Ok(forward.execute(conn)? == 1)
}
