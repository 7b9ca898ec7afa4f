//! Simulation over what is on record: rows become the past of a member, and the rules replay it. It reads and
//! never writes, on a connection that is given back between two pages; the write path hears nothing of it.

use std::collections::HashMap;
use std::iter::Peekable;

use serde::Deserialize;
use tessera_rules::Programme;
use tessera_rules::amount::{Minor, Points};
use tessera_rules::command::{Line, Purchase, Tender};
use tessera_rules::earning::MICRO;
use tessera_rules::explain::{Explanation, LineExplained};
use tessera_rules::id::{MemberId, PurchaseId, ReturnId};
use tessera_rules::simulate::{Judged, Past, PastEvent, PastPurchase, PastReturn, ReRating, Simulation};
use tessera_rules::tag::Tags;
use tessera_rules::tier::{TierCause, TierChange};
use uuid::Uuid;

use super::Failure;
use super::convert::{self, broken, points};
use crate::store::re_rating::InForce;
use crate::store::simulate::{MemberPast, PastPage, PurchasePast, ReturnPast, TierPast};

/// Replays a page of members. Returns the last of them, after whom the next page begins; `None`: there was
/// nobody.
///
/// # Errors
/// [`Failure::Internal`] where what is on record cannot be read, or a sum leaves its range.
pub fn replay(simulation: &mut Simulation, in_force: &Programme, page: PastPage) -> Result<Option<Uuid>, Failure> {
    each(in_force, page, |past| simulation.member(past).map_err(|error| Failure::Internal(error.to_string())))
}

/// Members with purchases that should have been given otherwise.
pub type Found = Vec<(MemberId, Vec<Judged>)>;

/// What purchases of a page of members should have been given, as far as that is otherwise; and the last of the
/// members, as [`replay`].
///
/// # Errors
/// As [`replay`].
pub fn judge(re_rating: &mut ReRating, in_force: &Programme, page: PastPage) -> Result<(Found, Option<Uuid>), Failure> {
    let mut found = Vec::new();
    let last = each(in_force, page, |past| {
        let judged = re_rating.member(past).map_err(|error| Failure::Internal(error.to_string()))?;
        if !judged.is_empty() {
            found.push((past.member, judged));
        }
        Ok(())
    })?;
    Ok((found, last))
}

fn each(
    in_force: &Programme,
    page: PastPage,
    mut look: impl FnMut(&Past) -> Result<(), Failure>,
) -> Result<Option<Uuid>, Failure> {
    let mut ratings: HashMap<Uuid, Vec<InForce>> = HashMap::new();
    for rating in page.ratings {
        ratings.entry(rating.purchase_id).or_default().push(rating);
    }
    let mut purchases = page.purchases.into_iter().peekable();
    let mut returns = page.returns.into_iter().peekable();
    let mut tiers = page.tiers.into_iter().peekable();
    let mut tags = page.tags.into_iter().peekable();
    let mut last = None;
    for member in page.members {
        let id = member.id;
        let bought = of(&mut purchases, id, |row| row.member_id);
        let returned = of(&mut returns, id, |row| row.member_id);
        let changes = of(&mut tiers, id, |row| row.member_id);
        let tagged = of(&mut tags, id, |row| row.member_id);
        let mut past = past(in_force, member, bought, returned, changes)?;
        for row in tagged {
            past.tags.learn(convert::tag_change(row)?);
        }
        if !ratings.is_empty() {
            rate(&mut past, &ratings)?;
        }
        look(&past)?;
        last = Some(id);
    }
    Ok(last)
}

/// Has purchases and what came back of them stand as their re-ratings say.
fn rate(past: &mut Past, ratings: &HashMap<Uuid, Vec<InForce>>) -> Result<(), Failure> {
    let out_of_range = |_| broken("re-rating");
    let micro = |points: Points| points.get() * MICRO;
    for event in &mut past.events {
        match event {
            PastEvent::Purchase(purchase) => {
                for rating in ratings.get(&purchase.id.uuid()).into_iter().flatten() {
                    let right = points(rating.points)?;
                    let more = right.minus(purchase.points).map_err(out_of_range)?;
                    purchase.micropoints = purchase.micropoints.map(|added| added + micro(more));
                    (purchase.points, purchase.rated) = (right, true);
                    purchase.explanation =
                        serde_json::from_str(&rating.explanation).map_err(|_| broken("explanation"))?;
                }
            }
            PastEvent::Return(returned) => {
                for rating in ratings.get(&returned.purchase.uuid()).into_iter().flatten() {
                    let claws: Vec<(ReturnId, Points)> =
                        serde_json::from_value(rating.claws.clone()).map_err(|_| broken("claws"))?;
                    let Some((_, right)) = claws.into_iter().find(|(id, _)| *id == returned.id) else { continue };
                    let more = right.minus(returned.clawed).map_err(out_of_range)?;
                    returned.micropoints += micro(more);
                    returned.clawed = right;
                }
            }
        }
    }
    Ok(())
}

/// The rows of one member, from a list in the order of the members.
fn of<R>(rows: &mut Peekable<impl Iterator<Item = R>>, member: Uuid, id: impl Fn(&R) -> Uuid) -> Vec<R> {
    let mut own = Vec::new();
    // Rows of a member who is not of the page, for he joined after it was read.
    while rows.next_if(|row| id(row) < member).is_some() {}
    while let Some(row) = rows.next_if(|row| id(row) == member) {
        own.push(row);
    }
    own
}

fn past(
    in_force: &Programme,
    member: MemberPast,
    purchases: Vec<PurchasePast>,
    returns: Vec<ReturnPast>,
    tiers: Vec<TierPast>,
) -> Result<Past, Failure> {
    let mut events = Vec::with_capacity(purchases.len() + returns.len());
    for row in purchases {
        let (at, id) = (row.recorded_at, row.id);
        events.push((at, id, PastEvent::Purchase(Box::new(purchase(in_force, &member.merged, row)?))));
    }
    for row in returns {
        let (at, id) = (row.recorded_at, row.id);
        events.push((at, id, PastEvent::Return(taken_back(row)?)));
    }
    // Ids grow with time: they part what was recorded in one microsecond.
    events.sort_by_key(|(at, id, _)| (*at, *id));
    Ok(Past {
        member: MemberId::new(member.id),
        enrolled_at: member.enrolled_at,
        birth_date: member.birth_date,
        settled_at: member.recorded_at,
        merged: !member.merged.is_empty(),
        tags: Tags::default(),
        tier_changes: tiers.into_iter().map(tier_change).collect::<Result<_, _>>()?,
        events: events.into_iter().map(|(_, _, event)| event).collect(),
    })
}

/// What replaying needs of the answer that is stored with a purchase.
#[derive(Deserialize)]
struct Answered {
    explanation: Explanation,
    wallet: Option<Paid>,
}

/// What the wallet paid.
#[derive(Deserialize)]
struct Paid {
    paid: Minor,
}

/// What the receipt said beside (`documents::particulars`).
#[derive(Default, Deserialize)]
struct Particulars {
    lines: Vec<Particular>,
    tenders: Vec<Tender>,
    #[serde(default)]
    channel: Option<String>,
}

#[derive(Deserialize)]
struct Particular {
    sku: Option<String>,
    categories: Vec<String>,
}

/// A purchase; its receipt may have named one of the accounts that were merged with the member.
fn purchase(in_force: &Programme, merged: &[Uuid], row: PurchasePast) -> Result<PastPurchase, Failure> {
    let answer: Answered = serde_json::from_str(&row.answer).map_err(|_| broken("explanation"))?;
    let kept = row.particulars.map(serde_json::from_value::<Particulars>).transpose();
    let kept = kept.map_err(|_| broken("particulars"))?;
    let told = kept.is_some();
    let Particulars { lines, tenders, channel } = kept.unwrap_or_default();
    let mut beside = lines.into_iter();
    let line = |explained: &LineExplained| {
        let Particular { sku, categories } = beside.next().unwrap_or(Particular { sku: None, categories: Vec::new() });
        Line { sku, categories, quantity: explained.quantity, amount: explained.amount() }
    };
    let lines: Vec<Line> = answer.explanation.lines.iter().map(line).collect();
    // Where nothing was said beside, that was not always kept: the content of the receipt proves it.
    let paid = row.paid_points.map(points).transpose()?;
    let paid_from_wallet = answer.wallet.map(|wallet| wallet.paid).filter(|paid| paid.is_positive());
    let is = |member: &Uuid| {
        let content = Purchase::content_of(MemberId::new(*member), in_force.currency, &lines, &tenders, paid);
        let content = paid_from_wallet.map_or(content, |paid| Purchase::content_with_wallet(content, paid));
        content[..] == row.content[..] || Purchase::content_at_list(content, &[])[..] == row.content[..]
    };
    // Since there are list prices, what a receipt says beside is kept where it says anything.
    let explained = &answer.explanation;
    let at_list = !explained.coupons.is_empty() || explained.lines.iter().any(|line| line.list.is_some());
    let exact = told || at_list || is(&row.member_id) || merged.iter().any(is);
    Ok(PastPurchase {
        id: PurchaseId::new(row.id),
        store: row.store,
        occurred_at: row.occurred_at,
        recorded_at: row.recorded_at,
        paid_from_wallet,
        paid_with_points: row.paid_worth.map(Minor::new).transpose().map_err(|_| broken("worth"))?,
        exact,
        rated: false,
        points: points(row.points)?,
        micropoints: row.micropoints,
        lines,
        tenders,
        channel,
        explanation: answer.explanation,
    })
}

fn taken_back(row: ReturnPast) -> Result<PastReturn, Failure> {
    Ok(PastReturn {
        id: ReturnId::new(row.id),
        purchase: PurchaseId::new(row.purchase_id),
        recorded_at: row.recorded_at,
        lines: serde_json::from_str(&row.lines).map_err(|_| broken("lines"))?,
        clawed: points(row.clawed)?,
        micropoints: row.micropoints,
    })
}

fn tier_change(row: TierPast) -> Result<TierChange, Failure> {
    Ok(TierChange {
        number: row.number,
        from: row.from_tier,
        to: row.to_tier,
        at: row.at,
        recorded_at: row.recorded_at,
        cause: TierCause::parse(&row.cause).ok_or_else(|| broken("cause"))?,
        reason: None,
        measure: row.measure,
        programme_version: row.programme_version,
    })
}
