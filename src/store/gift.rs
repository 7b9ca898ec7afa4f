//! What promotions and perks give beside points, and what they wait for: coupons that are issued with a decision,
//! messages, events. Written with the batch that decides it, and read by whoever verifies or shows it.

use diesel::dsl::max;
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{Array, Text as TextType, Timestamptz, Uuid as UuidType};
use tessera_rules::id::MemberId;
use tessera_rules::text::Text;
use tessera_rules::time::Instant;
use uuid::Uuid;

use super::batch::call;
use super::db::Error;
use super::rows::{
    GivenCouponRow, GivenCouponType, GivenIssueRow, GivenIssueType, MemberEventRow, MemberEventType, MessageRow,
    MessageType,
};
use super::schema::{member_event, message};
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
    /// Purchases and redemptions, who gave coupons with them that are taken back, and when.
    pub revoked: (Vec<Uuid>, Vec<String>, Vec<Instant>),
}

impl GiftWrites {
    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.issues.is_empty() && self.messages.is_empty() && self.revoked.0.is_empty()
    }

    /// Stores it, in the transaction of its batch and after it; what there is none of costs no statement.
    ///
    /// # Errors
    /// As [`Error`].
    pub fn run(self, conn: &mut PgConnection) -> Result<(), Error> {
        if !self.is_empty() {
            self.execute(conn)?;
        }
        Ok(())
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
            Array<TextType> => &self.revoked.1,
            Array<Timestamptz> => &self.revoked.2,
        )
    }
}

impl QueryId for GiftWrites {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<PgConnection> for GiftWrites {}

/// A message as it is on record.
#[derive(Debug, Clone)]
pub struct MessageView {
    /// Who sends it: a perk, or `promotion:` and a promotion.
    pub given_by: String,
    /// When.
    pub at: Instant,
    /// What it says.
    pub text: Text,
}

/// The latest hundred messages of a member, newest first.
///
/// # Errors
/// As [`Error`].
pub fn messages(conn: &mut PgConnection, of: MemberId) -> Result<Vec<MessageView>, Error> {
    let theirs = message::table.filter(message::member_id.eq(of.uuid())).order(message::id.desc()).limit(100);
    let rows: Vec<(String, Instant, serde_json::Value)> =
        theirs.select((message::given_by, message::at, message::text)).load(conn)?;
    let view = |(given_by, at, text)| {
        let text = serde_json::from_value(text).map_err(|error| Error::Internal(error.to_string()))?;
        Ok(MessageView { given_by, at, text })
    };
    rows.into_iter().map(view).collect()
}

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
