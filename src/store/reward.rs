//! What belongs to rewards beside their counts: codes of partners, each given out once, and the way of goods
//! to the member; tickets for draws are in [`super::ticket`]. Written with the batch that decides it; admins add codes, tills look at what waits.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as UuidType};
use tessera_rules::fulfilment::FulfilmentStatus;
use tessera_rules::id::{MemberId, RedemptionId, StaffId, StoreId};
use tessera_rules::ticket::Tickets;
use tessera_rules::time::Instant;
use uuid::Uuid;

use super::batch::call;
use super::db::{Connection, Error};
use super::rows::{FulfilmentStepRow, FulfilmentStepType, RedemptionRow, RedemptionType};
use super::schema::{coupon, coupon_issue, fulfilment, fulfilment_step, redemption, voucher_code, voucher_upload};
use super::ticket;
use super::wire::Rows;

/// What a batch needs to know of rewards beside their counts.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Members whose share of some rewards is limited, and those rewards.
    pub limited: (Vec<Uuid>, Vec<String>),
    /// From when on what they have counts; `None`: all of it.
    pub since: Option<DateTime<Utc>>,
    /// Rewards that give codes, and how many of each.
    pub vouchers: (Vec<String>, Vec<i64>),
    /// Rewards that give tickets.
    pub tickets: Vec<String>,
}

/// What was loaded of rewards.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Where the goods of loaded redemptions stand.
    pub fulfilments: Vec<FulfilmentRow>,
    /// The codes that loaded redemptions have: redemption, code.
    pub given: Vec<(Uuid, String)>,
    /// Codes that nobody has, in their order: reward, code.
    pub free: Vec<(String, String)>,
    /// The tickets that loaded redemptions have.
    pub tickets: Vec<(Uuid, Tickets)>,
    /// How many tickets rewards have given.
    pub tickets_given: Vec<(String, i64)>,
}

/// Where goods stand.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = fulfilment)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct FulfilmentRow {
    pub redemption_id: Uuid,
    pub store_id: Option<Uuid>,
    pub status: String,
    pub changed_at: Instant,
    pub steps: i32,
}

/// What a member has of limited rewards.
struct Limited<'w>(&'w Wanted);

impl QueryFragment<Pg> for Limited<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "select array_agg(r) from redemption r where r.status <> 'voided' and r.perk is null and r.member_id = any(",
        );
        out.push_bind_param::<Array<UuidType>, _>(&self.0.limited.0)?;
        out.push_sql(") and r.reward = any(");
        out.push_bind_param::<Array<Text>, _>(&self.0.limited.1)?;
        out.push_sql(") and r.recorded_at >= coalesce(");
        out.push_bind_param::<Nullable<Timestamptz>, _>(&self.0.since)?;
        out.push_sql(", '-infinity')");
        Ok(())
    }
}

impl QueryId for Limited<'_> {
    type QueryId = Limited<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for Limited<'_> {
    type SqlType = Nullable<Array<RedemptionType>>;
}

impl RunQueryDsl<PgConnection> for Limited<'_> {}

/// The next codes of some rewards.
struct Free<'w>(&'w Wanted);

impl QueryFragment<Pg> for Free<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("select w.reward, c.code from unnest(");
        out.push_bind_param::<Array<Text>, _>(&self.0.vouchers.0)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.0.vouchers.1)?;
        out.push_sql(
            ") as w(reward, wanted) cross join lateral (select v.code, v.number from voucher_code v \
             where v.reward = w.reward and v.redemption_id is null order by v.number limit w.wanted) c \
             order by w.reward, c.number",
        );
        Ok(())
    }
}

impl QueryId for Free<'_> {
    type QueryId = Free<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for Free<'_> {
    type SqlType = (Text, Text);
}

impl RunQueryDsl<PgConnection> for Free<'_> {}

impl Wanted {
    /// Loads what is needed of rewards, and adds to the redemptions those that limits count. Most batches
    /// need nothing, and nothing is asked then.
    ///
    /// # Errors
    /// As [`Error`].
    pub fn run(&self, conn: &mut PgConnection, redemptions: &mut Vec<RedemptionRow>) -> Result<Found, Error> {
        if !self.limited.0.is_empty() {
            let counted: Option<Vec<RedemptionRow>> = Limited(self).get_result(conn)?;
            redemptions.extend(counted.unwrap_or_default());
        }
        let with_reward = redemptions.iter().filter(|row| row.reward.is_some());
        let ids: Vec<Uuid> = with_reward.map(|row| row.id).collect();
        let mut found = Found::default();
        if !ids.is_empty() {
            found.fulfilments = fulfilments(conn, &ids)?;
            found.given = given(conn, &ids)?;
            found.tickets = ticket::of(conn, &ids)?;
        }
        if !self.vouchers.0.is_empty() {
            found.free = Free(self).load(conn)?;
        }
        found.tickets_given = ticket::given(conn, &self.tickets)?;
        Ok(found)
    }
}

/// What a batch changes of rewards beside their counts.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Redemptions that let their code go.
    pub freed: Vec<Uuid>,
    /// Codes that are given out: rewards, codes, redemptions.
    pub given: (Vec<String>, Vec<String>, Vec<Uuid>),
    /// Steps of goods on their way, in their order.
    pub steps: Vec<FulfilmentStepRow>,
    /// Tickets that are given and voided.
    pub tickets: ticket::Changes,
}

impl Changes {
    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.is_plain() && self.tickets.is_empty()
    }

    /// Whether no code and no goods are concerned.
    fn is_plain(&self) -> bool {
        self.freed.is_empty() && self.given.0.is_empty() && self.steps.is_empty()
    }

    /// Stores them, in the transaction of their batch and after it.
    ///
    /// # Errors
    /// As [`Error`]; [`Error::Serialization`] where a code or tickets were given out meanwhile.
    pub fn run(mut self, conn: &mut PgConnection) -> Result<(), Error> {
        let tickets = std::mem::take(&mut self.tickets);
        if !self.is_plain() {
            self.execute(conn)?;
        }
        tickets.run(conn)
    }
}

impl QueryFragment<Pg> for Changes {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        call!(out, "select store_rewards(",
            Array<UuidType> => &self.freed,
            Array<Text> => &self.given.0,
            Array<Text> => &self.given.1,
            Array<UuidType> => &self.given.2,
            Rows<FulfilmentStepType> => &self.steps,
        )
    }
}

impl QueryId for Changes {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<PgConnection> for Changes {}

/// Where the goods of some redemptions stand.
///
/// # Errors
/// As [`Error`].
pub fn fulfilments(conn: &mut Connection, redemptions: &[Uuid]) -> Result<Vec<FulfilmentRow>, Error> {
    let theirs = fulfilment::table.filter(fulfilment::redemption_id.eq_any(redemptions));
    Ok(theirs.select(FulfilmentRow::as_select()).load(conn)?)
}

/// When a member had what he has of some rewards at an instant, not counting what perks gave.
///
/// # Errors
/// As [`Error`].
pub fn taken(
    conn: &mut Connection,
    member: MemberId,
    rewards: &[String],
    at: Instant,
) -> Result<Vec<(String, Instant)>, Error> {
    let open = redemption::held_until.is_null().or(redemption::held_until.gt(at).assume_not_null());
    Ok(redemption::table
        .filter(redemption::member_id.eq(member.uuid()))
        .filter(redemption::reward.eq_any(rewards).assume_not_null())
        .filter(redemption::status.ne("voided").and(redemption::perk.is_null()).and(open))
        .select((redemption::reward.assume_not_null(), redemption::recorded_at))
        .load(conn)?)
}

/// The codes that some redemptions have: of partners, or of the coupons that were given with them.
///
/// # Errors
/// As [`Error`].
pub fn given(conn: &mut Connection, redemptions: &[Uuid]) -> Result<Vec<(Uuid, String)>, Error> {
    let columns = (voucher_code::redemption_id.assume_not_null(), voucher_code::code);
    let mut codes: Vec<(Uuid, String)> =
        voucher_code::table.filter(voucher_code::redemption_id.eq_any(redemptions)).select(columns).load(conn)?;
    let columns = (coupon_issue::document_id.assume_not_null(), coupon::code);
    let coupons = coupon_issue::table.inner_join(coupon::table).filter(coupon_issue::document_id.eq_any(redemptions));
    codes.extend(coupons.select(columns).load::<(Uuid, String)>(conn)?);
    Ok(codes)
}

/// A step of goods as people read it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = fulfilment_step)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct StepView {
    pub redemption_id: Uuid,
    pub status: String,
    pub at: Instant,
    pub actor_role: String,
}

/// The steps of the goods of some redemptions, in order.
///
/// # Errors
/// As [`Error`].
pub fn steps(conn: &mut Connection, redemptions: &[Uuid]) -> Result<Vec<StepView>, Error> {
    Ok(fulfilment_step::table
        .filter(fulfilment_step::redemption_id.eq_any(redemptions))
        .order((fulfilment_step::redemption_id, fulfilment_step::number))
        .select(StepView::as_select())
        .load(conn)?)
}

/// Where goods were asked for or lie, if they are of this redemption.
///
/// # Errors
/// As [`Error`].
pub fn lies_in(conn: &mut Connection, id: RedemptionId) -> Result<Option<Option<Uuid>>, Error> {
    Ok(fulfilment::table.find(id.uuid()).select(fulfilment::store_id).first(conn).optional()?)
}

/// Goods that wait for the member.
#[derive(Debug, Clone, Queryable)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct WaitingView {
    pub redemption_id: Uuid,
    pub member_id: Uuid,
    pub store_id: Option<Uuid>,
    pub status: String,
    pub changed_at: Instant,
    pub reward: Option<String>,
    pub recorded_at: Instant,
}

/// Which waiting goods are asked for.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// Only where they stand so.
    pub status: Option<FulfilmentStatus>,
    /// Only those of this store and of none; absent: of every store.
    pub store: Option<StoreId>,
    /// Only of this member.
    pub member: Option<MemberId>,
}

/// Goods that wait, newest redemption first, before an id.
///
/// # Errors
/// As [`Error`].
pub fn waiting(
    conn: &mut Connection,
    asked: &Waiting,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<WaitingView>, Error> {
    let rows = fulfilment::table
        .inner_join(redemption::table.on(redemption::id.eq(fulfilment::redemption_id)))
        .filter(fulfilment::status.eq_any(["reserved", "ready"]))
        .filter(fulfilment::redemption_id.lt(before.unwrap_or(Uuid::max())))
        .order(fulfilment::redemption_id.desc())
        .limit(limit)
        .select((
            fulfilment::redemption_id,
            fulfilment::member_id,
            fulfilment::store_id,
            fulfilment::status,
            fulfilment::changed_at,
            redemption::reward,
            redemption::recorded_at,
        ))
        .into_boxed();
    let rows = match asked.status {
        Some(status) => rows.filter(fulfilment::status.eq(status.as_str())),
        None => rows,
    };
    let rows = match asked.store {
        Some(store) => rows.filter(fulfilment::store_id.is_null().or(fulfilment::store_id.eq(store.uuid()))),
        None => rows,
    };
    let rows = match asked.member {
        Some(member) => rows.filter(fulfilment::member_id.eq(member.uuid())),
        None => rows,
    };
    Ok(rows.load(conn)?)
}

/// Codes of a reward: how many there are, and how many nobody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// Uploaded.
    pub uploaded: i64,
    /// Given to nobody.
    pub left: i64,
}

/// The codes of every reward that has any.
///
/// # Errors
/// As [`Error`].
pub fn pools(conn: &mut Connection) -> Result<Vec<(String, Pool)>, Error> {
    type Counted = (String, i64, i64);
    let left = sql::<BigInt>("count(*) filter (where redemption_id is null)");
    let rows: Vec<Counted> = voucher_code::table
        .group_by(voucher_code::reward)
        .select((voucher_code::reward, diesel::dsl::count_star(), left))
        .load(conn)?;
    Ok(rows.into_iter().map(|(reward, uploaded, left)| (reward, Pool { uploaded, left })).collect())
}

/// A list of codes on its way in.
#[derive(Debug, Clone)]
pub struct Upload {
    /// Its id.
    pub id: Uuid,
    /// For which reward.
    pub reward: String,
    /// SHA-256 of the list.
    pub digest: [u8; 32],
    /// The codes, no two alike.
    pub codes: Vec<String>,
    /// By whom.
    pub by: StaffId,
    /// When.
    pub at: Instant,
}

/// An upload on record.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = voucher_upload)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct UploadView {
    pub id: Uuid,
    pub codes: i32,
    pub uploaded_at: Instant,
}

/// The upload of the same list for the same reward.
///
/// # Errors
/// As [`Error`].
pub fn uploaded(conn: &mut Connection, reward: &str, digest: &[u8; 32]) -> Result<Option<UploadView>, Error> {
    let same = voucher_upload::reward.eq(reward).and(voucher_upload::digest.eq(digest.as_slice()));
    Ok(voucher_upload::table.filter(same).select(UploadView::as_select()).first(conn).optional()?)
}

/// Which of these codes the reward has already.
///
/// # Errors
/// As [`Error`].
pub fn known(conn: &mut Connection, reward: &str, codes: &[String]) -> Result<Vec<String>, Error> {
    let same = voucher_code::reward.eq(reward).and(voucher_code::code.eq_any(codes));
    Ok(voucher_code::table.filter(same).select(voucher_code::code).load(conn)?)
}

/// Adds a list of codes, in the caller's transaction. They are given out in the order of the list.
///
/// # Errors
/// [`Error::Conflict`] on `voucher_upload_digest_key` or `voucher_code_code_key` where the list or a code came
/// in meanwhile.
pub fn upload(conn: &mut Connection, new: &Upload) -> Result<(), Error> {
    diesel::insert_into(voucher_upload::table)
        .values((
            voucher_upload::id.eq(new.id),
            voucher_upload::reward.eq(&new.reward),
            voucher_upload::digest.eq(new.digest.as_slice()),
            voucher_upload::codes.eq(i32::try_from(new.codes.len()).unwrap_or(i32::MAX)),
            voucher_upload::uploaded_by.eq(new.by.uuid()),
            voucher_upload::uploaded_at.eq(new.at),
        ))
        .execute(conn)?;
    diesel::sql_query(
        "insert into voucher_code (reward, code, upload_id) \
         select $1, c.code, $2 from unnest($3) with ordinality as c(code, place) order by c.place",
    )
    .bind::<Text, _>(&new.reward)
    .bind::<UuidType, _>(new.id)
    .bind::<Array<Text>, _>(&new.codes)
    .execute(conn)?;
    Ok(())
}

/// A redemption, a code and goods that do not say the same.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Astray {
    /// The redemption.
    #[diesel(sql_type = UuidType)]
    pub id: Uuid,
    /// What is wrong.
    #[diesel(sql_type = Text)]
    pub what: String,
}

/// The first redemption of a reward that has neither a code, tickets nor goods, or both, or goods that stand otherwise
/// than it or their steps do.
///
/// # Errors
/// As [`Error`].
pub fn astray(conn: &mut Connection) -> Result<Option<Astray>, Error> {
    let query = "select * from (
        select ids.id, case
                when r.id is null then 'a code or goods are of a redemption that does not exist'
                when v.reward <> r.reward or r.reward is null then 'its code, tickets or goods are not of its reward'
                when v.code is not null and f.redemption_id is not null then 'it has a code or tickets, and goods'
                when r.status = 'captured' and v.code is null and f.redemption_id is null
                    then 'it has neither a code nor goods nor tickets'
                when r.status = 'held' and f.redemption_id is not null then 'its goods are under way before it is captured'
                when (r.status = 'voided') <> (f.status = 'cancelled') or f.member_id <> r.member_id
                    then 'its goods do not stand as it does'
            end as what
        from (select id from redemption where reward is not null
              union select redemption_id from voucher_code where redemption_id is not null
              union select redemption_id from fulfilment) ids
        left join redemption r on r.id = ids.id
        left join (
            select redemption_id, reward, code from voucher_code
            union all
            select distinct redemption_id, reward, 'tickets' from draw_ticket
            union all
            select i.document_id, substr(i.given_by, length('reward:') + 1), c.code
            from coupon_issue i join coupon c on c.issue_id = i.id where i.given_by like 'reward:%'
        ) v on v.redemption_id = ids.id
        left join fulfilment f on f.redemption_id = ids.id
        union all
        select coalesce(f.redemption_id, s.redemption_id), 'its goods do not stand where their steps lead'
        from fulfilment f full join (
            select redemption_id, count(*) as steps, max(number) as last, max(at) as at,
                (array_agg(status order by number desc))[1] as status,
                bool_and((before, status) in (('', 'reserved'), ('reserved', 'ready'), ('reserved', 'handed_over'),
                    ('ready', 'handed_over'), ('reserved', 'cancelled'), ('ready', 'cancelled'),
                    ('handed_over', 'cancelled'))) as legal
            from (select *, lag(status, 1, '') over (partition by redemption_id order by number) as before
                  from fulfilment_step) steps
            group by redemption_id
        ) s using (redemption_id)
        where (f.steps, f.steps, f.status, f.changed_at, true) is distinct from (s.steps, s.last, s.status, s.at, s.legal)
    ) found where what is not null order by id limit 1";
    Ok(diesel::sql_query(query).get_result(conn).optional()?)
}
