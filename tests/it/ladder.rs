//! Tiers beyond what purchases do: placements by staff, entitlements, warnings, and the plan of another
//! ladder.

use std::fs;

use serde_json::{Value, json};

use crate::support::db::scratch;
use crate::support::make::{self, earn};
use crate::support::process::{finish, tessera};
use crate::support::{App, Member};

/// Silver has two days of double points and two free deliveries a year.
fn entitled(programme: &mut Value) {
    programme["tiers"]["levels"][1]["entitlements"] = json!([
        { "code": "double-day", "name": "Double day", "per_year": 2,
          "kind": { "kind": "multiplier_day", "multiplier": "2" } },
        { "code": "delivery", "name": "Free delivery", "per_year": 2 },
    ]);
}

fn set(app: &App, now: &str) {
    app.admin().put("/v1/sandbox/clock", &json!({"now": now})).expect(200);
}

#[test]
fn staff_place_a_member_for_a_while() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    earn(&till, &member, 100);
    let path = format!("/v1/admin/members/{}/tier", member.id);
    let body = json!({"tier": "gold", "until": "2031-06-01T00:00:00Z", "reason": "spoilt dinner"});
    let placed = app.manager().post_under("k1", &path, &body);
    let answer = placed.expect(201);
    assert_eq!((&answer["tier"], &answer["until"]), (&json!("gold"), &json!("2031-06-01T00:00:00Z")));
    assert_eq!(answer["progress"]["kept_until"], "2031-06-01T00:00:00Z");
    assert_eq!(app.manager().post_under("k1", &path, &body).text, placed.text, "the first answer again");

    let caller = app.member(&member);
    let tier = caller.get("/v1/member/tier").expect(200);
    assert_eq!((&tier["code"], &tier["earn_multiplier"]), (&json!("gold"), &json!("1.5")));
    assert_eq!(tier["placement"], json!({"own": "basic", "until": "2031-06-01T00:00:00Z"}));
    assert_eq!(tier["fall"], json!({"at": "2031-06-01T00:00:00Z", "to": "basic", "missing": 0}));
    let change = &tier["history"][0];
    assert_eq!(
        [&change["from"], &change["to"], &change["cause"], &change["reason"]],
        [&json!("basic"), &json!("gold"), &json!("placement"), &json!("spoilt dinner")]
    );
    assert_eq!(earn(&till, &member, 100)["points"]["given"], 150);

    // Once in the audit log, though asked twice: before, after and by whom.
    let log = app.admin().get(&format!("/v1/admin/audit?object={}", member.id)).expect(200);
    let lines: Vec<&Value> =
        log["data"].as_array().unwrap().iter().filter(|line| line["action"] == "member.place_tier").collect();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["before"], json!({"tier": "basic", "own": null, "until": null}));
    assert_eq!((&lines[0]["after"]["tier"], &lines[0]["after"]["reason"]), (&json!("gold"), &json!("spoilt dinner")));
    assert_eq!(lines[0]["actor"]["role"], "manager");

    set(&app, "2031-06-01T00:00:00Z");
    let tier = app.admin().get(&path).expect(200);
    assert_eq!((&tier["code"], &tier["placement"]), (&json!("basic"), &Value::Null));
    assert_eq!(tier["history"][0]["cause"], "placement_end");
}

#[test]
fn who_may_not_place_and_what_is_no_placement() {
    let app = App::start();
    let member = make::member(&app.cashier());
    let path = format!("/v1/admin/members/{}/tier", member.id);
    let body = |tier: &str, until: &str| json!({"tier": tier, "until": until, "reason": "so"});
    let sound = body("gold", "2031-06-01T00:00:00Z");
    for caller in [app.cashier(), app.member(&member)] {
        caller.post(&path, &sound).problem(403, "forbidden");
    }
    let manager = app.manager();
    manager.post(&path, &body("copper", "2031-06-01T00:00:00Z")).problem(422, "tier_unknown");
    manager.post(&path, &body("gold", "2031-03-05T00:00:00Z")).problem(422, "placement_over");
    let blank = json!({"tier": "gold", "until": "2031-06-01T00:00:00Z", "reason": " "});
    manager.post(&path, &blank).problem(400, "invalid_field");
    let nobody = format!("/v1/admin/members/{}/tier", "mem_01kapm3v5ne8v9b3r6a2f7qk4d");
    manager.post(&nobody, &sound).problem(404, "member_unknown");
    assert_eq!(app.db.number("select count(*) as value from tier_change"), 0);
    assert_eq!(app.db.number("select count(*) as value from audit where action = 'member.place_tier'"), 0);
}

#[test]
fn entitlements_are_counted_at_both_faces() {
    let app = App::with(entitled);
    let till = app.cashier();
    let member = make::member(&till);
    let own = app.member(&member);
    let day = "/v1/member/entitlements/double-day/uses";
    own.post(day, &json!({"day": "2031-03-08"})).problem(404, "entitlement_unknown");
    earn(&till, &member, 1_000);

    let wanted = json!({"day": "2031-03-08"});
    let first = own.post_under("k1", day, &wanted);
    assert_eq!(
        first.expect(201),
        json!({"code": "double-day", "year": 2031, "used": 1, "left": 1, "day": "2031-03-08"})
    );
    assert_eq!(own.post_under("k1", day, &wanted).text, first.text, "a repetition uses nothing");
    own.post_under("k1", day, &json!({"day": "2031-03-09"})).problem(422, "idempotency_key_reused");
    own.post(day, &wanted).problem(422, "entitlement_day");
    own.post(day, &json!({})).problem(422, "entitlement_day");
    own.post(day, &json!({"days": "2031-03-09"})).problem(400, "unknown_field");

    let delivery = format!("/v1/till/members/{}/entitlements/delivery/uses", member.id);
    own.post(&delivery, &json!({})).problem(403, "forbidden");
    assert_eq!(till.post(&delivery, &json!({})).expect(201)["left"], 1);
    till.post(&delivery, &json!({"day": "2031-03-09"})).problem(422, "entitlement_day");
    assert_eq!(till.post(&delivery, &json!({})).expect(201)["left"], 0);
    till.post(&delivery, &json!({})).problem(422, "entitlement_used_up");
    let shown = own.get("/v1/member/tier").expect(200)["entitlements"].take();
    let left: Vec<&Value> = shown.as_array().unwrap().iter().map(|one| &one["left"]).collect();
    assert_eq!(left, [1, 0]);
    assert_eq!(shown[0]["days"], json!(["2031-03-08"]));
    let at_the_till = till.get(&format!("/v1/till/members/{}/tier", member.id)).expect(200);
    assert_eq!(at_the_till["entitlements"], shown);

    set(&app, "2031-03-08T04:00:00Z");
    let bought = earn(&till, &member, 100);
    assert_eq!(bought["points"]["given"], 240, "100 × 1.2 × 2");
}

#[test]
fn every_warning_is_given_once() {
    let app = App::start();
    let member = make::member(&app.cashier());
    earn(&app.cashier(), &member, 100);
    // Points of 5 March 2031 go with 31 March 2032.
    set(&app, "2032-03-02T00:00:00Z");
    let notices = || app.member(&member).get("/v1/member/notices").expect(200)["data"].take();
    let given = notices();
    assert_eq!(given.as_array().map(Vec::len), Some(1), "{given}");
    assert_eq!(given[0]["matter"], json!({"kind": "expiry", "points": 100}));
    assert_eq!((&given[0]["lead_days"], &given[0]["due_at"]), (&json!(30), &json!("2032-03-31T16:00:00Z")));
    assert_eq!(app.admin().get(&format!("/v1/admin/members/{}/notices", member.id)).expect(200)["data"], given);

    // By hand on the same day: it is done already.
    let run = |name: &str| {
        let mut process = tessera(&scratch("jobs"));
        finish(process.args(["jobs", "run", name, "--json"]).env("DATABASE_URL", &app.db.url))
    };
    let (code, out, err) = run("notify");
    assert_eq!(code, 0, "{err}");
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["members"], 0);
    assert_eq!(notices(), given);
    set(&app, "2032-04-01T00:00:00Z");
    let leads: Vec<i64> =
        notices().as_array().unwrap().iter().map(|notice| notice["lead_days"].as_i64().unwrap()).collect();
    assert_eq!(leads, [1, 7, 30]);
}

#[test]
fn a_plan_tells_who_would_rise_and_fall() {
    let app = App::start();
    let till = app.cashier();
    let spent: Vec<(Member, i64)> = [500, 1_000, 1_500, 6_000].map(|points| (make::member(&till), points)).into();
    spent.iter().for_each(|(member, points)| drop(earn(&till, member, *points)));
    let mut programme = crate::support::app::programme();
    programme["tiers"]["levels"][1]["threshold"] = json!(1_200);
    programme["tiers"]["levels"][2]["threshold"] = json!(1_500);
    let file = scratch("plan").join("programme.toml");
    fs::write(&file, toml::to_string(&programme).unwrap()).unwrap();
    let plan = |arguments: &[&str]| {
        let mut process = tessera(&scratch("plan"));
        process.args(["programme", "plan"]).arg(&file).args(arguments).env("DATABASE_URL", &app.db.url);
        let (code, out, err) = finish(&mut process);
        assert_eq!(code, 0, "{err}");
        out
    };
    let told: Value = serde_json::from_str(&plan(&["--json"])).unwrap();
    assert_eq!(told["moves"]["members"], 4);
    let pairs = told["moves"]["pairs"].as_array().unwrap();
    let named = |pair: &Value| (pair["from"].clone(), pair["to"].clone(), pair["first"][0]["member"].clone());
    assert_eq!(
        pairs.iter().map(named).collect::<Vec<_>>(),
        [
            (json!("silver"), json!("basic"), json!(spent[1].0.id)),
            (json!("silver"), json!("gold"), json!(spent[2].0.id)),
        ]
    );
    assert!(plan(&[]).contains("2 of 4 members would move"));
    assert_eq!(app.db.number("select count(*) as value from standing where tier = 'silver'"), 2, "nobody was moved");
}

#[test]
fn who_does_nothing_is_looked_at_under_the_new_rules_too() {
    let app = App::start();
    let till = app.cashier();
    let [idle, safe, basic] = [1_500, 2_500, 100].map(|points| {
        let member = make::member(&till);
        earn(&till, &member, points);
        member
    });
    let tier = |member: &Member| {
        let id: tessera_rules::id::MemberId = member.id.parse().unwrap();
        app.db.texts(&format!("select tier as value from standing where member_id = '{}'", id.uuid())).remove(0)
    };
    let versions = || app.db.texts("select member_id || ' ' || version as value from standing order by 1");
    // Nothing about tiers: nobody is touched.
    let before = versions();
    app.reconfigure(|programme| programme["perks"][0]["grant"]["points"] = json!(300));
    app.advance("P1D");
    assert_eq!((versions(), tier(&idle)), (before, "silver".to_owned()));

    let harder = |programme: &mut Value| programme["tiers"]["levels"][1]["threshold"] = json!(2_000);
    app.reconfigure(harder);
    assert_eq!(tier(&idle), "silver", "not before the midnight");
    app.advance("P1D");
    assert_eq!([&idle, &safe, &basic].map(tier), ["basic", "silver", ""]);
    let changes = "select to_tier || ' ' || cause || ' ' || programme_version::text as value from tier_change
        where cause <> 'purchase'";
    assert_eq!(app.db.texts(changes), ["basic review 3"]);
    // Once: a version is taken up, and so is one with the same tiers after it.
    let taken_up = |version: i64| {
        let done =
            format!("select count(*) as value from job_run where job = 'take_up {version}' and done_at is not null");
        app.db.number(&done) == 1
    };
    app.reconfigure(|programme| {
        harder(programme);
        programme["perks"][0]["grant"]["points"] = json!(400);
    });
    let before = versions();
    app.advance("P1D");
    assert_eq!((versions(), [2, 3, 4].map(taken_up)), (before, [true; 3]));
}
