//! What members may do with each other's points, and what bringing each other is worth, as it looks on the wire.

use utoipa::ToSchema;

/// What members may give to each other.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::admin) struct Transfers {
    /// The least at once.
    #[schema(required = false, minimum = 1, default = 1)]
    minimum: i64,
    /// Points that a member may give on a programme day; at least `minimum`.
    #[schema(minimum = 1, example = 1000)]
    daily_limit: i64,
}

/// What households may do.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::admin) struct Pools {
    /// The most members of a household, its head included.
    #[schema(required = false, minimum = 2, maximum = 100, default = 6)]
    members: u32,
    /// Points that each member but the head may spend from the pool on a programme day.
    #[schema(minimum = 1, example = 1000)]
    daily_limit: i64,
}

/// Which purchase completes a referral.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::admin) struct ReferralTerms {
    /// The least that counts of it, in minor units.
    #[schema(required = false, minimum = 0, default = 0)]
    minimum_spend: i64,
    /// Through which local day after that of the enrolment it may be made.
    #[schema(required = false, minimum = 1, maximum = 3650, default = 90)]
    within_days: u32,
}
