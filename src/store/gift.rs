//! What promotions and perks give beside points, and what they wait for: coupons that are issued with a decision,
//! messages, events. Written with the batch that decides it, and read by whoever verifies or shows it.

use diesel::dsl::max;
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{Array, Text, Timestamptz, Uuid as UuidType};
use tessera_rules::time::Instant;
use uuid::Uuid;

use super::batch::call;
use super::db::Error;
use super::rows::{
    GivenCouponRow, GivenCouponType, GivenIssueRow, GivenIssueType, MemberEventRow, MemberEventType, MessageRow,
    MessageType,
};
use super::schema::member_event;
use super::wire::Rows;

/// What a batch gives beside points, and what happened to its members.
#[derive(Debug, Clone, Default)]
pub struct GiftWrites {
    /// Events.
    pub events: Vec<MemberEventRow>,
    /// How coupons come about, one issue a coupon.
    pub issues: Vec<GivenIssueRow>,
    /// The coupons.
    pub coupons: Vec<GivenCouponRow>,
    /// Messages.
    pub messages: Vec<MessageRow>,
    /// Purchases, who gave coupons with them that are taken back, and when.
    pub revoked: (Vec<Uuid>, Vec<String>, Vec<Instant>),
}

impl GiftWrites {
    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.issues.is_empty() && self.messages.is_empty() && self.revoked.0.is_empty()
    }
}

impl QueryFragment<Pg> for GiftWrites {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        call!(out, "select store_gifts(",
            Rows<MemberEventType> => &self.events,
            Rows<GivenIssueType> => &self.issues,
            Rows<GivenCouponType> => &self.coupons,
            Rows<MessageType> => &self.messages,
            Array<UuidType> => &self.revoked.0,
            Array<Text> => &self.revoked.1,
            Array<Timestamptz> => &self.revoked.2,
        )
    }
}

impl QueryId for GiftWrites {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<PgConnection> for GiftWrites {}

/// How many events members have on record; who has none is not there.
///
/// # Errors
/// As [`Error`].
pub fn events(conn: &mut PgConnection, members: &[Uuid]) -> Result<Vec<(Uuid, i64)>, Error> {
    if members.is_empty() {
        return Ok(Vec::new());
    }
    let theirs = member_event::table.filter(member_event::member_id.eq_any(members));
    let last = theirs.group_by(member_event::member_id).select((member_event::member_id, max(member_event::number)));
    let rows: Vec<(Uuid, Option<i64>)> = last.load(conn)?;
    Ok(rows.into_iter().filter_map(|(member, last)| Some((member, last?))).collect())
}
