//! Properties over random programmes and histories.

mod clockwork;
mod goods;
mod partial;
mod prices;
pub(crate) mod run;
pub(crate) mod scene;

use proptest::prelude::*;
use tessera_rules::amount::{MAX_MAGNITUDE, Minor, Multiplier, Rate};
use tessera_rules::decision::Effect;
use tessera_rules::earning::{Sale, earn};
use tessera_rules::promotion::{Combine, PromotionEffect};
use tessera_rules::{Command, State};

use self::run::{MEMBER, Run, context};
use crate::cases::cases;
use crate::support::{day, level, line, points, programme, promotion};

/// Settles to a minute: the state then, and what happened, as far as it does not say when that was
/// noticed.
fn settled(run: &Run, state: &State, minute: i64) -> (State, Vec<String>) {
    let decision = tessera_rules::decide(&run.programme, state, MEMBER, &Command::Settle, &context(minute));
    let effects = decision.expect("settling is never refused").effects;
    let mut state = state.clone();
    state.apply(MEMBER, &effects).expect("in range");
    let told = effects.iter().filter_map(|effect| match effect {
        Effect::Entry(entry) => Some(format!("{:?} {} {}", entry.kind, entry.points, entry.effective_at)),
        Effect::MoveLot(movement) => Some(format!("{movement:?}")),
        Effect::Tier(change) => Some(format!("{} {} {} {}", change.from, change.to, change.at, change.measure)),
        _ => None,
    });
    (state, told.collect())
}

proptest! {
    #![proptest_config(cases(300))]

    /// A batch needs no more than is loaded for it; the books are kept step by step.
    #[test]
    fn batches_need_no_more_than_is_loaded(scene in scene::scene(30), batch in 1_usize..5) {
        let mut run = Run::new(&scene);
        for steps in scene.steps.chunks(batch) {
            run.batch(steps);
        }
    }

    /// Settling in many small steps equals one big step, and settling again does nothing.
    #[test]
    fn settling_may_be_cut_into_steps(
        scene in scene::scene(12),
        steps in prop::collection::vec(0_i64..60 * 24 * 60, 1..12),
    ) {
        let mut run = Run::new(&scene);
        run.batch(&scene.steps);
        let end = run.now + steps.iter().sum::<i64>();
        let (at_once, mut all) = settled(&run, &run.state, end);
        let (mut state, mut minute, mut told) = (run.state.clone(), run.now, Vec::new());
        for step in steps {
            minute += step;
            let (next, more) = settled(&run, &state, minute);
            state = next;
            told.extend(more);
        }
        let standing = |state: &State| {
            let mut standing = state.members[&MEMBER].standing.clone();
            standing.head = [0; 32];
            standing
        };
        prop_assert_eq!(standing(&at_once), standing(&state));
        prop_assert_eq!(&at_once.members[&MEMBER].lots, &state.members[&MEMBER].lots);
        // Expiries and reviews that fell due between the same two steps come in one order in both.
        all.sort();
        told.sort();
        prop_assert_eq!(all, told);
        let (again, nothing) = settled(&run, &at_once, end);
        prop_assert_eq!((&again, nothing.len()), (&at_once, 0));
    }

    /// Whatever the amounts, earning answers or refuses; it never panics, and shares always sum.
    #[test]
    fn earning_survives_any_amount(
        amounts in prop::collection::vec(prop_oneof![-MAX_MAGNITUDE..=MAX_MAGNITUDE, -1000_i64..1000, Just(MAX_MAGNITUDE)], 1..6),
        rate in (1_u32..=1_000_000, 1_u32..=1_000_000_000),
        factors in prop::collection::vec(10_000_i64..=10_000_000, 0..12),
        (tier, fixed) in (0_i64..=10_000_000, 0_i64..=MAX_MAGNITUDE),
        cap in prop::option::of(1_i64..=MAX_MAGNITUDE),
        combine in prop_oneof![Just(Combine::Best), Just(Combine::Add), Just(Combine::Multiply)],
        carry in any::<bool>(),
    ) {
        let mut document = programme();
        document.earning.rate = Rate { points: rate.0, per: rate.1 };
        (document.earning.combine, document.earning.carry_remainder) = (combine, carry);
        document.earning.cap_per_purchase = cap.map(points);
        let multiply = |(i, &units): (usize, &i64)| {
            promotion(&format!("x{i}"), 0, PromotionEffect::Multiply { by: Multiplier::from_units(units) })
        };
        document.promotions = factors.iter().enumerate().map(multiply).collect();
        document.promotions.push(promotion("add", 1, PromotionEffect::Add { points: points(fixed) }));
        let mut tier_level = level("base", 0, "1");
        tier_level.earn_multiplier = Multiplier::from_units(tier);
        let lines: Vec<_> = amounts.iter().map(|&amount| line(amount)).collect();
        let sale = Sale {
            lines: &lines,
            tenders: &[],
            at: day("2025-07-01").and_time(chrono::NaiveTime::MIN),
            store: "s1",
            channel: "",
            tier: &tier_level,
            boosts: &[],
            carry: 999_999,
            given_today: 0,
            purchases: 0,
            facts: None,
            promotions_used: &Default::default(),
            own_uses: &Default::default(),
            cashback_given: &Default::default(),
        };
        if let Ok(earned) = earn(&document, 1, &sale) {
            let sum: i128 = earned.explanation.lines.iter().map(|line| i128::from(line.points.get())).sum();
            prop_assert_eq!(sum, i128::from(earned.given.get()));
            prop_assert!(earned.given >= points(0) && earned.given <= earned.wanted);
            prop_assert!(earned.explanation.basis >= Minor::ZERO);
        }
    }

    /// Purchases, holds and returns keep the invariants, whatever their order.
    #[test]
    fn goods_come_and_go(
        document in goods::document(),
        acts in prop::collection::vec(goods::act(), 1..30),
    ) {
        let mut shop = goods::shop(&document, &[]);
        for act in &acts {
            shop.act(act);
            shop.check();
        }
    }

    /// Any sequence of partial returns takes and gives what one full return does.
    #[test]
    fn partial_returns_add_up_to_the_full_one(
        mut document in goods::document(),
        acts in prop::collection::vec(goods::act(), 1..16),
        sale in 0_usize..9,
        parts in prop::collection::vec(goods::goods(), 0..6),
    ) {
        // What is forgiven depends on what was there when it was asked for.
        document.returns.shortfall = tessera_rules::programme::Shortfall::Debt;
        let (mut once, mut often) = (goods::shop(&document, &acts), goods::shop(&document, &acts));
        let Some(&sale) = once.sales.get(sale % once.sales.len().max(1)) else { return Ok(()) };
        let all = tessera_rules::command::ReturnedGoods::All;
        drop(once.desk.take_back(sale, all.clone()));
        for part in parts {
            drop(often.desk.take_back(sale, part));
            often.check();
        }
        drop(often.desk.take_back(sale, all));
        let sums = |shop: &goods::Shop| {
            let member = &shop.desk.state.members[&shop.desk.member];
            let sold = &member.sales[&sale];
            let standing = &member.standing;
            (
                [sold.clawed, sold.given_back, standing.pending, standing.available, standing.held, standing.debt],
                (sold.micropoints_taken, standing.carry, standing.purchases, standing.window, member.days.clone()),
            )
        };
        prop_assert_eq!(sums(&once), sums(&often));
        let member = &once.desk.state.members[&once.desk.member];
        let (sold, lots) = (&member.sales[&sale], member.lots.values());
        let own = lots.filter(|lot| sold.lots.contains(&lot.origin.unwrap_or(lot.number)));
        let lapsed: i64 = own.map(|lot| lot.lapsed.get()).sum();
        if sold.micropoints.is_none() {
            prop_assert!(sold.clawed.get() + lapsed >= sold.points.get(), "nothing of the sale is left to the member");
        }
    }
}
