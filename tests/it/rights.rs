//! Who may do what, through the whole of the API.

use serde_json::{Value, json};
use tessera::api::openapi;
use tessera::clock::new_uuid;
use tessera_rules::id::{
    AdjustmentId, ApiKeyId, MemberId, PurchaseId, ReRatingId, RedemptionId, SessionId, StaffId, StoreId,
};

use crate::support::make::{self, earn, line, receipt};
use crate::support::{App, Caller};

/// An operation with a path that could be right.
struct Operation {
    method: String,
    template: String,
    path: String,
}

/// Every operation under `/v1` that needs a caller.
fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(&openapi::document().json).unwrap();
    let mut found = Vec::new();
    for (template, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let public = operation["security"].as_array().is_some_and(Vec::is_empty);
            if template.starts_with("/v1/") && !public {
                let path = template.replace("{id}", &id_for(template)).replace("{code}", "nothing-of-the-kind");
                let path = path.replace("{number}", "1");
                assert!(!path.contains('{'), "a part of the path this test does not know: {template}");
                found.push(Operation { method: method.to_uppercase(), template: template.clone(), path });
            }
        }
    }
    assert!(found.len() > 20, "the document has operations");
    found
}

fn id_for(template: &str) -> String {
    let uuid = new_uuid();
    match template.split('/').nth(3) {
        Some("adjustments") => AdjustmentId::new(uuid).to_string(),
        Some("members") => MemberId::new(uuid).to_string(),
        Some("purchases") => PurchaseId::new(uuid).to_string(),
        Some("re-ratings") => ReRatingId::new(uuid).to_string(),
        Some("redemptions") => RedemptionId::new(uuid).to_string(),
        Some("api-keys") => ApiKeyId::new(uuid).to_string(),
        Some("sessions") => SessionId::new(uuid).to_string(),
        Some("staff") => StaffId::new(uuid).to_string(),
        Some("stores") => StoreId::new(uuid).to_string(),
        _ => "nothing-of-the-kind".to_owned(),
    }
}

#[test]
fn without_a_token_there_is_nothing() {
    let app = App::start();
    for Operation { method, path, .. } in operations() {
        let reply = app.anon().request(&method, &path).json(&json!({})).send();
        assert_eq!(reply.status, 401, "{method} {path}: {}", reply.text);
        reply.problem(401, "token_missing");
        assert!(reply.header("www-authenticate").is_some());
    }
}

#[test]
fn every_face_is_for_its_own_people() {
    let app = App::start();
    let member = make::member(&app.cashier());
    let callers: [(&str, Caller, &[&str]); 4] = [
        ("member", app.member(&member), &["/v1/auth/", "/v1/member/"]),
        ("cashier", app.cashier(), &["/v1/auth/", "/v1/till/"]),
        ("manager", app.manager(), &["/v1/auth/", "/v1/till/", "/v1/admin/"]),
        ("admin", app.admin(), &["/v1/auth/", "/v1/till/", "/v1/admin/", "/v1/sandbox/"]),
    ];
    let reads: Vec<Operation> = operations().into_iter().filter(|operation| operation.method == "GET").collect();
    for (role, caller, faces) in &callers {
        for Operation { path, template, .. } in &reads {
            let reply = caller.get(path);
            if faces.iter().any(|face| template.starts_with(face)) {
                assert_ne!(reply.status, 401, "{role} GET {path}");
            } else if reply.status != 403 {
                // What needs a query to be a request may say so first.
                assert_eq!(reply.problem(400, "invalid_query")["status"], 400, "{role} GET {path}");
            }
        }
    }
}

#[test]
fn writing_is_refused_to_the_wrong_role() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    let own = app.member(&member);
    let body = receipt(&member, &[line(100)]);
    own.post("/v1/till/purchases", &body).problem(403, "forbidden");
    own.post("/v1/till/purchases/preview", &body).problem(403, "forbidden");
    let basket = json!({"member_id": member.id, "currency": "CNY", "lines": [line(100)]});
    for caller in [&own, &app.admin()] {
        caller.post("/v1/till/quote", &basket).problem(403, "forbidden");
    }
    own.post("/v1/till/members", &json!({"name": "Lin"})).problem(403, "forbidden");
    for caller in [&own, &app.admin()] {
        caller.post(&format!("/v1/till/members/{}/events", member.id), &json!({"code": "x"})).problem(403, "forbidden");
    }
    let redemption = json!({"member_id": member.id, "points": 100, "authorisation": {"otp": "000000"}});
    own.post("/v1/till/redemptions", &redemption).problem(403, "forbidden");
    for staff in [app.cashier(), app.manager(), app.admin()] {
        staff.post("/v1/member/redemptions", &json!({"points": 100})).problem(403, "forbidden");
        staff.put("/v1/member/pin", &json!({"pin": "135790", "password": "x"})).problem(403, "forbidden");
    }
    for caller in [&own, &app.cashier(), &app.manager()] {
        caller.post("/v1/admin/coupons/spring/issue", &json!({"count": 1})).problem(403, "forbidden");
        let revoke = "/v1/admin/coupons/spring/issued/7KQ2M9XD4RTA0WCZ/revoke";
        caller.post(revoke, &json!({"reason": "x"})).problem(403, "forbidden");
    }
    let adjustment = json!({"member_id": member.id, "points": 1, "reason": "goodwill", "note": "x"});
    for caller in [&own, &app.cashier()] {
        caller.post("/v1/till/adjustments", &adjustment).problem(403, "forbidden");
        for how in ["approve", "reject"] {
            let path = format!("/v1/admin/adjustments/{}/{how}", AdjustmentId::new(new_uuid()));
            caller.post(&path, &json!({"note": "x"})).problem(403, "forbidden");
        }
    }
    let wallet = format!("/v1/till/members/{}/wallet", member.id);
    let money = json!({"amount": 1000, "currency": "CNY"});
    own.post(&format!("{wallet}/top-ups"), &money).problem(403, "forbidden");
    for caller in [&own, &app.cashier()] {
        caller.post(&format!("{wallet}/refunds"), &json!({})).problem(403, "forbidden");
    }
    let by_hand = json!({"account": "paid", "amount": 1, "reason": "goodwill", "note": "x"});
    for caller in [&own, &app.cashier(), &app.manager()] {
        let path = format!("/v1/admin/members/{}/wallet/adjustments", member.id);
        caller.post(&path, &by_hand).problem(403, "forbidden");
    }
    for caller in [&own, &app.cashier(), &app.manager()] {
        let plan =
            json!({"from": "2031-03-05", "to": "2031-03-05", "reason": "x", "note": "x", "without_promotion": "x"});
        caller.post("/v1/admin/re-ratings", &plan).problem(403, "forbidden");
    }
    // An admin stands in no store.
    app.admin().post(&format!("{wallet}/top-ups"), &money).problem(403, "forbidden");
    app.admin().post("/v1/till/purchases", &body).problem(403, "forbidden");
    app.admin().post("/v1/till/redemptions", &redemption).problem(403, "forbidden");
    for caller in [app.cashier(), app.manager(), own] {
        caller.post("/v1/sandbox/clock/advance", &json!({"by": "P1D"})).problem(403, "forbidden");
        caller.put("/v1/sandbox/clock", &json!({"now": "2040-01-01T00:00:00Z"})).problem(403, "forbidden");
    }
    assert_eq!(app.db.number("select count(*) as value from purchase"), 0);
    assert_eq!(app.db.number("select failures::bigint as value from member_credential"), 0);
}

#[test]
fn a_cashier_sees_the_documents_of_the_own_store_only() {
    let app = App::start();
    let (west, east) = (app.cashier(), app.other_cashier());
    let member = make::member(&west);
    let body = receipt(&member, &[line(50_000)]);
    let purchase = west.post("/v1/till/purchases", &body).expect(201);
    let purchase = format!("/v1/till/purchases/{}", purchase["id"].as_str().unwrap());
    let own = app.member(&member);
    let otp = own.get("/v1/member/card").expect(200)["otp"].take();
    let redemption = json!({"member_id": member.id, "points": 100, "authorisation": {"otp": otp}});
    let redemption = west.post("/v1/till/redemptions", &redemption).expect(201);
    let redemption = format!("/v1/till/redemptions/{}", redemption["id"].as_str().unwrap());
    let alone = own.post("/v1/member/redemptions", &json!({"reward_id": "coffee"})).expect(201);
    let alone = format!("/v1/till/redemptions/{}", alone["id"].as_str().unwrap());

    for path in [&purchase, &redemption] {
        west.get(path).expect(200);
        east.get(path).problem(404, "not_found");
        own.get(path).problem(403, "forbidden");
        app.manager().get(path).expect(200);
    }
    west.get(&alone).problem(404, "not_found");
    app.manager().get(&alone).expect(200);
    // Whether something exists elsewhere cannot be told from the answer.
    let strip = |path: &str| {
        let mut problem = east.get(path).problem(404, "not_found");
        for field in ["request_id", "instance"] {
            problem[field].take();
        }
        problem
    };
    let nowhere = format!("/v1/till/purchases/{}", PurchaseId::new(new_uuid()));
    assert_eq!(strip(&purchase), strip(&nowhere));
    let number = body["external_id"].as_str().unwrap();
    assert_eq!(east.get(&format!("/v1/till/purchases?external_id={number}")).expect(200)["data"], json!([]));
    // The member himself is known at every till.
    east.get(&format!("/v1/till/members/{}", member.id)).expect(200);
}

#[test]
fn a_member_meets_nobody_else() {
    let app = App::start();
    let till = app.cashier();
    let (one, other) = (make::member(&till), make::member(&till));
    for _ in 0..3 {
        earn(&till, &one, 500);
        app.member(&one).post("/v1/member/redemptions", &json!({"reward_id": "coffee"})).expect(201);
    }
    let caller = app.member(&other);
    for list in ["ledger", "purchases", "redemptions"] {
        assert_eq!(caller.get(&format!("/v1/member/{list}")).expect(200)["data"], json!([]), "{list}");
        // A cursor out of somebody else's list leads nowhere.
        let page = app.member(&one).get(&format!("/v1/member/{list}?limit=1")).expect(200);
        let path = format!("/v1/member/{list}?cursor={}", page["next_cursor"].as_str().unwrap());
        assert_eq!(caller.get(&path).expect(200)["data"], json!([]), "{list}");
        caller.get(&format!("/v1/member/{list}?member_id={}", one.id)).problem(400, "invalid_query");
    }
    assert_eq!(caller.get("/v1/member/balance").expect(200)["available"], 0);
    assert_eq!(caller.get("/v1/member/profile").expect(200)["id"], other.id);
    for path in ["", "/balance"] {
        caller.get(&format!("/v1/till/members/{}{path}", one.id)).problem(403, "forbidden");
        caller.get(&format!("/v1/admin/members/{}{path}", one.id)).problem(403, "forbidden");
    }
    let body = json!({"points": 100, "member_id": one.id});
    let problem = caller.post("/v1/member/redemptions", &body).problem(400, "unknown_field");
    assert_eq!(problem["errors"][0]["pointer"], "/member_id");
}
