//! Until when nobody need ask what a member is to be told: a table of its own, written by the job that
//! asks and by nobody else, so that the write path pays nothing for it.

use diesel::prelude::*;
use diesel::upsert::excluded;
use tessera_rules::time::Instant;
use uuid::Uuid;

use super::db::{Connection, Error};
use super::rows::NoticeRow;
use super::schema::{notice as given, notice_watch, standing};

/// A member with nothing to be told now. It holds as long as the standing and the programme have the
/// versions it was found under.
#[derive(Debug, Clone, PartialEq, Eq, Insertable)]
#[diesel(table_name = notice_watch)]
pub struct WatchRow {
    /// Member.
    pub member_id: Uuid,
    /// The version of the standing.
    pub version: i64,
    /// The version of the programme.
    pub programme: i64,
    /// When there may be something to tell; `None`: never, as things stand.
    pub next_at: Option<Instant>,
}

/// Whom to ask at `at`: members whose standing the clock alone changes by `by`, and of whom it is not
/// known that there is nothing to tell. In id order, after `after`.
///
/// # Errors
/// As [`Error`].
pub fn to_ask(
    conn: &mut Connection,
    by: Instant,
    at: Instant,
    programme: i64,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Uuid>, Error> {
    let quiet = notice_watch::table
        .filter(notice_watch::member_id.eq(standing::member_id))
        .filter(notice_watch::version.eq(standing::version))
        .filter(notice_watch::programme.eq(programme))
        .filter(notice_watch::next_at.is_null().or(notice_watch::next_at.gt(at).assume_not_null()));
    Ok(standing::table
        .filter(standing::due_at.le(by))
        .filter(standing::member_id.gt(after.unwrap_or(Uuid::nil())))
        .filter(diesel::dsl::not(diesel::dsl::exists(quiet)))
        .order(standing::member_id)
        .limit(limit)
        .select(standing::member_id)
        .load(conn)?)
}

/// Notices that members were given of what happens after `after` and not after `until`.
///
/// # Errors
/// As [`Error`].
pub fn of_between(
    conn: &mut PgConnection,
    members: &[Uuid],
    after: Instant,
    until: Instant,
) -> Result<Vec<NoticeRow>, Error> {
    let theirs = given::table.filter(given::member_id.eq_any(members));
    let rows = theirs.filter(given::due_at.gt(after)).filter(given::due_at.le(until)).load(conn)?;
    let row = |(member_id, kind, due_at, lead_days, noticed_at, content)| NoticeRow {
        member_id,
        kind,
        due_at,
        lead_days,
        noticed_at,
        content,
    };
    Ok(rows.into_iter().map(row).collect())
}

/// Notes for members that there is nothing to tell them.
///
/// # Errors
/// As [`Error`].
pub fn watch(conn: &mut Connection, rows: &[WatchRow]) -> Result<(), Error> {
    diesel::insert_into(notice_watch::table)
        .values(rows)
        .on_conflict(notice_watch::member_id)
        .do_update()
        .set((
            notice_watch::version.eq(excluded(notice_watch::version)),
            notice_watch::programme.eq(excluded(notice_watch::programme)),
            notice_watch::next_at.eq(excluded(notice_watch::next_at)),
        ))
        .execute(conn)?;
    Ok(())
}
