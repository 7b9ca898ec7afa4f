//! Lots and settling (PROGRAMME.md §2 and §5): the order of consumption, expiry at its instant
//! whatever comes first, late purchases, adjustments, debt, and a state that is loaded in part.

use tessera_rules::amount::Points;
use tessera_rules::ledger::EntryKind;
use tessera_rules::lot::{Bite, Lapse, Lot, consume};
use tessera_rules::programme::MoneyOff;
use tessera_rules::time::Period;
use tessera_rules::{Command, MemberState, Outcome, Programme, Refusal};

use crate::support::{Desk, after, at, points, programme};

fn expiring(months: u32, round: Period) -> Programme {
    let money_off = MoneyOff {
        rate: tessera_rules::amount::Rate { points: 1, per: 1 },
        minimum: points(1),
        step: points(1),
        largest_share: tessera_rules::amount::Multiplier::ONE,
        hold_minutes: 15,
    };
    Programme { expiry: after(months, round), redemption: Some(money_off), ..programme() }
}

#[test]
fn points_lapse_at_their_instant_not_when_it_is_noticed() {
    let mut desk = Desk::new(expiring(12, Period::Month));
    desk.at("2025-07-06T12:00:00Z").buy(10_000);
    assert_eq!(desk.standing().due_at(), Some(at("2026-08-01T00:00:00Z")));
    desk.at("2026-07-31T23:59:59.999999Z").spend(1).expect("usable on the last day");
    let refused = desk.at("2026-08-01T00:00:00Z").spend(1);
    assert_eq!(refused.err(), Some(Refusal::InsufficientPoints { available: Points::ZERO, required: points(1) }));
    assert_eq!(desk.standing().available, points(99), "a refusal settles nothing");
    desk.at("2026-09-15T08:00:00Z").settle();
    let expiry = desk.entries().pop().cloned().expect("an entry");
    assert_eq!((expiry.kind, expiry.points), (EntryKind::Expiry, points(99)));
    assert_eq!((expiry.effective_at, expiry.recorded_at), (at("2026-08-01T00:00:00Z"), desk.now));
    assert_eq!(desk.standing().due_at(), None);
    let before = desk.entries().len();
    desk.settle();
    assert_eq!(desk.entries().len(), before, "expiry takes a lot once");
}

#[test]
fn soonest_expiring_then_oldest_then_first() {
    let mut desk = Desk::new(expiring(1, Period::Quarter));
    desk.at("2025-07-01T00:00:00Z").buy(1_000);
    desk.at("2025-07-20T10:00:00Z").buy_late(1_000, "2025-07-20T10:00:00Z");
    desk.buy_late(1_000, "2025-07-10T10:00:00Z");
    desk.buy_late(1_000, "2025-07-10T10:00:00Z");
    desk.buy_late(1_000, "2025-06-25T10:00:00Z");
    // All lapse with September, for a month on from 25 June lies in that quarter too.
    desk.spend(45).expect("enough");
    assert_eq!(desk.bites(), ["5:-10", "1:-10", "3:-10", "4:-10", "2:-5"]);
    let mut desk = Desk::new(expiring(1, Period::Day));
    desk.at("2025-07-20T10:00:00Z").buy(1_000);
    desk.buy_late(1_000, "2025-07-10T10:00:00Z");
    desk.programme.expiry = tessera_rules::expiry::Expiry::Never;
    desk.buy_late(1_000, "2025-07-01T10:00:00Z");
    desk.spend(25).expect("enough");
    assert_eq!(desk.bites(), ["2:-10", "1:-10", "3:-5"], "lots that never lapse come last");
}

#[test]
fn a_lot_is_spendable_from_its_first_instant_and_before_its_last() {
    let lot = Lot {
        number: 1,
        entry: 1,
        points: points(10),
        remaining: points(10),
        held: Points::ZERO,
        lapsed: Points::ZERO,
        pending: false,
        origin: None,
        parent: None,
        occurred_at: at("2025-03-01T00:00:00Z"),
        available_from: at("2025-03-02T00:00:00Z"),
        expires_at: Some(at("2025-04-01T00:00:00Z")),
        lapse: Lapse::Dated,
    };
    let known = [
        ("2025-03-01T23:59:59.999999Z", None),
        ("2025-03-02T00:00:00Z", Some(vec![Bite { lot: 1, points: points(10) }])),
        ("2025-03-31T23:59:59.999999Z", Some(vec![Bite { lot: 1, points: points(10) }])),
        ("2025-04-01T00:00:00Z", None),
    ];
    for (time, bites) in known {
        assert_eq!(consume([&lot].into_iter(), points(10), at(time)), bites, "{time}");
    }
    assert_eq!(consume([&lot].into_iter(), points(11), at("2025-03-02T00:00:00Z")), None);
}

#[test]
fn what_fell_due_is_settled_in_order() {
    let mut desk = Desk::new(expiring(1, Period::Day));
    desk.at("2025-03-01T10:00:00Z").buy(1_000);
    desk.at("2025-03-03T10:00:00Z").buy(2_000);
    desk.buy_late(3_000, "2025-03-02T10:00:00Z");
    desk.at("2025-06-01T00:00:00Z").buy(500);
    let due: Vec<String> = desk.entries().iter().map(|e| e.effective_at.format("%m-%d").to_string()).collect();
    assert_eq!(due, ["03-01", "03-03", "03-02", "04-02", "04-03", "04-04", "06-01"]);
    assert_eq!(desk.bites(), ["1:-10", "3:-30", "2:-20"]);
    assert_eq!(desk.standing().available, points(5));
}

#[test]
fn a_late_lot_lives_from_the_receipt() {
    let mut desk = Desk::new(expiring(1, Period::Day));
    let outcome = desk.at("2025-03-20T10:00:00Z").buy_late(1_000, "2025-03-05T10:00:00Z");
    let lot = outcome.lots[0];
    assert_eq!(lot.expires_at, Some(at("2025-04-06T00:00:00Z")));
    assert_eq!((lot.occurred_at, lot.available_from), (at("2025-03-05T10:00:00Z"), at("2025-03-05T10:00:00Z")));
    assert_eq!(desk.entries()[0].recorded_at, at("2025-03-20T10:00:00Z"));
}

#[test]
fn a_late_lot_that_has_lapsed_expires_at_once() {
    let mut desk = Desk::new(expiring(1, Period::Day));
    desk.at("2025-03-31T10:00:00Z").buy(700);
    let due = desk.standing().due_at();
    let outcome = desk.at("2025-04-02T00:00:00Z").buy_late(1_000, "2025-03-03T10:00:00Z");
    assert_eq!((outcome.given, outcome.balance.available), (points(10), points(17)));
    let outcome = desk.at("2025-04-02T00:00:00Z").buy_late(1_000, "2025-03-03T00:00:00Z");
    assert_eq!(outcome.balance.available, points(27));
    desk.at("2025-04-05T00:00:00Z").settle();
    assert_eq!(desk.standing().available, points(7));
    let mut context = desk.context();
    context.historic = true;
    let mut receipt = desk.receipt(1_000);
    receipt.occurred_at = Some(at("2025-02-01T00:00:00Z"));
    let state = &desk.state;
    let decision = tessera_rules::decide(&desk.programme, state, desk.member, &Command::Purchase(receipt), &context)
        .expect("taken");
    let Outcome::Purchase(outcome) = &decision.outcome else { panic!("a purchase") };
    assert_eq!((outcome.given, outcome.balance.available), (points(10), points(7)));
    desk.state.apply(desk.member, &decision.effects).expect("in range");
    assert_eq!(desk.standing().due_at(), due, "the other lot is still waited for");
}

#[test]
fn a_lapsed_lot_leaves_unloaded_lots_be() {
    let mut desk = Desk::new(expiring(1, Period::Day));
    desk.at("2025-06-10T10:00:00Z").buy(1_000);
    let due = desk.standing().due_at();
    desk.state.members.insert(desk.member, MemberState::new(desk.standing().clone()));
    let mut receipt = desk.receipt(500);
    receipt.occurred_at = Some(at("2025-01-05T10:00:00Z"));
    let context = tessera_rules::Context { historic: true, ..desk.context() };
    let decision =
        tessera_rules::decide(&desk.programme, &desk.state, desk.member, &Command::Purchase(receipt), &context)
            .expect("taken");
    desk.state.apply(desk.member, &decision.effects).expect("in range");
    assert_eq!((desk.standing().due_at(), desk.standing().available), (due, points(10)));
}

#[test]
fn time_never_runs_backwards_for_a_member() {
    let mut desk = Desk::new(expiring(1, Period::Day));
    desk.at("2025-03-10T10:00:00Z").buy(1_000);
    let outcome = desk.at("2025-03-10T09:00:00Z").buy(1_000);
    assert_eq!((outcome.occurred_at, outcome.recorded_at), (at("2025-03-10T10:00:00Z"), at("2025-03-10T10:00:00Z")));
    let outcome = desk.at("2025-03-10T09:58:00Z").buy_late(1_000, "2025-03-10T10:04:59Z");
    assert_eq!(outcome.recorded_at, at("2025-03-10T10:00:00Z"), "the member's time counts, not the clock behind it");
}

#[test]
fn a_till_may_be_early_and_late_within_limits() {
    let mut desk = Desk::new(programme());
    desk.at("2025-03-31T12:00:00Z");
    let refused = |desk: &mut Desk, occurred: &str| {
        let mut receipt = desk.receipt(100);
        receipt.occurred_at = Some(at(occurred));
        desk.purchase(receipt).err()
    };
    assert_eq!(refused(&mut desk, "2025-03-01T11:59:59.999999Z"), Some(Refusal::OccurredTooEarly));
    assert_eq!(refused(&mut desk, "2025-03-31T12:05:00.000001Z"), Some(Refusal::OccurredTooLate));
    assert_eq!(refused(&mut desk, "2025-03-01T12:00:00Z"), None);
    assert_eq!(refused(&mut desk, "2025-03-31T12:05:00Z"), None);
}

#[test]
fn a_receipt_from_the_near_future_can_be_spent_now() {
    let mut desk = Desk::new(expiring(1, Period::Day));
    let outcome = desk.at("2025-03-31T23:58:00Z").buy_late(1_000, "2025-04-01T00:02:00Z");
    assert_eq!(outcome.lots[0].available_from, at("2025-03-31T23:58:00Z"));
    assert_eq!(outcome.lots[0].expires_at, Some(at("2025-05-01T00:00:00Z")), "months count from available_from");
    desk.spend(10).expect("spendable");
}

#[test]
fn debt_is_paid_first() {
    let mut desk = Desk::new(expiring(1, Period::Day));
    desk.member().standing.debt = points(30);
    let outcome = desk.at("2025-03-10T10:00:00Z").buy(2_000);
    assert_eq!((outcome.lots.len(), outcome.balance.debt, outcome.balance.available), (0, points(10), Points::ZERO));
    let outcome = desk.buy(2_500);
    assert_eq!((outcome.lots[0].points, outcome.balance.debt), (points(15), Points::ZERO));
    assert_eq!(desk.ledger(), ["issued>debt 20", "issued>debt 10", "issued>available 15"]);
    assert_eq!(desk.standing().lifetime_earned, points(45));
}

#[test]
fn adjustments_give_and_take() {
    let mut desk = Desk::new(expiring(1, Period::Month));
    desk.at("2025-03-10T10:00:00Z").adjust(500).expect("given");
    desk.adjust(-120).expect("taken");
    assert_eq!(desk.ledger(), ["adjusted>available 500", "available>adjusted 120"]);
    assert_eq!(desk.bites(), ["1:-120"]);
    assert_eq!(desk.standing().lots_due_at, Some(at("2025-05-01T00:00:00Z")));
    assert_eq!(desk.standing().lifetime_earned, Points::ZERO, "an adjustment is not earned");
    assert_eq!(desk.entries()[0].reason.as_deref(), Some("opening_balance"));
    let refused = desk.adjust(-381).err();
    assert_eq!(refused, Some(Refusal::InsufficientPoints { available: points(380), required: points(381) }));
    desk.adjust(0).expect("nothing");
    assert_eq!(desk.entries().len(), 2, "nothing is not an entry");
    desk.member().standing.frozen = true;
    desk.adjust(20).expect("staff may put a frozen member right");
}

#[test]
fn sums_out_of_range_are_refused() {
    let mut desk = Desk::new(programme());
    let most = tessera_rules::amount::MAX_MAGNITUDE;
    desk.adjust(most).expect("in range");
    assert_eq!(desk.adjust(1).err(), Some(Refusal::AmountOutOfRange));
    let receipt = desk.receipt(100);
    assert_eq!(desk.purchase(receipt).err(), Some(Refusal::AmountOutOfRange));
    assert_eq!(desk.standing().available, points(most));
}

#[test]
fn someone_unknown_is_refused() {
    let mut desk = Desk::new(programme());
    desk.state.members.clear();
    assert_eq!(desk.decide(&Command::Settle).err(), Some(Refusal::MemberUnknown));
}
