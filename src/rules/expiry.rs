//! Expiry: until when a lot may be spent (PROGRAMME.md §5).

use chrono::Datelike;
use serde::{Deserialize, Serialize};

use crate::amount::Points;
use crate::decision::{Effect, IdlePatch, StandingPatch};
use crate::draft::{Draft, LotLife, Note};
use crate::earning::Earned;
use crate::ledger::{Account, EntryKind};
use crate::lot::{Bite, Lapse, Lot};
use crate::programme::{Problems, Programme};
use crate::refusal::Refusal;
use crate::tier::LotsOnChange;
use crate::time::{Day, Instant, MonthDay, Period, Zone, add_days, add_months};

/// When points lapse: the programme's policy, or what a tier or a promotion has instead.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "policy", rename_all = "snake_case", deny_unknown_fields)]
pub enum Expiry {
    /// Points do not lapse.
    #[default]
    Never,
    /// Points lapse `months` after they became available.
    After {
        /// 1 to 240.
        months: u32,
        /// Rounded on to the end of this period.
        #[serde(default = "end_of_day")]
        round: Period,
    },
    /// Points lapse at the end of a fixed date of the year.
    OnDate {
        /// One or more, as `MM-DD`; 29 February is 28 February in common years.
        dates: Vec<MonthDay>,
        /// The first of the dates that lies at least so many months after they became available;
        /// at most 120.
        #[serde(default)]
        at_least_months: u32,
    },
    /// Points lapse when the member has not been active for `months`. What counts as activity says
    /// [`Programme::activities`].
    Inactivity {
        /// 1 to 240.
        months: u32,
    },
}

fn end_of_day() -> Period {
    Period::Day
}

/// What keeps points alive that lapse by inactivity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// A purchase, at the time it happened.
    Earning,
    /// A redemption.
    Redeeming,
}

impl Activity {
    const ALL: [Self; 2] = [Self::Earning, Self::Redeeming];

    pub(crate) fn all() -> Vec<Self> {
        Self::ALL.to_vec()
    }

    pub(crate) fn is_all(list: &[Self]) -> bool {
        Self::ALL.iter().all(|activity| list.contains(activity))
    }
}

/// Points that lapse at one instant unless something happens before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Expiring {
    /// When.
    pub expires_at: Instant,
    /// How many.
    pub points: Points,
}

impl Expiry {
    /// The instant from which a lot that became available at `available_from` can no longer be
    /// spent: the midnight after its last local day. Inactivity gives no date of a lot's own.
    pub fn expires_at(&self, zone: Zone, available_from: Instant) -> Option<Instant> {
        let day = zone.day_of(available_from);
        let last = match self {
            Self::Never | Self::Inactivity { .. } => return None,
            Self::After { months, round } => round.last_day(add_months(day, *months)),
            Self::OnDate { dates, at_least_months } => next_of(dates, add_months(day, *at_least_months))?,
        };
        Some(zone.midnight(add_days(last, 1)))
    }

    fn lapse(&self) -> Lapse {
        match self {
            Self::Inactivity { months } => Lapse::Idle { months: *months },
            _ => Lapse::Dated,
        }
    }

    pub(crate) fn check(&self, at: &str, found: &mut Problems) {
        match self {
            Self::Never => {}
            Self::After { months, .. } | Self::Inactivity { months } => {
                found.refuse(!(1..=240).contains(months), &format!("{at}/months"), "out_of_range", "must be 1 to 240");
            }
            Self::OnDate { dates, at_least_months } => {
                found.refuse(dates.is_empty(), &format!("{at}/dates"), "empty", "at least one date is needed");
                let far = *at_least_months > 120;
                found.refuse(far, &format!("{at}/at_least_months"), "out_of_range", "must be 0 to 120");
            }
        }
    }
}

/// The first of the dates on or after a day.
fn next_of(dates: &[MonthDay], day: Day) -> Option<Day> {
    let years = day.year()..=day.year() + 1;
    let kept = years.flat_map(|year| dates.iter().map(move |date| date.kept_in(year)));
    kept.filter(|date| *date >= day).min()
}

/// The instant at which points lapse that nothing kept alive for `months` since `active_at`: the
/// midnight after the same date so many months on.
pub fn idle_until(zone: Zone, active_at: Instant, months: u32) -> Instant {
    zone.midnight(add_days(add_months(zone.day_of(active_at), months), 1))
}

impl Lot {
    /// The instant from which the lot can no longer be spent, if the member does nothing more;
    /// `active_at` is [`crate::Standing::active_at`]. Inactivity is counted from the lot's own points at
    /// the earliest: what was given to somebody who has long been away does not lapse before it came.
    pub fn lapses_at(&self, zone: Zone, active_at: Instant) -> Option<Instant> {
        match self.lapse {
            Lapse::Idle { months } => Some(idle_until(zone, active_at.max(self.occurred_at), months)),
            Lapse::Dated | Lapse::Fixed => self.expires_at,
        }
    }
}

impl Programme {
    /// When points earned at a tier lapse.
    pub fn expiry_at(&self, tier: usize) -> &Expiry {
        self.tier(tier).expiry.as_ref().unwrap_or(&self.expiry)
    }

    /// Whether a change of tier may give open lots another expiry. Every command that may change the
    /// tier, a purchase among them, then needs the member's open lots.
    pub fn redates_lots(&self) -> bool {
        let tiers = &self.tiers;
        tiers.lots_on_change == LotsOnChange::Take && tiers.levels.iter().any(|level| level.expiry.is_some())
    }
}

impl Draft<'_> {
    /// Lets what is left of a lot lapse at the instant it was due.
    pub(crate) fn lapse(&mut self, lot: i64, due: Instant) -> Result<(), Refusal> {
        let lot = self.member.lots[&lot];
        let note = Note::by_the_clock(EntryKind::Expiry, due, None);
        let from = if lot.pending { Account::Pending } else { Account::Available };
        self.move_lots(note, from, Account::Expired, &[Bite { lot: lot.number, points: lot.remaining }])?;
        Ok(())
    }

    /// The life of a lot under the rule of the tier at a position.
    pub(crate) fn life_at(&self, tier: usize, occurred_at: Instant, available_from: Instant) -> LotLife {
        let rule = match self.programme.tiers.lots_on_change {
            LotsOnChange::Keep => self.programme.expiry_at(tier),
            // What a later change of tier would do to this lot has been done already.
            LotsOnChange::Take => self.programme.expiry_at(self.tier()),
        };
        LotLife {
            occurred_at,
            available_from,
            expires_at: rule.expires_at(self.zone(), available_from),
            lapse: rule.lapse(),
            origin: None,
            parent: None,
        }
    }

    /// The points of a purchase by the lots they open: what a promotion with an expiry of its own
    /// gave opens a lot of its own, the rest lives by the tier the purchase earned at. Where caps cut
    /// the purchase, they cut the rest first.
    pub(crate) fn lives(&self, earned: &Earned, life: LotLife) -> Result<Vec<(Points, LotLife)>, Refusal> {
        let mut rest = earned.given;
        let mut parts = Vec::new();
        for explained in &earned.explanation.promotions {
            let promotion = self.programme.promotions.iter().find(|promotion| promotion.code == explained.code);
            if let Some(rule) = promotion.and_then(|promotion| promotion.expiry.as_ref()) {
                let part = explained.charged.min(rest);
                rest = rest.minus(part)?;
                let expires_at = rule.expires_at(self.zone(), life.available_from);
                parts.push((part, LotLife { expires_at, lapse: Lapse::Fixed, ..life }));
            }
        }
        parts.push((rest, life));
        Ok(parts)
    }

    /// Notes that the member was active: what lapses by inactivity lives on from then.
    pub(crate) fn active(&mut self, activity: Activity, at: Instant) -> Result<(), Refusal> {
        if !self.programme.activities.contains(&activity) {
            return Ok(());
        }
        self.active_since(at)
    }

    /// Notes an activity that counts whatever the programme says of others.
    pub(crate) fn active_since(&mut self, at: Instant) -> Result<(), Refusal> {
        if at <= self.member.standing.active_at {
            return Ok(());
        }
        let idle = IdlePatch { active_at: at, due_at: self.member.standing.idle_due_at };
        self.patch(StandingPatch { idle: Some(idle), ..StandingPatch::default() })
    }

    /// Notes when the first points lapse by inactivity; the last step of every decision.
    pub(crate) fn plan_idle(&mut self) -> Result<(), Refusal> {
        let standing = &self.member.standing;
        let due_at = self.idle_due_at();
        if due_at == standing.idle_due_at {
            return Ok(());
        }
        let idle = IdlePatch { active_at: standing.active_at, due_at };
        self.patch(StandingPatch { idle: Some(idle), ..StandingPatch::default() })
    }

    /// When the first points lapse by inactivity. Where lots that do were not loaded it may be said too
    /// early, never too late: they do not lapse before they were found to, nor sooner than the fewest
    /// months after the last activity. Once it is due they are loaded, and it is told anew.
    pub(crate) fn idle_due_at(&self) -> Option<Instant> {
        let (zone, standing) = (self.zone(), &self.member.standing);
        let months = standing.idle_months?;
        let unloaded = self.member.has_unloaded_idle_lots().then(|| {
            let earliest = idle_until(zone, standing.active_at, months);
            standing.idle_due_at.map_or(earliest, |found| found.max(earliest))
        });
        let idle = self.member.open_lots().filter(|lot| matches!(lot.lapse, Lapse::Idle { .. }));
        idle.filter_map(|lot| lot.lapses_at(zone, standing.active_at)).chain(unloaded).min()
    }

    /// After a change of tier: open lots take the rule of the tier reached, where the programme says
    /// so. A date counts from when they became available, another inactivity from the change; nothing
    /// lapses before it.
    pub(crate) fn redate_lots(&mut self, at: Instant) -> Result<(), Refusal> {
        if !self.programme.redates_lots() {
            return Ok(());
        }
        let rule = self.programme.expiry_at(self.tier());
        let zone = self.zone();
        let open = |lot: &&Lot| lot.remaining.is_positive() && lot.lapse != Lapse::Fixed;
        let lots: Vec<Lot> = self.member.lots.values().filter(open).copied().collect();
        for lot in lots {
            let expires_at = rule.expires_at(zone, lot.available_from).map(|due| due.max(at));
            let lapse = rule.lapse();
            if lapse != Lapse::Dated && lapse != lot.lapse {
                self.active_since(at)?;
            }
            if (lot.expires_at, lot.lapse) != (expires_at, lapse) {
                self.record(Effect::RedateLot { lot: lot.number, expires_at, lapse })?;
            }
        }
        Ok(())
    }
}
