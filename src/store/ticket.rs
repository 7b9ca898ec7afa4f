//! Tickets for draws: given out and voided with the batch that decides it, and read by their members and by whoever
//! draws.

use diesel::dsl::{count_star, max, min};
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Integer, Text, Timestamptz, Uuid as UuidType};
use tessera_rules::id::MemberId;
use tessera_rules::ticket::{TicketChange, Tickets};
use tessera_rules::time::Instant;
use uuid::Uuid;

use super::batch::call;
use super::db::{Connection, Error};
use super::schema::draw_ticket;

/// What a batch changes of tickets.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    given: Given,
    /// Redemptions whose tickets are void, and from when on.
    voided: (Vec<Uuid>, Vec<Instant>),
}

/// Tickets that are given, as columns.
#[derive(Debug, Clone, Default)]
struct Given {
    rewards: Vec<String>,
    redemptions: Vec<Uuid>,
    members: Vec<Uuid>,
    firsts: Vec<i64>,
    counts: Vec<i32>,
    ats: Vec<Instant>,
}

impl Changes {
    /// Something happens to tickets of a member.
    pub fn changed(&mut self, change: TicketChange, member: MemberId, at: Instant) {
        match change {
            TicketChange::Given { reward, redemption, tickets } => {
                self.given.rewards.push(reward);
                self.given.redemptions.push(redemption.uuid());
                self.given.members.push(member.uuid());
                self.given.firsts.push(tickets.first);
                self.given.counts.push(tickets.count.cast_signed());
                self.given.ats.push(at);
            }
            TicketChange::Voided(redemption) => {
                self.voided.0.push(redemption.uuid());
                self.voided.1.push(at);
            }
        }
    }

    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.given.rewards.is_empty() && self.voided.0.is_empty()
    }

    /// Stores them, in the transaction of their batch and after it; what there is none of costs no statement.
    ///
    /// # Errors
    /// As [`Error`]; [`Error::Serialization`] where tickets were given meanwhile.
    pub fn run(self, conn: &mut PgConnection) -> Result<(), Error> {
        if !self.is_empty() {
            self.execute(conn)?;
        }
        Ok(())
    }
}

impl QueryFragment<Pg> for Changes {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        call!(out, "select store_tickets(",
            Array<Text> => &self.given.rewards,
            Array<UuidType> => &self.given.redemptions,
            Array<UuidType> => &self.given.members,
            Array<BigInt> => &self.given.firsts,
            Array<Integer> => &self.given.counts,
            Array<Timestamptz> => &self.given.ats,
            Array<UuidType> => &self.voided.0,
            Array<Timestamptz> => &self.voided.1,
        )
    }
}

impl QueryId for Changes {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<PgConnection> for Changes {}

/// How many tickets some rewards have given. None is ever deleted: the last number tells.
///
/// # Errors
/// As [`Error`].
pub fn given(conn: &mut Connection, rewards: &[String]) -> Result<Vec<(String, i64)>, Error> {
    let mut found = Vec::with_capacity(rewards.len());
    for reward in rewards {
        let last = draw_ticket::table.filter(draw_ticket::reward.eq(reward)).select(max(draw_ticket::number));
        let last: Option<i64> = last.get_result(conn)?;
        found.push((reward.clone(), last.unwrap_or(0)));
    }
    Ok(found)
}

/// The tickets that some redemptions have, void or not.
///
/// # Errors
/// As [`Error`].
pub fn of(conn: &mut Connection, redemptions: &[Uuid]) -> Result<Vec<(Uuid, Tickets)>, Error> {
    let theirs = draw_ticket::table.filter(draw_ticket::redemption_id.eq_any(redemptions));
    let rows: Vec<(Uuid, Option<i64>, i64)> = theirs
        .group_by(draw_ticket::redemption_id)
        .select((draw_ticket::redemption_id, min(draw_ticket::number), count_star()))
        .load(conn)?;
    let tickets = |(redemption, first, count): (Uuid, Option<i64>, i64)| {
        Some((redemption, Tickets { first: first?, count: u32::try_from(count).ok()? }))
    };
    Ok(rows.into_iter().filter_map(tickets).collect())
}

/// A ticket as people read it.
#[derive(Debug, Clone, QueryableByName)]
pub struct TicketView {
    /// For the draw of which reward.
    #[diesel(sql_type = Text)]
    pub reward: String,
    /// Its number.
    #[diesel(sql_type = BigInt)]
    pub number: i64,
    /// Whose it is now.
    #[diesel(sql_type = UuidType)]
    pub member_id: Uuid,
    /// The redemption it was given for.
    #[diesel(sql_type = UuidType)]
    pub redemption_id: Uuid,
    /// When.
    #[diesel(sql_type = Timestamptz)]
    pub given_at: Instant,
    /// `valid`, `held` as long as its redemption is, or `void`.
    #[diesel(sql_type = Text)]
    pub status: String,
}

/// Tickets of a reward with numbers between two others, the highest first.
///
/// # Errors
/// As [`Error`].
pub fn between(
    conn: &mut Connection,
    reward: &str,
    (after, before): (i64, i64),
    limit: i64,
) -> Result<Vec<TicketView>, Error> {
    let query = "select t.reward, t.number, member_now(t.member_id) as member_id, t.redemption_id, t.given_at, \
         case when t.voided_at is not null then 'void' when r.status = 'held' then 'held' else 'valid' end as status \
         from draw_ticket t join redemption r on r.id = t.redemption_id \
         where t.reward = $1 and t.number > $2 and t.number < $3 order by t.number desc limit $4";
    let query = diesel::sql_query(query).bind::<Text, _>(reward).bind::<BigInt, _>(after).bind::<BigInt, _>(before);
    Ok(query.bind::<BigInt, _>(limit).load(conn)?)
}

/// The tickets of a member and of those who were merged into him, newest first, before one that a redemption and
/// a number name. Those on hold are not his yet.
///
/// # Errors
/// As [`Error`].
pub fn of_member(
    conn: &mut Connection,
    member: MemberId,
    before: Option<(Uuid, i64)>,
    limit: i64,
) -> Result<Vec<TicketView>, Error> {
    let query = "with recursive mine(id) as ( \
             select $1 union select s.member_id from mine m join standing s on (s.ties).root = m.id \
             where (s.ties).kind = 'merged') \
         select t.reward, t.number, $1 as member_id, t.redemption_id, t.given_at, \
         case when t.voided_at is null then 'valid' else 'void' end as status \
         from mine m join draw_ticket t on t.member_id = m.id join redemption r on r.id = t.redemption_id \
         where r.status <> 'held' and (t.redemption_id, t.number) < ($2, $3) \
         order by t.redemption_id desc, t.number desc limit $4";
    let (redemption, number) = before.unwrap_or((Uuid::max(), i64::MAX));
    let query = diesel::sql_query(query).bind::<UuidType, _>(member.uuid()).bind::<UuidType, _>(redemption);
    Ok(query.bind::<BigInt, _>(number).bind::<BigInt, _>(limit).load(conn)?)
}

/// A ticket that does not fit the rest.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Astray {
    /// The reward.
    #[diesel(sql_type = Text)]
    pub reward: String,
    /// Its number.
    #[diesel(sql_type = BigInt)]
    pub number: i64,
    /// What is wrong.
    #[diesel(sql_type = Text)]
    pub what: String,
}

/// The first ticket that is not of its redemption or does not stand as it does; and the last one of a reward whose
/// numbers are not 1, 2, 3 ….
///
/// # Errors
/// As [`Error`].
pub fn astray(conn: &mut Connection) -> Result<Option<Astray>, Error> {
    let query = "select * from (
        select reward, max(number) as number, 'there are ' || count(*) || ' up to its number' as what
        from draw_ticket group by reward having max(number) <> count(*)
        union all
        select t.reward, t.number, case
                when r.id is null then 'its redemption does not exist'
                when (r.reward, r.member_id, r.recorded_at) is distinct from (t.reward, t.member_id, t.given_at)
                    then 'it was not given for its redemption'
                when (t.voided_at is null) = (r.status = 'voided') then 'it does not stand as its redemption does'
            end
        from draw_ticket t left join redemption r on r.id = t.redemption_id
    ) found where what is not null order by reward, number limit 1";
    Ok(diesel::sql_query(query).get_result(conn).optional()?)
}
