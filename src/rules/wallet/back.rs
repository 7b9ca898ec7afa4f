//! What follows for wallets from returns and from merging.

use std::collections::{BTreeMap, BTreeSet};

use crate::amount::Minor;
use crate::command::Return;
use crate::draft::Draft;
use crate::id::{MemberId, PurchaseId};
use crate::lot::LotKey;
use crate::refusal::Refusal;
use crate::remainder::Remainder;
use crate::returns::Sold;
use crate::time::{add_days, month_of};
use crate::wallet::desk::{WalletLotLife, WalletNote};
use crate::wallet::ledger::{WalletAccount, WalletEntryKind};
use crate::wallet::purse::{Wallet, WalletLot, take};
use crate::wallet::{WalletInReturn, in_proportion};

impl Draft<'_> {
    /// Gives back what the wallet had paid of the goods, and takes back their cashback. `None` where the purchase
    /// had nothing to do with the wallet.
    pub(crate) fn return_to_wallet(
        &mut self,
        goods: &Return,
        (was, left): (&Sold, &Sold),
        remainder: &Remainder,
    ) -> Result<Option<WalletInReturn>, Refusal> {
        let paid = self.wallet().is_some_and(|wallet| wallet.payments.contains_key(&goods.purchase));
        let due = cashback_due(was, left)?;
        if !paid && due.is_empty() {
            return Ok(None);
        }
        self.settle_wallet()?;
        let given_back = self.give_back_payment(goods, was, remainder)?;
        let (mut clawed, mut short) = (Minor::ZERO, Minor::ZERO);
        for (promotion, amount) in due {
            let (taken, missing) = self.claw_cashback(goods, was, &promotion, amount)?;
            (clawed, short) = (clawed.plus(taken)?, short.plus(missing)?);
        }
        self.hand_over_wallet()?;
        let balance = self.with_wallet_keeper(&mut |keeper| Ok(keeper.wallet_balance()))?;
        Ok(Some(WalletInReturn { given_back, clawed, short, balance }))
    }

    /// Whether the wallet paid for a part of a purchase.
    pub(crate) fn wallet_paid(&self, purchase: PurchaseId) -> bool {
        self.wallet().is_some_and(|wallet| wallet.payments.contains_key(&purchase))
    }

    /// In all the share of the sale that came back, to lots in reverse order of spending: points that paid are given
    /// back by the same share ([`crate::returns`]).
    fn give_back_payment(&mut self, goods: &Return, sold: &Sold, left: &Remainder) -> Result<Minor, Refusal> {
        let Some(payment) = self.wallet().and_then(|wallet| wallet.payments.get(&goods.purchase)) else {
            return Ok(Minor::ZERO);
        };
        let payment = payment.clone();
        let stays = payment.lots.values().copied().try_fold(Minor::ZERO, Minor::plus)?;
        let returned = left.returned.clamp(0, sold.total().max(0));
        let due = in_proportion(payment.paid, returned, sold.total())?;
        let now = due.minus(payment.paid.minus(stays)?)?.max(Minor::ZERO);
        let spent = |(number, amount): (&i64, &Minor)| {
            let lot = self.wallet()?.lots.get(number)?;
            Some(WalletLot { remaining: *amount, ..*lot })
        };
        let mut lots: Vec<WalletLot> = payment.lots.iter().filter_map(spent).collect();
        lots.sort_unstable_by_key(|lot| std::cmp::Reverse(lot.order()));
        let (back, missing) = take(lots, now)?;
        let (lapsed, alive): (Vec<_>, Vec<_>) = back.into_iter().partition(|lot| lot.expired(self.at));
        let note = WalletNote { purchase: Some(goods.purchase), ..self.wallet_note(WalletEntryKind::GiveBack) };
        self.wallet_refill(&note, WalletAccount::Spent, &alive)?;
        let grace = i64::from(self.programme.returns.expired_return_grace_days);
        let ends = self.zone().midnight(add_days(self.today(), grace + 1));
        for lot in lapsed {
            let life = WalletLotLife {
                opened_at: lot.opened_at,
                expires_at: Some(ends),
                with: lot.with,
                origin: Some(lot.number),
                ..WalletLotLife::default()
            };
            self.wallet_credit(note.clone(), (WalletAccount::Spent, lot.account), lot.remaining, life)?;
        }
        Ok(now.minus(missing)?)
    }

    /// Takes back cashback of one promotion: from the lot it opened, then from other cashback, then from bonus; money
    /// that was paid in is never touched. What lapsed unspent is gone already, in proportion. Returns what was
    /// taken and what was not there.
    fn claw_cashback(
        &mut self,
        goods: &Return,
        sold: &Sold,
        promotion: &str,
        amount: Minor,
    ) -> Result<(Minor, Minor), Refusal> {
        let me = self.member.standing.member;
        let gift = |wallet: &Wallet| wallet.gifts.get(&(goods.purchase, promotion.to_owned())).copied();
        let gift = self.wallet().and_then(|wallet| Some(wallet.lots[&gift(wallet)?]));
        let month = month_of(self.zone().day_of(sold.occurred_at));
        let own = gift
            .map(|gift| self.wallet().map_or_else(BTreeSet::new, |wallet| kin(wallet, &BTreeSet::from([gift.number]))));
        let own = own.unwrap_or_default();
        let here = self.wallet().map_or(Ok(Minor::ZERO), |wallet| lapsed(wallet, &own))?;
        self.with_wallet_keeper(&mut |keeper| {
            keeper.settle_wallet()?;
            let Some(wallet) = keeper.wallet() else { return Ok((Minor::ZERO, amount)) };
            let same = keeper.member.standing.member == me;
            let own = if same { own.clone() } else { handed_on(wallet, me, &own) };
            let gone = if same { here } else { here.plus(lapsed(wallet, &own)?)? };
            let due = gift.map_or(Ok(amount), |gift| {
                let spent = gift.amount.minus(gone)?.max(Minor::ZERO);
                in_proportion(amount, spent.get().into(), gift.amount.get().into())
            })?;
            let gifts = [WalletAccount::Cashback, WalletAccount::Bonus];
            let mut lots: Vec<WalletLot> =
                wallet.open_lots().filter(|lot| gifts.contains(&lot.account)).copied().collect();
            lots.sort_unstable_by_key(|lot| (!own.contains(&lot.number), lot.order()));
            let (taken, missing) = take(lots, due)?;
            let note = WalletNote {
                document: Some(goods.id.uuid()),
                purchase: Some(goods.purchase),
                reason: Some(promotion.to_owned()),
                month: Some(month),
                ..keeper.wallet_note(WalletEntryKind::Return)
            };
            Ok((keeper.wallet_debit(&note, WalletAccount::Returned, &taken)?, missing))
        })
    }

    /// Does something with the wallet that is the member's: of a member who was merged, that of the one who stays.
    /// A household shares no wallets.
    fn with_wallet_keeper<T>(
        &mut self,
        step: &mut dyn FnMut(&mut Draft<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let merged = self.is_merged();
        match self.root.as_mut().filter(|_| merged) {
            Some(root) => root.with_wallet_keeper(step),
            None => step(self),
        }
    }

    /// Hands the money of a member who was merged to the one who stays, lot by lot with its expiry.
    pub(crate) fn hand_over_wallet(&mut self) -> Result<(), Refusal> {
        if !self.is_merged() || self.wallet().is_none_or(|wallet| wallet.open_lots().next().is_none()) {
            return Ok(());
        }
        self.settle_wallet()?;
        let me = self.member.standing.member;
        let lots: Vec<WalletLot> = self.wallet().into_iter().flat_map(Wallet::open_lots).copied().collect();
        let note = WalletNote { reason: Some("merged".to_owned()), ..self.wallet_note(WalletEntryKind::Transfer) };
        self.wallet_debit(&note, WalletAccount::Transferred, &lots)?;
        self.with_wallet_keeper(&mut |keeper| {
            keeper.settle_wallet()?;
            let mut carried: Vec<(i64, i64)> = Vec::new();
            for lot in &lots {
                let came_with = |with: i64| {
                    let now = carried.iter().find(|(old, _)| *old == with).map(|(_, new)| *new);
                    let parent = Some(LotKey { member: me, lot: with });
                    let mut before = keeper.wallet().into_iter().flat_map(|wallet| wallet.lots.values());
                    now.or_else(|| before.find(|lot| lot.parent == parent).map(|lot| lot.number))
                };
                let life = WalletLotLife {
                    opened_at: lot.opened_at,
                    expires_at: lot.expires_at,
                    bonus: in_proportion(lot.bonus, lot.remaining.get().into(), lot.amount.get().into())?,
                    with: lot.with.and_then(came_with),
                    origin: None,
                    parent: Some(LotKey { member: me, lot: lot.number }),
                };
                let accounts = (WalletAccount::Transferred, lot.account);
                let number = keeper.wallet_credit(note.clone(), accounts, lot.remaining, life)?;
                carried.push((lot.number, number));
            }
            Ok(())
        })
    }

    /// Takes home what the other account has left of this one's money, when two were not one person after all.
    pub(crate) fn bring_wallet_home(&mut self) -> Result<(), Refusal> {
        self.settle_wallet()?;
        let me = self.member.standing.member;
        let note = WalletNote { reason: Some("merged".to_owned()), ..self.wallet_note(WalletEntryKind::Transfer) };
        let Some(root) = &mut self.root else { return Ok(()) };
        root.settle_wallet()?;
        let mine = |lot: &&WalletLot| lot.parent.is_some_and(|parent| parent.member == me);
        let lots: Vec<WalletLot> =
            root.wallet().into_iter().flat_map(Wallet::open_lots).filter(mine).copied().collect();
        root.wallet_debit(&note, WalletAccount::Transferred, &lots)?;
        let mut homes: BTreeMap<i64, WalletLot> = BTreeMap::new();
        for lot in &lots {
            let home = lot.parent.and_then(|parent| self.wallet()?.lots.get(&parent.lot));
            if let Some(home) = home.copied() {
                let comes = homes.entry(home.number).or_insert(WalletLot { remaining: Minor::ZERO, ..home });
                comes.remaining = comes.remaining.plus(lot.remaining)?;
            }
        }
        self.wallet_refill(&note, WalletAccount::Transferred, &homes.into_values().collect::<Vec<_>>())
    }
}

/// What of cashback is to be taken back: what each promotion gave for what remained before, less what it gives for
/// what remains now.
fn cashback_due(was: &Sold, left: &Sold) -> Result<Vec<(String, Minor)>, Refusal> {
    let (was, left) = (was.cashback_left()?, left.cashback_left()?);
    let due = was.into_iter().zip(left).map(|((code, was), (_, left))| Ok((code, was.minus(left)?)));
    let due: Vec<(String, Minor)> = due.collect::<Result<_, Refusal>>()?;
    Ok(due.into_iter().filter(|(_, due)| due.is_positive()).collect())
}

/// Lots and those that were opened when money of them was given back after they had lapsed.
fn kin(wallet: &Wallet, of: &BTreeSet<i64>) -> BTreeSet<i64> {
    let mut all = of.clone();
    for lot in wallet.lots.values() {
        if lot.origin.is_some_and(|origin| all.contains(&origin)) {
            all.insert(lot.number);
        }
    }
    all
}

/// The lots that hold money of another account's lots.
fn handed_on(wallet: &Wallet, member: MemberId, lots: &BTreeSet<i64>) -> BTreeSet<i64> {
    let is_child = |lot: &&WalletLot| lot.parent.is_some_and(|key| key.member == member && lots.contains(&key.lot));
    kin(wallet, &wallet.lots.values().filter(is_child).map(|lot| lot.number).collect())
}

fn lapsed(wallet: &Wallet, lots: &BTreeSet<i64>) -> Result<Minor, Refusal> {
    let of = wallet.lots.values().filter(|lot| lots.contains(&lot.number));
    Ok(of.map(|lot| lot.lapsed).try_fold(Minor::ZERO, Minor::plus)?)
}
