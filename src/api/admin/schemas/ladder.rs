//! The ladder of tiers as it looks on the wire.

use utoipa::ToSchema;

use super::{Expiry, Multiplier, Text};

/// The ladder of tiers.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::admin) struct Tiers {
    /// What is measured.
    measure: Measure,
    /// Over which days.
    window: Window,
    /// How long a reached tier is valid; `measured` where nothing is said.
    #[schema(required = false)]
    validity: Validity,
    /// What follows when validity ends and the measure no longer holds; `one_step` where nothing is said.
    #[schema(required = false)]
    fall: Fall,
    /// Days for which a tier stays after its validity, to be renewed in. None for a measured tier.
    #[schema(required = false, maximum = 366, default = 0)]
    grace_days: u32,
    /// What a change of tier does to the expiry of open lots; `keep` where nothing is said.
    #[schema(required = false)]
    lots_on_change: LotsOnChange,
    /// From the lowest, whose threshold is 0, up.
    #[schema(min_items = 1)]
    levels: Vec<TierLevel>,
}

/// What a threshold is compared with.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum Measure {
    /// Base points, before any multiplier.
    Points,
    /// The eligible amounts in minor units.
    Spend,
    /// Purchases.
    Visits,
}

/// Over which days the measure is taken.
#[derive(ToSchema)]
#[schema(example = json!({"kind": "rolling", "days": 365}))]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Window {
    /// A purchase counts for so many days.
    Rolling {
        /// 1 to 3660.
        #[schema(minimum = 1, maximum = 3660)]
        days: u32,
    },
    /// The running calendar year.
    CalendarYear,
    /// The running year of membership, from the day of enrolment or its anniversary.
    Anniversary,
    /// For ever.
    Lifetime,
}

/// How long a reached tier is valid.
#[derive(ToSchema)]
#[schema(example = json!({"kind": "months", "months": 12}))]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Validity {
    /// As long as the measure holds, looked at each midnight.
    Measured,
    /// To the end of the calendar year after the one in which it was reached.
    EndOfNextYear,
    /// To the end of the same date so many months on.
    Months {
        /// 1 to 240.
        #[schema(minimum = 1, maximum = 240)]
        months: u32,
    },
}

/// What follows when a tier's validity ends and the measure no longer holds.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum Fall {
    /// The next lower tier, with a fresh validity.
    OneStep,
    /// The highest tier whose threshold holds.
    Requalify,
}

/// What a change of tier does to the expiry of open lots.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum LotsOnChange {
    /// They keep the rule of the tier they were earned at.
    Keep,
    /// They take the rule of the tier reached.
    Take,
}

/// One tier.
#[derive(ToSchema)]
pub(in crate::api::admin) struct TierLevel {
    /// Names the tier.
    #[schema(pattern = "^[a-z0-9_-]{1,64}$", example = "gold")]
    code: String,
    /// What members see.
    name: Text,
    /// The measure at which it is reached.
    #[schema(minimum = 0, example = 5000)]
    threshold: i64,
    /// Multiplies what purchases earn: 0 to 1000.
    #[schema(required = false)]
    earn_multiplier: Multiplier,
    /// When points earned at this tier lapse, where that is not as in the programme.
    expiry: Option<Expiry>,
    /// Who reached it never falls below it.
    #[schema(required = false, default = false)]
    keep_for_life: bool,
    /// What a member may use so many times a calendar year.
    #[schema(required = false)]
    entitlements: Vec<Entitlement>,
    /// Benefits in words.
    #[schema(required = false)]
    benefits: Vec<Text>,
}

/// Something a tier's member may use so many times a calendar year; tiers that share a code share the count.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
struct Entitlement {
    /// Names the entitlement; uses point to it.
    #[schema(pattern = "^[a-z0-9_-]{1,64}$", example = "double-day")]
    code: String,
    /// What members see.
    name: Text,
    /// Uses in a calendar year.
    #[schema(minimum = 1, maximum = 366, example = 2)]
    per_year: u32,
    /// What a use gives; `counted` where nothing is said.
    #[schema(required = false)]
    kind: EntitlementKind,
}

/// What one use of an entitlement gives.
#[derive(ToSchema)]
#[schema(example = json!({"kind": "multiplier_day", "multiplier": "2"}))]
#[serde(tag = "kind", rename_all = "snake_case")]
enum EntitlementKind {
    /// Something outside the books, which only counts: a free delivery.
    Counted,
    /// The purchases of a day that the member chooses earn a multiple.
    MultiplierDay {
        /// 1 to 1000.
        multiplier: Multiplier,
    },
}

/// A tier as it is shown.
#[derive(ToSchema)]
pub(in crate::api::admin) struct TierLevelView {
    /// The code.
    id: String,
    #[serde(flatten)]
    level: TierLevel,
}
