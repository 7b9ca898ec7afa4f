//! A year in the sandbox: points lapse, tiers fall, birthdays come once.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::support::db::Db;
use crate::support::make::{self, earn};
use crate::support::{App, Caller, Member};

fn instant(value: &Value) -> DateTime<Utc> {
    value.as_str().expect("an instant").parse().expect("an instant")
}

fn set(app: &App, now: &str) -> Value {
    app.admin().put("/v1/sandbox/clock", &json!({"now": now})).expect(200)
}

#[test]
fn the_clock_moves_forward_only() {
    let app = App::start();
    let admin = app.admin();
    let start = admin.get("/v1/sandbox/clock").expect(200);
    assert!(start["now"].as_str().unwrap().starts_with("2031-03-05T04:0"));
    assert!(instant(&start["wall"]) < instant(&start["now"]));

    let later = app.advance("P1D");
    let moved = instant(&later["now"]) - instant(&start["now"]);
    assert!((86_400..86_460).contains(&moved.num_seconds()), "{moved}");
    // The wall clock goes on between asking and moving.
    let offset = |clock: &Value| clock["offset_seconds"].as_i64().unwrap();
    assert!((86_340..86_460).contains(&(offset(&later) - offset(&start))), "{later}");
    assert!(set(&app, "2031-04-01T00:00:00Z")["now"].as_str().unwrap().starts_with("2031-04-01T00:00"));
    let back = json!({"now": "2031-03-31T00:00:00Z"});
    admin.put("/v1/sandbox/clock", &back).problem(409, "clock_backwards");
    for by in ["", "1D", "P", "PT", "P-1D", "P1.5D", "P1D2Y", "-P1D", "P3661D", "P99999Y"] {
        let problem = admin.post("/v1/sandbox/clock/advance", &json!({"by": by})).problem(400, "invalid_field");
        assert_eq!(problem["errors"][0]["pointer"], "/by", "{by}");
    }
    let far = json!({"now": "2045-01-01T00:00:00Z"});
    assert_eq!(admin.put("/v1/sandbox/clock", &far).problem(400, "invalid_field")["errors"][0]["pointer"], "/now");
    assert!(app.advance("PT0S")["now"].as_str().unwrap().starts_with("2031-04-01T00:0"));

    // Another process follows, and one that starts later begins there.
    let elsewhere = App::beside(&app);
    let there = elsewhere.admin().get("/v1/sandbox/clock").expect(200);
    assert!(there["now"].as_str().unwrap().starts_with("2031-04-01T00:0"));
}

#[test]
fn outside_the_sandbox_there_is_no_such_clock() {
    let app = App::on(Db::furnished(), &[("SANDBOX", "false")]);
    let admin = app.admin();
    admin.get("/v1/sandbox/clock").problem(404, "not_sandbox");
    admin.post("/v1/sandbox/clock/advance", &json!({"by": "P1D"})).problem(404, "not_sandbox");
    admin.put("/v1/sandbox/clock", &json!({"now": "2040-01-01T00:00:00Z"})).problem(404, "not_sandbox");
}

/// Two people: one buys and was born on 20 March, the other was born on 29 February.
fn people(till: &Caller) -> (Member, Member) {
    let march = make::enrol(till, &json!({"name": "Lin", "birth_date": "1990-03-20"}));
    let leap = make::enrol(till, &json!({"name": "Wang", "birth_date": "--02-29"}));
    earn(till, &march, 1200);
    (march, leap)
}

/// What happened to a member, oldest first: kind, points, local day it took effect.
fn life(caller: &Caller) -> Vec<(String, i64, String)> {
    let ledger = caller.get("/v1/member/ledger?limit=100").expect(200);
    let rows = ledger["data"].as_array().unwrap().iter().rev();
    let day = |at: &Value| (instant(at) + chrono::TimeDelta::hours(8)).date_naive().to_string();
    rows.map(|row| {
        (row["kind"].as_str().unwrap().to_owned(), row["points"].as_i64().unwrap(), day(&row["effective_at"]))
    })
    .collect()
}

/// What 13 months do to the first of them.
fn thirteen_months() -> Vec<(String, i64, String)> {
    let rows = [
        ("accrual", 1200, "2031-03-05"),
        ("perk", 200, "2031-03-20"),
        ("expiry", 200, "2031-03-24"),
        ("perk", 200, "2032-03-20"),
        ("expiry", 200, "2032-03-24"),
        ("expiry", 1200, "2032-04-01"),
    ];
    rows.map(|(kind, points, day)| (kind.to_owned(), points, day.to_owned())).into()
}

#[test]
fn a_year_day_by_day() {
    let app = App::start();
    let till = app.cashier();
    let (march, leap) = people(&till);
    let caller = app.member(&march);
    let balance = || caller.get("/v1/member/balance").expect(200)["available"].as_i64().unwrap();
    let tier = || caller.get("/v1/member/tier").expect(200);
    assert_eq!(tier()["code"], "silver");

    set(&app, "2031-03-19T15:59:00Z");
    assert_eq!(balance(), 1200, "the last minute before the birthday");
    set(&app, "2031-03-19T16:00:00Z");
    assert_eq!(balance(), 1400, "its first");
    set(&app, "2031-03-23T15:59:00Z");
    assert_eq!(balance(), 1400);
    set(&app, "2031-03-23T16:00:00Z");
    assert_eq!(balance(), 1200, "what a birthday gives lasts as long as its window");

    for _ in 0..49 {
        app.advance("P1W");
    }
    set(&app, "2032-03-03T15:59:00Z");
    assert_eq!(tier()["code"], "silver", "the purchase counts until it is 365 days old");
    let kept = tier()["progress"]["kept_until"].take();
    assert_eq!(kept, "2032-03-03T16:00:00Z");
    set(&app, "2032-03-03T16:00:00Z");
    let fallen = tier();
    assert_eq!((&fallen["code"], &fallen["progress"]["value"]), (&json!("basic"), &json!(0)));
    let change = json!({"from": "silver", "to": "basic", "at": kept, "cause": "review", "reason": null, "measure": 0});
    assert_eq!(fallen["history"][0], change);

    for _ in 0..40 {
        app.advance("P1D");
    }
    assert_eq!(balance(), 0);
    assert_eq!(life(&caller), thirteen_months());
    // 29 February is there in 2032, and in 2033 kept on the 28th.
    set(&app, "2033-03-10T00:00:00Z");
    let perks = app.member(&leap).get("/v1/member/perks").expect(200);
    let granted: Vec<(i64, &str)> = perks["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|perk| (perk["occasion"].as_i64().unwrap(), perk["from"].as_str().unwrap()))
        .collect();
    assert_eq!(granted, [(2033, "2033-02-27T16:00:00Z"), (2032, "2032-02-28T16:00:00Z")]);
}

#[test]
fn a_year_in_one_step_is_a_year_lived_through() {
    let app = App::start();
    let till = app.cashier();
    let (march, _) = people(&till);
    app.advance("P13M");
    assert_eq!(life(&app.member(&march)), thirteen_months());
    // Everybody was brought up to date by the jobs, not by being looked at.
    let left = "select coalesce(sum(remaining), 0)::bigint as value from lot";
    assert_eq!(app.db.number(left), 0);
    assert_eq!(app.db.number("select count(*) as value from tier_change where cause = 'review'"), 1);
    assert_eq!(app.db.number("select count(*) as value from standing where tier = 'silver'"), 0);
}

#[test]
fn points_are_gone_at_midnight_job_or_no_job() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    earn(&till, &member, 100);
    let caller = app.member(&member);
    set(&app, "2032-03-31T15:59:30Z");
    let redeem = || caller.post("/v1/member/redemptions", &json!({"points": 100}));
    let preview = redeem().expect(201);
    assert_eq!(preview["balance"]["available"], 0);
    earn(&till, &member, 100);
    set(&app, "2033-03-31T16:00:00Z");
    redeem().problem(422, "insufficient_points");
}

#[test]
fn codes_and_tokens_live_on_the_wall_clock() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    earn(&till, &member, 500);
    let caller = app.member(&member);
    app.advance("P1M");
    // A month later by the programme, the same sign-ins hold, and the card shows wall time.
    let card = caller.get("/v1/member/card").expect(200);
    let wall = app.admin().get("/v1/sandbox/clock").expect(200);
    let valid = instant(&card["otp_valid_until"]) - instant(&wall["wall"]);
    assert!((-5..=30).contains(&valid.num_seconds()), "{card} {wall}");
    let body = json!({"member_id": member.id, "points": 100, "authorisation": {"otp": card["otp"]}});
    till.post("/v1/till/redemptions", &body).expect(201);
}
