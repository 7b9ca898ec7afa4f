//! What is done to a wallet at a desk: money paid in and out, spent, given for a purchase, put right, and what
//! lapses by the clock.

use uuid::Uuid;

use crate::amount::Minor;
use crate::command::{Actor, Purchase};
use crate::decision::{Effect, Outcome, StandingPatch};
use crate::draft::Draft;
use crate::explain::Explanation;
use crate::id::{PurchaseId, StoreId};
use crate::lot::LotKey;
use crate::refusal::Refusal;
use crate::time::{Day, Instant, month_of};
use crate::wallet::ledger::{WalletAccount, WalletEntry, WalletEntryKind};
use crate::wallet::purse::{Wallet, WalletLot, WalletMovement, WalletStep, take};
use crate::wallet::{
    AdjustWallet, PayWithWallet, Refund, TopUp, WalletBalance, WalletCommand, WalletDone, WalletInPurchase,
    WalletOutcome, WalletTerms, in_proportion,
};

/// What an entry says beside who, where and how much.
#[derive(Clone)]
pub(super) struct WalletNote {
    pub(super) kind: WalletEntryKind,
    pub(super) actor: Actor,
    pub(super) effective_at: Instant,
    pub(super) document: Option<Uuid>,
    pub(super) purchase: Option<PurchaseId>,
    pub(super) store: Option<StoreId>,
    pub(super) reason: Option<String>,
    pub(super) month: Option<Day>,
}

/// What the lot of a credit says beside how much.
#[derive(Clone, Copy, Default)]
pub(super) struct WalletLotLife {
    pub(super) opened_at: Instant,
    pub(super) expires_at: Option<Instant>,
    pub(super) bonus: Minor,
    pub(super) with: Option<i64>,
    pub(super) origin: Option<i64>,
    pub(super) parent: Option<LotKey>,
}

impl<'a> Draft<'a> {
    pub(crate) fn wallet_command(&mut self, command: &WalletCommand) -> Result<Outcome, Refusal> {
        if !matches!(command, WalletCommand::Settle) {
            self.refuse_merged()?;
        }
        self.settle()?;
        self.settle_wallet()?;
        let done = match command {
            WalletCommand::TopUp(top_up) => self.top_up(top_up)?,
            WalletCommand::Refund(refund) => self.refund(refund)?,
            WalletCommand::Adjust(adjust) => self.adjust_wallet(adjust)?,
            WalletCommand::Settle => WalletDone::Settled,
        };
        let (balance, currency) = (self.wallet_balance(), self.programme.currency);
        Ok(Outcome::Wallet(Box::new(WalletOutcome { done, balance, currency, recorded_at: self.at })))
    }

    pub(super) fn wallet(&self) -> Option<&Wallet> {
        self.member.wallet.as_deref()
    }

    pub(crate) fn wallet_balance(&self) -> WalletBalance {
        self.wallet().map_or(WalletBalance::default(), |wallet| wallet.balance)
    }

    fn wallet_terms(&self) -> Result<&'a WalletTerms, Refusal> {
        self.programme.wallet.as_ref().ok_or(Refusal::WalletNotOffered)
    }

    /// What the member could spend of his wallet now: nothing where the programme offers none.
    pub(crate) fn wallet_spendable(&self) -> Result<Minor, Refusal> {
        match (&self.programme.wallet, self.wallet()) {
            (Some(_), Some(wallet)) => Ok(wallet.balance_at(self.at)?.total()?),
            _ => Ok(Minor::ZERO),
        }
    }

    pub(super) fn wallet_note(&self, kind: WalletEntryKind) -> WalletNote {
        WalletNote {
            kind,
            actor: self.context.actor,
            effective_at: self.at,
            document: self.document,
            purchase: None,
            store: None,
            reason: None,
            month: None,
        }
    }

    fn wallet_entry(
        &mut self,
        note: WalletNote,
        (from, to): (WalletAccount, WalletAccount),
        amount: Minor,
        opens: Option<WalletLot>,
        moves: Vec<WalletMovement>,
    ) -> Result<(), Refusal> {
        let (entries, head) = self.wallet().map_or((0, [0; 32]), |wallet| (wallet.entries, wallet.head));
        let mut entry = WalletEntry {
            member: self.member.standing.member,
            number: entries + 1,
            kind: note.kind,
            from,
            to,
            amount,
            effective_at: note.effective_at,
            recorded_at: self.at,
            actor: note.actor,
            document: note.document,
            purchase: note.purchase,
            store: note.store,
            reason: note.reason,
            month: note.month,
            hash: [0; 32],
        };
        entry.hash = entry.chained(&head);
        let opens = opens.map(|lot| WalletLot { entry: entry.number, ..lot });
        self.record(Effect::Wallet(Box::new(WalletStep { entry, opens, moves })))
    }

    /// Credits one of the member's accounts and opens a lot; returns its number.
    pub(super) fn wallet_credit(
        &mut self,
        note: WalletNote,
        (from, to): (WalletAccount, WalletAccount),
        amount: Minor,
        life: WalletLotLife,
    ) -> Result<i64, Refusal> {
        let number = self.wallet().map_or(0, |wallet| wallet.lots_opened) + 1;
        let lot = WalletLot {
            number,
            account: to,
            entry: 0,
            amount,
            remaining: amount,
            lapsed: Minor::ZERO,
            refunded: Minor::ZERO,
            bonus: life.bonus,
            with: life.with,
            origin: life.origin,
            parent: life.parent,
            opened_at: life.opened_at,
            expires_at: life.expires_at,
        };
        self.wallet_entry(note, (from, to), amount, Some(lot), Vec::new())?;
        Ok(number)
    }

    /// Takes money out of lots (`remaining` of each), one entry for each account; returns how much.
    pub(super) fn wallet_debit(
        &mut self,
        note: &WalletNote,
        to: WalletAccount,
        taken: &[WalletLot],
    ) -> Result<Minor, Refusal> {
        let mut sum = Minor::ZERO;
        for from in WalletAccount::OWN {
            let of_account = || taken.iter().filter(|lot| lot.account == from);
            let amount = of_account().try_fold(Minor::ZERO, |sum, lot| sum.plus(lot.remaining))?;
            if amount.is_positive() {
                let take =
                    |lot: &WalletLot| Ok(WalletMovement { lot: lot.number, amount: Minor::ZERO.minus(lot.remaining)? });
                let moves = of_account().map(take).collect::<Result<_, Refusal>>()?;
                self.wallet_entry(note.clone(), (from, to), amount, None, moves)?;
                sum = sum.plus(amount)?;
            }
        }
        Ok(sum)
    }

    /// Gives money back to lots of one account (`remaining` of each) that still live.
    pub(super) fn wallet_refill(
        &mut self,
        note: &WalletNote,
        from: WalletAccount,
        lots: &[WalletLot],
    ) -> Result<(), Refusal> {
        for to in WalletAccount::OWN {
            let of_account = || lots.iter().filter(|lot| lot.account == to);
            let amount = of_account().try_fold(Minor::ZERO, |sum, lot| sum.plus(lot.remaining))?;
            if amount.is_positive() {
                let moves = of_account().map(|lot| WalletMovement { lot: lot.number, amount: lot.remaining }).collect();
                self.wallet_entry(note.clone(), (from, to), amount, None, moves)?;
            }
        }
        Ok(())
    }

    /// Applies what lapsed by now, each lot at its instant.
    pub(crate) fn settle_wallet(&mut self) -> Result<(), Refusal> {
        let at = self.at;
        let Some(wallet) = self.wallet().filter(|wallet| wallet.due_at.is_some_and(|due| due <= at)) else {
            return Ok(());
        };
        let mut lapsed: Vec<WalletLot> = wallet.open_lots().filter(|lot| lot.expired(at)).copied().collect();
        lapsed.sort_unstable_by_key(|lot| (lot.expires_at, lot.number));
        for lot in lapsed {
            let note = WalletNote {
                actor: Actor::SYSTEM,
                effective_at: lot.expires_at.unwrap_or(at),
                document: None,
                ..self.wallet_note(WalletEntryKind::Expiry)
            };
            self.wallet_debit(&note, WalletAccount::Expired, &[lot])?;
        }
        Ok(())
    }

    fn top_up(&mut self, top_up: &TopUp) -> Result<WalletDone, Refusal> {
        if self.member.standing.frozen {
            return Err(Refusal::MemberFrozen);
        }
        let terms = self.wallet_terms()?;
        if top_up.currency != self.programme.currency {
            return Err(Refusal::CurrencyMismatch { wanted: self.programme.currency, given: top_up.currency });
        }
        if top_up.amount < terms.minimum_top_up || !top_up.amount.is_positive() {
            return Err(Refusal::TopUpTooSmall(terms.minimum_top_up));
        }
        let bonus = terms.bonus(top_up.amount)?;
        let after = self.wallet_balance().total()?.plus(top_up.amount)?.plus(bonus)?;
        if let Some(largest) = terms.largest_balance.filter(|&largest| after > largest) {
            return Err(Refusal::WalletFull(largest));
        }
        let note = WalletNote { store: Some(top_up.store), ..self.wallet_note(WalletEntryKind::TopUp) };
        let life = WalletLotLife { opened_at: self.at, bonus, ..WalletLotLife::default() };
        let with = self.wallet_credit(note, (WalletAccount::Received, WalletAccount::Paid), top_up.amount, life)?;
        let expires_at = terms.bonus_expiry.expires_at(self.zone(), self.at);
        if bonus.is_positive() {
            let life = WalletLotLife { with: Some(with), expires_at, bonus: Minor::ZERO, ..life };
            let note = self.wallet_note(WalletEntryKind::Bonus);
            self.wallet_credit(note, (WalletAccount::Granted, WalletAccount::Bonus), bonus, life)?;
        }
        let bonus_expires_at = expires_at.filter(|_| bonus.is_positive());
        Ok(WalletDone::TopUp { id: top_up.id, paid: top_up.amount, bonus, bonus_expires_at })
    }

    /// Pays out of the paid lots, the newest first. The bonus that came with what is paid out goes with it; where
    /// it is spent, as much is kept back of the money; where it lapsed, nothing is owed for it.
    fn refund(&mut self, refund: &Refund) -> Result<WalletDone, Refusal> {
        let paid = self.wallet_balance().paid;
        let wanted = refund.amount.unwrap_or(paid);
        if wanted > paid {
            return Err(Refusal::InsufficientMoney { available: paid, required: wanted });
        }
        let own = self.wallet().into_iter().flat_map(Wallet::open_lots);
        let mut lots: Vec<WalletLot> = own.filter(|lot| lot.account == WalletAccount::Paid).copied().collect();
        lots.sort_unstable_by_key(|lot| std::cmp::Reverse((lot.opened_at, lot.number)));
        let (taken, _) = take(lots, wanted)?;
        let (mut refunded, mut forfeited, mut kept_back) = (Minor::ZERO, Minor::ZERO, Minor::ZERO);
        let note = WalletNote { store: Some(refund.store), ..self.wallet_note(WalletEntryKind::Refund) };
        for part in taken {
            let (gone, owed) = self.forfeit(&part)?;
            forfeited = forfeited.plus(gone)?;
            let kept = owed.min(part.remaining);
            kept_back = kept_back.plus(kept)?;
            let forfeit = WalletNote { kind: WalletEntryKind::Forfeit, store: None, ..note.clone() };
            self.wallet_debit(&forfeit, WalletAccount::Forfeited, &[WalletLot { remaining: kept, ..part }])?;
            let out = part.remaining.minus(kept)?;
            self.wallet_debit(&note, WalletAccount::Refunded, &[WalletLot { remaining: out, ..part }])?;
            refunded = refunded.plus(out)?;
        }
        if !refunded.is_positive() {
            return Err(Refusal::NothingToRefund);
        }
        Ok(WalletDone::Refund { id: refund.id, refunded, forfeited, kept_back })
    }

    /// Takes away the bonus that came with a part of a paid lot. Returns how much was there, and how much of it
    /// is spent.
    fn forfeit(&mut self, part: &WalletLot) -> Result<(Minor, Minor), Refusal> {
        let Some(wallet) = self.wallet() else { return Ok((Minor::ZERO, Minor::ZERO)) };
        let paid = wallet.lots.get(&part.number).copied().unwrap_or(*part);
        let up_to = |out: Minor| in_proportion(paid.bonus, out.get().into(), paid.amount.get().into());
        let due = up_to(paid.refunded.plus(part.remaining)?)?.minus(up_to(paid.refunded)?)?;
        // What was handed over piece by piece is of one lot still.
        let sibling = |lot: &WalletLot| lot.number == part.number || lot.parent.is_some() && lot.parent == part.parent;
        let with = |lot: &&WalletLot| lot.with.and_then(|with| wallet.lots.get(&with)).is_some_and(sibling);
        let came: Vec<WalletLot> = wallet.lots.values().filter(with).copied().collect();
        let sum = |of: fn(&WalletLot) -> Minor| came.iter().try_fold(Minor::ZERO, |sum, lot| sum.plus(of(lot)));
        let lapsed = sum(|lot| lot.lapsed)?.min(paid.bonus);
        let due = in_proportion(due, paid.bonus.minus(lapsed)?.get().into(), paid.bonus.get().into())?;
        let (taken, spent) = take(came, due)?;
        let note = self.wallet_note(WalletEntryKind::Forfeit);
        Ok((self.wallet_debit(&note, WalletAccount::Forfeited, &taken)?, spent))
    }

    fn adjust_wallet(&mut self, adjust: &AdjustWallet) -> Result<WalletDone, Refusal> {
        let terms = self.wallet_terms()?;
        let reasons = &self.programme.adjustments.reasons;
        if !reasons.is_empty() && !reasons.contains(&adjust.reason) {
            return Err(Refusal::ReasonUnknown(adjust.reason.clone()));
        }
        let (account, amount) = (adjust.account, adjust.amount);
        if amount.is_zero() || !account.is_own() {
            return Err(Refusal::NothingToAdjust);
        }
        let note = WalletNote { reason: Some(adjust.reason.clone()), ..self.wallet_note(WalletEntryKind::Adjustment) };
        if amount.is_positive() {
            let expires_at = terms.expiry(account).expires_at(self.zone(), self.at);
            let life = WalletLotLife { opened_at: self.at, expires_at, ..WalletLotLife::default() };
            self.wallet_credit(note, (WalletAccount::Adjusted, account), amount, life)?;
        } else {
            let taken = self.wallet_take(&[account], Minor::ZERO.minus(amount)?)?;
            self.wallet_debit(&note, WalletAccount::Adjusted, &taken)?;
        }
        Ok(WalletDone::Adjustment { id: adjust.id, account, amount })
    }

    /// Where an amount is taken from, in the order of spending.
    fn wallet_take(&self, accounts: &[WalletAccount], amount: Minor) -> Result<Vec<WalletLot>, Refusal> {
        let open = self.wallet().into_iter().flat_map(Wallet::open_lots);
        let there = open.filter(|lot| accounts.contains(&lot.account));
        let available = there.map(|lot| lot.remaining).try_fold(Minor::ZERO, Minor::plus)?;
        let taken = self.wallet().and_then(|wallet| wallet.consume(accounts, amount));
        taken.ok_or(Refusal::InsufficientMoney { available, required: amount })
    }

    /// Takes the money that pays for a part of a purchase of which so much is still open.
    pub(crate) fn pay_from_wallet(
        &mut self,
        pay: PayWithWallet,
        purchase: &Purchase,
        open: Minor,
    ) -> Result<(), Refusal> {
        self.wallet_terms()?;
        if pay.otp_step != purchase.redeem.and_then(|pay| pay.otp_step) {
            self.check_step(pay.otp_step)?;
        }
        if pay.amount > open.max(Minor::ZERO) {
            return Err(Refusal::WalletPaysTooMuch(open.max(Minor::ZERO)));
        }
        self.settle_wallet()?;
        let taken = self.wallet_take(&WalletAccount::OWN, pay.amount)?;
        let note = WalletNote {
            document: Some(purchase.id.uuid()),
            purchase: Some(purchase.id),
            ..self.wallet_note(WalletEntryKind::Payment)
        };
        self.wallet_debit(&note, WalletAccount::Spent, &taken)?;
        if pay.otp_step.is_some() {
            self.patch(StandingPatch { otp_step: pay.otp_step, ..StandingPatch::default() })?;
        }
        Ok(())
    }

    /// Gives the cashback of a purchase, promotion by promotion, and tells what the purchase did to the wallet;
    /// `None` where it did nothing.
    pub(crate) fn give_cashback(
        &mut self,
        purchase: &Purchase,
        occurred_at: Instant,
        why: &Explanation,
    ) -> Result<Option<WalletInPurchase>, Refusal> {
        let gifts = why.promotions.iter().filter_map(|told| Some((&told.code, told.cashback.as_ref()?.given)));
        let gifts: Vec<_> = gifts.filter(|(_, given)| given.is_positive()).collect();
        if gifts.is_empty() && purchase.wallet.is_none() {
            return Ok(None);
        }
        self.settle_wallet()?;
        let opened_at = occurred_at.min(self.at);
        let expiry = self.programme.wallet.as_ref().map(|terms| &terms.cashback_expiry);
        let expires_at = expiry.and_then(|expiry| expiry.expires_at(self.zone(), opened_at));
        let mut cashback = Minor::ZERO;
        for (code, given) in gifts {
            let note = WalletNote {
                effective_at: occurred_at,
                document: Some(purchase.id.uuid()),
                purchase: Some(purchase.id),
                reason: Some(code.clone()),
                month: Some(month_of(self.zone().day_of(occurred_at))),
                ..self.wallet_note(WalletEntryKind::Cashback)
            };
            let life = WalletLotLife { opened_at, expires_at, ..WalletLotLife::default() };
            self.wallet_credit(note, (WalletAccount::Granted, WalletAccount::Cashback), given, life)?;
            cashback = cashback.plus(given)?;
        }
        // A late purchase may bring what has lapsed by now.
        self.settle_wallet()?;
        let paid = purchase.wallet.map_or(Minor::ZERO, |pay| pay.amount);
        Ok(Some(WalletInPurchase { paid, cashback, balance: self.wallet_balance() }))
    }
}
