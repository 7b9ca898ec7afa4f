//! Returns (PROGRAMME.md §4): what is taken back and given back, from which lots, and how the sale's
//! own rules decide it.

use tessera_rules::amount::{Minor, Points, Quantity, Rate};
use tessera_rules::command::{Line, PayWithPoints, ReturnLine, ReturnPart, ReturnedGoods};
use tessera_rules::decision::{Balance, ReturnOutcome};
use tessera_rules::id::{PurchaseId, RedemptionId};
use tessera_rules::ledger::EntryKind;
use tessera_rules::programme::{MoneyOff, Shortfall, Tiers};
use tessera_rules::promotion::PromotionEffect;
use tessera_rules::tier::{Measure, Window};
use tessera_rules::time::{Period, Weekday};
use tessera_rules::{Programme, Refusal};
use uuid::Uuid;

use crate::support::{Desk, after, at, level, line, points, programme, promotion, times};

fn minor(value: i64) -> Minor {
    Minor::new(value).expect("in range")
}

fn pieces(amount: i64, quantity: &str) -> Line {
    Line { quantity: quantity.parse().expect("a quantity"), ..line(amount) }
}

fn money_off(rate: (u32, u32)) -> MoneyOff {
    let rate = Rate { points: rate.0, per: rate.1 };
    MoneyOff { rate, minimum: points(1), step: points(1), largest_share: times("0.5"), hold_minutes: 15 }
}

/// One point per 1.00, points as money off at 0.01 each.
fn plain() -> Programme {
    Programme { redemption: Some(money_off((1, 1))), ..programme() }
}

fn buy(desk: &mut Desk, lines: Vec<Line>, redeem: Option<i64>) -> PurchaseId {
    let mut receipt = desk.receipt(0);
    receipt.lines = lines;
    let id = RedemptionId::new(desk.id());
    receipt.redeem = redeem.map(|value| PayWithPoints { id, points: points(value), otp_step: None });
    desk.purchase(receipt).expect("the purchase is taken").id
}

fn part(line: u32, part: ReturnPart) -> ReturnedGoods {
    ReturnedGoods::Lines(vec![ReturnLine { line, part }])
}

fn quantity(line: u32, text: &str) -> ReturnedGoods {
    part(line, ReturnPart::Quantity(text.parse().expect("a quantity")))
}

fn amount(line: u32, value: i64) -> ReturnedGoods {
    part(line, ReturnPart::Amount(minor(value)))
}

fn back(desk: &mut Desk, purchase: PurchaseId, goods: ReturnedGoods) -> ReturnOutcome {
    desk.take_back(purchase, goods).expect("the return is taken")
}

#[test]
fn goods_of_another_store_come_back_unless_the_programme_says_otherwise() {
    let mut desk = Desk::new(plain());
    let id = buy(&mut desk, vec![line(1_000), line(500)], None);
    let one = || part(1, ReturnPart::Rest);
    desk.programme.returns.other_stores = false;
    let before = desk.standing().clone();
    assert_eq!(desk.take_back_at(id, one(), true).err(), Some(Refusal::SoldElsewhere));
    assert_eq!(desk.standing(), &before, "nothing has changed");
    desk.take_back_at(id, one(), false).expect("the store that sold it takes it back");
    desk.programme = plain();
    assert_eq!(desk.take_back_at(id, ReturnedGoods::All, true).expect("any store does").record.clawed, points(5));
}

fn shown(desk: &Desk) -> (i64, i64, i64) {
    let balance = Balance::from(desk.standing());
    (balance.pending.get(), balance.available.get(), balance.debt.get())
}

#[test]
fn pieces_are_worth_their_share_and_the_last_the_rest() {
    let steps = [("1", 333), ("0.5", 167), ("0.5", 166), ("1", 334)];
    let mut desk = Desk::new(plain());
    let id = buy(&mut desk, vec![pieces(1_000, "3")], None);
    let returned: Vec<_> =
        steps.iter().map(|(text, _)| back(&mut desk, id, quantity(1, text)).record.amount.get()).collect();
    assert_eq!(returned, steps.map(|(_, amount)| amount));
    let id = buy(&mut desk, vec![pieces(1_000, "3")], None);
    let mixed = [amount(1, 500), quantity(1, "1"), quantity(1, "1"), part(1, ReturnPart::Rest)];
    let mut returned = Vec::new();
    for goods in mixed {
        match desk.take_back(id, goods) {
            Ok(outcome) => returned.push(outcome.record.amount.get()),
            Err(refusal) => assert_eq!(refusal, Refusal::MoreThanLeft(1)),
        }
    }
    assert_eq!(returned, [500, 333, 167], "pieces are worth no more than is left of the line");
}

#[test]
fn a_return_that_is_no_part_of_the_sale_is_refused_and_changes_nothing() {
    let mut desk = Desk::new(plain());
    let id = buy(&mut desk, vec![pieces(1_000, "2"), line(-200), line(0)], None);
    let before = desk.state.clone();
    let cases = [
        (quantity(4, "1"), Refusal::LineUnknown(4)),
        (quantity(0, "1"), Refusal::LineUnknown(0)),
        (quantity(1, "2.001"), Refusal::MoreThanLeft(1)),
        (quantity(1, "0"), Refusal::NotAPart(1)),
        (quantity(1, "-1"), Refusal::NotAPart(1)),
        (amount(1, 1_001), Refusal::MoreThanLeft(1)),
        (amount(1, -1), Refusal::NotAPart(1)),
        (amount(1, 0), Refusal::NotAPart(1)),
        (amount(2, 200), Refusal::NotAPart(2)),
        (amount(2, -201), Refusal::MoreThanLeft(2)),
        (ReturnedGoods::Lines(Vec::new()), Refusal::NothingToReturn),
    ];
    for (goods, refusal) in cases {
        assert_eq!(desk.take_back(id, goods.clone()).err(), Some(refusal), "{goods:?}");
    }
    let twice = ReturnedGoods::Lines(vec![ReturnLine { line: 1, part: ReturnPart::Rest }; 2]);
    assert_eq!(desk.take_back(id, twice).err(), Some(Refusal::MoreThanLeft(1)));
    assert_eq!(desk.state, before);
    back(&mut desk, id, ReturnedGoods::All);
    assert_eq!(desk.take_back(id, ReturnedGoods::All).err(), Some(Refusal::NothingToReturn));
    assert_eq!(desk.take_back(id, quantity(3, "1")).err(), Some(Refusal::MoreThanLeft(3)));
    let unknown = PurchaseId::new(Uuid::from_u128(99));
    assert_eq!(desk.take_back(unknown, ReturnedGoods::All).err(), Some(Refusal::PurchaseUnknown));
}

#[test]
fn what_was_spent_is_owed_or_forgiven() {
    for (policy, ledger, shortfall) in [
        (Shortfall::Debt, vec!["available>returned 20", "debt>returned 80"], (80, 0)),
        (Shortfall::Forgive, vec!["available>returned 20"], (0, 80)),
    ] {
        let mut desk = Desk::new(plain());
        desk.programme.returns.shortfall = policy;
        let id = buy(&mut desk, vec![line(10_000)], None);
        desk.spend(80).expect("enough");
        // A frozen member neither earns nor redeems, but goods still come back.
        desk.member().standing.frozen = true;
        desk.effects.clear();
        let record = back(&mut desk, id, ReturnedGoods::All).record;
        assert_eq!(desk.ledger(), ledger);
        assert_eq!((record.clawed, (record.owed.get(), record.forgiven.get())), (points(100), shortfall));
        assert_eq!(desk.standing().debt.get(), shortfall.0);
        assert_eq!(desk.standing().purchases, 0, "nothing of the purchase remains");
    }
}

#[test]
fn own_points_go_first_then_the_soonest_to_lapse() {
    let mut desk = Desk::new(Programme { expiry: after(1, Period::Day), ..plain() });
    desk.at("2025-03-01T10:00:00Z").buy(3_000);
    let id = buy(desk.at("2025-03-20T10:00:00Z"), vec![line(5_000)], None);
    desk.at("2025-03-10T10:00:00Z").buy(2_000);
    desk.spend(40).expect("30 of the first lot, 10 of the second");
    desk.adjust(-20).expect("taken");
    desk.effects.clear();
    back(&mut desk, id, ReturnedGoods::All);
    assert_eq!(desk.ledger(), ["available>returned 20", "available>returned 20", "debt>returned 10"]);
    assert_eq!(desk.bites(), ["2:-20", "3:-20"]);
    assert_eq!(desk.entries()[0].reverses, Some(2), "the accrual");
    assert!(desk.entries().iter().all(|entry| entry.kind == EntryKind::Return));
}

#[test]
fn pending_points_go_back_first() {
    let mut desk = Desk::new(plain());
    desk.at("2025-03-01T10:00:00Z").buy(3_000);
    desk.programme.earning.pending_days = 14;
    let id = buy(desk.at("2025-03-10T10:00:00Z"), vec![pieces(10_000, "2")], None);
    let other = buy(&mut desk, vec![line(1_000)], None);
    desk.effects.clear();
    back(&mut desk, id, quantity(1, "1"));
    assert_eq!((desk.ledger(), shown(&desk)), (vec!["pending>returned 50".to_owned()], (60, 30, 0)));
    back(&mut desk, other, ReturnedGoods::All);
    desk.at("2025-03-24T10:00:00Z");
    back(&mut desk, id, ReturnedGoods::All);
    assert_eq!(desk.ledger()[2..], ["pending>available 50", "available>returned 50"], "activated first, by the clock");
    assert_eq!(shown(&desk), (0, 30, 0));
}

#[test]
fn points_that_lapsed_unspent_are_not_taken_again() {
    let mut desk = Desk::new(Programme { expiry: after(1, Period::Day), ..plain() });
    let id = buy(desk.at("2025-03-01T10:00:00Z"), vec![pieces(10_000, "2")], None);
    desk.spend(70).expect("enough");
    desk.at("2025-04-10T10:00:00Z").buy(10_000);
    let clawed = |desk: &mut Desk| back(desk, id, quantity(1, "1")).record.clawed.get();
    assert_eq!((clawed(&mut desk), clawed(&mut desk)), (20, 50), "100 earned, 30 lapsed");
    assert_eq!(shown(&desk), (0, 30, 0));
}

#[test]
fn a_capped_sale_keeps_what_the_remainder_is_worth() {
    let mut desk = Desk::new(plain());
    desk.programme.earning.cap_per_purchase = Some(points(37));
    let id = buy(&mut desk, vec![pieces(10_000, "4")], None);
    let clawed: Vec<_> = (0..4).map(|_| back(&mut desk, id, quantity(1, "1")).record.clawed.get()).collect();
    assert_eq!(clawed, [0, 0, 12, 25], "75, 50 and 25 would be earned; at most 37");
}

#[test]
fn fixed_points_stay_while_anything_of_value_remains() {
    let mut desk = Desk::new(plain());
    desk.programme.promotions = vec![promotion("plus", 0, PromotionEffect::Add { points: points(50) })];
    let id = buy(&mut desk, vec![line(10_000), line(100), line(0)], None);
    assert_eq!(desk.standing().available, points(151));
    assert_eq!(back(&mut desk, id, quantity(1, "1")).record.clawed, points(100));
    assert_eq!(back(&mut desk, id, quantity(2, "1")).record.clawed, points(51), "the free article earns nothing");
    assert_eq!(back(&mut desk, id, quantity(3, "1")).record.clawed, Points::ZERO);
    assert_eq!(desk.standing().purchases, 0);
}

#[test]
fn a_remainder_carried_on_is_taken_back() {
    let mut desk = Desk::new(plain());
    desk.programme.earning.carry_remainder = true;
    let first = buy(&mut desk, vec![line(160)], None);
    let second = buy(&mut desk, vec![line(150)], None);
    assert_eq!((desk.standing().available, desk.standing().carry), (points(3), 100_000));
    assert_eq!(back(&mut desk, first, ReturnedGoods::All).record.clawed, points(2));
    assert_eq!((desk.standing().available, desk.standing().carry), (points(1), 500_000), "as if only the second");
    assert_eq!(back(&mut desk, second, amount(1, 60)).record.clawed, points(1));
    assert_eq!((desk.standing().available, desk.standing().carry), (Points::ZERO, 900_000), "0.90 remain");
}

#[test]
fn a_deposit_taken_back_gives_nothing() {
    let mut desk = Desk::new(plain());
    let id = buy(&mut desk, vec![line(1_000), line(-300)], None);
    let outcome = back(&mut desk, id, quantity(2, "1"));
    assert_eq!((outcome.record.amount, outcome.record.clawed), (minor(-300), Points::ZERO));
    assert_eq!((desk.standing().available, desk.standing().window.spend), (points(7), 700));
    assert_eq!(back(&mut desk, id, ReturnedGoods::All).record.clawed, points(7));
    assert_eq!(desk.standing().window.spend, 0);
}

#[test]
fn the_tier_falls_at_the_next_midnight_and_the_sale_keeps_its_own_rate() {
    let levels = vec![level("base", 0, "1"), level("gold", 100, "2")];
    for window in [Window::Lifetime, Window::CalendarYear, Window::Rolling { days: 30 }] {
        let tiers = Tiers { measure: Measure::Points, window, levels: levels.clone(), ..Tiers::default() };
        let mut desk = Desk::new(Programme { tiers, ..plain() });
        let first = buy(desk.at("2025-03-01T10:00:00Z"), vec![line(10_000)], None);
        let second = buy(desk.at("2025-03-05T10:00:00Z"), vec![line(10_000)], None);
        desk.at("2025-03-10T15:00:00Z");
        back(&mut desk, first, ReturnedGoods::All);
        assert_eq!(back(&mut desk, second, amount(1, 5_000)).record.clawed, points(100), "at gold, as it was earned");
        assert_eq!(desk.standing().tier, "gold", "not at once");
        desk.at("2025-03-10T23:59:59Z").settle();
        assert_eq!(desk.standing().tier, "gold");
        desk.at("2025-03-14T08:00:00Z").settle();
        assert_eq!(desk.changes()[1..], ["gold>base 2025-03-11T00:00"], "{window:?}");
        assert_eq!(back(&mut desk, second, ReturnedGoods::All).record.clawed, points(100), "still at gold");
        assert_eq!((desk.standing().available, desk.standing().window.points), (Points::ZERO, 0));
    }
}

#[test]
fn points_pay_for_a_part_and_earn_when_the_programme_says_so() {
    let mut desk = Desk::new(plain());
    desk.adjust(1_000).expect("given");
    let mut receipt = desk.receipt(1_000);
    let pay =
        |value| PayWithPoints { id: RedemptionId::new(Uuid::from_u128(500)), points: points(value), otp_step: None };
    receipt.redeem = Some(pay(501));
    assert_eq!(desk.purchase(receipt.clone()).err(), Some(Refusal::ShareTooLarge(minor(500))));
    receipt.redeem = Some(pay(500));
    let outcome = desk.purchase(receipt.clone()).expect("taken");
    assert_eq!((outcome.given, outcome.redeemed), (points(10), Some((points(500), minor(500)))));
    assert_eq!(desk.ledger()[1..], ["available>redeemed 500", "issued>available 10"]);
    let refused = desk.void(RedemptionId::new(Uuid::from_u128(500))).err();
    assert_eq!(refused, Some(Refusal::PaidForPurchase(outcome.id)));
    desk.programme.earning.excluded_tenders = vec!["points".to_owned()];
    receipt.redeem = Some(PayWithPoints { id: RedemptionId::new(Uuid::from_u128(501)), ..pay(500) });
    assert_eq!(desk.purchase(receipt.clone()).expect("taken").given, points(5));
    receipt.redeem = Some(pay(400));
    let short = Refusal::InsufficientPoints { available: points(15), required: points(400) };
    assert_eq!(desk.purchase(receipt).err(), Some(short));
}

/// A gold member's sale on a double day, part paid with points, comes back over three visits: the tier
/// falls and a lot that paid lapses in between.
#[test]
fn three_visits_take_and_give_what_one_full_return_does() {
    let mut document = plain();
    document.expiry = after(3, Period::Month);
    let levels = vec![level("base", 0, "1"), level("gold", 500, "1.5")];
    let window = Window::Rolling { days: 61 };
    document.tiers = Tiers { measure: Measure::Points, window, levels, ..Tiers::default() };
    let mut double = promotion("double", 0, PromotionEffect::Multiply { by: times("2") });
    double.schedule.weekdays = vec![Weekday::Tuesday];
    document.promotions = vec![double];
    let mut desk = Desk::new(document);
    desk.at("2025-01-10T10:00:00Z").buy(30_000);
    desk.at("2025-03-05T10:00:00Z").buy(30_000);
    // Tuesday: (100.00 + 59.90 + 40.10) × 1.5 × 2 = 600 points; 400 points pay 4.00 of 200.00.
    let lines = vec![pieces(10_000, "2"), line(5_990), pieces(4_010, "3")];
    let id = buy(desk.at("2025-03-11T10:00:00Z"), lines, Some(400));
    assert_eq!((desk.standing().available, desk.standing().tier.as_str()), (points(800), "gold"));
    desk.effects.clear();

    // Half of the first line is a quarter of the sale: 100 of the 400 points, last taken first given.
    let visit = back(desk.at("2025-03-20T10:00:00Z"), id, quantity(1, "1"));
    assert_eq!((visit.record.amount, visit.record.given_back, visit.worth), (minor(5_000), points(100), minor(100)));
    assert_eq!(visit.record.clawed, points(150));
    assert_eq!(desk.ledger(), ["redeemed>available 100", "available>returned 150"]);
    assert_eq!(desk.bites(), ["2:100", "3:-150"]);

    // What came back took the measure to 450: the tier falls at midnight. The lot of January lapses
    // with April.
    desk.at("2025-05-02T10:00:00Z").settle();
    assert_eq!(desk.changes().last().map(String::as_str), Some("gold>base 2025-03-21T00:00"));
    let visit = back(
        &mut desk,
        id,
        ReturnedGoods::Lines(vec![
            ReturnLine { line: 1, part: ReturnPart::Rest },
            ReturnLine { line: 3, part: ReturnPart::Quantity(Quantity::from_units(2_000)) },
        ]),
    );
    // 7,673 of 20,000 in all: 2,673 + 5,000 + 5,000 = 12,673 → floor(253.46) = 253 of the 400.
    assert_eq!((visit.record.amount, visit.record.given_back), (minor(7_673), points(153)));
    let visit = back(&mut desk, id, ReturnedGoods::All);
    assert_eq!((visit.record.amount, visit.record.given_back), (minor(7_327), points(147)));
    let sold = &desk.state.members[&desk.member].sales[&id];
    assert_eq!((sold.clawed, sold.given_back), (points(600), points(400)));
    let grace: Vec<_> = desk.state.members[&desk.member].lots.values().filter(|lot| lot.origin.is_some()).collect();
    assert_eq!(grace.iter().map(|lot| lot.points.get()).sum::<i64>(), 300, "January's points live on");
    assert!(grace.iter().all(|lot| lot.origin == Some(1) && lot.expires_at == Some(at("2025-06-02T00:00:00Z"))));
    assert_eq!(shown(&desk), (0, 600, 0), "as without the sale, but for the days of grace");
    assert_eq!(desk.standing().window.points, 300);
}
