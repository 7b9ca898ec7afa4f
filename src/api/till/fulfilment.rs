//! Goods that were redeemed, on their way to the member: what waits in a store, and how it is got ready and
//! handed over.

use actix_web::{HttpResponse, get, post, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tessera_rules::Command;
use tessera_rules::command::Fulfil;
use tessera_rules::fulfilment::FulfilmentStatus;
use tessera_rules::id::{MemberId, RedemptionId, StoreId};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::till_store;
use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::document::allowed;
use crate::api::error::{Code, Problem};
use crate::api::extract::{Id, IdempotencyKey, Json, Query, Reader};
use crate::api::guard::permit;
use crate::api::openapi::problems;
use crate::api::page::{Cursor, Limit, ListOf};
use crate::api::redeemed::{self, RedemptionView};
use crate::api::submit::{self, Request};
use crate::store::ledger;
use crate::store::reward::{self, Waiting, WaitingView};

/// Goods that wait for a member.
#[derive(Serialize, ToSchema)]
struct WaitingGoods {
    /// The redemption.
    #[schema(value_type = String, example = "red_01kapm6w2gfh1sd0q4x9v7zb3n")]
    id: RedemptionId,
    /// Whose.
    #[schema(value_type = String, example = "mem_01kapm3v5ne8v9b3r6a2f7qk4d")]
    member_id: MemberId,
    /// What.
    #[schema(example = "birthday-cake")]
    reward_id: String,
    /// `reserved`: to be got ready; `ready`: to be handed over.
    #[schema(example = "reserved")]
    fulfilment: String,
    /// Since when they stand so.
    since: DateTime<Utc>,
    /// Where they lie or were asked for; null: the member redeemed by himself and may come to any store.
    #[schema(value_type = Option<String>)]
    store_id: Option<StoreId>,
    /// When they were redeemed.
    recorded_at: DateTime<Utc>,
}

impl From<WaitingView> for WaitingGoods {
    fn from(row: WaitingView) -> Self {
        Self {
            id: RedemptionId::new(row.redemption_id),
            member_id: MemberId::new(row.member_id),
            reward_id: row.reward.unwrap_or_default(),
            fulfilment: row.status,
            since: row.changed_at,
            store_id: row.store_id.map(StoreId::new),
            recorded_at: row.recorded_at,
        }
    }
}

/// Where waiting goods stand.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum WaitsAs {
    /// To be got ready.
    Reserved,
    /// To be handed over.
    Ready,
}

/// Which goods are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WaitingQuery {
    /// Only where they stand so; both where nothing is said.
    #[param(inline)]
    fulfilment: Option<WaitsAs>,
    /// Only of this member.
    #[param(value_type = Option<String>)]
    member_id: Option<MemberId>,
    /// How many rows.
    #[serde(default)]
    limit: Limit,
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: Option<Cursor>,
}

/// What waits to be got ready and handed over
///
/// In the caller's own store, and what lies in no store yet; for an admin, everywhere.
#[utoipa::path(
    operation_id = "waiting_goods",
    params(WaitingQuery),
    responses((status = 200, description = "Newest redemption first", body = ListOf<WaitingGoods>))
)]
#[get("/redemptions")]
pub(super) async fn list(
    services: web::Data<Services>,
    caller: Caller,
    Query(query): Query<WaitingQuery>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::FulfilRedemption, &Resource::Programme)?;
    let before: Option<Uuid> = query.cursor.map(|cursor| cursor.open("waiting_goods")).transpose()?;
    let status = query.fulfilment.map(|status| match status {
        WaitsAs::Reserved => FulfilmentStatus::Reserved,
        WaitsAs::Ready => FulfilmentStatus::Ready,
    });
    let asked = Waiting { status, store: caller.store, member: query.member_id };
    let limit = query.limit;
    let rows = services.pool.run(move |conn| reward::waiting(conn, &asked, before, limit.to_read())).await?;
    let key = |row: &WaitingView| row.redemption_id;
    Ok(HttpResponse::Ok().json(ListOf::new("waiting_goods", rows, limit, key, WaitingGoods::from)))
}

/// Nothing is to be said.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FulfilRequest {}

/// What a step may be refused for.
const PROBLEMS: &[Code] = &[Code::RedemptionUnknown, Code::FulfilmentState, Code::AmountOutOfRange, Code::NoProgramme];

/// Say that redeemed goods lie ready
///
/// They lie in the caller's store from now on. Only what is `reserved` is got ready.
#[utoipa::path(
    operation_id = "ready_redemption",
    params(IdempotencyKey),
    responses((status = 200, description = "They lie ready", body = RedemptionView)),
    extensions(("x-problems" = json!(problems(PROBLEMS))))
)]
#[post("/redemptions/{id}/ready")]
pub(super) async fn ready(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<RedemptionId>,
    key: IdempotencyKey,
    reader: Reader,
    Json(request): Json<FulfilRequest>,
) -> Result<HttpResponse, Problem> {
    let step = Step { id, to: FulfilmentStatus::Ready, route: "POST /v1/till/redemptions/{id}/ready" };
    step.take(&services, &caller, key, reader, &request).await
}

/// Hand redeemed goods over
///
/// Whether they were got ready before or lie at hand. From then on only a manager takes them back.
#[utoipa::path(
    operation_id = "hand_over_redemption",
    params(IdempotencyKey),
    responses((status = 200, description = "The member has them", body = RedemptionView)),
    extensions(("x-problems" = json!(problems(PROBLEMS))))
)]
#[post("/redemptions/{id}/hand-over")]
pub(super) async fn hand_over(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<RedemptionId>,
    key: IdempotencyKey,
    reader: Reader,
    Json(request): Json<FulfilRequest>,
) -> Result<HttpResponse, Problem> {
    let step = Step { id, to: FulfilmentStatus::HandedOver, route: "POST /v1/till/redemptions/{id}/hand-over" };
    step.take(&services, &caller, key, reader, &request).await
}

/// A step that is asked for.
struct Step {
    id: RedemptionId,
    to: FulfilmentStatus,
    route: &'static str,
}

impl Step {
    async fn take(
        self,
        services: &Services,
        caller: &Caller,
        key: IdempotencyKey,
        reader: Reader,
        request: &FulfilRequest,
    ) -> Result<HttpResponse, Problem> {
        let Self { id, to, route } = self;
        let found =
            services.pool.run(move |conn| Ok(ledger::redemption(conn, id)?.zip(Some(reward::lies_in(conn, id)?))));
        let resource = |(row, goods): &(ledger::RedemptionState, Option<Option<Uuid>>)| Resource::Document {
            member: MemberId::new(row.member_id),
            store: goods.unwrap_or(row.store_id).map(StoreId::new),
        };
        let (row, _) = allowed(caller, Action::FulfilRedemption, found.await?, resource)?;
        let store = till_store(caller)?;
        let command = Command::Fulfil(Fulfil { redemption: id, to, store });
        let submission = Request { caller, key, route, member: MemberId::new(row.member_id), reader };
        submit::submit(services, submission, &(id, request), command, redeemed::show_settled).await
    }
}
