//! What re-ratings booked, and how purchases stand by them.

use serde_json::json;

use super::{Change, find_out};
use crate::support::App;
use crate::support::make::{self, earn};

#[test]
fn changed_re_ratings_are_found() {
    let app = App::with(|programme| {
        let triple = json!({"kind": "multiply", "by": "3"});
        programme["promotions"] = json!([{"code": "saturday", "name": "Saturday", "effect": triple}]);
    });
    let (till, admin) = (app.cashier(), app.admin());
    let member = make::member(&till);
    earn(&till, &member, 100);
    let wish = json!({"from": "2031-03-05", "to": "2031-03-05", "reason": "wrong", "note": "a slip",
        "without_promotion": "saturday"});
    let made = admin.post("/v1/admin/re-ratings", &wish);
    let id = made.expect(201)["id"].as_str().unwrap().to_owned();
    let apply = admin.request("POST", &format!("/v1/admin/re-ratings/{id}/apply"));
    apply.header("If-Match", made.header("etag").unwrap()).json(&json!({})).send().expect(200);
    let changes = [
        Change(
            "re_rating_member",
            "update re_rating_member set applied = applied - 1",
            "re_rating, {it}: a member and his purchases do not agree",
        ),
        Change(
            "re_rating_member",
            "update re_rating_member set applied = null, forgiven = null, applied_at = null",
            "re_rating, {it}: a member and his purchases do not agree",
        ),
        Change(
            "re_rating_purchase",
            "update re_rating_purchase set lapsed = 1",
            "re_rating, {it}: a member and his purchases do not agree",
        ),
        Change(
            "re_rating_purchase",
            "update re_rating_purchase set points = points + 1",
            "qualifying_day of member {him}, 2031-03-05: it is not the sum of the day's purchases",
        ),
    ];
    find_out(app, &[("{him}", &member.id), ("{it}", &id)], &changes);
}
