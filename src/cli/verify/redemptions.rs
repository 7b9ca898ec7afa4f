//! Redemptions: what was held is captured, let go or still held, what was spent is given back or not,
//! and each row says how it stands.

use std::collections::{BTreeMap, HashMap};

use tessera_rules::Programme;
use tessera_rules::amount::Points;
use tessera_rules::ledger::{Entry, EntryKind};
use tessera_rules::programme::MoneyOff;
use tessera_rules::redemption::RedemptionStatus;
use tessera_rules::reward::Reward;
use tessera_rules::time::{Day, Instant};

use super::books::{Bad, Books, Member};
use super::moved::{Moved, Sum};
use super::sales::Sales;
use crate::store::verify::RedemptionView;

/// What entries gave back of one redemption.
#[derive(Default)]
struct Back {
    /// Points in all.
    points: i64,
    /// To the lots they came from.
    lots: BTreeMap<i64, i64>,
}

/// Checks the redemptions of a member.
pub(super) fn check(
    member: &Member<'_>,
    books: &Books,
    entries: &[Entry],
    sales: &Sales<'_>,
    moved: &mut Moved,
) -> Result<(), Bad> {
    let backs = backs(member, entries)?;
    let none = Back::default();
    let mut held: BTreeMap<i64, i64> = BTreeMap::new();
    for (_, row) in member.redemptions {
        let bad = |what: &str| member.bad("redemption", row.id, what);
        let status = RedemptionStatus::parse(&row.status).ok_or_else(|| bad("its status is not known"))?;
        let back = row.entry.and_then(|entry| backs.get(&entry)).unwrap_or(&none);
        let voided = moved.take(EntryKind::GiveBack, row.id);
        if voided.points != if status == RedemptionStatus::Voided { back.points } else { 0 } {
            return Err(bad("what was given back when it was voided is not what its entries gave back"));
        }
        let asked = spent(member, row, status, back, moved)?;
        let bites = bites(member, row, status, back)?;
        if status == RedemptionStatus::Held {
            bites.iter().for_each(|(lot, points)| *held.entry(*lot).or_default() += points);
        }
        offered(member, books, row, asked)?;
        if row.store_id.is_some_and(|store| !books.has_store(store)) {
            return Err(bad("there is no such store"));
        }
        let sale = row.purchase_id.map(|id| sales.get(&id).and_then(|sale| sale.row.redemption_id));
        if sale.is_some_and(|redemption| redemption != Some(row.id)) {
            return Err(bad("its purchase does not know of it"));
        }
    }
    paid(member)?;
    limits(member, books)?;
    let left = held.iter().filter(|(_, points)| **points != 0).count();
    let lots = member.lots.iter().filter(|(_, lot)| lot.held != 0);
    let strays = lots.clone().find(|(_, lot)| held.get(&lot.number) != Some(&lot.held));
    if let Some((_, lot)) = strays {
        return Err(member.bad(
            "lot",
            format_args!("number {}", lot.number),
            "no open redemption holds its held points",
        ));
    }
    if lots.count() != left {
        return Err(member.wrong("a redemption holds points of a lot that has none held"));
    }
    let due = member.redemptions.iter().filter_map(|(_, row)| row.held_until).min();
    member.same("holds_due_at", member.standing.clock.holds_due_at, due)
}

/// What a reward costs: everybody, or some tiers.
fn prices(reward: &Reward) -> impl Iterator<Item = i64> {
    std::iter::once(reward.points).chain(reward.points_by_tier.iter().map(|price| price.points)).map(Points::get)
}

/// The member has no more of a reward than some version of the programme lets him.
fn limits(member: &Member<'_>, books: &Books) -> Result<(), Bad> {
    let mut taken: BTreeMap<&str, Vec<Instant>> = BTreeMap::new();
    let standing = member.redemptions.iter().map(|(_, row)| row).filter(|row| row.perk.is_none());
    for row in standing.filter(|row| row.status != RedemptionStatus::Voided.as_str()) {
        if let Some(reward) = &row.reward {
            taken.entry(reward).or_default().push(row.recorded_at);
        }
    }
    for (reward, at) in taken {
        let within = |programme: &Programme| {
            let limit = programme.reward(reward).and_then(|reward| reward.per_member);
            limit.is_none_or(|limit| {
                let mut periods: BTreeMap<Option<Day>, u32> = BTreeMap::new();
                let zone = programme.time_zone;
                at.iter().for_each(|at| *periods.entry(limit.counted_from(zone.day_of(*at))).or_default() += 1);
                periods.values().all(|count| *count <= limit.most)
            })
        };
        if !books.any(within) {
            return Err(member.wrong(format!("the member has more of the reward {reward} than he may")));
        }
    }
    Ok(())
}

/// Every redemption that a purchase names is there.
fn paid(member: &Member<'_>) -> Result<(), Bad> {
    for (_, purchase) in member.purchases {
        let Some(id) = purchase.redemption_id else { continue };
        let of_it = member.redemptions.binary_search_by_key(&id, |(_, row)| row.id).ok();
        if of_it.is_none_or(|at| member.redemptions[at].1.purchase_id != Some(purchase.id)) {
            return Err(member.bad("purchase", purchase.id, "the redemption that paid for it is not there"));
        }
    }
    Ok(())
}

/// What was given back, by the entry that had spent it.
fn backs(member: &Member<'_>, entries: &[Entry]) -> Result<HashMap<i64, Back>, Bad> {
    let mut backs: HashMap<i64, Back> = HashMap::new();
    for entry in entries.iter().filter(|entry| entry.kind == EntryKind::GiveBack) {
        let spent = entry.reverses.and_then(|number| entries.get(usize::try_from(number - 1).ok()?));
        let Some(spent) = spent.filter(|spent| spent.kind == EntryKind::Redemption) else {
            let what = "it gives back what no entry before it had spent";
            return Err(member.bad("entry", format_args!("number {}", entry.number), what));
        };
        let back = backs.entry(spent.number).or_default();
        back.points = back.points.saturating_add(entry.points.get());
        for movement in member.moved_by(entry.number) {
            *back.lots.entry(movement.lot).or_default() += movement.points;
        }
    }
    Ok(backs)
}

/// Compares a redemption with its entries: captured + let go + still held = held. Returns how many points
/// were asked for in the beginning.
fn spent(
    member: &Member<'_>,
    row: &RedemptionView,
    status: RedemptionStatus,
    back: &Back,
    moved: &mut Moved,
) -> Result<i64, Bad> {
    let bad = |what: &str| Err(member.bad("redemption", row.id, what));
    let (hold, capture) = (moved.take(EntryKind::Hold, row.id), moved.take(EntryKind::Redemption, row.id));
    let (released, lapsed) = (moved.take(EntryKind::Release, row.id), moved.take(EntryKind::Expiry, row.id));
    let nothing = [&hold, &capture, &released, &lapsed].iter().all(|sum| sum.entry.is_none());
    if row.reward.is_some() && row.points == 0 {
        // What is free for a tier or given by a perk moves no points; the perk is looked at with the grants.
        let fits = (status == RedemptionStatus::Held) == row.held_until.is_some();
        let free = nothing && fits && row.points == 0 && row.entry.is_none();
        return if free { Ok(0) } else { bad("it cost nothing, and points moved") };
    }
    let first: &Sum = if hold.entry.is_some() { &hold } else { &capture };
    let last: &Sum = if capture.entry.is_some() { &capture } else { &hold };
    if last.points != row.points || first.recorded_at != Some(row.recorded_at) || row.entry != last.entry {
        return bad("it and its entry do not agree");
    }
    let open = if status == RedemptionStatus::Held { row.points } else { 0 };
    let let_go = released.points.saturating_add(lapsed.points);
    let split = capture.points.saturating_add(let_go).saturating_add(open);
    if hold.entry.is_some() && split != hold.points || hold.entry.is_none() && let_go != 0 {
        return bad("captured, let go and open points do not sum to those held");
    }
    let fits = match status {
        RedemptionStatus::Held => hold.entry.is_some() && capture.entry.is_none() && let_go == 0,
        RedemptionStatus::Captured => capture.entry.is_some() && back.points <= row.points,
        RedemptionStatus::Voided => capture.entry.is_none() || back.points == row.points,
    };
    if !fits {
        return bad("its status is not what its entries say");
    }
    if (status == RedemptionStatus::Held) != row.held_until.is_some() {
        return bad("only a hold has an end");
    }
    Ok(first.points)
}

/// The lots a redemption says its points came from: what its entry took less what was given back.
/// Points of a lapsed lot are given back to a new one, so that only their sum is known.
fn bites(
    member: &Member<'_>,
    row: &RedemptionView,
    status: RedemptionStatus,
    back: &Back,
) -> Result<BTreeMap<i64, i64>, Bad> {
    let bad = |what: &str| Err(member.bad("redemption", row.id, what));
    let bites: BTreeMap<i64, i64> = row.bite_lots.iter().copied().zip(row.bite_points.iter().copied()).collect();
    if bites.len() != row.bite_lots.len() || bites.values().any(|points| *points <= 0) {
        return bad("its bites are not points of lots");
    }
    if status == RedemptionStatus::Voided {
        return if bites.is_empty() { Ok(bites) } else { bad("it is voided and has bites") };
    }
    let mut left: BTreeMap<i64, i64> = BTreeMap::new();
    for movement in row.entry.into_iter().flat_map(|entry| member.moved_by(entry)) {
        let given = back.lots.get(&movement.lot).copied().unwrap_or_default();
        let taken = movement.points.abs().max(movement.held.abs()) - given;
        left.insert(movement.lot, taken - bites.get(&movement.lot).copied().unwrap_or_default());
    }
    let elsewhere = back.points - back.lots.values().sum::<i64>();
    let known = bites.keys().all(|lot| left.contains_key(lot));
    if !known || left.values().any(|points| *points < 0) || left.values().sum::<i64>() != elsewhere {
        return bad("its bites are not what its entry took from lots");
    }
    Ok(bites)
}

/// Whether some version of the programme offers what was redeemed at that price, and holds for so long.
fn offered(member: &Member<'_>, books: &Books, row: &RedemptionView, asked: i64) -> Result<(), Bad> {
    let worth = |offer: &MoneyOff| {
        let whole = i128::from(offer.worth(Points::new(asked).ok()?).ok()?.get());
        (whole * i128::from(row.points)).checked_div_euclid(i128::from(asked))
    };
    let fits = |programme: &Programme| match &row.reward {
        Some(code) if row.perk.is_some() => programme.reward(code).is_some(),
        Some(code) => programme.reward(code).is_some_and(|reward| prices(reward).any(|price| price == row.points)),
        None => programme.redemption.as_ref().is_some_and(|offer| worth(offer) == row.worth.map(i128::from)),
    };
    let held = |programme: &Programme| {
        let minutes = chrono::Duration::minutes(i64::from(programme.hold_minutes()));
        row.held_until.is_none_or(|until| until == row.recorded_at + minutes)
    };
    if row.reward.is_some() == row.worth.is_some() || !books.any(fits) {
        return Err(member.bad("redemption", row.id, "the programme offers nothing of that kind and price"));
    }
    if !books.any(held) || row.held_until.is_some_and(|until| until <= member.standing.recorded_at) {
        return Err(member.bad("redemption", row.id, "it is not held for as long as the programme says"));
    }
    Ok(())
}
