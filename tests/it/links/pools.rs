//! Households: earning together, spending together, and going apart.

use serde_json::{Value, json};

use super::{balances, id, ledger, lots, own, set, spend, start};
use crate::support::make::{self, earn, key, line, receipt};
use crate::support::{App, Caller, Member};

const POOL: &str = "/v1/member/pool";

/// A code of a fresh invitation.
fn invite(head: &Caller, may_spend: bool) -> String {
    let made = head.post("/v1/member/pool/invitations", &json!({"may_spend": may_spend})).expect(201);
    assert_eq!(made["may_spend"], may_spend);
    made["code"].as_str().unwrap().to_owned()
}

fn join(member: &Caller, code: &str) -> crate::support::Reply {
    member.post("/v1/member/pool/join", &json!({"code": code}))
}

fn leave(member: &Caller) -> crate::support::Reply {
    member.post("/v1/member/pool/leave", &json!({}))
}

/// A head and another who may spend, each with what they have.
fn household(app: &App, head: i64, other: i64) -> (Member, Member) {
    let till = app.cashier();
    let (anna, ben) = (make::enrol(&till, &json!({"name": "Anna Bo"})), make::enrol(&till, &json!({"name": "Ben Bo"})));
    for (member, points) in [(&anna, head), (&ben, other)] {
        if points > 0 {
            earn(&till, member, points);
        }
    }
    join(&app.member(&ben), &invite(&app.member(&anna), true)).expect(200);
    (anna, ben)
}

#[test]
fn three_earn_into_one_pool_and_spend_from_it() {
    let app = start();
    let till = app.cashier();
    let [anna, ben, cora] = ["Anna", "Ben", "Cora"].map(|name| make::enrol(&till, &json!({"name": name})));
    earn(&till, &anna, 300);
    earn(&till, &ben, 200);
    let [head, son, aunt] = [&anna, &ben, &cora].map(|member| app.member(member));
    head.get(POOL).problem(404, "not_found");
    let joined = join(&son, &invite(&head, true)).expect(200);
    assert_eq!(joined["link"], json!({"member_id": anna.id, "kind": "pool", "may_spend": true}));
    assert_eq!((&joined["points"], &joined["balance"]["available"]), (&json!(200), &json!(500)));
    join(&aunt, &invite(&head, false)).expect(200);
    assert_eq!(head.post("/v1/member/pool/invitations", &json!({})).problem(409, "pool_full")["limit"], 3);

    // What the son buys is his own measure and the household's points.
    let sale = earn(&till, &ben, 1100);
    assert_eq!((&sale["balance"]["available"], &sale["tier"]["after"]), (&json!(1600), &json!("silver")));
    assert_eq!(head.get("/v1/member/tier").expect(200)["progress"]["value"], 300);
    assert_eq!((own(&app, &anna), own(&app, &ben)), ([1600, 0, 0, 0], [0; 4]));
    let members = json!([
        {"member_id": ben.id, "name": "Ben", "may_spend": true},
        {"member_id": cora.id, "name": "Cora", "may_spend": false},
    ]);
    for (caller, may_spend) in [(&head, true), (&son, true), (&aunt, false)] {
        let shown = caller.get(POOL).expect(200);
        assert_eq!(shown["head"], json!({"member_id": anna.id, "name": "Anna"}));
        assert_eq!(
            (&shown["members"], &shown["available"], &shown["daily_limit"]),
            (&members, &json!(1600), &json!(500))
        );
        assert_eq!(shown["may_spend"], may_spend);
    }
    let balance = son.get("/v1/member/balance").expect(200);
    assert_eq!(balances(&balance), [0; 4]);
    assert_eq!(balance["pool"], json!({"head": anna.id, "available": 1600, "pending": 0, "may_spend": true}));
    assert!(head.get("/v1/member/balance").expect(200)["pool"].is_null(), "he has what the pool has");

    // Who may not spend does not, until the head says so.
    spend(&aunt, 100).problem(422, "may_not_spend");
    assert_eq!(spend(&aunt.in_chinese(), 100).problem(422, "may_not_spend")["title"], "该会员无权使用家庭积分池");
    let allow = |caller: &Caller, member: &Member, may_spend: bool| {
        let path = format!("{POOL}/members/{}", member.id);
        caller.request("PATCH", &path).json(&json!({"may_spend": may_spend})).send()
    };
    allow(&son, &cora, true).problem(404, "not_found");
    assert_eq!(allow(&head, &cora, true).expect(200)["may_spend"], true);
    assert_eq!(spend(&aunt, 100).expect(201)["balance"]["available"], 1500);

    // Each day so much, and the head as he likes.
    assert_eq!(spend(&son, 450).expect(201)["balance"]["available"], 1050);
    assert_eq!(spend(&son, 100).problem(422, "daily_limit")["limit"], 500);
    assert_eq!(spend(&aunt, 400).expect(201)["balance"]["available"], 650);
    app.advance("P1D");
    assert_eq!(spend(&son, 100).expect(201)["balance"]["available"], 550);
    assert_eq!(spend(&head, 550).expect(201)["balance"]["available"], 0);
    spend(&son, 100).problem(422, "insufficient_points");
    assert_eq!(
        app.db.number(
            "select sum(case from_account when 'transferred' then -points else points end)::bigint \
        as value from entry where 'transferred' in (from_account, to_account)"
        ),
        0
    );
}

#[test]
fn who_leaves_takes_what_is_left_of_his_own() {
    let app = start();
    let (anna, ben) = household(&app, 300, 200);
    let (till, head, son) = (app.cashier(), app.member(&anna), app.member(&ben));
    set(&app, "2031-05-10T04:00:00Z");
    earn(&till, &ben, 100);
    // 300 and 50 of the 200 go first: they lapse first, and the head's are the older ones.
    spend(&head, 350).expect(201);
    let march = "2032-03-31T16:00:00Z".to_owned();
    let may = "2032-05-31T16:00:00Z".to_owned();
    let kept: Vec<(i64, String)> = lots(&app, &anna).into_iter().map(|(_, points, lapses)| (points, lapses)).collect();
    assert_eq!(kept, [(150, march.clone()), (100, may.clone())]);

    let left = leave(&son).expect(200);
    assert_eq!(
        (&left["link"], &left["points"], &left["balance"]["available"]),
        (&Value::Null, &json!(250), &json!(250))
    );
    assert_eq!(lots(&app, &ben), [(1, 150, march), (2, 100, may)]);
    assert_eq!(own(&app, &anna), [0; 4]);
    assert_eq!(
        ledger(&app, &ben),
        [
            "accrual issued>available 200",
            "transfer available>transferred 200",
            "accrual issued>available 100",
            "transfer available>transferred 100",
            "transfer transferred>available 150",
            "transfer transferred>available 100",
        ]
    );
    for caller in [&head, &son] {
        caller.get(POOL).problem(404, "not_found");
    }
    leave(&son).problem(409, "not_in_pool");
    assert_eq!(earn(&till, &ben, 10)["balance"]["available"], 260);
}

#[test]
fn what_lapsed_or_was_spent_in_the_pool_does_not_come_home() {
    let app = start();
    let (anna, ben) = household(&app, 0, 200);
    let till = app.cashier();
    spend(&app.member(&anna), 200).expect(201);
    let sale = earn(&till, &ben, 70);
    // Lapsed where they stood.
    set(&app, "2032-04-02T04:00:00Z");
    assert_eq!(own(&app, &anna), [0; 4]);
    let back = json!({"external_id": key(), "all": true, "reason": "damaged"});
    let returned = till.post(&format!("/v1/till/purchases/{}/returns", id(&sale)), &back).expect(201);
    assert_eq!(returned["points"], json!({"clawed": 0, "owed": 0, "forgiven": 0, "given_back": 0}));
    assert_eq!(leave(&app.member(&ben)).expect(200)["points"], 0);
}

#[test]
fn what_lapsed_in_the_pool_is_not_owed_after_leaving_it() {
    let app = start();
    let (_anna, ben) = household(&app, 0, 0);
    let sale = earn(&app.cashier(), &ben, 70);
    set(&app, "2032-04-02T04:00:00Z");
    assert_eq!(leave(&app.member(&ben)).expect(200)["points"], 0);
    let back = json!({"external_id": key(), "all": true, "reason": "damaged"});
    let path = format!("/v1/till/purchases/{}/returns", id(&sale));
    let returned = app.cashier().post(&path, &back).expect(201);
    assert_eq!(returned["points"], json!({"clawed": 0, "owed": 0, "forgiven": 0, "given_back": 0}));
}

#[test]
fn goods_of_one_that_the_pool_has_spent_are_owed_by_him() {
    let app = start();
    let (anna, ben) = household(&app, 100, 0);
    let till = app.cashier();
    let sale = earn(&till, &ben, 200);
    spend(&app.member(&anna), 250).expect(201);
    let back = json!({"external_id": key(), "all": true, "reason": "damaged"});
    let returned = till.post(&format!("/v1/till/purchases/{}/returns", id(&sale)), &back).expect(201);
    assert_eq!(returned["points"], json!({"clawed": 200, "owed": 150, "forgiven": 0, "given_back": 0}));
    assert_eq!((own(&app, &anna), own(&app, &ben)), ([0; 4], [0, 0, 0, 150]));
    // What he earns pays it first, and the rest is the pool's.
    assert_eq!(balances(&earn(&till, &ben, 180)["balance"]), [30, 0, 0, 0]);
    assert_eq!((own(&app, &anna), own(&app, &ben)), ([30, 0, 0, 0], [0; 4]));
}

#[test]
fn an_invitation_is_good_once_and_for_a_week() {
    let app = start();
    let till = app.cashier();
    let [anna, ben, cora] = ["Anna", "Ben", "Cora"].map(|name| make::enrol(&till, &json!({"name": name})));
    let [head, son, aunt] = [&anna, &ben, &cora].map(|member| app.member(member));
    join(&son, "0000-0000-0000-0000").problem(422, "invitation_invalid");
    join(&son, "nonsense").problem(422, "invitation_invalid");

    let code = invite(&head, true);
    assert_eq!(
        app.db.number(&format!("select count(*) as value from pool_invitation i where i::text like '%{code}%'")),
        0
    );
    // Who may not join by it leaves it to another.
    join(&head, &code).problem(422, "same_member");
    let one = key();
    let body = json!({"code": code.to_uppercase().replace('-', "")});
    let joined = son.post_under(&one, "/v1/member/pool/join", &body);
    joined.expect(200);
    let again = son.post_under(&one, "/v1/member/pool/join", &body);
    assert_eq!((&again.text, again.header("idempotent-replayed")), (&joined.text, Some("true")));
    join(&aunt, &code).problem(422, "invitation_invalid");
    leave(&son).expect(200);
    join(&son, &code).problem(422, "invitation_invalid");

    // As many as there are places, and none for ever.
    let late = invite(&head, true);
    invite(&head, true);
    head.post("/v1/member/pool/invitations", &json!({})).problem(409, "state_conflict");
    app.advance("P7D");
    join(&son, &late).problem(422, "invitation_invalid");
    join(&son, &invite(&head, true)).expect(200);

    // A household of one's own, or two at once.
    let open = invite(&aunt, true);
    join(&son, &open).problem(409, "in_pool");
    son.post("/v1/member/pool/invitations", &json!({})).problem(409, "not_a_head");
    join(&head, &open).problem(409, "in_pool");
    join(&aunt, &invite(&head, false)).expect(200);
    join(&make_member(&app), &open).problem(409, "not_a_head");

    app.reconfigure(|_| {});
    head.post("/v1/member/pool/invitations", &json!({})).problem(422, "pools_not_offered");
}

fn make_member(app: &App) -> Caller {
    app.member(&make::member(&app.cashier()))
}

#[test]
fn a_head_takes_out_one_or_all() {
    let app = start();
    let (anna, ben) = household(&app, 100, 40);
    let till = app.cashier();
    let cora = make::enrol(&till, &json!({"name": "Cora"}));
    earn(&till, &cora, 60);
    let [head, son, aunt] = [&anna, &ben, &cora].map(|member| app.member(member));
    let open = invite(&head, true);
    join(&aunt, &open).expect(200);
    assert_eq!(own(&app, &anna), [200, 0, 0, 0]);

    let out = |caller: &Caller, path: &str| caller.request("DELETE", path).send();
    let path = format!("{POOL}/members/{}", cora.id);
    out(&son, &path).problem(404, "not_found");
    out(&son, POOL).problem(409, "not_a_head");
    assert_eq!(out(&head, &path).status, 204);
    out(&head, &path).problem(404, "not_found");
    assert_eq!((own(&app, &anna), own(&app, &cora)), ([140, 0, 0, 0], [60, 0, 0, 0]));

    let unused = invite(&head, true);
    for _ in 0..2 {
        assert_eq!(out(&head, POOL).status, 204);
        assert_eq!((own(&app, &anna), own(&app, &ben)), ([100, 0, 0, 0], [40, 0, 0, 0]));
    }
    join(&aunt, &unused).problem(422, "invitation_invalid");
    son.get(POOL).problem(404, "not_found");
}

#[test]
fn a_till_spends_from_the_pool_and_holds_go_back_to_it() {
    let app = start();
    let (anna, ben) = household(&app, 300, 0);
    let till = app.cashier();
    let mut body = receipt(&ben, &[line(10_000)]);
    body["redeem"] = json!({"points": 100, "authorisation": {"otp": app.otp(&ben)}});
    let sale = till.post("/v1/till/purchases", &body).expect(201);
    // 300 − 100 + 100 for the whole basis.
    assert_eq!((&sale["redeemed"]["points"], &sale["balance"]["available"]), (&json!(100), &json!(300)));
    let pin = json!({"pin": "135790", "password": crate::support::app::PASSWORD});
    app.member(&ben).put("/v1/member/pin", &pin).expect(204);
    let hold = json!({
        "member_id": ben.id, "points": 250, "mode": "hold", "authorisation": {"pin": "135790"},
    });
    let held = till.post("/v1/till/redemptions", &hold).expect(201);
    assert_eq!(balances(&held["balance"])[0], 50);
    assert_eq!((own(&app, &anna), own(&app, &ben)), ([50, 0, 0, 0], [0, 0, 250, 0]));
    till.post(&format!("/v1/till/redemptions/{}/capture", id(&held)), &json!({"points": 100})).expect(200);
    assert_eq!((own(&app, &anna), own(&app, &ben)), ([200, 0, 0, 0], [0; 4]));
    let back = json!({"external_id": key(), "all": true, "reason": "damaged"});
    let returned = till.post(&format!("/v1/till/purchases/{}/returns", id(&sale)), &back).expect(201);
    assert_eq!(returned["points"], json!({"clawed": 100, "owed": 0, "forgiven": 0, "given_back": 100}));
    assert_eq!((own(&app, &anna), own(&app, &ben)), ([200, 0, 0, 0], [0; 4]));
}

#[test]
fn what_a_hold_frees_in_time_goes_back_to_the_lots_it_came_from() {
    let app = start();
    let (anna, ben) = household(&app, 300, 0);
    let hold = json!({
        "member_id": ben.id, "points": 250, "mode": "hold", "authorisation": {"otp": app.otp(&ben)},
    });
    app.cashier().post("/v1/till/redemptions", &hold).expect(201);
    assert_eq!(lots(&app, &anna).len(), 1);
    // Its time-out is found by the clock, which names nobody but him whose hold it was.
    app.advance("P1D");
    assert_eq!((own(&app, &anna), own(&app, &ben)), ([300, 0, 0, 0], [0; 4]));
    let left: Vec<(i64, i64)> = lots(&app, &anna).into_iter().map(|(number, left, _)| (number, left)).collect();
    assert_eq!(left, [(1, 300)]);
}
