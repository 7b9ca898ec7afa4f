//! Days, midnights and months, by counting (PROGRAMME.md §1).

use chrono::{DateTime, Datelike, Days, Duration, Months, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;

pub(crate) type Instant = DateTime<Utc>;
pub(crate) type Day = NaiveDate;

/// To the end of which part of the calendar a date is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Day,
    Month,
    Quarter,
    Year,
}

/// The local day of an instant.
pub(crate) fn day_of(zone: Tz, at: Instant) -> Day {
    at.with_timezone(&zone).date_naive()
}

/// The first instant of a local day, also where the clocks skip 00:00.
pub(crate) fn midnight(zone: Tz, day: Day) -> Instant {
    let first = day.and_time(NaiveTime::MIN);
    let exists = |minute: i64| zone.from_local_datetime(&(first + Duration::minutes(minute))).earliest();
    (0..24 * 60).find_map(exists).expect("a day has a first minute").with_timezone(&Utc)
}

/// The midnight at which a day is over.
pub(crate) fn end_of(zone: Tz, day: Day) -> Instant {
    midnight(zone, on(day, 1))
}

/// So many days on.
pub(crate) fn on(day: Day, days: i64) -> Day {
    let by = Days::new(days.unsigned_abs());
    if days < 0 { day - by } else { day + by }
}

/// The same date months later, clamped to the month.
pub(crate) fn months_on(day: Day, months: u32) -> Day {
    day + Months::new(months)
}

/// The last day of the part of the calendar that a day lies in: the day before it changes.
pub(crate) fn last_of(part: Part, day: Day) -> Day {
    let name = |day: Day| match part {
        Part::Day => (day.year(), day.ordinal0()),
        Part::Month => (day.year(), day.month0()),
        Part::Quarter => (day.year(), day.month0() / 3),
        Part::Year => (day.year(), 0),
    };
    let mut last = day;
    while name(on(last, 1)) == name(day) {
        last = on(last, 1);
    }
    last
}

/// The day on which a date of every year is kept: 29 February in common years on 28 February, or on
/// 1 March.
pub(crate) fn kept_in(year: i32, (month, day): (u32, u32), march: bool) -> Day {
    let date = |month, day| NaiveDate::from_ymd_opt(year, month, day);
    let common = if march { date(3, 1) } else { date(2, 28) };
    date(month, day).or(common).expect("a date")
}
