//! Row 13: what the clock brings about, against the SQL that only updates the rows: no entries, no
//! chain, no history, no rules asked.

use anyhow::Context as _;
use serde_json::{Value, json};

use super::history::{import, receipts};
use super::house::{self, furnish_for};
use super::report::Sample;
use super::stage::Stage;
use super::turns::{Cell, Turns, median};
use crate::store::bench::execute;

/// So many times the members of other rows, each with one lot, or one tier to review.
const TIMES: u32 = 5;
/// When everybody bought: what was earned has lapsed, and what qualified has left the window.
const DAYS_AGO: i64 = 400;

const EXPIRE: &str = "
    with due as (
        update lot set lapsed = lapsed + remaining, remaining = 0 where remaining > 0 and expires_at <= now()
        returning member_id, points
    ), by_member as (select member_id, sum(points)::bigint as points from due group by member_id)
    update standing s set available = s.available - b.points, due_at = null, version = s.version + 1
    from by_member b where s.member_id = b.member_id";

const REVIEW: &str = "
    update standing set tier = 'member', tier_since = now(), tier_changes = tier_changes + 1, window_points = 0,
        window_spend = 0, window_visits = 0, window_oldest = null, due_at = null, tier_due_at = null, version = version + 1
    where due_at <= now()";

/// Row 13: the smaller of the two ratios.
pub(super) fn measure(stage: &mut Stage) -> anyhow::Result<Sample> {
    let stage = &*stage;
    // Tiers that never fall.
    let mut expiring = house::demo()?;
    expiring["tiers"]["window"] = json!({ "kind": "lifetime" });
    // Points that never lapse.
    let mut reviewing = house::demo()?;
    reviewing["expiry"] = json!({ "policy": "never" });
    let (lots, words) = part(stage, "lots", &expiring, EXPIRE)?;
    let (tiers, more) = part(stage, "tiers", &reviewing, REVIEW)?;
    let absolute = format!("lots {:.2} = {words}; tiers {:.2} = {more}", lots.ratio, tiers.ratio);
    let smaller = if lots.ratio < tiers.ratio { lots } else { tiers };
    Ok(Sample { absolute, ..smaller })
}

fn part(stage: &Stage, name: &str, programme: &Value, sql: &str) -> anyhow::Result<(Sample, String)> {
    let members = stage.plan.members * TIMES;
    let due = format!("due_{name}");
    furnish_for(stage, &due, programme, members)?;
    import(stage, &due, &receipts(stage, members, 1, DAYS_AGO)?)?;
    execute(&stage.owner_url(&due), "vacuum analyze")?;
    let turns = Turns::take_cold(
        stage.plan,
        &mut || {
            stage.create("settled", Some(&due))?;
            stage.checkpoint()?;
            let (done, cell) = stage.tessera("settled", &["jobs", "run", "settle", "--json"])?;
            let settled = done["members"].as_u64().context("the job did not count")?;
            anyhow::ensure!(settled == u64::from(members), "of {members} members {settled} were due");
            Ok(Cell::whole(f64::from(members), cell.usage))
        },
        &mut || {
            stage.create("updated", Some(&due))?;
            stage.checkpoint()?;
            let before = stage.meter.read(None)?;
            execute(&stage.owner_url("updated"), sql)?;
            Ok(Cell::whole(f64::from(members), stage.meter.between(&before, &stage.meter.read(None)?)))
        },
    )?;
    for database in ["settled", "updated", &due] {
        stage.discard(database)?;
    }
    let sample = turns.sample(Cell::rate, "/s", &format!(" of {members}"));
    let words = sample.absolute.clone();
    Ok((Sample { cpu_us: median(&turns.ours, Cell::asked), ..sample }, words))
}
