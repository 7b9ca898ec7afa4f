//! What is counted of limited promotions, and the tags that stand again beside their changes.

use serde_json::json;

use super::{Change, find_out};
use crate::support::App;
use crate::support::make::{self, earn};

#[test]
fn changed_counts_of_promotions_and_tags_are_found() {
    let app = App::with(|programme| {
        programme["promotions"] = json!([
            {"code": "gift", "name": "Gift", "effect": {"kind": "add", "points": 5},
             "limits": {"per_member": 9, "budget_points": 12}},
            {"code": "back", "name": "Back", "effect": {"kind": "cashback", "percent": "5"},
             "limits": {"budget_money": 700}},
        ]);
        programme["wallet"] = json!({});
    });
    let till = app.cashier();
    let member = make::member(&till);
    for _ in 0..2 {
        earn(&till, &member, 100);
    }
    for tag in ["vip", "press"] {
        let path = format!("/v1/admin/members/{}/tags/{tag}", member.id);
        app.manager().put(&path, &json!({})).expect(200);
    }
    let day = app.db.texts("select day::text as value from promotion_member_usage").remove(0);
    let changes = [
        Change(
            "promotion_usage",
            "update promotion_usage set points = points - 1 where promotion = 'gift'",
            "promotion_usage, gift: 2 uses and 9 points are counted, purchases say 2 uses and 10 points",
        ),
        Change(
            "promotion_usage",
            "delete from promotion_usage where promotion = 'gift'",
            "promotion_usage, gift: 0 uses and 0 points are counted, purchases say 2 uses and 10 points",
        ),
        Change(
            "promotion_usage",
            "update promotion_usage set money = money - 1 where promotion = 'back'",
            "promotion_usage, back: 2 uses, 0 points and 699 minor units are counted, purchases say 2 uses, 0 points and \
             700 minor units",
        ),
        Change(
            "promotion_member_usage",
            "update promotion_member_usage set uses = 1",
            "promotion_member_usage of member {him}, gift of {day}: 1 uses are counted, purchases say 2",
        ),
        Change(
            "promotion_member_usage",
            "delete from promotion_member_usage",
            "promotion_member_usage of member {him}, gift of {day}: 0 uses are counted, purchases say 2",
        ),
        Change(
            "member_tag",
            "delete from member_tag where tag = 'vip'",
            "member_tag, {him} vip: it is not what its last change says",
        ),
        Change(
            "member_tag",
            "insert into member_tag select member_id, 'staff', since, until from member_tag where tag = 'vip'",
            "member_tag, {him} staff: it is not what its last change says",
        ),
        Change(
            "member_tag",
            "update member_tag set until = since + interval '1 day' where tag = 'press'",
            "member_tag, {him} press: it is not what its last change says",
        ),
    ];
    find_out(app, &[("{him}", &member.id), ("{day}", &day)], &changes);
}
