//! Runs a scene: every command is decided on the whole state and on a state loaded in part, applied,
//! booked and checked.

use std::collections::BTreeMap;

use chrono::DateTime;
use tessera_rules::amount::Minor;
use tessera_rules::command::{Adjust, Line, Purchase, Redeem, RedeemMode, Redeemed, Role, Tender};
use tessera_rules::decision::Effect;
use tessera_rules::id::{AdjustmentId, MemberId, PurchaseId, RedemptionId, StoreId};
use tessera_rules::ledger::GENESIS;
use tessera_rules::time::Instant;
use tessera_rules::{Actor, Command, Context, Decision, MemberState, Outcome, Programme, Standing, State};
use uuid::Uuid;

use super::partial;
use super::scene::{Action, Kind, Receipt, Rules, Scene, Step};
use crate::chain::hash_of;
use crate::model::ledger::Books;
use crate::support::{line, points};

/// 20 December 2023: New Year is near, and a leap year follows.
const START: i64 = 1_703_030_400 / 60;
pub(crate) const MEMBER: MemberId = MemberId::new(Uuid::from_u128(7));
const TELLER: Actor = Actor { role: Role::Manager, id: Some(Uuid::from_u128(9)) };

pub(crate) fn instant(minute: i64) -> Instant {
    DateTime::from_timestamp(minute * 60, 0).expect("a minute")
}

/// A command and when it is given.
pub(crate) struct Timed {
    pub(crate) minute: i64,
    pub(crate) action: Action,
    pub(crate) command: Command,
}

pub(crate) struct Run {
    rules: Rules,
    pub(crate) programme: Programme,
    pub(crate) state: State,
    books: Books,
    /// The hash of the last entry.
    head: [u8; 32],
    pub(crate) now: i64,
    ids: u128,
}

pub(crate) fn context(minute: i64) -> Context {
    Context { now: instant(minute), actor: TELLER, programme_version: 1, historic: false, seed: None }
}

impl Run {
    pub(crate) fn new(scene: &Scene) -> Self {
        let programme = scene.rules.programme();
        assert_eq!(programme.problems(), []);
        let mut member = MemberState::new(Standing::new(MEMBER, instant(START)));
        member.birth_date = Some(scene.rules.gift.birth_date());
        Self {
            rules: scene.rules.clone(),
            programme,
            state: State { members: BTreeMap::from([(MEMBER, member)]), ..State::default() },
            books: Books::default(),
            head: GENESIS,
            now: START,
            ids: 0,
        }
    }

    pub(crate) fn member(&self) -> &MemberState {
        &self.state.members[&MEMBER]
    }

    pub(crate) fn timed(&mut self, step: &Step) -> Timed {
        self.now = if step.wait < 0 {
            let day = 24 * 60;
            ((self.now + self.rules.offset()).div_euclid(day) - step.wait) * day - self.rules.offset()
        } else {
            self.now + step.wait
        };
        self.ids += 1;
        let id = Uuid::from_u128(self.ids);
        let redeem = |what| {
            Command::Redeem(Redeem {
                id: RedemptionId::new(id),
                store: None,
                what,
                mode: RedeemMode::Capture,
                otp_step: None,
            })
        };
        let command = match &step.action {
            Action::Buy(receipt) => Command::Purchase(self.purchase(PurchaseId::new(id), receipt)),
            Action::Spend(value) => redeem(Redeemed::MoneyOff(points(*value))),
            Action::Mug => redeem(Redeemed::Reward("mug".to_owned())),
            Action::Adjust(value) => {
                let reason = "goodwill".to_owned();
                Command::Adjust(Adjust { id: AdjustmentId::new(id), points: points(*value), reason })
            }
            Action::Grant => Command::GrantPerks,
            Action::Settle => Command::Settle,
        };
        Timed { minute: self.now, action: step.action.clone(), command }
    }

    fn purchase(&self, id: PurchaseId, receipt: &Receipt) -> Purchase {
        let lines = receipt.lines.iter().map(|(amount, kind)| {
            let categories: &[&str] = match kind {
                Kind::Plain => &[],
                Kind::Food => &["fresh", "food"],
                Kind::Wine => &["food", "wine"],
            };
            Line { categories: categories.iter().map(|&category| category.to_owned()).collect(), ..line(*amount) }
        });
        let card = Minor::new(receipt.gift_card).expect("in range");
        Purchase {
            id,
            store: StoreId::new(Uuid::from_u128(1)),
            store_code: "s1".to_owned(),
            source: "s1".to_owned(),
            external_id: self.ids.to_string(),
            occurred_at: receipt.late.map(|late| instant(self.now - late)),
            currency: self.programme.currency,
            lines: lines.collect(),
            tenders: vec![Tender { kind: "gift_card".to_owned(), amount: card }],
            redeem: None,
            channel: None,
            wallet: None,
            pricing: None,
            content: [0; 32],
        }
    }

    /// Runs steps that are loaded as one batch.
    pub(crate) fn batch(&mut self, steps: &[Step]) {
        let batch: Vec<Timed> = steps.iter().map(|step| self.timed(step)).collect();
        let mut loaded = partial::load(&self.programme, &self.state, &batch);
        for timed in &batch {
            let decide =
                |state| tessera_rules::decide(&self.programme, state, MEMBER, &timed.command, &context(timed.minute));
            let decided = decide(&self.state);
            assert_eq!(decided, decide(&loaded), "a state loaded in part decides the same");
            if let Ok(decision) = decided {
                loaded.apply(MEMBER, &decision.effects).expect("in range");
                self.accept(&decision);
                assert_eq!(loaded.members[&MEMBER].standing, self.member().standing);
            }
        }
    }

    fn accept(&mut self, decision: &Decision) {
        self.state.apply(MEMBER, &decision.effects).expect("what was decided can be applied");
        self.books.record(&decision.effects, TELLER);
        for effect in &decision.effects {
            if let Effect::Entry(entry) = effect {
                assert_eq!(entry.hash, hash_of(entry, &self.head), "the chain holds, as written down once more");
                self.head = entry.hash;
            }
        }
        let member = &self.state.members[&MEMBER];
        self.books.check(member);
        let told = match &decision.outcome {
            Outcome::Purchase(outcome) => Some(outcome.balance),
            Outcome::Redemption(outcome) => Some(outcome.balance),
            Outcome::Adjustment(balance) => Some(*balance),
            _ => None,
        };
        assert!(told.is_none_or(|balance| balance == (&member.standing).into()), "the answer says what is applied");
    }
}
