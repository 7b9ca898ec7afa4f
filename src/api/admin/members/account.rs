//! What a member owns now: everything due by now applied, nothing written.

use actix_web::{HttpResponse, get, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tessera_rules::amount::Points;
use tessera_rules::history::Shown;
use tessera_rules::id::MemberId;
use tessera_rules::time::to_micros;
use utoipa::ToSchema;

use super::known;
use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::error::{Code, Problem, both};
use crate::api::extract::{Id, Query};
use crate::api::guard::permit;
use crate::api::openapi::problems;
use crate::api::page::ListOf;
use crate::api::perks::GrantedPerk;
use crate::api::views::{BalanceView, GivenNotice, LotView, MemberBalance, TierView};
use crate::api::work::run;
use crate::store::ledger::{self, TierChangeView};

/// When.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct BalanceQuery {
    /// An instant of the past, from the enrolment on; absent: now.
    #[param(value_type = Option<String>, example = "2026-03-31T16:00:00Z")]
    as_of: Option<DateTime<Utc>>,
}

/// A member's balance, now or then.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum Balances {
    /// Settled to now.
    Now(MemberBalance),
    /// As it was shown.
    Then(BalanceThen),
}

/// What was shown of a member at an instant of the past.
#[derive(Serialize, ToSchema)]
struct BalanceThen {
    #[serde(flatten)]
    balance: BalanceView,
    /// Everything earned until then.
    #[schema(value_type = i64)]
    lifetime_earned: Points,
    /// Number of the last entry that counted; 0 for none.
    entries: i64,
    /// The instant.
    as_of: DateTime<Utc>,
}

/// A member's balance
///
/// With `as_of`, what the member was shown at that instant: what the clock had brought about by then counts
/// (points that had lapsed, though the entry was made later), and what was reported later does not (a
/// purchase of an offline till), whenever it happened.
#[utoipa::path(
    params(BalanceQuery),
    responses((status = 200, description = "Settled to that instant.", body = Balances)),
    extensions(("x-problems" = json!(problems(&[Code::MemberUnknown, Code::NoProgramme]))))
)]
#[get("/members/{id}/balance")]
pub(super) async fn member_balance(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<MemberId>,
    query: Query<BalanceQuery>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadLedger, &Resource::Member(id.0))?;
    let Some(as_of) = query.0.as_of.map(to_micros) else {
        let now = MemberBalance::of(&services.settled(id.0).await?)?;
        return Ok(HttpResponse::Ok().json(Balances::Now(now)));
    };
    let shown = services.engine.shown(id.0, as_of).await?.map_err(|refusal| Problem::from(&refusal))?;
    let shown = shown.ok_or_else(|| {
        let detail = both("Expected an instant from the enrolment until now.", "应为入会之后且不晚于当前的时间。");
        Problem::field(Code::InvalidQuery, "/as_of", "out_of_range", detail)
    })?;
    let Shown { balance, lifetime_earned, entries } = shown;
    let then = BalanceThen { balance: balance.into(), lifetime_earned, entries, as_of };
    Ok(HttpResponse::Ok().json(Balances::Then(then)))
}

/// A member's open lots
///
/// In the order they are spent: what lapses first comes first.
#[utoipa::path(
    responses((status = 200, description = "The lots with points left.", body = ListOf<LotView>)),
    extensions(("x-problems" = json!(problems(&[Code::MemberUnknown, Code::NoProgramme]))))
)]
#[get("/members/{id}/lots")]
pub(super) async fn member_lots(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<MemberId>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadLedger, &Resource::Member(id.0))?;
    let settled = services.settled(id.0).await?;
    let mut open: Vec<_> = settled.member.lots.values().filter(|lot| lot.remaining.is_positive()).collect();
    open.sort_unstable_by_key(|lot| lot.consumption_order());
    Ok(HttpResponse::Ok().json(ListOf::whole(open.into_iter().map(LotView::from).collect())))
}

/// A member's tier and how it came about.
#[derive(Serialize, ToSchema)]
struct MemberTier {
    #[serde(flatten)]
    tier: TierView,
    /// The latest hundred changes, newest first.
    history: Vec<TierChanged>,
}

/// A change of tier on record.
#[derive(Serialize, ToSchema)]
struct TierChanged {
    /// 1, 2, 3 … per member.
    number: i64,
    /// Code of the tier left.
    from: String,
    /// Code of the tier reached.
    to: String,
    /// When it took effect.
    at: DateTime<Utc>,
    /// When it was decided.
    recorded_at: DateTime<Utc>,
    /// `purchase`, `review`, `placement` or `placement_end`.
    #[schema(example = "purchase")]
    cause: String,
    /// What staff said about a placement.
    reason: Option<String>,
    /// The measure at that moment.
    measure: i64,
    /// The programme version that decided it.
    programme_version: i64,
}

impl From<TierChangeView> for TierChanged {
    fn from(row: TierChangeView) -> Self {
        let TierChangeView { number, from_tier, to_tier, at, recorded_at, cause, reason, measure, programme_version } =
            row;
        Self { number, from: from_tier, to: to_tier, at, recorded_at, cause, reason, measure, programme_version }
    }
}

/// A member's tier
#[utoipa::path(
    responses((status = 200, description = "Settled to now; the history is what is on record.", body = MemberTier)),
    extensions(("x-problems" = json!(problems(&[Code::MemberUnknown, Code::NoProgramme]))))
)]
#[get("/members/{id}/tier")]
pub(super) async fn member_tier(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<MemberId>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadLedger, &Resource::Member(id.0))?;
    let tier = TierView::of(&services.settled(id.0).await?)?;
    let history = services.pool.run(move |conn| ledger::tier_changes(conn, id.0)).await?;
    let history = history.into_iter().map(TierChanged::from).collect();
    Ok(HttpResponse::Ok().json(MemberTier { tier, history }))
}

/// A member's perks
#[utoipa::path(
    responses((status = 200, description = "The latest hundred.", body = ListOf<GrantedPerk>)),
    extensions(("x-problems" = json!(problems(&[Code::MemberUnknown]))))
)]
#[get("/members/{id}/perks")]
pub(super) async fn member_perks(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<MemberId>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadLedger, &Resource::Member(id.0))?;
    let read = move |conn: &mut _| {
        known(conn, id.0)?;
        Ok(GrantedPerk::of(conn, id.0)?)
    };
    let grants = run(&services, read).await?;
    Ok(HttpResponse::Ok().json(ListOf::whole(grants)))
}

/// A member's notices
///
/// What the member was warned of: points that lapse, a tier that falls.
#[utoipa::path(
    responses((status = 200, description = "The latest hundred, newest first.", body = ListOf<GivenNotice>)),
    extensions(("x-problems" = json!(problems(&[Code::MemberUnknown]))))
)]
#[get("/members/{id}/notices")]
pub(super) async fn member_notices(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<MemberId>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadLedger, &Resource::Member(id.0))?;
    let read = move |conn: &mut _| {
        known(conn, id.0)?;
        Ok(ledger::notices(conn, id.0)?)
    };
    let notices = run(&services, read).await?;
    Ok(HttpResponse::Ok().json(ListOf::whole(notices.into_iter().map(GivenNotice::from).collect())))
}
