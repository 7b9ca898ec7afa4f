//! Adjustments: points put right, and the opening balances an import brings along; and what staff may
//! put right alone.

use serde::{Deserialize, Serialize};

use crate::amount::Points;
use crate::command::{Adjust, Role};
use crate::decision::{Balance, Outcome};
use crate::draft::{Draft, Note};
use crate::ledger::{Account, EntryKind};
use crate::programme::{Problems, is_code};
use crate::refusal::Refusal;

/// What staff may give and take by hand. Whoever may adjust may ask for any number of points; above the
/// limits of his role somebody else has to agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adjustments {
    /// What a manager does alone.
    pub manager: AdjustmentLimits,
    /// What an admin does alone.
    pub admin: AdjustmentLimits,
    /// The reasons there are, as codes; empty: any code.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

/// What a person may give and take without asking anybody. Taking counts as giving does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdjustmentLimits {
    /// Points by one adjustment; 0: none.
    pub each: Points,
    /// Points by all adjustments of one programme day that nobody else agreed to.
    pub per_day: Points,
}

impl AdjustmentLimits {
    const NOTHING: Self = Self { each: Points::ZERO, per_day: Points::ZERO };

    fn of(each: i64, per_day: i64) -> Self {
        let points = |value| Points::new(value).unwrap_or(Points::ZERO);
        Self { each: points(each), per_day: points(per_day) }
    }
}

impl Default for Adjustments {
    fn default() -> Self {
        Self {
            manager: AdjustmentLimits::of(500, 2_000),
            admin: AdjustmentLimits::of(5_000, 20_000),
            reasons: Vec::new(),
        }
    }
}

/// Whether an adjustment may be made at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// It is within what the role does alone.
    Granted,
    /// Somebody else has to agree.
    ToBeAsked,
}

impl Adjustments {
    /// What a role does alone: nothing, but for managers and admins.
    pub fn limits(&self, role: Role) -> AdjustmentLimits {
        match role {
            Role::Manager => self.manager,
            Role::Admin => self.admin,
            Role::Member | Role::Cashier | Role::Integration | Role::Import | Role::System => AdjustmentLimits::NOTHING,
        }
    }

    /// Whether somebody of a role may make an adjustment alone who has given and taken `today` points
    /// alone on this programme day.
    ///
    /// # Errors
    /// [`Refusal::ReasonUnknown`], [`Refusal::NothingToAdjust`]; the day's sum leaves its range.
    pub fn judge(&self, role: Role, points: Points, reason: &str, today: Points) -> Result<Leave, Refusal> {
        let known = self.reasons.is_empty() || self.reasons.iter().any(|known| known == reason);
        if !known || !is_code(reason) {
            return Err(Refusal::ReasonUnknown(reason.to_owned()));
        }
        if points.is_zero() {
            return Err(Refusal::NothingToAdjust);
        }
        let (limits, size) = (self.limits(role), points.max(Points::ZERO.minus(points)?));
        let alone = size <= limits.each && today.plus(size)? <= limits.per_day;
        Ok(if alone { Leave::Granted } else { Leave::ToBeAsked })
    }

    /// Notes what is wrong with the limits and the reasons.
    pub(crate) fn check(&self, found: &mut Problems) {
        for (role, limits) in [("manager", self.manager), ("admin", self.admin)] {
            for (name, points) in [("each", limits.each), ("per_day", limits.per_day)] {
                let at = format!("/adjustments/{role}/{name}");
                found.refuse(points < Points::ZERO, &at, "too_small", "must be at least 0");
            }
        }
        for (i, reason) in self.reasons.iter().enumerate() {
            let at = format!("/adjustments/reasons/{i}");
            found.refuse(!is_code(reason), &at, "code_invalid", "1 to 64 of a-z, 0-9, '-' and '_'");
            found.refuse(self.reasons[..i].contains(reason), &at, "code_taken", "is used twice");
        }
    }
}

impl Draft<'_> {
    pub(crate) fn adjust(&mut self, adjust: &Adjust) -> Result<Outcome, Refusal> {
        self.settle()?;
        let note = Note {
            kind: EntryKind::Adjustment,
            actor: self.context.actor,
            effective_at: self.at,
            document: Some(adjust.id.uuid()),
            reason: Some(&adjust.reason),
            reverses: None,
        };
        if adjust.points.is_positive() {
            let life = self.life_at(self.tier(), self.at, self.at);
            self.credit(note, Account::Adjusted, adjust.points, life)?;
        } else if !adjust.points.is_zero() {
            self.debit(note, Account::Adjusted, Points::ZERO.minus(adjust.points)?, self.at)?;
        }
        Ok(Outcome::Adjustment(Balance::from(&self.member.standing)))
    }
}
