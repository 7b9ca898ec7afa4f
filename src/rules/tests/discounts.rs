//! What each kind of discount takes off, as tables a shop owner can read.

use tessera_rules::amount::Minor;
use tessera_rules::basket::Basket;
use tessera_rules::discount::Discount;

use crate::shop::{basket, discounts, from_toml, minor, money, rows, shown};

const OFFERS: &str = r#"
[ten-percent]
off = { kind = "percent", percent = "10" }

[third-off]
off = { kind = "percent", percent = "33.3333" }

[everything]
off = { kind = "percent", percent = 100 }

[ten-percent-at-most-5]
off = { kind = "percent", percent = "10" }
cap = 500

[coffee-20-percent]
off = { kind = "percent", percent = "20" }
goods = { categories = ["coffee"], excluded_skus = ["decaf"] }

[all-but-tobacco]
off = { kind = "percent", percent = "10" }
goods = { excluded_categories = ["tobacco"] }

[30-off]
off = { kind = "amount", amount = 3000 }

[steps]
off = { kind = "steps", steps = [{ spend = 20000, amount = 3000 }, { spend = 50000, amount = 10000 }] }

[every-200]
off = { kind = "steps", steps = [{ spend = 20000, amount = 3000 }], every = true }

[every-200-at-most-50]
off = { kind = "steps", steps = [{ spend = 20000, amount = 3000 }], every = true }
cap = 5000

[free-cup]
off = { kind = "item_free" }
goods = { categories = ["coffee"] }

[best-cup-free]
off = { kind = "item_free", pick = "dearest" }
goods = { categories = ["coffee"] }

[two-free]
off = { kind = "item_free", units = 2 }

[buy-2-get-1]
off = { kind = "buy_get", buy = 2, get = 1 }

[buy-1-get-1]
off = { kind = "buy_get", buy = 1, get = 1 }

[second-half]
off = { kind = "every_nth" }

[third-free]
off = { kind = "every_nth", nth = 3, percent = "100" }
"#;

/// The offer, the basket, and what comes off each of its lines.
const TABLE: &str = "
    ten-percent           | 1 mug 19.99                                   | 1.99
    ten-percent           | 1 mug 10.05, 1 cup 10.05                      | 1.01, 1.00
    ten-percent           | 1 mug 10.00, 1 bottle-back -3.00              | 1.00, 0.00
    third-off             | 3 mug 10.00                                   | 9.99
    everything            | 1 mug 0.01, 1 cup 7.77                        | 0.01, 7.77
    ten-percent-at-most-5 | 1 mug 49.00                                   | 4.90
    ten-percent-at-most-5 | 1 mug 60.00, 1 cup 30.00                      | 3.33, 1.67
    coffee-20-percent     | 1 latte/coffee 30.00, 1 cake 20.00            | 6.00, 0.00
    coffee-20-percent     | 1 decaf/coffee 30.00, 1 latte/coffee 25.00    | 0.00, 5.00
    all-but-tobacco       | 1 pipe/tobacco 50.00, 1 tea 10.00             | 0.00, 1.00
    -------- money off: shared by price, never more than the goods cost
    30-off                | 1 mug 20.00, 1 cup 40.00                      | 10.00, 20.00
    30-off                | 1 mug 10.00, 1 cup 10.00, 1 jug 10.01         | 10.00, 10.00, 10.00
    30-off                | 1 mug 10.00, 1 cup 15.00                      | 10.00, 15.00
    -------- 满 200 减 30, 满 500 减 100
    steps                 | 1 coat 199.99                                 | 0.00
    steps                 | 1 coat 200.00                                 | 30.00
    steps                 | 1 coat 499.99                                 | 30.00
    steps                 | 1 coat 300.00, 1 hat 200.00                   | 60.00, 40.00
    steps                 | 1 coat 1500.00                                | 100.00
    every-200             | 1 coat 399.99                                 | 30.00
    every-200             | 1 coat 400.00                                 | 60.00
    every-200-at-most-50  | 1 coat 1000.00                                | 50.00
    -------- units for nothing
    free-cup              | 2 latte/coffee 30.00, 1 filter/coffee 18.00   | 0.00, 18.00
    best-cup-free         | 2 latte/coffee 30.00, 1 filter/coffee 18.00   | 30.00, 0.00
    best-cup-free         | 1 cake 99.00, 1 filter/coffee 18.00           | 0.00, 18.00
    two-free              | 1 mug 10.00                                   | 10.00
    two-free              | 1 mug 10.00, 1 cup 10.00, 1 jug 10.00         | 0.00, 10.00, 10.00
    buy-2-get-1           | 2 shirt 50.00                                 | 0.00
    buy-2-get-1           | 3 shirt 50.00                                 | 50.00
    buy-2-get-1           | 8 shirt 50.00                                 | 100.00
    buy-2-get-1           | 1 a 9.00, 1 b 8.00, 1 c 7.00, 1 d 3.00, 1 e 2.00, 1 f 1.00 | 0.00, 0.00, 0.00, 0.00, 2.00, 1.00
    buy-1-get-1           | 3 shirt 50.00, 2 socks 8.00                   | 0.00, 16.00
    buy-2-get-1           | 2.9 cheese 20.00                              | 0.00
    buy-2-get-1           | 3.5 cheese 20.00                              | 20.00
    -------- 第二件半价: of each pair, dearest first, the cheaper one
    second-half           | 1 shirt 50.00                                 | 0.00
    second-half           | 2 shirt 50.00                                 | 25.00
    second-half           | 5 shirt 50.00                                 | 50.00
    second-half           | 1 a 9.00, 1 b 8.00, 1 c 3.00, 1 d 1.00        | 0.00, 4.00, 0.00, 0.50
    second-half           | 1 a 1.00, 1 b 9.00, 1 c 3.00                  | 0.00, 0.00, 1.50
    second-half           | 2 pen 0.01                                    | 0.00
    third-free            | 1 a 9.00, 1 b 8.00, 1 c 7.00, 3 d 2.00, 2 e 1.00 | 0.00, 0.00, 7.00, 2.00, 0.00
";

fn off(discount: &Discount, text: &str) -> Vec<Minor> {
    let lines = basket(text);
    let prices: Vec<Minor> = lines.iter().map(|line| line.amount).collect();
    Basket::new(&lines, &prices).expect("in range").take(discount).expect("in range")
}

#[test]
fn offers_take_off_what_the_table_says() {
    let offers = discounts(OFFERS);
    for row in rows(TABLE) {
        let [name, basket, expected] = row[..] else { panic!("{row:?}") };
        let found: Vec<String> = off(&offers[name], basket).into_iter().map(shown).collect();
        assert_eq!(found.join(", "), expected, "{name}: {basket}");
    }
    for name in offers.keys() {
        assert!(rows(TABLE).any(|row| row[0] == name), "{name} is in the table");
    }
}

#[test]
fn a_unit_takes_part_once() {
    let offers = discounts(OFFERS);
    let lines = basket("5 shirt 50.00");
    let mut basket = Basket::new(&lines, &[money("250.00")]).expect("in range");
    // Three shirts make a group of buy 2 get 1, the two left over a pair, each at its full price.
    assert_eq!(basket.take(&offers["buy-2-get-1"]).expect("in range"), [money("50.00")]);
    assert_eq!(basket.take(&offers["second-half"]).expect("in range"), [money("25.00")]);
    assert_eq!(basket.take(&offers["second-half"]).expect("in range"), [Minor::ZERO]);
    // What goes by percent is of what is left.
    assert_eq!(basket.take(&offers["ten-percent"]).expect("in range"), [money("17.50")]);
}

#[test]
fn what_takes_nothing_off_takes_no_units() {
    let offers = discounts(OFFERS);
    let lines = basket("2 pen 0.01");
    let mut basket = Basket::new(&lines, &[minor(2)]).expect("in range");
    assert_eq!(basket.take(&offers["second-half"]).expect("in range"), [Minor::ZERO]);
    assert_eq!(basket.take(&offers["buy-1-get-1"]).expect("in range"), [minor(1)]);
}

#[test]
fn steps_look_at_the_price_before_discounts() {
    let offers = discounts(OFFERS);
    let lines = basket("1 coat 200.00");
    let mut basket = Basket::new(&lines, &[money("200.00")]).expect("in range");
    basket.take(&offers["ten-percent"]).expect("in range");
    assert_eq!(basket.take(&offers["steps"]).expect("in range"), [money("30.00")]);
}

#[test]
fn what_is_written_is_read_again() {
    for (name, discount) in discounts(OFFERS) {
        let text = toml::to_string(&discount).expect("TOML");
        assert_eq!(from_toml::<Discount>(&text), discount, "{name}");
    }
    for wrong in [
        r#"off = { kind = "percent", percent = 12.5 }"#,
        r#"off = { kind = "percent", percent = "12.34567" }"#,
        r#"off = { kind = "percent", percents = "12" }"#,
        r#"off = { kind = "halves" }"#,
        "off = { kind = \"amount\", amount = 1 }\nlimit = 3",
        "off = { kind = \"amount\", amount = 1 }\ngoods = { sku = [\"a\"] }",
    ] {
        assert!(toml::from_str::<Discount>(wrong).is_err(), "{wrong}");
    }
}
