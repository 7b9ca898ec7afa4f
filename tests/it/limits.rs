//! Limits and budgets of promotions over HTTP: exact whatever runs at the same moment, given back with
//! the goods, and found out by `verify` where somebody changed what is counted.

use serde_json::{Value, json};

use crate::race::all_at_once;
use crate::support::make::{self, key, line, receipt};
use crate::support::{App, Caller, Member};
use crate::verify;

const PURCHASES: &str = "/v1/till/purchases";

/// Gives points to every purchase, within limits.
fn gift(points: i64, limits: &Value) -> Value {
    json!({"code": "gift", "name": "Gift", "effect": {"kind": "add", "points": points}, "limits": limits})
}

fn shop(promotions: &[Value]) -> App {
    App::with(|programme| programme["promotions"] = json!(promotions))
}

fn buy(till: &Caller, member: &Member) -> Value {
    till.post(PURCHASES, &receipt(member, &[line(10_000)])).expect(201)
}

/// The first promotion: what it was charged, or why it missed.
fn told(sale: &Value) -> Value {
    let promotion = &sale["explanation"]["promotions"][0];
    if promotion["missed"].is_null() { promotion["charged"].clone() } else { promotion["missed"].clone() }
}

fn used(app: &App) -> (i64, i64) {
    let sum = |column: &str| {
        app.db.number(&format!("select coalesce(sum({column}), 0)::bigint as value from promotion_usage"))
    };
    (sum("uses"), sum("points"))
}

fn bring_back(till: &Caller, sale: &Value, goods: &Value) {
    let mut body = json!({"external_id": key(), "reason": "damaged"});
    body.as_object_mut().unwrap().extend(goods.as_object().unwrap().clone());
    till.post(&format!("{PURCHASES}/{}/returns", sale["id"].as_str().unwrap()), &body).expect(201);
}

/// Two processes, and members enough that no lock of a member's keeps purchases apart.
#[test]
fn the_last_thousand_points_are_given_out_exactly() {
    let app = shop(&[gift(30, &json!({"budget_points": 1_000}))]);
    let elsewhere = App::beside(&app);
    let callers = [app.cashier(), elsewhere.cashier()];
    let members: Vec<Member> = (0..25).map(|_| make::member(&callers[0])).collect();
    let replies = all_at_once(50, &callers, |till, i| till.post(PURCHASES, &receipt(&members[i / 2], &[line(10_000)])));
    let sales: Vec<Value> = replies.iter().map(|reply| reply.expect(201)).collect();
    let mut charged: Vec<i64> = sales.iter().filter_map(|sale| told(sale).as_i64()).collect();
    charged.sort_unstable();
    let mut wanted = vec![10];
    wanted.extend([30; 33]);
    assert_eq!(charged, wanted, "33 of 30 and what was left");
    let missed = sales.iter().filter(|sale| told(sale) == "budget").count();
    assert_eq!(missed, 50 - 34);
    assert_eq!(used(&app), (34, 1_000));
    assert_eq!(app.db.number("select sum(available)::bigint as value from standing"), 50 * 100 + 1_000);
    // Either process knows that nothing is left, and what comes back is given again, by either.
    let full: Vec<&Value> = sales.iter().filter(|sale| told(sale) == 30).collect();
    bring_back(&callers[0], full[0], &json!({"all": true}));
    assert_eq!(used(&app), (33, 970));
    assert_eq!(told(&buy(&callers[1], &members[0])), 30);
    assert_eq!(told(&buy(&callers[0], &members[0])), "budget");
}

/// The same with money in wallets: quoted, given to the cent, explained, simulated and given back.
#[test]
fn the_last_ten_yuan_of_cashback_are_given_out_exactly() {
    let app = App::with(|programme| {
        programme["wallet"] = json!({});
        programme["promotions"] = json!([
            {"code": "back", "name": {"en": "Five back", "zh": "返现五"}, "effect": {"kind": "cashback", "percent": "5"},
             "limits": {"budget_money": 1_000}},
        ]);
    });
    let elsewhere = App::beside(&app);
    let callers = [app.cashier(), elsewhere.cashier()];
    let members: Vec<Member> = (0..25).map(|_| make::member(&callers[0])).collect();
    let ask = || {
        let body = json!({"member_id": members[0].id, "currency": "CNY", "lines": [line(600)]});
        callers[0].post("/v1/till/quote", &body).expect(200)
    };
    assert_eq!(ask()["limits"], json!([{"code": "back", "money": 1_000}]));
    let replies = all_at_once(50, &callers, |till, i| till.post(PURCHASES, &receipt(&members[i / 2], &[line(600)])));
    let sales: Vec<Value> = replies.iter().map(|reply| reply.expect(201)).collect();
    let given = |sale: &Value| sale["wallet"]["cashback"].as_i64();
    let mut gave: Vec<i64> = sales.iter().filter_map(given).collect();
    gave.sort_unstable();
    let mut wanted = vec![10];
    wanted.extend([30; 33]);
    assert_eq!(gave, wanted, "33 of 30 and what was left");
    assert_eq!(sales.iter().filter(|sale| told(sale) == "budget").count(), 50 - 34);
    let money = || app.db.number("select money as value from promotion_usage");
    let in_wallets = || app.db.number("select sum(cashback)::bigint as value from wallet");
    assert_eq!((used(&app), money(), in_wallets()), ((34, 0), 1_000, 1_000));
    assert_eq!(ask()["offers"][0]["why"], "budget");

    let last = sales.iter().position(|sale| given(sale) == Some(10)).unwrap();
    let cashback = &sales[last]["explanation"]["promotions"][0]["cashback"];
    assert_eq!(cashback, &json!({"given": 10, "wanted": 30, "left_of_budget": 10}));
    let told_why = "Five back gave 5 % back: 0.10 CNY to the wallet. That was what was left of its budget; it would have \
                    been 0.30 CNY.";
    assert!(explained(&app, &members[last / 2]).iter().any(|sentence| sentence == told_why));

    // What comes back in part stays counted; what comes back whole is given again, by either process.
    let full: Vec<&Value> = sales.iter().filter(|sale| given(sale) == Some(30)).collect();
    bring_back(&callers[0], full[0], &json!({"lines": [{"line": 1, "amount": 300}]}));
    assert_eq!((money(), in_wallets()), (1_000, 985));
    bring_back(&callers[0], full[0], &json!({"all": true}));
    assert_eq!((used(&app), money(), in_wallets()), ((33, 0), 970, 970));
    assert_eq!(given(&buy(&callers[1], &members[0])), Some(30));
    assert_eq!(told(&buy(&callers[0], &members[0])), "budget");
    assert_eq!((money(), in_wallets()), (1_000, 1_000));
    verify::passes(&app);

    let simulate = |more: &Value| {
        let mut body = json!({"from": "2031-01-01", "to": "2031-12-31"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        app.admin().post("/v1/admin/promotions/back/simulate", &body)
    };
    let today = sales[0]["occurred_at"].as_str().map(|at| at[..10].to_owned());
    let tried = simulate(&json!({})).expect(200);
    assert_eq!(tried["promotions"][0]["budget"], json!({"money": 1_000, "exhausted_on": today}), "{tried:#}");
    let tried = simulate(&json!({"budget_money": 10_000_000})).expect(200);
    assert_eq!(tried["promotions"][0]["budget"], json!({"money": 10_000_000, "exhausted_on": null}));
    let refused = simulate(&json!({"budget_points": 1})).problem(400, "invalid_field");
    assert_eq!(refused["errors"][0]["pointer"], "/budget_points");
}

/// The sentences of a member's accruals.
fn explained(app: &App, member: &Member) -> Vec<String> {
    let own = app.member(member);
    let ledger = own.get("/v1/member/ledger").expect(200);
    let numbers = ledger["data"].as_array().unwrap().iter().map(|row| row["number"].clone());
    let sentences = |number: Value| own.get(&format!("/v1/member/ledger/{number}")).expect(200)["explanation"].clone();
    numbers.flat_map(|number| serde_json::from_value::<Vec<String>>(sentences(number)).unwrap()).collect()
}

#[test]
fn uses_of_all_and_of_a_member_are_limited_exactly() {
    let app = shop(&[gift(5, &json!({"total": 7, "per_member_per_day": 2, "per_member": 3}))]);
    let elsewhere = App::beside(&app);
    let callers = [app.cashier(), elsewhere.cashier()];
    let one = make::member(&callers[0]);
    let replies = all_at_once(12, &callers, |till, _| till.post(PURCHASES, &receipt(&one, &[line(10_000)])));
    let of = |replies: &[crate::support::Reply], what: Value| {
        replies.iter().filter(|reply| told(&reply.expect(201)) == what).count()
    };
    assert_eq!((of(&replies, json!(5)), of(&replies, json!("day_limit"))), (2, 10));
    app.advance("P1D");
    assert_eq!(
        [0; 3].map(|_| told(&buy(&app.cashier(), &one))),
        [json!(5), json!("member_limit"), json!("member_limit")]
    );
    let callers = [app.cashier(), elsewhere.cashier()];
    let others: Vec<Member> = (0..10).map(|_| make::member(&callers[0])).collect();
    let replies = all_at_once(10, &callers, |till, i| till.post(PURCHASES, &receipt(&others[i], &[line(10_000)])));
    assert_eq!((of(&replies, json!(5)), of(&replies, json!("total_limit"))), (4, 6));
    assert_eq!(used(&app), (7, 35));
}

/// What the same person used under another account counts from the merge on, and comes back from there.
#[test]
fn uses_of_a_merged_account_count_with_those_of_the_one_that_stays() {
    let app = shop(&[gift(5, &json!({"per_member": 2}))]);
    let till = app.cashier();
    let (goes, stays) = (make::member(&till), make::member(&till));
    let first = buy(&till, &goes);
    assert_eq!([told(&first), told(&buy(&till, &stays))], [json!(5), json!(5)]);
    let merge = format!("/v1/admin/members/{}/merge", goes.id);
    app.admin().post(&merge, &json!({"into": stays.id, "reason": "enrolled twice"})).expect(200);
    assert_eq!(told(&buy(&till, &stays)), "member_limit");
    bring_back(&till, &first, &json!({"all": true}));
    assert_eq!(told(&buy(&till, &stays)), 5);
}

/// Only when nothing of a purchase remains; and a purchase that moves takes its use along.
#[test]
fn a_use_comes_back_with_the_goods() {
    let app = shop(&[gift(40, &json!({"per_member": 1, "budget_points": 100}))]);
    let (till, manager) = (app.cashier(), app.manager());
    let (one, other) = (make::member(&till), make::member(&till));
    let goods = [line(10_000), line(5_000)];
    let sale = till.post(PURCHASES, &receipt(&one, &goods)).expect(201);
    assert_eq!((told(&sale), used(&app)), (json!(40), (1, 40)));
    bring_back(&till, &sale, &json!({"lines": [{"line": 1}]}));
    assert_eq!(told(&buy(&till, &one)), "member_limit");
    assert_eq!(used(&app), (1, 40));
    bring_back(&till, &sale, &json!({"lines": [{"line": 2}]}));
    assert_eq!(used(&app), (0, 0));
    let again = buy(&till, &one);
    assert_eq!(told(&again), 40);
    let path = format!("{PURCHASES}/{}/move", again["id"].as_str().unwrap());
    let moved = manager.post(&path, &json!({"member_id": other.id, "reason": "the wrong card"}));
    assert!(moved.status < 300, "{}", moved.text);
    assert_eq!(used(&app), (1, 40));
    assert_eq!((told(&buy(&till, &other)), told(&buy(&till, &one))), (json!("member_limit"), json!(40)));
    assert_eq!(used(&app), (2, 80));
    let mine = "select sum(uses)::bigint as value from promotion_member_usage";
    assert_eq!(app.db.number(mine), 2);
}

#[test]
fn a_quote_says_what_limits_leave() {
    let app = shop(&[gift(40, &json!({"per_member": 2, "budget_points": 100}))]);
    let till = app.cashier();
    let member = make::member(&till);
    let ask = |language: &str| {
        let body = json!({"member_id": member.id, "currency": "CNY", "lines": [line(10_000)]});
        till.request("POST", "/v1/till/quote").header("Accept-Language", language).json(&body).send().expect(200)
    };
    assert_eq!(ask("en")["limits"], json!([{"code": "gift", "uses": 2, "points": 100}]));
    buy(&till, &member);
    assert_eq!(ask("en")["limits"], json!([{"code": "gift", "uses": 1, "points": 60}]));
    buy(&till, &member);
    let quote = ask("zh-CN");
    assert_eq!(quote["limits"], json!([]));
    assert_eq!(
        (&quote["offers"][0]["why"], &quote["offers"][0]["reason"]),
        (&json!("member_limit"), &json!("“Gift”不适用：该会员的参与次数已用完。"),)
    );
}

#[test]
fn limits_are_checked_and_keep_their_place() {
    let app = App::start();
    let admin = app.admin();
    let wrong = gift(5, &json!({"per_member": 0, "budget_points": 0}));
    let problem = admin.post("/v1/admin/promotions", &wrong).problem(422, "programme_invalid");
    let pointers: Vec<&Value> = problem["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert_eq!(pointers, ["/limits/per_member", "/limits/budget_points"]);
    admin.post("/v1/admin/promotions", &gift(5, &json!({"per_membr": 1}))).problem(400, "unknown_field");
    let in_money = gift(5, &json!({"budget_money": 100}));
    let problem = admin.post("/v1/admin/promotions", &in_money).problem(422, "programme_invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/limits/budget_money");
    let mut right = gift(5, &json!({"per_member": 2, "budget_points": 100}));
    right["exclusion_group"] = json!("gifts");
    let saved = admin.post("/v1/admin/promotions", &right).expect(201);
    assert_eq!((&saved["limits"], &saved["exclusion_group"]), (&right["limits"], &right["exclusion_group"]));
}

/// Coupons of one kind: two processes, and more of them than their budget has room for.
#[test]
fn coupons_of_a_kind_take_off_no_more_than_their_budget() {
    let app = App::with(|programme| {
        programme["coupons"] = json!([
            {"code": "flash", "name": {"en": "Flash", "zh": "秒杀"}, "holder": "bearer", "give_back_on_return": true,
             "discount": {"off": {"kind": "amount", "amount": 700}}, "limits": {"total": 10, "budget_money": 6_500}},
        ]);
    });
    let issued = app.admin().post("/v1/admin/coupons/flash/issue", &json!({"count": 32})).expect(201);
    let codes: Vec<&str> =
        issued["coupons"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
    let elsewhere = App::beside(&app);
    let callers = [app.cashier(), elsewhere.cashier()];
    let members: Vec<Member> = (0..10).map(|_| make::member(&callers[0])).collect();
    let sell = |till: &Caller, i: usize| {
        let mut body = receipt(&members[i % 10], &[line(2_000)]);
        body["coupons"] = json!([codes[i]]);
        till.post(PURCHASES, &body)
    };
    let replies = all_at_once(30, &callers, sell);
    let sold: Vec<Value> = replies.iter().filter(|reply| reply.status == 201).map(|reply| reply.expect(201)).collect();
    assert_eq!(sold.len(), 9, "nine times 7.00 are 63.00, and 2.00 are no room for the tenth");
    for refused in replies.iter().filter(|reply| reply.status != 201) {
        assert_eq!(refused.problem(422, "coupon_not_applicable")["reason"], "budget");
    }
    let used = || app.db.texts("select uses || ' ' || money as value from coupon_type_usage");
    assert_eq!(used(), ["9 6300"]);
    let asked = json!({"member_id": members[0].id, "currency": "CNY", "lines": [line(2_000)], "coupons": [codes[30]]});
    let why = callers[0].post("/v1/till/quote", &asked).expect(200)["not_applied"][0].take();
    assert_eq!((&why["why"], &why["type"]), (&json!("budget"), &json!("flash")));
    let state = || callers[0].get(&format!("/v1/till/coupons/{}", codes[30])).expect(200)["state"].take();
    assert_eq!(state(), "usable", "there is room for something less");

    // What comes back makes room, in either process; what was promised before the room was gone is refused.
    bring_back(&callers[0], &sold[0], &json!({"all": true}));
    assert_eq!(used(), ["8 5600"]);
    let quote = callers[0].post("/v1/till/quote", &asked).expect(200);
    assert_eq!(quote["total"], 1_300);
    sell(&callers[1], 31).expect(201);
    let bought = json!({"quote": quote["id"], "external_id": key()});
    callers[0].post(PURCHASES, &bought).problem(409, "quote_changed");
    assert_eq!(used(), ["9 6300"]);
    verify::passes(&app);
}
