//! Random baskets, discounts, coupons and price lists, small enough that they meet often.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use tessera_rules::Programme;
use tessera_rules::amount::{MAX_MAGNITUDE, Minor, Multiplier, Points, Quantity, Rate};
use tessera_rules::command::Line;
use tessera_rules::coupon::{Buyer, Coupon, CouponType, Holder, Stacking};
use tessera_rules::discount::{Discount, Goods, Off, Pick, Step};
use tessera_rules::id::MemberId;
use tessera_rules::price::{EarlyAccess, MemberPrice, Prices};
use tessera_rules::programme::MoneyOff;
use tessera_rules::time::Instant;
use uuid::Uuid;

use crate::shop::minor;
use crate::support::{at, day, level, points, programme, times};

const SKUS: [&str; 4] = ["coat", "cup", "tea", "hat"];
const CATEGORIES: [&str; 3] = ["wear", "drink", "sale"];

/// A shop, a member or nobody, a basket, coupons, and what shall pay.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    pub(super) programme: Programme,
    pub(super) buyer: Option<Buyer>,
    pub(super) at: Instant,
    pub(super) lines: Vec<Line>,
    pub(super) coupons: Vec<Coupon>,
    pub(super) points: Option<Points>,
    pub(super) wallet: Option<Minor>,
}

fn some(of: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    let few = subsequence(of, 0..=of.len().min(2)).prop_map(|picked| picked.into_iter().map(str::to_owned).collect());
    prop_oneof![2 => Just(Vec::new()), 1 => few]
}

fn line(quantity: impl Strategy<Value = i64>, amount: impl Strategy<Value = i64>) -> impl Strategy<Value = Line> {
    let sku = prop::option::weighted(0.9, select(&SKUS[..]));
    (sku, some(&CATEGORIES), quantity, amount).prop_map(|(sku, categories, quantity, amount)| Line {
        sku: sku.map(str::to_owned),
        categories,
        quantity: Quantity::from_units(quantity),
        amount: minor(amount),
    })
}

fn quantity() -> impl Strategy<Value = i64> {
    prop_oneof![4 => (1_i64..6).prop_map(|units| units * 1_000), 2 => 1_i64..4_500, 1 => 1..=MAX_MAGNITUDE]
}

/// Up to seven lines, some of them below 0, some enormous.
pub(super) fn lines() -> impl Strategy<Value = Vec<Line>> {
    let amount = prop_oneof![8 => 0_i64..20_000, 1 => -500_i64..0, 1 => 0_i64..1 << 49];
    prop::collection::vec(line(quantity(), amount), 1..8)
}

/// Few units at prices that are often alike.
pub(super) fn small_lines() -> impl Strategy<Value = Vec<Line>> {
    let quantity = prop_oneof![3 => (1_i64..6).prop_map(|units| units * 1_000), 1 => 1_i64..6_500];
    let amount = prop_oneof![4 => (0_i64..6).prop_map(|tens| tens * 600), 2 => 0_i64..3_000, 1 => -500_i64..0];
    prop::collection::vec(line(quantity, amount), 1..6)
}

fn percent() -> impl Strategy<Value = Multiplier> {
    prop_oneof![(1_i64..=100).prop_map(|whole| whole * 10_000), 1_i64..=1_000_000].prop_map(Multiplier::from_units)
}

fn off() -> impl Strategy<Value = Off> {
    let steps = prop::collection::vec((1_i64..6_000, 1_i64..900), 1..4).prop_map(|gaps| {
        let mut last = Step { spend: Minor::ZERO, amount: Minor::ZERO };
        let step = |(spend, amount): (i64, i64)| {
            let spend = minor(last.spend.get() + spend + amount);
            last = Step { spend, amount: minor(last.amount.get() + amount) };
            last
        };
        gaps.into_iter().map(step).collect::<Vec<Step>>()
    });
    let pick = select(&[Pick::Cheapest, Pick::Dearest][..]);
    prop_oneof![
        percent().prop_map(|percent| Off::Percent { percent }),
        (1_i64..8_000).prop_map(|amount| Off::Amount { amount: minor(amount) }),
        (steps, any::<bool>()).prop_map(|(steps, every)| Off::Steps { every: every && steps.len() == 1, steps }),
        (1_u32..5, pick).prop_map(|(units, pick)| Off::ItemFree { units, pick }),
        (1_u32..4, 1_u32..3).prop_map(|(buy, get)| Off::BuyGet { buy, get }),
        (2_u32..4, percent()).prop_map(|(nth, percent)| Off::EveryNth { nth, percent }),
    ]
}

pub(super) fn discount() -> impl Strategy<Value = Discount> {
    let goods = (some(&SKUS), some(&CATEGORIES), some(&SKUS[2..]), some(&CATEGORIES[2..])).prop_map(
        |(skus, categories, excluded_skus, excluded_categories)| Goods {
            skus,
            categories,
            excluded_skus,
            excluded_categories,
        },
    );
    let money = |most: i64| prop::option::weighted(0.3, (1..most).prop_map(minor));
    (off(), goods, money(9_000), money(3_000)).prop_map(|(off, goods, minimum_spend, cap)| Discount {
        off,
        goods,
        minimum_spend,
        cap,
    })
}

fn coupon_type() -> impl Strategy<Value = CouponType> {
    let stacking = prop_oneof![
        1 => Just(Stacking::Exclusive),
        2 => select(&["a", "b"][..]).prop_map(|group| Stacking::Group(group.to_owned())),
        4 => Just(Stacking::WithEverything),
    ];
    let holder = prop_oneof![Just(Holder::Owner), Just(Holder::Bearer)];
    let tier = prop::option::weighted(0.2, Just("gold".to_owned()));
    (discount(), stacking, holder, tier, -1_i32..=1).prop_map(|(discount, stacking, holder, minimum_tier, priority)| {
        CouponType {
            code: String::new(),
            name: "A coupon".into(),
            discount,
            from: None,
            to: None,
            valid_days: None,
            uses: 1,
            holder,
            minimum_tier,
            segments: Vec::new(),
            stacking,
            priority,
            give_back_on_return: false,
            limits: Default::default(),
        }
    })
}

/// Types, and coupons of them: sometimes two of a type, sometimes used up or not open yet.
fn coupons(most: usize) -> impl Strategy<Value = (Vec<CouponType>, Vec<Coupon>)> {
    let types = prop::collection::vec(coupon_type(), most.min(1)..=most.max(1));
    let drawn = prop::collection::vec((any::<prop::sample::Index>(), 0_u8..20), most.saturating_sub(4)..=most);
    (types, drawn).prop_map(|(mut types, drawn)| {
        for (i, of) in types.iter_mut().enumerate() {
            of.code = format!("type-{i}");
        }
        let coupon = |(i, (of, twist)): (usize, (prop::sample::Index, u8))| Coupon {
            code: format!("C{i}"),
            of: types[of.index(types.len())].code.clone(),
            owner: Some(MemberId::new(Uuid::from_u128(1 + u128::from(twist == 0)))),
            from: at(if twist == 1 { "2026-06-02T00:00:00Z" } else { "2026-01-01T00:00:00Z" }),
            until: (twist == 2).then(|| at("2026-02-01T00:00:00Z")),
            uses: 1,
            used: u32::from(twist == 3),
            revoked: twist == 4,
        };
        let coupons = drawn.into_iter().enumerate().map(coupon).collect();
        (types, coupons)
    })
}

fn member_prices() -> impl Strategy<Value = Prices> {
    let day = |from: &'static str| prop::option::weighted(0.2, Just(day(from)));
    let tier = || prop::option::weighted(0.4, select(&["base", "gold"][..]));
    let most = prop::option::weighted(0.4, (1_i64..4).prop_map(|units| Quantity::from_units(units * 1_000)));
    let entry = (select(&SKUS[..]), 0_i64..2_000, tier(), day("2026-05-01"), day("2026-05-31"), most);
    let early = prop::option::weighted(0.2, (select(&SKUS[..]), select(&["2026-05-31", "2026-06-30"][..])));
    (prop::collection::vec(entry, 0..5), early).prop_map(|(entries, early)| {
        let entry = |(i, (sku, price, tier, from, to, most)): (usize, _)| {
            let tier: Option<&str> = tier;
            let sku: &str = sku;
            MemberPrice {
                code: format!("price-{i}"),
                sku: sku.to_owned(),
                price: minor(price),
                minimum_tier: tier.map(str::to_owned),
                segments: Vec::new(),
                from,
                to,
                most,
            }
        };
        let early = early.map(|(sku, until)| EarlyAccess {
            code: "early".to_owned(),
            skus: vec![sku.to_owned()],
            minimum_tier: Some("gold".to_owned()),
            segments: Vec::new(),
            until: until.parse().expect("a day"),
        });
        Prices {
            member: entries.into_iter().enumerate().map(entry).collect(),
            early_access: early.into_iter().collect(),
        }
    })
}

/// A sound programme with these coupons and prices, and points as money off.
fn shop(coupons: Vec<CouponType>, prices: Prices) -> Programme {
    let mut programme = programme();
    programme.tiers.levels = vec![level("base", 0, "1"), level("gold", 100, "1")];
    programme.redemption = Some(MoneyOff {
        rate: Rate { points: 3, per: 2 },
        minimum: points(10),
        step: points(5),
        largest_share: times("0.75"),
        hold_minutes: 15,
    });
    (programme.coupons, programme.prices) = (coupons, prices);
    assert_eq!(programme.problems(), []);
    programme
}

/// A purchase with up to so many coupons.
pub(super) fn scene(most: usize) -> impl Strategy<Value = Scene> {
    let sold = prop_oneof![
        4 => small_lines(),
        1 => prop::collection::vec(
            ((1_i64..5), (0_i64..3_000), select(&SKUS[..])).prop_map(|(units, price, sku)| Line {
                sku: Some(sku.to_owned()),
                categories: Vec::new(),
                quantity: Quantity::from_units(units * 1_000),
                amount: minor(units * price),
            }),
            1..5,
        ),
    ];
    let buyer = prop::option::weighted(0.9, (0_usize..2, 0_i64..9_000, 0_i64..3_000));
    let wishes = (prop::option::of(0_i64..3_000), prop::option::of(0_i64..3_000));
    (coupons(most), member_prices(), sold, buyer, wishes).prop_map(
        |((types, coupons), prices, lines, buyer, wishes)| {
            let buyer = buyer.map(|(tier, available, wallet)| Buyer {
                id: MemberId::new(Uuid::from_u128(1)),
                tier,
                available: points(available),
                wallet: minor(wallet),
            });
            Scene {
                programme: shop(types, prices),
                buyer,
                at: at("2026-06-01T10:00:00Z"),
                lines,
                coupons,
                points: wishes.0.map(points),
                wallet: wishes.1.map(minor),
            }
        },
    )
}

/// So many coupons that all go together and each take a little off, on so many lines.
pub(super) fn crowded(coupons: usize, lines: usize) -> Scene {
    let of = |i: usize| CouponType {
        code: format!("type-{i}"),
        name: "A coupon".into(),
        discount: Discount {
            off: Off::Percent { percent: Multiplier::from_units(10_000 + i as i64) },
            goods: Goods { skus: vec![SKUS[i % 4].to_owned()], ..Goods::default() },
            minimum_spend: None,
            cap: None,
        },
        from: None,
        to: None,
        valid_days: None,
        uses: 1,
        holder: Holder::Bearer,
        minimum_tier: None,
        segments: Vec::new(),
        stacking: Stacking::WithEverything,
        priority: 0,
        give_back_on_return: false,
        limits: Default::default(),
    };
    let types: Vec<CouponType> = (0..coupons).map(of).collect();
    let now = at("2026-06-01T10:00:00Z");
    let issued = |of: &CouponType| of.issue(&of.code.to_uppercase(), None, now, programme().time_zone);
    let line = |i: usize| Line {
        sku: Some(SKUS[i % 4].to_owned()),
        categories: Vec::new(),
        quantity: Quantity::ONE,
        amount: minor(1_000 + i as i64),
    };
    let id = MemberId::new(Uuid::from_u128(1));
    Scene {
        coupons: types.iter().map(issued).collect(),
        programme: shop(types, Prices::default()),
        buyer: Some(Buyer { id, tier: 0, available: Points::ZERO, wallet: Minor::ZERO }),
        at: now,
        lines: (0..lines).map(line).collect(),
        points: None,
        wallet: None,
    }
}
