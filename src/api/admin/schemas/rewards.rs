//! Rewards as they look on the wire.

use chrono::NaiveDate;
use utoipa::ToSchema;

use super::Text;

/// An item of the catalogue.
#[derive(ToSchema)]
pub(in crate::api::admin) struct Reward {
    /// Names the reward for ever; redemptions point to it.
    #[schema(pattern = "^[a-z0-9_-]{1,64}$", example = "free-latte")]
    code: String,
    /// What members see.
    name: Text,
    /// What is handed out; `goods` where nothing is said.
    #[schema(required = false)]
    kind: RewardKind,
    /// Code of the kind of coupon that is given; where `kind` is `coupon`, and only there.
    coupon: Option<String>,
    /// How many tickets a redemption gives; where `kind` is `draw_ticket`, and only there; absent: one.
    #[schema(minimum = 1, maximum = 100, example = 1)]
    tickets: Option<u32>,
    /// More than the name, for members.
    description: Option<Text>,
    /// Addresses of pictures, best first: `https`, at most 8.
    #[schema(required = false, max_items = 8, example = json!(["https://example.com/latte.webp"]))]
    pictures: Vec<String>,
    /// What it costs.
    #[schema(minimum = 1, example = 300)]
    points: i64,
    /// What it costs some tiers and those above them instead.
    #[schema(required = false)]
    points_by_tier: Vec<TierPrice>,
    /// How many may be handed out in all; absent: no limit.
    #[schema(minimum = 0)]
    stock: Option<u32>,
    /// How many one member may have; absent: no limit. What a perk gives is not counted.
    per_member: Option<MemberLimit>,
    /// Code of the lowest tier that may have it.
    minimum_tier: Option<String>,
    /// Codes of the segments that may have it: members in any of them; empty: all.
    #[schema(required = false, example = json!(["regulars"]))]
    segments: Vec<String>,
    /// Who may redeem it before its first day; absent: nobody.
    early_access: Option<EarlyOffer>,
    /// First day it may be redeemed, inclusive.
    from: Option<NaiveDate>,
    /// Last day it may be redeemed, inclusive.
    to: Option<NaiveDate>,
}

/// Members who may have a reward before others; a tier or segments are named.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::admin) struct EarlyOffer {
    /// Their first day, inclusive; before the reward's own.
    from: NaiveDate,
    /// Code of the lowest tier; absent: a tier does not help.
    minimum_tier: Option<String>,
    /// Codes of the segments, whatever the tier.
    #[schema(required = false, example = json!(["regulars"]))]
    segments: Vec<String>,
}

/// What is handed out for points.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::api) enum RewardKind {
    /// Something to carry home: it is got ready and handed over in a store.
    Goods,
    /// A code of a partner's, one for each redemption, out of those that were uploaded.
    PartnerVoucher,
    /// A coupon of the member's own.
    Coupon,
    /// Numbered tickets for a draw.
    DrawTicket,
}

/// What a reward costs a tier, and those above it that have no price of their own.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::admin) struct TierPrice {
    /// Code of the tier.
    #[schema(example = "gold")]
    tier: String,
    /// Points; 0: it is free.
    #[schema(minimum = 0, example = 200)]
    points: i64,
}

/// How many of a reward one member may have.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct MemberLimit {
    /// How many.
    #[schema(minimum = 1, example = 1)]
    most: u32,
    /// In each calendar month or year; absent: for ever.
    per: Option<LimitPeriod>,
}

/// A part of the calendar in which things are counted.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::api) enum LimitPeriod {
    /// The calendar month.
    Month,
    /// The calendar year.
    Year,
}

/// A reward as it is shown.
#[derive(ToSchema)]
pub(in crate::api::admin) struct RewardView {
    /// The code: what a redemption names as `reward_id`.
    id: String,
    #[serde(flatten)]
    reward: Reward,
    /// How many were handed out; null without a stock.
    used: Option<i64>,
    /// How many are left of the stock or, of a partner's vouchers, of the codes, whichever is less; null
    /// where there is no end to them.
    left: Option<i64>,
}
