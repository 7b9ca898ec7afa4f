//! `/v1/till/transfers`: a member's points for another, with his say-so.

use actix_web::{HttpResponse, post, web};
use serde::{Deserialize, Serialize};
use tessera_rules::Command;
use tessera_rules::amount::Points;
use tessera_rules::command::Transfer;
use tessera_rules::id::{MemberId, TransferId};
use utoipa::ToSchema;

use super::authorisation::{self, Authorisation};
use super::till_store;
use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::error::{Code, Problem};
use crate::api::extract::{IdempotencyKey, Json, Reader};
use crate::api::guard::permit;
use crate::api::linked::stays;
use crate::api::openapi::problems;
use crate::api::submit::{self, Request};
use crate::api::transferred::{self, TransferView};
use crate::clock::new_uuid;

/// Points for another member.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TransferRequest {
    /// Whose points.
    #[schema(value_type = String)]
    member_id: MemberId,
    /// For whom.
    #[schema(value_type = String)]
    to: MemberId,
    /// How many.
    #[schema(value_type = i64, minimum = 1)]
    points: Points,
    /// What the giver shows or types: his code or his PIN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authorisation: Option<Authorisation>,
}

/// Give a member's points to another
///
/// Needs the giver's say-so, as a redemption does. The points keep their expiry.
#[utoipa::path(
    operation_id = "transfer_for_member",
    params(IdempotencyKey),
    responses((status = 201, description = "Given", body = TransferView)),
    extensions(("x-problems" = json!(
        problems(&[&[Code::MemberUnknown], transferred::PROBLEMS, authorisation::PROBLEMS].concat())
    )))
)]
#[post("/transfers")]
pub(super) async fn create(
    services: web::Data<Services>,
    caller: Caller,
    key: IdempotencyKey,
    reader: Reader,
    Json(request): Json<TransferRequest>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::TransferForMember, &Resource::Member(request.member_id))?;
    till_store(&caller)?;
    transferred::check(request.points)?;
    let proof = authorisation::proof(request.authorisation.as_ref(), "/authorisation")?;
    let (member, to) = (stays(&services, request.member_id).await?, stays(&services, request.to).await?);
    let otp_step = authorisation::check(&services, &caller, &key, None, member, proof).await?;
    let transfer = Transfer { id: TransferId::new(new_uuid()), to, points: request.points, otp_step };
    let submission = Request { caller: &caller, key, route: "POST /v1/till/transfers", member, reader };
    submit::submit(&services, submission, &request, Command::Transfer(transfer), transferred::show).await
}
