//! The programme: everything an admin configures, as one versioned document.
//!
//! The TOML file and the admin API are two doors to this one room: both read and write this type,
//! and [`Programme::problems`] checks it for both.

use serde::{Deserialize, Serialize};

use crate::adjustment::Adjustments;
use crate::amount::{Currency, Minor, Multiplier, OutOfRange, Points, Rate};
use crate::condition::Condition;
use crate::coupon::CouponType;
use crate::event::EventType;
use crate::expiry::{Activity, Expiry};
use crate::notice::Notices;
use crate::perk::Perk;
use crate::pool::Pools;
use crate::price::Prices;
use crate::promotion::{Combine, Promotion};
use crate::referral::{ReferralSide, ReferralTerms};
use crate::reward::Reward;
use crate::segment::{SEGMENTS_MAX, Segment};
use crate::text::Text;
use crate::tier::TierLevel;
pub use crate::tier::Tiers;
use crate::time::Zone;
use crate::transfer::Transfers;
use crate::trigger::Trigger;
use crate::wallet::WalletTerms;

/// A programme at one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Programme {
    /// What members see.
    pub name: Text,
    /// The one currency of every document (PROGRAMME.md §1).
    pub currency: Currency,
    /// What "day", "month" and "midnight" mean.
    pub time_zone: Zone,
    /// How purchases earn.
    pub earning: Earning,
    /// When points lapse.
    #[serde(default)]
    pub expiry: Expiry,
    /// What keeps points alive that lapse by inactivity.
    #[serde(default = "Activity::all", skip_serializing_if = "Activity::is_all")]
    pub activities: Vec<Activity>,
    /// What becomes of points when goods come back.
    #[serde(default)]
    pub returns: Returns,
    /// Points as money off; absent: not offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redemption: Option<MoneyOff>,
    /// What staff may give and take by hand, and from how many points on somebody else has to agree.
    #[serde(default)]
    pub adjustments: Adjustments,
    /// Points that members give to each other; absent: not offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfers: Option<Transfers>,
    /// The wallet; absent: not offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wallet: Option<WalletTerms>,
    /// Household pools; absent: not offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pools: Option<Pools>,
    /// Which purchase completes a referral; absent: none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referral: Option<ReferralTerms>,
    /// The tiers and what they measure.
    #[serde(default)]
    pub tiers: Tiers,
    /// What members are warned of, and how many days ahead.
    #[serde(default)]
    pub notices: Notices,
    /// Groups of members.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<Segment>,
    /// Promotions, in no particular order: priority decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub promotions: Vec<Promotion>,
    /// The catalogue.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rewards: Vec<Reward>,
    /// Birthday and other perks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub perks: Vec<Perk>,
    /// The kinds of events that other systems tell of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<EventType>,
    /// The kinds of coupons there are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coupons: Vec<CouponType>,
    /// Member prices, and goods that are for some tiers first.
    #[serde(default, skip_serializing_if = "Prices::is_empty")]
    pub prices: Prices,
}

/// How purchases earn (PROGRAMME.md §3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Earning {
    /// Base rate.
    pub rate: Rate,
    /// How promotion multipliers combine.
    #[serde(default)]
    pub combine: Combine,
    /// Whether the fraction of a point left by a sale is kept for the next one.
    #[serde(default)]
    pub carry_remainder: bool,
    /// Days for which the points of a purchase are pending, 0 to 90: days of 24 hours from
    /// `occurred_at`, so that nobody's wait is cut short by a midnight.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pending_days: u32,
    /// Categories that earn nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded_categories: Vec<String>,
    /// SKUs that earn nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded_skus: Vec<String>,
    /// Tender types (`gift_card`, …) whose part of a sale earns nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded_tenders: Vec<String>,
    /// The most one purchase may earn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap_per_purchase: Option<Points>,
    /// The most a member may earn from the purchases of one programme day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap_per_day: Option<Points>,
    /// Category and SKU multipliers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<EarningRule>,
}

/// A multiplier for a category or a SKU; the largest that matches a line counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarningRule {
    /// Names the rule, unique among rules.
    pub code: String,
    /// Matches lines of this category …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// … or of this SKU. Exactly one of the two is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// At least 0.
    pub multiplier: Multiplier,
}

/// Points as money off (PROGRAMME.md §8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoneyOff {
    /// What points are worth: `points` buy `per` minor units.
    pub rate: Rate,
    /// The least that may be redeemed at once.
    #[serde(default = "one_point")]
    pub minimum: Points,
    /// Redeemed points are a multiple of this.
    #[serde(default = "one_point")]
    pub step: Points,
    /// The largest share of a basket that points may pay, as a decimal up to 1.
    #[serde(default = "whole")]
    pub largest_share: Multiplier,
    /// Minutes after which a hold ends by itself, 1 to 43,200; rewards on hold follow it too.
    #[serde(default = "quarter_hour")]
    pub hold_minutes: u32,
}

/// What becomes of points when goods come back (PROGRAMME.md §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Returns {
    /// What becomes of points that should be taken back and are not there.
    pub shortfall: Shortfall,
    /// How many days points live that are given back to a lot that has lapsed: through the last of
    /// them, 0 to 3,660.
    pub expired_return_grace_days: u32,
    /// Whether goods may come back to another store than the one that sold them: customers of a chain
    /// expect it, so they may where nothing is said.
    #[serde(skip_serializing_if = "is_true")]
    pub other_stores: bool,
}

impl Default for Returns {
    fn default() -> Self {
        Self { shortfall: Shortfall::Debt, expired_return_grace_days: 30, other_stores: true }
    }
}

/// What becomes of points that should be taken back and are not there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shortfall {
    /// The member owes them.
    #[default]
    Debt,
    /// They are forgiven, and the return says how many.
    Forgive,
}

fn is_true(setting: &bool) -> bool {
    *setting
}

fn is_zero(days: &u32) -> bool {
    *days == 0
}

fn quarter_hour() -> u32 {
    QUARTER_HOUR
}

/// Minutes of a hold where the programme says nothing.
const QUARTER_HOUR: u32 = 15;

fn one_point() -> Points {
    Points::new(1).unwrap_or(Points::ZERO)
}

fn whole() -> Multiplier {
    Multiplier::ONE
}

impl MoneyOff {
    /// What `points` are worth, rounded down to the minor unit.
    ///
    /// # Errors
    /// The worth leaves ±(2^53 − 1).
    pub fn worth(&self, points: Points) -> Result<Minor, OutOfRange> {
        let wide = i128::from(points.get()) * i128::from(self.rate.per);
        Minor::from_wide(wide.div_euclid(i128::from(self.rate.points)))
    }
}

/// Something wrong in a programme document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// RFC 6901 pointer into the document.
    pub pointer: String,
    /// Stable code of the problem.
    pub code: &'static str,
    /// What is wrong, in English.
    pub detail: String,
}

impl Programme {
    /// The position of a tier by its code; an unknown code (a tier since removed) is the lowest.
    pub fn tier_position(&self, code: &str) -> usize {
        self.tiers.levels.iter().position(|level| level.code == code).unwrap_or(0)
    }

    /// The tier at a position; positions beyond the ladder give the top.
    pub fn tier(&self, position: usize) -> &TierLevel {
        let last = self.tiers.levels.len().saturating_sub(1);
        &self.tiers.levels[position.min(last)]
    }

    /// A reward of the catalogue.
    pub fn reward(&self, code: &str) -> Option<&Reward> {
        self.rewards.iter().find(|reward| reward.code == code)
    }

    /// A kind of coupon.
    pub fn coupon(&self, code: &str) -> Option<&CouponType> {
        self.coupons.iter().find(|coupon| coupon.code == code)
    }

    /// The conditions of all promotions.
    pub fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.promotions.iter().filter_map(|promotion| promotion.condition.as_ref())
    }

    /// The conditions of promotions that a purchase, or the change of tier or the referral's completion that it brings,
    /// may set off.
    pub(crate) fn conditions_of_purchases(&self) -> impl Iterator<Item = &Condition> {
        let by_sale = |trigger: &Trigger| {
            let whom = ReferralSide::Referred;
            matches!(trigger, Trigger::Purchase | Trigger::TierChange { .. }) || *trigger == Trigger::Referral { whom }
        };
        let by_sale = self.promotions.iter().filter(move |promotion| by_sale(&promotion.trigger));
        by_sale.filter_map(|promotion| promotion.condition.as_ref())
    }

    /// Minutes after which a hold ends by itself.
    pub fn hold_minutes(&self) -> u32 {
        self.redemption.as_ref().map_or(QUARTER_HOUR, |offer| offer.hold_minutes)
    }

    /// Everything wrong with the document; empty means it may go live.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Problems::default();
        self.check_earning(&mut found);
        self.tiers.check(&mut found);
        self.check_lists(&mut found);
        if let Some(money_off) = &self.redemption {
            found.rate("/redemption/rate", money_off.rate);
            found.refuse(!money_off.minimum.is_positive(), "/redemption/minimum", "too_small", "must be at least 1");
            found.refuse(!money_off.step.is_positive(), "/redemption/step", "too_small", "must be at least 1");
            let share = money_off.largest_share.units();
            found.refuse(
                !(1..=Multiplier::UNIT).contains(&share),
                "/redemption/largest_share",
                "out_of_range",
                "must be above 0 and at most 1",
            );
            let minutes = money_off.hold_minutes;
            let wrong = !(1..=43_200).contains(&minutes);
            found.refuse(wrong, "/redemption/hold_minutes", "out_of_range", "must be 1 to 43200");
        }
        let grace = self.returns.expired_return_grace_days;
        found.refuse(grace > 3_660, "/returns/expired_return_grace_days", "out_of_range", "must be 0 to 3660");
        self.expiry.check("/expiry", &mut found);
        self.notices.check(&mut found);
        if let Some(transfers) = &self.transfers {
            transfers.check(&mut found);
        }
        if let Some(pools) = &self.pools {
            pools.check(&mut found);
        }
        if let Some(wallet) = &self.wallet {
            wallet.check(&mut found);
        }
        if let Some(referral) = &self.referral {
            referral.check(&mut found);
        }
        self.adjustments.check(&mut found);
        found.0
    }

    fn check_earning(&self, found: &mut Problems) {
        found.rate("/earning/rate", self.earning.rate);
        found.refuse(self.earning.pending_days > 90, "/earning/pending_days", "out_of_range", "must be 0 to 90");
        found.codes("/earning/rules", self.earning.rules.iter().map(|rule| rule.code.as_str()));
        for (i, rule) in self.earning.rules.iter().enumerate() {
            found.refuse(
                rule.category.is_some() == rule.sku.is_some(),
                &format!("/earning/rules/{i}"),
                "one_of_category_or_sku",
                "name a category or a sku, not both and not neither",
            );
            found.multiplier(&format!("/earning/rules/{i}/multiplier"), rule.multiplier, 0);
        }
        for (name, cap) in
            [("cap_per_purchase", self.earning.cap_per_purchase), ("cap_per_day", self.earning.cap_per_day)]
        {
            found.refuse(
                cap.is_some_and(|cap| !cap.is_positive()),
                &format!("/earning/{name}"),
                "too_small",
                "must be at least 1",
            );
        }
    }

    fn check_lists(&self, found: &mut Problems) {
        found.codes("/segments", self.segments.iter().map(|s| s.code.as_str()));
        found.refuse(self.segments.len() > SEGMENTS_MAX, "/segments", "too_many", "at most 100 segments");
        for (i, segment) in self.segments.iter().enumerate() {
            segment.check(&format!("/segments/{i}"), found);
        }
        found.codes("/promotions", self.promotions.iter().map(|p| p.code.as_str()));
        found.codes("/rewards", self.rewards.iter().map(|r| r.code.as_str()));
        found.codes("/perks", self.perks.iter().map(|p| p.code.as_str()));
        found.codes("/events", self.events.iter().map(|e| e.code.as_str()));
        found.codes("/coupons", self.coupons.iter().map(|c| c.code.as_str()));
        for (i, promotion) in self.promotions.iter().enumerate() {
            promotion.check(self, &format!("/promotions/{i}"), found);
        }
        for (i, reward) in self.rewards.iter().enumerate() {
            reward.check(self, &format!("/rewards/{i}"), found);
        }
        for (i, perk) in self.perks.iter().enumerate() {
            perk.check(self, &format!("/perks/{i}"), found);
        }
        for (i, event) in self.events.iter().enumerate() {
            event.check(&format!("/events/{i}"), found);
        }
        for (i, coupon) in self.coupons.iter().enumerate() {
            coupon.check(self, &format!("/coupons/{i}"), found);
        }
        self.prices.check(self, found);
    }
}

/// Collects what is wrong while the parts of a document are checked.
#[derive(Debug, Default)]
pub struct Problems(pub Vec<Problem>);

/// The largest multiplier a rule may have: 1,000.
const MULTIPLIER_MAX: i64 = 1_000 * Multiplier::UNIT;

impl Problems {
    /// Notes a problem when `wrong` holds.
    pub fn refuse(&mut self, wrong: bool, pointer: &str, code: &'static str, detail: &str) {
        if wrong {
            self.0.push(Problem { pointer: pointer.to_owned(), code, detail: detail.to_owned() });
        }
    }

    /// Checks the bounds of a rate.
    pub fn rate(&mut self, pointer: &str, rate: Rate) {
        let wrong = !(1..=1_000_000).contains(&rate.points) || !(1..=1_000_000_000).contains(&rate.per);
        self.refuse(wrong, pointer, "out_of_range", "points must be 1 to 1,000,000 and per 1 to 1,000,000,000");
    }

    /// Checks a multiplier against a lower bound (in units) and the common upper one.
    pub fn multiplier(&mut self, pointer: &str, multiplier: Multiplier, least: i64) {
        let wrong = !(least..=MULTIPLIER_MAX).contains(&multiplier.units());
        let detail = format!("must be {} to 1000", Multiplier::from_units(least));
        self.refuse(wrong, pointer, "out_of_range", &detail);
    }

    /// Checks that a code is well formed.
    pub fn code(&mut self, pointer: &str, code: &str) {
        self.refuse(!is_code(code), pointer, "code_invalid", "1 to 64 of a-z, 0-9, '-' and '_'");
    }

    /// Checks that codes are well formed and used once.
    pub fn codes<'a>(&mut self, list: &str, codes: impl Iterator<Item = &'a str>) {
        let mut seen = std::collections::BTreeSet::new();
        for (i, code) in codes.enumerate() {
            let pointer = format!("{list}/{i}/code");
            self.code(&pointer, code);
            self.refuse(!seen.insert(code), &pointer, "code_taken", "is used twice");
        }
    }
}

/// Whether a text may name a tier, a rule, a promotion, a reward, a perk or a store.
pub fn is_code(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}
