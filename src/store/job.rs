//! Who leads the jobs, and how far the daily ones have come.

use diesel::prelude::*;
use diesel::query_dsl::methods::FilterDsl;
use diesel::upsert::excluded;
use tessera_rules::time::{Day, Instant};
use uuid::Uuid;

use super::db::{Connection, Error};
use super::schema::{idempotency, job_lease, job_run};

/// Takes or renews a lease: true when `holder` has it now. Wall time.
///
/// # Errors
/// As [`Error`].
pub fn lease(conn: &mut Connection, name: &str, holder: Uuid, now: Instant, until: Instant) -> Result<bool, Error> {
    let take = diesel::insert_into(job_lease::table)
        .values((job_lease::name.eq(name), job_lease::holder.eq(holder), job_lease::until.eq(until)))
        .on_conflict(job_lease::name)
        .do_update()
        .set((job_lease::holder.eq(excluded(job_lease::holder)), job_lease::until.eq(excluded(job_lease::until))));
    let taken = FilterDsl::filter(take, job_lease::holder.eq(holder).or(job_lease::until.lt(now)));
    Ok(taken.execute(conn)? == 1)
}

/// Gives a lease up, so that the next process need not wait for its end.
///
/// # Errors
/// As [`Error`].
pub fn release(conn: &mut Connection, name: &str, holder: Uuid) -> Result<(), Error> {
    let held = QueryDsl::filter(job_lease::table, job_lease::name.eq(name).and(job_lease::holder.eq(holder)));
    diesel::delete(held).execute(conn)?;
    Ok(())
}

/// How far a daily job has come.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct Run {
    /// The day.
    pub day: Day,
    /// The last member it finished.
    pub position: Option<Uuid>,
    /// When it finished the day.
    pub done_at: Option<Instant>,
}

/// The latest day a job was begun for.
///
/// # Errors
/// As [`Error`].
pub fn last_run(conn: &mut Connection, job: &str) -> Result<Option<Run>, Error> {
    let runs = QueryDsl::filter(job_run::table, job_run::job.eq(job)).order(job_run::day.desc());
    Ok(runs.select((job_run::day, job_run::position, job_run::done_at)).first(conn).optional()?)
}

/// Notes how far a job has come on a day.
///
/// # Errors
/// As [`Error`].
pub fn note(
    conn: &mut Connection,
    job: &str,
    day: Day,
    position: Option<Uuid>,
    done_at: Option<Instant>,
) -> Result<(), Error> {
    let row =
        (job_run::job.eq(job), job_run::day.eq(day), job_run::position.eq(position), job_run::done_at.eq(done_at));
    diesel::insert_into(job_run::table)
        .values(row)
        .on_conflict((job_run::job, job_run::day))
        .do_update()
        .set((job_run::position.eq(position), job_run::done_at.eq(done_at)))
        .execute(conn)?;
    Ok(())
}

/// Forgets idempotency keys from before an instant; says how many.
///
/// # Errors
/// As [`Error`].
pub fn purge_keys(conn: &mut Connection, before: Instant) -> Result<usize, Error> {
    let old = QueryDsl::filter(idempotency::table, idempotency::created_at.lt(before));
    Ok(diesel::delete(old).execute(conn)?)
}
