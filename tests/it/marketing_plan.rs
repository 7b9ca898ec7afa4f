//! A marketing person's plan in one file: planned, simulated, applied, and lived on the sandbox clock, with every
//! number of every answer told.

use serde_json::{Value, json};

use crate::support::db::scratch;
use crate::support::make::{self, line, line_of, receipt};
use crate::support::process::{finish, tessera};
use crate::support::{App, Member};
use crate::verify::passes;

/// The plan below the programme of the tests.
const PLAN: &str = concat!(include_str!("support/programme.toml"), include_str!("support/marketing_plan.toml"));

fn set(app: &App, now: &str) {
    app.admin().put("/v1/sandbox/clock", &json!({"now": now})).expect(200);
}

/// Points given, and what the promotion says of itself.
fn buy(app: &App, member: &Member, lines: &[Value]) -> (i64, Value) {
    let sale = app.cashier().post("/v1/till/purchases", &receipt(member, lines)).expect(201);
    let told = sale["explanation"]["promotions"][0].clone();
    (sale["points"]["given"].as_i64().unwrap(), told)
}

fn coffee(app: &App, member: &Member, amount: i64) -> (i64, Value) {
    buy(app, member, &[line_of("coffee", amount)])
}

#[test]
fn a_marketing_plan_is_planned_simulated_applied_and_lived() {
    let app = App::start();
    let till = app.cashier();
    let (anna, ben) = (make::member(&till), make::member(&till));
    let gina = make::enrol(&till, &json!({"name": "Gina", "birth_date": "1990-03-20"}));
    // Silver from 1,000 base points, gold from 5,000.
    assert_eq!([buy(&app, &anna, &[line(100_000)]).0, buy(&app, &gina, &[line(500_000)]).0], [1_000, 5_000]);
    // Tuesday, 15:00: coffee counts twice by a rule of the programme, and silver earns 1.2 times.
    set(&app, "2031-03-11T07:00:00Z");
    assert_eq!([coffee(&app, &anna, 5_000).0, coffee(&app, &ben, 5_000).0], [120, 100]);

    let dir = scratch("marketing");
    let file = dir.join("plan.toml");
    std::fs::write(&file, PLAN).unwrap();
    let run = |args: &[&str]| {
        let (code, told, err) = finish(tessera(&dir).args(args).env("DATABASE_URL", &app.db.url));
        assert_eq!(code, 0, "{told}{err}");
        told
    };
    let file = file.to_str().unwrap();
    let told = run(&["programme", "plan", file, "--simulate", "--from", "2031-03-01", "--to", "2031-03-31"]);
    // Anna and Gina would have filled their month, and Ben had 2.50.
    let lines = [
        "points: 6220 -> 6340 (+120)",
        "promotion coffee-tuesday: 0 -> 120 (+120)",
        "promotion cash-back: 0 -> 10250 (+10250) in minor units",
    ];
    assert!(lines.iter().all(|line| told.lines().any(|said| said == *line)), "{told}");
    run(&["programme", "apply", file]);

    // The next Tuesday: doubled, to the last point of the budget.
    set(&app, "2031-03-18T07:00:00Z");
    let (given, why) = coffee(&app, &anna, 10_000);
    assert_eq!((given, &why["charged"], &why["counted"]["points"]), (480, &json!(240), &json!(240)));
    let (given, why) = coffee(&app, &anna, 50_000);
    assert_eq!(
        (given, &why["charged"], &why["wanted"], &why["left"]),
        (1_960, &json!(760), &json!(1_200), &json!(760))
    );
    let (given, why) = coffee(&app, &anna, 1_000);
    assert_eq!((given, &why["missed"]), (24, &json!("budget")));
    let (given, why) = coffee(&app, &ben, 1_000);
    assert_eq!((given, &why["missed"]), (20, &json!("tier")));
    let (given, why) = buy(&app, &anna, &[line(1_000)]);
    assert_eq!((given, &why["missed"]), (12, &json!("lines")));
    set(&app, "2031-03-18T09:00:00Z");
    let (given, why) = coffee(&app, &anna, 1_000);
    assert_eq!((given, &why["missed"]), (24, &json!("hours")));

    first_purchase(&app);
    cakes(&app, &anna, &gina);
    cash_back(&app, &anna, &ben, &gina);
    passes(&app);
}

/// 250.00 costs 220.00, and earns on that; once, for the first two who join and before they have bought anything.
fn first_purchase(app: &App) {
    let till = app.cashier();
    let [carl, dora, eve] = [(); 3].map(|()| make::member(&till));
    let coupons = |member: &Member| app.member(member).get("/v1/member/coupons").expect(200)["data"].take();
    assert_eq!(coupons(&eve), json!([]), "two were to have one");
    let spend = |member: &Member, code: &Value, amount: i64| {
        let mut body = receipt(member, &[line(amount)]);
        body["coupons"] = json!([code]);
        till.post("/v1/till/purchases", &body)
    };
    buy(app, &dora, &[line(1_000)]);
    let late = spend(&dora, &coupons(&dora)[0]["code"], 25_000).problem(422, "coupon_not_applicable");
    assert_eq!(late["reason"], "not_in_segment");
    let code = coupons(&carl)[0]["code"].take();
    let bought = |amount: i64| spend(&carl, &code, amount);
    assert_eq!(bought(19_900).problem(422, "coupon_not_applicable")["reason"], "minimum_spend");
    let sale = bought(25_000).expect(201);
    assert_eq!((&sale["total"], &sale["points"]["given"]), (&json!(22_000), &json!(220)), "{sale:#}");
    let off = &sale["explanation"]["lines"][0];
    assert_eq!(
        (&off["list"], &off["discounts"][0]["amount"], &off["basis"]),
        (&json!(25_000), &json!(3_000), &json!(22_000))
    );
    bought(25_000).problem(422, "coupon_not_applicable");
}

/// Free on the birthday, for points beyond, and three in all.
fn cakes(app: &App, anna: &Member, gina: &Member) {
    let cake = |member: &Member| app.member(member).post("/v1/member/redemptions", &json!({"reward_id": "cake"}));
    set(app, "2031-03-20T02:00:00Z");
    let free = cake(gina).expect(201);
    assert_eq!((&free["points"], &free["perk"]), (&json!(0), &json!("birthday-cake")));
    // 5,000 of the purchase and 200 for the birthday, less 800.
    let paid = cake(gina).expect(201);
    assert_eq!(
        (&paid["points"], &paid["perk"], &paid["balance"]["available"]),
        (&json!(800), &Value::Null, &json!(4_400))
    );
    cake(anna).problem(422, "tier_too_low");
    cake(gina).expect(201);
    cake(gina).problem(409, "out_of_stock");
}

/// 5 % of what was paid: to the cent of a member's month, and to the cent of the budget.
fn cash_back(app: &App, anna: &Member, ben: &Member, gina: &Member) {
    let back = |member: &Member, amount: i64| {
        let mut sale = app.cashier().post("/v1/till/purchases", &receipt(member, &[line(amount)])).expect(201);
        let told = sale["explanation"]["promotions"].as_array_mut().unwrap();
        told.iter_mut().find(|told| told["code"] == "cash-back").unwrap().take()
    };
    let wallet =
        |member: &Member| app.member(member).get("/v1/member/wallet").expect(200)["balance"]["cashback"].take();
    // Anna bought for 630.00 since the plan began, Ben for 10.00.
    assert_eq!([wallet(anna), wallet(ben), wallet(gina)], [json!(3_150), json!(50), json!(0)]);
    assert_eq!(back(anna, 60_000)["cashback"], json!({"given": 1_850, "wanted": 3_000, "left": 1_850}));
    assert_eq!(back(ben, 200_000)["cashback"]["given"], 4_950);
    // Carl's 220.00 and Dora's 10.00 gave 11.50: 38.50 of 150.00 are left.
    assert_eq!(back(gina, 100_000)["cashback"]["given"], 3_850);
    let dry = back(gina, 100);
    assert_eq!((&dry["missed"], &dry["cashback"]), (&json!("budget"), &Value::Null));
    assert_eq!([wallet(anna), wallet(ben), wallet(gina)], [json!(5_000), json!(5_000), json!(3_850)]);
}
