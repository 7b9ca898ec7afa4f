//! Around every request: its id, its place among those in flight, its line in the log, its sample in
//! the metrics, the headers of every answer, and the writing of problems for their reader.
//!
//! This runs on the hot path: nothing here waits, and a success costs a handful of small
//! allocations. Logs name the method, the route as a template and the id; never a query string, a
//! body, a header or a value from the path.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Instant;

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, web};
use metrics::Histogram;

use super::error::{Code, Language, Problem};
use super::extract::RequestId;
use super::{Health, Services, openapi, problem};
use crate::clock;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The outermost layer.
pub(super) async fn observe<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, actix_web::Error> {
    let started = Instant::now();
    let request_id = request_id(&request);
    request.extensions_mut().insert(request_id.clone());
    let health = request.app_data::<web::Data<Services>>().map(|services| services.health.clone());
    let in_flight = health.as_deref().map(Health::enter);
    if request.method() == Method::HEAD {
        // Whoever answers GET answers HEAD; the body is left out where the response is encoded.
        request.head_mut().method = Method::GET;
    }

    let mut response = next.call(request).await?.map_into_left_body();
    if response.status().as_u16() >= 400 {
        response = write_problem(response, &request_id);
    }
    let private = response.request().path().starts_with("/v1/");
    let head = response.response_mut().head_mut();
    if health.as_deref().is_some_and(Health::is_draining) {
        head.set_connection_type(ConnectionType::Close);
    }
    let headers = &mut head.headers;
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if private {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Ok(value) = HeaderValue::from_maybe_shared(request_id.0.clone()) {
        headers.insert(X_REQUEST_ID, value);
    }
    report(response.request(), response.status(), started, &request_id);
    drop(in_flight);
    Ok(response)
}

/// `^[A-Za-z0-9._-]{8,64}$` from the caller, so that nothing else reaches a log; else one of ours.
fn request_id(request: &ServiceRequest) -> RequestId {
    let theirs = request.headers().get(X_REQUEST_ID).map(HeaderValue::as_bytes).filter(|id| {
        (8..=64).contains(&id.len())
            && id.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    });
    RequestId(match theirs {
        Some(id) => web::Bytes::copy_from_slice(id),
        None => web::Bytes::from(format!("req_{}", clock::new_uuid().simple())),
    })
}

/// Writes a failure for its reader. What already is a problem (an answer the engine stored) stays
/// as it is; what actix or a page answered by itself gets the shape every failure has.
fn write_problem<B: MessageBody + 'static>(
    response: ServiceResponse<EitherBody<B, BoxBody>>,
    request_id: &RequestId,
) -> ServiceResponse<EitherBody<B, BoxBody>> {
    let ours = response.response().error().and_then(|error| error.as_error::<Problem>());
    let written = response.headers().get(CONTENT_TYPE).is_some_and(|value| value == problem::CONTENT_TYPE);
    let found = match ours {
        Some(problem) => problem.clone(),
        None if written => return response,
        None => Problem::new(stand_in(response.status())),
    };
    let request = response.request();
    let found = if found.code() == Code::NotFound { or_other_method(request, found) } else { found };
    openapi::expect(request, found.code());
    let language = Language::preferred(request.headers());
    let written = found.respond(language, request_id, request.path());
    response.into_response(written.map_into_right_body())
}

/// The code for a failure that is not ours.
fn stand_in(status: StatusCode) -> Code {
    match status.as_u16() {
        404 => Code::NotFound,
        405 => Code::MethodNotAllowed,
        408 => Code::RequestTimeout,
        413 => Code::BodyTooLarge,
        415 => Code::UnsupportedMediaType,
        503 => Code::Unavailable,
        400..500 => Code::InvalidPath,
        _ => Code::Internal,
    }
}

/// Nothing was found under this method; perhaps the path has another one.
fn or_other_method(request: &HttpRequest, not_found: Problem) -> Problem {
    match openapi::document().allow(request.method(), request.path()) {
        Some(allow) => Problem::new(Code::MethodNotAllowed).with_allow(allow),
        None => not_found,
    }
}

/// One line and one sample. Successes are logged for debugging only.
fn report(request: &HttpRequest, status: StatusCode, started: Instant, request_id: &str) {
    let elapsed = started.elapsed();
    let path = request.path();
    let pattern = if is_route(path) { None } else { Some(request.match_pattern()) };
    let route = pattern.as_ref().map_or(path, |found| found.as_deref().unwrap_or("unmatched"));
    let method = method_name(request.method());
    let status = status.as_u16();
    sample(method, route, status, elapsed.as_secs_f64());
    let duration_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
    match status {
        500.. => tracing::warn!(method, route, status, duration_us, request_id, "request failed"),
        400.. => tracing::info!(method, route, status, duration_us, request_id, "request refused"),
        _ => tracing::debug!(method, route, status, duration_us, request_id, "request"),
    }
}

/// Methods are a closed list here: a label must not grow with what callers invent.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

/// Of one route: method, status, and where the samples go.
type Samples = Vec<(&'static str, u16, Histogram)>;

thread_local! {
    /// The histograms this worker has asked for: asking the recorder hashes every label anew.
    static HISTOGRAMS: RefCell<HashMap<String, Samples>> = RefCell::default();
}

/// Whether this worker knows the path as a whole route: then nothing in it varies, and finding the
/// route a second time, now for its name, is saved.
fn is_route(path: &str) -> bool {
    HISTOGRAMS.with_borrow(|routes| routes.contains_key(path))
}

fn sample(method: &'static str, route: &str, status: u16, seconds: f64) {
    HISTOGRAMS.with_borrow_mut(|routes| {
        let known = routes.get(route).and_then(|samples| samples.iter().find(|(m, s, _)| *m == method && *s == status));
        if let Some((_, _, histogram)) = known {
            return histogram.record(seconds);
        }
        let histogram = metrics::histogram!(
            "http_server_request_duration_seconds",
            "method" => method,
            "route" => route.to_owned(),
            "status" => status.to_string(),
        );
        histogram.record(seconds);
        routes.entry(route.to_owned()).or_default().push((method, status, histogram));
    });
}
