//! A purchase: checks, earning, the ledger, the window and the tier, in that order.

use chrono::Duration;

use crate::amount::{Minor, Multiplier};
use crate::command::Purchase;
use crate::decision::{Balance, Effect, Outcome, PurchaseOutcome, PurchaseRecord, Refusal, StandingPatch};
use crate::draft::{Draft, LotLife, Note};
use crate::earning::{Earned, Sale, earn};
use crate::ledger::{Account, EntryKind};
use crate::lot::Lot;
use crate::member::DayTotals;
use crate::perk::PerkGift;
use crate::settle::progress;
use crate::time::Instant;

/// How far back a till may report a purchase (PROGRAMME.md §1).
const LATE_LIMIT: Duration = Duration::days(30);
/// How far a till's clock may run ahead.
const AHEAD_LIMIT: Duration = Duration::minutes(5);

impl Draft<'_> {
    pub(crate) fn purchase(&mut self, purchase: &Purchase) -> Result<Outcome, Refusal> {
        let occurred_at = purchase.occurred_at.unwrap_or(self.at);
        self.admit(purchase, occurred_at)?;
        self.settle()?;
        let tier_before = self.programme.tier(self.tier()).code.clone();
        let earned = self.earned(purchase, occurred_at)?;
        self.book(purchase, occurred_at, &earned)?;
        self.rise()?;
        let lots = self.opened_lots();
        // A late purchase may open a lot that has lapsed by now.
        self.settle()?;
        Ok(Outcome::Purchase(Box::new(PurchaseOutcome {
            id: purchase.id,
            occurred_at,
            recorded_at: self.at,
            wanted: earned.wanted,
            given: earned.given,
            lots,
            balance: Balance::from(&self.member.standing),
            tier_before,
            tier_after: self.programme.tier(self.tier()).code.clone(),
            progress: progress(self.programme, &self.member.standing),
            explanation: earned.explanation,
        })))
    }

    fn admit(&self, purchase: &Purchase, occurred_at: Instant) -> Result<(), Refusal> {
        if self.member.standing.frozen {
            return Err(Refusal::MemberFrozen);
        }
        if purchase.currency != self.programme.currency {
            return Err(Refusal::CurrencyMismatch { wanted: self.programme.currency, given: purchase.currency });
        }
        if !self.context.historic && occurred_at < self.at - LATE_LIMIT {
            return Err(Refusal::OccurredTooEarly);
        }
        if !self.context.historic && occurred_at > self.at + AHEAD_LIMIT {
            return Err(Refusal::OccurredTooLate);
        }
        Ok(())
    }

    fn earned(&self, purchase: &Purchase, occurred_at: Instant) -> Result<Earned, Refusal> {
        let day = self.zone().day_of(occurred_at);
        let sale = Sale {
            lines: &purchase.lines,
            tenders: &purchase.tenders,
            day,
            store: &purchase.store_code,
            tier: self.programme.tier(self.tier_at(occurred_at)),
            boosts: &self.boosts(occurred_at),
            carry: self.member.standing.carry,
            given_today: self.member.days.get(&day).map_or(0, |totals| totals.given),
        };
        earn(self.programme, self.context.programme_version, &sale)
    }

    /// The position of the tier held at an instant: now, or in the dated history.
    fn tier_at(&self, at: Instant) -> usize {
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

    /// Multipliers that perks granted and whose window holds an instant.
    fn boosts(&self, at: Instant) -> Vec<(String, Multiplier)> {
        let inside = self.member.grants.iter().filter(|grant| grant.from <= at && at < grant.until);
        inside
            .filter_map(|grant| match grant.gift {
                PerkGift::Multiplier { multiplier } => Some((grant.perk.clone(), multiplier)),
                PerkGift::Points { .. } => None,
            })
            .collect()
    }

    fn book(&mut self, purchase: &Purchase, occurred_at: Instant, earned: &Earned) -> Result<(), Refusal> {
        let total = purchase.lines.iter().map(|line| i128::from(line.amount.get())).sum();
        self.record(Effect::Purchase(PurchaseRecord {
            id: purchase.id,
            store: purchase.store,
            source: purchase.source.clone(),
            external_id: purchase.external_id.clone(),
            content: purchase.content,
            occurred_at,
            occurred_named: purchase.occurred_at.is_some(),
            amount: Minor::from_wide(total)?,
            points: earned.given,
            micropoints: earned.micropoints,
        }))?;
        let note = Note {
            kind: EntryKind::Accrual,
            actor: self.context.actor,
            effective_at: occurred_at,
            document: Some(purchase.id.uuid()),
            reason: None,
        };
        // A till's clock may run ahead; points given now can be spent now.
        let available_from = occurred_at.min(self.at);
        let expires_at = self.programme.expiry.expires_at(self.zone(), available_from);
        let life = LotLife { occurred_at, available_from, expires_at };
        self.credit(note, Account::Issued, earned.given, life)?;
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
            carry: Some(earned.carry),
            ..StandingPatch::default()
        })
    }

    fn opened_lots(&self) -> Vec<Lot> {
        let opened = |effect: &Effect| match effect {
            Effect::OpenLot(lot) => Some(*lot),
            _ => None,
        };
        self.effects.iter().filter_map(opened).collect()
    }
}
