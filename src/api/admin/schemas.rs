//! The programme as it looks on the wire. The rulebook knows no OpenAPI, so its types are described
//! here a second time; `tests/it/admin_schemas.rs` compares the descriptions with what is written.

#![expect(dead_code, reason = "these types only describe; nothing is made of them")]

mod adjustments;
mod ladder;
mod limits;
mod perk;
mod prices;
mod rewards;
mod segments;
mod together;
mod trigger;
mod wallet;

use chrono::NaiveDate;
use utoipa::ToSchema;

pub(super) use adjustments::Adjustments;
pub(super) use ladder::{TierLevel, TierLevelView, Tiers};
pub(super) use limits::Limits;
pub(super) use perk::{Perk, PerkView};
pub(super) use prices::{
    CouponType, CouponTypeView, EarlyAccess, EarlyAccessView, MemberPrice, MemberPriceView, Prices,
};
pub(in crate::api) use rewards::{MemberLimit, RewardKind};
pub(super) use rewards::{Reward, RewardView};
pub(super) use segments::{Segment, SegmentView};
pub(super) use together::{Pools, ReferralTerms, Transfers};
pub(in crate::api) use trigger::Gift;
pub(in crate::api) use trigger::PromotionEffect;
pub(super) use trigger::{EventType, EventTypeView, Trigger};
pub(super) use wallet::WalletTerms;

/// Everything an admin configures, as one versioned document.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Programme {
    /// What members see.
    name: Text,
    /// The one currency of every document, ISO 4217.
    #[schema(example = "CNY", pattern = "^[A-Z]{3}$")]
    currency: String,
    /// What day, month and midnight mean: an IANA name.
    #[schema(example = "Asia/Shanghai")]
    time_zone: String,
    /// How purchases earn.
    earning: Earning,
    /// When points lapse; `never` where nothing is said.
    #[schema(required = false)]
    expiry: Expiry,
    /// What keeps points alive that lapse by inactivity; both where nothing is said.
    #[schema(required = false)]
    activities: Vec<Activity>,
    /// What becomes of points when goods come back.
    #[schema(required = false)]
    returns: Returns,
    /// Points as money off; absent: not offered.
    redemption: Option<MoneyOff>,
    /// What staff may give and take by hand, and from how many points on somebody else has to agree.
    #[schema(required = false)]
    adjustments: Adjustments,
    /// Points that members give to each other; absent: not offered.
    transfers: Option<Transfers>,
    /// The wallet; absent: not offered.
    wallet: Option<WalletTerms>,
    /// Household pools; absent: not offered.
    pools: Option<Pools>,
    /// Which purchase completes a referral; absent: none does.
    referral: Option<ReferralTerms>,
    /// The tiers and what they measure; one tier for all where nothing is said.
    #[schema(required = false)]
    tiers: Tiers,
    /// What members are warned of, and how many days ahead.
    #[schema(required = false)]
    notices: Notices,
    /// Groups of members.
    #[schema(required = false)]
    segments: Vec<Segment>,
    /// Promotions, in no particular order: priority decides.
    #[schema(required = false)]
    promotions: Vec<Promotion>,
    /// The catalogue.
    #[schema(required = false)]
    rewards: Vec<Reward>,
    /// Birthday and other perks.
    #[schema(required = false)]
    perks: Vec<Perk>,
    /// The kinds of events that other systems tell of.
    #[schema(required = false)]
    events: Vec<EventType>,
    /// The kinds of coupons there are.
    #[schema(required = false)]
    coupons: Vec<CouponType>,
    /// Member prices, and goods that are for some tiers first.
    #[schema(required = false)]
    prices: Prices,
}

/// How purchases earn.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Earning {
    /// The base rate.
    rate: Rate,
    /// How promotion multipliers combine; `best` where nothing is said.
    #[schema(required = false)]
    combine: Combine,
    /// Whether the fraction of a point left by a sale is kept for the next one.
    #[schema(required = false, default = false)]
    carry_remainder: bool,
    /// Days of 24 hours for which the points of a purchase are pending.
    #[schema(required = false, maximum = 90, default = 0)]
    pending_days: u32,
    /// Categories that earn nothing.
    #[schema(required = false, example = json!(["gift-cards"]))]
    excluded_categories: Vec<String>,
    /// Articles that earn nothing.
    #[schema(required = false)]
    excluded_skus: Vec<String>,
    /// Tender types whose part of a sale earns nothing.
    #[schema(required = false, example = json!(["gift_card"]))]
    excluded_tenders: Vec<String>,
    /// The most one purchase may earn.
    #[schema(minimum = 1)]
    cap_per_purchase: Option<i64>,
    /// The most a member may earn from the purchases of one programme day.
    #[schema(minimum = 1)]
    cap_per_day: Option<i64>,
    /// Category and article multipliers.
    #[schema(required = false)]
    rules: Vec<EarningRule>,
}

/// `points` for every `per` minor units, exactly.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rate {
    /// Points.
    #[schema(minimum = 1, maximum = 1_000_000, example = 1)]
    points: u32,
    /// Minor units.
    #[schema(minimum = 1, maximum = 1_000_000_000, example = 100)]
    per: u32,
}

/// How several promotion multipliers combine.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum Combine {
    /// The largest alone counts.
    Best,
    /// Bonuses sum: 2× and 3× make 4×.
    Add,
    /// Multipliers multiply: 2× and 3× make 6×.
    Multiply,
}

/// A multiplier for a category or an article.
#[derive(ToSchema)]
pub(super) struct EarningRule {
    /// Names the rule.
    #[schema(pattern = "^[a-z0-9_-]{1,64}$", example = "coffee-double")]
    code: String,
    /// Matches lines of this category …
    #[schema(example = "coffee")]
    category: Option<String>,
    /// … or of this article. Exactly one of the two is given.
    sku: Option<String>,
    /// 0 to 1000.
    multiplier: Multiplier,
}

/// An earning rule as it is shown.
#[derive(ToSchema)]
pub(super) struct EarningRuleView {
    /// The code.
    id: String,
    #[serde(flatten)]
    rule: EarningRule,
}

/// When points lapse.
#[derive(ToSchema)]
#[schema(example = json!({"policy": "after", "months": 12, "round": "month"}))]
#[serde(tag = "policy", rename_all = "snake_case")]
pub(super) enum Expiry {
    /// Points do not lapse.
    Never,
    /// Points lapse so many months after they became available.
    After {
        /// 1 to 240.
        #[schema(minimum = 1, maximum = 240)]
        months: u32,
        /// Rounded on to the end of this period.
        #[schema(required = false)]
        round: Period,
    },
    /// Points lapse at the end of a fixed date of the year.
    OnDate {
        /// As `MM-DD`; 29 February is 28 February in common years.
        #[schema(min_items = 1, example = json!(["06-30", "12-31"]))]
        dates: Vec<String>,
        /// The first of the dates that lies at least so many months after they became available.
        #[schema(required = false, maximum = 120, default = 0)]
        at_least_months: u32,
    },
    /// Points lapse when the member has not been active for so many months.
    Inactivity {
        /// 1 to 240.
        #[schema(minimum = 1, maximum = 240)]
        months: u32,
    },
}

/// What keeps points alive that lapse by inactivity.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum Activity {
    /// A purchase.
    Earning,
    /// A redemption.
    Redeeming,
}

/// What becomes of points when goods come back.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Returns {
    /// What becomes of points that should be taken back and are not there; `debt` where nothing is said.
    #[schema(required = false)]
    shortfall: Shortfall,
    /// How many days points live that are given back to a lot that has lapsed.
    #[schema(required = false, maximum = 3660, default = 30)]
    expired_return_grace_days: u32,
    /// Whether goods may come back to another store than the one that sold them.
    #[schema(required = false, default = true)]
    other_stores: bool,
}

/// What becomes of points that should be taken back and are not there.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum Shortfall {
    /// The member owes them.
    Debt,
    /// They are forgiven, and the return says how many.
    Forgive,
}

/// How many days ahead members are warned; nothing in a list: never.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Notices {
    /// Before points lapse, each 1 to 366; 30, 7 and 1 where nothing is said.
    #[schema(required = false, example = json!([30, 7, 1]))]
    expiry_days: Vec<u32>,
    /// Before a tier falls, each 1 to 366; 30 where nothing is said.
    #[schema(required = false, example = json!([30]))]
    tier_days: Vec<u32>,
}

/// A part of the calendar.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum Period {
    Day,
    Month,
    Quarter,
    Year,
}

/// Points as money off.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MoneyOff {
    /// What points are worth: `points` buy `per` minor units.
    rate: Rate,
    /// The least that may be redeemed at once.
    #[schema(required = false, minimum = 1, default = 1)]
    minimum: i64,
    /// Redeemed points are a multiple of this.
    #[schema(required = false, minimum = 1, default = 1)]
    step: i64,
    /// The largest share of a basket that points may pay: above 0, at most 1.
    #[schema(required = false)]
    largest_share: Multiplier,
    /// Minutes after which a hold ends by itself.
    #[schema(required = false, minimum = 1, maximum = 43_200, default = 15)]
    hold_minutes: u32,
}

/// A promotion: something given for purchases, or for another trigger.
#[derive(ToSchema)]
pub(super) struct Promotion {
    /// Names the promotion.
    #[schema(pattern = "^[a-z0-9_-]{1,64}$", example = "happy-tuesday")]
    code: String,
    /// What members and cashiers see.
    name: Text,
    /// Where it is in its life: only a live one applies; `live` where nothing is said. What has ended can
    /// only become a draft, what is live or paused never does.
    #[schema(required = false)]
    state: PromotionState,
    /// What sets it off; a purchase where nothing is said.
    #[schema(required = false)]
    trigger: Trigger,
    /// When it runs; always where nothing is said.
    #[schema(required = false)]
    schedule: Schedule,
    /// What it gives.
    effect: PromotionEffect,
    /// The most it may add to one purchase.
    #[schema(minimum = 1)]
    cap_per_purchase: Option<i64>,
    /// How often it may be used and how many points it may give; nothing is limited where nothing is said.
    #[schema(required = false)]
    limits: Limits,
    /// Of the promotions with one word here only the first in priority that gives something counts.
    #[schema(pattern = "^[a-z0-9_-]{1,64}$", example = "tuesdays")]
    exclusion_group: Option<String>,
    /// When the points it adds lapse, where that is not as for the rest of the purchase; only for added
    /// points, and not by inactivity.
    expiry: Option<Expiry>,
    /// Lower comes first; equal priorities go by code.
    #[schema(required = false, default = 0)]
    priority: i32,
    /// Codes of the stores it runs in; empty: all.
    #[schema(required = false)]
    stores: Vec<String>,
    /// Codes of the tiers it is for; empty: all.
    #[schema(required = false)]
    tiers: Vec<String>,
    /// Codes of the segments it is for: members in any of them; empty: all.
    #[schema(required = false, example = json!(["regulars"]))]
    segments: Vec<String>,
    /// Tags it is for: members who have any of them; empty: all.
    #[schema(required = false, example = json!(["vip"]))]
    tags: Vec<String>,
    /// Channels it is for, as `web`; empty: all.
    #[schema(required = false, example = json!(["web"]))]
    channels: Vec<String>,
    /// Categories it is for: lines of any of them. What multiplies multiplies these lines alone, what adds
    /// asks that some be bought. Empty, as `skus`: all lines.
    #[schema(required = false)]
    categories: Vec<String>,
    /// SKUs it is for, beside those categories.
    #[schema(required = false)]
    skus: Vec<String>,
    /// The least that the lines it is for come to, in minor units.
    #[schema(minimum = 1)]
    minimum_spend: Option<i64>,
    /// Only for a member's first purchase.
    #[schema(required = false, default = false)]
    first_purchase: bool,
    /// Only for some of a member's purchases, by number.
    nth_purchase: Option<NthPurchase>,
    /// Whether members are not told of it beforehand: a surprise. Tills see it among a member's offers all the same.
    #[schema(required = false, default = false)]
    unlisted: bool,
    /// A condition in CEL, for what no other field can say: see `docs/conditions.md`. It is checked when the
    /// promotion is saved.
    #[schema(max_length = 2000, example = "member.days_to_birthday <= 7")]
    when: Option<String>,
}

/// Where a promotion is in its life.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case", default = "live")]
pub(super) enum PromotionState {
    /// In the making.
    Draft,
    /// It applies inside its schedule.
    Live,
    /// It does not apply for now.
    Paused,
    /// It applies no more.
    Ended,
}

/// Which of a member's purchases, counted from 1, up to 1,000,000.
#[derive(ToSchema)]
#[schema(example = json!({"every": 5}))]
#[serde(rename_all = "snake_case")]
pub(super) enum NthPurchase {
    /// Every so many.
    Every(u32),
    /// This one alone.
    Exactly(u32),
}

/// A promotion as it is shown.
#[derive(ToSchema)]
pub(super) struct PromotionView {
    /// The code.
    id: String,
    #[serde(flatten)]
    promotion: Promotion,
}

/// When a promotion runs, in the programme's time zone.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Schedule {
    /// First day, inclusive.
    #[schema(example = "2026-03-01")]
    from: Option<NaiveDate>,
    /// Last day, inclusive.
    #[schema(example = "2026-03-31")]
    to: Option<NaiveDate>,
    /// Weekdays; empty: all.
    #[schema(required = false)]
    weekdays: Vec<Weekday>,
    /// Single days; empty: all.
    #[schema(required = false)]
    days: Vec<NaiveDate>,
    /// Parts of the day; empty: all of it.
    #[schema(required = false)]
    hours: Vec<Hours>,
}

/// A part of the day.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Hours {
    /// Its first minute.
    #[schema(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$", example = "14:00")]
    from: String,
    /// The first minute after it; `24:00` is the end of the day.
    #[schema(pattern = "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", example = "17:00")]
    to: String,
}

/// A day of the week.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// A text for both languages, or one for each.
#[derive(ToSchema)]
#[schema(example = json!({"en": "Gold", "zh": "金卡"}))]
#[serde(untagged)]
pub(in crate::api) enum Text {
    /// One text for both.
    Plain(String),
    /// One text for each.
    Both {
        /// English.
        en: String,
        /// Simplified Chinese.
        zh: String,
    },
}

/// A decimal with at most 4 places, as a string, or an integer; answers have the string.
#[derive(ToSchema)]
#[schema(example = "1.5")]
#[serde(untagged)]
pub(in crate::api) enum Multiplier {
    /// Such as `"1.5"`.
    Decimal(String),
    /// Such as `2`.
    Whole(i64),
}
