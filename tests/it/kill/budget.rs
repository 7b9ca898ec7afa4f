//! A budget that is given out while the server is killed: never over by a point, and counted right.

use std::sync::Mutex;

use serde_json::{Value, json};

use super::{KILLS, MEMBERS, Sale, furnish, login, round, send, serve, verify};
use crate::support::app::PASSWORD;
use crate::support::db::scratch;
use crate::support::make::{self, Member};
use crate::support::process::tessera;

const BUDGET: i64 = 700;

/// Points the promotion was charged, as the answer to a sale tells.
fn charged(sale: &Sale) -> i64 {
    let answer: Value = serde_json::from_str(sale.acknowledged.as_ref().unwrap()).unwrap();
    let promotions = answer["explanation"]["promotions"].as_array().unwrap();
    promotions.iter().find(|promotion| promotion["code"] == "gift").unwrap()["charged"].as_i64().unwrap()
}

#[test]
fn killed_at_any_moment_it_gives_out_no_more_than_its_budgets() {
    let dir = scratch("kill-budget");
    furnish(&dir);
    let (mut process, anon) = serve(&dir);
    let sign_in = json!({"identifier": "admin", "password": PASSWORD});
    let admin = anon.post("/v1/auth/login", &sign_in).expect(200)["access_token"].as_str().unwrap().to_owned();
    let gift = json!({
        "code": "gift", "name": "Gift", "effect": {"kind": "add", "points": 3}, "limits": {"budget_points": BUDGET},
    });
    anon.with_token(&admin).post("/v1/admin/promotions", &gift).expect(201);
    let token = login(&anon);
    let members: Vec<Member> = (0..MEMBERS).map(|_| make::member(&anon.with_token(&token))).collect();
    process.signal(libc::SIGTERM);
    assert!(process.wait().success());

    let sales = Mutex::new(Vec::new());
    for _ in 0..KILLS {
        round(&dir, &token, &members, &sales);
    }
    let mut sales = sales.into_inner().unwrap();
    let (mut process, anon) = serve(&dir);
    let till = anon.with_token(&token);
    let mut given = 0;
    for sale in &mut sales {
        assert!(send(&till, sale), "{}", sale.body);
        given += charged(sale);
    }
    // What is left goes to the next, to the point.
    for i in 0.. {
        let body = make::receipt(&members[i % MEMBERS], &[make::line(100)]);
        let mut sale = Sale { key: make::key(), body, acknowledged: None };
        assert!(send(&till, &mut sale));
        given += charged(&sale);
        if charged(&sale) == 0 {
            break;
        }
    }
    assert_eq!(given, BUDGET);
    process.signal(libc::SIGTERM);
    assert!(process.wait().success());
    // The counts are what the purchases say.
    verify(tessera(&dir).args(["verify", "--json"]));
}
