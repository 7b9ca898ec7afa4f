//! Lots: each opened by one entry, each bite by one entry, in the order of consumption and never out
//! of season; what is left of them is what is pending, available and held.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tessera_rules::amount::Points;
use tessera_rules::ledger::{Account, Entry, EntryKind};
use tessera_rules::lot::{Lapse, Lot, consume};
use tessera_rules::time::Instant;
use uuid::Uuid;

use super::books::{Bad, Books, Member};
use super::idle::Active;
use super::life;
use super::sales::{self, Sales};
use crate::store::verify::MovementView;

/// Points by lot that one entry moves.
type Bites = BTreeMap<i64, Points>;

/// The lots of a member as the entries up to one leave them.
struct Replay<'v, 'p> {
    member: &'v Member<'p>,
    books: &'v Books,
    active: &'v Active,
    lots: BTreeMap<i64, Lot>,
    /// Lots whose points are pending, in the order in which they become spendable.
    pending: BTreeSet<(Instant, i64)>,
    /// The lots of sales of which something came back, by the return.
    own: HashMap<Uuid, Vec<i64>>,
}

/// Replays the lots of a member along the entries. Returns those with points left that lapse by
/// inactivity.
pub(super) fn check(
    member: &Member<'_>,
    books: &Books,
    entries: &[Entry],
    sales: &Sales<'_>,
    active: &Active,
) -> Result<Vec<Lot>, Bad> {
    let own = |purchase| sales::opened(member, entries, purchase);
    let own = member.returns.iter().map(|(_, row)| (row.id, own(row.purchase_id))).collect();
    let (lots, pending) = (BTreeMap::new(), BTreeSet::new());
    let mut replay = Replay { member, books, active, lots, pending, own };
    let mut rows = member.lots.iter().map(|(_, row)| row).peekable();
    let mut movements = member.movements.iter().map(|(_, row)| row).peekable();
    for entry in entries {
        let mut bites = Bites::new();
        while let Some(movement) = movements.next_if(|movement| movement.entry == entry.number) {
            bites.insert(movement.lot, replay.bite(entry, movement)?);
        }
        replay.explain(entry, &bites)?;
        if opens_lot(entry, &bites) {
            let number = replay.lots.len() as i64 + 1;
            let row = rows.next_if(|row| row.entry == entry.number && row.number == number);
            let missing = || {
                member.bad("lot", format_args!("number {number}"), format!("entry {} opened no such lot", entry.number))
            };
            let lot = life::opened(member, books, sales, entry, row.ok_or_else(missing)?)?;
            if lot.pending {
                replay.pending.insert((lot.available_from, number));
            }
            replay.lots.insert(number, lot);
        }
        replay.apply(entry, &bites);
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
    replay.remainders()
}

/// Whether an entry opens a lot: a credit does, unless it gives points back to the lots they came from.
fn opens_lot(entry: &Entry, bites: &Bites) -> bool {
    matches!(entry.to, Account::Pending | Account::Available)
        && matches!(entry.from, Account::Issued | Account::Adjusted | Account::Redeemed | Account::Transferred)
        && bites.is_empty()
}

/// What an entry does to the lots it moves: by how many times its bite a lot's `remaining`, `held` and
/// `lapsed` change. `None` for an entry that moves none.
fn effect(entry: &Entry) -> Option<[i64; 3]> {
    use Account::{Available, Expired, Held, Pending, Redeemed, Transferred};
    Some(match (entry.from, entry.to) {
        (Pending, Available) => [0, 0, 0],
        (Pending | Available, Held) => [-1, 1, 0],
        (Pending | Available, Expired) => [-1, 0, 1],
        (Pending | Available, _) => [-1, 0, 0],
        (Held, Available) => [1, -1, 0],
        (Held, Expired) => [0, -1, 1],
        (Held, _) => [0, -1, 0],
        (Redeemed | Transferred, Pending | Available) => [1, 0, 0],
        _ => return None,
    })
}

impl Replay<'_, '_> {
    /// Checks a movement by itself; returns how many points it moves.
    fn bite(&self, entry: &Entry, row: &MovementView) -> Result<Points, Bad> {
        let bad =
            |what: &str| self.member.bad("lot_movement", format_args!("entry {}, lot {}", entry.number, row.lot), what);
        let lot = self.lots.get(&row.lot).ok_or_else(|| bad("there is no such lot at that time"))?;
        let effect = effect(entry).ok_or_else(|| bad("its entry moves no points of lots"))?;
        // Points that become spendable stay in their lot, and all of it does.
        let activated = if effect == [0, 0, 0] { lot.remaining.get() } else { 0 };
        let most = [row.points, row.held, activated].map(i64::unsigned_abs).into_iter().max().unwrap_or_default();
        let bite = i64::try_from(most).map_err(|_| bad("its points cannot be"))?;
        if [row.points, row.held, row.lapsed] != effect.map(|times| times * bite) {
            return Err(bad("it does not do to the lot what its entry says"));
        }
        let held = lot.held.get() + row.held;
        let after = [lot.remaining.get() + row.points, held, lot.lapsed.get() + row.lapsed];
        if bite == 0 || after.iter().any(|points| *points < 0) || after.iter().sum::<i64>() > lot.points.get() {
            return Err(bad("the lot does not hold that many points"));
        }
        Points::new(bite).map_err(|_| bad("its points cannot be"))
    }

    /// Checks what an entry took from which lots, or gave back to them.
    fn explain(&self, entry: &Entry, bites: &Bites) -> Result<(), Bad> {
        let bad = |what: &str| Err(self.member.bad("entry", format_args!("number {}", entry.number), what));
        if (entry.from, entry.to) == (Account::Pending, Account::Available) {
            return if self.activates(entry, bites) {
                Ok(())
            } else {
                bad("it is not the activation of one lot at its time")
            };
        }
        let moved: i128 = bites.values().map(|bite| i128::from(bite.get())).sum();
        let of_lots = matches!(entry.from, Account::Pending | Account::Available | Account::Held);
        if (of_lots || !bites.is_empty()) && moved != i128::from(entry.points.get()) {
            return bad("what it took from lots is not what it moved");
        }
        match (entry.kind, entry.from) {
            (EntryKind::Expiry, Account::Held) if !self.alive(entry, bites, false) => {
                bad("a lot had not lapsed by then")
            }
            (EntryKind::Expiry, Account::Pending | Account::Available) if !self.lapses(entry, bites) => {
                bad("it is not the lapse of one lot at its time")
            }
            (EntryKind::Release | EntryKind::GiveBack, _) if !self.alive(entry, bites, true) => {
                bad("it gives points back to a lot that had lapsed")
            }
            (EntryKind::Return, _) => self.claws(entry, bites),
            (EntryKind::Transfer, _) if !self.alive(entry, bites, true) => bad("it moves points that had lapsed"),
            // What goes home is what came from there, whatever the order.
            (EntryKind::Transfer, _) if entry.reason.as_deref() != Some("transfer") => Ok(()),
            (EntryKind::Expiry, _) => Ok(()),
            (_, Account::Available) => self.consumes(entry, bites),
            _ => Ok(()),
        }
    }

    /// Whether an entry makes the points of the next pending lot spendable.
    fn activates(&self, entry: &Entry, bites: &Bites) -> bool {
        let next = self.pending.iter().find(|(_, lot)| self.lots[lot].remaining.is_positive());
        next.is_some_and(|(at, lot)| {
            *at == entry.effective_at && self.lots[lot].remaining == entry.points && bites.keys().eq([lot])
        })
    }

    /// Whether an entry is the lapse of all that is left of one lot, at its time.
    fn lapses(&self, entry: &Entry, bites: &Bites) -> bool {
        let Some((lot, bite)) = bites.iter().next().filter(|_| bites.len() == 1) else { return false };
        let lot = &self.lots[lot];
        let in_time = match lot.lapse {
            Lapse::Idle { months } => self.active.lapsed(self.books, months, lot.occurred_at, entry),
            Lapse::Dated | Lapse::Fixed => lot.expires_at == Some(entry.effective_at),
        };
        let from = if lot.pending { Account::Pending } else { Account::Available };
        lot.remaining == *bite && entry.from == from && (in_time || self.redated_since(entry))
    }

    /// Whether all lots an entry moves were alive then, or all had lapsed. Of a lot that lapses by
    /// inactivity that is not told: it lives on when the member is active again.
    fn alive(&self, entry: &Entry, bites: &Bites, alive: bool) -> bool {
        let right = |number: &i64| {
            let lot = &self.lots[number];
            matches!(lot.lapse, Lapse::Idle { .. }) || lot.expired(entry.effective_at) != alive
        };
        self.redated_since(entry) || bites.keys().all(right)
    }

    /// Checks that lots are taken in the order of consumption.
    fn consumes(&self, entry: &Entry, bites: &Bites) -> Result<(), Bad> {
        let bad = |what: &str| Err(self.member.bad("entry", format_args!("number {}", entry.number), what));
        if self.redated_since(entry) {
            return Ok(());
        }
        // Debt is paid at the instant at which the points came to stand beside it.
        let at = if entry.kind == EntryKind::DebtPayment { entry.effective_at } else { entry.recorded_at };
        if bites.keys().any(|number| !self.lots[number].spendable(at)) {
            return bad("it took from a lot that had lapsed or was not available yet");
        }
        let right = consume(self.lots.values(), entry.points, at).unwrap_or_default();
        let right: Bites = right.into_iter().map(|bite| (bite.lot, bite.points)).collect();
        if right == *bites { Ok(()) } else { bad("it did not take from lots in the order of consumption") }
    }

    /// Checks what a return took back: from the sale's own lots first, pending ones before others, then
    /// from the member's other lots, and debt only when nothing is left.
    fn claws(&self, entry: &Entry, bites: &Bites) -> Result<(), Bad> {
        let bad = |what: &str| Err(self.member.bad("entry", format_args!("number {}", entry.number), what));
        let own = entry.document.and_then(|document| self.own.get(&document));
        // Every return there is was looked up before.
        let Some(own) = own else { return Ok(()) };
        let own = || self.lots.values().filter(|lot| own.contains(&lot.origin.unwrap_or(lot.number)));
        let order = |lot: &Lot| (!lot.pending, lot.consumption_order());
        if let Some(number) = entry.reverses {
            let mut taken = own().filter(|lot| lot.entry == number && bites.contains_key(&lot.number));
            let Some(lot) = taken.next().filter(|_| bites.len() == 1) else {
                return bad("it does not take back the points of the entry it reverses");
            };
            let from = if lot.pending { Account::Pending } else { Account::Available };
            let skipped = |other: &Lot| other.remaining.is_positive() && order(other) < order(lot);
            if entry.from != from || !self.redated_since(entry) && own().any(skipped) {
                return bad("it did not take from the sale's own lots in order");
            }
            return Ok(());
        }
        if own().any(|lot| lot.remaining.is_positive()) {
            return bad("it did not take from the sale's own lots first");
        }
        if entry.from == Account::Debt {
            let left = self.lots.values().any(|lot| lot.remaining.is_positive() && !lot.pending);
            return if left { bad("it made a debt where points were left") } else { Ok(()) };
        }
        self.consumes(entry, bites)
    }

    fn redated_since(&self, entry: &Entry) -> bool {
        self.books.redated_since(self.member, entry.recorded_at)
    }

    fn apply(&mut self, entry: &Entry, bites: &Bites) {
        let Some(effect) = effect(entry) else { return };
        if effect == [0, 0, 0] {
            let next = self.pending.iter().find(|(_, lot)| self.lots[lot].remaining.is_positive()).copied();
            if let Some(next) = next
                && let Some(lot) = self.lots.get_mut(&next.1)
            {
                lot.pending = false;
                self.pending.remove(&next);
            }
            return;
        }
        for (number, bite) in bites {
            let Some(lot) = self.lots.get_mut(number) else { continue };
            let columns = [&mut lot.remaining, &mut lot.held, &mut lot.lapsed];
            for (column, times) in columns.into_iter().zip(effect) {
                // In range: the bite was checked against the lot.
                *column = Points::new(column.get() + times * bite.get()).unwrap_or(Points::ZERO);
            }
        }
    }

    /// Compares what is left of the lots, and what follows from that.
    fn remainders(&self) -> Result<Vec<Lot>, Bad> {
        let member = self.member;
        for (_, row) in member.lots {
            let Some(lot) = self.lots.get(&row.number) else { continue };
            let bad = |what: String| Err(member.bad("lot", format_args!("number {}", row.number), what));
            let columns = [
                ("remain", row.remaining, lot.remaining),
                ("are held", row.held, lot.held),
                ("have lapsed", row.lapsed, lot.lapsed),
            ];
            for (column, stored, right) in columns {
                if stored != right.get() {
                    return bad(format!("{stored} points {column}, but {right} follow from its movements"));
                }
            }
            if row.pending != lot.pending {
                return bad(format!("pending is {}, but its entries say otherwise", row.pending));
            }
        }
        let sum = |of: fn(&Lot) -> Points| self.lots.values().map(|lot| i128::from(of(lot).get())).sum::<i128>();
        let standing = member.standing;
        let pending = sum(|lot| if lot.pending { lot.remaining } else { Points::ZERO });
        member.same("pending", i128::from(standing.pending), pending)?;
        member.same("available", i128::from(standing.available), sum(|lot| lot.remaining) - pending)?;
        member.same("held", i128::from(standing.held), sum(|lot| lot.held))?;
        member.same("lots", standing.lots, member.lots.len() as i64)?;
        let open = || self.lots.values().filter(|lot| lot.remaining.is_positive());
        member.same("lots_due_at", standing.clock.lots_due_at, open().filter_map(Lot::due_at).min())?;
        Ok(open().filter(|lot| matches!(lot.lapse, Lapse::Idle { .. })).copied().collect())
    }
}
