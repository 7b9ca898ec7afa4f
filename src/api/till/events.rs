//! `/v1/till/members/{id}/events`: what other systems tell of a member, and promotions wait for.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, post, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tessera_rules::amount::Points;
use tessera_rules::event::{AttributeValue, EventOutcome, Happened};
use tessera_rules::id::{MemberEventId, MemberId};
use tessera_rules::promotion::Miss;
use tessera_rules::{Command, Outcome};
use utoipa::ToSchema;

use super::{till_store, within};
use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::error::{Code, Problem};
use crate::api::extract::{Id, IdempotencyKey, Json, Reader};
use crate::api::given::GivenView;
use crate::api::guard::permit;
use crate::api::linked::stays;
use crate::api::openapi::problems;
use crate::api::submit::{self, Request, answer};
use crate::api::views::BalanceView;
use crate::clock::new_uuid;
use crate::engine::Answer;

/// Something that happened.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EventRequest {
    /// Code of the kind of event, as the programme declares it.
    #[schema(example = "app-installed")]
    code: String,
    /// When it happened; now where nothing is said. At most 30 days back and 5 minutes ahead.
    occurred_at: Option<DateTime<Utc>>,
    /// What it says of itself: texts, whole numbers and truths, as its kind declares them. What is not said is the
    /// empty text, 0 and false. Never personal data: it is not erased with the member.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({"platform": "ios"}))]
    attributes: BTreeMap<String, AttributeValue>,
}

/// The most attributes that are looked at.
const ATTRIBUTES_MAX: usize = 20;

/// An event as the idempotency key stands for it: the member stands in the path.
#[derive(Serialize)]
struct Asked<'a> {
    member: MemberId,
    body: &'a EventRequest,
}

/// What came of an event.
#[derive(Serialize, ToSchema)]
struct EventView<'a> {
    /// Its id.
    #[schema(value_type = String, example = "mev_01kapm3v5ne8v9b3r6a2f7qk4d")]
    id: MemberEventId,
    /// Code of its kind.
    code: &'a str,
    /// When it happened.
    occurred_at: DateTime<Utc>,
    /// When it was recorded.
    recorded_at: DateTime<Utc>,
    /// The promotions that wait for such an event, in the order in which they give.
    promotions: Vec<SetOff<'a>>,
    /// Points they gave.
    #[schema(value_type = i64)]
    points: Points,
    /// Balances afterwards.
    balance: BalanceView,
}

/// A promotion that waits for an event.
#[derive(Serialize, ToSchema)]
struct SetOff<'a> {
    /// Its code.
    #[schema(example = "app-bonus")]
    code: &'a str,
    /// What it gave; absent where it gave nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    given: Option<GivenView<'a>>,
    /// Why it gave nothing, as explanations of purchases say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "condition")]
    missed: Option<Miss>,
}

impl<'a> From<&'a EventOutcome> for EventView<'a> {
    fn from(outcome: &'a EventOutcome) -> Self {
        let EventOutcome { record, recorded_at, promotions, points, balance } = outcome;
        let set_off = |(code, given): &'a (String, Result<_, Miss>)| SetOff {
            code,
            given: given.as_ref().ok().map(GivenView::from),
            missed: given.as_ref().err().copied(),
        };
        Self {
            id: record.id,
            code: &record.code,
            occurred_at: record.occurred_at,
            recorded_at: *recorded_at,
            promotions: promotions.iter().map(set_off).collect(),
            points: *points,
            balance: (*balance).into(),
        }
    }
}

fn show(outcome: &Outcome) -> Answer {
    let Outcome::Event(outcome) = outcome else { return answer(500, &()) };
    answer(201, &EventView::from(outcome.as_ref()))
}

/// Tell of an event
///
/// It is kept, and promotions that wait for such an event give what they give, once for each event: the same request
/// under the same key is the same event.
#[utoipa::path(
    operation_id = "record_event",
    params(("id" = String, Path, description = "The member."), IdempotencyKey),
    request_body = EventRequest,
    responses((status = 201, description = "Recorded", body = EventView)),
    extensions(("x-problems" = json!(problems(&[
        Code::MemberUnknown,
        Code::MemberMerged,
        Code::MemberFrozen,
        Code::OccurredTooEarly,
        Code::OccurredTooLate,
        Code::EventUnknown,
        Code::EventAttribute,
        Code::AmountOutOfRange,
        Code::NoProgramme,
    ]))))
)]
#[post("/members/{id}/events")]
pub(super) async fn create(
    services: web::Data<Services>,
    caller: Caller,
    key: IdempotencyKey,
    reader: Reader,
    Id(member): Id<MemberId>,
    Json(body): Json<EventRequest>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::RecordEvent, &Resource::Member(member))?;
    let store = till_store(&caller)?;
    within("/attributes", body.attributes.len(), 0, ATTRIBUTES_MAX)?;
    let asked = Asked { member, body: &body };
    let happened = Happened {
        id: MemberEventId::new(new_uuid()),
        code: body.code.clone(),
        occurred_at: body.occurred_at,
        attributes: body.attributes.clone(),
        store,
        store_code: services.engine.store_code(store).await?.to_string(),
    };
    let route = "POST /v1/till/members/{id}/events";
    let member = stays(&services, member).await?;
    let request = Request { caller: &caller, key, route, member, reader };
    submit::submit(&services, request, &asked, Command::Event(Box::new(happened)), show).await
}
