//! Documents and what they add up to: qualifying days, the window, the tier, perks, entitlements and
//! notices.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Datelike;
use tessera_rules::amount::Multiplier;
use tessera_rules::earning::MICRO;
use tessera_rules::entitlement::{Entitlement, EntitlementKind};
use tessera_rules::ledger::Entry;
use tessera_rules::member::DayTotals;
use tessera_rules::perk::PerkGift;
use tessera_rules::time::{Day, add_days};

use super::books::{Bad, Books, Member};
use super::moved::Moved;
use super::promotions::Used;
use super::sales::{self, Sales};
use super::{perks, redemptions, tier};
use crate::store::verify::UseView;

/// Checks the documents of a member and all that follows from them; returns what was used of limited promotions.
pub(super) fn check(member: &Member<'_>, books: &Books, entries: &[Entry], told: &Sales<'_>) -> Result<Used, Bad> {
    person(member)?;
    let mut moved = Moved::of(entries);
    let mut sums = sales::check(member, books, entries, told, &mut moved)?;
    if let Some(days) = &mut sums.days {
        for row in books.merged_days(member) {
            let added = DayTotals { points: row.points, spend: row.spend, visits: row.visits, given: row.given };
            let of_day = days.entry(row.day).or_default();
            *of_day = of_day.plus(added).map_err(|_| member.wrong("the sums of a day are out of range"))?;
        }
        // When a merge is undone, the days that only the other account bought on stay as days of nothing.
        for (_, row) in
            member.days.iter().filter(|(_, row)| (row.points, row.spend, row.visits, row.given) == (0, 0, 0, 0))
        {
            days.entry(row.day).or_default();
        }
    }
    redemptions::check(member, books, entries, told, &mut moved)?;
    let elsewhere: i64 = books.merged(member).map(|merged| merged.purchases).sum();
    member.same("purchases", member.standing.purchases, sums.purchases + elsewhere)?;
    ties(member, books)?;
    member.same("carry", i128::from(member.standing.carry), sums.carry)?;
    if !(0..MICRO).contains(&member.standing.carry) {
        return Err(member.wrong("carry is not a fraction of a point"));
    }
    if let Some(days) = &sums.days {
        qualifying_days(member, books, days)?;
    }
    tier::window(member, books, sums.days.as_ref())?;
    tier::check(member, books)?;
    perks::check(member, entries)?;
    entitlements(member, books)?;
    boost(member, books)?;
    notices(member, books)?;
    Ok(sums.promotions)
}

/// When the clock next changes the member.
pub(super) fn due(member: &Member<'_>) -> Result<(), Bad> {
    let (standing, clock) = (member.standing, &member.standing.clock);
    let placed = standing.placement.as_ref().map(|placement| placement.until);
    let due = [clock.lots_due_at, clock.holds_due_at, clock.idle_due_at, standing.tier_due_at, placed];
    member.same("due_at", standing.due_at, due.into_iter().flatten().min())
}

/// When the member last bought, and the household that keeps its points with him.
fn ties(member: &Member<'_>, books: &Books) -> Result<(), Bad> {
    let (standing, bought) = (member.standing, member.purchases.iter().map(|(_, row)| row.occurred_at).max());
    // Who was merged into him may have bought later.
    if standing.clock.purchased_at < bought {
        return Err(member.wrong("purchased_at is before a purchase"));
    }
    let household = standing.ties.as_ref().map_or(0, |ties| i64::from(ties.household));
    member.same("household", household, books.household(member))
}

/// What the standing repeats of the member.
fn person(member: &Member<'_>) -> Result<(), Bad> {
    let Some((_, person)) = member.people.first() else { return Err(member.wrong("there is no such member")) };
    member.same("enrolled_at", member.standing.enrolled_at, person.enrolled_at)?;
    member.same("frozen", member.standing.frozen, person.status == "frozen")
}

fn qualifying_days(member: &Member<'_>, books: &Books, days: &BTreeMap<Day, DayTotals>) -> Result<(), Bad> {
    for (_, row) in member.days {
        let stored = DayTotals { points: row.points, spend: row.spend, visits: row.visits, given: row.given };
        if days.get(&row.day) != Some(&stored) {
            return Err(member.bad("qualifying_day", row.day, "it is not the sum of the day's purchases"));
        }
        // Two that became one may each have reached the cap.
        let alone = books.merged(member).next().is_none();
        if alone && !books.any(|programme| programme.earning.cap_per_day.is_none_or(|cap| row.given <= cap.get())) {
            return Err(member.bad("qualifying_day", row.day, "more was given than the programme gives a day"));
        }
    }
    if member.days.len() != days.len() {
        let stored = |day: &Day| member.days.iter().any(|(_, row)| row.day == *day);
        let missing = days.keys().find(|day| !stored(day)).copied().unwrap_or_default();
        return Err(member.bad("qualifying_day", missing, "is missing"));
    }
    Ok(())
}

/// Uses of entitlements: numbered within the year, never more than some version of the programme
/// gives, and no day chosen twice.
fn entitlements(member: &Member<'_>, books: &Books) -> Result<(), Bad> {
    let mut chosen = BTreeSet::new();
    let mut last: Option<&UseView> = None;
    for (_, row) in member.uses {
        let bad = |what: &str| {
            Err(member.bad("entitlement_use", format_args!("{} {}, number {}", row.code, row.year, row.number), what))
        };
        let same = last.filter(|last| (&last.code, last.year) == (&row.code, row.year));
        if row.number != same.map_or(1, |last| last.number + 1) {
            return bad("the use before it is missing");
        }
        let given = |one: &Entitlement| {
            let multiplier = match one.kind {
                EntitlementKind::Counted => None,
                EntitlementKind::MultiplierDay { multiplier } => Some(multiplier),
            };
            one.code == row.code
                && row.number.unsigned_abs() <= one.per_year
                && row.multiplier.map(Multiplier::from_units) == multiplier
        };
        let by_year = books.any(|programme| {
            let used_on = programme.time_zone.day_of(row.used_at);
            row.day.unwrap_or(used_on).year() == row.year && row.day.is_none_or(|day| day >= used_on)
        });
        if !by_year || row.used_at > member.standing.recorded_at {
            return bad("it does not count in the year of its day");
        }
        if !books.any(|programme| programme.tiers.levels.iter().flat_map(|level| &level.entitlements).any(given)) {
            return bad("no tier entitles to it");
        }
        if row.day.is_some_and(|day| !chosen.insert(day)) {
            return bad("its day was chosen before");
        }
        last = Some(row);
    }
    Ok(())
}

/// Not before the end of the last multiplier that a perk granted or the member chose a day for. It may come
/// from an account that was merged, and is no longer.
fn boost(member: &Member<'_>, books: &Books) -> Result<(), Bad> {
    let granted =
        member.grants.iter().filter(|(_, row)| matches!(perks::gift(&row.gift), Some(PerkGift::Multiplier { .. })));
    let granted = granted.map(|(_, row)| row.window_until).max();
    let chosen = member.uses.iter().filter_map(|(_, row)| row.day).max();
    let until = |programme: &tessera_rules::Programme| {
        granted.max(chosen.map(|day| programme.time_zone.midnight(add_days(day, 1)))) <= member.standing.boost_until
    };
    if books.any(until) { Ok(()) } else { Err(member.wrong("boost_until is before the end of the last multiplier")) }
}

/// Notices: of what they say they are, and within the lead they were given for.
fn notices(member: &Member<'_>, books: &Books) -> Result<(), Bad> {
    for (_, row) in member.notices {
        let bad = |what: &str| {
            let number = format_args!("{} {}, {} days ahead", row.kind, row.due_at, row.lead_days);
            Err(member.bad("notice", number, what))
        };
        let expiry = row.kind == "expiry";
        if row.content.get("kind").and_then(|kind| kind.as_str()) != Some(&row.kind)
            || expiry && row.content.get("points").and_then(serde_json::Value::as_i64).is_none_or(|points| points <= 0)
        {
            return bad("its content is not what it warns of");
        }
        let in_time = books.any(|programme| {
            let (zone, notices) = (programme.time_zone, &programme.notices);
            let leads = if expiry { &notices.expiry_days } else { &notices.tier_days };
            let lead = row.lead_days.unsigned_abs();
            leads.contains(&lead) && add_days(zone.day_of(row.due_at), -i64::from(lead)) <= zone.day_of(row.noticed_at)
        });
        if !in_time || row.noticed_at >= row.due_at || row.noticed_at > member.standing.recorded_at {
            return bad("it was not given in its time");
        }
    }
    Ok(())
}
