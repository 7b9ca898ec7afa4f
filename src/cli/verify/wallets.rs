//! Wallets: every one is lived through again, entry by entry, and must end as it stands.

use tessera_rules::amount::Minor;
use tessera_rules::id::{MemberId, PurchaseId, StoreId};
use tessera_rules::lot::LotKey;
use tessera_rules::wallet::ledger::{WalletAccount, WalletEntry, WalletEntryKind};
use tessera_rules::wallet::purse::{Wallet, WalletLot, WalletMovement, WalletStep};
use tessera_rules::{Actor, Role};
use uuid::Uuid;

use super::books::Bad;
use crate::store::Error;
use crate::store::db::Connection;
use crate::store::rows::{WalletEntryRow, WalletLotRow, WalletRow};
use crate::store::verify::{WalletBooks, wallet_books, wallets_astray};

/// The first wallet that does not follow from its entries.
///
/// # Errors
/// Of the database.
pub(super) fn check(conn: &mut Connection) -> Result<Result<(), Bad>, Error> {
    let mut after = Uuid::nil();
    loop {
        let (books, next) = wallet_books(conn, after)?;
        for WalletBooks { wallet, entries, lots, movements } in &books {
            let relived = relive(entries, lots, movements).and_then(|relived| compare(wallet, &relived, lots));
            if let Err((table, number, what)) = relived {
                return Ok(Err(Bad::of_wallet(table, wallet.member_id, number, what)));
            }
        }
        match next {
            Some(last) => after = last,
            None => break,
        }
    }
    Ok(match wallets_astray(conn)? {
        Some((table, member, what)) => Err(Bad::of_wallet(&table, member, None, what)),
        None => Ok(()),
    })
}

/// What is wrong: the table, the number of the row, and the words.
type Wrong = (&'static str, Option<i64>, String);

fn relive(entries: &[WalletEntryRow], lots: &[WalletLotRow], movements: &[(i64, i64, i64)]) -> Result<Wallet, Wrong> {
    let mut wallet = Wallet::default();
    for (row, number) in entries.iter().zip(1..) {
        let bad = |what: &str| ("wallet_entry", Some(row.number), what.to_owned());
        if row.number != number {
            return Err(("wallet_entry", Some(number), "is missing".to_owned()));
        }
        let entry = entry(row).ok_or_else(|| bad("a word or a number of it is not known"))?;
        if entry.hash != entry.chained(&wallet.head) {
            return Err(bad("its hash does not follow from its fields and the entry before it"));
        }
        if !entry.kind.fits(entry.from, entry.to) {
            return Err(bad("its accounts do not fit its kind"));
        }
        let named = !matches!(entry.actor.role, Role::Import | Role::System);
        if named != entry.actor.id.is_some() || named && entry.actor.id == Some(row.member_id) {
            return Err(bad("it does not say who acted"));
        }
        let opened = lots.iter().find(|lot| lot.entry == row.number);
        let opens = opened.map(fresh).transpose()?;
        let own = movements.iter().filter(|(entry, ..)| *entry == row.number);
        let moves = own.map(|(_, lot, amount)| Ok(WalletMovement { lot: *lot, amount: money(*amount)? }));
        let moves: Vec<WalletMovement> = moves.collect::<Result<_, Wrong>>()?;
        let sum: i64 = moves.iter().map(|moved| moved.amount.get()).sum();
        let explained = match &opens {
            Some(lot) => moves.is_empty() && lot.amount == entry.amount && lot.account == entry.to,
            None => sum == if entry.to.is_own() { entry.amount.get() } else { -entry.amount.get() },
        };
        if !explained {
            return Err(bad("its lots do not explain it"));
        }
        wallet.apply(&WalletStep { entry, opens, moves }).map_err(|_| bad("a sum leaves its range"))?;
        let balance = wallet.balance;
        if [balance.paid, balance.bonus, balance.cashback].into_iter().any(|own| own < Minor::ZERO) {
            return Err(bad("a balance falls below zero"));
        }
    }
    Ok(wallet)
}

fn compare(stored: &WalletRow, relived: &Wallet, lots: &[WalletLotRow]) -> Result<(), Wrong> {
    let balance = relived.balance;
    let told = (stored.entries, stored.lots, stored.paid, stored.bonus, stored.cashback, stored.due_at);
    let right = (
        relived.entries,
        relived.lots_opened,
        balance.paid.get(),
        balance.bonus.get(),
        balance.cashback.get(),
        relived.due_at,
    );
    if told != right || stored.head != relived.head {
        return Err(("wallet", None, "it is not what its entries add up to".to_owned()));
    }
    for row in lots {
        let lot = relived.lots.get(&row.number);
        let told = (row.remaining, row.lapsed, row.refunded);
        if lot.map(|lot| (lot.remaining.get(), lot.lapsed.get(), lot.refunded.get())) != Some(told) {
            return Err(("wallet_lot", Some(row.number), "it is not what its movements add up to".to_owned()));
        }
    }
    Ok(())
}

fn money(amount: i64) -> Result<Minor, Wrong> {
    Minor::new(amount).map_err(|_| ("wallet_movement", None, "an amount cannot be".to_owned()))
}

/// A lot as it was when it opened.
fn fresh(row: &WalletLotRow) -> Result<WalletLot, Wrong> {
    let account = WalletAccount::parse(&row.account).filter(|account| account.is_own());
    Ok(WalletLot {
        number: row.number,
        account: account.ok_or(("wallet_lot", Some(row.number), "its account is not known".to_owned()))?,
        entry: row.entry,
        amount: money(row.amount)?,
        remaining: money(row.amount)?,
        lapsed: Minor::ZERO,
        refunded: Minor::ZERO,
        bonus: money(row.bonus)?,
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

fn entry(row: &WalletEntryRow) -> Option<WalletEntry> {
    Some(WalletEntry {
        member: MemberId::new(row.member_id),
        number: row.number,
        kind: WalletEntryKind::parse(&row.kind)?,
        from: WalletAccount::parse(&row.from_account)?,
        to: WalletAccount::parse(&row.to_account)?,
        amount: Minor::new(row.amount).ok()?,
        effective_at: row.effective_at,
        recorded_at: row.recorded_at,
        actor: Actor { role: Role::parse(&row.actor_role)?, id: row.actor_id },
        document: row.document_id,
        purchase: row.purchase_id.map(PurchaseId::new),
        store: row.store_id.map(StoreId::new),
        reason: row.reason.clone(),
        month: row.month,
        hash: row.hash.as_slice().try_into().ok()?,
    })
}
