//! The state of a member as loaded for one batch of commands, and how a decision changes it.

use std::collections::BTreeMap;

use crate::amount::{OutOfRange, Points};
use crate::decision::Effect;
use crate::id::MemberId;
use crate::ledger::{Account, Entry, GENESIS};
use crate::lot::{Lot, LotMovement};
use crate::perk::PerkGrant;
use crate::tier::TierChange;
use crate::time::{BirthDate, Day, Instant};

/// What a batch knows: its members, and what they share.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Members by id.
    pub members: BTreeMap<MemberId, MemberState>,
    /// Counters shared between members.
    pub shared: Shared,
}

/// Rows that several members change: how much of each limited thing is used up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shared {
    /// Rewards handed out so far, by code.
    pub rewards_used: BTreeMap<String, i64>,
}

/// One member as loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberState {
    /// The hot row: balances and standing.
    pub standing: Standing,
    /// Open lots by number: all of them for a debit or when one falls due, else none.
    pub lots: BTreeMap<i64, Lot>,
    /// Qualifying days that enter or leave the window up to the batch's time, the first day that
    /// stays in it, and the days whose cap a purchase asks for.
    pub days: BTreeMap<Day, DayTotals>,
    /// Tier changes, oldest first; loaded when a command looks back in time.
    pub tier_changes: Vec<TierChange>,
    /// Perk grants; loaded for a perk, and for a purchase inside a granted multiplier's window.
    pub grants: Vec<PerkGrant>,
    /// Birth date; loaded for a perk.
    pub birth_date: Option<BirthDate>,
    /// The earliest expiry among open lots that were not loaded: noted when a purchase opens a lot
    /// beside them, for the new lot may lapse before they do. They are loaded before they move.
    unloaded_due_at: Option<Instant>,
}

/// A member's cached balances and standing: the one row a command locks. Everything in it follows
/// from the member's entries, lots, purchases and days, and `tessera verify` recomputes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whose.
    pub member: MemberId,
    /// A frozen member neither earns nor redeems.
    pub frozen: bool,
    /// When the member joined.
    pub enrolled_at: Instant,
    /// The time of the last command; the next is never earlier.
    pub recorded_at: Instant,
    /// Balance of `pending`.
    pub pending: Points,
    /// Balance of `available`.
    pub available: Points,
    /// Balance of `held`.
    pub held: Points,
    /// Balance of `debt`: what the member owes.
    pub debt: Points,
    /// Everything ever earned by purchases and perks.
    pub lifetime_earned: Points,
    /// Number of the last entry.
    pub entries: i64,
    /// Hash of the last entry.
    pub head: [u8; 32],
    /// Number of the last lot.
    pub lots: i64,
    /// Purchases so far.
    pub purchases: i64,
    /// Unawarded fraction of a point, in micropoints (PROGRAMME.md §1).
    pub carry: i64,
    /// Code of the current tier; empty: the lowest.
    pub tier: String,
    /// Since when.
    pub tier_since: Instant,
    /// Number of the last tier change.
    pub tier_changes: i64,
    /// First day of the window that `window` sums.
    pub window_from: Day,
    /// Last day of it.
    pub window_to: Day,
    /// The sums of the qualifying days in the window.
    pub window: DayTotals,
    /// The oldest qualifying day in the window.
    pub window_oldest: Option<Day>,
    /// The earliest expiry among open lots.
    pub lots_due_at: Option<Instant>,
    /// The next midnight at which the tier may fall.
    pub tier_due_at: Option<Instant>,
    /// The end of the last multiplier a perk granted.
    pub boost_until: Option<Instant>,
    /// The last step of the member's rotating code that was used; 0: none.
    pub otp_step: i64,
}

/// What the purchases of one local day add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DayTotals {
    /// Base points.
    pub points: i64,
    /// Basis in minor units.
    pub spend: i64,
    /// Purchases.
    pub visits: i64,
    /// Points given, for the cap per day.
    pub given: i64,
}

impl DayTotals {
    /// Adds another sum.
    pub fn plus(self, other: Self) -> Result<Self, OutOfRange> {
        let add = |a: i64, b: i64| a.checked_add(b).ok_or(OutOfRange);
        Ok(Self {
            points: add(self.points, other.points)?,
            spend: add(self.spend, other.spend)?,
            visits: add(self.visits, other.visits)?,
            given: add(self.given, other.given)?,
        })
    }

    /// The same sum with its sign turned.
    pub fn negated(self) -> Self {
        Self { points: -self.points, spend: -self.spend, visits: -self.visits, given: -self.given }
    }
}

impl Standing {
    /// A member who has just joined.
    pub fn new(member: MemberId, enrolled_at: Instant) -> Self {
        Self {
            member,
            frozen: false,
            enrolled_at,
            recorded_at: enrolled_at,
            pending: Points::ZERO,
            available: Points::ZERO,
            held: Points::ZERO,
            debt: Points::ZERO,
            lifetime_earned: Points::ZERO,
            entries: 0,
            head: GENESIS,
            lots: 0,
            purchases: 0,
            carry: 0,
            tier: String::new(),
            tier_since: enrolled_at,
            tier_changes: 0,
            window_from: crate::tier::FIRST_DAY,
            window_to: crate::tier::LAST_DAY,
            window: DayTotals::default(),
            window_oldest: None,
            lots_due_at: None,
            tier_due_at: None,
            boost_until: None,
            otp_step: 0,
        }
    }

    /// The next instant at which the clock alone changes this member.
    pub fn due_at(&self) -> Option<Instant> {
        [self.lots_due_at, self.tier_due_at].into_iter().flatten().min()
    }

    fn balance(&mut self, account: Account) -> Option<&mut Points> {
        match account {
            Account::Pending => Some(&mut self.pending),
            Account::Available => Some(&mut self.available),
            Account::Held => Some(&mut self.held),
            Account::Debt => Some(&mut self.debt),
            _ => None,
        }
    }

    /// Books an entry on the balances. Debt counts what goes out of it, the others what comes in.
    fn book(&mut self, entry: &Entry) -> Result<(), OutOfRange> {
        for (account, comes_in) in [(entry.from, false), (entry.to, true)] {
            let grows = comes_in != (account == Account::Debt);
            if let Some(balance) = self.balance(account) {
                *balance = if grows { balance.plus(entry.points)? } else { balance.minus(entry.points)? };
            }
        }
        self.entries = entry.number;
        self.head = entry.hash;
        Ok(())
    }
}

impl MemberState {
    /// A member with nothing loaded beside the standing.
    pub fn new(standing: Standing) -> Self {
        Self {
            standing,
            lots: BTreeMap::new(),
            days: BTreeMap::new(),
            tier_changes: Vec::new(),
            grants: Vec::new(),
            birth_date: None,
            unloaded_due_at: None,
        }
    }

    /// Changes the state by one effect. Errors when a sum leaves ±(2^53 − 1).
    pub(crate) fn apply(&mut self, effect: &Effect) -> Result<(), OutOfRange> {
        match effect {
            Effect::Entry(entry) => self.standing.book(entry)?,
            Effect::OpenLot(lot) => self.open_lot(lot),
            Effect::MoveLot(movement) => self.move_lot(movement)?,
            Effect::Day { day, totals } => {
                let sum = self.days.get(day).copied().unwrap_or_default().plus(*totals)?;
                self.days.insert(*day, sum);
            }
            Effect::Tier(change) => {
                self.standing.tier.clone_from(&change.to);
                self.standing.tier_since = change.at;
                self.standing.tier_changes = change.number;
                self.tier_changes.push(change.clone());
            }
            Effect::Grant(grant) => self.grants.push(grant.clone()),
            Effect::Standing(patch) => patch.apply(&mut self.standing)?,
            Effect::UseReward { .. } | Effect::Purchase(_) | Effect::Redemption(_) => {}
        }
        Ok(())
    }

    fn open_lot(&mut self, lot: &Lot) {
        let due = self.standing.lots_due_at;
        if due.is_some() && !self.open_lots().any(|open| open.expires_at == due) {
            self.unloaded_due_at = due;
        }
        self.standing.lots = lot.number;
        self.standing.lots_due_at = [due, lot.expires_at].into_iter().flatten().min();
        self.lots.insert(lot.number, *lot);
    }

    fn move_lot(&mut self, movement: &LotMovement) -> Result<(), OutOfRange> {
        if let Some(lot) = self.lots.get_mut(&movement.lot) {
            lot.remaining = lot.remaining.plus(movement.points)?;
        }
        let due = self.open_lots().filter_map(|lot| lot.expires_at).chain(self.unloaded_due_at).min();
        self.standing.lots_due_at = due;
        Ok(())
    }

    fn open_lots(&self) -> impl Iterator<Item = &Lot> {
        self.lots.values().filter(|lot| lot.remaining.is_positive())
    }
}

impl State {
    /// Changes the state by the effects of a decision made on it.
    ///
    /// # Errors
    /// A sum left ±(2^53 − 1); `decide` has met the same error before and refused.
    pub fn apply(&mut self, member: MemberId, effects: &[Effect]) -> Result<(), OutOfRange> {
        let Some(state) = self.members.get_mut(&member) else { return Ok(()) };
        for effect in effects {
            state.apply(effect)?;
            if let Effect::UseReward { code } = effect {
                *self.shared.rewards_used.entry(code.clone()).or_default() += 1;
            }
        }
        Ok(())
    }
}
