//! Who referred a member, and whom he referred.

use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use tessera_rules::id::MemberId;
use utoipa::ToSchema;
use uuid::Uuid;

use super::known;
use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::error::{Code, Problem};
use crate::api::extract::{Id, Query};
use crate::api::guard::permit;
use crate::api::openapi::problems;
use crate::api::page::{ListOf, Page};
use crate::api::referrals::Referral;
use crate::api::work::run;
use crate::store::referral;

/// On both sides of whose referrals a member stands.
#[derive(Serialize, ToSchema)]
struct MemberReferrals {
    /// The referral that brought the member; null: none did.
    referred_by: Option<Referral>,
    #[serde(flatten)]
    referrals: ListOf<Referral>,
}

/// Who referred a member, and whom he referred
///
/// Those that accounts merged into him referred are among them.
#[utoipa::path(
    params(Page),
    responses((status = 200, description = "Newest first", body = MemberReferrals)),
    extensions(("x-problems" = json!(problems(&[Code::MemberUnknown, Code::NoProgramme]))))
)]
#[get("/members/{id}/referrals")]
pub(super) async fn member_referrals(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<MemberId>,
    Query(Page { limit, cursor }): Query<Page>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadMembers, &Resource::Member(id))?;
    let before = cursor.as_ref().map(|cursor| cursor.open::<Uuid>("member_referrals")).transpose()?;
    let (in_force, now) = (services.engine.programme().await?, services.clock.now());
    let read = move |conn: &mut _| {
        known(conn, id)?;
        Ok((referral::of(conn, id)?, referral::by(conn, id, before, limit.to_read())?))
    };
    let (brought, rows) = run(&services, read).await?;
    let show = |row| Referral::of(&row, &in_force.programme, now);
    let referred_by = brought.map(show);
    let referrals = ListOf::new("member_referrals", rows, limit, |row| row.member_id, show);
    Ok(HttpResponse::Ok().json(MemberReferrals { referred_by, referrals }))
}
