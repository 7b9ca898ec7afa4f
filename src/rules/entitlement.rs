//! Entitlements: what a tier's member may use so many times a calendar year – free deliveries, days
//! of double points (PROGRAMME.md §6).

use chrono::Datelike;
use serde::{Deserialize, Serialize};

use crate::amount::Multiplier;
use crate::command::UseEntitlement;
use crate::decision::{Effect, EntitlementOutcome, Outcome, StandingPatch};
use crate::draft::Draft;
use crate::member::MemberState;
use crate::programme::Problems;
use crate::refusal::Refusal;
use crate::text::Text;
use crate::time::{Day, Instant, add_days};

/// Something a tier's member may use so many times a calendar year. Tiers that share a code share the
/// count: who used two of base's four and rises has two of gold's six behind him.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entitlement {
    /// Names the entitlement, unique within the tier; uses point to it.
    pub code: String,
    /// What members see.
    pub name: Text,
    /// Uses in a calendar year; 1 to 366.
    pub per_year: u32,
    /// What a use gives.
    #[serde(default)]
    pub kind: EntitlementKind,
}

/// What one use of an entitlement gives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum EntitlementKind {
    /// Something outside the books; the rules only count.
    #[default]
    Counted,
    /// The purchases of a local day that the member chooses beforehand earn a multiple.
    MultiplierDay {
        /// At least 1. It stands beside promotions' multipliers and combines with them as they do.
        multiplier: Multiplier,
    },
}

/// One use, for ever unique by the member who used it, code, year and number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntitlementUse {
    /// Code of the entitlement.
    pub code: String,
    /// The calendar year it counts in: of the day it was used, or of the day chosen.
    pub year: i32,
    /// 1, 2, 3 … within the year; 0 where an account used it that was merged into the member's.
    pub number: u32,
    /// When it was used.
    pub used_at: Instant,
    /// The day chosen and its multiplier, fixed when it was chosen.
    pub day: Option<(Day, Multiplier)>,
}

impl Entitlement {
    pub(crate) fn check(&self, at: &str, found: &mut Problems) {
        let count = !(1..=366).contains(&self.per_year);
        found.refuse(count, &format!("{at}/per_year"), "out_of_range", "must be 1 to 366");
        if let EntitlementKind::MultiplierDay { multiplier } = self.kind {
            found.multiplier(&format!("{at}/kind/multiplier"), multiplier, Multiplier::UNIT);
        }
    }
}

impl MemberState {
    /// How often an entitlement was used in a calendar year, by the member and by accounts merged into his.
    pub fn used_in(&self, code: &str, year: i32) -> u32 {
        u32::try_from(self.uses(code, year).count()).unwrap_or(u32::MAX)
    }

    fn uses(&self, code: &str, year: i32) -> impl Iterator<Item = &EntitlementUse> {
        self.entitlement_uses.iter().filter(move |one| one.code == code && one.year == year)
    }
}

impl Draft<'_> {
    /// Uses one of what the tier held today entitles to.
    pub(crate) fn use_entitlement(&mut self, asked: &UseEntitlement) -> Result<Outcome, Refusal> {
        if self.member.standing.frozen {
            return Err(Refusal::MemberFrozen);
        }
        self.settle()?;
        let programme = self.programme;
        let entitlements = &programme.tier(self.tier()).entitlements;
        let entitlement = entitlements.iter().find(|own| own.code == asked.code).ok_or(Refusal::EntitlementUnknown)?;
        let day = match entitlement.kind {
            EntitlementKind::Counted if asked.day.is_some() => return Err(Refusal::EntitlementDay),
            EntitlementKind::Counted => None,
            EntitlementKind::MultiplierDay { multiplier } => Some((self.chosen_day(asked)?, multiplier)),
        };
        let year = day.map_or(self.today(), |(day, _)| day).year();
        let used = self.member.used_in(&asked.code, year);
        if used >= entitlement.per_year {
            return Err(Refusal::EntitlementUsedUp);
        }
        let own = self.member.uses(&asked.code, year).map(|one| one.number).max();
        let number = own.unwrap_or(0) + 1;
        let (code, used_at) = (asked.code.clone(), self.at);
        self.record(Effect::UseEntitlement(EntitlementUse { code, year, number, used_at, day }))?;
        if let Some((day, _)) = day {
            let boost_until = Some(self.zone().midnight(add_days(day, 1)));
            self.patch(StandingPatch { boost_until, ..StandingPatch::default() })?;
        }
        Ok(Outcome::Entitlement(EntitlementOutcome {
            code: asked.code.clone(),
            year,
            used: used + 1,
            left: entitlement.per_year - used - 1,
            day: day.map(|(day, _)| day),
        }))
    }

    /// The day a member chose: today or later, by the end of next year, and not chosen before.
    fn chosen_day(&self, asked: &UseEntitlement) -> Result<Day, Refusal> {
        let day = asked.day.ok_or(Refusal::EntitlementDay)?;
        let taken = self.member.entitlement_uses.iter().any(|one| one.day.is_some_and(|(chosen, _)| chosen == day));
        if day < self.today() || day.year() > self.today().year() + 1 || taken {
            return Err(Refusal::EntitlementDay);
        }
        Ok(day)
    }
}
