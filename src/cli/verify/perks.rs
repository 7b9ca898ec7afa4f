//! Grants of perks: one an occasion, inside its window, with the points it gave, and used once.

use std::collections::BTreeMap;

use tessera_rules::ledger::{Entry, EntryKind};
use tessera_rules::occasion::OccasionKind;
use tessera_rules::perk::{BIRTHDAY_REST, PerkGift};
use tessera_rules::redemption::RedemptionStatus;
use tessera_rules::time::Instant;

use super::books::{Bad, Member};
use crate::store::ledger::PerkGrantView;
use crate::store::verify::RedemptionView;

/// Checks the grants of a member, which stand in the order of perk and occasion. One grant an occasion
/// is the table's key; read in its order, two of one occasion would stand side by side.
pub(super) fn check(member: &Member<'_>, entries: &[Entry]) -> Result<(), Bad> {
    let mut given: BTreeMap<(&str, Instant), i64> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.kind == EntryKind::Perk) {
        *given.entry((entry.reason.as_deref().unwrap_or_default(), entry.recorded_at)).or_default() +=
            entry.points.get();
    }
    // Two tiers may be reached at one moment: their grants are told apart by the occasion alone.
    let mut granted: BTreeMap<(&str, Instant), i64> = BTreeMap::new();
    let mut last: Option<&PerkGrantView> = None;
    for (_, row) in member.grants {
        let bad = |what: &str| member.bad("perk_grant", format_args!("{} {}", row.perk, row.occasion), what);
        let before = last.filter(|last| last.perk == row.perk);
        if before.is_some_and(|last| last.occasion == row.occasion) {
            return Err(bad("it was granted twice for one occasion"));
        }
        let birthday = |row: &PerkGrantView| OccasionKind::word_of(row.occasion) == OccasionKind::Birthday.as_str();
        let of_birthday = before.filter(|last| birthday(last) && birthday(row));
        if of_birthday.is_some_and(|last| row.granted_at < last.granted_at + BIRTHDAY_REST) {
            return Err(bad("it was granted within 330 days of the birthday before"));
        }
        let inside = row.window_from <= row.granted_at && row.granted_at < row.window_until;
        if !inside || row.granted_at > member.standing.recorded_at {
            return Err(bad("it was not granted inside its window"));
        }
        if let PerkGift::Points { points } = gift(&row.gift).ok_or_else(|| bad("its gift cannot be read"))? {
            *granted.entry((&row.perk, row.granted_at)).or_default() += points.get();
        }
        last = Some(row);
    }
    if let Some((perk, _)) = granted.iter().find(|(key, points)| given.get(key) != Some(points)) {
        return Err(member.bad("perk_grant", perk.0, "its entries do not give its points"));
    }
    match given.into_keys().find(|key| !granted.contains_key(key)) {
        Some((perk, _)) => Err(member.bad("perk_grant", perk, "points were given without a grant")),
        None => used(member),
    }
}

/// What a perk gives, as its grant has it.
pub(super) fn gift(gift: &serde_json::Value) -> Option<PerkGift> {
    serde::Deserialize::deserialize(gift).ok()
}

/// Rewards that perks gave: each by a grant of that reward, inside its window, and each grant used once.
fn used(member: &Member<'_>) -> Result<(), Bad> {
    let standing = |row: &RedemptionView| row.status != RedemptionStatus::Voided.as_str();
    for (i, (_, row)) in member.redemptions.iter().enumerate() {
        let bad = |what: &str| Err(member.bad("redemption", row.id, what));
        let (Some(perk), Some(occasion)) = (&row.perk, row.occasion) else { continue };
        let grant = member.grants.iter().map(|(_, grant)| grant).find(|grant| {
            (&grant.perk, grant.occasion) == (perk, occasion)
                && grant.window_from <= row.recorded_at
                && row.recorded_at < grant.window_until
        });
        let gives = grant.and_then(|grant| gift(&grant.gift));
        if !matches!(gives, Some(PerkGift::Reward { reward }) if row.reward.as_ref() == Some(&reward)) {
            return bad("no grant gave it");
        }
        let mut earlier = member.redemptions[..i].iter().map(|(_, row)| row).filter(|row| standing(row));
        if standing(row) && earlier.any(|other| (&other.perk, other.occasion) == (&row.perk, row.occasion)) {
            return bad("its grant was used before");
        }
    }
    Ok(())
}
