//! Random books: every rule there is, at sizes at which something happens.

use chrono_tz::Tz;
use proptest::prelude::*;

use super::book::{
    Book, Combine, Expiry, Gift, Given, Ladder, Level, Measure, Occasion, Offer, Promo, Validity, Window,
};
use super::calendar::Part;
use super::scene::DAY;

fn multiplier() -> impl Strategy<Value = i64> {
    prop_oneof![Just(20_000), Just(15_000), Just(10_000), 10_000_i64..40_000]
}

fn dated() -> impl Strategy<Value = Expiry> {
    let part = prop_oneof![Just(Part::Day), Just(Part::Month), Just(Part::Quarter), Just(Part::Year)];
    let date = (1_u32..13, 1_u32..30);
    prop_oneof![
        1 => Just(Expiry::Never),
        3 => (1_u32..5, part).prop_map(|(months, part)| Expiry::After(months, part)),
        2 => (prop::collection::vec(date, 1..3), 0_u32..4).prop_map(|(dates, least)| Expiry::OnDates(dates, least)),
    ]
}

fn expiry() -> BoxedStrategy<Expiry> {
    prop_oneof![3 => dated(), 1 => (1_u32..5).prop_map(Expiry::Idle)].boxed()
}

fn promo() -> impl Strategy<Value = Promo> {
    let effect = prop_oneof![3 => multiplier().prop_map(Some), 1 => Just(None)];
    let scope = (prop::option::weighted(0.2, 0_usize..3), prop::option::weighted(0.2, 0_usize..7));
    let own = prop::option::weighted(0.4, dated());
    let limits = (prop::option::weighted(0.3, 1_i64..150), prop::option::weighted(0.2, 1_i64..4));
    (-1_i32..2, effect, 1_i64..30, prop::option::weighted(0.3, 1_i64..100), limits, scope, own).prop_map(
        |(priority, multiply, add, cap, (budget, per_member), (tier, weekday), own)| {
            let expiry = own.filter(|_| multiply.is_none());
            Promo { priority, multiply, add, cap, budget, per_member, tier, weekday, expiry }
        },
    )
}

/// Leads of warnings, in days.
fn notices() -> impl Strategy<Value = (Vec<i64>, Vec<i64>)> {
    let leads = || prop_oneof![Just(vec![30, 7, 1]), prop::collection::vec(1_i64..60, 0..4)];
    (leads(), leads())
}

/// A perk for some of the occasions.
fn gifts() -> impl Strategy<Value = Vec<Gift>> {
    let occasions = (1_i64..60).prop_map(|days| {
        vec![Occasion::Birthday, Occasion::Welcome, Occasion::Anniversary, Occasion::TierReached, Occasion::Lapse(days)]
    });
    occasions.prop_flat_map(|all| prop::sample::subsequence(all, 0..=5)).prop_flat_map(|some| {
        let gifts: Vec<_> = some.into_iter().map(gift).collect();
        gifts
    })
}

fn gift(occasion: Occasion) -> impl Strategy<Value = Gift> {
    let given = prop_oneof![
        2 => (1_i64..60).prop_map(Given::Points),
        2 => multiplier().prop_map(Given::Multiple),
        1 => Just(Given::Mug),
    ];
    let foreseen = matches!(occasion, Occasion::Birthday | Occasion::Anniversary);
    let window = (0_i64..if foreseen { 20 } else { 1 }, 0_i64..20);
    let gates = (prop::option::weighted(0.2, 0_usize..3), prop_oneof![2 => Just(0), 1 => 0_i64..30], any::<bool>());
    (given, window, gates, any::<bool>()).prop_map(move |(given, (before, after), gates, march)| {
        let (tier, member_for, needs_purchase) = gates;
        Gift { occasion, given, tier, member_for, before, after, needs_purchase, march }
    })
}

fn ladder() -> impl Strategy<Value = Ladder> {
    let window = prop_oneof![
        3 => prop_oneof![1_i64..10, 10_i64..100].prop_map(Window::Rolling),
        2 => Just(Window::CalendarYear),
        1 => Just(Window::Anniversary),
        1 => Just(Window::Lifetime),
    ];
    let measure = prop_oneof![
        2 => (1_i64..200, 1_i64..200).prop_map(|(a, b)| (Measure::Points, a, b)),
        1 => (1_i64..20_000, 1_i64..20_000).prop_map(|(a, b)| (Measure::Spend, a, b)),
        1 => (1_i64..4, 1_i64..4).prop_map(|(a, b)| (Measure::Visits, a, b)),
    ];
    let validity = prop_oneof![
        2 => Just(Validity::Measured),
        1 => Just(Validity::EndOfNextYear),
        2 => (1_u32..14).prop_map(Validity::Months),
    ];
    let level = || {
        let double = prop::option::weighted(0.5, (1_u32..4, multiplier()));
        (multiplier(), prop::option::weighted(0.3, expiry()), prop::bool::weighted(0.15), double)
    };
    let falls = (any::<bool>(), prop_oneof![Just(0), 1_i64..60], prop::bool::weighted(0.3));
    (measure, window, validity, falls, (level(), level(), level())).prop_map(
        |((measure, silver, more), window, validity, (one_step, grace, lots_take), levels)| {
            let thresholds = [0, silver, silver + more];
            let levels = [levels.0, levels.1, levels.2].into_iter().zip(thresholds);
            let levels = levels.map(|((earns, expiry, keep_for_life, double_days), threshold)| Level {
                threshold,
                earns,
                expiry,
                keep_for_life,
                double_days,
            });
            let grace_days = if validity == Validity::Measured { 0 } else { grace };
            Ladder { measure, window, validity, one_step, grace_days, lots_take, levels: levels.collect() }
        },
    )
}

fn offer() -> impl Strategy<Value = Offer> {
    let rate = prop_oneof![2 => Just((1, 7)), 1 => (1_i64..20, 1_i64..200)];
    let hold = prop_oneof![Just(15), 1_i64..3 * DAY, 1_i64..30 * DAY];
    let share = prop_oneof![2 => Just(10_000), 1 => 1_000_i64..10_000];
    let least = prop_oneof![4 => Just((1, 1)), 1 => (1_i64..20, 1_i64..5)];
    (rate, least, share, hold).prop_map(|(rate, (minimum, step), share, hold_minutes)| Offer {
        rate,
        minimum,
        step,
        share,
        hold_minutes,
    })
}

/// Any book of a zone.
pub(super) fn book_in(zone: Tz) -> BoxedStrategy<Book> {
    let combine = prop_oneof![Just(Combine::Best), Just(Combine::Add), Just(Combine::Multiply)];
    let rate = prop_oneof![Just((1, 100)), Just((1, 1_000)), Just((3, 170)), (1_i64..6, 100_i64..2_000)];
    let caps = (prop::option::weighted(0.2, 1_i64..150), prop::option::weighted(0.2, 1_i64..150));
    let pending = prop_oneof![2 => Just(0), 1 => 1_i64..40];
    let earning = (rate, combine, prop::bool::weighted(0.3), pending, caps, prop_oneof![Just(20_000), 0_i64..40_000]);
    let activities = prop_oneof![3 => Just((true, true)), 1 => Just((true, false)), 1 => Just((false, true))];
    let returns = (any::<bool>(), prop::bool::weighted(0.3), 0_i64..40);
    let rest = (prop::collection::vec(promo(), 0..4), expiry(), activities, returns);
    let transfers = ((1_i64..10, 20_i64..150), (2_i64..4, 10_i64..150));
    let mug = (1_i64..60, 1_i64..4, prop_oneof![3 => Just(0_usize), 1 => 1_usize..3]);
    (earning.boxed(), rest.boxed(), offer(), (mug, transfers), ladder().boxed(), (gifts(), notices()).boxed())
        .prop_map(
            move |(
                (rate, combine, carry, pending_days, (cap, day_cap), food),
                rest,
                offer,
                (mug, (transfers, pools)),
                ladder,
                (gifts, notices),
            )| {
                let (promos, expiry, activities, (points_excluded, forgive, return_grace_days)) = rest;
                #[rustfmt::skip]
            let book = Book {
                zone, rate, combine, carry, pending_days, cap, day_cap, food, points_excluded, promos, expiry,
                activities, forgive, return_grace_days, offer, mug, transfers, pools, ladder, gifts, notices,
            };
                book
            },
        )
        .boxed()
}
