//! Offers: what a member could use now or soon, whether it applies to him, and if not what is missing
//! (PROGRAMME.md §8).
//!
//! Nobody knows what he is going to buy. So what hangs on the basket is said to [depend](Fit::Depends) on it, and
//! everything else is decided by the rules that decide the purchase or the redemption itself.

mod promotion;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::amount::{Minor, Points};
use crate::command::Context;
use crate::condition::Facts;
use crate::coupon::{Buyer, Circumstances, Coupon, CouponType, NotApplied, barred};
use crate::draft::Draft;
use crate::id::MemberId;
use crate::ladder::progress;
use crate::member::{Shared, State};
use crate::price::{EarlyAccess, MemberPrice};
use crate::programme::Programme;
use crate::promotion::Miss;
use crate::refusal::Refusal;
use crate::reward::Reward;
use crate::segment::shares;
use crate::tier::Measure;
use crate::time::{Day, Instant, add_days, month_of};

/// What begins within so many local days is shown beforehand.
pub const SOON_DAYS: u32 = 7;

/// Of each kind so many are shown at most.
pub const SHOWN_OF_KIND: usize = 100;

/// What is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OfferKind {
    /// A coupon the member holds.
    Coupon,
    /// A promotion.
    Promotion,
    /// A reward.
    Reward,
    /// A price of an article for members.
    MemberPrice,
    /// Goods that are for some members first.
    EarlyAccess,
    /// The next tier.
    Tier,
}

/// Something a member could use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// What it is.
    pub kind: OfferKind,
    /// Code of the promotion, reward, price, window or tier; of a coupon its own.
    pub code: String,
    /// Code of a coupon's type.
    pub of: Option<String>,
    /// The first instant at which it is over, at least for now; absent: there is none.
    pub until: Option<Instant>,
    /// Whether it applies to the member.
    pub fit: Fit,
    /// What there is to count.
    pub progress: Vec<Progress>,
    /// What a reward costs the member.
    pub points: Option<Points>,
}

/// Whether an offer applies to the member now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// It does, whatever he buys.
    Now,
    /// It does where all of this comes about.
    Depends(Vec<Need>),
    /// It does not.
    No(Bar),
}

/// What an offer hangs on that nobody knows beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// That certain goods are bought, or enough of them.
    Goods,
    /// That enough is spent.
    MinimumSpend,
    /// That it is in certain stores.
    Store,
    /// That it comes about in certain ways.
    Channel,
    /// That a condition is met, which asks of more than the member.
    Condition,
    /// That something happens.
    Event,
    /// That a tier is reached.
    TierChange,
    /// That nothing is bought for a while.
    Absence,
    /// That a referral is completed.
    Referral,
}

/// Why an offer does not apply to the member now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bar {
    /// The member is frozen.
    Frozen,
    /// What a purchase would be told too.
    Missed(Miss),
    /// It begins later.
    NotYet {
        /// The first instant.
        from: Instant,
    },
    /// It is for a higher tier.
    TierTooLow {
        /// Code of the lowest that has it.
        tier: String,
    },
    /// The member was given all that he is given in a month.
    MonthLimit,
    /// None is left.
    OutOfStock,
    /// It takes more points.
    Points {
        /// How many more.
        missing: Points,
    },
}

/// How far the member has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is counted.
    pub of: Counted,
    /// How much of it there is.
    pub done: i64,
    /// Up to which it counts; absent: there is no end.
    pub target: Option<i64>,
}

/// What is counted for an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// Purchases of the member towards the one that counts.
    Purchases,
    /// Uses by the member.
    Uses,
    /// Uses by the member on the day.
    UsesOfDay,
    /// Uses by all members.
    UsesOfAll,
    /// Cashback of the month, in minor units.
    CashbackOfMonth,
    /// Points the member can spend towards the price.
    Points,
    /// Base points in the window that tiers measure.
    TierPoints,
    /// Spend in that window, in minor units.
    TierSpend,
    /// Purchases in it.
    TierVisits,
    /// Local days since the last purchase.
    DaysAway,
}

/// Who is shown offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience<'a> {
    /// The member: nothing of what is for segments and tags that he is told nothing of, and no surprise.
    Member,
    /// A till, in the store of this code where it stands in one: all.
    Till(Option<&'a str>),
}

/// What a member could use now or within [`SOON_DAYS`]: what applies first, then what may, then what does not; of each
/// the one that ends first before the others, and at most [`SHOWN_OF_KIND`] of each kind.
///
/// The state must be loaded as for a purchase now and a redemption of every reward, with the coupons the member holds,
/// his tags, grants, birth date, wallet and uses of every limited promotion.
///
/// # Errors
/// There is no such member, he was merged into another, or a sum leaves its range.
pub fn offers(
    programme: &Programme,
    state: &State,
    member: MemberId,
    audience: Audience<'_>,
    context: &Context,
) -> Result<Vec<Offer>, Refusal> {
    let mut draft = Draft::linked(programme, context, state, member)?;
    draft.refuse_merged()?;
    draft.each(&mut Draft::settle)?;
    let shop = Shop::new(&draft, audience)?;
    let mut found: Vec<Offer> = shop.coupons(&state.shared);
    found.extend(programme.promotions.iter().filter_map(|promotion| shop.promotion(promotion)));
    found.extend(shop.rewards(&state.shared));
    found.extend(programme.prices.member.iter().filter_map(|price| shop.price(price)));
    found.extend(programme.prices.early_access.iter().filter_map(|window| shop.early_access(window)));
    found.extend(shop.next_tier());
    if draft.member.standing.frozen {
        found.iter_mut().for_each(|offer| offer.fit = Fit::No(Bar::Frozen));
    }
    // Codes make the order one order.
    found.sort_by(|one, other| one.order().cmp(&other.order()));
    let mut shown: BTreeMap<OfferKind, usize> = BTreeMap::new();
    found.retain(|offer| {
        let count = shown.entry(offer.kind).or_default();
        *count += 1;
        *count <= SHOWN_OF_KIND
    });
    Ok(found)
}

impl Offer {
    fn order(&self) -> (u8, bool, Option<Instant>, OfferKind, &str) {
        let rank = match self.fit {
            Fit::Now => 0,
            Fit::Depends(_) => 1,
            Fit::No(_) => 2,
        };
        (rank, self.until.is_none(), self.until, self.kind, &self.code)
    }
}

/// All that is offered, as one member stands before it.
struct Shop<'a> {
    draft: &'a Draft<'a>,
    audience: Audience<'a>,
    /// The member as conditions see him.
    facts: Facts,
    /// Position of his tier.
    tier: usize,
    spendable: Points,
    today: Day,
    /// The last day on which something that is shown may begin.
    soon: Day,
    /// Cashback of the month by promotion.
    cashback: BTreeMap<String, Minor>,
}

impl<'a> Shop<'a> {
    fn new(draft: &'a Draft<'a>, audience: Audience<'a>) -> Result<Self, Refusal> {
        let today = draft.today();
        let wallet = draft.member.wallet.as_deref();
        Ok(Self {
            draft,
            audience,
            facts: Facts::of_member(draft.member_facts(draft.at), draft.zone().local(draft.at)),
            tier: draft.tier(),
            spendable: draft.spendable()?,
            today,
            soon: add_days(today, SOON_DAYS.into()),
            cashback: wallet.map_or_else(BTreeMap::new, |wallet| wallet.cashback_of(month_of(today))),
        })
    }

    fn programme(&self) -> &'a Programme {
        self.draft.programme
    }

    fn segments(&self) -> &[String] {
        &self.facts.member.segments
    }

    /// Why something is not for the member that is for segments; `None`: it is.
    fn outside(&self, segments: &[String]) -> Option<Bar> {
        let inside = segments.is_empty() || shares(segments, self.segments());
        (!inside).then_some(Bar::Missed(Miss::Segment))
    }

    /// Why something is not for the member that takes a tier; `None`: it is.
    fn below(&self, tier: Option<&String>) -> Option<Bar> {
        let tier = tier.filter(|tier| self.tier < self.programme().tier_position(tier))?;
        Some(Bar::TierTooLow { tier: tier.clone() })
    }

    /// Whether what is barred is shown all the same. A member is told of nothing that is for other members, unless it
    /// is for a segment that members are shown.
    fn shows(&self, bar: Option<&Bar>, segments: &[String]) -> bool {
        let visible = |code: &String| {
            let mut all = self.programme().segments.iter();
            all.any(|segment| &segment.code == code && segment.visible)
        };
        match bar {
            _ if self.audience != Audience::Member => true,
            Some(Bar::Missed(Miss::Segment)) => segments.iter().any(visible),
            Some(Bar::Missed(Miss::Tag)) => false,
            _ => true,
        }
    }

    /// The midnight that ends a last day.
    fn end_of(&self, last: Option<Day>) -> Option<Instant> {
        last.map(|last| self.draft.zone().midnight(add_days(last, 1)))
    }

    /// That something begins on a day; `None`: it has begun.
    fn not_yet(&self, from: Option<Day>) -> Option<Bar> {
        let from = from.filter(|from| *from > self.today)?;
        Some(Bar::NotYet { from: self.draft.zone().midnight(from) })
    }

    /// Whether days are over, or begin too far ahead to be shown.
    fn is_out_of_sight(&self, from: Option<Day>, to: Option<Day>) -> bool {
        to.is_some_and(|to| to < self.today) || from.is_some_and(|from| from > self.soon)
    }

    /// The coupons that the member holds and could use now or soon.
    fn coupons(&self, shared: &Shared) -> Vec<Offer> {
        let own = shared.coupons.values().filter(|coupon| coupon.owner == Some(self.draft.member.standing.member));
        own.filter_map(|coupon| self.coupon(self.programme().coupon(&coupon.of)?, coupon, shared)).collect()
    }

    fn coupon(&self, of: &CouponType, coupon: &Coupon, shared: &Shared) -> Option<Offer> {
        let (id, available) = (self.draft.member.standing.member, self.spendable);
        let buyer = Buyer { id, tier: self.tier, available, wallet: Minor::ZERO };
        let (programme, segments, at) = (self.programme(), self.segments(), self.draft.at);
        let used = &shared.coupons_used;
        let circumstances = Circumstances { programme, buyer: Some(&buyer), segments, at, used };
        let bar = match barred(of, coupon, &circumstances) {
            None => None,
            Some(NotApplied::NotYet { from }) if programme.time_zone.day_of(from) <= self.soon => {
                Some(Bar::NotYet { from })
            }
            Some(NotApplied::TierTooLow { tier }) => Some(Bar::TierTooLow { tier }),
            Some(NotApplied::NotInSegment) => Some(Bar::Missed(Miss::Segment)),
            Some(NotApplied::TotalLimit) => Some(Bar::Missed(Miss::TotalLimit)),
            Some(NotApplied::Budget) => Some(Bar::Missed(Miss::Budget)),
            // It is nothing that he could use.
            Some(_) => return None,
        };
        let discount = &of.discount;
        let needs = [
            (Need::Goods, !discount.goods.is_everything() || discount.least_units() > 1),
            (Need::MinimumSpend, discount.least_spend().is_positive()),
        ];
        let uses = (coupon.uses > 1).then(|| Progress::new(Counted::Uses, coupon.used.into(), coupon.uses.into()));
        let in_all = |total: u32| Progress::new(Counted::UsesOfAll, circumstances.usage(of).uses, total.into());
        Some(Offer {
            until: coupon.until,
            of: Some(of.code.clone()),
            progress: uses.into_iter().chain(of.limits.total.map(in_all)).collect(),
            ..Offer::new(OfferKind::Coupon, &coupon.code, Fit::of(bar, &needs))
        })
    }

    /// The rewards he can have, those he cannot have for another reason than points, and those within reach: what
    /// costs at most twice the points he has, and the cheapest that costs more.
    fn rewards(&self, shared: &Shared) -> Vec<Offer> {
        let rewards = &self.programme().rewards;
        let mut found: Vec<Offer> = rewards.iter().filter_map(|reward| self.reward(reward, shared)).collect();
        let short = |offer: &Offer| matches!(offer.fit, Fit::No(Bar::Points { .. }));
        let nearest = found.iter().filter(|offer| short(offer)).filter_map(|offer| offer.points).min();
        let reach = self.spendable.plus(self.spendable).unwrap_or(Points::MAX);
        found.retain(|offer| !short(offer) || offer.points <= nearest.max(Some(reach)));
        found
    }

    fn reward(&self, reward: &Reward, shared: &Shared) -> Option<Offer> {
        let grant = self.draft.member.given(&reward.code, self.draft.at);
        let first = reward.first_day_for(self.programme(), self.tier, self.segments());
        if grant.is_none() && self.is_out_of_sight(first, reward.to) {
            return None;
        }
        let points = if grant.is_some() { Points::ZERO } else { reward.points_at(self.programme(), self.tier) };
        let missing = points.minus(self.spendable).unwrap_or(Points::ZERO);
        let bar = match self.draft.reward_price(&reward.code, shared) {
            Ok(_) => missing.is_positive().then_some(Bar::Points { missing }),
            Err(Refusal::TierTooLow(tier)) => Some(Bar::TierTooLow { tier }),
            Err(Refusal::MemberLimit(_)) => Some(Bar::Missed(Miss::MemberLimit)),
            Err(Refusal::OutOfStock) => Some(Bar::OutOfStock),
            // Not for him, or not yet; or what it gives could not be used any more.
            Err(_) => Some(self.outside(&reward.segments).or_else(|| self.not_yet(first))?),
        };
        if !self.shows(bar.as_ref(), &reward.segments) {
            return None;
        }
        let mut progress = Vec::new();
        if points.is_positive() {
            progress.push(Progress::new(Counted::Points, self.spendable.min(points).get(), points.get()));
        }
        if let Some((limit, left)) = reward.per_member.zip(self.draft.left_for_member(reward)) {
            progress.push(Progress::new(Counted::Uses, (limit.most - left).into(), limit.most.into()));
        }
        Some(Offer {
            until: grant.map_or_else(|| self.end_of(reward.to), |grant| Some(grant.until)),
            progress,
            points: Some(points),
            ..Offer::new(OfferKind::Reward, &reward.code, Fit::of(bar, &[]))
        })
    }

    fn price(&self, price: &MemberPrice) -> Option<Offer> {
        if self.is_out_of_sight(price.from, price.to) {
            return None;
        }
        let bar = self.outside(&price.segments).or_else(|| self.below(price.minimum_tier.as_ref()));
        let bar = bar.or_else(|| self.not_yet(price.from));
        let until = self.end_of(price.to);
        let needs = [(Need::Goods, true)];
        let offer = || Offer { until, ..Offer::new(OfferKind::MemberPrice, &price.code, Fit::of(bar.clone(), &needs)) };
        self.shows(bar.as_ref(), &price.segments).then(offer)
    }

    fn early_access(&self, window: &EarlyAccess) -> Option<Offer> {
        if window.until < self.today {
            return None;
        }
        let below = self.below(window.minimum_tier.as_ref());
        let inside = shares(&window.segments, self.segments());
        let bar = match (&window.minimum_tier, below) {
            _ if inside => None,
            (Some(_), below) => below,
            (None, _) => Some(Bar::Missed(Miss::Segment)),
        };
        let (until, needs) = (self.end_of(Some(window.until)), [(Need::Goods, true)]);
        let offer =
            || Offer { until, ..Offer::new(OfferKind::EarlyAccess, &window.code, Fit::of(bar.clone(), &needs)) };
        self.shows(bar.as_ref(), &window.segments).then(offer)
    }

    /// The next tier, with what is missing.
    fn next_tier(&self) -> Option<Offer> {
        let tier = progress(self.programme(), &self.draft.member.standing).next?;
        let towards = self.towards(self.programme().tier_position(&tier));
        let fit = Fit::No(Bar::TierTooLow { tier: tier.clone() });
        Some(Offer { progress: vec![towards], ..Offer::new(OfferKind::Tier, &tier, fit) })
    }

    /// How far the member has come towards the tier at a position.
    fn towards(&self, position: usize) -> Progress {
        let (tiers, threshold) = (&self.programme().tiers, self.programme().tier(position).threshold);
        let of = match tiers.measure {
            Measure::Points => Counted::TierPoints,
            Measure::Spend => Counted::TierSpend,
            Measure::Visits => Counted::TierVisits,
        };
        Progress::new(of, tiers.measure.of(&self.draft.member.standing.window).min(threshold), threshold)
    }
}

impl Offer {
    fn new(kind: OfferKind, code: &str, fit: Fit) -> Self {
        Self { kind, code: code.to_owned(), of: None, until: None, fit, progress: Vec::new(), points: None }
    }
}

impl Fit {
    /// What follows of what bars an offer, and of what it needs.
    fn of(bar: Option<Bar>, needs: &[(Need, bool)]) -> Self {
        let needs: Vec<Need> = needs.iter().filter(|(_, asked)| *asked).map(|(need, _)| *need).collect();
        match bar {
            Some(bar) => Self::No(bar),
            None if needs.is_empty() => Self::Now,
            None => Self::Depends(needs),
        }
    }
}

impl Progress {
    fn new(of: Counted, done: i64, target: i64) -> Self {
        Self { of, done, target: Some(target) }
    }

    /// What is missing or left of it; absent: there is no end.
    pub fn left(&self) -> Option<i64> {
        self.target.map(|target| (target - self.done).max(0))
    }
}
