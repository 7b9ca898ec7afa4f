//! What entries moved, by the document they belong to.

use std::collections::HashMap;

use tessera_rules::ledger::{Account, Entry, EntryKind};
use tessera_rules::time::Instant;
use uuid::Uuid;

use super::books::{Bad, Member};
use super::sales::Sales;

/// What the entries of one kind and document moved, and when.
#[derive(Default)]
pub(super) struct Sum {
    pub(super) points: i64,
    /// Of these, points that became debt.
    pub(super) owed: i64,
    pub(super) effective_at: Option<Instant>,
    pub(super) recorded_at: Option<Instant>,
    /// The last of them.
    pub(super) entry: Option<i64>,
}

/// The sums that no document has asked for yet.
pub(super) struct Moved(HashMap<(EntryKind, Uuid), Sum>);

/// Kinds of entries that belong to a document which is compared with them here; adjustments and
/// re-ratings are compared as a whole ([`crate::store::adjustment::astray`], [`crate::store::re_rating::astray`]).
fn has_document(entry: &Entry) -> bool {
    match entry.kind {
        EntryKind::Accrual
        | EntryKind::Redemption
        | EntryKind::Hold
        | EntryKind::Release
        | EntryKind::Return
        | EntryKind::GiveBack => true,
        EntryKind::Expiry => entry.from == Account::Held,
        EntryKind::Perk
        | EntryKind::Adjustment
        | EntryKind::ReRating
        | EntryKind::Activation
        | EntryKind::DebtPayment
        | EntryKind::Transfer => false,
    }
}

/// Checks that the document of every entry is there, and the purchase of every return. All else follows
/// from documents: this comes first, so that the row without one is named.
pub(super) fn documents(member: &Member<'_>, entries: &[Entry], sales: &Sales<'_>) -> Result<(), Bad> {
    let redeemed = |id: &Uuid| member.redemptions.binary_search_by_key(id, |(_, row)| row.id).is_ok();
    let returned = |id: &Uuid| member.returns.binary_search_by_key(id, |(_, row)| row.id).is_ok();
    // Points that came from another member pay a debt for the document that moved them.
    let came = |entry: &Entry| {
        let before = usize::try_from(entry.number - 1).ok().and_then(|number| entries.get(..number));
        let same = |other: &&Entry| other.document == entry.document && other.kind == EntryKind::Transfer;
        before.is_some_and(|before| before.iter().rev().find(same).is_some())
    };
    let known = |entry: &Entry| {
        let Some(id) = &entry.document else { return !has_document(entry) };
        match entry.kind {
            EntryKind::Accrual => sales.contains_key(id),
            EntryKind::Redemption | EntryKind::Hold | EntryKind::Release | EntryKind::Expiry => redeemed(id),
            EntryKind::Return => returned(id),
            EntryKind::GiveBack => redeemed(id) || returned(id),
            EntryKind::DebtPayment => redeemed(id) || returned(id) || came(entry),
            EntryKind::Perk
            | EntryKind::Adjustment
            | EntryKind::ReRating
            | EntryKind::Activation
            | EntryKind::Transfer => true,
        }
    };
    if let Some(entry) = entries.iter().find(|entry| !known(entry)) {
        return Err(member.bad("entry", format_args!("number {}", entry.number), "its document does not exist"));
    }
    match member.returns.iter().find(|(_, row)| !sales.contains_key(&row.purchase_id)) {
        Some((_, row)) => Err(member.bad("purchase_return", row.id, "there is no such purchase")),
        None => Ok(()),
    }
}

impl Moved {
    pub(super) fn of(entries: &[Entry]) -> Self {
        let mut sums: HashMap<(EntryKind, Uuid), Sum> = HashMap::new();
        for entry in entries.iter().filter(|entry| has_document(entry)) {
            let sum = sums.entry((entry.kind, entry.document.unwrap_or_default())).or_default();
            sum.points = sum.points.saturating_add(entry.points.get());
            if entry.from == Account::Debt {
                sum.owed = sum.owed.saturating_add(entry.points.get());
            }
            sum.effective_at = Some(entry.effective_at);
            sum.recorded_at = Some(entry.recorded_at);
            sum.entry = Some(entry.number);
        }
        Self(sums)
    }

    /// What the entries of a kind moved for a document.
    pub(super) fn take(&mut self, kind: EntryKind, document: Uuid) -> Sum {
        self.0.remove(&(kind, document)).unwrap_or_default()
    }
}
