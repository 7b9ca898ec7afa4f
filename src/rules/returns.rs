//! Returns: goods come back, and with them what they had earned and what had paid for them
//! (PROGRAMME.md §4). A return needs nothing but the stored sale, the member's lots and what was
//! returned before; it never looks at today's rates.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::amount::{Minor, OutOfRange, Points, Quantity};
use crate::command::{MOVED, Return};
use crate::decision::{
    Balance, CouponUse, Effect, Outcome, PurchaseRecord, ReturnOutcome, ReturnRecord, StandingPatch,
};
use crate::draft::{Draft, Note};
use crate::earning::MICRO;
use crate::explain::Explanation;
use crate::hold::{part_of, split};
use crate::id::RedemptionId;
use crate::ladder::progress;
use crate::ledger::{Account, EntryKind};
use crate::lot::{Bite, Lot};
use crate::programme::Shortfall;
use crate::refusal::Refusal;
use crate::remainder::Remainder;
use crate::time::Instant;
use crate::trigger::grant_code;

/// A purchase as it stands: the stored sale, and the sums of its returns so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sold {
    /// When it happened.
    pub occurred_at: Instant,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// Points given.
    pub points: Points,
    /// Micropoints it added to the carry, where it did.
    pub micropoints: Option<i64>,
    /// Why it earned them.
    pub explanation: Explanation,
    /// The lots it opened. Beside these, lots whose origin is one of them are its own too.
    pub lots: Vec<i64>,
    /// Points of them that lapsed where others kept them ([`crate::link`]).
    pub lapsed_elsewhere: Points,
    /// The redemption that paid for a part of it.
    pub redemption: Option<RedemptionId>,
    /// What came back so far, in order: the lines of all its returns.
    pub returned: Vec<LineReturned>,
    /// Points taken back so far, with what is owed and what was forgiven.
    pub clawed: Points,
    /// Micropoints taken back so far.
    pub micropoints_taken: i64,
    /// Points given back so far.
    pub given_back: Points,
}

/// What came back of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineReturned {
    /// Position in the purchase, from 1.
    pub line: u32,
    /// How many pieces; 0 for a return by amount that leaves something of the line.
    pub quantity: Quantity,
    /// What they were sold for, in minor units.
    pub amount: Minor,
}

impl LineReturned {
    /// What came back of each line in all: thousandths of a piece, and minor units.
    pub fn by_line<'a>(parts: impl IntoIterator<Item = &'a Self>) -> BTreeMap<u32, (i64, i64)> {
        let mut gone: BTreeMap<u32, (i64, i64)> = BTreeMap::new();
        for part in parts {
            let (quantity, amount) = gone.entry(part.line).or_default();
            *quantity += part.quantity.units();
            *amount += part.amount.get();
        }
        gone
    }
}

/// What a return takes back.
struct Claw {
    /// In all.
    points: Points,
    /// The part that became debt.
    owed: Points,
    /// The part that was forgiven.
    forgiven: Points,
    /// Micropoints taken out of the carry, where the sale had added to it.
    micropoints: i64,
}

impl Sold {
    /// A purchase of which nothing was returned yet.
    pub fn new(record: &PurchaseRecord, recorded_at: Instant, explanation: Explanation, lots: Vec<i64>) -> Self {
        Self {
            occurred_at: record.occurred_at,
            recorded_at,
            points: record.points,
            micropoints: record.micropoints,
            explanation,
            lots,
            lapsed_elsewhere: Points::ZERO,
            redemption: record.redemption,
            returned: Vec::new(),
            clawed: Points::ZERO,
            micropoints_taken: 0,
            given_back: Points::ZERO,
        }
    }

    /// Adds a return to the sums.
    pub(crate) fn record(&mut self, record: &ReturnRecord) -> Result<(), OutOfRange> {
        self.returned.extend(&record.lines);
        self.clawed = self.clawed.plus(record.clawed)?;
        self.micropoints_taken += record.micropoints;
        self.given_back = self.given_back.plus(record.given_back)?;
        Ok(())
    }

    /// Whether a lot holds points of this sale.
    fn owns(&self, lot: &Lot) -> bool {
        self.lots.contains(&lot.origin.unwrap_or(lot.number))
    }
}

impl Draft<'_> {
    pub(crate) fn take_back(&mut self, goods: &Return) -> Result<Outcome, Refusal> {
        self.settle()?;
        let sold = self.member.sales.get(&goods.purchase).cloned().ok_or(Refusal::PurchaseUnknown)?;
        if goods.elsewhere && !self.programme.returns.other_stores {
            return Err(Refusal::SoldElsewhere);
        }
        let mut after = sold.clone();
        after.send_back(&goods.goods)?;
        let lines = after.returned[sold.returned.len()..].to_vec();
        let (was, left) = (sold.remainder()?, after.remainder()?);
        let note = Note {
            kind: EntryKind::Return,
            actor: self.context.actor,
            effective_at: self.at,
            document: Some(goods.id.uuid()),
            reason: Some(&goods.reason),
            reverses: None,
        };
        let (given_back, worth) = self.give_back_paid(note, &sold, &left)?;
        let wallet = self.return_to_wallet(goods, (&sold, &after), &left)?;
        let claw = self.claw(note, &sold, &left)?;
        self.uncount(&sold, &was, &left)?;
        if left.empty && !was.empty {
            self.give_back_promotions(&sold.explanation)?;
        }
        let record = ReturnRecord {
            id: goods.id,
            purchase: goods.purchase,
            source: goods.source.clone(),
            external_id: goods.external_id.clone(),
            content: goods.content,
            reason: goods.reason.clone(),
            lines,
            amount: Minor::from_wide(left.returned - was.returned)?,
            clawed: claw.points,
            owed: claw.owed,
            forgiven: claw.forgiven,
            micropoints: claw.micropoints,
            given_back,
        };
        self.record(Effect::Return(record.clone()))?;
        if left.empty && !was.empty {
            self.give_back_coupons(goods, &sold)?;
        }
        let before = sold.forfeited(&was);
        for code in after.forfeited(&left).into_iter().filter(|code| !before.contains(code)) {
            self.record(Effect::RevokeCoupons { document: goods.purchase.uuid(), by: grant_code(code) })?;
        }
        Ok(Outcome::Return(Box::new(ReturnOutcome {
            record,
            recorded_at: self.at,
            worth,
            wallet,
            balance: Balance::from(&self.member.standing),
            progress: progress(self.programme, &self.member.standing),
        })))
    }

    /// Gives back the uses of coupons where nothing of the purchase remains: those of types that say so. One
    /// that is moved is used in the other purchase instead.
    fn give_back_coupons(&mut self, goods: &Return, sold: &Sold) -> Result<(), Refusal> {
        let moved = goods.source == MOVED;
        let back = |of: &str| moved || self.programme.coupon(of).is_some_and(|of| of.give_back_on_return);
        for used in sold.explanation.coupons.iter().filter(|used| back(&used.of)) {
            let (code, of, amount) = (used.code.clone(), used.of.clone(), used.amount);
            self.record(Effect::GiveBackCoupon(CouponUse { code, of, purchase: goods.purchase, amount }))?;
        }
        Ok(())
    }

    /// Gives back what points had paid of the goods, in all the share of the sale that came back, to
    /// lots in reverse order of consumption. Returns how many points, and what they were worth.
    fn give_back_paid(&mut self, note: Note<'_>, sold: &Sold, left: &Remainder) -> Result<(Points, Minor), Refusal> {
        let paid = sold.redemption.and_then(|id| Some((id, self.member.redemptions.get(&id).cloned()?)));
        let Some((id, mut paid)) = paid else { return Ok((Points::ZERO, Minor::ZERO)) };
        let returned = left.returned.clamp(0, sold.total().max(0));
        let due = i128::from(paid.points.get()) * returned;
        let due = Points::from_wide(due.checked_div(sold.total()).unwrap_or(0))?;
        let now = due.max(sold.given_back).minus(sold.given_back)?;
        if now.is_zero() {
            return Ok((Points::ZERO, Minor::ZERO));
        }
        let away = paid.bites.iter().try_fold(Points::ZERO, |sum, bite| sum.plus(bite.points))?;
        let (stay, mut back) = split(&paid.bites, away.minus(now)?)?;
        back.reverse();
        self.give_back(Note { kind: EntryKind::GiveBack, reverses: paid.entry, ..note }, &back)?;
        let worth = paid.worth.unwrap_or(Minor::ZERO);
        let worth_of = |points| part_of(worth, points, paid.points);
        let worth = worth_of(sold.given_back.plus(now)?)?.minus(worth_of(sold.given_back)?)?;
        paid.bites = stay;
        self.redemption(id, paid)?;
        Ok((now, worth))
    }

    /// Takes back what the sale earned beyond what remains of it: from its own lots, then from the
    /// member's others, then as debt or not at all.
    fn claw(&mut self, note: Note<'_>, sold: &Sold, left: &Remainder) -> Result<Claw, Refusal> {
        let own = self.own_lots(sold);
        let numbers = own.iter().map(|lot| lot.number).collect();
        let lapsed = self.lapsed_of(sold)?;
        let (points, micropoints) = self.claw_due(sold, left, lapsed)?;
        let here = own.iter().try_fold(Points::ZERO, |sum, lot| sum.plus(lot.remaining))?;
        self.bring_home(&numbers, points.minus(here)?.max(Points::ZERO))?;
        let mut missing = points;
        let own = self.own_lots(sold);
        for lot in own {
            let points = lot.remaining.min(missing);
            let from = if lot.pending { Account::Pending } else { Account::Available };
            let note = Note { reverses: Some(lot.entry), ..note };
            self.move_lots(note, from, Account::Returned, &[Bite { lot: lot.number, points }])?;
            missing = missing.minus(points)?;
        }
        let others = missing.min(self.reach()?);
        self.debit(note, Account::Returned, others, self.at)?;
        missing = missing.minus(others)?;
        let (owed, forgiven) = match self.programme.returns.shortfall {
            Shortfall::Debt => (missing, Points::ZERO),
            Shortfall::Forgive => (Points::ZERO, missing),
        };
        if owed.is_positive() {
            self.entry(note, Account::Debt, Account::Returned, owed)?;
        }
        Ok(Claw { points, owed, forgiven, micropoints })
    }

    /// Points of the sale that lapsed unspent, wherever they were kept.
    pub(crate) fn lapsed_of(&self, sold: &Sold) -> Result<Points, Refusal> {
        let own = self.own_lots(sold);
        let lapsed = own.iter().try_fold(Points::ZERO, |sum, lot| sum.plus(lot.lapsed))?;
        let numbers = own.iter().map(|lot| lot.number).collect();
        Ok(lapsed.plus(self.lapsed_elsewhere(&numbers, sold.lapsed_elsewhere)?)?)
    }

    /// The sale's own lots in the order in which a return takes them: pending ones first.
    fn own_lots(&self, sold: &Sold) -> Vec<Lot> {
        let mut own: Vec<Lot> = self.member.lots.values().filter(|lot| sold.owns(lot)).copied().collect();
        own.sort_unstable_by_key(|lot| (!lot.pending, lot.consumption_order()));
        own
    }

    /// How many points a return must take back, and how many micropoints of the sale with them.
    /// Points of the sale that lapsed unspent are gone already.
    pub(crate) fn claw_due(&mut self, sold: &Sold, left: &Remainder, lapsed: Points) -> Result<(Points, i64), Refusal> {
        let Some(added) = sold.micropoints else {
            let due = sold.points.minus(sold.clawed)?.minus(lapsed)?.minus(left.points)?;
            return Ok((due.max(Points::ZERO), 0));
        };
        let lapsed = i128::from(lapsed.get()) * i128::from(MICRO);
        let due = i128::from(added - sold.micropoints_taken) - lapsed - i128::from(left.micropoints);
        let due = i64::try_from(due.max(0)).map_err(|_| OutOfRange)?;
        let carry = self.member.standing.carry - due;
        // Each point clawed fills the carry by one, until it is above 0 again.
        self.patch(StandingPatch { carry: Some(carry.rem_euclid(MICRO)), ..StandingPatch::default() })?;
        Ok((Points::new(-carry.div_euclid(MICRO))?, due))
    }

    /// Takes what came back out of the day and the window it had counted in.
    pub(crate) fn uncount(&mut self, sold: &Sold, was: &Remainder, left: &Remainder) -> Result<(), Refusal> {
        let change = left.counted.plus(was.counted.negated())?;
        let purchases = if left.empty && !was.empty { -1 } else { 0 };
        self.uncount_day(self.zone().day_of(sold.occurred_at), change, purchases)
    }
}
