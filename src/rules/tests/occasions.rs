//! Occasions beside the birthday (PROGRAMME.md §7): when each falls, once for each, what a change of the
//! birth date gives, and rewards that a perk gives.

use std::collections::BTreeSet;

use chrono::Duration;
use proptest::prelude::*;
use tessera_rules::command::{PlaceTier, Redeemed};
use tessera_rules::occasion::{Facts, OccasionKind, tier_number};
use tessera_rules::perk::{Perk, PerkGift, PerkWindow};
use tessera_rules::programme::{MoneyOff, Tiers};
use tessera_rules::reward::Reward;
use tessera_rules::tier::{Fall, Measure, Window};
use tessera_rules::time::LeapDay;
use tessera_rules::{Command, Outcome, Programme, Refusal};

use crate::cases::cases;
use crate::support::{Desk, at, day, level, points, programme, times, zone};

fn window(tiers: &[&str], before_days: u32, after_days: u32) -> PerkWindow {
    PerkWindow { tiers: tiers.iter().map(|&tier| tier.to_owned()).collect(), before_days, after_days }
}

fn perk(occasion: OccasionKind, before_days: u32, after_days: u32) -> Perk {
    Perk {
        code: occasion.as_str().to_owned(),
        name: "Perk".into(),
        occasion,
        grant: PerkGift::Points { points: points(50) },
        windows: vec![window(&[], before_days, after_days)],
        member_for_days: 0,
        needs_purchase: false,
        leap_day: LeapDay::February28,
    }
}

/// Every kind, the birthday in ten days on each side.
fn perks() -> Vec<Perk> {
    vec![
        perk(OccasionKind::Birthday, 10, 10),
        perk(OccasionKind::Welcome, 0, 20),
        perk(OccasionKind::Anniversary, 3, 3),
        perk(OccasionKind::TierReached, 0, 30),
        perk(OccasionKind::Lapse { days: 60 }, 0, 14),
    ]
}

/// A member who joins on 1 January 2025, at a programme with three tiers over a hundred days.
fn desk(perks: Vec<Perk>) -> Desk {
    let levels = vec![level("base", 0, "1"), level("silver", 100, "1"), level("gold", 300, "1")];
    let window = Window::Rolling { days: 100 };
    let tiers = Tiers { measure: Measure::Points, window, fall: Fall::OneStep, levels, ..Tiers::default() };
    let mug = Reward {
        stock: Some(2),
        minimum_tier: Some("gold".to_owned()),
        to: Some(day("2024-12-31")),
        ..Reward::goods("mug", "Mug".into(), points(40))
    };
    let redemption = MoneyOff {
        rate: tessera_rules::amount::Rate { points: 1, per: 1 },
        minimum: points(1),
        step: points(1),
        largest_share: times("1"),
        hold_minutes: 60,
    };
    Desk::new(Programme { perks, tiers, rewards: vec![mug], redemption: Some(redemption), ..programme() })
}

#[test]
fn each_occasion_has_its_days_and_its_number() {
    let tier = |tier, reached| Facts { tier, reached, ..facts() };
    let silver = tier_number("silver");
    let gate = |text: &str| Some(day(text));
    let leap = Facts { enrolled: day("2024-02-29"), ..facts() };
    let bought = Facts { purchased: gate("2025-03-01"), ..facts() };
    // March 1 is day 739,311 since 1 January of year 1.
    let lapse = OccasionKind::Lapse { days: 60 };
    let known = [
        (perk(OccasionKind::Welcome, 0, 20), facts(), "2025-01-01", Some(0)),
        (perk(OccasionKind::Welcome, 0, 20), facts(), "2025-01-21", Some(0)),
        (perk(OccasionKind::Welcome, 0, 20), facts(), "2025-01-22", None),
        (perk(OccasionKind::Anniversary, 0, 0), facts(), "2025-01-01", None),
        (perk(OccasionKind::Anniversary, 0, 0), facts(), "2026-01-01", Some(1)),
        (perk(OccasionKind::Anniversary, 3, 3), facts(), "2025-12-29", Some(1)),
        (perk(OccasionKind::Anniversary, 3, 3), facts(), "2027-01-04", Some(2)),
        (perk(OccasionKind::Anniversary, 3, 3), facts(), "2027-01-05", None),
        (perk(OccasionKind::Anniversary, 0, 0), leap, "2025-02-28", Some(1)),
        (perk(OccasionKind::Anniversary, 0, 0), leap, "2028-02-28", None),
        (perk(OccasionKind::Anniversary, 0, 0), leap, "2028-02-29", Some(4)),
        (perk(OccasionKind::TierReached, 0, 30), tier("base", None), "2025-01-10", None),
        (perk(OccasionKind::TierReached, 0, 30), tier("silver", gate("2025-01-10")), "2025-02-09", Some(silver)),
        (perk(OccasionKind::TierReached, 0, 30), tier("silver", gate("2025-01-10")), "2025-02-10", None),
        (perk(lapse, 0, 14), facts(), "2025-03-02", None),
        (perk(lapse, 0, 14), bought, "2025-04-29", None),
        (perk(lapse, 0, 14), bought, "2025-04-30", Some(739_311)),
        (perk(lapse, 0, 14), bought, "2025-05-14", Some(739_311)),
        (perk(lapse, 0, 14), bought, "2025-05-15", None),
    ];
    for (perk, facts, today, expected) in known {
        let found = perk.occasion_on(day(today), &facts).map(|occasion| occasion.number);
        assert_eq!(found, expected, "{:?} {today}", perk.occasion);
        let word = found.map(OccasionKind::word_of);
        assert!(word.is_none_or(|word| word == perk.occasion.as_str()), "{word:?}");
    }
    assert_eq!(OccasionKind::word_of(2031), "birthday");
    assert!(silver < 0 && silver != tier_number("gold"));
}

fn facts() -> Facts<'static> {
    Facts { born: None, enrolled: day("2025-01-01"), purchased: None, tier: "base", reached: None }
}

#[test]
fn a_welcome_is_given_once() {
    let mut desk = desk(vec![perk(OccasionKind::Welcome, 0, 20)]);
    assert_eq!(desk.grant_perks(), ["welcome"]);
    assert_eq!(desk.at("2025-01-10T00:00:00Z").grant_perks().len(), 0);
    assert_eq!(desk.standing().due_at(), Some(at("2025-01-22T00:00:00Z")), "its points lapse with its window");
}

#[test]
fn a_year_of_occasions() {
    let mut desk = desk(perks());
    desk.member().birth_date = Some("--01-05".parse().expect("a birth date"));
    let mut given = Vec::new();
    let mut now = at("2025-01-01T00:00:00Z");
    while now < at("2026-01-10T00:00:00Z") {
        desk.now = now;
        // Silver in March, and the last purchase in May.
        match now.format("%m-%d").to_string().as_str() {
            "03-03" => given.extend(desk.buy(10_000).perks.into_iter().map(|code| format!("03-03 {code}"))),
            "05-02" => assert_eq!(desk.buy(1_000).perks.len(), 0),
            _ => {}
        }
        given.extend(desk.grant_perks().into_iter().map(|code| format!("{} {code}", now.format("%m-%d"))));
        now += Duration::days(1);
    }
    // The birthday's window crosses New Year and is the year's that it falls in.
    let known =
        ["01-01 birthday", "01-01 welcome", "03-03 tier_reached", "07-01 lapse", "12-26 birthday", "12-29 anniversary"];
    assert_eq!(given, known);
    let numbers: Vec<i32> = desk.member().grants.iter().map(|grant| grant.occasion).collect();
    assert_eq!(numbers[..2], [2025, 0]);
    assert_eq!(numbers[4..], [2026, 1]);
}

#[test]
fn a_tier_is_reached_once_and_at_once() {
    let mut desk = desk(vec![perk(OccasionKind::TierReached, 0, 30)]);
    let bought = desk.at("2025-03-03T10:00:00Z").buy(10_000);
    assert_eq!((bought.perks, bought.balance.available), (vec!["tier_reached".to_owned()], points(150)));
    assert_eq!(desk.grant_perks().len(), 0, "the job finds nothing more");
    // It falls after a hundred days and is reached again: the same occasion.
    desk.at("2025-09-01T10:00:00Z").settle();
    assert_eq!(desk.buy(10_000).perks.len(), 0);
    assert_eq!(desk.grant_perks().len(), 0);
    // The next tier is another one. Falling to a tier reaches nothing.
    assert_eq!(desk.buy(20_000).perks, ["tier_reached"]);
    desk.at("2026-01-01T10:00:00Z").settle();
    assert_eq!((desk.changes().len(), desk.grant_perks().len()), (5, 0));
}

#[test]
fn who_jumps_over_a_tier_and_falls_to_it_has_not_reached_it() {
    let mut only = perk(OccasionKind::TierReached, 0, 30);
    only.windows = vec![window(&["silver"], 0, 30)];
    let mut desk = desk(vec![only]);
    assert_eq!(desk.at("2025-03-03T10:00:00Z").buy(10_000).tier_after, "silver");
    assert_eq!(desk.member().grants.len(), 1, "the windows say for which tiers");
    let mut desk = self::desk(desk.programme.perks.clone());
    assert_eq!(desk.at("2025-03-03T10:00:00Z").buy(30_000).tier_after, "gold");
    desk.at("2025-03-20T10:00:00Z").buy(10_000);
    desk.at("2025-06-11T00:00:00Z");
    assert_eq!(desk.grant_perks().len(), 0);
    assert_eq!(desk.changes(), ["base>gold 2025-03-03T10:00", "gold>silver 2025-06-11T00:00"]);
}

#[test]
fn staff_who_place_a_member_let_him_reach_the_tier() {
    let mut desk = desk(vec![perk(OccasionKind::TierReached, 0, 30)]);
    let place = PlaceTier { tier: "gold".to_owned(), until: at("2025-06-01T00:00:00Z"), reason: "so".to_owned() };
    desk.at("2025-02-01T10:00:00Z").run(&Command::PlaceTier(place)).expect("placed");
    assert_eq!(desk.standing().available, points(50));
    // A gate that did not hold then is looked at again each day of the window.
    let mut gated = perk(OccasionKind::TierReached, 0, 30);
    gated.member_for_days = 40;
    let mut desk = self::desk(vec![gated]);
    assert_eq!(desk.at("2025-02-01T10:00:00Z").buy(10_000).perks.len(), 0);
    assert_eq!(desk.at("2025-02-09T10:00:00Z").grant_perks().len(), 0);
    assert_eq!(desk.at("2025-02-10T10:00:00Z").grant_perks(), ["tier_reached"]);
}

#[test]
fn a_lapse_is_one_for_each_last_purchase() {
    let mut desk = desk(vec![perk(OccasionKind::Lapse { days: 60 }, 0, 14)]);
    assert_eq!(desk.at("2025-06-01T10:00:00Z").grant_perks().len(), 0, "who never bought has not lapsed");
    desk.at("2025-06-01T10:00:00Z").buy(100);
    assert_eq!(desk.at("2025-07-30T23:59:59Z").grant_perks().len(), 0);
    assert_eq!(desk.at("2025-07-31T00:00:00Z").grant_perks(), ["lapse"]);
    assert_eq!(desk.at("2025-08-10T00:00:00Z").grant_perks().len(), 0);
    // A receipt from before the last purchase arrives late: it is the same lapse.
    desk.buy_late(100, "2025-07-20T10:00:00Z");
    let of = |desk: &Desk| desk.standing().purchased_at;
    assert_eq!(of(&desk), Some(at("2025-07-20T10:00:00Z")));
    desk.buy_late(100, "2025-07-15T10:00:00Z");
    assert_eq!(of(&desk), Some(at("2025-07-20T10:00:00Z")), "an earlier one is not the last");
    assert_eq!(desk.at("2025-09-17T10:00:00Z").grant_perks().len(), 0);
    assert_eq!(desk.at("2025-09-18T10:00:00Z").grant_perks(), ["lapse"], "he bought again, and stayed away again");
}

#[test]
fn another_birth_date_gives_nothing_twice() {
    // From 5 December to 20 January: another year, six weeks later.
    let known = [("--01-20", "2026-01-20", false), ("--01-20", "2026-10-30", false), ("--10-31", "2026-10-31", true)];
    for (changed, today, given) in known {
        let mut desk = desk(vec![perk(OccasionKind::Birthday, 0, 0)]);
        desk.member().birth_date = Some("1990-12-05".parse().expect("a birth date"));
        assert_eq!(desk.at("2025-12-05T00:00:00Z").grant_perks(), ["birthday"]);
        desk.member().birth_date = Some(changed.parse().expect("a birth date"));
        desk.now = at(&format!("{today}T00:00:00Z"));
        assert_eq!(!desk.grant_perks().is_empty(), given, "{changed} {today}");
    }
    // 330 days, not a minute less.
    let mut desk = desk(vec![perk(OccasionKind::Birthday, 30, 30)]);
    desk.member().birth_date = Some("1990-12-05".parse().expect("a birth date"));
    desk.at("2025-12-05T10:00:00Z").grant_perks();
    desk.member().birth_date = Some("1990-10-31".parse().expect("a birth date"));
    assert_eq!(desk.at("2026-10-31T09:59:59Z").grant_perks().len(), 0);
    assert_eq!(desk.at("2026-10-31T10:00:00Z").grant_perks(), ["birthday"]);
}

/// A welcome mug for twenty days.
fn mug() -> Perk {
    Perk { grant: PerkGift::Reward { reward: "mug".to_owned() }, ..perk(OccasionKind::Welcome, 0, 20) }
}

fn a_mug() -> Redeemed {
    Redeemed::Reward("mug".to_owned())
}

#[test]
fn a_granted_reward_costs_nothing_once() {
    let mut desk = desk(vec![mug()]);
    // Not offered any more, and for gold alone: not without the perk.
    assert_eq!(desk.redeem(a_mug(), None), Err(Refusal::RewardNotOffered));
    assert_eq!(desk.at("2025-01-03T10:00:00Z").grant_perks(), ["welcome"]);
    assert_eq!((desk.standing().entries, desk.standing().available), (0, points(0)), "the grant moves no points");
    let redeemed = desk.redeem(a_mug(), None).expect("granted");
    assert_eq!((redeemed.points, redeemed.perk.as_deref()), (points(0), Some("welcome")));
    assert_eq!(desk.state.shared.rewards_used["mug"], 1);
    assert_eq!(desk.redeem(a_mug(), None), Err(Refusal::RewardNotOffered), "once");
    // Taken back, it may be redeemed again, until the window ends.
    desk.void(redeemed.id).expect("voided");
    assert_eq!(desk.state.shared.rewards_used["mug"], 0);
    let again = desk.at("2025-01-21T23:59:59Z").redeem(a_mug(), None).expect("open to the last second");
    desk.at("2025-01-22T00:00:00Z").void(again.id).expect("voided");
    assert_eq!(desk.redeem(a_mug(), None), Err(Refusal::RewardNotOffered));
    assert_eq!(desk.standing().entries, 0);
}

#[test]
fn a_granted_reward_may_be_held() {
    let mut desk = desk(vec![mug()]);
    desk.grant_perks();
    let held = desk.hold(a_mug()).expect("held");
    assert_eq!(desk.standing().holds_due_at, Some(at("2025-01-01T01:00:00Z")));
    assert_eq!(desk.hold(a_mug()), Err(Refusal::RewardNotOffered), "a hold uses the grant");
    assert_eq!(desk.capture(held.id, Some(1)), Err(Refusal::CaptureOutOfRange(points(0))));
    // Its time runs out: the mug may be had again.
    desk.at("2025-01-01T01:00:00Z").settle();
    assert_eq!((desk.standing().holds_due_at, desk.state.shared.rewards_used["mug"]), (None, 0));
    // Held to the end of the window, captured after it.
    let held = desk.at("2025-01-21T23:50:00Z").hold(a_mug()).expect("held");
    let captured = desk.at("2025-01-22T00:30:00Z").capture(held.id, None).expect("as promised");
    assert_eq!((captured.points, captured.perk.as_deref()), (points(0), Some("welcome")));
    assert_eq!((desk.standing().entries, desk.standing().held), (0, points(0)));
}

#[test]
fn a_granted_reward_counts_against_the_stock() {
    let mut desk = desk(vec![mug()]);
    desk.grant_perks();
    desk.state.shared.rewards_used.insert("mug".to_owned(), 2);
    assert_eq!(desk.redeem(a_mug(), None), Err(Refusal::OutOfStock));
    desk.member().standing.frozen = true;
    assert_eq!(desk.redeem(a_mug(), None), Err(Refusal::MemberFrozen));
}

#[test]
fn of_two_grants_the_one_that_ends_first_is_used() {
    let mut second = Perk { code: "other".to_owned(), ..mug() };
    second.windows = vec![window(&[], 0, 5)];
    let mut desk = desk(vec![mug(), second]);
    desk.programme.rewards[0].to = None;
    desk.programme.rewards[0].stock = None;
    desk.programme.rewards[0].minimum_tier = None;
    desk.grant_perks();
    let by = |desk: &mut Desk| desk.redeem(a_mug(), None).map(|redeemed| redeemed.perk);
    assert_eq!(by(&mut desk), Ok(Some("other".to_owned())));
    assert_eq!(by(&mut desk), Ok(Some("welcome".to_owned())));
    let short = Refusal::InsufficientPoints { available: points(0), required: points(40) };
    assert_eq!(by(&mut desk), Err(short), "then it has its price");
    desk.buy(5_000);
    assert_eq!(by(&mut desk), Ok(None));
    assert_eq!(desk.standing().available, points(10));
}

#[derive(Debug, Clone)]
enum Step {
    Wait(i64),
    Buy(i64),
    Born(u32, u32),
    Place(usize, i64),
    Freeze(bool),
    Redeem,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1_i64..40).prop_map(Step::Wait),
        3 => (100_i64..30_000).prop_map(Step::Buy),
        1 => (1_u32..13, 1_u32..30).prop_map(|(month, day)| Step::Born(month, day)),
        1 => (0_usize..3, 1_i64..90).prop_map(|(tier, days)| Step::Place(tier, days)),
        1 => any::<bool>().prop_map(Step::Freeze),
        1 => Just(Step::Redeem),
    ]
}

/// What holds of a member's grants whatever happened.
fn sound(desk: &mut Desk) {
    let zone = desk.programme.time_zone;
    let enrolled = desk.standing().enrolled_at;
    let used = desk.member().redemptions.values().filter_map(|redemption| redemption.grant.clone());
    let used: Vec<(String, i32)> = used.map(|key| (key.perk, key.occasion)).collect();
    assert_eq!(used.iter().collect::<BTreeSet<_>>().len(), used.len(), "a grant is used once");
    let grants = desk.member().grants.clone();
    let keys: BTreeSet<(&str, i32)> = grants.iter().map(|grant| (grant.perk.as_str(), grant.occasion)).collect();
    assert_eq!(keys.len(), grants.len(), "one grant an occasion");
    let mut birthday = None;
    for grant in &grants {
        assert!(grant.from <= grant.granted_at && grant.granted_at < grant.until, "inside its window: {grant:?}");
        assert_eq!(zone.midnight(zone.day_of(grant.from)), grant.from);
        match OccasionKind::word_of(grant.occasion) {
            "birthday" => {
                let rest = birthday.is_none_or(|last| grant.granted_at - last >= Duration::days(330));
                assert!(rest, "two birthdays within 330 days: {grants:?}");
                birthday = Some(grant.granted_at);
            }
            "welcome" => assert!(grant.granted_at - enrolled < Duration::days(22)),
            "anniversary" => {
                let away = grant.granted_at - enrolled - Duration::days(365) * grant.occasion;
                assert!(away.num_days().abs() <= 5, "{grant:?}");
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn a_grant_is_one_and_inside_its_window(steps in prop::collection::vec(step(), 1..60), east in any::<bool>()) {
        let mut all = perks();
        all.push(Perk { code: "mug".to_owned(), ..mug() });
        all[3].grant = PerkGift::Reward { reward: "mug".to_owned() };
        let mut desk = desk(all);
        desk.programme.time_zone = zone(if east { "Asia/Shanghai" } else { "America/Bogota" });
        for step in steps {
            match step {
                Step::Wait(days) => for _ in 0..days {
                    desk.now += Duration::hours(24);
                    desk.grant_perks();
                },
                Step::Buy(amount) => {
                    let receipt = desk.receipt(amount);
                    let bought = desk.purchase(receipt);
                    prop_assert_eq!(bought.is_err(), desk.standing().frozen);
                }
                Step::Born(month, day) => {
                    desk.member().birth_date = Some(format!("--{month:02}-{day:02}").parse().expect("a birth date"));
                }
                Step::Place(tier, days) => {
                    let tier = desk.programme.tier(tier).code.clone();
                    let place = PlaceTier { tier, until: desk.now + Duration::days(days), reason: "so".to_owned() };
                    let placed = desk.run(&Command::PlaceTier(place));
                    prop_assert!(matches!(placed, Ok(Outcome::Tier(_))));
                }
                Step::Freeze(frozen) => desk.member().standing.frozen = frozen,
                Step::Redeem => drop(desk.redeem(a_mug(), None)),
            }
            sound(&mut desk);
        }
    }
}
