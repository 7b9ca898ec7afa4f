//! A member's own coupons.

use actix_web::http::header::CONTENT_LANGUAGE;
use actix_web::{HttpResponse, get, web};

use super::myself;
use crate::access::{Action, Caller};
use crate::api::Services;
use crate::api::coupons::CouponView;
use crate::api::error::{Code, Language, Problem};
use crate::api::openapi::problems;
use crate::api::page::ListOf;
use crate::store::coupon;

/// Coupons shown at most.
const SHOWN: i64 = 100;

/// Read one's own coupons
#[utoipa::path(
    operation_id = "own_coupons",
    responses((status = 200, description = "The latest hundred: first those that can be used, the one that ends \
        first before the others; then the rest, newest first", body = ListOf<CouponView>)),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/coupons")]
pub(super) async fn list(
    services: web::Data<Services>,
    caller: Caller,
    language: Language,
) -> Result<HttpResponse, Problem> {
    let member = myself(&caller, Action::ReadOwnCoupons)?;
    let read = move |conn: &mut _| Ok((coupon::of_owner(conn, member, SHOWN)?, coupon::used_of_types(conn)?));
    let (mut rows, used) = services.pool.run(read).await?;
    // Those without an end come after those with one.
    rows.sort_by_key(|row| (row.valid_until.is_none(), row.valid_until));
    let (found, now) = (services.engine.programme().await?, services.clock.now());
    let view = |row| CouponView::of(row, &found.programme, language, now).beside(&used, &found.programme, language);
    let (usable, mut rest): (Vec<_>, Vec<_>) =
        rows.iter().map(|row| (row.issued_at, view(row))).partition(|(_, coupon)| coupon.is_usable());
    rest.sort_by_key(|(issued_at, _)| std::cmp::Reverse(*issued_at));
    let list = ListOf::whole(usable.into_iter().chain(rest).map(|(_, coupon)| coupon).collect());
    Ok(HttpResponse::Ok().insert_header((CONTENT_LANGUAGE, language.tag())).json(list))
}
