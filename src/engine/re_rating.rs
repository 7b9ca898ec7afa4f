//! Books a planned re-rating, or takes one back, member by member through the write path. Each member's part has
//! its own claim, so that whoever does it again after a process ended does what is left of it, and nothing twice.

use serde::Deserialize;
use tessera_rules::amount::Points;
use tessera_rules::command::{Actor, ReRate, Role};
use tessera_rules::explain::Explanation;
use tessera_rules::id::{MemberId, PurchaseId, ReRatingId};
use tessera_rules::re_rating::Rating;
use tessera_rules::{Command, Refusal};
use uuid::Uuid;

use super::convert::{broken, points};
use super::{Answer, Claim, Engine, Failure, Reply, Submission, Time};
use crate::store::re_rating::{self, Before, MemberRow, PurchaseRow, ReRatingRow};

/// Members whose parts are on their way together.
const TOGETHER: i64 = 100;

/// What was explained with a purchase when it was sold.
#[derive(Deserialize)]
struct Sold {
    explanation: Explanation,
}

/// Books what is left of a re-rating, or (`undo`) of taking it back. Members who cannot be booked are left out,
/// with the reason. Blocks.
///
/// # Errors
/// [`Failure`]; what was booked by then stays.
pub fn book(engine: &Engine, row: &ReRatingRow, undo: bool) -> Result<(), Failure> {
    let id = ReRatingId::new(row.id);
    let mut after = Uuid::nil();
    loop {
        let members = engine.pool().blocking(|conn| re_rating::members(conn, row.id, after, TOGETHER))?;
        let Some(last) = members.last().map(|member| member.member_id) else { return Ok(()) };
        let open: Vec<&MemberRow> = members.iter().filter(|member| is_open(member, undo)).collect();
        let ids: Vec<Uuid> = open.iter().map(|member| member.member_id).collect();
        let purchases = engine.pool().blocking(|conn| re_rating::purchases(conn, row.id, &ids))?;
        let before = if undo { engine.pool().blocking(|conn| re_rating::before(conn, id, &ids))? } else { Vec::new() };
        let mut sent = Vec::with_capacity(open.len());
        for member in open {
            let own = purchases.iter().filter(|purchase| purchase.member_id == member.member_id);
            let ratings = own.map(|purchase| if undo { back(purchase, &before) } else { rating(purchase) });
            let command = ReRate {
                id,
                reason: row.reason.clone(),
                purchases: ratings.collect::<Result<_, _>>()?,
                undoes: if undo { Some(points(member.applied.unwrap_or(0))?) } else { None },
            };
            let submission = submission(row, MemberId::new(member.member_id), command)?;
            sent.push((submission.member, engine.submit_blocking(submission)));
        }
        for (member, answer) in sent {
            let answer = answer.blocking_recv().unwrap_or(Err(Failure::Unavailable))?;
            let (Reply::Decided { answer, .. } | Reply::Replayed(answer) | Reply::Known(answer)) = answer;
            if answer.status >= 400 {
                let why = answer.body.trim_matches('"');
                engine.pool().blocking(|conn| re_rating::leave_out(conn, id, member, undo, why))?;
            }
        }
        after = last;
    }
}

fn is_open(member: &MemberRow, undo: bool) -> bool {
    if undo {
        member.applied.is_some() && member.undone.is_none() && member.kept.is_none()
    } else {
        member.applied.is_none() && member.left_out.is_none()
    }
}

/// How a purchase should stand.
fn rating(row: &PurchaseRow) -> Result<Rating, Failure> {
    Ok(Rating {
        purchase: PurchaseId::new(row.purchase_id),
        seen_points: points(row.given)?,
        seen_returned: usize::try_from(row.returned).map_err(|_| broken("returned"))?,
        points: points(row.points)?,
        clawed: points(row.should_be_clawed - row.clawed)?,
        explanation: serde_json::from_str(&row.explanation).map_err(|_| broken("explanation"))?,
    })
}

/// How it stood before.
fn back(row: &PurchaseRow, before: &[Before]) -> Result<Rating, Failure> {
    let was = before.iter().find(|was| was.purchase_id == row.purchase_id).ok_or_else(|| broken("purchase"))?;
    let explanation = match &was.explanation {
        Some(earlier) => serde_json::from_str(earlier),
        None => serde_json::from_str(&was.answer).map(|Sold { explanation }| explanation),
    };
    let more = row.should_be_clawed - row.clawed - row.lapsed.unwrap_or(0);
    Ok(Rating {
        seen_points: points(row.points)?,
        points: points(was.points)?,
        clawed: Points::new(-more).map_err(|_| broken("clawed"))?,
        explanation: explanation.map_err(|_| broken("explanation"))?,
        ..rating(row)?
    })
}

fn submission(row: &ReRatingRow, member: MemberId, command: ReRate) -> Result<Submission, Failure> {
    let undo = command.undoes.is_some();
    let by = if undo { row.undone_by } else { row.applied_by };
    let fingerprint = row.fingerprint.as_slice().try_into().map_err(|_| broken("fingerprint"))?;
    let step = if undo { "undo" } else { "apply" };
    Ok(Submission {
        member,
        command: Command::ReRate(Box::new(command)),
        actor: Actor { role: Role::Admin, id: by },
        time: Time::Live,
        claim: Some(Claim { caller: row.id, key: format!("{step}:{member}"), fingerprint }),
        audit: None,
        render: Box::new(|outcome| match outcome {
            Ok(_) => Answer { status: 200, body: "{}".to_owned() },
            Err(refusal) => Answer { status: 409, body: format!("{:?}", why(refusal)) },
        }),
    })
}

/// The word for why a member is left out.
const fn why(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::PurchaseChanged(_) | Refusal::PurchaseUnknown => "purchase_changed",
        Refusal::AmountOutOfRange => "amount_out_of_range",
        _ => "refused",
    }
}
