//! Promotions: multipliers and extra points inside a schedule (PROGRAMME.md §3 and §8).

use serde::{Deserialize, Serialize};

use crate::amount::{Minor, Multiplier, Points};
use crate::condition::{Condition, MemberFacts};
use crate::earning::Sale;
use crate::expiry::Expiry;
use crate::gift::check_message;
use crate::life::PromotionState;
use crate::limit::Limits;
use crate::programme::{Problems, Programme};
use crate::segment::shares;
use crate::tag::Tag;
use crate::text::Text;
use crate::time::{ClockTime, Day, Instant, LocalTime, Weekday, Zone, add_days};
use crate::trigger::Trigger;

/// How several promotion multipliers combine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Combine {
    /// The largest alone counts; among equals the one first in priority.
    #[default]
    Best,
    /// Bonuses sum: 2× and 3× make 4×.
    Add,
    /// Multipliers multiply: 2× and 3× make 6×.
    Multiply,
}

/// A promotion: something given for purchases, or for another trigger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promotion {
    /// Names the promotion, unique among promotions.
    pub code: String,
    /// What members and cashiers see.
    pub name: Text,
    /// Where it is in its life; live where nothing is said.
    #[serde(default, skip_serializing_if = "PromotionState::is_live")]
    pub state: PromotionState,
    /// What sets it off; a purchase where nothing is said.
    #[serde(default, skip_serializing_if = "Trigger::is_purchase")]
    pub trigger: Trigger,
    /// When it runs.
    #[serde(default)]
    pub schedule: Schedule,
    /// What it gives.
    pub effect: PromotionEffect,
    /// The most it may add to one purchase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap_per_purchase: Option<Points>,
    /// How often it may be used and how many points it may give.
    #[serde(default, skip_serializing_if = "Limits::is_none")]
    pub limits: Limits,
    /// Of the promotions with one word here only the first in priority that gives something counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclusion_group: Option<String>,
    /// When the points it adds lapse, where that is not as for the rest of the purchase. Only fixed points
    /// can be told apart and open a lot of their own; what multiplies goes with the purchase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<Expiry>,
    /// Lower comes first; equal priorities go by code.
    #[serde(default)]
    pub priority: i32,
    /// Store codes it runs in; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stores: Vec<String>,
    /// Tier codes it is for; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<String>,
    /// Segment codes it is for: members in any of them; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<String>,
    /// Tags it is for: members who have any of them; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    /// Channels it is for, as `web`; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
    /// Categories it is for: lines of any of them. Empty, as `skus`: all lines. What multiplies then
    /// multiplies these lines alone, and what adds asks that some be bought.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// SKUs it is for, beside those categories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skus: Vec<String>,
    /// The least that the lines it is for come to, in minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_spend: Option<Minor>,
    /// Only for a member who has bought nothing before, or brought all of it back.
    #[serde(default, skip_serializing_if = "is_false")]
    pub first_purchase: bool,
    /// Only for some of a member's purchases, by number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth_purchase: Option<NthPurchase>,
    /// Whether members are not told of it beforehand ([`crate::offer`]): a surprise.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unlisted: bool,
    /// What no other field can say.
    #[serde(default, rename = "when", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
}

fn is_false(setting: &bool) -> bool {
    !*setting
}

/// Which of a member's purchases, counted from 1 in the order in which they arrive. One that came back
/// whole is not counted any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NthPurchase {
    /// Every so many: 5 is for the 5th, 10th, 15th …
    Every(u32),
    /// This one alone.
    Exactly(u32),
}

impl NthPurchase {
    fn is(self, number: i64) -> bool {
        match self {
            Self::Every(n) => n > 0 && number % i64::from(n) == 0,
            Self::Exactly(n) => number == i64::from(n),
        }
    }
}

/// What a promotion gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum PromotionEffect {
    /// Multiplies what the eligible lines earn.
    Multiply {
        /// At least 1.
        by: Multiplier,
    },
    /// Adds points after multiplication.
    Add {
        /// At least 1.
        points: Points,
    },
    /// Adds points after multiplication for what counts of the lines it is for: so many for every full
    /// `per` of it.
    PerAmount {
        /// At least 1.
        points: Points,
        /// In minor units, at least 1.
        per: Minor,
    },
    /// Issues a coupon to the member.
    Coupon {
        /// Code of its kind.
        coupon: String,
    },
    /// A reward of the catalogue, to be redeemed once for nothing, as a perk's ([`crate::perk::PerkGift::Reward`]).
    Reward {
        /// Its code.
        reward: String,
        /// For how many days after the day it is given, through the last of them; at most 366.
        days: u32,
    },
    /// Purchases of some days earn a multiple, as by a perk ([`crate::perk::PerkGift::Multiplier`]).
    Multiplier {
        /// At least 1.
        multiplier: Multiplier,
        /// For how many days after the day it is given, through the last of them; at most 366.
        days: u32,
    },
    /// Puts a tag on the member.
    Tag {
        /// Which.
        tag: Tag,
        /// For how many days after the day it is given, through the last of them, at most 3,660; absent: for good.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        days: Option<u32>,
    },
    /// Takes a tag off the member.
    Untag {
        /// Which.
        tag: Tag,
    },
    /// Tells the member something.
    Message {
        /// What, with places for what the books know ([`crate::gift::PLACEHOLDERS`]).
        text: Text,
    },
    /// Gives money to the wallet: so many percent of what counts of the lines it is for.
    Cashback {
        /// Above 0, at most 100; at most 4 decimal places.
        percent: Multiplier,
        /// The most for one purchase, in minor units.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cap: Option<Minor>,
        /// The most for one member in a local calendar month, in minor units.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cap_per_month: Option<Minor>,
    },
}

/// When a promotion runs, in the programme's time zone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// First day, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Day>,
    /// Last day, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Day>,
    /// Weekdays; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weekdays: Vec<Weekday>,
    /// Single days, as 11 November; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Day>,
    /// Times of the day; empty: all of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hours: Vec<Hours>,
}

/// A part of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// Its first minute.
    pub from: ClockTime,
    /// The first minute after it; `24:00` is the end of the day.
    pub to: ClockTime,
}

/// How far ahead the end of days without a gap is looked for.
const DAYS_LOOKED_AT: u32 = 366;

/// A time in which a promotion runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Opening {
    /// Its first instant, of the first day looked at where it began before.
    pub(crate) from: Instant,
    /// The first instant after it; absent: it has no end.
    pub(crate) until: Option<Instant>,
}

impl Schedule {
    /// Whether the promotion runs on a local day.
    pub fn covers(&self, day: Day) -> bool {
        self.from.is_none_or(|from| from <= day)
            && self.to.is_none_or(|to| day <= to)
            && (self.weekdays.is_empty() || self.weekdays.contains(&Weekday::of(day)))
            && (self.days.is_empty() || self.days.contains(&day))
    }

    /// Whether it runs at that time of a day.
    pub fn open_at(&self, at: LocalTime) -> bool {
        let time = ClockTime::of(at);
        self.hours.is_empty() || self.hours.iter().any(|hours| hours.from <= time && time < hours.to)
    }

    /// The time it runs in at an instant, or the next that begins on a local day up to `last`.
    pub(crate) fn opening(&self, zone: Zone, at: Instant, last: Day) -> Option<Opening> {
        let mut day = zone.day_of(at).max(self.from.unwrap_or(Day::MIN));
        while day <= last {
            if self.covers(day)
                && let Some(opening) = self.opening_on(zone, at, day)
            {
                return Some(opening);
            }
            day = add_days(day, 1);
        }
        None
    }

    /// The same on a day that it covers.
    fn opening_on(&self, zone: Zone, at: Instant, day: Day) -> Option<Opening> {
        if self.hours.is_empty() {
            let until = self.last_day(day).map(|last| zone.midnight(add_days(last, 1)));
            return Some(Opening { from: zone.midnight(day), until });
        }
        let windows = self.hours.iter().map(|hours| (zone.clock(day, hours.from), zone.clock(day, hours.to)));
        let (from, until) = windows.filter(|(_, until)| at < *until).min()?;
        Some(Opening { from, until: Some(until) })
    }

    /// The last of the days from one on that it covers without a gap; absent: there is no end to them.
    fn last_day(&self, day: Day) -> Option<Day> {
        if self.weekdays.is_empty() && self.days.is_empty() {
            return self.to;
        }
        let mut last = day;
        // All seven weekdays are the same as none.
        for _ in 0..DAYS_LOOKED_AT {
            let next = add_days(last, 1);
            if !self.covers(next) {
                return Some(last);
            }
            last = next;
        }
        self.to
    }

    fn check(&self, at: &str, found: &mut Problems) {
        let backwards = matches!((self.from, self.to), (Some(from), Some(to)) if to < from);
        found.refuse(backwards, &format!("{at}/to"), "before_from", "must not be before `from`");
        for (i, hours) in self.hours.iter().enumerate() {
            let detail = "must be after `from`; hours past midnight are a second window";
            found.refuse(hours.to <= hours.from, &format!("{at}/hours/{i}/to"), "before_from", detail);
        }
    }
}

impl Promotion {
    /// Whether a sale speaks of it: drafts and promotions that have ended are nobody's business.
    pub(crate) fn is_offered(&self) -> bool {
        matches!(self.state, PromotionState::Live | PromotionState::Paused)
    }

    /// Why the promotion does not apply to a sale, or `None` when it does. What it asks of the goods is
    /// asked elsewhere ([`crate::goods`]).
    pub fn miss(&self, sale: &Sale<'_>) -> Option<Miss> {
        if let Some(miss) = self.miss_of_time(sale.at) {
            Some(miss)
        } else if !self.stores.is_empty() && !self.stores.iter().any(|own| own == sale.store) {
            Some(Miss::Store)
        } else if !self.channels.is_empty() && !self.channels.iter().any(|own| own == sale.channel) {
            Some(Miss::Channel)
        } else {
            self.miss_of_member(&sale.tier.code, sale.member(), sale.purchases)
        }
    }

    /// Why it is not for a member of a tier who has bought so often, or `None` when it is. Where promotions ask for
    /// segments or tags, he is known.
    pub(crate) fn miss_of_member(&self, tier: &str, member: Option<&MemberFacts>, purchases: i64) -> Option<Miss> {
        let number = purchases + 1;
        if !self.tiers.is_empty() && !self.tiers.iter().any(|own| own == tier) {
            Some(Miss::Tier)
        } else if !self.segments.is_empty() && !member.is_some_and(|member| shares(&self.segments, &member.segments)) {
            Some(Miss::Segment)
        } else if !self.tags.is_empty() && !member.is_some_and(|member| shares(&self.tags, &member.tags)) {
            Some(Miss::Tag)
        } else if self.first_purchase && number != 1 {
            Some(Miss::FirstPurchase)
        } else if self.nth_purchase.is_some_and(|nth| !nth.is(number)) {
            Some(Miss::NthPurchase)
        } else {
            None
        }
    }

    /// Whether it gives nothing because of the time, whatever sets it off.
    pub(crate) fn miss_of_time(&self, at: LocalTime) -> Option<Miss> {
        if self.state != PromotionState::Live {
            Some(Miss::Paused)
        } else if !self.schedule.covers(at.date()) {
            Some(Miss::Schedule)
        } else if !self.schedule.open_at(at) {
            Some(Miss::Hours)
        } else {
            None
        }
    }

    fn check_effect(&self, programme: &Programme, at: &str, found: &mut Problems) {
        let long = |days: u32| days > 366;
        let days_at = format!("{at}/effect/days");
        match self.effect {
            PromotionEffect::Multiply { by } => found.multiplier(&format!("{at}/effect/by"), by, Multiplier::UNIT),
            PromotionEffect::Add { points } => {
                found.refuse(!points.is_positive(), &format!("{at}/effect/points"), "too_small", "must be at least 1");
            }
            PromotionEffect::PerAmount { points, per } => {
                for (field, figure) in [("points", points.get()), ("per", per.get())] {
                    found.refuse(figure <= 0, &format!("{at}/effect/{field}"), "too_small", "must be at least 1");
                }
            }
            PromotionEffect::Coupon { ref coupon } => {
                let unknown = programme.coupon(coupon).is_none();
                let pointer = format!("{at}/effect/coupon");
                found.refuse(unknown, &pointer, "unknown_coupon", "no kind of coupon has this code");
            }
            PromotionEffect::Reward { ref reward, days } => {
                let unknown = programme.reward(reward).is_none();
                found.refuse(unknown, &format!("{at}/effect/reward"), "unknown_reward", "no reward has this code");
                found.refuse(long(days), &days_at, "out_of_range", "must be 0 to 366");
            }
            PromotionEffect::Multiplier { multiplier, days } => {
                found.multiplier(&format!("{at}/effect/multiplier"), multiplier, Multiplier::UNIT);
                found.refuse(long(days), &days_at, "out_of_range", "must be 0 to 366");
            }
            PromotionEffect::Tag { days, .. } => {
                found.refuse(days.is_some_and(|days| days > 3_660), &days_at, "out_of_range", "must be 0 to 3660");
            }
            PromotionEffect::Untag { .. } | PromotionEffect::Cashback { .. } => {}
            PromotionEffect::Message { ref text } => check_message(text, &format!("{at}/effect/text"), found),
        }
        let no_points = self.effect.is_gift() && self.limits.budget_points.is_some();
        let pointer = format!("{at}/limits/budget_points");
        found.refuse(no_points, &pointer, "gives_no_points", "the promotion gives no points of its own");
        let capped = self.effect.is_gift() && self.cap_per_purchase.is_some();
        found.refuse(capped, &format!("{at}/cap_per_purchase"), "gives_no_points", "it adds no points to a purchase");
    }

    /// Notes what is wrong with the promotion.
    pub(crate) fn check(&self, programme: &Programme, at: &str, found: &mut Problems) {
        self.schedule.check(&format!("{at}/schedule"), found);
        self.check_effect(programme, at, found);
        self.check_trigger(programme, at, found);
        self.check_cashback(programme, at, found);
        self.limits.check(&format!("{at}/limits"), found);
        if let Some(group) = &self.exclusion_group {
            found.code(&format!("{at}/exclusion_group"), group);
        }
        if let Some(expiry) = &self.expiry {
            expiry.check(&format!("{at}/expiry"), found);
            let told_apart = matches!(self.effect, PromotionEffect::Add { .. } | PromotionEffect::PerAmount { .. });
            let dated = !matches!(expiry, Expiry::Inactivity { .. });
            let detail = "only added points, by a date, may lapse on their own";
            found.refuse(!(told_apart && dated), &format!("{at}/expiry"), "not_told_apart", detail);
        }
        let capped_at_nothing = self.cap_per_purchase.is_some_and(|cap| !cap.is_positive());
        found.refuse(capped_at_nothing, &format!("{at}/cap_per_purchase"), "too_small", "must be at least 1");
        for (i, tier) in self.tiers.iter().enumerate() {
            let known = programme.tiers.levels.iter().any(|level| &level.code == tier);
            found.refuse(!known, &format!("{at}/tiers/{i}"), "unknown_tier", "no tier has this code");
        }
        programme.check_segments(&self.segments, &format!("{at}/segments"), found);
        for (i, channel) in self.channels.iter().enumerate() {
            found.code(&format!("{at}/channels/{i}"), channel);
        }
        self.check_conditions(programme, at, found);
    }

    fn check_conditions(&self, programme: &Programme, at: &str, found: &mut Problems) {
        let nothing = self.minimum_spend.is_some_and(|least| least.get() <= 0);
        found.refuse(nothing, &format!("{at}/minimum_spend"), "too_small", "must be at least 1");
        if let Some(nth) = self.nth_purchase {
            let pointer = format!("{at}/nth_purchase");
            let (NthPurchase::Every(n) | NthPurchase::Exactly(n)) = nth;
            found.refuse(!(1..=1_000_000).contains(&n), &pointer, "out_of_range", "must be 1 to 1000000");
            found.refuse(self.first_purchase, &pointer, "one_of_first_or_nth", "`first_purchase` says it already");
        }
        let scope = programme.scope(&self.trigger);
        let segments: Vec<&str> = programme.segments.iter().map(|segment| segment.code.as_str()).collect();
        if let Some(condition) = &self.condition {
            for problem in condition.problems_for(scope).iter().chain(&condition.unknown_segments(scope, &segments)) {
                found.refuse(true, &format!("{at}/when"), problem.code, &problem.to_string());
            }
        }
    }
}

/// Why a promotion did not apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Miss {
    /// It is paused. Drafts and promotions that have ended are not spoken of at all.
    Paused,
    /// The day or weekday lies outside its schedule.
    Schedule,
    /// The time of day does.
    Hours,
    /// It does not run in this store.
    Store,
    /// It is not for this channel.
    Channel,
    /// It is not for this tier.
    Tier,
    /// The member is in none of its segments.
    Segment,
    /// The member has none of its tags.
    Tag,
    /// The member has bought before.
    FirstPurchase,
    /// It is for another of the member's purchases.
    NthPurchase,
    /// Nothing was bought of what it is for.
    Lines,
    /// Too little was.
    MinimumSpend,
    /// Its condition is not met.
    Condition,
    /// Another promotion gave more, and only the best counts.
    NotBest,
    /// Another promotion of its exclusion group counts.
    ExclusionGroup,
    /// The member has used it as often as he may.
    MemberLimit,
    /// He has used it as often as he may on one day.
    DayLimit,
    /// All members together have used it as often as they may.
    TotalLimit,
    /// Nothing is left of its budget.
    Budget,
}
