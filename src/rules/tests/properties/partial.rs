//! The state as a batch loads it: no more than its commands need.

use std::collections::BTreeMap;

use tessera_rules::tier::Span;
use tessera_rules::time::Day;
use tessera_rules::{MemberState, Programme, State};

use super::run::{MEMBER, Timed, instant};
use super::scene::Action;

/// Loads for a batch what its commands need of the whole state, and nothing else.
pub(crate) fn load(programme: &Programme, whole: &State, batch: &[Timed]) -> State {
    let member = &whole.members[&MEMBER];
    let latest = instant(batch.last().expect("a command").minute);
    let mut loaded = MemberState::new(member.standing.clone());
    let debits = |timed: &Timed| matches!(timed.action, Action::Spend(_) | Action::Mug | Action::Adjust(_));
    if batch.iter().any(debits) || member.standing.due_at().is_some_and(|due| due <= latest) {
        let open = member.lots.iter().filter(|(_, lot)| lot.remaining.is_positive());
        loaded.lots = open.map(|(number, lot)| (*number, *lot)).collect();
    }
    loaded.days = days(programme, member, batch);
    let occurred = |timed: &Timed| match &timed.action {
        Action::Buy(receipt) => receipt.late.map_or(timed.minute, |late| timed.minute - late),
        _ => timed.minute,
    };
    if batch.iter().any(|timed| occurred(timed) < timed.minute) {
        loaded.tier_changes.clone_from(&member.tier_changes);
    }
    let since = batch.iter().map(occurred).min().map(instant);
    let perks = batch.iter().any(|timed| matches!(timed.action, Action::Grant));
    if perks || member.standing.boost_until > since {
        loaded.grants.clone_from(&member.grants);
    }
    if perks {
        loaded.birth_date = member.birth_date;
    }
    State { members: BTreeMap::from([(MEMBER, loaded)]), shared: whole.shared.clone() }
}

/// The days that leave or enter the window up to the batch's last command, the first that stays, and
/// those whose cap is asked for.
fn days(
    programme: &Programme,
    member: &MemberState,
    batch: &[Timed],
) -> BTreeMap<Day, tessera_rules::member::DayTotals> {
    let zone = programme.time_zone;
    let local = |minute: i64| zone.day_of(instant(minute));
    let span =
        |timed: &Timed| programme.tiers.window.span(local(timed.minute), zone.day_of(member.standing.enrolled_at));
    let old = Span { from: member.standing.window_from, to: member.standing.window_to };
    let (first, last) = (span(&batch[0]), span(batch.last().expect("a command")));
    let from = old.from.max(last.from);
    let to = old.to.min(first.to);
    let stays = member.days.keys().copied().find(|day| *day >= from && *day <= to);
    let capped: Vec<Day> = batch
        .iter()
        .filter_map(|timed| match &timed.action {
            Action::Buy(receipt) => Some(local(timed.minute - receipt.late.unwrap_or(0))),
            _ => None,
        })
        .filter(|_| programme.earning.cap_per_day.is_some())
        .collect();
    let moves = |day: &Day| (old.from <= *day && *day < from) || *day > to;
    let wanted = |day: &Day| moves(day) || Some(*day) == stays || capped.contains(day);
    member.days.iter().filter(|(day, _)| wanted(day)).map(|(day, totals)| (*day, *totals)).collect()
}
