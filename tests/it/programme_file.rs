//! The programme as a file: the schema that editors read, and mistakes with their lines.

use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::support::app;
use crate::support::db::{Db, scratch};
use crate::support::process::{finish, tessera};

fn config() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config")
}

fn committed() -> Value {
    let text = fs::read_to_string(config().join("programme.schema.json")).expect("the schema");
    serde_json::from_str(&text).expect("JSON")
}

fn validator() -> Validator {
    jsonschema::validator_for(&committed()).expect("a schema")
}

/// Where a programme is not valid, each beginning with the pointer.
fn mistakes(validator: &Validator, programme: &Value) -> Vec<String> {
    let told = validator.iter_errors(programme);
    told.map(|error| format!("{} ({})", error.instance_path(), error.schema_path())).collect()
}

#[test]
fn the_committed_schema_is_the_one_that_is_printed() {
    let (code, printed, err) = finish(tessera(&scratch("schema")).args(["programme", "schema"]));
    assert_eq!(code, 0, "{err}");
    let path = config().join("programme.schema.json");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, &printed).expect("the schema is written");
    }
    let same = fs::read_to_string(&path).is_ok_and(|committed| committed == printed);
    assert!(same, "if the change is meant, run UPDATE_SNAPSHOTS=1 cargo test --test it programme_file");
}

#[test]
fn every_starter_programme_and_every_programme_shown_is_valid() {
    let validator = validator();
    for file in fs::read_dir(config().join("programmes")).expect("a directory") {
        let path = file.expect("a file").path();
        let text = fs::read_to_string(&path).expect("a starter programme");
        let programme: Value = toml::from_str(&text).expect("TOML");
        assert_eq!(mistakes(&validator, &programme), [""; 0], "{}", path.display());
        assert!(text.starts_with("#:schema ../programme.schema.json\n"), "{} names it", path.display());
    }
    assert_eq!(mistakes(&validator, &app::programme()), [""; 0], "the test programme");
}

#[test]
fn a_mistake_is_not_valid() {
    let validator = validator();
    let wrong: [(&str, Value); 6] = [
        ("/promotions", json!([{"code": "p", "name": "P", "effect": {"kind": "add", "points": 0}}])),
        ("/promotions", json!([{"code": "p", "name": "P", "effect": {"kind": "give", "points": 1}}])),
        ("/promotions", json!([{"code": "p", "name": "P", "effect": {"kind": "add", "points": 1}, "tier": ["gold"]}])),
        ("/currency", json!("yuan")),
        ("/tiers/levels/0/threshold", json!("0")),
        ("/earning/rate", json!({"points": 1, "per": 100, "each": 1})),
    ];
    for (pointer, value) in wrong {
        let mut programme = app::programme();
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        programme.pointer_mut(parent).expect("is there")[key] = value;
        let told = mistakes(&validator, &programme);
        assert!(told.iter().any(|told| told.starts_with(pointer)), "{pointer}: {told:?}");
    }
    let mut unknown = app::programme();
    unknown["promotion"] = json!([]);
    assert_eq!(mistakes(&validator, &unknown).len(), 1, "an unknown key");
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let (db, dir) = (Db::furnished(), scratch("lines"));
    let file = dir.join("programme.toml");
    let cafe = fs::read_to_string(config().join("programmes/cafe.toml")).expect("a starter programme");
    let wrong = "\n[[promotions]]\ncode = \"one\"\nname = \"One\"\neffect = { kind = \"add\", points = 1 }\n\n\
                 [[promotions]]\ncode = \"two\"\nname = \"Two\"\ntiers = [\n  \"diamond\",\n]\n\
                 effect = { kind = \"add\", points = 0 }\n";
    fs::write(&file, format!("{cafe}{wrong}")).expect("written");
    let run = |arguments: &[&str]| {
        let mut process = tessera(&dir);
        finish(process.arg("programme").args(arguments).arg(&file).env("DATABASE_URL", &db.url))
    };
    let first = cafe.matches('\n').count() + 1;
    let (tier, points) = (first + 10, first + 12);
    for verb in ["plan", "apply"] {
        let (code, _, err) = run(&[verb]);
        assert_eq!(code, 1);
        assert!(err.contains(&format!("programme.toml:{tier}: ")) && err.contains("(unknown_tier)"), "{err}");
        assert!(err.contains(&format!("programme.toml:{points}: ")) && err.contains("(too_small)"), "{err}");
    }
    let (code, out, _) = run(&["apply", "--json"]);
    let told: Value = serde_json::from_str(&out).expect("JSON");
    let lines: Vec<&Value> = told["problems"].as_array().expect("a list").iter().map(|one| &one["line"]).collect();
    assert_eq!(code, 1);
    assert!(lines.contains(&&json!(tier)) && lines.contains(&&json!(points)), "{told}");

    fs::write(&file, format!("{cafe}\n[[promotions]]\nkode = \"one\"\n")).expect("written");
    let (code, _, err) = run(&["plan"]);
    assert_eq!(code, 1);
    assert!(err.contains(&format!("line {}", first + 2)) && err.contains("kode"), "{err}");
}
