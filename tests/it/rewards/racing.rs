//! Many at once, in two processes, for the last of something: exactly as many get it as there is.

use std::collections::BTreeSet;

use serde_json::json;

use super::vouchers::{numbered, upload};
use super::with_rewards;
use crate::race::{all_at_once, count};
use crate::support::make::{self, earn};
use crate::support::{App, Caller, Member, Reply};

/// Tills that race.
pub(super) const RACERS: usize = 50;

/// Members with points, each signed in at one of two processes.
pub(super) fn crowd(app: &App, elsewhere: &App, size: usize) -> Vec<(Member, Caller)> {
    let till = app.cashier();
    let one = |i: usize| {
        let member = make::member(&till);
        earn(&till, &member, 500);
        let own = app.member(&member);
        let there = elsewhere.anon().with_token(own.token().expect("signed in"));
        (member, if i.is_multiple_of(2) { own } else { there })
    };
    (0..size).map(one).collect()
}

#[test]
fn fifty_members_and_the_last_three_cakes() {
    let app = App::with(with_rewards);
    let elsewhere = App::beside(&app);
    let crowd = crowd(&app, &elsewhere, RACERS);
    let callers: Vec<Caller> = crowd.into_iter().map(|(_, own)| own).collect();
    let replies = all_at_once(RACERS, &callers, |own, _| super::redeem(own, "cake"));
    assert_eq!(count(&replies, 201), 3);
    for refused in replies.iter().filter(|reply| reply.status != 201) {
        refused.problem(409, "out_of_stock");
    }
    assert_eq!(app.db.number("select used as value from reward_usage where reward = 'cake'"), 3);
    assert_eq!(app.db.number("select count(*) as value from fulfilment where status = 'reserved'"), 3);
}

#[test]
fn fifty_redemptions_and_ten_codes() {
    let app = App::with(with_rewards);
    let elsewhere = App::beside(&app);
    upload(&app.admin(), &numbered(10)).expect(201);
    // Some of them race against themselves.
    let crowd = crowd(&app, &elsewhere, 20);
    let callers: Vec<Caller> = crowd.into_iter().map(|(_, own)| own).collect();
    let replies = all_at_once(RACERS, &callers, |own, _| super::redeem(own, "cinema"));
    let given: Vec<&Reply> = replies.iter().filter(|reply| reply.status == 201).collect();
    let codes: BTreeSet<String> =
        given.iter().map(|reply| reply.json()["voucher_code"].as_str().expect("a code").to_owned()).collect();
    assert_eq!((given.len(), codes), (10, numbered(10).into_iter().collect()));
    for refused in replies.iter().filter(|reply| reply.status != 201) {
        refused.problem(409, "out_of_stock");
    }
    assert_eq!(app.db.number("select count(*) as value from voucher_code where redemption_id is null"), 0);
}

#[test]
fn one_member_and_twenty_requests_for_the_one_he_may_have() {
    let app = App::with(|programme| {
        with_rewards(programme);
        let rewards = programme["rewards"].as_array_mut().expect("rewards");
        rewards.push(json!({"code": "poster", "name": "Poster", "points": 10, "per_member": {"most": 1}}));
    });
    let elsewhere = App::beside(&app);
    let (_, own) = crowd(&app, &elsewhere, 1).pop().expect("a member");
    let there = elsewhere.anon().with_token(own.token().expect("signed in"));
    let replies = all_at_once(20, &[own, there], |own, _| super::redeem(own, "poster"));
    assert_eq!(count(&replies, 201), 1);
    for refused in replies.iter().filter(|reply| reply.status != 201) {
        refused.problem(422, "member_limit");
    }
}

/// A cashier takes back what another hands over: whoever comes first, and never both.
#[test]
fn goods_are_handed_over_or_taken_back() {
    let app = App::with(with_rewards);
    let elsewhere = App::beside(&app);
    let (here, there) = (app.cashier(), elsewhere.cashier());
    for turn in 0..5 {
        let member = make::member(&here);
        earn(&here, &member, 500);
        let otp = app.member(&member).get("/v1/member/card").expect(200)["otp"].take();
        let ask = json!({"member_id": member.id, "reward_id": "coffee", "authorisation": {"otp": otp}});
        let id = here.post("/v1/till/redemptions", &ask).expect(201)["id"].as_str().expect("an id").to_owned();
        let replies = all_at_once(8, &[here.clone(), there.clone()], |till, i| {
            let how = if (i / 2).is_multiple_of(2) { "hand-over" } else { "void" };
            till.post(&format!("/v1/till/redemptions/{id}/{how}"), &json!({}))
        });
        assert_eq!(count(&replies, 200), 1, "turn {turn}: {replies:?}");
    }
}
