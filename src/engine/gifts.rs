//! The rows of what is given beside points, and of the events and the referrals that promotions wait for. Column for
//! field, nothing decided.

use serde::Serialize;
use tessera_rules::command::Actor;
use tessera_rules::decision::Effect;
use tessera_rules::event::EventRecord;
use tessera_rules::gift::{Issued, Message};
use tessera_rules::id::MemberId;
use tessera_rules::time::Instant;
use uuid::Uuid;

use super::Failure;
use super::convert::role;
use crate::clock::new_uuid;
use crate::store::batch::Writes;
use crate::store::rows::{GivenCouponRow, GivenIssueRow, MemberEventRow, MessageRow, OutboxRow};

/// Gathers the rows of one effect for a member at the time of the command; an effect of another kind has none here.
pub(super) fn gather(
    writes: &mut Writes,
    effect: Effect,
    of: (MemberId, Instant),
    actor: Actor,
) -> Result<(), Failure> {
    match effect {
        Effect::IssueCoupon(issued) => issue(writes, issued, of, actor),
        Effect::RevokeCoupons { document, by } => {
            let (documents, givers, ats) = &mut writes.gifts.revoked;
            documents.push(document);
            givers.push(by);
            ats.push(of.1);
        }
        Effect::Message(message) => send(writes, message, of)?,
        Effect::Event(record) => writes.gifts.events.push(event_row(record, of, actor)?),
        Effect::CompleteReferral { purchase, at } => {
            writes.referrals.completed(of.0, purchase, at);
            writes.events.push(beside(of.0, "referral.completed", purchase.uuid(), of.1));
        }
        Effect::RewardReferral { member, number } => writes.referrals.rewarded(member, (of.0, number), of.1),
        _ => {}
    }
    Ok(())
}

/// A coupon, each with an issue and an event of its own: whoever delivers messages tells its code.
fn issue(writes: &mut Writes, issued: Issued, (member, at): (MemberId, Instant), actor: Actor) {
    let Issued { coupon, by, document } = issued;
    let id = new_uuid();
    writes.gifts.issues.push(GivenIssueRow {
        id,
        of: coupon.of.clone(),
        member_id: Some(member.uuid()),
        count: 1,
        issued_at: at,
        actor_role: role(actor.role),
        actor_id: actor.id,
        key: None,
        fingerprint: None,
        given_by: Some(by),
        document_id: document,
    });
    writes.gifts.coupons.push(GivenCouponRow {
        code: coupon.code,
        of: coupon.of,
        issue_id: id,
        owner: coupon.owner.map(MemberId::uuid),
        valid_from: coupon.from,
        valid_until: coupon.until,
        uses: coupon.uses.cast_signed(),
        used: 0,
        revoked_at: None,
    });
    writes.events.push(beside(member, "coupon.issued", id, at));
}

fn send(writes: &mut Writes, message: Message, (member, at): (MemberId, Instant)) -> Result<(), Failure> {
    let (id, text) = (new_uuid(), json(&message.text)?);
    writes.gifts.messages.push(MessageRow { id, member_id: member.uuid(), given_by: message.by, at, text });
    writes.events.push(beside(member, "message.sent", id, at));
    Ok(())
}

fn event_row(
    record: EventRecord,
    (member, recorded_at): (MemberId, Instant),
    actor: Actor,
) -> Result<MemberEventRow, Failure> {
    Ok(MemberEventRow {
        id: record.id.uuid(),
        member_id: member.uuid(),
        number: record.number,
        code: record.code,
        occurred_at: record.occurred_at,
        recorded_at,
        programme_version: record.programme_version,
        store_id: record.store.uuid(),
        actor_role: role(actor.role),
        actor_id: actor.id,
        attributes: json(&record.attributes)?,
    })
}

/// An event in the outbox beside that of the command.
fn beside(member: MemberId, kind: &str, document: Uuid, at: Instant) -> OutboxRow {
    OutboxRow {
        id: new_uuid(),
        member_id: member.uuid(),
        kind: kind.to_owned(),
        document_id: Some(document),
        points: 0,
        at,
    }
}

fn json(value: &impl Serialize) -> Result<serde_json::Value, Failure> {
    serde_json::to_value(value).map_err(|error| Failure::Internal(error.to_string()))
}
