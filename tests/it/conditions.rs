//! What promotions ask of a purchase, over HTTP: conditions that are refused with their place, that see
//! the member, and that are asked again when goods come back.

use serde_json::{Value, json};
use tessera_rules::promotion::Promotion;

use crate::support::make::{self, key, line, line_of, receipt};
use crate::support::{App, Caller, Member};

const PURCHASES: &str = "/v1/till/purchases";

fn buy(till: &Caller, member: &Member, lines: &[Value]) -> Value {
    till.post(PURCHASES, &receipt(member, lines)).expect(201)
}

/// Each promotion with what it was charged, or why it missed.
fn told(sale: &Value) -> Vec<String> {
    let one = |promotion: &Value| {
        let missed = promotion["missed"].as_str().map(str::to_owned);
        format!("{} {}", promotion["code"].as_str().unwrap(), missed.unwrap_or(promotion["charged"].to_string()))
    };
    sale["explanation"]["promotions"].as_array().unwrap().iter().map(one).collect()
}

fn gift(code: &str, points: i64, own: &Value) -> Value {
    let mut gift = json!({"code": code, "name": code, "effect": {"kind": "add", "points": points}});
    gift.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    gift
}

#[test]
fn a_promotion_is_checked_when_it_is_saved() {
    let app = App::start();
    let admin = app.admin();
    let wrong = gift("vip", 5, &json!({"when": "member.teir == \"gold\" &&\n  purchase.amount > 12.50"}));
    let problem = admin.post("/v1/admin/promotions", &wrong).problem(422, "programme_invalid");
    let errors = problem["errors"].as_array().unwrap();
    assert_eq!(
        errors.iter().map(|error| (&error["pointer"], &error["code"])).collect::<Vec<_>>(),
        [(&json!("/when"), &json!("unknown_field")), (&json!("/when"), &json!("float"))]
    );
    assert_eq!(errors[0]["detail"], "line 1, column 8: `member` has no `teir`; did you mean `tier`?");
    assert!(errors[1]["detail"].as_str().unwrap().starts_with("line 2, column 21: "), "{problem}");

    let right = json!({
        "when": "member.tier == \"gold\"", "categories": ["coffee"], "skus": ["BEAN"], "minimum_spend": 1000,
        "nth_purchase": {"every": 5},
        "schedule": {"days": ["2031-11-11"], "hours": [{"from": "14:00", "to": "24:00"}]},
    });
    let saved = admin.post("/v1/admin/promotions", &gift("vip", 5, &right)).expect(201);
    for (field, value) in right.as_object().unwrap() {
        assert_eq!(&saved[field], value);
    }
    let mut past = right;
    past["schedule"]["hours"] = json!([{"from": "22:00", "to": "25:00"}]);
    admin.post("/v1/admin/promotions", &gift("late", 5, &past)).problem(400, "invalid_field");
}

/// The birth date is loaded where a condition reads it, also for a member whose standing is remembered.
#[test]
fn a_condition_knows_the_member() {
    let app = App::with(|programme| {
        programme["promotions"] = json!([
            gift("cake", 8, &json!({"when": "member.has_birthday && member.days_to_birthday <= 7"})),
            gift("first", 4, &json!({"first_purchase": true})),
            gift("noon", 2, &json!({"schedule": {"hours": [{"from": "12:00", "to": "13:00"}]}})),
            gift("regular", 1, &json!({"when": "member.purchases > 0 && member.window_visits == member.purchases"})),
        ]);
    });
    let till = app.cashier();
    let young = make::enrol(&till, &json!({"name": "Lin", "birth_date": "--03-10"}));
    let other = make::enrol(&till, &json!({"name": "An", "birth_date": "--06-10"}));
    let nobody = make::member(&till);
    assert_eq!(told(&buy(&till, &young, &[line(100)])), ["cake 8", "first 4", "noon 2", "regular condition"]);
    assert_eq!(told(&buy(&till, &young, &[line(100)])), ["cake 8", "first first_purchase", "noon 2", "regular 1"]);
    for member in [&other, &nobody] {
        assert_eq!(told(&buy(&till, member, &[line(100)]))[0], "cake condition");
    }
    app.advance("PT1H");
    assert_eq!(told(&buy(&till, &young, &[line(100)])), ["cake 8", "first first_purchase", "noon hours", "regular 1"]);
}

/// What the sale was decided on is stored with it: the programme may change before goods come back.
#[test]
fn goods_that_come_back_are_tested_again() {
    let app = App::with(|programme| {
        programme["promotions"] = json!([
            gift("tea", 20, &json!({"when": "lines.exists(l, \"tea\" in l.categories)", "minimum_spend": 1500})),
            {"code": "cakes", "name": {"en": "Cakes", "zh": "蛋糕"}, "categories": ["cake"],
             "effect": {"kind": "multiply", "by": "3"}},
        ]);
    });
    let till = app.cashier();
    let member = make::member(&till);
    let sale = buy(&till, &member, &[line_of("tea", 1_000), line_of("cake", 500), line(300)]);
    assert_eq!((told(&sale), &sale["points"]["given"]), (vec!["cakes 10".to_owned(), "tea 20".to_owned()], &json!(48)));
    let shares = sale["explanation"]["lines"].as_array().unwrap();
    assert_eq!(shares[1]["promotion_multiplier"], "3");
    assert_eq!(sale["explanation"]["promotions"][1]["goods"]["minimum_spend"], 1500);

    let ledger = format!("/v1/member/ledger/{}", 1);
    let why = app.member(&member).get(&ledger).expect(200)["explanation"].to_string();
    assert!(why.contains("Cakes multiplied line 2 by 3 and so added 10 points."), "{why}");
    let warum = app.member(&member).in_chinese().get(&ledger).expect(200)["explanation"].to_string();
    assert!(warum.contains("“蛋糕”将第 2 行乘以 3，增加 10 积分。"), "{warum}");

    app.reconfigure(|programme| programme["promotions"] = json!([]));
    let returns = format!("{PURCHASES}/{}/returns", sale["id"].as_str().unwrap());
    let back = |line: u32| json!({"external_id": key(), "lines": [{"line": line}], "reason": "damaged"});
    // Without the cake 13.00 remain: 15.00 were asked for.
    let cake = till.post(&returns, &back(2)).expect(201);
    assert_eq!(cake["points"]["clawed"], json!(48 - 13));
    let tea = till.post(&returns, &back(1)).expect(201);
    assert_eq!(tea["points"]["clawed"], json!(10));
}

/// The promotion of `docs/conditions.md`, with the condition below it, is one.
#[test]
fn the_documented_promotion_is_one() {
    let page = include_str!("../../docs/conditions.md");
    let blocks = page.split("```toml\n").skip(1).map(|block| block.split("```").next().unwrap());
    let document: toml::Table = blocks.collect::<String>().parse().unwrap();
    let promotion: Promotion = document["promotions"][0].clone().try_into().unwrap();
    assert_eq!(promotion.condition.unwrap().problems(), []);
    assert_eq!((promotion.categories, promotion.schedule.hours.len()), (vec!["coffee".to_owned()], 1));
}

#[test]
fn why_a_promotion_missed_is_told_in_both_languages() {
    let asks = [
        (
            "hours",
            json!({"schedule": {"hours": [{"from": "00:00", "to": "06:00"}]}}),
            "not at that time of day",
            "时段",
        ),
        ("nth", json!({"nth_purchase": {"exactly": 3}}), "another of the member's purchases", "次数"),
        ("lines", json!({"categories": ["cake"]}), "nothing was bought", "活动商品"),
        ("least", json!({"minimum_spend": 99_999}), "too little was spent", "最低消费"),
        ("when", json!({"when": "member.tier_rank > 1"}), "its condition was not met", "条件"),
    ];
    let app = App::with(|programme| {
        programme["promotions"] = asks.iter().map(|(code, own, ..)| gift(code, 1, own)).collect();
    });
    let till = app.cashier();
    let member = make::member(&till);
    buy(&till, &member, &[line(1_000)]);
    let own = app.member(&member);
    let sentences = |caller: &Caller| caller.get("/v1/member/ledger/1").expect(200)["explanation"].to_string();
    let (english, chinese) = (sentences(&own), sentences(&own.in_chinese()));
    for (code, _, en, zh) in asks {
        assert!(english.contains(en) && chinese.contains(zh), "{code}\n{english}\n{chinese}");
    }
}
