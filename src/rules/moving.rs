//! Moving a purchase to the member it should have been entered for (PROGRAMME.md §4).

use chrono::Duration;

use crate::command::{MOVED, Move, Purchase, Return, ReturnedGoods};
use crate::decision::{CouponUse, Effect, Outcome, PurchaseOutcome};
use crate::draft::Draft;
use crate::refusal::Refusal;
use crate::returns::Sold;

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
        if self.wallet_paid(moving.purchase) {
            return Err(Refusal::PaidFromWallet);
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

    /// The same purchase for the other member, at the prices of the first. Its coupons were used, and are used
    /// in it from now on.
    pub(crate) fn buy_again(&mut self, again: &Purchase, sold: &Sold) -> Result<PurchaseOutcome, Refusal> {
        let mut outcome = self.buy(again)?;
        outcome.explanation.priced_as(&sold.explanation);
        for coupon in &sold.explanation.coupons {
            let (code, of, amount) = (coupon.code.clone(), coupon.of.clone(), coupon.amount);
            self.record(Effect::UseCoupon(CouponUse { code, of, purchase: again.id, amount }))?;
        }
        Ok(outcome)
    }
}
