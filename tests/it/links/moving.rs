//! A purchase that was entered for the wrong member.

use serde_json::{Value, json};

use super::{PURCHASES, id, ledger, own, start};
use crate::support::make::{self, earn, key, line, receipt};
use crate::support::{App, Caller, Member, Reply};

fn to(member: &Member) -> Value {
    json!({"member_id": member.id, "reason": "the card before was scanned"})
}

fn path(sale: &Value) -> String {
    format!("{PURCHASES}/{}/move", id(sale))
}

fn give_back(till: &Caller, purchase: &str) -> Reply {
    let body = json!({"external_id": key(), "all": true, "reason": "damaged"});
    till.post(&format!("{PURCHASES}/{purchase}/returns"), &body)
}

fn people(app: &App) -> (Member, Member) {
    let till = app.cashier();
    (make::member(&till), make::member(&till))
}

#[test]
fn it_goes_to_the_other_as_if_he_had_bought() {
    let app = start();
    let (wrong, right) = people(&app);
    let (till, manager) = (app.cashier(), app.manager());
    earn(&till, &right, 1000);
    let mut body = receipt(
        &wrong,
        &[json!({"sku": "BLEND", "categories": ["coffee"], "quantity": 3, "amount": 3000}), line(7_000)],
    );
    body["tenders"] = json!([{"type": "gift_card", "amount": 1000}]);
    let sale = till.post(PURCHASES, &body).expect(201);
    // (27.00 x 3 + 63.00) x 1: the gift card paid a tenth.
    assert_eq!(sale["points"]["given"], 144);
    till.post(&path(&sale), &to(&right)).problem(403, "forbidden");
    let one = key();
    let first = manager.post_under(&one, &path(&sale), &to(&right));
    let moved = first.expect(201);
    assert_eq!(manager.post_under(&one, &path(&sale), &to(&right)).text, first.text);
    assert_eq!(moved["return"]["points"], json!({"clawed": 144, "owed": 0, "forgiven": 0, "given_back": 0}));
    assert_eq!(moved["return"]["reason"], "moved");
    // At his own tier, silver: 144 x 1.2 = 172.8.
    assert_eq!((&moved["member_id"], &moved["purchase"]["points"]["given"]), (&json!(right.id), &json!(172)));
    assert_eq!(moved["purchase"]["occurred_at"], sale["occurred_at"]);
    assert_eq!((own(&app, &wrong), own(&app, &right)), ([0; 4], [1172, 0, 0, 0]));
    assert_eq!(ledger(&app, &wrong), ["accrual issued>available 144", "return available>returned 144"]);
    assert_eq!(app.member(&wrong).get("/v1/member/tier").expect(200)["progress"]["value"], 0);

    // The desk finds it by the number on the receipt, and by its old id takes the goods back.
    let number = body["external_id"].as_str().unwrap();
    let now = till.get(&format!("{PURCHASES}?external_id={number}")).expect(200)["data"][0].clone();
    assert_eq!(now["id"], moved["purchase"]["id"]);
    let before = till.get(&format!("{PURCHASES}/{}", id(&sale))).expect(200);
    assert_eq!((&before["moved_to"], &before["returned"]["clawed"]), (&now["id"], &json!(144)));
    assert_eq!(till.post(PURCHASES, &body).expect(200), sale, "the same receipt is the same");
    let returned = give_back(&till, &id(&sale)).expect(201);
    assert_eq!((&returned["purchase_id"], &returned["points"]["clawed"]), (&now["id"], &json!(172)));
    assert_eq!(own(&app, &right), [1000, 0, 0, 0]);
    let audit = app.admin().get(&format!("/v1/admin/audit?object={}", id(&sale))).expect(200)["data"][0].clone();
    assert_eq!((&audit["action"], &audit["before"]), (&json!("purchase.move"), &json!({"member_id": wrong.id})));
}

#[test]
fn it_is_moved_once_and_on_from_there() {
    let app = start();
    let (wrong, right) = people(&app);
    let (till, manager) = (app.cashier(), app.manager());
    let sale = earn(&till, &wrong, 100);
    manager.post(&path(&sale), &to(&wrong)).problem(422, "same_member");
    let moved = manager.post(&path(&sale), &to(&right)).expect(201);
    manager.post(&path(&sale), &to(&right)).problem(409, "returned_before");
    // Back again, as the purchase it is by now.
    let back = manager.post(&path(&moved["purchase"]), &to(&wrong)).expect(201);
    assert_eq!((own(&app, &wrong)[0], own(&app, &right)[0]), (100, 0));
    let returned = give_back(&till, &id(&sale)).expect(201);
    assert_eq!(returned["purchase_id"], back["purchase"]["id"]);
    assert_eq!((own(&app, &wrong)[0], own(&app, &right)[0]), (0, 0));
}

#[test]
fn what_cannot_be_moved() {
    let app = start();
    let (wrong, right) = people(&app);
    let (till, manager) = (app.cashier(), app.manager());
    let sale = earn(&till, &wrong, 500);
    let unknown = json!({"member_id": "mem_01kapm3v5ne8v9b3r6a2f7qk4d", "reason": "the card before was scanned"});
    manager.post(&path(&sale), &unknown).problem(404, "member_unknown");
    let elsewhere = app.other_cashier().post(PURCHASES, &receipt(&wrong, &[line(100)])).expect(201);
    manager.post(&path(&elsewhere), &to(&right)).problem(404, "not_found");
    app.admin().post(&path(&elsewhere), &to(&right)).expect(201);

    let mut body = receipt(&wrong, &[line(10_000)]);
    body["redeem"] = json!({"points": 100, "authorisation": {"otp": app.otp(&wrong)}});
    let paid = till.post(PURCHASES, &body).expect(201);
    manager.post(&path(&paid), &to(&right)).problem(409, "paid_with_points");

    let back = json!({"external_id": key(), "lines": [{"line": 1, "amount": 100}], "reason": "damaged"});
    let touched = earn(&till, &wrong, 10);
    till.post(&format!("{PURCHASES}/{}/returns", id(&touched)), &back).expect(201);
    manager.post(&path(&touched), &to(&right)).problem(409, "returned_before");

    app.advance("PT24H1S");
    manager.post(&path(&sale), &to(&right)).problem(422, "moved_too_late");
    assert_eq!(own(&app, &right), [1, 0, 0, 0]);
}
