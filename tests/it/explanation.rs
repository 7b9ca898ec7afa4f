//! Why a purchase earned what it earned, as the answer tells it.

use serde_json::{Value, json};

use crate::support::make::{self, earn, line, line_of, receipt};
use crate::support::{App, Caller, Member};

fn buy(till: &Caller, member: &Member, lines: &[Value]) -> Value {
    till.post("/v1/till/purchases", &receipt(member, lines)).expect(201)
}

#[track_caller]
fn assert_breakdown(answer: &Value, parts: &Value) {
    assert_eq!(&answer["breakdown"], parts, "{answer}");
    let sum: i64 = parts.as_array().unwrap().iter().map(|part| part["points"].as_i64().unwrap()).sum();
    assert_eq!(answer["points"]["given"], sum, "the breakdown sums to what was given");
    let lines = answer["explanation"]["lines"].as_array().unwrap();
    let shares: i64 = lines.iter().map(|line| line["points"].as_i64().unwrap()).sum();
    assert_eq!(answer["points"]["given"], shares, "the lines sum to what was given");
}

#[test]
fn rules_and_exclusions_line_by_line() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    let mut body = receipt(
        &member,
        &[
            line_of("tobacco", 5000),
            json!({"sku": "GIFT-CARD", "quantity": 1, "amount": 10_000}),
            json!({"sku": "BLEND", "categories": ["food", "coffee"], "quantity": "0.250", "amount": 1000}),
            line(1000),
        ],
    );
    let preview = |body: &Value| till.post("/v1/till/purchases/preview", body).expect(200);
    let whole = preview(&body);
    assert_eq!(
        whole["explanation"]["lines"],
        json!([
            {
                "line": 1, "sold_for": 5000, "basis": 0, "excluded": {"category": "tobacco"}, "multiplier": "1",
                "points": 0,
            },
            {"line": 2, "sold_for": 10_000, "basis": 0, "excluded": "sku", "multiplier": "1", "points": 0},
            {
                "line": 3, "quantity": "0.25", "basis": 1000, "multiplier": "3", "rule": "house-blend", "points": 30,
            },
            {"line": 4, "basis": 1000, "multiplier": "1", "points": 10},
        ])
    );
    assert_eq!((&whole["explanation"]["basis"], &whole["explanation"]["base_points"]), (&json!(2000), &json!(20)));
    assert_breakdown(&whole, &json!([{"kind": "base", "points": 40}]));

    // A tender that earns nothing takes from every line alike.
    body["tenders"] = json!([{"type": "gift_card", "amount": 8500}, {"type": "card", "amount": 8500}]);
    let half = preview(&body);
    let of_lines = |field: &str| -> Vec<i64> {
        let lines = half["explanation"]["lines"].as_array().unwrap();
        lines.iter().map(|line| line[field].as_i64().unwrap()).collect()
    };
    assert_eq!(of_lines("basis"), [0, 0, 500, 500]);
    assert_eq!(of_lines("points"), [0, 0, 15, 5]);
    body["tenders"] = json!([{"type": "gift_card", "amount": 17_001}]);
    till.post("/v1/till/purchases", &body).problem(422, "tenders_exceed_total");
}

#[test]
fn negative_lines_count_and_the_sum_never_falls_below_nothing() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    let deposit = buy(&till, &member, &[line(1050), line(-550)]);
    assert_eq!(deposit["points"]["given"], 5);
    let shares: Vec<&Value> =
        deposit["explanation"]["lines"].as_array().unwrap().iter().map(|l| &l["points"]).collect();
    assert_eq!(shares, [11, -6], "rounded together");
    let nothing = buy(&till, &member, &[line(100), line(-5000)]);
    assert_eq!(nothing["points"]["given"], 0);
    assert_eq!(nothing["lots"], json!([]));
    assert_eq!(nothing["explanation"]["basis"], 0);
    assert_eq!(nothing["balance"]["available"], 5);
}

#[test]
fn the_purchase_that_crosses_a_threshold_earns_at_the_old_tier() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    let near = earn(&till, &member, 999);
    let progress = |value: i64, next: Value, missing: i64, kept: Value| -> Value {
        json!({"measure": "points", "value": value, "next": next, "missing": missing, "kept_until": kept})
    };
    assert_eq!(near["tier"]["progress"], progress(999, json!("silver"), 1, Value::Null));
    let crossing = earn(&till, &member, 2);
    assert_eq!(crossing["points"]["given"], 2);
    assert_eq!((&crossing["tier"]["before"], &crossing["tier"]["after"]), (&json!("basic"), &json!("silver")));
    let kept = json!("2032-03-03T16:00:00Z");
    assert_eq!(crossing["tier"]["progress"], progress(1001, json!("gold"), 3999, kept));

    let next = buy(&till, &member, &[line(10_000)]);
    assert_eq!(next["points"]["given"], 120);
    assert_eq!(next["explanation"]["tier"], "silver");
    assert_eq!(next["explanation"]["tier_multiplier"], "1.2");
    assert_eq!(next["explanation"]["base_points"], 100, "tiers measure what is before any multiplier");
    assert_eq!(next["tier"]["progress"]["value"], 1101);
}

fn promotions(programme: &mut Value) {
    let multiply = |by: &str| json!({"kind": "multiply", "by": by});
    programme["promotions"] = json!([
        {"code": "wednesday", "name": "Wednesday", "schedule": {"weekdays": ["wednesday"]}, "effect": multiply("2"), "priority": 1},
        {"code": "thursday", "name": "Thursday", "schedule": {"weekdays": ["thursday"]}, "effect": multiply("3"), "priority": 2},
        {"code": "spring", "name": "Spring", "schedule": {"from": "2031-03-05", "to": "2031-03-06"}, "effect": multiply("1.5"), "priority": 3},
        {"code": "eastern", "name": "East", "stores": ["east"], "effect": multiply("5"), "priority": 4},
        {"code": "gold-only", "name": "Gold", "tiers": ["gold"], "effect": multiply("5"), "priority": 5},
        {"code": "gift", "name": "Gift", "effect": {"kind": "add", "points": 10}, "priority": 6},
    ]);
}

#[test]
fn promotions_tell_why_they_applied_or_did_not() {
    let app = App::with(promotions);
    let till = app.cashier();
    let member = make::member(&till);
    let answer = buy(&till, &member, &[line(10_050)]);
    let multiply = |by: &str| json!({"kind": "multiply", "by": by});
    assert_eq!(
        answer["explanation"]["promotions"],
        json!([
            {"code": "wednesday", "effect": multiply("2"), "charged": 101},
            {"code": "thursday", "effect": multiply("3"), "missed": "schedule", "charged": 0},
            {"code": "spring", "effect": multiply("1.5"), "missed": "not_best", "charged": 0},
            {"code": "eastern", "effect": multiply("5"), "missed": "store", "charged": 0},
            {"code": "gold-only", "effect": multiply("5"), "missed": "tier", "charged": 0},
            {"code": "gift", "effect": {"kind": "add", "points": 10}, "charged": 10},
        ])
    );
    assert_eq!(answer["explanation"]["promotion_multiplier"], "2");
    assert_eq!(answer["explanation"]["fixed_points"], 10);
    assert_eq!(answer["explanation"]["programme_version"], 2);
    assert_breakdown(
        &answer,
        &json!([
            {"kind": "base", "points": 100},
            {"kind": "promotion", "code": "wednesday", "points": 101},
            {"kind": "promotion", "code": "gift", "points": 10},
        ]),
    );
    let east = buy(&app.other_cashier(), &member, &[line(10_000)]);
    assert_eq!(east["points"]["given"], 510);

    // The next version counts from the next purchase on, and the old answer stays what it was.
    app.reconfigure(|_| {});
    assert_eq!(buy(&till, &member, &[line(10_000)])["points"]["given"], 100);
    let read = till.get(&format!("/v1/till/purchases/{}", answer["id"].as_str().unwrap())).expect(200);
    assert_eq!(read, answer);
}

#[test]
fn multipliers_combine_as_the_programme_says() {
    for (combine, given, multiplier) in [("best", 210, "2"), ("add", 260, "2.5"), ("multiply", 310, "3")] {
        let app = App::with(|programme| {
            promotions(programme);
            programme["earning"]["combine"] = json!(combine);
        });
        let till = app.cashier();
        let answer = buy(&till, &make::member(&till), &[line(10_000)]);
        assert_eq!(answer["points"]["given"], given, "{combine}");
        assert_eq!(answer["explanation"]["promotion_multiplier"], multiplier, "{combine}");
    }
}

#[test]
fn caps_reduce_and_never_refuse() {
    let app = App::with(|programme| {
        programme["earning"]["cap_per_purchase"] = json!(37);
        programme["earning"]["cap_per_day"] = json!(50);
        programme["promotions"] = json!([{
            "code": "double", "name": "Double", "cap_per_purchase": 20,
            "effect": {"kind": "multiply", "by": "2"},
        }]);
    });
    let till = app.cashier();
    let member = make::member(&till);
    let first = buy(&till, &member, &[line(7500), line(2500)]);
    assert_eq!(first["points"], json!({"wanted": 200, "given": 37, "pending": 0}));
    assert_eq!(first["explanation"]["caps"], json!([{"cap": "purchase", "limit": 37, "cut": 83}]));
    assert_eq!(first["explanation"]["promotions"][0]["charged"], 20);
    assert_eq!(first["explanation"]["promotions"][0]["wanted"], 100);
    let parts = json!([
        {"kind": "base", "points": 100},
        {"kind": "promotion", "code": "double", "points": 20},
        {"kind": "cap", "points": -83},
    ]);
    assert_breakdown(&first, &parts);
    assert_eq!(first["explanation"]["lines"][0]["points"], 28, "27.75 and 9.25 of 37");

    let second = buy(&till, &member, &[line(10_000)]);
    let caps = json!([{"cap": "purchase", "limit": 37, "cut": 83}, {"cap": "day", "limit": 13, "cut": 24}]);
    assert_eq!(second["explanation"]["caps"], caps);
    assert_eq!(second["points"]["given"], 13);
    let third = buy(&till, &member, &[line(10_000)]);
    assert_eq!((&third["points"]["given"], &third["lots"]), (&json!(0), &json!([])));

    // The day is that of the purchase, not of its recording.
    let mut late = receipt(&member, &[line(10_000)]);
    late["occurred_at"] = json!("2031-03-04T04:00:00Z");
    let late = till.post("/v1/till/purchases", &late).expect(201);
    assert_eq!(late["points"]["given"], 37);
    assert_eq!(late["balance"]["available"], 87);
}

#[test]
fn fractions_of_a_point_are_carried_where_the_programme_says_so() {
    let app = App::with(|programme| programme["earning"]["carry_remainder"] = json!(true));
    let till = app.cashier();
    let member = make::member(&till);
    let first = buy(&till, &member, &[line(150)]);
    assert_eq!(first["points"]["given"], 1);
    assert_eq!(first["explanation"]["remainder_micropoints"], 500_000);
    assert!(first["explanation"].get("carried_points").is_none());
    let second = buy(&till, &member, &[line(150)]);
    assert_eq!(second["points"], json!({"wanted": 2, "given": 2, "pending": 0}));
    assert_eq!(second["explanation"]["carried_points"], 1);
    assert_breakdown(&second, &json!([{"kind": "base", "points": 1}, {"kind": "carried", "points": 1}]));
    assert_eq!(buy(&till, &member, &[line(150)])["points"]["given"], 1);
}
