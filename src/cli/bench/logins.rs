//! Row 15: ten times the logins that there is room for, and what purchases feel of it.
//!
//! Hashing a password is meant to take long, so that a server checks only a few at a time, and tells
//! the rest to come back. How many it checks in a second is measured first, on an idle server. Then so
//! many connections try that ten times as many arrive: each waits two seconds before it is sent away.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::accruals::uniform;
use super::house::House;
use super::load::{Dice, Load};
use super::report::Sample;
use super::stage::Stage;
use super::turns::{Cell, Turns};

/// Keep-alive connections that buy.
const CONNECTIONS: usize = 64;
/// By how much logins outnumber the room.
const TIMES: f64 = 10.0;
/// How long a login that finds no room waits, in seconds.
const WAIT: f64 = 2.0;
/// Names nobody has, each tried once: guessing one person's password is slowed down before it costs.
static NOBODY: AtomicU64 = AtomicU64::new(0);

/// Row 15.
pub(super) fn measure(stage: &mut Stage) -> anyhow::Result<Sample> {
    let house = stage.plain()?;
    let stage = &*stage;
    let room = capacity(&house)?;
    // So many that as many come back each second as TIMES the room.
    let connections = (room * TIMES * WAIT).ceil().clamp(16.0, 4_000.0) as usize;
    let arrived = AtomicU64::new(0);
    let turns = Turns::take(stage.plan, &mut || flooded(stage, &house, connections, &arrived), &mut || {
        uniform(stage, &house, CONNECTIONS)
    })?;
    let spent: f64 = turns.ours.iter().map(|cell| cell.usage.elapsed.as_secs_f64()).sum();
    let rounds = (turns.ours.len() + 1) as f64 / turns.ours.len() as f64;
    let arriving = arrived.load(Ordering::Relaxed) as f64 / (spent * rounds).max(1.0);
    let more = format!("; room for {room:.0} logins/s, {arriving:.0}/s arrived");
    Ok(turns.sample(Cell::p99, "ms", &more))
}

/// Logins per second when nobody buys.
fn capacity(house: &House) -> anyhow::Result<f64> {
    let mut load = Load::connect(house.address, 4)?;
    load.lenient = true;
    load.until(Instant::now() + Duration::from_millis(300), &mut |request, _| login(request))?;
    load.answered.clear();
    let from = Instant::now();
    load.until(from + Duration::from_millis(1500), &mut |request, _| login(request))?;
    let rate = load.answered.len() as f64 / from.elapsed().as_secs_f64();
    load.drain()?;
    Ok(rate)
}

/// Purchases while the flood lasts.
fn flooded(stage: &Stage, house: &House, connections: usize, arrived: &AtomicU64) -> anyhow::Result<Cell> {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let flood = scope.spawn(|| -> anyhow::Result<()> {
            let mut load = Load::connect(house.address, connections)?;
            load.lenient = true;
            while !over.load(Ordering::Relaxed) {
                load.until(Instant::now() + Duration::from_millis(50), &mut |request, _| {
                    arrived.fetch_add(1, Ordering::Relaxed);
                    login(request)
                })?;
            }
            load.drain()
        });
        let cell = uniform(stage, house, CONNECTIONS);
        over.store(true, Ordering::Relaxed);
        flood.join().map_err(|_| anyhow::anyhow!("the flood broke off"))??;
        cell
    })
}

fn login(request: &mut Vec<u8>) -> anyhow::Result<bool> {
    let nobody = NOBODY.fetch_add(1, Ordering::Relaxed);
    let body = format!(r#"{{"identifier":"nobody-{nobody}@example.com","password":"not a password"}}"#);
    super::http::post(request, "/v1/auth/login", "", &mut Dice::new(nobody), &body)?;
    Ok(true)
}
