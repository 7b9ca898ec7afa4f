//! What a member is promised at the till before he buys: the price, the points, and what would give more.

use std::collections::BTreeMap;

use tessera_rules::amount::{Minor, Rate};
use tessera_rules::command::{JoinPool, PlaceTier, Purchase};
use tessera_rules::id::MemberId;
use tessera_rules::pool::Pools;
use tessera_rules::price::Prices;
use tessera_rules::programme::MoneyOff;
use tessera_rules::promise::{Missed, Promise};
use tessera_rules::promotion::{Miss, Promotion, PromotionEffect};
use tessera_rules::quote::PointsWish;
use tessera_rules::redemption::Worth;
use tessera_rules::{Command, MemberState, Programme, Refusal, Standing};
use uuid::Uuid;

use crate::shop::{basket, from_toml, money};
use crate::support::{Desk, at, level, points, programme, promotion, times};

const PRICES: &str = r#"
[[member]]
code = "latte"
sku = "latte"
price = 2700

[[member]]
code = "latte-gold"
sku = "latte"
price = 2400
minimum_tier = "gold"

[[early_access]]
code = "drop"
skus = ["sneaker"]
minimum_tier = "gold"
until = "2026-04-30"
"#;

/// Member prices, half of a purchase payable with points, 50.00 of coffee for double points.
fn shop() -> Programme {
    let mut programme = programme();
    programme.tiers.levels = vec![level("base", 0, "1"), level("gold", 10_000, "1.5")];
    programme.prices = from_toml::<Prices>(PRICES);
    let (rate, largest_share) = (Rate { points: 100, per: 100 }, times("0.5"));
    programme.redemption =
        Some(MoneyOff { rate, minimum: points(100), step: points(50), largest_share, hold_minutes: 15 });
    programme.pools = Some(Pools { members: 3, daily_limit: points(400) });
    programme.promotions = vec![
        Promotion {
            categories: vec!["coffee".to_owned()],
            minimum_spend: Some(money("50.00")),
            ..promotion("double", 0, PromotionEffect::Multiply { by: times("2") })
        },
        Promotion {
            tiers: vec!["gold".to_owned()],
            ..promotion("for-gold", 1, PromotionEffect::Add { points: points(5) })
        },
    ];
    programme
}

fn desk() -> Desk {
    let mut desk = Desk::new(shop());
    desk.at("2026-04-10T10:00:00Z");
    desk
}

fn asked(desk: &mut Desk, text: &str, wish: Option<PointsWish>) -> Result<Promise, Refusal> {
    let receipt = Purchase { lines: basket(text), ..desk.receipt(0) };
    desk.promise(&receipt, wish)
}

fn place(desk: &mut Desk, until: &str) {
    let placing = PlaceTier { tier: "gold".to_owned(), until: at(until), reason: "a guest".to_owned() };
    desk.run(&Command::PlaceTier(placing)).expect("placed");
}

fn given(promise: &Promise) -> Option<i64> {
    promise.purchase.as_ref().map(|purchase| purchase.given.get())
}

fn missed(code: &str, why: Miss, missing: Option<&str>) -> Missed {
    Missed { code: code.to_owned(), why, missing: missing.map(money) }
}

#[test]
fn points_are_earned_on_what_is_paid() {
    let mut desk = desk();
    let two = "2 latte/coffee 30.00, 1 cake 12.30";
    let promise = asked(&mut desk, two, None).expect("a price");
    // 54.00 of coffee count twice.
    assert_eq!((promise.quote.total, given(&promise)), (money("66.30"), Some(120)));
    assert_eq!(promise.missed, [missed("for-gold", Miss::Tier, None)]);

    place(&mut desk, "2026-05-01T00:00:00Z");
    let gold = asked(&mut desk, two, None).expect("a price");
    // At 24.00 each, 2.00 of coffee are lacking: 60.30 × 1.5, and 5.
    assert_eq!((gold.quote.total, given(&gold)), (money("60.30"), Some(95)));
    assert_eq!(gold.missed, [missed("double", Miss::MinimumSpend, Some("2.00"))]);
}

#[test]
fn what_is_withheld_earns_nothing() {
    let mut desk = desk();
    let promise = asked(&mut desk, "1 sneaker 500.00, 1 cake 12.30", None).expect("a price");
    assert_eq!((promise.quote.due, given(&promise)), (money("12.30"), Some(12)));
    assert_eq!(promise.missed[0], missed("double", Miss::Lines, None));
    let nothing = asked(&mut desk, "1 sneaker 500.00", None).expect("an answer");
    assert_eq!((nothing.quote.due, nothing.purchase, nothing.missed), (Minor::ZERO, None, Vec::new()));
}

/// A receipt of yesterday has the price of the tier that was held then.
#[test]
fn a_late_receipt_has_the_price_of_its_time() {
    let mut desk = desk();
    place(&mut desk, "2026-04-20T00:00:00Z");
    desk.at("2026-04-21T10:00:00Z").settle();
    let mut receipt = Purchase { lines: basket("1 latte 30.00"), ..desk.receipt(0) };
    assert_eq!(desk.promise(&receipt, None).expect("a price").quote.due, money("27.00"));
    receipt.occurred_at = Some(at("2026-04-19T10:00:00Z"));
    assert_eq!(desk.promise(&receipt, None).expect("a price").quote.due, money("24.00"));
    receipt.occurred_at = Some(at("2026-03-01T10:00:00Z"));
    assert_eq!(desk.promise(&receipt, None), Err(Refusal::OccurredTooEarly));
}

#[test]
fn a_pool_lets_spend_as_far_as_it_does() {
    let mut desk = desk();
    let (own, head) = (desk.member, MemberId::new(Uuid::from_u128(8)));
    desk.state.members.extend(BTreeMap::from([(head, MemberState::new(Standing::new(head, desk.now)))]));
    desk.member = head;
    desk.adjust(5_000).expect("points are given");
    desk.member = own;
    desk.run(&Command::JoinPool(JoinPool { head, may_spend: true })).expect("he may join");
    let coat = "1 coat 80.00";
    let wish = |desk: &mut Desk, wish| asked(desk, coat, Some(wish)).expect("a price").quote.points;
    let pays = |of: i64, worth: &str| Worth { points: points(of), worth: money(worth) };
    assert_eq!(wish(&mut desk, PointsWish::Most).wish, Some(Ok(pays(400, "4.00"))));
    let points_of = |of: i64| PointsWish::Points(points(of));
    assert_eq!(wish(&mut desk, points_of(450)).wish, Some(Err(Refusal::DailyLimit(points(400)))));
    desk.member = head;
    assert_eq!(wish(&mut desk, PointsWish::Most).most, pays(4_000, "40.00"));
    desk.member = own;
    desk.run(&Command::AllowSpending(false)).expect("it is taken from him");
    let points = wish(&mut desk, points_of(450));
    assert_eq!((points.most, points.wish), (Worth::NOTHING, Some(Err(Refusal::MayNotSpend))));
}

#[test]
fn who_may_not_buy_is_promised_nothing() {
    let mut desk = desk();
    let receipt = desk.receipt(100);
    let euros = Purchase { currency: "EUR".parse().expect("a currency"), ..receipt.clone() };
    assert!(matches!(desk.promise(&euros, None), Err(Refusal::CurrencyMismatch { .. })));
    desk.member().standing.frozen = true;
    assert_eq!(desk.promise(&receipt, None), Err(Refusal::MemberFrozen));
    desk.member = MemberId::new(Uuid::from_u128(9));
    assert_eq!(desk.promise(&receipt, None), Err(Refusal::MemberUnknown));
}
