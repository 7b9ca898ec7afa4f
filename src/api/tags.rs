//! The tags of a member, as tills and the back office show them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tessera_rules::id::MemberId;
use tessera_rules::tag::HeldTag;
use utoipa::ToSchema;

use super::Services;
use super::error::{Code, Problem};
use super::page::ListOf;
use super::work::run;
use crate::store::member;
use crate::store::tag::{self, MemberTagRow};

/// A tag that a member has.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MemberTag {
    /// The tag.
    #[schema(example = "vip")]
    tag: String,
    /// Since when.
    since: DateTime<Utc>,
    /// From when no longer; null: until it is taken off.
    until: Option<DateTime<Utc>>,
}

impl From<MemberTagRow> for MemberTag {
    fn from(row: MemberTagRow) -> Self {
        let MemberTagRow { tag, since, until } = row;
        Self { tag, since, until }
    }
}

impl From<&HeldTag> for MemberTag {
    fn from(held: &HeldTag) -> Self {
        Self { tag: held.tag.to_string(), since: held.since, until: held.until }
    }
}

/// The tags a member has now, in alphabetical order.
pub(super) async fn of_member(services: &Services, id: MemberId) -> Result<ListOf<MemberTag>, Problem> {
    let now = services.clock.now();
    let read = move |conn: &mut _| {
        member::find(conn, id)?.ok_or(Code::MemberUnknown)?;
        Ok(tag::of_member(conn, id, now)?)
    };
    let rows = run(services, read).await?;
    Ok(ListOf::whole(rows.into_iter().map(MemberTag::from).collect()))
}
