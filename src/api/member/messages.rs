//! What promotions and perks told a member.

use actix_web::{HttpResponse, get, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use tessera_rules::text::Text;
use tessera_rules::trigger::promotion_of;
use utoipa::ToSchema;

use super::myself;
use crate::access::{Action, Caller};
use crate::api::Services;
use crate::api::error::{Code, Problem};
use crate::api::page::ListOf;
use crate::api::work::run;
use crate::store::gift::{self, MessageView};
use crate::store::member;

/// Something the member was told.
#[derive(Serialize, ToSchema)]
struct OwnMessage {
    /// Code of the promotion or the perk that told it.
    #[schema(example = "we-miss-you")]
    by: String,
    /// When.
    at: DateTime<Utc>,
    /// What, in both languages.
    #[schema(value_type = Object, example = json!({"en": "Lin, you have 120 points", "zh": "林，您有 120 积分"}))]
    text: Text,
}

impl OwnMessage {
    /// The name comes from where names stand: the message itself does not know it.
    fn of(row: MessageView, name: &str) -> Self {
        let MessageView { given_by, at, text } = row;
        let filled = |said: &str| said.replace("{name}", name);
        Self {
            by: promotion_of(&given_by).unwrap_or(&given_by).to_owned(),
            at,
            text: Text { en: filled(text.get(false)), zh: Some(filled(text.get(true))) },
        }
    }
}

/// Read what promotions told
#[utoipa::path(
    operation_id = "own_messages",
    responses((status = 200, description = "The latest hundred, newest first", body = ListOf<OwnMessage>))
)]
#[get("/messages")]
pub(super) async fn list(services: web::Data<Services>, caller: Caller) -> Result<HttpResponse, Problem> {
    let id = myself(&caller, Action::ReadOwnNotices)?;
    let read = move |conn: &mut _| {
        let row = member::find(conn, id)?.ok_or(Code::NotFound)?;
        Ok((gift::messages(conn, id)?, row.name))
    };
    let (messages, name) = run(&services, read).await?;
    let view = |row| OwnMessage::of(row, &name);
    Ok(HttpResponse::Ok().json(ListOf::whole(messages.into_iter().map(view).collect())))
}
