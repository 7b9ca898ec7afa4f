//! The balance as it was shown at an instant of the past.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use tessera::store::sandbox;

use crate::support::make::{self, earn, line, receipt};
use crate::support::{App, Member, eventually};

fn now(app: &App) -> DateTime<Utc> {
    app.admin().get("/v1/sandbox/clock").expect(200)["now"].as_str().unwrap().parse().unwrap()
}

fn query(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// available, pending, held, debt, earned so far, entries.
fn shown(app: &App, member: &Member, at: DateTime<Utc>) -> [i64; 6] {
    let path = format!("/v1/admin/members/{}/balance?as_of={}", member.id, query(at));
    let balance = app.manager().get(&path).expect(200);
    assert_eq!(balance["as_of"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap(), at);
    ["available", "pending", "held", "debt", "lifetime_earned", "entries"].map(|field| balance[field].as_i64().unwrap())
}

fn hold(app: &App, member: &Member, points: i64) -> Value {
    let pin = json!({"pin": "135790", "password": crate::support::app::PASSWORD});
    app.member(member).put("/v1/member/pin", &pin).expect(204);
    let body = json!({
        "member_id": member.id, "points": points, "mode": "hold", "authorisation": {"pin": "135790"},
    });
    app.cashier().post("/v1/till/redemptions", &body).expect(201)
}

#[test]
fn what_was_reported_later_was_not_shown_and_what_was_due_was() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    let enrolled = now(&app);
    earn(&till, &member, 300);
    let bought = now(&app);
    app.advance("P5D");
    hold(&app, &member, 200);
    let held = now(&app);
    // An hour later a job notes that the hold ended after a quarter of one.
    app.advance("PT1H");
    let mut late = receipt(&member, &[line(5_000)]);
    late["occurred_at"] = json!(query(enrolled + TimeDelta::days(2)));
    till.post("/v1/till/purchases", &late).expect(201);
    let reported = now(&app);

    assert_eq!(shown(&app, &member, bought), [300, 0, 0, 0, 300, 1]);
    assert_eq!(shown(&app, &member, enrolled + TimeDelta::days(3)), [300, 0, 0, 0, 300, 1], "nobody had told of it");
    assert_eq!(shown(&app, &member, held), [100, 0, 200, 0, 300, 2]);
    assert_eq!(shown(&app, &member, held + TimeDelta::minutes(14)), [100, 0, 200, 0, 300, 2]);
    assert_eq!(shown(&app, &member, held + TimeDelta::minutes(16)), [300, 0, 0, 0, 300, 3], "noted 44 minutes later");
    assert_eq!(shown(&app, &member, reported), [350, 0, 0, 0, 350, 4]);

    let path = format!("/v1/admin/members/{}/balance", member.id);
    let manager = app.manager();
    let today = manager.get(&path).expect(200);
    assert_eq!((&today["available"], today.get("entries")), (&json!(350), None));
    assert!(today["expiring"].is_array());
    for wrong in [query(enrolled - TimeDelta::hours(1)), query(reported + TimeDelta::hours(1)), "then".to_owned()] {
        let problem = manager.get(&format!("{path}?as_of={wrong}")).problem(400, "invalid_query");
        assert_eq!(problem["errors"][0]["pointer"], "/as_of", "{wrong}");
    }
    manager.get(&format!("{path}?when={}", query(bought))).problem(400, "invalid_query");
    let nobody = "/v1/admin/members/mem_00000000000000000000000000/balance";
    manager.get(&format!("{nobody}?as_of={}", query(bought))).problem(404, "member_unknown");
    app.cashier().get(&format!("{path}?as_of={}", query(bought))).problem(403, "forbidden");
}

#[test]
fn what_nobody_has_settled_yet_counts_from_when_it_was_due() {
    let app = App::start();
    let member = make::member(&app.cashier());
    earn(&app.cashier(), &member, 400);
    hold(&app, &member, 150);
    let held = now(&app);
    // No job can write down what falls due.
    let kinds = "alter table entry add constraint entry_stuck_check check (kind in ('accrual', 'hold')) not valid";
    app.db.execute(kinds);
    let year = TimeDelta::days(400);
    let offset = sandbox::offset(&mut app.db.connect()).unwrap().unwrap();
    sandbox::advance(&mut app.db.connect(), offset + year.num_microseconds().unwrap()).unwrap();
    eventually("the clock follows", || (now(&app) > held + year - TimeDelta::hours(1)).then_some(()));
    assert_eq!(shown(&app, &member, held + TimeDelta::minutes(14)), [250, 0, 150, 0, 400, 2]);
    assert_eq!(shown(&app, &member, held + TimeDelta::minutes(16)), [400, 0, 0, 0, 400, 3]);
    // Earned on 5 March 2031, a year and the rest of the month: through 31 March 2032.
    let last: DateTime<Utc> = "2032-03-31T15:59:59Z".parse().unwrap();
    assert_eq!(shown(&app, &member, last), [400, 0, 0, 0, 400, 3]);
    assert_eq!(shown(&app, &member, last + TimeDelta::seconds(1)), [0, 0, 0, 0, 400, 4]);
    assert_eq!(app.db.number("select count(*) as value from entry"), 2, "nothing is written down yet");
    app.db.execute("alter table entry drop constraint entry_stuck_check");
}
