//! How the rulebook's own types look on the wire. The rulebook knows no OpenAPI, so its types are
//! described here; a test compares these descriptions with what is really written.

#![expect(dead_code, reason = "these types only describe; nothing is made of them")]

use utoipa::ToSchema;

/// A line of a receipt.
#[derive(ToSchema)]
#[schema(as = Line)]
pub(crate) struct LineSchema {
    /// The article.
    #[schema(example = "LATTE-L", max_length = 64)]
    sku: Option<String>,
    /// Up to 8; a rule on any of them matches.
    #[schema(max_items = 8, example = json!(["coffee"]))]
    categories: Option<Vec<String>>,
    /// Above 0: an integer, or a decimal string with at most 3 places.
    #[schema(value_type = QuantitySchema)]
    quantity: QuantitySchema,
    /// Net line total after discounts, or the list price where the programme makes the price, in minor units;
    /// negative for a deposit returned.
    #[schema(example = 3200)]
    amount: i64,
}

/// An integer, or a decimal string with at most 3 places.
#[derive(ToSchema)]
#[schema(as = Quantity)]
#[serde(untagged)]
pub(crate) enum QuantitySchema {
    /// Whole pieces.
    Whole(i64),
    /// Such as `"0.250"`.
    Decimal(String),
}

/// A part of how a receipt was paid.
#[derive(ToSchema)]
#[schema(as = Tender)]
pub(crate) struct TenderSchema {
    /// `cash`, `card`, `gift_card`, …
    #[schema(rename = "type", example = "gift_card")]
    r#type: String,
    /// Minor units, not negative.
    #[schema(minimum = 0)]
    amount: i64,
}

/// Points that shall pay: `{"points": 500}`, or `"most"`.
#[derive(ToSchema)]
#[schema(as = PointsWish, example = json!("most"))]
#[serde(rename_all = "snake_case")]
pub(crate) enum PointsWishSchema {
    /// As many as can.
    Most,
    /// So many, at least 1.
    Points(i64),
}

/// Money of the wallet that shall pay: `{"amount": 2000}`, or `"most"`.
#[derive(ToSchema)]
#[schema(as = WalletWish, example = json!("most"))]
#[serde(rename_all = "snake_case")]
pub(crate) enum WalletWishSchema {
    /// As much as can.
    Most,
    /// At most so much, in minor units; at least 1.
    Amount(i64),
}

/// What is looked for among the combinations of coupons.
#[derive(ToSchema)]
#[schema(as = Optimise)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OptimiseSchema {
    /// The lowest price.
    Price,
    /// The most points earned, and of those the lowest price.
    Points,
}

/// What came back of a line of a receipt.
#[derive(ToSchema)]
#[schema(as = LineReturned)]
pub(crate) struct LineReturnedSchema {
    /// Position in the purchase, from 1.
    line: u32,
    /// How many pieces; 0 where a part of the line's amount came back and left something of it.
    quantity: QuantitySchema,
    /// What they were sold for, in minor units of the purchase's currency.
    amount: i64,
}

/// Why a purchase earned what it earned.
#[derive(ToSchema)]
#[schema(as = Explanation)]
pub(crate) struct ExplanationSchema {
    /// The programme version that decided.
    programme_version: i64,
    /// The base rate.
    #[schema(inline)]
    rate: RateSchema,
    /// Code of the tier that counted: the one held just before the purchase.
    tier: String,
    /// Its multiplier, a decimal.
    #[schema(example = "1.5")]
    tier_multiplier: String,
    /// The combined promotion multiplier of every line without one of its own, a decimal cut to 4 places.
    #[schema(example = "2")]
    promotion_multiplier: String,
    /// Fixed points added after multiplication.
    fixed_points: i64,
    /// The basis: what counted, in minor units.
    basis: i64,
    /// What the basis earns before any multiplier; what tiers measure.
    base_points: i64,
    /// Line by line.
    #[schema(inline)]
    lines: Vec<LineExplainedSchema>,
    /// The coupons that were used, in the order in which they were taken off; absent for none.
    #[schema(inline)]
    coupons: Option<Vec<CouponExplainedSchema>>,
    /// Promotion by promotion, in priority order; absent where the programme has none.
    #[schema(inline)]
    promotions: Option<Vec<PromotionExplainedSchema>>,
    /// The fraction of a point cut off, in micropoints.
    remainder_micropoints: i64,
    /// Points that came from earlier remainders; absent for none.
    carried_points: Option<i64>,
    /// The caps that bit; absent for none.
    #[schema(inline)]
    caps: Option<Vec<CapExplainedSchema>>,
    /// How promotions combine; told where one is tested again when goods come back.
    combine: Option<String>,
    /// What its condition is asked of then: the member as he was, the store, the time, tenders and lines.
    #[schema(value_type = Option<Object>)]
    facts: Option<String>,
}

/// Points for every so many minor units.
#[derive(ToSchema)]
struct RateSchema {
    /// Points.
    points: u32,
    /// Minor units.
    per: u32,
}

/// One line of a receipt.
#[derive(ToSchema)]
struct LineExplainedSchema {
    /// Position, from 1.
    line: u32,
    /// How much of the article was sold; absent for one piece.
    quantity: Option<QuantitySchema>,
    /// What it cost without the programme in minor units, where it was sold for less.
    list: Option<i64>,
    /// What made it cheaper, in the order in which it was taken off; absent for nothing.
    #[schema(inline)]
    discounts: Option<Vec<DiscountExplainedSchema>>,
    /// What it was sold for in minor units, where that is not the basis.
    sold_for: Option<i64>,
    /// What counted of it after excluded tenders, in minor units.
    basis: i64,
    /// Why it earned nothing: `"sku"` or `{"category": …}`.
    #[schema(value_type = Option<Object>)]
    excluded: Option<String>,
    /// The multiplier of the rule that matched, else 1; a decimal.
    multiplier: String,
    /// Code of that rule.
    rule: Option<String>,
    /// The combined multiplier of the promotions on this line, where it is not that of the purchase.
    promotion_multiplier: Option<String>,
    /// Its share of the points given.
    points: i64,
}

/// What came off a line.
#[derive(ToSchema)]
struct DiscountExplainedSchema {
    /// `member_price` or `coupon`.
    source: String,
    /// Code of the member price or the coupon.
    code: String,
    /// How much, in minor units above 0.
    amount: i64,
}

/// A coupon that was used.
#[derive(ToSchema)]
struct CouponExplainedSchema {
    /// Its code.
    code: String,
    /// Code of its kind.
    r#type: String,
    /// What it took off in all, in minor units.
    amount: i64,
}

/// One promotion.
#[derive(ToSchema)]
struct PromotionExplainedSchema {
    /// Its code; `perk:` and a code for a multiplier that a perk granted, `entitlement:` and a code for
    /// one of a day that the member chose.
    code: String,
    /// What it gives.
    #[schema(value_type = Object)]
    effect: String,
    /// Why it did not apply: `schedule`, `hours`, `store`, `tier`, `first_purchase`, `nth_purchase`, `lines`,
    /// `minimum_spend`, `condition`, `paused`, `not_best`, `exclusion_group`, `member_limit`, `day_limit`,
    /// `total_limit` or `budget`; absent where it did.
    missed: Option<String>,
    /// What it asked of the goods and asks again when some come back: the `lines` it is for, its
    /// `minimum_spend`, its condition (`when`); absent for none.
    #[schema(value_type = Option<Object>)]
    goods: Option<String>,
    /// Points charged to it, after its cap and its budget.
    charged: i64,
    /// Points without them, where one bit.
    wanted: Option<i64>,
    /// Points that were left of its budget, where that is what it was charged.
    left: Option<i64>,
    /// Money it gave to the wallet, where that is what it gives.
    #[schema(inline)]
    cashback: Option<CashbackExplainedSchema>,
    /// What counts against its limits, where it has any: `points`, the `money` in minor units where it gave some,
    /// and the `day` where uses are limited by member.
    #[schema(value_type = Option<Object>)]
    counted: Option<String>,
}

/// Money that a promotion gave, in minor units.
#[derive(ToSchema)]
struct CashbackExplainedSchema {
    /// Given.
    given: i64,
    /// What it would have been without its caps and its budget, where one bit.
    wanted: Option<i64>,
    /// What was left of the member's month, where that is what was given.
    left: Option<i64>,
    /// What was left of the promotion's budget, where that is what was given.
    left_of_budget: Option<i64>,
}

/// A cap that bit.
#[derive(ToSchema)]
struct CapExplainedSchema {
    /// `purchase` or `day`.
    cap: String,
    /// The most that could be given.
    limit: i64,
    /// Points it cut off.
    cut: i64,
}
