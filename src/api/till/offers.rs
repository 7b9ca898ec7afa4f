//! `/v1/till/members/{id}/offers`: what a till can tell a member he could use.

use actix_web::http::header::CONTENT_LANGUAGE;
use actix_web::{HttpResponse, get, web};
use tessera_rules::id::MemberId;

use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::error::{Code, Language, Problem};
use crate::api::extract::Id;
use crate::api::guard::permit;
use crate::api::linked::stays;
use crate::api::offers::{self, OfferView};
use crate::api::openapi::problems;
use crate::api::page::ListOf;

/// Read what a member could use now or soon
///
/// As the member reads it, with what is for certain others and with surprises; whether it is for this store is known.
#[utoipa::path(
    operation_id = "till_member_offers",
    responses((status = 200, description = "What applies first, then what may, then what does not; of each the one \
        that ends first before the others, and at most a hundred of each kind", body = ListOf<OfferView>)),
    extensions(("x-problems" = json!(problems(&[Code::MemberUnknown, Code::MemberMerged, Code::NoProgramme]))))
)]
#[get("/members/{id}/offers")]
pub(super) async fn list(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<MemberId>,
    language: Language,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadMemberOffers, &Resource::Member(id))?;
    let id = stays(&services, id).await?;
    let store = match caller.store {
        Some(store) => Some(services.engine.store_code(store).await?),
        None => None,
    };
    let shown = offers::of_member(&services, id, Some(store), language).await?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_LANGUAGE, language.tag())).json(shown))
}
