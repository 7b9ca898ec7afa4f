//! When something that is needed is not there: the database, the programme.

use serde_json::{Value, json};

use crate::support::db::{self, Db, scratch};
use crate::support::make::{self, earn, key, line, receipt};
use crate::support::{App, Reply, eventually};

fn unavailable(reply: &Reply) {
    reply.problem(503, "unavailable");
    assert_eq!(reply.header("retry-after"), Some("2"));
    for inside in ["postgres", "connection", "socket", "tessera_app"] {
        assert!(!reply.text.contains(inside), "{}", reply.text);
    }
}

#[test]
fn the_database_goes_and_comes_back() {
    let dir = scratch("outage");
    let server = db::start(&dir);
    let app = App::on(Db::on(&server), &[]);
    let till = app.cashier();
    let member = make::member(&till);
    let own = app.member(&member);
    earn(&till, &member, 500);
    app.anon().get("/readyz").expect(200);

    server.stop().expect("the server stops");
    let (one, body) = (key(), receipt(&member, &[line(10_000)]));
    let buy = || till.post_under(&one, "/v1/till/purchases", &body);
    // Who was let in a moment ago is not asked again at once; then that is what fails.
    unavailable(&buy());
    unavailable(&till.get(&format!("/v1/till/members/{}/balance", member.id)));
    unavailable(&own.post("/v1/member/redemptions", &json!({"points": 100})));
    unavailable(&app.login("admin", crate::support::app::PASSWORD));
    app.anon().get("/livez").expect(200);
    let readyz = eventually("readyz notices", || {
        let reply = app.anon().get("/readyz");
        (reply.status == 503).then_some(reply)
    });
    unavailable(&readyz);

    let server = db::start(&dir);
    // By itself, with what was acknowledged, and the same key finds out what became of its request.
    let first = eventually("purchases are taken again", || {
        let reply = buy();
        (reply.status != 503).then_some(reply)
    });
    assert_eq!(first.expect(201)["balance"]["available"], 600);
    assert_eq!(buy().text, first.text);
    eventually("readyz says so", || (app.anon().get("/readyz").status == 200).then_some(()));
    let balance = eventually("members are answered", || {
        let reply = own.get("/v1/member/balance");
        (reply.status == 200).then(|| reply.json())
    });
    assert_eq!(balance["available"], 600);
    drop(app);
    server.stop().expect("the server stops");
}

#[test]
fn cut_connections_cost_a_request_at_most() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    for round in 1..=3 {
        app.db.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid()",
        );
        let (one, body) = (key(), receipt(&member, &[line(10_000)]));
        let buy = || till.post_under(&one, "/v1/till/purchases", &body);
        let answer = eventually("the purchase is recorded", || {
            let reply = buy();
            if reply.status == 503 {
                unavailable(&reply);
                return None;
            }
            Some(reply.expect(201))
        });
        assert_eq!(answer["balance"]["available"], 100 * round);
    }
    assert_eq!(app.db.number("select count(*) as value from entry"), 3);
}

#[test]
fn without_a_programme_people_can_be_enrolled_and_nothing_earned() {
    let app = App::on(Db::without_programme(), &[]);
    let till = app.cashier();
    let member = make::enrol(&till, &json!({"name": "Lin", "birth_date": "--03-05"}));
    let missing = |reply: Reply| {
        reply.problem(503, "no_programme");
        assert_eq!(reply.header("retry-after"), Some("2"));
    };
    let body = receipt(&member, &[line(10_000)]);
    missing(till.post("/v1/till/purchases/preview", &body));
    missing(till.post("/v1/till/purchases", &body));
    missing(till.get(&format!("/v1/till/members/{}/balance", member.id)));
    let own = app.member(&member);
    for path in ["balance", "tier", "rewards"] {
        missing(own.get(&format!("/v1/member/{path}")));
    }
    missing(own.post("/v1/member/redemptions", &json!({"points": 100})));
    assert_eq!(own.get("/v1/member/ledger").expect(200)["data"], json!([]));

    // The first programme is put by the admin, and what was refused is then possible.
    let programme = crate::support::app::programme();
    let put = app.admin().request("PUT", "/v1/admin/programme").header("If-None-Match", "*").json(&programme).send();
    put.expect(201);
    assert_eq!(put.header("etag"), Some("\"1\""));
    let bought: Value = till.post("/v1/till/purchases", &body).expect(201);
    assert_eq!(bought["points"]["given"], 100);
}
