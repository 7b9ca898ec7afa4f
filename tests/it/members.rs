//! Members at a till: enrolling, finding, and what a cashier may see.

use serde_json::{Value, json};

use crate::support::{App, make};

fn lin() -> Value {
    json!({
        "name": "林小雨", "phone": "+86 138-0013-8000", "email": " Xiaoyu@Example.com ",
        "birth_date": "1990-11-30", "locale": "zh-CN", "external_id": "crm-17",
    })
}

#[test]
fn enrolling_shows_the_member_masked() {
    let app = App::start();
    let till = app.cashier();
    let reply = till.post("/v1/till/members", &lin());
    let mut enrolled = reply.expect(201);
    let id = enrolled["id"].take().as_str().unwrap().to_owned();
    let code = enrolled["code"].take().as_str().unwrap().to_owned();
    assert!(id.starts_with("mem_") && id.len() == 30, "{id}");
    assert!(code.len() == 12 && luhn(&code), "{code}");
    assert!(enrolled["store_id"].take().as_str().unwrap().starts_with("sto_"));
    assert!(enrolled["enrolled_at"].take().as_str().unwrap().starts_with("2031-03-05T04:0"));
    let rest = json!({
        "id": null, "code": null, "name": "林**", "phone": "**********8000", "email": "x***@example.com",
        "status": "active", "locale": "zh-CN", "store_id": null, "enrolled_at": null, "perks": [],
    });
    assert_eq!(enrolled, rest);

    let read = till.get(&format!("/v1/till/members/{id}")).expect(200);
    assert_eq!((&read["code"], &read["name"]), (&json!(code), &json!("林**")));
    assert!(read.get("birth_date").is_none() && read.get("external_id").is_none(), "{read}");
    let balance = till.get(&format!("/v1/till/members/{id}/balance")).expect(200);
    assert_eq!(balance["available"], 0);
    assert_eq!(balance["expiring"], json!([]));
}

/// Whether the digits pass the check of ISO/IEC 7812-1.
fn luhn(digits: &str) -> bool {
    let doubled = |(i, d): (usize, u32)| if i % 2 == 1 { [0, 2, 4, 6, 8, 1, 3, 5, 7, 9][d as usize] } else { d };
    digits.chars().rev().filter_map(|c| c.to_digit(10)).enumerate().map(doubled).sum::<u32>() % 10 == 0
}

#[test]
fn phone_mail_and_external_id_belong_to_one_member() {
    let app = App::start();
    let till = app.cashier();
    make::enrol(&till, &lin());
    for (taken, code) in [
        (json!({"name": "Wang", "phone": "+8613800138000"}), "phone_taken"),
        (json!({"name": "Wang", "email": "XIAOYU@example.com"}), "email_taken"),
        (json!({"name": "Wang", "external_id": "crm-17"}), "external_id_taken"),
    ] {
        till.post("/v1/till/members", &taken).problem(409, code);
    }
    assert_eq!(app.db.number("select count(*) as value from member"), 1);
    assert_eq!(app.db.number("select count(*) as value from standing"), 1);
    let enrolled = "select count(*) as value from outbox where kind = 'member.enrolled'";
    assert_eq!(app.db.number(enrolled), 1, "one event for one change");
    make::enrol(&till, &json!({"name": "Wang"}));
    make::enrol(&till, &json!({"name": "Wang"}));
}

#[test]
fn a_birthday_is_honoured_at_once() {
    let app = App::start();
    let till = app.cashier();
    let enrolled = till.post("/v1/till/members", &json!({"name": "An", "birth_date": "--03-04"})).expect(201);
    assert_eq!(enrolled["perks"], json!(["birthday"]));
    let balance = till.get(&format!("/v1/till/members/{}/balance", enrolled["id"].as_str().unwrap())).expect(200);
    assert_eq!(balance["available"], 200);
    assert_eq!(balance["lifetime_earned"], 200);
    assert_eq!(balance["expiring"], json!([{"points": 200, "expires_at": "2031-03-07T16:00:00Z"}]));

    let tomorrow = till.post("/v1/till/members", &json!({"name": "Bo", "birth_date": "1990-03-06"})).expect(201);
    assert_eq!(tomorrow["perks"], json!([]));
    let granted = "select count(*) as value from outbox where kind = 'perk.granted'";
    assert_eq!(app.db.number(granted), 1, "nobody is told of a perk that was not granted");
}

#[test]
fn a_member_is_found_by_exactly_one_of_four() {
    let app = App::start();
    let till = app.cashier();
    let member = make::enrol(&till, &lin());
    make::member(&till);
    let find = |query: &str| till.get(&format!("/v1/till/members?{query}"));
    for query in [
        "phone=%2B8613800138000",
        "phone=%2B86%20138%200013%208000",
        "email=xiaoyu%40example.com",
        "email=XIAOYU@EXAMPLE.COM",
        "external_id=crm-17",
        &format!("code={}", member.code),
    ] {
        let found = find(query).expect(200);
        assert_eq!(found["data"][0]["id"], member.id, "{query}");
        assert_eq!(found["data"].as_array().unwrap().len(), 1);
        assert_eq!(found["next_cursor"], Value::Null);
    }
    for query in ["phone=%2B8613800138001", "external_id=crm-1", "email=yu@example.com"] {
        assert_eq!(find(query).expect(200), json!({"data": [], "next_cursor": null}), "{query}");
    }
    let mut wrong_digit = member.code.clone().into_bytes();
    wrong_digit[3] = b'0' + (wrong_digit[3] - b'0' + 1) % 10;
    let wrong_digit = format!("code={}", String::from_utf8(wrong_digit).unwrap());
    for (query, pointer) in [
        ("", ""),
        ("phone=%2B8613800138000&external_id=crm-17", ""),
        ("phone=13800138000", "/phone"),
        ("email=xiaoyu", "/email"),
        ("code=12345", "/code"),
        (wrong_digit.as_str(), "/code"),
        ("name=Lin", "/name"),
    ] {
        let problem = find(query).problem(400, "invalid_query");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{query}: {problem}");
    }
}

#[test]
fn what_cannot_be_a_member_is_refused() {
    let app = App::start();
    let till = app.cashier();
    for (field, value, code, mistake) in [
        ("name", json!(""), "invalid_field", "length_invalid"),
        ("name", json!("  "), "invalid_field", "length_invalid"),
        ("name", json!("x".repeat(101)), "invalid_field", "length_invalid"),
        ("name", json!("a\u{7}b"), "invalid_field", "length_invalid"),
        ("name", json!("a\u{0}b"), "invalid_field", "invalid_value"),
        ("phone", json!("13800138000"), "invalid_field", "phone_invalid"),
        ("phone", json!("+0123456789"), "invalid_field", "phone_invalid"),
        ("email", json!("nobody"), "invalid_field", "email_invalid"),
        ("email", json!("a@b"), "invalid_field", "email_invalid"),
        ("birth_date", json!("1990-02-30"), "invalid_field", "invalid_value"),
        ("birth_date", json!("30.11.1990"), "invalid_field", "invalid_value"),
        ("birth_date", json!(19901130), "invalid_field", "invalid_type"),
        ("locale", json!("fr"), "invalid_field", "unknown_value"),
        ("external_id", json!(""), "invalid_field", "length_invalid"),
        ("points", json!(100), "unknown_field", "unknown_field"),
    ] {
        let mut body = json!({"name": "Lin"});
        body[field] = value.clone();
        let problem = till.post("/v1/till/members", &body).problem(400, code);
        assert_eq!(problem["errors"][0]["pointer"], format!("/{field}"), "{value}: {problem}");
        assert_eq!(problem["errors"][0]["code"], mistake, "{value}: {problem}");
    }
    till.post("/v1/till/members", &json!({})).problem(400, "missing_field");
    assert_eq!(app.db.number("select count(*) as value from member"), 0);
}

#[test]
fn a_member_changes_his_own_profile_at_the_version_he_saw() {
    let app = App::start();
    let member = make::enrol(&app.cashier(), &json!({"name": "Lin", "phone": "+8613800138000"}));
    make::enrol(&app.cashier(), &json!({"name": "Wang", "phone": "+8613800138001"}));
    let caller = app.member(&member);
    let read = caller.get("/v1/member/profile");
    let etag = read.header("etag").unwrap().to_owned();
    assert_eq!(etag, "\"1\"");
    assert_eq!(read.expect(200)["phone"], "+8613800138000", "one's own number is not masked");

    let change = |etag: &str, body: Value| caller.patch("/v1/member/profile", etag, &body);
    let changed = change(&etag, json!({"name": "林", "birth_date": "1990-11-30"}));
    assert_eq!(changed.expect(200)["birth_date"], "1990-11-30");
    assert_eq!(changed.header("etag"), Some("\"2\""));
    let stale = change(&etag, json!({"name": "Lin"}));
    stale.problem(412, "version_conflict");
    assert_eq!(stale.header("etag"), Some("\"2\""));
    change("\"2\"", json!({"birth_date": "1990-12-01"})).problem(422, "birth_date_set");
    change("\"2\"", json!({"phone": "+8613800138001"})).problem(409, "phone_taken");
    change("2", json!({})).problem(400, "if_match_invalid");
    caller.request("PATCH", "/v1/member/profile").json(&json!({})).send().problem(428, "precondition_required");
    assert_eq!(change("\"2\"", json!({})).header("etag"), Some("\"2\""), "nothing changed");
    let audit = "select action || ' ' || after::text as value from audit where object like 'mem_%'";
    assert_eq!(app.db.texts(audit), ["member.change {\"fields\": [\"name\", \"birth_date\"]}"]);
}
