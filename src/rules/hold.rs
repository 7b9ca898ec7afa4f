//! What becomes of a redemption: a hold is captured, voided or ends by itself, a captured one is
//! voided (PROGRAMME.md §8). However it goes, points return to the lots they came from, with their
//! old expiry.

use crate::amount::{Minor, Points};
use crate::command::{Actor, Capture};
use crate::decision::{Effect, Outcome};
use crate::draft::{Draft, LotLife, Note};
use crate::id::RedemptionId;
use crate::ledger::{Account, EntryKind};
use crate::lot::{Bite, Lapse};
use crate::redemption::{Redemption, RedemptionStatus};
use crate::refusal::Refusal;
use crate::settle::Due;
use crate::ticket::TicketChange;
use crate::time::{Instant, add_days};

impl Draft<'_> {
    /// The hold that ends first by itself.
    pub(crate) fn next_time_out(&self) -> Option<(Instant, Due)> {
        let held = self.member.redemptions.iter().filter(|(_, redemption)| redemption.status == RedemptionStatus::Held);
        held.filter_map(|(id, redemption)| Some((redemption.held_until?, Due::TimeOut { hold: *id }))).min()
    }

    /// Ends a hold at the instant its time ran out.
    pub(crate) fn time_out(&mut self, id: RedemptionId, due: Instant) -> Result<(), Refusal> {
        let held = self.known(id)?;
        let note = Note { reverses: held.entry, ..Note::by_the_clock(EntryKind::Release, due, Some(id.uuid())) };
        self.release(note, &held.bites)?;
        self.voided(id, held)?;
        Ok(())
    }

    /// Spends what a hold set aside, all of it or its first part; the rest goes back.
    pub(crate) fn capture(&mut self, capture: &Capture) -> Result<Outcome, Refusal> {
        self.settle()?;
        let id = capture.redemption;
        let held = self.known(id)?;
        if held.status != RedemptionStatus::Held {
            return Err(Refusal::NotHeld(held.status));
        }
        let points = capture.points.unwrap_or(held.points);
        // What was free has no points to capture.
        if !points.is_positive() && held.points.is_positive() || points > held.points {
            return Err(Refusal::CaptureOutOfRange(held.points));
        }
        if held.reward.is_some() && points < held.points {
            return Err(Refusal::RewardIsWhole);
        }
        let (spent, rest) = split(&held.bites, points)?;
        let note = self.on_redemption(EntryKind::Redemption, id);
        let entry = self.move_lots(note, Account::Held, Account::Redeemed, &spent)?;
        let back = Note { kind: EntryKind::Release, reverses: held.entry, ..note };
        self.release(back, &rest)?;
        let worth = held.worth.map(|worth| part_of(worth, points, held.points)).transpose()?;
        let status = RedemptionStatus::Captured;
        self.redemption(id, Redemption { status, points, worth, held_until: None, entry, bites: spent, ..held })
    }

    /// Takes a redemption back: a hold is let go, spent points are given back.
    pub(crate) fn void(&mut self, id: RedemptionId) -> Result<Outcome, Refusal> {
        self.settle()?;
        let redemption = self.known(id)?;
        if let Some(purchase) = redemption.purchase {
            return Err(Refusal::PaidForPurchase(purchase));
        }
        let note = |kind| Note { reverses: redemption.entry, ..self.on_redemption(kind, id) };
        match redemption.status {
            RedemptionStatus::Voided => return Err(Refusal::VoidedBefore),
            RedemptionStatus::Held => self.release(note(EntryKind::Release), &redemption.bites)?,
            RedemptionStatus::Captured => {
                self.check_take_back(&redemption)?;
                self.give_back(note(EntryKind::GiveBack), &redemption.bites)?;
            }
        }
        self.voided(id, redemption)
    }

    pub(crate) fn known(&self, id: RedemptionId) -> Result<Redemption, Refusal> {
        self.member.redemptions.get(&id).cloned().ok_or(Refusal::RedemptionUnknown)
    }

    /// Puts a redemption on record as voided; a reward that was set aside for it is free again. A code that
    /// was told is nobody else's ever, nor is the number of a ticket.
    fn voided(&mut self, id: RedemptionId, redemption: Redemption) -> Result<Outcome, Refusal> {
        if let Some(code) = &redemption.reward {
            let voucher = redemption.voucher.clone().filter(|_| redemption.status == RedemptionStatus::Held);
            self.record(Effect::PutBackReward { code: code.clone(), redemption: id, voucher })?;
        }
        if redemption.tickets.is_some() {
            self.record(Effect::Tickets(TicketChange::Voided(id)))?;
        }
        let status = RedemptionStatus::Voided;
        let voucher = redemption.voucher.filter(|_| redemption.status == RedemptionStatus::Captured);
        self.redemption(id, Redemption { status, held_until: None, bites: Vec::new(), voucher, ..redemption })
    }

    /// Lets held points go: back to their lots, which pay debt first; what has lapsed meanwhile
    /// lapses at once.
    fn release(&mut self, note: Note<'_>, bites: &[Bite]) -> Result<(), Refusal> {
        let (lapsed, alive) = self.lapsed(bites, note.effective_at);
        self.move_lots(note, Account::Held, Account::Available, &alive)?;
        self.pay_debt(note.actor, note.document, note.effective_at)?;
        let expiry = Note { kind: EntryKind::Expiry, actor: Actor::SYSTEM, ..note };
        self.move_lots(expiry, Account::Held, Account::Expired, &lapsed)?;
        Ok(())
    }

    /// Gives spent points back to their lots, which pay debt first. For a lot that has lapsed a new
    /// one opens, with days of grace to spend it in (PROGRAMME.md §4).
    pub(crate) fn give_back(&mut self, note: Note<'_>, bites: &[Bite]) -> Result<(), Refusal> {
        let (lapsed, alive) = self.lapsed(bites, note.effective_at);
        self.move_lots(note, Account::Redeemed, Account::Available, &alive)?;
        self.pay_debt(note.actor, note.document, note.effective_at)?;
        let grace = self.programme.returns.expired_return_grace_days;
        let ends = self.zone().midnight(add_days(self.today(), i64::from(grace) + 1));
        for bite in lapsed {
            let old = self.member.lots[&bite.lot];
            let life = LotLife {
                occurred_at: old.occurred_at,
                available_from: self.at,
                expires_at: Some(ends),
                lapse: Lapse::Fixed,
                origin: Some(old.origin.unwrap_or(old.number)),
                parent: old.parent,
            };
            self.credit(note, Account::Redeemed, bite.points, life)?;
        }
        Ok(())
    }

    /// Splits bites into those whose lot has lapsed by an instant and those whose lot lives.
    fn lapsed(&self, bites: &[Bite], at: Instant) -> (Vec<Bite>, Vec<Bite>) {
        let (zone, active_at) = (self.zone(), self.member.standing.active_at);
        let lapses_at = |bite: &Bite| self.member.lots[&bite.lot].lapses_at(zone, active_at);
        bites.iter().partition(|bite| lapses_at(bite).is_some_and(|due| due <= at))
    }
}

/// Splits bites into the first `points` of them and the rest.
pub(crate) fn split(bites: &[Bite], points: Points) -> Result<(Vec<Bite>, Vec<Bite>), Refusal> {
    let (mut first, mut rest, mut missing) = (Vec::new(), Vec::new(), points);
    for bite in bites {
        let taken = bite.points.min(missing);
        missing = missing.minus(taken)?;
        let parts = [(&mut first, taken), (&mut rest, bite.points.minus(taken)?)];
        for (part, points) in parts.into_iter().filter(|(_, points)| points.is_positive()) {
            part.push(Bite { lot: bite.lot, points });
        }
    }
    Ok((first, rest))
}

/// What `part` of `whole` points is worth where all are worth `worth`, rounded down.
pub(crate) fn part_of(worth: Minor, part: Points, whole: Points) -> Result<Minor, Refusal> {
    let wide = i128::from(worth.get()) * i128::from(part.get());
    Ok(Minor::from_wide(wide.checked_div_euclid(i128::from(whole.get())).unwrap_or(0))?)
}
