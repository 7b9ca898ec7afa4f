//! Books of members that keep each other's points.

use serde_json::json;

use super::{Change, find_out};
use crate::support::App;
use crate::support::make::{self, earn, key, line};

/// A head with a member in his pool who spent from it and returned goods, an old account that was
/// merged into the head's, a gift, and a purchase that was moved. The ids of the head and of the member.
fn linked() -> (App, [(String, String); 2]) {
    let app = App::with(|programme| {
        programme["transfers"] = json!({"minimum": 10, "daily_limit": 400});
        programme["pools"] = json!({"members": 3, "daily_limit": 500});
    });
    let till = app.cashier();
    let [head, other, old, stranger] = [(); 4].map(|()| make::member(&till));
    earn(&till, &head, 300);
    earn(&till, &old, 250);
    earn(&till, &other, 1200);
    let invited = app.member(&head).post("/v1/member/pool/invitations", &json!({"may_spend": true})).expect(201);
    app.member(&other).post("/v1/member/pool/join", &json!({"code": invited["code"]})).expect(200);
    let sale = till.post("/v1/till/purchases", &make::receipt(&other, &[line(10_000), line(5_000)])).expect(201);
    app.member(&other).post("/v1/member/redemptions", &json!({"points": 350})).expect(201);
    let path = format!("/v1/till/purchases/{}/returns", sale["id"].as_str().expect("an id"));
    till.post(&path, &json!({"external_id": key(), "lines": [{"line": 2}], "reason": "damaged"})).expect(201);
    let merge = json!({"into": head.id, "reason": "enrolled twice"});
    app.admin().post(&format!("/v1/admin/members/{}/merge", old.id), &merge).expect(200);
    app.member(&head).post("/v1/member/transfers", &json!({"to": stranger.code, "points": 40})).expect(201);
    let wrong = earn(&till, &stranger, 70);
    let path = format!("/v1/till/purchases/{}/move", wrong["id"].as_str().expect("an id"));
    app.manager().post(&path, &json!({"member_id": other.id, "reason": "wrong card"})).expect(201);
    let uuid =
        |code: &str| app.db.texts(&format!("select id::text as value from member where code = '{code}'")).remove(0);
    let ids = [&head, &other].map(|member| (uuid(&member.code), member.id.clone()));
    (app, ids)
}

const CHANGES: &[Change] = &[
    Change("lot", "update lot set parent_lot = 999 where parent_member = '{other}'", "is not of the lot it says"),
    Change(
        "lot",
        "update lot set occurred_at = occurred_at - interval '1 day' where parent_member = '{other}'",
        "of member {Head}",
    ),
    Change("lot", "update lot set origin = 999 where member_id = '{head}' and parent_member is not null", "its origin"),
    Change(
        "lot",
        "update lot set remaining = remaining - 1 where member_id = '{head}' and remaining > 0 and parent_lot is not null",
        "lot of member {Head}, ",
    ),
    Change(
        "standing",
        "update standing set ties.household = 2 where member_id = '{head}'",
        "standing of member {Head}: household is 2",
    ),
    Change(
        "standing",
        "update standing set ties.root = gen_random_uuid() where (ties).kind = 'pool'",
        "standing of member {Head}: household is 1",
    ),
    Change("standing", "update standing set ties = null where (ties).kind = 'merged'", "standing of member {Head}: "),
    Change(
        "standing",
        "update standing set clock.purchased_at = null where member_id = '{other}'",
        "standing of member {Other}: purchased_at",
    ),
    Change(
        "standing",
        "update standing set available = available + 1 where member_id = '{head}'",
        "standing of member {Head}: available is",
    ),
    Change(
        "qualifying_day",
        "update qualifying_day set points = points + 1 where member_id = '{head}'",
        "it is not the sum",
    ),
    Change("transfer", "update transfer set points = points + 1", "its entries do not move its points"),
    Change("transfer", "delete from transfer", "its document does not exist"),
    Change(
        "entry",
        "delete from entry e where kind = 'transfer' and member_id = '{head}' \
         and number = (select max(number) from entry where member_id = '{head}')",
        "of member {Head}",
    ),
    Change(
        "entry",
        "update entry set document_id = gen_random_uuid() where kind = 'transfer' and member_id = '{head}' and number = 2",
        "entry of member {Head}, number 2: its hash does not follow",
    ),
    Change("purchase", "delete from purchase where source = 'tessera:moved'", "its document does not exist"),
    Change(
        "tier_change",
        "update tier_change set cause = 'review' where cause = 'purchase'",
        "it does not lead to the tier of its measure",
    ),
];

#[test]
fn whatever_is_changed_between_members_is_found() {
    let (app, [(head, head_id), (other, other_id)]) = linked();
    let names = [("{head}", &*head), ("{other}", &*other), ("{Head}", &*head_id), ("{Other}", &*other_id)];
    find_out(app, &names, CHANGES);
}
