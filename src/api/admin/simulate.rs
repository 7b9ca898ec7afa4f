//! `/v1/admin/promotions/{code}/simulate` and `/v1/admin/programme/simulate`: what a draft would have given.

use std::sync::Arc;

use actix_web::{HttpResponse, post, web};
use chrono::NaiveDate;
use serde::Deserialize;
use tessera_rules::Programme;
use tessera_rules::amount::{Minor, OutOfRange, Points};
use tessera_rules::limit::Budget;
use tessera_rules::programme::Problem as Mistake;
use tessera_rules::promotion::{Promotion, PromotionEffect};
use tessera_rules::simulate::Simulation;
use tessera_rules::text::Text;
use tessera_rules::tier::{LAST_DAY, Span};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::part::Whole;
use super::schemas;
use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::error::{Code, FieldError, Problem, both, internal};
use crate::api::extract::{Id, Json, invalid_field};
use crate::api::guard::permit;
use crate::api::openapi::problems;
use crate::api::simulated::SimulationView;
use crate::api::work;
use crate::engine::{self, Versioned};
use crate::store;

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(simulate_promotion).service(simulate_programme);
}

/// Over which days a promotion is tried.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PromotionSimulation {
    /// First local day.
    #[schema(example = "2026-07-01")]
    from: NaiveDate,
    /// Last local day.
    #[schema(example = "2026-09-30")]
    to: NaiveDate,
    /// What to try instead of the promotion on record; it need not be there yet.
    #[schema(value_type = Option<schemas::Promotion>)]
    promotion: Option<Whole<Promotion>>,
    /// A budget instead of the promotion's own: told is the day on which it would have been used up.
    #[schema(value_type = Option<i64>, minimum = 1, example = 50_000)]
    budget_points: Option<Points>,
    /// The same in money, in minor units, for a promotion that gives cashback.
    #[schema(value_type = Option<i64>, minimum = 1, example = 100_000)]
    budget_money: Option<Minor>,
}

/// Which programme is tried, over which days.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ProgrammeSimulation {
    /// First local day.
    #[schema(example = "2026-07-01")]
    from: NaiveDate,
    /// Last local day.
    #[schema(example = "2026-09-30")]
    to: NaiveDate,
    /// The whole document. Its drafts stay drafts.
    #[schema(value_type = schemas::Programme)]
    programme: Whole<Programme>,
}

pub(super) fn days(from: NaiveDate, to: NaiveDate) -> Result<Span, Problem> {
    let past_the_end = |day: NaiveDate| day > LAST_DAY;
    if to < from {
        return Err(invalid_field("/to", "Must not be before `from`.", "不能早于 `from`。"));
    }
    if past_the_end(to) {
        return Err(invalid_field("/to", "There is no such day.", "日期无效。"));
    }
    Ok(Span { from, to })
}

/// Refuses what could not be put in force; a mistake inside `at` is pointed at in `field` of the body.
pub(super) fn sound(mistakes: Vec<Mistake>, at: &str, field: &str) -> Result<(), Problem> {
    if mistakes.is_empty() {
        return Ok(());
    }
    let told = mistakes.into_iter().fold(Problem::new(Code::ProgrammeInvalid), |told, mistake| {
        let inside = mistake.pointer.strip_prefix(at).map(|rest| format!("{field}{rest}"));
        let detail = Text::from(mistake.detail.as_str());
        told.with_error(FieldError { pointer: inside.unwrap_or_default(), code: mistake.code, detail })
    });
    Err(told)
}

/// Replays everybody, page by page. One at a time: the second caller is told to wait.
async fn run(services: &Services, simulation: Simulation, in_force: &Arc<Versioned>) -> Result<Simulation, Problem> {
    let busy = || Problem::new(Code::Busy).with_detail(both("Another simulation is running.", "另一个模拟正在进行。"));
    // Given back when the caller goes away, too.
    let _turn = services.simulations.try_acquire().map_err(|_| busy())?;
    let (mut simulation, mut after) = (simulation, None);
    loop {
        let page = work::run(services, move |conn| Ok(store::simulate::page(conn, after, None)?)).await?;
        let in_force = in_force.clone();
        let replayed = tokio::task::spawn_blocking(move || {
            let last = engine::simulate::replay(&mut simulation, &in_force.programme, page);
            (simulation, last)
        });
        let (back, last) = replayed.await.map_err(|error| internal(&error.to_string()))?;
        (simulation, after) = (back, last?);
        if after.is_none() {
            return Ok(simulation);
        }
    }
}

pub(super) fn out_of_range(_: OutOfRange) -> Problem {
    Code::AmountOutOfRange.into()
}

/// The budget asked about, which must be of what the promotion gives.
fn budget_asked(
    promotion: &Promotion,
    points: Option<Points>,
    money: Option<Minor>,
) -> Result<Option<Budget>, Problem> {
    if points.is_some_and(|points| !points.is_positive()) {
        return Err(invalid_field("/budget_points", "Must be at least 1.", "必须至少为 1。"));
    }
    if money.is_some_and(|money| !money.is_positive()) {
        return Err(invalid_field("/budget_money", "Must be at least 1.", "必须至少为 1。"));
    }
    match (matches!(promotion.effect, PromotionEffect::Cashback { .. }), points, money) {
        (true, Some(_), _) => Err(invalid_field("/budget_points", "It gives no points.", "该活动不赠送积分。")),
        (false, _, Some(_)) => Err(invalid_field("/budget_money", "It gives no money.", "该活动不返现。")),
        _ => Ok(points.map(Budget::Points).or(money.map(Budget::Money))),
    }
}

/// Simulate a promotion
///
/// Replays the purchases of the past through the rules with the promotion live, whatever its state, and with
/// everything else as it is in force; compares with what was given then. Nothing is changed. A promotion with
/// another trigger than a purchase cannot be simulated.
#[utoipa::path(
    params(("id" = String, Path, description = "Its code.")),
    request_body = PromotionSimulation,
    responses((status = 200, description = "What would have been.", body = SimulationView)),
    extensions(("x-problems" = json!(problems(&[
        Code::NotReplayed, Code::ProgrammeInvalid, Code::NoProgramme, Code::AmountOutOfRange, Code::Busy
    ]))))
)]
#[post("/promotions/{id}/simulate")]
async fn simulate_promotion(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<String>,
    body: Json<PromotionSimulation>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WritePromotions, &Resource::Programme)?;
    let PromotionSimulation { from, to, promotion, budget_points, budget_money } = body.0;
    let promotion = promotion.map(|Whole(promotion)| promotion);
    if promotion.as_ref().is_some_and(|promotion| promotion.code != id.0) {
        let detail = both("Must be the code in the path.", "必须与路径中的编码一致。");
        return Err(Problem::field(Code::InvalidField, "/promotion/code", "code_mismatch", detail));
    }
    let in_force = services.engine.programme().await?;
    let mut tried = in_force.programme.clone();
    let known = tried.promotions.iter().position(|known| known.code == id.0);
    let at = known.unwrap_or(tried.promotions.len());
    match (known, promotion) {
        (Some(at), Some(promotion)) => tried.promotions[at] = promotion,
        (None, Some(promotion)) => tried.promotions.push(promotion),
        (Some(_), None) => {}
        (None, None) => return Err(Code::NotFound.into()),
    }
    sound(tried.problems(), &format!("/promotions/{at}"), "/promotion")?;
    if !tried.promotions[at].trigger.is_purchase() {
        return Err(Code::NotReplayed.into());
    }
    let asked = budget_asked(&tried.promotions[at], budget_points, budget_money)?;
    let simulation = Simulation::new(&tried, &in_force.programme, days(from, to)?, &[&id.0]);
    let done = run(&services, simulation, &in_force).await?;
    let budget = asked.or(tried.promotions[at].limits.budget()).map(|budget| (id.0.as_str(), budget));
    let view = SimulationView::of(&tried, (from, to), done.report(), budget).map_err(out_of_range)?;
    Ok(HttpResponse::Ok().json(view))
}

/// Simulate a programme
///
/// Replays the purchases of the past through another programme, its rates and tiers included, and compares with
/// what was given then. Where it measures tiers otherwise, they are lived again as if it had always been in
/// force. Nothing is changed. Promotions with another trigger than a purchase are not replayed.
#[utoipa::path(
    request_body = ProgrammeSimulation,
    responses((status = 200, description = "What would have been.", body = SimulationView)),
    extensions(("x-problems" = json!(problems(&[
        Code::ProgrammeInvalid, Code::NoProgramme, Code::CurrencyMismatch, Code::AmountOutOfRange, Code::Busy
    ]))))
)]
#[post("/programme/simulate")]
async fn simulate_programme(
    services: web::Data<Services>,
    caller: Caller,
    body: Json<ProgrammeSimulation>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WriteProgramme, &Resource::Programme)?;
    let ProgrammeSimulation { from, to, programme: Whole(tried) } = body.0;
    sound(tried.problems(), "", "/programme")?;
    let in_force = services.engine.programme().await?;
    if tried.currency != in_force.programme.currency {
        return Err(Code::CurrencyMismatch.into());
    }
    let simulation = Simulation::new(&tried, &in_force.programme, days(from, to)?, &[]);
    let done = run(&services, simulation, &in_force).await?;
    let view = SimulationView::of(&tried, (from, to), done.report(), None).map_err(out_of_range)?;
    Ok(HttpResponse::Ok().json(view))
}
