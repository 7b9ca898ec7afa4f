//! Tiers: what is measured, over which window, and when the clock alone may change it
//! (PROGRAMME.md §6, with validity `measured`).

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::amount::Multiplier;
use crate::member::DayTotals;
use crate::programme::Programme;
use crate::text::Text;
use crate::time::{Day, Instant, add_days};

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
    /// The span on a local day.
    pub fn span(self, today: Day) -> Span {
        match self {
            Self::Rolling { days } => Span { from: add_days(today, 1 - i64::from(days)), to: LAST_DAY },
            Self::CalendarYear => Span {
                from: NaiveDate::from_ymd_opt(today.year(), 1, 1).unwrap_or(FIRST_DAY),
                to: NaiveDate::from_ymd_opt(today.year(), 12, 31).unwrap_or(LAST_DAY),
            },
            Self::Lifetime => Span { from: FIRST_DAY, to: LAST_DAY },
        }
    }
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
            benefits: Vec::new(),
        }
    }
}

impl Programme {
    /// The position of the highest tier whose threshold a measure reaches.
    pub fn tier_for(&self, measure: i64) -> usize {
        self.tiers.levels.iter().rposition(|level| measure >= level.threshold).unwrap_or(0)
    }
}

/// Why a tier changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TierCause {
    /// A purchase reached the threshold.
    Purchase,
    /// The window moved on at midnight.
    Review,
}

impl TierCause {
    /// The word in rows and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Purchase => "purchase",
            Self::Review => "review",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Purchase, Self::Review].into_iter().find(|cause| cause.as_str() == word)
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
    /// The measure at that moment.
    pub measure: i64,
    /// The programme version that decided it.
    pub programme_version: i64,
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
