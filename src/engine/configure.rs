//! Changing the programme: the one room behind both doors, the admin API and the TOML file.
//!
//! A change is a new version of the whole document, checked, appended and written to the audit log
//! in one transaction. Who was looking at an older version is told so; nobody's change is lost.

use std::collections::BTreeSet;

use serde::Deserialize as _;
use serde_json::{Map, Value};
use tessera_rules::document::Document as _;
use tessera_rules::programme::Problem;
use tessera_rules::time::Instant;
use tessera_rules::{Actor, Programme};

use crate::store::audit::Change;
use crate::store::db::{Connection, transaction};
use crate::store::{Error, programme as versions};

/// What came of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It is in force, as this version.
    Version(i64),
    /// The version in force says the same already; nothing was written.
    Unchanged(i64),
}

impl Applied {
    /// The version in force now.
    pub const fn version(self) -> i64 {
        match self {
            Self::Version(version) | Self::Unchanged(version) => version,
        }
    }
}

/// Why a change was not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The document has mistakes.
    #[error("the programme has {} mistakes", .0.len())]
    Problems(Vec<Problem>),
    /// Somebody else changed the programme in the meantime.
    #[error("the programme was changed in the meantime")]
    Conflict {
        /// The version in force; `None` where there is none.
        current: Option<i64>,
    },
    /// The database did not do what was asked.
    #[error(transparent)]
    Store(#[from] Error),
}

/// The programme in force, read from the database rather than from the engine's cache.
///
/// # Errors
/// As [`Error`]; [`Error::Internal`] where the stored document is not a programme.
pub fn current(conn: &mut Connection) -> Result<Option<(i64, Programme)>, Error> {
    let Some((version, document)) = versions::latest(conn)? else { return Ok(None) };
    let programme = Programme::read_from(document).map_err(|error| Error::Internal(error.to_string()))?;
    Ok(Some((version, programme)))
}

/// The programme in force, which nobody else changes until the caller's transaction ends.
///
/// # Errors
/// As [`current`].
pub fn current_locked(conn: &mut Connection) -> Result<Option<(i64, Programme)>, Error> {
    versions::lock(conn)?;
    current(conn)
}

/// Puts a programme in force, if it is sound and the version in force is still `expected` (0: there
/// is none yet; `None`: whichever it is).
///
/// # Errors
/// [`ApplyError`].
pub fn apply(
    conn: &mut Connection,
    expected: Option<i64>,
    programme: &Programme,
    at: Instant,
    actor: Actor,
    action: &str,
    object: &str,
) -> Result<Applied, ApplyError> {
    let problems = programme.problems();
    if !problems.is_empty() {
        return Err(ApplyError::Problems(problems));
    }
    let document = serde_json::to_value(programme).map_err(|error| Error::Internal(error.to_string()))?;
    transaction(conn, |conn| append(conn, expected, (programme, &document), at, actor, (action, object)))
}

fn append(
    conn: &mut Connection,
    expected: Option<i64>,
    (programme, document): (&Programme, &Value),
    at: Instant,
    actor: Actor,
    (action, object): (&str, &str),
) -> Result<Applied, ApplyError> {
    versions::lock(conn)?;
    let latest = versions::latest(conn)?;
    let current = latest.as_ref().map(|(version, _)| *version);
    let previous = current.unwrap_or(0);
    if expected.is_some_and(|expected| expected != previous) {
        return Err(ApplyError::Conflict { current });
    }
    let before = latest.map_or(Value::Null, |(_, document)| document);
    if before == *document {
        return Ok(Applied::Unchanged(previous));
    }
    // A version that can no longer be read has promotions of which nobody can say how far they are.
    let problems =
        Programme::deserialize(&before).map_or_else(|_| Vec::new(), |before| programme.life_problems(&before));
    if !problems.is_empty() {
        return Err(ApplyError::Problems(problems));
    }
    let (before, after) = changes(&before, document);
    match versions::append(conn, previous, document, at, actor, Change { action, object, before, after }) {
        Ok(version) => Ok(Applied::Version(version)),
        Err(error) if error.is_conflict("programme_version_pkey") => {
            Err(ApplyError::Conflict { current: versions::current_version(conn)? })
        }
        Err(error) => Err(error.into()),
    }
}

/// What differs between two documents, before and after: objects field by field, parts that have a
/// code by their code and each of them whole. Absent where there was, or is, nothing.
pub fn changes(before: &Value, after: &Value) -> (Option<Value>, Option<Value>) {
    let present = |value: Value| (!is_nothing(&value)).then_some(value);
    match difference(before, after) {
        Some((before, after)) => (present(before), present(after)),
        None => (None, None),
    }
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}

fn difference(before: &Value, after: &Value) -> Option<(Value, Value)> {
    if before == after {
        return None;
    }
    if let (Some(old), Some(new)) = (by_code(before), by_code(after))
        && !(old.is_empty() && new.is_empty())
    {
        let differing = fields(&old, &new, |old, new| (old != new).then(|| (old.clone(), new.clone())));
        // Only their order differs: then it is the list that changed.
        let order_only = is_nothing(&differing.0) && is_nothing(&differing.1);
        return Some(if order_only { (before.clone(), after.clone()) } else { differing });
    }
    if let (Value::Object(old), Value::Object(new)) = (before, after) {
        return Some(fields(old, new, difference));
    }
    Some((before.clone(), after.clone()))
}

/// A list of parts as an object with their codes as keys. An absent list is an empty one.
fn by_code(list: &Value) -> Option<Map<String, Value>> {
    let parts = match list {
        Value::Null => return Some(Map::new()),
        Value::Array(parts) => parts,
        _ => return None,
    };
    let coded = parts.iter().map(|part| Some((part.get("code")?.as_str()?.to_owned(), part.clone())));
    coded.collect()
}

fn fields(
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    compare: impl Fn(&Value, &Value) -> Option<(Value, Value)>,
) -> (Value, Value) {
    let (mut before, mut after) = (Map::new(), Map::new());
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let side = |document: &Map<String, Value>| document.get(key).cloned().unwrap_or(Value::Null);
        if let Some((was, is)) = compare(&side(old), &side(new)) {
            for (document, value) in [(&mut before, was), (&mut after, is)] {
                if !is_nothing(&value) {
                    document.insert(key.clone(), value);
                }
            }
        }
    }
    (Value::Object(before), Value::Object(after))
}
