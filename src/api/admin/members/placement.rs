//! Placing a member in a tier: staff decide for a while what purchases did not.

use actix_web::{HttpResponse, post, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tessera_rules::command::PlaceTier;
use tessera_rules::id::MemberId;
use tessera_rules::time::to_micros;
use tessera_rules::{Command, Outcome};
use utoipa::ToSchema;

use super::change::REASON_MAX;
use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::contact;
use crate::api::error::{Code, Problem};
use crate::api::extract::{Id, IdempotencyKey, Json, Reader};
use crate::api::guard::permit;
use crate::api::openapi::problems;
use crate::api::submit::{self, answer};
use crate::api::views::ProgressView;
use crate::engine::{Answer, Audit, Settled, Submission, Time};

/// A placement.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PlacementRequest {
    /// Code of the tier, above or below the member's own.
    #[schema(example = "gold")]
    tier: String,
    /// From when it no longer counts; in the future. The member's own tier counts again then.
    #[schema(example = "2027-01-01T00:00:00Z")]
    until: DateTime<Utc>,
    /// For the tier's history and the audit log, which are never erased: no personal data.
    #[schema(min_length = 1, max_length = 200, example = "makes good for the opening that was called off")]
    reason: String,
}

/// Where the member stands after a placement.
#[derive(Serialize, ToSchema)]
struct Placed {
    /// Code of the tier that counts now.
    tier: String,
    /// From when it no longer does.
    until: DateTime<Utc>,
    /// The way to the next tier; `kept_until` is the end of the placement.
    progress: ProgressView,
}

fn show(outcome: &Outcome, tier: &str, until: DateTime<Utc>) -> Answer {
    let Outcome::Tier(progress) = outcome else { return answer(500, &()) };
    answer(201, &Placed { tier: tier.to_owned(), until, progress: progress.clone().into() })
}

/// The tier as the audit log tells it.
fn told(settled: &Settled) -> Value {
    let (programme, standing) = (&settled.programme.programme, &settled.member.standing);
    let placement = standing.placement.as_ref();
    json!({
        "tier": programme.tier(programme.tier_position(&standing.tier)).code,
        "own": placement.map(|placement| &placement.own),
        "until": placement.map(|placement| placement.until),
    })
}

/// Place a member in a tier
///
/// Until an end date, whatever the measure says. Purchases and the clock go on moving the member's own
/// tier meanwhile; a later placement takes the place of an earlier one.
#[utoipa::path(
    params(IdempotencyKey),
    responses((status = 201, description = "Placed.", body = Placed)),
    extensions(("x-problems" = json!(problems(&[
        Code::MemberUnknown, Code::TierUnknown, Code::PlacementOver, Code::AmountOutOfRange, Code::NoProgramme
    ]))))
)]
#[post("/members/{id}/tier")]
pub(super) async fn place_member(
    services: web::Data<Services>,
    caller: Caller,
    key: IdempotencyKey,
    reader: Reader,
    id: Id<MemberId>,
    body: Json<PlacementRequest>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::PlaceTier, &Resource::Member(id.0))?;
    let (member, mut body) = (id.0, body.0);
    body.until = to_micros(body.until);
    body.reason = contact::text("/reason", &body.reason, REASON_MAX)?;
    let before = told(&services.settled(member).await?);
    let (tier, until, reason) = (body.tier.clone(), body.until, body.reason.clone());
    let command = Command::PlaceTier(PlaceTier { tier, until, reason });
    let claim = submit::claim(&caller, key, "POST /v1/admin/members/{id}/tier", &(member, &body))?;
    let after = json!({ "tier": body.tier, "until": body.until, "reason": body.reason });
    let object = member.to_string();
    let audit = Audit { action: "member.place_tier", object, before: Some(before), after: Some(after) };
    let submission = Submission {
        member,
        command,
        actor: caller.actor(),
        time: Time::Live,
        claim: Some(claim),
        audit: Some(audit),
        render: submit::render(Some(reader), move |outcome| show(outcome, &body.tier, body.until)),
    };
    submit::send(&services, submission).await
}
