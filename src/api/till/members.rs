//! `/v1/till/members`: enrolling, finding, and what a cashier may see of a member.

use actix_web::{HttpResponse, get, post, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tessera_rules::code::MemberCode;
use tessera_rules::id::{MemberId, StoreId};
use tessera_rules::time::BirthDate;
use tessera_rules::trigger::promotion_of;
use tessera_rules::{Actor, Command, Outcome};
use utoipa::{IntoParams, ToSchema};

use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::contact;
use crate::api::error::{Code, Problem, both};
use crate::api::extract::{Id, Json, Query};
use crate::api::guard::permit;
use crate::api::linked::stays;
use crate::api::openapi::problems;
use crate::api::page::ListOf;
use crate::api::perks::GrantedPerk;
use crate::api::referrals::referrer_of_request;
use crate::api::submit::{answer, render};
use crate::api::views::{MemberBalance, TierView};
use crate::api::work::run;
use crate::engine::{self, NewMember, Reply, Submission, Time};
use crate::store::db::Connection;
use crate::store::member::{self, Key, MemberRow};
use crate::store::{Error, link};

/// A person who joins.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EnrolRequest {
    /// 1 to 100 characters.
    #[schema(example = "林小雨", max_length = 100)]
    name: String,
    /// International number; unique among members.
    #[schema(example = "+8613800138000")]
    phone: Option<String>,
    /// Unique among members.
    #[schema(example = "xiaoyu@example.com")]
    email: Option<String>,
    /// `YYYY-MM-DD` or `--MM-DD`.
    #[schema(value_type = Option<String>, example = "1990-02-28")]
    birth_date: Option<BirthDate>,
    /// Language of messages.
    locale: Option<Locale>,
    /// The id in another system; unique among members.
    #[schema(max_length = 64)]
    external_id: Option<String>,
    /// Who brought this person: a member's code or id. Said now or never.
    #[schema(example = "482916350718")]
    referred_by: Option<String>,
}

/// A language the programme speaks.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, ToSchema)]
pub(crate) enum Locale {
    /// English.
    #[serde(rename = "en")]
    En,
    /// Simplified Chinese.
    #[serde(rename = "zh-CN")]
    ZhCn,
}

impl Locale {
    /// The tag as stored.
    pub(crate) fn tag(self) -> String {
        match self {
            Self::En => "en",
            Self::ZhCn => "zh-CN",
        }
        .to_owned()
    }
}

/// A member as a till sees him: enough to ask "are you …?".
#[derive(Serialize, ToSchema)]
struct TillMember {
    /// Id.
    #[schema(value_type = String, example = "mem_01kapm3v5ne8v9b3r6a2f7qk4d")]
    id: MemberId,
    /// Member code: identifies, never spends.
    #[schema(example = "482916350718")]
    code: String,
    /// Shortened.
    #[schema(example = "林**")]
    name: String,
    /// The last four digits.
    phone: Option<String>,
    /// The first letter and the domain.
    email: Option<String>,
    /// `active` or `frozen`.
    status: String,
    /// Language of messages.
    locale: String,
    /// Where the member enrolled.
    #[schema(value_type = Option<String>)]
    store_id: Option<StoreId>,
    /// When.
    enrolled_at: DateTime<Utc>,
    /// The account that was looked for, where it was merged into this one; absent where it was this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    merged_from: Option<MemberId>,
}

impl From<MemberRow> for TillMember {
    fn from(row: MemberRow) -> Self {
        Self {
            id: row.member(),
            name: contact::mask_name(&row.name),
            phone: row.phone.as_deref().map(contact::mask_phone),
            email: row.email.as_deref().map(contact::mask_email),
            code: row.code,
            status: row.status,
            locale: row.locale,
            store_id: row.store_id.map(StoreId::new),
            enrolled_at: row.enrolled_at,
            merged_from: None,
        }
    }
}

impl TillMember {
    /// The member that was looked for as he is now: of one that was merged, the one that stays.
    fn now(conn: &mut Connection, found: Option<MemberRow>) -> Result<Option<Self>, Error> {
        let Some(row) = found else { return Ok(None) };
        let (asked, stays) = (row.member(), link::stays(conn, row.member())?);
        if stays == asked {
            return Ok(Some(row.into()));
        }
        let found = member::find(conn, stays)?;
        Ok(found.map(|row| Self { merged_from: Some(asked), ..row.into() }))
    }
}

/// A member who has just joined.
#[derive(Serialize, ToSchema)]
struct Enrolled {
    #[serde(flatten)]
    member: TillMember,
    /// Codes of the perks that were granted at once.
    perks: Vec<String>,
    /// Codes of the promotions that gave something at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    promotions: Vec<String>,
}

/// Enrol a member
///
/// A perk whose window holds today, a welcome or a birthday, is granted at once; so is what promotions give for it.
#[utoipa::path(
    responses((status = 201, description = "Enrolled", body = Enrolled)),
    extensions(("x-problems" = json!(problems(&[
        Code::PhoneTaken,
        Code::EmailTaken,
        Code::ExternalIdTaken,
        Code::ReferrerUnknown,
        Code::ReferrerFrozen,
    ]))))
)]
#[post("/members")]
pub(super) async fn enrol(
    services: web::Data<Services>,
    caller: Caller,
    Json(request): Json<EnrolRequest>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::EnrolMember, &Resource::Programme)?;
    let mut new = NewMember {
        name: contact::text("/name", &request.name, 100)?,
        phone: request.phone.as_deref().map(|phone| contact::phone("/phone", phone)).transpose()?,
        email: request.email.as_deref().map(|email| contact::email("/email", email)).transpose()?,
        external_id: request.external_id.map(|id| contact::text("/external_id", &id, 64)).transpose()?,
        birth_date: request.birth_date,
        locale: request.locale.unwrap_or(Locale::En).tag(),
        store: caller.store,
        enrolled_at: services.clock.now(),
        referred_by: None,
    };
    let enrol = move |conn: &mut _| {
        new.referred_by = request.referred_by.map(|said| referrer_of_request(conn, &said)).transpose()?;
        Ok(engine::enrol(conn, new)?)
    };
    let row = run(&services, enrol).await?;
    let granted = grant_perks(&services, row.member(), row.birth_month.is_some()).await;
    let promotions = granted.iter().filter_map(|by| promotion_of(by)).map(str::to_owned).collect();
    let perks = granted.into_iter().filter(|by| promotion_of(by).is_none()).collect();
    let view = Enrolled { member: row.into(), perks, promotions };
    Ok(HttpResponse::Created().json(view))
}

/// Grants what is due at once. The enrolment stands whatever comes of it: the next midnight's job
/// would find the same.
pub(crate) async fn grant_perks(services: &Services, member: MemberId, born: bool) -> Vec<String> {
    if services.engine.programme().await.is_ok_and(|found| !found.programme.greets(born)) {
        return Vec::new();
    }
    let show = |_: &Outcome| answer(200, &());
    let submission = Submission {
        member,
        command: Command::GrantPerks,
        actor: Actor::SYSTEM,
        time: Time::Live,
        claim: None,
        audit: None,
        render: render(None, show),
    };
    match services.engine.submit(submission).await {
        Ok(Reply::Decided { outcome: Ok(Outcome::Perks(perks)), .. }) => perks,
        Ok(_) => Vec::new(),
        Err(failure) => {
            tracing::warn!(%failure, "perks of a new member wait for the next run");
            Vec::new()
        }
    }
}

/// What a member is found by: exactly one of the four.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FindMember {
    /// International number.
    pub(crate) phone: Option<String>,
    /// E-mail address.
    pub(crate) email: Option<String>,
    /// Member code of twelve digits.
    pub(crate) code: Option<String>,
    /// The id in another system.
    pub(crate) external_id: Option<String>,
}

impl FindMember {
    fn key(self) -> Result<Key, Problem> {
        let mistake = |pointer: &'static str, en: &str, zh: &str| {
            Problem::field(Code::InvalidQuery, pointer, "invalid_value", both(en, zh))
        };
        match (self.phone, self.email, self.code, self.external_id) {
            (Some(phone), None, None, None) => contact::normal_phone(&phone)
                .map(Key::Phone)
                .ok_or_else(|| mistake("/phone", "Expected an international number.", "请使用国际格式的手机号。")),
            (None, Some(email), None, None) => contact::normal_email(&email)
                .map(Key::Email)
                .ok_or_else(|| mistake("/email", "Expected an e-mail address.", "邮箱地址格式不正确。")),
            (None, None, Some(code), None) => code
                .parse::<MemberCode>()
                .map(|code| Key::Code(code.into()))
                .map_err(|_| mistake("/code", "The check digit does not fit.", "会员码校验位不正确。")),
            (None, None, None, Some(id)) => Ok(Key::ExternalId(id)),
            _ => Err(mistake(
                "",
                "Name exactly one of phone, email, code and external_id.",
                "phone、email、code、external_id 必须且只能提供一个。",
            )),
        }
    }
}

/// Find a member
///
/// Exact match only; the answer is masked. What belongs to an account that was merged into another finds the
/// one that stays.
#[utoipa::path(params(FindMember), responses((status = 200, description = "At most one", body = ListOf<TillMember>)))]
#[get("/members")]
pub(super) async fn find(
    services: web::Data<Services>,
    caller: Caller,
    Query(query): Query<FindMember>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::LookUpMember, &Resource::Programme)?;
    let key = query.key()?;
    let look = move |conn: &mut _| {
        let found = member::by_key(conn, &key)?;
        TillMember::now(conn, found)
    };
    let found = services.pool.run(look).await?;
    Ok(HttpResponse::Ok().json(ListOf::whole(found.into_iter().collect())))
}

/// Read a member, masked
#[utoipa::path(responses((status = 200, description = "The member", body = TillMember)))]
#[get("/members/{id}")]
pub(super) async fn get(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<MemberId>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::LookUpMember, &Resource::Member(id))?;
    let read = move |conn: &mut _| {
        let found = member::find(conn, id)?;
        TillMember::now(conn, found)
    };
    let found = services.pool.run(read).await?;
    Ok(HttpResponse::Ok().json(found.ok_or(Problem::new(Code::NotFound))?))
}

/// Read a member's balance
#[utoipa::path(
    operation_id = "till_member_balance",
    responses((status = 200, description = "Settled to now", body = MemberBalance)),
    extensions(("x-problems" = json!(problems(&[Code::MemberUnknown, Code::NoProgramme]))))
)]
#[get("/members/{id}/balance")]
pub(super) async fn balance(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<MemberId>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadMemberBalance, &Resource::Member(id))?;
    let id = stays(&services, id).await?;
    let settled = services.settled(id).await?;
    Ok(HttpResponse::Ok().json(MemberBalance::of(&settled)?))
}

/// Read a member's tier
///
/// With what it entitles to, and how much of that is left.
#[utoipa::path(
    operation_id = "till_member_tier",
    responses((status = 200, description = "Settled to now", body = TierView)),
    extensions(("x-problems" = json!(problems(&[Code::MemberUnknown, Code::NoProgramme]))))
)]
#[get("/members/{id}/tier")]
pub(super) async fn tier(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<MemberId>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadMemberBalance, &Resource::Member(id))?;
    let id = stays(&services, id).await?;
    let settled = services.settled(id).await?;
    Ok(HttpResponse::Ok().json(TierView::of(&settled)?))
}

/// Read what a member was given and may still use
///
/// Points and multipliers work by themselves; a reward is redeemed like any other, and costs nothing.
#[utoipa::path(
    operation_id = "till_member_perks",
    responses((status = 200, description = "Perks whose window is open, newest first", body = ListOf<GrantedPerk>)),
    extensions(("x-problems" = json!(problems(&[Code::MemberUnknown]))))
)]
#[get("/members/{id}/perks")]
pub(super) async fn open_perks(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<MemberId>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadMemberBalance, &Resource::Member(id))?;
    let (id, now) = (stays(&services, id).await?, services.clock.now());
    let read = move |conn: &mut _| {
        member::find(conn, id)?.ok_or(Code::MemberUnknown)?;
        Ok(GrantedPerk::open(conn, id, now)?)
    };
    Ok(HttpResponse::Ok().json(ListOf::whole(run(&services, read).await?)))
}
