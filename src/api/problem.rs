//! How a failure is written: RFC 9457 `application/problem+json`, in the caller's language.
//!
//! A [`Problem`] travels up as the error of a handler and is written at the outermost point, by
//! `middleware.rs`, where the reader is known. The engine writes a refusal itself ([`Problem::render`]),
//! because it stores the bytes and answers them again to whoever repeats the request.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use actix_web::body::BoxBody;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::error::{Code, Language, More, Problem};

/// The media type of every failure.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// What went wrong (RFC 9457). Some codes add members of their own, such as `available`.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemBody<'a> {
    /// Where the code is explained.
    #[serde(rename = "type")]
    #[schema(example = "/docs/errors#insufficient_points", format = "uri-reference")]
    kind: String,
    /// The code in words, in the language of `Accept-Language` (en, zh-CN).
    title: &'a str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What went wrong this time, in the same language.
    detail: &'a str,
    /// The path of the request.
    instance: &'a str,
    /// The stable name of the failure; never translated.
    #[schema(value_type = String, example = "insufficient_points")]
    code: Code,
    /// The id of the request, as in `X-Request-Id` and in the logs.
    request_id: &'a str,
    /// The fields at fault.
    #[schema(value_type = Vec<FieldProblem>)]
    errors: Vec<FieldProblem<'a>>,
    #[serde(flatten)]
    #[schema(ignore)]
    members: Option<&'a BTreeMap<&'static str, Value>>,
}

/// What is wrong with one field.
#[derive(Serialize, ToSchema)]
pub(super) struct FieldProblem<'a> {
    /// RFC 6901 pointer into the body; for a query parameter or a header, its name after `/`.
    #[schema(example = "/lines/0/amount")]
    pointer: &'a str,
    /// The stable name of the mistake.
    #[schema(example = "invalid_type")]
    code: &'static str,
    /// The mistake in words.
    detail: &'a str,
}

impl Problem {
    /// The status and the body for a reader. Only the three arguments and the problem itself decide
    /// the bytes.
    pub fn render(&self, language: Language, request_id: &str, instance: &str) -> (u16, String) {
        let title = self.code().title(language);
        let more = self.more();
        let detail = match more {
            Some(More { detail: Some(detail), .. }) => Cow::Borrowed(language.of(detail)),
            Some(More { errors, .. }) if !errors.is_empty() => {
                Cow::Owned(format!("{}: {}", errors[0].pointer, language.of(&errors[0].detail)))
            }
            _ => Cow::Borrowed(title),
        };
        let body = ProblemBody {
            kind: format!("/docs/errors#{}", self.code()),
            title,
            status: self.status(),
            detail: &detail,
            instance,
            code: self.code(),
            request_id,
            errors: more
                .map_or(&[][..], |more| &more.errors)
                .iter()
                .map(|error| FieldProblem::new(error, language))
                .collect(),
            members: more.map(|more| &more.members),
        };
        // Strings, integers and JSON values under string keys always serialise.
        (self.status(), serde_json::to_string(&body).unwrap_or_default())
    }

    /// The answer for a reader.
    pub(super) fn respond(&self, language: Language, request_id: &str, instance: &str) -> HttpResponse {
        let (status, body) = self.render(language, request_id, instance);
        let mut response = builder(status);
        response.insert_header((header::CONTENT_LANGUAGE, language.tag()));
        if let Some(seconds) = self.retry_after() {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        if status == 401 {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"tessera\""));
        }
        if let Some(more) = self.more() {
            if let Some(methods) = &more.allow {
                response.insert_header((header::ALLOW, methods.as_str()));
            }
            if let Some(version) = more.etag {
                response.insert_header(super::extract::etag(version));
            }
        }
        response.body(body)
    }
}

impl<'a> FieldProblem<'a> {
    fn new(error: &'a super::error::FieldError, language: Language) -> Self {
        Self { pointer: &error.pointer, code: error.code, detail: language.of(&error.detail) }
    }
}

/// Only a fallback: `middleware.rs` writes the problem again for its reader.
impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        self.respond(Language::En, "", "")
    }
}

/// An answer the engine has written: `replayed` says that it was written for an earlier request.
pub fn stored(status: u16, body: impl Into<Vec<u8>>, replayed: bool) -> HttpResponse {
    let mut response = builder(status);
    if replayed {
        response.insert_header(("Idempotent-Replayed", "true"));
    }
    response.body(body.into())
}

/// The media type follows from the status: everything from 400 up is a problem.
fn builder(status: u16) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    response.content_type(if status >= 400 { CONTENT_TYPE } else { "application/json" });
    response
}

/// The page behind every `type`: all codes with their statuses and titles.
pub(super) fn catalogue() -> String {
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Error codes</title>\
         <style>body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}\
         td,th{text-align:left;padding:.3rem 1rem .3rem 0;border-bottom:1px solid #ccc}:target{background:#fe9}</style>\
         <h1>Error codes</h1><table><tr><th>Code<th>Status<th>English<th>中文</tr>",
    );
    for &code in Code::ALL {
        let (en, zh, status) = (code.title(Language::En), code.title(Language::ZhCn), code.status());
        // Writing to a string cannot fail, and nothing in the table needs escaping.
        let _ = write!(
            page,
            "<tr id=\"{code}\"><td><code>{code}</code><td>{status}<td>{}<td lang=\"zh-CN\">{zh}</tr>",
            en.replace('\'', "&#39;")
        );
    }
    page.push_str("</table></html>");
    page
}
