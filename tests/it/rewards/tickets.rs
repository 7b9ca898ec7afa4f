//! Tickets for draws: numbered without a gap whoever races for them, told, listed, voided, merged and verified.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::racing::{RACERS, crowd};
use super::redeem;
use crate::race::{all_at_once, count};
use crate::support::make::{self, earn};
use crate::support::process::{finish, tessera};
use crate::support::{App, Caller, Member, Reply};

const TICKETS: &str = "/v1/admin/rewards/bicycle/tickets";

/// A draw for a bicycle, and one for a trip that gives three tickets at once until the end of March; a ticket for the
/// bicycle is free after a survey.
fn with_draws(programme: &mut Value) {
    let rewards = programme["rewards"].as_array_mut().expect("rewards");
    rewards.push(json!({"code": "bicycle", "name": "Bicycle", "kind": "draw_ticket", "points": 10}));
    rewards.push(json!({
        "code": "trip", "name": "Trip", "kind": "draw_ticket", "tickets": 3, "points": 20, "to": "2031-03-31",
        "per_member": {"most": 2},
    }));
    programme["events"] = json!([{"code": "survey", "name": "Survey"}]);
    programme["promotions"] = json!([{
        "code": "thanks", "name": "Thanks", "trigger": {"kind": "event", "event": "survey"},
        "effect": {"kind": "reward", "reward": "bicycle", "days": 30},
    }]);
}

fn saver(till: &Caller) -> Member {
    let member = make::member(till);
    earn(till, &member, 500);
    member
}

fn void(caller: &Caller, redemption: &Value) -> Reply {
    let path = format!("/v1/till/redemptions/{}/void", redemption["id"].as_str().expect("an id"));
    caller.post(&path, &json!({}))
}

/// A member's tickets, newest first.
fn mine(own: &Caller, query: &str) -> (Vec<String>, Value) {
    let mut page = own.get(&format!("/v1/member/tickets{query}")).expect(200);
    let show = |row: &Value| {
        format!("{} {} {}", row["reward_id"].as_str().unwrap(), row["number"], row["status"].as_str().unwrap())
    };
    (page["data"].as_array().expect("a list").iter().map(show).collect(), page["next_cursor"].take())
}

#[test]
fn fifty_redemptions_in_two_processes_are_numbered_one_to_fifty() {
    let app = App::with(with_draws);
    let elsewhere = App::beside(&app);
    // Some of them race against themselves.
    let (members, callers): (Vec<Member>, Vec<Caller>) = crowd(&app, &elsewhere, 20).into_iter().unzip();
    let replies = all_at_once(RACERS, &callers, |own, _| redeem(own, "bicycle"));
    assert_eq!(count(&replies, 201), RACERS);
    let told: BTreeSet<i64> =
        replies.iter().map(|reply| reply.json()["tickets"][0].as_i64().expect("a number")).collect();
    assert_eq!(told, (1..=50).collect());

    let voided = replies.iter().find(|reply| reply.json()["tickets"] == json!([17])).expect("the seventeenth").json();
    void(&app.admin(), &voided).expect(200);
    assert_eq!(redeem(&callers[0], "bicycle").expect(201)["tickets"], json!([51]));

    // Pages, and the same as a file.
    let (mut path, mut listed) = (format!("{TICKETS}?limit=40"), Vec::new());
    loop {
        let page = app.manager().get(&path).expect(200);
        listed.extend(page["data"].as_array().expect("a list").clone());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("{TICKETS}?limit=40&cursor={cursor}");
    }
    assert!(listed.iter().map(|row| row["number"].as_i64().expect("a number")).eq((1..=51).rev()));
    let void = |row: &&Value| row["status"] == "void";
    assert_eq!(listed.iter().filter(void).map(|row| row["number"].clone()).collect::<Vec<_>>(), [17]);
    let file = app.manager().get(&format!("{TICKETS}.csv"));
    assert_eq!((file.status, file.header("content-type")), (200, Some("text/csv; charset=utf-8")));
    let text = |row: &Value, field: &str| row[field].as_str().expect(field).to_owned();
    let lines = listed.iter().rev().map(|row| {
        let valid = row["status"] == "valid";
        let [member, redemption, at] = ["member_id", "redemption_id", "given_at"].map(|field| text(row, field));
        format!("{},{member},{redemption},{at},{valid}", row["number"])
    });
    let expected: Vec<String> =
        std::iter::once("number,member_id,redemption_id,given_at,valid".to_owned()).chain(lines).collect();
    assert_eq!(file.text.lines().collect::<Vec<_>>(), expected);
    assert!(listed.iter().all(|row| members.iter().any(|member| row["member_id"] == member.id)));
}

#[test]
fn a_ticket_is_told_listed_and_taken_back() {
    let app = App::with(with_draws);
    let (till, admin) = (app.cashier(), app.admin());
    let member = saver(&till);
    let own = app.member(&member);
    // Free for an event: a reward that a promotion grants, redeemed for nothing.
    let path = format!("/v1/till/members/{}/events", member.id);
    till.post(&path, &json!({"code": "survey"})).expect(201);
    let free = redeem(&own, "bicycle").expect(201);
    assert_eq!((&free["points"], &free["tickets"], &free["fulfilment"]), (&json!(0), &json!([1]), &Value::Null));
    assert_eq!(redeem(&own, "bicycle").expect(201)["points"], 10, "the next is not");
    let trip = redeem(&own, "trip").expect(201);
    assert_eq!((&trip["points"], &trip["tickets"]), (&json!(20), &json!([1, 2, 3])));

    // A hold tells its numbers when it is captured, and nobody sees them before.
    let otp = own.get("/v1/member/card").expect(200)["otp"].take();
    let ask = json!({"member_id": member.id, "reward_id": "trip", "mode": "hold", "authorisation": {"otp": otp}});
    let held = till.post("/v1/till/redemptions", &ask).expect(201);
    assert_eq!((&held["status"], &held["tickets"]), (&json!("held"), &Value::Null));
    redeem(&own, "trip").problem(422, "member_limit");
    let known = ["trip 3 valid", "trip 2 valid", "trip 1 valid", "bicycle 2 valid", "bicycle 1 valid"];
    assert_eq!(mine(&own, "").0, known);
    let trips = "/v1/admin/rewards/trip/tickets";
    assert_eq!(admin.get(trips).expect(200)["data"][0]["status"], "held");
    let capture = format!("/v1/till/redemptions/{}/capture", held["id"].as_str().unwrap());
    assert_eq!(till.post(&capture, &json!({})).expect(200)["tickets"], json!([4, 5, 6]));
    let listed = own.get("/v1/member/redemptions").expect(200);
    assert_eq!((&listed["data"][0]["tickets"], &listed["data"][3]["tickets"]), (&json!([4, 5, 6]), &json!([1])));
    let seen = till.get(&format!("/v1/till/redemptions/{}", held["id"].as_str().unwrap())).expect(200);
    assert_eq!(seen["tickets"], json!([4, 5, 6]), "staff may read them out");

    let (first, cursor) = mine(&own, "?limit=4");
    let (rest, end) = mine(&own, &format!("?limit=4&cursor={}", cursor.as_str().expect("a cursor")));
    assert_eq!([first, rest].concat(), [&["trip 6 valid", "trip 5 valid", "trip 4 valid"], &known[..]].concat());
    assert_eq!(end, Value::Null);

    // Before the draw is closed a till takes a ticket back, afterwards an admin.
    assert_eq!(void(&app.manager(), &trip).expect(200)["tickets"], Value::Null);
    assert_eq!(mine(&own, "").0[3], "trip 3 void");
    app.advance("P60D");
    void(&till, &held).problem(403, "draw_closed");
    void(&app.manager(), &held).problem(403, "draw_closed");
    void(&app.manager(), &free).expect(200);
    void(&admin, &held).expect(200);
    redeem(&own, "trip").problem(422, "reward_not_offered");
    let valid = |row: &&String| row.ends_with("valid");
    assert_eq!(mine(&own, "").0.iter().filter(valid).collect::<Vec<_>>(), ["bicycle 2 valid"]);

    for caller in [&own, &till] {
        caller.get(trips).problem(403, "forbidden");
        caller.get(&format!("{trips}.csv")).problem(403, "forbidden");
    }
    for path in ["/v1/admin/rewards/moon/tickets", "/v1/admin/rewards/moon/tickets.csv"] {
        admin.get(path).problem(404, "not_found");
    }
    admin.get(&format!("{trips}?cursor=00")).problem(400, "cursor_invalid");
    let mut wrong = json!({"code": "car", "name": "Car", "kind": "draw_ticket", "tickets": 101, "points": 1});
    let told = admin.post("/v1/admin/rewards", &wrong).problem(422, "programme_invalid");
    assert_eq!(
        (&told["errors"][0]["pointer"], &told["errors"][0]["code"]),
        (&json!("/tickets"), &json!("out_of_range"))
    );
    wrong["tickets"] = json!(2);
    assert_eq!(admin.post("/v1/admin/rewards", &wrong).expect(201)["tickets"], 2);
}

/// What was given to an account that is merged belongs to the one who stays; and whoever changes tickets in the
/// database is found out.
#[test]
fn tickets_follow_a_merge_and_are_kept_by_verify() {
    let mut app = App::with(with_draws);
    let till = app.cashier();
    let (old, new) = (saver(&till), saver(&till));
    for member in [&old, &new, &old] {
        redeem(&app.member(member), "bicycle").expect(201);
    }
    let third = saver(&till);
    let merge = |from: &Member, into: &Member| {
        let body = json!({"into": into.id, "reason": "enrolled twice"});
        app.admin().post(&format!("/v1/admin/members/{}/merge", from.id), &body).expect(200);
    };
    let whose = || -> Vec<Value> {
        let list = app.admin().get(TICKETS).expect(200);
        list["data"].as_array().expect("a list").iter().map(|row| row["member_id"].clone()).collect()
    };
    assert_eq!(whose(), [old.id.as_str(), &new.id, &old.id]);
    merge(&old, &new);
    assert_eq!(whose(), [new.id.as_str(), &new.id, &new.id]);
    assert_eq!(mine(&app.member(&new), "").0, ["bicycle 3 valid", "bicycle 2 valid", "bicycle 1 valid"]);
    merge(&new, &third);
    assert_eq!(whose(), [third.id.as_str(), &third.id, &third.id]);
    assert_eq!(mine(&app.member(&third), "").0.len(), 3);

    let refused = |statement: &str| {
        use diesel::connection::SimpleConnection as _;
        app.db.connect().batch_execute(statement).expect_err(statement).to_string()
    };
    for change in ["number = 9", "member_id = gen_random_uuid(), voided_at = given_at", "voided_at = null"] {
        let statement = format!("update draw_ticket set {change} where number = 3");
        assert!(refused(&statement).contains("given once and voided once"), "{statement}");
    }
    assert!(refused("delete from draw_ticket").contains("never changed"));

    app.verified = false;
    app.stop();
    let verify =
        || finish(tessera(&crate::support::db::scratch("tickets")).env("DATABASE_URL", &app.db.url).arg("verify"));
    assert_eq!(verify().0, 0);
    app.db.execute("alter table draw_ticket disable trigger user");
    let changes = [
        (
            "update draw_ticket set voided_at = now() + interval '9 years' where number = 2",
            "it does not stand as its redemption does",
        ),
        (
            "update draw_ticket set voided_at = null, member_id = gen_random_uuid() where number = 2",
            "not given for its redemption",
        ),
        (
            "update draw_ticket t set member_id = r.member_id, number = 4 from redemption r \
             where r.id = t.redemption_id and t.number = 2",
            "there are 3 up to its number",
        ),
        ("delete from draw_ticket where number = 4", "it has neither a code nor goods nor tickets"),
    ];
    for (change, said) in changes {
        app.db.execute(change);
        let (code, _, err) = verify();
        assert!(code == 1 && err.contains(said), "{change}: {code} {err}");
    }
}
