//! The member's say-so at a till: the code on his card or his PIN.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tessera_rules::id::MemberId;
use utoipa::ToSchema;

use crate::access::{Caller, Proof};
use crate::api::Services;
use crate::api::error::{Code, Problem, both};
use crate::api::extract::IdempotencyKey;
use crate::store::ledger;

/// The member's say-so: exactly one of the two.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Authorisation {
    /// The six digits on the member's card now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "492817")]
    otp: Option<String>,
    /// The member's PIN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = Password)]
    pin: Option<String>,
}

/// What the member's say-so may be refused for.
pub(super) const PROBLEMS: &[Code] = &[
    Code::AuthorisationMissing,
    Code::AuthorisationLocked,
    Code::CodeWrong,
    Code::CodeUsed,
    Code::PinWrong,
    Code::TooManyRequests,
];

/// What was shown or typed; `pointer` says where in the body.
pub(super) fn proof(given: Option<&Authorisation>, pointer: &str) -> Result<Proof, Problem> {
    match given {
        None => Err(Code::AuthorisationMissing.into()),
        Some(Authorisation { otp: Some(otp), pin: None }) => Ok(Proof::Otp(otp.clone())),
        Some(Authorisation { otp: None, pin: Some(pin) }) => Ok(Proof::Pin(pin.clone())),
        Some(_) => {
            let detail = both("Give either otp or pin.", "otp 与 pin 必须且只能提供一个。");
            Err(Problem::field(Code::InvalidField, pointer, "one_of", detail))
        }
    }
}

/// Looks at the member's say-so and returns the step of the code, which is spent with the points.
///
/// A repetition comes with a code that has gone stale: its key, or the number of its receipt, says that
/// it was looked at. Nothing is spent under either again.
pub(super) async fn check(
    services: &Services,
    caller: &Caller,
    key: &IdempotencyKey,
    receipt: Option<(Arc<str>, String)>,
    member: MemberId,
    proof: Proof,
) -> Result<Option<i64>, Problem> {
    let (who, used) = (caller.principal().uuid(), key.0.clone());
    let known = services.pool.run(move |conn| {
        let recorded = match receipt {
            Some((source, number)) => ledger::purchase_by_receipt(conn, &source, &number)?.is_some(),
            None => false,
        };
        Ok(recorded || ledger::key_used(conn, who, &used)?)
    });
    if known.await? {
        return Ok(None);
    }
    Ok(services.access.authorise(member, proof).await?.otp_step)
}
