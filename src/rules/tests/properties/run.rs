//! Runs a scene: every command is decided on the whole state and on a state loaded in part, compared
//! with the naive recomputation, applied, booked and checked.

use std::collections::BTreeMap;

use chrono::DateTime;
use tessera_rules::amount::Minor;
use tessera_rules::command::{Adjust, Line, Purchase, Redeem, RedeemMode, Redeemed, Role, Tender};
use tessera_rules::decision::PurchaseOutcome;
use tessera_rules::id::{AdjustmentId, MemberId, PurchaseId, RedemptionId, StoreId};
use tessera_rules::ledger::Account;
use tessera_rules::time::Instant;
use tessera_rules::{Actor, Command, Context, Decision, MemberState, Outcome, Programme, Refusal, Standing, State};
use uuid::Uuid;

use super::books::Books;
use super::naive::{Earned, Naive, No};
use super::partial;
use super::scene::{Action, Kind, Receipt, Rules, Scene, Step, TIERS};
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
    naive: Naive,
    books: Books,
    pub(crate) now: i64,
    ids: u128,
}

pub(crate) fn context(minute: i64) -> Context {
    Context { now: instant(minute), actor: TELLER, programme_version: 1, historic: false }
}

impl Run {
    pub(crate) fn new(scene: &Scene) -> Self {
        let programme = scene.rules.programme();
        assert_eq!(programme.problems(), []);
        let mut standing = Standing::new(MEMBER, instant(START));
        standing.debt = points(scene.debt);
        let mut member = MemberState::new(standing);
        member.birth_date = Some(scene.rules.gift.birth_date());
        Self {
            rules: scene.rules.clone(),
            programme,
            state: State { members: BTreeMap::from([(MEMBER, member)]), ..State::default() },
            naive: Naive::new(&scene.rules, START, scene.debt),
            books: Books::new(scene.debt),
            now: START,
            ids: 0,
        }
    }

    pub(crate) fn member(&self) -> &MemberState {
        &self.state.members[&MEMBER]
    }

    fn timed(&mut self, step: &Step) -> Timed {
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
            if let Some(decision) = self.expect(timed, decided) {
                loaded.apply(MEMBER, &decision.effects).expect("in range");
                self.accept(&decision);
                assert_eq!(loaded.members[&MEMBER].standing, self.member().standing);
            }
        }
    }

    /// Compares a decision with what the naive model makes of the same command.
    fn expect(&mut self, timed: &Timed, decided: Result<Decision, Refusal>) -> Option<Decision> {
        let naive = &mut self.naive;
        let unit = |decided: &Result<Decision, Refusal>, expected: Result<(), No>| match (decided, expected) {
            (Ok(_), Ok(())) => {}
            (Err(refusal), Err(no)) => assert_eq!(refused(refusal), no),
            other => panic!("{:?}: {other:?}", timed.action),
        };
        match &timed.action {
            Action::Buy(receipt) => match (&decided, naive.buy(timed.minute, receipt)) {
                (Ok(decision), Ok(earned)) => same_earning(purchase_of(decision), &earned),
                (Err(refusal), Err(no)) => assert_eq!(refused(refusal), no),
                other => panic!("{receipt:?}: {other:?}"),
            },
            Action::Spend(value) => unit(&decided, naive.spend(timed.minute, *value)),
            Action::Mug => unit(&decided, naive.mug(timed.minute)),
            Action::Adjust(value) => unit(&decided, naive.adjust(timed.minute, *value)),
            Action::Settle => {
                naive.settle(timed.minute);
                unit(&decided, Ok(()));
            }
            Action::Grant => {
                let granted = naive.grant(timed.minute);
                let outcome = &decided.as_ref().expect("granting is never refused").outcome;
                let expected: &[String] = if granted { &["birthday".to_owned()] } else { &[] };
                assert_eq!(*outcome, Outcome::Perks(expected.to_vec()));
            }
        }
        decided.ok()
    }

    fn accept(&mut self, decision: &Decision) {
        self.state.apply(MEMBER, &decision.effects).expect("what was decided can be applied");
        self.books.record(&decision.effects, TELLER);
        let member = &self.state.members[&MEMBER];
        self.books.check(member);
        let told = match &decision.outcome {
            Outcome::Purchase(outcome) => Some(outcome.balance),
            Outcome::Redemption(outcome) => Some(outcome.balance),
            Outcome::Adjustment(balance) => Some(*balance),
            _ => None,
        };
        assert!(told.is_none_or(|balance| balance == (&member.standing).into()), "the answer says what is applied");
        self.same();
    }

    /// Compares the state with the naive model.
    fn same(&self) {
        let (member, naive) = (&self.state.members[&MEMBER], &self.naive);
        let standing = &member.standing;
        assert_eq!((standing.available.get(), standing.debt.get()), (naive.available(), naive.debt));
        assert_eq!((standing.carry, standing.lifetime_earned.get()), (naive.carry, naive.earned));
        assert_eq!((standing.lots, standing.purchases), (naive.lots, naive.visits()));
        for (number, lot) in &member.lots {
            assert_eq!(lot.remaining.get(), naive.left(*number), "lot {number}");
        }
        let sums = [Account::Redeemed, Account::Expired, Account::Adjusted].map(|account| self.books.balance(account));
        assert_eq!(sums, [naive.redeemed, naive.expired, naive.adjusted]);
        let changes: Vec<(Instant, &str)> = member.tier_changes.iter().map(|c| (c.at, c.to.as_str())).collect();
        let expected: Vec<(Instant, &str)> =
            naive.tiers.iter().skip(1).map(|&(from, tier)| (instant(from), TIERS[tier])).collect();
        assert_eq!(changes, expected, "tiers");
        assert_eq!(self.programme.tier_position(&standing.tier), naive.tier());
        assert_eq!(self.programme.tiers.measure.of(&standing.window), naive.measure(), "measure");
        assert_eq!(standing.lots_due_at, naive.next_expiry().map(instant), "next expiry");
        assert_eq!(standing.tier_due_at, naive.next_review().map(instant), "next review");
    }
}

fn refused(refusal: &Refusal) -> No {
    match refusal {
        Refusal::OccurredTooEarly => No::TooEarly,
        Refusal::OccurredTooLate => No::TooLate,
        Refusal::TendersExceedTotal => No::Tenders,
        Refusal::OutOfStock => No::Stock,
        Refusal::InsufficientPoints { .. } => No::Points,
        other => panic!("unexpected: {other:?}"),
    }
}

fn purchase_of(decision: &Decision) -> &PurchaseOutcome {
    match &decision.outcome {
        Outcome::Purchase(outcome) => outcome,
        other => panic!("not a purchase: {other:?}"),
    }
}

fn same_earning(outcome: &PurchaseOutcome, earned: &Earned) {
    let why = &outcome.explanation;
    let found = Earned {
        wanted: outcome.wanted.get(),
        given: outcome.given.get(),
        base: why.base_points.get(),
        basis: why.basis.get(),
        charges: why.promotions.iter().map(|promotion| promotion.charged.get()).collect(),
        shares: why.lines.iter().map(|line| line.points.get()).collect(),
    };
    assert_eq!(found, *earned);
    assert_eq!(found.shares.iter().sum::<i64>(), found.given, "shares sum to what was given");
    let cut: i64 = why.caps.iter().map(|cap| cap.cut.get()).sum();
    let held_back =
        |p: &tessera_rules::explain::PromotionExplained| p.wanted.map_or(0, |wanted| wanted.get() - p.charged.get());
    let held_back: i64 = why.promotions.iter().map(held_back).sum();
    assert_eq!(found.wanted - cut - held_back, found.given, "the caps explain what is missing");
}
