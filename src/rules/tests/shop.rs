//! A shop for tests of prices, told as its owner would: baskets and money as they stand on a receipt,
//! discounts as they stand in a programme file.

use std::collections::BTreeMap;

use serde::Deserialize;
use tessera_rules::amount::{Minor, Quantity, format_decimal, parse_decimal};
use tessera_rules::command::Line;
use tessera_rules::coupon::{Circumstances, Coupon};
use tessera_rules::discount::Discount;
use tessera_rules::quote::{Ask, Quote, quote};

pub(crate) fn minor(value: i64) -> Minor {
    Minor::new(value).expect("in range")
}

/// `12.50` as minor units.
pub(crate) fn money(text: &str) -> Minor {
    minor(parse_decimal(text.trim(), 2).unwrap_or_else(|error| panic!("{text}: {error}")))
}

/// Minor units as `12.50`.
pub(crate) fn shown(amount: Minor) -> String {
    let text = format_decimal(amount.get(), 2);
    match text.split_once('.') {
        None => format!("{text}.00"),
        Some((whole, fraction)) => format!("{whole}.{fraction:0<2}"),
    }
}

/// `2 latte 30.00, 0.75 beans/coffee 80.00`: quantity, article (with its category) and price of a unit.
pub(crate) fn basket(text: &str) -> Vec<Line> {
    let line = |item: &str| {
        let [quantity, name, price] = item.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("{item}: quantity, article, unit price");
        };
        let (sku, category) = name.split_once('/').map_or((name, None), |(sku, category)| (sku, Some(category)));
        let quantity: Quantity = quantity.parse().expect("a quantity");
        let amount = money(price).get() * quantity.units();
        assert_eq!(amount % Quantity::UNIT, 0, "{item} comes to whole minor units");
        Line {
            sku: Some(sku.to_owned()),
            categories: category.map(str::to_owned).into_iter().collect(),
            quantity,
            amount: minor(amount / Quantity::UNIT),
        }
    };
    text.split(',').map(line).collect()
}

pub(crate) fn from_toml<T: for<'de> Deserialize<'de>>(text: &str) -> T {
    toml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Discounts by the name a shop has for them.
pub(crate) fn discounts(text: &str) -> BTreeMap<String, Discount> {
    from_toml(text)
}

/// Rows of a table as text: cells between `|`, trimmed; empty lines and those of dashes are passed over.
pub(crate) fn rows(table: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines = table.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("--"));
    lines.map(|line| line.split('|').map(str::trim).collect())
}

/// A quote of a basket with coupons, no points and no wallet.
pub(crate) fn priced(circumstances: &Circumstances<'_>, lines: &[Line], coupons: &[Coupon], optimise: bool) -> Quote {
    quote(circumstances, &Ask { lines, coupons, optimise, points: None, wallet: None }).expect("in range")
}
