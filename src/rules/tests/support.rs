//! What every test needs: a plain programme to change, and a desk where commands are decided and
//! applied one after the other.

use std::collections::BTreeMap;

use tessera_rules::amount::{Minor, Money, Multiplier, Points, Quantity, Rate};
use tessera_rules::command::{Adjust, Line, Purchase, Redeem, Redeemed, Tender};
use tessera_rules::decision::{Effect, PurchaseOutcome, RedemptionOutcome};
use tessera_rules::expiry::Expiry;
use tessera_rules::id::{AdjustmentId, MemberId, PurchaseId, RedemptionId, StoreId};
use tessera_rules::ledger::{Account, Entry};
use tessera_rules::programme::{Earning, Tiers};
use tessera_rules::promotion::{Combine, Promotion, PromotionEffect, Schedule};
use tessera_rules::tier::{TierChange, TierLevel};
use tessera_rules::time::{Instant, Period, Zone};
use tessera_rules::{Actor, Command, Context, Decision, MemberState, Outcome, Programme, Refusal, Standing, State};
use uuid::Uuid;

pub(crate) fn at(text: &str) -> Instant {
    text.parse().expect("an instant in RFC 3339")
}

pub(crate) fn day(text: &str) -> tessera_rules::time::Day {
    text.parse().expect("a day")
}

pub(crate) fn zone(name: &str) -> Zone {
    Zone(name.parse().expect("an IANA time zone"))
}

pub(crate) fn points(value: i64) -> Points {
    Points::new(value).expect("points in range")
}

pub(crate) fn times(text: &str) -> Multiplier {
    text.parse().expect("a multiplier")
}

/// One point per 100 minor units, UTC, nothing else.
pub(crate) fn programme() -> Programme {
    let money: Money = Money { amount: Minor::ZERO, currency: "CNY".parse().expect("a currency") };
    Programme {
        name: "Test".into(),
        currency: money.currency,
        time_zone: zone("UTC"),
        earning: Earning {
            rate: Rate { points: 1, per: 100 },
            combine: Combine::Best,
            carry_remainder: false,
            excluded_categories: Vec::new(),
            excluded_skus: Vec::new(),
            excluded_tenders: Vec::new(),
            cap_per_purchase: None,
            cap_per_day: None,
            rules: Vec::new(),
        },
        expiry: Expiry::Never,
        redemption: None,
        tiers: Tiers::default(),
        promotions: Vec::new(),
        rewards: Vec::new(),
        perks: Vec::new(),
    }
}

pub(crate) fn after(months: u32, round: Period) -> Expiry {
    Expiry::After { months, round }
}

pub(crate) fn level(code: &str, threshold: i64, multiplier: &str) -> TierLevel {
    TierLevel { code: code.to_owned(), threshold, earn_multiplier: times(multiplier), ..TierLevel::base() }
}

pub(crate) fn promotion(code: &str, priority: i32, effect: PromotionEffect) -> Promotion {
    Promotion {
        code: code.to_owned(),
        name: code.into(),
        schedule: Schedule::default(),
        effect,
        cap_per_purchase: None,
        priority,
        stores: Vec::new(),
        tiers: Vec::new(),
    }
}

pub(crate) fn line(amount: i64) -> Line {
    Line { sku: None, categories: Vec::new(), quantity: Quantity::ONE, amount: Minor::new(amount).expect("in range") }
}

/// One member at a desk: commands are decided, checked against their own answer and applied.
pub(crate) struct Desk {
    pub(crate) programme: Programme,
    pub(crate) state: State,
    pub(crate) member: MemberId,
    pub(crate) now: Instant,
    pub(crate) effects: Vec<Effect>,
    ids: u128,
}

impl Desk {
    /// A member who enrols on 1 January 2025.
    pub(crate) fn new(programme: Programme) -> Self {
        let problems = programme.problems();
        assert!(problems.is_empty(), "the programme is sound: {problems:?}");
        let member = MemberId::new(Uuid::from_u128(7));
        let now = at("2025-01-01T00:00:00Z");
        let members = BTreeMap::from([(member, MemberState::new(Standing::new(member, now)))]);
        let state = State { members, ..State::default() };
        Self { programme, state, member, now, effects: Vec::new(), ids: 0 }
    }

    pub(crate) fn at(&mut self, text: &str) -> &mut Self {
        self.now = at(text);
        self
    }

    pub(crate) fn member(&mut self) -> &mut MemberState {
        self.state.members.get_mut(&self.member).expect("the member")
    }

    pub(crate) fn standing(&self) -> &Standing {
        &self.state.members[&self.member].standing
    }

    pub(crate) fn context(&self) -> Context {
        Context { now: self.now, actor: Actor::SYSTEM, programme_version: 1, historic: false }
    }

    pub(crate) fn decide(&self, command: &Command) -> Result<Decision, Refusal> {
        tessera_rules::decide(&self.programme, &self.state, self.member, command, &self.context())
    }

    pub(crate) fn run(&mut self, command: &Command) -> Result<Outcome, Refusal> {
        let decision = self.decide(command)?;
        self.state.apply(self.member, &decision.effects).expect("what was decided can be applied");
        self.effects.extend(decision.effects);
        Ok(decision.outcome)
    }

    pub(crate) fn id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(self.ids)
    }

    pub(crate) fn receipt(&mut self, amount: i64) -> Purchase {
        Purchase {
            id: PurchaseId::new(self.id()),
            store: StoreId::new(Uuid::from_u128(1)),
            store_code: "s1".to_owned(),
            source: "s1".to_owned(),
            external_id: self.ids.to_string(),
            occurred_at: None,
            currency: self.programme.currency,
            lines: vec![line(amount)],
            tenders: Vec::<Tender>::new(),
            content: [0; 32],
        }
    }

    pub(crate) fn buy(&mut self, amount: i64) -> PurchaseOutcome {
        let receipt = self.receipt(amount);
        self.purchase(receipt).expect("the purchase is taken")
    }

    pub(crate) fn buy_late(&mut self, amount: i64, occurred_at: &str) -> PurchaseOutcome {
        let mut receipt = self.receipt(amount);
        receipt.occurred_at = Some(at(occurred_at));
        self.purchase(receipt).expect("the purchase is taken")
    }

    pub(crate) fn purchase(&mut self, receipt: Purchase) -> Result<PurchaseOutcome, Refusal> {
        match self.run(&Command::Purchase(receipt))? {
            Outcome::Purchase(outcome) => Ok(*outcome),
            other => panic!("not a purchase: {other:?}"),
        }
    }

    pub(crate) fn redeem(&mut self, what: Redeemed, otp_step: Option<i64>) -> Result<RedemptionOutcome, Refusal> {
        let redeem = Redeem { id: RedemptionId::new(self.id()), store: None, what, otp_step };
        match self.run(&Command::Redeem(redeem))? {
            Outcome::Redemption(outcome) => Ok(outcome),
            other => panic!("not a redemption: {other:?}"),
        }
    }

    pub(crate) fn spend(&mut self, value: i64) -> Result<RedemptionOutcome, Refusal> {
        self.redeem(Redeemed::MoneyOff(points(value)), None)
    }

    pub(crate) fn adjust(&mut self, value: i64) -> Result<Outcome, Refusal> {
        let id = AdjustmentId::new(self.id());
        self.run(&Command::Adjust(Adjust { id, points: points(value), reason: "opening_balance".to_owned() }))
    }

    pub(crate) fn settle(&mut self) -> &mut Self {
        self.run(&Command::Settle).expect("settling is never refused");
        self
    }

    pub(crate) fn grant_perks(&mut self) -> Vec<String> {
        match self.run(&Command::GrantPerks).expect("granting is never refused") {
            Outcome::Perks(codes) => codes,
            other => panic!("not perks: {other:?}"),
        }
    }

    pub(crate) fn entries(&self) -> Vec<&Entry> {
        self.effects
            .iter()
            .filter_map(|effect| if let Effect::Entry(entry) = effect { Some(entry) } else { None })
            .collect()
    }

    /// Every entry as `from>to points`.
    pub(crate) fn ledger(&self) -> Vec<String> {
        let word = Account::as_str;
        self.entries().iter().map(|e| format!("{}>{} {}", word(e.from), word(e.to), e.points)).collect()
    }

    /// Every lot movement as `lot:points`.
    pub(crate) fn bites(&self) -> Vec<String> {
        let bite = |effect: &Effect| match effect {
            Effect::MoveLot(movement) => Some(format!("{}:{}", movement.lot, movement.points)),
            _ => None,
        };
        self.effects.iter().filter_map(bite).collect()
    }

    /// Every tier change as `from>to at`.
    pub(crate) fn changes(&self) -> Vec<String> {
        let show = |c: &TierChange| format!("{}>{} {}", c.from, c.to, c.at.format("%Y-%m-%dT%H:%M"));
        self.state.members[&self.member].tier_changes.iter().map(show).collect()
    }
}
