//! Histories of purchases, holds and returns: the invariants of PROGRAMME.md §9 after every step, and
//! what a return may and may not do.

use proptest::prelude::*;
use tessera_rules::Programme;
use tessera_rules::amount::{Multiplier, Quantity, Rate};
use tessera_rules::command::{PayWithPoints, Redeemed, ReturnLine, ReturnPart, ReturnedGoods};
use tessera_rules::decision::Effect;
use tessera_rules::expiry::Expiry;
use tessera_rules::id::{PurchaseId, RedemptionId};
use tessera_rules::ledger::{Account, GENESIS};
use tessera_rules::lot::LotMovement;
use tessera_rules::member::DayTotals;
use tessera_rules::programme::{MoneyOff, Shortfall, Tiers};
use tessera_rules::promotion::PromotionEffect;
use tessera_rules::redemption::RedemptionStatus;
use tessera_rules::tier::{Measure, Window};
use tessera_rules::time::Period;

use crate::support::{Desk, after, at, level, line, points, programme, promotion, times};

#[derive(Debug, Clone)]
pub(super) enum Act {
    /// (amount, thousandths of a piece) by line, and points that pay.
    Buy(Vec<(i64, i64)>, Option<i64>),
    Spend(i64),
    Hold(i64),
    /// Which redemption, and how many of its points.
    Capture(usize, Option<i64>),
    Void(usize),
    /// Which purchase and which goods.
    Return(usize, ReturnedGoods),
    Adjust(i64),
    /// Hours.
    Wait(i64),
}

pub(super) fn goods() -> impl Strategy<Value = ReturnedGoods> {
    let part = prop_oneof![
        1 => Just(ReturnPart::Rest),
        3 => (1_i64..3_000).prop_map(|units| ReturnPart::Quantity(Quantity::from_units(units))),
        2 => (-500_i64..8_000).prop_map(|value| ReturnPart::Amount(minor(value))),
    ];
    let line = (1_u32..4, part).prop_map(|(line, part)| ReturnLine { line, part });
    prop_oneof![1 => Just(ReturnedGoods::All), 4 => prop::collection::vec(line, 1..3).prop_map(ReturnedGoods::Lines)]
}

fn minor(value: i64) -> tessera_rules::amount::Minor {
    tessera_rules::amount::Minor::new(value).expect("in range")
}

fn lines() -> impl Strategy<Value = Vec<(i64, i64)>> {
    let amount = prop_oneof![5 => 0_i64..20_000, 1 => -2_000_i64..0, 1 => Just(0)];
    let pieces = prop_oneof![Just(1_000), Just(3_000), 1_i64..5_000];
    prop::collection::vec((amount, pieces), 1..4)
}

pub(super) fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => (lines(), prop::option::weighted(0.4, 1_i64..200)).prop_map(|(lines, pay)| Act::Buy(lines, pay)),
        2 => (1_i64..200).prop_map(Act::Spend),
        2 => (1_i64..150).prop_map(Act::Hold),
        1 => (0_usize..9, prop::option::of(1_i64..100)).prop_map(|(i, part)| Act::Capture(i, part)),
        1 => (0_usize..9).prop_map(Act::Void),
        4 => (0_usize..9, goods()).prop_map(|(i, goods)| Act::Return(i, goods)),
        1 => (-100_i64..200).prop_map(Act::Adjust),
        4 => prop_oneof![Just(0), 0_i64..48, 0_i64..1_500].prop_map(Act::Wait),
    ]
}

pub(super) fn document() -> impl Strategy<Value = Programme> {
    let dated = (1_u32..3, prop_oneof![Just(Period::Day), Just(Period::Month)]);
    let expiry = prop_oneof![
        1 => Just(Expiry::Never),
        4 => dated.prop_map(|(months, round)| after(months, round)),
        2 => (1_u32..3).prop_map(|months| Expiry::Inactivity { months }),
    ];
    let rate = prop_oneof![Just((1, 100)), Just((3, 70)), (1_u32..10, 1_u32..2_000)];
    let promos = (prop::option::of(1_i64..60), prop::option::of(10_000_i64..40_000));
    let caps = (prop::option::weighted(0.3, 1_i64..200), prop::option::weighted(0.2, 1_i64..200));
    let tiers = prop_oneof![Just(Window::Lifetime), Just(Window::CalendarYear), Just(Window::Rolling { days: 20 })];
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (expiry, rate, promos, caps, tiers, flags, prop_oneof![Just(0_u32), 1_u32..20], 0_u32..40).prop_map(
        |(expiry, rate, (add, multiply), (cap, day_cap), window, (carry, forgive, exclude), pending, grace)| {
            let mut document = programme();
            let earning = &mut document.earning;
            earning.rate = Rate { points: rate.0, per: rate.1 };
            (earning.carry_remainder, earning.pending_days) = (carry, pending);
            (earning.cap_per_purchase, earning.cap_per_day) = (cap.map(points), day_cap.map(points));
            if exclude {
                earning.excluded_tenders = vec!["points".to_owned()];
            }
            let add = add.map(|value| promotion("add", 0, PromotionEffect::Add { points: points(value) }));
            let by = |units| PromotionEffect::Multiply { by: Multiplier::from_units(units) };
            document.promotions = add.into_iter().chain(multiply.map(|units| promotion("by", 1, by(units)))).collect();
            document.expiry = expiry;
            let (rate, one, share) = (Rate { points: 1, per: 7 }, points(1), times("1"));
            let offer = MoneyOff { rate, minimum: one, step: one, largest_share: share, hold_minutes: 600 };
            document.redemption = Some(offer);
            document.returns.expired_return_grace_days = grace;
            document.returns.shortfall = if forgive { Shortfall::Forgive } else { Shortfall::Debt };
            let levels = vec![level("base", 0, "1"), level("gold", 150, "1.5")];
            document.tiers = Tiers { measure: Measure::Points, window, levels, ..Tiers::default() };
            document
        },
    )
}

/// A desk that remembers what was bought and redeemed on it.
pub(super) struct Shop {
    pub(super) desk: Desk,
    pub(super) sales: Vec<PurchaseId>,
    redemptions: Vec<RedemptionId>,
}

impl Shop {
    pub(super) fn open(document: Programme) -> Self {
        Self { desk: Desk::new(document), sales: Vec::new(), redemptions: Vec::new() }
    }

    /// What the member could turn into goods, less what is owed.
    pub(super) fn wealth(&self) -> i64 {
        let standing = self.desk.standing();
        standing.pending.get() + standing.available.get() + standing.held.get() - standing.debt.get()
    }

    /// Does one act; a refusal is as good as any other answer, and the acts that follow go on.
    pub(super) fn act(&mut self, act: &Act) {
        match act {
            Act::Buy(lines, pay) => self.buy(lines, *pay),
            Act::Spend(value) => {
                let spent = self.desk.spend(*value);
                self.redemptions.extend(spent.map(|outcome| outcome.id));
            }
            Act::Hold(value) => {
                let held = self.desk.hold(Redeemed::MoneyOff(points(*value)));
                self.redemptions.extend(held.map(|outcome| outcome.id));
            }
            Act::Capture(i, part) => {
                if let Some(&id) = pick(&self.redemptions, *i) {
                    drop(self.desk.capture(id, *part));
                }
            }
            Act::Void(i) => {
                if let Some(&id) = pick(&self.redemptions, *i) {
                    drop(self.desk.void(id));
                }
            }
            Act::Return(i, goods) => {
                if let Some(&id) = pick(&self.sales, *i) {
                    self.bring_back(id, goods);
                }
            }
            Act::Adjust(value) => drop(self.desk.adjust(*value)),
            Act::Wait(hours) => {
                self.desk.now += chrono::Duration::hours(*hours);
                self.desk.settle();
            }
        }
    }

    fn buy(&mut self, lines: &[(i64, i64)], pay: Option<i64>) {
        let mut receipt = self.desk.receipt(0);
        let sold = |&(amount, units): &(i64, i64)| tessera_rules::command::Line {
            quantity: Quantity::from_units(units),
            ..line(amount)
        };
        receipt.lines = lines.iter().map(sold).collect();
        let id = RedemptionId::new(self.desk.id());
        receipt.redeem = pay.map(|value| PayWithPoints { id, points: points(value), otp_step: None });
        self.sales.extend(self.desk.purchase(receipt).map(|outcome| outcome.id));
    }

    /// Apart from points given back, a return never makes the member richer (invariant of §4).
    fn bring_back(&mut self, id: PurchaseId, goods: &ReturnedGoods) {
        self.desk.settle();
        let before = self.wealth();
        if let Ok(outcome) = self.desk.take_back(id, goods.clone()) {
            assert!(self.wealth() - outcome.record.given_back.get() <= before, "{outcome:?}");
            assert!(outcome.record.given_back >= points(0) && outcome.record.clawed >= points(0));
            // Invariant 7.
            let member = &self.desk.state.members[&self.desk.member];
            let sold = &member.sales[&id];
            let own = member.lots.values().filter(|lot| sold.lots.contains(&lot.origin.unwrap_or(lot.number)));
            let lapsed: i64 = own.map(|lot| lot.lapsed.get()).sum();
            let record = outcome.record;
            // With carry each return may round up by a point that another sale has carried on: the
            // micropoints of a sale are exact, its whole points are the member's.
            let within = match sold.micropoints {
                Some(added) => record.micropoints == 0 || sold.micropoints_taken + lapsed * 1_000_000 <= added,
                None => record.clawed.is_zero() || sold.clawed.get() + lapsed <= sold.points.get(),
            };
            assert!(within, "{sold:?}, {lapsed} lapsed");
        }
    }

    /// Invariants 1 to 6 of §9, from the effects alone.
    pub(super) fn check(&self) {
        let member = &self.desk.state.members[&self.desk.member];
        let standing = &member.standing;
        let mut sums = std::collections::HashMap::<Account, i64>::new();
        let mut head = GENESIS;
        for (i, entry) in self.desk.entries().into_iter().enumerate() {
            assert_eq!((entry.number, entry.hash), (i as i64 + 1, entry.chained(&head)));
            head = entry.hash;
            assert!(entry.points.is_positive());
            *sums.entry(entry.from).or_default() -= entry.points.get();
            *sums.entry(entry.to).or_default() += entry.points.get();
        }
        let sum = |account: Account| sums.get(&account).copied().unwrap_or(0);
        let told = [standing.pending, standing.available, standing.held].map(tessera_rules::amount::Points::get);
        assert_eq!([Account::Pending, Account::Available, Account::Held].map(sum), told);
        assert_eq!(standing.debt.get(), -sum(Account::Debt));
        assert!(told.iter().all(|&balance| balance >= 0) && standing.debt >= points(0));
        assert!(standing.debt.is_zero() || standing.available.is_zero());
        assert_eq!(sums.values().sum::<i64>(), 0);

        let lots = || member.lots.values();
        let open = |pending: bool| lots().filter(|l| l.pending == pending).map(|l| l.remaining.get()).sum::<i64>();
        assert_eq!([open(true), open(false), lots().map(|lot| lot.held.get()).sum()], told);
        for lot in lots() {
            let moved = self.desk.effects.iter().filter_map(|effect| match effect {
                Effect::MoveLot(movement) if movement.lot == lot.number => Some(*movement),
                _ => None,
            });
            let [remaining, held, lapsed] =
                moved.fold([lot.points.get(), 0, 0], |[remaining, held, lapsed], m: LotMovement| {
                    [remaining + m.points.get(), held + m.held.get(), lapsed + m.lapsed.get()]
                });
            assert_eq!([lot.remaining, lot.held, lot.lapsed], [remaining, held, lapsed].map(points), "{lot:?}");
            assert!(remaining >= 0 && held >= 0 && remaining + held <= lot.points.get(), "{lot:?}");
            assert_eq!(lot.pending && remaining > 0, lot.available_from > standing.recorded_at && remaining > 0);
        }
        assert_eq!(standing.lots_due_at, lots().filter(|l| l.remaining.is_positive()).filter_map(|l| l.due_at()).min());

        let held = member.redemptions.values().filter(|redemption| redemption.status == RedemptionStatus::Held);
        let bitten = held.flat_map(|redemption| &redemption.bites).map(|bite| bite.points.get()).sum::<i64>();
        assert_eq!(bitten, standing.held.get(), "captured + voided + open = held");
        for sold in member.sales.values() {
            let paid = sold.redemption.map_or(0, |id| member.redemptions[&id].points.get());
            assert!(sold.given_back.get() <= paid);
        }
        assert!(standing.window.points >= 0 && (0..1_000_000).contains(&standing.carry));
        let days = member.days.values().fold(DayTotals::default(), |sum, day| sum.plus(*day).expect("in range"));
        assert_eq!(days.visits, standing.purchases);
    }
}

fn pick<T>(list: &[T], i: usize) -> Option<&T> {
    (!list.is_empty()).then(|| &list[i % list.len()])
}

/// A shop after some acts.
pub(super) fn shop(document: &Programme, acts: &[Act]) -> Shop {
    let mut shop = Shop::open(document.clone());
    shop.desk.now = at("2025-02-01T10:00:00Z");
    for act in acts {
        shop.act(act);
    }
    shop
}
