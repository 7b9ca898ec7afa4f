//! Households and merged accounts: corners that random histories led into.

use tessera_rules::command::{PayWithPoints, PlaceTier, Redeemed, ReturnedGoods};
use tessera_rules::expiry::Expiry;
use tessera_rules::id::RedemptionId;
use tessera_rules::occasion::OccasionKind;
use tessera_rules::perk::{Perk, PerkGift, PerkWindow};
use tessera_rules::tier::{LotsOnChange, Validity, Window};
use tessera_rules::time::{LeapDay, Period};
use tessera_rules::{Command, Refusal};

use crate::links::{desk, id, linked, tiers};
use crate::support::{after, at, points};

#[test]
fn points_let_go_stand_in_line_before_any_is_spent() {
    let mut desk = desk(linked());
    desk.who(2).join(1, true).expect("a pool");
    desk.at("2025-02-10T10:00:00Z").buy(3_000);
    desk.hold(Redeemed::MoneyOff(points(30))).expect("enough");
    desk.who(1).buy_late(2_000, "2025-01-20T10:00:00Z");
    // The hold has ended by itself: its points are the pool's, and others of it lapse sooner.
    desk.at("2025-02-10T10:20:00Z").who(2).spend(20).expect("enough");
    assert_eq!(desk.open(1), ["30@2026-02-11"]);
}

#[test]
fn a_gift_counts_with_the_debt_it_pays() {
    let mut desk = desk(linked());
    desk.who(2).join(1, true).expect("a pool");
    let sale = desk.at("2025-02-10T10:00:00Z").buy(3_000);
    desk.who(1).spend(30).expect("enough");
    desk.who(2).take_back(sale.id, ReturnedGoods::All).expect("sold");
    desk.who(1).buy(10_000);
    desk.who(2).give(3, 20).expect("20 and the debt of 30");
    assert_eq!((desk.all(1), desk.all(2)), ((50, 0, 0), (0, 0, 0)));
    assert_eq!(desk.spend(1), Err(Refusal::DailyLimit(points(50))));
}

#[test]
fn a_purchase_opens_the_lots_of_what_it_earned_alone() {
    let mut desk = desk(linked());
    desk.at("2025-01-10T10:00:00Z").buy(2_000);
    desk.who(2).join(1, true).expect("a pool");
    let mut receipt = desk.receipt(3_000);
    receipt.redeem = Some(PayWithPoints { id: RedemptionId::new(desk.id()), points: points(5), otp_step: None });
    let bought = desk.purchase(receipt).expect("enough");
    let opened: Vec<i64> = bought.lots.iter().map(|lot| lot.points.get()).collect();
    assert_eq!((opened, desk.available(1)), (vec![30], 45), "not the lot of what was fetched to pay with");
}

#[test]
fn nothing_lapses_by_coming_home() {
    let mut programme = linked();
    programme.expiry = Expiry::Inactivity { months: 1 };
    let mut desk = desk(programme);
    desk.who(2).at("2025-01-10T10:00:00Z").buy(1_000);
    desk.at("2025-01-20T10:00:00Z").join(1, true).expect("a pool");
    desk.who(1).at("2025-02-15T10:00:00Z").buy(100);
    desk.who(2).at("2025-03-10T10:00:00Z").run(&Command::LeavePool).expect("in a pool");
    assert_eq!(desk.at("2025-04-10T23:59:59Z").settle().available(2), 10, "they lived with the pool");
    assert_eq!(desk.at("2025-04-11T00:00:00Z").settle().available(2), 0);
}

#[test]
fn who_leaves_a_chain_of_accounts_counts_in_none_of_them() {
    let mut desk = desk(tiers());
    desk.at("2025-01-10T10:00:00Z").buy(6_000);
    desk.merge(2).expect("two members");
    desk.who(2).merge(3).expect("and a third");
    let counted = |desk: &crate::support::Desk| {
        let standing = &desk.state.members[&id(3)].standing;
        (standing.window.points, standing.purchases, standing.lifetime_earned.get())
    };
    assert_eq!(counted(&desk), (60, 1, 60));
    desk.who(1).run(&Command::Unmerge).expect("merged");
    assert_eq!((counted(&desk), desk.available(1)), ((0, 0, 0), 60));
}

#[test]
fn of_two_tiers_alike_the_longer_validity_stays() {
    let mut programme = tiers();
    programme.tiers.validity = Validity::EndOfNextYear;
    programme.tiers.window = Window::CalendarYear;
    let mut desk = desk(programme);
    desk.who(2).at("2025-06-01T10:00:00Z").buy(20_000);
    desk.who(1).at("2026-01-10T10:00:00Z").buy(20_000);
    desk.merge(2).expect("two members");
    let standing = &desk.state.members[&id(2)].standing;
    assert_eq!((standing.tier.as_str(), standing.tier_until), ("gold", Some(at("2028-01-01T00:00:00Z"))));
}

#[test]
fn what_the_tier_of_a_merge_ends_pays_no_debt() {
    let mut programme = tiers();
    programme.tiers.lots_on_change = LotsOnChange::Take;
    programme.tiers.levels[1].expiry = Some(after(1, Period::Day));
    let mut desk = desk(programme);
    desk.who(2).at("2025-01-10T10:00:00Z").buy(5_000);
    desk.who(1).at("2025-03-10T10:00:00Z").buy(6_000);
    let sale = desk.buy(3_000);
    desk.spend(90).expect("enough");
    desk.take_back(sale.id, ReturnedGoods::All).expect("sold");
    desk.merge(2).expect("two members");
    assert_eq!(desk.all(2), (0, 0, 30), "gold's month was over for the 50");
}

#[test]
fn a_purchase_that_lifts_no_tier_grants_nothing_for_one() {
    let reached = Perk {
        code: "up".to_owned(),
        name: "Up".into(),
        occasion: OccasionKind::TierReached,
        grant: PerkGift::Points { points: points(50) },
        windows: vec![PerkWindow { tiers: Vec::new(), before_days: 0, after_days: 9 }],
        member_for_days: 15,
        needs_purchase: false,
        leap_day: LeapDay::February28,
    };
    let mut desk = desk(tessera_rules::Programme { perks: vec![reached], ..tiers() });
    assert!(desk.at("2025-01-05T10:00:00Z").buy(12_000).perks.is_empty(), "not a member for long enough");
    let (tier, until) = ("basic".to_owned(), at("2025-01-20T12:00:00Z"));
    desk.run(&Command::PlaceTier(PlaceTier { tier, until, reason: "a trial".to_owned() })).expect("a tier");
    assert!(desk.at("2025-01-20T13:00:00Z").buy(100).perks.is_empty(), "the clock lifted it");
    assert_eq!(desk.at("2025-01-21T00:00:00Z").grant_perks(), ["up"]);
}
