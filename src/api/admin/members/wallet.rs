//! `/v1/admin/members/{id}/wallet/adjustments`: money given or taken by hand.

use actix_web::{HttpResponse, post, web};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tessera_rules::Command;
use tessera_rules::amount::Minor;
use tessera_rules::id::{AdjustmentId, MemberId};
use tessera_rules::programme::is_code;
use tessera_rules::wallet::ledger::WalletAccount;
use tessera_rules::wallet::{AdjustWallet, WalletCommand};
use utoipa::ToSchema;

use super::change::REASON_MAX;
use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::contact;
use crate::api::error::{Code, Problem, both};
use crate::api::extract::{Id, IdempotencyKey, Json, Reader};
use crate::api::guard::permit;
use crate::api::linked::stays;
use crate::api::openapi::problems;
use crate::api::submit;
use crate::api::wallets::{self, WalletDoneView};
use crate::clock::new_uuid;
use crate::engine::{Audit, Submission, Time};

/// Money to be given or taken.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WalletAdjustment {
    /// Of what kind it is.
    account: OwnAccount,
    /// Minor units to give, or below 0 to take; not 0.
    #[schema(value_type = i64, example = 500)]
    amount: Minor,
    /// Why, as a code; one of the programme's `adjustments.reasons` where it lists any.
    #[schema(pattern = "^[a-z0-9_-]{1,64}$", example = "goodwill")]
    reason: String,
    /// Why, in words, for the audit log, which is never erased: no personal data.
    #[schema(min_length = 1, max_length = 200, example = "the terminal took the money twice")]
    note: String,
}

/// A member's account.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum OwnAccount {
    /// Money that was paid in: it can be paid out.
    Paid,
    /// Bonus.
    Bonus,
    /// Cashback.
    Cashback,
}

/// Give or take money of a member's wallet by hand
#[utoipa::path(
    operation_id = "adjust_wallet",
    params(IdempotencyKey),
    responses((status = 201, description = "Booked", body = WalletDoneView)),
    extensions(("x-problems" = json!(problems(&[
        Code::MemberUnknown, Code::MemberMerged, Code::WalletNotOffered, Code::ReasonUnknown, Code::NothingToAdjust,
        Code::InsufficientMoney, Code::AmountOutOfRange, Code::NoProgramme,
    ]))))
)]
#[post("/members/{id}/wallet/adjustments")]
pub(super) async fn adjust_wallet(
    services: web::Data<Services>,
    caller: Caller,
    key: IdempotencyKey,
    reader: Reader,
    id: Id<MemberId>,
    body: Json<WalletAdjustment>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::AdjustWallet, &Resource::Member(id.0))?;
    let WalletAdjustment { account, amount, reason, note } = &body.0;
    let note = contact::text("/note", note, REASON_MAX)?;
    if !is_code(reason) {
        let detail = both("1 to 64 of a-z, 0-9, '-' and '_'.", "须为 1 至 64 个小写字母、数字、“-”或“_”。");
        return Err(Problem::field(Code::InvalidField, "/reason", "code_invalid", detail));
    }
    let member = stays(&services, id.0).await?;
    let adjustment = AdjustWallet {
        id: AdjustmentId::new(new_uuid()),
        account: match account {
            OwnAccount::Paid => WalletAccount::Paid,
            OwnAccount::Bonus => WalletAccount::Bonus,
            OwnAccount::Cashback => WalletAccount::Cashback,
        },
        amount: *amount,
        reason: reason.clone(),
    };
    let told = json!({
        "adjustment_id": adjustment.id, "account": account, "amount": amount, "reason": reason, "note": note,
    });
    let route = "POST /v1/admin/members/{id}/wallet/adjustments";
    let submission = Submission {
        member,
        command: Command::Wallet(WalletCommand::Adjust(adjustment)),
        actor: caller.actor(),
        time: Time::Live,
        claim: Some(submit::claim(&caller, key, route, &(id.0, &body.0))?),
        audit: Some(Audit { action: "wallet.adjust", object: member.to_string(), before: None, after: Some(told) }),
        render: submit::render(Some(reader), wallets::show),
    };
    submit::send(&services, submission).await
}
