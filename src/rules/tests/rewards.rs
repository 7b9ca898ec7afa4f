//! Rewards (PROGRAMME.md §8): prices by tier, limits for each member, codes of partners, and the way of
//! goods to the member.

use std::collections::VecDeque;

use tessera_rules::command::{Fulfil, Redeemed, Role};
use tessera_rules::decision::{Effect, RedemptionOutcome};
use tessera_rules::fulfilment::FulfilmentStatus;
use tessera_rules::id::{RedemptionId, StoreId};
use tessera_rules::programme::{MoneyOff, Tiers};
use tessera_rules::redemption::RedemptionStatus;
use tessera_rules::reward::{LimitPeriod, MemberLimit, Reward, RewardKind, TierPrice};
use tessera_rules::tier::{Measure, Window};
use tessera_rules::{Actor, Command, Outcome, Programme, Refusal};
use uuid::Uuid;

use crate::support::{Desk, at, day, level, points, programme, times};

fn cake() -> Reward {
    let price = |tier: &str, value| TierPrice { tier: tier.to_owned(), points: points(value) };
    Reward {
        stock: Some(3),
        points_by_tier: vec![price("gold", 0), price("silver", 25)],
        ..Reward::goods("cake", "Cake".into(), points(40))
    }
}

fn cinema() -> Reward {
    Reward { kind: RewardKind::PartnerVoucher, ..Reward::goods("cinema", "Cinema".into(), points(30)) }
}

/// A member with these points at a programme with four tiers, these rewards and holds of a quarter of an hour.
fn desk(earned: i64, rewards: Vec<Reward>) -> Desk {
    let steps = [("base", 0), ("silver", 100), ("gold", 300), ("platinum", 500)];
    let levels = steps.map(|(code, threshold)| level(code, threshold, "1")).to_vec();
    let tiers = Tiers { measure: Measure::Points, window: Window::Lifetime, levels, ..Tiers::default() };
    let rate = tessera_rules::amount::Rate { points: 1, per: 1 };
    let offer = MoneyOff { rate, minimum: points(1), step: points(1), largest_share: times("1"), hold_minutes: 15 };
    let mut desk = Desk::new(Programme { rewards, tiers, redemption: Some(offer), ..programme() });
    desk.at("2025-03-10T10:00:00Z").buy(earned * 100);
    desk
}

fn redeem(desk: &mut Desk, code: &str) -> Result<RedemptionOutcome, Refusal> {
    desk.redeem(Redeemed::Reward(code.to_owned()), None)
}

fn hold(desk: &mut Desk, code: &str) -> Result<RedemptionOutcome, Refusal> {
    desk.hold(Redeemed::Reward(code.to_owned()))
}

fn fulfil(desk: &mut Desk, redemption: RedemptionId, to: FulfilmentStatus) -> Result<RedemptionOutcome, Refusal> {
    let store = StoreId::new(Uuid::from_u128(3));
    match desk.run(&Command::Fulfil(Fulfil { redemption, to, store }))? {
        Outcome::Redemption(outcome) => Ok(outcome),
        other => panic!("not a redemption: {other:?}"),
    }
}

fn as_role(desk: &mut Desk, role: Role) {
    desk.actor = Actor { role, id: Some(Uuid::from_u128(9)) };
}

/// Puts codes of the cinema into the pool.
fn pool(desk: &mut Desk, codes: &[&str]) {
    let codes: VecDeque<String> = codes.iter().map(|code| (*code).to_owned()).collect();
    desk.state.shared.vouchers.insert("cinema".to_owned(), codes);
}

#[test]
fn the_price_is_that_of_the_nearest_tier_below() {
    for (earned, price) in [(99, 40), (100, 25), (299, 25), (300, 0), (600, 0)] {
        let mut desk = desk(earned, vec![cake()]);
        let outcome = redeem(&mut desk, "cake").expect("redeemed");
        assert_eq!((outcome.points, outcome.balance.available), (points(price), points(earned - price)), "{earned}");
        assert_eq!(desk.state.shared.rewards_used["cake"], 1);
    }
}

#[test]
fn what_is_free_for_a_tier_is_held_captured_and_voided_like_the_rest() {
    let mut desk = desk(300, vec![cake()]);
    let held = hold(&mut desk, "cake").expect("held");
    assert_eq!((held.status, held.fulfilment), (RedemptionStatus::Held, None));
    let captured = desk.capture(held.id, None).expect("captured");
    assert_eq!((captured.points, captured.fulfilment), (points(0), Some(FulfilmentStatus::Reserved)));
    let voided = desk.void(held.id).expect("voided");
    assert_eq!(voided.fulfilment, Some(FulfilmentStatus::Cancelled));
    assert_eq!(
        (desk.ledger().len(), desk.state.shared.rewards_used["cake"]),
        (1, 0),
        "the purchase alone moved points"
    );
}

#[test]
fn a_member_may_have_so_many_in_a_month_of_the_programme_time() {
    let limit = MemberLimit { most: 2, per: Some(LimitPeriod::Month) };
    let mut desk = desk(900, vec![Reward { per_member: Some(limit), stock: None, ..cake() }]);
    desk.at("2025-03-20T00:00:00Z");
    let first = redeem(&mut desk, "cake").expect("the first");
    // A hold counts, and counts no more once its time has run out.
    hold(&mut desk, "cake").expect("the second");
    assert_eq!(redeem(&mut desk, "cake").err(), Some(Refusal::MemberLimit(2)));
    desk.at("2025-03-20T00:15:00Z");
    redeem(&mut desk, "cake").expect("the second again");
    assert_eq!(hold(&mut desk, "cake").err(), Some(Refusal::MemberLimit(2)));
    desk.void(first.id).expect("voided");
    redeem(&mut desk, "cake").expect("in the place of the first");
    assert_eq!(redeem(&mut desk, "cake").err(), Some(Refusal::MemberLimit(2)));
    desk.at("2025-04-02T00:00:00Z");
    redeem(&mut desk, "cake").expect("another month");
}

#[test]
fn periods_are_those_of_the_calendar() {
    let zone = programme().time_zone;
    let limit = |per| MemberLimit { most: 5, per };
    let taken = [at("2024-12-31T12:00:00Z"), at("2025-02-20T12:00:00Z"), at("2025-03-02T12:00:00Z")];
    for (per, left) in [(None, 2), (Some(LimitPeriod::Year), 3), (Some(LimitPeriod::Month), 4)] {
        assert_eq!(limit(per).left(zone, day("2025-03-31"), taken.into_iter()), left, "{per:?}");
    }
    let full = MemberLimit { most: 1, per: None };
    assert_eq!(full.left(zone, day("2025-03-31"), taken.into_iter()), 0, "a limit that was lowered");
}

#[test]
fn codes_go_in_their_order_and_once() {
    let mut desk = desk(99, vec![cinema()]);
    assert_eq!(redeem(&mut desk, "cinema").err(), Some(Refusal::OutOfStock), "nothing was uploaded");
    pool(&mut desk, &["A", "B", "C"]);
    let first = redeem(&mut desk, "cinema").expect("the first");
    assert_eq!((first.voucher.as_deref(), first.fulfilment), (Some("A"), None), "there is nothing to hand over");
    // A hold has a code, and tells it when it is captured.
    let held = hold(&mut desk, "cinema").expect("the second");
    assert_eq!(held.voucher, None);
    assert_eq!(redeem(&mut desk, "cinema").expect("the third").voucher.as_deref(), Some("C"));
    assert_eq!(redeem(&mut desk, "cinema").err(), Some(Refusal::OutOfStock));
    assert_eq!(desk.capture(held.id, None).expect("captured").voucher.as_deref(), Some("B"));
}

#[test]
fn a_hold_that_ends_lets_its_code_go_and_the_member_may_have_it_again() {
    let mut desk = desk(99, vec![cinema()]);
    pool(&mut desk, &["A"]);
    let held = hold(&mut desk, "cinema").expect("held");
    desk.void(held.id).expect("voided");
    assert!(
        matches!(&desk.effects[..], [.., Effect::PutBackReward { voucher: Some(code), .. }, Effect::Redemption(_)] if code == "A")
    );
    hold(&mut desk, "cinema").expect("held again");
    desk.at("2025-03-10T10:15:00Z");
    assert_eq!(redeem(&mut desk, "cinema").expect("in the decision that ends the hold").voucher.as_deref(), Some("A"));
    assert!(desk.state.shared.vouchers["cinema"].is_empty());
}

#[test]
fn a_code_that_was_told_an_admin_takes_back_and_nobody_is_given_again() {
    let mut desk = desk(99, vec![cinema()]);
    pool(&mut desk, &["A"]);
    let id = redeem(&mut desk, "cinema").expect("redeemed").id;
    for role in [Role::Cashier, Role::Manager] {
        as_role(&mut desk, role);
        assert_eq!(desk.void(id).err(), Some(Refusal::VoucherShown), "{role:?}");
    }
    as_role(&mut desk, Role::Admin);
    let voided = desk.void(id).expect("voided");
    assert_eq!((voided.voucher, voided.balance.available), (None, points(99)));
    assert_eq!(redeem(&mut desk, "cinema").err(), Some(Refusal::OutOfStock), "the code is burnt");
}

/// Every step from everywhere: what is not named here is refused and changes nothing.
#[test]
fn goods_go_forward_only() {
    use FulfilmentStatus::{Cancelled, HandedOver, Ready, Reserved};
    let legal = [(Reserved, Ready), (Reserved, HandedOver), (Ready, HandedOver)];
    let ways: [(FulfilmentStatus, &[FulfilmentStatus]); 4] =
        [(Reserved, &[]), (Ready, &[Ready]), (HandedOver, &[Ready, HandedOver]), (Cancelled, &[])];
    for (from, way) in ways {
        for to in FulfilmentStatus::ALL {
            let mut desk = desk(99, vec![cake()]);
            let id = redeem(&mut desk, "cake").expect("redeemed").id;
            for step in way {
                fulfil(&mut desk, id, *step).expect("on its way");
            }
            if from == Cancelled {
                desk.void(id).expect("voided");
            }
            let before = desk.state.clone();
            let result = fulfil(&mut desk, id, to);
            if legal.contains(&(from, to)) {
                assert_eq!(result.expect("a step").fulfilment, Some(to), "{from:?}");
                let steps = desk.state.members[&desk.member].redemptions[&id].fulfilment.expect("goods").steps;
                assert_eq!(steps as usize, way.len() + 2);
            } else {
                assert_eq!(result.err(), Some(Refusal::FulfilmentState(Some(from))), "to {to:?}");
                assert_eq!(desk.state, before);
            }
        }
    }
}

#[test]
fn what_was_handed_over_a_manager_takes_back() {
    for (role, may) in [(Role::Cashier, false), (Role::Manager, true), (Role::Admin, true)] {
        let mut desk = desk(99, vec![cake()]);
        let id = redeem(&mut desk, "cake").expect("redeemed").id;
        fulfil(&mut desk, id, FulfilmentStatus::HandedOver).expect("handed over");
        as_role(&mut desk, role);
        let voided = desk.void(id);
        assert_eq!(voided.as_ref().err(), (!may).then_some(&Refusal::HandedOver), "{role:?}");
        let available = desk.standing().available;
        assert_eq!(available, points(if may { 99 } else { 59 }));
        assert_eq!(desk.state.shared.rewards_used["cake"], i64::from(!may));
    }
}

#[test]
fn money_off_and_holds_have_nothing_to_hand_over() {
    let mut desk = desk(99, vec![cake()]);
    let paid = desk.spend(10).expect("money off");
    assert_eq!(paid.fulfilment, None);
    let held = hold(&mut desk, "cake").expect("held");
    for id in [paid.id, held.id] {
        assert_eq!(fulfil(&mut desk, id, FulfilmentStatus::Ready).err(), Some(Refusal::FulfilmentState(None)));
    }
    let nobodys = RedemptionId::new(Uuid::from_u128(77));
    assert_eq!(fulfil(&mut desk, nobodys, FulfilmentStatus::Ready).err(), Some(Refusal::RedemptionUnknown));
}

#[test]
fn pictures_are_addresses_that_browsers_load() {
    let checked = |picture: &str| {
        let reward = Reward { pictures: vec![picture.to_owned()], ..Reward::goods("cake", "Cake".into(), points(40)) };
        Programme { rewards: vec![reward], ..programme() }.problems().is_empty()
    };
    for good in ["https://cdn.example.com/cake.webp", "https://cdn.example.com:8443/a/b?x=1#y", "https://例.example/"]
    {
        assert_eq!(checked(good), good.is_ascii(), "{good}");
    }
    let long = format!("https://a.example/{}", "x".repeat(2_048));
    for bad in
        ["http://a.example/x", "https://", "https://nodot/x", "javascript:alert(1)", "https://a.example/a b", "", &long]
    {
        assert!(!checked(bad), "{bad}");
    }
    assert!(!checked("https://user@a.example/x"));
    assert!(!checked("https://a.example/\"onerror"));
}
