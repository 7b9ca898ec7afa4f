//! Holds (PROGRAMME.md §8): points set aside, captured, let go and timed out; redemptions voided; and
//! what becomes of lots that lapse meanwhile.

use tessera_rules::amount::{Minor, Points, Rate};
use tessera_rules::command::Redeemed;
use tessera_rules::decision::Balance;
use tessera_rules::ledger::EntryKind;
use tessera_rules::programme::MoneyOff;
use tessera_rules::redemption::RedemptionStatus;
use tessera_rules::reward::Reward;
use tessera_rules::time::Period;
use tessera_rules::{Programme, Refusal};

use crate::support::{Desk, after, at, points, programme, times};

/// Two lots of 50 points that lapse on 11 and 21 April; a hold lasts a quarter of an hour.
fn desk() -> Desk {
    let rate = Rate { points: 1, per: 10 };
    let offer = MoneyOff { rate, minimum: points(1), step: points(1), largest_share: times("1"), hold_minutes: 15 };
    let mug = Reward { stock: Some(1), ..Reward::goods("mug", "Mug".into(), points(40)) };
    let expiry = after(1, Period::Day);
    let mut desk = Desk::new(Programme { expiry, redemption: Some(offer), rewards: vec![mug], ..programme() });
    desk.at("2025-03-10T10:00:00Z").buy(5_000);
    desk.at("2025-03-20T10:00:00Z").buy(5_000);
    desk.effects.clear();
    desk
}

fn off(value: i64) -> Redeemed {
    Redeemed::MoneyOff(points(value))
}

fn shown(desk: &Desk) -> (i64, i64, i64) {
    let balance = Balance::from(desk.standing());
    (balance.available.get(), balance.held.get(), balance.debt.get())
}

#[test]
fn a_hold_is_captured_in_part_and_the_rest_goes_back() {
    let mut desk = desk();
    let held = desk.hold(off(70)).expect("held");
    assert_eq!((held.status, held.held_until), (RedemptionStatus::Held, Some(at("2025-03-20T10:15:00Z"))));
    assert_eq!(shown(&desk), (30, 70, 0));
    assert_eq!(desk.standing().due_at(), held.held_until);
    let captured = desk.at("2025-03-20T10:14:59Z").capture(held.id, Some(55)).expect("captured");
    assert_eq!((captured.points, captured.worth), (points(55), Some(Minor::new(550).expect("in range"))));
    assert_eq!(desk.ledger(), ["available>held 70", "held>redeemed 55", "held>available 15"]);
    assert_eq!(desk.bites(), ["1:-50", "2:-20", "1:0", "2:0", "2:15"]);
    assert_eq!(shown(&desk), (45, 0, 0));
    let reverses: Vec<_> = desk.entries().iter().map(|entry| entry.reverses).collect();
    assert_eq!(reverses, [None, None, Some(3)], "the release takes the hold back");
    assert_eq!(desk.standing().holds_due_at, None);
    assert_eq!(desk.capture(held.id, None).err(), Some(Refusal::NotHeld(RedemptionStatus::Captured)));
    let voided = desk.void(held.id).expect("voided");
    assert_eq!((voided.status, shown(&desk)), (RedemptionStatus::Voided, (100, 0, 0)));
    assert_eq!(desk.void(held.id).err(), Some(Refusal::VoidedBefore));
}

#[test]
fn a_hold_ends_by_itself_at_its_instant() {
    let mut desk = desk();
    let held = desk.hold(off(70)).expect("held");
    desk.at("2025-03-20T10:15:00Z");
    assert_eq!(desk.capture(held.id, None).err(), Some(Refusal::NotHeld(RedemptionStatus::Voided)));
    desk.at("2025-03-25T08:00:00Z").settle();
    let release = desk.entries().pop().cloned().expect("an entry");
    assert_eq!((release.kind, release.effective_at), (EntryKind::Release, at("2025-03-20T10:15:00Z")));
    assert_eq!((release.document, shown(&desk)), (Some(held.id.uuid()), (100, 0, 0)));
    assert_eq!(desk.void(held.id).err(), Some(Refusal::VoidedBefore));
}

#[test]
fn a_lot_that_lapses_while_held_is_captured_as_promised_and_lapses_on_release() {
    let mut desk = desk();
    let held = desk.at("2025-04-10T23:50:00Z").hold(off(70)).expect("held");
    desk.at("2025-04-11T00:01:00Z").settle();
    assert_eq!(desk.ledger(), ["available>held 70"], "what is held does not lapse");
    let mut captured = desk_like(&desk);
    captured.capture(held.id, Some(60)).expect("as promised");
    assert_eq!(captured.ledger(), ["available>held 70", "held>redeemed 60", "held>available 10"]);
    desk.at("2025-04-11T00:20:00Z").settle();
    assert_eq!(desk.ledger(), ["available>held 70", "held>available 20", "held>expired 50"]);
    assert_eq!(shown(&desk), (50, 0, 0));
    assert_eq!(desk.member().lots[&1].lapsed, points(50));
    desk.at("2025-05-01T00:00:00Z").settle();
    assert_eq!(shown(&desk), (0, 0, 0));
}

fn desk_like(desk: &Desk) -> Desk {
    let mut other = Desk::new(desk.programme.clone());
    (other.state, other.now, other.effects) = (desk.state.clone(), desk.now, desk.effects.clone());
    other
}

#[test]
fn the_time_out_comes_before_an_expiry_of_the_same_instant_and_in_order_with_the_others() {
    let mut desk = desk();
    desk.at("2025-04-10T23:45:00Z").hold(off(60)).expect("held");
    desk.at("2025-06-01T00:00:00Z").settle();
    let told: Vec<_> = desk
        .entries()
        .iter()
        .map(|e| format!("{:?} {} {}", e.kind, e.points, e.effective_at.format("%d %H:%M")))
        .collect();
    assert_eq!(told, ["Hold 60 10 23:45", "Release 10 11 00:00", "Expiry 50 11 00:00", "Expiry 50 21 00:00"]);
}

#[test]
fn debt_is_paid_before_released_points_can_be_spent() {
    let mut desk = desk();
    let held = desk.hold(off(100)).expect("held");
    desk.member().standing.debt = points(30);
    desk.void(held.id).expect("voided");
    assert_eq!(desk.ledger(), ["available>held 100", "held>available 100", "available>debt 30"]);
    assert_eq!((shown(&desk), desk.member().lots[&1].remaining), ((70, 0, 0), points(20)));
}

#[test]
fn points_of_a_lapsed_lot_come_back_with_days_of_grace() {
    let mut desk = desk();
    let spent = desk.redeem(off(70), None).expect("spent");
    desk.at("2025-04-15T12:00:00Z").void(spent.id).expect("voided");
    assert_eq!(desk.ledger(), ["available>redeemed 70", "redeemed>available 20", "redeemed>available 50"]);
    let grace = desk.member().lots[&3];
    assert_eq!((grace.origin, grace.points), (Some(1), points(50)));
    assert_eq!((grace.occurred_at, grace.expires_at), (at("2025-03-10T10:00:00Z"), Some(at("2025-05-16T00:00:00Z"))));
    let spent = desk.at("2025-05-15T23:59:59Z").redeem(off(50), None).expect("the last day of grace");
    desk.at("2025-05-20T12:00:00Z").void(spent.id).expect("voided");
    assert_eq!(desk.member().lots[&4].origin, Some(1), "an origin has no origin");
}

#[test]
fn a_reward_on_hold_is_set_aside_and_captured_whole() {
    let mut desk = desk();
    let mug = || Redeemed::Reward("mug".to_owned());
    let held = desk.hold(mug()).expect("held");
    assert_eq!(desk.hold(mug()).err(), Some(Refusal::OutOfStock));
    assert_eq!(desk.capture(held.id, Some(10)).err(), Some(Refusal::RewardIsWhole));
    for wrong in [0, 41] {
        assert_eq!(desk.capture(held.id, Some(wrong)).err(), Some(Refusal::CaptureOutOfRange(points(40))));
    }
    desk.at("2025-03-20T10:15:00Z").settle();
    let held = desk.hold(mug()).expect("the mug is free again");
    desk.capture(held.id, None).expect("captured");
    assert_eq!((shown(&desk), desk.state.shared.rewards_used["mug"]), ((60, 0, 0), 1));
    let unknown = tessera_rules::id::RedemptionId::new(uuid::Uuid::from_u128(99));
    assert_eq!(desk.void(unknown).err(), Some(Refusal::RedemptionUnknown));
    assert_eq!(desk.standing().held, Points::ZERO);
}
