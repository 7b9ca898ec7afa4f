//! `/v1/admin/stores`: where members shop. A store's code is the source of its receipts and never
//! changes.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, patch, post, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tessera_rules::id::StoreId;
use tessera_rules::programme::is_code;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::contact;
use crate::api::error::{Code, Problem, both};
use crate::api::extract::{Id, IfMatch, Json, Query};
use crate::api::guard::permit;
use crate::api::openapi::problems;
use crate::api::page::{ListOf, Page};
use crate::api::work::{run, run_whole, versioned};
use crate::clock::new_uuid;
use crate::store::audit::{self, Change};
use crate::store::shop::{self, ShopRow};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_stores).service(create_store).service(read_store).service(change_store);
}

/// The longest name, in characters.
const NAME_MAX: usize = 100;

/// A new store.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewStore {
    /// Names the store for ever, as the source of its receipts.
    #[schema(pattern = "^[a-z0-9_-]{1,64}$", example = "nanjing-road")]
    code: String,
    /// For people.
    #[schema(min_length = 1, max_length = 100, example = "南京路店")]
    name: String,
}

/// What may be changed of a store.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct StorePatch {
    /// For people.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
}

/// A store.
#[derive(Serialize, ToSchema)]
struct StoreView {
    /// Id.
    #[schema(value_type = String, example = "sto_01kapm3v5ne8v9b3r6a2f7qk4d")]
    id: StoreId,
    /// The source of its receipts.
    #[schema(example = "nanjing-road")]
    code: String,
    /// For people.
    name: String,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// Rises by one with every change; the entity tag.
    version: i64,
}

impl From<ShopRow> for StoreView {
    fn from(row: ShopRow) -> Self {
        let id = row.store();
        let ShopRow { code, name, version, created_at, .. } = row;
        Self { id, code, name, created_at, version }
    }
}

/// All stores
#[utoipa::path(params(Page), responses((status = 200, description = "A page of stores.", body = ListOf<StoreView>)))]
#[get("/stores")]
async fn list_stores(
    services: web::Data<Services>,
    caller: Caller,
    page: Query<Page>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadStores, &Resource::Programme)?;
    let Page { limit, cursor } = page.0;
    let before: Option<Uuid> = cursor.map(|cursor| cursor.open("stores")).transpose()?;
    let rows = services.pool.run(move |conn| shop::list(conn, before, limit.to_read())).await?;
    Ok(HttpResponse::Ok().json(ListOf::new("stores", rows, limit, |row| row.id, StoreView::from)))
}

/// Open a store
#[utoipa::path(
    responses((status = 201, description = "Opened.", body = StoreView,
        headers(("ETag" = String, description = "Its version.")))),
    extensions(("x-problems" = json!(problems(&[Code::CodeTaken]))))
)]
#[post("/stores")]
async fn create_store(
    services: web::Data<Services>,
    caller: Caller,
    body: Json<NewStore>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WriteStores, &Resource::Programme)?;
    let NewStore { code, name } = body.0;
    if !is_code(&code) {
        let detail = both("Expected 1 to 64 of a-z, 0-9, '-' and '_'.", "应为 1 至 64 个 a-z、0-9、“-”或“_”字符。");
        return Err(Problem::field(Code::InvalidField, "/code", "code_invalid", detail));
    }
    let (actor, now) = (caller.actor(), services.clock.now());
    let name = contact::text("/name", &name, NAME_MAX)?;
    let row = ShopRow { id: new_uuid(), code, name, version: 1, created_at: now };
    let row = run_whole(&services, move |conn| {
        shop::insert(conn, &row)?;
        let object = row.store().to_string();
        let after = Some(json!({ "code": row.code, "name": row.name }));
        audit::record(conn, now, actor, Change { action: "store.create", object: &object, before: None, after })?;
        Ok(row)
    })
    .await?;
    Ok(versioned(StatusCode::CREATED, row.version, &StoreView::from(row)))
}

/// One store
#[utoipa::path(responses((status = 200, description = "The store.", body = StoreView,
    headers(("ETag" = String, description = "Its version.")))))]
#[get("/stores/{id}")]
async fn read_store(services: web::Data<Services>, caller: Caller, id: Id<StoreId>) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadStores, &Resource::Store(id.0))?;
    let row = run(&services, move |conn| Ok(shop::find(conn, id.0)?.ok_or(Code::NotFound)?)).await?;
    Ok(versioned(StatusCode::OK, row.version, &StoreView::from(row)))
}

/// Rename a store
#[utoipa::path(
    params(IfMatch),
    responses((status = 200, description = "Renamed.", body = StoreView,
        headers(("ETag" = String, description = "Its version.")))),
)]
#[patch("/stores/{id}")]
async fn change_store(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<StoreId>,
    if_match: IfMatch,
    body: Json<StorePatch>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WriteStores, &Resource::Store(id.0))?;
    let (actor, now) = (caller.actor(), services.clock.now());
    let name = contact::text("/name", &body.0.name, NAME_MAX)?;
    let row = run_whole(&services, move |conn| {
        let mut row = shop::find(conn, id.0)?.ok_or(Code::NotFound)?;
        if_match.check(row.version)?;
        if !shop::rename(conn, id.0, row.version, &name)? {
            return Err(Code::VersionConflict.into());
        }
        let (before, after) = (Some(json!({ "name": row.name })), Some(json!({ "name": name })));
        let object = id.0.to_string();
        audit::record(conn, now, actor, Change { action: "store.rename", object: &object, before, after })?;
        row.name = name;
        row.version += 1;
        Ok(row)
    })
    .await?;
    Ok(versioned(StatusCode::OK, row.version, &StoreView::from(row)))
}
