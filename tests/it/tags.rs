//! Tags of members over HTTP: who may change them, what a purchase sees of them, and what stays on record.

use serde_json::{Value, json};

use crate::support::make::{self, line, receipt};
use crate::support::{App, Caller, Member};

const PURCHASES: &str = "/v1/till/purchases";

/// Each promotion with what it was charged, or why it missed.
fn told(sale: &Value) -> Vec<String> {
    let one = |promotion: &Value| {
        let missed = promotion["missed"].as_str().map(str::to_owned);
        format!("{} {}", promotion["code"].as_str().unwrap(), missed.unwrap_or(promotion["charged"].to_string()))
    };
    sale["explanation"]["promotions"].as_array().unwrap().iter().map(one).collect()
}

fn bought(till: &Caller, member: &Member) -> Vec<String> {
    told(&till.post(PURCHASES, &receipt(member, &[line(100)])).expect(201))
}

fn gift(code: &str, own: &Value) -> Value {
    let mut gift = json!({"code": code, "name": code, "effect": {"kind": "add", "points": 5}});
    gift.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    gift
}

fn names(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|row| row["tag"].as_str().unwrap()).collect()
}

/// The programme asks for tags; the members' standings are remembered between purchases all the same.
fn asking() -> App {
    App::with(|programme| {
        programme["promotions"] = json!([
            gift("by-tag", &json!({"tags": ["vip", "press"], "priority": 1})),
            gift("careful", &json!({"when": "\"allergy_nuts\" in member.tags", "priority": 2})),
            gift("online", &json!({"channels": ["web"], "priority": 3})),
        ]);
    })
}

#[test]
fn staff_put_tags_on_members_and_take_them_off() {
    let app = asking();
    let (till, manager, admin) = (app.cashier(), app.manager(), app.admin());
    let member = make::member(&till);
    let path = |tag: &str| format!("/v1/admin/members/{}/tags/{tag}", member.id);
    let all = format!("/v1/admin/members/{}/tags", member.id);
    assert_eq!(bought(&till, &member), ["by-tag tag", "careful condition", "online channel"]);

    assert_eq!(names(&manager.put(&path("VIP"), &json!({})).expect(200)), ["vip"]);
    assert_eq!(bought(&till, &member), ["by-tag 5", "careful condition", "online channel"]);
    let until = app.engine().clock().now() + chrono::TimeDelta::hours(2);
    let until = until.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let held = admin.put(&path("allergy_nuts"), &json!({"until": until})).expect(200);
    assert_eq!(names(&held), ["allergy_nuts", "vip"]);
    assert_eq!(bought(&till, &member), ["by-tag 5", "careful 5", "online channel"]);
    // A till sees them and changes nothing.
    let at_till = till.get(&format!("/v1/till/members/{}/tags", member.id)).expect(200);
    assert_eq!((&at_till, names(&at_till)), (&held, vec!["allergy_nuts", "vip"]));
    till.put(&path("press"), &json!({})).problem(403, "forbidden");
    till.request("DELETE", &path("vip")).send().problem(403, "forbidden");
    app.member(&member).get(&all).problem(403, "forbidden");

    assert_eq!(names(&manager.request("DELETE", &path("vip")).send().expect(200)), ["allergy_nuts"]);
    assert_eq!(bought(&till, &member), ["by-tag tag", "careful 5", "online channel"]);
    app.advance("PT2H");
    assert_eq!(bought(&till, &member), ["by-tag tag", "careful condition", "online channel"]);
    assert_eq!(admin.get(&all).expect(200)["data"], json!([]));
    let mut online = receipt(&member, &[line(100)]);
    online["channel"] = json!("web");
    assert_eq!(told(&till.post(PURCHASES, &online).expect(201)), ["by-tag tag", "careful condition", "online 5"]);
    online["channel"] = json!("The Web");
    let problem = till.post(PURCHASES, &online).problem(400, "invalid_field");
    assert_eq!(problem["errors"][0]["pointer"], "/channel");

    // Everything is on record, newest first.
    let page = admin.get(&format!("/v1/admin/members/{}/tag-changes?limit=2", member.id)).expect(200);
    let shown: Vec<(&Value, &Value)> =
        page["data"].as_array().unwrap().iter().map(|row| (&row["tag"], &row["held"])).collect();
    assert_eq!(shown, [(&json!("vip"), &json!(false)), (&json!("allergy_nuts"), &json!(true))]);
    assert_eq!(page["data"][1]["actor"]["role"], "admin");
    let next = format!("/v1/admin/members/{}/tag-changes?cursor={}", member.id, page["next_cursor"].as_str().unwrap());
    assert_eq!(names(&admin.get(&next).expect(200)), ["vip"]);
    let audited = "select action as value from audit where action like 'member.%tag%' order by at, id";
    assert_eq!(app.db.texts(audited), ["member.put_tag", "member.put_tag", "member.take_tag_off"]);
    let events = "select count(*) as value from outbox where kind = 'member.tagged'";
    assert_eq!(app.db.number(events), 3);

    manager.put(&path("not%20a%20tag"), &json!({})).problem(400, "invalid_path");
    manager.put(&path("vip"), &json!({"until": "2020-01-01T00:00:00Z"})).problem(422, "tag_over");
    manager.put(&path("vip"), &json!({"for": "ever"})).problem(400, "unknown_field");
    let nobody = make::key();
    manager.put(&format!("/v1/admin/members/{nobody}/tags/vip"), &json!({})).problem(404, "not_found");
}

/// What a purchase was given agrees with the tags on record at its own instant, however the two raced: two
/// servers, one switching the tag, both selling.
#[test]
fn a_purchase_never_sees_tags_of_another_time() {
    let app = asking();
    let other = App::beside(&app);
    let member = make::member(&app.cashier());
    let path = format!("/v1/admin/members/{}/tags/vip", member.id);
    let sell = |till: &Caller| -> Vec<(String, bool)> {
        let sale = |_| till.post(PURCHASES, &receipt(&member, &[line(100)])).expect(201);
        let seen = |sale: Value| (sale["id"].as_str().unwrap().to_owned(), told(&sale)[0] == "by-tag 5");
        (0..25).map(sale).map(seen).collect()
    };
    let sales = std::thread::scope(|scope| {
        let here = scope.spawn(|| sell(&app.cashier()));
        let there = scope.spawn(|| sell(&other.cashier()));
        let manager = app.manager();
        for _ in 0..12 {
            manager.put(&path, &json!({})).expect(200);
            manager.request("DELETE", &path).send().expect(200);
        }
        [here.join().expect("sold"), there.join().expect("sold")].concat()
    });
    assert_eq!(sales.len(), 50);
    let wrong = "select count(*) as value from purchase p where (p.answer::jsonb -> 'explanation' -> 'promotions' -> 0 -> 'missed' is null)
        is distinct from coalesce((select c.held from member_tag_change c
            where c.member_id = p.member_id and c.at <= p.occurred_at order by c.seq desc limit 1), false)";
    assert_eq!(app.db.number(wrong), 0);
    assert_eq!(app.db.number("select count(*) as value from member_tag_change"), 24);
}
