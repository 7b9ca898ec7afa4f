//! `/v1/member/segments`: the groups a member is shown to be in.

use actix_web::http::header::CONTENT_LANGUAGE;
use actix_web::{HttpResponse, get, web};

use super::myself;
use crate::access::{Action, Caller};
use crate::api::Services;
use crate::api::error::{Code, Language, Problem};
use crate::api::openapi::problems;
use crate::api::page::ListOf;
use crate::api::segments::{self, For, MemberSegment};

/// Read one's own segments
///
/// Those that the programme shows to their members.
#[utoipa::path(
    operation_id = "own_segments",
    responses((status = 200, description = "In the order of the programme", body = ListOf<MemberSegment>)),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/segments")]
pub(super) async fn list(
    services: web::Data<Services>,
    caller: Caller,
    language: Language,
) -> Result<HttpResponse, Problem> {
    let member = myself(&caller, Action::ReadOwnProfile)?;
    let shown = segments::of_member(&services, member, For::Member, language).await?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_LANGUAGE, language.tag())).json(shown))
}
