//! The life of a promotion over HTTP: its steps, its versions, and the way back.

use serde_json::{Value, json};

use crate::support::http::Reply;
use crate::support::make::{self, line, receipt};
use crate::support::process::{finish, tessera};
use crate::support::{App, Caller};

const DOUBLE: &str = "/v1/admin/promotions/double";

/// A promotion that doubles every purchase.
fn double(state: Option<&str>) -> Value {
    let mut promotion =
        json!({"code": "double", "name": {"en": "Double", "zh": "双倍"}, "effect": {"kind": "multiply", "by": "2"}});
    if let Some(state) = state {
        promotion["state"] = json!(state);
    }
    promotion
}

fn at(caller: &Caller, method: &str, path: &str, version: i64, body: &Value) -> Reply {
    caller.request(method, path).header("If-Match", &format!("\"{version}\"")).json(body).send()
}

/// Takes a step from a version.
fn step(caller: &Caller, step: &str, version: i64) -> Reply {
    at(caller, "POST", &format!("{DOUBLE}/{step}"), version, &json!({}))
}

/// Points of a purchase of 100.00, and what is told of the promotions.
fn bought(app: &App) -> (i64, Value) {
    let till = app.cashier();
    let answer = till.post("/v1/till/purchases", &receipt(&make::member(&till), &[line(10_000)])).expect(201);
    (answer["points"]["given"].as_i64().unwrap(), answer["explanation"]["promotions"].clone())
}

#[test]
fn a_draft_goes_live_is_paused_and_ends() {
    let app = App::start();
    let admin = app.admin();
    admin.post("/v1/admin/promotions", &double(Some("draft"))).expect(201);
    assert_eq!(bought(&app), (100, Value::Null), "nobody hears of a draft");
    step(&app.manager(), "publish", 2).problem(403, "forbidden");
    admin.post(&format!("{DOUBLE}/publish"), &json!({})).problem(428, "precondition_required");
    step(&admin, "publish", 1).problem(412, "version_conflict");
    for wrong in ["pause", "resume"] {
        assert_eq!(step(&admin, wrong, 2).problem(409, "promotion_state")["state"], "draft");
    }
    let live = step(&admin, "publish", 2);
    assert_eq!(live.header("etag"), Some("\"3\""));
    assert!(live.expect(200).get("state").is_none(), "live is what is not said");
    assert_eq!(bought(&app).0, 200);

    assert_eq!(step(&admin, "pause", 3).expect(200)["state"], "paused");
    let (given, told) = bought(&app);
    assert_eq!((given, &told[0]["missed"]), (100, &json!("paused")));
    step(&admin, "resume", 4).expect(200);
    assert_eq!(bought(&app).0, 200);
    assert_eq!(step(&admin, "end", 5).expect(200)["state"], "ended");
    assert_eq!(bought(&app), (100, Value::Null));
    for wrong in ["publish", "pause", "resume", "end"] {
        step(&admin, wrong, 6).problem(409, "promotion_state");
    }
    let actions = admin.get("/v1/admin/audit?object=promotion:double").expect(200);
    let actions: Vec<&str> =
        actions["data"].as_array().unwrap().iter().map(|line| line["action"].as_str().unwrap()).collect();
    let expected = ["promotion.end", "promotion.resume", "promotion.pause", "promotion.publish", "promotion.create"];
    assert_eq!(actions, expected);
    at(&admin, "POST", "/v1/admin/promotions/nothing/publish", 6, &json!({})).problem(404, "not_found");
}

#[test]
fn no_door_brings_back_what_has_ended() {
    let app = App::start();
    let admin = app.admin();
    admin.post("/v1/admin/promotions", &double(None)).expect(201);
    assert_eq!(bought(&app).0, 200, "what says nothing of its state is live");
    let problem = at(&admin, "PUT", DOUBLE, 2, &double(Some("draft"))).problem(422, "programme_invalid");
    assert_eq!(
        (&problem["errors"][0]["pointer"], &problem["errors"][0]["code"]),
        (&json!("/state"), &json!("promotion_state"))
    );
    step(&admin, "end", 2).expect(200);
    at(&admin, "PUT", DOUBLE, 3, &double(None)).problem(422, "programme_invalid");
    let mut whole = admin.get("/v1/admin/programme").expect(200);
    whole["promotions"][0]["state"] = json!("live");
    let problem = at(&admin, "PUT", "/v1/admin/programme", 3, &whole).problem(422, "programme_invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/promotions/0/state");

    let dir = crate::support::db::scratch("promotion-life");
    let file = dir.join("programme.toml");
    std::fs::write(&file, toml::to_string(&whole).unwrap()).unwrap();
    for verb in ["plan", "apply"] {
        let file = file.to_str().unwrap();
        let (code, _, err) = finish(tessera(&dir).args(["programme", verb, file]).env("DATABASE_URL", &app.db.url));
        assert_eq!(code, 1, "{verb}: {err}");
        assert!(err.contains("/promotions/0/state: a promotion that is ended cannot become live"), "{err}");
    }
    assert_eq!(app.db.number("select max(version) as value from programme_version"), 3);
    at(&admin, "PUT", DOUBLE, 3, &double(Some("draft"))).expect(200);
}

#[test]
fn every_version_is_told_compared_and_comes_back() {
    let app = App::start();
    let admin = app.admin();
    admin.post("/v1/admin/promotions", &double(None)).expect(201);
    let mut triple = double(None);
    triple["effect"]["by"] = json!("3");
    triple["schedule"] = json!({"weekdays": ["tuesday", "wednesday"]});
    at(&admin, "PUT", DOUBLE, 2, &triple).expect(200);
    // A version that leaves the promotion as it is.
    let mut other = double(None);
    other["code"] = json!("other");
    admin.post("/v1/admin/promotions", &other).expect(201);
    step(&admin, "end", 4).expect(200);

    let list = |query: &str| admin.get(&format!("{DOUBLE}/versions{query}")).expect(200);
    let versions = |list: &Value| -> Vec<(i64, String)> {
        let row = |row: &Value| (row["version"].as_i64().unwrap(), row["state"].as_str().unwrap_or("gone").to_owned());
        list["data"].as_array().unwrap().iter().map(row).collect()
    };
    let known = |rows: &[(i64, &str)]| rows.iter().map(|(n, state)| (*n, (*state).to_owned())).collect::<Vec<_>>();
    let all = list("");
    assert_eq!(versions(&all), known(&[(5, "ended"), (3, "live"), (2, "live")]));
    assert_eq!(
        (&all["data"][2]["by"]["role"], &all["data"][2]["promotion"]["effect"]["by"]),
        (&json!("admin"), &json!("2"))
    );
    let first = list("?limit=2");
    let rest = list(&format!("?limit=2&cursor={}", first["next_cursor"].as_str().unwrap()));
    assert_eq!((versions(&rest), &rest["next_cursor"]), (known(&[(2, "live")]), &Value::Null));

    let four = admin.get(&format!("{DOUBLE}/versions/4")).expect(200);
    assert_eq!((&four["version"], &four["promotion"]["effect"]), (&json!(3), &triple["effect"]), "as it stood then");
    for nothing in ["1", "6", "0"] {
        admin.get(&format!("{DOUBLE}/versions/{nothing}")).problem(404, "not_found");
    }
    let diff = admin.get(&format!("{DOUBLE}/diff?from=2&to=5")).expect(200);
    let lines: Vec<&str> =
        diff["changes"].as_array().unwrap().iter().map(|one| one["line"].as_str().unwrap()).collect();
    let expected =
        ["~ effect.by: \"2\" -> \"3\"", "+ schedule.weekdays: [\"tuesday\",\"wednesday\"]", "+ state: \"ended\""];
    assert_eq!(lines, expected);
    admin.get(&format!("{DOUBLE}/diff?from=2")).problem(400, "invalid_query");

    let back =
        |version: i64, to: i64| at(&admin, "POST", &format!("{DOUBLE}/rollback"), version, &json!({"version": to}));
    back(5, 1).problem(400, "invalid_field");
    back(4, 2).problem(412, "version_conflict");
    let draft = back(5, 2).expect(200);
    assert_eq!((&draft["state"], &draft["effect"]["by"]), (&json!("draft"), &json!("2")));
    step(&admin, "publish", 6).expect(200);
    assert_eq!(bought(&app).0, 200);
    // Of one that is live, the rule goes back and the state stays.
    assert!(back(7, 3).expect(200).get("state").is_none());
    assert_eq!(bought(&app).0, 300, "the server's clock shows a Wednesday");
    at(&admin, "DELETE", DOUBLE, 8, &json!({})).expect(204);
    assert_eq!(versions(&list("?limit=1")), known(&[(9, "gone")]));
    assert_eq!(back(9, 3).expect(200)["state"], "draft");
}
