//! The life of a lot as its entry opened it: when it was earned, from when it may be spent and when it
//! lapses, by the rules of the programme it was earned under.

use tessera_rules::Programme;
use tessera_rules::amount::Points;
use tessera_rules::expiry::Expiry;
use tessera_rules::id::MemberId;
use tessera_rules::ledger::{Account, Entry, EntryKind};
use tessera_rules::lot::{Lapse, Lot, LotKey};
use tessera_rules::tier::LotsOnChange;
use tessera_rules::time::{Instant, add_days};
use tessera_rules::trigger::promotion_of;

use super::books::{Bad, Books, Member};
use super::sales::{Sale, Sales};
use crate::store::verify::LotView;

/// A lot as its entry opened it.
pub(super) fn opened(
    member: &Member<'_>,
    books: &Books,
    sales: &Sales<'_>,
    entry: &Entry,
    row: &LotView,
) -> Result<Lot, Bad> {
    let bad = |what: &str| member.bad("lot", format_args!("number {}", row.number), what);
    if row.points != entry.points.get() {
        return Err(bad("its points are not those of the entry that opened it"));
    }
    let sale = sales.get(&entry.document.unwrap_or_default()).filter(|_| entry.kind == EntryKind::Accrual);
    let pending = entry.to == Account::Pending;
    // What came from another member is as old as it was there, and lapses as it did there.
    let came = entry.kind == EntryKind::Transfer;
    let available_from = came || available_from(books, sale, entry).is_none_or(|right| right == row.available_from);
    if !available_from || pending != (row.available_from > entry.recorded_at) {
        return Err(bad("its times are not those of the entry that opened it"));
    }
    origin(member, entry, row).map_err(bad)?;
    let lapse = match row.idle_months {
        Some(months) => Lapse::Idle { months: months.unsigned_abs() },
        None if row.fixed => Lapse::Fixed,
        None => Lapse::Dated,
    };
    let lot = Lot {
        number: row.number,
        entry: row.entry,
        points: entry.points,
        remaining: entry.points,
        held: Points::ZERO,
        lapsed: Points::ZERO,
        pending,
        origin: row.origin,
        parent: row.parent_member.zip(row.parent_lot).map(|(of, lot)| LotKey { member: MemberId::new(of), lot }),
        occurred_at: row.occurred_at,
        available_from: row.available_from,
        expires_at: row.expires_at,
        lapse,
    };
    if row.fixed && row.idle_months.is_some() || !lapses(member, books, sale, entry, &lot) {
        return Err(bad("its expiry is not what the programme says"));
    }
    Ok(lot)
}

/// From when the points of an entry may be spent; `None` for a purchase that is not there, which is
/// found with the documents.
fn available_from(books: &Books, sale: Option<&Sale<'_>>, entry: &Entry) -> Option<Instant> {
    if entry.kind != EntryKind::Accrual {
        return Some(entry.recorded_at);
    }
    let programme = books.programme(sale?.row.programme_version)?;
    let pending = chrono::Duration::days(i64::from(programme.earning.pending_days));
    Some(entry.effective_at.min(entry.recorded_at) + pending)
}

/// Points that are given back keep the day they were earned on, and point to the lot that had lapsed.
fn origin(member: &Member<'_>, entry: &Entry, row: &LotView) -> Result<(), &'static str> {
    if entry.kind == EntryKind::Transfer {
        let of = row.origin.and_then(|origin| member.lots.iter().map(|(_, lot)| lot).find(|lot| lot.number == origin));
        return match (row.origin, of) {
            (Some(_), None) => Err("its origin does not exist"),
            (Some(_), Some(lot)) if lot.origin.is_some() || lot.occurred_at != row.occurred_at => {
                Err("it does not stand for the lot of its origin")
            }
            _ => Ok(()),
        };
    }
    if entry.kind != EntryKind::GiveBack {
        return match row.origin {
            Some(_) => Err("its points are new, but it has an origin"),
            None if row.occurred_at != entry.effective_at => Err("its times are not those of the entry that opened it"),
            None => Ok(()),
        };
    }
    let earlier = |number| member.lots.iter().map(|(_, lot)| lot).find(|lot| lot.number == number);
    let origin = row.origin.filter(|origin| *origin < row.number).and_then(earlier);
    let taken = entry.reverses.into_iter().flat_map(|spent| member.moved_by(spent));
    let mut roots = taken.map(|movement| member.root(movement.lot));
    match origin {
        Some(origin) if origin.origin.is_some() || origin.occurred_at != row.occurred_at => {
            Err("it does not stand for the lot of its origin")
        }
        Some(origin) if roots.any(|root| root == origin.number) => Ok(()),
        _ => Err("its origin is not a lot that the points were spent from"),
    }
}

/// Whether a lot lapses as the rules say.
fn lapses(member: &Member<'_>, books: &Books, sale: Option<&Sale<'_>>, entry: &Entry, lot: &Lot) -> bool {
    match entry.kind {
        EntryKind::Transfer => true,
        EntryKind::Perk => match entry.reason.as_deref().and_then(promotion_of) {
            Some(code) => books
                .any(|programme| by_grant(programme, code, lot) || by_tier(member, books, programme, None, entry, lot)),
            None => member.grants.iter().any(|(_, grant)| {
                let granted = Some(&grant.perk) == entry.reason.as_ref() && grant.granted_at == entry.recorded_at;
                granted && lot.lapse == Lapse::Fixed && lot.expires_at == Some(grant.window_until)
            }),
        },
        EntryKind::GiveBack => books.any(|programme| {
            let (zone, grace) = (programme.time_zone, programme.returns.expired_return_grace_days);
            let ends = zone.midnight(add_days(zone.day_of(entry.recorded_at), i64::from(grace) + 1));
            lot.lapse == Lapse::Fixed && lot.expires_at == Some(ends)
        }),
        EntryKind::Accrual => {
            let Some(sale) = sale else { return true };
            let Some(programme) = books.programme(sale.row.programme_version) else { return true };
            by_promotion(programme, sale, lot) || by_tier(member, books, programme, Some(sale), entry, lot)
        }
        _ => books.any(|programme| by_tier(member, books, programme, None, entry, lot)),
    }
}

/// Whether a promotion that gave points to the sale let them lapse so.
fn by_promotion(programme: &Programme, sale: &Sale<'_>, lot: &Lot) -> bool {
    lot.lapse == Lapse::Fixed
        && sale.told.explanation.promotions.iter().filter(|given| given.charged > 0).any(|given| {
            let promotion = programme.promotions.iter().find(|promotion| promotion.code == given.code);
            let rule = promotion.and_then(|promotion| promotion.expiry.as_ref());
            rule.is_some_and(|rule| rule.expires_at(programme.time_zone, lot.available_from) == lot.expires_at)
        })
}

/// Whether a promotion that granted points lets them lapse so.
fn by_grant(programme: &Programme, code: &str, lot: &Lot) -> bool {
    let rule = programme.promotion(code).and_then(|promotion| promotion.expiry.as_ref());
    let ends = |rule: &Expiry| rule.expires_at(programme.time_zone, lot.available_from);
    lot.lapse == Lapse::Fixed && rule.is_some_and(|rule| ends(rule) == lot.expires_at)
}

/// Whether a lot lapses by the rule of a tier: the one the sale earned at, or the one it took with a
/// change of tier.
fn by_tier(
    member: &Member<'_>,
    books: &Books,
    programme: &Programme,
    sale: Option<&Sale<'_>>,
    entry: &Entry,
    lot: &Lot,
) -> bool {
    if books.redated_since(member, entry.recorded_at) {
        let rules = |book: &Programme| (0..book.tiers.levels.len()).any(|tier| taken(member, book, tier, lot));
        return books.any(rules);
    }
    let keeps = programme.tiers.lots_on_change == LotsOnChange::Keep;
    let fits = |tier: usize| {
        let rule = programme.expiry_at(tier);
        lot.expires_at == rule.expires_at(programme.time_zone, lot.available_from) && lot.lapse == lapse(rule)
    };
    match sale {
        Some(sale) if keeps => fits(programme.tier_position(&sale.told.explanation.tier)),
        // No change of tier came since.
        Some(_) => fits(programme.tier_position(&member.standing.tier)),
        None => (0..programme.tiers.levels.len()).any(fits),
    }
}

/// Whether a lot lapses by the rule of a tier that was reached after it had opened: nothing lapses
/// before the change.
fn taken(member: &Member<'_>, programme: &Programme, tier: usize, lot: &Lot) -> bool {
    let rule = programme.expiry_at(tier);
    let due = rule.expires_at(programme.time_zone, lot.available_from);
    let at_change =
        |due: Instant| member.tier_changes.iter().any(|(_, change)| lot.expires_at == Some(due.max(change.at)));
    lot.lapse == lapse(rule) && (lot.expires_at == due || due.is_some_and(at_change))
}

fn lapse(rule: &Expiry) -> Lapse {
    match rule {
        Expiry::Inactivity { months } => Lapse::Idle { months: *months },
        _ => Lapse::Dated,
    }
}
