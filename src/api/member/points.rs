//! A member's own balance, ledger, tier, perks and purchases.

use actix_web::http::header::CONTENT_LANGUAGE;
use actix_web::{HttpResponse, get, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::myself;
use crate::access::{Action, Caller};
use crate::api::Services;
use crate::api::document::{Purchases, document_id, documents};
use crate::api::error::{Code, Language, Problem};
use crate::api::explain::{Explained, For, explain};
use crate::api::extract::{Path, Query};
use crate::api::openapi::problems;
use crate::api::page::{ListOf, Page};
use crate::api::perks::GrantedPerk;
use crate::api::views::{GivenNotice, MemberBalance, TierView};
use crate::store::ledger::{self, EntryView, TierChangeView};

/// Read one's own balance
#[utoipa::path(
    operation_id = "own_balance",
    responses((status = 200, description = "Settled to now", body = MemberBalance)),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/balance")]
pub(super) async fn balance(services: web::Data<Services>, caller: Caller) -> Result<HttpResponse, Problem> {
    let id = myself(&caller, Action::ReadOwnBalance)?;
    let settled = services.settled(id).await?;
    Ok(HttpResponse::Ok().json(MemberBalance::of(&settled)?))
}

/// A movement of points, as the member sees it.
#[derive(Serialize, ToSchema)]
struct Movement {
    /// 1, 2, 3 … without a gap.
    number: i64,
    /// `accrual`, `redemption`, `expiry`, `perk`, `adjustment`, `activation`, `debt_payment`, `hold`,
    /// `release`, `return`, `give_back` or `transfer`.
    kind: String,
    /// Where the points left.
    from: String,
    /// Where they arrived.
    to: String,
    /// How many.
    points: i64,
    /// When it happened or fell due.
    effective_at: DateTime<Utc>,
    /// When it was recorded.
    recorded_at: DateTime<Utc>,
    /// The purchase, return, redemption, adjustment or transfer it belongs to.
    document_id: Option<String>,
    /// The perk's code, or the reason of the adjustment or the return.
    reason: Option<String>,
}

impl From<EntryView> for Movement {
    fn from(entry: EntryView) -> Self {
        let document_id = document_id(&entry);
        Self {
            number: entry.number,
            kind: entry.kind,
            from: entry.from_account,
            to: entry.to_account,
            points: entry.points,
            effective_at: entry.effective_at,
            recorded_at: entry.recorded_at,
            document_id,
            reason: entry.reason,
        }
    }
}

/// Read one's own ledger
#[utoipa::path(
    operation_id = "own_ledger",
    params(Page),
    responses((status = 200, description = "Newest first", body = ListOf<Movement>))
)]
#[get("/ledger")]
pub(super) async fn entries(
    services: web::Data<Services>,
    caller: Caller,
    Query(page): Query<Page>,
) -> Result<HttpResponse, Problem> {
    let id = myself(&caller, Action::ReadOwnLedger)?;
    let before = page.cursor.map(|cursor| cursor.open::<i64>("own_ledger")).transpose()?;
    let rows = services.pool.run(move |conn| ledger::entries(conn, id, before, page.limit.to_read())).await?;
    let list = ListOf::new("own_ledger", rows, page.limit, |row| row.number, Movement::from);
    Ok(HttpResponse::Ok().json(list))
}

/// A movement of points and why it came about.
#[derive(Serialize, ToSchema)]
struct ExplainedMovement {
    #[serde(flatten)]
    movement: Movement,
    /// Why, in sentences of the reader's language (`Accept-Language`), from what is on record.
    explanation: Vec<String>,
}

/// Read why one's own points moved
#[utoipa::path(
    operation_id = "own_entry",
    params(("number" = i64, Path, description = "The entry's number.")),
    responses((status = 200, description = "The entry and why it was made", body = ExplainedMovement)),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/ledger/{number}")]
pub(super) async fn explained(
    services: web::Data<Services>,
    caller: Caller,
    language: Language,
    Path(number): Path<i64>,
) -> Result<HttpResponse, Problem> {
    let id = myself(&caller, Action::ReadOwnLedger)?;
    let Explained { entry, sentences } = explain(&services, id, number, language, For::Member).await?;
    let entry = ExplainedMovement { movement: entry.into(), explanation: sentences };
    Ok(HttpResponse::Ok().insert_header((CONTENT_LANGUAGE, language.tag())).json(entry))
}

/// A member's tier, how it came about and what comes next.
#[derive(Serialize, ToSchema)]
struct OwnTier {
    #[serde(flatten)]
    tier: TierView,
    /// Changes, newest first.
    history: Vec<TierMovement>,
}

/// A change of tier.
#[derive(Serialize, ToSchema)]
struct TierMovement {
    /// Code of the tier left.
    from: String,
    /// Code of the tier reached.
    to: String,
    /// When it took effect.
    at: DateTime<Utc>,
    /// `purchase`, `review`, `placement` or `placement_end`.
    cause: String,
    /// What staff said about a placement.
    reason: Option<String>,
    /// The measure at that moment.
    measure: i64,
}

impl From<TierChangeView> for TierMovement {
    fn from(change: TierChangeView) -> Self {
        let TierChangeView { from_tier, to_tier, at, cause, reason, measure, .. } = change;
        Self { from: from_tier, to: to_tier, at, cause, reason, measure }
    }
}

/// Read one's own tier
#[utoipa::path(
    operation_id = "own_tier",
    responses((status = 200, description = "Settled to now", body = OwnTier)),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/tier")]
pub(super) async fn tier(services: web::Data<Services>, caller: Caller) -> Result<HttpResponse, Problem> {
    let id = myself(&caller, Action::ReadOwnTier)?;
    let settled = services.settled(id).await?;
    let history = services.pool.run(move |conn| ledger::tier_changes(conn, id)).await?;
    let history = history.into_iter().map(TierMovement::from).collect();
    Ok(HttpResponse::Ok().json(OwnTier { tier: TierView::of(&settled)?, history }))
}

/// Read one's own perks
#[utoipa::path(operation_id = "own_perks", responses((status = 200, description = "Newest first", body = ListOf<GrantedPerk>)))]
#[get("/perks")]
pub(super) async fn perks(services: web::Data<Services>, caller: Caller) -> Result<HttpResponse, Problem> {
    let id = myself(&caller, Action::ReadOwnPerks)?;
    let grants = services.pool.run(move |conn| GrantedPerk::of(conn, id)).await?;
    Ok(HttpResponse::Ok().json(ListOf::whole(grants)))
}

/// Read one's own notices
///
/// What the member was warned of: points that lapse, a tier that falls.
#[utoipa::path(
    operation_id = "own_notices",
    responses((status = 200, description = "The latest hundred, newest first", body = ListOf<GivenNotice>))
)]
#[get("/notices")]
pub(super) async fn notices(services: web::Data<Services>, caller: Caller) -> Result<HttpResponse, Problem> {
    let id = myself(&caller, Action::ReadOwnNotices)?;
    let notices = services.pool.run(move |conn| ledger::notices(conn, id)).await?;
    Ok(HttpResponse::Ok().json(ListOf::whole(notices.into_iter().map(GivenNotice::from).collect())))
}

/// Read one's own purchases
#[utoipa::path(
    operation_id = "own_purchases",
    params(Page),
    responses((
        status = 200,
        description = "Newest first, as they were answered first, each with what came back of it",
        body = ListOf<Object>,
    ))
)]
#[get("/purchases")]
pub(super) async fn purchases(
    services: web::Data<Services>,
    caller: Caller,
    Query(page): Query<Page>,
) -> Result<HttpResponse, Problem> {
    let id = myself(&caller, Action::ReadOwnPurchases)?;
    let before = page.cursor.as_ref().map(|cursor| cursor.open::<Uuid>("own_purchases")).transpose()?;
    let read = move |conn: &mut _| {
        let rows = ledger::purchases(conn, id, before, page.limit.to_read())?;
        Purchases::of(conn, rows)
    };
    documents("own_purchases", services.pool.run(read).await?.shown()?, page.limit)
}
