//! The calendar (PROGRAMME.md §1, §5, §6, §7): days and midnights where clocks jump, months that are
//! too short, rounded expiries, birthdays and windows that cross New Year.

use tessera_rules::expiry::Expiry;
use tessera_rules::occasion::Facts;
use tessera_rules::perk::{Occasion, OccasionKind, Perk, PerkGift, PerkWindow};
use tessera_rules::tier::{FIRST_DAY, LAST_DAY, Span, Validity, Window};
use tessera_rules::time::{BirthDate, LeapDay, MonthDay, Period, Weekday, add_days, add_months, to_micros};

use crate::support::{after, at, day, points, zone};

#[test]
fn midnight_is_the_first_instant_of_the_day() {
    let known = [
        ("UTC", "2025-03-01", "2025-03-01T00:00:00Z"),
        ("Asia/Shanghai", "2025-03-01", "2025-02-28T16:00:00Z"),
        ("America/New_York", "2025-03-09", "2025-03-09T05:00:00Z"),
        ("America/New_York", "2025-03-10", "2025-03-10T04:00:00Z"),
        // 00:00 was skipped: the day began at 01:00.
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z"),
        ("Asia/Beirut", "2024-03-31", "2024-03-30T22:00:00Z"),
        // Clocks went back at midnight into the day before.
        ("America/Sao_Paulo", "2018-02-18", "2018-02-18T03:00:00Z"),
        // 00:00 to 01:00 came twice: the first counts.
        ("America/Havana", "2025-11-02", "2025-11-02T04:00:00Z"),
        // A day that never was begins with the one after it.
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"),
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z"),
        ("Pacific/Apia", "2011-12-29", "2011-12-29T10:00:00Z"),
    ];
    for (name, local, utc) in known {
        assert_eq!(zone(name).midnight(day(local)), at(utc), "{name} {local}");
    }
}

#[test]
fn days_and_midnights_agree() {
    let zones =
        ["UTC", "Asia/Shanghai", "America/Sao_Paulo", "Asia/Beirut", "Pacific/Apia", "Africa/Cairo", "Asia/Tehran"];
    for name in zones {
        let zone = zone(name);
        let mut local = day("2010-12-25");
        while local < day("2020-01-10") {
            let midnight = zone.midnight(local);
            let skipped = name == "Pacific/Apia" && local == day("2011-12-30");
            assert!(zone.day_of(midnight) == local || skipped, "{name} {local}");
            assert!(zone.day_of(midnight - chrono::Duration::microseconds(1)) < local, "{name} {local}");
            local = add_days(local, 1);
        }
    }
}

#[test]
fn instants_are_cut_to_microseconds() {
    assert_eq!(to_micros(at("2025-01-01T00:00:00.123456789Z")), at("2025-01-01T00:00:00.123456Z"));
}

#[test]
fn months_are_clamped_and_days_saturate() {
    let known = [("2025-01-31", 1, "2025-02-28"), ("2024-01-31", 1, "2024-02-29"), ("2024-02-29", 12, "2025-02-28")];
    for (from, months, to) in known {
        assert_eq!(add_months(day(from), months), day(to));
    }
    assert_eq!(add_days(day("2025-03-01"), -1), day("2025-02-28"));
    assert_eq!(add_days(chrono::NaiveDate::MAX, 1), chrono::NaiveDate::MAX);
    assert_eq!(add_days(chrono::NaiveDate::MIN, -1), chrono::NaiveDate::MIN);
}

#[test]
fn periods_end() {
    let known = [
        (Period::Day, "2025-05-17", "2025-05-17"),
        (Period::Month, "2024-02-01", "2024-02-29"),
        (Period::Month, "2025-12-31", "2025-12-31"),
        (Period::Quarter, "2025-01-01", "2025-03-31"),
        (Period::Quarter, "2025-05-17", "2025-06-30"),
        (Period::Quarter, "2025-12-31", "2025-12-31"),
        (Period::Year, "2025-01-01", "2025-12-31"),
    ];
    for (period, from, to) in known {
        assert_eq!(period.last_day(day(from)), day(to), "{period:?} {from}");
    }
}

#[test]
fn points_lapse_at_a_midnight() {
    let known = [
        // The example of PROGRAMME.md §5.
        ("Asia/Shanghai", 12, Period::Month, "2025-07-06T03:00:00Z", "2026-07-31T16:00:00Z"),
        ("UTC", 12, Period::Day, "2025-07-06T03:00:00Z", "2026-07-07T00:00:00Z"),
        ("UTC", 12, Period::Quarter, "2025-07-06T03:00:00Z", "2026-10-01T00:00:00Z"),
        ("UTC", 12, Period::Year, "2025-07-06T03:00:00Z", "2027-01-01T00:00:00Z"),
        ("UTC", 1, Period::Day, "2025-01-31T23:59:59Z", "2025-03-01T00:00:00Z"),
        // Late in the evening in UTC is the next day in Shanghai.
        ("Asia/Shanghai", 1, Period::Day, "2025-01-30T17:00:00Z", "2025-02-28T16:00:00Z"),
        // The midnight that ends the last day was skipped.
        ("America/Sao_Paulo", 1, Period::Day, "2018-10-03T12:00:00Z", "2018-11-04T03:00:00Z"),
    ];
    for (name, months, round, from, gone) in known {
        assert_eq!(after(months, round).expires_at(zone(name), at(from)), Some(at(gone)), "{name} {from}");
    }
    assert_eq!(Expiry::Never.expires_at(zone("UTC"), at("2025-01-01T00:00:00Z")), None);
}

#[test]
fn windows_span_days() {
    let span = |from, to| Span { from, to };
    let today = day("2025-03-05");
    let enrolled = day("2024-01-01");
    assert_eq!(Window::Rolling { days: 1 }.span(today, enrolled), span(today, LAST_DAY));
    assert_eq!(Window::Rolling { days: 365 }.span(today, enrolled), span(day("2024-03-06"), LAST_DAY));
    assert_eq!(Window::CalendarYear.span(today, enrolled), span(day("2025-01-01"), day("2025-12-31")));
    assert_eq!(Window::Lifetime.span(today, enrolled), span(FIRST_DAY, LAST_DAY));
}

#[test]
fn a_year_of_membership_runs_from_anniversary_to_anniversary() {
    let known = [
        ("2024-07-10", "2024-07-10", "2024-07-10 2025-07-09"),
        ("2024-07-10", "2025-07-09", "2024-07-10 2025-07-09"),
        ("2024-07-10", "2025-07-10", "2025-07-10 2026-07-09"),
        ("2024-01-01", "2025-12-31", "2025-01-01 2025-12-31"),
        ("2024-12-31", "2025-12-30", "2024-12-31 2025-12-30"),
        // Who joined on 29 February keeps 28 February, but for leap years.
        ("2024-02-29", "2025-02-27", "2024-02-29 2025-02-27"),
        ("2024-02-29", "2025-02-28", "2025-02-28 2026-02-27"),
        ("2024-02-29", "2028-02-28", "2027-02-28 2028-02-28"),
        ("2024-02-29", "2028-02-29", "2028-02-29 2029-02-27"),
        // A receipt from before the member joined counts in the year before.
        ("2024-07-10", "2024-07-09", "2023-07-10 2024-07-09"),
    ];
    for (enrolled, today, expected) in known {
        let span = Window::Anniversary.span(day(today), day(enrolled));
        assert_eq!(format!("{} {}", span.from, span.to), expected, "{enrolled} {today}");
    }
}

#[test]
fn validity_ends_at_a_midnight() {
    let months = |months| Validity::Months { months };
    let known = [
        ("UTC", Validity::EndOfNextYear, "2025-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("UTC", Validity::EndOfNextYear, "2025-12-31T23:59:59Z", "2027-01-01T00:00:00Z"),
        // New Year's Eve in UTC is New Year's Day in Shanghai.
        ("Asia/Shanghai", Validity::EndOfNextYear, "2025-12-31T16:00:00Z", "2027-12-31T16:00:00Z"),
        ("UTC", Validity::EndOfNextYear, "2024-02-29T12:00:00Z", "2026-01-01T00:00:00Z"),
        ("UTC", months(12), "2027-02-28T12:00:00Z", "2028-02-29T00:00:00Z"),
        ("UTC", months(12), "2028-02-29T12:00:00Z", "2029-03-01T00:00:00Z"),
        ("UTC", months(1), "2025-01-31T12:00:00Z", "2025-03-01T00:00:00Z"),
        // Clocks went back, and forward over midnight, in the night before.
        ("Europe/Berlin", months(1), "2025-09-26T12:00:00Z", "2025-10-26T23:00:00Z"),
        ("Africa/Cairo", months(1), "2025-03-24T12:00:00Z", "2025-04-24T22:00:00Z"),
    ];
    for (name, validity, from, ends) in known {
        assert_eq!(validity.ends(zone(name), at(from)), Some(at(ends)), "{name} {validity:?} {from}");
    }
    assert_eq!(Validity::Measured.ends(zone("UTC"), at("2025-01-01T00:00:00Z")), None);
}

#[test]
fn points_lapse_on_fixed_dates() {
    let on = |dates: &[&str], at_least_months| {
        let date = |text: &&str| MonthDay::try_from((*text).to_owned()).expect("a date of every year");
        Expiry::OnDate { dates: dates.iter().map(date).collect(), at_least_months }
    };
    let halves = ["09-30", "03-31"];
    let known = [
        ("UTC", on(&halves, 0), "2025-01-01T12:00:00Z", "2025-04-01T00:00:00Z"),
        ("UTC", on(&halves, 0), "2025-03-31T23:59:59Z", "2025-04-01T00:00:00Z"),
        ("UTC", on(&halves, 0), "2025-04-01T00:00:00Z", "2025-10-01T00:00:00Z"),
        ("UTC", on(&halves, 0), "2025-10-01T00:00:00Z", "2026-04-01T00:00:00Z"),
        ("UTC", on(&halves, 6), "2025-03-30T12:00:00Z", "2025-10-01T00:00:00Z"),
        ("UTC", on(&halves, 6), "2025-04-01T12:00:00Z", "2026-04-01T00:00:00Z"),
        ("UTC", on(&["12-31"], 12), "2025-12-31T12:00:00Z", "2027-01-01T00:00:00Z"),
        ("UTC", on(&["02-29"], 0), "2025-02-01T12:00:00Z", "2025-03-01T00:00:00Z"),
        ("UTC", on(&["02-29"], 0), "2028-02-28T12:00:00Z", "2028-03-01T00:00:00Z"),
        ("UTC", on(&["02-29"], 0), "2025-03-01T12:00:00Z", "2026-03-01T00:00:00Z"),
        // Summer time begins in the night after 30 March 2025 in Berlin.
        ("Europe/Berlin", on(&["03-29", "03-30"], 0), "2025-03-29T22:59:59Z", "2025-03-29T23:00:00Z"),
        ("Europe/Berlin", on(&["03-29", "03-30"], 0), "2025-03-29T23:00:00Z", "2025-03-30T22:00:00Z"),
    ];
    for (name, rule, from, gone) in known {
        assert_eq!(rule.expires_at(zone(name), at(from)), Some(at(gone)), "{name} {from}");
    }
    for wrong in ["2-29", "02-30", "13-01", "--02-01", "02-1", ""] {
        assert!(MonthDay::try_from(wrong.to_owned()).is_err(), "{wrong}");
    }
    assert_eq!(String::from(MonthDay { month: 3, day: 9 }), "03-09");
}

#[test]
fn weekdays_are_local() {
    assert_eq!(Weekday::of(day("2025-07-01")), Weekday::Tuesday);
    assert_eq!(Weekday::of(zone("Asia/Shanghai").day_of(at("2025-07-01T16:00:00Z"))), Weekday::Wednesday);
}

fn perk(before_days: u32, after_days: u32, leap_day: LeapDay) -> Perk {
    Perk {
        code: "birthday".to_owned(),
        name: "Birthday".into(),
        occasion: OccasionKind::Birthday,
        grant: PerkGift::Points { points: points(100) },
        windows: vec![PerkWindow { tiers: Vec::new(), before_days, after_days }],
        member_for_days: 0,
        needs_purchase: false,
        leap_day,
    }
}

fn birth(text: &str) -> BirthDate {
    text.parse().expect("a birth date")
}

/// What is known of a base member who enrolled in 2000.
fn born(text: &str) -> Facts<'static> {
    Facts { born: Some(birth(text)), enrolled: day("2000-01-01"), purchased: None, tier: "base", reached: None }
}

#[test]
fn a_leap_day_is_kept_in_common_years() {
    let leap = birth("--02-29");
    assert_eq!(leap.kept_in(2024, LeapDay::February28), Some(day("2024-02-29")));
    assert_eq!(leap.kept_in(2025, LeapDay::February28), Some(day("2025-02-28")));
    assert_eq!(leap.kept_in(2025, LeapDay::March1), Some(day("2025-03-01")));
    assert_eq!(leap.kept_in(2100, LeapDay::March1), Some(day("2100-03-01")));
    let today = |today, perk: &Perk| perk.occasion_on(day(today), &born("--02-29")).map(|occasion| occasion.number);
    assert_eq!(today("2025-02-28", &perk(0, 0, LeapDay::February28)), Some(2025));
    assert_eq!(today("2025-03-01", &perk(0, 0, LeapDay::February28)), None);
    assert_eq!(today("2025-03-01", &perk(0, 0, LeapDay::March1)), Some(2025));
    assert_eq!(today("2024-02-28", &perk(0, 0, LeapDay::February28)), None);
    assert_eq!(today("2024-03-01", &perk(0, 0, LeapDay::March1)), None);
}

#[test]
fn an_occasion_keeps_its_year_across_new_year() {
    let known = [
        ("--01-02", "2024-12-28", Some((2025, "2024-12-26", "2025-01-09"))),
        ("--01-02", "2024-12-25", None),
        ("--12-30", "2025-01-06", Some((2024, "2024-12-23", "2025-01-06"))),
        ("--12-30", "2025-01-07", None),
        ("1990-12-30", "2025-12-23", Some((2025, "2025-12-23", "2026-01-06"))),
    ];
    for (birthday, today, expected) in known {
        let found = perk(7, 7, LeapDay::March1).occasion_on(day(today), &born(birthday));
        let expected = expected.map(|(number, from, to)| Occasion { number, from: day(from), to: day(to) });
        assert_eq!(found, expected, "{birthday} {today}");
    }
}

#[test]
fn an_occasion_ends_at_the_midnight_after_its_last_day() {
    let occasion = Occasion { number: 2025, from: day("2025-12-30"), to: day("2026-01-01") };
    let (from, until) = occasion.instants(zone("Asia/Shanghai"));
    assert_eq!((from, until), (at("2025-12-29T16:00:00Z"), at("2026-01-01T16:00:00Z")));
}
