//! `/v1/admin/promotions/{code}`: the steps of a promotion's life, and the versions it went through. Each
//! step is a version of the programme, so nothing that was ever in force is lost.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, post, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tessera_rules::Programme;
use tessera_rules::document::Document as _;
use tessera_rules::life::{PromotionState, Step};
use tessera_rules::promotion::Promotion;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::part::{self, Change, Named};
use super::schemas;
use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::error::{Code, Problem, both, internal};
use crate::api::extract::{Id, IfMatch, Json, Path, Query, invalid_field};
use crate::api::guard::permit;
use crate::api::openapi::problems;
use crate::api::page::{ListOf, Page};
use crate::api::work::{self, ActorView, versioned};
use crate::engine::diff;
use crate::store::programme::{self as versions, PromotionVersionRow};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(publish_promotion)
        .service(pause_promotion)
        .service(resume_promotion)
        .service(end_promotion)
        .service(promotion_versions)
        .service(promotion_version)
        .service(promotion_diff)
        .service(roll_back_promotion);
}

/// Takes a step, as a new version of the programme.
async fn take(
    services: &Services,
    caller: &Caller,
    code: String,
    if_match: IfMatch,
    (step, verb): (Step, &str),
) -> Result<HttpResponse, Problem> {
    permit(caller, Action::WritePromotions, &Resource::Programme)?;
    let change = Change::part::<Promotion>(caller, Some(if_match.0), verb, &code);
    let edit = move |programme: &mut Programme| {
        let known = programme.promotions.iter_mut().find(|promotion| promotion.code == code);
        let promotion = known.ok_or(Problem::new(Code::NotFound))?;
        promotion.state = step.from(promotion.state).ok_or_else(|| refused(promotion.state))?;
        Ok((None, promotion.clone()))
    };
    let (version, promotion) = part::change(services, change, edit).await?;
    Ok(versioned(StatusCode::OK, version, &Named::from(promotion)))
}

fn refused(state: PromotionState) -> Problem {
    let detail = match state {
        PromotionState::Draft => both("The promotion is a draft.", "该活动为草稿。"),
        PromotionState::Live => both("The promotion is live.", "该活动正在进行。"),
        PromotionState::Paused => both("The promotion is paused.", "该活动已暂停。"),
        PromotionState::Ended => both(
            "The promotion has ended: roll it back to a version, and it begins anew as a draft.",
            "该活动已结束：可回退至某一版本，重新作为草稿开始。",
        ),
    };
    Problem::new(Code::PromotionState).with_detail(detail).with_member("state", state.as_str())
}

/// Publish a promotion
///
/// A draft goes live, as a new version of the programme.
#[utoipa::path(
    params(("id" = String, Path, description = "Its code."), IfMatch),
    responses((status = 200, description = "Live.", body = schemas::PromotionView,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::PromotionState, Code::ProgrammeInvalid, Code::NoProgramme]))))
)]
#[post("/promotions/{id}/publish")]
async fn publish_promotion(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<String>,
    if_match: IfMatch,
) -> Result<HttpResponse, Problem> {
    take(&services, &caller, id.0, if_match, (Step::Publish, "publish")).await
}

/// Pause a promotion
///
/// A live one does not apply any more until it is resumed.
#[utoipa::path(
    params(("id" = String, Path, description = "Its code."), IfMatch),
    responses((status = 200, description = "Paused.", body = schemas::PromotionView,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::PromotionState, Code::ProgrammeInvalid, Code::NoProgramme]))))
)]
#[post("/promotions/{id}/pause")]
async fn pause_promotion(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<String>,
    if_match: IfMatch,
) -> Result<HttpResponse, Problem> {
    take(&services, &caller, id.0, if_match, (Step::Pause, "pause")).await
}

/// Resume a promotion
///
/// One that was paused is live again.
#[utoipa::path(
    params(("id" = String, Path, description = "Its code."), IfMatch),
    responses((status = 200, description = "Live.", body = schemas::PromotionView,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::PromotionState, Code::ProgrammeInvalid, Code::NoProgramme]))))
)]
#[post("/promotions/{id}/resume")]
async fn resume_promotion(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<String>,
    if_match: IfMatch,
) -> Result<HttpResponse, Problem> {
    take(&services, &caller, id.0, if_match, (Step::Resume, "resume")).await
}

/// End a promotion
///
/// For good: what has ended never comes back, but may be rolled back to a version, as a draft.
#[utoipa::path(
    params(("id" = String, Path, description = "Its code."), IfMatch),
    responses((status = 200, description = "Ended.", body = schemas::PromotionView,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::PromotionState, Code::ProgrammeInvalid, Code::NoProgramme]))))
)]
#[post("/promotions/{id}/end")]
async fn end_promotion(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<String>,
    if_match: IfMatch,
) -> Result<HttpResponse, Problem> {
    take(&services, &caller, id.0, if_match, (Step::End, "end")).await
}

/// A promotion as a version of the programme has it.
#[derive(Serialize, ToSchema)]
struct PromotionVersion {
    /// The version of the programme.
    #[schema(example = 7)]
    version: i64,
    /// Since when it is, or was, in force, in programme time.
    in_force_from: DateTime<Utc>,
    /// Who made it.
    by: ActorView,
    /// The state of the promotion; null where it was taken away.
    #[schema(value_type = Option<schemas::PromotionState>)]
    state: Option<String>,
    /// The promotion; null where it was taken away.
    #[schema(value_type = Option<schemas::Promotion>)]
    promotion: Option<Value>,
}

impl From<PromotionVersionRow> for PromotionVersion {
    fn from(row: PromotionVersionRow) -> Self {
        let state = |promotion: &Value| {
            let said = promotion.get("state").and_then(Value::as_str);
            said.unwrap_or(PromotionState::Live.as_str()).to_owned()
        };
        Self {
            version: row.version,
            in_force_from: row.created_at,
            by: ActorView::of(row.actor_role, row.actor_id),
            state: row.promotion.as_ref().map(state),
            promotion: row.promotion,
        }
    }
}

/// The versions of a promotion
///
/// The versions of the programme that changed it, newest first; those that changed something else are passed
/// over. They stay when the promotion is taken away.
#[utoipa::path(
    params(("id" = String, Path, description = "Its code."), Page),
    responses((status = 200, description = "A page of versions.", body = ListOf<PromotionVersion>)),
    extensions(("x-problems" = json!(problems(&[]))))
)]
#[get("/promotions/{id}/versions")]
async fn promotion_versions(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<String>,
    page: Query<Page>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadProgramme, &Resource::Programme)?;
    let Page { limit, cursor } = page.0;
    let before: Option<i64> = cursor.map(|cursor| cursor.open("promotion_versions")).transpose()?;
    let read = move |conn: &mut _| Ok(versions::promotion_versions(conn, &id.0, before, limit.to_read())?);
    let rows = work::run(&services, read).await?;
    let list = ListOf::new("promotion_versions", rows, limit, |row| row.version, PromotionVersion::from);
    Ok(HttpResponse::Ok().json(list))
}

/// Which version of which promotion.
#[derive(Deserialize)]
struct VersionPath {
    id: String,
    number: i64,
}

/// A promotion as it stood in a version of the programme, which need not be one that changed it.
async fn stood(services: &Services, code: &str, version: i64) -> Result<Option<PromotionVersionRow>, Problem> {
    let code = code.to_owned();
    let read = move |conn: &mut _| {
        // The last that changed it, up to that version; a version that never was says nothing.
        let known = versions::version(conn, version)?.is_some();
        let up_to = Some(version.saturating_add(1)).filter(|_| known);
        let changed = up_to.map(|before| versions::promotion_versions(conn, &code, Some(before), 1));
        Ok(changed.transpose()?.unwrap_or_default().pop())
    };
    work::run(services, read).await
}

/// A promotion in a version
///
/// As it stood in that version of the programme: told is the version that made it so.
#[utoipa::path(
    params(
        ("id" = String, Path, description = "Its code."),
        ("number" = i64, Path, description = "The version of the programme."),
    ),
    responses((status = 200, description = "The promotion as it stood.", body = PromotionVersion)),
    extensions(("x-problems" = json!(problems(&[]))))
)]
#[get("/promotions/{id}/versions/{number}")]
async fn promotion_version(
    services: web::Data<Services>,
    caller: Caller,
    path: Path<VersionPath>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadProgramme, &Resource::Programme)?;
    let VersionPath { id, number } = path.0;
    let row = stood(&services, &id, number).await?.ok_or(Code::NotFound)?;
    Ok(HttpResponse::Ok().json(PromotionVersion::from(row)))
}

/// Which two versions.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DiffQuery {
    /// The version of the programme to start from.
    #[param(minimum = 1, example = 3)]
    from: i64,
    /// The version to compare it with.
    #[param(minimum = 1, example = 7)]
    to: i64,
}

/// What differs between two versions of a promotion.
#[derive(Serialize, ToSchema)]
struct DiffView {
    /// The version started from.
    from: i64,
    /// The version compared with it.
    to: i64,
    /// Field by field, in the order of the paths; empty: nothing.
    changes: Vec<DifferenceView>,
}

/// One field that differs.
#[derive(Serialize, ToSchema)]
struct DifferenceView {
    /// Where: `schedule.weekdays`.
    #[schema(example = "effect.by")]
    path: String,
    /// What stood there; null: nothing.
    #[schema(value_type = Object, nullable, example = "2")]
    before: Option<Value>,
    /// What stands there; null: nothing.
    #[schema(value_type = Object, nullable, example = "3")]
    after: Option<Value>,
    /// The same in one line: `~ effect.by: "2" -> "3"`.
    #[schema(example = "~ effect.by: \"2\" -> \"3\"")]
    line: String,
}

/// Compare two versions of a promotion
#[utoipa::path(
    params(("id" = String, Path, description = "Its code."), DiffQuery),
    responses((status = 200, description = "What differs.", body = DiffView)),
    extensions(("x-problems" = json!(problems(&[]))))
)]
#[get("/promotions/{id}/diff")]
async fn promotion_diff(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<String>,
    query: Query<DiffQuery>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadProgramme, &Resource::Programme)?;
    let DiffQuery { from, to } = query.0;
    let mut stood_in = Vec::with_capacity(2);
    for version in [from, to] {
        let row = stood(&services, &id.0, version).await?.ok_or(Code::NotFound)?;
        stood_in.push(row.promotion.unwrap_or(Value::Object(serde_json::Map::new())));
    }
    let differences = diff::between(&stood_in[0], &stood_in[1]).into_iter().map(|difference| {
        let line = difference.to_string();
        let diff::Difference { path, before, after } = difference;
        DifferenceView { path, before, after, line }
    });
    Ok(HttpResponse::Ok().json(DiffView { from, to, changes: differences.collect() }))
}

/// To which version.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RollBackRequest {
    /// The version of the programme whose promotion is to be in force again.
    #[schema(minimum = 1, example = 3)]
    version: i64,
}

/// Roll a promotion back
///
/// Makes a new version with what the promotion said in an earlier one. Its state stays as it is now; one that
/// has ended, or was taken away, begins anew as a draft.
#[utoipa::path(
    params(("id" = String, Path, description = "Its code."), IfMatch),
    request_body = RollBackRequest,
    responses((status = 200, description = "Rolled back.", body = schemas::PromotionView,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::ProgrammeInvalid, Code::NoProgramme]))))
)]
#[post("/promotions/{id}/rollback")]
async fn roll_back_promotion(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<String>,
    if_match: IfMatch,
    body: Json<RollBackRequest>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WritePromotions, &Resource::Programme)?;
    let earlier = stood(&services, &id.0, body.0.version).await?.and_then(|row| row.promotion);
    let unknown = || invalid_field("/version", "The promotion was in no such version.", "该活动不存在于此版本。");
    let earlier = Promotion::read_from(earlier.ok_or_else(unknown)?);
    let earlier = earlier.map_err(|_| internal("a promotion on record cannot be read"))?;
    let change = Change::part::<Promotion>(&caller, Some(if_match.0), "rollback", &id.0);
    let edit = move |programme: &mut Programme| {
        let list = &mut programme.promotions;
        let known = list.iter_mut().find(|promotion| promotion.code == earlier.code);
        let state = match known.as_ref().map(|promotion| promotion.state) {
            None | Some(PromotionState::Ended) => PromotionState::Draft,
            Some(state) => state,
        };
        let promotion = Promotion { state, ..earlier };
        match known {
            Some(known) => known.clone_from(&promotion),
            None => list.push(promotion.clone()),
        }
        Ok((None, promotion))
    };
    let (version, promotion) = part::change(&services, change, edit).await?;
    Ok(versioned(StatusCode::OK, version, &Named::from(promotion)))
}
