//! Household pools: a head keeps the points that a household earns; who may, spends them. Each member
//! keeps his own tier, his own debt and his own history, and takes along what is left of his points
//! when he leaves.

use serde::{Deserialize, Serialize};

use crate::amount::{OutOfRange, Points};
use crate::command::{JoinPool, Role};
use crate::decision::{Beside, LinkOutcome, Outcome, StandingPatch};
use crate::draft::Draft;
use crate::link::{Link, LinkKind};
use crate::member::State;
use crate::programme::Problems;
use crate::refusal::Refusal;

/// What households may do; absent in the programme: there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pools {
    /// The most members of a household, its head included: 2 to 100.
    #[serde(default = "family")]
    pub members: u32,
    /// Points that each member but the head may spend from the pool on a programme day.
    pub daily_limit: Points,
}

fn family() -> u32 {
    6
}

impl Pools {
    pub(crate) fn check(&self, found: &mut Problems) {
        let wrong = !(2..=100).contains(&self.members);
        found.refuse(wrong, "/pools/members", "out_of_range", "must be 2 to 100");
        found.refuse(!self.daily_limit.is_positive(), "/pools/daily_limit", "too_small", "must be at least 1");
    }
}

impl Draft<'_> {
    /// Joins the pool of a head: what the member has goes there.
    pub(crate) fn join_pool(&mut self, join: &JoinPool, state: &State) -> Result<Outcome, Refusal> {
        let pools = self.programme.pools.ok_or(Refusal::PoolsNotOffered)?;
        let standing = &self.member.standing;
        let head = &state.members.get(&join.head).ok_or(Refusal::MemberUnknown)?.standing;
        if standing.member == join.head {
            return Err(Refusal::SameMember);
        }
        if standing.frozen || head.frozen {
            return Err(Refusal::MemberFrozen);
        }
        if standing.link.is_some() || standing.household > 0 {
            return Err(Refusal::InPool);
        }
        if head.link.is_some() {
            return Err(Refusal::NotAHead);
        }
        if head.household + 2 > i32::try_from(pools.members).unwrap_or(i32::MAX) {
            return Err(Refusal::PoolFull(pools.members));
        }
        self.settle()?;
        let kind = LinkKind::Pool { may_spend: join.may_spend };
        self.tie(Link { root: join.head, kind }, state)?;
        self.household(1)?;
        let standing = &self.member.standing;
        let points = standing.available.plus(standing.pending)?;
        Ok(self.linked_outcome(points))
    }

    /// Lets the member spend from the pool, or no longer.
    pub(crate) fn allow_spending(&mut self, may_spend: bool) -> Result<Outcome, Refusal> {
        self.settle()?;
        let link = self.pool_of_actor()?;
        let link = Some(Some(Link { kind: LinkKind::Pool { may_spend }, ..link }));
        self.patch(StandingPatch { link, ..StandingPatch::default() })?;
        Ok(self.linked_outcome(Points::ZERO))
    }

    /// Leaves the pool with what is left there of the member's own points.
    pub(crate) fn leave_pool(&mut self) -> Result<Outcome, Refusal> {
        self.settle()?;
        self.pool_of_actor()?;
        self.household(-1)?;
        self.untie()
    }

    /// Ends the link: what is left of the member's lots comes home.
    pub(crate) fn untie(&mut self) -> Result<Outcome, Refusal> {
        let own = self.member.lots.keys().copied().collect();
        let points = self.bring_home(&own, Points::MAX)?;
        if points.is_positive() {
            // Nothing lapses by coming home.
            self.active_since(self.at)?;
        }
        self.patch(StandingPatch { link: Some(None), ..StandingPatch::default() })?;
        Ok(self.linked_outcome(points))
    }

    pub(crate) fn linked_outcome(&self, points: Points) -> Outcome {
        let link = self.member.standing.link;
        Outcome::Link(LinkOutcome { link, points, recorded_at: self.at, balance: self.balance() })
    }

    fn pool_link(&self) -> Result<Link, Refusal> {
        let in_pool = |link: &Link| matches!(link.kind, LinkKind::Pool { .. });
        self.member.standing.link.filter(in_pool).ok_or(Refusal::NotInPool)
    }

    /// The pool, where who acts may change what the member is in it: of members himself and its head.
    fn pool_of_actor(&self) -> Result<Link, Refusal> {
        let (link, actor) = (self.pool_link()?, self.context.actor);
        let named = [self.member.standing.member, link.root].map(|member| Some(member.uuid()));
        if actor.role == Role::Member && !named.contains(&actor.id) {
            return Err(Refusal::NotInPool);
        }
        Ok(link)
    }

    fn household(&mut self, by: i32) -> Result<(), Refusal> {
        let Some(head) = &mut self.root else { return Ok(()) };
        head.patch(StandingPatch { household: by, ..StandingPatch::default() })
    }

    /// The points the member may spend now: those within reach, as far as he may take them from the pool.
    pub(crate) fn spendable(&self) -> Result<Points, OutOfRange> {
        let (own, reach) = (self.member.standing.available, self.reach()?);
        let Ok(Link { kind: LinkKind::Pool { may_spend }, .. }) = self.pool_link() else { return Ok(reach) };
        let limit = self.programme.pools.filter(|_| may_spend).map_or(Points::ZERO, |pools| pools.daily_limit);
        let room = limit.minus(self.sent_today())?.minus(self.member.standing.debt)?.max(Points::ZERO);
        own.plus(reach.minus(own)?.min(room))
    }

    /// How many of so many points the member takes from the pool, if he may.
    pub(crate) fn taken_from_pool(&self, points: Points) -> Result<Points, Refusal> {
        let Ok(Link { kind: LinkKind::Pool { may_spend }, .. }) = self.pool_link() else { return Ok(Points::ZERO) };
        let standing = &self.member.standing;
        let missing = points.minus(points.min(standing.available))?;
        if missing.is_zero() {
            return Ok(Points::ZERO);
        }
        if !may_spend {
            return Err(Refusal::MayNotSpend);
        }
        // On the way in they pay the member's own debt first: the pool parts with that too.
        let pooled = missing.plus(standing.debt)?;
        let limit = self.programme.pools.ok_or(Refusal::PoolsNotOffered)?.daily_limit;
        if self.sent_today().plus(pooled)? > limit {
            return Err(Refusal::DailyLimit(limit));
        }
        Ok(pooled)
    }
}

impl Beside {
    /// What a draft changes for the members who keep points for its own.
    pub(crate) fn of(draft: Draft<'_>, found: &mut Vec<Self>) {
        let member = draft.member.standing.member;
        found.push(Self { member, effects: draft.effects });
        if let Some(root) = draft.root {
            Self::of(*root, found);
        }
    }
}
