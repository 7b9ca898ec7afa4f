//! Birthday perks (PROGRAMME.md §7): once per occasion, the gates, the tier of today, points that
//! lapse with the window and multipliers that hold inside it.

use tessera_rules::Programme;
use tessera_rules::amount::Points;
use tessera_rules::perk::{OccasionKind, Perk, PerkGift, PerkWindow};
use tessera_rules::programme::Tiers;
use tessera_rules::promotion::{Combine, PromotionEffect};
use tessera_rules::tier::{Measure, Window};
use tessera_rules::time::LeapDay;

use crate::support::{Desk, at, level, points, programme, promotion, times, zone};

fn window(tiers: &[&str], before_days: u32, after_days: u32) -> PerkWindow {
    PerkWindow { tiers: tiers.iter().map(|&tier| tier.to_owned()).collect(), before_days, after_days }
}

fn perk(code: &str, grant: PerkGift) -> Perk {
    Perk {
        code: code.to_owned(),
        name: code.into(),
        occasion: OccasionKind::Birthday,
        grant,
        windows: vec![window(&[], 3, 3)],
        member_for_days: 0,
        needs_purchase: false,
        leap_day: LeapDay::February28,
    }
}

fn gift(value: i64) -> PerkGift {
    PerkGift::Points { points: points(value) }
}

fn double() -> PerkGift {
    PerkGift::Multiplier { multiplier: times("2") }
}

/// A member born on 10 June.
fn desk(perks: Vec<Perk>) -> Desk {
    let levels = vec![level("base", 0, "1"), level("gold", 100, "1")];
    let tiers = Tiers { measure: Measure::Points, window: Window::Lifetime, levels, ..Tiers::default() };
    let mut desk = Desk::new(Programme { perks, tiers, ..programme() });
    desk.member().birth_date = Some("1990-06-10".parse().expect("a birth date"));
    desk
}

#[test]
fn once_per_occasion() {
    let mut desk = desk(vec![perk("cake", gift(50))]);
    let none: [&str; 0] = [];
    assert_eq!(desk.at("2025-06-06T23:59:59Z").grant_perks(), none);
    assert_eq!(desk.at("2025-06-07T00:00:00Z").grant_perks(), ["cake"]);
    assert_eq!(desk.at("2025-06-07T00:00:00Z").grant_perks(), none);
    assert_eq!(desk.at("2025-06-13T23:00:00Z").grant_perks(), none);
    assert_eq!(desk.standing().available, points(50));
    assert_eq!(desk.ledger(), ["issued>available 50"]);
    assert_eq!(desk.entries()[0].reason.as_deref(), Some("cake"));
    assert_eq!(desk.standing().lifetime_earned, points(50));
    assert_eq!(desk.at("2026-06-13T23:59:59Z").grant_perks(), ["cake"], "next year again");
    let years: Vec<i32> = desk.member().grants.iter().map(|grant| grant.occasion).collect();
    assert_eq!(years, [2025, 2026]);
    desk.member().birth_date = Some("1990-08-09".parse().expect("a birth date"));
    assert_eq!(desk.at("2026-08-09T10:00:00Z").grant_perks(), none, "another birth date is the same occasion");
}

#[test]
fn points_lapse_with_the_window() {
    let mut desk = desk(vec![perk("cake", gift(50))]);
    desk.programme.time_zone = zone("Asia/Shanghai");
    desk.at("2025-06-10T12:00:00Z").grant_perks();
    assert_eq!(desk.standing().due_at(), Some(at("2025-06-13T16:00:00Z")));
    desk.at("2025-06-13T15:59:59Z").adjust(-10).expect("spendable on the last day");
    desk.at("2025-06-20T00:00:00Z").settle();
    assert_eq!((desk.standing().available, desk.ledger()[2].as_str()), (Points::ZERO, "available>expired 40"));
}

#[test]
fn the_year_is_the_birthdays() {
    let mut desk = desk(vec![perk("cake", gift(50))]);
    desk.member().birth_date = Some("--01-02".parse().expect("a birth date"));
    assert_eq!(desk.at("2025-12-30T10:00:00Z").grant_perks(), ["cake"]);
    assert_eq!(desk.member().grants[0].occasion, 2026);
    assert_eq!(desk.at("2026-01-02T10:00:00Z").grant_perks().len(), 0, "no second gift across New Year");
}

#[test]
fn gates_must_hold() {
    let mut gated = perk("cake", gift(50));
    gated.member_for_days = 159;
    gated.needs_purchase = true;
    let mut desk = desk(vec![gated]);
    // Enrolled on 1 January: 158 days on 8 June.
    desk.at("2025-06-08T10:00:00Z").buy(100);
    assert_eq!(desk.grant_perks().len(), 0);
    desk.member().standing.purchases = 0;
    assert_eq!(desk.at("2025-06-09T10:00:00Z").grant_perks().len(), 0);
    desk.buy(100);
    assert_eq!(desk.grant_perks(), ["cake"]);
}

#[test]
fn nobody_unknown_or_frozen() {
    let mut desk = desk(vec![perk("cake", gift(50))]);
    desk.at("2025-06-10T10:00:00Z").member().standing.frozen = true;
    assert_eq!(desk.grant_perks().len(), 0);
    desk.member().standing.frozen = false;
    desk.member().birth_date = None;
    assert_eq!(desk.grant_perks().len(), 0);
}

#[test]
fn todays_tier_says_which_window() {
    let mut tiered = perk("cake", gift(50));
    tiered.windows = vec![window(&["gold"], 10, 10), window(&["base"], 0, 0)];
    let mut desk = desk(vec![tiered.clone()]);
    assert_eq!(desk.at("2025-06-01T10:00:00Z").grant_perks().len(), 0, "base: the day itself");
    desk.buy(10_000);
    assert_eq!(desk.grant_perks(), ["cake"], "gold: ten days before");
    tiered.windows.truncate(1);
    let mut desk = self::desk(vec![tiered]);
    assert_eq!(desk.at("2025-06-10T10:00:00Z").grant_perks().len(), 0, "no window, no perk");
}

#[test]
fn a_multiplier_holds_inside_the_window() {
    let mut desk = desk(vec![perk("double", double())]);
    let known = [("2025-06-06T12:00:00Z", 10), ("2025-06-07T00:00:00Z", 20), ("2025-06-13T23:59:59Z", 20)];
    desk.at("2025-06-10T10:00:00Z").grant_perks();
    assert_eq!(desk.standing().boost_until, Some(at("2025-06-14T00:00:00Z")));
    desk.at("2025-06-15T10:00:00Z");
    for (occurred, given) in known {
        assert_eq!(desk.buy_late(1_000, occurred).given, points(given), "{occurred}");
    }
    let after = desk.buy_late(1_000, "2025-06-14T00:00:00Z");
    assert_eq!(after.given, points(10));
    assert_eq!(desk.entries().iter().filter(|entry| entry.reason.is_some()).count(), 0, "no points by itself");
}

#[test]
fn a_multiplier_combines_like_a_promotion() {
    let known = [(Combine::Best, 30), (Combine::Add, 40), (Combine::Multiply, 60)];
    for (combine, given) in known {
        let mut desk = desk(vec![perk("double", double())]);
        desk.programme.earning.combine = combine;
        desk.programme.promotions = vec![promotion("triple", 1, PromotionEffect::Multiply { by: times("3") })];
        desk.at("2025-06-10T10:00:00Z").grant_perks();
        let outcome = desk.buy(1_000);
        assert_eq!(outcome.given, points(given), "{combine:?}");
        assert_eq!(outcome.explanation.promotions[0].code, "perk:double");
    }
}

#[test]
fn perks_settle_first() {
    let mut desk = desk(vec![perk("cake", gift(50))]);
    desk.at("2025-06-10T10:00:00Z").grant_perks();
    desk.at("2026-06-10T10:00:00Z").grant_perks();
    assert_eq!(desk.ledger(), ["issued>available 50", "available>expired 50", "issued>available 50"]);
}
