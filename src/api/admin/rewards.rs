//! `/v1/admin/rewards`: what points buy.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, delete, get, post, put, web};
use serde::Serialize;
use tessera_rules::Programme;
use tessera_rules::reward::Reward;
use utoipa_actix_web::service_config::ServiceConfig;

use super::part::{self, Condition, Named, Part, Sent, put_answer};
use super::schemas;
use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::error::{Code, Problem};
use crate::api::extract::{Id, IfMatch, Json};
use crate::api::guard::permit;
use crate::api::openapi::problems;
use crate::api::page::ListOf;
use crate::api::supply::Supply;
use crate::api::work::{gone, versioned};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_rewards).service(create_reward).service(read_reward).service(put_reward).service(delete_reward);
}

impl Part for Reward {
    const NOUN: &'static str = "reward";
    const AT: &'static str = "/rewards";

    fn code(&self) -> &str {
        &self.code
    }

    fn list(programme: &Programme) -> &[Self] {
        &programme.rewards
    }

    fn list_mut(programme: &mut Programme) -> &mut Vec<Self> {
        &mut programme.rewards
    }
}

/// A reward and what is left of it.
#[derive(Serialize)]
struct Stocked {
    #[serde(flatten)]
    named: Named<Reward>,
    used: Option<i64>,
    left: Option<i64>,
}

/// Shows rewards with what was handed out of those that have a stock, and what is left.
async fn stocked(services: &Services, rewards: Vec<Named<Reward>>) -> Result<Vec<Stocked>, Problem> {
    let supply = Supply::read(services).await?;
    let show = |named: Named<Reward>| {
        let used = named.part.stock.map(|_| supply.used(&named.part));
        Stocked { used, left: supply.left(&named.part), named }
    };
    Ok(rewards.into_iter().map(show).collect())
}

async fn one_stocked(services: &Services, reward: Reward) -> Result<Stocked, Problem> {
    let mut shown = stocked(services, vec![reward.into()]).await?;
    shown.pop().ok_or(Problem::new(Code::Internal))
}

/// All rewards
///
/// With how many are left, where there is a stock.
#[utoipa::path(
    responses((status = 200, description = "All of them.", body = ListOf<schemas::RewardView>,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/rewards")]
async fn list_rewards(services: web::Data<Services>, caller: Caller) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadProgramme, &Resource::Programme)?;
    let found = services.engine.programme().await?;
    let list = ListOf::whole(stocked(&services, part::named::<Reward>(&found.programme)).await?);
    Ok(versioned(StatusCode::OK, found.version, &list))
}

/// Add a reward
#[utoipa::path(
    request_body = schemas::Reward,
    responses((status = 201, description = "Added.", body = schemas::RewardView,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[
        Code::CodeTaken, Code::ProgrammeInvalid, Code::NoProgramme
    ]))))
)]
#[post("/rewards")]
async fn create_reward(
    services: web::Data<Services>,
    caller: Caller,
    body: Json<Sent<Reward>>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WriteRewards, &Resource::Programme)?;
    let (version, created) = part::create(&services, &caller, body.0.0).await?;
    Ok(put_answer(version, true, &one_stocked(&services, created).await?))
}

/// One reward
#[utoipa::path(
    params(("id" = String, Path, description = "Its code.")),
    responses((status = 200, description = "The reward.", body = schemas::RewardView,
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/rewards/{id}")]
async fn read_reward(services: web::Data<Services>, caller: Caller, id: Id<String>) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadProgramme, &Resource::Programme)?;
    let found = services.engine.programme().await?;
    let reward = part::find::<Reward>(&found, &id.0)?;
    Ok(versioned(StatusCode::OK, found.version, &one_stocked(&services, reward).await?))
}

/// Add or replace a reward
#[utoipa::path(
    params(("id" = String, Path, description = "Its code."), Condition),
    request_body = schemas::Reward,
    responses(
        (status = 200, description = "Replaced.", body = schemas::RewardView,
            headers(("ETag" = String, description = "The version of the programme."))),
        (status = 201, description = "Added.", body = schemas::RewardView,
            headers(("ETag" = String, description = "The version of the programme."))),
    ),
    extensions(("x-problems" = json!(problems(&[Code::ProgrammeInvalid, Code::NoProgramme]))))
)]
#[put("/rewards/{id}")]
async fn put_reward(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<String>,
    condition: Condition,
    body: Json<Sent<Reward>>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WriteRewards, &Resource::Programme)?;
    let (version, stored, new) = part::put(&services, &caller, &id.0, condition, body.0.0).await?;
    Ok(put_answer(version, new, &one_stocked(&services, stored).await?))
}

/// Take a reward away
#[utoipa::path(
    params(("id" = String, Path, description = "Its code."), IfMatch),
    responses((status = 204, description = "Gone.",
        headers(("ETag" = String, description = "The version of the programme.")))),
    extensions(("x-problems" = json!(problems(&[Code::ProgrammeInvalid, Code::NoProgramme]))))
)]
#[delete("/rewards/{id}")]
async fn delete_reward(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<String>,
    if_match: IfMatch,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WriteRewards, &Resource::Programme)?;
    Ok(gone(part::delete::<Reward>(&services, &caller, &id.0, if_match).await?))
}
