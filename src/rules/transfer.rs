//! Transfers: points a member gives to another for good. They keep their expiry.

use serde::{Deserialize, Serialize};

use crate::amount::Points;
use crate::command::Transfer;
use crate::decision::{Effect, Outcome, StandingPatch, TransferOutcome, TransferRecord};
use crate::draft::Draft;
use crate::ledger::Account;
use crate::link::{Parcel, Sent};
use crate::programme::Problems;
use crate::refusal::Refusal;

/// What members may give to each other; absent in the programme: nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfers {
    /// The least at once.
    #[serde(default = "one")]
    pub minimum: Points,
    /// Points that a member may give on a programme day.
    pub daily_limit: Points,
}

fn one() -> Points {
    Points::new(1).unwrap_or(Points::ZERO)
}

impl Transfers {
    pub(crate) fn check(&self, found: &mut Problems) {
        found.refuse(!self.minimum.is_positive(), "/transfers/minimum", "too_small", "must be at least 1");
        let wrong = self.daily_limit < self.minimum;
        found.refuse(wrong, "/transfers/daily_limit", "too_small", "must be at least the minimum");
    }
}

impl Draft<'_> {
    /// The giver's side: takes the points out of his lots, and says which.
    pub(crate) fn give(&mut self, transfer: &Transfer) -> Result<(Outcome, Vec<Parcel>), Refusal> {
        let offer = self.programme.transfers.ok_or(Refusal::TransfersNotOffered)?;
        let member = self.member.standing.member;
        if transfer.to == member {
            return Err(Refusal::SameMember);
        }
        if self.member.standing.frozen {
            return Err(Refusal::MemberFrozen);
        }
        self.settle()?;
        self.check_step(transfer.otp_step)?;
        if transfer.points < offer.minimum {
            return Err(Refusal::BelowMinimum(offer.minimum));
        }
        let pooled = self.taken_from_pool(transfer.points)?;
        let within = self.sent_today().plus(transfer.points)? <= offer.daily_limit;
        if !within && self.reach()? >= transfer.points {
            return Err(Refusal::DailyLimit(offer.daily_limit));
        }
        let note = self.transfer_note("transfer");
        let taken = self.debit(note, Account::Transferred, transfer.points, self.at)?;
        self.send(transfer.points.max(pooled))?;
        let parcels = taken.bites.iter().map(|bite| (self.member.lots[&bite.lot], bite.points)).collect();
        if transfer.otp_step.is_some() {
            self.patch(StandingPatch { otp_step: transfer.otp_step, ..StandingPatch::default() })?;
        }
        let record = TransferRecord { id: transfer.id, from: member, to: transfer.to, points: transfer.points };
        self.record(Effect::Transfer(record))?;
        Ok((Outcome::Transfer(TransferOutcome { record, recorded_at: self.at, balance: self.balance() }), parcels))
    }

    /// The receiver's side.
    pub(crate) fn accept(&mut self, parcels: &[Parcel]) -> Result<Outcome, Refusal> {
        if self.is_merged() {
            return Err(Refusal::MemberMerged);
        }
        if self.member.standing.frozen {
            return Err(Refusal::ReceiverFrozen);
        }
        self.settle()?;
        self.receive(self.transfer_note("transfer"), None, parcels)?;
        Ok(Outcome::Settled)
    }

    /// Counts points that the member passes on, for the limits of the day.
    pub(crate) fn send(&mut self, points: Points) -> Result<(), Refusal> {
        if points.is_zero() {
            return Ok(());
        }
        let sent = Some(Sent { day: self.today(), points: self.sent_today().plus(points)? });
        self.patch(StandingPatch { sent, ..StandingPatch::default() })
    }

    /// What the member has passed on today.
    pub(crate) fn sent_today(&self) -> Points {
        let today = self.today();
        self.member.standing.sent.filter(|sent| sent.day == today).map_or(Points::ZERO, |sent| sent.points)
    }
}
