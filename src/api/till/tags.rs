//! `/v1/till/members/{id}/tags` and `…/segments`: what a till should know of a member.

use actix_web::http::header::CONTENT_LANGUAGE;
use actix_web::{HttpResponse, get, web};
use tessera_rules::id::MemberId;

use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::error::{Code, Language, Problem};
use crate::api::extract::Id;
use crate::api::guard::permit;
use crate::api::linked::stays;
use crate::api::openapi::problems;
use crate::api::page::ListOf;
use crate::api::segments::{self, For, MemberSegment};
use crate::api::tags::{self, MemberTag};

/// Read a member's tags
#[utoipa::path(
    operation_id = "till_member_tags",
    responses((status = 200, description = "In alphabetical order", body = ListOf<MemberTag>)),
    extensions(("x-problems" = json!(problems(&[Code::MemberUnknown]))))
)]
#[get("/members/{id}/tags")]
pub(super) async fn list(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<MemberId>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadMemberTags, &Resource::Member(id))?;
    let id = stays(&services, id).await?;
    Ok(HttpResponse::Ok().json(tags::of_member(&services, id).await?))
}

/// Read the segments a member is in
#[utoipa::path(
    operation_id = "till_member_segments",
    responses((status = 200, description = "In the order of the programme", body = ListOf<MemberSegment>)),
    extensions(("x-problems" = json!(problems(&[Code::MemberUnknown, Code::NoProgramme]))))
)]
#[get("/members/{id}/segments")]
pub(super) async fn list_segments(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<MemberId>,
    language: Language,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadMemberTags, &Resource::Member(id))?;
    let id = stays(&services, id).await?;
    let shown = segments::of_member(&services, id, For::Staff, language).await?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_LANGUAGE, language.tag())).json(shown))
}
