//! Rows 1 to 3 and 16: accruals over HTTP against P, pgbench with six prepared statements an accrual.
//!
//! Over HTTP an accrual is JSON, a signed token, a fresh `Idempotency-Key`, a receipt of one line, a
//! member drawn uniformly. Both sides work on one durable PostgreSQL with the settings we ship.

use super::house::House;
use super::pgbench::Pgbench;
use super::report::{Sample, by_cpu};
use super::stage::Stage;
use super::turns::{Cell, Turns, median};
use super::{http, load};
use crate::store::bench::number;

/// Flushes of the log per accrual: must, aim.
const SYNCS: (f64, f64) = (0.05, 0.035);

/// What the rows look at.
#[derive(Clone)]
pub(super) struct Accruals {
    /// P, round by round.
    p: Vec<Cell>,
    at_64: Vec<Cell>,
    at_256: Vec<Cell>,
}

/// One-line receipts of members drawn uniformly.
pub(super) fn uniform(stage: &Stage, house: &House, connections: usize) -> anyhow::Result<Cell> {
    lines(stage, house, connections, 1)
}

/// Receipts of so many lines, of members drawn uniformly.
pub(super) fn lines(stage: &Stage, house: &House, connections: usize, lines: usize) -> anyhow::Result<Cell> {
    let members = house.members.len() as u64;
    load::run(stage, house, connections, &mut |request, dice| {
        let member = usize::try_from(dice.below(members))?;
        http::receipt(request, house, member, lines, dice)?;
        Ok(true)
    })
}

/// The measurements, taken once.
fn measured(stage: &mut Stage) -> anyhow::Result<Accruals> {
    if let Some(accruals) = &stage.accruals {
        return Ok(accruals.clone());
    }
    let house = stage.plain()?;
    let pgbench = Pgbench::accruals(stage)?;
    stage.checkpoint()?;
    // 256 connections are asked just before 64, in either order of the round.
    let mut at_256 = Vec::new();
    let turns = Turns::take(
        stage.plan,
        &mut || {
            at_256.push(uniform(stage, &house, 256)?);
            uniform(stage, &house, 64)
        },
        &mut || pgbench.run(stage),
    )?;
    // The first ones may have been for warming up.
    let at_256 = at_256.split_off(at_256.len() - turns.ours.len());
    let accruals = Accruals { p: turns.theirs, at_64: turns.ours, at_256 };
    stage.accruals = Some(accruals.clone());
    Ok(accruals)
}

/// A rate against P's. On a crowded machine the CPU time of an accrual decides.
fn rate(ours: Vec<Cell>, theirs: Vec<Cell>) -> Sample {
    let (turns, cpu) = with_cpu(ours, theirs);
    let more = format!(
        ", p50 {:.1} ms, p99 {:.1} ms, CPU {cpu:.2} × P's",
        median(&turns.ours, Cell::p50),
        median(&turns.ours, Cell::p99),
    );
    let sample = turns.sample(Cell::rate, "/s", &more);
    Sample { verdict: by_cpu(sample.other_load, cpu), ..sample }
}

fn with_cpu(ours: Vec<Cell>, theirs: Vec<Cell>) -> (Turns, f64) {
    let turns = Turns { ours, theirs };
    let cpu = cpu_ratio(&turns);
    (turns, cpu)
}

/// The median of the rounds' ratios; the two sides differ in who speaks to PostgreSQL.
fn cpu_ratio(turns: &Turns) -> f64 {
    let ratios = turns.ours.iter().zip(&turns.theirs).map(|(ours, theirs)| ours.served() / theirs.asked());
    super::report::Spread::of(&ratios.collect::<Vec<_>>()).median
}

/// Row 1.
pub(super) fn at_64(stage: &mut Stage) -> anyhow::Result<Sample> {
    let Accruals { p, at_64, .. } = measured(stage)?;
    Ok(rate(at_64, p))
}

/// Row 2.
pub(super) fn at_256(stage: &mut Stage) -> anyhow::Result<Sample> {
    let Accruals { p, at_256, .. } = measured(stage)?;
    Ok(rate(at_256, p))
}

/// Row 3.
pub(super) fn cpu(stage: &mut Stage) -> anyhow::Result<Sample> {
    let Accruals { p, at_64, .. } = measured(stage)?;
    let (turns, ratio) = with_cpu(at_64, p);
    let per = |cells: &[Cell], part: fn(&Cell) -> f64| median(cells, part);
    let postgres = |cell: &Cell| cell.usage.postgres.as_secs_f64() * 1e6 / cell.done.max(1.0);
    let absolute = format!(
        "{:.0} µs (Postgres {:.0}) ÷ {:.0} µs (Postgres {:.0})",
        per(&turns.ours, Cell::served),
        per(&turns.ours, postgres),
        per(&turns.theirs, Cell::asked),
        per(&turns.theirs, postgres),
    );
    let cpu_us = median(&turns.ours, Cell::served);
    Ok(Sample { ratio, verdict: None, absolute, cpu_us, other_load: turns.other_load() })
}

/// Row 16: of the same accruals, bytes and flushes of the log.
pub(super) fn wal(stage: &mut Stage) -> anyhow::Result<Sample> {
    let Accruals { at_64, .. } = measured(stage)?;
    let bytes = median(&at_64, |cell| cell.wal_bytes / cell.done.max(1.0));
    let syncs = median(&at_64, |cell| cell.wal_syncs / cell.done.max(1.0));
    let house = stage.plain()?;
    let answer = number(
        &stage.owner_url(&house.database),
        "select coalesce(avg(pg_column_size(answer)), 0) from (select answer from purchase limit 10000) as sample",
    )?;
    let turns = Turns { ours: at_64, theirs: Vec::new() };
    Ok(Sample {
        ratio: bytes,
        verdict: Some((bytes <= 1_800.0 && syncs <= SYNCS.0, bytes <= 1_400.0 && syncs <= SYNCS.1)),
        absolute: format!("{bytes:.0} B, {syncs:.3} fsyncs; the stored answer {answer} B"),
        cpu_us: median(&turns.ours, Cell::served),
        other_load: turns.other_load(),
    })
}
