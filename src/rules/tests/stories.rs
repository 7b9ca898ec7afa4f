//! Members' years told as stories, every number in them checked: an airline with soft landings, a
//! shop with calendar-year tiers, a café whose points live as long as its guests come.

use tessera_rules::command::UseEntitlement;
use tessera_rules::entitlement::{Entitlement, EntitlementKind};
use tessera_rules::expiry::Expiry;
use tessera_rules::programme::Tiers;
use tessera_rules::promotion::PromotionEffect;
use tessera_rules::tier::{Fall, Measure, Validity, Window};
use tessera_rules::time::{Period, Weekday};
use tessera_rules::{Command, Programme};

use crate::support::{Desk, after, at, day, level, points, programme, promotion, times, zone};

#[test]
fn an_airline_lets_its_members_land_softly() {
    let mut levels = vec![
        level("blue", 0, "1"),
        level("silver", 300, "1.25"),
        level("gold", 1_000, "1.5"),
        level("senator", 3_000, "2"),
    ];
    levels[3].keep_for_life = true;
    let tiers = Tiers {
        measure: Measure::Points,
        window: Window::Anniversary,
        validity: Validity::Months { months: 12 },
        fall: Fall::OneStep,
        grace_days: 60,
        levels,
        ..Tiers::default()
    };
    let expiry = after(36, Period::Quarter);
    let mut desk = Desk::new(Programme { tiers, expiry, time_zone: zone("Europe/Berlin"), ..programme() });
    desk.member().standing.enrolled_at = at("2024-05-15T10:00:00Z");

    // June 2025: a long flight makes gold at once, for a year, to the end of 1 June 2026.
    let flight = desk.at("2025-06-01T10:00:00Z").buy(100_000);
    assert_eq!((flight.given, flight.tier_after.as_str()), (points(1_000), "gold"));
    assert_eq!(desk.standing().tier_until, Some(at("2026-06-01T22:00:00Z")));
    // A ticket for points costs points, not the tier.
    desk.at("2025-09-01T10:00:00Z").adjust(-800).expect("taken");
    assert_eq!((desk.standing().tier.as_str(), desk.standing().available), ("gold", points(200)));
    // The year of membership from 15 May 2026 is empty: two months of grace, then one step down.
    desk.at("2026-06-02T10:00:00Z").settle();
    assert_eq!(
        (desk.standing().tier.as_str(), desk.standing().tier_due_at),
        ("gold", Some(at("2026-07-31T22:00:00Z")))
    );
    // 300 in the next year of membership hold silver, from each flight for a year.
    let flight = desk.at("2027-03-01T10:00:00Z").buy(30_000);
    assert_eq!((flight.given, flight.tier_before.as_str()), (points(375), "silver"));
    assert_eq!(desk.standing().tier_until, Some(at("2028-03-01T23:00:00Z")));
    // Nothing more is flown: grace again, and blue. The points of 2025 went with the half of 2028.
    desk.at("2029-01-01T10:00:00Z").settle();
    assert_eq!(desk.standing().available, points(375));
    // Three thousand in one year are for life.
    desk.at("2029-02-01T10:00:00Z").buy(300_000);
    desk.at("2045-01-01T10:00:00Z").settle();
    let known = [
        "blue>gold 2025-06-01T10:00",
        "gold>silver 2026-07-31T22:00",
        "silver>blue 2028-04-30T22:00",
        "blue>senator 2029-02-01T10:00",
    ];
    assert_eq!(desk.changes(), known);
    assert_eq!((desk.standing().available, desk.standing().due_at()), (points(0), None));
}

#[test]
fn a_shop_counts_by_calendar_year() {
    let levels = vec![level("basic", 0, "1"), level("plus", 50_000, "1.5"), level("premium", 100_000, "2")];
    let tiers = Tiers {
        measure: Measure::Spend,
        window: Window::CalendarYear,
        validity: Validity::EndOfNextYear,
        fall: Fall::Requalify,
        levels,
        ..Tiers::default()
    };
    let mut document = Programme { tiers, expiry: after(12, Period::Month), ..programme() };
    let mut tuesday = promotion("tuesday", 0, PromotionEffect::Multiply { by: times("2") });
    tuesday.schedule.weekdays = vec![Weekday::Tuesday];
    document.promotions = vec![tuesday];
    let mut desk = Desk::new(document);

    // A Tuesday: 600 doubled at the old tier; 600.00 spent make plus.
    let sofa = desk.at("2025-03-04T10:00:00Z").buy(60_000);
    assert_eq!((sofa.given, sofa.tier_after.as_str()), (points(1_200), "plus"));
    let table = desk.at("2025-07-02T10:00:00Z").buy(60_000);
    assert_eq!((table.given, table.tier_after.as_str()), (points(900), "premium"));
    let lamp = desk.at("2026-02-03T10:00:00Z").buy(10_000);
    assert_eq!((lamp.given, lamp.progress.value), (points(400), 10_000));
    assert_eq!(lamp.progress.kept_until, Some(at("2027-01-01T00:00:00Z")));
    // 100.00 in 2026 hold nothing; March's points went on 1 April, July's on 1 August.
    desk.at("2027-01-01T00:00:00Z").settle();
    assert_eq!((desk.standing().tier.as_str(), desk.standing().available), ("basic", points(400)));
    assert_eq!(desk.at("2027-02-10T10:00:00Z").buy(20_000).given, points(200));
    desk.at("2027-03-01T00:00:00Z").settle();
    assert_eq!((desk.standing().available, desk.standing().lifetime_earned), (points(200), points(2_700)));
    let known = ["basic>plus 2025-03-04T10:00", "plus>premium 2025-07-02T10:00", "premium>basic 2027-01-01T00:00"];
    assert_eq!(desk.changes(), known);
    let lapsed: Vec<_> = desk.ledger().into_iter().filter(|entry| entry.starts_with("available>expired")).collect();
    assert_eq!(lapsed, ["available>expired 1200", "available>expired 900", "available>expired 400"]);
}

#[test]
fn a_cafe_keeps_the_stars_of_who_comes_again() {
    let mut levels = vec![level("green", 0, "1"), level("gold", 300, "1.2"), level("reserve", 1_000, "1.7")];
    for upper in &mut levels[1..] {
        upper.expiry = Some(Expiry::Never);
        upper.entitlements = vec![Entitlement {
            code: "double-day".to_owned(),
            name: "Double day".into(),
            per_year: 2,
            kind: EntitlementKind::MultiplierDay { multiplier: times("2") },
        }];
    }
    let tiers = Tiers {
        measure: Measure::Points,
        window: Window::Rolling { days: 365 },
        validity: Validity::Months { months: 12 },
        levels,
        ..Tiers::default()
    };
    let expiry = Expiry::Inactivity { months: 6 };
    let mut desk = Desk::new(Programme { tiers, expiry, time_zone: zone("America/New_York"), ..programme() });

    // A coffee every now and then: each keeps the green stars for another six months.
    for coffee in ["2025-01-10T15:00:00Z", "2025-06-30T15:00:00Z", "2025-12-01T15:00:00Z"] {
        desk.at(coffee).buy(5_000);
    }
    assert_eq!(
        (desk.standing().available, desk.standing().idle_due_at),
        (points(150), Some(at("2026-06-02T04:00:00Z")))
    );
    // A birthday round makes gold. Gold's stars never lapse; green's do, after half a year away.
    assert_eq!(desk.at("2026-01-05T15:00:00Z").buy(25_000).tier_after, "gold");
    let chosen = UseEntitlement { code: "double-day".to_owned(), day: Some(day("2026-01-10")) };
    desk.run(&Command::UseEntitlement(chosen)).expect("gold may");
    assert_eq!(desk.at("2026-01-10T15:00:00Z").buy(10_000).given, points(240));
    desk.at("2026-07-11T04:00:00Z").settle();
    assert_eq!((desk.standing().available, desk.standing().due_at()), (points(240), Some(at("2027-01-11T05:00:00Z"))));
    // Never again: gold ends a year after the last visit that held it, its stars stay.
    desk.at("2030-01-01T00:00:00Z").settle();
    assert_eq!(desk.changes(), ["green>gold 2026-01-05T15:00", "gold>green 2027-01-11T05:00"]);
    assert_eq!((desk.standing().available, desk.standing().due_at()), (points(240), None));
}
