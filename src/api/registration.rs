//! `/v1/auth/register`, `/verify` and `/password/…`: how somebody becomes a member by himself, and how one
//! who has forgotten his password gets another. The answers are the same whoever has the contact: what
//! there is to tell, its owner is told by message.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, post, web};
use serde::{Deserialize, Serialize};
use tessera_rules::Actor;
use tessera_rules::command::Role;
use tessera_rules::id::VerificationId;
use tessera_rules::time::{BirthDate, Instant};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::Services;
use super::auth::{TokensResponse, tokens};
use super::contact;
use super::error::{Code, Problem};
use super::extract::{Json, invalid_field};
use super::openapi::problems;
use super::person::By;
use super::referrals::referrer_of_request;
use super::till::members::{Locale, grant_perks};
use super::work::{Failed, run_whole};
use crate::access::verification::{self, Applicant, CODE_LIFE, Contact, Purpose};
use crate::access::{self, Origin, Principal};
use crate::engine::{self, NewMember};
use crate::store::db::Connection;
use crate::store::member::MemberRow;
use crate::store::verification::VerificationRow;

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(register).service(verify).service(forgot_password).service(reset_password);
}

/// The longest name, in characters.
const NAME_MAX: usize = 100;

/// Somebody who wants to join.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RegisterRequest {
    /// 1 to 100 characters.
    #[schema(example = "林小雨", max_length = 100)]
    name: String,
    /// International number, where there is no e-mail address.
    #[schema(example = "+8613800138000")]
    phone: Option<String>,
    /// E-mail address, where there is no phone number.
    #[schema(example = "xiaoyu@example.com")]
    email: Option<String>,
    /// None of the common ones, and not made of name or contact.
    #[schema(format = Password, min_length = 8, max_length = 128)]
    password: String,
    /// `YYYY-MM-DD` or `--MM-DD`. It is set once.
    #[schema(value_type = Option<String>, example = "1990-02-28")]
    birth_date: Option<BirthDate>,
    /// Language of messages.
    locale: Option<Locale>,
}

/// Whose password was forgotten: one of the two.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ForgotRequest {
    /// International number.
    #[schema(example = "+8613800138000")]
    phone: Option<String>,
    /// E-mail address.
    #[schema(example = "xiaoyu@example.com")]
    email: Option<String>,
}

/// A code that was sent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct VerifyRequest {
    /// Of the answer to the registration.
    #[schema(value_type = String, example = "ver_01kapm3v5ne8v9b3r6a2f7qk4d")]
    verification_id: VerificationId,
    /// Six digits.
    #[schema(format = Password, pattern = "^[0-9]{6}$")]
    code: String,
    /// Who brought this person: a member's code or id. Said now or never.
    #[schema(example = "482916350718")]
    referred_by: Option<String>,
}

/// A code that was sent, and the password from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResetRequest {
    /// Of the answer to the request.
    #[schema(value_type = String, example = "ver_01kapm3v5ne8v9b3r6a2f7qk4d")]
    verification_id: VerificationId,
    /// Six digits.
    #[schema(format = Password, pattern = "^[0-9]{6}$")]
    code: String,
    /// None of the common ones, and not made of the contact.
    #[schema(format = Password, min_length = 8, max_length = 128)]
    new_password: String,
}

/// A message is on its way.
#[derive(Serialize, ToSchema)]
struct Sent {
    /// To be given with the code.
    #[schema(value_type = String, example = "ver_01kapm3v5ne8v9b3r6a2f7qk4d")]
    verification_id: VerificationId,
    /// Seconds the code is good for.
    #[schema(example = 600)]
    expires_in: i64,
}

fn sent(verification_id: VerificationId) -> HttpResponse {
    HttpResponse::build(StatusCode::ACCEPTED).json(Sent { verification_id, expires_in: CODE_LIFE.num_seconds() })
}

/// The one contact of a request.
fn one_contact(phone: Option<&str>, email: Option<&str>) -> Result<Contact, Problem> {
    match (phone, email) {
        (Some(number), None) => contact::phone("/phone", number).map(Contact::Phone),
        (None, Some(address)) => contact::email("/email", address).map(Contact::Email),
        _ => {
            Err(invalid_field("", "Give either a phone number or an e-mail address.", "请提供手机号或邮箱，二者选一。"))
        }
    }
}

/// Join by oneself
///
/// A code is sent to the contact, to be given to `/v1/auth/verify`. The answer is the same where the contact
/// is somebody's already: its owner is told by message instead. Codes can be asked for five times in a row;
/// after that each one has to wait longer.
#[utoipa::path(
    security(()),
    responses((status = 202, description = "A message is on its way.", body = Sent)),
    extensions(("x-problems" = json!(problems(&[Code::PasswordUnfit, Code::TooManyRequests]))))
)]
#[post("/register")]
async fn register(
    services: web::Data<Services>,
    origin: Origin,
    body: Json<RegisterRequest>,
) -> Result<HttpResponse, Problem> {
    let RegisterRequest { name, phone, email, password, birth_date, locale } = body.0;
    let applicant = Applicant {
        name: contact::text("/name", &name, NAME_MAX)?,
        contact: one_contact(phone.as_deref(), email.as_deref())?,
        birth_date,
        locale: locale.unwrap_or(Locale::En).tag(),
    };
    Ok(sent(services.access.open_registration(applicant, &password, &origin).await?))
}

/// Prove a contact and become a member
///
/// Signs in at once. A code can be tried five times.
#[utoipa::path(
    security(()),
    responses((status = 201, description = "A member, signed in.", body = TokensResponse)),
    extensions(("x-problems" = json!(problems(&[
        Code::VerificationInvalid, Code::PhoneTaken, Code::EmailTaken, Code::ReferrerUnknown, Code::ReferrerFrozen,
        Code::TooManyRequests, Code::SessionRevoked
    ]))))
)]
#[post("/verify")]
async fn verify(
    services: web::Data<Services>,
    origin: Origin,
    body: Json<VerifyRequest>,
) -> Result<HttpResponse, Problem> {
    let VerifyRequest { verification_id, code, referred_by } = body.0;
    services.access.may_try_code(&origin)?;
    let (now, wall_now) = (services.clock.now(), services.clock.wall_now());
    let joined = run_whole(&services, move |conn| {
        match verification::prove(conn, verification_id, Purpose::Register, &code, wall_now)? {
            Some(row) => join(conn, row, referred_by.as_deref(), now).map(Some),
            // Not a refusal here: the count of what was tried is to stand.
            None => Ok(None),
        }
    });
    let member = joined.await?.ok_or(Problem::new(Code::VerificationInvalid))?;
    services.access.code_was_right(&origin);
    grant_perks(&services, member.member(), member.birth_month.is_some()).await;
    let signed_in = services.access.sign_in(Principal::Member(member.member()), &origin).await?;
    let mut response = tokens(signed_in);
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// Enrols whoever has proved his contact, with the password he chose.
fn join(
    conn: &mut Connection,
    row: VerificationRow,
    referrer: Option<&str>,
    now: Instant,
) -> Result<MemberRow, Failed> {
    let new = NewMember {
        name: row.name.unwrap_or_default(),
        phone: row.phone,
        email: row.email,
        external_id: None,
        birth_date: row.birth_date.and_then(|text| text.parse().ok()),
        locale: row.locale.unwrap_or_default(),
        store: None,
        enrolled_at: now,
        referred_by: referrer.map(|said| referrer_of_request(conn, said)).transpose()?,
    };
    let member = engine::enrol(conn, new)?;
    access::set_member_password(conn, member.member(), &row.password_hash.unwrap_or_default())?;
    Ok(member)
}

/// Ask for a new password
///
/// For members. A code is sent to the contact, to be given to `/v1/auth/password/reset`. The answer is the
/// same where nobody signs in with the contact: it is told so by message.
#[utoipa::path(
    security(()),
    responses((status = 202, description = "A message is on its way.", body = Sent)),
    extensions(("x-problems" = json!(problems(&[Code::TooManyRequests]))))
)]
#[post("/password/forgot")]
async fn forgot_password(
    services: web::Data<Services>,
    origin: Origin,
    body: Json<ForgotRequest>,
) -> Result<HttpResponse, Problem> {
    let contact = one_contact(body.0.phone.as_deref(), body.0.email.as_deref())?;
    Ok(sent(services.access.open_reset(contact, &origin).await?))
}

/// Choose a new password
///
/// Ends all sign-ins, and tells the contact so. A code can be tried five times.
#[utoipa::path(
    security(()),
    responses((status = 204, description = "The password is the new one.")),
    extensions(("x-problems" = json!(problems(&[
        Code::VerificationInvalid, Code::PasswordUnfit, Code::TooManyRequests
    ]))))
)]
#[post("/password/reset")]
async fn reset_password(
    services: web::Data<Services>,
    origin: Origin,
    body: Json<ResetRequest>,
) -> Result<HttpResponse, Problem> {
    let ResetRequest { verification_id, code, new_password } = body.0;
    services.access.may_try_code(&origin)?;
    let hash = services.access.hash_for_reset(verification_id, &new_password).await?;
    let hash = hash.ok_or(Problem::new(Code::VerificationInvalid))?;
    let (now, wall_now) = (services.clock.now(), services.clock.wall_now());
    let changed = run_whole(&services, move |conn| {
        let Some(row) = verification::prove(conn, verification_id, Purpose::ResetPassword, &code, wall_now)? else {
            return Ok(None);
        };
        let Some(member) = verification::reset_password(conn, row, &hash, wall_now)? else { return Ok(None) };
        let actor = Actor { role: Role::Member, id: Some(member.uuid()) };
        let by = By { actor, at: now };
        let after = Some(serde_json::json!({ "fields": ["password"] }));
        by.note(conn, member, ("member.reset_password", "member.changed"), None, after)?;
        Ok::<_, Failed>(Some(member))
    });
    let member = changed.await?.ok_or(Problem::new(Code::VerificationInvalid))?;
    services.access.code_was_right(&origin);
    // Ended already, with the change; here this process forgets what it remembers of them.
    services.access.end_sessions(Principal::Member(member)).await?;
    Ok(HttpResponse::NoContent().finish())
}
