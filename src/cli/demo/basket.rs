//! Sample receipts: few members buy often and many seldom, weekends are busy, baskets are small.
//! A day's receipts follow from the plan and the day alone.

use chrono::TimeDelta;
use tessera_rules::Programme;
use tessera_rules::amount::{Currency, Minor, Quantity};
use tessera_rules::command::{Line, Purchase};
use tessera_rules::id::{MemberId, PurchaseId};
use tessera_rules::time::{Day, Instant, Weekday, add_days};

use super::dice::Dice;
use super::plan::{DAYS, Plan};
use super::setup::Shop;
use crate::clock::new_uuid;

const PURPOSE: u64 = 0x6261_736b_6574;

/// What the shops sell: SKU, category, price in minor units.
const GOODS: [(&str, &str, i64); 16] = [
    ("COF-001", "coffee", 3200),
    ("COF-002", "coffee", 2800),
    ("COF-003", "coffee", 6800),
    ("TEA-001", "tea", 2600),
    ("TEA-002", "tea", 12800),
    ("TEA-003", "tea", 4500),
    ("BAK-001", "bakery", 1800),
    ("BAK-002", "bakery", 2400),
    ("BAK-003", "bakery", 16800),
    ("FRE-001", "fresh", 990),
    ("FRE-002", "fresh", 3590),
    ("FRE-003", "fresh", 5280),
    ("HOM-001", "home", 8900),
    ("HOM-002", "home", 25900),
    ("BTY-001", "beauty", 13900),
    ("BTY-002", "beauty", 36800),
];

/// A receipt before its member and store are known by id.
pub(super) struct Basket {
    /// Index of the member.
    pub(super) member: u32,
    /// Index of the store.
    store: usize,
    occurred_at: Instant,
    number: usize,
    lines: Vec<Line>,
}

/// How busy a weekday is.
fn weight(day: Day) -> u64 {
    match Weekday::of(day) {
        Weekday::Monday | Weekday::Tuesday | Weekday::Thursday => 9,
        Weekday::Wednesday => 12,
        Weekday::Friday => 13,
        Weekday::Saturday => 19,
        Weekday::Sunday => 16,
    }
}

/// How many purchases fall on a day of the plan; all days together make exactly the plan's number.
pub(super) fn quota(plan: &Plan, index: u32) -> u32 {
    let weight_of = |index: u32| weight(add_days(plan.first_day, index.into()));
    let total: u64 = (0..DAYS).map(weight_of).sum();
    let until = |index: u32| (0..index).map(weight_of).sum::<u64>() * u64::from(plan.purchases) / total;
    u32::try_from(until(index + 1) - until(index)).unwrap_or(0)
}

/// Draws members with a long tail: the weight of rank r is 1 ÷ (r + a fortieth of all).
pub(super) struct Crowd {
    cumulative: Vec<u64>,
}

impl Crowd {
    pub(super) fn new(members: u32) -> Self {
        let head = u64::from(members) / 40 + 1;
        let weights = (0..u64::from(members)).map(|index| {
            // Who enrolled early is no better customer; the first, who signs in, is a good one.
            let rank = (index * 7_919 + u64::from(members) / 8) % u64::from(members).max(1);
            1_000_000_000 / (rank + head)
        });
        let cumulative = weights.scan(0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        Self { cumulative: cumulative.collect() }
    }

    fn draw(&self, dice: &mut Dice) -> u32 {
        let ticket = dice.below(self.cumulative.last().copied().unwrap_or(1));
        u32::try_from(self.cumulative.partition_point(|&sum| sum <= ticket)).unwrap_or(0)
    }
}

/// Tries to find a member who has enrolled before the first one, who always has, is taken.
const DRAWS: u32 = 30;

/// The receipts of a day, earliest first. `enrolled` says whether a member may buy already.
pub(super) fn of_day(
    plan: &Plan,
    index: u32,
    opens: Instant,
    stores: usize,
    crowd: &Crowd,
    enrolled: impl Fn(u32) -> bool,
) -> Vec<Basket> {
    let mut dice = Dice::new(PURPOSE, index.into());
    // From nine in the morning to ten at night.
    let mut times: Vec<u64> = (0..quota(plan, index)).map(|_| dice.between(9 * 3600, 22 * 3600)).collect();
    times.sort_unstable();
    let baskets = times.into_iter().enumerate().map(|(number, second)| {
        let member = (0..DRAWS).map(|_| crowd.draw(&mut dice)).find(|&member| enrolled(member)).unwrap_or(0);
        // Most go to the shop round the corner.
        let home = member as usize % stores;
        let store = if dice.percent(85) { home } else { dice.below(stores as u64) as usize };
        let occurred_at = opens + TimeDelta::seconds(i64::try_from(second).unwrap_or(0));
        Basket { member, store, occurred_at, number, lines: lines(&mut dice) }
    });
    baskets.collect()
}

fn lines(dice: &mut Dice) -> Vec<Line> {
    let count = 1 + dice.below(3) * dice.below(2) + dice.below(2);
    let line = |_| {
        let (sku, category, price) = *dice.pick(&GOODS);
        let pieces = if dice.percent(80) { 1 } else { i64::try_from(dice.between(2, 4)).unwrap_or(2) };
        // One in ten is on offer.
        let off = if dice.percent(10) { price / 5 } else { 0 };
        Line {
            sku: Some(sku.to_owned()),
            categories: vec![category.to_owned()],
            quantity: Quantity::from_units(pieces * Quantity::UNIT),
            amount: Minor::new((price - off) * pieces).unwrap_or(Minor::ZERO),
        }
    };
    (0..count).map(line).collect()
}

impl Basket {
    /// When it is bought.
    pub(super) fn occurred_at(&self) -> Instant {
        self.occurred_at
    }

    /// The receipt, now that member and store are known.
    pub(super) fn purchase(self, member: MemberId, programme: &Programme, shops: &[Shop]) -> Purchase {
        let shop = &shops[self.store];
        let currency: Currency = programme.currency;
        let day = programme.time_zone.day_of(self.occurred_at);
        Purchase {
            id: PurchaseId::new(new_uuid()),
            store: shop.id,
            store_code: shop.code.to_owned(),
            source: shop.code.to_owned(),
            external_id: format!("{}-{:05}", day.format("%Y%m%d"), self.number + 1),
            occurred_at: Some(self.occurred_at),
            currency,
            content: Purchase::content_of(member, currency, &self.lines, &[], None),
            redeem: None,
            channel: None,
            wallet: None,
            pricing: None,
            lines: self.lines,
            tenders: Vec::new(),
        }
    }
}
