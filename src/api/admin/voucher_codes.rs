//! `/v1/admin/rewards/{id}/codes`: the codes of a partner that a reward gives out. They go in and are counted;
//! nobody reads them here again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, HttpResponse, get, post, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use tessera_rules::reward::RewardKind;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::error::{Code, FieldError, Problem, both};
use crate::api::extract::Id;
use crate::api::guard::permit;
use crate::api::openapi::{self, problems};
use crate::api::shape;
use crate::api::work::{Failed, run_whole};
use crate::clock::new_uuid;
use crate::store::Error;
use crate::store::audit::{self, Change};
use crate::store::db::Connection;
use crate::store::reward::{self, Pool, Upload, UploadView};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(upload).service(count);
}

/// The most codes of one upload.
const CODES_MAX: usize = 10_000;
/// The longest code, in bytes.
const CODE_BYTES_MAX: usize = 100;
/// A body with the most and longest codes, each with its quotes and a comma, fits.
const BODY_BYTES_MAX: usize = CODES_MAX * (CODE_BYTES_MAX + 8);
/// How long it may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);
/// How many mistakes are told at once.
const MISTAKES_MAX: usize = 100;

/// A list of codes as JSON.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CodeList {
    /// 1 to 10,000 of them, each 1 to 100 visible ASCII characters; given out in this order.
    #[schema(min_items = 1, max_items = 10_000, example = json!(["CINEMA-7F3K-22QX", "CINEMA-9B2M-71TD"]))]
    codes: Vec<String>,
}

/// The codes of a body: JSON, or CSV with one column and one code a line, with or without the heading `code`.
struct Codes(Vec<String>);

impl FromRequest for Codes {
    type Error = Problem;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        openapi::expect(request, Code::UnsupportedMediaType);
        let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = value.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let plain = request.headers().get(header::CONTENT_ENCODING).is_none_or(|coding| coding == "identity");
        let payload = web::Payload::from_request(request, payload);
        Box::pin(async move {
            let kind = Some(kind).filter(|_| plain);
            let body = payload.await.map_err(|_| Problem::new(Code::Internal))?.to_bytes_limited(BODY_BYTES_MAX);
            let bytes = match tokio::time::timeout(BODY_TIME, body).await {
                Ok(Ok(Ok(bytes))) => bytes,
                Ok(Ok(Err(_))) => return Err(Code::MalformedJson.into()),
                Ok(Err(_)) => return Err(Code::BodyTooLarge.into()),
                Err(_) => return Err(Code::RequestTimeout.into()),
            };
            match kind.as_deref() {
                Some("application/json") => shape::from_json::<CodeList>(&bytes).map(|list| Self(list.codes)),
                Some("text/csv") => from_csv(&bytes).map(Self),
                _ => Err(Code::UnsupportedMediaType.into()),
            }
        })
    }
}

fn from_csv(bytes: &[u8]) -> Result<Vec<String>, Problem> {
    let mut codes = Vec::new();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).trim(csv::Trim::All).from_reader(bytes);
    for (i, row) in reader.records().enumerate() {
        let row = row.ok().filter(|row| row.len() == 1).ok_or_else(|| {
            let detail = both("Expected one code a line, in UTF-8.", "每行应为一个券码（UTF-8）。");
            Problem::field(Code::InvalidField, format!("/codes/{i}"), "invalid_value", detail)
        })?;
        codes.push(row[0].to_owned());
    }
    if codes.first().is_some_and(|first| first.eq_ignore_ascii_case("code")) {
        codes.remove(0);
    }
    Ok(codes)
}

/// What is wrong with some codes of a list.
fn mistakes(code: Code, places: impl Iterator<Item = usize>, mistake: &'static str, en: &str, zh: &str) -> Problem {
    let told = places.take(MISTAKES_MAX).map(|place| FieldError {
        pointer: format!("/codes/{place}"),
        code: mistake,
        detail: both(en, zh),
    });
    told.fold(Problem::new(code), Problem::with_error)
}

/// Refuses a list that is no list of codes, each of which is there once.
fn check(codes: &[String]) -> Result<(), Problem> {
    if !(1..=CODES_MAX).contains(&codes.len()) {
        let detail = both("Expected 1 to 10,000 codes.", "券码数量应为 1 到 10000。");
        return Err(Problem::field(Code::InvalidField, "/codes", "count_invalid", detail));
    }
    let sound =
        |code: &String| (1..=CODE_BYTES_MAX).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_graphic());
    let mut unsound = (0..codes.len()).filter(|&place| !sound(&codes[place])).peekable();
    if unsound.peek().is_some() {
        let (en, zh) = ("Expected 1 to 100 visible ASCII characters.", "应为 1 到 100 个可见 ASCII 字符。");
        return Err(mistakes(Code::InvalidField, unsound, "invalid_value", en, zh));
    }
    let mut seen = BTreeSet::new();
    let mut twice = (0..codes.len()).filter(|&place| !seen.insert(&codes[place])).peekable();
    if twice.peek().is_some() {
        let (en, zh) = ("This code stands further up in the list.", "该券码在列表中重复。");
        return Err(mistakes(Code::InvalidField, twice, "code_twice", en, zh));
    }
    Ok(())
}

/// A list that was taken in.
#[derive(Serialize, ToSchema)]
struct CodesUploaded {
    /// How many codes it had.
    #[schema(example = 500)]
    added: i32,
    /// When it was taken in.
    uploaded_at: DateTime<Utc>,
    #[serde(flatten)]
    pool: CodePool,
}

/// How many codes a reward has.
#[derive(Serialize, ToSchema)]
struct CodePool {
    /// Uploaded so far.
    #[schema(example = 1500)]
    uploaded: i64,
    /// Given to members or set aside for them.
    #[schema(example = 320)]
    given: i64,
    /// Nobody's yet.
    #[schema(example = 1180)]
    left: i64,
}

impl From<Pool> for CodePool {
    fn from(pool: Pool) -> Self {
        Self { uploaded: pool.uploaded, given: pool.uploaded - pool.left, left: pool.left }
    }
}

/// Add a partner's codes
///
/// For a reward of kind `partner_voucher`: `{"codes": […]}`, or CSV with one code a line. All of them are taken in
/// or none. A code that the reward has already, or that stands twice in the list, is pointed at. The same list
/// again changes nothing and is answered with 200.
#[utoipa::path(
    operation_id = "upload_voucher_codes",
    params(("id" = String, Path, description = "Code of the reward.")),
    request_body(content((CodeList = "application/json"), (String = "text/csv"))),
    responses(
        (status = 201, description = "Taken in.", body = CodesUploaded),
        (status = 200, description = "This list was taken in before.", body = CodesUploaded),
    ),
    extensions(("x-problems" = json!(problems(&[Code::StateConflict, Code::VoucherCodeTaken, Code::NoProgramme]))))
)]
#[post("/rewards/{id}/codes")]
async fn upload(
    services: web::Data<Services>,
    caller: Caller,
    Id(id): Id<String>,
    Codes(codes): Codes,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WriteRewards, &Resource::Programme)?;
    let found = services.engine.programme().await?;
    let reward = found.programme.reward(&id).ok_or(Problem::new(Code::NotFound))?;
    if reward.kind != RewardKind::PartnerVoucher {
        let detail = both("Only a partner's voucher gives out codes.", "只有合作方券码类奖品可以上传券码。");
        return Err(Problem::new(Code::StateConflict).with_detail(detail));
    }
    check(&codes)?;
    let by = caller.staff().ok_or(Problem::new(Code::Forbidden))?;
    let digest = codes.iter().fold(Sha256::new(), |digest, code| digest.chain_update(code).chain_update([0]));
    let new =
        Upload { id: new_uuid(), reward: id, digest: digest.finalize().into(), codes, by, at: services.clock.now() };
    let actor = caller.actor();
    let (new, uploaded, pool) = run_whole(&services, move |conn| {
        if let Some(before) = reward::uploaded(conn, &new.reward, &new.digest)? {
            return Ok((false, before, pool_of(conn, &new.reward)?));
        }
        refuse_known(conn, &new)?;
        reward::upload(conn, &new).map_err(taken_meanwhile)?;
        let after = json!({ "upload": new.id, "codes": new.codes.len() });
        let object = format!("reward:{}", new.reward);
        let change = Change { action: "reward.upload_codes", object: &object, before: None, after: Some(after) };
        audit::record(conn, new.at, actor, change)?;
        let view =
            UploadView { id: new.id, codes: i32::try_from(new.codes.len()).unwrap_or(i32::MAX), uploaded_at: new.at };
        Ok((true, view, pool_of(conn, &new.reward)?))
    })
    .await?;
    let view = CodesUploaded { added: uploaded.codes, uploaded_at: uploaded.uploaded_at, pool: pool.into() };
    Ok(if new { HttpResponse::Created().json(view) } else { HttpResponse::Ok().json(view) })
}

/// Points at the codes that the reward has already.
fn refuse_known(conn: &mut Connection, new: &Upload) -> Result<(), Failed> {
    let known: BTreeSet<String> = reward::known(conn, &new.reward, &new.codes)?.into_iter().collect();
    if known.is_empty() {
        return Ok(());
    }
    let places = (0..new.codes.len()).filter(|&place| known.contains(&new.codes[place]));
    let (en, zh) = ("The reward has this code already.", "该奖品已有此券码。");
    Err(mistakes(Code::VoucherCodeTaken, places, "code_taken", en, zh).into())
}

/// Another upload was faster; asked again, its codes are pointed at, or it was this very list.
fn taken_meanwhile(error: Error) -> Failed {
    let taken = ["voucher_upload_digest_key", "voucher_code_code_key"].iter().any(|key| error.is_conflict(key));
    if taken { Code::VoucherCodeTaken.into() } else { error.into() }
}

fn pool_of(conn: &mut Connection, code: &str) -> Result<Pool, Error> {
    let pools: BTreeMap<String, Pool> = reward::pools(conn)?.into_iter().collect();
    Ok(pools.get(code).copied().unwrap_or(Pool { uploaded: 0, left: 0 }))
}

/// How many of a partner's codes are left
#[utoipa::path(
    operation_id = "count_voucher_codes",
    params(("id" = String, Path, description = "Code of the reward.")),
    responses((status = 200, description = "The counts; the codes themselves are never shown.", body = CodePool)),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/rewards/{id}/codes")]
async fn count(services: web::Data<Services>, caller: Caller, Id(id): Id<String>) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadProgramme, &Resource::Programme)?;
    let found = services.engine.programme().await?;
    found.programme.reward(&id).ok_or(Problem::new(Code::NotFound))?;
    let pool = services.pool.run(move |conn| pool_of(conn, &id)).await?;
    Ok(HttpResponse::Ok().json(CodePool::from(pool)))
}
