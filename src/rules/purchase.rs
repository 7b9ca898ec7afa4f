//! A purchase: checks, earning, the ledger, the window and the tier, in that order.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::Duration;

use crate::amount::{Minor, Multiplier, Points};
use crate::command::{Purchase, Tender};
use crate::condition::Facts;
use crate::decision::{Balance, Effect, Outcome, PurchaseOutcome, PurchaseRecord, StandingPatch};
use crate::draft::{Draft, Note};
use crate::earning::{Earned, Sale, earn};
use crate::expiry::Activity;
use crate::ladder::progress;
use crate::ledger::{Account, EntryKind};
use crate::lot::Lot;
use crate::member::{DayTotals, Shared};
use crate::perk::PerkGift;
use crate::pricing::kept;
use crate::redemption::POINTS_TENDER;
use crate::refusal::Refusal;
use crate::time::{Instant, month_of};
use crate::wallet::WALLET_TENDER;

/// How far back a till may report a purchase (PROGRAMME.md §1).
pub(crate) const LATE_LIMIT: Duration = Duration::days(30);
/// How far a till's clock may run ahead.
pub(crate) const AHEAD_LIMIT: Duration = Duration::minutes(5);

impl Draft<'_> {
    pub(crate) fn purchase(&mut self, purchase: &Purchase, shared: &Shared) -> Result<Outcome, Refusal> {
        self.timely(purchase)?;
        let kept = kept(purchase);
        if let Some(kept) = kept {
            self.still_binding(kept, shared)?;
        }
        self.settle()?;
        let occurred_at = purchase.occurred_at.unwrap_or(self.at);
        let Some(price) = self.price(purchase, occurred_at, shared)? else { return Ok(self.buy(purchase)?.into()) };
        let mut outcome = self.buy(&price.paid(purchase))?;
        price.explain(&mut outcome.explanation);
        (outcome.quote, outcome.total) = (kept.map(|kept| kept.id), Some(price.total()));
        if let Some(kept) = kept {
            price.keeps(kept, &outcome)?;
        }
        self.use_up(purchase, &price)?;
        Ok(outcome.into())
    }

    /// A purchase whatever its age, of lines that are what was paid.
    pub(crate) fn buy(&mut self, purchase: &Purchase) -> Result<PurchaseOutcome, Refusal> {
        let occurred_at = purchase.occurred_at.unwrap_or(self.at);
        self.admit(purchase)?;
        self.settle()?;
        let changes = self.member.standing.tier_changes;
        let tier_before = self.programme.tier(self.tier()).code.clone();
        let total = purchase.lines.iter().map(|line| i128::from(line.amount.get())).sum();
        let total = Minor::from_wide(total)?;
        let facts = self.facts_of(purchase, occurred_at);
        let pay = |pay| self.pay_with_points(pay, purchase.id, purchase.store, total);
        let worth = purchase.redeem.map(pay).transpose()?;
        if let Some(pay) = purchase.wallet {
            self.pay_from_wallet(pay, purchase, total.minus(worth.unwrap_or(Minor::ZERO))?)?;
        }
        let earned = self.earned(purchase, occurred_at, worth, facts.as_ref())?;
        self.book(purchase, occurred_at, total, &earned)?;
        let wallet = self.give_cashback(purchase, occurred_at, &earned.explanation)?;
        self.rise()?;
        let lots = self.opened_lots();
        let mut gifts = self.give_with(purchase.id, &earned.explanation)?;
        let pending = lots.iter().filter(|lot| lot.pending).try_fold(Points::ZERO, |sum, lot| sum.plus(lot.points))?;
        // A late purchase may open a lot that has lapsed by now.
        self.settle()?;
        let perks = self.grant_reached(changes)?;
        gifts.extend(self.grant_changed(changes)?);
        let referrer = self.complete_referral((purchase.id, occurred_at, earned.explanation.basis), &mut gifts)?;
        Ok(PurchaseOutcome {
            id: purchase.id,
            occurred_at,
            recorded_at: self.at,
            wanted: earned.wanted,
            given: earned.given,
            pending,
            redeemed: purchase.redeem.map(|pay| pay.points).zip(worth),
            wallet,
            quote: None,
            channel: purchase.channel.clone(),
            tenders: purchase.tenders.clone(),
            total: None,
            lots,
            balance: Balance::from(&self.member.standing),
            tier_before,
            tier_after: self.programme.tier(self.tier()).code.clone(),
            progress: progress(self.programme, &self.member.standing),
            perks,
            gifts,
            referrer,
            explanation: earned.explanation,
        })
    }

    fn admit(&self, purchase: &Purchase) -> Result<(), Refusal> {
        if self.member.standing.frozen {
            return Err(Refusal::MemberFrozen);
        }
        if purchase.currency != self.programme.currency {
            return Err(Refusal::CurrencyMismatch { wanted: self.programme.currency, given: purchase.currency });
        }
        Ok(())
    }

    /// Refuses a purchase before anything of the member is changed.
    pub(crate) fn timely(&self, purchase: &Purchase) -> Result<(), Refusal> {
        self.admit(purchase)?;
        let occurred_at = purchase.occurred_at.unwrap_or(self.at);
        if !self.context.historic && occurred_at < self.at - LATE_LIMIT {
            return Err(Refusal::OccurredTooEarly);
        }
        if !self.context.historic && occurred_at > self.at + AHEAD_LIMIT {
            return Err(Refusal::OccurredTooLate);
        }
        Ok(())
    }

    /// What the purchase earns; points and money of the wallet that pay for it are tenders like any other.
    pub(crate) fn earned(
        &self,
        purchase: &Purchase,
        occurred_at: Instant,
        worth: Option<Minor>,
        facts: Option<&Facts>,
    ) -> Result<Earned, Refusal> {
        let at = self.zone().local(occurred_at);
        let mut tenders = Cow::Borrowed(&purchase.tenders[..]);
        if let Some(amount) = worth {
            tenders.to_mut().push(Tender { kind: POINTS_TENDER.to_owned(), amount });
        }
        if let Some(pay) = purchase.wallet {
            tenders.to_mut().push(Tender { kind: WALLET_TENDER.to_owned(), amount: pay.amount });
        }
        let wallet = self.member.wallet.as_deref();
        let cashback_given = wallet.map_or_else(BTreeMap::new, |wallet| wallet.cashback_of(month_of(at.date())));
        let sale = Sale {
            lines: &purchase.lines,
            tenders: &tenders,
            at,
            store: &purchase.store_code,
            channel: purchase.channel.as_deref().unwrap_or_default(),
            tier: self.programme.tier(self.tier_at(occurred_at)),
            boosts: &self.boosts(occurred_at),
            carry: self.member.standing.carry,
            given_today: self.member.days.get(&at.date()).map_or(0, |totals| totals.given),
            purchases: self.member.standing.purchases,
            facts,
            promotions_used: &self.promotions_used,
            own_uses: &self.member.promotion_uses,
            cashback_given: &cashback_given,
        };
        earn(self.programme, self.context.programme_version, &sale)
    }

    /// What conditions may ask of the purchase and of the member before it.
    pub(crate) fn facts_of(&self, purchase: &Purchase, occurred_at: Instant) -> Option<Facts> {
        self.programme.asks_for_facts().then(|| Facts {
            member: self.member_facts(occurred_at),
            store: purchase.store_code.clone(),
            channel: purchase.channel.clone().unwrap_or_default(),
            at: self.zone().local(occurred_at),
            tenders: purchase.tenders.clone(),
            lines: purchase.lines.clone(),
            event: None,
        })
    }

    /// The position of the tier held at an instant: now, or in the dated history.
    pub(crate) fn tier_at(&self, at: Instant) -> usize {
        let standing = &self.member.standing;
        if at >= standing.tier_since {
            return self.tier();
        }
        let changes = &self.member.tier_changes;
        let held = match changes.iter().rfind(|change| change.at <= at) {
            Some(change) => Some(&change.to),
            None => changes.first().map(|change| &change.from),
        };
        held.map_or(0, |code| self.programme.tier_position(code))
    }

    /// Multipliers that perks granted and whose window holds an instant, and those of the day that the
    /// member chose for himself.
    fn boosts(&self, at: Instant) -> Vec<(String, Multiplier)> {
        let inside = self.member.grants.iter().filter(|grant| grant.from <= at && at < grant.until);
        let granted = inside.filter_map(|grant| match grant.gift {
            PerkGift::Multiplier { multiplier } => Some((format!("perk:{}", grant.perk), multiplier)),
            PerkGift::Points { .. }
            | PerkGift::Reward { .. }
            | PerkGift::Coupon { .. }
            | PerkGift::Tag { .. }
            | PerkGift::Untag { .. }
            | PerkGift::Message { .. } => None,
        });
        let today = self.zone().day_of(at);
        let chosen = self.member.entitlement_uses.iter().filter_map(|used| match used.day {
            Some((day, multiplier)) if day == today => Some((format!("entitlement:{}", used.code), multiplier)),
            _ => None,
        });
        granted.chain(chosen).collect()
    }

    pub(crate) fn book(
        &mut self,
        purchase: &Purchase,
        occurred_at: Instant,
        total: Minor,
        earned: &Earned,
    ) -> Result<(), Refusal> {
        self.record(Effect::Purchase(PurchaseRecord {
            id: purchase.id,
            store: purchase.store,
            source: purchase.source.clone(),
            external_id: purchase.external_id.clone(),
            content: purchase.content,
            occurred_at,
            occurred_named: purchase.occurred_at.is_some(),
            amount: total,
            points: earned.given,
            micropoints: earned.micropoints,
            redemption: purchase.redeem.map(|pay| pay.id),
        }))?;
        self.use_promotions(&earned.explanation)?;
        let note = Note {
            kind: EntryKind::Accrual,
            actor: self.context.actor,
            effective_at: occurred_at,
            document: Some(purchase.id.uuid()),
            reason: None,
            reverses: None,
        };
        // A till's clock may run ahead; points given now can be spent now, or wait from now.
        let pending = Duration::days(i64::from(self.programme.earning.pending_days));
        let available_from = occurred_at.min(self.at) + pending;
        let life = self.life_at(self.tier_at(occurred_at), occurred_at, available_from);
        for (points, life) in self.lives(earned, life)? {
            self.credit(note, Account::Issued, points, life)?;
        }
        self.active(Activity::Earning, occurred_at.min(self.at))?;
        let totals = DayTotals {
            points: earned.explanation.base_points.get(),
            spend: earned.explanation.basis.get(),
            visits: 1,
            given: earned.given.get(),
        };
        self.qualify(self.zone().day_of(occurred_at), totals)?;
        self.patch(StandingPatch {
            earned: earned.given,
            purchases: 1,
            purchased_at: Some(occurred_at),
            carry: Some(earned.carry),
            ..StandingPatch::default()
        })
    }

    /// The lots that what was earned has opened; points fetched to pay with may have opened others.
    fn opened_lots(&self) -> Vec<Lot> {
        let mut accrued = false;
        let mut lots = Vec::new();
        for effect in &self.effects {
            match effect {
                Effect::Entry(entry) => accrued = entry.kind == EntryKind::Accrual,
                Effect::OpenLot(lot) if accrued => lots.push(*lot),
                _ => {}
            }
        }
        lots
    }
}
