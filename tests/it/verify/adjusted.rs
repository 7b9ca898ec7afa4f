//! What staff gave and took by hand is what its entries say, and what somebody allowed.

use serde_json::json;

use super::{Change, find_out};
use crate::support::App;
use crate::support::make;

#[test]
fn what_staff_gave_is_what_was_allowed() {
    let app = App::start();
    let member = make::member(&app.cashier());
    let adjust = |points: i64, status: u16| {
        let body = json!({"member_id": member.id, "points": points, "reason": "goodwill", "note": "x"});
        app.manager().post("/v1/till/adjustments", &body).expect(status)["id"].as_str().unwrap().to_owned()
    };
    let (given, taken, asked) = (adjust(500, 201), adjust(-100, 201), adjust(900, 202));
    app.admin().post(&format!("/v1/admin/adjustments/{asked}/approve"), &json!({})).expect(200);
    let uuid = |points: i64| {
        let query = format!("select id::text as value from adjustment where points = {points}");
        app.db.texts(&query).remove(0)
    };
    let (g, t, a) = (uuid(500), uuid(-100), uuid(900));
    let names = [("GIVEN", given), ("TAKEN", taken), ("ASKED", asked), ("$g", g), ("$t", t), ("$a", a)];
    let names: Vec<(&str, &str)> = names.iter().map(|(name, value)| (*name, value.as_str())).collect();
    find_out(
        app,
        &names,
        &[
            Change("adjustment", "update adjustment set points = 901 where id = '$a'", "adjustment, ASKED: its entries"),
            Change("adjustment", "update adjustment set points = 100 where id = '$t'", "adjustment, TAKEN: its entries"),
            Change("adjustment", "update adjustment set reason = 'other' where id = '$g'", "adjustment, GIVEN: its entries"),
            Change("adjustment", "delete from adjustment where id = '$a'", "ASKED: staff made an entry that nobody allowed"),
            Change(
                "adjustment",
                "update adjustment set status = 'granted', booked = 0, booked_at = null, booked_entry = null
                 where id = '$g'",
                "GIVEN: staff made an entry that nobody allowed",
            ),
            Change(
                "adjustment",
                "insert into adjustment select gen_random_uuid(), member_id, points, reason, note, requested_by,
                    requested_role, store_id, requested_at, day, key, fingerprint, day_before, limit_each, limit_day,
                    status, decided_by, decided_at, decision_key, decision_note, refusal, booked, booked_at, booked_entry
                 from adjustment where id = '$a'",
                "it is said to be booked and has no entry",
            ),
            Change(
                "adjustment",
                "update adjustment set requested_by = decided_by, decided_by = requested_by where id = '$a'",
                "ASKED: its entries are not what was allowed",
            ),
        ],
    );
}
