//! `/v1/till/members/{id}/entitlements`: what a member's tier entitles to, used at a till.

use actix_web::{HttpResponse, post, web};
use tessera_rules::id::MemberId;

use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::entitled::{self, Asked, EntitlementUse, EntitlementUsed};
use crate::api::error::Problem;
use crate::api::extract::{IdempotencyKey, Json, Path as Parts, Reader};
use crate::api::guard::permit;
use crate::api::linked::stays;
use crate::api::openapi::problems;
use crate::api::submit::{self, Request};

/// Use a member's entitlement
///
/// A free delivery is given here; a day of multiplied points is chosen beforehand.
#[utoipa::path(
    operation_id = "use_entitlement_for_member",
    params(
        ("id" = String, Path, description = "The member."),
        ("code" = String, Path, description = "The entitlement's code."),
        IdempotencyKey
    ),
    responses((status = 201, description = "Used", body = EntitlementUsed)),
    extensions(("x-problems" = json!(problems(entitled::PROBLEMS))))
)]
#[post("/members/{id}/entitlements/{code}/uses")]
pub(super) async fn create(
    services: web::Data<Services>,
    caller: Caller,
    key: IdempotencyKey,
    reader: Reader,
    Parts((member, code)): Parts<(MemberId, String)>,
    Json(body): Json<EntitlementUse>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::UseEntitlement, &Resource::Member(member))?;
    let route = "POST /v1/till/members/{id}/entitlements/{code}/uses";
    let asked = Asked { member, code: &code, body: &body };
    let member = stays(&services, member).await?;
    let submission = Request { caller: &caller, key, route, member, reader };
    submit::submit(&services, submission, &asked, body.command(&code), entitled::show).await
}
