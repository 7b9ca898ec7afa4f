//! The quote: what a basket costs a member, and why (PROGRAMME.md §8; `docs/prices.md` walks through one).
//!
//! list price − member price − discounts in their stages = what the purchase comes to; of that points
//! may pay a part, then the wallet, and the rest is due.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::amount::{Minor, OutOfRange, Points};
use crate::basket::Basket;
use crate::combination::{Candidate, best, by_priority};
use crate::command::Line;
use crate::coupon::{Applied, Circumstances, Coupon, NotApplied, Typed, judge, past_limits};
use crate::price::{Priced, Withheld};
use crate::redemption::Worth;
use crate::refusal::Refusal;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// What is bought, each line at its list price.
    pub lines: &'a [Line],
    /// The coupons shown; one that is shown twice counts once.
    pub coupons: &'a [Coupon],
    /// Whether those of them shall count that make the price lowest, not those of lower priority.
    pub optimise: bool,
    /// Points that shall pay.
    pub points: Option<PointsWish>,
    /// Money of the wallet that shall pay, in minor units; as much of it as can is used.
    pub wallet: Option<Minor>,
}

/// How many points shall pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PointsWish {
    /// So many, or none at all.
    Points(Points),
    /// As many as can; where none can, none do.
    Most,
}

/// How much of the wallet shall pay: as much of it as can does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WalletWish {
    /// At most so much, in minor units.
    Amount(Minor),
    /// As much as can.
    Most,
}

impl WalletWish {
    pub(crate) fn amount(self) -> Minor {
        match self {
            Self::Amount(amount) => amount,
            Self::Most => Minor::MAX,
        }
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// Line by line.
    pub lines: Vec<LineQuote>,
    /// The coupons that count, in the order in which they are taken off.
    pub coupons: Vec<Applied>,
    /// The coupons that do not, by code, and why.
    pub not_applied: Vec<(String, NotApplied)>,
    /// All lines at list prices, but for what may not be sold to this buyer yet.
    pub list: Minor,
    /// What the purchase comes to: the sum of the lines after discounts. Below 0 where more deposit came
    /// back than was bought.
    pub total: Minor,
    /// What points may pay, and what they do.
    pub points: PointsQuote,
    /// What the wallet may pay, and what it does.
    pub wallet: WalletQuote,
    /// What is left to pay in money.
    pub due: Minor,
}

/// A line of a quote. `net` = `price` − the sum of `discounts`, and `price` = `list` − the sum of `saved`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineQuote {
    /// Position, from 1.
    pub line: u32,
    /// What it costs without the programme.
    pub list: Minor,
    /// What member prices save, by code.
    pub saved: Vec<(String, Minor)>,
    /// What it costs after member prices.
    pub price: Minor,
    /// What discounts take off, by the coupon's code, above 0, in the order of application.
    pub discounts: Vec<(String, Minor)>,
    /// What it costs in the end.
    pub net: Minor,
    /// Why it may not be sold to this buyer yet. Such a line stands here at its list price, counts in no
    /// sum and for no discount: the quote is that of the basket without it.
    pub withheld: Option<Withheld>,
}

/// What points pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointsQuote {
    /// The most they can, with the fewest points it takes.
    pub most: Worth,
    /// What those asked for do pay, or why they cannot.
    pub wish: Option<Result<Worth, Refusal>>,
}

/// What the wallet pays, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalletQuote {
    /// The most it can, after points.
    pub most: Minor,
    /// What it does: of what was asked for, as much as it can.
    pub pays: Minor,
}

/// Quotes a basket.
///
/// # Errors
/// The basket comes to more than 2^53 − 1 minor units, or holds a quantity beyond 2^53 − 1 thousandths.
pub fn quote(circumstances: &Circumstances<'_>, ask: &Ask<'_>) -> Result<Quote, OutOfRange> {
    let Circumstances { programme, buyer, segments, at, .. } = *circumstances;
    let day = programme.time_zone.day_of(at);
    let priced = programme.prices.of(programme, buyer.map(|buyer| buyer.tier), segments, day, ask.lines)?;
    let shelf: Vec<Minor> =
        priced.iter().map(|one| if one.withheld.is_some() { Minor::ZERO } else { one.price }).collect();
    let basket = Basket::new(ask.lines, &shelf)?;
    let Chosen { coupons, not_applied } = choose(circumstances, ask, &basket)?;
    let lines = lines(ask.lines, priced, &coupons)?;
    let sold = || lines.iter().filter(|line| line.withheld.is_none());
    let list = sum(sold().map(|line| line.list))?;
    let total = sum(sold().map(|line| line.net))?;
    let points = points(circumstances, ask.points, total)?;
    let paid = match &points.wish {
        Some(Ok(worth)) => worth.worth,
        _ => Minor::ZERO,
    };
    let open = total.minus(paid)?;
    let most = open.max(Minor::ZERO).min(buyer.map_or(Minor::ZERO, |buyer| buyer.wallet.max(Minor::ZERO)));
    let pays = ask.wallet.unwrap_or(Minor::ZERO).clamp(Minor::ZERO, most);
    let due = open.minus(pays)?;
    Ok(Quote { lines, coupons, not_applied, list, total, points, wallet: WalletQuote { most, pays }, due })
}

fn sum(amounts: impl Iterator<Item = Minor>) -> Result<Minor, OutOfRange> {
    Minor::from_wide(amounts.map(|amount| i128::from(amount.get())).sum())
}

/// The coupons that count, and why the others do not.
struct Chosen {
    coupons: Vec<Applied>,
    not_applied: Vec<(String, NotApplied)>,
}

fn choose(circumstances: &Circumstances<'_>, ask: &Ask<'_>, basket: &Basket<'_>) -> Result<Chosen, OutOfRange> {
    let shown: BTreeMap<&str, &Coupon> = ask.coupons.iter().map(|coupon| (coupon.code.as_str(), coupon)).collect();
    let mut candidates = Vec::new();
    let mut not_applied = BTreeMap::new();
    for (code, coupon) in shown {
        let verdict = match circumstances.programme.coupon(&coupon.of) {
            None => Err(NotApplied::Withdrawn),
            Some(of) => judge(of, coupon, circumstances, basket)?.map(|alone| (Typed { of, coupon }, alone.amount)),
        };
        match verdict {
            Ok((typed, alone)) => candidates.push(Candidate::new(typed, alone, basket)),
            Err(reason) => {
                not_applied.insert(code.to_owned(), reason);
            }
        }
    }
    candidates.sort_by(|one, other| one.typed.order(&other.typed));
    // One that its type's limits leave no room for makes room for the others.
    let coupons = loop {
        let coupons = if ask.optimise { best(basket, &candidates)? } else { by_priority(basket, &candidates)? };
        let Some((code, reason)) = past_limits(circumstances, &coupons) else { break coupons };
        candidates.retain(|one| one.typed.coupon.code != code);
        not_applied.insert(code, reason);
    };
    let counts = |one: &&Candidate<'_>| coupons.iter().any(|applied| applied.coupon == one.typed.coupon.code);
    let (counted, others): (Vec<&Candidate<'_>>, Vec<_>) = candidates.iter().partition(counts);
    for other in others {
        let stands_in_the_way = counted.iter().find(|one| !one.typed.goes_with(&other.typed));
        let reason = match stands_in_the_way {
            Some(one) => NotApplied::NotCombinable { with: one.typed.coupon.code.clone() },
            None => NotApplied::AddsNothing,
        };
        not_applied.insert(other.typed.coupon.code.clone(), reason);
    }
    Ok(Chosen { coupons, not_applied: not_applied.into_iter().collect() })
}

fn lines(lines: &[Line], priced: Vec<Priced>, coupons: &[Applied]) -> Result<Vec<LineQuote>, OutOfRange> {
    let quoted = |(i, (line, priced)): (usize, (&Line, Priced))| {
        let of_line = |applied: &Applied| (applied.coupon.clone(), applied.lines[i]);
        let discounts: Vec<_> = coupons.iter().map(of_line).filter(|(_, amount)| amount.is_positive()).collect();
        let net = discounts.iter().try_fold(priced.price, |net, &(_, amount)| net.minus(amount))?;
        let Priced { price, saved, withheld } = priced;
        Ok(LineQuote { line: i as u32 + 1, list: line.amount, saved, price, discounts, net, withheld })
    };
    lines.iter().zip(priced).enumerate().map(quoted).collect()
}

fn points(
    circumstances: &Circumstances<'_>,
    wish: Option<PointsWish>,
    total: Minor,
) -> Result<PointsQuote, OutOfRange> {
    let offer = circumstances.programme.redemption.as_ref();
    let available = circumstances.buyer.map_or(Points::ZERO, |buyer| buyer.available);
    let most = offer.map_or(Ok(Worth::NOTHING), |offer| offer.most(available, total))?;
    let judged = |points: Points| {
        if circumstances.buyer.is_none() {
            return Err(Refusal::MemberUnknown);
        }
        let offer = offer.ok_or(Refusal::MoneyOffNotOffered)?;
        let worth = offer.pay(points, total)?;
        if points > available {
            return Err(Refusal::InsufficientPoints { available, required: points });
        }
        Ok(Worth { points, worth })
    };
    let wish = wish.map(|wish| match wish {
        PointsWish::Points(points) => judged(points),
        PointsWish::Most => Ok(most),
    });
    Ok(PointsQuote { most, wish })
}
