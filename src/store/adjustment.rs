//! Adjustments by staff: what was asked for, who agreed, and whether it is booked. What may follow from
//! what is kept by triggers of the migration; [`Status::Applied`] is written by one alone.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use serde::{Deserialize, Serialize};
use tessera_rules::id::{AdjustmentId, MemberId, StaffId};
use tessera_rules::time::{Day, Instant};
use uuid::Uuid;

use super::db::{Connection, Error};
use super::schema::{adjustment, idempotency, staff};

/// How an adjustment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Somebody else has to agree.
    Requested,
    /// Within the limits; about to be booked.
    Granted,
    /// Somebody else agreed; about to be booked.
    Approved,
    /// Somebody else did not agree.
    Rejected,
    /// Booked.
    Applied,
    /// A rule refused it.
    Refused,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Requested, Self::Granted, Self::Approved, Self::Rejected, Self::Applied, Self::Refused];

    /// The word in rows and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Granted => "granted",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Applied => "applied",
            Self::Refused => "refused",
        }
    }
}

/// An adjustment.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = adjustment)]
pub struct AdjustmentRow {
    /// Its id, which its entries name as their document.
    pub id: Uuid,
    /// Whose points.
    pub member_id: Uuid,
    /// Points to give, or below 0 to take.
    pub points: i64,
    /// A code.
    pub reason: String,
    /// Why, in words: for staff alone.
    pub note: String,
    /// Who asked.
    pub requested_by: Uuid,
    /// `manager` or `admin`: in which role.
    pub requested_role: String,
    /// The store of that person; absent for an admin.
    pub store_id: Option<Uuid>,
    /// When, in programme time.
    pub requested_at: Instant,
    /// The programme's local day of that.
    pub day: Day,
    /// Under which idempotency key.
    pub key: String,
    /// SHA-256 of the request.
    pub fingerprint: Vec<u8>,
    /// Points that person had given or taken alone before on that day; written by the database.
    pub day_before: i64,
    /// What the role could do alone at once.
    pub limit_each: i64,
    /// What the role could do alone in a day.
    pub limit_day: i64,
    /// [`Status`].
    pub status: String,
    /// Who agreed, or did not.
    pub decided_by: Option<Uuid>,
    /// When.
    pub decided_at: Option<Instant>,
    /// Under which idempotency key.
    pub decision_key: Option<String>,
    /// Why, in words.
    pub decision_note: Option<String>,
    /// The code of the refusal.
    pub refusal: Option<String>,
    /// Points its entries moved; written by the database.
    pub booked: i64,
    /// When.
    pub booked_at: Option<Instant>,
    /// The last of its entries.
    pub booked_entry: Option<i64>,
}

impl AdjustmentRow {
    /// The typed id.
    pub fn adjustment(&self) -> AdjustmentId {
        AdjustmentId::new(self.id)
    }

    /// How it stands.
    ///
    /// # Errors
    /// [`Error::Internal`] where the row holds no status.
    pub fn status(&self) -> Result<Status, Error> {
        let status = Status::ALL.into_iter().find(|status| status.as_str() == self.status);
        status.ok_or_else(|| Error::Internal(format!("adjustment.status holds {}", self.status)))
    }
}

/// One request of a person at a time, until the caller's transaction ends: the sums below stay true.
///
/// # Errors
/// As [`Error`].
pub fn lock_requester(conn: &mut Connection, person: StaffId) -> Result<(), Error> {
    let locked = staff::table.find(person.uuid()).select(staff::id).for_no_key_update();
    Ok(locked.first::<Uuid>(conn).map(drop)?)
}

/// What a person has given and taken alone on a day, in points.
///
/// # Errors
/// As [`Error`].
pub fn alone_on(conn: &mut Connection, person: StaffId, day: Day) -> Result<i64, Error> {
    let alone = adjustment::requested_by
        .eq(person.uuid())
        .and(adjustment::day.eq(day))
        .and(adjustment::decided_by.is_null())
        .and(adjustment::status.eq_any([Status::Granted.as_str(), Status::Applied.as_str()]));
    let sum = sql::<BigInt>("coalesce(sum(abs(points)), 0)::bigint");
    Ok(adjustment::table.filter(alone).select(sum).first(conn)?)
}

/// What a person asked for under a key, not before an instant.
///
/// # Errors
/// As [`Error`].
pub fn by_key(
    conn: &mut Connection,
    person: StaffId,
    key: &str,
    since: Instant,
) -> Result<Option<AdjustmentRow>, Error> {
    let asked = adjustment::requested_by.eq(person.uuid()).and(adjustment::key.eq(key));
    Ok(adjustment::table
        .filter(asked.and(adjustment::requested_at.ge(since)))
        .order(adjustment::id.desc())
        .select(AdjustmentRow::as_select())
        .first(conn)
        .optional()?)
}

/// Puts a request on record.
///
/// # Errors
/// [`Error::Conflict`] on `adjustment_member_fkey`: there is no such member; on
/// `adjustment_alone_check`: it is beyond the limits and nobody agreed.
pub fn insert(conn: &mut Connection, row: &AdjustmentRow) -> Result<(), Error> {
    diesel::insert_into(adjustment::table).values(row).execute(conn)?;
    Ok(())
}

/// An adjustment.
///
/// # Errors
/// As [`Error`].
pub fn find(conn: &mut Connection, id: AdjustmentId) -> Result<Option<AdjustmentRow>, Error> {
    Ok(adjustment::table.find(id.uuid()).select(AdjustmentRow::as_select()).first(conn).optional()?)
}

/// An adjustment that nobody else decides on until the caller's transaction ends.
///
/// # Errors
/// As [`Error`].
pub fn find_locked(conn: &mut Connection, id: AdjustmentId) -> Result<Option<AdjustmentRow>, Error> {
    let row = adjustment::table.find(id.uuid()).select(AdjustmentRow::as_select()).for_no_key_update();
    Ok(row.first(conn).optional()?)
}

/// Adjustments newest first, before `before`, of one status and of one member where given.
///
/// # Errors
/// As [`Error`].
pub fn list(
    conn: &mut Connection,
    status: Option<Status>,
    member: Option<MemberId>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<AdjustmentRow>, Error> {
    let newest = adjustment::table.order(adjustment::id.desc()).limit(limit);
    let mut query = newest.select(AdjustmentRow::as_select()).into_boxed();
    if let Some(status) = status {
        query = query.filter(adjustment::status.eq(status.as_str()));
    }
    if let Some(member) = member {
        query = query.filter(adjustment::member_id.eq(member.uuid()));
    }
    if let Some(before) = before {
        query = query.filter(adjustment::id.lt(before));
    }
    Ok(query.load(conn)?)
}

/// What somebody else said to a request.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// [`Status::Approved`] or [`Status::Rejected`].
    pub status: Status,
    /// Who.
    pub by: StaffId,
    /// When, in programme time.
    pub at: Instant,
    /// Under which idempotency key, where it has one.
    pub key: Option<String>,
    /// Why, in words.
    pub note: Option<String>,
}

/// Puts on record what somebody else said; the row as it is then.
///
/// # Errors
/// [`Error::Conflict`] on `adjustment_two_people_check`: it is the person who asked; on
/// `adjustment_decider_check`: this person may not; on `adjustment_step_check`: it is decided.
pub fn decide(conn: &mut Connection, id: AdjustmentId, verdict: &Verdict) -> Result<AdjustmentRow, Error> {
    let change = (
        adjustment::status.eq(verdict.status.as_str()),
        adjustment::decided_by.eq(verdict.by.uuid()),
        adjustment::decided_at.eq(verdict.at),
        adjustment::decision_key.eq(&verdict.key),
        adjustment::decision_note.eq(&verdict.note),
    );
    let row = diesel::update(adjustment::table.find(id.uuid())).set(change);
    Ok(row.returning(AdjustmentRow::as_returning()).get_result(conn)?)
}

/// Notes that a rule refused what had been granted or approved. Nothing happens where that is noted.
///
/// # Errors
/// As [`Error`].
pub fn refuse(conn: &mut Connection, id: AdjustmentId, refusal: &str) -> Result<(), Error> {
    let open = adjustment::status.eq_any([Status::Granted.as_str(), Status::Approved.as_str()]);
    diesel::update(adjustment::table.find(id.uuid()).filter(open))
        .set((adjustment::status.eq(Status::Refused.as_str()), adjustment::refusal.eq(refusal)))
        .execute(conn)?;
    Ok(())
}

/// An adjustment by staff and its entries that do not say the same.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Astray {
    /// The adjustment, or whatever the entry names for one.
    #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::Uuid>)]
    pub id: Option<Uuid>,
    /// What is wrong.
    #[diesel(sql_type = diesel::sql_types::Text)]
    pub what: String,
}

/// The first adjustment that was booked otherwise than it was allowed, or not at all; the first entry that
/// staff made by hand without one.
///
/// # Errors
/// As [`Error`].
pub fn astray(conn: &mut Connection) -> Result<Option<Astray>, Error> {
    let query = "select coalesce(a.id, e.document_id) as id,
            case when a.id is null then 'staff made an entry that nobody allowed'
                when e.document_id is null then 'it is said to be booked and has no entry'
                else 'its entries are not what was allowed' end as what
        from (select member_id, document_id, sum(points) as points, max(number) as last, min(recorded_at) as first_at,
                max(recorded_at) as last_at, min(actor_id::text) as actor, min(actor_role) as role, min(reason) as reason,
                bool_and(from_account = 'adjusted') as gives, bool_and(to_account = 'adjusted') as takes
            from entry where kind = 'adjustment' and actor_role not in ('import', 'system')
            group by member_id, document_id) e
        full join (select * from adjustment where status = 'applied') a on a.id = e.document_id and a.member_id = e.member_id
        where a.id is null or e.document_id is null
            or (e.points, e.points, e.last, e.first_at, e.last_at, e.actor, e.role, e.reason, e.gives, e.takes)
                is distinct from (abs(a.points), a.booked, a.booked_entry, a.booked_at, a.booked_at, a.requested_by::text,
                    a.requested_role, a.reason, a.points > 0, a.points < 0)
            or not (a.decided_by is not null
                or abs(a.points) <= a.limit_each and a.day_before + abs(a.points) <= a.limit_day)
        order by 1 limit 1";
    Ok(diesel::sql_query(query).get_result(conn).optional()?)
}

/// What a key stands for, with its answer where no document keeps that.
#[derive(Debug, Clone, Queryable)]
pub struct Answered {
    /// SHA-256 of the route and the request.
    pub fingerprint: Vec<u8>,
    /// HTTP status.
    pub status: i16,
    /// JSON.
    pub body: Option<String>,
}

/// What was answered under a key of a person.
///
/// # Errors
/// As [`Error`].
pub fn answered(conn: &mut Connection, caller: Uuid, key: &str) -> Result<Option<Answered>, Error> {
    let columns = (idempotency::fingerprint, idempotency::status, idempotency::body);
    Ok(idempotency::table.find((caller, key)).select(columns).first(conn).optional()?)
}

/// Keeps an answer that moved no points with the request it belongs to, as the write path keeps the
/// answers of those that do.
///
/// # Errors
/// [`Error::Conflict`] on `idempotency_pkey` where the key was used meanwhile.
pub fn keep_answer(conn: &mut Connection, row: &AdjustmentRow, status: i16, body: &str) -> Result<(), Error> {
    diesel::insert_into(idempotency::table)
        .values((
            idempotency::caller.eq(row.requested_by),
            idempotency::key.eq(&row.key),
            idempotency::fingerprint.eq(&row.fingerprint),
            idempotency::member_id.eq(row.member_id),
            idempotency::status.eq(status),
            idempotency::document_id.eq(None::<Uuid>),
            idempotency::body.eq(body),
            idempotency::created_at.eq(row.requested_at),
        ))
        .execute(conn)?;
    Ok(())
}
