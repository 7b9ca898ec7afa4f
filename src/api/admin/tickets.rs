//! `/v1/admin/rewards/{id}/tickets`: the tickets that a reward has given, for whoever draws.

use std::fmt::Write as _;

use actix_web::{HttpResponse, get, web};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use tessera_rules::id::{MemberId, RedemptionId};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::error::{Code, Problem};
use crate::api::extract::{Id, Query};
use crate::api::guard::permit;
use crate::api::openapi::problems;
use crate::api::page::{ListOf, Page};
use crate::store::ticket::{self, TicketView};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_tickets).service(tickets_csv);
}

/// A ticket for a draw.
#[derive(Serialize, ToSchema)]
struct DrawTicket {
    /// Its number: 1, 2, 3 … for each reward.
    #[schema(minimum = 1, example = 17)]
    number: i64,
    /// Whose it is now.
    #[schema(value_type = String, example = "mem_01kapm3v5ne8v9b3r6a2f7qk4d")]
    member_id: MemberId,
    /// The redemption it was given for.
    #[schema(value_type = String, example = "red_01kapm6w2gfh1sd0q4x9v7zb3n")]
    redemption_id: RedemptionId,
    /// When.
    given_at: DateTime<Utc>,
    /// `valid`; `held`: its redemption is on hold; `void`: that was taken back or has ended.
    #[schema(example = "valid")]
    status: String,
}

impl From<TicketView> for DrawTicket {
    fn from(row: TicketView) -> Self {
        Self {
            number: row.number,
            member_id: MemberId::new(row.member_id),
            redemption_id: RedemptionId::new(row.redemption_id),
            given_at: row.given_at,
            status: row.status,
        }
    }
}

/// A reward that was taken away keeps its tickets; one that never was there has none.
async fn known(services: &Services, id: &str, first: Option<&TicketView>) -> Result<(), Problem> {
    if first.is_none() {
        let found = services.engine.programme().await?;
        found.programme.reward(id).ok_or(Problem::new(Code::NotFound))?;
    }
    Ok(())
}

/// The tickets that a reward has given
#[utoipa::path(
    params(("id" = String, Path, description = "Code of the reward."), Page),
    responses((status = 200, description = "The highest number first.", body = ListOf<DrawTicket>)),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/rewards/{id}/tickets")]
async fn list_tickets(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<String>,
    Query(Page { limit, cursor }): Query<Page>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadTickets, &Resource::Programme)?;
    let before = cursor.as_ref().map(|cursor| cursor.open::<i64>("draw_tickets")).transpose()?;
    let (code, range) = (id.clone(), (0, before.unwrap_or(i64::MAX)));
    let rows = services.pool.run(move |conn| ticket::between(conn, &code, range, limit.to_read())).await?;
    known(&services, &id, rows.first()).await?;
    Ok(HttpResponse::Ok().json(ListOf::new("draw_tickets", rows, limit, |row| row.number, DrawTicket::from)))
}

/// Tickets read at once for the file.
const PAGE: i64 = 1_000;

/// The tickets that a reward has given, as CSV
///
/// One line a ticket, from number 1 on. Only those that are `valid` take part in a draw.
#[utoipa::path(
    params(("id" = String, Path, description = "Code of the reward.")),
    responses((status = 200, description = "Every ticket.", body = String, content_type = "text/csv")),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/rewards/{id}/tickets.csv")]
async fn tickets_csv(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<String>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadTickets, &Resource::Programme)?;
    let (mut text, mut last) = ("number,member_id,redemption_id,given_at,valid\n".to_owned(), 0);
    loop {
        // Numbers have no gaps: so many of them are a page.
        let (code, range) = (id.clone(), (last, last + PAGE + 1));
        let rows = services.pool.run(move |conn| ticket::between(conn, &code, range, PAGE)).await?;
        if last == 0 {
            known(&services, &id, rows.first()).await?;
        }
        let Some(highest) = rows.first().map(|row| row.number) else { break };
        last = highest;
        for DrawTicket { number, member_id, redemption_id, given_at, status } in
            rows.into_iter().rev().map(DrawTicket::from)
        {
            let (given_at, valid) = (given_at.to_rfc3339_opts(SecondsFormat::AutoSi, true), status == "valid");
            // Writing to a String never fails.
            let _ = writeln!(text, "{number},{member_id},{redemption_id},{given_at},{valid}");
        }
    }
    Ok(HttpResponse::Ok().content_type("text/csv; charset=utf-8").body(text))
}
