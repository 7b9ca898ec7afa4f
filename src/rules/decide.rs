//! The one entry to the rules: a command, the state it meets, and what comes of it.

use crate::command::{Command, Context};
use crate::decision::{Decision, Outcome};
use crate::draft::Draft;
use crate::id::MemberId;
use crate::member::State;
use crate::programme::Programme;
use crate::refusal::Refusal;

/// Decides a command for a member. The state is not changed: apply the decision with
/// [`State::apply`], and store it.
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
    let loaded = state.members.get(&member).ok_or(Refusal::MemberUnknown)?;
    let mut draft = Draft::new(programme, context, loaded);
    let outcome = match command {
        Command::Purchase(purchase) => draft.purchase(purchase)?,
        Command::Redeem(redeem) => draft.redeem(redeem, &state.shared)?,
        Command::Capture(capture) => draft.capture(capture)?,
        Command::Void(redemption) => draft.void(*redemption)?,
        Command::Return(goods) => draft.take_back(goods)?,
        Command::Adjust(adjust) => draft.adjust(adjust)?,
        Command::PlaceTier(place) => draft.place_tier(place)?,
        Command::UseEntitlement(asked) => draft.use_entitlement(asked)?,
        Command::GrantPerks => draft.grant_perks()?,
        Command::Notify => draft.notify()?,
        Command::Settle => {
            draft.settle()?;
            Outcome::Settled
        }
    };
    draft.plan_idle()?;
    Ok(Decision { effects: draft.effects, outcome })
}
