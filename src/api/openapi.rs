//! The OpenAPI 3.1 document, made from the handlers' annotations in the same act that routes them,
//! then completed: a handler says what it takes and which refusals of its own it can give, and every
//! failure that follows from what it takes is added here.
//!
//! | it takes | so it can also answer |
//! |---|---|
//! | a path under `/v1/` | 500, 503 |
//! | a caller (all of `/v1/`, unless `security(())`) | 401, 403 |
//! | a body | 400, 408, 413, 415 |
//! | a query | 400 |
//! | a part of the path | 404 |
//! | `params(IdempotencyKey)` | 400, 422, 503 |
//! | `params(IfMatch)` | 400, 412, 428 |
//!
//! Its own codes stand in `extensions(("x-problems" = json!(problems(&[Code::OutOfStock]))))`. What
//! a document can lack is found in two ways: [`faults`] reads the document, and debug builds compare
//! it with what is taken and answered ([`undocumented`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{LazyLock, Mutex, PoisonError};

use actix_web::http::Method;
use actix_web::{App, HttpRequest, HttpResponse, get};
use serde_json::Value;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required, Response,
    ResponseBuilder, ServerBuilder,
};
use utoipa::{PartialSchema, ToSchema};
use utoipa_actix_web::AppExt;

use super::error::{Code, Language, Problem};
use super::problem::{CONTENT_TYPE, FieldProblem, ProblemBody};
use super::{extract, page};

/// Where a handler lists its own codes.
const LISTED: &str = "x-problems";

/// Where the document lists every code of an operation.
const CODES: &str = "x-problem-codes";

/// The name of the one security scheme.
const BEARER: &str = "bearer";

/// Groups of operations, by the path they begin with.
const TAGS: &[(&str, &str, &str)] = &[
    ("/v1/till/", "till", "What a till asks: members, purchases, returns, redemptions."),
    ("/v1/member/", "member", "What a member asks about himself."),
    ("/v1/admin/", "admin", "What runs the programme."),
    ("/v1/auth/", "auth", "Signing in and out."),
    ("/v1/sandbox/", "sandbox", "The clock and the messages of a sandbox."),
    ("/", "operations", "What the machinery around the process asks."),
];

const DESCRIPTION: &str = "Points and tiers for shops. Failures are `application/problem+json` (RFC 9457) with a \
    stable `code`; all codes are listed at [/docs/errors](/docs/errors). `title` and `detail` follow \
    `Accept-Language` (en, zh-CN). Amounts are integers in minor units; instants are RFC 3339 in UTC.";

/// The document as served, and what is read from it.
pub struct Document {
    /// The document, as JSON.
    pub json: String,
    routes: Vec<Route>,
}

struct Route {
    path: String,
    /// `None` is a part that varies.
    parts: Vec<Option<String>>,
    methods: Vec<&'static str>,
    /// `GET not_found`, for every code of every method.
    codes: BTreeSet<String>,
}

/// The document of this binary.
pub fn document() -> &'static Document {
    static DOCUMENT: LazyLock<Document> = LazyLock::new(build);
    &DOCUMENT
}

fn build() -> Document {
    let (_, mut api) = App::new().into_utoipa_app().openapi(frame()).configure(super::routes).split_for_parts();
    complete(&mut api);
    let routes = api.paths.paths.iter_mut().map(|(path, item)| Route::new(path, &operations(item))).collect();
    // By way of a value, so that keys come out in one order every time.
    let json = serde_json::to_value(&api).and_then(|value| serde_json::to_string_pretty(&value));
    Document { json: json.unwrap_or_default(), routes }
}

impl Document {
    /// The methods a path has, if it is one of ours and has not this one.
    pub(super) fn allow(&self, method: &Method, path: &str) -> Option<String> {
        if path == "/docs" || path.starts_with("/docs/") {
            return (method != Method::GET && method != Method::HEAD).then(|| "GET, HEAD".to_owned());
        }
        let parts: Vec<&str> = path.split('/').collect();
        let route = self.routes.iter().filter(|route| route.matches(&parts)).max_by_key(|route| route.exactness())?;
        // HEAD is not in the document: `middleware.rs` answers it wherever there is GET.
        let head = route.methods.contains(&"GET").then_some("HEAD");
        let allowed: Vec<&str> = route.methods.iter().copied().chain(head).collect();
        (!allowed.contains(&method.as_str())).then(|| allowed.join(", "))
    }
}

impl Route {
    fn new(path: &str, operations: &[(&'static str, &mut Operation)]) -> Self {
        let codes = operations.iter().flat_map(|(method, operation)| {
            let names = operation.extensions.as_ref().and_then(|extensions| extensions.get(CODES)?.as_array());
            names.into_iter().flatten().filter_map(Value::as_str).map(move |name| format!("{method} {name}"))
        });
        Self {
            path: path.to_owned(),
            parts: path.split('/').map(|part| (!part.starts_with('{')).then(|| part.to_owned())).collect(),
            methods: operations.iter().map(|(method, _)| *method).collect(),
            codes: codes.collect(),
        }
    }

    fn matches(&self, parts: &[&str]) -> bool {
        self.parts.len() == parts.len()
            && self.parts.iter().zip(parts).all(|(part, given)| match part {
                Some(part) => part == given,
                None => !given.is_empty(),
            })
    }

    fn exactness(&self) -> usize {
        self.parts.iter().flatten().count()
    }
}

/// Answers seen in this process that the document does not foretell; looked for in debug builds only.
static UNDOCUMENTED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// What the document turned out to lack so far: a test asks at its end, and finds nothing.
pub fn undocumented() -> Vec<String> {
    UNDOCUMENTED.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
}

/// In debug builds, notes a code the operation can answer with and does not document. Extractors
/// call it with the code they would fail with, so that one good request shows what is missing.
pub(super) fn expect(request: &HttpRequest, code: Code) {
    // A method the path has not got belongs to no operation.
    if !cfg!(debug_assertions) || code == Code::MethodNotAllowed {
        return;
    }
    let Some(pattern) = request.match_pattern() else { return };
    let answer = format!("{} {code}", request.method());
    let route = document().routes.iter().find(|route| route.path == pattern);
    if route.is_some_and(|route| route.methods.contains(&request.method().as_str()) && !route.codes.contains(&answer)) {
        tracing::error!(answer, pattern, "this is not in the OpenAPI document");
        UNDOCUMENTED.lock().unwrap_or_else(PoisonError::into_inner).insert(format!("{answer} at {pattern}"));
    }
}

/// What a complete document does not have: an operation without a summary, an id of its own or an
/// answer that is no failure; a failure that is no problem; a reference to nothing.
pub fn faults(document: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let mut fault = |what: &str| faults.push(format!("{method} {path}: {what}"));
            if operation["summary"].as_str().is_none_or(str::is_empty) {
                fault("no summary");
            }
            if !operation["operationId"].as_str().is_some_and(|id| ids.insert(id.to_owned())) {
                fault("no operationId of its own");
            }
            let responses = operation["responses"].as_object();
            if !responses.is_some_and(|all| all.keys().any(|status| status.starts_with('2'))) {
                fault("no success");
            }
            for (status, response) in responses.into_iter().flatten().filter(|(status, _)| status.as_str() >= "400") {
                if response["content"][CONTENT_TYPE].is_null() && response["$ref"].is_null() {
                    fault(&format!("{status} is no problem"));
                }
            }
        }
    }
    dangling(document, document, &mut faults);
    faults
}

fn dangling(part: &Value, document: &Value, faults: &mut Vec<String>) {
    match part {
        Value::Object(fields) => {
            let reference = fields.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
            if let Some(pointer) = reference.filter(|pointer| document.pointer(pointer).is_none()) {
                faults.push(format!("{pointer}: a reference to nothing"));
            }
            fields.values().for_each(|field| dangling(field, document, faults));
        }
        Value::Array(items) => items.iter().for_each(|item| dangling(item, document, faults)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What a handler lists of its own.
pub fn problems(codes: &[Code]) -> Value {
    codes.iter().map(|code| code.as_str()).collect()
}

/// Everything that is not a path.
fn frame() -> OpenApi {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("An access token from `/v1/auth/login`."))
        .build();
    let mut components = Components::new();
    components.security_schemes.insert(BEARER.to_owned(), SecurityScheme::Http(bearer).into());
    schema::<ProblemBody<'_>>(&mut components);
    schema::<FieldProblem<'_>>(&mut components);
    schema::<page::Limit>(&mut components);
    schema::<page::Cursor>(&mut components);
    let tags = TAGS.iter().map(|(_, name, description)| {
        utoipa::openapi::tag::TagBuilder::new().name(*name).description(Some(*description)).build()
    });
    let license = LicenseBuilder::new().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0")).build();
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Tessera")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(DESCRIPTION))
                .license(Some(license))
                .build(),
        )
        .servers(Some([ServerBuilder::new().url("/").build()]))
        .security(Some([SecurityRequirement::new(BEARER, [] as [&str; 0])]))
        .tags(Some(tags))
        .components(Some(components))
        .build()
}

fn schema<T: ToSchema + PartialSchema>(components: &mut Components) {
    components.schemas.insert(T::name().into_owned(), T::schema());
}

fn operations(item: &mut PathItem) -> Vec<(&'static str, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    let all = [("GET", get), ("PUT", put), ("POST", post), ("DELETE", delete), ("PATCH", patch)];
    all.into_iter().filter_map(|(method, operation)| operation.as_mut().map(|operation| (method, operation))).collect()
}

fn complete(api: &mut OpenApi) {
    let components = api.components.get_or_insert_default();
    for (path, item) in &mut api.paths.paths {
        for (_, operation) in operations(item) {
            complete_operation(path, operation, components);
        }
    }
}

fn complete_operation(path: &str, operation: &mut Operation, components: &mut Components) {
    let tag = TAGS.iter().find(|(prefix, ..)| path.starts_with(prefix)).map_or("operations", |(_, name, _)| name);
    operation.tags = Some(vec![tag.to_owned()]);
    name_path_parts(path, operation);
    let public = !path.starts_with("/v1/")
        || operation.security.as_ref().is_some_and(|all| all.iter().all(|one| *one == SecurityRequirement::default()));
    // An empty list, unlike none, overrides what the document asks for.
    operation.security = public.then(Vec::new);

    let own = listed(operation);
    let mut codes = implied(path, operation, public);
    codes.extend(&own);
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for &code in &codes {
        by_status.entry(code.status()).or_default().push(code);
    }
    for (status, codes) in by_status {
        let response = problem_response(&codes);
        let shared = !codes.iter().any(|code| own.contains(code));
        let entry = if shared { share(components, &codes, response) } else { response.into() };
        operation.responses.responses.insert(status.to_string(), entry);
    }
    if !codes.is_empty() {
        let names: Value = codes.iter().map(|code| code.as_str()).collect();
        let codes = ExtensionsBuilder::new().add(CODES, names).build();
        operation.extensions.get_or_insert_default().merge(codes);
    }
}

/// Parts of the path that the handler takes as [`extract::Id`] have no annotation of their own.
fn name_path_parts(path: &str, operation: &mut Operation) {
    for name in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
        let known = operation.parameters.iter().flatten().any(|parameter| match parameter {
            RefOr::T(parameter) => parameter.name == name && parameter.parameter_in == ParameterIn::Path,
            RefOr::Ref(_) => false,
        });
        if !known {
            let parameter = ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .description(Some("Names the object."))
                .schema(Some(extract::id_schema()));
            operation.parameters.get_or_insert_default().push(parameter.build().into());
        }
    }
}

/// Takes the handler's list of its own codes.
fn listed(operation: &mut Operation) -> BTreeSet<Code> {
    let list = operation.extensions.as_mut().and_then(|extensions| extensions.remove(LISTED)).unwrap_or_default();
    let names = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    names.filter_map(|name| Code::ALL.iter().find(|code| code.as_str() == name)).copied().collect()
}

/// The codes that follow from what the operation takes.
fn implied(path: &str, operation: &Operation, public: bool) -> BTreeSet<Code> {
    use Code as C;
    let mut codes = BTreeSet::new();
    if path.starts_with("/v1/") {
        codes.extend([C::Internal, C::Unavailable]);
    }
    if !public {
        codes.extend([C::TokenMissing, C::TokenInvalid, C::SessionRevoked, C::Forbidden]);
    }
    if operation.request_body.is_some() {
        codes.extend([C::MalformedJson, C::InvalidField, C::UnknownField, C::MissingField]);
        codes.extend([C::RequestTimeout, C::BodyTooLarge, C::UnsupportedMediaType]);
    }
    for parameter in operation.parameters.iter().flatten() {
        let RefOr::T(parameter) = parameter else { continue };
        match (&parameter.parameter_in, parameter.name.as_str()) {
            (ParameterIn::Path, _) => codes.extend([C::NotFound]),
            (ParameterIn::Query, "cursor") => codes.extend([C::InvalidQuery, C::CursorInvalid]),
            (ParameterIn::Query, _) => codes.extend([C::InvalidQuery]),
            (ParameterIn::Header, "Idempotency-Key") => {
                codes.extend([C::IdempotencyKeyMissing, C::IdempotencyKeyInvalid, C::IdempotencyKeyReused, C::Busy])
            }
            (ParameterIn::Header, "If-Match") => {
                codes.extend([C::IfMatchInvalid, C::PreconditionRequired, C::VersionConflict]);
            }
            _ => {}
        }
    }
    codes
}

/// One response for all codes of a status, with an example of each.
fn problem_response(codes: &[Code]) -> Response {
    let mut content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem")));
    for &code in codes {
        let (_, body) = Problem::new(code).render(Language::En, "req_0198c2f1a7b47d0c8f3e5a6b7c8d9e0f", "/v1/…");
        let body = serde_json::from_str::<Value>(&body).ok();
        content = content.examples_from_iter([(
            code.as_str(),
            ExampleBuilder::new().summary(code.title(Language::En)).value(body).build(),
        )]);
    }
    let names: Vec<String> = codes.iter().map(|code| format!("`{code}`: {}", code.title(Language::En))).collect();
    ResponseBuilder::new().description(names.join(" · ")).content(CONTENT_TYPE, content.build()).build()
}

/// Puts a response that many operations give among the components, under the names of its codes.
fn share(components: &mut Components, codes: &[Code], response: Response) -> RefOr<Response> {
    let names: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
    let name = names.join(".");
    let reference = Ref::from_response_name(&name);
    components.responses.entry(name).or_insert(RefOr::T(response));
    reference.into()
}

/// This document
#[utoipa::path(responses((status = 200, description = "The OpenAPI 3.1 document.", body = Object)))]
#[get("/openapi.json")]
pub(super) async fn openapi_json() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(document().json.as_str())
}
