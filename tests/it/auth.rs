//! Signing in and out, for every role.

use serde_json::json;

use crate::support::app::PASSWORD;
use crate::support::{App, eventually, make};

fn text<'v>(value: &'v serde_json::Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} in {value}"))
}

#[test]
fn every_role_signs_in() {
    let app = App::start();
    let member = make::member(&app.cashier());
    app.give_password(&member);
    for (identifier, kind, role, has_store) in [
        ("cashier-west", "staff", "cashier", true),
        (" Manager-WEST ", "staff", "manager", true),
        ("admin", "staff", "admin", false),
        (member.code.as_str(), "member", "member", false),
    ] {
        let reply = app.login(identifier, PASSWORD);
        let signed_in = reply.expect(200);
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(text(&signed_in, "token_type"), "Bearer");
        assert_eq!(signed_in["expires_in"], 600);
        assert_eq!(text(&signed_in["principal"], "kind"), kind);
        assert_eq!(text(&signed_in["principal"], "role"), role);
        assert_eq!(signed_in["principal"]["store_id"].is_string(), has_store);
        let keys: Vec<&String> = signed_in.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["access_token", "expires_in", "principal", "refresh_token", "token_type"]);
    }
}

#[test]
fn a_wrong_password_and_an_unknown_name_look_the_same() {
    let app = App::start();
    let strip = |mut problem: serde_json::Value| {
        problem["request_id"].take();
        problem
    };
    let wrong = strip(app.login("admin", "correct horse").problem(401, "invalid_credentials"));
    let unknown = strip(app.login("nobody", PASSWORD).problem(401, "invalid_credentials"));
    assert_eq!(wrong, unknown);
    let nul = strip(app.login("ad", "").problem(401, "invalid_credentials"));
    assert_eq!(nul, unknown);
}

#[test]
fn guessing_gets_slower_for_one_name_only() {
    let app = App::start();
    for _ in 0..6 {
        app.login("admin", "guess guess").problem(401, "invalid_credentials");
    }
    let reply = app.login("admin", PASSWORD);
    reply.problem(429, "too_many_requests");
    assert!(reply.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok_and(|s| s >= 1)));
    app.login("manager-west", PASSWORD).expect(200);
}

#[test]
fn refresh_tokens_rotate_and_a_stolen_one_ends_the_sign_in() {
    let app = App::start();
    let first = app.login("cashier-west", PASSWORD).expect(200);
    let refresh = |token: &str| app.anon().post("/v1/auth/refresh", &json!({"refresh_token": token}));

    let second = refresh(text(&first, "refresh_token")).expect(200);
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    assert_eq!(second["principal"], first["principal"]);
    // Whose answer was lost asks again at once, and gets the same successor.
    let again = refresh(text(&first, "refresh_token")).expect(200);
    assert_eq!(again["refresh_token"], second["refresh_token"]);
    let third = refresh(text(&second, "refresh_token")).expect(200);

    // Eleven seconds later it is no repetition any more.
    app.db.execute("update refresh_token set used_at = used_at - interval '11 seconds'");
    refresh(text(&first, "refresh_token")).problem(401, "session_revoked");
    refresh(text(&third, "refresh_token")).problem(401, "session_revoked");
    refresh(&"0".repeat(64)).problem(401, "token_invalid");
    refresh("not hexadecimal").problem(401, "token_invalid");

    // Another process, which has not seen the access token, refuses it at once.
    let elsewhere = App::beside(&app);
    let caller = elsewhere.anon().with_token(text(&third, "access_token"));
    caller.get("/v1/till/members?code=000000000000").problem(401, "session_revoked");
}

#[test]
fn signing_out_ends_this_sign_in_alone() {
    let app = App::start();
    let [one, other] = [(); 2].map(|()| app.login("cashier-west", PASSWORD).expect(200));
    let caller = app.anon().with_token(text(&one, "access_token"));
    caller.get("/v1/till/members?external_id=x").expect(200);
    let reply = caller.request("POST", "/v1/auth/logout").send();
    reply.expect(204);
    assert_eq!(reply.text, "");
    let refused = caller.get("/v1/till/members?external_id=x");
    refused.problem(401, "session_revoked");
    assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"tessera\""));
    app.anon()
        .post("/v1/auth/refresh", &json!({"refresh_token": one["refresh_token"]}))
        .problem(401, "session_revoked");
    app.anon().with_token(text(&other, "access_token")).get("/v1/till/members?external_id=x").expect(200);
}

#[test]
fn a_new_password_ends_the_other_sign_ins() {
    let app = App::start();
    let [one, other] = [(); 2].map(|()| app.login("manager-west", PASSWORD).expect(200));
    let caller = app.anon().with_token(text(&one, "access_token"));
    let change = |current: &str, new: &str| {
        caller.put("/v1/auth/password", &json!({"current_password": current, "new_password": new}))
    };
    change("wrong wrong", "another password").problem(401, "invalid_credentials");
    change(PASSWORD, "short").problem(422, "password_unfit");
    change(PASSWORD, &"x".repeat(129)).problem(422, "password_unfit");
    change(PASSWORD, "another password").expect(204);

    caller.get("/v1/till/members?external_id=x").expect(200);
    let ended = app.anon().with_token(text(&other, "access_token"));
    ended.get("/v1/till/members?external_id=x").problem(401, "session_revoked");
    app.login("manager-west", PASSWORD).problem(401, "invalid_credentials");
    app.login("manager-west", "another password").expect(200);
}

#[test]
fn the_public_keys_are_public() {
    let app = App::start();
    let reply = app.anon().get("/.well-known/jwks.json");
    let keys = reply.expect(200);
    assert_eq!(reply.header("cache-control"), Some("public, max-age=300"));
    let keys = keys["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 1);
    for (field, value) in [("kty", "OKP"), ("crv", "Ed25519"), ("alg", "EdDSA"), ("use", "sig")] {
        assert_eq!(keys[0][field], value);
    }
    assert!(keys[0].get("d").is_none(), "the private half");

    let signed_in = app.login("admin", PASSWORD).expect(200);
    let head = text(&signed_in, "access_token").split('.').next().unwrap().to_owned();
    let kid = format!("\"kid\":{}", keys[0]["kid"]);
    assert!(String::from_utf8_lossy(&base64(&head)).contains(&kid), "the token names the key");
}

/// Decodes base64url without padding.
fn base64(text: &str) -> Vec<u8> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'-' => 62,
        _ => 63,
    };
    let bits: Vec<u32> = text.bytes().map(|c| u32::from(value(c))).collect();
    bits.chunks(4)
        .flat_map(|four| {
            let word = four.iter().fold(0, |word, six| word << 6 | six) << (6 * (4 - four.len()));
            word.to_be_bytes()[1..four.len()].to_vec()
        })
        .collect()
}

#[test]
fn a_token_must_be_there_and_be_one() {
    let app = App::start();
    let path = "/v1/till/members?external_id=x";
    app.anon().get(path).problem(401, "token_missing");
    app.anon().with_token("x.y.z").get(path).problem(401, "token_invalid");
    let basic = app.anon().request("GET", path).header("Authorization", "Basic eDp5").send();
    basic.problem(401, "token_missing");
    let twice = app.cashier().request("GET", path).header("Authorization", "Bearer x").send();
    twice.problem(401, "token_invalid");
}

#[test]
fn whoever_is_dismissed_is_out() {
    let app = App::start();
    let signed_in = app.login("cashier-west", PASSWORD).expect(200);
    let elsewhere = App::beside(&app);
    let [here, there] = [&app, &elsewhere].map(|app| app.anon().with_token(text(&signed_in, "access_token")));
    for caller in [&here, &there] {
        caller.get("/v1/till/members?external_id=x").expect(200);
    }
    app.db.execute("update staff set status = 'disabled' where identifier = 'cashier-west'");
    // Both processes have seen the token, and go by that for no longer than five seconds.
    let start = std::time::Instant::now();
    for caller in [&here, &there] {
        eventually("the dismissed is out", || {
            let reply = caller.get("/v1/till/members?external_id=x");
            (reply.status != 200).then(|| reply.problem(401, "session_revoked"))
        });
    }
    assert!(start.elapsed().as_millis() < 5_900, "{:?}", start.elapsed());
    app.login("cashier-west", PASSWORD).problem(401, "invalid_credentials");
}
