//! The one entry to the rules: a command, the state it meets, and what comes of it.

use uuid::Uuid;

use crate::command::{Command, Context, Move, Transfer};
use crate::decision::{Beside, Decision, MoveOutcome, Outcome};
use crate::draft::Draft;
use crate::id::MemberId;
use crate::member::State;
use crate::programme::Programme;
use crate::refusal::Refusal;

/// Decides a command for a member. The state is not changed: apply the decision with
/// [`State::enact`], and store it. Loaded must be the member, whoever keeps his points
/// ([`crate::Standing::link`]), the second member a command names, and whoever keeps theirs.
///
/// # Errors
/// A [`Refusal`] when a rule says no; nothing is changed then.
pub fn decide(
    programme: &Programme,
    state: &State,
    member: MemberId,
    command: &Command,
    context: &Context,
) -> Result<Decision, Refusal> {
    let desk = Desk { programme, context, document: command.document() };
    match command {
        Command::Transfer(asked) => desk.transfer(state, member, asked),
        Command::Move(asked) => desk.moving(state, member, asked),
        _ => desk.decide(state, member, |draft| draft.follow(command, state)),
    }
}

/// Where one command is decided.
struct Desk<'a> {
    programme: &'a Programme,
    context: &'a Context,
    document: Option<Uuid>,
}

impl<'a> Desk<'a> {
    /// One step, for one member and whoever keeps his points.
    fn decide(
        &self,
        state: &State,
        member: MemberId,
        step: impl FnOnce(&mut Draft<'a>) -> Result<Outcome, Refusal>,
    ) -> Result<Decision, Refusal> {
        let mut draft = Draft::linked(self.programme, self.context, state, member)?;
        let document = self.document;
        draft.each(&mut |draft| {
            draft.document = document;
            Ok(())
        })?;
        if let Some(root) = &mut draft.root {
            root.each(&mut Draft::settle)?;
            // What the clock has freed of the member's points is kept where the others are, before any is spent.
            draft.settle()?;
            draft.hand_over()?;
        }
        let mut outcome = step(&mut draft)?;
        draft.hand_over()?;
        draft.each(&mut Draft::plan_idle)?;
        if draft.root.is_some()
            && let Some(balance) = outcome.balance_mut()
        {
            *balance = draft.balance();
        }
        let effects = std::mem::take(&mut draft.effects);
        let mut beside = Vec::new();
        if let Some(root) = draft.root {
            Beside::of(*root, &mut beside);
        }
        Ok(Decision { effects, beside, outcome })
    }

    /// A second step, for another member: it sees what the first one did.
    fn then(
        &self,
        first: &mut Decision,
        state: &State,
        (member, other): (MemberId, MemberId),
        step: impl FnOnce(&mut Draft<'a>) -> Result<Outcome, Refusal>,
    ) -> Result<Outcome, Refusal> {
        let mut after = state.clone();
        after.enact(member, first)?;
        let second = self.decide(&after, other, step)?;
        first.beside.push(Beside { member: other, effects: second.effects });
        first.beside.extend(second.beside);
        Ok(second.outcome)
    }

    fn transfer(&self, state: &State, member: MemberId, asked: &Transfer) -> Result<Decision, Refusal> {
        let mut parcels = Vec::new();
        let mut decision = self.decide(state, member, |draft| {
            draft.refuse_merged()?;
            let (outcome, given) = draft.give(asked)?;
            parcels = given;
            Ok(outcome)
        })?;
        self.then(&mut decision, state, (member, asked.to), |draft| draft.accept(&parcels))?;
        Ok(decision)
    }

    fn moving(&self, state: &State, member: MemberId, asked: &Move) -> Result<Decision, Refusal> {
        let mut decision = self.decide(state, member, |draft| draft.send_off(asked))?;
        let sold = state.members.get(&member).and_then(|member| member.sales.get(&asked.purchase));
        let sold = sold.ok_or(Refusal::PurchaseUnknown)?;
        let bought = self.then(&mut decision, state, (member, asked.to), |draft| {
            draft.refuse_merged()?;
            draft.buy_again(&asked.again, sold).map(Outcome::from)
        })?;
        if let (Outcome::Return(returned), Outcome::Purchase(purchase)) = (&decision.outcome, bought) {
            let (returned, purchase) = (returned.as_ref().clone(), *purchase);
            decision.outcome = Outcome::Move(Box::new(MoveOutcome { returned, to: asked.to, purchase }));
        }
        Ok(decision)
    }
}

impl Draft<'_> {
    fn follow(&mut self, command: &Command, state: &State) -> Result<Outcome, Refusal> {
        let settled = |draft: &mut Self, outcome| draft.settle().map(|()| outcome);
        match command {
            Command::Settle => settled(self, Outcome::Settled),
            Command::Capture(capture) => self.capture(capture),
            Command::Void(redemption) => self.void(*redemption),
            Command::Fulfil(asked) => self.fulfil(asked),
            Command::Return(goods) => self.take_back(goods),
            Command::ReRate(asked) => self.re_rate(asked),
            Command::Unmerge => self.unmerge(),
            // Who was merged is given and told nothing any more.
            Command::GrantPerks if self.is_merged() => settled(self, Outcome::Perks(Vec::new())),
            Command::Notify if self.is_merged() => settled(self, Outcome::Notices(Vec::new())),
            Command::Wallet(command) => self.wallet_command(command),
            Command::GrantPerks => self.grant_perks(),
            Command::Notify => self.notify(),
            command => {
                self.refuse_merged()?;
                self.begin(command, state)
            }
        }
    }

    /// What begins something new, and so is not for a member that was merged.
    fn begin(&mut self, command: &Command, state: &State) -> Result<Outcome, Refusal> {
        match command {
            Command::Purchase(purchase) => self.purchase(purchase, &state.shared),
            Command::Event(happened) => self.happen(happened),
            Command::Redeem(redeem) => self.redeem(redeem, &state.shared),
            Command::Adjust(adjust) => self.adjust(adjust),
            Command::PlaceTier(place) => self.place_tier(place),
            Command::UseEntitlement(asked) => self.use_entitlement(asked),
            Command::Tag(asked) => self.change_tag(asked),
            Command::JoinPool(join) => self.join_pool(join, state),
            Command::AllowSpending(may_spend) => self.allow_spending(*may_spend),
            Command::LeavePool => self.leave_pool(),
            Command::Merge(merge) => self.merge(merge, state),
            // Everything else was followed before.
            _ => self.settle().map(|()| Outcome::Settled),
        }
    }

    pub(crate) fn refuse_merged(&self) -> Result<(), Refusal> {
        if self.is_merged() { Err(Refusal::MemberMerged) } else { Ok(()) }
    }
}
