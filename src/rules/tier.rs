//! Tiers: what is measured, over which window, how long a reached tier is valid and what follows
//! (PROGRAMME.md §6). How a member moves between them is in [`crate::ladder`].

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::amount::{MAX_MAGNITUDE, Multiplier};
use crate::entitlement::Entitlement;
use crate::expiry::Expiry;
use crate::member::DayTotals;
use crate::programme::{Problems, Programme};
use crate::text::Text;
use crate::time::{Day, Instant, MonthDay, Period, Zone, add_days, add_months};

/// What a threshold is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Base points: the eligible amounts at the base rate, before any multiplier.
    Points,
    /// The basis in minor units.
    Spend,
    /// Purchases.
    Visits,
}

impl Measure {
    /// The measured quantity of a sum of days.
    pub fn of(self, totals: &DayTotals) -> i64 {
        match self {
            Self::Points => totals.points,
            Self::Spend => totals.spend,
            Self::Visits => totals.visits,
        }
    }
}

/// Over which days the measure is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Window {
    /// A purchase of day D counts until the midnight that opens day D + `days`.
    Rolling {
        /// 1 to 3,660.
        days: u32,
    },
    /// The running calendar year.
    CalendarYear,
    /// The running year of membership: from the day of enrolment, or its anniversary, to the day
    /// before the next. Who joined on 29 February keeps 28 February in common years.
    Anniversary,
    /// For ever.
    Lifetime,
}

/// The days a window spans, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First day that counts.
    pub from: Day,
    /// Last day that counts.
    pub to: Day,
}

/// Before any purchase, and within what PostgreSQL calls a date.
pub const FIRST_DAY: Day = match NaiveDate::from_ymd_opt(1, 1, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};
/// After any purchase, and within what PostgreSQL calls a date.
pub const LAST_DAY: Day = match NaiveDate::from_ymd_opt(9999, 12, 31) {
    Some(day) => day,
    None => NaiveDate::MAX,
};

impl Span {
    /// Whether a day counts.
    pub fn contains(&self, day: Day) -> bool {
        self.from <= day && day <= self.to
    }
}

impl Window {
    /// The span on a local day, for a member who joined on the local day `enrolled`.
    pub fn span(self, today: Day, enrolled: Day) -> Span {
        match self {
            Self::Rolling { days } => Span { from: add_days(today, 1 - i64::from(days)), to: LAST_DAY },
            Self::CalendarYear => Span {
                from: NaiveDate::from_ymd_opt(today.year(), 1, 1).unwrap_or(FIRST_DAY),
                to: NaiveDate::from_ymd_opt(today.year(), 12, 31).unwrap_or(LAST_DAY),
            },
            Self::Anniversary => {
                let anniversary = MonthDay { month: enrolled.month(), day: enrolled.day() };
                let this_year = anniversary.kept_in(today.year());
                let first = if this_year <= today { today.year() } else { today.year() - 1 };
                Span { from: anniversary.kept_in(first), to: add_days(anniversary.kept_in(first + 1), -1) }
            }
            Self::Lifetime => Span { from: FIRST_DAY, to: LAST_DAY },
        }
    }
}

/// How long a reached tier is valid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Validity {
    /// As long as the measure holds, looked at each midnight: no grace, no step.
    #[default]
    Measured,
    /// To the end of the calendar year after the one in which it was reached.
    EndOfNextYear,
    /// To the end of the same date this many months on, clamped to the month.
    Months {
        /// 1 to 240.
        months: u32,
    },
}

impl Validity {
    /// The first instant at which a tier reached at `at` is no longer valid; absent: it is measured.
    pub fn ends(self, zone: Zone, at: Instant) -> Option<Instant> {
        let day = zone.day_of(at);
        let last = match self {
            Self::Measured => return None,
            Self::EndOfNextYear => Period::Year.last_day(add_months(day, 12)),
            Self::Months { months } => add_months(day, months),
        };
        Some(zone.midnight(add_days(last, 1)))
    }
}

/// What follows when a tier's validity ends and the measure no longer holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fall {
    /// The next lower tier, with a fresh validity: a soft landing.
    #[default]
    OneStep,
    /// The highest tier whose threshold holds.
    Requalify,
}

/// What a change of tier does to the expiry of lots that are open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LotsOnChange {
    /// They keep the rule of the tier they were earned at.
    #[default]
    Keep,
    /// They take the rule of the tier reached: see [`Programme::redates_lots`].
    Take,
}

/// One tier of the ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierLevel {
    /// Names the tier.
    pub code: String,
    /// What members see.
    pub name: Text,
    /// The measure at which it is reached; 0 for the lowest.
    pub threshold: i64,
    /// Multiplies what purchases earn.
    #[serde(default = "one")]
    pub earn_multiplier: Multiplier,
    /// When points earned at this tier lapse, where that is not as in the programme (§5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<Expiry>,
    /// Who reached it never falls below it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_for_life: bool,
    /// What a member may use so many times a calendar year.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entitlements: Vec<Entitlement>,
    /// Benefits in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub benefits: Vec<Text>,
}

fn one() -> Multiplier {
    Multiplier::ONE
}

impl TierLevel {
    /// The one tier of a programme that configures none.
    pub fn base() -> Self {
        Self {
            code: "member".to_owned(),
            name: Text::from("Member"),
            threshold: 0,
            earn_multiplier: one(),
            expiry: None,
            keep_for_life: false,
            entitlements: Vec::new(),
            benefits: Vec::new(),
        }
    }
}

/// The ladder of tiers (PROGRAMME.md §6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tiers {
    /// What is measured.
    pub measure: Measure,
    /// Over which window.
    pub window: Window,
    /// How long a reached tier is valid.
    #[serde(default)]
    pub validity: Validity,
    /// What follows when validity ends and the measure no longer holds.
    #[serde(default)]
    pub fall: Fall,
    /// Days for which a tier stays after its validity, to be renewed in; at most 366.
    #[serde(default)]
    pub grace_days: u32,
    /// What a change of tier does to the expiry of open lots.
    #[serde(default)]
    pub lots_on_change: LotsOnChange,
    /// From the lowest (threshold 0) up; never empty.
    pub levels: Vec<TierLevel>,
}

impl Default for Tiers {
    fn default() -> Self {
        Self {
            measure: Measure::Points,
            window: Window::Lifetime,
            validity: Validity::Measured,
            fall: Fall::OneStep,
            grace_days: 0,
            lots_on_change: LotsOnChange::Keep,
            levels: vec![TierLevel::base()],
        }
    }
}

impl Tiers {
    pub(crate) fn check(&self, found: &mut Problems) {
        let levels = &self.levels;
        found.refuse(levels.is_empty(), "/tiers/levels", "empty", "at least one tier is needed");
        found.codes("/tiers/levels", levels.iter().map(|level| level.code.as_str()));
        found.refuse(
            levels.first().is_some_and(|level| level.threshold != 0),
            "/tiers/levels/0/threshold",
            "not_zero",
            "the lowest tier is reached at 0",
        );
        for (i, pair) in levels.windows(2).enumerate() {
            found.refuse(
                pair[1].threshold <= pair[0].threshold,
                &format!("/tiers/levels/{}/threshold", i + 1),
                "not_ascending",
                "must be above the threshold of the tier below",
            );
        }
        for (i, level) in levels.iter().enumerate() {
            level.check(&format!("/tiers/levels/{i}"), found);
        }
        if let Window::Rolling { days } = self.window {
            found.refuse(!(1..=3_660).contains(&days), "/tiers/window/days", "out_of_range", "must be 1 to 3660");
        }
        if let Validity::Months { months } = self.validity {
            found.refuse(!(1..=240).contains(&months), "/tiers/validity/months", "out_of_range", "must be 1 to 240");
        }
        found.refuse(self.grace_days > 366, "/tiers/grace_days", "out_of_range", "must be 0 to 366");
        let graceless = self.grace_days > 0 && self.validity == Validity::Measured;
        found.refuse(graceless, "/tiers/grace_days", "no_validity", "a measured tier has no grace");
    }
}

impl TierLevel {
    fn check(&self, at: &str, found: &mut Problems) {
        let beyond = self.threshold > MAX_MAGNITUDE;
        found.refuse(beyond, &format!("{at}/threshold"), "out_of_range", "must be at most 9007199254740991");
        found.multiplier(&format!("{at}/earn_multiplier"), self.earn_multiplier, 0);
        if let Some(expiry) = &self.expiry {
            expiry.check(&format!("{at}/expiry"), found);
        }
        let codes = self.entitlements.iter().map(|entitlement| entitlement.code.as_str());
        found.codes(&format!("{at}/entitlements"), codes);
        for (i, entitlement) in self.entitlements.iter().enumerate() {
            entitlement.check(&format!("{at}/entitlements/{i}"), found);
        }
    }
}

impl Programme {
    /// The position of the highest tier whose threshold a measure reaches.
    pub fn tier_for(&self, measure: i64) -> usize {
        self.tiers.levels.iter().rposition(|level| measure >= level.threshold).unwrap_or(0)
    }

    /// The lowest tier that a member of the tier at `position` can ever fall to: the highest one up
    /// to it that is kept for life.
    pub fn tier_floor(&self, position: usize) -> usize {
        self.tiers.levels.iter().take(position + 1).rposition(|level| level.keep_for_life).unwrap_or(0)
    }
}

/// Why a tier changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TierCause {
    /// A purchase reached the threshold.
    Purchase,
    /// The window moved on at midnight, or the tier's validity ended.
    Review,
    /// Staff placed the member.
    Placement,
    /// A placement by staff ended.
    PlacementEnd,
    /// Another account of the same person was merged into this one.
    Merge,
}

impl TierCause {
    /// The word in rows and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Purchase => "purchase",
            Self::Review => "review",
            Self::Placement => "placement",
            Self::PlacementEnd => "placement_end",
            Self::Merge => "merge",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::Purchase, Self::Review, Self::Placement, Self::PlacementEnd, Self::Merge];
        all.into_iter().find(|cause| cause.as_str() == word)
    }
}

/// A dated change of a member's tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierChange {
    /// 1, 2, 3 … per member.
    pub number: i64,
    /// Code of the tier left.
    pub from: String,
    /// Code of the tier reached.
    pub to: String,
    /// When it takes effect.
    pub at: Instant,
    /// When it was decided.
    pub recorded_at: Instant,
    /// Why.
    pub cause: TierCause,
    /// What staff said about a placement.
    pub reason: Option<String>,
    /// The measure at that moment.
    pub measure: i64,
    /// The programme version that decided it.
    pub programme_version: i64,
}

/// A placement by staff that is running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// Code of the tier the member would hold without it; the clock and purchases go on moving it.
    pub own: String,
    /// From when it no longer counts.
    pub until: Instant,
}

/// Where a member stands on the ladder, for people to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// What is measured.
    pub measure: Measure,
    /// The measure now.
    pub value: i64,
    /// Code of the next tier, absent at the top.
    pub next: Option<String>,
    /// What is missing to the next tier, 0 at the top.
    pub missing: i64,
    /// The last instant before which the current tier may be reviewed down, if ever.
    pub kept_until: Option<Instant>,
}
