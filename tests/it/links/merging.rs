//! Two accounts of one person become one, and two again.

use serde_json::{Value, json};

use super::{PURCHASES, balances, id, ledger, lots, merge, own, set, spend, start};
use crate::support::app::PASSWORD;
use crate::support::make::{self, earn, key, line, receipt};
use crate::support::{App, Member};

fn unmerge(app: &App, member: &Member) -> crate::support::Reply {
    let path = format!("/v1/admin/members/{}/unmerge", member.id);
    app.admin().post(&path, &json!({"reason": "two people after all"}))
}

fn twins(app: &App) -> (Member, Member) {
    let till = app.cashier();
    let old = json!({
        "name": "Lin", "phone": "+8613800138001", "email": "lin@example.com", "external_id": "crm-7",
    });
    (make::enrol(&till, &old), make::enrol(&till, &json!({"name": "Lin Xiaoyu"})))
}

#[test]
fn what_both_bought_counts_together_and_every_number_finds_the_one_that_stays() {
    let app = start();
    let (old, new) = twins(&app);
    let till = app.cashier();
    earn(&till, &old, 600);
    let body = receipt(&old, &[line(5_000)]);
    let before = till.post(PURCHASES, &body).expect(201);
    earn(&till, &new, 600);
    let session = app.member(&old);
    session.get("/v1/member/balance").expect(200);

    let merged = merge(&app, &old, &new);
    assert_eq!(merged["link"], json!({"member_id": new.id, "kind": "merged"}));
    assert_eq!((&merged["points"], balances(&merged["balance"])), (&json!(650), [1250, 0, 0, 0]));
    assert_eq!((own(&app, &old), own(&app, &new)), ([0; 4], [1250, 0, 0, 0]));
    let tier = app.member(&new).get("/v1/member/tier").expect(200);
    assert_eq!((&tier["code"], &tier["progress"]["value"]), (&json!("silver"), &json!(1250)));

    // Every look-up.
    let found = [
        "phone=%2B8613800138001".to_owned(),
        "email=lin@example.com".to_owned(),
        "external_id=crm-7".to_owned(),
        format!("code={}", old.code),
    ];
    for query in found {
        let found = till.get(&format!("/v1/till/members?{query}")).expect(200)["data"][0].clone();
        assert_eq!((&found["id"], &found["merged_from"]), (&json!(new.id), &json!(old.id)), "{query}");
    }
    assert!(till.get(&format!("/v1/till/members/{}", new.id)).expect(200)["merged_from"].is_null());
    assert_eq!(till.get(&format!("/v1/till/members/{}", old.id)).expect(200)["id"], json!(new.id));
    assert_eq!(till.get(&format!("/v1/till/members/{}/balance", old.id)).expect(200)["available"], 1250);
    assert_eq!(till.get(&format!("/v1/till/members/{}/tier", old.id)).expect(200)["code"], "silver");

    // A receipt entered for the old account is the new one's, and sent again it is the same; so is one from before.
    let late = receipt(&old, &[line(10_000)]);
    till.post(&format!("{PURCHASES}/preview"), &late).expect(200);
    let one = key();
    let sale = till.post_under(&one, PURCHASES, &late);
    assert_eq!(sale.expect(201)["points"]["given"], 120, "silver earns 1.2");
    assert_eq!(sale.json()["balance"]["available"], 1370);
    assert_eq!(till.post_under(&one, PURCHASES, &late).text, sale.text);
    assert_eq!(till.post(PURCHASES, &late).expect(200), sale.json());
    assert_eq!(till.post(PURCHASES, &body).expect(200), before);
    assert_eq!(app.db.number("select count(*) as value from purchase"), 4);

    // The old account is nobody's to sign in to.
    session.get("/v1/member/balance").problem(401, "session_revoked");
    app.login(&old.code, PASSWORD).problem(401, "account_merged");
    app.login(&old.code, "another password").problem(401, "invalid_credentials");
    app.login(&new.code, PASSWORD).expect(200);
}

#[test]
fn goods_and_holds_of_the_old_account_go_on() {
    let app = start();
    let (old, new) = twins(&app);
    let till = app.cashier();
    let sale = earn(&till, &old, 300);
    earn(&till, &new, 100);
    let hold = |points: i64, otp: String| {
        let body = json!({"member_id": old.id, "points": points, "mode": "hold", "authorisation": {"otp": otp}});
        till.post("/v1/till/redemptions", &body)
    };
    let held = hold(100, app.otp(&old)).expect(201);
    merge(&app, &old, &new);
    assert_eq!((own(&app, &old), own(&app, &new)), ([0, 0, 100, 0], [300, 0, 0, 0]));
    let part = json!({"points": 50});
    let captured = till.post(&format!("/v1/till/redemptions/{}/capture", id(&held)), &part);
    // Money off comes in steps; a capture does not.
    captured.expect(200);
    assert_eq!((own(&app, &old), own(&app, &new)), ([0; 4], [350, 0, 0, 0]));
    // The old card's code opens nothing, the new one's does, whichever number was typed.
    hold(100, app.otp(&old)).problem(403, "code_wrong");
    let held = hold(100, app.otp(&new)).expect(201);
    till.post(&format!("/v1/till/redemptions/{}/void", id(&held)), &json!({})).expect(200);

    // What it had earned is taken from who has it now: the measure and the points.
    let back = json!({"external_id": key(), "all": true, "reason": "damaged"});
    let returned = till.post(&format!("{PURCHASES}/{}/returns", id(&sale)), &back).expect(201);
    assert_eq!(returned["points"], json!({"clawed": 300, "owed": 0, "forgiven": 0, "given_back": 0}));
    assert_eq!(balances(&returned["balance"]), [50, 0, 0, 0]);
    assert_eq!(app.member(&new).get("/v1/member/tier").expect(200)["progress"]["value"], 100);
}

#[test]
fn the_debt_goes_along_and_is_paid() {
    let app = start();
    let (old, new) = twins(&app);
    let till = app.cashier();
    let sale = earn(&till, &old, 200);
    spend(&app.member(&old), 200).expect(201);
    let back = json!({"external_id": key(), "all": true, "reason": "damaged"});
    till.post(&format!("{PURCHASES}/{}/returns", id(&sale)), &back).expect(201);
    earn(&till, &new, 150);
    let merged = merge(&app, &old, &new);
    assert_eq!(balances(&merged["balance"]), [0, 0, 0, 50]);
    assert_eq!((own(&app, &old), own(&app, &new)), ([0; 4], [0, 0, 0, 50]));
    assert_eq!(balances(&earn(&till, &new, 80)["balance"]), [30, 0, 0, 0]);
}

#[test]
fn what_both_had_used_of_an_entitlement_is_used() {
    let app = start();
    app.reconfigure(|programme| {
        programme["tiers"]["levels"][0]["entitlements"] = json!([
            { "code": "delivery", "name": "Free delivery", "per_year": 4 },
        ]);
    });
    let (old, new) = twins(&app);
    let till = app.cashier();
    let deliver =
        |member: &Member| till.post(&format!("/v1/till/members/{}/entitlements/delivery/uses", member.id), &json!({}));
    let left = |member: &Member| deliver(member).expect(201)["left"].as_i64().unwrap();
    assert_eq!([left(&old), left(&old), left(&new)], [3, 2, 3]);
    merge(&app, &old, &new);
    let shown = app.member(&new).get("/v1/member/tier").expect(200)["entitlements"][0].take();
    assert_eq!((&shown["used"], &shown["left"]), (&json!(3), &json!(1)));
    assert_eq!(left(&new), 0);
    deliver(&new).problem(422, "entitlement_used_up");
    unmerge(&app, &old).expect(200);
    assert_eq!([left(&old), left(&new)], [1, 1]);
}

#[test]
fn undoing_gives_back_what_is_left_and_no_more() {
    let app = start();
    let (old, new) = twins(&app);
    let till = app.cashier();
    earn(&till, &old, 300);
    set(&app, "2031-05-10T04:00:00Z");
    earn(&till, &old, 50);
    earn(&till, &new, 800);
    merge(&app, &old, &new);
    assert_eq!(app.member(&new).get("/v1/member/tier").expect(200)["code"], "silver");
    // 300 of March go first.
    spend(&app.member(&new), 100).expect(201);
    let undone = unmerge(&app, &old).expect(200);
    assert_eq!(
        (&undone["link"], &undone["points"], &undone["balance"]["available"]),
        (&Value::Null, &json!(250), &json!(250))
    );
    let (march, may) = ("2032-03-31T16:00:00Z".to_owned(), "2032-05-31T16:00:00Z".to_owned());
    assert_eq!(lots(&app, &old), [(1, 200, march), (2, 50, may)]);
    assert_eq!(own(&app, &new), [800, 0, 0, 0]);
    unmerge(&app, &old).problem(409, "not_merged");
    assert_eq!(app.member(&old).get("/v1/member/tier").expect(200)["progress"]["value"], 350);
    assert_eq!(app.member(&new).get("/v1/member/tier").expect(200)["progress"]["value"], 800);
    assert_eq!(till.get(&format!("/v1/till/members?code={}", old.code)).expect(200)["data"][0]["id"], json!(old.id));
    assert_eq!(
        ledger(&app, &old),
        [
            "accrual issued>available 300",
            "accrual issued>available 50",
            "transfer available>transferred 350",
            "transfer transferred>available 200",
            "transfer transferred>available 50",
        ]
    );
}

#[test]
fn merging_is_for_admins_and_leaves_its_trace() {
    let app = start();
    let (old, new) = twins(&app);
    let path = format!("/v1/admin/members/{}/merge", old.id);
    let body = json!({"into": new.id, "reason": "enrolled twice"});
    app.manager().post(&path, &body).problem(403, "forbidden");
    app.cashier().post(&path, &body).problem(403, "forbidden");
    let nobody = json!({"into": "mem_01kapm3v5ne8v9b3r6a2f7qk4d", "reason": "enrolled twice"});
    app.admin().post(&path, &nobody).problem(404, "member_unknown");
    app.admin().post(&path, &json!({"into": old.id, "reason": "enrolled twice"})).problem(422, "same_member");
    let one = key();
    let first = app.admin().post_under(&one, &path, &body);
    first.expect(200);
    assert_eq!(app.admin().post_under(&one, &path, &body).text, first.text);
    app.admin().post(&path, &body).problem(409, "member_merged");

    let full = |member: &Member| app.admin().get(&format!("/v1/admin/members/{}", member.id)).expect(200);
    assert_eq!(full(&old)["link"], json!({"member_id": new.id, "kind": "merged"}));
    assert_eq!((&full(&new)["link"], &full(&new)["merged"]), (&Value::Null, &json!([old.id])));
    unmerge(&app, &old).expect(200);
    assert_eq!((&full(&old)["link"], &full(&new)["merged"]), (&Value::Null, &json!([])));
    let audit = app.admin().get(&format!("/v1/admin/audit?object={}", old.id)).expect(200);
    let lines: Vec<(&str, &Value, &Value)> = audit["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["action"].as_str().unwrap(), &line["before"], &line["after"]))
        .collect();
    assert_eq!(
        lines,
        [
            ("member.unmerge", &json!({"merged_into": new.id}), &json!({"reason": "two people after all"})),
            ("member.merge", &Value::Null, &json!({"merged_into": new.id, "reason": "enrolled twice"})),
        ]
    );
}
