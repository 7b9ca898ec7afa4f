//! The calendar by counting: days since 1 January 1970 and dates, in plain numbers.

fn leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub(crate) fn month_length(year: i64, month: u32) -> u32 {
    match month {
        2 if leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The number of a date.
pub(crate) fn day(year: i64, month: u32, day: u32) -> i64 {
    let leaps = |before: i64| (before - 1) / 4 - (before - 1) / 100 + (before - 1) / 400;
    let years = 365 * (year - 1970) + leaps(year) - leaps(1970);
    let months: u32 = (1..month).map(|month| month_length(year, month)).sum();
    years + i64::from(months) + i64::from(day) - 1
}

/// The date of a number.
pub(crate) fn date(number: i64) -> (i64, u32, u32) {
    let mut year = 1970 + number / 366;
    while day(year + 1, 1, 1) <= number {
        year += 1;
    }
    let mut month = 1;
    while month < 12 && day(year, month + 1, 1) <= number {
        month += 1;
    }
    (year, month, (number - day(year, month, 1) + 1) as u32)
}

/// The same date months later, clamped to the month.
pub(crate) fn months_on(year: i64, month: u32, day: u32, months: i64) -> (i64, u32, u32) {
    let count = i64::from(month) - 1 + months;
    let (year, month) = (year + count / 12, (count % 12) as u32 + 1);
    (year, month, day.min(month_length(year, month)))
}

/// The number of the day on which a birthday is kept.
pub(crate) fn birthday(year: i64, (month, of_month): (u32, u32), march: bool) -> i64 {
    if (month, of_month) == (2, 29) && !leap(year) {
        return if march { day(year, 3, 1) } else { day(year, 2, 28) };
    }
    day(year, month, of_month)
}
