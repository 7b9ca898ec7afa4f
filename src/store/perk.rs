//! Whom an occasion of a perk may concern on a day. Each question is answered from an index and leaves
//! out who has the perk for it already; the rules have the last word.

use diesel::prelude::*;
use diesel::sql_types::{Array, SmallInt, Text, Timestamptz, Uuid as UuidType};
use tessera_rules::id::MemberId;
use tessera_rules::time::Instant;
use uuid::Uuid;

use super::db::{Connection, Error};
use super::schema::{member, redemption};

/// A member's id in an answer.
#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = UuidType)]
    id: Uuid,
}

fn ids(found: Vec<Found>) -> Vec<Uuid> {
    found.into_iter().map(|found| found.id).collect()
}

/// Members born on one of the given (month, day) pairs without a grant of the perk whose window is
/// still open at `at`.
///
/// # Errors
/// As [`Error`].
pub fn born_on(conn: &mut Connection, perk: &str, days: &[(i16, i16)], at: Instant) -> Result<Vec<Uuid>, Error> {
    let (months, days): (Vec<i16>, Vec<i16>) = days.iter().copied().unzip();
    let found = diesel::sql_query(
        "select m.id from unnest($1, $2) as d(month, day) \
         join member m on m.birth_month = d.month and m.birth_day = d.day \
         where not exists (select from perk_grant g \
             where g.member_id = m.id and g.perk = $3 and g.window_until > $4)",
    );
    let found = found.bind::<Array<SmallInt>, _>(months).bind::<Array<SmallInt>, _>(days);
    Ok(ids(found.bind::<Text, _>(perk).bind::<Timestamptz, _>(at).load(conn)?))
}

/// Members who enrolled within one of the given spans, each from its first instant to before its
/// second, without a grant of the perk whose window is still open at `at`.
///
/// # Errors
/// As [`Error`].
pub fn enrolled_within(
    conn: &mut Connection,
    perk: &str,
    spans: &[(Instant, Instant)],
    at: Instant,
) -> Result<Vec<Uuid>, Error> {
    let (from, until): (Vec<Instant>, Vec<Instant>) = spans.iter().copied().unzip();
    let found = diesel::sql_query(
        "select m.id from unnest($1, $2) as s(low, high) \
         join member m on m.enrolled_at >= s.low and m.enrolled_at < s.high \
         where not exists (select from perk_grant g \
             where g.member_id = m.id and g.perk = $3 and g.window_until > $4)",
    );
    let found = found.bind::<Array<Timestamptz>, _>(from).bind::<Array<Timestamptz>, _>(until);
    Ok(ids(found.bind::<Text, _>(perk).bind::<Timestamptz, _>(at).load(conn)?))
}

/// When the first of all members enrolled.
///
/// # Errors
/// As [`Error`].
pub fn first_enrolment(conn: &mut Connection) -> Result<Option<Instant>, Error> {
    Ok(member::table.select(diesel::dsl::min(member::enrolled_at)).first(conn)?)
}

/// Members whose tier changed from `from` to before `until`, without a grant of the perk since.
///
/// # Errors
/// As [`Error`].
pub fn moved_within(conn: &mut Connection, perk: &str, from: Instant, until: Instant) -> Result<Vec<Uuid>, Error> {
    let found = diesel::sql_query(
        "select distinct t.member_id as id from tier_change t where t.at >= $1 and t.at < $2 \
         and not exists (select from perk_grant g \
             where g.member_id = t.member_id and g.perk = $3 and g.granted_at >= t.at)",
    );
    let found = found.bind::<Timestamptz, _>(from).bind::<Timestamptz, _>(until);
    Ok(ids(found.bind::<Text, _>(perk).load(conn)?))
}

/// Members who bought from `from` to before `until` and not since, without a grant of the perk after
/// the last purchase.
///
/// # Errors
/// As [`Error`].
pub fn bought_last_within(
    conn: &mut Connection,
    perk: &str,
    from: Instant,
    until: Instant,
) -> Result<Vec<Uuid>, Error> {
    let found = diesel::sql_query(
        "select distinct p.member_id as id from purchase p join standing s on s.member_id = p.member_id \
         where p.occurred_at >= $1 and p.occurred_at < $2 and (s.clock).purchased_at < $2 \
         and not exists (select from perk_grant g \
             where g.member_id = p.member_id and g.perk = $3 and g.granted_at > (s.clock).purchased_at)",
    );
    let found = found.bind::<Timestamptz, _>(from).bind::<Timestamptz, _>(until);
    Ok(ids(found.bind::<Text, _>(perk).load(conn)?))
}

/// What a member redeemed by grants of perks, unless it was voided: perk, occasion and redemption.
///
/// # Errors
/// As [`Error`].
pub fn used(conn: &mut Connection, of: MemberId) -> Result<Vec<(String, i32, Uuid)>, Error> {
    let by_grant = redemption::member_id.eq(of.uuid()).and(redemption::status.ne("voided"));
    let columns = (redemption::perk.assume_not_null(), redemption::occasion.assume_not_null(), redemption::id);
    Ok(redemption::table.filter(by_grant).filter(redemption::perk.is_not_null()).select(columns).load(conn)?)
}
