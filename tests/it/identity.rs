//! How people come in by themselves: registering, a forgotten password, their sign-ins, and what slows
//! down whoever tries names, passwords and codes.

use serde_json::{Value, json};

use crate::support::app::PASSWORD;
use crate::support::db::Db;
use crate::support::{App, Caller, Reply, make};

/// A message as the sandbox keeps it: kind and English text, the latest for a contact.
fn told(app: &App, contact: &str) -> (String, String) {
    let messages = app.admin().get("/v1/sandbox/messages").expect(200);
    let to = |message: &&Value| message["to"] == contact;
    let latest = messages["data"].as_array().unwrap().iter().find(to).unwrap_or_else(|| panic!("{messages}"));
    assert!(latest["text"]["zh"].as_str().is_some_and(|text| !text.is_empty()), "{latest}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&latest["kind"]), text(&latest["text"]["en"]))
}

/// The code a contact was sent last.
fn code(app: &App, contact: &str) -> String {
    let (kind, text) = told(app, contact);
    assert_eq!(kind, "verification_code");
    text.chars().skip_while(|c| !c.is_ascii_digit()).take(6).collect()
}

/// The id of an answer that must not tell anything else.
fn verification(reply: &Reply) -> String {
    let answer = reply.expect(202);
    assert_eq!(answer["expires_in"], 600);
    assert_eq!(answer.as_object().unwrap().len(), 2, "{answer}");
    answer["verification_id"].as_str().unwrap().to_owned()
}

/// A code that is not the right one.
fn wrong_for(right: &str) -> &'static str {
    if right == "123456" { "654321" } else { "123456" }
}

fn strip(mut problem: Value) -> Value {
    problem["request_id"].take();
    problem
}

#[test]
fn whoever_joins_proves_the_contact_and_learns_nothing_of_others() {
    let app = App::start();
    let anon = app.anon();
    let zhou = make::enrol(&app.cashier(), &json!({"name": "Zhou Min", "email": "min@example.com"}));
    let register = |body: Value| anon.post("/v1/auth/register", &body);
    let verify = |id: &str, code: &str| anon.post("/v1/auth/verify", &json!({"verification_id": id, "code": code}));
    let lin =
        json!({"name": "Lin Xiaoyu", "email": "Lin@Example.com", "password": "copper kettle", "birth_date": "--03-05"});

    // What is wrong with a request is told, whoever has the contact.
    for (field, value, reason) in [
        ("password", "copper", "too_short"),
        ("password", "P@ssw0rd2024", "common"),
        ("password", "linxiaoyu88", "personal"),
    ] {
        let mut body = lin.clone();
        body[field] = value.into();
        assert_eq!(register(body).problem(422, "password_unfit")["reason"], reason);
    }
    let mut both = lin.clone();
    both["phone"] = "+8613800138000".into();
    register(both).problem(400, "invalid_field");
    assert_eq!(app.db.number("select count(*) as value from contact_message"), 0);

    // A contact that is taken and one that is free: the same answers, other messages.
    let taken = verification(&register(json!({"name": "X", "email": "min@example.com", "password": "copper kettle"})));
    assert_eq!(told(&app, "min@example.com").0, "account_exists");
    let free = verification(&register(lin.clone()));
    let right = code(&app, "lin@example.com");
    let wrong = wrong_for(&right);
    let refused = strip(verify(&free, wrong).problem(422, "verification_invalid"));
    for (id, tried) in [(&taken, wrong), (&free, "12345"), (&free, ""), (&free, "１２３４５６"), (&free, "12345a")]
    {
        assert_eq!(strip(verify(id, tried).problem(422, "verification_invalid")), refused);
    }
    assert_eq!(strip(verify(&free, &right).problem(422, "verification_invalid")), refused, "five tries are all");
    assert_eq!(app.db.number("select max(attempts)::bigint as value from verification"), 5);

    // A code that has lapsed is none.
    let late = verification(&register(lin.clone()));
    app.db.execute("update verification set created_at = created_at - interval '1 day', expires_at = now()");
    verify(&late, &code(&app, "lin@example.com")).problem(422, "verification_invalid");

    // However many come at once, a code makes one member; and each wrong one is counted.
    let good = verification(&register(lin.clone()));
    let right = code(&app, "lin@example.com");
    verify(&good, wrong_for(&right)).problem(422, "verification_invalid");
    // Who brought him is said with the code. A referrer nobody knows leaves all as it was, for another try.
    let brought = |by: &str| {
        let body = json!({"verification_id": good, "code": right, "referred_by": by});
        anon.post("/v1/auth/verify", &body)
    };
    brought("482916350718").problem(422, "referrer_unknown");
    let mut answers: Vec<Reply> = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..6).map(|_| scope.spawn(|| brought(&zhou.id))).collect();
        tries.into_iter().map(|one| one.join().unwrap()).collect()
    });
    answers.sort_by_key(|reply| reply.status);
    assert!(answers[1..].iter().all(|reply| reply.status == 422), "{answers:?}");
    let joined = answers[0].expect(201);
    assert_eq!(joined["principal"]["role"], "member");
    let caller = anon.with_token(joined["access_token"].as_str().unwrap());
    let profile = caller.get("/v1/member/profile").expect(200);
    assert_eq!((&profile["name"], &profile["email"]), (&json!("Lin Xiaoyu"), &json!("lin@example.com")));
    assert_eq!(profile["birth_date"], "--03-05");
    assert_eq!(strip(verify(&good, "000000").problem(422, "verification_invalid")), refused, "used up");
    let referrals = app.manager().get(&format!("/v1/admin/members/{}/referrals", zhou.id)).expect(200);
    assert_eq!(referrals["data"].as_array().map(Vec::len), Some(1), "{referrals}");
    let kept = format!("select count(*) as value from verification where id::text = '{}'", uuid_of(&good));
    assert_eq!(app.db.number(&kept), 0, "nothing of it stays");
    app.login("lin@example.com", "copper kettle").expect(200);

    // Codes can be asked for five times; whether there is anybody makes no difference.
    for contact in ["nobody@example.com", "min@example.com"] {
        let forgot = || anon.post("/v1/auth/password/forgot", &json!({"email": contact}));
        let refused = (0..8).any(|_| forgot().status == 429);
        assert!(refused, "{contact} is sent messages without end");
    }
    app.cashier().get("/v1/sandbox/messages").problem(403, "forbidden");
    from_one_address(&anon);
}

/// Without a proxy that is trusted, what a header says of the address counts for nothing: tries from one
/// address come to an end.
fn from_one_address(anon: &Caller) {
    let refused = (0..120).any(|n| {
        let body = json!({"verification_id": "ver_01kapm3v5ne8v9b3r6a2f7qk4d", "code": "123456"});
        let request = anon.request("POST", "/v1/auth/verify").header("X-Forwarded-For", &format!("203.0.113.{n}"));
        request.json(&body).send().status == 429
    });
    assert!(refused, "one address may try codes without end");
}

fn uuid_of(id: &str) -> String {
    id.parse::<tessera_rules::id::VerificationId>().unwrap().uuid().to_string()
}

#[test]
fn a_forgotten_password_is_replaced_by_whoever_has_the_contact() {
    let app = App::start();
    let anon = app.anon();
    let member = make::enrol(&app.cashier(), &json!({"name": "Zhou Min", "phone": "+8613800138000"}));
    app.give_password(&member);
    let [one, other] = [(); 2].map(|()| app.login(&member.code, PASSWORD).expect(200));
    let forgot = |phone: &str| verification(&anon.post("/v1/auth/password/forgot", &json!({"phone": phone})));
    let reset = |id: &str, code: &str, password: &str| {
        let body = json!({"verification_id": id, "code": code, "new_password": password});
        anon.post("/v1/auth/password/reset", &body)
    };
    let nobodys = forgot("+8613900139000");
    assert_eq!(told(&app, "+8613900139000").0, "account_missing");
    let id = forgot("+86 138 0013 8000");
    let code = code(&app, "+8613800138000");

    let refused = strip(reset(&nobodys, &code, "copper kettle").problem(422, "verification_invalid"));
    assert_eq!(strip(reset(&id, "0000000", "copper kettle").problem(422, "verification_invalid")), refused);
    for (password, reason) in [("short", "too_short"), ("iloveyou1314", "common"), ("13800138000", "personal")] {
        assert_eq!(reset(&id, &code, password).problem(422, "password_unfit")["reason"], reason);
    }
    // A code for this is none for joining.
    let joining = anon.post("/v1/auth/verify", &json!({"verification_id": id, "code": code}));
    joining.problem(422, "verification_invalid");
    reset(&id, &code, "copper kettle").expect(204);
    reset(&id, &code, "silver kettle").problem(422, "verification_invalid");
    assert_eq!(told(&app, "+8613800138000").0, "password_changed");

    for signed_in in [one, other] {
        let caller = anon.with_token(signed_in["access_token"].as_str().unwrap());
        caller.get("/v1/member/balance").problem(401, "session_revoked");
        let refresh = json!({"refresh_token": signed_in["refresh_token"]});
        anon.post("/v1/auth/refresh", &refresh).problem(401, "session_revoked");
    }
    app.login(&member.code, PASSWORD).problem(401, "invalid_credentials");
    app.login(&member.code, "copper kettle").expect(200);
    let noted = app.db.texts("select after::text as value from audit where action = 'member.reset_password'");
    assert_eq!(noted.len(), 1);
    assert!(!noted[0].contains("kettle") && !noted[0].contains("138"), "{noted:?}");

    // Who was frozen meanwhile gets no code, and one sent before opens nothing.
    let id = forgot("+8613800138000");
    let code = self::code(&app, "+8613800138000");
    let freeze = format!("/v1/admin/members/{}/freeze", member.id);
    app.manager().post(&freeze, &json!({"reason": "lost"})).expect(200);
    reset(&id, &code, "golden kettle").problem(422, "verification_invalid");
    forgot("+8613800138000");
    assert_eq!(told(&app, "+8613800138000").0, "account_missing");
}

#[test]
fn sign_ins_are_listed_and_ended_and_guessing_is_slowed_down_by_source() {
    let settings = [("AUTH__SOURCE_ATTEMPTS", "3"), ("HTTP__TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8")];
    let app = App::on(Db::furnished(), &settings);
    let sign_in = |identifier: &str, password: &str, header: (&str, &str)| {
        let body = json!({"identifier": identifier, "password": password});
        app.anon().request("POST", "/v1/auth/login").header(header.0, header.1).json(&body).send()
    };
    let [phone, laptop, old] = ["Phone", "Laptop", "Old phone"].map(|device| {
        let signed_in = sign_in("manager-west", PASSWORD, ("User-Agent", device)).expect(200);
        app.anon().with_token(signed_in["access_token"].as_str().unwrap())
    });
    let list = |caller: &Caller| caller.get("/v1/auth/sessions").expect(200)["data"].as_array().unwrap().clone();
    let devices = |sessions: &[Value]| -> Vec<String> {
        sessions
            .iter()
            .map(|session| format!("{} {}", session["device"].as_str().unwrap(), session["current"]))
            .collect()
    };
    assert_eq!(devices(&list(&laptop)), ["Old phone false", "Laptop true", "Phone false"]);
    let end = |caller: &Caller, id: &Value| {
        caller.request("DELETE", &format!("/v1/auth/sessions/{}", id.as_str().unwrap())).send()
    };
    let olds = list(&laptop)[0]["id"].clone();
    end(&app.admin(), &olds).problem(404, "not_found");
    end(&laptop, &olds).expect(204);
    end(&laptop, &olds).problem(404, "not_found");
    old.get("/v1/auth/sessions").problem(401, "session_revoked");
    laptop.request("DELETE", "/v1/auth/sessions").send().expect(204);
    phone.get("/v1/auth/sessions").problem(401, "session_revoked");
    assert_eq!(devices(&list(&laptop)), ["Laptop true"]);
    assert_eq!(list(&app.admin()).len(), 1, "others are left alone");

    // Each time another name, so that no name is slowed down. Three are free, so that three more show it.
    let names = std::cell::Cell::new(0);
    let slowed = |header: (&str, &str), tries: usize| {
        (0..tries).any(|_| {
            names.set(names.get() + 1);
            sign_in(&format!("nobody-{}", names.get()), "guess guess", header).status == 429
        })
    };
    assert!(slowed(("X-Forwarded-For", "203.0.113.7"), 8));
    for (name, value) in [
        ("X-Forwarded-For", "203.0.113.9, 203.0.113.7"),
        ("X-Forwarded-For", "203.0.113.7, 10.1.2.3"),
        ("Forwarded", "for=203.0.113.9, for=\"203.0.113.7:4711\";proto=https"),
    ] {
        assert!(slowed((name, value), 3), "{value} is the same source");
    }
    for value in ["203.0.113.8", "203.0.113.7, 203.0.113.8", "203.0.113.7, unknown", ""] {
        sign_in("manager-west", PASSWORD, ("X-Forwarded-For", value)).expect(200);
    }
    assert!(slowed(("X-Forwarded-For", "2001:db8::1"), 8));
    assert!(slowed(("Forwarded", "for=\"[2001:db8::2]\""), 3), "a whole /64 is one source");
}
