//! The purchases of the past, page by page along the members' ids, with everything that replaying them
//! needs.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Jsonb, Nullable, Text, Timestamptz, Uuid as UuidType};
use serde_json::Value;
use tessera_rules::time::{BirthDate, Instant};
use uuid::Uuid;

use super::db::{Connection, Error};
use super::re_rating::{self, InForce};
use super::schema::{member, member_tag_change, purchase, purchase_return, standing, tier_change};
use super::tag::TagChangeRow;

/// Members read at a time.
const PAGE: i64 = 500;

/// A member.
#[derive(Debug, Clone)]
pub struct MemberPast {
    /// Id.
    pub id: Uuid,
    /// When he joined.
    pub enrolled_at: Instant,
    /// The time of his last command.
    pub recorded_at: Instant,
    /// His birth date, if known.
    pub birth_date: Option<BirthDate>,
    /// The accounts that were merged into him, and the one he was merged into.
    pub merged: Vec<Uuid>,
}

/// A member's row, with year, month and day of birth.
#[derive(Queryable)]
struct MemberTimes {
    id: Uuid,
    enrolled_at: Instant,
    recorded_at: Instant,
    birth: (Option<i16>, Option<i16>, Option<i16>),
}

/// An account that was merged, and into which.
#[derive(QueryableByName)]
struct Merged {
    #[diesel(sql_type = UuidType)]
    member_id: Uuid,
    #[diesel(sql_type = UuidType)]
    root: Uuid,
}

/// A purchase.
#[derive(Debug, Clone, QueryableByName)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct PurchasePast {
    #[diesel(sql_type = UuidType)]
    pub member_id: Uuid,
    #[diesel(sql_type = UuidType)]
    pub id: Uuid,
    #[diesel(sql_type = Text)]
    pub store: String,
    #[diesel(sql_type = Binary)]
    pub content: Vec<u8>,
    #[diesel(sql_type = Timestamptz)]
    pub occurred_at: Instant,
    #[diesel(sql_type = Timestamptz)]
    pub recorded_at: Instant,
    #[diesel(sql_type = BigInt)]
    pub points: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub micropoints: Option<i64>,
    #[diesel(sql_type = Text)]
    pub answer: String,
    #[diesel(sql_type = Nullable<Jsonb>)]
    pub particulars: Option<Value>,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub paid_points: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub paid_worth: Option<i64>,
}

/// A return.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = purchase_return)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct ReturnPast {
    pub member_id: Uuid,
    pub id: Uuid,
    pub purchase_id: Uuid,
    pub recorded_at: Instant,
    pub lines: String,
    pub clawed: i64,
    pub micropoints: i64,
}

/// A change of tier.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = tier_change)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct TierPast {
    pub member_id: Uuid,
    pub number: i64,
    pub from_tier: String,
    pub to_tier: String,
    pub at: Instant,
    pub recorded_at: Instant,
    pub cause: String,
    pub measure: i64,
    pub programme_version: i64,
}

/// Some members and all that is on record of them, each list in the order of the members' ids.
#[derive(Debug, Clone, Default)]
pub struct PastPage {
    /// The members.
    pub members: Vec<MemberPast>,
    /// Their purchases.
    pub purchases: Vec<PurchasePast>,
    /// What came back.
    pub returns: Vec<ReturnPast>,
    /// Their tier changes, oldest first.
    pub tiers: Vec<TierPast>,
    /// Changes of their tags, oldest first.
    pub tags: Vec<TagChangeRow>,
    /// Re-ratings that their purchases stand by, by purchase and in their order.
    pub ratings: Vec<InForce>,
}

/// Who bought between two instants, the last of them not included.
pub type Bought = (Instant, Instant);

/// The members after `after`, of those who bought where that is said, and their past; empty where there are no
/// more.
///
/// # Errors
/// As [`Error`].
pub fn page(conn: &mut Connection, after: Option<Uuid>, bought: Option<Bought>) -> Result<PastPage, Error> {
    /// What points paid stands with the redemption that paid.
    const PURCHASES: &str = "select p.member_id, p.id, s.code as store, p.content, p.occurred_at, p.recorded_at, \
         p.points, p.micropoints, p.answer, p.particulars, r.points as paid_points, r.worth as paid_worth \
         from purchase p join store s on s.id = p.store_id left join redemption r on r.id = p.redemption_id \
         where p.member_id = any($1) order by p.member_id, p.recorded_at, p.id";
    const MERGED: &str = "select member_id, (ties).root as root from standing \
         where (ties).kind = 'merged' and (member_id = any($1) or (ties).root = any($1))";
    let birth = (member::birth_year, member::birth_month, member::birth_day);
    let mut wanted = standing::table
        .inner_join(member::table.on(member::id.eq(standing::member_id)))
        .filter(standing::member_id.gt(after.unwrap_or(Uuid::nil())))
        .order(standing::member_id)
        .limit(PAGE)
        .select((standing::member_id, standing::enrolled_at, standing::recorded_at, birth))
        .into_boxed();
    if let Some((from, to)) = bought {
        let theirs = purchase::member_id.eq(standing::member_id);
        let then = purchase::occurred_at.ge(from).and(purchase::occurred_at.lt(to));
        wanted = wanted.filter(diesel::dsl::exists(purchase::table.filter(theirs.and(then))));
    }
    let rows: Vec<MemberTimes> = wanted.load(conn)?;
    let mut members: Vec<MemberPast> = rows.into_iter().map(MemberPast::from).collect();
    let ids: Vec<Uuid> = members.iter().map(|member| member.id).collect();
    let merged: Vec<Merged> = diesel::sql_query(MERGED).bind::<Array<UuidType>, _>(&ids).load(conn)?;
    for member in &mut members {
        let other = |pair: &Merged| match (pair.member_id == member.id, pair.root == member.id) {
            (true, _) => Some(pair.root),
            (_, true) => Some(pair.member_id),
            _ => None,
        };
        member.merged = merged.iter().filter_map(other).collect();
    }
    let purchases = diesel::sql_query(PURCHASES).bind::<Array<UuidType>, _>(&ids).load(conn)?;
    let returns = purchase_return::table
        .filter(purchase_return::member_id.eq_any(&ids))
        .order((purchase_return::member_id, purchase_return::recorded_at, purchase_return::id))
        .select(ReturnPast::as_select())
        .load(conn)?;
    let tiers = tier_change::table
        .filter(tier_change::member_id.eq_any(&ids))
        .order((tier_change::member_id, tier_change::number))
        .select(TierPast::as_select())
        .load(conn)?;
    let tags = member_tag_change::table
        .filter(member_tag_change::member_id.eq_any(&ids))
        .order((member_tag_change::member_id, member_tag_change::seq))
        .select(TagChangeRow::as_select())
        .load(conn)?;
    let bought: Vec<Uuid> = purchases.iter().map(|row: &PurchasePast| row.id).collect();
    let ratings = re_rating::in_force(conn, &bought)?;
    Ok(PastPage { members, purchases, returns, tiers, tags, ratings })
}

impl From<MemberTimes> for MemberPast {
    fn from(row: MemberTimes) -> Self {
        let MemberTimes { id, enrolled_at, recorded_at, birth: (year, month, day) } = row;
        let number = |part: Option<i16>| u32::try_from(part?).ok();
        let birth_date = number(month).zip(number(day));
        let birth_date = birth_date.map(|(month, day)| BirthDate { year: year.map(i32::from), month, day });
        Self { id, enrolled_at, recorded_at, birth_date, merged: Vec::new() }
    }
}
