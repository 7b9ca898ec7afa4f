//! `/v1/sandbox/messages`: what would have been sent to phone numbers and e-mail addresses.

use actix_web::{HttpResponse, get, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use tessera_rules::text::Text;
use utoipa::ToSchema;

use super::check;
use crate::access::{Action, Caller};
use crate::api::Services;
use crate::api::error::{Code, Problem};
use crate::api::openapi::problems;
use crate::api::page::ListOf;
use crate::store::contact_message::{self, ContactMessage};

/// How many are shown.
const LATEST: i64 = 100;

/// A message to somebody outside.
#[derive(Serialize, ToSchema)]
struct SandboxMessage {
    /// `sms` or `email`.
    #[schema(example = "email")]
    channel: String,
    /// The phone number or the e-mail address.
    #[schema(example = "xiaoyu@example.com")]
    to: String,
    /// `verification_code`, `account_exists`, `account_missing` or `password_changed`.
    #[schema(example = "verification_code")]
    kind: String,
    /// What it says, in both languages.
    #[schema(value_type = Object, example = json!({"en": "Your code is 482916.", "zh": "您的验证码是 482916。"}))]
    text: Text,
    /// When it was written, in wall time.
    at: DateTime<Utc>,
    /// From when there is no use in sending it, in wall time.
    expires_at: DateTime<Utc>,
}

impl From<ContactMessage> for SandboxMessage {
    fn from(row: ContactMessage) -> Self {
        let ContactMessage { channel, contact, kind, text, created_at, expires_at, .. } = row;
        Self { channel, to: contact, kind, text, at: created_at, expires_at }
    }
}

/// Read what was not sent
///
/// A sandbox sends nothing: codes for registering and for new passwords are read here.
#[utoipa::path(
    operation_id = "sandbox_messages",
    responses((status = 200, description = "The latest hundred, newest first.", body = ListOf<SandboxMessage>)),
    extensions(("x-problems" = json!(problems(&[Code::NotSandbox]))))
)]
#[get("/messages")]
pub(super) async fn list(services: web::Data<Services>, caller: Caller) -> Result<HttpResponse, Problem> {
    check(&services, &caller, Action::ReadSandbox)?;
    let messages = services.pool.run(|conn| contact_message::latest(conn, LATEST)).await?;
    Ok(HttpResponse::Ok().json(ListOf::whole(messages.into_iter().map(SandboxMessage::from).collect())))
}
