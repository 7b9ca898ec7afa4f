//! `/v1/till/purchases/{id}/move`: a purchase goes to the member it should have been entered for.

use actix_web::{HttpResponse, post, web};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tessera_rules::amount::Currency;
use tessera_rules::command::{Line, MOVED, Move, Purchase, Tender};
use tessera_rules::explain::Explanation;
use tessera_rules::id::{MemberId, PurchaseId, ReturnId, StoreId};
use tessera_rules::{Command, Outcome};
use utoipa::ToSchema;

use super::purchases::{self, PurchaseView};
use super::returns::{self, ReturnView};
use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::contact;
use crate::api::document::allowed;
use crate::api::error::{Code, Problem, internal};
use crate::api::extract::{Id, IdempotencyKey, Json, Reader};
use crate::api::linked::stays;
use crate::api::openapi::problems;
use crate::api::submit;
use crate::clock::new_uuid;
use crate::engine::{Answer, Audit, Render, Submission, Time};
use crate::store::link::{self, StoredPurchase};

/// Whose purchase it was.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MoveRequest {
    /// The member who bought.
    #[schema(value_type = String, example = "mem_01kapm3v5ne8v9b3r6a2f7qk4d")]
    member_id: MemberId,
    /// For the audit log, which is never erased: no personal data.
    #[schema(min_length = 1, max_length = 200, example = "the card of the customer before was scanned")]
    reason: String,
}

/// A purchase that was moved.
#[derive(Serialize, ToSchema)]
struct Moved<'a> {
    /// The member it went to.
    #[schema(value_type = String)]
    member_id: MemberId,
    /// What it took from the member it was entered for.
    #[serde(rename = "return")]
    returned: ReturnView<'a>,
    /// The purchase as it is now, and what it gave.
    purchase: PurchaseView<'a>,
}

fn show(outcome: &Outcome, currency: Currency) -> Answer {
    let Outcome::Move(outcome) = outcome else { return submit::answer(500, &()) };
    let returned = returns::view(&outcome.returned, currency);
    submit::answer(201, &Moved { member_id: outcome.to, returned, purchase: purchases::view(&outcome.purchase) })
}

/// What of the stored answer tells what was bought.
#[derive(Deserialize)]
struct Answered {
    explanation: Explanation,
}

/// What the receipt said beside.
#[derive(Default, Deserialize)]
struct Particulars {
    lines: Vec<Particular>,
    tenders: Vec<Tender>,
    #[serde(default)]
    channel: Option<String>,
}

/// What the receipt said of a line beside quantity and amount.
#[derive(Deserialize)]
struct Particular {
    sku: Option<String>,
    categories: Vec<String>,
}

/// The receipt as it was entered.
struct Entered {
    lines: Vec<Line>,
    tenders: Vec<Tender>,
    channel: Option<String>,
}

fn receipt(stored: &StoredPurchase) -> Result<Entered, Problem> {
    let answered: Answered =
        serde_json::from_str(&stored.answer).map_err(|_| internal("the answer of a purchase explains nothing"))?;
    let particulars = stored.particulars.clone().map(serde_json::from_value::<Particulars>).transpose();
    let particulars = particulars.map_err(|_| internal("the particulars of a purchase are none"))?.unwrap_or_default();
    let mut beside = particulars.lines.into_iter();
    let line = |explained: &tessera_rules::explain::LineExplained| {
        let Particular { sku, categories } = beside.next().unwrap_or(Particular { sku: None, categories: Vec::new() });
        Line { sku, categories, quantity: explained.quantity, amount: explained.amount() }
    };
    let lines = answered.explanation.lines.iter().map(line).collect();
    Ok(Entered { lines, tenders: particulars.tenders, channel: particulars.channel })
}

/// The answer that is stored with the two documents of a moved purchase.
pub fn render(reader: Option<Reader>, currency: Currency) -> Render {
    submit::render(reader, move |outcome| show(outcome, currency))
}

/// Move a purchase to another member
///
/// Within 24 hours of its record, when it was entered for the wrong one. The goods come back from that
/// member, and the other buys the same at the same time: earned at his own tier, explained anew. A
/// purchase that points paid a part of, or of which something came back, is not moved.
#[utoipa::path(
    operation_id = "move_purchase",
    params(IdempotencyKey),
    responses((status = 201, description = "Moved", body = Moved)),
    extensions(("x-problems" = json!(problems(&[
        Code::MemberUnknown, Code::MemberMerged, Code::MemberFrozen, Code::SameMember, Code::MovedTooLate,
        Code::PaidWithPoints, Code::ReturnedBefore, Code::CurrencyMismatch, Code::PurchaseUnknown,
        Code::NothingToReturn, Code::AmountOutOfRange, Code::NoProgramme
    ]))))
)]
#[post("/purchases/{id}/move")]
pub(super) async fn create(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<PurchaseId>,
    key: IdempotencyKey,
    reader: Reader,
    Json(request): Json<MoveRequest>,
) -> Result<HttpResponse, Problem> {
    let found = services.pool.run(move |conn| link::stored_purchase(conn, id)).await?;
    let whose = |stored: &StoredPurchase| Resource::Document {
        member: MemberId::new(stored.member_id),
        store: Some(StoreId::new(stored.store_id)),
    };
    let stored = allowed(&caller, Action::MovePurchase, found, whose)?;
    let reason = contact::text("/reason", &request.reason, 200)?;
    let (member, to) = (MemberId::new(stored.member_id), stays(&services, request.member_id).await?);
    let store = StoreId::new(stored.store_id);
    let store_code = services.engine.store_code(store).await?.to_string();
    let currency = services.engine.programme().await?.programme.currency;
    let Entered { lines, tenders, channel } = receipt(&stored)?;
    let again = Purchase {
        id: PurchaseId::new(new_uuid()),
        store,
        store_code,
        source: MOVED.to_owned(),
        external_id: id.to_string(),
        occurred_at: Some(stored.occurred_at),
        currency,
        content: Purchase::content_of(to, currency, &lines, &tenders, None),
        lines,
        tenders,
        redeem: None,
        channel,
        pricing: None,
    };
    let after = json!({ "member_id": to, "purchase_id": again.id, "reason": reason });
    let command = Command::Move(Box::new(Move { id: ReturnId::new(new_uuid()), purchase: id, to, again }));
    let submission = Submission {
        member,
        command,
        actor: caller.actor(),
        time: Time::Live,
        claim: Some(submit::claim(&caller, key, "POST /v1/till/purchases/{id}/move", &(id, &request))?),
        audit: Some(Audit {
            action: "purchase.move",
            object: id.to_string(),
            before: Some(json!({ "member_id": member })),
            after: Some(after),
        }),
        render: render(Some(reader), currency),
    };
    submit::send(&services, submission).await
}
