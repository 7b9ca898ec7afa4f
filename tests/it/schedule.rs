//! A programme that waits for its day: in force from the first instant of it, or refused where another
//! version came in between, and never lost.

use std::fs;

use serde_json::{Value, json};

use crate::support::app::programme;
use crate::support::db::scratch;
use crate::support::make::{self, earn, line, receipt};
use crate::support::process::{finish, tessera};
use crate::support::{App, Caller, Member, Reply};

const PATH: &str = "/v1/admin/programme/schedule";
/// Four midnights after the tests begin.
const DAY: &str = "2031-03-09";
/// Its first instant in Shanghai.
const MIDNIGHT: &str = "2031-03-08T16:00:00Z";

/// The test programme with twice the rate and other birthday points.
fn twice() -> Value {
    let mut document = programme();
    document["earning"]["rate"]["points"] = json!(2);
    document["perks"][0]["grant"]["points"] = json!(300);
    document
}

fn body(base: i64, programme: &Value) -> Value {
    json!({"effective_on": DAY, "base": base, "programme": programme})
}

fn schedule(caller: &Caller, (name, value): (&str, &str), body: &Value) -> Reply {
    caller.request("PUT", PATH).header(name, value).json(body).send()
}

const NEW: (&str, &str) = ("If-None-Match", "*");

fn set(app: &App, now: &str) {
    app.admin().put("/v1/sandbox/clock", &json!({"now": now})).expect(200);
}

fn given(till: &Caller, member: &Member) -> i64 {
    let bought = till.post("/v1/till/purchases", &receipt(member, &[line(10_000)])).expect(201);
    bought["points"]["given"].as_i64().unwrap()
}

/// The version in force.
fn version(app: &App) -> i64 {
    app.db.number("select max(version) as value from programme_version")
}

/// Acts on the programme since the test began, oldest first, and who did them.
fn acts(app: &App) -> Vec<String> {
    app.db.texts(
        "select actor_role || ' ' || action as value from audit
         where object = 'programme' and action <> 'test' order by id",
    )
}

#[test]
fn it_is_in_force_from_the_first_instant_of_its_day() {
    let app = App::start();
    let (admin, till) = (app.admin(), app.cashier());
    let member = make::enrol(&till, &json!({"name": "Lin", "birth_date": "1990-03-09"}));
    admin.get(PATH).problem(404, "not_found");
    let scheduled = schedule(&admin, NEW, &body(1, &twice()));
    let shown = scheduled.expect(201);
    assert_eq!(
        (&shown["status"], &shown["effective_on"], &shown["base"], &shown["refusal"]),
        (&json!("waiting"), &json!(DAY), &json!(1), &Value::Null)
    );
    assert_eq!(shown["scheduled_by"]["role"], "admin");
    let read = app.manager().get(PATH);
    assert_eq!((read.expect(200), read.header("etag")), (shown.clone(), scheduled.header("etag")));
    assert_eq!(shown["programme"]["earning"]["rate"]["points"], 2);

    set(&app, "2031-03-08T15:59:59Z");
    assert_eq!((given(&till, &member), version(&app)), (100, 1), "the last second before");
    set(&app, MIDNIGHT);
    assert_eq!((given(&till, &member), version(&app)), (200, 2), "its first");
    // The birthday of that midnight is honoured by the programme of that day.
    let perks = "select points as value from entry where kind = 'perk'";
    assert_eq!(app.db.number(perks), 300);
    admin.get(PATH).problem(404, "not_found");
    assert_eq!(admin.get("/v1/admin/programme").header("etag"), Some("\"2\""));
    assert_eq!(acts(&app), ["admin programme.schedule", "admin programme.apply_scheduled"]);
    let changed =
        "select after #>> '{earning,rate,points}' as value from audit where action = 'programme.apply_scheduled'";
    assert_eq!(app.db.texts(changed), ["2"]);
}

#[test]
fn a_step_over_its_day_lives_through_it() {
    let app = App::start();
    let till = app.cashier();
    let member = make::enrol(&till, &json!({"name": "Lin", "birth_date": "1990-03-09"}));
    // Due the evening before, under the programme of that evening: in the one to come nothing is warned of.
    earn(&till, &member, 100);
    schedule(&app.admin(), NEW, &body(1, &twice())).expect(201);
    let elsewhere = App::beside(&app);
    std::thread::scope(|scope| {
        for admin in [app.admin(), elsewhere.admin()] {
            scope.spawn(move || {
                let far = json!({"now": "2031-04-20T00:00:00Z"});
                let reply = admin.put("/v1/sandbox/clock", &far);
                assert!(matches!(reply.status, 200 | 409), "{}", reply.text);
            });
        }
    });
    assert_eq!(version(&app), 2, "applied once, however many move the clock");
    assert_eq!((given(&till, &member), given(&elsewhere.cashier(), &member)), (200, 200));
    assert_eq!(app.db.number("select points as value from entry where kind = 'perk'"), 300);
    let at = "select (created_at at time zone 'Asia/Shanghai')::date::text as value
        from programme_version where version = 2";
    assert_eq!(app.db.texts(at), [DAY]);
}

#[test]
fn what_came_in_between_is_not_undone_and_the_schedule_is_not_lost() {
    let app = App::start();
    let admin = app.admin();
    let first = schedule(&admin, NEW, &body(1, &twice()));
    first.expect(201);
    let mut other = programme();
    other["earning"]["cap_per_day"] = json!(70);
    let put = |version: &str, document: &Value| {
        admin.request("PUT", "/v1/admin/programme").header("If-Match", version).json(document).send()
    };
    put("\"1\"", &other).expect(200);
    assert_eq!(admin.get(PATH).expect(200)["status"], "overtaken");

    set(&app, MIDNIGHT);
    assert_eq!(version(&app), 2);
    assert_eq!(given(&app.cashier(), &make::member(&app.cashier())), 70, "the other version is in force");
    let refused = admin.get(PATH);
    let shown = refused.expect(200);
    assert_eq!((&shown["status"], &shown["refusal"]["code"]), (&json!("refused"), &json!("version_conflict")));
    assert_eq!(
        (&shown["refusal"]["version"], &shown["programme"]["earning"]["rate"]["points"]),
        (&json!(2), &json!(2))
    );
    assert!(shown["refused_at"].as_str().unwrap().starts_with("2031-03-08T16:00"));
    // Once: the next days leave it as it is.
    app.advance("P2D");
    assert_eq!(admin.get(PATH).expect(200), shown);
    assert_eq!(acts(&app)[2..], ["system programme.schedule_refuse"]);

    // It is taken up again on what is in force now.
    let mut both = twice();
    both["earning"]["cap_per_day"] = json!(170);
    let mut again = body(2, &both);
    again["effective_on"] = json!("2031-03-13");
    schedule(&admin, NEW, &again).problem(412, "version_conflict");
    let tag = refused.header("etag").unwrap();
    assert_eq!(schedule(&admin, ("If-Match", tag), &again).expect(200)["status"], "waiting");
    schedule(&admin, ("If-Match", tag), &again).problem(412, "version_conflict");
    app.advance("P3D");
    assert_eq!(version(&app), 3);
    assert_eq!(given(&app.cashier(), &make::member(&app.cashier())), 170);
}

#[test]
fn it_can_be_withdrawn() {
    let app = App::start();
    let admin = app.admin();
    let delete = |tag: &str| admin.request("DELETE", PATH).header("If-Match", tag).send();
    delete("\"1\"").problem(404, "not_found");
    let scheduled = schedule(&admin, NEW, &body(1, &twice()));
    scheduled.expect(201);
    admin.request("DELETE", PATH).send().problem(428, "precondition_required");
    delete("\"999\"").problem(412, "version_conflict");
    delete(scheduled.header("etag").unwrap()).expect(204);
    admin.get(PATH).problem(404, "not_found");
    set(&app, MIDNIGHT);
    assert_eq!(version(&app), 1);
    assert_eq!(acts(&app), ["admin programme.schedule", "admin programme.unschedule"]);
}

#[test]
fn only_what_can_come_into_force_is_scheduled() {
    let app = App::start();
    let admin = app.admin();
    for day in ["2031-03-05", "2031-03-04", "2020-01-01"] {
        let mut today = body(1, &twice());
        today["effective_on"] = json!(day);
        let problem = schedule(&admin, NEW, &today).problem(400, "invalid_field");
        assert_eq!(problem["errors"][0]["pointer"], "/effective_on", "{day}");
    }
    let reply = schedule(&admin, NEW, &body(7, &twice()));
    let problem = reply.problem(412, "version_conflict");
    assert_eq!((&problem["errors"][0]["pointer"], reply.header("etag")), (&json!("/base"), Some("\"1\"")));
    let mut wrong = twice();
    wrong["tiers"]["levels"][1]["threshold"] = json!(-1);
    let problem = schedule(&admin, NEW, &body(1, &wrong)).problem(422, "programme_invalid");
    let pointer = problem["errors"][0]["pointer"].as_str().unwrap();
    assert!(pointer.starts_with("/programme/tiers/levels/"), "{pointer}");
    let mut unknown = body(1, &twice());
    unknown["on"] = json!(DAY);
    schedule(&admin, NEW, &unknown).problem(400, "unknown_field");
    schedule(&admin, ("If-Match", "\"1\""), &body(1, &twice())).problem(412, "version_conflict");
    admin.request("PUT", PATH).json(&body(1, &twice())).send().problem(428, "precondition_required");
    schedule(&app.manager(), NEW, &body(1, &twice())).problem(403, "forbidden");
    app.cashier().get(PATH).problem(403, "forbidden");
    assert_eq!((acts(&app).len(), app.db.number("select count(*) as value from scheduled_programme")), (0, 0));
}

#[test]
fn the_command_line_schedules_shows_and_withdraws() {
    let app = App::start();
    let dir = scratch("schedule");
    let run = |args: &[&str]| finish(tessera(&dir).args(args).env("DATABASE_URL", &app.db.url));
    let file = dir.join("twice.toml");
    fs::write(&file, toml::to_string_pretty(&twice()).unwrap()).unwrap();
    let file = file.to_str().unwrap();

    let (code, plan, _) = run(&["programme", "plan", file]);
    assert_eq!(code, 0);
    let (code, on_day, _) = run(&["programme", "plan", file, "--on", DAY]);
    assert_eq!((code, &on_day), (0, &plan), "the day changes nothing of what is planned");
    for command in ["plan", "apply"] {
        let (code, _, err) = run(&["programme", command, file, "--on", "2031-03-05"]);
        assert_eq!(code, 1);
        assert!(err.contains("the day must lie ahead: it is 2031-03-05"), "{err}");
    }
    let (code, _, err) = run(&["programme", "apply", file, "--on", DAY, "--expect", "9"]);
    assert!(code == 1 && err.contains("version 1 is in force"), "{err}");
    let (code, _, err) = run(&["programme", "scheduled"]);
    assert!(code == 1 && err.contains("no programme is scheduled"), "{err}");

    let (code, out, err) = run(&["programme", "apply", file, "--on", DAY]);
    assert_eq!((code, out.trim()), (0, "version 1 stays in force until 2031-03-09, when this follows it"), "{err}");
    let (code, out, _) = run(&["programme", "scheduled"]);
    assert_eq!((code, out.lines().next()), (0, Some("# from 2031-03-09 on, made on version 1")));
    let shown: Value = toml::from_str(&out).unwrap();
    assert_eq!(shown["earning"]["rate"]["points"], 2, "what is printed is a programme file");
    assert_eq!(app.admin().get(PATH).expect(200)["scheduled_by"]["role"], "admin");

    let (code, out, _) = run(&["programme", "withdraw"]);
    assert_eq!((code, out.trim()), (0, "withdrawn: what was to follow version 1 on 2031-03-09"));
    assert_eq!(run(&["programme", "withdraw"]).0, 1);

    let (code, out, _) = run(&["programme", "apply", file, "--on", DAY, "--json"]);
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, told), (0, json!({"version": 1, "effective_on": DAY, "problems": []})));
    let (code, out, _) = run(&["jobs", "run", "apply_scheduled"]);
    assert_eq!((code, version(&app), out.trim()), (0, 1, "apply_scheduled: 0 members, 0 failed"), "not before its day");
    set(&app, MIDNIGHT);
    assert_eq!(version(&app), 2);
}
