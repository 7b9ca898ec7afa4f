//! Many at once: exactly as many succeed as there is something for, in one process and in two.

use std::sync::Barrier;

use serde_json::json;

use crate::support::make::{self, earn, key, line, receipt};
use crate::support::{App, Caller, Member, Reply, eventually};

/// Sends from one thread each, all at the same moment, half of them to each process.
pub(crate) fn all_at_once(
    count: usize,
    callers: &[Caller],
    send: impl Fn(&Caller, usize) -> Reply + Sync,
) -> Vec<Reply> {
    let start = Barrier::new(count);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|i| {
                let (start, send, caller) = (&start, &send, &callers[i % callers.len()]);
                scope.spawn(move || {
                    start.wait();
                    send(caller, i)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a caller")).collect()
    })
}

pub(crate) fn count(replies: &[Reply], status: u16) -> usize {
    replies.iter().filter(|reply| reply.status == status).count()
}

/// How many redemptions race.
const RACERS: usize = 50;

#[test]
fn a_balance_pays_for_what_it_pays_for() {
    let app = App::start();
    let elsewhere = App::beside(&app);
    let till = app.cashier();
    let member = make::member(&till);
    // Many lots, so that every redemption bites off several.
    for points in [300, 250, 7, 143, 49] {
        earn(&till, &member, points);
    }
    let own = app.member(&member);
    let there = elsewhere.anon().with_token(own.token().unwrap());
    let replies = all_at_once(RACERS, &[own.clone(), there], |caller, _| {
        caller.post("/v1/member/redemptions", &json!({"points": 100}))
    });
    assert_eq!(count(&replies, 201), 7, "749 points pay for 7");
    assert_eq!(count(&replies, 422), RACERS - 7);
    for refused in replies.iter().filter(|reply| reply.status == 422) {
        assert_eq!(refused.problem(422, "insufficient_points")["available"], 49);
    }
    let mut balances: Vec<i64> = replies
        .iter()
        .filter(|reply| reply.status == 201)
        .map(|reply| reply.json()["balance"]["available"].as_i64().unwrap())
        .collect();
    balances.sort_unstable();
    let expected: Vec<i64> = (0..7).map(|paid| 49 + 100 * paid).collect();
    assert_eq!(balances, expected, "each of them saw those before");
    assert_eq!(own.get("/v1/member/balance").expect(200)["available"], 49);
    assert_eq!(app.db.number("select sum(remaining)::bigint as value from lot"), 49);
}

#[test]
fn one_code_spends_once() {
    let app = App::start();
    let elsewhere = App::beside(&app);
    let till = app.cashier();
    let member = make::member(&till);
    earn(&till, &member, 5000);
    let otp = app.member(&member).get("/v1/member/card").expect(200)["otp"].take();
    let body = json!({"member_id": member.id, "points": 100, "authorisation": {"otp": otp}});
    let replies = all_at_once(20, &[till, elsewhere.cashier()], |till, _| till.post("/v1/till/redemptions", &body));
    assert_eq!(count(&replies, 201), 1);
    for refused in replies.iter().filter(|reply| reply.status != 201) {
        refused.problem(403, "code_used");
    }
}

#[test]
fn one_receipt_is_one_purchase() {
    let app = App::start();
    let elsewhere = App::beside(&app);
    let till = app.cashier();
    let member = make::member(&till);
    let body = receipt(&member, &[line(10_000)]);
    let one = key();
    // Half of them under one key, the others each under its own.
    let replies = all_at_once(RACERS, &[till, elsewhere.cashier()], |till, i| {
        let key = if i % 4 < 2 { one.clone() } else { key() };
        till.post_under(&key, "/v1/till/purchases", &body)
    });
    assert_eq!(count(&replies, 201) + count(&replies, 200), RACERS, "{replies:?}");
    let fresh: Vec<&Reply> =
        replies.iter().filter(|reply| reply.status == 201 && reply.header("idempotent-replayed").is_none()).collect();
    assert_eq!(fresh.len(), 1);
    assert!(replies.iter().all(|reply| reply.text == fresh[0].text), "all are told the same");
    assert_eq!(app.db.number("select count(*) as value from purchase"), 1);
    assert_eq!(app.db.number("select available as value from standing"), 100);
}

/// Each process remembers what it wrote last; the other may have changed it since.
#[test]
fn what_one_process_remembers_another_may_change() {
    let app = App::start();
    let elsewhere = App::beside(&app);
    let (till, there, manager) = (app.cashier(), elsewhere.cashier(), elsewhere.manager());
    let member = make::member(&till);
    let buy = |till: &Caller| till.post("/v1/till/purchases", &receipt(&member, &[line(10_000)]));
    for turn in 1..=4 {
        let till = if turn % 2 == 0 { &there } else { &till };
        assert_eq!(buy(till).expect(201)["balance"]["available"], 100 * turn);
    }
    let turn = |how: &str| {
        let path = format!("/v1/admin/members/{}/{how}", member.id);
        manager.post(&path, &json!({"reason": "a look at the account"})).expect(200)
    };
    // Granted on what is remembered, if nobody asked the database.
    turn("freeze");
    buy(&till).problem(422, "member_frozen");
    // Refused on what is remembered, if nobody asked the database.
    buy(&there).problem(422, "member_frozen");
    turn("unfreeze");
    assert_eq!(buy(&till).expect(201)["balance"]["available"], 500);
    let all = |caller: &Caller| caller.post("/v1/member/redemptions", &json!({"points": 500}));
    let own = app.member(&member);
    assert_eq!(all(&own).expect(201)["balance"]["available"], 0);
    assert_eq!(buy(&there).expect(201)["balance"]["available"], 100);
    all(&own).problem(422, "insufficient_points");
}

/// Receipts and keys are claimed across members, whom different processes lock.
#[test]
fn one_number_is_one_document_for_whomever() {
    let app = App::start();
    let elsewhere = App::beside(&app);
    let till = app.cashier();
    let members: Vec<_> = (0..10).map(|_| make::member(&till)).collect();
    let mut bodies: Vec<_> = members.iter().map(|member| receipt(member, &[line(10_000)])).collect();
    for body in &mut bodies {
        body["external_id"] = json!("R-1");
    }
    let callers = [till, elsewhere.cashier()];
    let replies = all_at_once(10, &callers, |till, i| till.post("/v1/till/purchases", &bodies[i]));
    assert_eq!(count(&replies, 201), 1, "{replies:?}");
    for refused in replies.iter().filter(|reply| reply.status != 201) {
        refused.problem(409, "duplicate_external_id");
    }
    let one = key();
    let replies = all_at_once(10, &callers, |till, i| {
        till.post_under(&one, "/v1/till/purchases", &receipt(&members[i], &[line(10_000)]))
    });
    assert_eq!(count(&replies, 201), 1, "{replies:?}");
    for refused in replies.iter().filter(|reply| reply.status != 201) {
        refused.problem(422, "idempotency_key_reused");
    }
    assert_eq!(app.db.number("select count(*) as value from purchase"), 2);
}

#[test]
fn the_last_three_of_a_reward_go_to_three() {
    let app = App::start();
    let elsewhere = App::beside(&app);
    let till = app.cashier();
    let members: Vec<_> = (0..30).map(|_| make::member(&till)).collect();
    for member in &members {
        earn(&till, member, 100);
    }
    let codes: Vec<String> = members.iter().map(|member| app.otp(member)).collect();
    let callers = [till, elsewhere.cashier()];
    let replies = all_at_once(30, &callers, |till, i| {
        let authorisation = json!({"otp": codes[i]});
        let body = json!({"member_id": members[i].id, "reward_id": "mug", "authorisation": authorisation});
        till.post("/v1/till/redemptions", &body)
    });
    assert_eq!(count(&replies, 201), 3, "{replies:?}");
    for refused in replies.iter().filter(|reply| reply.status != 201) {
        refused.problem(409, "out_of_stock");
    }
    assert_eq!(app.db.number("select used as value from reward_usage"), 3);
    assert_eq!(app.db.number("select sum(available)::bigint as value from standing"), 30 * 100 - 3 * 50);
}

#[test]
fn goods_come_back_once() {
    let app = App::start();
    let elsewhere = App::beside(&app);
    let callers = [app.cashier(), elsewhere.cashier()];
    let member = make::member(&callers[0]);
    let ten = json!({"quantity": 10, "amount": 10_005});
    let sale = callers[0].post("/v1/till/purchases", &receipt(&member, &[ten, line(100)])).expect(201);
    let path = format!("/v1/till/purchases/{}/returns", sale["id"].as_str().unwrap());
    let piece =
        |number: &str| json!({"external_id": number, "lines": [{"line": 1, "quantity": 1}], "reason": "damaged"});
    let replies = all_at_once(13, &callers, |till, _| till.post(&path, &piece(&key())));
    assert_eq!((count(&replies, 201), count(&replies, 422)), (10, 3));
    for refused in replies.iter().filter(|reply| reply.status == 422) {
        refused.problem(422, "more_than_left");
    }
    let amounts =
        replies.iter().filter(|reply| reply.status == 201).map(|reply| reply.json()["amount"]["amount"].as_i64());
    assert_eq!(amounts.map(Option::unwrap).sum::<i64>(), 10_005, "ten pieces are the line");
    assert_eq!(app.db.number("select available as value from standing"), 1, "what is left earned 1");

    // The rest, sent by many at once under one number.
    let rest = json!({"external_id": "B-1", "all": true, "reason": "damaged"});
    let replies = all_at_once(12, &callers, |till, _| till.post(&path, &rest));
    assert_eq!((count(&replies, 201), count(&replies, 200)), (1, 11));
    assert!(replies.iter().all(|reply| reply.text == replies[0].text));
    assert_eq!(app.db.number("select count(*) as value from purchase_return"), 11);
    assert_eq!(app.db.number("select available as value from standing"), 0);
}

#[test]
fn a_thousand_lines_come_back_in_splinters_at_once() {
    let app = App::start();
    let elsewhere = App::beside(&app);
    let callers = [app.cashier(), elsewhere.cashier()];
    let member = make::member(&callers[0]);
    let lines: Vec<_> = (0..1_000).map(|i| json!({"quantity": "1.616", "amount": 100 + i})).collect();
    let sale = callers[0].post("/v1/till/purchases", &receipt(&member, &lines)).expect(201);
    assert_eq!(sale["points"]["given"], 5_995);
    let path = format!("/v1/till/purchases/{}/returns", sale["id"].as_str().unwrap());
    let piece = || {
        let lines: Vec<_> = (1..=1_000).map(|line| json!({"line": line, "quantity": "0.101"})).collect();
        json!({"external_id": key(), "lines": lines, "reason": "damaged"})
    };
    // Who is told to come again comes again, under the same key.
    let replies = all_at_once(16, &callers, |till, _| {
        let (one, body) = (key(), piece());
        eventually("it is taken back", || {
            let reply = till.post_under(&one, &path, &body);
            (reply.status != 503).then_some(reply)
        })
    });
    assert_eq!(count(&replies, 201), 16, "{:?}", replies.iter().map(|reply| reply.status).collect::<Vec<_>>());
    callers[0].post(&path, &piece()).problem(422, "more_than_left");
    let sum = |of: &str| replies.iter().map(|reply| reply.json().pointer(of).unwrap().as_i64().unwrap()).sum::<i64>();
    assert_eq!((sum("/amount/amount"), sum("/points/clawed")), (599_500, 5_995), "sixteen splinters are the sale");
    assert_eq!(app.db.number("select available + debt as value from standing"), 0);
    let wrong = "select count(*) as value from (select l.line, sum(l.amount) as amount
        from purchase_return r, jsonb_to_recordset(r.lines::jsonb) as l(line int, amount bigint) group by l.line) s
        where amount <> 99 + line";
    assert_eq!(app.db.number(wrong), 0, "and of every line");
}

#[test]
fn a_hold_is_captured_once() {
    let app = App::start();
    let elsewhere = App::beside(&app);
    let callers = [app.cashier(), elsewhere.cashier()];
    let member = make::member(&callers[0]);
    earn(&callers[0], &member, 500);
    let hold = json!({
        "member_id": member.id, "points": 300, "mode": "hold", "authorisation": {"otp": app.otp(&member)},
    });
    let held = callers[0].post("/v1/till/redemptions", &hold).expect(201);
    let path = format!("/v1/till/redemptions/{}/capture", held["id"].as_str().unwrap());
    let replies = all_at_once(12, &callers, |till, _| till.post(&path, &json!({"points": 100})));
    assert_eq!(count(&replies, 200), 1);
    for refused in replies.iter().filter(|reply| reply.status != 200) {
        assert_eq!(refused.problem(409, "not_held")["redemption_status"], "captured");
    }
    assert_eq!(app.db.number("select available as value from standing"), 400);
    assert_eq!(app.db.number("select held as value from standing"), 0);
}

/// Two of a household spend what one of them could.
#[test]
fn a_pool_pays_for_what_it_pays_for() {
    let app = App::with(|programme| programme["pools"] = json!({"members": 3, "daily_limit": 100_000}));
    let elsewhere = App::beside(&app);
    let till = app.cashier();
    let household: Vec<_> = (0..3).map(|_| make::member(&till)).collect();
    let head = app.member(&household[0]);
    for member in &household[1..] {
        let code = head.post("/v1/member/pool/invitations", &json!({"may_spend": true})).expect(201)["code"].take();
        app.member(member).post("/v1/member/pool/join", &json!({"code": code})).expect(200);
    }
    for (i, points) in [300, 250, 7, 143, 49].into_iter().enumerate() {
        earn(&till, &household[i % 3], points);
    }
    let callers: Vec<Caller> = (0..6)
        .map(|i| {
            let own = app.member(&household[i % 3]);
            if i < 3 { own } else { elsewhere.anon().with_token(own.token().unwrap()) }
        })
        .collect();
    let replies = all_at_once(30, &callers, |caller, _| caller.post("/v1/member/redemptions", &json!({"points": 100})));
    assert_eq!((count(&replies, 201), count(&replies, 422)), (7, 23), "749 points pay for 7: {replies:?}");
    for refused in replies.iter().filter(|reply| reply.status == 422) {
        assert_eq!(refused.problem(422, "insufficient_points")["available"], 49);
    }
    assert_eq!(app.db.number("select sum(available)::bigint as value from standing"), 49);
}

/// Receipts for two accounts while one becomes the other: each counts once, for the one that stays.
#[test]
fn what_is_bought_while_accounts_merge_is_lost_to_nobody() {
    let app = App::start();
    let elsewhere = App::beside(&app);
    let (till, there) = (app.cashier(), elsewhere.cashier());
    let (old, new) = (make::member(&till), make::member(&till));
    let path = format!("/v1/admin/members/{}/merge", old.id);
    let callers = [till, there, app.admin()];
    let replies = all_at_once(30, &callers, |caller, i| match i {
        14 => caller.post(&path, &json!({"into": new.id, "reason": "enrolled twice"})),
        i if i % 3 == 2 => caller.get(&format!("/v1/admin/members/{}", old.id)),
        i => {
            let member = if i % 2 == 0 { &old } else { &new };
            caller.post("/v1/till/purchases", &receipt(member, &[line(10_000)]))
        }
    });
    assert_eq!((count(&replies, 201), count(&replies, 200)), (20, 10), "{replies:?}");
    let whole = |member: &make::Member| {
        app.db.number(&format!(
            "select available as value from standing join member on id = member_id and code = '{}'",
            member.code
        ))
    };
    let tier_of =
        |member: &make::Member| app.member(member).get("/v1/member/tier").expect(200)["progress"]["value"].clone();
    assert_eq!((whole(&old), whole(&new)), (0, app.db.number("select sum(points)::bigint as value from purchase")));
    assert_eq!(tier_of(&new), 2000);
}

/// Both give each other what they have.
#[test]
fn points_that_cross_are_neither_lost_nor_made() {
    let app = App::with(|programme| programme["transfers"] = json!({"daily_limit": 100_000}));
    let elsewhere = App::beside(&app);
    let till = app.cashier();
    let (anna, ben) = (make::member(&till), make::member(&till));
    earn(&till, &anna, 500);
    earn(&till, &ben, 500);
    let away = elsewhere.anon().with_token(app.member(&ben).token().unwrap());
    let replies = all_at_once(40, &[app.member(&anna), away], |caller, i| {
        let to = if i % 2 == 0 { &ben } else { &anna };
        caller.post("/v1/member/transfers", &json!({"to": to.code, "points": 100}))
    });
    let (given, short) = (count(&replies, 201), count(&replies, 422));
    assert_eq!(given + short, 40, "{replies:?}");
    assert!(given >= 10, "what each had to begin with, at least");
    assert_eq!(app.db.number("select sum(available)::bigint as value from standing"), 1000);
    assert_eq!(app.db.number("select sum(remaining)::bigint as value from lot"), 1000);
}

#[test]
fn a_hold_ends_by_itself_or_is_captured() {
    let app = App::start();
    let elsewhere = App::beside(&app);
    let callers = [app.cashier(), elsewhere.cashier()];
    let admin = app.admin();
    let mut ends = [0, 0];
    for _ in 0..8 {
        let member = make::member(&callers[0]);
        earn(&callers[0], &member, 500);
        let hold = json!({
            "member_id": member.id, "points": 300, "mode": "hold", "authorisation": {"otp": app.otp(&member)},
        });
        let held = callers[0].post("/v1/till/redemptions", &hold).expect(201);
        let path = format!("/v1/till/redemptions/{}/capture", held["id"].as_str().unwrap());
        // The clock passes the hold's end, and its jobs look for it, while everybody captures.
        let replies = all_at_once(9, &callers, |till, i| {
            if i == 8 {
                return admin.put("/v1/sandbox/clock", &json!({"now": held["expires_at"]}));
            }
            till.post(&path, &json!({}))
        });
        replies[8].expect(200);
        let captured = count(&replies[..8], 200);
        let status = ["voided", "captured"][captured];
        ends[captured] += 1;
        for refused in replies[..8].iter().filter(|reply| reply.status != 200) {
            // A process whose clock had passed the end already says so, whoever was in time elsewhere.
            let told = refused.problem(409, "not_held")["redemption_status"].clone();
            assert!(told == status || told == "voided", "{told}");
        }
        let balance = callers[1].get(&format!("/v1/till/members/{}/balance", member.id)).expect(200);
        assert_eq!((&balance["held"], &balance["available"]), (&json!(0), &json!([500, 200][captured])));
        let now = callers[1].get(path.trim_end_matches("/capture")).expect(200);
        assert_eq!(now["status"], status);
    }
    let kinds = |kind: &str| app.db.number(&format!("select count(*) as value from entry where kind = '{kind}'"));
    assert_eq!((kinds("release"), kinds("redemption")), (ends[0], ends[1]), "each hold ends once");
}

#[test]
fn goods_come_back_while_the_programme_changes() {
    let app = App::start();
    let elsewhere = App::beside(&app);
    let callers = [app.cashier(), elsewhere.cashier()];
    let member = make::member(&callers[0]);
    let ten = json!({"quantity": 10, "amount": 50_050});
    let sale = callers[0].post("/v1/till/purchases", &receipt(&member, &[ten])).expect(201);
    assert_eq!(sale["points"]["given"], 500);
    let path = format!("/v1/till/purchases/{}/returns", sale["id"].as_str().unwrap());
    let piece = || json!({"external_id": key(), "lines": [{"line": 1, "quantity": 1}], "reason": "damaged"});
    // Neither what points are worth today nor where the tiers stand is any business of the sale's.
    let change = |round: usize| {
        app.reconfigure(|programme| {
            programme["earning"]["rate"]["points"] = json!(2 + round);
            programme["tiers"]["levels"][1]["threshold"] = json!(900 + round);
        });
    };
    let replies = std::thread::scope(|scope| {
        let changes = scope.spawn(|| (0..12).for_each(change));
        // Who meets one change too many is told to come back, and comes back under the same key.
        let replies = all_at_once(10, &callers, |till, _| {
            let (key, body) = (key(), piece());
            eventually("the piece is taken back", || {
                let reply = till.post_under(&key, &path, &body);
                (reply.status != 503).then_some(reply)
            })
        });
        changes.join().expect("the programme changes");
        replies
    });
    let clawed = replies.iter().map(|reply| reply.expect(201)["points"]["clawed"].as_i64().unwrap());
    assert_eq!(clawed.sum::<i64>(), 500, "all that the sale earned, at the rate it earned at");
    assert_eq!(app.db.number("select max(version) as value from programme_version"), 13);
    assert_eq!(app.db.number("select available as value from standing"), 0);
    assert_eq!(app.db.number("select window_points as value from standing"), 0);
    // What is bought now earns at what came last.
    assert_eq!(earn_at(&callers[1], &member), 1300);
}

/// Points of a purchase of 100.00.
fn earn_at(till: &Caller, member: &Member) -> i64 {
    let bought = till.post("/v1/till/purchases", &receipt(member, &[line(10_000)])).expect(201);
    bought["points"]["given"].as_i64().unwrap()
}
