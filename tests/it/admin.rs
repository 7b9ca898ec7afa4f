//! The back office: the programme and its parts, stores, staff, members, and the line every change
//! leaves in the audit log.

use serde_json::{Value, json};

use crate::support::app::{PASSWORD, programme};
use crate::support::make::{self, earn, line, receipt};
use crate::support::{App, Caller, Reply};

fn put(caller: &Caller, path: &str, etag: &str, body: &Value) -> Reply {
    caller.request("PUT", path).header("If-Match", etag).json(body).send()
}

/// The newest lines of the audit log about an object: action and what is there now.
fn audited(app: &App, object: &str) -> Vec<Value> {
    let log = app.admin().get(&format!("/v1/admin/audit?object={object}")).expect(200);
    log["data"].as_array().unwrap().clone()
}

#[test]
fn the_programme_is_read_and_replaced_at_a_version() {
    let app = App::start();
    let admin = app.admin();
    let read = admin.get("/v1/admin/programme");
    assert_eq!(read.header("etag"), Some("\"1\""));
    let mut document = read.expect(200);
    assert_eq!(document["earning"]["rate"], json!({"points": 1, "per": 100}));

    document["earning"]["rate"]["points"] = json!(2);
    admin.put("/v1/admin/programme", &document).problem(428, "precondition_required");
    put(&admin, "/v1/admin/programme", "\"7\"", &document).problem(412, "version_conflict");
    let changed = put(&admin, "/v1/admin/programme", "\"1\"", &document);
    assert_eq!(changed.expect(200), document);
    assert_eq!(changed.header("etag"), Some("\"2\""));
    let stale = put(&admin, "/v1/admin/programme", "\"1\"", &document);
    stale.problem(412, "version_conflict");
    assert_eq!(stale.header("etag"), Some("\"2\""));
    let same = put(&admin, "/v1/admin/programme", "\"2\"", &document);
    assert_eq!(same.header("etag"), Some("\"2\""), "what says the same is no new version");

    let line = &audited(&app, "programme")[0];
    assert_eq!(line["action"], "programme.put");
    assert_eq!(line["actor"]["role"], "admin");
    assert_eq!(line["before"], json!({"earning": {"rate": {"points": 1}}}));
    assert_eq!(line["after"], json!({"earning": {"rate": {"points": 2}}}));

    let till = app.cashier();
    assert_eq!(earn(&till, &make::member(&till), 50)["points"]["given"], 100);
    app.manager().get("/v1/admin/programme").expect(200);
    put(&app.manager(), "/v1/admin/programme", "\"2\"", &document).problem(403, "forbidden");
}

#[test]
fn every_mistake_of_a_programme_is_pointed_at() {
    let app = App::start();
    let admin = app.admin();
    let mut document = programme();
    document["tiers"]["levels"][1]["threshold"] = json!(9000);
    document["rewards"][0]["points"] = json!(0);
    document["rewards"][1]["code"] = json!("coffee");
    document["promotions"] =
        json!([{"code": "Sale!", "name": "x", "tiers": ["iron"], "effect": {"kind": "multiply", "by": "0.5"}}]);
    let problem = put(&admin, "/v1/admin/programme", "\"1\"", &document).problem(422, "programme_invalid");
    let mut pointers: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    pointers.sort_unstable();
    let expected = [
        "/promotions/0/code",
        "/promotions/0/effect/by",
        "/promotions/0/tiers/0",
        "/rewards/0/points",
        "/rewards/1/code",
        "/tiers/levels/2/threshold",
    ];
    assert_eq!(pointers, expected);
    let mut unknown = programme();
    unknown["earning"]["bonus"] = json!(1);
    let problem = put(&admin, "/v1/admin/programme", "\"1\"", &unknown).problem(400, "unknown_field");
    assert_eq!(problem["errors"][0]["pointer"], "/earning/bonus");
    assert_eq!(app.db.number("select count(*) as value from programme_version"), 1);
}

#[test]
fn parts_of_the_programme_are_made_changed_and_taken_away() {
    let app = App::start();
    let admin = app.admin();
    for (path, part, change) in [
        ("rewards", json!({"code": "tea", "name": "Tea", "points": 30}), json!({"points": 40})),
        ("earning-rules", json!({"code": "tea", "category": "tea", "multiplier": "2"}), json!({"multiplier": "4"})),
        (
            "promotions",
            json!({"code": "tea", "name": "Tea", "effect": {"kind": "multiply", "by": "2"}}),
            json!({"priority": 3}),
        ),
        ("tiers", json!({"code": "tea", "name": "Tea", "threshold": 2000}), json!({"threshold": 3000})),
        (
            "perks",
            json!({"code": "tea", "name": "Tea", "occasion": "birthday", "grant": {"kind": "points", "points": 5},
                   "windows": [{"after_days": 1}]}),
            json!({"needs_purchase": true}),
        ),
        (
            "coupons",
            json!({"code": "tea", "name": "Tea", "discount": {"off": {"kind": "percent", "percent": "10"}}}),
            json!({"uses": 2, "stacking": {"group": "drinks"}}),
        ),
        ("prices", json!({"code": "tea", "sku": "TEA", "price": 900}), json!({"price": 800, "most": "2"})),
        (
            "early-access",
            json!({"code": "tea", "skus": ["TEA"], "minimum_tier": "gold", "until": "2031-04-30"}),
            json!({"minimum_tier": "silver"}),
        ),
    ] {
        let list = format!("/v1/admin/{path}");
        let own = format!("{list}/tea");
        let before = admin.get(&list).expect(200);
        admin.get(&own).problem(404, "not_found");
        let made = admin.post(&list, &part);
        assert_eq!(made.expect(201)["id"], "tea", "{path}");
        admin.post(&list, &part).problem(409, "code_taken");
        let read = admin.get(&own);
        let (etag, mut body) = (read.header("etag").unwrap().to_owned(), read.expect(200));
        for (field, value) in change.as_object().unwrap() {
            body[field] = value.clone();
        }
        put(&admin, &own, "\"1\"", &body).problem(412, "version_conflict");
        put(&app.manager(), &own, &etag, &body).problem(403, "forbidden");
        let changed = put(&admin, &own, &etag, &body);
        let shown = changed.expect(200);
        for (field, value) in change.as_object().unwrap() {
            assert_eq!(&shown[field], value, "{path}");
        }
        let etag = changed.header("etag").unwrap();
        let gone = admin.request("DELETE", &own).header("If-Match", etag).send();
        gone.expect(204);
        assert_eq!(admin.get(&list).expect(200), before, "{path}");
    }
    for (object, action) in [("coupon:tea", "coupon.delete"), ("price:tea", "price.delete")] {
        assert_eq!(audited(&app, object)[0]["action"], action);
    }
    let wrong = json!({"code": "tea", "sku": "TEA", "price": -1, "minimum_tier": "iron"});
    let problem = admin.post("/v1/admin/prices", &wrong).problem(422, "programme_invalid");
    let pointers: Vec<&Value> = problem["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert_eq!(pointers, ["/price", "/minimum_tier"]);
    // A tier that is named elsewhere cannot go.
    let etag = admin.get("/v1/admin/tiers/gold").header("etag").unwrap().to_owned();
    let gone = admin.request("DELETE", "/v1/admin/tiers/gold").header("If-Match", &etag).send();
    gone.problem(422, "programme_invalid");
}

#[test]
fn stores_and_staff_come_and_go() {
    let app = App::start();
    let admin = app.admin();
    let store = admin.post("/v1/admin/stores", &json!({"code": "north", "name": "北店"})).expect(201);
    admin.post("/v1/admin/stores", &json!({"code": "north", "name": "x"})).problem(409, "code_taken");
    admin.post("/v1/admin/stores", &json!({"code": "North!", "name": "x"})).problem(400, "invalid_field");
    assert_eq!(admin.get("/v1/admin/stores").expect(200)["data"].as_array().unwrap().len(), 3);

    let new = json!({
        "identifier": " Li.Wei@Example.com", "name": "李伟", "role": "cashier", "store_id": store["id"],
        "password": PASSWORD,
    });
    let hired = admin.post("/v1/admin/staff", &new).expect(201);
    assert_eq!(hired["identifier"], "li.wei@example.com");
    admin.post("/v1/admin/staff", &new).problem(409, "identifier_taken");
    for (field, value, pointer) in [
        ("store_id", Value::Null, "/store_id"),
        ("role", json!("admin"), "/store_id"),
        ("role", json!("owner"), "/role"),
        ("identifier", json!(" "), "/identifier"),
    ] {
        let mut wrong = new.clone();
        wrong[field] = value;
        let problem = admin.post("/v1/admin/staff", &wrong).problem(400, "invalid_field");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let mut short = new.clone();
    (short["password"], short["identifier"]) = (json!("short"), json!("else"));
    admin.post("/v1/admin/staff", &short).problem(422, "password_unfit");

    // The new cashier sells in the new store, until dismissed.
    let till = app.signed_in("li.wei@example.com");
    earn(&till, &make::member(&till), 5);
    assert_eq!(app.db.texts("select source as value from purchase"), ["north"]);
    let path = format!("/v1/admin/staff/{}", hired["id"].as_str().unwrap());
    let etag = admin.get(&path).header("etag").unwrap().to_owned();
    admin.patch(&path, &etag, &json!({"status": "disabled"})).expect(200);
    till.get("/v1/till/members?external_id=x").problem(401, "session_revoked");
    app.login("li.wei@example.com", PASSWORD).problem(401, "invalid_credentials");

    let log = app.db.texts("select coalesce(before::text, '') || coalesce(after::text, '') as value from audit");
    for personal in ["李伟", "li.wei", PASSWORD, "argon2"] {
        assert!(!log.iter().any(|line| line.contains(personal)), "{personal} in {log:?}");
    }
}

#[test]
fn members_are_seen_in_full_and_frozen_with_a_reason() {
    let app = App::start();
    let till = app.cashier();
    let body = json!({"name": "林小雨", "phone": "+8613800138000", "birth_date": "--03-05", "external_id": "crm-1"});
    let member = make::enrol(&till, &body);
    make::member(&till);
    earn(&till, &member, 1200);
    let own = app.member(&member);
    own.post("/v1/member/redemptions", &json!({"reward_id": "mug"})).expect(201);

    let manager = app.manager();
    let found = manager.get("/v1/admin/members?phone=%2B8613800138000").expect(200);
    assert_eq!(found["data"].as_array().unwrap().len(), 1);
    assert_eq!(found["data"][0]["phone"], "+8613800138000");
    assert_eq!(manager.get("/v1/admin/members").expect(200)["data"].as_array().unwrap().len(), 2);
    let path = format!("/v1/admin/members/{}", member.id);
    let whole = manager.get(&path).expect(200);
    assert_eq!((&whole["name"], &whole["birth_date"]), (&json!("林小雨"), &json!("--03-05")));
    let list = |what: &str| manager.get(&format!("{path}/{what}")).expect(200)["data"].as_array().unwrap().clone();
    let ledger = list("ledger");
    assert_eq!(ledger.iter().map(|row| row["number"].as_i64().unwrap()).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!(ledger[1]["actor"]["role"], "cashier");
    assert!(ledger.iter().all(|row| row["hash"].as_str().is_some_and(|hash| hash.len() == 64)));
    assert_eq!((list("lots").len(), list("purchases").len(), list("redemptions").len()), (2, 1, 1));
    assert_eq!(list("perks")[0]["perk"], "birthday");
    assert_eq!(manager.get(&format!("{path}/tier")).expect(200)["code"], "silver");
    assert_eq!(manager.get(&format!("{path}/balance")).expect(200)["available"], 1350);

    let turn = |how: &str, body: &Value| manager.post(&format!("{path}/{how}"), body);
    turn("freeze", &json!({})).problem(400, "missing_field");
    let why = json!({"reason": "points traded on a marketplace"});
    assert_eq!(turn("freeze", &why).expect(200)["status"], "frozen");
    turn("freeze", &why).problem(409, "state_conflict");
    own.get("/v1/member/balance").problem(401, "session_revoked");
    till.post("/v1/till/purchases", &receipt(&member, &[line(100)])).problem(422, "member_frozen");
    assert_eq!(turn("unfreeze", &why).expect(200)["status"], "active");
    till.post("/v1/till/purchases", &receipt(&member, &[line(100)])).expect(201);
    app.login(&member.code, PASSWORD).expect(200);

    let log = audited(&app, &member.id);
    let actions: Vec<&str> = log.iter().map(|line| line["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["member.unfreeze", "member.freeze"]);
    assert_eq!(log[0]["actor"]["role"], "manager");
    assert_eq!(log[1]["after"], json!({"status": "frozen", "reason": why["reason"]}));
}
