//! What is refused, where, and with which code.

use tessera_rules::condition::Condition;

/// The code, the place of the first problem as line:column, and the condition (`⏎` is a new line).
const TABLE: &str = r#"
unknown_name       1:1    membr.tier == "gold"
unknown_name       1:9    true && line == 1
unknown_name       1:25   lines.exists(l, true || l2.amount > 1)
unknown_name       1:26   lines.exists(l, true) && l.amount > 1
unknown_name       1:1    event.name == "visit"
unknown_name       1:2    .member.tier == "gold"
unknown_field      1:8    member.teir == "gold"
unknown_field      2:12   true &&⏎  purchase.amout > 1
unknown_field      1:19   lines.exists(l, l.price > 1)
unknown_field      1:30   lines.exists(l, l.categories.name == "")
unknown_field      1:7    lines.amount > 1
unknown_field      1:13   member.tier.code == ""
not_a_value        1:1    member == "gold"
not_a_value        1:11   "gold" in member
unknown_function   1:1    exist(lines)
unknown_function   1:7    lines.any(l, true)
unknown_function   1:1    has(member.tier)
unknown_function   1:13   member.tier.matches("g.*")
unknown_function   1:1    int("1") == 1
unknown_function   1:1    timestamp("2025-01-01T00:00:00Z") == now.date
unknown_function   1:7    lines.count() == 1
unknown_function   1:1    exists(lines)
unknown_name       1:1    optional.of(1).hasValue()
wrong_type         1:13   member.tier == 1
wrong_type         1:17   purchase.amount >= "100"
wrong_type         1:28   lines.exists(l, l.quantity >= 2)
wrong_type         1:7    lines == lines
wrong_type         1:23   lines.exists(l, l.sku + "x" == "y")
wrong_type         1:1   member.tier && true
wrong_type         1:1    !member.tier
wrong_type         1:6    true ? 1 : "a"
wrong_type         1:1    1 ? true : false
wrong_type         1:3    1 in member.tier
wrong_type         1:8    "gold" in member.tier
wrong_type         1:8    "gold" in lines
wrong_type         1:18   [1, 2, 3].all(x, x)
wrong_type         1:13   member.tier.exists(x, true)
wrong_type         1:30   lines.exists(l, l.categories.contains("a"))
wrong_arguments    1:5    sum(lines) > 1
wrong_arguments    1:7    count(member.tier) == 1
wrong_arguments    1:24   member.tier.startsWith(1)
wrong_arguments    1:7    lines.exists(l)
wrong_arguments    1:14   lines.exists(1, true)
wrong_arguments    1:36   lines.all(l, l.quantity > quantity(l.amount))
wrong_arguments    1:36   lines.all(l, l.quantity > quantity("1.2345"))
not_a_test         1:17   purchase.amount + 1
not_a_test         1:1    lines
not_a_test         1:7    lines.filter(l, true)
not_a_test         1:1    "true"
mixed_list         1:10    1 in [1, "a"]
mixed_list         1:14   lines.map(l, l.categories).exists(c, true)
empty_list         1:6    1 in []
float              1:19   purchase.amount > 12.5
not_supported      1:19   purchase.amount > 1u
not_supported      1:16   member.tier == null
not_supported      1:16   member.tier == b"a"
not_supported      1:1    lines[0].amount > 1
not_supported      1:1    {"a": 1}.a == 1
divisor            1:19   purchase.amount / member.purchases > 1
divisor            1:5    5 % 0 == 1
name_taken         1:14   lines.exists(member, true)
name_taken         1:14   lines.exists(lines, true)
syntax             1:1
syntax             1:15   member.tier ==
syntax             1:11   "gold" == 咖啡
syntax             1:13   member.tier = "gold"
syntax             1:17   (purchase.amount
syntax             1:5    1 + + 2 == 3
syntax             2:1    true⏎) && true
syntax             1:1    "gold
syntax             1:1    `member`.tier == "gold"
syntax             1:7    member.?tier == "gold"
"#;

#[test]
fn table() {
    let mut failed = Vec::new();
    for row in TABLE.lines().filter(|row| !row.is_empty()) {
        let mut cells = row.splitn(3, char::is_whitespace);
        let code = cells.next().expect("a code");
        let rest = cells.last().unwrap_or("").trim_start();
        let (place, source) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let condition = Condition::new(source.trim_start().replace('⏎', "\n"));
        let told = match condition.problems().first() {
            Some(problem) => format!("{} {}:{}", problem.code, problem.line, problem.column),
            None => "accepted".to_owned(),
        };
        if told != format!("{code} {place}") {
            failed.push(format!("{row}\n    {told} {:?}", condition.problems()));
        }
    }
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}

/// The hint says what was probably meant.
#[test]
fn hints() {
    let hints = [
        ("membr.tier == \"gold\"", "`member`"),
        ("member.teir == \"gold\"", "`tier`"),
        ("lines.exist(l, true)", "`exists`"),
        ("purchase.amount > 12.50", "minor units"),
        ("lines.exists(l, l.quantity >= 2)", "quantity(2)"),
        ("sum(lines) > 1", "sum(lines.map(x, x.amount))"),
        ("\"gold\" in member.tier", "contains"),
        ("lines.amount > 1", "x.amount"),
        ("purchase.amount", "compare"),
        ("member.tier == null", "\"\""),
    ];
    for (source, wanted) in hints {
        let condition = Condition::new(source);
        let hint = &condition.problems().first().expect("a problem").hint;
        assert!(hint.contains(wanted), "{source}: {hint}");
    }
}

/// All that is wrong is told at once.
#[test]
fn every_problem_is_told() {
    let condition = Condition::new("membr.tier == 1 && purchase.amount > 1.5 && lines.exists(l, l.price > 0)");
    let codes: Vec<&str> = condition.problems().iter().map(|problem| problem.code).collect();
    assert_eq!(codes, ["unknown_name", "float", "unknown_field"]);
}
