//! What every test needs: a plain programme to change, and a desk where commands are decided and
//! applied one after the other.

use std::collections::{BTreeMap, BTreeSet};

use tessera_rules::amount::{Minor, Money, Multiplier, Points, Quantity, Rate};
use tessera_rules::command::{
    Adjust, Capture, Line, Purchase, Redeem, RedeemMode, Redeemed, Return, ReturnedGoods, Tender,
};
use tessera_rules::decision::{Effect, PurchaseOutcome, RedemptionOutcome, ReturnOutcome};
use tessera_rules::expiry::{Activity, Expiry};
use tessera_rules::id::{AdjustmentId, MemberId, PurchaseId, RedemptionId, ReturnId, StoreId};
use tessera_rules::ledger::{Account, Entry};
use tessera_rules::life::PromotionState;
use tessera_rules::lot::{Lot, LotKey};
use tessera_rules::notice::Notices;
use tessera_rules::programme::{Earning, Returns, Tiers};
use tessera_rules::promise::{Enquiry, Optimise, Promise, promise};
use tessera_rules::promotion::{Combine, Promotion, PromotionEffect, Schedule};
use tessera_rules::quote::PointsWish;
use tessera_rules::redemption::{Redemption, RedemptionStatus};
use tessera_rules::returns::Sold;
use tessera_rules::tier::{LotsOnChange, TierChange, TierLevel};
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
            pending_days: 0,
            excluded_categories: Vec::new(),
            excluded_skus: Vec::new(),
            excluded_tenders: Vec::new(),
            cap_per_purchase: None,
            cap_per_day: None,
            rules: Vec::new(),
        },
        expiry: Expiry::Never,
        activities: vec![Activity::Earning, Activity::Redeeming],
        adjustments: Default::default(),
        returns: Returns::default(),
        redemption: None,
        transfers: None,
        wallet: None,
        pools: None,
        referral: None,
        tiers: Tiers::default(),
        notices: Notices::default(),
        promotions: Vec::new(),
        rewards: Vec::new(),
        perks: Vec::new(),
        events: Vec::new(),
        coupons: Vec::new(),
        prices: Default::default(),
        segments: Vec::new(),
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
        state: PromotionState::Live,
        trigger: Default::default(),
        schedule: Schedule::default(),
        effect,
        cap_per_purchase: None,
        limits: Default::default(),
        exclusion_group: None,
        expiry: None,
        priority,
        stores: Vec::new(),
        tiers: Vec::new(),
        categories: Vec::new(),
        skus: Vec::new(),
        minimum_spend: None,
        first_purchase: false,
        segments: Vec::new(),
        tags: Vec::new(),
        channels: Vec::new(),
        nth_purchase: None,
        unlisted: false,
        condition: None,
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
    pub(crate) actor: Actor,
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
        Self { programme, state, member, now, actor: Actor::SYSTEM, effects: Vec::new(), ids: 0 }
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
        Context { now: self.now, actor: self.actor, programme_version: 1, historic: false, seed: None }
    }

    pub(crate) fn decide(&self, command: &Command) -> Result<Decision, Refusal> {
        tessera_rules::decide(&self.programme, &self.state, self.member, command, &self.context())
    }

    /// Decides on the whole state and on one that holds no more redemptions, sales and lots than the
    /// command needs: both must come to the same.
    pub(crate) fn run(&mut self, command: &Command) -> Result<Outcome, Refusal> {
        let mut loaded = self.loaded(command);
        let decided = self.decide(command);
        let context = self.context();
        assert_eq!(tessera_rules::decide(&self.programme, &loaded, self.member, command, &context), decided);
        let decision = decided?;
        self.state.enact(self.member, &decision).expect("what was decided can be applied");
        loaded.enact(self.member, &decision).expect("what was decided can be applied");
        assert_eq!(loaded.members[&self.member].standing, *self.standing());
        self.effects.extend(decision.effects);
        Ok(decision.outcome)
    }

    fn loaded(&self, command: &Command) -> State {
        let mut state = self.state.clone();
        let kept_elsewhere: BTreeSet<LotKey> =
            state.members.values().flat_map(|member| member.lots.values()).filter_map(|lot| lot.parent).collect();
        let member = state.members.get_mut(&self.member).expect("the member");
        let now = self.now.max(member.standing.recorded_at);
        let mut named = Vec::new();
        // What grants were redeemed for is loaded with them.
        let granted = |redemption: &Redemption| redemption.grant.is_some() && matches!(command, Command::Redeem(_));
        let mut sale = None;
        let mut holds = member.standing.holds_due_at.is_some_and(|due| due <= now);
        match command {
            Command::Capture(capture) => named.push(capture.redemption),
            Command::Void(redemption) => named.push(*redemption),
            Command::Fulfil(fulfil) => named.push(fulfil.redemption),
            Command::Return(goods) => sale = Some(goods.purchase),
            Command::Move(moving) => sale = Some(moving.purchase),
            Command::Redeem(redeem) => holds |= redeem.mode == RedeemMode::Hold,
            _ => {}
        }
        holds |= !named.is_empty();
        member.sales.retain(|id, _| Some(*id) == sale || matches!(command, Command::ReRate(_)));
        named.extend(member.sales.values().filter_map(|sold| sold.redemption));
        let held = |redemption: &Redemption| holds && redemption.status == RedemptionStatus::Held;
        // What a limit for each member counts is loaded with the reward.
        let asked = match command {
            Command::Redeem(Redeem { what: Redeemed::Reward(code), .. }) => self.programme.reward(code),
            _ => None,
        };
        let limited = asked.filter(|reward| reward.per_member.is_some()).map(|reward| &reward.code);
        let counted = |made: &Redemption| limited.is_some() && made.reward.as_ref() == limited;
        member.redemptions.retain(|id, made| named.contains(id) || held(made) || granted(made) || counted(made));
        let plain = matches!(command, Command::Purchase(purchase) if purchase.redeem.is_none());
        let due = member.standing.due_at().is_some_and(|due| due <= now);
        let own = |lot: &Lot| member.sales.values().any(|sold| sold.lots.contains(&lot.origin.unwrap_or(lot.number)));
        let bitten = |lot: &Lot| member.redemptions.values().flat_map(|r| &r.bites).any(|bite| bite.lot == lot.number);
        if plain && !due && self.programme.tiers.lots_on_change == LotsOnChange::Keep {
            member.lots.clear();
        } else {
            // A lot whose points another keeps is loaded with the other's.
            let parent = |lot: &Lot| kept_elsewhere.contains(&LotKey { member: self.member, lot: lot.number });
            let kept = |lot: &Lot| lot.remaining.is_positive() || own(lot) || bitten(lot) || parent(lot);
            member.lots = member.lots.iter().filter(|(_, lot)| kept(lot)).map(|(n, lot)| (*n, *lot)).collect();
        }
        state
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
            redeem: None,
            channel: None,
            wallet: None,
            pricing: None,
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
        let first = self.effects.len();
        let outcome = match self.run(&Command::Purchase(receipt))? {
            Outcome::Purchase(outcome) => *outcome,
            other => panic!("not a purchase: {other:?}"),
        };
        let record = self.effects[first..].iter().find_map(|effect| match effect {
            Effect::Purchase(record) => Some(record.clone()),
            _ => None,
        });
        let lots = outcome.lots.iter().map(|lot| lot.number).collect();
        let sold = Sold::new(
            &record.expect("a purchase is on record"),
            outcome.recorded_at,
            outcome.explanation.clone(),
            lots,
        );
        self.member().sales.insert(outcome.id, sold);
        Ok(outcome)
    }

    /// What a receipt at list prices is promised.
    pub(crate) fn promise(&self, receipt: &Purchase, points: Option<PointsWish>) -> Result<Promise, Refusal> {
        self.promise_of(receipt, points, None)
    }

    /// The same, where something is looked for.
    pub(crate) fn promise_of(
        &self,
        receipt: &Purchase,
        points: Option<PointsWish>,
        optimise: Option<Optimise>,
    ) -> Result<Promise, Refusal> {
        let enquiry = Enquiry { receipt, own_coupons: false, points, wallet: None, optimise };
        promise(&self.programme, &self.state, self.member, &enquiry, &self.context())
    }

    /// Goods of a purchase come back.
    pub(crate) fn take_back(&mut self, purchase: PurchaseId, goods: ReturnedGoods) -> Result<ReturnOutcome, Refusal> {
        self.take_back_at(purchase, goods, false)
    }

    /// As [`Desk::take_back`], at another store than the one that sold them where `elsewhere`.
    pub(crate) fn take_back_at(
        &mut self,
        purchase: PurchaseId,
        goods: ReturnedGoods,
        elsewhere: bool,
    ) -> Result<ReturnOutcome, Refusal> {
        let content = Return::content_of(purchase, &goods);
        let goods = Return {
            id: ReturnId::new(self.id()),
            purchase,
            elsewhere,
            source: "s1".to_owned(),
            external_id: self.ids.to_string(),
            goods,
            reason: "unwanted".to_owned(),
            content,
        };
        match self.run(&Command::Return(goods))? {
            Outcome::Return(outcome) => Ok(*outcome),
            other => panic!("not a return: {other:?}"),
        }
    }

    pub(crate) fn redeem(&mut self, what: Redeemed, otp_step: Option<i64>) -> Result<RedemptionOutcome, Refusal> {
        let id = RedemptionId::new(self.id());
        self.redemption(&Command::Redeem(Redeem { id, store: None, what, mode: RedeemMode::Capture, otp_step }))
    }

    fn redemption(&mut self, command: &Command) -> Result<RedemptionOutcome, Refusal> {
        match self.run(command)? {
            Outcome::Redemption(outcome) => Ok(outcome),
            other => panic!("not a redemption: {other:?}"),
        }
    }

    pub(crate) fn hold(&mut self, what: Redeemed) -> Result<RedemptionOutcome, Refusal> {
        let id = RedemptionId::new(self.id());
        self.redemption(&Command::Redeem(Redeem { id, store: None, what, mode: RedeemMode::Hold, otp_step: None }))
    }

    pub(crate) fn capture(&mut self, id: RedemptionId, value: Option<i64>) -> Result<RedemptionOutcome, Refusal> {
        self.redemption(&Command::Capture(Capture { redemption: id, points: value.map(points) }))
    }

    pub(crate) fn void(&mut self, id: RedemptionId) -> Result<RedemptionOutcome, Refusal> {
        self.redemption(&Command::Void(id))
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
