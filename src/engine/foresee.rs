//! Looking ahead for many members at once: what the job that warns them asks, page by page.

use tessera_rules::id::MemberId;
use tessera_rules::notice::{Foreseen, foresee};
use tessera_rules::time::Instant;
use tessera_rules::{Actor, Command, Context, Refusal};
use uuid::Uuid;

use super::plan::plan;
use super::state::{load_current, state};
use super::{Answer, Engine, Failure, Submission, Time};

/// What there is to tell some members, as of one moment.
pub struct Outlook {
    /// The programme version it was found under.
    pub programme: i64,
    /// Each member with the version his standing has, as long as what was foreseen holds.
    pub members: Vec<(Uuid, i64, Foreseen)>,
}

impl Engine {
    /// What there is to tell members at `at`, and when there may be more. Nothing is written. Blocks.
    ///
    /// # Errors
    /// The database is away, or a member's sums leave their range.
    pub fn outlook(&self, members: &[Uuid], at: Instant) -> Result<Outlook, Failure> {
        let ask = |member: &Uuid| Submission {
            member: MemberId::new(*member),
            command: Command::Notify,
            actor: Actor::SYSTEM,
            time: Time::Past(at),
            claim: None,
            audit: None,
            render: Box::new(|_| Answer { status: 200, body: String::new() }),
        };
        let questions: Vec<Submission> = members.iter().map(ask).collect();
        let programmes = self.0.programmes.clone();
        self.pool().blocking(|conn| {
            let current = load_current(&programmes, conn, |programme| plan(programme, at, questions.iter()))?;
            let (versioned, mut loaded) = match current {
                Ok(current) => current,
                Err(failure) => return Ok(Err(failure)),
            };
            // Who keeps the points of a member is loaded beside him, but not all that is his.
            let asked = loaded.standings.iter().filter(|row| members.contains(&row.member_id));
            let versions: Vec<(Uuid, i64)> = asked.map(|row| (row.member_id, row.version)).collect();
            let programme_version = versioned.version;
            let context = Context { now: at, actor: Actor::SYSTEM, programme_version, historic: true, seed: None };
            Ok(state(&mut loaded).and_then(|state| {
                let look = |(member, version): (Uuid, i64)| {
                    let loaded = state.members.get(&MemberId::new(member)).ok_or(Refusal::MemberUnknown)?;
                    Ok((member, version, foresee(&versioned.programme, loaded, &context)?))
                };
                let found: Result<Vec<_>, Refusal> = versions.into_iter().map(look).collect();
                let members = found.map_err(|refusal| Failure::Internal(refusal.to_string()))?;
                Ok(Outlook { programme: programme_version, members })
            }))
        })?
    }
}
