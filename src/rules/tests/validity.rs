//! How long a tier is valid and what follows (PROGRAMME.md §6): soft landings, grace, tiers kept for
//! life, placements by staff, and what another programme would change.

use tessera_rules::command::PlaceTier;
use tessera_rules::forecast::{forecast, plan};
use tessera_rules::programme::Tiers;
use tessera_rules::tier::{Fall, Measure, TierCause, Validity, Window};
use tessera_rules::{Command, Outcome, Programme, Refusal};

use crate::support::{Desk, at, level, points, programme, zone};

const NEXT_YEAR: Validity = Validity::EndOfNextYear;

fn months(months: u32) -> Validity {
    Validity::Months { months }
}

/// Silver at 100 points, gold at 200.
fn tiers(window: Window, validity: Validity, fall: Fall, grace_days: u32) -> Tiers {
    let levels = vec![level("base", 0, "1"), level("silver", 100, "2"), level("gold", 200, "3")];
    Tiers { measure: Measure::Points, window, validity, fall, grace_days, levels, ..Tiers::default() }
}

fn with(tiers: Tiers) -> Programme {
    Programme { tiers, ..programme() }
}

/// Buys as `instant points`, then waits for ten years.
fn history(desk: &mut Desk, buys: &[&str]) -> Vec<String> {
    for buy in buys {
        let (time, bought) = buy.split_once(' ').expect("an instant and points");
        desk.at(time).buy(bought.parse::<i64>().expect("points") * 100);
    }
    desk.now += chrono::Duration::days(3_660);
    desk.settle();
    desk.changes().iter().map(|change| change.replace("T00:00", "")).collect()
}

#[test]
fn tiers_end_with_their_validity() {
    let rolling = Window::Rolling { days: 30 };
    let year = Window::CalendarYear;
    let (step, qualify) = (Fall::OneStep, Fall::Requalify);
    #[rustfmt::skip]
    let known: Vec<(&str, Tiers, &[&str], &str)> = vec![
        ("a soft landing takes one step, with a fresh validity", tiers(year, NEXT_YEAR, step, 0),
            &["2025-06-01T10:00:00Z 200"],
            "base>gold 2025-06-01T10:00, gold>silver 2027-01-01, silver>base 2029-01-01"),
        ("requalifying looks at the year that has just ended", tiers(year, NEXT_YEAR, qualify, 0),
            &["2025-06-01T10:00:00Z 200", "2026-06-01T10:00:00Z 100"],
            "base>gold 2025-06-01T10:00, gold>silver 2027-01-01, silver>base 2029-01-01"),
        ("with nothing in it, requalifying ends at the bottom", tiers(year, NEXT_YEAR, qualify, 0),
            &["2025-06-01T10:00:00Z 200"],
            "base>gold 2025-06-01T10:00, gold>base 2027-01-01"),
        ("the last minute of the year still counts", tiers(year, NEXT_YEAR, step, 0),
            &["2025-06-01T10:00:00Z 200", "2026-12-31T23:59:00Z 200"],
            "base>gold 2025-06-01T10:00, gold>silver 2028-01-01, silver>base 2030-01-01"),
        ("the first minute after it does not", tiers(year, NEXT_YEAR, step, 0),
            &["2025-06-01T10:00:00Z 200", "2027-01-01T00:00:00Z 200"],
            "base>gold 2025-06-01T10:00, gold>silver 2027-01-01, silver>gold 2027-01-01, \
             gold>silver 2029-01-01, silver>base 2031-01-01"),
        ("a purchase after which the measure does not hold extends nothing", tiers(year, NEXT_YEAR, step, 0),
            &["2025-06-01T10:00:00Z 200", "2026-06-01T10:00:00Z 199"],
            "base>gold 2025-06-01T10:00, gold>silver 2027-01-01, silver>base 2029-01-01"),
        ("months are counted to the end of the same date", tiers(rolling, months(12), step, 0),
            &["2028-02-29T10:00:00Z 200"],
            "base>gold 2028-02-29T10:00, gold>silver 2029-03-01, silver>base 2030-03-02"),
        ("each purchase after which the measure holds extends", tiers(rolling, months(1), qualify, 0),
            &["2025-03-10T10:00:00Z 200", "2025-03-20T10:00:00Z 1"],
            "base>gold 2025-03-10T10:00, gold>base 2025-04-21"),
        ("what the window let go of does not hold", tiers(rolling, months(1), qualify, 0),
            &["2025-03-10T10:00:00Z 200", "2025-04-10T10:00:00Z 1"],
            "base>gold 2025-03-10T10:00, gold>base 2025-04-11"),
        ("grace keeps the tier", tiers(rolling, months(1), step, 30),
            &["2025-03-10T10:00:00Z 200"],
            "base>gold 2025-03-10T10:00, gold>silver 2025-05-11, silver>base 2025-07-12"),
        ("grace renews it where the threshold is met", tiers(rolling, months(1), qualify, 30),
            &["2025-03-10T10:00:00Z 200", "2025-04-20T10:00:00Z 100", "2025-04-21T10:00:00Z 100"],
            "base>gold 2025-03-10T10:00, gold>base 2025-06-21"),
        ("and not where it is missed by one", tiers(rolling, months(1), qualify, 30),
            &["2025-03-10T10:00:00Z 200", "2025-04-20T10:00:00Z 199"],
            "base>gold 2025-03-10T10:00, gold>silver 2025-05-11, silver>base 2025-07-12"),
        ("a lifetime's measure always holds", tiers(Window::Lifetime, months(1), step, 0),
            &["2025-03-10T10:00:00Z 200"],
            "base>gold 2025-03-10T10:00"),
        ("a rise in between has a validity of its own", tiers(year, NEXT_YEAR, step, 0),
            &["2025-06-01T10:00:00Z 100", "2026-06-01T10:00:00Z 200"],
            "base>silver 2025-06-01T10:00, silver>gold 2026-06-01T10:00, gold>silver 2028-01-01, silver>base 2030-01-01"),
    ];
    for (what, tiers, buys, expected) in known {
        let mut desk = Desk::new(with(tiers));
        assert_eq!(history(&mut desk, buys).join(", "), expected, "{what}");
        let standing = desk.standing();
        let base = standing.tier == "base";
        assert_eq!((standing.due_at().is_none(), standing.tier_until.is_none()), (base, base), "{what}");
    }
}

#[test]
fn a_year_of_membership_is_a_window() {
    let known = [
        ("2025-02-27T10:00:00Z 200", "gold>base 2025-02-28"),
        ("2025-02-28T10:00:00Z 200", "gold>base 2026-02-28"),
        ("2027-03-01T10:00:00Z 200", "gold>base 2028-02-29"),
    ];
    for (buy, fall) in known {
        let mut desk = Desk::new(with(tiers(Window::Anniversary, Validity::Measured, Fall::OneStep, 0)));
        desk.member().standing.enrolled_at = at("2024-02-29T10:00:00Z");
        assert_eq!(history(&mut desk, &[buy])[1], fall, "{buy}");
    }
}

#[test]
fn midnights_are_local_and_follow_the_clocks() {
    for (name, buy, fall) in [
        ("Europe/Berlin", "2025-09-26T12:00:00Z 100", "silver>base 2025-10-26T23:00"),
        ("Africa/Cairo", "2025-03-24T12:00:00Z 100", "silver>base 2025-04-24T22:00"),
        ("Asia/Shanghai", "2025-12-31T16:00:00Z 100", "silver>base 2026-02-01T16:00"),
    ] {
        let mut document = with(tiers(Window::Rolling { days: 20 }, months(1), Fall::OneStep, 0));
        document.time_zone = zone(name);
        assert_eq!(history(&mut Desk::new(document), &[buy])[1], fall, "{name}");
    }
}

#[test]
fn a_tier_kept_for_life_is_never_left() {
    for (validity, fall) in
        [(months(1), Fall::Requalify), (months(1), Fall::OneStep), (Validity::Measured, Fall::OneStep)]
    {
        let mut ladder = tiers(Window::Rolling { days: 10 }, validity, fall, 0);
        ladder.levels.push(level("platinum", 400, "4"));
        ladder.levels[2].keep_for_life = true;
        let mut desk = Desk::new(with(ladder));
        // Straight past gold: its threshold was reached all the same.
        let known = history(&mut desk, &["2025-03-10T10:00:00Z 500"]);
        assert_eq!((known.len(), desk.standing().tier.as_str()), (2, "gold"), "{known:?}");
        assert_eq!((desk.standing().due_at(), desk.standing().tier_until), (None, None));
    }
}

#[test]
fn a_lowered_measure_falls_at_the_next_midnight() {
    let mut desk = Desk::new(with(tiers(Window::Lifetime, Validity::Measured, Fall::OneStep, 0)));
    desk.at("2025-03-10T10:00:00Z").buy(25_000);
    // Thresholds rise: nobody is moved by that alone.
    desk.programme.tiers.levels[2].threshold = 300;
    desk.at("2025-03-11T10:00:00Z").settle();
    assert_eq!((desk.standing().tier.as_str(), desk.standing().due_at()), ("gold", Some(at("2025-03-12T00:00:00Z"))));
    desk.at("2025-03-13T10:00:00Z").settle();
    assert_eq!(desk.changes()[1], "gold>silver 2025-03-12T00:00");
}

fn place(desk: &mut Desk, tier: &str, until: &str) -> Result<Outcome, Refusal> {
    let place = PlaceTier { tier: tier.to_owned(), until: at(until), reason: "status match".to_owned() };
    desk.run(&Command::PlaceTier(place))
}

#[test]
fn a_placement_ends_by_the_clock() {
    let mut desk = Desk::new(with(tiers(Window::CalendarYear, NEXT_YEAR, Fall::OneStep, 0)));
    place(desk.at("2025-03-01T10:00:00Z"), "gold", "2025-06-01T12:00:00Z").expect("placed");
    let change = &desk.member().tier_changes[0];
    assert_eq!((change.cause, change.reason.as_deref()), (TierCause::Placement, Some("status match")));
    assert_eq!(desk.at("2025-03-02T10:00:00Z").buy(10_000).given, points(300), "it earns as gold");
    assert_eq!(desk.standing().placement.as_ref().map(|p| p.own.as_str()), Some("silver"));
    assert_eq!(desk.standing().due_at(), Some(at("2025-06-01T12:00:00Z")));
    assert_eq!(desk.at("2025-07-01T10:00:00Z").buy(100).explanation.tier, "silver");
    desk.at("2030-01-01T00:00:00Z").settle();
    let known = ["base>gold 2025-03-01T10:00", "gold>silver 2025-06-01T12:00", "silver>base 2027-01-01T00:00"];
    assert_eq!(desk.changes(), known);
    assert_eq!(desk.member().tier_changes[1].cause, TierCause::PlacementEnd);
}

#[test]
fn the_own_tier_goes_on_under_a_placement() {
    let mut desk = Desk::new(with(tiers(Window::Rolling { days: 10 }, Validity::Measured, Fall::OneStep, 0)));
    desk.at("2025-03-01T10:00:00Z").buy(10_000);
    place(&mut desk, "gold", "2025-06-01T00:00:00Z").expect("placed");
    desk.at("2025-07-01T10:00:00Z").settle();
    let known = ["base>silver 2025-03-01T10:00", "silver>gold 2025-03-01T10:00", "gold>base 2025-06-01T00:00"];
    assert_eq!(desk.changes(), known, "silver ended in March, unseen");

    let mut desk = Desk::new(with(tiers(Window::Lifetime, Validity::Measured, Fall::OneStep, 0)));
    place(&mut desk, "silver", "2025-06-01T00:00:00Z").expect("placed");
    assert_eq!(desk.buy(10_000).tier_after, "silver", "reached by himself, unseen");
    assert_eq!(desk.buy(20_000).tier_after, "gold", "outgrown");
    desk.at("2025-07-01T10:00:00Z").settle();
    assert_eq!(desk.changes().len(), 2);

    let mut desk = Desk::new(with(tiers(Window::Lifetime, Validity::Measured, Fall::OneStep, 0)));
    desk.buy(25_000);
    place(&mut desk, "base", "2025-06-01T00:00:00Z").expect("placed");
    assert_eq!(desk.buy(100).tier_after, "base", "placed below, purchases do not lift");
    desk.at("2025-06-01T00:00:00Z").settle();
    assert_eq!(desk.standing().tier, "gold");
}

#[test]
fn a_placement_names_a_tier_and_a_future() {
    let mut desk = Desk::new(with(tiers(Window::Lifetime, Validity::Measured, Fall::OneStep, 0)));
    assert_eq!(place(&mut desk, "tin", "2025-06-01T00:00:00Z"), Err(Refusal::TierUnknown("tin".to_owned())));
    assert_eq!(place(&mut desk, "gold", "2025-01-01T00:00:00Z"), Err(Refusal::PlacementOver));
    assert!(desk.effects.is_empty());
}

#[test]
fn a_forecast_tells_what_is_needed_to_keep_a_tier_and_by_when() {
    let mut desk = Desk::new(with(tiers(Window::CalendarYear, NEXT_YEAR, Fall::OneStep, 0)));
    desk.at("2025-06-01T10:00:00Z").buy(25_000);
    let ahead = |desk: &Desk| {
        let horizon = at("2040-01-01T00:00:00Z");
        let member = &desk.state.members[&desk.member];
        let fall = forecast(&desk.programme, member, &desk.context(), horizon).expect("in range").fall;
        fall.map(|fall| format!("{}>{} {} {}", fall.from, fall.to, fall.at.date_naive(), fall.missing))
    };
    // This year's 250 do not count for next year.
    assert_eq!(ahead(&desk).as_deref(), Some("gold>silver 2027-01-01 200"));
    desk.at("2026-02-01T10:00:00Z").buy(15_000);
    assert_eq!(ahead(&desk).as_deref(), Some("gold>silver 2027-01-01 50"));
    desk.buy(5_000);
    assert_eq!(ahead(&desk).as_deref(), Some("gold>silver 2028-01-01 200"));

    let mut desk = Desk::new(with(tiers(Window::Rolling { days: 10 }, Validity::Measured, Fall::OneStep, 0)));
    assert_eq!(ahead(&desk), None);
    desk.at("2025-03-01T10:00:00Z").buy(15_000);
    desk.at("2025-03-05T10:00:00Z").buy(10_000);
    assert_eq!(ahead(&desk).as_deref(), Some("gold>silver 2025-03-11 100"));

    // Nothing that is bought keeps what staff gave until a date.
    let mut desk = Desk::new(with(tiers(Window::CalendarYear, NEXT_YEAR, Fall::OneStep, 0)));
    place(desk.at("2025-03-01T10:00:00Z"), "gold", "2025-06-01T12:00:00Z").expect("placed");
    assert_eq!(ahead(&desk).as_deref(), Some("gold>base 2025-06-01 0"));
}

#[test]
fn a_plan_says_who_would_rise_and_fall() {
    let in_force = with(tiers(Window::CalendarYear, Validity::Measured, Fall::OneStep, 0));
    let mut planned = in_force.clone();
    planned.tiers.levels[1].threshold = 120;
    planned.tiers.levels[2].threshold = 180;
    let known =
        [(11_000, "silver", "base"), (15_000, "silver", "silver"), (19_000, "silver", "gold"), (5_000, "base", "base")];
    for (amount, now, then) in known {
        let mut desk = Desk::new(in_force.clone());
        desk.at("2025-03-01T10:00:00Z").buy(amount);
        desk.at("2025-03-02T10:00:00Z");
        let before = desk.state.clone();
        let found = plan(&in_force, &planned, &desk.state.members[&desk.member], &desk.context()).expect("in range");
        assert_eq!((found.now.as_str(), found.then.as_str(), found.measure), (now, then, amount / 100));
        assert_eq!(found.falls_at.is_some(), then == "base" && now == "silver");
        assert_eq!(desk.state, before);
        // What is planned is what happens.
        desk.programme = planned.clone();
        desk.settle();
        if let Some(falls_at) = found.falls_at {
            desk.now = falls_at;
            desk.settle();
        } else {
            desk.buy(0);
        }
        assert_eq!(desk.standing().tier.as_str(), if then == "base" && now == "base" { "" } else { then });
    }
    // Another measure and window are taken over the same days.
    let mut visits = planned;
    (visits.tiers.measure, visits.tiers.window) = (Measure::Visits, Window::Lifetime);
    visits.tiers.levels[1].threshold = 2;
    let mut desk = Desk::new(in_force.clone());
    desk.at("2025-03-01T10:00:00Z").buy(100);
    desk.at("2026-03-01T10:00:00Z").buy(100);
    let found = plan(&in_force, &visits, &desk.state.members[&desk.member], &desk.context()).expect("in range");
    assert_eq!((found.then.as_str(), found.measure), ("silver", 2));
}
