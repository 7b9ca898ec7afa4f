//! `/v1/auth/sessions`: where somebody is signed in, and how he signs out there.

use actix_web::{HttpResponse, delete, get, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use tessera_rules::id::SessionId;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::Services;
use super::error::{Code, Problem};
use super::extract::Id;
use super::guard::permit;
use super::page::ListOf;
use crate::access::{Action, Caller, Resource};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_sessions).service(end_other_sessions).service(end_session);
}

/// A sign-in that stands.
#[derive(Serialize, ToSchema)]
struct SessionView {
    /// Id.
    #[schema(value_type = String, example = "ses_01kapm3v5ne8v9b3r6a2f7qk4d")]
    id: SessionId,
    /// Whether it is the one this request was made with.
    current: bool,
    /// What the device said it is (`User-Agent`).
    device: Option<String>,
    /// When, in wall time.
    created_at: DateTime<Utc>,
    /// When its tokens were last renewed, in wall time.
    refreshed_at: DateTime<Utc>,
    /// When it ends by itself, in wall time.
    expires_at: DateTime<Utc>,
}

/// Where one is signed in
#[utoipa::path(responses((status = 200, description = "The latest hundred, newest first.", body = ListOf<SessionView>)))]
#[get("/sessions")]
async fn list_sessions(services: web::Data<Services>, caller: Caller) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ManageOwnSession, &Resource::Programme)?;
    let sessions = services.access.sessions(&caller).await?;
    let view = sessions.into_iter().map(|row| SessionView {
        current: row.id == caller.session,
        id: row.id,
        device: row.device,
        created_at: row.created_at,
        refreshed_at: row.refreshed_at,
        expires_at: row.expires_at,
    });
    Ok(HttpResponse::Ok().json(ListOf::whole(view.collect())))
}

/// Sign out everywhere else
///
/// In every process within five seconds.
#[utoipa::path(responses((status = 204, description = "Signed out.")))]
#[delete("/sessions")]
async fn end_other_sessions(services: web::Data<Services>, caller: Caller) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ManageOwnSession, &Resource::Programme)?;
    services.access.end_other_sessions(&caller).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Sign out somewhere
///
/// In every process within five seconds.
#[utoipa::path(responses((status = 204, description = "Signed out.")))]
#[delete("/sessions/{id}")]
async fn end_session(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<SessionId>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ManageOwnSession, &Resource::Programme)?;
    if !services.access.end_session(&caller, id.0).await? {
        return Err(Code::NotFound.into());
    }
    Ok(HttpResponse::NoContent().finish())
}
