//! Inactivity: from when it is counted, and what it ends (PROGRAMME.md §5).

use tessera_rules::Programme;
use tessera_rules::expiry::{Activity, idle_until};
use tessera_rules::ledger::{Entry, EntryKind};
use tessera_rules::lot::{Lapse, Lot};
use tessera_rules::time::Instant;

use super::books::{Bad, Books, Member};

/// When a member was active.
pub(super) struct Active {
    /// When it was recorded, and from when on inactivity was counted then; in order.
    since: Vec<(Instant, Instant)>,
    /// Instants that may have counted: under what version a redemption was decided, and whether a
    /// change of tier put lots under another rule, is not on record.
    perhaps: Vec<Instant>,
}

impl Active {
    pub(super) fn of(member: &Member<'_>, books: &Books) -> Self {
        let mut since = Vec::new();
        let mut perhaps = Vec::new();
        for (_, row) in member.purchases {
            let at = row.occurred_at.min(row.recorded_at);
            let programme = books.programme(row.programme_version);
            if programme.is_some_and(|programme| programme.activities.contains(&Activity::Earning)) {
                since.push((row.recorded_at, at));
            }
        }
        let redeeming = books.count(|programme| programme.activities.contains(&Activity::Redeeming));
        for (_, row) in member.redemptions {
            match redeeming {
                (0, _) => {}
                (counts, all) if counts == all => since.push((row.recorded_at, row.recorded_at)),
                _ => perhaps.push(row.recorded_at),
            }
        }
        if books.redates() {
            perhaps.extend(member.tier_changes.iter().map(|(_, row)| row.at));
        }
        // What moved along a link is an activity where the points are kept.
        let transfers = member.entries.iter().filter(|(_, entry)| entry.kind == EntryKind::Transfer.as_str());
        perhaps.extend(transfers.map(|(_, entry)| entry.recorded_at));
        since.sort_unstable();
        let mut latest = member.standing.enrolled_at;
        for (_, at) in &mut since {
            latest = latest.max(*at);
            *at = latest;
        }
        since.insert(0, (Instant::MIN_UTC, member.standing.enrolled_at));
        Self { since, perhaps }
    }

    /// From when inactivity was counted after so many recorded activities.
    fn after(&self, activities: usize) -> Instant {
        self.since[activities.clamp(1, self.since.len()) - 1].1
    }

    /// Whether points of an instant that lapse after so many months without activity lapsed when an entry
    /// says.
    pub(super) fn lapsed(&self, books: &Books, months: u32, occurred_at: Instant, entry: &Entry) -> bool {
        let lapses = |active_at: Instant| {
            let from = active_at.max(occurred_at);
            books.any(|programme| idle_until(programme.time_zone, from, months) == entry.effective_at)
        };
        let before = self.since.partition_point(|(recorded_at, _)| *recorded_at < entry.recorded_at);
        let with = self.since.partition_point(|(recorded_at, _)| *recorded_at <= entry.recorded_at);
        let (before, with) = (self.after(before), self.after(with));
        lapses(before)
            || with != before && lapses(with)
            || self.perhaps.iter().any(|at| *at > before && *at < entry.effective_at && lapses(*at))
    }

    /// Compares the standing with the member's activities, and with the open lots that lapse by
    /// inactivity: the fewest months after which one of them does, and when the first may.
    pub(super) fn check(&self, member: &Member<'_>, books: &Books, lots: &[Lot]) -> Result<(), Bad> {
        let clock = &member.standing.clock;
        let active_at = self.after(self.since.len());
        if !self.perhaps.iter().any(|at| *at > active_at && *at == clock.active_at) {
            member.same("active_at", clock.active_at, active_at)?;
        }
        let months = lots.iter().filter_map(|lot| match lot.lapse {
            Lapse::Idle { months } => Some(months),
            Lapse::Dated | Lapse::Fixed => None,
        });
        let months = months.min();
        member.same("idle_months", clock.idle_months, months.map(u32::cast_signed))?;
        // It may be said too early where lots that were credited since the last activity were not looked
        // at: never before the rest would lapse, never after the first does.
        let due = |programme: &Programme| {
            let (zone, active_at) = (programme.time_zone, clock.active_at);
            let earliest = months.map(|months| idle_until(zone, active_at, months));
            let first = lots.iter().filter_map(|lot| lot.lapses_at(zone, active_at)).min();
            (earliest..=first).contains(&clock.idle_due_at)
        };
        if books.any(due) {
            Ok(())
        } else {
            Err(member.wrong("idle_due_at is not when the first points lapse by inactivity"))
        }
    }
}
