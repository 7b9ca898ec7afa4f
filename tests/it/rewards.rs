//! Rewards as an admin configures them and a shop hands them over: prices by tier, limits, codes of partners,
//! tickets for draws, goods on their way, and many who want the last of them.

mod handing_over;
mod racing;
mod tickets;
mod vouchers;

use serde_json::{Value, json};

use crate::support::make::{self, earn, line, receipt};
use crate::support::{App, Caller};

/// The test programme with a cake that silver has cheaper and gold for nothing, once a month each, and with
/// tickets to the cinema.
fn with_rewards(programme: &mut Value) {
    let rewards = programme["rewards"].as_array_mut().expect("rewards");
    rewards.push(json!({
        "code": "cake", "name": {"en": "Cake", "zh": "蛋糕"}, "points": 200, "stock": 3,
        "points_by_tier": [{"tier": "silver", "points": 150}, {"tier": "gold", "points": 0}],
        "per_member": {"most": 1, "per": "month"},
        "description": {"en": "With strawberries", "zh": "草莓味"},
        "pictures": ["https://example.com/cake.webp"],
    }));
    rewards.push(json!({"code": "cinema", "name": "Cinema", "kind": "partner_voucher", "points": 100}));
}

fn redeem(own: &Caller, reward: &str) -> crate::support::Reply {
    own.post("/v1/member/redemptions", &json!({"reward_id": reward}))
}

fn catalogue(own: &Caller, id: &str) -> Value {
    let rewards = own.get("/v1/member/rewards").expect(200);
    let all = rewards["data"].as_array().expect("a list");
    all.iter().find(|reward| reward["id"] == id).expect("a reward").clone()
}

#[test]
fn a_member_is_shown_his_own_price_and_pays_it() {
    let app = App::with(with_rewards);
    let till = app.cashier();
    let plain = make::member(&till);
    earn(&till, &plain, 300);
    let own = app.member(&plain);
    let cake = catalogue(&own, "cake");
    assert_eq!((&cake["points"], &cake["normal_points"], &cake["left"]), (&json!(200), &json!(200), &json!(3)));
    assert_eq!((&cake["kind"], &cake["redeemable"]), (&json!("goods"), &json!(true)));
    assert_eq!(cake["description"], json!({"en": "With strawberries", "zh": "草莓味"}));
    assert_eq!(cake["pictures"], json!(["https://example.com/cake.webp"]));
    assert_eq!((&cake["per_member"], &cake["left_for_member"]), (&json!({"most": 1, "per": "month"}), &json!(1)));

    let redeemed = redeem(&own, "cake").expect(201);
    assert_eq!((&redeemed["points"], &redeemed["fulfilment"]), (&json!(200), &json!("reserved")));
    assert_eq!(redeemed["voucher_code"], Value::Null);
    let cake = catalogue(&own, "cake");
    assert_eq!((&cake["left"], &cake["left_for_member"], &cake["redeemable"]), (&json!(2), &json!(0), &json!(false)));
    assert_eq!(redeem(&own, "cake").problem(422, "member_limit")["limit"], 1);
    app.advance("P31D");
    assert_eq!(catalogue(&own, "cake")["left_for_member"], 1, "another month");

    let gold = make::member(&till);
    till.post("/v1/till/purchases", &receipt(&gold, &[line(600_000)])).expect(201);
    let own = app.member(&gold);
    let cake = catalogue(&own, "cake");
    assert_eq!((&cake["points"], &cake["normal_points"]), (&json!(0), &json!(200)));
    let before = own.get("/v1/member/balance").expect(200);
    let free = redeem(&own, "cake").expect(201);
    assert_eq!((&free["points"], &free["balance"]["available"]), (&json!(0), &before["available"]));
}

#[test]
fn a_limit_and_a_price_are_kept_by_verify() {
    let mut app = App::with(with_rewards);
    let till = app.cashier();
    let member = make::member(&till);
    earn(&till, &member, 900);
    let own = app.member(&member);
    redeem(&own, "coffee").expect(201);
    redeem(&own, "cake").expect(201);
    app.verified = false;
    app.stop();
    let verify = || {
        let mut command = crate::support::process::tessera(&crate::support::db::scratch("rewards"));
        crate::support::process::finish(command.env("DATABASE_URL", &app.db.url).arg("verify"))
    };
    assert_eq!(verify().0, 0);
    let changes = [
        ("update reward_usage set used = 2 where reward = 'cake'", "2 are counted, 1 were redeemed"),
        (
            "update reward_usage set used = 1 where reward = 'cake'; \
             alter table fulfilment_step disable trigger user; \
             update fulfilment set status = 'ready'",
            "its goods do not stand where their steps lead",
        ),
        ("update fulfilment set status = 'reserved'; delete from fulfilment_step", "steps lead"),
        ("delete from fulfilment", "it has neither a code nor goods"),
    ];
    for (change, said) in changes {
        app.db.execute(change);
        let (code, _, err) = verify();
        assert!(code == 1 && err.contains(said), "{change}: {code} {err}");
    }
}
