//! Referrals over HTTP: who brought whom, what completes it, and what it is worth to both, once.

use serde_json::{Value, json};

use crate::race::{all_at_once, count};
use crate::support::make::{self, line, receipt};
use crate::support::process::{finish, tessera};
use crate::support::{App, Caller, Member};

const PURCHASES: &str = "/v1/till/purchases";

fn plan(programme: &mut Value) {
    let promotion = |code: &str, whom: &str, points: i64| {
        json!({"code": code, "name": code, "trigger": {"kind": "referral", "for": whom},
            "effect": {"kind": "add", "points": points}})
    };
    let mut thanks = promotion("thanks", "referrer", 200);
    thanks["limits"] = json!({"budget_points": 1_100});
    thanks["when"] = json!("member.days_enrolled >= 0");
    let mut hello = promotion("hello", "referred", 30);
    hello["limits"] = json!({"total": 100});
    programme["perks"] = json!([]);
    programme["referral"] = json!({"minimum_spend": 5_000, "within_days": 30});
    programme["promotions"] = json!([thanks, hello]);
}

fn referred(till: &Caller, by: &str) -> Member {
    make::enrol(till, &json!({"name": "Chen Chen", "referred_by": by}))
}

fn buy(till: &Caller, member: &Member, amount: i64) -> Value {
    till.post(PURCHASES, &receipt(member, &[line(amount)])).expect(201)
}

fn available(till: &Caller, member: &Member) -> i64 {
    let balance = till.get(&format!("/v1/till/members/{}/balance", member.id)).expect(200);
    balance["available"].as_i64().unwrap()
}

/// The states of whom a member has referred, newest first.
fn states(own: &Caller) -> Vec<String> {
    let listed = own.get("/v1/member/referrals").expect(200);
    listed["data"].as_array().unwrap().iter().map(|row| row["state"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn both_sides_are_given_once() {
    let mut app = App::with(plan);
    let beside = App::beside(&app);
    twenty_tills_complete_one(&app, &beside);
    let referrer = make::member(&app.cashier());
    one_purchase_is_worth_it(&app, &referrer);
    who_is_frozen_waits(&app, &beside, &referrer);
    drop(beside);
    an_account_that_is_merged_takes_them_along(&app, &referrer);
    found_out(&mut app);
}

fn twenty_tills_complete_one(app: &App, beside: &App) {
    let till = app.cashier();
    let referrer = make::member(&till);
    let new = referred(&till, &referrer.code);
    let replies = all_at_once(20, &[till.clone(), beside.cashier()], |till, _| {
        till.post(PURCHASES, &receipt(&new, &[line(5_000)]))
    });
    assert_eq!(count(&replies, 201), 20);
    assert_eq!(replies.iter().filter(|reply| reply.json()["given"].is_array()).count(), 1);
    assert_eq!((available(&till, &referrer), available(&till, &new)), (200, 20 * 50 + 30));
    assert_eq!(app.db.number("select count(*) as value from perk_grant"), 2);
    assert_eq!(app.db.number("select count(*) as value from outbox where kind = 'referral.completed'"), 1);
}

fn hello() -> Value {
    json!([{"promotion": "hello", "gift": {"kind": "points", "points": 30}}])
}

/// What does not qualify leaves it open; the first purchase that does is worth it to both, at once.
fn one_purchase_is_worth_it(app: &App, referrer: &Member) {
    let (till, admin, own) = (app.cashier(), app.admin(), app.member(referrer));
    let one = referred(&till, &referrer.code);
    assert_eq!(buy(&till, &one, 4_999).get("given"), None);
    let preview = till.post("/v1/till/purchases/preview", &receipt(&one, &[line(6_000)])).expect(200);
    assert_eq!((&preview["given"], states(&own)), (&hello(), vec!["open".to_owned()]));
    let first = buy(&till, &one, 6_000);
    assert_eq!((&first["given"], &first["balance"]["available"]), (&hello(), &json!(49 + 60 + 30)));
    assert_eq!(available(&till, referrer), 200);
    assert_eq!(buy(&till, &one, 6_000).get("given"), None, "once");
    let back = format!("{PURCHASES}/{}/returns", first["id"].as_str().unwrap());
    till.post(&back, &json!({"external_id": make::key(), "all": true, "reason": "unwanted"})).expect(201);
    assert_eq!(buy(&till, &one, 6_000).get("given"), None, "it stays completed");
    assert_eq!(available(&till, referrer), 200, "what was given stays given");

    // The member sees nobody's name; staff see who.
    let listed = own.get("/v1/member/referrals").expect(200);
    assert_eq!((&listed["code"], &listed["next_cursor"]), (&json!(referrer.code), &json!(null)));
    let mut told: Vec<&String> = listed["data"][0].as_object().unwrap().keys().collect();
    told.sort_unstable();
    assert_eq!(told, ["completed_at", "enrolled_at", "state"]);
    assert_eq!(own.get("/v1/member/perks").expect(200)["data"][0]["kind"], "referral");
    let path = |member: &Member| format!("/v1/admin/members/{}/referrals", member.id);
    let shown = admin.get(&path(&one)).expect(200);
    let by = &shown["referred_by"];
    assert_eq!((&by["referrer_id"], &by["purchase_id"]), (&json!(referrer.id), &first["id"]));
    assert_eq!(admin.get(&path(referrer)).expect(200)["data"][0], *by);
    till.get(&path(&one)).problem(403, "forbidden");
}

/// A referrer who is frozen waits, as where a process ends before he is thanked: the job makes up for it.
fn who_is_frozen_waits(app: &App, beside: &App, referrer: &Member) {
    let (till, admin) = (app.cashier(), app.admin());
    let turn = |how: &str| {
        let path = format!("/v1/admin/members/{}/{how}", referrer.id);
        admin.post(&path, &json!({"reason": "a look at the account"})).expect(200)
    };
    let two = referred(&till, &referrer.id);
    turn("freeze");
    let members = || app.db.number("select count(*) as value from member");
    let before = members();
    for (by, code) in [
        (referrer.code.as_str(), "referrer_frozen"),
        ("000000000000", "referrer_unknown"),
        ("nobody", "referrer_unknown"),
        ("mem_01kapm3v5ne8v9b3r6a2f7qk4d", "referrer_unknown"),
    ] {
        let problem = till.post("/v1/till/members", &json!({"name": "X", "referred_by": by})).problem(422, code);
        assert_eq!(problem["errors"][0]["pointer"], "/referred_by", "{by}");
    }
    assert_eq!(members(), before, "nothing changed");
    assert_eq!(buy(&beside.cashier(), &two, 5_000)["given"], hello());
    turn("unfreeze");
    assert_eq!(available(&till, referrer), 200);
    app.advance("P1D");
    beside.advance("P1D");
    assert_eq!(available(&app.cashier(), referrer), 400, "once, whoever does the job");
}

/// The referrals of an account that is merged go along; what is left of the budget is given.
fn an_account_that_is_merged_takes_them_along(app: &App, referrer: &Member) {
    let till = app.cashier();
    let stays = make::member(&till);
    let three = referred(&till, &referrer.code);
    let late = referred(&till, &referrer.code);
    let body = json!({"into": stays.id, "reason": "enrolled twice"});
    app.admin().post(&format!("/v1/admin/members/{}/merge", referrer.id), &body).expect(200);
    let four = referred(&till, &referrer.code);
    let [five, six] = [0, 1].map(|_| referred(&till, &stays.code));
    for (member, total) in [(&three, 600), (&four, 800), (&five, 900), (&six, 900)] {
        assert_eq!(buy(&till, member, 5_000)["given"], hello());
        assert_eq!(available(&till, &stays), total);
    }
    app.advance("P31D");
    assert_eq!(buy(&app.cashier(), &late, 9_000).get("given"), None, "too late");
    let mut seen = states(&app.member(&stays));
    seen.sort_unstable();
    assert_eq!(seen, ["completed", "completed", "completed", "completed", "completed", "completed", "lapsed"]);
    let thanked = "select string_agg(number::text, ' ' order by number) as value from referral group by rewarded_id \
        having rewarded_id is not null order by 1";
    assert_eq!(app.db.texts(thanked), ["1", "1 2", "1 2 3 4"]);
}

/// What is said once is said for ever, and whoever changes it all the same is found out.
fn found_out(app: &mut App) {
    let refused = |statement: &str| {
        use diesel::connection::SimpleConnection as _;
        app.db.connect().batch_execute(statement).expect_err(statement).to_string()
    };
    let change = "update referral set completed_at = completed_at + interval '1 day'";
    assert!(refused(change).contains("completed once and rewarded once"));
    assert!(refused("delete from referral").contains("never changed"));
    app.verified = false;
    app.stop();
    let verify =
        || finish(tessera(&crate::support::db::scratch("referrals")).env("DATABASE_URL", &app.db.url).arg("verify"));
    app.db.execute("alter table referral disable trigger user");
    for (change, said) in [
        ("update referral set number = number + 10 where number = 4", "are not numbered 1 to"),
        (change, "its purchase is not the member's, or of another time"),
        ("delete from referral where purchase_id is not null", "was granted for a referral that is not on record"),
    ] {
        app.db.execute(&format!("create table kept as select * from referral; {change}"));
        let (code, _, err) = verify();
        assert!(code == 1 && err.contains(said), "{change}: {code} {err}");
        app.db.execute("delete from referral; insert into referral select * from kept; drop table kept");
    }
}
