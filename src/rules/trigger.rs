//! Triggers: what sets a promotion off (PROGRAMME.md §8). Most promotions are for purchases
//! ([`crate::promotion`], [`crate::earning`]); the others give something for an occasion, and once for each.
//!
//! Occasions are those of perks ([`crate::occasion`]), and three more: each change of tier, each event and each
//! referral ([`crate::referral`]). What was
//! given is a grant ([`PerkGrant`]) under the promotion's [`grant_code`], so that the key of grants proves that
//! nothing is given twice, whatever runs beside.

use chrono::Duration;
use serde::{Deserialize, Serialize};

use crate::amount::Points;
use crate::condition::Facts;
use crate::decision::Effect;
use crate::draft::Draft;
use crate::event::EventFacts;
use crate::gift::Given;
use crate::life::PromotionState;
use crate::limit::{PromotionUsage, PromotionUse, UsageRange};
use crate::lot::Lapse;
use crate::occasion::{EVENTS_FROM, Occasion, OccasionKind, TIER_CHANGES_FROM};
use crate::perk::{BIRTHDAY_REST, PerkGift, PerkGrant, PerkWindow, WINDOW_DAYS_MAX};
use crate::programme::{Problems, Programme};
use crate::promotion::{Miss, Promotion, PromotionEffect};
use crate::referral::ReferralSide;
use crate::refusal::Refusal;
use crate::segment::shares;
use crate::time::{Instant, LeapDay, add_days};

/// What sets a promotion off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Trigger {
    /// A purchase that is recorded.
    #[default]
    Purchase,
    /// The enrolment, once.
    Enrolment,
    /// The birthday, once a year, on the first day of the window on which everything holds.
    Birthday {
        /// Days before the birthday, at most 180.
        #[serde(default, skip_serializing_if = "is_zero")]
        before_days: u32,
        /// Days after it, at most 180.
        #[serde(default, skip_serializing_if = "is_zero")]
        after_days: u32,
        /// Where a birthday of 29 February is kept in common years.
        #[serde(default, skip_serializing_if = "is_usual")]
        leap_day: LeapDay,
    },
    /// A change of tier, each once.
    TierChange {
        /// Which way; absent: either.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        direction: Option<Direction>,
        /// Code of the tier it leads to; absent: any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
    },
    /// An event that another system tells of, each once.
    Event {
        /// Code of the kind of event.
        event: String,
    },
    /// So many days without a purchase, once for each last purchase: who has never bought has not lapsed.
    Lapse {
        /// 1 to 3,650.
        days: u32,
    },
    /// A referral that is completed, each once for either side.
    Referral {
        /// For whom the promotion is.
        #[serde(rename = "for")]
        whom: ReferralSide,
    },
}

/// Which way a tier changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To a higher one.
    Up,
    /// To a lower one.
    Down,
}

fn is_zero(days: &u32) -> bool {
    *days == 0
}

fn is_usual(leap: &LeapDay) -> bool {
    *leap == LeapDay::default()
}

/// What no process was running for is made up for on the day after.
const CATCH_UP_DAYS: u32 = 1;

/// What the grants of promotions are told apart by from those of perks, whose codes have no colon.
const GRANT_PREFIX: &str = "promotion:";

/// Under which code a promotion grants.
pub fn grant_code(promotion: &str) -> String {
    format!("{GRANT_PREFIX}{promotion}")
}

/// The promotion that granted under a code; `None`: a perk did.
pub fn promotion_of(grant: &str) -> Option<&str> {
    grant.strip_prefix(GRANT_PREFIX)
}

impl Trigger {
    /// The word it is told apart by.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Purchase => "purchase",
            Self::Enrolment => "enrolment",
            Self::Birthday { .. } => "birthday",
            Self::TierChange { .. } => "tier_change",
            Self::Event { .. } => "event",
            Self::Lapse { .. } => "lapse",
            Self::Referral { .. } => "referral",
        }
    }

    /// Whether a purchase sets it off.
    pub fn is_purchase(&self) -> bool {
        *self == Self::Purchase
    }

    /// The occasion of perks that it is, with the days before and after it on which it counts.
    pub fn occasion(&self) -> Option<(OccasionKind, (u32, u32), LeapDay)> {
        match *self {
            Self::Enrolment => Some((OccasionKind::Welcome, (0, CATCH_UP_DAYS), LeapDay::default())),
            Self::Birthday { before_days, after_days, leap_day } => {
                Some((OccasionKind::Birthday, (before_days, after_days), leap_day))
            }
            Self::Lapse { days } => Some((OccasionKind::Lapse { days }, (0, CATCH_UP_DAYS), LeapDay::default())),
            // The days alone: tiers reached by name are not its occasions.
            Self::TierChange { .. } => Some((OccasionKind::TierReached, (0, CATCH_UP_DAYS), LeapDay::default())),
            Self::Purchase | Self::Event { .. } | Self::Referral { .. } => None,
        }
    }

    fn check(&self, programme: &Programme, at: &str, found: &mut Problems) {
        match self {
            Self::Birthday { before_days, after_days, .. } => {
                for (field, days) in [("before_days", before_days), ("after_days", after_days)] {
                    let wide = *days > WINDOW_DAYS_MAX;
                    found.refuse(wide, &format!("{at}/{field}"), "out_of_range", "must be 0 to 180");
                }
            }
            Self::TierChange { to: Some(to), .. } => {
                let known = programme.tiers.levels.iter().any(|level| &level.code == to);
                found.refuse(!known, &format!("{at}/to"), "unknown_tier", "no tier has this code");
            }
            Self::Event { event } => {
                let unknown = programme.event(event).is_none();
                found.refuse(unknown, &format!("{at}/event"), "unknown_event", "no event has this code");
            }
            Self::Lapse { days } => {
                let wrong = !(1..=3_650).contains(days);
                found.refuse(wrong, &format!("{at}/days"), "out_of_range", "must be 1 to 3650");
            }
            Self::Referral { .. } => {
                let detail = "no referral is ever completed: add [referral]";
                found.refuse(programme.referral.is_none(), at, "referral_missing", detail);
            }
            Self::Purchase | Self::Enrolment | Self::TierChange { to: None, .. } => {}
        }
    }
}

impl Promotion {
    /// Notes what does not fit the trigger: fields that only a purchase can answer, and effects that only it can
    /// have or that could not go back with it.
    pub(crate) fn check_trigger(&self, programme: &Programme, at: &str, found: &mut Problems) {
        self.trigger.check(programme, &format!("{at}/trigger"), found);
        let word = self.trigger.as_str();
        let mut foreign = |said: bool, field: &str| {
            let detail = format!("means nothing for the trigger `{word}`");
            found.refuse(said, &format!("{at}/{field}"), "not_for_trigger", &detail);
        };
        if self.trigger.is_purchase() {
            // What a purchase gives goes back with it, and only a coupon can be taken back.
            let stays = matches!(self.effect, PromotionEffect::Reward { .. } | PromotionEffect::Multiplier { .. });
            foreign(stays, "effect/kind");
            return;
        }
        let by_sale = matches!(
            self.effect,
            PromotionEffect::Multiply { .. } | PromotionEffect::PerAmount { .. } | PromotionEffect::Cashback { .. }
        );
        foreign(by_sale, "effect/kind");
        foreign(self.cap_per_purchase.is_some(), "cap_per_purchase");
        foreign(self.exclusion_group.is_some(), "exclusion_group");
        foreign(!self.categories.is_empty(), "categories");
        foreign(!self.skus.is_empty(), "skus");
        foreign(self.minimum_spend.is_some(), "minimum_spend");
        foreign(self.first_purchase, "first_purchase");
        foreign(self.nth_purchase.is_some(), "nth_purchase");
        foreign(!self.channels.is_empty(), "channels");
        let is_event = matches!(self.trigger, Trigger::Event { .. });
        foreign(!is_event && !self.stores.is_empty(), "stores");
        // Whom the clock concerns is looked for at midnight.
        let by_clock = matches!(self.trigger, Trigger::Birthday { .. } | Trigger::Lapse { .. });
        foreign(by_clock && !self.schedule.hours.is_empty(), "schedule/hours");
    }
}

impl Promotion {
    /// Where the usage before a batch may lie for a grant of so many points to be right, after so much was used in it
    /// before: within the limits, and where fewer points were given than it gives, with just those left.
    pub fn granted_within(&self, points: i64, before: PromotionUsage) -> UsageRange {
        let mut range = UsageRange::default();
        if let Some(total) = self.limits.total {
            range.uses.1 = i64::from(total) - 1 - before.uses;
        }
        if let (Some(budget), PromotionEffect::Add { points: wanted }) = (self.limits.budget_points, &self.effect) {
            let most = budget.get() - before.points - points;
            range.points = if points < wanted.get() { (most, most) } else { (i64::MIN, most) };
        }
        range
    }
}

/// For whom the clock may be the occasion of something, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// Under which code it is granted.
    pub code: String,
    /// The occasion.
    pub occasion: OccasionKind,
    /// The most days before and after it on which it counts.
    pub window: (u32, u32),
}

impl Programme {
    /// Every occasion for which perks and live promotions give something.
    pub fn awaited(&self) -> Vec<Awaited> {
        let perks = self.perks.iter().map(|perk| {
            let widest = |days: fn(&PerkWindow) -> u32| perk.windows.iter().map(days).max().unwrap_or(0);
            let window = (widest(|window| window.before_days), widest(|window| window.after_days));
            Awaited { code: perk.code.clone(), occasion: perk.occasion, window }
        });
        let live = self.promotions.iter().filter(|promotion| promotion.state == PromotionState::Live);
        let promotions = live.filter_map(|promotion| {
            let (occasion, window, _) = promotion.trigger.occasion()?;
            Some(Awaited { code: grant_code(&promotion.code), occasion, window })
        });
        perks.chain(promotions).collect()
    }

    /// The promotions on record that something else than a purchase sets off, in the order in which they give.
    pub(crate) fn triggered(&self) -> Vec<&Promotion> {
        let offered = self.promotions.iter().filter(|promotion| promotion.is_offered());
        let mut triggered: Vec<&Promotion> = offered.filter(|promotion| !promotion.trigger.is_purchase()).collect();
        triggered.sort_by_key(|promotion| (promotion.priority, &promotion.code));
        triggered
    }

    /// A promotion.
    pub fn promotion(&self, code: &str) -> Option<&Promotion> {
        self.promotions.iter().find(|promotion| promotion.code == code)
    }
}

/// What set promotions off, as far as they may ask of it.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// When it happened.
    pub(crate) at: Instant,
    /// Code of the store, where there is one.
    pub(crate) store: &'a str,
    /// The event, where it is one.
    pub(crate) event: Option<&'a EventFacts>,
}

impl Draft<'_> {
    /// Grants what promotions give for the occasions in whose window today lies, unless they did before. A frozen
    /// member is granted nothing.
    pub(crate) fn grant_promotions(&mut self, asked: impl Fn(&Trigger) -> bool) -> Result<Vec<Given>, Refusal> {
        let mut given = Vec::new();
        if self.member.standing.frozen {
            return Ok(given);
        }
        for promotion in self.programme.triggered().into_iter().filter(|promotion| asked(&promotion.trigger)) {
            let Some(occasion) = self.occasion_for(promotion) else { continue };
            if self.granted_before(promotion, occasion.number) {
                continue;
            }
            if self.misses(promotion, Asked { at: self.at, store: "", event: None }).is_none() {
                let window = occasion.instants(self.zone());
                given.push(self.grant_promotion(promotion, occasion.number, window)?);
            }
        }
        Ok(given)
    }

    /// Grants what a change of tier sets off, if the tier has changed since it had changed so often. Every change is
    /// an occasion of its own, so earlier grants need not be loaded.
    pub(crate) fn grant_changed(&mut self, changes: i64) -> Result<Vec<Given>, Refusal> {
        if self.member.standing.tier_changes > changes {
            return self.grant_promotions(|trigger| matches!(trigger, Trigger::TierChange { .. }));
        }
        Ok(Vec::new())
    }

    /// The occasion that today is in the window of.
    fn occasion_for(&self, promotion: &Promotion) -> Option<Occasion> {
        let today = self.today();
        if let Trigger::TierChange { direction, to } = &promotion.trigger {
            let last = self.member.tier_changes.last()?;
            let position = |code: &str| self.programme.tier_position(code);
            let (from, reached) = (position(&last.from), position(&last.to));
            let way = match direction {
                None => true,
                Some(Direction::Up) => reached > from,
                Some(Direction::Down) => reached < from,
            };
            let there = to.as_ref().is_none_or(|to| *to == last.to);
            let day = self.zone().day_of(last.at);
            let last_day = add_days(day, i64::from(CATCH_UP_DAYS));
            let number = TIER_CHANGES_FROM.checked_add(i32::try_from(last.number).ok()?)?;
            return (way && there && day <= today && today <= last_day).then_some(Occasion {
                number,
                from: day,
                to: last_day,
            });
        }
        let (kind, window, leap) = promotion.trigger.occasion()?;
        kind.near(today, &self.facts(), window, leap)
    }

    pub(crate) fn granted_before(&self, promotion: &Promotion, occasion: i32) -> bool {
        let code = grant_code(&promotion.code);
        let birthday = matches!(promotion.trigger, Trigger::Birthday { .. });
        let rest = if birthday { BIRTHDAY_REST } else { Duration::zero() };
        let mut granted = self.member.grants.iter().filter(|grant| grant.perk == code);
        granted.any(|grant| grant.occasion == occasion || grant.granted_at + rest > self.at)
    }

    /// Why a promotion gives nothing for what set it off, or `None` when it gives.
    pub(crate) fn misses(&self, promotion: &Promotion, asked: Asked<'_>) -> Option<Miss> {
        let at = self.zone().local(asked.at);
        promotion.miss_of_time(at).or_else(|| {
            let code = &self.programme.tier(self.tier()).code;
            if !promotion.stores.is_empty() && !promotion.stores.iter().any(|own| own == asked.store) {
                return Some(Miss::Store);
            }
            if !promotion.tiers.is_empty() && !promotion.tiers.contains(code) {
                return Some(Miss::Tier);
            }
            if self.programme.is_over(&promotion.effect, at.date()) {
                return Some(Miss::Schedule);
            }
            let member = self.member_facts(self.at);
            if !promotion.segments.is_empty() && !shares(&promotion.segments, &member.segments) {
                return Some(Miss::Segment);
            }
            if !promotion.tags.is_empty() && !shares(&promotion.tags, &member.tags) {
                return Some(Miss::Tag);
            }
            if let Some(condition) = &promotion.condition {
                let (store, event) = (asked.store.to_owned(), asked.event.cloned());
                let facts = Facts { store, event, ..Facts::of_member(member, at) };
                if !condition.met_for(self.programme.scope(&promotion.trigger), &facts) {
                    return Some(Miss::Condition);
                }
            }
            let usage = self.promotions_used.get(&promotion.code).copied().unwrap_or_default();
            promotion.limits.miss(usage, self.member.promotion_uses.get(&promotion.code), self.today())
        })
    }

    /// Grants what a promotion gives for an occasion, and counts it. Counted without a limit too: a limit set later
    /// counts what went before.
    pub(crate) fn grant_promotion(
        &mut self,
        promotion: &Promotion,
        occasion: i32,
        (from, until): (Instant, Instant),
    ) -> Result<Given, Refusal> {
        let usage = self.promotions_used.get(&promotion.code).copied().unwrap_or_default();
        let left = promotion.limits.left(usage);
        let gift = promotion.effect.gift(left).ok_or(Refusal::AmountOutOfRange)?;
        let ends = |days: u32| self.zone().midnight(add_days(self.today(), i64::from(days) + 1));
        let (from, until) = match promotion.effect {
            PromotionEffect::Reward { days, .. } | PromotionEffect::Multiplier { days, .. } => (self.at, ends(days)),
            _ => (from, until),
        };
        let points = if let PerkGift::Points { points } = gift { points } else { Points::ZERO };
        let change = PromotionUsage { uses: 1, points: points.get(), money: 0 };
        let used = PromotionUse { code: promotion.code.clone(), change, day: Some(self.today()) };
        self.record(Effect::UsePromotion(used))?;
        // The next promotion of the same command sees it.
        let usage = self.promotions_used.entry(promotion.code.clone()).or_default();
        *usage = usage.plus(change);
        let mut life = self.life_at(self.tier(), self.at, self.at);
        if let Some(rule) = &promotion.expiry {
            (life.expires_at, life.lapse) = (rule.expires_at(self.zone(), self.at), Lapse::Fixed);
        }
        let (perk, granted_at) = (grant_code(&promotion.code), self.at);
        self.grant_gift(PerkGrant { perk, occasion, granted_at, gift, from, until }, life)
    }

    /// The number of an event's occasion.
    pub(crate) fn event_occasion(number: i64) -> Result<i32, Refusal> {
        let number = i32::try_from(number).ok().and_then(|number| EVENTS_FROM.checked_add(number));
        number.filter(|number| *number < TIER_CHANGES_FROM).ok_or(Refusal::AmountOutOfRange)
    }
}
