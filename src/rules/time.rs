//! Instants, the programme's days and the calendar arithmetic between them (PROGRAMME.md §1).

use chrono::{
    DateTime, Datelike, Days, Duration, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Timelike, Utc,
};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// A moment in UTC, in whole microseconds.
pub type Instant = DateTime<Utc>;

/// A local day of the programme.
pub type Day = NaiveDate;

/// A time by the programme's clocks.
pub type LocalTime = NaiveDateTime;

/// Cuts an instant to whole microseconds, as the database keeps it.
pub fn to_micros(at: Instant) -> Instant {
    DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}

/// The programme's time zone (an IANA name), which says what "day", "month" and "midnight" mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Zone(pub Tz);

impl Zone {
    /// The local day an instant falls on.
    pub fn day_of(self, at: Instant) -> Day {
        at.with_timezone(&self.0).date_naive()
    }

    /// What the local clocks show at an instant.
    pub fn local(self, at: Instant) -> LocalTime {
        at.with_timezone(&self.0).naive_local()
    }

    /// Midnight: the first instant of a local day, also where clocks skip or repeat 00:00.
    pub fn midnight(self, day: Day) -> Instant {
        self.first_instant(day.and_time(NaiveTime::MIN))
    }

    /// The first instant at which the clocks of a local day show a time or, where they skip it, a later one.
    pub fn clock(self, day: Day, time: ClockTime) -> Instant {
        self.first_instant(day.and_time(NaiveTime::MIN) + Duration::minutes(time.0.into()))
    }

    fn first_instant(self, local: LocalTime) -> Instant {
        match self.0.from_local_datetime(&local).earliest() {
            Some(at) => at.with_timezone(&Utc),
            None => self.first_instant_by_search(local),
        }
    }

    /// Bisects for the first second past a time that clocks skip: transitions fall on whole seconds.
    fn first_instant_by_search(self, local: LocalTime) -> Instant {
        let around = local.and_utc();
        let (mut before, mut after) = (around - Duration::hours(36), around + Duration::hours(36));
        while (after - before).num_seconds() > 1 {
            let middle = before + Duration::seconds((after - before).num_seconds() / 2);
            if self.local(middle) < local { before = middle } else { after = middle }
        }
        after
    }
}

/// `day` moved by whole days; saturates at the ends of the calendar.
pub fn add_days(day: Day, days: i64) -> Day {
    let moved = match u64::try_from(days) {
        Ok(ahead) => day.checked_add_days(Days::new(ahead)),
        Err(_) => day.checked_sub_days(Days::new(days.unsigned_abs())),
    };
    moved.unwrap_or(if days < 0 { NaiveDate::MIN } else { NaiveDate::MAX })
}

/// The same date `months` on, clamped to the month's last day.
pub fn add_months(day: Day, months: u32) -> Day {
    day.checked_add_months(Months::new(months)).unwrap_or(NaiveDate::MAX)
}

/// The first day of the month of a day.
pub fn month_of(day: Day) -> Day {
    day.with_day(1).unwrap_or(day)
}

/// A time of the day to the minute (`HH:MM`), `24:00` its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClockTime(u32);

/// A text is not a time of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a time of the day as HH:MM, 00:00 to 24:00")]
pub struct ClockTimeError;

impl ClockTime {
    /// The minute that a local clock shows.
    pub fn of(at: LocalTime) -> Self {
        Self(at.hour() * 60 + at.minute())
    }
}

impl TryFrom<String> for ClockTime {
    type Error = ClockTimeError;
    fn try_from(text: String) -> Result<Self, ClockTimeError> {
        let digits = |part: &str| {
            if part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()) { part.parse().ok() } else { None }
        };
        let (hour, minute) = text.split_once(':').ok_or(ClockTimeError)?;
        let (hour, minute): (u32, u32) = digits(hour).zip(digits(minute)).ok_or(ClockTimeError)?;
        let within = minute < 60 && hour * 60 + minute <= 24 * 60;
        if within { Ok(Self(hour * 60 + minute)) } else { Err(ClockTimeError) }
    }
}

impl From<ClockTime> for String {
    fn from(time: ClockTime) -> Self {
        format!("{:02}:{:02}", time.0 / 60, time.0 % 60)
    }
}

/// A date of every year (`MM-DD`). 29 February is kept on 28 February in common years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MonthDay {
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31, valid in the month of some year.
    pub day: u32,
}

/// A text is not a date of every year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a date of every year as MM-DD")]
pub struct MonthDayError;

impl MonthDay {
    /// The day it is kept on in a year.
    pub fn kept_in(self, year: i32) -> Day {
        let first = NaiveDate::from_ymd_opt(year, self.month, 1).unwrap_or(NaiveDate::MAX);
        NaiveDate::from_ymd_opt(year, self.month, self.day).unwrap_or_else(|| Period::Month.last_day(first))
    }
}

impl TryFrom<String> for MonthDay {
    type Error = MonthDayError;
    fn try_from(text: String) -> Result<Self, MonthDayError> {
        let date: BirthDate = format!("--{text}").parse().map_err(|_| MonthDayError)?;
        Ok(Self { month: date.month, day: date.day })
    }
}

impl From<MonthDay> for String {
    fn from(date: MonthDay) -> Self {
        format!("{:02}-{:02}", date.month, date.day)
    }
}

/// The part of the calendar to whose end a date is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// To the end of the day itself.
    Day,
    /// To the end of the month.
    Month,
    /// To the end of the quarter.
    Quarter,
    /// To the end of the year.
    Year,
}

impl Period {
    /// The last day of the period that `day` lies in.
    pub fn last_day(self, day: Day) -> Day {
        let month = match self {
            Self::Day => return day,
            Self::Month => day.month(),
            Self::Quarter => (day.month0() / 3 + 1) * 3,
            Self::Year => 12,
        };
        let first = NaiveDate::from_ymd_opt(day.year(), month, 1).unwrap_or(day);
        add_days(add_months(first, 1), -1)
    }
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weekday {
    /// Monday.
    Monday,
    /// Tuesday.
    Tuesday,
    /// Wednesday.
    Wednesday,
    /// Thursday.
    Thursday,
    /// Friday.
    Friday,
    /// Saturday.
    Saturday,
    /// Sunday.
    Sunday,
}

impl Weekday {
    /// The weekday of a local day.
    pub fn of(day: Day) -> Self {
        match day.weekday() {
            chrono::Weekday::Mon => Self::Monday,
            chrono::Weekday::Tue => Self::Tuesday,
            chrono::Weekday::Wed => Self::Wednesday,
            chrono::Weekday::Thu => Self::Thursday,
            chrono::Weekday::Fri => Self::Friday,
            chrono::Weekday::Sat => Self::Saturday,
            chrono::Weekday::Sun => Self::Sunday,
        }
    }
}

/// A birth date, with or without the year (`1992-02-29` or `--02-29`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BirthDate {
    /// Year of birth, where the member gave it.
    pub year: Option<i32>,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31, valid in the month of some year.
    pub day: u32,
}

/// A text is not a birth date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a birth date as YYYY-MM-DD or --MM-DD")]
pub struct BirthDateError;

/// A leap year: the year against which a birth date without a year is checked.
const LEAP_YEAR: i32 = 2000;

impl BirthDate {
    /// The day the birthday is kept on in `year`; `leap` says what becomes of 29 February.
    pub fn kept_in(self, year: i32, leap: LeapDay) -> Option<Day> {
        NaiveDate::from_ymd_opt(year, self.month, self.day).or_else(|| match leap {
            LeapDay::February28 => NaiveDate::from_ymd_opt(year, 2, 28),
            LeapDay::March1 => NaiveDate::from_ymd_opt(year, 3, 1),
        })
    }
}

impl std::str::FromStr for BirthDate {
    type Err = BirthDateError;
    fn from_str(text: &str) -> Result<Self, BirthDateError> {
        let (year, rest) = match text.strip_prefix("--") {
            Some(rest) => (None, rest.to_owned()),
            None => {
                let (year, rest) = text.split_once('-').ok_or(BirthDateError)?;
                if year.len() != 4 || !year.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(BirthDateError);
                }
                (Some(year.parse().map_err(|_| BirthDateError)?), rest.to_owned())
            }
        };
        let (month, day) = rest.split_once('-').ok_or(BirthDateError)?;
        let two = |part: &str| -> Result<u32, BirthDateError> {
            if part.len() != 2 || !part.bytes().all(|b| b.is_ascii_digit()) {
                return Err(BirthDateError);
            }
            part.parse().map_err(|_| BirthDateError)
        };
        let (month, day) = (two(month)?, two(day)?);
        NaiveDate::from_ymd_opt(year.unwrap_or(LEAP_YEAR), month, day).ok_or(BirthDateError)?;
        Ok(Self { year, month, day })
    }
}

impl TryFrom<String> for BirthDate {
    type Error = BirthDateError;
    fn try_from(text: String) -> Result<Self, BirthDateError> {
        text.parse()
    }
}

impl std::fmt::Display for BirthDate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.year {
            Some(year) => write!(f, "{year:04}-{:02}-{:02}", self.month, self.day),
            None => write!(f, "--{:02}-{:02}", self.month, self.day),
        }
    }
}

impl From<BirthDate> for String {
    fn from(date: BirthDate) -> Self {
        date.to_string()
    }
}

/// On which day a birthday of 29 February is kept in common years (PROGRAMME.md §7).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeapDay {
    /// 28 February.
    #[default]
    February28,
    /// 1 March.
    March1,
}
