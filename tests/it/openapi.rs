//! The OpenAPI document: complete, and no change of it goes unseen.

use std::path::Path;

use serde_json::Value;
use tessera::api::openapi;

use crate::support::App;

fn document() -> Value {
    serde_json::from_str(&openapi::document().json).expect("the document is JSON")
}

/// Every operation: where it is, and what is said of it.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let of_path = |(path, item): (&String, &'_ Value)| {
        let path = path.clone();
        item.as_object().unwrap().keys().map(move |method| format!("{method} {path}")).collect::<Vec<_>>()
    };
    let names = paths.flat_map(of_path);
    names
        .map(|name| {
            let (method, path) = name.split_once(' ').unwrap();
            let operation = &document["paths"][path][method];
            (name, operation)
        })
        .collect()
}

#[test]
fn the_committed_document_is_the_one_that_is_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots/openapi.json");
    let written = format!("{}\n", openapi::document().json);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).expect("a directory for snapshots");
        std::fs::write(&path, &written).expect("the snapshot is written");
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    if let Some(line) = first_difference(&committed, &written) {
        panic!("the API has changed; if that is meant, run UPDATE_SNAPSHOTS=1 cargo test --test it openapi:: \n{line}");
    }
}

fn first_difference(committed: &str, written: &str) -> Option<String> {
    let mut lines = (1..).zip(committed.lines().map(Some).chain(std::iter::repeat(None)));
    let found = written.lines().zip(&mut lines).find(|(new, (_, old))| Some(*new) != *old);
    match found {
        Some((new, (number, old))) => Some(format!("line {number}:\n- {}\n+ {new}", old.unwrap_or("(nothing)"))),
        None if committed.lines().count() != written.lines().count() => Some("the committed one is longer".to_owned()),
        None => None,
    }
}

#[test]
fn the_served_document_is_this_one() {
    let app = App::start();
    let served = app.anon().get("/openapi.json");
    assert_eq!(served.header("content-type"), Some("application/json"));
    assert_eq!(served.text, openapi::document().json);
}

#[test]
fn nothing_is_missing() {
    let document = document();
    assert_eq!(openapi::faults(&document), Vec::<String>::new());
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    for (name, operation) in operations(&document) {
        let tags = operation["tags"].as_array().unwrap();
        assert_eq!(tags.len(), 1, "{name}: one tag");
        assert!(operation["summary"].as_str().is_some_and(|summary| !summary.ends_with('.')), "{name}: a summary");
        let responses = operation["responses"].as_object().unwrap();
        let problems = responses.keys().filter(|status| status.as_str() >= "400").count();
        let (_, path) = name.split_once(' ').unwrap();
        if path.starts_with("/v1/") {
            assert!(problems >= 3, "{name}: its problems");
            assert!(responses.contains_key("500") && responses.contains_key("503"), "{name}: ours");
            let public = operation["security"].as_array().is_some_and(Vec::is_empty);
            assert_eq!(responses.contains_key("401") && responses.contains_key("403"), !public, "{name}: who may");
        }
        if name.starts_with("post ") && moves_points(path) {
            let parameters = operation["parameters"].as_array();
            let keyed = parameters.is_some_and(|all| all.iter().any(|one| one["name"] == "Idempotency-Key"));
            assert!(keyed, "{name}: needs a key");
        }
        for (status, response) in responses {
            assert!(response["$ref"].is_string() || response["description"].is_string(), "{name} {status}");
        }
    }
}

fn moves_points(path: &str) -> bool {
    let moving = [
        "purchases",
        "redemptions",
        "adjustments",
        "returns",
        "capture",
        "void",
        "transfers",
        "move",
        "merge",
        "unmerge",
        "join",
        "leave",
        "top-ups",
        "refunds",
    ];
    path.rsplit('/').next().is_some_and(|last| moving.contains(&last))
}

#[test]
fn every_code_of_the_document_is_in_the_table() {
    use tessera::api::error::Code;
    let document = document();
    let mut used = std::collections::BTreeSet::new();
    for (name, operation) in operations(&document) {
        for code in operation["x-problem-codes"].as_array().into_iter().flatten() {
            let code = code.as_str().unwrap();
            let known = Code::ALL.iter().find(|known| known.as_str() == code);
            let status = known.unwrap_or_else(|| panic!("{name}: {code}")).status().to_string();
            assert!(operation["responses"].get(&status).is_some(), "{name}: {code} is a {status}");
            used.insert(code.to_owned());
        }
    }
    let mut codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), Code::ALL.len(), "a code means one thing");
    for code in Code::ALL {
        assert!(matches!(code.status(), 400..=599), "{code}");
    }
    assert!(used.len() > 40, "{used:?}");
}
