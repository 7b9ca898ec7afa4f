//! Issued coupons and what they were used in. The write path counts uses: it locks coupons after members and
//! rewards, and what was used of their types where that is limited, loads them beside the batch and stores its uses in
//! the batch's transaction.

use std::collections::BTreeSet;

use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as UuidType};
use serde::Serialize;
use tessera_rules::command::Actor;
use tessera_rules::coupon::{Coupon, CouponUsage, CouponsUsed};
use tessera_rules::decision::CouponUse;
use tessera_rules::id::{IssueId, MemberId, PurchaseId, QuoteId};
use tessera_rules::time::Instant;
use uuid::Uuid;

use super::batch::call;
use super::db::{Connection, Error};
use super::schema::{coupon, coupon_issue, coupon_type_usage};

/// A coupon as the write path and the counters ask for it, with the member that its owner is now.
#[derive(Debug, Clone, Queryable)]
pub struct CouponRow {
    /// Its code.
    pub code: String,
    /// Code of its type.
    pub of: String,
    /// Whose it is.
    pub owner: Option<Uuid>,
    /// The first instant at which it may be used.
    pub valid_from: Instant,
    /// The first instant at which it may no longer be used.
    pub valid_until: Option<Instant>,
    /// In how many purchases it may be used.
    pub uses: i32,
    /// In how many it was used.
    pub used: i32,
    /// Whether it was taken back.
    pub revoked: bool,
}

impl From<CouponRow> for Coupon {
    fn from(row: CouponRow) -> Self {
        Self {
            code: row.code,
            of: row.of,
            owner: row.owner.map(MemberId::new),
            from: row.valid_from,
            until: row.valid_until,
            uses: row.uses.unsigned_abs(),
            used: row.used.unsigned_abs(),
            revoked: row.revoked,
        }
    }
}

/// Locks coupons in code order, with them those used in purchases, then quotes in id order.
pub(super) struct Lock<'l> {
    pub(super) codes: &'l [String],
    pub(super) sales: &'l [Uuid],
    pub(super) quotes: &'l [Uuid],
}

impl QueryFragment<Pg> for Lock<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        call!(out, "select lock_coupons(",
            Array<Text> => self.codes,
            Array<UuidType> => self.sales,
            Array<UuidType> => self.quotes,
        )
    }
}

impl QueryId for Lock<'_> {
    type QueryId = Lock<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<PgConnection> for Lock<'_> {}

/// Locks what was used of those types, which have limits, that coupons are of; in code order, after the coupons.
pub(super) struct LockTypes<'l> {
    pub(super) codes: &'l [String],
    pub(super) limited: &'l [String],
}

impl QueryFragment<Pg> for LockTypes<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        call!(out, "select lock_coupon_types(", Array<Text> => self.codes, Array<Text> => self.limited)
    }
}

impl QueryId for LockTypes<'_> {
    type QueryId = LockTypes<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<PgConnection> for LockTypes<'_> {}

/// What was used of all coupons of a type: its code, uses, and what they took off in minor units.
pub type Used = (String, i64, i64);

/// What was used of those types, which have limits, that coupons are of; asked only where there are some. What nobody
/// has used is not there.
///
/// # Errors
/// As [`Error`].
pub(super) fn used(conn: &mut PgConnection, coupons: &[CouponRow], limited: &[String]) -> Result<Vec<Used>, Error> {
    let types: BTreeSet<&String> = coupons.iter().map(|row| &row.of).filter(|of| limited.contains(of)).collect();
    if types.is_empty() {
        return Ok(Vec::new());
    }
    // An array as one argument: a cached statement, however many they are.
    let types: Vec<&String> = types.into_iter().collect();
    Ok(coupon_type_usage::table.filter(coupon_type_usage::type_.eq_any(types)).load(conn)?)
}

/// Coupons by code, and those of members that can be used at an instant.
struct Find<'f> {
    codes: &'f [String],
    members: &'f [Uuid],
    at: Instant,
}

impl QueryFragment<Pg> for Find<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        call!(out, "select * from load_coupons(",
            Array<Text> => self.codes,
            Array<UuidType> => self.members,
            Timestamptz => &self.at,
        )
    }
}

impl QueryId for Find<'_> {
    type QueryId = Find<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for Find<'_> {
    type SqlType = (Text, Text, Nullable<UuidType>, Timestamptz, Nullable<Timestamptz>, Integer, Integer, Bool);
}

impl RunQueryDsl<PgConnection> for Find<'_> {}

/// Coupons by code, and those of members that can be used at an instant.
///
/// # Errors
/// As [`Error`].
pub fn find(conn: &mut Connection, codes: &[String], members: &[Uuid], at: Instant) -> Result<Vec<CouponRow>, Error> {
    Ok(Find { codes, members, at }.load(conn)?)
}

/// What was used of all coupons of every type, by code; what nobody has used is not there.
///
/// # Errors
/// As [`Error`].
pub fn used_of_types(conn: &mut Connection) -> Result<CouponsUsed, Error> {
    let rows: Vec<Used> = coupon_type_usage::table.load(conn)?;
    Ok(rows.into_iter().map(|(of, uses, money)| (of, CouponUsage { uses, money })).collect())
}

/// What a batch does to coupons and quotes; each list is read beside those that follow it.
#[derive(Debug, Clone, Default)]
pub struct CouponWrites {
    /// Coupons that are used …
    codes: Vec<String>,
    /// … in these purchases …
    purchases: Vec<Uuid>,
    /// … and take off so many minor units …
    amounts: Vec<i64>,
    /// … at these times.
    ats: Vec<Instant>,
    /// Coupons of which a use is given back …
    back_codes: Vec<String>,
    /// … that of these purchases …
    back_purchases: Vec<Uuid>,
    /// … at these times.
    back_ats: Vec<Instant>,
    /// Quotes …
    quotes: Vec<Uuid>,
    /// … of which these purchases are made.
    quote_purchases: Vec<Uuid>,
}

impl CouponWrites {
    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty() && self.back_codes.is_empty() && self.quotes.is_empty()
    }

    /// Stores it, in the transaction of its batch and after it; what there is none of costs no statement.
    ///
    /// # Errors
    /// As [`Error`]; [`Error::Serialization`] where a use was given back meanwhile, or a quote used.
    pub fn run(self, conn: &mut PgConnection) -> Result<(), Error> {
        if !self.is_empty() {
            self.execute(conn)?;
        }
        Ok(())
    }

    /// A coupon is used.
    pub fn used(&mut self, used: CouponUse, at: Instant) {
        let CouponUse { code, purchase, amount, .. } = used;
        self.codes.push(code);
        self.purchases.push(purchase.uuid());
        self.amounts.push(amount.get());
        self.ats.push(at);
    }

    /// A use is given back.
    pub fn given_back(&mut self, used: CouponUse, at: Instant) {
        self.back_codes.push(used.code);
        self.back_purchases.push(used.purchase.uuid());
        self.back_ats.push(at);
    }

    /// A purchase is made of a quote.
    pub fn made_of(&mut self, quote: QuoteId, purchase: PurchaseId) {
        self.quotes.push(quote.uuid());
        self.quote_purchases.push(purchase.uuid());
    }
}

impl QueryFragment<Pg> for CouponWrites {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        call!(out, "select store_coupons(",
            Array<Text> => &self.codes,
            Array<UuidType> => &self.purchases,
            Array<BigInt> => &self.amounts,
            Array<Timestamptz> => &self.ats,
            Array<Text> => &self.back_codes,
            Array<UuidType> => &self.back_purchases,
            Array<Timestamptz> => &self.back_ats,
            Array<UuidType> => &self.quotes,
            Array<UuidType> => &self.quote_purchases,
        )
    }
}

impl QueryId for CouponWrites {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<PgConnection> for CouponWrites {}

/// How coupons come about.
#[derive(Debug, Clone)]
pub struct NewIssue {
    /// A fresh id.
    pub id: IssueId,
    /// Code of the type.
    pub of: String,
    /// For whom; `None`: for whoever shows them.
    pub member: Option<MemberId>,
    /// When.
    pub at: Instant,
    /// By whom.
    pub actor: Actor,
    /// The request it came with: its key, and SHA-256 of what it said.
    pub request: Option<(String, [u8; 32])>,
}

/// An issue as it is on record.
#[derive(Debug, Clone, Queryable)]
pub struct IssueRow {
    /// Its id.
    pub id: Uuid,
    /// When.
    pub issued_at: Instant,
    /// SHA-256 of the request.
    pub fingerprint: Option<Vec<u8>>,
}

/// Issues coupons in the caller's transaction: 1 to 1,000 of one type.
///
/// # Errors
/// [`Error::Conflict`] on `coupon_issue_key_key`: the key was used; on `coupon_issue_member_fkey`: there is no such
/// member.
pub fn issue(conn: &mut Connection, new: &NewIssue, coupons: &[Coupon]) -> Result<(), Error> {
    use coupon_issue::{actor_id, actor_role, count, fingerprint, id, issued_at, key, member_id, table, type_};
    let (request_key, request) = new.request.as_ref().map(|(named, print)| (named, print.as_slice())).unzip();
    diesel::insert_into(table)
        .values((
            id.eq(new.id.uuid()),
            type_.eq(&new.of),
            member_id.eq(new.member.map(MemberId::uuid)),
            count.eq(i32::try_from(coupons.len()).unwrap_or(i32::MAX)),
            issued_at.eq(new.at),
            actor_role.eq(new.actor.role.as_str()),
            actor_id.eq(new.actor.id),
            key.eq(request_key),
            fingerprint.eq(request),
        ))
        .execute(conn)?;
    let row = |one: &Coupon| {
        (
            coupon::code.eq(one.code.clone()),
            coupon::type_.eq(one.of.clone()),
            coupon::issue_id.eq(new.id.uuid()),
            coupon::owner.eq(one.owner.map(MemberId::uuid)),
            coupon::valid_from.eq(one.from),
            coupon::valid_until.eq(one.until),
            coupon::uses.eq(one.uses.cast_signed()),
        )
    };
    diesel::insert_into(coupon::table).values(coupons.iter().map(row).collect::<Vec<_>>()).execute(conn)?;
    Ok(())
}

/// What a person issued under a key.
///
/// # Errors
/// As [`Error`].
pub fn issued_under(conn: &mut Connection, person: Uuid, key: &str) -> Result<Option<IssueRow>, Error> {
    let asked = coupon_issue::actor_id.eq(person).and(coupon_issue::key.eq(key));
    let columns = (coupon_issue::id, coupon_issue::issued_at, coupon_issue::fingerprint);
    Ok(coupon_issue::table.filter(asked).select(columns).first(conn).optional()?)
}

/// An issued coupon with how it came about.
#[derive(Debug, Clone, Queryable, Serialize)]
pub struct IssuedRow {
    /// Its code.
    pub code: String,
    /// Code of its type.
    pub of: String,
    /// How it came about.
    pub issue_id: Uuid,
    /// Whom it was issued to.
    pub owner: Option<Uuid>,
    /// When.
    pub issued_at: Instant,
    /// The first instant at which it may be used.
    pub valid_from: Instant,
    /// The first instant at which it may no longer be used.
    pub valid_until: Option<Instant>,
    /// In how many purchases it may be used.
    pub uses: i32,
    /// In how many it was used.
    pub used: i32,
    /// When staff took it back.
    pub revoked_at: Option<Instant>,
}

impl IssuedRow {
    /// As the rules know it.
    pub fn coupon(&self) -> Coupon {
        Coupon {
            code: self.code.clone(),
            of: self.of.clone(),
            owner: self.owner.map(MemberId::new),
            from: self.valid_from,
            until: self.valid_until,
            uses: self.uses.unsigned_abs(),
            used: self.used.unsigned_abs(),
            revoked: self.revoked_at.is_some(),
        }
    }
}

/// Reads issued coupons with their issue.
macro_rules! issued {
    () => {
        coupon::table.inner_join(coupon_issue::table).select((
            coupon::code,
            coupon::type_,
            coupon::issue_id,
            coupon::owner,
            coupon_issue::issued_at,
            coupon::valid_from,
            coupon::valid_until,
            coupon::uses,
            coupon::used,
            coupon::revoked_at,
        ))
    };
}

/// The coupons of one issue, by code.
///
/// # Errors
/// As [`Error`].
pub fn of_issue(conn: &mut Connection, id: Uuid) -> Result<Vec<IssuedRow>, Error> {
    Ok(issued!().filter(coupon::issue_id.eq(id)).order(coupon::code).load(conn)?)
}

/// Coupons of a type, the newest issue first, before `before`; of one owner and with one code where given.
///
/// # Errors
/// As [`Error`].
pub fn of_type(
    conn: &mut Connection,
    of: &str,
    owner: Option<MemberId>,
    code: Option<&str>,
    before: Option<(Uuid, String)>,
    limit: i64,
) -> Result<Vec<IssuedRow>, Error> {
    let mut rows = issued!().filter(coupon::type_.eq(of)).into_boxed();
    if let Some(owner) = owner {
        rows = rows.filter(coupon::owner.eq(owner.uuid()));
    }
    if let Some(code) = code {
        rows = rows.filter(coupon::code.eq(code.to_owned()));
    }
    if let Some((issue, code)) = before {
        let same_issue = coupon::issue_id.eq(issue).and(coupon::code.lt(code));
        rows = rows.filter(coupon::issue_id.lt(issue).or(same_issue));
    }
    Ok(rows.order((coupon::issue_id.desc(), coupon::code.desc())).limit(limit).load(conn)?)
}

/// A coupon by its code.
///
/// # Errors
/// As [`Error`].
pub fn by_code(conn: &mut Connection, code: &str) -> Result<Option<IssuedRow>, Error> {
    Ok(issued!().filter(coupon::code.eq(code)).first(conn).optional()?)
}

/// The newest coupons of some accounts: those of one person.
///
/// # Errors
/// As [`Error`].
pub fn of_owner(conn: &mut Connection, member: MemberId, limit: i64) -> Result<Vec<IssuedRow>, Error> {
    let his = diesel::dsl::sql::<Bool>("coupon.owner in (select who_were(array[")
        .bind::<UuidType, _>(member.uuid())
        .sql("]))");
    Ok(issued!().filter(his).order((coupon::issue_id.desc(), coupon::code)).limit(limit).load(conn)?)
}

/// The coupons of a member, whichever of his accounts they were issued to, that can be used from some time between two
/// instants on.
///
/// # Errors
/// As [`Error`].
pub fn coming(conn: &mut Connection, member: MemberId, after: Instant, by: Instant) -> Result<Vec<Coupon>, Error> {
    let his = diesel::dsl::sql::<Bool>("coupon.owner in (select who_were(array[")
        .bind::<UuidType, _>(member.uuid())
        .sql("]))");
    let open = coupon::revoked_at.is_null().and(coupon::valid_from.gt(after)).and(coupon::valid_from.le(by));
    let rows: Vec<IssuedRow> = issued!().filter(his).filter(open).order(coupon::valid_from).limit(50).load(conn)?;
    Ok(rows.iter().map(IssuedRow::coupon).collect())
}

/// Takes a coupon back; says whether it was not yet.
///
/// # Errors
/// As [`Error`].
pub fn revoke(conn: &mut Connection, code: &str, at: Instant) -> Result<bool, Error> {
    let open = coupon::table.filter(coupon::code.eq(code).and(coupon::revoked_at.is_null()));
    Ok(diesel::update(open).set(coupon::revoked_at.eq(at)).execute(conn)? == 1)
}
