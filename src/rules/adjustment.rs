//! Adjustments: points put right, and the opening balances an import brings along.

use crate::amount::Points;
use crate::command::Adjust;
use crate::decision::{Balance, Outcome};
use crate::draft::{Draft, Note};
use crate::ledger::{Account, EntryKind};
use crate::refusal::Refusal;

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
