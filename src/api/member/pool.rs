//! `/v1/member/pool`: the household that shares points. Its head invites, says who may spend, and takes
//! members out; each member may leave with what is left of his own points.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tessera_rules::amount::Points;
use tessera_rules::command::JoinPool;
use tessera_rules::id::MemberId;
use tessera_rules::link::{Link, LinkKind};
use tessera_rules::{Command, Outcome, Refusal};
use utoipa::ToSchema;

use super::myself;
use crate::access::{Action, Caller, invitation as codes};
use crate::api::Services;
use crate::api::error::{Code, Problem, both};
use crate::api::extract::{Id, IdempotencyKey, Json, Reader};
use crate::api::linked::{self, Linked};
use crate::api::openapi::problems;
use crate::api::submit::{self, Request};
use crate::api::work::run_whole;
use crate::clock::new_uuid;
use crate::engine::{Reply, Submission, Time};
use crate::store::invitation::{self, InvitationRow, NewInvitation};
use crate::store::{ledger, link};

/// How long an invitation is good, in days of the programme's clock.
const INVITATION_DAYS: i64 = 7;

/// A household and what it has.
#[derive(Serialize, ToSchema)]
struct PoolView {
    /// Who keeps the points.
    head: Person,
    /// The others, in the order in which they became members of the programme.
    members: Vec<Kin>,
    /// Whether the member who asks may spend from the pool.
    may_spend: bool,
    /// Spendable points of the pool.
    #[schema(value_type = i64)]
    available: Points,
    /// Points of the pool that are not yet spendable.
    #[schema(value_type = i64)]
    pending: Points,
    /// Points that each member but the head may spend from it on a day; null: pools are no longer offered, and
    /// none.
    #[schema(value_type = Option<i64>)]
    daily_limit: Option<Points>,
}

/// A member of the household.
#[derive(Serialize, ToSchema)]
struct Person {
    /// Id.
    #[schema(value_type = String, example = "mem_01kapm3v5ne8v9b3r6a2f7qk4d")]
    member_id: MemberId,
    /// Name.
    #[schema(example = "林小雨")]
    name: String,
}

/// A member of the household who is not its head.
#[derive(Serialize, ToSchema)]
struct Kin {
    #[serde(flatten)]
    person: Person,
    /// Whether he may spend from the pool.
    may_spend: bool,
}

impl From<link::Tied> for Kin {
    fn from(tied: link::Tied) -> Self {
        let may_spend = tied.ties.and_then(|ties| ties.may_spend).unwrap_or(false);
        Self { person: Person { member_id: MemberId::new(tied.member), name: tied.name }, may_spend }
    }
}

/// Read one's own household pool
#[utoipa::path(
    operation_id = "own_pool",
    responses((status = 200, description = "Settled to now", body = PoolView)),
    extensions(("x-problems" = json!(problems(&[Code::NotFound, Code::NoProgramme]))))
)]
#[get("/pool")]
pub(super) async fn get(services: web::Data<Services>, caller: Caller) -> Result<HttpResponse, Problem> {
    let me = myself(&caller, Action::ReadOwnPool)?;
    let own = services.settled(me).await?;
    let (head, may_spend) = match own.member.standing.link {
        Some(Link { root, kind: LinkKind::Pool { may_spend } }) => (root, may_spend),
        _ if own.member.standing.household > 0 => (me, true),
        _ => return Err(Code::NotFound.into()),
    };
    let keeper = if head == me { own } else { services.settled(head).await? };
    let read = move |conn: &mut _| {
        Ok((link::tied_to(conn, head, link::POOL)?, link::names(conn, &[head.uuid()])?.remove(&head.uuid())))
    };
    let (tied, name) = services.pool.run(read).await?;
    Ok(HttpResponse::Ok().json(PoolView {
        head: Person { member_id: head, name: name.unwrap_or_default() },
        members: tied.into_iter().map(Kin::from).collect(),
        may_spend,
        available: keeper.member.standing.available,
        pending: keeper.member.standing.pending,
        daily_limit: keeper.programme.programme.pools.map(|pools| pools.daily_limit),
    }))
}

/// Who is asked into the household.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct InvitationRequest {
    /// Whether who joins may spend from the pool; the head can change it later.
    #[serde(default)]
    may_spend: bool,
}

/// An invitation to a household pool.
#[derive(Serialize, ToSchema)]
struct Invitation {
    /// To be given to who is to join. It is told this once and good once.
    #[schema(example = "7k2m-9qxt-w4hb-03zc")]
    code: String,
    /// Whether who joins may spend from the pool.
    may_spend: bool,
    /// From when it is no longer good.
    expires_at: DateTime<Utc>,
}

/// Invite to one's own household pool
///
/// Makes a code that lets one member join, within seven days.
#[utoipa::path(
    operation_id = "invite_to_pool",
    responses((status = 201, description = "The code", body = Invitation)),
    extensions(("x-problems" = json!(problems(&[
        Code::PoolsNotOffered, Code::NotAHead, Code::PoolFull, Code::StateConflict, Code::NoProgramme
    ]))))
)]
#[post("/pool/invitations")]
pub(super) async fn invite(
    services: web::Data<Services>,
    caller: Caller,
    Json(request): Json<InvitationRequest>,
) -> Result<HttpResponse, Problem> {
    let head = myself(&caller, Action::ChangeOwnPool)?;
    let own = services.settled(head).await?;
    let standing = &own.member.standing;
    let pools = own.programme.programme.pools.ok_or(Problem::from(&Refusal::PoolsNotOffered))?;
    if standing.link.is_some() {
        return Err(Code::NotAHead.into());
    }
    let places = i64::from(pools.members) - 1 - i64::from(standing.household);
    if places < 1 {
        return Err(Problem::from(&Refusal::PoolFull(pools.members)));
    }
    let (code, created_at) = (codes::new_code(), services.clock.now());
    let expires_at = created_at + TimeDelta::days(INVITATION_DAYS);
    let may_spend = request.may_spend;
    let code_hash = codes::hash(&code).ok_or(Problem::new(Code::Internal))?;
    let new = NewInvitation { id: new_uuid(), head, code_hash, may_spend, created_at, expires_at };
    run_whole(&services, move |conn| {
        if invitation::open(conn, head, created_at)? >= places {
            let detail = both("As many invitations are open as there are places.", "未使用的邀请码数量已达剩余名额。");
            return Err(Problem::new(Code::StateConflict).with_detail(detail).into());
        }
        Ok(invitation::insert(conn, &new)?)
    })
    .await?;
    Ok(HttpResponse::Created().json(Invitation { code, may_spend, expires_at }))
}

/// A code to join by.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct JoinRequest {
    /// As the head was given it, in any case, with or without dashes.
    #[schema(example = "7k2m-9qxt-w4hb-03zc")]
    code: String,
}

/// Join a household pool
///
/// From now on what the member has and earns is kept with the head's points. His tier and his debts stay
/// his own, and when he leaves he takes along what is left of his points.
#[utoipa::path(
    operation_id = "join_pool",
    params(IdempotencyKey),
    responses((status = 200, description = "Joined", body = Linked)),
    extensions(("x-problems" = json!(problems(&[
        Code::InvitationInvalid, Code::PoolsNotOffered, Code::SameMember, Code::MemberFrozen, Code::MemberMerged,
        Code::InPool, Code::NotAHead, Code::PoolFull, Code::AmountOutOfRange, Code::NoProgramme
    ]))))
)]
#[post("/pool/join")]
pub(super) async fn join(
    services: web::Data<Services>,
    caller: Caller,
    key: IdempotencyKey,
    reader: Reader,
    Json(request): Json<JoinRequest>,
) -> Result<HttpResponse, Problem> {
    let me = myself(&caller, Action::ChangeOwnPool)?;
    let found = take(&services, &caller, &key, me, &request.code).await?;
    let command = Command::JoinPool(JoinPool { head: MemberId::new(found.head), may_spend: found.may_spend });
    let submission = Submission {
        member: me,
        command,
        actor: caller.actor(),
        time: Time::Live,
        claim: Some(submit::claim(&caller, key, "POST /v1/member/pool/join", &request)?),
        audit: None,
        render: submit::render(Some(reader), linked::show),
    };
    let reply = services.engine.submit(submission).await?;
    let (id, at) = (found.id, services.clock.now());
    match &reply {
        // Who may not join leaves it to another.
        Reply::Decided { outcome: Err(_), .. } => {
            services.pool.run(move |conn| invitation::take(conn, id, None)).await?
        }
        Reply::Replayed(answer) if answer.status >= 400 => {}
        // Of a repetition too: the first request may have come no further than to be stored.
        _ => services.pool.run(move |conn| invitation::joined(conn, id, at)).await?,
    }
    Ok(submit::pass_on(reply))
}

/// Takes an invitation for who is joining by it: from then on nobody else can. A repetition under a
/// known key finds it used up, and is answered with the first answer all the same.
async fn take(
    services: &Services,
    caller: &Caller,
    key: &IdempotencyKey,
    me: MemberId,
    code: &str,
) -> Result<InvitationRow, Problem> {
    let hash = codes::hash(code).ok_or(Problem::new(Code::InvitationInvalid))?;
    let (who, used, at) = (caller.principal().uuid(), key.0.clone(), services.clock.now());
    run_whole(services, move |conn| {
        let row = invitation::find_locked(conn, &hash)?.ok_or(Code::InvitationInvalid)?;
        if !ledger::key_used(conn, who, &used)? {
            if !row.is_open_to(me, at) {
                return Err(Code::InvitationInvalid.into());
            }
            invitation::take(conn, row.id, Some(me))?;
        }
        Ok(row)
    })
    .await
}

/// Nothing is to be said.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LeaveRequest {}

/// Leave one's own household pool
///
/// With what is left there of one's own points. The head dissolves it instead.
#[utoipa::path(
    operation_id = "leave_pool",
    params(IdempotencyKey),
    responses((status = 200, description = "Left", body = Linked)),
    extensions(("x-problems" = json!(problems(&[
        Code::NotInPool, Code::MemberMerged, Code::AmountOutOfRange, Code::NoProgramme
    ]))))
)]
#[post("/pool/leave")]
pub(super) async fn leave(
    services: web::Data<Services>,
    caller: Caller,
    key: IdempotencyKey,
    reader: Reader,
    Json(request): Json<LeaveRequest>,
) -> Result<HttpResponse, Problem> {
    let member = myself(&caller, Action::ChangeOwnPool)?;
    let submission = Request { caller: &caller, key, route: "POST /v1/member/pool/leave", member, reader };
    submit::submit(&services, submission, &request, Command::LeavePool, linked::show).await
}

/// What the head says of a member.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct KinChange {
    /// Whether he may spend from the pool.
    may_spend: bool,
}

/// Say whether a member may spend from one's own pool
#[utoipa::path(
    operation_id = "change_pool_member",
    responses((status = 200, description = "Said", body = Kin)),
    extensions(("x-problems" = json!(problems(&[Code::AmountOutOfRange, Code::NoProgramme]))))
)]
#[patch("/pool/members/{id}")]
pub(super) async fn change(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<MemberId>,
    Json(request): Json<KinChange>,
) -> Result<HttpResponse, Problem> {
    let head = myself(&caller, Action::ChangeOwnPool)?;
    let kin = of_household(&services, head, id).await?;
    decide(&services, &caller, id, Command::AllowSpending(request.may_spend)).await?.ok_or(Code::NotFound)?;
    Ok(HttpResponse::Ok().json(Kin { may_spend: request.may_spend, ..kin }))
}

/// Take a member out of one's own pool
///
/// He leaves with what is left there of his own points.
#[utoipa::path(
    operation_id = "remove_pool_member",
    responses((status = 204, description = "Out")),
    extensions(("x-problems" = json!(problems(&[Code::AmountOutOfRange, Code::NoProgramme]))))
)]
#[delete("/pool/members/{id}")]
pub(super) async fn remove(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<MemberId>,
) -> Result<HttpResponse, Problem> {
    let head = myself(&caller, Action::ChangeOwnPool)?;
    of_household(&services, head, id).await?;
    decide(&services, &caller, id, Command::LeavePool).await?.ok_or(Code::NotFound)?;
    Ok(HttpResponse::NoContent().finish())
}

/// Dissolve one's own pool
///
/// Each member leaves in turn with what is left of his own points. Asked again, it finishes what was not
/// finished.
#[utoipa::path(
    operation_id = "dissolve_pool",
    responses((status = 204, description = "There is no pool any more")),
    extensions(("x-problems" = json!(problems(&[Code::NotAHead, Code::AmountOutOfRange, Code::NoProgramme]))))
)]
#[delete("/pool")]
pub(super) async fn dissolve(services: web::Data<Services>, caller: Caller) -> Result<HttpResponse, Problem> {
    let head = myself(&caller, Action::ChangeOwnPool)?;
    let start = move |conn: &mut _| {
        let own = link::ties(conn, head)?;
        if own.is_some_and(|ties| ties.root.is_some()) {
            return Ok(None);
        }
        // First, so that nobody joins what is being dissolved.
        invitation::withdraw(conn, head)?;
        link::tied_to(conn, head, link::POOL).map(Some)
    };
    let members = services.pool.run(start).await?.ok_or(Problem::new(Code::NotAHead))?;
    for tied in members {
        // Who has left meanwhile is out too.
        decide(&services, &caller, MemberId::new(tied.member), Command::LeavePool).await?;
    }
    Ok(HttpResponse::NoContent().finish())
}

/// A member of the head's own household; anybody else is not found.
async fn of_household(services: &Services, head: MemberId, id: MemberId) -> Result<Kin, Problem> {
    let tied = services.pool.run(move |conn| link::tied_to(conn, head, link::POOL)).await?;
    let found = tied.into_iter().find(|tied| tied.member == id.uuid());
    found.map(Kin::from).ok_or(Problem::new(Code::NotFound))
}

/// What the head decides for a member; nothing where that one is in no pool any more.
async fn decide(
    services: &Services,
    caller: &Caller,
    member: MemberId,
    command: Command,
) -> Result<Option<Outcome>, Problem> {
    let submission = Submission {
        member,
        command,
        actor: caller.actor(),
        time: Time::Live,
        claim: None,
        audit: None,
        render: submit::render(None, linked::show),
    };
    match services.engine.submit(submission).await? {
        Reply::Decided { outcome: Ok(outcome), .. } => Ok(Some(outcome)),
        Reply::Decided { outcome: Err(Refusal::NotInPool | Refusal::MemberMerged), .. } => Ok(None),
        Reply::Decided { outcome: Err(refusal), .. } => Err(Problem::from(&refusal)),
        Reply::Replayed(_) | Reply::Known(_) => Err(Code::Internal.into()),
    }
}
