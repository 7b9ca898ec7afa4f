//! `/v1/member/transfers`: points given to other members, and received.

use actix_web::{HttpResponse, get, post, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tessera_rules::amount::Points;
use tessera_rules::code::MemberCode;
use tessera_rules::command::Transfer;
use tessera_rules::id::{MemberId, TransferId};
use tessera_rules::{Command, Refusal};
use utoipa::ToSchema;
use uuid::Uuid;

use super::myself;
use crate::access::{Action, Caller};
use crate::api::Services;
use crate::api::contact;
use crate::api::error::{Code, Problem, both};
use crate::api::extract::{IdempotencyKey, Json, Query, Reader};
use crate::api::openapi::problems;
use crate::api::page::{ListOf, Page};
use crate::api::submit;
use crate::api::transferred::{self, TransferView};
use crate::clock::new_uuid;
use crate::engine::{Answer, Submission, Time};
use crate::store::link;
use crate::store::member::{self, Key};

/// Points for another member.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TransferRequest {
    /// To whom: a member code, an international phone number or an e-mail address.
    #[schema(max_length = 254, example = "482916350718")]
    to: String,
    /// How many.
    #[schema(value_type = i64, minimum = 1)]
    points: Points,
}

/// Who is given points.
fn receiver(to: &str) -> Result<Key, Problem> {
    match to.trim() {
        to if to.contains('@') => contact::email("/to", to).map(Key::Email),
        to if to.starts_with('+') => contact::phone("/to", to).map(Key::Phone),
        to => to.parse::<MemberCode>().map(|code| Key::Code(code.into())).map_err(|_| {
            let detail =
                both("Expected a member code, a phone number or an e-mail address.", "应为会员码、手机号或邮箱地址。");
            Problem::field(Code::InvalidField, "/to", "receiver_invalid", detail)
        }),
    }
}

/// Give points to another member
///
/// They keep their expiry. Whoever cannot be given any, also because there is no such member, is
/// `receiver_unavailable`.
#[utoipa::path(
    operation_id = "transfer_own",
    params(IdempotencyKey),
    responses((status = 201, description = "Given", body = TransferView)),
    extensions(("x-problems" = json!(problems(transferred::PROBLEMS))))
)]
#[post("/transfers")]
pub(super) async fn create(
    services: web::Data<Services>,
    caller: Caller,
    key: IdempotencyKey,
    reader: Reader,
    Json(request): Json<TransferRequest>,
) -> Result<HttpResponse, Problem> {
    let member = myself(&caller, Action::TransferOwn)?;
    transferred::check(request.points)?;
    let whom = receiver(&request.to)?;
    let find = move |conn: &mut _| match member::by_key(conn, &whom)? {
        Some(row) => link::stays(conn, row.member()),
        // Asked of the rules all the same: what they say of the giver must not tell that there is nobody.
        None => Ok(MemberId::new(new_uuid())),
    };
    let to = services.pool.run(find).await?;
    let transfer = Transfer { id: TransferId::new(new_uuid()), to, points: request.points, otp_step: None };
    let submission = Submission {
        member,
        command: Command::Transfer(transfer),
        actor: caller.actor(),
        time: Time::Live,
        claim: Some(submit::claim(&caller, key, "POST /v1/member/transfers", &request)?),
        audit: None,
        render: Box::new(move |outcome| match outcome {
            Ok(outcome) => transferred::show(outcome),
            Err(refusal) => {
                let (status, body) = reader.render(&refused(refusal));
                Answer { status, body }
            }
        }),
    };
    submit::send(&services, submission).await
}

/// The giver has signed in: the member who is unknown or merged is the other.
fn refused(refusal: &Refusal) -> Problem {
    match refusal {
        Refusal::MemberUnknown => Code::ReceiverUnavailable.into(),
        refusal => refusal.into(),
    }
}

/// Points that were given or received.
#[derive(Serialize, ToSchema)]
struct OwnTransfer {
    /// The transfer.
    #[schema(value_type = String, example = "trf_01kapm8x3hfx9s5d1w7c0q2vbn")]
    id: TransferId,
    /// `given` or `received`.
    #[schema(example = "given")]
    direction: &'static str,
    /// How many.
    points: i64,
    /// The other member's name, shortened.
    #[schema(example = "林**")]
    name: String,
    /// When.
    recorded_at: DateTime<Utc>,
}

/// Read what one gave and received
#[utoipa::path(
    operation_id = "own_transfers",
    params(Page),
    responses((status = 200, description = "Newest first", body = ListOf<OwnTransfer>))
)]
#[get("/transfers")]
pub(super) async fn list(
    services: web::Data<Services>,
    caller: Caller,
    Query(page): Query<Page>,
) -> Result<HttpResponse, Problem> {
    let id = myself(&caller, Action::ReadOwnTransfers)?;
    let before = page.cursor.as_ref().map(|cursor| cursor.open::<Uuid>("own_transfers")).transpose()?;
    let read = move |conn: &mut _| {
        let rows = link::transfers(conn, id, before, page.limit.to_read())?;
        let others: Vec<Uuid> = rows.iter().flat_map(|row| [row.from_member, row.to_member]).collect();
        Ok((rows, link::names(conn, &others)?))
    };
    let (rows, names) = services.pool.run(read).await?;
    let show = |row: link::TransferView| {
        let given = row.from_member == id.uuid();
        let other = if given { row.to_member } else { row.from_member };
        OwnTransfer {
            id: TransferId::new(row.id),
            direction: if given { "given" } else { "received" },
            points: row.points,
            name: names.get(&other).map(|name| contact::mask_name(name)).unwrap_or_default(),
            recorded_at: row.recorded_at,
        }
    };
    Ok(HttpResponse::Ok().json(ListOf::new("own_transfers", rows, page.limit, |row| row.id, show)))
}
