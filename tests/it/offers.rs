//! What a member could use, as he and his till are shown it.

use serde_json::{Value, json};

use crate::support::make::{self, line, receipt};
use crate::support::{App, Caller, Member};

const OWN: &str = "/v1/member/offers";

fn codes(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|row| row["code"].as_str().unwrap()).collect()
}

fn find<'a>(list: &'a Value, code: &str) -> &'a Value {
    let found = list["data"].as_array().unwrap().iter().find(|row| row["code"] == code);
    found.unwrap_or_else(|| panic!("no {code} in {list:#}"))
}

fn club() -> App {
    let promotion = |code: &str, more: &Value| {
        let mut promotion =
            json!({"code": code, "name": {"en": code, "zh": "活动"}, "effect": {"kind": "add", "points": 5}});
        promotion.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        promotion
    };
    App::with(|programme| {
        programme["wallet"] = json!({});
        programme["segments"] = json!([{"code": "secret", "name": "Secret", "when": "\"vip\" in member.tags"}]);
        programme["coupons"] = json!([{"code": "ten", "name": {"en": "Ten off", "zh": "减十元"},
            "discount": {"off": {"kind": "amount", "amount": 1000}, "minimum_spend": 5000}}]);
        programme["prices"] = json!({"member": [{"code": "tea-silver", "sku": "TEA", "price": 800, "minimum_tier": "silver"}],
            "early_access": [{"code": "drop", "skus": ["CUP"], "minimum_tier": "silver", "until": "2031-12-31"}]});
        programme["events"] = json!([{"code": "review", "name": {"en": "A review", "zh": "评价"}}]);
        programme["promotions"] = json!([
            promotion("third", &json!({"nth_purchase": {"every": 3}})),
            promotion("daily", &json!({"limits": {"per_member_per_day": 1, "total": 10}})),
            promotion("back", &json!({"effect": {"kind": "cashback", "percent": "5", "cap_per_month": 100}})),
            promotion("review", &json!({"trigger": {"kind": "event", "event": "review"}, "limits": {"per_member": 2}})),
            promotion("secret", &json!({"segments": ["secret"]})),
            promotion("surprise", &json!({"unlisted": true})),
            promotion("west", &json!({"stores": ["west"], "minimum_spend": 3000})),
            promotion("draft", &json!({"state": "draft"})),
        ]);
    })
}

fn of_till(till: &Caller, member: &Member) -> Value {
    till.get(&format!("/v1/till/members/{}/offers", member.id)).expect(200)
}

#[test]
fn a_member_sees_what_he_could_use_and_what_is_missing() {
    let app = club();
    let (till, admin) = (app.cashier(), app.admin());
    let member = make::member(&till);
    let issued = admin.post("/v1/admin/coupons/ten/issue", &json!({"member_id": member.id})).expect(201);
    let coupon = issued["coupons"][0]["code"].as_str().unwrap();
    till.post("/v1/till/purchases", &receipt(&member, &[line(6_000)])).expect(201);
    till.post(&format!("/v1/till/members/{}/events", member.id), &json!({"code": "review"})).expect(201);
    let own = app.member(&member);
    let mine = own.get(OWN).expect(200);
    let told =
        |code: &str, fields: &[&str]| fields.iter().map(|field| find(&mine, code)[*field].clone()).collect::<Vec<_>>();
    let first = |code: &str| find(&mine, code)["progress"][0].clone();

    // 60 + 4 × 5 points: a mug at 50, and 20 missing for a coffee.
    assert_eq!(
        told("mug", &["kind", "applies", "points", "gives"]),
        ["reward".into(), "now".into(), json!(50), "Mug for 50 points".into()]
    );
    assert_eq!(told("coffee", &["applies", "why", "reason"]), ["no", "points", "20 points more are needed."]);
    assert_eq!(
        first("coffee"),
        json!({"of": "points", "done": 80, "target": 100, "left": 20, "text": "80 points of 100 points"})
    );
    assert_eq!(told("third", &["applies", "why"]), ["no", "nth_purchase"]);
    assert_eq!(first("third")["text"], "1 purchase of 3 purchases");
    assert_eq!(
        told("daily", &["applies", "why", "effect"]),
        [json!("no"), json!("day_limit"), json!({"kind": "add", "points": 5})]
    );
    assert_eq!(find(&mine, "daily")["progress"][1]["text"], "used 1 of 10 times by all members");
    assert_eq!(told("back", &["applies", "why"]), ["no", "month_limit"]);
    assert_eq!(told("review", &["applies", "needs"]), [json!("depends"), json!(["event"])]);
    assert_eq!((&first("review")["done"], &first("review")["left"]), (&json!(1), &json!(1)));
    assert_eq!(told("west", &["needs", "minimum_spend"]), [json!(["minimum_spend", "store"]), json!(3000)]);
    assert_eq!(told("west", &["reason"]), ["It applies from 30.00 CNY on, in certain stores."]);
    assert_eq!(told(coupon, &["kind", "type", "gives"]), ["coupon", "ten", "10.00 CNY off from 50.00 CNY on"]);
    assert_eq!(told("tea-silver", &["why", "minimum_tier", "gives"]), ["tier_too_low", "silver", "TEA at 8.00 CNY"]);
    assert_eq!(told("drop", &["until", "applies"]), ["2031-12-31T16:00:00Z", "no"]);
    assert_eq!(
        told("silver", &["kind", "gives", "reason"]),
        ["tier", "1.2× points; 20% more points", "940 points more to Silver."]
    );
    for hidden in ["secret", "surprise", "draft", "calendar"] {
        assert!(!codes(&mine).contains(&hidden), "{hidden}");
    }
    let chinese = own.in_chinese().get(OWN);
    assert_eq!(chinese.header("content-language"), Some("zh-CN"));
    let chinese = chinese.expect(200);
    assert_eq!(
        (&find(&chinese, coupon)["name"], &find(&chinese, "silver")["reason"]),
        (&json!("减十元"), &json!("距“银卡”还差 940 积分。"))
    );

    // Tills see what is for others, and whether it is for their store.
    let (here, there) = (of_till(&till, &member), of_till(&app.other_cashier(), &member));
    assert_eq!(
        (&find(&here, "secret")["why"], &find(&here, "surprise")["applies"]),
        (&json!("segment"), &json!("now"))
    );
    assert_eq!(
        (&find(&here, "west")["needs"], &find(&there, "west")["why"]),
        (&json!(["minimum_spend"]), &json!("store"))
    );
    admin.put(&format!("/v1/admin/members/{}/tags/vip", member.id), &json!({})).expect(200);
    assert_eq!(find(&own.get(OWN).expect(200), "secret")["applies"], "now");

    // What is promised is what happens; and what happened is told.
    app.advance("P1D");
    let (till, own) = (app.cashier(), app.member(&member));
    assert_eq!(find(&own.get(OWN).expect(200), "daily")["applies"], "now");
    let sale = till.post("/v1/till/purchases", &receipt(&member, &[line(100)])).expect(201);
    let told = sale["explanation"]["promotions"].as_array().unwrap().iter();
    let gave = told.filter(|told| told["charged"].as_i64().is_some_and(|charged| charged > 0));
    let applied: Vec<&str> = gave.map(|told| told["code"].as_str().unwrap()).collect();
    assert_eq!(applied, ["daily", "secret", "surprise"], "{sale:#}");
    assert_eq!(find(&own.get(OWN).expect(200), "third")["applies"], "now", "the third purchase is the next");

    // An account that was merged leads to the one that stays.
    let other = make::member(&till);
    let merge = json!({"into": member.id, "reason": "enrolled twice"});
    app.admin().post(&format!("/v1/admin/members/{}/merge", other.id), &merge).expect(200);
    assert_eq!(codes(&of_till(&till, &other)), codes(&of_till(&till, &member)));
    own.get(&format!("/v1/till/members/{}/offers", member.id)).problem(403, "forbidden");
    till.get(OWN).problem(403, "forbidden");
}
