//! Goods on their way: reserved, ready, handed over, or cancelled; where, when and by whom.

use serde_json::{Value, json};

use super::{redeem, with_rewards};
use crate::support::make::{self, earn, key};
use crate::support::{App, Caller, Member};

/// A member who has redeemed a coffee by himself, and the redemption's id.
fn redeemed(app: &App) -> (Member, Caller, String) {
    let till = app.cashier();
    let member = make::member(&till);
    earn(&till, &member, 500);
    let own = app.member(&member);
    let id = redeem(&own, "coffee").expect(201)["id"].as_str().unwrap().to_owned();
    (member, own, id)
}

fn step(caller: &Caller, id: &str, how: &str) -> crate::support::Reply {
    caller.post(&format!("/v1/till/redemptions/{id}/{how}"), &json!({}))
}

fn waiting(caller: &Caller, query: &str) -> Vec<String> {
    let list = caller.get(&format!("/v1/till/redemptions{query}")).expect(200);
    let row = |row: &Value| format!("{} {}", row["fulfilment"].as_str().unwrap(), row["reward_id"].as_str().unwrap());
    list["data"].as_array().unwrap().iter().map(row).collect()
}

#[test]
fn goods_wait_and_are_handed_over() {
    let app = App::with(with_rewards);
    let (west, east) = (app.cashier(), app.other_cashier());
    let (member, own, id) = redeemed(&app);
    let of_member = |caller: &Caller| waiting(caller, &format!("?member_id={}", member.id));
    // It may be fetched anywhere, until a store has laid it out.
    assert_eq!(
        (of_member(&west), of_member(&east)),
        (vec!["reserved coffee".to_owned()], vec!["reserved coffee".to_owned()])
    );
    let key = key();
    let path = format!("/v1/till/redemptions/{id}/ready");
    let ready = west.post_under(&key, &path, &json!({}));
    assert_eq!((&ready.expect(200)["fulfilment"], &ready.json()["status"]), (&json!("ready"), &json!("captured")));
    assert_eq!(west.post_under(&key, &path, &json!({})).text, ready.text);
    assert_eq!(
        (waiting(&west, "?fulfilment=ready"), waiting(&west, "?fulfilment=reserved")),
        (vec!["ready coffee".to_owned()], vec![])
    );
    assert_eq!(of_member(&east), [""; 0], "it lies in the west");
    step(&east, &id, "hand-over").problem(404, "not_found");
    assert_eq!(step(&west, &id, "ready").problem(409, "fulfilment_state")["fulfilment"], "ready");
    assert_eq!(step(&west, &id, "hand-over").expect(200)["fulfilment"], "handed_over");
    assert_eq!(waiting(&west, ""), [""; 0]);
    step(&west, &id, "hand-over").problem(409, "fulfilment_state");
    step(&west, &id, "ready").problem(409, "fulfilment_state");

    let mine = own.get("/v1/member/redemptions").expect(200)["data"][0].take();
    assert_eq!(mine["fulfilment"], "handed_over");
    let steps: Vec<(&Value, &Value)> =
        mine["fulfilment_steps"].as_array().unwrap().iter().map(|step| (&step["fulfilment"], &step["by"])).collect();
    let expected = [("reserved", "member"), ("ready", "cashier"), ("handed_over", "cashier")];
    assert_eq!(
        steps,
        expected.each_ref().map(|(to, by)| (json!(to), json!(by))).iter().map(|(a, b)| (a, b)).collect::<Vec<_>>()
    );
    let events = app.db.texts(
        "select kind as value from outbox o where o.kind like 'reward.%' \
         and exists (select from redemption r where r.id = o.document_id) order by o.id",
    );
    assert_eq!(events, ["reward.ready", "reward.handed_over"]);
    assert_eq!(app.db.number("select count(actor_id) as value from fulfilment_step"), 3, "who it was is on record");
}

#[test]
fn what_was_handed_over_only_a_manager_takes_back() {
    let app = App::with(with_rewards);
    let till = app.cashier();
    let member = make::member(&till);
    earn(&till, &member, 500);
    let own = app.member(&member);
    let at_the_till = || {
        let otp = own.get("/v1/member/card").expect(200)["otp"].take();
        let ask = json!({"member_id": member.id, "reward_id": "mug", "authorisation": {"otp": otp}});
        till.post("/v1/till/redemptions", &ask).expect(201)["id"].as_str().unwrap().to_owned()
    };
    let id = at_the_till();
    let void = |caller: &Caller| caller.post(&format!("/v1/till/redemptions/{id}/void"), &json!({}));
    step(&till, &id, "hand-over").expect(200);
    void(&till).problem(403, "handed_over");
    let back = void(&app.manager()).expect(200);
    assert_eq!((&back["fulfilment"], &back["balance"]["available"]), (&json!("cancelled"), &json!(500)));
    assert_eq!(app.db.number("select used as value from reward_usage where reward = 'mug'"), 0);
    step(&till, &id, "hand-over").problem(409, "fulfilment_state");
    assert_eq!(app.db.number("select remaining as value from lot"), 500, "to the lot they came from");
}

#[test]
fn what_waits_is_cancelled_with_its_points_and_only_goods_wait() {
    let app = App::with(with_rewards);
    let (_, own, id) = redeemed(&app);
    let money_off = own.post("/v1/member/redemptions", &json!({"points": 100})).expect(201);
    assert_eq!(money_off["fulfilment"], Value::Null);
    let problem = step(&app.cashier(), money_off["id"].as_str().unwrap(), "ready").problem(409, "fulfilment_state");
    assert_eq!(problem["fulfilment"], Value::Null);
    app.manager().post(&format!("/v1/till/redemptions/{id}/void"), &json!({})).expect(200);
    assert_eq!(own.get("/v1/member/balance").expect(200)["available"], 400);
    assert_eq!(waiting(&app.cashier(), ""), [""; 0]);
    // An admin sees what waits everywhere, and stands at no counter.
    let other = redeem(&own, "coffee").expect(201)["id"].as_str().unwrap().to_owned();
    assert_eq!(waiting(&app.admin(), "?limit=1").len(), 1);
    step(&app.admin(), &other, "ready").problem(403, "forbidden");
    step(&own, &other, "ready").problem(403, "forbidden");
    own.get("/v1/till/redemptions").problem(403, "forbidden");
    app.cashier().get("/v1/till/redemptions?fulfilment=gone").problem(400, "invalid_query");
}

#[test]
fn a_hold_has_goods_from_its_capture_on() {
    let app = App::with(with_rewards);
    let till = app.cashier();
    let member = make::member(&till);
    earn(&till, &member, 500);
    let otp = app.member(&member).get("/v1/member/card").expect(200)["otp"].take();
    let ask = json!({"member_id": member.id, "reward_id": "mug", "mode": "hold", "authorisation": {"otp": otp}});
    let held = till.post("/v1/till/redemptions", &ask).expect(201);
    assert_eq!(held["fulfilment"], Value::Null);
    let id = held["id"].as_str().unwrap();
    step(&till, id, "ready").problem(409, "fulfilment_state");
    assert_eq!(step(&till, id, "capture").expect(200)["fulfilment"], "reserved");
    assert_eq!(waiting(&till, "?fulfilment=reserved"), ["reserved mug"]);
}
