//! A shop on PostgreSQL: the engine, asked at instants of the past.

use chrono::{DateTime, Utc};
use tessera::api::till::{moving, purchases};
use tessera::clock::Clock;
use tessera::engine::{Answer, Claim, Engine, NewMember, Reply, Submission, Time, configure, enrol};
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
    /// Orders given.
    orders: u64,
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
        Self { base, clock, store, trials: 0, orders: 0, runtime, engine, conn, db }
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
            referred_by: None,
        };
        enrol(&mut self.conn, new).expect("a member").member()
    }
}

impl Database {
    fn submit(&self, member: MemberId, command: &Command, at: DateTime<Utc>, key: u64) -> Reply {
        // A return reads why the purchase earned what it did, out of the answer that was stored.
        let render = match command {
            Command::Move(moving) => moving::render(None, moving.again.currency),
            _ => purchases::render(None),
        };
        let claim = Claim { caller: self.store.uuid(), key: key.to_string(), fingerprint: [0; 32] };
        let (command, actor, time) = (command.clone(), Actor::IMPORT, Time::Past(at));
        let submission = Submission { member, command, actor, time, claim: Some(claim), audit: None, render };
        self.engine.submit_blocking(submission).blocking_recv().expect("an answer").expect("no failure")
    }

    /// One idempotency key, one effect; one receipt, one purchase (PROGRAMME.md §9, invariant 8): the same
    /// order once more is told what it was told first. That nothing was changed shows in what follows.
    fn again(
        &self,
        member: MemberId,
        command: &Command,
        at: DateTime<Utc>,
        outcome: &Result<Outcome, Refusal>,
        first: &Answer,
    ) {
        match self.submit(member, command, at, self.orders) {
            Reply::Replayed(answer) => assert_eq!(answer, *first, "the same key: {command:?}"),
            // That a member was merged is not kept, nor what changed nothing.
            Reply::Decided { answer, .. } => {
                assert_eq!(answer, *first, "{command:?}");
                assert!(matches!(outcome, Err(Refusal::MemberMerged)), "kept: {command:?}");
            }
            other => panic!("the same key: {other:?}"),
        }
        if outcome.is_ok() && matches!(command, Command::Purchase(_) | Command::Return(_)) {
            match self.submit(member, command, at, u64::MAX - self.orders) {
                Reply::Known(answer) => assert_eq!(answer.body, first.body, "the same number: {command:?}"),
                other => panic!("the same number: {other:?}"),
            }
        }
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
        self.orders += 1;
        let key = self.orders;
        let Reply::Decided { answer, outcome } = self.submit(member, command, at, key) else {
            panic!("not decided: {command:?}")
        };
        if self.orders.is_multiple_of(3) {
            self.again(member, command, at, &outcome, &answer);
        }
        outcome
    }

    fn look(&mut self, member: MemberId, at: DateTime<Utc>) -> MemberState {
        let ahead = at - self.clock.wall_now();
        self.clock.set_offset(ahead.num_microseconds().expect("an offset"));
        let settled = self.runtime.block_on(self.engine.member(member));
        settled.expect("the database").expect("a member").member
    }
}
