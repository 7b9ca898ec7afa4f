//! `/v1/till/purchases`: previewing, recording and reading receipts.

use actix_web::{HttpResponse, get, post, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tessera_rules::amount::{Minor, Points};
use tessera_rules::command::Tender;
use tessera_rules::decision::PurchaseOutcome;
use tessera_rules::explain::Explanation;
use tessera_rules::id::{PurchaseId, QuoteId};
use tessera_rules::{Outcome, Refusal};
use utoipa::{IntoParams, ToSchema};

use super::receipt::PurchaseRequest;
use super::schemas::{ExplanationSchema, TenderSchema};
use super::{authorisation, till_store};
use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::document::{Purchases, Returned, allowed, documents};
use crate::api::error::{Code, Problem};
use crate::api::extract::{Id, IdempotencyKey, Json, Query, Reader};
use crate::api::given::GivenView;
use crate::api::guard::permit;
use crate::api::linked::stays;
use crate::api::openapi::problems;
use crate::api::page::{Limit, ListOf};
use crate::api::problem::stored;
use crate::api::submit;
use crate::api::views::{BalanceView, LotView, ProgressView};
use crate::api::wallets::WalletInPurchaseView;
use crate::engine::{Answer, Render, Reply, Submission, Time};
use crate::store::ledger::{self, Document};
use crate::store::link;
use crate::store::shop::{self, ShopRow};

/// What a purchase earned, and why.
#[derive(Serialize, ToSchema)]
pub(super) struct PurchaseView<'a> {
    /// The purchase.
    #[schema(value_type = String, example = "pur_01kapm5q0tf3wavd1k9m2x8z7c")]
    id: PurchaseId,
    /// When it happened.
    occurred_at: DateTime<Utc>,
    /// When it was decided.
    recorded_at: DateTime<Utc>,
    /// The quote it was made of; absent for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    quote_id: Option<QuoteId>,
    /// How it came about; absent where nobody said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "web")]
    channel: Option<&'a str>,
    /// How it was paid, beside points; absent where nobody said.
    #[serde(skip_serializing_if = "<[Tender]>::is_empty")]
    #[schema(value_type = Vec<TenderSchema>, required = false)]
    tenders: &'a [Tender],
    /// What its lines at list prices came to, in minor units, of which points pay `redeemed`; absent where the lines
    /// were what was paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    total: Option<Minor>,
    /// Points before and after caps, and how many of them are pending.
    points: PointsView,
    /// Points that paid for a part of it; absent for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    redeemed: Option<PaidView>,
    /// What it did to the wallet; absent for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    wallet: Option<WalletInPurchaseView>,
    /// Where the points come from; sums to the points given.
    breakdown: Vec<Part<'a>>,
    /// Lots that opened.
    lots: Vec<LotView>,
    /// Balances afterwards.
    balance: BalanceView,
    /// The tier before and after.
    tier: TierMove<'a>,
    /// Codes of the perks that were granted for the tier reached; absent for none.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    #[schema(required = false)]
    perks: &'a [String],
    /// What promotions gave beside points, with the purchase or for the tier reached; absent for nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    given: Vec<GivenView<'a>>,
    /// Why, factor by factor; stored with the purchase and never recomputed.
    #[schema(value_type = ExplanationSchema)]
    explanation: &'a Explanation,
    /// What came back of it so far; absent where nothing did.
    #[serde(skip_serializing_if = "Option::is_none")]
    returned: Option<Returned>,
    /// The purchase that it became when it was moved to another member; absent where it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    moved_to: Option<PurchaseId>,
}

/// Points that paid for a part of a purchase.
#[derive(Serialize, ToSchema)]
struct PaidView {
    /// How many.
    #[schema(value_type = i64)]
    points: Points,
    /// What they were worth, in minor units of the purchase's currency.
    #[schema(value_type = i64)]
    worth: Minor,
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

pub(super) fn view(outcome: &PurchaseOutcome) -> PurchaseView<'_> {
    PurchaseView {
        id: outcome.id,
        occurred_at: outcome.occurred_at,
        recorded_at: outcome.recorded_at,
        quote_id: outcome.quote,
        channel: outcome.channel.as_deref(),
        tenders: &outcome.tenders,
        total: outcome.total,
        points: PointsView { wanted: outcome.wanted, given: outcome.given, pending: outcome.pending },
        redeemed: outcome.redeemed.map(|(points, worth)| PaidView { points, worth }),
        wallet: outcome.wallet.map(WalletInPurchaseView::from),
        breakdown: breakdown(outcome),
        lots: outcome.lots.iter().map(LotView::from).collect(),
        balance: outcome.balance.into(),
        tier: TierMove {
            before: &outcome.tier_before,
            after: &outcome.tier_after,
            progress: outcome.progress.clone().into(),
        },
        perks: &outcome.perks,
        given: outcome.gifts.iter().map(GivenView::from).collect(),
        explanation: &outcome.explanation,
        returned: None,
        moved_to: None,
    }
}

/// Charges, carry and caps as the explanation has them; what is left is the base.
fn breakdown(outcome: &PurchaseOutcome) -> Vec<Part<'_>> {
    let why = &outcome.explanation;
    let promotions = why.promotions.iter();
    let promotions = promotions.filter(|promotion| promotion.missed.is_none() && promotion.cashback.is_none());
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
/// The answer a purchase would get now; nothing is written. The id is not kept. What pays of the
/// member's needs no authorisation here.
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
    permit(&caller, Action::PreviewPurchase, &Resource::Programme)?;
    let receipt = request.receipt(&services, &caller).await?;
    receipt.permit(&caller, Action::PreviewPurchase)?;
    let command = receipt.command(&services, &caller, None).await?;
    let mut decided = services.engine.preview(receipt.member, command.clone(), caller.actor()).await?;
    if matches!(decided, Err(Refusal::MemberMerged)) {
        let member = stays(&services, receipt.member).await?;
        decided = services.engine.preview(member, command, caller.actor()).await?;
    }
    let outcome = decided.map_err(|refusal| Problem::from(&refusal))?;
    let Answer { status, body } = show(200, &outcome);
    Ok(stored(status, body, false))
}

/// What a purchase may be refused for.
const PROBLEMS: &[Code] = &[
    Code::MemberUnknown,
    Code::MemberMerged,
    Code::MemberFrozen,
    Code::CurrencyMismatch,
    Code::OccurredTooEarly,
    Code::OccurredTooLate,
    Code::GoodsWithheld,
    Code::CouponNotApplicable,
    Code::NotFound,
    Code::QuoteLapsed,
    Code::QuoteUsed,
    Code::QuoteChanged,
    Code::TendersExceedTotal,
    Code::MoneyOffNotOffered,
    Code::BelowMinimum,
    Code::NotAStep,
    Code::InsufficientPoints,
    Code::MayNotSpend,
    Code::DailyLimit,
    Code::ShareTooLarge,
    Code::WalletNotOffered,
    Code::InsufficientMoney,
    Code::WalletPaysTooMuch,
    Code::AmountOutOfRange,
    Code::NoProgramme,
];

/// Record a purchase
///
/// The same receipt again is answered with the first result: 201 under the same key, 200 under
/// another. Another receipt under the same number is a conflict. Points and money of the wallet that pay need
/// the member's say-so, as any redemption does. Lines are what was paid; with `coupons` or `quote` they are at list
/// prices, and the programme makes the price.
#[utoipa::path(
    operation_id = "record_purchase",
    params(IdempotencyKey),
    responses(
        (status = 201, description = "Recorded", body = PurchaseView),
        (status = 200, description = "Known under another key: the first answer", body = PurchaseView),
    ),
    extensions(("x-problems" = json!(
        problems(&[PROBLEMS, authorisation::PROBLEMS, &[Code::DuplicateExternalId]].concat())
    )))
)]
#[post("/purchases")]
pub(super) async fn create(
    services: web::Data<Services>,
    caller: Caller,
    key: IdempotencyKey,
    reader: Reader,
    Json(request): Json<PurchaseRequest>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::RecordPurchase, &Resource::Programme)?;
    let receipt = request.receipt(&services, &caller).await?;
    receipt.permit(&caller, Action::RecordPurchase)?;
    // Most members are nobody else: who is, is asked only where a code or a PIN has to be somebody's, or
    // when the rules say so.
    let mut member = receipt.member;
    if receipt.spends() {
        member = stays(&services, member).await?;
    }
    let otp_step = receipt.authorise(&services, &caller, &key, member).await?;
    loop {
        let submission = Submission {
            member,
            command: receipt.command(&services, &caller, otp_step).await?,
            actor: caller.actor(),
            time: Time::Live,
            claim: Some(submit::claim(&caller, key.clone(), "POST /v1/till/purchases", &request)?),
            audit: None,
            render: render(Some(reader.clone())),
        };
        let reply = services.engine.submit(submission).await?;
        // A refusal for that reason is not kept under the key.
        if matches!(reply, Reply::Decided { outcome: Err(Refusal::MemberMerged), .. }) {
            let now = stays(&services, member).await?;
            if now != member {
                member = now;
                continue;
            }
        }
        return Ok(submit::pass_on(reply));
    }
}

/// Read a purchase
#[utoipa::path(
    operation_id = "read_purchase",
    responses((status = 200, description = "As it was answered first, with what came back of it", body = PurchaseView))
)]
#[get("/purchases/{id}")]
pub(super) async fn get(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<PurchaseId>,
) -> Result<HttpResponse, Problem> {
    let read = move |conn: &mut _| match ledger::purchase(conn, id)? {
        Some(found) => Purchases::of(conn, vec![found]).map(Some),
        None => Ok(None),
    };
    let found = services.pool.run(read).await?.map(Purchases::shown).transpose()?;
    let document = allowed(&caller, Action::ReadPurchase, found.and_then(|mut all| all.pop()), Document::resource)?;
    Ok(stored(200, document.answer, false))
}

/// Which receipt.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct FindPurchase {
    /// The receipt number in the store.
    external_id: String,
    /// The code of the store, where it is not the caller's. For tills only where the programme has goods
    /// of other stores come back.
    store: Option<String>,
}

impl FindPurchase {
    /// Who numbered the receipt; nobody where there is no such store.
    async fn source(&self, services: &Services, caller: &Caller) -> Result<Option<String>, Problem> {
        let own = till_store(caller)?;
        let Some(code) = self.store.clone() else {
            permit(caller, Action::ReadPurchase, &Resource::Store(own))?;
            return Ok(Some(services.engine.store_code(own).await?.to_string()));
        };
        let found = services.pool.run(move |conn| shop::by_code(conn, &code)).await?;
        // Who may take the goods back may look up what they were.
        let returnable = services.engine.programme().await?.programme.returns.other_stores;
        let action = if returnable { Action::ReturnPurchase } else { Action::ReadPurchase };
        let store = found.as_ref().map_or(own, ShopRow::store);
        permit(caller, action, &Resource::Store(store))?;
        Ok(found.map(|shop| shop.code))
    }
}

/// Find a purchase by its receipt number
///
/// One that was moved to another member is found as it is now.
#[utoipa::path(
    operation_id = "find_purchase",
    params(FindPurchase),
    responses((status = 200, description = "At most one", body = ListOf<PurchaseView>)),
    extensions(("x-problems" = json!(problems(&[Code::NotFound, Code::NoProgramme]))))
)]
#[get("/purchases")]
pub(super) async fn find(
    services: web::Data<Services>,
    caller: Caller,
    Query(query): Query<FindPurchase>,
) -> Result<HttpResponse, Problem> {
    let source = query.source(&services, &caller).await?;
    let find = move |conn: &mut _| {
        let Some(source) = source else { return Purchases::of(conn, Vec::new()) };
        let found = ledger::purchase_by_receipt(conn, &source, &query.external_id)?;
        let found = found.map(|found| link::as_moved(conn, found)).transpose()?;
        Purchases::of(conn, Vec::from_iter(found))
    };
    let found = services.pool.run(find).await?.shown()?;
    documents("receipts", found, Limit::default())
}
