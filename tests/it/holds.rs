//! Points set aside: captured, voided, or let go by the clock.

use serde_json::{Value, json};

use crate::support::make::{self, earn, key};
use crate::support::{App, Caller, Member};

const TILL: &str = "/v1/till/redemptions";

fn start(points: i64) -> (App, Caller, Member) {
    furnished(App::start(), points)
}

/// Holds last thirty days.
fn start_patient(points: i64) -> (App, Caller, Member) {
    furnished(App::with(|programme| programme["redemption"]["hold_minutes"] = json!(43_200)), points)
}

fn furnished(app: App, points: i64) -> (App, Caller, Member) {
    let till = app.cashier();
    let member = make::member(&till);
    earn(&till, &member, points);
    let pin = json!({"pin": "135790", "password": crate::support::app::PASSWORD});
    app.member(&member).put("/v1/member/pin", &pin).expect(204);
    (app, till, member)
}

fn set(app: &App, now: &str) {
    app.admin().put("/v1/sandbox/clock", &json!({"now": now})).expect(200);
}

fn wish(member: &Member, what: Value) -> Value {
    let mut body = what;
    body["member_id"] = json!(member.id);
    body["mode"] = json!("hold");
    body["authorisation"] = json!({"pin": "135790"});
    body
}

fn hold(till: &Caller, member: &Member, points: i64) -> String {
    let held = till.post(TILL, &wish(member, json!({"points": points}))).expect(201);
    held["id"].as_str().unwrap().to_owned()
}

fn hold_reward(till: &Caller, member: &Member, reward: &str) -> crate::support::Reply {
    till.post(TILL, &wish(member, json!({"reward_id": reward})))
}

fn capture(till: &Caller, id: &str, body: Value) -> crate::support::Reply {
    till.post(&format!("{TILL}/{id}/capture"), &body)
}

fn void(till: &Caller, id: &str) -> crate::support::Reply {
    till.post(&format!("{TILL}/{id}/void"), &json!({}))
}

fn balance(till: &Caller, member: &Member) -> [i64; 3] {
    let balance = till.get(&format!("/v1/till/members/{}/balance", member.id)).expect(200);
    ["available", "held", "debt"].map(|account| balance[account].as_i64().unwrap())
}

/// A member's entries, oldest first: kind, accounts, points.
fn ledger(app: &App, member: &Member) -> Vec<String> {
    let shown = app.member(member).get("/v1/member/ledger?limit=100").expect(200);
    let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
    let row =
        |row: &Value| format!("{} {}>{} {}", text(row, "kind"), text(row, "from"), text(row, "to"), row["points"]);
    shown["data"].as_array().unwrap().iter().rev().map(row).collect()
}

#[test]
fn a_hold_is_captured_in_part_and_the_rest_goes_back() {
    let (app, till, member) = start(500);
    let held = till.post(TILL, &wish(&member, json!({"points": 300}))).expect(201);
    assert_eq!((&held["status"], &held["points"]), (&json!("held"), &json!(300)));
    assert_eq!(held["balance"], json!({"available": 200, "pending": 0, "held": 300, "debt": 0}));
    let ends = held["expires_at"].as_str().unwrap();
    assert!(ends.starts_with("2031-03-05T04:1"), "a quarter of an hour: {ends}");
    let id = held["id"].as_str().unwrap();
    let now = till.get(&format!("{TILL}/{id}")).expect(200);
    assert_eq!((&now["status"], &now["expires_at"]), (&json!("held"), &held["expires_at"]));
    // What is set aside cannot be spent.
    app.member(&member).post("/v1/member/redemptions", &json!({"points": 250})).problem(422, "insufficient_points");

    let problem = capture(&till, id, json!({"points": 301})).problem(422, "capture_out_of_range");
    assert_eq!(problem["held"], 300);
    capture(&till, id, json!({"points": 0})).problem(422, "capture_out_of_range");
    capture(&till, id, json!({"points": -1})).problem(422, "capture_out_of_range");
    let captured = capture(&till, id, json!({"points": 200})).expect(200);
    assert_eq!((&captured["status"], &captured["points"]), (&json!("captured"), &json!(200)));
    assert_eq!((&captured["money_off"]["amount"], &captured["expires_at"]), (&json!(200), &Value::Null));
    assert_eq!(captured["balance"], json!({"available": 300, "pending": 0, "held": 0, "debt": 0}));
    assert_eq!(capture(&till, id, json!({})).problem(409, "not_held")["redemption_status"], "captured");

    // Spent by mistake: the points go back to their lot.
    let voided = void(&till, id).expect(200);
    assert_eq!((&voided["status"], &voided["balance"]["available"]), (&json!("voided"), &json!(500)));
    void(&till, id).problem(409, "voided_before");
    assert_eq!(capture(&till, id, json!({})).problem(409, "not_held")["redemption_status"], "voided");
    let entries = [
        "accrual issued>available 500",
        "hold available>held 300",
        "redemption held>redeemed 200",
        "release held>available 100",
        "give_back redeemed>available 200",
    ];
    assert_eq!(ledger(&app, &member), entries);
    let listed = app.member(&member).get("/v1/member/redemptions").expect(200);
    assert_eq!((&listed["data"][0]["id"], &listed["data"][0]["status"]), (&json!(id), &json!("voided")));
    let entry = &app.member(&member).get("/v1/member/ledger").expect(200)["data"][0];
    assert_eq!(entry["document_id"], json!(id));
    let events =
        "select count(*) as value from outbox where kind in ('points.held', 'points.redeemed', 'redemption.voided')";
    assert_eq!(app.db.number(events), 3);
}

#[test]
fn a_hold_ends_by_itself() {
    let (app, till, member) = start(500);
    let id = hold(&till, &member, 300);
    assert_eq!(balance(&till, &member), [200, 300, 0]);
    app.advance("PT16M");
    assert_eq!(balance(&till, &member), [500, 0, 0]);
    let now = till.get(&format!("{TILL}/{id}")).expect(200);
    assert_eq!((&now["status"], &now["expires_at"]), (&json!("voided"), &Value::Null));
    let listed = app.admin().get(&format!("/v1/admin/members/{}/redemptions", member.id)).expect(200);
    assert_eq!(listed["data"][0]["status"], "voided");
    assert_eq!(capture(&till, &id, json!({})).problem(409, "not_held")["redemption_status"], "voided");
    let entry = app.member(&member).get("/v1/member/ledger").expect(200)["data"][0].clone();
    assert_eq!((&entry["kind"], &entry["points"]), (&json!("release"), &json!(300)));
    assert!(entry["effective_at"].as_str().unwrap().starts_with("2031-03-05T04:1"), "when it was due: {entry}");
}

#[test]
fn a_hold_in_a_lot_that_lapses_is_captured_as_promised() {
    let (app, till, member) = start_patient(500);
    set(&app, "2032-03-20T04:00:00Z");
    let (kept, let_go) = (hold(&till, &member, 200), hold(&till, &member, 250));
    set(&app, "2032-04-05T04:00:00Z");
    assert_eq!(balance(&till, &member), [0, 450, 0], "what was free has lapsed");
    assert_eq!(capture(&till, &kept, json!({})).expect(200)["points"], 200);
    let voided = void(&till, &let_go).expect(200);
    assert_eq!(voided["balance"], json!({"available": 0, "pending": 0, "held": 0, "debt": 0}));
    let entries = [
        "accrual issued>available 500",
        "hold available>held 200",
        "hold available>held 250",
        "expiry available>expired 50",
        "redemption held>redeemed 200",
        "expiry held>expired 250",
    ];
    assert_eq!(ledger(&app, &member), entries);
}

#[test]
fn a_reward_on_hold_is_one_less_until_it_is_let_go() {
    let (app, till, member) = start(500);
    let mugs = [(); 3].map(|()| hold_reward(&till, &member, "mug").expect(201)["id"].as_str().unwrap().to_owned());
    hold_reward(&till, &member, "mug").problem(409, "out_of_stock");
    capture(&till, &mugs[0], json!({"points": 10})).problem(422, "reward_is_whole");
    assert_eq!(capture(&till, &mugs[0], json!({})).expect(200)["reward_id"], "mug");
    void(&till, &mugs[1]).expect(200);
    let again = hold_reward(&till, &member, "mug").expect(201)["id"].as_str().unwrap().to_owned();
    hold_reward(&till, &member, "mug").problem(409, "out_of_stock");
    assert_eq!(balance(&till, &member), [350, 100, 0]);
    app.advance("PT16M");
    assert_eq!(balance(&till, &member), [450, 0, 0]);
    assert_eq!(app.db.number("select used as value from reward_usage where reward = 'mug'"), 1);
    void(&till, &again).problem(409, "voided_before");
}

#[test]
fn a_capture_and_a_void_are_safe_to_repeat() {
    let (app, till, member) = start(500);
    let (one, other) = (hold(&till, &member, 100), hold(&till, &member, 150));
    let (first_key, path) = (key(), format!("{TILL}/{one}/capture"));
    till.request("POST", &path).json(&json!({})).send().problem(400, "idempotency_key_missing");
    let first = till.post_under(&first_key, &path, &json!({}));
    first.expect(200);
    let again = till.post_under(&first_key, &path, &json!({}));
    assert_eq!((again.status, &again.text), (200, &first.text));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    // A key stands for one redemption and one thing done to it.
    let elsewhere = till.post_under(&first_key, &format!("{TILL}/{other}/capture"), &json!({}));
    elsewhere.problem(422, "idempotency_key_reused");
    till.post_under(&first_key, &format!("{TILL}/{one}/void"), &json!({})).problem(422, "idempotency_key_reused");
    let voids = key();
    let first = till.post_under(&voids, &format!("{TILL}/{other}/void"), &json!({}));
    first.expect(200);
    let again = till.post_under(&voids, &format!("{TILL}/{other}/void"), &json!({}));
    assert_eq!((again.status, &again.text), (200, &first.text));
    till.post(&format!("{TILL}/{one}/void"), &json!({"reason": "x"})).problem(400, "unknown_field");
    till.post(&path, &json!({"points": 1, "all": true})).problem(400, "unknown_field");
    assert_eq!(balance(&till, &member), [400, 0, 0]);
    assert_eq!(app.db.number("select count(*) as value from outbox where kind = 'redemption.voided'"), 1);
}

#[test]
fn who_may_settle_a_redemption() {
    let (app, till, member) = start(2000);
    let id = hold(&till, &member, 100);
    let (east, other_manager) = (app.other_cashier(), app.signed_in("manager-east"));
    for elsewhere in [&east, &other_manager] {
        capture(elsewhere, &id, json!({})).problem(404, "not_found");
        void(elsewhere, &id).problem(404, "not_found");
        void(elsewhere, "red_01kapm6w2gfh1sd0q4x9v7zb3n").problem(404, "not_found");
    }
    east.get(&format!("{TILL}/{id}")).problem(404, "not_found");
    other_manager.get(&format!("{TILL}/{id}")).expect(200);
    let own = app.member(&member);
    capture(&own, &id, json!({})).problem(403, "forbidden");
    void(&own, &id).problem(403, "forbidden");
    app.manager().post(&format!("{TILL}/{id}/capture"), &json!({})).expect(200);
    app.admin().post(&format!("{TILL}/{id}/void"), &json!({})).expect(200);

    // What a member did alone belongs to no store: cashiers do not see it.
    let alone = || {
        let redeemed = own.post("/v1/member/redemptions", &json!({"reward_id": "coffee"})).expect(201);
        redeemed["id"].as_str().unwrap().to_owned()
    };
    let (first, second) = (alone(), alone());
    void(&till, &first).problem(404, "not_found");
    void(&other_manager, &first).expect(200);
    void(&app.admin(), &second).expect(200);
    assert_eq!(balance(&till, &member), [2000, 0, 0]);
}
