//! Conditions: what the checks accept never fails, and means what it says.

mod dice;
mod docs;
mod language;
mod refused;

use dice::Dice;
use language::{Overflow, Teller, V};
use proptest::prelude::*;

use crate::cases::cases;
use tessera_rules::condition::{Condition, ConditionProblem, Fault};

fn codes(condition: &Condition) -> Vec<&'static str> {
    condition.problems().iter().map(|problem: &ConditionProblem| problem.code).collect()
}

proptest! {
    #![proptest_config(cases(2_000))]

    /// What is well typed is accepted, gives a truth, and the one that a naive teller gives.
    #[test]
    fn well_typed_conditions_mean_what_they_say(seed in any::<u64>()) {
        let mut dice = Dice::new(seed);
        let told = dice.condition();
        let condition = Condition::new(told.to_string());
        let bounds = ["too_costly", "too_long", "too_deep"];
        prop_assert!(codes(&condition).iter().all(|code| bounds.contains(code)), "{told}\n{:?}", condition.problems());
        prop_assume!(condition.problems().is_empty());
        for _ in 0..4 {
            let facts = dice.facts();
            let wanted = Teller { facts: &facts, loops: Vec::new() }.tell(&told);
            let wanted = wanted.map(|value| value == V::Bool(true)).map_err(|Overflow| Fault::Overflow);
            prop_assert_eq!(condition.evaluate(&facts), wanted, "{} on {:?}", told, facts);
        }
    }

    /// Whatever the checks accept of a soup of words, or of a condition that was damaged, gives a truth.
    #[test]
    fn what_is_accepted_does_not_fail(seed in any::<u64>()) {
        let mut dice = Dice::new(seed);
        let source = if seed % 3 == 0 { soup(&mut dice) } else { damaged(&mut dice) };
        let condition = Condition::new(source.clone());
        for problem in condition.problems() {
            let lines: Vec<&str> = source.split('\n').collect();
            let line = lines.get(problem.line as usize - 1);
            prop_assert!(line.is_some_and(|line| problem.column as usize <= line.chars().count() + 2), "{source}\n{problem}");
        }
        if condition.problems().is_empty() {
            for _ in 0..4 {
                let met = condition.evaluate(&dice.facts());
                prop_assert!(matches!(met, Ok(_) | Err(Fault::Overflow)), "{source}: {met:?}");
            }
        }
    }
}

const WORDS: [&str; 66] = [
    "tags",
    "segments",
    "channel",
    "birth_month",
    "member",
    "purchase",
    "lines",
    "now",
    "event",
    ".",
    ".",
    "tier",
    "tier_rank",
    "amount",
    "store",
    "tenders",
    "date",
    "l",
    "x",
    "sku",
    "categories",
    "quantity",
    "(",
    "(",
    ")",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    "exists",
    "all",
    "exists_one",
    "map",
    "filter",
    "sum",
    "count",
    "size",
    "startsWith",
    "contains",
    "in",
    "&&",
    "||",
    "!",
    "==",
    "!=",
    "<",
    ">=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "?",
    ":",
    "1",
    "0",
    "9223372036854775807",
    "1.5",
    "\"gold\"",
    "'",
    "true",
    "null",
    "咖啡",
    "has",
];

fn soup(dice: &mut Dice) -> String {
    let words = 1 + dice.throw(25);
    (0..words).map(|_| *dice.pick(&WORDS)).collect::<Vec<_>>().join(if dice.throw(2) == 0 { " " } else { "" })
}

/// A well typed condition of which some words were left out, doubled, swapped or replaced.
fn damaged(dice: &mut Dice) -> String {
    let whole = dice.condition().to_string();
    let mut words: Vec<String> = Vec::new();
    let word = |c: char| c.is_alphanumeric() || c == '_';
    for c in whole.chars() {
        match words.last_mut() {
            Some(last) if word(c) && last.chars().all(word) => last.push(c),
            _ => words.push(c.to_string()),
        }
    }
    for _ in 0..1 + dice.throw(3) {
        let at = dice.throw(words.len() as u64) as usize;
        let other = dice.throw(words.len() as u64) as usize;
        match dice.throw(5) {
            0 => words[at].clear(),
            1 => words[at] = words[at].repeat(2),
            2 => words.swap(at, other),
            3 => words[at] = words[other].clone(),
            _ => words[at] = (*dice.pick(&WORDS)).to_owned(),
        }
    }
    words.concat()
}

/// Arithmetic that leaves the range of numbers is a condition that is not met, either way round.
#[test]
fn a_number_that_does_not_exist_meets_nothing() {
    let facts = Dice::new(7).facts();
    for source in [
        "9223372036854775807 + 1 > 0",
        "!(9223372036854775807 + 1 > 0)",
        "sum([9223372036854775807, 1]) != 0",
        "-(-9223372036854775808) != 0",
        "-9223372036854775808 / -1 != 0",
        "[1].map(x, x * 9223372036854775807 * 2) != [1].map(x, x) || true",
    ] {
        let condition = Condition::new(source);
        if condition.problems().is_empty() {
            assert_eq!(condition.evaluate(&facts), Err(Fault::Overflow), "{source}");
            assert!(!condition.met(&facts), "{source}");
        }
    }
    // What settles the rest settles it.
    assert!(Condition::new("9223372036854775807 + 1 > 0 || true").met(&facts));
    // Sums are wide on the way.
    assert!(Condition::new("sum([9223372036854775807, 1, -2]) == 9223372036854775806").met(&facts));
}

/// Nothing hostile takes long, and nothing of it ends the process.
#[test]
fn hostile_conditions_are_refused_quickly() {
    let pairs = |open: &str, close: &str, n: usize| format!("{}true{}", open.repeat(n), close.repeat(n));
    let hostile = [
        ("too_deep", "(".repeat(1_000)),
        ("too_deep", pairs("(", ")", 900)),
        ("too_deep", pairs("[", "]", 900)),
        ("too_deep", pairs("size(", ")", 300)),
        ("too_deep", pairs("!(", ")", 300)),
        ("too_deep", "true?true:".repeat(150) + "true"),
        ("too_deep", "1+".repeat(900) + "1 > 0"),
        ("too_deep", format!("{}1 > 0", "- (-".repeat(30)) + &")".repeat(30)),
        ("unknown_field", "member".to_owned() + &".a".repeat(10)),
        ("too_long", "x".repeat(1_000_000)),
        ("too_long", "(".repeat(1_000_000)),
        ("too_long", " ".repeat(1_000_000)),
        ("too_long", "咖".repeat(700)),
        ("syntax", "'".repeat(999)),
        ("syntax", "\u{0}".to_owned()),
        ("syntax", "true \u{202e}".to_owned()),
        ("too_deep", "r'\\' ".to_owned() + &"(".repeat(90)),
        ("too_costly", "lines.exists(a, lines.exists(b, a.sku == b.sku))".to_owned()),
        ("too_costly", "lines.map(a, a.amount).exists(a, lines.map(b, b.amount).exists(b, a == b))".to_owned()),
        ("too_deep", "[1].exists(a, [1].exists(b, [1].exists(c, a == b)))".to_owned()),
    ];
    let started = std::time::Instant::now();
    for (code, source) in hostile {
        let condition = Condition::new(source.clone());
        let start: String = source.chars().take(60).collect();
        assert!(codes(&condition).contains(&code), "{code}: {start}: {:?}", condition.problems());
        assert!(!condition.met(&Dice::new(1).facts()));
    }
    // Half a minute would be a debug build on a busy machine, and still no exponent.
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
}

/// Brackets and quotes in texts nest nothing.
#[test]
fn brackets_in_texts_do_not_count() {
    for source in [
        format!("member.tier == \"{}\"", "(".repeat(60)),
        format!("member.tier == '{}' || member.tier == r'\\'", "[\\'".repeat(60)),
        format!("member.tier == '''{}'\n'''", "{".repeat(60)),
        format!("true // {}\n&& true", "(".repeat(60)),
    ] {
        assert_eq!(Condition::new(source.clone()).problems(), [], "{source}");
    }
}
