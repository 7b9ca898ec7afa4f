//! What a batch needs to know before it can be decided.

use std::collections::{BTreeSet, HashSet};

use tessera_rules::command::Redeemed;
use tessera_rules::id::MemberId;
use tessera_rules::time::Instant;
use tessera_rules::{Command, Programme, Standing};
use uuid::Uuid;

use super::{Submission, Time};
use crate::store::batch::Load;

/// What a batch needs to know, if nothing is remembered.
pub(super) fn plan<'a>(programme: &Programme, now: Instant, batch: impl Iterator<Item = &'a Submission>) -> Load {
    let mut members = BTreeSet::new();
    let (mut debit, mut late, mut perks) = (Vec::new(), Vec::new(), Vec::new());
    let (mut days, mut rewards) = ((Vec::new(), Vec::new()), BTreeSet::new());
    let (mut keys, mut receipts) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    let (mut since, mut earliest, mut latest) = (now, None::<Instant>, None::<Instant>);
    for submission in batch {
        let at = submission.time.instant(now);
        let member = submission.member.uuid();
        earliest = Some(earliest.map_or(at, |earliest| earliest.min(at)));
        latest = Some(latest.map_or(at, |latest| latest.max(at)));
        members.insert(member);
        match &submission.command {
            Command::Purchase(purchase) => {
                let occurred_at = purchase.occurred_at.unwrap_or(at);
                since = since.min(occurred_at);
                // The member's last command may lie ahead of the clock, so a named instant is late
                // whenever it is not the command's own.
                if occurred_at != at {
                    late.push(member);
                }
                // A lot that has lapsed by now moves at once, and then every open lot must be known.
                if programme.expiry.expires_at(programme.time_zone, occurred_at).is_some_and(|lapses| lapses <= at) {
                    debit.push(member);
                }
                if programme.earning.cap_per_day.is_some() {
                    days.0.push(member);
                    days.1.push(programme.time_zone.day_of(occurred_at));
                }
                receipts.0.push(purchase.source.clone());
                receipts.1.push(purchase.external_id.clone());
            }
            Command::Redeem(redeem) => {
                debit.push(member);
                // Counted without a limit too: a limit set later counts what went before.
                if let Redeemed::Reward(code) = &redeem.what
                    && programme.reward(code).is_some()
                {
                    rewards.insert(code.clone());
                }
            }
            Command::Adjust(_) => debit.push(member),
            Command::GrantPerks => perks.push(member),
            Command::Settle => {}
        }
        if let Some(claim) = &submission.claim {
            keys.0.push(claim.caller);
            keys.1.push(claim.key.clone());
        }
    }
    let at = latest.unwrap_or(now);
    let zone = programme.time_zone;
    let first = programme.tiers.window.span(zone.day_of(earliest.unwrap_or(now)));
    let last = programme.tiers.window.span(zone.day_of(at));
    Load {
        members: members.into_iter().collect(),
        debit,
        late,
        perks,
        at,
        since,
        window_from: (first.from, last.from),
        window_to: first.to,
        days,
        rewards: rewards.into_iter().collect(),
        keys,
        receipts,
    }
}

impl Time {
    pub(super) fn instant(self, now: Instant) -> Instant {
        match self {
            Self::Live => now,
            Self::Past(at) => at,
        }
    }
}

/// Leaves out the members whose remembered standing is all that their commands need, and names them.
pub(super) fn leave_out<'m>(load: &mut Load, remembered: impl Fn(MemberId) -> Option<&'m Standing>) -> Vec<MemberId> {
    let beside: HashSet<Uuid> =
        [&load.debit, &load.late, &load.perks, &load.days.0].into_iter().flatten().copied().collect();
    let (left_out, members) = std::mem::take(&mut load.members).into_iter().partition(|&member| {
        !beside.contains(&member) && remembered(MemberId::new(member)).is_some_and(|standing| suffices(load, standing))
    });
    load.members = members;
    Vec::into_iter(left_out).map(MemberId::new).collect()
}

/// Whether nothing beside the standing is loaded: as `load_batch` decides it.
fn suffices(load: &Load, standing: &Standing) -> bool {
    standing.due_at().is_none_or(|due| due > load.at)
        && (standing.window_from, standing.window_from) == load.window_from
        && standing.window_to == load.window_to
        && standing.boost_until.is_none_or(|until| until <= load.since)
}
