//! Redemption captured at once (PROGRAMME.md §8): prices, worth, and the refusals in their order of
//! precedence.

use tessera_rules::amount::{MAX_MAGNITUDE, Minor, Points, Rate};
use tessera_rules::command::Redeemed;
use tessera_rules::decision::Effect;
use tessera_rules::programme::{MoneyOff, Tiers};
use tessera_rules::reward::Reward;
use tessera_rules::tier::{Measure, Window};
use tessera_rules::{Programme, Refusal};

use crate::support::{Desk, day, level, points, programme, times};

fn mug() -> Reward {
    Reward {
        stock: Some(2),
        minimum_tier: Some("gold".to_owned()),
        from: Some(day("2025-03-01")),
        to: Some(day("2025-03-31")),
        ..Reward::goods("mug", "Mug".into(), points(40))
    }
}

fn money_off() -> MoneyOff {
    MoneyOff {
        rate: Rate { points: 3, per: 10 },
        minimum: points(20),
        step: points(10),
        largest_share: times("0.5"),
        hold_minutes: 15,
    }
}

/// A gold member with 100 points on 10 March 2025, and a mug for 40.
fn desk() -> Desk {
    let levels = vec![level("base", 0, "1"), level("gold", 100, "1")];
    let tiers = Tiers { measure: Measure::Points, window: Window::Lifetime, levels, ..Tiers::default() };
    let mut desk = Desk::new(Programme { rewards: vec![mug()], redemption: Some(money_off()), tiers, ..programme() });
    desk.at("2025-03-10T10:00:00Z").buy(10_000);
    desk
}

fn reward(code: &str) -> Redeemed {
    Redeemed::Reward(code.to_owned())
}

#[test]
fn a_reward_takes_its_price_and_a_piece_of_stock() {
    let mut desk = desk();
    let outcome = desk.redeem(reward("mug"), None).expect("redeemed");
    assert_eq!((outcome.points, outcome.worth, outcome.balance.available), (points(40), None, points(60)));
    assert_eq!(outcome.reward.as_deref(), Some("mug"));
    assert_eq!(desk.ledger(), ["issued>available 100", "available>redeemed 40"]);
    assert_eq!(desk.state.shared.rewards_used["mug"], 1);
    assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::Redemption(record) if record.id == outcome.id)));
    desk.redeem(reward("mug"), None).expect("the second and last");
    assert_eq!(desk.redeem(reward("mug"), None).err(), Some(Refusal::OutOfStock), "before what is missing in points");
}

#[test]
fn a_reward_is_offered_on_its_days() {
    for (time, offered) in [("2025-03-31T23:59:59Z", true), ("2025-04-01T00:00:00Z", false)] {
        let mut desk = desk();
        let refused = desk.at(time).redeem(reward("mug"), None).err();
        assert_eq!(refused, if offered { None } else { Some(Refusal::RewardNotOffered) });
    }
    let reward = mug();
    assert!(reward.offered_on(day("2025-03-01")) && !reward.offered_on(day("2025-02-28")));
}

#[test]
fn money_off_is_worth_its_rate_floored() {
    let mut desk = desk();
    let outcome = desk.spend(50).expect("redeemed");
    assert_eq!((outcome.worth, outcome.reward), (Some(Minor::new(166).expect("in range")), None));
    assert_eq!(desk.standing().available, points(50));
    assert_eq!(desk.spend(19).err(), Some(Refusal::BelowMinimum(points(20))));
    assert_eq!(desk.spend(-20).err(), Some(Refusal::BelowMinimum(points(20))));
    assert_eq!(desk.spend(25).err(), Some(Refusal::NotAStep(points(10))));
    assert!(money_off().worth(points(MAX_MAGNITUDE)).is_err(), "a worth out of range is refused");
}

type Break = fn(&mut Desk);

/// Each row breaks one rule more; the refusal is always the first of the list.
#[test]
fn refusals_come_in_order_of_precedence() {
    let breaking: [(Break, Refusal); 6] = [
        (|desk| drop(desk.adjust(-80)), Refusal::InsufficientPoints { available: points(20), required: points(40) }),
        (|desk| desk.state.shared.rewards_used.extend([("mug".to_owned(), 2)]), Refusal::OutOfStock),
        (|desk| desk.member().standing.tier = "base".to_owned(), Refusal::TierTooLow("gold".to_owned())),
        (|desk| desk.programme.rewards[0].from = Some(day("2025-03-11")), Refusal::RewardNotOffered),
        (|desk| desk.programme.rewards.clear(), Refusal::RewardUnknown),
        (|desk| desk.member().standing.otp_step = 77, Refusal::CodeUsed),
    ];
    let mut desk = desk();
    for (break_rule, refusal) in breaking {
        break_rule(&mut desk);
        assert_eq!(desk.redeem(reward("mug"), Some(77)).err(), Some(refusal));
    }
    desk.member().standing.frozen = true;
    assert_eq!(desk.redeem(reward("mug"), Some(77)).err(), Some(Refusal::MemberFrozen));
}

#[test]
fn money_off_refusals_come_in_order() {
    let mut desk = desk();
    desk.adjust(-95).expect("taken");
    let insufficient = Refusal::InsufficientPoints { available: points(5), required: points(20) };
    assert_eq!(desk.spend(20).err(), Some(insufficient));
    assert_eq!(desk.spend(15).err(), Some(Refusal::BelowMinimum(points(20))), "before the step");
    desk.programme.redemption = None;
    assert_eq!(desk.spend(15).err(), Some(Refusal::MoneyOffNotOffered));
    assert_eq!(desk.redeem(Redeemed::MoneyOff(Points::ZERO), Some(0)).err(), Some(Refusal::CodeUsed));
}

#[test]
fn a_step_of_the_rotating_code_spends_once() {
    let mut desk = desk();
    let spend = |desk: &mut Desk, step| desk.redeem(Redeemed::MoneyOff(points(20)), Some(step)).err();
    assert_eq!(spend(&mut desk, 500), None);
    assert_eq!(spend(&mut desk, 500), Some(Refusal::CodeUsed));
    assert_eq!(spend(&mut desk, 499), Some(Refusal::CodeUsed), "nor an earlier one");
    assert_eq!(spend(&mut desk, 501), None);
    assert_eq!(desk.spend(20).err(), None, "without a code the caller has proved otherwise");
    assert_eq!(desk.standing().otp_step, 501);
}

#[test]
fn a_frozen_member_neither_earns_nor_redeems() {
    let mut desk = desk();
    desk.member().standing.frozen = true;
    let mut receipt = desk.receipt(1_000);
    receipt.currency = "EUR".parse().expect("a currency");
    assert_eq!(desk.purchase(receipt.clone()).err(), Some(Refusal::MemberFrozen), "before the currency");
    assert_eq!(desk.spend(20).err(), Some(Refusal::MemberFrozen));
    desk.member().standing.frozen = false;
    receipt.occurred_at = Some(crate::support::at("2020-01-01T00:00:00Z"));
    let mismatch = Refusal::CurrencyMismatch { wanted: desk.programme.currency, given: receipt.currency };
    assert_eq!(desk.purchase(receipt).err(), Some(mismatch), "before the time");
}
