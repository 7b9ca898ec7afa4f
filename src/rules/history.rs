//! The books as they were shown at an instant of the past (PROGRAMME.md §2: a read shows the settled
//! state).
//!
//! What a member saw at an instant is not the sum of what was on record by then: points that had
//! lapsed were not shown any more, though the entry that says so was made days later, by a job or by
//! the next command. And a purchase that a till reported late was not shown before it was reported,
//! whenever it had happened. So an entry that the clock brought about counts from the instant it was
//! due, every other one from the instant it was recorded; and none before the entries made before it,
//! for a lot cannot lapse before it was there.

use crate::amount::{OutOfRange, Points};
use crate::command::Role;
use crate::decision::Balance;
use crate::ledger::{Account, Entry, EntryKind};
use crate::time::Instant;

/// What an entry moved, and since when it was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Movement {
    /// Why.
    pub kind: EntryKind,
    /// Who.
    pub role: Role,
    /// Where the points left.
    pub from: Account,
    /// Where they arrived.
    pub to: Account,
    /// How many; above 0.
    pub points: Points,
    /// When it was due or happened.
    pub effective_at: Instant,
    /// When it was decided.
    pub recorded_at: Instant,
}

impl From<&Entry> for Movement {
    fn from(entry: &Entry) -> Self {
        Self {
            kind: entry.kind,
            role: entry.actor.role,
            from: entry.from,
            to: entry.to,
            points: entry.points,
            effective_at: entry.effective_at,
            recorded_at: entry.recorded_at,
        }
    }
}

impl Movement {
    /// From when it was shown, as far as it alone tells.
    fn shown_from(&self) -> Instant {
        let due = matches!(
            self.kind,
            EntryKind::Activation | EntryKind::Expiry | EntryKind::Release | EntryKind::DebtPayment
        );
        if due && self.role == Role::System { self.effective_at } else { self.recorded_at }
    }
}

/// What was shown at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// Points per account.
    pub balance: Balance,
    /// Everything earned by purchases and perks until then.
    pub lifetime_earned: Points,
    /// How many of the member's entries that was: the number of the last.
    pub entries: i64,
}

/// What was shown of a member at an instant, from all of his entries in the order of their numbers,
/// those included that settling would make by now.
///
/// # Errors
/// A sum leaves ±(2^53 − 1), which stored entries never do.
pub fn shown_at(entries: impl IntoIterator<Item = Movement>, at: Instant) -> Result<Shown, OutOfRange> {
    let nothing = Balance { available: Points::ZERO, pending: Points::ZERO, held: Points::ZERO, debt: Points::ZERO };
    let mut shown = Shown { balance: nothing, lifetime_earned: Points::ZERO, entries: 0 };
    // Entries are numbered in the order they were decided: the first that was not shown yet ends it.
    for entry in entries.into_iter().take_while(|entry| entry.shown_from() <= at) {
        let Movement { from, to, points, .. } = entry;
        if let Some(left) = shown.balance.of(from) {
            *left = if from == Account::Debt { left.plus(points)? } else { left.minus(points)? };
        }
        if let Some(reached) = shown.balance.of(to) {
            *reached = if to == Account::Debt { reached.minus(points)? } else { reached.plus(points)? };
        }
        if from == Account::Issued {
            shown.lifetime_earned = shown.lifetime_earned.plus(points)?;
        }
        shown.entries += 1;
    }
    Ok(shown)
}

impl Balance {
    /// The part of it that an account of the member's is.
    fn of(&mut self, account: Account) -> Option<&mut Points> {
        match account {
            Account::Available => Some(&mut self.available),
            Account::Pending => Some(&mut self.pending),
            Account::Held => Some(&mut self.held),
            Account::Debt => Some(&mut self.debt),
            Account::Issued
            | Account::Redeemed
            | Account::Expired
            | Account::Returned
            | Account::Adjusted
            | Account::Transferred => None,
        }
    }
}
