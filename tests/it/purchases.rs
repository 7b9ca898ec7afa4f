//! Receipts: recorded once, whatever is sent how often.

use serde_json::{Value, json};

use crate::support::app::PASSWORD;
use crate::support::make::{self, earn, key, line, line_of, receipt};
use crate::support::{App, Caller};

const PATH: &str = "/v1/till/purchases";

/// Everything of an answer that is the same every time.
fn settled(mut answer: Value) -> Value {
    for field in ["id", "occurred_at", "recorded_at"] {
        assert!(answer[field].take().is_string(), "{field}");
    }
    for lot in answer["lots"].as_array_mut().unwrap() {
        assert!(lot["occurred_at"].take().is_string());
        assert!(lot["available_from"].take().is_string());
    }
    answer
}

fn first_answer() -> Value {
    json!({
        "id": null, "occurred_at": null, "recorded_at": null,
        "points": {"wanted": 82, "given": 82, "pending": 0},
        "breakdown": [{"kind": "base", "points": 82}],
        "lots": [{
            "number": 1, "points": 82, "remaining": 82, "occurred_at": null, "available_from": null,
            "expires_at": "2032-03-31T16:00:00Z", "pending": false, "held": 0, "lapsed": 0, "origin": null,
        }],
        "balance": {"available": 82, "pending": 0, "held": 0, "debt": 0},
        "tier": {
            "before": "basic", "after": "basic",
            "progress": {"measure": "points", "value": 50, "next": "silver", "missing": 950, "kept_until": null},
        },
        "explanation": {
            "programme_version": 1, "rate": {"points": 1, "per": 100}, "tier": "basic", "tier_multiplier": "1",
            "promotion_multiplier": "1", "fixed_points": 0, "basis": 5050, "base_points": 50,
            "lines": [
                {"line": 1, "basis": 3200, "multiplier": "2", "rule": "coffee", "points": 64},
                {"line": 2, "basis": 1850, "multiplier": "1", "points": 18},
            ],
            "remainder_micropoints": 500_000,
        },
    })
}

#[test]
fn a_preview_is_the_answer_and_writes_nothing() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    let body = receipt(&member, &[line_of("coffee", 3200), line(1850)]);
    let preview = till.post("/v1/till/purchases/preview", &body).expect(200);
    assert_eq!(settled(preview.clone()), first_answer());
    for table in ["purchase", "entry", "lot", "qualifying_day", "idempotency"] {
        assert_eq!(app.db.number(&format!("select count(*) as value from {table}")), 0, "{table}");
    }
    till.get(&format!("{PATH}/{}", preview["id"].as_str().unwrap())).problem(404, "not_found");
    let recorded = till.post(PATH, &body).expect(201);
    assert_eq!(settled(recorded), first_answer());
}

#[test]
fn a_receipt_counts_once() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    let body = receipt(&member, &[line_of("coffee", 3200), line(1850)]);
    let (one, other) = (key(), key());

    let first = till.post_under(&one, PATH, &body);
    assert_eq!(settled(first.expect(201)), first_answer());
    assert_eq!(first.header("idempotent-replayed"), None);
    assert_eq!(first.header("cache-control"), Some("no-store"));

    // The same key: the same bytes.
    let again = till.post_under(&one, PATH, &body);
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    // Quotes around the key are the header's, blanks and order of fields nobody's.
    let spelled = format!("\n {} ", body.to_string().replace("\":", "\" :\t"));
    let quoted = till.request("POST", PATH).header("Idempotency-Key", &format!("\"{one}\""));
    assert_eq!(quoted.bytes("application/json", spelled).send().text, first.text);

    // Another key: known, and so it stays.
    let known = till.post_under(&other, PATH, &body);
    assert_eq!((known.status, &known.text), (200, &first.text));
    assert_eq!(known.header("idempotent-replayed"), None);
    let known_again = till.post_under(&other, PATH, &body);
    assert_eq!((known_again.status, &known_again.text), (200, &first.text));
    assert_eq!(known_again.header("idempotent-replayed"), Some("true"));

    // Another content.
    let mut changed = body.clone();
    changed["lines"][1]["amount"] = json!(1851);
    till.post(PATH, &changed).problem(409, "duplicate_external_id");
    till.post_under(&one, PATH, &changed).problem(422, "idempotency_key_reused");

    assert_eq!(app.db.number("select count(*) as value from purchase"), 1);
    assert_eq!(app.db.number("select count(*) as value from entry"), 1);
    assert_eq!(app.db.number("select available as value from standing"), 82);
    assert_eq!(app.db.number("select count(*) as value from outbox where kind = 'purchase.recorded'"), 1);
}

#[test]
fn a_key_is_needed_and_is_a_key() {
    let app = App::start();
    let till = app.cashier();
    let body = receipt(&make::member(&till), &[line(100)]);
    till.request("POST", PATH).json(&body).send().problem(400, "idempotency_key_missing");
    for wrong in ["", "a b", "\"\"", "ü", &"x".repeat(256)] {
        let reply = till.request("POST", PATH).header("Idempotency-Key", wrong).json(&body).send();
        reply.problem(400, "idempotency_key_invalid");
    }
    let twice = till.request("POST", PATH).header("Idempotency-Key", "a").header("Idempotency-Key", "b");
    twice.json(&body).send().problem(400, "idempotency_key_invalid");
    assert_eq!(app.db.number("select count(*) as value from purchase"), 0);
}

#[test]
fn keys_belong_to_their_caller_and_receipt_numbers_to_their_store() {
    let app = App::start();
    let (west, east) = (app.cashier(), app.other_cashier());
    let member = make::member(&west);
    let body = receipt(&member, &[line(100)]);
    let one = key();
    let first = west.post_under(&one, PATH, &body).expect(201);
    let second = east.post_under(&one, PATH, &body).expect(201);
    assert_ne!(first["id"], second["id"]);
    assert_eq!(second["balance"]["available"], 2);
    // A manager of the same store numbers the same receipts.
    assert_eq!(app.manager().post(PATH, &body).expect(200)["id"], first["id"]);
}

#[test]
fn a_refusal_is_remembered_like_a_success() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    let mut body = receipt(&member, &[line(100)]);
    body["currency"] = json!("USD");
    let one = key();
    let refused = till.post_under(&one, PATH, &body);
    assert_eq!(refused.problem(422, "currency_mismatch")["required"], "CNY");
    let again = till.post_under(&one, PATH, &body);
    assert_eq!((again.status, &again.text), (422, &refused.text));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.header("content-type"), Some("application/problem+json"));
    body["currency"] = json!("CNY");
    till.post_under(&one, PATH, &body).problem(422, "idempotency_key_reused");
    till.post(PATH, &body).expect(201);
}

#[test]
fn nobody_is_a_member_only_until_he_is_enrolled() {
    let app = App::start();
    let till = app.cashier();
    let member = make::Member { id: "mem_01kapm3v5ne8v9b3r6a2f7qk4d".to_owned(), code: String::new() };
    let refused = till.post(PATH, &receipt(&member, &[line(100)]));
    refused.problem(404, "member_unknown");
    assert_eq!(app.db.number("select count(*) as value from idempotency"), 0);
}

#[test]
fn a_purchase_may_be_late_but_not_old_nor_to_come() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    let at = |time: &str| {
        let mut body = receipt(&member, &[line(100)]);
        body["occurred_at"] = json!(time);
        till.post(PATH, &body)
    };
    let late = at("2031-02-04T20:30:00+08:00").expect(201);
    assert_eq!(late["occurred_at"], "2031-02-04T12:30:00Z");
    assert_eq!(late["lots"][0]["occurred_at"], "2031-02-04T12:30:00Z");
    assert_eq!(late["lots"][0]["expires_at"], "2032-02-29T16:00:00Z", "12 months on, to the end of the month");
    at("2031-02-02T04:00:00Z").problem(422, "occurred_too_early");
    at("2031-03-05T05:00:00Z").problem(422, "occurred_too_late");
    at("2031-03-05T04:00:00").problem(400, "invalid_field");

    // Told twice with two times it is two receipts; told once without, it is one.
    let mut body = receipt(&member, &[line(100)]);
    body["occurred_at"] = json!("2031-03-01T04:00:00Z");
    till.post(PATH, &body).expect(201);
    body["occurred_at"] = json!("2031-03-01T04:00:01Z");
    till.post(PATH, &body).problem(409, "duplicate_external_id");
    body.as_object_mut().unwrap().remove("occurred_at");
    till.post(PATH, &body).expect(200);
}

#[test]
fn a_purchase_is_read_as_it_was_answered() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    let body = receipt(&member, &[line(4200)]);
    let first = till.post(PATH, &body);
    earn(&till, &member, 1);
    let id = first.expect(201)["id"].as_str().unwrap().to_owned();
    assert_eq!(till.get(&format!("{PATH}/{id}")).text, first.text);
    let number = body["external_id"].as_str().unwrap();
    let found = till.get(&format!("{PATH}?external_id={number}"));
    assert_eq!(found.text, format!("{{\"data\":[{}],\"next_cursor\":null}}", first.text));
    assert_eq!(till.get(&format!("{PATH}?external_id=x")).expect(200)["data"], json!([]));
    till.get(PATH).problem(400, "invalid_query");
    for nonsense in ["x", "pur_x", "pur_01kapm5q0tf3wavd1k9m2x8z7c", member.id.as_str()] {
        till.get(&format!("{PATH}/{nonsense}")).problem(404, "not_found");
    }
}

/// What a receipt may look like at most, and what is beyond.
#[test]
fn receipts_have_bounds() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    let most: Vec<Value> = (0..1000).map(|_| json!({"quantity": 1, "amount": 1})).collect();
    let given = till.post(PATH, &receipt(&member, &most)).expect(201);
    assert_eq!(given["points"]["given"], 10);
    assert_eq!(given["explanation"]["lines"].as_array().unwrap().len(), 1000);
    let refused = |change: &dyn Fn(&mut Value), pointer: &str, mistake: &str| {
        let mut body = receipt(&member, &[line(100)]);
        change(&mut body);
        let problem = till.post(PATH, &body).problem(400, "invalid_field");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        assert_eq!(problem["errors"][0]["code"], mistake, "{problem}");
    };
    refused(&|body| body["lines"] = json!([]), "/lines", "count_invalid");
    refused(&|body| body["lines"] = vec![line(1); 1001].into(), "/lines", "count_invalid");
    refused(&|body| body["lines"][0]["quantity"] = json!(0), "/lines/0/quantity", "too_small");
    refused(&|body| body["lines"][0]["quantity"] = json!("-0.5"), "/lines/0/quantity", "too_small");
    refused(&|body| body["lines"][0]["quantity"] = json!("0.0001"), "/lines/0/quantity", "invalid_value");
    refused(&|body| body["lines"][0]["quantity"] = json!(0.5), "/lines/0/quantity", "invalid_value");
    refused(&|body| body["lines"][0]["quantity"] = json!(9_007_199_254_741_i64), "/lines/0/quantity", "too_large");
    refused(&|body| body["lines"][0]["categories"] = json!(vec!["a"; 9]), "/lines/0/categories", "count_invalid");
    refused(&|body| body["lines"][0]["categories"] = json!([""]), "/lines/0/categories/0", "length_invalid");
    refused(&|body| body["lines"][0]["sku"] = json!("x".repeat(65)), "/lines/0/sku", "length_invalid");
    refused(&|body| body["external_id"] = json!(""), "/external_id", "length_invalid");
    refused(&|body| body["tenders"] = json!([{"type": "card", "amount": -1}]), "/tenders/0/amount", "too_small");
    refused(&|body| body["currency"] = json!("yuan"), "/currency", "invalid_value");
    refused(&|body| body["member_id"] = json!("x"), "/member_id", "invalid_value");
    assert_eq!(app.db.number("select count(*) as value from purchase"), 1);
}

#[test]
fn a_value_beyond_what_json_numbers_carry_is_refused() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    let amount = |amount: i64| till.post(PATH, &receipt(&member, &[line(amount)]));
    amount(9_007_199_254_740_992).problem(400, "invalid_field");
    let given = amount(9_007_199_254_740_991).expect(201);
    assert_eq!(given["points"]["given"], 90_071_992_547_409_i64);
    // Two of the largest: their sum is beyond.
    let two = receipt(&member, &[line(9_007_199_254_740_991), line(1)]);
    till.post(PATH, &two).problem(422, "amount_out_of_range");
    let balance = |till: &Caller| till.get(&format!("/v1/till/members/{}/balance", member.id)).expect(200);
    assert_eq!(balance(&till)["available"], 90_071_992_547_409_i64);
}

#[test]
fn a_frozen_member_earns_and_redeems_nothing() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    earn(&till, &member, 500);
    let otp = app.member(&member).get("/v1/member/card").expect(200)["otp"].take();
    app.db.execute("update member set status = 'frozen'; update standing set frozen = true, version = version + 1");
    till.post(PATH, &receipt(&member, &[line(100)])).problem(422, "member_frozen");
    let redeem = json!({"member_id": member.id, "points": 100, "authorisation": {"otp": otp}});
    till.post("/v1/till/redemptions", &redeem).problem(422, "member_frozen");
    app.login(&member.code, PASSWORD).problem(401, "invalid_credentials");
    assert_eq!(app.db.number("select available as value from standing"), 500);
}
