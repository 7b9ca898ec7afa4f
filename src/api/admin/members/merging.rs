//! Two accounts of one person become one, and two again.

use actix_web::{HttpResponse, post, web};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tessera_rules::Command;
use tessera_rules::command::Merge;
use tessera_rules::id::MemberId;
use utoipa::ToSchema;

use super::change::REASON_MAX;
use crate::access::{Action, Caller, Principal, Resource};
use crate::api::Services;
use crate::api::contact;
use crate::api::error::{Code, Problem};
use crate::api::extract::{Id, IdempotencyKey, Json, Reader};
use crate::api::guard::permit;
use crate::api::linked::{self, Linked};
use crate::api::openapi::problems;
use crate::api::submit;
use crate::engine::{Audit, Submission, Time};
use crate::store::link;

/// Which account stays.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MergeRequest {
    /// The member that stays.
    #[schema(value_type = String, example = "mem_01kapm3v5ne8v9b3r6a2f7qk4d")]
    into: MemberId,
    /// For the audit log, which is never erased: no personal data.
    #[schema(min_length = 1, max_length = 200, example = "enrolled twice, at the till and in the app")]
    reason: String,
}

/// Why a merge is undone.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UnmergeRequest {
    /// For the audit log, which is never erased: no personal data.
    #[schema(min_length = 1, max_length = 200, example = "father and son of the same name")]
    reason: String,
}

/// Merge a member into another
///
/// Points, debt and what counts for the tier go to the member that stays, with their expiry; look-ups by
/// the old code, phone number, e-mail address and external id find that one. What is still open (a hold, a
/// sale that may come back) goes on there. The old account's sign-ins end.
#[utoipa::path(
    params(IdempotencyKey),
    responses((status = 200, description = "Merged.", body = Linked)),
    extensions(("x-problems" = json!(problems(&[
        Code::MemberUnknown, Code::MemberMerged, Code::SameMember, Code::InPool, Code::AmountOutOfRange,
        Code::NoProgramme
    ]))))
)]
#[post("/members/{id}/merge")]
pub(super) async fn merge_member(
    services: web::Data<Services>,
    caller: Caller,
    key: IdempotencyKey,
    reader: Reader,
    id: Id<MemberId>,
    body: Json<MergeRequest>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::MergeMembers, &Resource::Member(id.0))?;
    let (member, into) = (id.0, body.0.into);
    let reason = contact::text("/reason", &body.0.reason, REASON_MAX)?;
    let told = ("member.merge", Value::Null, json!({ "merged_into": into, "reason": reason }));
    let claim = submit::claim(&caller, key, "POST /v1/admin/members/{id}/merge", &(member, &body.0))?;
    let command = Command::Merge(Merge { into });
    let merged = submit::send(&services, submission(&caller, member, command, claim, told, reader)).await?;
    if merged.status().is_success() {
        services.access.end_sessions(Principal::Member(member)).await?;
    }
    Ok(merged)
}

/// Undo the merge of a member
///
/// He takes back what is left of his own points, and no more; what he bought counts for his own tier
/// again.
#[utoipa::path(
    params(IdempotencyKey),
    responses((status = 200, description = "A member of his own again.", body = Linked)),
    extensions(("x-problems" = json!(problems(&[
        Code::MemberUnknown, Code::NotMerged, Code::AmountOutOfRange, Code::NoProgramme
    ]))))
)]
#[post("/members/{id}/unmerge")]
pub(super) async fn unmerge_member(
    services: web::Data<Services>,
    caller: Caller,
    key: IdempotencyKey,
    reader: Reader,
    id: Id<MemberId>,
    body: Json<UnmergeRequest>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::MergeMembers, &Resource::Member(id.0))?;
    let member = id.0;
    let reason = contact::text("/reason", &body.0.reason, REASON_MAX)?;
    let root = services.pool.run(move |conn| Ok(link::ties(conn, member)?.and_then(|ties| ties.root))).await?;
    let before = json!({ "merged_into": root.map(MemberId::new) });
    let told = ("member.unmerge", before, json!({ "reason": reason }));
    let claim = submit::claim(&caller, key, "POST /v1/admin/members/{id}/unmerge", &(member, &body.0))?;
    submit::send(&services, submission(&caller, member, Command::Unmerge, claim, told, reader)).await
}

fn submission(
    caller: &Caller,
    member: MemberId,
    command: Command,
    claim: crate::engine::Claim,
    (action, before, after): (&'static str, Value, Value),
    reader: Reader,
) -> Submission {
    let object = member.to_string();
    Submission {
        member,
        command,
        actor: caller.actor(),
        time: Time::Live,
        claim: Some(claim),
        audit: Some(Audit { action, object, before: (!before.is_null()).then_some(before), after: Some(after) }),
        render: submit::render(Some(reader), linked::show),
    }
}
