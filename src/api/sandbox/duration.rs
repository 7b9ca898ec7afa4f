//! Durations as ISO 8601 writes them: `P1Y2M3W4DT5H6M7S`. Years, months, weeks and days go by the
//! calendar of the programme's time zone, hours and less by the clock.

use std::str::FromStr;

use chrono::{Days, Months, NaiveDateTime, TimeDelta, TimeZone, Utc};
use serde::{Deserialize, Serialize};
use tessera_rules::time::{Instant, Zone};

/// A span of the calendar and of time, never negative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Duration {
    months: u32,
    days: u64,
    seconds: i64,
}

/// A text is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an ISO 8601 duration such as P1D, P1Y6M or PT12H")]
pub struct DurationError;

impl FromStr for Duration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let rest = text.strip_prefix('P').ok_or(DurationError)?;
        let (date, time) = match rest.split_once('T') {
            // A T with nothing behind it is a slip of the hand.
            Some((_, "")) => return Err(DurationError),
            Some((date, time)) => (date, time),
            None => (rest, ""),
        };
        if date.is_empty() && time.is_empty() {
            return Err(DurationError);
        }
        let [years, months, weeks, days] = parts(date, ['Y', 'M', 'W', 'D'])?;
        let [hours, minutes, seconds] = parts(time, ['H', 'M', 'S'])?;
        // Five digits each: no sum leaves its type.
        Ok(Self {
            months: years * 12 + months,
            days: u64::from(weeks) * 7 + u64::from(days),
            seconds: i64::from(hours) * 3600 + i64::from(minutes) * 60 + i64::from(seconds),
        })
    }
}

/// The most digits of a part.
const DIGITS: usize = 5;

/// The numbers before each of some units, which come in this order, each at most once.
fn parts<const N: usize>(text: &str, units: [char; N]) -> Result<[u32; N], DurationError> {
    let mut numbers = [0; N];
    let (mut rest, mut least) = (text, 0);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or(DurationError)?;
        let (digits, behind) = rest.split_at(end);
        let unit = behind.chars().next().ok_or(DurationError)?;
        let place = units.iter().position(|other| *other == unit).filter(|place| *place >= least);
        let place = place.filter(|_| (1..=DIGITS).contains(&digits.len())).ok_or(DurationError)?;
        numbers[place] = digits.parse().map_err(|_| DurationError)?;
        (rest, least) = (&behind[unit.len_utf8()..], place + 1);
    }
    Ok(numbers)
}

impl TryFrom<String> for Duration {
    type Error = DurationError;

    fn try_from(text: String) -> Result<Self, DurationError> {
        text.parse()
    }
}

impl Duration {
    /// The instant this long after another; `None` beyond the calendar.
    pub fn after(self, at: Instant, zone: Zone) -> Option<Instant> {
        let local = at.with_timezone(&zone.0).naive_local();
        let moved = local.checked_add_months(Months::new(self.months))?.checked_add_days(Days::new(self.days))?;
        // Only what moves by the calendar asks what the clocks on the wall do.
        let there = if moved == local { at } else { instant(moved, zone)? };
        there.checked_add_signed(TimeDelta::try_seconds(self.seconds)?)
    }
}

/// A local time as an instant: the first of two where clocks go back, the end of the gap where they
/// skip it.
fn instant(local: NaiveDateTime, zone: Zone) -> Option<Instant> {
    const STEP: TimeDelta = TimeDelta::minutes(15);
    /// No clock has ever skipped more than a day.
    const STEPS: i32 = 24 * 4 + 1;
    let later = (0..STEPS).map(|steps| local.checked_add_signed(STEP * steps));
    let found = later.flatten().find_map(|local| zone.0.from_local_datetime(&local).earliest());
    found.map(|at| at.with_timezone(&Utc))
}
