//! Entitlements (PROGRAMME.md §6): counted per tier and calendar year, and the day of double points
//! that a member chooses.

use tessera_rules::command::UseEntitlement;
use tessera_rules::entitlement::{Entitlement, EntitlementKind};
use tessera_rules::programme::Tiers;
use tessera_rules::promotion::PromotionEffect;
use tessera_rules::tier::{Measure, Window};
use tessera_rules::{Command, Outcome, Programme, Refusal};

use crate::support::{Desk, day, level, points, programme, promotion, times, zone};

fn entitlement(code: &str, per_year: u32, kind: EntitlementKind) -> Entitlement {
    Entitlement { code: code.to_owned(), name: code.into(), per_year, kind }
}

/// Free deliveries: one for base, three for silver; silver also has two days of double points.
fn programme_with() -> Programme {
    let mut levels = vec![level("base", 0, "1"), level("silver", 100, "1")];
    let day = EntitlementKind::MultiplierDay { multiplier: times("2") };
    levels[0].entitlements = vec![entitlement("delivery", 1, EntitlementKind::Counted)];
    levels[1].entitlements =
        vec![entitlement("delivery", 3, EntitlementKind::Counted), entitlement("double-day", 2, day)];
    let tiers = Tiers { measure: Measure::Points, window: Window::Lifetime, levels, ..Tiers::default() };
    Programme { tiers, time_zone: zone("Asia/Shanghai"), ..programme() }
}

/// The uses left, or why not.
fn use_one(desk: &mut Desk, code: &str, chosen: Option<&str>) -> Result<u32, Refusal> {
    let command = UseEntitlement { code: code.to_owned(), day: chosen.map(day) };
    match desk.run(&Command::UseEntitlement(command))? {
        Outcome::Entitlement(outcome) => Ok(outcome.left),
        other => panic!("not an entitlement: {other:?}"),
    }
}

#[test]
fn uses_are_counted_by_calendar_year() {
    let mut desk = Desk::new(programme_with());
    desk.at("2025-06-01T10:00:00Z");
    assert_eq!(use_one(&mut desk, "delivery", None), Ok(0));
    assert_eq!(use_one(&mut desk, "delivery", None), Err(Refusal::EntitlementUsedUp));
    assert_eq!(use_one(&mut desk, "double-day", Some("2025-07-01")), Err(Refusal::EntitlementUnknown));
    desk.buy(10_000);
    assert_eq!(use_one(&mut desk, "delivery", None), Ok(1), "base's one is among silver's three");
    assert_eq!(use_one(&mut desk, "delivery", None), Ok(0));
    assert_eq!(use_one(&mut desk, "delivery", None), Err(Refusal::EntitlementUsedUp));
    // The year is the programme's: it begins at 16:00 UTC.
    desk.at("2025-12-31T15:59:59Z");
    assert_eq!(use_one(&mut desk, "delivery", None), Err(Refusal::EntitlementUsedUp));
    desk.at("2025-12-31T16:00:00Z");
    assert_eq!(use_one(&mut desk, "delivery", None), Ok(2));
}

#[test]
fn purchases_of_the_day_chosen_earn_double() {
    let mut desk = Desk::new(programme_with());
    desk.at("2025-06-01T10:00:00Z").buy(10_000);
    assert_eq!(use_one(&mut desk, "double-day", Some("2025-07-10")), Ok(1));
    let given = |desk: &mut Desk, time: &str| desk.at(time).buy(1_000).given;
    assert_eq!(given(&mut desk, "2025-07-09T15:59:59Z"), points(10));
    assert_eq!(given(&mut desk, "2025-07-09T16:00:00Z"), points(20));
    let outcome = desk.at("2025-07-10T15:59:59Z").buy(1_000);
    assert_eq!(
        (outcome.given, outcome.explanation.promotions[0].code.as_str()),
        (points(20), "entitlement:double-day")
    );
    assert_eq!(given(&mut desk, "2025-07-10T16:00:00Z"), points(10));
    assert_eq!(desk.buy_late(1_000, "2025-07-10T02:00:00Z").given, points(20), "late, but of that day");
}

#[test]
fn a_chosen_day_combines_as_promotions_do() {
    let mut document = programme_with();
    document.promotions = vec![promotion("triple", 5, PromotionEffect::Multiply { by: times("3") })];
    let mut desk = Desk::new(document);
    desk.at("2025-06-01T10:00:00Z").buy(10_000);
    use_one(&mut desk, "double-day", Some("2025-06-01")).expect("today may be chosen");
    assert_eq!(desk.buy(1_000).given, points(30), "the best counts");
    desk.programme.earning.combine = tessera_rules::promotion::Combine::Multiply;
    assert_eq!(desk.buy(1_000).given, points(60));
}

#[test]
fn a_day_is_chosen_once_and_ahead() {
    let mut desk = Desk::new(programme_with());
    desk.at("2025-06-01T10:00:00Z").buy(10_000);
    let known = [
        ("double-day", None, Err(Refusal::EntitlementDay)),
        ("delivery", Some("2025-07-10"), Err(Refusal::EntitlementDay)),
        ("double-day", Some("2025-05-31"), Err(Refusal::EntitlementDay)),
        ("double-day", Some("2027-01-01"), Err(Refusal::EntitlementDay)),
        ("double-day", Some("2025-07-10"), Ok(1)),
        ("double-day", Some("2025-07-10"), Err(Refusal::EntitlementDay)),
        ("double-day", Some("2026-01-01"), Ok(1)),
        ("double-day", Some("2025-07-11"), Ok(0)),
        ("double-day", Some("2025-07-12"), Err(Refusal::EntitlementUsedUp)),
        ("double-day", Some("2026-01-02"), Ok(0)),
    ];
    for (code, chosen, expected) in known {
        assert_eq!(use_one(&mut desk, code, chosen), expected, "{code} {chosen:?}");
    }
    desk.member().standing.frozen = true;
    assert_eq!(use_one(&mut desk, "delivery", None), Err(Refusal::MemberFrozen));
}
