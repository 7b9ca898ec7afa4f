//! A second set of books, kept from the effects alone: the chain, the balances, the lots and their
//! movements (PROGRAMME.md §9, invariants 1 to 5, 9 and 12), checked after every command.

use std::collections::BTreeMap;

use tessera_rules::command::Actor;
use tessera_rules::decision::Effect;
use tessera_rules::ledger::{Account, Entry, EntryKind, GENESIS};
use tessera_rules::lot::{Lot, LotMovement};
use tessera_rules::{MemberState, Standing};

use crate::chain::hash_of;

#[derive(Debug, Default)]
pub(crate) struct Books {
    head: Option<[u8; 32]>,
    entries: Vec<Entry>,
    /// What came in less what went out, by account.
    balances: BTreeMap<&'static str, i64>,
    lots: BTreeMap<i64, Lot>,
    /// The last entry and what it still has to explain of `available`.
    unexplained: i64,
    /// The bites that the last entry must take, in order.
    expected: Vec<LotMovement>,
}

impl Books {
    pub(crate) fn new(debt: i64) -> Self {
        let balances = BTreeMap::from([(Account::Debt.as_str(), -debt), (Account::Issued.as_str(), debt)]);
        Self { balances, ..Self::default() }
    }

    pub(crate) fn balance(&self, account: Account) -> i64 {
        self.balances.get(account.as_str()).copied().unwrap_or(0)
    }

    /// Books the effects of one command that `actor` gave.
    pub(crate) fn record(&mut self, effects: &[Effect], actor: Actor) {
        for effect in effects {
            match effect {
                Effect::Entry(entry) => self.entry(entry, actor),
                Effect::OpenLot(lot) => self.open(lot),
                Effect::MoveLot(movement) => self.movement(movement),
                _ => {}
            }
        }
        self.explained();
    }

    fn explained(&self) {
        assert_eq!(self.unexplained, 0, "lots explain what an entry does to `available`");
        assert!(self.expected.is_empty(), "bites that were not taken: {:?}", self.expected);
    }

    fn entry(&mut self, entry: &Entry, actor: Actor) {
        self.explained();
        assert_eq!(entry.number, self.entries.len() as i64 + 1, "entries have no gap");
        assert_eq!(entry.hash, hash_of(entry, &self.head.unwrap_or(GENESIS)), "the chain holds");
        assert!(entry.points.is_positive() && entry.from != entry.to);
        let by_the_clock = matches!(entry.kind, EntryKind::Expiry | EntryKind::Perk);
        assert_eq!(entry.actor, if by_the_clock { Actor::SYSTEM } else { actor });
        assert_eq!(entry.document.is_none(), by_the_clock);
        let points = entry.points.get();
        *self.balances.entry(entry.from.as_str()).or_default() -= points;
        *self.balances.entry(entry.to.as_str()).or_default() += points;
        self.unexplained = match (entry.from, entry.to) {
            (Account::Available, _) => -points,
            (_, Account::Available) => points,
            _ => 0,
        };
        if entry.from == Account::Available {
            self.expected = if entry.to == Account::Expired { self.lapsing(entry) } else { self.consumed(entry) };
        }
        self.head = Some(entry.hash);
        self.entries.push(entry.clone());
    }

    /// An expiry takes all that is left of one lot, at the instant the lot was due.
    fn lapsing(&self, entry: &Entry) -> Vec<LotMovement> {
        assert!(entry.effective_at <= entry.recorded_at);
        let due = |lot: &&Lot| lot.remaining.is_positive() && lot.expires_at == Some(entry.effective_at);
        let lot = self.lots.values().find(due).expect("a lot that is due");
        vec![bite(entry, lot, lot.remaining.get())]
    }

    /// A spending takes open lots, soonest-expiring first, then oldest, then by number.
    fn consumed(&self, entry: &Entry) -> Vec<LotMovement> {
        let at = entry.recorded_at;
        let mut open: Vec<&Lot> = self.lots.values().filter(|lot| lot.remaining.is_positive()).collect();
        open.sort_by(|a, b| {
            let never = a.expires_at.is_none().cmp(&b.expires_at.is_none());
            let order = never.then(a.expires_at.cmp(&b.expires_at));
            order.then(a.occurred_at.cmp(&b.occurred_at)).then(a.number.cmp(&b.number))
        });
        let mut missing = entry.points.get();
        let mut bites = Vec::new();
        for lot in open {
            assert!(lot.expires_at.is_none_or(|expires| expires > at), "a lapsed lot was still open at {at}");
            assert!(lot.available_from <= at, "a lot is spent before it is available");
            let taken = lot.remaining.get().min(missing);
            if taken > 0 {
                bites.push(bite(entry, lot, taken));
                missing -= taken;
            }
        }
        assert_eq!(missing, 0, "more was spent than there is");
        bites
    }

    fn open(&mut self, lot: &Lot) {
        let entry = self.entries.last().expect("an entry before its lot");
        assert_eq!((lot.entry, lot.points, lot.remaining), (entry.number, entry.points, entry.points));
        assert_eq!(lot.number, self.lots.len() as i64 + 1, "lots have no gap");
        self.unexplained -= lot.points.get();
        self.lots.insert(lot.number, *lot);
    }

    fn movement(&mut self, movement: &LotMovement) {
        assert!(!self.expected.is_empty(), "a movement that nothing asked for: {movement:?}");
        assert_eq!(self.expected.remove(0), *movement, "lots are taken in order");
        self.unexplained -= movement.points.get();
        let lot = self.lots.get_mut(&movement.lot).expect("a known lot");
        lot.remaining = lot.remaining.plus(movement.points).expect("in range");
        lot.lapsed = lot.lapsed.plus(movement.lapsed).expect("in range");
        assert!((0..=lot.points.get()).contains(&lot.remaining.get()), "{lot:?}");
    }

    /// Compares what the state says with these books.
    pub(crate) fn check(&self, member: &MemberState) {
        let Standing { entries, head, lots, pending, available, held, debt, .. } = &member.standing;
        assert_eq!((*entries, *lots), (self.entries.len() as i64, self.lots.len() as i64));
        assert_eq!(*head, self.head.unwrap_or(GENESIS));
        assert_eq!(member.lots, self.lots);
        assert!(pending.is_zero() && held.is_zero());
        let open: i64 = self.lots.values().map(|lot| lot.remaining.get()).sum();
        assert_eq!((available.get(), open), (self.balance(Account::Available), open));
        assert_eq!(open, available.get());
        assert_eq!(debt.get(), -self.balance(Account::Debt));
        assert!(available.get() >= 0 && debt.get() >= 0 && (debt.is_zero() || available.is_zero()));
        let issued = -self.balance(Account::Issued);
        let rest = [Account::Redeemed, Account::Expired, Account::Adjusted].map(|account| self.balance(account));
        assert_eq!(issued, available.get() - debt.get() + rest.iter().sum::<i64>());
    }
}

fn bite(entry: &Entry, lot: &Lot, points: i64) -> LotMovement {
    LotMovement {
        entry: entry.number,
        lot: lot.number,
        points: crate::support::points(-points),
        lapsed: crate::support::points(if entry.to == Account::Expired { points } else { 0 }),
        ..LotMovement::default()
    }
}
