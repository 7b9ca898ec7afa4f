//! Documents and what they add up to: purchases, redemptions, qualifying days, the window, the tier
//! and the perks.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use tessera_rules::earning::MICRO;
use tessera_rules::ledger::{Entry, EntryKind};
use tessera_rules::member::DayTotals;
use tessera_rules::perk::PerkGift;
use tessera_rules::tier::{FIRST_DAY, LAST_DAY, Span};
use tessera_rules::time::{Day, Instant};
use uuid::Uuid;

use super::books::{Bad, Books, Member, next_fall};
use crate::store::verify::PurchaseView;

/// What is read of the answer that is stored with a purchase.
#[derive(Deserialize)]
struct Told {
    points: TheirPoints,
    explanation: Why,
}

#[derive(Deserialize)]
struct TheirPoints {
    given: i64,
}

#[derive(Deserialize)]
struct Why {
    basis: i64,
    base_points: i64,
}

/// What the entries of one document moved, and when.
#[derive(Default)]
struct Moved {
    points: i64,
    effective_at: Option<Instant>,
    recorded_at: Option<Instant>,
}

/// Checks the documents of a member and all that follows from them.
pub(super) fn check(member: &Member<'_>, books: &Books, entries: &[Entry]) -> Result<(), Bad> {
    person(member)?;
    let mut moved = by_document(entries);
    let (days, carry) = purchases(member, books, &mut moved)?;
    redemptions(member, books, &mut moved)?;
    let orphan = |entry: &&Entry| moved.contains_key(&(entry.kind, entry.document.unwrap_or_default()));
    if let Some(entry) = entries.iter().find(orphan) {
        return Err(member.bad("entry", format_args!("number {}", entry.number), "its document does not exist"));
    }
    member.same("purchases", member.standing.purchases, member.purchases.len() as i64)?;
    member.same("carry", i128::from(member.standing.carry), carry)?;
    if !(0..MICRO).contains(&member.standing.carry) {
        return Err(member.wrong("carry is not a fraction of a point"));
    }
    qualifying_days(member, &days)?;
    window(member, books, &days)?;
    tier(member, books)?;
    perks(member, entries)
}

/// What the standing repeats of the member.
fn person(member: &Member<'_>) -> Result<(), Bad> {
    let Some((_, person)) = member.people.first() else { return Err(member.wrong("there is no such member")) };
    member.same("enrolled_at", member.standing.enrolled_at, person.enrolled_at)?;
    member.same("frozen", member.standing.frozen, person.status == "frozen")
}

/// Accruals and redemptions by their document.
fn by_document(entries: &[Entry]) -> HashMap<(EntryKind, Uuid), Moved> {
    let mut moved: HashMap<(EntryKind, Uuid), Moved> = HashMap::new();
    for entry in entries.iter().filter(|entry| matches!(entry.kind, EntryKind::Accrual | EntryKind::Redemption)) {
        let sum = moved.entry((entry.kind, entry.document.unwrap_or_default())).or_default();
        sum.points += entry.points.get();
        sum.effective_at = Some(entry.effective_at);
        sum.recorded_at = Some(entry.recorded_at);
    }
    moved
}

/// Checks the purchases; returns what each local day adds up to, and the carry they leave.
fn purchases(
    member: &Member<'_>,
    books: &Books,
    moved: &mut HashMap<(EntryKind, Uuid), Moved>,
) -> Result<(BTreeMap<Day, DayTotals>, i128), Bad> {
    let mut days: BTreeMap<Day, DayTotals> = BTreeMap::new();
    let mut carry = 0_i128;
    for (_, row) in member.purchases {
        let bad = |what: &str| member.bad("purchase", row.id, what);
        let told: Told = serde_json::from_str(&row.answer).map_err(|_| bad("its answer cannot be read"))?;
        let entries = moved.remove(&(EntryKind::Accrual, row.id)).unwrap_or_default();
        if told.points.given != row.points || entries.points != row.points {
            return Err(bad("its points, its answer and its entries do not agree"));
        }
        if entries.effective_at.is_some_and(|at| at != row.occurred_at)
            || entries.recorded_at.is_some_and(|at| at != row.recorded_at)
        {
            return Err(bad("its times and its entries' do not agree"));
        }
        if !books.has_store(row.store_id) {
            return Err(bad("there is no such store"));
        }
        let programme =
            books.programme(row.programme_version).ok_or_else(|| bad("there is no such programme version"))?;
        let totals = DayTotals {
            points: told.explanation.base_points,
            spend: told.explanation.basis,
            visits: 1,
            given: row.points,
        };
        let day = days.entry(programme.time_zone.day_of(row.occurred_at)).or_default();
        *day = day.plus(totals).map_err(|_| bad("the sums of its day are out of range"))?;
        carry += carried(row);
    }
    Ok((days, carry))
}

/// What a purchase left in the carry: its exact points less those that were given.
fn carried(purchase: &PurchaseView) -> i128 {
    let exact = purchase.micropoints.map(i128::from);
    exact.map_or(0, |exact| exact - i128::from(purchase.points) * i128::from(MICRO))
}

fn redemptions(member: &Member<'_>, books: &Books, moved: &mut HashMap<(EntryKind, Uuid), Moved>) -> Result<(), Bad> {
    for (_, row) in member.redemptions {
        let bad = |what: &str| Err(member.bad("redemption", row.id, what));
        let entries = moved.remove(&(EntryKind::Redemption, row.id)).unwrap_or_default();
        if entries.points != row.points || entries.recorded_at != Some(row.recorded_at) {
            return bad("it and its entry do not agree");
        }
        if row.store_id.is_some_and(|store| !books.has_store(store)) {
            return bad("there is no such store");
        }
    }
    Ok(())
}

fn qualifying_days(member: &Member<'_>, days: &BTreeMap<Day, DayTotals>) -> Result<(), Bad> {
    for (_, row) in member.days {
        let stored = DayTotals { points: row.points, spend: row.spend, visits: row.visits, given: row.given };
        if days.get(&row.day) != Some(&stored) {
            return Err(member.bad("qualifying_day", row.day, "it is not the sum of the day's purchases"));
        }
    }
    if member.days.len() != days.len() {
        let stored = |day: &Day| member.days.iter().any(|(_, row)| row.day == *day);
        let missing = days.keys().find(|day| !stored(day)).copied().unwrap_or_default();
        return Err(member.bad("qualifying_day", missing, "is missing"));
    }
    Ok(())
}

fn window(member: &Member<'_>, books: &Books, days: &BTreeMap<Day, DayTotals>) -> Result<(), Bad> {
    let standing = member.standing;
    let stored = Span { from: standing.window_from, to: standing.window_to };
    let untouched = Span { from: FIRST_DAY, to: LAST_DAY };
    let spans =
        books.any(|programme| programme.tiers.window.span(programme.time_zone.day_of(standing.recorded_at)) == stored);
    if !spans && (stored != untouched || standing.purchases > 0) {
        return Err(member.wrong("the window is not that of its last command's day"));
    }
    let inside = || days.iter().filter(|(day, _)| stored.contains(**day));
    let sum = |of: fn(&DayTotals) -> i64| inside().map(|(_, totals)| of(totals)).sum::<i64>();
    member.same("window_points", standing.window_points, sum(|day| day.points))?;
    member.same("window_spend", standing.window_spend, sum(|day| day.spend))?;
    member.same("window_visits", standing.window_visits, sum(|day| day.visits))?;
    member.same("window_oldest", standing.window_oldest, inside().map(|(day, _)| *day).next())
}

fn tier(member: &Member<'_>, books: &Books) -> Result<(), Bad> {
    let standing = member.standing;
    let mut held: Option<&str> = None;
    for (row, number) in member.tier_changes.iter().map(|(_, row)| row).zip(1..) {
        let bad = |what: &str| member.bad("tier_change", format_args!("number {}", row.number), what);
        if row.number != number {
            return Err(member.bad("tier_change", format_args!("number {number}"), "is missing"));
        }
        let programme =
            books.programme(row.programme_version).ok_or_else(|| bad("there is no such programme version"))?;
        // A tier that the programme no longer has counts as the lowest.
        if row.from_tier != programme.tier(programme.tier_position(held.unwrap_or_default())).code {
            return Err(bad("it does not start from the tier held before"));
        }
        if row.to_tier != programme.tier(programme.tier_for(row.measure)).code {
            return Err(bad("it does not lead to the tier of its measure"));
        }
        held = Some(&row.to_tier);
    }
    member.same("tier_changes", standing.tier_changes, member.tier_changes.len() as i64)?;
    member.same("tier", standing.tier.as_str(), held.unwrap_or_default())?;
    let since = member.tier_changes.last().map_or(standing.enrolled_at, |(_, last)| last.at);
    member.same("tier_since", standing.tier_since, since)?;
    let due_right = books.any(|programme| {
        let falls = next_fall(programme.tiers.window, standing.window_oldest, standing.window_to);
        let due =
            falls.filter(|_| programme.tier_position(&standing.tier) > 0).map(|day| programme.time_zone.midnight(day));
        due == standing.tier_due_at
    });
    if !due_right {
        return Err(member.wrong("tier_due_at is not the next midnight at which the tier may fall"));
    }
    if let Some(programme) = books.steady_ladder() {
        let window = DayTotals {
            points: standing.window_points,
            spend: standing.window_spend,
            visits: standing.window_visits,
            given: 0,
        };
        let right = programme.tier_for(programme.tiers.measure.of(&window));
        if right != programme.tier_position(&standing.tier) {
            return Err(member.wrong(format!(
                "tier is {:?}, but the window reaches {:?}",
                standing.tier,
                programme.tier(right).code
            )));
        }
    }
    Ok(())
}

/// Grants and the points they gave. One grant an occasion is the table's key; read in its order, two
/// of one occasion would stand side by side.
fn perks(member: &Member<'_>, entries: &[Entry]) -> Result<(), Bad> {
    let mut given: BTreeMap<(&str, Instant), i64> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.kind == EntryKind::Perk) {
        *given.entry((entry.reason.as_deref().unwrap_or_default(), entry.recorded_at)).or_default() +=
            entry.points.get();
    }
    let mut until: Option<Instant> = None;
    for (i, (_, row)) in member.grants.iter().enumerate() {
        let bad = |what: &str| member.bad("perk_grant", format_args!("{} {}", row.perk, row.occasion), what);
        if i > 0 && (&member.grants[i - 1].1.perk, member.grants[i - 1].1.occasion) == (&row.perk, row.occasion) {
            return Err(bad("it was granted twice for one occasion"));
        }
        match serde_json::from_value(row.gift.clone()).map_err(|_| bad("its gift cannot be read"))? {
            PerkGift::Points { points } => {
                if given.remove(&(row.perk.as_str(), row.granted_at)) != Some(points.get()) {
                    return Err(bad("its entries do not give its points"));
                }
            }
            PerkGift::Multiplier { .. } => until = until.max(Some(row.window_until)),
        }
    }
    if let Some((perk, _)) = given.into_keys().next() {
        return Err(member.bad("perk_grant", perk, "points were given without a grant"));
    }
    member.same("boost_until", member.standing.boost_until, until)
}
