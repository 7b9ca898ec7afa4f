//! The promise: what a basket costs a member at a till, and what the purchase made of it earns.
//!
//! The [quote](mod@crate::quote) chooses the coupons, and [`decide`] decides the purchase with them on the same
//! state as it would the real one. So what is promised is what happens, unless something else happens first.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::amount::{Minor, OutOfRange, Points};
use crate::command::{Command, Context, Line, PayWithPoints, Pricing, Promised, Purchase};
use crate::coupon::{Buyer, Circumstances, Coupon, NotApplied, barred};
use crate::decide::decide;
use crate::decision::{Outcome, PurchaseOutcome};
use crate::draft::Draft;
use crate::explain::PromotionExplained;
use crate::goods::Goods;
use crate::id::{MemberId, RedemptionId};
use crate::limit::Left;
use crate::member::State;
use crate::programme::Programme;
use crate::promotion::Miss;
use crate::quote::{Ask, PointsWish, Quote, WalletWish, quote};
use crate::refusal::Refusal;
use crate::wallet::PayWithWallet;

/// What a till asks before a member buys.
#[derive(Debug, Clone, Copy)]
pub struct Enquiry<'a> {
    /// The receipt to be, its lines at list prices, with the coupons that are shown; what it says of points that
    /// pay is not looked at.
    pub receipt: &'a Purchase,
    /// Whether the member's own coupons that could be used now are considered too.
    pub own_coupons: bool,
    /// Points that shall pay.
    pub points: Option<PointsWish>,
    /// Money of the wallet that shall pay.
    pub wallet: Option<WalletWish>,
    /// What is looked for among the combinations of coupons; absent: those of lower priority count.
    pub optimise: Option<Optimise>,
}

/// What is looked for among the combinations of coupons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimise {
    /// The lowest price ([`Ask::optimise`]).
    Price,
    /// The most points earned, and of those the lowest price.
    Points,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// The price.
    pub quote: Quote,
    /// The coupons that were considered.
    pub shown: Vec<Coupon>,
    /// The purchase that comes out as promised: the lines that may be sold at list prices, the coupons that
    /// count, and the points that can pay. Its redemption has no id of its own yet.
    pub sale: Purchase,
    /// What the purchase of what may be sold comes to, at its net prices and paid for with the points that can
    /// pay; absent where nothing may be sold.
    pub purchase: Option<Box<PurchaseOutcome>>,
    /// The promotions that do not apply to it, in priority order.
    pub missed: Vec<Missed>,
    /// What was left, before it, of limited promotions that apply, by their codes.
    pub limits: Vec<(String, Left)>,
}

/// A promotion that does not apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// Its code, as explanations name it ([`crate::explain::PromotionExplained::code`]).
    pub code: String,
    /// Why.
    pub why: Miss,
    /// How much more has to be spent, in minor units, where that is why.
    pub missing: Option<Minor>,
}

/// Promises a member a price, and what he earns at it. The state must be loaded as for the purchase, paid for
/// with points where that is asked.
///
/// # Errors
/// Whatever the purchase would be refused for, but for the points that shall pay: those are judged in the
/// quote ([`crate::quote::PointsQuote::wish`]), and the purchase is promised without them.
pub fn promise(
    programme: &Programme,
    state: &State,
    member: MemberId,
    enquiry: &Enquiry<'_>,
    context: &Context,
) -> Result<Promise, Refusal> {
    let Enquiry { receipt, points, wallet, optimise, .. } = *enquiry;
    let mut draft = Draft::linked(programme, context, state, member)?;
    draft.refuse_merged()?;
    draft.timely(receipt)?;
    draft.each(&mut Draft::settle)?;
    let at = receipt.occurred_at.unwrap_or(draft.at);
    let money = draft.wallet_spendable()?;
    let buyer = Buyer { id: member, tier: draft.tier_at(at), available: draft.spendable()?, wallet: money };
    let segments = draft.segments_at(at);
    let used = &state.shared.coupons_used;
    let circumstances = Circumstances { programme, buyer: Some(&buyer), segments: &segments, at, used };
    let shown = shown(state, enquiry, &circumstances);
    let lowest = optimise == Some(Optimise::Price);
    let wallet = wallet.map(WalletWish::amount);
    let ask = Ask { lines: &receipt.lines, coupons: &shown, optimise: lowest, points, wallet };
    let mut quote = if optimise == Some(Optimise::Points) {
        let earns = |quote: &Quote| {
            let sale = sold(receipt, quote);
            if sale.lines.is_empty() {
                return Ok(Points::ZERO);
            }
            match decide(programme, state, member, &Command::Purchase(sale), context)?.outcome {
                Outcome::Purchase(outcome) => Ok(outcome.given),
                _ => Ok(Points::ZERO),
            }
        };
        earning_most(&circumstances, &ask, earns)?
    } else {
        quote(&circumstances, &ask)?
    };
    note_unknown(state, receipt, &mut quote);
    // Who may reach no more points because they are a pool's is told so, as the purchase would tell him.
    if let (Some(PointsWish::Points(wanted)), Some(Err(refusal @ Refusal::InsufficientPoints { .. }))) =
        (points, &mut quote.points.wish)
        && let Err(by_pool) = draft.taken_from_pool(wanted)
    {
        *refusal = by_pool;
    }
    let sale = sold(receipt, &quote);
    if sale.lines.is_empty() {
        return Ok(Promise { quote, shown, sale, purchase: None, missed: Vec::new(), limits: Vec::new() });
    }
    let decided = decide(programme, state, member, &Command::Purchase(sale.clone()), context)?;
    let purchase = match decided.outcome {
        Outcome::Purchase(outcome) => Some(outcome),
        _ => None,
    };
    let paid: Vec<Line> = sale
        .lines
        .iter()
        .zip(quote.lines.iter().filter(|quoted| quoted.withheld.is_none()))
        .map(|(line, quoted)| Line { amount: quoted.net, ..line.clone() })
        .collect();
    let missed = purchase.as_ref().map_or_else(Vec::new, |purchase| missed(programme, purchase, &paid));
    let (used, own) = (&draft.promotions_used, &draft.member.promotion_uses);
    let left = |told: &PromotionExplained| {
        let promotion = programme.promotions.iter().find(|promotion| promotion.code == told.code)?;
        let (limits, code) = (promotion.limits, &promotion.code);
        let usage = used.get(code).copied().unwrap_or_default();
        let left = limits.leave(usage, own.get(code), draft.zone().day_of(at));
        (told.missed.is_none() && !limits.is_none()).then(|| (code.clone(), left))
    };
    let told = purchase.iter().flat_map(|purchase| &purchase.explanation.promotions);
    let limits = told.filter_map(left).collect();
    Ok(Promise { quote, shown, sale, purchase, missed, limits })
}

impl Promise {
    /// What a purchase made of it has to come out as; `None` where nothing may be sold.
    ///
    /// # Errors
    /// A sum leaves its range, which a promise's never does.
    pub fn promised(&self) -> Result<Option<Promised>, OutOfRange> {
        let Some(purchase) = &self.purchase else { return Ok(None) };
        let sold = self.quote.lines.iter().filter(|line| line.withheld.is_none());
        Ok(Some(Promised {
            nets: sold.map(|line| line.net).collect(),
            total: self.quote.total,
            due: self.quote.due,
            points: purchase.given,
            cashback: purchase.wallet.map_or(Minor::ZERO, |wallet| wallet.cashback),
        }))
    }
}

/// The coupons that are shown, and the member's own where they are to be considered.
fn shown(state: &State, enquiry: &Enquiry<'_>, circumstances: &Circumstances<'_>) -> Vec<Coupon> {
    let named = enquiry.receipt.pricing.as_ref().map_or(&[][..], |pricing| &pricing.coupons);
    let usable = |coupon: &&Coupon| {
        let of = circumstances.programme.coupon(&coupon.of);
        coupon.owner == circumstances.buyer.map(|buyer| buyer.id)
            && of.is_some_and(|of| barred(of, coupon, circumstances).is_none())
    };
    let is_named = |coupon: &&Coupon| named.contains(&coupon.code);
    let all = state.shared.coupons.values();
    all.filter(|coupon| is_named(coupon) || enquiry.own_coupons && usable(coupon)).cloned().collect()
}

/// Adds what was shown and is no coupon at all.
fn note_unknown(state: &State, receipt: &Purchase, quote: &mut Quote) {
    let named = receipt.pricing.iter().flat_map(|pricing| &pricing.coupons);
    let unknown = named.filter(|code| !state.shared.coupons.contains_key(*code));
    quote.not_applied.extend(unknown.map(|code| (code.clone(), NotApplied::Unknown)));
    quote.not_applied.sort_by(|one, other| one.0.cmp(&other.0));
}

/// Up to so many coupons every combination is tried for the points it earns; beyond, the search is greedy.
pub const EARNING_EXACT_UP_TO: usize = 6;

/// How good a combination is: its points, then its price, then how few coupons it takes.
type Merit = (Points, Reverse<Minor>, Reverse<usize>);

/// The quote with the coupons under which the purchase earns most, by price where that is the same.
fn earning_most(
    circumstances: &Circumstances<'_>,
    ask: &Ask<'_>,
    earns: impl Fn(&Quote) -> Result<Points, Refusal>,
) -> Result<Quote, Refusal> {
    let with = |coupons: &[Coupon]| quote(circumstances, &Ask { coupons, optimise: false, ..*ask });
    let mut useless = BTreeMap::new();
    let mut candidates = Vec::new();
    for coupon in ask.coupons {
        match with(std::slice::from_ref(coupon))?.not_applied.pop() {
            None => candidates.push(coupon.clone()),
            Some((code, reason)) => drop(useless.insert(code, reason)),
        }
    }
    // A combination of which one does not count is a smaller one.
    let judged = |coupons: &[Coupon]| -> Result<Option<(Merit, Quote)>, Refusal> {
        let quote = with(coupons)?;
        if !quote.not_applied.is_empty() {
            return Ok(None);
        }
        // One at whose price nothing can be bought is none.
        let Ok(points) = earns(&quote) else { return Ok(None) };
        Ok(Some(((points, Reverse(quote.total), Reverse(coupons.len())), quote)))
    };
    let mut found = with(&[])?;
    let mut best: Merit = (earns(&found)?, Reverse(found.total), Reverse(0));
    let mut chosen: Vec<Coupon> = Vec::new();
    loop {
        let mut better = None;
        for coupons in next(&candidates, &chosen) {
            if let Some((merit, quote)) = judged(&coupons)?
                && merit > best
            {
                (best, found, better) = (merit, quote, Some(coupons));
            }
        }
        match better {
            Some(coupons) if candidates.len() > EARNING_EXACT_UP_TO => chosen = coupons,
            _ => break,
        }
    }
    let counts = |coupon: &&Coupon| !found.coupons.iter().any(|applied| applied.coupon == coupon.code);
    let left_out = candidates.iter().filter(counts).map(|coupon| (coupon.code.clone(), NotApplied::EarnsLess));
    let not_applied = useless.into_iter().chain(left_out).collect();
    Ok(Quote { not_applied, ..found })
}

/// The combinations to try: all of them where they are few, else those with one coupon more.
fn next(candidates: &[Coupon], chosen: &[Coupon]) -> Vec<Vec<Coupon>> {
    if candidates.len() <= EARNING_EXACT_UP_TO {
        let picked = |set: u32| (0..candidates.len()).filter(move |i| set >> i & 1 == 1).map(|i| candidates[i].clone());
        return (1..1_u32 << candidates.len()).map(|set| picked(set).collect()).collect();
    }
    let more = candidates.iter().filter(|coupon| !chosen.contains(coupon));
    more.map(|coupon| chosen.iter().chain([coupon]).cloned().collect()).collect()
}

/// The receipt of what may be sold, at list prices and with the coupons that count.
fn sold(receipt: &Purchase, quote: &Quote) -> Purchase {
    let may_be_sold = receipt.lines.iter().zip(&quote.lines).filter(|(_, quoted)| quoted.withheld.is_none());
    let lines = may_be_sold.map(|(line, _)| line.clone()).collect();
    let coupons = quote.coupons.iter().map(|applied| applied.coupon.clone()).collect();
    let paid = quote.points.wish.as_ref().and_then(|wish| wish.as_ref().ok());
    let redeem = paid.filter(|worth| worth.points.is_positive()).map(|worth| PayWithPoints {
        id: RedemptionId::new(receipt.id.uuid()),
        points: worth.points,
        otp_step: None,
    });
    let pays = quote.wallet.pays;
    let wallet = pays.is_positive().then_some(PayWithWallet { amount: pays, otp_step: None });
    let pricing = Some(Box::new(Pricing { coupons, kept: None }));
    Purchase { lines, redeem, wallet, pricing, ..receipt.clone() }
}

/// The promotions that do not apply to a purchase of these lines.
fn missed(programme: &Programme, purchase: &PurchaseOutcome, lines: &[Line]) -> Vec<Missed> {
    let amounts: Vec<i64> = lines.iter().map(|line| line.amount.get()).collect();
    let missing = |code: &str| {
        let promotion = programme.promotions.iter().find(|promotion| promotion.code == code)?;
        Goods::of(promotion, lines).missing(&amounts)
    };
    let told = purchase.explanation.promotions.iter().filter_map(|told| {
        let why = told.missed?;
        let missing = if why == Miss::MinimumSpend { missing(&told.code) } else { None };
        Some(Missed { code: told.code.clone(), why, missing })
    });
    told.collect()
}
