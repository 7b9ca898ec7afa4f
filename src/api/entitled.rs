//! Entitlements as every face shows them: what a tier entitles to, and one use of it.

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};
use tessera_rules::amount::Multiplier;
use tessera_rules::command::UseEntitlement;
use tessera_rules::entitlement::{Entitlement, EntitlementKind};
use tessera_rules::text::Text;
use tessera_rules::tier::TierLevel;
use tessera_rules::{Command, Outcome};
use utoipa::ToSchema;

use super::error::Code;
use super::submit::answer;
use crate::engine::{Answer, Settled};

/// Something the member may use so many times a calendar year.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EntitlementView {
    /// Its code.
    #[schema(example = "double-day")]
    code: String,
    /// Its name.
    #[schema(value_type = Object, example = json!({"en": "Double day", "zh": "双倍积分日"}))]
    name: Text,
    /// By what the purchases of a chosen day are multiplied; null: a use gives something outside the books.
    #[schema(value_type = Option<String>, example = "2")]
    multiplier: Option<Multiplier>,
    /// Uses in a calendar year.
    per_year: u32,
    /// Uses in this year.
    used: u32,
    /// Uses left in this year.
    left: u32,
    /// The days chosen, in this year and the next.
    days: Vec<NaiveDate>,
}

impl EntitlementView {
    /// All that a tier gives to a settled member.
    pub(super) fn all(level: &TierLevel, settled: &Settled) -> Vec<Self> {
        level.entitlements.iter().map(|entitlement| Self::of(entitlement, settled)).collect()
    }

    fn of(entitlement: &Entitlement, settled: &Settled) -> Self {
        let year = settled.programme.programme.time_zone.day_of(settled.member.standing.recorded_at).year();
        let uses = || settled.member.entitlement_uses.iter().filter(|one| one.code == entitlement.code);
        let used = settled.member.used_in(&entitlement.code, year);
        let mut days: Vec<NaiveDate> =
            uses().filter(|one| one.year >= year).filter_map(|one| Some(one.day?.0)).collect();
        days.sort_unstable();
        Self {
            code: entitlement.code.clone(),
            name: entitlement.name.clone(),
            multiplier: match entitlement.kind {
                EntitlementKind::Counted => None,
                EntitlementKind::MultiplierDay { multiplier } => Some(multiplier),
            },
            per_year: entitlement.per_year,
            used,
            left: entitlement.per_year.saturating_sub(used),
            days,
        }
    }
}

/// One use of an entitlement.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EntitlementUse {
    /// The day chosen, where the entitlement is for a day: today or later, by the end of next year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-11-28")]
    day: Option<NaiveDate>,
}

/// A use as the idempotency key stands for it: the member and the code stand in the path.
#[derive(Serialize)]
pub(super) struct Asked<'a> {
    pub(super) member: tessera_rules::id::MemberId,
    pub(super) code: &'a str,
    pub(super) body: &'a EntitlementUse,
}

impl EntitlementUse {
    /// The command.
    pub(super) fn command(&self, code: &str) -> Command {
        Command::UseEntitlement(UseEntitlement { code: code.to_owned(), day: self.day })
    }
}

/// What the use of an entitlement leaves.
#[derive(Serialize, ToSchema)]
pub(super) struct EntitlementUsed<'a> {
    /// Its code.
    #[schema(example = "double-day")]
    code: &'a str,
    /// The calendar year it counts in.
    #[schema(example = 2026)]
    year: i32,
    /// Uses in that year, this one included.
    used: u32,
    /// Uses left in it.
    left: u32,
    /// The day chosen; null where the entitlement is for none.
    day: Option<NaiveDate>,
}

/// What a use may be refused for.
pub(super) const PROBLEMS: &[Code] = &[
    Code::MemberUnknown,
    Code::MemberMerged,
    Code::MemberFrozen,
    Code::EntitlementUnknown,
    Code::EntitlementDay,
    Code::EntitlementUsedUp,
    Code::AmountOutOfRange,
    Code::NoProgramme,
];

/// The answer to a use.
pub(super) fn show(outcome: &Outcome) -> Answer {
    let Outcome::Entitlement(used) = outcome else { return answer(500, &()) };
    let view = EntitlementUsed { code: &used.code, year: used.year, used: used.used, left: used.left, day: used.day };
    answer(201, &view)
}
