//! What a simulation found, as the API and the command line show it.

use chrono::NaiveDate;
use serde::Serialize;
use tessera_rules::Programme;
use tessera_rules::amount::{OutOfRange, Points};
use tessera_rules::limit::Budget;
use tessera_rules::simulate::{Affected, Compared, PromotionReport, Report};
use utoipa::ToSchema;

use super::views::MoneyView;

/// Something counted on record and under what was tried.
#[derive(Debug, Serialize, ToSchema)]
pub struct ComparedView {
    /// On record.
    before: i64,
    /// Under what was tried.
    after: i64,
    /// By how many more.
    difference: i64,
}

impl From<Compared> for ComparedView {
    fn from(compared: Compared) -> Self {
        Self { before: compared.before, after: compared.after, difference: compared.difference() }
    }
}

/// How many were looked at.
#[derive(Debug, Serialize, ToSchema)]
pub struct LookedAt {
    /// All of them in those days.
    pub looked_at: u64,
    /// Those for whom something would be different.
    pub touched: u64,
}

/// What points would be worth as money off, at the rate of what was tried.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorthView {
    before: MoneyView,
    after: MoneyView,
    difference: MoneyView,
}

/// One local day.
#[derive(Debug, Serialize, ToSchema)]
pub struct DayView {
    day: NaiveDate,
    /// Purchases that happened on it.
    purchases: u64,
    /// Of these, those given other points.
    touched: u64,
    /// Points given to them, less those that returns of that day took.
    points: ComparedView,
}

/// Members who would hold another tier at the end.
#[derive(Debug, Serialize, ToSchema)]
pub struct MovedView {
    /// Code of the tier they held.
    from: String,
    /// Code of the tier they would hold.
    to: String,
    /// How many.
    members: u64,
}

/// A budget.
#[derive(Debug, Serialize, ToSchema)]
pub struct BudgetView {
    /// How many points, where it is one of points.
    #[serde(skip_serializing_if = "Option::is_none")]
    points: Option<i64>,
    /// How much cashback in minor units, where it is one of money.
    #[serde(skip_serializing_if = "Option::is_none")]
    money: Option<i64>,
    /// The day on which it would have been used up; null: it lasts.
    exhausted_on: Option<NaiveDate>,
}

impl BudgetView {
    fn of(budget: Budget, found: &PromotionReport) -> Self {
        let (points, money) = match budget {
            Budget::Points(points) => (Some(points.get()), None),
            Budget::Money(money) => (None, Some(money.get())),
        };
        Self { points, money, exhausted_on: found.exhausted_on(budget) }
    }
}

/// One promotion.
#[derive(Debug, Serialize, ToSchema)]
pub struct PromotionTried {
    /// Its code; `perk:` or `entitlement:` and a code for a multiplier of the member's own.
    #[schema(example = "happy-tuesday")]
    code: String,
    /// Purchases it would have been charged for.
    purchases: u64,
    /// Points charged to it when goods were sold.
    charged: ComparedView,
    /// Money it gave to wallets when goods were sold, in minor units; absent where it gave and would give none.
    #[serde(skip_serializing_if = "Option::is_none")]
    cashback: Option<ComparedView>,
    /// The budget asked about; absent: none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<BudgetView>,
}

/// A tier held, and one that would be.
#[derive(Debug, Serialize, ToSchema)]
pub struct TiersView {
    before: String,
    after: String,
}

/// A member whom it would have changed much for.
#[derive(Debug, Serialize, ToSchema)]
pub struct AffectedView {
    #[schema(example = "mem_01kapm3v5ne8v9b3r6a2f7qk4d")]
    member_id: String,
    /// Points given, less those that returns took.
    points: ComparedView,
    /// The tiers at the end, where they differ.
    tiers: Option<TiersView>,
}

impl From<&Affected> for AffectedView {
    fn from(one: &Affected) -> Self {
        let tiers = one.tiers.clone().map(|(before, after)| TiersView { before, after });
        Self { member_id: one.member.to_string(), points: one.points.into(), tiers }
    }
}

/// What would have been, beside what was.
#[derive(Debug, Serialize, ToSchema)]
pub struct SimulationView {
    /// First local day.
    pub from: NaiveDate,
    /// Last local day.
    pub to: NaiveDate,
    /// Purchases of those days.
    pub purchases: LookedAt,
    /// Members who made them.
    pub members: LookedAt,
    /// Purchases that could not be replayed exactly: a part of the receipt is not on record, or a condition asks
    /// for points of the member.
    pub inexact: u64,
    /// Purchases that what was tried would refuse; they are given nothing.
    pub refused: u64,
    /// Points given, less those that returns took.
    pub points: ComparedView,
    /// The same as money off; null where none is offered.
    pub worth: Option<WorthView>,
    /// Day by day.
    pub days: Vec<DayView>,
    /// Members whose tier would be another.
    pub tiers: Vec<MovedView>,
    /// Members whom staff placed or who were merged: their tiers are those on record although the others' were
    /// lived again.
    pub as_on_record: u64,
    /// Promotion by promotion.
    pub promotions: Vec<PromotionTried>,
    /// The twenty whom it changes most for, the largest difference first.
    pub most_affected: Vec<AffectedView>,
}

impl SimulationView {
    /// What was found by trying a programme, and when a promotion with a budget would have used it up.
    ///
    /// # Errors
    /// A worth leaves its range.
    pub fn of(
        tried: &Programme,
        (from, to): (NaiveDate, NaiveDate),
        report: &Report,
        budget: Option<(&str, Budget)>,
    ) -> Result<Self, OutOfRange> {
        let promotion = |(code, found): (&String, &PromotionReport)| PromotionTried {
            code: code.clone(),
            purchases: found.purchases,
            charged: found.charged.into(),
            cashback: (found.cashback != Compared::default()).then(|| found.cashback.into()),
            budget: budget.filter(|(of, _)| of == code).map(|(_, budget)| BudgetView::of(budget, found)),
        };
        let moved = |((from, to), members): (&(String, String), &u64)| {
            let (from, to) = (from.clone(), to.clone());
            MovedView { from, to, members: *members }
        };
        Ok(Self {
            from,
            to,
            purchases: LookedAt { looked_at: report.purchases, touched: report.purchases_touched },
            members: LookedAt { looked_at: report.members, touched: report.members_touched },
            inexact: report.inexact,
            refused: report.refused,
            points: report.points.into(),
            worth: worth(tried, report.points)?,
            days: report.days.iter().map(day).collect(),
            tiers: report.tiers.iter().map(moved).collect(),
            as_on_record: report.as_on_record,
            promotions: report.promotions.iter().map(promotion).collect(),
            most_affected: report.most_affected.iter().map(AffectedView::from).collect(),
        })
    }

    /// For people: one line for each thing that is not nothing.
    pub fn lines(&self) -> Vec<String> {
        let signed = |points: &ComparedView| format!("{} -> {} ({:+})", points.before, points.after, points.difference);
        let Self { from, to, purchases, members, points, .. } = self;
        let mut told = vec![
            format!("simulated {} purchases of {} members, {from} to {to}", purchases.looked_at, members.looked_at),
            format!("{} purchases and {} members would be given otherwise", purchases.touched, members.touched),
            format!("points: {}", signed(points)),
        ];
        if let Some(WorthView { difference, .. }) = &self.worth {
            told.push(format!("worth: {:+} {} in minor units", difference.amount.get(), difference.currency.code()));
        }
        let promotions = self.promotions.iter().filter(|promotion| promotion.charged.difference != 0);
        told.extend(
            promotions.map(|promotion| format!("promotion {}: {}", promotion.code, signed(&promotion.charged))),
        );
        let money = self.promotions.iter().filter_map(|one| Some((one, one.cashback.as_ref()?)));
        told.extend(money.map(|(one, money)| format!("promotion {}: {} in minor units", one.code, signed(money))));
        told.extend(
            self.tiers.iter().map(|moved| format!("tier {} -> {}: {} members", moved.from, moved.to, moved.members)),
        );
        let days = self.days.iter().filter(|day| day.points.difference != 0);
        told.extend(days.map(|day| format!("{}: {}", day.day, signed(&day.points))));
        let affected = self.most_affected.iter();
        told.extend(affected.map(|one| format!("{}: {}", one.member_id, signed(&one.points))));
        let notes = [
            (self.inexact, "purchases could not be replayed exactly"),
            (self.refused, "purchases would be refused"),
            (self.as_on_record, "members placed by staff or merged keep the tiers on record"),
        ];
        told.extend(notes.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")));
        told
    }
}

fn day((day, found): (&NaiveDate, &tessera_rules::simulate::DayReport)) -> DayView {
    DayView { day: *day, purchases: found.purchases, touched: found.touched, points: found.points.into() }
}

fn worth(tried: &Programme, points: Compared) -> Result<Option<WorthView>, OutOfRange> {
    let Some(money_off) = &tried.redemption else { return Ok(None) };
    let worth = |points: i64| {
        let amount = money_off.worth(Points::new(points)?)?;
        Ok::<_, OutOfRange>(MoneyView { amount, currency: tried.currency })
    };
    let (before, after) = (worth(points.before)?, worth(points.after)?);
    let difference = MoneyView { amount: after.amount.minus(before.amount)?, currency: tried.currency };
    Ok(Some(WorthView { before, after, difference }))
}
