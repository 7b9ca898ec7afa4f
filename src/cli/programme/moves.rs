//! Whom a programme would move: every member under the programme in force and under the planned one,
//! by the rules themselves. Nothing is written, and applying moves nobody at once either.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use chrono::SecondsFormat;
use serde_json::{Value, json};
use tessera_rules::forecast::{Planned, plan};
use tessera_rules::id::MemberId;
use tessera_rules::time::{Day, Instant};
use tessera_rules::{Actor, Context, Programme};
use uuid::Uuid;

use crate::cli::desk::Desk;
use crate::cli::output;
use crate::engine::{Engine, Settled};
use crate::store::member;

/// Members read at a time.
const PAGE: i64 = 500;

/// Members named for each pair of tiers.
const NAMED: usize = 5;

/// What would become of the members.
#[derive(Debug, Default)]
pub(super) struct Moves {
    /// Members looked at.
    members: u64,
    /// By the tier held and the tier that would be.
    pairs: BTreeMap<(String, String), Pair>,
}

/// The members who would move from one tier to another.
#[derive(Debug, Default)]
struct Pair {
    rise: bool,
    members: u64,
    first: Vec<(MemberId, Planned)>,
}

/// Compares two programmes for every member; nothing where their tiers and days are the same.
pub(super) fn between(desk: &Desk, in_force: &Programme, planned: &Programme) -> anyhow::Result<Moves> {
    let mut moves = Moves::default();
    if in_force.tiers == planned.tiers && in_force.time_zone == planned.time_zone {
        return Ok(moves);
    }
    let engine = desk.engine()?;
    let counted = moves.count(desk, &engine, planned);
    engine.drain();
    counted.map(|()| moves)
}

impl Moves {
    fn count(&mut self, desk: &Desk, engine: &Engine, planned: &Programme) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let bar = output::progress(desk.pool.blocking(member::count)?.unsigned_abs(), "comparing");
        let mut after = None;
        loop {
            let page = desk.pool.blocking(|conn| member::ids(conn, after, PAGE))?;
            let Some(last) = page.last().copied() else {
                bar.finish_and_clear();
                return Ok(());
            };
            let mut settled = Vec::with_capacity(page.len());
            for id in page {
                settled.push((id, runtime.block_on(engine.member(MemberId::new(id)))??));
            }
            bar.inc(settled.len() as u64);
            self.take(desk, planned, settled)?;
            after = Some(last);
        }
    }

    /// Takes a page of members as they stand now.
    fn take(&mut self, desk: &Desk, planned: &Programme, page: Vec<(Uuid, Settled)>) -> anyhow::Result<()> {
        let ids: Vec<Uuid> = page.iter().map(|(id, _)| *id).collect();
        let from = page.iter().map(|(_, settled)| first_day(planned, settled)).min().unwrap_or_default();
        let mut days: HashMap<Uuid, Vec<_>> = HashMap::new();
        for (id, day, totals) in desk.pool.blocking(|conn| member::days_from(conn, &ids, from))? {
            days.entry(id).or_default().push((day, totals));
        }
        for (id, Settled { programme, mut member, .. }) in page {
            member.days.extend(days.remove(&id).unwrap_or_default());
            let (now, actor) = (member.standing.recorded_at, Actor::SYSTEM);
            let context = Context { now, actor, programme_version: programme.version, historic: false, seed: None };
            let would = plan(&programme.programme, planned, &member, &context)?;
            self.members += 1;
            if would.now != would.then {
                let pair = self.pairs.entry((would.now.clone(), would.then.clone())).or_default();
                pair.rise = planned.tier_position(&would.then) > planned.tier_position(&would.now);
                pair.members += 1;
                if pair.first.len() < NAMED {
                    pair.first.push((MemberId::new(id), would));
                }
            }
        }
        Ok(())
    }

    /// For programs.
    pub(super) fn to_json(&self) -> Value {
        let named = |(member, would): &(MemberId, Planned)| json!({ "member": member, "measure": would.measure, "falls_at": would.falls_at });
        let pairs = self.pairs.iter().map(|((from, to), pair)| {
            let first: Vec<Value> = pair.first.iter().map(named).collect();
            json!({ "from": from, "to": to, "members": pair.members, "first": first })
        });
        json!({ "members": self.members, "pairs": pairs.collect::<Vec<Value>>() })
    }
}

impl fmt::Display for Moves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.members == 0 {
            return write!(f, "no member moves");
        }
        let moved: u64 = self.pairs.values().map(|pair| pair.members).sum();
        write!(f, "{moved} of {} members would move", self.members)?;
        for ((from, to), pair) in &self.pairs {
            let how = if pair.rise { "with their next purchase" } else { "when the new rules look next" };
            write!(f, "\n{from} -> {to}: {} members, {how}", pair.members)?;
            for (member, would) in &pair.first {
                write!(f, "\n  {member}: measure {}{}", would.measure, At(would.falls_at))?;
            }
            if pair.members > pair.first.len() as u64 {
                write!(f, "\n  …")?;
            }
        }
        Ok(())
    }
}

/// When a fall comes, where one does.
struct At(Option<Instant>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |at| write!(f, ", falls at {}", at.to_rfc3339_opts(SecondsFormat::AutoSi, true)))
    }
}

/// The first day that counts for a member, under either programme.
fn first_day(planned: &Programme, settled: &Settled) -> Day {
    let (standing, zone) = (&settled.member.standing, planned.time_zone);
    let (today, enrolled) = (zone.day_of(standing.recorded_at), zone.day_of(standing.enrolled_at));
    planned.tiers.window.span(today, enrolled).from.min(standing.window_from)
}
