//! `docs/conditions.md` tells the truth: its tables are the rulebook's own, and its examples compile.

use tessera_rules::condition::{Condition, table};

const PAGE: &str = include_str!("../../../../docs/conditions.md");

#[test]
fn the_tables_are_the_rulebook_s_own() {
    let (_, rest) = PAGE.split_once("<!-- table -->\n").expect("where the tables begin");
    let (tables, _) = rest.split_once("<!-- end of table -->").expect("where they end");
    assert_eq!(tables.trim(), table::markdown().trim(), "copy what `table::markdown` prints into docs/conditions.md");
}

#[test]
fn every_example_is_accepted() {
    let blocks: Vec<&str> =
        PAGE.split("```cel\n").skip(1).map(|block| block.split("\n```").next().expect("a block")).collect();
    assert!(blocks.len() >= 10, "{} examples", blocks.len());
    for block in blocks {
        assert_eq!(Condition::new(block).problems(), [], "{block}");
    }
}

/// What the page says is refused, is; with these words.
#[test]
fn the_refused_example_is_refused_so() {
    let condition = Condition::new("member.tier_rank >= 1 && purchase.amout > 12.50");
    for problem in condition.problems() {
        assert!(PAGE.contains(&problem.to_string()), "not on the page: {problem}");
    }
    assert_eq!(condition.problems().len(), 2);
}
