//! Reads through the same rules: a preview decides without storing, a member is shown settled.

use std::sync::Arc;

use tessera_rules::command::Purchase;
use tessera_rules::decision::Effect;
use tessera_rules::history::{Movement, Shown, shown_at};
use tessera_rules::id::MemberId;
use tessera_rules::promise::{Enquiry, Optimise, Promise, promise};
use tessera_rules::quote::{PointsWish, WalletWish};
use tessera_rules::time::Instant;
use tessera_rules::{Actor, Command, Context, Decision, MemberState, Outcome, Programme, Refusal, State, decide};

use super::plan::plan;
use super::state::{load_current, state};
use super::{Answer, Engine, Failure, Submission, Time, Versioned};
use crate::store;
use crate::store::batch::Load;

/// What a till asks of a price beside the basket and the coupons that are shown.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    /// Whether the member's own coupons are considered too.
    pub own_coupons: bool,
    /// Points that shall pay.
    pub points: Option<PointsWish>,
    /// Money of the wallet that shall pay.
    pub wallet: Option<WalletWish>,
    /// What is looked for among the combinations of coupons.
    pub optimise: Option<Optimise>,
}

/// A member as he stands now: everything due by now applied, nothing written.
pub struct Settled {
    /// The programme it was settled under.
    pub programme: Arc<Versioned>,
    /// Standing, open lots, days of the window, uses of entitlements and perk grants: all that
    /// [`tessera_rules::forecast::forecast`] needs.
    pub member: MemberState,
    /// Who keeps his points, where somebody else does.
    pub keeper: Option<MemberState>,
}

impl Engine {
    /// What a command would come to if it were submitted now. Nothing is written and no idempotency
    /// key is looked at.
    ///
    /// # Errors
    /// The outer: the database; the inner: the rules.
    pub async fn preview(
        &self,
        member: MemberId,
        command: Command,
        actor: Actor,
    ) -> Result<Result<Outcome, Refusal>, Failure> {
        let decided = self.on_current_state(member, command, actor, |_| {}).await?;
        Ok(decided.map(|(_, _, _, decision)| decision.outcome))
    }

    /// What a receipt at list prices costs a member and earns him, with the programme that says so. Nothing
    /// is written.
    ///
    /// # Errors
    /// The outer: the database; the inner: the rules.
    pub async fn promise(
        &self,
        member: MemberId,
        receipt: Purchase,
        wish: Wish,
        actor: Actor,
    ) -> Result<Result<(Arc<Versioned>, Promise), Refusal>, Failure> {
        // Points can only pay out of lots that are known.
        let widen = move |load: &mut Load| {
            if wish.points.is_some() {
                load.debit.clone_from(&load.members);
            }
            // What the wallet could pay is told whether or not it shall.
            load.wallets.members.clone_from(&load.members);
            if wish.own_coupons {
                load.coupons_of.clone_from(&load.members);
            }
        };
        let asked = receipt.clone();
        let ask = move |versioned: Arc<Versioned>, state: State, _: &Command, context: &Context| {
            let Wish { own_coupons, points, wallet, optimise } = wish;
            let enquiry = Enquiry { receipt: &asked, own_coupons, points, wallet, optimise };
            let promise = promise(&versioned.programme, &state, member, &enquiry, context)?;
            Ok((versioned, promise))
        };
        self.ask(member, Command::Purchase(receipt), actor, widen, ask).await
    }

    /// A member, settled to now, with his open lots.
    ///
    /// # Errors
    /// The outer: the database; the inner: there is no such member.
    pub async fn member(&self, member: MemberId) -> Result<Result<Settled, Refusal>, Failure> {
        // Every open lot is shown, and who looks ahead needs every day of the window and the days chosen.
        let everything = |load: &mut Load| {
            load.debit.clone_from(&load.members);
            load.notices.clone_from(&load.members);
            load.perks.clone_from(&load.members);
        };
        let decided = self.on_current_state(member, Command::Settle, Actor::SYSTEM, everything).await?;
        Ok(decided.map(|(programme, member, mut others, _)| {
            let keeper = member.standing.link.and_then(|link| others.members.remove(&link.root));
            Settled { programme, member, keeper }
        }))
    }

    /// What was shown of a member at an instant of the past, or `None` for one in which he was shown
    /// nothing: before he enrolled, or still to come.
    ///
    /// # Errors
    /// The outer: the database; the inner: there is no such member.
    pub async fn shown(&self, member: MemberId, at: Instant) -> Result<Result<Option<Shown>, Refusal>, Failure> {
        let decided = self.on_current_state(member, Command::Settle, Actor::SYSTEM, |_| {}).await?;
        let (_, state, _, decision) = match decided {
            Ok(decided) => decided,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if at < state.standing.enrolled_at || at > state.standing.recorded_at {
            return Ok(Ok(None));
        }
        let stored = self.pool().run(move |conn| store::ledger::movements(conn, member)).await?;
        let last = i64::try_from(stored.len()).unwrap_or(i64::MAX);
        let due = decision.effects.iter().filter_map(|effect| match effect {
            // What was settled meanwhile is among the stored ones.
            Effect::Entry(entry) if entry.number > last => Some(Movement::from(entry)),
            _ => None,
        });
        Ok(shown_at(stored.into_iter().chain(due), at).map(Some).map_err(Refusal::from))
    }

    async fn on_current_state(
        &self,
        member: MemberId,
        command: Command,
        actor: Actor,
        widen: fn(&mut Load),
    ) -> Result<Result<(Arc<Versioned>, MemberState, State, Decision), Refusal>, Failure> {
        let ask = move |versioned, state, command: &Command, context: &Context| {
            enacted(versioned, state, member, command, context)
        };
        self.ask(member, command, actor, widen, ask).await
    }

    /// Asks something of the state as of now, loaded as for a command and as wide as is wanted.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        member: MemberId,
        command: Command,
        actor: Actor,
        widen: impl Fn(&mut Load) + Send + 'static,
        ask: impl FnOnce(Arc<Versioned>, State, &Command, &Context) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<Result<T, Refusal>, Failure> {
        let (now, programmes) = (self.clock().now(), self.0.programmes.clone());
        let answered = self.pool().run(move |conn| {
            let render = Box::new(|_: &_| Answer { status: 200, body: String::new() });
            let submission = Submission { member, command, actor, time: Time::Live, claim: None, audit: None, render };
            let wanted = |programme: &Programme| {
                let mut load = plan(programme, now, std::iter::once(&submission));
                widen(&mut load);
                load
            };
            let current = load_current(&programmes, conn, wanted)?;
            Ok(current.and_then(|(versioned, mut loaded)| {
                let state = state(&mut loaded)?;
                let context = Context { now, actor, programme_version: versioned.version, historic: false, seed: None };
                Ok(ask(versioned, state, &submission.command, &context))
            }))
        });
        answered.await.map_err(Failure::from)?
    }
}

/// A member as a command leaves him, and the others it concerns.
fn enacted(
    versioned: Arc<Versioned>,
    mut state: State,
    member: MemberId,
    command: &Command,
    context: &Context,
) -> Result<(Arc<Versioned>, MemberState, State, Decision), Refusal> {
    let decision = decide(&versioned.programme, &state, member, command, context)?;
    state.enact(member, &decision)?;
    let member = state.members.remove(&member).ok_or(Refusal::MemberUnknown)?;
    Ok((versioned, member, state, decision))
}
