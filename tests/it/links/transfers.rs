//! Points given to another member.

use serde_json::{Value, json};

use super::{id, ledger, lots, merge, own, set, start};
use crate::support::make::{self, earn, key};
use crate::support::{App, Caller, Member, Reply};

const TRANSFERS: &str = "/v1/member/transfers";

fn people(app: &App) -> (Member, Member) {
    let till = app.cashier();
    let lin = json!({"name": "林小雨", "phone": "+8613800138001", "email": "lin@example.com"});
    (make::enrol(&till, &json!({"name": "Anna Bo", "phone": "+8613800138000"})), make::enrol(&till, &lin))
}

fn give(caller: &Caller, to: &str, points: i64) -> Reply {
    caller.post(TRANSFERS, &json!({"to": to, "points": points}))
}

#[test]
fn points_that_are_given_keep_their_expiry() {
    let app = start();
    let (anna, lin) = people(&app);
    let till = app.cashier();
    earn(&till, &anna, 100);
    set(&app, "2031-05-10T04:00:00Z");
    earn(&till, &anna, 200);
    let giver = app.member(&anna);
    let one = key();
    let body = json!({"to": lin.code, "points": 150});
    let given = giver.post_under(&one, TRANSFERS, &body);
    let transfer = given.expect(201);
    assert_eq!((&transfer["points"], &transfer["balance"]["available"]), (&json!(150), &json!(150)));
    let again = giver.post_under(&one, TRANSFERS, &body);
    assert_eq!((&again.text, again.header("idempotent-replayed")), (&given.text, Some("true")));
    assert_eq!(
        lots(&app, &lin),
        [(1, 100, "2032-03-31T16:00:00Z".to_owned()), (2, 50, "2032-05-31T16:00:00Z".to_owned())]
    );
    assert_eq!(
        ledger(&app, &anna),
        ["accrual issued>available 100", "accrual issued>available 200", "transfer available>transferred 150"]
    );
    assert_eq!(ledger(&app, &lin), ["transfer transferred>available 100", "transfer transferred>available 50"]);
    let shown = giver.get("/v1/member/ledger").expect(200)["data"][0].clone();
    assert_eq!((&shown["document_id"], &shown["reason"]), (&transfer["id"], &json!("transfer")));

    // By phone and by e-mail too; each sees his side.
    give(&giver, "+86 138 0013 8001", 20).expect(201);
    give(&giver, "LIN@example.com", 30).expect(201);
    let receiver = app.member(&lin);
    give(&receiver, &anna.code, 10).expect(201);
    let rows = |caller: &Caller, path: &str| {
        let list = caller.get(path).expect(200);
        let row = |row: &Value| {
            format!("{} {} {}", row["direction"].as_str().unwrap(), row["points"], row["name"].as_str().unwrap())
        };
        (list["data"].as_array().unwrap().iter().map(row).collect::<Vec<_>>(), list["next_cursor"].clone())
    };
    let (all, end) = rows(&giver, TRANSFERS);
    assert_eq!(all, ["received 10 林**", "given 30 林**", "given 20 林**", "given 150 林**"]);
    assert!(end.is_null());
    let (page, next) = rows(&giver, &format!("{TRANSFERS}?limit=3"));
    assert_eq!(page, all[..3]);
    assert_eq!(rows(&giver, &format!("{TRANSFERS}?cursor={}", next.as_str().unwrap())).0, all[3..]);
    assert_eq!(rows(&receiver, TRANSFERS).0[0], "given 10 Anna B.");
    make::member(&till);
    assert_eq!((own(&app, &anna)[0], own(&app, &lin)[0]), (110, 190));
}

#[test]
fn what_may_be_given_has_limits() {
    let app = start();
    let (anna, lin) = people(&app);
    let till = app.cashier();
    earn(&till, &anna, 500);
    let giver = app.member(&anna);
    let to = || &lin.code;
    assert_eq!(give(&giver, to(), 9).problem(422, "below_minimum")["minimum"], 10);
    give(&giver, to(), 0).problem(400, "invalid_field");
    for nonsense in ["", "+0", "lin@", "12345", &format!("{}0", lin.code)] {
        give(&giver, nonsense, 10).problem(400, "invalid_field");
    }
    give(&giver, "123456789012", 10).problem(400, "invalid_field");
    give(&giver, &anna.code, 10).problem(422, "same_member");
    assert_eq!(give(&giver, to(), 501).problem(422, "insufficient_points")["available"], 500);
    assert_eq!(give(&giver, to(), 401).problem(422, "daily_limit")["limit"], 400);
    give(&giver, to(), 300).expect(201);
    give(&giver, to(), 101).problem(422, "daily_limit");
    give(&giver, to(), 100).expect(201);
    app.advance("P1D");
    give(&giver, to(), 100).expect(201);
    assert_eq!((own(&app, &anna)[0], own(&app, &lin)[0]), (0, 500));
    app.reconfigure(|_| {});
    give(&app.member(&lin), &anna.code, 10).problem(422, "transfers_not_offered");
}

#[test]
fn nobody_learns_who_is_a_member_by_trying() {
    let app = start();
    let (anna, lin) = people(&app);
    let till = app.cashier();
    earn(&till, &anna, 100);
    let giver = app.member(&anna);
    let frozen = make::enrol(&till, &json!({"name": "Frozen", "phone": "+8613800138009"}));
    let reason = json!({"reason": "a look at the account"});
    app.admin().post(&format!("/v1/admin/members/{}/freeze", frozen.id), &reason).expect(200);
    let told = |phone: &str, points: i64| {
        let reply = give(&giver, phone, points);
        let mut problem = reply.json();
        problem["request_id"] = Value::Null;
        (reply.status, problem)
    };
    // A stranger and a frozen member, for what there is and for what there is not.
    assert_eq!(told("+8613800138009", 10), told("+8613800138008", 10));
    assert_eq!(told("+8613800138008", 10).1["code"], "receiver_unavailable");
    for points in [1, 101, 1000] {
        let stranger = told("+8613800138008", points);
        assert_eq!(told("+8613800138001", points), stranger, "known, for {points}");
        assert_eq!(told("+8613800138009", points), stranger, "frozen, for {points}");
    }
    assert_eq!((own(&app, &anna)[0], own(&app, &lin)[0]), (100, 0));
}

#[test]
fn what_is_given_to_a_merged_account_goes_to_the_one_that_stays() {
    let app = start();
    let (anna, lin) = people(&app);
    let till = app.cashier();
    earn(&till, &anna, 100);
    let other = make::member(&till);
    merge(&app, &lin, &other);
    give(&app.member(&anna), "+8613800138001", 60).expect(201);
    assert_eq!([&anna, &lin, &other].map(|member| own(&app, member)[0]), [40, 0, 60]);
}

#[test]
fn a_till_gives_with_the_givers_code() {
    let app = start();
    let (anna, lin) = people(&app);
    let till = app.cashier();
    earn(&till, &anna, 100);
    let body = |otp: &str| json!({"member_id": anna.id, "to": lin.id, "points": 40, "authorisation": {"otp": otp}});
    let path = "/v1/till/transfers";
    till.post(path, &json!({"member_id": anna.id, "to": lin.id, "points": 40})).problem(422, "authorisation_missing");
    let otp = app.otp(&anna);
    let given = till.post(path, &body(&otp)).expect(201);
    assert_eq!(given["balance"]["available"], 60);
    till.post(path, &body(&otp)).problem(403, "code_used");
    till.post(path, &body(&app.otp_in(&anna, 9))).problem(403, "code_wrong");
    app.member(&anna).post(path, &body(&otp)).problem(403, "forbidden");
    assert!(id(&given).starts_with("trf_"));
    assert_eq!((own(&app, &anna)[0], own(&app, &lin)[0]), (60, 40));
}
