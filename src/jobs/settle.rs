//! Settling: members whom the clock alone has changed are brought up to date, though they did
//! nothing. What is due is decided by the rules; this only finds for whom.

use std::collections::HashSet;

use tessera_rules::id::MemberId;
use tessera_rules::time::Instant;
use tessera_rules::wallet::WalletCommand;
use tessera_rules::{Actor, Command, Outcome, Refusal};
use uuid::Uuid;

use super::flight::Flight;
use super::{Done, GoOn};
use crate::engine::{Answer, Engine, Failure, Submission, Time};
use crate::store::db::Connection;
use crate::store::{Error, member, wallet};

/// The job's name.
pub const NAME: &str = "settle";

/// Members fetched at a time.
const PAGE: i64 = 1_000;

/// Settles everybody who is due at `at`, the longest due first.
///
/// # Errors
/// What the engine or the database says; what was settled stays settled.
pub fn run(engine: &Engine, at: Instant, go_on: GoOn<'_>) -> Result<Done, Failure> {
    let points = all_due(engine, at, go_on, member::due, &Command::Settle)?;
    if points.cut_short {
        return Ok(points);
    }
    // A wallet lapses by itself: what its owner does with points does not look at it.
    Ok(points.and(all_due(engine, at, go_on, wallet::due, &Command::Wallet(WalletCommand::Settle))?))
}

/// Finds those who are due, page by page.
type FindDue = fn(&mut Connection, Instant, i64) -> Result<Vec<Uuid>, Error>;

fn all_due(engine: &Engine, at: Instant, go_on: GoOn<'_>, find: FindDue, command: &Command) -> Result<Done, Failure> {
    let mut done = Done::default();
    let mut seen = HashSet::new();
    let mut flight = Flight::new(engine);
    loop {
        if !go_on() {
            done.cut_short = true;
            break;
        }
        let due = engine.pool().blocking(|conn| find(conn, at, PAGE))?;
        let found = due.len();
        let fresh: Vec<_> = due.into_iter().filter(|id| seen.insert(*id)).collect();
        if fresh.is_empty() {
            if found > 0 {
                tracing::error!(found, "members are still due after they were settled");
            }
            break;
        }
        for id in fresh {
            flight.send(submission(MemberId::new(id), command.clone(), at))?;
            done.members += 1;
        }
        done.failed = flight.finish()?.failed;
    }
    Ok(done)
}

/// A command of the clock: nobody waits for its answer, and the rules make it once whatever happens.
pub fn submission(member: MemberId, command: Command, at: Instant) -> Submission {
    let render = Box::new(|_: &Result<Outcome, Refusal>| Answer { status: 200, body: String::new() });
    Submission { member, command, actor: Actor::SYSTEM, time: Time::Past(at), claim: None, audit: None, render }
}
