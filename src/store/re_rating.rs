//! Re-ratings: plans, what they did to members and purchases, and by which of them a purchase stands.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as UuidType};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tessera_rules::id::{MemberId, ReRatingId, StaffId};
use tessera_rules::time::{Day, Instant};
use uuid::Uuid;

use super::batch::call;
use super::db::{Connection, Error};
use super::schema::{programme_version, re_rating, re_rating_member, re_rating_purchase};

/// How a re-rating stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It can be looked at and booked.
    Planned,
    /// It is being booked, or was when a process ended: to apply it again goes on.
    Applying,
    /// It is booked.
    Applied,
    /// It is being taken back.
    Undoing,
    /// It is taken back.
    Undone,
}

impl Status {
    /// The word in rows and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Applying => "applying",
            Self::Applied => "applied",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
        }
    }
}

/// A re-rating.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = re_rating)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct ReRatingRow {
    pub id: Uuid,
    pub status: String,
    pub from_day: Day,
    pub to_day: Day,
    pub stores: Vec<String>,
    pub tried: Value,
    pub reason: String,
    pub note: String,
    pub fingerprint: Vec<u8>,
    pub looked_at: i64,
    pub inexact: i64,
    pub refused: i64,
    pub purchases: i64,
    pub members: i64,
    pub gives: i64,
    pub takes: i64,
    pub largest: i64,
    pub planned_by: Uuid,
    pub planned_at: Instant,
    pub limit_each: Option<i64>,
    pub limit_day: Option<i64>,
    pub day_before: Option<i64>,
    pub applied_by: Option<Uuid>,
    pub applied_at: Option<Instant>,
    pub undone_by: Option<Uuid>,
    pub undone_at: Option<Instant>,
}

/// A member's part.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = re_rating_member)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct MemberRow {
    pub re_rating_id: Uuid,
    pub member_id: Uuid,
    pub purchases: i32,
    pub points: i64,
    pub applied: Option<i64>,
    pub forgiven: Option<i64>,
    pub applied_at: Option<Instant>,
    pub left_out: Option<String>,
    pub undone: Option<i64>,
    pub undone_forgiven: Option<i64>,
    pub undone_at: Option<Instant>,
    pub kept: Option<String>,
}

/// A purchase of a plan.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = re_rating_purchase)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct PurchaseRow {
    pub re_rating_id: Uuid,
    pub purchase_id: Uuid,
    pub member_id: Uuid,
    pub occurred_at: Instant,
    pub given: i64,
    pub clawed: i64,
    pub points: i64,
    pub should_be_clawed: i64,
    pub claws: Value,
    pub returned: i32,
    pub explanation: String,
    pub lapsed: Option<i64>,
    pub applied_at: Option<Instant>,
    pub undone_at: Option<Instant>,
}

/// How a purchase stands by a re-rating.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = re_rating_purchase)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct InForce {
    pub purchase_id: Uuid,
    pub clawed: i64,
    pub points: i64,
    pub should_be_clawed: i64,
    pub claws: Value,
    pub explanation: String,
    pub lapsed: Option<i64>,
    pub applied_at: Option<Instant>,
    pub undone_at: Option<Instant>,
}

impl InForce {
    /// By how much more, or below 0 less, counts as clawed of the purchase than its returns took.
    pub fn clawed_more(&self) -> i64 {
        self.should_be_clawed - self.clawed - self.lapsed.unwrap_or(0)
    }
}

/// The re-ratings that purchases stand by, each purchase's in the order in which they were booked.
///
/// # Errors
/// As [`Error`].
pub fn in_force(conn: &mut PgConnection, purchases: &[Uuid]) -> Result<Vec<InForce>, Error> {
    let booked = re_rating_purchase::applied_at.is_not_null().and(re_rating_purchase::undone_at.is_null());
    Ok(re_rating_purchase::table
        .filter(re_rating_purchase::purchase_id.eq_any(purchases).and(booked))
        .order((re_rating_purchase::purchase_id, re_rating_purchase::applied_at, re_rating_purchase::re_rating_id))
        .select(InForce::as_select())
        .load(conn)?)
}

/// What re-ratings came to for members: in every list one element for each.
#[derive(Debug, Clone, Default)]
pub struct MembersRated {
    /// By which re-rating.
    pub by: Vec<Uuid>,
    /// Whom.
    pub members: Vec<Uuid>,
    /// Points booked.
    pub points: Vec<i64>,
    /// Points forgiven.
    pub forgiven: Vec<i64>,
    /// Whether it is taken back.
    pub undone: Vec<bool>,
    /// When.
    pub at: Vec<DateTime<Utc>>,
}

/// What became of purchases: in every list one element for each.
#[derive(Debug, Clone, Default)]
pub struct PurchasesRated {
    /// By which re-rating.
    pub by: Vec<Uuid>,
    /// Which.
    pub purchases: Vec<Uuid>,
    /// Points that had lapsed unspent.
    pub lapsed: Vec<i64>,
    /// Whether it is taken back.
    pub undone: Vec<bool>,
    /// When.
    pub at: Vec<DateTime<Utc>>,
}

/// What a batch changes of re-ratings.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Members.
    pub members: MembersRated,
    /// Purchases.
    pub purchases: PurchasesRated,
}

impl Changes {
    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.members.by.is_empty() && self.purchases.by.is_empty()
    }

    /// Stores them, in the transaction of their batch and after it.
    ///
    /// # Errors
    /// As [`Error`]; [`Error::Serialization`] where one was booked meanwhile.
    pub fn run(self, conn: &mut PgConnection) -> Result<(), Error> {
        if !self.is_empty() {
            self.execute(conn)?;
        }
        Ok(())
    }
}

impl QueryFragment<Pg> for Changes {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        call!(out, "select store_re_ratings(",
            Array<UuidType> => &self.members.by,
            Array<UuidType> => &self.members.members,
            Array<BigInt> => &self.members.points,
            Array<BigInt> => &self.members.forgiven,
            Array<Bool> => &self.members.undone,
            Array<Timestamptz> => &self.members.at,
            Array<UuidType> => &self.purchases.by,
            Array<UuidType> => &self.purchases.purchases,
            Array<BigInt> => &self.purchases.lapsed,
            Array<Bool> => &self.purchases.undone,
            Array<Timestamptz> => &self.purchases.at,
        )
    }
}

impl QueryId for Changes {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<PgConnection> for Changes {}

/// Rows written by one statement: a statement takes at most 65,535 parameters.
const CHUNK: usize = 2_000;

/// Keeps a plan.
///
/// # Errors
/// As [`Error`].
pub fn insert(
    conn: &mut Connection,
    row: &ReRatingRow,
    members: &[MemberRow],
    purchases: &[PurchaseRow],
) -> Result<(), Error> {
    diesel::insert_into(re_rating::table).values(row).execute(conn)?;
    for chunk in members.chunks(CHUNK) {
        diesel::insert_into(re_rating_member::table).values(chunk).execute(conn)?;
    }
    for chunk in purchases.chunks(CHUNK) {
        diesel::insert_into(re_rating_purchase::table).values(chunk).execute(conn)?;
    }
    Ok(())
}

/// A re-rating.
///
/// # Errors
/// As [`Error`].
pub fn find(conn: &mut Connection, id: ReRatingId) -> Result<Option<ReRatingRow>, Error> {
    Ok(re_rating::table.find(id.uuid()).select(ReRatingRow::as_select()).first(conn).optional()?)
}

/// A re-rating on which nobody else takes a step until the caller's transaction ends.
///
/// # Errors
/// As [`Error`].
pub fn find_locked(conn: &mut Connection, id: ReRatingId) -> Result<Option<ReRatingRow>, Error> {
    let row = re_rating::table.find(id.uuid()).select(ReRatingRow::as_select()).for_no_key_update();
    Ok(row.first(conn).optional()?)
}

/// Re-ratings newest first, before `before`.
///
/// # Errors
/// As [`Error`].
pub fn list(conn: &mut Connection, before: Option<Uuid>, limit: i64) -> Result<Vec<ReRatingRow>, Error> {
    Ok(re_rating::table
        .filter(re_rating::id.lt(before.unwrap_or(Uuid::max())))
        .order(re_rating::id.desc())
        .limit(limit)
        .select(ReRatingRow::as_select())
        .load(conn)?)
}

/// The members of a re-rating in the order of their ids, after `after`.
///
/// # Errors
/// As [`Error`].
pub fn members(conn: &mut Connection, id: Uuid, after: Uuid, limit: i64) -> Result<Vec<MemberRow>, Error> {
    let of = re_rating_member::re_rating_id.eq(id).and(re_rating_member::member_id.gt(after));
    Ok(re_rating_member::table
        .filter(of)
        .order(re_rating_member::member_id)
        .limit(limit)
        .select(MemberRow::as_select())
        .load(conn)?)
}

/// The purchases of some members in a re-rating, by member and purchase.
///
/// # Errors
/// As [`Error`].
pub fn purchases(conn: &mut Connection, id: Uuid, members: &[Uuid]) -> Result<Vec<PurchaseRow>, Error> {
    let of = re_rating_purchase::re_rating_id.eq(id).and(re_rating_purchase::member_id.eq_any(members));
    Ok(re_rating_purchase::table
        .filter(of)
        .order((re_rating_purchase::member_id, re_rating_purchase::purchase_id))
        .select(PurchaseRow::as_select())
        .load(conn)?)
}

/// A purchase that does not stand as its plan saw it.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct ChangedPurchase {
    /// The purchase.
    #[diesel(sql_type = UuidType)]
    pub id: Uuid,
    /// Whose.
    #[diesel(sql_type = UuidType)]
    pub member_id: Uuid,
    /// `returned`, `moved` or `re_rated`.
    #[diesel(sql_type = Text)]
    pub what: String,
}

/// The first purchases of members still to be booked (`undo`: taken back) that changed since.
///
/// # Errors
/// As [`Error`].
pub fn changed(conn: &mut Connection, id: ReRatingId, undo: bool, limit: i32) -> Result<Vec<ChangedPurchase>, Error> {
    let query = "select p.purchase_id as id, p.member_id, case
            when exists (select from purchase_return r where r.purchase_id = p.purchase_id and r.source = $4) then 'moved'
            when exists (select from re_rating_purchase o where o.purchase_id = p.purchase_id and o.applied_at is not null
                and o.re_rating_id <> p.re_rating_id and o.applied_at >= s.seen_at) then 're_rated'
            else 'returned' end as what
        from re_rating_purchase p join re_rating_member m using (re_rating_id, member_id) join re_rating t on t.id = p.re_rating_id
        cross join lateral (select case when $2 then p.applied_at else t.planned_at end as seen_at) s
        where p.re_rating_id = $1
          and case when $2 then m.applied_at is not null and m.undone_at is null else m.applied_at is null end
          and (p.returned <> (select coalesce(sum(json_array_length(r.lines::json)), 0) from purchase_return r
                where r.purchase_id = p.purchase_id)
            or exists (select from re_rating_purchase o where o.purchase_id = p.purchase_id
                and o.re_rating_id <> p.re_rating_id and (o.applied_at >= s.seen_at or o.undone_at >= s.seen_at)))
        order by 1 limit $3";
    Ok(diesel::sql_query(query)
        .bind::<UuidType, _>(id.uuid())
        .bind::<Bool, _>(undo)
        .bind::<Integer, _>(limit)
        .bind::<Text, _>(tessera_rules::command::MOVED)
        .load(conn)?)
}

/// Who takes a step, when, and what he could have done alone.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// Who.
    pub by: StaffId,
    /// When.
    pub at: Instant,
    /// Most points of one adjustment.
    pub limit_each: i64,
    /// Most points of a day.
    pub limit_day: i64,
    /// Points the person had of that.
    pub day_before: i64,
}

/// Begins to book a plan.
///
/// # Errors
/// [`Error::Conflict`] on `re_rating_two_people_check` and `re_rating_step_check`.
pub fn begin(conn: &mut Connection, id: Uuid, step: &Step) -> Result<(), Error> {
    let change = (
        re_rating::status.eq(Status::Applying.as_str()),
        re_rating::limit_each.eq(step.limit_each),
        re_rating::limit_day.eq(step.limit_day),
        re_rating::day_before.eq(step.day_before),
        re_rating::applied_by.eq(step.by.uuid()),
        re_rating::applied_at.eq(step.at),
    );
    diesel::update(re_rating::table.find(id)).set(change).execute(conn)?;
    Ok(())
}

/// Begins to take one back.
///
/// # Errors
/// As [`begin`].
pub fn begin_undoing(conn: &mut Connection, id: Uuid, by: StaffId, at: Instant) -> Result<(), Error> {
    let change = (
        re_rating::status.eq(Status::Undoing.as_str()),
        re_rating::undone_by.eq(by.uuid()),
        re_rating::undone_at.eq(at),
    );
    diesel::update(re_rating::table.find(id)).set(change).execute(conn)?;
    Ok(())
}

/// Notes that all of it is done. Whoever else noted that before is not contradicted.
///
/// # Errors
/// As [`Error`].
pub fn finish(conn: &mut Connection, id: ReRatingId, undo: bool) -> Result<ReRatingRow, Error> {
    let (from, to) = if undo { (Status::Undoing, Status::Undone) } else { (Status::Applying, Status::Applied) };
    let under_way = re_rating::table.find(id.uuid()).filter(re_rating::status.eq(from.as_str()));
    diesel::update(under_way).set(re_rating::status.eq(to.as_str())).execute(conn)?;
    Ok(re_rating::table.find(id.uuid()).select(ReRatingRow::as_select()).first(conn)?)
}

/// Notes that a member is left out, and why.
///
/// # Errors
/// As [`Error`].
pub fn leave_out(conn: &mut Connection, id: ReRatingId, member: MemberId, undo: bool, why: &str) -> Result<(), Error> {
    let row = re_rating_member::table.find((id.uuid(), member.uuid()));
    if undo {
        let open = row.filter(re_rating_member::undone_at.is_null().and(re_rating_member::kept.is_null()));
        diesel::update(open).set(re_rating_member::kept.eq(why)).execute(conn)?;
    } else {
        let open = row.filter(re_rating_member::applied_at.is_null().and(re_rating_member::left_out.is_null()));
        diesel::update(open).set(re_rating_member::left_out.eq(why)).execute(conn)?;
    }
    Ok(())
}

/// Points a person booked of his own plans alone on a day, given and taken.
///
/// # Errors
/// As [`Error`].
pub fn alone_between(conn: &mut Connection, person: StaffId, from: Instant, to: Instant) -> Result<i64, Error> {
    let own = re_rating::applied_by.eq(person.uuid()).and(re_rating::planned_by.eq(person.uuid()));
    let sum = sql::<BigInt>("coalesce(sum(gives + takes), 0)::bigint");
    let rows = re_rating::table.filter(own.and(re_rating::applied_at.ge(from)).and(re_rating::applied_at.lt(to)));
    Ok(rows.select(sum).first(conn)?)
}

/// The versions of the programme that decided purchases between two instants, each with its document.
///
/// # Errors
/// As [`Error`].
pub fn versions(conn: &mut Connection, from: Instant, to: Instant) -> Result<Vec<(i64, Value)>, Error> {
    let decided = sql::<Bool>("version in (select programme_version from purchase where occurred_at >= ")
        .bind::<Timestamptz, _>(from)
        .sql(" and occurred_at < ")
        .bind::<Timestamptz, _>(to)
        .sql(")");
    let rows = programme_version::table.filter(decided).order(programme_version::version);
    Ok(rows.select((programme_version::version, programme_version::document)).load(conn)?)
}

/// What a member's points of purchases were before a re-rating: points and explanation, as sold or by the
/// re-rating before.
#[derive(Debug, Clone, QueryableByName)]
pub struct Before {
    /// The purchase.
    #[diesel(sql_type = UuidType)]
    pub purchase_id: Uuid,
    /// Points it stood at.
    #[diesel(sql_type = BigInt)]
    pub points: i64,
    /// The answer that was stored with it.
    #[diesel(sql_type = Text)]
    pub answer: String,
    /// Why it stood at them, where an earlier re-rating says.
    #[diesel(sql_type = Nullable<Text>)]
    pub explanation: Option<String>,
}

/// How purchases stood before a re-rating of them.
///
/// # Errors
/// As [`Error`].
pub fn before(conn: &mut Connection, id: ReRatingId, members: &[Uuid]) -> Result<Vec<Before>, Error> {
    let query = "select p.purchase_id, p.given as points, u.answer, o.explanation
        from re_rating_purchase p join purchase u on u.id = p.purchase_id
        left join lateral (select e.explanation from re_rating_purchase e where e.purchase_id = p.purchase_id
            and e.re_rating_id <> p.re_rating_id and e.applied_at <= p.applied_at and e.undone_at is null
            order by e.applied_at desc, e.re_rating_id desc limit 1) o on true
        where p.re_rating_id = $1 and p.member_id = any($2) and p.applied_at is not null
        order by p.member_id, p.purchase_id";
    Ok(diesel::sql_query(query).bind::<UuidType, _>(id.uuid()).bind::<Array<UuidType>, _>(members).load(conn)?)
}

/// A re-rating whose rows do not say the same.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Astray {
    /// The re-rating, or whatever the entry names for one.
    #[diesel(sql_type = Nullable<UuidType>)]
    pub id: Option<Uuid>,
    /// What is wrong.
    #[diesel(sql_type = Text)]
    pub what: String,
}

/// The first re-rating whose entries, members and purchases do not agree.
///
/// # Errors
/// As [`Error`].
pub fn astray(conn: &mut Connection) -> Result<Option<Astray>, Error> {
    let query = "select * from (
        select coalesce(m.re_rating_id, e.document_id) as id, 'its entries are not what was booked' as what
        from (select document_id, member_id, sum(case when from_account = 'adjusted' then points else -points end) as points
            from entry where kind = 're_rating' group by 1, 2) e
        full join (select re_rating_id, member_id, applied + coalesce(undone, 0) as points, applied, undone
            from re_rating_member where applied is not null) m on m.re_rating_id = e.document_id and m.member_id = e.member_id
        where m.re_rating_id is null or coalesce(e.points, 0) <> m.points
        union all
        select m.re_rating_id, 'a member and his purchases do not agree'
        from re_rating_member m cross join lateral (
            select count(*) as purchases, count(p.applied_at) as applied, count(p.undone_at) as undone,
                sum(p.points - p.should_be_clawed - p.given + p.clawed) as points, coalesce(sum(p.lapsed), 0) as lapsed
            from re_rating_purchase p where p.re_rating_id = m.re_rating_id and p.member_id = m.member_id) p
        where (p.purchases, p.points) is distinct from (m.purchases, m.points)
            or p.applied <> case when m.applied is null then 0 else m.purchases end
            or p.undone <> case when m.undone is null then 0 else m.purchases end
            or m.applied is not null and m.applied - m.forgiven <> m.points + p.lapsed
            or m.undone is not null and m.undone - m.undone_forgiven <> -m.applied
        union all
        select r.id, 'its sums are not those of its members'
        from re_rating r cross join lateral (
            select count(*) as members, coalesce(sum(m.purchases), 0) as purchases, coalesce(sum(greatest(m.points, 0)), 0) as gives,
                coalesce(sum(greatest(-m.points, 0)), 0) as takes, coalesce(max(abs(m.points)), 0) as largest
            from re_rating_member m where m.re_rating_id = r.id) m
        where (m.members, m.purchases, m.gives, m.takes, m.largest)
            is distinct from (r.members, r.purchases, r.gives, r.takes, r.largest)
        ) astray order by 1, 2 limit 1";
    Ok(diesel::sql_query(query).get_result(conn).optional()?)
}
