//! A year of purchases, lived through day by day: midnight's jobs, the day's enrolments, the day's
//! receipts in the order they were rung up, all through the engine and by the rules.
//!
//! After each day a note says so; a replay that was cut short goes on with the day it was in, whose
//! receipts are known by their numbers if they were taken.

use std::collections::HashMap;

use anyhow::Context as _;
use chrono::TimeDelta;
use indicatif::ProgressBar;
use tessera_rules::id::{MemberId, StoreId};
use tessera_rules::time::{Day, Instant, add_days};
use tessera_rules::{Actor, Command, Programme};

use super::basket::{self, Crowd};
use super::people;
use super::plan::{DAYS, Plan};
use super::setup::Shop;
use super::stop::Stop;
use crate::api::till::purchases::render;
use crate::engine::{Engine, Submission, Time, enrol};
use crate::jobs::flight::Flight;
use crate::jobs::{self, settle};
use crate::store::db::transaction;
use crate::store::{job, member};

/// Under which name the days that are done are noted.
const NAME: &str = "demo_replay";

/// When the shops open, after midnight.
const MORNING: TimeDelta = TimeDelta::hours(9);

/// Everything a replay needs.
pub(super) struct Replay<'a> {
    pub(super) engine: &'a Engine,
    pub(super) plan: &'a Plan,
    pub(super) shops: &'a [Shop],
    /// Counts purchases.
    pub(super) bar: &'a ProgressBar,
    /// Whether somebody wants the process to end.
    pub(super) stop: &'a Stop,
}

impl Replay<'_> {
    /// Replays what is left of the plan. False when it was stopped before the end.
    pub(super) fn run(&self) -> anyhow::Result<bool> {
        let versioned = jobs::programme(self.engine)?;
        let programme = &versioned.programme;
        let zone = programme.time_zone;
        let from = match self.engine.pool().blocking(|conn| job::last_run(conn, NAME))? {
            Some(done) => u32::try_from((done.day - self.plan.first_day).num_days() + 1).unwrap_or(0),
            None => 0,
        };
        let mut members = HashMap::new();
        let early =
            (0..self.plan.members).filter(|&index| people::enrols_on(self.plan, index).is_none_or(|day| day < from));
        self.enrol(
            early,
            |index| self.morning(programme, people::enrols_on(self.plan, index).unwrap_or(0)),
            &mut members,
        )?;
        self.bar.inc((0..from).map(|index| u64::from(basket::quota(self.plan, index))).sum());

        let crowd = Crowd::new(self.plan.members);
        for index in from..DAYS {
            if self.stop.asked() {
                return Ok(false);
            }
            let day = self.day(index);
            let midnight = zone.midnight(day);
            jobs::work(self.engine, &versioned, midnight, &mut || true)?;
            self.enrol_newcomers(programme, index, &mut members)?;
            self.purchases(programme, index, midnight, &crowd, &members)?;
            self.engine.pool().blocking(|conn| job::note(conn, NAME, day, None, Some(midnight)))?;
        }
        Ok(true)
    }

    fn day(&self, index: u32) -> Day {
        add_days(self.plan.first_day, index.into())
    }

    fn morning(&self, programme: &Programme, index: u32) -> Instant {
        programme.time_zone.midnight(self.day(index)) + MORNING
    }

    /// Enrols those who are not members yet, in one transaction, and notes everybody's id.
    fn enrol(
        &self,
        indices: impl Iterator<Item = u32>,
        at: impl Fn(u32) -> Instant,
        members: &mut HashMap<u32, MemberId>,
    ) -> anyhow::Result<()> {
        let stores: Vec<StoreId> = self.shops.iter().map(|shop| shop.id).collect();
        let found = self.engine.pool().blocking(|conn| {
            transaction(conn, |conn| {
                let one = |index: u32| {
                    let key = member::Key::ExternalId(people::external_id(index));
                    let row = match member::by_key(conn, &key)? {
                        Some(row) => row,
                        None => enrol(conn, people::person(self.plan, index, at(index), &stores))?,
                    };
                    Ok((index, row.member()))
                };
                indices.map(one).collect::<Result<Vec<_>, _>>()
            })
        })?;
        members.extend(found);
        Ok(())
    }

    /// Enrols the day's new members; a birthday that is near is honoured at once, as at a till.
    fn enrol_newcomers(
        &self,
        programme: &Programme,
        day: u32,
        members: &mut HashMap<u32, MemberId>,
    ) -> anyhow::Result<()> {
        let mut newcomers = HashMap::new();
        let today = (0..self.plan.members).filter(|&index| people::enrols_on(self.plan, index) == Some(day));
        let at = self.morning(programme, day);
        self.enrol(today, |_| at, &mut newcomers)?;
        let mut flight = Flight::new(self.engine);
        for id in newcomers.values() {
            flight.send(settle::submission(*id, Command::GrantPerks, at))?;
        }
        flight.finish()?;
        members.extend(newcomers);
        Ok(())
    }

    fn purchases(
        &self,
        programme: &Programme,
        day: u32,
        midnight: Instant,
        crowd: &Crowd,
        members: &HashMap<u32, MemberId>,
    ) -> anyhow::Result<()> {
        let enrolled = |index: u32| people::enrols_on(self.plan, index).is_none_or(|enrols| enrols < day);
        let baskets = basket::of_day(self.plan, day, midnight, self.shops.len(), crowd, enrolled);
        let count = baskets.len() as u64;
        let mut flight = Flight::new(self.engine);
        for basket in baskets {
            let member = *members.get(&basket.member).context("a receipt without a member")?;
            let time = Time::Past(basket.occurred_at());
            let command = Command::Purchase(basket.purchase(member, programme, self.shops));
            let render = render(None);
            flight.send(Submission {
                member,
                command,
                actor: Actor::IMPORT,
                time,
                claim: None,
                audit: None,
                render,
            })?;
        }
        let tally = flight.finish()?;
        if tally.failed + tally.refused > 0 {
            let reason = tally.first_reason.as_deref().unwrap_or_default();
            anyhow::bail!("{} of {count} sample purchases were not taken: {reason}", tally.failed + tally.refused);
        }
        self.bar.inc(count);
        Ok(())
    }
}
