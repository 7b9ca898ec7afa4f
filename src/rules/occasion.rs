//! Occasions of perks: on which local days each falls, and by which number a grant remembers it
//! (PROGRAMME.md §7).

use chrono::Datelike;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::perk::Perk;
use crate::time::{BirthDate, Day, Instant, LeapDay, Zone, add_days};

/// What a perk is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum OccasionKind {
    /// The member's birthday, once a year.
    Birthday,
    /// The day of enrolment, once.
    Welcome,
    /// The anniversary of enrolment, once a year from the first on.
    Anniversary,
    /// The day the member rises to a tier, by purchases or placed by staff; once for each tier, however
    /// often he rises to it. The perk's windows say for which tiers: one without tiers is for all.
    TierReached,
    /// So many days without a purchase, once for each last purchase: who has never bought has not
    /// lapsed.
    Lapse {
        /// 1 to 3,650.
        days: u32,
    },
}

impl OccasionKind {
    /// The word a perk of this kind is told apart by.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Birthday => "birthday",
            Self::Welcome => "welcome",
            Self::Anniversary => "anniversary",
            Self::TierReached => "tier_reached",
            Self::Lapse { .. } => "lapse",
        }
    }

    /// Whether the day is known before it comes, so that a window may open ahead of it.
    pub const fn is_foreseen(self) -> bool {
        matches!(self, Self::Birthday | Self::Anniversary)
    }

    /// The word of the kind that an occasion's number belongs to. The kinds share no number, so that a
    /// grant is understood without the perk, which may have gone or changed:
    ///
    /// | number | occasion |
    /// |---|---|
    /// | below 0 | a tier reached: [`tier_number`] of its code |
    /// | 0 | the enrolment |
    /// | 1 to 999 | an anniversary: how many years after the enrolment |
    /// | 1,000 to 9,999 | a birthday: its year, also where the window crosses New Year |
    /// | 10,000 to 999,999 | a lapse: the day of the last purchase, counted from 1 January of year 1 |
    /// | 1,000,000 to 999,999,999 | an event: its number among the member's, counted on from there |
    /// | 1,000,000,000 to 1,999,999,999 | a change of tier: its number among the member's, counted on from there |
    /// | 2,000,000,000 | the member's own enrolment by a referral |
    /// | 2,000,000,001 and more | a referral: its number among those the member was thanked for, counted on from there |
    pub const fn word_of(number: i32) -> &'static str {
        match number {
            ..0 => Self::TierReached.as_str(),
            0 => Self::Welcome.as_str(),
            1..1_000 => Self::Anniversary.as_str(),
            1_000..10_000 => Self::Birthday.as_str(),
            10_000..EVENTS_FROM => Self::Lapse { days: 1 }.as_str(),
            EVENTS_FROM..TIER_CHANGES_FROM => "event",
            TIER_CHANGES_FROM..REFERRALS_FROM => "tier_change",
            REFERRALS_FROM.. => "referral",
        }
    }

    /// The occasion in whose window, so many days before and after it, `today` lies for a member of whom this is
    /// known.
    pub(crate) fn near(
        self,
        today: Day,
        facts: &Facts<'_>,
        (before, after): (u32, u32),
        leap: LeapDay,
    ) -> Option<Occasion> {
        let years = today.year() - 1..=today.year() + 1;
        let occasions: Vec<(i32, Day)> = match self {
            Self::Birthday => {
                let born = facts.born?;
                years.filter_map(|year| Some((year, born.kept_in(year, leap)?))).collect()
            }
            Self::Anniversary => {
                let years = years.filter(|year| *year > facts.enrolled.year());
                let kept = |year| Some((year - facts.enrolled.year(), kept_in(facts.enrolled, year, leap)?));
                years.filter_map(kept).collect()
            }
            Self::Welcome => vec![(0, facts.enrolled)],
            Self::TierReached => vec![(tier_number(facts.tier), facts.reached?)],
            Self::Lapse { days } => {
                let last = facts.purchased?;
                vec![(last.num_days_from_ce(), add_days(last, i64::from(days)))]
            }
        };
        let around = |(number, day)| Occasion {
            number,
            from: add_days(day, -i64::from(before)),
            to: add_days(day, i64::from(after)),
        };
        occasions.into_iter().map(around).find(|occasion| occasion.from <= today && today <= occasion.to)
    }
}

/// The first number of events; theirs, those of changes of tier and of referrals are occasions of promotions alone.
pub const EVENTS_FROM: i32 = 1_000_000;

/// The first number of changes of tier.
pub const TIER_CHANGES_FROM: i32 = 1_000_000_000;

/// The number of the own enrolment by a referral, and the one that comes before those of a member's referrals.
pub const REFERRALS_FROM: i32 = 2_000_000_000;

/// By which number the reaching of a tier is remembered: below 0, and the same wherever the tier stands
/// in the ladder. A ladder in which two tiers share a number is refused for such a perk.
pub fn tier_number(code: &str) -> i32 {
    let hash: [u8; 32] = Sha256::digest(code.as_bytes()).into();
    let first = i32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    -1 - (first & i32::MAX)
}

/// What the occasions of a member go by, in local days.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'f> {
    /// When he was born, if known.
    pub born: Option<BirthDate>,
    /// When he enrolled.
    pub enrolled: Day,
    /// When he bought last.
    pub purchased: Option<Day>,
    /// Code of the tier he holds today.
    pub tier: &'f str,
    /// When he rose to it; absent where he fell to it or never moved.
    pub reached: Option<Day>,
}

/// One occurrence of a perk's occasion and the window around it, in local days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occasion {
    /// Unique among the occasions of a member: see [`OccasionKind::word_of`].
    pub number: i32,
    /// First day of the window.
    pub from: Day,
    /// Last day of the window.
    pub to: Day,
}

impl Occasion {
    /// The window as instants: from its first midnight to the midnight after its last day.
    pub fn instants(&self, zone: Zone) -> (Instant, Instant) {
        (zone.midnight(self.from), zone.midnight(add_days(self.to, 1)))
    }
}

impl Perk {
    /// The occasion in whose window `today` lies, for a member of whom this is known.
    pub fn occasion_on(&self, today: Day, facts: &Facts<'_>) -> Option<Occasion> {
        let window = self.window(facts.tier)?;
        self.occasion.near(today, facts, (window.before_days, window.after_days), self.leap_day)
    }
}

/// The day a year's anniversary of `first` is kept on.
fn kept_in(first: Day, year: i32, leap: LeapDay) -> Option<Day> {
    BirthDate { year: None, month: first.month(), day: first.day() }.kept_in(year, leap)
}
