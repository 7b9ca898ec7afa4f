//! How a member moves on the ladder of tiers: up with a purchase, down by the clock, sideways by
//! staff; and the window the measure is taken over (PROGRAMME.md §6).
//!
//! A member placed by staff has two tiers: the one that counts, and his own, which purchases and the
//! clock go on moving. When the placement ends, his own counts again.

use std::ops::Bound;

use chrono::Duration;

use crate::command::PlaceTier;
use crate::decision::{Effect, Outcome, StandingPatch, WindowPatch};
use crate::draft::Draft;
use crate::member::{DayTotals, Standing};
use crate::programme::Programme;
use crate::refusal::Refusal;
use crate::settle::Due;
use crate::tier::{Fall, LAST_DAY, Placement, Progress, Span, TierCause, TierChange, Validity, Window};
use crate::time::{Day, Instant, add_days};

/// How long the member's own tier lasts if nothing more happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Term {
    /// The end of its validity, where it has one.
    until: Option<Instant>,
    /// When the clock looks at it next.
    due: Option<Instant>,
}

impl Draft<'_> {
    /// The position of the tier the member holds by his own purchases.
    pub(crate) fn own_tier(&self) -> usize {
        let standing = &self.member.standing;
        let own = standing.placement.as_ref().map_or(&standing.tier, |placement| &placement.own);
        self.programme.tier_position(own)
    }

    fn measure(&self) -> i64 {
        self.programme.tiers.measure.of(&self.member.standing.window)
    }

    /// The next review or end of a placement.
    pub(crate) fn next_tier(&self) -> Option<(Instant, Due)> {
        self.member.standing.tier_changes_at().map(|at| (at, Due::Tier))
    }

    /// Reviews the member's own tier, or ends a placement; a review due at the same instant comes
    /// first, so that the member falls back on its result.
    pub(crate) fn tier_due(&mut self, at: Instant) -> Result<(), Refusal> {
        if self.member.standing.tier_due_at != Some(at) {
            return self.end_placement(at);
        }
        match self.programme.tiers.validity {
            Validity::Measured => {
                self.move_window(self.zone().day_of(at))?;
                let measure = self.measure();
                let own = self.own_tier();
                let to = self.programme.tier_for(measure).max(self.programme.tier_floor(own));
                if to < own {
                    self.change_own(to, at, TierCause::Review, measure)?;
                }
            }
            validity => self.end_validity(validity, at)?,
        }
        self.note_term(self.term(at))
    }

    /// The end of validity, or of the grace after it. The measure is taken over the window as it
    /// stood at the last instant before, which is also when a renewal counts from.
    fn end_validity(&mut self, validity: Validity, at: Instant) -> Result<(), Refusal> {
        let before = at - Duration::microseconds(1);
        self.move_window(self.zone().day_of(before))?;
        let measure = self.measure();
        let own = self.own_tier();
        let holds = self.programme.tier_for(measure);
        if holds >= own {
            return self.note_validity(validity.ends(self.zone(), before));
        }
        let in_grace = self.member.standing.tier_until.is_some_and(|until| until < at);
        if self.programme.tiers.grace_days > 0 && !in_grace {
            return self.note_validity(Some(at));
        }
        let to = match self.programme.tiers.fall {
            Fall::OneStep => own.saturating_sub(1),
            Fall::Requalify => holds,
        };
        let to = to.max(self.programme.tier_floor(own));
        if to < own {
            self.change_own(to, at, TierCause::Review, measure)?;
        }
        self.note_validity(validity.ends(self.zone(), at))
    }

    /// After a purchase: raises the own tier to what the measure reaches now. Where the measure holds,
    /// validity is extended to what reaching the tier now would give.
    pub(crate) fn rise(&mut self) -> Result<(), Refusal> {
        let measure = self.measure();
        let reached = self.programme.tier_for(measure);
        let own = self.own_tier();
        let fresh = self.programme.tiers.validity.ends(self.zone(), self.at);
        if reached > own {
            self.change_own(reached, self.at, TierCause::Purchase, measure)?;
            self.note_validity(fresh)?;
        } else if reached == own && self.member.standing.tier_until.is_some() {
            self.note_validity(fresh.max(self.member.standing.tier_until))?;
        }
        self.plan_review()
    }

    /// After another account of the same person was counted in: raises the own tier to what the measure
    /// reaches now, or to a tier that the other had reached and that is still valid. Of two alike the
    /// longer validity stays.
    pub(crate) fn rise_by_merging(&mut self, other: usize, other_until: Option<Instant>) -> Result<(), Refusal> {
        let measure = self.measure();
        let reached = self.programme.tier_for(measure);
        let own = self.own_tier();
        let fresh = self.programme.tiers.validity.ends(self.zone(), self.at);
        let kept = if fresh.is_some() { other } else { self.programme.tier_floor(other) };
        if reached.max(kept) > own {
            self.change_own(reached.max(kept), self.at, TierCause::Merge, measure)?;
            self.note_validity(if reached >= kept { fresh } else { other_until })?;
        } else if kept == own {
            self.note_validity(other_until.max(self.member.standing.tier_until))?;
        }
        self.plan_review()
    }

    /// Changes the member's own tier. Under a placement only a rise above the placed tier shows: it
    /// ends the placement.
    fn change_own(&mut self, to: usize, at: Instant, cause: TierCause, measure: i64) -> Result<(), Refusal> {
        if let Some(placement) = &self.member.standing.placement {
            let outgrown = cause != TierCause::Review && to > self.tier();
            let own = self.programme.tier(to).code.clone();
            let placement = (!outgrown).then_some(Placement { own, until: placement.until });
            self.patch(StandingPatch { placement: Some(placement), ..StandingPatch::default() })?;
            if !outgrown {
                return Ok(());
            }
        }
        self.change_tier(to, at, cause, measure, None)
    }

    fn change_tier(
        &mut self,
        to: usize,
        at: Instant,
        cause: TierCause,
        measure: i64,
        reason: Option<String>,
    ) -> Result<(), Refusal> {
        self.record(Effect::Tier(TierChange {
            number: self.member.standing.tier_changes + 1,
            from: self.programme.tier(self.tier()).code.clone(),
            to: self.programme.tier(to).code.clone(),
            at,
            recorded_at: self.at,
            cause,
            reason,
            measure,
            programme_version: self.context.programme_version,
        }))?;
        self.redate_lots(at)
    }

    /// Places the member in a tier until an instant, whatever the measure says.
    pub(crate) fn place_tier(&mut self, place: &PlaceTier) -> Result<Outcome, Refusal> {
        self.settle()?;
        let changes = self.member.standing.tier_changes;
        let levels = &self.programme.tiers.levels;
        let unknown = || Refusal::TierUnknown(place.tier.clone());
        let to = levels.iter().position(|level| level.code == place.tier).ok_or_else(unknown)?;
        if place.until <= self.at {
            return Err(Refusal::PlacementOver);
        }
        let own = self.programme.tier(self.own_tier()).code.clone();
        let placement = Some(Some(Placement { own, until: place.until }));
        self.patch(StandingPatch { placement, ..StandingPatch::default() })?;
        if to != self.tier() {
            self.change_tier(to, self.at, TierCause::Placement, self.measure(), Some(place.reason.clone()))?;
        }
        // The rule of the tier may let lots lapse at once.
        self.settle()?;
        self.grant_reached(changes)?;
        self.grant_changed(changes)?;
        Ok(Outcome::Tier(progress(self.programme, &self.member.standing)))
    }

    fn end_placement(&mut self, at: Instant) -> Result<(), Refusal> {
        self.move_window(self.zone().day_of(at))?;
        let own = self.own_tier();
        self.patch(StandingPatch { placement: Some(None), ..StandingPatch::default() })?;
        if own != self.tier() {
            self.change_tier(own, at, TierCause::PlacementEnd, self.measure(), None)?;
        }
        Ok(())
    }

    /// Notes when the clock may lower the tier.
    pub(crate) fn plan_review(&mut self) -> Result<(), Refusal> {
        self.note_term(self.term(self.at))
    }

    /// How long the own tier lasts, seen from an instant up to which the member is settled.
    fn term(&self, at: Instant) -> Term {
        let standing = &self.member.standing;
        let own = self.own_tier();
        // The lowest tier and one that is kept for life have nothing to fall to.
        if self.programme.tier_floor(own) == own {
            return Term { until: None, due: None };
        }
        let zone = self.zone();
        let day_on = |from: Instant, days: u32| zone.midnight(add_days(zone.day_of(from), i64::from(days)));
        // A tier reached before the programme had validities has one from now.
        let Some(fresh) = self.programme.tiers.validity.ends(zone, at) else {
            let holds = self.programme.tier_for(self.measure()) >= own;
            let fall = || next_fall(self.programme.tiers.window, standing).map(|day| zone.midnight(day));
            return Term { until: None, due: if holds { fall() } else { Some(day_on(at, 1)) } };
        };
        let until = standing.tier_until.unwrap_or(fresh);
        // Where another programme has a shorter grace, what is over by it ends at the next midnight and
        // not in the past.
        let grace_ends = || day_on(until, self.programme.tiers.grace_days).max(day_on(at, 1));
        let due = if until <= at { grace_ends() } else { until };
        Term { until: Some(until), due: Some(due) }
    }

    fn note_term(&mut self, term: Term) -> Result<(), Refusal> {
        self.note_validity(term.until)?;
        if term.due != self.member.standing.tier_due_at {
            self.patch(StandingPatch { tier_due_at: Some(term.due), ..StandingPatch::default() })?;
        }
        Ok(())
    }

    fn note_validity(&mut self, until: Option<Instant>) -> Result<(), Refusal> {
        if until != self.member.standing.tier_until {
            self.patch(StandingPatch { tier_until: Some(until), ..StandingPatch::default() })?;
        }
        Ok(())
    }

    /// Moves the window to a day's span: what leaves is subtracted, what enters is added.
    pub(crate) fn move_window(&mut self, day: Day) -> Result<(), Refusal> {
        let standing = &self.member.standing;
        let old = Span { from: standing.window_from, to: standing.window_to };
        let new = self.programme.tiers.window.span(day, self.zone().day_of(standing.enrolled_at));
        if old == new {
            return Ok(());
        }
        let mut totals = standing.window;
        let days = &self.member.days;
        // Between the two beginnings, and between the two ends.
        let begins = days.range(old.from.min(new.from)..old.from.max(new.from));
        let ends = days.range((Bound::Excluded(old.to.min(new.to)), Bound::Included(old.to.max(new.to))));
        for (day, sums) in begins.chain(ends) {
            match (old.contains(*day), new.contains(*day)) {
                (true, false) => totals = totals.plus(sums.negated())?,
                (false, true) => totals = totals.plus(*sums)?,
                _ => {}
            }
        }
        // Days that stay in the window are not loaded, but for the first of them.
        let oldest = days.range(new.from..=new.to).next().map(|(day, _)| *day);
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
}

/// The first day whose midnight takes something out of the member's window.
fn next_fall(window: Window, standing: &Standing) -> Option<Day> {
    match window {
        Window::Rolling { days } => standing.window_oldest.map(|day| add_days(day, i64::from(days))),
        Window::CalendarYear | Window::Anniversary if standing.window_to < LAST_DAY => {
            Some(add_days(standing.window_to, 1))
        }
        Window::CalendarYear | Window::Anniversary | Window::Lifetime => None,
    }
}

/// Where a settled member stands on the ladder.
pub fn progress(programme: &Programme, standing: &Standing) -> Progress {
    let position = programme.tier_position(&standing.tier);
    let value = programme.tiers.measure.of(&standing.window);
    let next = programme.tiers.levels.get(position + 1);
    let placed_until = standing.placement.as_ref().map(|placement| placement.until);
    Progress {
        measure: programme.tiers.measure,
        value,
        next: next.map(|level| level.code.clone()),
        missing: next.map_or(0, |level| (level.threshold - value).max(0)),
        kept_until: placed_until.or(standing.tier_due_at),
    }
}
