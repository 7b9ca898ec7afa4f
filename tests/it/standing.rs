//! How a member stands: balance, ledger, tier, and the lists behind them.

use serde_json::{Value, json};

use crate::support::make::{self, earn, key};
use crate::support::{App, Caller};

#[test]
fn the_balance_tells_what_lapses_when() {
    let app = App::start();
    let till = app.cashier();
    let member = make::enrol(&till, &json!({"name": "Lin", "birth_date": "--03-05"}));
    earn(&till, &member, 70);
    earn(&till, &member, 30);
    let mut late = make::receipt(&member, &[make::line(1000)]);
    late["occurred_at"] = json!("2031-02-20T04:00:00Z");
    till.post("/v1/till/purchases", &late).expect(201);

    let caller = app.member(&member);
    let mut balance = caller.get("/v1/member/balance").expect(200);
    assert_eq!(balance, {
        let mut at_till = till.get(&format!("/v1/till/members/{}/balance", member.id)).expect(200);
        at_till["as_of"] = balance["as_of"].clone();
        at_till
    });
    assert!(balance["as_of"].take().as_str().unwrap().starts_with("2031-03-05T04:0"));
    let expected = json!({
        "available": 310, "pending": 0, "held": 0, "debt": 0, "lifetime_earned": 310, "as_of": null,
        "activating": [],
        "expiring": [
            {"points": 200, "expires_at": "2031-03-08T16:00:00Z"},
            {"points": 10, "expires_at": "2032-02-29T16:00:00Z"},
            {"points": 100, "expires_at": "2032-03-31T16:00:00Z"},
        ],
    });
    assert_eq!(balance, expected);

    // What lapses first is spent first.
    caller.post("/v1/member/redemptions", &json!({"points": 250})).expect(201);
    let rest = caller.get("/v1/member/balance").expect(200);
    assert_eq!(rest["available"], 60);
    assert_eq!(rest["lifetime_earned"], 310, "spending takes nothing from what was earned");
    assert_eq!(rest["expiring"], json!([{"points": 60, "expires_at": "2032-03-31T16:00:00Z"}]));
}

#[test]
fn the_ledger_is_a_gapless_list_newest_first() {
    let app = App::start();
    let till = app.cashier();
    let member = make::enrol(&till, &json!({"name": "Lin", "birth_date": "--03-05"}));
    let bought = earn(&till, &member, 70);
    let caller = app.member(&member);
    let redeemed = caller.post("/v1/member/redemptions", &json!({"points": 100})).expect(201);
    let ledger = caller.get("/v1/member/ledger").expect(200);
    let rows: Vec<Value> = ledger["data"].as_array().unwrap().iter().map(without_times).collect();
    let expected = json!([
        {"number": 3, "kind": "redemption", "from": "available", "to": "redeemed", "points": 100,
         "document_id": redeemed["id"], "reason": null},
        {"number": 2, "kind": "accrual", "from": "issued", "to": "available", "points": 70,
         "document_id": bought["id"], "reason": null},
        {"number": 1, "kind": "perk", "from": "issued", "to": "available", "points": 200,
         "document_id": null, "reason": "birthday"},
    ]);
    assert_eq!(Value::from(rows), expected);
    assert_eq!(ledger["next_cursor"], Value::Null);
}

fn without_times(row: &Value) -> Value {
    let mut row = row.clone();
    let fields = row.as_object_mut().unwrap();
    for field in ["effective_at", "recorded_at"] {
        assert!(fields.remove(field).unwrap().as_str().unwrap().starts_with("2031-03-05T04:0"));
    }
    row
}

/// Every row of a list, page by page.
fn pages(caller: &Caller, path: &str, limit: usize) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut next = format!("{path}?limit={limit}");
    loop {
        let page = caller.get(&next).expect(200);
        let data = page["data"].as_array().unwrap();
        assert!(data.len() <= limit);
        rows.extend(data.iter().cloned());
        match page["next_cursor"].as_str() {
            Some(cursor) => {
                assert_eq!(data.len(), limit, "only the last page is short");
                next = format!("{path}?limit={limit}&cursor={cursor}");
            }
            None => return rows,
        }
    }
}

#[test]
fn lists_come_in_pages() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    let bought: Vec<Value> = (1..=7).rev().map(|points| earn(&till, &member, points * 100)).collect();
    let newest_first: Vec<Value> = bought.into_iter().rev().collect();
    let caller = app.member(&member);
    assert_eq!(pages(&caller, "/v1/member/purchases", 3), newest_first);
    assert_eq!(pages(&caller, "/v1/member/purchases", 7), newest_first);
    let numbers: Vec<Value> = pages(&caller, "/v1/member/ledger", 2).iter().map(|row| row["number"].clone()).collect();
    assert_eq!(numbers, [7, 6, 5, 4, 3, 2, 1]);
    for _ in 0..3 {
        caller.post("/v1/member/redemptions", &json!({"reward_id": "coffee"})).expect(201);
    }
    assert_eq!(pages(&caller, "/v1/member/redemptions", 2).len(), 3);

    // A cursor is opaque, and of one list.
    let cursor = caller.get("/v1/member/ledger?limit=2").expect(200)["next_cursor"].as_str().unwrap().to_owned();
    let with = |path: &str, cursor: &str| caller.get(&format!("{path}?cursor={cursor}"));
    with("/v1/member/ledger", &cursor).expect(200);
    with("/v1/member/purchases", &cursor).problem(400, "cursor_invalid");
    with("/v1/member/ledger", "nonsense").problem(400, "cursor_invalid");
    with("/v1/member/ledger", &format!("{}0", &cursor[..cursor.len() - 1])).problem(400, "cursor_invalid");
    with("/v1/member/ledger", "").problem(400, "cursor_invalid");
    for limit in ["0", "101", "-1", "1.5", "x", "99999999999"] {
        let problem = caller.get(&format!("/v1/member/ledger?limit={limit}")).problem(400, "invalid_query");
        assert_eq!(problem["errors"][0]["pointer"], "/limit", "{limit}");
    }
    caller.get("/v1/member/ledger?page=2").problem(400, "invalid_query");
    assert_eq!(caller.get("/v1/member/ledger?limit=100").expect(200)["data"].as_array().unwrap().len(), 10);
}

#[test]
fn what_is_foretold_is_what_happens() {
    // Points wait three days; Silver's lapse by inactivity, and a fall of the tier gives them dates again.
    let app = App::with(|programme| {
        programme["earning"]["pending_days"] = json!(3);
        programme["tiers"]["window"]["days"] = json!(30);
        programme["tiers"]["lots_on_change"] = json!("take");
        programme["tiers"]["levels"][1]["expiry"] = json!({"policy": "inactivity", "months": 2});
    });
    let till = app.cashier();
    let member = make::enrol(&till, &json!({"name": "Lin", "birth_date": "1990-03-05"}));
    earn(&till, &member, 900);
    app.advance("P10D");
    earn(&till, &member, 400);
    let held =
        json!({"member_id": member.id, "points": 150, "mode": "hold", "authorisation": {"otp": app.otp(&member)}});
    till.post("/v1/till/redemptions", &held).expect(201);
    let caller = app.member(&member);
    let balance = caller.get("/v1/member/balance").expect(200);
    assert_eq!([&balance["available"], &balance["pending"], &balance["held"]], [750, 400, 150]);
    let foretold = balance["expiring"].as_array().unwrap();
    let sum: i64 = foretold.iter().map(|one| one["points"].as_i64().unwrap()).sum();
    assert_eq!(sum, 1_300, "{foretold:?}");

    let before = caller.get("/v1/member/ledger?limit=1").expect(200)["data"][0]["number"].as_i64().unwrap();
    app.advance("P14M");
    let ledger = caller.get("/v1/member/ledger?limit=100").expect(200);
    let mut happened = Vec::new();
    for entry in ledger["data"].as_array().unwrap().iter().rev() {
        // The perk of next birthday was still to come: its points are not among those of that day.
        if entry["kind"] != "expiry" || entry["number"].as_i64().unwrap() <= before || entry["points"] == 200 {
            continue;
        }
        let (points, at) = (entry["points"].as_i64().unwrap(), entry["effective_at"].clone());
        match happened.last_mut() {
            Some((last, sum)) if *last == at => *sum += points,
            _ => happened.push((at, points)),
        }
    }
    let foretold: Vec<_> =
        foretold.iter().map(|one| (one["expires_at"].clone(), one["points"].as_i64().unwrap())).collect();
    assert_eq!(happened, foretold);
}

#[test]
fn the_tier_comes_with_its_history_and_the_way_on() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    let caller = app.member(&member);
    let start = caller.get("/v1/member/tier").expect(200);
    assert_eq!((&start["code"], &start["history"]), (&json!("basic"), &json!([])));
    earn(&till, &member, 1200);
    let mut tier = caller.get("/v1/member/tier").expect(200);
    let since = tier["since"].take();
    assert_eq!(tier["history"][0]["at"].take(), since);
    let expected = json!({
        "code": "silver", "name": {"en": "Silver", "zh": "银卡"}, "earn_multiplier": "1.2",
        "benefits": [{"en": "20% more points", "zh": "积分加赠 20%"}], "since": null,
        "progress": {
            "measure": "points", "value": 1200, "next": "gold", "missing": 3800,
            "kept_until": "2032-03-03T16:00:00Z",
        },
        "fall": {"at": "2032-03-03T16:00:00Z", "to": "basic", "missing": 1000},
        "placement": null,
        "entitlements": [],
        "history": [
            {"from": "basic", "to": "silver", "at": null, "cause": "purchase", "reason": null, "measure": 1200},
        ],
    });
    assert_eq!(tier, expected);
    // Two steps at once are one change.
    earn(&till, &member, 4000);
    let top = caller.get("/v1/member/tier").expect(200);
    assert_eq!((&top["progress"]["next"], &top["progress"]["missing"]), (&Value::Null, &json!(0)));
    assert_eq!(top["history"].as_array().unwrap().len(), 2);
}

#[test]
fn tiers_measure_what_the_programme_says() {
    for (measure, window) in [
        ("spend", json!({"kind": "lifetime"})),
        ("visits", json!({"kind": "calendar_year"})),
        ("points", json!({"kind": "rolling", "days": 30})),
    ] {
        let app = App::with(|programme| {
            programme["tiers"]["measure"] = json!(measure);
            programme["tiers"]["window"] = window.clone();
            let thresholds = if measure == "visits" { [0, 3, 9] } else { [0, 5000, 90_000] };
            for (level, threshold) in thresholds.into_iter().enumerate() {
                programme["tiers"]["levels"][level]["threshold"] = json!(threshold);
            }
        });
        let till = app.cashier();
        let member = make::member(&till);
        let values: Vec<Value> = (0..3)
            .map(|_| {
                let body = make::receipt(&member, &[make::line_of("coffee", 2000), make::line_of("tobacco", 999)]);
                till.post("/v1/till/purchases", &body).expect(201)["tier"].take()
            })
            .collect();
        let measured: Vec<&Value> = values.iter().map(|tier| &tier["progress"]["value"]).collect();
        let expected = match measure {
            "spend" => [2000, 4000, 6000],
            "visits" => [1, 2, 3],
            _ => [20, 40, 60],
        };
        assert_eq!(measured, expected, "{measure}");
        assert_eq!(values[2]["after"], if measure == "points" { "basic" } else { "silver" });
        let kept = &values[2]["progress"]["kept_until"];
        let expected = if measure == "visits" { json!("2031-12-31T16:00:00Z") } else { Value::Null };
        assert_eq!(kept, &expected, "{measure}");
    }
}

#[test]
fn rewards_tell_whether_they_could_be_had() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    earn(&till, &member, 60);
    let caller = app.member(&member);
    let rewards = || caller.get("/v1/member/rewards").expect(200)["data"].take();
    let reward = |id: &str, (en, zh): (&str, &str), points: i64, left: Option<i64>, tier: Option<&str>, may: bool| {
        json!({
            "id": id, "kind": "goods", "name": {"en": en, "zh": zh}, "description": null, "pictures": [],
            "points": points, "normal_points": points, "minimum_tier": tier, "per_member": null, "left": left,
            "left_for_member": null, "until": null, "redeemable": may,
        })
    };
    let expected = json!([
        reward("coffee", ("A cup of coffee", "咖啡一杯"), 100, None, None, false),
        reward("mug", ("Mug", "马克杯"), 50, Some(3), None, true),
        reward("dinner", ("Dinner", "晚餐"), 100, None, Some("gold"), false),
    ]);
    assert_eq!(rewards(), expected);
    caller.post("/v1/member/redemptions", &json!({"reward_id": "mug"})).expect(201);
    earn(&till, &member, 100);
    let after = rewards();
    assert_eq!((&after[1]["left"], &after[1]["redeemable"]), (&json!(2), &json!(true)));
    assert_eq!(after[0]["redeemable"], true);
}

#[test]
fn perks_are_listed() {
    let app = App::start();
    let member = make::enrol(&app.cashier(), &json!({"name": "Lin", "birth_date": "2000-03-05"}));
    let mut perks = app.member(&member).get("/v1/member/perks").expect(200);
    assert!(perks["data"][0]["granted_at"].take().is_string());
    let expected = json!([{
        "perk": "birthday", "kind": "birthday", "occasion": 2031, "granted_at": null, "gift": {"kind": "points", "points": 200},
        "from": "2031-03-04T16:00:00Z", "until": "2031-03-08T16:00:00Z",
    }]);
    assert_eq!(perks["data"], expected);
}

#[test]
fn a_second_process_sees_the_same_at_once() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    earn(&till, &member, 10);
    let elsewhere = App::beside(&app);
    let there = elsewhere.cashier();
    let body = make::receipt(&member, &[make::line(500)]);
    let one = key();
    let first = there.post_under(&one, "/v1/till/purchases", &body);
    assert_eq!(first.expect(201)["balance"]["available"], 15);
    // The same key at the other process, and the same receipt.
    let again = till.post_under(&one, "/v1/till/purchases", &body);
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert_eq!(till.post("/v1/till/purchases", &body).status, 200);
    // A programme applied beside them is what both decide by from now on.
    app.reconfigure(|programme| programme["earning"]["rate"] = json!({"points": 3, "per": 100}));
    for caller in [&till, &there] {
        assert_eq!(earn(caller, &member, 10)["points"]["given"], 30);
    }
}
