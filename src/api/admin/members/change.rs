//! What staff do to a member: correct the profile, freeze and unfreeze, set a first password. The
//! audit log names the fields that changed and never what stood in them.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, patch, post, put, web};
use serde::Deserialize;
use serde_json::json;
use tessera_rules::id::MemberId;
use tessera_rules::time::BirthDate;
use utoipa::ToSchema;

use super::known;
use super::profile::MemberView;
use crate::access::password::SHORTEST;
use crate::access::{self, Action, Caller, Principal, Resource};
use crate::api::Services;
use crate::api::admin::staff::given;
use crate::api::contact;
use crate::api::error::{Code, Problem, both};
use crate::api::extract::{Id, IfMatch, Json};
use crate::api::guard::permit;
use crate::api::openapi::problems;
use crate::api::person::{self, By, PersonChange};
use crate::api::till::members::Locale;
use crate::api::work::{run_whole, versioned};
use crate::store::member::{self, MemberRow};
use crate::store::secret;

/// The longest reason, in characters.
pub(super) const REASON_MAX: usize = 200;

/// What may be changed of a profile; what is absent stays, null takes away.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MemberPatch {
    /// 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// International number; unique among members.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "+8613800138000")]
    phone: Option<Option<String>>,
    /// Unique among members.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    email: Option<Option<String>>,
    /// Language of messages.
    locale: Option<Locale>,
    /// The id in another system; unique among members.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 64)]
    external_id: Option<Option<String>>,
    /// `YYYY-MM-DD` or `--MM-DD`. One that is known is changed with a `reason` alone, and gives no second
    /// birthday perk within 330 days.
    #[schema(value_type = Option<String>, example = "1990-02-28")]
    birth_date: Option<BirthDate>,
    /// Why, for the audit log, which is never erased: no personal data.
    #[schema(min_length = 1, max_length = 200, example = "misread at the till")]
    reason: Option<String>,
}

impl TryFrom<MemberPatch> for PersonChange {
    type Error = Problem;
    fn try_from(patch: MemberPatch) -> Result<Self, Problem> {
        let MemberPatch { name, phone, email, locale, external_id, birth_date, reason } = patch;
        let reason = reason.map(|reason| contact::text("/reason", &reason, REASON_MAX)).transpose()?;
        Ok(Self { name, phone, email, locale: locale.map(Locale::tag), external_id, birth_date, reason })
    }
}

/// Correct a member's profile
#[utoipa::path(
    params(IfMatch),
    responses((status = 200, description = "Changed.", body = MemberView,
        headers(("ETag" = String, description = "The version of the profile.")))),
    extensions(("x-problems" = json!(problems(&[
        Code::MemberUnknown, Code::PhoneTaken, Code::EmailTaken, Code::ExternalIdTaken, Code::BirthDateSet
    ]))))
)]
#[patch("/members/{id}")]
pub(super) async fn change_member(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<MemberId>,
    if_match: IfMatch,
    body: Json<MemberPatch>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ChangeMember, &Resource::Member(id.0))?;
    let by = By { actor: caller.actor(), at: services.clock.now() };
    let row = person::change(&services, id.0, if_match, body.0.try_into()?, by).await?;
    Ok(versioned(StatusCode::OK, row.version, &MemberView::from(row)))
}

/// Why a member is frozen or let go on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct StatusChange {
    /// For the audit log, which is never erased: no personal data.
    #[schema(min_length = 1, max_length = 200, example = "points traded on a marketplace")]
    reason: String,
}

/// Turns a member's status, which the profile shows, together with the standing, which the rules ask.
async fn turn(
    services: &Services,
    caller: &Caller,
    id: MemberId,
    change: StatusChange,
    freeze: bool,
) -> Result<MemberRow, Problem> {
    let by = By { actor: caller.actor(), at: services.clock.now() };
    let reason = contact::text("/reason", &change.reason, REASON_MAX)?;
    let (status, names) = match freeze {
        true => ("frozen", ("member.freeze", "member.frozen")),
        false => ("active", ("member.unfreeze", "member.unfrozen")),
    };
    run_whole(services, move |conn| {
        let before = known(conn, id)?;
        if before.status == status {
            let detail = both(format!("The member is {status} already."), "会员已处于该状态。");
            return Err(Problem::new(Code::StateConflict).with_detail(detail).into());
        }
        let after = MemberRow { status: status.to_owned(), version: before.version + 1, ..before.clone() };
        if !member::update(conn, &after)? {
            return Err(Code::Busy.into());
        }
        member::set_frozen(conn, id, freeze)?;
        let was = json!({ "status": before.status });
        by.note(conn, id, names, Some(was), Some(json!({ "status": status, "reason": reason })))?;
        Ok(after)
    })
    .await
}

/// Freeze a member
///
/// A frozen member neither earns nor redeems nor signs in; points still lapse.
#[utoipa::path(
    responses((status = 200, description = "Frozen.", body = MemberView,
        headers(("ETag" = String, description = "The version of the profile.")))),
    extensions(("x-problems" = json!(problems(&[Code::MemberUnknown, Code::StateConflict, Code::Busy]))))
)]
#[post("/members/{id}/freeze")]
pub(super) async fn freeze_member(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<MemberId>,
    body: Json<StatusChange>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::FreezeMember, &Resource::Member(id.0))?;
    let row = turn(&services, &caller, id.0, body.0, true).await?;
    services.access.end_sessions(Principal::Member(id.0)).await?;
    Ok(versioned(StatusCode::OK, row.version, &MemberView::from(row)))
}

/// Let a frozen member go on
#[utoipa::path(
    responses((status = 200, description = "Active.", body = MemberView,
        headers(("ETag" = String, description = "The version of the profile.")))),
    extensions(("x-problems" = json!(problems(&[Code::MemberUnknown, Code::StateConflict, Code::Busy]))))
)]
#[post("/members/{id}/unfreeze")]
pub(super) async fn unfreeze_member(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<MemberId>,
    body: Json<StatusChange>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::FreezeMember, &Resource::Member(id.0))?;
    let row = turn(&services, &caller, id.0, body.0, false).await?;
    Ok(versioned(StatusCode::OK, row.version, &MemberView::from(row)))
}

/// A first password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FirstPassword {
    /// To be changed by the member.
    #[schema(format = Password, min_length = 8, max_length = 128)]
    password: String,
}

/// Set a member's first password
///
/// For a member who has none. Who has one changes it himself.
#[utoipa::path(
    responses((status = 204, description = "Set.")),
    extensions(("x-problems" = json!(problems(&[
        Code::MemberUnknown, Code::StateConflict, Code::PasswordUnfit, Code::TooManyRequests
    ]))))
)]
#[put("/members/{id}/password")]
pub(super) async fn set_member_password(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<MemberId>,
    body: Json<FirstPassword>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ChangeMember, &Resource::Member(id.0))?;
    let (id, by) = (id.0, By { actor: caller.actor(), at: services.clock.now() });
    let found =
        services.pool.run(move |conn| member::find(conn, id)).await?.ok_or(Problem::new(Code::MemberUnknown))?;
    let about = [Some(found.name), found.phone, found.email].map(Option::unwrap_or_default);
    let about = about.each_ref().map(String::as_str);
    let hash = services.access.hash_password(&body.0.password, SHORTEST, &about).await?;
    run_whole(&services, move |conn| {
        known(conn, id)?;
        access::ensure_member(conn, id)?;
        if !secret::set_first_password_hash(conn, id, &hash)? {
            let detail = both("The member has a password.", "该会员已设置密码。");
            return Err(Problem::new(Code::StateConflict).with_detail(detail).into());
        }
        by.note(conn, id, ("member.set_password", "member.changed"), None, Some(json!({ "fields": ["password"] })))
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}
