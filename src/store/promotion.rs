//! What was used of limited promotions: read for a decision, and counted with the batch that uses more.

use chrono::NaiveDate;
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Date, Text, Uuid as UuidType};
use uuid::Uuid;

use super::batch::{Writes, call};
use super::db::Error;
use super::schema::promotion_usage;

/// What all members have used of a promotion: its code, uses, points, and money in minor units.
pub type Used = (String, i64, i64, i64);

/// A member's uses of a promotion on a day.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct MemberUse {
    /// Whose.
    pub member_id: Uuid,
    /// The promotion's code.
    pub promotion: String,
    /// The local day.
    pub day: NaiveDate,
    /// How many.
    pub uses: i64,
}

/// Members, the promotions they may use, and the first day whose uses are asked for.
pub type Asked = (Vec<Uuid>, Vec<String>, Vec<NaiveDate>);

/// What a batch changes of what was used of promotions, one element a promotion or a member's day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Promotions, sorted.
    pub promotions: Vec<String>,
    /// By how much their uses change.
    pub uses: Vec<i64>,
    /// By how much their points do.
    pub points: Vec<i64>,
    /// By how much their money does, in minor units.
    pub money: Vec<i64>,
    /// The least and the most uses under which the batch is decided rightly.
    pub right_uses: (Vec<i64>, Vec<i64>),
    /// The least and the most points.
    pub right_points: (Vec<i64>, Vec<i64>),
    /// The least and the most money.
    pub right_money: (Vec<i64>, Vec<i64>),
    /// Members whose uses change, with the promotion and the day.
    pub members: Asked,
    /// By how much.
    pub member_uses: Vec<i64>,
}

impl Counts {
    /// Whether there is nothing to count and nothing to prove.
    pub fn is_empty(&self) -> bool {
        self.promotions.is_empty() && self.member_uses.is_empty()
    }
}

/// What was used of promotions so far, asked only where there are some; those nobody has used are not there.
///
/// # Errors
/// As [`Error`].
pub fn used(conn: &mut PgConnection, promotions: &[String]) -> Result<Vec<Used>, Error> {
    if promotions.is_empty() {
        return Ok(Vec::new());
    }
    // An array as one argument: a cached statement, however many they are.
    let rows = promotion_usage::table.filter(promotion_usage::promotion.eq_any(promotions));
    Ok(rows.load(conn)?)
}

/// The members' uses of promotions.
///
/// # Errors
/// As [`Error`].
pub fn member_uses(conn: &mut PgConnection, asked: &Asked) -> Result<Vec<MemberUse>, Error> {
    if asked.0.is_empty() {
        return Ok(Vec::new());
    }
    Ok(MemberUses(asked).load(conn)?)
}

/// Locks the counts of promotions, which are sorted, until the transaction ends.
///
/// # Errors
/// As [`Error`]; deadlocks are retryable.
pub fn lock(conn: &mut PgConnection, promotions: &[String]) -> Result<(), Error> {
    Lock(promotions).execute(conn)?;
    Ok(())
}

struct MemberUses<'a>(&'a Asked);

impl QueryFragment<Pg> for MemberUses<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        // What the same person used under an account that was merged counts too.
        call!(out, "select a.member_id, u.promotion, u.day, sum(u.uses)::bigint \
            from (select n.member_id, n.promotion, min(n.day) as day from unnest(",
            Array<UuidType> => &self.0.0,
            Array<Text> => &self.0.1,
            Array<Date> => &self.0.2,
        )?;
        out.push_sql(
            " as n(member_id, promotion, day) group by 1, 2) a join promotion_member_usage u \
             on u.member_id in (select who_were(array[a.member_id])) and u.promotion = a.promotion and u.day >= a.day \
             group by a.member_id, u.promotion, u.day",
        );
        Ok(())
    }
}

struct Lock<'a>(&'a [String]);

impl QueryFragment<Pg> for Lock<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        call!(out, "select lock_promotions(", Array<Text> => self.0)
    }
}

/// Stores a batch and counts what it used of promotions, in one statement.
pub(super) struct Counting<'w>(pub(super) &'w Writes);

impl QueryFragment<Pg> for Counting<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(out.reborrow())?;
        let counts = &self.0.promotions;
        call!(out, ", count_promotions(",
            Array<Text> => &counts.promotions,
            Array<BigInt> => &counts.uses,
            Array<BigInt> => &counts.points,
            Array<BigInt> => &counts.money,
            Array<BigInt> => &counts.right_uses.0,
            Array<BigInt> => &counts.right_uses.1,
            Array<BigInt> => &counts.right_points.0,
            Array<BigInt> => &counts.right_points.1,
            Array<BigInt> => &counts.right_money.0,
            Array<BigInt> => &counts.right_money.1,
            Array<UuidType> => &counts.members.0,
            Array<Text> => &counts.members.1,
            Array<Date> => &counts.members.2,
            Array<BigInt> => &counts.member_uses,
        )
    }
}

macro_rules! cached {
    ($($call:ident),*) => {$(
        impl QueryId for $call<'_> {
            type QueryId = $call<'static>;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl RunQueryDsl<PgConnection> for $call<'_> {}
    )*};
}
cached!(MemberUses, Lock, Counting);

impl Query for MemberUses<'_> {
    type SqlType = (UuidType, Text, Date, BigInt);
}
