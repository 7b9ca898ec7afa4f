//! "Why did I get 37 points?": every kind of entry is explained, in both languages, to the member and to
//! staff, from what is on record.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tessera_rules::ledger::EntryKind;

use crate::support::make::{self, earn, key, line, line_of, receipt};
use crate::support::{App, Caller, Member};

fn sentences(caller: &Caller, path: &str) -> Vec<String> {
    let reply = caller.get(path);
    let shown = reply.expect(200);
    assert!(["en", "zh-CN"].contains(&reply.header("content-language").expect("a language")));
    let told = shown["explanation"].as_array().expect("sentences");
    assert!(!told.is_empty(), "{path}: {shown}");
    told.iter().map(|one| one.as_str().expect("a sentence").to_owned()).collect()
}

/// The numbers of a member's entries of a kind, oldest first.
fn numbers(app: &App, member: &Member, kind: &str) -> Vec<i64> {
    let ledger = app.member(member).get("/v1/member/ledger?limit=100").expect(200);
    let rows = ledger["data"].as_array().unwrap().iter().rev();
    rows.filter(|row| row["kind"] == kind).map(|row| row["number"].as_i64().unwrap()).collect()
}

/// What a member is told of the first of his entries of a kind.
fn why(app: &App, member: &Member, kind: &str) -> Vec<String> {
    sentences(&app.member(member), &format!("/v1/member/ledger/{}", numbers(app, member, kind)[0]))
}

fn warum(app: &App, member: &Member, kind: &str) -> Vec<String> {
    sentences(&app.member(member).in_chinese(), &format!("/v1/member/ledger/{}", numbers(app, member, kind)[0]))
}

fn programme(programme: &mut Value) {
    programme["earning"]["cap_per_purchase"] = json!(400);
    programme["redemption"]["hold_minutes"] = json!(60);
    programme["promotions"] = json!([
        {"code": "wednesday", "name": {"en": "Wednesday", "zh": "星期三"}, "priority": 1,
         "schedule": {"weekdays": ["wednesday"]}, "effect": {"kind": "multiply", "by": "2"}},
        {"code": "gift", "name": "Gift", "priority": 2, "effect": {"kind": "add", "points": 10}},
        {"code": "eastern", "name": "East", "priority": 3, "stores": ["east"],
         "effect": {"kind": "add", "points": 5}},
    ]);
}

#[test]
fn a_purchase_is_explained_factor_by_factor() {
    let app = App::with(programme);
    let till = app.cashier();
    let member = make::member(&till);
    let lines = [line(1_350), line_of("coffee", 800), line_of("tobacco", 2_000)];
    let sale = till.post("/v1/till/purchases", &receipt(&member, &lines)).expect(201);
    assert_eq!(sale["points"]["given"], 69, "floor(2 x (13.5 + 2 x 8)) + 10");
    assert_eq!(
        why(&app, &member, "accrual"),
        [
            "The purchase of 5 March 2031 earned 69 points.",
            "Line 2 counts 2 times, by the rule coffee.",
            "Line 3 earned nothing: its category tobacco is excluded.",
            "21.50 CNY of it counted; 1 point for every 1.00 CNY makes 21 points.",
            "Wednesday multiplied it by 2 and so added 30 points.",
            "Gift added 10 points.",
            "East did not apply: not in that store.",
            "To be spent through 31 March 2032.",
        ]
    );
    assert_eq!(
        warum(&app, &member, "accrual"),
        [
            "2031年3月5日的消费获得 69 积分。",
            "第 2 行按规则 coffee 以 2 倍计算。",
            "第 3 行不积分：类别 tobacco 不参与积分。",
            "其中 21.50 CNY 计入积分，每 1.00 CNY 得 1 积分：基础积分 21 积分。",
            "“星期三”乘以 2，增加 30 积分。",
            "“Gift”增加 10 积分。",
            "“East”未生效：不适用于该门店。",
            "可使用至2032年3月31日。",
        ]
    );
    // Nothing is computed again: what was decided by the programme of that day stays explained by it.
    let path = format!("/v1/admin/members/{}/ledger/1", member.id);
    let before = sentences(&app.manager(), &path);
    assert_eq!(before, why(&app, &member, "accrual"));
    app.reconfigure(|programme| programme["earning"]["rate"] = json!({"points": 7, "per": 100}));
    assert_eq!(sentences(&app.manager(), &path), before);
}

#[test]
fn tiers_caps_fractions_and_tenders_are_told() {
    let app = App::with(|document| {
        programme(document);
        document["promotions"] = json!([]);
        document["earning"]["carry_remainder"] = json!(true);
        document["earning"]["pending_days"] = json!(2);
    });
    let till = app.cashier();
    let member = make::member(&till);
    let mut sale = receipt(&member, &[line(120_050)]);
    sale["tenders"] = json!([{"type": "gift_card", "amount": 20_000}]);
    till.post("/v1/till/purchases", &sale).expect(201);
    assert_eq!(
        why(&app, &member, "accrual"),
        [
            "The purchase of 5 March 2031 earned 400 points.",
            "Of line 1, 1000.50 CNY of 1200.50 CNY counted.",
            "1000.50 CNY of it counted; 1 point for every 1.00 CNY makes 1000 points.",
            "A purchase earns at most 400 points; cut off: 600 points.",
            "To be spent from 7 March 2031 on.",
            "To be spent through 31 March 2032.",
        ]
    );
    till.post("/v1/till/purchases", &receipt(&member, &[line(10_050)])).expect(201);
    let second = numbers(&app, &member, "accrual")[1];
    let told = sentences(&app.member(&member), &format!("/v1/member/ledger/{second}"));
    assert_eq!(
        told[1..4],
        [
            "100.50 CNY of it counted; 1 point for every 1.00 CNY makes 100 points.",
            "The tier Silver multiplied it by 1.2.",
            "0.6 of a point is kept for the next purchase.",
        ]
    );
    app.advance("P3D");
    let active = why(&app, &member, "activation");
    assert_eq!(active[0], "Earned on 5 March 2031, to be spent since 7 March 2031: 400 points.");
}

/// Lives through everything that makes an entry.
fn live(app: &App) -> Member {
    let till = app.cashier();
    let member = make::enrol(&till, &json!({"name": "Lin", "birth_date": "--03-06"}));
    let own = app.member(&member);
    let pin = json!({"pin": "135790", "password": crate::support::app::PASSWORD});
    own.put("/v1/member/pin", &pin).expect(204);
    let redeem = |what: Value| {
        let mut body = what;
        body["member_id"] = json!(member.id);
        body["authorisation"] = json!({"pin": "135790"});
        till.post("/v1/till/redemptions", &body).expect(201)["id"].as_str().unwrap().to_owned()
    };
    let settle = |id: &str, how: &str, body: Value| {
        till.post(&format!("/v1/till/redemptions/{id}/{how}"), &body).expect(200);
    };
    let sale = earn(&till, &member, 380);
    app.advance("P3D");
    redeem(json!({"reward_id": "coffee"}));
    let held = redeem(json!({"points": 150, "mode": "hold"}));
    settle(&held, "capture", json!({"points": 100}));
    let voided = redeem(json!({"points": 100}));
    settle(&voided, "void", json!({}));
    redeem(json!({"points": 100, "mode": "hold"}));
    app.advance("PT2H");
    // The goods come back and their points are spent.
    redeem(json!({"points": 350}));
    let back = json!({"external_id": key(), "all": true, "reason": "damaged"});
    till.post(&format!("/v1/till/purchases/{}/returns", sale["id"].as_str().unwrap()), &back).expect(201);
    // Points that are pending pay what is owed when they become spendable.
    earn(&till, &member, 390);
    app.advance("P3D");
    let adjust = |points: i64, reason: &str, status: u16| {
        let note = "waited an hour for a table";
        let body = json!({"member_id": member.id, "points": points, "reason": reason, "note": note});
        app.manager().post("/v1/till/adjustments", &body).expect(status)
    };
    adjust(-20, "till_error", 201);
    let asked = adjust(600, "goodwill", 202);
    let path = format!("/v1/admin/adjustments/{}/approve", asked["id"].as_str().unwrap());
    app.admin().post(&path, &json!({"note": "I was there"})).expect(200);
    app.advance("P400D");
    member
}

#[test]
fn every_kind_of_entry_is_explained() {
    let app = App::with(|document| {
        programme(document);
        document["promotions"] = json!([]);
        document["earning"]["pending_days"] = json!(2);
        document["adjustments"] = json!({"manager": {"each": 500, "per_day": 500}});
    });
    let member = live(&app);
    for (kind, sentence, chinese) in [
        ("perk", "Birthday points: 200 points on 6 March 2031.", "“生日积分”：2031年3月6日赠送 200 积分。"),
        (
            "redemption",
            "Spent on 8 March 2031: 100 points, for the reward A cup of coffee.",
            "2031年3月8日使用 100 积分：奖品“咖啡一杯”。",
        ),
        (
            "hold",
            "Set aside on 8 March 2031: 150 points, for 1.00 CNY off.",
            "2031年3月8日冻结 150 积分：抵扣 1.00 CNY。",
        ),
        (
            "release",
            "Set aside and let go on 8 March 2031: 50 points, which can be spent again.",
            "2031年3月8日解冻 50 积分，可继续使用。",
        ),
        (
            "give_back",
            "What points had been spent on was taken back on 8 March 2031. Given back: 100 points.",
            "2031年3月8日兑换被撤销，退还 100 积分。",
        ),
        (
            "return",
            "Goods came back on 8 March 2031 (reason: damaged). Earned by them and taken back: 30 points.",
            "2031年3月8日退货（原因：damaged）。收回其所得的 30 积分。",
        ),
        ("debt_payment", "350 points paid points that were owed.", "350 积分 用于抵还欠分。"),
        (
            "adjustment",
            "Staff took 20 points by hand on 11 March 2031 (reason: till_error).",
            "2031年3月11日工作人员手动扣除 20 积分（原因：till_error）。",
        ),
        ("expiry", "Lapsed on 10 March 2032: 200 points.", "200 积分 于2032年3月10日失效。"),
    ] {
        assert_eq!(why(&app, &member, kind)[0], sentence, "{kind}");
        assert_eq!(warum(&app, &member, kind)[0], chinese, "{kind}");
    }
    assert_eq!(why(&app, &member, "expiry")[1], "200 points of 6 March 2032 could be spent through 9 March 2032.");
    let last = |kind: &str| *numbers(&app, &member, kind).last().unwrap();
    let told = |kind: &str| sentences(&app.member(&member), &format!("/v1/member/ledger/{}", last(kind)));
    assert_eq!(
        told("release"),
        ["Set aside and not spent in time: 100 points, which can be spent again since 8 March 2031."]
    );
    assert_eq!(
        told("return"),
        [
            "Goods came back on 8 March 2031 (reason: damaged). Earned by them, spent already and owed now: 350 points.",
            "They were sold on 5 March 2031 for 380.00 CNY: what they had earned goes by the rate of that day.",
            "The return took back 380 points in all; of these owed: 350 points; not asked for: 0 points.",
        ]
    );
    assert_eq!(
        told("adjustment"),
        ["Staff gave 600 points by hand on 11 March 2031 (reason: goodwill).", "To be spent through 31 March 2032.",],
        "a member reads the reason and not the note"
    );
    let path = format!("/v1/admin/members/{}/ledger/{}", member.id, last("adjustment"));
    let staff = sentences(&app.manager(), &path);
    assert_eq!(
        staff[1..4],
        [
            "Note: waited an hour for a table",
            "A second person agreed on 11 March 2031.",
            "To which was said: I was there"
        ]
    );
    // Transfers and re-ratings have tests of their own.
    let kinds = EntryKind::ALL.into_iter().filter(|kind| !matches!(kind, EntryKind::Transfer | EntryKind::ReRating));
    let kinds: Vec<&str> = kinds.map(EntryKind::as_str).collect();
    assert_every_entry_is_told(&app, &member, &kinds);
}

#[test]
fn points_between_members_are_explained() {
    let app = App::with(|programme| programme["transfers"] = json!({"minimum": 10, "daily_limit": 400}));
    let till = app.cashier();
    let [anna, ben, twin] = [(); 3].map(|()| make::member(&till));
    earn(&till, &anna, 300);
    app.member(&anna).post("/v1/member/transfers", &json!({"to": ben.code, "points": 120})).expect(201);
    assert_eq!(why(&app, &anna, "transfer"), ["120 points went to another member on 5 March 2031."]);
    assert_eq!(
        why(&app, &ben, "transfer"),
        ["120 points came from another member on 5 March 2031.", "To be spent through 31 March 2032."]
    );
    assert_eq!(warum(&app, &ben, "transfer")[0], "2031年3月5日从其他会员转入 120 积分。");
    // The other account of the same person owes points.
    let sale = earn(&till, &twin, 100);
    app.member(&twin).post("/v1/member/redemptions", &json!({"points": 100})).expect(201);
    let back = json!({"external_id": key(), "all": true, "reason": "damaged"});
    till.post(&format!("/v1/till/purchases/{}/returns", sale["id"].as_str().unwrap()), &back).expect(201);
    let into = json!({"into": anna.id, "reason": "enrolled twice"});
    app.admin().post(&format!("/v1/admin/members/{}/merge", twin.id), &into).expect(200);
    let of = |member: &Member, from: &str| -> Vec<String> {
        let path = format!("/v1/admin/members/{}/ledger", member.id);
        let rows = app.manager().get(&path).expect(200)["data"].take();
        let found = rows.as_array().unwrap().iter().find(|row| row["kind"] == "transfer" && row["from"] == from);
        sentences(&app.manager(), &format!("{path}/{}", found.expect("a transfer")["number"]))
    };
    assert_eq!(
        of(&anna, "debt"),
        ["Owed here since 5 March 2031, by the other account of the same person before: 100 points."]
    );
    assert_eq!(
        of(&twin, "transferred"),
        ["Owed here no more since 5 March 2031, but by the other account of the same person: 100 points."]
    );
    assert_every_entry_is_told(&app, &anna, &["accrual", "transfer", "debt_payment"]);
    assert_every_entry_is_told(&app, &ben, &["transfer"]);
}

/// Every entry has sentences in both languages, and none of one in the other.
fn assert_every_entry_is_told(app: &App, member: &Member, kinds: &[&str]) {
    let ledger = app.member(member).get("/v1/member/ledger?limit=100").expect(200);
    let mut seen = BTreeSet::new();
    for row in ledger["data"].as_array().unwrap() {
        let own = format!("/v1/member/ledger/{}", row["number"]);
        let (english, chinese) = (app.member(member), app.member(member).in_chinese());
        let (told, told_zh) = (sentences(&english, &own), sentences(&chinese, &own));
        assert_eq!(told.len(), told_zh.len());
        assert!(told.iter().all(|text| text.is_ascii()), "{told:?}");
        assert!(told_zh.iter().all(|text| !text.is_ascii()), "{told_zh:?}");
        let explained = english.get(&own).expect(200);
        for (field, value) in row.as_object().unwrap() {
            assert_eq!(&explained[field], value, "the entry itself is shown too");
        }
        let desk = format!("/v1/admin/members/{}/ledger/{}", member.id, row["number"]);
        assert_eq!(sentences(&app.manager(), &desk)[0], told[0]);
        seen.insert(row["kind"].as_str().unwrap().to_owned());
    }
    assert_eq!(seen, kinds.iter().map(|kind| (*kind).to_owned()).collect::<BTreeSet<String>>());
}

#[test]
fn nobody_is_told_of_another() {
    let app = App::start();
    let till = app.cashier();
    let (one, other) = (make::member(&till), make::member(&till));
    earn(&till, &one, 100);
    app.member(&other).get("/v1/member/ledger/1").problem(404, "not_found");
    for path in ["/v1/member/ledger/2", "/v1/member/ledger/0", "/v1/member/ledger/-1", "/v1/member/ledger/x"] {
        app.member(&one).get(path).problem(404, "not_found");
    }
    let manager = app.manager();
    manager.get(&format!("/v1/admin/members/{}/ledger/1", other.id)).problem(404, "not_found");
    manager.get("/v1/admin/members/mem_00000000000000000000000000/ledger/1").problem(404, "not_found");
    manager.get("/v1/admin/members/nobody/ledger/1").problem(404, "not_found");
    app.cashier().get(&format!("/v1/admin/members/{}/ledger/1", one.id)).problem(403, "forbidden");
}
