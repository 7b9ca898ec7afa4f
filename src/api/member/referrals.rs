//! `/v1/member/referrals`: whom a member brought.

use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::myself;
use crate::access::{Action, Caller};
use crate::api::Services;
use crate::api::error::{Code, Problem};
use crate::api::extract::Query;
use crate::api::openapi::problems;
use crate::api::page::{ListOf, Page};
use crate::api::referrals::OwnReferral;
use crate::api::work::run;
use crate::store::{member, referral};

/// What a member says to whom he brings, and whom he brought.
#[derive(Serialize, ToSchema)]
struct OwnReferrals {
    /// The member code: whoever enrols with it is referred by this member.
    #[schema(example = "482916350718")]
    code: String,
    #[serde(flatten)]
    referrals: ListOf<OwnReferral>,
}

/// Read whom one has referred
///
/// Who they are is not told.
#[utoipa::path(
    operation_id = "own_referrals",
    params(Page),
    responses((status = 200, description = "Newest first", body = OwnReferrals)),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/referrals")]
pub(super) async fn list(
    services: web::Data<Services>,
    caller: Caller,
    Query(Page { limit, cursor }): Query<Page>,
) -> Result<HttpResponse, Problem> {
    let id = myself(&caller, Action::ReadOwnReferrals)?;
    let before = cursor.as_ref().map(|cursor| cursor.open::<Uuid>("own_referrals")).transpose()?;
    let (in_force, now) = (services.engine.programme().await?, services.clock.now());
    let read = move |conn: &mut _| {
        let own = member::find(conn, id)?.ok_or(Code::NotFound)?;
        Ok((own.code, referral::by(conn, id, before, limit.to_read())?))
    };
    let (code, rows) = run(&services, read).await?;
    let show = |row| OwnReferral::of(&row, &in_force.programme, now);
    let referrals = ListOf::new("own_referrals", rows, limit, |row| row.member_id, show);
    Ok(HttpResponse::Ok().json(OwnReferrals { code, referrals }))
}
