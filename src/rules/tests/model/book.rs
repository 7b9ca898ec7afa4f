//! A programme in the model's own words. Multipliers are in ten-thousandths, lists go from the lowest
//! tier up.

use chrono_tz::Tz;

use super::calendar::Part;

/// How multipliers combine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Combine {
    Best,
    Add,
    Multiply,
}

/// When points lapse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expiry {
    Never,
    /// Months after they became available, rounded on.
    After(u32, Part),
    /// The first of these dates (month, day), at least so many months on.
    OnDates(Vec<(u32, u32)>, u32),
    /// Months without an activity.
    Idle(u32),
}

/// A promotion: its place in the list is its code.
#[derive(Debug, Clone)]
pub(crate) struct Promo {
    pub(crate) priority: i32,
    /// The multiplier, or else the points added.
    pub(crate) multiply: Option<i64>,
    pub(crate) add: i64,
    pub(crate) cap: Option<i64>,
    /// Points it gives to everybody together.
    pub(crate) budget: Option<i64>,
    /// How often it gives something to one.
    pub(crate) per_member: Option<i64>,
    /// The only tier it is for.
    pub(crate) tier: Option<usize>,
    /// The only weekday, Monday being 0.
    pub(crate) weekday: Option<usize>,
    /// Of added points alone.
    pub(crate) expiry: Option<Expiry>,
}

/// Points as money off.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    /// So many points buy so many minor units.
    pub(crate) rate: (i64, i64),
    pub(crate) minimum: i64,
    pub(crate) step: i64,
    /// The largest share of a basket.
    pub(crate) share: i64,
    pub(crate) hold_minutes: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    Points,
    Spend,
    Visits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Window {
    Rolling(i64),
    CalendarYear,
    Anniversary,
    Lifetime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Validity {
    Measured,
    EndOfNextYear,
    Months(u32),
}

#[derive(Debug, Clone)]
pub(crate) struct Level {
    pub(crate) threshold: i64,
    pub(crate) earns: i64,
    pub(crate) expiry: Option<Expiry>,
    pub(crate) keep_for_life: bool,
    /// Days of so many times the points, so many a year.
    pub(crate) double_days: Option<(u32, i64)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Ladder {
    pub(crate) measure: Measure,
    pub(crate) window: Window,
    pub(crate) validity: Validity,
    /// Falls one step, or else to what the measure holds.
    pub(crate) one_step: bool,
    pub(crate) grace_days: i64,
    /// Whether open lots take the rule of another tier.
    pub(crate) lots_take: bool,
    pub(crate) levels: Vec<Level>,
}

/// What a perk is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    Birthday,
    Welcome,
    Anniversary,
    TierReached,
    /// So many days without a purchase.
    Lapse(i64),
}

impl Occasion {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Birthday => "birthday",
            Self::Welcome => "welcome",
            Self::Anniversary => "anniversary",
            Self::TierReached => "tier_reached",
            Self::Lapse(_) => "lapse",
        }
    }
}

/// What a perk gives, to be used inside its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Given {
    Points(i64),
    /// Purchases earn a multiple.
    Multiple(i64),
    /// A mug for nothing.
    Mug,
}

/// A perk: its occasion is its code.
#[derive(Debug, Clone)]
pub(crate) struct Gift {
    pub(crate) occasion: Occasion,
    pub(crate) given: Given,
    /// The only tier it is for.
    pub(crate) tier: Option<usize>,
    /// Days a member must have been one.
    pub(crate) member_for: i64,
    pub(crate) before: i64,
    pub(crate) after: i64,
    pub(crate) needs_purchase: bool,
    pub(crate) march: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Book {
    pub(crate) zone: Tz,
    /// So many points for so many minor units.
    pub(crate) rate: (i64, i64),
    pub(crate) combine: Combine,
    pub(crate) carry: bool,
    pub(crate) pending_days: i64,
    pub(crate) cap: Option<i64>,
    pub(crate) day_cap: Option<i64>,
    /// Multiplier of the category `food`.
    pub(crate) food: i64,
    /// Whether what points paid for earns nothing. Gift cards never earn.
    pub(crate) points_excluded: bool,
    pub(crate) promos: Vec<Promo>,
    pub(crate) expiry: Expiry,
    /// Whether earning, and redeeming, keeps points alive.
    pub(crate) activities: (bool, bool),
    /// What a member lacks when goods come back is forgiven, not owed.
    pub(crate) forgive: bool,
    /// Days in which points may be spent that were given back after their lot had expired.
    pub(crate) return_grace_days: i64,
    pub(crate) offer: Offer,
    /// A reward: points, stock, lowest tier.
    pub(crate) mug: (i64, i64, usize),
    /// What members may give to each other: the least at once, the most a day.
    pub(crate) transfers: (i64, i64),
    /// Households: the most members, the most that each but the head may spend a day.
    pub(crate) pools: (i64, i64),
    pub(crate) ladder: Ladder,
    pub(crate) gifts: Vec<Gift>,
    /// How many days ahead members are warned of points that lapse, and of a tier that falls.
    pub(crate) notices: (Vec<i64>, Vec<i64>),
}

impl Book {
    /// When points lapse that were earned at a tier.
    pub(crate) fn expiry_at(&self, tier: usize) -> &Expiry {
        self.ladder.levels[tier].expiry.as_ref().unwrap_or(&self.expiry)
    }

    /// The highest tier whose threshold a measure reaches.
    pub(crate) fn reached(&self, measure: i64) -> usize {
        (0..self.ladder.levels.len()).rev().find(|&tier| measure >= self.ladder.levels[tier].threshold).unwrap_or(0)
    }

    /// The lowest tier to which the holder of a tier can ever fall.
    pub(crate) fn floor(&self, tier: usize) -> usize {
        (0..=tier).rev().find(|&below| self.ladder.levels[below].keep_for_life).unwrap_or(0)
    }
}
