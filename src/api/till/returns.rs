//! `/v1/till/purchases/{id}/returns`: goods of a purchase that come back.

use actix_web::{HttpResponse, get, post, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tessera_rules::amount::{Currency, Minor, Points, Quantity};
use tessera_rules::command::{Return, ReturnLine, ReturnPart, ReturnedGoods};
use tessera_rules::decision::ReturnOutcome;
use tessera_rules::id::{MemberId, PurchaseId, ReturnId};
use tessera_rules::returns::LineReturned;
use tessera_rules::{Command, Outcome};
use utoipa::ToSchema;
use uuid::Uuid;

use super::schemas::{LineReturnedSchema, QuantitySchema};
use super::till_store;
use crate::access::{Action, Caller};
use crate::api::Services;
use crate::api::contact;
use crate::api::document::{allowed, documents};
use crate::api::error::{Code, Problem, both};
use crate::api::extract::{Id, IdempotencyKey, Json, Query, Reader};
use crate::api::openapi::problems;
use crate::api::page::{ListOf, Page};
use crate::api::submit::{self, Request};
use crate::api::views::{BalanceView, MoneyView, ProgressView};
use crate::api::wallets::WalletInReturnView;
use crate::clock::new_uuid;
use crate::engine::Answer;
use crate::store::ledger::{self, Document};
use crate::store::link;

/// Goods that come back: some lines, or all that is left.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReturnRequest {
    /// The number of the return, unique among the returns of the store for ever.
    #[schema(example = "R-2026-000117-B", max_length = 64)]
    external_id: String,
    /// Which lines; 1 to 1,000. Either this or `all`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lines: Option<Vec<LineRequest>>,
    /// Everything that has not come back yet. Either this or `lines`.
    #[serde(default)]
    all: bool,
    /// Machine-readable reason.
    #[schema(example = "damaged", max_length = 64)]
    reason: String,
}

/// A line that comes back: what is left of it, or so many pieces, or so much of its amount.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LineRequest {
    /// Position in the purchase, from 1.
    #[schema(minimum = 1)]
    line: u32,
    /// How many pieces. At most one of this and `amount`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<QuantitySchema>)]
    quantity: Option<Quantity>,
    /// How much of its amount, in minor units and with its sign. At most one of this and `quantity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    amount: Option<Minor>,
}

/// Lines a return may have.
const LINES_MAX: usize = 1_000;

impl ReturnRequest {
    fn goods(&self) -> Result<ReturnedGoods, Problem> {
        contact::text("/external_id", &self.external_id, 64)?;
        contact::text("/reason", &self.reason, 64)?;
        match &self.lines {
            None if self.all => Ok(ReturnedGoods::All),
            Some(lines) if !self.all => {
                super::within("/lines", lines.len(), 1, LINES_MAX)?;
                let parts = lines.iter().enumerate().map(|(i, line)| line.part(i));
                parts.collect::<Result<_, _>>().map(ReturnedGoods::Lines)
            }
            _ => {
                let detail = both("Give either lines or all.", "lines 与 all 必须且只能提供一个。");
                Err(Problem::field(Code::InvalidField, "", "one_of", detail))
            }
        }
    }
}

impl LineRequest {
    fn part(&self, i: usize) -> Result<ReturnLine, Problem> {
        let part = match (self.quantity, self.amount) {
            (None, None) => ReturnPart::Rest,
            (Some(quantity), None) => ReturnPart::Quantity(quantity),
            (None, Some(amount)) => ReturnPart::Amount(amount),
            (Some(_), Some(_)) => {
                let detail = both("Give quantity or amount, not both.", "quantity 与 amount 不能同时提供。");
                return Err(Problem::field(Code::InvalidField, format!("/lines/{i}"), "one_of", detail));
            }
        };
        Ok(ReturnLine { line: self.line, part })
    }
}

/// What came back, and what that took and gave.
#[derive(Serialize, ToSchema)]
pub(super) struct ReturnView<'a> {
    /// The return.
    #[schema(value_type = String, example = "ret_01kapm7c5sf0a8w3k2v9d6q4zr")]
    id: ReturnId,
    /// The purchase.
    #[schema(value_type = String, example = "pur_01kapm5q0tf3wavd1k9m2x8z7c")]
    purchase_id: PurchaseId,
    /// The number of the return.
    external_id: &'a str,
    /// Why.
    reason: &'a str,
    /// What came back, in the order of the request.
    #[schema(value_type = Vec<LineReturnedSchema>)]
    lines: &'a [LineReturned],
    /// What it was sold for.
    amount: MoneyView,
    /// Points it moved.
    points: ReturnPoints,
    /// What the points given back had paid of `amount`: that part is not paid out in money.
    worth: MoneyView,
    /// What it did to the wallet; absent for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    wallet: Option<WalletInReturnView>,
    /// Balances afterwards.
    balance: BalanceView,
    /// Where the member stands.
    tier: ReturnTier,
    /// When.
    recorded_at: DateTime<Utc>,
}

/// Points of a return.
#[derive(Serialize, ToSchema)]
struct ReturnPoints {
    /// Taken back of what the purchase had earned, `owed` and `forgiven` included.
    #[schema(value_type = i64)]
    clawed: Points,
    /// Of these, points the member now owes.
    #[schema(value_type = i64)]
    owed: Points,
    /// Of these, points that were not there and are not asked for.
    #[schema(value_type = i64)]
    forgiven: Points,
    /// Given back to the lots they came from: points that had paid for the goods.
    #[schema(value_type = i64)]
    given_back: Points,
}

/// The tier after a return.
#[derive(Serialize, ToSchema)]
struct ReturnTier {
    /// Where the member stands; the tier falls at the next midnight at the earliest.
    progress: ProgressView,
}

pub(super) fn view(outcome: &ReturnOutcome, currency: Currency) -> ReturnView<'_> {
    let record = &outcome.record;
    ReturnView {
        id: record.id,
        purchase_id: record.purchase,
        external_id: &record.external_id,
        reason: &record.reason,
        lines: &record.lines,
        amount: MoneyView { amount: record.amount, currency },
        points: ReturnPoints {
            clawed: record.clawed,
            owed: record.owed,
            forgiven: record.forgiven,
            given_back: record.given_back,
        },
        worth: MoneyView { amount: outcome.worth, currency },
        wallet: outcome.wallet.map(WalletInReturnView::from),
        balance: outcome.balance.into(),
        tier: ReturnTier { progress: outcome.progress.clone().into() },
        recorded_at: outcome.recorded_at,
    }
}

fn show(outcome: &Outcome, currency: Currency) -> Answer {
    match outcome {
        Outcome::Return(outcome) => submit::answer(201, &view(outcome, currency)),
        _ => submit::answer(500, &()),
    }
}

/// Return goods of a purchase
///
/// Points that had paid for the goods are given back to the lots they came from; then what the purchase
/// earned beyond what remains of it is taken back, by the rates it earned at. The same return again is
/// answered with the first result: 201 under the same key, 200 under another. Another return under the
/// same number is a conflict. Goods of a purchase that was moved to another member come back from that one.
#[utoipa::path(
    operation_id = "return_purchase",
    params(IdempotencyKey),
    responses(
        (status = 201, description = "Taken back", body = ReturnView),
        (status = 200, description = "Known under another key: the first answer", body = ReturnView),
    ),
    extensions(("x-problems" = json!(problems(PROBLEMS))))
)]
#[post("/purchases/{id}/returns")]
pub(super) async fn create(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<PurchaseId>,
    key: IdempotencyKey,
    reader: Reader,
    Json(request): Json<ReturnRequest>,
) -> Result<HttpResponse, Problem> {
    let goods = request.goods()?;
    let find = move |conn: &mut _| {
        let found = ledger::purchase(conn, id)?;
        found.map(|found| link::as_moved(conn, found)).transpose()
    };
    let found = services.pool.run(find).await?;
    let sold = allowed(&caller, Action::ReturnPurchase, found, Document::resource)?;
    let (purchase, member) = (PurchaseId::new(sold.id), MemberId::new(sold.member_id));
    let here = till_store(&caller)?;
    let source = services.engine.store_code(here).await?;
    let currency = services.engine.programme().await?.programme.currency;
    let command = Command::Return(Return {
        id: ReturnId::new(new_uuid()),
        purchase,
        elsewhere: sold.store_id != here.uuid(),
        source: source.to_string(),
        external_id: request.external_id.clone(),
        content: Return::content_of(purchase, &goods),
        goods,
        reason: request.reason.clone(),
    });
    let submission = Request { caller: &caller, key, route: "POST /v1/till/purchases/{id}/returns", member, reader };
    let show = move |outcome: &_| show(outcome, currency);
    submit::submit(&services, submission, &(id, &request), command, show).await
}

/// What a return may be refused for.
const PROBLEMS: &[Code] = &[
    Code::PurchaseUnknown,
    Code::SoldElsewhere,
    Code::ReturnConflict,
    Code::LineUnknown,
    Code::NotAPart,
    Code::MoreThanLeft,
    Code::NothingToReturn,
    Code::AmountOutOfRange,
    Code::NoProgramme,
];

/// Read the returns of a purchase
#[utoipa::path(
    operation_id = "purchase_returns",
    params(Page),
    responses((status = 200, description = "Newest first, as they were answered first", body = ListOf<ReturnView>))
)]
#[get("/purchases/{id}/returns")]
pub(super) async fn list(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<PurchaseId>,
    Query(page): Query<Page>,
) -> Result<HttpResponse, Problem> {
    let before = page.cursor.as_ref().map(|cursor| cursor.open::<Uuid>("returns")).transpose()?;
    let read = move |conn: &mut _| {
        let purchase = ledger::purchase(conn, id)?;
        Ok((purchase, ledger::returns(conn, id, before, page.limit.to_read())?))
    };
    let (purchase, rows) = services.pool.run(read).await?;
    allowed(&caller, Action::ReadPurchase, purchase, Document::resource)?;
    documents("returns", rows, page.limit)
}
