//! Wallets between rows and the rules' types: column for field, nothing decided.

use std::collections::{BTreeMap, BTreeSet};

use tessera_rules::State;
use tessera_rules::amount::{Minor, OutOfRange};
use tessera_rules::id::{MemberId, PurchaseId, StoreId};
use tessera_rules::lot::LotKey;
use tessera_rules::wallet::WalletBalance;
use tessera_rules::wallet::ledger::{WalletAccount, WalletEntry};
use tessera_rules::wallet::purse::{Wallet, WalletLot, WalletStep};
use uuid::Uuid;

use super::Failure;
use super::convert::{broken, role};
use crate::store::rows::{WalletEntryRow, WalletLotRow, WalletMovementRow, WalletRow};
use crate::store::wallet::{Changes, Found};

fn minor(value: i64) -> Result<Minor, Failure> {
    Minor::new(value).map_err(|OutOfRange| broken("money"))
}

/// Puts the wallets that were found into the state of their members.
pub(super) fn learn(state: &mut State, found: Found) -> Result<(), Failure> {
    let mut wallets: BTreeMap<Uuid, Wallet> = found.asked.into_iter().map(|id| (id, Wallet::default())).collect();
    for row in found.wallets {
        let wallet = wallets.entry(row.member_id).or_default();
        wallet.entries = row.entries;
        wallet.head = row.head.try_into().map_err(|_| broken("hash"))?;
        wallet.lots_opened = row.lots;
        wallet.balance =
            WalletBalance { paid: minor(row.paid)?, bonus: minor(row.bonus)?, cashback: minor(row.cashback)? };
        wallet.due_at = row.due_at;
    }
    for row in found.lots {
        wallets.entry(row.member_id).or_default().lots.insert(row.number, lot(&row)?);
    }
    for (id, month, promotion, amount) in found.months {
        wallets.entry(id).or_default().cashback_given.insert((month, promotion), minor(amount)?);
    }
    for (id, purchase, amount) in found.paid {
        let payments = &mut wallets.entry(id).or_default().payments;
        payments.entry(PurchaseId::new(purchase)).or_default().paid = minor(amount)?;
    }
    for (id, purchase, lot, amount) in found.payments {
        let payments = &mut wallets.entry(id).or_default().payments;
        payments.entry(PurchaseId::new(purchase)).or_default().lots.insert(lot, minor(amount)?);
    }
    for (id, purchase, promotion, lot) in found.gifts {
        wallets.entry(id).or_default().gifts.insert((PurchaseId::new(purchase), promotion), lot);
    }
    for (id, wallet) in wallets {
        if let Some(member) = state.members.get_mut(&MemberId::new(id)) {
            member.wallet = Some(Box::new(wallet));
        }
    }
    Ok(())
}

fn lot(row: &WalletLotRow) -> Result<WalletLot, Failure> {
    Ok(WalletLot {
        number: row.number,
        account: WalletAccount::parse(&row.account).ok_or_else(|| broken("account"))?,
        entry: row.entry,
        amount: minor(row.amount)?,
        remaining: minor(row.remaining)?,
        lapsed: minor(row.lapsed)?,
        refunded: minor(row.refunded)?,
        bonus: minor(row.bonus)?,
        with: row.with_lot,
        origin: row.origin,
        parent: row
            .parent_member
            .zip(row.parent_lot)
            .map(|(member, lot)| LotKey { member: MemberId::new(member), lot }),
        opened_at: row.opened_at,
        expires_at: row.expires_at,
    })
}

fn lot_row(member_id: Uuid, lot: &WalletLot) -> WalletLotRow {
    WalletLotRow {
        member_id,
        number: lot.number,
        account: lot.account.as_str().to_owned(),
        entry: lot.entry,
        amount: lot.amount.get(),
        remaining: lot.remaining.get(),
        lapsed: lot.lapsed.get(),
        refunded: lot.refunded.get(),
        bonus: lot.bonus.get(),
        with_lot: lot.with,
        origin: lot.origin,
        parent_member: lot.parent.map(|parent| parent.member.uuid()),
        parent_lot: lot.parent.map(|parent| parent.lot),
        opened_at: lot.opened_at,
        expires_at: lot.expires_at,
    }
}

fn entry_row(entry: WalletEntry) -> WalletEntryRow {
    WalletEntryRow {
        member_id: entry.member.uuid(),
        number: entry.number,
        kind: entry.kind.as_str().to_owned(),
        from_account: entry.from.as_str().to_owned(),
        to_account: entry.to.as_str().to_owned(),
        amount: entry.amount.get(),
        effective_at: entry.effective_at,
        recorded_at: entry.recorded_at,
        actor_role: role(entry.actor.role),
        actor_id: entry.actor.id,
        document_id: entry.document,
        purchase_id: entry.purchase.map(PurchaseId::uuid),
        store_id: entry.store.map(StoreId::uuid),
        reason: entry.reason,
        month: entry.month,
        hash: entry.hash.to_vec(),
    }
}

/// What a batch changes of wallets, step by step.
#[derive(Default)]
pub(super) struct Gathered {
    changes: Changes,
    changed: BTreeSet<MemberId>,
    lots: BTreeSet<(MemberId, i64)>,
}

impl Gathered {
    /// Notes a step.
    pub(super) fn step(&mut self, step: WalletStep) {
        let member = step.entry.member;
        self.changed.insert(member);
        self.lots.extend(step.opens.iter().map(|lot| (member, lot.number)));
        for moved in &step.moves {
            self.lots.insert((member, moved.lot));
            self.changes.movements.push(WalletMovementRow {
                member_id: member.uuid(),
                entry: step.entry.number,
                lot: moved.lot,
                amount: moved.amount.get(),
            });
        }
        self.changes.entries.push(entry_row(step.entry));
    }

    /// What is to be written, as wallets and lots stand in the end.
    pub(super) fn finish(mut self, state: &State) -> Result<Changes, Failure> {
        let wallet = |member: &MemberId| {
            let wallet = state.members.get(member).and_then(|member| member.wallet.as_deref());
            wallet.ok_or_else(|| broken("wallet"))
        };
        for member in &self.changed {
            let wallet = wallet(member)?;
            self.changes.wallets.push(WalletRow {
                member_id: member.uuid(),
                entries: wallet.entries,
                head: wallet.head.to_vec(),
                lots: wallet.lots_opened,
                paid: wallet.balance.paid.get(),
                bonus: wallet.balance.bonus.get(),
                cashback: wallet.balance.cashback.get(),
                due_at: wallet.due_at,
            });
        }
        for (member, number) in &self.lots {
            let lot = wallet(member)?.lots.get(number).ok_or_else(|| broken("lot"))?;
            self.changes.lots.push(lot_row(member.uuid(), lot));
        }
        Ok(self.changes)
    }
}
