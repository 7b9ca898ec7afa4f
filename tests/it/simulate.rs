//! Simulation over HTTP: what a draft would have given for what is on record.

use diesel::Connection as _;
use diesel::connection::SimpleConnection as _;
use serde_json::{Value, json};

use crate::support::db::scratch;
use crate::support::make::{self, key, line, line_of, receipt};
use crate::support::process::{finish, tessera};
use crate::support::{App, Caller, Member, as_soon_as};
use crate::verify::eventful::eventful;

const DOUBLE: &str = "/v1/admin/promotions/double/simulate";

/// A draft that doubles coffee.
fn double() -> Value {
    json!({"code": "double", "name": "Double", "state": "draft", "categories": ["coffee"],
           "effect": {"kind": "multiply", "by": "2"}})
}

/// The days from before everything until after it, with more to say.
fn all_days(more: Value) -> Value {
    let mut body = json!({"from": "2031-01-01", "to": "2033-12-31"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn buy(till: &Caller, member: &Member, lines: &[Value]) -> Value {
    till.post("/v1/till/purchases", &receipt(member, lines)).expect(201)
}

/// Nothing would have been otherwise.
fn unchanged(view: &Value) {
    assert_eq!((&view["purchases"]["touched"], &view["members"]["touched"]), (&json!(0), &json!(0)), "{view:#}");
    assert_eq!((&view["points"]["difference"], &view["refused"]), (&json!(0), &json!(0)), "{view:#}");
    assert_eq!((&view["tiers"], &view["most_affected"]), (&json!([]), &json!([])), "{view:#}");
    for list in ["days", "promotions"] {
        let compared = if list == "days" { "points" } else { "charged" };
        let same = |row: &Value| row[compared]["difference"] == 0;
        assert!(view[list].as_array().unwrap().iter().all(same), "{view:#}");
    }
}

#[test]
fn a_draft_is_tried_before_it_goes_live() {
    let app = App::start();
    let till = app.cashier();
    let (one, other) = (make::member(&till), make::member(&till));
    // The rule of the programme makes coffee count twice: 100 points, and 200 with the draft.
    let coffee = buy(&till, &one, &[line_of("coffee", 5_000), line(10_000)]);
    assert_eq!(coffee["points"]["given"], 200);
    buy(&till, &other, &[line(30_000)]);
    app.advance("P1D");
    let till = app.cashier();
    let back = format!("/v1/till/purchases/{}/returns", coffee["id"].as_str().unwrap());
    till.post(&back, &json!({"external_id": key(), "lines": [{"line": 2}], "reason": "damaged"})).expect(201);
    buy(&till, &other, &[line_of("coffee", 1_000)]);
    let admin = app.admin();
    admin.post("/v1/admin/promotions", &double()).expect(201);
    let before = app.db.number("select count(*) as value from entry");
    let view = admin.post(DOUBLE, &all_days(json!({"budget_points": 101}))).expect(200);
    assert_eq!(view["points"], json!({"before": 420, "after": 540, "difference": 120}));
    assert_eq!(
        (&view["purchases"], &view["members"]),
        (&json!({"looked_at": 3, "touched": 2}), &json!({"looked_at": 2, "touched": 2}))
    );
    assert_eq!(view["worth"]["difference"], json!({"amount": 120, "currency": "CNY"}));
    assert_eq!((&view["inexact"], &view["tiers"]), (&json!(0), &json!([])));
    let day = |day: &str, purchases: u64, touched: u64, before: i64, after: i64| {
        let points = json!({"before": before, "after": after, "difference": after - before});
        json!({"day": day, "purchases": purchases, "touched": touched, "points": points})
    };
    let days = json!([day("2031-03-05", 2, 1, 500, 600), day("2031-03-06", 1, 1, -80, -60)]);
    assert_eq!(view["days"], days, "goods that came back take their points along");
    let charged = json!({"before": 0, "after": 120, "difference": 120});
    let budget = json!({"points": 101, "exhausted_on": "2031-03-06"});
    assert_eq!(view["promotions"], json!([{"code": "double", "purchases": 2, "charged": charged, "budget": budget}]));
    let affected: Vec<(&str, i64)> = view["most_affected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["member_id"].as_str().unwrap(), row["points"]["difference"].as_i64().unwrap()))
        .collect();
    assert_eq!(affected, [(one.id.as_str(), 100), (other.id.as_str(), 20)]);

    // Another rule may be tried instead, and another day.
    let mut triple = double();
    triple["effect"]["by"] = json!("3");
    let tried = json!({"from": "2031-03-06", "to": "2031-03-06", "promotion": triple});
    let view = admin.post(DOUBLE, &tried).expect(200);
    assert_eq!(view["points"], json!({"before": 20, "after": 60, "difference": 40}));
    let mut elsewhere = double();
    elsewhere["code"] = json!("unheard-of");
    elsewhere["stores"] = json!(["east"]);
    let view =
        admin.post("/v1/admin/promotions/unheard-of/simulate", &all_days(json!({"promotion": elsewhere}))).expect(200);
    unchanged(&view);
    let mut programme = admin.get("/v1/admin/programme").expect(200);
    programme["promotions"][0]["state"] = json!("live");
    let dir = scratch("simulate");
    let file = dir.join("programme.toml");
    std::fs::write(&file, toml::to_string(&programme).unwrap()).unwrap();
    let plan =
        ["programme", "plan", file.to_str().unwrap(), "--simulate", "--from", "2031-01-01", "--to", "2031-12-31"];
    let (code, told, err) = finish(tessera(&dir).args(plan).env("DATABASE_URL", &app.db.url));
    assert_eq!(code, 0, "{err}");
    let lines = ["points: 420 -> 540 (+120)", "promotion double: 0 -> 120 (+120)", "2031-03-06: -80 -> -60 (+20)"];
    assert!(lines.iter().all(|line| told.lines().any(|said| said == *line)), "{told}");
    assert_eq!(app.db.number("select count(*) as value from entry"), before, "nothing is written");
    assert_eq!(app.db.number("select max(version) as value from programme_version"), 2);
}

#[test]
fn what_was_live_is_what_happened_in_a_year_of_everything() {
    let (app, _) = eventful();
    let admin = app.admin();
    let till = app.cashier();
    let (joins, head) = (make::member(&till), make::member(&till));
    buy(&till, &joins, &[line_of("coffee", 123_456)]);
    buy(&till, &head, &[line(654_321), json!({"quantity": 1, "amount": -1_000})]);
    let merge = format!("/v1/admin/members/{}/merge", joins.id);
    admin.post(&merge, &json!({"into": head.id, "reason": "enrolled twice"})).expect(200);
    buy(&till, &joins, &[line(99_999)]);
    let programme = admin.get("/v1/admin/programme").expect(200);
    let view = admin.post("/v1/admin/programme/simulate", &all_days(json!({"programme": programme}))).expect(200);
    unchanged(&view);
    let sum = |of: &str, table: &str| app.db.number(&format!("select sum({of})::bigint as value from {table}"));
    assert_eq!(view["points"]["before"], sum("points", "purchase") - sum("clawed", "purchase_return"));
    assert_eq!(view["purchases"]["looked_at"], app.db.number("select count(*) as value from purchase"));
    assert_eq!(view["inexact"], 0);
    let spring = admin.post("/v1/admin/promotions/spring/simulate", &all_days(json!({}))).expect(200);
    unchanged(&spring);

    // A ladder of its own is lived again; who was placed or merged stays where the record has him.
    let mut steep = programme.clone();
    steep["tiers"]["levels"][1]["threshold"] = json!(10);
    steep["tiers"]["levels"][2]["threshold"] = json!(20);
    let view = admin.post("/v1/admin/programme/simulate", &all_days(json!({"programme": steep}))).expect(200);
    assert_eq!(view["as_on_record"], 3, "one was placed, two are one: {view:#}");
}

#[test]
fn what_cannot_be_tried_is_refused() {
    let app = App::start();
    let admin = app.admin();
    admin.post(DOUBLE, &all_days(json!({}))).problem(404, "not_found");
    let backwards = json!({"from": "2031-03-05", "to": "2031-03-04", "promotion": double()});
    assert_eq!(admin.post(DOUBLE, &backwards).problem(400, "invalid_field")["errors"][0]["pointer"], "/to");
    let mut broken = double();
    broken["effect"]["by"] = json!("0.5");
    let problem = admin.post(DOUBLE, &all_days(json!({"promotion": broken}))).problem(422, "programme_invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/promotion/effect/by");
    let other = "/v1/admin/promotions/other/simulate";
    let problem = admin.post(other, &all_days(json!({"promotion": double()}))).problem(400, "invalid_field");
    assert_eq!(problem["errors"][0]["pointer"], "/promotion/code");
    for wrong in [json!({"budget_points": 0}), json!({"budget_money": 0}), json!({"budget_money": 5})] {
        let mut body = all_days(wrong.clone());
        body["promotion"] = double();
        let problem = admin.post(DOUBLE, &body).problem(400, "invalid_field");
        let field = wrong.as_object().unwrap().keys().next().unwrap();
        assert_eq!(problem["errors"][0]["pointer"], json!(format!("/{field}")));
    }
    admin.post(DOUBLE, &all_days(json!({"promotions": []}))).problem(400, "unknown_field");
    let mut programme = admin.get("/v1/admin/programme").expect(200);
    programme["currency"] = json!("USD");
    let whole =
        |programme: &Value| admin.post("/v1/admin/programme/simulate", &all_days(json!({"programme": programme})));
    whole(&programme).problem(422, "currency_mismatch");
    programme["rewards"][0]["points"] = json!(0);
    let problem = whole(&programme).problem(422, "programme_invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/programme/rewards/0/points");
    for caller in [app.manager(), app.cashier()] {
        caller.post(DOUBLE, &all_days(json!({"promotion": double()}))).problem(403, "forbidden");
        caller
            .post("/v1/admin/programme/simulate", &all_days(json!({"programme": programme})))
            .problem(403, "forbidden");
    }
}

/// One at a time: who comes second is told when to come again, and the tills hear nothing of either.
#[test]
fn a_second_simulation_waits_for_its_turn() {
    let app = App::start();
    let (admin, till) = (app.admin(), app.cashier());
    let member = make::member(&till);
    let body = all_days(json!({"promotion": double()}));
    let mut doorkeeper = app.db.connect();
    let first = doorkeeper.transaction::<_, diesel::result::Error, _>(|conn| {
        conn.batch_execute("lock table tier_change in access exclusive mode")?;
        let (caller, sent) = (admin.clone(), body.clone());
        let first = std::thread::spawn(move || caller.post(DOUBLE, &sent));
        let waits = "select count(*) as value from pg_stat_activity \
             where wait_event_type = 'Lock' and datname = current_database()";
        as_soon_as(|| app.db.number(waits) > 0);
        let second = admin.post(DOUBLE, &body);
        second.problem(503, "busy");
        assert!(second.header("retry-after").is_some());
        till.get(&format!("/v1/till/members/{}", member.id)).expect(200);
        Ok(first)
    });
    first.expect("the lock").join().expect("no panic").expect(200);
    admin.post(DOUBLE, &body).expect(200);
}
