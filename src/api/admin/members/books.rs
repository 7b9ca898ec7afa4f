//! What is on record of a member: entries, purchases, redemptions.

use actix_web::{HttpResponse, get, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tessera_rules::id::{AdjustmentId, MemberId, PurchaseId, RedemptionId};
use tessera_rules::ledger::EntryKind;
use utoipa::ToSchema;
use uuid::Uuid;

use super::known;
use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::error::{Code, Problem};
use crate::api::extract::{Id, Query};
use crate::api::guard::permit;
use crate::api::openapi::problems;
use crate::api::page::{Cursor, Limit, ListOf, Page};
use crate::api::problem::stored;
use crate::api::redeemed::RedemptionView;
use crate::api::work::{ActorView, run};
use crate::store::Error;
use crate::store::db::Connection;
use crate::store::ledger::{self, Document, EntryView};

/// A movement of points, with all that the chain of hashes covers but the member.
#[derive(Serialize, ToSchema)]
struct LedgerEntry {
    /// 1, 2, 3 … per member, without a gap.
    number: i64,
    /// `accrual`, `redemption`, `expiry`, `perk` or `adjustment`.
    #[schema(example = "accrual")]
    kind: String,
    /// The account the points left.
    #[schema(example = "issued")]
    from: String,
    /// The account they arrived on.
    #[schema(example = "available")]
    to: String,
    /// How many; above 0.
    #[schema(example = 320)]
    points: i64,
    /// When it happened or fell due.
    effective_at: DateTime<Utc>,
    /// When it was decided.
    recorded_at: DateTime<Utc>,
    /// Who.
    actor: ActorView,
    /// The purchase, redemption or adjustment it belongs to.
    #[schema(example = "pur_01kapm5q0tf3wavd1k9m2x8z7c")]
    document_id: Option<String>,
    /// The perk's code or the adjustment's reason.
    reason: Option<String>,
    /// The entry it takes back.
    reverses: Option<i64>,
    /// SHA-256 over the entry before and this one, in hexadecimal.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    hash: String,
}

impl From<EntryView> for LedgerEntry {
    fn from(row: EntryView) -> Self {
        let document = row.document_id.and_then(|id| document(&row.kind, id));
        Self {
            number: row.number,
            kind: row.kind,
            from: row.from_account,
            to: row.to_account,
            points: row.points,
            effective_at: row.effective_at,
            recorded_at: row.recorded_at,
            actor: ActorView::of(row.actor_role, row.actor_id),
            document_id: document,
            reason: row.reason,
            reverses: row.reverses,
            hash: row.hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}

/// The typed id of an entry's document.
fn document(kind: &str, id: Uuid) -> Option<String> {
    match EntryKind::parse(kind)? {
        EntryKind::Accrual => Some(PurchaseId::new(id).to_string()),
        EntryKind::Redemption => Some(RedemptionId::new(id).to_string()),
        EntryKind::Adjustment => Some(AdjustmentId::new(id).to_string()),
        EntryKind::Expiry | EntryKind::Perk => None,
    }
}

/// A page of a member's entries, by the number of the last one shown.
async fn entries(services: &Services, member: MemberId, page: Page) -> Result<HttpResponse, Problem> {
    let Page { limit, cursor } = page;
    let before: Option<i64> = cursor.map(|cursor| cursor.open("ledger")).transpose()?;
    let read = move |conn: &mut _| {
        known(conn, member)?;
        Ok(ledger::entries(conn, member, before, limit.to_read())?)
    };
    let rows = run(services, read).await?;
    Ok(HttpResponse::Ok().json(ListOf::new("ledger", rows, limit, |row| row.number, LedgerEntry::from)))
}

/// A member's ledger
#[utoipa::path(
    params(Page),
    responses((status = 200, description = "A page of entries.", body = ListOf<LedgerEntry>)),
    extensions(("x-problems" = json!(problems(&[Code::MemberUnknown]))))
)]
#[get("/members/{id}/ledger")]
pub(super) async fn member_ledger(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<MemberId>,
    page: Query<Page>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadLedger, &Resource::Member(id.0))?;
    entries(&services, id.0, page.0).await
}

/// Whose entries.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct LedgerQuery {
    /// The member.
    #[param(value_type = String, example = "mem_01kapm3v5ne8v9b3r6a2f7qk4d")]
    member_id: MemberId,
    /// How many rows.
    #[serde(default)]
    limit: Limit,
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: Option<Cursor>,
}

/// The ledger
///
/// Entries are numbered and chained member by member, so they are read member by member.
#[utoipa::path(
    params(LedgerQuery),
    responses((status = 200, description = "A page of entries.", body = ListOf<LedgerEntry>)),
    extensions(("x-problems" = json!(problems(&[Code::MemberUnknown]))))
)]
#[get("/ledger")]
pub(super) async fn find_ledger(
    services: web::Data<Services>,
    caller: Caller,
    query: Query<LedgerQuery>,
) -> Result<HttpResponse, Problem> {
    let LedgerQuery { member_id, limit, cursor } = query.0;
    permit(&caller, Action::ReadLedger, &Resource::Member(member_id))?;
    entries(&services, member_id, Page { limit, cursor }).await
}

/// How a page of a member's documents is read.
type Read = fn(&mut Connection, MemberId, Option<Uuid>, i64) -> Result<Vec<Document>, Error>;

/// A page of documents, each as it was answered first: parsing one to write it again gains nothing.
async fn documents(
    services: &Services,
    list: &'static str,
    member: MemberId,
    page: Page,
    read: Read,
) -> Result<HttpResponse, Problem> {
    let Page { limit, cursor } = page;
    let before: Option<Uuid> = cursor.map(|cursor| cursor.open(list)).transpose()?;
    let rows = run(services, move |conn| {
        known(conn, member)?;
        Ok(read(conn, member, before, limit.to_read())?)
    });
    let shown = ListOf::new(list, rows.await?, limit, |row| row.id, |row| row.answer);
    let next = serde_json::to_string(&shown.next_cursor).map_err(|_| Problem::new(Code::Internal))?;
    Ok(stored(200, format!(r#"{{"data":[{}],"next_cursor":{next}}}"#, shown.data.join(",")), false))
}

/// A member's purchases
///
/// Each as it was answered first, with what it earned and why.
#[utoipa::path(
    params(Page),
    responses((status = 200, description = "A page of purchases.", body = ListOf<Object>)),
    extensions(("x-problems" = json!(problems(&[Code::MemberUnknown]))))
)]
#[get("/members/{id}/purchases")]
pub(super) async fn member_purchases(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<MemberId>,
    page: Query<Page>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadLedger, &Resource::Member(id.0))?;
    documents(&services, "purchases", id.0, page.0, ledger::purchases).await
}

/// A member's redemptions
///
/// Each as it was answered first.
#[utoipa::path(
    params(Page),
    responses((status = 200, description = "A page of redemptions.", body = ListOf<RedemptionView>)),
    extensions(("x-problems" = json!(problems(&[Code::MemberUnknown]))))
)]
#[get("/members/{id}/redemptions")]
pub(super) async fn member_redemptions(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<MemberId>,
    page: Query<Page>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadLedger, &Resource::Member(id.0))?;
    documents(&services, "redemptions", id.0, page.0, ledger::redemptions).await
}
