//! What staff may give and take by hand, as it looks on the wire.

use utoipa::ToSchema;

/// What staff may give and take by hand, and from how many points on somebody else has to agree.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::admin) struct Adjustments {
    /// What a manager does alone; 500 at once and 2,000 a day where nothing is said.
    #[schema(required = false)]
    manager: AdjustmentLimits,
    /// What an admin does alone; 5,000 at once and 20,000 a day where nothing is said.
    #[schema(required = false)]
    admin: AdjustmentLimits,
    /// The reasons there are, as codes; any code where nothing is said.
    #[schema(required = false, example = json!(["goodwill", "till_error"]))]
    reasons: Vec<String>,
}

/// What a person may give and take without asking anybody; taking counts as giving does.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::admin) struct AdjustmentLimits {
    /// Points by one adjustment; 0: none.
    #[schema(minimum = 0, example = 500)]
    each: i64,
    /// Points by all adjustments of one programme day that nobody else agreed to.
    #[schema(minimum = 0, example = 2000)]
    per_day: i64,
}
