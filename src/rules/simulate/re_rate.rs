//! What purchases of some days should have been given, one by one: the plan of a re-rating
//! ([`crate::re_rating`]).

use std::collections::{BTreeMap, BTreeSet};

use super::replay::Replay;
use super::{Past, PastEvent, PastPurchase, context, is_vague, prepared};
use crate::amount::{OutOfRange, Points};
use crate::explain::{Explanation, PromotionExplained};
use crate::id::{PurchaseId, ReturnId};
use crate::programme::Programme;
use crate::promotion::Miss;
use crate::tier::Span;
use crate::time::Instant;

/// A purchase that should have been given otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The purchase.
    pub purchase: PurchaseId,
    /// When it happened.
    pub occurred_at: Instant,
    /// Points it stands at.
    pub given: Points,
    /// Points that its returns took.
    pub clawed: Points,
    /// Points it should have been given.
    pub points: Points,
    /// What each of its returns should have taken.
    pub claws: Vec<(ReturnId, Points)>,
    /// How many parts of it had come back.
    pub returned: usize,
    /// Why it should have been given so many. What counts against limits is as it was counted.
    pub explanation: Explanation,
}

impl Judged {
    /// Points its returns should have taken in all.
    ///
    /// # Errors
    /// The sum leaves its range.
    pub fn should_be_clawed(&self) -> Result<Points, OutOfRange> {
        self.claws.iter().try_fold(Points::ZERO, |sum, (_, points)| sum.plus(*points))
    }

    /// Points the member should have more, or below 0 fewer.
    ///
    /// # Errors
    /// The sum leaves its range.
    pub fn difference(&self) -> Result<Points, OutOfRange> {
        let was = self.given.minus(self.clawed)?;
        self.points.minus(self.should_be_clawed()?)?.minus(was)
    }
}

/// A search for purchases that should have been given otherwise. Each is decided again by the programme version
/// it was decided by, corrected. Tiers are those on record, whatever the corrected programme measures.
#[derive(Debug)]
pub struct ReRating {
    /// For what is not decided again.
    in_force: Programme,
    /// By version, with whether a condition reads what the record does not tell.
    corrected: BTreeMap<i64, (Programme, bool)>,
    days: Span,
    /// Codes of the stores; empty: all.
    stores: BTreeSet<String>,
    /// Purchases looked at.
    pub looked_at: u64,
    /// Of these, purchases that cannot be replayed exactly or stand by an earlier re-rating, and stay as they are.
    pub inexact: u64,
    /// Of these, purchases that the corrected programme would refuse, and that stay as they are.
    pub refused: u64,
}

/// A purchase under way.
struct Judging<'p> {
    past: &'p PastPurchase,
    judged: Judged,
}

impl ReRating {
    /// Looks at the purchases of some local days and stores. `corrected` names for each version of the programme
    /// how it stood, and what it should have said; purchases of other versions are left as they are.
    pub fn new(
        in_force: &Programme,
        corrected: BTreeMap<i64, (Programme, Programme)>,
        days: Span,
        stores: BTreeSet<String>,
    ) -> Self {
        let ready = |(version, (was, right)): (i64, (Programme, Programme))| {
            let right = prepared(&right, &was, &[]);
            let vague = is_vague(&right);
            (version, (right, vague))
        };
        let corrected = corrected.into_iter().map(ready).collect();
        let in_force = prepared(in_force, in_force, &[]);
        Self { in_force, corrected, days, stores, looked_at: 0, inexact: 0, refused: 0 }
    }

    /// What a member's purchases should have been given, as far as that is not what they were given.
    ///
    /// # Errors
    /// A sum leaves its range.
    pub fn member(&mut self, past: &Past) -> Result<Vec<Judged>, OutOfRange> {
        let context = context(past);
        let mut replay = Replay::new(&self.in_force, &context, past, false);
        let mut judging: BTreeMap<PurchaseId, Judging<'_>> = BTreeMap::new();
        for event in &past.events {
            match event {
                PastEvent::Purchase(purchase) => {
                    let corrected = self.corrected.get(&purchase.explanation.programme_version);
                    let Some((programme, vague)) = corrected.filter(|_| self.asks_for(purchase)) else {
                        replay.under(&self.in_force);
                        replay.recall(purchase)?;
                        continue;
                    };
                    self.looked_at += 1;
                    if *vague || !purchase.exact || purchase.rated {
                        self.inexact += 1;
                        replay.under(&self.in_force);
                        replay.recall(purchase)?;
                        continue;
                    }
                    replay.under(programme);
                    let given = replay.buy(purchase)?;
                    match given.explanation {
                        None => self.refused += 1,
                        Some(why) => drop(judging.insert(purchase.id, Judging::of(purchase, given.points, why))),
                    }
                }
                PastEvent::Return(returned) => {
                    let Some(taken) = replay.take_back(returned)? else { continue };
                    let Some(Judging { judged, .. }) = judging.get_mut(&returned.purchase) else { continue };
                    judged.returned += returned.lines.len();
                    judged.clawed = judged.clawed.plus(returned.clawed)?;
                    judged.claws.push((returned.id, Points::new(taken.points.after)?));
                }
            }
        }
        Ok(judging.into_values().filter(Judging::differs).map(|judging| judging.judged).collect())
    }

    /// Whether a purchase is of those days and stores.
    fn asks_for(&self, purchase: &PastPurchase) -> bool {
        self.days.contains(self.in_force.time_zone.day_of(purchase.occurred_at))
            && (self.stores.is_empty() || self.stores.contains(&purchase.store))
    }
}

impl<'p> Judging<'p> {
    fn of(past: &'p PastPurchase, points: Points, why: Explanation) -> Self {
        let judged = Judged {
            purchase: past.id,
            occurred_at: past.occurred_at,
            given: past.points,
            clawed: Points::ZERO,
            points,
            claws: Vec::new(),
            returned: 0,
            explanation: as_told(&past.explanation, why),
        };
        Self { past, judged }
    }

    /// Whether anything but words would be otherwise, now or once goods come back.
    fn differs(&self) -> bool {
        let (was, now) = (&self.past.explanation, &self.judged.explanation);
        self.judged.points != self.judged.given
            || self.judged.should_be_clawed() != Ok(self.judged.clawed)
            || (was.basis, was.base_points) != (now.basis, now.base_points)
            || worth(was) != worth(now)
    }
}

/// All of an explanation by which returns reckon, beside what the goods count for.
fn worth(why: &Explanation) -> impl PartialEq {
    let lines: Vec<_> = why.lines.iter().map(|line| (line.multiplier, line.promotion_multiplier)).collect();
    let in_play = why.promotions.iter().filter(|told| matches!(told.missed, None | Some(Miss::NotBest)));
    let promotions: Vec<_> = in_play.map(|told| (told.effect.clone(), told.goods.clone())).collect();
    (why.rate, why.tier_multiplier, why.promotion_multiplier, why.fixed_points, lines, promotions)
}

/// The new explanation with what is not decided anew: prices and coupons, what was given beside points, and what
/// counts against limits, so that a return gives back what was used.
fn as_told(was: &Explanation, mut now: Explanation) -> Explanation {
    now.programme_version = was.programme_version;
    now.coupons.clone_from(&was.coupons);
    for (line, before) in now.lines.iter_mut().zip(&was.lines) {
        line.list = before.list;
        line.discounts.clone_from(&before.discounts);
    }
    now.promotions.retain(|told| told.effect.gives_points());
    now.promotions.extend(was.promotions.iter().filter(|told| !told.effect.gives_points()).cloned());
    let counted = |code: &str| was.promotions.iter().find(|told| told.code == code).and_then(|told| told.counted);
    for told in &mut now.promotions {
        told.counted = counted(&told.code);
    }
    let gone = |told: &&PromotionExplained| {
        told.counted.is_some() && now.promotions.iter().all(|other| other.code != told.code)
    };
    let gone: Vec<PromotionExplained> = was.promotions.iter().filter(gone).cloned().collect();
    now.promotions.extend(gone.into_iter().map(|told| PromotionExplained {
        missed: Some(Miss::Paused),
        goods: None,
        charged: Points::ZERO,
        wanted: None,
        left: None,
        ..told
    }));
    now
}
