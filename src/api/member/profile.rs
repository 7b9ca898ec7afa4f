//! `/v1/member/profile` and `/v1/member/card`.

use actix_web::{HttpResponse, get, patch, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tessera_rules::id::{MemberId, StoreId};
use tessera_rules::time::BirthDate;
use utoipa::ToSchema;

use super::myself;
use crate::access::{Action, Caller};
use crate::api::Services;
use crate::api::error::{Code, Problem};
use crate::api::extract::{IfMatch, Json, etag};
use crate::api::openapi::problems;
use crate::api::person::{self, By, PersonChange};
use crate::api::till::members::Locale;
use crate::store::member::{self, MemberRow};

/// A member's own profile.
#[derive(Serialize, ToSchema)]
struct Profile {
    /// Id.
    #[schema(value_type = String)]
    id: MemberId,
    /// Member code.
    code: String,
    /// Name.
    name: String,
    /// International number.
    phone: Option<String>,
    /// E-mail address.
    email: Option<String>,
    /// `YYYY-MM-DD` or `--MM-DD`.
    #[schema(value_type = Option<String>)]
    birth_date: Option<BirthDate>,
    /// Language of messages.
    locale: String,
    /// `active` or `frozen`.
    status: String,
    /// The store of enrolment.
    #[schema(value_type = Option<String>)]
    store_id: Option<StoreId>,
    /// When the member joined.
    enrolled_at: DateTime<Utc>,
}

impl From<MemberRow> for Profile {
    fn from(row: MemberRow) -> Self {
        Self {
            id: row.member(),
            birth_date: row.birth_date(),
            code: row.code,
            name: row.name,
            phone: row.phone,
            email: row.email,
            locale: row.locale,
            status: row.status,
            store_id: row.store_id.map(StoreId::new),
            enrolled_at: row.enrolled_at,
        }
    }
}

/// Read one's own profile
#[utoipa::path(
    operation_id = "own_profile",
    responses((status = 200, description = "With its version as ETag", body = Profile))
)]
#[get("/profile")]
pub(super) async fn get(services: web::Data<Services>, caller: Caller) -> Result<HttpResponse, Problem> {
    let id = myself(&caller, Action::ReadOwnProfile)?;
    let found = services.pool.run(move |conn| member::find(conn, id)).await?;
    let row = found.ok_or(Problem::new(Code::NotFound))?;
    Ok(HttpResponse::Ok().insert_header(etag(row.version)).json(Profile::from(row)))
}

/// What changes; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ProfileChange {
    /// 1 to 100 characters.
    name: Option<String>,
    /// International number; unique among members.
    phone: Option<String>,
    /// Unique among members.
    email: Option<String>,
    /// Language of messages.
    locale: Option<Locale>,
    /// Can be set once; a later change needs staff.
    #[schema(value_type = Option<String>)]
    birth_date: Option<BirthDate>,
}

impl From<ProfileChange> for PersonChange {
    fn from(wanted: ProfileChange) -> Self {
        let ProfileChange { name, phone, email, locale, birth_date } = wanted;
        Self {
            name,
            phone: phone.map(Some),
            email: email.map(Some),
            locale: locale.map(Locale::tag),
            birth_date,
            ..Self::default()
        }
    }
}

/// Change one's own profile
#[utoipa::path(
    operation_id = "change_own_profile",
    params(IfMatch),
    responses((status = 200, description = "Changed, with its new version as ETag", body = Profile)),
    extensions(("x-problems" = json!(problems(&[Code::PhoneTaken, Code::EmailTaken, Code::BirthDateSet]))))
)]
#[patch("/profile")]
pub(super) async fn change(
    services: web::Data<Services>,
    caller: Caller,
    version: IfMatch,
    Json(wanted): Json<ProfileChange>,
) -> Result<HttpResponse, Problem> {
    let id = myself(&caller, Action::ChangeOwnProfile)?;
    let by = By { actor: caller.actor(), at: services.clock.now() };
    let row = person::change(&services, id, version, wanted.into(), by).await?;
    Ok(HttpResponse::Ok().insert_header(etag(row.version)).json(Profile::from(row)))
}

/// What a member shows at a till.
#[derive(Serialize, ToSchema)]
struct Card {
    /// Id.
    #[schema(value_type = String)]
    member_id: MemberId,
    /// Member code: identifies, never spends.
    code: String,
    /// Six digits that let a till spend points once.
    #[schema(example = "492817")]
    otp: String,
    /// When the next six digits come, by the wall clock. A till takes these for 30 seconds more.
    otp_valid_until: DateTime<Utc>,
}

/// Show one's own card
#[utoipa::path(operation_id = "own_card", responses((status = 200, description = "The card now", body = Card)))]
#[get("/card")]
pub(super) async fn card(services: web::Data<Services>, caller: Caller) -> Result<HttpResponse, Problem> {
    let id = myself(&caller, Action::ShowOwnCard)?;
    let found = services.pool.run(move |conn| member::find(conn, id)).await?;
    let row = found.ok_or(Problem::new(Code::NotFound))?;
    let code = services.access.card_code(id).await?;
    Ok(HttpResponse::Ok().json(Card {
        member_id: id,
        code: row.code,
        otp: code.digits.clone(),
        otp_valid_until: code.valid_until,
    }))
}
