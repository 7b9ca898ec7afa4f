//! A purchase at list prices: member prices and coupons make what was paid, by the same rules as a quote.
//!
//! What is paid is what earns, what is tendered and what comes back with a return. Every coupon that is named
//! must apply, or the purchase is refused; one that is made of a kept quote must come out as it was promised.

use crate::amount::Minor;
use crate::command::{Kept, Line, Pricing, Promised, Purchase};
use crate::coupon::{Buyer, Circumstances, Coupon, NotApplied};
use crate::decision::{CouponUse, Effect, PurchaseOutcome};
use crate::draft::Draft;
use crate::explain::{CouponExplained, DiscountExplained, DiscountSource, Explanation};
use crate::member::Shared;
use crate::quote::{Ask, LineQuote, Quote, quote};
use crate::refusal::{Changed, CouponRefused, Refusal};
use crate::time::Instant;

/// A price, and the coupons that were named and do not count.
pub(crate) struct Price {
    quote: Quote,
    refused: Vec<CouponRefused>,
}

impl Draft<'_> {
    /// The price of a purchase whose lines are at list prices; `None` where they are what was paid.
    pub(crate) fn price(
        &self,
        purchase: &Purchase,
        occurred_at: Instant,
        shared: &Shared,
    ) -> Result<Option<Price>, Refusal> {
        let Some(pricing) = purchase.pricing.as_deref() else { return Ok(None) };
        let member = self.member.standing.member;
        let buyer = Buyer {
            id: member,
            tier: self.tier_at(occurred_at),
            available: self.member.standing.available,
            // What the wallet pays is asked when the price is known.
            wallet: Minor::ZERO,
        };
        let (programme, segments) = (self.programme, self.segments_at(occurred_at));
        let used = &shared.coupons_used;
        let circumstances =
            Circumstances { programme, buyer: Some(&buyer), segments: &segments, at: occurred_at, used };
        let coupons: Vec<Coupon> =
            pricing.coupons.iter().filter_map(|code| shared.coupons.get(code)).cloned().collect();
        let ask = Ask { lines: &purchase.lines, coupons: &coupons, optimise: false, points: None, wallet: None };
        let quote = quote(&circumstances, &ask)?;
        if let Some((line, held)) = quote.lines.iter().find_map(|line| Some((line.line, line.withheld.as_ref()?))) {
            return Err(Refusal::Withheld { line, minimum_tier: held.minimum_tier.clone() });
        }
        let refused = refused(pricing, &quote);
        match (&pricing.kept, refused.first()) {
            (None, Some(first)) => Err(Refusal::CouponNotApplicable(Box::new(first.clone()))),
            _ => Ok(Some(Price { quote, refused })),
        }
    }

    /// Refuses a quote that binds no more.
    pub(crate) fn still_binding(&self, kept: &Kept, shared: &Shared) -> Result<(), Refusal> {
        match shared.quotes.get(&kept.id) {
            Some(Some(_)) => Err(Refusal::QuoteUsed),
            Some(None) if self.at < kept.valid_until => Ok(()),
            _ => Err(Refusal::QuoteLapsed),
        }
    }

    /// Notes the coupons of a price as used, and the quote the purchase is made of.
    pub(crate) fn use_up(&mut self, purchase: &Purchase, price: &Price) -> Result<(), Refusal> {
        for applied in &price.quote.coupons {
            let (code, of, amount) = (applied.coupon.clone(), applied.of.clone(), applied.amount);
            self.record(Effect::UseCoupon(CouponUse { code, of, purchase: purchase.id, amount }))?;
        }
        match kept(purchase) {
            Some(kept) => self.record(Effect::UseQuote { quote: kept.id, purchase: purchase.id }),
            None => Ok(()),
        }
    }
}

/// The quote that a purchase is made of.
pub(crate) fn kept(purchase: &Purchase) -> Option<&Kept> {
    purchase.pricing.as_ref()?.kept.as_ref()
}

fn refused(pricing: &Pricing, quote: &Quote) -> Vec<CouponRefused> {
    let why = |(position, code): (usize, &String)| {
        let reason = quote.not_applied.iter().find(|(other, _)| other == code).map(|(_, reason)| reason.clone());
        let counts = quote.coupons.iter().any(|applied| &applied.coupon == code);
        (!counts).then(|| CouponRefused { position, code: code.clone(), reason: reason.unwrap_or(NotApplied::Unknown) })
    };
    pricing.coupons.iter().enumerate().filter_map(why).collect()
}

impl Price {
    /// The receipt with what was paid of its lines.
    pub(crate) fn paid(&self, purchase: &Purchase) -> Purchase {
        let net = |(line, quoted): (&Line, &LineQuote)| Line { amount: quoted.net, ..line.clone() };
        let lines = purchase.lines.iter().zip(&self.quote.lines).map(net).collect();
        Purchase { lines, ..purchase.clone() }
    }

    /// What it comes to.
    pub(crate) fn total(&self) -> Minor {
        self.quote.total
    }

    /// Tells in an explanation what the lines were at list price and what was taken off.
    pub(crate) fn explain(&self, why: &mut Explanation) {
        for (line, quoted) in why.lines.iter_mut().zip(&self.quote.lines) {
            let off = |source| {
                move |(code, amount): &(String, Minor)| DiscountExplained {
                    source,
                    code: code.clone(),
                    amount: *amount,
                }
            };
            let saved = quoted.saved.iter().map(off(DiscountSource::MemberPrice));
            line.discounts = saved.chain(quoted.discounts.iter().map(off(DiscountSource::Coupon))).collect();
            line.list = (quoted.list != quoted.net).then_some(quoted.list);
        }
        let used = self.quote.coupons.iter();
        why.coupons = used
            .map(|applied| CouponExplained {
                code: applied.coupon.clone(),
                of: applied.of.clone(),
                amount: applied.amount,
            })
            .collect();
    }

    /// Refuses a purchase that does not come out as it was promised.
    pub(crate) fn keeps(&self, kept: &Kept, outcome: &PurchaseOutcome) -> Result<(), Refusal> {
        let worth = outcome.redeemed.map_or(Minor::ZERO, |(_, worth)| worth);
        let wallet = outcome.wallet.map_or((Minor::ZERO, Minor::ZERO), |wallet| (wallet.paid, wallet.cashback));
        let now = Promised {
            nets: self.quote.lines.iter().map(|line| line.net).collect(),
            total: self.total(),
            due: self.total().minus(worth)?.minus(wallet.0)?,
            points: outcome.given,
            cashback: wallet.1,
        };
        if now == kept.promised && self.refused.is_empty() {
            return Ok(());
        }
        let changed = Changed { promised: kept.promised.clone(), now, coupons: self.refused.clone() };
        Err(Refusal::QuoteChanged(Box::new(changed)))
    }
}

impl Explanation {
    /// Takes over what another explanation of the same goods tells of their price: a purchase that is moved
    /// to another member was priced when it was entered.
    pub(crate) fn priced_as(&mut self, before: &Self) {
        for (line, was) in self.lines.iter_mut().zip(&before.lines) {
            (line.list, line.discounts) = (was.list, was.discounts.clone());
        }
        self.coupons.clone_from(&before.coupons);
    }
}
