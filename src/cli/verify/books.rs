//! What every member is checked against, and how a row that is wrong is named.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use tessera_rules::Programme;
use tessera_rules::document::Document as _;
use tessera_rules::id::MemberId;
use tessera_rules::ledger::{Account, Entry, EntryKind};
use tessera_rules::tier::TierCause;
use tessera_rules::time::{Instant, Zone};
use uuid::Uuid;

use crate::store::ledger::{EntryView, PerkGrantView, TierChangeView};
use crate::store::re_rating::InForce;
use crate::store::verify::{
    DayView, Frame, LotView, Merged, MovementView, NoticeView, PersonView, PromotionUsesView, PurchaseView,
    RedemptionView, ReturnView, StandingView, UseView,
};

/// The first row that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bad {
    table: &'static str,
    member: Option<MemberId>,
    number: Option<String>,
    what: String,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.table)?;
        if let Some(member) = self.member {
            write!(f, " of member {member}")?;
        }
        if let Some(number) = &self.number {
            write!(f, ", {number}")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl Bad {
    /// Something between two members.
    pub(super) fn between(table: &str, member: Uuid, what: String) -> Self {
        let table =
            ["lot", "standing", "entry", "transfer"].into_iter().find(|known| *known == table).unwrap_or("entry");
        Self { table, member: Some(MemberId::new(member)), number: None, what }
    }

    /// Something of a member's wallet.
    pub(super) fn of_wallet(table: &str, member: Uuid, number: Option<i64>, what: String) -> Self {
        let tables = ["wallet", "wallet_entry", "wallet_lot", "wallet_movement"];
        let table = tables.into_iter().find(|known| *known == table).unwrap_or("wallet");
        let number = number.map(|number| format!("number {number}"));
        Self { table, member: Some(MemberId::new(member)), number, what }
    }

    /// Something that belongs to no member.
    pub(super) fn overall(table: &'static str, number: Option<String>, what: impl Into<String>) -> Self {
        Self { table, member: None, number, what: what.into() }
    }

    /// A row of somebody who is no member.
    pub(super) fn stray(table: &'static str, member: Uuid) -> Self {
        let what = "there is no such member".to_owned();
        Self { table, member: Some(MemberId::new(member)), number: None, what }
    }
}

/// A member with all rows.
pub(super) struct Member<'p> {
    pub(super) id: MemberId,
    pub(super) standing: &'p StandingView,
    pub(super) people: &'p [(Uuid, PersonView)],
    pub(super) entries: &'p [(Uuid, EntryView)],
    pub(super) lots: &'p [(Uuid, LotView)],
    pub(super) movements: &'p [(Uuid, MovementView)],
    pub(super) days: &'p [(Uuid, DayView)],
    pub(super) tier_changes: &'p [(Uuid, TierChangeView)],
    pub(super) grants: &'p [(Uuid, PerkGrantView)],
    pub(super) purchases: &'p [(Uuid, PurchaseView)],
    pub(super) redemptions: &'p [(Uuid, RedemptionView)],
    pub(super) returns: &'p [(Uuid, ReturnView)],
    pub(super) uses: &'p [(Uuid, UseView)],
    pub(super) promotion_uses: &'p [(Uuid, PromotionUsesView)],
    pub(super) notices: &'p [(Uuid, NoticeView)],
    /// Re-ratings that were booked, taken back or not, by purchase and in their order.
    pub(super) ratings: &'p [(Uuid, InForce)],
}

impl<'p> Member<'p> {
    /// What an entry did to lots, in the order of lots.
    pub(super) fn moved_by(&self, entry: i64) -> impl Iterator<Item = &'p MovementView> {
        let start = self.movements.partition_point(|(_, row)| row.entry < entry);
        self.movements[start..].iter().map(|(_, row)| row).take_while(move |row| row.entry == entry)
    }

    /// The lot that an entry opened.
    pub(super) fn opened_by(&self, entry: i64) -> Option<&'p LotView> {
        let at = self.lots.binary_search_by_key(&entry, |(_, row)| row.entry).ok()?;
        self.lots.get(at).map(|(_, row)| row)
    }

    /// The lot whose points are in a lot: itself, or the one that had lapsed before they were given back.
    pub(super) fn root(&self, lot: i64) -> i64 {
        let at = self.lots.binary_search_by_key(&lot, |(_, row)| row.number).ok();
        at.and_then(|at| self.lots[at].1.origin).unwrap_or(lot)
    }

    /// Whether points moved between this member and another: then what he did is not all on his own rows.
    pub(super) fn was_linked(&self) -> bool {
        self.standing.ties.is_some()
            || self.entries.iter().any(|(_, entry)| entry.kind == EntryKind::Transfer.as_str())
            || self.tier_changes.iter().any(|(_, change)| change.cause == TierCause::Merge.as_str())
    }

    /// A row of this member that is wrong.
    pub(super) fn bad(&self, table: &'static str, number: impl fmt::Display, what: impl Into<String>) -> Bad {
        Bad { table, member: Some(self.id), number: Some(number.to_string()), what: what.into() }
    }

    /// Compares a column of the standing with what follows from the other rows.
    pub(super) fn same<T: PartialEq + fmt::Debug>(&self, column: &str, stored: T, right: T) -> Result<(), Bad> {
        if stored == right {
            return Ok(());
        }
        let what = format!("{column} is {stored:?}, but {right:?} follows from the rows");
        Err(Bad { table: "standing", member: Some(self.id), number: None, what })
    }

    /// A column of the standing that cannot be.
    pub(super) fn wrong(&self, what: impl Into<String>) -> Bad {
        Bad { table: "standing", member: Some(self.id), number: None, what: what.into() }
    }
}

/// What is the same for every member.
pub(super) struct Books {
    programmes: BTreeMap<i64, Programme>,
    stores: HashSet<Uuid>,
    /// Whether every version has the same ladder of tiers.
    steady: bool,
    /// The time zone, where every version has the same.
    zone: Option<Zone>,
    /// Members that were merged, their qualifying days and the sizes of households, by who keeps the
    /// points.
    merged: HashMap<Uuid, Vec<Merged>>,
    merged_days: HashMap<Uuid, Vec<DayView>>,
    households: HashMap<Uuid, i64>,
    /// Whether under some version a change of tier may change when open lots lapse.
    redates: bool,
}

impl Books {
    pub(super) fn new(frame: &mut Frame) -> Result<Self, Bad> {
        let mut programmes = BTreeMap::new();
        for (version, document) in frame.programmes.drain(..) {
            let programme = Programme::read_from(document).map_err(|error| {
                Bad::overall("programme_version", Some(format!("version {version}")), error.to_string())
            })?;
            programmes.insert(version, programme);
        }
        let mut ladders = programmes.values().map(|programme| (&programme.tiers, programme.time_zone));
        let first = ladders.next();
        let steady = ladders.all(|ladder| Some(ladder) == first);
        let mut zones = programmes.values().map(|programme| programme.time_zone);
        let zone = zones.next().filter(|first| zones.all(|zone| zone == *first));
        let redates = programmes.values().any(Programme::redates_lots);
        let mut merged: HashMap<Uuid, Vec<Merged>> = HashMap::new();
        for row in frame.merged.drain(..) {
            merged.entry(row.root).or_default().push(row);
        }
        let mut merged_days: HashMap<Uuid, Vec<DayView>> = HashMap::new();
        for (root, row) in frame.merged_days.drain(..) {
            merged_days.entry(root).or_default().push(row);
        }
        let households = frame.households.drain(..).collect();
        let stores = frame.stores.drain(..).collect();
        Ok(Self { programmes, stores, steady, zone, redates, merged, merged_days, households })
    }

    /// The members that were merged into a member.
    pub(super) fn merged(&self, member: &Member<'_>) -> impl Iterator<Item = &Merged> {
        self.merged.get(&member.id.uuid()).into_iter().flatten()
    }

    /// Their qualifying days.
    pub(super) fn merged_days(&self, member: &Member<'_>) -> impl Iterator<Item = &DayView> {
        self.merged_days.get(&member.id.uuid()).into_iter().flatten()
    }

    /// How many have joined a member's pool.
    pub(super) fn household(&self, member: &Member<'_>) -> i64 {
        self.households.get(&member.id.uuid()).copied().unwrap_or_default()
    }

    /// The programme at a version.
    pub(super) fn programme(&self, version: i64) -> Option<&Programme> {
        self.programmes.get(&version)
    }

    /// Whether some version of the programme passes; true where there is none yet.
    pub(super) fn any(&self, passes: impl FnMut(&Programme) -> bool) -> bool {
        self.programmes.is_empty() || self.programmes.values().any(passes)
    }

    /// Under how many versions of the programme something holds, and how many there are.
    pub(super) fn count(&self, mut holds: impl FnMut(&Programme) -> bool) -> (usize, usize) {
        (self.programmes.values().filter(|programme| holds(programme)).count(), self.programmes.len())
    }

    /// The latest programme, where every version has the same ladder of tiers.
    pub(super) fn steady_ladder(&self) -> Option<&Programme> {
        self.programmes.values().next_back().filter(|_| self.steady)
    }

    /// The time zone, where it was always the same.
    pub(super) fn zone(&self) -> Option<Zone> {
        self.zone
    }

    /// Whether a change of tier may have changed when lots lapse that were open then. It overwrites
    /// the lot's row: how the lot stood before is not known.
    pub(super) fn redates(&self) -> bool {
        self.redates
    }

    /// Whether, for all that is known, a member's lots may have lapsed otherwise at an instant than
    /// their rows say now.
    pub(super) fn redated_since(&self, member: &Member<'_>, at: Instant) -> bool {
        self.redates && member.tier_changes.last().is_some_and(|(_, last)| last.recorded_at >= at)
    }

    /// Whether there is such a store.
    pub(super) fn has_store(&self, id: Uuid) -> bool {
        self.stores.contains(&id)
    }
}

/// Points by account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums([i128; Account::ALL.len()]);

impl Sums {
    fn place(account: Account) -> usize {
        Account::ALL.iter().position(|&other| other == account).unwrap_or_default()
    }

    /// Books an entry. Issued points and debt count what goes out, the others what comes in.
    pub(super) fn book(&mut self, entry: &Entry) {
        for (account, comes_in) in [(entry.from, false), (entry.to, true)] {
            let counts_out = matches!(account, Account::Issued | Account::Debt);
            let points = i128::from(entry.points.get());
            self.0[Self::place(account)] += if comes_in == counts_out { -points } else { points };
        }
    }

    /// Adds another sum.
    pub(super) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, points)| *sum += points);
    }

    /// The balance of an account.
    pub(super) fn of(&self, account: Account) -> i128 {
        self.0[Self::place(account)]
    }

    /// What is issued beyond what is somewhere: 0 in books that are right.
    pub(super) fn missing(&self) -> i128 {
        let somewhere = Account::ALL.into_iter().filter(|account| *account != Account::Issued).map(|account| {
            let points = self.of(account);
            if account == Account::Debt { -points } else { points }
        });
        self.of(Account::Issued) - somewhere.sum::<i128>()
    }
}
