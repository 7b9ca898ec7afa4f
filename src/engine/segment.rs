//! Who is in a segment: members are loaded as for a command, settled to now in memory, and asked the condition
//! by the rules, so that a list says what a purchase would be decided on at that moment. Nothing is written.

use std::sync::Arc;

use tessera_rules::condition::{Condition, Facts};
use tessera_rules::id::MemberId;
use tessera_rules::segment::facts_now;
use tessera_rules::{Actor, Command, Context, Programme, Refusal, State};

use super::plan::plan;
use super::state::{load_current, state};
use super::{Answer, Engine, Failure, Submission, Time, Versioned};
use crate::store;
use crate::store::batch::Load;

/// Members that are asked at a time.
const PAGE: i64 = 500;

/// What came of asking some members.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Those who are in the segment, newest first.
    pub inside: Vec<MemberId>,
    /// How many were asked.
    pub asked: u64,
    /// The last of them, after whom the next page begins; `None`: there are no more.
    pub last: Option<MemberId>,
}

impl Engine {
    /// Asks a condition of the next members before an id, newest first, now.
    ///
    /// # Errors
    /// The database.
    pub async fn ask_members(&self, condition: Condition, before: Option<MemberId>) -> Result<Asked, Failure> {
        let (now, programmes) = (self.clock().now(), self.0.programmes.clone());
        let answered = self.pool().run(move |conn| {
            let page = store::member::newest(conn, before.map(MemberId::uuid), PAGE)?;
            let members: Vec<MemberId> = page.into_iter().map(MemberId::new).collect();
            let wanted = |programme: &Programme| {
                let settle: Vec<Submission> = members.iter().map(|member| looking_at(*member)).collect();
                let mut load = plan(programme, now, settle.iter());
                widen(&mut load);
                load
            };
            let current = load_current(&programmes, conn, wanted)?;
            Ok(current.and_then(|(versioned, mut loaded)| {
                let state = state(&mut loaded)?;
                let context = context(&versioned, now);
                let meets = |member: &&MemberId| {
                    // Who was merged is no member of his own any more.
                    facts_now(&versioned.programme, &state, **member, &context).is_ok_and(|facts| condition.met(&facts))
                };
                let last = members.last().copied().filter(|_| members.len() as i64 == PAGE);
                let inside = members.iter().filter(meets).copied().collect();
                Ok(Asked { inside, asked: members.len() as u64, last })
            }))
        });
        answered.await.map_err(Failure::from)?
    }

    /// A member as conditions see him now, with the programme that says so.
    ///
    /// # Errors
    /// The outer: the database; the inner: there is no such member, or he was merged.
    pub async fn facts(&self, member: MemberId) -> Result<Result<(Arc<Versioned>, Facts), Refusal>, Failure> {
        let ask = move |versioned: Arc<Versioned>, state: State, _: &Command, context: &Context| {
            let facts = facts_now(&versioned.programme, &state, member, context)?;
            Ok((versioned, facts))
        };
        self.ask(member, Command::Settle, Actor::SYSTEM, widen, ask).await
    }
}

/// Conditions may ask for birth dates, which come with the perks, and for tags.
fn widen(load: &mut Load) {
    load.perks.clone_from(&load.members);
    load.tags.clone_from(&load.members);
}

fn looking_at(member: MemberId) -> Submission {
    let render = Box::new(|_: &_| Answer { status: 200, body: String::new() });
    let (actor, time) = (Actor::SYSTEM, Time::Live);
    Submission { member, command: Command::Settle, actor, time, claim: None, audit: None, render }
}

fn context(versioned: &Versioned, now: tessera_rules::time::Instant) -> Context {
    Context { now, actor: Actor::SYSTEM, programme_version: versioned.version, historic: false, seed: None }
}
