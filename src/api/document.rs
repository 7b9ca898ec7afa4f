//! Documents: purchases, returns, redemptions and adjustments, as more than one face names and lists
//! them.

use std::collections::{BTreeMap, HashMap};

use actix_web::HttpResponse;
use serde::Serialize;
use tessera_rules::amount::{Minor, OutOfRange, Quantity};
use tessera_rules::id::{AdjustmentId, MemberId, PurchaseId, ReRatingId, RedemptionId, ReturnId, StoreId, TransferId};
use tessera_rules::ledger::EntryKind;
use tessera_rules::returns::LineReturned;
use utoipa::ToSchema;
use uuid::Uuid;

use super::error::{Code, Problem, internal};
use super::guard::permit;
use super::page::{Limit, ListOf};
use super::problem::stored;
use super::till::schemas::LineReturnedSchema;
use crate::access::{Action, Caller, Resource};
use crate::store::db::Connection;
use crate::store::ledger::{self, Document, EntryView, RedemptionState, ReturnView};
use crate::store::{Error, link};

impl Document {
    /// What the policy is asked about.
    pub(super) fn resource(&self) -> Resource {
        Resource::Document { member: MemberId::new(self.member_id), store: Some(StoreId::new(self.store_id)) }
    }
}

impl RedemptionState {
    /// What the policy is asked about.
    pub(super) fn resource(&self) -> Resource {
        Resource::Document { member: MemberId::new(self.member_id), store: self.store_id.map(StoreId::new) }
    }
}

/// A document that was looked for, if the caller may do that to it. Who may do it to none at all
/// learns nothing from a missing one.
pub(super) fn allowed<T>(
    caller: &Caller,
    action: Action,
    found: Option<T>,
    resource: impl Fn(&T) -> Resource,
) -> Result<T, Problem> {
    permit(caller, action, &found.as_ref().map_or(Resource::Programme, resource))?;
    found.ok_or(Problem::new(Code::NotFound))
}

/// The typed id of the document an entry belongs to.
pub(super) fn document_id(entry: &EntryView) -> Option<String> {
    let id = entry.document_id?;
    match EntryKind::parse(&entry.kind)? {
        EntryKind::Accrual => Some(PurchaseId::new(id).to_string()),
        EntryKind::Redemption | EntryKind::Hold | EntryKind::Release => Some(RedemptionId::new(id).to_string()),
        // A lot that lapsed while it was held lapses with the hold.
        EntryKind::Expiry => Some(RedemptionId::new(id).to_string()),
        EntryKind::Return => Some(ReturnId::new(id).to_string()),
        // Of the two that give back, a return names its reason and a voided redemption has none.
        EntryKind::GiveBack if entry.reason.is_some() => Some(ReturnId::new(id).to_string()),
        EntryKind::GiveBack => Some(RedemptionId::new(id).to_string()),
        EntryKind::Adjustment => Some(AdjustmentId::new(id).to_string()),
        EntryKind::ReRating => Some(ReRatingId::new(id).to_string()),
        EntryKind::Transfer if entry.reason.as_deref() == Some("transfer") => Some(TransferId::new(id).to_string()),
        // Along a link go the points of any document.
        EntryKind::Perk | EntryKind::Activation | EntryKind::DebtPayment | EntryKind::Transfer => None,
    }
}

/// A page of documents as they were answered first: parsing one to write it again would gain nothing.
pub(super) fn documents(list: &str, rows: Vec<Document>, limit: Limit) -> Result<HttpResponse, Problem> {
    let list = ListOf::new(list, rows, limit, |row| row.id, |row| row.answer);
    let cursor = serde_json::to_string(&list.next_cursor).map_err(|_| Problem::new(Code::Internal))?;
    Ok(stored(200, format!("{{\"data\":[{}],\"next_cursor\":{cursor}}}", list.data.join(",")), false))
}

/// What came back of a purchase so far.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Returned {
    /// Line by line, as far as something came back.
    #[schema(value_type = Vec<LineReturnedSchema>)]
    lines: Vec<LineReturned>,
    /// What it was sold for, in minor units of the purchase's currency.
    amount: i64,
    /// Points of the purchase that were taken back.
    clawed: i64,
    /// Points given back that had paid for it.
    given_back: i64,
}

impl Returned {
    /// The sum of a purchase's returns; none of them: nothing.
    fn sum(returns: &[&ReturnView]) -> Result<Option<Self>, Problem> {
        if returns.is_empty() {
            return Ok(None);
        }
        let mut lines: BTreeMap<u32, (i64, i64)> = BTreeMap::new();
        for part in returns {
            let parts: Vec<LineReturned> =
                serde_json::from_str(&part.lines).map_err(|_| internal("the lines of a return are no lines"))?;
            for part in parts {
                let line = lines.entry(part.line).or_default();
                line.0 += part.quantity.units();
                line.1 += part.amount.get();
            }
        }
        let line = |(line, (quantity, amount))| {
            Ok(LineReturned { line, quantity: Quantity::from_units(quantity), amount: Minor::new(amount)? })
        };
        let lines: Result<_, OutOfRange> = lines.into_iter().map(line).collect();
        Ok(Some(Self {
            lines: lines.map_err(|_| internal("returns sum to more than a purchase can hold"))?,
            amount: returns.iter().map(|part| part.amount).sum(),
            clawed: returns.iter().map(|part| part.clawed).sum(),
            given_back: returns.iter().map(|part| part.given_back).sum(),
        }))
    }
}

/// Purchases with their returns, read at once.
pub(super) struct Purchases {
    rows: Vec<Document>,
    returns: Vec<ReturnView>,
    moved: HashMap<Uuid, Document>,
}

impl Purchases {
    /// Reads what came back of these purchases.
    pub(super) fn of(conn: &mut Connection, rows: Vec<Document>) -> Result<Self, Error> {
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let returns = if ids.is_empty() { Vec::new() } else { ledger::returned(conn, &ids)? };
        // What was moved has come back.
        let gone: Vec<Uuid> = returns.iter().map(|part| part.purchase_id).collect();
        let moved = if gone.is_empty() { HashMap::new() } else { link::moved_to(conn, &gone)? };
        Ok(Self { rows, returns, moved })
    }

    /// The purchases as they were answered first; one of which something came back says what, and one that was
    /// moved to another member what it became.
    pub(super) fn shown(self) -> Result<Vec<Document>, Problem> {
        let Self { mut rows, returns, moved } = self;
        for row in &mut rows {
            let own: Vec<&ReturnView> = returns.iter().filter(|part| part.purchase_id == row.id).collect();
            let Some(returned) = Returned::sum(&own)? else { continue };
            let returned = serde_json::to_string(&returned).map_err(|_| Problem::new(Code::Internal))?;
            // An answer is an object: its last character closes it.
            let open = row.answer.trim_end().strip_suffix('}').ok_or_else(|| internal("an answer is no object"))?;
            row.answer = match moved.get(&row.id) {
                Some(now) => format!("{open},\"returned\":{returned},\"moved_to\":\"{}\"}}", PurchaseId::new(now.id)),
                None => format!("{open},\"returned\":{returned}}}"),
            };
        }
        Ok(rows)
    }
}
