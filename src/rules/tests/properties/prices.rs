//! Properties of prices: random discounts on random baskets, random coupons in random order, and two
//! calculators that lay out every unit.

mod naive;
mod promises;
mod scene;

use proptest::prelude::*;
use tessera_rules::amount::{MAX_MAGNITUDE, Minor, Multiplier, OutOfRange, Points, Rate};
use tessera_rules::basket::Basket;
use tessera_rules::combination::EXACT_UP_TO;
use tessera_rules::command::Line;
use tessera_rules::coupon::{Applied, Buyer, Circumstances, Coupon, Stacking};
use tessera_rules::discount::{Discount, Goods, Off, Step};
use tessera_rules::programme::MoneyOff;
use tessera_rules::quote::{Ask, PointsWish, Quote, quote};

use self::naive::by_units;
use self::scene::{Scene, discount, lines, scene, small_lines};
use super::cases;
use crate::shop::minor;
use crate::support::points;

fn sum(amounts: &[Minor]) -> i128 {
    amounts.iter().map(|amount| i128::from(amount.get())).sum()
}

fn prices(lines: &[Line]) -> Vec<Minor> {
    lines.iter().map(|line| line.amount).collect()
}

/// What a discount takes off each line of a fresh basket.
fn off(discount: &Discount, lines: &[Line]) -> Vec<Minor> {
    Basket::new(lines, &prices(lines)).expect("in range").take(discount).expect("in range")
}

/// The sum of matching lines with a price.
fn matching(goods: &Goods, lines: &[Line]) -> i128 {
    let matching = lines.iter().filter(|line| line.amount.is_positive() && goods.match_line(line));
    matching.map(|line| i128::from(line.amount.get())).sum()
}

fn ask<'a>(scene: &'a Scene, coupons: &'a [Coupon], optimise: bool) -> Ask<'a> {
    Ask { lines: &scene.lines, coupons, optimise, points: scene.points.map(PointsWish::Points), wallet: scene.wallet }
}

fn quoted(scene: &Scene, coupons: &[Coupon], optimise: bool) -> Quote {
    let circumstances = Circumstances {
        programme: &scene.programme,
        buyer: scene.buyer.as_ref(),
        segments: &[],
        at: scene.at,
        used: &Default::default(),
    };
    quote(&circumstances, &ask(scene, coupons, optimise)).expect("in range")
}

/// What holds of every quote.
fn holds(scene: &Scene, quote: &Quote) {
    let mut total = 0;
    for (line, quoted) in scene.lines.iter().zip(&quote.lines) {
        let told = |amounts: &[(String, Minor)]| amounts.iter().map(|(_, amount)| amount.get()).sum::<i64>();
        assert_eq!(quoted.list, line.amount);
        assert_eq!(quoted.price.get(), quoted.list.get() - told(&quoted.saved));
        assert_eq!(quoted.net.get(), quoted.price.get() - told(&quoted.discounts));
        assert!(quoted.saved.iter().chain(&quoted.discounts).all(|(_, amount)| amount.is_positive()));
        if line.amount.get() >= 0 {
            assert!(quoted.net.get() >= 0, "{quoted:?}");
        } else {
            assert_eq!(quoted.net, line.amount, "what is below 0 is left as it is");
        }
        if quoted.withheld.is_some() {
            assert_eq!(quoted.net, line.amount);
        } else {
            total += i128::from(quoted.net.get());
        }
    }
    assert_eq!(i128::from(quote.total.get()), total);
    for applied in &quote.coupons {
        let of_lines = quote.lines.iter().flat_map(|line| &line.discounts);
        let told: i64 = of_lines.filter(|(code, _)| *code == applied.coupon).map(|(_, amount)| amount.get()).sum();
        assert_eq!((applied.amount.get(), sum(&applied.lines)), (told, i128::from(told)));
        let of = scene.programme.coupon(&applied.of).expect("its type");
        assert!(of.discount.cap.is_none_or(|cap| applied.amount <= cap));
    }
    assert!(quote.coupons.is_sorted_by_key(|one| one.stage));
    let stacking = |one: &Applied| &scene.programme.coupon(&one.of).expect("its type").stacking;
    let stacked: Vec<&Stacking> = quote.coupons.iter().map(stacking).collect();
    assert!(stacked.len() < 2 || !stacked.contains(&&Stacking::Exclusive));
    let groups: Vec<&&Stacking> = stacked.iter().filter(|one| matches!(one, Stacking::Group(_))).collect();
    assert!(groups.iter().enumerate().all(|(i, one)| !groups[..i].contains(one)), "one of a group");
    let mut told: Vec<&str> = quote.coupons.iter().map(|one| one.coupon.as_str()).collect();
    told.extend(quote.not_applied.iter().map(|(code, _)| code.as_str()));
    told.sort_unstable();
    let mut shown: Vec<&str> = scene.coupons.iter().map(|coupon| coupon.code.as_str()).collect();
    shown.sort_unstable();
    assert_eq!(told, shown, "each coupon is told once");
    let paid = match &quote.points.wish {
        Some(Ok(worth)) => worth.worth.get(),
        _ => 0,
    };
    assert_eq!(quote.due.get(), quote.total.get() - paid - quote.wallet.pays.get());
    assert!(quote.due.get() >= 0 || quote.due == quote.total);
    assert!(quote.wallet.pays <= quote.wallet.most);
}

proptest! {
    #![proptest_config(cases(2_000))]

    /// Shares sum to what the discount says, to the minor unit; no line falls below 0 or rises; neither
    /// the cap nor what matching lines cost is exceeded; what does not match is left alone.
    #[test]
    fn a_discount_is_shared_out_exactly(lines in lines(), discount in discount()) {
        let shares = off(&discount, &lines);
        let most = matching(&discount.goods, &lines);
        let most = discount.cap.map_or(most, |cap| most.min(i128::from(cap.get())));
        prop_assert!(sum(&shares) <= most);
        for (line, share) in lines.iter().zip(&shares) {
            let touched = line.amount.is_positive() && discount.goods.match_line(line);
            let room = if touched { line.amount.get() } else { 0 };
            prop_assert!((0..=room).contains(&share.get()));
        }
        let matching = matching(&discount.goods, &lines);
        let said = match &discount.off {
            Off::Percent { percent } => matching * i128::from(percent.units()) / 1_000_000,
            Off::Amount { amount } => i128::from(amount.get()),
            _ => return Ok(()),
        };
        let total = said.min(most);
        prop_assert_eq!(sum(&shares), total);
        for (line, share) in lines.iter().zip(&shares).filter(|(_, share)| share.is_positive()) {
            let exact = i128::from(line.amount.get()) * total;
            prop_assert!((i128::from(share.get()) * matching - exact).abs() < matching, "within one of the exact share");
        }
    }

    /// Several discounts, one after the other: the sum of what they take off is still within each line.
    #[test]
    fn discounts_on_discounts_stay_within_the_price(
        lines in lines(),
        discounts in prop::collection::vec(discount(), 1..6),
    ) {
        let mut basket = Basket::new(&lines, &prices(&lines)).expect("in range");
        let mut left = prices(&lines);
        for discount in &discounts {
            let shares = basket.take(discount).expect("in range");
            left = left.iter().zip(&shares).map(|(left, share)| left.minus(*share).expect("in range")).collect();
        }
        for (line, left) in lines.iter().zip(&left) {
            prop_assert!(left.get() >= line.amount.get().min(0) && *left <= line.amount);
        }
    }

    /// Units laid out one by one, without ranges and runs, come to the same.
    #[test]
    fn units_are_chosen_as_by_hand(lines in small_lines(), discount in discount()) {
        let Some(by_hand) = by_units(&discount.off, &discount.goods, &lines) else { return Ok(()) };
        let uncapped = Discount { cap: None, ..discount.clone() };
        let found: Vec<i128> = off(&uncapped, &lines).iter().map(|share| i128::from(share.get())).collect();
        prop_assert_eq!(&found, &by_hand);
        if let Some(cap) = discount.cap {
            let capped = sum(&off(&discount, &lines));
            prop_assert_eq!(capped, by_hand.iter().sum::<i128>().min(i128::from(cap.get())));
        }
    }

    /// Who spends more is never given less.
    #[test]
    fn steps_rise_with_the_spend(
        gaps in prop::collection::vec((1_i64..5_000, 1_i64..500), 1..5),
        every in any::<bool>(),
        spend in 0_i64..30_000,
        more in 0_i64..10_000,
    ) {
        let mut steps: Vec<Step> = Vec::new();
        for (spend, amount) in gaps {
            let last = steps.last().copied().unwrap_or(Step { spend: Minor::ZERO, amount: Minor::ZERO });
            let (spend, amount) = (last.spend.get() + spend + amount, last.amount.get() + amount);
            steps.push(Step { spend: minor(spend), amount: minor(amount) });
        }
        let every = every && steps.len() == 1;
        let goods = Goods::default();
        let discount = Discount { off: Off::Steps { steps, every }, goods, minimum_spend: None, cap: None };
        let taken = |spend: i64| {
            let line = Line { amount: minor(spend), ..crate::support::line(0) };
            sum(&off(&discount, &[line]))
        };
        prop_assert!(taken(spend) <= taken(spend + more));
        prop_assert!(taken(spend) <= i128::from(spend));
    }

    /// Amounts and quantities near 2^53 are priced, or refused as out of range; nothing panics.
    #[test]
    fn the_largest_amounts_are_priced_or_refused(
        amounts in prop::collection::vec((MAX_MAGNITUDE - 10..=MAX_MAGNITUDE, 1..=MAX_MAGNITUDE), 1..3),
        discount in discount(),
    ) {
        let lines: Vec<Line> = amounts
            .iter()
            .map(|&(amount, quantity)| Line {
                amount: minor(amount),
                quantity: tessera_rules::amount::Quantity::from_units(quantity),
                ..crate::support::line(0)
            })
            .collect();
        match Basket::new(&lines, &prices(&lines)) {
            Err(OutOfRange) => prop_assert!(lines.len() > 1),
            Ok(mut basket) => {
                let shares = basket.take(&discount).expect("in range");
                prop_assert!(sum(&shares) <= i128::from(MAX_MAGNITUDE));
            }
        }
    }

    /// The most that points pay is what trying every number of points finds.
    #[test]
    fn the_most_points_pay_is_the_most(
        (rate_points, per) in (1_u32..300, 1_u32..300),
        (minimum, step) in (1_i64..60, 1_i64..25),
        share in 1_i64..=10_000,
        (available, total) in (0_i64..400, -50_i64..400),
    ) {
        let offer = MoneyOff {
            rate: Rate { points: rate_points, per },
            minimum: points(minimum),
            step: points(step),
            largest_share: Multiplier::from_units(share),
            hold_minutes: 15,
        };
        let most = offer.most(points(available), minor(total)).expect("in range");
        let payable = (1..=available).filter_map(|p| Some((offer.pay(points(p), minor(total)).ok()?, p)));
        let best = payable.filter(|(worth, _)| worth.is_positive()).max_by_key(|&(worth, p)| (worth, -p));
        let best = best.map_or((Minor::ZERO, Points::ZERO), |(worth, p)| (worth, points(p)));
        prop_assert_eq!((most.worth, most.points), best);
    }
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// A quote adds up, tells every coupon once, and combines none that exclude each other.
    #[test]
    fn a_quote_adds_up(scene in scene(6)) {
        for optimise in [false, true] {
            holds(&scene, &quoted(&scene, &scene.coupons, optimise));
        }
    }

    /// In whatever order coupons are shown, and however often each, the quote is the same.
    #[test]
    fn the_order_of_coupons_changes_nothing(scene in scene(6), turn in 0_usize..6, optimise in any::<bool>()) {
        let mut turned = scene.coupons.clone();
        turned.reverse();
        turned.rotate_left(turn.min(scene.coupons.len()));
        turned.extend(scene.coupons.first().cloned());
        prop_assert_eq!(quoted(&scene, &turned, optimise), quoted(&scene, &scene.coupons, optimise));
    }

    /// The best combination is the best of all: no set of coupons that go together makes the price lower,
    /// and none of fewer coupons makes it as low.
    #[test]
    fn the_best_is_the_best_of_all(scene in scene(5)) {
        let best = quoted(&scene, &scene.coupons, true);
        prop_assert!(best.total <= quoted(&scene, &scene.coupons, false).total);
        for set in 0..1_usize << scene.coupons.len() {
            let some: Vec<Coupon> =
                (0..scene.coupons.len()).filter(|i| set >> i & 1 == 1).map(|i| scene.coupons[i].clone()).collect();
            let quote = quoted(&scene, &some, false);
            prop_assert!(best.total <= quote.total, "{:?}", some);
            prop_assert!(best.total < quote.total || best.coupons.len() <= quote.coupons.len());
        }
    }

    /// Whole units at member prices, bought one by one: each takes the best price that is left.
    #[test]
    fn member_prices_are_those_of_units(scene in scene(0)) {
        let quote = quoted(&scene, &[], false);
        if let Some(by_hand) = naive::member_prices(&scene) {
            let found: Vec<i64> = quote.lines.iter().map(|line| line.price.get()).collect();
            prop_assert_eq!(found, by_hand);
        }
    }
}

proptest! {
    #![proptest_config(cases(40))]

    /// Beyond the exact search the answer still adds up, and is never worse than any coupon alone.
    #[test]
    fn many_coupons_are_never_worse_than_one(mut scene in scene(EXACT_UP_TO + 4)) {
        for of in &mut scene.programme.coupons {
            if of.stacking == Stacking::Exclusive {
                of.stacking = Stacking::WithEverything;
            }
        }
        let best = quoted(&scene, &scene.coupons, true);
        holds(&scene, &best);
        for coupon in &scene.coupons {
            prop_assert!(best.total <= quoted(&scene, std::slice::from_ref(coupon), false).total);
        }
    }
}

/// Twelve coupons that all go together are the most the exact search walks through: on a full receipt.
#[test]
fn the_exact_search_ends_soon() {
    let scene = scene::crowded(EXACT_UP_TO, 200);
    let best = quoted(&scene, &scene.coupons, true);
    assert_eq!(best.coupons.len() + best.not_applied.len(), EXACT_UP_TO);
    let id = scene.buyer.map(|buyer: Buyer| buyer.id);
    assert!(id.is_some() && best.total < best.list);
}
