//! Segments over HTTP: saved with the programme, asked by purchases and prices, listed and counted.

use serde_json::{Value, json};

use crate::support::make::{self, line, receipt};
use crate::support::{App, Caller};

fn codes(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|row| row["code"].as_str().unwrap()).collect()
}

fn ids(rows: &Value) -> Vec<&str> {
    rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect()
}

/// Saves two segments, and what is for them: a promotion, a price, and goods that some may buy first. What cannot
/// be is refused with its place.
fn save(admin: &Caller) {
    let segment = |code: &str, when: &str| json!({"code": code, "name": {"en": code, "zh": "分组"}, "when": when});
    let problem = admin
        .post("/v1/admin/segments", &segment("loop", "\"loop\" in member.segments && lines.exists(l, true)"))
        .problem(422, "programme_invalid");
    let told: Vec<&Value> = problem["errors"].as_array().unwrap().iter().map(|error| &error["detail"]).collect();
    assert_eq!(problem["errors"][0]["pointer"], "/when");
    assert!(told[0].as_str().unwrap().starts_with("line 1, column 11: `member.segments`"), "{told:?}");
    assert!(told[1].as_str().unwrap().starts_with("line 1, column 30: `lines`"), "{told:?}");
    let mut fresh = segment("fresh", "member.purchases == 0 || \"vip\" in member.tags");
    fresh["visible"] = json!(true);
    let saved = admin.post("/v1/admin/segments", &fresh).expect(201);
    assert_eq!((&saved["id"], &saved["visible"]), (&json!("fresh"), &json!(true)));
    admin.post("/v1/admin/segments", &segment("silent", "member.days_enrolled < 30")).expect(201);
    let of_it = json!({
        "code": "hello", "name": "Hello", "effect": {"kind": "add", "points": 7}, "segments": ["fresh"],
        "when": "\"silent\" in member.segments",
    });
    let mut wrong = of_it.clone();
    (wrong["segments"], wrong["when"]) = (json!(["fresh", "nobody"]), json!("\"quiet\" in member.segments"));
    let problem = admin.post("/v1/admin/promotions", &wrong).problem(422, "programme_invalid");
    let pointers: Vec<&Value> = problem["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert_eq!(pointers, ["/segments/1", "/when"], "{problem}");
    admin.post("/v1/admin/promotions", &of_it).expect(201);
    admin
        .post("/v1/admin/prices", &json!({"code": "tea", "sku": "TEA", "price": 800, "segments": ["fresh"]}))
        .expect(201);
    let early = json!({"code": "drop", "skus": ["CUP"], "segments": ["silent"], "until": "2031-04-30"});
    admin.post("/v1/admin/early-access", &early).expect(201);
    let etag = admin.get("/v1/admin/segments/fresh");
    let gone = admin.request("DELETE", "/v1/admin/segments/fresh").header("If-Match", etag.header("etag").unwrap());
    gone.send().problem(422, "programme_invalid");
}

#[test]
fn a_segment_is_asked_whenever_somebody_needs_to_know() {
    let app = App::start();
    let (till, admin) = (app.cashier(), app.admin());
    save(&admin);
    let (one, two) = (make::member(&till), make::member(&till));
    let points = |sale: Value| sale["points"]["given"].as_i64().unwrap();
    let buy = |member| points(till.post("/v1/till/purchases", &receipt(member, &[line(1_000)])).expect(201));
    assert_eq!((buy(&one), buy(&one)), (17, 10), "the first purchase alone");
    admin.put(&format!("/v1/admin/members/{}/tags/vip", one.id), &json!({})).expect(200);
    let tea = json!({"sku": "TEA", "quantity": 1, "amount": 1000});
    let cup = json!({"sku": "CUP", "quantity": 1, "amount": 500});
    let basket = json!({"member_id": one.id, "currency": "CNY", "lines": [tea, cup], "channel": "web"});
    let quote = till.post("/v1/till/quote", &basket).expect(200);
    assert_eq!((&quote["total"], &quote["lines"][0]["price"]), (&json!(1_300), &json!(800)));
    let bought = json!({"quote": quote["id"], "external_id": make::key()});
    let sale = till.post("/v1/till/purchases", &bought).expect(201);
    assert_eq!((&sale["total"], &sale["channel"]), (&json!(1_300), &json!("web")));
    assert_eq!(sale["points"], quote["purchase"]["points"]);
    let read = till.get(&format!("/v1/till/purchases/{}", sale["id"].as_str().unwrap())).expect(200);
    assert_eq!(read["channel"], "web");

    // Who is in it, by page and by count, and what the member is shown of it.
    assert_eq!(codes(&till.get(&format!("/v1/till/members/{}/segments", one.id)).expect(200)), ["fresh", "silent"]);
    assert_eq!(codes(&app.member(&one).get("/v1/member/segments").expect(200)), ["fresh"]);
    let page = admin.get("/v1/admin/segments/fresh/members?limit=1").expect(200);
    assert_eq!(ids(&page["data"]), [&*two.id], "newest first");
    let next = format!("/v1/admin/segments/fresh/members?cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(ids(&admin.get(&next).expect(200)["data"]), [&*one.id]);
    assert_eq!(buy(&two), 17);
    let page = admin.get("/v1/admin/segments/fresh/members").expect(200);
    assert_eq!((ids(&page["data"]), &page["next_cursor"]), (vec![&*one.id], &Value::Null));
    let count = |when: &str| admin.post("/v1/admin/segments/preview", &json!({"when": when}));
    let counted = count("member.purchases == 1").expect(200);
    assert_eq!((&counted["inside"], &counted["asked"], &counted["members"]), (&json!(1), &json!(2), &json!(2)));
    assert_eq!((ids(&counted["examples"]), &counted["next_cursor"]), (vec![&*two.id], &Value::Null));
    assert_eq!(count("member.purchaces == 1").problem(422, "programme_invalid")["errors"][0]["pointer"], "/when");
    till.get("/v1/admin/segments/fresh/members").problem(403, "forbidden");
    admin.get("/v1/admin/segments/nobody/members").problem(404, "not_found");
    app.advance("P31D");
    let withheld = till.post("/v1/till/quote", &basket).expect(200);
    assert_eq!(withheld["lines"][1]["withheld"]["code"], "drop", "no newcomer any more");
    assert_eq!(withheld["lines"][1]["withheld"]["minimum_tier"], Value::Null);
}
