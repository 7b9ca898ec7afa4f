//! How far the sandbox clock goes for `{"by": "P1M"}`: by the calendar of the programme's time zone.

use chrono::{DateTime, SecondsFormat, Utc};
use tessera::api::sandbox::Duration;
use tessera_rules::time::Zone;

fn after(at: &str, by: &str, zone: &str) -> String {
    let at: DateTime<Utc> = at.parse().expect("an instant");
    let zone = Zone(zone.parse().expect("a zone"));
    let by: Duration = by.parse().expect("a duration");
    by.after(at, zone).expect("within the calendar").to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

#[test]
fn days_and_months_go_by_the_calendar_and_hours_by_the_clock() {
    for (at, by, zone, expected) in [
        ("2026-01-31T12:00:00Z", "P1M", "UTC", "2026-02-28T12:00:00Z"),
        ("2024-02-29T12:00:00Z", "P1Y", "UTC", "2025-02-28T12:00:00Z"),
        ("2026-01-01T00:00:00Z", "P1Y2M3W4DT5H6M7S", "UTC", "2027-03-26T05:06:07Z"),
        ("2026-01-01T00:00:00.000123Z", "P0D", "UTC", "2026-01-01T00:00:00.000123Z"),
        // Already 1 February in Shanghai: the month after has 28 days, not 31.
        ("2026-01-31T17:00:00Z", "P1M", "Asia/Shanghai", "2026-02-28T17:00:00Z"),
        // New York loses an hour on 8 March 2026: noon stays noon, and 24 hours are 24 hours.
        ("2026-03-07T17:00:00Z", "P1D", "America/New_York", "2026-03-08T16:00:00Z"),
        ("2026-03-07T17:00:00Z", "PT24H", "America/New_York", "2026-03-08T17:00:00Z"),
        // 02:30 is skipped: the day goes on where the gap ends.
        ("2026-03-07T07:30:00Z", "P1D", "America/New_York", "2026-03-08T07:00:00Z"),
        // The second 01:30 of 1 November stays the second one when nothing moves.
        ("2026-11-01T06:30:00Z", "PT0S", "America/New_York", "2026-11-01T06:30:00Z"),
    ] {
        assert_eq!(after(at, by, zone), expected, "{at} + {by} in {zone}");
    }
    let ages: Duration = "P99999Y99999D".parse().expect("a duration");
    assert_eq!(ages.after(DateTime::<Utc>::MAX_UTC, Zone(chrono_tz::UTC)), None);
}

#[test]
fn what_is_no_duration_is_refused() {
    for text in [
        "", "P", "PT", "1D", "p1d", "P1", "PD", "P1H", "PT1D", "P1D1Y", "P1Y1Y", "P1DT", "P1.5D", "P1,5D", "-P1D",
        "P-1D", "P+1D", "P123456D", " P1D", "P1D ", "P1天",
    ] {
        assert!(text.parse::<Duration>().is_err(), "{text:?}");
    }
}
