//! Perks as they look on the wire.

use utoipa::ToSchema;

use super::{Multiplier, Text};

/// Something members are given for an occasion.
#[derive(ToSchema)]
pub(in crate::api::admin) struct Perk {
    /// Names the perk for ever; grants point to it.
    #[schema(pattern = "^[a-z0-9_-]{1,64}$", example = "birthday")]
    code: String,
    /// What members see.
    name: Text,
    /// The occasion.
    occasion: OccasionKind,
    /// What is given.
    grant: PerkGift,
    /// The first that names the member's tier, or names none, counts; none of them: no perk.
    #[schema(min_items = 1)]
    windows: Vec<PerkWindow>,
    /// The member must have been enrolled for so many days.
    #[schema(required = false, default = 0)]
    member_for_days: u32,
    /// The member must have made at least one purchase.
    #[schema(required = false, default = false)]
    needs_purchase: bool,
    /// Where 29 February is kept in common years; 28 February where nothing is said.
    #[schema(required = false)]
    leap_day: LeapDay,
}

/// A perk as it is shown.
#[derive(ToSchema)]
pub(in crate::api::admin) struct PerkView {
    /// The code.
    id: String,
    #[serde(flatten)]
    perk: Perk,
}

/// What a perk is for: a word, or `{"lapse": {"days": 90}}`.
#[derive(ToSchema)]
#[schema(example = json!("birthday"))]
#[serde(rename_all = "snake_case")]
pub(in crate::api::admin) enum OccasionKind {
    /// The member's birthday, once a year.
    Birthday,
    /// The day of enrolment, once.
    Welcome,
    /// The anniversary of enrolment, once a year from the first on.
    Anniversary,
    /// The day the member rises to a tier, once for each; the windows say for which tiers.
    TierReached,
    /// So many days without a purchase, once for each last purchase.
    Lapse {
        /// How many.
        #[schema(minimum = 1, maximum = 3650)]
        days: u32,
    },
}

/// What a perk gives.
#[derive(ToSchema)]
#[schema(example = json!({"kind": "points", "points": 200}))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(in crate::api::admin) enum PerkGift {
    /// Points that lapse when the window ends.
    Points {
        /// At least 1.
        #[schema(minimum = 1)]
        points: i64,
    },
    /// Purchases inside the window earn a multiple.
    Multiplier {
        /// 1 to 1000.
        multiplier: Multiplier,
    },
    /// A reward, to be redeemed once inside the window for nothing, whatever tier it needs and whether or
    /// not it is offered otherwise.
    Reward {
        /// Its code.
        reward: String,
    },
    /// A coupon of the member's own, to be used by the end of the window.
    Coupon {
        /// Code of its kind.
        coupon: String,
    },
    /// A message, for whoever delivers messages.
    Message {
        /// What; `{name}`, `{tier}`, `{points}` and `{programme}` are filled in.
        text: Text,
    },
}

/// The days around the occasion on which a perk is valid.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::admin) struct PerkWindow {
    /// Tier codes; empty: every tier.
    #[schema(required = false)]
    tiers: Vec<String>,
    /// Days before the occasion; 0 where it is not known before it comes: `welcome`, `tier_reached`, `lapse`.
    #[schema(required = false, maximum = 180, default = 0)]
    before_days: u32,
    /// Days after the occasion.
    #[schema(required = false, maximum = 180, default = 0)]
    after_days: u32,
}

/// Where 29 February is kept in common years.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(in crate::api::admin) enum LeapDay {
    /// 28 February.
    #[schema(rename = "february28")]
    February28,
    /// 1 March.
    #[schema(rename = "march1")]
    March1,
}
