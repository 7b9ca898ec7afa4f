//! The wallet: money paid in with a bonus, spent, given back, paid out, lapsed and handed over; cashback and
//! its caps; and that no order of all this makes a cent.

use proptest::prelude::*;
use tessera_rules::amount::Minor;
use tessera_rules::command::{Merge, PayWithPoints, ReturnLine, ReturnPart, ReturnedGoods};
use tessera_rules::decision::{Effect, PurchaseOutcome, ReturnOutcome};
use tessera_rules::expiry::Expiry;
use tessera_rules::id::{AdjustmentId, PurchaseId, RedemptionId, RefundId, StoreId, TopUpId};
use tessera_rules::programme::MoneyOff;
use tessera_rules::promise::{Enquiry, promise};
use tessera_rules::promotion::PromotionEffect;
use tessera_rules::quote::WalletWish;
use tessera_rules::time::Period;
use tessera_rules::wallet::ledger::{WalletAccount, WalletEntry, WalletEntryKind};
use tessera_rules::wallet::purse::Wallet;
use tessera_rules::wallet::{
    AdjustWallet, PayWithWallet, Refund, TopUp, TopUpStep, WalletBalance, WalletCommand, WalletDone, WalletTerms,
};
use tessera_rules::{Command, Outcome, Programme, Refusal};
use uuid::Uuid;

use crate::cases::cases;
use crate::links::{desk, id};
use crate::support::{Desk, after, at, line, points, programme, promotion, times};

fn minor(value: i64) -> Minor {
    Minor::new(value).expect("in range")
}

/// 充 100 送 100, 10 percent from 500; bonus lives 3 months, cashback 1.
fn terms() -> WalletTerms {
    let step = |from, bonus: Option<i64>, percent: Option<&str>| TopUpStep {
        from: minor(from),
        bonus: bonus.map(minor),
        percent: percent.map(times),
    };
    WalletTerms {
        minimum_top_up: minor(1_000),
        largest_balance: Some(minor(1_000_000)),
        top_up: vec![step(10_000, Some(10_000), None), step(50_000, None, Some("10"))],
        bonus_expiry: after(3, Period::Day),
        cashback_expiry: after(1, Period::Day),
    }
}

pub(crate) fn with_wallet() -> Programme {
    Programme { wallet: Some(terms()), ..programme() }
}

fn cashback(percent: &str, cap: Option<i64>, month: Option<i64>) -> PromotionEffect {
    PromotionEffect::Cashback { percent: times(percent), cap: cap.map(minor), cap_per_month: month.map(minor) }
}

impl Desk {
    fn purse(&self) -> Wallet {
        self.state.members[&self.member].wallet.as_deref().cloned().unwrap_or_default()
    }

    /// Paid, bonus, cashback.
    fn money(&self) -> (i64, i64, i64) {
        let member = &self.state.members[&self.member];
        let WalletBalance { paid, bonus, cashback } =
            member.wallet.as_ref().map_or_else(Default::default, |w| w.balance);
        (paid.get(), bonus.get(), cashback.get())
    }

    fn wallet(&mut self, command: WalletCommand) -> Result<WalletDone, Refusal> {
        match self.run(&Command::Wallet(command))? {
            Outcome::Wallet(outcome) => Ok(outcome.done),
            other => panic!("not a wallet's: {other:?}"),
        }
    }

    fn top_up(&mut self, amount: i64) -> Result<WalletDone, Refusal> {
        let (id, store) = (TopUpId::new(self.id()), StoreId::new(Uuid::from_u128(1)));
        let currency = self.programme.currency;
        self.wallet(WalletCommand::TopUp(TopUp { id, store, currency, amount: minor(amount) }))
    }

    /// What is paid out, forfeited and kept back.
    fn refund(&mut self, amount: Option<i64>) -> Result<(i64, i64, i64), Refusal> {
        let (id, store) = (RefundId::new(self.id()), StoreId::new(Uuid::from_u128(1)));
        match self.wallet(WalletCommand::Refund(Refund { id, store, amount: amount.map(minor) }))? {
            WalletDone::Refund { refunded, forfeited, kept_back, .. } => {
                Ok((refunded.get(), forfeited.get(), kept_back.get()))
            }
            other => panic!("not a refund: {other:?}"),
        }
    }

    fn adjust_wallet(&mut self, account: WalletAccount, amount: i64) -> Result<WalletDone, Refusal> {
        let id = AdjustmentId::new(self.id());
        let reason = "goodwill".to_owned();
        self.wallet(WalletCommand::Adjust(AdjustWallet { id, account, amount: minor(amount), reason }))
    }

    fn pay(&mut self, amounts: &[i64], pay: i64) -> Result<PurchaseOutcome, Refusal> {
        let mut receipt = self.receipt(0);
        receipt.lines = amounts.iter().map(|&amount| line(amount)).collect();
        receipt.wallet = (pay > 0).then_some(PayWithWallet { amount: minor(pay), otp_step: None });
        self.purchase(receipt)
    }

    fn return_line(&mut self, purchase: PurchaseId, line: u32, amount: i64) -> Result<ReturnOutcome, Refusal> {
        let part = ReturnPart::Amount(minor(amount));
        self.take_back(purchase, ReturnedGoods::Lines(vec![ReturnLine { line, part }]))
    }

    /// Every entry of wallets as `from>to amount`.
    fn books(&self) -> Vec<String> {
        let told =
            |entry: &WalletEntry| format!("{}>{} {}", entry.from.as_str(), entry.to.as_str(), entry.amount.get());
        self.wallet_entries().map(told).collect()
    }

    fn wallet_entries(&self) -> impl Iterator<Item = &WalletEntry> {
        self.effects.iter().filter_map(|effect| match effect {
            Effect::Wallet(step) => Some(&step.entry),
            _ => None,
        })
    }
}

#[test]
fn a_top_up_brings_the_highest_step_that_is_reached() {
    let mut desk = Desk::new(with_wallet());
    assert_eq!(desk.top_up(999), Err(Refusal::TopUpTooSmall(minor(1_000))));
    for (paid, bonus) in [(1_000, 0), (9_999, 0), (10_000, 10_000), (49_999, 10_000), (50_009, 5_000)] {
        let before = desk.money();
        let done = desk.top_up(paid).expect("paid in");
        assert!(matches!(done, WalletDone::TopUp { bonus: given, .. } if given == minor(bonus)), "{paid}: {done:?}");
        assert_eq!(desk.money(), (before.0 + paid, before.1 + bonus, 0));
    }
    assert_eq!(desk.top_up(900_000), Err(Refusal::WalletFull(minor(1_000_000))));
    desk.member().standing.frozen = true;
    assert_eq!(desk.top_up(1_000), Err(Refusal::MemberFrozen));
    desk.programme.wallet = None;
    desk.member().standing.frozen = false;
    assert_eq!(desk.top_up(1_000), Err(Refusal::WalletNotOffered));
    assert_eq!(desk.pay(&[500], 500).err(), Some(Refusal::WalletNotOffered));
    assert_eq!(desk.refund(Some(1_000)).expect("still paid out").0, 1_000);
}

#[test]
fn paid_money_is_spent_first_and_bonus_last() {
    let mut desk = Desk::new(with_wallet());
    desk.top_up(10_000).expect("paid in");
    desk.adjust_wallet(WalletAccount::Cashback, 500).expect("given");
    desk.pay(&[12_000], 6_000).expect("bought");
    assert_eq!(desk.money(), (4_000, 10_000, 500));
    let bought = desk.pay(&[12_000], 10_000).expect("bought");
    assert_eq!(desk.money(), (0, 4_500, 0));
    assert_eq!(bought.wallet.map(|wallet| wallet.paid), Some(minor(10_000)));
    assert_eq!(desk.pay(&[1_000], 1_001).err(), Some(Refusal::WalletPaysTooMuch(minor(1_000))));
    let short = Refusal::InsufficientMoney { available: minor(4_500), required: minor(4_501) };
    assert_eq!(desk.pay(&[5_000], 4_501).err(), Some(short));
    assert_eq!(desk.money(), (0, 4_500, 0), "nothing is taken where it does not suffice");
}

#[test]
fn bonus_is_spent_by_expiry_and_lapses() {
    let mut desk = Desk::new(with_wallet());
    desk.now = at("2025-01-10T08:00:00Z");
    desk.top_up(10_000).expect("paid in");
    desk.now = at("2025-02-10T08:00:00Z");
    desk.top_up(10_000).expect("paid in");
    desk.pay(&[25_000], 25_000).expect("bought");
    let left = |desk: &Desk| desk.purse().open_lots().map(|lot| (lot.number, lot.remaining.get())).collect::<Vec<_>>();
    assert_eq!(left(&desk), [(2, 5_000), (4, 10_000)], "the older bonus pays first");
    desk.now = at("2025-04-10T23:59:59Z");
    assert_eq!(desk.purse().balance_at(desk.now).expect("in range").bonus, minor(15_000));
    desk.now = at("2025-04-11T00:00:00Z");
    assert_eq!(desk.purse().balance_at(desk.now).expect("in range").bonus, minor(10_000));
    let short = Refusal::InsufficientMoney { available: minor(10_000), required: minor(10_001) };
    assert_eq!(desk.pay(&[20_000], 10_001).err(), Some(short), "job or no job");
    desk.wallet(WalletCommand::Settle).expect("settled");
    assert_eq!(desk.money(), (0, 10_000, 0));
    assert_eq!(desk.books().last().map(String::as_str), Some("bonus>expired 5000"));
    let lapsed = desk.wallet_entries().last().expect("an entry").effective_at;
    assert_eq!(lapsed, at("2025-04-11T00:00:00Z"));
}

#[test]
fn a_refund_takes_its_bonus_along() {
    let mut desk = Desk::new(with_wallet());
    desk.top_up(10_000).expect("paid in");
    desk.pay(&[6_000], 6_000).expect("bought");
    assert_eq!(desk.refund(Some(1_000)), Ok((1_000, 1_000, 0)));
    assert_eq!(desk.money(), (3_000, 9_000, 0));
    assert_eq!(desk.refund(None), Ok((3_000, 3_000, 0)));
    assert_eq!(desk.money(), (0, 6_000, 0), "the bonus of what was spent stays");
    assert_eq!(desk.refund(None), Err(Refusal::NothingToRefund));
    let short = Refusal::InsufficientMoney { available: minor(0), required: minor(1) };
    assert_eq!(desk.refund(Some(1)), Err(short));
}

#[test]
fn spent_bonus_is_kept_back_of_a_refund() {
    let mut desk = Desk::new(with_wallet());
    desk.top_up(10_000).expect("paid in");
    let first = desk.pay(&[10_000], 10_000).expect("bought").id;
    desk.pay(&[8_000], 8_000).expect("bought with bonus");
    desk.take_back(first, ReturnedGoods::All).expect("returned");
    assert_eq!(desk.money(), (10_000, 2_000, 0));
    assert_eq!(desk.refund(None), Ok((2_000, 2_000, 8_000)), "100 paid, 80 of goods had: 20 back");
    assert_eq!(desk.money(), (0, 0, 0));
    // A bonus that lapsed gave nobody anything.
    desk.top_up(10_000).expect("paid in");
    desk.now = at("2026-01-01T00:00:00Z");
    assert_eq!(desk.refund(None), Ok((10_000, 0, 0)));
}

#[test]
fn a_return_gives_back_in_reverse_and_to_lapsed_lots_with_grace() {
    let mut desk = Desk::new(with_wallet());
    desk.now = at("2025-01-10T08:00:00Z");
    desk.top_up(10_000).expect("paid in");
    let bought = desk.pay(&[15_000, 5_000], 15_000).expect("bought").id;
    assert_eq!(desk.money(), (0, 5_000, 0));
    let back = desk.return_line(bought, 2, 5_000).expect("returned").wallet.expect("the wallet's");
    assert_eq!((back.given_back, back.clawed, back.short), (minor(3_750), minor(0), minor(0)), "a quarter");
    assert_eq!(desk.money(), (0, 8_750, 0), "what was spent last comes back first");
    desk.now = at("2025-04-20T00:00:00Z");
    let back = desk.take_back(bought, ReturnedGoods::All).expect("returned").wallet.expect("the wallet's");
    assert_eq!(back.given_back, minor(11_250));
    assert_eq!(desk.money(), (10_000, 1_250, 0), "8,750 lapsed meanwhile, 1,250 live once more");
    let reopened = desk.purse().open_lots().find(|lot| lot.origin.is_some()).copied().expect("a lot");
    assert_eq!(reopened.expires_at, Some(at("2025-05-21T00:00:00Z")));
}

#[test]
fn points_and_wallet_pay_together() {
    let mut desk = Desk::new(Programme {
        redemption: Some(MoneyOff {
            rate: tessera_rules::amount::Rate { points: 1, per: 10 },
            minimum: points(1),
            step: points(1),
            largest_share: times("1"),
            hold_minutes: 15,
        }),
        ..with_wallet()
    });
    desk.programme.earning.excluded_tenders = vec!["wallet".to_owned(), "points".to_owned()];
    desk.top_up(10_000).expect("paid in");
    desk.adjust(100).expect("given");
    let mut receipt = desk.receipt(3_000);
    receipt.redeem = Some(PayWithPoints { id: RedemptionId::new(desk.id()), points: points(100), otp_step: Some(7) });
    receipt.wallet = Some(PayWithWallet { amount: minor(2_001), otp_step: Some(7) });
    assert_eq!(desk.purchase(receipt.clone()).err(), Some(Refusal::WalletPaysTooMuch(minor(2_000))));
    receipt.wallet = Some(PayWithWallet { amount: minor(1_500), otp_step: Some(7) });
    let bought = desk.purchase(receipt.clone()).expect("one code is the say-so for both");
    assert_eq!((bought.given, bought.explanation.basis), (points(5), minor(500)), "only cash earns");
    receipt.redeem = None;
    assert_eq!(desk.purchase(receipt).err(), Some(Refusal::CodeUsed));
}

#[test]
fn cashback_is_capped_by_purchase_and_by_month() {
    let mut desk = Desk::new(with_wallet());
    desk.now = at("2025-03-30T12:00:00Z");
    let mut back = promotion("back", 0, cashback("5", Some(2_000), Some(5_000)));
    back.limits.per_member = Some(100);
    desk.programme.promotions = vec![back];
    let given = |desk: &mut Desk, amount: i64| {
        let bought = desk.pay(&[amount], 0).expect("bought");
        let told = bought.explanation.promotions[0].cashback.clone().expect("told");
        assert_eq!(bought.wallet.map_or(0, |wallet| wallet.cashback.get()), told.given.get());
        assert_eq!(bought.explanation.promotions[0].counted.is_some(), told.given.is_positive());
        (told.given.get(), told.wanted.map(Minor::get), told.left.map(Minor::get))
    };
    assert_eq!(given(&mut desk, 1_999), (99, None, None), "rounded down once");
    assert_eq!(given(&mut desk, 100_000), (2_000, Some(5_000), None));
    assert_eq!(given(&mut desk, 40_000), (2_000, None, None));
    assert_eq!(given(&mut desk, 40_000), (901, Some(2_000), Some(901)));
    assert_eq!(given(&mut desk, 40_000), (0, Some(2_000), Some(0)));
    assert_eq!(desk.money(), (0, 0, 5_000));
    desk.now = at("2025-04-01T00:00:00Z");
    assert_eq!(given(&mut desk, 20_000), (1_000, None, None), "another month");
    let late = desk.buy_late(10_000, "2025-03-31T23:59:59Z");
    assert!(late.wallet.is_none(), "a late one counts in its own month: {:?}", late.wallet);
}

#[test]
fn cashback_earns_beside_points_and_in_its_group() {
    let mut desk = Desk::new(with_wallet());
    let grouped = |mut promotion: tessera_rules::promotion::Promotion| {
        promotion.exclusion_group = Some("spring".to_owned());
        promotion
    };
    desk.programme.promotions = vec![
        grouped(promotion("back", 0, cashback("1", None, None))),
        grouped(promotion("double", 1, PromotionEffect::Multiply { by: times("2") })),
        promotion("triple", 2, PromotionEffect::Multiply { by: times("3") }),
    ];
    let bought = desk.pay(&[10_000], 0).expect("bought");
    assert_eq!((bought.given, bought.wallet.expect("cashback").cashback), (points(300), minor(100)));
    let small = desk.pay(&[99], 0).expect("bought");
    assert!(small.wallet.is_none(), "what gives nothing makes room for the next of its group");
}

#[test]
fn cashback_goes_back_with_the_goods() {
    let mut desk = Desk::new(with_wallet());
    desk.programme.promotions = vec![promotion("back", 0, cashback("10", None, Some(1_000)))];
    let bought = desk.pay(&[5_000, 3_000], 0).expect("bought").id;
    assert_eq!(desk.money(), (0, 0, 800));
    let back = desk.return_line(bought, 1, 2_500).expect("returned").wallet.expect("the wallet's");
    assert_eq!((back.clawed, back.short), (minor(250), minor(0)));
    assert_eq!(desk.pay(&[9_000], 0).expect("bought").wallet.expect("money").cashback, minor(450), "room again");
    // Spent elsewhere: what is not there is told, and what was paid in is never touched.
    desk.programme.promotions.clear();
    desk.pay(&[900], 900).expect("bought");
    desk.adjust_wallet(WalletAccount::Paid, 5_000).expect("given");
    assert_eq!(desk.money(), (5_000, 0, 100));
    let back = desk.take_back(bought, ReturnedGoods::All).expect("returned").wallet.expect("the wallet's");
    assert_eq!((back.clawed, back.short), (minor(100), minor(450)));
    assert_eq!(desk.money(), (5_000, 0, 0));
}

#[test]
fn lapsed_cashback_is_gone_already() {
    let mut desk = Desk::new(with_wallet());
    desk.now = at("2025-03-10T12:00:00Z");
    desk.programme.promotions = vec![promotion("back", 0, cashback("10", None, None))];
    let bought = desk.pay(&[10_000], 0).expect("bought").id;
    desk.programme.promotions.clear();
    desk.pay(&[400], 400).expect("bought");
    desk.now = at("2025-05-01T00:00:00Z");
    desk.adjust_wallet(WalletAccount::Cashback, 5_000).expect("given");
    assert_eq!(desk.money(), (0, 0, 5_000), "600 lapsed");
    let back = desk.take_back(bought, ReturnedGoods::All).expect("returned").wallet.expect("the wallet's");
    assert_eq!((back.clawed, back.short), (minor(400), minor(0)), "what was spent of it");
}

#[test]
fn a_merged_member_brings_his_wallet_along_and_takes_it_home() {
    let mut desk = desk(Programme { returns: Default::default(), ..with_wallet() });
    desk.programme.promotions = vec![promotion("back", 0, cashback("10", None, None))];
    desk.top_up(10_000).expect("paid in");
    let bought = desk.pay(&[4_000], 2_000).expect("bought").id;
    desk.now = at("2025-01-02T00:00:00Z");
    desk.who(2).top_up(1_000).expect("paid in");
    desk.who(1).run(&Command::Merge(Merge { into: id(2) })).expect("merged");
    assert_eq!(desk.money(), (0, 0, 0));
    assert_eq!(desk.who(2).money(), (9_000, 10_000, 400));
    // What came with what stays together.
    assert_eq!(desk.refund(Some(1_000)), Ok((1_000, 0, 0)), "the newest first: his own");
    // A sale of before comes back to the one who stays.
    let back = desk.who(1).take_back(bought, ReturnedGoods::All).expect("returned").wallet.expect("the wallet's");
    assert_eq!((back.given_back, back.clawed, back.balance.paid), (minor(2_000), minor(400), minor(10_000)));
    assert_eq!(desk.who(2).money(), (10_000, 10_000, 0));
    assert_eq!(desk.top_up(1_000).map(drop), Ok(()));
    desk.who(1).run(&Command::Unmerge).expect("unmerged");
    assert_eq!(desk.money(), (10_000, 10_000, 0));
    assert_eq!(desk.who(2).money(), (1_000, 0, 0));
}

#[test]
fn what_is_promised_is_what_happens() {
    let mut desk = Desk::new(with_wallet());
    desk.programme.promotions = vec![promotion("back", 0, cashback("5", None, None))];
    desk.top_up(1_500).expect("paid in");
    let receipt = desk.receipt(4_000);
    for (wish, pays) in [(None, 0), (Some(WalletWish::Amount(minor(700))), 700), (Some(WalletWish::Most), 1_500)] {
        let enquiry = Enquiry { receipt: &receipt, own_coupons: false, points: None, wallet: wish, optimise: None };
        let promised = promise(&desk.programme, &desk.state, desk.member, &enquiry, &desk.context()).expect("promised");
        assert_eq!((promised.quote.wallet.most, promised.quote.wallet.pays), (minor(1_500), minor(pays)));
        let told = promised.promised().expect("in range").expect("for sale");
        assert_eq!((told.due, told.cashback), (minor(4_000 - pays), minor(200)));
        let Ok(Outcome::Purchase(bought)) = desk.decide(&Command::Purchase(promised.sale)).map(|done| done.outcome)
        else {
            panic!("not bought")
        };
        assert_eq!(bought.wallet.map(|wallet| (wallet.paid, wallet.cashback)), Some((minor(pays), minor(200))));
    }
}

#[test]
fn mistakes_in_the_terms_are_found() {
    let found = |change: &dyn Fn(&mut Programme)| {
        let mut document = with_wallet();
        change(&mut document);
        document
            .problems()
            .into_iter()
            .map(|problem| format!("{} {}", problem.pointer, problem.code))
            .collect::<Vec<_>>()
    };
    fn wallet(document: &mut Programme) -> &mut WalletTerms {
        document.wallet.as_mut().expect("a wallet")
    }
    assert_eq!(found(&|_| {}), [""; 0]);
    assert_eq!(found(&|d| wallet(d).top_up.swap(0, 1)), ["/wallet/top_up/1/from not_ascending"]);
    assert_eq!(
        found(&|d| wallet(d).top_up[0].percent = Some(times("1"))),
        ["/wallet/top_up/0 one_of_bonus_or_percent"]
    );
    assert_eq!(found(&|d| wallet(d).top_up[1].percent = Some(times("0"))), ["/wallet/top_up/1/percent out_of_range"]);
    let idle = Expiry::Inactivity { months: 3 };
    assert_eq!(found(&|d| wallet(d).bonus_expiry = idle.clone()), ["/wallet/bonus_expiry not_by_inactivity"]);
    let gives =
        |effect: PromotionEffect| move |d: &mut Programme| d.promotions = vec![promotion("back", 0, effect.clone())];
    assert_eq!(found(&gives(cashback("100", None, None))), [""; 0]);
    assert_eq!(found(&gives(cashback("100.01", None, None))), ["/promotions/0/effect/percent out_of_range"]);
    assert_eq!(found(&gives(cashback("1", Some(0), None))), ["/promotions/0/effect/cap too_small"]);
    let without = |d: &mut Programme| {
        d.wallet = None;
        d.promotions = vec![promotion("back", 0, cashback("1", None, None))];
    };
    assert_eq!(found(&without), ["/promotions/0/effect wallet_missing"]);
    let in_points = |d: &mut Programme| {
        d.promotions = vec![promotion("back", 0, cashback("1", None, None))];
        d.promotions[0].limits.budget_points = Some(points(1));
    };
    assert_eq!(found(&in_points), ["/promotions/0/limits/budget_points gives_no_points"]);
}

/// Something that happens to a wallet.
#[derive(Debug, Clone)]
enum Happening {
    TopUp(i64),
    Buy(Vec<i64>, i64),
    Return(usize, u32, i64),
    Refund(i64),
    Adjust(WalletAccount, i64),
    Wait(i64),
}

fn happening() -> impl Strategy<Value = Happening> {
    let account = proptest::sample::select(WalletAccount::OWN.to_vec());
    prop_oneof![
        prop_oneof![1_000_i64..60_000, Just(10_000)].prop_map(Happening::TopUp),
        (proptest::collection::vec(1_i64..9_000, 1..4), 0_i64..20_000)
            .prop_map(|(lines, pay)| Happening::Buy(lines, pay)),
        (0_usize..8, 1_u32..4, 1_i64..9_000).prop_map(|(sale, line, amount)| Happening::Return(sale, line, amount)),
        (1_i64..20_000).prop_map(Happening::Refund),
        (account, -3_000_i64..3_000).prop_map(|(account, amount)| Happening::Adjust(account, amount)),
        (1_i64..40).prop_map(Happening::Wait),
    ]
}

/// Every cent is somewhere, lots explain balances, nothing falls below zero, the chain holds.
fn all_there(desk: &Desk) {
    let wallet = desk.purse();
    let mut relived = Wallet::default();
    for effect in &desk.effects {
        if let Effect::Wallet(step) = effect {
            assert_eq!(step.entry.number, relived.entries + 1);
            assert_eq!(step.entry.hash, step.entry.chained(&relived.head));
            assert!(step.entry.kind.fits(step.entry.from, step.entry.to), "{:?}", step.entry);
            // Bonus pays only where nothing else is left.
            let WalletBalance { paid, cashback, .. } = relived.balance;
            let last = (step.entry.kind, step.entry.from) == (WalletEntryKind::Payment, WalletAccount::Bonus);
            assert!(!last || paid.is_zero() && cashback.is_zero(), "{:?}", step.entry);
            relived.apply(step).expect("in range");
        }
    }
    assert_eq!(relived, wallet);
    let mut sums = std::collections::BTreeMap::new();
    for lot in wallet.lots.values() {
        assert!(lot.remaining >= Minor::ZERO && lot.remaining <= lot.amount, "{lot:?}");
        assert!(lot.lapsed >= Minor::ZERO && lot.refunded >= Minor::ZERO, "{lot:?}");
        *sums.entry(lot.account).or_insert(0) += lot.remaining.get();
    }
    let sum = |account| sums.get(&account).copied().unwrap_or(0);
    let own = (sum(WalletAccount::Paid), sum(WalletAccount::Bonus), sum(WalletAccount::Cashback));
    assert_eq!(own, desk.money());
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn nothing_makes_a_cent(happenings in proptest::collection::vec(happening(), 1..40)) {
        let mut desk = desk(with_wallet());
        desk.programme.promotions = vec![promotion("back", 0, cashback("7.3", Some(900), Some(1_500)))];
        let (mut sales, mut drawer, mut goods) = (Vec::new(), 0_i64, 0_i64);
        let mut given = 0_i64;
        for happening in happenings {
            match happening {
                Happening::TopUp(amount) => if desk.top_up(amount).is_ok() { drawer += amount },
                Happening::Refund(amount) => if let Ok((out, ..)) = desk.refund(Some(amount)) { drawer -= out },
                Happening::Adjust(account, amount) => if desk.adjust_wallet(account, amount).is_ok() { given += amount },
                Happening::Wait(days) => desk.now += chrono::Duration::days(days),
                Happening::Buy(lines, pay) => if let Ok(bought) = desk.pay(&lines, pay) {
                    goods += pay;
                    sales.push((bought.id, lines, pay, 0_i64));
                },
                Happening::Return(sale, line, amount) => {
                    if let Some((id, ..)) = sales.get(sale).cloned()
                        && let Ok(outcome) = desk.return_line(id, line, amount)
                        && let Some(wallet) = outcome.wallet
                    {
                        goods -= wallet.given_back.get();
                        sales[sale].3 += wallet.given_back.get();
                        prop_assert!(sales[sale].3 <= sales[sale].2, "no more comes back than was paid");
                    }
                }
            }
            all_there(&desk);
        }
        // Whoever paid in, was given by hand or granted; whoever spent, was paid out, lost or let lapse.
        let (paid, bonus, cashback) = desk.money();
        let sum = |account: WalletAccount| desk.wallet_entries().map(|entry| {
            i64::from(entry.from == account) * entry.amount.get() - i64::from(entry.to == account) * entry.amount.get()
        }).sum::<i64>();
        let granted = sum(WalletAccount::Granted);
        let lost = -[WalletAccount::Expired, WalletAccount::Forfeited, WalletAccount::Returned].map(sum).iter().sum::<i64>();
        prop_assert_eq!(drawer + given + granted, paid + bonus + cashback + goods + lost);
        // Caps hold in every month.
        for month in desk.purse().cashback_given.values() {
            prop_assert!(*month <= minor(1_500));
        }
    }

    #[test]
    fn any_returns_in_parts_end_as_one(
        amounts in proptest::collection::vec(1_i64..9_000, 1..5), pay in 0_i64..15_000, order in any::<u64>(),
        percent in 1_i64..100,
    ) {
        let fresh = || {
            let mut desk = Desk::new(with_wallet());
            let effect = PromotionEffect::Cashback {
                percent: tessera_rules::amount::Multiplier::from_units(percent * 1_237), cap: Some(minor(800)), cap_per_month: None,
            };
            desk.programme.promotions = vec![promotion("back", 0, effect)];
            desk.top_up(10_000).expect("paid in");
            desk
        };
        let total: i64 = amounts.iter().sum();
        let (mut whole, mut parts) = (fresh(), fresh());
        let pay = pay.min(total);
        let (Ok(one), Ok(other)) = (whole.pay(&amounts, pay), parts.pay(&amounts, pay)) else { return Ok(()) };
        whole.take_back(one.id, ReturnedGoods::All).expect("returned");
        let mut lines: Vec<u32> = (1..=amounts.len() as u32).collect();
        lines.sort_by_key(|line| order.rotate_left(line * 7) % 97);
        for line in lines {
            let half = amounts[line as usize - 1] / 2;
            if half > 0 {
                parts.return_line(other.id, line, half).expect("returned");
            }
            parts.return_line(other.id, line, amounts[line as usize - 1] - half).expect("returned");
        }
        prop_assert_eq!(whole.money(), (10_000, 10_000, 0));
        prop_assert_eq!(parts.money(), whole.money());
    }
}
