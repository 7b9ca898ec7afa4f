//! Tags of members: read beside a batch that asks for them, and written with the batch that changes them.

use chrono::{DateTime, Utc};
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as UuidType};
use tessera_rules::command::Actor;
use tessera_rules::id::MemberId;
use tessera_rules::tag::{TagChange, TagStep};
use tessera_rules::time::Instant;
use uuid::Uuid;

use super::batch::call;
use super::db::{Connection, Error};
use super::schema::{member_tag, member_tag_change};

/// A tag that was put on a member or taken off.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = member_tag_change)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct TagChangeRow {
    pub seq: i64,
    pub member_id: Uuid,
    pub tag: String,
    pub at: Instant,
    pub held: bool,
    pub until: Option<Instant>,
    pub cause: String,
    pub promotion: Option<String>,
    pub actor_role: String,
    pub actor_id: Option<Uuid>,
}

/// The changes from which the tags of members follow at every instant from one on.
struct Find<'f>(&'f [Uuid], DateTime<Utc>);

impl QueryFragment<Pg> for Find<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        call!(out, "select * from load_tags(", Array<UuidType> => self.0, Timestamptz => &self.1)
    }
}

impl QueryId for Find<'_> {
    type QueryId = Find<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for Find<'_> {
    type SqlType = (
        BigInt,
        UuidType,
        Text,
        Timestamptz,
        Bool,
        Nullable<Timestamptz>,
        Text,
        Nullable<Text>,
        Text,
        Nullable<UuidType>,
    );
}

impl RunQueryDsl<PgConnection> for Find<'_> {}

/// The changes from which the tags of members follow at every instant from `since` on, in order; nothing is
/// asked for nobody.
///
/// # Errors
/// As [`Error`].
pub fn changes(conn: &mut Connection, members: &[Uuid], since: Instant) -> Result<Vec<TagChangeRow>, Error> {
    if members.is_empty() {
        return Ok(Vec::new());
    }
    Ok(Find(members, since).load(conn)?)
}

/// Changes of tags that a batch brings, in order; each list is read beside the others.
#[derive(Debug, Clone, Default)]
pub struct TagWrites {
    members: Vec<Uuid>,
    tags: Vec<String>,
    ats: Vec<Instant>,
    held: Vec<bool>,
    untils: Vec<Option<Instant>>,
    causes: Vec<String>,
    promotions: Vec<Option<String>>,
    roles: Vec<String>,
    actors: Vec<Option<Uuid>>,
}

impl TagWrites {
    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// A tag of a member is changed.
    pub fn changed(&mut self, member: MemberId, change: TagChange, actor: Actor) {
        let (held, until) = match change.step {
            TagStep::Put { until } => (true, until),
            TagStep::TakeOff => (false, None),
        };
        self.members.push(member.uuid());
        self.tags.push(change.tag.into());
        self.ats.push(change.at);
        self.held.push(held);
        self.untils.push(until);
        self.causes.push(change.cause.as_str().to_owned());
        self.promotions.push(change.cause.promotion().map(str::to_owned));
        self.roles.push(actor.role.as_str().to_owned());
        self.actors.push(actor.id);
    }
}

impl QueryFragment<Pg> for TagWrites {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        call!(out, "select store_tags(",
            Array<UuidType> => &self.members,
            Array<Text> => &self.tags,
            Array<Timestamptz> => &self.ats,
            Array<Bool> => &self.held,
            Array<Nullable<Timestamptz>> => &self.untils,
            Array<Text> => &self.causes,
            Array<Nullable<Text>> => &self.promotions,
            Array<Text> => &self.roles,
            Array<Nullable<UuidType>> => &self.actors,
        )
    }
}

impl QueryId for TagWrites {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<PgConnection> for TagWrites {}

/// A tag that a member has.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = member_tag)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct MemberTagRow {
    pub tag: String,
    pub since: Instant,
    pub until: Option<Instant>,
}

/// The tags a member has at an instant that is not past, in alphabetical order.
///
/// # Errors
/// As [`Error`].
pub fn of_member(conn: &mut Connection, member: MemberId, at: Instant) -> Result<Vec<MemberTagRow>, Error> {
    let lasts = member_tag::until.is_null().or(member_tag::until.gt(at).assume_not_null());
    Ok(member_tag::table
        .filter(member_tag::member_id.eq(member.uuid()).and(lasts))
        .order(member_tag::tag)
        .select(MemberTagRow::as_select())
        .load(conn)?)
}

/// How a member's tags were changed, newest first, before a number.
///
/// # Errors
/// As [`Error`].
pub fn history(
    conn: &mut Connection,
    member: MemberId,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<TagChangeRow>, Error> {
    let earlier = member_tag_change::seq.lt(before.unwrap_or(i64::MAX));
    Ok(member_tag_change::table
        .filter(member_tag_change::member_id.eq(member.uuid()).and(earlier))
        .order(member_tag_change::seq.desc())
        .limit(limit)
        .select(TagChangeRow::as_select())
        .load(conn)?)
}

/// A member whose tags are not what their changes say.
#[derive(Debug, Clone, QueryableByName)]
pub struct Astray {
    /// Whose.
    #[diesel(sql_type = UuidType)]
    pub member_id: Uuid,
    /// Which tag.
    #[diesel(sql_type = Text)]
    pub tag: String,
    /// What is wrong.
    #[diesel(sql_type = Text)]
    pub what: String,
}

/// The first tag, if any, that is not what its last change says, or whose changes cannot be.
///
/// # Errors
/// As [`Error`].
pub fn astray(conn: &mut Connection) -> Result<Option<Astray>, Error> {
    const WRONG: &str = "
        with last as (
            select distinct on (member_id, tag) * from member_tag_change order by member_id, tag, seq desc
        ), wrong as (
            select coalesce(t.member_id, l.member_id) as member_id, coalesce(t.tag, l.tag) as tag,
                'it is not what its last change says' as what
            from member_tag t full join (select * from last where held) l
                on l.member_id = t.member_id and l.tag = t.tag
            where (t.since, t.until) is distinct from (l.at, l.until)
            union all
            select member_id, tag, 'its changes are not in the order of time' from (
                select member_id, tag, at, lag(at) over (partition by member_id, tag order by seq) as before
                from member_tag_change
            ) c where at < before
            union all
            select c.member_id, c.tag, 'there is no such member' from member_tag_change c
            left join standing s on s.member_id = c.member_id where s.member_id is null
        )
        select * from wrong order by member_id, tag limit 1";
    Ok(diesel::sql_query(WRONG).get_result(conn).optional()?)
}
