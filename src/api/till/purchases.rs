//! `/v1/till/purchases`: previewing, recording and reading receipts.

use actix_web::{HttpResponse, get, post, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tessera_rules::amount::{Currency, MAX_MAGNITUDE, Points};
use tessera_rules::command::{Line, Purchase, Tender};
use tessera_rules::decision::PurchaseOutcome;
use tessera_rules::explain::Explanation;
use tessera_rules::id::{MemberId, PurchaseId};
use tessera_rules::time::to_micros;
use tessera_rules::{Command, Outcome};
use utoipa::{IntoParams, ToSchema};

use super::schemas::{ExplanationSchema, LineSchema, TenderSchema};
use super::till_store;
use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::contact;
use crate::api::error::{Code, Problem, both};
use crate::api::extract::{Id, IdempotencyKey, Json, Query, Reader};
use crate::api::guard::permit;
use crate::api::openapi::problems;
use crate::api::page::ListOf;
use crate::api::problem::stored;
use crate::api::submit::{self, Request};
use crate::api::views::{BalanceView, LotView, ProgressView};
use crate::clock::new_uuid;
use crate::engine::{Answer, Render};
use crate::store::ledger;

/// A receipt.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PurchaseRequest {
    /// Who bought.
    #[schema(value_type = String, example = "mem_01kapm3v5ne8v9b3r6a2f7qk4d")]
    member_id: MemberId,
    /// The receipt number, unique in the store for ever.
    #[schema(example = "R-2026-000117", max_length = 64)]
    external_id: String,
    /// When it happened at the till: at most 30 days back and 5 minutes ahead. Absent: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    occurred_at: Option<DateTime<Utc>>,
    /// The programme's currency.
    #[schema(value_type = String, example = "CNY")]
    currency: Currency,
    /// 1 to 1,000 lines.
    #[schema(value_type = Vec<LineSchema>)]
    lines: Vec<Line>,
    /// How it was paid, where a tender is excluded from earning.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<TenderSchema>)]
    tenders: Vec<Tender>,
}

/// Lines a receipt may have.
const LINES_MAX: usize = 1_000;
/// Tenders a receipt may have.
const TENDERS_MAX: usize = 20;
/// Categories a line may have.
const CATEGORIES_MAX: usize = 8;
/// Characters of an SKU, a category or a tender type.
const NAME_MAX: usize = 64;

impl PurchaseRequest {
    /// Checks what types alone do not say.
    fn check(&self) -> Result<(), Problem> {
        contact::text("/external_id", &self.external_id, 64)?;
        within("/lines", self.lines.len(), 1, LINES_MAX)?;
        within("/tenders", self.tenders.len(), 0, TENDERS_MAX)?;
        for (i, line) in self.lines.iter().enumerate() {
            if line.quantity.units() <= 0 {
                let detail = both("The quantity must be above 0.", "数量必须大于 0。");
                return Err(Problem::field(Code::InvalidField, format!("/lines/{i}/quantity"), "too_small", detail));
            }
            if line.quantity.units() > MAX_MAGNITUDE {
                let detail = both("The quantity is too large.", "数量过大。");
                return Err(Problem::field(Code::InvalidField, format!("/lines/{i}/quantity"), "too_large", detail));
            }
            within(&format!("/lines/{i}/categories"), line.categories.len(), 0, CATEGORIES_MAX)?;
            for (j, category) in line.categories.iter().enumerate() {
                contact::text(&format!("/lines/{i}/categories/{j}"), category, NAME_MAX)?;
            }
            if let Some(sku) = &line.sku {
                contact::text(&format!("/lines/{i}/sku"), sku, NAME_MAX)?;
            }
        }
        for (i, tender) in self.tenders.iter().enumerate() {
            contact::text(&format!("/tenders/{i}/type"), &tender.kind, NAME_MAX)?;
            if tender.amount.get() < 0 {
                let detail = both("A tender is not negative.", "支付金额不能为负数。");
                return Err(Problem::field(Code::InvalidField, format!("/tenders/{i}/amount"), "too_small", detail));
            }
        }
        Ok(())
    }

    /// The command of this receipt at the caller's store.
    async fn command(&self, services: &Services, caller: &Caller) -> Result<Command, Problem> {
        let store = till_store(caller)?;
        let code = services.engine.store_code(store).await?;
        Ok(Command::Purchase(Purchase {
            id: PurchaseId::new(new_uuid()),
            store,
            store_code: code.to_string(),
            source: code.to_string(),
            external_id: self.external_id.clone(),
            occurred_at: self.occurred_at.map(to_micros),
            currency: self.currency,
            lines: self.lines.clone(),
            tenders: self.tenders.clone(),
            content: Purchase::content_of(self.member_id, self.currency, &self.lines, &self.tenders),
        }))
    }
}

fn within(pointer: &str, count: usize, least: usize, most: usize) -> Result<(), Problem> {
    if (least..=most).contains(&count) {
        return Ok(());
    }
    let detail = both(format!("Expected {least} to {most} of them."), format!("数量应为 {least} 到 {most}。"));
    Err(Problem::field(Code::InvalidField, pointer, "count_invalid", detail))
}

/// What a purchase earned, and why.
#[derive(Serialize, ToSchema)]
struct PurchaseView<'a> {
    /// The purchase.
    #[schema(value_type = String, example = "pur_01kapm5q0tf3wavd1k9m2x8z7c")]
    id: PurchaseId,
    /// When it happened.
    occurred_at: DateTime<Utc>,
    /// When it was decided.
    recorded_at: DateTime<Utc>,
    /// Points before and after caps, and how many of them are pending.
    points: PointsView,
    /// Where the points come from; sums to the points given.
    breakdown: Vec<Part<'a>>,
    /// Lots that opened.
    lots: Vec<LotView>,
    /// Balances afterwards.
    balance: BalanceView,
    /// The tier before and after.
    tier: TierMove<'a>,
    /// Why, factor by factor; stored with the purchase and never recomputed.
    #[schema(value_type = ExplanationSchema)]
    explanation: &'a Explanation,
}

/// Points of a purchase.
#[derive(Serialize, ToSchema)]
struct PointsView {
    /// Before caps.
    #[schema(value_type = i64)]
    wanted: Points,
    /// Given.
    #[schema(value_type = i64)]
    given: Points,
    /// Of these, not yet spendable.
    #[schema(value_type = i64)]
    pending: Points,
}

/// One source of a purchase's points.
#[derive(Serialize, ToSchema)]
struct Part<'a> {
    /// `base` (lines at the base rate, rules and tier), `promotion`, `carried` or `cap`.
    kind: &'static str,
    /// Code of the promotion.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    /// Negative for a cap.
    points: i64,
}

/// The tier before and after a purchase.
#[derive(Serialize, ToSchema)]
struct TierMove<'a> {
    /// Code of the tier held just before.
    before: &'a str,
    /// Code of the tier held now.
    after: &'a str,
    /// The way to the next.
    progress: ProgressView,
}

fn view(outcome: &PurchaseOutcome) -> PurchaseView<'_> {
    PurchaseView {
        id: outcome.id,
        occurred_at: outcome.occurred_at,
        recorded_at: outcome.recorded_at,
        points: PointsView { wanted: outcome.wanted, given: outcome.given, pending: Points::ZERO },
        breakdown: breakdown(outcome),
        lots: outcome.lots.iter().map(LotView::from).collect(),
        balance: outcome.balance.into(),
        tier: TierMove {
            before: &outcome.tier_before,
            after: &outcome.tier_after,
            progress: outcome.progress.clone().into(),
        },
        explanation: &outcome.explanation,
    }
}

/// Charges, carry and caps as the explanation has them; what is left is the base.
fn breakdown(outcome: &PurchaseOutcome) -> Vec<Part<'_>> {
    let why = &outcome.explanation;
    let promotions = why.promotions.iter().filter(|promotion| promotion.missed.is_none());
    let mut parts: Vec<Part<'_>> = promotions
        .map(|promotion| Part { kind: "promotion", code: Some(&promotion.code), points: promotion.charged.get() })
        .collect();
    if why.carried_points.is_positive() {
        parts.push(Part { kind: "carried", code: None, points: why.carried_points.get() });
    }
    parts.extend(why.caps.iter().map(|cap| Part { kind: "cap", code: None, points: -cap.cut.get() }));
    let rest = outcome.given.get() - parts.iter().map(|part| part.points).sum::<i64>();
    parts.insert(0, Part { kind: "base", code: None, points: rest });
    parts
}

fn show(status: u16, outcome: &Outcome) -> Answer {
    match outcome {
        Outcome::Purchase(outcome) => submit::answer(status, &view(outcome)),
        _ => submit::answer(500, &()),
    }
}

/// The answer that is stored with a purchase, for whoever submits one without a request: imports
/// and replays store what a till would have been told.
pub fn render(reader: Option<Reader>) -> Render {
    submit::render(reader, |outcome| show(201, outcome))
}

/// Preview a purchase
///
/// The answer a purchase would get now; nothing is written. The id is not kept.
#[utoipa::path(
    operation_id = "preview_purchase",
    responses((status = 200, description = "What it would earn", body = PurchaseView)),
    extensions(("x-problems" = json!(problems(PROBLEMS))))
)]
#[post("/purchases/preview")]
pub(super) async fn preview(
    services: web::Data<Services>,
    caller: Caller,
    Json(request): Json<PurchaseRequest>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::PreviewPurchase, &Resource::Member(request.member_id))?;
    request.check()?;
    let command = request.command(&services, &caller).await?;
    let decided = services.engine.preview(request.member_id, command, caller.actor()).await?;
    let outcome = decided.map_err(|refusal| Problem::from(&refusal))?;
    let Answer { status, body } = show(200, &outcome);
    Ok(stored(status, body, false))
}

/// What a purchase may be refused for.
const PROBLEMS: &[Code] = &[
    Code::MemberUnknown,
    Code::MemberFrozen,
    Code::CurrencyMismatch,
    Code::OccurredTooEarly,
    Code::OccurredTooLate,
    Code::TendersExceedTotal,
    Code::AmountOutOfRange,
    Code::NoProgramme,
];

/// Record a purchase
///
/// The same receipt again is answered with the first result: 201 under the same key, 200 under
/// another. Another receipt under the same number is a conflict.
#[utoipa::path(
    operation_id = "record_purchase",
    params(IdempotencyKey),
    responses(
        (status = 201, description = "Recorded", body = PurchaseView),
        (status = 200, description = "Known under another key: the first answer", body = PurchaseView),
    ),
    extensions(("x-problems" = json!(problems(&[PROBLEMS, &[Code::DuplicateExternalId]].concat()))))
)]
#[post("/purchases")]
pub(super) async fn create(
    services: web::Data<Services>,
    caller: Caller,
    key: IdempotencyKey,
    reader: Reader,
    Json(request): Json<PurchaseRequest>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::RecordPurchase, &Resource::Member(request.member_id))?;
    request.check()?;
    let command = request.command(&services, &caller).await?;
    let member = request.member_id;
    let submission = Request { caller: &caller, key, route: "POST /v1/till/purchases", member, reader };
    submit::submit(&services, submission, &request, command, |outcome| show(201, outcome)).await
}

/// Read a purchase
#[utoipa::path(
    operation_id = "read_purchase",
    responses((status = 200, description = "As it was answered first", body = PurchaseView))
)]
#[get("/purchases/{id}")]
pub(super) async fn get(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<PurchaseId>,
) -> Result<HttpResponse, Problem> {
    let found = services.pool.run(move |conn| ledger::purchase(conn, id)).await?;
    let document = found.ok_or(Problem::new(Code::NotFound));
    // Who may read no purchase at all learns nothing from a missing one.
    let resource = match &document {
        Ok(document) => document.resource(),
        Err(_) => Resource::Programme,
    };
    permit(&caller, Action::ReadPurchase, &resource)?;
    Ok(stored(200, document?.answer, false))
}

/// Which receipt.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct FindPurchase {
    /// The receipt number in the caller's store.
    external_id: String,
}

/// Find a purchase by its receipt number
#[utoipa::path(
    operation_id = "find_purchase",
    params(FindPurchase),
    responses((status = 200, description = "At most one", body = ListOf<PurchaseView>))
)]
#[get("/purchases")]
pub(super) async fn find(
    services: web::Data<Services>,
    caller: Caller,
    Query(query): Query<FindPurchase>,
) -> Result<HttpResponse, Problem> {
    let store = till_store(&caller)?;
    permit(&caller, Action::ReadPurchase, &Resource::Store(store))?;
    let source = services.engine.store_code(store).await?;
    let find = move |conn: &mut _| ledger::purchase_by_receipt(conn, &source, &query.external_id);
    let found = services.pool.run(find).await?;
    let data = found.iter().map(|document| document.answer.as_str()).collect::<Vec<_>>().join(",");
    // The stored answers go out as they are: parsing them to write them again would gain nothing.
    Ok(stored(200, format!("{{\"data\":[{data}],\"next_cursor\":null}}"), false))
}
