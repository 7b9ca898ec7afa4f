//! Pending points: earned, not yet spendable, activated by the clock (PROGRAMME.md §3).

use crate::decision::Effect;
use crate::draft::{Draft, Note};
use crate::ledger::{Account, EntryKind};
use crate::lot::Bite;
use crate::refusal::Refusal;
use crate::time::Instant;

impl Draft<'_> {
    /// Makes a lot's points spendable at the instant they were due; debt is paid out of them.
    pub(crate) fn activate(&mut self, number: i64, due: Instant) -> Result<(), Refusal> {
        let lot = self.member.lots[&number];
        let note = Note::by_the_clock(EntryKind::Activation, due, None);
        let all = Bite { lot: number, points: lot.remaining };
        if let Some(entry) = self.move_lots(note, Account::Pending, Account::Available, &[all])? {
            self.record(Effect::Activate { entry, lot: number })?;
        }
        self.pay_debt(note.actor, None, due)
    }
}
