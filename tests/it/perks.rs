//! Perks of every occasion over the sandbox clock, rewards that they give, and what `verify` says of grants
//! that cannot be.

use serde_json::{Value, json};

use crate::support::make::{self, earn, line};
use crate::support::process::{finish, tessera};
use crate::support::{App, Caller, Member};

fn set(app: &App, now: &str) {
    app.admin().put("/v1/sandbox/clock", &json!({"now": now})).expect(200);
}

fn perk(code: &str, occasion: Value, grant: Value, window: Value) -> Value {
    json!({"code": code, "name": code, "occasion": occasion, "grant": grant, "windows": [window]})
}

/// One perk for every kind of occasion.
fn every_kind(programme: &mut Value) {
    let points = |points: i64| json!({"kind": "points", "points": points});
    let dinner = json!({"kind": "reward", "reward": "dinner"});
    let triple = json!({"kind": "multiplier", "multiplier": "3"});
    programme["perks"] = json!([
        perk("welcome", json!("welcome"), dinner, json!({"after_days": 13})),
        perk("birthday", json!("birthday"), points(200), json!({"before_days": 7, "after_days": 7})),
        perk("year", json!("anniversary"), triple, json!({})),
        perk("silver", json!("tier_reached"), points(50), json!({"tiers": ["silver"], "after_days": 30})),
        perk("miss-you", json!({"lapse": {"days": 90}}), points(20), json!({"after_days": 14})),
    ]);
}

/// What a member was granted, oldest first: kind, and the day the window opens in Shanghai.
fn granted(own: &Caller) -> Vec<String> {
    let perks = own.get("/v1/member/perks").expect(200);
    let rows = perks["data"].as_array().unwrap().iter().rev();
    let day = |from: &Value| {
        let from: chrono::DateTime<chrono::Utc> = from.as_str().unwrap().parse().unwrap();
        (from + chrono::TimeDelta::hours(8)).date_naive()
    };
    rows.map(|row| format!("{} {}", row["kind"].as_str().unwrap(), day(&row["from"]))).collect()
}

fn available(own: &Caller) -> i64 {
    own.get("/v1/member/balance").expect(200)["available"].as_i64().unwrap()
}

fn reward(own: &Caller, id: &str) -> Option<Value> {
    let rewards = own.get("/v1/member/rewards").expect(200);
    rewards["data"].as_array().unwrap().iter().find(|reward| reward["id"] == id).cloned()
}

#[test]
fn a_year_of_occasions() {
    let app = App::with(every_kind);
    let till = app.cashier();
    let enrolled = till.post("/v1/till/members", &json!({"name": "Lin", "birth_date": "1990-01-02"})).expect(201);
    assert_eq!(enrolled["perks"], json!(["welcome"]), "at once");
    let text = |field: &str| enrolled[field].as_str().unwrap().to_owned();
    let member = Member { id: text("id"), code: text("code") };
    let own = app.member(&member);

    // Dinner needs gold and costs 100 points; not the one that welcomes, once.
    let dinner = reward(&own, "dinner").unwrap();
    let free = (&dinner["free_until"], &dinner["redeemable"], &dinner["points"]);
    assert_eq!(free, (&json!("2031-03-18T16:00:00Z"), &json!(true), &json!(100)));
    let redeemed = own.post("/v1/member/redemptions", &json!({"reward_id": "dinner"})).expect(201);
    assert_eq!((&redeemed["points"], &redeemed["perk"]), (&json!(0), &json!("welcome")));
    assert_eq!((reward(&own, "dinner").unwrap()["free_until"].clone(), available(&own)), (Value::Null, 0));
    own.post("/v1/member/redemptions", &json!({"reward_id": "dinner"})).problem(422, "tier_too_low");
    let welcome = &own.get("/v1/member/perks").expect(200)["data"][0];
    assert_eq!((&welcome["occasion"], &welcome["redemption_id"]), (&json!(0), &redeemed["id"]));

    // The purchase that makes silver says what that gives.
    let bought = earn(&till, &member, 1200);
    assert_eq!((&bought["perks"], &bought["points"]["given"]), (&json!(["silver"]), &json!(1200)));
    assert_eq!(bought["balance"]["available"], 1250);

    // Ninety days later, once until she has bought again.
    set(&app, "2031-06-02T15:59:00Z");
    assert_eq!(granted(&own).len(), 2);
    set(&app, "2031-06-02T16:00:00Z");
    assert_eq!(available(&own), 1220, "the fifty have lapsed");
    set(&app, "2031-10-01T04:00:00Z");
    assert_eq!((available(&own), granted(&own).len()), (1200, 3));
    earn(&till, &member, 10);

    another_birth_date(&app, &own, &member);
    let known = [
        "welcome 2031-03-05",
        "tier_reached 2031-03-05",
        "lapse 2031-06-03",
        "birthday 2031-12-26",
        "lapse 2031-12-30",
    ];
    assert_eq!(granted(&own), known);

    a_second_year(&app, &own, &member);
}

/// The birthday's window crosses New Year. A birth date is set once; who corrects it gives nothing twice.
fn another_birth_date(app: &App, own: &Caller, member: &Member) {
    set(app, "2031-12-27T04:00:00Z");
    assert_eq!(own.get("/v1/member/perks").expect(200)["data"][0]["occasion"], 2032);
    let changed = json!({"birth_date": "1990-12-28"});
    own.patch("/v1/member/profile", "\"1\"", &changed).problem(422, "birth_date_set");
    let path = format!("/v1/admin/members/{}", member.id);
    let manager = app.manager();
    manager.patch(&path, "\"1\"", &changed).problem(422, "birth_date_set");
    let mut changed = changed;
    changed["reason"] = json!(" ");
    let problem = manager.patch(&path, "\"1\"", &changed).problem(400, "invalid_field");
    assert_eq!(problem["errors"][0]["pointer"], "/reason");
    changed["reason"] = json!("misread at the till");
    app.cashier().patch(&path, "\"1\"", &changed).problem(403, "forbidden");
    assert_eq!(manager.patch(&path, "\"1\"", &changed).expect(200)["birth_date"], "1990-12-28");
    let audit = "select after::text as value from audit where object like 'mem_%' and action = 'member.change'";
    assert_eq!(app.db.texts(audit), ["{\"fields\": [\"birth_date\"], \"reason\": \"misread at the till\"}"]);
    // Today lies in the window of 28 December 2031, for which nothing was granted.
    set(app, "2032-01-15T04:00:00Z");
}

fn a_second_year(app: &App, own: &Caller, member: &Member) {
    let till = app.cashier();
    // The anniversary triples the purchases of its day.
    set(app, "2032-03-05T04:00:00Z");
    assert_eq!(earn(&till, member, 100)["points"]["given"], 300);
    set(app, "2032-03-06T04:00:00Z");
    // Silver had ended with the first year. It is reached again, which is the same occasion: a server that
    // remembers the member and none of his grants finds that out when it stores the second of these.
    let tier = own.get("/v1/member/tier").expect(200);
    assert_eq!(tier["code"], "basic");
    earn(&till, member, 1);
    let bought = earn(&till, member, 1200);
    assert_eq!((&bought["tier"]["after"], &bought["perks"]), (&json!("silver"), &Value::Null));
    // The birthday of 2032 was in January. The next is the new one.
    set(app, "2033-12-20T15:59:00Z");
    let known = ["anniversary 2032-03-05", "lapse 2032-06-04", "anniversary 2033-03-05"];
    assert_eq!(granted(own)[5..], known);
    set(app, "2033-12-20T16:00:00Z");
    let known = [&known[..], &["birthday 2033-12-21"]].concat();
    assert_eq!(granted(own)[5..], known);
    let shown = app.admin().get(&format!("/v1/admin/members/{}/perks", member.id)).expect(200);
    assert_eq!(shown, own.get("/v1/member/perks").expect(200), "staff see the same");
    let events = app.db.number("select count(*) as value from outbox where kind = 'perk.granted'");
    assert_eq!(events, 8, "all but the one of the purchase, which has its own event");
}

/// A mug, of which there are three, for whoever joins.
fn mug(programme: &mut Value) {
    programme["perks"] = json!([perk(
        "welcome",
        json!("welcome"),
        json!({"kind": "reward", "reward": "mug"}),
        json!({"after_days": 13})
    )]);
}

#[test]
fn a_granted_reward_is_redeemed_like_any_other() {
    let app = App::with(mug);
    let (till, manager) = (app.cashier(), app.manager());
    let member = make::member(&till);
    let own = app.member(&member);
    let pin = json!({"pin": "135790", "password": crate::support::app::PASSWORD});
    own.put("/v1/member/pin", &pin).expect(204);
    let at_till = |mode: &str| {
        let body = json!({
            "member_id": member.id, "reward_id": "mug", "mode": mode, "authorisation": {"pin": "135790"},
        });
        till.post("/v1/till/redemptions", &body)
    };
    let left = || reward(&own, "mug").unwrap()["left"].as_i64().unwrap();

    let shown = || till.get(&format!("/v1/till/members/{}/perks", member.id)).expect(200)["data"].clone();
    assert_eq!(shown()[0]["gift"], json!({"kind": "reward", "reward": "mug"}));
    // Held; its time runs out, and it may be had again.
    let held = at_till("hold").expect(201);
    let view = (&held["status"], &held["points"], &held["perk"], left());
    assert_eq!(view, (&json!("held"), &json!(0), &json!("welcome"), 2));
    at_till("hold").problem(422, "insufficient_points");
    app.advance("PT20M");
    assert_eq!(left(), 3);
    // Held again and captured; taken back by the manager, and captured at once.
    let id = |reply: &Value| reply["id"].as_str().unwrap().to_owned();
    let again = at_till("hold").expect(201);
    let captured = till.post(&format!("/v1/till/redemptions/{}/capture", id(&again)), &json!({})).expect(200);
    assert_eq!((&captured["status"], &captured["points"]), (&json!("captured"), &json!(0)));
    at_till("capture").problem(422, "insufficient_points");
    let voided = manager.post(&format!("/v1/till/redemptions/{}/void", id(&again)), &json!({})).expect(200);
    assert_eq!((&voided["status"], left()), (&json!("voided"), 3));
    let last = at_till("capture").expect(201);
    assert_eq!((&last["points"], left()), (&json!(0), 2));
    assert_eq!(shown(), json!([]), "nothing is left to use");
    let list = own.get("/v1/member/redemptions").expect(200);
    let row = |row: &Value| format!("{} {} {}", row["status"], row["points"], row["perk"]);
    let rows: Vec<String> = list["data"].as_array().unwrap().iter().map(row).collect();
    assert_eq!(rows, [r#""captured" 0 "welcome""#, r#""voided" 0 "welcome""#, r#""voided" 0 "welcome""#]);
    // The window is over for the next one, who keeps the points.
    let other = make::member(&till);
    app.advance("P14D");
    assert_eq!(reward(&app.member(&other), "mug").unwrap()["free_until"], Value::Null);
    assert_eq!(app.db.number("select count(*) as value from entry"), 0, "no points have moved");
}

#[test]
fn a_perk_is_checked_where_it_is_written() {
    let app = App::start();
    let admin = app.admin();
    let points = json!({"kind": "points", "points": 5});
    let mug = json!({"kind": "reward", "reward": "mug"});
    for (body, pointer) in [
        (perk("p", json!({"lapse": {"days": 0}}), points.clone(), json!({})), "/occasion/lapse/days"),
        (perk("p", json!("welcome"), points.clone(), json!({"before_days": 1})), "/windows/0/before_days"),
        (perk("p", json!("welcome"), json!({"kind": "reward", "reward": "moon"}), json!({})), "/grant/reward"),
    ] {
        let problem = admin.post("/v1/admin/perks", &body).problem(422, "programme_invalid");
        let found = problem["errors"][0]["pointer"].as_str().unwrap();
        assert!(found.ends_with(pointer), "{problem}");
    }
    for unknown in [json!("easter"), json!({"lapse": {"days": 3, "hours": 2}}), json!({"lapse": 3})] {
        let body = perk("p", unknown, points.clone(), json!({}));
        assert_eq!(admin.post("/v1/admin/perks", &body).json()["status"], 400, "{body}");
    }
    let made = admin.post("/v1/admin/perks", &perk("back", json!({"lapse": {"days": 60}}), mug, json!({}))).expect(201);
    assert_eq!((&made["occasion"], &made["grant"]["reward"]), (&json!({"lapse": {"days": 60}}), &json!("mug")));
    // The reward stays as long as the perk gives it.
    let rewards = admin.get("/v1/admin/rewards/mug");
    let etag = rewards.header("etag").unwrap();
    let gone = admin.request("DELETE", "/v1/admin/rewards/mug").header("If-Match", etag).send();
    gone.problem(422, "programme_invalid");
}

#[test]
fn grants_that_cannot_be_are_found() {
    let mut app = App::with(|programme| {
        mug(programme);
        let double = json!({"kind": "multiplier", "multiplier": "2"});
        let birthday = perk("birthday", json!("birthday"), double, json!({}));
        programme["perks"].as_array_mut().unwrap().push(birthday);
    });
    let member = make::enrol(&app.cashier(), &json!({"name": "Ann", "birth_date": "1990-03-10"}));
    let own = app.member(&member);
    own.post("/v1/member/redemptions", &json!({"reward_id": "mug"})).expect(201);
    app.cashier().post("/v1/till/purchases", &make::receipt(&member, &[line(100)])).expect(201);
    app.advance("P400D");
    app.verified = false;
    app.stop();
    app.db
        .execute("alter table perk_grant disable trigger user; alter table perk_grant drop constraint perk_grant_pkey");
    app.db.execute("drop index redemption_grant_key; create table was as select * from perk_grant");
    let of = |table: &str| format!("{table} of member {}, ", member.id);
    let shift = "set granted_at = granted_at - interval '40 days', window_from = window_from - interval '40 days'";
    for (change, said) in [
        ("insert into perk_grant select * from was where perk = 'welcome'".to_owned(), "twice for one occasion"),
        (format!("update perk_grant {shift} where occasion = 2032"), "within 330 days"),
        ("update perk_grant set window_until = granted_at where occasion = 2032".to_owned(), "inside its window"),
        ("delete from perk_grant where perk = 'welcome'".to_owned(), "no grant gave it"),
    ] {
        app.db.execute(&change);
        let err = verify(&app);
        assert!(err.contains(said) && err.contains(&of("")[3..]), "{change}: {err}");
        app.db.execute("delete from perk_grant; insert into perk_grant select * from was");
    }
    app.db.execute(
        "insert into redemption select gen_random_uuid(), member_id, store_id, reward, points, worth, status, recorded_at, \
         actor_role, actor_id, answer, purchase_id, held_until, entry, bite_lots, bite_points, perk, occasion from redemption",
    );
    assert!(verify(&app).contains("its grant was used before"));
    app.db.execute("delete from redemption where id > (select min(id::text)::uuid from redemption)");
}

#[test]
fn rewards_for_nothing_go_with_the_migration() {
    let mut app = App::with(mug);
    let till = app.cashier();
    for mode in ["capture", "hold"] {
        let member = make::member(&till);
        let pin = json!({"pin": "135790", "password": crate::support::app::PASSWORD});
        app.member(&member).put("/v1/member/pin", &pin).expect(204);
        let body =
            json!({"member_id": member.id, "reward_id": "mug", "mode": mode, "authorisation": {"pin": "135790"}});
        till.post("/v1/till/redemptions", &body).expect(201);
    }
    app.stop();
    let count = |table: &str| app.db.number(&format!("select count(*) as value from {table}"));
    assert_eq!((count("redemption"), count("perk_grant")), (2, 2));
    app.db.execute(include_str!("../../migrations/2026-11-22-000500_complete_perks/down.sql"));
    assert_eq!((count("redemption"), count("perk_grant")), (0, 0));
    let held = "select count(*) as value from standing where (clock).holds_due_at is not null";
    assert_eq!((app.db.number(held), app.db.number("select used as value from reward_usage")), (0, 0));
    app.db.execute(include_str!("../../migrations/2026-11-22-000500_complete_perks/up.sql"));
    // What kept points alive has kept them alive, though it has gone.
    app.verified = false;
}

/// What `tessera verify` has to say.
fn verify(app: &App) -> String {
    let mut command = tessera(&crate::support::db::scratch("verify"));
    let (code, _, err) = finish(command.env("DATABASE_URL", &app.db.url).args(["verify", "--json"]));
    assert_eq!(code, 1, "{err}");
    err
}
