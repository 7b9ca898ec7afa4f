//! Row 9: reading a balance against an answer that never changes.

use super::house::House;
use super::report::Sample;
use super::stage::Stage;
use super::turns::{Cell, Turns};
use super::{http, load};

/// Keep-alive connections of either side.
const CONNECTIONS: usize = 64;

/// Row 9.
pub(super) fn measure(stage: &mut Stage) -> anyhow::Result<Sample> {
    let house = stage.plain()?;
    let (stage, house) = (&*stage, &house);
    let turns = Turns::take(stage.plan, &mut || balances(stage, house), &mut || fixed(stage, house))?;
    Ok(turns.sample(Cell::rate, "/s", ""))
}

/// Balances of members drawn uniformly, settled as of now.
fn balances(stage: &Stage, house: &House) -> anyhow::Result<Cell> {
    load::run(stage, house, CONNECTIONS, &mut |request, dice| {
        let member = usize::try_from(dice.below(house.members.len() as u64))?;
        let path = format!("/v1/till/members/{}/balance", house.members[member]);
        http::get(request, &path, &house.token)?;
        Ok(true)
    })
}

/// The few bytes that say that the process is alive.
fn fixed(stage: &Stage, house: &House) -> anyhow::Result<Cell> {
    load::run(stage, house, CONNECTIONS, &mut |request, _| {
        http::get(request, "/livez", &house.token)?;
        Ok(true)
    })
}
