//! Points that staff give and take by hand: alone within limits, above them with a second person; and a
//! database that knows this by itself.

use std::sync::Barrier;

use diesel::Connection as _;
use diesel::connection::SimpleConnection;
use serde_json::{Value, json};
use tessera::clock::new_uuid;
use tessera_rules::id::AdjustmentId;

use crate::support::app::PASSWORD;
use crate::support::make::{self, earn, key};
use crate::support::{App, Caller, Member};

const TILL: &str = "/v1/till/adjustments";
const DESK: &str = "/v1/admin/adjustments";

fn wish(member: &Member, points: i64) -> Value {
    json!({"member_id": member.id, "points": points, "reason": "goodwill", "note": "waited an hour for a table"})
}

/// Adjusts and returns the answer.
fn adjust(by: &Caller, member: &Member, points: i64, status: u16) -> Value {
    by.post(TILL, &wish(member, points)).expect(status)
}

fn id_of(adjustment: &Value) -> String {
    adjustment["id"].as_str().expect("an id").to_owned()
}

fn approve(by: &Caller, id: &str) -> crate::support::Reply {
    by.post(&format!("{DESK}/{id}/approve"), &json!({}))
}

/// Hires somebody; `at` names a colleague whose store it is.
fn hire(app: &App, identifier: &str, role: &str, at: Option<&str>) -> Caller {
    let staff = app.admin().get("/v1/admin/staff?limit=100").expect(200)["data"].take();
    let colleague = staff.as_array().unwrap().iter().find(|one| Some(one["identifier"].as_str().unwrap()) == at);
    let mut body = json!({"identifier": identifier, "name": identifier, "role": role, "password": PASSWORD});
    if let Some(colleague) = colleague {
        body["store_id"] = colleague["store_id"].clone();
    }
    app.admin().post("/v1/admin/staff", &body).expect(201);
    app.signed_in(identifier)
}

fn available(app: &App, member: &Member) -> i64 {
    let balance = app.manager().get(&format!("/v1/admin/members/{}/balance", member.id)).expect(200);
    balance["available"].as_i64().unwrap()
}

fn status_of(app: &App, id: &str) -> Value {
    app.manager().get(&format!("{DESK}/{id}")).expect(200)["status"].take()
}

/// What is said when a statement of the server's role fails; `None` where it goes through.
fn refused(app: &App, statement: &str) -> Option<String> {
    let mut conn = tessera::store::db::Connection::establish(&app.db.url).expect("a connection");
    conn.batch_execute(statement).err().map(|error| error.to_string())
}

#[test]
fn within_the_limits_points_move_at_once() {
    let app = App::start();
    let member = make::member(&app.cashier());
    let manager = app.manager();
    let one = key();
    let reply = manager.post_under(&one, TILL, &wish(&member, 300));
    let given = reply.expect(201);
    assert_eq!((&given["status"], &given["points"]), (&json!("applied"), &json!(300)));
    assert_eq!(given["balance"], json!({"available": 300, "pending": 0, "held": 0, "debt": 0}));
    assert_eq!(given["requested_role"], "manager");
    assert_eq!((&given["decided_by"], &given["refusal"]), (&Value::Null, &Value::Null));
    let again = manager.post_under(&one, TILL, &wish(&member, 300));
    assert_eq!((again.status, &again.text), (201, &reply.text), "the same request is answered the same");
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    manager.post_under(&one, TILL, &wish(&member, 301)).problem(422, "idempotency_key_reused");
    let elsewhere = json!({"member_id": member.id, "points": 300, "reason": "other", "note": "another one"});
    manager.post_under(&one, TILL, &elsewhere).problem(422, "idempotency_key_reused");

    let taken = adjust(&manager, &member, -120, 201);
    assert_eq!(taken["balance"]["available"], 180);
    let ledger = manager.get(&format!("/v1/admin/members/{}/ledger", member.id)).expect(200);
    let rows: Vec<String> = ledger["data"].as_array().unwrap().iter().map(told).collect();
    assert_eq!(rows, ["available>adjusted 120 goodwill", "adjusted>available 300 goodwill"]);
    assert_eq!(ledger["data"][0]["document_id"], taken["id"]);
    let actor = json!({"role": "manager", "id": given["requested_by"]});
    assert_eq!(ledger["data"][0]["actor"], actor);

    let shown = manager.get(&format!("{DESK}/{}", id_of(&given))).expect(200);
    assert_eq!((&shown["status"], &shown["note"]), (&json!("applied"), &json!("waited an hour for a table")));
    let log = app.admin().get(&format!("/v1/admin/audit?object={}", id_of(&given))).expect(200);
    let actions: Vec<&Value> = log["data"].as_array().unwrap().iter().map(|line| &line["action"]).collect();
    assert_eq!(actions, ["adjustment.apply", "adjustment.request"]);
    assert_eq!(log["data"][0]["actor"], actor);
    // Whoever may not adjust learns nothing of members.
    let cashier = app.cashier();
    for member_id in [member.id.as_str(), "mem_00000000000000000000000000"] {
        let body = json!({"member_id": member_id, "points": 1, "reason": "goodwill", "note": "x"});
        cashier.post(TILL, &body).problem(403, "forbidden");
        app.member(&member).post(TILL, &body).problem(403, "forbidden");
    }
    let nobody = json!({"member_id": "mem_00000000000000000000000000", "points": 1, "reason": "goodwill", "note": "x"});
    manager.post(TILL, &nobody).problem(404, "member_unknown");
}

fn told(row: &Value) -> String {
    let word = |field: &str| row[field].as_str().unwrap().to_owned();
    format!("{}>{} {} {}", word("from"), word("to"), row["points"], word("reason"))
}

#[test]
fn what_is_given_pays_debt_first_and_is_one_adjustment() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    let sale = earn(&till, &member, 200);
    app.member(&member).post("/v1/member/redemptions", &json!({"points": 200})).expect(201);
    let back = json!({"external_id": key(), "all": true, "reason": "damaged"});
    till.post(&format!("/v1/till/purchases/{}/returns", sale["id"].as_str().unwrap()), &back).expect(201);
    let given = adjust(&app.manager(), &member, 500, 201);
    assert_eq!(given["balance"], json!({"available": 300, "pending": 0, "held": 0, "debt": 0}));
    let booked =
        "select string_agg(points::text || ' ' || booked::text || ' ' || status, ',') as value from adjustment";
    assert_eq!(app.db.texts(booked), ["500 500 applied"]);
    let entries = "select string_agg(to_account || ' ' || points::text, ',' order by number) as value
        from entry where kind = 'adjustment'";
    assert_eq!(app.db.texts(entries), ["debt 200,available 300"]);
}

#[test]
fn above_the_limits_somebody_else_agrees() {
    let app = App::start();
    let member = make::member(&app.cashier());
    let (manager, colleague) = (app.manager(), hire(&app, "second-west", "manager", Some("manager-west")));
    let one = key();
    let reply = manager.post_under(&one, TILL, &wish(&member, 501));
    let asked = reply.expect(202);
    assert_eq!((&asked["status"], asked.get("balance")), (&json!("requested"), None));
    let again = manager.post_under(&one, TILL, &wish(&member, 501));
    assert_eq!((again.status, &again.text), (202, &reply.text));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    manager.post_under(&one, TILL, &wish(&member, 502)).problem(422, "idempotency_key_reused");
    assert_eq!(available(&app, &member), 0);
    let waiting = manager.get(&format!("{DESK}?status=requested")).expect(200);
    assert_eq!(waiting["data"], json!([asked]));

    let id = id_of(&asked);
    approve(&manager, &id).problem(403, "second_person_needed");
    let chinese = manager.in_chinese().post(&format!("{DESK}/{id}/approve"), &json!({}));
    assert_eq!(chinese.problem(403, "second_person_needed")["title"], "须由另一名员工审批该调整");
    approve(&app.cashier(), &id).problem(403, "forbidden");
    approve(&app.member(&member), &id).problem(403, "forbidden");
    approve(&app.signed_in("manager-east"), &id).problem(404, "not_found");
    approve(&colleague, &AdjustmentId::new(new_uuid()).to_string()).problem(404, "not_found");
    assert_eq!(status_of(&app, &id), "requested");

    let agreed = key();
    let path = format!("{DESK}/{id}/approve");
    let body = json!({"note": "I was there"});
    let reply = colleague.post_under(&agreed, &path, &body);
    let approved = reply.expect(200);
    assert_eq!((&approved["status"], &approved["balance"]["available"]), (&json!("applied"), &json!(501)));
    assert_eq!(approved["decision_note"], "I was there");
    assert_ne!(approved["decided_by"], approved["requested_by"]);
    let again = colleague.post_under(&agreed, &path, &body);
    assert_eq!((again.status, &again.text), (200, &reply.text));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    colleague.post_under(&agreed, &path, &json!({})).problem(422, "idempotency_key_reused");
    for late in [approve(&colleague, &id), approve(&app.admin(), &id)] {
        assert_eq!(late.problem(409, "state_conflict")["adjustment_status"], "applied");
    }
    let no = json!({"note": "not so"});
    app.admin().post(&format!("{DESK}/{id}/reject"), &no).problem(409, "state_conflict");
    assert_eq!(available(&app, &member), 501);
    // The entry is of the one who asked; what was agreed stands with the adjustment.
    let ledger = manager.get(&format!("/v1/admin/members/{}/ledger", member.id)).expect(200);
    assert_eq!(ledger["data"].as_array().unwrap().len(), 1);
    assert_eq!(ledger["data"][0]["actor"]["id"], asked["requested_by"]);
    let log = app.admin().get(&format!("/v1/admin/audit?object={id}")).expect(200);
    let actions: Vec<&Value> = log["data"].as_array().unwrap().iter().map(|line| &line["action"]).collect();
    assert_eq!(actions, ["adjustment.apply", "adjustment.approve", "adjustment.request"]);
}

#[test]
fn what_is_rejected_moves_nothing() {
    let app = App::start();
    let member = make::member(&app.cashier());
    let manager = app.manager();
    let asked = adjust(&manager, &member, -900, 202);
    let path = format!("{DESK}/{}/reject", id_of(&asked));
    manager.post(&path, &json!({"note": "a slip of mine"})).problem(403, "second_person_needed");
    app.signed_in("manager-east").post(&path, &json!({"note": "no"})).problem(404, "not_found");
    app.admin().post(&path, &json!({})).problem(400, "missing_field");
    let rejected = app.admin().post(&path, &json!({"note": "made good already"})).expect(200);
    assert_eq!((&rejected["status"], &rejected["decision_note"]), (&json!("rejected"), &json!("made good already")));
    app.admin().post(&path, &json!({"note": "made good already"})).problem(409, "state_conflict");
    approve(&app.admin(), &id_of(&asked)).problem(409, "state_conflict");
    assert_eq!(app.db.number("select count(*) as value from entry"), 0);
    // Nor does an admin decide on what he asked for, or a manager on it.
    let asked = adjust(&app.admin(), &member, 5_001, 202);
    approve(&app.admin(), &id_of(&asked)).problem(403, "second_person_needed");
    approve(&manager, &id_of(&asked)).problem(404, "not_found");
    approve(&hire(&app, "second-admin", "admin", None), &id_of(&asked)).expect(200);
    assert_eq!(available(&app, &member), 5_001);
}

#[test]
fn a_day_has_a_limit_of_its_own() {
    let app = App::with(|programme| {
        programme["adjustments"] = json!({"manager": {"each": 500, "per_day": 1_000}});
    });
    let member = make::member(&app.cashier());
    let manager = app.manager();
    adjust(&manager, &member, 500, 201);
    // Taking counts as giving does.
    adjust(&manager, &member, -400, 201);
    adjust(&manager, &member, 101, 202);
    adjust(&manager, &member, 100, 201);
    let waiting = adjust(&manager, &member, 1, 202);
    // What somebody else agreed to does not count, and what one person did not for another.
    approve(&app.admin(), &id_of(&waiting)).expect(200);
    adjust(&app.signed_in("manager-east"), &member, 500, 201);
    adjust(&manager, &member, 1, 202);
    // The day is the programme's: it is noon in Shanghai, and twelve hours later another day.
    app.advance("PT11H");
    adjust(&manager, &member, 1, 202);
    app.advance("PT2H");
    adjust(&manager, &member, 500, 201);
    adjust(&manager, &member, 500, 201);
    adjust(&manager, &member, 1, 202);
}

#[test]
fn the_rules_have_the_last_word() {
    let app = App::with(|programme| {
        programme["adjustments"] = json!({
            "manager": {"each": 100, "per_day": 100}, "reasons": ["goodwill", "till_error"],
        });
    });
    let till = app.cashier();
    let member = make::member(&till);
    earn(&till, &member, 50);
    let manager = app.manager();
    let with = |field: &str, value: Value| {
        let mut body = wish(&member, 10);
        body[field] = value;
        manager.post(TILL, &body)
    };
    assert_eq!(with("reason", json!("charity")).problem(422, "reason_unknown")["reason"], "charity");
    with("points", json!(0)).problem(422, "nothing_to_adjust");
    with("note", json!("  ")).problem(400, "invalid_field");
    with("note", json!("x".repeat(501))).problem(400, "invalid_field");
    with("points", json!(1.5)).problem(400, "invalid_field");
    with("surprise", json!(1)).problem(400, "unknown_field");
    manager.request("POST", TILL).json(&wish(&member, 1)).send().problem(400, "idempotency_key_missing");
    assert_eq!(app.db.number("select count(*) as value from adjustment"), 0);

    // More than is there: refused once and for all, and the day's limit is what it was.
    let one = key();
    let reply = manager.post_under(&one, TILL, &wish(&member, -80));
    assert_eq!(reply.problem(422, "insufficient_points")["available"], 50);
    let refused = manager.get(&format!("{DESK}?status=refused&member_id={}", member.id)).expect(200)["data"].take();
    assert_eq!(refused[0]["refusal"], "insufficient_points");
    earn(&till, &member, 50);
    assert_eq!(manager.post_under(&one, TILL, &wish(&member, -80)).text, reply.text);
    adjust(&manager, &member, -100, 201);
    // As much as was there when it was asked for, and not when it was approved.
    earn(&till, &member, 500);
    let asked = adjust(&manager, &member, -500, 202);
    app.member(&member).post("/v1/member/redemptions", &json!({"points": 100})).expect(201);
    approve(&app.admin(), &id_of(&asked)).problem(422, "insufficient_points");
    assert_eq!(status_of(&app, &id_of(&asked)), "refused");
    assert_eq!(available(&app, &member), 400);
    // A frozen member's points can be put right.
    let freeze = json!({"reason": "points traded on a marketplace"});
    manager.post(&format!("/v1/admin/members/{}/freeze", member.id), &freeze).expect(200);
    app.advance("P1D");
    adjust(&manager, &member, -100, 201);
}

#[test]
fn the_limit_holds_whatever_runs_at_once() {
    let app = App::start();
    let elsewhere = App::beside(&app);
    let till = app.cashier();
    let members: Vec<Member> = (0..4).map(|_| make::member(&till)).collect();
    let here = app.manager();
    let there = elsewhere.anon().with_token(here.token().unwrap());
    let racers = 12;
    let start = Barrier::new(racers);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..racers)
            .map(|i| {
                let caller = if i % 2 == 0 { &here } else { &there };
                let (start, member) = (&start, &members[i % members.len()]);
                scope.spawn(move || {
                    start.wait();
                    caller.post(TILL, &wish(member, 400)).status
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a caller")).collect()
    });
    let count = |status: u16| statuses.iter().filter(|found| **found == status).count();
    assert_eq!((count(201), count(202)), (5, racers - 5), "2000 a day are five times 400: {statuses:?}");
    assert_eq!(app.db.number("select sum(available)::bigint as value from standing"), 2_000);

    // One request for all, under two keys, of two people at once: booked once.
    let asked = app.db.texts("select id::text as value from adjustment where status = 'requested' limit 1");
    let id = AdjustmentId::new(asked[0].parse().unwrap()).to_string();
    let approvers = [hire(&app, "second-admin", "admin", None), app.admin()];
    let start = Barrier::new(8);
    let replies: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|i| {
                let (start, id, by) = (&start, &id, &approvers[i % 2]);
                scope.spawn(move || {
                    start.wait();
                    approve(by, id)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a caller")).collect()
    });
    assert!(replies.iter().any(|reply| reply.status == 200));
    for reply in replies.iter().filter(|reply| reply.status != 200) {
        reply.problem(409, "state_conflict");
    }
    assert_eq!(app.db.number("select sum(available)::bigint as value from standing"), 2_400);
}

#[test]
fn what_was_granted_and_not_booked_is_booked_when_it_is_asked_again() {
    let app = App::start();
    let member = make::member(&app.cashier());
    let manager = app.manager();
    let broken = "alter table entry add constraint entry_broken_check check (kind <> 'adjustment') not valid";
    let mended = "alter table entry drop constraint entry_broken_check";
    app.db.execute(broken);
    let one = key();
    manager.post_under(&one, TILL, &wish(&member, 500)).problem(500, "internal");
    let asked = adjust(&manager, &member, 700, 202);
    let (colleague, agreed, path) = (app.admin(), key(), format!("{DESK}/{}/approve", id_of(&asked)));
    colleague.post_under(&agreed, &path, &json!({})).problem(500, "internal");
    let other = adjust(&manager, &member, 900, 202);
    approve(&colleague, &id_of(&other)).problem(500, "internal");
    let states = "select status || ' ' || points::text as value from adjustment order by points";
    assert_eq!(app.db.texts(states), ["granted 500", "approved 700", "approved 900"]);
    app.db.execute(mended);

    let booked = manager.post_under(&one, TILL, &wish(&member, 500));
    assert_eq!(booked.expect(201)["balance"]["available"], 500);
    assert_eq!(manager.post_under(&one, TILL, &wish(&member, 500)).text, booked.text);
    let booked = colleague.post_under(&agreed, &path, &json!({})).expect(200);
    assert_eq!(booked["balance"]["available"], 1_200);
    // Whoever may approve may finish what another began.
    let second = hire(&app, "second-west", "manager", Some("manager-west"));
    let finished = approve(&second, &id_of(&other)).expect(200);
    assert_eq!(finished["balance"]["available"], 2_100);
    assert_ne!(finished["decided_by"], Value::Null);
    approve(&second, &id_of(&other)).problem(409, "state_conflict");
    assert_eq!(app.db.texts(states), ["applied 500", "applied 700", "applied 900"]);
    assert_eq!(app.db.number("select count(*) as value from entry"), 3);
}

/// What the server's role tries on an adjustment that waits for a second person.
fn assert_guarded(app: &App, waiting: &str) {
    let of = |identifier: &str| format!("(select id from staff where identifier = '{identifier}')");
    let decide = |status: &str, by: &str| {
        format!(
            "update adjustment set status = '{status}', decided_by = {by}, decided_at = now() where id = '{waiting}'"
        )
    };
    for (statement, constraint) in [
        (decide("approved", &of("manager-west")), "adjustment_two_people_check"),
        (decide("rejected", &of("manager-west")), "adjustment_two_people_check"),
        (decide("approved", &of("manager-east")), "decide on this adjustment"),
        (decide("approved", &of("cashier-west")), "decide on this adjustment"),
        (decide("approved", &format!("'{}'", new_uuid())), "decide on this adjustment"),
        (decide("granted", &of("admin")), "does not go from requested to granted"),
        (decide("applied", &of("admin")), "does not go from requested to applied"),
        (format!("update adjustment set status = 'granted' where id = '{waiting}'"), "does not go from"),
        (format!("update adjustment set points = 1 where id = '{waiting}'"), "permission denied"),
        (format!("update adjustment set requested_by = {} where id = '{waiting}'", of("admin")), "permission denied"),
        (format!("delete from adjustment where id = '{waiting}'"), "permission denied"),
    ] {
        let why = refused(app, &statement).unwrap_or_default();
        assert!(why.contains(constraint), "{statement}: {why:?}");
    }
}

#[test]
fn the_database_refuses_what_nobody_allowed() {
    let mut app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    earn(&till, &member, 100);
    let manager = app.manager();
    adjust(&manager, &member, 200, 201);
    adjust(&manager, &member, 900, 202);
    let waiting = app.db.texts("select id::text as value from adjustment where status = 'requested'").remove(0);
    assert_guarded(&app, &waiting);

    // An entry like the one that was booked, for the adjustment that is booked, that waits, and for none.
    let copy = |document: &str, points: i64, role: &str| {
        format!(
            "insert into entry select member_id, number + 1, kind, from_account, to_account, {points}, effective_at,
                recorded_at, '{role}', actor_id, {document}, reason, reverses, hash
             from entry where kind = 'adjustment'"
        )
    };
    let none = format!("'{}'", new_uuid());
    for (document, points, role) in [
        ("document_id", 200, "manager"),
        ("document_id", 1, "manager"),
        (&*format!("'{waiting}'"), 900, "manager"),
        (&*format!("'{waiting}'"), 900, "admin"),
        (&*none, 1, "manager"),
        ("null", 1, "cashier"),
    ] {
        let statement = copy(document, points, role);
        let why = refused(&app, &statement).unwrap_or_default();
        assert!(why.contains("nobody allowed this adjustment"), "{statement}: {why:?}");
    }
    // A new request may not call itself granted beyond the limits, nor approved.
    let ask = |points: i64, status: &str| {
        format!(
            "insert into adjustment (id, member_id, points, reason, note, requested_by, requested_role, store_id,
                requested_at, day, key, fingerprint, day_before, limit_each, limit_day, status)
             select '{}', member_id, {points}, reason, note, requested_by, requested_role, store_id, requested_at, day,
                'k', fingerprint, 0, limit_each, limit_day, '{status}' from adjustment where status = 'applied'",
            new_uuid()
        )
    };
    for (points, status, constraint) in [
        (501, "granted", "adjustment_alone_check"),
        (-501, "granted", "adjustment_alone_check"),
        (1, "approved", "begins as requested or granted"),
        (1, "applied", "begins as requested or granted"),
        (0, "granted", "adjustment_points_check"),
    ] {
        let why = refused(&app, &ask(points, status)).unwrap_or_default();
        assert!(why.contains(constraint), "{points} {status}: {why:?}");
    }
    // The sum of the day is the database's own, whatever is claimed: 200 are given, so three more times 500 and
    // once 300 are within the limit of 2000, and not a point more.
    for points in [500, 500, 500, 300] {
        assert_eq!(refused(&app, &ask(points, "granted")), None, "{points}");
    }
    assert!(refused(&app, &ask(1, "granted")).is_some_and(|why| why.contains("adjustment_alone_check")));
    // Once approved by somebody else it is booked as it was asked for, and once.
    let approved = format!(
        "update adjustment set status = 'approved', decided_by = (select id from staff where identifier = 'admin'),
            decided_at = now(), decision_key = 'k' where id = '{waiting}'"
    );
    assert_eq!(refused(&app, &approved), None);
    for (points, role) in [(901, "manager"), (900, "admin")] {
        let statement = copy(&format!("'{waiting}'"), points, role);
        assert!(refused(&app, &statement).is_some_and(|why| why.contains("nobody allowed")), "{statement}");
    }
    assert_eq!(refused(&app, &copy(&format!("'{waiting}'"), 900, "manager")), None);
    // These entries were made past the rules.
    app.verified = false;
    app.stop();
}
