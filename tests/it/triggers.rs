//! Promotions on other triggers than purchases, and what promotions give beside points, over HTTP and the sandbox clock.

use serde_json::{Value, json};

use crate::race::{all_at_once, count};
use crate::support::make::{self, earn, key, line, receipt};
use crate::support::{App, Caller, Member};

const PURCHASES: &str = "/v1/till/purchases";

fn promotion(code: &str, trigger: Value, effect: Value) -> Value {
    json!({"code": code, "name": {"en": code, "zh": code}, "trigger": trigger, "effect": effect})
}

/// A promotion for every trigger.
fn plan(programme: &mut Value) {
    programme["perks"] = json!([]);
    programme["coupons"] = json!([
        {"code": "five", "name": {"en": "5 off", "zh": "立减 5 元"}, "valid_days": 30, "stacking": "with_everything",
         "discount": {"off": {"kind": "amount", "amount": 500}}}
    ]);
    programme["events"] = json!([
        {"code": "app-installed", "name": "App", "attributes": {"platform": "string", "friends": "integer"}}
    ]);
    let five = json!({"kind": "coupon", "coupon": "five"});
    let mut friends =
        promotion("friends", json!({"kind": "event", "event": "app-installed"}), json!({"kind": "add", "points": 40}));
    friends["when"] = json!("event.friends >= 2 && event.platform == \"ios\"");
    friends["limits"] = json!({"budget_points": 1000});
    friends["stores"] = json!(["west"]);
    let mut basket = promotion("basket", json!({"kind": "purchase"}), five.clone());
    basket["minimum_spend"] = json!(20_000);
    let text = json!({"en": "{name}: {points} points", "zh": "{name}：{points} 积分"});
    programme["promotions"] = json!([
        promotion("hello", json!({"kind": "enrolment"}), five),
        promotion(
            "cake",
            json!({"kind": "birthday", "before_days": 7, "after_days": 7}),
            json!({"kind": "reward", "reward": "dinner", "days": 14})
        ),
        promotion(
            "silver",
            json!({"kind": "tier_change", "direction": "up", "to": "silver"}),
            json!({"kind": "add", "points": 50})
        ),
        promotion(
            "sorry",
            json!({"kind": "tier_change", "direction": "down"}),
            json!({"kind": "message", "text": text})
        ),
        promotion(
            "back",
            json!({"kind": "lapse", "days": 90}),
            json!({"kind": "multiplier", "multiplier": 3, "days": 9})
        ),
        friends,
        basket,
    ]);
}

/// What a member was granted, oldest first: by whom and for what.
fn granted(own: &Caller) -> Vec<String> {
    let perks = own.get("/v1/member/perks").expect(200);
    let show = |row: &Value| format!("{} {}", row["perk"].as_str().unwrap(), row["kind"].as_str().unwrap());
    perks["data"].as_array().unwrap().iter().rev().map(show).collect()
}

fn coupons(own: &Caller) -> Vec<(String, String)> {
    let coupons = own.get("/v1/member/coupons").expect(200);
    let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
    coupons["data"].as_array().unwrap().iter().map(|row| (text(row, "code"), text(row, "state"))).collect()
}

fn set(app: &App, now: &str) {
    app.admin().put("/v1/sandbox/clock", &json!({"now": now})).expect(200);
}

#[test]
fn a_year_gives_each_thing_once() {
    let app = App::with(plan);
    let beside = App::beside(&app);
    let till = app.cashier();
    let enrolled = till.post("/v1/till/members", &json!({"name": "Lin", "birth_date": "1990-07-01"})).expect(201);
    assert_eq!((&enrolled["perks"], &enrolled["promotions"]), (&json!([]), &json!(["hello"])), "at once");
    let text = |field: &str| enrolled[field].as_str().unwrap().to_owned();
    let member = Member { id: text("id"), code: text("code") };
    let own = app.member(&member);
    let welcome = coupons(&own);
    assert_eq!(welcome.len(), 1);
    // It is used like any other.
    let mut body = receipt(&member, &[line(2_000)]);
    body["coupons"] = json!([welcome[0].0]);
    assert_eq!(till.post(PURCHASES, &body).expect(201)["total"], 1_500);

    let silver = earn(&till, &member, 1_200);
    let gifts = json!([
        {"promotion": "basket", "gift": {"kind": "coupon", "coupon": "five"}, "coupon_code": coupons(&own)[0].0},
        {"promotion": "silver", "gift": {"kind": "points", "points": 50}},
    ]);
    assert_eq!(silver["given"], gifts);
    assert_eq!(silver["balance"]["available"], 15 + 1_200 + 50);

    // Both processes do the jobs of every midnight.
    for month in ["2031-05-01", "2031-07-01", "2031-09-01", "2032-03-20"] {
        set(&app, &format!("{month}T04:00:00Z"));
        beside.admin().put("/v1/sandbox/clock", &json!({"now": format!("{month}T04:00:01Z")})).expect(200);
    }
    let known = [
        "promotion:hello welcome",
        "promotion:silver tier_change",
        "promotion:back lapse",
        "promotion:cake birthday",
        "promotion:sorry tier_change",
    ];
    let mut found = granted(&own);
    found.sort_by_key(|row| known.iter().position(|known| known == row));
    assert_eq!(found, known);
    let told = "select text->>'en' as value from message";
    assert_eq!(app.db.texts(told), ["{name}: 1265 points"], "names stand in one place");
    let message = &own.get("/v1/member/messages").expect(200)["data"][0];
    assert_eq!((&message["by"], &message["text"]["zh"]), (&json!("sorry"), &json!("Lin：1265 积分")));
    let events = "select string_agg(distinct kind, ' ' order by kind) as value from outbox where document_id in \
        (select id from message union select id from coupon_issue)";
    assert_eq!(app.db.texts(events), ["coupon.issued message.sent"]);
    let sums = app.admin().get("/v1/admin/programme").expect(200);
    assert_eq!(sums["promotions"][1]["trigger"], json!({"kind": "birthday", "before_days": 7, "after_days": 7}));
}

#[test]
fn a_coupon_goes_back_with_its_basket_unless_it_was_used() {
    let app = App::with(|programme| {
        plan(programme);
        programme["promotions"].as_array_mut().unwrap().retain(|one| one["code"] == "basket");
    });
    let (till, admin) = (app.cashier(), app.admin());
    let member = make::member(&till);
    let own = app.member(&member);
    let preview = till.post("/v1/till/purchases/preview", &receipt(&member, &[line(20_000)])).expect(200);
    assert_eq!(preview["given"], json!([{"promotion": "basket", "gift": {"kind": "coupon", "coupon": "five"}}]));
    assert_eq!(coupons(&own).len(), 0, "a preview issues none");
    let buy = || till.post(PURCHASES, &receipt(&member, &[line(15_000), line(9_000)])).expect(201);
    let (first, second) = (buy(), buy());
    let code = |bought: &Value| bought["given"][0]["coupon_code"].as_str().unwrap().to_owned();
    assert_ne!(code(&first), code(&second));
    // The same receipt again says the same code.
    let mut spend = receipt(&member, &[line(1_000)]);
    spend["coupons"] = json!([code(&second)]);
    till.post(PURCHASES, &spend).expect(201);
    for bought in [&first, &second] {
        // What is left of it is too little.
        let path = format!("/v1/till/purchases/{}/returns", bought["id"].as_str().unwrap());
        let line = json!([{"line": 2}]);
        till.post(&path, &json!({"external_id": key(), "lines": line, "reason": "unwanted"})).expect(201);
    }
    let states: Vec<(String, String)> = coupons(&own);
    let state = |code: String| states.iter().find(|(own, _)| *own == code).unwrap().1.clone();
    assert_eq!((state(code(&first)).as_str(), state(code(&second)).as_str()), ("revoked", "used_up"));
    let issued = admin.get("/v1/admin/coupons/five/issued").expect(200);
    assert_eq!(issued["data"].as_array().unwrap().len(), 2);
}

#[test]
fn events_are_told_once_and_race_for_a_budget() {
    let app = App::with(plan);
    let beside = App::beside(&app);
    let (till, east) = (app.cashier(), app.other_cashier());
    let member = make::member(&till);
    let path = format!("/v1/till/members/{}/events", member.id);
    let ios = json!({"code": "app-installed", "attributes": {"platform": "ios", "friends": 3}});
    let again = key();
    let first = till.post_under(&again, &path, &ios).expect(201);
    assert_eq!((&first["points"], &first["promotions"][0]["given"]["gift"]["points"]), (&json!(40), &json!(40)));
    assert_eq!(till.post_under(&again, &path, &ios).expect(201), first, "the same request is the same event");
    let none = |body: &Value| till.post(&path, body).expect(201)["promotions"][0]["missed"].clone();
    assert_eq!(none(&json!({"code": "app-installed"})), "condition");
    assert_eq!(east.post(&path, &ios).expect(201)["promotions"][0]["missed"], "store");

    for (body, status, code, pointer) in [
        (json!({"code": "moon"}), 422, "event_unknown", "/code"),
        (
            json!({"code": "app-installed", "attributes": {"platform": 7}}),
            422,
            "event_attribute",
            "/attributes/platform",
        ),
        (json!({"code": "app-installed", "attributes": {"a/b": "x"}}), 422, "event_attribute", "/attributes/a~1b"),
        (json!({"code": "app-installed", "colour": "red"}), 400, "unknown_field", "/colour"),
    ] {
        assert_eq!(till.post(&path, &body).problem(status, code)["errors"][0]["pointer"], pointer, "{body}");
    }
    let late = json!({"code": "app-installed", "occurred_at": "2031-01-01T00:00:00Z"});
    till.post(&path, &late).problem(422, "occurred_too_early");
    app.admin().post(&path, &ios).problem(403, "forbidden");
    app.member(&member).post(&path, &ios).problem(403, "forbidden");
    till.request("POST", &path).json(&ios).send().problem(400, "idempotency_key_missing");
    assert_eq!(app.db.number("select count(*) as value from member_event"), 3, "what is refused is not on record");

    // 960 points are left: 24 of 50 get 40, whichever process they ask.
    let members: Vec<Member> = (0..10).map(|_| make::member(&till)).collect();
    let there = beside.anon().with_token(till.token().unwrap());
    let replies = all_at_once(50, &[till.clone(), there], |caller, i| {
        caller.post(&format!("/v1/till/members/{}/events", members[i % 10].id), &ios)
    });
    assert_eq!(count(&replies, 201), 50);
    let given = |reply: &&crate::support::Reply| reply.json()["promotions"][0]["given"].is_object();
    assert_eq!(replies.iter().filter(given).count(), 24);
    let counted = "select uses || ' ' || points as value from promotion_usage where promotion = 'friends'";
    assert_eq!(app.db.texts(counted), ["25 1000"]);
}

#[test]
fn kinds_of_events_are_a_part_of_the_programme() {
    let app = App::with(plan);
    let admin = app.admin();
    let kind = json!({"code": "survey", "name": "Survey", "attributes": {"score": "integer"}});
    let made = admin.post("/v1/admin/events", &kind).expect(201);
    assert_eq!((&made["id"], &made["attributes"]), (&json!("survey"), &json!({"score": "integer"})));
    let mut asks =
        promotion("thanks", json!({"kind": "event", "event": "survey"}), json!({"kind": "add", "points": 5}));
    asks["when"] = json!("event.score > 8 && event.colour == \"red\"");
    let problem = admin.post("/v1/admin/promotions", &asks).problem(422, "programme_invalid");
    let replay = json!({"from": "2031-01-01", "to": "2031-12-31"});
    admin.post("/v1/admin/promotions/hello/simulate", &replay).problem(422, "not_replayed");
    let told = (&problem["errors"][0]["pointer"], problem["errors"][0]["detail"].as_str().unwrap());
    assert_eq!(told.0, "/when");
    assert!(told.1.contains("line 1, column 26: `event` has no `colour`"), "{}", told.1);
    asks["when"] = json!("event.score > 8");
    admin.post("/v1/admin/promotions", &asks).expect(201);
    // What a promotion waits for stays.
    let etag = admin.get("/v1/admin/events/survey").header("etag").unwrap().to_owned();
    let gone = admin.request("DELETE", "/v1/admin/events/survey").header("If-Match", &etag).send();
    gone.problem(422, "programme_invalid");
    app.cashier().post("/v1/admin/events", &kind).problem(403, "forbidden");
    let audit = "select action as value from audit where object = 'event:survey'";
    assert_eq!(app.db.texts(audit), ["event.create"]);
}

#[test]
fn points_buy_a_coupon() {
    let app = App::with(|programme| {
        plan(programme);
        programme["promotions"] = json!([]);
        let reward = json!({"code": "five", "name": "5 off", "kind": "coupon", "coupon": "five", "points": 100});
        programme["rewards"].as_array_mut().unwrap().push(reward);
    });
    let (till, admin) = (app.cashier(), app.admin());
    let member = make::member(&till);
    let own = app.member(&member);
    earn(&till, &member, 500);
    let redeem = || own.post("/v1/member/redemptions", &json!({"reward_id": "five"})).expect(201);
    let (first, second) = (redeem(), redeem());
    let code = |redeemed: &Value| redeemed["voucher_code"].as_str().unwrap().to_owned();
    let mut body = receipt(&member, &[line(1_000)]);
    body["coupons"] = json!([code(&first)]);
    assert_eq!(till.post(PURCHASES, &body).expect(201)["total"], 500);
    let listed = own.get("/v1/member/redemptions").expect(200);
    assert_eq!(listed["data"][0]["voucher_code"], second["voucher_code"]);

    // As with a partner's code, what was shown is taken back by an admin.
    for redeemed in [&first, &second] {
        let path = format!("/v1/till/redemptions/{}/void", redeemed["id"].as_str().unwrap());
        app.manager().post(&path, &json!({})).problem(403, "voucher_shown");
        assert_eq!(admin.post(&path, &json!({})).expect(200)["status"], "voided");
    }
    let state = |code: &str| coupons(&own).into_iter().find(|(own, _)| own == code).unwrap().1;
    assert_eq!((state(&code(&first)).as_str(), state(&code(&second)).as_str()), ("used_up", "revoked"));
    let mut wrong = json!({"code": "six", "name": "6", "kind": "coupon", "points": 1});
    let pointer = |problem: Value| problem["errors"][0]["pointer"].clone();
    assert_eq!(pointer(admin.post("/v1/admin/rewards", &wrong).problem(422, "programme_invalid")), "/coupon");
    wrong["coupon"] = json!("moon");
    assert_eq!(pointer(admin.post("/v1/admin/rewards", &wrong).problem(422, "programme_invalid")), "/coupon");
    wrong["kind"] = json!("goods");
    assert_eq!(pointer(admin.post("/v1/admin/rewards", &wrong).problem(422, "programme_invalid")), "/coupon");
}
