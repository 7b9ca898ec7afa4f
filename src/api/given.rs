//! What promotions gave beside points, as answers tell it.

use serde::Serialize;
use tessera_rules::gift::Given;
use tessera_rules::perk::PerkGift;
use tessera_rules::trigger::promotion_of;
use utoipa::ToSchema;

use super::admin::schemas;

/// Something a promotion gave.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GivenView<'a> {
    /// Code of the promotion.
    #[schema(example = "welcome")]
    promotion: &'a str,
    /// What.
    #[schema(value_type = schemas::Gift)]
    gift: &'a PerkGift,
    /// The code of a coupon; absent for other gifts, and in a preview.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "7KQ2M9XD4RTA0WCZ")]
    coupon_code: Option<&'a str>,
}

impl<'a> From<&'a Given> for GivenView<'a> {
    fn from(given: &'a Given) -> Self {
        Self {
            promotion: promotion_of(&given.by).unwrap_or(&given.by),
            gift: &given.gift,
            coupon_code: given.coupon.as_deref(),
        }
    }
}
