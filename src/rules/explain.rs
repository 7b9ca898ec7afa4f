//! The explanation stored with every sale: why it earned what it earned (PROGRAMME.md §3). It is
//! also what later returns are decided on, so it names every factor, and it is never recomputed.

use serde::{Deserialize, Serialize};

use crate::amount::{Minor, Multiplier, Points, Quantity, Rate};
use crate::cashback::CashbackExplained;
use crate::combine::Offer;
use crate::condition::Facts;
use crate::goods::Goods;
use crate::limit::Counted;
use crate::promotion::{Combine, Miss, PromotionEffect};

/// Why a purchase earned what it earned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The programme version that decided.
    pub programme_version: i64,
    /// The base rate.
    pub rate: Rate,
    /// Code of the tier that counted.
    pub tier: String,
    /// Its multiplier.
    pub tier_multiplier: Multiplier,
    /// The combined promotion multiplier of every line that has none of its own.
    pub promotion_multiplier: Multiplier,
    /// Fixed points added.
    pub fixed_points: Points,
    /// The basis: what counted, in minor units.
    pub basis: Minor,
    /// Base points: what the basis earns before any multiplier; what tiers measure.
    pub base_points: Points,
    /// Line by line.
    pub lines: Vec<LineExplained>,
    /// The coupons that were used, in the order in which they were taken off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coupons: Vec<CouponExplained>,
    /// Promotion by promotion, in priority order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub promotions: Vec<PromotionExplained>,
    /// The fraction of a point cut off, in micropoints; carried to the next purchase where the
    /// programme carries remainders.
    pub remainder_micropoints: i64,
    /// Points that came from earlier remainders.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub carried_points: Points,
    /// The caps that bit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caps: Vec<CapExplained>,
    /// How promotions combine; told where one is asked again when goods come back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub combine: Option<Combine>,
    /// What a condition is asked of then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Box<Facts>>,
}

fn is_zero(points: &Points) -> bool {
    points.is_zero()
}

/// One line of a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineExplained {
    /// Position, from 1.
    pub line: u32,
    /// How much of the article was sold.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub quantity: Quantity,
    /// What it cost without the programme in minor units, where it was sold for less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<Minor>,
    /// What made it cheaper, in the order in which it was taken off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub discounts: Vec<DiscountExplained>,
    /// What it was sold for in minor units, where that is not the basis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sold_for: Option<Minor>,
    /// What counted of it after excluded tenders, in minor units; 0 when excluded.
    pub basis: Minor,
    /// Why it earned nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded: Option<Exclusion>,
    /// The multiplier of the rule that matched, else 1.
    pub multiplier: Multiplier,
    /// Code of that rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The combined multiplier of the promotions on this line, where it is not that of the purchase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion_multiplier: Option<Multiplier>,
    /// Its share of the points given.
    pub points: Points,
}

impl LineExplained {
    /// What the line was sold for, in minor units.
    pub fn amount(&self) -> Minor {
        self.sold_for.unwrap_or(self.basis)
    }
}

fn one() -> Quantity {
    Quantity::ONE
}

fn is_one(quantity: &Quantity) -> bool {
    *quantity == Quantity::ONE
}

/// What came off a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscountExplained {
    /// What took it off.
    pub source: DiscountSource,
    /// Code of the member price or the coupon.
    pub code: String,
    /// How much, in minor units above 0.
    pub amount: Minor,
}

/// What takes something off a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiscountSource {
    /// A member price.
    MemberPrice,
    /// A coupon.
    Coupon,
}

/// A coupon that was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CouponExplained {
    /// Its code.
    pub code: String,
    /// Code of its type.
    #[serde(rename = "type")]
    pub of: String,
    /// What it took off in all, in minor units.
    pub amount: Minor,
}

/// Why a line earned nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exclusion {
    /// Its SKU is excluded.
    Sku,
    /// This category is excluded.
    Category(String),
}

/// One promotion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromotionExplained {
    /// Its code; `perk:<code>` for a multiplier that a perk granted, `entitlement:<code>` for one of a
    /// day that the member chose.
    pub code: String,
    /// What it gives.
    pub effect: PromotionEffect,
    /// Why it did not apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<Miss>,
    /// What it asked of the goods, and asks again when some come back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goods: Option<Goods>,
    /// Points charged to it, after its cap and its budget.
    pub charged: Points,
    /// Points it would have been charged without them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Points>,
    /// Points that were left of its budget, where that is what it was charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Points>,
    /// Money it gave to the wallet, where that is what it gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cashback: Option<CashbackExplained>,
    /// What counts against its limits, where it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Counted>,
}

impl PromotionExplained {
    /// Its effect on the lines it is for.
    pub(crate) fn offer(&self) -> Offer<'_> {
        Offer { effect: &self.effect, lines: self.goods.as_ref().and_then(|goods| goods.lines.as_deref()) }
    }
}

/// A cap that bit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapExplained {
    /// Which.
    pub cap: CapKind,
    /// The most that could be given.
    pub limit: Points,
    /// Points it cut off.
    pub cut: Points,
}

/// Which cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapKind {
    /// On one purchase.
    Purchase,
    /// On the purchases of one day.
    Day,
}
