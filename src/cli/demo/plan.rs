//! What the sample data is to be, and whether it is there. The plan is written down in the database
//! itself, as a line of the audit log, before the first purchase: whatever happens to the process,
//! the next start knows what was begun.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::to_value;
use tessera_rules::time::{Day, Instant};

use crate::cli::staff::OPERATOR;
use crate::store::audit::{self, Change};
use crate::store::db::Connection;
use crate::store::{self, Pool};

/// Days that are replayed; the last is yesterday.
pub(super) const DAYS: u32 = 365;

/// What the lines of the audit log are about.
const OBJECT: &str = "demo";
const BEGUN: &str = "demo.begin";
const DONE: &str = "demo.done";

/// The sample data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    /// First day that is replayed.
    pub(super) first_day: Day,
    /// Members, the one who signs in included.
    pub(super) members: u32,
    /// Purchases.
    pub(super) purchases: u32,
}

/// How far the sample data of a database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is none.
    Absent,
    /// Begun, and not finished.
    Begun(Plan),
    /// Complete.
    Done(Plan),
}

/// Reads how far a database is.
pub(super) fn progress(pool: &Pool) -> anyhow::Result<Progress> {
    let lines = pool.blocking(|conn| audit::list(conn, Some(OBJECT), None, 10))?;
    let begun = lines.iter().find(|line| line.action == BEGUN).and_then(|line| line.after.clone());
    let Some(begun) = begun else { return Ok(Progress::Absent) };
    let plan = serde_json::from_value(begun).context("the demo's plan in the audit log")?;
    let done = lines.iter().any(|line| line.action == DONE);
    Ok(if done { Progress::Done(plan) } else { Progress::Begun(plan) })
}

/// Notes that a plan is begun, in the caller's transaction.
pub(super) fn begin(conn: &mut Connection, plan: &Plan, at: Instant) -> Result<(), store::Error> {
    note(conn, plan, at, BEGUN)
}

/// Notes that a plan is done.
pub(super) fn finish(conn: &mut Connection, plan: &Plan, at: Instant) -> Result<(), store::Error> {
    note(conn, plan, at, DONE)
}

fn note(conn: &mut Connection, plan: &Plan, at: Instant, action: &str) -> Result<(), store::Error> {
    let after = to_value(plan).map_err(|error| store::Error::Internal(error.to_string()))?;
    audit::record(conn, at, OPERATOR, Change { action, object: OBJECT, before: None, after: Some(after) })
}
