//! Whose a coupon is, when it counts, and how several get along.

use proptest::prelude::*;
use tessera_rules::amount::{Minor, Points, Quantity};
use tessera_rules::command::{Line, Pricing, ReturnedGoods};
use tessera_rules::coupon::{Buyer, Circumstances, Coupon, CouponLimits, CouponType, CouponUsage, NotApplied};
use tessera_rules::id::MemberId;
use tessera_rules::quote::Quote;
use tessera_rules::time::Instant;
use tessera_rules::{Programme, Refusal};
use uuid::Uuid;

use crate::cases::cases;
use crate::shop::{basket, from_toml, minor, money, priced, rows, shown};
use crate::support::{Desk, at, level, programme, zone};

/// What a shop has to offer, by code of the type.
const TYPES: &str = r#"
[[coupons]]
code = "ten"
name = "10 % off everything"
discount = { off = { kind = "percent", percent = "10" } }
stacking = "with_everything"

[[coupons]]
code = "fifty"
name = "50 off from 200 on"
discount = { off = { kind = "amount", amount = 5000 }, minimum_spend = 20000 }
stacking = "with_everything"

[[coupons]]
code = "coffee-half"
name = "Coffee at half price"
discount = { off = { kind = "percent", percent = "50" }, goods = { categories = ["coffee"] } }
stacking = { group = "coffee" }

[[coupons]]
code = "free-cup"
name = "A cup for nothing"
discount = { off = { kind = "item_free" }, goods = { categories = ["coffee"] } }
stacking = { group = "coffee" }
priority = -1

[[coupons]]
code = "alone"
name = "30 off, alone"
discount = { off = { kind = "amount", amount = 3000 } }
priority = 5

[[coupons]]
code = "first"
name = "1 off, before all others"
discount = { off = { kind = "amount", amount = 100 } }
priority = -9

[[coupons]]
code = "pair"
name = "60 % off every second thing"
discount = { off = { kind = "every_nth", percent = "60" } }
priority = -5

[[coupons]]
code = "one-free"
name = "One thing for nothing"
discount = { off = { kind = "item_free" } }
stacking = "with_everything"
priority = -1

[[coupons]]
code = "one-for-one"
name = "Buy one get one"
discount = { off = { kind = "buy_get", buy = 1, get = 1 } }
stacking = "with_everything"

[[coupons]]
code = "three-for-two"
name = "3 for 2 socks"
discount = { off = { kind = "buy_get", buy = 2, get = 1 }, goods = { skus = ["socks"] } }
stacking = "with_everything"

[[coupons]]
code = "gold-only"
name = "Gold: 20 %"
discount = { off = { kind = "percent", percent = "20" } }
minimum_tier = "gold"

[[coupons]]
code = "flyer"
name = "5 off from a flyer"
discount = { off = { kind = "amount", amount = 500 } }
holder = "bearer"
uses = 3
give_back_on_return = true

[[coupons]]
code = "spring"
name = "Spring"
discount = { off = { kind = "amount", amount = 500 } }
from = "2026-03-01"
to = "2026-05-31"
valid_days = 30
"#;

#[derive(serde::Deserialize)]
struct Types {
    coupons: Vec<CouponType>,
}

const OWNER: u128 = 1;

fn shop() -> Programme {
    let mut programme = programme();
    programme.tiers.levels = vec![level("base", 0, "1"), level("gold", 100, "1")];
    programme.time_zone = zone("Asia/Shanghai");
    programme.coupons = from_toml::<Types>(TYPES).coupons;
    assert_eq!(programme.problems(), []);
    programme
}

fn member(number: u128) -> MemberId {
    MemberId::new(Uuid::from_u128(number))
}

fn buyer(number: u128, tier: usize) -> Buyer {
    Buyer { id: member(number), tier, available: Points::ZERO, wallet: Minor::ZERO }
}

const NOW: &str = "2026-04-10T04:00:00Z";

fn coupon(of: &str, code: &str) -> Coupon {
    let of = of.to_owned();
    let (code, owner) = (code.to_owned(), Some(member(OWNER)));
    Coupon { code, of, owner, from: at(NOW), until: None, uses: 1, used: 0, revoked: false }
}

/// A quote for the owner; a coupon `ten#b` is a second one of type `ten`.
fn quoted(text: &str, coupons: &str, optimise: bool) -> Quote {
    let programme = shop();
    let buyer = buyer(OWNER, 0);
    let circumstances = Circumstances {
        programme: &programme,
        buyer: Some(&buyer),
        segments: &[],
        at: at(NOW),
        used: &Default::default(),
    };
    let coupons: Vec<Coupon> =
        coupons.split_whitespace().map(|code| coupon(code.split('#').next().expect("a type"), code)).collect();
    priced(&circumstances, &basket(text), &coupons, optimise)
}

/// What counts, in the order in which it is taken off, as `ten 12.00`.
fn counts(quote: &Quote) -> String {
    let shown: Vec<String> = quote.coupons.iter().map(|one| format!("{} {}", one.coupon, shown(one.amount))).collect();
    shown.join(", ")
}

/// The basket, the coupons shown, what counts of them, and what is to pay.
const TOGETHER: &str = "
    1 coat 300.00                  | ten fifty                   | ten 30.00, fifty 50.00          | 220.00
    1 coat 210.00                  | fifty ten                   | ten 21.00, fifty 50.00          | 139.00
    -------- the minimum spend is asked of the price before discounts, and only then
    1 coat 199.00                  | ten fifty                   | ten 19.90                       | 179.10
    -------- first what is of certain goods, then what is of the whole basket
    1 latte/coffee 30.00, 1 cake 20.00 | ten coffee-half         | coffee-half 15.00, ten 3.50     | 31.50
    -------- one of a group; the lower priority counts, also where the other would take off more
    3 latte/coffee 30.00           | coffee-half free-cup        | free-cup 30.00                  | 60.00
    -------- exclusive ones stand alone, and come last here by their priority
    1 coat 100.00                  | alone ten                   | ten 10.00                       | 90.00
    1 coat 100.00                  | alone                       | alone 30.00                     | 70.00
    1 coat 100.00                  | ten first                   | first 1.00                      | 99.00
    -------- another of the same type goes with it where everything does, and not else
    1 coat 100.00                  | ten#a ten#b                 | ten#a 10.00, ten#b 9.00         | 81.00
    1 latte/coffee 30.00           | coffee-half#a coffee-half#b | coffee-half#a 15.00             | 15.00
    -------- the same coupon shown twice counts once
    1 coat 100.00                  | ten ten                     | ten 10.00                       | 90.00
    3 socks 9.00, 1 coat 100.00    | fifty three-for-two ten     | three-for-two 9.00, ten 11.80   | 106.20
";

#[test]
fn coupons_are_combined_by_priority() {
    for row in rows(TOGETHER) {
        let [basket, coupons, expected, total] = row[..] else { panic!("{row:?}") };
        let quote = quoted(basket, coupons, false);
        assert_eq!((counts(&quote).as_str(), shown(quote.total).as_str()), (expected, total), "{basket}: {coupons}");
    }
}

/// The same where the lowest price is asked for.
const BEST: &str = "
    3 latte/coffee 30.00           | coffee-half free-cup        | coffee-half 45.00               | 45.00
    1 latte/coffee 30.00           | coffee-half free-cup        | free-cup 30.00                  | 0.00
    1 coat 100.00                  | alone ten                   | alone 30.00                     | 70.00
    1 coat 100.00                  | ten alone ten#b             | alone 30.00                     | 70.00
    1 coat 400.00                  | ten alone ten#b             | ten 40.00, ten#b 36.00          | 324.00
    -------- the cheapest unit gone, the next discount is of dearer ones: together more than each alone
    1 coat 10.00, 1 cup 10.00, 1 sweet 1.00 | pair one-free one-for-one | one-free 1.00, one-for-one 10.00 | 10.00
    -------- the fewest coupons that reach the price, and among as many the first to be taken off
    1 latte/coffee 30.00           | ten alone free-cup          | free-cup 30.00                  | 0.00
    1 sweet 0.05                   | ten                         |                                 | 0.05
";

#[test]
fn the_best_combination_is_found_when_asked_for() {
    for row in rows(BEST) {
        let [basket, coupons, expected, total] = row[..] else { panic!("{row:?}") };
        let quote = quoted(basket, coupons, true);
        assert_eq!((counts(&quote).as_str(), shown(quote.total).as_str()), (expected, total), "{basket}: {coupons}");
    }
}

fn why_not(quote: &Quote, code: &str) -> NotApplied {
    let found = quote.not_applied.iter().find(|(not, _)| not == code);
    found.unwrap_or_else(|| panic!("{code} counts: {quote:?}")).1.clone()
}

#[test]
fn what_does_not_count_says_why() {
    let missing = |amount: &str| NotApplied::MinimumSpend { missing: money(amount) };
    let with = |code: &str| NotApplied::NotCombinable { with: code.to_owned() };
    for (text, coupons, code, reason) in [
        ("1 coat 150.00, 1 back -10.00", "fifty", "fifty", missing("50.00")),
        ("1 cake 20.00", "free-cup", "free-cup", NotApplied::NothingMatches),
        ("1 latte/coffee -1.00", "ten", "ten", NotApplied::NothingMatches),
        ("2 socks 9.00", "three-for-two", "three-for-two", NotApplied::TooFewUnits { missing: 1 }),
        ("2.5 socks 9.00", "three-for-two", "three-for-two", NotApplied::TooFewUnits { missing: 1 }),
        ("1 coat 100.00", "alone ten", "alone", with("ten")),
        ("1 latte/coffee 30.00", "coffee-half free-cup", "coffee-half", with("free-cup")),
        ("1 coat 100.00", "gold-only", "gold-only", NotApplied::TierTooLow { tier: "gold".to_owned() }),
        ("1 latte/coffee 30.00", "free-cup ten", "ten", NotApplied::AddsNothing),
        ("1 sweet 0.05", "ten", "ten", NotApplied::AddsNothing),
        ("1 coat 100.00", "gone", "gone", NotApplied::Withdrawn),
    ] {
        let quote = quoted(text, coupons, false);
        assert_eq!(why_not(&quote, code), reason, "{text}: {coupons}");
    }
}

#[test]
fn one_that_the_others_leave_nothing_stands_in_nobodys_way() {
    let mut programme = shop();
    // First in priority, last in application: the cup is free before it comes to count.
    programme.coupons.retain(|of| ["ten", "free-cup", "coffee-half"].contains(&of.code.as_str()));
    programme.coupons[0].priority = -9;
    programme.coupons[0].stacking = tessera_rules::coupon::Stacking::Group("ten".to_owned());
    let (mut other, free) = (programme.coupons[0].clone(), "free-cup");
    other.code = "other".to_owned();
    other.discount = from_toml("off = { kind = \"amount\", amount = 100 }\ngoods = { skus = [\"cake\"] }");
    other.priority = 0;
    programme.coupons.push(other);
    programme.coupons[0].discount.goods.categories = vec!["coffee".to_owned()];
    let buyer = buyer(OWNER, 0);
    let circumstances = Circumstances {
        programme: &programme,
        buyer: Some(&buyer),
        segments: &[],
        at: at(NOW),
        used: &Default::default(),
    };
    let shown = [coupon("ten", "ten"), coupon(free, free), coupon("other", "other")];
    let quote = priced(&circumstances, &basket("1 latte/coffee 30.00, 1 cake 20.00"), &shown, false);
    assert_eq!(counts(&quote), "free-cup 30.00, other 1.00");
    assert_eq!(why_not(&quote, "ten"), NotApplied::NotCombinable { with: "other".to_owned() });
}

fn judged(coupon: &Coupon, buyer: Option<&Buyer>, now: Instant) -> Result<String, NotApplied> {
    let programme = shop();
    let lines: Vec<Line> = basket("1 coat 100.00");
    let quote = priced(
        &Circumstances { programme: &programme, buyer, segments: &[], at: now, used: &Default::default() },
        &lines,
        std::slice::from_ref(coupon),
        false,
    );
    match quote.not_applied.first() {
        Some((_, reason)) => Err(reason.clone()),
        None => Ok(counts(&quote)),
    }
}

#[test]
fn a_coupon_is_for_its_owner_or_for_whoever_shows_it() {
    let own = coupon("ten", "T");
    let nobodys = Coupon { owner: None, ..own.clone() };
    assert_eq!(judged(&own, Some(&buyer(OWNER, 0)), at(NOW)), Ok("T 10.00".to_owned()));
    assert_eq!(judged(&own, Some(&buyer(2, 0)), at(NOW)), Err(NotApplied::OthersCoupon));
    assert_eq!(judged(&own, None, at(NOW)), Err(NotApplied::OthersCoupon));
    assert_eq!(judged(&nobodys, None, at(NOW)), Err(NotApplied::OthersCoupon));
    let flyer = coupon("flyer", "F");
    for who in [Some(&buyer(OWNER, 0)), Some(&buyer(2, 0)), None] {
        assert_eq!(judged(&flyer, who, at(NOW)), Ok("F 5.00".to_owned()));
    }
    let gold = coupon("gold-only", "G");
    assert_eq!(judged(&gold, Some(&buyer(OWNER, 1)), at(NOW)), Ok("G 20.00".to_owned()));
}

#[test]
fn a_bearers_coupon_for_a_tier_needs_a_member() {
    let mut programme = shop();
    let flyer = programme.coupons.iter_mut().find(|of| of.code == "flyer").expect("flyer");
    flyer.minimum_tier = Some("gold".to_owned());
    let lines = basket("1 coat 100.00");
    let circumstances =
        Circumstances { programme: &programme, buyer: None, segments: &[], at: at(NOW), used: &Default::default() };
    let quote = priced(&circumstances, &lines, &[coupon("flyer", "F")], false);
    assert_eq!(why_not(&quote, "F"), NotApplied::MembersOnly { tier: "gold".to_owned() });
}

#[test]
fn a_coupon_counts_as_often_as_it_may() {
    let programme = shop();
    let flyer = programme.coupon("flyer").expect("flyer");
    let mut coupon = flyer.issue("F", None, at(NOW), programme.time_zone);
    for _ in 0..3 {
        assert_eq!(judged(&coupon, None, at(NOW)), Ok("F 5.00".to_owned()));
        coupon = coupon.use_once().expect("a use is left");
    }
    assert_eq!(judged(&coupon, None, at(NOW)), Err(NotApplied::UsedUp));
    assert_eq!(coupon.use_once(), None);
    let back = coupon.after_full_return(flyer);
    assert_eq!((back.used, judged(&back, None, at(NOW)).is_ok()), (2, true));
    let ten = programme.coupon("ten").expect("ten");
    assert_eq!(coupon.after_full_return(ten).used, 3, "where its type says nothing the use is gone");
    let fresh = flyer.issue("F", None, at(NOW), programme.time_zone);
    assert_eq!(fresh.after_full_return(flyer).used, 0);
}

#[test]
fn the_window_is_told_in_local_days() {
    let programme = shop();
    let spring = programme.coupon("spring").expect("spring");
    // Issued, first instant, first instant after; in Shanghai a day begins at 16:00 UTC.
    for (issued, from, until) in [
        ("2026-02-20T00:00:00Z", "2026-02-28T16:00:00Z", "2026-03-22T16:00:00Z"),
        ("2026-04-10T04:00:00Z", "2026-04-10T04:00:00Z", "2026-05-10T16:00:00Z"),
        ("2026-05-20T00:00:00Z", "2026-05-20T00:00:00Z", "2026-05-31T16:00:00Z"),
    ] {
        let coupon = spring.issue("S", Some(member(OWNER)), at(issued), programme.time_zone);
        assert_eq!((coupon.from, coupon.until), (at(from), Some(at(until))), "issued at {issued}");
        let judge = |now: Instant| judged(&coupon, Some(&buyer(OWNER, 0)), now);
        let moment = chrono::Duration::microseconds(1);
        assert_eq!(judge(at(from) - moment), Err(NotApplied::NotYet { from: at(from) }));
        assert!(judge(at(from)).is_ok() && judge(at(until) - moment).is_ok());
        assert_eq!(judge(at(until)), Err(NotApplied::Expired { at: at(until) }));
    }
    let for_ever = programme.coupon("ten").expect("ten").issue("T", None, at(NOW), programme.time_zone);
    assert_eq!((for_ever.from, for_ever.until), (at(NOW), None));
}

#[test]
fn a_discount_is_told_line_by_line() {
    let quote = quoted("1 latte/coffee 30.00, 1 cake 20.00, 1 back -1.00", "ten coffee-half", false);
    let net: Vec<i64> = quote.lines.iter().map(|line| line.net.get()).collect();
    assert_eq!(net, [1350, 1800, -100]);
    let of_first: Vec<(&str, i64)> =
        quote.lines[0].discounts.iter().map(|(code, amount)| (code.as_str(), amount.get())).collect();
    assert_eq!(of_first, [("coffee-half", 1500), ("ten", 150)]);
    assert_eq!(quote.lines[2].discounts, []);
    assert_eq!((quote.list, quote.total, quote.due), (minor(4900), minor(3050), minor(3050)));
}

#[test]
fn a_code_is_read_as_it_is_typed() {
    use tessera_rules::coupon::{canonical, code_of};
    assert_eq!(code_of([0; 10]), "0000000000000000");
    assert_eq!(code_of([0xff; 10]), "ZZZZZZZZZZZZZZZZ");
    let code = code_of([0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x10, 0x32]);
    assert_eq!(code, "04HMASW9NF6YY41J");
    for typed in [&code, "04hm-asw9-nf6y-y41j", " O4HM ASW9 NF6Y Y4IJ ", "o4hmasw9nf6yy4lj"] {
        assert_eq!(canonical(typed), code);
    }
}

/// Several coupons of "ten" for a coat, of which so much was used before.
fn within(limits: CouponLimits, usage: CouponUsage, price: i64, count: usize, optimise: bool) -> Quote {
    let mut programme = shop();
    programme.coupons[0].limits = limits;
    let buyer = buyer(OWNER, 0);
    let used = [("ten".to_owned(), usage)].into();
    let circumstances =
        Circumstances { programme: &programme, buyer: Some(&buyer), segments: &[], at: at(NOW), used: &used };
    let shown: Vec<Coupon> = ["a", "b", "c", "d"][..count].iter().map(|code| coupon("ten", code)).collect();
    let lines = [Line { sku: None, categories: Vec::new(), quantity: Quantity::ONE, amount: minor(price) }];
    priced(&circumstances, &lines, &shown, optimise)
}

#[test]
fn a_coupon_takes_off_all_it_says_or_nothing_where_its_type_is_limited() {
    let usage = CouponUsage { uses: 1, money: 5_000 };
    let cases = [
        (Some(3), None, "a 10.00, b 9.00", ""),
        (Some(2), None, "a 10.00", "b TotalLimit"),
        (Some(1), None, "", "a TotalLimit, b TotalLimit"),
        (None, Some(6_900), "a 10.00, b 9.00", ""),
        (None, Some(6_899), "a 10.00", "b Budget"),
        (None, Some(5_999), "", "a Budget, b Budget"),
        (Some(2), Some(5_000), "", "a Budget, b Budget"),
    ];
    for (total, budget, expected, others) in cases {
        let limits = CouponLimits { total, budget_money: budget.map(minor) };
        for optimise in [false, true] {
            let quote = within(limits, usage, 10_000, 2, optimise);
            let not: Vec<String> = quote.not_applied.iter().map(|(code, why)| format!("{code} {why:?}")).collect();
            assert_eq!((counts(&quote).as_str(), not.join(", ").as_str()), (expected, others), "{limits:?}");
        }
    }
}

proptest! {
    #![proptest_config(cases(200))]

    /// However many are shown, their type's limits hold; and what is refused for uses has none left.
    #[test]
    fn the_limits_of_a_type_are_never_passed(
        (uses, money, price) in (0_i64..5, 0_i64..6_000, 0_i64..30_000),
        total in prop::option::of(1_u32..6),
        budget in prop::option::of(1_i64..9_000),
        (count, optimise) in (1_usize..5, any::<bool>()),
    ) {
        let (limits, before) =
            (CouponLimits { total, budget_money: budget.map(minor) }, CouponUsage { uses, money });
        let quote = within(limits, before, price, count, optimise);
        let usage = quote.coupons.iter().fold(before, |usage, one| usage.with(one.amount));
        prop_assert!(quote.coupons.is_empty() || limits.allow(usage), "{usage:?}");
        let none_left = quote.not_applied.iter().any(|(_, why)| *why == NotApplied::TotalLimit);
        prop_assert!(!none_left || total.is_some_and(|total| usage.uses >= i64::from(total)));
        if limits.is_none() && price >= 100 {
            prop_assert_eq!(quote.coupons.len(), count);
        }
    }
}

#[test]
fn what_a_type_may_do_comes_back_with_the_use() {
    let mut programme = shop();
    for of in &mut programme.coupons {
        of.limits = CouponLimits { total: Some(1), budget_money: Some(minor(500)) };
    }
    let mut desk = Desk::new(programme);
    desk.now = at(NOW);
    for code in ["F", "G"] {
        desk.state.shared.coupons.insert(code.to_owned(), coupon("flyer", code));
    }
    let sell = |desk: &mut Desk, code: &str| {
        let mut receipt = desk.receipt(10_000);
        receipt.pricing = Some(Box::new(Pricing { coupons: vec![code.to_owned()], kept: None }));
        desk.purchase(receipt)
    };
    let first = sell(&mut desk, "F").expect("the first of them");
    assert_eq!(desk.state.shared.coupons_used["flyer"], CouponUsage { uses: 1, money: 500 });
    let refused = sell(&mut desk, "G");
    assert!(
        matches!(&refused, Err(Refusal::CouponNotApplicable(why)) if why.reason == NotApplied::TotalLimit),
        "{refused:?}"
    );
    desk.take_back(first.id, ReturnedGoods::All).expect("goods come back");
    assert_eq!(desk.state.shared.coupons_used["flyer"], CouponUsage::default());
    sell(&mut desk, "G").expect("there is room again");
}

#[test]
fn limits_of_a_type_are_at_least_one() {
    let mut programme = shop();
    programme.coupons[0].limits = CouponLimits { total: Some(0), budget_money: Some(Minor::ZERO) };
    let pointers: Vec<String> = programme.problems().into_iter().map(|problem| problem.pointer).collect();
    assert_eq!(pointers, ["/coupons/0/limits/total", "/coupons/0/limits/budget_money"]);
}
