//! `/v1/member/offers`: what a member could use now or soon.

use actix_web::http::header::CONTENT_LANGUAGE;
use actix_web::{HttpResponse, get, web};

use super::myself;
use crate::access::{Action, Caller};
use crate::api::Services;
use crate::api::error::{Code, Language, Problem};
use crate::api::offers::{self, OfferView};
use crate::api::openapi::problems;
use crate::api::page::ListOf;

/// Read what one could use now or soon
///
/// Live promotions, one's own coupons, rewards within reach, member prices, goods that are for some members first, and
/// the next tier. What begins within seven days is among them; what is for other members is not.
#[utoipa::path(
    operation_id = "own_offers",
    responses((status = 200, description = "What applies first, then what may, then what does not; of each the one \
        that ends first before the others, and at most a hundred of each kind", body = ListOf<OfferView>)),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme, Code::MemberMerged]))))
)]
#[get("/offers")]
pub(super) async fn list(
    services: web::Data<Services>,
    caller: Caller,
    language: Language,
) -> Result<HttpResponse, Problem> {
    let member = myself(&caller, Action::ReadOwnOffers)?;
    let shown = offers::of_member(&services, member, None, language).await?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_LANGUAGE, language.tag())).json(shown))
}
