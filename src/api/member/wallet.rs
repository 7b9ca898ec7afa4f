//! A member's own wallet.

use actix_web::http::header::CONTENT_LANGUAGE;
use actix_web::{HttpResponse, get, web};

use super::myself;
use crate::access::{Action, Caller};
use crate::api::Services;
use crate::api::error::{Code, Language, Problem};
use crate::api::extract::Query;
use crate::api::openapi::problems;
use crate::api::page::{ListOf, Page};
use crate::api::wallets::{self, WalletMovementView, WalletView};

/// Read one's own wallet
#[utoipa::path(
    operation_id = "own_wallet",
    responses((status = 200, description = "Settled to now", body = WalletView)),
    extensions(("x-problems" = json!(problems(&[Code::MemberUnknown, Code::NoProgramme]))))
)]
#[get("/wallet")]
pub(super) async fn get(services: web::Data<Services>, caller: Caller) -> Result<HttpResponse, Problem> {
    let id = myself(&caller, Action::ReadOwnWallet)?;
    Ok(HttpResponse::Ok().json(wallets::read(&services, id).await?))
}

/// Read the movements of one's own wallet
#[utoipa::path(
    operation_id = "own_wallet_entries",
    params(Page),
    responses((status = 200, description = "Newest first", body = ListOf<WalletMovementView>)),
    extensions(("x-problems" = json!(problems(&[Code::MemberUnknown, Code::NoProgramme]))))
)]
#[get("/wallet/entries")]
pub(super) async fn entries(
    services: web::Data<Services>,
    caller: Caller,
    language: Language,
    Query(page): Query<Page>,
) -> Result<HttpResponse, Problem> {
    let id = myself(&caller, Action::ReadOwnWallet)?;
    let list = wallets::movements(&services, "own_wallet", id, page, language).await?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_LANGUAGE, language.tag())).json(list))
}
