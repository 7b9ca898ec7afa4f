//! A shop in memory: the pure rulebook, whose every effect is booked a second time.

use std::collections::BTreeMap;

use tessera_rules::command::{Actor, Context, Role};
use tessera_rules::decision::Effect;
use tessera_rules::id::{MemberId, StoreId};
use tessera_rules::returns::Sold;
use tessera_rules::time::BirthDate;
use tessera_rules::{Command, MemberState, Outcome, Programme, Refusal, Standing, State};
use uuid::Uuid;

use super::calendar::Instant;
use super::ledger::Books;
use super::trial::Shop;

/// Whoever stands at the desk.
const TELLER: Actor = Actor { role: Role::Manager, id: Some(Uuid::from_u128(9)) };

pub(crate) struct Memory {
    base: Programme,
    programme: Programme,
    version: i64,
    trials: u128,
    pub(crate) state: State,
    books: BTreeMap<MemberId, Books>,
}

impl Memory {
    pub(crate) fn new(base: Programme) -> Self {
        let (programme, books) = (base.clone(), BTreeMap::new());
        Self { base, programme, version: 0, trials: 0, state: State::default(), books }
    }

    fn context(&self, now: Instant) -> Context {
        Context { now, actor: TELLER, programme_version: self.version, historic: false }
    }

    /// The books of all members.
    pub(crate) fn books(&self) -> impl Iterator<Item = &Books> {
        self.books.values()
    }

    /// A purchase can be returned from now on.
    fn remember(&mut self, member: MemberId, effects: &[Effect], outcome: &Outcome) {
        if let Outcome::Purchase(bought) = outcome {
            let record = effects.iter().find_map(|effect| match effect {
                Effect::Purchase(record) => Some(record),
                _ => None,
            });
            let record = record.expect("a purchase is on record");
            let lots = bought.lots.iter().map(|lot| lot.number).collect();
            let sold = Sold::new(record, bought.recorded_at, bought.explanation.clone(), lots);
            self.state.members.get_mut(&member).expect("a member").sales.insert(bought.id, sold);
        }
    }
}

impl Shop for Memory {
    fn base(&self) -> Programme {
        self.base.clone()
    }

    fn is_a_till(&self) -> bool {
        true
    }

    fn open(&mut self) -> (u128, StoreId) {
        self.trials += 1;
        (self.trials, StoreId::new(Uuid::from_u128(1)))
    }

    fn enrol(&mut self, at: Instant, (month, day): (u32, u32)) -> MemberId {
        let id = MemberId::new(Uuid::from_u128(self.state.members.len() as u128 + 100));
        let mut member = MemberState::new(Standing::new(id, at));
        member.birth_date = Some(BirthDate { year: None, month, day });
        self.state.members.insert(id, member);
        self.books.insert(id, Books::default());
        id
    }

    fn adopt(&mut self, programme: &Programme) {
        let problems = programme.problems();
        assert!(problems.is_empty(), "the programme is sound: {problems:?}");
        self.programme.clone_from(programme);
        self.version += 1;
    }

    fn order(&mut self, member: MemberId, command: &Command, at: Instant) -> Result<Outcome, Refusal> {
        let decision = tessera_rules::decide(&self.programme, &self.state, member, command, &self.context(at))?;
        self.state.enact(member, &decision).expect("what was decided can be applied");
        self.books.get_mut(&member).expect("books").record(&decision.effects, TELLER);
        for beside in &decision.beside {
            self.books.get_mut(&beside.member).expect("books").record(&beside.effects, TELLER);
        }
        self.remember(member, &decision.effects, &decision.outcome);
        let beside = decision.beside.iter().map(|beside| beside.member);
        std::iter::once(member).chain(beside).for_each(|id| self.books[&id].check(&self.state.members[&id]));
        Ok(decision.outcome)
    }

    fn look(&mut self, member: MemberId, at: Instant) -> MemberState {
        let settle = tessera_rules::decide(&self.programme, &self.state, member, &Command::Settle, &self.context(at));
        let mut state = State {
            members: BTreeMap::from([(member, self.state.members[&member].clone())]),
            shared: self.state.shared.clone(),
        };
        state.enact(member, &settle.expect("settling is never refused")).expect("in range");
        state.members.remove(&member).expect("the member")
    }
}
