//! What promotions are limited by.

use utoipa::ToSchema;

/// How often a promotion may be used, and how many points or how much money it may give. A use is a purchase in
/// which it gave something; it counts until nothing of the purchase remains.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"per_member": 3, "budget_points": 100_000}))]
pub(in crate::api::admin) struct Limits {
    /// Uses by one member.
    #[schema(minimum = 1)]
    per_member: Option<u32>,
    /// Uses by one member on one local day.
    #[schema(minimum = 1)]
    per_member_per_day: Option<u32>,
    /// Uses by all members.
    #[schema(minimum = 1)]
    total: Option<u32>,
    /// Points given to all members.
    #[schema(minimum = 1)]
    budget_points: Option<i64>,
    /// Cashback given to all members, in minor units; only where the promotion gives some.
    #[schema(minimum = 1)]
    budget_money: Option<i64>,
}
