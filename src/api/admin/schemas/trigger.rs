//! What sets promotions off and what they give, as it looks on the wire.

use std::collections::BTreeMap;

use utoipa::ToSchema;

use super::perk::LeapDay;
use super::{Multiplier, Text};

/// What sets a promotion off.
#[derive(ToSchema)]
#[schema(example = json!({"kind": "birthday", "before_days": 7, "after_days": 7}))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(in crate::api::admin) enum Trigger {
    /// A purchase.
    Purchase,
    /// The enrolment, once.
    Enrolment,
    /// The birthday, once a year.
    Birthday {
        /// Days before it.
        #[schema(required = false, maximum = 180, default = 0)]
        before_days: u32,
        /// Days after it.
        #[schema(required = false, maximum = 180, default = 0)]
        after_days: u32,
        /// Where 29 February is kept in common years; 28 February where nothing is said.
        #[schema(required = false)]
        leap_day: LeapDay,
    },
    /// A change of tier, each once.
    TierChange {
        /// Which way; either where nothing is said.
        direction: Option<Direction>,
        /// Code of the tier it leads to; any where nothing is said.
        to: Option<String>,
    },
    /// An event that another system tells of, each once.
    Event {
        /// Code of its kind.
        event: String,
    },
    /// So many days without a purchase, once for each last purchase.
    Lapse {
        /// How many.
        #[schema(minimum = 1, maximum = 3650)]
        days: u32,
    },
    /// A referral that is completed, each once for either side.
    Referral {
        /// For whom the promotion is.
        r#for: ReferralSide,
    },
}

/// On which side of a referral somebody stands.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(in crate::api::admin) enum ReferralSide {
    /// The member who referred the other.
    Referrer,
    /// The new member.
    Referred,
}

/// Which way a tier changes.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(in crate::api::admin) enum Direction {
    /// To a higher one.
    Up,
    /// To a lower one.
    Down,
}

/// What a promotion gives.
#[derive(ToSchema)]
#[schema(example = json!({"kind": "multiply", "by": "2"}))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(in crate::api) enum PromotionEffect {
    /// Multiplies what the eligible lines earn.
    Multiply {
        /// 1 to 1000.
        by: Multiplier,
    },
    /// Adds points after multiplication.
    Add {
        /// At least 1.
        #[schema(minimum = 1)]
        points: i64,
    },
    /// Adds points after multiplication for what counts of the lines it is for.
    PerAmount {
        /// So many for every full `per`.
        #[schema(minimum = 1)]
        points: i64,
        /// In minor units.
        #[schema(minimum = 1)]
        per: i64,
    },
    /// Gives money to the wallet: a share of what counts of the lines it is for, rounded down.
    Cashback {
        /// Percent: above 0, at most 100.
        percent: Multiplier,
        /// The most for one purchase, in minor units.
        #[schema(minimum = 1)]
        cap: Option<i64>,
        /// The most for one member in a local calendar month, in minor units.
        #[schema(minimum = 1)]
        cap_per_month: Option<i64>,
    },
    /// Issues a coupon to the member.
    Coupon {
        /// Code of its kind.
        coupon: String,
    },
    /// A reward, to be redeemed once for nothing; not for purchases.
    Reward {
        /// Its code.
        reward: String,
        /// For how many days after the day it is given.
        #[schema(maximum = 366)]
        days: u32,
    },
    /// Purchases of some days earn a multiple; not for purchases themselves.
    Multiplier {
        /// 1 to 1000.
        multiplier: Multiplier,
        /// For how many days after the day it is given.
        #[schema(maximum = 366)]
        days: u32,
    },
    /// Puts a tag on the member.
    Tag {
        /// Which.
        #[schema(pattern = "^[a-z0-9_-]{1,32}$", example = "vip")]
        tag: String,
        /// For how many days after the day it is given; for good where nothing is said.
        #[schema(maximum = 3660)]
        days: Option<u32>,
    },
    /// Takes a tag off the member.
    Untag {
        /// Which.
        #[schema(pattern = "^[a-z0-9_-]{1,32}$", example = "vip")]
        tag: String,
    },
    /// Tells the member something.
    Message {
        /// What; `{name}`, `{tier}`, `{points}` and `{programme}` are filled in.
        text: Text,
    },
}

/// What a perk or a promotion gave.
#[derive(ToSchema)]
#[schema(example = json!({"kind": "coupon", "coupon": "five-off"}))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(in crate::api) enum Gift {
    /// Points.
    Points {
        /// How many.
        points: i64,
    },
    /// Purchases inside the window earn a multiple.
    Multiplier {
        /// By what they are multiplied.
        multiplier: Multiplier,
    },
    /// A reward, to be redeemed once inside the window for nothing.
    Reward {
        /// Its code.
        reward: String,
    },
    /// A coupon of the member's own.
    Coupon {
        /// Code of its kind.
        coupon: String,
    },
    /// A tag.
    Tag {
        /// Which.
        tag: String,
        /// For how many days after the day; absent: for good.
        days: Option<u32>,
    },
    /// A tag that is gone.
    Untag {
        /// Which.
        tag: String,
    },
    /// A message.
    Message {
        /// What it says, before it is filled in.
        text: Text,
    },
}

/// A kind of event.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::admin) struct EventType {
    /// Names the kind for ever.
    #[schema(pattern = "^[a-z0-9_-]{1,64}$", example = "app-installed")]
    code: String,
    /// What people read.
    name: Text,
    /// What an event of this kind may say of itself, with the type of each; at most 20, named with a-z, 0-9 and `_`.
    #[schema(required = false, example = json!({"platform": "string"}))]
    attributes: BTreeMap<String, AttributeType>,
}

/// A kind of event as it is shown.
#[derive(ToSchema)]
pub(in crate::api::admin) struct EventTypeView {
    /// The code.
    id: String,
    #[serde(flatten)]
    event: EventType,
}

/// The type of an attribute.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(in crate::api::admin) enum AttributeType {
    /// A text of at most 200 characters.
    String,
    /// A whole number of at most 15 digits.
    Integer,
    /// True or false.
    Boolean,
}
