//! The promise: what a basket costs a member at a till, and what the purchase made of it earns.
//!
//! The [quote](mod@crate::quote) makes the net lines, and [`decide`] decides the purchase of them on the same
//! state as it would the real one. So what is promised is what happens, unless something else happens first.

use crate::amount::Minor;
use crate::command::{Command, Context, Line, PayWithPoints, Purchase};
use crate::coupon::{Buyer, Circumstances};
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
use crate::quote::{Ask, PointsWish, Quote, quote};
use crate::refusal::Refusal;

/// What a till asks before a member buys.
#[derive(Debug, Clone, Copy)]
pub struct Enquiry<'a> {
    /// The receipt to be, its lines at list prices; what it says of points that pay is not looked at.
    pub receipt: &'a Purchase,
    /// Points that shall pay.
    pub points: Option<PointsWish>,
    /// Whether the price shall be the lowest there is ([`Ask::optimise`]).
    pub optimise: bool,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// The price.
    pub quote: Quote,
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
    let Enquiry { receipt, points, optimise } = *enquiry;
    let mut draft = Draft::linked(programme, context, state, member)?;
    draft.refuse_merged()?;
    draft.timely(receipt)?;
    draft.each(&mut Draft::settle)?;
    let at = receipt.occurred_at.unwrap_or(draft.at);
    let buyer = Buyer { id: member, tier: draft.tier_at(at), available: draft.spendable()?, wallet: Minor::ZERO };
    let circumstances = Circumstances { programme, buyer: Some(&buyer), at };
    let ask = Ask { lines: &receipt.lines, coupons: &[], optimise, points, wallet: None };
    let mut quote = quote(&circumstances, &ask)?;
    // Who may reach no more points because they are a pool's is told so, as the purchase would tell him.
    if let (Some(PointsWish::Points(wanted)), Some(Err(refusal @ Refusal::InsufficientPoints { .. }))) =
        (points, &mut quote.points.wish)
        && let Err(by_pool) = draft.taken_from_pool(wanted)
    {
        *refusal = by_pool;
    }
    let sale = sold(receipt, &quote);
    if sale.lines.is_empty() {
        return Ok(Promise { quote, purchase: None, missed: Vec::new(), limits: Vec::new() });
    }
    let decided = decide(programme, state, member, &Command::Purchase(sale.clone()), context)?;
    let purchase = match decided.outcome {
        Outcome::Purchase(outcome) => Some(outcome),
        _ => None,
    };
    let missed = purchase.as_ref().map_or_else(Vec::new, |purchase| missed(programme, purchase, &sale.lines));
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
    Ok(Promise { quote, purchase, missed, limits })
}

/// The receipt of what may be sold, at its net prices.
fn sold(receipt: &Purchase, quote: &Quote) -> Purchase {
    let may_be_sold = receipt.lines.iter().zip(&quote.lines).filter(|(_, quoted)| quoted.withheld.is_none());
    let lines = may_be_sold.map(|(line, quoted)| Line { amount: quoted.net, ..line.clone() }).collect();
    let paid = quote.points.wish.as_ref().and_then(|wish| wish.as_ref().ok());
    let redeem = paid.filter(|worth| worth.points.is_positive()).map(|worth| PayWithPoints {
        id: RedemptionId::new(receipt.id.uuid()),
        points: worth.points,
        otp_step: None,
    });
    Purchase { lines, redeem, ..receipt.clone() }
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
