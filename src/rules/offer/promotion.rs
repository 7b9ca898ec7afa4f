//! Promotions as offers.

use super::{Audience, Bar, Counted, Fit, Need, Offer, OfferKind, Progress, SOON_DAYS, Shop};
use crate::amount::Minor;
use crate::life::PromotionState;
use crate::promotion::{Miss, NthPurchase, Opening, Promotion, PromotionEffect};
use crate::referral::ReferralSide;
use crate::time::{Day, Instant, add_days, month_of};
use crate::trigger::{Direction, Trigger};

/// When a promotion may give something, and what must happen for it.
struct Chance {
    from: Instant,
    until: Option<Instant>,
    need: Option<Need>,
}

impl Shop<'_> {
    /// A live promotion as an offer; `None` where there is nothing to be told of it.
    pub(super) fn promotion(&self, promotion: &Promotion) -> Option<Offer> {
        let told = !matches!(
            promotion.effect,
            PromotionEffect::Tag { .. } | PromotionEffect::Untag { .. } | PromotionEffect::Message { .. }
        );
        let surprise = promotion.unlisted && self.audience == Audience::Member;
        if promotion.state != PromotionState::Live || !told || surprise {
            return None;
        }
        let at = self.draft.at;
        let opening = promotion.schedule.opening(self.draft.zone(), at, self.soon)?;
        let Chance { from, until, need } = self.chance(promotion, opening)?;
        let day = self.draft.zone().day_of(from.max(at));
        if self.programme().is_over(&promotion.effect, day) {
            return None;
        }
        let bar = self.bar(promotion, day).or_else(|| (from > at).then_some(Bar::NotYet { from }));
        if !self.shows_promotion(promotion, bar.as_ref()) {
            return None;
        }
        let mut needs = self.needs(promotion);
        needs.extend(need.map(|need| (need, true)));
        Some(Offer {
            until,
            progress: self.progress_of(promotion, day),
            ..Offer::new(OfferKind::Promotion, &promotion.code, Fit::of(bar, &needs))
        })
    }

    /// When what sets a promotion off may come about while it runs. `None`: it will not, or is too far ahead.
    fn chance(&self, promotion: &Promotion, opening: Opening) -> Option<Chance> {
        let Opening { from, until } = opening;
        let chance = |need| Some(Chance { from, until, need });
        match &promotion.trigger {
            Trigger::Purchase => chance(None),
            // It is behind him.
            Trigger::Enrolment => None,
            Trigger::Event { .. } => chance(Some(Need::Event)),
            Trigger::TierChange { .. } => self.tier_of(promotion).and_then(|_| chance(Some(Need::TierChange))),
            Trigger::Lapse { days } => {
                let away = self.facts.member.days_since_purchase?;
                // On that day it is given, and again for the next absence alone.
                if away < i64::from(*days) { chance(Some(Need::Absence)) } else { None }
            }
            Trigger::Referral { whom: ReferralSide::Referrer } => chance(Some(Need::Referral)),
            Trigger::Referral { whom: ReferralSide::Referred } => {
                let (zone, terms) = (self.draft.zone(), self.programme().referral?);
                let open = self.draft.member.referral.is_some_and(|referral| !referral.completed);
                let last = terms.last_day(zone.day_of(self.draft.member.standing.enrolled_at));
                let end = zone.midnight(add_days(last, 1));
                let until = Some(until.map_or(end, |until| until.min(end)));
                (open && self.today <= last).then_some(Chance { from, until, need: Some(Need::Referral) })
            }
            Trigger::Birthday { .. } => {
                let (kind, (before, after), leap) = promotion.trigger.occasion()?;
                let occasion = kind.near(self.today, &self.draft.facts(), (before + SOON_DAYS, after), leap)?;
                if self.draft.granted_before(promotion, occasion.number) {
                    return None;
                }
                let zone = self.draft.zone();
                let first = zone.midnight(add_days(occasion.from, SOON_DAYS.into()));
                let end = zone.midnight(add_days(occasion.to, 1));
                let until = Some(until.map_or(end, |until| until.min(end)));
                Some(Chance { from: from.max(first), until, need: None })
            }
        }
    }

    /// The position of the tier that a promotion waits for: above the member's.
    fn tier_of(&self, promotion: &Promotion) -> Option<usize> {
        let Trigger::TierChange { direction, to } = &promotion.trigger else { return None };
        let next = self.tier + 1;
        let position = to.as_ref().map_or(next, |to| self.programme().tier_position(to));
        let ahead = position > self.tier && position < self.programme().tiers.levels.len();
        (ahead && *direction != Some(Direction::Down)).then_some(position)
    }

    /// Why it gives the member nothing on a day, whatever he buys.
    fn bar(&self, promotion: &Promotion, day: Day) -> Option<Bar> {
        if let Audience::Till(Some(store)) = self.audience
            && !promotion.stores.is_empty()
            && !promotion.stores.iter().any(|own| own == store)
        {
            return Some(Bar::Missed(Miss::Store));
        }
        let member = &self.facts.member;
        let missed = promotion.miss_of_member(&member.tier, Some(member), member.purchases);
        // That the purchase which counts is another one is told last: it comes by buying.
        let (missed, waits) = match missed {
            Some(Miss::Tier) => return Some(self.higher(promotion).unwrap_or(Bar::Missed(Miss::Tier))),
            Some(Miss::NthPurchase) => (None, true),
            missed => (missed, false),
        };
        let usage = self.draft.promotions_used.get(&promotion.code).copied().unwrap_or_default();
        let own = self.draft.member.promotion_uses.get(&promotion.code);
        let reached = || promotion.limits.miss(usage, own, day).map(Bar::Missed);
        let given_out = || {
            let left = self.of_month(promotion, day).and_then(|progress| progress.left());
            (left == Some(0)).then_some(Bar::MonthLimit)
        };
        let unmet = || {
            let condition = promotion.condition.as_ref().filter(|condition| condition.asks_member_alone())?;
            (!condition.met(&self.facts)).then_some(Bar::Missed(Miss::Condition))
        };
        let nth = || waits.then_some(Bar::Missed(Miss::NthPurchase));
        missed.map(Bar::Missed).or_else(unmet).or_else(reached).or_else(given_out).or_else(nth)
    }

    /// The lowest tier above the member's that a promotion is for.
    fn higher(&self, promotion: &Promotion) -> Option<Bar> {
        let programme = self.programme();
        let above = programme.tiers.levels.get(self.tier + 1..).unwrap_or_default();
        let level = above.iter().find(|level| promotion.tiers.contains(&level.code))?;
        Some(Bar::TierTooLow { tier: level.code.clone() })
    }

    /// As [`Shop::shows`]; a condition may tell members apart as segments and tags do.
    fn shows_promotion(&self, promotion: &Promotion, bar: Option<&Bar>) -> bool {
        let apart = promotion.condition.as_ref().is_some_and(|when| when.reads_tags() || when.reads_segments());
        let hidden = self.audience == Audience::Member && bar == Some(&Bar::Missed(Miss::Condition)) && apart;
        !hidden && self.shows(bar, &promotion.segments)
    }

    /// What it asks of a basket, and whether it does.
    fn needs(&self, promotion: &Promotion) -> Vec<(Need, bool)> {
        let undecided = promotion.condition.as_ref().is_some_and(|when| !when.asks_member_alone());
        let elsewhere = !promotion.stores.is_empty() && !matches!(self.audience, Audience::Till(Some(_)));
        vec![
            (Need::Goods, !promotion.categories.is_empty() || !promotion.skus.is_empty()),
            (Need::MinimumSpend, promotion.minimum_spend.is_some()),
            (Need::Store, elsewhere),
            (Need::Channel, !promotion.channels.is_empty()),
            (Need::Condition, undecided),
        ]
    }

    /// Cashback of the member's month that a day lies in, where that is limited.
    fn of_month(&self, promotion: &Promotion, day: Day) -> Option<Progress> {
        let PromotionEffect::Cashback { cap_per_month: Some(cap), .. } = promotion.effect else { return None };
        let given = self.cashback.get(&promotion.code).filter(|_| month_of(day) == month_of(self.today));
        let given = given.copied().unwrap_or(Minor::ZERO).max(Minor::ZERO);
        Some(Progress::new(Counted::CashbackOfMonth, given.get(), cap.get()))
    }

    fn progress_of(&self, promotion: &Promotion, day: Day) -> Vec<Progress> {
        let member = &self.facts.member;
        let mut all = Vec::new();
        match promotion.nth_purchase {
            Some(NthPurchase::Every(n)) if n > 1 => {
                all.push(Progress::new(Counted::Purchases, member.purchases % i64::from(n), n.into()));
            }
            Some(NthPurchase::Exactly(n)) if member.purchases < i64::from(n) => {
                all.push(Progress::new(Counted::Purchases, member.purchases, n.into()));
            }
            _ => {}
        }
        if let (Trigger::Lapse { days }, Some(away)) = (&promotion.trigger, member.days_since_purchase) {
            all.push(Progress::new(Counted::DaysAway, away, (*days).into()));
        }
        all.extend(self.tier_of(promotion).map(|position| self.towards(position)));
        all.extend(self.of_month(promotion, day));
        let own = self.draft.member.promotion_uses.get(&promotion.code);
        let ever: i64 = own.map_or(0, |days| days.values().sum());
        let of_day = own.and_then(|days| days.get(&day)).copied().unwrap_or(0);
        let usage = self.draft.promotions_used.get(&promotion.code).copied().unwrap_or_default();
        let limits = promotion.limits;
        let limited = [
            (Counted::Uses, ever, limits.per_member),
            (Counted::UsesOfDay, of_day, limits.per_member_per_day),
            (Counted::UsesOfAll, usage.uses, limits.total),
        ];
        let limited = limited.into_iter().filter_map(|(of, done, limit)| Some(Progress::new(of, done, limit?.into())));
        all.extend(limited);
        // How often an event was rewarded is worth telling without an end to it.
        if matches!(promotion.trigger, Trigger::Event { .. }) && limits.per_member.is_none() {
            all.push(Progress { of: Counted::Uses, done: ever, target: None });
        }
        all
    }
}
