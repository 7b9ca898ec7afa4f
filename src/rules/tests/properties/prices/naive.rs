//! Prices told unit by unit, slowly and with nothing of the rulebook but its words.

use std::cmp::Ordering;

use tessera_rules::command::Line;
use tessera_rules::discount::{Goods, Off, Pick};

use super::scene::Scene;

/// One unit on the counter: its line, and its price as a fraction.
#[derive(Debug, Clone, Copy)]
struct Unit {
    line: usize,
    price: i128,
    quantity: i128,
}

fn dearest_first(one: &Unit, other: &Unit) -> Ordering {
    (other.price * one.quantity).cmp(&(one.price * other.quantity))
}

fn is_of(goods: &Goods, line: &Line) -> bool {
    let sku = |list: &[String]| list.iter().any(|own| line.sku.as_deref() == Some(own));
    let category = |list: &[String]| list.iter().any(|own| line.categories.iter().any(|one| one == own));
    let anything = goods.skus.is_empty() && goods.categories.is_empty();
    (anything || sku(&goods.skus) || category(&goods.categories))
        && !sku(&goods.excluded_skus)
        && !category(&goods.excluded_categories)
}

/// What comes off each line; `None` for what does not go by units.
pub(super) fn by_units(off: &Off, goods: &Goods, lines: &[Line]) -> Option<Vec<i128>> {
    let mut counter: Vec<Unit> = Vec::new();
    for (line, sold) in lines.iter().enumerate() {
        if sold.amount.get() > 0 && is_of(goods, sold) {
            let (price, quantity) = (i128::from(sold.amount.get()), i128::from(sold.quantity.units()));
            counter.extend((0..quantity / 1_000).map(|_| Unit { line, price, quantity }));
        }
    }
    // The sort is stable: among equals the earlier line comes first.
    counter.sort_by(dearest_first);
    let mut reduced: Vec<Unit> = Vec::new();
    let mut percent = 1_000_000;
    match off {
        Off::ItemFree { units, pick } => {
            for _ in 0..*units {
                let unit = match pick {
                    Pick::Cheapest => counter.pop(),
                    Pick::Dearest => (!counter.is_empty()).then(|| counter.remove(0)),
                };
                reduced.extend(unit);
            }
        }
        Off::BuyGet { buy, get } => {
            let (buy, get) = (*buy as usize, *get as usize);
            while counter.len() >= buy + get {
                reduced.extend(counter.split_off(counter.len() - get));
                counter.drain(..buy);
            }
        }
        Off::EveryNth { nth, percent: by } => {
            percent = i128::from(by.units());
            for group in counter.chunks_exact(*nth as usize) {
                reduced.push(group[group.len() - 1]);
            }
        }
        _ => return None,
    }
    let mut taken = vec![0; lines.len()];
    for (line, off) in taken.iter_mut().enumerate() {
        let units = reduced.iter().filter(|unit| unit.line == line).count() as i128;
        let (price, quantity) = (i128::from(lines[line].amount.get()), i128::from(lines[line].quantity.units()));
        *off = price * units * 1_000 * percent / (quantity * 1_000_000);
    }
    Some(taken)
}

/// What each line costs after member prices, when everything is sold in whole units of a whole price;
/// `None` otherwise.
pub(super) fn member_prices(scene: &Scene) -> Option<Vec<i64>> {
    let day = scene.programme.time_zone.day_of(scene.at);
    let tier = scene.buyer.map(|buyer| buyer.tier);
    let rank = |code: &str| scene.programme.tiers.levels.iter().position(|level| level.code == code);
    let list = &scene.programme.prices.member;
    let mut had: Vec<i64> = vec![0; list.len()];
    let mut prices = Vec::new();
    for line in &scene.lines {
        let units = line.quantity.units() / 1_000;
        if line.quantity.units() % 1_000 != 0 || units == 0 || line.amount.get() % units != 0 {
            return None;
        }
        let first = |sku: &str| {
            scene.programme.prices.early_access.iter().any(|window| {
                let needed = window.minimum_tier.as_ref().and_then(|least| rank(least));
                let enough = tier.zip(needed).is_some_and(|(tier, needed)| needed <= tier);
                window.skus.iter().any(|own| own == sku) && day <= window.until && !enough
            })
        };
        let sku = line.sku.as_deref().unwrap_or_default();
        let mut price = 0;
        for _ in 0..units {
            let shelf = line.amount.get() / units;
            let holds = |i: &usize| {
                let entry = &list[*i];
                let tier_fits = match (&entry.minimum_tier, tier) {
                    (_, None) => false,
                    (None, Some(_)) => true,
                    (Some(needed), Some(tier)) => rank(needed).is_some_and(|needed| needed <= tier),
                };
                entry.sku == sku
                    && tier_fits
                    && entry.from.is_none_or(|from| from <= day)
                    && entry.to.is_none_or(|to| to >= day)
                    && entry.most.is_none_or(|most| had[*i] + 1_000 <= most.units())
                    && entry.price.get() < shelf
            };
            let best = (0..list.len()).filter(holds).min_by_key(|&i| (list[i].price, &list[i].code));
            match best.filter(|_| !first(sku)) {
                Some(i) => {
                    had[i] += 1_000;
                    price += list[i].price.get();
                }
                None => price += shelf,
            }
        }
        prices.push(price);
    }
    Some(prices)
}
