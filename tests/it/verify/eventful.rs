//! Books that have everything there is, each column of them changed behind the back of the ledger.

use serde_json::{Value, json};

use super::{Change, find_out};
use crate::support::App;
use crate::support::make::{self, earn, key, line};

/// A year that has everything the books can show: points that waited, lapsed by inactivity and by a
/// date of their own, holds of every end, goods that came back, a placement, entitlements, notices.
pub(crate) fn eventful() -> (App, String) {
    let app = App::with(|programme| {
        programme["earning"]["pending_days"] = json!(7);
        programme["earning"]["carry_remainder"] = json!(true);
        programme["expiry"] = json!({"policy": "inactivity", "months": 2});
        programme["redemption"]["hold_minutes"] = json!(43_200);
        programme["tiers"]["validity"] = json!({"kind": "months", "months": 6});
        programme["tiers"]["levels"][1]["entitlements"] = json!([
            {"code": "double-day", "name": "Double day", "per_year": 2,
             "kind": {"kind": "multiplier_day", "multiplier": "2"}},
            {"code": "delivery", "name": "Free delivery", "per_year": 4},
        ]);
        programme["promotions"] = json!([{
            "code": "spring", "name": "Spring", "effect": {"kind": "add", "points": 40},
            "schedule": {"to": "2031-03-31"}, "expiry": {"policy": "after", "months": 1},
        }]);
    });
    let till = app.cashier();
    let member = make::member(&till);
    let pin = json!({"pin": "135790", "password": crate::support::app::PASSWORD});
    app.member(&member).put("/v1/member/pin", &pin).expect(204);
    let shown = json!({"pin": "135790"});
    let redeem = |what: Value, mode: &str| {
        let mut body = what;
        body["member_id"] = json!(member.id);
        body["mode"] = json!(mode);
        body["authorisation"] = shown.clone();
        let made = till.post("/v1/till/redemptions", &body).expect(201);
        format!("/v1/till/redemptions/{}", made["id"].as_str().expect("an id"))
    };
    let back = |sale: &Value, lines: Value| {
        let path = format!("/v1/till/purchases/{}/returns", sale["id"].as_str().expect("an id"));
        till.post(&path, &json!({"external_id": key(), "lines": lines, "reason": "damaged"})).expect(201)
    };
    // Idle from here on: these points lapse, and a hold of some of them with them.
    earn(&till, &member, 1500);
    app.advance("P8D");
    redeem(json!({"points": 150}), "hold");
    app.advance("P75D");
    let till = app.cashier();
    earn(&till, &member, 1000);
    app.advance("P8D");
    let spent = redeem(json!({"points": 300}), "hold");
    till.post(&format!("{spent}/capture"), &json!({"points": 200})).expect(200);
    for mode in ["capture", "hold"] {
        till.post(&format!("{}/void", redeem(json!({"reward_id": "mug"}), mode)), &json!({})).expect(200);
    }
    redeem(json!({"reward_id": "coffee"}), "capture");
    redeem(json!({"points": 100}), "hold");
    let mut sale = make::receipt(&member, &[line(10_033), json!({"quantity": 3, "amount": 5_000})]);
    sale["redeem"] = json!({"points": 200, "authorisation": shown});
    let sale = till.post("/v1/till/purchases", &sale).expect(201);
    back(&sale, json!([{"line": 2, "quantity": "1"}]));
    app.advance("P8D");
    let till = app.cashier();
    let late = till.post("/v1/till/purchases", &make::receipt(&member, &[line(7_777)])).expect(201);
    let path = format!("/v1/till/purchases/{}/returns", sale["id"].as_str().expect("an id"));
    till.post(&path, &json!({"external_id": key(), "lines": [{"line": 2}], "reason": "damaged"})).expect(201);
    let path = format!("/v1/till/purchases/{}/returns", late["id"].as_str().expect("an id"));
    till.post(&path, &json!({"external_id": key(), "all": true, "reason": "regretted"})).expect(201);
    for (code, body) in [("double-day", json!({"day": "2031-12-24"})), ("delivery", json!({})), ("delivery", json!({}))]
    {
        till.post(&format!("/v1/till/members/{}/entitlements/{code}/uses", member.id), &body).expect(201);
    }
    let placed = json!({"tier": "gold", "until": "2031-12-01T00:00:00Z", "reason": "spoilt dinner"});
    app.manager().post(&format!("/v1/admin/members/{}/tier", member.id), &placed).expect(201);
    earn(&till, &member, 50);
    (app, member.id)
}

const CHANGES: &[Change] = &[
    Change(
        "entry",
        "update entry set number = 1000 where number = 2 and {his}; \
         update entry set number = 2 where number = 3 and {his}; \
         update entry set number = 3 where number = 1000 and {his}",
        "entry of member {him}, number 2: its hash does not follow",
    ),
    Change("standing", "update standing set pending = pending + 1 where {his}", "standing of member {him}: pending is"),
    Change("standing", "update standing set held = held + 1 where {his}", "standing of member {him}: held is"),
    Change(
        "standing",
        "update standing set clock.holds_due_at = (clock).holds_due_at + interval '1 hour' where {his}",
        "standing of member {him}: holds_due_at is",
    ),
    Change(
        "standing",
        "update standing set clock.active_at = (clock).active_at + interval '1 hour' where {his}",
        "standing of member {him}: active_at is",
    ),
    Change(
        "standing",
        "update standing set clock.idle_months = 3 where {his}",
        "standing of member {him}: idle_months is",
    ),
    Change(
        "standing",
        "update standing set clock.idle_due_at = (clock).idle_due_at + interval '1 day' where {his}",
        "standing of member {him}: idle_due_at is",
    ),
    Change(
        "standing",
        "update standing set tier_until = tier_until - interval '1 day' where {his}",
        "standing of member {him}: tier_due_at is",
    ),
    Change(
        "standing",
        "update standing set tier_until = tier_until + interval '10 years' where {his}",
        "standing of member {him}: tier_until is",
    ),
    Change(
        "standing",
        "update standing set tier_due_at = tier_due_at + interval '1 day' where {his}",
        "standing of member {him}: tier_due_at is",
    ),
    Change("standing", "update standing set placement.own = 'basic' where {his}", "standing of member {him}: "),
    Change(
        "standing",
        "update standing set placement.until = recorded_at where {his}",
        "standing of member {him}: its placement is over",
    ),
    Change(
        "standing",
        "update standing set boost_until = boost_until - interval '1 day' where {his}",
        "standing of member {him}: boost_until is",
    ),
    Change("standing", "update standing set carry = carry + 1 where {his}", "standing of member {him}: carry is"),
    Change(
        "lot",
        "update lot set held = held + 1, remaining = remaining - 1 where held > 0 and {his}",
        "lot of member {him}",
    ),
    Change("lot", "update lot set lapsed = lapsed - 1 where lapsed > 0 and {his}", "lot of member {him}"),
    Change("lot", "update lot set pending = not pending where {his}", "lot of member {him}"),
    Change(
        "lot",
        "update lot set origin = 1 where number = 3 and {his}",
        "lot of member {him}, number 3: its points are new",
    ),
    Change(
        "lot",
        "update lot set fixed = true, idle_months = null where idle_months > 0 and {his}",
        "its expiry is not",
    ),
    Change("lot", "update lot set idle_months = 5 where idle_months > 0 and {his}", "its expiry is not"),
    Change("lot", "update lot set fixed = false where fixed and {his}", "its expiry is not"),
    Change(
        "lot",
        "update lot set available_from = available_from + interval '1 day' where {his}",
        "lot of member {him}, number 1: its times are not",
    ),
    Change(
        "lot_movement",
        "update lot_movement set held = held - 1 where held > 1 and {his}",
        "lot_movement of member {him}",
    ),
    Change(
        "lot_movement",
        "update lot_movement set lapsed = 0 where lapsed > 0 and {his}",
        "lot_movement of member {him}",
    ),
    Change("lot_movement", "delete from lot_movement where held > 0 and {his}", "of member {him}"),
    Change("purchase", "update purchase set micropoints = micropoints + 1 where {his}", "of member {him}"),
    Change(
        "purchase",
        "update purchase set redemption_id = null where redemption_id is not null and {his}",
        "purchase_return of member {him}, ",
    ),
    Change(
        "purchase",
        "update purchase set redemption_id = id where redemption_id is not null and {his}",
        "purchase_return of member {him}, ",
    ),
    Change(
        "redemption",
        "update redemption set status = 'captured', held_until = null where status = 'held' and {his}",
        "redemption of member {him}, ",
    ),
    Change(
        "redemption",
        "update redemption set status = 'captured' where status = 'voided' and {his}",
        "redemption of member {him}, ",
    ),
    Change(
        "redemption",
        "update redemption set held_until = held_until + interval '1 hour' where {his}",
        "it is not held for as long",
    ),
    Change("redemption", "update redemption set entry = entry + 1 where {his}", "it and its entry do not agree"),
    Change("redemption", "update redemption set worth = worth + 1 where {his}", "nothing of that kind and price"),
    Change("redemption", "update redemption set points = points + 1 where {his}", "it and its entry do not agree"),
    Change(
        "redemption",
        "update redemption set bite_points[1] = bite_points[1] + 1 where status <> 'voided' and {his}",
        "its bites are not",
    ),
    Change(
        "redemption",
        "update redemption set bite_lots[1] = bite_lots[1] + 1 where status <> 'voided' and {his}",
        "its bites are not",
    ),
    Change(
        "redemption",
        "update redemption set purchase_id = null where purchase_id is not null and {his}",
        "purchase of member {him}, ",
    ),
    Change("redemption", "delete from redemption where status = 'voided' and {his}", "its document does not exist"),
    Change(
        "redemption",
        "update redemption set reward = 'coffee' where reward = 'mug' and {his}",
        "nothing of that kind and price",
    ),
    Change(
        "purchase_return",
        "update purchase_return set clawed = clawed + 1 where {his}",
        "purchase_return of member {him}, ",
    ),
    Change(
        "purchase_return",
        "update purchase_return set clawed = clawed + 1, forgiven = forgiven + 1 where {his}",
        "purchase_return of member {him}, ",
    ),
    Change(
        "purchase_return",
        "update purchase_return set owed = owed + 1 where clawed > 0 and {his}",
        "purchase_return of member {him}, ",
    ),
    Change(
        "purchase_return",
        "update purchase_return set micropoints = micropoints + 1 where {his}",
        "purchase_return of member {him}, ",
    ),
    Change(
        "purchase_return",
        "update purchase_return set given_back = given_back + 1 where {his}",
        "purchase_return of member {him}, ",
    ),
    Change("purchase_return", "update purchase_return set amount = amount + 1 where {his}", "its amount is not"),
    Change(
        "purchase_return",
        "update purchase_return set lines = replace(lines, '\"quantity\":\"1\"', '\"quantity\":\"4\"') where {his}",
        "more came back than was sold",
    ),
    Change(
        "purchase_return",
        "update purchase_return set purchase_id = id where {his}",
        "purchase_return of member {him}, ",
    ),
    Change("purchase_return", "delete from purchase_return where {his}", "its document does not exist"),
    Change(
        "entitlement_use",
        "delete from entitlement_use where code = 'delivery' and number = 1 and {his}",
        "the use before it is missing",
    ),
    Change(
        "entitlement_use",
        "update entitlement_use set multiplier = 30000 where multiplier > 0 and {his}",
        "no tier entitles to it",
    ),
    Change(
        "entitlement_use",
        "update entitlement_use set year = year + 1 where {his}",
        "it does not count in the year of its day",
    ),
    Change("notice", "update notice set lead_days = lead_days + 100 where {his}", "it was not given in its time"),
    Change("notice", "update notice set noticed_at = due_at where {his}", "it was not given in its time"),
    Change(
        "notice",
        "update notice set content = content || '{\"kind\":\"gift\"}' where {his}",
        "its content is not what it warns of",
    ),
    Change("tier_change", "update tier_change set reason = null where {his}", "a placement has a reason"),
    Change(
        "tier_change",
        "update tier_change set at = at - interval '1 hour' where {his}",
        "it is not dated when it took effect",
    ),
    Change(
        "tier_change",
        "update tier_change set cause = 'purchase' where cause = 'placement' and {his}",
        "it does not lead to the tier",
    ),
    Change("qualifying_day", "update qualifying_day set given = given + 1 where {his}", "it is not the sum"),
    Change("reward_usage", "update reward_usage set used = used + 1 where reward = 'mug'", "reward_usage, mug: "),
    Change(
        "idempotency",
        "update idempotency set document_id = gen_random_uuid() where document_id is not null",
        "its document does not exist",
    ),
];

#[test]
fn whatever_is_changed_in_books_of_every_kind_is_found() {
    let (app, him) = eventful();
    let id = app.db.texts("select member_id::text as value from purchase_return limit 1").remove(0);
    find_out(app, &[("{his}", &format!("member_id = '{id}'")), ("{him}", &him)], CHANGES);
}
