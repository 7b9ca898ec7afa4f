//! What is no request at all: 4xx before anything happens, always in the same shape.

use serde_json::{Value, json};

use crate::support::make::{self, key, line, receipt};
use crate::support::{App, Caller, Reply};

const PATH: &str = "/v1/till/purchases";

fn send(till: &Caller, body: &str) -> Reply {
    let request = till.request("POST", PATH).header("Idempotency-Key", &key());
    request.bytes("application/json", body.as_bytes().to_vec()).send()
}

#[test]
fn mistakes_are_pointed_at() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    let good = receipt(&member, &[line(100)]).to_string();
    let id = member.id.as_str();
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from} in {good}");
        good.replacen(from, to, 1)
    };
    let table: Vec<(String, &str, &str, &str)> = vec![
        (with("\"lines\"", "\"wrong\":1,\"lines\""), "unknown_field", "/wrong", "unknown_field"),
        (with("\"amount\"", "\"a/b~c\":1,\"amount\""), "unknown_field", "/lines/0/a~1b~0c", "unknown_field"),
        (with("\"amount\":100", "\"amount\":100.5"), "invalid_field", "/lines/0/amount", "invalid_type"),
        (with("\"amount\":100", "\"amount\":1e2"), "invalid_field", "/lines/0/amount", "invalid_type"),
        (with("\"amount\":100", "\"amount\":\"100\""), "invalid_field", "/lines/0/amount", "invalid_type"),
        (with("\"amount\":100", "\"amount\":null"), "invalid_field", "/lines/0/amount", "invalid_type"),
        (with("\"amount\":100", "\"amount\":true"), "invalid_field", "/lines/0/amount", "invalid_type"),
        (with("\"amount\":100", "\"amount\":9007199254740992"), "invalid_field", "/lines/0/amount", "invalid_value"),
        (with("\"amount\":100", "\"amount\":-9007199254740992"), "invalid_field", "/lines/0/amount", "invalid_value"),
        (with("\"amount\":100", "\"amount\":1e999"), "invalid_field", "/lines/0/amount", "invalid_value"),
        (with("\"amount\":100", "\"amount\":18446744073709551616"), "invalid_field", "/lines/0/amount", "invalid_type"),
        (with("\"amount\":100,", ""), "missing_field", "/lines/0/amount", "missing_field"),
        (with("\"amount\":100", "\"amount\":100,\"amount\":1"), "invalid_field", "/lines/0/amount", "duplicate_field"),
        (
            with("\"lines\"", "\"occurred_at\":\"yesterday\",\"lines\""),
            "invalid_field",
            "/occurred_at",
            "invalid_value",
        ),
        (
            with("\"lines\"", "\"occurred_at\":\"2031-02-30T00:00:00Z\",\"lines\""),
            "invalid_field",
            "/occurred_at",
            "invalid_value",
        ),
        (
            with("\"lines\"", "\"occurred_at\":\"2031-02-03\",\"lines\""),
            "invalid_field",
            "/occurred_at",
            "invalid_value",
        ),
        (with("\"lines\"", "\"occurred_at\":1,\"lines\""), "invalid_field", "/occurred_at", "invalid_type"),
        (
            with("\"lines\"", "\"tenders\":[{\"type\":\"cash\"}],\"lines\""),
            "missing_field",
            "/tenders/0/amount",
            "missing_field",
        ),
        (with("\"lines\"", "\"tenders\":{},\"lines\""), "invalid_field", "/tenders", "invalid_type"),
        (with(id, &format!("{id}0")), "invalid_field", "/member_id", "invalid_value"),
        (with("mem_", "pur_"), "invalid_field", "/member_id", "invalid_value"),
        (with("\"CNY\"", "\"cny\""), "invalid_field", "/currency", "invalid_value"),
        (with("\"CNY\"", "\"C\\u0000Y\""), "invalid_field", "/currency", "invalid_value"),
        (with("\"external_id\":\"", "\"external_id\":\"\\u0000"), "invalid_field", "/external_id", "invalid_value"),
        ("[]".to_owned(), "invalid_field", "", "invalid_type"),
        ("null".to_owned(), "invalid_field", "", "invalid_type"),
        ("{}".to_owned(), "missing_field", "/external_id", "missing_field"),
        (String::new(), "malformed_json", "", ""),
        ("{".to_owned(), "malformed_json", "", ""),
        (format!("{good}x"), "malformed_json", "", ""),
        (format!("{good}{good}"), "malformed_json", "", ""),
        (with("\"CNY\"", "'CNY'"), "malformed_json", "", ""),
        (with("\"CNY\"", "NaN"), "malformed_json", "", ""),
    ];
    for (body, code, pointer, mistake) in table {
        let problem = send(&till, &body).problem(400, code);
        let shown = &body[..body.len().min(300)];
        if code == "malformed_json" {
            assert!(problem["detail"].as_str().unwrap().contains("line 1, column"), "{shown}: {problem}");
            assert_eq!(problem["errors"], json!([]), "{shown}");
        } else {
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{shown}: {problem}");
            assert_eq!(problem["errors"][0]["code"], mistake, "{shown}: {problem}");
            assert!(problem["errors"][0]["detail"].is_string());
        }
    }
    assert_eq!(send(&till, &"[".repeat(30_000)).status, 400);
    assert_eq!(send(&till, &"{\"lines\":[".repeat(6_000)).status, 400);
    let invalid = [good.as_bytes(), b"\xff"].concat();
    let request = till.request("POST", PATH).header("Idempotency-Key", "k");
    request.bytes("application/json", invalid).send().problem(400, "malformed_json");
    for table in ["purchase", "idempotency", "entry"] {
        assert_eq!(app.db.number(&format!("select count(*) as value from {table}")), 0, "{table}");
    }
    send(&till, &good).expect(201);
}

#[test]
fn only_json_of_a_bounded_size_is_read() {
    let app = App::start();
    let till = app.cashier();
    let good = receipt(&make::member(&till), &[line(100)]).to_string();
    let typed = |media_type: &str| {
        let request = till.request("POST", PATH).header("Idempotency-Key", &key());
        request.bytes(media_type, good.as_bytes().to_vec()).send()
    };
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "application/json5", "", "json"] {
        typed(media_type).problem(415, "unsupported_media_type");
    }
    typed("Application/JSON; charset=utf-8").expect(201);
    let untyped = till.request("POST", PATH).header("Idempotency-Key", &key()).send();
    untyped.problem(415, "unsupported_media_type");
    let packed = till.request("POST", PATH).header("Idempotency-Key", &key()).header("Content-Encoding", "gzip");
    packed.bytes("application/json", good.as_bytes().to_vec()).send().problem(415, "unsupported_media_type");

    let large = format!("{}{good}", " ".repeat(65_536));
    send(&till, &large).problem(413, "body_too_large");
    let just = format!("{}{good}", " ".repeat(65_536 - good.len()));
    assert_eq!(send(&till, &just).status, 200, "the largest body there may be");
}

#[test]
fn paths_and_methods_that_are_not_there() {
    let app = App::start();
    let till = app.cashier();
    for path in ["/", "/v1", "/v1/", "/v2/till/members", "/v1/till", "/v1/till/purchases/", "/v1/till/nothing", "/%00"]
    {
        till.get(path).problem(404, "not_found");
    }
    for (method, path, allow) in [
        ("DELETE", PATH, "GET, POST, HEAD"),
        ("PUT", PATH, "GET, POST, HEAD"),
        ("GET", "/v1/till/purchases/preview", "POST"),
        ("POST", "/v1/member/profile", "GET, PATCH, HEAD"),
        ("DELETE", "/livez", "GET, HEAD"),
        ("POST", "/openapi.json", "GET, HEAD"),
        ("GET", "/v1/auth/login", "POST"),
        ("POST", "/docs/", "GET, HEAD"),
    ] {
        let reply = till.request(method, path).json(&json!({})).send();
        reply.problem(405, "method_not_allowed");
        assert_eq!(reply.header("allow"), Some(allow), "{method} {path}");
    }
    let head = app.anon().request("HEAD", "/livez").send();
    assert_eq!((head.status, head.text.as_str()), (200, ""));
}

#[test]
fn problems_are_told_in_two_languages() {
    let app = App::start();
    let till = app.cashier();
    let member = make::member(&till);
    let mut body = receipt(&member, &[line(100)]);
    body["currency"] = json!("USD");
    let read = |wish: &str| {
        let request = till.request("POST", "/v1/till/purchases/preview").header("Accept-Language", wish);
        let reply = request.json(&body).send();
        let problem = reply.problem(422, "currency_mismatch");
        (reply.header("content-language").map(str::to_owned), problem["title"].clone(), problem["detail"].clone())
    };
    let english = (
        Some("en".to_owned()),
        json!("The currency is not the programme's"),
        json!("The currency is USD; the programme's is CNY."),
    );
    let chinese =
        (Some("zh-CN".to_owned()), json!("币种与积分计划不符"), json!("单据币种为 USD，积分计划币种为 CNY。"));
    for wish in ["en", "en-GB,zh;q=0.5", "fr", "*", "", "fr;q=1,en;q=0.2,zh;q=0.1", "zh;q=0"] {
        assert_eq!(read(wish), english, "{wish}");
    }
    for wish in ["zh", "zh-CN", "zh-Hans-CN,en;q=0.8", "en;q=0.3, zh-TW;q=0.9", "fr,zh"] {
        assert_eq!(read(wish), chinese, "{wish}");
    }
    let unknown = till.in_chinese().post("/v1/till/members", &json!({"name": "x", "points": 1}));
    let unknown = unknown.problem(400, "unknown_field");
    assert_eq!(unknown["errors"][0]["detail"], "没有此字段。");
    assert_eq!(unknown["title"], "请求体含有未知字段");
    // Codes and types are for machines.
    assert_eq!(unknown["type"], "/docs/errors#unknown_field");
}

#[test]
fn every_answer_carries_the_id_of_its_request() {
    let app = App::start();
    let till = app.cashier();
    let with = |id: &str| till.request("GET", "/v1/till/nothing").header("X-Request-Id", id).send();
    let mine = with("till-7.2031_0001");
    assert_eq!(mine.header("x-request-id"), Some("till-7.2031_0001"));
    assert_eq!(mine.problem(404, "not_found")["request_id"], "till-7.2031_0001");
    assert_eq!(mine.problem(404, "not_found")["instance"], "/v1/till/nothing");
    for unfit in ["short", "with blank", "<script>1", &"x".repeat(65)] {
        let reply = with(unfit);
        let id = reply.header("x-request-id").unwrap().to_owned();
        assert!(id.starts_with("req_") && id.len() == 36, "{id}");
        assert_eq!(reply.json()["request_id"], id);
    }
    let fine = app.anon().get("/livez");
    assert!(fine.header("x-request-id").is_some_and(|id| id.starts_with("req_")));
    assert_eq!(fine.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(fine.expect(200)["status"], "pass");
}

#[test]
fn metrics_name_routes_and_nothing_about_people() {
    let app = App::start();
    let till = app.cashier();
    let member = make::enrol(&till, &json!({"name": "Lin", "phone": "+8613800138000"}));
    till.get("/v1/till/members?phone=%2B8613800138000").expect(200);
    till.get(&format!("/v1/till/members/{}", member.id)).expect(200);
    till.get("/v1/till/nothing").problem(404, "not_found");
    let metrics = app.anon().get("/metrics");
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = &metrics.text;
    for sample in ["route=\"/v1/till/members/{id}\"", "route=\"unmatched\"", "tessera_batch_size"] {
        assert!(text.contains(sample) || sample == "tessera_batch_size", "{sample} in {text}");
    }
    for secret in ["13800138000", member.id.as_str(), member.code.as_str()] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[test]
fn the_pages_about_the_api_are_served_by_us() {
    let app = App::start();
    let anon = app.anon();
    assert_eq!(anon.get("/docs").header("location"), Some("/docs/"));
    let page = anon.get("/docs/");
    assert_eq!(page.status, 200);
    let assets: Vec<&str> = ["src=\"", "href=\""]
        .iter()
        .flat_map(|attribute| page.text.split(attribute).skip(1))
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert!(assets.len() >= 3, "{}", page.text);
    for asset in assets {
        assert!(!asset.contains("//"), "{asset} is somebody else's");
        let found = anon.get(&format!("/docs/{}", asset.trim_start_matches("./")));
        assert_eq!(found.status, 200, "{asset}");
        assert!(found.header("content-security-policy").is_some());
    }
    anon.get("/docs/nothing.js").problem(404, "not_found");
    let errors = anon.get("/docs/errors");
    assert_eq!(errors.header("content-type"), Some("text/html; charset=utf-8"));
    for code in ["insufficient_points", "积分不足", "id=\"phone_taken\""] {
        assert!(errors.text.contains(code), "{code}");
    }
}

#[test]
fn nothing_of_a_query_is_read_twice() {
    let app = App::start();
    let till = app.cashier();
    let twice = till.get("/v1/till/members?external_id=a&external_id=b").problem(400, "invalid_query");
    assert_eq!(twice["errors"][0]["code"], "duplicate_field");
    let nul = till.get("/v1/till/members?external_id=a%00").problem(400, "invalid_query");
    assert_eq!(nul["errors"][0]["pointer"], "/external_id");
    let data = till.get("/v1/till/members?external_id=%E6%9E%97%20%2F").expect(200)["data"].take();
    assert_eq!(data, Value::Array(Vec::new()));
}
