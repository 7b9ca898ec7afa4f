//! Re-ratings over HTTP: planned, looked at, applied once, undone as one; and refused where purchases changed since.

use serde_json::{Value, json};

use crate::support::make::{self, earn, key, line_of};
use crate::support::{App, Caller, Member, Reply};
use crate::verify::passes;

const DESK: &str = "/v1/admin/re-ratings";

fn plan(admin: &Caller, more: Value) -> Reply {
    let mut body = json!({"from": "2031-03-05", "to": "2031-03-05", "reason": "wrong_promotion",
        "note": "three times instead of twice"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    admin.post(DESK, &body)
}

fn step(by: &Caller, plan: &Reply, what: &str, body: &Value) -> Reply {
    let path = format!("{DESK}/{}/{what}", plan.json()["id"].as_str().unwrap());
    by.request("POST", &path).header("If-Match", plan.header("etag").unwrap()).json(body).send()
}

fn promotion(by: &str) -> Value {
    json!({"code": "saturday", "name": "Saturday", "categories": ["tea"], "effect": {"kind": "multiply", "by": by}})
}

fn available(app: &App, member: &Member) -> i64 {
    let balance = app.manager().get(&format!("/v1/admin/members/{}/balance", member.id)).expect(200);
    balance["available"].as_i64().unwrap() - balance["debt"].as_i64().unwrap()
}

fn buy(till: &Caller, member: &Member, lines: &[Value]) -> String {
    let sale = till.post("/v1/till/purchases", &make::receipt(member, lines)).expect(201);
    sale["id"].as_str().unwrap().to_owned()
}

fn back(till: &Caller, purchase: &str, line: u32) -> Value {
    let body = json!({"external_id": key(), "lines": [{"line": line}], "reason": "damaged"});
    till.post(&format!("/v1/till/purchases/{purchase}/returns"), &body).expect(201)
}

#[test]
fn a_promotion_that_was_wrong_on_saturday_is_put_right() {
    let app = App::with(|programme| programme["promotions"] = json!([promotion("3")]));
    let (till, admin) = (app.cashier(), app.admin());
    let [anna, ben, carl] = [(); 3].map(|()| make::member(&till));
    let tea = buy(&till, &anna, &[line_of("tea", 10_000), line_of("tea", 5_000)]);
    back(&till, &tea, 2);
    let spent = buy(&till, &ben, &[line_of("tea", 20_000)]);
    app.member(&ben).post("/v1/member/redemptions", &json!({"points": 500})).expect(201);
    earn(&till, &carl, 50);
    assert_eq!([&anna, &ben, &carl].map(|who| available(&app, who)), [300, 100, 50]);

    let made = plan(&admin, json!({"promotion": promotion("2")}));
    let told = made.expect(201);
    assert_eq!((&told["status"], &told["members"]), (&json!("planned"), &json!(2)));
    assert_eq!(told["purchases"], json!({"looked_at": 3, "changed": 2, "inexact": 0, "refused": 0}));
    assert_eq!(told["points"], json!({"gives": 0, "takes": 300, "largest": 200}));
    let path = format!("{DESK}/{}", told["id"].as_str().unwrap());
    let page = admin.get(&format!("{path}/members?limit=1")).expect(200);
    let first = &page["data"][0];
    assert_eq!(
        (&first["member_id"], &first["given"], &first["should_be"]),
        (&json!(anna.id), &json!(300), &json!(200))
    );
    assert_eq!((&first["difference"], &first["applied"]), (&json!(-100), &Value::Null));
    assert_eq!(first["purchases"][0]["purchase_id"], json!(tea));
    let next = format!("{path}/members?cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(admin.get(&next).expect(200)["data"][0]["difference"], -200);
    let csv = admin.get(&format!("{path}/members.csv")).text;
    assert_eq!(csv.lines().count(), 3);
    assert!(csv.contains(&format!("{},{spent},", ben.id)) && csv.contains(",600,400,-200,-200,,"), "{csv}");
    assert_eq!([&anna, &ben].map(|who| available(&app, who)), [300, 100], "nothing is booked");

    // A return comes between: it is named, and a new plan knows it.
    back(&till, &tea, 1);
    let outdated = step(&admin, &made, "apply", &json!({})).problem(409, "re_rating_outdated");
    assert_eq!(outdated["purchases"], json!([{"purchase_id": tea, "member_id": anna.id, "what": "returned"}]));
    let made = plan(&admin, json!({"promotion": promotion("2")}));
    assert_eq!(made.expect(201)["points"], json!({"gives": 0, "takes": 200, "largest": 200}));
    let path = format!("{DESK}/{}/apply", made.json()["id"].as_str().unwrap());
    admin.post(&path, &json!({})).problem(428, "precondition_required");
    admin.request("POST", &path).header("If-Match", "\"1\"").json(&json!({})).send().problem(412, "version_conflict");
    step(&admin, &made, "undo", &json!({})).problem(409, "state_conflict");
    let applied = step(&admin, &made, "apply", &json!({})).expect(200);
    assert_eq!(applied["status"], "applied");
    assert_eq!([&anna, &ben, &carl].map(|who| available(&app, who)), [0, -100, 50], "what was spent is owed");
    assert_eq!(step(&admin, &made, "apply", &json!({})).expect(200)["status"], "applied");
    assert_eq!(available(&app, &ben), -100, "once");
    let entries = app.member(&ben).get("/v1/member/ledger").expect(200);
    assert_eq!(
        (&entries["data"][0]["kind"], &entries["data"][0]["document_id"]),
        (&json!("re_rating"), &made.json()["id"])
    );
    let number = entries["data"][1]["number"].as_i64().unwrap();
    let why = |caller: Caller| caller.get(&format!("/v1/member/ledger/{number}")).expect(200)["explanation"].take();
    assert_eq!(
        why(app.member(&ben)),
        json!([
            "The points of purchases from 2031-03-05 to 2031-03-05 were put right (reason: wrong_promotion); \
            this was done on 5 March 2031.",
            "Taken: 100 points."
        ])
    );
    assert_eq!(
        why(app.member(&ben).in_chinese()),
        json!([
            "2031-03-05 至 2031-03-05 的消费积分已更正（原因：wrong_promotion），于2031年3月5日完成。",
            "扣除 100 积分。"
        ])
    );
    passes(&app);

    // A return goes by what is right: of 400 points nothing is left, and what was taken is not taken again.
    let returned = back(&till, &spent, 1);
    assert_eq!(returned["points"]["clawed"], 400);
    assert_eq!(available(&app, &ben), -500, "he has spent 500 and bought nothing");
    let kept = step(&admin, &made, "undo", &json!({})).problem(409, "re_rating_outdated");
    assert_eq!(kept["purchases"][0]["what"], "returned");
    passes(&app);
}

#[test]
fn what_was_applied_is_undone_as_one_and_large_ones_take_two_people() {
    let app = App::with(|programme| {
        programme["promotions"] = json!([promotion("3")]);
        programme["adjustments"] = json!({"admin": {"each": 150, "per_day": 1_000}});
    });
    let (till, admin) = (app.cashier(), app.admin());
    let members: Vec<Member> = (0..4).map(|_| make::member(&till)).collect();
    members.iter().for_each(|member| drop(buy(&till, member, &[line_of("tea", 10_000)])));
    let without = || plan(&admin, json!({"without_promotion": "saturday"}));
    let large = without();
    assert_eq!(large.expect(201)["points"], json!({"gives": 0, "takes": 800, "largest": 200}));
    step(&admin, &large, "apply", &json!({})).problem(403, "second_person_needed");
    let body = json!({"identifier": "second-admin", "name": "Second", "role": "admin",
        "password": crate::support::app::PASSWORD});
    admin.post("/v1/admin/staff", &body).expect(201);
    let second = app.signed_in("second-admin");
    assert_eq!(step(&second, &large, "apply", &json!({})).expect(200)["status"], "applied");
    assert!(members.iter().all(|member| available(&app, member) == 100));
    // What stands right is not found again, and what was live is what happened.
    assert_eq!(without().expect(201)["purchases"]["changed"], 0);
    passes(&app);
    step(&second, &large, "undo", &json!({})).problem(403, "second_person_needed");
    assert_eq!(step(&admin, &large, "undo", &json!({})).expect(200)["status"], "undone");
    assert!(members.iter().all(|member| available(&app, member) == 300));
    assert_eq!(step(&admin, &large, "undo", &json!({})).expect(200)["status"], "undone");
    step(&second, &large, "apply", &json!({})).problem(409, "state_conflict");
    passes(&app);
    // In small it takes one, and base points move tiers.
    let mut programme = admin.get("/v1/admin/programme").expect(200);
    programme["promotions"] = json!([promotion("3")]);
    programme["earning"]["rate"]["points"] = json!(10);
    let rich = plan(&admin, json!({"programme": programme}));
    assert_eq!(rich.expect(201)["points"]["gives"], 4 * 2_700);
    assert_eq!(step(&second, &rich, "apply", &json!({})).expect(200)["status"], "applied");
    let tier = app.member(&members[0]).get("/v1/member/tier").expect(200);
    assert_eq!(tier["code"], "silver", "1,000 base points: {tier:#}");
    passes(&app);
    let log = admin.get(&format!("/v1/admin/audit?object={}", large.json()["id"].as_str().unwrap())).expect(200);
    let actions: Vec<&Value> = log["data"].as_array().unwrap().iter().map(|line| &line["action"]).collect();
    assert_eq!(actions, ["re_rating.undo", "re_rating.apply", "re_rating.plan"]);
    // Nobody writes around it.
    let forged = "update re_rating_member set applied = 1";
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| app.db.execute(forged)));
    assert!(refused.is_err(), "what is booked stays");
}

#[test]
fn what_cannot_be_planned_is_refused() {
    let app = App::start();
    let admin = app.admin();
    plan(&admin, json!({})).problem(400, "invalid_field");
    plan(&admin, json!({"without_promotion": "x", "promotion": promotion("2")})).problem(400, "invalid_field");
    plan(&admin, json!({"promotion": promotion("0.5")})).problem(422, "programme_invalid");
    plan(&admin, json!({"without_promotion": "x", "to": "2031-03-04"})).problem(400, "invalid_field");
    plan(&admin, json!({"without_promotion": "x", "reason": "Not a code"})).problem(422, "reason_unknown");
    let empty = plan(&admin, json!({"without_promotion": "x"}));
    assert_eq!(empty.expect(201)["members"], 0);
    assert_eq!(step(&admin, &empty, "apply", &json!({})).expect(200)["status"], "applied");
    assert_eq!(admin.get(DESK).expect(200)["data"].as_array().unwrap().len(), 1);
}
