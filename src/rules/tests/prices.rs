//! Member prices, goods that are for some tiers first, and what points and wallet pay.

use tessera_rules::Programme;
use tessera_rules::amount::{MAX_MAGNITUDE, Minor, OutOfRange, Points, Quantity, Rate};
use tessera_rules::command::Line;
use tessera_rules::coupon::{Buyer, Circumstances};
use tessera_rules::id::MemberId;
use tessera_rules::price::{Prices, Withheld};
use tessera_rules::programme::MoneyOff;
use tessera_rules::quote::{Ask, PointsWish, Quote, quote};
use tessera_rules::redemption::Worth;
use tessera_rules::refusal::Refusal;
use tessera_rules::segment::Segment;
use uuid::Uuid;

use crate::shop::{basket, from_toml, minor, money, rows, shown};
use crate::support::{at, day, level, points, programme, times, zone};

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
most = 2

[[member]]
code = "beans"
sku = "beans"
price = 7000
from = "2026-04-01"
to = "2026-04-30"

[[member]]
code = "dear-tea"
sku = "tea"
price = 9900

[[early_access]]
code = "drop"
skus = ["sneaker"]
minimum_tier = "gold"
until = "2026-04-30"

[[early_access]]
code = "members-first"
skus = ["cap", "sneaker"]
minimum_tier = "base"
until = "2026-05-15"
"#;

#[derive(serde::Deserialize)]
struct Segments {
    segments: Vec<Segment>,
}

fn shop() -> Programme {
    let mut programme = programme();
    programme.tiers.levels = vec![level("base", 0, "1"), level("gold", 100, "1")];
    programme.time_zone = zone("Asia/Shanghai");
    programme.prices = from_toml::<Prices>(PRICES);
    assert_eq!(programme.problems(), []);
    programme
}

fn buyer(tier: usize) -> Buyer {
    let id = MemberId::new(Uuid::from_u128(1));
    Buyer { id, tier, available: points(10_000), wallet: money("20.00") }
}

/// Who buys, the day, the basket, and what each line costs after member prices.
const MEMBER_PRICES: &str = "
    nobody | 2026-04-10 | 1 latte 30.00                    | 30.00
    base   | 2026-04-10 | 1 latte 30.00                    | 27.00
    base   | 2026-04-10 | 3 latte 30.00                    | 81.00
    -------- the lowest that holds, as far as it goes; then the next
    gold   | 2026-04-10 | 2 latte 30.00                    | 48.00
    gold   | 2026-04-10 | 3 latte 30.00                    | 75.00
    gold   | 2026-04-10 | 1 latte 30.00, 2 latte 30.00     | 24.00, 51.00
    -------- never above the list price
    gold   | 2026-04-10 | 1 latte 20.00, 1 tea 5.00        | 20.00, 5.00
    gold   | 2026-04-10 | 1 latte 25.00, 3 latte 25.00     | 24.00, 74.00
    -------- by weight, and by day
    base   | 2026-03-31 | 0.5 beans 80.00                  | 40.00
    base   | 2026-04-01 | 0.5 beans 80.00                  | 35.00
    base   | 2026-04-30 | 0.125 beans 80.00                | 8.75
    base   | 2026-05-01 | 0.5 beans 80.00                  | 40.00
    base   | 2026-04-10 | 1 beans -80.00                   | -80.00
";

#[test]
fn members_pay_member_prices() {
    let programme = shop();
    for row in rows(MEMBER_PRICES) {
        let [who, on, text, expected] = row[..] else { panic!("{row:?}") };
        let tier = match who {
            "nobody" => None,
            code => Some(programme.tier_position(code)),
        };
        let lines = basket(text);
        let priced = programme.prices.of(&programme, tier, &[], day(on), &lines).expect("in range");
        let found: Vec<String> = priced.iter().map(|line| shown(line.price)).collect();
        assert_eq!(found.join(", "), expected, "{who} on {on}: {text}");
        for (line, priced) in lines.iter().zip(&priced) {
            let saved: i64 = priced.saved.iter().map(|(_, saved)| saved.get()).sum();
            assert_eq!(line.amount.get() - saved, priced.price.get());
        }
    }
}

#[test]
fn what_is_saved_is_rounded_down() {
    let programme = shop();
    // 0.333 kg at 80.00 is 26.64 on the scale, at 70.00 it were 23.31; 0.001 kg saves a hundredth of 10.
    for (quantity, amount, expected) in [("0.333", 2664, 2331), ("0.001", 8, 7), ("0.0", 8, 8)] {
        let quantity: Quantity = quantity.parse().expect("a quantity");
        let line = Line { sku: Some("beans".to_owned()), categories: Vec::new(), quantity, amount: minor(amount) };
        let priced = programme.prices.of(&programme, Some(0), &[], day("2026-04-10"), &[line]).expect("in range");
        assert_eq!(priced[0].price, minor(expected), "{quantity}");
    }
}

#[test]
fn some_tiers_come_first() {
    let programme = shop();
    let lines = basket("1 sneaker 500.00, 1 cap 80.00, 1 tea 5.00");
    let held_back = |who: Option<usize>, on: &str| -> Vec<Option<String>> {
        let priced = programme.prices.of(&programme, who, &[], day(on), &lines).expect("in range");
        priced.into_iter().map(|line| line.withheld.map(|withheld| withheld.code)).collect()
    };
    let told = |codes: [&str; 3]| codes.map(|code| (!code.is_empty()).then(|| code.to_owned())).to_vec();
    assert_eq!(held_back(None, "2026-04-30"), told(["members-first", "members-first", ""]));
    assert_eq!(held_back(Some(0), "2026-04-30"), told(["drop", "", ""]));
    assert_eq!(held_back(Some(1), "2026-04-30"), told(["", "", ""]));
    assert_eq!(held_back(Some(0), "2026-05-01"), told(["", "", ""]));
    assert_eq!(held_back(None, "2026-05-15"), told(["members-first", "members-first", ""]));
    assert_eq!(held_back(None, "2026-05-16"), told(["", "", ""]));
}

/// A price and a window may be for segments: beside the tier for a price, instead of it for a window.
#[test]
fn some_segments_pay_less_and_come_first() {
    let mut programme = shop();
    programme.segments = from_toml::<Segments>(
        "[[segments]]\ncode = 'regulars'\nname = 'Regulars'\nwhen = 'member.purchases > 9'\n\
         [[segments]]\ncode = 'press'\nname = 'Press'\nwhen = '\"press\" in member.tags'",
    )
    .segments;
    programme.prices.member[1].segments = vec!["regulars".to_owned(), "press".to_owned()];
    programme.prices.early_access[0].segments = vec!["press".to_owned()];
    programme.prices.early_access[1].minimum_tier = None;
    let pointers = |programme: &Programme| programme.problems().into_iter().map(|one| one.pointer).collect::<Vec<_>>();
    assert_eq!(pointers(&programme), ["/prices/early_access/1/minimum_tier"], "nobody is named");
    programme.prices.early_access[1].segments = vec!["regulars".to_owned()];
    assert_eq!(pointers(&programme), [""; 0]);
    assert!(programme.asks_for_tags(), "a price asks for a segment, and that one for a tag");
    let lines = basket("1 latte 30.00, 1 sneaker 500.00, 1 cap 80.00");
    for (tier, segments, expected) in [
        (Some(1), &[][..], ["27.00", "members-first", "members-first"]),
        (Some(1), &["regulars"], ["24.00", "500.00", "80.00"]),
        (Some(0), &["regulars"], ["27.00", "drop", "80.00"]),
        (Some(0), &["press"], ["27.00", "members-first", "members-first"]),
        (Some(0), &["press", "regulars"], ["27.00", "500.00", "80.00"]),
        (None, &["press", "regulars"], ["30.00", "members-first", "members-first"]),
    ] {
        let inside: Vec<String> = segments.iter().map(|code| (*code).to_owned()).collect();
        let priced = programme.prices.of(&programme, tier, &inside, day("2026-04-10"), &lines).expect("in range");
        let told =
            priced.iter().map(|line| line.withheld.as_ref().map_or_else(|| shown(line.price), |w| w.code.clone()));
        assert_eq!(told.collect::<Vec<_>>(), expected, "{tier:?} {segments:?}");
    }
}

fn quoted(programme: &Programme, buyer: Option<&Buyer>, text: &str, pay: (Option<i64>, Option<&str>)) -> Quote {
    let circumstances =
        Circumstances { programme, buyer, segments: &[], at: at("2026-04-10T04:00:00Z"), used: &Default::default() };
    let lines = basket(text);
    let (points, wallet) = (pay.0.map(|wanted| PointsWish::Points(points(wanted))), pay.1.map(money));
    let ask = Ask { lines: &lines, coupons: &[], optimise: false, points, wallet };
    quote(&circumstances, &ask).expect("in range")
}

#[test]
fn what_is_withheld_counts_for_nothing() {
    let programme = shop();
    let quote = quoted(&programme, Some(&buyer(0)), "1 sneaker 500.00, 1 latte 30.00", (None, None));
    let withheld =
        Withheld { code: "drop".to_owned(), minimum_tier: Some("gold".to_owned()), until: day("2026-04-30") };
    assert_eq!(quote.lines[0].withheld, Some(withheld));
    assert_eq!((quote.lines[0].net, quote.list, quote.total), (money("500.00"), money("30.00"), money("27.00")));
}

fn paying() -> Programme {
    let mut programme = shop();
    let rate = Rate { points: 100, per: 100 };
    let largest_share = times("0.5");
    programme.redemption =
        Some(MoneyOff { rate, minimum: points(500), step: points(100), largest_share, hold_minutes: 15 });
    programme
}

fn worth(of: i64, amount: &str) -> Worth {
    Worth { points: points(of), worth: money(amount) }
}

#[test]
fn points_and_wallet_pay_a_part() {
    let programme = paying();
    let who = buyer(0);
    let quote = quoted(&programme, Some(&who), "1 coat 80.00", (Some(1_000), Some("50.00")));
    assert_eq!(quote.points.most, worth(4_000, "40.00"));
    assert_eq!(quote.points.wish, Some(Ok(worth(1_000, "10.00"))));
    assert_eq!((quote.wallet.most, quote.wallet.pays, quote.due), (money("20.00"), money("20.00"), money("50.00")));

    let quote = quoted(&programme, Some(&who), "1 coat 80.00", (None, None));
    assert_eq!((quote.points.wish, quote.wallet.pays, quote.due), (None, Minor::ZERO, money("80.00")));

    let small = quoted(&programme, Some(&who), "1 cup 9.99", (None, Some("50.00")));
    assert_eq!((small.points.most, small.wallet.most), (Worth::NOTHING, money("9.99")));
    assert_eq!((small.wallet.pays, small.due), (money("9.99"), Minor::ZERO));
}

#[test]
fn points_that_cannot_pay_say_why() {
    let who = buyer(0);
    let (mut with, without) = (paying(), shop());
    let wish = |programme: &Programme, buyer: Option<&Buyer>, value: i64, basket: &str| {
        quoted(programme, buyer, basket, (Some(value), None)).points.wish.expect("asked").expect_err("refused")
    };
    let coat = "1 coat 80.00";
    assert_eq!(wish(&with, None, 500, coat), Refusal::MemberUnknown);
    assert_eq!(wish(&without, Some(&who), 500, coat), Refusal::MoneyOffNotOffered);
    assert_eq!(wish(&with, Some(&who), 400, coat), Refusal::BelowMinimum(points(500)));
    assert_eq!(wish(&with, Some(&who), 550, coat), Refusal::NotAStep(points(100)));
    assert_eq!(wish(&with, Some(&who), 4_100, coat), Refusal::ShareTooLarge(money("40.00")));
    assert_eq!(wish(&with, Some(&who), 500, "1 back -8.00"), Refusal::ShareTooLarge(Minor::ZERO));
    with.redemption.as_mut().expect("offered").largest_share = times("1");
    let refused = wish(&with, Some(&who), 10_100, "1 coat 800.00");
    assert_eq!(refused, Refusal::InsufficientPoints { available: points(10_000), required: points(10_100) });
}

#[test]
fn deposits_may_leave_something_to_pay_out() {
    let programme = paying();
    let quote = quoted(&programme, Some(&buyer(0)), "1 water 1.00, 10 back -0.25", (None, Some("9.00")));
    assert_eq!((quote.total, quote.due), (money("-1.50"), money("-1.50")));
    assert_eq!((quote.points.most, quote.wallet.most, quote.wallet.pays), (Worth::NOTHING, Minor::ZERO, Minor::ZERO));
}

#[test]
fn the_fewest_points_for_the_most_money() {
    // 150 points buy 1 minor unit; in steps of 10 that are 150 for 1, 300 for 2, 450 for 3.
    let offer = |minimum: i64, step: i64| MoneyOff {
        rate: Rate { points: 150, per: 1 },
        minimum: points(minimum),
        step: points(step),
        largest_share: times("1"),
        hold_minutes: 15,
    };
    for (minimum, step, available, total, expected) in [
        (1, 10, 1_000, 100, (900, 6)),
        (1, 10, 449, 100, (300, 2)),
        (1, 10, 149, 100, (0, 0)),
        (1, 10, 1_000, 2, (300, 2)),
        (1, 7, 1_000, 2, (301, 2)),
        (400, 10, 1_000, 2, (400, 2)),
        (450, 10, 1_000, 2, (0, 0)),
        (1, 1, 1_000, 0, (0, 0)),
    ] {
        let most = offer(minimum, step).most(points(available), minor(total)).expect("in range");
        let expected = Worth { points: points(expected.0), worth: minor(expected.1) };
        assert_eq!(most, expected, "from {minimum} in steps of {step}, {available} of {total}");
    }
    let all = offer(1, 1).most(Points::MAX, Minor::MAX).expect("in range");
    assert_eq!(all.worth.get(), MAX_MAGNITUDE / 150);
}

#[test]
fn more_than_money_can_be_is_refused() {
    let programme = shop();
    let circumstances = Circumstances {
        programme: &programme,
        buyer: None,
        segments: &[],
        at: at("2026-04-10T04:00:00Z"),
        used: &Default::default(),
    };
    let line = |quantity: i64, amount: Minor| Line {
        sku: None,
        categories: Vec::new(),
        quantity: Quantity::from_units(quantity),
        amount,
    };
    let ask = |lines: &[Line]| {
        let ask = Ask { lines, coupons: &[], optimise: false, points: None, wallet: None };
        quote(&circumstances, &ask).map(|quote| quote.total)
    };
    assert_eq!(ask(&[line(1_000, Minor::MAX)]), Ok(Minor::MAX));
    assert_eq!(ask(&[line(1_000, Minor::MAX), line(1_000, minor(1))]), Err(OutOfRange));
    assert_eq!(ask(&[line(MAX_MAGNITUDE, Minor::MAX)]), Ok(Minor::MAX));
    assert_eq!(ask(&[line(MAX_MAGNITUDE + 1, minor(1))]), Err(OutOfRange));
}
