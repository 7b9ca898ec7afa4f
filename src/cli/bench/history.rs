//! Rows 12 and 14, and the past that they and others look at: a year of receipts, imported.

use std::cell::Cell as Counter;
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use chrono::{SecondsFormat, TimeDelta};

use super::house::{self, STORE, furnish_for};
use super::report::{Sample, Spread};
use super::stage::Stage;
use super::turns::Cell;
use crate::clock::Clock;

/// Receipts of each member in a year.
pub(super) const EACH: u32 = 10;

/// Days from one receipt of a member to the next.
const APART: i64 = 36;

/// The database with a year of receipts of so many members, made once.
pub(super) fn past(stage: &Stage, members: u32) -> anyhow::Result<String> {
    let name = format!("past_{members}");
    if !stage.has(&name)? {
        stage.say(&format!("importing {} receipts of {members} members", u64::from(members) * u64::from(EACH)));
        furnish_for(stage, "history", &house::demo()?, members)?;
        let file = receipts(stage, members, EACH, 1)?;
        import(stage, "history", &file)?;
        crate::store::bench::execute(&stage.owner_url("history"), "vacuum analyze")?;
        stage.create(&name, Some("history"))?;
        stage.discard("history")?;
        stage.checkpoint()?;
    }
    Ok(name)
}

/// A file of receipts of one line: `each` of every member, the last so many days ago, the earlier ones
/// in steps before it.
pub(super) fn receipts(stage: &Stage, members: u32, each: u32, days_ago: i64) -> anyhow::Result<PathBuf> {
    let path = stage.home("files")?.join("receipts.csv");
    let now = Clock::wall().now();
    let mut text = String::from("external_id,member,store,occurred_at,amount,sku,categories\n");
    for turn in 0..each {
        let back = TimeDelta::days(days_ago + APART * i64::from(each - 1 - turn));
        for member in 0..members {
            // A minute for each member, so that a day is not one instant.
            let at = now - back - TimeDelta::seconds(i64::from(member % 1_440) * 60);
            let at = at.to_rfc3339_opts(SecondsFormat::Secs, true);
            let yuan = 1_000 + (u64::from(member) * 7 + u64::from(turn) * 13) % 200;
            writeln!(text, "P-{days_ago}-{turn}-{member},card-{member},{STORE},{at},{yuan}.00,BOOK-871,books")?;
        }
    }
    std::fs::write(&path, text)?;
    Ok(path)
}

/// `tessera import purchases --commit`: the cell counts rows of the file.
pub(super) fn import(stage: &Stage, database: &str, file: &std::path::Path) -> anyhow::Result<Cell> {
    let file = file.to_str().context("a path that is no text")?;
    let (counts, cell) = stage.tessera(database, &["import", "purchases", file, "--commit", "--json"])?;
    let rows = counts["accepted"].as_u64().context("the import did not count its rows")?;
    anyhow::ensure!(rows > 0, "the import took nothing: {counts}");
    Ok(Cell::whole(rows as f64, cell.usage))
}

/// A rate that has no other side; its process is who asks.
fn rate(cells: &[Cell], absolute: &str) -> Sample {
    let of = |part: fn(&Cell) -> f64| Spread::of(&cells.iter().map(part).collect::<Vec<_>>());
    let rate = of(Cell::rate);
    Sample {
        ratio: rate.median,
        verdict: None,
        absolute: format!("{rate}/s: {absolute}"),
        cpu_us: of(Cell::asked).median,
        other_load: of(|cell| cell.usage.other).median,
    }
}

/// Measures so often, after once unmeasured.
fn rounds(stage: &Stage, measure: &dyn Fn() -> anyhow::Result<Cell>) -> anyhow::Result<Vec<Cell>> {
    measure()?;
    (0..stage.plan.rounds).map(|_| measure()).collect()
}

/// Row 12.
pub(super) fn verify(stage: &mut Stage) -> anyhow::Result<Sample> {
    let stage = &*stage;
    let database = past(stage, stage.plan.members)?;
    let entries = Counter::new(0);
    let cells = rounds(stage, &|| {
        let (told, cell) = stage.tessera(&database, &["verify", "--json"])?;
        entries.set(told["entries"].as_u64().context("verify did not count the entries")?);
        Ok(Cell::whole(entries.get() as f64, cell.usage))
    })?;
    Ok(rate(&cells, &format!("{} entries of {} members", entries.get(), stage.plan.members)))
}

/// Row 14: a draft that changes what every receipt earns.
pub(super) fn simulate(stage: &mut Stage) -> anyhow::Result<Sample> {
    let stage = &*stage;
    let database = past(stage, stage.plan.members)?;
    let draft = stage.home("files")?.join("draft.toml");
    let more = "\n[[promotions]]\ncode = \"books\"\nname = \"Books\"\ncategories = [\"books\"]\n\
                effect = { kind = \"multiply\", by = \"2\" }\n";
    std::fs::write(&draft, format!("{}{more}", house::DEMO))?;
    let file = draft.to_str().context("a path that is no text")?;
    let from = (Clock::wall().now() - TimeDelta::days(400)).date_naive().to_string();
    let purchases = Counter::new(0);
    let cells = rounds(stage, &|| {
        let args = ["programme", "--json", "plan", file, "--simulate", "--from", &from];
        let (told, cell) = stage.tessera(&database, &args)?;
        let looked_at = told["simulation"]["purchases"]["looked_at"].as_u64();
        purchases.set(looked_at.with_context(|| format!("nothing was simulated: {told}"))?);
        Ok(Cell::whole(purchases.get() as f64, cell.usage))
    })?;
    Ok(rate(&cells, &format!("{} purchases, a draft with one promotion more", purchases.get())))
}
