//! `tessera programme schema`: what editors need to know of a programme file.

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use crate::api::openapi;
use crate::cli::output;

/// Where the OpenAPI document keeps its schemas, and where a schema of its own does.
const THERE: &str = "#/components/schemas/";
const HERE: &str = "#/$defs/";

pub(super) fn run() -> anyhow::Result<ExitCode> {
    output::result(serde_json::to_string_pretty(&schema()?)?)?;
    Ok(ExitCode::SUCCESS)
}

/// The JSON Schema (2020-12) of the document that the admin API takes: a file says the same.
fn schema() -> anyhow::Result<Value> {
    let mut document: Value = serde_json::from_str(&openapi::document().json)?;
    let all = document.pointer_mut("/components/schemas").map(Value::take).unwrap_or_default();
    let mut schemas = match all {
        Value::Object(schemas) => schemas,
        _ => Map::new(),
    };
    let mut root = schemas.remove("Programme").context("the document has no programme")?;
    let (mut definitions, mut wanted) = (Map::new(), BTreeSet::new());
    relocate(&mut root, &mut wanted);
    while let Some(name) = wanted.pop_first() {
        if let Some(mut schema) = schemas.remove(&name) {
            relocate(&mut schema, &mut wanted);
            // The document leaves room where an answer says more than what was put in; a file has none.
            if schema.get("properties").is_some() {
                schema["additionalProperties"] = json!(false);
            }
            definitions.insert(name, schema);
        }
    }
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["title"] = json!("Tessera programme");
    root["$defs"] = definitions.into();
    Ok(root)
}

/// Makes references point to the definitions, and notes which.
fn relocate(schema: &mut Value, wanted: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(target) if key == "$ref" => {
                        if let Some(name) = target.strip_prefix(THERE) {
                            wanted.insert(name.to_owned());
                            *target = format!("{HERE}{name}");
                        }
                    }
                    value => relocate(value, wanted),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| relocate(item, wanted)),
        _ => {}
    }
}
