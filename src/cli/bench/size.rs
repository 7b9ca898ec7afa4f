//! Row 7: the same purchases where five times as much is on record.

use super::accruals::uniform;
use super::history::{EACH, past};
use super::house::House;
use super::report::Sample;
use super::stage::Stage;
use super::turns::{Cell, Turns};

/// Keep-alive connections of either side.
const CONNECTIONS: usize = 64;
/// How many times larger one side is.
const TIMES: u32 = 5;

/// Row 7. With `--members 200000` the sides are 200 k members with 2 M entries and 1 M members with
/// 10 M; how large they were otherwise is told with the result.
pub(super) fn measure(stage: &mut Stage) -> anyhow::Result<Sample> {
    let stage = &*stage;
    let (few, many) = (stage.plan.members, stage.plan.members * TIMES);
    let small = open(stage, "small", few)?;
    let large = open(stage, "large", many)?;
    let turns = Turns::take(stage.plan, &mut || uniform(stage, &large, CONNECTIONS), &mut || {
        uniform(stage, &small, CONNECTIONS)
    })?;
    let more = format!("; {many} members ÷ {few} members, {EACH} purchases each (--members 200000: 1 M ÷ 200 k)");
    Ok(turns.sample(Cell::rate, "/s", &more))
}

fn open(stage: &Stage, name: &str, members: u32) -> anyhow::Result<House> {
    let past = past(stage, members)?;
    stage.create(name, Some(&past))?;
    stage.checkpoint()?;
    House::serve(stage, name, name, &[])
}
