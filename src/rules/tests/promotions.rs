//! What promotions ask of a purchase, which lines they multiply, and what becomes of them when goods
//! come back (PROGRAMME.md §3, §4 and §8).

use proptest::prelude::*;
use tessera_rules::amount::{Minor, Points};
use tessera_rules::command::{Line, ReturnLine, ReturnPart, ReturnedGoods};
use tessera_rules::decision::PurchaseOutcome;
use tessera_rules::explain::Explanation;
use tessera_rules::promotion::{Combine, Hours, Miss, NthPurchase, Promotion, PromotionEffect};
use tessera_rules::time::{BirthDate, ClockTime};
use tessera_rules::{Programme, Refusal};

use crate::cases::cases;
use crate::support::{Desk, day, level, line, points, programme, promotion, times};

fn multiply(code: &str, by: &str) -> Promotion {
    promotion(code, 0, PromotionEffect::Multiply { by: times(by) })
}

fn add(code: &str, value: i64) -> Promotion {
    promotion(code, 0, PromotionEffect::Add { points: points(value) })
}

fn on(category: &str, promotion: Promotion) -> Promotion {
    Promotion { categories: vec![category.to_owned()], ..promotion }
}

fn when(source: &str, promotion: Promotion) -> Promotion {
    Promotion { condition: Some(source.to_owned().into()), ..promotion }
}

fn of(category: &str, amount: i64) -> Line {
    Line { categories: vec![category.to_owned()], ..line(amount) }
}

fn with(promotions: Vec<Promotion>) -> Programme {
    Programme { promotions, ..programme() }
}

fn clock(text: &str) -> ClockTime {
    text.to_owned().try_into().expect("a time of the day")
}

fn buy(desk: &mut Desk, lines: &[Line]) -> PurchaseOutcome {
    let mut receipt = desk.receipt(0);
    receipt.lines = lines.to_vec();
    desk.purchase(receipt).expect("the purchase is taken")
}

/// Each promotion with why it missed, or what it was charged.
fn told(why: &Explanation) -> Vec<String> {
    let one = |p: &tessera_rules::explain::PromotionExplained| match p.missed {
        Some(miss) => format!("{} {miss:?}", p.code),
        None => format!("{} {}", p.code, p.charged),
    };
    why.promotions.iter().map(one).collect()
}

/// What one promotion comes to on a purchase of Tuesday, 1 July 2025, 14:30: its points, or why it
/// missed.
fn comes_to(promotion: Promotion, lines: &[Line]) -> Result<i64, Miss> {
    let mut desk = Desk::new(with(vec![promotion]));
    let why = buy(desk.at("2025-07-01T14:30:00Z"), lines).explanation;
    why.promotions[0].missed.map_or(Ok(why.promotions[0].charged.get()), Err)
}

#[test]
fn every_field_must_hold() {
    let gift = || add("gift", 50);
    let hours = |from: &str, to: &str| Hours { from: clock(from), to: clock(to) };
    let open = |windows: &[Hours]| {
        let mut gift = gift();
        gift.schedule.hours = windows.to_vec();
        gift
    };
    let on_day = |text: &str| {
        let mut gift = gift();
        gift.schedule.days = vec![day("2025-11-11"), day(text)];
        gift
    };
    let spend = |least: i64, gift: Promotion| Promotion { minimum_spend: Minor::new(least).ok(), ..gift };
    let nth = |nth: NthPurchase| Promotion { nth_purchase: Some(nth), ..gift() };
    let receipt = [of("coffee", 800), of("cake", 1_200)];
    let sku = Promotion { skus: vec!["bean".to_owned()], ..gift() };
    let bean = [Line { sku: Some("bean".to_owned()), ..line(100) }];
    let given_back = [of("coffee", 800), of("coffee", -800), line(500)];
    let cases = [
        ("inside", open(&[hours("09:00", "10:00"), hours("14:30", "17:00")]), &receipt[..], Ok(50)),
        ("at the end", open(&[hours("14:00", "14:30")]), &receipt, Err(Miss::Hours)),
        ("all day", open(&[hours("00:00", "24:00")]), &receipt, Ok(50)),
        ("that day", on_day("2025-07-01"), &receipt, Ok(50)),
        ("another day", on_day("2025-07-02"), &receipt, Err(Miss::Schedule)),
        ("coffee", on("coffee", gift()), &receipt, Ok(50)),
        ("tea", on("tea", gift()), &receipt, Err(Miss::Lines)),
        ("sku", sku.clone(), &bean, Ok(50)),
        ("no sku", sku, &receipt, Err(Miss::Lines)),
        ("brought back at once", on("coffee", gift()), &given_back, Err(Miss::Lines)),
        ("enough", spend(2_000, gift()), &receipt, Ok(50)),
        ("not enough", spend(2_001, gift()), &receipt, Err(Miss::MinimumSpend)),
        ("not enough coffee", spend(801, on("coffee", gift())), &receipt, Err(Miss::MinimumSpend)),
        ("first", Promotion { first_purchase: true, ..gift() }, &receipt, Ok(50)),
        ("exactly the first", nth(NthPurchase::Exactly(1)), &receipt, Ok(50)),
        ("every third", nth(NthPurchase::Every(3)), &receipt, Err(Miss::NthPurchase)),
        ("met", when("lines.exists(l, 'cake' in l.categories)", gift()), &receipt, Ok(50)),
        ("not met", when("purchase.amount > 2000", gift()), &receipt, Err(Miss::Condition)),
        ("the clock", when("now.hour == 14 && now.minute == 30 && now.weekday == 'tuesday'", gift()), &receipt, Ok(50)),
        ("the date", when("now.date == '2025-07-01' && member.days_enrolled == 181", gift()), &receipt, Ok(50)),
    ];
    for (name, promotion, lines, wanted) in cases {
        assert_eq!(comes_to(promotion, lines), wanted, "{name}");
    }
}

/// A purchase that came back whole is none: the next is the first again, and the third the second.
#[test]
fn purchases_are_counted_as_they_stand() {
    let first = Promotion { first_purchase: true, ..add("first", 50) };
    let second = Promotion { nth_purchase: Some(NthPurchase::Every(2)), ..add("second", 7) };
    let mut desk = Desk::new(with(vec![first, second]));
    let bought = desk.buy(1_000);
    assert_eq!(told(&bought.explanation), ["first 50", "second NthPurchase"]);
    desk.take_back(bought.id, ReturnedGoods::All).expect("it comes back");
    assert_eq!(told(&desk.buy(1_000).explanation), ["first 50", "second NthPurchase"]);
    assert_eq!(told(&desk.buy(1_000).explanation), ["first FirstPurchase", "second 7"]);
    assert_eq!(told(&desk.buy(1_000).explanation), ["first FirstPurchase", "second NthPurchase"]);
}

/// What multiplies multiplies the lines it is for, and a line of several goes by the programme's setting.
#[test]
fn a_line_is_multiplied_by_what_is_for_it() {
    let lines = [of("coffee", 1_000), of("tea", 2_000), line(4_000)];
    let promotions =
        || vec![on("coffee", multiply("a-coffee", "3")), on("tea", multiply("b-tea", "1.5")), multiply("c-all", "2")];
    let mut desk = Desk::new(with(promotions()));
    let why = buy(&mut desk, &lines).explanation;
    // Best: coffee three times, tea and the rest twice.
    assert_eq!(told(&why), ["a-coffee 20", "b-tea NotBest", "c-all 60"]);
    let shares: Vec<i64> = why.lines.iter().map(|line| line.points.get()).collect();
    assert_eq!(shares, [30, 40, 80]);
    let own: Vec<Option<String>> = why.lines.iter().map(|l| l.promotion_multiplier.map(|m| m.to_string())).collect();
    assert_eq!((why.promotion_multiplier, own), (times("2"), vec![Some("3".to_owned()), None, None]));

    for (combine, wanted) in [
        (Combine::Add, ["a-coffee 20", "b-tea 10", "c-all 70"]),
        (Combine::Multiply, ["a-coffee 20", "b-tea 10", "c-all 100"]),
    ] {
        let mut document = with(promotions());
        document.earning.combine = combine;
        assert_eq!(told(&buy(&mut Desk::new(document), &lines).explanation), wanted, "{combine:?}");
    }
}

/// A condition knows the member as he was before the purchase.
#[test]
fn a_condition_sees_the_member_before_the_purchase() {
    let mut document = with(vec![
        when("member.purchases == 0 && member.days_since_purchase == -1 && member.tier_rank == 0", add("a", 1)),
        when("member.purchases == 1 && member.available == 501 && member.days_since_purchase == 9", add("b", 2)),
        when("member.tier == 'gold' && member.tier_rank == 1 && member.window_points == 500", add("c", 4)),
        when("member.has_birthday && member.days_to_birthday == 0", add("d", 8)),
        when("!member.has_birthday && member.days_to_birthday == -1", add("e", 16)),
    ]);
    document.tiers.levels = vec![level("base", 0, "1"), level("gold", 500, "1")];
    let mut desk = Desk::new(document);
    let first = desk.at("2025-02-01T10:00:00Z").buy(50_000);
    assert_eq!(told(&first.explanation), ["a 1", "b Condition", "c Condition", "d Condition", "e 16"]);
    desk.adjust(-16).expect("it is taken");
    desk.member().birth_date = Some(BirthDate { year: None, month: 2, day: 10 });
    let second = desk.at("2025-02-10T10:00:00Z").buy(100);
    assert_eq!(told(&second.explanation), ["a Condition", "b 2", "c 4", "d 8", "e Condition"]);
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let mut wrong = when("member.teir == 'gold'\n && purchase.amount > 1.5", add("wrong", 1));
    wrong.minimum_spend = Some(Minor::ZERO);
    wrong.first_purchase = true;
    wrong.nth_purchase = Some(NthPurchase::Every(0));
    wrong.schedule.hours = vec![Hours { from: clock("22:00"), to: clock("02:00") }];
    let found = with(vec![wrong]).problems();
    let found: Vec<(&str, &str)> = found.iter().map(|problem| (problem.pointer.as_str(), problem.code)).collect();
    let wanted = [
        ("/promotions/0/schedule/hours/0/to", "before_from"),
        ("/promotions/0/minimum_spend", "too_small"),
        ("/promotions/0/nth_purchase", "out_of_range"),
        ("/promotions/0/nth_purchase", "one_of_first_or_nth"),
        ("/promotions/0/when", "unknown_field"),
        ("/promotions/0/when", "float"),
    ];
    assert_eq!(found, wanted);
    let problems = with(vec![when("member.teir == 'gold'", add("wrong", 1))]).problems();
    assert_eq!(problems[0].detail, "line 1, column 8: `member` has no `teir`; did you mean `tier`?");
}

#[test]
fn times_of_the_day() {
    for text in ["00:00", "09:05", "23:59", "24:00"] {
        assert_eq!(String::from(clock(text)), text);
    }
    for text in ["24:01", "9:00", "12:60", "12", "12:0a", "-1:00", "12:00:00", "+1:00"] {
        assert!(ClockTime::try_from(text.to_owned()).is_err(), "{text}");
    }
}

fn back(desk: &mut Desk, bought: &PurchaseOutcome, line: u32) -> i64 {
    let goods = ReturnedGoods::Lines(vec![ReturnLine { line, part: ReturnPart::Rest }]);
    desk.take_back(bought.id, goods).expect("it comes back").record.clawed.get()
}

/// A promotion holds for what remains, or is taken back with its points.
#[test]
fn a_return_tests_the_goods_again() {
    let least = |least: i64, promotion: Promotion| Promotion { minimum_spend: Minor::new(least).ok(), ..promotion };
    let cases = [
        // (promotion, points given, points taken back with the second line)
        ("minimum still reached", least(1_000, add("p", 50)), 80, 20),
        ("minimum missed", least(1_001, add("p", 50)), 80, 70),
        ("coffee is still there", on("coffee", add("p", 50)), 80, 20),
        ("the tea was what it was for", on("tea", add("p", 50)), 80, 70),
        ("twice the tea", on("tea", multiply("p", "2")), 50, 40),
        ("twice the coffee", on("coffee", multiply("p", "2")), 40, 20),
        ("condition still met", when("purchase.amount >= 1000", add("p", 50)), 80, 20),
        ("condition missed", when("purchase.amount > 1000", add("p", 50)), 80, 70),
        ("the goods themselves", when("lines.exists(l, 'tea' in l.categories)", add("p", 50)), 80, 70),
        ("the member stands", when("member.purchases == 0 && purchase.amount > 0", add("p", 50)), 80, 20),
        ("the day stands", when("now.date == '2025-07-01'", add("p", 50)), 80, 20),
    ];
    for (name, promotion, given, taken) in cases {
        let mut desk = Desk::new(with(vec![promotion]));
        let lines = [of("coffee", 1_000), of("tea", 2_000)];
        let bought = buy(desk.at("2025-07-01T10:00:00Z"), &lines);
        assert_eq!(bought.given, points(given), "{name}");
        desk.at("2025-07-09T10:00:00Z").buy(700);
        assert_eq!(back(&mut desk, &bought, 2), taken, "{name}");
        assert_eq!(back(&mut desk, &bought, 1), given - taken, "{name}: all of it in the end");
    }
}

/// Where the best is lost the next best takes its place, and what had missed never begins to apply.
#[test]
fn the_next_best_takes_the_place_of_what_is_lost() {
    let triple = Promotion { minimum_spend: Minor::new(2_500).ok(), ..multiply("triple", "3") };
    let small = when("purchase.amount < 1500", multiply("small", "9"));
    let mut desk = Desk::new(with(vec![triple, multiply("double", "2"), small]));
    let bought = buy(&mut desk, &[line(1_000), line(2_000)]);
    assert_eq!(told(&bought.explanation), ["double NotBest", "small Condition", "triple 60"]);
    assert_eq!(back(&mut desk, &bought, 2), 70, "90 were given, and 10.00 are worth 20");
}

/// The programme may have changed since: what was asked then is asked again.
#[test]
fn a_return_never_looks_at_today_s_promotions() {
    let mut desk = Desk::new(with(vec![when("purchase.amount >= 3000", add("p", 50))]));
    let bought = buy(&mut desk, &[line(1_000), line(2_000)]);
    desk.programme.promotions.clear();
    assert_eq!(back(&mut desk, &bought, 1), 60);
}

/// An explanation of the time before conditions reads as it did.
#[test]
fn explanations_without_conditions_stay_as_they_were() {
    let mut desk = Desk::new(with(vec![multiply("double", "2"), add("gift", 10)]));
    let why = desk.buy(1_000).explanation;
    assert_eq!((why.combine, why.facts.as_ref()), (None, None));
    assert!(why.promotions.iter().all(|promotion| promotion.goods.is_none()));
    assert!(why.lines.iter().all(|line| line.promotion_multiplier.is_none()));
}

#[derive(Debug, Clone)]
struct Asked {
    category: Option<usize>,
    least: Option<i64>,
    when: Option<usize>,
    effect: PromotionEffect,
}

const CATEGORIES: [&str; 3] = ["coffee", "tea", "cake"];
const CONDITIONS: [&str; 4] = [
    "purchase.amount >= 2000",
    "lines.exists(l, 'tea' in l.categories) && lines.all(l, l.amount < 4000)",
    "count(lines) < 3",
    "sum(lines.map(l, l.quantity)) >= quantity(2)",
];

fn asked() -> impl Strategy<Value = Asked> {
    let multiply = |units| PromotionEffect::Multiply { by: tessera_rules::amount::Multiplier::from_units(units) };
    let per =
        |(value, per)| PromotionEffect::PerAmount { points: points(value), per: Minor::new(per).expect("in range") };
    let effect = prop_oneof![
        (10_000_i64..40_000).prop_map(multiply),
        (1_i64..60).prop_map(|value| PromotionEffect::Add { points: points(value) }),
        (1_i64..60, 1_i64..3_000).prop_map(per),
    ];
    (prop::option::of(0..3_usize), prop::option::of(1_i64..5_000), prop::option::of(0..4_usize), effect)
        .prop_map(|(category, least, when, effect)| Asked { category, least, when, effect })
}

impl Asked {
    fn document(&self, i: usize) -> Promotion {
        let plain = promotion(&format!("p{i}"), i as i32, self.effect.clone());
        Promotion {
            categories: self.category.map(|category| CATEGORIES[category].to_owned()).into_iter().collect(),
            minimum_spend: self.least.and_then(|least| Minor::new(least).ok()),
            condition: self.when.map(|when| CONDITIONS[when].to_owned().into()),
            ..plain
        }
    }
}

proptest! {
    #![proptest_config(cases(400))]

    /// Whatever promotions ask: the lines sum to what was given, charges sum to what promotions added,
    /// a return takes no more than was given, and all of it in the end takes all of it.
    #[test]
    fn goods_may_come_back_in_any_order(
        combine in prop_oneof![Just(Combine::Best), Just(Combine::Add), Just(Combine::Multiply)],
        promotions in prop::collection::vec(asked(), 1..5),
        receipt in prop::collection::vec((0..4_usize, -500_i64..5_000), 1..5),
        order in Just((1..=4_u32).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let mut document = with(promotions.iter().enumerate().map(|(i, asked)| asked.document(i)).collect());
        document.earning.combine = combine;
        let category = |of: usize, amount| Line {
            categories: CATEGORIES.get(of).map(|&name| name.to_owned()).into_iter().collect(),
            ..line(amount)
        };
        let lines: Vec<Line> = receipt.iter().map(|&(of, amount)| category(of, amount)).collect();
        let mut desk = Desk::new(document);
        let bought = buy(&mut desk, &lines);
        let why = &bought.explanation;
        prop_assert_eq!(why.lines.iter().map(|line| line.points.get()).sum::<i64>(), bought.given.get());
        let charged: i64 = why.promotions.iter().map(|promotion| promotion.charged.get()).sum();
        let weighted = why.lines.iter().map(|line| line.basis.get()).sum::<i64>().max(0);
        prop_assert_eq!(weighted / 100 + charged, bought.given.get());
        let stored = desk.member().sales[&bought.id].clone();
        prop_assert_eq!(stored.remainder().map(|left| left.points), Ok(bought.given), "nothing came back yet");
        let mut taken = Points::ZERO;
        for line in order {
            let goods = ReturnedGoods::Lines(vec![ReturnLine { line, part: ReturnPart::Rest }]);
            match desk.take_back(bought.id, goods) {
                Ok(returned) => taken = taken.plus(returned.record.clawed).expect("in range"),
                Err(refused) => prop_assert!(matches!(refused, Refusal::LineUnknown(_) | Refusal::MoreThanLeft(_)), "{refused:?}"),
            }
            prop_assert!(taken <= bought.given);
        }
        if lines.iter().any(|line| line.amount.get() != 0) {
            prop_assert_eq!(taken, bought.given);
        }
    }
}
