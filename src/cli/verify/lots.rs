//! Lots: each opened by one entry, each bite by one entry, in the order of consumption and never out
//! of season; what is left of them is what is available.

use std::collections::BTreeMap;

use tessera_rules::Programme;
use tessera_rules::amount::Points;
use tessera_rules::ledger::{Account, Entry, EntryKind};
use tessera_rules::lot::{Lot, consume};

use super::books::{Bad, Books, Member};
use crate::store::verify::LotView;

/// Replays the lots of a member along the entries.
pub(super) fn check(member: &Member<'_>, books: &Books, entries: &[Entry]) -> Result<(), Bad> {
    let mut open: BTreeMap<i64, Lot> = BTreeMap::new();
    let mut rows = member.lots.iter().map(|(_, row)| row).peekable();
    let mut movements = member.movements.iter().map(|(_, row)| row).peekable();
    let mut opened = 0;
    for entry in entries {
        let mut bites = BTreeMap::new();
        while let Some(movement) = movements.next_if(|movement| movement.entry == entry.number) {
            let points = Points::new(movement.points).ok().and_then(|points| Points::ZERO.minus(points).ok());
            let bad = |what: &str| {
                member.bad("lot_movement", format_args!("entry {}, lot {}", entry.number, movement.lot), what)
            };
            let lot = open.get(&movement.lot).ok_or_else(|| bad("there is no such lot at that time"))?;
            let bite = points.filter(|bite| bite.is_positive() && *bite <= lot.remaining);
            bites.insert(movement.lot, bite.ok_or_else(|| bad("the lot does not hold that many points"))?);
        }
        debit(member, entry, &open, &bites)?;
        for (number, bite) in bites {
            if let Some(lot) = open.get_mut(&number) {
                lot.remaining = lot.remaining.minus(bite).unwrap_or(Points::ZERO);
            }
        }
        if entry.to == Account::Available {
            opened += 1;
            let row = rows.next_if(|row| row.entry == entry.number && row.number == opened);
            let missing = || {
                member.bad("lot", format_args!("number {opened}"), format!("entry {} opened no such lot", entry.number))
            };
            let lot = lot_of(member, books, entry, row.ok_or_else(missing)?)?;
            open.insert(opened, lot);
        }
    }
    if let Some(row) = rows.next() {
        return Err(member.bad("lot", format_args!("number {}", row.number), "no entry opened it"));
    }
    if let Some(row) = movements.next() {
        return Err(member.bad(
            "lot_movement",
            format_args!("entry {}, lot {}", row.entry, row.lot),
            "there is no such entry",
        ));
    }
    remainders(member, &open)
}

/// Checks what an entry took from which lots.
fn debit(
    member: &Member<'_>,
    entry: &Entry,
    open: &BTreeMap<i64, Lot>,
    bites: &BTreeMap<i64, Points>,
) -> Result<(), Bad> {
    let bad = |what: &str| Err(member.bad("entry", format_args!("number {}", entry.number), what));
    if entry.from != Account::Available {
        return if bites.is_empty() { Ok(()) } else { bad("it takes from lots, but not from available points") };
    }
    let taken: i128 = bites.values().map(|bite| i128::from(bite.get())).sum();
    if taken != i128::from(entry.points.get()) {
        return bad("what it took from lots is not what it moved");
    }
    if entry.kind == EntryKind::Expiry {
        let whole = |(number, bite): (&i64, &Points)| {
            open.get(number).is_some_and(|lot| lot.remaining == *bite && lot.expires_at == Some(entry.effective_at))
        };
        return if bites.len() == 1 && bites.iter().all(whole) {
            Ok(())
        } else {
            bad("it is not the lapse of one lot at its time")
        };
    }
    let out_of_season = |number: &i64| open.get(number).is_none_or(|lot| !lot.spendable(entry.recorded_at));
    if bites.keys().any(out_of_season) {
        return bad("it took from a lot that had lapsed or was not available yet");
    }
    let right = consume(open.values(), entry.points, entry.recorded_at);
    if right.is_none_or(|right| right.into_iter().collect::<BTreeMap<_, _>>() != *bites) {
        return bad("it did not take from lots in the order of consumption");
    }
    Ok(())
}

/// A lot as its entry opened it.
fn lot_of(member: &Member<'_>, books: &Books, entry: &Entry, row: &LotView) -> Result<Lot, Bad> {
    let bad = |what: &str| member.bad("lot", format_args!("number {}", row.number), what);
    if row.points != entry.points.get() {
        return Err(bad("its points are not those of the entry that opened it"));
    }
    if row.occurred_at != entry.effective_at || row.available_from > row.occurred_at {
        return Err(bad("its times are not those of the entry that opened it"));
    }
    let lapses =
        |programme: &Programme| row.expires_at == programme.expiry.expires_at(programme.time_zone, row.available_from);
    let right = match entry.kind {
        EntryKind::Perk => member
            .grants
            .iter()
            .any(|(_, grant)| Some(&grant.perk) == entry.reason.as_ref() && row.expires_at == Some(grant.window_until)),
        EntryKind::Accrual => {
            let purchase = member.purchases.iter().find(|(_, purchase)| Some(purchase.id) == entry.document);
            let version = purchase.map(|(_, purchase)| purchase.programme_version);
            version.and_then(|version| books.programme(version)).is_none_or(lapses)
        }
        _ => books.any(lapses),
    };
    if !right {
        return Err(bad("its expiry is not what the programme says"));
    }
    Ok(Lot {
        number: row.number,
        entry: row.entry,
        points: entry.points,
        remaining: entry.points,
        occurred_at: row.occurred_at,
        available_from: row.available_from,
        expires_at: row.expires_at,
    })
}

/// Compares what is left of the lots, and what follows from that.
fn remainders(member: &Member<'_>, open: &BTreeMap<i64, Lot>) -> Result<(), Bad> {
    for (_, row) in member.lots {
        let left = open.get(&row.number).map(|lot| lot.remaining.get());
        if left != Some(row.remaining) {
            let what =
                format!("{} points remain, but {} follow from its movements", row.remaining, left.unwrap_or_default());
            return Err(member.bad("lot", format_args!("number {}", row.number), what));
        }
    }
    let standing = member.standing;
    let left: i128 = open.values().map(|lot| i128::from(lot.remaining.get())).sum();
    member.same("available", i128::from(standing.available), left)?;
    member.same("lots", standing.lots, member.lots.len() as i64)?;
    let due = open.values().filter(|lot| lot.remaining.is_positive()).filter_map(|lot| lot.expires_at).min();
    member.same("lots_due_at", standing.lots_due_at, due)
}
