//! Tiers (PROGRAMME.md §6, validity `measured`): up at once after a purchase, down at the midnight
//! at which the window lets go, for each measure and window; and which tier a purchase earns at.

use tessera_rules::amount::MAX_MAGNITUDE;
use tessera_rules::decision::Effect;
use tessera_rules::ladder::progress;
use tessera_rules::programme::Tiers;
use tessera_rules::tier::{Measure, TierCause, Window};
use tessera_rules::time::Period;
use tessera_rules::{MemberState, Programme};

use crate::support::{Desk, after, at, day, level, points, programme, zone};

fn ladder(measure: Measure, window: Window) -> Programme {
    let (silver, gold) = if measure == Measure::Visits { (2, 4) } else { (100, 200) };
    let levels = vec![level("base", 0, "1"), level("silver", silver, "2"), level("gold", gold, "3")];
    Programme { tiers: Tiers { measure, window, levels, ..Tiers::default() }, ..programme() }
}

#[test]
fn a_threshold_is_reached_when_equalled() {
    // Measured in spend, the thresholds are minor units.
    let known = [(Measure::Points, 9_999, 10_000), (Measure::Spend, 99, 100)];
    for (measure, below, reached) in known {
        for window in [Window::Rolling { days: 30 }, Window::CalendarYear, Window::Lifetime] {
            let mut desk = Desk::new(ladder(measure, window));
            assert_eq!(desk.buy(below).tier_after, "base", "{measure:?} {window:?}");
            let mut desk = Desk::new(ladder(measure, window));
            assert_eq!(desk.buy(reached).tier_after, "silver", "{measure:?} {window:?}");
            assert_eq!(desk.buy(reached).tier_after, "gold", "{measure:?} {window:?}");
        }
    }
    let mut desk = Desk::new(ladder(Measure::Visits, Window::Lifetime));
    let tiers: Vec<String> = (0..4).map(|_| desk.buy(1).tier_after).collect();
    assert_eq!(tiers, ["base", "silver", "silver", "gold"]);
}

#[test]
fn the_purchase_that_crosses_earns_at_the_old_tier() {
    let mut desk = Desk::new(ladder(Measure::Points, Window::Lifetime));
    let first = desk.at("2025-03-01T10:00:00Z").buy(25_000);
    assert_eq!((first.given, first.tier_before.as_str(), first.tier_after.as_str()), (points(250), "base", "gold"));
    assert_eq!(first.explanation.tier, "base");
    let second = desk.buy(1_000);
    assert_eq!((second.given, second.explanation.tier.as_str()), (points(30), "gold"));
    assert_eq!(desk.changes(), ["base>gold 2025-03-01T10:00"], "no step between");
    let change = &desk.member().tier_changes[0];
    assert_eq!((change.cause, change.cause.as_str(), change.measure), (TierCause::Purchase, "purchase", 250));
}

#[test]
fn multipliers_do_not_qualify() {
    let mut desk = Desk::new(ladder(Measure::Points, Window::Lifetime));
    desk.buy(10_000);
    let outcome = desk.buy(5_000);
    assert_eq!((outcome.given, outcome.progress.value, outcome.progress.missing), (points(100), 150, 50));
    assert_eq!(outcome.progress.next.as_deref(), Some("gold"));
}

#[test]
fn a_rolling_window_lets_go_at_a_midnight() {
    for measure in [Measure::Points, Measure::Spend, Measure::Visits] {
        let mut programme = ladder(measure, Window::Rolling { days: 30 });
        programme.time_zone = zone("Asia/Shanghai");
        let mut desk = Desk::new(programme);
        let amount = if measure == Measure::Spend { 60 } else { 6_000 };
        desk.at("2025-03-01T15:00:00Z").buy(amount);
        desk.at("2025-03-01T17:00:00Z").buy(amount);
        // The first was bought on 1 March in Shanghai, the second on 2 March.
        let midnight = at("2025-03-30T16:00:00Z");
        assert_eq!(desk.standing().due_at(), Some(midnight), "{measure:?}");
        assert_eq!(progress(&desk.programme, desk.standing()).kept_until, Some(midnight));
        desk.at("2025-03-30T15:59:59Z").settle();
        assert_eq!(desk.standing().tier, "silver");
        desk.at("2025-05-01T00:00:00Z").settle();
        assert_eq!(desk.changes(), ["base>silver 2025-03-01T17:00", "silver>base 2025-03-30T16:00"], "{measure:?}");
        assert_eq!((desk.standing().tier_since, desk.standing().due_at()), (midnight, None));
        assert_eq!(desk.member().tier_changes[1].cause, TierCause::Review);
    }
}

#[test]
fn falls_go_step_by_step_through_the_days() {
    let mut desk = Desk::new(ladder(Measure::Points, Window::Rolling { days: 10 }));
    desk.at("2025-03-01T10:00:00Z").buy(10_000);
    desk.at("2025-03-04T10:00:00Z").buy(2_000);
    desk.at("2025-03-05T10:00:00Z").buy(10_000);
    desk.at("2025-04-01T10:00:00Z").settle();
    let known = [
        "base>silver 2025-03-01T10:00",
        "silver>gold 2025-03-05T10:00",
        "gold>silver 2025-03-11T00:00",
        "silver>base 2025-03-15T00:00",
    ];
    assert_eq!(desk.changes(), known);
}

#[test]
fn at_one_instant_points_lapse_before_the_tier_falls() {
    let mut programme = ladder(Measure::Points, Window::Rolling { days: 32 });
    programme.expiry = after(1, Period::Day);
    let mut desk = Desk::new(programme);
    desk.at("2025-03-01T10:00:00Z").buy(10_000);
    assert_eq!(desk.standing().lots_due_at, desk.standing().tier_due_at);
    let before = desk.effects.len();
    desk.at("2025-04-05T10:00:00Z").settle();
    let place = |wanted: fn(&Effect) -> bool| desk.effects[before..].iter().position(wanted);
    let lapsed = place(|effect| matches!(effect, Effect::Entry(_)));
    let fallen = place(|effect| matches!(effect, Effect::Tier(_)));
    assert!(lapsed.is_some() && lapsed < fallen);
}

#[test]
fn a_calendar_year_ends_at_new_year() {
    let mut desk = Desk::new(ladder(Measure::Points, Window::CalendarYear));
    desk.at("2025-12-31T10:00:00Z").buy(25_000);
    assert_eq!(desk.standing().due_at(), Some(at("2026-01-01T00:00:00Z")));
    let outcome = desk.at("2026-01-01T00:00:00Z").buy(1_000);
    assert_eq!((outcome.given, outcome.tier_after.as_str(), outcome.progress.value), (points(10), "base", 10));
    assert_eq!(desk.changes()[1], "gold>base 2026-01-01T00:00");
}

#[test]
fn a_lifetime_never_ends() {
    let mut desk = Desk::new(ladder(Measure::Points, Window::Lifetime));
    desk.at("2025-12-31T10:00:00Z").buy(25_000);
    assert_eq!(desk.standing().due_at(), None);
    desk.at("2045-12-31T10:00:00Z").settle();
    assert_eq!(desk.standing().tier, "gold");
}

#[test]
fn a_receipt_from_over_new_year_counts_in_its_year() {
    let mut desk = Desk::new(ladder(Measure::Points, Window::CalendarYear));
    let ahead = desk.at("2025-12-31T23:58:00Z").buy_late(15_000, "2026-01-01T00:01:00Z");
    assert_eq!((ahead.progress.value, ahead.tier_after.as_str()), (0, "base"));
    let next = desk.at("2026-01-02T10:00:00Z").buy(100);
    assert_eq!((next.progress.value, next.tier_after.as_str()), (151, "silver"));
    let late = desk.buy_late(10_000, "2025-12-30T10:00:00Z");
    assert_eq!((late.progress.value, late.given), (151, points(100)), "last year's receipt counts there");
}

#[test]
fn a_late_purchase_earns_at_the_tier_of_its_time() {
    let mut desk = Desk::new(ladder(Measure::Points, Window::Rolling { days: 10 }));
    desk.at("2025-03-05T10:00:00Z").buy(12_000);
    desk.at("2025-03-20T10:00:00Z");
    let given = |desk: &mut Desk, occurred: &str| desk.buy_late(100, occurred).given.get();
    let known = [
        ("2025-03-05T09:59:59Z", 1),
        ("2025-03-05T10:00:00Z", 2),
        ("2025-03-14T23:59:59.999999Z", 2),
        ("2025-03-15T00:00:00Z", 1),
        ("2025-03-20T10:00:00Z", 1),
        ("2025-02-20T10:00:00Z", 1),
    ];
    for (occurred, expected) in known {
        assert_eq!(given(&mut desk, occurred), expected, "{occurred}");
    }
}

#[test]
fn a_late_purchase_raises_the_tier_from_now() {
    let mut desk = Desk::new(ladder(Measure::Points, Window::Rolling { days: 10 }));
    desk.at("2025-03-10T10:00:00Z").buy(5_000);
    let outcome = desk.at("2025-03-12T10:00:00Z").buy_late(5_000, "2025-03-08T10:00:00Z");
    assert_eq!((outcome.tier_before.as_str(), outcome.tier_after.as_str()), ("base", "silver"));
    assert_eq!(desk.changes(), ["base>silver 2025-03-12T10:00"]);
    let between = desk.buy_late(100, "2025-03-11T10:00:00Z");
    assert_eq!(between.given, points(1), "earlier than the rise");
    assert_eq!(desk.standing().due_at(), Some(at("2025-03-18T00:00:00Z")), "the late day leaves first");
    let outside = desk.buy_late(50_000, "2025-03-02T23:59:59Z");
    assert_eq!((outside.tier_after.as_str(), outside.progress.value), ("silver", 101), "outside the window");
}

#[test]
fn a_fall_that_came_due_is_known_to_a_late_purchase() {
    let mut desk = Desk::new(ladder(Measure::Points, Window::Rolling { days: 10 }));
    desk.at("2025-03-05T10:00:00Z").buy(12_000);
    // Only the standing and the days are loaded: the history follows from the fall itself.
    let days = desk.member().days.clone();
    let mut partial = MemberState::new(desk.standing().clone());
    partial.days = days;
    desk.state.members.insert(desk.member, partial);
    let outcome = desk.at("2025-03-16T10:00:00Z").buy_late(100, "2025-03-14T10:00:00Z");
    assert_eq!((outcome.given, outcome.tier_before.as_str()), (points(2), "base"));
}

#[test]
fn redeeming_never_demotes() {
    let mut desk = Desk::new(ladder(Measure::Points, Window::Lifetime));
    desk.buy(12_000);
    desk.adjust(-120).expect("taken");
    assert_eq!((desk.standing().tier.as_str(), desk.standing().window.points), ("silver", 120));
}

#[test]
fn a_tier_that_is_gone_counts_as_the_lowest() {
    let programme = ladder(Measure::Points, Window::Lifetime);
    assert_eq!((programme.tier_position("platinum"), programme.tier_position("gold")), (0, 2));
    assert_eq!((programme.tier(9).code.as_str(), programme.tier_for(MAX_MAGNITUDE)), ("gold", 2));
    assert_eq!(programme.tier_for(-5), 0);
}

#[test]
fn another_window_takes_over_at_the_next_command() {
    let mut desk = Desk::new(ladder(Measure::Points, Window::Lifetime));
    desk.at("2025-03-01T10:00:00Z").buy(15_000);
    desk.at("2025-06-01T10:00:00Z").buy(5_000);
    desk.programme.tiers.window = Window::Rolling { days: 30 };
    desk.at("2025-06-02T10:00:00Z").settle();
    assert_eq!((desk.standing().window.points, desk.standing().window_oldest), (50, Some(day("2025-06-01"))));
    desk.programme.tiers.window = Window::CalendarYear;
    desk.at("2025-06-03T10:00:00Z").settle();
    assert_eq!(desk.standing().window.points, 200);
}
