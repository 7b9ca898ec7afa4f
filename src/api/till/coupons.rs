//! `/v1/till/coupons`: looking up a coupon that somebody shows.

use actix_web::http::header::CONTENT_LANGUAGE;
use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use tessera_rules::coupon::{Holder, canonical};
use tessera_rules::id::MemberId;
use utoipa::ToSchema;

use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::coupons::CouponView;
use crate::api::error::{Code, Language, Problem};
use crate::api::extract::Path;
use crate::api::guard::permit;
use crate::api::openapi::problems;
use crate::store::{coupon, link};

/// A coupon at a till.
#[derive(Serialize, ToSchema)]
struct TillCoupon {
    #[serde(flatten)]
    coupon: CouponView,
    /// The member who alone may use it; null: whoever shows it may.
    #[schema(value_type = Option<String>, example = "mem_01kapm3v5ne8v9b3r6a2f7qk4d")]
    member_id: Option<MemberId>,
    /// Code of the lowest tier that may use it; null for none.
    minimum_tier: Option<String>,
}

/// Look a coupon up
///
/// Typed in any case, with spaces or dashes. Who asks for codes that are not there waits longer and longer. Whether it takes something off a basket is told by a quote.
#[utoipa::path(
    operation_id = "look_up_coupon",
    params(("code" = String, Path, description = "The coupon's code.")),
    responses((status = 200, description = "The coupon as it stands now", body = TillCoupon)),
    extensions(("x-problems" = json!(problems(&[Code::NotFound, Code::NoProgramme, Code::TooManyRequests]))))
)]
#[get("/coupons/{code}")]
pub(super) async fn look_up(
    services: web::Data<Services>,
    caller: Caller,
    language: Language,
    Path(code): Path<String>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::LookUpCoupon, &Resource::Programme)?;
    services.access.guess(caller.principal())?;
    let code = canonical(&code);
    let find = move |conn: &mut _| {
        let Some(row) = coupon::by_code(conn, &code)? else { return Ok(None) };
        let owner = row.owner.map(|owner| link::stays(conn, MemberId::new(owner))).transpose()?;
        Ok(Some((row, owner, coupon::used_of_types(conn)?)))
    };
    let (row, owner, used) = services.pool.run(find).await?.ok_or(Problem::new(Code::NotFound))?;
    services.access.guessed_right(caller.principal());
    let (found, now) = (services.engine.programme().await?, services.clock.now());
    let of = found.programme.coupon(&row.of);
    let view = TillCoupon {
        coupon: CouponView::of(&row, &found.programme, language, now).beside(&used, &found.programme, language),
        member_id: owner.filter(|_| of.is_none_or(|of| of.holder == Holder::Owner)),
        minimum_tier: of.and_then(|of| of.minimum_tier.clone()),
    };
    Ok(HttpResponse::Ok().insert_header((CONTENT_LANGUAGE, language.tag())).json(view))
}
