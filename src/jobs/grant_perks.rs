//! Perks, and what promotions give for occasions: once a programme day, members whom one may concern are asked about by the
//! rules, which know the tier's own window, the gates and what was granted before. Each kind of occasion
//! has an index that finds them; who has the perk for the occasion already is left out.

use std::collections::BTreeSet;

use chrono::Datelike;
use tessera_rules::id::MemberId;
use tessera_rules::occasion::OccasionKind;
use tessera_rules::time::{Day, Instant, Zone, add_days};
use tessera_rules::trigger::Awaited;
use tessera_rules::{Command, Programme};
use uuid::Uuid;

use super::flight::Flight;
use super::settle::submission;
use super::{Done, GoOn};
use crate::engine::{Engine, Failure};
use crate::store::db::Connection;
use crate::store::{Error, job, perk, referral};

/// The job's name, also in the table of runs.
pub const NAME: &str = "grant_perks";

/// Members sent between two notes of how far the run came.
const PAGE: usize = 1_000;

/// Grants the perks of the programme day of `at`. A day that is done, or that lies before the last
/// one begun, is not done again; one that was cut short goes on where it stopped.
///
/// # Errors
/// What the engine or the database says; the next run goes on from the last page.
pub fn run(engine: &Engine, programme: &Programme, at: Instant, go_on: GoOn<'_>) -> Result<Done, Failure> {
    let day = programme.time_zone.day_of(at);
    let after = match engine.pool().blocking(|conn| job::last_run(conn, NAME))? {
        Some(run) if run.day > day || (run.day == day && run.done_at.is_some()) => return Ok(Done::default()),
        Some(run) if run.day == day => run.position,
        _ => None,
    };
    let mut found = BTreeSet::new();
    for awaited in programme.awaited() {
        let search = Search { zone: programme.time_zone, awaited, today: day, at };
        found.extend(engine.pool().blocking(|conn| search.members(conn))?);
    }
    // A process may have ended between a purchase and what it is worth to the referrer.
    if programme.referral.is_some() {
        found.extend(engine.pool().blocking(referral::due)?);
    }
    let left: Vec<Uuid> = found.into_iter().filter(|id| after.is_none_or(|after| *id > after)).collect();
    let mut done = Done::default();
    let mut flight = Flight::new(engine);
    for page in left.chunks(PAGE) {
        if !go_on() {
            done.cut_short = true;
            return Ok(done);
        }
        for id in page {
            flight.send(submission(MemberId::new(*id), Command::GrantPerks, at))?;
            done.members += 1;
        }
        done.failed = flight.finish()?.failed;
        note(engine, day, page.last().copied(), None)?;
    }
    note(engine, day, left.last().copied().or(after), Some(at))?;
    Ok(done)
}

fn note(engine: &Engine, day: Day, position: Option<Uuid>, done_at: Option<Instant>) -> Result<(), Failure> {
    Ok(engine.pool().blocking(|conn| job::note(conn, NAME, day, position, done_at))?)
}

/// The search for those whom one occasion may concern on a day.
struct Search {
    zone: Zone,
    awaited: Awaited,
    today: Day,
    at: Instant,
}

impl Search {
    fn members(&self, conn: &mut Connection) -> Result<Vec<Uuid>, Error> {
        let code = &self.awaited.code;
        let (first, last) = self.days();
        match self.awaited.occasion {
            OccasionKind::Birthday => perk::born_on(conn, code, &birthdays(first, last), self.at),
            OccasionKind::Welcome => perk::enrolled_within(conn, code, &[self.span(first, last)], self.at),
            OccasionKind::Anniversary => {
                let Some(earliest) = perk::first_enrolment(conn)? else { return Ok(Vec::new()) };
                let spans = self.anniversaries(self.zone.day_of(earliest), first, last);
                perk::enrolled_within(conn, code, &spans, self.at)
            }
            OccasionKind::TierReached => {
                let (from, until) = self.span(first, last);
                perk::moved_within(conn, code, from, until)
            }
            OccasionKind::Lapse { days } => {
                let bought = |day| add_days(day, -i64::from(days));
                let (from, until) = self.span(bought(first), bought(last));
                perk::bought_last_within(conn, code, from, until)
            }
        }
    }

    /// The days on which the occasion may be that today lies in the widest window of.
    fn days(&self) -> (Day, Day) {
        let (before, after) = self.awaited.window;
        (add_days(self.today, -i64::from(after)), add_days(self.today, i64::from(before)))
    }

    fn span(&self, first: Day, last: Day) -> (Instant, Instant) {
        (self.zone.midnight(first), self.zone.midnight(add_days(last, 1)))
    }

    /// The spans of enrolment whose anniversary lies between two days, in every year since the first
    /// enrolment. A day more on each side leaves it to the rules where 29 February is kept.
    fn anniversaries(&self, earliest: Day, first: Day, last: Day) -> Vec<(Instant, Instant)> {
        let years = 1..=(last.year() - earliest.year()).max(0);
        years
            .map(|ago| self.span(add_days(years_before(first, ago), -1), add_days(years_before(last, ago), 1)))
            .collect()
    }
}

/// The same date `years` before; 28 February for a 29 February that the year does not have.
fn years_before(day: Day, years: i32) -> Day {
    let year = day.year() - years;
    day.with_year(year).or_else(|| Day::from_ymd_opt(year, 2, 28)).unwrap_or(day)
}

/// The (month, day) pairs of birth dates whose birthday lies between two days.
fn birthdays(first: Day, last: Day) -> Vec<(i16, i16)> {
    let mut pairs = BTreeSet::new();
    let mut birthday = first;
    while birthday <= last {
        let pair = |month: u32, day: u32| Some((i16::try_from(month).ok()?, i16::try_from(day).ok()?));
        pairs.extend(pair(birthday.month(), birthday.day()));
        // Where 29 February is kept in a common year is a setting of the perk: the rules know.
        if !birthday.leap_year() && matches!((birthday.month(), birthday.day()), (2, 28) | (3, 1)) {
            pairs.extend(pair(2, 29));
        }
        birthday = add_days(birthday, 1);
    }
    pairs.into_iter().collect()
}
