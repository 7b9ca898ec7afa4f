//! What is on record of a member: entries, purchases, redemptions.

use actix_web::http::header::CONTENT_LANGUAGE;
use actix_web::{HttpResponse, get, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tessera_rules::id::MemberId;
use utoipa::ToSchema;
use uuid::Uuid;

use super::known;
use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::document::{Purchases, document_id, documents};
use crate::api::error::{Code, Language, Problem};
use crate::api::explain::{Explained, For, explain};
use crate::api::extract::{Id, Path, Query};
use crate::api::guard::permit;
use crate::api::openapi::problems;
use crate::api::page::{Cursor, Limit, ListOf, Page};
use crate::api::redeemed::{self, RedemptionNow, Viewer};
use crate::api::work::{ActorView, run};
use crate::store::ledger::{self, EntryView};

/// A movement of points, with all that the chain of hashes covers but the member.
#[derive(Serialize, ToSchema)]
struct LedgerEntry {
    /// 1, 2, 3 … per member, without a gap.
    number: i64,
    /// `accrual`, `redemption`, `expiry`, `perk`, `adjustment`, `activation`, `debt_payment`, `hold`,
    /// `release`, `return`, `give_back` or `transfer`.
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
    /// The purchase, return, redemption, adjustment or transfer it belongs to.
    #[schema(example = "pur_01kapm5q0tf3wavd1k9m2x8z7c")]
    document_id: Option<String>,
    /// The perk's code, or the reason of the adjustment or the return.
    reason: Option<String>,
    /// The entry it takes back.
    reverses: Option<i64>,
    /// SHA-256 over the entry before and this one, in hexadecimal.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    hash: String,
}

impl From<EntryView> for LedgerEntry {
    fn from(row: EntryView) -> Self {
        let document = document_id(&row);
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

/// An entry and why it was made.
#[derive(Serialize, ToSchema)]
struct ExplainedEntry {
    #[serde(flatten)]
    entry: LedgerEntry,
    /// Why, in sentences of the reader's language (`Accept-Language`), from what is on record.
    explanation: Vec<String>,
}

/// Which entry of whom.
#[derive(Deserialize)]
struct EntryPath {
    id: MemberId,
    number: i64,
}

/// One entry of a member, explained
///
/// What the member is told of it, and what staff noted.
#[utoipa::path(
    params(("number" = i64, Path, description = "The entry's number.")),
    responses((status = 200, description = "The entry and why it was made.", body = ExplainedEntry)),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/members/{id}/ledger/{number}")]
pub(super) async fn member_entry(
    services: web::Data<Services>,
    caller: Caller,
    language: Language,
    Path(EntryPath { id, number }): Path<EntryPath>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadLedger, &Resource::Member(id))?;
    let Explained { entry, sentences } = explain(&services, id, number, language, For::Staff).await?;
    let entry = ExplainedEntry { entry: entry.into(), explanation: sentences };
    Ok(HttpResponse::Ok().insert_header((CONTENT_LANGUAGE, language.tag())).json(entry))
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

/// A member's purchases
///
/// Each as it was answered first, with what it earned and why, and with what came back of it.
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
    let Page { limit, cursor } = page.0;
    let before: Option<Uuid> = cursor.map(|cursor| cursor.open("purchases")).transpose()?;
    let read = run(&services, move |conn| {
        known(conn, id.0)?;
        let rows = ledger::purchases(conn, id.0, before, limit.to_read())?;
        Ok(Purchases::of(conn, rows)?)
    });
    documents("purchases", read.await?.shown()?, limit)
}

/// A member's redemptions
///
/// Each as it stands now.
#[utoipa::path(
    params(Page),
    responses((status = 200, description = "A page of redemptions.", body = ListOf<RedemptionNow>)),
    extensions(("x-problems" = json!(problems(&[Code::MemberUnknown, Code::NoProgramme]))))
)]
#[get("/members/{id}/redemptions")]
pub(super) async fn member_redemptions(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<MemberId>,
    page: Query<Page>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadLedger, &Resource::Member(id.0))?;
    let Page { limit, cursor } = page.0;
    let before: Option<Uuid> = cursor.map(|cursor| cursor.open("redemptions")).transpose()?;
    let rows = run(&services, move |conn| {
        known(conn, id.0)?;
        Ok(ledger::redemptions(conn, id.0, before, limit.to_read())?)
    });
    let ListOf { data, next_cursor } = ListOf::new("redemptions", rows.await?, limit, |row| row.id, |row| row);
    Ok(HttpResponse::Ok()
        .json(ListOf { data: redeemed::now(&services, id.0, data, Viewer::Staff).await?, next_cursor }))
}
