//! What every member is checked against, and how a row that is wrong is named.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use tessera_rules::Programme;
use tessera_rules::id::MemberId;
use tessera_rules::ledger::{Account, Entry};
use tessera_rules::tier::Window;
use tessera_rules::time::{Day, add_days};
use uuid::Uuid;

use crate::store::ledger::{EntryView, PerkGrantView, TierChangeView};
use crate::store::verify::{
    DayView, Frame, LotView, MovementView, PersonView, PurchaseView, RedemptionView, StandingView,
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
}

impl Member<'_> {
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
    /// The ladder of tiers, where every version has the same.
    steady: bool,
}

impl Books {
    pub(super) fn new(frame: &mut Frame) -> Result<Self, Bad> {
        let mut programmes = BTreeMap::new();
        for (version, document) in frame.programmes.drain(..) {
            let programme: Programme = serde_json::from_value(document).map_err(|error| {
                Bad::overall("programme_version", Some(format!("version {version}")), error.to_string())
            })?;
            programmes.insert(version, programme);
        }
        let mut ladders = programmes.values().map(|programme| (&programme.tiers, programme.time_zone));
        let first = ladders.next();
        let steady = ladders.all(|ladder| Some(ladder) == first);
        Ok(Self { programmes, stores: frame.stores.drain(..).collect(), steady })
    }

    /// The programme at a version.
    pub(super) fn programme(&self, version: i64) -> Option<&Programme> {
        self.programmes.get(&version)
    }

    /// Whether some version of the programme passes; true where there is none yet.
    pub(super) fn any(&self, passes: impl FnMut(&Programme) -> bool) -> bool {
        self.programmes.is_empty() || self.programmes.values().any(passes)
    }

    /// The latest programme, where every version has the same ladder of tiers.
    pub(super) fn steady_ladder(&self) -> Option<&Programme> {
        self.programmes.values().next_back().filter(|_| self.steady)
    }

    /// Whether there is such a store.
    pub(super) fn has_store(&self, id: Uuid) -> bool {
        self.stores.contains(&id)
    }
}

/// The first day at whose midnight something leaves a window.
pub(super) fn next_fall(window: Window, oldest: Option<Day>, to: Day) -> Option<Day> {
    match window {
        Window::Rolling { days } => oldest.map(|oldest| add_days(oldest, i64::from(days))),
        Window::CalendarYear => Some(add_days(to, 1)).filter(|_| to < tessera_rules::tier::LAST_DAY),
        Window::Lifetime => None,
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
