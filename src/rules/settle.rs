//! Settling: before a command is decided, everything the clock alone had brought about by then is
//! applied in the order it fell due (PROGRAMME.md §2). The tier ladder's falls live here, its rises
//! in [`crate::earning`], for both share the window.

use crate::decision::{Effect, Refusal, StandingPatch, WindowPatch};
use crate::draft::Draft;
use crate::member::{DayTotals, Standing};
use crate::programme::Programme;
use crate::tier::{LAST_DAY, Progress, Span, TierCause, TierChange, Window};
use crate::time::{Day, Instant, add_days};

impl Draft<'_> {
    /// Applies expiries and tier reviews due by the draft's time, and moves the window to its day.
    pub(crate) fn settle(&mut self) -> Result<(), Refusal> {
        loop {
            let lot = self.next_expiry();
            let review = self.next_review();
            match (lot, review) {
                (Some((due, number)), review) if review.is_none_or(|(midnight, _)| due <= midnight) => {
                    let lot = self.member.lots[&number];
                    self.expire(&lot, due)?;
                }
                (_, Some((midnight, day))) => self.review(midnight, day)?,
                (_, None) => break,
            }
        }
        self.move_window(self.today())?;
        self.plan_review()?;
        if self.member.standing.recorded_at != self.at {
            self.patch(StandingPatch { recorded_at: Some(self.at), ..StandingPatch::default() })?;
        }
        Ok(())
    }

    /// The open lot that lapses first, if it has by now.
    fn next_expiry(&self) -> Option<(Instant, i64)> {
        let open = self.member.lots.values().filter(|lot| lot.remaining.is_positive());
        open.filter_map(|lot| Some((lot.expires_at?, lot.number))).min().filter(|(due, _)| *due <= self.at)
    }

    /// The next midnight at which qualifying days leave the window, if it has passed. The lowest
    /// tier cannot fall, its window moves to the command's day in one step.
    fn next_review(&self) -> Option<(Instant, Day)> {
        if self.tier() == 0 {
            return None;
        }
        let day = next_fall(self.programme.tiers.window, &self.member.standing)?;
        if day > self.today() {
            return None;
        }
        Some((self.zone().midnight(day), day))
    }

    fn review(&mut self, midnight: Instant, day: Day) -> Result<(), Refusal> {
        self.move_window(day)?;
        let measure = self.programme.tiers.measure.of(&self.member.standing.window);
        let holds = self.programme.tier_for(measure);
        if holds < self.tier() {
            self.change_tier(holds, midnight, TierCause::Review, measure)?;
        }
        Ok(())
    }

    /// Moves the window to a day's span: what leaves is subtracted, what enters is added.
    fn move_window(&mut self, day: Day) -> Result<(), Refusal> {
        let standing = &self.member.standing;
        let old = Span { from: standing.window_from, to: standing.window_to };
        let new = self.programme.tiers.window.span(day);
        if old == new {
            return Ok(());
        }
        let mut totals = standing.window;
        for (day, sums) in &self.member.days {
            match (old.contains(*day), new.contains(*day)) {
                (true, false) => totals = totals.plus(sums.negated())?,
                (false, true) => totals = totals.plus(*sums)?,
                _ => {}
            }
        }
        // Days that stay in the window are not loaded, but for the first of them.
        let oldest = self.member.days.keys().copied().find(|day| new.contains(*day));
        let oldest = [oldest, standing.window_oldest.filter(|day| new.contains(*day))].into_iter().flatten().min();
        self.patch(StandingPatch {
            window: Some(WindowPatch { from: new.from, to: new.to, totals, oldest }),
            ..StandingPatch::default()
        })
    }

    /// Adds a purchase's sums to its day, and to the window where the day lies in it.
    pub(crate) fn qualify(&mut self, day: Day, totals: DayTotals) -> Result<(), Refusal> {
        self.record(Effect::Day { day, totals })?;
        let standing = &self.member.standing;
        let span = Span { from: standing.window_from, to: standing.window_to };
        if span.contains(day) {
            let window = WindowPatch {
                from: span.from,
                to: span.to,
                totals: standing.window.plus(totals)?,
                oldest: Some(standing.window_oldest.map_or(day, |oldest| oldest.min(day))),
            };
            self.patch(StandingPatch { window: Some(window), ..StandingPatch::default() })?;
        }
        Ok(())
    }

    /// Raises the tier to what the measure reaches now.
    pub(crate) fn rise(&mut self) -> Result<(), Refusal> {
        let measure = self.programme.tiers.measure.of(&self.member.standing.window);
        let reached = self.programme.tier_for(measure);
        if reached > self.tier() {
            self.change_tier(reached, self.at, TierCause::Purchase, measure)?;
        }
        self.plan_review()
    }

    fn change_tier(&mut self, to: usize, at: Instant, cause: TierCause, measure: i64) -> Result<(), Refusal> {
        self.record(Effect::Tier(TierChange {
            number: self.member.standing.tier_changes + 1,
            from: self.programme.tier(self.tier()).code.clone(),
            to: self.programme.tier(to).code.clone(),
            at,
            recorded_at: self.at,
            cause,
            measure,
            programme_version: self.context.programme_version,
        }))
    }

    /// Notes when the clock may lower the tier: never for the lowest.
    fn plan_review(&mut self) -> Result<(), Refusal> {
        let standing = &self.member.standing;
        let due = if self.tier() == 0 { None } else { next_fall(self.programme.tiers.window, standing) };
        let due = due.map(|day| self.zone().midnight(day));
        if due != standing.tier_due_at {
            self.patch(StandingPatch { tier_due_at: Some(due), ..StandingPatch::default() })?;
        }
        Ok(())
    }
}

/// The first day whose midnight takes something out of the member's window.
fn next_fall(window: Window, standing: &Standing) -> Option<Day> {
    match window {
        Window::Rolling { days } => standing.window_oldest.map(|day| add_days(day, i64::from(days))),
        Window::CalendarYear if standing.window_to < LAST_DAY => Some(add_days(standing.window_to, 1)),
        Window::CalendarYear | Window::Lifetime => None,
    }
}

/// Where a settled member stands on the ladder.
pub fn progress(programme: &Programme, standing: &Standing) -> Progress {
    let position = programme.tier_position(&standing.tier);
    let value = programme.tiers.measure.of(&standing.window);
    let next = programme.tiers.levels.get(position + 1);
    Progress {
        measure: programme.tiers.measure,
        value,
        next: next.map(|level| level.code.clone()),
        missing: next.map_or(0, |level| (level.threshold - value).max(0)),
        kept_until: standing.tier_due_at,
    }
}
