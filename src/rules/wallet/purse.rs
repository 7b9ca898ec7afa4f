//! What a wallet holds: lots of money with their own expiry, and how an entry changes them.

use std::collections::BTreeMap;

use crate::amount::{Minor, OutOfRange};
use crate::id::PurchaseId;
use crate::lot::LotKey;
use crate::time::{Day, Instant};
use crate::wallet::WalletBalance;
use crate::wallet::ledger::{WalletAccount, WalletEntry, WalletEntryKind};

/// The money of one credit. Amounts are in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalletLot {
    /// 1, 2, 3 … per member.
    pub number: i64,
    /// The member's account it stands in.
    pub account: WalletAccount,
    /// The entry that opened it.
    pub entry: i64,
    /// Money at the start; above 0.
    pub amount: Minor,
    /// Money left; 0 to `amount`.
    pub remaining: Minor,
    /// Money that lapsed unspent.
    pub lapsed: Minor,
    /// Of a paid lot: money that was paid out again, with what was kept back of it.
    pub refunded: Minor,
    /// Of a paid lot: the bonus that came on top of `amount`.
    pub bonus: Minor,
    /// Of a bonus: the number of the paid lot it came with.
    pub with: Option<i64>,
    /// The lot whose money this is, where it was given back after that lot had lapsed.
    pub origin: Option<i64>,
    /// The lot of another account of the same person that was handed over.
    pub parent: Option<LotKey>,
    /// When the money came in.
    pub opened_at: Instant,
    /// From when it can no longer be spent; absent: never.
    pub expires_at: Option<Instant>,
}

/// One change of a lot by one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalletMovement {
    /// The lot.
    pub lot: i64,
    /// What `remaining` changes by; negative for money taken from it.
    pub amount: Minor,
}

/// An entry with the lot it opens or those it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletStep {
    /// The entry.
    pub entry: WalletEntry,
    /// The lot that opens.
    pub opens: Option<WalletLot>,
    /// The lots that change.
    pub moves: Vec<WalletMovement>,
}

/// What the wallet paid of one purchase.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Payment {
    /// In all, in minor units.
    pub paid: Minor,
    /// What of it was not given back yet, by the lot it came from.
    pub lots: BTreeMap<i64, Minor>,
}

/// A wallet as loaded: its open lots always, every lot for a refund, a return and a merge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wallet {
    /// Number of the last entry.
    pub entries: i64,
    /// Hash of the last entry.
    pub head: [u8; 32],
    /// Number of the last lot.
    pub lots_opened: i64,
    /// What stands in it.
    pub balance: WalletBalance,
    /// When the first open lot lapses.
    pub due_at: Option<Instant>,
    /// Lots by number.
    pub lots: BTreeMap<i64, WalletLot>,
    /// What it paid of purchases; loaded for those whose goods come back.
    pub payments: BTreeMap<PurchaseId, Payment>,
    /// The lots that cashback of such purchases opened, by the promotion's code.
    pub gifts: BTreeMap<(PurchaseId, String), i64>,
    /// Cashback less what was taken back of it, by the first day of the local month and the promotion's code.
    pub cashback_given: BTreeMap<(Day, String), Minor>,
}

impl WalletLot {
    /// Whether the lot can no longer be spent.
    pub fn expired(&self, at: Instant) -> bool {
        self.expires_at.is_some_and(|expires| expires <= at)
    }

    /// Sorts lots into the order of spending: by account, then soonest-lapsing first, then oldest.
    pub fn order(&self) -> (usize, bool, Option<Instant>, Instant, i64) {
        let rank = WalletAccount::OWN.iter().position(|&own| own == self.account).unwrap_or(usize::MAX);
        (rank, self.expires_at.is_none(), self.expires_at, self.opened_at, self.number)
    }
}

impl WalletBalance {
    fn account(&mut self, account: WalletAccount) -> Option<&mut Minor> {
        match account {
            WalletAccount::Paid => Some(&mut self.paid),
            WalletAccount::Bonus => Some(&mut self.bonus),
            WalletAccount::Cashback => Some(&mut self.cashback),
            _ => None,
        }
    }
}

impl Wallet {
    /// Lots with something left.
    pub fn open_lots(&self) -> impl Iterator<Item = &WalletLot> {
        self.lots.values().filter(|lot| lot.remaining.is_positive())
    }

    /// Splits an amount over the open lots of these accounts in the order of spending; `None` where they do not
    /// hold so much.
    pub(crate) fn consume(&self, accounts: &[WalletAccount], amount: Minor) -> Option<Vec<WalletLot>> {
        let mut open: Vec<WalletLot> =
            self.open_lots().filter(|lot| accounts.contains(&lot.account)).copied().collect();
        open.sort_unstable_by_key(WalletLot::order);
        take(open, amount).ok().filter(|(_, missing)| missing.is_zero()).map(|(taken, _)| taken)
    }

    /// What stands in it at an instant, lapsed money left out whether or not that is on record.
    ///
    /// # Errors
    /// A sum leaves its range.
    pub fn balance_at(&self, at: Instant) -> Result<WalletBalance, OutOfRange> {
        let mut balance = self.balance;
        for lot in self.open_lots().filter(|lot| lot.expired(at)) {
            if let Some(account) = balance.account(lot.account) {
                *account = account.minus(lot.remaining)?;
            }
        }
        Ok(balance)
    }

    /// Cashback of a promotion that counts in a month.
    pub(crate) fn cashback_of(&self, month: Day) -> BTreeMap<String, Minor> {
        let of_month = self.cashback_given.iter().filter(|((day, _), _)| *day == month);
        of_month.map(|((_, promotion), given)| (promotion.clone(), *given)).collect()
    }

    /// Books a step.
    ///
    /// # Errors
    /// A sum leaves its range.
    pub fn apply(&mut self, step: &WalletStep) -> Result<(), OutOfRange> {
        let WalletStep { entry, opens, moves } = step;
        if let Some(from) = self.balance.account(entry.from) {
            *from = from.minus(entry.amount)?;
        }
        if let Some(to) = self.balance.account(entry.to) {
            *to = to.plus(entry.amount)?;
        }
        (self.entries, self.head) = (entry.number, entry.hash);
        if let Some(lot) = opens {
            self.lots_opened = lot.number;
            self.lots.insert(lot.number, *lot);
        }
        for movement in moves {
            self.change(entry, movement)?;
        }
        self.note(entry, opens.as_ref(), moves)?;
        self.due_at = self.open_lots().filter_map(|lot| lot.expires_at).min();
        Ok(())
    }

    fn change(&mut self, entry: &WalletEntry, movement: &WalletMovement) -> Result<(), OutOfRange> {
        let Some(lot) = self.lots.get_mut(&movement.lot) else { return Ok(()) };
        lot.remaining = lot.remaining.plus(movement.amount)?;
        match (entry.kind, entry.from) {
            (WalletEntryKind::Expiry, _) => lot.lapsed = lot.lapsed.minus(movement.amount)?,
            (WalletEntryKind::Refund, _) | (WalletEntryKind::Forfeit, WalletAccount::Paid) => {
                lot.refunded = lot.refunded.minus(movement.amount)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Notes what belongs to a purchase and to a month.
    fn note(
        &mut self,
        entry: &WalletEntry,
        opens: Option<&WalletLot>,
        moves: &[WalletMovement],
    ) -> Result<(), OutOfRange> {
        if let (Some(month), Some(promotion)) = (entry.month, &entry.reason) {
            let given = self.cashback_given.entry((month, promotion.clone())).or_default();
            *given = match entry.kind {
                WalletEntryKind::Return => given.minus(entry.amount)?,
                _ => given.plus(entry.amount)?,
            };
        }
        let Some(purchase) = entry.purchase else { return Ok(()) };
        match (entry.kind, opens, &entry.reason) {
            (WalletEntryKind::Cashback, Some(lot), Some(promotion)) => {
                self.gifts.insert((purchase, promotion.clone()), lot.number);
            }
            (WalletEntryKind::Payment | WalletEntryKind::GiveBack, _, _) => {
                let payment = self.payments.entry(purchase).or_default();
                if entry.kind == WalletEntryKind::Payment {
                    payment.paid = payment.paid.plus(entry.amount)?;
                }
                let origin = opens.and_then(|lot| Some((lot.origin?, lot.amount)));
                for (lot, back) in moves.iter().map(|moved| (moved.lot, moved.amount)).chain(origin) {
                    let taken = payment.lots.entry(lot).or_default();
                    *taken = taken.minus(back)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Takes an amount from lots, in their order: each as far as it is taken (`remaining` is what is taken of it), and
/// what is missing.
pub(crate) fn take(lots: Vec<WalletLot>, amount: Minor) -> Result<(Vec<WalletLot>, Minor), OutOfRange> {
    let mut missing = amount;
    let mut taken = Vec::new();
    for lot in lots {
        let part = lot.remaining.min(missing);
        if part.is_positive() {
            missing = missing.minus(part)?;
            taken.push(WalletLot { remaining: part, ..lot });
        }
    }
    Ok((taken, missing))
}
