//! Entries: numbers without a gap, the hash chain, who acted, and the balances they add up to.

use tessera_rules::amount::Points;
use tessera_rules::ledger::{Account, Entry, EntryKind, GENESIS};
use tessera_rules::{Actor, Role};

use super::anchor::Mark;
use super::books::{Bad, Books, Member, Sums};
use crate::store::ledger::EntryView;

/// Checks the entries of a member, against an earlier head where there is one; returns them with their
/// balances.
pub(super) fn check(member: &Member<'_>, books: &Books, mark: Option<&Mark>) -> Result<(Vec<Entry>, Sums), Bad> {
    let standing = member.standing;
    let (mut entries, mut sums) = (Vec::with_capacity(member.entries.len()), Sums::default());
    let (mut head, mut latest) = (GENESIS, None);
    for (row, number) in member.entries.iter().map(|(_, row)| row).zip(1..) {
        let bad = |what: &str| member.bad("entry", format_args!("number {}", row.number), what);
        if row.number != number {
            return Err(member.bad("entry", format_args!("number {number}"), "is missing"));
        }
        let entry = entry_of(member, row).map_err(&bad)?;
        if entry.chained(&head) != row.hash[..] {
            return Err(bad("its hash does not follow from its fields and the entry before it"));
        }
        head = entry.hash;
        actor(member, &entry).map_err(&bad)?;
        accounts(&entry).map_err(&bad)?;
        if latest.is_some_and(|latest| entry.recorded_at < latest) || entry.recorded_at > standing.recorded_at {
            return Err(bad("its time of recording is not in order"));
        }
        latest = Some(entry.recorded_at);
        if entry.reverses.is_some_and(|reversed| !(1..number).contains(&reversed)) {
            return Err(bad("it reverses an entry that is not before it"));
        }
        sums.book(&entry);
        if [Account::Pending, Account::Available, Account::Held, Account::Debt].iter().any(|&own| sums.of(own) < 0) {
            return Err(bad("a balance falls below zero"));
        }
        entries.push(entry);
    }
    member.same("entries", standing.entries, entries.len() as i64)?;
    if standing.head != head {
        return Err(member.wrong("head is not the hash of the last entry"));
    }
    if let Some(mark) = mark {
        anchored(member, &entries, mark)?;
    }
    balances(member, &entries, &sums, books.merged(member).map(|merged| i128::from(merged.lifetime_earned)).sum())?;
    Ok((entries, sums))
}

/// Whether the chain still goes through what was its head when the anchor was written.
fn anchored(member: &Member<'_>, entries: &[Entry], mark: &Mark) -> Result<(), Bad> {
    let Some(last) = mark.entries.checked_sub(1) else { return Ok(()) };
    let number = format_args!("number {}", mark.entries);
    match usize::try_from(last).ok().and_then(|last| entries.get(last)) {
        Some(entry) if entry.hash == mark.head => Ok(()),
        Some(_) => Err(member.bad("entry", number, "its hash is not the one in the anchor: the chain was rewritten")),
        None => Err(member.bad("entry", number, "is missing, but the anchor has it")),
    }
}

fn balances(member: &Member<'_>, entries: &[Entry], sums: &Sums, elsewhere: i128) -> Result<(), Bad> {
    let standing = member.standing;
    member.same("pending", i128::from(standing.pending), sums.of(Account::Pending))?;
    member.same("available", i128::from(standing.available), sums.of(Account::Available))?;
    member.same("held", i128::from(standing.held), sums.of(Account::Held))?;
    member.same("debt", i128::from(standing.debt), sums.of(Account::Debt))?;
    if standing.debt > 0 && standing.available > 0 {
        return Err(member.wrong("debt stands beside available points"));
    }
    if sums.missing() != 0 {
        return Err(member.wrong("the accounts do not sum to what was issued"));
    }
    let earned =
        entries.iter().filter(|entry| entry.from == Account::Issued).map(|entry| i128::from(entry.points.get()));
    member.same("lifetime_earned", i128::from(standing.lifetime_earned), earned.sum::<i128>() + elsewhere)
}

fn entry_of(member: &Member<'_>, row: &EntryView) -> Result<Entry, &'static str> {
    let role = Role::parse(&row.actor_role);
    Ok(Entry {
        member: member.id,
        number: row.number,
        kind: EntryKind::parse(&row.kind).ok_or("its kind is not known")?,
        from: Account::parse(&row.from_account).ok_or("the account it takes from is not known")?,
        to: Account::parse(&row.to_account).ok_or("the account it gives to is not known")?,
        points: Points::new(row.points).ok().filter(|points| points.is_positive()).ok_or("its points cannot be")?,
        effective_at: row.effective_at,
        recorded_at: row.recorded_at,
        actor: Actor { role: role.ok_or("its actor's role is not known")?, id: row.actor_id },
        document: row.document_id,
        reason: row.reason.clone(),
        reverses: row.reverses,
        hash: row.hash.as_slice().try_into().map_err(|_| "its hash is not 32 bytes")?,
    })
}

/// Everybody who acts has a name, but for imports and the clock.
fn actor(member: &Member<'_>, entry: &Entry) -> Result<(), &'static str> {
    match (entry.actor.role, entry.actor.id) {
        (Role::Import | Role::System, None) => Ok(()),
        (Role::Member, Some(id)) if id == member.id.uuid() => Ok(()),
        // Another member of the household, or who gave the points; debt is paid out of what came.
        (Role::Member, Some(_)) if matches!(entry.kind, EntryKind::Transfer | EntryKind::DebtPayment) => Ok(()),
        (Role::Cashier | Role::Manager | Role::Admin | Role::Integration, Some(id)) if id != member.id.uuid() => Ok(()),
        _ => Err("it does not say who acted"),
    }
}

/// The accounts between which each kind moves points.
fn accounts(entry: &Entry) -> Result<(), &'static str> {
    use Account::{Adjusted, Available, Debt, Expired, Held, Issued, Pending, Redeemed, Returned, Transferred};
    let fits = match entry.kind {
        EntryKind::Accrual => entry.from == Issued && matches!(entry.to, Pending | Available | Debt),
        EntryKind::Perk => entry.from == Issued && matches!(entry.to, Available | Debt),
        EntryKind::Activation => (entry.from, entry.to) == (Pending, Available),
        EntryKind::DebtPayment => (entry.from, entry.to) == (Available, Debt),
        EntryKind::Redemption => matches!(entry.from, Available | Held) && entry.to == Redeemed,
        EntryKind::Hold => (entry.from, entry.to) == (Available, Held),
        EntryKind::Release => (entry.from, entry.to) == (Held, Available),
        EntryKind::GiveBack => entry.from == Redeemed && matches!(entry.to, Available | Debt),
        EntryKind::Return => matches!(entry.from, Pending | Available | Debt) && entry.to == Returned,
        EntryKind::Expiry => matches!(entry.from, Pending | Available | Held) && entry.to == Expired,
        EntryKind::Adjustment => {
            matches!((entry.from, entry.to), (Adjusted, Available | Debt) | (Available, Adjusted))
        }
        EntryKind::ReRating => {
            matches!((entry.from, entry.to), (Adjusted, Available | Debt) | (Available | Debt, Adjusted))
        }
        EntryKind::Transfer => matches!(
            (entry.from, entry.to),
            (Pending | Available | Debt, Transferred) | (Transferred, Pending | Available | Debt)
        ),
    };
    if fits { Ok(()) } else { Err("its accounts do not fit its kind") }
}
