//! What a batch needs to know before it can be decided.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::TimeDelta;
use tessera_rules::command::{Capture, Purchase, Redeemed};
use tessera_rules::condition::Condition;
use tessera_rules::id::MemberId;
use tessera_rules::promotion::Promotion;
use tessera_rules::reward::RewardKind;
use tessera_rules::tier::{Span, Window};
use tessera_rules::time::{Day, Instant};
use tessera_rules::{Command, Programme, Standing};
use uuid::Uuid;

use super::{Submission, Time};
use crate::store::batch::{Load, WindowBounds};
use crate::store::{promotion, reward};

/// What a batch needs to know, if nothing is remembered.
pub(super) fn plan<'a>(programme: &Programme, now: Instant, batch: impl Iterator<Item = &'a Submission>) -> Load {
    let mut members = BTreeSet::new();
    let (mut debit, mut late, mut perks) = (Vec::new(), Vec::new(), Vec::new());
    let (mut days, mut rewards) = ((Vec::new(), Vec::new()), BTreeMap::new());
    let mut counted = BTreeSet::new();
    let (mut notices, mut redemptions, mut sales) = (Vec::new(), Vec::new(), Vec::new());
    let (mut keys, mut receipts) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    let mut returns = (Vec::new(), Vec::new());
    let (mut whole, mut risers) = (Vec::new(), Vec::new());
    let tier_perks = programme.has_tier_perks();
    let limited: Vec<&Promotion> = programme.promotions.iter().filter(|one| !one.limits.is_none()).collect();
    let (mut promotions, mut promotion_uses) = (BTreeSet::new(), promotion::Asked::default());
    let mut counts = |purchase: &Purchase, member: Uuid, day: Day| {
        for promotion in limited.iter().filter(|promotion| may_be_for(promotion, purchase, day)) {
            if promotion.limits.is_shared() {
                promotions.insert(promotion.code.clone());
            }
            if promotion.limits.is_personal() {
                promotion_uses.0.push(member);
                promotion_uses.1.push(promotion.code.clone());
                promotion_uses.2.push(if promotion.limits.per_member.is_some() { Day::default() } else { day });
            }
        }
    };
    let birthdays = programme.conditions().any(Condition::reads_birthday);
    let (mut since, mut earliest, mut latest) = (now, None::<Instant>, None::<Instant>);
    let (mut coupons, mut quotes) = (BTreeSet::new(), Vec::new());
    let mut notices_at = None::<Instant>;
    for submission in batch {
        let at = submission.time.instant(now);
        let member = submission.member.uuid();
        earliest = Some(earliest.map_or(at, |earliest| earliest.min(at)));
        latest = Some(latest.map_or(at, |latest| latest.max(at)));
        members.insert(member);
        // Points move between the lots of both.
        if let Some(other) = submission.command.other() {
            members.insert(other.uuid());
            debit.extend([member, other.uuid()]);
        }
        match &submission.command {
            Command::Purchase(purchase) => {
                let occurred_at = purchase.occurred_at.unwrap_or(at);
                since = since.min(occurred_at);
                // The member's last command may lie ahead of the clock, so a named instant is late
                // whenever it is not the command's own. A lot of a late purchase may have lapsed by
                // now and moves at once, and then every open lot must be known.
                if occurred_at != at {
                    late.push(member);
                    debit.push(member);
                }
                if purchase.redeem.is_some() {
                    debit.push(member);
                }
                if let Some(pricing) = &purchase.pricing {
                    coupons.extend(pricing.coupons.iter().cloned());
                    quotes.extend(pricing.kept.iter().map(|kept| kept.id.uuid()));
                }
                if programme.earning.cap_per_day.is_some() {
                    days.0.push(member);
                    days.1.push(programme.time_zone.day_of(occurred_at));
                }
                if tier_perks {
                    risers.push(member);
                }
                // The birth date comes with the grants.
                if birthdays {
                    perks.push(member);
                }
                counts(purchase, member, programme.time_zone.day_of(occurred_at));
                receipts.0.push(purchase.source.clone());
                receipts.1.push(purchase.external_id.clone());
            }
            Command::Redeem(redeem) => {
                debit.push(member);
                // Counted without a limit too: a limit set later counts what went before.
                if let Redeemed::Reward(code) = &redeem.what
                    && let Some(reward) = programme.reward(code)
                {
                    *rewards.entry(code.clone()).or_insert(0_i64) += 1;
                    if reward.per_member.is_some() {
                        counted.insert(member);
                    }
                    // A grant may give it.
                    perks.push(member);
                }
            }
            Command::Capture(Capture { redemption, .. }) | Command::Void(redemption) => {
                debit.push(member);
                redemptions.push(redemption.uuid());
            }
            Command::Fulfil(fulfil) => redemptions.push(fulfil.redemption.uuid()),
            Command::Return(goods) => {
                debit.push(member);
                sales.push(goods.purchase.uuid());
                returns.0.push(goods.source.clone());
                returns.1.push(goods.external_id.clone());
            }
            Command::Adjust(_) => debit.push(member),
            Command::Notify => {
                debit.push(member);
                notices.push(member);
                notices_at = Some(notices_at.map_or(at, |earliest| earliest.min(at)));
            }
            Command::GrantPerks => {
                perks.push(member);
                // Whether the last change of tier was a rise.
                if tier_perks {
                    late.push(member);
                }
            }
            Command::UseEntitlement(_) => perks.push(member),
            Command::PlaceTier(_) if tier_perks => perks.push(member),
            Command::Merge(_) => whole.push(member),
            Command::Unmerge => {
                whole.push(member);
                debit.push(member);
            }
            Command::LeavePool => debit.push(member),
            Command::Move(moving) => {
                // The purchase lies back as a late one does.
                let (to, occurred_at) = (moving.to.uuid(), moving.again.occurred_at.unwrap_or(at));
                since = since.min(occurred_at);
                late.push(to);
                if tier_perks || birthdays {
                    perks.push(to);
                }
                days.0.push(to);
                days.1.push(programme.time_zone.day_of(occurred_at));
                counts(&moving.again, to, programme.time_zone.day_of(occurred_at));
                sales.push(moving.purchase.uuid());
            }
            Command::Transfer(_)
            | Command::JoinPool(_)
            | Command::AllowSpending(_)
            | Command::PlaceTier(_)
            | Command::Settle => {}
        }
        // A change of tier may give every open lot another expiry.
        if programme.redates_lots() {
            debit.push(member);
        }
        if let Some(claim) = &submission.claim {
            keys.0.push(claim.caller);
            keys.1.push(claim.key.clone());
        }
    }
    let granted: HashSet<Uuid> = perks.iter().copied().collect();
    risers.retain(|member| !granted.contains(member));
    let at = latest.unwrap_or(now);
    let zone = programme.time_zone;
    // A late purchase may lie in the year before: on a day that was chosen for a multiple.
    let uses_from = zone.day_of(since.min(at));
    let (first, today) = (zone.day_of(earliest.unwrap_or(now)), zone.day_of(at));
    Load {
        members: members.into_iter().collect(),
        debit,
        late,
        perks,
        risers,
        notices,
        notices_at: notices_at.unwrap_or(at),
        whole,
        redemptions,
        sales,
        at,
        since,
        window: bounds(programme.tiers.window, first, today),
        today,
        uses_from,
        days,
        reward: wanted(programme, &rewards, counted, first),
        rewards: rewards.into_keys().collect(),
        promotions: promotions.into_iter().collect(),
        promotion_uses,
        keys,
        receipts,
        returns,
        coupons: coupons.into_iter().collect(),
        coupons_of: Vec::new(),
        quotes,
    }
}

/// Whether a limited promotion may be for a purchase of that day or, where the member's last command lies
/// ahead of the clock, of a later one.
fn may_be_for(promotion: &Promotion, purchase: &Purchase, day: Day) -> bool {
    promotion.schedule.to.is_none_or(|to| day <= to)
        && (promotion.stores.is_empty() || promotion.stores.contains(&purchase.store_code))
}

/// What is needed of the rewards that are redeemed so often, from a day on, of which these members may have
/// only some.
fn wanted(
    programme: &Programme,
    redeemed: &BTreeMap<String, i64>,
    limited: BTreeSet<Uuid>,
    first: Day,
) -> reward::Wanted {
    let rewards = redeemed.iter().filter_map(|(code, times)| Some((programme.reward(code)?, *times)));
    let coded = rewards.clone().filter(|(reward, _)| reward.kind == RewardKind::PartnerVoucher);
    let vouchers = coded.map(|(reward, times)| (reward.code.clone(), times)).unzip();
    let limits = rewards.filter_map(|(reward, _)| Some((reward, reward.per_member?)));
    // The earliest of their periods; one that counts for ever begins before all of them.
    let since = limits.clone().map(|(_, limit)| limit.counted_since(programme.time_zone, first)).min().flatten();
    let limits = limits.map(|(reward, _)| reward.code.clone());
    reward::Wanted { limited: (limited.into_iter().collect(), limits.collect()), since, vouchers }
}

/// The bounds of a window that does not depend on the member.
fn bounds(window: Window, first: Day, last: Day) -> WindowBounds {
    if matches!(window, Window::Anniversary) {
        return WindowBounds::default();
    }
    // Nobody's day of enrolment matters here: any will do.
    let (first, last) = (window.span(first, first), window.span(last, last));
    WindowBounds { from_min: Some(first.from), from_max: Some(last.from), to_min: Some(first.to) }
}

impl Time {
    pub(super) fn instant(self, now: Instant) -> Instant {
        match self {
            Self::Live => now,
            Self::Past(at) => at,
        }
    }
}

/// The members of whom more is needed than the standing.
pub(super) fn beside(load: &Load) -> HashSet<Uuid> {
    let lists =
        [&load.debit, &load.late, &load.perks, &load.notices, &load.whole, &load.days.0, &load.promotion_uses.0];
    lists.into_iter().flatten().copied().collect()
}

/// Leaves out the members whose remembered standing is all that their commands need, and names them.
pub(super) fn leave_out<'m>(
    load: &mut Load,
    programme: &Programme,
    remembered: impl Fn(MemberId) -> Option<&'m Standing>,
) -> Vec<MemberId> {
    let beside = beside(load);
    let (left_out, members): (Vec<Uuid>, _) = std::mem::take(&mut load.members).into_iter().partition(|&member| {
        !beside.contains(&member)
            && remembered(MemberId::new(member)).is_some_and(|standing| suffices(load, programme, standing))
    });
    load.members = members;
    // What they were granted for a tier before is not loaded either: storing proves that nothing was.
    if !load.risers.is_empty() {
        let out: HashSet<&Uuid> = left_out.iter().collect();
        load.risers.retain(|member| !out.contains(member));
    }
    Vec::into_iter(left_out).map(MemberId::new).collect()
}

/// Whether nothing beside the standing is needed: no less than `load_batch` would load.
fn suffices(load: &Load, programme: &Programme, standing: &Standing) -> bool {
    // Who keeps his points is loaded with a member.
    if standing.link.is_some() {
        return false;
    }
    let stands = match load.window {
        WindowBounds { from_min: Some(from_min), from_max: Some(from_max), to_min: Some(to_min) } => {
            from_min == from_max && stays_whole(standing, Span { from: from_max, to: to_min })
        }
        _ => {
            let enrolled = programme.time_zone.day_of(standing.enrolled_at);
            stays_whole(standing, programme.tiers.window.span(load.today, enrolled))
        }
    };
    stands
        && standing.due_at().is_none_or(|due| due > load.at)
        && standing.boost_until.is_none_or(|until| until <= load.since)
}

/// Whether a member's window may move to `new` without a look at the days: none of them leaves it, and none
/// lies ahead of it that it would take in.
fn stays_whole(standing: &Standing, new: Span) -> bool {
    // Where on Earth it was latest: a programme's time zone may have changed since.
    let last = standing.purchased_at.map(|at| (at + TimeDelta::hours(14)).date_naive());
    (standing.window_from, standing.window_to) == (new.from, new.to)
        || new.from >= standing.window_from
            && standing.window_oldest.is_none_or(|oldest| new.contains(oldest))
            && last.is_none_or(|last| last <= standing.window_to.min(new.to))
}
