//! What differs between two programmes or two parts of one, for people: one line for each value that comes, goes or
//! changes. Parts that have a code are told by it, wherever they stand in their list.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value, json};

/// One difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Where: `tiers.levels[gold].threshold`.
    pub path: String,
    /// What stood there; absent: nothing.
    pub before: Option<Value>,
    /// What stands there now; absent: nothing.
    pub after: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, "~ {path}: {before} -> {after}"),
            (Some(before), None) => write!(f, "- {path}: {before}"),
            (None, Some(after)) => write!(f, "+ {path}: {after}"),
            (None, None) => write!(f, "  {path}"),
        }
    }
}

/// Every difference, in the order of the paths.
pub fn between(before: &Value, after: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(String::new(), Some(before).filter(|value| !value.is_null()), Some(after), &mut found);
    found
}

fn compare(path: String, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Difference>) {
    if before == after {
        return;
    }
    let (old, new) = (before.map(Parts::of), after.map(Parts::of));
    match (old, new) {
        (Some(Parts::Fields(old)), Some(Parts::Fields(new))) => fields(&path, old, new, found),
        // A whole document is new or gone: its fields are, one by one.
        (None, Some(Parts::Fields(new))) if path.is_empty() => fields(&path, &Map::new(), new, found),
        (Some(Parts::Coded(old)), Some(Parts::Coded(new))) => coded(&path, &old, &new, found),
        (None, Some(Parts::Coded(new))) => coded(&path, &[], &new, found),
        (Some(Parts::Coded(old)), None) => coded(&path, &old, &[], found),
        _ => found.push(Difference { path, before: before.cloned(), after: after.cloned() }),
    }
}

fn fields(path: &str, old: &Map<String, Value>, new: &Map<String, Value>, found: &mut Vec<Difference>) {
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        compare(path, old.get(name), new.get(name), found);
    }
}

fn coded(path: &str, old: &[(&str, &Value)], new: &[(&str, &Value)], found: &mut Vec<Difference>) {
    let (by_old, by_new): (BTreeMap<_, _>, BTreeMap<_, _>) =
        (old.iter().copied().collect(), new.iter().copied().collect());
    let mut codes: Vec<&str> = by_old.keys().chain(by_new.keys()).copied().collect();
    codes.sort_unstable();
    codes.dedup();
    for code in codes {
        compare(format!("{path}[{code}]"), by_old.get(code).copied(), by_new.get(code).copied(), found);
    }
    let order = |list: &[(&str, &Value)], other: &BTreeMap<&str, &Value>| -> Vec<String> {
        list.iter().filter(|(code, _)| other.contains_key(code)).map(|(code, _)| (*code).to_owned()).collect()
    };
    let (before, after) = (order(old, &by_new), order(new, &by_old));
    if before != after {
        found.push(Difference {
            path: format!("{path} (order)"),
            before: Some(json!(before)),
            after: Some(json!(after)),
        });
    }
}

/// How a value is taken apart.
enum Parts<'v> {
    Fields(&'v Map<String, Value>),
    Coded(Vec<(&'v str, &'v Value)>),
    Whole,
}

impl<'v> Parts<'v> {
    fn of(value: &'v Value) -> Self {
        match value {
            Value::Object(fields) => Self::Fields(fields),
            Value::Array(list) => {
                let coded = list.iter().map(|part| Some((part.get("code")?.as_str()?, part)));
                match coded.collect::<Option<Vec<_>>>() {
                    Some(coded) if !coded.is_empty() => Self::Coded(coded),
                    _ => Self::Whole,
                }
            }
            _ => Self::Whole,
        }
    }
}
