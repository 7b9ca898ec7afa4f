//! A shop in memory: the pure rulebook, whose every effect is booked a second time.

use std::collections::BTreeMap;

use tessera_rules::command::{Actor, Context, Role};
use tessera_rules::decision::{Effect, PurchaseOutcome};
use tessera_rules::entitlement::EntitlementUse;
use tessera_rules::id::{MemberId, PurchaseId, StoreId};
use tessera_rules::ledger::Account;
use tessera_rules::link::{Link, LinkKind};
use tessera_rules::lot::{Lot, LotKey};
use tessera_rules::perk::PerkGift;
use tessera_rules::returns::Sold;
use tessera_rules::time::BirthDate;
use tessera_rules::{Command, MemberState, Outcome, Programme, Refusal, Standing, State};
use uuid::Uuid;

use super::calendar::Instant;
use super::ledger::Books;
use super::limits::Limits;
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
    limits: Limits,
}

impl Memory {
    pub(crate) fn new(base: Programme) -> Self {
        let (programme, books) = (base.clone(), BTreeMap::new());
        Self { base, programme, version: 0, trials: 0, state: State::default(), books, limits: Limits::default() }
    }

    fn context(&self, now: Instant) -> Context {
        Context { now, actor: TELLER, programme_version: self.version, historic: false, seed: None }
    }

    /// The state as it is loaded: what a merged account was granted and has used counts for the one that
    /// stays, but for its vouchers.
    fn loaded(&self) -> State {
        let mut state = self.state.clone();
        for other in self.state.members.values() {
            let Some(Link { root, kind: LinkKind::Merged }) = other.standing.link else { continue };
            let member = state.members.get_mut(&root).expect("a member");
            let used = other.entitlement_uses.iter().cloned();
            member.entitlement_uses.extend(used.map(|used| EntitlementUse { number: 0, ..used }));
            member.grants.extend(other.grants.iter().cloned().map(|mut grant| {
                if matches!(grant.gift, PerkGift::Reward { .. }) {
                    grant.until = grant.from;
                }
                grant
            }));
            // Uses count all the way up.
            let mut above = other.standing.link;
            while let Some(Link { root, kind: LinkKind::Merged }) = above {
                let member = state.members.get_mut(&root).expect("a member");
                for (promotion, days) in &other.promotion_uses {
                    let own = member.promotion_uses.entry(promotion.clone()).or_default();
                    days.iter().for_each(|(day, uses)| *own.entry(*day).or_default() += uses);
                }
                above = member.standing.link;
            }
        }
        state
    }

    /// A purchase can be returned from now on.
    fn remember(&mut self, member: MemberId, effects: &[Effect], bought: &PurchaseOutcome) {
        let record = effects.iter().find_map(|effect| match effect {
            Effect::Purchase(record) => Some(record),
            _ => None,
        });
        let record = record.expect("a purchase is on record");
        let lots = bought.lots.iter().map(|lot| lot.number).collect();
        let sold = Sold::new(record, bought.recorded_at, bought.explanation.clone(), lots);
        self.state.members.get_mut(&member).expect("a member").sales.insert(bought.id, sold);
    }

    /// What lapsed of a sale's lots where others had them.
    fn look_up(&mut self, member: MemberId, sale: PurchaseId) {
        let members = &self.state.members;
        let sold = &members[&member].sales[&sale];
        let own = members[&member].lots.values().filter(|lot| sold.lots.contains(&lot.origin.unwrap_or(lot.number)));
        let own: Vec<LotKey> = own.map(|lot| LotKey { member, lot: lot.number }).collect();
        let lapsed = super::document::points(own.into_iter().map(|key| self.lapsed_below(key)).sum());
        let sold = self.state.members.get_mut(&member).expect("a member").sales.get_mut(&sale);
        sold.expect("a sale").lapsed_elsewhere = lapsed;
    }

    fn lapsed_below(&self, parent: LotKey) -> i64 {
        let of = |id: MemberId, lots: &BTreeMap<i64, Lot>| -> i64 {
            let children = lots.values().filter(|lot| lot.parent == Some(parent));
            children.map(|lot| lot.lapsed.get() + self.lapsed_below(LotKey { member: id, lot: lot.number })).sum()
        };
        self.state.members.iter().map(|(id, member)| of(*id, &member.lots)).sum()
    }
}

fn spends(command: &Command) -> bool {
    matches!(command, Command::Purchase(_) | Command::Redeem(_) | Command::Transfer(_))
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
        match command {
            Command::Return(goods) => self.look_up(member, goods.purchase),
            Command::Move(moving) => self.look_up(member, moving.purchase),
            _ => {}
        }
        let decision = tessera_rules::decide(&self.programme, &self.loaded(), member, command, &self.context(at))?;
        self.state.enact(member, &decision).expect("what was decided can be applied");
        let beside = decision.beside.iter().map(|beside| (beside.member, &beside.effects));
        let changed: Vec<(MemberId, &Vec<Effect>)> =
            std::iter::once((member, &decision.effects)).chain(beside).collect();
        for (id, effects) in &changed {
            self.books.get_mut(id).expect("books").record(effects, TELLER);
            let spends = *id == member && spends(command);
            self.limits.count(&self.programme, spends, *id, effects);
        }
        match &decision.outcome {
            Outcome::Purchase(bought) => self.remember(member, &decision.effects, bought),
            Outcome::Move(moved) => {
                let bought = |effect: &Effect| matches!(effect, Effect::Purchase(_));
                let (_, effects) = changed
                    .iter()
                    .rfind(|(id, effects)| *id == moved.to && effects.iter().any(bought))
                    .expect("the buyer");
                self.remember(moved.to, effects, &moved.purchase);
            }
            _ => {}
        }
        changed.iter().for_each(|(id, _)| self.books[id].check(&self.state.members[id]));
        let passed: i64 = self.books.values().map(|books| books.balance(Account::Transferred)).sum();
        assert_eq!(passed, 0, "what one member is given another gives");
        Ok(decision.outcome)
    }

    fn look(&mut self, member: MemberId, at: Instant) -> MemberState {
        let mut state = self.loaded();
        let settle = tessera_rules::decide(&self.programme, &state, member, &Command::Settle, &self.context(at));
        state.enact(member, &settle.expect("settling is never refused")).expect("in range");
        state.members.remove(&member).expect("the member")
    }
}
