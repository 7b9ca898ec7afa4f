//! Perks: what a member is given for an occasion, once (PROGRAMME.md §7). The birthday so far.

use chrono::Datelike;
use serde::{Deserialize, Serialize};

use crate::amount::{Multiplier, Points};
use crate::command::Actor;
use crate::decision::{Effect, Outcome, StandingPatch};
use crate::draft::{Draft, LotLife, Note};
use crate::ledger::{Account, EntryKind};
use crate::lot::Lapse;
use crate::programme::{Problems, Programme};
use crate::refusal::Refusal;
use crate::text::Text;
use crate::time::{BirthDate, Day, Instant, LeapDay, Zone, add_days};

/// A perk for the member's birthday.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Perk {
    /// Names the perk for ever; grants point to it.
    pub code: String,
    /// What members see.
    pub name: Text,
    /// The occasion.
    pub occasion: OccasionKind,
    /// What is given.
    pub grant: PerkGift,
    /// The window around the occasion; the first entry that names the member's tier, or names
    /// none, is the one that counts. No entry: no perk for that tier.
    pub windows: Vec<PerkWindow>,
    /// The member must have been enrolled for this many days.
    #[serde(default)]
    pub member_for_days: u32,
    /// The member must have made at least one purchase.
    #[serde(default)]
    pub needs_purchase: bool,
    /// Where 29 February is kept in common years.
    #[serde(default)]
    pub leap_day: LeapDay,
}

/// What a perk is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OccasionKind {
    /// The member's birthday, once a year.
    Birthday,
}

/// What a perk gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum PerkGift {
    /// Points that lapse when the window ends.
    Points {
        /// At least 1.
        points: Points,
    },
    /// Purchases inside the window earn a multiple.
    Multiplier {
        /// At least 1.
        multiplier: Multiplier,
    },
}

/// The days around the occasion on which a tier's perk is valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerkWindow {
    /// Tier codes; empty: every tier.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<String>,
    /// Days before the occasion, at most 180.
    #[serde(default)]
    pub before_days: u32,
    /// Days after the occasion, at most 180.
    #[serde(default)]
    pub after_days: u32,
}

/// The widest half of a window: two windows of one perk must not meet.
const WINDOW_DAYS_MAX: u32 = 180;

impl Perk {
    /// The window of a tier, if the perk is for that tier.
    pub fn window(&self, tier: &str) -> Option<&PerkWindow> {
        self.windows.iter().find(|w| w.tiers.is_empty() || w.tiers.iter().any(|t| t == tier))
    }

    /// The occasion (the birthday's year) in whose window `today` lies, and the window's days.
    pub fn occasion_on(&self, today: Day, birth: BirthDate, tier: &str) -> Option<Occasion> {
        let window = self.window(tier)?;
        (today.year() - 1..=today.year() + 1).find_map(|year| {
            let day = birth.kept_in(year, self.leap_day)?;
            let from = add_days(day, -i64::from(window.before_days));
            let to = add_days(day, i64::from(window.after_days));
            (from <= today && today <= to).then_some(Occasion { year, from, to })
        })
    }

    pub(crate) fn check(&self, programme: &Programme, at: &str, found: &mut Problems) {
        found.refuse(self.windows.is_empty(), &format!("{at}/windows"), "empty", "at least one window is needed");
        for (i, window) in self.windows.iter().enumerate() {
            let wide = window.before_days > WINDOW_DAYS_MAX || window.after_days > WINDOW_DAYS_MAX;
            found.refuse(wide, &format!("{at}/windows/{i}"), "out_of_range", "at most 180 days on each side");
            for (j, tier) in window.tiers.iter().enumerate() {
                let known = programme.tiers.levels.iter().any(|level| &level.code == tier);
                found.refuse(!known, &format!("{at}/windows/{i}/tiers/{j}"), "unknown_tier", "no tier has this code");
            }
        }
        match self.grant {
            PerkGift::Points { points } => {
                found.refuse(!points.is_positive(), &format!("{at}/grant/points"), "too_small", "must be at least 1");
            }
            PerkGift::Multiplier { multiplier } => {
                found.multiplier(&format!("{at}/grant/multiplier"), multiplier, Multiplier::UNIT);
            }
        }
    }
}

/// One occurrence of a perk's occasion and the window around it, in local days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occasion {
    /// The birthday's year, also when the window crosses New Year.
    pub year: i32,
    /// First day of the window.
    pub from: Day,
    /// Last day of the window.
    pub to: Day,
}

impl Occasion {
    /// The window as instants: from its first midnight to the midnight after its last day.
    pub fn instants(&self, zone: Zone) -> (Instant, Instant) {
        (zone.midnight(self.from), zone.midnight(add_days(self.to, 1)))
    }
}

/// A perk granted to a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerkGrant {
    /// Code of the perk.
    pub perk: String,
    /// The occasion's year.
    pub occasion: i32,
    /// When it was granted.
    pub granted_at: Instant,
    /// What was given.
    pub gift: PerkGift,
    /// First instant of the window.
    pub from: Instant,
    /// First instant after the window.
    pub until: Instant,
}

impl Draft<'_> {
    /// Grants every perk whose window holds today, whose gates hold and which was not granted for
    /// its occasion yet. A frozen member is granted nothing.
    pub(crate) fn grant_perks(&mut self) -> Result<Outcome, Refusal> {
        self.settle()?;
        let mut granted = Vec::new();
        if let (Some(birth), false) = (self.member.birth_date, self.member.standing.frozen) {
            let programme = self.programme;
            for perk in &programme.perks {
                if let Some(occasion) = self.due_occasion(perk, birth) {
                    self.grant(perk, occasion)?;
                    granted.push(perk.code.clone());
                }
            }
        }
        Ok(Outcome::Perks(granted))
    }

    fn due_occasion(&self, perk: &Perk, birth: BirthDate) -> Option<Occasion> {
        let standing = &self.member.standing;
        let tier = &self.programme.tier(self.tier()).code;
        let occasion = perk.occasion_on(self.today(), birth, tier)?;
        let enrolled_days = (self.today() - self.zone().day_of(standing.enrolled_at)).num_days();
        let gates =
            enrolled_days >= i64::from(perk.member_for_days) && (standing.purchases > 0 || !perk.needs_purchase);
        let mut granted = self.member.grants.iter();
        let first = !granted.any(|grant| grant.perk == perk.code && grant.occasion == occasion.year);
        (gates && first).then_some(occasion)
    }

    fn grant(&mut self, perk: &Perk, occasion: Occasion) -> Result<(), Refusal> {
        let (from, until) = occasion.instants(self.zone());
        self.record(Effect::Grant(PerkGrant {
            perk: perk.code.clone(),
            occasion: occasion.year,
            granted_at: self.at,
            gift: perk.grant,
            from,
            until,
        }))?;
        match perk.grant {
            PerkGift::Points { points } => {
                let note = Note {
                    kind: EntryKind::Perk,
                    actor: Actor::SYSTEM,
                    effective_at: self.at,
                    document: None,
                    reason: Some(&perk.code),
                    reverses: None,
                };
                let life = LotLife {
                    occurred_at: self.at,
                    available_from: self.at,
                    expires_at: Some(until),
                    lapse: Lapse::Fixed,
                    origin: None,
                };
                self.credit(note, Account::Issued, points, life)?;
                self.patch(StandingPatch { earned: points, ..StandingPatch::default() })
            }
            PerkGift::Multiplier { .. } => {
                self.patch(StandingPatch { boost_until: Some(until), ..StandingPatch::default() })
            }
        }
    }
}
