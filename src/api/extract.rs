//! What a handler takes, read and checked before its first line: parse at the door, or a 4xx.
//!
//! Names matter here: `utoipa` reads a handler's signature and documents `Json<T>` as its body. The
//! others are documented by name: `params(ListQuery)`, `params(IdempotencyKey)`, `params(IfMatch)`; a
//! part of the path documents itself. Who forgets one is told by `openapi::undocumented` at the first
//! request.

use std::future::{Future, Ready, ready};
use std::ops::Deref;
use std::pin::Pin;
use std::str::FromStr;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use serde::de::DeserializeOwned;
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, SchemaFormat, Type};

use super::error::{Code, FieldError, Language, Problem, both};
use super::{Services, openapi, shape};
use crate::access;

/// How long a body may take to arrive once its head has.
const BODY_TIME: Duration = Duration::from_secs(10);

/// A request body: one JSON object, every field known and of its type.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        openapi::expect(request, Code::MalformedJson);
        let read = check_media_type(request.headers()).map(|()| web::Bytes::from_request(request, payload));
        Box::pin(async move {
            let bytes = match tokio::time::timeout(BODY_TIME, read?).await {
                Ok(Ok(bytes)) => bytes,
                Ok(Err(error)) => return Err(unreadable(&error)),
                Err(_) => return Err(Code::RequestTimeout.into()),
            };
            shape::from_json(&bytes).map(Self)
        })
    }
}

/// A compressed body is refused too: its size is not what its length says.
fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    let plain = headers.get(header::CONTENT_ENCODING).is_none_or(|coding| coding == "identity");
    if essence.eq_ignore_ascii_case("application/json") && plain {
        return Ok(());
    }
    Err(Code::UnsupportedMediaType.into())
}

fn unreadable(error: &actix_web::Error) -> Problem {
    match error.as_error::<PayloadError>() {
        Some(PayloadError::Overflow) => Code::BodyTooLarge.into(),
        _ => Code::MalformedJson.into(),
    }
}

/// The query string, every parameter known and of its type.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        openapi::expect(request, Code::InvalidQuery);
        ready(shape::from_query(request.query_string()).map(Self))
    }
}

/// Several parts of the path as a struct. What cannot be the name of anything is not found.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Path<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let nul = request.match_info().iter().any(|(_, part)| part.contains("%00"));
        let parts = if nul { None } else { request.match_info().load().ok() };
        ready(parts.map(Self).ok_or(Problem::new(Code::NotFound)))
    }
}

/// The part `{id}` of the path. A text that is no id of this kind is not found.
#[derive(Debug, Clone, Copy)]
pub struct Id<T>(pub T);

impl<T: FromStr> FromRequest for Id<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.match_info().get("id").and_then(|text| text.parse().ok());
        ready(id.map(Self).ok_or(Problem::new(Code::NotFound)))
    }
}

/// The one value of a header; two of them, or one that is not ASCII, are nobody's value.
fn only<'r>(request: &'r HttpRequest, name: &HeaderName) -> Option<Result<&'r str, ()>> {
    let mut values = request.headers().get_all(name);
    let first = values.next()?;
    Some(if values.next().is_some() { Err(()) } else { first.to_str().map_err(|_| ()) })
}

/// The header that makes repeating a request safe: 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(pub String);

impl IdempotencyKey {
    const NAME: HeaderName = HeaderName::from_static("idempotency-key");

    /// Takes a structured-field string (quoted) and a bare token alike: one pair of quotes goes.
    fn parse(value: &str) -> Option<Self> {
        let bare = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
        let sound = (1..=255).contains(&bare.len()) && bare.bytes().all(|byte| byte.is_ascii_graphic());
        sound.then(|| Self(bare.to_owned()))
    }
}

impl FromRequest for IdempotencyKey {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        openapi::expect(request, Code::IdempotencyKeyMissing);
        ready(match only(request, &Self::NAME) {
            None => Err(Code::IdempotencyKeyMissing.into()),
            Some(value) => value.ok().and_then(Self::parse).ok_or(Problem::new(Code::IdempotencyKeyInvalid)),
        })
    }
}

impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![header_param(
            "Idempotency-Key",
            "Chosen by the caller, one for each thing to be done, and kept for every repetition of it: \
             the repetition is answered with the first answer.",
            ObjectBuilder::new()
                .schema_type(Type::String)
                .min_length(Some(1))
                .max_length(Some(257))
                .pattern(Some("^[\\x21-\\x7E]+$"))
                .examples(["6f1c1a3e-8a51-4c0e-9d2a-0b7e5f2f7a10"]),
        )]
    }
}

/// The version of the object the caller has seen, from `If-Match: "7"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IfMatch(pub i64);

impl IfMatch {
    fn parse(value: &str) -> Option<Self> {
        let digits = value.trim().strip_prefix('"')?.strip_suffix('"')?;
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse().ok().map(Self))?
    }

    /// Compares with the version the object is at.
    ///
    /// # Errors
    /// `version_conflict`, telling the current version.
    pub fn check(self, current: i64) -> Result<(), Problem> {
        if self.0 == current {
            return Ok(());
        }
        Err(Problem::new(Code::VersionConflict).with_current_version(current))
    }
}

impl FromRequest for IfMatch {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        openapi::expect(request, Code::PreconditionRequired);
        ready(match only(request, &header::IF_MATCH) {
            None => Err(Code::PreconditionRequired.into()),
            Some(value) => value.ok().and_then(Self::parse).ok_or(Problem::new(Code::IfMatchInvalid)),
        })
    }
}

impl IntoParams for IfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![header_param(
            "If-Match",
            "The `ETag` of the version this change is meant for.",
            ObjectBuilder::new().schema_type(Type::String).pattern(Some("^\"[0-9]+\"$")).examples(["\"7\""]),
        )]
    }
}

/// The `ETag` header of a version.
pub fn etag(version: i64) -> (HeaderName, String) {
    (header::ETAG, format!("\"{version}\""))
}

fn header_param(name: &str, description: &str, schema: ObjectBuilder) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::True)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}

/// The schema of a TypeID with an unknown prefix, for the parts of a path.
pub(super) fn id_schema() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::Custom("typeid".to_owned())))
}

impl Language {
    /// The language a caller prefers (RFC 9110 §12.5.4) of the two there are.
    pub fn preferred(headers: &HeaderMap) -> Self {
        let wish = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut best = (0, Self::En);
        for range in wish.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let tag = parts.next().unwrap_or_default();
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1000, thousandths);
            let primary = tag.split('-').next().unwrap_or_default();
            let language = if primary.eq_ignore_ascii_case("zh") {
                Self::ZhCn
            } else if primary.eq_ignore_ascii_case("en") || primary == "*" {
                Self::En
            } else {
                continue;
            };
            // Of two wished for alike, the one named first.
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
    }
}

/// A weight (`0.8`) in thousandths; what is no weight counts as none.
fn thousandths(weight: &str) -> i64 {
    tessera_rules::amount::parse_decimal(weight, 3).unwrap_or(0)
}

impl FromRequest for Language {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::preferred(request.headers())))
    }
}

/// The id of a request: the caller's `X-Request-Id` where it is one, else ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub(super) web::Bytes);

impl Deref for RequestId {
    type Target = str;
    fn deref(&self) -> &str {
        // Only made from ASCII, by `middleware.rs`.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromRequest for RequestId {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(request.extensions().get().cloned().ok_or(Problem::new(Code::Internal)))
    }
}

/// Who will read an answer: all it takes to write a refusal away from the request.
#[derive(Debug, Clone)]
pub struct Reader {
    /// In which language.
    pub language: Language,
    /// The request's id.
    pub request_id: RequestId,
    /// The request's path.
    pub instance: String,
}

impl Reader {
    /// The status and the body of a problem for this reader.
    pub fn render(&self, problem: &Problem) -> (u16, String) {
        problem.render(self.language, &self.request_id, &self.instance)
    }
}

impl FromRequest for Reader {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let language = Language::preferred(request.headers());
        let instance = request.path().to_owned();
        ready(RequestId::from_request(request, payload).into_inner().map(|request_id| Self {
            language,
            request_id,
            instance,
        }))
    }
}

/// The bearer token of a request.
fn bearer(request: &HttpRequest) -> Result<&str, Problem> {
    let value = match only(request, &header::AUTHORIZATION) {
        None => return Err(Code::TokenMissing.into()),
        Some(value) => value.map_err(|()| Problem::new(Code::TokenInvalid))?,
    };
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(Code::TokenMissing.into()),
    }
}

impl FromRequest for access::Caller {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        openapi::expect(request, Code::TokenMissing);
        let request = request.clone();
        Box::pin(async move {
            let token = bearer(&request)?;
            let services = request.app_data::<web::Data<Services>>().ok_or(Problem::new(Code::Internal))?;
            Ok(services.access.authenticate(token).await?)
        })
    }
}

/// A mistake in a value that only the handler can see, at a field of the body.
pub fn invalid_field(pointer: impl Into<String>, en: &str, zh: &str) -> Problem {
    Problem::new(Code::InvalidField).with_error(FieldError {
        pointer: pointer.into(),
        code: "invalid_value",
        detail: both(en, zh),
    })
}
