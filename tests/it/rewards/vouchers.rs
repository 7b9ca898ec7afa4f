//! Codes of partners: uploaded, counted, given out once, and never shown to anybody else.

use serde_json::{Value, json};

use super::{redeem, with_rewards};
use crate::support::make::{self, earn, key};
use crate::support::process::{finish, tessera};
use crate::support::{App, Caller, Reply};

const CODES: &str = "/v1/admin/rewards/cinema/codes";

pub(super) fn upload(admin: &Caller, codes: &[String]) -> Reply {
    admin.request("POST", CODES).json(&json!({"codes": codes})).send()
}

fn csv(admin: &Caller, text: &str) -> Reply {
    admin.request("POST", CODES).bytes("text/csv", text).send()
}

pub(super) fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("CINEMA-{i:05}")).collect()
}

#[test]
fn codes_are_taken_in_whole_or_not_at_all_and_counted() {
    let app = App::with(with_rewards);
    let admin = app.admin();
    let first = upload(&admin, &numbered(3)).expect(201);
    assert_eq!((&first["added"], &first["uploaded"], &first["left"]), (&json!(3), &json!(3), &json!(3)));
    let again = upload(&admin, &numbered(3)).expect(200);
    assert_eq!((&again["added"], &again["uploaded_at"]), (&first["added"], &first["uploaded_at"]));

    let taken = upload(&admin, &["NEW".to_owned(), "CINEMA-00001".to_owned()]).problem(409, "voucher_code_taken");
    assert_eq!(taken["errors"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&taken["errors"][0]["pointer"], &taken["errors"][0]["code"]),
        (&json!("/codes/1"), &json!("code_taken"))
    );
    let twice = csv(&admin, "code\nA\nB\nA\n").problem(400, "invalid_field");
    assert_eq!(
        (&twice["errors"][0]["pointer"], &twice["errors"][0]["code"]),
        (&json!("/codes/2"), &json!("code_twice"))
    );
    for (body, pointer) in [("A\n B C\n", "/codes/1"), ("A,B\n", "/codes/0"), ("", "/codes"), ("code\n", "/codes")] {
        let problem = csv(&admin, body).problem(400, "invalid_field");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body:?}: {problem}");
    }
    upload(&admin, &numbered(10_001)).problem(400, "invalid_field");
    admin.request("POST", CODES).bytes("application/xml", "<a/>").send().problem(415, "unsupported_media_type");
    admin.request("POST", CODES).bytes("text/csv", vec![b'x'; 2 << 20]).send().problem(413, "body_too_large");
    assert_eq!(admin.get(CODES).expect(200), json!({"uploaded": 3, "given": 0, "left": 3}));
    csv(&admin, "code\r\nX-1\r\nX-2\r\n").expect(201);
    assert_eq!(admin.get(CODES).expect(200)["left"], 5);

    let other = |code: &str| format!("/v1/admin/rewards/{code}/codes");
    let to = |code: &str| admin.request("POST", &other(code)).json(&json!({"codes": ["A"]})).send();
    to("coffee").problem(409, "state_conflict");
    to("nothing").problem(404, "not_found");
    app.manager().request("POST", CODES).json(&json!({"codes": ["A"]})).send().problem(403, "forbidden");
    assert_eq!(app.manager().get(CODES).expect(200)["left"], 5);
    let audited =
        app.db.texts("select after::text as value from audit where action = 'reward.upload_codes' order by at");
    assert_eq!(audited.len(), 2);
    assert!(audited.iter().all(|line| !line.contains("CINEMA") && !line.contains("X-")), "codes are money");
}

/// As many as an upload may have, each as long as one may be.
#[test]
fn the_largest_list_fits() {
    let app = App::with(with_rewards);
    let codes: Vec<String> = (0..10_000).map(|i| format!("{i:0>100}")).collect();
    assert_eq!(upload(&app.admin(), &codes).expect(201)["left"], 10_000);
}

#[test]
fn the_member_sees_his_code_and_nobody_else_does() {
    let app = App::with(with_rewards);
    let till = app.cashier();
    let member = make::member(&till);
    earn(&till, &member, 500);
    let own = app.member(&member);
    redeem(&own, "cinema").problem(409, "out_of_stock");
    upload(&app.admin(), &numbered(2)).expect(201);

    let one = key();
    let body = json!({"reward_id": "cinema"});
    let redeemed = own.post_under(&one, "/v1/member/redemptions", &body);
    assert_eq!(redeemed.expect(201)["voucher_code"], "CINEMA-00000");
    assert_eq!(redeemed.json()["fulfilment"], Value::Null);
    assert_eq!(
        own.post_under(&one, "/v1/member/redemptions", &body).text,
        redeemed.text,
        "the same key, the same code"
    );
    let id = redeemed.json()["id"].as_str().unwrap().to_owned();

    let otp = own.get("/v1/member/card").expect(200)["otp"].take();
    let ask = json!({"member_id": member.id, "reward_id": "cinema", "mode": "hold", "authorisation": {"otp": otp}});
    let held = till.post("/v1/till/redemptions", &ask).expect(201);
    assert_eq!((&held["status"], &held["voucher_code"]), (&json!("held"), &Value::Null));
    redeem(&own, "cinema").problem(409, "out_of_stock");
    let path = format!("/v1/till/redemptions/{}", held["id"].as_str().unwrap());
    let codes = |list: &Value| -> Vec<Value> {
        list["data"].as_array().unwrap().iter().map(|row| row["voucher_code"].clone()).collect()
    };
    let mine = own.get("/v1/member/redemptions").expect(200);
    assert_eq!(codes(&mine), [Value::Null, json!("CINEMA-00000")], "a hold's code is not told yet");
    assert_eq!(till.post(&format!("{path}/capture"), &json!({})).expect(200)["voucher_code"], "CINEMA-00001");

    // Staff who look later see that there was a redemption, and not its code.
    assert_eq!(till.get(&path).expect(200)["voucher_code"], Value::Null);
    let of_member = app.manager().get(&format!("/v1/admin/members/{}/redemptions", member.id)).expect(200);
    assert_eq!(codes(&of_member), [Value::Null, Value::Null]);

    let void = |caller: &Caller, id: &str| caller.post(&format!("/v1/till/redemptions/{id}/void"), &json!({}));
    void(&till, held["id"].as_str().unwrap()).problem(403, "voucher_shown");
    void(&app.manager(), &id).problem(403, "voucher_shown");
    let voided = void(&app.admin(), &id).expect(200);
    assert_eq!((&voided["status"], &voided["voucher_code"]), (&json!("voided"), &Value::Null));
    redeem(&own, "cinema").problem(409, "out_of_stock");
    assert_eq!(app.admin().get(CODES).expect(200), json!({"uploaded": 2, "given": 2, "left": 0}));
}

#[test]
fn a_hold_lets_its_code_go_when_it_is_voided_or_its_time_is_up() {
    let app = App::with(with_rewards);
    let till = app.cashier();
    let member = make::member(&till);
    earn(&till, &member, 500);
    let own = app.member(&member);
    upload(&app.admin(), &numbered(1)).expect(201);
    let hold = || {
        let ask = json!({
            "member_id": member.id, "reward_id": "cinema", "mode": "hold",
            "authorisation": {"pin": "135790"},
        });
        till.post("/v1/till/redemptions", &ask)
    };
    own.put("/v1/member/pin", &json!({"pin": "135790", "password": crate::support::app::PASSWORD})).expect(204);
    let held = hold().expect(201);
    hold().problem(409, "out_of_stock");
    till.post(&format!("/v1/till/redemptions/{}/void", held["id"].as_str().unwrap()), &json!({})).expect(200);
    hold().expect(201);
    app.advance("PT16M");
    // In one decision the hold ends and its code goes out again.
    assert_eq!(redeem(&own, "cinema").expect(201)["voucher_code"], "CINEMA-00000");
}

/// Whoever moves a code from one member to another is found out.
#[test]
fn verify_follows_every_code() {
    let mut app = App::with(with_rewards);
    let till = app.cashier();
    upload(&app.admin(), &numbered(2)).expect(201);
    for reward in ["cinema", "coffee"] {
        let member = make::member(&till);
        earn(&till, &member, 500);
        redeem(&app.member(&member), reward).expect(201);
    }
    app.verified = false;
    app.stop();
    let verify =
        || finish(tessera(&crate::support::db::scratch("codes")).env("DATABASE_URL", &app.db.url).arg("verify"));
    assert_eq!(verify().0, 0);
    let of = |reward: &str| format!("(select id from redemption where reward = '{reward}')");
    let changes = [
        ("update voucher_code set redemption_id = null".to_owned(), "it has neither a code nor goods"),
        (
            format!(
                "update voucher_code set redemption_id = {} where number = 1; \
                 update voucher_code set redemption_id = {} where number = 2",
                of("cinema"),
                of("coffee")
            ),
            "not of its reward",
        ),
        (
            format!(
                "update voucher_code set redemption_id = null; \
                 update voucher_code set redemption_id = {} where number = 1; \
                 update voucher_code set redemption_id = gen_random_uuid() where number = 2",
                of("cinema")
            ),
            "of a redemption that does not exist",
        ),
    ];
    // As a server may not, twice over: a code goes from hand to hand.
    app.db.execute("alter table voucher_code disable trigger user");
    for (change, said) in changes {
        app.db.execute(&change);
        let (code, _, err) = verify();
        assert!(code == 1 && err.contains(said), "{change}: {code} {err}");
    }
}
