//! Redemption: points for a reward or as money off, captured at once (PROGRAMME.md §8).

use crate::amount::{Minor, Points};
use crate::command::{Redeem, Redeemed};
use crate::decision::{Balance, Effect, Outcome, RedemptionOutcome, RedemptionRecord, Refusal, StandingPatch};
use crate::draft::{Draft, Note};
use crate::ledger::{Account, EntryKind};
use crate::member::Shared;

/// What a redemption takes and gives.
struct Price {
    points: Points,
    worth: Option<Minor>,
}

impl Draft<'_> {
    pub(crate) fn redeem(&mut self, redeem: &Redeem, shared: &Shared) -> Result<Outcome, Refusal> {
        if self.member.standing.frozen {
            return Err(Refusal::MemberFrozen);
        }
        self.settle()?;
        if redeem.otp_step.is_some_and(|step| step <= self.member.standing.otp_step) {
            return Err(Refusal::CodeUsed);
        }
        let price = match &redeem.what {
            Redeemed::Reward(code) => self.reward_price(code, shared)?,
            Redeemed::MoneyOff(points) => self.money_off_price(*points)?,
        };
        let note = Note {
            kind: EntryKind::Redemption,
            actor: self.context.actor,
            effective_at: self.at,
            document: Some(redeem.id.uuid()),
            reason: None,
        };
        self.debit(note, Account::Redeemed, price.points)?;
        let reward = match &redeem.what {
            Redeemed::Reward(code) => Some(code.clone()),
            Redeemed::MoneyOff(_) => None,
        };
        if let Some(code) = &reward {
            self.record(Effect::UseReward { code: code.clone() })?;
        }
        self.record(Effect::Redemption(RedemptionRecord {
            id: redeem.id,
            store: redeem.store,
            reward: reward.clone(),
            points: price.points,
            worth: price.worth,
        }))?;
        if redeem.otp_step.is_some() {
            self.patch(StandingPatch { otp_step: redeem.otp_step, ..StandingPatch::default() })?;
        }
        Ok(Outcome::Redemption(RedemptionOutcome {
            id: redeem.id,
            points: price.points,
            reward,
            worth: price.worth,
            currency: self.programme.currency,
            recorded_at: self.at,
            balance: Balance::from(&self.member.standing),
        }))
    }

    fn reward_price(&self, code: &str, shared: &Shared) -> Result<Price, Refusal> {
        let reward = self.programme.reward(code).ok_or(Refusal::RewardUnknown)?;
        if !reward.offered_on(self.today()) {
            return Err(Refusal::RewardNotOffered);
        }
        if let Some(tier) = &reward.minimum_tier
            && self.tier() < self.programme.tier_position(tier)
        {
            return Err(Refusal::TierTooLow(tier.clone()));
        }
        let used = shared.rewards_used.get(code).copied().unwrap_or(0);
        if reward.stock.is_some_and(|stock| used >= i64::from(stock)) {
            return Err(Refusal::OutOfStock);
        }
        Ok(Price { points: reward.points, worth: None })
    }

    fn money_off_price(&self, points: Points) -> Result<Price, Refusal> {
        let offer = self.programme.redemption.as_ref().ok_or(Refusal::MoneyOffNotOffered)?;
        if points < offer.minimum {
            return Err(Refusal::BelowMinimum(offer.minimum));
        }
        if points.get() % offer.step.get() != 0 {
            return Err(Refusal::NotAStep(offer.step));
        }
        Ok(Price { points, worth: Some(offer.worth(points)?) })
    }
}
