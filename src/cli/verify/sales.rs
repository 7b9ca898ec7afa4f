//! Purchases and returns: rows, answers and entries agree, and what came back was taken back by the
//! sale's own stored rules.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde::de::IgnoredAny;
use tessera_rules::amount::{OutOfRange, Points};
use tessera_rules::earning::MICRO;
use tessera_rules::explain::Explanation;
use tessera_rules::ledger::{Entry, EntryKind};
use tessera_rules::limit::Counted;
use tessera_rules::member::DayTotals;
use tessera_rules::programme::Shortfall;
use tessera_rules::remainder::Remainder;
use tessera_rules::returns::{LineReturned, Sold};
use tessera_rules::time::{Day, Instant};
use uuid::Uuid;

use super::books::{Bad, Books, Member};
use super::moved::Moved;
use super::promotions::Used;
use crate::store::re_rating::InForce;
use crate::store::verify::{PurchaseView, ReturnView};

/// A purchase with what is read of its stored answer.
pub(super) struct Sale<'p> {
    pub(super) row: &'p PurchaseView,
    pub(super) told: Told<'p>,
}

/// A member's purchases by id.
pub(super) type Sales<'p> = HashMap<Uuid, Sale<'p>>;

/// What is read of the answer that is stored with a purchase.
#[derive(Deserialize)]
pub(super) struct Told<'p> {
    points: TheirPoints,
    #[serde(borrow)]
    pub(super) explanation: Why<'p>,
}

#[derive(Deserialize)]
struct TheirPoints {
    given: i64,
}

/// What is read of every explanation.
#[derive(Deserialize)]
pub(super) struct Why<'p> {
    #[serde(borrow)]
    pub(super) tier: Cow<'p, str>,
    basis: i64,
    base_points: i64,
    #[serde(borrow, default)]
    pub(super) promotions: Vec<Charged<'p>>,
    /// Coupons that were used.
    #[serde(default)]
    pub(super) coupons: Vec<IgnoredAny>,
}

/// What a promotion was charged.
#[derive(Deserialize)]
pub(super) struct Charged<'p> {
    #[serde(borrow)]
    pub(super) code: Cow<'p, str>,
    pub(super) charged: i64,
    #[serde(default)]
    counted: Option<Counted>,
}

/// What is read of a sale of which something came back.
#[derive(Deserialize)]
struct Whole {
    explanation: Explanation,
}

/// What the documents of a member add up to.
#[derive(Default)]
pub(super) struct Documents {
    /// The sums of each local day; absent where the time zone was changed and goods came back, for
    /// which day a return counted on is not on record.
    pub(super) days: Option<BTreeMap<Day, DayTotals>>,
    /// Micropoints in the carry.
    pub(super) carry: i128,
    /// Purchases of which something is left.
    pub(super) purchases: i64,
    /// What these have used of limited promotions.
    pub(super) promotions: Used,
}

/// Reads the stored answers.
pub(super) fn read<'p>(member: &Member<'p>) -> Result<Sales<'p>, Bad> {
    let sale = |row: &'p PurchaseView| {
        let told = serde_json::from_str(&row.answer);
        let told = told.map_err(|_| member.bad("purchase", row.id, "its answer cannot be read"))?;
        Ok((row.id, Sale { row, told }))
    };
    member.purchases.iter().map(|(_, row)| sale(row)).collect()
}

/// The lots that a sale opened.
pub(super) fn opened(member: &Member<'_>, entries: &[Entry], purchase: Uuid) -> Vec<i64> {
    let accruals = entries.iter().filter(|entry| entry.kind == EntryKind::Accrual && entry.document == Some(purchase));
    accruals.filter_map(|entry| member.opened_by(entry.number)).map(|lot| lot.number).collect()
}

/// Checks purchases and returns; returns what they add up to.
pub(super) fn check(
    member: &Member<'_>,
    books: &Books,
    entries: &[Entry],
    sales: &Sales<'_>,
    moved: &mut Moved,
) -> Result<Documents, Bad> {
    let mut returns: BTreeMap<Uuid, Vec<&ReturnView>> = BTreeMap::new();
    for (_, row) in member.returns {
        returns.entry(row.purchase_id).or_default().push(row);
    }
    let mut sum = Documents { days: Some(BTreeMap::new()), ..Documents::default() };
    if books.zone().is_none() && !returns.is_empty() {
        sum.days = None;
    }
    for (_, row) in member.purchases {
        let Some(sale) = sales.get(&row.id) else { continue };
        let (day, mut totals) = purchase(member, books, sale, moved)?;
        sum.carry += carried(row);
        let mut remains = true;
        let (returns, ratings) = (returns.remove(&row.id).unwrap_or_default(), ratings_of(member, row.id));
        if !(returns.is_empty() && ratings.is_empty()) {
            let (counted, empty) = goods(member, books, entries, row, (returns, &ratings), moved)?;
            let out_of_range = |OutOfRange| member.bad("purchase", row.id, "its sums are out of range");
            totals = totals.plus(counted).map_err(out_of_range)?;
            remains = !empty;
        }
        if remains {
            sum.purchases += 1;
            let told = sale.told.explanation.promotions.iter();
            sum.promotions.extend(told.filter_map(|told| Some((told.code.to_string(), told.counted?))));
        }
        if let Some(days) = &mut sum.days {
            let of_day = days.entry(day).or_default();
            let added = of_day.plus(totals);
            *of_day = added.map_err(|_| member.bad("purchase", row.id, "the sums of its day are out of range"))?;
        }
    }
    let carries = |row: &ReturnView| sales.get(&row.purchase_id).is_some_and(|sale| sale.row.micropoints.is_some());
    let returned = member.returns.iter().filter(|(_, row)| carries(row));
    let refilled = returned.map(|(_, row)| i128::from(row.clawed) * i128::from(MICRO) - i128::from(row.micropoints));
    sum.carry += refilled.sum::<i128>();
    Ok(sum)
}

/// Checks a purchase; returns its day and what it counted for.
fn purchase(member: &Member<'_>, books: &Books, sale: &Sale<'_>, moved: &mut Moved) -> Result<(Day, DayTotals), Bad> {
    let Sale { row, told } = sale;
    let bad = |what: &str| member.bad("purchase", row.id, what);
    let entries = moved.take(EntryKind::Accrual, row.id);
    if told.points.given != row.points || entries.points != row.points {
        return Err(bad("its points, its answer and its entries do not agree"));
    }
    if entries.effective_at.is_some_and(|at| at != row.occurred_at)
        || entries.recorded_at.is_some_and(|at| at != row.recorded_at)
    {
        return Err(bad("its times and its entries' do not agree"));
    }
    if !books.has_store(row.store_id) {
        return Err(bad("there is no such store"));
    }
    let programme = books.programme(row.programme_version).ok_or_else(|| bad("there is no such programme version"))?;
    if programme.earning.cap_per_purchase.is_some_and(|cap| row.points > cap.get()) {
        return Err(bad("more was given than the programme gives for a purchase"));
    }
    let why = &told.explanation;
    let totals = DayTotals { points: why.base_points, spend: why.basis, visits: 1, given: row.points };
    Ok((programme.time_zone.day_of(row.occurred_at), totals))
}

/// What a purchase left in the carry: its exact points less those that were given.
fn carried(purchase: &PurchaseView) -> i128 {
    let exact = purchase.micropoints.map(i128::from);
    exact.map_or(0, |exact| exact - i128::from(purchase.points) * i128::from(MICRO))
}

/// The re-ratings of a purchase, in their order.
fn ratings_of<'p>(member: &Member<'p>, purchase: Uuid) -> Vec<&'p InForce> {
    let start = member.ratings.partition_point(|(_, row)| row.purchase_id < purchase);
    member.ratings[start..].iter().map(|(_, row)| row).take_while(|row| row.purchase_id == purchase).collect()
}

/// A purchase as its re-ratings have it stand by an instant; of that instant itself where `with` says.
fn rated(member: &Member<'_>, sold: &Sold, ratings: &[&InForce], at: Option<Instant>, with: bool) -> Result<Sold, Bad> {
    let passed = |when: Instant| at.is_none_or(|at| if with { when <= at } else { when < at });
    let mut rated = sold.clone();
    let in_force = |row: &&&InForce| row.applied_at.is_some_and(passed) && !row.undone_at.is_some_and(passed);
    for row in ratings.iter().filter(in_force) {
        let bad = || member.bad("re_rating_purchase", row.purchase_id, "it cannot be read");
        let explanation = serde_json::from_str(&row.explanation).map_err(|_| bad())?;
        let points = |value| Points::new(value).map_err(|_| bad());
        let right = rated.rate(points(row.points)?, points(row.clawed_more())?, explanation);
        right.map_err(|_| bad())?;
    }
    Ok(rated)
}

/// Checks the returns of one purchase; returns by how much less it counts, and whether nothing is left
/// of it. Returns of one instant are looked at together: which of them came first is not on record,
/// and makes no difference to where they end.
fn goods(
    member: &Member<'_>,
    books: &Books,
    entries: &[Entry],
    purchase: &PurchaseView,
    (mut returns, ratings): (Vec<&ReturnView>, &[&InForce]),
    moved: &mut Moved,
) -> Result<(DayTotals, bool), Bad> {
    let unreadable = |_| member.bad("purchase", purchase.id, "its explanation cannot be read");
    let whole: Whole = serde_json::from_str(&purchase.answer).map_err(unreadable)?;
    let out_of_range = |OutOfRange| member.bad("purchase", purchase.id, "what remains of it is out of range");
    let mut sold = Sold {
        occurred_at: purchase.occurred_at,
        recorded_at: purchase.recorded_at,
        points: Points::new(purchase.points).map_err(out_of_range)?,
        micropoints: purchase.micropoints,
        explanation: whole.explanation,
        lots: opened(member, entries, purchase.id),
        lapsed_elsewhere: Points::ZERO,
        redemption: None,
        returned: Vec::new(),
        clawed: Points::ZERO,
        micropoints_taken: 0,
        given_back: Points::ZERO,
    };
    let before = sold.remainder().map_err(out_of_range)?;
    returns.sort_by_key(|row| (row.recorded_at, row.id));
    for group in returns.chunk_by(|one, next| one.recorded_at == next.recorded_at) {
        let before = sold.clone();
        for row in group {
            row_of(member, books, row, moved)?;
            sold.returned.extend(lines(member, &sold, row)?);
            let add = |sum: Points, points| sum.plus(Points::new(points)?);
            sold.clawed = add(sold.clawed, row.clawed).map_err(out_of_range)?;
            sold.given_back = add(sold.given_back, row.given_back).map_err(out_of_range)?;
            sold.micropoints_taken += row.micropoints;
        }
        let at = group.first().map(|row| row.recorded_at);
        // Of a re-rating of the same instant it is not on record which came first.
        let fits = |with: bool| {
            let was = Taken::of(&rated(member, &before, ratings, at, with)?);
            let sold = rated(member, &sold, ratings, at, with)?;
            let left = sold.remainder().map_err(out_of_range)?;
            let right = Taken::right(member, entries, &sold, &was, &left, (purchase, group));
            Ok(right.fits(&Taken::of(&sold), member.was_linked()))
        };
        if !(fits(true)? || !ratings.is_empty() && fits(false)?) {
            let last = group.last().map_or(purchase.id, |row| row.id);
            return Err(member.bad(
                "purchase_return",
                last,
                "it does not take and give back what the sale's rules say",
            ));
        }
    }
    let after = rated(member, &sold, ratings, None, true)?.remainder().map_err(out_of_range)?;
    let counted = after.counted.plus(before.counted.negated()).map_err(out_of_range)?;
    Ok((counted, after.empty && !before.empty))
}

/// Checks the row of a return against its entries.
fn row_of(member: &Member<'_>, books: &Books, row: &ReturnView, moved: &mut Moved) -> Result<(), Bad> {
    let bad = |what: &str| Err(member.bad("purchase_return", row.id, what));
    let (taken, back) = (moved.take(EntryKind::Return, row.id), moved.take(EntryKind::GiveBack, row.id));
    if taken.points != row.clawed - row.forgiven || taken.owed != row.owed || back.points != row.given_back {
        return bad("its points and its entries' do not agree");
    }
    if [&taken, &back].iter().any(|entries| entries.recorded_at.is_some_and(|at| at != row.recorded_at)) {
        return bad("its time and its entries' do not agree");
    }
    if !books.has_store(row.store_id) {
        return bad("there is no such store");
    }
    let policy = |points: i64, shortfall| points == 0 || books.any(|book| book.returns.shortfall == shortfall);
    if !policy(row.owed, Shortfall::Debt) || !policy(row.forgiven, Shortfall::Forgive) {
        return bad("it does not deal with a shortfall as the programme says");
    }
    Ok(())
}

/// The lines that came back with a return: parts of what was sold, and of what is left of it.
fn lines(member: &Member<'_>, sold: &Sold, row: &ReturnView) -> Result<Vec<LineReturned>, Bad> {
    let bad = |what: &str| member.bad("purchase_return", row.id, what);
    let lines: Vec<LineReturned> = serde_json::from_str(&row.lines).map_err(|_| bad("its lines cannot be read"))?;
    let gone = LineReturned::by_line(sold.returned.iter().chain(&lines));
    for part in &lines {
        let line = sold.explanation.lines.iter().find(|line| line.line == part.line);
        let line = line.ok_or_else(|| bad("the purchase has no such line"))?;
        let (quantity, amount) = gone.get(&part.line).copied().unwrap_or_default();
        let whole = line.amount().get();
        let backwards =
            part.quantity.units() < 0 || part.amount.get() != 0 && part.amount.get().signum() != whole.signum();
        if backwards || quantity > line.quantity.units() || amount.abs() > whole.abs() {
            return Err(bad("more came back than was sold"));
        }
    }
    if lines.iter().map(|part| i128::from(part.amount.get())).sum::<i128>() != i128::from(row.amount) {
        return Err(bad("its amount is not the sum of its lines"));
    }
    Ok(lines)
}

/// What a sale's returns have taken and given back so far.
struct Taken {
    /// Points clawed: exactly so many, and at most one point beside it where the carry decides.
    clawed: (i128, i128),
    micropoints: i128,
    given_back: i128,
}

impl Taken {
    fn of(sold: &Sold) -> Self {
        let clawed = i128::from(sold.clawed.get());
        Self {
            clawed: (clawed, clawed),
            micropoints: i128::from(sold.micropoints_taken),
            given_back: i128::from(sold.given_back.get()),
        }
    }

    /// What the sale's stored rules say, where returns of one instant leave this of it.
    fn right(
        member: &Member<'_>,
        entries: &[Entry],
        sold: &Sold,
        was: &Self,
        left: &Remainder,
        (purchase, group): (&PurchaseView, &[&ReturnView]),
    ) -> Self {
        let lapsed = i128::from(lapsed(member, entries, sold, group));
        let given_back = was.given_back.max(paid_back(member, purchase, sold, left));
        let Some(added) = sold.micropoints else {
            let due = i128::from(sold.points.get()) - lapsed - i128::from(left.points.get());
            let clawed = was.clawed.0.max(due);
            return Self { clawed: (clawed, clawed), micropoints: 0, given_back };
        };
        let micro = i128::from(MICRO);
        let micropoints = was.micropoints.max(i128::from(added) - lapsed * micro - i128::from(left.micropoints));
        // Each return claws what lifts the carry above 0 again.
        let (due, others) = (micropoints - was.micropoints, group.len() as i128 - 1);
        let least = (due.div_euclid(micro) - others).max(0);
        let most = (due + micro - 1).div_euclid(micro) + others;
        Self { clawed: (was.clawed.0 + least, was.clawed.0 + most), micropoints, given_back }
    }

    /// Whether what is stored is right. What lapsed where another keeps the points is not among the
    /// member's own rows: then less may have been clawed.
    fn fits(&self, stored: &Self, linked: bool) -> bool {
        if linked {
            return stored.clawed.0 <= self.clawed.1 && stored.given_back == self.given_back;
        }
        (self.clawed.0..=self.clawed.1).contains(&stored.clawed.0)
            && (self.micropoints, self.given_back) == (stored.micropoints, stored.given_back)
    }
}

/// Points that had paid for what came back.
fn paid_back(member: &Member<'_>, purchase: &PurchaseView, sold: &Sold, left: &Remainder) -> i128 {
    let paid = member.redemptions.iter().find(|(_, row)| Some(row.id) == purchase.redemption_id);
    let paid = paid.map_or(0, |(_, row)| i128::from(row.points));
    (paid * left.returned.clamp(0, sold.total().max(0))).checked_div(sold.total()).unwrap_or(0)
}

/// Points of the sale's own lots that had lapsed when goods came back.
fn lapsed(member: &Member<'_>, entries: &[Entry], sold: &Sold, group: &[&ReturnView]) -> i64 {
    let at: Option<Instant> = group.first().map(|row| row.recorded_at);
    let mut before = entries.partition_point(|entry| Some(entry.recorded_at) <= at);
    let theirs =
        |entry: &Entry| entry.kind == EntryKind::Return && group.iter().any(|row| Some(row.id) == entry.document);
    // The same instant may hold later commands.
    if let Some(last) = entries[..before].iter().rposition(theirs) {
        before = last;
    }
    let moved = member.movements.iter().map(|(_, row)| row);
    let moved = moved.take_while(|row| usize::try_from(row.entry).is_ok_and(|entry| entry <= before));
    moved.filter(|row| row.lapsed > 0 && sold.lots.contains(&member.root(row.lot))).map(|row| row.lapsed).sum()
}
