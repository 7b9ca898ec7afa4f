//! Coupons and member prices as they look on the wire.

use chrono::NaiveDate;
use utoipa::ToSchema;

use super::{Multiplier, Text};
use crate::api::till::schemas::QuantitySchema;

/// A kind of coupon.
#[derive(ToSchema)]
pub(in crate::api::admin) struct CouponType {
    /// Names the kind for ever; issued coupons point to it.
    #[schema(pattern = "^[a-z0-9_-]{1,64}$", example = "first-200-30")]
    code: String,
    /// What members and cashiers see.
    name: Text,
    /// What it takes off.
    discount: Discount,
    /// First day on which it may be used, inclusive.
    from: Option<NaiveDate>,
    /// Last day on which it may be used, inclusive.
    to: Option<NaiveDate>,
    /// For how many days after the day of its issue it may be used, through the last of them. Beside `to`
    /// the earlier end counts.
    #[schema(maximum = 3660)]
    valid_days: Option<u32>,
    /// In how many purchases it may be used; in one purchase it counts once.
    #[schema(required = false, minimum = 1, maximum = 1_000_000, default = 1)]
    uses: u32,
    /// Who may use it; `owner` where nothing is said.
    #[schema(required = false)]
    holder: Holder,
    /// Code of the lowest tier that may use it.
    minimum_tier: Option<String>,
    /// Codes of the segments that may use it: members in any of them; empty: all.
    #[schema(required = false, example = json!(["regulars"]))]
    segments: Vec<String>,
    /// With which others it may be used; `exclusive` where nothing is said.
    #[schema(required = false)]
    stacking: Stacking,
    /// Lower comes first: among coupons that cannot be combined, and among discounts of one stage.
    #[schema(required = false, default = 0)]
    priority: i32,
    /// Whether a use is given back when everything it was used for came back.
    #[schema(required = false, default = false)]
    give_back_on_return: bool,
    /// What all coupons of the kind may do together; nothing is limited where nothing is said.
    #[schema(required = false)]
    limits: CouponLimits,
}

/// What all issued coupons of a kind may do together.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::admin) struct CouponLimits {
    /// In how many purchases they may be used.
    #[schema(minimum = 1, example = 500)]
    total: Option<u32>,
    /// How much they may take off, in minor units. A coupon takes off all that it says or nothing.
    #[schema(minimum = 1, example = 1_000_000)]
    budget_money: Option<i64>,
}

/// A kind of coupon as it is shown.
#[derive(ToSchema)]
pub(in crate::api::admin) struct CouponTypeView {
    /// The code.
    id: String,
    #[serde(flatten)]
    coupon: CouponType,
}

/// Who may use a coupon.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(in crate::api::admin) enum Holder {
    /// The member it was issued to.
    Owner,
    /// Whoever shows its code.
    Bearer,
}

/// With which other coupons one may be used: a word, or `{"group": "drinks"}`.
#[derive(ToSchema)]
#[schema(example = json!("exclusive"))]
#[serde(rename_all = "snake_case")]
pub(in crate::api::admin) enum Stacking {
    /// With none.
    Exclusive,
    /// With all that are not exclusive.
    WithEverything,
    /// With others, but not with another of its group.
    Group(String),
}

/// What is taken off a basket.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::admin) struct Discount {
    /// How much comes off.
    off: Off,
    /// Of what; everything where nothing is said.
    #[schema(required = false)]
    goods: Goods,
    /// The least that the matching lines cost after member prices, in minor units.
    #[schema(minimum = 1)]
    minimum_spend: Option<i64>,
    /// The most it takes off one purchase, in minor units.
    #[schema(minimum = 1)]
    cap: Option<i64>,
}

/// How much comes off the matching lines.
#[derive(ToSchema)]
#[schema(example = json!({"kind": "steps", "steps": [{"spend": 20000, "amount": 3000}]}))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(in crate::api::admin) enum Off {
    /// So many percent.
    Percent {
        /// Above 0, at most 100.
        percent: Multiplier,
    },
    /// A sum of money.
    Amount {
        /// Minor units.
        #[schema(minimum = 1)]
        amount: i64,
    },
    /// The sum of the highest step that the spend reaches.
    Steps {
        /// Ascending in spend and in amount.
        #[schema(min_items = 1)]
        steps: Vec<Step>,
        /// The one step counts as often as the spend holds it.
        #[schema(required = false, default = false)]
        every: bool,
    },
    /// Some units for nothing.
    ItemFree {
        /// How many.
        #[schema(required = false, minimum = 1, maximum = 1000, default = 1)]
        units: u32,
        /// Which of them; `cheapest` where nothing is said.
        #[schema(required = false)]
        pick: Pick,
    },
    /// For every `buy` + `get` units the cheapest `get` of all are free.
    BuyGet {
        /// Paid in each group.
        #[schema(minimum = 1, maximum = 1000)]
        buy: u32,
        /// Free in each group.
        #[schema(minimum = 1, maximum = 1000)]
        get: u32,
    },
    /// Every second (third, …) unit, from the dearest to the cheapest, is reduced.
    EveryNth {
        /// How many make a group, the last of which is reduced.
        #[schema(required = false, minimum = 2, maximum = 1000, default = 2)]
        nth: u32,
        /// By how many percent: above 0, at most 100; 50 where nothing is said.
        #[schema(required = false)]
        percent: Multiplier,
    },
}

/// A step of a discount that grows with the spend.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::admin) struct Step {
    /// From this spend on, in minor units …
    #[schema(minimum = 1, example = 20000)]
    spend: i64,
    /// … this much comes off.
    #[schema(minimum = 1, example = 3000)]
    amount: i64,
}

/// Which units are given.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(in crate::api::admin) enum Pick {
    Cheapest,
    Dearest,
}

/// Goods, told by article or category.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::admin) struct Goods {
    /// These articles …
    #[schema(required = false)]
    skus: Vec<String>,
    /// … and whatever is of one of these categories; where neither is named: everything …
    #[schema(required = false, example = json!(["coffee"]))]
    categories: Vec<String>,
    /// … but not these articles …
    #[schema(required = false)]
    excluded_skus: Vec<String>,
    /// … nor anything of one of these categories.
    #[schema(required = false, example = json!(["tobacco"]))]
    excluded_categories: Vec<String>,
}

/// The prices that members have before others.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::admin) struct Prices {
    /// The price list; the lowest price that holds counts.
    #[schema(required = false)]
    member: Vec<MemberPrice>,
    /// Goods that are for some tiers first.
    #[schema(required = false)]
    early_access: Vec<EarlyAccess>,
}

/// A price of an article for members.
#[derive(ToSchema)]
pub(in crate::api::admin) struct MemberPrice {
    /// Names the price.
    #[schema(pattern = "^[a-z0-9_-]{1,64}$", example = "latte-gold")]
    code: String,
    /// The article.
    #[schema(example = "COF-001")]
    sku: String,
    /// What a unit costs, in minor units.
    #[schema(minimum = 0, example = 2700)]
    price: i64,
    /// Code of the lowest tier that has it; absent: every member.
    minimum_tier: Option<String>,
    /// Codes of the segments that have it: members in any of them; empty: all.
    #[schema(required = false, example = json!(["regulars"]))]
    segments: Vec<String>,
    /// First day, inclusive.
    from: Option<NaiveDate>,
    /// Last day, inclusive.
    to: Option<NaiveDate>,
    /// How much of the article has this price in one purchase, above 0; absent: all of it.
    most: Option<QuantitySchema>,
}

/// A member price as it is shown.
#[derive(ToSchema)]
pub(in crate::api::admin) struct MemberPriceView {
    /// The code.
    id: String,
    #[serde(flatten)]
    price: MemberPrice,
}

/// Goods that until a day only some tiers, or members in some segments, may buy. One of the two is named.
#[derive(ToSchema)]
pub(in crate::api::admin) struct EarlyAccess {
    /// Names the window.
    #[schema(pattern = "^[a-z0-9_-]{1,64}$", example = "sneaker-drop")]
    code: String,
    /// The articles.
    #[schema(min_items = 1)]
    skus: Vec<String>,
    /// Code of the lowest tier that may buy them now; the lowest of all: every member. Absent: a tier does not
    /// help.
    minimum_tier: Option<String>,
    /// Codes of the segments whose members may buy them now, whatever their tier.
    #[schema(required = false, example = json!(["regulars"]))]
    segments: Vec<String>,
    /// The last day on which others may not, inclusive.
    until: NaiveDate,
}

/// A window of early access as it is shown.
#[derive(ToSchema)]
pub(in crate::api::admin) struct EarlyAccessView {
    /// The code.
    id: String,
    #[serde(flatten)]
    window: EarlyAccess,
}
