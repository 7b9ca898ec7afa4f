//! Members whose points are kept with another, as more than one face shows them; and who is meant by a
//! member that was merged.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tessera_rules::Outcome;
use tessera_rules::amount::Points;
use tessera_rules::id::MemberId;
use tessera_rules::link::{Link, LinkKind};
use utoipa::ToSchema;

use super::Services;
use super::error::Problem;
use super::submit::answer;
use super::views::BalanceView;
use crate::engine::Answer;
use crate::store::link;

/// The member that somebody is now: himself, or the one that he was merged into.
pub(super) async fn stays(services: &Services, member: MemberId) -> Result<MemberId, Problem> {
    Ok(services.pool.run(move |conn| link::stays(conn, member)).await?)
}

/// With whom a member's points are kept.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LinkView {
    /// The member that stays, or the head of the household.
    #[schema(value_type = String, example = "mem_01kapm3v5ne8v9b3r6a2f7qk4d")]
    member_id: MemberId,
    /// `merged`: both are one person; `pool`: both are of one household.
    #[schema(example = "pool")]
    kind: &'static str,
    /// Whether the member may spend from the pool; absent for a merged one.
    #[serde(skip_serializing_if = "Option::is_none")]
    may_spend: Option<bool>,
}

impl From<Link> for LinkView {
    fn from(link: Link) -> Self {
        let (kind, may_spend) = match link.kind {
            LinkKind::Merged => (link::MERGED, None),
            LinkKind::Pool { may_spend } => (link::POOL, Some(may_spend)),
        };
        Self { member_id: link.root, kind, may_spend }
    }
}

/// What the making or the end of a link comes to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Linked {
    /// With whom the points are kept from now on; null: with the member himself.
    link: Option<LinkView>,
    /// Points that went there, or came back: spendable and pending ones.
    #[schema(value_type = i64)]
    points: Points,
    /// The member's balances afterwards; of points that are kept with another, what stands there.
    balance: BalanceView,
    /// When.
    recorded_at: DateTime<Utc>,
}

/// The answer to the making or the end of a link.
pub(super) fn show(outcome: &Outcome) -> Answer {
    let Outcome::Link(outcome) = outcome else { return answer(500, &()) };
    answer(
        200,
        &Linked {
            link: outcome.link.map(LinkView::from),
            points: outcome.points,
            balance: outcome.balance.into(),
            recorded_at: outcome.recorded_at,
        },
    )
}
