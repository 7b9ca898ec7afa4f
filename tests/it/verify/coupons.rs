//! Coupons that are counted are coupons that were used.

use serde_json::json;

use super::{Change, find_out};
use crate::coupons::{issue, shop};
use crate::support::make::{self, key, line, receipt};

#[test]
fn what_coupons_count_is_what_purchases_say() {
    let app = shop();
    let till = app.cashier();
    let member = make::member(&till);
    let own = issue(&app, "spring", &json!({"member_id": member.id})).remove(0);
    let paper = issue(&app, "flyer", &json!({"count": 2}));
    let buy = |coupon: &str| {
        let mut body = receipt(&member, &[line(10_000)]);
        body["coupons"] = json!([coupon]);
        till.post("/v1/till/purchases", &body).expect(201)["id"].as_str().unwrap().to_owned()
    };
    let back = buy(&own);
    let goods = json!({"external_id": key(), "reason": "unwanted", "all": true});
    till.post(&format!("/v1/till/purchases/{back}/returns"), &goods).expect(201);
    buy(&own);
    buy(&paper[0]);
    let quote = json!({"member_id": member.id, "currency": "CNY", "lines": [line(500)]});
    let quote = till.request("POST", "/v1/till/quote").json(&quote).send().expect(200);
    till.post("/v1/till/purchases", &json!({"quote": quote["id"], "external_id": key()})).expect(201);
    // Rows are taken out and put back one table at a time.
    app.db.execute(
        "alter table coupon_use drop constraint coupon_use_coupon_fkey; alter table coupon drop constraint coupon_issue_fkey",
    );
    let names = [("OWN", own.as_str()), ("PAPER", paper[0].as_str())];
    find_out(
        app,
        &names,
        &[
            Change(
                "coupon",
                "update coupon set used = 0 where code = 'OWN'",
                "coupon, OWN: 0 uses are counted, 1 are on record",
            ),
            Change(
                "coupon_use",
                "delete from coupon_use where coupon = 'OWN' and number = 1",
                "coupon_use, OWN: its uses are not numbered",
            ),
            Change(
                "coupon_use",
                "update coupon_use set amount = 1 where coupon = 'PAPER'",
                "coupon_use, PAPER: its purchase does not say",
            ),
            Change(
                "coupon_use",
                "delete from coupon_use where coupon = 'OWN' and number = 1;
                 update coupon_use set number = 1 where coupon = 'OWN'",
                "purchases name 3 uses of coupons, 2 are on record",
            ),
            Change(
                "coupon_type_usage",
                "update coupon_type_usage set money = money + 1 where type = 'flyer'",
                "coupon_type_usage, flyer: 1 uses of 501 minor units are counted, 1 of 500 are on record",
            ),
            Change(
                "coupon_type_usage",
                "delete from coupon_type_usage where type = 'spring'",
                "coupon_type_usage, spring: 0 uses of 0 minor units are counted, 1 of 1000 are on record",
            ),
            Change("coupon_issue", "update coupon_issue set count = 3 where count = 2", "it says it made 3 coupons"),
            Change(
                "coupon",
                "update coupon set owner = (select id from member limit 1) where code = 'PAPER'",
                "it says it made 2 coupons",
            ),
            Change(
                "quote",
                "update quote set purchase_id = gen_random_uuid()",
                "the purchase made of it does not say so",
            ),
        ],
    );
}
