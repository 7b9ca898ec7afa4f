//! Forecasts: what the clock will do if the member does nothing, and what another programme would do.
//! Both run the rules themselves ahead, so that what is foretold is what happens.

use std::collections::BTreeMap;

use chrono::Duration;
use serde::Serialize;

use crate::amount::Points;
use crate::command::Context;
use crate::decision::Effect;
use crate::draft::Draft;
use crate::expiry::Expiring;
use crate::ledger::EntryKind;
use crate::member::MemberState;
use crate::programme::Programme;
use crate::refusal::Refusal;
use crate::tier::{TierCause, TierChange};
use crate::time::Instant;

/// What happens to a member by a horizon if he does nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// Points that lapse, by instant, soonest first; pending ones included once they have turned
    /// available.
    pub expiring: Vec<Expiring>,
    /// The first fall of the tier.
    pub fall: Option<TierFall>,
}

/// A fall of the tier that is coming unless the member qualifies again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TierFall {
    /// When.
    pub at: Instant,
    /// Code of the tier held.
    pub from: String,
    /// Code of the tier it falls to.
    pub to: String,
    /// What the measure lacks for keeping the tier held, in the window looked at then; 0 where a
    /// placement by staff ends.
    pub missing: i64,
}

/// The horizon behind which nothing is left to foretell: no lot lives, and no tier is valid, for longer
/// than 240 months, its rounding and its grace.
pub fn horizon(now: Instant) -> Instant {
    now + Duration::days(22 * 366)
}

/// Runs the clock ahead to `horizon`. The member must be settled to `context.now`, with all open lots
/// loaded and all qualifying days from the start of the window on. Where lots keep their rule
/// ([`Programme::redates_lots`]) the days matter for `fall` alone.
///
/// # Errors
/// [`Refusal::AmountOutOfRange`] where a sum would leave its range.
pub fn forecast(
    programme: &Programme,
    member: &MemberState,
    context: &Context,
    horizon: Instant,
) -> Result<Forecast, Refusal> {
    Draft::new(programme, context, member).run_ahead(horizon)
}

impl Draft<'_> {
    /// As [`forecast`], for the member as this settled draft has him.
    pub(crate) fn run_ahead(mut self, horizon: Instant) -> Result<Forecast, Refusal> {
        self.at = self.at.max(horizon);
        self.effects.clear();
        self.settle()?;
        let programme = self.programme;
        let mut sums = BTreeMap::new();
        let mut fall = None;
        for effect in &self.effects {
            match effect {
                Effect::Entry(entry) if entry.kind == EntryKind::Expiry => {
                    let sum = sums.entry(entry.effective_at).or_insert(Points::ZERO);
                    *sum = sum.plus(entry.points)?;
                }
                Effect::Tier(change) if fall.is_none() => fall = fall_of(programme, change),
                _ => {}
            }
        }
        let expiring = sums.into_iter().map(|(expires_at, points)| Expiring { expires_at, points }).collect();
        Ok(Forecast { expiring, fall })
    }
}

/// A change of tier as a fall, if it is one.
fn fall_of(programme: &Programme, change: &TierChange) -> Option<TierFall> {
    let (from, to) = (programme.tier_position(&change.from), programme.tier_position(&change.to));
    let missing = match change.cause {
        TierCause::Placement | TierCause::PlacementEnd | TierCause::Merge => 0,
        TierCause::Purchase | TierCause::Review => (programme.tier(from).threshold - change.measure).max(0),
    };
    (to < from).then(|| TierFall { at: change.at, from: change.from.clone(), to: change.to.clone(), missing })
}

/// Where a member stands now and where another programme would put him.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Code of the tier held under the programme in force.
    pub now: String,
    /// Code of the tier under the other programme: reached with the next purchase where it is
    /// higher, fallen to at the next review where it is lower.
    pub then: String,
    /// The measure as the other programme takes it.
    pub measure: i64,
    /// When the fall comes, at the earliest; absent where nothing falls.
    pub falls_at: Option<Instant>,
}

/// Compares a programme in force with one that is planned, for one member. Nobody is moved by the
/// change itself: who stands above the new thresholds rises with the next purchase, who stands below
/// falls when the new rules look next. The member needs all qualifying days of both windows loaded.
///
/// # Errors
/// [`Refusal::AmountOutOfRange`] where a sum would leave its range.
pub fn plan(
    in_force: &Programme,
    planned: &Programme,
    member: &MemberState,
    context: &Context,
) -> Result<Planned, Refusal> {
    let mut before = Draft::new(in_force, context, member);
    before.settle()?;
    let now = in_force.tier(before.tier()).code.clone();
    let mut after = Draft::new(planned, context, &before.member);
    after.settle()?;
    let standing = &after.member.standing;
    let measure = planned.tiers.measure.of(&standing.window);
    let own = after.own_tier();
    let holds = planned.tier_for(measure).max(planned.tier_floor(own));
    let falls_at = standing.tier_due_at.filter(|_| holds < own);
    let then = if standing.placement.is_some() { after.tier() } else { holds };
    Ok(Planned { now, then: planned.tier(then).code.clone(), measure, falls_at })
}
