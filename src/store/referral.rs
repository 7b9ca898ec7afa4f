//! Referrals: who brought whom. Written with the enrolment and with the batch that completes or rewards one, and read
//! by whoever decides, shows or verifies them.

use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Nullable, Timestamptz, Uuid as UuidType};
use tessera_rules::id::{MemberId, PurchaseId};
use tessera_rules::time::Instant;
use uuid::Uuid;

use super::batch::call;
use super::db::{Connection, Error};
use super::schema::referral;

/// Of whom a batch needs to know what.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Those whose referral may be completed.
    pub open: Vec<Uuid>,
    /// Those who are thanked for what is due to them.
    pub due: Vec<Uuid>,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Members whose referral is open, and their referrers as they are now.
    pub open: Vec<(Uuid, Uuid)>,
    /// Referrers, how many they were thanked for, for whom they are to be thanked and since when.
    pub due: Vec<(Uuid, i64, Uuid, Instant)>,
}

impl Asked {
    /// Looks what was asked for; what was not costs no statement.
    ///
    /// # Errors
    /// As [`Error`].
    pub fn run(&self, conn: &mut PgConnection) -> Result<Found, Error> {
        Ok(Found {
            open: open(conn, &self.open)?,
            due: if self.due.is_empty() { Vec::new() } else { Due(&self.due).load(conn)? },
        })
    }
}

/// Whose referrals of these are open, and the referrers as they are now.
///
/// # Errors
/// As [`Error`].
pub fn open(conn: &mut PgConnection, members: &[Uuid]) -> Result<Vec<(Uuid, Uuid)>, Error> {
    if members.is_empty() {
        return Ok(Vec::new());
    }
    Ok(Open(members).load(conn)?)
}

struct Open<'m>(&'m [Uuid]);

impl QueryFragment<Pg> for Open<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        call!(out, "select * from open_referrals(", Array<UuidType> => self.0)
    }
}

impl QueryId for Open<'_> {
    type QueryId = Open<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for Open<'_> {
    type SqlType = (UuidType, UuidType);
}

impl RunQueryDsl<PgConnection> for Open<'_> {}

struct Due<'m>(&'m [Uuid]);

impl QueryFragment<Pg> for Due<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        call!(out, "select * from due_referrals(", Array<UuidType> => self.0)
    }
}

impl QueryId for Due<'_> {
    type QueryId = Due<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for Due<'_> {
    type SqlType = (UuidType, BigInt, UuidType, Timestamptz);
}

impl RunQueryDsl<PgConnection> for Due<'_> {}

/// What a batch changes of referrals, as columns.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    completed: (Vec<Uuid>, Vec<Uuid>, Vec<Instant>),
    rewarded: (Vec<Uuid>, Vec<Uuid>, Vec<i64>, Vec<Instant>),
}

impl Changes {
    /// The referral of a member is completed by a purchase of an instant.
    pub fn completed(&mut self, member: MemberId, purchase: PurchaseId, at: Instant) {
        self.completed.0.push(member.uuid());
        self.completed.1.push(purchase.uuid());
        self.completed.2.push(at);
    }

    /// A referrer is thanked for the referral of a member, his `number`-th.
    pub fn rewarded(&mut self, member: MemberId, (referrer, number): (MemberId, i64), at: Instant) {
        self.rewarded.0.push(member.uuid());
        self.rewarded.1.push(referrer.uuid());
        self.rewarded.2.push(number);
        self.rewarded.3.push(at);
    }

    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.completed.0.is_empty() && self.rewarded.0.is_empty()
    }

    /// Stores them, in the transaction of their batch and after it; what there is none of costs no statement.
    ///
    /// # Errors
    /// As [`Error`]; [`Error::Serialization`] where one was completed or rewarded meanwhile.
    pub fn run(self, conn: &mut PgConnection) -> Result<(), Error> {
        if !self.is_empty() {
            self.execute(conn)?;
        }
        Ok(())
    }
}

impl QueryFragment<Pg> for Changes {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        call!(out, "select store_referrals(",
            Array<UuidType> => &self.completed.0,
            Array<UuidType> => &self.completed.1,
            Array<Timestamptz> => &self.completed.2,
            Array<UuidType> => &self.rewarded.0,
            Array<UuidType> => &self.rewarded.1,
            Array<BigInt> => &self.rewarded.2,
            Array<Timestamptz> => &self.rewarded.3,
        )
    }
}

impl QueryId for Changes {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<PgConnection> for Changes {}

/// Notes with the enrolment of a member who referred him.
///
/// # Errors
/// As [`Error`].
pub fn insert(conn: &mut Connection, member: Uuid, referrer: MemberId, at: Instant) -> Result<(), Error> {
    let row = (referral::member_id.eq(member), referral::referrer_id.eq(referrer.uuid()), referral::at.eq(at));
    diesel::insert_into(referral::table).values(row).execute(conn)?;
    Ok(())
}

/// Those who are to be thanked for a referral that is completed, but for who is frozen.
///
/// # Errors
/// As [`Error`].
pub fn due(conn: &mut Connection) -> Result<Vec<Uuid>, Error> {
    #[derive(QueryableByName)]
    struct Referrer {
        #[diesel(sql_type = UuidType)]
        id: Uuid,
    }
    let found: Vec<Referrer> = diesel::sql_query(
        "select s.member_id as id from (select distinct member_now(referrer_id) as id from referral \
             where completed_at is not null and rewarded_at is null) d \
         join standing s on s.member_id = d.id where not s.frozen",
    )
    .load(conn)?;
    Ok(found.into_iter().map(|referrer| referrer.id).collect())
}

/// A referral as people read it.
#[derive(Debug, Clone, QueryableByName)]
pub struct ReferralView {
    /// Who was referred.
    #[diesel(sql_type = UuidType)]
    pub member_id: Uuid,
    /// The referrer as he is now.
    #[diesel(sql_type = UuidType)]
    pub referrer_id: Uuid,
    /// When the member enrolled.
    #[diesel(sql_type = Timestamptz)]
    pub at: Instant,
    /// The purchase that completed it.
    #[diesel(sql_type = Nullable<UuidType>)]
    pub purchase_id: Option<Uuid>,
    /// When that happened.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub completed_at: Option<Instant>,
    /// When the referrer was thanked.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub rewarded_at: Option<Instant>,
}

/// Those whom a member and the accounts that were merged into him referred, newest first, before one of them.
///
/// # Errors
/// As [`Error`].
pub fn by(
    conn: &mut Connection,
    referrer: MemberId,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<ReferralView>, Error> {
    let query = "select r.member_id, $1 as referrer_id, r.at, r.purchase_id, r.completed_at, r.rewarded_at \
         from merged_into($1) as own(id) join referral r on r.referrer_id = own.id \
         where r.member_id < $2 order by r.member_id desc limit $3";
    let query = diesel::sql_query(query).bind::<UuidType, _>(referrer.uuid());
    Ok(query.bind::<UuidType, _>(before.unwrap_or(Uuid::max())).bind::<BigInt, _>(limit).load(conn)?)
}

/// How a member was referred, if he was.
///
/// # Errors
/// As [`Error`].
pub fn of(conn: &mut Connection, member: MemberId) -> Result<Option<ReferralView>, Error> {
    let query = "select member_id, member_now(referrer_id) as referrer_id, at, purchase_id, completed_at, rewarded_at \
         from referral where member_id = $1";
    Ok(diesel::sql_query(query).bind::<UuidType, _>(member.uuid()).get_result(conn).optional()?)
}

/// The first referral, by the member who was referred, that does not fit the rest, and what is wrong: it is of members
/// who are there, from the enrolment on; its purchase is the member's and of its time; the referrers' are numbered without
/// a gap; what promotions granted for a referral has one.
///
/// # Errors
/// As [`Error`].
pub fn astray(conn: &mut Connection, first_number: i32) -> Result<Option<(Uuid, String)>, Error> {
    #[derive(QueryableByName)]
    struct Wrong {
        #[diesel(sql_type = UuidType)]
        member_id: Uuid,
        #[diesel(sql_type = diesel::sql_types::Text)]
        what: String,
    }
    let found = diesel::sql_query(
        "select * from ( \
             select r.member_id, 'it is not of two members, or not of the enrolment' as what from referral r \
             left join standing m on m.member_id = r.member_id left join standing f on f.member_id = r.referrer_id \
             where m.enrolled_at is distinct from r.at or f.enrolled_at is null \
             union all \
             select r.member_id, 'its purchase is not the member''s, or of another time' from referral r \
             where r.purchase_id is not null and not exists (select from purchase p \
                 where p.id = r.purchase_id and p.member_id = r.member_id and p.occurred_at = r.completed_at) \
             union all \
             select min(r.member_id::text)::uuid, 'the rewards of ' || r.rewarded_id || ' are not numbered 1 to ' || count(*) \
             from referral r where r.rewarded_id is not null group by r.rewarded_id having max(r.number) <> count(*) \
             union all \
             select g.member_id, g.perk || ' was granted for a referral that is not on record' from perk_grant g \
             where g.occasion > $1 and not exists (select from referral r \
                 where r.rewarded_id = g.member_id and r.number = g.occasion - $1 and r.rewarded_at = g.granted_at) \
             or g.occasion = $1 and not exists (select from referral r \
                 where r.member_id = g.member_id and r.purchase_id is not null) \
         ) w order by 1, 2 limit 1",
    );
    let found = found.bind::<diesel::sql_types::Integer, _>(first_number).get_result::<Wrong>(conn).optional()?;
    Ok(found.map(|wrong| (wrong.member_id, wrong.what)))
}
