//! What a batch needs to know before it can be decided.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::TimeDelta;
use tessera_rules::command::{Capture, Move, Purchase, Redeem, Redeemed};
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
use crate::store::reward;

/// What a batch needs to know, if nothing is remembered.
pub(super) fn plan<'a>(programme: &Programme, now: Instant, batch: impl Iterator<Item = &'a Submission>) -> Load {
    let mut plan = Plan::new(programme, now);
    batch.for_each(|submission| plan.add(submission));
    plan.finish()
}

/// What the commands of a batch need, as they are looked at one by one.
struct Plan<'p> {
    programme: &'p Programme,
    now: Instant,
    /// Whether there are perks for reaching a tier, and whether a condition asks for birth dates.
    tier_perks: bool,
    birthdays: bool,
    limited: Vec<&'p Promotion>,
    /// The times of the first and the last command.
    times: Option<(Instant, Instant)>,
    notices_at: Option<Instant>,
    /// How often each reward is redeemed, and by whom where members may have only some.
    redeemed: BTreeMap<String, i64>,
    counted: BTreeSet<Uuid>,
    load: Load,
}

impl<'p> Plan<'p> {
    fn new(programme: &'p Programme, now: Instant) -> Self {
        Self {
            programme,
            now,
            tier_perks: programme.has_tier_perks(),
            birthdays: programme.conditions().any(Condition::reads_birthday),
            limited: programme.promotions.iter().filter(|promotion| !promotion.limits.is_none()).collect(),
            times: None,
            notices_at: None,
            redeemed: BTreeMap::new(),
            counted: BTreeSet::new(),
            load: Load { since: now, ..Load::default() },
        }
    }

    fn add(&mut self, submission: &Submission) {
        let (at, member) = (submission.time.instant(self.now), submission.member.uuid());
        self.times = Some(self.times.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
        self.load.members.push(member);
        // Points move between the lots of both.
        if let Some(other) = submission.command.other() {
            self.load.members.push(other.uuid());
            self.load.debit.extend([member, other.uuid()]);
        }
        self.command(&submission.command, member, at);
        // A change of tier may give every open lot another expiry.
        if self.programme.redates_lots() {
            self.load.debit.push(member);
        }
        if let Some(claim) = &submission.claim {
            self.load.keys.0.push(claim.caller);
            self.load.keys.1.push(claim.key.clone());
        }
    }

    fn command(&mut self, command: &Command, member: Uuid, at: Instant) {
        let load = &mut self.load;
        match command {
            Command::Purchase(purchase) => self.purchase(purchase, member, at),
            Command::Redeem(redeem) => self.redeem(redeem, member),
            Command::Move(moving) => self.moving(moving, at),
            Command::Capture(Capture { redemption, .. }) | Command::Void(redemption) => {
                load.debit.push(member);
                load.redemptions.push(redemption.uuid());
            }
            Command::Fulfil(fulfil) => load.redemptions.push(fulfil.redemption.uuid()),
            Command::Return(goods) => {
                load.debit.push(member);
                load.sales.push(goods.purchase.uuid());
                load.returns.0.push(goods.source.clone());
                load.returns.1.push(goods.external_id.clone());
            }
            Command::Adjust(_) | Command::LeavePool => load.debit.push(member),
            Command::ReRate(asked) => {
                load.debit.push(member);
                load.sales.extend(asked.purchases.iter().map(|rating| rating.purchase.uuid()));
            }
            Command::Notify => {
                load.debit.push(member);
                load.notices.push(member);
                self.notices_at = Some(self.notices_at.map_or(at, |earliest| earliest.min(at)));
            }
            Command::GrantPerks => {
                load.perks.push(member);
                // Whether the last change of tier was a rise.
                if self.tier_perks {
                    load.late.push(member);
                }
            }
            Command::UseEntitlement(_) => load.perks.push(member),
            Command::PlaceTier(_) if self.tier_perks => load.perks.push(member),
            Command::Merge(_) => load.whole.push(member),
            Command::Unmerge => {
                load.whole.push(member);
                load.debit.push(member);
            }
            Command::Transfer(_)
            | Command::JoinPool(_)
            | Command::AllowSpending(_)
            | Command::PlaceTier(_)
            | Command::Settle => {}
        }
    }

    fn purchase(&mut self, purchase: &Purchase, member: Uuid, at: Instant) {
        let occurred_at = purchase.occurred_at.unwrap_or(at);
        let day = self.programme.time_zone.day_of(occurred_at);
        let load = &mut self.load;
        load.since = load.since.min(occurred_at);
        // The member's last command may lie ahead of the clock, so a named instant is late whenever it is
        // not the command's own. A lot of a late purchase may have lapsed by now and moves at once, and then
        // every open lot must be known.
        if occurred_at != at {
            load.late.push(member);
        }
        if occurred_at != at || purchase.redeem.is_some() {
            load.debit.push(member);
        }
        if let Some(pricing) = &purchase.pricing {
            load.coupons.extend(pricing.coupons.iter().cloned());
            load.quotes.extend(pricing.kept.iter().map(|kept| kept.id.uuid()));
        }
        if self.programme.earning.cap_per_day.is_some() {
            load.days.0.push(member);
            load.days.1.push(day);
        }
        if self.tier_perks {
            load.risers.push(member);
        }
        // The birth date comes with the grants.
        if self.birthdays {
            load.perks.push(member);
        }
        load.receipts.0.push(purchase.source.clone());
        load.receipts.1.push(purchase.external_id.clone());
        self.limits(purchase, member, day);
    }

    /// What was used of promotions that may be for a purchase.
    fn limits(&mut self, purchase: &Purchase, member: Uuid, day: Day) {
        for promotion in self.limited.iter().filter(|promotion| may_be_for(promotion, purchase, day)) {
            if promotion.limits.is_shared() {
                self.load.promotions.push(promotion.code.clone());
            }
            if promotion.limits.is_personal() {
                let ever = promotion.limits.per_member.is_some();
                self.load.promotion_uses.0.push(member);
                self.load.promotion_uses.1.push(promotion.code.clone());
                self.load.promotion_uses.2.push(if ever { Day::default() } else { day });
            }
        }
    }

    fn redeem(&mut self, redeem: &Redeem, member: Uuid) {
        self.load.debit.push(member);
        // Counted without a limit too: a limit set later counts what went before.
        if let Redeemed::Reward(code) = &redeem.what
            && let Some(reward) = self.programme.reward(code)
        {
            *self.redeemed.entry(code.clone()).or_default() += 1;
            if reward.per_member.is_some() {
                self.counted.insert(member);
            }
            // A grant may give it.
            self.load.perks.push(member);
        }
    }

    /// The purchase lies back as a late one does.
    fn moving(&mut self, moving: &Move, at: Instant) {
        let (to, occurred_at) = (moving.to.uuid(), moving.again.occurred_at.unwrap_or(at));
        let day = self.programme.time_zone.day_of(occurred_at);
        let load = &mut self.load;
        load.since = load.since.min(occurred_at);
        load.late.push(to);
        if self.tier_perks || self.birthdays {
            load.perks.push(to);
        }
        load.days.0.push(to);
        load.days.1.push(day);
        load.sales.push(moving.purchase.uuid());
        self.limits(&moving.again, to, day);
    }

    fn finish(self) -> Load {
        let Self { programme, mut load, .. } = self;
        let zone = programme.time_zone;
        let (first, at) = self.times.unwrap_or((self.now, self.now));
        let (first, today) = (zone.day_of(first), zone.day_of(at));
        sort(&mut load.members);
        sort(&mut load.promotions);
        sort(&mut load.coupons);
        let granted: HashSet<Uuid> = load.perks.iter().copied().collect();
        load.risers.retain(|member| !granted.contains(member));
        (load.at, load.today) = (at, today);
        load.notices_at = self.notices_at.unwrap_or(at);
        load.window = bounds(programme.tiers.window, first, today);
        // A late purchase may lie in the year before: on a day that was chosen for a multiple.
        load.uses_from = zone.day_of(load.since.min(at));
        load.reward = wanted(programme, &self.redeemed, self.counted, first);
        load.rewards = self.redeemed.into_keys().collect();
        load
    }
}

/// Sorts a list of which every element counts once.
fn sort<T: Ord>(list: &mut Vec<T>) {
    list.sort_unstable();
    list.dedup();
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
