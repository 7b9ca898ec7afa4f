//! Simulation: what a programme would have given for the purchases of the past, beside what was given
//! (PROGRAMME.md §8). The same earning, window and ladder decide as for a live purchase.
//!
//! It is fed one member at a time, in any order, and keeps sums alone: its memory does not grow with the
//! history. A member is replayed from his first purchase on, so that counts, windows and carries are right
//! on the first day that is asked for.
//!
//! What does not depend on what is tried is taken from the record: multipliers that perks and entitlements
//! gave, what points paid, what came back and what of it had lapsed by then; and where limits for all members
//! cut a promotion that is tried as it is in force. **Tiers** too: no promotion and no multiplier changes what
//! tiers measure. Only where the programme tried measures otherwise ([`Programme::measures_as`]) are they lived
//! again, as if it had always been in force; who was placed by staff or merged keeps the tiers on record even
//! then.

mod re_rate;
mod replay;
mod report;

use chrono::TimeDelta;

use crate::amount::{Minor, OutOfRange, Points};
use crate::command::{Actor, Context, Line, Tender};
use crate::condition::Condition;
use crate::expiry::Expiry;
use crate::explain::Explanation;
use crate::id::{MemberId, PurchaseId, ReturnId};
use crate::life::PromotionState;
use crate::limit::Limits;
use crate::programme::Programme;
use crate::returns::LineReturned;
use crate::tag::Tags;
use crate::tier::{Span, TierCause, TierChange};
use crate::time::{BirthDate, Instant, add_days};

pub use re_rate::{Judged, ReRating};
use replay::Replay;
pub use report::{Affected, Compared, DayReport, PromotionReport, Report};

/// A member and his purchases, as they are on record.
#[derive(Debug, Clone)]
pub struct Past {
    /// Who.
    pub member: MemberId,
    /// When he joined.
    pub enrolled_at: Instant,
    /// His birth date, where a condition asks.
    pub birth_date: Option<BirthDate>,
    /// Until when his tiers are on record: the time of his last command.
    pub settled_at: Instant,
    /// Whether another account was merged into this one, or this one into another.
    pub merged: bool,
    /// His tags over time.
    pub tags: Tags,
    /// His tier changes, oldest first.
    pub tier_changes: Vec<TierChange>,
    /// What happened, in the order it was recorded.
    pub events: Vec<PastEvent>,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum PastEvent {
    /// Goods were sold.
    Purchase(Box<PastPurchase>),
    /// Goods came back.
    Return(PastReturn),
}

impl PastEvent {
    fn recorded_at(&self) -> Instant {
        match self {
            Self::Purchase(purchase) => purchase.recorded_at,
            Self::Return(returned) => returned.recorded_at,
        }
    }
}

/// A purchase as it is on record.
#[derive(Debug, Clone)]
pub struct PastPurchase {
    /// The document's id.
    pub id: PurchaseId,
    /// Code of the store.
    pub store: String,
    /// When it happened.
    pub occurred_at: Instant,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// What was sold, at what was paid for it.
    pub lines: Vec<Line>,
    /// How it was paid, beside points.
    pub tenders: Vec<Tender>,
    /// How it came about, where that was said.
    pub channel: Option<String>,
    /// What points paid of it, in minor units.
    pub paid_with_points: Option<Minor>,
    /// What money of the wallet paid of it.
    pub paid_from_wallet: Option<Minor>,
    /// Whether `lines` and `tenders` are known to be those of the receipt.
    pub exact: bool,
    /// Whether it stands by a re-rating: `points` and `explanation` are those of that.
    pub rated: bool,
    /// Points given.
    pub points: Points,
    /// Micropoints it added to the carry, where it did.
    pub micropoints: Option<i64>,
    /// Why it was given them.
    pub explanation: Explanation,
}

/// Goods that came back, as on record.
#[derive(Debug, Clone)]
pub struct PastReturn {
    /// The document's id.
    pub id: ReturnId,
    /// Of which purchase.
    pub purchase: PurchaseId,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// What came back.
    pub lines: Vec<LineReturned>,
    /// Points taken back.
    pub clawed: Points,
    /// Micropoints taken out of the carry.
    pub micropoints: i64,
}

/// A simulation under way.
#[derive(Debug)]
pub struct Simulation {
    tried: Programme,
    /// The local days that are compared.
    days: Span,
    /// The first instant after them: nothing that was recorded later is looked at.
    ends: Instant,
    /// Whether tiers are lived again.
    relive: bool,
    /// Whether a condition reads what the record does not tell.
    vague: bool,
    report: Report,
}

impl Simulation {
    /// Tries a programme, whose drafts with these codes count as live, over local days of its time zone. Tiers
    /// are lived again where it does not measure as the one in force.
    pub fn new(tried: &Programme, in_force: &Programme, days: Span, published: &[&str]) -> Self {
        let relive = !tried.measures_as(in_force);
        let tried = prepared(tried, in_force, published);
        let vague = is_vague(&tried);
        let ends = tried.time_zone.midnight(add_days(days.to, 1));
        Self { tried, days, ends, relive, vague, report: Report::default() }
    }

    /// Lives tiers again although the programme measures as the one in force.
    #[must_use]
    pub fn reliving(self) -> Self {
        Self { relive: true, ..self }
    }

    /// Whether a birth date is asked for.
    pub fn reads_birthday(&self) -> bool {
        self.tried.asks_for_birthday()
    }

    /// Replays a member.
    ///
    /// # Errors
    /// A sum leaves its range.
    pub fn member(&mut self, past: &Past) -> Result<(), OutOfRange> {
        let kept = |change: &TierChange| !matches!(change.cause, TierCause::Purchase | TierCause::Review);
        let relive = self.relive && !past.merged && !past.tier_changes.iter().any(kept);
        let context = context(past);
        let mut replay = Replay::new(&self.tried, &context, past, relive);
        let mut own = report::Own::default();
        for event in past.events.iter().take_while(|event| event.recorded_at() < self.ends) {
            match event {
                PastEvent::Purchase(purchase) => {
                    let day = self.tried.time_zone.day_of(purchase.occurred_at);
                    let told = self.days.contains(day);
                    let given = if told || relive { Some(replay.buy(purchase)?) } else { replay.recall(purchase)? };
                    if let Some(given) = given.filter(|_| told) {
                        self.report.purchase(day, purchase, &given, self.vague, &mut own)?;
                    }
                }
                PastEvent::Return(returned) => {
                    let Some(taken) = replay.take_back(returned)? else { continue };
                    let day = self.tried.time_zone.day_of(returned.recorded_at);
                    if self.days.contains(self.tried.time_zone.day_of(taken.sold_at)) && self.days.contains(day) {
                        self.report.taken(day, taken.points, &mut own)?;
                    }
                }
            }
        }
        if own.purchases > 0 && relive {
            // What happens at midnight itself is no longer looked at.
            let last = self.ends - TimeDelta::microseconds(1);
            own.tiers = replay.tiers(last.min(past.settled_at))?;
        }
        self.report.as_on_record += u64::from(self.relive && !relive && own.purchases > 0);
        self.report.close(past.member, own)
    }

    /// What came of it so far.
    pub fn report(&self) -> &Report {
        &self.report
    }
}

/// A programme as it is replayed; its drafts with these codes count as live.
fn prepared(tried: &Programme, in_force: &Programme, published: &[&str]) -> Programme {
    let mut tried = tried.clone();
    for promotion in &mut tried.promotions {
        // Who came first is on record for what was; what would be is told without such limits.
        let as_it_is = promotion.state == PromotionState::Live && in_force.promotions.contains(promotion);
        if !as_it_is {
            let limits = promotion.limits;
            promotion.limits = Limits { total: None, budget_points: None, budget_money: None, ..limits };
        }
        if published.contains(&promotion.code.as_str()) {
            promotion.state = PromotionState::Live;
        }
    }
    // Points lapse and perks are granted as they were: here they would only cost time.
    tried.perks.clear();
    tried.expiry = Expiry::Never;
    tried.tiers.levels.iter_mut().for_each(|level| level.expiry = None);
    tried
}

/// What purchases of the past are decided in.
fn context(past: &Past) -> Context {
    Context { now: past.enrolled_at, actor: Actor::SYSTEM, programme_version: 0, historic: true, seed: None }
}

/// Whether a condition reads what the record does not tell.
fn is_vague(tried: &Programme) -> bool {
    let live = tried.promotions.iter().filter(|promotion| promotion.state == PromotionState::Live);
    live.filter_map(|promotion| promotion.condition.as_ref()).any(Condition::reads_balance)
        || tried.asks_for_segments() && tried.segments.iter().any(|segment| segment.condition.reads_balance())
}

impl Programme {
    /// Whether tiers are measured as by another programme: whoever buys the same reaches and keeps the same
    /// tiers. What a tier gives does not count.
    pub fn measures_as(&self, other: &Self) -> bool {
        let earning = |programme: &Self| {
            let earning = &programme.earning;
            let excluded = [&earning.excluded_categories, &earning.excluded_skus, &earning.excluded_tenders];
            (earning.rate, excluded.map(Clone::clone), programme.time_zone)
        };
        let ladder = |programme: &Self| {
            let tiers = &programme.tiers;
            let level = |level: &crate::tier::TierLevel| (level.code.clone(), level.threshold, level.keep_for_life);
            let levels: Vec<_> = tiers.levels.iter().map(level).collect();
            (tiers.measure, tiers.window, tiers.validity, tiers.fall, tiers.grace_days, levels)
        };
        earning(self) == earning(other) && ladder(self) == ladder(other)
    }
}
