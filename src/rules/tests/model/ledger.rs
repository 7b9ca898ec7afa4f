//! A second set of books, kept from the effects alone and checked after every command: the chain, the
//! balances, the lots and their movements, the order in which lots are taken (PROGRAMME.md §9,
//! invariants 1 to 6, 9 and 12; 8 and 10 are counted in [`super::limits`], 7 and 11 are the model's).

use std::collections::BTreeMap;

use tessera_rules::MemberState;
use tessera_rules::command::Actor;
use tessera_rules::decision::Effect;
use tessera_rules::ledger::{Account, Entry, EntryKind, GENESIS};
use tessera_rules::lot::Lot;
use tessera_rules::redemption::RedemptionStatus;

/// The books of one member.
#[derive(Debug, Default)]
pub(crate) struct Books {
    last: Option<Entry>,
    entries: i64,
    head: Option<[u8; 32]>,
    /// What came in less what went out.
    balances: BTreeMap<&'static str, i64>,
    lots: BTreeMap<i64, Lot>,
    /// What the last entry still has to explain of lots: free, held, lapsed.
    open: [i64; 3],
    /// The bites the last entry must take, in order.
    expected: Option<Vec<(i64, i64)>>,
}

impl Books {
    pub(crate) fn balance(&self, account: Account) -> i64 {
        self.balances.get(account.as_str()).copied().unwrap_or(0)
    }

    /// Books what one command of `actor` did.
    pub(crate) fn record(&mut self, effects: &[Effect], actor: Actor) {
        for effect in effects {
            match effect {
                Effect::Entry(entry) => self.entry(entry, actor),
                Effect::OpenLot(lot) => self.opened(lot),
                Effect::MoveLot(movement) => {
                    let points = [movement.points, movement.held, movement.lapsed].map(|points| points.get());
                    self.moved(movement.entry, movement.lot, points);
                }
                Effect::Activate { lot, .. } => self.lot(*lot).pending = false,
                Effect::RedateLot { lot, expires_at, lapse } => {
                    let lot = self.lot(*lot);
                    (lot.expires_at, lot.lapse) = (*expires_at, *lapse);
                }
                _ => {}
            }
        }
        self.explained();
    }

    fn lot(&mut self, number: i64) -> &mut Lot {
        self.lots.get_mut(&number).expect("a known lot")
    }

    fn explained(&self) {
        assert_eq!(self.open, [0; 3], "lots explain what an entry does: {:?}", self.last);
        let taken = self.expected.as_ref().is_none_or(Vec::is_empty);
        assert!(taken, "bites that were not taken: {:?}", self.expected);
    }

    fn entry(&mut self, entry: &Entry, actor: Actor) {
        self.explained();
        assert_eq!(entry.number, self.entries + 1, "entries have no gap");
        assert_eq!(entry.hash, entry.chained(&self.head.unwrap_or(GENESIS)), "the chain holds");
        assert!(entry.points.is_positive() && entry.from != entry.to, "{entry:?}");
        assert!(entry.actor == actor || entry.actor == Actor::SYSTEM, "somebody else did this: {entry:?}");
        assert!(entry.effective_at <= entry.recorded_at || entry.kind == EntryKind::Accrual, "{entry:?}");
        let points = entry.points.get();
        *self.balances.entry(entry.from.as_str()).or_default() -= points;
        *self.balances.entry(entry.to.as_str()).or_default() += points;
        let side = |accounts: &[Account]| {
            let comes = i64::from(accounts.contains(&entry.to)) - i64::from(accounts.contains(&entry.from));
            comes * points
        };
        let of_a_lot = [Account::Pending, Account::Available, Account::Held].contains(&entry.from);
        let lapsed = if entry.to == Account::Expired && of_a_lot { points } else { 0 };
        self.open = [side(&[Account::Pending, Account::Available]), side(&[Account::Held]), lapsed];
        // A claw may take lots of its own sale before their turn.
        let in_turn = match entry.kind {
            EntryKind::Redemption | EntryKind::Hold | EntryKind::DebtPayment | EntryKind::Adjustment => true,
            // Along a link points go whichever way they came.
            EntryKind::Transfer => entry.reason.as_deref() == Some("transfer"),
            _ => false,
        };
        let in_turn = in_turn && entry.from == Account::Available;
        self.expected = in_turn.then(|| self.in_turn(entry));
        (self.entries, self.head, self.last) = (entry.number, Some(entry.hash), Some(entry.clone()));
    }

    /// Open lots, soonest-expiring first, then oldest, then by number, up to what an entry moves.
    fn in_turn(&self, entry: &Entry) -> Vec<(i64, i64)> {
        let mut open: Vec<&Lot> =
            self.lots.values().filter(|lot| lot.remaining.is_positive() && !lot.pending).collect();
        open.sort_by_key(|lot| (lot.expires_at.is_none(), lot.expires_at, lot.occurred_at, lot.number));
        let mut missing = entry.points.get();
        let mut bites = Vec::new();
        for lot in open {
            let taken = lot.remaining.get().min(missing);
            if taken > 0 {
                assert!(lot.available_from <= entry.effective_at, "before it is available: {lot:?} {entry:?}");
                assert!(lot.expires_at.is_none_or(|over| over > entry.effective_at), "over: {lot:?} {entry:?}");
                bites.push((lot.number, taken));
                missing -= taken;
            }
        }
        assert_eq!(missing, 0, "more was taken than there is: {entry:?}");
        bites
    }

    fn opened(&mut self, lot: &Lot) {
        let entry = self.last.as_ref().expect("an entry before its lot");
        assert_eq!((lot.entry, lot.points, lot.remaining), (entry.number, entry.points, entry.points));
        assert_eq!(lot.number, self.lots.len() as i64 + 1, "lots have no gap");
        assert_eq!(lot.pending, entry.to == Account::Pending);
        self.open[0] -= lot.points.get();
        self.lots.insert(lot.number, *lot);
    }

    fn moved(&mut self, entry: i64, number: i64, [free, held, lapsed]: [i64; 3]) {
        assert_eq!(entry, self.entries, "a movement of its entry");
        if let Some(expected) = &mut self.expected {
            assert!(!expected.is_empty(), "a movement too many");
            assert_eq!(expected.remove(0), (number, -free), "lots are taken in order");
        }
        for (open, moved) in self.open.iter_mut().zip([free, held, lapsed]) {
            *open -= moved;
        }
        let changed = |before: tessera_rules::amount::Points, by: i64| super::document::points(before.get() + by);
        let lot = self.lot(number);
        (lot.remaining, lot.held) = (changed(lot.remaining, free), changed(lot.held, held));
        lot.lapsed = changed(lot.lapsed, lapsed);
        assert!(lot.remaining.get() >= 0 && lot.held.get() >= 0, "{lot:?}");
        assert!(lot.remaining.get() + lot.held.get() <= lot.points.get(), "{lot:?}");
    }

    /// Compares what the state says with these books.
    pub(crate) fn check(&self, member: &MemberState) {
        let standing = &member.standing;
        assert_eq!((standing.entries, standing.lots), (self.entries, self.lots.len() as i64), "entries, lots");
        assert_eq!(standing.head, self.head.unwrap_or(GENESIS), "the head of the chain");
        assert_eq!(member.lots, self.lots, "lots");
        let told = [standing.pending, standing.available, standing.held].map(|points| points.get());
        assert_eq!(told, [Account::Pending, Account::Available, Account::Held].map(|own| self.balance(own)));
        let free = |pending: bool| self.lots.values().filter(move |lot| lot.pending == pending);
        let sum = |pending: bool| free(pending).map(|lot| lot.remaining.get()).sum::<i64>();
        let held: i64 = self.lots.values().map(|lot| lot.held.get()).sum();
        assert_eq!(told, [sum(true), sum(false), held], "balances are sums of lots");
        let debt = standing.debt.get();
        assert_eq!(debt, -self.balance(Account::Debt), "debt");
        assert!(debt >= 0 && (debt == 0 || told[1] == 0), "debt beside available points");
        assert_eq!(self.balances.values().sum::<i64>(), 0, "what one account gives another takes");
        let open = member.redemptions.values().filter(|redemption| redemption.status == RedemptionStatus::Held);
        let bitten: i64 = open.flat_map(|redemption| &redemption.bites).map(|bite| bite.points.get()).sum();
        assert_eq!(bitten, told[2], "captured + voided + open = held");
        assert!(member.sales.values().all(|sold| sold.given_back <= sold.points_paid(member)));
    }
}

trait Paid {
    fn points_paid(&self, member: &MemberState) -> tessera_rules::amount::Points;
}

impl Paid for tessera_rules::returns::Sold {
    fn points_paid(&self, member: &MemberState) -> tessera_rules::amount::Points {
        self.redemption.map_or(super::document::points(0), |id| member.redemptions[&id].points)
    }
}
