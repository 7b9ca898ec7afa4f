//! `/v1/admin/api-keys`: keys for tills and integrations. A key is told once, when it is made; after
//! that nothing of it changes but that it ends, hence no version.

use actix_web::{HttpResponse, delete, get, post, web};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tessera_rules::id::{ApiKeyId, StaffId, StoreId};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use crate::access::api_key::{NewApiKey, make};
use crate::access::{Action, Caller, Resource, Scope};
use crate::api::Services;
use crate::api::contact;
use crate::api::error::{Code, Problem, both};
use crate::api::extract::{Id, Json, Query, invalid_field};
use crate::api::guard::permit;
use crate::api::page::{ListOf, Page};
use crate::api::work::{Failed, run_whole};
use crate::store::api_key::{self, ApiKeyRow};
use crate::store::audit::{self, Change};
use crate::store::shop;

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_api_keys).service(create_api_key).service(revoke_api_key);
}

/// The longest name, in characters.
const NAME_MAX: usize = 100;
/// How long a key may live, in days: two years, within which somebody should have changed it.
const LONGEST_DAYS: i64 = 731;
/// How long it lives where nothing is said, in days.
const USUAL_DAYS: i64 = 365;

/// What a key may be good for.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, example = "purchases:write")]
struct ScopeName(Scope);

/// A new key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewKeyRequest {
    /// For people: which till or system it is for.
    #[schema(min_length = 1, max_length = 100, example = "Till 3")]
    name: String,
    /// Whose till it is; the store's code is the source of its receipts.
    #[schema(value_type = String, example = "sto_01kapm3v5ne8v9b3r6a2f7qk4d")]
    store_id: StoreId,
    /// What it is good for: `members:read`, `members:write`, `purchases:read`, `purchases:write`,
    /// `redemptions:write`, `events:write`.
    #[schema(min_items = 1, max_items = 6)]
    scopes: Vec<ScopeName>,
    /// When it ends by itself, in wall time; in a year where nothing is said, in two at the latest.
    expires_at: Option<DateTime<Utc>>,
}

/// A key, without its secret.
#[derive(Serialize, ToSchema)]
struct ApiKeyView {
    /// Id.
    #[schema(value_type = String, example = "key_01kapm3v5ne8v9b3r6a2f7qk4d")]
    id: ApiKeyId,
    /// For people.
    name: String,
    /// How it begins.
    #[schema(example = "tsk_7kq2m9xd")]
    prefix: String,
    /// Whose till it is.
    #[schema(value_type = String)]
    store_id: StoreId,
    /// What it is good for.
    scopes: Vec<ScopeName>,
    /// Who made it.
    #[schema(value_type = String)]
    created_by: StaffId,
    /// When, in wall time.
    created_at: DateTime<Utc>,
    /// When it ends by itself, in wall time.
    expires_at: DateTime<Utc>,
    /// When it was used last, to within a minute of wall time.
    last_used_at: Option<DateTime<Utc>>,
    /// When it was revoked, in wall time.
    revoked_at: Option<DateTime<Utc>>,
}

impl From<ApiKeyRow> for ApiKeyView {
    fn from(row: ApiKeyRow) -> Self {
        Self {
            id: row.key(),
            scopes: row.scopes().iter().map(ScopeName).collect(),
            name: row.name,
            prefix: row.prefix,
            store_id: StoreId::new(row.store_id),
            created_by: StaffId::new(row.created_by),
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
            revoked_at: row.revoked_at,
        }
    }
}

/// A key that was made.
#[derive(Serialize, ToSchema)]
struct MadeApiKey {
    #[serde(flatten)]
    key: ApiKeyView,
    /// For `Authorization: Bearer …`. Told this once.
    #[schema(format = Password, example = "tsk_7kq2m9xd_0123456789abcdefghjkmnpqrstvwxyz")]
    secret: String,
}

/// All keys
///
/// Also those that have ended.
#[utoipa::path(params(Page), responses((status = 200, description = "A page of keys.", body = ListOf<ApiKeyView>)))]
#[get("/api-keys")]
async fn list_api_keys(
    services: web::Data<Services>,
    caller: Caller,
    page: Query<Page>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ManageIntegrations, &Resource::Programme)?;
    let Page { limit, cursor } = page.0;
    let before: Option<Uuid> = cursor.map(|cursor| cursor.open("api-keys")).transpose()?;
    let rows = services.pool.run(move |conn| api_key::list(conn, before, limit.to_read())).await?;
    Ok(HttpResponse::Ok().json(ListOf::new("api-keys", rows, limit, |row| row.id, ApiKeyView::from)))
}

/// Make a key
///
/// The answer alone tells it: it is not kept, only its hash is.
#[utoipa::path(responses((status = 201, description = "Made.", body = MadeApiKey)))]
#[post("/api-keys")]
async fn create_api_key(
    services: web::Data<Services>,
    caller: Caller,
    body: Json<NewKeyRequest>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ManageIntegrations, &Resource::Programme)?;
    let created_by = caller.staff().ok_or(Problem::new(Code::Forbidden))?;
    let (actor, now, wall_now) = (caller.actor(), services.clock.now(), services.clock.wall_now());
    let NewKeyRequest { name, store_id, scopes, expires_at } = body.0;
    let name = contact::text("/name", &name, NAME_MAX)?;
    if scopes.is_empty() {
        return Err(invalid_field("/scopes", "A key is good for something.", "请至少选择一个权限范围。"));
    }
    let expires_at = expires_at.unwrap_or(wall_now + TimeDelta::days(USUAL_DAYS));
    if expires_at <= wall_now || expires_at > wall_now + TimeDelta::days(LONGEST_DAYS) {
        return Err(invalid_field("/expires_at", "Within two years from now.", "有效期须在两年以内。"));
    }
    let scopes = scopes.into_iter().map(|ScopeName(scope)| scope).collect();
    let (secret, row) = make(NewApiKey { name, store: store_id, scopes, expires_at, created_by }, wall_now);
    let row = run_whole(&services, move |conn| {
        if shop::find(conn, store_id)?.is_none() {
            let detail = both("There is no such store.", "门店不存在。");
            return Err(Problem::field(Code::InvalidField, "/store_id", "unknown_store", detail).into());
        }
        api_key::insert(conn, &row)?;
        let object = row.key().to_string();
        let after = Some(json!({
            "name": row.name, "prefix": row.prefix, "store_id": store_id, "scopes": row.scopes,
            "expires_at": row.expires_at,
        }));
        audit::record(conn, now, actor, Change { action: "api_key.create", object: &object, before: None, after })?;
        Ok::<_, Failed>(row)
    })
    .await?;
    Ok(HttpResponse::Created().json(MadeApiKey { key: row.into(), secret }))
}

/// Revoke a key
///
/// It opens nothing from now on, in every process within five seconds. Revoking it again changes nothing.
#[utoipa::path(responses((status = 204, description = "Revoked.")))]
#[delete("/api-keys/{id}")]
async fn revoke_api_key(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<ApiKeyId>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ManageIntegrations, &Resource::Programme)?;
    let (id, actor, now, wall_now) = (id.0, caller.actor(), services.clock.now(), services.clock.wall_now());
    run_whole(&services, move |conn| {
        let row = api_key::revoke(conn, id, wall_now)?.ok_or(Code::NotFound)?;
        // By an earlier request: it has its line.
        if row.revoked_at != Some(wall_now) {
            return Ok(());
        }
        let object = id.to_string();
        let (before, after) = (Some(json!({ "revoked": false })), Some(json!({ "revoked": true })));
        audit::record(conn, now, actor, Change { action: "api_key.revoke", object: &object, before, after })?;
        Ok::<_, Failed>(())
    })
    .await?;
    services.access.forget_key(id);
    Ok(HttpResponse::NoContent().finish())
}
