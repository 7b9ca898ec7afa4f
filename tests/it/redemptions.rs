//! Spending points: at a till with the member's say-so, and by the member himself.

use serde_json::{Value, json};

use crate::support::app::PASSWORD;
use crate::support::make::{self, earn, key};
use crate::support::{App, Caller, Member, eventually};

const TILL: &str = "/v1/till/redemptions";

/// The code on the member's card, early enough in its step that the next request still sees it new.
fn shown(card: &Caller) -> String {
    card.get("/v1/member/card").expect(200)["otp"].as_str().unwrap().to_owned()
}

fn with_otp(member: &Member, points: i64, otp: &str) -> Value {
    json!({"member_id": member.id, "points": points, "authorisation": {"otp": otp}})
}

#[test]
fn a_code_from_the_card_spends_once() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    earn(&till, &member, 500);
    let card = app.member(&member);
    let read = card.get("/v1/member/card").expect(200);
    assert_eq!((&read["member_id"], &read["code"]), (&json!(member.id), &json!(member.code)));
    assert!(read["otp_valid_until"].is_string());
    let otp = shown(&card);
    assert!(otp.len() == 6 && otp.bytes().all(|digit| digit.is_ascii_digit()), "{otp}");

    let one = key();
    let first = till.post_under(&one, TILL, &with_otp(&member, 200, &otp));
    let mut redeemed = first.expect(201);
    let id = redeemed["id"].take().as_str().unwrap().to_owned();
    assert!(redeemed["recorded_at"].take().as_str().unwrap().starts_with("2031-03-05T04:0"));
    let expected = json!({
        "id": null, "status": "captured", "points": 200, "reward_id": null,
        "money_off": {"amount": 200, "currency": "CNY"}, "recorded_at": null,
        "balance": {"available": 300, "pending": 0, "held": 0, "debt": 0},
    });
    assert_eq!(redeemed, expected);

    // The answer got lost: the same key finds it, though the code is spent by now.
    let again = till.post_under(&one, TILL, &with_otp(&member, 200, &otp));
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    till.post(TILL, &with_otp(&member, 100, &otp)).problem(403, "code_used");
    let now = till.get(&format!("{TILL}/{id}")).expect(200);
    assert_eq!((&now["id"], &now["status"], &now["points"]), (&json!(id), &json!("captured"), &json!(200)));
    assert_eq!((&now["money_off"], &now["expires_at"]), (&json!({"amount": 200, "currency": "CNY"}), &Value::Null));
    assert_eq!(app.db.number("select available as value from standing"), 300);
}

#[test]
fn a_refused_redemption_does_not_spend_the_code() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    earn(&till, &member, 100);
    let card = app.member(&member);
    // Both within one step, whose end is never far.
    eventually("two redemptions within one step of the code", || {
        let otp = shown(&card);
        let refused = till.post(TILL, &with_otp(&member, 150, &otp)).problem(422, "insufficient_points");
        assert_eq!((&refused["available"], &refused["required"]), (&json!(100), &json!(150)));
        let redeemed = till.post(TILL, &with_otp(&member, 100, &otp));
        (redeemed.status == 201).then_some(())
    });
}

#[test]
fn the_code_before_is_taken_and_older_and_later_ones_are_not() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    earn(&till, &member, 500);
    let at = |steps: i64| app.otp_in(&member, steps);
    till.post(TILL, &with_otp(&member, 100, &at(3))).problem(403, "code_wrong");
    till.post(TILL, &with_otp(&member, 100, &at(-4))).problem(403, "code_wrong");
    let before = eventually("a look within one step", || {
        let reply = till.post(TILL, &with_otp(&member, 100, &at(-1)));
        (reply.status == 201).then_some(reply)
    });
    before.expect(201);
    assert_eq!(app.db.number("select failures::bigint as value from member_credential"), 0, "right forgives");
}

#[test]
fn wrong_codes_lock_and_the_pin_with_them() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    earn(&till, &member, 500);
    let card = app.member(&member);
    for _ in 0..5 {
        till.post(TILL, &with_otp(&member, 100, "00000x")).problem(403, "code_wrong");
    }
    let otp = shown(&card);
    let locked = till.post(TILL, &with_otp(&member, 100, &otp)).problem(403, "authorisation_locked");
    assert!(locked["locked_until"].is_string());
    // A second process is no second chance.
    App::beside(&app).cashier().post(TILL, &with_otp(&member, 100, &otp)).problem(403, "authorisation_locked");
    let pin = json!({"member_id": member.id, "points": 100, "authorisation": {"pin": "135790"}});
    till.post(TILL, &pin).problem(403, "authorisation_locked");
    // The member himself is not locked out of his points.
    card.post("/v1/member/redemptions", &json!({"points": 100})).expect(201);
    app.db.execute("update member_credential set locked_until = locked_until - interval '16 minutes'");
    till.post(TILL, &with_otp(&member, 100, &shown(&card))).expect(201);
}

#[test]
fn a_pin_does_instead_of_a_code() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    earn(&till, &member, 500);
    let caller = app.member(&member);
    let redeem =
        |pin: &str| till.post(TILL, &json!({"member_id": member.id, "points": 100, "authorisation": {"pin": pin}}));
    redeem("135790").problem(403, "pin_wrong");
    let set = |pin: &str, password: &str| caller.put("/v1/member/pin", &json!({"pin": pin, "password": password}));
    set("135790", "wrong wrong").problem(401, "invalid_credentials");
    set("1234", PASSWORD).problem(422, "pin_unfit");
    set("12345a", PASSWORD).problem(422, "pin_unfit");
    set("135790", PASSWORD).expect(204);
    redeem("135791").problem(403, "pin_wrong");
    assert_eq!(redeem("135790").expect(201)["balance"]["available"], 400);
    // Unlike a code, it can be used again.
    assert_eq!(redeem("135790").expect(201)["balance"]["available"], 300);
}

#[test]
fn a_till_needs_the_say_so_and_one_thing_to_spend_on() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    earn(&till, &member, 500);
    let send = |body: Value| {
        let mut body = body;
        body["member_id"] = json!(member.id);
        till.post(TILL, &body)
    };
    let otp = json!({"otp": "000000"});
    send(json!({"points": 100})).problem(422, "authorisation_missing");
    let one_of = |body: Value, pointer: &str| {
        let problem = send(body).problem(400, "invalid_field");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        assert_eq!(problem["errors"][0]["code"], "one_of", "{problem}");
    };
    one_of(json!({"points": 100, "authorisation": {}}), "/authorisation");
    one_of(json!({"points": 100, "authorisation": {"otp": "000000", "pin": "135790"}}), "/authorisation");
    one_of(json!({"authorisation": otp}), "");
    one_of(json!({"points": 100, "reward_id": "coffee", "authorisation": otp}), "");
    let problem = send(json!({"points": 0, "authorisation": otp})).problem(400, "invalid_field");
    assert_eq!(problem["errors"][0]["pointer"], "/points");
    send(json!({"points": 100, "mode": "later", "authorisation": otp})).problem(400, "invalid_field");
    assert_eq!(app.db.number("select count(*) as value from redemption"), 0);
    assert_eq!(app.db.number("select failures::bigint as value from member_credential"), 0, "none was looked at");
}

#[test]
fn a_member_redeems_for_himself() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    earn(&till, &member, 500);
    let caller = app.member(&member);
    let redeem = |body: Value| caller.post("/v1/member/redemptions", &body);

    let reward = redeem(json!({"reward_id": "coffee"})).expect(201);
    assert_eq!((&reward["reward_id"], &reward["money_off"]), (&json!("coffee"), &Value::Null));
    assert_eq!((&reward["points"], &reward["balance"]["available"]), (&json!(100), &json!(400)));
    assert_eq!(redeem(json!({"points": 150})).expect(201)["money_off"], json!({"amount": 150, "currency": "CNY"}));

    assert_eq!(redeem(json!({"points": 50})).problem(422, "below_minimum")["minimum"], 100);
    assert_eq!(redeem(json!({"points": 120})).problem(422, "not_a_step")["step"], 50);
    let short = redeem(json!({"points": 300})).problem(422, "insufficient_points");
    assert_eq!((&short["available"], &short["required"]), (&json!(250), &json!(300)));
    redeem(json!({"reward_id": "nothing"})).problem(404, "reward_unknown");
    redeem(json!({"reward_id": "calendar"})).problem(422, "reward_not_offered");
    assert_eq!(redeem(json!({"reward_id": "dinner"})).problem(422, "tier_too_low")["required"], "gold");
    assert_eq!(app.db.number("select available as value from standing"), 250);
    let unkeyed = caller.request("POST", "/v1/member/redemptions").json(&json!({"reward_id": "coffee"})).send();
    unkeyed.problem(400, "idempotency_key_missing");
}

#[test]
fn a_reward_runs_out() {
    let app = App::start();
    let till = app.cashier();
    let members = [(); 4].map(|()| make::member(&till));
    for (i, member) in members.iter().enumerate() {
        earn(&till, member, 100);
        let reply = app.member(member).post("/v1/member/redemptions", &json!({"reward_id": "mug"}));
        if i < 3 {
            reply.expect(201);
        } else {
            reply.problem(409, "out_of_stock");
        }
    }
    assert_eq!(app.db.number("select used as value from reward_usage where reward = 'mug'"), 3);
}

#[test]
fn points_as_money_off_only_where_offered() {
    let app = App::with(|programme| {
        programme.as_object_mut().unwrap().remove("redemption");
    });
    let till = app.cashier();
    let member = make::member(&till);
    earn(&till, &member, 500);
    let refused = app.member(&member).post("/v1/member/redemptions", &json!({"points": 100}));
    refused.problem(422, "money_off_not_offered");
}

#[test]
fn a_sign_in_that_ended_redeems_nothing() {
    let app = App::start();
    let member = make::member(&app.cashier());
    let caller = app.member(&member);
    app.db.execute("update session set revoked_at = now()");
    let elsewhere = App::beside(&app);
    let there = elsewhere.anon().with_token(caller.token().unwrap());
    there.post("/v1/member/redemptions", &json!({"points": 100})).problem(401, "session_revoked");
}
