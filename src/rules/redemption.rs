//! Redemption: points for a reward or as money off, captured at once or set aside
//! (PROGRAMME.md §8). What becomes of a redemption afterwards is in [`crate::hold`].

use crate::amount::{Minor, Multiplier, OutOfRange, Points};
use crate::command::{PayWithPoints, Redeem, RedeemMode, Redeemed};
use crate::decision::{Balance, Effect, Outcome, RedemptionOutcome, RedemptionRecord, StandingPatch};
use crate::draft::{Draft, Note};
use crate::expiry::Activity;
use crate::fulfilment::Fulfilment;
use crate::id::{PurchaseId, RedemptionId, StoreId};
use crate::ledger::{Account, EntryKind};
use crate::lot::Bite;
use crate::member::Shared;
use crate::perk::GrantKey;
use crate::programme::MoneyOff;
use crate::refusal::Refusal;
use crate::ticket::{TicketChange, Tickets};
use crate::time::Instant;

/// A redemption as it stands: one row, its bites as two arrays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redemption {
    /// Held, captured or voided.
    pub status: RedemptionStatus,
    /// Where, unless by the member alone.
    pub store: Option<StoreId>,
    /// The reward's code, unless money off.
    pub reward: Option<String>,
    /// The purchase it paid for a part of.
    pub purchase: Option<PurchaseId>,
    /// Points set aside or spent; of a voided redemption, what they had been.
    pub points: Points,
    /// What they are worth as money off, in minor units.
    pub worth: Option<Minor>,
    /// When the points were set aside or spent.
    pub recorded_at: Instant,
    /// When a hold ends by itself.
    pub held_until: Option<Instant>,
    /// The entry that set the points aside or spent them.
    pub entry: Option<i64>,
    /// The lots the points came from, in order of consumption, with what has not been given back.
    pub bites: Vec<Bite>,
    /// The grant of a perk that gave the reward for nothing: then there are no points, entry and bites.
    pub grant: Option<GrantKey>,
    /// The partner's code that it gives, told once it is captured.
    pub voucher: Option<String>,
    /// The tickets for a draw that it gives, told once it is captured; void when it is voided.
    pub tickets: Option<Tickets>,
    /// How far its goods have come, from the capture on.
    pub fulfilment: Option<Fulfilment>,
}

/// How a redemption stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedemptionStatus {
    /// Its points are set aside.
    Held,
    /// Its points are spent.
    Captured,
    /// Its points were let go or given back.
    Voided,
}

impl RedemptionStatus {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Held, Self::Captured, Self::Voided];

    /// The word in rows and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Captured => "captured",
            Self::Voided => "voided",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

/// Points, and what they are worth as money off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worth {
    /// The points.
    pub points: Points,
    /// Minor units.
    pub worth: Minor,
}

impl Worth {
    /// No points.
    pub const NOTHING: Self = Self { points: Points::ZERO, worth: Minor::ZERO };
}

impl MoneyOff {
    /// What a number of points are worth that may be redeemed at once.
    ///
    /// # Errors
    /// Below the minimum, not a multiple of the step, or worth more than 2^53 − 1.
    pub fn price(&self, points: Points) -> Result<Minor, Refusal> {
        if points < self.minimum {
            return Err(Refusal::BelowMinimum(self.minimum));
        }
        if points.get() % self.step.get() != 0 {
            return Err(Refusal::NotAStep(self.step));
        }
        Ok(self.worth(points)?)
    }

    /// What a number of points pay of a purchase.
    ///
    /// # Errors
    /// As [`MoneyOff::price`], and [`Refusal::ShareTooLarge`].
    pub fn pay(&self, points: Points, total: Minor) -> Result<Minor, Refusal> {
        let (worth, most) = (self.price(points)?, self.share_of(total)?);
        if worth > most { Err(Refusal::ShareTooLarge(most)) } else { Ok(worth) }
    }

    /// The most that points can pay of a purchase, and the fewest points it takes.
    ///
    /// # Errors
    /// None for points and a total in range.
    pub fn most(&self, available: Points, total: Minor) -> Result<Worth, OutOfRange> {
        let (points, per) = (i128::from(self.rate.points), i128::from(self.rate.per));
        let (step, minimum) = (i128::from(self.step.get()), i128::from(self.minimum.get()));
        // Worth is rounded down: p points are worth no more than w while p × per < (w + 1) × points.
        let within = ((i128::from(self.share_of(total)?.get()) + 1) * points - 1) / per;
        let ceiling = within.min(i128::from(available.get())) / step * step;
        if ceiling < minimum || ceiling <= 0 {
            return Ok(Worth::NOTHING);
        }
        let worth = ceiling * per / points;
        let steps_up = |least: i128| (least + step - 1) / step * step;
        let fewest = steps_up(((worth * points + per - 1) / per).max(minimum).max(1));
        let worth = Worth { points: Points::from_wide(fewest)?, worth: Minor::from_wide(worth)? };
        Ok(if worth.worth.is_zero() { Worth::NOTHING } else { worth })
    }

    /// The largest share of a purchase that points may pay, rounded down.
    fn share_of(&self, total: Minor) -> Result<Minor, OutOfRange> {
        let share = i128::from(total.get().max(0)) * i128::from(self.largest_share.units());
        Minor::from_wide(share / i128::from(Multiplier::UNIT))
    }
}

/// What a redemption takes and gives.
pub(crate) struct Price {
    pub(crate) points: Points,
    pub(crate) worth: Option<Minor>,
    /// The grant that pays.
    pub(crate) grant: Option<GrantKey>,
    /// The partner's code that is given.
    pub(crate) voucher: Option<String>,
    /// The tickets that are given.
    pub(crate) tickets: Option<Tickets>,
}

/// The tender that points make of a purchase; a programme may exclude it from earning like any other.
pub(crate) const POINTS_TENDER: &str = "points";

impl Draft<'_> {
    pub(crate) fn redeem(&mut self, redeem: &Redeem, shared: &Shared) -> Result<Outcome, Refusal> {
        if self.member.standing.frozen {
            return Err(Refusal::MemberFrozen);
        }
        self.settle()?;
        self.check_step(redeem.otp_step)?;
        let (price, reward) = match &redeem.what {
            Redeemed::Reward(code) => (self.reward_price(code, shared)?, Some(code.clone())),
            Redeemed::MoneyOff(points) => (self.money_off_price(*points)?, None),
        };
        let held = redeem.mode == RedeemMode::Hold;
        let minutes = chrono::Duration::minutes(i64::from(self.programme.hold_minutes()));
        let redemption = Redemption {
            status: if held { RedemptionStatus::Held } else { RedemptionStatus::Captured },
            store: redeem.store,
            reward,
            purchase: None,
            points: price.points,
            worth: price.worth,
            recorded_at: self.at,
            held_until: held.then_some(self.at + minutes),
            entry: None,
            bites: Vec::new(),
            grant: price.grant,
            voucher: price.voucher,
            tickets: price.tickets,
            fulfilment: None,
        };
        self.spend(redeem.id, redemption, redeem.otp_step)
    }

    /// Takes the points that pay for a part of a purchase; returns what they are worth.
    pub(crate) fn pay_with_points(
        &mut self,
        pay: PayWithPoints,
        purchase: PurchaseId,
        store: StoreId,
        total: Minor,
    ) -> Result<Minor, Refusal> {
        self.check_step(pay.otp_step)?;
        let offer = self.programme.redemption.as_ref().ok_or(Refusal::MoneyOffNotOffered)?;
        let worth = offer.pay(pay.points, total)?;
        let redemption = Redemption {
            status: RedemptionStatus::Captured,
            store: Some(store),
            reward: None,
            purchase: Some(purchase),
            points: pay.points,
            worth: Some(worth),
            recorded_at: self.at,
            held_until: None,
            entry: None,
            bites: Vec::new(),
            grant: None,
            voucher: None,
            tickets: None,
            fulfilment: None,
        };
        self.spend(pay.id, redemption, pay.otp_step)?;
        Ok(worth)
    }

    /// Takes a redemption's points out of the lots and puts it on record.
    fn spend(
        &mut self,
        id: RedemptionId,
        mut redemption: Redemption,
        otp_step: Option<i64>,
    ) -> Result<Outcome, Refusal> {
        let (kind, to) = match redemption.status {
            RedemptionStatus::Held => (EntryKind::Hold, Account::Held),
            _ => (EntryKind::Redemption, Account::Redeemed),
        };
        self.send(self.taken_from_pool(redemption.points)?)?;
        let taken = self.debit(self.on_redemption(kind, id), to, redemption.points, self.at)?;
        (redemption.entry, redemption.bites) = (taken.entry, taken.bites);
        self.active(Activity::Redeeming, self.at)?;
        if let Some(code) = &redemption.reward {
            let voucher = redemption.voucher.clone();
            self.record(Effect::UseReward { code: code.clone(), redemption: id, voucher })?;
            if let Some(tickets) = redemption.tickets {
                let given = TicketChange::Given { reward: code.clone(), redemption: id, tickets };
                self.record(Effect::Tickets(given))?;
            }
        }
        if otp_step.is_some() {
            self.patch(StandingPatch { otp_step, ..StandingPatch::default() })?;
        }
        self.redemption(id, redemption)
    }

    /// Puts a redemption on record as it stands now, with what follows for its goods.
    pub(crate) fn redemption(&mut self, id: RedemptionId, mut redemption: Redemption) -> Result<Outcome, Refusal> {
        self.coupon_of(id, &mut redemption)?;
        self.record(Effect::Redemption(RedemptionRecord { id, redemption: redemption.clone() }))?;
        let fulfilment = self.follow_up(id, &redemption)?;
        Ok(self.redemption_outcome(id, Redemption { fulfilment, ..redemption }))
    }

    /// What is told of a redemption as it stands now. What it gives is told with the capture and not before.
    pub(crate) fn redemption_outcome(&self, id: RedemptionId, redemption: Redemption) -> Outcome {
        let captured = redemption.status == RedemptionStatus::Captured;
        Outcome::Redemption(RedemptionOutcome {
            id,
            status: redemption.status,
            held_until: redemption.held_until,
            points: redemption.points,
            reward: redemption.reward,
            perk: redemption.grant.map(|grant| grant.perk),
            voucher: redemption.voucher.filter(|_| captured),
            tickets: redemption.tickets.filter(|_| captured),
            fulfilment: redemption.fulfilment.map(|fulfilment| fulfilment.status),
            worth: redemption.worth,
            currency: self.programme.currency,
            recorded_at: self.at,
            balance: Balance::from(&self.member.standing),
        })
    }

    /// What an entry of a redemption says of itself.
    pub(crate) fn on_redemption(&self, kind: EntryKind, id: RedemptionId) -> Note<'static> {
        let document = Some(id.uuid());
        Note { kind, actor: self.context.actor, effective_at: self.at, document, reason: None, reverses: None }
    }

    pub(crate) fn check_step(&self, otp_step: Option<i64>) -> Result<(), Refusal> {
        if otp_step.is_some_and(|step| step <= self.member.standing.otp_step) {
            return Err(Refusal::CodeUsed);
        }
        Ok(())
    }

    fn money_off_price(&self, points: Points) -> Result<Price, Refusal> {
        let offer = self.programme.redemption.as_ref().ok_or(Refusal::MoneyOffNotOffered)?;
        Ok(Price { points, worth: Some(offer.price(points)?), grant: None, voucher: None, tickets: None })
    }
}
