//! Members: who they are. What they own is in [`super::rows`].

use diesel::prelude::*;
use tessera_rules::id::MemberId;
use tessera_rules::member::DayTotals;
use tessera_rules::time::{BirthDate, Day, Instant};
use uuid::Uuid;

use super::db::{Connection, Error};
use super::rows::StandingRow;
use super::schema::{member, qualifying_day, standing};

/// A member's person. Debug prints no personal data.
#[derive(Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = member)]
pub struct MemberRow {
    /// Id.
    pub id: Uuid,
    /// The member code with its check digit: identifies, never spends.
    pub code: String,
    /// Name.
    pub name: String,
    /// E.164.
    pub phone: Option<String>,
    /// Lower case.
    pub email: Option<String>,
    /// The id in another system.
    pub external_id: Option<String>,
    /// Year of birth, where given.
    pub birth_year: Option<i16>,
    /// Month of birth.
    pub birth_month: Option<i16>,
    /// Day of birth.
    pub birth_day: Option<i16>,
    /// `en` or `zh-CN`.
    pub locale: String,
    /// `active` or `frozen`.
    pub status: String,
    /// Where the member enrolled.
    pub store_id: Option<Uuid>,
    /// When.
    pub enrolled_at: Instant,
    /// Rises by one with every change.
    pub version: i64,
}

impl std::fmt::Debug for MemberRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemberRow").field("id", &self.id).field("status", &self.status).finish_non_exhaustive()
    }
}

impl MemberRow {
    /// The typed id.
    pub fn member(&self) -> MemberId {
        MemberId::new(self.id)
    }

    /// The birth date, if known.
    pub fn birth_date(&self) -> Option<BirthDate> {
        Some(BirthDate {
            year: self.birth_year.map(i32::from),
            month: u32::try_from(self.birth_month?).ok()?,
            day: u32::try_from(self.birth_day?).ok()?,
        })
    }

    /// Sets the birth date.
    pub fn set_birth_date(&mut self, birth: Option<BirthDate>) {
        self.birth_year = birth.and_then(|birth| birth.year).and_then(|year| i16::try_from(year).ok());
        self.birth_month = birth.and_then(|birth| i16::try_from(birth.month).ok());
        self.birth_day = birth.and_then(|birth| i16::try_from(birth.day).ok());
    }
}

/// Adds a member with an empty standing, in the caller's transaction.
///
/// # Errors
/// [`Error::Conflict`] on `member_phone_key`, `member_email_key`, `member_external_id_key` or
/// `member_code_key`.
pub fn insert(conn: &mut Connection, row: &MemberRow, standing: &StandingRow) -> Result<(), Error> {
    diesel::insert_into(member::table).values(row).execute(conn)?;
    super::standing::insert(conn, standing)
}

/// A member by id.
///
/// # Errors
/// As [`Error`].
pub fn find(conn: &mut Connection, id: MemberId) -> Result<Option<MemberRow>, Error> {
    Ok(member::table.find(id.uuid()).select(MemberRow::as_select()).first(conn).optional()?)
}

/// What a member is looked up by; all match exactly.
#[derive(Clone, PartialEq, Eq)]
pub enum Key {
    /// E.164.
    Phone(String),
    /// Lower case.
    Email(String),
    /// Member code.
    Code(String),
    /// Id in another system.
    ExternalId(String),
}

/// The member with a key.
///
/// # Errors
/// As [`Error`].
pub fn by_key(conn: &mut Connection, key: &Key) -> Result<Option<MemberRow>, Error> {
    let query = member::table.select(MemberRow::as_select()).into_boxed();
    let query = match key {
        Key::Phone(phone) => query.filter(member::phone.eq(phone)),
        Key::Email(email) => query.filter(member::email.eq(email)),
        Key::Code(code) => query.filter(member::code.eq(code)),
        Key::ExternalId(id) => query.filter(member::external_id.eq(id)),
    };
    Ok(query.first(conn).optional()?)
}

/// Members by the beginning of their name (any case), newest first, before `before`.
///
/// # Errors
/// As [`Error`].
pub fn search(
    conn: &mut Connection,
    name: Option<&str>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<MemberRow>, Error> {
    let mut query = member::table.select(MemberRow::as_select()).order(member::id.desc()).limit(limit).into_boxed();
    if let Some(name) = name {
        let pattern = name.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_") + "%";
        query = query.filter(lower(member::name).like(pattern));
    }
    if let Some(before) = before {
        query = query.filter(member::id.lt(before));
    }
    Ok(query.load(conn)?)
}

#[diesel::declare_sql_function]
extern "SQL" {
    /// Lower case, as the index on names has it.
    fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text;
}

/// Replaces a member's person at a version; code, enrolment and store stay. The row's own
/// `version` is the new one. False when the version has moved on.
///
/// # Errors
/// [`Error::Conflict`] as for [`insert`].
pub fn update(conn: &mut Connection, row: &MemberRow) -> Result<bool, Error> {
    let old = member::table.filter(member::id.eq(row.id).and(member::version.eq(row.version - 1)));
    let changed = diesel::update(old)
        .set((
            member::name.eq(&row.name),
            member::phone.eq(&row.phone),
            member::email.eq(&row.email),
            member::external_id.eq(&row.external_id),
            member::birth_year.eq(row.birth_year),
            member::birth_month.eq(row.birth_month),
            member::birth_day.eq(row.birth_day),
            member::locale.eq(&row.locale),
            member::status.eq(&row.status),
            member::version.eq(row.version),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Freezes or thaws a member's standing; goes with a change of `status`.
///
/// # Errors
/// As [`Error`].
pub fn set_frozen(conn: &mut Connection, id: MemberId, frozen: bool) -> Result<(), Error> {
    diesel::update(standing::table.find(id.uuid()))
        .set((standing::frozen.eq(frozen), standing::version.eq(standing::version + 1)))
        .execute(conn)?;
    Ok(())
}

/// Members whose standing the clock alone has changed by `at`, the longest due first.
///
/// # Errors
/// As [`Error`].
pub fn due(conn: &mut Connection, at: Instant, limit: i64) -> Result<Vec<Uuid>, Error> {
    Ok(standing::table
        .filter(standing::due_at.le(at))
        .order((standing::due_at, standing::member_id))
        .limit(limit)
        .select(standing::member_id)
        .load(conn)?)
}

/// The earliest instant at which the clock alone changes some member.
///
/// # Errors
/// As [`Error`].
pub fn next_due(conn: &mut Connection) -> Result<Option<Instant>, Error> {
    Ok(standing::table.filter(standing::due_at.is_not_null()).select(diesel::dsl::min(standing::due_at)).first(conn)?)
}

/// Members before an id, newest first.
///
/// # Errors
/// As [`Error`].
pub fn newest(conn: &mut Connection, before: Option<Uuid>, limit: i64) -> Result<Vec<Uuid>, Error> {
    let rows = standing::table.filter(standing::member_id.lt(before.unwrap_or(Uuid::max())));
    Ok(rows.order(standing::member_id.desc()).limit(limit).select(standing::member_id).load(conn)?)
}

/// Ids, codes and names of some members, newest first.
///
/// # Errors
/// As [`Error`].
pub fn named(conn: &mut Connection, of: &[MemberId]) -> Result<Vec<(Uuid, String, String)>, Error> {
    let ids: Vec<Uuid> = of.iter().map(|id| id.uuid()).collect();
    let rows = member::table.filter(member::id.eq_any(ids)).order(member::id.desc());
    Ok(rows.select((member::id, member::code, member::name)).load(conn)?)
}

/// Members after `after` by id.
///
/// # Errors
/// As [`Error`].
pub fn ids(conn: &mut Connection, after: Option<Uuid>, limit: i64) -> Result<Vec<Uuid>, Error> {
    let rest = standing::table.filter(standing::member_id.gt(after.unwrap_or(Uuid::nil())));
    Ok(rest.order(standing::member_id).limit(limit).select(standing::member_id).load(conn)?)
}

/// Members after `after` by id whose tier may fall: above the lowest, or placed by staff.
///
/// # Errors
/// As [`Error`].
pub fn above(conn: &mut Connection, lowest: &str, after: Option<Uuid>, limit: i64) -> Result<Vec<Uuid>, Error> {
    let above = standing::tier.ne_all(["", lowest]).or(standing::placement.is_not_null());
    let rest = standing::table.filter(standing::member_id.gt(after.unwrap_or(Uuid::nil())).and(above));
    Ok(rest.order(standing::member_id).limit(limit).select(standing::member_id).load(conn)?)
}

/// The qualifying days of some members from a day on.
///
/// # Errors
/// As [`Error`].
pub fn days_from(conn: &mut Connection, members: &[Uuid], from: Day) -> Result<Vec<(Uuid, Day, DayTotals)>, Error> {
    let rows: Vec<(Uuid, Day, i64, i64, i64, i64)> = qualifying_day::table
        .filter(qualifying_day::member_id.eq_any(members).and(qualifying_day::day.ge(from)))
        .load(conn)?;
    let totals = |points, spend, visits, given| DayTotals { points, spend, visits, given };
    let day = |(member, day, points, spend, visits, given)| (member, day, totals(points, spend, visits, given));
    Ok(rows.into_iter().map(day).collect())
}

/// How many members there are.
///
/// # Errors
/// As [`Error`].
pub fn count(conn: &mut Connection) -> Result<i64, Error> {
    Ok(member::table.count().get_result(conn)?)
}
