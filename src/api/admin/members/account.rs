//! What a member owns now: everything due by now applied, nothing written.

use actix_web::{HttpResponse, get, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use tessera_rules::id::MemberId;
use utoipa::ToSchema;

use super::{known, settled};
use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::error::{Code, Problem};
use crate::api::extract::Id;
use crate::api::guard::permit;
use crate::api::openapi::problems;
use crate::api::page::ListOf;
use crate::api::views::{GivenNotice, LotView, MemberBalance, TierView};
use crate::api::work::run;
use crate::store::ledger::{self, PerkGrantView, TierChangeView};

/// A member's balance
#[utoipa::path(
    responses((status = 200, description = "Settled to now.", body = MemberBalance)),
    extensions(("x-problems" = json!(problems(&[Code::MemberUnknown, Code::NoProgramme]))))
)]
#[get("/members/{id}/balance")]
pub(super) async fn member_balance(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<MemberId>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadLedger, &Resource::Member(id.0))?;
    Ok(HttpResponse::Ok().json(MemberBalance::of(&settled(&services, id.0).await?)?))
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
    let settled = settled(&services, id.0).await?;
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
    let tier = TierView::of(&settled(&services, id.0).await?)?;
    let history = services.pool.run(move |conn| ledger::tier_changes(conn, id.0)).await?;
    let history = history.into_iter().map(TierChanged::from).collect();
    Ok(HttpResponse::Ok().json(MemberTier { tier, history }))
}

/// A perk that was granted to a member.
#[derive(Serialize, ToSchema)]
struct GrantedPerk {
    /// Code of the perk.
    #[schema(example = "birthday")]
    perk: String,
    /// The occasion's year.
    #[schema(example = 2026)]
    occasion: i32,
    /// When it was granted.
    granted_at: DateTime<Utc>,
    /// What was given.
    #[schema(value_type = super::super::schemas::PerkGift)]
    gift: serde_json::Value,
    /// First instant of its window.
    from: DateTime<Utc>,
    /// First instant after its window.
    until: DateTime<Utc>,
}

impl From<PerkGrantView> for GrantedPerk {
    fn from(row: PerkGrantView) -> Self {
        let PerkGrantView { perk, occasion, granted_at, gift, window_from, window_until } = row;
        Self { perk, occasion, granted_at, gift, from: window_from, until: window_until }
    }
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
        Ok(ledger::perk_grants(conn, id.0)?)
    };
    let grants = run(&services, read).await?;
    Ok(HttpResponse::Ok().json(ListOf::whole(grants.into_iter().map(GrantedPerk::from).collect())))
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
