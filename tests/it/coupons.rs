//! Coupons that are issued: whose they are, what they take off, and that each is used as often as it may be.

use serde_json::{Value, json};
use tessera::clock::new_uuid;
use tessera_rules::id::MemberId;

use crate::race::{all_at_once, count};
use crate::support::app::PASSWORD;
use crate::support::make::{self, earn, key, line, receipt};
use crate::support::{App, Caller, Member, eventually};

const PURCHASES: &str = "/v1/till/purchases";

/// A shop with a price list and kinds of coupons.
pub(crate) fn shop() -> App {
    App::with(|programme| {
        programme["prices"] = json!({"member": [{"code": "latte", "sku": "LATTE", "price": 2700}]});
        programme["coupons"] = json!([
            {"code": "spring", "name": {"en": "Spring", "zh": "春季"}, "stacking": "with_everything",
             "discount": {"off": {"kind": "percent", "percent": "10"}, "cap": 1000}, "valid_days": 30,
             "give_back_on_return": true},
            {"code": "flyer", "name": {"en": "Flyer", "zh": "传单"}, "holder": "bearer", "stacking": {"group": "paper"},
             "discount": {"off": {"kind": "amount", "amount": 500}}},
            {"code": "crowd", "name": {"en": "Crowd", "zh": "大家"}, "holder": "bearer", "uses": 10,
             "stacking": {"group": "paper"}, "priority": 5,
             "discount": {"off": {"kind": "amount", "amount": 700}, "minimum_spend": 2000}},
            {"code": "gone", "name": "Gone", "holder": "bearer", "to": "2031-03-04",
             "discount": {"off": {"kind": "amount", "amount": 100}}},
        ]);
    })
}

/// Issues coupons and tells their codes.
pub(crate) fn issue(app: &App, kind: &str, body: &Value) -> Vec<String> {
    let issued = app.admin().post(&format!("/v1/admin/coupons/{kind}/issue"), body).expect(201);
    issued["coupons"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap().to_owned()).collect()
}

fn for_member(app: &App, kind: &str, member: &Member) -> String {
    issue(app, kind, &json!({"member_id": member.id})).remove(0)
}

fn bearer(app: &App, kind: &str) -> String {
    issue(app, kind, &json!({"count": 1})).remove(0)
}

fn lattes() -> Vec<Value> {
    vec![json!({"sku": "LATTE", "quantity": 3, "amount": 9000}), line(3_760)]
}

/// A receipt at list prices.
fn with_coupons(member: &Member, lines: &[Value], coupons: &[&str]) -> Value {
    let mut body = receipt(member, lines);
    body["coupons"] = json!(coupons);
    body
}

fn state(app: &App, code: &str) -> (Value, Value) {
    let coupon = app.cashier().get(&format!("/v1/till/coupons/{code}")).expect(200);
    (coupon["state"].clone(), coupon["uses_left"].clone())
}

fn uses(app: &App) -> i64 {
    app.db.number("select count(*) as value from coupon_use where given_back_at is null")
}

#[test]
fn coupons_are_issued_once_under_a_key() {
    let app = shop();
    let admin = app.admin();
    let member = make::member(&app.cashier());
    let path = "/v1/admin/coupons/flyer/issue";
    let one = key();
    let first = admin.post_under(&one, path, &json!({"count": 3}));
    let issued = first.expect(201);
    let codes: Vec<&str> = issued["coupons"].as_array().unwrap().iter().map(|c| c["code"].as_str().unwrap()).collect();
    assert!(codes.len() == 3 && codes.iter().all(|code| code.len() == 16), "{codes:?}");
    let again = admin.post_under(&one, path, &json!({"count": 3}));
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    admin.post_under(&one, path, &json!({"count": 4})).problem(422, "idempotency_key_reused");
    admin.request("POST", path).json(&json!({"count": 1})).send().problem(400, "idempotency_key_missing");
    for wrong in [json!({}), json!({"count": 0}), json!({"count": 1001}), json!({"count": 1, "member_id": member.id})] {
        admin.post(path, &wrong).problem(400, "invalid_field");
    }
    let owned = admin.post("/v1/admin/coupons/spring/issue", &json!({"count": 1})).problem(400, "invalid_field");
    assert_eq!(owned["errors"][0]["pointer"], "/member_id");
    let nobody = json!({"member_id": MemberId::new(new_uuid())});
    admin.post("/v1/admin/coupons/spring/issue", &nobody).problem(404, "member_unknown");
    admin.post("/v1/admin/coupons/none/issue", &json!({"count": 1})).problem(404, "not_found");
    admin.post("/v1/admin/coupons/gone/issue", &json!({"count": 1})).problem(422, "coupon_over");
    app.manager().post(path, &json!({"count": 1})).problem(403, "forbidden");
    assert_eq!(app.db.number("select count(*) as value from coupon"), 3);
    let told = app.db.texts("select after::text as value from audit where action = 'coupon.issue'");
    assert!(told.len() == 1 && codes.iter().all(|code| !told[0].contains(code)), "{told:?}");
}

#[test]
fn issued_coupons_are_listed_looked_up_and_taken_back() {
    let app = shop();
    let (admin, till) = (app.admin(), app.cashier());
    let member = make::member(&till);
    let own = for_member(&app, "spring", &member);
    let mut codes = issue(&app, "flyer", &json!({"count": 5}));
    codes.sort_unstable_by(|a, b| b.cmp(a));
    let list = "/v1/admin/coupons/flyer/issued";
    let code_of = |one: &Value| one["code"].as_str().unwrap().to_owned();
    let page = admin.get(&format!("{list}?limit=3")).expect(200);
    let next = admin.get(&format!("{list}?limit=3&cursor={}", page["next_cursor"].as_str().unwrap())).expect(200);
    let listed: Vec<String> =
        [&page, &next].iter().flat_map(|page| page["data"].as_array().unwrap()).map(code_of).collect();
    assert_eq!(listed, codes);
    let found = admin.get(&format!("/v1/admin/coupons/spring/issued?member_id={}", member.id)).expect(200);
    assert_eq!((&found["data"][0]["code"], &found["data"][0]["member_id"]), (&json!(own), &json!(member.id)));

    let typed = format!("{}-{}", &own[..8].to_lowercase(), &own[8..]);
    let shown = till.get(&format!("/v1/till/coupons/{typed}")).expect(200);
    assert_eq!(
        (&shown["code"], &shown["state"], &shown["member_id"]),
        (&json!(own), &json!("usable"), &json!(member.id))
    );
    assert_eq!((&shown["name"], &shown["discount"]), (&json!("Spring"), &json!("10 % off, at most 10.00 CNY")));
    let chinese = till.in_chinese().get(&format!("/v1/till/coupons/{own}")).expect(200);
    assert_eq!((&chinese["name"], &chinese["discount"]), (&json!("春季"), &json!("减免 10%，最多减 10.00 CNY")));
    till.get("/v1/till/coupons/0000000000000000").problem(404, "not_found");

    let revoke = format!("{list}/{}/revoke", codes[0]);
    let why = json!({"reason": "printed twice"});
    assert_eq!(admin.post(&revoke, &why).expect(200)["state"], "revoked");
    admin.post(&revoke, &why).problem(409, "state_conflict");
    assert_eq!(state(&app, &codes[0]).0, "revoked");
    admin.post(&format!("/v1/admin/coupons/spring/issued/{}/revoke", codes[1]), &why).problem(404, "not_found");
    let refused = till.post(PURCHASES, &with_coupons(&member, &lattes(), &[&codes[0]]));
    assert_eq!(refused.problem(422, "coupon_not_applicable")["reason"], "revoked");

    let second = for_member(&app, "spring", &member);
    till.post(PURCHASES, &with_coupons(&member, &lattes(), &[&own])).expect(201);
    let his = app.member(&member).get("/v1/member/coupons").expect(200);
    let states: Vec<_> =
        his["data"].as_array().unwrap().iter().map(|one| (code_of(one), one["state"].clone())).collect();
    assert_eq!(states, [(second, json!("usable")), (own, json!("used_up"))]);
    app.advance("P31D");
    let his = app.member(&member).get("/v1/member/coupons").expect(200);
    let states: Vec<_> = his["data"].as_array().unwrap().iter().map(|one| one["state"].clone()).collect();
    assert_eq!(states, ["expired", "used_up"]);
    // Who guesses codes waits longer and longer; who finds what he looks for does not.
    let guesser = app.other_cashier();
    (0..6).for_each(|_| drop(guesser.get("/v1/till/coupons/0000000000000000").problem(404, "not_found")));
    let refused = guesser.get("/v1/till/coupons/0000000000000000");
    refused.problem(429, "too_many_requests");
    assert!(refused.header("retry-after").is_some());
    let till = app.cashier();
    (0..8).for_each(|_| drop(till.get(&format!("/v1/till/coupons/{}", codes[0])).expect(200)));
}

#[test]
fn what_coupons_take_off_is_neither_paid_nor_earned_on() {
    let app = shop();
    let till = app.cashier();
    let member = make::member(&till);
    let (own, paper) = (for_member(&app, "spring", &member), bearer(&app, "flyer"));
    let body = with_coupons(&member, &lattes(), &[&own, &paper.to_lowercase()]);
    let preview = till.request("POST", "/v1/till/purchases/preview").json(&body).send().expect(200);
    assert_eq!((uses(&app), state(&app, &own).0), (0, json!("usable")), "a preview uses nothing");
    let bought = till.post(PURCHASES, &body).expect(201);
    // 81.00 + 37.60, less 10.00 (of 11.86), less 5.00.
    assert_eq!((&bought["total"], &bought["points"]["given"]), (&json!(10_360), &json!(103)));
    for field in ["total", "points", "explanation", "balance"] {
        assert_eq!(preview[field], bought[field], "{field}");
    }
    let why = &bought["explanation"];
    assert_eq!(
        why["coupons"],
        json!([{"code": own, "type": "spring", "amount": 1000}, {"code": paper, "type": "flyer", "amount": 500}])
    );
    let first = &why["lines"][0];
    assert_eq!((&first["list"], &first["basis"]), (&json!(9_000), &json!(7_076)));
    let sources: Vec<&Value> = first["discounts"].as_array().unwrap().iter().map(|one| &one["source"]).collect();
    assert_eq!(sources, ["member_price", "coupon", "coupon"]);
    let row = "select amount as value from purchase where answer like '%\"total\":10360%'";
    assert_eq!((app.db.number(row), uses(&app)), (10_360, 2));

    let entry = app.member(&member).get("/v1/member/ledger/1").expect(200);
    assert_eq!(
        entry["explanation"][1],
        "At list price it came to 127.60 CNY; member prices took 9.00 CNY off, coupons 15.00 CNY."
    );

    // The same receipt again is the same; with another coupon it is another.
    assert_eq!(till.post(PURCHASES, &body).expect(200), bought);
    let mut other = body.clone();
    other["coupons"] = json!([own]);
    till.post(PURCHASES, &other).problem(409, "duplicate_external_id");
    let gone = with_coupons(&member, &lattes(), &[&bearer(&app, "flyer"), &own]);
    let refused = till.post(PURCHASES, &gone).problem(422, "coupon_not_applicable");
    assert_eq!((&refused["coupon"], &refused["reason"]), (&json!(own), &json!("used_up")));
    assert_eq!(refused["errors"][0]["pointer"], "/coupons/1");
    let chinese = till.in_chinese().post(PURCHASES, &gone).problem(422, "coupon_not_applicable");
    assert_eq!(chinese["detail"], "该优惠券已用完。");
    assert_eq!(uses(&app), 2, "what was refused used nothing");
    // Without coupons lines are what was paid; with none of them they are at list prices.
    let plain = till.post(PURCHASES, &receipt(&member, &lattes())).expect(201);
    assert_eq!((plain.get("total"), &plain["explanation"]["basis"]), (None, &json!(12_760)));
    let priced = till.post(PURCHASES, &with_coupons(&member, &lattes(), &[])).expect(201);
    assert_eq!((&priced["total"], &priced["explanation"]["basis"]), (&json!(11_860), &json!(11_860)));
}

#[test]
fn a_coupon_that_does_not_apply_is_refused_and_changes_nothing() {
    let app = shop();
    let till = app.cashier();
    let (member, other) = (make::member(&till), make::member(&till));
    let (his, crowd, flyer) = (for_member(&app, "spring", &other), bearer(&app, "crowd"), bearer(&app, "flyer"));
    let refused = |lines: &[Value], coupons: &[&str]| {
        let problem =
            till.post(PURCHASES, &with_coupons(&member, lines, coupons)).problem(422, "coupon_not_applicable");
        (problem["reason"].as_str().unwrap().to_owned(), problem["errors"][0]["pointer"].clone())
    };
    let told = |reason: &str, position: usize| (reason.to_owned(), json!(format!("/coupons/{position}")));
    assert_eq!(refused(&lattes(), &[&his]), told("others_coupon", 0));
    assert_eq!(refused(&[line(1_999)], &[&crowd]), told("minimum_spend", 0));
    assert_eq!(refused(&lattes(), &[&crowd, &flyer]), told("not_combinable", 0));
    assert_eq!(refused(&lattes(), &[&flyer, "NO-SUCH-COUPON"]), told("unknown", 1));
    let twice =
        till.post(PURCHASES, &with_coupons(&member, &lattes(), &[&flyer, &flyer])).problem(400, "invalid_field");
    assert_eq!(twice["errors"][0]["pointer"], "/coupons/1");
    let many = vec![flyer.as_str(); 21];
    till.post(PURCHASES, &with_coupons(&member, &lattes(), &many)).problem(400, "invalid_field");
    // Nor is a coupon used where something else is refused.
    let mut pays = with_coupons(&member, &lattes(), &[&flyer]);
    pays["redeem"] = json!({"points": 100, "authorisation": {"otp": app.otp(&member)}});
    till.post(PURCHASES, &pays).problem(422, "insufficient_points");
    assert_eq!((uses(&app), app.db.number("select count(*) as value from purchase")), (0, 0));
    assert_eq!(state(&app, &flyer), (json!("usable"), json!(1)));
}

#[test]
fn a_use_comes_back_with_everything_it_was_for() {
    let app = shop();
    let till = app.cashier();
    let member = make::member(&till);
    let (own, paper) = (for_member(&app, "spring", &member), bearer(&app, "flyer"));
    let bought = till.post(PURCHASES, &with_coupons(&member, &lattes(), &[&own, &paper])).expect(201);
    let back = |body: Value| {
        let path = format!("{PURCHASES}/{}/returns", bought["id"].as_str().unwrap());
        let mut body = body;
        (body["external_id"], body["reason"]) = (json!(key()), json!("unwanted"));
        till.post(&path, &body).expect(201)
    };
    let some = back(json!({"lines": [{"line": 1, "quantity": 1}]}));
    // A third of what was paid of three lattes: 70.76.
    assert_eq!((&some["amount"]["amount"], state(&app, &own).0), (&json!(2_358), json!("used_up")));
    let rest = back(json!({"all": true}));
    assert_eq!(rest["amount"]["amount"], 10_360 - 2_358);
    assert_eq!(state(&app, &own), (json!("usable"), json!(1)), "its kind gives back");
    assert_eq!(state(&app, &paper), (json!("used_up"), json!(0)), "its kind does not");
    assert_eq!(app.member(&member).get("/v1/member/balance").expect(200)["available"], 0);
    till.post(PURCHASES, &with_coupons(&member, &lattes(), &[&own])).expect(201);
    assert_eq!(app.db.number(&format!("select max(number) as value from coupon_use where coupon = '{own}'")), 2);
}

#[test]
fn a_purchase_takes_its_prices_and_coupons_along() {
    let app = shop();
    let (till, manager) = (app.cashier(), app.manager());
    let (member, other) = (make::member(&till), make::member(&till));
    let own = for_member(&app, "spring", &member);
    let bought = till.post(PURCHASES, &with_coupons(&member, &lattes(), &[&own])).expect(201);
    let path = format!("{PURCHASES}/{}/move", bought["id"].as_str().unwrap());
    let moved = manager.post(&path, &json!({"member_id": other.id, "reason": "wrong card"})).expect(201);
    let again = &moved["purchase"];
    assert_eq!(again["explanation"]["lines"], bought["explanation"]["lines"]);
    assert_eq!(again["explanation"]["coupons"], bought["explanation"]["coupons"]);
    assert_eq!((uses(&app), state(&app, &own)), (1, (json!("used_up"), json!(0))));
    let back = format!("{PURCHASES}/{}/returns", again["id"].as_str().unwrap());
    till.post(&back, &json!({"external_id": key(), "reason": "unwanted", "all": true})).expect(201);
    assert_eq!((uses(&app), state(&app, &own).0), (0, json!("usable")));
}

fn ask(till: &Caller, body: &Value) -> Value {
    till.request("POST", "/v1/till/quote").json(body).send().expect(200)
}

#[test]
fn a_quote_tells_which_coupons_count_and_why_others_do_not() {
    let app = shop();
    let till = app.cashier();
    let member = make::member(&till);
    let (own, crowd, flyer) = (for_member(&app, "spring", &member), bearer(&app, "crowd"), bearer(&app, "flyer"));
    let mut body = json!({"member_id": member.id, "currency": "CNY", "lines": lattes(),
        "coupons": [crowd, flyer, "no-such-coupon"]});
    let quote = ask(&till, &body);
    assert_eq!(quote["coupons"], json!([{"code": flyer, "type": "flyer", "name": "Flyer", "amount": 500}]));
    let why = |quote: &Value| -> Vec<(String, String)> {
        let text = |one: &Value, field: &str| one[field].as_str().unwrap().to_owned();
        quote["not_applied"].as_array().unwrap().iter().map(|one| (text(one, "code"), text(one, "why"))).collect()
    };
    let unknown = ("N0SUCHC0UP0N".to_owned(), "unknown".to_owned());
    let mut expected = vec![(crowd.clone(), "not_combinable".to_owned()), unknown];
    expected.sort_unstable();
    assert_eq!(why(&quote), expected);
    body["own_coupons"] = json!(true);
    body["optimise"] = json!("price");
    let best = ask(&till, &body);
    let counted = |quote: &Value| -> Vec<String> {
        quote["coupons"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((counted(&best), &best["total"]), (vec![own, crowd], &json!(11_860 - 1_000 - 700)));
    // No coupon makes a purchase earn more, but one may make it cheaper at no loss of points.
    body["optimise"] = json!("points");
    assert_eq!(counted(&ask(&till, &body)), [""; 0]);
    body["lines"] = json!([line(10_599)]);
    body["coupons"] = json!([bearer(&app, "flyer")]);
    let most = ask(&till, &body);
    assert_eq!((counted(&most).len(), &most["purchase"]["points"]["given"]), (0, &json!(105)));
    assert_eq!(why(&most)[0].1, "earns_less");
}

#[test]
fn what_was_quoted_is_what_is_bought() {
    let app = shop();
    let till = app.cashier();
    let member = make::member(&till);
    earn(&till, &member, 400);
    let own = for_member(&app, "spring", &member);
    let body = json!({"member_id": member.id, "currency": "CNY", "lines": lattes(), "coupons": [own],
        "points": {"points": 300}});
    let quote = ask(&till, &body);
    assert_eq!((&quote["total"], &quote["due"]), (&json!(10_860), &json!(10_560)));
    let buy = |till: &Caller, body: &Value| till.post(PURCHASES, body);
    let pin = json!({"pin": "135790", "password": PASSWORD});
    app.member(&member).put("/v1/member/pin", &pin).expect(204);
    let sale = json!({"quote": quote["id"], "external_id": key(), "redeem": {"authorisation": {"pin": "135790"}}});
    app.other_cashier().post(PURCHASES, &sale).problem(404, "not_found");
    buy(&till, &json!({"quote": quote["id"], "external_id": key()})).problem(422, "authorisation_missing");
    let mut said = sale.clone();
    said["currency"] = json!("CNY");
    assert_eq!(buy(&till, &said).problem(400, "invalid_field")["errors"][0]["pointer"], "/currency");
    let bought = buy(&till, &sale).expect(201);
    for field in ["total", "points", "explanation", "balance", "redeemed", "tier"] {
        assert_eq!(bought[field], quote["purchase"][field], "{field}");
    }
    assert_eq!(bought["quote_id"], quote["id"]);
    // The same receipt is known; another cannot be made of the quote.
    assert_eq!(buy(&till, &sale).expect(200), bought);
    let mut second = sale.clone();
    second["external_id"] = json!(key());
    buy(&till, &second).problem(409, "quote_used");
    assert_eq!(uses(&app), 1);
    buy(&till, &json!({"external_id": key(), "currency": "CNY", "lines": lattes()})).problem(400, "missing_field");
}

#[test]
fn a_quote_that_would_not_come_out_is_refused_with_the_difference() {
    let app = shop();
    let till = app.cashier();
    let member = make::member(&till);
    let paper = bearer(&app, "flyer");
    let quoted = || {
        let body = json!({"member_id": member.id, "currency": "CNY", "lines": lattes(), "coupons": [paper]});
        json!({"quote": ask(&till, &body)["id"], "external_id": key()})
    };
    let sale = quoted();
    // Somebody else is quicker.
    till.post(PURCHASES, &with_coupons(&make::member(&till), &lattes(), &[&paper])).expect(201);
    let before = app.db.number("select count(*) as value from entry");
    let changed = till.post(PURCHASES, &sale).problem(409, "quote_changed");
    assert_eq!(
        changed["changes"],
        json!([
            {"pointer": "/lines/0/net", "promised": 7_759, "now": 8_100},
            {"pointer": "/lines/1/net", "promised": 3_601, "now": 3_760},
            {"pointer": "/total", "promised": 11_360, "now": 11_860},
            {"pointer": "/due", "promised": 11_360, "now": 11_860},
            {"pointer": "/purchase/points/given", "promised": 113, "now": 118},
        ])
    );
    assert_eq!(
        (&changed["errors"][0]["pointer"], &changed["errors"][0]["code"]),
        (&json!("/coupons/0"), &json!("used_up"))
    );
    assert_eq!((app.db.number("select count(*) as value from entry"), uses(&app)), (before, 1));
    let body = json!({"member_id": member.id, "currency": "CNY", "lines": lattes()});
    let late = json!({"quote": ask(&till, &body)["id"], "external_id": key()});
    app.advance("PT30M");
    app.cashier().post(PURCHASES, &late).problem(409, "quote_lapsed");
}

/// Fifty tills of two processes try one thing; says how many got it, and why the others did not.
fn fifty(app: &App, kind: &str) -> (usize, usize) {
    let elsewhere = App::beside(app);
    let callers = [app.cashier(), elsewhere.cashier()];
    let code = bearer(app, kind);
    let members: Vec<Member> = (0..10).map(|_| make::member(&callers[0])).collect();
    let replies = all_at_once(50, &callers, |till, i| {
        let reply = till.post(PURCHASES, &with_coupons(&members[i % 10], &lattes(), &[&code]));
        if reply.status != 201 {
            assert_eq!(reply.problem(422, "coupon_not_applicable")["reason"], "used_up");
        }
        reply
    });
    let got = count(&replies, 201);
    let used = format!("select count(*) as value from coupon_use where coupon = '{code}'");
    assert_eq!(app.db.number(&used), got as i64);
    assert_eq!(state(app, &code), (json!("used_up"), json!(0)));
    (got, replies.len() - got)
}

#[test]
fn fifty_tills_use_one_coupon_once() {
    assert_eq!(fifty(&shop(), "flyer"), (1, 49));
}

#[test]
fn fifty_tills_use_the_last_ten_uses() {
    assert_eq!(fifty(&shop(), "crowd"), (10, 40));
}

#[test]
fn a_quote_becomes_one_purchase_however_many_tills_send_it() {
    let app = shop();
    let elsewhere = App::beside(&app);
    let callers = [app.cashier(), elsewhere.cashier()];
    let member = make::member(&callers[0]);
    let body = json!({"member_id": member.id, "currency": "CNY", "lines": lattes()});
    let quote = ask(&callers[0], &body);
    let replies = all_at_once(20, &callers, |till, _| {
        let reply = till.post(PURCHASES, &json!({"quote": quote["id"], "external_id": key()}));
        if reply.status != 201 {
            reply.problem(409, "quote_used");
        }
        reply
    });
    assert_eq!(count(&replies, 201), 1);
    assert_eq!(app.db.number("select count(*) as value from purchase"), 1);
}

/// Returns that give uses back and purchases that take them, in two processes: nobody waits for ever, and every
/// use is one or the other.
#[test]
fn uses_given_back_are_used_again_under_load() {
    let app = shop();
    let elsewhere = App::beside(&app);
    let callers = [app.cashier(), elsewhere.cashier()];
    let member = make::member(&callers[0]);
    let codes: Vec<String> = (0..4).map(|_| for_member(&app, "spring", &member)).collect();
    std::thread::scope(|scope| {
        for (i, code) in codes.iter().chain(&codes).enumerate() {
            let (till, member) = (&callers[i % 2], &member);
            scope.spawn(move || {
                for _ in 0..5 {
                    let bought = till.post(PURCHASES, &with_coupons(member, &lattes(), &[code]));
                    if bought.status != 201 {
                        bought.problem(422, "coupon_not_applicable");
                        continue;
                    }
                    let path = format!("{PURCHASES}/{}/returns", bought.json()["id"].as_str().unwrap());
                    till.post(&path, &json!({"external_id": key(), "reason": "unwanted", "all": true})).expect(201);
                }
            });
        }
    });
    assert_eq!(uses(&app), 0);
    assert!(app.db.number("select count(*) as value from coupon_use") >= 4);
    assert!(codes.iter().all(|code| state(&app, code) == (json!("usable"), json!(1))));
}

#[test]
fn who_was_merged_brings_his_coupons() {
    let app = shop();
    let till = app.cashier();
    let (gone, stays) = (make::member(&till), make::member(&till));
    let own = for_member(&app, "spring", &gone);
    let merge = json!({"into": stays.id, "reason": "one person"});
    app.admin().post(&format!("/v1/admin/members/{}/merge", gone.id), &merge).expect(200);
    assert_eq!(app.member(&stays).get("/v1/member/coupons").expect(200)["data"][0]["code"], own);
    assert_eq!(till.get(&format!("/v1/till/coupons/{own}")).expect(200)["member_id"], stays.id);
    let mut body = json!({"member_id": gone.id, "currency": "CNY", "lines": lattes(), "own_coupons": true});
    let quote = ask(&till, &body);
    assert_eq!(quote["coupons"][0]["code"], own);
    body["member_id"] = json!(stays.id);
    assert_eq!(ask(&till, &body)["total"], quote["total"]);
    // The quote was asked for the account that is gone.
    let bought = till.post(PURCHASES, &json!({"quote": quote["id"], "external_id": key()})).expect(201);
    assert_eq!((&bought["total"], state(&app, &own).0), (&quote["total"], json!("used_up")));
    assert_eq!(app.member(&stays).get("/v1/member/balance").expect(200)["available"], bought["points"]["given"]);
}

#[test]
fn quotes_are_forgotten_once_they_lapse_unless_something_was_bought() {
    let app = shop();
    let till = app.cashier();
    let member = make::member(&till);
    let body = json!({"member_id": member.id, "currency": "CNY", "lines": lattes()});
    let bought = json!({"quote": ask(&till, &body)["id"], "external_id": key()});
    let first = till.post(PURCHASES, &bought).expect(201);
    ask(&till, &body);
    let kept = || app.db.number("select count(*) as value from quote");
    assert_eq!(kept(), 2);
    app.advance("P2D");
    eventually("the one that lapsed is forgotten", || (kept() == 1).then_some(()));
    assert_eq!(app.cashier().post(PURCHASES, &bought).expect(200), first, "the receipt is known for ever");
}
