//! `/v1/till/members/{id}/wallet`: what stands in a member's wallet, money paid in and out.

use actix_web::http::header::CONTENT_LANGUAGE;
use actix_web::{HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use tessera_rules::Command;
use tessera_rules::amount::{Currency, Minor};
use tessera_rules::id::{MemberId, RefundId, TopUpId};
use tessera_rules::wallet::{Refund, TopUp, WalletCommand};
use utoipa::ToSchema;

use super::till_store;
use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::error::{Code, Language, Problem, both};
use crate::api::extract::{Id, IdempotencyKey, Json, Query, Reader};
use crate::api::guard::permit;
use crate::api::linked::stays;
use crate::api::openapi::problems;
use crate::api::page::{ListOf, Page};
use crate::api::submit::{self, Request};
use crate::api::wallets::{self, WalletDoneView, WalletMovementView, WalletView};
use crate::clock::new_uuid;

/// Read a member's wallet
#[utoipa::path(
    operation_id = "till_member_wallet",
    responses((status = 200, description = "Settled to now", body = WalletView)),
    extensions(("x-problems" = json!(problems(&[Code::MemberUnknown, Code::NoProgramme]))))
)]
#[get("/members/{id}/wallet")]
pub(super) async fn get(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<MemberId>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadMemberBalance, &Resource::Member(id))?;
    let id = stays(&services, id).await?;
    Ok(HttpResponse::Ok().json(wallets::read(&services, id).await?))
}

/// Read the movements of a member's wallet
#[utoipa::path(
    operation_id = "till_member_wallet_entries",
    params(Page),
    responses((status = 200, description = "Newest first", body = ListOf<WalletMovementView>)),
    extensions(("x-problems" = json!(problems(&[Code::MemberUnknown, Code::NoProgramme]))))
)]
#[get("/members/{id}/wallet/entries")]
pub(super) async fn entries(
    services: web::Data<Services>,
    caller: Caller,
    language: Language,
    Id(id): Id<MemberId>,
    Query(page): Query<Page>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadMemberWallet, &Resource::Member(id))?;
    let id = stays(&services, id).await?;
    let list = wallets::movements(&services, "member_wallet", id, page, language).await?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_LANGUAGE, language.tag())).json(list))
}

/// Money paid in.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TopUpRequest {
    /// How much was paid, in minor units.
    #[schema(value_type = i64, minimum = 1, example = 10000)]
    amount: Minor,
    /// The programme's currency.
    #[schema(value_type = String, example = "CNY")]
    currency: Currency,
}

/// Pay money into a member's wallet
///
/// The till has the money already. What comes on top says the programme (`wallet.top_up`): the highest step that is
/// reached.
#[utoipa::path(
    operation_id = "top_up_wallet",
    params(IdempotencyKey),
    responses((status = 201, description = "Paid in", body = WalletDoneView)),
    extensions(("x-problems" = json!(problems(&[
        Code::MemberUnknown, Code::MemberMerged, Code::MemberFrozen, Code::WalletNotOffered, Code::CurrencyMismatch,
        Code::TopUpTooSmall, Code::WalletFull, Code::AmountOutOfRange, Code::NoProgramme,
    ]))))
)]
#[post("/members/{id}/wallet/top-ups")]
pub(super) async fn top_up(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<MemberId>,
    key: IdempotencyKey,
    reader: Reader,
    Json(request): Json<TopUpRequest>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::TopUpWallet, &Resource::Member(id))?;
    let store = till_store(&caller)?;
    positive(request.amount)?;
    let member = stays(&services, id).await?;
    let TopUpRequest { amount, currency } = request;
    let top_up = TopUp { id: TopUpId::new(new_uuid()), store, currency, amount };
    let route = "POST /v1/till/members/{id}/wallet/top-ups";
    let submission = Request { caller: &caller, key, route, member, reader };
    let command = Command::Wallet(WalletCommand::TopUp(top_up));
    submit::submit(&services, submission, &(id, &request), command, wallets::show).await
}

/// Money to be paid out.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RefundRequest {
    /// How much of the paid part is taken, in minor units; absent: all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, minimum = 1)]
    amount: Option<Minor>,
}

/// Pay money out of a member's wallet
///
/// What was paid in and is not spent can be paid out, what was paid in last first. The bonus that came with it goes
/// with it, in proportion; what of that bonus is spent is kept back of the money.
#[utoipa::path(
    operation_id = "refund_wallet",
    params(IdempotencyKey),
    responses((status = 201, description = "Pay `refunded` out", body = WalletDoneView)),
    extensions(("x-problems" = json!(problems(&[
        Code::MemberUnknown, Code::MemberMerged, Code::InsufficientMoney, Code::NothingToRefund,
        Code::AmountOutOfRange, Code::NoProgramme,
    ]))))
)]
#[post("/members/{id}/wallet/refunds")]
pub(super) async fn refund(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<MemberId>,
    key: IdempotencyKey,
    reader: Reader,
    Json(request): Json<RefundRequest>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::RefundWallet, &Resource::Member(id))?;
    let store = till_store(&caller)?;
    request.amount.map(positive).transpose()?;
    let member = stays(&services, id).await?;
    let refund = Refund { id: RefundId::new(new_uuid()), store, amount: request.amount };
    let route = "POST /v1/till/members/{id}/wallet/refunds";
    let submission = Request { caller: &caller, key, route, member, reader };
    let command = Command::Wallet(WalletCommand::Refund(refund));
    submit::submit(&services, submission, &(id, &request), command, wallets::show).await
}

fn positive(amount: Minor) -> Result<(), Problem> {
    if amount.is_positive() {
        return Ok(());
    }
    let detail = both("Must be at least 1.", "必须至少为 1。");
    Err(Problem::field(Code::InvalidField, "/amount", "too_small", detail))
}
