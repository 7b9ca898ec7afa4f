//! Row 11: importing purchases against copying the rows that come of them.

use super::cpu::Usage;
use super::history::{import, receipts};
use super::house;
use super::report::Sample;
use super::stage::Stage;
use super::turns::{Cell, Turns, median};
use crate::store::bench::{execute, number};

const DATABASE: &str = "imported";
/// Receipts of each member in the file.
const EACH: u32 = 2;
/// What an import of purchases adds rows to, and which of them. The standings it changes are not copied.
const TABLES: [(&str, &str); 7] = [
    ("purchase", "true"),
    ("entry", "true"),
    ("lot", "true"),
    ("lot_movement", "true"),
    ("qualifying_day", "true"),
    ("tier_change", "true"),
    ("outbox", "kind <> 'member.enrolled'"),
];

/// Row 11.
pub(super) fn measure(stage: &mut Stage) -> anyhow::Result<Sample> {
    let stage = &*stage;
    let file = receipts(stage, stage.plan.members, EACH, 1)?;
    let demo = house::demo()?;
    let ours = &mut || {
        house::furnish(stage, DATABASE, &demo)?;
        import(stage, DATABASE, &file)
    };
    // Somebody's rows must be there to be copied, whoever begins.
    ours()?;
    let turns = Turns::take_cold(stage.plan, ours, &mut || copy(stage))?;
    let sample = turns.sample(Cell::rate, "/s", "");
    Ok(Sample { cpu_us: median(&turns.ours, Cell::asked), ..sample })
}

/// COPY into tables with the same columns, checks and indexes, in one transaction.
fn copy(stage: &Stage) -> anyhow::Result<Cell> {
    let url = stage.owner_url(DATABASE);
    // PostgreSQL may write nowhere else.
    let dir = stage.data_dir();
    let file = |table: &str| dir.join(format!("bench_{table}.copy")).display().to_string();
    execute(&url, "drop schema if exists copied cascade; create schema copied")?;
    for (table, which) in TABLES {
        let to = file(table);
        execute(
            &url,
            &format!(
                "create table copied.{table} (like public.{table} including all);
                 copy (select * from public.{table} where {which}) to '{to}' (format binary)"
            ),
        )?;
    }
    let copies = TABLES.map(|(table, _)| format!("copy copied.{table} from '{}' (format binary);", file(table)));
    stage.checkpoint()?;
    let before = stage.meter.read(None)?;
    execute(&url, &format!("begin; {} commit", copies.concat()))?;
    let usage: Usage = stage.meter.between(&before, &stage.meter.read(None)?);
    let rows = number(&url, "select count(*) from copied.purchase")?;
    Ok(Cell::whole(rows as f64, usage))
}
