//! What we build on: licences that may be shipped, and no crate twice without a reason.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Licences that ask for no more than a notice.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "PostgreSQL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "bzip2-1.0.6",
    "OpenSSL",
];

/// Crates that the tree holds in several versions, because our dependencies do not agree yet.
const TWICE: &[&str] = &[
    "base64",
    "bit-set",
    "bit-vec",
    "getrandom",
    "hashbrown",
    "http",
    "lock_api",
    "parking_lot",
    "parking_lot_core",
    "rand",
    "rand_core",
    "signature",
    "syn",
    "toml",
    "toml_datetime",
    "winnow",
];

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--offline",
            "--filter-platform",
            "x86_64-unknown-linux-gnu",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

/// Whether an SPDX expression can be met: one side of every `OR`, both sides of every `AND`.
fn allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ").replace(['(', ')'], " ");
    expression.split(" AND ").all(|part| {
        part.split(" OR ").any(|licence| {
            let licence = licence.split(" WITH ").next().unwrap_or_default().trim();
            LICENCES.contains(&licence)
        })
    })
}

#[test]
fn licences_may_be_shipped() {
    let unfit: Vec<String> = packages()
        .iter()
        .filter(|package| !package["license"].as_str().is_some_and(allowed))
        .map(|package| format!("{} {}", package["name"], package["license"]))
        .collect();
    assert!(unfit.is_empty(), "{unfit:#?}");
}

#[test]
fn copyleft_alone_is_not_allowed() {
    assert!(!allowed("GPL-3.0-or-later"));
    assert!(!allowed("MIT AND AGPL-3.0-only"));
    assert!(allowed("MIT OR Apache-2.0 OR LGPL-2.1-or-later"));
}

#[test]
fn no_crate_twice_without_a_reason() {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in packages() {
        let name = package["name"].as_str().expect("name").to_owned();
        versions.entry(name).or_default().insert(package["version"].to_string());
    }
    let twice: BTreeSet<&str> = versions.iter().filter(|(_, v)| v.len() > 1).map(|(name, _)| name.as_str()).collect();
    let known: BTreeSet<&str> = TWICE.iter().copied().collect();
    assert_eq!(twice, known, "the list of crates held twice has changed");
}
