//! Between rows and the rules' types: column for field, nothing decided.

use tessera_rules::amount::{OutOfRange, Points};
use tessera_rules::command::{Actor, Role};
use tessera_rules::id::MemberId;
use tessera_rules::ledger::Entry;
use tessera_rules::link::{Link, LinkKind, Sent};
use tessera_rules::lot::{Lapse, Lot, LotKey, LotMovement};
use tessera_rules::member::{DayTotals, Standing};
use tessera_rules::perk::PerkGrant;
use tessera_rules::tag::{TagCause, TagChange, TagStep};
use tessera_rules::tier::{Placement, TierCause, TierChange};
use uuid::Uuid;

use super::Failure;
use crate::store::rows::{
    ClockRow, DayRow, EntryRow, LotMovementRow, LotRow, PerkGrantRow, PlacementRow, StandingRow, TierChangeRow, TiesRow,
};
use crate::store::tag::TagChangeRow;

/// A row holds what no row should: the database was changed behind our back.
pub(super) fn broken(what: &str) -> Failure {
    Failure::Internal(format!("a stored row is not valid: {what}"))
}

/// Points out of a row.
pub(super) fn points(value: i64) -> Result<Points, Failure> {
    Points::new(value).map_err(|OutOfRange| broken("points"))
}

/// The word a role is stored as.
pub(super) fn role(role: Role) -> String {
    role.as_str().to_owned()
}

pub(super) fn standing(row: StandingRow) -> Result<Standing, Failure> {
    Ok(Standing {
        member: MemberId::new(row.member_id),
        frozen: row.frozen,
        enrolled_at: row.enrolled_at,
        recorded_at: row.recorded_at,
        pending: points(row.pending)?,
        available: points(row.available)?,
        held: points(row.held)?,
        debt: points(row.debt)?,
        lifetime_earned: points(row.lifetime_earned)?,
        entries: row.entries,
        head: row.head.try_into().map_err(|_| broken("hash"))?,
        lots: row.lots,
        purchases: row.purchases,
        carry: row.carry,
        tier: row.tier,
        tier_since: row.tier_since,
        tier_changes: row.tier_changes,
        window_from: row.window_from,
        window_to: row.window_to,
        window: DayTotals { points: row.window_points, spend: row.window_spend, visits: row.window_visits, given: 0 },
        window_oldest: row.window_oldest,
        lots_due_at: row.clock.lots_due_at,
        holds_due_at: row.clock.holds_due_at,
        active_at: row.clock.active_at,
        purchased_at: row.clock.purchased_at,
        idle_months: row.clock.idle_months.map(i32::unsigned_abs),
        idle_due_at: row.clock.idle_due_at,
        tier_until: row.tier_until,
        tier_due_at: row.tier_due_at,
        placement: row.placement.map(|placement| Placement { own: placement.own, until: placement.until }),
        boost_until: row.boost_until,
        otp_step: row.otp_step,
        link: row.ties.as_ref().map_or(Ok(None), link)?,
        sent: row.ties.as_ref().map_or(Ok(None), sent)?,
        household: row.ties.map_or(0, |ties| ties.household),
    })
}

/// The row of a standing, with the version of the row it takes the place of.
pub(super) fn standing_row(standing: Standing, version: i64) -> StandingRow {
    let (ties, due_at) = (ties(&standing), standing.due_at());
    StandingRow {
        member_id: standing.member.uuid(),
        frozen: standing.frozen,
        enrolled_at: standing.enrolled_at,
        recorded_at: standing.recorded_at,
        pending: standing.pending.get(),
        available: standing.available.get(),
        held: standing.held.get(),
        debt: standing.debt.get(),
        lifetime_earned: standing.lifetime_earned.get(),
        entries: standing.entries,
        head: standing.head.to_vec(),
        lots: standing.lots,
        purchases: standing.purchases,
        carry: standing.carry,
        tier: standing.tier,
        tier_since: standing.tier_since,
        tier_changes: standing.tier_changes,
        window_from: standing.window_from,
        window_to: standing.window_to,
        window_points: standing.window.points,
        window_spend: standing.window.spend,
        window_visits: standing.window.visits,
        window_oldest: standing.window_oldest,
        tier_due_at: standing.tier_due_at,
        boost_until: standing.boost_until,
        otp_step: standing.otp_step,
        version,
        due_at,
        ties,
        clock: ClockRow {
            active_at: standing.active_at,
            purchased_at: standing.purchased_at,
            idle_months: standing.idle_months.map(u32::cast_signed),
            idle_due_at: standing.idle_due_at,
            holds_due_at: standing.holds_due_at,
            lots_due_at: standing.lots_due_at,
        },
        tier_until: standing.tier_until,
        placement: standing.placement.map(|placement| PlacementRow { own: placement.own, until: placement.until }),
    }
}

fn link(row: &TiesRow) -> Result<Option<Link>, Failure> {
    let Some(root) = row.root else { return Ok(None) };
    let kind = match (row.kind.as_deref(), row.may_spend) {
        (Some("merged"), _) => LinkKind::Merged,
        (Some("pool"), Some(may_spend)) => LinkKind::Pool { may_spend },
        _ => return Err(broken("ties")),
    };
    Ok(Some(Link { root: MemberId::new(root), kind }))
}

fn sent(row: &TiesRow) -> Result<Option<Sent>, Failure> {
    let Some((day, sent)) = row.sent_day.zip(row.sent_points) else { return Ok(None) };
    Ok(Some(Sent { day, points: points(sent)? }))
}

/// Most members have no ties at all.
fn ties(standing: &Standing) -> Option<TiesRow> {
    if standing.link.is_none() && standing.sent.is_none() && standing.household == 0 {
        return None;
    }
    let (kind, may_spend) = match standing.link.map(|link| link.kind) {
        None => (None, None),
        Some(LinkKind::Merged) => (Some("merged"), None),
        Some(LinkKind::Pool { may_spend }) => (Some("pool"), Some(may_spend)),
    };
    Some(TiesRow {
        root: standing.link.map(|link| link.root.uuid()),
        kind: kind.map(str::to_owned),
        may_spend,
        household: standing.household,
        sent_day: standing.sent.map(|sent| sent.day),
        sent_points: standing.sent.map(|sent| sent.points.get()),
    })
}

pub(super) fn lot(row: &LotRow) -> Result<Lot, Failure> {
    Ok(Lot {
        number: row.number,
        entry: row.entry,
        points: points(row.points)?,
        remaining: points(row.remaining)?,
        occurred_at: row.occurred_at,
        available_from: row.available_from,
        expires_at: row.expires_at,
        held: points(row.held)?,
        lapsed: points(row.lapsed)?,
        pending: row.pending,
        origin: row.origin,
        parent: row
            .parent_member
            .zip(row.parent_lot)
            .map(|(member, lot)| LotKey { member: MemberId::new(member), lot }),
        lapse: match row.idle_months {
            Some(months) => Lapse::Idle { months: months.unsigned_abs() },
            None if row.fixed => Lapse::Fixed,
            None => Lapse::Dated,
        },
    })
}

pub(super) fn lot_row(member: Uuid, lot: &Lot) -> LotRow {
    LotRow {
        member_id: member,
        number: lot.number,
        entry: lot.entry,
        points: lot.points.get(),
        remaining: lot.remaining.get(),
        occurred_at: lot.occurred_at,
        available_from: lot.available_from,
        expires_at: lot.expires_at,
        held: lot.held.get(),
        lapsed: lot.lapsed.get(),
        pending: lot.pending,
        origin: lot.origin,
        fixed: lot.lapse == Lapse::Fixed,
        idle_months: match lot.lapse {
            Lapse::Idle { months } => Some(months.cast_signed()),
            Lapse::Dated | Lapse::Fixed => None,
        },
        parent_member: lot.parent.map(|parent| parent.member.uuid()),
        parent_lot: lot.parent.map(|parent| parent.lot),
    }
}

pub(super) fn movement_row(member: Uuid, movement: &LotMovement) -> LotMovementRow {
    LotMovementRow {
        member_id: member,
        entry: movement.entry,
        lot: movement.lot,
        points: movement.points.get(),
        held: movement.held.get(),
        lapsed: movement.lapsed.get(),
    }
}

pub(super) fn entry_row(entry: Entry) -> EntryRow {
    let Actor { role: actor_role, id } = entry.actor;
    EntryRow {
        member_id: entry.member.uuid(),
        number: entry.number,
        kind: entry.kind.as_str().to_owned(),
        from_account: entry.from.as_str().to_owned(),
        to_account: entry.to.as_str().to_owned(),
        points: entry.points.get(),
        effective_at: entry.effective_at,
        recorded_at: entry.recorded_at,
        actor_role: role(actor_role),
        actor_id: id,
        document_id: entry.document,
        reason: entry.reason,
        reverses: entry.reverses,
        hash: entry.hash.to_vec(),
    }
}

pub(super) fn totals(row: &DayRow) -> DayTotals {
    DayTotals { points: row.points, spend: row.spend, visits: row.visits, given: row.given }
}

pub(super) fn tier_change(row: TierChangeRow) -> Result<TierChange, Failure> {
    Ok(TierChange {
        number: row.number,
        from: row.from_tier,
        to: row.to_tier,
        at: row.at,
        recorded_at: row.recorded_at,
        cause: TierCause::parse(&row.cause).ok_or_else(|| broken("cause"))?,
        measure: row.measure,
        programme_version: row.programme_version,
        reason: row.reason,
    })
}

pub(super) fn tier_change_row(member: Uuid, change: TierChange) -> TierChangeRow {
    TierChangeRow {
        member_id: member,
        number: change.number,
        from_tier: change.from,
        to_tier: change.to,
        at: change.at,
        recorded_at: change.recorded_at,
        cause: change.cause.as_str().to_owned(),
        measure: change.measure,
        programme_version: change.programme_version,
        reason: change.reason,
    }
}

pub(super) fn tag_change(row: TagChangeRow) -> Result<TagChange, Failure> {
    let step = if row.held { TagStep::Put { until: row.until } } else { TagStep::TakeOff };
    Ok(TagChange {
        tag: row.tag.parse().map_err(|_| broken("tag"))?,
        at: row.at,
        step,
        cause: TagCause::parse(&row.cause, row.promotion).ok_or_else(|| broken("tag"))?,
    })
}

pub(super) fn grant(row: PerkGrantRow) -> Result<PerkGrant, Failure> {
    Ok(PerkGrant {
        perk: row.perk,
        occasion: row.occasion,
        granted_at: row.granted_at,
        gift: serde_json::from_value(row.gift).map_err(|_| broken("gift"))?,
        from: row.window_from,
        until: row.window_until,
    })
}

pub(super) fn grant_row(member: Uuid, grant: PerkGrant) -> Result<PerkGrantRow, Failure> {
    Ok(PerkGrantRow {
        member_id: member,
        perk: grant.perk,
        occasion: grant.occasion,
        granted_at: grant.granted_at,
        gift: serde_json::to_value(grant.gift).map_err(|error| Failure::Internal(error.to_string()))?,
        window_from: grant.from,
        window_until: grant.until,
    })
}
