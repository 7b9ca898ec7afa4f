//! The window, the dated changes of tier and where they lead (PROGRAMME.md §6).

use std::collections::BTreeMap;

use tessera_rules::Programme;
use tessera_rules::member::DayTotals;
use tessera_rules::tier::{FIRST_DAY, Fall, LAST_DAY, Span, TierCause, Validity, Window};
use tessera_rules::time::{Day, Instant, Zone, add_days};

use super::books::{Bad, Books, Member};
use crate::store::ledger::TierChangeView;
use crate::store::verify::StandingView;

/// Checks the window against the qualifying days, where those are known.
pub(super) fn window(member: &Member<'_>, books: &Books, days: Option<&BTreeMap<Day, DayTotals>>) -> Result<(), Bad> {
    let standing = member.standing;
    let stored = Span { from: standing.window_from, to: standing.window_to };
    let untouched = Span { from: FIRST_DAY, to: LAST_DAY };
    let spans = books.any(|programme| {
        let day = |at| programme.time_zone.day_of(at);
        programme.tiers.window.span(day(standing.recorded_at), day(standing.enrolled_at)) == stored
    });
    if !spans && (stored != untouched || !member.purchases.is_empty()) {
        return Err(member.wrong("the window is not that of its last command's day"));
    }
    let Some(days) = days else { return Ok(()) };
    let inside = || days.iter().filter(|(day, _)| stored.contains(**day));
    let sum = |of: fn(&DayTotals) -> i64| inside().map(|(_, totals)| of(totals)).sum::<i64>();
    member.same("window_points", standing.window_points, sum(|day| day.points))?;
    member.same("window_spend", standing.window_spend, sum(|day| day.spend))?;
    member.same("window_visits", standing.window_visits, sum(|day| day.visits))?;
    member.same("window_oldest", standing.window_oldest, inside().map(|(day, _)| *day).next())
}

/// Checks the history of the tier, the tier held and what the clock will make of it.
pub(super) fn check(member: &Member<'_>, books: &Books) -> Result<(), Bad> {
    let standing = member.standing;
    let mut held: Option<&str> = None;
    let mut recorded_at = standing.enrolled_at;
    for (row, number) in member.tier_changes.iter().map(|(_, row)| row).zip(1..) {
        let bad = |what: &str| member.bad("tier_change", format_args!("number {}", row.number), what);
        if row.number != number {
            return Err(member.bad("tier_change", format_args!("number {number}"), "is missing"));
        }
        if number > 1 && row.recorded_at < recorded_at || row.recorded_at > standing.recorded_at {
            return Err(bad("its time of recording is not in order"));
        }
        let programme =
            books.programme(row.programme_version).ok_or_else(|| bad("there is no such programme version"))?;
        change(books, programme, row, held.unwrap_or_default()).map_err(bad)?;
        held = Some(&row.to_tier);
        recorded_at = row.recorded_at;
    }
    member.same("tier_changes", standing.tier_changes, member.tier_changes.len() as i64)?;
    member.same("tier", standing.tier.as_str(), held.unwrap_or_default())?;
    let since = member.tier_changes.last().map_or(standing.enrolled_at, |(_, last)| last.at);
    member.same("tier_since", standing.tier_since, since)?;
    if standing.placement.as_ref().is_some_and(|placement| placement.until <= standing.recorded_at) {
        return Err(member.wrong("its placement is over"));
    }
    term(member, books)?;
    books.steady_ladder().map_or(Ok(()), |programme| reached(member, programme))
}

/// Checks one change against the rules it was decided under.
fn change(books: &Books, programme: &Programme, row: &TierChangeView, held: &str) -> Result<(), &'static str> {
    // A tier that the programme no longer has counts as the lowest.
    let from = programme.tier_position(held);
    if row.from_tier != programme.tier(from).code {
        return Err("it does not start from the tier held before");
    }
    let to = programme.tiers.levels.iter().position(|level| level.code == row.to_tier);
    let to = to.filter(|to| *to != from).ok_or("it leads nowhere")?;
    let measured = programme.tier_for(row.measure);
    let cause = TierCause::parse(&row.cause).ok_or("its cause is not known")?;
    let landing = match (programme.tiers.validity, programme.tiers.fall) {
        (Validity::EndOfNextYear | Validity::Months { .. }, Fall::OneStep) => from.saturating_sub(1),
        _ => measured,
    };
    let right = match cause {
        TierCause::Purchase => to == measured && to > from,
        TierCause::Review => to == landing.max(programme.tier_floor(from)) && measured.max(to) < from,
        TierCause::Placement | TierCause::PlacementEnd => true,
        TierCause::Merge => to > from && to >= measured,
    };
    if !right {
        return Err("it does not lead to the tier of its measure");
    }
    if (cause == TierCause::Placement) != row.reason.is_some() {
        return Err("a placement has a reason, and nothing else has");
    }
    let in_time = match cause {
        TierCause::Purchase | TierCause::Placement | TierCause::Merge => row.at == row.recorded_at,
        TierCause::Review => row.at <= row.recorded_at && books.any(|book| is_midnight(book.time_zone, row.at)),
        TierCause::PlacementEnd => row.at <= row.recorded_at,
    };
    if in_time { Ok(()) } else { Err("it is not dated when it took effect") }
}

fn is_midnight(zone: Zone, at: Instant) -> bool {
    zone.midnight(zone.day_of(at)) == at
}

/// The tier the member holds by his own purchases: under a placement not the one that counts.
fn own(standing: &StandingView) -> &str {
    standing.placement.as_ref().map_or(&standing.tier, |placement| &placement.own)
}

fn measure(programme: &Programme, standing: &StandingView) -> i64 {
    programme.tiers.measure.of(&DayTotals {
        points: standing.window_points,
        spend: standing.window_spend,
        visits: standing.window_visits,
        given: 0,
    })
}

/// Checks until when the own tier is valid and when the clock looks at it next.
fn term(member: &Member<'_>, books: &Books) -> Result<(), Bad> {
    let standing = member.standing;
    let latest = |programme: &Programme| {
        let ends = programme.tiers.validity.ends(programme.time_zone, standing.recorded_at);
        standing.tier_until.is_none_or(|until| ends.is_some_and(|ends| until <= ends))
    };
    let midnight = |until| books.any(|programme| is_midnight(programme.time_zone, until));
    if !books.any(latest) || !standing.tier_until.is_none_or(midnight) {
        return Err(member.wrong("tier_until is not the end of a validity"));
    }
    if !books.any(|programme| due(programme, standing) == Some(standing.tier_due_at)) {
        return Err(member.wrong("tier_due_at is not the next midnight at which the tier may fall"));
    }
    Ok(())
}

/// When the clock looks at the own tier next; `None` where its validity is not one of this programme's.
fn due(programme: &Programme, standing: &StandingView) -> Option<Option<Instant>> {
    let position = programme.tier_position(own(standing));
    let (zone, at) = (programme.time_zone, standing.recorded_at);
    let falls = programme.tier_floor(position) < position;
    if !falls || programme.tiers.validity == Validity::Measured {
        if standing.tier_until.is_some() {
            return None;
        }
        let holds = programme.tier_for(measure(programme, standing)) >= position;
        let day = if holds { next_fall(programme.tiers.window, standing) } else { Some(add_days(zone.day_of(at), 1)) };
        return Some(day.filter(|_| falls).map(|day| zone.midnight(day)));
    }
    let until = standing.tier_until?;
    let grace = i64::from(programme.tiers.grace_days);
    Some(Some(if until > at { until } else { zone.midnight(add_days(zone.day_of(until), grace)) }))
}

/// The first day at whose midnight something leaves the window.
fn next_fall(window: Window, standing: &StandingView) -> Option<Day> {
    match window {
        Window::Rolling { days } => standing.window_oldest.map(|oldest| add_days(oldest, i64::from(days))),
        Window::CalendarYear | Window::Anniversary => {
            Some(add_days(standing.window_to, 1)).filter(|_| standing.window_to < LAST_DAY)
        }
        Window::Lifetime => None,
    }
}

/// Where the ladder was always the same: whether the window reaches the own tier. What a return took
/// out of it shows at the next midnight, or at the end of validity.
fn reached(member: &Member<'_>, programme: &Programme) -> Result<(), Bad> {
    let standing = member.standing;
    let own = own(standing);
    let (held, right) = (programme.tier_position(own), programme.tier_for(measure(programme, standing)));
    let opens = programme.time_zone.midnight(standing.window_from);
    // A purchase that a till reported ahead of its time counts when the window opens.
    let counted_ahead = || {
        let ahead = |at: Instant, recorded_at: Instant| at >= opens && recorded_at < opens;
        standing.window_from > FIRST_DAY
            && member.purchases.iter().any(|(_, purchase)| ahead(purchase.occurred_at, purchase.recorded_at))
    };
    let stays = programme.tiers.validity != Validity::Measured
        || programme.tier_floor(held) == held
        || !member.returns.is_empty()
        || !member.ratings.is_empty()
        || member.was_linked();
    if right == held || right < held && stays || right > held && counted_ahead() {
        return Ok(());
    }
    let code = &programme.tier(right).code;
    Err(member.wrong(format!("tier is {own:?} by his own purchases, but the window reaches {code:?}")))
}
