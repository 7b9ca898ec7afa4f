//! A shop on PostgreSQL: the engine, asked at instants of the past.

use chrono::{DateTime, Utc};
use tessera::api::till::purchases::render;
use tessera::clock::Clock;
use tessera::engine::{Engine, NewMember, Reply, Submission, Time, configure, enrol};
use tessera::store::db::Connection;
use tessera::store::{Pool, shop};
use tessera_rules::id::{MemberId, StoreId};
use tessera_rules::time::BirthDate;
use tessera_rules::{Actor, Command, MemberState, Outcome, Programme, Refusal};

use super::reference::trial::Shop;
use crate::support::app::settings_for;
use crate::support::db::{Db, scratch};
use crate::support::process::{finish, tessera};

pub(super) struct Database {
    base: Programme,
    clock: Clock,
    store: StoreId,
    trials: u128,
    runtime: tokio::runtime::Runtime,
    pub(super) engine: Engine,
    pub(super) conn: Connection,
    db: Db,
}

impl Database {
    /// An engine of its own on a database of its own; nothing else runs beside it.
    pub(super) fn open(base: Programme) -> Self {
        let db = Db::furnished();
        let mut conn = db.connect();
        let store = shop::by_code(&mut conn, "west").expect("the database").expect("the store").store();
        let settings = settings_for(&db.url, &scratch("model"), &[]);
        let pool = Pool::connect(&db.url, 2).expect("a pool");
        let clock = Clock::wall();
        let engine = Engine::start(&db.url, pool, clock.clone(), &settings.engine).expect("an engine");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        Self { base, clock, store, trials: 0, runtime, engine, conn, db }
    }

    /// The books add up.
    pub(super) fn verify(self) {
        self.engine.drain();
        let (code, out, err) = finish(tessera(&scratch("model")).arg("verify").env("DATABASE_URL", &self.db.url));
        assert_eq!(code, 0, "the books do not add up: {out}{err}");
    }

    /// Enrols somebody.
    pub(super) fn member(&mut self, at: DateTime<Utc>, birth_date: Option<BirthDate>) -> MemberId {
        let new = NewMember {
            name: "Lin Xiaoyu".to_owned(),
            phone: None,
            email: None,
            external_id: None,
            birth_date,
            locale: "en".to_owned(),
            store: Some(self.store),
            enrolled_at: at,
        };
        enrol(&mut self.conn, new).expect("a member").member()
    }
}

impl Shop for Database {
    fn base(&self) -> Programme {
        self.base.clone()
    }

    fn is_a_till(&self) -> bool {
        false
    }

    fn open(&mut self) -> (u128, StoreId) {
        self.trials += 1;
        (self.trials, self.store)
    }

    fn enrol(&mut self, at: DateTime<Utc>, (month, day): (u32, u32)) -> MemberId {
        self.member(at, Some(BirthDate { year: None, month, day }))
    }

    fn adopt(&mut self, programme: &Programme) {
        let start = crate::support::app::START.parse().expect("an instant");
        configure::apply(&mut self.conn, None, programme, start, Actor::SYSTEM, "test", "programme").expect("sound");
        // A command that changes nothing is not stored, and would not notice.
        self.runtime.block_on(self.engine.programme()).expect("the programme");
    }

    fn order(&mut self, member: MemberId, command: &Command, at: DateTime<Utc>) -> Result<Outcome, Refusal> {
        // A return reads why the purchase earned what it did, out of the answer that was stored.
        let (command, actor, time, render) = (command.clone(), Actor::IMPORT, Time::Past(at), render(None));
        let submission = Submission { member, command, actor, time, claim: None, audit: None, render };
        let reply = self.engine.submit_blocking(submission).blocking_recv().expect("an answer").expect("no failure");
        match reply {
            Reply::Decided { outcome, .. } => outcome,
            other => panic!("not decided: {other:?}"),
        }
    }

    fn look(&mut self, member: MemberId, at: DateTime<Utc>) -> MemberState {
        let ahead = at - self.clock.wall_now();
        self.clock.set_offset(ahead.num_microseconds().expect("an offset"));
        let settled = self.runtime.block_on(self.engine.member(member));
        settled.expect("the database").expect("a member").member
    }
}
