//! The wallet over HTTP: paid in, spent with the member's say-so, quoted, given back, paid out, lapsed and merged;
//! cashback; and many tills that spend the same money at once.

use serde_json::{Value, json};

use crate::race::{all_at_once, count};
use crate::support::app::PASSWORD;
use crate::support::make::{self, key, line, receipt};
use crate::support::{App, Caller, Member, eventually};

const PURCHASES: &str = "/v1/till/purchases";

/// 充 100 送 100 for a month, and 5 % cashback capped at 50 a month.
pub(crate) fn shop() -> App {
    App::with(|programme| {
        programme["wallet"] = json!({
            "minimum_top_up": 1000, "largest_balance": 500_000,
            "top_up": [{"from": 10_000, "bonus": 10_000}, {"from": 50_000, "percent": "50"}],
            "bonus_expiry": {"policy": "after", "months": 1},
        });
        programme["promotions"] = json!([
            {"code": "back", "name": {"en": "Five back", "zh": "返现五"}, "minimum_spend": 1000,
             "effect": {"kind": "cashback", "percent": "5", "cap_per_month": 5000}},
        ]);
    })
}

pub(crate) fn wallet_of(member: &Member) -> String {
    format!("/v1/till/members/{}/wallet", member.id)
}

pub(crate) fn top_up(till: &Caller, member: &Member, amount: i64) -> Value {
    let path = format!("{}/top-ups", wallet_of(member));
    till.post(&path, &json!({"amount": amount, "currency": "CNY"})).expect(201)
}

/// A receipt of which the wallet pays a part.
pub(crate) fn paid(member: &Member, lines: &[Value], pay: i64, authorisation: &Value) -> Value {
    let mut body = receipt(member, lines);
    body["wallet"] = json!({"pay": pay, "authorisation": authorisation});
    body
}

pub(crate) fn pin(app: &App, member: &Member) -> Value {
    let set = json!({"pin": "135792", "password": PASSWORD});
    let own = app.member(member);
    own.put("/v1/member/pin", &set).expect(204);
    json!({"pin": "135792"})
}

/// Total, paid, bonus and cashback of an answer's wallet.
fn money(balance: &Value) -> [i64; 4] {
    ["total", "paid", "bonus", "cashback"].map(|field| balance[field].as_i64().expect("an amount"))
}

fn stands(till: &Caller, member: &Member) -> [i64; 4] {
    money(&till.get(&wallet_of(member)).expect(200)["balance"])
}

#[test]
fn money_is_paid_in_spent_and_paid_out() {
    let app = shop();
    let (till, manager) = (app.cashier(), app.manager());
    let member = make::member(&till);
    let (own, path) = (app.member(&member), format!("{}/top-ups", wallet_of(&member)));
    let (one, body) = (key(), json!({"amount": 10_000, "currency": "CNY"}));
    let first = till.post_under(&one, &path, &body);
    let told = first.expect(201);
    assert!(told["id"].as_str().is_some_and(|id| id.starts_with("top_")) && told["bonus_expires_at"].is_string());
    assert_eq!((&told["paid"], &told["bonus"]), (&json!(10_000), &json!(10_000)));
    let again = till.post_under(&one, &path, &body);
    assert_eq!((again.status, &again.text), (201, &first.text));
    let other = json!({"amount": 9_999, "currency": "CNY"});
    till.post_under(&one, &path, &other).problem(422, "idempotency_key_reused");
    till.request("POST", &path).json(&body).send().problem(400, "idempotency_key_missing");
    till.post(&path, &json!({"amount": 0, "currency": "CNY"})).problem(400, "invalid_field");
    till.post(&path, &json!({"amount": 999, "currency": "CNY"})).problem(422, "top_up_too_small");
    till.post(&path, &json!({"amount": 490_000, "currency": "CNY"})).problem(422, "wallet_full");
    till.post(&path, &json!({"amount": 10_000, "currency": "EUR"})).problem(422, "currency_mismatch");
    app.admin().post(&path, &body).problem(403, "forbidden");
    own.post(&path, &body).problem(403, "forbidden");
    assert_eq!(stands(&till, &member), [20_000, 10_000, 10_000, 0]);

    let bought = spent(&app, &member);

    // What came with it goes with it.
    let refunds = format!("{}/refunds", wallet_of(&member));
    till.post(&refunds, &json!({})).problem(403, "forbidden");
    let refunded = manager.post(&refunds, &json!({"amount": 1_000})).expect(201);
    assert_eq!(
        (&refunded["refunded"], &refunded["forfeited"], &refunded["kept_back"]),
        (&json!(1_000), &json!(1_000), &json!(0))
    );
    assert_eq!(money(&refunded["balance"]), [15_600, 6_000, 9_000, 600]);
    manager.post(&refunds, &json!({"amount": 6_001})).problem(422, "insufficient_money");

    // Goods come back: a quarter of the price, of what the wallet paid and of the cashback.
    let back = json!({"external_id": key(), "lines": [{"line": 1, "amount": 3_000}], "reason": "unwanted"});
    let id = bought["id"].as_str().unwrap();
    let back = till.post(&format!("{PURCHASES}/{id}/returns"), &back).expect(201);
    let wallet = &back["wallet"];
    assert_eq!((&wallet["given_back"], &wallet["clawed"], &wallet["short"]), (&json!(750), &json!(150), &json!(0)));
    assert_eq!(money(&wallet["balance"]), [16_200, 6_750, 9_000, 450]);
    manager
        .post(&format!("{PURCHASES}/{id}/move"), &json!({"member_id": make::member(&till).id, "reason": "x"}))
        .problem(409, "returned_before");

    by_hand(&app, &member);
    history(&app, &member);
    tried(&app);
}

/// A draft is tried over what was bought: it would give money, and takes none from the one there is.
fn tried(app: &App) {
    let admin = app.admin();
    let draft = json!({"code": "ten", "name": "Ten", "state": "draft",
        "effect": {"kind": "cashback", "percent": "10", "cap": 1100}});
    admin.post("/v1/admin/promotions", &draft).expect(201);
    let days = json!({"from": "2031-01-01", "to": "2033-12-31"});
    let view = admin.post("/v1/admin/promotions/ten/simulate", &days).expect(200);
    let promotions = view["promotions"].as_array().unwrap();
    let told = |code: &str| promotions.iter().find(|one| one["code"] == code).expect("told")["cashback"].clone();
    assert_eq!(told("ten"), json!({"before": 0, "after": 1_100, "difference": 1_100}));
    assert_eq!(told("back"), json!({"before": 600, "after": 600, "difference": 0}));
}

/// Spending needs the member: a code that spends once, or a PIN. Returns what was bought for 120.00.
fn spent(app: &App, member: &Member) -> Value {
    let (till, own) = (app.cashier(), app.member(member));
    let bare = |pay: i64| {
        let mut body = receipt(member, &[line(12_000)]);
        body["wallet"] = json!({"pay": pay});
        body
    };
    till.post(PURCHASES, &bare(3_000)).problem(422, "authorisation_missing");
    let preview = till.request("POST", "/v1/till/purchases/preview").json(&bare(3_000)).send().expect(200);
    assert_eq!(money(&preview["wallet"]["balance"]), [17_600, 7_000, 10_000, 600]);
    assert_eq!(stands(&till, member), [20_000, 10_000, 10_000, 0], "a preview spends nothing");
    let otp = json!({"otp": own.get("/v1/member/card").expect(200)["otp"]});
    let body = paid(member, &[line(12_000)], 3_000, &otp);
    let bought = till.post(PURCHASES, &body).expect(201);
    assert_eq!(bought["wallet"], preview["wallet"]);
    let told = &bought["explanation"]["promotions"][0];
    assert_eq!((&told["code"], &told["cashback"]), (&json!("back"), &json!({"given": 600})));
    assert_eq!(till.post(PURCHASES, &body).expect(200), bought, "the same receipt is the same purchase");
    let mut differs = body.clone();
    differs["wallet"]["pay"] = json!(3_001);
    till.post(PURCHASES, &differs).problem(409, "duplicate_external_id");
    till.post(PURCHASES, &paid(member, &[line(5_000)], 100, &otp)).problem(403, "code_used");
    let pin = pin(app, member);
    let short = till.post(PURCHASES, &paid(member, &[line(90_000)], 17_601, &pin)).problem(422, "insufficient_money");
    assert_eq!((&short["available"], &short["required"]), (&json!(17_600), &json!(17_601)));
    let much = till.post(PURCHASES, &paid(member, &[line(500)], 501, &pin)).problem(422, "wallet_pays_too_much");
    assert_eq!(much["most"], 500);
    till.post(PURCHASES, &paid(member, &[line(500)], 0, &pin)).problem(400, "invalid_field");
    bought
}

fn by_hand(app: &App, member: &Member) {
    let admin = app.admin();
    let path = format!("/v1/admin/members/{}/wallet/adjustments", member.id);
    let give = json!({"account": "cashback", "amount": 50, "reason": "goodwill", "note": "a long wait"});
    app.manager().post(&path, &give).problem(403, "forbidden");
    assert_eq!(money(&admin.post(&path, &give).expect(201)["balance"]), [16_250, 6_750, 9_000, 500]);
    let with = |field: &str, value: Value| {
        let mut body = give.clone();
        body[field] = value;
        body
    };
    admin.post(&path, &with("amount", json!(0))).problem(422, "nothing_to_adjust");
    admin.post(&path, &with("amount", json!(-501))).problem(422, "insufficient_money");
    admin.post(&path, &with("account", json!("spent"))).problem(400, "invalid_field");
    admin.post(&path, &with("reason", json!("Good Will"))).problem(400, "invalid_field");
    assert_eq!(money(&admin.post(&path, &with("amount", json!(-50))).expect(201)["balance"])[3], 450);
    let told = app.db.texts("select after::text as value from audit where action = 'wallet.adjust' order by at");
    assert!(told.len() == 2 && told[0].contains("a long wait"), "{told:?}");
}

fn history(app: &App, member: &Member) {
    let own = app.member(member);
    let list = "/v1/member/wallet/entries";
    let page = own.get(&format!("{list}?limit=4")).expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    let next = own.get(&format!("{list}?limit=100&cursor={cursor}")).expect(200);
    let all: Vec<&Value> = [&page, &next].iter().flat_map(|page| page["data"].as_array().unwrap()).collect();
    let told: Vec<String> =
        all.iter().rev().map(|one| format!("{} {}", one["kind"].as_str().unwrap(), one["amount"])).collect();
    assert_eq!(
        told,
        [
            "top_up 10000",
            "bonus 10000",
            "payment 3000",
            "cashback 600",
            "forfeit 1000",
            "refund 1000",
            "give_back 750",
            "return 150",
            "adjustment 50",
            "adjustment 50",
        ]
    );
    assert_eq!(all[6]["explanation"], "Five back gave 6.00 CNY for a purchase.");
    let chinese = own.in_chinese().get(&format!("{list}?limit=7")).expect(200);
    assert_eq!(chinese["data"][6]["explanation"], "“返现五”返现 6.00 CNY。");
    let till = app.cashier().get(&format!("{}/entries?limit=1", wallet_of(member))).expect(200);
    assert_eq!(till["data"][0], page["data"][0]);
    let mine = own.get("/v1/member/wallet").expect(200);
    assert_eq!((&mine["expiring"][0]["account"], &mine["expiring"][0]["amount"]), (&json!("bonus"), &json!(9_000)));
    let events = app.db.texts("select distinct kind as value from outbox where kind like 'wallet.%' order by 1");
    assert_eq!(events, ["wallet.adjusted", "wallet.refunded", "wallet.topped_up"]);
    // Why, also where points are explained.
    let ledger = own.get("/v1/member/ledger").expect(200);
    let earned = ledger["data"].as_array().unwrap().iter().find(|one| one["kind"] == "accrual").unwrap();
    let why = own.get(&format!("/v1/member/ledger/{}", earned["number"])).expect(200)["explanation"].to_string();
    assert!(why.contains("Five back gave 5 % back: 6.00 CNY to the wallet."), "{why}");
}

#[test]
fn a_quote_tells_what_the_wallet_pays_and_keeps_it() {
    let app = shop();
    let till = app.cashier();
    let member = make::member(&till);
    let pin = pin(&app, &member);
    let ask = |wallet: Value| {
        let body = json!({"member_id": member.id, "currency": "CNY", "lines": [line(4_000)], "wallet": wallet});
        till.request("POST", "/v1/till/quote").json(&body).send()
    };
    assert_eq!(ask(json!("most")).expect(200)["wallet"], json!({"most": 0, "pays": 0}));
    top_up(&till, &member, 3_000);
    ask(json!({"amount": 0})).problem(400, "invalid_field");
    let silent = ask(Value::Null).expect(200);
    assert_eq!((&silent["wallet"], &silent["due"]), (&json!({"most": 3_000, "pays": 0}), &json!(4_000)));
    let quote = ask(json!("most")).expect(200);
    assert_eq!((&quote["wallet"], &quote["due"]), (&json!({"most": 3_000, "pays": 3_000}), &json!(1_000)));
    assert_eq!(money(&quote["purchase"]["wallet"]["balance"]), [200, 0, 0, 200]);
    let by = |id: &Value, wallet: Value| json!({"quote": id, "external_id": key(), "wallet": wallet});
    till.post(PURCHASES, &by(&quote["id"], json!({}))).problem(422, "authorisation_missing");
    let wrong = till.post(PURCHASES, &by(&quote["id"], json!({"pay": 1, "authorisation": pin})));
    assert_eq!(wrong.problem(400, "invalid_field")["errors"][0]["pointer"], "/wallet/pay");
    let bought = till.post(PURCHASES, &by(&quote["id"], json!({"authorisation": pin}))).expect(201);
    assert_eq!(bought["wallet"], quote["purchase"]["wallet"]);
    // The month's limit is nearly reached elsewhere: the quote of before does not bind to less.
    let silent = ask(Value::Null).expect(200);
    till.post(PURCHASES, &receipt(&member, &[line(95_000)])).expect(201);
    let changed = till.post(PURCHASES, &json!({"quote": silent["id"], "external_id": key()}));
    let changes = changed.problem(409, "quote_changed")["changes"].clone();
    let cashback = json!({"pointer": "/purchase/wallet/cashback", "promised": 200, "now": 50});
    assert!(changes.as_array().unwrap().contains(&cashback), "{changes}");
}

#[test]
fn bonus_lapses_by_the_clock_and_wallets_follow_a_merge() {
    let app = shop();
    let (till, admin) = (app.cashier(), app.admin());
    let (old, new) = (make::member(&till), make::member(&till));
    top_up(&till, &old, 10_000);
    let pin = pin(&app, &old);
    let bought = till.post(PURCHASES, &paid(&old, &[line(8_000)], 4_000, &pin)).expect(201);
    top_up(&till, &new, 2_000);
    let merge = json!({"into": new.id, "reason": "enrolled twice"});
    admin.post(&format!("/v1/admin/members/{}/merge", old.id), &merge).expect(200);
    assert_eq!(stands(&till, &new), [18_400, 8_000, 10_000, 400]);
    assert_eq!(stands(&till, &old), stands(&till, &new), "both names are one member's");
    top_up(&till, &old, 1_000);
    let back = json!({"external_id": key(), "all": true, "reason": "unwanted"});
    let back = till.post(&format!("{PURCHASES}/{}/returns", bought["id"].as_str().unwrap()), &back).expect(201);
    assert_eq!(money(&back["wallet"]["balance"]), [23_000, 13_000, 10_000, 0]);
    let unmerge = json!({"reason": "father and son"});
    admin.post(&format!("/v1/admin/members/{}/unmerge", old.id), &unmerge).expect(200);
    assert_eq!((stands(&till, &old)[0], stands(&till, &new)[0]), (20_000, 3_000));

    app.advance("P40D");
    let till = app.cashier();
    assert_eq!(stands(&till, &old), [10_000, 10_000, 0, 0]);
    let lapsed = "select count(*) as value from wallet_entry where kind = 'expiry' and actor_role = 'system'";
    assert_eq!(app.db.number(lapsed), 1, "the job has put it on record");
    assert_eq!(app.db.number("select count(*) as value from wallet where due_at is not null"), 0);

    // Switched off: nothing comes in and nothing is spent, and what was paid in can be had.
    app.reconfigure(|programme| {
        programme["promotions"] = json!([]);
        programme.as_object_mut().unwrap().remove("wallet");
    });
    let path = wallet_of(&old);
    till.post(&format!("{path}/top-ups"), &json!({"amount": 1_000, "currency": "CNY"}))
        .problem(422, "wallet_not_offered");
    assert_eq!(till.get(&path).expect(200)["offered"], false);
    let refunded = app.manager().post(&format!("{path}/refunds"), &json!({})).expect(201);
    assert_eq!(refunded["refunded"], 10_000);
    app.manager().post(&format!("{path}/refunds"), &json!({})).problem(422, "nothing_to_refund");
}

/// Tills that race.
const RACERS: usize = 50;

#[test]
fn fifty_tills_spend_what_was_there() {
    let app = shop();
    let elsewhere = App::beside(&app);
    let tills = [app.cashier(), elsewhere.cashier()];
    let member = make::member(&tills[0]);
    let pin = pin(&app, &member);
    top_up(&tills[0], &member, 10_000);
    // Below the minimum spend of the cashback.
    // Looking at a PIN takes time, and who waits too long for it is told so.
    let spend = |till: &Caller| {
        let reply = till.post(PURCHASES, &paid(&member, &[line(900)], 700, &pin));
        Some(reply).filter(|reply| reply.status != 429)
    };
    let replies = all_at_once(RACERS, &tills, |till, _| eventually("a look at the PIN", || spend(till)));
    assert_eq!(count(&replies, 201), 28, "200.00 pays for 28 times 7.00");
    for refused in replies.iter().filter(|reply| reply.status != 201) {
        assert_eq!(refused.problem(422, "insufficient_money")["available"], 400);
    }
    assert_eq!(stands(&tills[1], &member), [400, 0, 400, 0]);

    let body = receipt(&member, &[line(7_000)]);
    let replies = all_at_once(RACERS / 2, &tills, |till, i| {
        // Some are the same receipt twice.
        let mut body = body.clone();
        body["external_id"] = json!(format!("R-{}", i / 2 * 2 % 22));
        till.post(PURCHASES, &body)
    });
    assert!(replies.iter().all(|reply| matches!(reply.status, 200 | 201)), "{replies:?}");
    assert_eq!(count(&replies, 201), 11);
    assert_eq!(stands(&tills[0], &member), [400 + 3_850, 0, 400, 3_850]);
    let replies = all_at_once(20, &tills, |till, _| till.post(PURCHASES, &receipt(&member, &[line(9_000)])));
    assert_eq!(count(&replies, 201), 20);
    assert_eq!(stands(&tills[0], &member)[3], 5_000, "to the cent of the month's limit");
}
