//! Limits and budgets of promotions, exclusion groups, and points per amount (PROGRAMME.md §3, §4 and §8).

use std::collections::BTreeMap;

use proptest::prelude::*;
use tessera_rules::amount::{Minor, Multiplier};
use tessera_rules::command::{Line, Move, ReturnLine, ReturnPart, ReturnedGoods};
use tessera_rules::decision::PurchaseOutcome;
use tessera_rules::explain::Explanation;
use tessera_rules::id::{MemberId, PurchaseId, ReturnId};
use tessera_rules::limit::{Counted, Limits, PromotionUsage, UsageRange};
use tessera_rules::promotion::{Combine, Promotion, PromotionEffect};
use tessera_rules::{Command, MemberState, Programme, Standing};
use uuid::Uuid;

use crate::cases::cases;
use crate::support::{Desk, level, line, points, promotion, times};
use crate::wallets::with_wallet;

fn multiply(code: &str, by: &str) -> Promotion {
    promotion(code, 0, PromotionEffect::Multiply { by: times(by) })
}

fn add(code: &str, value: i64) -> Promotion {
    promotion(code, 0, PromotionEffect::Add { points: points(value) })
}

fn per(code: &str, value: i64, amount: i64) -> Promotion {
    let per = Minor::new(amount).expect("in range");
    promotion(code, 0, PromotionEffect::PerAmount { points: points(value), per })
}

fn minor(value: i64) -> Minor {
    Minor::new(value).expect("in range")
}

/// Five percent back, at most so much a purchase and a month.
fn back(cap: Option<i64>, cap_per_month: Option<i64>) -> Promotion {
    let (cap, cap_per_month) = (cap.map(minor), cap_per_month.map(minor));
    promotion("back", 0, PromotionEffect::Cashback { percent: times("5"), cap, cap_per_month })
}

fn budget_money(value: i64) -> Limits {
    Limits { budget_money: Some(minor(value)), ..Limits::default() }
}

fn budget(value: i64) -> Limits {
    Limits { budget_points: Some(points(value)), ..Limits::default() }
}

fn limited(limits: Limits, promotion: Promotion) -> Promotion {
    Promotion { limits, ..promotion }
}

fn of_group(group: &str, priority: i32, promotion: Promotion) -> Promotion {
    Promotion { exclusion_group: Some(group.to_owned()), priority, ..promotion }
}

fn with(promotions: Vec<Promotion>) -> Programme {
    Programme { promotions, ..with_wallet() }
}

/// Each promotion with why it missed, or what it was charged.
fn told(why: &Explanation) -> Vec<String> {
    let one = |p: &tessera_rules::explain::PromotionExplained| match p.missed {
        Some(miss) => format!("{} {miss:?}", p.code),
        None => format!("{} {}", p.code, p.charged),
    };
    why.promotions.iter().map(one).collect()
}

fn one(bought: &PurchaseOutcome) -> String {
    told(&bought.explanation).remove(0)
}

fn used(desk: &Desk, code: &str) -> (i64, i64) {
    let usage = desk.state.shared.promotions_used.get(code).copied().unwrap_or_default();
    (usage.uses, usage.points)
}

fn money_used(desk: &Desk, code: &str) -> i64 {
    desk.state.shared.promotions_used.get(code).map_or(0, |usage| usage.money)
}

fn all_back(desk: &mut Desk, purchase: PurchaseId) {
    desk.take_back(purchase, ReturnedGoods::All).expect("everything comes back");
}

/// Another member at the same desk.
fn second(desk: &mut Desk) -> MemberId {
    let member = MemberId::new(Uuid::from_u128(8));
    desk.state.members.insert(member, MemberState::new(Standing::new(member, desk.now)));
    member
}

/// The programme book's own figures: base 100.5 at tier 1.5, doubled.
#[test]
fn a_budget_cuts_exactly_its_charge() {
    let mut document = with(vec![limited(budget(251), multiply("double", "2"))]);
    document.tiers.levels = vec![level("base", 0, "1.5")];
    let mut desk = Desk::new(document);
    let first = desk.buy(10_050);
    assert_eq!((first.given.get(), one(&first).as_str(), used(&desk, "double")), (301, "double 151", (1, 151)));
    let second = desk.buy(10_050);
    assert_eq!((second.wanted.get(), second.given.get(), one(&second).as_str()), (301, 250, "double 100"));
    let why = &second.explanation.promotions[0];
    assert_eq!((why.left, why.wanted), (Some(points(100)), Some(points(151))));
    let third = desk.buy(10_050);
    assert_eq!((third.given.get(), one(&third).as_str(), used(&desk, "double")), (150, "double Budget", (2, 251)));
    // Only when nothing of a sale remains does its budget come back.
    let half = ReturnedGoods::Lines(vec![ReturnLine { line: 1, part: ReturnPart::Amount(Minor::new(5_000).unwrap()) }]);
    desk.take_back(first.id, half).expect("a half comes back");
    assert_eq!(used(&desk, "double"), (2, 251));
    all_back(&mut desk, first.id);
    assert_eq!(used(&desk, "double"), (1, 100));
    assert_eq!(one(&desk.buy(10_050)), "double 151");
}

#[test]
fn uses_are_limited_by_member_by_day_and_in_all() {
    let limits = Limits { per_member: Some(3), per_member_per_day: Some(2), total: Some(4), ..Limits::default() };
    let mut desk = Desk::new(with(vec![limited(limits, add("gift", 10))]));
    let mine = desk.member;
    let theirs = second(&mut desk);
    let turns = [
        ("2025-07-01T10:00:00Z", mine, "gift 10"),
        ("2025-07-01T11:00:00Z", mine, "gift 10"),
        ("2025-07-01T23:59:59Z", mine, "gift DayLimit"),
        ("2025-07-02T00:00:00Z", mine, "gift 10"),
        ("2025-07-03T00:00:00Z", mine, "gift MemberLimit"),
        ("2025-07-03T00:00:00Z", theirs, "gift 10"),
        ("2025-07-03T00:00:00Z", theirs, "gift TotalLimit"),
    ];
    let mut bought = Vec::new();
    for (time, member, wanted) in turns {
        desk.member = member;
        bought.push(desk.at(time).buy(100));
        assert_eq!(one(&bought[bought.len() - 1]), wanted, "{time}");
    }
    desk.member = mine;
    all_back(desk.at("2025-07-03T01:00:00Z"), bought[0].id);
    assert_eq!(used(&desk, "gift"), (3, 30));
    assert_eq!(one(&desk.buy(100)), "gift 10", "a use came back");
    assert_eq!(one(&desk.buy(100)), "gift MemberLimit");
}

/// First the cap of a purchase, then that of the month, then the budget: told is what decided.
#[test]
fn a_budget_of_money_is_given_out_to_the_cent() {
    let mut desk = Desk::new(with(vec![limited(budget_money(1_000), back(Some(400), Some(700)))]));
    desk.at("2025-07-01T10:00:00Z");
    let (mine, theirs) = (desk.member, second(&mut desk));
    let buy = |desk: &mut Desk, member: MemberId, amount: i64| {
        desk.member = member;
        let bought = desk.buy(amount);
        let why = &bought.explanation.promotions[0];
        assert_eq!(bought.given.get(), amount / 100, "points are earned beside it");
        let Some(told) = &why.cashback else { return (bought.id, format!("{:?}", why.missed.expect("missed"))) };
        assert_eq!(bought.wallet.map_or(Minor::ZERO, |wallet| wallet.cashback), told.given);
        assert_eq!(why.counted.map_or(Minor::ZERO, |counted| counted.money), told.given);
        let of = |what: Option<Minor>| what.map_or("-".to_owned(), |what| what.to_string());
        let (wanted, month, budget) = (of(told.wanted), of(told.left), of(told.left_of_budget));
        (bought.id, format!("{} of {wanted}, month {month}, budget {budget}", told.given))
    };
    let turns = [
        (mine, 2_000, "100 of -, month -, budget -"),
        (mine, 10_000, "400 of 500, month -, budget -"),
        (mine, 10_000, "200 of 500, month 200, budget -"),
        (mine, 10_000, "0 of 500, month 0, budget -"),
        (theirs, 10_000, "300 of 500, month -, budget 300"),
        (theirs, 10_000, "Budget"),
    ];
    let mut bought = Vec::new();
    for (member, amount, wanted) in turns {
        let (id, told) = buy(&mut desk, member, amount);
        assert_eq!(told, wanted);
        bought.push(id);
    }
    assert_eq!((used(&desk, "back"), money_used(&desk, "back")), ((4, 0), 1_000));
    // Only when nothing of a sale remains does its part of the budget come back.
    desk.member = mine;
    let half = ReturnedGoods::Lines(vec![ReturnLine { line: 1, part: ReturnPart::Amount(minor(5_000)) }]);
    desk.take_back(bought[1], half).expect("a half comes back");
    assert_eq!(money_used(&desk, "back"), 1_000);
    all_back(&mut desk, bought[1]);
    assert_eq!((used(&desk, "back"), money_used(&desk, "back")), ((3, 0), 600));
    assert_eq!(buy(&mut desk, theirs, 10_000).1, "400 of 500, month -, budget -");
    assert_eq!(buy(&mut desk, theirs, 10_000).1, "Budget");
}

#[test]
fn a_budget_is_of_what_the_promotion_gives() {
    let found = |promotion: Promotion| -> Vec<String> {
        let problems = with(vec![promotion]).problems();
        problems.into_iter().map(|problem| format!("{} {}", problem.pointer, problem.code)).collect()
    };
    let cases = [
        (limited(budget_money(1), back(None, None)), None),
        (limited(budget_money(0), back(None, None)), Some("budget_money too_small")),
        (limited(budget(1), back(None, None)), Some("budget_points gives_no_points")),
        (limited(budget_money(1), add("gift", 5)), Some("budget_money gives_no_money")),
        (limited(budget_money(1), multiply("double", "2")), Some("budget_money gives_no_money")),
    ];
    for (promotion, wanted) in cases {
        let wanted: Vec<String> = wanted.iter().map(|wanted| format!("/promotions/0/limits/{wanted}")).collect();
        assert_eq!(found(promotion), wanted);
    }
}

/// Money that came to nothing, a cap that bit: only points that were given count.
#[test]
fn what_was_not_given_does_not_count() {
    let mut document =
        with(vec![limited(budget(1_000), add("gift", 50)), limited(budget(1_000), multiply("same", "1"))]);
    document.earning.cap_per_purchase = Some(points(30));
    let mut desk = Desk::new(document.clone());
    let bought = desk.buy(1_000);
    assert_eq!((bought.given.get(), told(&bought.explanation)), (30, vec!["gift 50".to_owned(), "same 0".to_owned()]));
    assert_eq!((used(&desk, "gift"), used(&desk, "same")), ((1, 30), (0, 0)));
    document.earning.cap_per_day = Some(points(30));
    desk.programme = document;
    assert_eq!(desk.buy(1_000).given.get(), 0);
    assert_eq!(used(&desk, "gift"), (1, 30), "the day has no room");
}

#[test]
fn of_a_group_the_first_that_gives_something_counts() {
    let cases = [
        (
            Combine::Add,
            vec![of_group("g", 1, add("b", 5)), of_group("g", 0, add("a", 7)), add("c", 1)],
            ["a 7", "c 1", "b ExclusionGroup"],
        ),
        // The first has nothing left to give.
        (
            Combine::Add,
            vec![limited(budget(3), of_group("g", 0, add("a", 7))), of_group("g", 1, add("b", 5)), add("c", 1)],
            ["a 3", "c 1", "b ExclusionGroup"],
        ),
        // The first is beaten by one outside the group, and the next is tried.
        (
            Combine::Best,
            vec![of_group("g", 0, multiply("a", "2")), of_group("g", 1, add("b", 5)), multiply("c", "3")],
            ["a ExclusionGroup", "c 20", "b 5"],
        ),
    ];
    for (combine, promotions, wanted) in cases {
        let mut document = with(promotions);
        document.earning.combine = combine;
        let mut desk = Desk::new(document);
        assert_eq!(told(&desk.buy(1_000).explanation), wanted);
        if wanted[0] == "a 3" {
            assert_eq!(told(&desk.buy(1_000).explanation), ["a Budget", "c 1", "b 5"]);
        }
    }
}

#[test]
fn points_per_amount_are_for_what_counts_of_their_lines() {
    let of = |category: &str, amount| Line { categories: vec![category.to_owned()], ..line(amount) };
    let coffee = Promotion { categories: vec!["coffee".to_owned()], ..per("beans", 3, 500) };
    let mut document = with(vec![coffee]);
    document.earning.excluded_categories = vec!["gift_card".to_owned()];
    let mut desk = Desk::new(document);
    let mut receipt = desk.receipt(0);
    let card = Line { categories: vec!["coffee".to_owned(), "gift_card".to_owned()], ..line(5_000) };
    receipt.lines = vec![of("coffee", 999), of("coffee", 600), of("tea", 2_000), card];
    let bought = desk.purchase(receipt).expect("it is taken");
    // 15.99 of coffee counts: three times 5.00.
    assert_eq!((bought.given.get(), one(&bought).as_str()), (35 + 9, "beans 9"));
    let coffee_back = |line| ReturnedGoods::Lines(vec![ReturnLine { line, part: ReturnPart::Rest }]);
    let returned = desk.take_back(bought.id, coffee_back(2)).expect("it comes back");
    // 29.99 and one 5.00 of coffee remain.
    assert_eq!(returned.record.clawed.get(), 44 - (29 + 3));
}

#[test]
fn a_purchase_that_moves_takes_its_uses_along() {
    let limits = Limits { per_member: Some(1), ..budget(100) };
    let mut desk = Desk::new(with(vec![limited(limits, add("gift", 10))]));
    let (mine, theirs) = (desk.member, second(&mut desk));
    let bought = desk.buy(1_000);
    let again = desk.receipt(1_000);
    let moving = Move { id: ReturnId::new(desk.id()), purchase: bought.id, to: theirs, again };
    desk.run(&Command::Move(Box::new(moving))).expect("it moves");
    assert_eq!(used(&desk, "gift"), (1, 10));
    assert_eq!(one(&desk.buy(1_000)), "gift 10", "the use is not his any more");
    desk.member = theirs;
    assert_eq!(one(&desk.buy(1_000)), "gift MemberLimit");
    assert_ne!(mine, theirs);
}

const CODES: [&str; 4] = ["p0", "p1", "p2", "p3"];
const GROUPS: [&str; 2] = ["g", "h"];

fn promotions() -> impl Strategy<Value = Vec<Promotion>> {
    let effect = prop_oneof![
        (10_000_i64..40_000).prop_map(|units| PromotionEffect::Multiply { by: Multiplier::from_units(units) }),
        (1_i64..60).prop_map(|value| PromotionEffect::Add { points: points(value) }),
        (1_i64..9, 1_i64..3_000).prop_map(|(value, per)| PromotionEffect::PerAmount {
            points: points(value),
            per: Minor::new(per).expect("in range"),
        }),
        (100_i64..200_000, prop::option::of(1_i64..200), prop::option::of(1_i64..300)).prop_map(
            |(units, cap, month)| PromotionEffect::Cashback {
                percent: Multiplier::from_units(units),
                cap: cap.map(minor),
                cap_per_month: month.map(minor),
            }
        ),
    ];
    let uses = |most: u32| prop::option::weighted(0.4, 1..most);
    let limits = (uses(4), uses(3), uses(8), prop::option::weighted(0.6, 1_i64..200)).prop_map(
        |(per_member, per_member_per_day, total, budget)| Limits {
            per_member,
            per_member_per_day,
            total,
            budget_points: budget.map(points),
            budget_money: None,
        },
    );
    let group = prop::option::weighted(0.3, 0..2_usize);
    let cap = prop::option::weighted(0.2, 1_i64..50);
    prop::collection::vec((effect, limits, group, cap, 0..3_i32), 1..=4).prop_map(|all| {
        let one = |(i, (effect, limits, group, cap, priority)): (usize, (_, _, Option<usize>, Option<i64>, _))| {
            let group = group.map(|group| GROUPS[group].to_owned());
            let money = matches!(effect, PromotionEffect::Cashback { .. });
            let cap_per_purchase = cap.filter(|_| !money).map(points);
            let limits = if money { in_money(limits) } else { limits };
            Promotion { limits, exclusion_group: group, cap_per_purchase, ..promotion(CODES[i], priority, effect) }
        };
        all.into_iter().enumerate().map(one).collect()
    })
}

/// The same budget, in minor units.
fn in_money(limits: Limits) -> Limits {
    let budget_money = limits.budget_points.map(|budget| minor(budget.get()));
    Limits { budget_points: None, budget_money, ..limits }
}

fn combine() -> impl Strategy<Value = Combine> {
    prop_oneof![Just(Combine::Best), Just(Combine::Add), Just(Combine::Multiply)]
}

#[derive(Debug, Clone)]
enum Act {
    Buy(usize, i64),
    /// Some of an earlier purchase, or all of it.
    Back(usize, bool),
    Wait,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..3_usize, 0_i64..20_000).prop_map(|(who, amount)| Act::Buy(who, amount)),
        2 => (0..9_usize, any::<bool>()).prop_map(|(which, all)| Act::Back(which, all)),
        1 => Just(Act::Wait),
    ]
}

/// A sale that is on record, by whom and on which day.
struct Kept {
    who: usize,
    day: String,
    id: PurchaseId,
    counted: Vec<(String, Counted)>,
}

/// So many uses that gave so much of what the promotion gives.
fn usage_of(&(uses, given): &(i64, i64)) -> PromotionUsage {
    PromotionUsage { uses, points: given, money: given }
}

proptest! {
    #![proptest_config(cases(400))]

    /// Whatever happens in whatever order: what is counted is what the sales that remain were given, and no
    /// limit is passed by one.
    #[test]
    fn no_limit_is_ever_passed(
        combine in combine(),
        promotions in promotions(),
        caps in (prop::option::weighted(0.2, 1_i64..150), prop::option::weighted(0.2, 1_i64..150)),
        acts in prop::collection::vec(act(), 1..30),
    ) {
        let mut document = with(promotions);
        document.earning.combine = combine;
        (document.earning.cap_per_purchase, document.earning.cap_per_day) = (caps.0.map(points), caps.1.map(points));
        let limits: BTreeMap<String, Limits> =
            document.promotions.iter().map(|one| (one.code.clone(), one.limits)).collect();
        let mut desk = Desk::new(document);
        desk.at("2025-07-01T10:00:00Z");
        let members: Vec<MemberId> = (0..3).map(|i| MemberId::new(Uuid::from_u128(100 + i))).collect();
        for &member in &members {
            desk.state.members.insert(member, MemberState::new(Standing::new(member, desk.now)));
        }
        let mut sales: Vec<Kept> = Vec::new();
        for act in acts {
            match act {
                Act::Wait => desk.now += chrono::Duration::hours(20),
                Act::Buy(who, amount) => {
                    desk.member = members[who];
                    let bought = desk.buy(amount);
                    let why = &bought.explanation.promotions;
                    let counted: Vec<(String, Counted)> =
                        why.iter().filter_map(|told| Some((told.code.clone(), told.counted?))).collect();
                    let of = |what: fn(&Counted) -> i64| counted.iter().map(move |(_, counted)| what(counted));
                    let (points, money) = (|one: &Counted| one.points.get(), |one: &Counted| one.money.get());
                    prop_assert!(of(points).zip(of(money)).all(|(points, money)| (points > 0) != (money > 0)));
                    prop_assert!(of(points).sum::<i64>() <= bought.given.get());
                    let cashback = bought.wallet.map_or(0, |wallet| wallet.cashback.get());
                    prop_assert!(of(money).sum::<i64>() <= cashback);
                    // What is cut to the rest takes all of it.
                    for told in why {
                        let cut = told.cashback.as_ref().is_some_and(|cashback| cashback.left_of_budget.is_some());
                        let budget = limits[&told.code].budget_money.map_or(0, Minor::get);
                        prop_assert!(!cut || money_used(&desk, &told.code) == budget);
                    }
                    let day = desk.now.format("%F").to_string();
                    sales.push(Kept { who, day, id: bought.id, counted });
                }
                Act::Back(which, all) if !sales.is_empty() => {
                    let which = which % sales.len();
                    desk.member = members[sales[which].who];
                    let half = ReturnPart::Quantity("0.5".parse().expect("a quantity"));
                    let goods = if all {
                        ReturnedGoods::All
                    } else {
                        ReturnedGoods::Lines(vec![ReturnLine { line: 1, part: half }])
                    };
                    drop(desk.take_back(sales[which].id, goods));
                    let left = desk.member().sales[&sales[which].id].remainder().expect("in range");
                    if left.empty {
                        sales.remove(which);
                    }
                }
                Act::Back(..) => {}
            }
            for (code, limits) in &limits {
                let theirs = |sale: &Kept| sale.counted.iter().find(|(of, _)| of == code).map(|(_, counted)| *counted);
                let of: Vec<(&Kept, Counted)> = sales.iter().filter_map(|sale| Some((sale, theirs(sale)?))).collect();
                let uses = of.len() as i64;
                let points = of.iter().map(|(_, counted)| counted.points.get()).sum::<i64>();
                let money = of.iter().map(|(_, counted)| counted.money.get()).sum::<i64>();
                prop_assert_eq!(used(&desk, code), (uses, points));
                prop_assert_eq!(money_used(&desk, code), money);
                prop_assert!(limits.budget_points.is_none_or(|budget| points <= budget.get()));
                prop_assert!(limits.budget_money.is_none_or(|budget| money <= budget.get()));
                prop_assert!(limits.total.is_none_or(|total| uses <= i64::from(total)));
                for who in 0..3 {
                    let mine = of.iter().filter(|(sale, _)| sale.who == who);
                    prop_assert!(limits.per_member.is_none_or(|most| mine.clone().count() <= most as usize));
                    let mut days = BTreeMap::new();
                    mine.for_each(|(sale, _)| *days.entry(&sale.day).or_insert(0_u32) += 1);
                    let most = limits.per_member_per_day.unwrap_or(u32::MAX);
                    prop_assert!(days.values().all(|uses| *uses <= most));
                }
            }
        }
    }

    /// A purchase is decided the same for every usage in the range that its explanation stands for.
    #[test]
    fn a_decision_holds_in_its_range(
        combine in combine(),
        promotions in promotions(),
        amount in 0_i64..20_000,
        before in prop::collection::vec((0_i64..9, 0_i64..220), 4),
        other in prop::collection::vec((-3_i64..12, -30_i64..250), 4),
    ) {
        let mut document = with(promotions);
        document.earning.combine = combine;
        let buy = |used: &[(i64, i64)]| {
            let mut desk = Desk::new(document.clone());
            let usage = CODES.iter().zip(used);
            let usage = usage.map(|(code, used)| ((*code).to_owned(), usage_of(used)));
            desk.state.shared.promotions_used = usage.collect();
            desk.buy(amount)
        };
        let first = buy(&before);
        let ranges: BTreeMap<&str, UsageRange> = document
            .promotions
            .iter()
            .map(|promotion| {
                let told = first.explanation.promotions.iter().find(|told| told.code == promotion.code);
                let told = told.expect("every promotion is told");
                (promotion.code.as_str(), promotion.limits.range(told, PromotionUsage::default()))
            })
            .collect();
        let holds = |used: &[(i64, i64)]| {
            CODES.iter().zip(used).all(|(code, used)| ranges.get(code).is_none_or(|range| range.holds(usage_of(used))))
        };
        prop_assert!(holds(&before), "it holds where it was decided");
        if holds(&other) {
            let second = buy(&other);
            prop_assert_eq!(second.given, first.given);
            prop_assert_eq!(&second.explanation, &first.explanation);
        }
        // A change before it in the same batch moves the range, not the answer.
        for promotion in &document.promotions {
            let told = first.explanation.promotions.iter().find(|told| told.code == promotion.code).expect("told");
            let at = CODES.iter().position(|code| *code == promotion.code).expect("a code");
            let change = usage_of(&(2, 17));
            let (uses, given) = before[at];
            let earlier = usage_of(&(uses - 2, given - 17));
            prop_assert!(promotion.limits.range(told, change).holds(earlier));
        }
    }

    /// In which order promotions come makes no difference to what a purchase earns, unless one is limited.
    #[test]
    fn the_order_of_promotions_changes_no_total(
        combine in combine(),
        promotions in promotions(),
        order in Just(vec![0_i32, 1, 2, 3]).prop_shuffle(),
        amount in 0_i64..20_000,
    ) {
        let free = |(promotion, priority): (&Promotion, i32)| Promotion {
            limits: Limits::default(),
            exclusion_group: None,
            cap_per_purchase: None,
            priority,
            ..promotion.clone()
        };
        let earned = |order: &[i32]| {
            let mut document = with(promotions.iter().zip(order.iter().copied()).map(free).collect());
            document.earning.combine = combine;
            Desk::new(document).buy(amount).given
        };
        prop_assert_eq!(earned(&[0, 1, 2, 3]), earned(&order));
    }
}
