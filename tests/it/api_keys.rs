//! Keys for tills and integrations: for what they need, at their store, until they end.

use serde_json::{Value, json};
use tessera_rules::id::ApiKeyId;

use crate::support::make::{self, line, receipt};
use crate::support::{App, Caller, eventually};

/// Makes a key for the store `west`.
fn made(app: &App, scopes: &[&str]) -> (Value, Caller) {
    let stores = app.admin().get("/v1/admin/stores").expect(200);
    let west = stores["data"].as_array().unwrap().iter().find(|store| store["code"] == "west").unwrap()["id"].clone();
    let body = json!({"name": "Till 3", "store_id": west, "scopes": scopes});
    let key = app.admin().post("/v1/admin/api-keys", &body).expect(201);
    let caller = app.anon().with_token(key["secret"].as_str().unwrap());
    (key, caller)
}

#[test]
fn a_key_does_what_it_is_for_at_its_store_until_it_ends() {
    let app = App::start();
    let (key, till) = made(&app, &["purchases:write", "purchases:read", "members:read"]);
    let (_, reader) = made(&app, &["members:read"]);
    let secret = key["secret"].as_str().unwrap();
    assert!(secret.starts_with(&format!("{}_", key["prefix"].as_str().unwrap())) && secret.len() == 45, "{secret}");

    // Within its scopes it is what a cashier of the store is; beyond them it is nobody.
    let member = make::member(&app.cashier());
    let body = receipt(&member, &[line(50_000)]);
    reader.post("/v1/till/purchases", &body).problem(403, "forbidden");
    let idempotency = make::key();
    let first = till.post_under(&idempotency, "/v1/till/purchases", &body);
    let purchase = first.expect(201);
    assert_eq!(till.post_under(&idempotency, "/v1/till/purchases", &body).text, first.text);
    // A key of the same name is another caller's with everybody else.
    app.cashier().post_under(&idempotency, "/v1/till/purchases", &body).expect(200);
    let path = format!("/v1/till/purchases/{}", purchase["id"].as_str().unwrap());
    till.get(&path).expect(200);
    reader.get(&path).problem(403, "forbidden");
    let returned = json!({"external_id": make::key(), "all": true, "reason": "unwanted"});
    let elsewhere = app.other_cashier().post("/v1/till/purchases", &receipt(&member, &[line(100)])).expect(201);
    till.get(&format!("/v1/till/purchases/{}", elsewhere["id"].as_str().unwrap())).problem(404, "not_found");
    till.post(&format!("{path}/returns"), &returned).expect(201);
    till.get(&format!("/v1/till/members/{}", member.id)).expect(200);
    till.post("/v1/till/members", &json!({"name": "Lin"})).problem(403, "forbidden");
    let redemption = json!({"member_id": member.id, "points": 100, "authorisation": {"otp": "000000"}});
    till.post("/v1/till/redemptions", &redemption).problem(403, "forbidden");
    let by_hand = json!({"member_id": member.id, "points": 1, "reason": "goodwill", "note": "x"});
    till.post("/v1/till/adjustments", &by_hand).problem(403, "forbidden");
    for path in ["/v1/member/balance", "/v1/admin/members", "/v1/admin/api-keys", "/v1/auth/sessions"] {
        till.get(path).problem(403, "forbidden");
    }

    // The books and the list know who it was.
    let id: ApiKeyId = key["id"].as_str().unwrap().parse().unwrap();
    let actors =
        format!("select count(*) as value from entry where actor_role = 'integration' and actor_id = '{}'", id.uuid());
    assert!(app.db.number(&actors) >= 2);
    let list = app.admin().get("/v1/admin/api-keys").expect(200);
    let listed = list["data"].as_array().unwrap().iter().find(|one| one["id"] == key["id"]).unwrap();
    assert!(listed["last_used_at"].is_string() && listed.get("secret").is_none(), "{listed}");
    let everything = "select t::text as value from api_key t union all select t::text from audit t";
    assert!(app.db.texts(everything).iter().all(|row| !row.contains(&secret[13..])), "the secret is kept nowhere");

    // Revoked, it opens nothing, here at once and elsewhere within seconds.
    let other = App::beside(&app);
    let there = other.anon().with_token(secret);
    there.get(&path).expect(200);
    let revoke = || app.admin().request("DELETE", &format!("/v1/admin/api-keys/{id}")).send();
    revoke().expect(204);
    till.get(&path).problem(401, "token_invalid");
    revoke().expect(204);
    assert_eq!(app.db.number("select count(*) as value from audit where action = 'api_key.revoke'"), 1);
    let start = std::time::Instant::now();
    eventually("a revoked key opens nothing", || {
        let reply = there.get(&path);
        (reply.status != 200).then(|| reply.problem(401, "token_invalid"))
    });
    assert!(start.elapsed().as_millis() < 5_900, "{:?}", start.elapsed());
    app.db.execute("update api_key set created_at = created_at - interval '3 years', expires_at = now()");
    let there = other.anon().with_token(reader.token().unwrap());
    there.get("/v1/till/members?external_id=x").problem(401, "token_invalid");
}

#[test]
fn keys_are_made_by_admins_and_made_well() {
    let app = App::start();
    let (key, till) = made(&app, &["members:read"]);
    let body = json!({"name": "x", "store_id": key["store_id"], "scopes": ["members:read"]});
    for caller in [&app.cashier(), &app.manager(), &till] {
        caller.post("/v1/admin/api-keys", &body).problem(403, "forbidden");
        let path = format!("/v1/admin/api-keys/{}", key["id"].as_str().unwrap());
        caller.request("DELETE", &path).send().problem(403, "forbidden");
    }
    for (field, value) in [
        ("name", json!("")),
        ("scopes", json!([])),
        ("scopes", json!(["everything"])),
        ("store_id", json!("sto_01kapm3v5ne8v9b3r6a2f7qk4d")),
        ("expires_at", json!("2020-01-01T00:00:00Z")),
        ("expires_at", json!("2099-01-01T00:00:00Z")),
    ] {
        let mut body = body.clone();
        body[field] = value;
        let problem = app.admin().post("/v1/admin/api-keys", &body).problem(400, "invalid_field");
        assert!(problem["errors"][0]["pointer"].as_str().unwrap().starts_with(&format!("/{field}")), "{problem}");
    }
    assert_eq!(app.db.number("select count(*) as value from api_key"), 1);
    // What is no key of ours is no key.
    let secret = key["secret"].as_str().unwrap();
    for forged in [secret.to_uppercase(), format!("{secret}0"), secret[..44].to_owned(), secret.replace("tsk_", "tsk-")]
    {
        app.anon().with_token(&forged).get("/v1/till/members?external_id=x").problem(401, "token_invalid");
    }
    till.get("/v1/till/members?external_id=x").expect(200);
}
