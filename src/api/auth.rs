//! `/v1/auth`: signing in and out, passwords, PINs, and the public keys; and how handlers ask the
//! policy ([`permit`]).
//!
//! It must never tell whether there is somebody by an identifier, nor write a secret to a log: the
//! types that carry one have no `Debug`.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, get, post, put, web};
use serde::{Deserialize, Serialize};
use tessera_rules::command::Role;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::Services;
use super::error::{Code, Problem, both};
use super::extract::Json;
use super::openapi::problems;
use super::{registration, sessions};
use crate::access::password::{LONGEST, Unfit};
use crate::access::session::SignedIn;
use crate::access::{self, Action, Caller, Origin, Principal, Resource, Verdict};

/// Routes under `/v1/auth`.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(login).service(refresh).service(logout).service(change_password);
    config.configure(registration::routes).configure(sessions::routes);
}

/// The public keys, outside `/v1`.
pub fn well_known(config: &mut ServiceConfig<'_>) {
    config.service(jwks);
}

/// Asks the policy, and turns its refusal into an answer.
///
/// # Errors
/// `forbidden` for the wrong role, `not_found` for what belongs to somebody else.
pub fn permit(caller: &Caller, action: Action, resource: &Resource) -> Result<(), Problem> {
    match access::may(caller, action, resource) {
        Verdict::Allow => Ok(()),
        Verdict::NotFound => Err(Code::NotFound.into()),
        Verdict::Forbidden => Err(Code::Forbidden.into()),
    }
}

impl From<access::Error> for Problem {
    fn from(error: access::Error) -> Self {
        use access::Error;
        match error {
            Error::TokenInvalid => Code::TokenInvalid.into(),
            Error::SessionRevoked => Code::SessionRevoked.into(),
            Error::InvalidCredentials => Code::InvalidCredentials.into(),
            Error::Merged => Code::AccountMerged.into(),
            Error::Throttled { seconds } => Self::new(Code::TooManyRequests).with_retry_after(seconds),
            Error::Busy => Code::TooManyRequests.into(),
            Error::PasswordUnfit(unfit) => unfit_password(unfit),
            Error::PinUnfit => {
                Self::new(Code::PinUnfit).with_detail(both("A PIN has 6 to 12 digits.", "PIN 码须为 6 至 12 位数字。"))
            }
            Error::CodeWrong => Code::CodeWrong.into(),
            Error::PinWrong => Code::PinWrong.into(),
            Error::Locked { until } => {
                let until = until.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
                Self::new(Code::AuthorisationLocked).with_member("locked_until", until)
            }
            Error::Store(error) => error.into(),
            Error::Internal(reason) => {
                tracing::error!(reason, "access failed");
                Code::Internal.into()
            }
        }
    }
}

/// Why a password is not acceptable, in words and as `reason`.
fn unfit_password(unfit: Unfit) -> Problem {
    let (reason, detail) = match unfit {
        Unfit::TooShort(least) => (
            "too_short",
            both(
                format!("A password has {least} to {LONGEST} characters."),
                format!("密码长度须为 {least} 至 {LONGEST} 个字符。"),
            ),
        ),
        Unfit::TooLong => (
            "too_long",
            both(
                format!("A password has at most {LONGEST} characters."),
                format!("密码长度不得超过 {LONGEST} 个字符。"),
            ),
        ),
        Unfit::Common => (
            "common",
            both(
                "This password is one of those that are guessed first. Several words of your own are better.",
                "该密码过于常见，容易被猜中。建议使用几个您自己想到的词语。",
            ),
        ),
        Unfit::Personal => {
            ("personal", both("A password is not made of your name or contact.", "密码不得由您的姓名或联系方式组成。"))
        }
    };
    Problem::new(Code::PasswordUnfit).with_detail(detail).with_member("reason", reason)
}

/// Who signs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LoginRequest {
    /// Staff: the e-mail address or user name. Members: code, phone number, e-mail address or external id.
    #[schema(max_length = 254, example = "anna@example.com")]
    identifier: String,
    /// The password.
    #[schema(format = Password)]
    password: String,
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RefreshRequest {
    /// The one given last. It can be used once; repeating the same refresh within 10 seconds gives the same answer.
    #[schema(format = Password)]
    refresh_token: String,
}

/// A change of password. Staff choose at least 15 characters, members 8.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordChange {
    /// The password so far.
    #[schema(format = Password)]
    current_password: String,
    /// The password from now on.
    #[schema(format = Password, min_length = 8, max_length = 128)]
    new_password: String,
}

/// A new PIN.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PinChange {
    /// 6 to 12 digits, for redeeming at a till.
    #[schema(format = Password, pattern = "^[0-9]{6,12}$")]
    pin: String,
    /// The member's password.
    #[schema(format = Password)]
    password: String,
}

/// The tokens of a sign-in.
#[derive(Serialize, ToSchema)]
pub(super) struct TokensResponse {
    /// For `Authorization: Bearer …`.
    access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds until the access token expires.
    #[schema(example = 600)]
    expires_in: i64,
    /// For `/v1/auth/refresh`.
    refresh_token: String,
    /// Who signed in.
    principal: PrincipalResponse,
}

/// Who signed in.
#[derive(Serialize, ToSchema)]
struct PrincipalResponse {
    /// `staff` or `member`.
    #[schema(example = "staff")]
    kind: &'static str,
    /// The id of the member of staff or the member.
    id: String,
    /// `cashier`, `manager`, `admin`, or `member`.
    #[schema(value_type = String, example = "cashier")]
    role: Role,
    /// The person's name.
    name: String,
    /// The store, for cashiers and managers.
    store_id: Option<String>,
}

pub(super) fn tokens(signed_in: SignedIn) -> HttpResponse {
    let SignedIn { access_token, expires_in, refresh_token, caller } = signed_in;
    let id = match caller.principal() {
        Principal::Staff(id) => id.to_string(),
        Principal::Member(id) => id.to_string(),
        Principal::Key(id) => id.to_string(),
    };
    let principal = PrincipalResponse {
        kind: caller.principal().kind(),
        id,
        role: caller.role(),
        name: caller.name.to_string(),
        store_id: caller.store.map(|store| store.to_string()),
    };
    // RFC 6749 section 5.1: no cache may keep tokens.
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(TokensResponse {
        access_token,
        token_type: "Bearer",
        expires_in,
        refresh_token,
        principal,
    })
}

/// Sign in
///
/// The same answer in the same time, whether the identifier or the password is wrong. After five
/// failures for one identifier, or many more from one address, each further one makes the next wait longer.
#[utoipa::path(
    security(()),
    responses((status = 200, description = "Signed in.", body = TokensResponse)),
    extensions(("x-problems" = json!(problems(&[
        Code::InvalidCredentials, Code::AccountMerged, Code::TooManyRequests
    ]))))
)]
#[post("/login")]
async fn login(
    services: web::Data<Services>,
    origin: Origin,
    body: Json<LoginRequest>,
) -> Result<HttpResponse, Problem> {
    Ok(tokens(services.access.login(&body.0.identifier, &body.0.password, &origin).await?))
}

/// Renew the tokens
///
/// Each refresh token is used once. Used again later than 10 seconds after, it ends the sign-in: it
/// must have been stolen.
#[utoipa::path(
    security(()),
    responses((status = 200, description = "A new pair of tokens.", body = TokensResponse)),
    extensions(("x-problems" = json!(problems(&[Code::TokenInvalid, Code::SessionRevoked]))))
)]
#[post("/refresh")]
async fn refresh(services: web::Data<Services>, body: Json<RefreshRequest>) -> Result<HttpResponse, Problem> {
    Ok(tokens(services.access.refresh(&body.0.refresh_token).await?))
}

/// Sign out
///
/// Ends this sign-in: its access and refresh tokens are worthless from now on, in every process
/// within five seconds.
#[utoipa::path(responses((status = 204, description = "Signed out.")))]
#[post("/logout")]
async fn logout(services: web::Data<Services>, caller: Caller) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ManageOwnSession, &Resource::Programme)?;
    services.access.logout(&caller).await?;
    Ok(HttpResponse::new(StatusCode::NO_CONTENT))
}

/// Change one's own password
///
/// Ends every other sign-in of the same person.
#[utoipa::path(
    responses((status = 204, description = "Changed.")),
    extensions(("x-problems" = json!(problems(&[
        Code::InvalidCredentials, Code::PasswordUnfit, Code::TooManyRequests
    ]))))
)]
#[put("/password")]
async fn change_password(
    services: web::Data<Services>,
    caller: Caller,
    body: Json<PasswordChange>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ManageOwnSession, &Resource::Programme)?;
    services.access.change_password(&caller, &body.0.current_password, &body.0.new_password).await?;
    Ok(HttpResponse::new(StatusCode::NO_CONTENT))
}

/// Set one's own PIN
///
/// For redeeming at a till without showing the card.
#[utoipa::path(
    responses((status = 204, description = "Set.")),
    extensions(("x-problems" = json!(problems(&[
        Code::InvalidCredentials, Code::PinUnfit, Code::TooManyRequests
    ]))))
)]
#[put("/pin")]
pub(super) async fn set_pin(
    services: web::Data<Services>,
    caller: Caller,
    body: Json<PinChange>,
) -> Result<HttpResponse, Problem> {
    let member = caller.member().ok_or(Problem::new(Code::Forbidden))?;
    permit(&caller, Action::SetOwnPin, &Resource::Member(member))?;
    services.access.set_pin(member, &body.0.pin, &body.0.password).await?;
    Ok(HttpResponse::new(StatusCode::NO_CONTENT))
}

/// The public keys
///
/// For verifying access tokens (RFC 7517): EdDSA on Ed25519, found by `kid`.
#[utoipa::path(responses((status = 200, description = "A JWK set.", body = Object)))]
#[get("/.well-known/jwks.json")]
async fn jwks(services: web::Data<Services>) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "public, max-age=300")).json(services.access.jwks())
}
