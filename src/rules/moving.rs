//! Moving a purchase to the member it should have been entered for (PROGRAMME.md §4).

use chrono::Duration;

use crate::command::{MOVED, Move, Return, ReturnedGoods};
use crate::decision::Outcome;
use crate::draft::Draft;
use crate::refusal::Refusal;

/// How long after it was recorded a purchase may be moved.
const LIMIT: Duration = Duration::hours(24);

impl Draft<'_> {
    /// Takes the purchase from the member it was entered for, as a return of everything does.
    pub(crate) fn send_off(&mut self, moving: &Move) -> Result<Outcome, Refusal> {
        let sold = self.member.sales.get(&moving.purchase).ok_or(Refusal::PurchaseUnknown)?;
        if moving.to == self.member.standing.member {
            return Err(Refusal::SameMember);
        }
        if !sold.returned.is_empty() {
            return Err(Refusal::ReturnedBefore);
        }
        if sold.redemption.is_some() {
            return Err(Refusal::PaidWithPoints);
        }
        if self.at - sold.recorded_at > LIMIT {
            return Err(Refusal::MovedTooLate);
        }
        let goods = ReturnedGoods::All;
        self.take_back(&Return {
            id: moving.id,
            purchase: moving.purchase,
            elsewhere: false,
            source: MOVED.to_owned(),
            external_id: moving.purchase.to_string(),
            content: Return::content_of(moving.purchase, &goods),
            goods,
            reason: "moved".to_owned(),
        })
    }
}
