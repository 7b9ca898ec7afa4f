//! Re-ratings as they are shown.

use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use serde_json::Value;
use tessera_rules::id::{MemberId, PurchaseId, ReRatingId, StaffId};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::store::Error;
use crate::store::db::Connection;
use crate::store::re_rating::{self, MemberRow, PurchaseRow, ReRatingRow};

/// How many purchases.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PurchasesCounted {
    /// Of those days and stores.
    looked_at: i64,
    /// Of these, those that should stand otherwise.
    changed: i64,
    /// Of these, those that cannot be replayed exactly or stand by an earlier re-rating, and stay as they are.
    inexact: i64,
    /// Of these, those that what was tried would refuse, and that stay as they are.
    refused: i64,
}

/// Points of a plan.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PointsPlanned {
    /// To members who are due some.
    gives: i64,
    /// From members who have too many.
    takes: i64,
    /// Most of one member.
    largest: i64,
}

/// A re-rating.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReRatingView {
    /// The re-rating, which entries name as their document.
    #[schema(value_type = String, example = "rer_01kapm8r5ne8v9b3r6a2f7qk4d")]
    id: ReRatingId,
    /// `planned`; `applying`, `applied`; `undoing`, `undone`. What is under way goes on when the step is taken again.
    #[schema(example = "planned")]
    status: String,
    /// First local day.
    from: NaiveDate,
    /// Last local day.
    to: NaiveDate,
    /// Codes of the stores; empty: all.
    stores: Vec<String>,
    /// What the programme should have said.
    #[schema(value_type = Object)]
    tried: Value,
    /// Why, as a code.
    reason: String,
    /// Why, in words.
    note: String,
    /// SHA-256 of the plan.
    fingerprint: String,
    /// Purchases.
    purchases: PurchasesCounted,
    /// Members whose purchases change.
    members: i64,
    /// Points, as planned.
    points: PointsPlanned,
    /// Who planned it.
    #[schema(value_type = String)]
    planned_by: StaffId,
    /// When.
    planned_at: DateTime<Utc>,
    /// Who applied it.
    #[schema(value_type = Option<String>)]
    applied_by: Option<StaffId>,
    /// When.
    applied_at: Option<DateTime<Utc>>,
    /// Who took it back.
    #[schema(value_type = Option<String>)]
    undone_by: Option<StaffId>,
    /// When.
    undone_at: Option<DateTime<Utc>>,
}

impl From<ReRatingRow> for ReRatingView {
    fn from(row: ReRatingRow) -> Self {
        Self {
            id: ReRatingId::new(row.id),
            status: row.status,
            from: row.from_day,
            to: row.to_day,
            stores: row.stores,
            tried: row.tried,
            reason: row.reason,
            note: row.note,
            fingerprint: row.fingerprint.iter().map(|byte| format!("{byte:02x}")).collect(),
            purchases: PurchasesCounted {
                looked_at: row.looked_at,
                changed: row.purchases,
                inexact: row.inexact,
                refused: row.refused,
            },
            members: row.members,
            points: PointsPlanned { gives: row.gives, takes: row.takes, largest: row.largest },
            planned_by: StaffId::new(row.planned_by),
            planned_at: row.planned_at,
            applied_by: row.applied_by.map(StaffId::new),
            applied_at: row.applied_at,
            undone_by: row.undone_by.map(StaffId::new),
            undone_at: row.undone_at,
        }
    }
}

/// A purchase that stands otherwise.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReRatedPurchase {
    /// The purchase.
    #[schema(value_type = String)]
    purchase_id: PurchaseId,
    /// When it happened.
    occurred_at: DateTime<Utc>,
    /// Points it was given, less those that came back with its goods.
    given: i64,
    /// The same as it should have been.
    should_be: i64,
    /// Points that are not taken because they had lapsed unspent; null until it is applied.
    lapsed: Option<i64>,
}

/// A member whose purchases stand otherwise.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReRatedMember {
    /// Who.
    #[schema(value_type = String)]
    member_id: MemberId,
    /// Points of those purchases, less those that came back with their goods.
    given: i64,
    /// The same as it should have been.
    should_be: i64,
    /// By how many more.
    difference: i64,
    /// Points booked, below 0 taken; null until it is applied. Less is taken where points had lapsed or were
    /// forgiven.
    applied: Option<i64>,
    /// Points forgiven.
    forgiven: Option<i64>,
    /// Why the member was left out: `purchase_changed` …
    left_out: Option<String>,
    /// Points booked when it was taken back.
    undone: Option<i64>,
    /// Why it was not taken back for the member.
    kept: Option<String>,
    /// The purchases behind it.
    purchases: Vec<ReRatedPurchase>,
}

/// Members of a re-rating with their purchases, after one.
pub(super) fn members(conn: &mut Connection, id: Uuid, after: Uuid, limit: i64) -> Result<Vec<ReRatedMember>, Error> {
    let rows = re_rating::members(conn, id, after, limit)?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.member_id).collect();
    let mut purchases = re_rating::purchases(conn, id, &ids)?.into_iter().peekable();
    let own = |row: MemberRow| {
        let mut own = Vec::new();
        while let Some(purchase) = purchases.next_if(|purchase| purchase.member_id == row.member_id) {
            own.push(ReRatedPurchase::from(purchase));
        }
        ReRatedMember::of(row, own)
    };
    Ok(rows.into_iter().map(own).collect())
}

impl From<PurchaseRow> for ReRatedPurchase {
    fn from(row: PurchaseRow) -> Self {
        Self {
            purchase_id: PurchaseId::new(row.purchase_id),
            occurred_at: row.occurred_at,
            given: row.given - row.clawed,
            should_be: row.points - row.should_be_clawed,
            lapsed: row.lapsed,
        }
    }
}

/// The heading of the CSV.
pub(super) const CSV_HEAD: &str =
    "member_id,purchase_id,occurred_at,given,should_be,difference,member_difference,member_applied,left_out\n";

impl ReRatedMember {
    fn of(row: MemberRow, purchases: Vec<ReRatedPurchase>) -> Self {
        Self {
            member_id: MemberId::new(row.member_id),
            given: purchases.iter().map(|purchase| purchase.given).sum(),
            should_be: purchases.iter().map(|purchase| purchase.should_be).sum(),
            difference: row.points,
            applied: row.applied,
            forgiven: row.forgiven,
            left_out: row.left_out,
            undone: row.undone,
            kept: row.kept,
            purchases,
        }
    }

    /// The sort key.
    pub(super) fn uuid(&self) -> Uuid {
        self.member_id.uuid()
    }

    /// Adds a line for each purchase. Ids, instants and figures need no quotes.
    pub(super) fn csv(&self, text: &mut String) {
        let applied = self.applied.map(|points| points.to_string()).unwrap_or_default();
        let left_out = self.left_out.as_deref().unwrap_or_default();
        for purchase in &self.purchases {
            let ReRatedPurchase { purchase_id, occurred_at, given, should_be, .. } = purchase;
            let at = occurred_at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "{},{purchase_id},{at},{given},{should_be},{},{},{applied},{left_out}",
                self.member_id,
                should_be - given,
                self.difference,
            );
        }
    }
}
