//! What a batch needs to know before it can be decided.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::TimeDelta;
use tessera_rules::command::{Capture, Move, Purchase, Redeem, Redeemed};
use tessera_rules::id::MemberId;
use tessera_rules::life::PromotionState;
use tessera_rules::promotion::{Promotion, PromotionEffect};
use tessera_rules::referral::ReferralSide;
use tessera_rules::reward::RewardKind;
use tessera_rules::tier::{Span, Window};
use tessera_rules::time::{Day, Instant, month_of};
use tessera_rules::trigger::Trigger;
use tessera_rules::wallet::WalletCommand;
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

/// What must be known of a member to tell what he could use: as for whatever he might do now.
pub(super) fn plan_of_offers(programme: &Programme, now: Instant, member: MemberId) -> Load {
    let mut plan = Plan::new(programme, now);
    plan.times = Some((now, now));
    let id = member.uuid();
    let (load, day) = (&mut plan.load, programme.time_zone.day_of(now));
    for list in [&mut load.members, &mut load.perks, &mut load.tags, &mut load.coupons_of, &mut load.wallets.members] {
        list.push(id);
    }
    if programme.redates_lots() {
        load.debit.push(id);
    }
    for promotion in plan.limited.iter().chain(&plan.triggered) {
        used(load, promotion, id, day);
    }
    // How often an event was rewarded is told where that is not limited too.
    let of_event = |promotion: &&Promotion| matches!(promotion.trigger, Trigger::Event { .. });
    for promotion in programme.promotions.iter().filter(of_event) {
        load.promotion_uses.0.push(id);
        load.promotion_uses.1.push(promotion.code.clone());
        load.promotion_uses.2.push(Day::default());
    }
    if programme.referral.is_some() {
        plan.load.referrals.open.push(id);
    }
    for reward in &programme.rewards {
        plan.redeemed.insert(reward.code.clone(), 1);
        plan.counted.insert(id);
    }
    plan.finish()
}

/// What the commands of a batch need, as they are looked at one by one.
struct Plan<'p> {
    programme: &'p Programme,
    now: Instant,
    /// Whether a change of tier may be an occasion, and whether a purchase's condition asks for birth dates.
    tier_occasions: bool,
    birthdays: bool,
    /// Whether anything asks for tags.
    tags: bool,
    /// Limited promotions on purchases, and those with another trigger.
    limited: Vec<&'p Promotion>,
    triggered: Vec<&'p Promotion>,
    /// Promotions that give money.
    cashback: Vec<&'p Promotion>,
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
            tier_occasions: programme.has_tier_occasions(),
            birthdays: programme.asks_for_birthday(),
            tags: programme.asks_for_tags(),
            limited: limited(programme, Trigger::is_purchase),
            triggered: limited(programme, |trigger| !trigger.is_purchase()),
            cashback: programme.promotions.iter().filter(|promotion| gives_money(promotion)).collect(),
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
            Command::Move(moving) => {
                load.wallets.whole.push(member);
                self.moving(moving, at);
            }
            Command::Capture(Capture { redemption, .. }) | Command::Void(redemption) => {
                load.debit.push(member);
                load.redemptions.push(redemption.uuid());
            }
            Command::Fulfil(fulfil) => load.redemptions.push(fulfil.redemption.uuid()),
            Command::Return(goods) => {
                load.debit.push(member);
                load.sales.push(goods.purchase.uuid());
                load.wallets.whole.push(member);
                load.wallets.sales.push(goods.purchase.uuid());
                load.returns.0.push(goods.source.clone());
                load.returns.1.push(goods.external_id.clone());
            }
            Command::Wallet(WalletCommand::Refund(_)) => load.wallets.whole.push(member),
            Command::Wallet(_) => load.wallets.members.push(member),
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
                if self.programme.referral.is_some() {
                    load.referrals.due.push(member);
                }
                // Whether the last change of tier was a rise.
                if self.tier_occasions {
                    load.late.push(member);
                }
                self.granted(member, at, |trigger| !matches!(trigger, Trigger::Event { .. }));
            }
            Command::Event(happened) => {
                load.perks.push(member);
                load.events.push(member);
                self.granted(
                    member,
                    at,
                    |trigger| matches!(trigger, Trigger::Event { event } if *event == happened.code),
                );
            }
            Command::UseEntitlement(_) => load.perks.push(member),
            Command::Tag(_) => load.tags.push(member),
            Command::PlaceTier(_) if self.tier_occasions => {
                load.perks.push(member);
                self.granted(member, at, |trigger| matches!(trigger, Trigger::TierChange { .. }));
            }
            Command::Merge(merge) => {
                load.whole.push(member);
                load.tags.extend([member, merge.into.uuid()]);
                load.wallets.whole.extend([member, merge.into.uuid()]);
            }
            Command::Unmerge => {
                load.wallets.whole.push(member);
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
        if self.tier_occasions {
            load.risers.push(member);
        }
        // The birth date comes with the grants.
        if self.birthdays {
            load.perks.push(member);
        }
        if self.tags {
            load.tags.push(member);
        }
        load.receipts.0.push(purchase.source.clone());
        load.receipts.1.push(purchase.external_id.clone());
        if purchase.wallet.is_some() || self.cashback.iter().any(|promotion| may_be_for(promotion, purchase, day)) {
            load.wallets.members.push(member);
        }
        self.limits(purchase, member, day);
        self.referral(purchase, member);
    }

    /// The referral of a member that a purchase may complete.
    fn referral(&mut self, purchase: &Purchase, member: Uuid) {
        let Some(terms) = self.programme.referral else { return };
        // What counts of it is no more than what is paid for.
        let paid_for = purchase.lines.iter().map(|line| i128::from(line.amount.get().max(0))).sum::<i128>();
        if paid_for == 0 || paid_for < i128::from(terms.minimum_spend.get()) {
            return;
        }
        self.load.referrals.open.push(member);
        // He is referred once: that he has used none of it needs no look.
        let whom = ReferralSide::Referred;
        let shared = |promotion: &&&Promotion| promotion.trigger == Trigger::Referral { whom };
        let shared = self.triggered.iter().filter(shared).filter(|promotion| promotion.limits.is_shared());
        self.load.promotions.extend(shared.map(|promotion| promotion.code.clone()));
    }

    /// What was used of promotions that may be for a purchase.
    fn limits(&mut self, purchase: &Purchase, member: Uuid, day: Day) {
        for promotion in self.limited.iter().filter(|promotion| may_be_for(promotion, purchase, day)) {
            used(&mut self.load, promotion, member, day);
        }
        for promotion in &self.triggered {
            if matches!(promotion.trigger, Trigger::TierChange { .. }) {
                used(&mut self.load, promotion, member, day);
            }
        }
    }

    /// What was used of promotions that may give something for an occasion.
    fn granted(&mut self, member: Uuid, at: Instant, asked: impl Fn(&Trigger) -> bool) {
        let day = self.programme.time_zone.day_of(at);
        if self.tags {
            self.load.tags.push(member);
        }
        for promotion in self.triggered.iter().filter(|promotion| asked(&promotion.trigger)) {
            used(&mut self.load, promotion, member, day);
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
            if self.tags {
                self.load.tags.push(member);
            }
        }
    }

    /// The purchase lies back as a late one does.
    fn moving(&mut self, moving: &Move, at: Instant) {
        let (to, occurred_at) = (moving.to.uuid(), moving.again.occurred_at.unwrap_or(at));
        let day = self.programme.time_zone.day_of(occurred_at);
        let load = &mut self.load;
        load.since = load.since.min(occurred_at);
        load.late.push(to);
        if self.tier_occasions || self.birthdays {
            load.perks.push(to);
        }
        if self.tags {
            load.tags.push(to);
        }
        load.days.0.push(to);
        load.days.1.push(day);
        load.sales.push(moving.purchase.uuid());
        load.wallets.whole.push(to);
        load.wallets.sales.push(moving.purchase.uuid());
        self.limits(&moving.again, to, day);
        self.referral(&moving.again, to);
    }

    fn finish(self) -> Load {
        let Self { programme, mut load, .. } = self;
        let zone = programme.time_zone;
        let (first, at) = self.times.unwrap_or((self.now, self.now));
        let (first, today) = (zone.day_of(first), zone.day_of(at));
        sort(&mut load.members);
        sort(&mut load.promotions);
        sort(&mut load.coupons);
        sort(&mut load.tags);
        sort(&mut load.referrals.open);
        sort(&mut load.referrals.due);
        let wallets = &mut load.wallets;
        wallets.members.extend(&wallets.whole);
        sort(&mut wallets.members);
        sort(&mut wallets.whole);
        wallets.month = month_of(zone.day_of(load.since.min(at)));
        let granted: HashSet<Uuid> = load.perks.iter().copied().collect();
        load.risers.retain(|member| !granted.contains(member));
        (load.at, load.today) = (at, today);
        load.notices_at = self.notices_at.unwrap_or(at);
        load.window = bounds(programme.tiers.window, first, today);
        // A late purchase may lie in the year before: on a day that was chosen for a multiple.
        load.uses_from = zone.day_of(load.since.min(at));
        load.reward = wanted(programme, &self.redeemed, self.counted, first);
        load.rewards = self.redeemed.into_keys().collect();
        load.coupon_types = limited_coupons(programme);
        load
    }
}

/// The promotions on record with limits and such a trigger.
fn limited(programme: &Programme, asked: impl Fn(&Trigger) -> bool) -> Vec<&Promotion> {
    programme.promotions.iter().filter(|promotion| !promotion.limits.is_none() && asked(&promotion.trigger)).collect()
}

/// The types of coupons that have limits.
fn limited_coupons(programme: &Programme) -> Vec<String> {
    programme.coupons.iter().filter(|of| !of.limits.is_none()).map(|of| of.code.clone()).collect()
}

/// Asks what was used of a promotion, by a member from a day on.
fn used(load: &mut Load, promotion: &Promotion, member: Uuid, day: Day) {
    if promotion.limits.is_shared() {
        load.promotions.push(promotion.code.clone());
    }
    if promotion.limits.is_personal() {
        let ever = promotion.limits.per_member.is_some();
        load.promotion_uses.0.push(member);
        load.promotion_uses.1.push(promotion.code.clone());
        load.promotion_uses.2.push(if ever { Day::default() } else { day });
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

/// Whether a promotion gives money to wallets.
fn gives_money(promotion: &Promotion) -> bool {
    promotion.state == PromotionState::Live && matches!(promotion.effect, PromotionEffect::Cashback { .. })
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
    let tickets = rewards.clone().filter(|(reward, _)| reward.kind == RewardKind::DrawTicket);
    let tickets = tickets.map(|(reward, _)| reward.code.clone()).collect();
    let limits = rewards.filter_map(|(reward, _)| Some((reward, reward.per_member?)));
    // The earliest of their periods; one that counts for ever begins before all of them.
    let since = limits.clone().map(|(_, limit)| limit.counted_since(programme.time_zone, first)).min().flatten();
    let limits = limits.map(|(reward, _)| reward.code.clone());
    reward::Wanted { limited: (limited.into_iter().collect(), limits.collect()), since, vouchers, tickets }
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
    let Load { debit, late, perks, notices, whole, days, promotion_uses, tags, wallets, .. } = load;
    let lists = [debit, late, perks, notices, whole, &days.0, &promotion_uses.0, tags, &wallets.members];
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
