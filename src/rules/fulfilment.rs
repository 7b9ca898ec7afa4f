//! Fulfilment: how goods that were redeemed get to the member (PROGRAMME.md §8). They are reserved when the
//! redemption is captured, got ready, handed over; or cancelled, when the redemption is taken back. What
//! is no goods, as a partner's voucher, has nothing to be fulfilled.

use serde::{Deserialize, Serialize};

use crate::command::{Fulfil, Role};
use crate::decision::{Effect, Outcome};
use crate::draft::Draft;
use crate::id::{RedemptionId, StoreId};
use crate::redemption::{Redemption, RedemptionStatus};
use crate::refusal::Refusal;

/// How far goods have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fulfilment {
    /// Where they stand.
    pub status: FulfilmentStatus,
    /// Steps on record; the next has the number after it.
    pub steps: u32,
}

/// Where goods stand on their way to the member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FulfilmentStatus {
    /// They are the member's, and nobody has laid them out yet.
    Reserved,
    /// They wait for him in a store.
    Ready,
    /// He has them.
    HandedOver,
    /// The redemption was taken back.
    Cancelled,
}

impl FulfilmentStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Reserved, Self::Ready, Self::HandedOver, Self::Cancelled];

    /// The word in rows and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Ready => "ready",
            Self::HandedOver => "handed_over",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Whether goods may go from here to there. What lies on the counter need not be got ready first.
    pub const fn leads_to(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Reserved, Self::Ready)
                | (Self::Reserved | Self::Ready, Self::HandedOver)
                | (Self::Reserved | Self::Ready | Self::HandedOver, Self::Cancelled)
        )
    }
}

/// A step of goods on their way, as its row records it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FulfilmentStep {
    /// Of which redemption.
    pub redemption: RedemptionId,
    /// From 1, without a gap.
    pub number: u32,
    /// Where the goods stand from now on.
    pub status: FulfilmentStatus,
    /// In which store, where it was in one.
    pub store: Option<StoreId>,
}

impl Redemption {
    /// Whether it gives something to carry home: neither a partner's code nor a coupon nor tickets.
    fn is_goods(&self) -> bool {
        self.reward.is_some() && self.voucher.is_none() && self.tickets.is_none()
    }

    /// Where its goods stand once it stands as it does, if that is something new.
    fn due(&self) -> Option<FulfilmentStatus> {
        match (self.status, self.fulfilment) {
            (RedemptionStatus::Captured, None) if self.is_goods() => Some(FulfilmentStatus::Reserved),
            (RedemptionStatus::Voided, Some(_)) => Some(FulfilmentStatus::Cancelled),
            _ => None,
        }
    }
}

impl Draft<'_> {
    /// Goods are got ready or handed over.
    pub(crate) fn fulfil(&mut self, asked: &Fulfil) -> Result<Outcome, Refusal> {
        self.settle()?;
        let redemption = self.known(asked.redemption)?;
        let stands = redemption.fulfilment.map(|fulfilment| fulfilment.status);
        if !stands.is_some_and(|stands| asked.to != FulfilmentStatus::Cancelled && stands.leads_to(asked.to)) {
            return Err(Refusal::FulfilmentState(stands));
        }
        let fulfilment = self.step(asked.redemption, &redemption, asked.to, Some(asked.store))?;
        Ok(self.redemption_outcome(asked.redemption, Redemption { fulfilment, ..redemption }))
    }

    /// What follows for the goods of a redemption that has just been put on record.
    pub(crate) fn follow_up(
        &mut self,
        id: RedemptionId,
        redemption: &Redemption,
    ) -> Result<Option<Fulfilment>, Refusal> {
        match redemption.due() {
            Some(status) => self.step(id, redemption, status, redemption.store),
            None => Ok(redemption.fulfilment),
        }
    }

    fn step(
        &mut self,
        id: RedemptionId,
        redemption: &Redemption,
        status: FulfilmentStatus,
        store: Option<StoreId>,
    ) -> Result<Option<Fulfilment>, Refusal> {
        let number = redemption.fulfilment.map_or(0, |before| before.steps) + 1;
        self.record(Effect::Fulfil(FulfilmentStep { redemption: id, number, status, store }))?;
        Ok(Some(Fulfilment { status, steps: number }))
    }

    /// Who may take back what the member has already: of goods a manager, of a code that was shown, and may
    /// be used by now, an admin; so too of tickets that may be drawn by now.
    pub(crate) fn check_take_back(&self, redemption: &Redemption) -> Result<(), Refusal> {
        let role = self.context.actor.role;
        if redemption.voucher.is_some() && role != Role::Admin {
            return Err(Refusal::VoucherShown);
        }
        if redemption.tickets.is_some() && self.is_draw_closed(redemption.reward.as_deref()) && role != Role::Admin {
            return Err(Refusal::DrawClosed);
        }
        let has_them = redemption.fulfilment.is_some_and(|goods| goods.status == FulfilmentStatus::HandedOver);
        if has_them && !matches!(role, Role::Manager | Role::Admin) {
            return Err(Refusal::HandedOver);
        }
        Ok(())
    }
}
