//! `/v1/member/entitlements`: using what one's own tier entitles to.

use actix_web::{HttpResponse, post, web};

use super::myself;
use crate::access::{Action, Caller};
use crate::api::Services;
use crate::api::entitled::{self, Asked, EntitlementUse, EntitlementUsed};
use crate::api::error::Problem;
use crate::api::extract::{IdempotencyKey, Json, Path as Parts, Reader};
use crate::api::openapi::problems;
use crate::api::submit::{self, Request};

/// Use one's own entitlement
///
/// What the tier entitles to stands in `/v1/member/tier`. A day of multiplied points is chosen beforehand.
#[utoipa::path(
    operation_id = "use_own_entitlement",
    params(("code" = String, Path, description = "The entitlement's code."), IdempotencyKey),
    responses((status = 201, description = "Used", body = EntitlementUsed)),
    extensions(("x-problems" = json!(problems(entitled::PROBLEMS))))
)]
#[post("/entitlements/{code}/uses")]
pub(super) async fn create(
    services: web::Data<Services>,
    caller: Caller,
    key: IdempotencyKey,
    reader: Reader,
    Parts(code): Parts<String>,
    Json(body): Json<EntitlementUse>,
) -> Result<HttpResponse, Problem> {
    let member = myself(&caller, Action::UseOwnEntitlement)?;
    let route = "POST /v1/member/entitlements/{code}/uses";
    let asked = Asked { member, code: &code, body: &body };
    let submission = Request { caller: &caller, key, route, member, reader };
    submit::submit(&services, submission, &asked, body.command(&code), entitled::show).await
}
