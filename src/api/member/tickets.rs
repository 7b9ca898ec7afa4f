//! A member's own tickets for draws.

use actix_web::{HttpResponse, get, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use tessera_rules::id::RedemptionId;
use utoipa::ToSchema;
use uuid::Uuid;

use super::myself;
use crate::access::{Action, Caller};
use crate::api::Services;
use crate::api::error::Problem;
use crate::api::extract::Query;
use crate::api::page::{ListOf, Page};
use crate::store::ticket::{self, TicketView};

/// A ticket as its member sees it.
#[derive(Serialize, ToSchema)]
struct OwnTicket {
    /// For the draw of which reward.
    #[schema(example = "bicycle")]
    reward_id: String,
    /// Its number.
    #[schema(minimum = 1, example = 17)]
    number: i64,
    /// `valid`; `void`: its redemption was taken back.
    #[schema(example = "valid")]
    status: String,
    /// The redemption it was given for.
    #[schema(value_type = String, example = "red_01kapm6w2gfh1sd0q4x9v7zb3n")]
    redemption_id: RedemptionId,
    /// When.
    given_at: DateTime<Utc>,
}

/// Read one's own tickets for draws
///
/// Those of accounts that were merged into the member's among them.
#[utoipa::path(
    operation_id = "own_tickets",
    params(Page),
    responses((status = 200, description = "Newest first", body = ListOf<OwnTicket>)),
)]
#[get("/tickets")]
pub(super) async fn list(
    services: web::Data<Services>,
    caller: Caller,
    Query(page): Query<Page>,
) -> Result<HttpResponse, Problem> {
    let id = myself(&caller, Action::ReadOwnRedemptions)?;
    let before = page.cursor.as_ref().map(|cursor| cursor.open::<(Uuid, i64)>("own_tickets")).transpose()?;
    let rows = services.pool.run(move |conn| ticket::of_member(conn, id, before, page.limit.to_read())).await?;
    let show = |row: TicketView| OwnTicket {
        reward_id: row.reward,
        number: row.number,
        status: row.status,
        redemption_id: RedemptionId::new(row.redemption_id),
        given_at: row.given_at,
    };
    let key = |row: &TicketView| (row.redemption_id, row.number);
    Ok(HttpResponse::Ok().json(ListOf::new("own_tickets", rows, page.limit, key, show)))
}
