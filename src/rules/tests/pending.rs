//! Pending points (PROGRAMME.md §3): earned, shown apart, spendable by themselves after N days.

use tessera_rules::Refusal;
use tessera_rules::amount::Points;
use tessera_rules::decision::Balance;
use tessera_rules::ledger::EntryKind;
use tessera_rules::time::Period;

use crate::support::{Desk, after, at, points, programme};

/// Points are pending for 14 days and live a month from then.
fn desk() -> Desk {
    let mut document = programme();
    document.earning.pending_days = 14;
    document.expiry = after(1, Period::Day);
    Desk::new(document)
}

fn shown(desk: &Desk) -> (i64, i64, i64) {
    let balance = Balance::from(desk.standing());
    (balance.pending.get(), balance.available.get(), balance.debt.get())
}

#[test]
fn points_become_spendable_by_themselves() {
    let mut desk = desk();
    let outcome = desk.at("2025-03-10T10:00:00Z").buy(10_000);
    assert_eq!((outcome.given, outcome.pending), (points(100), points(100)));
    let lot = outcome.lots[0];
    assert_eq!(lot.available_from, at("2025-03-24T10:00:00Z"));
    assert_eq!(lot.expires_at, Some(at("2025-04-25T00:00:00Z")), "life counts from available_from");
    assert_eq!((shown(&desk), desk.standing().due_at()), ((100, 0, 0), Some(lot.available_from)));
    let refused = desk.at("2025-03-24T09:59:59.999999Z").adjust(-1).err();
    assert_eq!(refused, Some(Refusal::InsufficientPoints { available: Points::ZERO, required: points(1) }));
    desk.at("2025-03-24T10:00:00Z").adjust(-1).expect("spendable");
    assert_eq!(desk.ledger(), ["issued>pending 100", "pending>available 100", "available>adjusted 1"]);
    let activation = desk.entries()[1];
    assert_eq!((activation.kind, activation.effective_at), (EntryKind::Activation, at("2025-03-24T10:00:00Z")));
    assert_eq!((shown(&desk), desk.standing().due_at()), ((0, 99, 0), lot.expires_at));
}

#[test]
fn what_falls_due_is_applied_in_order() {
    let mut desk = desk();
    desk.at("2025-03-10T10:00:00Z").buy(1_000);
    desk.at("2025-04-09T10:00:00Z").buy(2_000);
    desk.at("2025-12-01T00:00:00Z").settle();
    let told: Vec<_> = desk
        .entries()
        .iter()
        .map(|e| format!("{:?} {} {}", e.kind, e.points, e.effective_at.format("%m-%d")))
        .collect();
    assert_eq!(
        told,
        [
            "Accrual 10 03-10",
            "Activation 10 03-24",
            "Accrual 20 04-09",
            "Activation 20 04-23",
            "Expiry 10 04-25",
            "Expiry 20 05-24"
        ]
    );
}

#[test]
fn a_late_receipt_waits_from_the_day_it_happened() {
    let mut desk = desk();
    desk.at("2025-03-31T12:00:00Z");
    let outcome = desk.buy_late(1_000, "2025-03-10T10:00:00Z");
    assert_eq!((outcome.pending, shown(&desk)), (Points::ZERO, (0, 10, 0)), "its days are over");
    let outcome = desk.buy_late(1_000, "2025-03-20T10:00:00Z");
    assert_eq!((outcome.pending, outcome.lots[0].available_from), (points(10), at("2025-04-03T10:00:00Z")));
    let outcome = desk.buy_late(1_000, "2025-03-31T12:04:00Z");
    assert_eq!(outcome.lots[0].available_from, at("2025-04-14T12:00:00Z"), "a till's clock that runs ahead");
}

#[test]
fn pending_points_pay_debt_when_they_are_activated() {
    let mut desk = desk();
    desk.member().standing.debt = points(30);
    desk.at("2025-03-10T10:00:00Z").buy(10_000);
    assert_eq!(shown(&desk), (100, 0, 30));
    desk.at("2025-03-24T10:00:00Z").settle();
    assert_eq!(desk.ledger(), ["issued>pending 100", "pending>available 100", "available>debt 30"]);
    assert_eq!((shown(&desk), desk.member().lots[&1].remaining), ((0, 70, 0), points(70)));
}
