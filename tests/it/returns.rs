//! Goods that come back, and points that pay for goods.

use serde_json::{Value, json};

use crate::support::make::{self, earn, key, line, line_of, receipt};
use crate::support::{App, Caller, Member};

const PURCHASES: &str = "/v1/till/purchases";

fn set(app: &App, now: &str) {
    app.admin().put("/v1/sandbox/clock", &json!({"now": now})).expect(200);
}

fn returns_of(purchase: &Value) -> String {
    format!("{PURCHASES}/{}/returns", purchase["id"].as_str().unwrap())
}

/// Some lines of a purchase, as a till sends them.
fn back(lines: &Value) -> Value {
    json!({"external_id": key(), "lines": lines, "reason": "damaged"})
}

fn all() -> Value {
    json!({"external_id": key(), "all": true, "reason": "regretted"})
}

/// A receipt that points pay a part of.
fn paid(app: &App, member: &Member, lines: &[Value], points: i64) -> Value {
    let mut body = receipt(member, lines);
    body["redeem"] = json!({"points": points, "authorisation": {"otp": app.otp(member)}});
    body
}

fn balance(till: &Caller, member: &Member) -> [i64; 4] {
    let balance = till.get(&format!("/v1/till/members/{}/balance", member.id)).expect(200);
    ["available", "pending", "held", "debt"].map(|account| balance[account].as_i64().unwrap())
}

/// A member's lots with something in them: number, points left, when they lapse.
fn lots(app: &App, member: &Member) -> Vec<(i64, i64, String)> {
    let shown = app.admin().get(&format!("/v1/admin/members/{}/lots", member.id)).expect(200);
    let lots = shown["data"].as_array().unwrap().iter();
    let mut open: Vec<(i64, i64, String)> = lots
        .map(|lot| {
            let lapses = lot["expires_at"].as_str().unwrap_or("never").to_owned();
            (lot["number"].as_i64().unwrap(), lot["remaining"].as_i64().unwrap(), lapses)
        })
        .filter(|(_, remaining, _)| *remaining > 0)
        .collect();
    open.sort();
    open
}

/// A member's entries, oldest first: kind, accounts, points.
fn ledger(app: &App, member: &Member) -> Vec<String> {
    let shown = app.admin().get(&format!("/v1/admin/members/{}/ledger?limit=100", member.id)).expect(200);
    let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
    let row =
        |row: &Value| format!("{} {}>{} {}", text(row, "kind"), text(row, "from"), text(row, "to"), row["points"]);
    shown["data"].as_array().unwrap().iter().rev().map(row).collect()
}

/// A gold member on a day of double points buys three lines and pays a part with points.
fn gold_sale(app: &App, members: &[&Member]) -> Vec<Value> {
    let till = app.cashier();
    for member in members {
        // 5,000 base points, doubled: gold from here on, until this day is 365 days old.
        assert_eq!(earn(&till, member, 5000)["tier"]["after"], "gold");
    }
    set(app, "2032-03-03T04:00:00Z");
    let lines = [line_of("coffee", 3200), line(1850), json!({"quantity": 3, "amount": 4999})];
    let buy = |member: &&Member| till.post(PURCHASES, &paid(app, member, &lines, 500)).expect(201);
    members.iter().map(buy).collect()
}

#[test]
fn a_sale_returned_line_by_line_is_a_sale_returned_at_once() {
    let app = App::with(|programme| {
        programme["promotions"] = json!([{
            "code": "wednesday", "name": "Wednesday", "schedule": {"weekdays": ["wednesday"]},
            "effect": {"kind": "multiply", "by": "2"}, "priority": 1,
        }]);
    });
    let till = app.cashier();
    let (slow, quick) = (make::member(&till), make::member(&till));
    let sales = gold_sale(&app, &[&slow, &quick]);
    for sale in &sales {
        // (2 x 32.00 + 18.50 + 49.99) x 1.5 x 2 = 397.47 points.
        assert_eq!(sale["points"], json!({"wanted": 397, "given": 397, "pending": 0}));
        assert_eq!(sale["redeemed"], json!({"points": 500, "worth": 500}));
        assert_eq!(sale["balance"]["available"], 9_897);
        assert_eq!(sale["tier"]["before"], "gold");
    }

    // Three visits; between the first and the second the tier falls.
    let take_back = |lines: Value| till.post(&returns_of(&sales[0]), &back(&lines)).expect(201);
    let first = take_back(json!([{"line": 2}]));
    assert_eq!(first["points"], json!({"clawed": 56, "owed": 0, "forgiven": 0, "given_back": 92}));
    assert_eq!(first["lines"], json!([{"line": 2, "quantity": "1", "amount": 1850}]));
    assert_eq!(first["amount"], json!({"amount": 1850, "currency": "CNY"}));
    assert_eq!(first["worth"], json!({"amount": 92, "currency": "CNY"}));
    set(&app, "2032-03-05T04:00:00Z");
    assert_eq!(app.member(&slow).get("/v1/member/tier").expect(200)["code"], "basic");
    let second = take_back(json!([{"line": 3}]));
    assert_eq!(second["points"], json!({"clawed": 149, "owed": 0, "forgiven": 0, "given_back": 248}));
    set(&app, "2032-03-20T04:00:00Z");
    let third = take_back(json!([{"line": 1}]));
    assert_eq!(third["points"], json!({"clawed": 192, "owed": 0, "forgiven": 0, "given_back": 160}));
    assert_eq!(third["tier"]["progress"]["value"], 0, "nothing of the sale counts any more");

    let whole = till.post(&returns_of(&sales[1]), &all()).expect(201);
    assert_eq!(whole["points"], json!({"clawed": 397, "owed": 0, "forgiven": 0, "given_back": 500}));
    assert_eq!(whole["amount"], json!({"amount": 10_049, "currency": "CNY"}));
    assert_eq!(whole["worth"], json!({"amount": 500, "currency": "CNY"}));
    // Both are where they would be without the sale, down to the lots.
    for (member, sale) in [&slow, &quick].into_iter().zip(&sales) {
        assert_eq!(balance(&till, member), [10_000, 0, 0, 0]);
        assert_eq!(lots(&app, member), [(1, 10_000, "2032-03-31T16:00:00Z".to_owned())]);
        let now = till.get(&format!("{PURCHASES}/{}", sale["id"].as_str().unwrap())).expect(200);
        let returned = json!({
            "lines": [
                {"line": 1, "quantity": "1", "amount": 3200}, {"line": 2, "quantity": "1", "amount": 1850},
                {"line": 3, "quantity": "3", "amount": 4999},
            ],
            "amount": 10_049, "clawed": 397, "given_back": 500,
        });
        assert_eq!((&now["returned"], &now["explanation"]), (&returned, &sale["explanation"]));
        assert_eq!(app.member(member).get("/v1/member/purchases").expect(200)["data"][0]["returned"], returned);
    }
    let listed = till.get(&returns_of(&sales[0])).expect(200);
    assert_eq!(listed["data"], json!([third, second, first]));
    let page = till.get(&format!("{}?limit=2", returns_of(&sales[0]))).expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!(till.get(&format!("{}?cursor={cursor}", returns_of(&sales[0]))).expect(200)["data"], json!([first]));
    let document = app.member(&slow).get("/v1/member/ledger").expect(200)["data"][0].clone();
    assert_eq!((&document["document_id"], &document["reason"]), (&third["id"], &json!("damaged")));
}

#[test]
fn pieces_and_amounts_come_back_in_any_order() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    let lines = [json!({"quantity": 3, "amount": 1000}), line(5000), line(-200)];
    let sale = till.post(PURCHASES, &receipt(&member, &lines)).expect(201);
    assert_eq!(sale["points"]["given"], 58);
    let part = |lines: Value| {
        let answer = till.post(&returns_of(&sale), &back(&lines)).expect(201);
        (answer["amount"]["amount"].as_i64().unwrap(), answer["points"]["clawed"].as_i64().unwrap())
    };
    assert_eq!(part(json!([{"line": 1, "quantity": "0.5"}])), (166, 2));
    assert_eq!(part(json!([{"line": 2, "amount": 1234}])), (1234, 12));
    assert_eq!(part(json!([{"line": 1, "quantity": 1}, {"line": 2, "amount": 766}])), (334 + 766, 11));
    // What is paid back for a bottle goes with the bottle.
    assert_eq!(part(json!([{"line": 3}])), (-200, 0));
    let rest = till.post(&returns_of(&sale), &all()).expect(201);
    assert_eq!(
        rest["lines"],
        json!([
            {"line": 1, "quantity": "1.5", "amount": 500}, {"line": 2, "quantity": "1", "amount": 3000},
        ])
    );
    assert_eq!(rest["points"]["clawed"], 33);
    assert_eq!(balance(&till, &member), [0, 0, 0, 0]);
    till.post(&returns_of(&sale), &all()).problem(422, "nothing_to_return");
}

#[test]
fn a_return_counts_once() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    let sale = earn(&till, &member, 500);
    let path = returns_of(&sale);
    let body = json!({"external_id": "B-1", "lines": [{"line": 1, "amount": 10_000}], "reason": "damaged"});
    let (one, other) = (key(), key());
    let first = till.post_under(&one, &path, &body);
    assert_eq!(first.expect(201)["points"]["clawed"], 100);
    let again = till.post_under(&one, &path, &body);
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    for replayed in [None, Some("true")] {
        let known = till.post_under(&other, &path, &body);
        assert_eq!((known.status, &known.text), (200, &first.text));
        assert_eq!(known.header("idempotent-replayed"), replayed);
    }
    // A manager of the same store numbers the same returns.
    assert_eq!(app.manager().post(&path, &body).expect(200)["id"], first.json()["id"]);

    let mut changed = body.clone();
    changed["lines"][0]["amount"] = json!(10_001);
    till.post(&path, &changed).problem(409, "return_conflict");
    till.post_under(&one, &path, &changed).problem(422, "idempotency_key_reused");
    let elsewhere = earn(&till, &member, 500);
    till.post(&returns_of(&elsewhere), &body).problem(409, "return_conflict");
    till.post_under(&one, &returns_of(&elsewhere), &body).problem(422, "idempotency_key_reused");
    assert_eq!(till.in_chinese().post(&path, &changed).json()["title"], "该退货单已存在且内容不同");
    assert_eq!(balance(&till, &member), [900, 0, 0, 0]);
    assert_eq!(app.db.number("select count(*) as value from purchase_return"), 1);
    assert_eq!(app.db.number("select count(*) as value from outbox where kind = 'purchase.returned'"), 1);
}

#[test]
fn what_is_no_part_of_the_sale_is_refused_and_changes_nothing() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    let lines = [json!({"quantity": 2, "amount": 1000}), line(-200)];
    let sale = till.post(PURCHASES, &receipt(&member, &lines)).expect(201);
    let path = returns_of(&sale);
    for (line, status, code) in [
        (json!({"line": 3}), 422, "line_unknown"),
        (json!({"line": 0}), 422, "line_unknown"),
        (json!({"line": 1, "quantity": "2.001"}), 422, "more_than_left"),
        (json!({"line": 1, "amount": 1001}), 422, "more_than_left"),
        (json!({"line": 1, "quantity": 0}), 422, "not_a_part"),
        (json!({"line": 1, "quantity": -1}), 422, "not_a_part"),
        (json!({"line": 1, "amount": -1}), 422, "not_a_part"),
        (json!({"line": 2, "amount": 200}), 422, "not_a_part"),
        (json!({"line": 1, "quantity": 1, "amount": 1}), 400, "invalid_field"),
        (json!({"line": -1}), 400, "invalid_field"),
        (json!({"line": 1, "quantity": "0.0001"}), 400, "invalid_field"),
        (json!({"line": 1, "pieces": 1}), 400, "unknown_field"),
        (json!({"quantity": 1}), 400, "missing_field"),
    ] {
        let problem = till.post(&path, &back(&json!([line]))).problem(status, code);
        if status == 422 {
            assert_eq!(problem["line"], line["line"], "{problem}");
        }
    }
    till.post(&path, &back(&json!([{"line": 1}, {"line": 1}]))).problem(422, "more_than_left");
    let shape = |change: &dyn Fn(&mut Value), code: &str, pointer: &str| {
        let mut body = back(&json!([{"line": 1}]));
        change(&mut body);
        let problem = till.post(&path, &body).problem(400, code);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    };
    shape(&|body| body["all"] = json!(true), "invalid_field", "");
    shape(&|body| drop(body.as_object_mut().unwrap().remove("lines")), "invalid_field", "");
    shape(&|body| body["lines"] = json!([]), "invalid_field", "/lines");
    shape(&|body| body["lines"] = vec![json!({"line": 1}); 1001].into(), "invalid_field", "/lines");
    shape(&|body| body["reason"] = json!(""), "invalid_field", "/reason");
    shape(&|body| drop(body.as_object_mut().unwrap().remove("reason")), "missing_field", "/reason");
    shape(&|body| body["external_id"] = json!("x".repeat(65)), "invalid_field", "/external_id");
    till.request("POST", &path).json(&all()).send().problem(400, "idempotency_key_missing");
    assert_eq!(app.db.number("select count(*) as value from purchase_return"), 0);
    assert_eq!(balance(&till, &member), [8, 0, 0, 0]);
}

#[test]
fn goods_come_back_to_any_store_of_the_chain() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    let body = receipt(&member, &[line(10_000)]);
    let sale = till.post("/v1/till/purchases", &body).expect(201);
    // Another store finds the sale by the number on the receipt and the store's code, and not otherwise.
    let there = app.other_cashier();
    let number = body["external_id"].as_str().unwrap();
    let find = |caller: &Caller, store: &str| {
        caller.get(&format!("/v1/till/purchases?external_id={number}{store}")).expect(200)["data"].clone()
    };
    assert_eq!(find(&there, ""), json!([]));
    assert_eq!(find(&there, "&store=nowhere"), json!([]));
    assert_eq!(find(&there, "&store=west")[0]["id"], sale["id"]);
    assert_eq!(find(&till, "&store=west"), find(&till, ""));
    there.get(&format!("{PURCHASES}/{}", sale["id"].as_str().unwrap())).problem(404, "not_found");
    // Stores number their returns on their own.
    let part =
        |amount: i64| json!({"external_id": "B-1", "lines": [{"line": 1, "amount": amount}], "reason": "damaged"});
    let back = there.post(&returns_of(&sale), &part(4_000)).expect(201);
    assert_eq!(till.post(&returns_of(&sale), &part(1_000)).expect(201)["points"]["clawed"], 10);
    assert_eq!(back["points"]["clawed"], 40);
    assert_eq!(there.post(&returns_of(&sale), &part(4_000)).expect(200), back, "the same once more");
    there.post(&returns_of(&sale), &part(2_000)).problem(409, "return_conflict");
    assert_eq!(app.db.texts("select source as value from purchase_return order by 1"), ["east", "west"]);
    assert_eq!(balance(&till, &member), [50, 0, 0, 0]);
}

#[test]
fn another_stores_sale_stays_where_it_was_sold_if_the_programme_says_so() {
    let app = App::with(|programme| programme["returns"] = json!({"other_stores": false}));
    let till = app.cashier();
    let member = make::member(&till);
    let sale = earn(&till, &member, 100);
    let nowhere = format!("{PURCHASES}/pur_01kapm5q0tf3wavd1k9m2x8z7c/returns");
    let lookup = "/v1/till/purchases?external_id=B-1&store=west";
    app.other_cashier().get(lookup).problem(404, "not_found");
    app.signed_in("manager-east").get(lookup).expect(200);
    for elsewhere in [app.other_cashier(), app.signed_in("manager-east")] {
        elsewhere.post(&returns_of(&sale), &all()).problem(422, "sold_elsewhere");
        elsewhere.post(&nowhere, &all()).problem(404, "not_found");
    }
    app.other_cashier().get(&returns_of(&sale)).problem(404, "not_found");
    app.signed_in("manager-east").get(&returns_of(&sale)).expect(200);
    // An admin stands in no store, and a member at no till.
    app.admin().post(&returns_of(&sale), &all()).problem(403, "forbidden");
    app.member(&member).post(&returns_of(&sale), &all()).problem(403, "forbidden");
    app.member(&member).get(&returns_of(&sale)).problem(403, "forbidden");
    assert_eq!(app.db.number("select count(*) as value from purchase_return"), 0);
    assert_eq!(balance(&till, &member), [100, 0, 0, 0], "nothing has changed");
    app.manager().post(&returns_of(&sale), &all()).expect(201);
}

#[test]
fn what_was_spent_is_owed_and_paid_first() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    let sale = earn(&till, &member, 500);
    app.member(&member).post("/v1/member/redemptions", &json!({"points": 400})).expect(201);
    let answer = till.post(&returns_of(&sale), &all()).expect(201);
    assert_eq!(answer["points"], json!({"clawed": 500, "owed": 400, "forgiven": 0, "given_back": 0}));
    assert_eq!(answer["balance"], json!({"available": 0, "pending": 0, "held": 0, "debt": 400}));
    let next = earn(&till, &member, 450);
    assert_eq!(next["balance"], json!({"available": 50, "pending": 0, "held": 0, "debt": 0}));
    assert_eq!(next["lots"][0]["points"], 50, "the lot opens with the rest");
    let entries = [
        "accrual issued>available 500",
        "redemption available>redeemed 400",
        "return available>returned 100",
        "return debt>returned 400",
        "accrual issued>debt 400",
        "accrual issued>available 50",
    ];
    assert_eq!(ledger(&app, &member), entries);
}

#[test]
fn what_was_spent_may_be_forgiven() {
    let app = App::with(|programme| programme["returns"] = json!({"shortfall": "forgive"}));
    let till = app.cashier();
    let member = make::member(&till);
    let sale = earn(&till, &member, 500);
    app.member(&member).post("/v1/member/redemptions", &json!({"points": 400})).expect(201);
    let half = back(&json!([{"line": 1, "amount": 25_000}]));
    let answer = till.post(&returns_of(&sale), &half).expect(201);
    assert_eq!(answer["points"], json!({"clawed": 250, "owed": 0, "forgiven": 150, "given_back": 0}));
    earn(&till, &member, 1000);
    // Forgiven is gone: the rest of the sale takes what the rest had earned and no more.
    let answer = till.post(&returns_of(&sale), &all()).expect(201);
    assert_eq!(answer["points"], json!({"clawed": 250, "owed": 0, "forgiven": 0, "given_back": 0}));
    assert_eq!(balance(&till, &member), [750, 0, 0, 0]);
}

#[test]
fn pending_points_wait_and_are_taken_first() {
    let app = App::with(|programme| programme["earning"]["pending_days"] = json!(14));
    let till = app.cashier();
    let member = make::member(&till);
    let lines = [line(10_000), line(20_000)];
    let body = receipt(&member, &lines);
    assert_eq!(till.post("/v1/till/purchases/preview", &body).expect(200)["points"]["pending"], 300);
    let sale = till.post(PURCHASES, &body).expect(201);
    assert_eq!(sale["points"], json!({"wanted": 300, "given": 300, "pending": 300}));
    assert_eq!(sale["balance"], json!({"available": 0, "pending": 300, "held": 0, "debt": 0}));
    let spend = || app.member(&member).post("/v1/member/redemptions", &json!({"points": 100}));
    spend().problem(422, "insufficient_points");
    let answer = till.post(&returns_of(&sale), &back(&json!([{"line": 1}]))).expect(201);
    assert_eq!(answer["balance"], json!({"available": 0, "pending": 200, "held": 0, "debt": 0}));

    set(&app, "2031-03-19T03:59:00Z");
    assert_eq!(balance(&till, &member), [0, 200, 0, 0]);
    set(&app, "2031-03-19T05:00:00Z");
    assert_eq!(balance(&till, &member), [200, 0, 0, 0]);
    spend().expect(201);
    let entries = [
        "accrual issued>pending 300",
        "return pending>returned 100",
        "activation pending>available 200",
        "redemption available>redeemed 100",
    ];
    assert_eq!(ledger(&app, &member), entries);
}

#[test]
fn points_given_back_to_a_lapsed_lot_live_a_little_longer() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    earn(&till, &member, 500);
    set(&app, "2032-03-20T04:00:00Z");
    let sale = till.post(PURCHASES, &paid(&app, &member, &[line(10_000)], 500)).expect(201);
    assert_eq!(lots(&app, &member), [(2, 100, "2033-03-31T16:00:00Z".to_owned())]);
    set(&app, "2032-04-10T04:00:00Z");
    let answer = till.post(&returns_of(&sale), &all()).expect(201);
    assert_eq!(answer["points"], json!({"clawed": 100, "owed": 0, "forgiven": 0, "given_back": 500}));
    // Thirty days of grace, to the end of the last.
    assert_eq!(lots(&app, &member), [(3, 500, "2032-05-10T16:00:00Z".to_owned())]);
    set(&app, "2032-05-10T16:00:00Z");
    assert_eq!(balance(&till, &member), [0, 0, 0, 0]);
}

#[test]
fn points_pay_for_goods_with_the_members_say_so() {
    let app = App::with(|programme| programme["redemption"]["largest_share"] = json!("0.5"));
    let till = app.cashier();
    let member = make::member(&till);
    earn(&till, &member, 500);
    let mut body = receipt(&member, &[line(1000)]);
    body["redeem"] = json!({"points": 500});
    let preview = till.post("/v1/till/purchases/preview", &body).expect(200);
    assert_eq!(
        (&preview["redeemed"], &preview["balance"]["available"]),
        (&json!({"points": 500, "worth": 500}), &json!(10))
    );
    till.post(PURCHASES, &body).problem(422, "authorisation_missing");
    body["redeem"]["authorisation"] = json!({"otp": "00000x"});
    till.post(PURCHASES, &body).problem(403, "code_wrong");
    body["redeem"]["authorisation"] = json!({"otp": "000000", "pin": "135790"});
    let problem = till.post(PURCHASES, &body).problem(400, "invalid_field");
    assert_eq!(problem["errors"][0]["pointer"], "/redeem/authorisation");
    body["redeem"]["authorisation"] = json!({"otp": app.otp(&member)});

    let one = key();
    let first = till.post_under(&one, PURCHASES, &body);
    let sale = first.expect(201);
    assert_eq!((&sale["redeemed"], &sale["balance"]["available"]), (&preview["redeemed"], &json!(10)));
    // The answer got lost: the same key finds it, and so does the same receipt under another, though
    // the code is spent by now.
    let again = till.post_under(&one, PURCHASES, &body);
    assert_eq!((again.status, &again.text), (201, &first.text));
    body["redeem"]["authorisation"] = json!({"otp": "00000x"});
    let known = till.post(PURCHASES, &body);
    assert_eq!((known.status, &known.text), (200, &first.text));
    // What points paid is a part of the receipt.
    body.as_object_mut().unwrap().remove("redeem");
    till.post(PURCHASES, &body).problem(409, "duplicate_external_id");

    let redemptions = app.member(&member).get("/v1/member/redemptions").expect(200);
    let redemption = &redemptions["data"][0];
    assert_eq!((&redemption["purchase_id"], &redemption["points"]), (&sale["id"], &json!(500)));
    let void = format!("/v1/till/redemptions/{}/void", redemption["id"].as_str().unwrap());
    assert_eq!(till.post(&void, &json!({})).problem(409, "paid_for_purchase")["purchase_id"], sale["id"]);
    assert_eq!(balance(&till, &member), [10, 0, 0, 0]);
}

#[test]
fn points_pay_no_more_than_they_may() {
    let app = App::with(|programme| programme["redemption"]["largest_share"] = json!("0.5"));
    let till = app.cashier();
    let member = make::member(&till);
    earn(&till, &member, 500);
    let preview = |points: i64| {
        let mut body = receipt(&member, &[line(if points > 500 { 2000 } else { 700 })]);
        body["redeem"] = json!({"points": points});
        till.post("/v1/till/purchases/preview", &body)
    };
    preview(350).expect(200);
    assert_eq!(preview(400).problem(422, "share_too_large")["most"], 350);
    assert_eq!(preview(50).problem(422, "below_minimum")["minimum"], 100);
    assert_eq!(preview(120).problem(422, "not_a_step")["step"], 50);
    assert_eq!(preview(550).problem(422, "insufficient_points")["available"], 500);
    assert_eq!(preview(0).problem(400, "invalid_field")["errors"][0]["pointer"], "/redeem/points");
    // A refusal spends neither points nor the code.
    let otp = app.otp(&member);
    let mut body = receipt(&member, &[line(700)]);
    body["redeem"] = json!({"points": 400, "authorisation": {"otp": otp}});
    till.post(PURCHASES, &body).problem(422, "share_too_large");
    let mut body = receipt(&member, &[line(700)]);
    body["redeem"] = json!({"points": 350, "authorisation": {"otp": otp}});
    till.post(PURCHASES, &body).expect(201);
    let mut body = receipt(&member, &[line(700)]);
    body["redeem"] = json!({"points": 100, "authorisation": {"otp": otp}});
    till.post(PURCHASES, &body).problem(403, "code_used");
}

#[test]
fn what_points_paid_earns_nothing_where_the_programme_says_so() {
    let app = App::with(|programme| programme["earning"]["excluded_tenders"] = json!(["gift_card", "points"]));
    let till = app.cashier();
    let member = make::member(&till);
    earn(&till, &member, 500);
    let sale = till.post(PURCHASES, &paid(&app, &member, &[line(10_000), line(20_000)], 300)).expect(201);
    assert_eq!((&sale["points"]["given"], &sale["explanation"]["basis"]), (&json!(297), &json!(29_700)));
    let answer = till.post(&returns_of(&sale), &back(&json!([{"line": 2}]))).expect(201);
    assert_eq!(answer["amount"]["amount"], 20_000, "what it was sold for, points or not");
    assert_eq!(answer["points"], json!({"clawed": 198, "owed": 0, "forgiven": 0, "given_back": 200}));
    assert_eq!(answer["worth"]["amount"], 200);
    till.post(&returns_of(&sale), &all()).expect(201);
    assert_eq!(balance(&till, &member), [500, 0, 0, 0]);
}
