//! Expiry beyond one rule for all (PROGRAMME.md §5): inactivity, rules of tiers and promotions, and
//! what is foretold.

use tessera_rules::Programme;
use tessera_rules::amount::{Multiplier, Rate};
use tessera_rules::expiry::{Activity, Expiry};
use tessera_rules::forecast::{forecast, horizon};
use tessera_rules::ledger::{Entry, EntryKind};
use tessera_rules::programme::{MoneyOff, Tiers};
use tessera_rules::promotion::PromotionEffect;
use tessera_rules::tier::{LotsOnChange, Measure, Window};
use tessera_rules::time::Period;

use crate::support::{Desk, after, at, level, points, programme, promotion};

fn idle(months: u32) -> Expiry {
    Expiry::Inactivity { months }
}

fn money_off(mut programme: Programme) -> Programme {
    let (rate, one) = (Rate { points: 1, per: 1 }, points(1));
    programme.redemption =
        Some(MoneyOff { rate, minimum: one, step: one, largest_share: Multiplier::ONE, hold_minutes: 15 });
    programme
}

fn foretold(desk: &Desk) -> Vec<String> {
    let member = &desk.state.members[&desk.member];
    let ahead = forecast(&desk.programme, member, &desk.context(), horizon(desk.now)).expect("in range");
    ahead.expiring.iter().map(|one| format!("{} {}", one.expires_at.date_naive(), one.points)).collect()
}

#[test]
fn points_live_as_long_as_the_member_is_active() {
    let mut desk = Desk::new(Programme { expiry: idle(6), ..money_off(programme()) });
    desk.at("2025-01-31T10:00:00Z").buy(10_000);
    assert_eq!(desk.standing().due_at(), Some(at("2025-08-01T00:00:00Z")));
    assert_eq!(foretold(&desk), ["2025-08-01 100"]);
    desk.at("2025-07-31T23:59:59Z").buy(5_000);
    assert_eq!(foretold(&desk), ["2026-02-01 150"], "one purchase keeps all of them");
    desk.at("2026-01-31T10:00:00Z").spend(30).expect("spent");
    assert_eq!(foretold(&desk), ["2026-08-01 120"]);
    // A receipt from earlier moves nothing back.
    desk.buy_late(1_000, "2026-01-20T10:00:00Z");
    assert_eq!(foretold(&desk), ["2026-08-01 130"]);
    desk.at("2026-08-01T00:00:00Z").settle();
    assert_eq!((desk.standing().available, desk.standing().due_at()), (points(0), None));
    assert_eq!(desk.entries().last().map(|entry| entry.effective_at), Some(at("2026-08-01T00:00:00Z")));
    desk.at("2026-08-02T00:00:00Z").buy(1_000);
    assert_eq!(foretold(&desk), ["2027-02-03 10"]);
}

#[test]
fn what_counts_as_activity_is_a_setting() {
    let mut desk = Desk::new(Programme { expiry: idle(6), ..money_off(programme()) });
    desk.programme.activities = vec![Activity::Earning];
    desk.at("2025-01-10T10:00:00Z").buy(10_000);
    desk.at("2025-03-10T10:00:00Z").spend(10).expect("spent");
    assert_eq!(foretold(&desk), ["2025-07-11 90"]);
    desk.programme.activities = vec![Activity::Redeeming];
    desk.at("2025-04-10T10:00:00Z").buy(1_000);
    assert_eq!(foretold(&desk), ["2025-07-11 90", "2025-10-11 10"], "a purchase keeps no old points now");
    desk.spend(10).expect("spent");
    assert_eq!(foretold(&desk), ["2025-10-11 90"]);
}

#[test]
fn points_given_to_somebody_long_away_live_from_the_day_they_came() {
    let mut desk = Desk::new(Programme { expiry: idle(6), ..money_off(programme()) });
    desk.at("2025-01-10T10:00:00Z").buy(10_000);
    desk.at("2025-06-10T10:00:00Z").adjust(50).expect("adjusted");
    // Goodwill is no activity: what was there lapses as before, the gift lives six months of its own.
    assert_eq!(foretold(&desk), ["2025-07-11 100", "2025-12-11 50"]);
    assert_eq!(desk.standing().due_at(), Some(at("2025-07-11T00:00:00Z")));
    desk.at("2025-07-11T00:00:00Z").settle();
    assert_eq!((desk.standing().available, desk.standing().due_at()), (points(50), Some(at("2025-12-11T00:00:00Z"))));
    desk.at("2026-06-10T10:00:00Z").adjust(20).expect("adjusted");
    assert_eq!((foretold(&desk), desk.standing().available), (vec!["2026-12-11 20".to_owned()], points(20)));
    let lapsed = |entry: &&Entry| entry.kind == EntryKind::Expiry;
    let lapses: Vec<_> = desk.entries().into_iter().filter(lapsed).map(|entry| entry.effective_at).collect();
    assert_eq!(lapses, [at("2025-07-11T00:00:00Z"), at("2025-12-11T00:00:00Z")]);
    // A purchase is one, and keeps what was given.
    desk.at("2026-07-10T10:00:00Z").buy(1_000);
    assert_eq!(foretold(&desk), ["2027-01-11 30"]);
}

/// Base points lapse by inactivity, silver's never, gold's after two years.
fn by_tier(on_change: LotsOnChange) -> Programme {
    let mut levels = vec![level("base", 0, "1"), level("silver", 100, "1"), level("gold", 200, "1")];
    levels[1].expiry = Some(Expiry::Never);
    levels[2].expiry = Some(after(24, Period::Month));
    let (measure, window) = (Measure::Points, Window::CalendarYear);
    let tiers = Tiers { measure, window, lots_on_change: on_change, levels, ..Tiers::default() };
    Programme { tiers, expiry: idle(6), ..programme() }
}

#[test]
fn lots_keep_the_rule_of_the_tier_they_were_earned_at() {
    let mut desk = Desk::new(by_tier(LotsOnChange::Keep));
    desk.at("2025-02-10T10:00:00Z").buy(10_000);
    desk.at("2025-03-10T10:00:00Z").buy(10_000);
    desk.at("2025-04-10T10:00:00Z").buy(1_000);
    // Base's 100 by inactivity, silver's 100 never, gold's 10 by their date.
    assert_eq!(foretold(&desk), ["2025-10-11 100", "2027-05-01 10"]);
    desk.at("2026-02-10T10:00:00Z").settle();
    assert_eq!((desk.standing().tier.as_str(), desk.standing().available), ("base", points(110)));
    assert_eq!(desk.standing().due_at(), Some(at("2027-05-01T00:00:00Z")));
}

#[test]
fn lots_take_the_rule_of_the_tier_reached_where_set() {
    let mut desk = Desk::new(by_tier(LotsOnChange::Take));
    desk.at("2025-02-10T10:00:00Z").buy(5_000);
    assert_eq!(foretold(&desk), ["2025-08-11 50"]);
    desk.at("2025-03-10T10:00:00Z").buy(10_000);
    assert_eq!(desk.standing().lots_due_at, None, "silver's never lapse");
    // At New Year the tier falls, and inactivity counts from there.
    assert_eq!(foretold(&desk), ["2026-07-02 150"]);
    desk.at("2025-04-10T10:00:00Z").buy(10_000);
    assert_eq!(desk.standing().lots_due_at, Some(at("2027-03-01T00:00:00Z")), "gold's, from when each came");
    desk.at("2026-07-02T00:00:00Z").settle();
    assert_eq!(desk.standing().available, points(0));
}

#[test]
fn a_rule_taken_late_lapses_nothing_before_the_change() {
    let mut programme = by_tier(LotsOnChange::Take);
    programme.expiry = after(1, Period::Day);
    let mut desk = Desk::new(programme);
    desk.at("2025-02-10T10:00:00Z").buy(15_000);
    assert_eq!(foretold(&desk), ["2026-01-01 150"]);
    desk.at("2026-01-01T00:00:00Z").settle();
    assert_eq!(desk.changes()[1], "silver>base 2026-01-01T00:00");
    assert_eq!((desk.standing().available, desk.standing().due_at()), (points(0), None));
}

#[test]
fn a_promotions_points_may_lapse_on_their_own() {
    let mut programme = programme();
    programme.expiry = after(12, Period::Day);
    let mut bonus = promotion("bonus", 0, PromotionEffect::Add { points: points(50) });
    bonus.expiry = Some(after(1, Period::Day));
    programme.promotions = vec![bonus, promotion("plain", 1, PromotionEffect::Add { points: points(5) })];
    programme.earning.cap_per_purchase = Some(points(120));
    let mut desk = Desk::new(programme);
    let outcome = desk.at("2025-02-10T10:00:00Z").buy(1_000);
    assert_eq!(outcome.lots.iter().map(|lot| lot.points.get()).collect::<Vec<_>>(), [50, 15]);
    assert_eq!(foretold(&desk), ["2025-03-11 50", "2026-02-11 15"]);
    // A cap cuts the rest of the purchase first.
    let outcome = desk.buy(9_000);
    assert_eq!(outcome.lots.iter().map(|lot| lot.points.get()).collect::<Vec<_>>(), [50, 70]);
    desk.programme.earning.cap_per_purchase = Some(points(20));
    assert_eq!(desk.buy(9_000).lots.iter().map(|lot| lot.points.get()).collect::<Vec<_>>(), [20]);
    assert_eq!(desk.standing().available, points(205));
}

#[test]
fn only_points_that_can_be_told_apart_lapse_on_their_own() {
    let twice = PromotionEffect::Multiply { by: "2".parse().expect("a multiplier") };
    let add = PromotionEffect::Add { points: points(5) };
    for (effect, expiry, sound) in [
        (twice, after(1, Period::Day), false),
        (add.clone(), after(1, Period::Day), true),
        (add.clone(), idle(6), false),
        (add, after(0, Period::Day), false),
    ] {
        let mut programme = programme();
        programme.promotions = vec![promotion("p", 0, effect)];
        programme.promotions[0].expiry = Some(expiry);
        assert_eq!(programme.problems().is_empty(), sound, "{:?}", programme.promotions[0]);
    }
}
