//! Between rows and the rules' types for documents and what rides along with them: redemptions,
//! returns, the sales they are about, entitlements and notices. Column for field, nothing decided.

use serde::Deserialize;
use serde_json::{Value, json};
use tessera_rules::amount::Multiplier;
use tessera_rules::command::{Actor, Command, Line};
use tessera_rules::decision::{RedemptionRecord, ReturnRecord, TransferRecord};
use tessera_rules::entitlement::EntitlementUse;
use tessera_rules::explain::Explanation;
use tessera_rules::fulfilment::{Fulfilment, FulfilmentStatus, FulfilmentStep};
use tessera_rules::id::{MemberId, PurchaseId, RedemptionId, StoreId};
use tessera_rules::lot::Bite;
use tessera_rules::notice::Notice;
use tessera_rules::perk::GrantKey;
use tessera_rules::redemption::{Redemption, RedemptionStatus};
use tessera_rules::returns::{LineReturned, Sold};
use tessera_rules::ticket::Tickets;
use tessera_rules::time::Instant;
use uuid::Uuid;

use super::convert::{broken, points, role};
use super::{Answer, Failure};
use crate::store::re_rating::InForce;
use crate::store::reward::FulfilmentRow;
use crate::store::rows::{
    EntitlementUseRow, FulfilmentStepRow, NoticeRow, PurchaseRow, RedemptionRow, ReturnRow, TransferRow,
};

/// A redemption with the code and the tickets it has and where its goods stand.
pub(super) fn redemption(
    row: RedemptionRow,
    voucher: Option<String>,
    tickets: Option<Tickets>,
    goods: Option<&FulfilmentRow>,
) -> Result<(RedemptionId, Redemption), Failure> {
    let bites = row.bite_lots.into_iter().zip(row.bite_points);
    let bite = |(lot, taken)| Ok(Bite { lot, points: points(taken)? });
    let redemption = Redemption {
        status: RedemptionStatus::parse(&row.status).ok_or_else(|| broken("redemption"))?,
        store: row.store_id.map(StoreId::new),
        reward: row.reward,
        purchase: row.purchase_id.map(PurchaseId::new),
        points: points(row.points)?,
        worth: row.worth.map(tessera_rules::amount::Minor::new).transpose().map_err(|_| broken("worth"))?,
        recorded_at: row.recorded_at,
        held_until: row.held_until,
        entry: row.entry,
        bites: bites.map(bite).collect::<Result<_, Failure>>()?,
        grant: row.perk.zip(row.occasion).map(|(perk, occasion)| GrantKey { perk, occasion }),
        voucher,
        tickets,
        fulfilment: goods.map(fulfilment).transpose()?,
    };
    Ok((RedemptionId::new(row.id), redemption))
}

fn fulfilment(row: &FulfilmentRow) -> Result<Fulfilment, Failure> {
    let status = FulfilmentStatus::parse(&row.status).ok_or_else(|| broken("fulfilment"))?;
    Ok(Fulfilment { status, steps: row.steps.unsigned_abs() })
}

/// The row of a step of goods.
pub(super) fn step_row(step: FulfilmentStep, at: Instant, actor: Actor) -> FulfilmentStepRow {
    FulfilmentStepRow {
        redemption_id: step.redemption.uuid(),
        number: step.number.cast_signed(),
        status: step.status.as_str().to_owned(),
        store_id: step.store.map(StoreId::uuid),
        at,
        actor_role: role(actor.role),
        actor_id: actor.id,
    }
}

/// The row of a redemption. Where the row exists, what is said of its making stays as it is there.
pub(super) fn redemption_row(
    member: MemberId,
    record: RedemptionRecord,
    recorded_at: Instant,
    actor: Actor,
    answer: String,
) -> RedemptionRow {
    let redemption = record.redemption;
    let (perk, occasion) = redemption.grant.map(|grant| (grant.perk, grant.occasion)).unzip();
    let (bite_lots, bite_points) = redemption.bites.iter().map(|bite| (bite.lot, bite.points.get())).unzip();
    RedemptionRow {
        id: record.id.uuid(),
        member_id: member.uuid(),
        store_id: redemption.store.map(StoreId::uuid),
        reward: redemption.reward,
        points: redemption.points.get(),
        worth: redemption.worth.map(|worth| worth.get()),
        status: redemption.status.as_str().to_owned(),
        recorded_at,
        actor_role: role(actor.role),
        actor_id: actor.id,
        answer,
        purchase_id: redemption.purchase.map(PurchaseId::uuid),
        held_until: redemption.held_until,
        entry: redemption.entry,
        bite_lots,
        bite_points,
        perk,
        occasion,
    }
}

pub(super) fn transfer_row(record: TransferRecord, recorded_at: Instant, actor: Actor, answer: String) -> TransferRow {
    TransferRow {
        id: record.id.uuid(),
        from_member: record.from.uuid(),
        to_member: record.to.uuid(),
        points: record.points.get(),
        recorded_at,
        actor_role: role(actor.role),
        actor_id: actor.id,
        answer,
    }
}

/// The answer that a document of a command keeps: all of it, or its part where a purchase was moved and
/// two documents came of it.
pub(super) fn body(command: &Command, answer: &Answer, part: &str) -> Result<String, Failure> {
    if !matches!(command, Command::Move(_)) {
        return Ok(answer.body.clone());
    }
    let whole = serde_json::from_str::<Value>(&answer.body).ok();
    whole.and_then(|mut whole| Some(whole.get_mut(part)?.take().to_string())).ok_or_else(|| broken("answer"))
}

/// What a receipt says that its answer does not say again.
pub(super) fn particulars(command: &Command) -> Option<Value> {
    let purchase = match command {
        Command::Purchase(purchase) => purchase,
        Command::Move(moving) => &moving.again,
        _ => return None,
    };
    let plain = |line: &Line| line.sku.is_none() && line.categories.is_empty();
    if purchase.tenders.is_empty() && purchase.channel.is_none() && purchase.lines.iter().all(plain) {
        return None;
    }
    let line = |line: &Line| json!({"sku": line.sku, "categories": line.categories});
    let lines: Vec<Value> = purchase.lines.iter().map(line).collect();
    let mut particulars = json!({"lines": lines, "tenders": purchase.tenders});
    if let Some(channel) = &purchase.channel {
        particulars["channel"] = channel.as_str().into();
    }
    Some(particulars)
}

/// What a return needs of the answer that is stored with the sale.
#[derive(Deserialize)]
struct Answered {
    explanation: Explanation,
}

/// A purchase as it stands: its row, the lots it opened and its returns in order.
pub(super) fn sold<'r>(
    row: &PurchaseRow,
    lots: Vec<i64>,
    lapsed_elsewhere: i64,
    returns: impl Iterator<Item = &'r ReturnRow>,
) -> Result<Sold, Failure> {
    let answer: Answered = serde_json::from_str(&row.answer).map_err(|_| broken("explanation"))?;
    let mut sold = Sold {
        occurred_at: row.occurred_at,
        recorded_at: row.recorded_at,
        points: points(row.points)?,
        micropoints: row.micropoints,
        explanation: answer.explanation,
        lots,
        lapsed_elsewhere: points(lapsed_elsewhere)?,
        redemption: row.redemption_id.map(RedemptionId::new),
        returned: Vec::new(),
        clawed: points(0)?,
        micropoints_taken: 0,
        given_back: points(0)?,
    };
    for row in returns {
        let lines: Vec<LineReturned> = serde_json::from_str(&row.lines).map_err(|_| broken("lines"))?;
        sold.returned.extend(lines);
        sold.clawed = sold.clawed.plus(points(row.clawed)?).map_err(|_| broken("clawed"))?;
        sold.micropoints_taken += row.micropoints;
        sold.given_back = sold.given_back.plus(points(row.given_back)?).map_err(|_| broken("given_back"))?;
    }
    Ok(sold)
}

/// Has a purchase stand as a re-rating says.
pub(super) fn rate(sold: &mut Sold, rating: &InForce) -> Result<(), Failure> {
    let explanation = serde_json::from_str(&rating.explanation).map_err(|_| broken("explanation"))?;
    let rated = sold.rate(points(rating.points)?, points(rating.clawed_more())?, explanation);
    rated.map_err(|_| broken("re-rating"))
}

/// The row of a return.
pub(super) fn return_row(
    member: MemberId,
    store: Uuid,
    record: ReturnRecord,
    recorded_at: Instant,
    actor: Actor,
    answer: String,
) -> Result<ReturnRow, Failure> {
    Ok(ReturnRow {
        id: record.id.uuid(),
        member_id: member.uuid(),
        purchase_id: record.purchase.uuid(),
        store_id: store,
        source: record.source,
        external_id: record.external_id,
        content: record.content.to_vec(),
        reason: record.reason,
        recorded_at,
        actor_role: role(actor.role),
        actor_id: actor.id,
        lines: serde_json::to_string(&record.lines).map_err(|error| Failure::Internal(error.to_string()))?,
        amount: record.amount.get(),
        clawed: record.clawed.get(),
        owed: record.owed.get(),
        forgiven: record.forgiven.get(),
        micropoints: record.micropoints,
        given_back: record.given_back.get(),
        answer,
    })
}

pub(super) fn entitlement_use(row: EntitlementUseRow) -> EntitlementUse {
    EntitlementUse {
        code: row.code,
        year: row.year,
        number: row.number.unsigned_abs(),
        used_at: row.used_at,
        day: row.day.zip(row.multiplier.map(Multiplier::from_units)),
    }
}

pub(super) fn entitlement_use_row(member: Uuid, used: EntitlementUse) -> EntitlementUseRow {
    EntitlementUseRow {
        member_id: member,
        code: used.code,
        year: used.year,
        number: used.number.cast_signed(),
        used_at: used.used_at,
        day: used.day.map(|(day, _)| day),
        multiplier: used.day.map(|(_, multiplier)| multiplier.units()),
    }
}

pub(super) fn notice(row: NoticeRow) -> Result<Notice, Failure> {
    Ok(Notice {
        matter: serde_json::from_value(row.content).map_err(|_| broken("notice"))?,
        due_at: row.due_at,
        lead_days: row.lead_days.unsigned_abs(),
        noticed_at: row.noticed_at,
    })
}

pub(super) fn notice_row(member: Uuid, notice: Notice) -> Result<NoticeRow, Failure> {
    Ok(NoticeRow {
        member_id: member,
        kind: notice.matter.as_str().to_owned(),
        due_at: notice.due_at,
        lead_days: notice.lead_days.cast_signed(),
        noticed_at: notice.noticed_at,
        content: serde_json::to_value(&notice.matter).map_err(|error| Failure::Internal(error.to_string()))?,
    })
}
