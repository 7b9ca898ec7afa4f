//! A mistake of ours in one command: it costs that command, and nobody else.

use chrono::TimeDelta;
use tessera::engine::{Answer, Failure, Render, Reply, Submission, Time};
use tessera_rules::command::PlaceTier;
use tessera_rules::id::MemberId;
use tessera_rules::{Actor, Command};
use tokio::sync::oneshot::Receiver;

use crate::support::make::{self, earn, line, receipt};
use crate::support::{App, Member, eventually};

fn good() -> Render {
    Box::new(|_| Answer { status: 200, body: String::new() })
}

fn place(app: &App, member: &Member, render: Render) -> Receiver<Result<Reply, Failure>> {
    let engine = app.engine();
    let until = engine.clock().now() + TimeDelta::days(30);
    let command = Command::PlaceTier(PlaceTier { tier: "gold".to_owned(), until, reason: "a treat".to_owned() });
    let member: MemberId = member.id.parse().expect("a member's id");
    let (actor, time) = (Actor::SYSTEM, Time::Live);
    engine.submit_blocking(Submission { member, command, actor, time, claim: None, audit: None, render })
}

/// Tier changes that were stored.
fn placed(app: &App) -> i64 {
    app.db.number("select count(*) as value from tier_change where cause = 'placement'")
}

#[test]
fn a_panic_costs_its_own_command_and_nobody_elses() {
    let app = App::start();
    let till = app.cashier();
    let members: Vec<Member> = (0..12).map(|_| make::member(&till)).collect();
    // Faster than one is stored: they share batches, whichever way these are cut.
    let bad = |i: usize| i % 4 == 1;
    let on_their_way: Vec<_> = members
        .iter()
        .enumerate()
        .map(|(i, member)| {
            let render: Render = if bad(i) { Box::new(|_| panic!("an answer that cannot be written")) } else { good() };
            place(&app, member, render)
        })
        .collect();
    for (i, answer) in on_their_way.into_iter().enumerate() {
        match answer.blocking_recv().expect("everybody is answered") {
            Ok(Reply::Decided { outcome: Ok(_), .. }) => assert!(!bad(i), "{i} has an answer"),
            Err(Failure::Internal(said)) => {
                assert!(bad(i) && said.contains("an answer that cannot be written"), "{i}: {said}");
            }
            other => panic!("{i}: {other:?}"),
        }
    }
    assert_eq!(placed(&app), 9, "what failed has left nothing behind");
    // The same threads go on, also for those whose command failed.
    app.anon().get("/readyz").expect(200);
    assert!(app.engine().is_whole());
    for member in &members {
        earn(&till, member, 100);
    }
    let metrics = app.anon().get("/metrics").text;
    for thread in ["writer", "storer"] {
        let counted = format!("tessera_panics_total{{thread=\"{thread}\"}}");
        assert!(metrics.lines().any(|line| line.starts_with(&counted)), "{thread}: {metrics}");
    }
}

/// Panics where nothing can be caught any more: when the thread lets go of an answered command.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "a command that cannot be let go of");
    }
}

#[test]
fn a_thread_that_is_gone_is_told_and_the_others_carry_on() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    let explode = || {
        let bomb = Bomb;
        let render: Render = Box::new(move |_| {
            let _held = &bomb;
            Answer { status: 200, body: String::new() }
        });
        place(&app, &member, render).blocking_recv().expect("an answer").expect("it is placed");
    };
    app.anon().get("/readyz").expect(200);
    explode();
    let readyz = eventually("readyz notices", || {
        let reply = app.anon().get("/readyz");
        (reply.status != 200).then_some(reply)
    });
    readyz.problem(503, "unavailable");
    app.anon().get("/livez").expect(200);
    // There is another storer.
    for _ in 0..5 {
        earn(&till, &member, 100);
    }
    explode();
    let sold = eventually("nobody is left to store anything", || {
        let reply = till.post("/v1/till/purchases", &receipt(&member, &[line(100)]));
        (reply.status != 201).then_some(reply)
    });
    sold.problem(503, "unavailable");
}
