//! `/v1/admin/audit`: who changed what, before and after.

use actix_web::{HttpResponse, get, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tessera_rules::id::AuditId;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::error::Problem;
use crate::api::extract::Query;
use crate::api::guard::permit;
use crate::api::page::{Cursor, Limit, ListOf};
use crate::api::work::ActorView;
use crate::store::audit::{self, AuditRow};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_audit);
}

/// Which lines.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AuditQuery {
    /// Of one object: an id, or `kind:code` for a part of the programme.
    #[param(example = "promotion:happy-tuesday")]
    object: Option<String>,
    /// How many rows.
    #[serde(default)]
    limit: Limit,
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: Option<Cursor>,
}

/// A change.
#[derive(Serialize, ToSchema)]
struct AuditView {
    /// Id.
    #[schema(value_type = String, example = "aud_01kapm3v5ne8v9b3r6a2f7qk4d")]
    id: AuditId,
    /// When, in programme time.
    at: DateTime<Utc>,
    /// Who.
    actor: ActorView,
    /// What was done.
    #[schema(example = "promotion.put")]
    action: String,
    /// To what.
    #[schema(example = "promotion:happy-tuesday")]
    object: String,
    /// What it was before; null for what is new.
    before: Option<Value>,
    /// What it was after; null for what is gone. Personal data is named, never repeated.
    after: Option<Value>,
}

impl From<AuditRow> for AuditView {
    fn from(row: AuditRow) -> Self {
        let AuditRow { id, at, actor_role, actor_id, action, object, before, after } = row;
        Self { id: AuditId::new(id), at, actor: ActorView::of(actor_role, actor_id), action, object, before, after }
    }
}

/// The audit log
#[utoipa::path(
    params(AuditQuery),
    responses((status = 200, description = "A page of changes.", body = ListOf<AuditView>))
)]
#[get("/audit")]
async fn list_audit(
    services: web::Data<Services>,
    caller: Caller,
    query: Query<AuditQuery>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadAudit, &Resource::Programme)?;
    let AuditQuery { object, limit, cursor } = query.0;
    let before: Option<Uuid> = cursor.map(|cursor| cursor.open("audit")).transpose()?;
    let read = move |conn: &mut _| audit::list(conn, object.as_deref(), before, limit.to_read());
    let rows = services.pool.run(read).await?;
    Ok(HttpResponse::Ok().json(ListOf::new("audit", rows, limit, |row| row.id, AuditView::from)))
}
