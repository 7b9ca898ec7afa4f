//! Adjustments by staff as both faces show them, and how one that may be made comes to be booked.
//!
//! A request and what a second person says to it are rows; the points move by a command like any other.
//! Should the process end between the two, the same request goes on where it stopped: the command's
//! claim follows from the row, so it is decided once, and the database books no row twice.

use actix_web::HttpResponse;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use tessera_rules::amount::Points;
use tessera_rules::command::{Actor, Adjust, Role};
use tessera_rules::id::{AdjustmentId, MemberId, StaffId, StoreId};
use tessera_rules::{Command, Outcome};
use utoipa::ToSchema;

use super::Services;
use super::error::{Code, Problem, internal};
use super::extract::Reader;
use super::problem::stored;
use super::submit::{self, fingerprint};
use super::views::BalanceView;
use crate::access::Resource;
use crate::engine::{Answer, Audit, Claim, Reply, Submission, Time};
use crate::store::adjustment::{self, AdjustmentRow, Answered, Status};

/// The longest note, in characters.
pub(super) const NOTE_MAX: usize = 500;

/// Points that staff give or take by hand.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdjustmentView {
    /// The adjustment.
    #[schema(value_type = String, example = "adj_01kapm8r5ne8v9b3r6a2f7qk4d")]
    id: AdjustmentId,
    /// Whose points.
    #[schema(value_type = String, example = "mem_01kapm3v5ne8v9b3r6a2f7qk4d")]
    member_id: MemberId,
    /// Points given, or below 0 taken.
    #[schema(example = 300)]
    points: i64,
    /// Why, as a code.
    #[schema(example = "goodwill")]
    reason: String,
    /// Why, in words.
    note: String,
    /// `requested`: somebody else has to decide; `granted`, `approved`: about to be booked; `applied`: booked;
    /// `rejected`: somebody else did not agree; `refused`: a rule did not allow it.
    #[schema(example = "applied")]
    status: String,
    /// Who asked.
    #[schema(value_type = String, example = "usr_01kapm3v5ne8v9b3r6a2f7qk4d")]
    requested_by: StaffId,
    /// `manager` or `admin`: in which role.
    #[schema(example = "manager")]
    requested_role: String,
    /// The store of that person; null for an admin.
    #[schema(value_type = Option<String>)]
    store_id: Option<StoreId>,
    /// When.
    requested_at: DateTime<Utc>,
    /// Who decided on it; null for nobody.
    #[schema(value_type = Option<String>)]
    decided_by: Option<StaffId>,
    /// When.
    decided_at: Option<DateTime<Utc>>,
    /// What that person said.
    decision_note: Option<String>,
    /// Code of the rule's refusal; null unless `refused`.
    refusal: Option<String>,
    /// Balances afterwards; only in the answer to what booked it.
    #[serde(skip_serializing_if = "Option::is_none")]
    balance: Option<BalanceView>,
}

impl From<AdjustmentRow> for AdjustmentView {
    fn from(row: AdjustmentRow) -> Self {
        Self {
            id: row.adjustment(),
            member_id: MemberId::new(row.member_id),
            points: row.points,
            reason: row.reason,
            note: row.note,
            status: row.status,
            requested_by: StaffId::new(row.requested_by),
            requested_role: row.requested_role,
            store_id: row.store_id.map(StoreId::new),
            requested_at: row.requested_at,
            decided_by: row.decided_by.map(StaffId::new),
            decided_at: row.decided_at,
            decision_note: row.decision_note,
            refusal: row.refusal,
            balance: None,
        }
    }
}

impl AdjustmentRow {
    /// What the policy is asked about.
    pub(super) fn resource(&self) -> Resource {
        Resource::Document { member: MemberId::new(self.member_id), store: self.store_id.map(StoreId::new) }
    }

    /// As the audit log tells it.
    pub(super) fn told(&self) -> Value {
        json!({
            "member_id": MemberId::new(self.member_id),
            "points": self.points,
            "reason": self.reason,
            "note": self.note,
            "status": self.status,
            "decision_note": self.decision_note,
        })
    }

    /// The key under which it is booked: the one of the request, or of the approval it took.
    fn claim(&self) -> Result<Claim, Problem> {
        let (Some(caller), Some(key)) = (self.decided_by, &self.decision_key) else {
            let fingerprint = self.fingerprint.as_slice().try_into();
            let fingerprint = fingerprint.map_err(|_| internal("a fingerprint is 32 bytes"))?;
            return Ok(Claim { caller: self.requested_by, key: self.key.clone(), fingerprint });
        };
        let fingerprint = approval(self.adjustment(), self.decision_note.as_deref())?;
        Ok(Claim { caller, key: key.clone(), fingerprint })
    }
}

/// What the key of an approval stands for.
pub(super) fn approval(id: AdjustmentId, note: Option<&str>) -> Result<[u8; 32], Problem> {
    fingerprint("POST /v1/admin/adjustments/{id}/approve", &(id, note))
}

/// What is done about a request once its rows are written.
pub(super) enum Next {
    /// It is answered with this; `true`: again.
    Answer(Answer, bool),
    /// It is booked.
    Book(Box<AdjustmentRow>),
}

impl Next {
    /// The answer that was given under the same key for the same request.
    pub(super) fn again(used: Answered, fingerprint: &[u8; 32]) -> Result<Self, Problem> {
        match used.body {
            Some(body) if used.fingerprint == fingerprint => {
                Ok(Self::Answer(Answer { status: used.status.unsigned_abs(), body }, true))
            }
            _ => Err(Code::IdempotencyKeyReused.into()),
        }
    }

    /// Answers, booking first what is to be booked; `status` is that of a booking that went well.
    pub(super) async fn finish(
        self,
        services: &Services,
        reader: Reader,
        status: u16,
    ) -> Result<HttpResponse, Problem> {
        match self {
            Self::Answer(answer, again) => Ok(stored(answer.status, answer.body, again)),
            Self::Book(row) => book(services, *row, reader, status).await,
        }
    }
}

/// The person who asked is the actor, whoever agreed: that stands with the adjustment.
async fn book(services: &Services, row: AdjustmentRow, reader: Reader, status: u16) -> Result<HttpResponse, Problem> {
    let (id, claim) = (row.adjustment(), row.claim()?);
    let role = Role::parse(&row.requested_role).ok_or_else(|| internal("a role is a role"))?;
    let points = Points::new(row.points).map_err(|_| internal("points are points"))?;
    let submission = Submission {
        member: MemberId::new(row.member_id),
        command: Command::Adjust(Adjust { id, points, reason: row.reason.clone() }),
        actor: Actor { role, id: Some(row.requested_by) },
        time: Time::Live,
        claim: Some(claim),
        audit: Some(Audit {
            action: "adjustment.apply",
            object: id.to_string(),
            before: Some(json!({ "status": row.status })),
            after: Some(json!({ "status": Status::Applied.as_str(), "points": row.points })),
        }),
        render: submit::render(Some(reader), move |outcome| show(&row, status, outcome)),
    };
    let (answer, again) = match services.engine.submit(submission).await? {
        Reply::Decided { answer, .. } | Reply::Known(answer) => (answer, false),
        Reply::Replayed(answer) => (answer, true),
    };
    if answer.status >= 400 {
        let refusal: Option<Value> = serde_json::from_str(&answer.body).ok();
        let code = refusal.as_ref().and_then(|problem| problem["code"].as_str()).unwrap_or("unknown").to_owned();
        services.pool.run(move |conn| adjustment::refuse(conn, id, &code)).await?;
    }
    Ok(stored(answer.status, answer.body, again))
}

fn show(row: &AdjustmentRow, status: u16, outcome: &Outcome) -> Answer {
    let Outcome::Adjustment(balance) = outcome else { return submit::answer(500, &()) };
    let applied = AdjustmentRow { status: Status::Applied.as_str().to_owned(), ..row.clone() };
    submit::answer(status, &AdjustmentView { balance: Some((*balance).into()), ..applied.into() })
}
